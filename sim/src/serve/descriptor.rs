//! What a program at the other end needs to know about a device before it talks to it: read from the device's own
//! descriptors (USB 2.0 9.6), never assumed.

/// Bit 7 of an endpoint address: IN (USB 2.0 9.6.6).
pub const IN: u8 = 0x80;

/// Descriptor types (USB 2.0 table 9-5).
const DEVICE: u8 = 1;
const CONFIGURATION: u8 = 2;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;

/// The parts of a device descriptor (USB 2.0 table 9-8) that the two protocols repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// bDeviceClass, bDeviceSubClass, bDeviceProtocol.
    pub class: [u8; 3],
    /// Bytes in a packet on endpoint 0.
    pub max_packet_size_0: u8,
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product: u16,
    /// bcdDevice.
    pub version: u16,
    /// bNumConfigurations.
    pub configurations: u8,
}

impl Device {
    /// Reads a device descriptor; `None` if the bytes are not one.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[_, DEVICE, _, _, class, subclass, protocol, size, v0, v1, p0, p1, d0, d1, _, _, _, configurations, ..] =
            bytes
        else {
            return None;
        };
        Some(Self {
            class: [class, subclass, protocol],
            max_packet_size_0: size,
            vendor: u16::from_le_bytes([v0, v1]),
            product: u16::from_le_bytes([p0, p1]),
            version: u16::from_le_bytes([d0, d1]),
            configurations,
        })
    }
}

/// Transfer type of an endpoint, with the numbers of bmAttributes (USB 2.0 table 9-13); usbredir uses the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferType {
    /// Control: only endpoint 0.
    Control,
    /// Isochronous.
    Isochronous,
    /// Bulk.
    Bulk,
    /// Interrupt.
    Interrupt,
}

impl TransferType {
    /// The number in bmAttributes.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Control => 0,
            Self::Isochronous => 1,
            Self::Bulk => 2,
            Self::Interrupt => 3,
        }
    }
}

/// An endpoint descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// bEndpointAddress.
    pub address: u8,
    /// Transfer type.
    pub transfer_type: TransferType,
    /// wMaxPacketSize, bits 0 to 10.
    pub max_packet_size: u16,
    /// bInterval.
    pub interval: u8,
    /// The interface it belongs to.
    pub interface: u8,
}

/// An interface descriptor, first alternate setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interface {
    /// bInterfaceNumber.
    pub number: u8,
    /// bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol.
    pub class: [u8; 3],
}

/// A configuration with its interfaces and endpoints (alternate setting 0).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// bConfigurationValue.
    pub value: u8,
    /// Interfaces in the order of the descriptor.
    pub interfaces: Vec<Interface>,
    /// Endpoints in the order of the descriptor.
    pub endpoints: Vec<Endpoint>,
}

impl Configuration {
    /// Reads a configuration descriptor with everything that follows it; `None` if it does not start like one.
    ///
    /// Descriptors of unknown types are skipped by their length; one with an impossible length ends the list.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[_, CONFIGURATION, _, _, _, value, ..] = bytes else { return None };
        let mut configuration = Self { value, ..Self::default() };
        let mut rest = bytes;
        let mut interface = 0;
        let mut first_setting = false;
        while let Some(&length) = rest.first() {
            if length < 2 || usize::from(length) > rest.len() {
                break;
            }
            let (descriptor, after) = rest.split_at(usize::from(length));
            rest = after;
            match *descriptor {
                [_, INTERFACE, number, setting, _, class, subclass, protocol, ..] => {
                    interface = number;
                    first_setting = setting == 0;
                    if first_setting {
                        configuration.interfaces.push(Interface { number, class: [class, subclass, protocol] });
                    }
                }
                [_, ENDPOINT, address, attributes, size_low, size_high, interval, ..] if first_setting => {
                    let transfer_type = match attributes & 3 {
                        0 => TransferType::Control,
                        1 => TransferType::Isochronous,
                        2 => TransferType::Bulk,
                        _ => TransferType::Interrupt,
                    };
                    let max_packet_size = u16::from_le_bytes([size_low, size_high]) & 0x7FF;
                    configuration.endpoints.push(Endpoint {
                        address,
                        transfer_type,
                        max_packet_size,
                        interval,
                        interface,
                    });
                }
                _ => {}
            }
        }
        Some(configuration)
    }

    /// The endpoint with the given address.
    #[must_use]
    pub fn endpoint(&self, address: u8) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.address == address)
    }
}

#[cfg(test)]
mod tests {
    use super::{Configuration, Device, TransferType};

    #[test]
    fn a_mass_storage_configuration_is_read() {
        let bytes = [
            9, 2, 32, 0, 1, 1, 0, 0x80, 50, // configuration
            9, 4, 0, 0, 2, 8, 6, 0x50, 0, // interface
            7, 5, 0x81, 2, 64, 0, 0, // bulk IN
            7, 5, 0x02, 2, 64, 0, 0, // bulk OUT
        ];
        let configuration = Configuration::parse(&bytes).unwrap();
        assert_eq!(configuration.value, 1);
        assert_eq!(configuration.interfaces[0].class, [8, 6, 0x50]);
        let endpoint = configuration.endpoint(0x81).unwrap();
        assert_eq!((endpoint.transfer_type, endpoint.max_packet_size), (TransferType::Bulk, 64));
        assert!(configuration.endpoint(0x82).is_none());
        // Cut at any point, it must not panic.
        for end in 0..bytes.len() {
            let _ = Configuration::parse(&bytes[..end]);
        }
    }

    #[test]
    fn a_device_descriptor_is_read() {
        let bytes = [18, 1, 0, 2, 0, 0, 0, 64, 0x8A, 0x2E, 0x34, 0x12, 0, 1, 1, 2, 3, 1];
        let device = Device::parse(&bytes).unwrap();
        assert_eq!((device.vendor, device.product, device.max_packet_size_0), (0x2E8A, 0x1234, 64));
        assert!(Device::parse(&bytes[..17]).is_none());
    }
}
