//! How a payload stands in flash: a header of 16 bytes, then the payload, from the beginning of a page to the end of one.
//!
//! | bytes | what |
//! |---|---|
//! | 0, 1 | magic |
//! | 2 | version of the format |
//! | 3 | altered pages: bit n says that the first byte of page n + 1 is not what it was |
//! | 4 to 7 | sequence number: the higher, the newer |
//! | 8, 9 | length of the payload in bytes |
//! | 10, 11 | check of the bytes before: the low half of their CRC-32 |
//! | 12 to 15 | CRC-32 of the bytes 0 to 11 and of the payload as it stands in flash |
//!
//! Numbers are little-endian. What is left of the last page stays blank. Every version keeps to this table, so that each can
//! tell where a record of another ends, and whether it is whole.
//!
//! Only the first page of a record begins with the magic: a payload cannot pass for a record, however much of the record around
//! it is lost. A page of the payload that would begin like one has its first byte altered.

use super::nor::{PAGE_LENGTH, SECTOR_LENGTH};
use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};

/// Length of the header in bytes.
pub const HEADER_LENGTH: usize = 16;

/// Pages that the settings record beginning with these bytes takes, the page with these bytes included. `None`: no record
/// begins like this.
///
/// Only the header is judged, by its magic and its check, so that a record counts whose payload is torn, overwritten or of
/// another version of the format. A record never leaves its sector, whatever its header claims.
#[must_use]
pub fn record_pages(start: &[u8; HEADER_LENGTH]) -> Option<u8> {
    Header::parse(start).map(|header| header.pages())
}

/// Whether the page of flash at `page` holds a part of a settings record, wherever in flash that is.
///
/// `page` counts bytes from the beginning of flash by *storage* address, and is a multiple of
/// [`PAGE_LENGTH`]. `read` reads 16 bytes at such a place; it is called for the page itself and those before it in the same
/// sector, at most 16 times.
pub fn is_record_page(page: u32, mut read: impl FnMut(u32, &mut [u8; HEADER_LENGTH])) -> bool {
    let within = (page % SECTOR_LENGTH) as usize / PAGE_LENGTH;
    (0..=within).any(|back| {
        let mut start = [0; HEADER_LENGTH];
        read(page.wrapping_sub((back * PAGE_LENGTH) as u32), &mut start);
        record_pages(&start).is_some_and(|pages| back < usize::from(pages))
    })
}

/// The version of the format that is written, and the only one whose payload is understood.
pub(super) const VERSION: u8 = 1;

/// Payload in the first page.
const FIRST: usize = PAGE_LENGTH - HEADER_LENGTH;

/// What a record begins with: bytes that no text has.
const MAGIC: [u8; 2] = [0xD6, 0x93];
/// What stands in the place of the magic's first byte, where that begins a page of the payload.
const ALTERED: u8 = !MAGIC[0];

/// Bit by bit: a table would take 1 KiB of flash, to read some kilobytes at boot.
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// The beginning of a header.
type Head = [u8; 12];

/// A header whose own check is right. What follows it may still be torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u8,
    altered: u8,
    pub(super) sequence: u32,
    length: u16,
    crc: u32,
}

/// Pages that a payload takes with its header.
pub(super) fn pages(length: usize) -> u8 {
    // A length that fits a header makes at most 257 pages, and one that fits a sector 16.
    u8::try_from(length.saturating_add(HEADER_LENGTH).div_ceil(PAGE_LENGTH)).unwrap_or(u8::MAX)
}

/// The parts of a payload that stand in the pages of its record.
fn parts(payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (first, rest) = payload.split_at_checked(FIRST).unwrap_or((payload, &[]));
    core::iter::once(first).chain(rest.chunks(PAGE_LENGTH))
}

impl Header {
    /// The header for a payload.
    pub(super) fn new(sequence: u32, payload: &[u8]) -> Self {
        let mut altered = 0;
        for (n, part) in parts(payload).skip(1).enumerate() {
            if part.first() == Some(&MAGIC[0]) {
                altered |= 1 << (n & 7);
            }
        }
        let mut header = Self { version: VERSION, altered, sequence, length: payload.len() as u16, crc: 0 };
        let mut digest = header.digest();
        for (n, part) in parts(payload).enumerate() {
            match part.split_first() {
                Some((_, rest)) if header.alters(n) => {
                    digest.update(&[ALTERED]);
                    digest.update(rest);
                }
                _ => digest.update(part),
            }
        }
        header.crc = digest.finalize();
        header
    }

