//! Windows: a slice of bytes that is at an offset of something longer.
//!
//! The functions accept any offset. What is outside the window is ignored, so a caller can write the parts of a structure
//! one after the other, and only those that overlap the window are stored.

/// Copies the part of `bytes` that is inside the window `out`, where `bytes` is at `at` and `out` at `offset`.
#[inline]
pub fn copy(offset: usize, out: &mut [u8], at: usize, bytes: &[u8]) {
    let (target_skip, source_skip) = if at >= offset { (at - offset, 0) } else { (0, offset - at) };
    let (Some(target), Some(source)) = (out.get_mut(target_skip..), bytes.get(source_skip..)) else { return };
    let length = target.len().min(source.len());
    let (target, source) = (target.split_at_mut(length).0, source.split_at(length).0);
    target.copy_from_slice(source);
}

/// Stores bytes at the start of `out`, as many as fit. Returns their number.
#[inline]
pub fn put(out: &mut [u8], bytes: impl IntoIterator<Item = u8>) -> usize {
    let mut length = 0;
    for (place, byte) in out.iter_mut().zip(bytes) {
        *place = byte;
        length += 1;
    }
    length
}

/// Fills the part of the range `at..at + length` that is inside the window `out`, where `out` is at `offset`.
#[inline]
pub fn fill(offset: usize, out: &mut [u8], at: usize, length: usize, value: u8) {
    let first = at.saturating_sub(offset);
    let end = at.saturating_add(length).saturating_sub(offset).min(out.len());
    if let Some(target) = out.get_mut(first..end) {
        target.fill(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_overlap_is_copied_and_nothing_else() {
        let bytes = [1, 2, 3, 4];
        for at in 0..12 {
            for offset in 0..12 {
                for length in 0..8 {
                    let mut whole = [0; 24];
                    whole[at..at + 4].copy_from_slice(&bytes);
                    let mut out = [0; 8];
                    copy(offset, &mut out[..length], at, &bytes);
                    assert_eq!(out[..length], whole[offset..offset + length]);
                    let mut filled = [0; 24];
                    filled[at..at + 5].fill(9);
                    let mut out = [0; 8];
                    fill(offset, &mut out[..length], at, 5, 9);
                    assert_eq!(out[..length], filled[offset..offset + length]);
                }
            }
        }
        for length in 0..8 {
            let mut out = [7; 8];
            assert_eq!(put(&mut out[..length], bytes), length.min(4));
            assert!(out.iter().enumerate().all(|(at, byte)| *byte == if at < length.min(4) { bytes[at] } else { 7 }));
        }
        let mut out = [7; 4];
        copy(usize::MAX, &mut out, 0, &bytes);
        fill(0, &mut out, usize::MAX, usize::MAX, 0);
        assert_eq!(out, [7; 4]);
    }
}
