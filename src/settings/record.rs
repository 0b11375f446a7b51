//! How a payload is stored in flash: a header of 16 bytes, then the body, from the start of a page to the end of one.
//!
//! | bytes | what |
//! |---|---|
//! | 0, 1 | magic |
//! | 2 | version of the format |
//! | 3 | bits 0 to 5, altered pages: bit n says that the first byte of page n + 1 is not what it was; bits 6 and 7: seals |
//! | 4 to 7 | sequence number: the higher, the newer, modulo 2^32 |
//! | 8, 9 | length of the body in bytes |
//! | 10, 11 | check of the bytes before, without the seals: the low half of their CRC-32 |
//! | 12 to 15 | CRC-32 of the bytes 0 to 11, without the seals, and of the body as it is in flash |
//!
//! Numbers are little-endian. The rest of the last page stays blank. Every version obeys this table, so that each can find
//! the end of another version's record, and whether it is complete.
//!
//! The body of version 2 starts with [`Extent`]s of 6 bytes, followed by the payload. The body of version 1 is the payload.
//! A record of version 0 has no payload: it claims sectors, and is never loaded.
//!
//! The seals are set (1) while a record is being written, and are cleared one after the other when it is complete: see
//! `store`. Records of version 1 had zeros there, and count as sealed.
//!
//! Only the first page of a record starts with the magic: a payload cannot be mistaken for a record, however much of the
//! record around it is lost. If a page of the body would start like one, its first byte is altered.

use super::nor::{PAGE_LENGTH, SECTOR_LENGTH};
use core::ops::Range;
use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};
use picovd_exfat::window;

/// Length of the header in bytes.
pub const HEADER_LENGTH: usize = 16;

/// Number of pages of the settings record that starts with these bytes, including the page with these bytes. `None`: no
/// record starts like this.
///
/// Only the header is checked, by its magic and its checksum, so a record counts even if its payload is torn, overwritten
/// or of another version of the format. A record never leaves its sector, whatever its header claims.
#[must_use]
pub fn record_pages(start: &[u8; HEADER_LENGTH]) -> Option<u8> {
    Header::parse(start).map(|header| header.pages())
}

/// The version of the format that is written.
pub(super) const VERSION: u8 = 2;

/// The older version whose payload is also supported.
const OLD_VERSION: u8 = 1;

/// The version of a record that claims sectors.
const CLAIM: u8 = 0;

/// The seals in byte 3: the first is bit 7, the second bit 6.
pub(super) const SEALS: u8 = 0xC0;
/// The seals of a record with only the first seal cleared.
pub(super) const FIRST_SEALED: u8 = 0x40;
/// The seals of a record that is sealed twice.
pub(super) const SEALED: u8 = 0;

/// The first byte of every record: a page with another first byte is not the start of one.
pub const RECORD_START: u8 = 0xD6;

/// The start of a record: bytes that do not occur in text.
const MAGIC: [u8; 2] = [RECORD_START, 0x93];
/// What replaces the magic's first byte if it starts a page of the body.
const ALTERED: u8 = !MAGIC[0];

/// Computed bit by bit: a table would take 1 KiB of flash, only to read some kilobytes at boot.
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// The start of a header.
type Head = [u8; 12];

/// Consecutive sectors of flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The number of the first one, counted from the start of flash.
    pub(super) first: u16,
    /// How many there are.
    pub(super) count: u8,
}

impl Extent {
    /// The number after the last one.
    fn end(self) -> u32 {
        u32::from(self.first) + u32::from(self.count)
    }

    /// Their numbers.
    pub(super) fn sectors(self) -> Range<u32> {
        self.first.into()..self.end()
    }

    /// Whether it includes all of the other's sectors.
    pub(super) fn covers(self, other: Self) -> bool {
        self.hull(other) == self
    }

    /// All sectors from the first of both to the last of both, at most 255.
    pub(super) fn hull(self, other: Self) -> Self {
        match (self.count, other.count) {
            (0, _) => other,
            (_, 0) => self,
            _ => {
                let first = self.first.min(other.first);
                let count = self.end().max(other.end()) - u32::from(first);
                Self { first, count: u8::try_from(count).unwrap_or(u8::MAX) }
            }
        }
    }
}

/// The sectors that a record names: those that were the store's when it was written, and those that were before, and may
/// still contain records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extents {
    pub(super) own: Extent,
    pub(super) left: Extent,
}

/// Bytes of the extents.
pub(super) const EXTENTS_LENGTH: usize = 6;

impl Extents {
    fn encode(self) -> [u8; EXTENTS_LENGTH] {
        let ([a, b], [c, d]) = (self.own.first.to_le_bytes(), self.left.first.to_le_bytes());
        [a, b, self.own.count, c, d, self.left.count]
    }

