//! The stock firmware in its UF2 file.

use std::error::Error as StdError;
use std::fmt;

use picovd_layout::stock;
use picovd_uf2::{ABSOLUTE, Block, Image, RP2350_ARM_S, RP2350_RISCV, Segment, parse};

use crate::FLASH;

/// Where a manifest begins, by address.
const MANIFEST: u32 = FLASH + stock::MANIFEST;

/// PicoVD's firmware for flash, which ends before a manifest begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firmware {
    /// The program.
    pub image: Image,
    /// Its version.
    pub version: String,
}

impl Firmware {
    /// Reads `picovd.uf2`. A manifest in the same file is left out.
    ///
    /// # Errors
    /// It is something else.
    pub fn from_uf2(bytes: &[u8]) -> Result<Self, FirmwareError> {
        let blocks = parse(bytes).map_err(FirmwareError::NoUf2)?;
        let blocks: Vec<Block> = blocks.into_iter().filter(|block| !block.ignore).collect();
        let family = blocks.first().map(|block| block.family).ok_or(FirmwareError::Empty)?;
        if blocks.iter().any(|block| block.family != family) {
            return Err(FirmwareError::Mixed);
        }
        if family == ABSOLUTE {
            return Err(FirmwareError::Manifest);
        }
        if family != RP2350_ARM_S && family != RP2350_RISCV {
            return Err(FirmwareError::Family(family));
        }
        if let Some(block) = blocks.iter().find(|block| block.address < FLASH || block.address >> 24 != FLASH >> 24) {
            return Err(FirmwareError::NotFlash(block.address));
        }
        let mut image: Vec<u8> = Vec::new();
        for block in blocks.iter().filter(|block| block.address < MANIFEST) {
            let at = (block.address - FLASH) as usize;
            // A gap is what the erased sector of a UF2 file without it would be programmed with.
            if image.len() < at + block.payload.len() {
                image.resize(at + block.payload.len(), 0);
            }
            image[at..at + block.payload.len()].copy_from_slice(&block.payload);
        }
        Self::from_image(family, image)
    }

    /// Takes the program as it is in flash, from flash's start on.
    ///
    /// # Errors
    /// It is another program, or not for this chip.
    pub fn from_image(family: u32, image: Vec<u8>) -> Result<Self, FirmwareError> {
        if family != RP2350_ARM_S && family != RP2350_RISCV {
            return Err(FirmwareError::Family(family));
        }
        let said = Information::find(&image).ok_or(FirmwareError::Stranger(None))?;
        if said.name != NAME {
            return Err(FirmwareError::Stranger(Some(said.name)));
        }
        let segments = vec![Segment { address: FLASH, bytes: image }];
        Ok(Self { image: Image { family, segments }, version: said.version })
    }
}

/// The firmware's name for picotool.
const NAME: &str = "picovd";

/// What a program says about itself: picotool's binary information (RP2350 datasheet, 5.1.4; pico-sdk, binary_info).
struct Information {
    name: String,
    version: String,
}

impl Information {
    /// How far from the start the header may be.
    const SEARCHED: usize = 1024;
    const HEADER: u32 = 0x7188_EBF2;
    const HEADER_END: u32 = 0xE71A_A390;
    /// Type of an entry with an identity and a text.
    const TEXT: u32 = 6;
    const PROGRAM_NAME: u32 = 0x0203_1C86;
    const PROGRAM_VERSION: u32 = 0x11A9_BC3A;

    fn find(image: &[u8]) -> Option<Self> {
        let header = (0..Self::SEARCHED)
            .step_by(4)
            .find(|&at| word(image, at) == Some(Self::HEADER) && word(image, at + 16) == Some(Self::HEADER_END))?;
        let (first, end) = (place(word(image, header + 4)?)?, place(word(image, header + 8)?)?);
        let mut found = Self { name: String::new(), version: String::new() };
        // Nobody has more entries than fit into a page of flash, and a broken header may say anything.
        for entry in (first..end.min(first + 256)).step_by(4) {
            let at = place(word(image, entry)?)?;
            if word(image, at)? & 0xFFFF != Self::TEXT {
                continue;
            }
            let text = text(image, place(word(image, at + 8)?)?);
            match word(image, at + 4)? {
                Self::PROGRAM_NAME => found.name = text,
                Self::PROGRAM_VERSION => found.version = text,
                _ => {}
            }
        }
        Some(found)
    }
}

/// The word at that offset.
fn word(image: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*image.get(at..)?.first_chunk()?))
}

/// An address in flash as an offset in the image.
fn place(address: u32) -> Option<usize> {
    address.checked_sub(FLASH).map(|at| at as usize)
}

/// A text that ends with a zero.
fn text(image: &[u8], at: usize) -> String {
    let bytes: Vec<u8> = image.iter().skip(at).take(64).copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why a file is not the stock firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FirmwareError {
    /// It is no valid UF2 file.
    NoUf2(picovd_uf2::Error),
    /// It has no program.
    Empty,
    /// Programs for several chips.
    Mixed,
    /// It writes only a manifest.
    Manifest,
    /// It is for another chip: the family.
    Family(u32),
    /// It writes somewhere else than to flash: the address.
    NotFlash(u32),
    /// It is another program: its name, if it says one.
    Stranger(Option<String>),
}

impl fmt::Display for FirmwareError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUf2(reason) => write!(out, "it is not a valid UF2 file: {reason}"),
            Self::Empty => out.write_str("the UF2 file has no program"),
            Self::Mixed => out.write_str("the UF2 file has programs for several chips"),
            Self::Manifest => out.write_str("it has a manifest and no firmware; the firmware is picovd.uf2"),
            Self::Family(family) => {
                write!(out, "its UF2 family is {family:08X}h, so it is for another chip than the RP2350")
            }
            Self::NotFlash(address) => write!(
                out,
                "it writes to {address:08X}h, which is not in flash: a program in RAM does not look for a manifest; use picovd.uf2"
            ),
            Self::Stranger(None) => out.write_str("it is not PicoVD's firmware; use picovd.uf2"),
            Self::Stranger(Some(name)) => {
                write!(out, "it is the program {name:?}, not PicoVD's firmware; use picovd.uf2")
            }
        }
    }
}

impl StdError for FirmwareError {}
