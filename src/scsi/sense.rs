//! Sense data (SPC-4 4.5): why a command did not end with GOOD.

use super::response::Response;

/// The sense keys (SPC-4 4.5.6) that this unit uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SenseKey {
    /// Nothing to report.
    NoSense = 0x0,
    /// The unit cannot be accessed.
    NotReady = 0x2,
    /// The command is invalid.
    IllegalRequest = 0x5,
    /// The unit has to report something first.
    UnitAttention = 0x6,
    /// The medium is write-protected.
    DataProtect = 0x7,
}

/// Additional sense code and its qualifier (SPC-4 annex F.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdditionalSense {
    /// ADDITIONAL SENSE CODE.
    pub asc: u8,
    /// ADDITIONAL SENSE CODE QUALIFIER.
    pub ascq: u8,
}

/// The error type of a command: sense key and additional sense, with the INFORMATION field if the command defines one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sense {
    /// SENSE KEY.
    pub key: SenseKey,
    /// The additional sense code and its qualifier.
    pub additional: AdditionalSense,
    /// INFORMATION; with `None`, VALID is 0.
    pub information: Option<u32>,
}

impl Sense {
    /// NO ADDITIONAL SENSE INFORMATION, 00/00/00.
    pub const NO_SENSE: Self = Self::new(SenseKey::NoSense, 0x00);
    /// MEDIUM NOT PRESENT, 02/3A/00.
    pub const MEDIUM_NOT_PRESENT: Self = Self::new(SenseKey::NotReady, 0x3A);
    /// INVALID COMMAND OPERATION CODE, 05/20/00.
    pub const INVALID_OPERATION_CODE: Self = Self::new(SenseKey::IllegalRequest, 0x20);
    /// LOGICAL BLOCK ADDRESS OUT OF RANGE, 05/21/00.
    pub const LBA_OUT_OF_RANGE: Self = Self::new(SenseKey::IllegalRequest, 0x21);
    /// INVALID FIELD IN CDB, 05/24/00.
    pub const INVALID_FIELD_IN_CDB: Self = Self::new(SenseKey::IllegalRequest, 0x24);
    /// LOGICAL UNIT NOT SUPPORTED, 05/25/00.
    pub const LOGICAL_UNIT_NOT_SUPPORTED: Self = Self::new(SenseKey::IllegalRequest, 0x25);
    /// SAVING PARAMETERS NOT SUPPORTED, 05/39/00.
    pub const SAVING_PARAMETERS_NOT_SUPPORTED: Self = Self::new(SenseKey::IllegalRequest, 0x39);
    /// NOT READY TO READY CHANGE, MEDIUM MAY HAVE CHANGED, 06/28/00.
    pub const NOT_READY_TO_READY_CHANGE: Self = Self::new(SenseKey::UnitAttention, 0x28);
    /// POWER ON, RESET, OR BUS DEVICE RESET OCCURRED, 06/29/00.
    pub const POWER_ON_OR_RESET: Self = Self::new(SenseKey::UnitAttention, 0x29);
    /// WRITE PROTECTED, 07/27/00.
    pub const WRITE_PROTECTED: Self = Self::new(SenseKey::DataProtect, 0x27);

    const fn new(key: SenseKey, asc: u8) -> Self {
        Self { key, additional: AdditionalSense { asc, ascq: 0x00 }, information: None }
    }

    /// LOGICAL BLOCK ADDRESS OUT OF RANGE with INFORMATION set to the first invalid address (SCSI-2 9.2.6; SBC-3 leaves
    /// that open). An address of more than 32 bits does not fit in the fixed format: VALID stays 0 (SPC-4 4.5.3).
    pub(super) fn lba_out_of_range(first_invalid: u64) -> Self {
        Self { information: u32::try_from(first_invalid).ok(), ..Self::LBA_OUT_OF_RANGE }
    }

    /// Current sense data in fixed format (SPC-4 4.5.3): 18 bytes.
    pub(super) fn encode(self, response: &mut Response) {
        /// RESPONSE CODE: current errors, fixed format.
        const CURRENT_FIXED: u8 = 0x70;
        const VALID: u8 = 0x80;
        /// Number of bytes after byte 7, ADDITIONAL SENSE LENGTH.
        const ADDITIONAL_LENGTH: u8 = 10;

        let valid = if self.information.is_some() { VALID } else { 0 };
        response.put(&[valid | CURRENT_FIXED, 0, self.key as u8]);
        response.put(&self.information.unwrap_or(0).to_be_bytes());
        response.put(&[ADDITIONAL_LENGTH, 0, 0, 0, 0, self.additional.asc, self.additional.ascq, 0, 0, 0, 0]);
    }
}
