//! usbd-storage's [`Transport`] on top of the Bulk-Only Transport machine: two bulk endpoints of 64 bytes.
//!
//! A few packets are always rendered in advance and staged, so that an endpoint that becomes free gets its next packet by a
//! copy: on a full-speed bus, the host's next IN token comes after 500 CPU cycles. A bus may queue several packets in an
//! endpoint; it then reports the end of each.

use crate::bot::{self, CommandSet, Direction, Halts, PACKET_LENGTH};
use core::convert::Infallible;
use usb_device::UsbError;
use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::class::ControlIn;
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::descriptor::DescriptorWriter;
use usb_device::endpoint::{EndpointAddress, EndpointIn, EndpointOut};
use usbd_storage::transport::{Transport, TransportError};

/// bInterfaceProtocol: Bulk-Only Transport (BOT 4.3).
pub const PROTOCOL_BULK_ONLY: u8 = 0x50;

/// Bulk-Only Mass Storage Reset (BOT 3.1).
pub const REQUEST_RESET: u8 = 0xFF;
/// Get Max LUN (BOT 3.2).
pub const REQUEST_GET_MAX_LUN: u8 = 0xFE;

/// Two bulk endpoints that carry a [`CommandSet`]. Where the bus does not halt endpoints as it should, `HALTS` is false: see
/// [`bot::PaddingTransport`].
pub struct BulkOnly<'b, B: UsbBus, S, const HALTS: bool = true> {
    endpoint_in: EndpointIn<'b, B>,
    endpoint_out: EndpointOut<'b, B>,
    machine: bot::Transport<HALTS>,
    set: S,
    stage: Stage,
    /// Number of packets in the IN endpoint.
    queued: u8,
    /// How many packets the IN endpoint has room for, as far as known: it has refused one more.
    room: u8,
    /// The packets in the IN endpoint are from before a Bulk-Only Mass Storage Reset: they are dropped when the host clears
    /// the endpoint's halt, and nothing is queued after them.
    stale: bool,
    /// The current halts of the endpoints.
    halted: Halts,
}

/// Number of packets rendered at a time. They share the command set's work of locating the data. Rendering all of them may
/// take no longer than two packets on the wire.
const STAGE_PACKETS: usize = 4;

/// Packets that wait for room in the endpoint, aligned so that words can be copied.
#[repr(align(4))]
struct Stage {
    bytes: [u8; STAGE_PACKETS * PACKET_LENGTH],
    /// The range that is left; empty if both are equal.
    start: usize,
    end: usize,
}

