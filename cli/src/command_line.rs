//! The command line, parsed with clap: one struct for each command, in its module.

use crate::device::Device;
use crate::{
    Failure, check, completions, console, core, dump, files, follow, image, layout, new, read, serve, show, story,
    tail, uf2, verify,
};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::iter;

/// What the emulated board supports.
const CHIP: &str = "\
The emulated RP2350 models both Arm cores, memory, flash, the boot ROM's functions, clocks, resets,
timers, watchdog, interrupts, SIO and USB as the firmware sees them. In addition:
  I2C    as a controller; only devices of --i2c0 and --i2c1 acknowledge. Transfers take no time, here
         and below
  ADC    the temperature sensor at 27 degrees; other inputs read 0
  UART   accepts all output (--uart prints it); there is no input
  SPI    as a controller; receives zeros, or what was sent in loopback mode
  GPIO   outputs are seen by inputs; inputs show their pads' pull-ups; no interrupts
  DMA    a transfer is complete as soon as it is triggered, whatever its pacing; no sniffing, no
         endless mode
  TRNG   numbers that are the same in every run
  PWM, PIO, POWMAN, SHA256, HSTX, OTP and all others
         reset values, and what was written; reported once on standard error

`picovd COMMAND --help` describes a command in detail. Options may also come before it.";

/// A PicoVD stick in a simulated USB port.
#[derive(Parser)]
#[command(name = "picovd", bin_name = "picovd", version, propagate_version = true, args_override_self = true, after_help = CHIP)]
struct Program {
    #[command(flatten)]
    show: show::Show,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do; without a command, `show`.
#[derive(Subcommand)]
pub enum Command {
    Show(show::Show),
    Ls(files::Ls),
    Cat(files::Cat),
    Tail(tail::Tail),
    Log(follow::Log),
    Image(image::Image),
    Check(check::Check),
    Console(console::Console),
    Core(core::Core),
    Dump(dump::Dump),
    Layout(layout::Layout),
    Serve(serve::Serve),
    Story(story::PlayStories),
    New(new::New),
    Uf2(uf2::Uf2),
    Read(read::Read),
    Verify(verify::Verify),
    Completions(completions::Completions),
}

impl Command {
    /// Runs it.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match self {
            Self::Show(command) => command.run(out),
            Self::Ls(command) => command.run(out),
            Self::Cat(command) => command.run(out),
            Self::Tail(command) => command.run(out),
            Self::Log(command) => command.run(out),
            Self::Image(command) => command.run(out),
            Self::Check(command) => command.run(out),
            Self::Console(command) => command.run(out),
            Self::Core(command) => command.run(out),
            Self::Dump(command) => command.run(out),
            Self::Layout(command) => command.run(out),
            Self::Serve(command) => command.run(out),
            Self::Story(command) => command.run(out),
            Self::New(command) => command.run(out),
            Self::Uf2(command) => command.run(out),
            Self::Read(command) => command.run(out),
            Self::Verify(command) => command.run(out),
            Self::Completions(command) => command.run(&program(), out),
        }
    }

    /// The device that it plugs in.
    pub fn device(&self) -> Option<&Device> {
        match self {
            Self::Show(command) => Some(&command.device),
            Self::Ls(command) => Some(&command.device),
            Self::Cat(command) => Some(&command.device),
            Self::Tail(command) => Some(&command.device),
            Self::Log(command) => Some(&command.device),
            Self::Image(command) => Some(&command.device),
            Self::Check(command) => Some(&command.device),
            Self::Console(command) => Some(&command.device),
            Self::Dump(command) => Some(&command.device),
            Self::Serve(command) => Some(&command.device),
            Self::Story(command) => Some(&command.device),
            Self::Core(_)
            | Self::Layout(_)
            | Self::New(_)
            | Self::Uf2(_)
            | Self::Read(_)
            | Self::Verify(_)
            | Self::Completions(_) => None,
        }
    }

    /// Whether its output is a file's bytes, not text.
    pub fn writes_bytes(&self) -> bool {
        match self {
            Self::Cat(_) | Self::Tail(_) | Self::Log(_) | Self::Completions(_) => true,
            Self::Image(command) => command.is_output(),
            _ => false,
        }
    }
}

