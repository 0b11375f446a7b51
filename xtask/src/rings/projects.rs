//! Projects like those of third parties (tests/projects), each also in the version before PicoVD was added. Part of rings 5
//! and 6.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Context, examples, simulator};
use crate::command::{self, LONG};
use crate::report::Report;
use crate::workspace::Workspace;

/// A project in tests/projects/.
pub struct Project {
    /// The name of its folder and of its program.
    pub name: &'static str,
    /// The file that its program shows, and its text at the start.
    pub file: (&'static str, &'static str),
    /// Options of the simulator for the hardware that the program uses.
    hardware: [&'static str; 2],
    /// The file's text with that hardware, 8 s later.
    later: &'static str,
    /// Lines of the project as it was that change.
    replaced: &'static [&'static str],
    /// Options of the simulator for a USB stack that is not PicoVD's.
    usb: &'static [&'static str],
    /// The same for the stories.
    stories: &'static [&'static str],
}

/// All of them.
pub const PROJECTS: [Project; 3] = [
    Project {
        name: "blinky",
        file: ("READING.TXT", "0"),
        hardware: ["--i2c0", "0x48=tmp102.toml"],
        later: "400",
        replaced: &[],
        usb: &[],
        stories: &[],
    },
    Project {
        name: "thermometer",
        file: ("READING.TXT", "0"),
        hardware: ["--i2c0", "0x48=tmp102.toml"],
        later: "400",
        // The list of classes gets one more.
        replaced: &["usb.poll(&mut [&mut hid]);"],
        // The program's device descriptor is that of a HID device alone.
        usb: &["--foreign-usb"],
        stories: HAL,
    },
    Project {
        name: "embassy-cdc",
        file: ("READING.TXT", "0"),
        hardware: ["--i2c0", "0x48=tmp102.toml"],
        later: "400",
        replaced: &[],
        usb: EMBASSY_USB,
        stories: EMBASSY_STORIES,
    },
];

/// embassy-usb 0.6 answers GET_DESCRIPTOR(DEVICE_QUALIFIER), and its CDC-ACM class has no call management descriptor.
pub const EMBASSY_USB: &[&str] = &["--foreign-usb"];

/// What usb-device 0.3 on the bus of rp235x-hal 0.4 leaves undone.
const HAL: &[&str] = &[
    "--no-halts",
    // CLEAR_FEATURE(ENDPOINT_HALT), which is part of each Reset Recovery, does not reset the data toggle (USB 2.0 9.4.5).
    "--fails=class-requests",
    "--fails=halts",
    "--fails=console-halts",
    "--fails=thirteen-cases",
    "--fails=invalid-wrapper",
    "--fails=not-meaningful",
    "--fails=wrapper-pieces",
    "--fails=reset-in-read",
    "--fails=random-wrappers",
    "--fails=every-opcode",
    // Endpoints take part before a configuration is set; requests to recipients that do not exist are accepted.
    "--fails=chapter-9",
    // A SETUP packet does not end the previous control transfer.
    "--fails=lost-handshakes",
    "--fails=abandoned",
];

/// What embassy-usb 0.6 and embassy-rp 0.10 leave undone; docs/EMBASSY.md says why and names the reports. A story that no
/// longer fails is an error, so that the list stays true.
pub const EMBASSY_STORIES: &[&str] = &[
    "--no-halts",
    // CLEAR_FEATURE(ENDPOINT_HALT) does not reset the data toggle.
    "--fails=halts",
    // Requests in the Default state, and to recipients that do not exist, are accepted.
    "--fails=chapter-9",
    // A SETUP packet does not end the previous control transfer: https://github.com/embassy-rs/embassy/pull/6694
    "--fails=random-requests",
    "--fails=bad-cable",
    "--fails=lost-handshakes",
    "--fails=abandoned",
];

/// Maximum number of lines of Rust that PicoVD may add to one.
const LINES: usize = 12;

/// The folder of a project.
pub fn folder(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.root.join("tests/projects").join(name)
}

