//! Descriptors (USB 2.0 9.6), parsed strictly: an inconsistent length or count is an error that names its clause.

use super::bytes::le16;

/// Descriptor types (USB 2.0 table 9-5; BOS: USB 3.2 9.6.2).
pub mod kind {
    /// DEVICE.
    pub const DEVICE: u8 = 1;
    /// CONFIGURATION.
    pub const CONFIGURATION: u8 = 2;
    /// STRING.
    pub const STRING: u8 = 3;
    /// INTERFACE.
    pub const INTERFACE: u8 = 4;
    /// ENDPOINT.
    pub const ENDPOINT: u8 = 5;
    /// DEVICE_QUALIFIER.
    pub const DEVICE_QUALIFIER: u8 = 6;
    /// INTERFACE_ASSOCIATION (USB ECN "Interface Association Descriptors").
    pub const INTERFACE_ASSOCIATION: u8 = 11;
    /// BOS.
    pub const BOS: u8 = 15;
    /// CS_INTERFACE: class-specific, after an interface (USB CDC 1.2 table 12).
    pub const CS_INTERFACE: u8 = 0x24;
}

/// Device descriptor (USB 2.0 9.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceDescriptor {
    /// bcdUSB.
    pub usb_version: u16,
    /// bDeviceClass, bDeviceSubClass, bDeviceProtocol.
    pub class: [u8; 3],
    /// bMaxPacketSize0.
    pub max_packet_size_0: u8,
    /// idVendor.
    pub vendor: u16,
    /// idProduct.
    pub product: u16,
    /// bcdDevice.
    pub release: u16,
    /// iManufacturer, iProduct, iSerialNumber.
    pub strings: [u8; 3],
    /// bNumConfigurations.
    pub configurations: u8,
}

impl DeviceDescriptor {
    /// Reads all 18 bytes.
    ///
    /// # Errors
    /// What is wrong, with its clause.
    pub fn parse(data: &[u8]) -> Result<Self, String> {
        let bytes: &[u8; 18] = data
            .try_into()
            .map_err(|_| format!("device descriptor of {} bytes, not 18 (USB 2.0 9.6.1)", data.len()))?;
        if bytes[0] != 18 || bytes[1] != kind::DEVICE {
            return Err(format!("device descriptor says length {}, type {}", bytes[0], bytes[1]));
        }
        let descriptor = Self {
            usb_version: le16(bytes, 2),
            class: [bytes[4], bytes[5], bytes[6]],
            max_packet_size_0: bytes[7],
            vendor: le16(bytes, 8),
            product: le16(bytes, 10),
            release: le16(bytes, 12),
            strings: [bytes[14], bytes[15], bytes[16]],
            configurations: bytes[17],
        };
        if ![8, 16, 32, 64].contains(&descriptor.max_packet_size_0) {
            return Err(format!("bMaxPacketSize0 is {}", descriptor.max_packet_size_0));
        }
        if descriptor.configurations == 0 {
            return Err("bNumConfigurations is 0".to_owned());
        }
        Ok(descriptor)
    }
}

/// Endpoint descriptor (USB 2.0 9.6.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndpointDescriptor {
    /// bEndpointAddress: bit 7 set for IN.
    pub address: u8,
    /// bmAttributes.
    pub attributes: u8,
    /// wMaxPacketSize.
    pub max_packet_size: u16,
    /// bInterval.
    pub interval: u8,
}

/// bInterfaceClass of audio and MIDI.
const CLASS_AUDIO: u8 = 1;

/// Interface descriptor (USB 2.0 9.6.5) with its endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceDescriptor {
    /// bInterfaceNumber.
    pub number: u8,
    /// bAlternateSetting.
    pub alternate: u8,
    /// bInterfaceClass, bInterfaceSubClass, bInterfaceProtocol.
    pub class: [u8; 3],
    /// iInterface.
    pub string: u8,
    /// Class-specific descriptors that follow it, each without its length and type.
    pub functional: Vec<Vec<u8>>,
    /// Its endpoints.
    pub endpoints: Vec<EndpointDescriptor>,
}

impl InterfaceDescriptor {
    /// The address of its first bulk endpoint, IN or OUT.
    #[must_use]
    pub fn bulk(&self, input: bool) -> Option<u8> {
        let fits = |e: &&EndpointDescriptor| e.attributes & 3 == 2 && (e.address & 0x80 != 0) == input;
        self.endpoints.iter().find(fits).map(|endpoint| endpoint.address)
    }
}

