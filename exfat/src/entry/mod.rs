//! Directory entries (6, 7): 32 bytes each, alone or in the entry set of a file.
//!
//! Fields that are not listed here are reserved and encoded as zeros.

mod set;

use core::ops::{BitOr, RangeInclusive};

use crate::fat::ClusterIndex;
use crate::name::{LABEL_UNITS, Name};
use crate::time::Timestamp;

pub use set::EntrySet;

/// Length of a directory entry in bytes (6.2).
pub const ENTRY_LENGTH: usize = 32;

/// UTF-16 units in one File Name entry (7.7.3).
pub const UNITS_PER_ENTRY: usize = 15;

/// Number of entries in an entry set: a File entry, a Stream Extension entry, one to seventeen File Name entries.
pub const ENTRY_SET_ENTRIES: RangeInclusive<usize> = 3..=19;

/// Length of the longest entry set in bytes.
pub const ENTRY_SET_MAX_LENGTH: usize = *ENTRY_SET_ENTRIES.end() * ENTRY_LENGTH;

/// Number of entries in the entry set of a file whose name has `name_length` units.
#[must_use]
pub const fn entries_for(name_length: u8) -> usize {
    2 + (name_length as usize).div_ceil(UNITS_PER_ENTRY)
}

/// EntryType (6.2.1), its in-use bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryType(pub u8);

impl EntryType {
    /// End of directory (6.2.1): no entry follows.
    pub const END_OF_DIRECTORY: Self = Self(0);
    /// Allocation Bitmap (7.1).
    pub const ALLOCATION_BITMAP: Self = Self(0x81);
    /// Up-case Table (7.2).
    pub const UPCASE_TABLE: Self = Self(0x82);
    /// Volume Label (7.3).
    pub const VOLUME_LABEL: Self = Self(0x83);
    /// File (7.4).
    pub const FILE: Self = Self(0x85);
    /// Stream Extension (7.6).
    pub const STREAM_EXTENSION: Self = Self(0xC0);
    /// File Name (7.7).
    pub const FILE_NAME: Self = Self(0xC1);
}

/// FileAttributes (7.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileAttributes(pub u16);

impl FileAttributes {
    /// ReadOnly.
    pub const READ_ONLY: Self = Self(0x01);
    /// Hidden.
    pub const HIDDEN: Self = Self(0x02);
    /// System.
    pub const SYSTEM: Self = Self(0x04);
    /// Directory.
    pub const DIRECTORY: Self = Self(0x10);
    /// Archive.
    pub const ARCHIVE: Self = Self(0x20);
}

impl BitOr for FileAttributes {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// GeneralSecondaryFlags (6.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GeneralSecondaryFlags(pub u8);

impl GeneralSecondaryFlags {
    /// AllocationPossible (6.4.2.1): FirstCluster and DataLength are defined.
    pub const ALLOCATION_POSSIBLE: Self = Self(0x01);
    /// NoFatChain (6.4.2.2): the clusters are contiguous and the FAT does not describe them.
    pub const NO_FAT_CHAIN: Self = Self(0x02);
}

/// Where a file's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// FirstCluster (7.6.6): [`ClusterIndex::NONE`] when there are no bytes.
    pub first_cluster: ClusterIndex,
    /// DataLength (7.6.7) and ValidDataLength (7.6.5): all bytes are valid.
    pub data_length: u64,
    /// NoFatChain (6.4.2.2).
    pub no_fat_chain: bool,
}

impl Allocation {
    /// No bytes and no cluster. NoFatChain must be clear then (6.3.4.2).
    pub const EMPTY: Self = Self { first_cluster: ClusterIndex::NONE, data_length: 0, no_fat_chain: false };

    /// Contiguous clusters without a FAT chain, or [`EMPTY`](Self::EMPTY) if `data_length` is 0.
    #[must_use]
    pub const fn contiguous(first_cluster: ClusterIndex, data_length: u64) -> Self {
        if data_length == 0 { Self::EMPTY } else { Self { first_cluster, data_length, no_fat_chain: true } }
    }

