//! `check`: compares the volume with the standard.

use crate::device::Device;
use crate::{Failure, measured, mount};
use clap::Args;
use picovd_sim::host::BlockSource;
use picovd_sim::host::exfat::check::{Finding, check};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::source::ImageFile;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;

/// Check the volume, or an image, against the exFAT specification
///
/// Prints each finding with its clause, and exits with status 1 if there are any. With --elf alone, prints what the board
/// has measured at the end (see show).
#[derive(Args)]
pub struct Check {
    /// A file or a block device: no device is plugged in, and --manifest and --elf are ignored
    image: Option<PathBuf>,
    #[command(flatten)]
    pub device: Device,
}

impl Check {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match &self.image {
            // A package's `cargo sim` passes its manifest and its program with every command; options of the board come
            // only from the user.
            Some(_) if self.device.flash_size.is_some() || !self.device.partitions.is_empty() => {
                Err(Failure::Usage("--flash-size and --partition do not apply to an IMAGE".to_owned()))
            }
            Some(path) => report(&mut ImageFile::open(path).map_err(Failure::of)?, out),
            None => {
                let mut disk = mount(self.device.plug()?.link)?;
                report_disk(&mut disk, out)?;
                measured(&mut disk, out)?;
                self.device.settle(&mut disk);
                Ok(())
            }
        }
    }
}

/// Prints what the checker finds.
pub fn report(source: &mut dyn BlockSource, out: &mut dyn Write) -> Result<(), Failure> {
    print(check(source), out)
}

/// The same for a running disk: when its program's files change, the medium goes for a moment, and the check starts over.
pub fn report_disk(disk: &mut Disk<'_>, out: &mut dyn Write) -> Result<(), Failure> {
    let mut result = check(disk);
    for _ in 0..2 {
        if result.is_ok() || disk.initiator.wait_ready().is_err() {
            break;
        }
        result = check(disk);
    }
    print(result, out)
}

fn print<E: Display>(findings: Result<Vec<Finding>, E>, out: &mut dyn Write) -> Result<(), Failure> {
    let findings = findings.map_err(Failure::of)?;
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    match findings.len() {
        0 => Ok(writeln!(out, "the volume follows the exFAT specification")?),
        count => Err(Failure::Failed(format!("{count} finding{}", if count == 1 { "" } else { "s" }))),
    }
}
