//! An in-memory USB device controller, and the wire that a host drives against it.
//!
//! [`SimBus`] is the device's side, a [`UsbBus`] for usb-device; [`WireSide`] is the host's side of the same state and
//! provides what [`Link`](crate::link::Link) requires. The owner of the device polls it around each transaction: nothing
//! happens in here by itself.
//!
//! Stricter than the chip: an endpoint holds one packet, data with the wrong toggle is dropped (USB 2.0 8.6), and anything
//! that a careful driver never does (a write to a halted or an unknown endpoint, a packet longer than the endpoint's
//! maximum) is recorded as a *fault* that fails the story.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use picovd::usb::{ClassWatch, Packets};
use usb_device::bus::{PollResult, UsbBus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{UsbDirection, UsbError};

use crate::link::{InReply, OutReply, Pid};

/// Number of endpoints that a full-speed device can have (USB 2.0 5.3.1.2).
const ENDPOINTS: usize = 16;
/// Largest bulk and control packet at full speed (USB 2.0 5.5.3, 5.8.3).
const MAX_PACKET: u16 = 64;
/// How long D+ stays down after [`UsbBus::force_reset`]: a hub debounces for 100 ms (USB 2.0 7.1.7.3).
const DETACH: Duration = Duration::from_millis(120);
/// Nanoseconds of 12 bits on a full-speed wire.
const NANOSECONDS_PER_12_BITS: u64 = 1000;
/// Bits of a data transaction besides its payload: token, sync, PIDs, CRC, handshake, turn-around times.
const OVERHEAD_BITS: u64 = 104;
/// Bits of a transaction that carries no data packet.
const NAK_BITS: u64 = 66;

/// One direction of an endpoint.
#[derive(Debug)]
struct Endpoint {
    kind: EndpointType,
    max_packet_size: u16,
    halted: bool,
    /// OUT only: whether packets are accepted: from the end of a halt on, which is how a class reports SET_CONFIGURATION
    /// (USB 2.0 9.1.1.5).
    active: bool,
    toggle: Pid,
    packet: Option<Vec<u8>>,
    /// IN only: a packet was sent, but poll has not reported it yet.
    complete: bool,
}

impl Endpoint {
    fn clear(&mut self) {
        self.halted = false;
        self.active = false;
        self.toggle = Pid::Data0;
        self.packet = None;
        self.complete = false;
    }
}

/// What both ends of the bus share.
#[derive(Debug, Default)]
struct BusState {
    ins: [Option<Endpoint>; ENDPOINTS],
    outs: [Option<Endpoint>; ENDPOINTS],
    setup: Option<[u8; 8]>,
    address: u8,
    /// The address to be used from the end of the status stage on.
    new_address: Option<u8>,
    enabled: bool,
    plugged: bool,
    /// Set by the first poll, or after a detach by the first one when the device has been away for long enough.
    pulled_up: bool,
    detached_until: Duration,
    detach_count: u32,
    reset_pending: bool,
    suspend_pending: bool,
    resume_pending: bool,
    suspended: bool,
    faults: Vec<String>,
    /// For a device with classes of the application.
    watch: Option<ClassWatch>,
    now: Duration,
}

impl BusState {
    fn endpoint(&mut self, address: EndpointAddress) -> Option<&mut Endpoint> {
        let table = if address.is_in() { &mut self.ins } else { &mut self.outs };
        table.get_mut(address.index())?.as_mut()
    }

    fn fault(&mut self, text: String) {
        self.faults.push(text);
    }

    fn clear_endpoints(&mut self) {
        for endpoint in self.ins.iter_mut().chain(&mut self.outs).flatten() {
            endpoint.clear();
        }
    }

    /// A SETUP packet cancels what endpoint 0 was about to do, and DATA1 follows it (USB 2.0 8.5.3).
    fn begin_control(&mut self) {
        for endpoint in [&mut self.ins[0], &mut self.outs[0]].into_iter().flatten() {
            endpoint.halted = false;
            endpoint.toggle = Pid::Data1;
            endpoint.packet = None;
        }
    }

    fn attached(&self) -> bool {
        self.enabled && self.plugged && self.pulled_up
    }

    /// Whether the device would answer a token for `address`.
    fn listens(&self, address: u8) -> bool {
        self.attached() && !self.suspended && address == self.address
    }

    fn spend(&mut self, bits: u64) {
        self.now += Duration::from_nanos(bits * NANOSECONDS_PER_12_BITS / 12);
    }
}

/// The device's side: a handle over shared state.
#[derive(Clone, Debug)]
pub struct SimBus {
    state: Arc<Mutex<BusState>>,
}

impl SimBus {
    /// A bus without endpoints, plugged in; the device attaches with [`UsbBus::enable`].
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::new(Mutex::new(BusState { plugged: true, ..BusState::default() })) }
    }

    /// The other end of the cable.
    #[must_use]
    pub fn wire(&self) -> WireSide {
        WireSide { state: Arc::clone(&self.state) }
    }

    fn lock(&self) -> MutexGuard<'_, BusState> {
        lock(&self.state)
    }
}

