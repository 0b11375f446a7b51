//! The console as its owner sees it: what is taken, what comes out, what is lost.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use picovd::bot::{CommandSet, Intent};
use picovd::clock::Instant;
use picovd::usb::{Composite, HOLD, Identity, Reset};
use picovd_property::Cases;
use picovd_sim::bus::{SimBus, WireSide};
use picovd_sim::host::cdc::CdcAcm;
use picovd_sim::host::controller::{Request, TransferError};
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::{InReply, Link, OutReply, Pid};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use usb_device::bus::UsbBusAllocator;

/// A disk that receives no commands.
struct NoDisk;

impl CommandSet for NoDisk {
    fn max_lun(&self) -> u8 {
        0
    }
    fn begin(&mut self, _lun: u8, _cdb: &[u8]) -> Intent {
        Intent::None
    }
    fn data_in(&mut self, _packet: &mut [u8]) {}
    fn data_out(&mut self, _packet: &[u8]) {}
    fn end(&mut self) -> bool {
        false
    }
    fn reset(&mut self) {}
    fn bus_reset(&mut self) {}
}

const IDENTITY: Identity<'static> = Identity {
    vid: 0x2E8A,
    pid: 0x0009,
    manufacturer: "PicoVD",
    product: "Console",
    console: true,
    picotool_reset: false,
    max_power: 100,
};

/// Turns of the main loop after a transaction: more than any event takes.
const TURNS: usize = 8;

/// A device whose console the test owns.
struct Device {
    wire: WireSide,
    stick: Composite<'static, SimBus, NoDisk, fn(Reset)>,
    /// Whether the owner reads what comes, and what it has read.
    reads: bool,
    input: Vec<u8>,
}

impl Device {
    fn new() -> Self {
        let bus = SimBus::new();
        let wire = bus.wire();
        let alloc: &'static UsbBusAllocator<SimBus> = Box::leak(Box::new(UsbBusAllocator::new(bus)));
        let stick = Composite::new(alloc, IDENTITY, "0123456789ABCDEF", NoDisk, (|_| {}) as fn(Reset));
        Self { wire, stick, reads: true, input: Vec::new() }
    }

    fn run(&mut self) {
        for _ in 0..TURNS {
            self.stick.poll();
            let _ = self.stick.tick(Instant(self.wire.now().as_micros() as u64));
            let console = self.stick.console_mut().expect("it is there");
            // Less than a packet at a time.
            let mut bytes = [0; 24];
            while self.reads {
                match console.read(&mut bytes) {
                    0 => break,
                    length => self.input.extend_from_slice(&bytes[..length]),
                }
            }
        }
    }
}

/// A device that the host and the test have both.
#[derive(Clone)]
struct Shared(Rc<RefCell<Device>>);

impl Shared {
    /// Something happens on the wire, and the device runs.
    fn on<R>(&self, what: impl FnOnce(&WireSide) -> R) -> R {
        let mut device = self.0.borrow_mut();
        let result = what(&device.wire);
        device.run();
        result
    }
}

impl Link for Shared {
    fn attached(&mut self) -> bool {
        self.on(WireSide::attached)
    }
    fn bus_reset(&mut self) {
        self.on(WireSide::bus_reset);
    }
    fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
        self.on(|wire| wire.setup(address, packet))
    }
    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        self.on(|wire| wire.out(address, endpoint, pid, data))
    }
    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        self.on(|wire| wire.r#in(address, endpoint, acknowledge))
    }
    fn suspend(&mut self) {
        self.on(WireSide::suspend);
    }
    fn resume(&mut self) {
        self.on(WireSide::resume);
    }
    fn replug(&mut self) {
        *self.0.borrow_mut() = Device::new();
    }
    fn elapse(&mut self, time: Duration) {
        self.on(|wire| wire.advance(time));
    }
    fn now(&self) -> Duration {
        self.0.borrow().wire.now()
    }
    fn take_faults(&mut self) -> Vec<String> {
        self.on(WireSide::take_faults)
    }
}

/// A host with the console's device, and the device's side of it.
struct Bench {
    device: Shared,
    initiator: Initiator<'static>,
    port: CdcAcm,
}

impl Bench {
    fn new() -> Self {
        let device = Shared(Rc::new(RefCell::new(Device::new())));
        let mut host = Host::new(Box::new(device.clone()));
        host.timeout = Duration::from_millis(40);
        let initiator = Initiator::attach(host).unwrap_or_else(|error| panic!("{error}"));
        let port = initiator.device.console.expect("the device has one");
        Self { device, initiator, port }
    }

