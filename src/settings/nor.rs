//! The flash that settings are kept in: erased by sectors, programmed by pages.

use core::fmt;

/// Length of a page in bytes: what one program operation covers.
pub const PAGE_LENGTH: usize = 256;

/// Length of a sector in bytes: what one erase operation covers.
pub const SECTOR_LENGTH: u32 = 4096;

/// Why flash did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlashError {
    /// The operation failed: nobody can do anything but leave the sector alone.
    Failed,
    /// Not permitted there: the place is out of flash's range, or the partition table does not let the program write.
    Refused,
    /// The other core runs and did not step aside in time. Nothing was written.
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

/// NOR flash, as far as the settings need it.
///
/// What the store relies on, and what it does not:
///
/// - An erase sets every bit of a sector, a program operation clears those bits of a page whose data is 0. Bits whose data is 1
///   keep their values, so a page may be programmed more than once.
/// - An operation that has ended leaves its bits stable, each read the same at all times. That a sector is worn shows when it
///   is read back.
/// - An operation that is cut short by a power cut leaves the bits that it was to change in any state: changed, not changed, or
///   between the thresholds, where each read, or each start, may see another value. Such a bit stays so until an operation
///   that is to change it ends: a whole erase of its sector, or a whole program operation whose data is 0 there.
/// - Nothing else changes: neither other bits of the page or sector, nor other pages and sectors.
///
/// Offsets count bytes from the first of the settings' sectors, modulo 2^32: what is before it in flash has large ones. They
/// are multiples of [`SECTOR_LENGTH`] and [`PAGE_LENGTH`] where they are written to.
pub trait NorFlash {
    /// Reads bytes: what was written last, past every cache.
    fn read(&mut self, offset: u32, out: &mut [u8]);

    /// Erases the sector at `offset`.
    ///
    /// # Errors
    ///
    /// Why not. After [`FlashError::Failed`] the sector is in any state, after the others as it was.
    fn erase(&mut self, offset: u32) -> Result<(), FlashError>;

    /// Clears the bits of the page at `offset` whose data in `page` is 0.
    ///
    /// # Errors
    ///
    /// As for [`erase`](Self::erase).
    fn program(&mut self, offset: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError>;

    /// Storage address of the first of the settings' sectors, in bytes from the beginning of flash: a multiple of
    /// [`SECTOR_LENGTH`].
    fn start(&self) -> u32 {
        0
    }

    /// Length of the flash chip in bytes. Settings that another firmware kept in other sectors are looked for there. 0: they
    /// are not.
    fn chip_length(&self) -> u32 {
        0
    }
}
