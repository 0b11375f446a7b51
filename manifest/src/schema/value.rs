//! Values with a syntax of their own, and messages about wrong ones.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_spanned::Spanned;

use crate::diagnostic::near_miss;

/// An optional key.
pub type Key<T> = Option<Field<T>>;

/// A value and its location.
#[derive(Clone, Debug)]
pub struct Field<T> {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The value, or why it does not have that type.
    pub value: Result<T, Mismatch>,
}

/// A value of the wrong type or form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// What is there.
    pub found: String,
    /// What should be there.
    pub remedy: String,
}

impl<'de, T: de::DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<toml::Value>::deserialize(deserializer)?;
        let span = spanned.span();
        let value = T::deserialize(spanned.into_inner()).map_err(|error| Mismatch::new(error.message()));
        Ok(Self { span, value })
    }
}

/// serde's names of types, and their names in messages.
const TYPES: [(&str, &str); 6] = [
    ("a string", "a text in quotation marks"),
    ("a boolean", "true or false, without quotation marks"),
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("struct", "a table"),
];

impl Mismatch {
    /// Parses serde's message: `what is there, expected what should be`.
    pub(crate) fn new(message: &str) -> Self {
        let message = message.trim().replace('\n', ", ");
        let Some((found, expected)) = message.rsplit_once(", expected ") else {
            return Self { found: message, remedy: "the stock picovd.toml shows every key with a value".to_owned() };
        };
        // "invalid type: integer `5`" and "unknown variant `never`": these words are followed by the value.
        let found = ["invalid type: ", "invalid value: ", "unknown variant "]
            .iter()
            .find_map(|words| found.strip_prefix(words))
            .map_or_else(|| found.to_owned(), |what| format!("the value is {}", cut(&plain(what))));
        let variants = expected.split('`').skip(1).step_by(2).collect::<Vec<_>>();
        let given = found.split('`').nth(1).unwrap_or_default();
        let remedy = match TYPES.iter().find(|(name, _)| *name == expected) {
            Some((_, plain)) => format!("use {plain}"),
            None if variants.is_empty() => format!("use {expected}"),
            None => match near_miss(given, &variants) {
                Some(meant) => format!("did you mean {meant:?}?"),
                None => {
                    format!("use one of {}", variants.iter().map(|v| format!("{v:?}")).collect::<Vec<_>>().join(", "))
                }
            },
        };
        Self { found, remedy }
    }
}

/// Translates serde's name of a value.
fn plain(found: &str) -> String {
    const KINDS: [(&str, &str); 5] = [
        ("integer ", "the number "),
        ("floating point ", "the number "),
        ("string ", "the text "),
        ("map", "a table"),
        ("sequence", "a list"),
    ];
    let kind = KINDS.iter().find_map(|(word, plain)| Some((found.strip_prefix(word)?, plain)));
    kind.map_or_else(|| found.to_owned(), |(rest, plain)| format!("{plain}{rest}"))
}

/// The text, cut to fit in a line.
fn cut(text: &str) -> String {
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A number of bytes: an integer, or a text such as `"4 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A time span in milliseconds: an integer, or a text such as `"10 s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(pub u64);

/// A time: a TOML date and time. Without an offset it is UTC, without a time of day it is midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub toml::value::Datetime);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const UNITS: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let visitor = Quantity { units: UNITS, expecting: "a number of bytes such as 4096 or \"4 KiB\"" };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("min", 60_000)];
        let visitor = Quantity { units: UNITS, expecting: "a number of milliseconds such as 250 or \"10 s\"" };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        toml::value::Datetime::deserialize(deserializer).map(Self).map_err(|_| {
            de::Error::custom("invalid value: not a date, expected a date and time such as 2026-01-01T00:00:00Z, without quotation marks")
        })
    }
}

/// A number with a unit.
struct Quantity {
    units: &'static [(&'static str, u64)],
    expecting: &'static str,
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number = number.replace('_', "").parse::<u64>().ok();
        let factor = self.units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
        number
            .zip(factor)
            .and_then(|(number, factor)| number.checked_mul(factor))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Sizes {
        a: Field<Size>,
        b: Field<Interval>,
    }

    fn sizes(a: &str, b: &str) -> (Result<Size, Mismatch>, Result<Interval, Mismatch>) {
        let sizes: Sizes = toml::from_str(&format!("a = {a}\nb = {b}\n")).unwrap();
        (sizes.a.value, sizes.b.value)
    }

    #[test]
    fn quantities() {
        assert_eq!(sizes("0x1000", "250"), (Ok(Size(4096)), Ok(Interval(250))));
        assert_eq!(sizes("'4 KiB'", "'10 s'"), (Ok(Size(4096)), Ok(Interval(10_000))));
        assert_eq!(sizes("'1_0MiB'", "'2min'"), (Ok(Size(10 << 20)), Ok(Interval(120_000))));
        for bad in
            ["-1", "'KiB'", "'4 kB'", "''", "'99999999999999999999 B'", "'18446744073709551615 GiB'", "1.5", "true"]
        {
            let (size, interval) = sizes(bad, bad);
            assert!(size.unwrap_err().remedy.contains("4 KiB"), "{bad}");
            assert!(interval.unwrap_err().remedy.contains("10 s"), "{bad}");
        }
    }

    #[test]
    fn mismatches_speak_of_the_manifest() {
        for (words, found, remedy) in [
            (
                "invalid type: integer `5`, expected a string",
                "the value is the number `5`",
                "use a text in quotation marks",
            ),
            (
                "invalid value: integer `-1`, expected u16",
                "the value is the number `-1`",
                "use a whole number from 0 to 65535",
            ),
            (
                "unknown variant `atention`, expected one of `auto`, `attention`",
                "the value is `atention`",
                "did you mean \"attention\"?",
            ),
            ("unknown variant `x`, expected `on` or `off`", "the value is `x`", "use one of \"on\", \"off\""),
            ("something else", "something else", "the stock picovd.toml shows every key with a value"),
        ] {
            assert_eq!(Mismatch::new(words), Mismatch { found: found.to_owned(), remedy: remedy.to_owned() });
        }
    }
}
