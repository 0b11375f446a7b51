//! How fast the host's side is, by the clock on the wall.

use picovd_sim::board::{ChipIdentity, ElfDevice};
use picovd_sim::host::bot::Data;
use picovd_sim::host::scsi::read_cdb;
use picovd_sim::host::{Host, Initiator};
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// `cargo sim image` of a manifest's volume.
#[derive(Clone, Copy, Debug)]
pub struct Imaged {
    /// Length of the volume.
    pub bytes: u64,
    /// How long the program ran.
    pub time: Duration,
}

/// Runs the simulator's program, which writes the volume of `manifest` beside it.
pub fn image(sim: &Path, manifest: &Path) -> Result<Imaged, Box<dyn Error>> {
    let file = manifest.with_extension("img");
    let start = Instant::now();
    let mut command = Command::new(sim);
    command.arg("image").arg(&file).arg("--manifest").arg(manifest).stdout(Stdio::null());
    let status = command.status().map_err(|error| format!("{}: {error}", sim.display()))?;
    let time = start.elapsed();
    if !status.success() {
        return Err(format!("{} image: {status}", sim.display()).into());
    }
    let bytes = std::fs::metadata(&file)?.len();
    std::fs::remove_file(&file)?;
    Ok(Imaged { bytes, time })
}

/// What the emulator does in a second.
#[derive(Clone, Copy, Debug)]
pub struct Emulated {
    /// Instructions.
    pub instructions: u64,
    /// In that time.
    pub time: Duration,
}

/// Spans of time that the emulator is measured in: the best one counts, since the machine has other things to do, too.
const SPANS: u32 = 6;

/// Lets the emulated board be read for three seconds of time.
pub fn emulate(elf: &[u8], flash_size: usize, (first, blocks): (u32, u32)) -> Result<Emulated, Box<dyn Error>> {
    let mut board = ElfDevice::with_board(elf, flash_size, ChipIdentity::default())?;
    let mut best: Option<Emulated> = None;
    for _ in 0..SPANS {
        let mut initiator = Initiator::attach(Host::new(Box::new(&mut board)))?;
        initiator.wait_ready()?;
        drop(initiator);
        let before = board.machine().statistics().instructions;
        let start = Instant::now();
        let mut initiator = Initiator::attach(Host::new(Box::new(&mut board)))?;
        let size = blocks.min(128);
        // The host's own work costs time, too: it is the smaller part.
        while start.elapsed() < Duration::from_millis(500) {
            initiator.scsi(&read_cdb(10, u64::from(first), size), Data::In(size * 512))?;
        }
        let time = start.elapsed();
        drop(initiator);
        let instructions = board.machine().statistics().instructions - before;
        let rate = |span: &Emulated| span.instructions as f64 / span.time.as_secs_f64();
        let span = Emulated { instructions, time };
        best = Some(best.filter(|best| rate(best) >= rate(&span)).unwrap_or(span));
    }
    best.ok_or_else(|| "nothing was measured".into())
}
