//! A text that programs append to: its newest lines as a file.

use super::print::Whole;
use crate::dynamic::{Content, Frozen};
use crate::volume::Generation;
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;

/// Most bytes that one critical section copies, so that interrupts do not wait for long.
const PIECE: usize = 64;

/// A text that grows line by line: the newest lines that fit into `N` bytes.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::TextBuffer, vd::{AddError, File}};
/// static NOTES: TextBuffer<1024> = TextBuffer::new();
/// static NOTES_TXT: File = File::new("NOTES.TXT", &NOTES, 1024);
///
/// files.add(&NOTES_TXT)?;
/// write!(NOTES, "Door {} ", 3);
/// writeln!(NOTES, "open.");
/// # files.update(&NOTES_TXT).unwrap();
/// # assert_eq!(host.sees("NOTES.TXT"), b"Door 3 open.\n");
/// # Ok::<(), AddError>(())
/// ```
///
/// `write!` and `writeln!` append from any context, without a `use`, and have no error to be handled. Text of one call stays
/// together up to 128 bytes; it is formatted with interrupts enabled. When the text has more than `N` bytes, hosts no longer
/// see its oldest lines, whole ones. Of a line that is longer than `N` bytes itself, they see the end.
///
/// Hosts see the text as it was when the generation began, until the next one begins. If more is written while it begins than
/// there is room for, the oldest lines are missing in it. Two texts of `N` bytes are in RAM. Register the file with a
/// capacity of `N`.
pub struct TextBuffer<const N: usize> {
    /// The newest bytes, and where they end.
    bytes: Cells<N>,
    end: Mutex<Cell<End>>,
    /// What hosts see, and which part of the text that is.
    shown: Cells<N>,
    range: Mutex<Cell<Range>>,
}

type Cells<const N: usize> = [Mutex<Cell<u8>>; N];

/// Where the text ends. Positions are in bytes since power-on.
#[derive(Clone, Copy)]
struct End {
    position: u64,
    /// Index of the cell of that position.
    index: usize,
    /// Number of bytes before it that are kept, up to `N`.
    kept: usize,
    /// Whether the kept bytes begin within a line.
    torn: bool,
}

/// What hosts see: from the first position to the end's.
#[derive(Clone, Copy)]
struct Range {
    from: u64,
    end: End,
}

const EMPTY: End = End { position: 0, index: 0, kept: 0, torn: false };

impl End {
    /// Position of the oldest byte that is kept.
    fn oldest(&self) -> u64 {
        self.position - self.kept as u64
    }

    /// Index of the cell of a position among the `N` before the end.
    fn index_of<const N: usize>(&self, position: u64) -> usize {
        let back = self.position.saturating_sub(position) as usize;
        let index = (self.index + N).saturating_sub(back);
        if index >= N { index - N } else { index }
    }
}

