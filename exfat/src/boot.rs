//! The boot region (3): boot sector, extended boot sectors, OEM parameters, reserved sector, boot checksum.
//!
//! Everything renders windows of itself. Only the checksum needs a pass over the region; the owner computes it once and
//! keeps it.

use crate::fat::ClusterIndex;
use crate::{BYTES_PER_SECTOR, checksum, window};

/// Sectors in a boot region (3).
pub const BOOT_REGION_SECTORS: u32 = 12;

/// First sector of the main boot region.
pub const MAIN_BOOT_REGION: u32 = 0;

/// First sector of the backup boot region.
pub const BACKUP_BOOT_REGION: u32 = 12;

/// What BootCode (3.1.19) is filled with: the x86 instruction HLT, as the standard demands. Hosts that expect a partition
/// table in the last 66 bytes would take zeros for an empty one.
pub const BOOT_CODE_FILL: u8 = 0xF4;

/// Length of the fields before BootCode.
const FIELDS_LENGTH: usize = 120;
/// BootSignature (3.1.20) at the end of the boot sector.
const BOOT_SIGNATURE: usize = 510;
const SIGNATURE: [u8; 2] = [0x55, 0xAA];
/// ExtendedBootSignature AA550000h (3.2.2). Its two low bytes are zero like the bytes before them.
const EXTENDED_BOOT_SECTORS: core::ops::RangeInclusive<u32> = 1..=8;
const BOOT_CHECKSUM_SECTOR: u32 = 11;

/// The fields of the boot sector (3.1) that differ between volumes.
///
/// VolumeFlags is 0 (3.1.13: first FAT active, not dirty),
/// FileSystemRevision is 1.00, BytesPerSectorShift is 9, NumberOfFats is 1, DriveSelect is 80h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootSector {
    /// PartitionOffset (3.1.4): the medium's sectors before the volume; 0 means that hosts ignore the field.
    pub partition_offset: u64,
    /// VolumeLength (3.1.5), in sectors.
    pub volume_length: u64,
    /// FatOffset (3.1.6), in sectors, at least 24.
    pub fat_offset: u32,
    /// FatLength (3.1.7), in sectors.
    pub fat_length: u32,
    /// ClusterHeapOffset (3.1.8), in sectors.
    pub cluster_heap_offset: u32,
    /// ClusterCount (3.1.9).
    pub cluster_count: u32,
    /// FirstClusterOfRootDirectory (3.1.10).
    pub first_cluster_of_root_directory: ClusterIndex,
    /// VolumeSerialNumber (3.1.11).
    pub volume_serial_number: u32,
    /// SectorsPerClusterShift (3.1.15): 0 to 16 with sectors of 512 bytes.
    pub sectors_per_cluster_shift: u8,
    /// PercentInUse (3.1.18): 0 to 100, rounded down, or FFh for "not available".
    pub percent_in_use: u8,
}

impl BootSector {
    fn fields(&self) -> [u8; FIELDS_LENGTH] {
        let mut bytes = [0; FIELDS_LENGTH];
        // Constant positions in an array of constant length: checked by the compiler, so no check is left at run time.
        bytes[0..3].copy_from_slice(&[0xEB, 0x76, 0x90]); // JumpBoot (3.1.1)
        bytes[3..11].copy_from_slice(b"EXFAT   "); // FileSystemName (3.1.2)
        bytes[64..72].copy_from_slice(&self.partition_offset.to_le_bytes());
        bytes[72..80].copy_from_slice(&self.volume_length.to_le_bytes());
        bytes[80..84].copy_from_slice(&self.fat_offset.to_le_bytes());
        bytes[84..88].copy_from_slice(&self.fat_length.to_le_bytes());
        bytes[88..92].copy_from_slice(&self.cluster_heap_offset.to_le_bytes());
        bytes[92..96].copy_from_slice(&self.cluster_count.to_le_bytes());
        bytes[96..100].copy_from_slice(&self.first_cluster_of_root_directory.0.to_le_bytes());
        bytes[100..104].copy_from_slice(&self.volume_serial_number.to_le_bytes());
        bytes[104..106].copy_from_slice(&0x0100u16.to_le_bytes()); // FileSystemRevision 1.00 (3.1.12)
        bytes[108] = BYTES_PER_SECTOR.trailing_zeros() as u8; // BytesPerSectorShift (3.1.14)
        bytes[109] = self.sectors_per_cluster_shift;
        bytes[110] = 1; // NumberOfFats (3.1.16)
        bytes[111] = 0x80; // DriveSelect (3.1.17)
        bytes[112] = self.percent_in_use;
        bytes
    }

    /// Renders the boot sector's bytes from `offset` on. Bytes past its end are zeros.
    pub fn encode(&self, offset: usize, out: &mut [u8]) {
        out.fill(0);
        if offset < FIELDS_LENGTH {
            window::copy(offset, out, 0, &self.fields());
        }
        window::fill(offset, out, FIELDS_LENGTH, BOOT_SIGNATURE - FIELDS_LENGTH, BOOT_CODE_FILL);
        window::copy(offset, out, BOOT_SIGNATURE, &SIGNATURE);
    }

    /// The checksum (3.4) of the first eleven sectors of a boot region with this boot sector.
    ///
    /// VolumeFlags and PercentInUse are not included. It costs as much as a sum of about 550 bytes: a run of zeros is a
    /// single rotation.
    #[must_use]
    pub fn boot_checksum(&self) -> u32 {
        let mut sum = checksum::boot_checksum(0, 0, &self.fields());
        for position in FIELDS_LENGTH..BOOT_SIGNATURE {
            sum = checksum::boot_checksum(sum, position, &[BOOT_CODE_FILL]);
        }
        sum = checksum::boot_checksum(sum, BOOT_SIGNATURE, &SIGNATURE);
        for _ in EXTENDED_BOOT_SECTORS {
            sum = checksum::boot_checksum(checksum::zeros(sum, BOOT_SIGNATURE), BYTES_PER_SECTOR, &SIGNATURE);
        }
        checksum::zeros(sum, 2 * BYTES_PER_SECTOR)
    }
}

