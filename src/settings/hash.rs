//! Hashes of names, which identify groups and files in what is saved.

/// 32 bits of FNV-1a.
pub(super) const fn hash(text: &str) -> u32 {
    hash_on(HASH_OF_NOTHING, text.as_bytes())
}

/// The initial value.
pub(super) const HASH_OF_NOTHING: u32 = 0x811C_9DC5;

/// Continues a hash.
pub(super) const fn hash_on(mut hash: u32, bytes: &[u8]) -> u32 {
    let mut bytes = bytes;
    while let [byte, rest @ ..] = bytes {
        hash = (hash ^ *byte as u32).wrapping_mul(0x0100_0193);
        bytes = rest;
    }
    hash
}
