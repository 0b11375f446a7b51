//! A Rust that builds for the chip: thumbv8m.main-none-eabihf, and riscv32imac-unknown-none-elf for its other cores.
//! Also for the targets of other chips.
//!
//! Two ways, in this order:
//! 1. the compiler in use with the target's own standard library, which `rustup target add` fetches;
//! 2. Debian's rustc-web and cargo-web with rust-web-src: core is built here (`-Z build-std=core`, which a release compiler
//!    does under RUSTC_BOOTSTRAP=1). Debian's compiler brings no linker for the chip: rust-lld of any other Rust, else
//!    Debian's lld.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::command::{self, SHORT};
use crate::setup::{self, Policy};
use crate::workspace::{Workspace, version_pair};

/// The target triple of the RP2350's Arm cores.
pub const TARGET: &str = "thumbv8m.main-none-eabihf";

/// The target triple of browsers.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Makes sure that the compiler in use builds for browsers. Debian's has no standard library for them.
pub fn wasm(policy: Policy) -> Result<(), String> {
    in_use(WASM, policy).map(|_| ())
}

/// Which of the RP2350's cores a program is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processor {
    /// Cortex-M33.
    #[default]
    Arm,
    /// Hazard3.
    RiscV,
}

impl Processor {
    /// The compiler's name for it.
    pub const fn target(self) -> &'static str {
        match self {
            Self::Arm => TARGET,
            Self::RiscV => "riscv32imac-unknown-none-elf",
        }
    }
}

/// Debian's packages for the second way.
const DEBIAN: [&str; 3] = ["rustc-web", "cargo-web", "rust-web-src"];
/// How long to wait for rustup before the second way is tried.
const RUSTUP_LIMIT: Duration = Duration::from_secs(300);

/// What `--toolchain` selects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first way that works.
    #[default]
    Auto,
    /// The compiler in use, with a target that rustup fetches.
    Rustup,
    /// Debian's packages.
    Debian,
}

impl Choice {
    /// Reads an argument.
    pub fn parse(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "rustup" => Ok(Self::Rustup),
            "debian" => Ok(Self::Debian),
            _ => Err(format!("--toolchain takes auto, rustup or debian, not `{word}`")),
        }
    }
}

