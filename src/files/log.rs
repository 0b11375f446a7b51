//! A log in RAM, and the files that show it.
//!
//! Any context may write: the main loop, interrupt handlers, the other core. A write never waits and never fails: it
//! overwrites the oldest text in the ring.

use crate::dynamic::{Content, Frozen};
use crate::text::divide;
use crate::volume::Generation;
use core::cell::Cell;
use core::fmt;
use core::num::NonZero;
use critical_section::Mutex;
use picovd_exfat::window;

/// Most bytes that one critical section copies, so that interrupts do not wait for long.
const PIECE: usize = 64;

/// One cell for each byte.
type Cells = [Mutex<Cell<u8>>];

/// [`LogRing`] of `N` bytes.
pub type LogRingOf<const N: usize> = LogRing<[Mutex<Cell<u8>>; N]>;

/// The last `N` bytes that were written.
///
/// `&LogRing` is a [`fmt::Write`]. Lines that two contexts write through it at the same time may be mixed; those of
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
    /// Size of the ring in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes written since power-on.
    // Not inlined, because a call is shorter than a critical section.
    #[must_use]
    #[inline(never)]
    pub fn written(&self) -> u64 {
        critical_section::with(|section| self.written.borrow(section).get())
    }

    /// Appends bytes.
    pub fn write(&self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.write_whole(piece);
        }
    }

    /// The same in one critical section: for a few bytes that must stay together.
    pub(super) fn write_whole(&self, bytes: &[u8]) {
        critical_section::with(|section| {
            let written = self.written.borrow(section);
            let end = written.get() + bytes.len() as u64;
            // Bytes that this write itself would overwrite are skipped.
            let kept = bytes.get(bytes.len().saturating_sub(self.bytes.len())..).unwrap_or_default();
            let (cells, more) = self.cells(end - kept.len() as u64, kept.len());
            for (cell, byte) in cells.iter().chain(more).zip(kept) {
                cell.borrow(section).set(*byte);
            }
            written.set(end);
        });
    }

    /// Fills `out` with what was written from byte `position` on; byte 0 is the first one since power-on. Bytes that were
    /// overwritten, or not written yet, read as NUL. Returns how many were overwritten.
    pub fn read(&self, position: u64, out: &mut [u8]) -> usize {
        let mut lost = 0;
        for (piece, position) in out.chunks_mut(PIECE).zip((position..).step_by(PIECE)) {
            critical_section::with(|section| {
                let written = self.written.borrow(section).get();
                let oldest = written.saturating_sub(self.bytes.len() as u64);
                let length = piece.len() as u64;
                let within = |end: u64| end.saturating_sub(position).min(length) as usize;
                let (known, later) = piece.split_at_mut(within(written));
                let (fallen, held) = known.split_at_mut(within(oldest).min(known.len()));
                lost += fallen.len();
                fallen.fill(0);
                later.fill(0);
                let (cells, more) = self.cells(position.max(oldest), held.len());
                for (byte, cell) in held.iter_mut().zip(cells.iter().chain(more)) {
                    *byte = cell.borrow(section).get();
                }
            });
        }
        lost
    }

    /// The cells of `length` bytes from `position` on: those up to the ring's end, and those that continue at its start.
    /// `length` is at most the ring's size.
    fn cells(&self, position: u64, length: usize) -> (&Cells, &Cells) {
        let (before, from) = self.bytes.split_at_checked(self.place(position)).unwrap_or_default();
        let first = from.get(..length).unwrap_or(from);
        (first, before.get(..length - first.len()).unwrap_or(before))
    }

    /// The last bytes, at most `most`, oldest first. For a program that has crashed, which cannot enter a critical section; other
    /// programs [`read`](Self::read).
    #[cfg(all(target_os = "none", target_arch = "arm", feature = "chip"))]
    pub(crate) fn end<'s>(
        &'s self,
        section: critical_section::CriticalSection<'s>,
        most: usize,
    ) -> impl Iterator<Item = u8> + 's {
        let written = self.written.borrow(section).get();
        let length = written.min(self.bytes.len().min(most) as u64);
        let (cells, more) = self.cells(written - length, length as usize);
        cells.iter().chain(more).map(move |cell| cell.borrow(section).get())
    }

    /// The index of the cell for the byte at `position`.
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

