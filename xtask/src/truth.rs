//! The expected contents of a volume, read from the manifest and the files it names.
//!
//! Written from the manifest's description with only a TOML reader: a judge must not be built from what it judges, so none
//! of the project's own manifest, plan or emit code is used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use toml::Value;

use picovd_host::printed::Printed;

/// The expected contents of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Exactly these bytes.
    Bytes(Vec<u8>),
    /// A range of the board's memory: the readers must agree with each other and with what the host reads through USB.
    Board,
}

/// The directories and files of a volume. Paths have no leading slash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    /// Directories, without the root.
    pub directories: BTreeSet<String>,
    /// Files by path.
    pub files: BTreeMap<String, Expected>,
}

impl Truth {
    /// Reads a manifest.
    pub fn read(manifest: &Path) -> Result<Self, String> {
        let bad = |e: String| format!("{}: {e}", manifest.display());
        let text = fs::read_to_string(manifest).map_err(|e| bad(e.to_string()))?;
        let value: Value = toml::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let mut truth = Self::default();
        // A file that is never exposed, or only by a setting (none is set in these tests), is not on the volume.
        let exposed = |entry: &&Value| matches!(string(entry, "expose"), None | Some("always"));
        for file in tables(&value, "file").filter(exposed) {
            let path = string(file, "path").ok_or_else(|| bad("a [[file]] without path".to_owned()))?;
            let bytes = match (string(file, "content"), string(file, "text")) {
                (Some(name), None) => {
                    let source = manifest.parent().unwrap_or(Path::new(".")).join(name);
                    fs::read(&source).map_err(|e| format!("{}: {e}", source.display()))?
                }
                (None, Some(text)) => text.as_bytes().to_vec(),
                _ => return Err(bad(format!("{path}: neither content nor text"))),
            };
            truth.add(path, Expected::Bytes(bytes));
        }
        for window in tables(&value, "memory").filter(exposed) {
            let path = string(window, "path").ok_or_else(|| bad("a [[memory]] without path".to_owned()))?;
            truth.add(path, Expected::Board);
        }
        truth.built_in(&value);
        if value.get("info").and_then(|info| info.get("manifest")).and_then(Value::as_bool) == Some(true) {
            truth.add("MANIFEST.TOML", Expected::Bytes(text.into_bytes()));
        }
        Ok(truth)
    }

    /// The firmware's own files. Those of partitions are missing: boards in these tests have no table.
    fn built_in(&mut self, manifest: &Value) {
        let is_on = |table: &str, key: &str| manifest.get(table).and_then(|t| t.get(key)).and_then(Value::as_bool);
        for (table, key, name) in [
            ("info", "text", "INFO.TXT"),
            ("info", "json", "INFO.JSON"),
            ("log", "stdout", "STDOUT.TXT"),
            ("log", "tail", "STDOUT-TAIL.TXT"),
            ("log", "defmt", "DEFMT.BIN"),
            ("sensor", "temperature", "SENSOR.CSV"),
        ] {
            if is_on(table, key) == Some(true) {
                self.add(name, Expected::Board);
            }
        }
        if is_on("volume", "quiet-hosts") == Some(true) {
            for path in [".metadata_never_index", ".fseventsd/no_log", ".nomedia"] {
                self.add(path, Expected::Bytes(Vec::new()));
            }
        }
        let sectors = manifest.get("settings").and_then(|table| table.get("sectors")).and_then(Value::as_integer);
        if sectors.is_some_and(|sectors| sectors > 0) {
            self.add("CONFIG.JSON", Expected::Board);
            self.add("CONFIG.SCHEMA.JSON", Expected::Board);
        }
        if is_on("partitions", "enabled") == Some(true) {
            let folder = manifest.get("partitions").and_then(|table| string(table, "folder")).unwrap_or_default();
            self.add(&format!("{folder}/PARTITIONS.JSON"), Expected::Board);
        }
    }

    /// The contents of a folder, without empty folders.
    pub fn of_folder(folder: &Path) -> Result<Self, String> {
        let mut truth = Self::default();
        let mut below = vec![String::new()];
        while let Some(path) = below.pop() {
            let bad = |e: std::io::Error| format!("{}: {e}", folder.join(&path).display());
            for entry in fs::read_dir(folder.join(&path)).map_err(bad)? {
                let entry = entry.map_err(bad)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                if entry.file_type().map_err(bad)?.is_dir() {
                    below.push(path);
                } else {
                    truth.add(&path, Expected::Bytes(fs::read(entry.path()).map_err(bad)?));
                }
            }
        }
        Ok(truth)
    }

    fn add(&mut self, path: &str, expected: Expected) {
        let path = path.trim_start_matches('/');
        for (slash, _) in path.match_indices('/') {
            self.directories.insert(path[..slash].to_owned());
        }
        self.files.insert(path.to_owned(), expected);
    }
}

fn tables<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn string<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// What a reader has found on a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Directories, without the root.
    pub directories: BTreeSet<String>,
    /// Files with their bytes.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// Compares what a reader has found with the truth: no directory or file may be missing or unexpected, and every byte must
