//! Finds the volume on a medium: at block 0, or in the first partition of a master boot record that may be for exFAT.

use super::boot::SECTOR;
use crate::bytes::le32;
use crate::source::{BlockSource, ReadError};

/// Where the four entries of a master boot record are, and how long one is (UEFI specification 5.2.1).
const ENTRIES: std::ops::Range<usize> = 446..510;
const ENTRY: usize = 16;

/// Partition type of exFAT, and of NTFS.
pub const EXFAT: u8 = 0x07;

/// An entry of a master boot record that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number among the four.
    pub index: usize,
    /// BootIndicator: 80h for the active partition, else 0.
    pub boot_indicator: u8,
    /// OSType.
    pub kind: u8,
    /// StartingLBA.
    pub first: u32,
    /// SizeInLBA.
    pub length: u32,
}

/// The partitions of a master boot record; none if block 0 is something else.
#[must_use]
pub fn partitions(block: &[u8]) -> Vec<Partition> {
    if block.get(3..11) == Some(b"EXFAT   ") || block.get(510..512) != Some(&[0x55, 0xAA]) {
        return Vec::new();
    }
    let entries = block.get(ENTRIES).unwrap_or_default().chunks_exact(ENTRY);
    // If this is not a BootIndicator, block 0 is code or another file system's boot sector.
    if entries.clone().any(|entry| entry[0] & 0x7F != 0) {
        return Vec::new();
    }
    let entry = |(index, entry): (usize, &[u8])| Partition {
        index,
        boot_indicator: entry[0],
        kind: entry[4],
        first: le32(entry, 8),
        length: le32(entry, 12),
    };
    let used = |partition: &Partition| partition.kind != 0 && partition.first != 0 && partition.length != 0;
    entries.enumerate().map(entry).filter(used).collect()
}

/// The block where a host looks for the volume: block 0 if that is not a master boot record.
///
/// # Errors
/// If block 0 cannot be read.
pub fn first_block(source: &mut dyn BlockSource) -> Result<u64, ReadError> {
    let block = source.read(0, 1)?;
    let found = partitions(&block).into_iter().find(|partition| partition.kind == EXFAT);
    Ok(found.map_or(0, |partition| partition.first.into()))
}

/// What is wrong with a master boot record for a stick of one volume.
pub(super) fn wrong(block: &[u8], blocks: u64) -> Option<String> {
    debug_assert!(block.len() >= SECTOR);
    let [Partition { index, boot_indicator, kind, first, length }] = partitions(block)[..] else {
        return Some("there is more than one partition".to_owned());
    };
    let end = u64::from(first) + u64::from(length);
    let zero = |range: std::ops::Range<usize>| block[range].iter().all(|&byte| byte == 0);
    if index != 0 || !zero(ENTRIES.start + ENTRY..ENTRIES.end) {
        return Some("entries other than the first are not zero".to_owned());
    }
    if boot_indicator != 0 || !zero(0..440) || !zero(444..446) {
        return Some("it is active or has code, although nothing boots from it".to_owned());
    }
    if kind != EXFAT {
        return Some(format!("the partition is of type {kind:02X}h"));
    }
    if first % 8 != 0 || end != blocks {
        return Some(format!("the partition has blocks {first} to {end}, but the medium has {blocks}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_is_found_behind_a_master_boot_record_alone() {
        let mut medium = vec![0; 4 * SECTOR];
        assert_eq!(first_block(&mut medium), Ok(0));
        medium[510..512].copy_from_slice(&[0x55, 0xAA]);
        (medium[450], medium[454], medium[458]) = (EXFAT, 2, 2);
        assert_eq!(first_block(&mut medium), Ok(2));
        medium[450] = 0x0C;
        assert_eq!(first_block(&mut medium), Ok(0));
        medium[450] = EXFAT;
        medium[446] = 0xF4;
        assert_eq!(first_block(&mut medium), Ok(0));
        medium[446] = 0;
        medium[3..11].copy_from_slice(b"EXFAT   ");
        assert_eq!(first_block(&mut medium), Ok(0));
    }
}
