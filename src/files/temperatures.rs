//! Readings of a thermometer as CSV.

use super::TextBuffer;
use crate::dynamic::{Content, Frozen};
use crate::volume::Generation;
use picovd_exfat::window;

/// The first line.
const COLUMNS: &[u8] = b"second,celsius\r\n";

/// Most bytes of rows: at least 50 of them, and some 80 at room temperature in the first hours.
const ROOM: usize = 1024;

/// The newest readings of a thermometer: seconds since the start, and degrees Celsius with two decimals.
///
/// For the stock firmware's SENSOR.CSV. It formats integers alone; for readings of any type, there is `CsvRing`.
#[derive(Default)]
pub struct Temperatures {
    rows: TextBuffer<ROOM>,
}

impl Temperatures {
    /// Maximum length of the file in bytes.
    pub const CAPACITY: u32 = (COLUMNS.len() + ROOM) as u32;

    /// No readings.
    #[must_use]
    pub const fn new() -> Self {
        Self { rows: TextBuffer::new() }
    }

    /// Adds a reading in hundredths of a degree. Call `Files::update` to notify hosts.
    pub fn push(&self, second: u32, centidegrees: i32) {
        let sign = if centidegrees < 0 { "-" } else { "" };
        let degrees = centidegrees.unsigned_abs();
        self.rows.write_fmt(format_args!("{second},{sign}{}.{:02}\r\n", degrees / 100, degrees % 100));
    }
}

impl Content for Temperatures {
    fn length(&self) -> u32 {
        COLUMNS.len() as u32 + self.rows.length()
    }

    fn freeze(&self, generation: Generation) -> Frozen {
        let frozen = self.rows.freeze(generation);
        Frozen { length: COLUMNS.len() as u32 + frozen.length, ..frozen }
    }

    fn read(&self, version: u32, offset: u32, out: &mut [u8]) {
        window::copy(offset as usize, out, 0, COLUMNS);
        let head = COLUMNS.len().saturating_sub(offset as usize);
        if let Some(rows) = out.get_mut(head..) {
            self.rows.read(version, offset.saturating_sub(COLUMNS.len() as u32), rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::String;
    use std::vec;

    /// What hosts see, read in pieces of that length.
    fn shown(readings: &Temperatures, piece: usize) -> String {
        let length = readings.freeze(Generation::FIRST).length as usize;
        let mut bytes = vec![0; length];
        for (index, part) in bytes.chunks_mut(piece).enumerate() {
            readings.read(0, (index * piece) as u32, part);
        }
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn the_columns_stay_when_the_oldest_rows_go() {
        let readings = Temperatures::new();
        assert_eq!(shown(&readings, 64), "second,celsius\r\n");
        for (second, centidegrees) in [(0, 2713), (10, -5), (20, -1234), (30, 0)] {
            readings.push(second, centidegrees);
        }
        for piece in [1, 7, 16, 17, 64, 4096] {
            assert_eq!(
                shown(&readings, piece),
                "second,celsius\r\n0,27.13\r\n10,-0.05\r\n20,-12.34\r\n30,0.00\r\n",
                "{piece}"
            );
        }
        for second in 0..1000 {
            readings.push(second, 2000);
        }
        let text = shown(&readings, 64);
        assert!(text.len() <= Temperatures::CAPACITY as usize);
        let rows: vec::Vec<&str> = text.lines().collect();
        assert_eq!((rows.first(), rows.last()), (Some(&"second,celsius"), Some(&"999,20.00")));
        assert!(rows.len() > 50 && rows.iter().skip(1).all(|row| row.ends_with(",20.00")), "{text}");
    }
}
