//! UF2, the format in which a board's boot drive accepts an image: 512-byte blocks, each with 256 bytes for one address.
//!
//! Format: the UF2 specification, version 1. Rules for families and the bootrom: RP2350 datasheet, 5.5 (UF2 family) and
//! erratum RP2350-E10: if a board has a partition table, its bootrom erases by the address of the *first* block that it
//! sees. Therefore Raspberry Pi's own tools put an extra block of family "absolute" first, for the last page of a 16 MiB
//! flash, and so does this crate. A bootrom with the erratum writes that page (modulo the length of flash, so the last 4
//! KiB of flash must stay unused); later ones ignore the block, as its extension word requests.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

mod elf;
mod error;

pub use elf::{Image, Segment};
pub use error::Error;

/// Family rp2350-arm-s: an image for the Arm cores, secure state.
pub const RP2350_ARM_S: u32 = 0xE48B_FF59;
/// Family rp2350-riscv: an image for the Hazard3 cores.
pub const RP2350_RISCV: u32 = 0xE48B_FF5A;
/// Family absolute: stored at its address whatever the partition table says.
pub const ABSOLUTE: u32 = 0xE48B_FF57;
/// Number of bytes of the image in each block.
pub const PAGE_LENGTH: usize = 256;

const BLOCK_LENGTH: usize = 512;
const MAGIC_START: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const MAGIC_END: u32 = 0x0AB1_6F30;
/// Number of bytes between the header and the last word.
const DATA_LENGTH: usize = 476;
const FLAG_FAMILY: u32 = 0x0000_2000;
const FLAG_EXTENSION: u32 = 0x0000_8000;
/// Extension word of RP2350: ignore this block.
const IGNORE_BLOCK: u32 = 0x9957_E304;
/// Address of the extra block for RP2350-E10.
const E10_ADDRESS: u32 = 0x10FF_FF00;
/// Length in bytes of what flash erases at a time.
const SECTOR_LENGTH: u32 = 4096;
/// The flash window (XIP_BASE to its end, 32 MiB).
const FLASH: std::ops::Range<u32> = 0x1000_0000..0x1200_0000;

/// One block, as parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Address of the payload.
    pub address: u32,
    /// Number of this block in its family.
    pub number: u32,
    /// Number of blocks in its family.
    pub count: u32,
    /// The family.
    pub family: u32,
    /// Whether it should be ignored.
    pub ignore: bool,
    /// The payload.
    pub payload: [u8; PAGE_LENGTH],
}

/// Writes segments as UF2.
///
/// Pages that a segment fills partly are padded with zeros, and so is every missing page of an erased sector before its
/// last page, because the bootrom erases a sector at its first page. The extra block for RP2350-E10 is first if anything is
/// stored in flash, and left out of an image for SRAM.
///
/// # Errors
/// There are no bytes at all, segments overlap, or an address is beyond 4 GiB.
pub fn write(family: u32, segments: &[Segment]) -> Result<Vec<u8>, Error> {
    let pages = pages(segments)?;
    if pages.is_empty() {
        return Err(Error::Empty);
    }
    // 4 GiB have 2^24 pages.
    let count = pages.len() as u32;
    let mut out = Vec::with_capacity((pages.len() + 1) * BLOCK_LENGTH);
    if pages.keys().any(|address| FLASH.contains(address)) {
        encode(&mut out, &extra());
    }
    for (number, (address, payload)) in (0..).zip(pages) {
        encode(&mut out, &Block { address, number, count, family, ignore: false, payload });
    }
    Ok(out)
}

/// Writes segments as [`write()`] does, and in addition `last`, whole sectors of 4 KiB from its address on, whose first sector decides
/// whether the rest of it is valid. Its bytes are padded with zeros. Without `segments`, it is for a board that has firmware
/// already, and the family is [`ABSOLUTE`].
///
/// That first sector is erased first and written last: an interrupted download leaves neither its old contents nor the new ones.
/// After the extra block for RP2350-E10, the first block therefore clears its first page, which is written again at the end.
///
/// # Errors
/// There are no bytes in `last`, segments overlap, or `last` is not in flash.
pub fn write_last(family: u32, segments: &[Segment], last: &Segment) -> Result<Vec<u8>, Error> {
    let Segment { address, bytes } = last;
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let sector = *address..address.saturating_add(SECTOR_LENGTH);
    if !FLASH.contains(address) || u64::from(*address) + bytes.len() as u64 > u64::from(FLASH.end) {
        return Err(Error::TooHigh { address: *address });
    }
    let mut padded = bytes.clone();
    padded.resize(bytes.len().next_multiple_of(SECTOR_LENGTH as usize), 0);
    let mut segments = segments.to_vec();
    segments.push(Segment { address: *address, bytes: padded });
    let pages = pages(&segments)?;
    let (late, early): (Vec<_>, Vec<_>) = pages.into_iter().partition(|(address, _)| sector.contains(address));
    let order = iter::once((*address, [0; PAGE_LENGTH])).chain(early).chain(late);
    let order: Vec<_> = order.collect();
    let count = order.len() as u32;
    let mut out = Vec::with_capacity((order.len() + 1) * BLOCK_LENGTH);
    encode(&mut out, &extra());
    for (number, (address, payload)) in (0..).zip(order) {
        encode(&mut out, &Block { address, number, count, family, ignore: false, payload });
    }
    Ok(out)
}

