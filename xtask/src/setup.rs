//! What the tests need in addition to cargo and gcc, and how it is installed: Debian packages.
//!
//! Only missing packages are installed, they are listed first, and with [`Policy::Refuse`] the exact command is printed
//! instead. `toolchain` is responsible for the chip's target, `reference` for ring 5's Python wheel, and `guest` for the
//! packages of ring 6's virtual machine, which are not installed.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::command::{self, LONG, SHORT};
use crate::workspace::version_pair;

/// Whether a task may install what is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Yes, and it prints what.
    Install,
    /// No (`--no-install`): it fails with the command that would install it.
    Refuse,
}

/// A Debian package that some ring needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name in Debian 12.
    pub name: &'static str,
    /// One of its programs, by which it is recognised without dpkg; empty if there is none.
    pub program: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
}

/// Installs those of the packages that are missing.
pub fn packages(wanted: &[Package], policy: Policy) -> Result<(), String> {
    let missing: Vec<&Package> = wanted.iter().filter(|package| !is_there(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if command::which("apt-get").is_none() {
        let programs: Vec<&str> = missing.iter().map(|package| package.program).collect();
        return Err(format!(
            "missing: {}. This is not a Debian system: install the programs {} by its own means",
            names.join(", "),
            programs.join(", ")
        ));
    }
    if policy == Policy::Refuse {
        return Err(format!("missing packages; run: {}", by_hand(&names)));
    }
    println!("installing Debian packages{}:", if command::is_root() { "" } else { " with sudo" });
    for package in &missing {
        println!("    {:<20} {}", package.name, package.purpose);
    }
    install(&names)
}

/// The command that installs packages, ready to be pasted.
pub fn by_hand(names: &[&str]) -> String {
    let sudo = if command::is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}", names.join(" "))
}

/// Installs packages by name, without asking: `packages` has printed what and why.
///
/// The package lists are fetched first if there are none or only old ones, and once more if the installation fails: a
/// mirror drops the version that an old list names.
pub fn install(names: &[&str]) -> Result<(), String> {
    if !lists_are_fresh() {
        update()?;
    }
    let once = || {
        let mut apt = apt_get();
        apt.args(["install", "-y", "-q", "--no-install-recommends"]).args(names);
        command::run(&mut apt, LONG)
    };
    match once() {
        Ok(_) => Ok(()),
        Err(first) => {
            update().map_err(|second| format!("{first}\n{second}"))?;
            once().map(|_| ()).map_err(|error| format!("{error}\ntry by hand: {}", by_hand(names)))
        }
    }
}

/// Fetches Debian's package lists.
pub fn update() -> Result<(), String> {
    println!("    apt-get update");
    command::run(apt_get().args(["update", "-q"]), LONG).map(|_| ())
}

/// The version of a package that is installed, if it is.
pub fn installed_version(name: &str) -> Option<String> {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f=${db:Status-Status} ${Version}", name]);
    let finished = command::run(&mut query, SHORT).ok()?;
    let text = finished.text();
    text.trim().strip_prefix("installed ").map(str::to_owned)
}

/// The version of a package that apt would install, as (major, minor).
pub fn candidate_version(name: &str) -> Option<(u32, u32)> {
    let finished = command::run(Command::new("apt-cache").args(["policy", name]).env("LC_ALL", "C"), SHORT).ok()?;
    let text = finished.text();
    let candidate = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    version_pair(candidate)
}

fn is_there(package: &Package) -> bool {
    if command::which("dpkg-query").is_some() {
        installed_version(package.name).is_some()
    } else {
        !package.program.is_empty() && command::which(package.program).is_some()
    }
}

/// apt-get as root, which never asks, and waits for another instance to finish.
fn apt_get() -> Command {
    let mut command = command::as_root("env");
    command.args(["DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get", "-o", "DPkg::Lock::Timeout=600"]);
    command
}

/// Whether there are package lists younger than a day.
fn lists_are_fresh() -> bool {
    let Ok(entries) = fs::read_dir("/var/lib/apt/lists") else { return false };
    let newest = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
        .filter_map(|_| fs::metadata("/var/lib/apt/lists/partial").ok()?.modified().ok())
        .max();
    newest.is_some_and(|time| {
        SystemTime::now().duration_since(time).is_ok_and(|age| age < Duration::from_secs(24 * 3600))
    })
}

#[cfg(test)]
mod tests {
    use super::{Package, Policy, by_hand, installed_version, packages};

    const NOWHERE: Package = Package { name: "picovd-no-such-package", program: "picovd-no-such", purpose: "a test" };

    #[test]
    fn refusal_names_the_command() {
        let error = packages(&[NOWHERE], Policy::Refuse).unwrap_err();
        assert!(error.contains("picovd-no-such"), "{error}");
        assert!(by_hand(&["a", "b"]).ends_with("apt-get install -y --no-install-recommends a b"));
    }

    #[test]
    fn an_unknown_package_is_not_installed() {
        assert_eq!(installed_version(NOWHERE.name), None);
    }
}
