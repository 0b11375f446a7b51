//! Errors of images.

use std::fmt;

/// Why an image cannot be read, written or accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a valid 32-bit little-endian ELF file: what is wrong.
    Elf(String),
    /// No segment has any bytes.
    Empty,
    /// A segment extends beyond 4 GiB.
    TooHigh {
        /// Where it begins.
        address: u32,
    },
    /// A segment overlaps another.
    Overlap {
        /// Where it begins.
        address: u32,
    },
    /// The bytes are not a valid UF2 file: where, and what is wrong.
    Uf2(String),
    /// A UF2 file does not contain the expected segments: the first difference.
    Different(String),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => out.write_str("no segment has any bytes"),
            Self::TooHigh { address } => write!(out, "the segment at {address:#x} extends beyond 4 GiB"),
            Self::Overlap { address } => write!(out, "the segment at {address:#x} overlaps another"),
            Self::Elf(what) | Self::Uf2(what) | Self::Different(what) => out.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

/// For programs whose errors are texts.
impl From<Error> for String {
    fn from(error: Error) -> Self {
        error.to_string()
    }
}