/// The extra block for RP2350-E10. Raspberry Pi's tools give it the number 0 of 2, so that a bootrom never counts the family
/// as complete.
fn extra() -> Block {
    Block { address: E10_ADDRESS, number: 0, count: 2, family: ABSOLUTE, ignore: true, payload: [0xEF; PAGE_LENGTH] }
}

/// The pages that segments touch, by address.
fn pages(segments: &[Segment]) -> Result<BTreeMap<u32, [u8; PAGE_LENGTH]>, Error> {
    let page = PAGE_LENGTH as u32;
    let mut pages: BTreeMap<u32, [u8; PAGE_LENGTH]> = BTreeMap::new();
    let mut written: Vec<(u64, u64)> = Vec::new();
    for segment in segments {
        let range = (u64::from(segment.address), u64::from(segment.address) + segment.bytes.len() as u64);
        if range.1 > 1 << 32 {
            return Err(Error::TooHigh { address: segment.address });
        }
        if written.iter().any(|other| range.0 < other.1 && other.0 < range.1) {
            return Err(Error::Overlap { address: segment.address });
        }
        written.push(range);
        for (address, byte) in (segment.address..).zip(&segment.bytes) {
            pages.entry(address & !(page - 1)).or_insert([0; PAGE_LENGTH])[(address & (page - 1)) as usize] = *byte;
        }
    }
    let last = pages.keys().next_back().copied().unwrap_or(0);
    let flash = pages.keys().copied().filter(|address| FLASH.contains(address));
    let sectors: BTreeSet<u32> = flash.map(|address| address & !(SECTOR_LENGTH - 1)).collect();
    for sector in sectors {
        for address in (sector..sector + SECTOR_LENGTH).step_by(PAGE_LENGTH).filter(|address| *address < last) {
            pages.entry(address).or_insert([0; PAGE_LENGTH]);
        }
    }
    Ok(pages)
}

fn encode(out: &mut Vec<u8>, block: &Block) {
    let start = out.len();
    let flags = FLAG_FAMILY | if block.ignore { FLAG_EXTENSION } else { 0 };
    let length = PAGE_LENGTH as u32;
    let [first, second] = MAGIC_START;
    for word in [first, second, flags, block.address, length, block.number, block.count, block.family] {
        out.extend(word.to_le_bytes());
    }
    out.extend(block.payload);
    if block.ignore {
        out.extend(IGNORE_BLOCK.to_le_bytes());
    }
    out.resize(start + BLOCK_LENGTH - 4, 0);
    out.extend(MAGIC_END.to_le_bytes());
}

/// Reads a UF2 file strictly: every block must be complete, with a family and 256 bytes, and no unknown flag or extension.
///
/// # Errors
/// What is wrong, and in which block.
pub fn parse(bytes: &[u8]) -> Result<Vec<Block>, Error> {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_LENGTH>();
    if !rest.is_empty() {
        return Err(Error::Uf2(format!("{} bytes are not a whole number of blocks", bytes.len())));
    }
    let decoded = blocks.iter().map(decode).enumerate();
    decoded.map(|(index, block)| block.map_err(|what| Error::Uf2(format!("block {index}: {what}")))).collect()
}

fn decode(block: &[u8; BLOCK_LENGTH]) -> Result<Block, String> {
    let (words, _) = block.as_chunks::<4>();
    let word = |index: usize| words.get(index).map_or(0, |bytes| u32::from_le_bytes(*bytes));
    if [word(0), word(1)] != MAGIC_START || word(127) != MAGIC_END {
        return Err("wrong magic number".to_owned());
    }
    let flags = word(2);
    if flags & FLAG_FAMILY == 0 || flags & !(FLAG_FAMILY | FLAG_EXTENSION) != 0 {
        return Err(format!("flags {flags:#x}"));
    }
    if word(4) != PAGE_LENGTH as u32 {
        return Err(format!("payload of {} bytes", word(4)));
    }
    let data = &block[32..32 + DATA_LENGTH];
    let (payload, behind) = data.split_at(PAGE_LENGTH);
    let payload = payload.try_into().map_err(|_| "payload cut short".to_owned())?;
    let extension = word((32 + PAGE_LENGTH) / 4);
    let ignore = match (flags & FLAG_EXTENSION != 0, extension) {
        (true, IGNORE_BLOCK) => true,
        (false, _) => false,
        (true, other) => return Err(format!("extension {other:#x}")),
    };
    if behind.iter().skip(if ignore { 4 } else { 0 }).any(|byte| *byte != 0) {
        return Err("bytes after the payload".to_owned());
    }
    Ok(Block { address: word(3), number: word(5), count: word(6), family: word(7), ignore, payload })
}

