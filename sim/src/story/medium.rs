//! Unit attentions, eject and load.

use super::{Context, StoryError, ensure};
use crate::host::bot::{CswStatus, Data};
use crate::host::scsi::{CommandError, Sense, opcode, read_cdb};

const EJECT: [u8; 6] = [opcode::START_STOP_UNIT, 0, 0, 0, 0b10, 0];
const LOAD: [u8; 6] = [opcode::START_STOP_UNIT, 0, 0, 0, 0b11, 0];

fn attention(context: &mut Context<'_>, cdb: &[u8], data: Data<'_>, sense: Sense) -> Result<(), StoryError> {
    let reply = context.initiator.scsi(cdb, data);
    ensure!(reply == Err(CommandError::Check(sense)), "{cdb:02x?}: {reply:02x?}, not {sense}");
    Ok(())
}

pub(super) fn unit_attention(context: &mut Context<'_>) -> Result<(), StoryError> {
    let read = read_cdb(10, 0, 1);
    let commands: [(&[u8], Data<'_>); 3] = [
        (&[opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0], Data::None),
        (&read, Data::In(512)),
        (&[opcode::READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0], Data::In(8)),
    ];
    for (cdb, data) in commands {
        context.initiator.host.replug();
        context.initiator.enumerate_again()?;
        // INQUIRY and REPORT LUNS neither report nor clear it (SAM-5 5.14).
        context.initiator.inquiry()?;
        let luns = [opcode::REPORT_LUNS, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0];
        let outcome = context.initiator.command(0, &luns, Data::In(16))?;
        ensure!(outcome.csw.status == CswStatus::CommandPassed, "REPORT LUNS reports a unit attention");
        attention(context, cdb, data, Sense::POWER_ON_OR_RESET)?;
        context.initiator.scsi(cdb, data)?;
    }
    // REQUEST SENSE returns it as its data and clears it.
    context.initiator.host.replug();
    context.initiator.enumerate_again()?;
    let sense = context.initiator.request_sense()?;
    ensure!(sense == Sense::POWER_ON_OR_RESET, "REQUEST SENSE after power-on gives {sense}");
    context.initiator.test_unit_ready()?;
    // A bus reset causes no unit attention: a Linux host that resumes would take it for another medium.
    context.initiator.enumerate_again()?;
    context.initiator.test_unit_ready()?;
    context.works()
}

/// What a host sees while there is no medium.
fn medium_is_gone(context: &mut Context<'_>) -> Result<(), StoryError> {
    let read = read_cdb(10, 0, 1);
    for _ in 0..2 {
        let absent = Sense::MEDIUM_NOT_PRESENT;
        context.refused_without_data(&[opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0], Data::None, absent)?;
        context.refused_without_data(&read, Data::In(512), absent)?;
        let capacity = [opcode::READ_CAPACITY_10, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        context.refused_without_data(&capacity, Data::In(8), absent)?;
        let inquiry = context.initiator.inquiry()?;
        ensure!(inquiry.removable, "RMB is gone");
    }
    Ok(())
}

pub(super) fn eject(context: &mut Context<'_>) -> Result<(), StoryError> {
    for _ in 0..3 {
        context.initiator.scsi(&EJECT, Data::None)?;
        medium_is_gone(context)?;
        context.initiator.scsi(&LOAD, Data::None)?;
        let ready = [opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0];
        attention(context, &ready, Data::None, Sense::NOT_READY_TO_READY_CHANGE)?;
        context.initiator.test_unit_ready()?;
        context.works()?;
    }
    // Start and stop without LOEJ do not eject or load the medium.
    for operation in [0, 1] {
        context.initiator.scsi(&[opcode::START_STOP_UNIT, 0, 0, 0, operation, 0], Data::None)?;
    }
    context.works()?;
    // A bus reset loads it again, and so does a replug.
    context.initiator.scsi(&EJECT, Data::None)?;
    context.reset()?;
    context.works()?;
    context.initiator.scsi(&EJECT, Data::None)?;
    context.initiator.host.replug();
    context.initiator.enumerate_again()?;
    context.works()
}
