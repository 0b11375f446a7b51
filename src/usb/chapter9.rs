//! The standard requests (USB 2.0 9.4) that usb-device leaves to the classes, in one place: a class without interfaces that
//! sees each request first.
//!
//! It refuses requests for an interface, endpoint, configuration or feature that does not exist, and requests that the
//! device's state does not allow (9.1.1.5). A refused request changes nothing, because no other class sees it. If a request
//! has to reset anything, it leaves an [`Effect`]. The code that polls the device applies it after the poll and before the host
//! gets the answer.
//!
//! If the standard does not specify the answer (a state in which a request is "not specified", a halt of endpoint 0), it is
//! STALL.

use super::{is_standard, ms_os_20};
use core::mem;
use usb_device::bus::UsbBus;
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, Request};
use usb_device::device::{CONFIGURATION_NONE, CONFIGURATION_VALUE, DEFAULT_ALTERNATE_SETTING};
use usb_device::endpoint::EndpointAddress;

/// A set of endpoints other than 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Bit n for IN endpoint n.
    ins: u16,
    /// Bit n for OUT endpoint n.
    outs: u16,
}

impl Endpoints {
    /// With `address` added.
    #[must_use]
    pub fn with(mut self, address: EndpointAddress) -> Self {
        let bit = 1 << (address.index() & 15);
        if address.is_in() {
            self.ins |= bit;
        } else {
            self.outs |= bit;
        }
        self
    }

    /// Whether `address`, as in wIndex of a request, is in the set.
    fn contains(self, address: u16) -> bool {
        let bits = if address & 0x80 == 0 { self.outs } else { self.ins };
        address & !0x8F == 0 && bits & 1 << (address & 15) != 0
    }

    /// Their addresses.
    pub fn addresses(self) -> impl Iterator<Item = EndpointAddress> {
        (1..16)
            .flat_map(|number| [number, number | 0x80])
            .filter(move |address| self.contains(*address))
            .map(|address| EndpointAddress::from(address as u8))
    }
}

/// bDescriptorType (USB 2.0 table 9-5, and 15 of USB 3.2).
mod descriptor {
    pub const DEVICE: u8 = 1;
    pub const STRING: u8 = 3;
    pub const BOS: u8 = 15;
}

/// The device's state (USB 2.0 9.1.1), not counting suspension.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum DeviceState {
    Default,
    Address,
    Configured,
}

/// What an accepted request resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// All endpoints are in use from now on, not halted, at DATA0 (USB 2.0 9.1.1.5).
    Configured,
    /// No endpoint except 0 is in use any more.
    Unconfigured,
    /// The endpoints of this interface are as after [`Effect::Configured`].
    Interface(u8),
    /// The device goes back to address 0 (USB 2.0 9.4.6).
    Unaddressed,
}

/// The interfaces of a device, which are numbered from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interfaces {
    /// Number of the stick's interfaces, which come first. They have one setting each.
    pub own: u8,
    /// Number of the application's interfaces. Their classes answer, and else usb-device.
    pub others: u8,
}

impl Interfaces {
    /// The number of all.
    pub fn all(self) -> u8 {
        self.own.saturating_add(self.others)
    }
}

/// The standard requests of a device with one configuration.
pub struct Chapter9 {
    interfaces: Interfaces,
    endpoints: Endpoints,
    /// Whether there is a BOS, which announces Microsoft's descriptors.
    windows: bool,
    state: DeviceState,
    effect: Option<Effect>,
}

impl Chapter9 {
    /// A device with these interfaces, and these endpoints in addition to 0.
    pub fn new(interfaces: Interfaces, endpoints: Endpoints, windows: bool) -> Self {
        Self { interfaces, endpoints, windows, state: DeviceState::Default, effect: None }
    }

    /// Returns the effect of the last request, once.
    #[inline]
    pub fn take_effect(&mut self) -> Option<Effect> {
        mem::take(&mut self.effect)
    }

    /// The device's interfaces.
    pub fn interfaces(&self) -> Interfaces {
        self.interfaces
    }

    /// The endpoints other than 0.
    pub fn endpoints(&self) -> Endpoints {
        self.endpoints
    }

    fn has_interface(&self, index: u16) -> bool {
        self.state == DeviceState::Configured && index < u16::from(self.interfaces.own)
    }

    /// Whether an interface of the application answers the request: one that its class may know, or that usb-device answers
    /// correctly.
    fn is_for_others(&self, request: &Request) -> bool {
        let Interfaces { own, others } = self.interfaces;
        request.recipient == Recipient::Interface
            && match request.request {
                Request::GET_INTERFACE | Request::GET_STATUS => request.value == 0,
                Request::SET_INTERFACE => request.length == 0,
                _ => true,
            }
            && self.state == DeviceState::Configured
            && (own.into()..u16::from(own) + u16::from(others)).contains(&request.index)
    }

    /// Whether wIndex names an endpoint in use, other than 0.
    fn has_endpoint(&self, index: u16) -> bool {
        self.state == DeviceState::Configured && self.endpoints.contains(index)
    }

