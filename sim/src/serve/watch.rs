//! What the program at the other end does with the stick: the SCSI commands on the wire.
//!
//! Command and status wrappers (Bulk-Only Transport 5.1, 5.2) are recognised by length and signature where they are
//! expected. The watcher is passive: it ignores what it does not understand.

use std::fmt;
use std::time::Duration;

use super::bus::{Completion, Status};
use super::descriptor::{Configuration, IN, TransferType};

/// Length and signature of a CBW and a CSW (Bulk-Only Transport 5.1, 5.2).
const CBW_LENGTH: usize = 31;
const CBW_SIGNATURE: &[u8] = b"USBC";
const CSW_LENGTH: usize = 13;
const REQUEST_SENSE: u8 = 0x03;
const CSW_SIGNATURE: &[u8] = b"USBS";

/// A finished SCSI command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The device's time when it ended.
    pub at: Duration,
    /// Its name by SPC or SBC, or `opcode XXh`.
    pub name: String,
    /// Logical block address and number of blocks of a READ.
    pub blocks: Option<(u64, u32)>,
    /// Number of bytes in the data stage.
    pub bytes: usize,
    /// bCSWStatus: 0 passed, 1 failed, 2 phase error.
    pub status: u8,
    /// The sense data of a REQUEST SENSE: sense key, additional sense code and its qualifier (SPC-4 4.5.3).
    pub sense: Option<[u8; 3]>,
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:10.3} s  {:<24}", self.at.as_secs_f64(), self.name)?;
        match self.blocks {
            Some((lba, count)) => write!(f, "  lba {lba:>7}  blocks {count:>4}")?,
            None => write!(f, "  {:11}  {:11}", "", "")?,
        }
        let status = match self.status {
            0 => "passed",
            1 => "failed",
            _ => "phase error",
        };
        write!(f, "  bytes {:>7}  {status}", self.bytes)?;
        match self.sense {
            Some([key, asc, ascq]) => write!(f, "  {key:02X}/{asc:02X}/{ascq:02X}"),
            None => Ok(()),
        }
    }
}

/// bInterfaceClass of mass storage (USB Mass Storage Class overview, 2).
const MASS_STORAGE: u8 = 0x08;

/// Watches the bulk transfers of mass storage.
#[derive(Debug, Default)]
pub struct Watch {
    /// Addresses of the interface's bulk endpoints: a composite device also has others.
    endpoints: Vec<u8>,
    /// A CBW without its CSW, with the bytes moved since, and the first of them.
    pending: Option<(Vec<u8>, usize, Vec<u8>)>,
}

impl Watch {
    /// Watches the mass storage interface of a device with this configuration.
    #[must_use]
    pub fn new(configuration: &Configuration) -> Self {
        let is_storage = |number: u8| {
            configuration
                .interfaces
                .iter()
                .any(|interface| interface.number == number && interface.class[0] == MASS_STORAGE)
        };
        let bulk = configuration.endpoints.iter().filter(|endpoint| endpoint.transfer_type == TransferType::Bulk);
        let endpoints = bulk.filter(|endpoint| is_storage(endpoint.interface)).map(|endpoint| endpoint.address);
        Self { endpoints: endpoints.collect(), pending: None }
    }

    /// Processes a transfer that has ended. Returns the command that ended with it, if any.
    pub fn see(&mut self, completion: &Completion, at: Duration) -> Option<Command> {
        let ours = completion.setup.is_none() && self.endpoints.contains(&completion.endpoint);
        if !ours || completion.status == Status::Cancelled {
            return None;
        }
        let data = &completion.data;
        if completion.endpoint & IN == 0 && data.len() == CBW_LENGTH && data.starts_with(CBW_SIGNATURE) {
            self.pending = Some((data.clone(), 0, Vec::new()));
            return None;
        }
        let (wrapper, moved, head) = self.pending.as_mut()?;
        let tag = wrapper.get(4..8);
        if completion.endpoint & IN != 0
            && data.len() == CSW_LENGTH
            && data.starts_with(CSW_SIGNATURE)
            && data.get(4..8) == tag
        {
            let (wrapper, bytes, head) = self.pending.take()?;
            let block: Vec<u8> = wrapper.into_iter().skip(15).collect();
            return Some(Command {
                at,
                name: name(&block),
                blocks: blocks(&block),
                bytes,
                status: data.last().copied().unwrap_or(2),
                // Fixed format: key in byte 2, codes in 12 and 13.
                sense: (byte(&block, 0) == REQUEST_SENSE && head.len() > 13)
                    .then(|| [byte(&head, 2) & 0x0F, byte(&head, 12), byte(&head, 13)]),
            });
        }
        *moved += data.len();
        if head.is_empty() {
            *head = data.iter().take(18).copied().collect();
        }
        None
    }
}

fn byte(block: &[u8], at: usize) -> u8 {
    block.get(at).copied().unwrap_or(0)
}

fn number(block: &[u8], from: usize, to: usize) -> u64 {
    (from..to).fold(0, |sum, at| sum << 8 | u64::from(byte(block, at)))
}

