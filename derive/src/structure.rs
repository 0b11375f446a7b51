//! Structures.

use super::field::Field;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Expr, Fields, LitStr, Result};

/// The implementations for a structure.
pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Struct(body) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "settings are a `struct`; for an enumeration, derive `picovd::Choice`",
        ));
    };
    let Fields::Named(named) = &body.fields else {
        return Err(Error::new_spanned(&input.ident, "settings have names: `struct Lamp { interval: u16 }`"));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "settings have no parameters"));
    }
    let mut errors = None;
    let mut fields = Vec::new();
    for field in &named.named {
        match Field::new(field) {
            Ok(field) => fields.push(field),
            Err(error) => super::report(&mut errors, error),
        }
    }
    let group = Group::of(input);
    match (group, errors) {
        (Ok(group), None) => Ok(implementations(input, &group, &fields)),
        (Err(mut error), errors) => {
            error.extend(errors);
            Err(error)
        }
        (Ok(_), Some(errors)) => Err(errors),
    }
}

/// What `#[settings(...)]` says.
struct Group {
    name: LitStr,
    rule: Option<Expr>,
}

impl Group {
    fn of(input: &DeriveInput) -> Result<Self> {
        if let Some(misplaced) = input.attrs.iter().find(|attribute| attribute.path().is_ident("setting")) {
            let message = "`#[setting(...)]` belongs to a field: the structure has `#[settings(...)]`";
            return Err(Error::new_spanned(misplaced, message));
        }
        let (mut name, mut rule) = (None, None);
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("settings")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    let value = meta.value()?.parse::<LitStr>()?;
                    super::once(&mut name, value, &meta)
                } else if meta.path.is_ident("rule") {
                    let value = meta.value()?.parse::<Expr>()?;
                    super::once(&mut rule, value, &meta)
                } else {
                    Err(meta.error("a group has `name = \"...\"` and `rule = ...`"))
                }
            })?;
        }
        let missing = "a group needs a name, by which saved values are found again: `#[settings(name = \"lamp\")]`";
        let name = name.ok_or_else(|| Error::new_spanned(&input.ident, missing))?;
        if name.value().is_empty() {
            return Err(Error::new_spanned(name, "a group's name has at least one character"));
        }
        Ok(Self { name, rule })
    }
}

fn implementations(input: &DeriveInput, group: &Group, fields: &[Field<'_>]) -> TokenStream {
    let structure = &input.ident;
    let text = structure.unraw().to_string();
    let group_name = &group.name;
    let rule = group.rule.as_ref().map(|rule| quote!(.with_rule(#rule)));
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let words: Vec<_> = fields.iter().map(|field| &field.word).collect();
    let count = fields.len();
    let declarations = fields.iter().map(Field::declaration);
    let defaults = fields.iter().map(Field::default);
    let checks = fields.iter().map(Field::check);
    let classes = fields.iter().map(|field| field.class);
    quote! {
        #[automatically_derived]
        impl ::core::default::Default for #structure {
            fn default() -> Self {
                Self { #(#names: #defaults,)* }
            }
        }

        #[automatically_derived]
        impl ::picovd::settings::Declared for #structure {
            const GROUP: ::picovd::settings::Group<Self> = {
                #[allow(clippy::all, clippy::pedantic)]
                const __PICOVD_FIELDS: &[::picovd::settings::Field] = &[#(#declarations,)*];
                ::picovd::settings::Group::declared(#group_name, __PICOVD_FIELDS) #rule
            };
        }

        #(#checks)*

        #[automatically_derived]
        impl ::picovd::settings::serde::Serialize for #structure {
            fn serialize<__S: ::picovd::settings::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                let mut fields = serializer.serialize_struct(#text, #count)?;
                #(::picovd::settings::serde::ser::SerializeStruct::serialize_field(&mut fields, #words, &self.#names)?;)*
                ::picovd::settings::serde::ser::SerializeStruct::end(fields)
            }
        }

        #[automatically_derived]
        impl<'de> ::picovd::settings::serde::Deserialize<'de> for #structure {
            fn deserialize<__D: ::picovd::settings::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                struct __Fields;

                impl<'de> ::picovd::settings::serde::de::Visitor<'de> for __Fields {
                    type Value = #structure;

                    fn expecting(&self, out: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        out.write_str(#text)
                    }

                    // What an older firmware saved has fewer fields: the others have their defaults.
                    fn visit_seq<__A: ::picovd::settings::serde::de::SeqAccess<'de>>(
                        self,
                        mut fields: __A,
                    ) -> ::core::result::Result<#structure, __A::Error> {
                        let mut all = <#structure as ::core::default::Default>::default();
                        #(if let ::core::option::Option::Some(field) = fields.next_element::<#classes>()? {
                            all.#names = field;
                        })*
                        ::core::result::Result::Ok(all)
                    }
                }

                deserializer.deserialize_struct(#text, &[#(#words),*], __Fields)
            }
        }
    }
}
