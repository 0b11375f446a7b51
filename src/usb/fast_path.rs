//! Shortcuts for packets of mass storage, which bypass the work that usb-device does for each event of the bus.

use super::bulk_only::{BulkOnly, Waiting};
use super::packets::Packets;
use crate::bot::CommandSet;
use usb_device::bus::UsbBus;

/// Mass storage and its bus, for one packet. Each call returns whether that packet was the only event on the bus: then
/// there is nothing to poll.
pub struct FastPath<'c, 'b, B: UsbBus, S> {
    pub(super) transport: &'c mut BulkOnly<'b, B, S>,
    pub(super) bus: &'c B,
}

impl<B: UsbBus + Packets, S: CommandSet> FastPath<'_, '_, B, S> {
    /// If a packet was sent to the host, queues the next one: the most frequent case in a READ.
    #[inline]
    pub fn send_next(&mut self) -> bool {
        let replaced = match self.transport.waiting() {
            Some(Waiting::Full(packet)) => self.bus.replace_sent(self.transport.in_address(), packet),
            _ => false,
        };
        if replaced {
            self.transport.replaced();
        }
        replaced
    }

    /// The same if the next packet is the status or none.
    #[inline]
    pub fn send_last(&mut self) -> bool {
        let taken = match self.transport.waiting() {
            Some(Waiting::Part(packet)) => self.bus.take_sent(self.transport.in_address(), packet),
            _ => false,
        };
        if taken {
            self.transport.replaced_by_part();
        }
        taken
    }

    /// If a packet came from the host, most likely a command, takes it: the host requests the command's data immediately.
    #[inline]
    pub fn receive(&mut self) -> bool {
        let (address, bus) = (self.transport.out_address(), self.bus);
        self.transport.received(|packet| bus.take_received(address, packet))
    }
}
