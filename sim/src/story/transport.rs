//! Bulk-Only Transport: the thirteen cases, invalid wrappers, resets at bad times, a bad cable.

use std::time::Duration;

use super::{Context, StoryError, ensure};
use crate::host::bot::{CSW_LENGTH, Cbw, Csw, CswStatus, Data};
use crate::host::controller::TransferError;
use crate::host::scsi::{Sense, opcode, read_cdb};

const TEST_UNIT_READY: [u8; 6] = [opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0];

/// WRITE(10) of that many blocks at block 0.
fn write_10(count: u8) -> [u8; 10] {
    [opcode::WRITE_10, 0, 0, 0, 0, 0, 0, 0, count, 0]
}

/// One row of BOT 6.7 for this stick. Writing commands are refused before they take data, so what the table calls Do is Dn
/// with a failed command for the device (BOT 6.7.3 allows that).
struct Case {
    number: u8,
    cdb: Vec<u8>,
    data: Data<'static>,
    status: CswStatus,
    /// Number of bytes of the reply that matter, for commands that do not end in a phase error.
    relevant: u32,
}

pub(super) fn thirteen_cases(context: &mut Context<'_>) -> Result<(), StoryError> {
    use CswStatus::{CommandFailed, CommandPassed, PhaseError};
    static ZEROS: [u8; 1024] = [0; 1024];
    let (one, two) = (Data::Out(&ZEROS[..512]), Data::Out(&ZEROS));
    let case = |number, cdb: &[u8], data, status, relevant| Case { number, cdb: cdb.to_vec(), data, status, relevant };
    let cases = [
        case(1, &TEST_UNIT_READY, Data::None, CommandPassed, 0),
        case(2, &read_cdb(10, 0, 1), Data::None, PhaseError, 0),
        case(3, &write_10(1), Data::None, CommandFailed, 0),
        case(4, &TEST_UNIT_READY, Data::In(512), CommandPassed, 0),
        case(5, &read_cdb(10, 0, 1), Data::In(1024), CommandPassed, 512),
        case(5, &[opcode::INQUIRY, 0, 0, 0, 36, 0], Data::In(1024), CommandPassed, 36),
        case(6, &read_cdb(10, 0, 1), Data::In(512), CommandPassed, 512),
        case(7, &read_cdb(10, 0, 2), Data::In(512), PhaseError, 512),
        case(7, &[opcode::INQUIRY, 0, 0, 0, 36, 0], Data::In(5), PhaseError, 5),
        case(8, &write_10(1), Data::In(512), CommandFailed, 0),
        case(9, &TEST_UNIT_READY, one, CommandPassed, 0),
        case(10, &read_cdb(10, 0, 1), one, PhaseError, 0),
        case(11, &write_10(1), two, CommandFailed, 0),
        case(12, &write_10(1), one, CommandFailed, 0),
        case(13, &write_10(2), one, CommandFailed, 0),
    ];
    let block = context.read(10, 0, 1)?;
    for case in cases {
        let Case { number, cdb, data, status, relevant } = &case;
        let outcome = context.initiator.command(0, cdb, *data);
        let outcome = outcome.map_err(|error| StoryError(format!("case {number}: {error}")))?;
        let csw = outcome.csw;
        ensure!(csw.status == *status, "case {number}: {:?}, not {status:?}", csw.status);
        if csw.status != PhaseError {
            let residue = data.length() - relevant;
            ensure!(csw.residue == residue, "case {number}: residue {}, not {residue}", csw.residue);
        }
        if let Data::In(length) = *data {
            // Less than the host requested ends with a short packet or a halt, or is padded (BOT 6.7.2).
            let length = length as usize;
            let got = outcome.data.len();
            ensure!(got <= length && got >= *relevant as usize, "case {number}: {got} bytes of {length}");
            let compared = got.min(512);
            if cdb[0] == opcode::READ_10 {
                ensure!(outcome.data[..compared] == block[..compared], "case {number}: the data are wrong");
            }
        }
        if csw.status == CommandFailed {
            let sense = context.initiator.request_sense()?;
            ensure!(sense == Sense::WRITE_PROTECTED, "case {number}: sense {sense}");
        }
        context.works().map_err(|error| StoryError(format!("after case {number}: {error}")))?;
    }
    Ok(())
}

