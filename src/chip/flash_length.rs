//! Detects the length of the flash chip.
//!
//! A chip ignores the upper bits of an address, so a short one is repeated in the window that was reserved for a longer
//! one. The chip's id would be more precise, but while it is read, a program in flash cannot run.

use super::address_map::STORAGE_BASE;
use crate::volume::Memory;

/// The shortest chip that a manifest supports: 512 KiB.
const SHORTEST: u32 = 512 << 10;

/// Number of bytes that are compared at once.
const PIECE: usize = 64;

/// Length in bytes of the chip if that is less than `reserved`: the shortest power of two from 512 KiB on after which flash
/// repeats itself, or `known`, the length from another source, if that is less.
///
/// `None` if no shorter length than `reserved` is found. A chip whose first 512 KiB are erased, or contain the same byte
/// everywhere, cannot be measured. If a longer chip contains the same bytes twice, only the repetition is cut off.
#[must_use]
pub fn flash_length(memory: &impl Memory, reserved: u32, known: Option<u32>) -> Option<u32> {
    let limit = known.filter(|known| (SHORTEST..reserved).contains(known)).unwrap_or(reserved);
    let lengths = core::iter::successors(Some(SHORTEST), |length| length.checked_mul(2));
    let mut lengths = lengths.take_while(|length| *length < limit);
    let found = if varies(memory) { lengths.find(|length| repeats(memory, *length, limit)) } else { None };
    found.or((limit < reserved).then_some(limit))
}

/// Whether the start of flash contains more than one byte value.
fn varies(memory: &impl Memory) -> bool {
    let mut first = None;
    (0..SHORTEST).step_by(PIECE).any(|offset| {
        let piece = read(memory, offset);
        let [byte, ..] = piece;
        let first = *first.get_or_insert(byte);
        piece.iter().any(|byte| *byte != first)
    })
}

/// Whether flash from `length` on repeats its start, up to `limit`.
fn repeats(memory: &impl Memory, length: u32, limit: u32) -> bool {
    let end = length.min(limit - length);
    (0..end).step_by(PIECE).all(|offset| read(memory, offset).iter().eq(&read(memory, length + offset)))
}

fn read(memory: &impl Memory, offset: u32) -> [u8; PIECE] {
    let mut piece = [0; PIECE];
    memory.read(STORAGE_BASE + offset, &mut piece);
    piece
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use core::cell::Cell;
    use picovd_sim::random::Random;
    use std::vec;
    use std::vec::Vec;

    /// A chip in a window of 16 MiB.
    struct Chip {
        bytes: Vec<u8>,
        read: Cell<u32>,
    }

    impl Memory for Chip {
        fn read(&self, address: u32, out: &mut [u8]) {
            assert!((STORAGE_BASE..STORAGE_BASE + (16 << 20)).contains(&address), "{address:#x}");
            self.read.set(self.read.get() + out.len() as u32);
            let start = (address - STORAGE_BASE) as usize % self.bytes.len();
            out.copy_from_slice(&self.bytes[start..][..out.len()]);
        }
    }

    /// A chip with a program of some length at its start, erased after it.
    fn chip(length: u32, program: usize) -> Chip {
        let mut bytes = vec![0xFF; length as usize];
        Random::new(1).fill(&mut bytes[..program]);
        Chip { bytes, read: Cell::new(0) }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn a_short_chip_repeats_itself() {
        for shift in 0..5 {
            let length = SHORTEST << shift;
            assert_eq!(flash_length(&chip(length, 100_000), 16 << 20, None), Some(length));
        }
        // A window that ends in the middle of a repetition.
        assert_eq!(flash_length(&chip(4 << 20, 100), 5 << 20, Some(16 << 20)), Some(4 << 20));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn a_chip_that_is_long_enough_is_known_at_once() {
        let chip = chip(4 << 20, 100_000);
        assert_eq!(flash_length(&chip, 4 << 20, None), None);
        assert_eq!(flash_length(&chip, 3 << 20, None), None);
        assert!(chip.read.get() < 10_000, "{} bytes read", chip.read.get());
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn what_cannot_be_known_is_not_claimed() {
        assert_eq!(flash_length(&chip(1 << 20, 0), 4 << 20, None), None, "an erased chip");
        // One byte differs, near the end.
        let mut other = chip(2 << 20, 1 << 20);
        other.bytes.copy_within(..1 << 20, 1 << 20);
        other.bytes[(2 << 20) - 1] ^= 1;
        assert_eq!(flash_length(&other, 2 << 20, None), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn a_known_length_counts_if_it_is_less() {
        let blank = chip(4 << 20, 0);
        assert_eq!(flash_length(&blank, 4 << 20, Some(2 << 20)), Some(2 << 20));
        assert_eq!(flash_length(&blank, 4 << 20, Some(16 << 20)), None);
        assert_eq!(flash_length(&blank, 4 << 20, Some(0)), None, "length 0 is wrong: the program runs from flash");
        assert_eq!(flash_length(&chip(1 << 20, 10), 4 << 20, Some(2 << 20)), Some(1 << 20));
    }
}
