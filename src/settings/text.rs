//! The types that a text setting may have.

use super::secret::Secret;
use heapless::String;

/// Types of text settings: [`heapless::String`], [`Secret`], or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "a text setting cannot be a `{Self}`",
    label = "this type has no bounded length",
    note = "use `picovd::heapless::String<N>`, or `picovd::settings::Secret<N>` for values that must not be shown"
)]
pub trait TextField {
    /// The type that its default is written as: `&str`, or an `Option` of one.
    type Default: Copy;

    /// Maximum length in bytes of UTF-8.
    const CAPACITY: usize;

    /// The field with its default, whose length `group!` has checked.
    fn from_default(default: Self::Default) -> Self;
}

impl<const N: usize> TextField for String<N> {
    type Default = &'static str;
    const CAPACITY: usize = N;

    fn from_default(default: &'static str) -> Self {
        Self::try_from(default).unwrap_or_default()
    }
}

impl<const N: usize> TextField for Secret<N> {
    type Default = &'static str;
    const CAPACITY: usize = N;

    fn from_default(default: &'static str) -> Self {
        Self::new(default).unwrap_or_default()
    }
}

impl<T: TextField> TextField for Option<T> {
    type Default = Option<T::Default>;
    const CAPACITY: usize = T::CAPACITY;

    fn from_default(default: Option<T::Default>) -> Self {
        default.map(T::from_default)
    }
}

/// Number of characters of a text: `str::chars().count()` for constants.
#[doc(hidden)]
#[must_use]
pub const fn characters(text: &str) -> i64 {
    let mut count = 0;
    let mut rest = text.as_bytes();
    while let [byte, more @ ..] = rest {
        // All but continuation bytes (RFC 3629 section 3).
        count += (*byte & 0xC0 != 0x80) as i64;
        rest = more;
    }
    count
}

/// What limits a default, which may be a text's: its number of characters. One that has no room may not be the default: no text
/// has that many characters.
#[doc(hidden)]
#[must_use]
pub const fn measure<T: TextField>(default: &str) -> i64 {
    if default.len() > T::CAPACITY { i64::MAX } else { characters(default) }
}

#[cfg(test)]
mod tests {
    use super::{TextField, characters};
    use crate::settings::Secret;
    use heapless::String;

    #[test]
    fn characters_are_not_bytes() {
        for text in ["", "a", "R\u{f6}\u{1f980}f", "\u{3042}"] {
            assert_eq!(characters(text), text.chars().count() as i64, "{text:?}");
        }
    }

    #[test]
    fn a_default_becomes_the_field() {
        assert_eq!(String::<4>::from_default("four"), "four");
        assert_eq!(Secret::<4>::from_default("four").as_str(), "four");
        assert_eq!(Option::<String<4>>::from_default(None), None);
        assert_eq!(Option::<String<4>>::from_default(Some("four")).as_deref(), Some("four"));
    }
}
