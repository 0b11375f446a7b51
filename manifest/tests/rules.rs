//! One bad manifest for each rule: its code, its place, and a word of its remedy.

use std::path::{Path, PathBuf};

use picovd_manifest::{Code, Diagnostics, check, plan, read, read_text};

/// A folder with a content file, a folder that is none, and nothing else.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("rules");
    std::fs::create_dir_all(folder.join("a-folder")).unwrap();
    std::fs::write(folder.join("there.bin"), b"there").unwrap();
    folder
}

fn problems(text: &str) -> Result<(), Diagnostics> {
    let manifest = read_text("picovd.toml", text, &folder())?;
    plan(&check(&manifest, None)?).map(|_| ())
}

/// Manifest, code, line, column, a part of the line.
type Rule = (&'static str, Code, usize, usize, &'static str);

const RULES: &[Rule] = &[
    ("[volume\n", Code::Syntax, 1, 8, "toml.io"),
    ("[volume]\nlabel = \n", Code::Syntax, 2, 9, "toml.io"),
    ("[volume]\nlabel = \"A\"\nlabel = \"B\"\n", Code::Syntax, 3, 1, "duplicate key"),
    ("[volumes]\n", Code::UnknownKey, 1, 2, "did you mean `volume`?"),
    ("colour = 3\n", Code::UnknownKey, 1, 1, "known here: volume, usb"),
    ("[volume]\nserial_number = 3\n", Code::UnknownKey, 2, 1, "did you mean `serial-number`?"),
    ("[[file]]\npath = \"a\"\ntexts = \"b\"\ntext = \"\"\n", Code::UnknownKey, 3, 1, "did you mean `text`?"),
    ("volume = 3\n", Code::WrongType, 1, 10, "[volume] is a table"),
    ("[file]\npath = \"a\"\n", Code::WrongType, 1, 1, "two pairs of brackets"),
    ("file = [1]\n", Code::WrongType, 1, 9, "[[file]]"),
    ("[volume]\nlabel = 5\n", Code::WrongType, 2, 9, "expected a string"),
    ("[volume]\nlabel-board-digits = \"yes\"\n", Code::WrongType, 2, 22, "expected a boolean"),
    ("[volume]\nserial-number = -1\n", Code::WrongType, 2, 17, "expected u32"),
    ("[volume]\nminimum-size = \"1 MB\"\n", Code::WrongType, 2, 16, "4 KiB"),
    ("[volume]\ntimestamp = \"now\"\n", Code::WrongType, 2, 13, "2026-01-01T00:00:00Z"),
    ("[usb]\nvid = 70000\n", Code::WrongType, 2, 7, "expected u16"),
    ("[usb]\nvid = 99999999999999999999\n", Code::WrongType, 2, 7, "99999999999999999999"),
    ("[dynamic]\nrefresh = \"never\"\n", Code::WrongType, 2, 11, "attention"),
    ("[volume]\nminimum-size = 4096\n", Code::OutOfRange, 2, 16, "1048576"),
    ("[volume]\nminimum-size = \"33 GiB\"\n", Code::OutOfRange, 2, 16, "34359738368"),
    ("[usb]\nvid = 0\n", Code::OutOfRange, 2, 7, "0x2e8a"),
    ("[log]\nring-size = 3\n", Code::OutOfRange, 2, 13, "256"),
    ("[dynamic]\nfiles = 257\n", Code::OutOfRange, 2, 9, "from 0 to 256"),
    ("[dynamic]\nmax-name = 0\n", Code::OutOfRange, 2, 12, "from 1 to 255"),
    ("[dynamic]\nquiet = \"10 s\"\nmax-age = \"1 s\"\n", Code::OutOfRange, 3, 11, "quiet"),
    ("[dynamic]\nhold = \"2 h\"\n", Code::WrongType, 2, 8, "10 s"),
    ("[volume]\nlabel = \"TWELVE CHARS\"\n", Code::Label, 2, 9, "at most 11"),
    ("[volume]\nlabel = \"EIGHT AB\"\nlabel-board-digits = true\n", Code::Label, 2, 9, "at most 7"),
    ("[volume]\nlabel = \"A:B\"\n", Code::Label, 2, 9, "leave out"),
    ("[volume]\ntimestamp = 1979-12-31T23:59:59Z\n", Code::Timestamp, 2, 13, "1980"),
    ("[volume]\ntimestamp = 12:00:00\n", Code::Timestamp, 2, 13, "1980"),
    ("[[file]]\ntext = \"\"\n", Code::MissingKey, 1, 1, "path ="),
    ("[[file]]\npath = \"a\"\n", Code::MissingKey, 1, 1, "text ="),
    ("[[file]]\npath = \"a\"\ntext = \"\"\ncontent = \"there.bin\"\n", Code::ExclusiveKeys, 3, 8, "one of them"),
    ("[[file]]\npath = \"\"\ntext = \"\"\n", Code::Path, 2, 8, "empty part"),
    ("[[file]]\npath = \"/a\"\ntext = \"\"\n", Code::Path, 2, 8, "empty part"),
    ("[[file]]\npath = \"a//b\"\ntext = \"\"\n", Code::Path, 2, 8, "empty part"),
    ("[[file]]\npath = \"a/\"\ntext = \"\"\n", Code::Path, 2, 8, "empty part"),
    ("[[file]]\npath = \"a\\\\b\"\ntext = \"\"\n", Code::Name, 2, 8, "separated by `/`"),
    ("[[file]]\npath = \"a\\u0007\"\ntext = \"\"\n", Code::Name, 2, 8, "control characters"),
    ("[[file]]\npath = \"../a\"\ntext = \"\"\n", Code::Name, 2, 8, "go down only"),
    ("[[file]]\npath = \"a. \"\ntext = \"\"\n", Code::Name, 2, 8, "Windows"),
    (
        "[[file]]\npath = \"A\"\ntext = \"\"\n[[file]]\npath = \"a\"\ntext = \"\"\n",
        Code::DuplicateName,
        5,
        8,
        "upper case",
    ),
    (
        "[[file]]\npath = \"ÿ\"\ntext = \"\"\n[[file]]\npath = \"Ÿ\"\ntext = \"\"\n",
        Code::DuplicateName,
        5,
        8,
        "same name",
    ),
    (
        "[[file]]\npath = \"a/b\"\ntext = \"\"\n[[file]]\npath = \"A\"\ntext = \"\"\n",
        Code::DuplicateName,
        5,
        8,
        "folder",
    ),
    (
        "[[file]]\npath = \"a\"\ntext = \"\"\n[[file]]\npath = \"a/b\"\ntext = \"\"\n",
        Code::FileAsFolder,
        5,
        8,
        "rename",
    ),
    (
        "[[file]]\npath = \"F/b\"\ntext = \"\"\n[[file]]\npath = \"f/c\"\ntext = \"\"\n",
        Code::FolderSpelling,
        5,
        8,
        "alike",
    ),
    ("[[file]]\npath = \"a\"\ncontent = \"not-there.bin\"\n", Code::Content, 3, 11, "relative to the manifest"),
    ("[[file]]\npath = \"a\"\ncontent = \"a-folder\"\n", Code::Content, 3, 11, "no regular file"),
    ("[[file]]\npath = \"a\"\ncontent = \"/dev/zero\"\n", Code::Content, 3, 11, "no regular file"),
    ("[[memory]]\npath = \"a\"\nwindow = \"sarm\"\n", Code::UnknownWindow, 3, 10, "did you mean \"sram\"?"),
    ("[[memory]]\npath = \"a\"\nwindow = \"usb\"\n", Code::UnknownWindow, 3, 10, "sram, bootrom, flash"),
    ("[[memory]]\npath = \"a\"\n", Code::MissingKey, 1, 1, "base and length"),
    ("[[memory]]\npath = \"a\"\nbase = 0\n", Code::MissingKey, 1, 1, "base and length"),
    ("[[memory]]\npath = \"a\"\nwindow = \"sram\"\nbase = 0\n", Code::ExclusiveKeys, 3, 10, "keep window"),
    ("[[memory]]\npath = \"a\"\nbase = 0x40000000\nlength = 4\n", Code::MemoryRange, 3, 8, "readable are"),
    ("[[memory]]\npath = \"a\"\nbase = 0x20000000\nlength = 0\n", Code::MemoryRange, 3, 8, "no bytes"),
    ("[[memory]]\npath = \"a\"\nbase = 0x18000000\nlength = 4\n", Code::MemoryRange, 3, 8, "cache"),
    ("[[memory]]\npath = \"a\"\nbase = 0x10000000\nlength = \"5 MiB\"\n", Code::MemoryRange, 3, 8, "flash has 4194304"),
    ("[[redact]]\nbase = 0x20000000\nlength = 4\n", Code::Redaction, 1, 1, "hides nothing"),
    ("[[redact]]\nname = \"setings\"\n", Code::Redaction, 2, 8, "did you mean \"settings\"?"),
    ("[[redact]]\nname = \"settings\"\n", Code::Redaction, 2, 8, "set [settings] sectors"),
    ("[[redact]]\nlength = 4\n", Code::MissingKey, 1, 1, "base and length"),
    ("[usb]\nmanufacturer = \"\"\n", Code::Text, 2, 16, "1 to 126"),
    ("[usb]\nproduct = \"a\\nb\"\n", Code::Text, 2, 11, "control characters"),
    ("[usb]\nserial = \"abc\"\n", Code::Text, 2, 10, "12 to 32"),
    ("[usb]\nscsi-vendor = \"NINE CHAR\"\n", Code::Text, 2, 15, "1 to 8"),
    ("[usb]\nscsi-product = \"Größe\"\n", Code::Text, 2, 16, "ASCII"),
    ("[chip]\nflash-size = \"4000 KiB\"\n", Code::FlashSize, 2, 14, "multiple of 64 KiB"),
    ("[chip]\nflash-size = \"64 MiB\"\n", Code::FlashSize, 2, 14, "to 16 MiB"),
    ("[settings]\nsectors = 1\n", Code::Settings, 2, 11, "power cut"),
    ("[settings]\nstart = 0\n", Code::Settings, 2, 9, "set sectors"),
    ("[settings]\nsectors = 2\nstart = 0x3fe000\n", Code::Settings, 3, 9, "RP2350-E10"),
    ("[settings]\nsectors = 2\nstart = 0x100001\n", Code::Settings, 3, 9, "multiple of 4 KiB"),
    ("[settings]\nsectors = 60000\n", Code::Settings, 2, 11, "do not fit"),
    ("[dynamic]\nfiles = 12\nwindow = \"4 KiB\"\n", Code::DynamicWindow, 3, 10, "98304"),
    ("[dynamic]\nwindow = \"4 KiB\"\n", Code::DynamicWindow, 2, 10, "without files"),
    ("[partitions]\nfolder = \"a//b\"\n", Code::Path, 2, 10, "empty part"),
];

