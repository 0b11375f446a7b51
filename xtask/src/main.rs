//! The project's tasks: `cargo xtask <setup|firmware|size|test|bench>`.

mod bench;
mod command;
mod elf;
mod firmware;
mod guest;
mod imports;
mod readers;
mod report;
mod rings;
mod setup;
mod size;
mod toolchain;
mod traffic;
mod truth;
mod uf2;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use setup::Policy;
use toolchain::{Choice, Toolchain};
use workspace::Workspace;

const HELP: &str = "\
Tasks of PicoVD.

usage: cargo xtask <task> [options]

    setup       install what the tests need
    firmware    build the firmware: target/firmware/picovd.elf and picovd.uf2
    size        show what takes room in the firmware
    test        run every ring of tests, as CI does
    bench       measure how fast the simulated stick reads

`cargo xtask <task> --help` says more.
";

const SETUP_HELP: &str = "\
Installs what the tests need beyond cargo and gcc, and says what before: Debian packages (with sudo where you are not
root) and the chip's Rust target. What is there already is left alone.

usage: cargo xtask setup [options]

    --ring N            only what ring N needs (may be repeated)
    --no-install        install nothing; fail and name the command that would
    --toolchain HOW     auto, rustup or debian: see `cargo xtask firmware --help`
";

const FIRMWARE_HELP: &str = "\
Builds the firmware for the RP2350, and writes target/firmware/picovd.elf and picovd.uf2. The same sources give the same
bytes in every folder.

usage: cargo xtask firmware [options]

    --bin NAME          picovd (the default) or another binary of the package
    --toolchain HOW     rustup: the Rust in use, with its target from `rustup target add`
                        debian: Debian's rustc-web, cargo-web and rust-web-src; core is built here
                        auto (the default): rustup, and debian where that fails
    --no-install        install nothing; fail and name the command that would
";

const SIZE_HELP: &str = "\
Shows text, rodata, data and bss of the firmware, in total and by module.

usage: cargo xtask size [options]

    --elf FILE          an ELF file; without it the firmware is built first
    --toolchain HOW     as for `cargo xtask firmware`
    --no-install        as for `cargo xtask firmware`
";

const TEST_HELP: &str = "\
Runs every ring of tests, as CI does, after installing what they need. One line per check; the last line counts them.

usage: cargo xtask test [options]

    --ring N            only ring N (may be repeated), and say what is left out
    --long              also long histories and heavier guests
    --bless             accept what is held against a text under tests/blessed/ as the new text
    --no-install        install nothing; fail and name the command that would
    --toolchain HOW     as for `cargo xtask firmware`

rings:
";

const BENCH_HELP: &str = "\
Reads the whole stock volume through the simulated bus several times, and prints how fast that goes on this machine. It
says how long tests take, and nothing about a real board.

usage: cargo xtask bench [--rounds N]
";

/// What ends a task early.
enum Stop {
    /// The command line makes no sense: exit status 2.
    Usage(String),
    /// Something went wrong: exit status 1.
    Failed(String),
    /// It was all said already: exit status 1.
    Silent,
}

impl From<lexopt::Error> for Stop {
    fn from(error: lexopt::Error) -> Self {
        Self::Usage(error.to_string())
    }
}

impl From<String> for Stop {
    fn from(reason: String) -> Self {
        Self::Failed(reason)
    }
}

