//! What people download: everything in one folder, with checksums and a note.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::command::{self, LONG};
use crate::firmware::{self, Variant};
use crate::page;
use crate::setup::Policy;
use crate::toolchain::{Processor, Toolchain};
use crate::workspace::Workspace;

/// The version of everything.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The tool's manifest.
const TOOL: &str = "examples/picovd-tool.toml";

/// Builds all of it, and returns the folder. `page` is the page as the stick shows it.
pub fn build(workspace: &Workspace, toolchain: &Toolchain, policy: Policy, page: &Path) -> Result<PathBuf, String> {
    let folder = workspace.target.join(format!("picovd-{VERSION}"));
    fs::create_dir_all(&folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
    let copy = |from: &Path, name: &str| {
        fs::copy(from, folder.join(name)).map(drop).map_err(|e| format!("cannot copy {}: {e}", from.display()))
    };
    let tool = workspace.root.join(TOOL);
    for (processor, suffix) in [(Processor::Arm, ""), (Processor::RiscV, "-riscv")] {
        let toolchain = toolchain.of(processor, workspace, policy)?;
        let build = |name: &str, manifest: Option<&Path>, page: Option<&Path>| {
            println!("building {name}");
            let variant = Variant { binary: firmware::BINARY, manifest, name };
            firmware::build_with_page(workspace, &toolchain, variant, processor, page, true)
        };
        if processor == Processor::Arm {
            // The firmware inside the page is the one without the page, which would contain itself.
            let inner = build("picovd-without-page", None, None)?;
            page::build(workspace, Some(&inner.uf2), &folder.join("CONFIGURE.HTM"))?;
        }
        let name = format!("picovd{suffix}");
        copy(&build(&name, None, Some(page))?.uf2, &format!("{name}.uf2"))?;
        let name = format!("picovd-tool{suffix}");
        copy(&build(&name, Some(&tool), None)?.uf2, &format!("{name}.uf2"))?;
    }
    println!("building the program picovd");
    copy(&program(workspace)?, "picovd")?;
    let note = folder.join("RELEASE.md");
    fs::write(&note, NOTE.replace("VERSION", VERSION)).map_err(|e| format!("{}: {e}", note.display()))?;
    sums(&folder)?;
    Ok(folder)
}

/// The files, in the order of SHA256SUMS.
pub const FILES: [&str; 7] = [
    "CONFIGURE.HTM",
    "RELEASE.md",
    "picovd",
    "picovd-riscv.uf2",
    "picovd-tool-riscv.uf2",
    "picovd-tool.uf2",
    "picovd.uf2",
];

/// Writes SHA256SUMS, as `sha256sum -c` reads it.
fn sums(folder: &Path) -> Result<(), String> {
    let mut text = String::new();
    for name in FILES {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        text += &format!("{sum}  {name}\n");
    }
    let path = folder.join("SHA256SUMS");
    fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
}

/// The program for people, which does not know the folder that it was built in.
fn program(workspace: &Workspace) -> Result<PathBuf, String> {
    let toolchain = Toolchain::InUse;
    let target = host()?;
    let mut cargo = toolchain.cargo(&workspace.root);
    cargo.args(["build", "--release", "--locked", "--package", "picovd-cli", "--target", &target]);
    cargo.args(firmware::without_folders(workspace, &toolchain, &target)?);
    // The names of the compiler's own symbols depend on the folder.
    cargo.args(["--config", "profile.release.strip=\"symbols\""]);
    cargo.env("CARGO_TARGET_DIR", workspace.target.join("release-program")).env("PICOVD_RELEASE", VERSION);
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS"] {
        cargo.env_remove(name);
    }
    command::run(&mut cargo, LONG)?;
    Ok(workspace.target.join("release-program").join(target).join("release/picovd"))
}

/// This machine, as the compiler calls it.
fn host() -> Result<String, String> {
    let mut rustc = std::process::Command::new("rustc");
    let said = command::run(rustc.arg("-vV"), LONG)?.text();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| format!("`rustc -vV` names no host: {said}"))
}

/// What each file is for.
const NOTE: &str = "\
# PicoVD VERSION

A Raspberry Pi Pico 2, or another board with an RP2350, as a USB stick that shows its memory, flash, logs, sensor data and your own
files. No driver, no probe, no program on the PC. Run on an emulated board and before a Linux kernel; nobody has reported a real board
yet.

| file | what it is for |
|---|---|
| picovd.uf2 | the firmware: hold BOOTSEL while you plug the board in, and copy it onto the drive that appears |
| CONFIGURE.HTM | open it in a browser: it makes the UF2 file that puts your own files, label and settings on the stick, or firmware and configuration in one |
| picovd-tool.uf2 | runs from the board's RAM and shows what is in its flash, which it leaves as it is |
| picovd-riscv.uf2, picovd-tool-riscv.uf2 | the same for the chip's RISC-V cores; settings are not kept there |
| picovd | the program for Linux on x86-64 machines like the one it was built on: `picovd --help` |
| SHA256SUMS | `sha256sum -c SHA256SUMS` |
";
