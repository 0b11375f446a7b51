//! What may be wrong with an image.

use std::fmt;

/// Why an image cannot be read, written or accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a 32-bit little-endian ELF file: in which way.
    Elf(String),
    /// No segment has any bytes.
    Empty,
    /// A segment reaches past 4 GiB.
    TooHigh {
        /// Where it begins.
        address: u32,
    },
    /// A segment overlaps another.
    Overlap {
        /// Where it begins.
        address: u32,
    },
    /// The bytes are not a UF2 file: where and in which way.
    Uf2(String),
    /// A UF2 file does not carry the segments that it should: the first difference.
    Different(String),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("no segment has any bytes"),
            Self::TooHigh { address } => write!(out, "the segment at {address:#x} reaches past 4 GiB"),
            Self::Overlap { address } => write!(out, "the segment at {address:#x} overlaps another"),
            Self::Elf(what) | Self::Uf2(what) | Self::Different(what) => out.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// For programs whose errors are messages.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}
