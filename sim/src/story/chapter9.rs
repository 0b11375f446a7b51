//! The standard requests (USB 2.0 9.4) in the states Default, Address and Configured (9.1.1), for recipients that exist and
//! some that do not, with traffic on every endpoint after each, like USB-IF's chapter 9 tests.

use std::time::Duration;

use super::{Context, StoryError, ensure};
use crate::host::bot::{Cbw, Data};
use crate::host::controller::{Request, TransferError};
use crate::host::descriptor::kind;
use crate::host::enumerate::get_descriptor;
use crate::host::scsi::opcode;
use crate::link::Pid;

/// bRequest (table 9-4).
mod code {
    pub const GET_STATUS: u8 = 0;
    pub const CLEAR_FEATURE: u8 = 1;
    pub const SET_FEATURE: u8 = 3;
    pub const SET_ADDRESS: u8 = 5;
    pub const GET_DESCRIPTOR: u8 = 6;
    pub const SET_DESCRIPTOR: u8 = 7;
    pub const GET_CONFIGURATION: u8 = 8;
    pub const SET_CONFIGURATION: u8 = 9;
    pub const GET_INTERFACE: u8 = 10;
    pub const SET_INTERFACE: u8 = 11;
    pub const SYNCH_FRAME: u8 = 12;
}

/// Recipient, the low bits of bmRequestType.
mod to {
    pub const DEVICE: u8 = 0;
    pub const INTERFACE: u8 = 1;
    pub const ENDPOINT: u8 = 2;
    pub const OTHER: u8 = 3;
}

/// The address in the states Address and Configured, and another one to change to.
const ADDRESSES: [u8; 2] = [7, 9];

/// The device's state (USB 2.0 9.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum DeviceState {
    Default,
    Address,
    Configured,
}

/// The answer that the standard requires.
#[derive(Clone, Debug)]
enum Right {
    Stall,
    /// An answer that begins with these bytes.
    Data(Vec<u8>),
    /// Carried out; the toggles of these endpoints go back to DATA0.
    Done(Vec<u8>),
    /// Carried out; the device is then in this state, at this address.
    Moves(DeviceState, u8),
}

/// What the device consists of.
struct Shape {
    interfaces: Vec<u8>,
    /// Address and interface.
    endpoints: Vec<(u8, u8)>,
    configuration: u8,
    has_bos: bool,
    /// Interfaces of the application's classes, which have requests of their own.
    others: Vec<u8>,
}

impl Shape {
    fn of(context: &Context<'_>) -> Self {
        let device = &context.initiator.device;
        let all = &device.configuration.interfaces;
        let ports = device.console.iter().flat_map(|console| [console.control, console.data]);
        let reset = device.reset_interface.iter().map(|reset| reset.number);
        let own: Vec<u8> = std::iter::once(device.interface).chain(ports).chain(reset).collect();
        Self {
            others: all.iter().map(|interface| interface.number).filter(|number| !own.contains(number)).collect(),
            interfaces: all.iter().map(|interface| interface.number).collect(),
            endpoints: all
                .iter()
                .flat_map(|interface| interface.endpoints.iter().map(|endpoint| (endpoint.address, interface.number)))
                .collect(),
            configuration: device.configuration.value,
            has_bos: device.descriptor.usb_version > 0x200,
        }
    }

    fn owned_by(&self, interface: u8) -> Vec<u8> {
        self.endpoints.iter().filter(|(_, owner)| *owner == interface).map(|(address, _)| *address).collect()
    }

    fn all(&self) -> Vec<u8> {
        self.endpoints.iter().map(|(address, _)| *address).collect()
    }

    /// Interface numbers, valid and invalid ones, with whether they exist.
    fn interface_indexes(&self) -> Vec<(u16, bool)> {
        let count = self.interfaces.len() as u16;
        let real = self.interfaces.iter().map(|number| (u16::from(*number), true));
        real.chain([count, 9, 0x7F, 0xFF, 0x100, 0x8000].map(|index| (index, false))).collect()
    }

    /// The same for endpoints other than 0.
    fn endpoint_indexes(&self) -> Vec<(u16, bool)> {
        let real: Vec<u16> = self.endpoints.iter().map(|(address, _)| u16::from(*address)).collect();
        let near = real.iter().flat_map(|address| [address ^ 0x80, address | 0x10, address | 0x100]);
        let wrong = near.chain([0x8F, 0x0F, 0x88, 0x07, 0x10, 0x90]).filter(|address| !real.contains(address));
        real.iter().map(|address| (*address, true)).chain(wrong.map(|address| (address, false))).collect()
    }

