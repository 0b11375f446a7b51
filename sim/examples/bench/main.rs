//! How fast the firmware is, measured on the emulated board: `cargo xtask bench` builds the firmware and runs this.
//!
//! One row for each kind of sector. Cycles are those in which the processor is awake between a CBW and its CSW; the bus does
//! not count, since the processor sleeps while it waits. Bytes per frame and shares come from the bus model of full speed.

mod json;
mod kinds;
mod markdown;
mod masked;
mod measure;
mod mount;
mod native;
mod pace;
mod partitioned;
mod report;
mod share;
mod stack;
mod table;
mod wire;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use kinds::{Computed, Kind, kinds};
use lexopt::prelude::*;
use measure::{Bench, Row};
use pace::Pace;
use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::plug;
use report::{Group, Many, Report};
use share::{Counted, shares};

const HELP: &str = "\
Measures a firmware on the emulated board.

usage: bench --elf FILE [options]

    --elf FILE        the firmware
    --manifest FILE   the manifest that it was built from (default: the stock picovd.toml)
    --json            for machines
    --markdown        as the README has it
    --profile         awake cycles by address, `ADDRESS CYCLES KIND` a line, instead of the table
    --blocks N        for --profile: READs of so many sectors (default: 128)
    --stack           how deep the stack gets, `TO-START TO-RUN ROOM WHAT` a line, instead of the table

more for the same table:

    --hal FILE                the firmware on the HAL's driver of the USB controller
    --full FILE MANIFEST      a firmware with everything on: its computed files, beside a partition table
    --log FILE MANIFEST       a firmware whose logs are full after 15 s
    --many FILE MANIFEST      a firmware with many files in one folder (may be repeated)
    --interrupts FILE MANIFEST  a firmware whose main loop has other things to do
    --calls FILE MANIFEST     the firmware tests/many-files (with --profile, its adds are what is profiled)
    --settings FILE MANIFEST  the firmware examples/settings
    --commands FILE           what a Linux kernel asked of the stock volume, blessed by ring 6
    --sim FILE MANIFEST       the simulator's program, and a manifest whose volume it writes to a file
";

/// A firmware and the manifest that it was built from.
type Built = (PathBuf, PathBuf);

#[derive(Default)]
struct Options {
    elf: PathBuf,
    manifest: Option<PathBuf>,
    json: bool,
    markdown: bool,
    profile: bool,
    blocks: Option<u32>,
    stack: bool,
    hal: Option<PathBuf>,
    full: Option<Built>,
    log: Option<Built>,
    many: Vec<Built>,
    interrupts: Option<Built>,
    calls: Option<Built>,
    settings: Option<Built>,
    commands: Option<PathBuf>,
    sim: Option<Built>,
}

/// When a firmware has said all that it logs, and an application has found what it looks for.
const SETTLED: Duration = Duration::from_secs(15);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut options = Options::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(());
            }
            Long("full") => options.full = Some(built(&mut parser)?),
            Long("log") => options.log = Some(built(&mut parser)?),
            Long("many") => options.many.push(built(&mut parser)?),
            Long("interrupts") => options.interrupts = Some(built(&mut parser)?),
            Long("calls") => options.calls = Some(built(&mut parser)?),
            Long("settings") => options.settings = Some(built(&mut parser)?),
            Long("sim") => options.sim = Some(built(&mut parser)?),
            Long("elf") => options.elf = parser.value()?.into(),
            Long("manifest") => options.manifest = Some(parser.value()?.into()),
            Long("hal") => options.hal = Some(parser.value()?.into()),
            Long("commands") => options.commands = Some(parser.value()?.into()),
            Long("json") => options.json = true,
            Long("markdown") => options.markdown = true,
            Long("profile") => options.profile = true,
            Long("blocks") => options.blocks = Some(parser.value()?.parse()?),
            Long("stack") => options.stack = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let plan = planned(options.manifest.as_deref())?;
    let elf = load(&options.elf)?;
    if options.stack {
        for stack::Depth { to_start, to_run, room, what } in stack::depths(&elf, &plan)? {
            println!("{to_start} {to_run} {room} {what}");
        }
    } else if options.profile
        && let Some((elf, manifest)) = &options.calls
    {
        let size = planned(Some(manifest))?.chip.flash_size as usize;
        for (address, cycles) in masked::profile(&load(elf)?, size)? {
            println!("{address:08x} {cycles} adds of dynamic files");
        }
    } else if options.profile {
        for kind in &kinds(&plan) {
            let mut bench = Bench::plug(&elf, plan.chip.flash_size as usize, Pace::USUAL)?;
            for (address, cycles) in bench.profile(kind.first, kind.blocks.min(options.blocks.unwrap_or(128)))? {
                println!("{address:08x} {cycles} {}", kind.name);
            }
        }
    } else {
        let report = measure_all(&options, &elf, &plan)?;
        let text = match (options.json, options.markdown) {
            (true, _) => json::json(&report),
            (_, true) => markdown::markdown(&report),
            _ => table::text(&report),
        };
        print!("{text}");
    }
    Ok(())
}