impl Stage {
    const fn new() -> Self {
        Self { bytes: [0; STAGE_PACKETS * PACKET_LENGTH], start: 0, end: 0 }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The next packet, if it has full length.
    #[inline]
    fn full_packet(&self) -> Option<&[u8; PACKET_LENGTH]> {
        self.bytes.get(self.start..self.end)?.first_chunk()
    }

    fn clear(&mut self) {
        (self.start, self.end) = (0, 0);
    }

    /// The next packet, or an empty slice.
    fn packet(&self) -> &[u8] {
        self.bytes.get(self.start..self.end.min(self.start + PACKET_LENGTH)).unwrap_or(&[])
    }
}

/// A packet that waits for room in the IN endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting<'a> {
    /// Of full length.
    Full(&'a [u8; PACKET_LENGTH]),
    /// Shorter; empty if there is none.
    Part(&'a [u8]),
}

impl<'b, B: UsbBus, S: CommandSet, const HALTS: bool> BulkOnly<'b, B, S, HALTS> {
    /// Takes two endpoints of `alloc`.
    ///
    /// # Panics
    ///
    /// As in usb-device, if the bus does not have two endpoints left: a mistake in the firmware that shows at its first
    /// boot.
    pub fn new(alloc: &'b UsbBusAllocator<B>, set: S) -> Self {
        Self {
            endpoint_in: alloc.bulk(PACKET_LENGTH as u16),
            endpoint_out: alloc.bulk(PACKET_LENGTH as u16),
            machine: bot::Transport::initial(),
            set,
            stage: Stage::new(),
            queued: 0,
            room: u8::MAX,
            stale: false,
            halted: Halts::default(),
        }
    }

    /// The command set.
    pub fn set(&self) -> &S {
        &self.set
    }

    /// The command set.
    pub fn set_mut(&mut self) -> &mut S {
        &mut self.set
    }

    /// Whether packets for the host are waiting or being sent: their end is an event of the bus.
    #[inline]
    pub fn is_sending(&self) -> bool {
        self.queued != 0 || !self.stage.is_empty()
    }

    /// The packet that will follow those in the IN endpoint; `None` if there are no packets in the endpoint, or if it has
    /// to wait for more than their end.
    #[inline]
    pub fn waiting(&self) -> Option<Waiting<'_>> {
        let ready = self.queued != 0 && !self.stale && !self.halted.bulk_in;
        ready.then(|| self.stage.full_packet().map_or_else(|| Waiting::Part(self.stage.packet()), Waiting::Full))
    }

    /// The host took a packet from the IN endpoint, nothing else has happened, and the bus has already replaced it by the
    /// one that [`waited`](Self::waiting).
    #[inline]
    pub fn replaced(&mut self) {
        self.stage.start += PACKET_LENGTH;
        if self.stage.is_empty() {
            self.render();
        }
    }

    /// The same if the packet that waited was not of full length, or if there was none.
    #[inline(never)]
    pub fn replaced_by_part(&mut self) {
        if self.stage.is_empty() {
            self.queued = self.queued.saturating_sub(1);
        } else {
            self.stage.clear();
            self.render();
        }
        if self.queued == 0 {
            // As in `poll`.
            let _ = self.exchange();
        }
    }

    /// The endpoint for packets to the host.
    pub fn in_address(&self) -> EndpointAddress {
        self.endpoint_in.address()
    }

    /// The endpoint for packets from the host.
    pub fn out_address(&self) -> EndpointAddress {
        self.endpoint_out.address()
    }

    /// The host has taken an IN packet.
    pub fn in_complete(&mut self, address: EndpointAddress) {
        if address == self.endpoint_in.address() {
            self.queued = self.queued.saturating_sub(1);
            self.stale &= self.queued != 0;
        }
    }

    /// Bulk-Only Mass Storage Reset (BOT 3.1). Halts and toggles are unchanged until the host clears them.
    pub fn bulk_only_reset(&mut self) {
        self.machine.bulk_only_reset(&mut self.set);
        self.stage.clear();
        self.stale = self.queued != 0;
        // A packet that waits in the endpoint was sent before the reset: it is not the next CBW.
        let _ = self.endpoint_out.read(&mut [0; PACKET_LENGTH]);
    }

    /// A configuration was set: ready for the next CBW, nothing halted, both data toggles DATA0 (USB 2.0 9.1.1.5).
    pub fn configured(&mut self) {
        self.bulk_only_reset();
        for direction in [Direction::In, Direction::Out] {
            self.machine.halt_cleared(direction);
            self.unstall(direction);
        }
    }

    /// SET_FEATURE or CLEAR_FEATURE of ENDPOINT_HALT for one of our endpoints (USB 2.0 9.4.5, 9.4.9). Returns false if the
    /// endpoint is not ours.
    ///
    /// After an invalid CBW, halts stay until reset recovery (BOT 5.3.4), so clearing one succeeds without effect.
    pub fn feature_halt(&mut self, feature: HaltFeature) -> bool {
        let direction = if feature.endpoint == self.endpoint_in.address() {
            Direction::In
        } else if feature.endpoint == self.endpoint_out.address() {
            Direction::Out
        } else {
            return false;
        };
        if feature.set {
            self.machine.halted_by_host(direction);
            self.stall(direction);
        } else if self.machine.halt_cleared(direction) {
            self.unstall(direction);
        }
        true
    }

    #[inline(never)]
    fn stall(&mut self, direction: Direction) {
        match direction {
            Direction::In => {
                self.halted.bulk_in = true;
                self.queued = 0;
                self.stale = false;
                self.endpoint_in.stall();
            }
            Direction::Out => {
                self.halted.bulk_out = true;
                self.endpoint_out.stall();
            }
        }
    }

    /// Ends a halt: the bus resets the data toggle, and drops a packet that the halt has blocked.
    fn unstall(&mut self, direction: Direction) {
        match direction {
            Direction::In => {
                if self.stale {
                    self.stall(Direction::In);
                }
                self.halted.bulk_in = false;
                self.endpoint_in.unstall();
            }
            Direction::Out => {
                self.halted.bulk_out = false;
                self.endpoint_out.unstall();
            }
        }
    }

    /// Called by a bus that has found out itself that a packet came for the OUT endpoint and nothing else has happened.
    /// Returns false, without taking the packet, while no packet is wanted or the last reply is still being sent.
    #[inline]
    pub fn received(&mut self, take: impl FnOnce(&mut [u8; PACKET_LENGTH]) -> Option<usize>) -> bool {
        let ready = self.stage.is_empty() && self.machine.wants_packet();
        let Some(packet) = self.stage.bytes.first_chunk_mut().filter(|_| ready) else { return false };
        let Some(length) = take(packet) else { return false };
        self.machine.receive(packet.get(..length).unwrap_or(packet), &mut self.set);
        // As in `poll`.
        let _ = self.exchange();
        true
    }

    /// Moves packets until neither the bus nor the machine has anything left to do.
    fn exchange(&mut self) -> Result<(), UsbError> {
        loop {
            self.send()?;
            self.halt();
            if !self.machine.wants_packet() || !self.receive()? {
                return Ok(());
            }
        }
    }

    /// Hands the OUT packet that waits, if any, to the machine. Not inlined, like `render`: sending a data packet to the
    /// host is a short path, handling a command is not.
    #[inline(never)]
    fn receive(&mut self) -> Result<bool, UsbError> {
        let mut packet = [0; PACKET_LENGTH];
        match self.endpoint_out.read(&mut packet) {
            Ok(length) => {
                self.machine.receive(packet.get(..length).unwrap_or(&packet), &mut self.set);
                Ok(true)
            }
            Err(UsbError::WouldBlock) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Fills the stage. Returns false if there is nothing to send.
    ///
    /// While the endpoint is empty, the host waits, so it gets the first packet as soon as possible. While one packet is on
    /// the wire, there is time for two, and then for the whole stage.
    #[inline(never)]
    fn render(&mut self) -> bool {
        let packets = STAGE_PACKETS >> 2u8.saturating_sub(self.queued);
        let length = packets * PACKET_LENGTH;
        let buffer = self.stage.bytes.get_mut(..length).unwrap_or_default();
        let Some(length) = self.machine.transmit(buffer, &mut self.set) else { return false };
        (self.stage.start, self.stage.end) = (0, length);
        true
    }

    /// Fills the IN endpoint, then the stage.
    fn send(&mut self) -> Result<(), UsbError> {
        loop {
            if self.stage.is_empty() && !self.render() {
                return Ok(());
            }
            if self.queued >= self.room || self.stale || self.halted.bulk_in {
                return Ok(());
            }
            let packet = self.stage.packet();
            match self.endpoint_in.write(packet) {
                Ok(_) => {
                    self.stage.start += packet.len();
                    self.queued += 1;
                }
                Err(UsbError::WouldBlock) => {
                    // An empty endpoint that refuses is not full but not ready: it is tried again.
                    if self.queued != 0 {
                        self.room = self.queued;
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Halts the endpoints that the machine wants halted. The IN endpoint must be empty first: a halt would discard its
    /// packet.
    fn halt(&mut self) {
        let wanted = self.machine.halts();
        if wanted.bulk_out && !self.halted.bulk_out {
            self.stall(Direction::Out);
        }
        if wanted.bulk_in && !self.halted.bulk_in && self.queued == 0 && self.stage.is_empty() {
            self.stall(Direction::In);
        }
    }
}

impl<B: UsbBus, S: CommandSet, const HALTS: bool> Transport for BulkOnly<'_, B, S, HALTS> {
    const PROTO: u8 = PROTOCOL_BULK_ONLY;
    type Bus = B;
    type Error = Infallible;

    fn get_endpoint_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<(), UsbError> {
        writer.endpoint(&self.endpoint_in)?;
        writer.endpoint(&self.endpoint_out)
    }

    fn reset(&mut self) {
        self.machine.bus_reset(&mut self.set);
        self.stage.clear();
        self.queued = 0;
        self.stale = false;
        self.halted = Halts::default();
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        let _ = match *xfer.request() {
            // wValue 0 and wLength 1 (BOT 3.2). A device with one unit may answer STALL, but hosts log that.
            Request { request: REQUEST_GET_MAX_LUN, value: 0, length: 1, .. } => {
                let max_lun = self.machine.max_lun(&self.set);
                xfer.accept_with(&[max_lun])
            }
            _ => xfer.reject(),
        };
    }

    fn poll(&mut self) -> Result<(), TransportError<Infallible>> {
        self.exchange().map_err(TransportError::Usb)
    }
}

/// A request to set or clear ENDPOINT_HALT (USB 2.0 9.4.1, 9.4.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HaltFeature {
    /// Which endpoint.
    pub endpoint: EndpointAddress,
    /// True for SET_FEATURE, false for CLEAR_FEATURE.
    pub set: bool,
}

impl HaltFeature {
    /// The request, if it sets or clears an endpoint's halt.
    #[must_use]
    pub fn of(request: &Request) -> Option<Self> {
        let about_halt = request.request_type == RequestType::Standard
            && request.recipient == Recipient::Endpoint
            && request.value == Request::FEATURE_ENDPOINT_HALT;
        let set = match request.request {
            Request::SET_FEATURE => true,
            Request::CLEAR_FEATURE => false,
            _ => return None,
        };
        about_halt.then(|| Self { endpoint: (request.index as u8).into(), set })
    }
}
