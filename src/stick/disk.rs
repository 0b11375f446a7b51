//! The disk, and the serial port, as a class of a program's own USB device.

use super::console::Dialogue;
use super::following::{DeviceOf, Following, LOOK, device};
use super::{Description, Firmware, Found, earlier};
use crate::clock::Instant;
use crate::usb::{Console, MassStorage, is_set_configuration};
use crate::volume::Memory;
use usb_device::Result;
use usb_device::bus::{StringIndex, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::descriptor::DescriptorWriter;
use usb_device::descriptor::lang_id::LangID;
use usb_device::device::{UsbDevice, UsbDeviceState};
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
/// padded (BOT 6.7.2). How well the device answers an impatient host is up to the bus and to usb-device.
///
/// With `[usb] console = true` in the manifest, the serial port is part of the class: two more interfaces, one interrupt and two
/// bulk endpoints. It shows the log, and takes the settings' lines and the program's commands, or bytes
/// ([`console::on_input`](crate::console::on_input)). The program's device is then composite
/// (`UsbDeviceBuilder::composite_with_iads`). What else `[usb]` says of the device, the program's builder says: VID, PID, strings,
/// current. There is no interface for picotool.
pub struct Disk<'b, B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool = true> {
    class: MassStorage<'b, B, DeviceOf<'static, F, M>, HALTS>,
    console: Option<Console<'b, B>>,
    dialogue: Dialogue,
    following: Following<'static, F>,
    serial: &'static str,
    restart: fn(),
    /// Removes the packet from this IN endpoint that the host has not fetched.
    withdraw: fn(EndpointAddress),
}

impl<'b, B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool> Disk<'b, B, F, M, HALTS> {
    /// Allocates the class, for any board: `found` is what [`boot`](super::boot) returned, `serial` the device's serial number,
    /// and `restart` restarts the program if a setting requires it. Files that are registered before a host mounts the disk are
    /// present from the start.
    ///
    /// # Panics
    ///
    /// As in usb-device, if the bus does not have the endpoints left: two for bulk transfers, and with a serial port two more and
    /// one for interrupt transfers.
    pub fn on_board(
        alloc: &'b UsbBusAllocator<B>,
        description: &Description<'static, F::Settings>,
        found: Found<'static>,
        serial: &'static str,
        memory: M,
        restart: fn(),
    ) -> Self {
        let class = MassStorage::new(alloc, device::<F, M>(description, found, serial, memory));
        let console = (F::CONSOLE && description.usb.console).then(|| Console::new(alloc));
        let (dialogue, following) = (Dialogue::new(), Following::new(description));
        Self { class, console, dialogue, following, serial, restart, withdraw: |_| {} }
    }

    /// With a bus that can remove a packet which the host has not fetched: then text of a port that was closed does not reach the next
    /// program that opens it.
    #[must_use]
    pub fn withdrawing(self, withdraw: fn(EndpointAddress)) -> Self {
        Self { withdraw, ..self }
    }

    /// Follows the program's changes at `now`, which must never decrease, and serves the serial port. Call it after each poll of the
    /// device, in the same context. Returns when to call it again at the latest, if at all.
    ///
    /// A bus that cannot leave the host for a moment ([`UsbDevice::force_reset`]) leaves hosts that do not poll the disk
    /// unaware of changes.
    pub fn follow(&mut self, usb: &mut UsbDevice<'b, B>, now: impl Into<Instant>) -> Option<Instant> {
        let now = now.into();
        self.listen(usb.state());
        let settings = self.following.settings();
        self.dialogue.tick(settings, now);
        let mut poll = self.following.follow(self.class.device_mut(), now);
        if let Some(console) = self.console.as_mut().filter(|_| F::CONSOLE) {
            poll.again = earlier(poll.again, console.tick(now, self.serial));
            let log = self.following.log();
            self.dialogue.speak(console, settings, log, now);
            if log.is_some() && console.is_open() {
                // What an interrupt handler prints wakes nobody.
                poll.again = earlier(poll.again, Some(now + LOOK));
            }
        }
        if poll.reconnect {
            let _ = usb.force_reset();
        }
        if self.following.take_restart() {
            (self.restart)();
        }
        poll.again
    }

    /// Reads what came through the serial port.
    fn listen(&mut self, state: UsbDeviceState) {
        let Some(console) = self.console.as_mut().filter(|_| F::CONSOLE) else { return };
        if console.take_stale() {
            (self.withdraw)(console.in_address());
        }
        console.set_online(state == UsbDeviceState::Configured);
        Dialogue::listen::<F>(console, self.following.settings());
    }

    /// A number that is different after each change that hosts are notified of: a program that sleeps compares it before.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.following.changes()
    }
}

impl<'b, B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool> Disk<'b, B, F, M, HALTS> {
    fn console(&self) -> Option<&Console<'b, B>> {
        self.console.as_ref().filter(|_| F::CONSOLE)
    }

    fn console_mut(&mut self) -> Option<&mut Console<'b, B>> {
        self.console.as_mut().filter(|_| F::CONSOLE)
    }
}

impl<B: UsbBus, F: Firmware<'static>, M: Memory, const HALTS: bool> UsbClass<B> for Disk<'_, B, F, M, HALTS> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        self.class.get_configuration_descriptors(writer)?;
        self.console().map_or(Ok(()), |console| console.get_configuration_descriptors(writer))
    }

    fn get_string(&self, index: StringIndex, language: LangID) -> Option<&str> {
        self.console()?.get_string(index, language)
    }

    fn reset(&mut self) {
        self.class.reset();
        if let Some(console) = self.console_mut() {
            console.reset();
        }
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        let Self { class, console, .. } = self;
        match console.as_mut().filter(|_| F::CONSOLE) {
            Some(console) if !class.is_addressed(xfer.request()) => console.control_in(xfer),
            _ => class.control_in(xfer),
        }
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        let Self { class, console, .. } = self;
        match console.as_mut().filter(|_| F::CONSOLE) {
            Some(console) if !class.is_addressed(xfer.request()) => {
                if is_set_configuration(xfer.request()) {
                    class.configured();
                }
                console.control_out(xfer);
            }
            _ => class.control_out(xfer),
        }
    }

    fn endpoint_in_complete(&mut self, address: EndpointAddress) {
        self.class.endpoint_in_complete(address);
    }

    fn poll(&mut self) {
        self.class.poll();
    }
}