    pub(super) fn decode(bytes: [u8; EXTENTS_LENGTH]) -> Self {
        let [a, b, own, c, d, left] = bytes;
        let extent = |low, high, count| Extent { first: u16::from_le_bytes([low, high]), count };
        Self { own: extent(a, b, own), left: extent(c, d, left) }
    }
}

/// A header with a correct checksum. The rest of the record may still be torn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    version: u8,
    altered: u8,
    pub(super) seals: u8,
    pub(super) sequence: u32,
    length: u16,
    crc: u32,
}

/// Number of pages of a body with its header.
fn pages(length: usize) -> u8 {
    // The maximum length in a header makes 257 pages, and one that fits a sector 16.
    u8::try_from(length.saturating_add(HEADER_LENGTH).div_ceil(PAGE_LENGTH)).unwrap_or(u8::MAX)
}

/// The bytes of a body.
fn body(extents: [u8; EXTENTS_LENGTH], payload: &[u8]) -> impl Iterator<Item = u8> + '_ {
    extents.into_iter().chain(payload.iter().copied())
}

/// The number of the page whose first byte is this byte of the body, except for page 0.
fn begins(at: usize) -> Option<usize> {
    let at = at + HEADER_LENGTH;
    at.is_multiple_of(PAGE_LENGTH).then_some(at / PAGE_LENGTH)
}

impl Header {
    /// The header for a payload, without seals.
    pub(super) fn new(sequence: u32, extents: Extents, payload: &[u8]) -> Self {
        Self::of(VERSION, sequence, extents, payload)
    }

    /// The header of a record that claims sectors.
    pub(super) fn claim(extents: Extents) -> Self {
        Self::of(CLAIM, 0, extents, &[])
    }

    fn of(version: u8, sequence: u32, extents: Extents, payload: &[u8]) -> Self {
        let (mut altered, extents) = (0, extents.encode());
        for (at, byte) in body(extents, payload).enumerate() {
            if let Some(page) = begins(at)
                && byte == MAGIC[0]
            {
                altered |= 1 << ((page - 1) & 7) & !SEALS;
            }
        }
        let length = (EXTENTS_LENGTH + payload.len()) as u16;
        let mut header = Self { version, altered, seals: SEALS, sequence, length, crc: 0 };
        let mut digest = header.digest();
        for (at, byte) in body(extents, payload).enumerate() {
            digest.update(&[header.stored(at, byte)]);
        }
        header.crc = digest.finalize();
        header
    }

    /// The header of the same record with another number, without seals: its sum has to be [set](Self::set_sum).
    pub(super) fn renumbered(&self, sequence: u32) -> Self {
        Self { sequence, seals: SEALS, ..*self }
    }

    /// Sets the CRC-32.
    pub(super) fn set_sum(&mut self, digest: Digest<'static, u32, NoTable>) {
        self.crc = digest.finalize();
    }

    /// The header at the start of a page, if there is one.
    pub(super) fn parse(bytes: &[u8; HEADER_LENGTH]) -> Option<Self> {
        let [m0, m1, version, flags, s0, s1, s2, s3, l0, l1, check0, check1, c0, c1, c2, c3] = *bytes;
        let header = Self {
            version,
            altered: flags & !SEALS,
            seals: flags & SEALS,
            sequence: u32::from_le_bytes([s0, s1, s2, s3]),
            length: u16::from_le_bytes([l0, l1]),
            crc: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        let fits = header.length() <= SECTOR_LENGTH as usize - HEADER_LENGTH;
        if [m0, m1] != MAGIC || !fits {
            return None;
        }
        // Only this decides which pages are hidden from files, in every firmware, so it has to be short.
        let mut digest = CRC.digest();
        digest.update(&[m0, m1, version, header.altered, s0, s1, s2, s3, l0, l1]);
        let [k0, k1, ..] = digest.finalize().to_le_bytes();
        ([k0, k1] == [check0, check1]).then_some(header)
    }

    /// Length of the body in bytes.
    pub(super) fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// Length in bytes of the extents, and of the payload after them. `None`: an unsupported version, or too short.
    pub(super) fn split(&self) -> Option<(usize, usize)> {
        let extents = if self.version == OLD_VERSION { 0 } else { EXTENTS_LENGTH };
        let known = matches!(self.version, CLAIM | OLD_VERSION | VERSION);
        known.then(|| self.length().checked_sub(extents)).flatten().map(|payload| (extents, payload))
    }

    /// Whether it equals the other one, except for the seals.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Self { seals: other.seals, ..*self } == *other
    }

    /// Whether it only claims sectors.
    pub(super) fn is_claim(&self) -> bool {
        self.version == CLAIM
    }

    /// Whether the record was written completely, according to its seals.
    pub(super) fn is_sealed(&self) -> bool {
        self.seals != SEALS
    }

    /// Whether it has the current version. If it is newer than the newest valid record, it has apparently never got its
    /// first seal: whatever the seal reads as now, it may read differently at the next start.
    pub(super) fn is_doubtful(&self) -> bool {
        self.version == VERSION
    }

