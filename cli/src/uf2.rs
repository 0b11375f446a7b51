//! `uf2`: writes what a board in BOOTSEL mode takes: a program, or a manifest for the stock firmware.

use crate::{Failure, device};
use clap::Args;
use picovd_configure::{Configuration, FLASH, Firmware, Refused, Written, none};
use picovd_manifest::read;
use picovd_sim::layout::stock;
use picovd_sim::plug;
use picovd_uf2::Image;
use std::env;
use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Write the file that a board takes: a manifest for the stock firmware, or any program
///
/// `picovd uf2 my.toml` compiles a manifest. Copied onto the drive of a board in BOOTSEL mode that has picovd.uf2 already, the
/// file makes it the stick that the manifest describes; nothing else in flash changes. --with-firmware puts both into one file.
///
/// `picovd uf2 --elf FILE` converts a program for the RP2350.
#[derive(Args)]
pub struct Uf2 {
    /// The manifest (NAME.toml), or with --elf the file to write
    #[arg(value_name = "MANIFEST.toml")]
    file: Option<PathBuf>,
    /// The file to write (default: NAME.uf2 in the current folder)
    #[arg(short, long, value_name = "OUT.uf2")]
    output: Option<PathBuf>,
    /// Put the stock firmware, picovd.uf2 or its ELF file, and the manifest into one file (default: picovd.uf2 beside this program,
    /// or what `cargo xtask firmware` built)
    #[arg(long, value_name = "PICOVD.uf2", num_args = 0..=1, conflicts_with_all = ["elf", "none"])]
    #[allow(clippy::option_option, reason = "clap's type of an option whose value may be left out")]
    with_firmware: Option<Option<PathBuf>>,
    /// Write a file that takes the manifest in flash away: the stock firmware shows its own again
    #[arg(long, conflicts_with = "elf")]
    none: bool,
    /// The program; `cargo uf2` in a package passes it
    #[arg(long, value_name = "FILE")]
    elf: Option<PathBuf>,
    /// A package's `cargo uf2` also passes its manifest, which is not needed.
    #[arg(long, hide = true)]
    manifest: Option<PathBuf>,
}

impl Uf2 {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        match (&self.elf, &self.file) {
            (Some(elf), file) => self.program(elf, file.as_deref(), out),
            (None, None) if self.none => {
                let written = none().map_err(Failure::of)?;
                let path = self.output.clone().unwrap_or_else(|| PathBuf::from("none.uf2"));
                write(&path, &written.uf2)?;
                writeln!(out, "{}: takes the manifest out of flash ({})", path.display(), written.places())?;
                Ok(hint(out)?)
            }
            (None, Some(manifest)) if !self.none => self.compiled(manifest, out),
            (None, Some(_)) => Err(Failure::Failed("--none writes a file without a manifest: leave it out".to_owned())),
            (None, None) => Err(Failure::Failed(
                "what is the file to be made of? `picovd uf2 my.toml` for a manifest, `picovd uf2 --elf FILE` for a program".to_owned(),
            )),
        }
    }

    /// Converts a program.
    fn program(&self, elf: &Path, file: Option<&Path>, out: &mut dyn Write) -> Result<(), Failure> {
        let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", elf.display()));
        let image = read_program(elf)?;
        let uf2 = picovd_uf2::write(image.family, &image.segments).map_err(|reason| failed(&reason))?;
        let path = match self.output.as_deref().or(file) {
            Some(path) => path.to_owned(),
            None => PathBuf::from(elf.file_stem().ok_or_else(|| failed(&"is no file"))?).with_extension("uf2"),
        };
        write(&path, &uf2)?;
        let program: usize = image.segments.iter().map(|segment| segment.bytes.len()).sum();
        writeln!(out, "{}: {program} bytes of program", path.display())?;
        Ok(hint(out)?)
    }

    /// Compiles a manifest.
    fn compiled(&self, manifest: &Path, out: &mut dyn Write) -> Result<(), Failure> {
        let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", manifest.display()));
        let epoch = env::var("SOURCE_DATE_EPOCH").ok();
        let configuration = read(manifest)
            .map_err(Refused::Manifest)
            .and_then(|manifest| Configuration::new(manifest, epoch.as_deref()));
        let configuration = configuration.map_err(|refused| match refused {
            Refused::Manifest(problems) => Failure::Manifest(problems),
            Refused::Unsupported(what) => failed(&what),
        })?;
        device::warn(&configuration.plan);
        let written = match &self.with_firmware {
            None => configuration.uf2(),
            Some(firmware) => {
                let firmware = firmware.clone().map_or_else(beside, Ok)?;
                let (image, version) = read_firmware(&firmware)?;
                let version = version.map_or(String::new(), |version| format!(", PicoVD {version}"));
                writeln!(out, "with {}{version}", firmware.display())?;
                configuration.uf2_with(&image)
            }
        };
        let written = written.map_err(|reason| failed(&reason))?;
        let path = match &self.output {
            Some(path) => path.clone(),
            None => PathBuf::from(manifest.file_stem().ok_or_else(|| failed(&"is no file"))?).with_extension("uf2"),
        };
        let Written { uf2, caution, .. } = &written;
        write(&path, uf2)?;
        let what = if self.with_firmware.is_some() { "firmware and manifest, " } else { "writes " };
        writeln!(out, "{}: {what}{}\n({})\n{caution}", path.display(), written.places(), written.details())?;
        Ok(hint(out)?)
    }
}

