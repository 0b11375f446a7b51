//! A file that a person opens: a manifest as text, or one that was made for a board.

use std::error::Error as StdError;
use std::fmt;

use picovd_layout::{MAGIC, stock};

use crate::read::{ReadError, UF2, manifest_of};

/// Length in bytes of the longest manifest.
const LONGEST: usize = 4 << 20;

/// The manifest's text in any file that may have one: the manifest itself, a UF2 file, a copy of flash.
///
/// # Errors
/// It is none of them, or broken.
pub fn text_of(bytes: &[u8]) -> Result<String, OpenError> {
    let block = bytes.get(stock::MANIFEST as usize..).unwrap_or_default();
    if bytes.starts_with(UF2) || block.starts_with(&MAGIC.to_le_bytes()) {
        return manifest_of(bytes).map_err(OpenError::Read);
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // Without a manifest, this says where one would be.
        Err(_) if !block.is_empty() => return manifest_of(bytes).map_err(OpenError::Read),
        Err(error) => {
            let at = error.valid_up_to();
            return Err(OpenError::NoText { at, byte: bytes.get(at).copied().unwrap_or_default() });
        }
    };
    if text.len() > LONGEST { Err(OpenError::TooLong) } else { Ok(text.to_owned()) }
}

/// Why a file has no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// A file for a board, or a copy of flash, without a manifest.
    Read(ReadError),
    /// Neither text nor anything with a manifest.
    NoText {
        /// Offset of the first byte that is not UTF-8.
        at: usize,
        /// That byte.
        byte: u8,
    },
    /// Text, but too much of it.
    TooLong,
}

impl fmt::Display for OpenError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => error.fmt(out),
            Self::NoText { at, byte } => write!(
                out,
                "byte {at} is {byte:#04x}, which is not UTF-8; open a manifest that is saved as UTF-8, a UF2 file or a copy of flash"
            ),
            Self::TooLong => out.write_str("it is longer than 4 MiB, so it is not a manifest"),
        }
    }
}

impl StdError for OpenError {}

#[cfg(test)]
mod tests {
    use super::{OpenError, text_of};
    use crate::{Configuration, ReadError};
    use picovd_manifest::read_text;

    #[test]
    fn every_kind_of_file_opens() {
        let text = "# mine\n[volume]\nlabel = \"MINE\"\n";
        let configuration = Configuration::new(read_text("m", text, "".as_ref()).unwrap(), None).unwrap();
        let uf2 = configuration.uf2().unwrap().uf2;
        assert_eq!(text_of(&uf2).unwrap(), text);
        let mut flash = vec![0xFF; 512 << 10];
        flash.extend(&configuration.block);
        assert_eq!(text_of(&flash).unwrap(), text);
        assert_eq!(text_of(text.as_bytes()).unwrap(), text);
        assert_eq!(text_of(b"").unwrap(), "");
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert_eq!(text_of(b"\x7FELF\xE9"), Err(OpenError::NoText { at: 4, byte: 0xE9 }));
        assert!(matches!(text_of(&vec![0xFF; 1 << 20]), Err(OpenError::Read(ReadError::Refused(_)))));
        assert!(matches!(text_of(b"UF2\nshort"), Err(OpenError::Read(ReadError::Uf2(_)))));
        assert_eq!(text_of(&vec![b'#'; (4 << 20) + 1]), Err(OpenError::TooLong));
        assert!(matches!(text_of(&crate::none().unwrap().uf2), Err(OpenError::Read(ReadError::Refused(_)))));
    }
}
