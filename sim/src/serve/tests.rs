//! Both protocols with the library's device, tested by a client written from the documents that shares no code with them.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use picovd_property::Cases;
use proptest::collection::vec;
use proptest::prelude::*;

use super::bus::Bus;
use super::front::{Front, Verdict};
use super::usbredir::Usbredir;
use super::{ListenAddress, Options, come_up, run};
use crate::link::Link;

fn device() -> Box<dyn Link> {
    crate::plug::open(None, None).unwrap().link
}

fn command_wrapper(tag: u8, length: u32, block: &[u8]) -> Vec<u8> {
    let mut wrapper = b"USBC".to_vec();
    wrapper.extend([tag, 0, 0, 0]);
    wrapper.extend(length.to_le_bytes());
    wrapper.extend([0x80, 0, block.len() as u8]);
    wrapper.extend(block);
    wrapper.resize(31, 0);
    wrapper
}

const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];
/// A page that does not exist: the command is refused, and the data pipe halts.
const NO_PAGE: [u8; 6] = [0x12, 1, 0xB0, 0, 36, 0];

/// A virtual machine's end of usbredir, with 64-bit ids and 32-bit lengths.
struct Guest {
    front: Usbredir,
    bus: Bus,
    got: VecDeque<(u32, u64, Vec<u8>)>,
    wide: bool,
    buffer: Vec<u8>,
}

impl Guest {
    fn new() -> Self {
        let mut guest = Self {
            front: Usbredir::default(),
            bus: Bus::new(device()),
            got: VecDeque::new(),
            wide: false,
            buffer: Vec::new(),
        };
        guest.front.greet(&mut guest.buffer);
        guest.take_apart();
        let (kind, _, body) = guest.got.pop_front().unwrap();
        assert_eq!((kind, body.len()), (0, 68), "a hello with one word of capabilities");
        let mut hello = vec![0; 64];
        hello.extend([0xFF, 0, 0, 0]);
        guest.send(0, 0, &hello);
        guest.wide = true;
        guest.take_apart();
        let kinds: Vec<u32> = guest.got.drain(..).map(|(kind, _, _)| kind).collect();
        assert_eq!(kinds, [5, 4, 1], "endpoints, interfaces, connect");
        guest.send(6, 1, &[1]);
        assert_eq!(guest.wait_for(8, 1), [0, 1], "the configuration is set");
        guest
    }

    fn send(&mut self, kind: u32, id: u64, body: &[u8]) {
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((body.len() as u32).to_le_bytes());
        bytes.extend(if self.wide { id.to_le_bytes().to_vec() } else { (id as u32).to_le_bytes().to_vec() });
        bytes.extend(body);
        let mut pieces = bytes.chunks(5);
        loop {
            let verdict = self.front.receive(pieces.next().unwrap_or(&[]), &mut self.bus, &mut self.buffer).unwrap();
            match verdict {
                Verdict::Claim => {
                    come_up(&mut self.bus).unwrap();
                    assert!(self.front.plug(&self.bus, &mut self.buffer));
                    return;
                }
                Verdict::Stay if pieces.len() == 0 => return,
                _ => {}
            }
        }
    }

    fn take_apart(&mut self) {
        let head = if self.wide { 16 } else { 12 };
        while self.buffer.len() >= head {
            let word = |at: usize| u32::from_le_bytes(self.buffer[at..at + 4].try_into().unwrap());
            let (kind, length, id) = (word(0), word(4) as usize, u64::from(word(8)));
            let body = self.buffer.drain(..head + length).skip(head).collect();
            self.got.push_back((kind, id, body));
        }
    }

    fn turn(&mut self) {
        if !self.bus.run() {
            self.bus.elapse(Duration::from_micros(100));
        }
        for completion in self.bus.take_ended() {
            self.front.complete(&completion, &mut self.bus, &mut self.buffer);
        }
        self.take_apart();
    }

    fn wait_for(&mut self, kind: u32, id: u64) -> Vec<u8> {
        for _ in 0..10_000 {
            if let Some(place) = self.got.iter().position(|(k, i, _)| (*k, *i) == (kind, id)) {
                return self.got.remove(place).unwrap().2;
            }
            self.turn();
        }
        panic!("no message {kind} with id {id}; there are {:?}", self.got);
    }

