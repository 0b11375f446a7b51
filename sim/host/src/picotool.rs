//! The reset interface, the host's half: what picotool does to restart a board that runs a program (pico-sdk,
//! `usb_reset_interface.h`).

use super::controller::{Host, Request, TransferError};
use super::descriptor::Configuration;

/// Restart in BOOTSEL mode.
pub const BOOTSEL: u8 = 1;
/// Restart the program.
pub const FLASH: u8 = 2;

/// Where a configuration has its reset interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetInterface {
    /// bInterfaceNumber.
    pub number: u8,
}

impl ResetInterface {
    /// The interface of class FF/00/01, which is all that picotool looks at.
    #[must_use]
    pub fn find(configuration: &Configuration) -> Option<Self> {
        let interface = configuration.interfaces.iter().find(|interface| interface.class == [0xFF, 0, 1])?;
        Some(Self { number: interface.number })
    }

    /// The class request for `request` with `value`: bits 0 and 1 switch BOOTSEL mode's drive and PICOBOOT off.
    #[must_use]
    pub fn request(&self, request: u8, value: u16) -> Request {
        Request { request_type: 0x21, request, value, index: u16::from(self.number), length: 0 }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn send(&self, host: &mut Host<'_>, request: u8, value: u16) -> Result<(), TransferError> {
        host.control_out(self.request(request, value), &[])
    }
}
