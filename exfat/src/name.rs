//! File names (7.7.3) and volume labels (7.3.3).
//!
//! A name is text; on the volume it is 1 to 255 UTF-16 units. Two names are the same if their up-cased units are equal.
//! Only the up-case table (7.2) decides that, without normalization: `é` as one unit and `é` as two are different.
//! [`crate::portable`] covers hosts that disagree.

use core::fmt;

use crate::{checksum, portable, upcase};

/// Maximum number of UTF-16 units in a name (7.6.3).
pub const NAME_UNITS: usize = 255;

/// Maximum number of UTF-16 units in a volume label (7.3.2).
pub const LABEL_UNITS: usize = 11;

/// Why a text is not a valid name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    Empty,
    /// It has this number of units, more than 255.
    TooLong(usize),
    /// It contains a character that 7.7.3 forbids: a control character below 20h or one of `" * / : < > ? \ |`.
    Forbidden(char),
    /// It is `.` or `..`, which 7.7.3 reserves.
    Dots,
}

impl fmt::Display for NameError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("the name is empty"),
            Self::TooLong(units) => write!(out, "the name has {units} UTF-16 units; the maximum is {NAME_UNITS}"),
            Self::Forbidden(unit) => write!(out, "a name may not contain {unit:?}"),
            Self::Dots => out.write_str("the names `.` and `..` are reserved"),
        }
    }
}

impl core::error::Error for NameError {}

/// Whether 7.7.3 forbids the unit in names.
#[must_use]
pub const fn is_forbidden(unit: u16) -> bool {
    unit < 0x20 || (unit < 0x80 && matches!(unit as u8, b'"' | b'*' | b'/' | b':' | b'<' | b'>' | b'?' | b'\\' | b'|'))
}

/// A valid name of a file or a directory. A value of this type proves that its text obeys 7.7.3.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    text: &'a str,
    length: u8,
}

impl<'a> Name<'a> {
    /// Checks that `text` is a valid name.
    ///
    /// # Errors
    /// The first rule that the text breaks.
    pub fn new(text: &'a str) -> Result<Self, NameError> {
        // Most names are ASCII: each byte is a unit, and looking at each one once is enough.
        if let (1..=NAME_UNITS, false) = (text.len(), text.starts_with('.'))
            && text.bytes().all(|byte| byte < 0x80 && !is_forbidden(byte.into()))
        {
            return Ok(Self { text, length: text.len() as u8 });
        }
        if let Some(found) = text.chars().find(|c| u16::try_from(*c as u32).is_ok_and(is_forbidden)) {
            return Err(NameError::Forbidden(found));
        }
        if text == "." || text == ".." {
            return Err(NameError::Dots);
        }
        let units = text.encode_utf16().count();
        match u8::try_from(units) {
            Ok(0) => Err(NameError::Empty),
            Ok(length) => Ok(Self { text, length }),
            Err(_) => Err(NameError::TooLong(units)),
        }
    }

    /// Creates the name of a text that [`new`](Self::new) has accepted before, without checking it again.
    #[must_use]
    pub fn again(text: &'a str) -> Self {
        let units = if text.is_ascii() { text.len() } else { text.encode_utf16().count() };
        Self { text, length: units as u8 }
    }

    /// The text.
    #[must_use]
    pub const fn text(self) -> &'a str {
        self.text
    }

    /// NameLength (7.6.3): number of UTF-16 units, 1 to 255.
    #[must_use]
    pub const fn length(self) -> u8 {
        self.length
    }

    /// The text's bytes if each of them is a unit, which means that all are ASCII: any other character takes more bytes in
    /// UTF-8 than units in UTF-16.
    pub(crate) fn ascii(self) -> Option<&'a [u8]> {
        (self.text.len() == usize::from(self.length)).then_some(self.text.as_bytes())
    }

    /// The UTF-16 units.
    pub fn units(self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        self.text.encode_utf16()
    }

    /// NameHash (7.6.4).
    #[must_use]
    pub fn name_hash(self) -> u16 {
        match self.ascii() {
            Some(bytes) => bytes.iter().fold(0, |sum, byte| checksum::name_hash(sum, byte.to_ascii_uppercase().into())),
            None => name_hash(self.units()),
        }
    }

    /// Whether all characters are ASCII, so that each byte is a unit.
    #[must_use]
    pub fn is_ascii(self) -> bool {
        self.ascii().is_some()
    }

    /// Whether `units` are those of a different name that some host may take for this one ([`portable::is_alike`]).
    #[must_use]
    pub fn is_twin(self, units: impl Iterator<Item = u16> + Clone) -> bool {
        portable::is_alike(self.units(), units.clone())
            && !self.units().map(upcase::upcase).eq(units.map(upcase::upcase))
    }

    /// Whether both are the same name for every host, which means that their up-cased units are equal.
    #[must_use]
    pub fn is_same(self, other: Name<'_>) -> bool {
        if let (Some(one), Some(other)) = (self.ascii(), other.ascii()) {
            return one.eq_ignore_ascii_case(other);
        }
        self.length == other.length && self.units().map(upcase::upcase).eq(other.units().map(upcase::upcase))
    }
}

/// NameHash (7.6.4) of a name's units. They are up-cased here.
#[must_use]
pub fn name_hash(units: impl Iterator<Item = u16>) -> u16 {
    units.fold(0, |sum, unit| checksum::name_hash(sum, upcase::upcase(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::String;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn forbidden_characters_are_those_of_table_35() {
        let table_35 = ['"', '*', '/', ':', '<', '>', '?', '\\', '|'];
        for unit in 0..=0xFFFFu16 {
            let listed = unit < 32 || table_35.iter().any(|c| *c as u32 == u32::from(unit));
            assert_eq!(is_forbidden(unit), listed, "{unit:04X}");
        }
        assert_eq!(Name::new("a/b").unwrap_err(), NameError::Forbidden('/'));
        assert_eq!(Name::new("a\u{7}").unwrap_err(), NameError::Forbidden('\u{7}'));
        assert_eq!(Name::new("\u{1_0022}").unwrap().length(), 2, "only its low bits look like a quotation mark");
    }

    #[test]
    fn lengths_count_units() {
        assert_eq!(Name::new("").unwrap_err(), NameError::Empty);
        assert_eq!(Name::new(".").unwrap_err(), NameError::Dots);
        assert_eq!(Name::new("..").unwrap_err(), NameError::Dots);
        assert_eq!(Name::new("...").unwrap().length(), 3);
        let most: String = std::iter::repeat_n('é', 255).collect();
        assert_eq!(Name::new(&most).unwrap().length(), 255);
        let over: String = std::iter::repeat_n('😀', 128).collect();
        assert_eq!(Name::new(&over).unwrap_err(), NameError::TooLong(256));
    }

    #[test]
    fn comparison_and_hash_ignore_case() {
        let name = |text| Name::new(text).unwrap();
        assert!(name("Grüße.txt").is_same(name("GRÜßE.TXT")));
        assert!(name("ω").is_same(name("Ω")));
        assert!(!name("a").is_same(name("b")));
        assert!(!name("ab").is_same(name("abc")));
        assert_eq!(name("readme.txt").name_hash(), name("README.TXT").name_hash());
        // By hand for "A": 41h, rotated by one, plus 0.
        assert_eq!(name("a").name_hash(), 0x8020);
        assert_eq!(name("Readme.txt").name_hash(), 0xEB26, "figure 4 followed by a separate program");
    }
}
