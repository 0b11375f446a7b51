//! `picovd`, the program that `cargo sim` runs: the stick in operation, without hardware.

mod check;
mod command_line;
mod completions;
mod console;
mod core;
mod device;
mod dump;
mod files;
mod follow;
mod hexdump;
mod image;
mod layout;
mod mounted;
mod new;
mod progress;
mod read;
mod serve;
mod show;
mod story;
mod tail;
mod uf2;
mod values;
mod verify;
mod watch;

use clap::error::ErrorKind;
use command_line::Command;
use device::Device;
use picovd_manifest::Diagnostics;
use picovd_sim::host::printed::Lines;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::plug::PlugError;
use std::env;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Why a command did not succeed.
pub enum Failure {
    /// Wrong arguments: status 2.
    Usage(String),
    /// The command failed: status 1.
    Failed(String),
    /// The manifest is invalid: status 1, with the report unchanged.
    Manifest(Diagnostics),
    /// The output was closed: status 0, as for any filter in a pipe.
    PipeClosed,
}

impl Failure {
    fn of_plug(error: PlugError) -> Self {
        match error {
            PlugError::Manifest(problems) => Self::Manifest(problems),
            other => Self::of(other),
        }
    }

    fn of(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::PipeClosed } else { Self::of(error) }
    }
}

/// The status is 0 for success, 1 for failure, 2 for wrong arguments.
fn main() -> ExitCode {
    let (command, mut described) = match command_line::parse(env::args_os()) {
        Ok(parsed) => parsed,
        Err(answer) => return say(&answer),
    };
    let mut out = io::stdout().lock();
    let result = run(&command, &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) | Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => {
            to_stderr(&format!("error: {text}"));
            ExitCode::FAILURE
        }
        Err(Failure::Manifest(problems)) => {
            to_stderr(&problems.to_string());
            ExitCode::FAILURE
        }
        Err(Failure::Usage(text)) => say(&described.error(ErrorKind::ValueValidation, text)),
    }
}

/// Prints clap's answer, if the output is still open: the help or the version with status 0, or what is wrong with status
/// 2.
fn say(answer: &clap::Error) -> ExitCode {
    let _ = answer.print();
    u8::try_from(answer.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Prints a line on standard error, if it is still open: `eprintln!` panics if that is a closed pipe.
fn to_stderr(text: &str) {
    let _ = writeln!(Lines::new(io::stderr()), "{text}");
}

fn run(command: &Command, out: &mut dyn Write) -> Result<(), Failure> {
    // A file's bytes are not text.
    let result = if command.writes_bytes() { command.run(out) } else { command.run(&mut Lines::new(out)) };
    // The reports are on standard error already.
    let has_failed = command.device().is_some_and(Device::has_failed);
    match result {
        Ok(()) if has_failed => Err(Failure::Failed("the firmware has failed, see above".to_owned())),
        Err(Failure::Failed(text)) if has_failed => {
            Err(Failure::Failed(format!("the firmware has failed, see above; the host then saw: {text}")))
        }
        Err(Failure::Failed(text)) => Err(Failure::Failed(match command.device().and_then(Device::latest) {
            Some(milliseconds) => format!("{text}\n{}", device::slowness(milliseconds)),
            None => text,
        })),
        result => result,
    }
}

/// Enumerates the device and makes its unit ready.
fn mount<'a>(link: Box<dyn Link + 'a>) -> Result<Disk<'a>, Failure> {
    let initiator = Initiator::attach(Host::new(link)).map_err(Failure::of)?;
    Disk::open(initiator).map_err(Failure::of)
}

/// What the board has measured, if it is an emulated one.
fn measured(disk: &mut Disk<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    match disk.initiator.host.link().measured() {
        Some(text) => Ok(write!(out, "\n{text}")?),
        None => Ok(()),
    }
}
