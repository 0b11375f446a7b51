//! SCSI: one read-only, removable, write-protected logical unit over a [`Medium`].
//!
//! [`LogicalUnit`] is independent of the transport: it takes a command descriptor block, and returns the length of the
//! reply, then its bytes, then a [`Status`]. The error type of a command is [`Sense`], which the host fetches with REQUEST
//! SENSE. All commands pass one gate first; a table in `cdb` defines what each of them may contain.
//!
//! Short replies are built in a buffer of one packet; a READ is a cursor over the medium, which fills each packet directly.
//! The standards are SAM-4, SPC-4 and SBC-3, and MMC-5 for READ FORMAT CAPACITIES.

mod attention;
mod capacity;
mod cdb;
mod cursor;
mod inquiry;
mod mode;
mod response;
mod sense;
#[cfg(test)]
mod tests;
mod unit;

pub use cdb::OperationCode;
pub use inquiry::UnitIdentity;
pub use sense::{AdditionalSense, Sense, SenseKey};
pub use unit::{LogicalUnit, Status};

use crate::block::{BlockCount, Lba};

/// What a logical unit reads from. It is independent of file systems.
pub trait Medium {
    /// Whether a medium is present. While it is absent, commands that need it fail with MEDIUM NOT PRESENT.
    ///
    /// Called for each packet of a READ, like [`change_count`](Self::change_count): both must be cheap.
    fn is_present(&self) -> bool;

    /// Counts changes of the medium. If the value differs from the last one, the unit reports NOT READY TO READY CHANGE
    /// once.
    ///
    /// A change during a READ makes that READ fail: no reply mixes two media.
    fn change_count(&self) -> u32;

    /// Number of logical blocks, at least 1. Changes only together with `change_count`.
    fn block_count(&self) -> BlockCount;

    /// Fills `out` from byte `offset` (below 512) of block `lba` on, and may continue into the following blocks. The caller
    /// stays within `block_count`.
    fn read(&mut self, lba: Lba, offset: usize, out: &mut [u8]);

    /// The host wants the medium back: START STOP UNIT with LOEJ (SBC-3 5.25), or a bus reset. It may already be present.
    fn load(&mut self);

    /// The host has ejected the medium: START STOP UNIT with LOEJ. It may already be absent.
    fn eject(&mut self);
}
