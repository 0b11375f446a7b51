//! The simulator's program, for the rings that test from outside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, LONG};
use crate::truth::Truth;
use crate::workspace::Workspace;

/// Builds picovd-cli in release mode, as `cargo sim` does, and returns its path.
pub fn build(workspace: &Workspace) -> Result<PathBuf, String> {
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["build", "--release", "--package", "picovd-cli"]).env("CARGO_TARGET_DIR", &workspace.target);
    command::run(&mut cargo, LONG)?;
    let program = workspace.target.join("release/picovd");
    if program.is_file() { Ok(program) } else { Err(format!("the build left no {}", program.display())) }
}

/// The simulator in the workspace's root.
pub fn command(workspace: &Workspace, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&workspace.root);
    command
}

/// Reads the whole volume of a manifest through the simulated bus into a file.
pub fn image(workspace: &Workspace, program: &Path, manifest: &Path, image: &Path) -> Result<(), String> {
    let mut read = command(workspace, program);
    read.arg("image").arg(image).arg("--manifest").arg(manifest);
    command::run(&mut read, LONG)?;
    let length = fs::metadata(image).map_err(|e| format!("{}: {e}", image.display()))?.len();
    if length >= 1 << 20 { Ok(()) } else { Err(format!("an image of {length} bytes is smaller than any exFAT volume")) }
}

/// Reads every file through the simulated bus.
pub fn files(
    workspace: &Workspace,
    program: &Path,
    manifest: &Path,
    truth: &Truth,
) -> Result<std::collections::BTreeMap<String, Vec<u8>>, String> {
    truth
        .files
        .keys()
        .map(|path| {
            let mut cat = command(workspace, program);
            cat.arg("cat").arg("--manifest").arg(manifest).arg("--").arg(path);
            Ok((path.clone(), command::run(&mut cat, LONG)?.stdout))
        })
        .collect()
}
