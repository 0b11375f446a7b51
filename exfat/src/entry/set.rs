//! Entry sets: the directory entries of one file (6.3).

use super::{Allocation, ENTRY_LENGTH, FileAttributes, FileEntry, FileNameEntry, StreamExtensionEntry, entries_for};
use crate::name::Name;
use crate::time::Timestamp;
use crate::{checksum, window};

/// The entry set of a file or a directory: 3 to 19 entries.
///
/// It stores its two sums, the name hash and the set checksum, so that rendering a window of it is cheap. With the sums of
/// an earlier [`new`](Self::new), the same value can be created again without computing them
/// ([`with_sums`](Self::with_sums)).
#[derive(Clone, Copy, Debug)]
pub struct EntrySet<'a> {
    name: Name<'a>,
    file: FileEntry,
    stream: StreamExtensionEntry,
}

impl<'a> EntrySet<'a> {
    /// The entry set of a name, with one time for all three timestamps. Computes both sums.
    #[must_use]
    pub fn new(name: Name<'a>, attributes: FileAttributes, timestamp: Timestamp, allocation: Allocation) -> Self {
        let mut set = Self::with_sums(name, attributes, timestamp, allocation, name.name_hash(), 0);
        let mut sum = 0;
        for index in 0..set.entries() {
            sum = checksum::set_checksum(sum, index * ENTRY_LENGTH, &set.entry(index));
        }
        set.file.set_checksum = sum;
        set
    }

    /// The same, with the sums of an earlier entry set of exactly these values.
    #[must_use]
    pub fn with_sums(
        name: Name<'a>,
        attributes: FileAttributes,
        timestamp: Timestamp,
        allocation: Allocation,
        name_hash: u16,
        set_checksum: u16,
    ) -> Self {
        Self {
            name,
            file: FileEntry {
                secondary_count: (entries_for(name.length()) - 1) as u8,
                set_checksum,
                file_attributes: attributes,
                create: timestamp,
                last_modified: timestamp,
                last_accessed: timestamp,
            },
            stream: StreamExtensionEntry { name_length: name.length(), name_hash, allocation },
        }
    }

    /// Number of entries, 3 to 19.
    #[must_use]
    pub const fn entries(&self) -> usize {
        entries_for(self.stream.name_length)
    }

