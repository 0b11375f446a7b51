//! A file that a person opens: a manifest as text, or one that was made for a board.

use std::error::Error as StdError;
use std::fmt;

use picovd_layout::{MAGIC, stock};

use crate::contents::Files;
use crate::read::{ReadError, UF2, manifest_and_files};

/// Length in bytes of the longest manifest.
const LONGEST: usize = 4 << 20;

/// What a file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The manifest's text.
    pub text: String,
    /// The content files that are in the file as well.
    pub files: Files,
}

/// The manifest in any file that may have one: the manifest itself, a UF2 file, a copy of flash.
///
/// # Errors
/// It is none of them, or broken.
pub fn open(bytes: &[u8]) -> Result<Opened, OpenError> {
    let compiled = || {
        let (text, files) = manifest_and_files(bytes).map_err(OpenError::Read)?;
        Ok(Opened { text, files })
    };
    let block = bytes.get(stock::MANIFEST as usize..).unwrap_or_default();
    if bytes.starts_with(UF2) || block.starts_with(&MAGIC.to_le_bytes()) {
        return compiled();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() > LONGEST => Err(OpenError::TooLong),
        Ok(text) => Ok(Opened { text: text.to_owned(), files: Files::new() }),
        // Without a manifest, this says where one would be.
        Err(_) if !block.is_empty() => compiled(),
        Err(error) => {
            let at = error.valid_up_to();
            Err(OpenError::NoText { at, byte: bytes.get(at).copied().unwrap_or_default() })
        }
    }
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
    use super::{Files, OpenError, open};
    use crate::{Configuration, ReadError};
    use picovd_manifest::{Contents, read_text, read_with};

    fn text_of(bytes: &[u8]) -> Result<String, OpenError> {
        open(bytes).map(|opened| opened.text)
    }

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

    /// Contents before and after texts, in folders, one of them twice.
    #[test]
    fn contents_come_back_with_the_text() {
        let text = "[[file]]\npath = \"Z/B.BIN\"\ncontent = \"b\"\n[[file]]\npath = \"A.TXT\"\ntext = \"a\"\n\
                    [[file]]\npath = \"EMPTY\"\ntext = \"\"\n[[file]]\npath = \"C\"\ncontent = \"sub/c\"\n\
                    [[file]]\npath = \"Z/D\"\ncontent = \"b\"\n[volume]\npartition-table = true\n";
        let files = |b: &[u8], c: &[u8]| Files::from([("b".to_owned(), b.into()), ("sub/c".to_owned(), c.into())]);
        let uf2 = |files: &Files| {
            let manifest = read_with("m", text, Contents::Given(files.clone())).unwrap();
            Configuration::new(manifest, None).unwrap().uf2().unwrap().uf2
        };
        let both = files(&[1; 9000], b"see");
        let opened = open(&uf2(&both)).unwrap();
        assert_eq!((opened.text.as_str(), &opened.files), (text, &both));
        // Which file is empty cannot be told, so none comes back.
        assert_eq!(open(&uf2(&files(b"", b"see"))).unwrap().files, Files::new());
        // Nor does a damaged one.
        let mut damaged = uf2(&both);
        let at = damaged.windows(64).position(|bytes| bytes == [1; 64]).unwrap();
        damaged[at] = 2;
        let opened = open(&damaged).unwrap();
        assert_eq!((opened.text.as_str(), opened.files), (text, Files::new()));
    }
}
