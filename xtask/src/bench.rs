//! How fast the firmware is: built, and measured on the emulated board.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{self, LONG};
use crate::elf::{Elf, Kind};
use crate::size;
use crate::workspace::Workspace;

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table for people.
    Table,
    /// For machines.
    Json,
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

/// Measures the firmware `elf`, which was built from `manifest` (the stock manifest where there is none).
pub fn run(workspace: &Workspace, elf: &Path, manifest: Option<&Path>, form: Form) -> Result<(), String> {
    let mut bench = Command::new(program(workspace)?);
    bench.current_dir(&workspace.root).arg("--elf").arg(elf);
    if let Some(manifest) = manifest {
        bench.arg("--manifest").arg(manifest);
    }
    match form {
        Form::Table => {}
        Form::Json => {
            bench.arg("--json");
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

/// Adds up lines of `ADDRESS CYCLES KIND` by function.
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
        // Symbols come by address.
        let place = functions.partition_point(|symbol| symbol.address <= address).checked_sub(1);
        let home =
            place.and_then(|place| functions.get(place)).filter(|symbol| address - symbol.address < symbol.length);
        let name = home.map_or_else(|| "(no function)".to_owned(), |symbol| size::path(symbol));
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

    #[test]
    fn cycles_are_added_up_by_function() {
        let symbol = |name: &str, address| Symbol { name: name.to_owned(), kind: Kind::Text, address, length: 8 };
        let elf = Elf {
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