    fn bulk(&mut self, id: u64, endpoint: u8, length: usize, data: &[u8]) {
        let length = (length as u32).to_le_bytes();
        let mut body = vec![endpoint, 0, length[0], length[1], 0, 0, 0, 0, length[2], length[3]];
        body.extend(data);
        self.send(101, id, &body);
    }

    /// The addresses of the bulk endpoints: IN, OUT.
    fn pipes(&self) -> (u8, u8) {
        let endpoints = &self.bus.configuration().endpoints;
        let of = |bit: u8| endpoints.iter().find(|e| e.address & 0x80 == bit).unwrap().address;
        (of(0x80), of(0))
    }

    fn control(&mut self, id: u64, setup: [u8; 8]) -> Vec<u8> {
        let [request_type, request, rest @ ..] = setup;
        let mut body = vec![request_type & 0x80, request, request_type, 0];
        body.extend(rest);
        self.send(100, id, &body);
        self.wait_for(100, id)
    }
}

#[test]
fn a_guest_inquires_with_short_packets_and_stalls() {
    let mut guest = Guest::new();
    let (pipe_in, pipe_out) = guest.pipes();
    for round in 0..4 {
        let id = 100 + round * 20;
        guest.bulk(id, pipe_out, 31, &command_wrapper(1, 36, &INQUIRY));
        assert_eq!(guest.wait_for(101, id)[1..4], [0, 31, 0]);
        // More is requested than sent: a short packet ends the transfer, and the status waits for the next one.
        guest.bulk(id + 1, pipe_in, 4096, &[]);
        guest.bulk(id + 2, pipe_in, 13, &[]);
        let answer = guest.wait_for(101, id + 1);
        assert_eq!((answer[1], answer[2], answer.len()), (0, 36, 46));
        let status = guest.wait_for(101, id + 2);
        assert_eq!((&status[10..14], status[22]), (&b"USBS"[..], 0));

        guest.bulk(id + 3, pipe_out, 31, &command_wrapper(2, 36, &NO_PAGE));
        guest.wait_for(101, id + 3);
        guest.bulk(id + 4, pipe_in, 36, &[]);
        assert_eq!(guest.wait_for(101, id + 4)[1..4], [4, 0, 0], "a stall without data");
        let cleared = guest.control(id + 5, [0x02, 1, 0, 0, pipe_in, 0, 0, 0]);
        assert_eq!(cleared[3], 0);
        guest.bulk(id + 6, pipe_in, 13, &[]);
        assert_eq!(guest.wait_for(101, id + 6)[22], 1, "after the halt the status arrives: command failed");
    }
}

#[test]
fn a_waiting_pipe_holds_up_nobody_and_can_be_cancelled() {
    let mut guest = Guest::new();
    let (pipe_in, pipe_out) = guest.pipes();
    // No command is pending: the device has nothing to send.
    guest.bulk(200, pipe_in, 64, &[]);
    let descriptor = guest.control(201, [0x80, 6, 0, 1, 0, 0, 18, 0]);
    assert_eq!((descriptor[3], descriptor.len()), (0, 28));
    let refused = guest.control(202, [0x80, 6, 0, 6, 0, 0, 10, 0]);
    assert_eq!(refused[3], 4, "a full-speed device has no qualifier");
    guest.send(21, 200, &[]);
    assert_eq!(guest.wait_for(101, 200)[1], 1, "cancelled");
    guest.bulk(203, pipe_out, 31, &command_wrapper(1, 36, &INQUIRY));
    guest.bulk(204, pipe_in, 36, &[]);
    assert_eq!(guest.wait_for(101, 204).len(), 46, "nothing of the cancelled transfer remains");
    // An endpoint that does not exist, and a length that does not fit its data.
    guest.bulk(205, 0x8F, 64, &[]);
    assert_eq!(guest.wait_for(101, 205)[1], 2);
    guest.bulk(206, pipe_out, 31, &[0; 30]);
    assert_eq!(guest.wait_for(101, 206)[1], 2);
}