impl Default for SimBus {
    fn default() -> Self {
        Self::new()
    }
}

/// A poisoned lock only says that some test failed while it was held; the state itself is plain data.
fn lock(state: &Mutex<BusState>) -> MutexGuard<'_, BusState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn name(address: EndpointAddress) -> String {
    format!("endpoint {} {}", address.index(), if address.is_in() { "IN" } else { "OUT" })
}

impl UsbBus for SimBus {
    /// As on the chip.
    const QUIRK_SET_ADDRESS_BEFORE_STATUS: bool = true;

    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        address: Option<EndpointAddress>,
        kind: EndpointType,
        max_packet_size: u16,
        _interval: u8,
    ) -> usb_device::Result<EndpointAddress> {
        let mut state = self.lock();
        if state.enabled {
            return Err(UsbError::InvalidState);
        }
        if max_packet_size > MAX_PACKET && !matches!(kind, EndpointType::Isochronous { .. }) {
            return Err(UsbError::Unsupported);
        }
        let table = if direction == UsbDirection::In { &mut state.ins } else { &mut state.outs };
        let index = match address {
            Some(address) => address.index(),
            None if kind == EndpointType::Control => 0,
            None => (1..ENDPOINTS).find(|&index| table[index].is_none()).ok_or(UsbError::EndpointOverflow)?,
        };
        let slot = table.get_mut(index).ok_or(UsbError::InvalidEndpoint)?;
        if slot.is_some() {
            return Err(UsbError::InvalidEndpoint);
        }
        *slot = Some(Endpoint {
            kind,
            max_packet_size,
            halted: false,
            active: false,
            toggle: Pid::Data0,
            packet: None,
            complete: false,
        });
        Ok(EndpointAddress::from_parts(index, direction))
    }

    fn enable(&mut self) {
        self.lock().enabled = true;
    }

    fn reset(&self) {
        let mut state = self.lock();
        // The host's first SETUP packet may already be here, addressed to 0.
        if state.address != 0 {
            state.setup = None;
        }
        (state.address, state.new_address) = (0, None);
        state.clear_endpoints();
        if state.setup.is_some() {
            state.begin_control();
        }
    }

    fn set_device_address(&self, address: u8) {
        self.lock().new_address = Some(address);
    }

    fn write(&self, address: EndpointAddress, data: &[u8]) -> usb_device::Result<usize> {
        let mut state = self.lock();
        let state = &mut *state;
        let suspended = state.suspended;
        let problem = match state.endpoint(address) {
            _ if !address.is_in() => "write to an OUT endpoint".to_owned(),
            None => "write to an endpoint that was not allocated".to_owned(),
            Some(endpoint) if endpoint.halted => "write to a halted endpoint".to_owned(),
            Some(endpoint) if data.len() > usize::from(endpoint.max_packet_size) => {
                format!("packet of {} bytes, maximum {}", data.len(), endpoint.max_packet_size)
            }
            Some(endpoint) if endpoint.packet.is_some() => return Err(UsbError::WouldBlock),
            Some(_) if suspended => "write while the bus is suspended".to_owned(),
            Some(endpoint) => {
                endpoint.packet = Some(data.to_vec());
                if let Some(watch) = state.watch.as_mut().filter(|_| address.index() == 0) {
                    watch.follow(data, false);
                }
                return Ok(data.len());
            }
        };
        state.fault(format!("{}: {problem}", name(address)));
        Err(if data.len() > usize::from(MAX_PACKET) { UsbError::BufferOverflow } else { UsbError::InvalidEndpoint })
    }

    fn read(&self, address: EndpointAddress, data: &mut [u8]) -> usb_device::Result<usize> {
        let mut state = self.lock();
        let state = &mut *state;
        if address.index() == 0
            && let Some(setup) = state.setup
        {
            let room = data.get_mut(..setup.len()).ok_or(UsbError::BufferOverflow)?;
            room.copy_from_slice(&setup);
            state.setup = None;
            if let Some(watch) = &mut state.watch {
                watch.follow(&setup, true);
            }
            return Ok(setup.len());
        }
        let Some(endpoint) = state.endpoint(address).filter(|_| !address.is_in()) else {
            state.fault(format!("{}: read", name(address)));
            return Err(UsbError::InvalidEndpoint);
        };
        let Some(packet) = endpoint.packet.take() else { return Err(UsbError::WouldBlock) };
        let Some(room) = data.get_mut(..packet.len()) else {
            endpoint.packet = Some(packet);
            return Err(UsbError::BufferOverflow);
        };
        room.copy_from_slice(&packet);
        Ok(packet.len())
    }

    fn set_stalled(&self, address: EndpointAddress, stalled: bool) {
        let mut state = self.lock();
        let Some(endpoint) = state.endpoint(address) else {
            state.fault(format!("{}: halt of an endpoint that was not allocated", name(address)));
            return;
        };
        // Endpoint 0 has no toggle between transfers and no halt that survives a SETUP (USB 2.0 8.5.3.4).
        if !stalled && address.index() != 0 {
            // USB 2.0 9.4.5: clearing resets the toggle whether or not the endpoint was halted.
            endpoint.toggle = Pid::Data0;
            endpoint.active = true;
            if endpoint.halted {
                endpoint.packet = None;
                endpoint.complete = false;
            }
        }
        endpoint.halted = stalled;
    }

    fn is_stalled(&self, address: EndpointAddress) -> bool {
        self.lock().endpoint(address).is_some_and(|endpoint| endpoint.halted)
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        let mut state = self.lock();
        state.pulled_up |= state.enabled && state.now >= state.detached_until;
        if !state.attached() {
            return PollResult::None;
        }
        if std::mem::take(&mut state.reset_pending) {
            return PollResult::Reset;
        }
        if std::mem::take(&mut state.resume_pending) {
            return PollResult::Resume;
        }
        if std::mem::take(&mut state.suspend_pending) {
            return PollResult::Suspend;
        }
        let ep_setup = u16::from(state.setup.is_some());
        let (mut ep_out, mut ep_in_complete) = (0u16, 0u16);
        for (index, endpoint) in state.outs.iter().enumerate() {
            if endpoint.as_ref().is_some_and(|endpoint| endpoint.packet.is_some()) {
                ep_out |= 1 << index;
            }
        }
        for (index, endpoint) in state.ins.iter_mut().enumerate() {
            if endpoint.as_mut().is_some_and(|endpoint| std::mem::take(&mut endpoint.complete)) {
                ep_in_complete |= 1 << index;
            }
        }
        if ep_setup | ep_out | ep_in_complete == 0 {
            PollResult::None
        } else {
            PollResult::Data { ep_out, ep_in_complete, ep_setup }
        }
    }

    fn force_reset(&self) -> usb_device::Result<()> {
        let mut state = self.lock();
        state.detached_until = state.now + DETACH;
        state.pulled_up = false;
        state.detach_count += 1;
        state.address = 0;
        state.setup = None;
        state.clear_endpoints();
        Ok(())
    }
}

