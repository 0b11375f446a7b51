//! The logical unit: one gate, then the commands.

use super::attention::UnitAttentions;
use super::cdb::{Access, Cdb, OperationCode, Rule};
use super::cursor::ReadCursor;
use super::inquiry::{Peripheral, UnitIdentity, inquiry};
use super::response::Response;
use super::{Medium, Sense, capacity, mode};
use crate::block::Lba;

/// How a command ended (SAM-4 5.3.1), as far as Bulk-Only Transport can report it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// GOOD.
    Good,
    /// CHECK CONDITION: REQUEST SENSE returns the sense data.
    CheckCondition,
}

/// Where the bytes of the reply come from.
#[derive(Clone, Copy, Debug)]
enum Reply {
    /// From the response buffer.
    Response,
    /// From the medium, whose change count was `change_count` when the READ began.
    Read { cursor: ReadCursor, change_count: u32 },
}

/// A direct access logical unit, number 0, over a medium that it owns.
///
/// Sense data is kept from the command that failed until the next command other than REQUEST SENSE (SAM-4 5.13). Unit
/// attentions are reported first for every command except INQUIRY, REPORT LUNS and REQUEST SENSE; the latter returns and
/// clears one if there is no sense data (SPC-4 6.39).
#[derive(Debug)]
pub struct LogicalUnit<'a, M> {
    medium: M,
    identity: UnitIdentity<'a>,
    attentions: UnitAttentions,
    sense: Sense,
    status: Status,
    reply: Reply,
    response: Response,
}

impl<'a, M: Medium> LogicalUnit<'a, M> {
    /// A unit that has just been powered on.
    #[must_use]
    pub fn new(medium: M, identity: UnitIdentity<'a>) -> Self {
        let attentions = UnitAttentions::power_on(&medium);
        Self {
            medium,
            identity,
            attentions,
            sense: Sense::NO_SENSE,
            status: Status::Good,
            reply: Reply::Response,
            response: Response::new(),
        }
    }

    /// The medium.
    #[must_use]
    pub fn medium(&self) -> &M {
        &self.medium
    }

    /// The medium, to be changed. A change that has to be reported to the host must show in the medium's change count.
    #[must_use]
    pub fn medium_mut(&mut self) -> &mut M {
        &mut self.medium
    }

    /// The sense data that the next REQUEST SENSE returns, not counting unit attentions.
    #[must_use]
    pub fn sense(&self) -> Sense {
        self.sense
    }

    /// Whether the host knows that there is no medium: it has received MEDIUM NOT PRESENT, or ejected the medium. False
    /// again once the next medium has been reported.
    #[must_use]
    pub fn is_absence_known(&self) -> bool {
        self.attentions.is_absence_known()
    }

    /// Highest logical unit number: unit 0 is the only one.
    #[must_use]
    pub fn max_lun(&self) -> u8 {
        0
    }

    /// Begins a command for logical unit `lun` and returns the length of its reply in bytes. [`status`](Self::status)
    /// returns how it ended, or will end once the reply was sent.
    ///
    /// A command block may have any length; an empty one is an invalid field. No command takes data from the host: those
    /// that would are refused here, with a reply of length 0. If a command was in progress, it is aborted.
    pub fn begin(&mut self, lun: u8, block: &[u8]) -> u64 {
        self.response.clear();
        self.reply = Reply::Response;
        let result = if lun == 0 {
            // Sense data of a unit that does not exist is not stored: it is always the same.
            self.execute(block).inspect_err(|&sense| self.sense = sense)
        } else {
            self.absent_unit(block)
        };
        self.status = if result.is_ok() { Status::Good } else { Status::CheckCondition };
        result.unwrap_or(0)
    }

    /// Fills `packet` with the next bytes of the reply, padded with zeros after its end.
    #[inline]
    pub fn data_in(&mut self, packet: &mut [u8]) {
        if let Reply::Read { cursor, change_count } = &mut self.reply {
            if self.medium.is_present() && self.medium.change_count() == *change_count {
                let piece = cursor.advance(packet.len());
                let (part, beyond) = packet.split_at_mut_checked(piece.length).unwrap_or_default();
                if !part.is_empty() {
                    self.medium.read(piece.lba, piece.offset, part);
                }
                if !beyond.is_empty() {
                    beyond.fill(0);
                }
                return;
            }
            self.read_interrupted();
        }
        self.response.take(packet);
    }