impl<const N: usize> TextBuffer<N> {
    /// No text.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N > 0, "a text has room for at least one byte") };
        Self {
            bytes: [const { Mutex::new(Cell::new(0)) }; N],
            end: Mutex::new(Cell::new(EMPTY)),
            shown: [const { Mutex::new(Cell::new(0)) }; N],
            range: Mutex::new(Cell::new(Range { from: 0, end: EMPTY })),
        }
    }

    /// Appends text: what `write!` and `writeln!` call. Call `Files::update` to notify hosts.
    pub fn write_fmt(&self, text: fmt::Arguments<'_>) {
        Whole::write(text, |bytes| self.append(bytes));
    }

    /// Appends text that needs no formatting.
    pub fn push_str(&self, text: &str) {
        for piece in text.as_bytes().chunks(PIECE) {
            self.append(piece);
        }
    }

    /// Appends a few bytes in one critical section.
    fn append(&self, bytes: &[u8]) {
        critical_section::with(|section| {
            let place = self.end.borrow(section);
            let mut end = place.get();
            let dropped = (end.kept + bytes.len()).saturating_sub(N);
            if let Some(last) = dropped.checked_sub(1) {
                // The last byte that no longer fits is one that is kept so far, or of the new ones.
                let byte = match last.checked_sub(end.kept) {
                    Some(new) => bytes.get(new).copied(),
                    None => {
                        let index = end.index_of::<N>(end.oldest() + last as u64);
                        self.bytes.get(index).map(|cell| cell.borrow(section).get())
                    }
                };
                end.torn = byte != Some(b'\n');
            }
            for byte in bytes {
                if let Some(cell) = self.bytes.get(end.index) {
                    cell.borrow(section).set(*byte);
                }
                end.index = if end.index + 1 >= N { 0 } else { end.index + 1 };
            }
            end.position += bytes.len() as u64;
            end.kept = (end.kept + bytes.len()).min(N);
            place.set(end);
        });
    }

    fn end(&self) -> End {
        critical_section::with(|section| self.end.borrow(section).get())
    }

    fn range(&self) -> Range {
        critical_section::with(|section| self.range.borrow(section).get())
    }

    /// Position of the first whole line among the bytes of `cells` from `from` on, where a line is torn.
    fn first_line(cells: &Cells<N>, from: u64, end: &End) -> u64 {
        let byte = |position: u64| {
            let cell = cells.get(end.index_of::<N>(position))?;
            critical_section::with(|section| Some(cell.borrow(section).get()))
        };
        let after = (from..end.position).find(|position| byte(*position) == Some(b'\n')).map(|position| position + 1);
        let after = after.filter(|position| *position < end.position);
        // Nothing but the end of one line: from its first whole character on.
        let is_start = |position: &u64| byte(*position).is_some_and(|byte| byte & 0xC0 != 0x80);
        after.or_else(|| (from..end.position).find(is_start)).unwrap_or(end.position)
    }
}

