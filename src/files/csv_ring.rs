//! A table of readings: its newest rows as CSV (RFC 4180).

use crate::dynamic::{Content, Frozen};
use crate::text;
use crate::volume::Generation;
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;
use serde::Serialize;
use serde_csv_core::Writer;
use serde_csv_core::csv_core::{Terminator, WriterBuilder};

/// Longest line of a row in bytes, its end included.
pub const ROW_LENGTH: usize = 128;

/// The newest `N` rows of a table, after a line with the names of its columns.
///
/// A row is anything that serde can serialize as one record: a tuple or a structure of numbers, texts (`&'static str`, or
/// `heapless::String`), choices and `Option`s.
/// Nested values are written in the same line; field names of structures are not written.
///
/// ```
/// # let mut host = picovd_sim::example::Host::new();
/// # let files = host.files();
/// # use picovd::{files::CsvRing, vd::{AddError, File}};
/// static CLIMATE: CsvRing<(u32, f32, Option<u8>), 100> = CsvRing::new("second,celsius,percent");
/// static CLIMATE_CSV: File = File::new("CLIMATE.CSV", &CLIMATE, 4096);
///
/// files.add(&CLIMATE_CSV)?;
/// CLIMATE.push((1, 21.5, Some(40))).unwrap();
/// CLIMATE.push((2, 21.75, None)).unwrap();
/// # files.update(&CLIMATE_CSV).unwrap();
/// # assert_eq!(host.sees("CLIMATE.CSV"), b"second,celsius,percent\r\n1,21.5,40\r\n2,21.75,\r\n");
/// # Ok::<(), AddError>(())
/// ```
///
/// Rows may be pushed from any context. Until the next generation begins, hosts see the rows that existed when the current one
/// began. Each packet of 64 bytes renders the rows from the first one on, so this suits tables of a few kilobytes.
pub struct CsvRing<R, const N: usize> {
    columns: &'static str,
    counts: Mutex<Cell<Counts>>,
    rows: Rows<R, N>,
    shown: Rows<R, N>,
}

type Rows<R, const N: usize> = [Mutex<Cell<Option<R>>>; N];

#[derive(Clone, Copy)]
struct Counts {
    /// Rows pushed since power-on.
    pushed: u32,
    /// Where the next row goes.
    next: usize,
    /// Number of rows that are kept: all, up to `N`.
    kept: usize,
    /// The rows of `shown` that hosts see: the first one and the one after the last.
    shown: (usize, usize),
}

/// What can be a row of a [`CsvRing`]: anything that is `Serialize`, `Clone` and `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a row of a `CsvRing`",
    label = "is not `Serialize`, `Clone` and `Send`",
    note = "derive `serde::Serialize` and `Clone` for it",
    note = "texts of a row are `&'static str` or `heapless::String<N>`, picovd's own or any with its feature `serde`"
)]
pub trait Row: Serialize + Clone + Send {}

#[diagnostic::do_not_recommend]
impl<R: Serialize + Clone + Send> Row for R {}

/// The row's line would be longer than [`ROW_LENGTH`], or the row cannot be serialized as a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RowError;

impl fmt::Display for RowError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a row is one record of at most 128 bytes")
    }
}

impl core::error::Error for RowError {}

impl<R: Row, const N: usize> CsvRing<R, N> {
    /// No rows. `columns` is the first line, without its end; empty for none.
    #[must_use]
    pub const fn new(columns: &'static str) -> Self {
        const { assert!(N > 0, "a table has room for at least one row") };
        let counts = Counts { pushed: 0, next: 0, kept: 0, shown: (0, 0) };
        Self {
            columns,
            counts: Mutex::new(Cell::new(counts)),
            rows: [const { Mutex::new(Cell::new(None)) }; N],
            shown: [const { Mutex::new(Cell::new(None)) }; N],
        }
    }

    /// Adds a row, which replaces the oldest if there are `N`. Call `Files::update` to notify hosts.
    ///
    /// # Errors
    /// The row cannot be written as a line. Nothing is added.
    pub fn push(&self, row: R) -> Result<(), RowError> {
        line(&row, &mut [0; ROW_LENGTH]).ok_or(RowError)?;
        critical_section::with(|section| {
            let mut counts = self.counts.borrow(section).get();
            let old = self.rows.get(counts.next).and_then(|place| place.borrow(section).replace(Some(row)));
            counts.next = (counts.next + 1) % N;
            counts.kept = (counts.kept + 1).min(N);
            counts.pushed = counts.pushed.wrapping_add(1);
            self.counts.borrow(section).set(counts);
            // Dropped with interrupts enabled.
            old
        });
        Ok(())
    }

    fn counts(&self) -> Counts {
        critical_section::with(|section| self.counts.borrow(section).get())
    }

    /// Index of row `number`, counted from the oldest.
    fn place(counts: Counts, number: usize) -> usize {
        (counts.next + N - counts.kept + number) % N
    }

    fn row(rows: &Rows<R, N>, place: usize) -> Option<R> {
        let row = rows.get(place)?;
        critical_section::with(|section| {
            // Nobody else looks while it is out.
            let row = row.borrow(section);
            let taken = row.take();
            row.set(taken.clone());
            taken
        })
    }