#[test]
fn each_rule_is_reported_where_it_is_broken() {
    for (text, code, line, column, part) in RULES {
        let found = problems(text).expect_err(text);
        assert_eq!(found.items().len(), 1, "{text}\n{found}");
        assert_eq!(found.items()[0].code, *code, "{text}\n{found}");
        let shown = found.lines().next().unwrap();
        assert!(shown.starts_with(&format!("picovd.toml:{line}:{column}: [{code}] ")), "{text}\n{shown}");
        assert!(shown.contains(part), "{part} in\n{shown}");
        let excerpt = found.to_string();
        assert!(excerpt.contains(&format!("picovd.toml:{line}:{column}")) && excerpt.contains('^'), "{excerpt}");
    }
}

#[test]
fn long_names_depth_and_size() {
    let file = |path: &str| format!("[[file]]\npath = \"{path}\"\ntext = \"\"\n");
    assert!(problems(&file(&"é".repeat(255))).is_ok());
    assert_eq!(problems(&file(&"é".repeat(256))).unwrap_err().items()[0].code, Code::NameLength);
    assert!(problems(&file(&vec!["a"; 64].join("/"))).is_ok());
    assert_eq!(problems(&file(&vec!["a"; 65].join("/"))).unwrap_err().items()[0].code, Code::Depth);
    std::fs::write(folder().join("big.bin"), vec![0; 600 << 10]).unwrap();
    let big = "[chip]\nflash-size = \"512 KiB\"\n[[file]]\npath = \"a\"\ncontent = \"big.bin\"\n";
    assert_eq!(problems(big).unwrap_err().items()[0].code, Code::ContentSize);
}

