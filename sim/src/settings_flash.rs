//! The settings' sectors of a simulated board's flash, as strict as NOR flash is.

use crate::memory::SharedMemory;
use picovd::settings::{FlashError, NorFlash, PAGE_LENGTH, SECTOR_LENGTH};
use std::ops::Range;

/// The sectors. What is written there stays when the board loses its power.
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

    /// The bytes from `offset` on; a chip that ends before has none.
    fn with<R>(&self, offset: u32, length: usize, work: impl FnOnce(&mut [u8]) -> R) -> Option<R> {
        // Settings that were kept in other sectors are outside, too: a store says by its offset that it means to go there.
        let start = (self.place.start as u32).wrapping_add(offset) as usize;
        let within = start >= self.place.start && start < self.place.end;
        assert!(
            !within || start + length <= self.place.end,
            "{length} bytes at {offset:#x} leave the settings' sectors"
        );
        self.memory.with(|contents| contents.flash.get_mut(start..start + length).map(work))
    }
}

impl NorFlash for SettingsFlash {
    fn start(&self) -> u32 {
        self.place.start as u32
    }

    fn chip_length(&self) -> u32 {
        self.memory.with(|contents| contents.flash.len() as u32)
    }

    fn read(&mut self, offset: u32, out: &mut [u8]) {
        let length = out.len();
        if self.with(offset, length, |bytes| out.copy_from_slice(bytes)).is_none() {
            out.fill(0xFF);
        }
    }

    fn erase(&mut self, offset: u32) -> Result<(), FlashError> {
        assert!(offset.is_multiple_of(SECTOR_LENGTH), "an erase at {offset:#x}, amid a sector");
        self.with(offset, SECTOR_LENGTH as usize, |bytes| bytes.fill(0xFF)).ok_or(FlashError::Refused)
    }

    fn program(&mut self, offset: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError> {
        assert!((offset as usize).is_multiple_of(PAGE_LENGTH), "a program operation at {offset:#x}, amid a page");
        let program = |bytes: &mut [u8]| {
            assert!(
                bytes.iter().zip(page).all(|(old, new)| old & new == *new),
                "bits set without an erase at {offset:#x}"
            );
            bytes.copy_from_slice(page);
        };
        self.with(offset, PAGE_LENGTH, program).ok_or(FlashError::Refused)
    }
}
