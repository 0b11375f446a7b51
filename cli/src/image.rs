//! `image`: the whole volume as a file.

use crate::device::Device;
use crate::progress::Progress;
use crate::{Failure, measured, mount};
use clap::Args;
use picovd_sim::host::BlockSource;
use picovd_sim::host::scsi::{CommandError, Disk, Sense};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Blocks per read: 120 KiB.
const STEP: u64 = 240;
const BLOCK_LENGTH: u64 = 512;

/// How often reading starts over because the disk has changed.
const TRIES: u32 = 4;

/// Read the whole volume into a file
///
/// Reads every block through USB. Blocks of zeros become holes in the file. With --elf, prints what the board has measured
/// at the end (see show).
#[derive(Args)]
pub struct Image {
    /// The file, or - for standard output
    #[arg(value_name = "OUT.img")]
    path: PathBuf,
    #[command(flatten)]
    pub device: Device,
}

impl Image {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let path = &self.path;
        let mut disk = mount(self.device.plug()?.link)?;
        let blocks = disk.block_count();
        // The file gets its name when it is complete.
        if self.is_output() {
            return to_output(&mut disk, blocks, out);
        }
        let part = part_of(path);
        let result = read(&mut disk, blocks, &part).and_then(|()| {
            fs::rename(&part, path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
        });
        if result.is_err() {
            // Nothing is lost: it is incomplete.
            let _ = fs::remove_file(&part);
        }
        result?;
        writeln!(out, "{}: {blocks} blocks, {} KiB", path.display(), blocks * BLOCK_LENGTH / 1024)?;
        measured(&mut disk, out)?;
        self.device.settle(&mut disk);
        Ok(())
    }

    /// Whether the image goes to standard output.
    pub fn is_output(&self) -> bool {
        self.path == Path::new("-")
    }
}

/// The image on standard output: through a file, since reading may start over.
fn to_output(disk: &mut Disk<'_>, blocks: u64, out: &mut dyn Write) -> Result<(), Failure> {
    let part = std::env::temp_dir().join(format!("picovd-image-{}.part", std::process::id()));
    let result = read(disk, blocks, &part).and_then(|()| Ok(io::copy(&mut File::open(&part)?, out)?));
    let _ = fs::remove_file(&part);
    result.map(|_| ())
}

/// The path of the incomplete file.
fn part_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".part");
    PathBuf::from(name)
}

/// Reads every block; starts over if the disk changes meanwhile.
fn read(disk: &mut Disk<'_>, blocks: u64, path: &Path) -> Result<(), Failure> {
    for _ in 0..TRIES {
        if read_once(disk, blocks, path)? {
            return Ok(());
        }
        disk.initiator.wait_ready().map_err(Failure::of)?;
    }
    Err(Failure::Failed(format!(
        "the disk has changed {TRIES} times while it was read, so there is no consistent image: its program announces \
         changes faster than {} KiB can be read; `ls` and `cat` read single files",
        blocks * BLOCK_LENGTH / 1024
    )))
}

/// Reads every block. Returns false if the disk has changed.
fn read_once(disk: &mut Disk<'_>, blocks: u64, path: &Path) -> Result<bool, Failure> {
    let fail = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut file = File::create(path).map_err(fail)?;
    let mut progress = Progress::new("reading", blocks * BLOCK_LENGTH);
    let mut lba = 0;
    while lba < blocks {
        let count = STEP.min(blocks - lba);
        let data = match disk.read_10(lba, count as u32) {
            Ok(data) => data,
            // NOT READY, MEDIUM NOT PRESENT, and UNIT ATTENTION, NOT READY TO READY CHANGE.
            Err(CommandError::Check(Sense(2, 0x3A, _) | Sense(6, 0x28, _))) => return Ok(false),
            Err(error) => return Err(Failure::Failed(format!("READ(10) of block {lba}: {error}"))),
        };
        for (index, block) in data.chunks(BLOCK_LENGTH as usize).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                file.seek(SeekFrom::Start((lba + index as u64) * BLOCK_LENGTH)).map_err(fail)?;
                file.write_all(block).map_err(fail)?;
            }
        }
        lba += count;
        progress.at(lba * BLOCK_LENGTH);
    }
    file.set_len(blocks * BLOCK_LENGTH).map_err(fail)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::{part_of, read};
    use crate::mount;
    use picovd::clock::Instant;
    use picovd::files::Snapshot;
    use picovd::vd::{File, Files, vd_add_file, vd_update_file};
    use picovd_sim::host::BlockSource;
    use picovd_sim::host::exfat::check::check;
    use picovd_sim::host::source::ImageFile;
    use picovd_sim::native::{Application, Start};
    use picovd_sim::plug;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Changes its file every second, up to this many times.
    struct Changing {
        files: &'static Files<'static>,
        file: &'static File<'static>,
        content: &'static Snapshot<u64>,
        seconds: u64,
        most: u64,
    }

    impl Application for Changing {
        fn turn(&mut self, now: Instant) {
            let seconds = now.0 / 1_000_000;
            if seconds > self.seconds && self.seconds < self.most {
                self.seconds = seconds;
                self.content.set(seconds);
                vd_update_file(self.files, self.file).expect("it is registered");
            }
        }
    }

    fn changing(files: &'static Files<'static>, most: u64) -> Box<dyn Application> {
        let content: &'static Snapshot<u64> = Box::leak(Box::new(Snapshot::new(0)));
        let file = Box::leak(Box::new(File::new("COUNT.TXT", content, 64)));
        vd_add_file(files, file).expect("there is room");
        Box::new(Changing { files, file, content, seconds: 0, most })
    }

    /// Reading it takes several seconds.
    const MANIFEST: &str = "\
[[memory]]
path = \"FLASH.BIN\"
window = \"flash\"

[dynamic]
files = 1
quiet = \"100 ms\"
hold = \"1 s\"
";

    fn image(start: Start, name: &str) -> (Result<(), String>, PathBuf) {
        let manifest = picovd_manifest::read_text("image.toml", MANIFEST, Path::new("")).expect("TOML");
        let checked = picovd_manifest::check(&manifest, None).unwrap_or_else(|error| panic!("{error}"));
        let plan = picovd_manifest::plan(&checked).unwrap_or_else(|error| panic!("{error}"));
        let path = std::env::temp_dir().join(format!("picovd-image-{}-{name}.img", std::process::id()));
        let mut disk = mount(plug::native_with(plan, Some(start)).link).unwrap_or_else(|_| panic!("it is mounted"));
        let blocks = disk.block_count();
        let result = read(&mut disk, blocks, &path).map_err(|failure| match failure {
            super::Failure::Failed(text) => text,
            _ => "another failure".to_owned(),
        });
        (result, path)
    }

    #[test]
    fn a_disk_that_changes_gives_an_image_of_one_moment() {
        // The device delays an announcement while it is being read; this does not apply to what was due before reading
        // began.
        for (name, most) in [("once", 2), ("always", u64::MAX)] {
            let start: Start = if most == 2 { |files| changing(files, 2) } else { |files| changing(files, u64::MAX) };
            let (result, path) = image(start, name);
            assert_eq!(result, Ok(()), "{name}");
            let findings = check(&mut ImageFile::open(&path).unwrap()).unwrap();
            fs::remove_file(&path).unwrap();
            assert!(findings.is_empty(), "{name}: {findings:?}");
        }
    }

    #[test]
    fn the_part_stands_beside_it() {
        assert_eq!(part_of("a/b.img".as_ref()), Path::new("a/b.img.part"));
    }
}
