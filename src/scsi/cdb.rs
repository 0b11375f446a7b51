//! Command descriptor blocks (SPC-4 4.3), and the table of what each command may contain.

use super::Sense;

/// OPERATION CODE: byte 0 of a CDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationCode(pub u8);

#[allow(missing_docs, reason = "the standard's names, in its spelling")]
impl OperationCode {
    pub const TEST_UNIT_READY: Self = Self(0x00);
    pub const REQUEST_SENSE: Self = Self(0x03);
    pub const FORMAT_UNIT: Self = Self(0x04);
    pub const READ_6: Self = Self(0x08);
    pub const WRITE_6: Self = Self(0x0A);
    pub const INQUIRY: Self = Self(0x12);
    pub const MODE_SENSE_6: Self = Self(0x1A);
    pub const START_STOP_UNIT: Self = Self(0x1B);
    pub const READ_FORMAT_CAPACITIES: Self = Self(0x23);
    pub const READ_CAPACITY_10: Self = Self(0x25);
    pub const READ_10: Self = Self(0x28);
    pub const WRITE_10: Self = Self(0x2A);
    pub const WRITE_AND_VERIFY_10: Self = Self(0x2E);
    pub const VERIFY_10: Self = Self(0x2F);
    pub const SYNCHRONIZE_CACHE_10: Self = Self(0x35);
    pub const WRITE_SAME_10: Self = Self(0x41);
    pub const UNMAP: Self = Self(0x42);
    pub const MODE_SENSE_10: Self = Self(0x5A);
    pub const READ_16: Self = Self(0x88);
    pub const WRITE_16: Self = Self(0x8A);
    pub const WRITE_AND_VERIFY_16: Self = Self(0x8E);
    pub const WRITE_SAME_16: Self = Self(0x93);
    pub const SERVICE_ACTION_IN_16: Self = Self(0x9E);
    pub const REPORT_LUNS: Self = Self(0xA0);
    pub const READ_12: Self = Self(0xA8);
    pub const WRITE_12: Self = Self(0xAA);
    pub const WRITE_AND_VERIFY_12: Self = Self(0xAE);
}

/// What is required before a command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: INQUIRY, REQUEST SENSE and REPORT LUNS run despite unit attentions and without a medium (SAM-4 5.14).
    Always,
    /// Unit attentions are reported first; the command checks for a medium itself.
    Unit,
    /// Unit attentions are reported first, then a medium must be present.
    Medium,
    /// As `Medium`; then the command fails because it would write.
    Write,
}

/// What a command may contain.
///
/// Bits that are not allowed are reserved or obsolete, or request something that this unit does not have; all of them end
/// with INVALID FIELD IN CDB. CONTROL, the last byte, must be 0 in every command: NACA is not supported (SAM-4 5.2).
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    pub operation_code: OperationCode,
    pub access: Access,
    /// Bits of byte 1 that may be set.
    byte_1: u8,
    /// Bit n is for byte n, from 2 on: set if the byte may be nonzero.
    bytes: u16,
}

/// The bits of `Rule::bytes` for `count` bytes from byte `first` on.
const fn span(first: u8, count: u8) -> u16 {
    ((1 << count) - 1) << first
}

const fn rule(operation_code: OperationCode, access: Access, byte_1: u8, bytes: u16) -> Rule {
    Rule { operation_code, access, byte_1, bytes }
}

/// DPO and FUA (SBC-3 5.11): allowed and ignored, since nothing is cached.
const DPO_FUA: u8 = 0x18;

/// Every command that does not write. PREVENT ALLOW MEDIUM REMOVAL is missing on purpose: a host that was allowed to
/// prevent removal stops checking for another medium.
const RULES: [Rule; 16] = [
    // First, because it is the most frequent one.
    rule(OperationCode::READ_10, Access::Medium, DPO_FUA, span(2, 4) | span(7, 2)),
    rule(OperationCode::TEST_UNIT_READY, Access::Medium, 0, 0),
    // Byte 1: DESC is refused, which means that the descriptor format is not supported (SPC-4 6.39).
    rule(OperationCode::REQUEST_SENSE, Access::Always, 0, span(4, 1)),
    rule(OperationCode::READ_6, Access::Medium, 0x1F, span(2, 3)),
    // Byte 1: EVPD. CMDDT is obsolete.
    rule(OperationCode::INQUIRY, Access::Always, 0x01, span(2, 3)),
    // Byte 1: DBD.
    rule(OperationCode::MODE_SENSE_6, Access::Medium, 0x08, span(2, 3)),
    // Byte 1: IMMED.
    rule(OperationCode::START_STOP_UNIT, Access::Unit, 0x01, span(4, 1)),
    rule(OperationCode::READ_FORMAT_CAPACITIES, Access::Medium, 0, span(7, 2)),
    rule(OperationCode::READ_CAPACITY_10, Access::Medium, 0, span(2, 4) | span(8, 1)),
    // Byte 1: DPO. A BYTCHK other than 0 would need data to compare with.
    rule(OperationCode::VERIFY_10, Access::Medium, 0x10, span(2, 4) | span(7, 2)),
    // Byte 1: SYNC_NV and IMMED.
    rule(OperationCode::SYNCHRONIZE_CACHE_10, Access::Medium, 0x06, span(2, 4) | span(7, 2)),
    // Byte 1: LLBAA and DBD.
    rule(OperationCode::MODE_SENSE_10, Access::Medium, 0x18, span(2, 2) | span(7, 2)),
    rule(OperationCode::READ_16, Access::Medium, DPO_FUA, span(2, 12)),
    // Byte 1: SERVICE ACTION.
    rule(OperationCode::SERVICE_ACTION_IN_16, Access::Medium, 0x1F, span(2, 13)),
    rule(OperationCode::REPORT_LUNS, Access::Always, 0, span(2, 1) | span(6, 4)),
    rule(OperationCode::READ_12, Access::Medium, DPO_FUA, span(2, 8)),
];