    /// Opens the port, waits until it speaks, and takes the greeting away.
    fn open(&mut self) {
        self.port.set_open(&mut self.initiator.host, true).expect("accepted");
        self.initiator.host.elapse(HOLD / 2);
        assert_eq!(self.write(b"too early"), 0, "until the port is raw, a terminal sends back what it gets");
        assert_eq!(self.drain(), b"");
        self.initiator.host.elapse(HOLD);
        let greeting = self.drain();
        let greeting = String::from_utf8_lossy(&greeting);
        assert!(greeting.starts_with("PicoVD ") && greeting.ends_with(", board 0123456789ABCDEF\r\n"), "{greeting:?}");
    }

    fn close(&mut self) {
        self.port.set_open(&mut self.initiator.host, false).expect("accepted");
    }

    fn write(&self, text: &[u8]) -> usize {
        self.device.0.borrow_mut().stick.console_mut().expect("it is there").write(text)
    }

    /// Everything that comes until the port is silent.
    fn drain(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        loop {
            match self.initiator.host.in_packet(self.port.bulk_in) {
                Ok(packet) => {
                    // A transfer that a full packet does not end would keep its text from the reader (USB 2.0 5.8.3).
                    assert!(!packet.is_empty() && packet.len() < 64, "a packet of {} bytes", packet.len());
                    text.extend(packet);
                }
                Err(TransferError::Timeout) => return text,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn well(&mut self) {
        assert_eq!(self.initiator.host.link().take_faults(), Vec::<String>::new());
    }
}

#[test]
fn nothing_is_taken_while_the_port_is_closed() {
    let mut bench = Bench::new();
    assert_eq!(bench.write(b"this is not sent"), 0);
    bench.open();
    assert_eq!(bench.write(b"hello\r\n"), 7);
    assert_eq!(bench.drain(), b"hello\r\n");
    bench.close();
    assert_eq!(bench.write(b"nor this"), 0);
    assert_eq!(bench.drain(), b"");
    bench.well();
}

/// A byte of a text of which no part repeats soon.
fn letter(at: usize) -> u8 {
    (at + at / 256 * 7) as u8
}

#[test]
fn what_is_taken_comes_out_in_order_whatever_the_pieces() {
    // Pieces of any length, none and whole packets among them; after some of them a packet is fetched.
    let piece = prop_oneof![3 => select(&[0, 1, 62, 63, 64, 65, 127][..]), 1 => 0..300_usize];
    let pieces = vec((piece, prop::bool::weighted(0.33)), 1..=400);
    let (mut written, mut refused) = (0, 0);
    Cases { count: 8, seed: 7 }.check(pieces, |pieces| {
        let mut bench = Bench::new();
        bench.open();
        let (mut taken, mut out) = (0, Vec::new());
        for (piece, fetched) in pieces {
            let text: Vec<u8> = (taken..taken + piece).map(letter).collect();
            let now = bench.write(&text);
            refused += usize::from(now < piece);
            taken += now;
            if fetched && let Ok(packet) = bench.initiator.host.in_packet(bench.port.bulk_in) {
                assert!(packet.len() < 64);
                out.extend(packet);
            }
        }
        out.extend(bench.drain());
        let text: Vec<u8> = (0..taken).map(letter).collect();
        assert!(out == text, "{taken} bytes taken, {} came out", out.len());
        written += taken;
        bench.well();
    });
    assert!(written > 20_000 && refused > 0, "{written} bytes written, {refused} refused");
}

#[test]
fn a_full_console_refuses_and_never_waits() {
    let mut bench = Bench::new();
    bench.open();
    let text = [b'x'; 1000];
    let taken = bench.write(&text);
    assert!((64..=256).contains(&taken), "{taken} bytes taken");
    assert_eq!(bench.write(&text), 0);
    assert_eq!(bench.drain().len(), taken);
    assert_eq!(bench.write(&text), taken);
    bench.well();
}

/// With one packet in the controller and others after it; both data toggles are met.
#[test]
fn who_opens_the_port_does_not_get_the_last_ones_text() {
    let mut bench = Bench::new();
    for fetched in 0..6 {
        bench.open();
        bench.write(&[b'x'; 1000]);
        for _ in 0..fetched {
            bench.initiator.host.in_packet(bench.port.bulk_in).expect("text");
            bench.write(&[b'x'; 1000]);
        }
        bench.close();
        // `open` takes the greeting and nothing else.
        bench.open();
        assert_eq!(bench.write(b"hello\r\n"), 7);
        assert_eq!(bench.drain(), b"hello\r\n", "after {fetched} packets");
        bench.close();
        bench.well();
    }
}

/// What was sent and not read belongs to the session, too.
#[test]
fn who_opens_the_port_does_not_speak_for_the_last_one() {
    let mut bench = Bench::new();
    bench.open();
    bench.device.0.borrow_mut().reads = false;
    bench.initiator.host.out_packet(bench.port.bulk_out, b"rm -r").expect("taken");
    bench.close();
    bench.device.0.borrow_mut().reads = true;
    bench.open();
    bench.initiator.host.out_packet(bench.port.bulk_out, b"hello\r\n").expect("taken");
    assert_eq!(bench.device.0.borrow().input, b"hello\r\n");
    bench.well();
}

/// SET_CONFIGURATION takes the port back to what it is after a reset (USB 2.0 9.1.1.5): closed.
#[test]
fn a_new_configuration_ends_the_session() {
    let mut bench = Bench::new();
    for fetched in 0..3 {
        bench.open();
        bench.write(&[b'x'; 1000]);
        for _ in 0..fetched {
            bench.initiator.host.in_packet(bench.port.bulk_in).expect("text");
            bench.write(&[b'x'; 1000]);
        }
        let value = u16::from(bench.initiator.device.configuration.value);
        let request = Request { request_type: 0, request: 9, value, index: 0, length: 0 };
        bench.initiator.host.control_out(request, &[]).expect("accepted");
        bench.initiator.host.reset_toggles();
        assert_eq!(bench.write(b"this is not sent"), 0);
        assert_eq!(bench.drain(), b"");
        bench.open();
        bench.close();
        bench.well();
    }
}

#[test]
fn text_written_in_suspend_waits_for_resume() {
    let mut bench = Bench::new();
    bench.open();
    bench.initiator.host.suspend();
    assert_eq!(bench.write(b"good morning\r\n"), 14);
    bench.initiator.host.elapse(Duration::from_millis(10));
    bench.well();
    bench.initiator.host.resume();
    bench.initiator.host.elapse(Duration::from_millis(20));
    assert_eq!(bench.drain(), b"good morning\r\n");
    bench.well();
}

#[test]
fn a_bus_reset_closes_the_port_and_drops_its_text() {
    let mut bench = Bench::new();
    bench.open();
    bench.write(&[b'x'; 1000]);
    bench.initiator.enumerate_again().expect("it comes back");
    assert_eq!(bench.write(b"this is not sent"), 0);
    assert_eq!(bench.drain(), b"");
    bench.open();
    bench.well();
}

#[test]
fn what_the_host_sends_is_read_in_order() {
    let length = prop_oneof![6 => select(&[0, 1, 63, 64, 65, 128][..]), 1 => 0..200_usize];
    Cases { count: 8, seed: 11 }.check(vec(length, 1..=50), |lengths| {
        let mut bench = Bench::new();
        let mut sent = Vec::new();
        for length in lengths {
            let text: Vec<u8> = (sent.len()..sent.len() + length).map(letter).collect();
            bench.initiator.host.bulk_out(bench.port.bulk_out, &text).expect("taken");
            sent.extend(text);
        }
        let read = std::mem::take(&mut bench.device.0.borrow_mut().input);
        assert!(read == sent, "{} bytes sent, {} read", sent.len(), read.len());
        bench.well();
    });
}

#[test]
fn a_host_waits_for_a_reader_and_loses_nothing() {
    let mut bench = Bench::new();
    bench.device.0.borrow_mut().reads = false;
    let text: Vec<u8> = (0..=255).collect();
    // The endpoint takes a packet, and the next one only when it is read.
    let sent = bench.initiator.host.bulk_out(bench.port.bulk_out, &text).expect_err("nothing reads it");
    assert_eq!(sent, (64, TransferError::Timeout));
    bench.device.0.borrow_mut().reads = true;
    bench.initiator.host.bulk_out(bench.port.bulk_out, &text[64..]).expect("it is read");
    assert_eq!(bench.device.0.borrow().input, text);
    bench.well();
}
