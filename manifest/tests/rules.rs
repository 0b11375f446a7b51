//! Rules at their limits, and combinations of them. bad_manifests.rs checks the reports.

use std::path::{Path, PathBuf};

use picovd_manifest::{Code, Diagnostics, check, plan, read, read_text};

/// A folder with a content file, a subfolder, and nothing else.
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
fn a_broken_line_is_reported_with_what_is_wrong_elsewhere_and_nothing_more() {
    let codes =
        |text: &str| -> Vec<Code> { problems(text).unwrap_err().items().iter().map(|item| item.code).collect() };
    // Whatever is on a broken line, or missing because of one, is not reported.
    assert_eq!(codes("[volume]\nlable = A B\n"), [Code::Syntax]);
    assert_eq!(codes("[[file]]\npath = \"a\"\ntext \"b\"\n"), [Code::Syntax]);
    assert_eq!(codes("[dynamic]\nfiles = 4 files\nwindow = \"1 MiB\"\n"), [Code::Syntax]);
    // What cannot be attributed to a table is not checked; what is before it is.
    assert_eq!(codes("[usb]\nvid = 0\n[[file]\nlable = 1\n"), [Code::OutOfRange, Code::Syntax]);
    assert_eq!(codes("[usb]\nvid = 0\n[[file]]\ntext = \"\"\"\n[usb]\n"), [Code::OutOfRange, Code::Syntax]);
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
    // Displayed like other problems.
    assert!(found.to_string().contains("\n --> /nowhere/picovd.toml\n"), "{found}");
    let found = read(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err();
    assert_eq!(found.items()[0].remedy, "it is a folder: specify a file");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let found = read(&repository).unwrap_err();
    let inside = repository.join("picovd.toml");
    assert_eq!(found.items()[0].remedy, format!("it is a folder: specify the manifest in it, {}", inside.display()));
}

#[test]
fn of_many_problems_of_a_kind_the_first_are_told() {
    let text: String = (0..100).map(|n| format!("key-{n} = 1\n")).collect::<String>() + "[volume]\nlabel = 1\n";
    let found = problems(&text).unwrap_err();
    assert_eq!(found.items().len(), 101);
    let lines: Vec<String> = found.lines().collect();
    assert_eq!((lines.len(), lines[21].as_str()), (22, "picovd.toml: [M003] and 80 more of this kind"), "{lines:#?}");
    assert!(lines[19].contains("key-19") && lines[20].contains("[M004]"), "{lines:#?}");
    let shown = found.to_string();
    assert_eq!(shown.matches("error[M003]").count(), 20, "{shown}");
    assert!(shown.contains("error[M004]") && shown.ends_with("error: [M003] and 80 more of this kind"), "{shown}");
}

#[test]
fn names_that_only_look_reserved() {
    for name in ["CONSOLE.TXT", "COM.TXT", "COM0", "COM10.TXT", "LPTX", "A.CON", "NULL", "…", " a"] {
        let found = problems(&format!("[[file]]\npath = \"{name}\"\ntext = \"\"\n"));
        assert!(found.is_ok(), "{name}\n{}", found.unwrap_err());
    }
    for name in ["con", "Aux.tar.gz", "NUL ", "com1.txt", "LPT9", "COM².log", "PRN/a"] {
        let found = problems(&format!("[[file]]\npath = \"{name}\"\ntext = \"\"\n")).expect_err(name);
        assert_eq!(found.items()[0].code, Code::Name, "{name}");
    }
}

#[test]
fn names_are_reserved_while_something_uses_them() {
    let file = "[[file]]\npath = \"stdout.txt\"\ntext = \"\"\n[[file]]\npath = \"logs/STDOUT-TAIL.TXT\"\ntext = \"\"\n";
    assert!(problems(file).is_ok());
    assert!(problems(&format!("{file}[log]\ntail = true\ndefmt = true\n")).is_ok());
    assert_eq!(problems(&format!("{file}[log]\nstdout = true\n")).unwrap_err().items()[0].code, Code::DuplicateName);
    let partitions =
        |enabled: bool, folder: &str| format!("{file}[partitions]\nenabled = {enabled}\nfolder = \"{folder}\"\n");
    assert!(problems(&partitions(false, "STDOUT.TXT")).is_ok());
    assert!(problems(&partitions(true, "flash/Logs")).is_ok());
    assert!(problems(&partitions(true, "")).is_ok());
    // Dynamic folders cannot be inside the manifest's.
    for folder in ["STDOUT.TXT", "stdout.txt/a", "logs/stdout-tail.txt", "Logs/flash", "LOGS"] {
        let found = problems(&partitions(true, folder)).unwrap_err();
        assert_eq!(found.items()[0].code, Code::FileAsFolder, "{folder}");
    }
}

#[test]
fn what_the_firmware_makes_has_its_name() {
    let file = |path: &str| format!("[[file]]\npath = \"{path}\"\ntext = \"\"\n");
    for (path, keys) in [
        ("info.txt", "[info]\ntext = true\n"),
        ("Info.json/x", "[info]\njson = true\n"),
        ("Partitions.Json", "[partitions]\nenabled = true\n"),
    ] {
        assert!(problems(&file(path)).is_ok());
        let found = problems(&(file(path) + keys)).unwrap_err();
        assert_eq!(found.items()[0].code, Code::DuplicateName, "{path}");
    }
    let folder = |name: &str| format!("[partitions]\nenabled = true\nfolder = \"{name}\"\n");
    assert!(problems(&(file("PARTITIONS.JSON") + &folder("flash"))).is_ok());
    let found = problems(&("[info]\ntext = true\n".to_owned() + &folder("Info.Txt/a"))).unwrap_err();
    assert_eq!(found.items()[0].code, Code::FileAsFolder, "{found}");
    assert!(problems(&folder(&"a".repeat(64))).is_ok());
    for name in ["a".repeat(65), "a/b/c/d/e/f/g/h".to_owned()] {
        let found = problems(&folder(&name)).unwrap_err();
        assert_eq!(found.items()[0].code, Code::Path, "{found}");
    }
}

#[test]
fn a_redaction_may_hide_what_only_partitions_show() {
    let redact = "[[redact]]\nbase = 0x10010000\nlength = 512\n";
    assert_eq!(problems(redact).unwrap_err().items()[0].code, Code::Redaction);
    assert!(problems(&format!("{redact}[partitions]\nenabled = true\n")).is_ok());
}

#[test]
fn of_two_equal_redactions_one_is_too_many() {
    let redact = |base: u32, length: u32| format!("[[redact]]\nbase = {base:#x}\nlength = {length}\n");
    let text = |redactions: &[String]| {
        "[[memory]]\npath = \"a\"\nwindow = \"sram\"\n".to_owned() + redactions.concat().as_str()
    };
    let (first, second) = (redact(0x2000_0000, 64), redact(0x2000_0020, 64));
    assert!(problems(&text(&[first.clone(), second.clone()])).is_ok(), "each hides something of its own");
    for redactions in [[first.clone(), first.clone()], [redact(0x2000_0010, 4), first.clone()]] {
        let found = problems(&text(&redactions)).unwrap_err();
        assert_eq!(found.items().len(), 1, "{found}");
        assert_eq!(found.items()[0].code, Code::Redaction);
    }
}

#[test]
fn hidden_from_everybody_is_not_on_the_volume_but_checked() {
    let text =
        |expose: &str, path: &str| format!("[[file]]\npath = \"{path}\"\ntext = \"secret\"\nexpose = \"{expose}\"\n");
    for (expose, files) in [("always", 1), ("setting", 1), ("never", 0)] {
        let with = |path| text(expose, path) + "[settings]\nsectors = 2\n";
        let manifest = read_text("m", &with("a"), Path::new("")).unwrap();
        let plan = plan(&check(&manifest, None).unwrap()).unwrap();
        assert_eq!(plan.files.len(), files, "{expose}");
        assert!(plan.files.iter().all(|file| file.by_setting == (expose == "setting")));
        assert_eq!(problems(&with("a*")).unwrap_err().items()[0].code, Code::Name);
    }
    // Invalid sectors are one problem, not two.
    for (settings, code) in [
        ("", Code::Exposure),
        ("[settings]\nsectors = 0\n", Code::Exposure),
        ("[settings]\nsectors = 1\n", Code::Settings),
    ] {
        let found = problems(&(text("setting", "a") + settings)).unwrap_err();
        assert_eq!(found.items().iter().map(|item| item.code).collect::<Vec<_>>(), [code], "{found}");
    }
}

#[test]
fn what_windows_cannot_open_is_an_error_in_every_path() {
    let tables = [
        "[[file]]\npath = \"PATH\"\ntext = \"\"\n",
        "[[file]]\npath = \"PATH/A.TXT\"\ntext = \"\"\n",
        "[[memory]]\npath = \"F/PATH\"\nwindow = \"sram\"\n",
        "[partitions]\nenabled = true\nfolder = \"PATH\"\n",
    ];
    let names = [
        "CON",
        "aux.log",
        "Nul",
        "COM1",
        "COM\u{B9}.txt",
        "lpt\u{B2}",
        "CONIN$",
        "CONOUT$.x",
        "a.",
        "a ",
        "a\\u007Fb",
        "a\\u202Eb",
        "\\u200F",
        "a\\u2028",
    ];
    for table in tables {
        for name in names {
            let found = problems(&table.replace("PATH", name)).expect_err(name);
            let codes: Vec<Code> = found.items().iter().map(|item| item.code).collect();
            assert_eq!(codes, [Code::Name], "{table} {name}");
        }
        for name in ["COM0", "COM10", "CONSOLE", ".a", "a\u{A0}", "\u{E9}", "a\u{200D}b"] {
            assert!(problems(&table.replace("PATH", name)).is_ok(), "{table} {name}");
        }
    }
}

#[test]
fn names_that_differ_by_normalization_are_a_warning_in_every_path() {
    let file = |path: &str| format!("[[file]]\npath = \"{path}\"\ntext = \"\"\n");
    let memory = |path: &str| format!("[[memory]]\npath = \"{path}\"\nwindow = \"sram\"\n");
    let folder = |path: &str| format!("[partitions]\nenabled = true\nfolder = \"{path}\"\n");
    let warned = |text: &str| -> Vec<Code> {
        let manifest = read_text("picovd.toml", text, Path::new("")).unwrap();
        let plan = plan(&check(&manifest, None).unwrap_or_else(|found| panic!("{found}"))).unwrap();
        plan.warnings.items().iter().map(|item| item.code).collect()
    };
    for (one, other) in
        [("\u{E9}", "e\u{301}"), ("\u{C9}", "e\u{301}"), ("K", "\u{212A}"), ("\u{1EC7}", "\u{EA}\u{323}")]
    {
        for (one, other) in [(one, other), (other, one)] {
            let clash = [Code::Normalization];
            assert_eq!(warned(&(file(one) + &file(other))), clash, "{one} {other}");
            assert_eq!(warned(&(file(&format!("{one}/a")) + &memory(&format!("{other}/b")))), clash, "{one} {other}");
            assert_eq!(warned(&(memory(&format!("f/{one}")) + &file(&format!("f/{other}/b")))), clash, "{one} {other}");
            assert_eq!(warned(&(file(&format!("{one}/a")) + &folder(other))), clash, "{one} {other}");
            // In another folder it is a different file.
            assert_eq!(warned(&(file(&format!("f/{one}")) + &file(&format!("g/{other}")))), [], "{one} {other}");
        }
    }
    assert_eq!(warned(&(file("\u{E9}") + &file("\u{E8}") + &file("e"))), []);
}

/// Compares the rule that the chip uses instead of Unicode's tables with those tables: names that normalization makes equal
/// are alike.
#[test]
fn names_that_normalization_makes_equal_are_alike_without_its_tables() {
    use picovd_exfat::{portable, upcase::upcase};
    use unicode_normalization::UnicodeNormalization;
    use unicode_normalization::char::canonical_combining_class;
    let alike = |one: &str, other: &str| portable::is_alike(one.encode_utf16(), other.encode_utf16());
    let upper = |text: &str| text.encode_utf16().map(upcase).collect::<Vec<_>>();
    let mut compared = 0;
    let characters = (0x20..0x1_0000).filter_map(char::from_u32);
    for character in characters {
        let name = format!("a{character}b");
        let (composed, decomposed): (String, String) = (name.nfc().collect(), name.nfd().collect());
        // Three ideographs are replaced by one beyond U+FFFF.
        if composed.chars().any(|character| character > '\u{FFFF}') {
            continue;
        }
        for one in [&name, &composed, &decomposed] {
            for other in [&name, &composed, &decomposed] {
                assert!(alike(one, other), "{} and {}", one.escape_unicode(), other.escape_unicode());
            }
        }
        // An additional mark, partly composed. The order of marks in other scripts is not compared.
        if canonical_combining_class(character) != 0 {
            continue;
        }
        for mark in ['\u{323}', '\u{301}', '\u{307}'] {
            let marked: String = decomposed.chars().take(decomposed.chars().count() - 1).chain([mark]).collect();
            let (composed, decomposed): (String, String) = (marked.nfc().collect(), marked.nfd().collect());
            for (one, other) in [(&marked, &composed), (&composed, &decomposed), (&marked, &decomposed)] {
                assert!(alike(one, other), "{} and {}", one.escape_unicode(), other.escape_unicode());
            }
            compared += usize::from(composed != decomposed);
        }
    }
    assert!(compared > 1_000, "{compared}");
    // The other direction: composed names are alike only if they are equal.
    let letters =
        (0xC0..0x250).chain(0x370..0x530).chain(0x1E00..0x2000).chain(0x3040..0x3100).filter_map(char::from_u32);
    let letters: Vec<String> = letters.map(String::from).filter(|one| one.nfc().eq(one.chars())).collect();
    for one in &letters {
        for other in &letters {
            assert_eq!(
                alike(one, other),
                upper(one) == upper(other),
                "{} {}",
                one.escape_unicode(),
                other.escape_unicode()
            );
        }
    }
}

#[test]
fn a_manifest_has_an_end() {
    let long = folder().join("long.toml");
    std::fs::write(&long, vec![b'#'; (4 << 20) + 1]).unwrap();
    let found = read(&long).unwrap_err();
    assert_eq!(found.items()[0].message, "the manifest cannot be read: it is longer than 4 MiB");
    std::fs::write(&long, vec![b'#'; 4 << 20]).unwrap();
    assert!(read(&long).is_ok());
    if cfg!(unix) {
        let found = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(found.items()[0].message, "the manifest cannot be read: it is not a regular file");
        let file = |name: &str| format!("[[file]]\npath = \"A\"\ncontent = \"{name}\"\n");
        assert_eq!(problems(&file("/dev/zero")).unwrap_err().items()[0].code, Code::Content);
    }
}

#[test]
fn timestamps_are_stored_in_utc() {
    let found = problems("[volume]\ntimestamp = 1980-01-01T00:30:00+01:00\n").unwrap_err();
    assert!(found.items()[0].remedy.contains("59Z in UTC"), "{found}");
}
