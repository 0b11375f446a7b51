//! How long the registry of dynamic files masks interrupts, and how long many adds take.

use super::measure::Bench;
use super::pace::{Masked, Pace, Paced};
use picovd_sim::board::{ChipIdentity, ElfDevice};
use picovd_sim::link::Link;
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
        let masked = machine.core().masked.ok_or("nothing was counted")?;
        let masked = masked.longest;
        Ok(Calls { masked, adds, all_adds })
    })
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
