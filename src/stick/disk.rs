//! The disk as a class of a program's own USB device.

use super::following::{DeviceOf, Following, device};
use super::{Description, Firmware, Found};
use crate::clock::Instant;
use crate::usb::MassStorage;
use crate::volume::Memory;
use usb_device::Result;
use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::descriptor::DescriptorWriter;
use usb_device::device::UsbDevice;
use usb_device::endpoint::EndpointAddress;

/// The disk for a program that has a [`UsbDevice`] of its own, on any bus: one more class in its poll, with the tables'
/// `Manifest` as `F`. On the RP2350, `rp2350::Disk` is this type with the chip's memory.
///
/// ```ignore
/// let mut stick = picovd::rp2350::Disk::<disk::Manifest, _>::new(&bus, &disk::DESCRIPTION);
/// // The device is built after all classes. Its serial number has at least 12 hexadecimal digits (BOT 4.1.1), different for
/// // each board: `Chip.serial_number(&disk::DESCRIPTION)`.
/// loop {
///     usb.poll(&mut [&mut hid, &mut stick]);
///     stick.follow(&mut usb, timer.get_counter());
/// }
/// ```
///
/// Where the bus does not halt endpoints as it should, `HALTS` is false, as for the bus of rp235x-hal: data that ends early is
/// padded (BOT 6.7.2). How well the device answers an impatient host is up to the bus and to usb-device. There is no console in it, so settings are changed
/// by the program only.
pub struct Disk<'b, B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool = true> {
    class: MassStorage<'b, B, DeviceOf<'static, F, M>, HALTS>,
    following: Following<'static, F>,
    restart: fn(),
}

impl<'b, B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool> Disk<'b, B, F, M, HALTS> {
    /// Allocates the class, for any board: `found` is what [`boot`](super::boot) returned, `serial` the device's serial number,
    /// and `restart` restarts the program if a setting requires it. Files that are registered before a host mounts the disk are
    /// present from the start.
    ///
    /// # Panics
    ///
    /// As in usb-device, if the bus does not have two bulk endpoints left.
    pub fn on_board(
        alloc: &'b UsbBusAllocator<B>,
        description: &Description<'static, F::Settings>,
        found: Found<'static>,
        serial: &'static str,
        memory: M,
        restart: fn(),
    ) -> Self {
        let class = MassStorage::new(alloc, device::<F, M>(description, found, serial, memory));
        Self { class, following: Following::new(description), restart }
    }

    /// Follows the program's changes at `now`, which must never decrease. Call it after each poll of the device, in the same
    /// context. Returns when to call it again at the latest, if at all.
    ///
    /// A bus that cannot leave the host for a moment ([`UsbDevice::force_reset`]) leaves hosts that do not poll the disk
    /// unaware of changes.
    pub fn follow(&mut self, usb: &mut UsbDevice<'b, B>, now: impl Into<Instant>) -> Option<Instant> {
        let poll = self.following.follow(self.class.device_mut(), now.into());
        if poll.reconnect {
            let _ = usb.force_reset();
        }
        if self.following.take_restart() {
            (self.restart)();
        }
        poll.again
    }

    /// A number that is different after each change that hosts are notified of: a program that sleeps compares it before.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.following.changes()
    }
}

impl<B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool> UsbClass<B> for Disk<'_, B, F, M, HALTS> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        self.class.get_configuration_descriptors(writer)
    }

    fn reset(&mut self) {
        self.class.reset();
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        self.class.control_in(xfer);
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        self.class.control_out(xfer);
    }

    fn endpoint_in_complete(&mut self, address: EndpointAddress) {
        self.class.endpoint_in_complete(address);
    }

    fn poll(&mut self) {
        self.class.poll();
    }
}
