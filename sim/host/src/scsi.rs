//! SCSI, the host's side (SPC-4, SBC-3): command blocks, sense data, and the stick as a disk.

use std::fmt;
use std::time::Duration;

use super::bot::{BotError, CswStatus, Data, Initiator, Outcome};
use super::bytes::{be32, be64};
use super::source::{BlockSource, ReadError};

/// Operation codes (SPC-4, SBC-3).
pub mod opcode {
    #![allow(missing_docs, reason = "the names are those of the standards")]
    pub const TEST_UNIT_READY: u8 = 0x00;
    pub const REQUEST_SENSE: u8 = 0x03;
    pub const FORMAT_UNIT: u8 = 0x04;
    pub const READ_6: u8 = 0x08;
    pub const WRITE_6: u8 = 0x0A;
    pub const INQUIRY: u8 = 0x12;
    pub const MODE_SELECT_6: u8 = 0x15;
    pub const MODE_SENSE_6: u8 = 0x1A;
    pub const START_STOP_UNIT: u8 = 0x1B;
    pub const PREVENT_ALLOW_MEDIUM_REMOVAL: u8 = 0x1E;
    pub const READ_FORMAT_CAPACITIES: u8 = 0x23;
    pub const READ_CAPACITY_10: u8 = 0x25;
    pub const READ_10: u8 = 0x28;
    pub const WRITE_10: u8 = 0x2A;
    pub const VERIFY_10: u8 = 0x2F;
    pub const SYNCHRONIZE_CACHE_10: u8 = 0x35;
    pub const LOG_SENSE: u8 = 0x4D;
    pub const MODE_SENSE_10: u8 = 0x5A;
    pub const ATA_PASS_THROUGH_16: u8 = 0x85;
    pub const READ_16: u8 = 0x88;
    pub const WRITE_16: u8 = 0x8A;
    pub const SERVICE_ACTION_IN_16: u8 = 0x9E;
    pub const REPORT_LUNS: u8 = 0xA0;
    pub const ATA_PASS_THROUGH_12: u8 = 0xA1;
    pub const MAINTENANCE_IN: u8 = 0xA3;
    pub const READ_12: u8 = 0xA8;
    pub const WRITE_12: u8 = 0xAA;
}

/// Sense key, additional sense code and its qualifier (SPC-4 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sense(pub u8, pub u8, pub u8);

impl Sense {
    /// NO SENSE.
    pub const NONE: Self = Self(0, 0, 0);
    /// NOT READY, MEDIUM NOT PRESENT.
    pub const MEDIUM_NOT_PRESENT: Self = Self(2, 0x3A, 0);
    /// ILLEGAL REQUEST, INVALID COMMAND OPERATION CODE.
    pub const INVALID_OPERATION_CODE: Self = Self(5, 0x20, 0);
    /// ILLEGAL REQUEST, LOGICAL BLOCK ADDRESS OUT OF RANGE.
    pub const LBA_OUT_OF_RANGE: Self = Self(5, 0x21, 0);
    /// ILLEGAL REQUEST, INVALID FIELD IN CDB.
    pub const INVALID_FIELD_IN_CDB: Self = Self(5, 0x24, 0);
    /// ILLEGAL REQUEST, LOGICAL UNIT NOT SUPPORTED.
    pub const LOGICAL_UNIT_NOT_SUPPORTED: Self = Self(5, 0x25, 0);
    /// UNIT ATTENTION, NOT READY TO READY CHANGE.
    pub const NOT_READY_TO_READY_CHANGE: Self = Self(6, 0x28, 0);
    /// UNIT ATTENTION, POWER ON, RESET, OR BUS DEVICE RESET OCCURRED.
    pub const POWER_ON_OR_RESET: Self = Self(6, 0x29, 0);
    /// DATA PROTECT, WRITE PROTECTED.
    pub const WRITE_PROTECTED: Self = Self(7, 0x27, 0);

    /// Whether it is what a device reports when it removes its medium or shows another one.
    #[must_use]
    pub fn is_medium_change(self) -> bool {
        matches!(self, Self::MEDIUM_NOT_PRESENT | Self::NOT_READY_TO_READY_CHANGE)
    }

    /// Decodes fixed-format sense data (SPC-4 4.5.3).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(data: &[u8]) -> Result<Self, String> {
        let (Some(&code), Some(&key), Some(&additional)) = (data.first(), data.get(2), data.get(7)) else {
            return Err(format!("sense data of {} bytes", data.len()));
        };
        if code & 0x7F != 0x70 {
            return Err(format!("sense response code {code:02x}h, not current and fixed"));
        }
        if usize::from(additional) + 8 != data.len() {
            return Err(format!("ADDITIONAL SENSE LENGTH {additional} in {} bytes", data.len()));
        }
        match (data.get(12), data.get(13)) {
            (Some(&asc), Some(&ascq)) => Ok(Self(key & 0x0F, asc, ascq)),
            _ => Err(format!("sense data of {} bytes has no additional sense code", data.len())),
        }
    }
}

