//! The two wrappers: command block wrapper (BOT 5.1) and command status wrapper (BOT 5.2).
//!
//! A [`Cbw`] proves that the packet was *valid* (BOT 6.2.1): right length, right signature. It does not prove that it is
//! *meaningful* (BOT 6.2.2). A CBW is valid only where one is expected; the transport ensures that, because it reads CBWs
//! at no other time.

use core::ops::Range;

use super::Intent;

/// A valid command block wrapper: a view of the 31 bytes of one packet.
#[derive(Clone, Copy, Debug)]
pub struct Cbw<'a> {
    bytes: &'a [u8; Cbw::LENGTH],
}

impl<'a> Cbw<'a> {
    /// Length of a CBW in bytes (BOT 5.1).
    pub const LENGTH: usize = Self::COMMAND_BLOCK.end;
    /// dCBWSignature: "USBC".
    pub const SIGNATURE: [u8; 4] = *b"USBC";

    const TAG: Range<usize> = 4..8;
    const DATA_TRANSFER_LENGTH: Range<usize> = 8..12;
    const FLAGS: usize = 12;
    const LUN: usize = 13;
    const COMMAND_BLOCK_LENGTH: usize = 14;
    const COMMAND_BLOCK: Range<usize> = 15..31;

    /// bmCBWFlags, bit 7: from the device to the host. The other bits are obsolete or reserved and shall be zero.
    const FLAG_IN: u8 = 0x80;
    /// bCBWLUN, bits 0 to 3. The other bits are reserved.
    const LUN_MASK: u8 = 0x0F;

    /// Whether a packet is a valid CBW: 31 bytes that start with the signature (BOT 6.2.1).
    #[must_use]
    pub fn is_valid(packet: &[u8]) -> bool {
        packet.len() == Self::LENGTH && packet.starts_with(&Self::SIGNATURE)
    }

    /// The CBW in a packet, or `None` if the packet is not valid. An empty packet is not valid.
    #[must_use]
    pub fn parse(packet: &'a [u8]) -> Option<Self> {
        if !Self::is_valid(packet) {
            return None;
        }
        packet.try_into().ok().map(|bytes| Self { bytes })
    }

    /// Whether the CBW is meaningful (BOT 6.2.2): no reserved bit set, a LUN of 0 to `max_lun`, a command block of 1 to 16
    /// bytes. The contents of the command block are checked by the command set.
    #[must_use]
    pub fn is_meaningful(&self, max_lun: u8) -> bool {
        let [flags, lun, length] =
            [self.bytes[Self::FLAGS], self.bytes[Self::LUN], self.bytes[Self::COMMAND_BLOCK_LENGTH]];
        flags & !Self::FLAG_IN == 0 && lun & !Self::LUN_MASK == 0 && lun <= max_lun && (1..17).contains(&length)
    }

    /// dCBWTag, to be echoed in the CSW.
    #[must_use]
    pub fn tag(&self) -> u32 {
        self.word(Self::TAG)
    }

    /// dCBWDataTransferLength: the number of bytes that the host expects to transfer.
    #[must_use]
    pub fn data_transfer_length(&self) -> u32 {
        self.word(Self::DATA_TRANSFER_LENGTH)
    }

    /// Hn, Hi or Ho (BOT 6.7): what the host expects. The direction bit is ignored if the length is 0 (BOT 5.1).
    #[must_use]
    pub fn expectation(&self) -> Intent {
        match self.data_transfer_length() {
            0 => Intent::None,
            length if self.bytes[Self::FLAGS] & Self::FLAG_IN != 0 => Intent::In(length.into()),
            length => Intent::Out(length.into()),
        }
    }

    /// bCBWLUN without its reserved bits: 0 to 15.
    #[must_use]
    pub fn lun(&self) -> u8 {
        self.bytes[Self::LUN] & Self::LUN_MASK
    }

    /// CBWCB cut to bCBWCBLength: 1 to 16 bytes of a meaningful CBW, empty if the length is out of range.
    #[must_use]
    pub fn command_block(&self) -> &'a [u8] {
        let length = usize::from(self.bytes[Self::COMMAND_BLOCK_LENGTH]);
        self.bytes.get(Self::COMMAND_BLOCK).and_then(|block| block.get(..length)).unwrap_or(&[])
    }

    /// A little-endian 32-bit field (all fields of BOT 5 are little-endian).
    fn word(&self, field: Range<usize>) -> u32 {
        self.bytes.get(field).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
    }
}

/// bCSWStatus (BOT 5.2, table 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum CswStatus {
    /// The command succeeded.
    CommandPassed = 0,
    /// The command failed; the command set knows why (REQUEST SENSE).
    CommandFailed = 1,
    /// Host and device disagree on the data stage: the host shall do a reset recovery (BOT 5.3.3.1).
    PhaseError = 2,
}

/// A command status wrapper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csw {
    /// dCSWTag: dCBWTag of the command.
    pub tag: u32,
    /// dCSWDataResidue: dCBWDataTransferLength minus the bytes that the device processed or sent.
    pub data_residue: u32,
    /// bCSWStatus.
    pub status: CswStatus,
}

impl Csw {
    /// Length of a CSW in bytes (BOT 5.2).
    pub const LENGTH: usize = 13;
    /// dCSWSignature: "USBS".
    pub const SIGNATURE: [u8; 4] = *b"USBS";

    /// The CSW as sent over the wire.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LENGTH] {
        let [s0, s1, s2, s3] = Self::SIGNATURE;
        let [t0, t1, t2, t3] = self.tag.to_le_bytes();
        let [r0, r1, r2, r3] = self.data_residue.to_le_bytes();
        [s0, s1, s2, s3, t0, t1, t2, t3, r0, r1, r2, r3, self.status as u8]
    }
}

const _: () = assert!(Cbw::LENGTH == 31, "BOT 5.1");
