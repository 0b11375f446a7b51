//! `new`: a package for custom firmware.

mod name;
mod origin;

use crate::Failure;
use clap::Args;
use name::package_name;
use origin::Origin;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Create a package for custom firmware
///
/// The package uses this clone of PicoVD by its path, unless an option says otherwise. In the new folder, `cargo run` and
/// `cargo sim` run the program on an emulated board, and `cargo uf2` writes the file to be flashed. With --git and
/// --registry, both run the program `picovd` that `cargo install` has put into PATH.
#[derive(Args)]
pub struct New {
    /// The folder, which is created unless it is empty. Its name becomes the package's name
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Use PicoVD from a git repository, so that the package can be shared and built anywhere
    #[arg(long, value_name = "URL")]
    git: Option<String>,
    /// Use PicoVD's published version
    #[arg(long, conflicts_with = "git")]
    registry: bool,
}

impl New {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let given = &self.folder;
        let folder =
            std::path::absolute(given).map_err(|reason| Failure::Failed(format!("{}: {reason}", given.display())))?;
        // `.` and `..` have their names from the file system.
        let named = fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
        let name = package_name(named.file_name().unwrap_or_default()).map_err(Failure::Failed)?;
        check_empty(&folder, given)?;
        let origin = Origin::of(self.git.as_deref(), self.registry)?;
        write(&folder, &name, &origin)
            .map_err(|reason| Failure::Failed(format!("{} cannot be written: {reason}", given.display())))?;
        for (path, what) in [
            ("Cargo.toml", "the package"),
            ("build.rs", "makes the disk's tables from picovd.toml"),
            ("picovd.toml", "what is on the stick"),
            ("src/main.rs", "the program, which adds the file COUNT.TXT"),
            (".cargo/config.toml", "what `cargo run`, `cargo sim` and `cargo uf2` do"),
        ] {
            writeln!(out, "wrote {:<32} {what}", given.join(path).display().to_string())?;
        }
        writeln!(out, "{} is ready", given.display())?;
        writeln!(out, "\nNow:\n")?;
        writeln!(out, "    cd {}", shell_word(&given.display().to_string()))?;
        if !target_is_installed() {
            writeln!(out, "    {:<41} # Rust's library for the chip", format!("rustup target add {TARGET}"))?;
        }
        if origin.is_elsewhere() {
            writeln!(out, "    {:<41} # the simulator", origin.install())?;
        }
        writeln!(out, "    {:<41} # build it, and run it on an emulated board;", "cargo sim")?;
        writeln!(out, "    {:<41} # the first time builds the libraries, too: a minute or two", "")?;
        writeln!(out, "    {:<41} # one of its files", "cargo sim cat README.TXT")?;
        writeln!(out, "    {:<41} # {name}.uf2: hold BOOTSEL, plug the board in, copy it", "cargo uf2")?;
        Ok(())
    }
}

/// Refuses a folder that is not empty, and anything that is not a folder.
fn check_empty(folder: &Path, given: &Path) -> Result<(), Failure> {
    let given = given.display();
    match fs::read_dir(folder).map(|mut entries| entries.next().is_some()) {
        Ok(true) => Err(Failure::Failed(format!("{given} is not empty: specify a new folder, or an empty one"))),
        Ok(false) => Ok(()),
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(reason) if reason.kind() == io::ErrorKind::NotADirectory => {
            Err(Failure::Failed(format!("{given} is a file: specify a new folder")))
        }
        Err(reason) => Err(Failure::Failed(format!("{given}: {reason}"))),
    }
}

fn write(folder: &Path, name: &str, origin: &Origin) -> io::Result<()> {
    let replacements = [
        ("@name@", name.to_owned()),
        ("@label@", label(name)),
        ("@origin@", origin.comment()),
        ("@picovd@", origin.dependency("")),
        ("@manifest@", origin.dependency("manifest")),
        ("@sim-words@", origin.runner()),
        ("@schema@", origin.schema()),
        ("@stock@", origin.stock()),
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

/// The package's name as a volume label: 11 characters, in capitals.
fn label(name: &str) -> String {
    name.to_ascii_uppercase().chars().take(11).collect()
}

/// An argument for a shell.
fn shell_word(word: &str) -> String {
    let plain = word.chars().all(|c| c.is_alphanumeric() || "-_./~+@%:,".contains(c));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

/// Whether the compiler in PATH has the chip's core library. If the compiler does not say, assume that it has: cargo will
/// report otherwise.
fn target_is_installed() -> bool {
    let asked = Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]).output();
    let Ok(asked) = asked else { return true };
    let folder = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}
