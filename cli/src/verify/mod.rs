//! `verify`: compares a real disk, or an image of one, with the standard and the manifest; one report to be attached to a
//! bug.

mod contents;
mod environment;
mod files;
mod medium;
mod problem;
#[cfg(test)]
mod tests;

use crate::progress::Progress;
use crate::{Failure, device};
use clap::Args;
use files::Judge;
use medium::Medium;
use picovd_manifest::DiskPlan;
use picovd_sim::host::BlockSource;
use picovd_sim::host::exfat::boot::BootSector;
use picovd_sim::host::exfat::check::{Check, check};
use picovd_sim::host::exfat::volume::Volume;
use picovd_sim::host::printed::Printed;
use picovd_sim::host::raw::{Kind, RawDisk};
use picovd_sim::host::source::{BLOCK_LENGTH, ReadError};
use problem::{Problem, Problems};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Check a real disk, or an image, against the specification and the manifest
///
/// Reads every file as a whole and prints its SHA-256, checks the volume against the exFAT specification, and, with
/// --manifest, against the manifest: static files byte for byte; files of memory by their length, that they can be read,
/// and that redacted ranges are zero. Files of the firmware are known by their names. Without --manifest, no manifest is
/// used. A block that cannot be read is reported with its LBA, and the rest is read nevertheless.
///
/// Prints one report, to be attached to a bug. The exit status is 0 if everything is right, 1 if something is not.
#[derive(Args)]
pub struct Verify {
    /// The whole disk, with or without a partition table: /dev/sdX on Linux, /dev/rdiskN on macOS; it is never written to.
    /// Or a copy of one, for example made by `picovd image` or dd
    #[arg(value_name = "DEVICE|IMAGE")]
    medium: PathBuf,
    /// The manifest to compare the files with (default: none)
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Accepted in addition to a manifest: a package's `cargo sim` also passes its program.
    #[arg(long, hide = true)]
    elf: Option<PathBuf>,
}

impl Verify {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        // A package's `cargo sim` passes its manifest and its program with every command.
        if self.elf.is_some() && self.manifest.is_none() {
            return Err(Failure::Usage(
                "`verify` reads a disk or an image; `check --elf FILE` runs a firmware".to_owned(),
            ));
        }
        let path = &self.medium;
        // An invalid manifest is reported before a slow disk is read.
        let plan = match &self.manifest {
            Some(manifest) => Some(device::plan(Some(manifest))?),
            None => None,
        };
        let disk = RawDisk::open(path).map_err(|error| Failure::Failed(cannot_open(path, &error)))?;

        writeln!(out, "PicoVD verification report\n")?;
        for (name, value) in environment::lines(path) {
            line(out, name, &value)?;
        }
        line(out, "medium", &format!("{}, {}", path.display(), kind(disk.kind())))?;
        if let Some(manifest) = &self.manifest {
            line(out, "manifest", &manifest.display().to_string())?;
        }
        match report(disk, plan.as_ref(), out)? {
            0 => Ok(()),
            1 => Err(Failure::Failed("1 problem".to_owned())),
            count => Err(Failure::Failed(format!("{count} problems"))),
        }
    }
}

/// Checks the medium itself; returns the number of problems.
fn report(disk: RawDisk, plan: Option<&DiskPlan>, out: &mut dyn Write) -> Result<usize, Failure> {
    let total = disk.block_count() * BLOCK_LENGTH as u64;
    let mut disk = Shown { disk, progress: Progress::new("reading", total) };
    let mut problems = Problems::default();
    line(out, "size", &format!("{} blocks of {BLOCK_LENGTH} bytes, {total} bytes", disk.block_count()))?;
    if disk.disk.odd_bytes() != 0 {
        let text = format!("{} bytes after the last whole block", disk.disk.odd_bytes());
        problems.add(Problem::medium("cut-off", text).remedy("the image was cut off: copy the disk again"));
    }
    volume(&mut disk, plan, &mut problems, out)?;
    problems.unreadable(disk.disk.failures());

    let (bytes, time) = disk.disk.measured();
    writeln!(out)?;
    line(out, "throughput", &throughput(bytes, time))?;
    drop(disk);
    write!(out, "\n{problems}")?;
    Ok(problems.count())
}