    /// The header that stands at the beginning of a page, if one does.
    pub(super) fn parse(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
        let [m0, m1, version, altered, s0, s1, s2, s3, l0, l1, _, _, c0, c1, c2, c3] = *bytes;
        let header = Self {
            version,
            altered,
            sequence: u32::from_le_bytes([s0, s1, s2, s3]),
            length: u16::from_le_bytes([l0, l1]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        let fits = header.length() <= SECTOR_LENGTH as usize - HEADER_LENGTH;
        ([m0, m1] == MAGIC && fits && header.encode() == *bytes).then_some(header)
    }

    /// Length of the payload in bytes.
    pub(super) fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Pages of the record.
    pub(super) fn pages(&self) -> u8 {
        pages(self.length())
    }

    /// What the CRC-32 begins with.
    pub(super) fn digest(&self) -> Digest<'static, u32, NoTable> {
        let mut digest = CRC.digest();
        digest.update(&self.head());
        digest
    }

    /// Whether a record's CRC-32 is this one's.
    pub(super) fn is(&self, digest: Digest<'static, u32, NoTable>) -> bool {
        digest.finalize() == self.crc
    }

    /// Makes a page of the record, counted from 0.
    pub(super) fn page(&self, payload: &[u8], number: u8, page: &mut [u8; PAGE_LENGTH]) {
        page.fill(0xFF);
        let number = usize::from(number);
        let at = if number == 0 { HEADER_LENGTH } else { 0 };
        if let Some(header) = page.first_chunk_mut().filter(|_| number == 0) {
            *header = self.encode();
        }
        for (byte, value) in page.iter_mut().skip(at).zip(parts(payload).nth(number).unwrap_or_default()) {
            *byte = *value;
        }
        if let Some(first) = page.first_mut().filter(|_| self.alters(number)) {
            *first = ALTERED;
        }
    }

    /// Undoes what was altered in a payload as it stood in flash.
    pub(super) fn restore(&self, payload: &mut [u8]) {
        let firsts = payload.iter_mut().skip(FIRST).step_by(PAGE_LENGTH);
        for (_, first) in (1..).zip(firsts).filter(|(number, _)| self.alters(*number)) {
            *first = MAGIC[0];
        }
    }

    fn alters(&self, number: usize) -> bool {
        number.checked_sub(1).is_some_and(|bit| bit < 8 && self.altered & 1 << bit != 0)
    }

    fn head(&self) -> Head {
        let [m0, m1] = MAGIC;
        let [s0, s1, s2, s3] = self.sequence.to_le_bytes();
        let [l0, l1] = self.length.to_le_bytes();
        let start = [m0, m1, self.version, self.altered, s0, s1, s2, s3, l0, l1];
        let mut digest = CRC.digest();
        digest.update(&start);
        let [k0, k1, ..] = digest.finalize().to_le_bytes();
        [m0, m1, self.version, self.altered, s0, s1, s2, s3, l0, l1, k0, k1]
    }

    fn encode(&self) -> [u8; HEADER_LENGTH] {
        let mut bytes = [0; HEADER_LENGTH];
        for (byte, value) in bytes.iter_mut().zip(self.head().into_iter().chain(self.crc.to_le_bytes())) {
            *byte = value;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec;

    #[test]
    fn every_page_of_a_record_is_one_and_no_other() {
        const SECTOR: usize = SECTOR_LENGTH as usize;
        let mut flash = vec![0xFF; 3 * SECTOR];
        let payload = [0x5A; 600];
        let header = Header::new(9, &payload);
        // Three pages in the second sector; a header at the end of the third that claims more than the sector has.
        for (place, pages) in [(SECTOR + 5 * PAGE_LENGTH, 3), (3 * SECTOR - PAGE_LENGTH, 1)] {
            for number in 0..pages {
                let at = place + usize::from(number) * PAGE_LENGTH;
                let page = flash.get_mut(at..).and_then(|rest| rest.first_chunk_mut()).unwrap();
                header.page(&payload, number, page);
            }
        }
        let records = |flash: &[u8]| -> vec::Vec<usize> {
            let read = |at: u32, out: &mut [u8; HEADER_LENGTH]| *out = *flash[at as usize..].first_chunk().unwrap();
            (0..flash.len()).step_by(PAGE_LENGTH).filter(|page| is_record_page(*page as u32, read)).collect()
        };
        let first = SECTOR + 5 * PAGE_LENGTH;
        assert_eq!(records(&flash), [first, first + 256, first + 512, 3 * SECTOR - PAGE_LENGTH]);
        // A torn payload changes nothing, a single bit of the header's first 12 bytes does.
        flash[first + 300] ^= 4;
        assert_eq!(records(&flash).len(), 4);
        for bit in 0..96 {
            flash[first + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(records(&flash), [3 * SECTOR - PAGE_LENGTH], "bit {bit}");
            flash[first + bit / 8] ^= 1 << (bit % 8);
        }
    }
}
