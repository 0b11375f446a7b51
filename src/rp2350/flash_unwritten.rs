//! The settings' sectors where nobody writes them: on the Hazard3.
//!
//! The sequence in flash.rs runs a function out of boot RAM and parks the other core, both by Arm's means. What it would take
//! here nobody has tried, so settings hold until the power goes.

use crate::settings::{FlashError, NorFlash, PAGE_LENGTH};
use core::convert::Infallible;

/// The settings' sectors: there are none.
#[derive(Debug)]
pub struct SettingsFlash(Infallible);

impl SettingsFlash {
    /// `None`.
    #[must_use]
    pub fn new(_start: u32, _chip_length: u32) -> Option<Self> {
        None
    }
}

impl NorFlash for SettingsFlash {
    fn read(&mut self, _offset: u32, _out: &mut [u8]) {
        match self.0 {}
    }

    fn erase(&mut self, _offset: u32) -> Result<(), FlashError> {
        match self.0 {}
    }

    fn program(&mut self, _offset: u32, _page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError> {
        match self.0 {}
    }
}
