//! `cargo sim` as a person or a script uses it: output, exit status, pipes.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use picovd_sim::plug;

fn sim(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picovd-sim"));
    command.args(words);
    command
}

fn run(words: &[&str]) -> Output {
    sim(words).output().expect("the program starts")
}

/// Standard output of a run that succeeds without a word on standard error.
fn succeed(words: &[&str]) -> String {
    let output = run(words);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && error.is_empty(), "{words:?}: {} {error}", output.status);
    String::from_utf8(output.stdout).expect("text")
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn alone_it_shows_the_stick_and_ends_0() {
    let text = succeed(&[]);
    for part in ["boot region", "README.TXT", "SRAM.BIN", "about/", "all as the manifest has them"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn ls_lists_a_directory_and_ignores_case() {
    let root = succeed(&["ls"]);
    assert!(root.lines().any(|line| line.trim() == "about/"), "{root}");
    assert_eq!(succeed(&["ls", "about"]), succeed(&["ls", "/ABOUT/"]));
    let output = run(&["ls", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
}

#[test]
fn partitions_of_the_board_are_files() {
    let table = ["--partition", "Calibration=2M,64K", "--partition", "=3M,4K"];
    let with = |words: &[&'static str]| succeed(&[words, &table].concat());
    let listed = with(&["ls", "partitions"]);
    let sizes: Vec<(&str, &str)> = listed.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(sizes.len(), 3, "{listed}");
    assert!(sizes.contains(&("65536", "Calibration.BIN")) && sizes.contains(&("4096", "PART1.BIN")), "{listed}");
    // Flash as the same board shows it.
    let cat = |path: &str| sim(&[&["cat", path][..], &table].concat()).output().expect("the program starts").stdout;
    assert!(cat("partitions/Calibration.BIN") == cat("FLASH.BIN")[2 << 20..][..64 << 10]);
    for wrong in ["Calibration", "A=1,4K", "A=0,0", "A=32M,4K", "A=4K,99999999999M"] {
        assert_eq!(run(&["ls", "--partition", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn cat_writes_the_bytes_alone() {
    let plug = plug::open(None, None).expect("the stock manifest is good");
    for file in plug.files.iter().filter(|file| !file.live) {
        let output = run(&["cat", "--", &file.path]);
        assert!(output.status.success(), "{}", file.path);
        assert!(output.stdout == file.bytes, "{} differs", file.path);
    }
    let output = run(&["cat", "about"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("directory"));
}

#[test]
fn an_image_passes_the_check_until_it_is_damaged() {
    let path = temporary("command-line.img");
    let name = path.to_str().expect("UTF-8");
    succeed(&["image", name]);
    let mut bytes = fs::read(&path).expect("the image is there");
    let blocks = bytes.len() / 512;
    assert!(succeed(&["layout"]).contains(&format!("{blocks} blocks")), "the image has {blocks} blocks");
    succeed(&["check", name]);
    // The FAT's first entry.
    bytes[24 * 512] ^= 0xFF;
    fs::write(&path, bytes).expect("writable");
    let output = run(&["check", name]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("fat-media"));
}

#[cfg(unix)]
#[test]
fn an_image_is_sparse() {
    use std::os::unix::fs::MetadataExt;
    let manifest = temporary("sparse.toml");
    fs::write(&manifest, "[volume]\nminimum-size = \"8 MiB\"\n\n[[file]]\npath = \"A.TXT\"\ntext = \"a\"\n")
        .expect("writable");
    let image = temporary("sparse.img");
    succeed(&["image", image.to_str().expect("UTF-8"), "--manifest", manifest.to_str().expect("UTF-8")]);
    let metadata = fs::metadata(&image).expect("the image is there");
    assert!(metadata.len() >= 8 << 20, "{} bytes", metadata.len());
    assert!(metadata.blocks() * 512 < 1 << 20, "{} bytes on the disk", metadata.blocks() * 512);
}

#[test]
fn wrong_words_get_one_line_and_status_2() {
    let cases: [(&[&str], &str); 8] = [
        (&["lss"], "`ls`"),
        (&["chekc"], "`check`"),
        (&["frobnicate"], "no command `frobnicate`"),
        (&["--manifst", "x"], "--manifst"),
        (&["cat"], "usage"),
        (&["ls", "a", "b"], "usage"),
        (&["--manifest"], "--manifest"),
        (&["story", "no-such-story"], "enumerate"),
    ];
    for (words, hint) in cases {
        let output = run(words);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(hint), "{words:?}: {error}");
        assert_eq!(error.lines().count(), 1, "{words:?}: {error}");
        assert!(output.stdout.is_empty(), "{words:?} prints something");
    }
}

#[test]
fn every_command_has_help() {
    let overview = succeed(&["--help"]);
    for name in ["ls", "cat", "image", "check", "layout", "story"] {
        assert!(overview.contains(&format!("\n  {name}")), "{name} is missing in\n{overview}");
        let help = succeed(&[name, "--help"]);
        assert!(help.contains(&format!("cargo sim {name}")) && help.contains("--manifest"), "{help}");
    }
}

#[test]
fn a_missing_or_wrong_manifest_is_told_and_ends_1() {
    let output = run(&["ls", "--manifest", "no/such.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such.toml"));
    let manifest = temporary("wrong.toml");
    fs::write(&manifest, "[volume]\nlable = \"X\"\n").expect("writable");
    let output = run(&["ls", "--manifest", manifest.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("wrong.toml:2"), "no place in the message");
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let mut child =
        sim(&["cat", "FLASH.BIN"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut first = Vec::new();
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    out.read_until(b'\n', &mut first).expect("readable");
    drop(out);
    let mut error = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut error).expect("text");
    let status = child.wait().expect("it ends");
    assert!(!error.contains("panicked") && error.is_empty(), "{error}");
    assert!(status.success(), "{status}");
}

#[test]
fn a_story_runs_by_its_name() {
    let text = succeed(&["story", "reads-agree"]);
    assert!(text.starts_with("ok") && text.contains("reads-agree"), "{text}");
}
