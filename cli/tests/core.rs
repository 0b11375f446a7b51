//! `picovd core` on files that are no core files. Ring 5 has real ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picovd")).arg("core").args(words).output().expect("the program starts")
}

/// Standard error of a run that fails.
fn refused(place: &Path) -> String {
    let program = env!("CARGO_BIN_EXE_picovd");
    let output = run(&[place.to_str().expect("UTF-8"), "--elf", program, "--backtrace"]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{}: {error}", place.display());
    error
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("core-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

#[test]
fn what_is_no_core_file_is_refused() {
    let folder = folder("refused");
    assert!(refused(&folder).contains("CORE.ELF"), "a folder without one");
    assert!(refused(&folder.join("nowhere")).contains("nowhere"));
    for (name, bytes) in [("CORE.ELF", &b"\x7FELF"[..]), ("short.elf", b"\x7FELF\x01\x01\x01"), ("text", b"text")] {
        let file = folder.join(name);
        fs::write(&file, bytes).expect("writable");
        let error = refused(&file);
        assert!(error.contains("core-refused"), "{name}: {error}");
    }
    #[cfg(target_os = "linux")]
    assert!(refused(Path::new("/dev/zero")).contains("has no end"));
    // A program is no core file: the one that this test runs.
    let error = refused(Path::new(env!("CARGO_BIN_EXE_picovd")));
    assert!(error.contains("CORE.ELF: ") || error.contains("no core file"), "{error}");
}

#[test]
fn a_program_has_to_be_named() {
    let output = run(&["somewhere"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--elf <FILE>"));
}
