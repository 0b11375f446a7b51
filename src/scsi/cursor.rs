//! The position of a READ.

use crate::block::{BLOCK_LENGTH, Lba};

/// The bytes of consecutive logical blocks, returned in pieces of any length.
///
/// A value of this type proves that its blocks were on the medium when the command came; the medium may have changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadCursor {
    /// Next byte, counted from the start of the medium.
    position: u64,
    end: u64,
}

/// A piece of a READ that starts in block `lba`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Block of the first byte.
    pub lba: Lba,
    /// Offset of the first byte in that block, below 512.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
}

impl ReadCursor {
    /// A cursor over `blocks` blocks from `lba` on.
    pub fn new(lba: Lba, blocks: u32) -> Self {
        let position = u64::from(lba.0) * BLOCK_LENGTH as u64;
        Self { position, end: position + u64::from(blocks) * BLOCK_LENGTH as u64 }
    }

    /// Number of bytes that are left.
    pub fn remaining(&self) -> u64 {
        self.end - self.position
    }

    /// Returns the next piece, of `length` bytes or what is left, and advances past it.
    #[inline]
    pub fn advance(&mut self, length: usize) -> Piece {
        const OFFSET_MASK: u64 = BLOCK_LENGTH as u64 - 1;

        // The quotient fits: `new` made the position from a 32-bit address.
        let lba = Lba((self.position / BLOCK_LENGTH as u64) as u32);
        let offset = (self.position & OFFSET_MASK) as usize;
        let length = if self.remaining() < length as u64 { self.remaining() as usize } else { length };
        self.position += length as u64;
        Piece { lba, offset, length }
    }
}

const _: () = assert!(BLOCK_LENGTH.is_power_of_two(), "the offset is computed with a mask");
