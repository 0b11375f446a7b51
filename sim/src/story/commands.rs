//! SCSI commands, one by one and all of them.

use super::{Context, StoryError, ensure};
use crate::host::bot::{Cbw, CswStatus, Data};
use crate::host::bytes::{be16, be32};
use crate::host::scsi::{Inquiry, Sense, opcode};

/// Length of a command block by the group of its operation code (SPC-4 4.2.5.1); none for reserved and vendor-specific
/// groups.
fn group_length(code: u8) -> Option<u8> {
    match code >> 5 {
        0 => Some(6),
        1 | 2 => Some(10),
        4 => Some(16),
        5 => Some(12),
        _ => None,
    }
}

/// Operation codes that the stick supports, including writing ones.
const KNOWN: &[u8] = &[
    opcode::TEST_UNIT_READY,
    opcode::REQUEST_SENSE,
    opcode::READ_6,
    opcode::INQUIRY,
    opcode::MODE_SENSE_6,
    opcode::START_STOP_UNIT,
    opcode::READ_FORMAT_CAPACITIES,
    opcode::READ_CAPACITY_10,
    opcode::READ_10,
    opcode::VERIFY_10,
    opcode::SYNCHRONIZE_CACHE_10,
    opcode::MODE_SENSE_10,
    opcode::READ_16,
    opcode::SERVICE_ACTION_IN_16,
    opcode::REPORT_LUNS,
    opcode::READ_12,
];

/// Operation codes that would change the medium (SBC-3 table 13).
const WRITING: &[u8] = &[
    opcode::FORMAT_UNIT,
    0x07,
    opcode::WRITE_6,
    opcode::WRITE_10,
    0x2E,
    0x3B,
    0x3F,
    0x41,
    0x42,
    0x53,
    0x89,
    opcode::WRITE_16,
    0x8E,
    0x93,
    opcode::WRITE_12,
    0xAE,
];

pub(super) fn every_opcode(context: &mut Context<'_>) -> Result<(), StoryError> {
    for code in 0..=0xFF {
        for length in 0..=16u8 {
            for data in [Data::In(64), Data::None, Data::Out(&[0; 64])] {
                // The medium may change between any two commands: then only that command is repeated, not all 13,000.
                let mut result = opcode_with(context, code, length, data);
                if result.is_err() && context.effort.changing && context.medium_changed() {
                    context.begin_again()?;
                    result = opcode_with(context, code, length, data);
                }
                result.map_err(|error| StoryError(format!("{code:02x}h, {length} bytes, {data:?}: {}", error.0)))?;
            }
        }
    }
    context.works()
}

fn opcode_with(context: &mut Context<'_>, code: u8, length: u8, data: Data<'_>) -> Result<(), StoryError> {
    let mut block = [0; 16];
    block[0] = code;
    let tag = context.initiator.next_tag();
    let cbw = Cbw { block_length: length, ..Cbw::new(tag, 0, &block, data) };
    let outcome = match context.initiator.execute_wrapper(&cbw, data) {
        Ok(outcome) => outcome,
        // A missing command block is not meaningful, and both pipes may be halted (BOT 6.4).
        Err(_) if length == 0 => return Ok(context.initiator.reset_recovery()?),
        Err(error) => return Err(error.into()),
    };
    let (csw, wanted) = (outcome.csw, data.length());
    ensure!(csw.residue <= wanted, "residue {} of {wanted}", csw.residue);
    let moved = (wanted - csw.residue) as usize;
    if matches!(data, Data::In(_)) {
        let got = outcome.data.len();
        ensure!(got == moved || got == wanted as usize, "{got} bytes, residue {} of {wanted}", csw.residue);
    }
    let right_length = group_length(code) == Some(length);
    match csw.status {
        CswStatus::PhaseError => context.initiator.reset_recovery()?,
        CswStatus::CommandPassed => {
            ensure!(length > 0, "a command without a command block passed");
            ensure!(KNOWN.contains(&code), "an unknown command passed");
            let short = group_length(code).is_some_and(|group| length < group);
            ensure!(!short, "a command block that is too short passed");
        }
        CswStatus::CommandFailed => {
            ensure!(csw.residue == wanted, "failed with residue {} of {wanted}", csw.residue);
            let sense = context.initiator.request_sense()?;
            if WRITING.contains(&code) {
                let right = sense == Sense::WRITE_PROTECTED || sense.0 == 5;
                ensure!(right, "sense {sense} for a writing command");
            } else if !KNOWN.contains(&code) && right_length {
                ensure!(sense == Sense::INVALID_OPERATION_CODE, "sense {sense} for an unknown command");
            } else {
                ensure!(sense.0 == 5, "sense {sense}");
            }
        }
    }
    Ok(())
}