    /// Each request with the correct answer.
    fn table(&self, state: DeviceState) -> Vec<(Request, Right)> {
        let mut table = Vec::new();
        let mut add = |(recipient, request): (u8, u8), value: u16, index: u16, length: u16, right: Right| {
            let is_in = matches!(
                request,
                code::GET_STATUS
                    | code::GET_DESCRIPTOR
                    | code::GET_CONFIGURATION
                    | code::GET_INTERFACE
                    | code::SYNCH_FRAME
            );
            let request_type = recipient | if is_in { 0x80 } else { 0 };
            table.push((Request { request_type, request, value, index, length }, right));
        };
        let when = |condition: bool, right: Right| if condition { right } else { Right::Stall };
        let configured = state == DeviceState::Configured;
        // GET_STATUS (9.4.5).
        add((to::DEVICE, code::GET_STATUS), 0, 0, 2, when(state > DeviceState::Default, Right::Data(vec![0, 0])));
        add((to::DEVICE, code::GET_STATUS), 0, 1, 2, Right::Stall);
        add((to::DEVICE, code::GET_STATUS), 1, 0, 2, Right::Stall);
        for (index, exists) in self.interface_indexes() {
            let there = exists && configured;
            add((to::INTERFACE, code::GET_STATUS), 0, index, 2, when(there, Right::Data(vec![0, 0])));
            add((to::INTERFACE, code::GET_INTERFACE), 0, index, 1, when(there, Right::Data(vec![0])));
            add((to::INTERFACE, code::GET_INTERFACE), 1, index, 1, Right::Stall);
            let is_other = there && self.others.iter().any(|other| u16::from(*other) == index);
            if !is_other {
                let resets = if there { self.owned_by(index as u8) } else { Vec::new() };
                add((to::INTERFACE, code::SET_INTERFACE), 0, index, 0, when(there, Right::Done(resets)));
                // No class descriptors (9.4.3).
                add((to::INTERFACE, code::GET_DESCRIPTOR), 0x2200, index, 64, Right::Stall);
            }
            for setting in [1, 2, 0xFF, 0x100] {
                add((to::INTERFACE, code::SET_INTERFACE), setting, index, 0, Right::Stall);
            }
            // No interface has a feature (9.4.1, 9.4.9).
            for feature in [0, 1, 2] {
                add((to::INTERFACE, code::CLEAR_FEATURE), feature, index, 0, Right::Stall);
                add((to::INTERFACE, code::SET_FEATURE), feature, index, 0, Right::Stall);
            }
        }
        for index in [0x00, 0x80] {
            let right = when(state > DeviceState::Default, Right::Data(vec![0, 0]));
            add((to::ENDPOINT, code::GET_STATUS), 0, index, 2, right);
            // A halt of endpoint 0 "is not required nor recommended" (9.4.5).
            add((to::ENDPOINT, code::SET_FEATURE), 0, index, 0, Right::Stall);
            add((to::ENDPOINT, code::CLEAR_FEATURE), 0, index, 0, Right::Stall);
            add((to::ENDPOINT, code::SYNCH_FRAME), 0, index, 2, Right::Stall);
        }
        for (index, exists) in self.endpoint_indexes() {
            let there = exists && configured;
            add((to::ENDPOINT, code::GET_STATUS), 0, index, 2, when(there, Right::Data(vec![0, 0])));
            add((to::ENDPOINT, code::GET_STATUS), 1, index, 2, Right::Stall);
            // The toggle is reset to DATA0 even without a halt (9.4.5).
            add((to::ENDPOINT, code::CLEAR_FEATURE), 0, index, 0, when(there, Right::Done(vec![index as u8])));
            for feature in [1, 2, 0x100] {
                add((to::ENDPOINT, code::CLEAR_FEATURE), feature, index, 0, Right::Stall);
                add((to::ENDPOINT, code::SET_FEATURE), feature, index, 0, Right::Stall);
            }
            if there {
                // Halted, and cleared.
                add((to::ENDPOINT, code::SET_FEATURE), 0, index, 0, Right::Done(Vec::new()));
                add((to::ENDPOINT, code::GET_STATUS), 0, index, 2, Right::Data(vec![1, 0]));
                add((to::ENDPOINT, code::CLEAR_FEATURE), 0, index, 0, Right::Done(vec![index as u8]));
            } else {
                add((to::ENDPOINT, code::SET_FEATURE), 0, index, 0, Right::Stall);
            }
            // No isochronous endpoint (9.4.11).
            add((to::ENDPOINT, code::SYNCH_FRAME), 0, index, 2, Right::Stall);
            add((to::ENDPOINT, code::SET_INTERFACE), 0, index, 0, Right::Stall);
        }
        // Remote wake-up is not offered, test modes are for high speed (9.4.9).
        for feature in [0, 1, 2, 3, 0xFF] {
            add((to::DEVICE, code::CLEAR_FEATURE), feature, 0, 0, Right::Stall);
            add((to::DEVICE, code::SET_FEATURE), feature, 0, 0, Right::Stall);
        }
        // GET_DESCRIPTOR (9.4.3), the same in every state.
        for (value, right) in [
            (0x0100, Right::Data(vec![18, 1])),
            (0x0101, Right::Stall),
            (0x0200, Right::Data(vec![9, 2])),
            (0x0201, Right::Stall),
            (0x02FF, Right::Stall),
            (0x0300, Right::Data(vec![4, 3])),
            (0x03EE, Right::Stall),
            (0x0400, Right::Stall),
            (0x0500, Right::Stall),
            (u16::from(kind::DEVICE_QUALIFIER) << 8, Right::Stall),
            (0x0700, Right::Stall),
            (0x0F00, when(self.has_bos, Right::Data(vec![5, 15]))),
            (0x0F01, Right::Stall),
            (0x0000, Right::Stall),
            (0xFF00, Right::Stall),
        ] {
            add((to::DEVICE, code::GET_DESCRIPTOR), value, 0, 255, right);
        }
        add((to::ENDPOINT, code::GET_DESCRIPTOR), 0x0100, 0, 18, Right::Stall);
        add((to::DEVICE, code::SET_DESCRIPTOR), 0x0100, 0, 18, Right::Stall);
        // Recipients of other requests, and requests that do not exist.
        for recipient in [to::INTERFACE, to::ENDPOINT, to::OTHER, 4, 31] {
            add((recipient, code::GET_CONFIGURATION), 0, 0, 1, Right::Stall);
            add((recipient, code::SET_CONFIGURATION), u16::from(self.configuration), 0, 0, Right::Stall);
            add((recipient, code::SET_ADDRESS), 5, 0, 0, Right::Stall);
        }
        add((to::OTHER, code::GET_STATUS), 0, 0, 2, Right::Stall);
        for request in [2, 4, 13, 48, 255] {
            add((to::DEVICE, request), 0, 0, 0, Right::Stall);
        }
        // GET_CONFIGURATION (9.4.2) and SET_CONFIGURATION (9.4.7).
        let current = if configured { self.configuration } else { 0 };
        let right = when(state > DeviceState::Default, Right::Data(vec![current]));
        add((to::DEVICE, code::GET_CONFIGURATION), 0, 0, 1, right);
        let value = u16::from(self.configuration);
        for wrong in [value + 1, 0xFF, value | 0x100, 0x100, 0x8000] {
            add((to::DEVICE, code::SET_CONFIGURATION), wrong, 0, 0, Right::Stall);
        }
        add((to::DEVICE, code::SET_CONFIGURATION), value, 1, 0, Right::Stall);
        match state {
            DeviceState::Default => {
                add((to::DEVICE, code::SET_CONFIGURATION), 0, 0, 0, Right::Stall);
                add((to::DEVICE, code::SET_CONFIGURATION), value, 0, 0, Right::Stall);
            }
            DeviceState::Address => {
                add((to::DEVICE, code::SET_CONFIGURATION), 0, 0, 0, Right::Done(Vec::new()));
                add(
                    (to::DEVICE, code::SET_CONFIGURATION),
                    value,
                    0,
                    0,
                    Right::Moves(DeviceState::Configured, ADDRESSES[0]),
                );
            }
            DeviceState::Configured => {
                add((to::DEVICE, code::SET_CONFIGURATION), value, 0, 0, Right::Done(self.all()));
                add((to::DEVICE, code::SET_CONFIGURATION), 0, 0, 0, Right::Moves(DeviceState::Address, ADDRESSES[0]));
            }
        }
        // SET_ADDRESS (9.4.6).
        for wrong in [128, 0xFF, 0x107, 0x8000] {
            add((to::DEVICE, code::SET_ADDRESS), wrong, 0, 0, Right::Stall);
        }
        add((to::DEVICE, code::SET_ADDRESS), 3, 1, 0, Right::Stall);
        let other = u16::from(ADDRESSES[1]);
        match state {
            DeviceState::Default => {
                add((to::DEVICE, code::SET_ADDRESS), 0, 0, 0, Right::Done(Vec::new()));
                add((to::DEVICE, code::SET_ADDRESS), other, 0, 0, Right::Moves(DeviceState::Address, ADDRESSES[1]));
            }
            DeviceState::Address => {
                add((to::DEVICE, code::SET_ADDRESS), other, 0, 0, Right::Moves(DeviceState::Address, ADDRESSES[1]));
                add((to::DEVICE, code::SET_ADDRESS), 0, 0, 0, Right::Moves(DeviceState::Default, 0));
            }
            DeviceState::Configured => add((to::DEVICE, code::SET_ADDRESS), other, 0, 0, Right::Stall),
        }
        table
    }
}