/// be right. What the manifest alone cannot predict must equal `board`, the host's own reading.
pub fn compare(truth: &Truth, seen: &Seen, board: &BTreeMap<String, Vec<u8>>) -> Result<(), String> {
    let mut wrong = Vec::new();
    for path in truth.directories.symmetric_difference(&seen.directories) {
        let what = if truth.directories.contains(path) { "missing" } else { "not in the manifest" };
        wrong.push(format!("directory {}: {what}", Printed(path)));
    }
    for path in seen.files.keys().filter(|path| !truth.files.contains_key(*path)) {
        wrong.push(format!("{}: not in the manifest", Printed(path)));
    }
    for (path, expected) in &truth.files {
        let expected = match expected {
            Expected::Bytes(bytes) => Some(bytes),
            Expected::Board => board.get(path),
        };
        match (seen.files.get(path), expected) {
            (None, _) => wrong.push(format!("{}: missing", Printed(path))),
            (_, None) => wrong.push(format!("{}: the host's own reading lacks it", Printed(path))),
            (Some(seen), Some(expected)) => {
                wrong.extend(difference(seen, expected).map(|what| format!("{}: {what}", Printed(path))));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// How two contents differ, if they do.
pub fn difference(seen: &[u8], expected: &[u8]) -> Option<String> {
    if let Some(at) = seen.iter().zip(expected).position(|(a, b)| a != b) {
        return Some(format!("byte {at} is {:02x} instead of {:02x}", seen[at], expected[at]));
    }
    (seen.len() != expected.len()).then(|| format!("{} bytes instead of {}", seen.len(), expected.len()))
}

#[cfg(test)]
mod tests {
    use super::{Expected, Seen, Truth, compare, difference};
    use std::collections::BTreeMap;

    fn truth() -> Truth {
        let mut truth = Truth::default();
        truth.add("/A/B/C.TXT", Expected::Bytes(b"c".to_vec()));
        truth.add("RAM", Expected::Board);
        truth
    }

    fn right() -> (Seen, BTreeMap<String, Vec<u8>>) {
        let board = BTreeMap::from([("RAM".to_owned(), vec![1, 2])]);
        let files = BTreeMap::from([("A/B/C.TXT".to_owned(), b"c".to_vec()), ("RAM".to_owned(), vec![1, 2])]);
        (Seen { directories: ["A".to_owned(), "A/B".to_owned()].into(), files }, board)
    }

    #[test]
    fn a_manifest_is_read() {
        let folder = std::env::temp_dir().join(format!("picovd-truth-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("content"), [0, 255]).unwrap();
        let text = r#"
            file = [{ path = "A/B/T", text = "t\n" }, { path = "C", content = "content" }, { path = "N", text = "", expose = "never" }]
            memory = [{ path = "M", window = "sram" }]
        "#;
        std::fs::write(folder.join("m.toml"), text).unwrap();
        let truth = Truth::read(&folder.join("m.toml"));
        std::fs::remove_dir_all(&folder).unwrap();
        let truth = truth.unwrap();
        assert_eq!(truth.directories, ["A".to_owned(), "A/B".to_owned()].into());
        let files: Vec<_> = truth.files.into_iter().collect();
        let bytes = |path: &str, bytes: &[u8]| (path.to_owned(), Expected::Bytes(bytes.to_vec()));
        assert_eq!(files, [bytes("A/B/T", b"t\n"), bytes("C", &[0, 255]), ("M".to_owned(), Expected::Board)]);
    }

    #[test]
    fn built_in_files_are_expected() {
        let mut truth = Truth::default();
        truth.built_in(
            &toml::from_str("info.text = true\npartitions = { enabled = true, folder = 'a/b' }\nlog.tail = false")
                .unwrap(),
        );
        assert_eq!(truth.directories, ["a".to_owned(), "a/b".to_owned()].into());
        assert_eq!(truth.files.keys().collect::<Vec<_>>(), ["INFO.TXT", "a/b/PARTITIONS.JSON"]);
        let mut truth = Truth::default();
        truth.built_in(&toml::from_str("partitions.enabled = true").unwrap());
        assert_eq!(truth.files.keys().collect::<Vec<_>>(), ["PARTITIONS.JSON"]);
    }

    #[test]
    fn a_right_volume_passes() {
        let (seen, board) = right();
        compare(&truth(), &seen, &board).unwrap();
    }

    #[test]
    fn a_name_from_a_volume_is_one_escaped_line() {
        let (mut seen, board) = right();
        seen.files.insert("a\n\u{1b}[2J\u{202e}b".to_owned(), Vec::new());
        let wrong = compare(&truth(), &seen, &board).unwrap_err();
        assert_eq!(wrong, "a\\u{a}\\u{1b}[2J\\u{202e}b: not in the manifest");
    }

    #[test]
    fn each_difference_is_found() {
        let spoil: [fn(&mut Seen); 6] = [
            |seen| seen.directories.clear(),
            |seen| seen.directories.extend(["X".to_owned()]),
            |seen| drop(seen.files.remove("A/B/C.TXT")),
            |seen| drop(seen.files.insert("NEW".to_owned(), vec![])),
            |seen| drop(seen.files.insert("A/B/C.TXT".to_owned(), b"d".to_vec())),
            |seen| drop(seen.files.insert("RAM".to_owned(), vec![1, 3])),
        ];
        for (index, spoil) in spoil.iter().enumerate() {
            let (mut seen, board) = right();
            spoil(&mut seen);
            assert!(compare(&truth(), &seen, &board).is_err(), "case {index}");
        }
        let (seen, _) = right();
        assert!(compare(&truth(), &seen, &BTreeMap::new()).unwrap_err().contains("the host's own reading"));
    }

    #[test]
    fn differences_are_located() {
        assert_eq!(difference(b"abc", b"abd").unwrap(), "byte 2 is 63 instead of 64");
        assert_eq!(difference(b"ab", b"abd").unwrap(), "2 bytes instead of 3");
        assert_eq!(difference(b"", b""), None);
    }
}
