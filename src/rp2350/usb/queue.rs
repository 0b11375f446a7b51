//! IN endpoints, and the two packet buffers of bulk IN endpoints.
//!
//! The controller alternates between the buffers (section 12.7.3.7): the processor fills one while the other is on the
//! wire. Both sides count whose turn it is; whenever the controller has no buffer, both start with the first one again.
//! Each sent packet is reported once, even if BUFF_STATUS reports two packets together.

use super::super::processor;
use super::super::usb_endpoint::{
    Buffer, BufferControl, Endpoint, PACKET_LENGTH, available, copy_to_dpram, swap_in_dpram,
};
use super::Controller;
use usb_device::endpoint::EndpointAddress;
use usb_device::{Result, UsbDirection, UsbError};

/// State of the double-buffered endpoints; bits and array indexes are endpoint numbers.
pub(super) struct Queues {
    /// The second buffer is the next to be filled.
    second: u16,
    /// Packets handed to the controller whose completion was not reported yet.
    packets: [u8; 16],
    /// Endpoints for which one more completion has to be reported: both packets had been sent when the first was reported.
    owed: u16,
}

impl Queues {
    pub(super) const fn new() -> Self {
        Self { second: 0, packets: [0; 16], owed: 0 }
    }

    /// Whether there are completions to be reported that BUFF_STATUS may not show.
    pub(super) fn owe(&self) -> bool {
        self.owed != 0
    }

    /// The packets of an endpoint were taken back.
    pub(super) fn forget(&mut self, index: usize) {
        self.owed &= !(1 << index);
        if let Some(packets) = self.packets.get_mut(index) {
            *packets = 0;
        }
    }

    /// A buffer, the first or the second one, was filled.
    fn filled(&mut self, bit: u16, second: bool) {
        self.second = if second { self.second & !bit } else { self.second | bit };
    }
}

impl Controller {
    pub(super) fn write(&mut self, address: EndpointAddress, packet: &[u8]) -> Result<usize> {
        let endpoint = self.endpoint(address)?;
        if packet.len() > PACKET_LENGTH {
            return Err(UsbError::BufferOverflow);
        }
        if address.index() == 0 {
            return self.write_control(packet);
        }
        let bit = 1 << address.index();
        let control = BufferControl::of(address);
        let word = control.read();
        // Before a configuration is set, nothing is sent (USB 2.0 9.1.1.5).
        if word & BufferControl::STALL != 0 || self.in_use & bit == 0 {
            return Err(UsbError::WouldBlock);
        }
        let (half, start) = match (endpoint.double, available(word)) {
            (_, 0) => (0, if endpoint.double { BufferControl::RESET } else { 0 }),
            (true, 1) => (usize::from(self.queues.second & bit != 0), 0),
            _ => return Err(UsbError::WouldBlock),
        };
        if word >> (16 * half) & BufferControl::AVAILABLE != 0 {
            return Err(UsbError::WouldBlock);
        }
        let fields = packet.len() as u32 | BufferControl::FULL | pid(self.in_toggles & bit != 0);
        control.write_half(half, fields);
        copy_to_dpram(packet, Buffer(endpoint.buffer.0 + (half * PACKET_LENGTH) as u16));
        if packet.len() < PACKET_LENGTH {
            // Copying a whole packet takes longer than the wait in `give`.
            processor::delay(12);
        }
        self.in_toggles ^= bit;
        if endpoint.double {
            self.queues.filled(bit, half != 0);
            if let Some(packets) = self.queues.packets.get_mut(address.index()) {
                *packets = packets.saturating_add(1);
            }
        }
        control.write_half(half, fields | start | BufferControl::AVAILABLE);
        Ok(packet.len())
    }

    /// As [`Packets::withdraw`](super::Packets::withdraw).
    pub(super) fn withdraw(&mut self, address: EndpointAddress) {
        let halted = BufferControl::of(address).read() & BufferControl::STALL != 0;
        if halted || self.table.get(address).is_none() {
            return;
        }
        let left = available(self.take_back(address));
        if left & 1 != 0 {
            self.in_toggles ^= 1 << address.index();
        }
    }

