//! The allocation bitmap (7.1.5): one bit per cluster, the lowest bit of byte 0 for cluster 2, set when allocated.

use crate::fat::ClusterIndex;

/// Length in bytes of the bitmap for that many clusters (7.1.4).
#[must_use]
pub const fn length(cluster_count: u32) -> u32 {
    cluster_count.div_ceil(8)
}

/// Sets the bits of `count` clusters from `first` on in `out`, which stands at byte `offset` of the bitmap.
///
/// Bits outside the window are ignored, other bits stay as they are. Indexes below 2 have no bit.
pub fn allocate(offset: u32, out: &mut [u8], first: ClusterIndex, count: u32) {
    let window = u64::from(offset) * 8;
    let limit = out.len() as u64 * 8;
    let from = u64::from(first.0.max(2)) - 2;
    let end = (u64::from(first.0) + u64::from(count)).saturating_sub(2);
    let from = from.saturating_sub(window).min(limit) as usize;
    let end = end.saturating_sub(window).min(limit) as usize;
    if from >= end {
        return;
    }
    let (first_byte, last_byte) = (from / 8, (end - 1) / 8);
    let head = 0xFFu8 << (from % 8);
    let tail = 0xFFu8 >> (7 - (end - 1) % 8);
    let Some(bytes) = out.get_mut(first_byte..=last_byte) else { return };
    match bytes {
        [] => {}
        [only] => *only |= head & tail,
        [start, middle @ .., last] => {
            *start |= head;
            middle.fill(0xFF);
            *last |= tail;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_show_what_a_plain_loop_sets() {
        for first in 0..40u32 {
            for count in 0..40u32 {
                let mut whole = [0u8; 16];
                for cluster in first.max(2)..(first + count).max(2) {
                    let bit = cluster as usize - 2;
                    whole[bit / 8] |= 1 << (bit % 8);
                }
                for offset in 0..6usize {
                    for length in 0..6 {
                        let mut out = [0u8; 6];
                        allocate(offset as u32, &mut out[..length], ClusterIndex(first), count);
                        assert_eq!(out[..length], whole[offset..offset + length], "{first} {count} {offset}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_bits_stay() {
        let mut out = [0x80, 0, 0x01];
        allocate(0, &mut out, ClusterIndex(2), 3);
        assert_eq!(out, [0x87, 0, 0x01]);
        allocate(0, &mut out, ClusterIndex(2), u32::MAX);
        assert_eq!(out, [0xFF; 3]);
        allocate(u32::MAX, &mut out, ClusterIndex(u32::MAX), u32::MAX);
        assert_eq!(length(0), 0);
        assert_eq!(length(8), 1);
        assert_eq!(length(9), 2);
    }
}