/// Checks that a UF2 file contains exactly these segments: every byte at its address, zeros in the rest of each page,
/// blocks of the family counted from 0 without a gap, addresses ascending, and the extra block for RP2350-E10 if anything
/// is stored in flash.
///
/// # Errors
/// The first difference.
pub fn compare(bytes: &[u8], family: u32, segments: &[Segment]) -> Result<(), Error> {
    let blocks = parse(bytes)?;
    let (extra, image): (Vec<&Block>, Vec<&Block>) = blocks.iter().partition(|block| block.family == ABSOLUTE);
    let to_flash = segments.iter().any(|segment| FLASH.contains(&segment.address));
    let leads =
        blocks.first().is_some_and(|block| block.family == ABSOLUTE && block.ignore && block.address == E10_ADDRESS);
    if extra.len() != usize::from(to_flash) || leads != to_flash {
        return different("the block for RP2350-E10 is not where it belongs".to_owned());
    }
    let mut memory: BTreeMap<u32, u8> = BTreeMap::new();
    for (number, block) in (0..).zip(&image) {
        if block.family != family || block.ignore {
            return different(format!("block {number} has family {:#x}", block.family));
        }
        if block.number != number || block.count as usize != image.len() {
            return different(format!("block {number} says {} of {}", block.number, block.count));
        }
        if !(block.address as usize).is_multiple_of(PAGE_LENGTH) {
            return different(format!("block {number} is not aligned: {:#x}", block.address));
        }
        if memory.last_key_value().is_some_and(|(last, _)| *last >= block.address) {
            return different(format!("block {number} at {:#x} is out of order", block.address));
        }
        memory.extend((block.address..).zip(block.payload));
    }
    for segment in segments {
        for (address, byte) in (segment.address..).zip(&segment.bytes) {
            match memory.remove(&address) {
                Some(seen) if seen == *byte => {}
                Some(seen) => return different(format!("{address:#x} holds {seen:02x}, and the ELF has {byte:02x}")),
                None => return different(format!("{address:#x} is missing")),
            }
        }
    }
    match memory.iter().find(|(_, byte)| **byte != 0) {
        Some((address, byte)) => different(format!("{address:#x} holds {byte:02x}, and the ELF has nothing there")),
        None => Ok(()),
    }
}

fn different(what: String) -> Result<(), Error> {
    Err(Error::Different(what))
}

#[cfg(test)]
mod tests {
    use super::{ABSOLUTE, BLOCK_LENGTH, Error, RP2350_ARM_S, Segment, compare, parse, write, write_last};

