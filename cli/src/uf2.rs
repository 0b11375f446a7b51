//! `uf2`: converts an ELF file for a board in BOOTSEL mode.

use crate::Failure;
use clap::Args;
use picovd_uf2::Image;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Convert a firmware's ELF file to the file that a board is flashed with
///
/// Takes any program for the RP2350.
#[derive(Args)]
pub struct Uf2 {
    /// The file (default: NAME.uf2 in the current folder for the ELF file NAME or NAME.elf)
    #[arg(value_name = "OUT.uf2")]
    out: Option<PathBuf>,
    /// The program; `cargo uf2` in a package passes it
    #[arg(long, value_name = "FILE")]
    elf: PathBuf,
    /// A package's `cargo uf2` also passes its manifest, which is not needed.
    #[arg(long, hide = true)]
    manifest: Option<PathBuf>,
}

impl Uf2 {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let elf = &self.elf;
        let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", elf.display()));
        let bytes = fs::read(elf).map_err(|reason| failed(&reason))?;
        let image = Image::parse(&bytes).map_err(|reason| failed(&reason))?;
        let uf2 = picovd_uf2::write(image.family, &image.segments).map_err(|reason| failed(&reason))?;
        let path = match &self.out {
            Some(path) => path.clone(),
            None => PathBuf::from(elf.file_stem().ok_or_else(|| failed(&"is no file"))?).with_extension("uf2"),
        };
        fs::write(&path, &uf2).map_err(|reason| Failure::Failed(format!("{}: {reason}", path.display())))?;
        let program: usize = image.segments.iter().map(|segment| segment.bytes.len()).sum();
        writeln!(out, "{}: {program} bytes of program", path.display())?;
        writeln!(
            out,
            "hold the board's BOOTSEL button while you plug it in, and copy the file to the drive that appears"
        )?;
        Ok(())
    }
}
