//! `cargo sim layout`: the stock manifest's map is the blessed one, as text and as the drawing that the README shows; what
//! the text, the drawing and the JSON say of it is the same.
//!
//! `PICOVD_BLESS=1`, which `cargo xtask test --bless` sets, rewrites the blessed files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn run(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_picovd")).arg("layout").args(words).output().expect("the program starts")
}

fn succeed(words: &[&str]) -> String {
    let output = run(words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn blessed(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/blessed").join(name);
    if std::env::var_os("PICOVD_BLESS").is_some() {
        fs::write(&path, text).expect("the repository is writable");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == expected,
        "tests/blessed/{name} is\n{expected}\nand not\n{text}\n`cargo xtask test --bless` accepts the new one"
    );
}

fn temporary(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn the_stock_map_is_the_blessed_one() {
    blessed("layout.txt", &succeed(&[]));
}

#[test]
fn the_drawing_in_the_readme_is_that_of_the_stock_manifest() {
    blessed("layout.svg", &succeed(&["--svg", "-"]));
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).expect("a README");
    assert!(readme.contains("(tests/blessed/layout.svg)"), "the README does not show the map");
}

/// LBA, length, what it holds, clause, name of each region.
fn regions_of_text(text: &str) -> Vec<[String; 5]> {
    let rows = text.lines().skip(1).filter(|line| !line.contains("blocks of"));
    rows.map(|line| {
        let at = |range: std::ops::Range<usize>| line.get(range).unwrap_or_default().trim().to_owned();
        let clause: String = line.chars().skip(41).take(12).collect();
        let name: String = line.chars().skip(55).collect();
        [at(0..9), at(9..19), at(21..39), clause.trim().to_owned(), name]
    })
    .collect()
}

#[test]
fn json_and_drawing_say_what_the_text_says() {
    let text = regions_of_text(&succeed(&[]));
    assert!(text.len() > 10, "{text:?}");
    let (json, svg) = (succeed(&["--json"]), succeed(&["--svg", "-"]));
    let mut rest = json.as_str();
    for [lba, blocks, holds, clause, name] in &text {
        let row = format!(
            "{{ \"lba\": {lba}, \"blocks\": {blocks}, \"holds\": \"{holds}\", \"clause\": \"{clause}\", \"name\": \"{name}\" }}"
        );
        let at = rest.find(&row).unwrap_or_else(|| panic!("{row} is not in the rest of\n{json}"));
        rest = &rest[at..];
        assert!(svg.contains(&format!(">{holds} ({clause})</text>")), "{holds}");
        assert!(svg.contains(&format!(">{name}</text>")), "{name}");
    }
    assert_eq!(json.matches("\"lba\"").count(), text.len());
    assert!(!svg.contains("http://") || svg.matches("http").count() == 1, "the name space alone is a URL");
}

#[test]
fn the_drawing_goes_into_a_file() {
    let path = temporary("layout.svg");
    let name = path.to_str().expect("UTF-8");
    assert_eq!(succeed(&["--svg", name]), "");
    assert_eq!(fs::read_to_string(&path).expect("the drawing"), succeed(&["--svg", "-"]));
    let output = run(&["--svg", "/no/such/folder/map.svg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder/map.svg"));
}

#[test]
fn other_commands_draw_no_map() {
    let ls = Command::new(env!("CARGO_BIN_EXE_picovd")).args(["ls", "--json"]).output().expect("it starts");
    assert_eq!(ls.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&ls.stderr).contains("--json is for layout"));
}