/// Checks that the device does nothing until reset recovery. Without halts: it never sends anything, and what it accepts is no
/// command.
fn stays_silent(context: &mut Context<'_>, what: &str) -> Result<(), StoryError> {
    let timeout = std::mem::replace(&mut context.initiator.host.timeout, Duration::from_millis(2));
    for round in 0..3 {
        let input = context.initiator.data_in(CSW_LENGTH).end;
        ensure!(input == Err(TransferError::Timeout), "{what}, round {round}: bulk IN answers {input:?}, not NAK");
        let wrapper = Cbw::new(1, 0, &TEST_UNIT_READY, Data::None).bytes();
        let output = context.initiator.send_wrapper(&wrapper);
        ensure!(
            matches!(output, Ok(()) | Err(TransferError::Timeout)),
            "{what}, round {round}: bulk OUT answers {output:?}, neither ACK nor NAK"
        );
    }
    context.initiator.host.timeout = timeout;
    Ok(())
}

/// Checks that both endpoints are halted, and again after their halts are cleared; or that the device is silent, if it has no
/// halts.
fn stays_halted(context: &mut Context<'_>, what: &str) -> Result<(), StoryError> {
    if !context.effort.halts {
        return stays_silent(context, what);
    }
    for round in 0..3 {
        let input = context.initiator.data_in(CSW_LENGTH).end;
        ensure!(input == Err(TransferError::Stall), "{what}, round {round}: bulk IN answers {input:?}, not STALL");
        let wrapper = Cbw::new(1, 0, &TEST_UNIT_READY, Data::None).bytes();
        let output = context.initiator.send_wrapper(&wrapper);
        ensure!(output == Err(TransferError::Stall), "{what}, round {round}: bulk OUT answers {output:?}, not STALL");
        if round % 2 == 0 {
            context.initiator.clear_in()?;
            context.initiator.clear_out()?;
        } else {
            context.initiator.clear_out()?;
            context.initiator.clear_in()?;
        }
    }
    Ok(())
}

pub(super) fn invalid_wrapper(context: &mut Context<'_>) -> Result<(), StoryError> {
    let good = Cbw::new(0x77, 0, &TEST_UNIT_READY, Data::None).bytes();
    let mut wrong_signature = good;
    wrong_signature[3] ^= 1;
    let long: Vec<u8> = good.iter().copied().chain([0; 33]).collect();
    let wrappers: [(&str, &[u8]); 7] = [
        ("a wrong signature", &wrong_signature),
        ("30 bytes", &good[..30]),
        ("1 byte", &good[..1]),
        ("no byte", &[]),
        ("32 bytes", &long[..32]),
        ("63 bytes", &long[..63]),
        ("64 bytes", &long[..64]),
    ];
    for (what, wrapper) in wrappers {
        context.initiator.send_wrapper(wrapper)?;
        stays_halted(context, what)?;
        context.initiator.reset_recovery()?;
        context.works().map_err(|error| StoryError(format!("reset recovery after {what}: {error}")))?;
    }
    // A bus reset ends it, too.
    context.initiator.send_wrapper(&wrong_signature)?;
    stays_halted(context, "a wrong signature")?;
    context.reset()?;
    context.works()?;
    // The reset alone does not end the halts (BOT 3.1), and clearing the halts without it has no effect.
    context.initiator.send_wrapper(&wrong_signature)?;
    let request = context.initiator.reset_request();
    context.initiator.class_request(request)?;
    if context.effort.halts {
        let input = context.initiator.data_in(CSW_LENGTH).end;
        ensure!(input == Err(TransferError::Stall), "the reset alone: bulk IN answers {input:?}, not STALL");
    }
    context.initiator.clear_in()?;
    context.initiator.clear_out()?;
    context.works()
}

