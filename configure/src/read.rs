//! Takes a manifest back out of what was made for a board, or of a copy of its flash.

use std::error::Error as StdError;
use std::fmt;

use picovd_layout::{Compiled, Refusal, stock};

use crate::FLASH;
use crate::contents::{self, Files};

/// How every block of a UF2 file begins.
pub(crate) const UF2: &[u8] = b"UF2\n";

/// The text of the manifest in a UF2 file, or in a copy of flash from its start on. It is as it was compiled, comments included.
///
/// # Errors
/// There is none.
pub fn manifest_of(bytes: &[u8]) -> Result<String, ReadError> {
    let words = words_of(bytes)?;
    let compiled = Compiled::read(&words).map_err(ReadError::Refused)?;
    Ok(compiled.text().ok_or(ReadError::NoText)?.to_owned())
}

/// The same, with the content files as far as they can be told apart.
pub(crate) fn manifest_and_files(bytes: &[u8]) -> Result<(String, Files), ReadError> {
    let words = words_of(bytes)?;
    let compiled = Compiled::read(&words).map_err(ReadError::Refused)?;
    let text = compiled.text().ok_or(ReadError::NoText)?;
    Ok((text.to_owned(), contents::of(compiled, text)))
}

/// The words of a file from the manifest's place on.
fn words_of(bytes: &[u8]) -> Result<Vec<u32>, ReadError> {
    let block = if bytes.starts_with(UF2) {
        from_uf2(bytes).map_err(ReadError::Uf2)?
    } else {
        bytes.get(stock::MANIFEST as usize..).unwrap_or_default().to_vec()
    };
    Ok(block.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect())
}

/// What a UF2 file writes from the manifest's place on, with zeros where it writes nothing.
fn from_uf2(bytes: &[u8]) -> Result<Vec<u8>, picovd_uf2::Error> {
    let start = FLASH + stock::MANIFEST;
    let mut flash = Vec::new();
    for block in picovd_uf2::parse(bytes)?.into_iter().filter(|block| !block.ignore && block.address >= start) {
        let at = (block.address - start) as usize;
        if at > 16 << 20 {
            continue;
        }
        if flash.len() < at + block.payload.len() {
            flash.resize(at + block.payload.len(), 0);
        }
        // A page that is written twice has its last contents.
        flash[at..at + block.payload.len()].copy_from_slice(&block.payload);
    }
    Ok(flash)
}

/// Why no manifest was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The UF2 file is broken.
    Uf2(picovd_uf2::Error),
    /// There is no compiled manifest, or it is refused.
    Refused(Refusal),
    /// The compiled manifest does not have its text.
    NoText,
}

impl fmt::Display for ReadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uf2(error) => error.fmt(out),
            Self::Refused(Refusal::Absent) => {
                out.write_str("there is no compiled manifest 512 KiB after the start of flash")
            }
            Self::Refused(refusal) => write!(out, "the compiled manifest is refused: {refusal}"),
            Self::NoText => out.write_str("the manifest was compiled without its text"),
        }
    }
}

impl StdError for ReadError {}
