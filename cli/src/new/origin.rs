//! Where a new package gets PicoVD from: a clone on this machine, a git repository, or the registry.

use crate::Failure;
use picovd_sim::plug::CLONE;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where PicoVD comes from.
pub enum Origin {
    /// The clone of this program.
    Clone(PathBuf),
    /// A repository's URL.
    Git(String),
    /// The published version.
    Registry,
}

impl Origin {
    /// A repository, or the registry, or else a clone.
    ///
    /// # Errors
    /// There is no clone.
    pub fn of(git: Option<&str>, registry: bool) -> Result<Self, Failure> {
        match git {
            Some(url) => Ok(Self::Git(url.to_owned())),
            None if registry => Ok(Self::Registry),
            None => clone().map(Self::Clone).ok_or_else(|| {
                let here = "neither above this program nor above this folder";
                Failure::Failed(format!("there is no clone of PicoVD {here}: run it in the clone, or use --git URL"))
            }),
        }
    }

    /// Whether it is not on this machine.
    pub fn is_elsewhere(&self) -> bool {
        !matches!(self, Self::Clone(_))
    }

    /// The command that installs the simulator into PATH.
    pub fn install(&self) -> String {
        match self {
            Self::Git(url) => format!("cargo install --git {url} picovd-cli"),
            Self::Clone(_) | Self::Registry => "cargo install picovd-cli".to_owned(),
        }
    }

    /// The comment next to the dependencies.
    pub fn comment(&self) -> String {
        match self {
            Self::Clone(_) => {
                "# The clone of PicoVD that wrote this. If you move it, change these two paths and those in \
                               .cargo/config.toml."
                    .to_owned()
            }
            _ => format!("# `cargo sim` and `cargo uf2` need the simulator: {}", self.install()),
        }
    }

    /// The location of the package in a folder of the repository, as a dependency's first key.
    pub fn dependency(&self, folder: &str) -> String {
        match self {
            Self::Clone(root) => {
                let path = if folder.is_empty() { root.clone() } else { root.join(folder) };
                format!("path = {}", quoted(text(&path)))
            }
            Self::Git(url) => format!("git = {}", quoted(url)),
            Self::Registry => format!("version = {}", quoted(env!("CARGO_PKG_VERSION"))),
        }
    }

    /// The simulator's command line before the firmware's path, as the contents of a TOML array. With a clone, cargo runs
    /// it, so it is as new as the clone; the clone's own `cargo sim` uses the same target folder.
    pub fn runner(&self) -> String {
        let simulator: Vec<String> = match self {
            Self::Clone(root) => {
                let workspace = text(&root.join("Cargo.toml"));
                // Not quiet: if cargo has to build it first, that takes a minute, and cargo prints its progress. The target
                // is this PC, not the package's.
                let words = ["cargo", "run", "--release", "--target", "host-tuple", "--manifest-path", &workspace];
                words.iter().chain(&["--package", "picovd-cli", "--"]).map(quoted).collect()
            }
            Self::Git(_) | Self::Registry => vec![quoted("picovd")],
        };
        let words = ["--manifest", "picovd.toml", "--elf"].map(quoted);
        simulator.into_iter().chain(words).collect::<Vec<_>>().join(", ")
    }

    /// The first line of picovd.toml, for editors.
    pub fn schema(&self) -> String {
        match self {
            Self::Clone(root) => format!("#:schema {}\n", text(&root.join("picovd.schema.json"))),
            _ => String::new(),
        }
    }

    /// Where every key of a manifest is explained.
    pub fn stock(&self) -> String {
        match self {
            Self::Clone(root) => text(&root.join("picovd.toml")),
            _ => "picovd.toml in PicoVD's repository".to_owned(),
        }
    }
}

/// The clone: above this program, above the current folder, or where this program was built.
fn clone() -> Option<PathBuf> {
    let program = env::current_exe().ok();
    let here = env::current_dir().ok();
    let starts = [program.as_deref(), here.as_deref(), CLONE.map(Path::new)];
    starts
        .into_iter()
        .flatten()
        .flat_map(Path::ancestors)
        .find(|path| is_clone(path))
        .and_then(|path| fs::canonicalize(path).ok())
}

fn is_clone(path: &Path) -> bool {
    ["picovd.schema.json", "manifest/Cargo.toml", "cli/Cargo.toml"].iter().all(|file| path.join(file).is_file())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A TOML string.
fn quoted(text: impl AsRef<str>) -> String {
    format!("\"{}\"", escaped(text.as_ref()))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
