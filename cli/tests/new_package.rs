//! `cargo sim new`: what it writes, and what it refuses. That the package builds and runs is shown by ring 5.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn new(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_picovd"));
    command.arg("new").args(words).current_dir(folder).output().expect("the program starts")
}

/// An empty folder of this test.
fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("new-package").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the target folder is ours");
    }
    fs::create_dir_all(&folder).expect("the target folder is ours");
    folder
}

fn refused(folder: &Path, words: &[&str], status: i32, part: &str) {
    let output = new(folder, words);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(status), "{words:?}: {error}");
    assert!(error.contains(part), "{words:?}: {error}");
}

#[test]
fn a_package_is_written_with_a_right_manifest() {
    let folder = scratch("good");
    let output = new(&folder, &["my-stick"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    for part in ["cd my-stick", "cargo sim ", "cargo uf2"] {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
    let package = folder.join("my-stick");
    for file in ["Cargo.toml", "build.rs", "picovd.toml", "src/main.rs", ".cargo/config.toml", ".gitignore"] {
        let text = fs::read_to_string(package.join(file)).expect("it is there");
        assert!(!text.contains('@'), "{file} has a gap left:\n{text}");
    }
    let plan = picovd_manifest::load(&package.join("picovd.toml"), None).expect("the manifest is right");
    assert_eq!(String::from_utf16_lossy(&plan.label.units), "MY-STICK");
    assert!(plan.changes.files > 0, "room for the program's own file");
    assert!(fs::read_to_string(package.join("build.rs")).expect("it is there").lines().count() <= 5);
    // Words that cargo splits at white space: it merges them with those of a folder above only as text.
    let cargo = fs::read_to_string(package.join(".cargo/config.toml")).expect("it is there");
    for alias in ["sim = 'run --release ", "uf2 = 'run --release "] {
        assert!(cargo.contains(alias), "{alias:?} is missing in\n{cargo}");
    }
    // The first run builds libraries and the simulator for minutes: so cargo shows its progress.
    assert!(text.contains("a minute or two") && !cargo.contains("quiet"), "{text}{cargo}");
    // `cargo run` runs the simulator, too.
    assert!(cargo.contains("[target.thumbv8m.main-none-eabihf]\nrunner = [\"cargo\", \"run\""), "{cargo}");
    assert!(fs::read_to_string(package.join("src/main.rs")).expect("it is there").contains("\nfn main() -> ! {\n"));
    // What is there is never overwritten.
    refused(&folder, &["my-stick"], 1, "is not empty");
}

#[test]
fn a_package_to_be_shared_names_nothing_of_this_machine() {
    let folder = scratch("shared");
    for (name, words, dependency) in [
        ("of-git", &["--git", "https://example.org/picovd"][..], "picovd = { git = \"https://example.org/picovd\","),
        ("of-registry", &["--registry"], "picovd = { version = \""),
    ] {
        let output = new(&folder, &[&[name], words].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let package = folder.join(name);
        let read = |file: &str| fs::read_to_string(package.join(file)).expect("it is there");
        assert!(read("Cargo.toml").contains(dependency), "{}", read("Cargo.toml"));
        let clone = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the clone");
        for file in ["Cargo.toml", "build.rs", "picovd.toml", "src/main.rs", ".cargo/config.toml"] {
            assert!(!read(file).contains(clone.to_str().expect("UTF-8")), "{file}: {}", read(file));
        }
        assert!(read(".cargo/config.toml").contains("runner = [\"picovd\", \"--manifest\""));
        assert!(picovd_manifest::load(&package.join("picovd.toml"), None).is_ok());
    }
}

#[test]
fn an_empty_folder_will_do() {
    let folder = scratch("empty").join("board");
    fs::create_dir(&folder).expect("the target folder is ours");
    let output = new(&folder, &["."]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cargo = fs::read_to_string(folder.join("Cargo.toml")).expect("it is there");
    assert!(cargo.contains("name = \"board\""), "{cargo}");
}

#[test]
fn wrong_words_get_an_answer() {
    let folder = scratch("bad");
    fs::write(folder.join("file"), "").expect("the target folder is ours");
    refused(&folder, &[], 2, "Usage: picovd new <DIR>");
    refused(&folder, &["one", "two"], 2, "Usage: picovd new [OPTIONS] <DIR>");
    refused(&folder, &["--manifest", "picovd.toml", "my-stick"], 2, "unexpected argument '--manifest' found");
    refused(&folder, &["my stick"], 1, "try `my-stick`");
    refused(&folder, &["core"], 1, "try `my-core`");
    refused(&folder, &["file"], 1, "is a file: specify a new folder");
    assert_eq!(fs::read_dir(&folder).expect("it is there").count(), 1, "nothing is written where something is refused");
}
