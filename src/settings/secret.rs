//! Text that nobody is shown.

use super::text::Text;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroize;

/// UTF-8 text of at most `N` bytes that is a secret, `N` being at most 255: for fields that are
/// [`secret`](super::Field::secret).
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
pub struct Secret<const N: usize>(Text<N>);

impl<const N: usize> Secret<N> {
    /// No characters.
    pub const EMPTY: Self = Self(Text::EMPTY);

    /// The text, or `None` when it is longer than `N` bytes.
    #[must_use]
    pub const fn new(text: &str) -> Option<Self> {
        match Text::new(text) {
            Some(text) => Some(Self(text)),
            None => None,
        }
    }

    /// How many characters it has.
    #[must_use]
    pub const fn characters(&self) -> u16 {
        self.0.characters()
    }

    /// The text. Anyone who copies it elsewhere shows it there.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether it has no characters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl<const N: usize> Default for Secret<N> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> Serialize for Secret<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Secret<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self)
    }
}
