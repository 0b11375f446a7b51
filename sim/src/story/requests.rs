//! Control requests that no driver sends.

use std::time::Duration;

use super::{Context, StoryError, ensure};
use crate::host::controller::{Request, TransferError};

/// Number of requests between two checks of the device.
const ROUND: u32 = 100;
/// The longest data stage to the device that usb-device answers; it ignores a longer one until the next SETUP.
const LONGEST: u16 = 256;

/// Random requests of every type to every recipient, most of them similar to valid ones, drawn from the story's seed
/// ([`Context::random`]).
pub(super) fn random_requests(context: &mut Context<'_>) -> Result<(), StoryError> {
    let rounds = (context.effort.random_wrappers / ROUND).max(1);
    let usual = context.initiator.host.timeout;
    for _ in 0..rounds {
        for _ in 0..ROUND {
            let request = draw(context);
            if restarts(context, &request) {
                continue;
            }
            context.initiator.host.timeout = Duration::from_millis(20);
            let result = if request.request_type & 0x80 != 0 {
                context.initiator.host.control_in(request).map(drop)
            } else {
                let data: Vec<u8> = (0..request.length).map(|_| context.random.below(256) as u8).collect();
                context.initiator.host.control_out(request, &data)
            };
            context.initiator.host.timeout = usual;
            let left_alone = request.request_type & 0x80 == 0 && request.length > LONGEST;
            let right = matches!(result, Ok(()) | Err(TransferError::Stall))
                || left_alone && result == Err(TransferError::Timeout);
            ensure!(right, "{request:02x?}: {result:?}");
        }
        context.reset()?;
        context.works()?;
    }
    Ok(())
}

fn draw(context: &mut Context<'_>) -> Request {
    let configuration = context.initiator.device.configuration.clone();
    let random = &mut context.random;
    let mut below = |bound: u32| random.below(bound) as u16;
    // Standard, class and vendor requests to device, interface and endpoint, and anything.
    let request_type = match below(4) {
        0 => below(256) as u8,
        _ => [0x00, 0x01, 0x02, 0x20, 0x21, 0x22, 0x40, 0x41][usize::from(below(8))] | (below(2) as u8) << 7,
    };
    let request = match below(4) {
        0 => below(256) as u8,
        1 => below(0x24) as u8,
        _ => below(13) as u8,
    };
    let endpoints: Vec<u8> =
        configuration.interfaces.iter().flat_map(|interface| &interface.endpoints).map(|e| e.address).collect();
    let index = match request_type & 0x1F {
        // Endpoints that do not exist would be left to the driver; the simulated bus counts them as the device's fault.
        2 => u16::from(endpoints[usize::from(below(endpoints.len() as u32))]),
        1 => below(configuration.interfaces.len() as u32 + 1),
        _ => [0, 7, below(0x1_0000)][usize::from(below(3))],
    };
    let value = [0, below(4), below(16) << 8, below(0x1_0000)][usize::from(below(4))];
    let length = [0, 1, 7, below(64), below(300), 0xFFFF][usize::from(below(6))];
    // A host need not have that much to send.
    let length = if request_type & 0x80 == 0 { length.min(300) } else { length };
    Request { request_type, request, value, index, length }
}

/// Requests that would change the device's address or configuration or restart it: other stories do that.
fn restarts(context: &Context<'_>, request: &Request) -> bool {
    let standard = request.request_type & 0x60 == 0;
    let reset = context.initiator.device.reset_interface.map(|interface| u16::from(interface.number));
    standard && matches!(request.request, 5 | 9)
        || request.request_type & 0x60 == 0x20 && Some(request.index) == reset && request.length == 0
}
