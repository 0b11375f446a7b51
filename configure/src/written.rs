//! A file for a board, and what it does there, in words.

use std::ops::Range;

use picovd_layout::stock;
use picovd_uf2::Segment;

use crate::FLASH;

/// What holds for a file with nothing but a manifest.
pub(crate) const ALONE: &str = "for a board that has the stock firmware, picovd.uf2; on one with a partition table, the boot ROM ignores the \
     file unless the table lets the family `absolute` write there";
/// What holds for one with firmware.
pub(crate) const WITH_FIRMWARE: &str = "for a board without a partition table: with one, the boot ROM ignores the file or puts it into a \
     partition, where the firmware does not look for its manifest";

/// Where MicroPython for a board with 4 MiB of flash begins its file system, by offset in flash.
const MICROPYTHON: u32 = 1 << 20;

/// A UF2 file, and what a board does with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub uf2: Vec<u8>,
    /// What it writes: offsets in flash, in whole sectors, ascending.
    pub ranges: Vec<Range<u32>>,
    /// For which boards it is, in particular beside a partition table.
    pub caution: &'static str,
}

impl Written {
    /// A file of these segments. `last` is after all others.
    pub(crate) fn new(uf2: Vec<u8>, segments: &[Segment], last: &Segment, caution: &'static str) -> Self {
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for Segment { address, bytes } in segments.iter().chain([last]) {
            let start = address.saturating_sub(FLASH);
            // Flash has at most 16 MiB, which the file was checked for.
            let end = (start + bytes.len() as u32).next_multiple_of(stock::SECTOR);
            let start = start - start % stock::SECTOR;
            match ranges.last_mut() {
                Some(before) if start <= before.end => before.end = before.end.max(end),
                _ => ranges.push(start..end),
            }
        }
        Self { uf2, ranges, caution }
    }

    /// The ranges for people: `512 to 520 KiB of flash`.
    #[must_use]
    pub fn places(&self) -> String {
        let places: Vec<String> =
            self.ranges.iter().map(|range| format!("{} to {}", range.start >> 10, kib(range.end))).collect();
        format!("{} of flash", places.join(" and "))
    }

    /// The same in bytes, and what else may be there.
    #[must_use]
    pub fn details(&self) -> String {
        let length: u32 = self.ranges.iter().map(|range| range.end - range.start).sum();
        let places: Vec<String> =
            self.ranges.iter().map(|range| format!("{:X}h to {:X}h", FLASH + range.start, FLASH + range.end)).collect();
        let end = self.ranges.last().map_or(0, |range| range.end);
        let neighbour = match end.checked_sub(MICROPYTHON) {
            None | Some(0) => "a MicroPython file system begins at 1 MiB, after it".to_owned(),
            Some(lost) => {
                format!("a MicroPython file system begins at 1 MiB: the first {} of it are overwritten", kib(lost))
            }
        };
        format!("{length} bytes, addresses {}; {neighbour}", places.join(" and "))
    }
}

/// A number of bytes, rounded up, in KiB.
#[must_use]
pub fn kib(bytes: u32) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

#[cfg(test)]
mod tests {
    use super::{ALONE, Written};
    use crate::FLASH;
    use picovd_uf2::Segment;

    fn written(segments: &[(u32, usize)], last: (u32, usize)) -> Written {
        let segment = |&(at, length): &(u32, usize)| Segment { address: FLASH + at, bytes: vec![1; length] };
        let segments: Vec<Segment> = segments.iter().map(segment).collect();
        Written::new(Vec::new(), &segments, &segment(&last), ALONE)
    }

    #[test]
    fn ranges_are_whole_sectors() {
        let alone = written(&[], (0x8_0000, 5000));
        assert_eq!(alone.places(), "512 to 520 KiB of flash");
        assert_eq!(
            alone.details(),
            "8192 bytes, addresses 10080000h to 10082000h; a MicroPython file system begins at 1 MiB, after it"
        );
        let both = written(&[(0, 276), (0x114, 9000)], (0x8_0000, 1));
        assert_eq!(both.places(), "0 to 12 KiB and 512 to 516 KiB of flash");
        let long = written(&[], (0x8_0000, 0x8_1001));
        assert_eq!(long.places(), "512 to 1032 KiB of flash");
        assert!(
            long.details().ends_with("begins at 1 MiB: the first 8 KiB of it are overwritten"),
            "{}",
            long.details()
        );
        assert!(written(&[], (0x8_0000, 0x8_0000)).details().ends_with("after it"));
    }
}
