//! The specification's four checksums. All of them rotate right by one bit and add.
//!
//! Each function takes the sum so far, initially 0, and returns the next one, so the input may be split at any byte.

use core::ops::Range;

/// Bytes of the boot sector that the boot checksum skips (3.4): VolumeFlags at 106 and 107, PercentInUse at 112.
pub const BOOT_CHECKSUM_SKIPS: [usize; 3] = [106, 107, 112];

/// Bytes of an entry set that the set checksum skips (6.3.3): the SetChecksum field itself.
pub const SET_CHECKSUM_SKIPS: Range<usize> = 2..4;

/// Adds `bytes`, located at byte `offset` of the boot region's first eleven sectors, to a boot checksum (3.4).
#[must_use]
pub fn boot_checksum(sum: u32, offset: usize, bytes: &[u8]) -> u32 {
    let mut sum = sum;
    for (position, byte) in (offset..).zip(bytes) {
        if !BOOT_CHECKSUM_SKIPS.contains(&position) {
            sum = sum.rotate_right(1).wrapping_add(u32::from(*byte));
        }
    }
    sum
}

/// Adds `count` zero bytes to a boot checksum or a table checksum: only the rotation remains.
#[must_use]
pub const fn zeros(sum: u32, count: usize) -> u32 {
    sum.rotate_right((count % 32) as u32)
}

/// Adds `bytes`, located at byte `offset` of an entry set, to a set checksum (6.3.3).
#[must_use]
pub fn set_checksum(sum: u16, offset: usize, bytes: &[u8]) -> u16 {
    let mut sum = sum;
    for (position, byte) in (offset..).zip(bytes) {
        if !SET_CHECKSUM_SKIPS.contains(&position) {
            sum = sum.rotate_right(1).wrapping_add(u16::from(*byte));
        }
    }
    sum
}

/// Adds `bytes` of an up-case table to a table checksum (7.2.2).
#[must_use]
pub fn table_checksum(sum: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(sum, |sum, byte| sum.rotate_right(1).wrapping_add(u32::from(*byte)))
}

/// Adds one up-cased unit of a file name to a name hash (7.6.4): its low byte, then its high byte.
#[must_use]
pub const fn name_hash(sum: u16, upcased: u16) -> u16 {
    let [low, high] = upcased.to_le_bytes();
    sum.rotate_right(1).wrapping_add(low as u16).rotate_right(1).wrapping_add(high as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loop body as in figure 1 of the specification, with its shift and its conditional.
    fn figure_1(sum: u32, byte: u8) -> u32 {
        (if sum & 1 != 0 { 0x8000_0000u32 } else { 0 }).wrapping_add(sum >> 1).wrapping_add(u32::from(byte))
    }

    #[test]
    fn boot_checksum_follows_figure_1_and_skips_three_bytes() {
        let mut bytes = [0u8; 512];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = (i * 37 + 11) as u8;
        }
        let expected =
            (0..512).filter(|i| *i != 106 && *i != 107 && *i != 112).fold(0, |sum, i| figure_1(sum, bytes[i]));
        assert_eq!(boot_checksum(0, 0, &bytes), expected);
        let halves = boot_checksum(boot_checksum(0, 0, &bytes[..109]), 109, &bytes[109..]);
        assert_eq!(halves, expected);
        bytes[106] ^= 0xFF;
        bytes[107] ^= 0xFF;
        bytes[112] ^= 0xFF;
        assert_eq!(boot_checksum(0, 0, &bytes), expected);
        bytes[113] ^= 1;
        assert_ne!(boot_checksum(0, 0, &bytes), expected);
    }

    #[test]
    fn zeros_rotate() {
        for count in [0, 1, 31, 32, 33, 510, 1024] {
            let mut expected = 0x1234_5678;
            for _ in 0..count {
                expected = figure_1(expected, 0);
            }
            assert_eq!(zeros(0x1234_5678, count), expected);
            assert_eq!(table_checksum(0x1234_5678, &[0; 1024][..count]), expected);
        }
    }

    #[test]
    fn set_checksum_skips_its_own_field() {
        // By hand: 0x85; then 1 -> ror gives 0x8042, plus 1.
        assert_eq!(set_checksum(0, 0, &[0x85, 1]), 0x8043);
        assert_eq!(set_checksum(0, 0, &[0x85, 1, 0xAA, 0xBB]), 0x8043);
        assert_eq!(set_checksum(0x8043, 4, &[0]), 0xC021);
        assert_eq!(set_checksum(0, 0, &[0x85, 1, 9, 9, 0]), 0xC021);
    }

    #[test]
    fn name_hash_takes_the_low_byte_first() {
        // By hand for the unit 1F41h: 0x41; ror 1 -> 0x8020, plus 0x1F.
        assert_eq!(name_hash(0, 0x1F41), 0x803F);
        assert_eq!(name_hash(1, 0), 0x4000);
    }
}
