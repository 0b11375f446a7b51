//! Programs that the compiler must refuse: a file of tests/ with one of its mistakes.

use std::path::Path;
use std::process::Command;

/// Compiles the test target `file` with one of its mistakes. Returns whether it compiles, and what the compiler says.
fn compile(file: &str, mistake: &str) -> (bool, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .current_dir(root)
        .args(["rustc", "--locked", "--offline", "--package", "picovd", "--test", file])
        // Where everything else is compiled already.
        .arg("--target-dir")
        .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join(".."))
        .args(["--", "--emit=metadata", "--cfg", &format!("mistake=\"{mistake}\"")])
        .output()
        .expect("cargo starts");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `file` compiles without a mistake. With each of `mistakes` it does not, and the compiler says the words beside it.
pub fn refuses(file: &str, mistakes: &[(&str, &[&str])]) {
    let (right, text) = compile(file, "none");
    assert!(right, "without a mistake it compiles\n{text}");
    for (mistake, words) in mistakes {
        let (right, text) = compile(file, mistake);
        assert!(!right, "{mistake}: it compiles");
        for words in *words {
            assert!(text.contains(words), "{mistake}: {words:?} is not in\n{text}");
        }
    }
}
