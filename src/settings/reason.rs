//! Why a value is refused.

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The value is of another type.
    WrongType,
    /// The number is outside of the field's range.
    OutOfRange,
    /// The text has too few or too many characters, or more bytes than the field has room for.
    Length,
    /// The text is not one of the choices.
    NoChoice,
    /// A rule of the structure: why, in words.
    Rule(&'static str),
    /// All values together have too many bytes to be stored.
    NoRoom,
    /// No field has that name.
    NoField,
}

impl core::fmt::Display for Reason {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        out.write_str(self.words())
    }
}

impl core::error::Error for Reason {}

impl Reason {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::WrongType => "wrong type",
            Self::OutOfRange => "out of range",
            Self::Length => "wrong length",
            Self::NoChoice => "not one of the choices",
            Self::Rule(words) => words,
            Self::NoRoom => "no room for all settings together",
            Self::NoField => "no such setting",
        }
    }
}
