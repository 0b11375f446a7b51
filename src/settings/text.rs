//! Text of bounded length, for settings.

use core::fmt;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize;

/// UTF-8 text of at most `N` bytes, `N` being at most 255.
///
/// It may be a secret: [`Debug`](fmt::Debug) shows its length alone, and it can be zeroized.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// No characters.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; N] };

    /// The text, or `None` when it is longer than `N` bytes.
    #[must_use]
    pub const fn new(text: &str) -> Option<Self> {
        let mut new = Self::EMPTY;
        if text.len() > 255 {
            return None;
        }
        new.length = text.len() as u8;
        match new.bytes.split_at_mut_checked(text.len()) {
            Some((room, _)) => room.copy_from_slice(text.as_bytes()),
            None => return None,
        }
        Some(new)
    }

    /// How many characters it has.
    #[must_use]
    pub const fn characters(&self) -> u16 {
        let mut count = 0;
        let mut rest: &[u8] = match self.bytes.split_at_checked(self.length as usize) {
            Some((text, _)) => text,
            None => &[],
        };
        while let [byte, more @ ..] = rest {
            // All but continuations (RFC 3629 section 3).
            count += (*byte & 0xC0 != 0x80) as u16;
            rest = more;
        }
        count
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It was text when it came in.
        self.bytes.get(..self.length.into()).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Zeroize for Text<N> {
    fn zeroize(&mut self) {
        self.length.zeroize();
        self.bytes.zeroize();
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Text").field("length", &self.length).finish_non_exhaustive()
    }
}

impl<const N: usize> Serialize for Text<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Text<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<const N: usize>;

        impl<const N: usize> Visitor<'_> for Reader<N> {
            type Value = Text<N>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<N>, E> {
                Text::new(text).ok_or_else(|| E::custom("too long"))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use crate::settings::Secret;
    use zeroize::Zeroize;

    #[test]
    fn what_is_wiped_leaves_no_byte() {
        let mut text = Text::<8>::new("hunter2").unwrap();
        text.zeroize();
        assert_eq!((text.as_str(), text.bytes), ("", [0; 8]));
        assert!(core::mem::needs_drop::<Secret<8>>(), "a secret does it by itself");
    }
}
