//! Where the contents of static files come from.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::PathBuf;
use std::sync::Arc;

/// Maximum length of a content file: that of flash.
const LONGEST: u64 = 16 << 20;

/// Where the files are that a manifest names as `content`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// In this folder: that of the manifest.
    Folder(PathBuf),
    /// Here, by the names that the manifest has for them: for programs without a file system.
    Given(BTreeMap<String, Arc<[u8]>>),
}

impl Contents {
    /// A file's bytes, or what is wrong and what to do.
    pub(crate) fn read(&self, name: &str) -> Result<Arc<[u8]>, (String, &'static str)> {
        const NAME: &str = "specify a file relative to the manifest";
        const SHORTER: &str = "use a shorter one: flash has at most 16 MiB";
        let folder = match self {
            Self::Folder(folder) => folder,
            Self::Given(files) => {
                let bytes = files.get(name).ok_or_else(|| ("it was not added".to_owned(), "add the file"))?;
                let length = bytes.len() as u64;
                return if length > LONGEST {
                    Err((format!("it has {length} bytes"), SHORTER))
                } else {
                    Ok(bytes.clone())
                };
            }
        };
        let path = folder.join(name);
        let unreadable = |error: io::Error| match error.kind() {
            ErrorKind::NotFound => ("there is no such file".to_owned(), NAME),
            _ => (error.to_string(), NAME),
        };
        let metadata = fs::metadata(&path).map_err(unreadable)?;
        // A pipe or a device could block a build forever.
        if !metadata.is_file() {
            return Err(("it is not a regular file".to_owned(), NAME));
        }
        if metadata.len() > LONGEST {
            return Err((format!("it has {} bytes", metadata.len()), SHORTER));
        }
        // Files in /proc claim to be empty, and some of them are infinite.
        let mut bytes = Vec::new();
        let file = fs::File::open(&path).map_err(unreadable)?;
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LONGEST {
            Err(("it has more than 16 MiB".to_owned(), SHORTER))
        } else {
            Ok(bytes.into())
        }
    }
}