/// The whole log as a file: it starts with the first byte, and bytes that were overwritten in the ring read as NUL. When it
/// would exceed `limit` bytes, it starts over with the text that no generation has shown yet and a line that says so.
pub struct LogFile<'a> {
    ring: &'a LogRing,
    limit: u32,
    /// Where the file starts, and the end of what a generation has shown, in bytes since power-on.
    shown: Mutex<Cell<(u64, u64)>>,
}

/// What is written to the log when its file starts over.
const RESTARTED: &[u8] = b"[the log no longer fitted into its file and continues here]\r\n";

impl<'a> LogFile<'a> {
    /// Shows `ring` in a file of at most `limit` bytes. Register the file with that capacity.
    #[must_use]
    pub const fn new(ring: &'a LogRing, limit: u32) -> Self {
        Self { ring, limit, shown: Mutex::new(Cell::new((0, 0))) }
    }

    #[inline(never)]
    fn shown(&self) -> (u64, u64) {
        critical_section::with(|section| self.shown.borrow(section).get())
    }
}

impl Content for LogFile<'_> {
    fn length(&self) -> u32 {
        let length = self.ring.written() - self.shown().0;
        u32::try_from(length).map_or(self.limit, |length| length.min(self.limit))
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let (mut start, shown) = self.shown();
        let mut end = self.ring.written();
        let limit = u64::from(self.limit);
        let kept = end - start <= limit;
        if !kept {
            // If more is new than fits into the file, show the last part.
            start = shown.max((end + RESTARTED.len() as u64).saturating_sub(limit).min(end));
            self.ring.write(RESTARTED);
            end = self.ring.written().min(start + limit);
        }
        critical_section::with(|section| self.shown.borrow(section).set((start, end)));
        Frozen { length: (end - start) as u32, kept }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.ring.read(self.shown().0 + u64::from(offset), out);
    }
}

/// Length of the line that reports lost bytes.
pub(super) const LOSS_LENGTH: usize = 32;

/// The end of the log as a file: each generation starts with the first text that was not read in the previous one. Made for
/// `tail -F`.
///
/// A reader that reads each generation's file from its start, at any pace, to the end or not, accounts for every byte written:
/// it has either read the byte or seen it counted as lost. If text is overwritten after a generation has promised it and
/// before it is read, it shows as NUL, and the next generation counts it as lost. If a reader skips to the end, what it skipped
/// counts as lost.
///
/// Readers are not told apart: text read by a program that indexes the volume counts as read. Dynamic files are not placed
/// where programs read that only probe the kind of a disk, as long as the window has room elsewhere.
pub struct LogTail<'a> {
    ring: &'a LogRing,
    state: TailState,
}

/// What a [`LogTail`] or a [`RingLog`](super::RingLog) knows about its readers.
pub(super) struct TailState(Mutex<Cell<Tail>>);

/// What the current generation shows, and how much of it was read. Positions are in bytes since power-on.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    from: u64,
    end: u64,
    /// Number of bytes that were overwritten before they were read. If there are any, the file starts with a line about them.
    lost: u64,
    /// Number of bytes of that line that were read.
    prefix_read: u32,
    /// End of the text that was read without a gap.
    read: u64,
    /// What was read after a gap: from, to. Empty unless `to` is greater than `read`.
    ahead: (u64, u64),
    /// Number of bytes that were read as NUL.
    nul: u64,
    /// End of the text that hosts were notified of.
    announced: u64,
}

impl Tail {
    fn prefix(self) -> u32 {
        if self.lost == 0 { 0 } else { LOSS_LENGTH as u32 }
    }

    fn length(self) -> u32 {
        self.prefix() + (self.end - self.from) as u32
    }

    /// What the next generation shows, if `written` bytes were written.
    fn next(self, written: u64, capacity: usize) -> Self {
        let mut lost = self.nul + if self.prefix_read < self.prefix() { self.lost } else { 0 };
        let mut unread = self.read;
        if self.ahead.1 == self.end && self.end > unread {
            // The reader skipped to the end.
            lost += self.ahead.0 - unread;
            unread = self.end;
        }
        let kept = written.saturating_sub(capacity as u64);
        let from = unread.max(kept);
        Self {
            from,
            end: written,
            lost: lost + (from - unread),
            prefix_read: 0,
            read: from,
            ahead: (0, 0),
            nul: 0,
            ..self
        }
    }