    /// As [`Packets::replace_sent`](super::Packets::replace_sent). This is the fast path for each packet of a READ, so it
    /// leaves out everything that only other endpoints need.
    #[inline(never)]
    pub(super) fn replace_sent(&mut self, address: EndpointAddress, packet: &[u8; PACKET_LENGTH]) -> bool {
        if !self.has_only(address) {
            return false;
        }
        let index = address.index();
        let (Some(endpoint), Some(2)) = (self.table.get(address), self.queues.packets.get(index)) else { return false };
        let bit = 1 << index;
        let half = usize::from(self.queues.second & bit != 0);
        let control = BufferControl::of(address);
        let word = control.read() >> (16 * half);
        if word & BufferControl::AVAILABLE != 0 || control.read() >> (16 * (half ^ 1)) & BufferControl::AVAILABLE == 0 {
            // Both were sent.
            return false;
        }
        self.take_report(address);
        let fields = PACKET_LENGTH as u32 | BufferControl::FULL | pid(self.in_toggles & bit != 0);
        control.write_half(half, fields);
        copy_to_dpram(packet, Buffer(endpoint.buffer.0 + (half * PACKET_LENGTH) as u16));
        self.in_toggles ^= bit;
        self.queues.second ^= bit;
        control.write_half(half, fields | BufferControl::AVAILABLE);
        true
    }

    /// As [`Packets::take_sent`](super::Packets::take_sent).
    #[inline(never)]
    pub(super) fn take_sent(&mut self, address: EndpointAddress, packet: &[u8]) -> bool {
        if !self.has_only(address) {
            return false;
        }
        let left = available(BufferControl::of(address).read());
        let Some(packets) = self.queues.packets.get_mut(address.index()).filter(|packets| **packets == left + 1) else {
            // Both were sent.
            return false;
        };
        *packets = left;
        self.take_report(address);
        if !packet.is_empty() {
            // It has room, since one was sent.
            let _ = self.write(address, packet);
        }
        true
    }

    /// Takes the IN endpoints that the controller reports as done, adds those that owe a report, and returns those for
    /// which to report a sent packet. Each packet is reported once, whether the controller reports two together or one
    /// after the other.
    pub(super) fn ended(&mut self, done: u16) -> u16 {
        let mut reported = done;
        let mut rest = (done | self.queues.owed) & self.table.double();
        while rest != 0 {
            let index = rest.trailing_zeros() as usize;
            let bit = 1 << index;
            rest &= !bit;
            let Some(packets) = self.queues.packets.get_mut(index) else { break };
            let word = BufferControl::of(EndpointAddress::from_parts(index, UsbDirection::In)).read();
            let ended = packets.saturating_sub(available(word));
            *packets -= ended.min(1);
            reported = if ended > 0 { reported | bit } else { reported & !bit };
            self.queues.owed = if ended > 1 { self.queues.owed | bit } else { self.queues.owed & !bit };
        }
        reported
    }

    /// CLEAR_FEATURE(ENDPOINT_HALT) resets the data toggle, halted or not (USB 2.0 9.4.5). Packets queued in an endpoint
    /// that was not halted stay, and start with DATA0.
    pub(super) fn clear_in_halt(&mut self, address: EndpointAddress, endpoint: Endpoint) {
        let bit = 1 << address.index();
        let control = BufferControl::of(address);
        self.in_toggles &= !bit;
        if control.read() & BufferControl::STALL != 0 {
            self.take_back(address);
            return;
        }
        let word = self.abort(address);
        let halves = [word & 0xFFFF, word >> 16];
        // If both are queued, the one to be filled next was filled first.
        let first = usize::from(match available(word) {
            0 => return,
            1 => word & BufferControl::AVAILABLE == 0,
            _ => endpoint.double && self.queues.second & bit != 0,
        });
        if first == 1 {
            swap_in_dpram(endpoint.buffer, Buffer(endpoint.buffer.0 + PACKET_LENGTH as u16));
        }
        for half in 0..2 {
            let Some(was) = halves.get(half ^ first).filter(|was| *was & BufferControl::AVAILABLE != 0) else { break };
            let start = if half == 0 && endpoint.double { BufferControl::RESET } else { 0 };
            let fields = was & BufferControl::LENGTH | BufferControl::FULL | pid(self.in_toggles & bit != 0);
            control.write_half(half, fields);
            processor::delay(12);
            control.write_half(half, fields | start | BufferControl::AVAILABLE);
            self.in_toggles ^= bit;
            self.queues.filled(bit, half != 0);
        }
    }
}

/// Buffer control's bit for a data toggle.
pub(super) fn pid(data1: bool) -> u32 {
    if data1 { BufferControl::DATA1 } else { 0 }
}
