//! Measures how fast the firmware is: builds it, and runs it on the emulated board.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, LONG};
use crate::elf::{Elf, Kind};
use crate::firmware::{self, Variant};
use crate::rings::{examples, simulator};
use crate::symbols;
use crate::toolchain::Toolchain;
use crate::workspace::Workspace;

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table for the terminal.
    Table,
    /// For machines.
    Json,
    /// In the README's format.
    Markdown,
    /// Awake cycles by function, for each kind of sector.
    Profile,
}

/// How many functions a profile shows for each kind of sector.
const SHOWN: usize = 12;

/// Builds the program that measures.
pub fn program(workspace: &Workspace) -> Result<PathBuf, String> {
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["build", "--release", "--package", "picovd-sim", "--example", "bench"]);
    cargo.env("CARGO_TARGET_DIR", &workspace.target);
    command::run(&mut cargo, LONG)?;
    Ok(workspace.target.join("release/examples/bench"))
}

/// Numbers of files for which the cost of a directory is measured.
const MANY: [u32; 3] = [10, 100, 1000];

/// A volume of a little more than 16 MiB, all of it from flash.
const SIXTEEN_MEBIBYTES: &str = "\
[chip]
flash-size = \"16 MiB\"

[[memory]]
path = \"FLASH.BIN\"
window = \"flash\"
";

/// Measures the firmware `elf`, which was built from `manifest` (by default the stock manifest).
pub fn run(workspace: &Workspace, elf: &Path, manifest: Option<&Path>, form: Form) -> Result<(), String> {
    let mut bench = Command::new(program(workspace)?);
    bench.current_dir(&workspace.root).arg("--elf").arg(elf);
    if let Some(manifest) = manifest {
        bench.arg("--manifest").arg(manifest);
    }
    show(bench, elf, form)
}

/// Builds firmware for a plain disk and what it is compared with, and measures everything.
pub fn run_all(workspace: &Workspace, toolchain: &Toolchain, form: Form) -> Result<(), String> {
    let manifest = workspace.root.join("tests/manifests/plain.toml");
    let plain = Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "plain" };
    let elf = firmware::build_variant(workspace, toolchain, plain, true)?.elf;
    let mut bench = Command::new(program(workspace)?);
    bench.current_dir(&workspace.root).arg("--elf").arg(&elf).arg("--manifest").arg(&manifest);
    if form != Form::Profile {
        bench.args(companions(workspace, toolchain)?);
    }
    show(bench, &elf, form)
}

fn show(mut bench: Command, elf: &Path, form: Form) -> Result<(), String> {
    match form {
        Form::Table => {}
        Form::Json => {
            bench.arg("--json");
        }
        Form::Markdown => {
            bench.arg("--markdown");
        }
        Form::Profile => {
            bench.arg("--profile");
        }
    }
    let text = command::run(&mut bench, LONG)?.text();
    if form == Form::Profile {
        print!("{}", profile(&text, &Elf::read(elf)?)?);
    } else {
        print!("{text}");
    }
    Ok(())
}