/// Interface association descriptor (USB ECN "Interface Association Descriptors", table 9-Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceAssociation {
    /// bFirstInterface.
    pub first: u8,
    /// bInterfaceCount.
    pub count: u8,
    /// bFunctionClass, bFunctionSubClass, bFunctionProtocol.
    pub class: [u8; 3],
}

/// Configuration descriptor (USB 2.0 9.6.3) with all that follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// bConfigurationValue.
    pub value: u8,
    /// bmAttributes.
    pub attributes: u8,
    /// bMaxPower, in units of 2 mA.
    pub max_power: u8,
    /// All interfaces and alternate settings.
    pub interfaces: Vec<InterfaceDescriptor>,
    /// Groups of interfaces that form one function.
    pub associations: Vec<InterfaceAssociation>,
}

impl Configuration {
    /// The interface of this number with alternate setting 0.
    #[must_use]
    pub fn interface(&self, number: u8) -> Option<&InterfaceDescriptor> {
        self.interfaces.iter().find(|interface| interface.number == number && interface.alternate == 0)
    }

    /// Reads wTotalLength bytes.
    ///
    /// # Errors
    /// What is wrong, with its clause.
    pub fn parse(data: &[u8]) -> Result<Self, String> {
        let &[9, kind::CONFIGURATION, _, _, count, value, _, attributes, max_power, ref rest @ ..] = data else {
            return Err("no configuration descriptor of 9 bytes at the start (USB 2.0 9.6.3)".to_owned());
        };
        if usize::from(le16(data, 2)) != data.len() {
            return Err(format!("wTotalLength is {}, {} bytes came", le16(data, 2), data.len()));
        }
        if attributes & 0x9F != 0x80 {
            return Err(format!(
                "bmAttributes {attributes:02x}h: bit 7 is one, bits 4..0 are reserved (USB 2.0 9.6.3)"
            ));
        }
        let mut configuration = Self { value, attributes, max_power, interfaces: Vec::new(), associations: Vec::new() };
        let mut missing = 0;
        let mut rest = rest;
        while let Some(&length) = rest.first() {
            let Some((item, after)) = rest.split_at_checked(usize::from(length)).filter(|_| length >= 2) else {
                return Err(format!("a descriptor of length {length} with {} bytes left", rest.len()));
            };
            rest = after;
            match *item {
                [9, kind::INTERFACE, number, alternate, endpoints, a, b, c, string] => {
                    if missing != 0 {
                        return Err(format!("{missing} endpoints of an interface are missing"));
                    }
                    missing = endpoints;
                    let class = [a, b, c];
                    configuration.interfaces.push(InterfaceDescriptor {
                        number,
                        alternate,
                        class,
                        string,
                        functional: Vec::new(),
                        endpoints: Vec::new(),
                    });
                }
                // Those of audio interfaces, MIDI among them, have bRefresh and bSynchAddress (USB Audio 1.0 4.6.1.1).
                [7, kind::ENDPOINT, address, attributes, _, _, interval]
                | [9, kind::ENDPOINT, address, attributes, _, _, interval, _, _] => {
                    let interface = configuration.interfaces.last_mut().filter(|_| missing > 0);
                    let interface = interface.ok_or("an endpoint that belongs to no interface")?;
                    if length == 9 && interface.class[0] != CLASS_AUDIO {
                        return Err(format!(
                            "an endpoint descriptor of {length} bytes outside of audio (USB 2.0 9.6.6)"
                        ));
                    }
                    missing -= 1;
                    let endpoint = EndpointDescriptor { address, attributes, max_packet_size: le16(item, 4), interval };
                    check_endpoint(&endpoint)?;
                    interface.endpoints.push(endpoint);
                }
                [8, kind::INTERFACE_ASSOCIATION, first, count, a, b, c, _] => {
                    // It comes directly before its first interface, and has at least one.
                    if count == 0 || first != configuration.interfaces.last().map_or(0, |last| last.number + 1) {
                        return Err(format!(
                            "an interface association of {count} from interface {first} at the wrong place"
                        ));
                    }
                    configuration.associations.push(InterfaceAssociation { first, count, class: [a, b, c] });
                }
                [length, kind::INTERFACE | kind::ENDPOINT | kind::INTERFACE_ASSOCIATION, ..] => {
                    return Err(format!("descriptor type {} with length {length}", item[1]));
                }
                [_, kind::CS_INTERFACE, ref bytes @ ..] => {
                    let interface =
                        configuration.interfaces.last_mut().ok_or("CS_INTERFACE without an interface before it")?;
                    interface.functional.push(bytes.to_vec());
                }
                _ => {}
            }
        }
        if missing != 0 {
            return Err(format!("{missing} endpoints of the last interface are missing"));
        }
        let mut numbers: Vec<u8> = configuration.interfaces.iter().map(|interface| interface.number).collect();
        numbers.dedup();
        if numbers != (0..count).collect::<Vec<u8>>() {
            return Err(format!("bNumInterfaces is {count}, the interfaces are {numbers:?}"));
        }
        for association in &configuration.associations {
            if u16::from(association.first) + u16::from(association.count) > u16::from(count) {
                return Err(format!("an interface association names interfaces beyond the last: {association:?}"));
            }
        }
        let mut addresses: Vec<u8> = configuration
            .interfaces
            .iter()
            .filter(|interface| interface.alternate == 0)
            .flat_map(|interface| interface.endpoints.iter().map(|endpoint| endpoint.address))
            .collect();
        addresses.sort_unstable();
        if addresses.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("two interfaces use the same endpoint".to_owned());
        }
        Ok(configuration)
    }
}

