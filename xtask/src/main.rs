//! The project's tasks: `cargo xtask <setup|firmware|page|size|test|bench>`.

mod bench;
mod browser;
mod budgets;
mod command;
mod elf;
mod fatfs;
mod firefox;
mod firmware;
mod guest;
mod imports;
mod modules;
mod nightly;
mod page;
mod panics;
mod readers;
mod reference;
mod release;
mod report;
mod rings;
mod setup;
mod size;
mod symbols;
mod toolchain;
mod traffic;
mod truth;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

use setup::Policy;
use toolchain::{Choice, Processor, Toolchain};
use workspace::Workspace;

const HELP: &str = "\
Tasks of PicoVD.

usage: cargo xtask <task> [options]

    setup       install what the tests need
    firmware    build the firmware: target/firmware/picovd.elf and picovd.uf2
    page        build CONFIGURE.HTM, the page that configures a stick
    release     build everything that people download
    size        show the size of the firmware by module
    test        run every ring of tests, as CI does
    bench       measure how fast the firmware is, on the emulated board

`cargo xtask <task> --help` describes a task in detail.
";

const SETUP_HELP: &str = "\
Installs what the tests need in addition to cargo and gcc, and lists it first: Debian packages (with sudo if you are not
root), the chip's Rust targets, and, in a cache folder, a virtual machine's packages and a Python wheel. What is installed
already is not changed.

usage: cargo xtask setup [options]

    --ring N            only what ring N needs (may be repeated)
    --long              also what only the long tests need: the packages of a heavier virtual machine
    --no-install        install nothing; fail and name the command that would
    --toolchain HOW     auto, rustup or debian: see `cargo xtask firmware --help`
";

const FIRMWARE_HELP: &str = "\
Builds the firmware for the RP2350, and writes target/firmware/picovd.elf and picovd.uf2. The same sources give the same
bytes in every folder.

usage: cargo xtask firmware [options]

    --manifest FILE     build from this manifest instead of picovd.toml; examples/picovd-tool.toml is for the tool that runs
                        from RAM and shows the flash of any board
    --name NAME         write target/firmware/NAME.elf and NAME.uf2; by default the manifest's name, or picovd
    --riscv             for the chip's RISC-V cores, as NAME-riscv.elf and NAME-riscv.uf2: built, but never run on a board
    --toolchain HOW     rustup: the Rust in use, with its target from `rustup target add`
                        debian: Debian's rustc-web, cargo-web and rust-web-src; core is built from source
                        auto (the default): rustup, or debian if that fails
    --no-install        install nothing; fail and name the command that would
";

const PAGE_HELP: &str = "\
Builds CONFIGURE.HTM: one file that makes a configuration for the stock firmware in a browser, without a network. The same
sources give the same bytes in every folder.

usage: cargo xtask page [options]

    --firmware FILE     put this picovd.uf2 into the page, so that it also offers PICOVD.UF2; without it, the person chooses one
    --output FILE       write this file; by default target/page/CONFIGURE.HTM
    --no-install        install nothing; fail and name the command that would
";

const RELEASE_HELP: &str = "\
Builds what people download, and writes it to target/picovd-VERSION: picovd.uf2 and picovd-tool.uf2, both also for the RISC-V
cores, CONFIGURE.HTM with the firmware inside, the program picovd for this machine, SHA256SUMS, and RELEASE.md, which says
what each is for. The same sources and the same compiler give the same bytes in every folder.

usage: cargo xtask release [options]

    --toolchain HOW     as for `cargo xtask firmware`
    --no-install        as for `cargo xtask firmware`
";

const SIZE_HELP: &str = "\
Builds the firmware images of xtask/budgets.toml, and shows text, rodata, data and bss of each by module, with the change
since the figures in xtask/sizes.toml, and the stack usage on the emulated board. Fails if a budget is exceeded, if the
firmware may panic at a site that is not in xtask/budgets.toml, or if the library may panic at all.

usage: cargo xtask size [options]

    --record            write the figures to xtask/sizes.toml
    --elf FILE          only the table of this ELF file
    --toolchain HOW     as for `cargo xtask firmware`
    --no-install        as for `cargo xtask firmware`
";

const TEST_HELP: &str = "\
Runs every ring of tests, as CI does, after installing what they need. One line per check; the last line counts them.