/// A Rust that can build for the chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The compiler in use, with its target installed.
    InUse,
    /// Debian's compiler, with core built from source.
    Debian {
        /// rust-lld or ld.lld.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds one, and installs what it needs if `policy` allows it.
    pub fn find(workspace: &Workspace, choice: Choice, policy: Policy) -> Result<Self, String> {
        match choice {
            Choice::Rustup => in_use(TARGET, policy),
            Choice::Debian => debian(workspace, policy),
            Choice::Auto => match in_use(TARGET, policy) {
                Ok(found) => Ok(found),
                Err(first) => debian(workspace, policy).map_err(|second| {
                    format!("no Rust for the chip.\nby rustup: {first}\nby Debian's packages: {second}")
                }),
            },
        }
    }

    /// The one that builds for `processor` if this one builds for the Arm cores: the same, or Debian's, which builds core
    /// for any target. Installs what it needs if `policy` allows it.
    pub fn of(&self, processor: Processor, workspace: &Workspace, policy: Policy) -> Result<Self, String> {
        self.of_target(processor.target(), workspace, policy)
    }

    /// The same for any target by the compiler's name: that of another chip.
    pub fn of_target(&self, target: &str, workspace: &Workspace, policy: Policy) -> Result<Self, String> {
        match self {
            Self::Debian { .. } => Ok(self.clone()),
            Self::InUse => in_use(target, policy).or_else(|first| {
                debian(workspace, policy).map_err(|second| {
                    format!("no Rust for {target}.\nby rustup: {first}\nby Debian's packages: {second}")
                })
            }),
        }
    }

    /// Cargo of this toolchain in the given folder. The command line also needs [`arguments`](Self::arguments).
    pub fn cargo(&self, root: &Path) -> Command {
        match self {
            Self::InUse => command::cargo(root),
            Self::Debian { .. } => {
                let mut command = Command::new("/usr/bin/cargo");
                command.current_dir(root).env("CARGO_TERM_COLOR", "never");
                command::forget_cargo_run(&mut command);
                // Under rustup's cargo, its variables are set and its folder is in PATH: with them, Debian's cargo would
                // call rustup's rustc.
                for name in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "RUST_RECURSION_COUNT"] {
                    command.env_remove(name);
                }
                command
                    .env("PATH", path_with_debian_first())
                    .env("RUSTC", "/usr/bin/rustc")
                    .env("RUSTC_BOOTSTRAP", "1");
                command
            }
        }
    }

    /// Cargo's arguments for this toolchain, for any build for the chip's Arm cores.
    pub fn arguments(&self) -> Vec<OsString> {
        self.arguments_of(TARGET)
    }

    /// The same for either kind of core.
    pub fn arguments_for(&self, processor: Processor) -> Vec<OsString> {
        self.arguments_of(processor.target())
    }

    /// The same for any target.
    pub fn arguments_of(&self, target: &str) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--target".into(), target.into()];
        if let Self::Debian { linker } = self {
            arguments.push("-Zbuild-std=core".into());
            arguments.push("--config".into());
            arguments.push(format!("target.{target}.linker={}", toml_string(&linker.display().to_string())).into());
        }
        arguments
    }

    /// The folder where the standard library's sources would be: it must not appear in an ELF file.
    pub fn library_source(&self) -> Result<PathBuf, String> {
        let sysroot = match self {
            Self::InUse => sysroot(&mut rustc_in_use())?,
            Self::Debian { .. } => sysroot(&mut debian_rustc())?,
        };
        Ok(sysroot.join("lib/rustlib/src/rust"))
    }

    /// A line for the terminal.
    pub fn describe(&self, processor: Processor) -> String {
        let version = |rustc: &mut Command| {
            command::run(rustc.arg("--version"), SHORT).map_or_else(|e| e, |finished| finished.text().trim().to_owned())
        };
        match self {
            Self::InUse => format!("{} with target {}", version(&mut rustc_in_use()), processor.target()),
            Self::Debian { linker } => {
                format!("Debian's {}, core built here, linker {}", version(&mut debian_rustc()), linker.display())
            }
        }
    }
}

/// A string as TOML writes it.
pub fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The first way.
fn in_use(target: &str, policy: Policy) -> Result<Toolchain, String> {
    if target_is_installed(target) {
        return Ok(Toolchain::InUse);
    }
    let add = format!("rustup target add {target}");
    if command::which("rustup").is_none() {
        return Err(format!("this Rust lacks the target {target}, and there is no rustup to fetch it"));
    }
    if policy == Policy::Refuse {
        return Err(format!("missing target; run: {add}"));
    }
    println!("fetching a target: {add}");
    command::run(Command::new("rustup").args(["target", "add", target]), RUSTUP_LIMIT)?;
    if target_is_installed(target) {
        Ok(Toolchain::InUse)
    } else {
        Err(format!("`{add}` succeeded, but the target is not there"))
    }
}

/// Whether the compiler in use has the chip's core library.
fn target_is_installed(target: &str) -> bool {
    let Ok(finished) = command::run(rustc_in_use().args(["--print", "target-libdir", "--target", target]), SHORT)
    else {
        return false;
    };
    let Ok(entries) = std::fs::read_dir(finished.text().trim()) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
}