/// Counts the lines of each, builds it, and reads its disk on the board.
pub fn run(context: &Context, report: &mut Report, program: &Path) {
    let workspace = &context.workspace;
    for Project { name, file: (path, _), hardware, later, replaced, usb, stories } in PROJECTS {
        let changed = replaced.len();
        let what =
            format!("project {name}: PicoVD adds at most {LINES} lines of Rust, changes {changed} and removes none");
        if let Some(lines) = report.check(&what, || added(&folder(workspace, name), replaced)) {
            report.note(&format!("{lines} lines"));
        }
        let elf = report.check(&format!("project {name} builds, as it was and as it is"), || {
            examples::project(workspace, context.chip()?, name)
        });
        let Some(elf) = elf else { continue };
        let manifest = folder(workspace, name).join("picovd.toml");
        report.check(&format!("project {name}: the host reads every file"), || {
            let mut sim = simulator::command(workspace, program);
            sim.args(["show", "--strict"]).args(usb);
            command::run(sim.arg("--manifest").arg(&manifest).arg("--elf").arg(&elf), LONG).map(|_| ())
        });
        report.check(&format!("project {name}: its file has what its hardware says"), || {
            let mut sim = simulator::command(workspace, program);
            sim.current_dir(folder(workspace, name)).args(["cat", path, "--after", "8s"]).args(hardware);
            let seen = command::run(sim.arg("--manifest").arg(&manifest).arg("--elf").arg(&elf), LONG)?.text();
            if seen == later { Ok(()) } else { Err(format!("{path} says {seen:?} instead of {later:?}")) }
        });
        report.check(&format!("project {name}: the stories run on it"), || {
            let options = [&["--changing"], usb, stories].concat();
            examples::stories(workspace, program, &manifest, &elf, &options)
        });
    }
}

/// Number of lines of Rust in what `cargo sim new` writes that name PicoVD, or what it declares.
pub fn named(package: &Path) -> Result<usize, String> {
    let mut lines = 0;
    for path in ["build.rs", "src/main.rs"] {
        let path = package.join(path);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let names = |line: &str| ["picovd", "Stick::", "STICK", "disk::"].iter().any(|name| line.contains(name));
        lines += text.lines().filter(|line| !line.trim_start().starts_with("//") && names(line)).count();
    }
    if lines == 0 || lines > LINES { Err(format!("{lines} lines")) } else { Ok(lines) }
}

/// Number of lines that PicoVD has added to the project or changed. Blank lines do not count.
fn added(folder: &Path, replaced: &[&str]) -> Result<usize, String> {
    let text = |path: PathBuf| fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()));
    let mut lines = 0;
    for (before, after) in [("before/build.rs", "build.rs"), ("before/main.rs", "src/main.rs")] {
        lines += more(&text(folder.join(before))?, &text(folder.join(after))?, replaced)
            .map_err(|e| format!("{after}: {e}"))?;
    }
    if lines == 0 || lines > LINES { Err(format!("{lines} lines")) } else { Ok(lines) }
}

/// Number of lines of `after` that are not in `before`. All lines of `before` but the `replaced` ones must be there in their
/// order.
fn more(before: &str, after: &str, replaced: &[&str]) -> Result<usize, String> {
    let stays = |line: &&str| !line.trim().is_empty() && !replaced.contains(&line.trim());
    let mut kept = before.lines().filter(stays).peekable();
    let mut lines = 0;
    for line in after.lines().filter(|line| !line.trim().is_empty()) {
        if kept.next_if_eq(&line).is_none() {
            lines += 1;
        }
    }
    kept.next().map_or(Ok(lines), |line| Err(format!("{line:?} is gone, or its place changed")))
}

#[cfg(test)]
mod tests {
    use super::more;

    #[test]
    fn lines_are_counted() {
        assert_eq!(more("a\nb\n", "a\nb\n", &[]), Ok(0));
        assert_eq!(more("a\nb\n", "x\na\n\ny\nb\nz\n", &[]), Ok(3));
        assert!(more("a\nb\n", "b\n", &[]).is_err());
        assert!(more("a\nb\n", "b\na\n", &[]).is_err());
        assert!(more("a\n", "a //\n", &[]).is_err());
        assert_eq!(more(" a\nb\n", "c\nb\n", &["a"]), Ok(1));
    }
}