usage: cargo xtask test [options]

    --ring N            only ring N (may be repeated), and list what is skipped
    --long              also long histories and heavier guests
    --bless             accept new output: rewrite the texts under tests/blessed/ and similar ones
    --no-install        install nothing; fail and name the command that would
    --toolchain HOW     as for `cargo xtask firmware`

rings:
";

const BENCH_HELP: &str = "\
Reads every kind of sector from the firmware on the emulated board, and prints what it costs: awake cycles, bytes per frame,
share of the bus's limit, how early the next packet is ready, NAKs; at three speeds of the processor, and with the HAL's driver
of the USB controller. Then: directories of 10, 100 and 1,000 files, what a mount by Linux reads, the stick's share of the
processor, how fast the simulator is, and which goals are met.

usage: cargo xtask bench [options]

    --json              for machines
    --markdown          in the README's format
    --profile           awake cycles by function, instead of the table
    --elf FILE          only this ELF file; by default the firmware and what it is compared with are built first
    --manifest FILE     the manifest that the ELF file was built from (default: the stock picovd.toml)
    --toolchain HOW     as for `cargo xtask firmware`
    --no-install        as for `cargo xtask firmware`
";

/// What ends a task early.
enum Stop {
    /// The command line is invalid: exit status 2.
    Usage(String),
    /// Something went wrong: exit status 1.
    Failed(String),
    /// Everything was reported already: exit status 1.
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
            report::say(std::io::stderr(), &format!("xtask: {reason}; see `cargo xtask --help`\n"));
            ExitCode::from(2)
        }
        Stop::Failed(reason) => {
            report::say(std::io::stderr(), &format!("xtask: {reason}\n"));
            ExitCode::FAILURE
        }
        Stop::Silent => ExitCode::FAILURE,
    }
}

fn run() -> Result<(), Stop> {
    let mut parser = lexopt::Parser::from_env();
    match parser.next()? {
        None => Err(Stop::Usage("which task? setup, firmware, page, size, test or bench".to_owned())),
        Some(Short('h') | Long("help")) => {
            print!("{HELP}");
            Ok(())
        }
        Some(Value(task)) => match task.to_string_lossy().as_ref() {
            "setup" => setup(parser),
            "firmware" => firmware(parser),
            "page" => page(parser),
            "release" => release(parser),
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
    name: Option<String>,
    elf: Option<PathBuf>,
    manifest: Option<PathBuf>,
    form: bench::Form,
    record: bool,
    processor: Processor,
    firmware: Option<PathBuf>,
    output: Option<PathBuf>,
}

/// Reads the options that `allowed` names; `None` when the help text was asked for and printed.
fn options(mut parser: lexopt::Parser, allowed: &[&str], help: &str) -> Result<Option<Options>, Stop> {
    let mut options = Options {
        policy: Policy::Install,
        choice: Choice::Auto,
        rings: Vec::new(),
        long: false,
        bless: false,
        name: None,
        elf: None,
        manifest: None,
        form: bench::Form::Table,
        record: false,
        processor: Processor::Arm,
        firmware: None,
        output: None,
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
            Long("riscv") if allowed.contains(&"riscv") => options.processor = Processor::RiscV,
            Long("long") if allowed.contains(&"long") => options.long = true,
            Long("bless") if allowed.contains(&"bless") => options.bless = true,
            Long("name") if allowed.contains(&"name") => {
                options.name = Some(parser.value()?.to_string_lossy().into_owned());
            }
            Long("elf") if allowed.contains(&"elf") => options.elf = Some(parser.value()?.into()),
            Long("manifest") if allowed.contains(&"manifest") => options.manifest = Some(parser.value()?.into()),
            Long("firmware") if allowed.contains(&"firmware") => options.firmware = Some(parser.value()?.into()),
            Long("output") if allowed.contains(&"output") => options.output = Some(parser.value()?.into()),
            Long("record") if allowed.contains(&"record") => options.record = true,
            Long("json") if allowed.contains(&"json") => options.form = bench::Form::Json,
            Long("markdown") if allowed.contains(&"markdown") => options.form = bench::Form::Markdown,
            Long("profile") if allowed.contains(&"profile") => options.form = bench::Form::Profile,
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(Some(options))
}

fn setup(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["ring", "long", "no-install", "toolchain"], SETUP_HELP)? else {
        return Ok(());
    };
    let workspace = Workspace::find()?;
    let rings = rings::selected(&options.rings);
    let toolchain = rings::prepare(&workspace, &rings, options.long, options.choice, options.policy)?;
    if let Some(toolchain) = toolchain {
        println!("the chip's programs are built by {}", toolchain.describe(Processor::Arm));
    }
    println!("everything is there");
    Ok(())
}

fn firmware(parser: lexopt::Parser) -> Result<(), Stop> {
    let allowed = ["manifest", "name", "riscv", "no-install", "toolchain"];
    let Some(options) = options(parser, &allowed, FIRMWARE_HELP)? else { return Ok(()) };
    let workspace = Workspace::find()?;
    let toolchain = Toolchain::find(&workspace, options.choice, options.policy)?;
    let toolchain = toolchain.of(options.processor, &workspace, options.policy)?;
    println!("building with {}", toolchain.describe(options.processor));
    // A firmware from another manifest must not replace the stock one.
    let stem = options.manifest.as_deref().and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy());
    let name = options.name.as_deref().or(stem.as_deref()).unwrap_or("picovd");
    let name = if options.processor == Processor::RiscV { format!("{name}-riscv") } else { name.to_owned() };
    let variant = firmware::Variant { binary: firmware::BINARY, manifest: options.manifest.as_deref(), name: &name };
    // Only the stock firmware shows the page.
    let page = match (&options.manifest, &toolchain) {
        (Some(_), _) => None,
        (None, Toolchain::InUse) => Some(stick_page(&workspace, options.policy)?),
        (None, Toolchain::Debian { .. }) => {
            println!("without CONFIGURE.HTM: Debian's compiler does not build for browsers");
            None
        }
    };
    let built = firmware::build_with_page(&workspace, &toolchain, variant, options.processor, page.as_deref(), false)?;
    println!("{}", built.elf.display());
    println!("{}", built.uf2.display());
    println!("{}", firmware::summary(&elf::Elf::read(&built.elf)?));
    Ok(())
}

/// Builds the page as the stock firmware shows it.
fn stick_page(workspace: &Workspace, policy: Policy) -> Result<PathBuf, String> {
    toolchain::wasm(policy)?;
    let path = page::place(workspace);
    page::build(workspace, None, &path)?;
    Ok(path)
}

fn release(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["no-install", "toolchain"], RELEASE_HELP)? else { return Ok(()) };
    let workspace = Workspace::find()?;
    let toolchain = Toolchain::find(&workspace, options.choice, options.policy)?;
    let page = stick_page(&workspace, options.policy)?;
    let folder = release::build(&workspace, &toolchain, options.policy, &page)?;
    println!("{}", folder.display());
    Ok(())
}

