//! `picovd dump` as a person uses it, compared with the real hexdump.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use picovd_sim::host::exfat::Volume;

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picovd")).args(words).output().expect("the program starts")
}

fn succeed(words: &[&str]) -> String {
    let output = run(words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{words:?}: {} {error}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

/// Standard error of a run that ends with this status and prints nothing.
fn refused(words: &[&str], status: i32) -> String {
    let output = run(words);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{words:?}: {error}");
    assert!(output.stdout.is_empty(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
    error
}

fn hexdump(file: &Path, words: &[&str]) -> String {
    let output = Command::new("hexdump").env("LC_ALL", "C").arg("-C").args(words).arg(file).output();
    let output = output.expect("hexdump (Debian's bsdextrautils) runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("ASCII")
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dump-{name}"))
}

const MANIFEST: &str = "
[volume]
label = \"DUMP\"

[[file]]
path = \"A.TXT\"
text = \"0123456789\"

[[memory]]
path = \"ROM.BIN\"
window = \"bootrom\"

[[memory]]
path = \"sub/SRAM.BIN\"
base = 0x20000000
length = 8192

[[memory]]
path = \"FLASH.BIN\"
window = \"flash\"

[[redact]]
base = 0x20000400
length = 1024
";

/// The manifest's path, and an image of its disk.
fn disk(name: &str) -> (PathBuf, PathBuf) {
    let (manifest, image) = (temporary(&format!("{name}.toml")), temporary(&format!("{name}.img")));
    fs::write(&manifest, MANIFEST).expect("writable");
    let output = run(&["image", image.to_str().expect("UTF-8"), "--manifest", manifest.to_str().expect("UTF-8")]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (manifest, image)
}

#[test]
fn a_disk_is_dumped_as_hexdump_does_from_a_file_and_from_the_manifest() {
    let (manifest, image) = disk("whole");
    let (image_name, manifest) = (image.to_str().expect("UTF-8"), manifest.to_str().expect("UTF-8"));
    let real = hexdump(&image, &[]);
    assert!(real.contains("\n*\n"));
    assert!(succeed(&["dump", image_name]) == real, "the image differs");
    assert!(succeed(&["dump", "--manifest", manifest]) == real, "the manifest's disk differs");
    let last = fs::metadata(&image).expect("it is there").len() / 512 - 1;
    for block in [0, 1, 23, last] {
        let real = hexdump(&image, &["-s", &(block * 512).to_string(), "-n", "512"]);
        for number in [block.to_string(), format!("{block:#x}")] {
            assert_eq!(succeed(&["dump", image_name, "--block", &number]), real, "block {block}");
            assert_eq!(succeed(&["dump", "--block", &number, "--manifest", manifest]), real, "block {block}");
        }
    }
    // Any file, whatever its length.
    let odd = temporary("odd.bin");
    fs::write(&odd, [&[1; 700][..], b"end"].concat()).expect("writable");
    assert_eq!(succeed(&["dump", odd.to_str().expect("UTF-8")]), hexdump(&odd, &[]));
}

#[test]
fn memory_is_shown_at_its_addresses_without_what_is_redacted() {
    let (manifest, image) = disk("memory");
    let (image_name, manifest) = (image.to_str().expect("UTF-8"), manifest.to_str().expect("UTF-8"));
    let mut bytes = fs::read(&image).expect("the image is there");
    let mut volume = Volume::open(&mut bytes).expect("it mounts");
    let node = volume.find("sub/SRAM.BIN").expect("it is there");
    let file = volume.read_file(&node).expect("readable");
    let dump = |base: &str, length: &str, medium: &[&str]| {
        succeed(&[&["dump", "--base", base, "--length", length, "--manifest", manifest], medium].concat())
    };
    for (base, length) in [(0x2000_0000_u32, 8192_usize), (0x2000_0003, 40), (0x2000_03F0, 0x500), (0x2000_1FFF, 1)] {
        let start = base as usize - 0x2000_0000;
        // The real one, with its offsets replaced.
        let part = temporary("memory.bin");
        fs::write(&part, &file[start..start + length]).expect("writable");
        let real = hexdump(&part, &[]);
        let moved: String = real
            .lines()
            .map(|line| match line.split_at_checked(8) {
                Some((offset, rest)) => {
                    let offset = u32::from_str_radix(offset, 16).expect("an offset") + base;
                    format!("{offset:08x}{rest}\n")
                }
                None => format!("{line}\n"),
            })
            .collect();
        for medium in [&[][..], &[image_name]] {
            assert_eq!(dump(&format!("{base:#x}"), &length.to_string(), medium), moved, "{base:#x} {medium:?}");
        }
    }
    let redacted = dump("0x20000400", "1K", &[]);
    assert_eq!(
        redacted.lines().collect::<Vec<_>>(),
        ["20000400  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|", "*", "20000800"]
    );
    assert!(!dump("0x20000800", "16", &[]).contains("00 00 00 00 00 00 00 00"), "not redacted");
    // The same flash as the file shows.
    assert!(dump("0x1c000000", "32", &[]).starts_with("1c000000  "));
}

#[test]
fn what_is_not_there_is_refused_with_what_is() {
    let (manifest, image) = disk("refused");
    let (image, manifest) = (image.to_str().expect("UTF-8"), manifest.to_str().expect("UTF-8"));
    let last = fs::metadata(image).expect("it is there").len() / 512 - 1;
    let beyond = (last + 1).to_string();
    let wanted = format!("there is no block {beyond}: there are blocks 0 to {last}\n");
    assert!(refused(&["dump", image, "--block", &beyond], 1).ends_with(&wanted));
    assert!(refused(&["dump", "--block", &beyond, "--manifest", manifest], 1).ends_with(&wanted));
    assert!(refused(&["dump", image, "--block", "0xffffffffffffffff"], 1).contains("there is no block"));
    for (base, length) in [
        ("0x20002000", "1"),
        ("0x1fffffff", "2"),
        ("0x20001fff", "2"),
        ("0x40000000", "4"),
        ("0x20000000", "0xffffffffffffffff"),
        ("0xffffffffffffffff", "1"),
    ] {
        let error = refused(&["dump", "--base", base, "--length", length, "--manifest", manifest], 1);
        assert!(error.contains("no file shows 0x"), "{base} {length}: {error}");
        assert!(error.contains("\n  0x20000000 to 0x20001fff  sub/SRAM.BIN\n"), "{base} {length}: {error}");
    }
    // A chip with less flash than the manifest reserves.
    let short = ["dump", "--base", "0x1c200000", "--length", "4", "--manifest", manifest];
    assert!(succeed(&short).starts_with("1c200000"));
    let error = refused(&[&short[..], &["--flash-size", "2M"]].concat(), 1);
    assert!(error.contains("0x1c000000 to 0x1c1fffff  FLASH.BIN"), "{error}");
    // A file that is cut off within a block.
    let cut = temporary("cut.img");
    fs::write(&cut, [0; 1000]).expect("writable");
    let error = refused(&["dump", cut.to_str().expect("UTF-8"), "--block", "1"], 1);
    assert!(error.contains("there is no block 1: there are blocks 0 to 0, and 488 bytes after them"), "{error}");
    fs::write(&cut, []).expect("writable");
    assert_eq!(succeed(&["dump", cut.to_str().expect("UTF-8")]), "");
    assert!(refused(&["dump", cut.to_str().expect("UTF-8"), "--block", "0"], 1).contains("there is none at all"));
}

#[test]
fn wrong_words_get_an_error_and_status_2() {
    let (_, image) = disk("words");
    let image = image.to_str().expect("UTF-8");
    for (words, hint) in [
        (&["--block", "x"][..], "`x` is not a number; try 512, 4K or 0x20000000"),
        (&["--base", "0x20000000"], "--length <N>"),
        (&["--length", "4"], "--base <ADDRESS>"),
        (&["--block", "1", "--base", "0", "--length", "4"], "cannot be used with"),
        (&["--base", "0x20000000", "--length", "0"], "--length has to be at least 1"),
        (&[image, "--base", "0x20000000", "--length", "4"], "--base needs the manifest"),
        (&[image, "--flash-size", "2M"], "do not apply to FILE|DEVICE"),
        (&["a", "b"], "Usage: picovd dump"),
    ] {
        let error = refused(&[&["dump"], words].concat(), 2);
        assert!(error.contains(hint), "{words:?}: {error}");
    }
    let help = succeed(&["dump", "--help"]);
    assert!(help.contains("picovd dump [OPTIONS] [FILE|DEVICE]") && help.contains("hexdump -C"), "{help}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_has_no_end_or_no_blocks_is_refused() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let pipe = temporary("pipe");
    let _ = fs::remove_file(&pipe);
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
    for (name, hint) in [
        ("/dev/zero", "/dev/zero has no end; specify a disk or a file"),
        ("/dev/urandom", "has no end"),
        ("/dev/tty", "has no end"),
        (folder, "it is a directory"),
        (pipe.to_str().expect("UTF-8"), "it is neither a disk nor a file"),
        ("no/such.img", "lsblk"),
    ] {
        for block in [&[][..], &["--block", "0"]] {
            let error = refused(&[&["dump", name], block].concat(), 1);
            assert!(error.contains(hint), "{name}: {error}");
        }
    }
}
