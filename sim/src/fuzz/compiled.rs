//! Compiled manifests, as the stock firmware reads them from flash: the bytes there may be anything.

use super::Bytes;
use crate::plug;
use picovd::clock::Instant;
use picovd::dynamic::{FromRegistry, Registered};
use picovd::vd::{Files, FilesOf};
use picovd::volume::layout::{Compiled, Layout};
use picovd::volume::{BoardIdentity, Memory, Volume};
use std::sync::OnceLock;

/// Words of the header: the length of the tables in bytes, their CRC-32, and the first one that it covers.
const LENGTH: usize = 2;
const CHECKSUM: usize = 3;
const SUMMED: usize = 4;

/// Memory at every address: as the chip's, which reads as zeros where files show nothing.
#[derive(Clone, Copy, Debug)]
pub struct Anywhere;

impl Memory for Anywhere {
    fn read(&self, _: u32, out: &mut [u8]) {
        out.fill(0);
    }

    fn flash_offset(&self, address: u32) -> Option<u32> {
        (address >> 28 == 1).then_some(address % 0x0400_0000)
    }
}

/// The stock manifest's block, changed: an index of a word, then its new value, and so on; or, if the first byte is odd, any
/// words at all. The checksum is right, so that the rules behind it are reached.
pub fn compiled(data: &[u8]) {
    static STOCK: OnceLock<Vec<u32>> = OnceLock::new();

    let mut bytes = Bytes(data);
    let mut words = if bytes.byte() & 1 == 0 {
        let stock = STOCK.get_or_init(|| {
            let plan = plug::plan(None).unwrap_or_else(|problems| panic!("{problems}"));
            picovd_manifest::compile(&plan).to_words()
        });
        let mut words = stock.clone();
        while !bytes.is_empty() {
            let index = bytes.word() as usize % words.len();
            words[index] = bytes.word();
        }
        words
    } else {
        let mut words = Vec::new();
        while !bytes.is_empty() {
            words.push(bytes.word());
        }
        words
    };
    seal(&mut words);
    // A refusal has a reason, and takes nothing down.
    match Compiled::read(&words) {
        Ok(compiled) => show(compiled),
        Err(refusal) => assert!(!refusal.words().is_empty() && !refusal.to_string().is_empty()),
    }
}

/// Reads the ends of every region of what was accepted.
fn show(compiled: Compiled<'_>) {
    let layout = Layout::of(compiled);
    let files = FilesOf::<64>::new(&layout);
    let files: &Files<'_> = &files;
    let mut volume =
        Volume::new(&layout, Some(BoardIdentity(7)), Anywhere).with_flash(1 << 20).with_files(Registered::of(files));
    volume.begin_unseen_generation(Instant(0));
    for region in layout.all_regions() {
        for first in [region.first.0, region.first.0 + region.length.0 - 1] {
            volume.read(picovd::block::Lba(first), 0, &mut [0; 512]);
        }
    }
}

/// Gives a block, whatever it says, the right checksum.
pub fn seal(words: &mut [u32]) {
    let tables = words.get(LENGTH).map_or(0, |length| *length as usize / 4).min(words.len());
    if tables > SUMMED {
        let bytes: Vec<u8> = words[SUMMED..tables].iter().flat_map(|word| word.to_ne_bytes()).collect();
        words[CHECKSUM] = crc32(&bytes);
    }
}

/// CRC-32 as in zlib, bit by bit: not the reader's.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| sum >> 1 ^ if sum & 1 != 0 { 0xEDB8_8320 } else { 0 })
    })
}
