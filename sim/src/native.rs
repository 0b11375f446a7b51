//! The library itself, plugged into the simulated host: the same device that the firmware runs, on an in-memory bus.

use crate::arena::Arena;
use crate::bus::{SimBus, WireSide};
use crate::link::{InReply, Link, OutReply, Pid};
use crate::memory::SharedMemory;
use crate::partitions::RomTable;
use crate::sensor::Sensor;
use crate::settings_flash::SettingsFlash;
use crate::tables::ring;
use picovd::chip::flash_length;
use picovd::clock::Instant;
use picovd::files::{BoardFacts, LogRing, PartitionFiles, PartitionPlan, Program, ResetReason, Temperatures};
use picovd::settings::{self, Configured, SECTOR_LENGTH, Settings, Storage, Store, Volatile};
use picovd::stick::{Description, Everything, Hardware, Parts, Platform, Room, Stick, boot};
use picovd::usb::Reset;
use picovd::vd::{Announcing, Files};
use picovd::volume::layout::{BuiltInSource, Layout, Redactions};
use picovd::volume::{BoardIdentity, Memory};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use usb_device::bus::UsbBusAllocator;

/// Everything in which boards may differ.
#[derive(Clone, Debug)]
pub struct Board {
    /// The volume, whose compiled manifest has everything else.
    pub layout: &'static Layout<'static>,
    /// How hosts are notified of changes.
    pub announcing: Announcing,
    /// The chip's unique identity.
    pub identity: BoardIdentity,
    /// The chip's memory: its flash may be shorter than the manifest reserves.
    pub memory: SharedMemory,
    /// An application that runs next to the library; each power-on restarts it.
    pub application: Option<Start>,
}

/// Starts an application, which registers its files.
pub type Start = fn(&'static Files<'static>) -> Box<dyn Application>;

/// A program that uses the library, as a firmware's main function does.
pub trait Application {
    /// One turn of the main loop.
    fn turn(&mut self, now: Instant);
}

/// Maximum number of dynamic files of a board; its layout may allow fewer.
const FILES: usize = 256;

/// Maximum sleep of the main loop: here, the step of [`Link::elapse`].
const TICK: Duration = Duration::from_millis(1);

/// Time from a request to restart until the restart, as in the firmware.
const RESTART_DELAY: Duration = Duration::from_millis(100);

/// A powered board with the library running on it.
pub struct NativeDevice {
    board: Board,
    wire: WireSide,
    running: Running,
    /// When to restart, and how.
    restart: Option<(Duration, Reset)>,
    restarts: Vec<Reset>,
    /// How late the main loop starts, and continues after each bus reset.
    stall: Duration,
    /// The main loop does nothing before this time.
    stalled_until: Duration,
    /// Whether a power cycle frees what the last one has allocated: nothing else refers to it.
    frees: bool,
}

/// What a power cycle discards.
struct Running {
    stick: Stick<'static, Powered<'static>, Everything>,
    /// What the host requested through the reset interface.
    wanted: Arc<Mutex<Option<Reset>>>,
    files: &'static Files<'static>,
    log: Option<&'static LogRing>,
    settings: Option<&'static Settings<'static>>,
    sensor: Option<Sensor>,
    application: Option<Box<dyn Application>>,
    /// What all of that borrows.
    arena: Arena,
}

impl NativeDevice {
    /// Powers the board on.
    #[must_use]
    pub fn new(board: Board) -> Self {
        let (wire, running) = power(&board);
        let (stall, stalled_until) = (Duration::ZERO, Duration::ZERO);
        Self { board, wire, running, restart: None, restarts: Vec::new(), stall, stalled_until, frees: false }
    }

    /// The same for callers that need only the bus, for any number of power cycles: each frees what the last one has
    /// allocated. The board's application must not pass its files to anything that outlives it.
    #[must_use]
    pub fn link(board: Board) -> Box<dyn Link> {
        Box::new(Self { frees: true, ..Self::new(board) })
    }

    /// The restarts that the host has requested and that took place.
    #[must_use]
    pub fn restarts(&self) -> &[Reset] {
        &self.restarts
    }

    /// The dynamic files of the current power cycle.
    #[must_use]
    pub fn files(&self) -> &'static Files<'static> {
        self.running.files
    }