fn page(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["firmware", "output", "no-install"], PAGE_HELP)? else { return Ok(()) };
    let workspace = Workspace::find()?;
    toolchain::wasm(options.policy)?;
    let output = options.output.unwrap_or_else(|| page::place(&workspace));
    let length = page::build(&workspace, options.firmware.as_deref(), &output)?;
    println!("{}: {length} bytes", output.display());
    Ok(())
}

fn size(parser: lexopt::Parser) -> Result<(), Stop> {
    let Some(options) = options(parser, &["record", "elf", "no-install", "toolchain"], SIZE_HELP)? else {
        return Ok(());
    };
    if let Some(file) = options.elf {
        print!("{}", size::report(&elf::Elf::read(&file)?, &file)?);
        return Ok(());
    }
    let workspace = Workspace::find()?;
    let toolchain = Toolchain::find(&workspace, options.choice, options.policy)?;
    let wrong = size::run(&workspace, &toolchain, options.policy, options.record, |table| println!("{table}"))?;
    if wrong.is_empty() { Ok(()) } else { Err(Stop::Failed(wrong.join("\n"))) }
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
    let allowed = ["json", "markdown", "profile", "elf", "manifest", "no-install", "toolchain"];
    let Some(options) = options(parser, &allowed, BENCH_HELP)? else { return Ok(()) };
    let workspace = Workspace::find()?;
    if let Some(elf) = options.elf {
        return Ok(bench::run(&workspace, &elf, options.manifest.as_deref(), options.form)?);
    }
    if options.manifest.is_some() {
        return Err(Stop::Usage("--manifest goes with --elf".to_owned()));
    }
    let toolchain = Toolchain::find(&workspace, options.choice, options.policy)?;
    Ok(bench::run_all(&workspace, &toolchain, options.form)?)
}
