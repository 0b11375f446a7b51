//! Settings that are declared wrong: the compiler refuses them, and names the field.

use std::path::Path;
use std::process::Command;

/// Compiles `settings_mistakes` with one of its mistakes. Returns whether it compiles, and what the compiler says.
fn compile(mistake: &str) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["rustc", "--locked", "--offline", "--package", "picovd", "--test", "settings_mistakes"])
        // Where everything else is compiled already.
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."))
        .args(["--", "--emit=metadata", "--cfg", &format!("mistake=\"{mistake}\"")])
        .output()
        .expect("cargo starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_compiler_refuses_what_is_declared_wrong() {
    let (right, text) = compile("none");
    assert!(right, "without a mistake it compiles\n{text}");
    for (mistake, message) in [
        ("low", "setting `interval`: it may not have its default"),
        ("null", "setting `offset`: it may not have its default"),
        ("infinite", "setting `scale`: it may not have its default"),
        ("short", "setting `place`: it may not have its default"),
        ("long", "setting `place`: it may not have its default"),
        ("narrow", "setting `name`: its type has fewer bytes than it may have characters"),
        ("unbounded", "a text setting cannot be a `std::string::String`"),
        ("swapped", "the trait bound `u16: Choice` is not satisfied"),
        ("type", "expected `bool`, found `u8`"),
        ("twice", "field `on` is already declared"),
        ("apart", "no function or associated item named `new` found for struct `Group"),
        ("misspelt", "no field `intervall` on type `&Lamp`"),
    ] {
        let (right, text) = compile(mistake);
        assert!(!right, "{mistake}: it compiles");
        assert!(text.contains(message), "{mistake}: {message:?} is not in\n{text}");
    }
}
