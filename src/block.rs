//! The bottom vocabulary: logical blocks.
//!
//! A logical block is 512 bytes (SBC-3 4.7), the only length that every host takes without question. An [`Lba`] names a
//! block, a [`BlockCount`] counts blocks; they do not mix with byte offsets or cluster indexes.

/// Length of a logical block in bytes.
pub const BLOCK_LENGTH: usize = 512;

/// Address of a logical block, counted from the start of the medium.
///
/// Holding one says nothing about whether the medium reaches that far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lba(pub u32);

/// A number of logical blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockCount(pub u32);

impl Lba {
    /// The address `count` blocks further on, or `None` past the 32-bit range.
    #[must_use]
    pub const fn checked_add(self, count: BlockCount) -> Option<Self> {
        match self.0.checked_add(count.0) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }
}

impl BlockCount {
    /// The length in bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0 as u64 * BLOCK_LENGTH as u64
    }
}
