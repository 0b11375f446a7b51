//! A program on embassy with the disk and a serial port, as a device that the simulated host can be plugged into.

use super::driver::Port;
use embassy_time::MockDriver;
use embassy_usb::class::cdc_acm::{CdcAcmClass, State as SerialState};
use embassy_usb::{Builder, Config};
use picovd::chip::flash_length;
use picovd::dynamic::Registered;
use picovd::stick::{Description, Firmware, Found};
use picovd::usb::Functions;
use picovd::vd::Files;
use picovd::volume::NoOverrides;
use picovd_embassy::{Board, MassStorage, State};
use picovd_sim::bus::{SimBus, WireSide};
use picovd_sim::link::{InReply, Link, OutReply, Pid};
use picovd_sim::native;
use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

/// The disk without settings.
struct Everything;

impl Functions for Everything {
    const CONSOLE: bool = false;
    const RESET: bool = false;
}

impl Firmware<'static> for Everything {
    type Files = Registered<'static>;
    type Settings = NoOverrides;
}

/// Rounds in which every future is polled after a transaction: several times what any event takes.
const ROUNDS: usize = 6;

/// Maximum sleep of the program.
const TICK: Duration = Duration::from_millis(1);

thread_local! {
    /// The driver and the time of the current power cycle, for functions that the class gets as pointers.
    static PORT: RefCell<Option<(Port, WireSide)>> = const { RefCell::new(None) };
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// The powered board.
pub struct EmbassyDevice {
    board: native::Board,
    wire: WireSide,
    tasks: Vec<Task>,
    files: &'static Files<'static>,
    /// The time that embassy knows.
    told: Duration,
}

impl EmbassyDevice {
    pub fn new(board: native::Board) -> Self {
        let (wire, tasks, files) = power(&board);
        let mut device = Self { board, wire, tasks, files, told: Duration::ZERO };
        device.run();
        device
    }

    pub fn files(&self) -> &'static Files<'static> {
        self.files
    }

    /// Whether an action wakes one of the tasks, which have nothing to do before it.
    pub fn is_woken_by(&mut self, action: impl FnOnce()) -> bool {
        struct Woken(AtomicBool);
        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        for task in &mut self.tasks {
            let _ = task.as_mut().poll(&mut Context::from_waker(&waker));
        }
        woken.0.store(false, Ordering::Relaxed);
        action();
        woken.0.load(Ordering::Relaxed)
    }

    /// Polls the tasks until they have nothing left to do.
    fn run(&mut self) {
        let now = self.wire.now();
        let passed = embassy_time::Duration::from_micros(now.saturating_sub(self.told).as_micros() as u64);
        // Of less than a microsecond, the rest comes later.
        self.told += Duration::from_micros(passed.as_micros());
        MockDriver::get().advance(passed);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..ROUNDS {
            for task in &mut self.tasks {
                let _ = task.as_mut().poll(&mut context);
            }
        }
    }
}

/// Starts the program.
fn power(board: &native::Board) -> (WireSide, Vec<Task>, &'static Files<'static>) {
    let bus = SimBus::new();
    let wire = bus.wire();
    let port = Port::new(bus);
    PORT.with(|place| place.replace(Some((port.clone(), wire.clone()))));

    let mut arena = picovd_sim::arena::Arena::default();
    let described = native::describe(board, &mut arena);
    // Never freed, as what it owns is referred to forever.
    std::mem::forget(arena);
    let Description { layout, files, built_in, announcing, usb, flash_size, redacted, unit, .. } = described;
    let digits: &'static [u8; 16] = Box::leak(Box::new(board.identity.digits()));
    let serial = std::str::from_utf8(digits).expect("digits");
    let description = Description {
        layout,
        files,
        built_in,
        announcing,
        usb,
        flash_size,
        redacted,
        program_in_sram: false,
        usb_serial: None,
        unit,
        settings: NoOverrides,
    };
    description.built_in.register(files).expect("the manifest has room");
    let flash = flash_length(&board.memory, flash_size, None);
    let board = Board {
        found: Found { board: Some(board.identity), flash, usb },
        serial,
        memory: board.memory.clone(),
        restart: || (),
        pull_up: Some(|on| {
            PORT.with_borrow(|port| {
                if let Some((port, _)) = port.as_ref().filter(|_| !on) {
                    // The bus attaches again by itself.
                    let _ = usb_device::bus::UsbBus::force_reset(&port.bus);
                }
            });
        }),
        restart_endpoints: Some(|bulk_in, bulk_out| {
            PORT.with_borrow(|port| {
                if let Some((port, _)) = port {
                    port.restart(0x80 | bulk_in);
                    port.restart(bulk_out);
                }
            });
        }),
    };

    let mut config = Config::new(description.usb.vid, description.usb.pid);
    config.manufacturer = Some(description.usb.manufacturer);
    config.product = Some(description.usb.product);
    config.serial_number = Some(serial);
    let room = || -> &'static mut [u8] { vec![0; 256].leak() };
    let mut builder = Builder::new(port, config, room(), room(), room(), room());
    let state = Box::leak(Box::new(State::new()));
    let mut disk = MassStorage::<_, Everything, _>::on_board(&mut builder, state, &description, board);
    let serial_port = CdcAcmClass::new(&mut builder, Box::leak(Box::new(SerialState::new())), 64);
    let mut device = builder.build();
    let tasks: Vec<Task> = vec![
        Box::pin(async move {
            device.run().await;
        }),
        Box::pin(async move {
            disk.run().await;
        }),
        Box::pin(async move {
            // It answers what it gets.
            let (mut sender, mut receiver) = serial_port.split();
            let mut packet = [0; 64];
            loop {
                if let Ok(length) = receiver.read_packet(&mut packet).await {
                    let _ = sender.write_packet(&packet[..length]).await;
                }
            }
        }),
    ];
    (wire, tasks, files)
}

impl Link for EmbassyDevice {
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
        (self.wire, self.tasks, self.files) = power(&self.board);
        self.wire.advance(before);
        self.run();
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

    /// The descriptors are embassy-usb's.
    fn tolerates(&mut self, _: &str) -> bool {
        true
    }
}
