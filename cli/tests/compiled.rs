//! `picovd uf2 MANIFEST.toml` and `picovd read`: a manifest for the stock firmware, and back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picovd")).args(words).current_dir(folder).output().expect("the program starts")
}

/// Its output, of a run that succeeds.
fn succeed(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Its message, of a run that fails with status 1.
fn fail(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, words);
    assert_eq!(output.status.code(), Some(1), "{words:?}");
    String::from_utf8(output.stderr).expect("text")
}

/// A folder with a manifest in it.
fn folder(name: &str, manifest: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled").join(name);
    fs::create_dir_all(&folder).expect("the target folder is ours");
    fs::write(folder.join("my.toml"), manifest).expect("it can be written");
    folder
}

const MANIFEST: &str = "\
# My stick.
[volume]
label = \"MINE\" # ü

[[file]]
path = \"HELLO.TXT\"
text = \"hello\"
";

#[test]
fn a_manifest_comes_back_as_it_was_written() {
    let folder = folder("back", MANIFEST);
    let told = succeed(&folder, &["uf2", "my.toml"]);
    assert!(
        told.starts_with(
            "my.uf2: writes 512 to 520 KiB of flash\n(8192 bytes, addresses 10080000h to 10082000h; a MicroPython "
        ),
        "{told}"
    );
    assert!(told.contains("partition table"), "{told}");
    assert_eq!(succeed(&folder, &["read", "my.uf2"]), MANIFEST);

    // A copy of flash, as FLASH.BIN of the stick shows it.
    let uf2 = fs::read(folder.join("my.uf2")).expect("it was written");
    let mut flash = vec![0xFF; 1 << 20];
    for block in uf2.chunks(512).skip(1) {
        let at = u32::from_le_bytes(block[12..16].try_into().expect("a word")) as usize - 0x1000_0000;
        flash[at..at + 256].copy_from_slice(&block[32..288]);
    }
    fs::write(folder.join("flash.bin"), &flash).expect("it can be written");
    assert_eq!(succeed(&folder, &["read", "flash.bin"]), MANIFEST);
    // Every family is the one that goes to a fixed place.
    assert!(uf2.chunks(512).all(|block| block[28..32] == 0xE48B_FF57_u32.to_le_bytes()));

    flash[0x8_0040] ^= 1;
    fs::write(folder.join("flash.bin"), &flash).expect("it can be written");
    let message = fail(&folder, &["read", "flash.bin"]);
    assert!(message.contains("flash.bin: the compiled manifest is refused: its checksum is wrong"), "{message}");
}

#[test]
fn the_same_manifest_gives_the_same_file() {
    let (one, other) = (folder("one", MANIFEST), folder("other", MANIFEST));
    for place in [&one, &other] {
        succeed(place, &["uf2", "my.toml", "-o", "out.uf2"]);
    }
    let read = |place: &Path| fs::read(place.join("out.uf2")).expect("it was written");
    assert!(read(&one) == read(&other));
}

#[test]
fn none_takes_the_manifest_away() {
    let folder = folder("none", MANIFEST);
    let told = succeed(&folder, &["uf2", "--none", "-o", "gone.uf2"]);
    assert!(told.starts_with("gone.uf2: takes the manifest out of flash (512 to 516 KiB of flash)\n"), "{told}");
    let message = fail(&folder, &["read", "gone.uf2"]);
    assert!(message.contains("there is no compiled manifest 512 KiB after the start of flash"), "{message}");
}

#[test]
fn what_the_stock_firmware_cannot_show_is_refused() {
    for (name, text, why) in [
        ("sram", "[chip]\nprogram = \"sram\"\n", "the stock firmware runs from flash"),
        ("files", "[dynamic]\nfiles = 65\n", "67 dynamic files and folders"),
        ("defmt", "[log]\ndefmt = true\n", "a defmt logger of its own"),
        ("log", "[log]\nstdout = true\nring-size = \"32 KiB\"\n", "ring-size in [log] is 32768 bytes"),
        ("typo", "[volume]\nlable = \"X\"\n", "my.toml:2:1"),
    ] {
        let folder = folder(name, text);
        let message = fail(&folder, &["uf2", "my.toml"]);
        assert!(message.contains(why), "{why:?} is not in {message}");
        assert!(!folder.join("my.uf2").exists(), "no file is left of {name}");
    }
    let long =
        folder("long", "[chip]\nflash-size = \"1 MiB\"\n[[file]]\npath = \"LONG.BIN\"\ncontent = \"long.bin\"\n");
    fs::write(long.join("long.bin"), vec![7; 512 << 10]).expect("it can be written");
    let message = fail(&long, &["uf2", "my.toml"]);
    assert!(message.contains("there is room for 520192 between 512 KiB and flash's last sector"), "{message}");
}

#[test]
fn odd_files_get_a_clear_answer() {
    let folder = folder("odd", MANIFEST);
    assert!(fail(&folder, &["uf2"]).contains("what is the file to be made of?"));
    assert!(fail(&folder, &["uf2", "nowhere.toml"]).contains("nowhere.toml"));
    let message = fail(&folder, &["uf2", "my.toml", "--with-firmware", "nowhere.uf2"]);
    assert!(message.contains("nowhere.uf2"), "{message}");
    assert!(fail(&folder, &["read", "nowhere.uf2"]).contains("nowhere.uf2"));
    #[cfg(target_os = "linux")]
    assert!(fail(&folder, &["read", "/dev/zero"]).contains("has no end"));
    assert!(fail(&folder, &["read", "."]).contains("directory"));
    fs::write(folder.join("short.bin"), b"short").expect("it can be written");
    assert!(fail(&folder, &["read", "short.bin"]).contains("there is no compiled manifest"));
    fs::write(folder.join("cut.uf2"), b"UF2\nabc").expect("it can be written");
    assert!(fail(&folder, &["read", "cut.uf2"]).contains("not a whole number of blocks"));
}

/// A disk, or an image of one: what the stick shows of its manifest.
#[test]
fn the_manifest_is_read_from_a_disk() {
    let folder = folder("disk", MANIFEST);
    let image = |name: &str, text: &str| {
        fs::write(folder.join("its.toml"), text).expect("writable");
        succeed(&folder, &["image", name, "--manifest", "its.toml"]);
    };
    let shown = "[volume]\nlabel = \"SHOWN\" # with a comment\n[info]\nmanifest = true\n";
    image("shown.img", shown);
    assert_eq!(succeed(&folder, &["read", "shown.img"]), shown);
    image("flash.img", "[[memory]]\npath = \"FLASH.BIN\"\nwindow = \"flash\"\n");
    let message = fail(&folder, &["read", "flash.img"]);
    assert!(message.contains("FLASH.BIN: there is no compiled manifest"), "{message}");
    image("neither.img", "[[file]]\npath = \"A.TXT\"\ntext = \"a\"\n");
    let message = fail(&folder, &["read", "neither.img"]);
    assert!(message.contains("it has neither MANIFEST.TOML nor FLASH.BIN"), "{message}");
}