/// Every command that writes. Their fields do not matter.
const WRITES: [OperationCode; 11] = [
    OperationCode::FORMAT_UNIT,
    OperationCode::WRITE_6,
    OperationCode::WRITE_10,
    OperationCode::WRITE_AND_VERIFY_10,
    OperationCode::WRITE_SAME_10,
    OperationCode::UNMAP,
    OperationCode::WRITE_16,
    OperationCode::WRITE_AND_VERIFY_16,
    OperationCode::WRITE_SAME_16,
    OperationCode::WRITE_12,
    OperationCode::WRITE_AND_VERIFY_12,
];

impl Rule {
    /// The rule for a command, or `None` if this unit does not support it.
    pub fn find(operation_code: OperationCode) -> Option<Self> {
        let known = RULES.iter().find(|rule| rule.operation_code == operation_code).copied();
        known.or_else(|| WRITES.contains(&operation_code).then(|| rule(operation_code, Access::Write, 0xFF, u16::MAX)))
    }

    /// Checks length, reserved bits and CONTROL of a command block.
    ///
    /// A block that is longer than its operation code requires is cut: many hosts always send 12 or 16 bytes.
    pub fn check<'b>(&self, block: &'b [u8]) -> Result<Cdb<'b>, Sense> {
        let length = self.operation_code.cdb_length();
        let block = block.get(..length).ok_or(Sense::INVALID_FIELD_IN_CDB)?;
        let cdb = Cdb { bytes: block };
        // Bit n is for byte n. CONTROL is the last byte; those after it are ignored.
        let control = 1u16 << (length - 1);
        let mut zero = (!(self.bytes | 0b11) | control) & (control << 1).wrapping_sub(1);
        let mut wrong = cdb.byte(1) & !self.byte_1;
        while zero != 0 {
            wrong |= cdb.byte(zero.trailing_zeros() as usize);
            zero &= zero - 1;
        }
        if wrong == 0 { Ok(cdb) } else { Err(Sense::INVALID_FIELD_IN_CDB) }
    }
}

impl OperationCode {
    /// Length in bytes of a CDB, by the group code in the upper three bits (SPC-4 4.3.4.1). Groups without a fixed length
    /// contain no command of this unit and count as 16.
    #[must_use]
    pub const fn cdb_length(self) -> usize {
        match self.0 >> 5 {
            0 => 6,
            1 | 2 => 10,
            5 => 12,
            _ => 16,
        }
    }
}

/// A command descriptor block that obeys its rule: long enough, no reserved bit set, CONTROL 0.
///
/// Bytes after its end read as 0.
#[derive(Clone, Copy, Debug)]
pub struct Cdb<'b> {
    bytes: &'b [u8],
}

impl Cdb<'_> {
    /// OPERATION CODE.
    pub fn operation_code(&self) -> OperationCode {
        OperationCode(self.byte(0))
    }

    /// The byte at `index`; 0 beyond the end.
    pub fn byte(&self, index: usize) -> u8 {
        self.bytes.get(index).copied().unwrap_or(0)
    }

    /// LOGICAL BLOCK ADDRESS at its position in a CDB of this length (SPC-4 4.3.4.2 to 4.3.4.5): 21, 32 or 64 bits.
    pub fn lba(&self) -> u64 {
        match self.operation_code().cdb_length() {
            // The rule allows only these 21 bits.
            6 => self.number(1, 3),
            16 => self.number(2, 8),
            _ => self.word(2).into(),
        }
    }

    /// TRANSFER LENGTH in blocks or ALLOCATION LENGTH in bytes at its position in a CDB of this length (SPC-4 4.3.4.2 to
    /// 4.3.4.5): 8, 16 or 32 bits.
    pub fn length(&self) -> u32 {
        match self.operation_code().cdb_length() {
            6 => self.byte(4).into(),
            10 => u32::from(self.byte(7)) << 8 | u32::from(self.byte(8)),
            12 => self.word(6),
            _ => self.word(10),
        }
    }

    /// The big-endian number in bytes `first` to `first` + 3; 0 if the block is too short.
    fn word(&self, first: usize) -> u32 {
        self.bytes.get(first..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u32::from_be_bytes(*bytes))
    }

    /// A big-endian number of `count` bytes from byte `first` on.
    pub fn number(&self, first: usize, count: usize) -> u64 {
        self.bytes.iter().skip(first).take(count).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }
}
