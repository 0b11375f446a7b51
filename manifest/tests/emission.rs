//! The output depends only on the manifest, and agrees with the plan.

use std::path::{Path, PathBuf};

use picovd_layout::Compiled;
use picovd_manifest::{Output, emit, load};

fn stock() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../picovd.toml")
}

fn output(manifest: &Path, epoch: Option<&str>) -> Output {
    emit(&load(manifest, epoch).unwrap_or_else(|e| panic!("{e}")))
}

#[test]
fn two_folders_give_the_same_text() {
    let text = std::fs::read_to_string(stock()).unwrap() + "[[file]]\npath = \"X\"\ncontent = \"x.bin\"\n";
    let outputs = ["emission-one", "emission-two/deeper"].map(|name| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("x.bin"), b"content").unwrap();
        std::fs::write(folder.join("picovd.toml"), &text).unwrap();
        let output = output(&folder.join("picovd.toml"), None);
        assert!(!output.volume_rs.contains(name) && !output.memory_x.contains(name));
        output
    });
    let [one, two] = outputs;
    assert_eq!(one.volume_rs, two.volume_rs);
    assert_eq!(one.memory_x, two.memory_x);
    assert_eq!(one.contents, two.contents);
    assert_eq!(one.layout, two.layout);
    let end = one.contents.last().map(|(name, bytes)| (name.as_str(), bytes.ends_with(b"content")));
    assert_eq!(end, Some(("contents.bin", true)));
}

#[test]
fn the_epoch_changes_the_timestamps_alone() {
    let (before, after) = (output(&stock(), None), output(&stock(), Some("1000000000")));
    assert_ne!(before.volume_rs, after.volume_rs, "the build's number");
    assert_eq!(before.layout, after.layout);
    let [(_, tables), (_, contents)] = before.contents.try_into().expect("tables and contents");
    let [(_, other_tables), (_, other_contents)] = after.contents.try_into().expect("tables and contents");
    assert_eq!(contents, other_contents);
    assert_ne!(tables, other_tables);
    assert_eq!(tables.len(), other_tables.len());
}

#[test]
fn flash_ends_before_the_settings() {
    let manifest = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("settings.toml");
    std::fs::write(&manifest, "[settings]\nsectors = 2\n").unwrap();
    let with = output(&manifest, None);
    assert!(with.memory_x.contains("ORIGIN = 0x10000000, LENGTH = 0x3fd000"), "{}", with.memory_x);
    assert!(with.memory_x.contains(".settings (NOLOAD)") && with.volume_rs.contains("settings: &SETTINGS,"));
    // Without settings, nothing of that.
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/plain.toml");
    let without = output(&plain, None);
    assert!(without.memory_x.contains("ORIGIN = 0x10000000, LENGTH = 0x3ff000"), "{}", without.memory_x);
    assert!(without.memory_x.contains(".settings (NOLOAD) : ALIGN(4)") && !without.volume_rs.contains("SETTINGS"));
}

/// Does something with the compiled manifest that is included.
fn with_compiled<R>(output: &Output, work: impl FnOnce(Compiled<'_>) -> R) -> R {
    let [(_, tables), (_, contents)] = output.contents.as_slice() else { panic!("tables and contents") };
    let words: Vec<u32> = tables.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect();
    work(Compiled::new(&words, contents))
}

#[test]
fn strings_are_kept_as_they_are() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let manifest = folder.join("strings.toml");
    std::fs::write(&manifest, "[usb]\nmanufacturer = 'a\"b\\c{}'\nproduct = \"Größe\"\n").unwrap();
    with_compiled(&output(&manifest, None), |compiled| {
        assert_eq!((compiled.usb().manufacturer, compiled.usb().product), ("a\"b\\c{}", "Größe"));
    });
}

#[test]
fn usb_functions_are_switched() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let manifest = folder.join("functions.toml");
    for (keys, console, picotool_reset) in [
        ("", false, false),
        ("console = true", true, false),
        ("picotool-reset = true", false, true),
        ("console = true\npicotool-reset = true", true, true),
    ] {
        std::fs::write(&manifest, format!("[usb]\n{keys}\n")).unwrap();
        with_compiled(&output(&manifest, None), |compiled| {
            assert_eq!((compiled.usb().console, compiled.usb().picotool_reset), (console, picotool_reset), "{keys}");
        });
    }
}

/// The map of the stock manifest is blessed: tests/blessed/layout.txt.
#[test]
fn the_layout_says_what_stands_where() {
    let manifest = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("layout.toml");
    std::fs::write(
        &manifest,
        "[[file]]\npath = \"a/B\"\ntext = \"b\"\n[[memory]]\npath = \"RAM\"\nwindow = \"sram\"\n",
    )
    .unwrap();
    let expected = "      LBA    blocks  holds               exFAT clause  name
        0        12  boot region         3
       12        12  boot region         3
       24         3  FAT                 4.1
       27         5  alignment           2
       32         8  allocation bitmap   7.1
       40        16  up-case table       7.2
       56         8  directory           6             /
       64         8  directory           6             a
       72         8  file                5.1           a/B
       80      1040  memory window       5.1           RAM
     1120       960  free clusters       5.1
2080 blocks of 512 bytes; 136 of 256 clusters of 4096 bytes allocated
";
    assert_eq!(output(&manifest, None).layout, expected);
}

#[test]
fn what_nobody_asked_for_is_not_linked() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let manifest = folder.join("built-in.toml");
    let emitted = |text: &str| {
        std::fs::write(&manifest, text).unwrap();
        output(&manifest, None).volume_rs
    };
    let plain = emitted("[volume]\n");
    assert!(plain.contains("    info: None,\n    partitions: None,\n"), "{plain}");
    assert!(!plain.contains("::Info"), "{plain}");
    let all = emitted(
        "[info]\njson = true\n[partitions]\nenabled = true\nfolder = \"a\"\n[chip]\nflash-size = \"8 MiB\"\n\
         [[redact]]\nbase = 0x10001000\nlength = 1\n",
    );
    for part in [
        "    info: Some(&INFO),\n",
        "InfoFile::json(&INFO)",
        "        folder: COMPILED.partitions().folder,\n        description: COMPILED.built_in_path_at(0),\n",
        "        flash_size: FLASH_SIZE,\n        redacted: COMPILED.redacted(),\n",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    with_compiled(&output(&manifest, None), |compiled| {
        assert_eq!((compiled.partitions().folder, compiled.built_in_path_at(0)), ("a", "a/PARTITIONS.JSON"));
        assert_eq!(compiled.chip().flash_size, 8 << 20);
        let redacted: Vec<_> = compiled.redacted().iter().map(|range| (range.start, range.end)).collect();
        assert_eq!(redacted, [(4096, 4608)]);
    });
    assert!(!all.contains("InfoFile::text"), "{all}");
    let build =
        |text: &str| text.lines().find(|line| line.contains("const BUILD")).map(str::to_owned).expect("a build");
    assert_ne!(build(&plain), build(&all));
}
