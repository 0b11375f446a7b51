//! Follows the descriptors that a host reads: whether the application polls the classes that it has allocated, in that order, and
//! which endpoints an interface has.
//!
//! usb-device asks the classes that are polled for their descriptors, and shows them to nobody but the host. A class that is left
//! out, or that comes too early, makes a device that hosts refuse or that their drivers confuse, and nobody would know why.

use usb_device::endpoint::EndpointAddress;

/// bDescriptorType (USB 2.0 table 9-5).
mod descriptor {
    pub const CONFIGURATION: u8 = 2;
    pub const INTERFACE: u8 = 4;
    pub const ENDPOINT: u8 = 5;
}

/// GET_DESCRIPTOR from a device: bmRequestType and bRequest.
const GET_DESCRIPTOR: [u8; 2] = [0x80, 6];
/// The same of SET_INTERFACE.
const SET_INTERFACE: [u8; 2] = [0x01, 11];

/// Endpoint numbers of a direction, apart from 0.
const NUMBERS: usize = 15;

/// What the configuration's descriptors say of a device with classes of the application.
#[derive(Clone, Copy, Debug)]
pub struct ClassWatch {
    /// Number of interfaces that were allocated.
    interfaces: u8,
    /// The host reads the configuration.
    reads: bool,
    /// Offset in the current descriptor, and the number of bytes that are left of it.
    offset: u8,
    left: u8,
    kind: u8,
    /// The number that the next interface has.
    next: u8,
    /// The interface that was set last.
    set: Option<u8>,
    /// For each IN and OUT endpoint, the interface that it belongs to, plus one.
    owners: [[u8; NUMBERS]; 2],
}

impl ClassWatch {
    /// Of a device with that many interfaces.
    #[must_use]
    pub const fn new(interfaces: u8) -> Self {
        let owners = [[0; NUMBERS]; 2];
        Self { interfaces, reads: false, offset: 0, left: 0, kind: 0, next: 0, set: None, owners }
    }

    /// A packet of endpoint 0: SETUP, or one that the device sends.
    ///
    /// # Panics
    ///
    /// If the descriptors are not those of all classes in their order.
    pub fn follow(&mut self, packet: &[u8], is_setup: bool) {
        if is_setup {
            let reads = packet.starts_with(&GET_DESCRIPTOR) && packet.get(3) == Some(&descriptor::CONFIGURATION);
            let set = packet.get(4).copied().filter(|_| packet.starts_with(&SET_INTERFACE));
            *self = Self { reads, offset: 0, left: 0, next: 0, set, ..*self };
        } else if self.reads {
            let right = packet.iter().all(|byte| self.takes(*byte));
            assert!(right, "USB classes: give poll_with or serve! all that were allocated, in the same order");
        }
    }

    /// Whether the descriptors' next byte is right.
    fn takes(&mut self, byte: u8) -> bool {
        if self.left == 0 {
            (self.offset, self.left) = (0, byte.max(1));
        }
        let offset = self.offset;
        self.offset = offset.saturating_add(1);
        self.left -= 1;
        match (offset, self.kind) {
            (1, _) => self.kind = byte,
            // bNumInterfaces: usb-device counts those that it was given.
            (4, descriptor::CONFIGURATION) => return byte == self.interfaces,
            // bInterfaceNumber: the next one, or another setting of the same.
            (2, descriptor::INTERFACE) if byte == self.next => self.next = byte.saturating_add(1),
            (2, descriptor::INTERFACE) => return byte.saturating_add(1) == self.next,
            (2, descriptor::ENDPOINT) => {
                let next = self.next;
                if let Some(owner) = self.owner(EndpointAddress::from(byte)) {
                    *owner = next;
                }
            }
            _ => {}
        }
        true
    }

    /// The interface of a SET_INTERFACE request, once.
    pub fn take_set(&mut self) -> Option<u8> {
        self.set.take()
    }

    fn owner(&mut self, address: EndpointAddress) -> Option<&mut u8> {
        let [ins, outs] = &mut self.owners;
        let numbers = if address.is_in() { ins } else { outs };
        numbers.get_mut(address.index().checked_sub(1)?)
    }

    /// Whether an endpoint belongs to an interface, as the host has read.
    #[must_use]
    pub fn is_of(&mut self, address: EndpointAddress, interface: u8) -> bool {
        self.owner(address).is_some_and(|owner| owner.checked_sub(1) == Some(interface))
    }
}
