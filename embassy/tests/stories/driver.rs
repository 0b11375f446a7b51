//! A driver of embassy-usb for the simulator's in-memory controller: what a careful driver does, nothing more.
//!
//! Nothing in here wakes a task: the device polls all of its futures after each transaction.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use embassy_usb::driver::{
    self, Direction, EndpointAddress, EndpointAllocError, EndpointError, EndpointInfo, EndpointType, Event, Unsupported,
};
use picovd_sim::bus::SimBus;
use usb_device::bus::{PollResult, UsbBus};
use usb_device::{UsbDirection, UsbError, endpoint};

/// What the parts of the driver share.
#[derive(Clone)]
pub struct Port {
    pub bus: SimBus,
    events: Rc<RefCell<VecDeque<Event>>>,
    suspended: Rc<Cell<bool>>,
}

impl Port {
    pub fn new(bus: SimBus) -> Self {
        // The first event is the power.
        let events = VecDeque::from([Event::PowerDetected]);
        Self { bus, events: Rc::new(RefCell::new(events)), suspended: Rc::default() }
    }

    /// Takes the controller's events. Returns whether there is a SETUP packet.
    fn look(&self) -> bool {
        match self.bus.poll() {
            PollResult::Reset => {
                self.bus.reset();
                self.suspended.set(false);
                self.events.borrow_mut().push_back(Event::Reset);
            }
            PollResult::Suspend => {
                self.suspended.set(true);
                self.events.borrow_mut().push_back(Event::Suspend);
            }
            PollResult::Resume => {
                self.suspended.set(false);
                self.events.borrow_mut().push_back(Event::Resume);
            }
            PollResult::Data { ep_setup, .. } => return ep_setup != 0,
            PollResult::None => {}
        }
        false
    }

    /// Puts a packet into an endpoint, when it has room.
    fn write(&self, address: u8, packet: &[u8]) -> Poll<Result<(), EndpointError>> {
        let address = endpoint::EndpointAddress::from(address);
        if self.suspended.get() || self.bus.is_stalled(address) {
            return Poll::Pending;
        }
        match self.bus.write(address, packet) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(UsbError::WouldBlock) => Poll::Pending,
            Err(_) => Poll::Ready(Err(EndpointError::BufferOverflow)),
        }
    }

    /// Drops what an endpoint holds, and resets its data toggle.
    pub fn restart(&self, address: u8) {
        let address = endpoint::EndpointAddress::from(address);
        self.bus.set_stalled(address, true);
        self.bus.set_stalled(address, false);
    }
}

impl driver::Driver<'_> for Port {
    type EndpointOut = Endpoint;
    type EndpointIn = Endpoint;
    type ControlPipe = ControlPipe;
    type Bus = Bus;

    fn alloc_endpoint_out(
        &mut self,
        kind: EndpointType,
        address: Option<EndpointAddress>,
        max_packet_size: u16,
        interval: u8,
    ) -> Result<Endpoint, EndpointAllocError> {
        Endpoint::allocate(self, Direction::Out, kind, address, max_packet_size, interval)
    }

    fn alloc_endpoint_in(
        &mut self,
        kind: EndpointType,
        address: Option<EndpointAddress>,
        max_packet_size: u16,
        interval: u8,
    ) -> Result<Endpoint, EndpointAllocError> {
        Endpoint::allocate(self, Direction::In, kind, address, max_packet_size, interval)
    }

    fn start(mut self, max_packet_size: u16) -> (Bus, ControlPipe) {
        for direction in [Direction::In, Direction::Out] {
            let zero = EndpointAddress::from_parts(0, direction);
            let made = Endpoint::allocate(&mut self, direction, EndpointType::Control, Some(zero), max_packet_size, 0);
            assert!(made.is_ok(), "endpoint 0");
        }
        self.bus.enable();
        (Bus(self.clone()), ControlPipe(self))
    }
}

pub struct Endpoint {
    port: Port,
    info: EndpointInfo,
}

impl Endpoint {
    fn allocate(
        port: &mut Port,
        direction: Direction,
        kind: EndpointType,
        address: Option<EndpointAddress>,
        max_packet_size: u16,
        interval_ms: u8,
    ) -> Result<Self, EndpointAllocError> {
        let side = if direction == Direction::In { UsbDirection::In } else { UsbDirection::Out };
        let of_bus = match kind {
            EndpointType::Control => endpoint::EndpointType::Control,
            EndpointType::Interrupt => endpoint::EndpointType::Interrupt,
            _ => endpoint::EndpointType::Bulk,
        };
        let address = address.map(|address| u8::from(address).into());
        let made = port.bus.alloc_ep(side, address, of_bus, max_packet_size, interval_ms);
        let addr = u8::from(made.map_err(|_| EndpointAllocError)?).into();
        Ok(Self { port: port.clone(), info: EndpointInfo { addr, ep_type: kind, max_packet_size, interval_ms } })
    }