    /// Clusters that a FAT chain describes.
    #[must_use]
    pub const fn chained(first_cluster: ClusterIndex, data_length: u64) -> Self {
        Self { first_cluster, data_length, no_fat_chain: false }
    }
}

/// A File entry (7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// SecondaryCount (7.4.2): number of entries that follow in the set, 2 to 18.
    pub secondary_count: u8,
    /// SetChecksum (7.4.3).
    pub set_checksum: u16,
    /// FileAttributes (7.4.4).
    pub file_attributes: FileAttributes,
    /// CreateTimestamp (7.4.5).
    pub create: Timestamp,
    /// LastModifiedTimestamp (7.4.6).
    pub last_modified: Timestamp,
    /// LastAccessedTimestamp (7.4.7), which has no 10 ms increment.
    pub last_accessed: Timestamp,
}

impl FileEntry {
    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LENGTH] {
        let mut bytes = [0; ENTRY_LENGTH];
        bytes[0] = EntryType::FILE.0;
        bytes[1] = self.secondary_count;
        bytes[2..4].copy_from_slice(&self.set_checksum.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.file_attributes.0.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.create.value().to_le_bytes());
        bytes[12..16].copy_from_slice(&self.last_modified.value().to_le_bytes());
        bytes[16..20].copy_from_slice(&self.last_accessed.value().to_le_bytes());
        bytes[20] = self.create.increment();
        bytes[21] = self.last_modified.increment();
        bytes[22] = self.create.utc_offset().0;
        bytes[23] = self.last_modified.utc_offset().0;
        bytes[24] = self.last_accessed.utc_offset().0;
        bytes
    }
}

/// A Stream Extension entry (7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamExtensionEntry {
    /// NameLength (7.6.3), in UTF-16 units, at least 1.
    pub name_length: u8,
    /// NameHash (7.6.4).
    pub name_hash: u16,
    /// GeneralSecondaryFlags, ValidDataLength, FirstCluster, DataLength.
    pub allocation: Allocation,
}

impl StreamExtensionEntry {
    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LENGTH] {
        let mut bytes =
            allocated(EntryType::STREAM_EXTENSION, self.allocation.first_cluster, self.allocation.data_length);
        bytes[1] = GeneralSecondaryFlags::ALLOCATION_POSSIBLE.0;
        if self.allocation.no_fat_chain {
            bytes[1] |= GeneralSecondaryFlags::NO_FAT_CHAIN.0;
        }
        bytes[3] = self.name_length;
        bytes[4..6].copy_from_slice(&self.name_hash.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.allocation.data_length.to_le_bytes());
        bytes
    }
}

/// A File Name entry (7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileNameEntry {
    /// FileName (7.7.3): units after the end of the name are 0000h.
    pub file_name: [u16; UNITS_PER_ENTRY],
}

impl FileNameEntry {
    /// Entry number `index` (from 0) of a name.
    #[must_use]
    pub fn of(name: Name<'_>, index: usize) -> Self {
        let mut file_name = [0; UNITS_PER_ENTRY];
        let first = index * UNITS_PER_ENTRY;
        if let Some(ascii) = name.ascii() {
            for (to, byte) in file_name.iter_mut().zip(ascii.get(first..).unwrap_or_default()) {
                *to = u16::from(*byte);
            }
        } else {
            for (to, unit) in file_name.iter_mut().zip(name.units().skip(first)) {
                *to = unit;
            }
        }
        Self { file_name }
    }

    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LENGTH] {
        let mut bytes = [0; ENTRY_LENGTH];
        bytes[0] = EntryType::FILE_NAME.0;
        put_units(&mut bytes[2..], &self.file_name);
        bytes
    }
}

/// A Volume Label entry (7.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolumeLabelEntry {
    character_count: u8,
    volume_label: [u16; LABEL_UNITS],
}

