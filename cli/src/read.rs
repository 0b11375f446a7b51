//! `read`: takes a manifest back out of a file that was made for a board, of a board's flash, or of a stick's disk.

use crate::{Failure, dump};
use clap::Args;
use picovd_configure::manifest_of;
use picovd_sim::host::exfat::Volume;
use picovd_sim::host::raw::RawDisk;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{Read as _, Write};
use std::path::PathBuf;

/// Length in bytes of the longest file that is read: a UF2 file of 16 MiB of flash has twice that, and some blocks.
const LONGEST: u64 = 40 << 20;

/// FileSystemName and where it is in the first sector (exFAT 3.1.2).
const FILE_SYSTEM: (usize, &[u8]) = (3, b"EXFAT   ");

/// Files of a stick in which its manifest is: as text, and compiled.
const TEXT: &str = "MANIFEST.TOML";
const FLASH: &str = "FLASH.BIN";

/// Print the manifest that a UF2 file, a copy of a board's flash or a stick contains
///
/// The text is as it was compiled, comments included. FLASH.BIN of a stick is a copy of its flash. Of a disk, such as /dev/sdb or
/// an image, it is MANIFEST.TOML, or else what FLASH.BIN has.
#[derive(Args)]
pub struct Read {
    /// A file of `picovd uf2`, a copy of flash from its start on, or a disk
    #[arg(value_name = "FILE|DEVICE")]
    file: PathBuf,
}

impl Read {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", self.file.display()));
        let metadata = fs::metadata(&self.file).map_err(|reason| failed(&reason))?;
        if dump::is_endless(&metadata) {
            return Err(failed(&"it has no end; specify a disk or a file"));
        }
        let bytes = if metadata.is_file() {
            let mut bytes = Vec::new();
            let file = File::open(&self.file).map_err(|reason| failed(&reason))?;
            // It may grow meanwhile.
            file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|reason| failed(&reason))?;
            bytes
        } else {
            Vec::new()
        };
        let (at, name) = FILE_SYSTEM;
        if !metadata.is_file() || bytes.get(at..).is_some_and(|rest| rest.starts_with(name)) {
            out.write_all(self.of_disk()?.as_bytes())?;
            return Ok(());
        }
        if bytes.len() as u64 > LONGEST {
            return Err(failed(&"it is longer than 40 MiB, so it is neither a UF2 file nor a copy of flash"));
        }
        out.write_all(manifest_of(&bytes).map_err(|reason| failed(&reason))?.as_bytes())?;
        Ok(())
    }

    /// The manifest of a stick, from its disk.
    fn of_disk(&self) -> Result<String, Failure> {
        let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", self.file.display()));
        let mut disk = RawDisk::open(&self.file).map_err(|reason| failed(&reason))?;
        let mut volume = Volume::open(&mut disk).map_err(|reason| failed(&reason))?;
        if let Ok(node) = volume.find(TEXT) {
            let bytes = volume.read_file(&node).map_err(|reason| failed(&reason))?;
            return String::from_utf8(bytes).map_err(|_| failed(&format!("{TEXT} is not UTF-8")));
        }
        let node = volume.find(FLASH).map_err(|_| failed(&format!("it has neither {TEXT} nor {FLASH}")))?;
        let bytes = volume.read_file(&node).map_err(|reason| failed(&reason))?;
        manifest_of(&bytes).map_err(|reason| failed(&format!("{FLASH}: {reason}")))
    }
}
