//! Enumerations.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::{Data, DeriveInput, Error, Fields, LitStr, Result, Variant};

/// The implementations for an enumeration.
pub fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let Data::Enum(body) = &input.data else {
        return Err(Error::new_spanned(
            &input.ident,
            "a choice is an `enum`; for a structure, derive `picovd::Settings`",
        ));
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(&input.generics, "a choice has no parameters"));
    }
    if body.variants.is_empty() {
        return Err(Error::new_spanned(&input.ident, "a choice has at least one variant"));
    }
    if let Some(misplaced) = input.attrs.iter().find(|attribute| attribute.path().is_ident("setting")) {
        return Err(Error::new_spanned(misplaced, "`#[setting(word = \"...\")]` belongs to a variant"));
    }
    let mut errors = None;
    let mut words: Vec<LitStr> = Vec::new();
    for variant in &body.variants {
        match word(variant) {
            Ok(word) if words.iter().any(|other| other.value() == word.value()) => {
                let message = format!("two variants have the word {:?}", word.value());
                super::report(&mut errors, Error::new_spanned(variant, message));
            }
            Ok(word) => words.push(word),
            Err(error) => super::report(&mut errors, error),
        }
    }
    if let Some(errors) = errors {
        return Err(errors);
    }
    let name = &input.ident;
    let text = name.unraw().to_string();
    let variants: Vec<_> = body.variants.iter().map(|variant| &variant.ident).collect();
    let indexes = 0..variants.len() as u32;
    let places = 0..variants.len();
    Ok(quote! {
        #[automatically_derived]
        impl ::picovd::settings::Choice for #name {
            const NAMES: &'static [&'static str] = &[#(#words),*];
        }

        #[automatically_derived]
        impl ::picovd::settings::serde::Serialize for #name {
            fn serialize<__S: ::picovd::settings::serde::Serializer>(
                &self,
                serializer: __S,
            ) -> ::core::result::Result<__S::Ok, __S::Error> {
                match self {
                    #(Self::#variants => serializer.serialize_unit_variant(#text, #indexes, #words),)*
                }
            }
        }

        #[automatically_derived]
        impl<'de> ::picovd::settings::serde::Deserialize<'de> for #name {
            fn deserialize<__D: ::picovd::settings::serde::Deserializer<'de>>(
                deserializer: __D,
            ) -> ::core::result::Result<Self, __D::Error> {
                let names = <Self as ::picovd::settings::Choice>::NAMES;
                match ::picovd::settings::deserialize_choice(deserializer, #text, names)? {
                    #(#places => ::core::result::Result::Ok(Self::#variants),)*
                    _ => ::core::result::Result::Err(::picovd::settings::serde::de::Error::custom("no such variant")),
                }
            }
        }
    })
}

/// What users write for a variant.
fn word(variant: &Variant) -> Result<LitStr> {
    if !matches!(variant.fields, Fields::Unit) {
        return Err(Error::new_spanned(variant, "a variant of a choice has no values"));
    }
    let mut word = None;
    for attribute in variant.attrs.iter().filter(|attribute| attribute.path().is_ident("setting")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("word") {
                return Err(meta.error("a variant only has `word = \"...\"`"));
            }
            let value = meta.value()?.parse::<LitStr>()?;
            super::once(&mut word, value, &meta)
        })?;
    }
    let plain = || LitStr::new(&kebab(&variant.ident.unraw().to_string()), variant.ident.span());
    let word = word.unwrap_or_else(plain);
    if word.value().is_empty() {
        return Err(Error::new_spanned(word, "a word has at least one character"));
    }
    Ok(word)
}

/// `DarkRed` as `dark-red`.
fn kebab(name: &str) -> String {
    let mut word = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !word.is_empty() {
            word.push('-');
        }
        word.extend(character.to_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    #[test]
    fn words_are_lower_case_with_hyphens() {
        for (name, word) in [("Red", "red"), ("DarkRed", "dark-red"), ("A1", "a1")] {
            assert_eq!(super::kebab(name), word);
        }
    }
}
