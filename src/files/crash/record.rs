//! The record of a crash: where its parts are, and a view of them.
//!
//! It is in RAM that outlives a reset, so after power-on its contents are random. [`View::is_valid`] proves that all of it was
//! written by one capture. A view proves nothing: whatever the memory contains, it reads as numbers, and every length is
//! limited to the room that there is.

use core::ops::Range;

/// Memory that keeps a record over a reset.
pub trait Kept: Sync {
    /// Length in bytes, a multiple of 4.
    fn length(&self) -> usize;

    /// Reads bytes from an offset on. What is beyond the end reads as zeros.
    fn read(&self, offset: usize, out: &mut [u8]);

    /// Removes the record.
    fn clear(&self);

    /// Forgets how many crashes there were in a row.
    fn forget_row(&self);
}

/// No memory at all: on a PC.
#[derive(Clone, Copy, Debug)]
pub struct NothingKept;

impl Kept for NothingKept {
    fn length(&self) -> usize {
        0
    }

    fn read(&self, _: usize, out: &mut [u8]) {
        out.fill(0);
    }

    fn clear(&self) {}

    fn forget_row(&self) {}
}

/// The first word of a record.
pub const MAGIC: u32 = 0x5644_4352;

/// Indices of its words, and of the first of several.
pub mod word {
    /// [`MAGIC`](super::MAGIC).
    pub const MAGIC: usize = 0;
    /// CRC-32 of what follows [`ROW`]: see [`checksum`](super::checksum).
    pub const CRC: usize = 1;
    /// Number of crashes after this one, and its complement.
    pub const LATER: usize = 2;
    /// Number of crashes in a row, each within ten seconds of its start, and its complement. Counted without a record, too.
    pub const ROW: usize = 4;
    /// What ended the program: 1 for a panic, 2 for a fault; 3 if nothing did, and it asked for a record.
    pub const KIND: usize = 6;
    /// The core that it happened on.
    pub const CORE: usize = 7;
    /// R0 to R12, SP, LR, PC, xPSR.
    pub const REGISTERS: usize = 8;
    /// EXC_RETURN; 0 for a panic.
    pub const EXC_RETURN: usize = 25;
    /// CFSR, HFSR, MMFAR, BFAR.
    pub const STATUS: usize = 26;
    /// Microseconds since the start, low and high word.
    pub const UPTIME: usize = 30;
    /// 1: the stack had no room for the exception frame, so SP is its limit, and LR, PC and xPSR are unknown. 2: the stack is not
    /// kept.
    pub const FLAGS: usize = 32;
    /// The halfwords of the instruction at PC, the first one in the lower half; 0 if unknown.
    pub const INSTRUCTION: usize = 33;
    /// Address of the first byte of the stack, and number of bytes.
    pub const STACK: usize = 34;
    /// Number of bytes of the log's end.
    pub const LOG: usize = 36;
    /// Number of bytes of the panic's text.
    pub const TEXT: usize = 37;
    /// Number of return addresses.
    pub const CALLS: usize = 38;
    /// Return addresses found on the stack.
    pub const CALL: usize = 39;
}

/// Maximum number of return addresses.
pub const CALLS: usize = 16;
/// The build, as text.
pub const BUILD: Range<usize> = (word::CALL + CALLS) * 4..(word::CALL + CALLS) * 4 + 16;
/// Location and message of a panic.
pub const TEXT: Range<usize> = BUILD.end..BUILD.end + 104;
/// The end of the log.
pub const LOG: Range<usize> = TEXT.end..TEXT.end + 512;
/// Offset of the stack.
pub const STACK: usize = LOG.end;
/// Number of words before the stack.
pub const HEAD_WORDS: usize = STACK / 4;

/// Flag: the exception frame is missing.
pub const NO_FRAME: u32 = 1;
/// Flag: the stack is not kept.
pub const NO_STACK: u32 = 2;

/// The first byte that the checksum covers.
pub const CHECKED: usize = word::KIND * 4;

/// CRC-32 (reflected, 04C11DB7h) of the bytes that `next` returns, without a table.
pub fn checksum(bytes: impl Iterator<Item = u8>) -> u32 {
    !bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 != 0 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

/// A record in its memory.
#[derive(Clone, Copy)]
pub struct View<'a>(pub &'a dyn Kept);

impl View<'_> {
    /// A word by its index; 0 beyond the end.
    #[must_use]
    pub fn word(&self, index: usize) -> u32 {
        let mut bytes = [0; 4];
        self.0.read(index.saturating_mul(4), &mut bytes);
        u32::from_le_bytes(bytes)
    }

    /// One of R0 to R12, SP, LR, PC, xPSR.
    #[must_use]
    pub fn register(&self, index: usize) -> u32 {
        self.word(word::REGISTERS + index.min(16))
    }

    /// A length in bytes, limited to the room.
    fn length(&self, index: usize, room: usize) -> usize {
        (self.word(index) as usize).min(room)
    }

    /// Length in bytes of the kept stack, whole words.
    #[must_use]
    pub fn stack_length(&self) -> usize {
        self.length(word::STACK + 1, self.0.length().saturating_sub(STACK)) & !3
    }

    /// Length in bytes of the log's end.
    #[must_use]
    pub fn log_length(&self) -> usize {
        self.length(word::LOG, LOG.len())
    }

    /// Length in bytes of the panic's text.
    #[must_use]
    pub fn text_length(&self) -> usize {
        self.length(word::TEXT, TEXT.len())
    }

    /// Return addresses found on the stack, the innermost first.
    pub fn calls(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.length(word::CALLS, CALLS)).map(|index| self.word(word::CALL + index))
    }

    /// Number of crashes after this one.
    #[must_use]
    pub fn later(&self) -> u32 {
        self.counted(word::LATER)
    }

    /// Number of crashes in a row, each within ten seconds of its start.
    #[must_use]
    pub fn row(&self) -> u32 {
        self.counted(word::ROW)
    }

    /// A number that its complement follows; else 0.
    fn counted(&self, index: usize) -> u32 {
        let number = self.word(index);
        if self.word(index + 1) == !number { number } else { 0 }
    }

    /// Whether the program had no room for the exception frame.
    #[must_use]
    pub fn is_without_frame(&self) -> bool {
        self.word(word::FLAGS) & NO_FRAME != 0
    }

    /// Whether all of it was written by one capture and has not changed since.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let stack = self.word(word::STACK + 1) as usize;
        let room = self.0.length().saturating_sub(STACK);
        if self.word(word::MAGIC) != MAGIC || stack > room {
            return false;
        }
        let bytes = (CHECKED / 4..(STACK + stack).div_ceil(4)).flat_map(|index| self.word(index).to_le_bytes());
        checksum(bytes) == self.word(word::CRC)
    }
}
