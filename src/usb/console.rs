//! The console: a serial port (CDC-ACM) whose text comes from its owner.
//!
//! [`usbd_serial`] provides the descriptors and the class requests; packets are moved here. It supports SET_LINE_CODING and
//! SET_CONTROL_LINE_STATE without claiming so in its ACM descriptor (PSTN120 5.3.2), which no host minds.
//!
//! The port is open while the host's program sets DTR (PSTN120 6.3.12). That is a session: it ends when DTR is cleared,
//! when the bus is reset, and when the device is configured again. Nothing survives it: text that the host has not fetched
//! is dropped, including what is in the controller already, and so is input that was not read.
//!
//! While the port is closed, and for [`HOLD`] after it was opened, no text is taken: until the program that opened it has
//! set raw mode, a terminal driver such as Linux's echoes everything. No call ever waits: each returns how much was taken,
//! and the caller decides what to do with the rest.

use super::bulk_only::HaltFeature;
use super::is_set_configuration;
use crate::clock::Instant;
use core::time::Duration;
use usb_device::Result;
use usb_device::bus::{StringIndex, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::descriptor::DescriptorWriter;
use usb_device::descriptor::lang_id::LangID;
use usb_device::endpoint::EndpointAddress;
use usbd_serial::CdcAcmClass;

/// Maximum packet length of the bulk endpoints.
const PACKET_LENGTH: usize = 64;

/// Length of the text that is collected for a packet. One byte less than a full packet: a short packet ends the transfer
/// (USB 2.0 5.8.3), so the host shows the text immediately and no empty packet has to follow.
const STAGED_LENGTH: usize = PACKET_LENGTH - 1;

/// How long a port is silent after it was opened: programs set raw mode within a few milliseconds.
pub const HOLD: Duration = Duration::from_millis(100);

/// What a terminal shows first: this, the serial number, and a line ending.
const GREETING: &str = concat!("PicoVD ", env!("CARGO_PKG_VERSION"), ", board ");
const END_OF_LINE: &str = "\r\n";

// Even with the longest serial number that a manifest can set (32 digits), it fits into the console's buffer.
const _: () = assert!(GREETING.len() + 32 + END_OF_LINE.len() < STAGED_LENGTH);

/// Maximum number of unread packets in the controller.
const RECEIVED: usize = 2;

/// A serial port. It takes two interfaces, one interrupt and two bulk endpoints.
pub struct Console<'b, B: UsbBus> {
    class: CdcAcmClass<'b, B>,
    staged: [u8; STAGED_LENGTH],
    staged_length: usize,
    received: [u8; PACKET_LENGTH],
    /// The part of `received` that was not read yet.
    unread: core::ops::Range<usize>,
    /// Configured and not suspended: a packet may be sent.
    online: bool,
    /// The host has halted the bulk IN endpoint: a packet would end the halt.
    halted: bool,
    silence: Silence,
    /// A session has ended since the last call of `take_ended`.
    ended: bool,
    /// The controller may have a packet of a session that has ended.
    stale: bool,
}

/// Whether a port that was just opened is still silent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// It is not; or the port is closed.
    Over,
    /// It was opened since the last call of `tick`.
    Begins,
    Until(Instant),
}

impl<'b, B: UsbBus> Console<'b, B> {
    /// Allocates interfaces and endpoints of `alloc`.
    ///
    /// # Panics
    ///
    /// As in usb-device, if the bus has too few endpoints left: a mistake in the firmware that shows at its first boot.
    pub fn new(alloc: &'b UsbBusAllocator<B>) -> Self {
        Self {
            class: CdcAcmClass::new(alloc, PACKET_LENGTH as u16),
            staged: [0; STAGED_LENGTH],
            staged_length: 0,
            received: [0; PACKET_LENGTH],
            unread: 0..0,
            online: false,
            halted: false,
            silence: Silence::Over,
            ended: false,
            stale: false,
        }
    }

