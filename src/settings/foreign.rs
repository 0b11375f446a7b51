//! Checks who owns a sector of flash before anything is written to it: one rule for every part of the library that writes
//! to flash.
//!
//! A sector may be taken if it is blank, or if it starts like the sectors of the part that wants to write. Anything else is
//! foreign, and is not erased unless the user requests it. MicroPython and Arduino-Pico have their littlefs at the end of
//! flash.

use super::nor::SECTOR_LENGTH;
use crate::chip::address_map::{SRAM, flash_offset};

/// The contents of a foreign sector, as far as they can be recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// A block of a littlefs: the file system of MicroPython and Arduino-Pico.
    Littlefs,
    /// The boot sector of a FAT or exFAT volume: CircuitPython's file system.
    Fat,
    /// A UF2 file.
    Uf2,
    /// An ELF file.
    Elf,
    /// The start of a program, recognized by its vector table or its picobin block.
    Program,
    /// Something else.
    Unknown,
}

impl Contents {
    /// Its name, for users and programs.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Littlefs => "littlefs",
            Self::Fat => "FAT",
            Self::Uf2 => "UF2",
            Self::Elf => "ELF",
            Self::Program => "program",
            Self::Unknown => "unknown",
        }
    }
}

/// Number of a sector's first bytes that are enough to recognize its contents.
pub const START_LENGTH: usize = 32;

/// The contents of the sector at `sector` if it is foreign; `None` if it may be taken.
///
/// `sector` is a storage address in bytes, a multiple of [`SECTOR_LENGTH`]. `read` reads flash by storage address: the
/// sector, and, if it is foreign, the starts of those before it, to find a file system that starts there. `is_ours` checks
/// the sector's first bytes.
pub fn foreign_contents(
    sector: u32,
    read: &mut dyn FnMut(u32, &mut [u8]),
    is_ours: &mut dyn FnMut(&[u8; START_LENGTH]) -> bool,
) -> Option<Contents> {
    let mut start = [0; START_LENGTH];
    read(sector, &mut start);
    if is_ours(&start) || is_blank_after(sector, 0, read) {
        return None;
    }
    let [a, b, c, d, e, f, g, h, ..] = start;
    let (first, second) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
    let mut signature = [0; 2];
    read(sector.wrapping_add(510), &mut signature);
    // The start of a program, in the sector: a vector table, whose stack pointer is in SRAM and whose entry is in flash.
    let vectors = (SRAM.start..=SRAM.end).contains(&first) && flash_offset(second).is_some() && second & 1 != 0;
    Some(match (first, second) {
        _ if signature == [0x55, 0xAA] && matches!(a, 0xEB | 0xE9) => Contents::Fat,
        (0x0A32_4655, 0x9E5D_5157) => Contents::Uf2,
        (0x464C_457F, _) => Contents::Elf,
        (0xFFFF_DED3, _) => Contents::Program,
        _ if vectors => Contents::Program,
        _ if is_in_littlefs(sector, read) => Contents::Littlefs,
        _ => Contents::Unknown,
    })
}

/// Whether the sector is blank from its byte `from` on, a multiple of [`START_LENGTH`].
pub(super) fn is_blank_after(sector: u32, from: u32, read: &mut dyn FnMut(u32, &mut [u8])) -> bool {
    (from..SECTOR_LENGTH).step_by(START_LENGTH).all(|at| {
        let mut piece = [0; START_LENGTH];
        read(sector.wrapping_add(at), &mut piece);
        piece == [0xFF; START_LENGTH]
    })
}

/// Whether a littlefs that starts in this sector or before extends to it (littlefs, SPEC.md: the superblock is at the start
/// of block 0 and block 1; its name tag is the first, followed by the inline structure with block size and count).
fn is_in_littlefs(sector: u32, read: &mut dyn FnMut(u32, &mut [u8])) -> bool {
    (0..=sector / SECTOR_LENGTH).rev().any(|number| {
        let at = number * SECTOR_LENGTH;
        let mut start = [0; START_LENGTH];
        read(at, &mut start);
        let [_, _, _, _, _, _, _, _, name @ .., s0, s1, s2, s3, c0, c1, c2, c3] = start;
        let (size, count) = (u32::from_le_bytes([s0, s1, s2, s3]), u32::from_le_bytes([c0, c1, c2, c3]));
        name.starts_with(b"littlefs") && u64::from(at) + u64::from(size) * u64::from(count) > u64::from(sector)
    })
}