fn main() -> ExitCode {
    let stop = match run() {
        Ok(()) => return ExitCode::SUCCESS,
        Err(stop) => stop,
    };
    match stop {
        Stop::Usage(reason) => {
            eprintln!("xtask: {reason}; see `cargo xtask --help`");
            ExitCode::from(2)
        }
        Stop::Failed(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
        Stop::Silent => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), Stop> {
    let mut parser = lexopt::Parser::from_env();
    match parser.next()? {
        None => Err(Stop::Usage("which task? setup, firmware, size, test or bench".to_owned())),
        Some(Short('h') | Long("help")) => {
            print!("{HELP}");
            Ok(())
        }
        Some(Value(task)) => match task.to_string_lossy().as_ref() {
            "setup" => setup(parser),
            "firmware" => firmware(parser),
            "size" => size(parser),
            "test" => test(parser),
            "bench" => bench(parser),
            other => Err(Stop::Usage(format!("no task is called `{other}`"))),
        },
        Some(other) => Err(other.unexpected().into()),
    }
}

/// The options that several tasks share.
#[derive(Debug)]
struct Options {
    policy: Policy,
    choice: Choice,
    rings: Vec<u8>,
    long: bool,
    bless: bool,
    binary: String,
    elf: Option<PathBuf>,
    rounds: u32,
}

/// Reads the options that `allowed` names; `None` when the help text was asked for and printed.
fn options(mut parser: lexopt::Parser, allowed: &[&str], help: &str) -> Result<Option<Options>, Stop> {
    let mut options = Options {
        policy: Policy::Install,
        choice: Choice::Auto,
        rings: Vec::new(),
        long: false,
        bless: false,
        binary: "picovd".to_owned(),
        elf: None,
        rounds: 5,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{help}");
                return Ok(None);
            }
            Long("no-install") if allowed.contains(&"no-install") => options.policy = Policy::Refuse,
            Long("toolchain") if allowed.contains(&"toolchain") => {
                options.choice = Choice::parse(&parser.value()?.to_string_lossy()).map_err(Stop::Usage)?;
            }
            Long("ring") if allowed.contains(&"ring") => {
                let number: u8 = parser.value()?.parse()?;
                if rings::find(number).is_none() {
                    return Err(Stop::Usage(format!("there is no ring {number}; there are {}", rings::numbers())));
                }
                options.rings.push(number);
            }
            Long("long") if allowed.contains(&"long") => options.long = true,
            Long("bless") if allowed.contains(&"bless") => options.bless = true,
            Long("bin") if allowed.contains(&"bin") => options.binary = parser.value()?.to_string_lossy().into_owned(),
            Long("elf") if allowed.contains(&"elf") => options.elf = Some(parser.value()?.into()),
            Long("rounds") if allowed.contains(&"rounds") => {
                options.rounds = parser.value()?.parse()?;
                if options.rounds == 0 {
                    return Err(Stop::Usage("--rounds takes 1 or more".to_owned()));
                }
            }
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(options))
}

fn setup(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["ring", "no-install", "toolchain"], SETUP_HELP)? else { return Ok(()) };
    let workspace = Workspace::find()?;
    let toolchain =
        rings::prepare(&workspace, &rings::selected(&options.rings, options.long), options.choice, options.policy)?;
    if let Some(toolchain) = toolchain {
        println!("the chip's programs are built by {}", toolchain.describe());
    }
    println!("everything is there");
    Ok(())
}

fn firmware(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["bin", "no-install", "toolchain"], FIRMWARE_HELP)? else { return Ok(()) };
    let workspace = Workspace::find()?;
    let toolchain = Toolchain::find(&workspace, options.choice, options.policy)?;
    println!("building with {}", toolchain.describe());
    let built = firmware::build(&workspace, &toolchain, &options.binary, false)?;
    println!("{}", built.elf.display());
    println!("{}", built.uf2.display());
    println!("{}", firmware::summary(&elf::Elf::read(&built.elf)?));
    Ok(())
}

fn size(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["elf", "no-install", "toolchain"], SIZE_HELP)? else { return Ok(()) };
    let elf = match options.elf {
        Some(file) => file,
        None => {
            let workspace = Workspace::find()?;
            let toolchain = Toolchain::find(&workspace, options.choice, options.policy)?;
            firmware::build(&workspace, &toolchain, &options.binary, false)?.elf
        }
    };
    print!("{}", size::report(&elf::Elf::read(&elf)?));
    Ok(())
}

fn test(parser: lexopt::Parser) -> Result<(), Stop> {
    let help = format!("{TEST_HELP}{}", rings::list());
    let Some(options) = options(parser, &["ring", "long", "bless", "no-install", "toolchain"], &help)? else {
        return Ok(());
    };
    let workspace = Workspace::find()?;
    let all = rings::test(&workspace, &options.rings, options.long, options.bless, options.choice, options.policy);
    if all { Ok(()) } else { Err(Stop::Silent) }
}

fn bench(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["rounds"], BENCH_HELP)? else { return Ok(()) };
    Ok(bench::run(&Workspace::find()?, options.rounds)?)
}
