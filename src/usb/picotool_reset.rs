//! The reset interface, through which `picotool reboot -f` and `picotool load -f` reach running firmware.
//!
//! A vendor-specific interface without endpoints and two class requests, as in the pico-sdk's `usb_reset_interface.h`. The
//! descriptors of [`ms_os_20`](super::ms_os_20) make Windows bind WinUSB to it.

use super::ms_os_20;
use usb_device::Result;
use usb_device::bus::{InterfaceNumber, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, RequestType};
use usb_device::descriptor::{BosWriter, DescriptorWriter};

/// bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol that picotool looks for.
const CLASS: [u8; 3] = [0xFF, 0x00, 0x01];

/// Restart in BOOTSEL mode. wValue: bits 0 to 6 disable interfaces of that mode; with bit 8, bits 9 to 15 are a GPIO.
const REQUEST_BOOTSEL: u8 = 1;
/// Restart the program in flash.
const REQUEST_FLASH: u8 = 2;

/// What the host wants the chip to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// Restart in BOOTSEL mode, which takes UF2 files and picotool's commands.
    Bootsel {
        /// BOOTSEL mode without its drive.
        no_mass_storage: bool,
        /// BOOTSEL mode without its interface for picotool.
        no_picoboot: bool,
        /// The GPIO whose LED shows activity, 0 to 127; the chip has fewer.
        activity_led: Option<u8>,
    },
    /// Restart as after power-on.
    Flash,
}

/// The reset interface. `R` carries out the request.
pub struct PicotoolReset<R> {
    interface: InterfaceNumber,
    reset: R,
}

impl<R: FnMut(Reset)> PicotoolReset<R> {
    /// Allocates one interface of `alloc`.
    ///
    /// `reset` must return, and the chip must restart some milliseconds later: the request's status stage is still to come.
    pub fn new<B: UsbBus>(alloc: &UsbBusAllocator<B>, reset: R) -> Self {
        Self { interface: alloc.interface(), reset }
    }
}

impl<B: UsbBus, R: FnMut(Reset)> UsbClass<B> for PicotoolReset<R> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        let [class, subclass, protocol] = CLASS;
        writer.interface(self.interface, class, subclass, protocol)
    }

    fn get_bos_descriptors(&self, writer: &mut BosWriter<'_, '_>) -> Result<()> {
        writer.capability(ms_os_20::CAPABILITY_PLATFORM, &ms_os_20::PLATFORM_CAPABILITY)
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        let request = xfer.request();
        if request.request_type == RequestType::Vendor
            && request.recipient == Recipient::Device
            && request.request == ms_os_20::VENDOR_CODE
            && (request.value, request.index) == (0, ms_os_20::DESCRIPTOR_INDEX)
        {
            let _ = xfer.accept_with(&ms_os_20::descriptor_set(self.interface.into()));
        }
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        let request = *xfer.request();
        if request.request_type != RequestType::Class
            || request.recipient != Recipient::Interface
            || request.index != u16::from(u8::from(self.interface))
        {
            return;
        }
        let reset = match (request.request, request.length) {
            (REQUEST_BOOTSEL, 0) => Reset::Bootsel {
                no_mass_storage: request.value & 1 != 0,
                no_picoboot: request.value & 2 != 0,
                activity_led: (request.value & 0x100 != 0).then_some((request.value >> 9) as u8),
            },
            (REQUEST_FLASH, 0) => Reset::Flash,
            _ => {
                let _ = xfer.reject();
                return;
            }
        };
        let _ = xfer.accept();
        (self.reset)(reset);
    }
}