/// clap's description of the program, with the options that clap adds.
pub fn program() -> clap::Command {
    // Each command's `--version` is the program's.
    let mut program = Program::command().mut_subcommands(|command| command.display_name("picovd"));
    program.build();
    program
}

/// The command in the arguments, the first of which is the program's name, and clap's description of it, for messages.
pub fn parse(words: impl Iterator<Item = OsString>) -> Result<(Command, clap::Command), clap::Error> {
    let mut root = program();
    let words = command_first(&root, words.collect());
    let matches = root.try_get_matches_from_mut(words).map_err(|error| with_tip(error, &root))?;
    let Program { show, command } = Program::from_arg_matches(&matches).map_err(|error| error.format(&mut root))?;
    let described = matches.subcommand_name().and_then(|name| root.find_subcommand(name)).unwrap_or(&root).clone();
    Ok((command.unwrap_or(Command::Show(show)), described))
}

/// Moves the command before the options that precede it: a package's `cargo sim` passes its manifest and its program first,
/// and the user's arguments follow.
fn command_first(root: &clap::Command, mut words: Vec<OsString>) -> Vec<OsString> {
    let Some(place) = command_place(root, &words) else { return words };
    if words.get(place).is_some_and(|word| word == "help") {
        words.drain(1..place);
    } else if let Some(words) = words.get_mut(1..=place) {
        words.rotate_right(1);
    }
    words
}

/// The index of the first argument that is neither an option nor an option's value.
fn command_place(root: &clap::Command, words: &[OsString]) -> Option<usize> {
    // An option that no command has is left to clap's error message: it is unknown whether it takes a value.
    let takes_value = |name: &str| {
        let mut arguments = iter::once(root).chain(root.get_subcommands()).flat_map(clap::Command::get_arguments);
        arguments
            .find(|argument| argument.get_long() == Some(name))
            .map(|argument| argument.get_action().takes_values())
    };
    let mut place = 1;
    loop {
        let word = words.get(place)?.to_str()?;
        place += match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (_, None) => return Some(place),
            (None, Some(_)) => 1,
            (Some(option), _) => match option.split_once('=') {
                Some((name, _)) => takes_value(name).map(|_| 1)?,
                None => 1 + usize::from(takes_value(option)?),
            },
        };
    }
}

/// Lists which commands take an option that this one does not take.
fn with_tip(mut error: clap::Error, root: &clap::Command) -> clap::Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else { return error };
    let name = given.trim_start_matches('-').split('=').next().unwrap_or_default().to_owned();
    let takes = |command: &&clap::Command| {
        command.get_arguments().any(|argument| argument.get_long() == Some(&name) && !argument.is_hide_set())
    };
    let takers: Vec<_> = root.get_subcommands().filter(takes).map(clap::Command::get_name).collect();
    if error.kind() == ErrorKind::UnknownArgument && !takers.is_empty() {
        let tip = format!("--{name} is for {}", takers.join(", "));
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_is_well_defined() {
        program().debug_assert();
    }

    #[test]
    fn the_command_comes_first() {
        for (given, wanted) in [
            ("picovd", "picovd"),
            ("picovd --watch", "picovd --watch"),
            ("picovd --manifest ls", "picovd --manifest ls"),
            ("picovd --manifest ls --elf cat uf2 x", "picovd uf2 --manifest ls --elf cat x"),
            ("picovd --after=1s --strict cat A", "picovd cat --after=1s --strict A"),
            ("picovd --usbip 127.0.0.1 serve", "picovd serve --usbip 127.0.0.1"),
            ("picovd --help ls", "picovd ls --help"),
            ("picovd --elf a help ls", "picovd help ls"),
            ("picovd -V ls", "picovd ls -V"),
            ("picovd --elf a -- ls", "picovd --elf a -- ls"),
            ("picovd --no-such ls", "picovd --no-such ls"),
            ("picovd --no-such=1 ls", "picovd --no-such=1 ls"),
        ] {
            let words = command_first(&program(), given.split(' ').map(OsString::from).collect());
            assert_eq!(words, wanted.split(' ').map(OsString::from).collect::<Vec<_>>(), "{given}");
        }
    }
}