pub(super) fn inquiry(context: &mut Context<'_>) -> Result<(), StoryError> {
    let command = |evpd: u8, page: u8, length: u16| {
        let [high, low] = length.to_be_bytes();
        [opcode::INQUIRY, evpd, page, high, low, 0]
    };
    let full = context.initiator.scsi(&command(0, 0, 255), Data::In(255))?.data;
    let parsed = Inquiry::parse(&full).map_err(StoryError)?;
    ensure!(parsed.device_type == 0 && parsed.removable, "no removable direct-access device: {parsed:?}");
    for length in [0, 1, 4, 5, 8, 35, 36, 37, 64, 96, 254] {
        let outcome = context.initiator.scsi(&command(0, 0, length), Data::In(u32::from(length)))?;
        let expected = &full[..full.len().min(usize::from(length))];
        ensure!(outcome.data == expected, "INQUIRY of {length}: {} bytes", outcome.data.len());
        ensure!(outcome.csw.residue as usize == usize::from(length) - expected.len(), "INQUIRY of {length}: residue");
    }
    let pages = context.initiator.scsi(&command(1, 0, 255), Data::In(255))?.data;
    let list = pages.get(4..).unwrap_or_default().to_vec();
    ensure!(pages.len() >= 7 && usize::from(be16(&pages, 2)) == list.len(), "VPD page 00h: {pages:02x?}");
    ensure!(list.windows(2).all(|pair| pair[0] < pair[1]), "VPD pages are not ascending (SPC-4 7.8.10): {list:02x?}");
    for page in [0x00, 0x80, 0x83] {
        ensure!(list.contains(&page), "VPD page {page:02x}h is missing in {list:02x?}");
    }
    for page in 0..=0xFF {
        if !list.contains(&page) {
            context.refused(&command(1, page, 255), Data::In(255), Sense::INVALID_FIELD_IN_CDB)?;
            continue;
        }
        let data = context.initiator.scsi(&command(1, page, 255), Data::In(255))?.data;
        ensure!(data.len() >= 4 && data[1] == page, "VPD page {page:02x}h: {data:02x?}");
        ensure!(usize::from(be16(&data, 2)) + 4 == data.len(), "VPD page {page:02x}h: PAGE LENGTH {}", be16(&data, 2));
        for length in 0..data.len() as u16 {
            let part = context.initiator.scsi(&command(1, page, length), Data::In(u32::from(length)))?.data;
            ensure!(part == data[..usize::from(length)], "VPD page {page:02x}h with length {length}");
        }
        if page == 0x80 {
            let serial = String::from_utf8_lossy(&data[4..]).trim().to_owned();
            let usb = context.initiator.device.serial_number().unwrap_or_default();
            ensure!(serial == usb, "unit serial number {serial:?}, USB serial number {usb:?}");
        }
        if page == 0x83 {
            check_designators(&data[4..])?;
        }
    }
    context.refused(&command(0, 0x80, 255), Data::In(255), Sense::INVALID_FIELD_IN_CDB)?;
    context.works()
}

/// Designation descriptors fill the page exactly (SPC-4 7.8.6).
fn check_designators(mut data: &[u8]) -> Result<(), StoryError> {
    ensure!(!data.is_empty(), "VPD page 83h has no designator");
    while let Some(&[_, kind, _, length]) = data.first_chunk::<4>() {
        let end = usize::from(length) + 4;
        ensure!(length > 0 && end <= data.len(), "a designator of {length} bytes, type {kind:02x}h");
        data = &data[end..];
    }
    ensure!(data.is_empty(), "{} bytes after the last designator", data.len());
    Ok(())
}

