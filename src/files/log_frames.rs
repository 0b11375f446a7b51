//! A log of frames as a file. Each frame ends with a zero byte and contains no other, as in defmt's rzCOBS encoding.

use super::log::LogRing;
use crate::dynamic::{Content, Frozen};
use crate::volume::Generation;
use core::cell::Cell;
use critical_section::Mutex;

/// Number of bytes that are searched at once.
const PIECE: usize = 32;

/// A ring of frames as a file that starts with a whole frame: the first one, as long as the ring still has it. What is
/// overwritten while a host reads shows as NUL up to the next whole frame; decoders take that for empty frames.
///
/// Each frame must be written in one critical section.
pub struct LogFrames<'a> {
    ring: &'a LogRing,
    limit: u32,
    /// Where the file starts, in bytes since power-on.
    start: Mutex<Cell<u64>>,
}

impl<'a> LogFrames<'a> {
    /// Shows `ring` in a file of at most `limit` bytes. Register the file with that capacity.
    #[must_use]
    pub const fn new(ring: &'a LogRing, limit: u32) -> Self {
        Self { ring, limit, start: Mutex::new(Cell::new(0)) }
    }

    fn start(&self) -> u64 {
        critical_section::with(|section| self.start.borrow(section).get())
    }

    /// The start of the first complete frame in the ring, at `from` or after it.
    fn whole(&self, from: u64) -> u64 {
        let written = self.ring.written();
        let kept = written.saturating_sub(self.ring.capacity() as u64);
        if kept <= from {
            return from;
        }
        self.after_frame(kept, written)
    }

    /// The position after the first zero byte from `from` on, or `end`.
    fn after_frame(&self, from: u64, end: u64) -> u64 {
        let mut position = from;
        while position < end {
            let mut piece = [0xFF; PIECE];
            self.ring.read(position, &mut piece);
            if let Some(zero) = piece.iter().position(|byte| *byte == 0) {
                return (position + zero as u64 + 1).min(end);
            }
            position += PIECE as u64;
        }
        end
    }
}

impl Content for LogFrames<'_> {
    fn length(&self) -> u32 {
        let length = self.ring.written() - self.start();
        u32::try_from(length).map_or(self.limit, |length| length.min(self.limit))
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let start = self.start();
        let mut first = self.whole(start);
        let end = self.ring.written();
        if end - first > u64::from(self.limit) {
            // Start over with what fits.
            first = self.after_frame(end - u64::from(self.limit), end);
        }
        critical_section::with(|section| self.start.borrow(section).set(first));
        Frozen { length: (end - first) as u32, kept: first == start }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let from = self.start() + u64::from(offset);
        self.ring.read(from, out);
        // Checked after the read, so that a frame that was partly overwritten in the meantime is not shown.
        let lost = self.whole(self.start()).saturating_sub(from);
        let lost = usize::try_from(lost).unwrap_or(usize::MAX).min(out.len());
        out.split_at_mut(lost).0.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::log::LogRingOf;
    use super::*;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    fn shown(file: &LogFrames<'_>, length: u32) -> Vec<u8> {
        let mut out = vec![0xEE; length as usize];
        for (index, piece) in out.chunks_mut(7).enumerate() {
            file.read(0, index as u32 * 7, piece);
        }
        out
    }

    /// Frames of all lengths, numbered.
    fn frames(numbers: core::ops::Range<u8>) -> Vec<u8> {
        numbers.flat_map(|number| [vec![number; 1 + usize::from(number % 6)], vec![0]].concat()).collect()
    }

    #[test]
    fn the_file_starts_with_the_first_frame_while_the_ring_has_it() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let file = LogFrames::new(ring, 1000);
        assert_eq!(file.freeze(Generation::default()), Frozen { length: 0, kept: true });
        ring.write(&frames(1..4));
        let first = file.freeze(Generation::default());
        assert_eq!(shown(&file, first.length), frames(1..4));
        ring.write(&frames(4..8));
        let second = file.freeze(Generation::default());
        assert!(second.kept);
        assert_eq!(shown(&file, second.length), frames(1..8));
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn after_a_loss_the_file_starts_with_a_whole_frame() {
        for last in 10..120 {
            let ring: &LogRing = &LogRingOf::<64>::new();
            let file = LogFrames::new(ring, 1000);
            ring.write(&frames(1..5));
            file.freeze(Generation::default());
            ring.write(&frames(5..last));
            let frozen = file.freeze(Generation::default());
            let lost = frames(1..last).len() > 64;
            assert_eq!(frozen.kept, !lost);
            let bytes = shown(&file, frozen.length);
            let first = if lost { bytes[0] } else { 1 };
            assert_eq!(bytes, frames(first..last), "up to {last}");
            assert!(!lost || bytes.len() > 64 - 8, "{} bytes are kept", bytes.len());
        }
    }

    #[test]
    fn what_is_overwritten_during_a_read_is_nul_up_to_a_whole_frame() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let file = LogFrames::new(ring, 1000);
        ring.write(&frames(1..15));
        let frozen = file.freeze(Generation::default());
        ring.write(&frames(15..20));
        let bytes = shown(&file, frozen.length);
        let nul = bytes.iter().take_while(|byte| **byte == 0).count();
        assert!(nul > 0);
        assert_eq!(bytes[nul..], frames(bytes[nul]..15));
    }

    #[test]
    fn the_file_starts_over_when_it_is_too_long() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let file = LogFrames::new(ring, 30);
        ring.write(&frames(1..10));
        let frozen = file.freeze(Generation::default());
        assert!(!frozen.kept && frozen.length <= 30, "{frozen:?}");
        let bytes = shown(&file, frozen.length);
        assert_eq!(bytes, frames(bytes[0]..10));
    }
}
