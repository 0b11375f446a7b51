//! A log in RAM, and the files that show it.
//!
//! Writers may be anywhere: main loop, interrupt handlers, the other core. A write never waits and never fails: the oldest
//! text falls out of the ring.

use crate::piece::divide;
use crate::volume::{Content, Frozen, Generation};
use core::cell::Cell;
use core::fmt;
use core::num::NonZero;
use critical_section::Mutex;

/// Bytes that one critical section moves at most, so that interrupts do not wait for long.
const PIECE: usize = 64;

/// Places for a byte each.
type Cells = [Mutex<Cell<u8>>];

/// [`LogRing`] of `N` bytes.
pub type LogRingOf<const N: usize> = LogRing<[Mutex<Cell<u8>>; N]>;

/// The last `N` bytes that were written.
///
/// `&LogRing` is a [`fmt::Write`]. Two lines that two contexts write at the same time may be mixed; those of
/// [`println!`](crate::println) are not.
pub struct LogRing<S: ?Sized = [Mutex<Cell<u8>>]> {
    /// Bytes written since power-on.
    written: Mutex<Cell<u64>>,
    bytes: S,
}

impl<const N: usize> LogRingOf<N> {
    /// An empty ring. `N` is a power of two.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two(), "a ring's length is a power of two") };
        Self { written: Mutex::new(Cell::new(0)), bytes: [const { Mutex::new(Cell::new(0)) }; N] }
    }
}

impl<const N: usize> Default for LogRingOf<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl LogRing {
    /// Bytes that the ring holds.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes written since power-on.
    // A call is shorter than a critical section.
    #[must_use]
    #[inline(never)]
    pub fn written(&self) -> u64 {
        critical_section::with(|section| self.written.borrow(section).get())
    }

    /// Appends bytes.
    pub fn write(&self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            critical_section::with(|section| {
                let written = self.written.borrow(section);
                let (cells, more) = self.cells(written.get(), piece.len());
                for (cell, byte) in cells.iter().chain(more).zip(piece) {
                    cell.borrow(section).set(*byte);
                }
                written.set(written.get() + piece.len() as u64);
            });
        }
    }

    /// Fills `out` with what was written from byte `position` on, the first byte since power-on being 0. What fell out of
    /// the ring, or was not written yet, reads as NUL.
    pub fn read(&self, position: u64, out: &mut [u8]) {
        for (piece, position) in out.chunks_mut(PIECE).zip((position..).step_by(PIECE)) {
            critical_section::with(|section| {
                let written = self.written.borrow(section).get();
                let oldest = written.saturating_sub(self.bytes.len() as u64);
                let length = piece.len() as u64;
                let within = |end: u64| end.saturating_sub(position).min(length) as usize;
                let (known, later) = piece.split_at_mut(within(written));
                let (fallen, held) = known.split_at_mut(within(oldest).min(known.len()));
                fallen.fill(0);
                later.fill(0);
                let (cells, more) = self.cells(position.max(oldest), held.len());
                for (byte, cell) in held.iter_mut().zip(cells.iter().chain(more)) {
                    *byte = cell.borrow(section).get();
                }
            });
        }
    }

    /// The places of `length` bytes, not more than there are, from `position` on: those up to the ring's end, and those from its
    /// beginning.
    fn cells(&self, position: u64, length: usize) -> (&Cells, &Cells) {
        let (before, from) = self.bytes.split_at_checked(self.place(position)).unwrap_or_default();
        let first = from.get(..length).unwrap_or(from);
        (first, before.get(..length - first.len()).unwrap_or(before))
    }

    /// Where the byte at `position` stands.
    fn place(&self, position: u64) -> usize {
        position as usize & self.bytes.len().wrapping_sub(1)
    }
}

impl fmt::Write for &LogRing {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.write(text.as_bytes());
        Ok(())
    }
}

/// The whole log as a file: it begins with the first byte, and what fell out of the ring reads as NUL. Past `limit` bytes it
/// begins anew with a line that says so.
pub struct LogFile<'a> {
    ring: &'a LogRing,
    limit: u32,
    /// Where the file begins, in bytes since power-on.
    start: Mutex<Cell<u64>>,
}

