//! `read`: takes a manifest back out of a file that was made for a board, or of a board's flash.

use crate::Failure;
use clap::Args;
use picovd_sim::layout::{Compiled, Refusal, stock};
use std::fmt::Display;
use std::fs::File;
use std::io::{Read as _, Write};
use std::path::PathBuf;

/// First address of flash.
const FLASH: u32 = 0x1000_0000;

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
        let block = if bytes.starts_with(b"UF2\n") {
            from_uf2(&bytes).map_err(|reason| failed(&reason))?
        } else {
            bytes.get(stock::MANIFEST as usize..).unwrap_or_default().to_vec()
        };
        let words: Vec<u32> = block.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect();
        let compiled = Compiled::read(&words).map_err(|refusal| match refusal {
            Refusal::Absent => failed(&"there is no compiled manifest 512 KiB after the start of flash"),
            refusal => failed(&format!("the compiled manifest is refused: {refusal}")),
        })?;
        let text = compiled.text().ok_or_else(|| failed(&"the manifest was compiled without its text"))?;
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}

/// What a UF2 file writes from the manifest's place on, with zeros where it writes nothing.
fn from_uf2(bytes: &[u8]) -> Result<Vec<u8>, picovd_uf2::Error> {
    let start = FLASH + stock::MANIFEST;
    let mut flash = Vec::new();
    for block in picovd_uf2::parse(bytes)?.into_iter().filter(|block| !block.ignore && block.address >= start) {
        let at = (block.address - start) as usize;
        if at > 16 << 20 {
            continue;
        }
        if flash.len() < at + block.payload.len() {
            flash.resize(at + block.payload.len(), 0);
        }
        // A page that is written twice has its last contents.
        flash[at..at + block.payload.len()].copy_from_slice(&block.payload);
    }
    Ok(flash)
}
