//! Tools of Rust's nightly toolchain, for `--long`: Miri, and cargo-fuzz with its sanitizers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, LONG, SHORT};
use crate::setup::Policy;
use crate::workspace::Workspace;

/// rustup's name of the toolchain.
const NIGHTLY: &str = "nightly";

/// Cargo of the nightly toolchain, in a folder.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", NIGHTLY, "cargo"]).current_dir(root).env("CARGO_TERM_COLOR", "never");
    command::forget_cargo_run(&mut command);
    // Those of the cargo that runs this task.
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN", "RUST_RECURSION_COUNT"] {
        command.env_remove(name);
    }
    command
}

/// Where cargo-fuzz is installed.
fn tools(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools")
}

/// cargo-fuzz, with the nightly toolchain.
pub fn fuzz(workspace: &Workspace) -> Command {
    let mut command = cargo(&workspace.root);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = [tools(workspace).join("bin")].into_iter().chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
    command.arg("fuzz");
    command
}

/// Installs the toolchain with Miri, and cargo-fuzz, if necessary.
pub fn components(workspace: &Workspace, policy: Policy) -> Result<(), String> {
    let root = Path::new(".");
    if command::run(cargo(root).args(["miri", "--version"]), SHORT).is_err() {
        let commands: [&[&str]; 2] = [
            &["toolchain", "install", NIGHTLY, "--profile", "minimal"],
            &["component", "add", "miri", "rust-src", "--toolchain", NIGHTLY],
        ];
        let by_hand = commands.map(|words| format!("rustup {}", words.join(" "))).join(" && ");
        if policy == Policy::Refuse || command::which("rustup").is_none() {
            return Err(format!("missing Miri; run: {by_hand}"));
        }
        println!("fetching Miri: {by_hand}");
        for words in commands {
            command::run(Command::new("rustup").args(words), LONG)?;
        }
    }
    if command::run(fuzz(workspace).arg("--version"), SHORT).is_err() {
        let folder = tools(workspace);
        let words = ["install", "cargo-fuzz", "--locked", "--root"];
        if policy == Policy::Refuse {
            return Err(format!("missing cargo-fuzz; run: cargo {} {}", words.join(" "), folder.display()));
        }
        println!("installing cargo-fuzz");
        command::run(command::cargo(root).args(words).arg(folder), LONG)?;
    }
    Ok(())
}