    /// Whether a request for data is answered.
    fn answers(&self, request: &Request) -> bool {
        use Recipient::{Device, Endpoint, Interface};
        let &Request { value, index, .. } = request;
        let [index_of, kind] = value.to_le_bytes();
        match (request.recipient, request.request) {
            // In every state (9.4.3). Strings have an index and a language, the other descriptors exist once.
            (Device, Request::GET_DESCRIPTOR) => {
                kind == descriptor::STRING || kind >= descriptor::DEVICE && index_of == 0
            }
            (Device, Request::GET_CONFIGURATION | Request::GET_STATUS) => {
                self.state != DeviceState::Default && value == 0 && index == 0
            }
            (Interface, Request::GET_INTERFACE | Request::GET_STATUS) => value == 0 && self.has_interface(index),
            (Endpoint, Request::GET_STATUS) => value == 0 && self.has_endpoint(index),
            _ => false,
        }
    }

    /// Whether a request without data is carried out. Sets its effect.
    fn carries_out(&mut self, request: &Request) -> bool {
        use Recipient::{Device, Endpoint, Interface};
        let &Request { value, index, length, .. } = request;
        if length != 0 {
            return false;
        }
        match (request.recipient, request.request) {
            (Device, Request::SET_ADDRESS) if index == 0 && value < 128 && self.state != DeviceState::Configured => {
                if value != 0 {
                    self.state = DeviceState::Address;
                }
                true
            }
            (Device, Request::SET_CONFIGURATION) if index == 0 && self.state != DeviceState::Default => {
                let (state, effect) = match value {
                    value if value == u16::from(CONFIGURATION_NONE) => (DeviceState::Address, Effect::Unconfigured),
                    value if value == u16::from(CONFIGURATION_VALUE) => (DeviceState::Configured, Effect::Configured),
                    _ => return false,
                };
                (self.state, self.effect) = (state, Some(effect));
                true
            }
            (Interface, Request::SET_INTERFACE) => {
                let sets = value == u16::from(DEFAULT_ALTERNATE_SETTING) && self.has_interface(index);
                if sets {
                    self.effect = Some(Effect::Interface(index as u8));
                }
                sets
            }
            (Endpoint, Request::CLEAR_FEATURE | Request::SET_FEATURE) => {
                value == Request::FEATURE_ENDPOINT_HALT && self.has_endpoint(index)
            }
            _ => false,
        }
    }
}

/// The BOS: its header (USB 3.2 table 9-12), the USB 2.0 extension, Microsoft's platform capability.
///
/// A device with a BOS must claim LPM (USB 2.0 ECN "Link Power Management" of 2007, and its errata). The controller does
/// not answer LPM tokens, which hosts take for "not now".
fn bos() -> [u8; BOS_LENGTH] {
    const HEADER: [u8; 5 + 7 + 3] = [
        // bLength, bDescriptorType, wTotalLength, bNumDeviceCaps.
        5,
        descriptor::BOS,
        BOS_LENGTH as u8,
        0,
        2,
        // bLength, bDescriptorType, bDevCapabilityType, bmAttributes: LPM.
        7,
        16,
        2,
        0x02,
        0,
        0,
        0,
        // The platform capability's bLength, bDescriptorType, bDevCapabilityType.
        3 + ms_os_20::PLATFORM_CAPABILITY.len() as u8,
        16,
        ms_os_20::CAPABILITY_PLATFORM,
    ];
    let mut bytes = [0; BOS_LENGTH];
    let parts = HEADER.iter().chain(&ms_os_20::PLATFORM_CAPABILITY);
    bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
    bytes
}

const BOS_LENGTH: usize = 5 + 7 + 3 + ms_os_20::PLATFORM_CAPABILITY.len();

impl<B: UsbBus> UsbClass<B> for Chapter9 {
    fn reset(&mut self) {
        (self.state, self.effect) = (DeviceState::Default, None);
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        let request = *xfer.request();
        if !is_standard(&request) || self.is_for_others(&request) {
            return;
        }
        let is_status_of_0 = request.recipient == Recipient::Endpoint
            && request.request == Request::GET_STATUS
            && request.value == 0
            && request.index & !0x80 == 0
            && self.state != DeviceState::Default;
        let _ = if is_status_of_0 {
            // The halt of endpoint 0 is never visible: the SETUP packet has ended it (8.5.3.4).
            xfer.accept_with(&[0; 2])
        } else if !self.answers(&request) {
            xfer.reject()
        } else if self.windows
            && request.request == Request::GET_DESCRIPTOR
            && request.value >> 8 == u16::from(descriptor::BOS)
        {
            xfer.accept_with(&bos())
        } else {
            Ok(())
        };
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        let request = *xfer.request();
        if !is_standard(&request) || self.is_for_others(&request) {
            return;
        }
        let _ = if !self.carries_out(&request) {
            xfer.reject()
        } else if request.request == Request::SET_ADDRESS && request.value == 0 {
            if self.state == DeviceState::Address {
                (self.state, self.effect) = (DeviceState::Default, Some(Effect::Unaddressed));
            }
            xfer.accept()
        } else if request.request == Request::SET_INTERFACE {
            xfer.accept()
        } else {
            Ok(())
        };
    }
}
