//! Enumeration, in the order in which Linux does it (USB 2.0 9.1.2).

use std::fmt;
use std::time::Duration;

use super::audio;
use super::bytes::le16;
use super::cdc::CdcAcm;
use super::controller::{Host, Request, TransferError};
use super::descriptor::{self, Configuration, DeviceDescriptor, kind};
use super::picotool::ResetInterface;

/// Standard requests (USB 2.0 table 9-4).
mod request {
    pub const CLEAR_FEATURE: u8 = 1;
    pub const SET_ADDRESS: u8 = 5;
    pub const GET_DESCRIPTOR: u8 = 6;
    pub const SET_CONFIGURATION: u8 = 9;
}

/// The address that the host gives the device.
const ADDRESS: u8 = 7;
/// How often Linux tries to enumerate a device: `PORT_INIT_TRIES` times two reads of the first descriptor
/// (drivers/usb/core/hub.c).
pub const LINUX_ATTEMPTS: u32 = 8;
/// Time between two attempts: Linux resets the port and waits, and removes its power for a while after half of them.
const NEXT_ATTEMPT: Duration = Duration::from_millis(200);
/// How long a device may take to attach.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(3);

/// What went wrong, and in which step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnumerationError {
    /// D+ stayed low.
    NotAttached,
    /// A transfer failed.
    Transfer(&'static str, TransferError),
    /// A descriptor is wrong.
    Descriptor(String),
    /// No interface is Mass Storage, SCSI, Bulk-Only with two bulk endpoints.
    NoMassStorage,
}

impl fmt::Display for EnumerationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAttached => f.write_str("no device attached"),
            Self::Transfer(step, error) => write!(f, "{step}: {error}"),
            Self::Descriptor(text) => f.write_str(text),
            Self::NoMassStorage => f.write_str("no Mass Storage interface (08/06/50) with two bulk endpoints"),
        }
    }
}

impl std::error::Error for EnumerationError {}

/// An enumerated and configured device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The device descriptor.
    pub descriptor: DeviceDescriptor,
    /// The configuration.
    pub configuration: Configuration,
    /// Manufacturer, product, serial number, if there are any.
    pub strings: [Option<String>; 3],
    /// The binary device object store, for devices of USB 2.1 and above.
    pub bos: Option<Vec<u8>>,
    /// Number of the Mass Storage interface.
    pub interface: u8,
    /// Its bulk IN endpoint, with bit 7 set.
    pub bulk_in: u8,
    /// Its bulk OUT endpoint.
    pub bulk_out: u8,
    /// The serial port, if there is one.
    pub console: Option<CdcAcm>,
    /// The interface through which picotool restarts the board, if there is one.
    pub reset_interface: Option<ResetInterface>,
}

impl Device {
    /// The serial number.
    #[must_use]
    pub fn serial_number(&self) -> Option<&str> {
        self.strings[2].as_deref()
    }
}

/// GET_DESCRIPTOR (USB 2.0 9.4.3).
///
/// # Errors
/// As the control transfer.
pub fn get_descriptor(
    host: &mut Host<'_>,
    kind: u8,
    index: u8,
    language: u16,
    length: u16,
) -> Result<Vec<u8>, TransferError> {
    host.control_in(Request {
        request_type: 0x80,
        request: request::GET_DESCRIPTOR,
        value: u16::from_be_bytes([kind, index]),
        index: language,
        length,
    })
}

/// CLEAR_FEATURE(ENDPOINT_HALT) (USB 2.0 9.4.1), and the host's own toggle back to DATA0.
///
/// # Errors
/// As the control transfer.
pub fn clear_halt(host: &mut Host<'_>, endpoint: u8) -> Result<(), TransferError> {
    host.control_out(
        Request {
            request_type: 0x02,
            request: request::CLEAR_FEATURE,
            value: 0,
            index: u16::from(endpoint),
            length: 0,
        },
        &[],
    )?;
    host.reset_toggle(endpoint);
    Ok(())
}