/// Brings the device into a state, starting with a bus reset.
fn enter(context: &mut Context<'_>, shape: &Shape, state: DeviceState) -> Result<(), StoryError> {
    let host = &mut context.initiator.host;
    host.bus_reset();
    // A program that polls late has the old address until then.
    for _ in 1..host.attempts {
        if get_descriptor(host, kind::DEVICE, 0, 0, 18).is_ok() {
            break;
        }
        host.elapse(Duration::from_millis(200));
    }
    let set = |request, value| Request { request_type: 0, request, value: u16::from(value), index: 0, length: 0 };
    if state > DeviceState::Default {
        host.control_out(set(code::SET_ADDRESS, ADDRESSES[0]), &[])?;
        host.elapse(Duration::from_millis(2));
        host.address = ADDRESSES[0];
    }
    if state > DeviceState::Address {
        host.control_out(set(code::SET_CONFIGURATION, shape.configuration), &[])?;
        host.reset_toggles();
    }
    Ok(())
}

/// Every endpoint does what its state allows. In Configured, all toggles are DATA1 before and afterwards, so that a wrong
/// reset, or a missing one, shows.
fn traffic(context: &mut Context<'_>, shape: &Shape, state: DeviceState, halted: Option<u8>) -> Result<(), StoryError> {
    let (bulk_in, bulk_out) = (context.initiator.device.bulk_in, context.initiator.device.bulk_out);
    if state < DeviceState::Configured {
        // No packet is accepted, none is sent (9.1.1.5).
        let short = Duration::from_micros(200);
        let timeout = std::mem::replace(&mut context.initiator.host.timeout, short);
        let wrapper = Cbw::new(1, 0, &[opcode::TEST_UNIT_READY, 0, 0, 0, 0, 0], Data::None).bytes();
        for (endpoint, _) in &shape.endpoints {
            let host = &mut context.initiator.host;
            host.reset_toggle(*endpoint);
            let reply = if endpoint & 0x80 == 0 {
                host.out_packet(*endpoint, &wrapper)
            } else {
                host.in_packet(*endpoint).map(drop)
            };
            ensure!(reply.is_err(), "{state:?}: endpoint {endpoint:02x}h takes part");
        }
        context.initiator.host.timeout = timeout;
        return Ok(());
    }
    if halted.is_none_or(|endpoint| endpoint != bulk_in && endpoint != bulk_out) {
        // One packet in each direction; the initiator consumes 06/29.
        let both =
            |context: &Context<'_>| [bulk_in, bulk_out].map(|endpoint| context.initiator.host.next_toggle(endpoint));
        let begun = both(context);
        if begun[0] != begun[1] {
            // A command with an odd number of data packets: two to the host, one from it.
            context.initiator.inquiry()?;
        }
        if both(context)[1] == Pid::Data0 {
            context.initiator.test_unit_ready()?;
        } else {
            context.initiator.test_unit_ready()?;
            context.initiator.test_unit_ready()?;
        }
        ensure!(both(context) == [Pid::Data1; 2], "the story's own count of packets is wrong: {:?}", both(context));
    }
    console_traffic(context, halted)
}