#[test]
fn all_problems_come_in_one_run() {
    let text = "[volume]\nlable = \"A\"\nlabel = 5\n[[file]]\npath = \"a:\"\ntext = \"\"\n[dynamic]\nfiles = 999\n";
    let codes: Vec<Code> = problems(text).unwrap_err().items().iter().map(|item| item.code).collect();
    assert_eq!(codes, [Code::UnknownKey, Code::WrongType, Code::Name, Code::OutOfRange]);
    let syntax = read_text("m", "a = = 1\nb = \"\nc = [\n", Path::new("")).unwrap_err();
    assert!(syntax.items().len() >= 2, "{syntax}");
}

#[test]
fn the_epoch_replaces_the_timestamp_and_has_to_be_a_number() {
    let manifest = read_text("m", "", Path::new("")).unwrap();
    let found = check(&manifest, Some("yesterday")).unwrap_err();
    assert_eq!(found.items()[0].code, Code::Epoch);
    assert_eq!(
        found.lines().next().unwrap(),
        "m: [M070] SOURCE_DATE_EPOCH is \"yesterday\"; set it to a number of seconds since 1970, or unset it"
    );
    assert!(found.to_string().contains("M070"));
    let serial = |epoch| plan(&check(&manifest, epoch).unwrap()).unwrap().volume_serial_number;
    assert_ne!(serial(None), serial(Some("1234567890")));
    assert_eq!(serial(None), serial(Some("1767225600")), "the default moment");
}

#[test]
fn a_manifest_that_is_not_there() {
    let found = read(Path::new("/nowhere/picovd.toml")).unwrap_err();
    assert_eq!(found.items()[0].code, Code::Unreadable);
    assert!(found.lines().next().unwrap().starts_with("/nowhere/picovd.toml: [M001] "));
}

#[test]
fn hidden_from_everybody_is_not_on_the_volume_but_checked() {
    let text =
        |expose: &str, path: &str| format!("[[file]]\npath = \"{path}\"\ntext = \"secret\"\nexpose = \"{expose}\"\n");
    for (expose, files) in [("always", 1), ("setting", 0), ("never", 0)] {
        let manifest = read_text("m", &text(expose, "a"), Path::new("")).unwrap();
        let plan = plan(&check(&manifest, None).unwrap()).unwrap();
        assert_eq!(plan.files.len(), files, "{expose}");
        assert_eq!(problems(&text(expose, "a*")).unwrap_err().items()[0].code, Code::Name);
    }
}