/// Waits until the device attaches, then [`enumerate`]s.
///
/// # Errors
/// See [`EnumerationError`].
pub fn attach(host: &mut Host<'_>) -> Result<Device, EnumerationError> {
    let start = host.now();
    while !host.link().attached() {
        if host.now().saturating_sub(start) > ATTACH_TIMEOUT {
            return Err(EnumerationError::NotAttached);
        }
        host.elapse(Duration::from_millis(1));
    }
    // Debouncing (USB 2.0 7.1.7.3).
    host.elapse(Duration::from_millis(100));
    enumerate(host)
}

/// Bus reset, address, descriptors, configuration: repeated as often as the host [tries](Host::attempts) if a transfer
/// fails.
///
/// # Errors
/// See [`EnumerationError`].
pub fn enumerate(host: &mut Host<'_>) -> Result<Device, EnumerationError> {
    for _ in 1..host.attempts {
        match enumerate_once(host) {
            Err(EnumerationError::Transfer(..)) => host.elapse(NEXT_ATTEMPT),
            result => return result,
        }
    }
    enumerate_once(host)
}

fn enumerate_once(host: &mut Host<'_>) -> Result<Device, EnumerationError> {
    use EnumerationError::{Descriptor, Transfer};
    host.bus_reset();
    // Linux first requests 64 bytes at address 0 and uses the first 8.
    let start = get_descriptor(host, kind::DEVICE, 0, 0, 64).map_err(|error| Transfer("first descriptor", error))?;
    let max_packet_size_0 = match start.get(7) {
        Some(&size @ (8 | 16 | 32 | 64)) => u16::from(size),
        other => return Err(Descriptor(format!("bMaxPacketSize0 is {other:?}"))),
    };
    host.bus_reset();
    host.set_max_packet_size(0, max_packet_size_0);
    host.control_out(
        Request { request_type: 0, request: request::SET_ADDRESS, value: u16::from(ADDRESS), index: 0, length: 0 },
        &[],
    )
    .map_err(|error| Transfer("SET_ADDRESS", error))?;
    // Recovery interval (USB 2.0 9.2.6.3).
    host.elapse(Duration::from_millis(2));
    host.address = ADDRESS;

    let head = get_descriptor(host, kind::DEVICE, 0, 0, 8).map_err(|error| Transfer("device descriptor", error))?;
    let full = get_descriptor(host, kind::DEVICE, 0, 0, 18).map_err(|error| Transfer("device descriptor", error))?;
    if head.len() != 8 || full.get(..8) != Some(&head[..]) {
        return Err(Descriptor("the device descriptor's first 8 bytes differ from those of a longer read".to_owned()));
    }
    let descriptor = DeviceDescriptor::parse(&full).map_err(Descriptor)?;

    // A USB 2.0 device that is full-speed only answers with a request error (USB 2.0 9.6.2). Linux asks three times.
    for _ in 0..3 {
        match get_descriptor(host, kind::DEVICE_QUALIFIER, 0, 0, 10) {
            Err(TransferError::Stall) => {}
            Err(error) => return Err(Transfer("device qualifier", error)),
            Ok(_) => {
                tolerate(host, "a full-speed-only device has a device qualifier (USB 2.0 9.6.2 requires STALL)")?;
                break;
            }
        }
    }
    let bos = if descriptor.usb_version > 0x0200 {
        let head = get_descriptor(host, kind::BOS, 0, 0, 5).map_err(|error| Transfer("BOS", error))?;
        let all = get_descriptor(host, kind::BOS, 0, 0, le16(&head, 2)).map_err(|error| Transfer("BOS", error))?;
        descriptor::parse_bos(&all).map_err(Descriptor)?;
        Some(all)
    } else {
        None
    };

    let head = get_descriptor(host, kind::CONFIGURATION, 0, 0, 9).map_err(|error| Transfer("configuration", error))?;
    let all = get_descriptor(host, kind::CONFIGURATION, 0, 0, le16(&head, 2))
        .map_err(|error| Transfer("configuration", error))?;
    let configuration = Configuration::parse(&all).map_err(Descriptor)?;
    let strings = read_strings(host, &descriptor)?;

    if let Err(what) = check_functions(&descriptor, &configuration) {
        tolerate(host, &what)?;
    }
    if let Err(what) = audio::check(&configuration) {
        tolerate(host, &what)?;
    }
    let (interface, bulk_in, bulk_out) = find_mass_storage(&configuration)?;
    let console = match CdcAcm::find(&configuration) {
        Ok(console) => console,
        Err(what) => {
            tolerate(host, &format!("the serial port is ignored: {what}"))?;
            None
        }
    };
    let reset_interface = ResetInterface::find(&configuration);
    for endpoint in configuration.interfaces.iter().flat_map(|interface| &interface.endpoints) {
        host.set_max_packet_size(endpoint.address, endpoint.max_packet_size);
    }
    host.control_out(
        Request {
            request_type: 0,
            request: request::SET_CONFIGURATION,
            value: u16::from(configuration.value),
            index: 0,
            length: 0,
        },
        &[],
    )
    .map_err(|error| Transfer("SET_CONFIGURATION", error))?;
    host.reset_toggles();
    Ok(Device { descriptor, configuration, strings, bos, interface, bulk_in, bulk_out, console, reset_interface })
}

