//! `core`: what a stick has kept of a crash, in GDB or as a backtrace.

use crate::{Failure, dump, mounted, to_stderr};
use clap::Args;
use picovd_sim::diagnosis::post_mortem::backtraces;
use picovd_sim::host::exfat::Volume;
use picovd_sim::host::raw::RawDisk;
use std::env;
use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

/// The names that GDB for Arm has, the likeliest first.
const DEBUGGERS: [&str; 3] = ["gdb-multiarch", "arm-none-eabi-gdb", "gdb"];

/// Open what a stick has kept of a crash in GDB, with the functions that had called each other
///
/// WHERE is the folder in which the system has mounted the stick, its disk (such as /dev/sdb), an image of it, or a copy of
/// CORE.ELF. The program has to be of the same build, which the stick's CRASH.JSON names.
#[derive(Args)]
pub struct Core {
    /// The mounted stick, its disk or an image, or CORE.ELF
    #[arg(value_name = "WHERE")]
    place: PathBuf,
    /// The program that crashed, with debug information
    #[arg(long, value_name = "FILE")]
    elf: PathBuf,
    /// Print the functions without GDB
    #[arg(long)]
    backtrace: bool,
    /// The debugger (default: the first of gdb-multiarch, arm-none-eabi-gdb, gdb that is there)
    #[arg(long, value_name = "PROGRAM", conflicts_with = "backtrace")]
    gdb: Option<PathBuf>,
}

/// The stick's files.
struct Kept {
    core: Vec<u8>,
    /// CRASH.JSON, if it is there.
    report: Option<Vec<u8>>,
}

impl Core {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let program = fs::read(&self.elf).map_err(|reason| failed(&self.elf, &reason))?;
        let Kept { core, report } = self.kept()?;
        match report.as_deref().map(build) {
            Some(Some(build)) if !contains(&program, build.as_bytes()) => {
                return Err(Failure::Failed(format!(
                    "{} is not the program that crashed: that one is build {build}",
                    self.elf.display()
                )));
            }
            Some(Some(_)) => {}
            _ => to_stderr("note: without CRASH.JSON beside it, nothing says whether the program is of the same build"),
        }
        let threads = backtraces(&program, &core).map_err(|reason| failed(&self.place, &reason))?;
        if self.backtrace {
            let cores = threads.len();
            for (number, lines) in threads.iter().enumerate() {
                if cores > 1 {
                    writeln!(out, "thread {}:", number + 1)?;
                }
                for line in lines {
                    writeln!(out, "{line}")?;
                }
            }
            return Ok(());
        }
        out.flush()?;
        self.debug(&core)
    }

    /// What the stick has kept.
    fn kept(&self) -> Result<Kept, Failure> {
        let place = &self.place;
        let metadata = fs::metadata(place).map_err(|reason| failed(place, &reason))?;
        if metadata.is_dir() {
            let core = whole(&place.join("CORE.ELF"))?;
            return Ok(Kept { core, report: whole(&place.join("CRASH.JSON")).ok() });
        }
        if dump::is_endless(&metadata) {
            return Err(failed(place, &"it has no end; specify a disk or a file"));
        }
        if metadata.is_file() {
            let bytes = whole(place)?;
            if bytes.starts_with(b"\x7FELF") {
                return Ok(Kept { core: bytes, report: whole(&place.with_file_name("CRASH.JSON")).ok() });
            }
        }
        let mut disk = RawDisk::open(place).map_err(|reason| failed(place, &reason))?;
        let mut volume = Volume::open(&mut disk).map_err(|reason| failed(place, &reason))?;
        let mut read = |path: &str| {
            let node = volume.find(path)?;
            volume.read_file(&node)
        };
        let core = read("CORE.ELF").map_err(|reason| failed(place, &format!("CORE.ELF: {reason}")))?;
        Ok(Kept { core, report: read("CRASH.JSON").ok() })
    }

    /// Starts GDB, which gets a copy: the stick's volume may go while somebody looks.
    fn debug(&self, core: &[u8]) -> Result<(), Failure> {
        let gdb = match &self.gdb {
            Some(gdb) => gdb.clone(),
            None => debugger().ok_or_else(|| {
                Failure::Failed(format!(
                    "no debugger is there: install one of {} (Debian: apt install gdb-multiarch), or use --backtrace",
                    DEBUGGERS.join(", ")
                ))
            })?,
        };
        let copy = env::temp_dir().join(format!("picovd-{}-CORE.ELF", process::id()));
        fs::write(&copy, core).map_err(|reason| failed(&copy, &reason))?;
        let status = Command::new(&gdb).args(["-q", "-ex", "bt"]).arg(&self.elf).arg(&copy).status();
        let _ = fs::remove_file(&copy);
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(&gdb, &status)),
            Err(reason) => Err(failed(&gdb, &reason)),
        }
    }
}

/// A file, past the system's cache.
fn whole(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    mounted::read(path, &mut |piece| {
        bytes.extend_from_slice(piece);
        // A core file has some kilobytes.
        if bytes.len() > LONGEST { Err(ErrorKind::FileTooLarge.into()) } else { Ok(()) }
    })?;
    Ok(bytes)
}

/// Maximum length of a file that is taken into memory: an image of the longest volume that PicoVD makes of one board.
const LONGEST: usize = 256 << 20;

/// The build in CRASH.JSON.
fn build(report: &[u8]) -> Option<&str> {
    const KEY: &str = "\"build\": \"";
    let text = str::from_utf8(report).ok()?;
    let (_, rest) = text.split_once(KEY)?;
    rest.split('"').next().filter(|build| !build.is_empty())
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn debugger() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let names = DEBUGGERS.iter().map(|name| format!("{name}{}", env::consts::EXE_SUFFIX));
    names.flat_map(|name| folders.iter().map(move |folder| folder.join(&name))).find(|file| file.is_file())
}

fn failed(path: &Path, reason: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(format!("{}: {reason}", path.display()))
}