/// A whole boot region. The main one and the backup are identical.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootRegion {
    /// The boot sector.
    pub boot_sector: BootSector,
    /// Its [`boot_checksum`](BootSector::boot_checksum), kept because every window of sector 11 needs it.
    pub boot_checksum: u32,
}

impl BootRegion {
    /// The region of `boot_sector`. Computes its checksum.
    #[must_use]
    pub fn new(boot_sector: BootSector) -> Self {
        Self { boot_sector, boot_checksum: boot_sector.boot_checksum() }
    }

    /// Renders bytes of the region's sector `sector` (0 to 11) from `offset` on.
    ///
    /// Bytes past the sector's end and sectors past the region's end are zeros.
    pub fn render(&self, sector: u32, offset: usize, out: &mut [u8]) {
        if sector == 0 {
            return self.boot_sector.encode(offset, out);
        }
        out.fill(0);
        if EXTENDED_BOOT_SECTORS.contains(&sector) {
            window::copy(offset, out, BOOT_SIGNATURE, &SIGNATURE);
        } else if sector == BOOT_CHECKSUM_SECTOR {
            let bytes = self.boot_checksum.to_le_bytes();
            for (byte, value) in
                out.iter_mut().take(BYTES_PER_SECTOR.saturating_sub(offset)).zip(bytes.iter().cycle().skip(offset % 4))
            {
                *byte = *value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGION_LENGTH: usize = BOOT_REGION_SECTORS as usize * BYTES_PER_SECTOR;

    fn example() -> BootSector {
        BootSector {
            partition_offset: 0x1718_191A_1B1C_1D1E,
            volume_length: 0x0102_0304_0506_0708,
            fat_offset: 0x1112_1314,
            fat_length: 0x2122_2324,
            cluster_heap_offset: 0x3132_3334,
            cluster_count: 0x4142_4344,
            first_cluster_of_root_directory: ClusterIndex(0x5152_5354),
            volume_serial_number: 0x6162_6364,
            sectors_per_cluster_shift: 3,
            percent_in_use: 42,
        }
    }

    fn whole(region: &BootRegion) -> [u8; REGION_LENGTH] {
        let mut bytes = [0xEE; REGION_LENGTH];
        for (sector, bytes) in bytes.chunks_exact_mut(BYTES_PER_SECTOR).enumerate() {
            region.render(sector as u32, 0, bytes);
        }
        bytes
    }

    #[test]
    fn fields_are_at_the_offsets_of_table_4() {
        let bytes = whole(&BootRegion::new(example()));
        assert_eq!(bytes[..11], *b"\xEB\x76\x90EXFAT   ");
        assert!(bytes[11..64].iter().all(|byte| *byte == 0), "MustBeZero (3.1.3)");
        assert_eq!(bytes[64..72], [0x1E, 0x1D, 0x1C, 0x1B, 0x1A, 0x19, 0x18, 0x17]);
        assert_eq!(bytes[72..80], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[80..84], [0x14, 0x13, 0x12, 0x11]);
        assert_eq!(bytes[84..88], [0x24, 0x23, 0x22, 0x21]);
        assert_eq!(bytes[88..92], [0x34, 0x33, 0x32, 0x31]);
        assert_eq!(bytes[92..96], [0x44, 0x43, 0x42, 0x41]);
        assert_eq!(bytes[96..100], [0x54, 0x53, 0x52, 0x51]);
        assert_eq!(bytes[100..104], [0x64, 0x63, 0x62, 0x61]);
        assert_eq!(bytes[104..113], [0, 1, 0, 0, 9, 3, 1, 0x80, 42]);
        assert_eq!(bytes[113..120], [0; 7], "Reserved (3.1)");
        assert!(bytes[120..510].iter().all(|byte| *byte == 0xF4));
        assert_eq!(bytes[510..512], [0x55, 0xAA]);
        for sector in 1..9 {
            let extended = &bytes[sector * 512..][..512];
            assert!(extended[..508].iter().all(|byte| *byte == 0));
            assert_eq!(u32::from_le_bytes(extended[508..].try_into().unwrap()), 0xAA55_0000);
        }
        assert!(bytes[9 * 512..11 * 512].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn the_checksum_is_that_of_the_bytes() {
        let bytes = whole(&BootRegion::new(example()));
        let sum = checksum::boot_checksum(0, 0, &bytes[..11 * 512]);
        assert_eq!(example().boot_checksum(), sum);
        assert!(bytes[11 * 512..].chunks_exact(4).all(|word| word == sum.to_le_bytes()));
        assert_eq!(BootSector { percent_in_use: 1, ..example() }.boot_checksum(), sum);
        assert_ne!(BootSector { volume_serial_number: 1, ..example() }.boot_checksum(), sum);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn windows_agree_with_the_whole() {
        let region = BootRegion::new(example());
        let bytes = whole(&region);
        for sector in 0..14 {
            for offset in 0..520 {
                for length in [0, 1, 3, 64] {
                    let mut out = [0xEE; 64];
                    region.render(sector, offset, &mut out[..length]);
                    for (i, byte) in out[..length].iter().enumerate() {
                        let inside = offset + i < 512 && sector < 12;
                        let expected = if inside { bytes[sector as usize * 512 + offset + i] } else { 0 };
                        assert_eq!(*byte, expected, "sector {sector} offset {offset} length {length}");
                    }
                }
            }
        }
    }
}
