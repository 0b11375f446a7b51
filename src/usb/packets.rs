//! Shortcuts for single packets, which bypass the work that usb-device does for each event of the bus.
//!
//! During a READ, nearly every event is that one packet of mass storage was sent, and nothing else. A bus that can detect
//! that saves checking every endpoint and every class.

use super::class_watch::ClassWatch;
use crate::bot::PACKET_LENGTH;
use usb_device::endpoint::EndpointAddress;

/// What a bus does for a single packet, if the next poll would report this packet and nothing else. Otherwise it takes and
/// queues nothing, and the poll reports the packet. The default methods are for buses that cannot tell.
pub trait Packets {
    /// Takes the report that a packet of `address`, a bulk IN endpoint, was sent while another one is queued, and queues
    /// `packet` in its place.
    fn replace_sent(&self, address: EndpointAddress, packet: &[u8; PACKET_LENGTH]) -> bool {
        let _ = (address, packet);
        false
    }

    /// The same whether another packet is queued or not, and for a `packet` of any length; an empty one is not queued.
    fn take_sent(&self, address: EndpointAddress, packet: &[u8]) -> bool {
        let _ = (address, packet);
        false
    }

    /// Takes the packet that came for `address`, a bulk OUT endpoint, and returns its length.
    fn take_received(&self, address: EndpointAddress, packet: &mut [u8; PACKET_LENGTH]) -> Option<usize> {
        let _ = (address, packet);
        None
    }

    /// Removes the packets of `address`, a bulk IN endpoint, that the host has not fetched. The data toggle continues as if
    /// they had never been queued. A bus that cannot do that keeps them.
    fn withdraw(&self, address: EndpointAddress) {
        let _ = address;
    }

    /// From now on, `watch` follows endpoint 0. A bus that does not do that says nothing of classes that are missing, and does
    /// not know the endpoints of the application's interfaces.
    fn watch(&self, watch: ClassWatch) {
        let _ = watch;
    }

    /// The interface of a SET_INTERFACE request that was read, once.
    fn take_interface_set(&self) -> Option<u8> {
        None
    }

    /// Whether the endpoint belongs to the interface, as far as the bus has a [`ClassWatch`] that knows.
    fn is_endpoint_of(&self, address: EndpointAddress, interface: u8) -> bool {
        let _ = (address, interface);
        false
    }

    /// Whether a class has allocated `address`. The default is for buses that only have our own classes.
    fn has_endpoint(&self, address: EndpointAddress) -> bool {
        let _ = address;
        false
    }
}
