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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::{Contents, LONGEST};
    use crate::{Code, check, plan, read_with};

    const TEXT: &str = "[[file]]\npath = \"A.BIN\"\ncontent = \"sub/a.bin\"\n";

    fn given(name: &str, bytes: &[u8]) -> Contents {
        Contents::Given(BTreeMap::from([(name.to_owned(), Arc::from(bytes))]))
    }

    #[test]
    fn given_files_need_no_file_system() {
        let manifest = read_with("m", TEXT, given("sub/a.bin", b"bytes")).unwrap();
        assert_eq!(manifest.content_paths().collect::<Vec<_>>(), [("A.BIN", "sub/a.bin")]);
        let plan = plan(&check(&manifest, None).unwrap()).unwrap();
        assert_eq!(plan.files.iter().map(|file| file.length).collect::<Vec<_>>(), [5]);
    }

    #[test]
    fn what_is_missing_or_too_long_is_said_at_its_place() {
        let long = vec![0; LONGEST as usize + 1];
        for (contents, says) in [
            (given("a.bin", b""), "the content \"sub/a.bin\" cannot be read: it was not added"),
            (given("sub/a.bin", &long), "the content \"sub/a.bin\" cannot be read: it has 16777217 bytes"),
        ] {
            let problems = check(&read_with("m", TEXT, contents).unwrap(), None).unwrap_err();
            let [problem] = problems.items() else { panic!("{problems}") };
            assert_eq!((problem.code, problem.message.as_str()), (Code::Content, says));
            assert_eq!(problem.span, Some(34..45));
        }
    }

    #[test]
    fn a_text_of_more_than_4_mib_is_no_manifest() {
        let text = "#".repeat((4 << 20) + 1);
        let problems = read_with("m", &text, given("a", b"")).unwrap_err();
        assert!(problems.lines().next().unwrap().contains("it is longer than 4 MiB"));
    }
}
