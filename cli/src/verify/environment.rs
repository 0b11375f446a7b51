//! Where a report was made: program, operating system, and what Linux knows about the unit.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Name and value of each line of the report about it.
pub fn lines(medium: &Path) -> Vec<(&'static str, String)> {
    let mut lines = vec![("picovd", env!("CARGO_PKG_VERSION").to_owned()), ("system", system())];
    lines.extend(unit(medium).map(|unit| ("unit", unit)));
    lines
}

/// Operating system and architecture for which the program was built, and the system's own name for itself.
fn system() -> String {
    let mut text = format!("{OS} {ARCH}");
    let said = if cfg!(unix) { said("uname", &["-srm"]) } else { said("cmd", &["/C", "ver"]) };
    let product = match OS {
        "macos" => said_of_macos(),
        _ => fs::read_to_string("/etc/os-release").ok().and_then(|release| {
            let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
            Some(name.trim_matches('"').to_owned())
        }),
    };
    for more in [said, product].into_iter().flatten() {
        text += &format!(", {more}");
    }
    text
}

fn said_of_macos() -> Option<String> {
    Some(format!("macOS {}", said("sw_vers", &["-productVersion"])?))
}

/// The first line that a program prints, if it exists.
fn said(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

/// Vendor, product and revision of INQUIRY, and whether the disk is write-protected, as Linux shows them.
fn unit(medium: &Path) -> Option<String> {
    let name = fs::canonicalize(medium).ok()?;
    let folder = Path::new("/sys/class/block").join(name.strip_prefix("/dev").ok()?);
    let read = |file: &str| fs::read_to_string(folder.join(file)).ok().map(|text| text.trim().to_owned());
    let (vendor, product) = (read("device/vendor")?, read("device/model")?);
    let revision = read("device/rev").unwrap_or_default();
    let protection = match read("ro")?.as_str() {
        "1" => "write-protected",
        _ => "not write-protected",
    };
    Some(format!("{vendor} {product} {revision}, {protection}"))
}
