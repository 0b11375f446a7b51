//! The disk, and the serial port, of a program with a USB device of its own, on the chip.

use super::{AddressSpace, Chip};
use crate::stick::{self, Description, Firmware};
use usb_device::bus::{UsbBus, UsbBusAllocator};

/// The disk as a class of a program's own USB device, with the chip's memory; see [`stick::Disk`]. It needs no halts: after one,
/// the bus of rp235x-hal 0.4 does not go back to DATA0.
pub type Disk<'b, F, B> = stick::Disk<'b, B, F, AddressSpace, false>;

impl<'b, B: UsbBus, F: Firmware<'static>, const HALTS: bool> stick::Disk<'b, B, F, AddressSpace, HALTS> {
    /// Allocates the class, once: finds out about the board, starts the log and the settings, and registers the files that the
    /// manifest asks for. [`Chip::serial_number`] is for the program's device.
    ///
    /// # Panics
    ///
    /// If it is called a second time; and as in usb-device, if the bus does not have the endpoints left: two for bulk transfers, and
    /// with a serial port two more and one for interrupt transfers. These are mistakes in the program that show at its first boot.
    #[must_use]
    pub fn new(alloc: &'b UsbBusAllocator<B>, description: &Description<'static, F::Settings>) -> Self {
        let Some(found) = Chip.boot::<F>(description) else { panic!("there is one disk") };
        let serial = Chip.serial_number(description);
        Self::on_board(alloc, description, found, serial, AddressSpace, || Chip.restart_soon())
            .withdrawing(|address| Chip.withdraw(address.index() as u8))
    }
}