impl fmt::Display for Sense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}/{:02X}/{:02X}", self.0, self.1, self.2)
    }
}

/// Why a command failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandError {
    /// CHECK CONDITION with this sense.
    Check(Sense),
    /// The transport failed.
    Transport(BotError),
    /// The reply is invalid.
    Reply(String),
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(sense) => write!(f, "CHECK CONDITION {sense}"),
            Self::Transport(error) => write!(f, "transport: {error}"),
            Self::Reply(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CommandError {}

impl From<BotError> for CommandError {
    fn from(error: BotError) -> Self {
        Self::Transport(error)
    }
}

/// Standard INQUIRY data (SPC-4 6.6.2), as far as hosts use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// PERIPHERAL DEVICE TYPE.
    pub device_type: u8,
    /// RMB.
    pub removable: bool,
    /// VERSION.
    pub version: u8,
    /// T10 VENDOR IDENTIFICATION.
    pub vendor: String,
    /// PRODUCT IDENTIFICATION.
    pub product: String,
    /// PRODUCT REVISION LEVEL.
    pub revision: String,
}

impl Inquiry {
    /// Reads at least 36 bytes.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(data: &[u8]) -> Result<Self, String> {
        let (Some(&[peripheral, rmb, version, format, additional]), Some(text)) =
            (data.first_chunk::<5>(), data.get(8..36))
        else {
            return Err(format!("standard INQUIRY data of {} bytes", data.len()));
        };
        if peripheral & 0xE0 != 0 || format & 0x0F != 2 || usize::from(additional) + 5 < data.len() {
            return Err(format!("standard INQUIRY data starts with {:02x?}", &data[..5]));
        }
        if text.iter().any(|byte| !(0x20..0x7F).contains(byte)) {
            return Err("standard INQUIRY text is not printable ASCII (SPC-4 4.4.1)".to_owned());
        }
        let field = |range: std::ops::Range<usize>| String::from_utf8_lossy(&text[range]).trim_end().to_owned();
        Ok(Self {
            device_type: peripheral & 0x1F,
            removable: rmb & 0x80 != 0,
            version,
            vendor: field(0..8),
            product: field(8..24),
            revision: field(24..28),
        })
    }
}

/// A READ(6), (10), (12) or (16) command block (SBC-3 5.10 to 5.13).
///
/// `size` is 6, 10, 12 or 16; READ(6) has 21 bits for the address and 8 for the count.
#[must_use]
pub fn read_cdb(size: u8, lba: u64, count: u32) -> Vec<u8> {
    let address = (lba as u32).to_be_bytes();
    match size {
        6 => vec![opcode::READ_6, address[1] & 0x1F, address[2], address[3], count as u8, 0],
        12 => {
            let mut cdb = vec![opcode::READ_12, 0];
            cdb.extend(address);
            cdb.extend(count.to_be_bytes());
            cdb.extend([0, 0]);
            cdb
        }
        16 => {
            let mut cdb = vec![opcode::READ_16, 0];
            cdb.extend(lba.to_be_bytes());
            cdb.extend(count.to_be_bytes());
            cdb.extend([0, 0]);
            cdb
        }
        _ => {
            let mut cdb = vec![opcode::READ_10, 0];
            cdb.extend(address);
            cdb.push(0);
            cdb.extend((count as u16).to_be_bytes());
            cdb.push(0);
            cdb
        }
    }
}

