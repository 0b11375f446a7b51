//! USB: the device on any usb-device bus.
//!
//! [`Composite`] combines its functions: [`MassStorage`], the mass storage class around a
//! [`Device`](crate::device::Device), whose packets [`bulk_only`] carries over two endpoints; [`Console`], a serial port;
//! and [`PicotoolReset`], with which picotool restarts the board. [`device`] creates the USB device for any set of classes.
//! Apart from `rp2350/usb.rs`, this is the only module that depends on usb-device, usbd-storage or usbd-serial.

pub mod bulk_only;
mod chapter9;
mod class_watch;
mod composite;
mod console;
mod descriptor_room;
mod fast_path;
mod mass_storage;
mod ms_os_20;
mod packets;
mod picotool_reset;
mod shared;

pub use class_watch::ClassWatch;
pub use composite::{AllFunctions, Classes, Composite, Functions};
pub use console::{Console, HOLD};
pub use fast_path::FastPath;
pub use mass_storage::MassStorage;
pub use packets::Packets;
pub use picotool_reset::{PicotoolReset, Reset};
pub use shared::{Serving, Shared};

use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbRev, UsbVidPid};

/// Whether it is a standard request (USB 2.0 9.4).
fn is_standard(request: &Request) -> bool {
    request.request_type == RequestType::Standard
}

pub(crate) fn is_set_configuration(request: &Request) -> bool {
    is_standard(request) && request.recipient == Recipient::Device && request.request == Request::SET_CONFIGURATION
}

/// How a USB device describes itself, from `[usb]` of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity<'a> {
    /// idVendor (USB 2.0 9.6.1).
    pub vid: u16,
    /// idProduct.
    pub pid: u16,
    /// iManufacturer's string.
    pub manufacturer: &'a str,
    /// iProduct's string.
    pub product: &'a str,
    /// Whether there is a serial port in addition to the disk.
    pub console: bool,
    /// Whether there is the interface through which picotool restarts the board.
    pub picotool_reset: bool,
    /// Maximum current from the bus in milliamperes, at most 500 (USB 2.0 9.6.3, bMaxPower).
    pub max_power: u16,
}

impl Identity<'_> {
    /// Whether there are several functions, which the device descriptor has to say. `others` is the number of the
    /// application's interfaces.
    const fn is_composite(&self, others: u8) -> bool {
        self.console || self.picotool_reset || others != 0
    }

    /// bcdDevice (USB 2.0 9.6.1): 1.00, with two last digits that distinguish compositions. Windows remembers the interfaces
    /// of a device by VID, PID and bcdDevice, and would expect those of the first stick that it saw. The third digit is the
    /// number of the application's interfaces, at most 9.
    const fn release(&self, others: u8) -> u16 {
        let others = if others > 9 { 9 } else { others };
        0x0100 | (others as u16) << 4 | self.console as u16 | (self.picotool_reset as u16) << 1
    }
}

/// The USB device for the classes that were allocated from `alloc`. `serial` is the string of the serial number: at least
/// 12 hexadecimal digits, different for each board (BOT 4.1.1).
///
/// # Panics
///
/// As in usb-device, if a string is too long, which the manifest's strings never are.
pub fn device<'b, B: UsbBus>(
    alloc: &'b UsbBusAllocator<B>,
    identity: Identity<'b>,
    serial: &'b str,
) -> UsbDevice<'b, B> {
    composed(alloc, identity, serial, 0)
}

/// The same with this number of the application's interfaces in addition to those of the identity's functions.
fn composed<'b, B: UsbBus>(
    alloc: &'b UsbBusAllocator<B>,
    identity: Identity<'b>,
    serial: &'b str,
    others: u8,
) -> UsbDevice<'b, B> {
    let strings = StringDescriptors::default()
        .manufacturer(identity.manufacturer)
        .product(identity.product)
        .serial_number(serial);
    let builder = UsbDeviceBuilder::new(alloc, UsbVidPid(identity.vid, identity.pid));
    // Interface associations group the functions' interfaces, and the device class says so (USB ECN "Interface Association
    // Descriptors", and Interface Association Descriptor Device Class Code and Use Model): class EF/02/01.
    let builder = if identity.is_composite(others) { builder.composite_with_iads() } else { builder };
    // bcdUSB: with a version above 2.00, hosts request a BOS, which only the interface for picotool needs.
    let version = if identity.picotool_reset { UsbRev::Usb210 } else { UsbRev::Usb200 };
    builder
        .usb_rev(version)
        .strings(&[strings])
        .and_then(|builder| builder.max_packet_size_0(64))
        .and_then(|builder| builder.max_power(identity.max_power.min(500).into()))
        .unwrap_or_else(|_| panic!("one set of strings, 64 bytes and at most 500 mA"))
        .device_release(identity.release(others))
        .build()
}
