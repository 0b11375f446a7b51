//! What `#[derive(picovd::Choice)]` needs to read a choice.

use core::fmt;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error, VariantAccess, Visitor};

/// Reads a variant's index, by its word in JSON, or its number in postcard.
#[doc(hidden)]
pub fn deserialize_choice<'de, D: Deserializer<'de>>(
    deserializer: D,
    name: &'static str,
    words: &'static [&'static str],
) -> Result<usize, D::Error> {
    deserializer.deserialize_enum(name, words, Whole(words))
}

struct Whole(&'static [&'static str]);

impl<'de> Visitor<'de> for Whole {
    type Value = usize;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a choice")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<usize, A::Error> {
        let (index, variant) = data.variant_seed(Variant(self.0))?;
        variant.unit_variant()?;
        Ok(index)
    }
}

struct Variant(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Variant {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Variant {
    type Value = usize;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("one of its words")
    }

    fn visit_u64<E: Error>(self, index: u64) -> Result<usize, E> {
        usize::try_from(index).ok().filter(|index| *index < self.0.len()).ok_or_else(|| E::custom("no such number"))
    }

    fn visit_bytes<E: Error>(self, word: &[u8]) -> Result<usize, E> {
        self.0.iter().position(|other| other.as_bytes() == word).ok_or_else(|| E::custom("no such word"))
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<usize, E> {
        self.visit_bytes(word.as_bytes())
    }
}