/// What is measured in addition to that, as arguments for the program that measures.
fn companions(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<OsString>, String> {
    let folder = workspace.scratch("bench")?;
    let root = &workspace.root;
    let mut arguments: Vec<OsString> = Vec::new();
    let hal = firmware::test_program(workspace, toolchain, "picovd-hal-bus")?;
    arguments.extend(["--hal".into(), hal.into()]);
    let manifest = root.join("tests/manifests/full.toml");
    let full = Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: "full" };
    let full = firmware::build_variant(workspace, toolchain, full, true)?;
    arguments.extend(["--full".into(), full.elf.into(), manifest.into()]);
    let log = firmware::test_program(workspace, toolchain, "picovd-chatter")?;
    arguments.extend(["--log".into(), log.into(), root.join("tests/chatter/picovd.toml").into()]);
    for files in MANY {
        let (name, manifest) = (format!("many-{files}"), folder.join(format!("many-{files}.toml")));
        write(&manifest, &many(files))?;
        let variant = Variant { binary: firmware::BINARY, manifest: Some(&manifest), name: &name };
        let elf = firmware::build_variant(workspace, toolchain, variant, true)?.elf;
        arguments.extend(["--many".into(), elf.into(), manifest.into()]);
    }
    let interrupts = examples::one(workspace, toolchain, "examples", "interrupts")?;
    arguments.extend(["--interrupts".into(), interrupts.into(), root.join("examples/interrupts/picovd.toml").into()]);
    let calls = firmware::test_program(workspace, toolchain, "picovd-many-files")?;
    arguments.extend(["--calls".into(), calls.into(), root.join("tests/many-files/picovd.toml").into()]);
    let settings = examples::one(workspace, toolchain, "examples", "settings")?;
    arguments.extend(["--settings".into(), settings.into(), root.join("examples/settings/picovd.toml").into()]);
    arguments.extend(["--commands".into(), root.join("tests/blessed/kernel-commands.txt").into()]);
    let volume = folder.join("sixteen-mebibytes.toml");
    write(&volume, SIXTEEN_MEBIBYTES)?;
    arguments.extend(["--sim".into(), simulator::build(workspace)?.into(), volume.into()]);
    Ok(arguments)
}

/// A manifest with that many small files in one folder.
fn many(files: u32) -> String {
    (0..files).map(|n| format!("[[file]]\npath = \"files/FILE-{n:04}.TXT\"\ntext = \"File {n}.\"\n\n")).collect()
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}

/// Sums up lines of `ADDRESS CYCLES KIND` by function.
fn profile(lines: &str, elf: &Elf) -> Result<String, String> {
    let functions: Vec<_> = elf.symbols.iter().filter(|symbol| symbol.kind == Kind::Text).collect();
    let mut kinds: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for line in lines.lines() {
        let mut words = line.splitn(3, ' ');
        let (address, cycles, kind) = (words.next(), words.next(), words.next());
        let address = address.and_then(|word| u32::from_str_radix(word, 16).ok());
        let cycles = cycles.and_then(|word| word.parse::<u64>().ok());
        let (Some(address), Some(cycles), Some(kind)) = (address, cycles, kind) else {
            return Err(format!("a profile has no line like `{line}`"));
        };
        // Symbols are sorted by address.
        let place = functions.partition_point(|symbol| symbol.address <= address).checked_sub(1);
        let home =
            place.and_then(|place| functions.get(place)).filter(|symbol| address - symbol.address < symbol.length);
        let name = home.map_or_else(|| "(no function)".to_owned(), |symbol| symbols::path(symbol));
        *kinds.entry(kind).or_default().entry(name).or_default() += cycles;
    }
    let mut out = String::new();
    for (kind, functions) in kinds {
        let total: u64 = functions.values().sum();
        let mut functions: Vec<_> = functions.into_iter().collect();
        functions.sort_by_key(|(name, cycles)| (std::cmp::Reverse(*cycles), name.clone()));
        out += &format!("{kind}: {total} cycles\n");
        for (name, cycles) in functions.into_iter().take(SHOWN) {
            out += &format!("{:>6.1} %  {name}\n", cycles as f64 * 100.0 / total as f64);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::profile;
    use crate::elf::{Elf, Kind, Symbol};
    use picovd_uf2::RP2350_ARM_S;

    #[test]
    fn cycles_are_added_up_by_function() {
        let symbol = |name: &str, address| Symbol { name: name.to_owned(), kind: Kind::Text, address, length: 8 };
        let elf = Elf {
            family: RP2350_ARM_S,
            segments: Vec::new(),
            sections: Vec::new(),
            symbols: vec![symbol("one", 0x100), symbol("two", 0x108)],
        };
        let text = profile("00000100 5 FAT\n00000106 1 FAT\n00000108 2 FAT\n00000110 2 FAT\n", &elf).unwrap();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines, ["FAT: 10 cycles", "60.0 %  one", "20.0 %  (no function)", "20.0 %  two"]);
        assert!(profile("rubbish", &elf).is_err());
    }
}
