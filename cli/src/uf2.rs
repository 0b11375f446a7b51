//! `uf2`: what a board in BOOTSEL mode takes, from an ELF file.

use super::{Failure, Options};
use picovd_uf2::Image;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// What the help says of it.
pub const DETAILS: &str = "\
Takes any program for the RP2350. Without OUT.uf2, writes NAME.uf2 into the current folder for the ELF file NAME or NAME.elf.";

/// `cargo sim uf2 --elf ELF [OUT.uf2]`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(elf) = &options.elf else { return Err(Failure::Usage("which ELF file? --elf FILE".to_owned())) };
    let failed = |what: String| Failure::Failed(format!("{}: {what}", elf.display()));
    let bytes = fs::read(elf).map_err(|reason| failed(reason.to_string()))?;
    let image = Image::parse(&bytes).map_err(failed)?;
    let uf2 = picovd_uf2::write(image.family, &image.segments).map_err(failed)?;
    let path = match options.arguments.first() {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(elf.file_stem().ok_or_else(|| failed("is no file".to_owned()))?).with_extension("uf2"),
    };
    fs::write(&path, &uf2).map_err(|reason| Failure::Failed(format!("{}: {reason}", path.display())))?;
    let program: usize = image.segments.iter().map(|segment| segment.bytes.len()).sum();
    writeln!(out, "{}: {program} bytes of program", path.display())?;
    writeln!(
        out,
        "hold the board's BOOTSEL button while you plug it in, and copy the file onto the drive that appears"
    )?;
    Ok(())
}
