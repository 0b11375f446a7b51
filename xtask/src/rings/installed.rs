//! `cargo install --path cli`, and the program that it gives where there is no clone.

use std::fs;
use std::process::Command;

use super::Context;
use super::ring0::Copy;
use crate::command::{self, LONG, SHORT};

/// Every command that needs a manifest, with what else it needs.
const COMMANDS: [&str; 11] = [
    "show",
    "ls",
    "cat A.TXT",
    "log",
    "image x.img",
    "check",
    "console",
    "layout",
    "serve --usbip 127.0.0.1:0",
    "story",
    "dump",
];

/// What the program proposes in place of the stock manifest.
const PROPOSAL: &str = "--manifest ./picovd.toml";

/// Installs it from a copy of the sources, which is gone when it runs.
pub fn check(context: &Context) -> Result<(), String> {
    let folder = context.workspace.scratch("installed")?;
    let copy = Copy::make(&context.workspace)?;
    let mut install = command::cargo(copy.root());
    install.args(["install", "--locked", "--path", "cli", "--root"]).arg(&folder);
    command::run(install.env("CARGO_TARGET_DIR", context.workspace.target.join("installed")), LONG)?;
    drop(copy);
    let program = folder.join("bin/picovd");
    let run = |words: &str| {
        let mut command = Command::new(&program);
        command::finish(command.args(words.split_whitespace()).current_dir(&folder), SHORT)
    };
    let version = run("--version")?.text();
    if version.trim() != concat!("picovd ", env!("CARGO_PKG_VERSION")) {
        return Err(format!("`picovd --version` says {version}"));
    }
    for words in COMMANDS {
        let said = run(words)?;
        if said.status.code() != Some(2) || !said.both().contains(PROPOSAL) {
            return Err(format!("`picovd {words}` does not propose a manifest ({}): {}", said.status, said.both()));
        }
    }
    // What it proposes is enough.
    let manifest = folder.join("picovd.toml");
    fs::write(&manifest, "[[file]]\npath = \"HELLO.TXT\"\ntext = \"Hello!\"\n")
        .map_err(|e| format!("{}: {e}", manifest.display()))?;
    let said = run(&format!("cat HELLO.TXT {PROPOSAL}"))?;
    if said.text() == "Hello!" { Ok(()) } else { Err(format!("`picovd cat` says {}", said.both())) }
}
