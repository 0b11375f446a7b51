//! `dump`: blocks or memory, hexadecimal and as ASCII.

use crate::device::Device;
use crate::hexdump::Hexdump;
use crate::verify::cannot_open;
use crate::{Failure, mount, to_stderr, values};
use clap::Args;
use picovd_manifest::{DiskPlan, FileSource};
use picovd_sim::host::exfat::volume::Volume;
use picovd_sim::host::raw::{Kind, RawDisk};
use picovd_sim::host::source::{BLOCK_LENGTH, BlockSource};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Blocks per read: 64 KiB.
const STEP: u64 = 128;

/// How often a read is tried again because the disk has changed.
const TRIES: u32 = 4;

/// Print blocks or memory, hexadecimal and as ASCII
///
/// Prints what `hexdump -C` prints: the whole disk, one block of it, or a range of the chip's memory that a file of the disk
/// shows. Lines that repeat the one before are a `*`. Redacted ranges are zeros, as in the files.
///
/// Without FILE, the disk is the manifest's, with the library or with the firmware of --elf. With FILE, --base needs the
/// manifest that the disk was made from: it says which file shows which memory.
#[derive(Args)]
pub struct Dump {
    /// A disk, an image of one, or any other file, in place of the manifest's disk; it is never written to
    #[arg(value_name = "FILE|DEVICE")]
    medium: Option<PathBuf>,
    /// Only this block of 512 bytes, from 0 on
    #[arg(long, value_name = "N", value_parser = values::number, conflicts_with_all = ["base", "length"])]
    block: Option<u64>,
    /// Memory from this address on, such as 0x20000000
    #[arg(long, value_name = "ADDRESS", value_parser = values::number, requires = "length")]
    base: Option<u64>,
    /// Number of bytes of that memory, also with K or M
    #[arg(long, value_name = "N", value_parser = values::number, requires = "base")]
    length: Option<u64>,
    #[command(flatten)]
    pub device: Device,
}

impl Dump {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let Some(path) = &self.medium else {
            let plug = self.device.plug()?;
            let plan = plug.plan;
            let mut disk = mount(plug.link)?;
            self.dump(&mut disk, Some(&plan), 0, out)?;
            self.device.settle(&mut disk);
            return Ok(());
        };
        // A package's `cargo sim` passes its manifest and its program with every command; options of the board come only
        // from the user.
        if self.device.flash_size.is_some() || !self.device.partitions.is_empty() {
            return Err(Failure::Usage("--flash-size and --partition do not apply to FILE|DEVICE".to_owned()));
        }
        let cannot_open = |error: io::Error| Failure::Failed(cannot_open(path, &error));
        let metadata = fs::metadata(path).map_err(cannot_open)?;
        if metadata.is_file() && self.block.is_none() && self.base.is_none() {
            return file(path, out);
        }
        if is_endless(&metadata) {
            return Err(Failure::Failed(format!("{} has no end; specify a disk or a file", path.display())));
        }
        let plan = match self.base {
            Some(_) if !self.device.manifest.is_given() => {
                return Err(Failure::Usage(
                    "--base needs the manifest that the disk was made from, which says where memory is: --manifest"
                        .to_owned(),
                ));
            }
            Some(_) => Some(self.device.manifest.plan()?),
            None => None,
        };
        let mut disk = RawDisk::open(path).map_err(cannot_open)?;
        let odd = disk.odd_bytes();
        if odd != 0 && disk.kind() != Kind::Image {
            to_stderr(&format!("note: {}: {odd} bytes after the last whole block are not shown", path.display()));
        }
        self.dump(&mut disk, plan.as_ref(), odd, out)
    }

    /// Prints what the options say. `odd` is the number of bytes after the last whole block.
    fn dump(
        &self,
        disk: &mut dyn BlockSource,
        plan: Option<&DiskPlan>,
        odd: u64,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let end = disk.block_count().saturating_mul(BLOCK_LENGTH as u64);
        let (offset, range) = match (self.block, self.base.zip(self.length).zip(plan)) {
            (Some(block), _) => {
                let missing = || Failure::Failed(no_such_block(block, disk.block_count(), odd));
                let start = block.checked_mul(BLOCK_LENGTH as u64).filter(|start| *start < end).ok_or_else(missing)?;
                (start, start..start + BLOCK_LENGTH as u64)
            }
            (None, Some(((base, length), plan))) => (base, place(disk, plan, base, length)?),
            (None, None) => (0, 0..end),
        };
        let mut dump = Hexdump::new(offset, out);
        bytes(disk, range, &mut |piece| dump.write(piece))?;
        Ok(dump.finish()?)
    }
}