    /// Whether a program on the host has the port open (DTR).
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.class.dtr()
    }

    /// Sends text to the host. Returns how many bytes of it were taken: up to a few packets' worth, 0 while the port is
    /// closed and for [`HOLD`] after it was opened.
    ///
    /// Bytes are sent in order. Those that the host has not fetched are lost when the port is closed, the bus is reset or
    /// the endpoint is halted.
    pub fn write(&mut self, text: &[u8]) -> usize {
        if !self.is_open() || self.silence != Silence::Over {
            return 0;
        }
        let mut rest = text;
        loop {
            rest = rest.get(self.stage(rest)..).unwrap_or(&[]);
            if !self.send() || rest.is_empty() {
                return text.len() - rest.len();
            }
        }
    }

    /// Reads what the host has sent. Returns the number of bytes stored in `out`, 0 if there are none.
    ///
    /// The host waits until they are read: no byte is lost.
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < out.len() {
            if self.unread.is_empty() {
                // WouldBlock is the only error of an endpoint that exists.
                let length = self.class.read_packet(&mut self.received).unwrap_or(0);
                self.unread = 0..length;
                // An empty packet ends a transfer. If another packet follows it, that one's event leads to another call.
                if length == 0 {
                    break;
                }
            }
            let bytes = self.received.get(self.unread.clone()).unwrap_or(&[]);
            let mut moved = 0;
            for (to, from) in out.iter_mut().skip(filled).zip(bytes) {
                *to = *from;
                moved += 1;
            }
            self.unread.start += moved;
            filled += moved;
        }
        filled
    }

    /// Reads one packet from the host directly, without buffering it here. Returns its length, 0 if there is none. It does
    /// not return the rest of a packet that [`read`](Self::read) has started.
    pub fn read_packet(&mut self, out: &mut [u8; PACKET_LENGTH]) -> usize {
        // WouldBlock is the only error of an endpoint that exists.
        self.class.read_packet(out).unwrap_or(0)
    }

    /// Appends text to the packet being collected, as far as it fits. Returns how many bytes of it were taken.
    fn stage(&mut self, text: &[u8]) -> usize {
        let room = self.staged.get_mut(self.staged_length..).unwrap_or(&mut []);
        let length = text.len().min(room.len());
        for (to, from) in room.iter_mut().zip(text) {
            *to = *from;
        }
        self.staged_length += length;
        length
    }

    /// Whether a session has ended since the last call: an unfinished line of its host must be dropped.
    pub fn take_ended(&mut self) -> bool {
        core::mem::take(&mut self.ended)
    }

    /// Whether the controller may contain a packet of a session that has ended since the last call.
    pub(crate) fn take_stale(&mut self) -> bool {
        core::mem::take(&mut self.stale)
    }

    /// When a port that was opened stops being silent.
    #[inline]
    pub(crate) fn silent_until(&self) -> Option<Instant> {
        match self.silence {
            Silence::Until(moment) => Some(moment),
            Silence::Over | Silence::Begins => None,
        }
    }

    /// Passes the time. A port that was opened is silent for [`HOLD`], and then greets with the device's serial number. Returns when
    /// to call it again, if at all.
    pub(crate) fn tick(&mut self, now: Instant, serial: &str) -> Option<Instant> {
        match self.silence {
            Silence::Begins => self.silence = Silence::Until(now + HOLD),
            Silence::Until(moment) if moment <= now => {
                self.silence = Silence::Over;
                // The port was silent, so nothing is staged and the greeting fits.
                for piece in [GREETING, serial, END_OF_LINE] {
                    self.stage(piece.as_bytes());
                }
                self.send();
            }
            _ => {}
        }
        self.silent_until()
    }

    /// The address of the endpoint that sends text.
    pub(crate) fn in_address(&self) -> EndpointAddress {
        self.class.write_ep().address()
    }

    /// Called after each poll of the USB device with whether it is configured and not suspended. Sends what is waiting if
    /// possible.
    pub(crate) fn set_online(&mut self, online: bool) {
        self.online = online;
        self.send();
    }

    /// Hands the collected text to the controller. Returns whether the controller took some.
    fn send(&mut self) -> bool {
        let Some(packet) = self.staged.get(..self.staged_length).filter(|packet| !packet.is_empty()) else {
            return false;
        };
        let sent = self.online && !self.halted && self.class.write_packet(packet).is_ok();
        if sent {
            self.staged_length = 0;
        }
        sent
    }

    /// Drops everything that host and owner have not read yet.
    fn end_session(&mut self) {
        self.ended = true;
        self.silence = Silence::Over;
        self.staged_length = 0;
        self.unread = 0..0;
    }

    /// The endpoint for notifications, the only one of the first interface, assuming that the bus numbers endpoints in order.
    /// usbd-serial does not expose it; it allocates it before the bulk endpoints.
    pub(super) fn notification_address(&self) -> EndpointAddress {
        u8::from(self.class.write_ep().address()).saturating_sub(1).into()
    }

    /// The endpoint for packets from the host.
    pub(super) fn out_address(&self) -> EndpointAddress {
        self.class.read_ep().address()
    }

    /// SET_CONFIGURATION, and SET_INTERFACE of the data interface, end halts and reset the data toggles to DATA0 (USB 2.0
    /// 9.1.1.5). This is for the bulk endpoints.
    pub(super) fn configured(&mut self) {
        if self.class.dtr() {
            self.end_session();
            self.stale = true;
            self.class.reset();
        }
        self.halted = false;
        self.class.read_ep().unstall();
        self.class.write_ep().unstall();
    }
}

impl<B: UsbBus> UsbClass<B> for Console<'_, B> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        self.class.get_configuration_descriptors(writer)
    }

    fn get_string(&self, index: StringIndex, language: LangID) -> Option<&str> {
        self.class.get_string(index, language)
    }

    fn reset(&mut self) {
        self.class.reset();
        self.end_session();
        self.online = false;
        self.halted = false;
        // The bus has emptied the endpoint.
        self.stale = false;
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        self.class.control_in(xfer);
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        let request = *xfer.request();
        if is_set_configuration(&request) {
            self.configured();
        } else if let Some(feature) =
            HaltFeature::of(&request).filter(|f| f.endpoint == self.class.write_ep().address())
        {
            // The device itself carries it out.
            self.halted = feature.set;
        }
        let was_open = self.class.dtr();
        self.class.control_out(xfer);
        match (was_open, self.class.dtr()) {
            (false, true) => self.silence = Silence::Begins,
            (true, false) => {
                self.end_session();
                self.stale = true;
                for _ in 0..RECEIVED {
                    // Drops what came before DTR was cleared. WouldBlock is the only error of an endpoint that exists.
                    if self.class.read_packet(&mut self.received).is_err() {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
}