    fn flash() -> Vec<Segment> {
        vec![
            Segment { address: 0x1000_0000, bytes: (0..=255).chain(0..44).collect() },
            // Starts inside a page, in another sector.
            Segment { address: 0x1000_2104, bytes: vec![7; 3] },
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        let bytes = write(RP2350_ARM_S, &flash()).unwrap();
        compare(&bytes, RP2350_ARM_S, &flash()).unwrap();
        let blocks = parse(&bytes).unwrap();
        assert_eq!((blocks[0].family, blocks[0].address, blocks[0].count), (ABSOLUTE, 0x10FF_FF00, 2));
        // 16 pages of the first sector, 2 of the one that ends the image.
        assert_eq!(blocks.len(), 1 + 16 + 2);
        assert!(blocks[1..].iter().all(|block| block.family == RP2350_ARM_S && block.count == 18));
        assert_eq!(blocks[18].address, 0x1000_2100);
        assert_eq!(blocks[18].payload[3..8], [0, 7, 7, 7, 0]);
    }

    /// A download that ends early: the old first sector is gone, and the new one is complete only when everything else is.
    #[test]
    fn an_interrupted_download_leaves_neither_the_old_nor_half_of_the_new() {
        const AT: u32 = 0x1008_0000;
        let old: Vec<u8> = vec![0xAA; 3 * 4096];
        let new: Vec<u8> = (0..9_000_u32).map(|at| (at % 251) as u8).collect();
        let last = Segment { address: AT, bytes: new.clone() };
        let blocks = parse(&write_last(ABSOLUTE, &[], &last).unwrap()).unwrap();
        assert!(blocks[0].ignore && blocks[1..].iter().all(|block| block.family == ABSOLUTE && block.count == 49));
        assert_eq!(blocks.len(), 50);
        let mut chip = old.clone();
        for (done, block) in blocks.iter().enumerate().skip(1) {
            assert_eq!(block.number as usize, done - 1);
            let at = (block.address - AT) as usize;
            // As the boot ROM does: a sector is erased at its first page.
            if at.is_multiple_of(4096) {
                chip[at..at + 4096].fill(0xFF);
            }
            assert!(chip[at..at + 256].iter().all(|byte| *byte == 0xFF), "a page is written to erased flash");
            chip[at..at + 256].copy_from_slice(&block.payload);
            assert_ne!(chip[..256], old[..256], "after block {done}");
            let begun = chip[..256] == new[..256];
            let rest = chip[4096..9_000] == new[4096..];
            assert!(!begun || rest, "after block {done}");
            // The first sector's pages come in their order.
            assert_eq!(chip[..9_000] == new, done >= 49, "after block {done}");
        }
        let refused = |address, bytes| write_last(ABSOLUTE, &[], &Segment { address, bytes }).unwrap_err();
        assert!(matches!(refused(AT, Vec::new()), Error::Empty));
        assert!(matches!(refused(0x11FF_F000, vec![0; 4097]), Error::TooHigh { .. }));
        assert!(matches!(refused(0x2000_0000, vec![0; 4097]), Error::TooHigh { .. }));

        // Behind a program, it is last as well.
        let blocks = parse(&write_last(RP2350_ARM_S, &flash(), &last).unwrap()).unwrap();
        assert!(
            blocks[1..].iter().all(|block| block.family == RP2350_ARM_S && block.count as usize == blocks.len() - 1)
        );
        assert_eq!((blocks[1].address, blocks[1].payload), (AT, [0; 256]));
        assert_eq!((blocks[2].address, blocks[blocks.len() - 17].address), (0x1000_0000, AT + 2 * 4096 + 15 * 256));
        assert_eq!(blocks[blocks.len() - 16].address, AT);
    }

    /// Field by field from the UF2 specification's table.
    #[test]
    fn a_block_stands_as_specified() {
        let bytes = write(RP2350_ARM_S, &[Segment { address: 0x2000_0000, bytes: vec![0xAB] }]).unwrap();
        assert_eq!(bytes.len(), BLOCK_LENGTH);
        assert_eq!(bytes[..8], *b"UF2\nWQ]\x9e");
        assert_eq!(bytes[8..12], [0, 0x20, 0, 0]);
        assert_eq!(bytes[12..16], [0, 0, 0, 0x20]);
        assert_eq!(bytes[16..28], [0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(bytes[28..33], [0x59, 0xFF, 0x8B, 0xE4, 0xAB]);
        assert!(bytes[33..508].iter().all(|byte| *byte == 0));
        assert_eq!(bytes[508..], [0x30, 0x6F, 0xB1, 0x0A]);
    }

    #[test]
    fn an_image_for_sram_has_no_extra_block() {
        let ram = [Segment { address: 0x2000_0000, bytes: vec![1; 600] }];
        let bytes = write(RP2350_ARM_S, &ram).unwrap();
        assert_eq!(bytes.len(), 3 * BLOCK_LENGTH);
        compare(&bytes, RP2350_ARM_S, &ram).unwrap();
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let refused =
            |segments: &[Segment], reason: &Error| assert_eq!(write(RP2350_ARM_S, segments).as_ref(), Err(reason));
        refused(&[], &Error::Empty);
        let twice = Segment { address: 0x1000_0000, bytes: vec![1; 8] };
        let inside = Segment { address: 0x1000_0007, bytes: vec![1; 8] };
        refused(&[twice, inside], &Error::Overlap { address: 0x1000_0007 });
        refused(&[Segment { address: u32::MAX, bytes: vec![1; 2] }], &Error::TooHigh { address: u32::MAX });
    }

    /// Every byte of a file matters for the comparison.
    #[test]
    fn any_changed_byte_is_noticed() {
        let segments = [Segment { address: 0x1000_0000, bytes: vec![9; 300] }];
        let bytes = write(RP2350_ARM_S, &segments).unwrap();
        // The extra block's payload has no meaning; its header and extension are checked.
        let pattern = 32..32 + 256;
        // Nor does its count matter, except that it is not the image's.
        let counts = 20..28;
        for index in (0..bytes.len()).filter(|index| !pattern.contains(index) && !counts.contains(index)) {
            let mut broken = bytes.clone();
            broken[index] ^= 0x10;
            assert!(compare(&broken, RP2350_ARM_S, &segments).is_err(), "byte {index}");
        }
        assert!(compare(&bytes[512..], RP2350_ARM_S, &segments).is_err());
        assert!(compare(&bytes[..bytes.len() - 512], RP2350_ARM_S, &segments).is_err());
        assert!(compare(&bytes[..bytes.len() - 1], RP2350_ARM_S, &segments).is_err());
    }
}