    /// Length in bytes of the first line plus those of `rows`.
    fn measure(&self, rows: impl Iterator<Item = Option<R>>) -> u32 {
        let length = text::Writer::length(|out| self.write(rows, out));
        u32::try_from(length).unwrap_or(u32::MAX)
    }

    fn write(&self, rows: impl Iterator<Item = Option<R>>, out: &mut text::Writer<'_>) -> fmt::Result {
        if !self.columns.is_empty() {
            out.bytes(self.columns.as_bytes())?;
            out.bytes(b"\r\n")?;
        }
        for row in rows.flatten() {
            let mut bytes = [0; ROW_LENGTH];
            let length = line(&row, &mut bytes).unwrap_or(0);
            out.bytes(bytes.get(..length).unwrap_or_default())?;
        }
        Ok(())
    }

    fn shown_rows(&self) -> impl Iterator<Item = Option<R>> {
        let (first, end) = self.counts().shown;
        (first..end).map(|place| Self::row(&self.shown, place))
    }
}

/// Writes a row as a line and returns its length, if it fits.
fn line(row: &impl Serialize, out: &mut [u8; ROW_LENGTH]) -> Option<usize> {
    Writer::from_builder(WriterBuilder::new().terminator(Terminator::CRLF)).serialize(row, out).ok()
}

impl<R: Row, const N: usize> Content for CsvRing<R, N> {
    fn length(&self) -> u32 {
        let counts = self.counts();
        self.measure((0..counts.kept).map(|number| Self::row(&self.rows, Self::place(counts, number))))
    }

    fn freeze(&self, _: Generation) -> Frozen {
        let counts = self.counts();
        // One row per critical section, so that interrupts do not wait long.
        for number in 0..counts.kept {
            let row = Self::row(&self.rows, Self::place(counts, number));
            critical_section::with(|section| {
                if let Some(place) = self.shown.get(number) {
                    place.borrow(section).set(row);
                }
            });
        }
        critical_section::with(|section| {
            let mut now = self.counts.borrow(section).get();
            // Rows pushed meanwhile have replaced the oldest ones, which may have been copied before or after that.
            let pushed = now.pushed.wrapping_sub(counts.pushed) as usize;
            let first = counts.kept.saturating_add(pushed).saturating_sub(N).min(counts.kept);
            now.shown = (first, counts.kept);
            self.counts.borrow(section).set(now);
        });
        Frozen { length: self.measure(self.shown_rows()), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        // Once `out` is full, the writer's error ends the rendering.
        let _ = self.write(self.shown_rows(), &mut text::Writer::new(offset as usize, out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::String;
    use std::vec;

    /// What hosts see.
    fn shown<R: Row, const N: usize>(table: &CsvRing<R, N>) -> String {
        let length = table.freeze(Generation::default()).length;
        let mut whole = vec![0; length as usize];
        table.read(0, 0, &mut whole);
        // The same with reads of any length.
        for offset in 0..whole.len() {
            let mut piece = vec![0; (whole.len() - offset).min(7)];
            table.read(0, offset as u32, &mut piece);
            assert_eq!(piece, whole[offset..offset + piece.len()]);
        }
        String::from_utf8(whole).expect("text")
    }

    #[test]
    fn the_newest_rows_are_shown_oldest_first() {
        let table: CsvRing<(u32, i16), 3> = CsvRing::new("second,celsius");
        assert_eq!(shown(&table), "second,celsius\r\n");
        for second in 1..=5 {
            table.push((second, -2 * second as i16)).unwrap();
        }
        assert_eq!(shown(&table), "second,celsius\r\n3,-6\r\n4,-8\r\n5,-10\r\n");
        assert_eq!(table.length(), 35);
    }

    #[test]
    fn a_structure_is_a_row_and_what_needs_quotes_has_them() {
        #[derive(Clone, Copy, Serialize)]
        enum Door {
            Open,
            Closed,
        }
        #[derive(Clone, Copy, Serialize)]
        struct Event {
            at: u32,
            door: Door,
            note: &'static str,
        }
        let table: CsvRing<Event, 4> = CsvRing::new("");
        table.push(Event { at: 1, door: Door::Open, note: "wind, maybe" }).unwrap();
        table.push(Event { at: 2, door: Door::Closed, note: "the \"keeper\"" }).unwrap();
        assert_eq!(shown(&table), "1,Open,\"wind, maybe\"\r\n2,Closed,\"the \"\"keeper\"\"\"\r\n");
    }

    #[test]
    fn a_row_that_is_too_long_is_refused_and_changes_nothing() {
        let table: CsvRing<&str, 2> = CsvRing::new("text");
        let long = "x".repeat(ROW_LENGTH - 1).leak();
        assert_eq!(table.push(long), Err(RowError));
        table.push(&long[..ROW_LENGTH - 2]).unwrap();
        assert_eq!(table.length() as usize, 6 + ROW_LENGTH);
    }

    /// `tests/one_moment.rs` has an interrupt handler push rows while a generation begins.
    #[test]
    fn rows_that_come_later_do_not_show() {
        let table: CsvRing<(u8,), 2> = CsvRing::new("n");
        table.push((1,)).unwrap();
        let before = shown(&table);
        table.push((2,)).unwrap();
        table.push((3,)).unwrap();
        let mut again = vec![0; before.len()];
        table.read(0, 0, &mut again);
        assert_eq!(again, before.as_bytes());
        assert_eq!(shown(&table), "n\r\n2\r\n3\r\n");
    }
}