impl Packets for SimBus {
    fn watch(&self, watch: ClassWatch) {
        self.lock().watch = Some(watch);
    }

    fn take_interface_set(&self) -> Option<u8> {
        self.lock().watch.as_mut().and_then(ClassWatch::take_set)
    }

    fn is_endpoint_of(&self, address: EndpointAddress, interface: u8) -> bool {
        self.lock().watch.as_mut().is_some_and(|watch| watch.is_of(address, interface))
    }

    fn withdraw(&self, address: EndpointAddress) {
        if let Some(endpoint) = self.lock().endpoint(address).filter(|endpoint| !endpoint.halted) {
            endpoint.packet = None;
        }
    }

    fn has_endpoint(&self, address: EndpointAddress) -> bool {
        self.lock().endpoint(address).is_some()
    }
}

/// The host's side of a [`SimBus`]: one transaction per call, answered with what the device has left there.
///
/// Time advances only by the bits of the transactions and by [`advance`](Self::advance).
#[derive(Clone, Debug)]
pub struct WireSide {
    state: Arc<Mutex<BusState>>,
}

impl WireSide {
    fn lock(&self) -> MutexGuard<'_, BusState> {
        lock(&self.state)
    }

    /// Whether the device pulls up D+.
    #[must_use]
    pub fn attached(&self) -> bool {
        self.lock().attached()
    }

    /// How often the device has detached by itself.
    #[must_use]
    pub fn detach_count(&self) -> u32 {
        self.lock().detach_count
    }

    /// Takes the list of what the device did that a careful driver never does.
    #[must_use]
    pub fn take_faults(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().faults)
    }

    /// The device has just been powered on and is not on the bus yet: for as long as a hub needs to notice (USB 2.0
    /// 7.1.7.3).
    pub fn starts(&self) {
        let mut state = self.lock();
        state.detached_until = state.now + DETACH;
    }

    /// Drives a bus reset. The device notices it at its next poll, and keeps its address until then, as on the chip.
    pub fn bus_reset(&self) {
        let mut state = self.lock();
        state.setup = None;
        state.clear_endpoints();
        state.reset_pending = true;
        (state.suspended, state.suspend_pending, state.resume_pending) = (false, false, false);
    }

    /// A SETUP transaction. A device always accepts it, and it ends the previous transfer (USB 2.0 8.5.3).
    #[must_use]
    pub fn setup(&self, address: u8, packet: [u8; 8]) -> OutReply {
        let mut state = self.lock();
        let state = &mut *state;
        if !state.listens(address) {
            state.spend(NAK_BITS);
            return OutReply::Silent;
        }
        state.spend(OVERHEAD_BITS + 64);
        state.setup = Some(packet);
        state.new_address = None;
        state.begin_control();
        OutReply::Ack
    }

    /// OUT transaction.
    pub fn out(&self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        let mut state = self.lock();
        let state = &mut *state;
        // The host sends its data before it knows whether they are accepted (USB 2.0 8.5.1).
        state.spend(OVERHEAD_BITS + 8 * data.len() as u64);
        let busy = endpoint == 0 && state.setup.is_some();
        let listens = state.listens(address);
        let Some(target) = state.outs.get_mut(usize::from(endpoint)).and_then(Option::as_mut) else {
            return OutReply::Silent;
        };
        if !listens || data.len() > usize::from(target.max_packet_size) {
            OutReply::Silent
        } else if target.halted {
            OutReply::Stall
        } else if matches!(target.kind, EndpointType::Isochronous { .. }) {
            target.packet = Some(data.to_vec());
            OutReply::Silent
        } else if target.packet.is_some() || busy || (endpoint != 0 && !target.active) {
            OutReply::Nak
        } else {
            if pid == target.toggle {
                target.packet = Some(data.to_vec());
                target.toggle = pid.toggled();
            }
            OutReply::Ack
        }
    }

    /// An IN transaction; with `acknowledge` false, the handshake is lost and the packet stays queued.
    pub fn r#in(&self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        let mut state = self.lock();
        let state = &mut *state;
        let busy = endpoint == 0 && state.setup.is_some();
        let listens = state.listens(address);
        let reply = match state.ins.get_mut(usize::from(endpoint)).and_then(Option::as_mut) {
            Some(_) if !listens => InReply::Silent,
            None => InReply::Silent,
            Some(source) if source.halted => InReply::Stall,
            Some(_) if busy => InReply::Nak,
            Some(source) => match &source.packet {
                None => InReply::Nak,
                Some(packet) => {
                    let reply = InReply::Data(source.toggle, packet.clone());
                    if acknowledge {
                        source.packet = None;
                        source.toggle = source.toggle.toggled();
                        source.complete = true;
                        if endpoint == 0
                            && let Some(address) = state.new_address.take()
                        {
                            state.address = address;
                        }
                    }
                    reply
                }
            },
        };
        state.spend(match &reply {
            InReply::Data(_, data) => OVERHEAD_BITS + 8 * data.len() as u64,
            _ => NAK_BITS,
        });
        reply
    }

    /// Stops all traffic: the device sees suspend at its next poll.
    pub fn suspend(&self) {
        let mut state = self.lock();
        if !state.suspended {
            (state.suspended, state.suspend_pending, state.resume_pending) = (true, true, false);
        }
    }

    /// Resume signalling: the device sees it at its next poll.
    pub fn resume(&self) {
        let mut state = self.lock();
        if state.suspended {
            // A device that was not polled in between has seen neither.
            state.resume_pending = !state.suspend_pending;
            (state.suspended, state.suspend_pending) = (false, false);
        }
    }

    /// Unplugs the device, or plugs it in again. What it has queued is lost.
    pub fn plug(&self, plugged: bool) {
        let mut state = self.lock();
        state.plugged = plugged;
        state.address = 0;
        state.setup = None;
        state.clear_endpoints();
        (state.suspended, state.suspend_pending, state.resume_pending, state.reset_pending) =
            (false, false, false, false);
        state.detached_until = Duration::ZERO;
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        self.lock().now += time;
    }

    /// Bus time since the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.lock().now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BULK_IN: u8 = 0x81;
    const BULK_OUT: u8 = 0x01;

    fn bus() -> (SimBus, WireSide) {
        let mut bus = SimBus::new();
        let wire = bus.wire();
        for direction in [UsbDirection::In, UsbDirection::Out] {
            bus.alloc_ep(direction, None, EndpointType::Control, 64, 0).expect("endpoint 0");
            bus.alloc_ep(direction, None, EndpointType::Bulk, 64, 0).expect("a bulk endpoint");
        }
        bus.enable();
        assert!(!wire.attached(), "before its first poll");
        bus.poll();
        assert_eq!(wire.out(0, 1, Pid::Data0, &[1]), OutReply::Nak, "not configured");
        bus.set_stalled(BULK_OUT.into(), false);
        (bus, wire)
    }

    #[test]
    fn an_endpoint_holds_one_packet() {
        let (bus, wire) = bus();
        assert_eq!(bus.write(BULK_IN.into(), &[1]), Ok(1));
        assert_eq!(bus.write(BULK_IN.into(), &[2]), Err(UsbError::WouldBlock));
        assert_eq!(wire.r#in(0, 1, true), InReply::Data(Pid::Data0, vec![1]));
        assert_eq!(wire.r#in(0, 1, true), InReply::Nak);
        assert_eq!(wire.out(0, 1, Pid::Data0, &[3]), OutReply::Ack);
        assert_eq!(wire.out(0, 1, Pid::Data1, &[4]), OutReply::Nak);
        let mut data = [0; 64];
        assert_eq!(bus.read(BULK_OUT.into(), &mut data), Ok(1));
        assert_eq!(bus.read(BULK_OUT.into(), &mut data), Err(UsbError::WouldBlock));
        assert!(wire.take_faults().is_empty());
    }

    #[test]
    fn a_lost_handshake_repeats_the_packet_and_a_repeated_packet_is_dropped() {
        let (bus, wire) = bus();
        bus.write(BULK_IN.into(), &[1]).expect("room");
        assert_eq!(wire.r#in(0, 1, false), InReply::Data(Pid::Data0, vec![1]));
        assert_eq!(wire.r#in(0, 1, true), InReply::Data(Pid::Data0, vec![1]));
        assert_eq!(wire.out(0, 1, Pid::Data0, &[3]), OutReply::Ack);
        let mut data = [0; 64];
        bus.read(BULK_OUT.into(), &mut data).expect("a packet");
        assert_eq!(wire.out(0, 1, Pid::Data0, &[3]), OutReply::Ack, "acknowledged, not taken");
        assert_eq!(bus.read(BULK_OUT.into(), &mut data), Err(UsbError::WouldBlock));
    }

    #[test]
    fn clearing_a_halt_resets_the_toggle_and_drops_the_packet() {
        let (bus, wire) = bus();
        bus.write(BULK_IN.into(), &[1]).expect("room");
        wire.r#in(0, 1, true);
        bus.write(BULK_IN.into(), &[2]).expect("room");
        bus.set_stalled(BULK_IN.into(), true);
        assert_eq!(wire.r#in(0, 1, true), InReply::Stall);
        bus.set_stalled(BULK_IN.into(), false);
        assert_eq!(wire.r#in(0, 1, true), InReply::Nak);
        bus.write(BULK_IN.into(), &[3]).expect("room");
        assert_eq!(wire.r#in(0, 1, true), InReply::Data(Pid::Data0, vec![3]));
    }

    #[test]
    fn faults_are_kept() {
        let (bus, wire) = bus();
        bus.set_stalled(BULK_IN.into(), true);
        assert!(bus.write(BULK_IN.into(), &[1]).is_err());
        assert!(bus.write(0x83.into(), &[1]).is_err());
        assert!(bus.read(0x03.into(), &mut [0; 64]).is_err());
        assert_eq!(wire.take_faults().len(), 3);
    }

    #[test]
    fn a_detached_device_is_silent_and_comes_back() {
        let (bus, wire) = bus();
        bus.force_reset().expect("supported");
        assert!(!wire.attached());
        assert_eq!(wire.setup(0, [0; 8]), OutReply::Silent);
        wire.advance(DETACH);
        assert!(!wire.attached(), "it was not polled");
        bus.poll();
        assert!(wire.attached());
        assert_eq!(wire.setup(0, [0; 8]), OutReply::Ack);
    }
}