    /// The log of the current power cycle, if the manifest requests one.
    #[must_use]
    pub fn log(&self) -> Option<&'static LogRing> {
        self.running.log
    }

    /// The settings of the current power cycle, if the manifest has sectors for them.
    #[must_use]
    pub fn settings(&self) -> Option<&'static Settings<'static>> {
        self.running.settings
    }

    /// Runs the firmware's loop until it would sleep.
    fn run(&mut self) {
        if self.wire.now() < self.stalled_until {
            return;
        }
        let now = Instant(self.wire.now().as_micros() as u64);
        if let Some(sensor) = &mut self.running.sensor {
            sensor.turn(self.running.files, now);
        }
        if let Some(application) = &mut self.running.application {
            application.turn(now);
        }
        self.running.stick.poll(now);
        if self.running.stick.take_restart() {
            self.restart = Some((self.wire.now() + RESTART_DELAY, Reset::Flash));
        }
        self.restart_if_due();
    }

    /// Restarts when it is due. A board in BOOTSEL mode is another device, which is not simulated: it is as if unplugged.
    fn restart_if_due(&mut self) {
        let now = self.wire.now();
        if let Some(reset) = self.running.wanted.lock().unwrap_or_else(PoisonError::into_inner).take() {
            self.restart = Some((now + RESTART_DELAY, reset));
        }
        let Some((_, reset)) = self.restart.take_if(|(due, _)| *due <= now) else { return };
        self.restarts.push(reset);
        match reset {
            Reset::Flash => {
                self.power_cycle();
                self.wire.starts();
            }
            Reset::Bootsel { .. } => self.wire.plug(false),
        }
    }

    /// Discards everything that a board without power forgets; its clock continues.
    fn power_cycle(&mut self) {
        let before = self.wire.now();
        self.restart = None;
        let (wire, running) = power(&self.board);
        self.wire = wire;
        let Running { stick, files: _, log: _, settings: _, sensor: _, application, wanted: _, arena } =
            std::mem::replace(&mut self.running, running);
        self.wire.advance(before);
        self.stalled_until = before + self.stall;
        if self.frees {
            drop((application, stick));
            // SAFETY: what borrowed is gone, `println!` has the new log, and `link` has not allowed other borrows.
            unsafe { arena.free() };
        }
    }
}

/// The stick that a board's compiled manifest describes.
#[must_use]
pub fn describe(board: &Board, arena: &mut Arena) -> Description<'static, Option<&'static Settings<'static>>> {
    describe_with_readings(board, arena).0
}

/// The same, with what its sensor's file shows.
fn describe_with_readings(
    board: &Board,
    arena: &mut Arena,
) -> (Description<'static, Option<&'static Settings<'static>>>, &'static Temperatures) {
    let compiled = board.layout.compiled;
    let has = |source| compiled.built_in().iter().any(|file| file.source == Some(source));
    let log = has(BuiltInSource::Stdout) || has(BuiltInSource::Tail);
    let log = log.then(|| ring(compiled.log().ring_size, arena));
    let defmt = has(BuiltInSource::Defmt).then(|| ring(compiled.log().defmt_ring_size, arena));
    let sectors = compiled.settings().sectors;
    let settings: Option<&'static settings::Room> = (sectors != 0).then(|| &*arena.keep(settings::Room::new()));
    let program = Program { name: "picovd-sim", version: env!("CARGO_PKG_VERSION"), build: "native" };
    let readings: &'static Temperatures = arena.keep(Temperatures::new());
    let flash = flash_length(&board.memory, compiled.chip().flash_size, None);
    let parts = Parts { program, log, defmt, settings, flash, page: None, sensor: Some(readings), origin: None };
    let room = arena.keep(Room::<FILES>::new());
    (Description { announcing: board.announcing, ..room.describe(compiled, &parts) }, readings)
}

/// Starts the library as the firmware's main function does.
fn power(board: &Board) -> (WireSide, Running) {
    let mut arena = Arena::default();
    let (description, readings) = describe_with_readings(board, &mut arena);
    let Description { files, built_in, settings, .. } = description;
    let interval = Duration::from_millis(board.layout.compiled.sensor_interval().into());
    let sensor = built_in.sensor.map(|file| Sensor::new(readings, file, interval));
    if let Some(log) = built_in.log {
        // As on the chip; in a process with several boards, `println!` writes to the last one.
        picovd::files::set_log(log);
    }
    let wanted = Arc::new(Mutex::new(None));
    let found = boot::<_, Everything>(&mut Powered { board, arena: &mut arena, wanted: &wanted }, &description);
    let bus = SimBus::new();
    let wire = bus.wire();
    let alloc: &'static UsbBusAllocator<SimBus> = arena.keep(UsbBusAllocator::new(bus));
    let wish = Arc::clone(&wanted);
    let reset = Box::new(move |reset| *wish.lock().unwrap_or_else(PoisonError::into_inner) = Some(reset));
    let digits: &'static [u8; 16] = arena.keep(board.identity.digits());
    let reset = reset as Box<dyn FnMut(Reset) + Send>;
    let stick = Stick::new(alloc, &description, found, digits, board.memory.clone(), reset);
    let application = board.application.map(|start| start(files));
    wire.plug(true);
    (wire, Running { stick, wanted, files, log: built_in.log, settings, sensor, application, arena })
}