#[test]
fn a_reset_arrives_on_the_bus() {
    let mut guest = Guest::new();
    let (pipe_in, pipe_out) = guest.pipes();
    guest.bulk(300, pipe_out, 31, &command_wrapper(1, 36, &INQUIRY));
    guest.wait_for(101, 300);
    guest.send(3, 0, &[]);
    assert_eq!(guest.control(301, [0x80, 8, 0, 0, 0, 0, 1, 0]).last(), Some(&0), "not configured any more");
    guest.send(6, 302, &[1]);
    guest.wait_for(8, 302);
    guest.bulk(303, pipe_out, 31, &command_wrapper(2, 36, &INQUIRY));
    guest.bulk(304, pipe_in, 36, &[]);
    assert_eq!(guest.wait_for(101, 304).len(), 46, "the command from before the reset is forgotten");
}

#[test]
fn a_device_that_leaves_comes_back_when_its_parting_is_acknowledged() {
    let mut guest = Guest::new();
    assert!(guest.front.unplug(&mut guest.buffer));
    guest.wait_for(2, 0);
    assert!(!guest.front.plug(&guest.bus, &mut guest.buffer), "the other end has not yet seen it go");
    // Messages that crossed the disconnect are about the old device.
    guest.bulk(400, guest.pipes().0, 64, &[]);
    guest.send(24, 0, &[]);
    assert!(guest.front.plug(&guest.bus, &mut guest.buffer));
    guest.wait_for(1, 0);
    assert!(guest.got.iter().all(|(kind, ..)| [4, 5].contains(kind)), "{:?}", guest.got);
    guest.send(6, 401, &[1]);
    assert_eq!(guest.wait_for(8, 401), [0, 1]);
}

#[test]
fn rubbish_ends_the_connection_and_nothing_else() {
    // Half of them pass the check of the length.
    let hello = prop::option::of((0..110_u8, 0..40_u8));
    Cases { count: 2000, seed: 6 }.check((vec(any::<u8>(), 0..=400), hello), |(mut bytes, hello)| {
        let mut front = Usbredir::default();
        let mut bus = Bus::new(device_once());
        if let Some((kind, length)) = hello {
            bytes.resize(bytes.len().max(200), 0);
            bytes[0..12].copy_from_slice(&[0, 0, 0, 0, 68, 0, 0, 0, 0, 0, 0, 0]);
            bytes[80..88].copy_from_slice(&[kind, 0, 0, 0, length, 0, 0, 0]);
        }
        let mut out = Vec::new();
        let mut input = &bytes[..];
        while let Ok(verdict) = front.receive(input, &mut bus, &mut out) {
            input = &[];
            match verdict {
                Verdict::Stay => break,
                Verdict::Claim => drop(front.plug(&bus, &mut out)),
                _ => {}
            }
        }
    });
}

/// A port with nothing in it.
fn device_once() -> Box<dyn Link> {
    struct Nothing;
    impl Link for Nothing {
        fn attached(&mut self) -> bool {
            false
        }
        fn bus_reset(&mut self) {}
        fn setup(&mut self, _: u8, _: [u8; 8]) -> crate::link::OutReply {
            crate::link::OutReply::Silent
        }
        fn out(&mut self, _: u8, _: u8, _: crate::link::Pid, _: &[u8]) -> crate::link::OutReply {
            crate::link::OutReply::Silent
        }
        fn r#in(&mut self, _: u8, _: u8, _: bool) -> crate::link::InReply {
            crate::link::InReply::Silent
        }
        fn suspend(&mut self) {}
        fn resume(&mut self) {}
        fn replug(&mut self) {}
        fn elapse(&mut self, _: Duration) {}
        fn now(&self) -> Duration {
            Duration::ZERO
        }
    }
    Box::new(Nothing)
}

