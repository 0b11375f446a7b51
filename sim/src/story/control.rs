//! Control transfers with one lost packet each (USB 2.0 8.5.3.3, 8.6.4).

use super::{Context, StoryError, ensure};
use crate::faults::Loss;
use crate::host::controller::Request;
use crate::host::descriptor::kind;

/// GET_STATUS of the device (USB 2.0 9.4.5).
const GET_STATUS: Request = Request { request_type: 0x80, request: 0, value: 0, index: 0, length: 2 };

/// GET_DESCRIPTOR (USB 2.0 9.4.3).
fn get_descriptor(kind: u8, length: u16) -> Request {
    Request { request_type: 0x80, request: 6, value: u16::from(kind) << 8, index: 0, length }
}

/// A request with one loss: it must end like one without, and so must the next.
fn transfer(context: &mut Context<'_>, request: Request, loss: Loss, expected: &[u8]) -> Result<(), StoryError> {
    context.cable.lose_next(loss);
    let reply = context.initiator.host.control_in(request);
    let left = context.cable.take_next();
    ensure!(left.is_none(), "{request:02x?} has no {loss:?} to lose: the story shows nothing");
    match reply {
        Err(error) => return Err(StoryError(format!("{request:02x?} that lost its {loss:?}: {error}"))),
        Ok(reply) => {
            ensure!(reply == expected, "{request:02x?} that lost its {loss:?}: {reply:02x?}, not {expected:02x?}");
        }
    }
    // USB 2.0 8.5.3: in whatever stage the device believes to be, it accepts a SETUP.
    let status = context.initiator.host.control_in(GET_STATUS);
    let status = status.map_err(|error| StoryError(format!("after {request:02x?} that lost its {loss:?}: {error}")))?;
    ensure!(status.len() == 2, "GET_STATUS after {request:02x?} that lost its {loss:?}: {status:02x?}");
    Ok(())
}

pub(super) fn lost_handshakes(context: &mut Context<'_>) -> Result<(), StoryError> {
    let max_lun = context.initiator.max_lun_request();
    let requests = [get_descriptor(kind::DEVICE, 18), get_descriptor(kind::CONFIGURATION, 255), GET_STATUS, max_lun];
    for request in requests {
        let expected = context.initiator.host.control_in(request)?;
        // The data stage's IN, then the status stage's OUT, whose repetition finds the device at the end of the transfer
        // (USB 2.0 8.5.3.3): an endpoint that is not armed again would answer NAK forever.
        for loss in [Loss::SetupHandshake, Loss::InPacket, Loss::InHandshake, Loss::OutHandshake] {
            for _ in 0..3 {
                transfer(context, request, loss, &expected)?;
            }
        }
    }
    // Without data, there is only the status stage's IN. SET_ADDRESS is left out: a device that missed the host's handshake
    // keeps its old address, and hosts start over then.
    let value = u16::from(context.initiator.device.configuration.value);
    let configure = Request { request_type: 0, request: 9, value, index: 0, length: 0 };
    for request in [configure, context.initiator.reset_request()] {
        for loss in [Loss::SetupHandshake, Loss::InPacket, Loss::InHandshake] {
            transfer(context, request, loss, &[])?;
            if request == configure {
                context.initiator.host.reset_toggles();
            } else if !context.effort.halts {
                // A device without halts does not see these requests: its toggles are reset already.
                context.initiator.clear_in()?;
                context.initiator.clear_out()?;
            }
            context.works()?;
        }
    }
    Ok(())
}