fn check_endpoint(endpoint: &EndpointDescriptor) -> Result<(), String> {
    let EndpointDescriptor { address, attributes, max_packet_size, interval } = *endpoint;
    if address & 0x70 != 0 || address & 0x0F == 0 {
        return Err(format!("bEndpointAddress {address:02x}h (USB 2.0 9.6.6)"));
    }
    match attributes & 3 {
        // Bulk at full speed: 8, 16, 32 or 64 bytes (USB 2.0 5.8.3).
        2 if ![8, 16, 32, 64].contains(&max_packet_size) => Err(format!("bulk wMaxPacketSize {max_packet_size}")),
        // Interrupt: up to 64 bytes, polled every 1 to 255 ms (USB 2.0 5.7).
        3 if max_packet_size > 64 || interval == 0 => {
            Err(format!("interrupt wMaxPacketSize {max_packet_size}, bInterval {interval}"))
        }
        0 => Err("a control endpoint besides endpoint 0".to_owned()),
        _ => Ok(()),
    }
}

/// A string descriptor's text (USB 2.0 9.6.7).
///
/// # Errors
/// What is wrong.
pub fn parse_string(data: &[u8]) -> Result<String, String> {
    let units = parse_string_units(data)?;
    String::from_utf16(&units).map_err(|_| "a string descriptor is not UTF-16".to_owned())
}

/// A string descriptor's 16-bit units: text, or LANGIDs for index 0.
///
/// # Errors
/// What is wrong.
pub fn parse_string_units(data: &[u8]) -> Result<Vec<u16>, String> {
    match data {
        [length, kind::STRING, units @ ..] if usize::from(*length) == data.len() && units.len() % 2 == 0 => {
            Ok(units.chunks_exact(2).map(|unit| le16(unit, 0)).collect())
        }
        _ => Err(format!("a string descriptor of {} bytes starts with {:02x?}", data.len(), data.get(..2))),
    }
}

/// Reads a binary device object store (USB 3.2 9.6.2): the type of each device capability, and the bytes after it.
///
/// # Errors
/// What is wrong with lengths or counts.
pub fn parse_bos(data: &[u8]) -> Result<Vec<(u8, Vec<u8>)>, String> {
    let &[5, kind::BOS, _, _, count, ref rest @ ..] = data else {
        return Err("no BOS descriptor of 5 bytes at the start".to_owned());
    };
    if usize::from(le16(data, 2)) != data.len() {
        return Err(format!("BOS: wTotalLength is {}, {} bytes came", le16(data, 2), data.len()));
    }
    let mut rest = rest;
    let mut found = 0;
    let mut capabilities = Vec::new();
    while let Some(&length) = rest.first() {
        let Some((item, after)) = rest.split_at_checked(usize::from(length)).filter(|_| length >= 3) else {
            return Err(format!("BOS: a capability of length {length} with {} bytes left", rest.len()));
        };
        if item[1] != 16 {
            return Err(format!("BOS: descriptor type {}", item[1]));
        }
        rest = after;
        found += 1;
        capabilities.push((item[2], item[3..].to_vec()));
    }
    if found == count { Ok(capabilities) } else { Err(format!("BOS: bNumDeviceCaps is {count}, {found} came")) }
}