    /// Notes that the text from `start` to `end` was read, the first `nul` bytes of it as NUL.
    fn note(&mut self, start: u64, end: u64, nul: u64) {
        // What was read before was text at that time, or is counted in `nul` already.
        let new = start.max(self.read);
        if new >= end {
            return;
        }
        let known = if start >= self.ahead.0 { self.ahead.1 } else { 0 };
        self.nul += (start + nul).min(end).saturating_sub(new.max(known));
        if start <= self.read {
            self.read = end;
        } else if start <= self.ahead.1 && start >= self.ahead.0 {
            self.ahead.1 = self.ahead.1.max(end);
        } else {
            self.ahead = (start, end);
        }
        if self.ahead.0 <= self.read {
            self.read = self.read.max(self.ahead.1);
        }
    }
}

impl TailState {
    pub const fn new() -> Self {
        let nothing = Tail { from: 0, end: 0, lost: 0, prefix_read: 0, read: 0, ahead: (0, 0), nul: 0, announced: 0 };
        Self(Mutex::new(Cell::new(nothing)))
    }

    #[inline(never)]
    fn get(&self) -> Tail {
        critical_section::with(|section| self.0.borrow(section).get())
    }

    fn change(&self, change: impl FnOnce(&mut Tail)) {
        critical_section::with(|section| {
            let state = self.0.borrow(section);
            let mut tail = state.get();
            change(&mut tail);
            state.set(tail);
        });
    }

    pub fn length(&self, ring: &LogRing) -> u32 {
        self.get().next(ring.written(), ring.capacity()).length()
    }

    pub fn freeze(&self, ring: &LogRing) -> Frozen {
        let next = self.get().next(ring.written(), ring.capacity());
        self.change(|tail| *tail = Tail { announced: tail.announced, ..next });
        Frozen { length: next.length(), kept: false }
    }

    pub fn read(&self, ring: &LogRing, offset: u32, out: &mut [u8]) {
        let tail = self.get();
        let inside = (tail.prefix().saturating_sub(offset) as usize).min(out.len());
        let (prefix, text) = out.split_at_mut(inside);
        let line = loss(tail.lost);
        window::copy(offset as usize, prefix, 0, &line);
        if offset <= tail.prefix_read {
            // Only a read without a gap proves that the line was read.
            self.change(|tail| tail.prefix_read = tail.prefix_read.max(offset + inside as u32));
        }
        let mut start = tail.from + u64::from(offset.saturating_sub(tail.prefix()));
        // The ring reads each of these pieces in one step, so overwritten bytes are always a piece's first ones.
        for piece in text.chunks_mut(PIECE) {
            let nul = ring.read(start, piece) as u64;
            let end = start + piece.len() as u64;
            self.change(|tail| tail.note(start, end.min(tail.end), nul));
            start = end;
        }
    }
}

impl<'a> LogTail<'a> {
    /// Shows the end of `ring`. To be registered with [`capacity`](Self::capacity).
    #[must_use]
    pub const fn new(ring: &'a LogRing) -> Self {
        Self { ring, state: TailState::new() }
    }

    /// Maximum length in bytes of the file for a ring of `ring` bytes.
    #[must_use]
    pub const fn capacity(ring: usize) -> u32 {
        (ring + LOSS_LENGTH) as u32
    }

    /// Whether something was written since the last [`mark_announced`](Self::mark_announced).
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.state.get().announced != self.ring.written()
    }

    /// Notes that hosts are being notified of everything written so far.
    pub fn mark_announced(&self) {
        let announced = self.ring.written();
        self.state.change(|tail| tail.announced = announced);
    }
}

impl Content for LogTail<'_> {
    fn length(&self) -> u32 {
        self.state.length(self.ring)
    }

    fn freeze(&self, _: Generation) -> Frozen {
        self.state.freeze(self.ring)
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.state.read(self.ring, offset, out);
    }
}

