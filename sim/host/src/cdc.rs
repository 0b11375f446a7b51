//! A serial port, the host's side (USB CDC 1.2; PSTN120, the Abstract Control Model): what a driver such as Linux's cdc-acm
//! expects and sends.

use super::bytes::le32;
use super::controller::{Host, Request, TransferError};
use super::descriptor::{Configuration, InterfaceDescriptor};

/// Descriptor subtypes of functional descriptors (USB CDC 1.2 table 13).
mod subtype {
    pub const HEADER: u8 = 0x00;
    pub const CALL_MANAGEMENT: u8 = 0x01;
    pub const ABSTRACT_CONTROL_MANAGEMENT: u8 = 0x02;
    pub const UNION: u8 = 0x06;
}

/// SET_LINE_CODING (PSTN120 6.3.10).
pub const SET_LINE_CODING: u8 = 0x20;
/// GET_LINE_CODING (PSTN120 6.3.11).
pub const GET_LINE_CODING: u8 = 0x21;
/// SET_CONTROL_LINE_STATE (PSTN120 6.3.12).
pub const SET_CONTROL_LINE_STATE: u8 = 0x22;

/// Line coding (PSTN120 table 17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineCoding {
    /// dwDTERate, bits a second.
    pub rate: u32,
    /// bCharFormat: 0 for one stop bit, 1 for one and a half, 2 for two.
    pub stop: u8,
    /// bParityType: 0 none to 4 space.
    pub parity: u8,
    /// bDataBits.
    pub bits: u8,
}

/// The interfaces and endpoints of a serial port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CdcAcm {
    /// Number of the communications interface.
    pub control: u8,
    /// Number of the data interface.
    pub data: u8,
    /// The interrupt IN endpoint for notifications.
    pub notification: u8,
    /// The bulk IN endpoint.
    pub bulk_in: u8,
    /// The bulk OUT endpoint.
    pub bulk_out: u8,
}

impl CdcAcm {
    /// The first serial port; `None` without an interface of class 02/02.
    ///
    /// # Errors
    /// Anything that would confuse a driver.
    pub fn find(configuration: &Configuration) -> Result<Option<Self>, String> {
        Self::all(configuration).next().transpose()
    }

    /// All serial ports, in the order of their descriptors. Each is an error if it would confuse a driver.
    pub fn all(configuration: &Configuration) -> impl Iterator<Item = Result<Self, String>> {
        let control = configuration.interfaces.iter().filter(|interface| interface.class[..2] == [2, 2]);
        control.map(|control| Self::of(control, configuration))
    }

    /// The serial port with this communications interface.
    fn of(control: &InterfaceDescriptor, configuration: &Configuration) -> Result<Self, String> {
        let functional = |subtype: u8| {
            let mut fitting = control.functional.iter().filter(|bytes| bytes.first() == Some(&subtype));
            match (fitting.next(), fitting.next()) {
                (Some(one), None) => Ok(one.get(1..).unwrap_or_default()),
                (None, _) => Err(format!("no functional descriptor of subtype {subtype} (USB CDC 1.2 5.2.3)")),
                _ => Err(format!("two functional descriptors of subtype {subtype}")),
            }
        };
        // The header comes first (USB CDC 1.2 5.2.3.1).
        if control.functional.first().and_then(|bytes| bytes.first()) != Some(&subtype::HEADER) {
            return Err("the first functional descriptor is not a header".to_owned());
        }
        let header = functional(subtype::HEADER)?;
        if header.len() != 2 {
            return Err(format!("a header functional descriptor with {header:02x?}"));
        }
        if functional(subtype::ABSTRACT_CONTROL_MANAGEMENT)?.len() != 1 {
            return Err("an ACM functional descriptor without bmCapabilities alone (PSTN120 5.3.2)".to_owned());
        }
        let &[master, slave] = functional(subtype::UNION)? else {
            return Err("a union that does not have two interfaces (USB CDC 1.2 5.2.3.2)".to_owned());
        };
        let &[_, call_data] = functional(subtype::CALL_MANAGEMENT)? else {
            return Err("a call management descriptor of the wrong length (PSTN120 5.3.1)".to_owned());
        };
        let data = configuration.interface(slave).ok_or("the union names an interface that does not exist")?;
        if master != control.number || call_data != slave || data.class != [0x0A, 0, 0] {
            return Err(format!("the union joins {master} and {slave}, class {:02x?}", data.class));
        }
        let fits = |a: &super::descriptor::InterfaceAssociation| {
            (a.first, a.count) == (control.number, 2) && slave == control.number + 1 && a.class[..2] == [2, 2]
        };
        if configuration.associations.iter().filter(|association| fits(association)).count() != 1 {
            return Err(format!("no association for the serial port: {:?}", configuration.associations));
        }
        let [notification] = control.endpoints[..] else {
            return Err(format!("the communications interface has {} endpoints, not one", control.endpoints.len()));
        };
        if notification.attributes & 3 != 3 || notification.address & 0x80 == 0 {
            return Err("the notification endpoint is not interrupt IN (USB CDC 1.2 3.4.2)".to_owned());
        }
        match (data.bulk(true), data.bulk(false), data.endpoints.len()) {
            (Some(bulk_in), Some(bulk_out), 2) => {
                Ok(Self { control: control.number, data: slave, notification: notification.address, bulk_in, bulk_out })
            }
            _ => {
                Err("the data interface does not have one bulk endpoint in each direction (USB CDC 1.2 3.4.1)"
                    .to_owned())
            }
        }
    }

    /// A class request to the communications interface: to the device without or with data, or from it (bit 7 of
    /// `direction`).
    #[must_use]
    pub fn request(&self, direction: u8, request: u8, value: u16, length: u16) -> Request {
        Request { request_type: 0x21 | direction & 0x80, request, value, index: u16::from(self.control), length }
    }

    /// SET_LINE_CODING.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn set_line_coding(&self, host: &mut Host<'_>, coding: LineCoding) -> Result<(), TransferError> {
        let [a, b, c, d] = coding.rate.to_le_bytes();
        let bytes = [a, b, c, d, coding.stop, coding.parity, coding.bits];
        host.control_out(self.request(0, SET_LINE_CODING, 0, 7), &bytes)
    }

    /// GET_LINE_CODING; `None` if other than 7 bytes came.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn line_coding(&self, host: &mut Host<'_>) -> Result<Option<LineCoding>, TransferError> {
        let bytes = host.control_in(self.request(0x80, GET_LINE_CODING, 0, 7))?;
        let &[_, _, _, _, stop, parity, bits] = &bytes[..] else { return Ok(None) };
        Ok(Some(LineCoding { rate: le32(&bytes, 0), stop, parity, bits }))
    }

    /// SET_CONTROL_LINE_STATE: an open port sets DTR and RTS.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn set_open(&self, host: &mut Host<'_>, open: bool) -> Result<(), TransferError> {
        host.control_out(self.request(0, SET_CONTROL_LINE_STATE, if open { 3 } else { 0 }, 0), &[])
    }
}