impl VolumeLabelEntry {
    /// The entry of a label. Units after the eleventh are dropped; without units, the label is empty.
    #[must_use]
    pub fn new(units: impl Iterator<Item = u16>) -> Self {
        let mut entry = Self { character_count: 0, volume_label: [0; LABEL_UNITS] };
        for (to, unit) in entry.volume_label.iter_mut().zip(units) {
            *to = unit;
            entry.character_count += 1;
        }
        entry
    }

    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LENGTH] {
        let mut bytes = [0; ENTRY_LENGTH];
        bytes[0] = EntryType::VOLUME_LABEL.0;
        bytes[1] = self.character_count;
        put_units(&mut bytes[2..24], &self.volume_label);
        bytes
    }
}

/// An Allocation Bitmap entry (7.1) for the first FAT: BitmapFlags are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllocationBitmapEntry {
    /// FirstCluster (7.1.3).
    pub first_cluster: ClusterIndex,
    /// DataLength (7.1.4): [`bitmap::length`](crate::bitmap::length).
    pub data_length: u64,
}

impl AllocationBitmapEntry {
    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LENGTH] {
        allocated(EntryType::ALLOCATION_BITMAP, self.first_cluster, self.data_length)
    }
}

/// An Up-case Table entry (7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpcaseTableEntry {
    /// TableChecksum (7.2.2).
    pub table_checksum: u32,
    /// FirstCluster (7.2.3).
    pub first_cluster: ClusterIndex,
    /// DataLength (7.2.4).
    pub data_length: u64,
}

impl UpcaseTableEntry {
    /// The entry's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; ENTRY_LENGTH] {
        let mut bytes = allocated(EntryType::UPCASE_TABLE, self.first_cluster, self.data_length);
        bytes[4..8].copy_from_slice(&self.table_checksum.to_le_bytes());
        bytes
    }
}

/// An entry whose last twelve bytes are FirstCluster and DataLength, as in the generic template (6.2).
fn allocated(entry_type: EntryType, first_cluster: ClusterIndex, data_length: u64) -> [u8; ENTRY_LENGTH] {
    let mut bytes = [0; ENTRY_LENGTH];
    bytes[0] = entry_type.0;
    bytes[20..24].copy_from_slice(&first_cluster.0.to_le_bytes());
    bytes[24..32].copy_from_slice(&data_length.to_le_bytes());
    bytes
}

fn put_units(bytes: &mut [u8], units: &[u16]) {
    for (pair, unit) in bytes.chunks_exact_mut(2).zip(units) {
        pair.copy_from_slice(&unit.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_allocation_has_no_cluster_and_no_chain_flag() {
        let allocation = Allocation::contiguous(ClusterIndex(9), 0);
        assert_eq!(allocation, Allocation::EMPTY);
        let stream = StreamExtensionEntry { name_length: 1, name_hash: 0, allocation }.encode();
        assert_eq!(stream[1], 1);
        assert_eq!(stream[20..], [0; 12]);
        let directory = Allocation::chained(ClusterIndex(5), 4096);
        assert_eq!(StreamExtensionEntry { name_length: 1, name_hash: 0, allocation: directory }.encode()[1], 1);
    }

    #[test]
    fn system_entries() {
        let label = VolumeLabelEntry::new("PICOVD".encode_utf16()).encode();
        assert_eq!(label[..6], [0x83, 6, b'P', 0, b'I', 0]);
        assert_eq!(label[14..], [0; 18]);
        assert_eq!(VolumeLabelEntry::new("much too long a label".encode_utf16()).encode()[1], 11);
        assert_eq!(VolumeLabelEntry::new("".encode_utf16()).encode()[..4], [0x83, 0, 0, 0]);
        let bitmap = AllocationBitmapEntry { first_cluster: ClusterIndex(2), data_length: 0x30 }.encode();
        assert_eq!((bitmap[0], bitmap[1], bitmap[20], bitmap[24]), (0x81, 0, 2, 0x30));
        let upcase =
            UpcaseTableEntry { table_checksum: 0xE619_D30D, first_cluster: ClusterIndex(3), data_length: 5836 }
                .encode();
        assert_eq!(upcase[..8], [0x82, 0, 0, 0, 0x0D, 0xD3, 0x19, 0xE6]);
        assert_eq!(upcase[20..28], [3, 0, 0, 0, 0xCC, 0x16, 0, 0]);
    }
}
