//! Share of the processor that the stick takes, and what is left for the application.

use super::measure::{Bench, SIZES};
use super::pace::Pace;
use std::error::Error;
use std::time::Duration;

/// What is counted as the stick's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Cycles in which the processor does not sleep: the program does nothing but serve the stick.
    Awake,
    /// Cycles in interrupt handlers: the main loop is the application's, and never sleeps, or does.
    Handlers,
}

/// What the host does, and what the stick takes meanwhile.
#[derive(Clone, Debug)]
pub struct Share {
    /// The firmware.
    pub firmware: String,
    /// What the host does.
    pub host: &'static str,
    /// Share of all cycles, 0 to 1.
    pub used: f64,
}

/// Longer than what a program begins with.
const SETTLED: Duration = Duration::from_secs(10);
/// How long it is looked at.
const SECONDS: u32 = 4;

/// What a host does with the board.
type Work<'w> = dyn FnMut(&mut Bench) -> Result<(), Box<dyn Error>> + 'w;

/// Measures one firmware. `first` and `blocks` say what is read.
pub fn shares(
    firmware: &str,
    counted: Counted,
    elf: &[u8],
    flash_size: usize,
    (first, blocks): (u32, u32),
) -> Result<Vec<Share>, Box<dyn Error>> {
    let mut bench = Bench::plug_after(SETTLED, elf, flash_size, Pace::USUAL)?;
    bench.settle_down()?;
    let mut measure = |host: &'static str, work: &mut Work<'_>| -> Result<Share, Box<dyn Error>> {
        bench.wait(Duration::from_millis(20));
        bench.with_board(|board| {
            board.machine().statistics().clear();
            board.machine().core_mut().in_handlers = (counted == Counted::Handlers).then_some(0);
        });
        work(&mut bench)?;
        bench.with_board(|board| {
            if let Some(fault) = board.fault() {
                return Err(fault.to_owned().into());
            }
            let handled = board.machine().core_mut().in_handlers.take();
            let statistics = board.machine().statistics();
            let used = handled.unwrap_or(statistics.awake_cycles) as f64 / statistics.cycles as f64;
            Ok(Share { firmware: firmware.to_owned(), host, used })
        })
    };
    let idle = measure("asks nothing", &mut |bench| {
        bench.wait(Duration::from_secs(u64::from(SECONDS)));
        Ok(())
    })?;
    let polled = measure("asks TEST UNIT READY once a second", &mut |bench| {
        (0..SECONDS).try_for_each(|_| bench.poll_after(Duration::from_secs(1)))
    })?;
    let size = SIZES[0].min(blocks);
    let read = measure("reads at full speed", &mut |bench| {
        (0..8).try_for_each(|round| bench.read(first + round * size % (blocks - size + 1), size))
    })?;
    Ok(vec![idle, polled, read])
}