pub(super) fn not_meaningful(context: &mut Context<'_>) -> Result<(), StoryError> {
    let good = Cbw::new(0, 0, &TEST_UNIT_READY, Data::None);
    let wrappers = [
        ("LUN 1", Cbw { lun: 1, ..good }),
        ("LUN 15", Cbw { lun: 15, ..good }),
        ("reserved bits next to the LUN", Cbw { lun: 0xF0, ..good }),
        ("no command block", Cbw { block_length: 0, ..good }),
        ("a command block of 17 bytes", Cbw { block_length: 17, ..good }),
        ("a command block of 31 bytes", Cbw { block_length: 31, ..good }),
        ("reserved bits next to the block length", Cbw { block_length: 0xE6, ..good }),
        ("reserved flags", Cbw { flags: 0x7F, ..good }),
    ];
    for (what, cbw) in wrappers {
        let tag = context.initiator.next_tag();
        let cbw = Cbw { tag, ..cbw };
        // The answer is the device's choice (BOT 6.4), but there must be one: a status, or both pipes halted permanently.
        match context.initiator.execute_wrapper(&cbw, Data::None) {
            Ok(outcome) => {
                ensure!(outcome.csw.residue == 0, "{what}: residue {}", outcome.csw.residue);
                if outcome.csw.status == CswStatus::CommandFailed {
                    let sense = context.initiator.request_sense()?;
                    ensure!(sense.0 == 5 || sense == Sense::NONE, "{what}: sense {sense}");
                } else {
                    let harmless = what.starts_with("reserved") || outcome.csw.status == CswStatus::PhaseError;
                    ensure!(harmless, "{what}: passed");
                    context.initiator.reset_recovery()?;
                }
            }
            Err(_) => {
                stays_halted(context, what)?;
                context.initiator.reset_recovery()?;
            }
        }
        context.works().map_err(|error| StoryError(format!("after {what}: {error}")))?;
    }
    Ok(())
}

/// A host that fetches the status too early, or abandons a command by clearing the halt of bulk IN in the middle of its
/// data.
pub(super) fn early_status(context: &mut Context<'_>) -> Result<(), StoryError> {
    // The 13 bytes of a status are requested where data are due: the device continues with its data.
    let tag = context.initiator.next_tag();
    let block = context.read(10, 0, 1)?;
    let wrapper = Cbw::new(tag, 0, &read_cdb(10, 0, 1), Data::In(512));
    context.initiator.send_wrapper(&wrapper.bytes())?;
    let early = context.initiator.data_in(CSW_LENGTH);
    ensure!(early.end == Err(TransferError::Babble) && early.data == block[..64], "no data in the data stage");
    context.initiator.reset_recovery()?;
    context.works()?;
    // A wrapper where data or a status are due is not accepted: NAK or STALL, but never a second command.
    let tag = context.initiator.next_tag();
    let wrapper = Cbw::new(tag, 0, &read_cdb(10, 0, 8), Data::In(8 * 512));
    context.initiator.send_wrapper(&wrapper.bytes())?;
    let timeout = std::mem::replace(&mut context.initiator.host.timeout, Duration::from_millis(2));
    let early = Cbw::new(tag + 1000, 0, &TEST_UNIT_READY, Data::None);
    let accepted = context.initiator.send_wrapper(&early.bytes());
    context.initiator.host.timeout = timeout;
    if accepted.is_ok() {
        let reply = context.initiator.data_in(8 * 512);
        let first = reply.data.get(..block.len()).unwrap_or_default();
        ensure!(first == block, "a wrapper in the data stage broke the data");
    }
    context.initiator.reset_recovery()?;
    context.works()
}

