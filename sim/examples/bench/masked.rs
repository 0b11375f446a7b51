//! How long the registry of dynamic files masks interrupts, and how long many adds take.

use super::measure::{Bench, Row};
use super::pace::{Masked, Pace, Paced};
use picovd_manifest::{DiskPlan, RegionKind};
use picovd_sim::board::{ChipIdentity, ElfDevice};
use picovd_sim::host::terminal::Terminal;
use picovd_sim::link::Link;
use picovd_sim::patch;
use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

/// What the program tests/many-files does, measured.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// The longest stretch with interrupts masked, from the start on, in cycles.
    pub masked: u64,
    /// What its first 64 adds took, in microseconds.
    pub adds: u32,
    /// What its first 99 took.
    pub all_adds: u32,
}

/// How long the program changes files before a host comes, and while one is there.
const LOOKED: Duration = Duration::from_millis(1_500);

/// Measures that program.
pub fn calls(elf: &[u8], flash_size: usize) -> Result<Calls, Box<dyn Error>> {
    let mut bench = Bench::plug_prepared(LOOKED, elf, flash_size, Pace::USUAL, |board| {
        board.machine().core_mut().masked = Some(Masked::default());
    })?;
    bench.wait(LOOKED);
    bench.with_board(|board| {
        if let Some(fault) = board.fault() {
            return Err(fault.to_owned().into());
        }
        let machine = board.machine();
        let word = |name: &str| machine.symbol(name).and_then(|address| machine.word(address)).unwrap_or_default();
        let (adds, all_adds, calls) = (word("TOOK"), word("ALL_TOOK"), word("CALLS"));
        if adds == 0 || all_adds == 0 || calls < 8 * 99 {
            return Err(format!("tests/many-files: {adds} us for the adds, {calls} calls").into());
        }
        let masked = machine.core().masked.ok_or("nothing was counted")?.longest;
        Ok(Calls { masked, adds, all_adds })
    })
}

/// What that program does in place of changing 250 files, by its `CASE`.
const STAYING: u32 = 1;
const ONE_VALUE: u32 = 2;
const TEXTS: u32 = 3;

/// That program with another case in it.
fn program(elf: &[u8], case: u32) -> Result<Vec<u8>, String> {
    patch::with_words(elf.to_vec(), "CASE", &[case])
}

/// What metadata costs where there are so many files.
pub fn many(elf: &[u8], plan: &DiskPlan, pace: Pace) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut bench = Bench::plug_after(LOOKED, &program(elf, STAYING)?, plan.chip.flash_size as usize, pace)?;
    bench.settle_down()?;
    let bitmap = plan.regions.iter().find(|region| matches!(region.kind, RegionKind::Bitmap)).ok_or("no bitmap")?;
    let mut rows =
        vec![bench.row("allocation bitmap, 250 dynamic files", bitmap.first, plan.cluster_count.div_ceil(8 * 512))?];
    // What is past the last entry costs nothing.
    for (name, path, most) in [
        ("root directory, 125 dynamic files", "", 23),
        ("directory, 62 dynamic files", "docs", 15),
        ("folder of 63 dynamic files", "log", 19),
    ] {
        let (found, first, blocks) = bench.find(path)?;
        bench = found;
        rows.push(bench.row(name, first, blocks.min(most))?);
    }
    Ok(rows)
}

/// The longest stretch of that program with one value of 1 KiB, which is set all the time and which a host reads.
pub fn value(elf: &[u8], flash_size: usize) -> Result<u64, Box<dyn Error>> {
    changing(elf, flash_size, ONE_VALUE, &["WIDE.TXT"])
}

/// The same with texts of 4 KiB that are appended to all the time.
pub fn texts(elf: &[u8], flash_size: usize) -> Result<u64, Box<dyn Error>> {
    changing(elf, flash_size, TEXTS, &["LINES.TXT", "EVENTS.TXT"])
}

fn changing(elf: &[u8], flash_size: usize, case: u32, files: &[&str]) -> Result<u64, Box<dyn Error>> {
    let mut bench = Bench::plug_prepared(LOOKED, &program(elf, case)?, flash_size, Pace::USUAL, |board| {
        longest(board);
    })?;
    for file in files.iter().cycle().take(3) {
        bench.settle_down()?;
        bench = read(bench, file)?;
    }
    Ok(bench.with_board(longest))
}

