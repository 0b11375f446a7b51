//! Bulk-Only Transport, the host's side (USB Mass Storage Class, Bulk-Only Transport 1.0).
//!
//! [`Initiator::command`] does what a careful driver does, including recovery; everything below it is available to stories
//! that break the rules: wrappers of any bytes and length, statuses fetched out of order.

use std::fmt;

use super::bytes::le32;
use super::controller::{BulkIn, Host, Request, TransferError};
use super::enumerate::{self, Device, EnumerationError};

/// "USBC" (BOT 5.1).
pub const CBW_SIGNATURE: u32 = 0x4342_5355;
/// "USBS" (BOT 5.2).
pub const CSW_SIGNATURE: u32 = 0x5342_5355;
/// Length of a command block wrapper.
pub const CBW_LENGTH: usize = 31;
/// Length of a command status wrapper.
pub const CSW_LENGTH: usize = 13;
/// Bulk-Only Mass Storage Reset (BOT 3.1).
pub const BULK_ONLY_RESET: u8 = 0xFF;
/// Get Max LUN (BOT 3.2).
pub const GET_MAX_LUN: u8 = 0xFE;

/// What the host expects of a command's data stage (BOT 6.7: Hn, Hi, Ho).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data<'d> {
    /// Hn.
    None,
    /// Hi: at most this number of bytes.
    In(u32),
    /// Ho: these bytes.
    Out(&'d [u8]),
}

impl Data<'_> {
    /// dCBWDataTransferLength.
    #[must_use]
    pub fn length(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::In(length) => *length,
            Self::Out(data) => data.len() as u32,
        }
    }
}

/// A command block wrapper (BOT 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cbw {
    /// dCBWTag.
    pub tag: u32,
    /// dCBWDataTransferLength.
    pub length: u32,
    /// bmCBWFlags: bit 7 set for data to the host.
    pub flags: u8,
    /// bCBWLUN.
    pub lun: u8,
    /// bCBWCBLength.
    pub block_length: u8,
    /// CBWCB.
    pub block: [u8; 16],
}

impl Cbw {
    /// A wrapper for `cdb` (its first 16 bytes) as BOT 5.1 defines it.
    #[must_use]
    pub fn new(tag: u32, lun: u8, cdb: &[u8], data: Data<'_>) -> Self {
        let mut block = [0; 16];
        let kept = cdb.len().min(16);
        block[..kept].copy_from_slice(&cdb[..kept]);
        let flags = if matches!(data, Data::In(_)) { 0x80 } else { 0 };
        Self { tag, length: data.length(), flags, lun, block_length: kept as u8, block }
    }

    /// As on the wire.
    #[must_use]
    pub fn bytes(&self) -> [u8; CBW_LENGTH] {
        let mut bytes = [0; CBW_LENGTH];
        bytes[..4].copy_from_slice(&CBW_SIGNATURE.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.length.to_le_bytes());
        bytes[12..15].copy_from_slice(&[self.flags, self.lun, self.block_length]);
        bytes[15..].copy_from_slice(&self.block);
        bytes
    }
}

/// bCSWStatus (BOT table 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CswStatus {
    /// 00h.
    CommandPassed,
    /// 01h.
    CommandFailed,
    /// 02h.
    PhaseError,
}

/// A valid command status wrapper (BOT 6.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csw {
    /// dCSWDataResidue.
    pub residue: u32,
    /// bCSWStatus.
    pub status: CswStatus,
}

impl Csw {
    /// Reads a wrapper: 13 bytes, the signature, the command's tag, a status that is defined (BOT 6.3).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(data: &[u8], tag: u32) -> Result<Self, String> {
        if data.len() != CSW_LENGTH {
            return Err(format!("a status wrapper of {} bytes", data.len()));
        }
        if le32(data, 0) != CSW_SIGNATURE {
            return Err(format!("dCSWSignature is {:08x}h", le32(data, 0)));
        }
        if le32(data, 4) != tag {
            return Err(format!("dCSWTag is {:08x}h, the command's is {tag:08x}h", le32(data, 4)));
        }
        let status = match data[12] {
            0 => CswStatus::CommandPassed,
            1 => CswStatus::CommandFailed,
            2 => CswStatus::PhaseError,
            other => return Err(format!("bCSWStatus is {other:02x}h")),
        };
        Ok(Self { residue: le32(data, 8), status })
    }
}

