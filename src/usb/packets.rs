//! Single packets, past what usb-device does for each event of the bus.
//!
//! Most of what happens on the bus in a READ is one packet of mass storage that went, and nothing else. A bus that can tell so at
//! once spares the look at every endpoint and every class.

use crate::bot::PACKET_LENGTH;
use usb_device::endpoint::EndpointAddress;

/// What a bus does for one packet, if the next poll would report this packet and nothing else. Otherwise nothing is taken and
/// nothing handed over, and the poll reports it; which is all that a bus does that cannot tell.
pub trait Packets {
    /// Takes the report that a packet of `address`, a bulk IN endpoint, went to the host while another one waits, and hands over
    /// `packet` in the place of the one that went.
    fn replace_sent(&self, address: EndpointAddress, packet: &[u8; PACKET_LENGTH]) -> bool {
        let _ = (address, packet);
        false
    }

    /// The same whether another packet waits or not, and for a `packet` of any length; an empty one is not handed over.
    fn take_sent(&self, address: EndpointAddress, packet: &[u8]) -> bool {
        let _ = (address, packet);
        false
    }

    /// Takes the packet that came for `address`, a bulk OUT endpoint, and returns its length.
    fn take_received(&self, address: EndpointAddress, packet: &mut [u8; PACKET_LENGTH]) -> Option<usize> {
        let _ = (address, packet);
        None
    }

    /// Takes back the packets of `address`, a bulk IN endpoint, that the host has not fetched; the data toggle goes on as if they had
    /// never been there. A bus that cannot leaves them.
    fn withdraw(&self, address: EndpointAddress) {
        let _ = address;
    }
}
