//! The boot sector's fields (exFAT 3.1) and the boot checksum (exFAT 3.4).

use crate::bytes::{array, le16, le32, le64};

/// Sectors of one boot region (exFAT 2).
pub const REGION_SECTORS: usize = 12;
/// Length of a sector here; the standard allows up to 4096, the stick has 512.
pub const SECTOR: usize = 512;

/// The fields in the standard's order, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootSector {
    /// JumpBoot.
    pub jump_boot: [u8; 3],
    /// FileSystemName.
    pub file_system_name: [u8; 8],
    /// PartitionOffset.
    pub partition_offset: u64,
    /// VolumeLength, in sectors.
    pub volume_length: u64,
    /// FatOffset, in sectors.
    pub fat_offset: u32,
    /// FatLength, in sectors.
    pub fat_length: u32,
    /// ClusterHeapOffset, in sectors.
    pub cluster_heap_offset: u32,
    /// ClusterCount.
    pub cluster_count: u32,
    /// FirstClusterOfRootDirectory.
    pub first_cluster_of_root_directory: u32,
    /// VolumeSerialNumber.
    pub volume_serial_number: u32,
    /// FileSystemRevision.
    pub file_system_revision: u16,
    /// VolumeFlags.
    pub volume_flags: u16,
    /// BytesPerSectorShift.
    pub bytes_per_sector_shift: u8,
    /// SectorsPerClusterShift.
    pub sectors_per_cluster_shift: u8,
    /// NumberOfFats.
    pub number_of_fats: u8,
    /// DriveSelect.
    pub drive_select: u8,
    /// PercentInUse.
    pub percent_in_use: u8,
    /// BootSignature.
    pub boot_signature: u16,
}

impl BootSector {
    /// Reads the fields of a sector of at least 512 bytes.
    #[must_use]
    pub fn parse(sector: &[u8]) -> Self {
        let byte = |at: usize| array::<1>(sector, at)[0];
        Self {
            jump_boot: array(sector, 0),
            file_system_name: array(sector, 3),
            partition_offset: le64(sector, 64),
            volume_length: le64(sector, 72),
            fat_offset: le32(sector, 80),
            fat_length: le32(sector, 84),
            cluster_heap_offset: le32(sector, 88),
            cluster_count: le32(sector, 92),
            first_cluster_of_root_directory: le32(sector, 96),
            volume_serial_number: le32(sector, 100),
            file_system_revision: le16(sector, 104),
            volume_flags: le16(sector, 106),
            bytes_per_sector_shift: byte(108),
            sectors_per_cluster_shift: byte(109),
            number_of_fats: byte(110),
            drive_select: byte(111),
            percent_in_use: byte(112),
            boot_signature: le16(sector, 510),
        }
    }
}

/// The checksum of the first eleven sectors of a boot region (exFAT 3.4, figure 1).
#[must_use]
pub fn boot_checksum(sectors: &[u8]) -> u32 {
    // VolumeFlags and PercentInUse are not included.
    let counted = sectors.iter().enumerate().filter(|(index, _)| ![106, 107, 112].contains(index));
    counted.fold(0u32, |sum, (_, &byte)| sum.rotate_right(1).wrapping_add(u32::from(byte)))
}
