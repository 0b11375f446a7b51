//! The settings' sectors of a simulated board's flash, as strict as NOR flash.

use crate::memory::SharedMemory;
use picovd::settings::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use picovd::settings::{FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use std::ops::Range;

/// The sectors. Their contents survive a power cut.
#[derive(Clone, Debug)]
pub struct SettingsFlash {
    memory: SharedMemory,
    /// Where they are in flash, in bytes.
    place: Range<usize>,
}

impl SettingsFlash {
    /// `sectors` sectors from byte `start` of flash on.
    #[must_use]
    pub fn new(memory: SharedMemory, start: u32, sectors: u8) -> Self {
        let start = start as usize;
        Self { memory, place: start..start + usize::from(sectors) * SECTOR_LENGTH as usize }
    }

    /// The bytes from `address` on; none if the chip ends before.
    fn with<R>(&self, address: u32, length: usize, work: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
        // Settings in other sectors are outside, too: a store must compute the right address.
        let start = address as usize;
        let within = self.place.contains(&start);
        assert!(
            !within || start + length <= self.place.end,
            "{length} bytes at {address:#x} leave the settings' sectors"
        );
        self.memory.with(|contents| contents.flash.get_mut(start..start + length).map(work))
    }
}

impl ErrorType for SettingsFlash {
    type Error = FlashError;
}

impl ReadNorFlash for SettingsFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), FlashError> {
        let length = out.len();
        self.with(address, length, |bytes| out.copy_from_slice(bytes)).ok_or(FlashError::Refused)
    }

    fn capacity(&self) -> usize {
        self.memory.with(|contents| contents.flash.len())
    }
}

impl NorFlash for SettingsFlash {
    const WRITE_SIZE: usize = PAGE_LENGTH;
    const ERASE_SIZE: usize = SECTOR_LENGTH as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        assert!(from.is_multiple_of(SECTOR_LENGTH), "an erase at {from:#x}, inside a sector");
        assert_eq!(to - from, SECTOR_LENGTH, "an erase at {from:#x} that is not one sector");
        self.with(from, SECTOR_LENGTH as usize, |bytes| bytes.fill(0xFF)).ok_or(FlashError::Refused)
    }

    fn write(&mut self, address: u32, page: &[u8]) -> Result<(), FlashError> {
        assert!((address as usize).is_multiple_of(PAGE_LENGTH), "a write at {address:#x}, inside a page");
        assert_eq!(page.len(), PAGE_LENGTH, "a write at {address:#x} that is not one page");
        let program = |bytes: &mut [u8]| {
            assert!(
                bytes.iter().zip(page).all(|(old, new)| old & new == *new),
                "bits set without an erase at {address:#x}"
            );
            bytes.copy_from_slice(page);
        };
        self.with(address, PAGE_LENGTH, program).ok_or(FlashError::Refused)
    }
}

impl MultiwriteNorFlash for SettingsFlash {}
