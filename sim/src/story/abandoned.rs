//! Control transfers that the host abandons at any time for the next one: a SETUP packet ends the previous transfer (USB
//! 2.0 5.5.5, 8.5.3), and the next transfer must get its own answer.

use std::time::Duration;

use super::{Context, StoryError, ensure};
use crate::host::controller::{Request, TransferError};
use crate::link::{OutReply, Pid};

/// Maximum time between the last packet of an abandoned transfer and the next SETUP, in nanoseconds.
const LATEST: u32 = 200_000;

/// A request with its data to the device, and the correct result.
#[derive(Clone, Debug)]
struct Transfer {
    request: Request,
    data: Vec<u8>,
    right: Result<Vec<u8>, TransferError>,
}

impl Transfer {
    fn run(&self, context: &mut Context<'_>) -> Result<Vec<u8>, TransferError> {
        let host = &mut context.initiator.host;
        if self.data.is_empty() {
            host.control_in(self.request)
        } else {
            host.control_out(self.request, &self.data).map(|()| Vec::new())
        }
    }
}

/// Requests of every kind: with data in each direction, without data, refused, with every number of packets.
fn transfers(context: &mut Context<'_>) -> Vec<Transfer> {
    let device = context.initiator.device.clone();
    let request = |request_type, request, value, index, length| Request { request_type, request, value, index, length };
    let mut all = vec![
        request(0x80, 6, 0x0100, 0, 18),
        request(0x80, 6, 0x0100, 0, 64),
        request(0x80, 6, 0x0200, 0, 9),
        request(0x80, 6, 0x0200, 0, 255),
        request(0x80, 6, 0x0303, 0x0409, 255),
        request(0x80, 6, 0x0600, 0, 10),
        request(0x80, 0, 0, 0, 2),
        request(0x80, 8, 0, 0, 1),
        request(0x81, 10, 0, 0, 1),
        request(0x82, 0, 0, device.bulk_in.into(), 2),
        request(0x81, 0, 0, 9, 2),
        request(0, 9, device.configuration.value.into(), 0, 0),
        request(0, 9, 77, 0, 0),
        request(1, 11, 0, u16::from(device.interface), 0),
        request(2, 1, 0, device.bulk_out.into(), 0),
        request(0, 3, 1, 0, 0),
        context.initiator.max_lun_request(),
        context.initiator.reset_request(),
    ];
    if let Some(console) = device.console {
        all.push(request(0xA1, 0x21, 0, console.control.into(), 7));
    }
    let mut all: Vec<Transfer> =
        all.into_iter().map(|request| Transfer { request, data: Vec::new(), right: Ok(Vec::new()) }).collect();
    if let Some(console) = device.console {
        // SET_LINE_CODING with the default values: GET_LINE_CODING answers the same whether it was carried out or not.
        let coding = Transfer {
            request: request(0xA1, 0x21, 0, console.control.into(), 7),
            data: Vec::new(),
            right: Ok(Vec::new()),
        };
        if let Ok(data) = coding.run(context) {
            // Also with more data than it needs, in several packets: the second one is DATA0.
            for length in [7, 130] {
                let mut data = data.clone();
                data.resize(usize::from(length), 0);
                let request = request(0x21, 0x20, 0, console.control.into(), length);
                all.push(Transfer { request, data, right: Ok(Vec::new()) });
            }
        }
    }
    for transfer in &mut all {
        transfer.right = transfer.run(context);
    }
    all
}