/// USB/IP over a real socket: list, import, transfers, unlink, and the next client after the first one has gone.
#[test]
fn usbip_lists_imports_and_unlinks() {
    let address: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = Options { usbip: Some(ListenAddress::Tcp(address)), ..Options::default() };
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let server = thread::spawn(move || {
        let mut log = Vec::new();
        run(device(), &options, &flag, &mut log).map(|()| String::from_utf8(log).unwrap())
    });
    let connect = || {
        for _ in 0..500 {
            if let Ok(stream) = TcpStream::connect(address) {
                stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                return stream;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("there is no listener on {address}");
    };
    let mut list = connect();
    list.write_all(&[1, 0x11, 0x80, 5, 0, 0, 0, 0]).unwrap();
    let mut answer = Vec::new();
    list.read_to_end(&mut answer).unwrap();
    assert_eq!(answer[..12], [1, 0x11, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(answer[0x134..0x138], [0, 0, 0, 2], "full speed");
    assert_eq!(answer.len(), 0x144 + 4 * usize::from(answer[0x143]));
    assert_eq!(answer[0x144..0x147], [8, 6, 0x50], "mass storage, SCSI, Bulk-Only");

    for _ in 0..2 {
        let mut client = connect();
        let mut import = vec![1, 0x11, 0x80, 3, 0, 0, 0, 0];
        import.extend(b"1-1");
        import.resize(40, 0);
        client.write_all(&import).unwrap();
        let mut answer = [0; 8 + 312];
        client.read_exact(&mut answer).unwrap();
        assert_eq!(answer[..8], [1, 0x11, 0, 3, 0, 0, 0, 0]);

        // A second client is refused while the first has the device.
        let mut second = connect();
        second.write_all(&import).unwrap();
        let mut refusal = Vec::new();
        second.read_to_end(&mut refusal).unwrap();
        assert_eq!(refusal, [1, 0x11, 0, 3, 0, 0, 0, 1]);

        let submit = |client: &mut TcpStream, number: u32, input: bool, endpoint: u32, length: u32, setup: [u8; 8]| {
            let words = [1, number, 0x1_0002, u32::from(input), endpoint, 0, length, 0, u32::MAX, 0];
            let mut message: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            message.extend(setup);
            client.write_all(&message).unwrap();
        };
        let answer = |client: &mut TcpStream| -> ([u32; 8], Vec<u8>) {
            let mut header = [0; 48];
            client.read_exact(&mut header).unwrap();
            let word = |at: usize| u32::from_be_bytes(header[at * 4..at * 4 + 4].try_into().unwrap());
            let words: [u32; 8] = std::array::from_fn(word);
            let mut data = vec![0; if words[0] == 3 { words[6] as usize } else { 0 }];
            client.read_exact(&mut data).unwrap();
            (words, data)
        };
        submit(&mut client, 1, false, 0, 0, [0, 9, 1, 0, 0, 0, 0, 0]);
        assert_eq!(answer(&mut client).0[..2], [3, 1]);
        // A bulk IN without data waits; a control transfer overtakes it; then it is unlinked.
        submit(&mut client, 2, true, 1, 64, [0; 8]);
        submit(&mut client, 3, true, 0, 18, [0x80, 6, 0, 1, 0, 0, 18, 0]);
        let (words, data) = answer(&mut client);
        assert_eq!((words[1], words[5], data.len(), data[1]), (3, 0, 18, 1));
        submit(&mut client, 4, true, 0, 10, [0x80, 6, 0, 6, 0, 0, 10, 0]);
        assert_eq!(answer(&mut client).0[1..6], [4, 0, 0, 0, (-32_i32).cast_unsigned()], "EPIPE");
        for (number, expected) in [(5, -104_i32), (6, 0)] {
            let mut unlink: Vec<u8> =
                [2, number, 0x1_0002, 0, 0, 2].iter().flat_map(|w: &u32| w.to_be_bytes()).collect();
            unlink.resize(48, 0);
            client.write_all(&unlink).unwrap();
            let words = answer(&mut client).0;
            assert_eq!((words[0], words[1], words[5].cast_signed()), (4, number, expected));
        }
        drop(client);
        // The server notices it a little later.
        thread::sleep(Duration::from_millis(200));
    }
    stop.store(true, Ordering::Relaxed);
    let log = server.join().unwrap().unwrap();
    assert!(log.contains("usbip") && log.contains("attach --remote=127.0.0.1 --busid=1-1"), "{log}");
}