pub(super) fn mode_sense(context: &mut Context<'_>) -> Result<(), StoryError> {
    for block_descriptors in [0, 8] {
        for page in [0x3F, 0x00] {
            let six = [opcode::MODE_SENSE_6, block_descriptors, page, 0, 192, 0];
            // Page 0 is the header alone: some hosts request that.
            let reply = context.initiator.scsi(&six, Data::In(192))?.data;
            ensure!(reply.len() >= 4 && usize::from(reply[0]) + 1 == reply.len(), "MODE SENSE(6): {reply:02x?}");
            ensure!(reply[2] & 0x80 != 0, "MODE SENSE(6): WP is 0");
            ensure!(block_descriptors == 0 || reply[3] == 0, "MODE SENSE(6): DBD is ignored");
            let ten = [opcode::MODE_SENSE_10, block_descriptors, page, 0, 0, 0, 0, 0, 192, 0];
            let long = context.initiator.scsi(&ten, Data::In(192))?.data;
            ensure!(long.len() >= 8 && usize::from(be16(&long, 0)) + 2 == long.len(), "MODE SENSE(10): {long:02x?}");
            ensure!(long[3] & 0x80 != 0, "MODE SENSE(10): WP is 0");
            for length in 0..reply.len() as u8 {
                let six = [opcode::MODE_SENSE_6, block_descriptors, page, 0, length, 0];
                let part = context.initiator.scsi(&six, Data::In(u32::from(length)))?.data;
                ensure!(part == reply[..usize::from(length)], "MODE SENSE(6) with length {length}");
            }
        }
    }
    let unknown = [opcode::MODE_SENSE_6, 0, 0x20, 0, 192, 0];
    context.refused_without_data(&unknown, Data::In(192), Sense::INVALID_FIELD_IN_CDB)?;
    context.works()
}

/// The volume, in a partition or not, has as many clusters as the strictest reader requires: FatFs R0.16 requires 256.
fn clusters(context: &mut Context<'_>) -> Result<(), StoryError> {
    let le32 = |block: &[u8], at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]);
    let mut block = context.read(10, 0, 1)?;
    if block[3..11] != *b"EXFAT   " {
        block = context.read(10, le32(&block, 0x1C6).into(), 1)?;
    }
    ensure!(block[3..11] == *b"EXFAT   ", "no exFAT boot sector: {:02x?}", &block[..16]);
    ensure!(le32(&block, 92) >= 256, "a volume of {} clusters", le32(&block, 92));
    Ok(())
}

pub(super) fn capacity(context: &mut Context<'_>) -> Result<(), StoryError> {
    let ten = context.initiator.read_capacity()?;
    let sixteen = context.initiator.read_capacity_16()?;
    ensure!(ten == sixteen, "READ CAPACITY(10) {ten:?}, (16) {sixteen:?}");
    let formats = [opcode::READ_FORMAT_CAPACITIES, 0, 0, 0, 0, 0, 0, 0, 252, 0];
    let data = context.initiator.scsi(&formats, Data::In(252))?.data;
    ensure!(data.len() >= 12 && usize::from(data[3]) + 4 == data.len(), "READ FORMAT CAPACITIES: {data:02x?}");
    ensure!(u64::from(be32(&data, 4)) == ten.0, "READ FORMAT CAPACITIES: {} blocks, not {}", be32(&data, 4), ten.0);
    ensure!(be32(&data, 8) & 0xFF_FFFF == 512 && data[8] & 3 == 2, "READ FORMAT CAPACITIES: {data:02x?}");
    clusters(context)?;
    let mut other = [0; 16];
    (other[0], other[1], other[13]) = (opcode::SERVICE_ACTION_IN_16, 0x12, 32);
    context.refused_without_data(&other, Data::In(32), Sense::INVALID_FIELD_IN_CDB)?;
    context.works()
}