impl<const N: usize> Default for TextBuffer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for &TextBuffer<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl<const N: usize> Content for TextBuffer<N> {
    fn length(&self) -> u32 {
        let end = self.end();
        let from = if end.torn { Self::first_line(&self.bytes, end.oldest(), &end) } else { end.oldest() };
        (end.position - from) as u32
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let (before, end) = (self.range(), self.end());
        // Both rings have the same indexes: what was copied for an earlier generation is where it belongs.
        let mut position = before.end.position.max(end.oldest());
        while position < end.position {
            critical_section::with(|section| {
                for _ in 0..PIECE.min((end.position - position) as usize) {
                    let index = end.index_of::<N>(position);
                    if let (Some(from), Some(to)) = (self.bytes.get(index), self.shown.get(index)) {
                        to.borrow(section).set(from.borrow(section).get());
                    }
                    position += 1;
                }
            });
        }
        // What was overwritten meanwhile was copied before or after that.
        let now = self.end();
        let (oldest, torn) =
            if now.oldest() > end.oldest() { (now.oldest(), now.torn) } else { (end.oldest(), end.torn) };
        let oldest = oldest.min(end.position);
        let from = if torn { Self::first_line(&self.shown, oldest, &end) } else { oldest };
        critical_section::with(|section| self.range.borrow(section).set(Range { from, end }));
        Frozen { length: (end.position - from) as u32, kept: from == before.from }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let range = self.range();
        let start = range.from.saturating_add(offset.into());
        for (piece, position) in out.chunks_mut(PIECE).zip((start..).step_by(PIECE)) {
            critical_section::with(|section| {
                for (byte, position) in piece.iter_mut().zip(position..range.end.position) {
                    if let Some(cell) = self.shown.get(range.end.index_of::<N>(position)) {
                        *byte = cell.borrow(section).get();
                    }
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use picovd_property::Cases;
    use proptest::bool::weighted;
    use proptest::collection::vec;
    use std::string::{String, ToString};
    use std::vec;

    /// What hosts see, and whether it only grew.
    fn frozen<const N: usize>(text: &TextBuffer<N>) -> (String, bool) {
        assert_eq!(text.length(), text.freeze(Generation::default()).length);
        let frozen = text.freeze(Generation::default());
        let mut whole = vec![0; frozen.length as usize];
        text.read(0, 0, &mut whole);
        for offset in 0..whole.len() {
            let mut piece = vec![0; (whole.len() - offset).min(7)];
            text.read(0, offset as u32, &mut piece);
            assert_eq!(piece, whole[offset..offset + piece.len()]);
        }
        (String::from_utf8(whole).expect("text"), frozen.kept)
    }

    fn shown<const N: usize>(text: &TextBuffer<N>) -> String {
        frozen(text).0
    }

    #[test]
    fn the_oldest_whole_lines_go_when_it_is_full() {
        let text: TextBuffer<16> = TextBuffer::new();
        assert_eq!(shown(&text), "");
        write!(text, "one {}", 1);
        writeln!(text);
        writeln!(text, "two {}", 2);
        assert_eq!(shown(&text), "one 1\ntwo 2\n");
        // It fits exactly.
        writeln!(text, "abc");
        assert_eq!(shown(&text), "one 1\ntwo 2\nabc\n");
        text.push_str("d");
        assert_eq!(shown(&text), "two 2\nabc\nd");
        // A line that goes as a whole takes no other one with it.
        text.push_str("efgh\n");
        assert_eq!(shown(&text), "two 2\nabc\ndefgh\n");
        text.push_str("i");
        assert_eq!(shown(&text), "abc\ndefgh\ni");
    }

    #[test]
    fn of_a_line_that_is_too_long_the_end_shows() {
        let text: TextBuffer<8> = TextBuffer::new();
        text.push_str("0123456789");
        assert_eq!(shown(&text), "23456789");
        // From the first whole character on.
        text.push_str("äöüß");
        assert_eq!(shown(&text), "äöüß");
        text.push_str("x");
        assert_eq!(shown(&text), "öüßx");
        text.push_str("\nnext\n");
        assert_eq!(shown(&text), "next\n");
        text.push_str("a longer text than there is room for\n");
        assert_eq!(shown(&text), "oom for\n");
        text.push_str(&"many lines\n".repeat(9));
        assert_eq!(shown(&text), "y lines\n".to_string());
    }

    #[test]
    fn what_only_grew_keeps_its_place() {
        let text: TextBuffer<16> = TextBuffer::new();
        text.push_str("one\n");
        assert_eq!(frozen(&text), ("one\n".to_string(), true));
        text.push_str("two\n");
        assert_eq!(frozen(&text), ("one\ntwo\n".to_string(), true));
        text.push_str("three\nf");
        assert!(text.freeze(Generation::default()).kept);
        text.push_str("our\n");
        assert!(!text.freeze(Generation::default()).kept, "a line has gone");
        assert_eq!(shown(&text), "two\nthree\nfour\n");
    }

    /// Against a model that looks at all bytes of each version.
    #[test]
    fn any_history_shows_the_newest_whole_lines() {
        let count = if cfg!(miri) { 2 } else { 500 };
        let mut cut = 0;
        // What is written, and whether a generation begins then.
        let steps = vec(("[a-z\n]{0,9}|[a-z]{0,40}\n", weighted(0.4)), 1..=60);
        Cases { count, seed: 0 }.check(steps, |steps| {
            let text: TextBuffer<61> = TextBuffer::new();
            let mut all = String::new();
            for (written, begins) in steps {
                text.push_str(&written);
                all += &written;
                let mut expected = &all[all.len().saturating_sub(61)..];
                if !all[..all.len() - expected.len()].is_empty() && !all[..all.len() - expected.len()].ends_with('\n') {
                    cut += 1;
                    let (_, whole) = expected.split_once('\n').unwrap_or_default();
                    expected = if whole.is_empty() { expected } else { whole };
                }
                if begins {
                    assert_eq!(shown(&text), expected);
                }
            }
        });
        assert!(cfg!(miri) || cut > 1_000, "{cut} lines were cut");
    }

    /// `tests/one_moment.rs` has an interrupt handler write while a generation begins.
    #[test]
    fn text_that_comes_later_does_not_show() {
        let text: TextBuffer<8> = TextBuffer::new();
        text.push_str("one\n");
        let before = shown(&text);
        text.push_str("two\nthree\n");
        let mut again = vec![0; before.len()];
        text.read(0, 0, &mut again);
        assert_eq!(again, before.as_bytes());
        assert_eq!(shown(&text), "three\n");
    }
}