impl Initiator<'_> {
    /// A command to unit 0; if it fails, REQUEST SENSE follows.
    ///
    /// # Errors
    /// [`CommandError::Check`] with the sense data for Command Failed.
    pub fn scsi(&mut self, cdb: &[u8], data: Data<'_>) -> Result<Outcome, CommandError> {
        let outcome = self.command(0, cdb, data)?;
        match outcome.csw.status {
            CswStatus::CommandPassed => Ok(outcome),
            CswStatus::CommandFailed => Err(CommandError::Check(self.request_sense()?)),
            CswStatus::PhaseError => Err(CommandError::Reply("phase error".to_owned())),
        }
    }

    /// REQUEST SENSE (SPC-4 6.39) for 18 bytes.
    ///
    /// # Errors
    /// If it fails, which it never should, or its data are malformed.
    pub fn request_sense(&mut self) -> Result<Sense, CommandError> {
        let outcome = self.command(0, &[opcode::REQUEST_SENSE, 0, 0, 0, 18, 0], Data::In(18))?;
        if outcome.csw.status != CswStatus::CommandPassed {
            return Err(CommandError::Reply("REQUEST SENSE failed".to_owned()));
        }
        let sense = Sense::parse(&outcome.data).map_err(CommandError::Reply)?;
        self.medium_changes += u32::from(sense.is_medium_change());
        Ok(sense)
    }

    /// TEST UNIT READY (SPC-4 6.47).
    ///
    /// # Errors
    /// The sense data if the unit is not ready.
    pub fn test_unit_ready(&mut self) -> Result<(), CommandError> {
        self.scsi(&[opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0], Data::None).map(drop)
    }

    /// Standard INQUIRY (SPC-4 6.6) for 36 bytes.
    ///
    /// # Errors
    /// As any command.
    pub fn inquiry(&mut self) -> Result<Inquiry, CommandError> {
        let outcome = self.scsi(&[opcode::INQUIRY, 0, 0, 0, 36, 0], Data::In(36))?;
        Inquiry::parse(&outcome.data).map_err(CommandError::Reply)
    }

    /// READ CAPACITY(10) (SBC-3 5.15): number of blocks and their length.
    ///
    /// # Errors
    /// As any command.
    pub fn read_capacity(&mut self) -> Result<(u64, u32), CommandError> {
        let outcome = self.scsi(&[opcode::READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0], Data::In(8))?;
        if outcome.data.len() != 8 {
            return Err(CommandError::Reply(format!("READ CAPACITY(10) of {} bytes", outcome.data.len())));
        }
        if be32(&outcome.data, 0) == u32::MAX {
            return self.read_capacity_16();
        }
        Ok((u64::from(be32(&outcome.data, 0)) + 1, be32(&outcome.data, 4)))
    }

    /// READ CAPACITY(16) (SBC-3 5.16): number of blocks and their length.
    ///
    /// # Errors
    /// As any command.
    pub fn read_capacity_16(&mut self) -> Result<(u64, u32), CommandError> {
        let mut cdb = [0; 16];
        (cdb[0], cdb[1], cdb[13]) = (opcode::SERVICE_ACTION_IN_16, 0x10, 32);
        let outcome = self.scsi(&cdb, Data::In(32))?;
        if outcome.data.len() < 12 {
            return Err(CommandError::Reply(format!("READ CAPACITY(16) of {} bytes", outcome.data.len())));
        }
        Ok((be64(&outcome.data, 0).saturating_add(1), be32(&outcome.data, 8)))
    }

    /// Waits until the unit is ready, as an operating system does after attaching: consumes unit attentions.
    ///
    /// # Errors
    /// The last answer if the unit does not become ready.
    pub fn wait_ready(&mut self) -> Result<(), CommandError> {
        let mut last = Ok(());
        for _ in 0..8 {
            last = self.test_unit_ready();
            match &last {
                Err(CommandError::Check(Sense(6, ..))) => {}
                Err(CommandError::Check(Sense(2, ..))) => self.host.elapse(Duration::from_secs(1)),
                _ => return last,
            }
        }
        last
    }
}

/// Blocks per READ(10): 120 KiB, like Linux's usb-storage.
const BLOCKS_PER_READ: u32 = 240;

/// The stick as a disk.
pub struct Disk<'a> {
    /// The initiator underneath.
    pub initiator: Initiator<'a>,
    block_count: u64,
}

impl<'a> Disk<'a> {
    /// Makes the unit ready and reads its capacity.
    ///
    /// # Errors
    /// As the commands; blocks that do not have 512 bytes.
    pub fn open(mut initiator: Initiator<'a>) -> Result<Self, CommandError> {
        initiator.inquiry()?;
        initiator.wait_ready()?;
        let (block_count, block_length) = initiator.read_capacity()?;
        if block_length != 512 {
            return Err(CommandError::Reply(format!("blocks of {block_length} bytes")));
        }
        Ok(Self { initiator, block_count })
    }

    /// READ(10) of at most 240 blocks.
    ///
    /// # Errors
    /// As any command; less data than requested.
    pub fn read_10(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, CommandError> {
        let outcome = self.initiator.scsi(&read_cdb(10, lba, count), Data::In(count * 512))?;
        if outcome.data.len() != count as usize * 512 || outcome.csw.residue != 0 {
            let (got, residue) = (outcome.data.len(), outcome.csw.residue);
            return Err(CommandError::Reply(format!("{count} blocks: {got} bytes, residue {residue}")));
        }
        Ok(outcome.data)
    }
}

impl BlockSource for Disk<'_> {
    fn block_count(&self) -> u64 {
        self.block_count
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let mut data = Vec::with_capacity(count as usize * 512);
        let mut done = 0;
        while done < count {
            let part = (count - done).min(BLOCKS_PER_READ);
            let first = lba + u64::from(done);
            let bytes = self.read_10(first, part);
            data.extend(bytes.map_err(|error| ReadError(format!("READ(10) of block {first}: {error}")))?);
            done += part;
        }
        Ok(data)
    }
}
