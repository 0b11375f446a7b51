//! A reader that follows a text ring: it shows each byte once, or reports how many it missed.

use super::log::{LOSS_LENGTH, LogRing, loss};

/// The position of a reader that takes text at its own pace, such as a serial port.
///
/// Where text was overwritten before the reader took it, a line reports how much is missing: `[000000000000123 bytes lost]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFollower {
    /// End of the text that was taken, in bytes since power-on.
    taken: u64,
    /// Number of bytes missing there, until the line that reports them was taken as a whole.
    lost: u64,
    /// Number of bytes of that line that were taken.
    line_taken: usize,
}

impl LogFollower {
    /// A reader at the start of the log.
    #[must_use]
    pub const fn new() -> Self {
        Self { taken: 0, lost: 0, line_taken: 0 }
    }

    /// Whether nothing is left to be taken.
    #[must_use]
    pub fn is_done(&self, ring: &LogRing) -> bool {
        self.lost == 0 && self.taken == ring.written()
    }

    /// Fills `out` with the bytes that follow, without taking them: that is what [`take`](Self::take) is for. Returns how many
    /// there are.
    pub fn peek(&mut self, ring: &LogRing, out: &mut [u8]) -> usize {
        loop {
            // Once part of the line was taken, its number may not change.
            if self.line_taken == 0 {
                self.lost = self.lost.saturating_add(self.skip(ring));
            }
            if self.lost > 0 {
                let line = loss(self.lost);
                return copy(line.get(self.line_taken..).unwrap_or_default(), out);
            }
            let left = usize::try_from(ring.written().saturating_sub(self.taken)).unwrap_or(usize::MAX);
            let length = left.min(out.len());
            ring.read(self.taken, out.get_mut(..length).unwrap_or_default());
            // Otherwise a writer has overwritten this text in the meantime.
            if self.taken >= oldest(ring) {
                return length;
            }
        }
    }

    /// Takes the first `count` bytes that [`peek`](Self::peek) returned.
    pub fn take(&mut self, count: usize) {
        if self.lost == 0 {
            self.taken = self.taken.saturating_add(count as u64);
            return;
        }
        self.line_taken = self.line_taken.saturating_add(count);
        if self.line_taken >= LOSS_LENGTH {
            (self.lost, self.line_taken) = (0, 0);
        }
    }

    /// Skips text that was overwritten. Returns how many bytes that were.
    fn skip(&mut self, ring: &LogRing) -> u64 {
        let missed = oldest(ring).saturating_sub(self.taken);
        self.taken = self.taken.saturating_add(missed);
        missed
    }
}

/// Position of the oldest text in the ring, in bytes since power-on.
fn oldest(ring: &LogRing) -> u64 {
    ring.written().saturating_sub(ring.capacity() as u64)
}

fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let length = from.len().min(to.len());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    length
}

#[cfg(test)]
mod tests {
    use super::super::log::LogRingOf;
    use super::*;
    extern crate std;
    use std::format;
    use std::string::String;

    /// Takes at most `piece` bytes at a time, and `most` in total.
    fn taken(follower: &mut LogFollower, ring: &LogRing, piece: usize, most: usize) -> String {
        let mut all = String::new();
        let mut out = [0; 64];
        while all.len() < most && !follower.is_done(ring) {
            let length = follower.peek(ring, &mut out);
            let count = length.min(piece).min(most - all.len());
            assert!(count > 0);
            follower.take(count);
            all += core::str::from_utf8(&out[..count]).expect("text");
        }
        all
    }

    #[test]
    fn a_reader_that_keeps_up_sees_each_byte_once() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let mut follower = LogFollower::new();
        let (mut said, mut seen) = (String::new(), String::new());
        for line in 0..if cfg!(miri) { 20 } else { 200 } {
            let line = format!("line {line}\r\n");
            ring.write(line.as_bytes());
            said += &line;
            seen += &taken(&mut follower, ring, 1 + line.len() % 7, usize::MAX);
        }
        assert_eq!(seen, said);
    }

    #[test]
    fn a_loss_is_reported_where_it_happened() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let mut follower = LogFollower::new();
        ring.write(b"first ");
        assert_eq!(taken(&mut follower, ring, 64, usize::MAX), "first ");
        ring.write(&[b'a'; 100]);
        ring.write(b" last");
        let rest = format!("{} last", "a".repeat(59));
        assert_eq!(taken(&mut follower, ring, 5, usize::MAX), format!("[000000000000041 bytes lost]  \r\n{rest}"));
    }

    /// More is lost while the line is only half taken: it stays unchanged, and another one follows.
    #[test]
    fn a_line_that_was_partly_taken_does_not_change() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let mut follower = LogFollower::new();
        ring.write(&[b'a'; 70]);
        let mut seen = taken(&mut follower, ring, 64, 10);
        ring.write(&[b'b'; 80]);
        seen += &taken(&mut follower, ring, 64, usize::MAX);
        let line = |count: &str| format!("[0000000000000{count} bytes lost]  \r\n");
        assert_eq!(seen, line("06") + &line("80") + &"b".repeat(64));
        assert_eq!(taken(&mut follower, ring, 64, usize::MAX), "");
    }
}