impl<'a> LogFile<'a> {
    /// Shows `ring` in a file that grows to `limit` bytes at most, which is the capacity to register it with.
    #[must_use]
    pub const fn new(ring: &'a LogRing, limit: u32) -> Self {
        Self { ring, limit, start: Mutex::new(Cell::new(0)) }
    }

    fn start(&self) -> u64 {
        critical_section::with(|section| self.start.borrow(section).get())
    }
}

impl Content for LogFile<'_> {
    fn length(&self) -> u32 {
        let length = self.ring.written() - self.start();
        u32::try_from(length).map_or(self.limit, |length| length.min(self.limit))
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let start = self.start();
        let end = self.ring.written();
        if end - start <= u64::from(self.limit) {
            return Frozen { length: (end - start) as u32, kept: true };
        }
        critical_section::with(|section| self.start.borrow(section).set(end));
        self.ring.write(b"[the log was longer than its file: it goes on here]\r\n");
        Frozen { length: self.length(), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.ring.read(self.start() + u64::from(offset), out);
    }
}

/// Length of the line that stands for lost bytes.
pub(super) const LOSS_LENGTH: usize = 32;

/// The end of the log as a file: each generation shows what was written since the last one that was read to its end. Made
/// for `tail -F`.
///
/// Any reader counts: a program that indexes the volume reads along.
pub struct LogTail<'a> {
    ring: &'a LogRing,
    state: Mutex<Cell<Tail>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    /// What the present generation shows, in bytes since power-on.
    from: u64,
    end: u64,
    /// Bytes that fell out of the ring before anybody read them: a line at the beginning says so.
    lost: u64,
    /// Whether it was read to its end.
    read: bool,
    /// Up to where the news was told on.
    told: u64,
}

impl Tail {
    fn prefix(self) -> u32 {
        if self.lost == 0 { 0 } else { LOSS_LENGTH as u32 }
    }

    fn length(self) -> u32 {
        self.prefix() + (self.end - self.from) as u32
    }

    /// What comes next, when `written` bytes were written.
    fn next(self, written: u64, capacity: usize) -> Self {
        let unread = if self.read { self.end } else { self.from };
        let kept = written.saturating_sub(capacity as u64);
        let carried = if self.read { 0 } else { self.lost };
        let lost = carried + kept.saturating_sub(unread);
        Self { from: unread.max(kept), end: written, lost, read: false, told: self.told }
    }
}

impl<'a> LogTail<'a> {
    /// Shows the end of `ring`. To be registered with [`capacity`](Self::capacity).
    #[must_use]
    pub const fn new(ring: &'a LogRing) -> Self {
        Self { ring, state: Mutex::new(Cell::new(Tail { from: 0, end: 0, lost: 0, read: true, told: 0 })) }
    }

    /// Most bytes that the file may have with a ring of that many bytes.
    #[must_use]
    pub const fn capacity(ring: usize) -> u32 {
        (ring + LOSS_LENGTH) as u32
    }

    /// Whether something was written since the last [`told`](Self::told).
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.state().told != self.ring.written()
    }

    /// What was written up to now was told on.
    pub fn told(&self) {
        let told = self.ring.written();
        critical_section::with(|section| {
            let state = self.state.borrow(section);
            state.set(Tail { told, ..state.get() });
        });
    }

    #[inline(never)]
    fn state(&self) -> Tail {
        critical_section::with(|section| self.state.borrow(section).get())
    }
}

impl Content for LogTail<'_> {
    fn length(&self) -> u32 {
        self.state().next(self.ring.written(), self.ring.capacity()).length()
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let next = self.state().next(self.ring.written(), self.ring.capacity());
        critical_section::with(|section| self.state.borrow(section).set(next));
        Frozen { length: next.length(), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let tail = self.state();
        let inside = (tail.prefix().saturating_sub(offset) as usize).min(out.len());
        let end = offset.saturating_add(out.len() as u32);
        let (prefix, text) = out.split_at_mut(inside);
        let line = loss(tail.lost);
        for (byte, value) in prefix.iter_mut().zip(line.iter().skip(offset as usize)) {
            *byte = *value;
        }
        self.ring.read(tail.from + u64::from(offset.saturating_sub(tail.prefix())), text);
        if end >= tail.length() {
            critical_section::with(|section| {
                let state = self.state.borrow(section);
                state.set(Tail { read: true, ..state.get() });
            });
        }
    }
}

