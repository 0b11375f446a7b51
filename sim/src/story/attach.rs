//! Attaching, standard and class requests, suspend, replug.

use std::time::Duration;

use super::{Context, StoryError, ensure};
use crate::host::bot::{CswStatus, Data};
use crate::host::controller::{Request, TransferError};
use crate::host::descriptor::kind;
use crate::host::enumerate::{clear_halt, get_descriptor};
use crate::host::scsi::Sense;

pub(super) fn enumerate(context: &mut Context<'_>) -> Result<(), StoryError> {
    let device = context.initiator.device.clone();
    ensure!(device.descriptor.max_packet_size_0 == 64, "bMaxPacketSize0 is {}", device.descriptor.max_packet_size_0);
    // BOT 4.1.1: at least 12 characters, 0 to 9 and A to F.
    let serial = device.serial_number().unwrap_or_default();
    ensure!(
        serial.len() >= 12 && serial.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F')),
        "serial number {serial:?} (BOT 4.1.1)"
    );
    for (index, name) in ["manufacturer", "product"].iter().enumerate() {
        ensure!(device.strings[index].as_ref().is_some_and(|text| !text.is_empty()), "no {name} string");
    }
    let host = &mut context.initiator.host;
    // A descriptor that does not exist is a request error (USB 2.0 9.4.3).
    for (kind, index) in [(kind::STRING, 0xEE), (kind::CONFIGURATION, 9), (0x42, 0)] {
        let reply = get_descriptor(host, kind, index, 0x0409, 255);
        let stalls = reply == Err(TransferError::Stall);
        ensure!(stalls || kind == kind::CONFIGURATION, "descriptor {kind}/{index}: {reply:02x?}, not STALL");
    }
    // Any wLength returns that much of the same (USB 2.0 9.4.3).
    let full = get_descriptor(host, kind::CONFIGURATION, 0, 0, 255)?;
    for length in 1..=full.len() as u16 {
        let part = get_descriptor(host, kind::CONFIGURATION, 0, 0, length)?;
        ensure!(part == full[..usize::from(length)], "configuration with wLength {length}: {} bytes", part.len());
    }
    for _ in 0..3 {
        context.initiator.enumerate_again()?;
        ensure!(context.initiator.device == device, "the descriptors changed with a bus reset");
    }
    context.works()
}

pub(super) fn class_requests(context: &mut Context<'_>) -> Result<(), StoryError> {
    let max_lun = context.initiator.max_lun_request();
    let reset = context.initiator.reset_request();
    let reply = context.initiator.class_request(max_lun)?;
    ensure!(reply == [0], "Get Max LUN: {reply:02x?}");
    let wrong = [
        Request { index: max_lun.index + 1, ..max_lun },
        Request { value: 1, ..max_lun },
        Request { length: 2, ..max_lun },
        Request { length: 0, ..max_lun },
        Request { request_type: 0x21, length: 0, ..max_lun },
        Request { index: reset.index + 1, ..reset },
        Request { value: 1, ..reset },
        Request { length: 1, ..reset },
        Request { request_type: 0xA1, length: 1, ..reset },
        Request { request: 0xFD, ..reset },
    ];
    for request in wrong {
        let reply = context.initiator.class_request(request);
        ensure!(reply == Err(TransferError::Stall), "{request:02x?}: {reply:02x?}, not STALL (BOT 3.1, 3.2)");
        let again = context.initiator.class_request(max_lun)?;
        ensure!(again == [0], "Get Max LUN after {request:02x?}: {again:02x?}");
    }
    // The reset does not change toggles and halts (BOT 3.1): odd numbers of packets around it reveal the toggles. A device without
    // halts does not see CLEAR_FEATURE, so its toggles are reset at the first step of reset recovery.
    for _ in 0..2 {
        if context.effort.halts {
            context.initiator.class_request(reset)?;
        } else {
            context.initiator.reset_recovery()?;
        }
        context.works()?;
        context.initiator.test_unit_ready()?;
    }
    Ok(())
}

