//! `picovd`, the program that `cargo sim` runs: the stick at work, without hardware.

mod check;
mod console;
mod files;
mod follow;
mod image;
mod layout;
mod new;
mod options;
mod progress;
mod serve;
mod show;
mod story;
mod uf2;
mod verify;
mod watch;

use options::{AFTER, DEVICE, Described, LAYOUT, NEW, Options, SERVE, STORY, UF2, VERIFY, WATCH};
use picovd_manifest::{Diagnostics, DiskPlan};
use picovd_sim::diagnosis::Outcome;
use picovd_sim::host::printed::Lines;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::native::Start;
use picovd_sim::plug::{self, FlashChip, Plug, PlugError};
use std::ffi::OsString;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

/// A command of `cargo sim`.
struct Command {
    name: &'static str,
    /// The words after the name, in the help's form.
    words: &'static str,
    /// One line for the list of commands.
    summary: &'static str,
    /// What `--help` adds.
    details: &'static str,
    /// How many words may follow.
    arguments: std::ops::RangeInclusive<usize>,
    /// The options that it takes beside `--help`.
    options: &'static [&'static [Described]],
    run: fn(&Options, &mut dyn Write) -> Result<(), Failure>,
}

const COMMANDS: [Command; 13] = [
    Command {
        name: "show",
        words: "[--watch]",
        summary: "plug the device in, print its disk, read and check every file, see one change (the default)",
        details: "Prints the disk's map and the directory tree with sizes, reads every file through USB packets,\n\
                  compares it with the manifest, and holds the volume against the exFAT specification. With --elf it\n\
                  ends with what the board measured: bytes a frame, NAKs a packet, processor cycles a sector, and the\n\
                  margin that the driver has to arm an endpoint again before the next token (so do image and check).\n\
                  Without --elf it ends with a sample sensor, whose file appears and changes while a host has the\n\
                  volume mounted, where the manifest has room for one; with --watch that goes on in real time until\n\
                  Ctrl-C, also with --elf. What has changed is listed, in all folders, with the lines that are new.",
        arguments: 0..=0,
        options: &[&DEVICE, &WATCH],
        run: show::run,
    },
    Command {
        name: "ls",
        words: "[DIR]",
        summary: "list a directory",
        details: "One line for each entry: size in bytes, then name; folders end in /. Without DIR the root directory.",
        arguments: 0..=1,
        options: &[&DEVICE],
        run: files::ls,
    },
    Command {
        name: "cat",
        words: "PATH",
        summary: "write a file's bytes to standard output",
        details: "PATH has / between folders. As on any exFAT volume, case does not matter.",
        arguments: 1..=1,
        options: &[&DEVICE, &AFTER],
        run: files::cat,
    },
    Command {
        name: "log",
        words: "",
        summary: "print what the program prints, until Ctrl-C",
        details: follow::DETAILS,
        arguments: 0..=0,
        options: &[&DEVICE, &AFTER],
        run: follow::log,
    },
    Command {
        name: "image",
        words: "OUT.img",
        summary: "read the whole volume into a file",
        details: "OUT.img may be -, standard output. Reads every block through USB. Blocks of zeros become holes in the file. With --elf it ends with what\n\
                  the board measured (see show).",
        arguments: 1..=1,
        options: &[&DEVICE],
        run: image::run,
    },
    Command {
        name: "check",
        words: "[IMAGE]",
        summary: "hold the volume, or an image, against the exFAT specification",
        details: "Prints each finding with its clause and ends 1 where there is one. With IMAGE, a file or a block\n\
                  device, no device is plugged in, and --manifest and --elf are not looked at. With --elf alone it ends\n\
                  with what the board measured (see show).",
        arguments: 0..=1,
        options: &[&DEVICE],
        run: check::run,
    },
    Command {
        name: "console",
        words: "",
        summary: "speak to the device over its serial port: settings",
        details: console::DETAILS,
        arguments: 0..=0,
        options: &[&DEVICE],
        run: console::run,
    },
    Command {
        name: "layout",
        words: "",
        summary: "print the disk's map, or draw it (--json, --svg FILE)",
        details: layout::DETAILS,
        arguments: 0..=0,
        options: &[&LAYOUT],
        run: layout::run,
    },
    Command {
        name: "serve",
        words: "",
        summary: "offer the device to a virtual machine or to this PC (--usbredir, --usbip)",
        details: serve::DETAILS,
        arguments: 0..=0,
        options: &[&DEVICE, &SERVE],
        run: serve::run,
    },
    Command {
        name: "story",
        words: "[NAME]",
        summary: "run the end-to-end stories, or one of them",
        details: "A story is a script of the host's side. Prints one line for each, and ends 1 where one fails.",
        arguments: 0..=1,
        options: &[&DEVICE, &STORY],
        run: story::run,
    },
    Command {
        name: "new",
        words: "DIR",
        summary: "write a package for a firmware of your own",
        details: new::DETAILS,
        arguments: 1..=1,
        options: &[&NEW],
        run: new::run,
    },
    Command {
        name: "uf2",
        words: "[OUT.uf2]",
        summary: "write the file that a board is flashed with, from a firmware's ELF file",
        details: uf2::DETAILS,
        arguments: 0..=1,
        options: &[&UF2],
        run: uf2::run,
    },
    Command {
        name: "verify",
        words: "DEVICE|IMAGE",
        summary: "hold a real disk, or an image, against the specification and the manifest",
        details: verify::DETAILS,
        arguments: 1..=1,
        options: &[&VERIFY],
        run: verify::run,
    },
];