/// What else of the library masks interrupts: the longest stretches, in cycles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Others {
    /// Of a program that sets a value of 1 KiB, which is `Snapshot`.
    pub value: u64,
    /// Of a program that appends to a `TextBuffer` and a `RingLog`.
    pub texts: u64,
    /// Of a program that prints and logs by defmt, before a host comes.
    pub print: u64,
    /// Of the same program, while a host reads its logs.
    pub log: u64,
    /// Of a program whose settings are read, set and saved over the serial port, and shown on the disk.
    pub settings: u64,
}

/// Begins to look for the longest stretch, and returns the longest one so far, in cycles.
fn longest(board: &mut ElfDevice<Paced>) -> u64 {
    board.machine().core_mut().masked.replace(Masked::default()).unwrap_or_default().longest
}

/// Measures tests/chatter, whose two logs are written all the time.
pub fn logs(elf: &[u8], flash_size: usize) -> Result<(u64, u64), Box<dyn Error>> {
    let mut bench = Bench::plug_prepared(LOOKED, elf, flash_size, Pace::USUAL, |board| {
        longest(board);
    })?;
    let print = bench.with_board(longest);
    for _ in 0..3 {
        bench.wait(Duration::from_secs(3));
        for path in ["STDOUT.TXT", "STDOUT-TAIL.TXT", "DEFMT.BIN"] {
            bench = read(bench, path)?;
        }
    }
    let log = bench.with_board(longest);
    Ok((print, log))
}

/// Measures examples/settings.
pub fn settings(elf: &[u8], flash_size: usize) -> Result<u64, Box<dyn Error>> {
    let mut bench = Bench::plug_prepared(LOOKED, elf, flash_size, Pace::USUAL, |board| {
        longest(board);
    })?;
    let mut terminal = Terminal::open(&mut bench.initiator)?;
    let (name, password) = ("n".repeat(24), "p".repeat(32));
    let all = format!(
        r#"set {{"name":"{name}","password":"{password}","interval":1,"exposed":["FLASH.BIN"],"label":"ELEVEN CHAR","hold":0}}"#
    );
    for line in ["help", "get", &all, "get", "get password", "files", "save", "defaults", &all, "revert", &all, "save"]
    {
        let answer = terminal.ask(&mut bench.initiator, line)?;
        if answer.contains("error") {
            return Err(format!("examples/settings: {line}: {answer}").into());
        }
        // The program itself takes them.
        bench.wait(LOOKED);
    }
    bench.settle_down()?;
    for path in ["CONFIG.JSON", "CONFIG.SCHEMA.JSON", "STDOUT.TXT"] {
        bench = read(bench, path)?;
    }
    Ok(bench.with_board(longest))
}

/// Reads a file from its beginning to its end.
fn read(bench: Bench, path: &str) -> Result<Bench, Box<dyn Error>> {
    let (mut bench, first, blocks) = bench.find(path)?;
    let mut place = 0;
    while place < blocks {
        let some = (blocks - place).min(64);
        bench.read(first + place, some)?;
        place += some;
    }
    Ok(bench)
}

/// Awake cycles by address from the start until that program has added its files.
pub fn profile(elf: &[u8], flash_size: usize) -> Result<BTreeMap<u32, u64>, Box<dyn Error>> {
    let mut board: ElfDevice<Paced> = ElfDevice::with_engine(elf, flash_size, ChipIdentity::default())?;
    board.machine().core_mut().profile = Some(BTreeMap::new());
    let machine = board.machine();
    let took = machine.symbol("ALL_TOOK").ok_or("tests/many-files has no `ALL_TOOK`")?;
    for _ in 0..10_000 {
        board.elapse(Duration::from_micros(100));
        if board.machine().word(took).is_some_and(|took| took != 0) {
            return Ok(board.machine().core_mut().profile.take().unwrap_or_default());
        }
    }
    Err("tests/many-files does not come to an end with its adds".into())
}