/// A mistake that drivers tolerate: an error, unless the device is other people's.
fn tolerate(host: &mut Host<'_>, what: &str) -> Result<(), EnumerationError> {
    if host.link().tolerates(what) { Ok(()) } else { Err(EnumerationError::Descriptor(what.to_owned())) }
}

fn read_strings(host: &mut Host<'_>, descriptor: &DeviceDescriptor) -> Result<[Option<String>; 3], EnumerationError> {
    use EnumerationError::{Descriptor, Transfer};
    let mut strings = [None, None, None];
    if descriptor.strings == [0; 3] {
        return Ok(strings);
    }
    let languages = get_descriptor(host, kind::STRING, 0, 0, 255).map_err(|error| Transfer("languages", error))?;
    let languages = descriptor::parse_string_units(&languages).map_err(Descriptor)?;
    let Some(&language) = languages.first() else {
        return Err(Descriptor("no language for the strings (USB 2.0 9.6.7)".to_owned()));
    };
    for (&index, string) in descriptor.strings.iter().zip(&mut strings) {
        if index != 0 {
            let data =
                get_descriptor(host, kind::STRING, index, language, 255).map_err(|error| Transfer("string", error))?;
            *string = Some(descriptor::parse_string(&data).map_err(Descriptor)?);
        }
    }
    Ok(strings)
}

/// A device with several functions has class EF/02/01 (USB-IF, "Interface Association Descriptor Device Class Code and Use
/// Model"); a device with one function leaves the class to its interface (USB 2.0 9.6.1).
fn check_functions(descriptor: &DeviceDescriptor, configuration: &Configuration) -> Result<(), String> {
    let wanted = if configuration.interfaces.len() > 1 { [0xEF, 2, 1] } else { [0, 0, 0] };
    if descriptor.class == wanted {
        return Ok(());
    }
    let (class, interfaces) = (descriptor.class, configuration.interfaces.len());
    Err(format!("the device class of {interfaces} interfaces is {class:02x?}, not {wanted:02x?}"))
}

/// Mass Storage, SCSI transparent command set, Bulk-Only (BOT 4.3).
fn find_mass_storage(configuration: &Configuration) -> Result<(u8, u8, u8), EnumerationError> {
    let interface = configuration
        .interfaces
        .iter()
        .find(|interface| interface.class == [0x08, 0x06, 0x50] && interface.alternate == 0)
        .ok_or(EnumerationError::NoMassStorage)?;
    let bulk = |input: bool| interface.bulk(input).ok_or(EnumerationError::NoMassStorage);
    Ok((interface.number, bulk(true)?, bulk(false)?))
}
