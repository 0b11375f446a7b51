//! Text that is never shown.

use core::fmt;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize;

/// Secret UTF-8 text of at most `N` bytes, where `N` is at most 255: for fields that are [`secret`](super::Field::secret).
///
/// It is neither `Copy` nor `Clone` nor `Debug`, and overwrites itself when it is dropped.
/// [`Group::lend`](super::Group::lend) lends one.
///
/// ```compile_fail
/// let secret = picovd::settings::Secret::<8>::EMPTY;
/// let copy = secret.clone();
/// ```
/// ```compile_fail
/// println!("{:?}", picovd::settings::Secret::<8>::EMPTY);
/// ```
/// ```compile_fail
/// fn copies<T: Copy>() {}
/// copies::<picovd::settings::Secret<8>>();
/// ```
pub struct Secret<const N: usize> {
    length: u8,
    bytes: [u8; N],
}

impl<const N: usize> Secret<N> {
    /// No characters.
    pub const EMPTY: Self = Self { length: 0, bytes: [0; N] };

    /// The text, or `None` if it is longer than `N` bytes.
    #[must_use]
    pub const fn new(text: &str) -> Option<Self> {
        if text.len() > u8::MAX as usize {
            return None;
        }
        let mut bytes = [0; N];
        match bytes.split_at_mut_checked(text.len()) {
            Some((used, _)) => used.copy_from_slice(text.as_bytes()),
            None => return None,
        }
        Some(Self { length: text.len() as u8, bytes })
    }

    /// The text. If it is copied elsewhere, it may be shown there.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It was valid UTF-8 when it was stored.
        self.bytes.get(..self.length.into()).and_then(|bytes| core::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Whether it has no characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

impl<const N: usize> Default for Secret<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Zeroize for Secret<N> {
    fn zeroize(&mut self) {
        self.length.zeroize();
        self.bytes.zeroize();
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.zeroize();
    }
}

impl<const N: usize> Serialize for Secret<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, const N: usize> Deserialize<'de> for Secret<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<const N: usize>;

        impl<const N: usize> Visitor<'_> for Reader<N> {
            type Value = Secret<N>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Secret<N>, E> {
                Secret::new(text).ok_or_else(|| E::custom("too long"))
            }
        }

        deserializer.deserialize_str(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;
    use zeroize::Zeroize;

    #[test]
    fn what_is_wiped_leaves_no_byte() {
        let mut secret = Secret::<8>::new("hunter2").unwrap();
        secret.zeroize();
        assert_eq!((secret.as_str(), secret.bytes), ("", [0; 8]));
        assert!(core::mem::needs_drop::<Secret<8>>(), "a secret wipes itself");
    }
}
