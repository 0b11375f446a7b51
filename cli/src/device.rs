//! The device that is plugged in: options that most commands share, and its evaluation.

use crate::{Failure, to_stderr, uf2, values};
use clap::Args;
use picovd_manifest::DiskPlan;
use picovd_sim::diagnosis::Outcome;
use picovd_sim::host::scsi::Disk;
use picovd_sim::i2c_device::I2cDevice;
use picovd_sim::native::Start;
use picovd_sim::partitions::Partition;
use picovd_sim::plug::{self, FlashChip, Plug};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Minimum run time of an emulated board.
const SETTLED: Duration = Duration::from_secs(1);

/// What the disk is generated from.
#[derive(Args)]
pub struct Manifest {
    /// The manifest to build the device from (default: the stock picovd.toml)
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

impl Manifest {
    /// Its plan.
    pub fn plan(&self) -> Result<DiskPlan, Failure> {
        plan(self.path()?)
    }

    /// Whether the user has named one.
    pub fn is_given(&self) -> bool {
        self.manifest.is_some()
    }

    /// Where it is; `None` for the stock manifest, which is there in a clone only.
    fn path(&self) -> Result<Option<&Path>, Failure> {
        match &self.manifest {
            Some(path) => Ok(Some(path)),
            None if plug::stock_manifest().is_file() => Ok(None),
            None => Err(Failure::Usage(no_manifest(Path::new(OWN).is_file()))),
        }
    }
}

/// The manifest that a person who has no clone writes.
const OWN: &str = "./picovd.toml";

/// What is said without a manifest and without a clone. `has_own` is whether [`OWN`] exists.
fn no_manifest(has_own: bool) -> String {
    let write =
        if has_own { "" } else { "; three lines are enough:\n\n[[file]]\npath = \"HELLO.TXT\"\ntext = \"Hello!\"" };
    let there = if has_own { "the one in this folder" } else { "one of your own" };
    format!(
        "which disk? The stock manifest is in PicoVD's sources, which are not here; use {there}: --manifest {OWN}{write}"
    )
}

/// The plan of the manifest at `path`, or of the stock manifest.
pub fn plan(path: Option<&Path>) -> Result<DiskPlan, Failure> {
    let plan = plug::plan(path).map_err(Failure::Manifest)?;
    warn(&plan);
    Ok(plan)
}

/// Prints the warnings about a valid manifest.
pub fn warn(plan: &DiskPlan) {
    if !plan.warnings.items().is_empty() {
        to_stderr(&plan.warnings.to_string());
    }
}

/// Which device is plugged in.
#[derive(Args)]
pub struct Device {
    #[command(flatten)]
    pub manifest: Manifest,
    /// Run this firmware on an emulated RP2350 instead of the library on the PC; --manifest then must be the manifest that
    /// it was built from
    #[arg(long, value_name = "FILE")]
    pub elf: Option<PathBuf>,
    /// A device on the board's first I2C bus with these registers; may be repeated
    #[arg(long, value_name = "ADDRESS=FILE.toml", value_parser = values::on_i2c0)]
    i2c0: Vec<I2cDevice>,
    /// The same on the second I2C bus
    #[arg(long, value_name = "ADDRESS=FILE.toml", value_parser = values::on_i2c1)]
    i2c1: Vec<I2cDevice>,
    /// Print what the board's UARTs send on standard error
    #[arg(long)]
    uart: bool,
    /// Stop the board if the firmware uses a register that is not modelled, and refuse descriptors that a driver would
    /// tolerate; without it, both are reported on standard error
    #[arg(long)]
    strict: bool,
    /// The program's USB stack is not PicoVD's: report descriptors that a driver would tolerate, even with --strict
    #[arg(long)]
    foreign_usb: bool,
    /// The board's flash chip has N bytes, or KiB or MiB with `512K` or `2M`: a power of two from 512K to 16M (default: as
    /// much as the manifest reserves)
    #[arg(long, value_name = "N", value_parser = values::flash_size)]
    pub flash_size: Option<usize>,
    /// The board's partition table has this partition, for example `Calibration=2M,64K`; may be repeated
    #[arg(long = "partition", value_name = "NAME=START,LENGTH", value_parser = values::partition)]
    pub partitions: Vec<Partition>,
    /// Copy this UF2 file to the board's boot drive first, for example one of `picovd uf2 my.toml`; may be repeated. --manifest then
    /// must be the manifest that the board shows
    #[arg(long, value_name = "FILE.uf2", requires = "elf")]
    uf2: Vec<PathBuf>,
    /// For each firmware that was plugged in, whether it has failed.
    #[arg(skip)]
    outcomes: RefCell<Vec<Outcome>>,
}

impl Device {
    /// The device, with the contents that its manifest promises.
    pub fn plug(&self) -> Result<Plug, Failure> {
        let i2c = [&self.i2c0[..], &self.i2c1].concat();
        let treatment = plug::Treatment {
            uart: self.uart,
            i2c: &i2c,
            strict: self.strict,
            tolerates: self.foreign_usb || !self.strict,
            sink: to_stderr,
        };
        let mut written = Vec::new();
        for path in &self.uf2 {
            written.extend(uf2::flash_of(path)?);
        }
        let flash = FlashChip { written: &written, ..self.flash() };
        let plug =
            plug::open_with(self.manifest.path()?, self.elf.as_deref(), flash, treatment).map_err(Failure::of_plug)?;
        self.outcomes.borrow_mut().push(plug.outcome.clone());
        warn(&plug.plan);
        Ok(plug)
    }

