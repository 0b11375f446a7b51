//! Fields of wire formats, read with bounds.

/// Bytes `at..at + N` of `data`; zeros if `data` is shorter, which every caller has excluded by a check of the length.
#[must_use]
pub fn array<const N: usize>(data: &[u8], at: usize) -> [u8; N] {
    let mut value = [0; N];
    if let Some(source) = data.get(at..at + N) {
        value.copy_from_slice(source);
    }
    value
}

/// A little-endian 16-bit field (USB, exFAT).
#[must_use]
pub fn le16(data: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(data, at))
}

/// A little-endian 32-bit field.
#[must_use]
pub fn le32(data: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(data, at))
}

/// A little-endian 64-bit field.
#[must_use]
pub fn le64(data: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(data, at))
}

/// A big-endian 16-bit field (SCSI).
#[must_use]
pub fn be16(data: &[u8], at: usize) -> u16 {
    u16::from_be_bytes(array(data, at))
}

/// A big-endian 32-bit field.
#[must_use]
pub fn be32(data: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(array(data, at))
}

/// A big-endian 64-bit field.
#[must_use]
pub fn be64(data: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(array(data, at))
}
