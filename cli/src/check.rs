//! `check`: the volume against the standard.

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

/// Hold the volume, or an image, against the exFAT specification
///
/// Prints each finding with its clause and ends 1 where there is one. With --elf alone it ends with what the board measured (see
/// show).
#[derive(Args)]
pub struct Check {
    /// A file or a block device: no device is plugged in, and --manifest and --elf are not looked at
    image: Option<PathBuf>,
    #[command(flatten)]
    pub device: Device,
}

impl Check {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match &self.image {
            // A package's `cargo sim` names its manifest and its program, whatever the command; the board is nobody's but the user's.
            Some(_) if self.device.flash_size.is_some() || !self.device.partitions.is_empty() => {
                Err(Failure::Usage("an IMAGE is no board: it takes neither --flash-size nor --partition".to_owned()))
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

/// The same for a disk that runs: where its program's files change, the medium goes for a moment, and the check begins again.
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