/// One packet in each direction: an empty line, which is not answered, and the greeting of a port that is opened.
fn console_traffic(context: &mut Context<'_>, halted: Option<u8>) -> Result<(), StoryError> {
    let Some(console) = context.initiator.device.console else { return Ok(()) };
    let host = &mut context.initiator.host;
    let state =
        |value| Request { request_type: 0x21, request: 0x22, value, index: u16::from(console.control), length: 0 };
    if halted != Some(console.bulk_out) {
        for _ in 0..if host.next_toggle(console.bulk_out) == Pid::Data0 { 1 } else { 2 } {
            host.out_packet(console.bulk_out, b"\r\n")?;
        }
    }
    if halted != Some(console.bulk_in) {
        for _ in 0..3 {
            host.control_out(state(0), &[])?;
            host.control_out(state(1), &[])?;
            let mut text = Vec::new();
            while !text.ends_with(b"\n") {
                text.extend(host.in_packet(console.bulk_in)?);
            }
            if host.next_toggle(console.bulk_in) == Pid::Data1 {
                break;
            }
        }
        host.control_out(state(0), &[])?;
    }
    if halted != Some(console.notification) {
        let timeout = std::mem::replace(&mut host.timeout, Duration::from_micros(100));
        let reply = host.in_packet(console.notification);
        host.timeout = timeout;
        ensure!(reply == Err(TransferError::Timeout), "the notification endpoint says {reply:02x?}");
    }
    Ok(())
}

