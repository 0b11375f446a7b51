//! One field: what it may be, from its type, its documentation and its attributes.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, ExprRange, GenericArgument, Lit, Meta, PathArguments, RangeLimits, Result, Type,
};

/// A field of a group.
pub struct Field<'a> {
    pub name: &'a Ident,
    /// What users call it: without the `r#` of a name that is a keyword.
    pub word: String,
    pub class: &'a Type,
    kind: Kind,
    about: String,
    default: TokenStream,
    default_span: Span,
    nullable: bool,
    secret: bool,
}

/// The kinds of `picovd::group!`.
enum Kind {
    Boolean,
    Integer(Ends),
    Number,
    Text(Ends),
    Choice,
}

/// Both ends of a range, and what the compiler checks about them.
struct Ends {
    least: TokenStream,
    most: TokenStream,
    check: TokenStream,
}

/// What `#[setting(...)]` says.
#[derive(Default)]
struct Attributes {
    default: Option<Expr>,
    range: Option<ExprRange>,
    length: Option<ExprRange>,
    secret: Option<()>,
}

impl<'a> Field<'a> {
    pub fn new(field: &'a syn::Field) -> Result<Self> {
        let name = field.ident.as_ref().ok_or_else(|| Error::new_spanned(field, "a setting has a name"))?;
        let word = name.unraw().to_string();
        if let Some(misplaced) = field.attrs.iter().find(|attribute| attribute.path().is_ident("settings")) {
            let message = "`#[settings(...)]` belongs to the structure: a field has `#[setting(...)]`";
            return Err(Error::new_spanned(misplaced, message));
        }
        let about = documentation(&field.attrs);
        if about.is_empty() {
            let message = format!("`{word}` has no documentation: users read `/// ...` to know what it is good for");
            return Err(Error::new_spanned(field, message));
        }
        let attributes = Attributes::of(&field.attrs)?;
        let inner = optional(&field.ty);
        let kind = Kind::of(inner.unwrap_or(&field.ty), &word, &attributes)?;
        let default = match (&attributes.default, &kind) {
            (Some(default), _) => quote!(#default),
            (None, _) if inner.is_some() => quote!(::core::option::Option::None),
            (None, Kind::Boolean) => quote!(false),
            (None, Kind::Integer(..)) => quote!(0),
            (None, Kind::Number) => quote!(0.0),
            (None, Kind::Text(..)) => quote!(""),
            (None, Kind::Choice) => {
                let message = format!("`{word}` needs a default: `#[setting(default = ...)]`");
                return Err(Error::new_spanned(field, message));
            }
        };
        let default_span = attributes.default.as_ref().map_or_else(|| name.span(), Spanned::span);
        let secret = attributes.secret.is_some() || last_segment(inner.unwrap_or(&field.ty)) == "Secret";
        Ok(Self { name, word, class: &field.ty, kind, about, default, default_span, nullable: inner.is_some(), secret })
    }

    /// Its `picovd::settings::Field`.
    pub fn declaration(&self) -> TokenStream {
        let Self { word: name, class, about, .. } = self;
        let declaration = match &self.kind {
            Kind::Boolean => quote!(boolean(#name, #about)),
            Kind::Integer(Ends { least, most, .. }) => quote!(integer(#name, #least, #most, #about)),
            Kind::Number => quote!(number(#name, #about)),
            Kind::Text(Ends { least, most, .. }) => quote!(text(#name, #least, #most, #about)),
            Kind::Choice => {
                // The type's own span, where a type that is no choice is reported.
                let names = quote_spanned!(class.span()=> <#class as ::picovd::settings::Choice>::NAMES);
                quote!(choice(#name, #names, #about))
            }
        };
        let nullable = self.nullable.then(|| quote!(.or_null()));
        let secret = self.secret.then(|| quote!(.secret()));
        quote!(::picovd::settings::Field::#declaration #nullable #secret)
    }

    /// Its value in a structure of defaults.
    pub fn default(&self) -> TokenStream {
        let Self { class, default, .. } = self;
        match self.kind {
            Kind::Text(..) => quote!(<#class as ::picovd::settings::TextField>::from_default(#default)),
            _ => quote!(#default),
        }
    }

    /// Checks the default when the program is compiled.
    pub fn check(&self) -> TokenStream {
        let Self { word: name, class, default, .. } = self;
        let declaration = self.declaration();
        let value = Ident::new("value", Span::mixed_site());
        let measure = match self.kind {
            Kind::Boolean => quote!({
                let _: bool = *#value;
                0
            }),
            Kind::Integer(..) => quote!(*#value as i64),
            Kind::Number => quote!((*#value as f64).is_finite() as i64),
            Kind::Text(..) => quote!(::picovd::settings::measure::<#class>(#value)),
            Kind::Choice => quote!({
                let _ = #value;
                0
            }),
        };
        let ends = match &self.kind {
            Kind::Integer(ends) | Kind::Text(ends) => Some(&ends.check),
            _ => None,
        };
        let (text, defaults) = match self.kind {
            Kind::Text(..) => (true, quote!(<#class as ::picovd::settings::TextField>::Default)),
            _ => (false, quote!(#class)),
        };
        let wrong =
            format!("setting `{name}`: it may not have its default; `#[setting(default = ...)]` gives it another one");
        let narrow = format!("setting `{name}`: its type has fewer bytes than it may have characters");
        let capacity = text.then(|| {
            quote_spanned!(class.span()=>
                ::core::assert!(__PICOVD_FIELD.fits(<#class as ::picovd::settings::TextField>::CAPACITY), #narrow);
            )
        });
        let judge = quote_spanned!(self.default_span=> ::core::assert!(__PICOVD_FIELD.takes(#measure), #wrong););
        let judge = if self.nullable {
            quote!(if let ::core::option::Option::Some(#value) = __PICOVD_DEFAULT { #judge })
        } else {
            quote!({ let #value = __PICOVD_DEFAULT; #judge })
        };
        let declared = quote_spanned!(self.default_span=> const __PICOVD_DEFAULT: &#defaults = &#default;);
        quote! {
            #[allow(clippy::all, clippy::pedantic)]
            const _: () = {
                #ends
                const __PICOVD_FIELD: ::picovd::settings::Field = #declaration;
                #declared
                #capacity
                #judge
            };
        }
    }
}

impl Kind {
    /// Of a type that is no `Option`.
    fn of(class: &Type, word: &str, attributes: &Attributes) -> Result<Self> {
        let name = last_segment(class);
        let kind = match name.as_str() {
            "bool" => Self::Boolean,
            "f32" | "f64" => Self::Number,
            "String" | "Secret" => Self::text(class, word, attributes)?,
            "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" => Self::integer(class, word, attributes)?,
            "u64" | "usize" if attributes.range.is_none() => {
                return Err(Error::new_spanned(
                    class,
                    format!("a `{name}` needs a range: `#[setting(range = 0..=1000)]`"),
                ));
            }
            // Types by other names: what limits them tells what they are.
            _ if attributes.range.is_some() => Self::integer(class, word, attributes)?,
            _ if attributes.length.is_some() => Self::text(class, word, attributes)?,
            _ => Self::Choice,
        };
        if let Some(range) = &attributes.range
            && !matches!(kind, Self::Integer(..))
        {
            return Err(Error::new_spanned(range, "`range` is for whole numbers"));
        }
        if let Some(length) = &attributes.length
            && !matches!(kind, Self::Text(..))
        {
            return Err(Error::new_spanned(length, "`length` is for texts"));
        }
        Ok(kind)
    }

    fn integer(class: &Type, word: &str, attributes: &Attributes) -> Result<Self> {
        let Some(range) = &attributes.range else {
            let (least, most) = (quote!(<#class>::MIN as i64), quote!(<#class>::MAX as i64));
            return Ok(Self::Integer(Ends { least, most, check: TokenStream::new() }));
        };
        // Of the field's type, so that the type can hold them, and constants of that type can be used.
        ends(range, word, &quote!(#class), &quote!(i64)).map(Self::Integer)
    }

    fn text(class: &Type, word: &str, attributes: &Attributes) -> Result<Self> {
        let Some(length) = &attributes.length else {
            let most = quote!(<#class as ::picovd::settings::TextField>::CAPACITY as u16);
            return Ok(Self::Text(Ends { least: quote!(0), most, check: TokenStream::new() }));
        };
        // As the capacity of a `String`.
        ends(length, word, &quote!(usize), &quote!(u16)).map(Self::Text)
    }
}

impl Attributes {
    fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("setting")) {
            attribute.parse_nested_meta(|meta| all.take(&meta))?;
        }
        Ok(all)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("default") {
            let value = meta.value()?.parse()?;
            super::once(&mut self.default, value, meta)
        } else if meta.path.is_ident("range") {
            super::once(&mut self.range, range(meta)?, meta)
        } else if meta.path.is_ident("length") {
            super::once(&mut self.length, range(meta)?, meta)
        } else if meta.path.is_ident("secret") {
            super::once(&mut self.secret, (), meta)
        } else {
            Err(meta.error("a setting has `default = ...`, `range = ...`, `length = ...` and `secret`"))
        }
    }
}

/// The value of an attribute that is a range.
fn range(meta: &ParseNestedMeta<'_>) -> Result<ExprRange> {
    match meta.value()?.parse()? {
        Expr::Range(range) => Ok(range),
        other => Err(Error::new_spanned(other, "a range is written `1..=10`: both ends are included")),
    }
}

/// Both ends of a range that is written with values of the type `class`, for the type `kept`.
fn ends(range: &ExprRange, word: &str, class: &TokenStream, kept: &TokenStream) -> Result<Ends> {
    let (Some(least), RangeLimits::Closed(_), Some(most)) = (&range.start, &range.limits, &range.end) else {
        return Err(Error::new_spanned(range, "a range is written `1..=10`: both ends are included"));
    };
    let end = |end: &Expr| {
        quote!({
            const __PICOVD_END: #class = #end;
            __PICOVD_END as #kept
        })
    };
    let empty = format!("setting `{word}`: no value is in its range: the smaller end comes first");
    let far = format!("setting `{word}`: its range ends beyond {kept}::MAX, which is all that a setting can be");
    let span = range.span();
    let near = quote_spanned!(most.span()=>
        ::core::assert!(__PICOVD_MOST as i128 <= #kept::MAX as i128, #far);
    );
    let check = quote_spanned! {span=>
        const __PICOVD_LEAST: #class = #least;
        const __PICOVD_MOST: #class = #most;
        #near
        ::core::assert!(__PICOVD_LEAST as i128 <= __PICOVD_MOST as i128, #empty);
    };
    Ok(Ends { least: end(least), most: end(most), check })
}

/// The type in an `Option`.
fn optional(class: &Type) -> Option<&Type> {
    let Type::Path(path) = class else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

fn last_segment(class: &Type) -> String {
    let Type::Path(path) = class else { return String::new() };
    path.path.segments.last().map_or_else(String::new, |last| last.ident.to_string())
}

/// The lines of `///` as one text.
fn documentation(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(line), .. }) => Some(line.value()),
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> = lines.map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
    lines.join(" ")
}