/// Address and length of a READ (SBC-3 5.11 to 5.15).
fn blocks(block: &[u8]) -> Option<(u64, u32)> {
    let (lba, count) = match byte(block, 0) {
        // READ(6): 21 bits of address, and length 0 means 256.
        0x08 => {
            let count = number(block, 4, 5);
            (number(block, 1, 4) & 0x1F_FFFF, if count == 0 { 256 } else { count })
        }
        0x28 => (number(block, 2, 6), number(block, 7, 9)),
        0xA8 => (number(block, 2, 6), number(block, 6, 10)),
        0x88 => (number(block, 2, 10), number(block, 10, 14)),
        _ => return None,
    };
    Some((lba, u32::try_from(count).unwrap_or(u32::MAX)))
}

/// A command's name (SPC-4, SBC-3, MMC-6).
fn name(block: &[u8]) -> String {
    let name = match byte(block, 0) {
        0x00 => "TEST UNIT READY",
        REQUEST_SENSE => "REQUEST SENSE",
        0x08 => "READ(6)",
        0x0A => "WRITE(6)",
        0x12 if byte(block, 1) & 1 != 0 => return format!("INQUIRY VPD {:02X}h", byte(block, 2)),
        0x12 => "INQUIRY",
        0x1A => return format!("MODE SENSE(6) page {:02X}h", byte(block, 2) & 0x3F),
        0x1B => match byte(block, 4) & 3 {
            0 => "STOP UNIT",
            1 => "START UNIT",
            2 => "EJECT",
            _ => "LOAD",
        },
        0x1E if byte(block, 4) & 1 != 0 => "PREVENT REMOVAL",
        0x1E => "ALLOW REMOVAL",
        0x23 => "READ FORMAT CAPACITIES",
        0x25 => "READ CAPACITY(10)",
        0x28 => "READ(10)",
        0x2A => "WRITE(10)",
        0x2F => "VERIFY(10)",
        0x35 => "SYNCHRONIZE CACHE(10)",
        0x42 => "UNMAP",
        0x4D => "LOG SENSE",
        0x5A => return format!("MODE SENSE(10) page {:02X}h", byte(block, 2) & 0x3F),
        0x88 => "READ(16)",
        0x8A => "WRITE(16)",
        0x9E if byte(block, 1) & 0x1F == 0x10 => "READ CAPACITY(16)",
        0xA0 => "REPORT LUNS",
        0xA1 => "ATA PASS-THROUGH(12)",
        0xA3 => "MAINTENANCE IN",
        0xA8 => "READ(12)",
        0xAA => "WRITE(12)",
        other => return format!("opcode {other:02X}h"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::bus::{Completion, Status};
    use super::super::descriptor::{Configuration, Endpoint, Interface, TransferType};
    use super::{Command, Watch};
    use std::time::Duration;

    fn bulk(endpoint: u8, data: Vec<u8>) -> Completion {
        Completion { id: 0, endpoint, status: Status::Complete, data, setup: None }
    }

    /// A watcher for a disk with a serial port.
    fn watch() -> Watch {
        let endpoint = |address, interface| Endpoint {
            address,
            transfer_type: TransferType::Bulk,
            max_packet_size: 64,
            interval: 0,
            interface,
        };
        Watch::new(&Configuration {
            value: 1,
            interfaces: vec![Interface { number: 0, class: [8, 6, 0x50] }, Interface { number: 2, class: [10, 0, 0] }],
            endpoints: vec![endpoint(0x81, 0), endpoint(2, 0), endpoint(0x83, 2), endpoint(3, 2)],
        })
    }

    #[test]
    fn a_read_is_reported_with_its_blocks() {
        let mut cbw = b"USBCtag1\x00\x10\x00\x00\x80\x00\x0A".to_vec();
        cbw.extend([0x28, 0, 0, 0, 1, 2, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0]);
        let mut watch = watch();
        assert!(watch.see(&bulk(2, cbw), Duration::ZERO).is_none());
        assert!(watch.see(&bulk(0x83, b"a log line".to_vec()), Duration::ZERO).is_none());
        assert!(watch.see(&bulk(0x81, vec![0; 4096]), Duration::ZERO).is_none());
        assert!(watch.see(&bulk(0x83, b"USBStag1\0\0\0\0\0".to_vec()), Duration::ZERO).is_none());
        let command = watch.see(&bulk(0x81, b"USBStag1\0\0\0\0\0".to_vec()), Duration::from_secs(1)).unwrap();
        let expected = Command {
            at: Duration::from_secs(1),
            name: "READ(10)".to_owned(),
            blocks: Some((258, 8)),
            bytes: 4096,
            status: 0,
            sense: None,
        };
        assert_eq!(command, expected);
    }

    #[test]
    fn a_status_without_its_command_is_none() {
        assert!(watch().see(&bulk(0x81, b"USBStag1\0\0\0\0\0".to_vec()), Duration::ZERO).is_none());
    }
}