pub(super) fn every_request(context: &mut Context<'_>) -> Result<(), StoryError> {
    let shape = Shape::of(context);
    for state in [DeviceState::Default, DeviceState::Address, DeviceState::Configured] {
        begin(context, &shape, state)?;
        for (request, right) in shape.table(state) {
            let mut result = one(context, &shape, state, request, &right);
            // The medium may change between any two requests: then only that request is repeated.
            if result.is_err() && context.effort.changing && context.medium_changed() {
                begin(context, &shape, state)?;
                result = one(context, &shape, state, request, &right);
            }
            result.map_err(|error| StoryError(format!("{state:?}, {request:02x?}, right: {right:02x?}: {error}")))?;
        }
    }
    context.reset()?;
    context.works()
}

/// Brings the device into a state, with traffic on its endpoints.
fn begin(context: &mut Context<'_>, shape: &Shape, state: DeviceState) -> Result<(), StoryError> {
    enter(context, shape, state)?;
    if state == DeviceState::Configured {
        context.initiator.wait_ready()?;
    }
    traffic(context, shape, state, None)
}

fn one(
    context: &mut Context<'_>,
    shape: &Shape,
    state: DeviceState,
    request: Request,
    right: &Right,
) -> Result<(), StoryError> {
    let data = vec![0; usize::from(request.length)];
    let host = &mut context.initiator.host;
    let reply = if request.request_type & 0x80 == 0 {
        host.control_out(request, &data).map(|()| Vec::new())
    } else {
        host.control_in(request)
    };
    let halts = request.request == code::SET_FEATURE && !matches!(right, Right::Stall);
    let halted = halts.then_some(request.index as u8);
    let mut heal = false;
    match right {
        Right::Stall => ensure!(reply == Err(TransferError::Stall), "{reply:02x?}"),
        Right::Data(start) => {
            let data = reply?;
            ensure!(data.starts_with(start), "{data:02x?}");
            heal = request.request_type == 0x82 && *start == [1, 0];
        }
        Right::Done(resets) => {
            reply?;
            for endpoint in resets {
                context.initiator.host.reset_toggle(*endpoint);
            }
        }
        Right::Moves(moved, address) => {
            reply?;
            let host = &mut context.initiator.host;
            host.elapse(Duration::from_millis(2));
            host.address = *address;
            host.reset_toggles();
            traffic(context, shape, *moved, None)?;
            enter(context, shape, state)?;
        }
    }
    let halted = halted.or(heal.then_some(request.index as u8));
    if let Some(endpoint) = halted {
        let host = &mut context.initiator.host;
        let reply =
            if endpoint & 0x80 == 0 { host.out_packet(endpoint, &[0; 31]) } else { host.in_packet(endpoint).map(drop) };
        ensure!(reply == Err(TransferError::Stall), "the halted endpoint {endpoint:02x}h says {reply:02x?}");
    }
    traffic(context, shape, state, halted)
}
