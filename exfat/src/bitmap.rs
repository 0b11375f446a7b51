//! The allocation bitmap (7.1.5): one bit per cluster, the lowest bit of byte 0 for cluster 2, set when allocated.

use crate::fat::ClusterIndex;

/// Length in bytes of the bitmap for `cluster_count` clusters (7.1.4).
#[must_use]
pub const fn length(cluster_count: u32) -> u32 {
    cluster_count.div_ceil(8)
}

/// Sets the bits of `count` clusters from `first` on. `out` is at byte `offset` of the bitmap.
///
/// Bits outside the window are ignored, and other bits are left unchanged. Indexes below 2 have no bit.
pub fn allocate(offset: u32, out: &mut [u8], first: ClusterIndex, count: u32) {
    change(offset, out, first, count, 0xFF);
}

/// Clears the bits of `count` clusters from `first` on; otherwise like [`allocate`].
pub fn free(offset: u32, out: &mut [u8], first: ClusterIndex, count: u32) {
    change(offset, out, first, count, 0);
}

/// Sets the bits of `count` clusters from `first` on to those of `value`, which is 00h or FFh.
#[inline(never)]
fn change(offset: u32, out: &mut [u8], first: ClusterIndex, count: u32, value: u8) {
    // The bitmap covers clusters below 2^32 only (3.1.9).
    let from = first.0.saturating_sub(ClusterIndex::FIRST.0);
    let end = first.0.saturating_add(count).saturating_sub(ClusterIndex::FIRST.0);
    let Some(last) = end.checked_sub(1).filter(|last| *last >= from) else { return };
    // In bytes, relative to the window's start.
    let Some(last_byte) = (last / 8).checked_sub(offset) else { return };
    let (first_byte, before) = match (from / 8).checked_sub(offset) {
        Some(byte) => (byte as usize, from % 8),
        None => (0, 0),
    };
    let (last_byte, behind) = match last_byte as usize {
        byte if byte < out.len() => (byte, 7 - last % 8),
        _ => (out.len().saturating_sub(1), 0),
    };
    let head = 0xFFu8 << before;
    let tail = 0xFFu8 >> behind;
    let Some(bytes) = out.get_mut(first_byte..=last_byte) else { return };
    let mix = |byte: &mut u8, mask: u8| *byte = *byte & !mask | value & mask;
    match bytes {
        [] => {}
        [only] => mix(only, head & tail),
        [start, middle @ .., last] => {
            mix(start, head);
            middle.fill(value);
            mix(last, tail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
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
                        let mut out = [0xFFu8; 6];
                        free(offset as u32, &mut out[..length], ClusterIndex(first), count);
                        let mut cleared = whole;
                        for byte in &mut cleared {
                            *byte = !*byte;
                        }
                        assert_eq!(out[..length], cleared[offset..offset + length], "{first} {count} {offset}");
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