pub(super) fn reset_in_read(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, 64)?;
    for packets in [0, 1, 2, 7, 8, 9, 100, 511, 512] {
        for bus in [true, false] {
            let tag = context.initiator.next_tag();
            let wrapper = Cbw::new(tag, 0, &read_cdb(10, 0, 64), Data::In(64 * 512));
            context.initiator.send_wrapper(&wrapper.bytes())?;
            for packet in 0..packets {
                let data = context.initiator.data_in(64);
                data.end?;
                ensure!(data.data == before[packet * 64..packet * 64 + 64], "packet {packet} of the READ is wrong");
            }
            if bus {
                context.reset()?;
            } else {
                context.initiator.reset_recovery()?;
            }
            ensure!(
                context.read(10, 0, 64)? == before,
                "other data after a {} reset after packet {packets}",
                if bus { "bus" } else { "Bulk-Only" }
            );
        }
    }
    context.works()
}

pub(super) fn random_wrappers(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, 64)?;
    let timeout = std::mem::replace(&mut context.initiator.host.timeout, Duration::from_micros(60));
    for round in 0..context.effort.random_wrappers {
        let mut wrapper = [0; 64];
        context.random.fill(&mut wrapper);
        let length = if context.random.below(8) == 0 { context.random.below(65) as usize } else { 31 };
        if context.random.below(8) != 0 {
            wrapper[..4].copy_from_slice(b"USBC");
            // Limited lengths, LUN 0, command blocks of a plausible length.
            wrapper[9..12].fill(0);
            if context.random.below(4) != 0 {
                wrapper[13] = 0;
                wrapper[14] = 1 + wrapper[14] % 16;
            }
        }
        let mut clean = context.initiator.send_wrapper(&wrapper[..length]).is_ok();
        // Some hosts fetch the data, others continue immediately.
        for _ in 0..context.random.below(6) {
            let reply = context.initiator.data_in(64);
            clean = reply.end.is_ok();
            if !clean || (reply.data.len() == CSW_LENGTH && reply.data.starts_with(b"USBS")) {
                break;
            }
        }
        if !clean || context.random.below(4) == 0 {
            context.initiator.host.timeout = timeout;
            let recovery = context.initiator.reset_recovery();
            recovery.map_err(|error| StoryError(format!("round {round}, reset recovery: {error}")))?;
            // After reset recovery, the next wrapper is accepted (BOT 5.3.4). INQUIRY never fails, even without a medium.
            if context.random.below(16) == 0 {
                let inquiry = context.initiator.inquiry();
                inquiry.map_err(|error| StoryError(format!("round {round}, INQUIRY: {error}")))?;
            }
            context.initiator.host.timeout = Duration::from_micros(60);
        }
    }
    context.initiator.host.timeout = timeout;
    context.initiator.reset_recovery()?;
    // One of them may have been an eject.
    context.reset()?;
    ensure!(context.read(10, 0, 64)? == before, "other data after random wrappers");
    context.works()
}

pub(super) fn bad_cable(context: &mut Context<'_>) -> Result<(), StoryError> {
    // The boot regions, which are not part of a memory window.
    let before = context.read(10, 0, 24)?;
    for one_in in [100, 20, 5] {
        context.cable.lose(one_in);
        let data: Result<Vec<_>, _> = (0..6).map(|_| context.read(10, 0, 24)).collect();
        let status = context.initiator.execute(0, &TEST_UNIT_READY, Data::None);
        context.cable.lose(0);
        let same = data?.iter().all(|data| *data == before);
        ensure!(same, "a cable that loses one transaction in {one_in} changed the data");
        let passed = Csw { residue: 0, status: CswStatus::CommandPassed };
        ensure!(status?.csw == passed, "a command on a cable that loses one transaction in {one_in} failed");
    }
    let duplicates = context.initiator.host.statistics().duplicates;
    ensure!(duplicates > 0, "the cable lost no handshake: the story shows nothing");
    // Enumeration on a bad cable. A lost handshake of SET_ADDRESS's status leaves the device at address 0, so a host tries
    // several times (USB 2.0 8.5.3.3 leaves the device in its status stage).
    let attempts = 8;
    context.cable.lose(10);
    let result = (0..attempts).map(|_| context.initiator.enumerate_again()).find(Result::is_ok);
    context.cable.lose(0);
    ensure!(result.is_some(), "no enumeration in {attempts} on a cable that loses one transaction in 10");
    context.works()
}
