//! The flash that stores settings, with embedded-storage's traits: erased in sectors, programmed in pages.

use core::fmt;
use embedded_storage::nor_flash::{MultiwriteNorFlash, NorFlashError, NorFlashErrorKind};

/// Length of a page in bytes: what one program operation covers.
pub const PAGE_LENGTH: usize = 256;

/// Length of a sector in bytes: what one erase operation covers.
pub const SECTOR_LENGTH: u32 = 4096;

/// Why a flash operation failed. embedded-storage's traits do not distinguish a worn sector from an operation that was not
/// started, but a [`Store`](super::Store) has to: the errors of its flash are converted to these.
///
/// After [`Failed`](Self::Failed), the sector is in any state; after the others, it is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlashError {
    /// The operation failed: the sector cannot be used any more.
    Failed,
    /// Not permitted there: the address is outside of flash, or the partition table does not allow the program to write.
    Refused,
    /// The other core runs and did not park in time. Nothing was written.
    OtherCore,
}

impl fmt::Display for FlashError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Failed => "flash failed",
            Self::Refused => "flash may not be written there",
            Self::OtherCore => "the other core did not step aside",
        })
    }
}

impl core::error::Error for FlashError {}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        // The standard's kinds are two kinds of mistakes by the caller, and everything else.
        NorFlashErrorKind::Other
    }
}

/// NOR flash with embedded-storage's traits, as far as a [`Store`](super::Store) needs it: pages may be programmed more
/// than once, and its errors can be converted to a [`FlashError`].
///
/// What the store relies on, and what it does not:
///
/// - An erase sets every bit of a sector, a write clears those bits of a page whose data is 0. Bits whose data is 1 keep their
///   values.
/// - An operation that has ended leaves its bits stable, each read the same at all times. That a sector is worn shows when it
///   is read back.
/// - An operation that is cut short by a power cut leaves the bits that it was to change in any state: changed, not changed, or
///   between the thresholds, where each read, or each start, may see another value. Such a bit stays so until an operation
///   that is to change it ends: a whole erase of its sector, or a whole write whose data is 0 there.
/// - Nothing else changes: neither other bits of the page or sector, nor other pages and sectors.
/// - A read returns what was written last, bypassing every cache.
///
/// The store erases single sectors of [`SECTOR_LENGTH`] and writes single pages of [`PAGE_LENGTH`], both aligned, and reads
/// any number of bytes anywhere. Addresses count from the start of flash, which ends at its `capacity`.
pub trait Flash: MultiwriteNorFlash<Error: Into<FlashError>> {}

impl<F: MultiwriteNorFlash<Error: Into<FlashError>>> Flash for F {}
