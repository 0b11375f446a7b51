//! `read`: takes a manifest back out of a file that was made for a board, or of a board's flash.

use crate::Failure;
use clap::Args;
use picovd_configure::manifest_of;
use std::fmt::Display;
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::PathBuf;

/// Length in bytes of the longest file that is read: a UF2 file of 16 MiB of flash has twice that, and some blocks.
const LONGEST: u64 = 40 << 20;

/// Print the manifest that a UF2 file or a copy of a board's flash contains
///
/// The text is as it was compiled, comments included. FLASH.BIN of a stick is such a copy.
#[derive(Args)]
pub struct Read {
    /// A file of `picovd uf2`, or a copy of flash from its start on
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Read {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", self.file.display()));
        let mut bytes = Vec::new();
        let file = File::open(&self.file).map_err(|reason| failed(&reason))?;
        // An endless file must not fill the memory.
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(|reason| failed(&reason))?;
        if bytes.len() as u64 > LONGEST {
            return Err(failed(&"it is longer than 40 MiB, so it is neither a UF2 file nor a copy of flash"));
        }
        out.write_all(manifest_of(&bytes).map_err(|reason| failed(&reason))?.as_bytes())?;
        Ok(())
    }
}
