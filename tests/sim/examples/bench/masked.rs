//! How long the registry of dynamic files masks interrupts, and how long many adds take.

use super::measure::Bench;
use super::pace::{Masked, Pace};
use std::error::Error;
use std::time::Duration;

/// What the program tests/many-files does, measured.
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// The longest stretch with interrupts masked, from the start on, in cycles.
    pub masked: u64,
    /// What its first 64 adds took, in microseconds.
    pub adds: u32,
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
        let (adds, calls) = (word("TOOK"), word("CALLS"));
        if adds == 0 || calls < 8 * 99 {
            return Err(format!("tests/many-files: {adds} us for the adds, {calls} calls").into());
        }
        let masked = machine.core().masked.ok_or("nothing was counted")?.longest;
        Ok(Calls { masked, adds })
    })
}