fn built(parser: &mut lexopt::Parser) -> Result<Built, lexopt::Error> {
    Ok((parser.value()?.into(), parser.value()?.into()))
}

fn load(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn planned(manifest: Option<&Path>) -> Result<DiskPlan, String> {
    plug::plan(manifest).map_err(|problems| problems.to_string())
}

/// Everything that the options have a firmware for.
fn measure_all(options: &Options, elf: &[u8], plan: &DiskPlan) -> Result<Report, Box<dyn Error>> {
    let flash_size = plan.chip.flash_size as usize;
    let mut report = Report::default();
    for (bus, elf) in [("picovd", Some(elf.to_vec())), ("rp235x-hal", options.hal.as_deref().map(load).transpose()?)] {
        let Some(elf) = elf else { continue };
        for pace in [Pace::USUAL, Pace::SLOW_CORE, Pace::SLOW_FLASH] {
            let mut rows = rows(&kinds(plan), &elf, flash_size, pace)?;
            if bus == "picovd" {
                rows.extend(computed_rows(options, pace)?);
            }
            report.groups.push(Group { bus, pace, rows });
        }
    }
    for (elf, manifest) in &options.many {
        report.many.push(many(elf, manifest)?);
    }
    report.mount = options.commands.as_deref().map(mount::read).transpose()?;
    report.shares = shares("a loop that sleeps", Counted::Awake, elf, flash_size, to_read(plan)?)?;
    if let Some((elf, manifest)) = &options.interrupts {
        let plan = planned(Some(manifest))?;
        let size = plan.chip.flash_size as usize;
        let place = to_read(&plan)?;
        report.shares.extend(shares("interrupt handlers", Counted::Handlers, &load(elf)?, size, place)?);
    }
    if let Some((elf, manifest)) = &options.calls {
        let size = planned(Some(manifest))?.chip.flash_size as usize;
        report.calls = Some(masked::calls(&load(elf)?, size)?);
        report.others.value = masked::value(&load(elf)?, size)?;
        report.others.texts = masked::texts(&load(elf)?, size)?;
    }
    if let Some((elf, manifest)) = &options.log {
        let size = planned(Some(manifest))?.chip.flash_size as usize;
        (report.others.print, report.others.log) = masked::logs(&load(elf)?, size)?;
    }
    if let Some((elf, manifest)) = &options.settings {
        let size = planned(Some(manifest))?.chip.flash_size as usize;
        report.others.settings = masked::settings(&load(elf)?, size)?;
    }
    report.image = options.sim.as_ref().map(|(sim, manifest)| native::image(sim, manifest)).transpose()?;
    report.emulated = Some(native::emulate(elf, flash_size, to_read(plan)?)?);
    Ok(report)
}

fn rows(kinds: &[Kind], elf: &[u8], flash_size: usize, pace: Pace) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut bench = Bench::plug(elf, flash_size, pace)?;
    kinds.iter().map(|kind| bench.row(kind.name, kind.first, kind.blocks)).collect()
}

/// What is read to keep the bus busy: the window of flash, else the longest of all.
fn to_read(plan: &DiskPlan) -> Result<(u32, u32), String> {
    let kinds = kinds(plan);
    let flash = kinds.iter().find(|kind| kind.name == "flash window");
    let any = flash.or_else(|| kinds.iter().max_by_key(|kind| kind.blocks)).ok_or("a volume without regions")?;
    Ok((any.first, any.blocks))
}

/// The files that firmwares compute, of those firmwares that the options have.
fn computed_rows(options: &Options, pace: Pace) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    let firmwares: [(&Option<Built>, &[Computed]); 3] =
        [(&options.full, &kinds::FULL), (&options.log, &kinds::LOGS), (&options.interrupts, &kinds::APPLICATION)];
    for (built, files) in firmwares {
        let Some((elf, manifest)) = built else { continue };
        let size = planned(Some(manifest))?.chip.flash_size as usize;
        let mut bench = Bench::plug_after(SETTLED, &load(elf)?, size, pace)?;
        bench.settle_down()?;
        for (name, path) in files {
            let (found, first, blocks) = bench.find(path)?;
            bench = found;
            rows.push(bench.row(name, first, blocks)?);
        }
    }
    if let Some((elf, manifest)) = &options.calls {
        rows.extend(masked::many(&load(elf)?, &planned(Some(manifest))?, pace)?);
    }
    Ok(rows)
}

/// The sectors of a volume with many files, the last file's among them.
fn many(elf: &Path, manifest: &Path) -> Result<Many, Box<dyn Error>> {
    let plan = planned(Some(manifest))?;
    let mut contents = plan.regions.iter().filter(|region| matches!(region.kind, RegionKind::Bytes(_)));
    let files = contents.clone().count() as u32;
    let last = contents.next_back().map(|region| Kind { name: "last file", first: region.first, blocks: 1 });
    let mut kinds: Vec<Kind> = kinds(&plan);
    kinds.retain(|kind| ["directory", "FAT", "allocation bitmap"].contains(&kind.name));
    kinds.extend(last);
    Ok(Many { files, rows: rows(&kinds, &load(elf)?, plan.chip.flash_size as usize, Pace::USUAL)? })
}
