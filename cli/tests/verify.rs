//! `cargo sim verify` as a person uses it on an image: the report, what it finds of planted damage, and its exit status.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use picovd_sim::host::exfat::Volume;
use picovd_sim::plug;

const BLOCK: usize = 512;

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picovd")).args(words).output().expect("the program starts")
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("verify-{name}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The report of a run that ends with this status.
fn report(words: &[&str], status: i32) -> String {
    let output = run(&[&["verify"], words].concat());
    let (report, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(status), "{words:?}: {report}{error}");
    assert_eq!(status == 0, error.is_empty(), "{words:?}: {error}");
    report
}

/// The image that `cargo sim image` makes of a manifest.
fn image(name: &str, manifest: Option<&str>) -> (PathBuf, Vec<u8>) {
    let path = temporary(name);
    let mut words = vec!["image", path.to_str().expect("UTF-8")];
    words.extend(manifest.iter().flat_map(|manifest| ["--manifest", manifest]));
    let output = run(&words);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let bytes = fs::read(&path).expect("the image is there");
    (path, bytes)
}

/// Verifies a changed image against a manifest.
fn verify(path: &Path, bytes: &[u8], manifest: &str, status: i32) -> String {
    fs::write(path, bytes).expect("writable");
    report(&[path.to_str().expect("UTF-8"), "--manifest", manifest], status)
}

/// Where the first byte of a file is.
fn place(image: &[u8], file: &str) -> usize {
    let mut image = image.to_vec();
    let mut volume = Volume::open(&mut image).expect("it mounts");
    let node = volume.find(file).expect("it is there");
    volume.boot().cluster_heap_offset as usize * BLOCK + (node.first_cluster as usize - 2) * 4096
}

fn stock() -> String {
    plug::stock_manifest().to_str().expect("UTF-8").to_owned()
}

fn line<'t>(report: &'t str, part: &str) -> &'t str {
    report.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part:?} is missing in\n{report}"))
}

/// What the program of that name says, since the report promises the same digits.
fn sha256sum(bytes: &[u8]) -> String {
    let piped = |command: &mut Command| command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = piped(&mut Command::new("sha256sum")).expect("sha256sum (coreutils) runs");
    child.stdin.take().expect("a pipe").write_all(bytes).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    String::from_utf8_lossy(&output.stdout).split_whitespace().next().expect("a sum").to_owned()
}