    /// The library with an application next to it.
    pub fn plug_with(&self, application: Start) -> Result<Plug, Failure> {
        plug::native_on(self.manifest.plan()?, self.flash(), application).map_err(Failure::of_plug)
    }

    /// Whether any option says which device is meant.
    pub fn is_specified(&self) -> bool {
        self.manifest.is_given() || self.elf.is_some() || self.flash_size.is_some() || !self.partitions.is_empty()
    }

    fn flash(&self) -> FlashChip<'_> {
        FlashChip { length: self.flash_size, partitions: &self.partitions, written: &[] }
    }

    /// Lets an emulated board run until it was powered for some time: a command that reads a file ends so early that a
    /// firmware which fails soon after its start would go unnoticed.
    pub fn settle(&self, disk: &mut Disk<'_>) {
        let host = &mut disk.initiator.host;
        if self.elf.is_some()
            && let Some(rest) = SETTLED.checked_sub(host.now())
        {
            host.elapse(rest);
        }
    }

    /// The longest time in milliseconds that a host had to wait for a firmware's poll, if it was long.
    pub fn latest(&self) -> Option<u32> {
        self.outcomes.borrow().iter().filter_map(Outcome::latest).max()
    }

    /// Whether a firmware that was plugged in has failed. The report is on standard error then.
    pub fn has_failed(&self) -> bool {
        self.outcomes.borrow().iter().any(|outcome| outcome.failure().is_some())
    }
}

/// What is said after a command that has failed, if the firmware was slow.
pub fn slowness(milliseconds: u32) -> String {
    format!(
        "note: the program did not poll USB for {milliseconds} ms while the host waited, as for a broken device; let interrupts \
         serve the stick (`picovd::serve!`), or poll it while the program waits, at least every 2 ms until a host knows the device"
    )
}

/// When a file is read.
#[derive(Args)]
pub struct Moment {
    /// Read the file as a desktop sees it this long after power-on, for example 10s, 500ms or 2min; if the device has just
    /// reported a change, as soon as the volume is mounted again
    #[arg(long, value_name = "TIME", value_parser = values::duration)]
    pub after: Option<Duration>,
    /// Then print what is added, in real time, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn without_a_clone_a_manifest_is_proposed() {
        assert!(
            no_manifest(true).ends_with("use the one in this folder: --manifest ./picovd.toml"),
            "{}",
            no_manifest(true)
        );
        // What is proposed is a manifest.
        let said = no_manifest(false);
        let (words, text) = said.split_once("\n\n").expect("an example");
        assert!(words.contains("--manifest ./picovd.toml"), "{words}");
        let path = std::env::temp_dir().join(format!("picovd-proposed-{}.toml", std::process::id()));
        fs::write(&path, text).expect("the temporary folder is writable");
        let plan = plan(Some(&path));
        fs::remove_file(&path).expect("it is ours");
        assert_eq!(plan.unwrap_or_else(|_| panic!("{text} is no manifest")).files.len(), 1);
    }
}
