//! The reset interface, the host's side: how picotool restarts a board that runs a program (pico-sdk,
//! `usb_reset_interface.h`).

use super::controller::{Host, Request, TransferError};
use super::descriptor::Configuration;

/// Restart in BOOTSEL mode.
pub const BOOTSEL: u8 = 1;
/// Restart the program.
pub const FLASH: u8 = 2;

/// The reset interface of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResetInterface {
    /// bInterfaceNumber.
    pub number: u8,
}

impl ResetInterface {
    /// The interface of class FF/00/01, by which picotool finds it.
    #[must_use]
    pub fn find(configuration: &Configuration) -> Option<Self> {
        let interface = configuration.interfaces.iter().find(|interface| interface.class == [0xFF, 0, 1])?;
        Some(Self { number: interface.number })
    }

    /// The class request for `request` with `value`: bits 0 and 1 disable BOOTSEL mode's drive and PICOBOOT.
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
