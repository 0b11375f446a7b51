//! `#[derive(picovd::Settings)]` and `#[derive(picovd::Choice)]`: what can be set, by whom and to what, beside each field.
//!
//! Use them as `picovd::Settings` and `picovd::Choice` (feature `derive` of picovd), where they are documented by example in
//! `picovd::settings`. They write what `picovd::group!` and `choices!` write, from the same table: the same bytes in flash, and
//! the same checks of defaults.

mod choice;
mod field;
mod structure;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a structure with named fields a group of settings.
///
/// `#[settings(name = "lamp")]` names the group. What was saved is found again by that name; it never changes. With
/// `rule = path`, a function `fn(&Lamp) -> Result<(), (&'static str, &'static str)>` judges all values together: it names the
/// field that is wrong, and says why.
///
/// The documentation of each field is what users read about it. Its type decides what it may be, and `#[setting(...)]` narrows
/// that:
///
/// | type | attributes | without them |
/// |---|---|---|
/// | an integer | `range = 1..=3600`, of the same type | all that the type has; `u64` and `usize` need a range |
/// | `picovd::heapless::String<N>` | `length = 1..=24`, in characters | 0 to `N` |
/// | `settings::Secret<N>` | `length = 8..=32` | 0 to `N`; it is never shown |
/// | `bool`, `f32`, `f64` | | |
/// | an enumeration with `#[derive(picovd::Choice)]` | | |
/// | an `Option` of these | those of the type | `None` is `null` |
///
/// Both ends of a range may be constants and expressions: `range = MIN_RATE..=2 * MAX_RATE`. Those of a `length` are `usize`.
///
/// `default = ...` is the value of a device that was not set: zero, `false`, `""` or `None` where it is left out; a choice
/// needs one. A default that the field may not have is an error. `secret` hides the value of a field that is no `Secret`.
///
/// It implements `Default`, serde's `Serialize` and `Deserialize`, and `settings::Declared`. Fields are only ever added, and at the
/// end: a field keeps its position and its type, even if it is renamed.
#[proc_macro_derive(Settings, attributes(settings, setting))]
pub fn settings(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    structure::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes an enumeration without values a setting: a choice of words.
///
/// A variant's word is its name in lower case with hyphens (`DarkRed` is `dark-red`), or `#[setting(word = "...")]`. Variants are
/// only ever added, and at the end.
///
/// It implements serde's `Serialize` and `Deserialize`, and `settings::Choice`.
#[proc_macro_derive(Choice, attributes(setting))]
pub fn choice(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    choice::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Takes the value of a key, unless the key was there before.
fn once<T>(place: &mut Option<T>, value: T, meta: &syn::meta::ParseNestedMeta<'_>) -> syn::Result<()> {
    if place.replace(value).is_some() {
        let key = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
        return Err(meta.error(format!("`{key}` is there twice: leave one of them out")));
    }
    Ok(())
}

/// Adds an error to those that were found before, so that all are reported at once.
fn report(errors: &mut Option<syn::Error>, error: syn::Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}