/// The second way.
fn debian(workspace: &Workspace, policy: Policy) -> Result<Toolchain, String> {
    let oldest = workspace.rust_version()?;
    let new_enough = |version: Option<(u32, u32)>| version.is_some_and(|version| version >= oldest);
    let missing = || -> Vec<&str> {
        DEBIAN
            .into_iter()
            .filter(|name| !new_enough(setup::installed_version(name).as_deref().and_then(version_pair)))
            .collect()
    };
    if !missing().is_empty() {
        if command::which("apt-get").is_none() {
            return Err("this is not a Debian system".to_owned());
        }
        if policy == Policy::Refuse {
            return Err(format!("missing packages; run: {}", setup::by_hand(&missing())));
        }
        // An old package list may name a Rust that is too old.
        if !DEBIAN.into_iter().all(|name| new_enough(setup::candidate_version(name))) {
            setup::update()?;
        }
        if let Some(name) = DEBIAN.into_iter().find(|name| !new_enough(setup::candidate_version(name))) {
            let (major, minor) = oldest;
            return Err(format!("Debian has no {name} of version {major}.{minor} or newer here"));
        }
        println!("installing Debian packages for the chip's target: {}", missing().join(", "));
        setup::install(&missing())?;
    }
    Ok(Toolchain::Debian { linker: linker(policy)? })
}

/// A linker for the chip: rust-lld of the compiler in use or of any rustup toolchain, else Debian's lld.
fn linker(policy: Policy) -> Result<PathBuf, String> {
    let host = |sysroot: &Path| {
        let entries = std::fs::read_dir(sysroot.join("lib/rustlib")).ok()?;
        entries.flatten().map(|entry| entry.path().join("bin/rust-lld")).find(|file| file.is_file())
    };
    if let Some(found) = sysroot(&mut rustc_in_use()).ok().as_deref().and_then(host) {
        return Ok(found);
    }
    let toolchains = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".rustup")))
        .map(|home| home.join("toolchains"));
    if let Some(entries) = toolchains.and_then(|folder| std::fs::read_dir(folder).ok()) {
        let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        folders.sort();
        if let Some(found) = folders.iter().find_map(|folder| host(folder)) {
            return Ok(found);
        }
    }
    if let Some(found) = command::which("ld.lld") {
        return Ok(found);
    }
    if policy == Policy::Refuse {
        return Err(format!("missing linker; run: {}", setup::by_hand(&["lld"])));
    }
    println!("installing Debian package for the chip's linker: lld");
    setup::install(&["lld"])?;
    command::which("ld.lld").ok_or_else(|| "lld is installed but has no ld.lld".to_owned())
}

/// The compiler that the cargo in use calls.
fn rustc_in_use() -> Command {
    // Cargo is next to its compiler; a cargo from elsewhere uses the one in PATH.
    let beside = env::var_os("CARGO").map(PathBuf::from).map(|cargo| cargo.with_file_name("rustc"));
    let mut command = match beside {
        Some(rustc) if rustc.is_file() => Command::new(rustc),
        _ => Command::new("rustc"),
    };
    command::forget_cargo_run(&mut command);
    command
}

fn debian_rustc() -> Command {
    let mut command = Command::new("/usr/bin/rustc");
    command::forget_cargo_run(&mut command);
    command
}

fn sysroot(rustc: &mut Command) -> Result<PathBuf, String> {
    command::run(rustc.args(["--print", "sysroot"]), SHORT).map(|finished| PathBuf::from(finished.text().trim()))
}

fn path_with_debian_first() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [PathBuf::from("/usr/bin")].into_iter().chain(env::split_paths(&path));
    // A folder name with a colon cannot be joined; then only Debian's folder is used.
    env::join_paths(folders).unwrap_or_else(|_| "/usr/bin:/bin".into())
}

#[cfg(test)]
mod tests {
    use super::{Choice, toml_string};

    #[test]
    fn choices_are_read() {
        assert_eq!(Choice::parse("debian"), Ok(Choice::Debian));
        assert!(Choice::parse("gcc").unwrap_err().contains("auto, rustup or debian"));
    }

    #[test]
    fn strings_are_quoted() {
        assert_eq!(toml_string("/a b/c"), "\"/a b/c\"");
    }
}