/// The line that reports `lost` bytes.
pub(super) fn loss(lost: u64) -> [u8; LOSS_LENGTH] {
    let mut line = *b"[000000000000000 bytes lost]    ";
    let mut rest = lost;
    for place in line.iter_mut().skip(1).take(15).rev() {
        let digit;
        (rest, digit) = divide(rest, const { NonZero::new(10).unwrap() });
        *place = b'0' + digit as u8;
    }
    window::copy(0, &mut line, LOSS_LENGTH - 2, b"\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;
    extern crate std;
    use picovd_property::Cases;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;
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

    /// One critical section writes more bytes than the ring has, starting from each position.
    #[test]
    fn a_ring_keeps_the_last_bytes_of_what_is_longer_than_itself() {
        let step = if cfg!(miri) { 13 } else { 1 };
        for before in (0..16).step_by(step) {
            for length in (0..40).step_by(step) {
                let ring: &LogRing = &LogRingOf::<8>::new();
                let all: Vec<u8> = (1..=before + length).collect();
                let (first, second) = all.split_at(usize::from(before));
                for byte in first {
                    ring.write(&[*byte]);
                }
                ring.write(second);
                assert_eq!(ring.written(), all.len() as u64);
                let kept = all.len().min(8);
                let mut out = [0xEE; 8];
                assert_eq!(ring.read((all.len() - kept) as u64, &mut out[..kept]), 0);
                assert_eq!(out[..kept], all[all.len() - kept..], "{before} and {length} bytes");
            }
        }
    }

    #[test]
    fn a_log_file_grows_in_place_and_starts_over() {
        let ring: &LogRing = &LogRingOf::<256>::new();
        let file = LogFile::new(ring, 100);
        ring.write(&[b'a'; 60]);
        assert_eq!(file.freeze(Generation::default()), Frozen { length: 60, kept: true });
        ring.write(&[b'b'; 40]);
        assert_eq!(shown(&file, 60), [b'a'; 60]);
        assert_eq!(file.freeze(Generation::default()), Frozen { length: 100, kept: true });
        ring.write(b"c");
        let again = file.freeze(Generation::default());
        assert!(!again.kept);
        assert_eq!(shown(&file, again.length), [&b"c"[..], RESTARTED].concat(), "what was not shown yet comes first");
        ring.write(b"d");
        let grown = file.freeze(Generation::default());
        assert_eq!(grown, Frozen { length: again.length + 1, kept: true });
        assert_eq!(shown(&file, grown.length).last(), Some(&b'd'));
    }

    #[test]
    fn a_reader_that_reads_to_the_end_sees_each_byte_of_a_tail_once() {
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
        tail.mark_announced();
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
        assert_eq!(length, 0, "the loss is reported once");
    }

    /// The text of the property test: the byte at a position. Neither NUL nor any character of a loss line is among them.
    fn letter(position: u64) -> u8 {
        b'A' + (position % 57) as u8 % 26 + if position % 57 < 26 { 0 } else { 32 }
    }

    /// A reader that reads every generation.
    #[derive(Default)]
    struct Reader {
        /// Bytes of text and NULs that it read, and the sum of the losses reported to it.
        text: u64,
        nul: u64,
        reported: u64,
        /// Its position in the text, counting NULs that no loss line has reported yet.
        position: u64,
        unreported: u64,
        /// The start of a generation's file, while it may be a loss line.
        begin: Vec<u8>,
    }

    impl Reader {
        fn take(&mut self, prefix: usize, bytes: &[u8]) {
            for byte in bytes {
                if self.begin.len() < prefix {
                    self.begin.push(*byte);
                    if self.begin.len() == prefix {
                        let digits = core::str::from_utf8(&self.begin[1..16]).unwrap();
                        assert_eq!(&self.begin[16..], b" bytes lost]  \r\n");
                        let reported: u64 = digits.parse().unwrap();
                        self.reported += reported;
                        self.position +=
                            reported.checked_sub(self.unreported).expect("fewer bytes reported than read as NUL");
                        self.unreported = 0;
                    }
                    continue;
                }
                if *byte == 0 {
                    self.nul += 1;
                    self.unreported += 1;
                } else {
                    assert_eq!(*byte, letter(self.position), "at {}", self.position);
                    self.text += 1;
                }
                self.position += 1;
            }
        }
    }

    /// A writer and a reader, with the maximum number of bytes that each writes or reads at a time.
    #[derive(Debug)]
    struct History {
        speed: usize,
        pace: usize,
        rounds: Vec<Round>,
        /// The pieces that are read, repeated as often as necessary.
        pieces: Vec<Piece>,
    }

    /// A generation, and what is written before the next one.
    #[derive(Debug)]
    struct Round {
        /// How much of it is read; `None` means all.
        read: Option<Index>,
        written: Index,
    }

    #[derive(Debug)]
    struct Piece {
        /// What is written just before.
        written: Option<Index>,
        length: Index,
        /// How far back the host reads again because a handshake was lost.
        again: Option<u32>,
    }

    fn history() -> impl Strategy<Value = History> {
        let now_and_then = |probability| prop::option::weighted(probability, any::<Index>());
        let round = (now_and_then(0.33), any::<Index>()).prop_map(|(read, written)| Round { read, written });
        let again = prop::option::weighted(0.25, 0..40_u32);
        let piece = (now_and_then(0.33), any::<Index>(), again);
        let piece = piece.prop_map(|(written, length, again)| Piece { written, length, again });
        let history = (1..=300_usize, 1..=200_usize, vec(round, 1..=36), vec(piece, 1..=100));
        history.prop_map(|(speed, pace, rounds, pieces)| History { speed, pace, rounds, pieces })
    }

    /// Writers and readers of any speed, reads of any length, pauses anywhere, generations that begin before the previous one
    /// was read to its end, repeated reads: bytes read plus bytes reported as lost are always the bytes written.
    #[test]
    fn what_a_tail_shows_and_what_it_says_is_lost_are_all_that_was_written() {
        const HISTORIES: u32 = if cfg!(miri) { 3 } else { 3_000 };
        let mut nul_at_all = 0;
        Cases { count: HISTORIES, seed: 0 }.check(history(), |History { speed, pace, rounds, pieces }| {
            let ring: &LogRing = &LogRingOf::<128>::new();
            let tail = LogTail::new(ring);
            let mut reader = Reader::default();
            let write = |count: Index| {
                let end = ring.written() + count.index(speed) as u64;
                let bytes: Vec<u8> = (ring.written()..end).map(letter).collect();
                ring.write(&bytes);
            };
            let mut pieces = pieces.iter().cycle();
            // The last two generations are read to their end, without writes.
            let last = rounds.len() - 1;
            for (number, round) in rounds.iter().enumerate() {
                let length = tail.freeze(Generation::default()).length;
                let prefix = tail.state.get().prefix() as usize;
                reader.begin.clear();
                let part = round.read.filter(|_| number != last);
                let end = part.map_or(length, |part| part.index(length as usize + 1) as u32);
                let mut at = 0;
                while at < end {
                    let Piece { written, length, again } = pieces.next().expect("it never ends");
                    if let Some(count) = written.filter(|_| number != last) {
                        write(count);
                    }
                    let mut piece = vec![0xEE; (1 + length.index(pace)).min((end - at) as usize)];
                    tail.read(0, at, &mut piece);
                    reader.take(prefix, &piece);
                    if let Some(back) = again {
                        // A repeated read, as after a lost handshake, changes nothing.
                        tail.read(0, at.saturating_sub(*back), &mut vec![0; 40.min(piece.len())]);
                    }
                    at += piece.len() as u32;
                }
                if number + 1 < last {
                    write(round.written);
                }
            }
            nul_at_all += reader.nul;
            assert_eq!(reader.text + reader.reported, ring.written(), "{} NULs", reader.nul);
        });
        assert!(cfg!(miri) || nul_at_all > 10_000, "the writers are too slow for this test: {nul_at_all}");
    }

    #[test]
    fn what_a_reader_skips_is_reported_as_lost() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let tail = LogTail::new(ring);
        ring.write(b"0123456789");
        let length = tail.freeze(Generation::default()).length;
        let mut end = [0; 4];
        tail.read(0, length - 4, &mut end);
        assert_eq!(&end, b"6789");
        ring.write(b"abc");
        let length = tail.freeze(Generation::default()).length;
        assert_eq!(shown(&tail, length), b"[000000000000006 bytes lost]  \r\nabc");
    }

    #[test]
    fn reading_in_another_order_loses_nothing() {
        let ring: &LogRing = &LogRingOf::<64>::new();
        let tail = LogTail::new(ring);
        ring.write(b"0123456789");
        tail.freeze(Generation::default());
        for start in [5, 0] {
            tail.read(0, start, &mut [0; 5]);
        }
        ring.write(b"abc");
        let length = tail.freeze(Generation::default()).length;
        assert_eq!(shown(&tail, length), b"abc");
    }
}
