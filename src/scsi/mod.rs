//! SCSI: one read-only, removable, write-protected logical unit over a [`Medium`].
//!
//! [`LogicalUnit`] knows no transport: a command descriptor block comes in, the length of the reply goes out, then its
//! bytes, then a [`Status`]. The error type of a command is [`Sense`], which the host fetches by REQUEST SENSE. One
//! gate is before all commands; what each of them may look like is a table in `cdb`.
//!
//! Short replies are built in a buffer of one packet; a READ is a cursor over the medium, which fills each packet
//! directly. The standards meant are SAM-4, SPC-4 and SBC-3; READ FORMAT CAPACITIES is MMC-5's.

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

/// What a logical unit reads from. It knows nothing of file systems.
pub trait Medium {
    /// Whether a medium is present. While it is not, commands that need it get MEDIUM NOT PRESENT.
    ///
    /// Asked for each packet of a READ, as [`change_count`](Self::change_count) is: both have to be cheap.
    fn is_present(&self) -> bool;

    /// Counts changes of the medium. A unit that sees another value than before reports NOT READY TO READY CHANGE once.
    ///
    /// A change in the middle of a READ makes that READ fail: no reply mixes two media.
    fn change_count(&self) -> u32;

    /// Number of logical blocks, at least 1. Changes only together with `change_count`.
    fn block_count(&self) -> BlockCount;

    /// Fills `out` from byte `offset` (below 512) of block `lba` on; may run over into the following blocks. The caller
    /// stays within `block_count`.
    fn read(&mut self, lba: Lba, offset: usize, out: &mut [u8]);

    /// The host wants the medium back: START STOP UNIT with LOEJ (SBC-3 5.25), or a bus reset. It may be there already.
    fn load(&mut self);

    /// The host ejected the medium: START STOP UNIT with LOEJ. It may be gone already.
    fn eject(&mut self);
}