pub(super) fn halts(context: &mut Context<'_>) -> Result<(), StoryError> {
    for endpoint in [context.initiator.device.bulk_in, context.initiator.device.bulk_out] {
        context.initiator.test_unit_ready()?;
        let host = &mut context.initiator.host;
        let index = u16::from(endpoint);
        let status = Request { request_type: 0x82, request: 0, value: 0, index, length: 2 };
        ensure!(host.control_in(status)? == [0, 0], "endpoint {endpoint:02x}h says it is halted");
        host.control_out(Request { request_type: 0x02, request: 3, value: 0, index, length: 0 }, &[])?;
        ensure!(host.control_in(status)? == [1, 0], "endpoint {endpoint:02x}h does not say that it is halted");
        let reply =
            if endpoint & 0x80 == 0 { host.out_packet(endpoint, &[0; 31]) } else { host.in_packet(endpoint).map(drop) };
        ensure!(reply == Err(TransferError::Stall), "endpoint {endpoint:02x}h is halted and answers {reply:?}");
        clear_halt(host, endpoint)?;
        context.works()?;
        // USB 2.0 9.4.5: the toggle is reset to DATA0 even if nothing was halted.
        clear_halt(&mut context.initiator.host, endpoint)?;
        context.works()?;
    }
    Ok(())
}

pub(super) fn suspend(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, 64)?;
    for pause in [4, 100, 2000] {
        context.initiator.host.suspend();
        context.initiator.host.elapse(Duration::from_millis(pause));
        context.initiator.host.resume();
        context.initiator.host.elapse(Duration::from_millis(20));
        // There was no bus reset, so nothing is forgotten and no unit attention is due.
        context.initiator.test_unit_ready()?;
        ensure!(context.read(10, 0, 64)? == before, "other data after a suspend of {pause} ms");
    }
    // In the middle of a data stage.
    let tag = context.initiator.next_tag();
    let cdb = crate::host::scsi::read_cdb(10, 0, 64);
    let wrapper = crate::host::bot::Cbw::new(tag, 0, &cdb, crate::host::bot::Data::In(64 * 512));
    context.initiator.send_wrapper(&wrapper.bytes())?;
    let first = context.initiator.data_in(20 * 64);
    first.end?;
    context.initiator.host.suspend();
    context.initiator.host.elapse(Duration::from_millis(50));
    context.initiator.host.resume();
    let rest = context.initiator.data_in(64 * 512 - 20 * 64);
    rest.end?;
    let status = context.initiator.status(tag)?;
    ensure!(status.residue == 0, "residue {}", status.residue);
    ensure!([first.data, rest.data].concat() == before, "a suspend in the middle of a READ changed its data");
    context.works()
}

/// A resume with a bus reset, as Linux does for a port that lost power meanwhile, and one without. The host continues: its
/// first command is the READ that was pending.
pub(super) fn reset_resume(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, 64)?;
    let device = context.initiator.device.clone();
    let read = crate::host::scsi::read_cdb(10, 0, 64);
    for (pause, resets) in [(4, 0), (4, 1), (2000, 0), (2000, 1), (100, 2)] {
        context.initiator.host.suspend();
        context.initiator.host.elapse(Duration::from_millis(pause));
        context.initiator.host.resume();
        context.initiator.host.elapse(Duration::from_millis(20));
        for _ in 0..resets {
            context.initiator.enumerate_again()?;
            ensure!(context.initiator.device == device, "the descriptors changed with a resume");
        }
        let what = format!("{resets} bus resets after a suspend of {pause} ms");
        // To Linux 6.1, a unit attention, including 06/29/00, is a change of the medium unless it repeats the command,
        // which it does not do for blocks that it reads ahead: a mounted volume would be lost.
        let outcome = context.initiator.command(0, &read, Data::In(64 * 512))?;
        if outcome.csw.status != CswStatus::CommandPassed {
            let sense = context.initiator.request_sense()?;
            return Err(StoryError(format!("READ(10), the first command after {what}: sense {sense}")));
        }
        ensure!(outcome.data == before, "other data after {what}");
        let sense = context.initiator.request_sense()?;
        ensure!(sense == Sense::NONE, "sense {sense} after {what}, though nothing failed");
        context.initiator.test_unit_ready()?;
    }
    context.works()
}

pub(super) fn replug(context: &mut Context<'_>) -> Result<(), StoryError> {
    let before = context.read(10, 0, 24)?;
    let device = context.initiator.device.clone();
    for _ in 0..10 {
        context.initiator.host.replug();
        context.initiator.enumerate_again()?;
        ensure!(context.initiator.device == device, "the descriptors changed with a replug");
        context.works()?;
        ensure!(context.read(10, 0, 24)? == before, "the boot regions changed with a replug");
    }
    Ok(())
}
