//! How fast the firmware is, measured on the emulated board: `cargo xtask bench` builds the firmware and runs this.
//!
//! One row for each kind of sector. Cycles are those in which the processor is awake between a CBW and its CSW; the bus does
//! not count, since the processor sleeps while it waits. Bytes per frame and shares come from the bus model of full speed.

mod measure;
mod pace;
mod stack;
mod table;
mod wire;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;
use measure::Bench;
use pace::Pace;
use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::plug;

const HELP: &str = "\
Measures a firmware on the emulated board.

usage: bench --elf FILE [--manifest FILE] [--json] [--profile] [--stack]

    --elf FILE        the firmware
    --manifest FILE   the manifest that it was built from (default: the stock picovd.toml)
    --json            for machines
    --profile         awake cycles by address, `ADDRESS CYCLES KIND` a line, instead of the table
    --stack           how deep the stack gets, `TO-START TO-RUN ROOM WHAT` a line, instead of the table
";

/// A kind of sector, and where one run of it stands.
struct Kind {
    name: &'static str,
    first: u32,
    blocks: u32,
}

#[derive(Default)]
struct Options {
    elf: PathBuf,
    manifest: Option<PathBuf>,
    json: bool,
    profile: bool,
    stack: bool,
}

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
            Long("elf") => options.elf = parser.value()?.into(),
            Long("manifest") => options.manifest = Some(parser.value()?.into()),
            Long("json") => options.json = true,
            Long("profile") => options.profile = true,
            Long("stack") => options.stack = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let plan = plug::plan(options.manifest.as_deref()).map_err(|problems| problems.to_string())?;
    let elf = std::fs::read(&options.elf).map_err(|error| format!("{}: {error}", options.elf.display()))?;
    if options.stack {
        for stack::Depth { to_start, to_run, room, what } in stack::depths(&elf, &plan)? {
            println!("{to_start} {to_run} {room} {what}");
        }
        return Ok(());
    }
    let kinds = kinds(&plan);
    let flash_size = plan.chip.flash_size as usize;
    if options.profile {
        for kind in &kinds {
            let mut bench = Bench::plug(&elf, flash_size, Pace::USUAL)?;
            for (address, cycles) in bench.profile(kind.first, kind.blocks)? {
                println!("{address:08x} {cycles} {}", kind.name);
            }
        }
        return Ok(());
    }
    let mut tables = Vec::new();
    for pace in [Pace::USUAL, Pace::SLOW_CORE, Pace::SLOW_FLASH] {
        let mut bench = Bench::plug(&elf, flash_size, pace)?;
        let rows = kinds.iter().map(|kind| bench.row(kind.name, kind.first, kind.blocks)).collect::<Result<_, _>>()?;
        tables.push((pace, rows));
    }
    print!("{}", if options.json { table::json(&tables) } else { table::text(&tables) });
    Ok(())
}

/// The longest run of each kind of sector.
fn kinds(plan: &DiskPlan) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for region in &plan.regions {
        let name = match &region.kind {
            RegionKind::Boot => "boot region",
            RegionKind::Fat => "FAT",
            RegionKind::Bitmap => "allocation bitmap",
            RegionKind::Upcase => "up-case table",
            RegionKind::Directory { root: true, .. } => "root directory",
            RegionKind::Directory { .. } => "directory",
            RegionKind::Bytes(_) => "static file",
            RegionKind::Memory { base, .. } if *base < 0x1000_0000 => "ROM window",
            RegionKind::Memory { base, .. } if *base < 0x2000_0000 => "flash window",
            RegionKind::Memory { .. } => "SRAM window",
            _ => continue,
        };
        // Past its contents a region is zeros, which cost nothing.
        let blocks = match &region.kind {
            RegionKind::Bytes(bytes) => (bytes.len() as u32).div_ceil(512),
            RegionKind::Directory { entries, .. } => (entries.len() as u32).div_ceil(512),
            RegionKind::Bitmap => plan.cluster_count.div_ceil(8 * 512),
            RegionKind::Upcase => 12,
            _ => region.length,
        };
        let kind = Kind { name, first: region.first, blocks: blocks.clamp(1, region.length) };
        match kinds.iter_mut().find(|known| known.name == name) {
            Some(known) if known.blocks >= kind.blocks => {}
            Some(known) => *known = kind,
            None => kinds.push(kind),
        }
    }
    kinds
}