/// Checks the volume and its contents.
fn volume(
    disk: &mut Shown,
    plan: Option<&DiskPlan>,
    problems: &mut Problems,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if disk.block_count() == 0 {
        problems.add(Problem::medium("no-medium", "it has no blocks".to_owned()).remedy(EJECTED));
        return Ok(());
    }
    let mut head = Patient(disk).blocks(0, 2);
    let mut medium = medium::identify(&head);
    let mut first = 0;
    if let Medium::Partitioned(partitions) = &medium
        && let [partition] = partitions[..]
    {
        let inside = Patient(disk).blocks(u64::from(partition), 2);
        let found = medium::identify(&inside);
        if found == Medium::Exfat {
            (first, head, medium) = (partition, inside, found);
            line(out, "partition", &format!("at LBA {first}"))?;
        }
    }
    if let Some(problem) = medium.problem(&head) {
        problems.add(problem);
        return Ok(());
    }
    let boot = BootSector::parse(&head);
    let serial = boot.volume_serial_number;
    line(out, "volume", &format!("{} blocks, {} clusters", boot.volume_length, boot.cluster_count))?;
    line(out, "serial number", &format!("{:04X}-{:04X}", serial >> 16, serial & 0xFFFF))?;
    match check(&mut Patient(disk)) {
        // If the user specifies a partition, the medium before it is cut off.
        Ok(findings) if first == 0 && boot.partition_offset != 0 => {
            problems.remark(format!(
                "PartitionOffset is {}: correct if that partition was specified",
                boot.partition_offset
            ));
            let others = findings.iter().filter(|finding| finding.check != Check::PartitionOffset);
            others.for_each(|finding| problems.finding(finding));
        }
        Ok(findings) => findings.iter().for_each(|finding| problems.finding(finding)),
        Err(error) => problems.add(Problem::medium("check", format!("{error}; the volume is not checked further"))),
    }
    let mut patient = Patient(disk);
    let (label, tree) = match Volume::open_damaged(&mut patient) {
        Ok(mut volume) => {
            contents::check(&mut volume, problems);
            (volume.label().to_owned(), files::tree(&mut volume, problems))
        }
        Err(error) => {
            let text = format!("{error}; the files are not read");
            problems.add(Problem::medium("mount", text));
            return Ok(());
        }
    };
    line(out, "label", &label)?;
    let judge = plan.map(|plan| Judge::new(plan, &boot, &label, problems));
    files::read(disk, tree, judge, problems, out)
}

/// One line of the report's header.
fn line(out: &mut dyn Write, name: &str, value: &str) -> Result<(), Failure> {
    Ok(writeln!(out, "{name:<16}{}", Printed(value))?)
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "an image file",
        Kind::CachedDevice => "a device, read with the system's cache",
        Kind::Device => "a device, read without the system's cache",
    }
}

fn throughput(bytes: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let rate = if seconds > 0.0 { bytes as f64 / 1024.0 / seconds } else { 0.0 };
    format!("{bytes} bytes in {seconds:.3} seconds, {rate:.0} KiB/s")
}

/// What to do about a drive without a medium.
const EJECTED: &str = "a stick that was ejected comes back when it is unplugged and plugged in again";

/// ENOMEDIUM of Linux.
const NO_MEDIUM: i32 = 123;

/// Why nothing is read, and what to do.
pub fn cannot_open(path: &Path, error: &std::io::Error) -> String {
    let shown = path.display();
    let remedy = match error.kind() {
        ErrorKind::NotFound => match medium::whole_disk(path.as_os_str()) {
            Some(disk) => {
                format!("a PicoVD stick has no partitions without `partition-table`; the whole disk is {disk}")
            }
            None if cfg!(target_os = "macos") => "`diskutil list external` lists the disks".to_owned(),
            None => "`lsblk -o PATH,SIZE,VENDOR,MODEL` lists the disks".to_owned(),
        },
        ErrorKind::PermissionDenied => {
            let program = std::env::current_exe().unwrap_or_else(|_| "picovd".into());
            let words = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
            let more = match cfg!(target_os = "macos") {
                true => "; if sudo is refused, too, give the terminal Full Disk Access in System Settings",
                false => "",
            };
            format!("reading raw disks requires root: sudo {} {words}{more}", program.display())
        }
        ErrorKind::ResourceBusy if cfg!(target_os = "macos") => {
            format!("unmount it, and leave it plugged in: diskutil unmountDisk {shown}")
        }
        ErrorKind::ResourceBusy => format!("it is in use; unmount it: udisksctl unmount -b {shown}"),
        ErrorKind::InvalidInput => "specify a disk, such as /dev/sdb, or an image file".to_owned(),
        _ if cfg!(target_os = "linux") && error.raw_os_error() == Some(NO_MEDIUM) => EJECTED.to_owned(),
        _ => return format!("{shown}: {error}"),
    };
    format!("{shown}: {error}; {remedy}")
}

/// The medium, with a line that shows the progress.
struct Shown {
    disk: RawDisk,
    progress: Progress,
}

impl BlockSource for Shown {
    fn block_count(&self) -> u64 {
        self.disk.block_count()
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let result = self.disk.read(lba, count);
        self.progress.at(self.disk.measured().0);
        result
    }
}

/// The medium, with zeros in place of blocks that cannot be read.
struct Patient<'d>(&'d mut Shown);

impl Patient<'_> {
    /// Blocks, as many as the medium has, and zeros after its end.
    fn blocks(&mut self, lba: u64, count: u64) -> Vec<u8> {
        let mut data = vec![0; count as usize * BLOCK_LENGTH];
        for (lba, block) in (lba..).zip(data.chunks_mut(BLOCK_LENGTH)) {
            if let Ok(bytes) = self.0.read(lba, 1) {
                block.copy_from_slice(&bytes);
            }
        }
        data
    }
}

impl BlockSource for Patient<'_> {
    fn block_count(&self) -> u64 {
        self.0.block_count()
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let end = lba.checked_add(u64::from(count)).filter(|end| *end <= self.block_count());
        self.0.read(lba, count).or_else(|error| match end {
            Some(_) => Ok(self.blocks(lba, u64::from(count))),
            None => Err(error),
        })
    }
}
