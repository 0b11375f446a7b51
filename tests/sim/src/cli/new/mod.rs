//! `new`: a package for a firmware of one's own.

mod name;

use super::{Failure, Options};
use name::package_name;
use std::env;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the help says of it.
pub const DETAILS: &str = "DIR is made; an empty folder will do, too. Its name is the package's. The package uses this clone of PicoVD\n\
                           by its path. In the new folder, `cargo sim` runs the program on an emulated board, and\n\
                           `cargo uf2` writes the file that a board is flashed with.";

/// The target of the RP2350's Arm cores.
const TARGET: &str = "thumbv8m.main-none-eabihf";

/// The files, by path.
const FILES: [(&str, &str); 6] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.in")),
    ("build.rs", include_str!("template/build.rs.in")),
    ("picovd.toml", include_str!("template/picovd.toml.in")),
    ("src/main.rs", include_str!("template/main.rs.in")),
    (".cargo/config.toml", include_str!("template/config.toml.in")),
    (".gitignore", include_str!("template/gitignore.in")),
];

/// `cargo sim new DIR`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let given = PathBuf::from(options.arguments.first().cloned().unwrap_or_default());
    let folder =
        std::path::absolute(&given).map_err(|reason| Failure::Failed(format!("{}: {reason}", given.display())))?;
    // `.` and `..` have their names from the file system.
    let named = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
    let name = package_name(named.file_name().unwrap_or_default()).map_err(Failure::Failed)?;
    check_empty(&folder, &given)?;
    let repository = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .map_err(|reason| Failure::Failed(format!("the clone of PicoVD is gone: {reason}")))?;
    write(&folder, &name, &repository)
        .map_err(|reason| Failure::Failed(format!("{} cannot be written: {reason}", given.display())))?;
    writeln!(out, "{} is a package now:\n", given.display())?;
    for (path, what) in [
        ("picovd.toml", "what is on the stick"),
        ("src/main.rs", "the program, with a file of its own: COUNT.TXT"),
        (".cargo/config.toml", "what `cargo sim` and `cargo uf2` do"),
    ] {
        writeln!(out, "    {path:<20}{what}")?;
    }
    writeln!(out, "\nNow:\n")?;
    writeln!(out, "    cd {}", shell_word(&given.display().to_string()))?;
    if !target_is_installed() {
        writeln!(out, "    {:<42}# Rust's library for the chip", format!("rustup target add {TARGET}"))?;
    }
    writeln!(out, "    {:<42}# build it, and run it on an emulated board;", "cargo sim")?;
    writeln!(out, "    {:<42}# the first time builds the simulator, too: some minutes", "")?;
    writeln!(out, "    {:<42}# one of its files", "cargo sim cat README.TXT")?;
    writeln!(out, "    {:<42}# {name}.uf2: hold BOOTSEL, plug the board in, copy it", "cargo uf2")?;
    Ok(())
}

/// Refuses a folder with anything in it, and what is no folder.
fn check_empty(folder: &Path, given: &Path) -> Result<(), Failure> {
    let given = given.display();
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            Err(Failure::Failed(format!("{given} has files in it already: name a new folder, or an empty one")))
        }
        Ok(false) => Ok(()),
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(reason) if reason.kind() == io::ErrorKind::NotADirectory => {
            Err(Failure::Failed(format!("{given} is a file: name a new folder")))
        }
        Err(reason) => Err(Failure::Failed(format!("{given}: {reason}"))),
    }
}

fn write(folder: &Path, name: &str, repository: &Path) -> io::Result<()> {
    let workspace = repository.join("Cargo.toml");
    // Programs of the clone, run by cargo: they are as new as the clone. Their target is this PC, not the package's.
    let runner = |options: &[&str], words: &[&str]| {
        // Not quiet: where cargo builds them first, that takes minutes, and it tells of each crate.
        let program = ["cargo", "run", "--target", "host-tuple", "--manifest-path"];
        let workspace = text(&workspace);
        program.iter().chain(&[&*workspace]).chain(options).chain(words).map(one_word).collect::<Vec<_>>().join(",")
    };
    let sim = ["--package", "picovd-sim", "--", "--manifest", "picovd.toml", "--elf"];
    let replacements = [
        ("@name@", name.to_owned()),
        ("@label@", label(name)),
        ("@picovd@", quoted(text(repository))),
        ("@manifest@", quoted(text(&repository.join("manifest")))),
        ("@sim-words@", runner(&["--release"], &sim)),
        ("@uf2-words@", runner(&[], &["--package", "xtask", "--", "uf2"])),
        ("@schema@", text(&repository.join("picovd.schema.json"))),
        ("@stock@", text(&repository.join("picovd.toml"))),
    ];
    for (path, template) in FILES {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let contents = replacements.iter().fold(template.to_owned(), |text, (from, to)| text.replace(from, to));
        fs::write(path, contents)?;
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A TOML string.
fn quoted(text: impl AsRef<str>) -> String {
    format!("\"{}\"", escaped(text.as_ref()))
}

/// A TOML string within an alias, which is itself a string in single quotes that cargo splits at white space. An alias of
/// several strings would not do: in a folder of a clone, cargo refuses it beside the clone's alias of the same name.
fn one_word(text: impl AsRef<str>) -> String {
    let escape = |unit: char| match unit {
        '\\' | '"' | '\'' => format!("\\u{:04X}", u32::from(unit)),
        _ if unit.is_whitespace() || unit.is_control() => format!("\\u{:04X}", u32::from(unit)),
        _ => unit.to_string(),
    };
    format!("\"{}\"", text.as_ref().chars().map(escape).collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The package's name as a volume label: 11 characters, in capitals.
fn label(name: &str) -> String {
    name.to_ascii_uppercase().chars().take(11).collect()
}

/// A word for a shell.
fn shell_word(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_alphanumeric() || "-_./~+@%:,".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Whether the compiler in PATH has the chip's core library. A compiler that does not say counts as one that has it: cargo
/// tells then.
fn target_is_installed() -> bool {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let Ok(asked) = asked else { return true };
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}