/// The result of a data stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What the device sent.
    pub data: Vec<u8>,
    /// What the device acknowledged of data sent to it.
    pub sent: usize,
    /// Whether the device halted the data stage's endpoint.
    pub halted: bool,
    /// The status.
    pub csw: Csw,
}

/// Why a command has no status.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BotError {
    /// A transfer failed in the named step.
    Transfer(&'static str, TransferError),
    /// The status wrapper is not valid.
    Csw(String),
}

impl fmt::Display for BotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transfer(step, error) => write!(f, "{step}: {error}"),
            Self::Csw(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for BotError {}

/// Checks and removes the padding of a device that pads.
fn remove_padding(outcome: &mut Outcome, length: u32) -> Result<(), BotError> {
    let error = |what: String| Err(BotError::Csw(what));
    if outcome.halted {
        return error("a device that has no halts has halted an endpoint".to_owned());
    }
    let sent = outcome.data.len().max(outcome.sent);
    if sent != length as usize {
        return error(format!("{sent} of {length} bytes were transferred, though the device pads"));
    }
    let data = length.saturating_sub(outcome.csw.residue) as usize;
    if let Some(padding) = outcome.data.get(data..) {
        if padding.iter().any(|byte| *byte != 0) {
            return error("the padding is not zeros".to_owned());
        }
        outcome.data.truncate(data);
    }
    Ok(())
}

/// A host with one enumerated stick.
pub struct Initiator<'a> {
    /// The host controller.
    pub host: Host<'a>,
    /// The device.
    pub device: Device,
    /// Number of medium changes that the device has reported in sense data: that there is no medium, or another one.
    pub medium_changes: u32,
    /// Whether the device pads its data with zeros to the length that the host expects, and never halts (BOT 6.7.2). Then the
    /// residue says how many bytes of an outcome are data.
    pub pads: bool,
    tag: u32,
}

impl<'a> Initiator<'a> {
    /// Waits for the device and enumerates it.
    ///
    /// # Errors
    /// See [`EnumerationError`].
    pub fn attach(mut host: Host<'a>) -> Result<Self, EnumerationError> {
        let device = enumerate::attach(&mut host)?;
        Ok(Self { host, device, medium_changes: 0, pads: false, tag: 0x1000 })
    }

    /// Enumerates again, after a replug or a bus reset.
    ///
    /// # Errors
    /// See [`EnumerationError`].
    pub fn enumerate_again(&mut self) -> Result<(), EnumerationError> {
        self.device = enumerate::attach(&mut self.host)?;
        Ok(())
    }

    /// A tag that no previous command had.
    pub fn next_tag(&mut self) -> u32 {
        self.tag = self.tag.wrapping_add(1);
        self.tag
    }

    /// Sends bytes to the bulk OUT endpoint as one transfer: a wrapper, good or bad.
    ///
    /// # Errors
    /// As the transfer.
    pub fn send_wrapper(&mut self, bytes: &[u8]) -> Result<(), TransferError> {
        let endpoint = self.device.bulk_out;
        self.host.bulk_out(endpoint, bytes).map_err(|(_, error)| error)
    }

    /// The data stage to the host.
    pub fn data_in(&mut self, length: usize) -> BulkIn {
        let endpoint = self.device.bulk_in;
        self.host.bulk_in(endpoint, length)
    }