/// The line that stands for that many lost bytes.
pub(super) fn loss(lost: u64) -> [u8; LOSS_LENGTH] {
    let mut line = *b"[000000000000000 bytes lost]    ";
    let mut rest = lost;
    for place in line.iter_mut().skip(1).take(15).rev() {
        let digit;
        (rest, digit) = divide(rest, const { NonZero::new(10).unwrap() });
        *place = b'0' + digit as u8;
    }
    for (byte, value) in line.iter_mut().rev().zip(b"\n\r") {
        *byte = *value;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    fn shown(content: &dyn Content, length: u32) -> Vec<u8> {
        let mut out = vec![0xEE; length as usize];
        for (index, piece) in out.chunks_mut(7).enumerate() {
            content.read(0, index as u32 * 7, piece);
        }
        out
    }

    #[test]
    fn a_ring_keeps_the_last_bytes() {
        let ring: &LogRing = &LogRingOf::<8>::new();
        let mut writer = ring;
        write!(writer, "abc{}", 12345).expect("a ring takes everything");
        let mut out = [0xEE; 10];
        ring.read(0, &mut out);
        assert_eq!(&out, b"abc12345\0\0");
        ring.write(b"6789");
        ring.read(0, &mut out);
        assert_eq!(out, [0, 0, 0, 0, b'2', b'3', b'4', b'5', b'6', b'7']);
        assert_eq!(ring.written(), 12);
    }

    #[test]
    fn a_log_file_grows_in_place_and_begins_anew() {
        let ring: &LogRing = &LogRingOf::<256>::new();
        let file = LogFile::new(ring, 100);
        ring.write(&[b'a'; 60]);
        assert_eq!(file.freeze(Generation::default()), Frozen { length: 60, kept: true });
        ring.write(&[b'b'; 40]);
        assert_eq!(shown(&file, 60), [b'a'; 60]);
        assert_eq!(file.freeze(Generation::default()), Frozen { length: 100, kept: true });
        ring.write(b"c");
        let anew = file.freeze(Generation::default());
        assert!(!anew.kept);
        assert!(shown(&file, anew.length).starts_with(b"[the log"), "{anew:?}");
        ring.write(b"d");
        let grown = file.freeze(Generation::default());
        assert_eq!(grown, Frozen { length: anew.length + 1, kept: true });
        assert_eq!(shown(&file, grown.length).last(), Some(&b'd'));
    }

    #[test]
    fn a_tail_shows_each_byte_once_to_who_reads_to_the_end() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let tail = LogTail::new(ring);
        ring.write(b"one\n");
        let length = tail.freeze(Generation::default()).length;
        ring.write(b"two\n");
        // Nobody read the first to its end.
        let again = tail.freeze(Generation::default()).length;
        assert_eq!((length, again), (4, 8));
        assert_eq!(shown(&tail, again), b"one\ntwo\n");
        ring.write(b"three\n");
        assert!(tail.has_news());
        tail.told();
        let length = tail.freeze(Generation::default()).length;
        assert_eq!(shown(&tail, length), b"three\n");
        assert!(!tail.has_news());
        assert_eq!(tail.freeze(Generation::default()).length, 0);
    }

    #[test]
    fn a_tail_says_what_was_lost() {
        let ring: &LogRing = &LogRingOf::<16>::new();
        let tail = LogTail::new(ring);
        ring.write(&[b'x'; 20]);
        ring.write(b"0123456789abcdef");
        let length = tail.freeze(Generation::default()).length;
        assert_eq!(length, LogTail::capacity(16));
        assert_eq!(shown(&tail, length), b"[000000000000020 bytes lost]  \r\n0123456789abcdef");
        let length = tail.freeze(Generation::default()).length;
        assert_eq!(length, 0, "told once");
    }
}