pub(super) fn request_sense(context: &mut Context<'_>) -> Result<(), StoryError> {
    ensure!(context.initiator.request_sense()? == Sense::NONE, "sense where nothing failed");
    for length in 0..=32u8 {
        // The sense data of a command that fails, cut to any length.
        context.initiator.command(0, &[0x4D, 0, 0, 0, 0, 0, 0, 0, 0, 0], Data::None)?;
        let command = [opcode::REQUEST_SENSE, 0, 0, 0, length, 0];
        let outcome = context.initiator.scsi(&command, Data::In(u32::from(length)))?;
        ensure!(outcome.data.len() == usize::from(length.min(18)), "{} bytes of {length}", outcome.data.len());
        if length >= 18 {
            let sense = Sense::parse(&outcome.data).map_err(StoryError)?;
            ensure!(sense == Sense::INVALID_OPERATION_CODE, "sense {sense} after LOG SENSE");
        }
        context.initiator.test_unit_ready()?;
        ensure!(context.initiator.request_sense()? == Sense::NONE, "sense outlives a good command");
    }
    context.works()
}

pub(super) fn small_commands(context: &mut Context<'_>) -> Result<(), StoryError> {
    let luns = context.initiator.scsi(&[opcode::REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0], Data::In(255))?.data;
    ensure!(luns == [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "REPORT LUNS: {luns:02x?}");
    for allow in [1, 0] {
        // macOS stops polling when this succeeds.
        let cdb = [opcode::PREVENT_ALLOW_MEDIUM_REMOVAL, 0, 0, 0, allow, 0];
        context.refused(&cdb, Data::None, Sense::INVALID_OPERATION_CODE)?;
    }
    context.initiator.scsi(&[opcode::VERIFY_10, 0, 0, 0, 0, 0, 0, 0, 8, 0], Data::None)?;
    for byte_check in [2, 4, 6] {
        let cdb = [opcode::VERIFY_10, byte_check, 0, 0, 0, 0, 0, 0, 1, 0];
        context.refused_without_data(&cdb, Data::Out(&[0; 512]), Sense::INVALID_FIELD_IN_CDB)?;
    }
    context.initiator.scsi(&[opcode::SYNCHRONIZE_CACHE_10, 0, 0, 0, 0, 0, 0, 0, 0, 0], Data::None)?;
    for (code, length) in [
        (opcode::LOG_SENSE, 10),
        (opcode::ATA_PASS_THROUGH_16, 16),
        (opcode::ATA_PASS_THROUGH_12, 12),
        (opcode::MAINTENANCE_IN, 12),
        (opcode::MODE_SELECT_6, 6),
    ] {
        let mut cdb = vec![0; length];
        cdb[0] = code;
        context.refused_without_data(&cdb, Data::In(512), Sense::INVALID_OPERATION_CODE)?;
    }
    context.works()
}

pub(super) fn logical_units(context: &mut Context<'_>) -> Result<(), StoryError> {
    for lun in 1..16 {
        let outcome = context.initiator.command(lun, &[opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0], Data::None)?;
        ensure!(outcome.csw.status == CswStatus::CommandFailed, "unit {lun} is ready");
        let command = [opcode::REQUEST_SENSE, 0, 0, 0, 18, 0];
        let outcome = context.initiator.command(lun, &command, Data::In(18))?;
        let sense = Sense::parse(&outcome.data).map_err(StoryError)?;
        ensure!(sense == Sense::LOGICAL_UNIT_NOT_SUPPORTED, "unit {lun}: sense {sense}");
        // SPC-4 6.6.2: INQUIRY to such a unit says so in its first byte.
        let outcome = context.initiator.command(lun, &[opcode::INQUIRY, 0, 0, 0, 36, 0], Data::In(36))?;
        if outcome.csw.status == CswStatus::CommandPassed {
            ensure!(outcome.data.first() == Some(&0x7F), "INQUIRY of unit {lun}: {:02x?}", outcome.data.first());
        }
        context.works()?;
    }
    Ok(())
}
