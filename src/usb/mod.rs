//! USB: the device on any usb-device bus.
//!
//! [`MassStorage`] is the mass storage class around a [`Device`](crate::device::Device); [`bulk_only`] carries its packets over
//! two endpoints; [`device`] composes the USB device. With `rp2350/usb.rs` the only place that names usb-device or usbd-storage.

pub mod bulk_only;
mod mass_storage;

pub use mass_storage::MassStorage;

use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbVidPid};

/// What a USB device says of itself, from `[usb]` of the manifest.
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
}

/// bMaxPower: what a board of this kind draws from the bus at most, in milliamperes (USB 2.0 9.6.3).
const MAX_POWER: usize = 250;

/// The USB device around the classes that `alloc` has served. `serial` is the serial number's string: hexadecimal digits, at
/// least 12 of them, no two boards alike (BOT 4.1.1).
///
/// # Panics
///
/// As usb-device has it, when a string does not fit: not with the manifest's strings.
pub fn device<'b, B: UsbBus>(
    alloc: &'b UsbBusAllocator<B>,
    identity: Identity<'b>,
    serial: &'b str,
) -> UsbDevice<'b, B> {
    let strings = StringDescriptors::default()
        .manufacturer(identity.manufacturer)
        .product(identity.product)
        .serial_number(serial);
    UsbDeviceBuilder::new(alloc, UsbVidPid(identity.vid, identity.pid))
        .strings(&[strings])
        .and_then(|builder| builder.max_packet_size_0(64))
        .and_then(|builder| builder.max_power(MAX_POWER))
        .expect("one set of strings, 64 bytes and 250 mA")
        .build()
}
