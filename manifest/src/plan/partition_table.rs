//! The master boot record, for hosts that look for a volume only in a partition.

/// First block of the partition: 1 MiB, as partitioning programs do it. It is a multiple of every erase block and of the
/// longest cluster of any card's file system, so no host considers it misaligned.
pub(super) const FIRST: u32 = 2048;

/// Partition type of exFAT, and of NTFS.
const EXFAT: u8 = 0x07;

/// Cylinder, head and sector for blocks beyond the range of CHS: 1023, 254, 63.
const BEYOND_CHS: [u8; 3] = [0xFE, 0xFF, 0xFF];

/// The record: no code, the disk's signature, four entries of which the first one is used, the record's signature.
pub(super) fn record(signature: u32, volume_length: u32) -> Vec<u8> {
    let mut bytes = vec![0; 440];
    bytes.extend(signature.to_le_bytes());
    bytes.extend([0, 0]);
    // Not active: it is never booted from.
    bytes.push(0x00);
    bytes.extend(BEYOND_CHS);
    bytes.push(EXFAT);
    bytes.extend(BEYOND_CHS);
    bytes.extend(FIRST.to_le_bytes());
    bytes.extend(volume_length.to_le_bytes());
    bytes.extend([0; 3 * 16]);
    bytes.extend([0x55, 0xAA]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::record;

    #[test]
    fn fields_stand_where_the_record_has_them() {
        let sector = record(0x0102_0304, 0x1112_1314);
        assert_eq!(sector.len(), 512);
        assert_eq!(sector[..440], [0; 440]);
        assert_eq!(sector[440..446], [4, 3, 2, 1, 0, 0]);
        assert_eq!(sector[446..454], [0, 0xFE, 0xFF, 0xFF, 7, 0xFE, 0xFF, 0xFF]);
        assert_eq!(sector[454..462], [0, 8, 0, 0, 0x14, 0x13, 0x12, 0x11]);
        assert_eq!(sector[462..510], [0; 48]);
        assert_eq!(sector[510..], [0x55, 0xAA]);
    }
}
