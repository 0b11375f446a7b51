//! The settings' sectors on the Hazard3, where they are never written.
//!
//! The sequence in flash.rs runs a function from boot RAM and parks the other core, both with Arm instructions. Nobody has
//! tried that on this core, so settings last until power-off.

use crate::settings::FlashError;
use crate::settings::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use core::convert::Infallible;

/// The settings' sectors: there are none.
#[derive(Debug)]
pub struct SettingsFlash(Infallible);

impl SettingsFlash {
    /// `None`.
    #[must_use]
    pub fn new(_length: u32) -> Option<Self> {
        None
    }
}

impl ErrorType for SettingsFlash {
    type Error = FlashError;
}

impl ReadNorFlash for SettingsFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, _offset: u32, _bytes: &mut [u8]) -> Result<(), FlashError> {
        match self.0 {}
    }

    fn capacity(&self) -> usize {
        match self.0 {}
    }
}

impl NorFlash for SettingsFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 1;

    fn erase(&mut self, _from: u32, _to: u32) -> Result<(), FlashError> {
        match self.0 {}
    }

    fn write(&mut self, _offset: u32, _bytes: &[u8]) -> Result<(), FlashError> {
        match self.0 {}
    }
}

impl MultiwriteNorFlash for SettingsFlash {}
