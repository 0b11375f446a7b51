//! The console: a serial port (CDC-ACM) whose text comes from its owner.
//!
//! [`usbd_serial`] has the descriptors and the class requests; packets are moved here. It offers SET_LINE_CODING and
//! SET_CONTROL_LINE_STATE without saying so in its ACM descriptor (PSTN120 5.3.2), which hosts do not mind.
//!
//! The port is open while the host's program holds DTR (PSTN120 6.3.12). That is a session: it ends when DTR falls, when the bus is
//! reset and when the device is configured again, and nothing outlives it. Text that the host has not fetched is gone then, also
//! what the controller has already, and so is what the host has sent and nobody has read.
//!
//! Nothing is taken from the owner while the port is closed, nor for [`HOLD`] after it was opened: until the program that opened it
//! has put it into raw mode, a terminal driver such as Linux's sends everything back. Nothing ever waits: how much was taken is
//! the answer, and what to do with the rest is the owner's affair.

use super::bulk_only::HaltFeature;
use super::chapter9::Owned;
use super::is_set_configuration;
use crate::clock::{Instant, Milliseconds};
use usb_device::Result;
use usb_device::bus::{StringIndex, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::descriptor::DescriptorWriter;
use usb_device::descriptor::lang_id::LangID;
use usb_device::endpoint::EndpointAddress;
use usbd_serial::CdcAcmClass;

/// Longest packet of the bulk endpoints.
const PACKET_LENGTH: usize = 64;

/// Text that waits for its packet. One byte short of a full packet: a short packet ends the transfer (USB 2.0 5.8.3), so that
/// the host shows the text at once and no empty packet has to follow.
const STAGED_LENGTH: usize = PACKET_LENGTH - 1;

/// How long a port is silent after it was opened: programs put it into raw mode within some milliseconds.
pub const HOLD: Milliseconds = Milliseconds(100);

/// Packets that may wait in the controller for somebody who reads them, at most.
const RECEIVED: usize = 2;

/// A serial port. It takes two interfaces, one interrupt and two bulk endpoints.
pub struct Console<'b, B: UsbBus> {
    class: CdcAcmClass<'b, B>,
    staged: [u8; STAGED_LENGTH],
    staged_length: usize,
    received: [u8; PACKET_LENGTH],
    /// What of `received` is not read yet.
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

/// Whether a port that was opened is still silent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Silence {
    /// It is not; or the port is closed.
    Over,
    /// It was opened since the last call of `tick`.
    Begins,
    Until(Instant),
}

impl<'b, B: UsbBus> Console<'b, B> {
    /// Takes interfaces and endpoints of `alloc`.
    ///
    /// # Panics
    ///
    /// As usb-device has it, when the bus has too few endpoints left: a mistake in the firmware that shows at its first boot.
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

    /// Gives text to the host. Returns how many bytes of it were taken: up to some packets' worth, 0 while the port is closed and
    /// for [`HOLD`] after it was opened.
    ///
    /// Bytes taken come out in order. They are lost when the port is closed, the bus reset or the endpoint halted before the host
    /// fetches them.
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

    /// Takes what the host has sent. Returns how many bytes of `out` were filled, 0 when there are none.
    ///
    /// The host waits while nobody reads: no byte is lost.
    pub fn read(&mut self, out: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < out.len() {
            if self.unread.is_empty() {
                // WouldBlock is the only error of an endpoint that exists.
                let length = self.class.read_packet(&mut self.received).unwrap_or(0);
                self.unread = 0..length;
                // An empty packet ends a transfer; the next one may wait after it, and its event calls again.
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

    /// Takes one packet of what the host has sent, without a copy of it here. Returns its length, 0 when there is none. What
    /// [`read`](Self::read) has begun it does not see.
    pub fn read_packet(&mut self, out: &mut [u8; PACKET_LENGTH]) -> usize {
        // WouldBlock is the only error of an endpoint that exists.
        self.class.read_packet(out).unwrap_or(0)
    }

    /// Puts text after what waits for its packet, as far as there is room. Returns how many bytes of it were taken.
    pub(super) fn stage(&mut self, text: &[u8]) -> usize {
        let room = self.staged.get_mut(self.staged_length..).unwrap_or(&mut []);
        let length = text.len().min(room.len());
        for (to, from) in room.iter_mut().zip(text) {
            *to = *from;
        }
        self.staged_length += length;
        length
    }

    /// Whether a session has ended since the last call: what its host had begun to say is void.
    pub fn take_ended(&mut self) -> bool {
        core::mem::take(&mut self.ended)
    }

    /// Whether the controller may have a packet of a session that has ended, since the last call.
    pub(super) fn take_stale(&mut self) -> bool {
        core::mem::take(&mut self.stale)
    }

    /// When a port that was opened is no longer silent.
    #[inline]
    pub(super) fn silent_until(&self) -> Option<Instant> {
        match self.silence {
            Silence::Until(moment) => Some(moment),
            Silence::Over | Silence::Begins => None,
        }
    }

    /// Tells the time. True once for each session: the port may speak now.
    pub(super) fn tick(&mut self, now: Instant) -> bool {
        match self.silence {
            Silence::Begins => self.silence = Silence::Until(now.after(HOLD)),
            Silence::Until(moment) if moment <= now => {
                self.silence = Silence::Over;
                return true;
            }
            _ => {}
        }
        false
    }

    /// The address of the endpoint that text goes through.
    pub(super) fn in_address(&self) -> EndpointAddress {
        self.class.write_ep().address()
    }

    /// After each poll of the USB device: whether it is configured and not suspended. What waits is sent when it can be.
    pub(super) fn set_online(&mut self, online: bool) {
        self.online = online;
        self.send();
    }

    /// Hands the staged text to the controller. Returns whether it took some.
    pub(super) fn send(&mut self) -> bool {
        let Some(packet) = self.staged.get(..self.staged_length).filter(|packet| !packet.is_empty()) else {
            return false;
        };
        let sent = self.online && !self.halted && self.class.write_packet(packet).is_ok();
        if sent {
            self.staged_length = 0;
        }
        sent
    }

    /// Forgets what host and owner have said to each other.
    fn end_session(&mut self) {
        self.ended = true;
        self.silence = Silence::Over;
        self.staged_length = 0;
        self.unread = 0..0;
    }

    /// Its endpoints with their interfaces, where it was the first to take `interface` and the one after it, and the bus gives
    /// numbers in turn: usbd-serial, which takes the notification endpoint before the bulk endpoints, keeps it to itself.
    pub(super) fn endpoints(&self, interface: u8) -> [Owned; 3] {
        let bulk_in = u8::from(self.class.write_ep().address());
        let bulk_out = u8::from(self.class.read_ep().address());
        [(bulk_in.saturating_sub(1), interface), (bulk_in, interface + 1), (bulk_out, interface + 1)]
    }

    /// SET_CONFIGURATION, and SET_INTERFACE of the data interface, end halts and bring the data toggles back to DATA0 (USB 2.0
    /// 9.1.1.5), of the bulk endpoints here.
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
                    // What came before DTR fell. WouldBlock is the only error of an endpoint that exists.
                    if self.class.read_packet(&mut self.received).is_err() {
                        break;
                    }
                }
            }
            _ => {}
        }
    }
}
