//! What is written out depends on the manifest alone, and says what the plan says.

use std::path::{Path, PathBuf};

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
    assert!(one.contents.iter().any(|(_, bytes)| bytes == b"content"));
}

#[test]
fn the_epoch_changes_the_timestamps_alone() {
    let (before, after) = (output(&stock(), None), output(&stock(), Some("1000000000")));
    assert_ne!(before.volume_rs, after.volume_rs);
    assert_eq!(before.layout, after.layout);
    assert_eq!(before.contents, after.contents);
}

#[test]
fn flash_ends_before_the_settings() {
    let output = output(&stock(), None);
    assert!(output.memory_x.contains("ORIGIN = 0x10000000, LENGTH = 0x3fd000"), "{}", output.memory_x);
}

#[test]
fn strings_are_escaped() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let manifest = folder.join("strings.toml");
    std::fs::write(&manifest, "[usb]\nmanufacturer = 'a\"b\\c{}'\nproduct = \"Größe\"\n").unwrap();
    let text = output(&manifest, None).volume_rs;
    assert!(text.contains(r#"manufacturer: "a\"b\\c{}","#), "{text}");
    assert!(text.contains(r#"product: "Gr\u{f6}\u{df}e","#), "{text}");
}

#[test]
fn the_layout_of_the_stock_manifest() {
    let layout = output(&stock(), None).layout;
    let lines: Vec<&str> = layout.lines().collect();
    assert_eq!(lines[0], "      LBA    blocks  holds               exFAT clause  name");
    for line in [
        "        0        12  boot region         3",
        "       24        12  FAT                 4.1",
        "       64         8  directory           6             /",
        "      104      1040  memory window       5.1           SRAM.BIN",
    ] {
        assert!(lines.contains(&line), "{line}\n{layout}");
    }
}