    /// How the last command ended. Final once its reply was sent: a READ may fail on the way.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// A reset of the transport has aborted the current command. Sense data, the medium and unit attentions are unchanged
    /// (`UnitAttentions` explains why).
    pub fn reset(&mut self) {
        self.response.clear();
        self.reply = Reply::Response;
        self.status = Status::Good;
    }

    /// A bus reset also clears the sense data and loads the medium again.
    pub fn bus_reset(&mut self) {
        self.reset();
        self.sense = Sense::NO_SENSE;
        // A host that has forgotten the unit has also forgotten that it ejected the medium.
        self.medium.load();
    }

    /// The gate, then the command. The result is the length of the reply in bytes.
    fn execute(&mut self, block: &[u8]) -> Result<u64, Sense> {
        let cdb = self.gate(block)?;
        self.command(&cdb)
    }

    /// The checks that are the same for all commands: unit attentions, operation code, length of the CDB, reserved bits,
    /// presence of the medium, write protection; in this order.
    fn gate<'b>(&mut self, block: &'b [u8]) -> Result<Cdb<'b>, Sense> {
        let operation_code = OperationCode(block.first().copied().unwrap_or(0));
        let rule = Rule::find(operation_code);
        if operation_code != OperationCode::REQUEST_SENSE {
            self.sense = Sense::NO_SENSE;
        }
        if rule.is_none_or(|rule| rule.access != Access::Always)
            && let Some(attention) = self.attentions.take(&self.medium)
        {
            return Err(attention);
        }
        let rule = rule.ok_or(Sense::INVALID_OPERATION_CODE)?;
        let cdb = rule.check(block)?;
        match rule.access {
            Access::Always | Access::Unit => {}
            Access::Medium => self.need_medium()?,
            Access::Write => {
                self.need_medium()?;
                return Err(Sense::WRITE_PROTECTED);
            }
        }
        Ok(cdb)
    }

    fn need_medium(&mut self) -> Result<(), Sense> {
        if self.medium.is_present() {
            return Ok(());
        }
        self.attentions.absence_known();
        Err(Sense::MEDIUM_NOT_PRESENT)
    }

    /// A command that has passed the gate.
    fn command(&mut self, cdb: &Cdb<'_>) -> Result<u64, Sense> {
        let length = cdb.length();
        let blocks = self.medium.block_count();
        let response = &mut self.response;
        match cdb.operation_code() {
            OperationCode::READ_6 => {
                // SBC-3 5.10: 0 means 256, but only in READ(6).
                let length = if length == 0 { 256 } else { length };
                return self.read(cdb.lba(), length);
            }
            OperationCode::READ_10 | OperationCode::READ_12 | OperationCode::READ_16 => {
                return self.read(cdb.lba(), length);
            }
            OperationCode::TEST_UNIT_READY => return Ok(0),
            OperationCode::START_STOP_UNIT => return self.start_stop(cdb.byte(4)).map(|()| 0),
            OperationCode::VERIFY_10 | OperationCode::SYNCHRONIZE_CACHE_10 => {
                // The blocks are always readable, and nothing is cached.
                return self.check_range(cdb.lba(), length).map(|_| 0);
            }
            OperationCode::INQUIRY => {
                inquiry(cdb, Peripheral::DirectAccess, &self.identity, response)?;
                return Ok(self.truncated(inquiry_allocation_length(cdb)));
            }
            OperationCode::REQUEST_SENSE => {
                let mut sense = core::mem::replace(&mut self.sense, Sense::NO_SENSE);
                if sense == Sense::NO_SENSE {
                    sense = self.attentions.take(&self.medium).unwrap_or(sense);
                }
                sense.encode(response);
            }
            OperationCode::MODE_SENSE_6 | OperationCode::MODE_SENSE_10 => mode::mode_sense(cdb, response)?,
            OperationCode::READ_CAPACITY_10 => {
                capacity::read_capacity_10(cdb, blocks, response)?;
                // No ALLOCATION LENGTH: this byte contains PMI.
                return Ok(self.truncated(u32::MAX));
            }
            OperationCode::SERVICE_ACTION_IN_16 => capacity::read_capacity_16(cdb, blocks, response)?,
            OperationCode::READ_FORMAT_CAPACITIES => capacity::read_format_capacities(blocks, response),
            OperationCode::REPORT_LUNS => capacity::report_luns(cdb, response)?,
            _ => return Err(Sense::INVALID_OPERATION_CODE),
        }
        Ok(self.truncated(length))
    }

    fn truncated(&mut self, allocation_length: u32) -> u64 {
        self.response.truncate(allocation_length) as u64
    }

    /// Checks that `length` blocks from `lba` on are on the medium (SBC-3 4.5). An address beyond the end is an error even
    /// if no block is requested. Returns the address in the width of the medium's addresses.
    fn check_range(&self, lba: u64, length: u32) -> Result<Lba, Sense> {
        let blocks = self.medium.block_count().0;
        match u32::try_from(lba) {
            Ok(lba) if lba < blocks && length <= blocks - lba => Ok(Lba(lba)),
            _ => Err(Sense::lba_out_of_range(lba.max(blocks.into()))),
        }
    }

    fn read(&mut self, lba: u64, length: u32) -> Result<u64, Sense> {
        let cursor = ReadCursor::new(self.check_range(lba, length)?, length);
        self.reply = Reply::Read { cursor, change_count: self.medium.change_count() };
        Ok(cursor.remaining())
    }

    /// START STOP UNIT (SBC-3 5.25); `flags` is byte 4.
    fn start_stop(&mut self, flags: u8) -> Result<(), Sense> {
        const START: u8 = 0x01;
        const LOEJ: u8 = 0x02;
        const NO_FLUSH: u8 = 0x04;

        if flags & !(START | LOEJ | NO_FLUSH) != 0 {
            // There are no power conditions.
            return Err(Sense::INVALID_FIELD_IN_CDB);
        }
        let (start, load_eject) = (flags & START != 0, flags & LOEJ != 0);
        if load_eject {
            if start {
                self.medium.load();
            } else {
                self.medium.eject();
            }
            if !start {
                self.attentions.absence_known();
            }
        }
        // Stopping has no effect, and starting only requires a medium: there is no motor.
        if start { self.need_medium() } else { Ok(()) }
    }

    /// A command for a logical unit that does not exist (SAM-4 5.11). Does not affect unit 0.
    fn absent_unit(&mut self, block: &[u8]) -> Result<u64, Sense> {
        let operation_code = OperationCode(block.first().copied().unwrap_or(0));
        let rule = Rule::find(operation_code).ok_or(Sense::LOGICAL_UNIT_NOT_SUPPORTED)?;
        match operation_code {
            OperationCode::INQUIRY => {
                let cdb = rule.check(block)?;
                inquiry(&cdb, Peripheral::None, &self.identity, &mut self.response)?;
                Ok(self.truncated(inquiry_allocation_length(&cdb)))
            }
            OperationCode::REQUEST_SENSE => {
                let cdb = rule.check(block)?;
                Sense::LOGICAL_UNIT_NOT_SUPPORTED.encode(&mut self.response);
                Ok(self.truncated(cdb.length()))
            }
            _ => Err(Sense::LOGICAL_UNIT_NOT_SUPPORTED),
        }
    }

    /// The medium has gone or changed during a READ: the READ fails, with the sense data that the host needs.
    #[cold]
    fn read_interrupted(&mut self) {
        self.response.clear();
        self.reply = Reply::Response;
        self.status = Status::CheckCondition;
        self.sense = match self.need_medium() {
            Err(sense) => sense,
            Ok(()) => self.attentions.take(&self.medium).unwrap_or(Sense::NOT_READY_TO_READY_CHANGE),
        };
    }
}

/// ALLOCATION LENGTH of INQUIRY: two bytes, unlike in other six-byte commands (SPC-4 6.6.1).
fn inquiry_allocation_length(cdb: &Cdb<'_>) -> u32 {
    cdb.number(3, 2) as u32
}