/// Prints a file to its end.
fn file(path: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let mut file = File::open(path).map_err(|error| failed(path, &error))?;
    let mut dump = Hexdump::new(0, out);
    let mut buffer = vec![0; STEP as usize * BLOCK_LENGTH];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(dump.finish()?),
            Ok(count) => dump.write(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(path, &error)),
        }
    }
}

/// Passes the bytes of a range of the disk on, in pieces.
fn bytes(
    disk: &mut dyn BlockSource,
    range: Range<u64>,
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Failure> {
    let length = BLOCK_LENGTH as u64;
    let mut at = range.start;
    while at < range.end {
        let (first, end) = (at / length, range.end.div_ceil(length));
        let count = STEP.min(end - first);
        // A disk whose files change is away for a moment.
        let mut read = disk.read(first, count as u32);
        for _ in 1..TRIES {
            if read.is_ok() {
                break;
            }
            read = disk.read(first, count as u32);
        }
        let data = read.map_err(Failure::of)?;
        let last = range.end.min((first + count) * length);
        take(data.get((at - first * length) as usize..(last - first * length) as usize).unwrap_or_default())?;
        at = last;
    }
    Ok(())
}

/// The range of the disk that shows `length` bytes of memory from `base` on.
fn place(disk: &mut dyn BlockSource, plan: &DiskPlan, base: u64, length: u64) -> Result<Range<u64>, Failure> {
    let end = base.saturating_add(length);
    if length == 0 {
        return Err(Failure::Usage("--length has to be at least 1".to_owned()));
    }
    let mut volume = Volume::open(disk).map_err(Failure::of)?;
    let mut shown = Vec::new();
    for file in &plan.files {
        let FileSource::Memory { base: first, .. } = file.source else { continue };
        // The disk itself decides: a chip may have less flash than the manifest reserves, and settings may hide a file.
        let Ok(node) = volume.find(&file.path) else { continue };
        let window = u64::from(first)..u64::from(first) + node.data_length.min(file.length);
        if window.start <= base && end <= window.end && node.no_fat_chain {
            let start = volume.block_of(node.first_cluster) * BLOCK_LENGTH as u64 + (base - window.start);
            return Ok(start..start + length);
        }
        shown.push(format!("  {:#010x} to {:#010x}  {}", window.start, window.end.saturating_sub(1), file.path));
    }
    let all = match shown.len() {
        0 => "; no file shows any memory".to_owned(),
        _ => format!("; there is\n{}", shown.join("\n")),
    };
    Err(Failure::Failed(format!("no file shows {base:#010x} to {:#010x}{all}", end - 1)))
}

fn no_such_block(block: u64, count: u64, odd: u64) -> String {
    let odd = if odd == 0 { String::new() } else { format!(", and {odd} bytes after them") };
    match count {
        0 => format!("there is no block {block}: there is none at all{odd}"),
        count => format!("there is no block {block}: there are blocks 0 to {}{odd}", count - 1),
    }
}

/// Whether it is a device without an end, such as /dev/zero. On macOS, raw disks are character devices, too.
pub fn is_endless(metadata: &fs::Metadata) -> bool {
    #[cfg(target_os = "linux")]
    {
        std::os::unix::fs::FileTypeExt::is_char_device(&metadata.file_type())
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = metadata;
        false
    }
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Failed(format!("{}: {error}", path.display()))
}