/// Begins a transfer, and abandons it after some packets.
fn abandon(context: &mut Context<'_>, transfer: &Transfer, packets: u32, acknowledge: bool) -> Result<(), StoryError> {
    let host = &mut context.initiator.host;
    let address = host.address;
    let link = host.link();
    ensure!(link.setup(address, transfer.request.bytes()) == OutReply::Ack, "a SETUP packet was not taken");
    let mut data = transfer.data.chunks(64);
    let mut pid = Pid::Data1;
    for _ in 0..packets {
        match data.next() {
            Some(data) => {
                if link.out(address, 0, pid, data) == OutReply::Ack {
                    pid = pid.toggled();
                }
            }
            None => drop(link.r#in(address, 0, acknowledge)),
        }
    }
    Ok(())
}

/// An abandoned transfer, and the next one.
struct Attempt<'a> {
    first: &'a Transfer,
    next: &'a Transfer,
    packets: u32,
    acknowledge: bool,
    /// Time from the last packet to the next SETUP in nanoseconds.
    delay: u32,
}

impl Attempt<'_> {
    fn run(&self, context: &mut Context<'_>) -> Result<(), StoryError> {
        let Self { first, next, packets, acknowledge, delay } = *self;
        abandon(context, first, packets, acknowledge)?;
        context.initiator.host.elapse(Duration::from_nanos(delay.into()));
        let reply = next.run(context);
        ensure!(
            reply == next.right,
            "{:02x?}, given up after {packets} packets, and {delay} ns later {:02x?}: {reply:02x?}, not {:02x?}",
            first.request,
            next.request,
            next.right
        );
        Ok(())
    }
}

/// A SET_ADDRESS that is abandoned before its status stage does not change the address (9.4.6).
fn set_address() -> Transfer {
    let request = Request { request_type: 0, request: 5, value: 42, index: 0, length: 0 };
    Transfer { request, data: Vec::new(), right: Err(TransferError::Stall) }
}

/// Every kind of request, abandoned after 0 to 3 packets, followed by each kind of request after each number of
/// microseconds: all combinations, or as many random ones as the effort says.
pub(super) fn every_delay(context: &mut Context<'_>) -> Result<(), StoryError> {
    let all = transfers(context);
    let set_address = set_address();
    let abandoned: Vec<&Transfer> = all.iter().chain([&set_address]).collect();
    let mut attempts = Vec::new();
    for delay in 0..=LATEST / 1000 {
        for first in &abandoned {
            for packets in 0..4 {
                for next in &all {
                    let delay = (delay * 1000 + context.random.below(1000)).min(LATEST);
                    // An acknowledged status stage completes SET_ADDRESS, it does not abandon it.
                    let acknowledge = attempts.len() % 3 != 0 && first.request != set_address.request;
                    attempts.push(Attempt { first, next, packets, acknowledge, delay });
                }
            }
        }
    }
    let drawn = context.effort.random_wrappers as usize;
    let rounds = drawn.min(attempts.len());
    let mut wrong = Vec::new();
    for round in 0..rounds {
        let at = if drawn < attempts.len() { context.random.below(attempts.len() as u32) as usize } else { round };
        if let Err(StoryError(why)) = attempts[at].run(context) {
            wrong.push(format!("attempt {at}: {why}"));
        }
    }
    ensure!(wrong.is_empty(), "{} of {rounds} are wrong\n{}", wrong.len(), wrong.join("\n"));
    context.reset()?;
    context.works()
}

pub(super) fn abandoned_transfers(context: &mut Context<'_>) -> Result<(), StoryError> {
    let all = transfers(context);
    let set_address = set_address();
    let abandoned: Vec<&Transfer> = all.iter().chain([&set_address]).collect();
    for round in 0..context.effort.random_wrappers.min(20_000) {
        let first = abandoned[context.random.below(abandoned.len() as u32) as usize];
        let next = &all[context.random.below(all.len() as u32) as usize];
        let packets = context.random.below(4);
        let delay = context.random.below(LATEST + 1);
        let acknowledge = context.random.below(2) == 0 && first.request != set_address.request;
        let attempt = Attempt { first, next, packets, acknowledge, delay };
        attempt.run(context).map_err(|StoryError(why)| StoryError(format!("round {round}: {why}")))?;
    }
    context.reset()?;
    context.works()
}