/// A powered board as a stick's hardware.
struct Powered<'p> {
    board: &'p Board,
    arena: &'p mut Arena,
    /// What the host requests.
    wanted: &'p Arc<Mutex<Option<Reset>>>,
}

impl Hardware<'static> for Powered<'_> {
    type Bus = SimBus;
    type Restart = Box<dyn FnMut(Reset) + Send>;
}

impl Platform<'static> for Powered<'_> {
    type Memory = SharedMemory;

    fn identity(&mut self) -> Option<BoardIdentity> {
        Some(self.board.identity)
    }

    fn flash(&mut self, reserved: u32) -> Option<u32> {
        flash_length(&self.board.memory, reserved, None)
    }

    /// The plan has removed redacted ranges from the windows, and a simulated board's RAM contains no program data: only the
    /// settings' sectors may be elsewhere than the plan says.
    fn hide<S: Configured<'static>>(&mut self, settings: S, _: Redactions<'static>, _: u32) {
        let sectors = settings.settings().map_or(0..0, |settings| {
            let plan = settings.plan();
            let start = plan.start as usize;
            start..start + usize::from(plan.sectors) * SECTOR_LENGTH as usize
        });
        self.board.memory.hide(sectors);
    }

    fn facts(&mut self, identity: Option<BoardIdentity>, flash: Option<u32>) -> BoardFacts<'static> {
        let reset = ResetReason::PowerOn;
        BoardFacts { chip: "RP2350 (simulated)", bootrom: None, flash, identity, reset, panic: None }
    }

    fn show_partitions(&mut self, plan: PartitionPlan<'static>, files: &'static Files<'static>) {
        let partitions: &'static mut PartitionFiles<'static, SharedMemory> = self.arena.keep(PartitionFiles::new());
        let memory = &self.board.memory;
        partitions
            .register(plan, &mut RomTable::new(memory.clone()), memory.clone(), files)
            .expect("the manifest has room for it");
    }

    fn storage(
        &mut self,
        plan: &settings::Plan<'static>,
        flash: Option<u32>,
    ) -> Option<&'static mut (dyn Storage + Send)> {
        if flash.is_none() {
            return Some(self.arena.keep(Volatile));
        }
        let sectors = SettingsFlash::new(self.board.memory.clone(), plan.start, plan.sectors);
        Some(self.arena.keep(Store::open(sectors, plan.start, plan.sectors)))
    }

    fn reach(&mut self) -> Option<(&'static (dyn Memory + Sync), &'static (dyn Fn() + Sync))> {
        let wish = Arc::clone(self.wanted);
        let bootsel = move || {
            let reset = Reset::Bootsel { no_mass_storage: false, no_picoboot: false, activity_led: None };
            *wish.lock().unwrap_or_else(PoisonError::into_inner) = Some(reset);
        };
        Some((self.arena.keep(self.board.memory.clone()), self.arena.keep(bootsel)))
    }

    fn strings(&mut self) -> Option<&'static mut [[u8; 96]; 2]> {
        Some(self.arena.keep([[0; 96]; 2]))
    }
}

impl Link for NativeDevice {
    fn attached(&mut self) -> bool {
        self.run();
        self.wire.attached()
    }

    fn bus_reset(&mut self) {
        self.wire.bus_reset();
        // A second bus reset does not extend it.
        if self.wire.now() >= self.stalled_until {
            self.stalled_until = self.wire.now() + self.stall;
        }
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
        self.power_cycle();
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

    fn stall(&mut self, time: Duration) -> bool {
        (self.stall, self.stalled_until) = (time, self.wire.now() + time);
        true
    }

    fn now(&self) -> Duration {
        self.wire.now()
    }

    fn take_faults(&mut self) -> Vec<String> {
        self.wire.take_faults()
    }
}