    fn address(&self) -> u8 {
        self.info.addr.into()
    }
}

impl driver::Endpoint for Endpoint {
    fn info(&self) -> &EndpointInfo {
        &self.info
    }

    async fn wait_enabled(&mut self) {}
}

impl driver::EndpointIn for Endpoint {
    async fn write(&mut self, packet: &[u8]) -> Result<(), EndpointError> {
        poll_fn(|_| self.port.write(self.address(), packet)).await
    }
}

impl driver::EndpointOut for Endpoint {
    async fn read(&mut self, packet: &mut [u8]) -> Result<usize, EndpointError> {
        poll_fn(|_| match self.port.bus.read(self.address().into(), packet) {
            Ok(length) => Poll::Ready(Ok(length)),
            Err(UsbError::WouldBlock) => Poll::Pending,
            Err(_) => Poll::Ready(Err(EndpointError::BufferOverflow)),
        })
        .await
    }
}

pub struct Bus(Port);

impl driver::Bus for Bus {
    async fn enable(&mut self) {}

    async fn disable(&mut self) {}

    async fn poll(&mut self) -> Event {
        poll_fn(|_| {
            self.0.look();
            self.0.events.borrow_mut().pop_front().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn endpoint_set_enabled(&mut self, address: EndpointAddress, enabled: bool) {
        if enabled {
            self.0.restart(address.into());
        } else {
            self.0.bus.set_stalled(u8::from(address).into(), true);
        }
    }

    fn endpoint_set_stalled(&mut self, address: EndpointAddress, stalled: bool) {
        let address = u8::from(address).into();
        // embassy-usb passes on whatever number the host sends.
        if picovd::usb::Packets::has_endpoint(&self.0.bus, address) {
            self.0.bus.set_stalled(address, stalled);
        }
    }

    fn endpoint_is_stalled(&mut self, address: EndpointAddress) -> bool {
        self.0.bus.is_stalled(u8::from(address).into())
    }

    async fn remote_wakeup(&mut self) -> Result<(), Unsupported> {
        Err(Unsupported)
    }
}

const ZERO_IN: u8 = 0x80;
const ZERO_OUT: u8 = 0x00;

/// Endpoint 0. A SETUP packet ends whatever transfer is in progress (USB 2.0 8.5.3).
pub struct ControlPipe(Port);

impl ControlPipe {
    fn set_stalled(&self, stalled: bool) {
        for address in [ZERO_IN, ZERO_OUT] {
            self.0.bus.set_stalled(address.into(), stalled);
        }
    }

    /// Sends a packet, and waits until it was taken.
    async fn send(&mut self, packet: &[u8]) -> Result<(), EndpointError> {
        poll_fn(
            |_| if self.0.look() { Poll::Ready(Err(EndpointError::Disabled)) } else { self.0.write(ZERO_IN, packet) },
        )
        .await
    }
}

impl driver::ControlPipe for ControlPipe {
    fn max_packet_size(&self) -> usize {
        64
    }

    async fn setup(&mut self) -> [u8; 8] {
        poll_fn(|_| {
            let mut packet = [0; 64];
            // Without a SETUP packet, what is there is the end of the last transfer.
            if !self.0.look() {
                let _ = self.0.bus.read(ZERO_OUT.into(), &mut packet);
                return Poll::Pending;
            }
            match (self.0.bus.read(ZERO_OUT.into(), &mut packet), packet.first_chunk()) {
                (Ok(8), Some(setup)) => Poll::Ready(*setup),
                _ => Poll::Pending,
            }
        })
        .await
    }

    async fn data_out(&mut self, packet: &mut [u8], _first: bool, _last: bool) -> Result<usize, EndpointError> {
        poll_fn(|_| {
            if self.0.look() {
                return Poll::Ready(Err(EndpointError::Disabled));
            }
            let mut data = [0; 64];
            match self.0.bus.read(ZERO_OUT.into(), &mut data) {
                Ok(length) => {
                    let room = length.min(packet.len());
                    packet[..room].copy_from_slice(&data[..room]);
                    Poll::Ready(Ok(room))
                }
                Err(_) => Poll::Pending,
            }
        })
        .await
    }

    async fn data_in(&mut self, data: &[u8], _first: bool, _last: bool) -> Result<(), EndpointError> {
        self.send(data).await
    }

    async fn accept(&mut self) {
        let _ = self.send(&[]).await;
    }

    async fn reject(&mut self) {
        if !self.0.look() {
            self.set_stalled(true);
        }
    }

    async fn accept_set_address(&mut self, address: u8) {
        // The controller uses it from the end of the status stage on.
        self.0.bus.set_device_address(address);
        self.accept().await;
    }
}