#[test]
fn a_good_image_is_all_right_and_every_file_has_its_sum() {
    let (path, bytes) = image("good.img", None);
    let name = path.to_str().expect("UTF-8");
    let plug = plug::open(None, None).unwrap_or_else(|error| panic!("{error}"));
    let alone = report(&[name], 0);
    let against = report(&[name, "--manifest", &stock()], 0);
    for file in plug.files.iter().filter(|file| !file.live) {
        let sum = sha256sum(&file.bytes);
        for report in [&alone, &against] {
            let line = line(report, file.path.trim_start_matches('/'));
            assert!(line.contains(&sum) && line.contains(&file.bytes.len().to_string()), "{line}");
        }
    }
    assert!(line(&against, "README.TXT").ends_with("matches the manifest"), "{against}");
    assert!(line(&against, "SRAM.BIN").ends_with("memory: readable, length right"), "{against}");
    assert!(!alone.contains("manifest"), "{alone}");
    // What a bug report needs.
    let serial = u32::from_le_bytes([bytes[100], bytes[101], bytes[102], bytes[103]]);
    for part in [
        format!("picovd          {}", env!("CARGO_PKG_VERSION")),
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        format!("{} blocks of 512 bytes", bytes.len() / BLOCK),
        format!("{:04X}-{:04X}", serial >> 16, serial & 0xFFFF),
        "label           PICOVD".to_owned(),
        format!("throughput      {} bytes in ", bytes.len()),
        "problems        none".to_owned(),
    ] {
        line(&against, &part);
    }
    // A report about a file does not change from run to run but for its time.
    let again = report(&[name, "--manifest", &stock()], 0);
    let lasting = |report: &str| {
        report.lines().filter(|line| !line.starts_with("throughput")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lasting(&against), lasting(&again));
}

#[test]
fn a_changed_byte_of_a_static_file_is_found() {
    let (path, good) = image("byte.img", None);
    for (file, offset) in [("README.TXT", 10), ("about/PICOVD.TXT", 0), ("about/PICOVD.TXT", 180)] {
        let mut bytes = good.clone();
        bytes[place(&good, file) + offset] ^= 0x20;
        let found = verify(&path, &bytes, &stock(), 1);
        line(&found, &format!("file-bytes: {file}: byte {offset} is"));
        assert!(line(&found, "problems").ends_with(" 1"), "{found}");
        assert!(line(&found, file).ends_with("DIFFERS from the manifest"), "{found}");
        // The standard says nothing about it, the sum does.
        let name = path.to_str().expect("UTF-8");
        let sum = |report: &str| line(report, file).split_whitespace().nth(1).map(str::to_owned);
        let changed = sum(&report(&[name], 0));
        fs::write(&path, &good).expect("writable");
        assert_ne!(sum(&report(&[name], 0)), changed);
    }
}

/// FLASH.BIN of a board has the compiled manifest, whose tables alone are checked when the board starts.
#[test]
fn a_changed_byte_of_a_content_in_flash_is_found() {
    let manifest = temporary("contents.toml");
    let text =
        "[[file]]\npath = \"A.TXT\"\ntext = \"contents\"\n[[memory]]\npath = \"FLASH.BIN\"\nwindow = \"flash\"\n";
    fs::write(&manifest, text).expect("writable");
    let plan = picovd_manifest::load_for_stock_firmware(&manifest, None).unwrap_or_else(|why| panic!("{why}"));
    let block = picovd_manifest::compile_for_flash(&plan).expect("it fits");
    let (path, bytes) = image("contents.img", manifest.to_str());
    let flash = place(&bytes, "FLASH.BIN") + (512 << 10);
    let with = |block: &[u8], status| {
        let mut bytes = bytes.clone();
        bytes[flash..flash + block.len()].copy_from_slice(block);
        fs::write(&path, &bytes).expect("writable");
        report(&[path.to_str().expect("UTF-8")], status)
    };
    assert!(with(&block, 0).contains("problems        none"));
    let mut damaged = block.clone();
    *damaged.last_mut().expect("contents") ^= 1;
    let report = with(&damaged, 1);
    let lba = place(&bytes, "A.TXT") / BLOCK;
    assert!(report.contains(&format!("flash-contents: the file at LBA {lba} does not have the checksum")), "{report}");
}

#[test]
fn damage_of_the_volume_is_told_with_rule_and_clause() {
    let (path, good) = image("damage.img", None);
    let mut bytes = good.clone();
    bytes[24 * BLOCK] ^= 0xFF;
    let found = verify(&path, &bytes, &stock(), 1);
    assert!(line(&found, "fat-media").ends_with("(exFAT 4.1.1)"), "{found}");
    // A wrong boot checksum keeps drivers away, and not this reader: what the files hold is worth knowing.
    let mut bytes = good.clone();
    bytes[11 * BLOCK] ^= 1;
    let found = verify(&path, &bytes, &stock(), 1);
    line(&found, "boot-checksum");
    assert!(line(&found, "README.TXT").ends_with("matches the manifest"), "{found}");
    // The name of a file: its set's checksum, and the file that is missing then.
    let mut bytes = good.clone();
    let units: Vec<u8> = "README.TXT".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = bytes.windows(units.len()).position(|window| window == units).expect("the name is in the directory");
    bytes[at] ^= 1;
    let found = verify(&path, &bytes, &stock(), 1);
    line(&found, "set-checksum");
    line(&found, "missing-file: README.TXT");
    assert!(line(&found, "BOOTROM.BIN").ends_with("length right"), "{found}");
}

#[test]
fn an_image_that_was_cut_off_is_told() {
    let (path, good) = image("short.img", None);
    let found = verify(&path, &good[..good.len() / 2], &stock(), 1);
    line(&found, "volume-fits");
    line(&found, "the image was cut off");
    let found = verify(&path, &good[..good.len() / 2 + 100], &stock(), 1);
    assert!(line(&found, "cut-off: ").contains("100 bytes"), "{found}");
    let found = verify(&path, &good[..BLOCK], &stock(), 1);
    line(&found, "volume-fits");
    let found = verify(&path, &[], &stock(), 1);
    line(&found, "no-medium");
}

#[test]
fn what_is_no_exfat_volume_is_told_with_what_it_is() {
    let path = temporary("other.img");
    let mut record = vec![0; 64 * BLOCK];
    record[510..512].copy_from_slice(&[0x55, 0xAA]);
    // One partition of type 7 from block 8 on.
    (record[450], record[454], record[458]) = (7, 8, 56);
    let found = verify(&path, &record, &stock(), 1);
    assert!(line(&found, "partitioned").contains("LBA 8"), "{found}");
    line(&found, "specify the partition");
    let mut fat = vec![0; 64 * BLOCK];
    fat[82..90].copy_from_slice(b"FAT32   ");
    assert!(line(&verify(&path, &fat, &stock(), 1), "not-exfat").contains("FAT32"));
    let noise: Vec<u8> = (0..64 * BLOCK).map(|n| (n * 7 + n / 256) as u8).collect();
    assert!(line(&verify(&path, &noise, &stock(), 1), "not-exfat").contains("LBA 0 begins with 00 07 0e"));
    assert!(line(&verify(&path, &vec![0; 64 * BLOCK], &stock(), 1), "not-exfat").contains("zeros"));
}

const REDACTED: &str = "
[volume]
label = \"REDACT\"

[[file]]
path = \"A.TXT\"
text = \"a\"

[[memory]]
path = \"SRAM.BIN\"
window = \"sram\"

[[redact]]
base = 0x20001000
length = 1024
";

#[test]
fn a_redacted_range_has_to_be_zero() {
    let manifest = temporary("redact.toml");
    fs::write(&manifest, REDACTED).expect("writable");
    let manifest = manifest.to_str().expect("UTF-8");
    let (path, good) = image("redact.img", Some(manifest));
    let whole = verify(&path, &good, manifest, 0);
    assert!(line(&whole, "SRAM.BIN").ends_with("redacted ranges zero"), "{whole}");
    let file = place(&good, "SRAM.BIN");
    for (offset, status) in [(0x0FFF, 0), (0x1000, 1), (0x13FF, 1), (0x1400, 0)] {
        let mut bytes = good.clone();
        bytes[file + offset] ^= 0xFF;
        let found = verify(&path, &bytes, manifest, status);
        if status == 1 {
            line(&found, &format!("redaction: SRAM.BIN: byte {offset} is ffh"));
        }
    }
}

const MADE: &str = "
[volume]
label = \"MADE\"

[usb]
console = true

[[file]]
path = \"sub/HIDDEN.TXT\"
text = \"hidden\"
expose = \"setting\"

[partitions]
enabled = true
folder = \"parts\"

[log]
stdout = true
tail = true

[info]
text = true
json = true

[settings]
sectors = 2
";

#[test]
fn files_that_the_manifest_lets_the_firmware_make_are_known() {
    let manifest = temporary("made.toml");
    fs::write(&manifest, MADE).expect("writable");
    let manifest = manifest.to_str().expect("UTF-8");
    let path = temporary("made.img");
    let name = path.to_str().expect("UTF-8");
    let output = run(&["image", name, "--manifest", manifest, "--partition", "Calibration=2M,64K"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = report(&[name, "--manifest", manifest], 0);
    let made = ["STDOUT.TXT", "STDOUT-TAIL.TXT", "INFO.TXT", "INFO.JSON", "CONFIG.JSON", "CONFIG.SCHEMA.JSON"];
    for file in made.iter().chain(&["parts/PARTITIONS.JSON", "parts/Calibration.BIN"]) {
        assert!(line(&found, &format!("{file} ")).ends_with("the firmware's own"), "{file}: {found}");
    }
    // HIDDEN.TXT is not exposed, as delivered.
    for part in ["remark", "HIDDEN.TXT"] {
        assert!(!found.contains(part), "{found}");
    }
    // Against a manifest that does not ask for them they are still unknown.
    let without =
        MADE.replace("text = true\njson = true\n", "json = true\n").replace("enabled = true", "enabled = false");
    let other = temporary("made-other.toml");
    fs::write(&other, without).expect("writable");
    let found = report(&[name, "--manifest", other.to_str().expect("UTF-8")], 1);
    line(&found, "unknown-file: INFO.TXT");
    line(&found, "unknown-file: parts/Calibration.BIN");
}

#[test]
fn what_settings_may_change_is_no_problem() {
    let manifest = temporary("settings.toml");
    fs::write(&manifest, MADE).expect("writable");
    let manifest = manifest.to_str().expect("UTF-8");
    // As a stick whose settings expose the file and give another label.
    let always = temporary("settings-always.toml");
    fs::write(&always, MADE.replace("expose = \"setting\"", "").replace("label = \"MADE\"", "label = \"LAB7\""))
        .expect("writable");
    let (path, _) = image("settings.img", Some(always.to_str().expect("UTF-8")));
    let found = report(&[path.to_str().expect("UTF-8"), "--manifest", manifest], 0);
    assert!(line(&found, "HIDDEN.TXT").ends_with("matches the manifest"), "{found}");
    assert!(line(&found, "remark").contains("\"LAB7\""), "{found}");
    // A file that no setting decides about has to be there.
    let found = report(&[path.to_str().expect("UTF-8"), "--manifest", &stock()], 1);
    line(&found, "missing-file: README.TXT");
}

#[test]
fn a_board_with_less_flash_than_the_manifest_reserves_is_all_right() {
    let path = temporary("less-flash.img");
    let name = path.to_str().expect("UTF-8");
    let output = run(&["image", name, "--flash-size", "2M"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let found = report(&[name, "--manifest", &stock()], 0);
    assert!(line(&found, "FLASH.BIN").contains("2097152"), "{found}");
}

#[test]
fn another_manifest_is_told() {
    let manifest = temporary("other.toml");
    let words = "[volume]\nlabel = \"OTHER\"\n\n[[file]]\npath = \"README.TXT\"\ntext = \"x\"\n\n\
                 [[file]]\npath = \"sub/GONE.TXT\"\ntext = \"y\"\n";
    fs::write(&manifest, words).expect("writable");
    let (path, good) = image("another.img", None);
    let found = verify(&path, &good, manifest.to_str().expect("UTF-8"), 1);
    for rule in [
        "volume-length",
        "label: ",
        "file-length: README.TXT has",
        "missing-file: sub/GONE.TXT",
        "missing-directory: sub/",
        "unknown-file: FLASH.BIN",
    ] {
        line(&found, rule);
    }
}

#[test]
fn wrong_words_end_2_and_what_cannot_be_opened_says_what_to_do() {
    for words in [&["verify"][..], &["verify", "a", "b"], &["verify", "a", "--elf", "b"], &["verify", "--quick", "a"]] {
        let output = run(words);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty(), "{words:?}");
    }
    let folder = env!("CARGO_TARGET_TMPDIR");
    let remedy = if cfg!(target_os = "macos") { "diskutil list" } else { "lsblk" };
    for (name, hint) in [("no/such.img", remedy), (folder, "specify a disk")] {
        let output = run(&["verify", name]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(name) && error.contains(hint) && output.stdout.is_empty(), "{error}");
    }
    let help = text(&run(&["verify", "--help"]).stdout);
    assert!(help.contains("picovd verify [OPTIONS] <DEVICE|IMAGE>") && help.contains("/dev/rdiskN"), "{help}");
    let output = run(&["verify", "no/such.img", "--manifest", "no/such.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no/such.toml"));
}