    /// Length in bytes, 96 to 608.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.entries() * ENTRY_LENGTH
    }

    /// NameHash (7.6.4).
    #[must_use]
    pub const fn name_hash(&self) -> u16 {
        self.stream.name_hash
    }

    /// SetChecksum (7.4.3).
    #[must_use]
    pub const fn set_checksum(&self) -> u16 {
        self.file.set_checksum
    }

    /// The bytes of entry number `index` (from 0). After the last one, File Name entries without units follow.
    #[must_use]
    pub fn entry(&self, index: usize) -> [u8; ENTRY_LENGTH] {
        match index {
            0 => self.file.encode(),
            1 => self.stream.encode(),
            _ => FileNameEntry::of(self.name, index - 2).encode(),
        }
    }

    /// Renders the set's bytes from `offset` on. `out` is left unchanged past the set's end.
    pub fn render(&self, offset: usize, out: &mut [u8]) {
        let first = offset / ENTRY_LENGTH;
        let end = offset.saturating_add(out.len()).div_ceil(ENTRY_LENGTH).min(self.entries());
        for index in first..end {
            window::copy(offset, out, index * ENTRY_LENGTH, &self.entry(index));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENTRY_SET_MAX_LENGTH;
    use super::*;
    use crate::ClusterIndex;
    extern crate std;
    use std::vec;
    use std::vec::Vec;

    fn set(text: &str) -> EntrySet<'_> {
        EntrySet::new(
            Name::new(text).unwrap(),
            FileAttributes::READ_ONLY | FileAttributes::ARCHIVE,
            Timestamp::from_unix(1_234_567_891),
            Allocation::contiguous(ClusterIndex(0x0102_0304), 0x1112_1314_1516_1718),
        )
    }

    fn bytes(set: &EntrySet<'_>) -> Vec<u8> {
        let mut bytes = vec![0; set.length()];
        set.render(0, &mut bytes);
        bytes
    }

    #[test]
    fn fields_of_a_set_are_at_the_offsets_of_the_tables() {
        let set = set("SensorData-März.csv");
        let bytes = bytes(&set);
        assert_eq!(bytes.len(), 4 * 32);
        assert_eq!(bytes[0..2], [0x85, 3]);
        assert_eq!(bytes[2..4], set.set_checksum().to_le_bytes());
        assert_eq!(bytes[4..8], [0x21, 0, 0, 0]);
        let stamp = (29u32 << 25 | 2 << 21 | 13 << 16 | 23 << 11 | 31 << 5 | 15).to_le_bytes();
        assert_eq!(bytes[8..12], stamp);
        assert_eq!(bytes[12..16], stamp);
        assert_eq!(bytes[16..20], stamp);
        assert_eq!(bytes[20..32], [100, 100, 0x80, 0x80, 0x80, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[32..36], [0xC0, 3, 0, 19]);
        assert_eq!(bytes[36..38], set.name_hash().to_le_bytes());
        assert_eq!(bytes[38..40], [0, 0]);
        assert_eq!(bytes[40..48], [0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11]);
        assert_eq!(bytes[48..56], [0, 0, 0, 0, 4, 3, 2, 1]);
        assert_eq!(bytes[56..64], bytes[40..48]);
        assert_eq!(bytes[64..68], [0xC1, 0, b'S', 0]);
        assert_eq!(bytes[96..108], [0xC1, 0, b'.', 0, b'c', 0, b's', 0, b'v', 0, 0, 0]);
        assert_eq!(bytes[108..], [0; 20]);
    }

    #[test]
    fn the_set_checksum_is_that_of_the_bytes() {
        let set = set("Ω.txt");
        let whole = bytes(&set);
        assert_eq!(checksum::set_checksum(0, 0, &whole), set.set_checksum());
        let again = EntrySet::with_sums(
            Name::new("Ω.txt").unwrap(),
            FileAttributes::READ_ONLY | FileAttributes::ARCHIVE,
            Timestamp::from_unix(1_234_567_891),
            Allocation::contiguous(ClusterIndex(0x0102_0304), 0x1112_1314_1516_1718),
            set.name_hash(),
            set.set_checksum(),
        );
        assert_eq!(bytes(&again), whole);
    }

    #[test]
    fn lengths_run_from_three_to_nineteen_entries() {
        for (units, entries) in [(1, 3), (15, 3), (16, 4), (30, 4), (240, 18), (241, 19), (255, 19)] {
            let text = "x".repeat(units);
            let set = set(&text);
            assert_eq!(set.entries(), entries);
            assert_eq!(set.entry(0)[1] as usize, entries - 1);
            let whole = bytes(&set);
            assert_eq!(checksum::set_checksum(0, 0, &whole), set.set_checksum());
            let named: Vec<u16> = whole[64..]
                .chunks_exact(32)
                .flat_map(|entry| entry[2..].chunks_exact(2))
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            assert!(named[..units].iter().all(|unit| *unit == u16::from(b'x')));
            assert!(named[units..].iter().all(|unit| *unit == 0));
        }
        assert_eq!(ENTRY_SET_MAX_LENGTH, 608);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn windows_agree_with_the_whole() {
        let text = "w".repeat(40);
        let set = set(&text);
        let whole = bytes(&set);
        for offset in 0..whole.len() + 40 {
            for length in [0, 1, 31, 32, 33, 64] {
                let mut out = [0xEE; 64];
                set.render(offset, &mut out[..length]);
                for (i, byte) in out.iter().enumerate() {
                    let expected = whole.get(offset + i).copied().filter(|_| i < length).unwrap_or(0xEE);
                    assert_eq!(*byte, expected, "offset {offset} length {length} at {i}");
                }
            }
        }
    }
}