    /// CLEAR_FEATURE(ENDPOINT_HALT) for bulk IN.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn clear_in(&mut self) -> Result<(), TransferError> {
        enumerate::clear_halt(&mut self.host, self.device.bulk_in)
    }

    /// CLEAR_FEATURE(ENDPOINT_HALT) for bulk OUT.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn clear_out(&mut self) -> Result<(), TransferError> {
        enumerate::clear_halt(&mut self.host, self.device.bulk_out)
    }

    /// The status stage: reads 13 bytes; clears one halt and tries once more (BOT figure 2).
    ///
    /// # Errors
    /// If there is still no valid wrapper.
    pub fn status(&mut self, tag: u32) -> Result<Csw, BotError> {
        let mut reply = self.data_in(CSW_LENGTH);
        if reply.end == Err(TransferError::Stall) {
            self.clear_in().map_err(|error| BotError::Transfer("clearing the halt before the status", error))?;
            reply = self.data_in(CSW_LENGTH);
        }
        reply.end.map_err(|error| BotError::Transfer("status", error))?;
        Csw::parse(&reply.data, tag).map_err(BotError::Csw)
    }

    /// One command: wrapper, data, status, with halts cleared on the way. No reset recovery.
    ///
    /// # Errors
    /// If there is no valid status.
    pub fn execute(&mut self, lun: u8, cdb: &[u8], data: Data<'_>) -> Result<Outcome, BotError> {
        let tag = self.next_tag();
        self.execute_wrapper(&Cbw::new(tag, lun, cdb, data), data)
    }

    /// As [`execute`](Self::execute), with the caller's wrapper.
    ///
    /// # Errors
    /// If there is no valid status.
    pub fn execute_wrapper(&mut self, cbw: &Cbw, data: Data<'_>) -> Result<Outcome, BotError> {
        self.send_wrapper(&cbw.bytes()).map_err(|error| BotError::Transfer("command wrapper", error))?;
        let mut outcome = Outcome {
            data: Vec::new(),
            sent: 0,
            halted: false,
            csw: Csw { residue: 0, status: CswStatus::PhaseError },
        };
        match data {
            // A length of 0 is Hn, whatever the direction bit (BOT 6.7).
            Data::None | Data::In(0) | Data::Out([]) => {}
            Data::In(length) => {
                let reply = self.data_in(length as usize);
                outcome.data = reply.data;
                match reply.end {
                    Ok(()) => {}
                    Err(TransferError::Stall) => {
                        outcome.halted = true;
                        self.clear_in().map_err(|error| BotError::Transfer("clearing the halt of bulk IN", error))?;
                    }
                    Err(error) => return Err(BotError::Transfer("data to the host", error)),
                }
            }
            Data::Out(bytes) => match self.host.bulk_out(self.device.bulk_out, bytes) {
                Ok(()) => outcome.sent = bytes.len(),
                Err((sent, TransferError::Stall)) => {
                    outcome.sent = sent;
                    outcome.halted = true;
                    self.clear_out().map_err(|error| BotError::Transfer("clearing the halt of bulk OUT", error))?;
                }
                Err((_, error)) => return Err(BotError::Transfer("data to the device", error)),
            },
        }
        outcome.csw = self.status(cbw.tag)?;
        if self.pads {
            remove_padding(&mut outcome, data.length())?;
        }
        Ok(outcome)
    }

    /// One command like a careful driver: with reset recovery after a phase error or an invalid status (BOT 6.7).
    ///
    /// # Errors
    /// What went wrong, after recovery was attempted.
    pub fn command(&mut self, lun: u8, cdb: &[u8], data: Data<'_>) -> Result<Outcome, BotError> {
        let result = self.execute(lun, cdb, data);
        let broken = match &result {
            Ok(outcome) => outcome.csw.status == CswStatus::PhaseError,
            Err(_) => true,
        };
        if broken {
            self.reset_recovery().map_err(|error| BotError::Transfer("reset recovery", error))?;
        }
        result
    }

    /// A class request to the interface, with any contents.
    ///
    /// # Errors
    /// As the control transfer.
    pub fn class_request(&mut self, request: Request) -> Result<Vec<u8>, TransferError> {
        if request.request_type & 0x80 == 0 {
            let data = vec![0; usize::from(request.length)];
            self.host.control_out(request, &data).map(|()| Vec::new())
        } else {
            self.host.control_in(request)
        }
    }

    /// The Bulk-Only Mass Storage Reset request as BOT 3.1 defines it.
    #[must_use]
    pub fn reset_request(&self) -> Request {
        Request {
            request_type: 0x21,
            request: BULK_ONLY_RESET,
            value: 0,
            index: u16::from(self.device.interface),
            length: 0,
        }
    }

    /// The Get Max LUN request as BOT 3.2 defines it.
    #[must_use]
    pub fn max_lun_request(&self) -> Request {
        Request {
            request_type: 0xA1,
            request: GET_MAX_LUN,
            value: 0,
            index: u16::from(self.device.interface),
            length: 1,
        }
    }

    /// Reset recovery (BOT 5.3.4): the reset request, then both halts cleared.
    ///
    /// # Errors
    /// As the control transfers.
    pub fn reset_recovery(&mut self) -> Result<(), TransferError> {
        let request = self.reset_request();
        self.class_request(request)?;
        self.clear_in()?;
        self.clear_out()
    }

    /// Get Max LUN; a STALL means one unit (BOT 3.2).
    ///
    /// # Errors
    /// As the control transfer.
    pub fn max_lun(&mut self) -> Result<u8, TransferError> {
        let request = self.max_lun_request();
        match self.class_request(request) {
            Ok(data) => Ok(data.first().copied().unwrap_or(0)),
            Err(TransferError::Stall) => Ok(0),
            Err(error) => Err(error),
        }
    }
}