/// Why a command did not succeed.
pub enum Failure {
    /// The words were wrong: status 2.
    Usage(String),
    /// The command failed: status 1.
    Failed(String),
    /// The manifest is wrong: status 1, with the report as it is.
    Manifest(Diagnostics),
    /// Nobody reads the output any more: status 0, as with any filter in a pipe.
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

/// The status is 0 for success, 1 for failure, 2 for wrong words.
fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let result = command(std::env::args_os().skip(1), &mut out).and_then(|()| Ok(out.flush()?));
    match result {
        Ok(()) | Err(Failure::PipeClosed) => ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => {
            tell(&format!("error: {text}"));
            ExitCode::FAILURE
        }
        Err(Failure::Manifest(problems)) => {
            tell(&problems.to_string());
            ExitCode::FAILURE
        }
        Err(Failure::Usage(text)) => {
            tell(&format!("error: {text} (see cargo sim --help)"));
            ExitCode::from(2)
        }
    }
}

/// A line on standard error, if anybody reads it: `eprintln!` panics where that is a pipe which was closed.
fn tell(text: &str) {
    let _ = writeln!(Lines::new(io::stderr()), "{text}");
}

fn command(words: impl Iterator<Item = OsString>, out: &mut dyn Write) -> Result<(), Failure> {
    let options = Options::parse(words, |name| COMMANDS.iter().any(|command| command.name == name))?;
    let name = options.command.as_deref();
    if options.version {
        return Ok(writeln!(out, "picovd {}", env!("CARGO_PKG_VERSION"))?);
    }
    if options.help {
        return Ok(write!(out, "{}", name.and_then(find).map_or_else(overview, help))?);
    }
    let Some(command) = find(name.unwrap_or("show")) else {
        let name = name.unwrap_or_default();
        let hint = nearest(name).map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(Failure::Usage(format!("there is no command `{name}`{hint}")));
    };
    if !command.arguments.contains(&options.arguments.len()) {
        let (name, words) = (command.name, command.words);
        return Err(Failure::Usage(format!("usage: cargo sim {name} {words}")));
    }
    if let Some(given) = options.given.iter().find(|given| !options::takes(command.options, given)) {
        let others: Vec<_> =
            COMMANDS.iter().filter(|other| options::takes(other.options, given)).map(|other| other.name).collect();
        let text = format!("`cargo sim {}` takes no --{given}; it is for {}", command.name, others.join(", "));
        return Err(Failure::Usage(text));
    }
    // A file's bytes are no text for people.
    let is_raw = match command.name {
        "cat" | "log" => true,
        "image" => options.arguments.first().is_some_and(|path| path == "-"),
        _ => false,
    };
    let result = if is_raw { (command.run)(&options, out) } else { (command.run)(&options, &mut Lines::new(out)) };
    // The reports are on standard error already.
    let failure = options.outcomes.borrow().iter().find_map(Outcome::failure);
    match (result, failure) {
        (Ok(()), Some(_)) => Err(Failure::Failed("the firmware has failed, see above".to_owned())),
        (Err(Failure::Failed(text)), Some(_)) => {
            Err(Failure::Failed(format!("the firmware has failed, see above; the host then saw: {text}")))
        }
        (result, _) => result,
    }
}

fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The command whose name is at most two slips away.
fn nearest(name: &str) -> Option<&'static str> {
    let near = COMMANDS.iter().map(|command| (strsim::osa_distance(name, command.name), command.name)).min()?;
    (near.0 <= 2 && near.0 < name.len()).then_some(near.1)
}

fn overview() -> String {
    let mut text =
        String::from("A PicoVD stick in a simulated USB port.\n\nUsage: cargo sim [COMMAND] [OPTIONS]\n\nCommands:\n");
    for command in &COMMANDS {
        text += &format!("  {:<20}{}\n", format!("{} {}", command.name, command.words), command.summary);
    }
    text + "\n"
        + &options::help(&[&DEVICE])
        + "\n"
        + CHIP
        + "\n`cargo sim COMMAND --help` tells more about one of them.\n"
}

/// How far the emulated board goes.
const CHIP: &str = "\
The emulated RP2350 models both Arm cores, memory, flash, the boot ROM's functions, clocks, resets, timers, watchdog, interrupts,
SIO and USB as the firmware sees them. Beside that:
  I2C    as a controller; nobody acknowledges, but for devices by --i2c0 and --i2c1. Transfers take no time, here and below
  ADC    the temperature sensor at 27 degrees; other inputs read 0
  UART   takes everything (--uart prints it); nothing is received
  SPI    as a controller; zeros come back, or what was sent in loopback mode
  GPIO   outputs are seen by inputs; inputs show their pads' pull-ups; no interrupts
  DMA    a transfer is over as soon as it is triggered, whatever paces it; no sniffing, no endless mode
  TRNG   numbers that are the same in every run
  PWM, PIO, POWMAN, SHA256, HSTX, OTP and all others   reset values, and what was written; named once on standard error
";

fn help(command: &Command) -> String {
    let Command { name, words, summary, details, options, .. } = command;
    let space = if words.is_empty() { "" } else { " " };
    format!(
        "cargo sim {name}: {summary}\n\nUsage: cargo sim {name}{space}{words} [OPTIONS]\n\n{details}\n\n{}",
        options::help(options)
    )
}

/// The device that the options name, with what its manifest promises.
fn plug(options: &Options) -> Result<Plug, Failure> {
    let treatment = plug::Treatment { uart: options.uart, i2c: &options.i2c, strict: options.strict, sink: tell };
    let plug = plug::open_with(options.manifest.as_deref(), options.elf.as_deref(), flash(options), treatment)
        .map_err(Failure::of_plug)?;
    options.outcomes.borrow_mut().push(plug.outcome.clone());
    warn(&plug.plan);
    Ok(plug)
}

/// The same natively, with an application beside it.
fn plug_with(options: &Options, application: Start) -> Result<Plug, Failure> {
    plug::native_on(plan(options)?, flash(options), application).map_err(Failure::of_plug)
}

/// The board's flash chip.
fn flash(options: &Options) -> FlashChip<'_> {
    FlashChip { length: options.flash_size, partitions: &options.partitions }
}

/// The plan of the manifest that the words name.
fn plan(options: &Options) -> Result<DiskPlan, Failure> {
    let plan = plug::plan(options.manifest.as_deref()).map_err(Failure::Manifest)?;
    warn(&plan);
    Ok(plan)
}

/// Tells what is worth knowing about a manifest that is right.
fn warn(plan: &DiskPlan) {
    if !plan.warnings.items().is_empty() {
        tell(&plan.warnings.to_string());
    }
}

/// Enumerates the device and makes its unit ready.
fn mount<'a>(link: Box<dyn Link + 'a>) -> Result<Disk<'a>, Failure> {
    let initiator = Initiator::attach(Host::new(link)).map_err(Failure::of)?;
    Disk::open(initiator).map_err(Failure::of)
}

/// Lets an emulated board run on until it was powered for a while: a command that reads a file is over so early that a firmware
/// which fails soon after its start would look right.
fn settle(options: &Options, disk: &mut Disk<'_>) {
    let host = &mut disk.initiator.host;
    if options.elf.is_some()
        && let Some(rest) = SETTLED.checked_sub(host.now())
    {
        host.elapse(rest);
    }
}

/// How long an emulated board runs at least.
const SETTLED: Duration = Duration::from_secs(1);

/// What the board measured, where it is an emulated one.
fn measured(disk: &mut Disk<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    match disk.initiator.host.link().measured() {
        Some(text) => Ok(write!(out, "\n{text}")?),
        None => Ok(()),
    }
}
