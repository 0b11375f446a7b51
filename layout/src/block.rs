//! Basic types: logical blocks.
//!
//! A logical block is 512 bytes (SBC-3 4.7), the only length that every host supports. An [`Lba`] is the address of a
//! block, a [`BlockCount`] a number of blocks; neither can be confused with byte offsets or cluster indexes.

/// Length of a logical block in bytes.
pub const BLOCK_LENGTH: usize = 512;

/// Address of a logical block, counted from the start of the medium.
///
/// The address may be beyond the end of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lba(pub u32);

/// A number of logical blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockCount(pub u32);

impl Lba {
    /// The address `count` blocks later, or `None` beyond the 32-bit range.
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