/// The stock firmware that belongs to this program.
fn beside() -> Result<PathBuf, Failure> {
    let program = env::current_exe().ok().and_then(|program| program.parent().map(|folder| folder.join(FIRMWARE)));
    let built = plug::CLONE.map(|clone| Path::new(clone).join("../target/firmware").join(FIRMWARE));
    [program, built].into_iter().flatten().find(|path| path.is_file()).ok_or_else(|| {
        Failure::Failed(format!(
            "the stock firmware is not beside this program: put {FIRMWARE} there, or say --with-firmware PATH/{FIRMWARE}"
        ))
    })
}

/// The stock firmware's file.
const FIRMWARE: &str = "picovd.uf2";

fn hint(out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "hold the board's BOOTSEL button while you plug it in, and copy the file to the drive that appears")
}

/// What a board's boot ROM writes to flash for a UF2 file: offsets and bytes, in this order. It erases a sector at its first page.
pub fn flash_of(path: &Path) -> Result<Vec<(usize, Vec<u8>)>, Failure> {
    let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", path.display()));
    let bytes = fs::read(path).map_err(|reason| failed(&reason))?;
    let blocks = picovd_uf2::parse(&bytes).map_err(|reason| failed(&reason))?;
    let mut written = Vec::new();
    for block in blocks.into_iter().filter(|block| !block.ignore) {
        let at = block.address.checked_sub(FLASH).ok_or_else(|| failed(&"it is not for flash"))? as usize;
        if at.is_multiple_of(stock::SECTOR as usize) {
            written.push((at, vec![0xFF; stock::SECTOR as usize]));
        }
        written.push((at, block.payload.to_vec()));
    }
    Ok(written)
}

/// The firmware for `--with-firmware`, and its version if it says one.
fn read_firmware(path: &Path) -> Result<(Image, Option<String>), Failure> {
    let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", path.display()));
    let bytes = fs::read(path).map_err(|reason| failed(&reason))?;
    if bytes.starts_with(b"\x7FELF") {
        return Ok((Image::parse(&bytes).map_err(|reason| failed(&reason))?, None));
    }
    let Firmware { image, version } = Firmware::from_uf2(&bytes).map_err(|reason| failed(&reason))?;
    Ok((image, Some(version)))
}

fn read_program(elf: &Path) -> Result<Image, Failure> {
    let failed = |what: &dyn Display| Failure::Failed(format!("{}: {what}", elf.display()));
    let bytes = fs::read(elf).map_err(|reason| failed(&reason))?;
    Image::parse(&bytes).map_err(|reason| failed(&reason))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|reason| Failure::Failed(format!("{}: {reason}", path.display())))
}
