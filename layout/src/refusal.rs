//! Why a block is not a compiled manifest.

use core::fmt;

/// Why a block is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// It does not begin with the magic number: nothing was written there, or something else.
    Absent,
    /// Its format is newer: the major and the minor version.
    Newer(u16, u16),
    /// It is not there as a whole.
    Truncated,
    /// Its checksum is wrong.
    Checksum,
    /// It was not written by a manifest compiler: what is wrong.
    Invalid(&'static str),
}

impl Refusal {
    /// The reason in words, without numbers. For [`Invalid`](Self::Invalid), what is wrong.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Absent => "there is none",
            Self::Newer(..) => "its format needs newer firmware",
            Self::Truncated => "it is incomplete",
            Self::Checksum => "its checksum is wrong",
            Self::Invalid(what) => what,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newer(major, minor) => write!(formatter, "its format {major}.{minor} needs newer firmware"),
            Self::Invalid(what) => write!(formatter, "it is invalid: {what}"),
            _ => formatter.write_str(self.words()),
        }
    }
}

impl core::error::Error for Refusal {}
