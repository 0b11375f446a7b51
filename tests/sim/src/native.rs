//! The library itself, plugged into the simulated host: the same device that the firmware runs, on an in-memory bus.

use crate::bus::{SimBus, WireSide};
use crate::link::{InReply, Link, OutReply, Pid};
use crate::memory::SharedMemory;
use picovd::device::Device;
use picovd::scsi::UnitIdentity;
use picovd::usb::{self, MassStorage};
use picovd::volume::layout::Layout;
use picovd::volume::{BoardIdentity, Volume};
use std::time::Duration;
use usb_device::bus::UsbBusAllocator;
use usb_device::device::UsbDevice;

/// What makes one board differ from another.
#[derive(Clone, Debug)]
pub struct Board {
    /// The tables of the volume.
    pub layout: &'static Layout<'static>,
    /// The USB device's identity.
    pub usb: usb::Identity<'static>,
    /// The SCSI unit's identity; an empty serial number stands for the board's.
    pub unit: UnitIdentity<'static>,
    /// The chip's unique identity.
    pub identity: BoardIdentity,
    /// The chip's memory.
    pub memory: SharedMemory,
}

/// How long the main loop sleeps at most: here, how coarse [`Link::elapse`] is.
const TICK: Duration = Duration::from_millis(1);

/// Turns of the main loop between two transactions, at most: several times what any event takes.
const TURNS: usize = 8;

/// A powered board with the library running on it.
pub struct NativeDevice {
    board: Board,
    wire: WireSide,
    running: Running,
}

/// What a power cycle throws away.
struct Running {
    usb: UsbDevice<'static, SimBus>,
    mass_storage: MassStorage<'static, SimBus, Device<'static, SharedMemory>>,
}

impl NativeDevice {
    /// Powers the board.
    #[must_use]
    pub fn new(board: Board) -> Self {
        let (wire, running) = power(&board);
        Self { board, wire, running }
    }

    /// The firmware's loop, until it would sleep.
    fn run(&mut self) {
        // A packet that the device leaves unread is reported by every poll, so the loop is bounded.
        for _ in 0..TURNS {
            if !self.running.usb.poll(&mut [&mut self.running.mass_storage]) {
                break;
            }
        }
    }
}

/// Starts the library as the firmware's main function does. usb-device borrows the allocator for as long as the device lives,
/// so each start leaves one behind: some hundred bytes a power cycle.
fn power(board: &Board) -> (WireSide, Running) {
    let serial: &'static str = match board.unit.serial {
        "" => String::from_utf8(board.identity.digits().to_vec()).expect("digits are ASCII").leak(),
        serial => serial,
    };
    let volume = Volume::new(board.layout, Some(board.identity), board.memory.clone());
    let device = Device::new(volume, UnitIdentity { serial, ..board.unit });
    let bus = SimBus::new();
    let wire = bus.wire();
    let alloc: &'static UsbBusAllocator<SimBus> = Box::leak(Box::new(UsbBusAllocator::new(bus)));
    let mass_storage = MassStorage::new(alloc, device);
    let usb = usb::device(alloc, board.usb, serial);
    wire.plug(true);
    (wire, Running { usb, mass_storage })
}

impl Link for NativeDevice {
    fn attached(&mut self) -> bool {
        self.run();
        self.wire.attached()
    }

    fn bus_reset(&mut self) {
        self.wire.bus_reset();
        self.run();
    }

    fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
        let reply = self.wire.setup(address, packet);
        self.run();
        reply
    }

    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        let reply = self.wire.out(address, endpoint, pid, data);
        self.run();
        reply
    }

    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        let reply = self.wire.r#in(address, endpoint, acknowledge);
        self.run();
        reply
    }

    fn suspend(&mut self) {
        self.wire.suspend();
        self.run();
    }

    fn resume(&mut self) {
        self.wire.resume();
        self.run();
    }

    fn replug(&mut self) {
        let before = self.wire.now();
        (self.wire, self.running) = power(&self.board);
        self.wire.advance(before);
    }

    fn elapse(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(TICK);
            self.wire.advance(step);
            self.run();
            left -= step;
        }
    }

    fn now(&self) -> Duration {
        self.wire.now()
    }

    fn take_faults(&mut self) -> Vec<String> {
        self.wire.take_faults()
    }
}
