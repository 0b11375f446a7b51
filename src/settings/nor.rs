//! The flash that settings are kept in: erased by sectors, programmed by pages.

/// Length of a page in bytes: what one program operation covers.
pub const PAGE_LENGTH: usize = 256;

/// Length of a sector in bytes: what one erase operation covers.
pub const SECTOR_LENGTH: u32 = 4096;

/// Why flash did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlashError {
    /// The operation failed: nobody can do anything but leave the sector alone.
    Failed,
    /// Not permitted there: the place is out of flash's range, or the partition table does not let the program write.
    Refused,
    /// The other core runs and did not step aside in time. Nothing was written.
    OtherCore,
}

/// NOR flash, as far as the settings need it.
///
/// An erase sets every bit of a sector, a program operation clears bits of a page. Either may be cut short by a power cut,
/// which leaves an erase's sector in any state, and a program's page written up to some byte.
///
/// Offsets count bytes from the first of the settings' sectors. They are within the sectors that the store was told of, and
/// multiples of [`SECTOR_LENGTH`] and [`PAGE_LENGTH`] where they are written to.
pub trait NorFlash {
    /// Reads bytes: what was written last, past every cache.
    fn read(&mut self, offset: u32, out: &mut [u8]);

    /// Erases the sector at `offset`.
    ///
    /// # Errors
    ///
    /// Why not. After [`FlashError::Failed`] the sector is in any state, after the others as it was.
    fn erase(&mut self, offset: u32) -> Result<(), FlashError>;

    /// Programs the page at `offset`, which is blank.
    ///
    /// # Errors
    ///
    /// As for [`erase`](Self::erase).
    fn program(&mut self, offset: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError>;
}