    /// Number of the record's pages.
    pub(super) fn pages(&self) -> u8 {
        pages(self.length())
    }

    /// The initial state of the CRC-32.
    pub(super) fn digest(&self) -> Digest<'static, u32, NoTable> {
        let mut digest = CRC.digest();
        digest.update(&self.head());
        digest
    }

    /// Whether a record's CRC-32 matches this header's.
    pub(super) fn is(&self, digest: Digest<'static, u32, NoTable>) -> bool {
        digest.finalize() == self.crc
    }

    /// Creates a page of the record, counted from 0. Returns how many bytes of it belong to the record.
    pub(super) fn page(&self, extents: Extents, payload: &[u8], number: u8, page: &mut [u8; PAGE_LENGTH]) -> usize {
        page.fill(0xFF);
        let header = self.encode();
        let begin = usize::from(number) * PAGE_LENGTH;
        let body = body(extents.encode(), payload).enumerate().map(|(at, byte)| self.stored(at, byte));
        window::put(page, header.into_iter().chain(body).skip(begin))
    }

    /// Stores the header in the first page of the record, which already has the body.
    pub(super) fn put(&self, page: &mut [u8; PAGE_LENGTH]) {
        window::put(page, self.encode());
    }

    /// Stores the seals in the first page of the record, which is otherwise complete.
    pub(super) fn seal(&self, page: &mut [u8; PAGE_LENGTH]) {
        page[3] = page[3] & !SEALS | self.seals;
    }

    /// Restores altered bytes in a payload as read from flash, where `extents` bytes are before it.
    pub(super) fn restore(&self, extents: usize, payload: &mut [u8]) {
        for (at, byte) in payload.iter_mut().enumerate() {
            if begins(at + extents).is_some_and(|page| self.alters(page)) {
                *byte = MAGIC[0];
            }
        }
    }

    /// A byte of the body as it is in flash.
    fn stored(&self, at: usize, byte: u8) -> u8 {
        if begins(at).is_some_and(|page| self.alters(page)) { ALTERED } else { byte }
    }

    fn alters(&self, number: usize) -> bool {
        number.checked_sub(1).is_some_and(|bit| bit < 6 && self.altered & 1 << bit != 0)
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
        window::put(&mut bytes, self.head().into_iter().chain(self.crc.to_le_bytes()));
        bytes[3] |= self.seals;
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::vec;

    /// Whether a page contains part of a record, as files find out: by the header of a previous page in its sector.
    fn is_record_page(page: u32, mut read: impl FnMut(u32, &mut [u8; HEADER_LENGTH])) -> bool {
        let within = (page % SECTOR_LENGTH) as usize / PAGE_LENGTH;
        (0..=within).any(|back| {
            let mut start = [0; HEADER_LENGTH];
            read(page.wrapping_sub((back * PAGE_LENGTH) as u32), &mut start);
            record_pages(&start).is_some_and(|pages| back < usize::from(pages))
        })
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn every_page_of_a_record_is_one_and_no_other() {
        const SECTOR: usize = SECTOR_LENGTH as usize;
        let mut flash = vec![0xFF; 3 * SECTOR];
        let payload = [0x5A; 600];
        let header = Header::new(9, Extents::default(), &payload);
        // Three pages in the second sector; a header at the end of the third sector that claims more pages than the sector
        // has.
        for (place, pages) in [(SECTOR + 5 * PAGE_LENGTH, 3), (3 * SECTOR - PAGE_LENGTH, 1)] {
            for number in 0..pages {
                let at = place + usize::from(number) * PAGE_LENGTH;
                let page = flash.get_mut(at..).and_then(|rest| rest.first_chunk_mut()).unwrap();
                header.page(Extents::default(), &payload, number, page);
            }
        }
        let records = |flash: &[u8]| -> vec::Vec<usize> {
            let read = |at: u32, out: &mut [u8; HEADER_LENGTH]| *out = *flash[at as usize..].first_chunk().unwrap();
            (0..flash.len()).step_by(PAGE_LENGTH).filter(|page| is_record_page(*page as u32, read)).collect()
        };
        let first = SECTOR + 5 * PAGE_LENGTH;
        assert_eq!(records(&flash), [first, first + 256, first + 512, 3 * SECTOR - PAGE_LENGTH]);
        // A torn payload makes no difference, nor do the seals; a single bit of the header's other first 12 bytes does.
        flash[first + 300] ^= 4;
        assert_eq!(records(&flash).len(), 4);
        flash[first + 3] &= 0x3F;
        assert_eq!(records(&flash).len(), 4);
        for bit in (0..96).filter(|bit| !(30..32).contains(bit)) {
            flash[first + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(records(&flash), [3 * SECTOR - PAGE_LENGTH], "bit {bit}");
            flash[first + bit / 8] ^= 1 << (bit % 8);
        }
    }
}
