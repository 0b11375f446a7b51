//! A strict command set on a strict wire: endpoints hold one packet, halts are obeyed, and every contradiction panics.

extern crate std;

mod hosts;
mod padding;

use std::vec::Vec;

use super::{Cbw, CommandSet, Csw, Direction, Halts, Intent, PACKET_LENGTH, Transport, case};

/// A command set that does what the test says, and checks that the transport obeys the trait's contract.
#[derive(Default)]
struct Script {
    intent: Option<Intent>,
    fails: bool,
    running: Option<Intent>,
    moved: u64,
    begun: Vec<(u8, Vec<u8>)>,
    taken: Vec<u8>,
    resets: Vec<bool>,
}

impl Script {
    fn new(intent: Intent) -> Self {
        Self { intent: Some(intent), ..Self::default() }
    }

    fn account(&mut self, length: usize) {
        assert!(self.running.is_some(), "data without a command");
        assert!((1..65).contains(&length), "a piece of {length} bytes");
        self.moved += length as u64;
    }
}

impl CommandSet for Script {
    fn max_lun(&self) -> u8 {
        3
    }

    fn begin(&mut self, lun: u8, cdb: &[u8]) -> Intent {
        assert!(self.running.is_none(), "begin without end");
        assert!((1..17).contains(&cdb.len()));
        self.moved = 0;
        self.taken.clear();
        self.begun.push((lun, cdb.to_vec()));
        self.running = self.intent;
        self.intent.expect("a command that the test does not expect")
    }

    fn data_in(&mut self, packet: &mut [u8]) {
        for (at, byte) in (self.moved..).zip(packet.iter_mut()) {
            *byte = pattern(at);
        }
        self.account(packet.len());
        assert!(matches!(self.running, Some(Intent::In(length)) if self.moved <= length));
    }

    fn data_out(&mut self, packet: &[u8]) {
        self.account(packet.len());
        self.taken.extend_from_slice(packet);
        assert!(matches!(self.running, Some(Intent::Out(length)) if self.moved <= length));
    }

    fn end(&mut self) -> bool {
        assert!(self.running.take().is_some(), "end without begin");
        !self.fails
    }

    fn reset(&mut self) {
        self.running = None;
        self.resets.push(false);
    }

    fn bus_reset(&mut self) {
        self.running = None;
        self.resets.push(true);
    }
}

fn pattern(at: u64) -> u8 {
    (at * 7 + at / 251) as u8
}

fn patterned(length: u64) -> Vec<u8> {
    (0..length).map(pattern).collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    Data(Vec<u8>),
    Ack,
    Nak,
    Stall,
}

/// Two endpoints of one packet each, with the driver and the state machine, and what a host can do on the bus.
struct Bench<const HALTS: bool = true> {
    transport: Transport<HALTS>,
    set: Script,
    bulk_in: Option<Vec<u8>>,
    bulk_out: Option<Vec<u8>>,
    halted: Halts,
}

/// What the host has seen of a command.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    data: Vec<u8>,
    halts: Halts,
    tag: u32,
    residue: u32,
    status: u8,
}

impl Bench {
    fn new(intent: Intent) -> Self {
        Self::of(Transport::new(), intent)
    }
}

impl<const HALTS: bool> Bench<HALTS> {
    fn of(transport: Transport<HALTS>, intent: Intent) -> Self {
        Self { transport, set: Script::new(intent), bulk_in: None, bulk_out: None, halted: Halts::default() }
    }

    /// The driver's loop, until there is nothing left to do.
    fn poll(&mut self) {
        loop {
            let mut moved = false;
            if self.transport.wants_packet()
                && let Some(packet) = self.bulk_out.take()
            {
                self.transport.receive(&packet, &mut self.set);
                moved = true;
            }
            moved |= self.poll_in();
            if !moved {
                return;
            }
        }
    }

    fn poll_in(&mut self) -> bool {
        let mut moved = false;
        if self.bulk_in.is_none() {
            let mut packet = [0xEE; PACKET_LENGTH];
            if let Some(length) = self.transport.transmit(&mut packet, &mut self.set) {
                assert!(!self.halted.bulk_in, "a packet for a halted endpoint");
                assert!((1..65).contains(&length), "an empty packet");
                self.bulk_in = Some(packet[..length].to_vec());
                moved = true;
            }
        }
        let halts = self.transport.halts();
        assert!(HALTS || halts == Halts::default(), "a halt that is impossible");
        if halts.bulk_in && !self.halted.bulk_in {
            assert!(self.bulk_in.is_none(), "the halt swallows a packet");
        }
        self.halted = halts;
        moved
    }

    fn host_out(&mut self, packet: &[u8]) -> Reply {
        if self.halted.bulk_out {
            return Reply::Stall;
        }
        if self.bulk_out.is_some() {
            return Reply::Nak;
        }
        self.bulk_out = Some(packet.to_vec());
        self.poll();
        Reply::Ack
    }

    fn host_in(&mut self) -> Reply {
        if self.halted.bulk_in {
            return Reply::Stall;
        }
        let reply = self.bulk_in.take().map_or(Reply::Nak, Reply::Data);
        self.poll();
        reply
    }

    /// CLEAR_FEATURE(ENDPOINT_HALT).
    fn clear(&mut self, direction: Direction) -> bool {
        let cleared = self.transport.halt_cleared(direction);
        if cleared && direction == Direction::In {
            // USB 2.0 9.4.5: no stale packet may survive.
            assert!(self.bulk_in.is_none() || !self.halted.bulk_in);
        }
        self.halted = self.transport.halts();
        self.poll();
        cleared
    }

    fn bulk_only_reset(&mut self) {
        self.transport.bulk_only_reset(&mut self.set);
        (self.bulk_in, self.bulk_out) = (None, None);
        self.poll();
    }

    fn bus_reset(&mut self) {
        self.transport.bus_reset(&mut self.set);
        (self.bulk_in, self.bulk_out) = (None, None);
        self.halted = self.transport.halts();
        self.poll();
    }

    /// BOT 5.3.4.
    fn reset_recovery(&mut self) {
        self.bulk_only_reset();
        assert!(self.clear(Direction::In));
        assert!(self.clear(Direction::Out));
    }

    /// A command as BOT 5.3 and 6.7 require it from a host.
    fn run(&mut self, host: Intent) -> Seen {
        assert_eq!(self.host_out(&cbw(0x1234_5678, host)), Reply::Ack);
        self.finish(host)
    }

    fn finish(&mut self, host: Intent) -> Seen {
        let mut seen = Seen { data: Vec::new(), halts: Halts::default(), tag: 0, residue: 0, status: 0 };
        match host {
            Intent::In(length) => {
                while (seen.data.len() as u64) < length {
                    match self.host_in() {
                        Reply::Data(packet) => {
                            seen.data.extend_from_slice(&packet);
                            if packet.len() < PACKET_LENGTH {
                                break;
                            }
                        }
                        Reply::Stall => {
                            seen.halts.bulk_in = true;
                            assert!(self.clear(Direction::In));
                            break;
                        }
                        reply => panic!("the data stage hangs: {reply:?}"),
                    }
                }
            }
            Intent::Out(length) => {
                for packet in patterned(length).chunks(PACKET_LENGTH) {
                    match self.host_out(packet) {
                        Reply::Ack => {}
                        Reply::Stall => {
                            seen.halts.bulk_out = true;
                            assert!(self.clear(Direction::Out));
                            break;
                        }
                        reply => panic!("the data stage hangs: {reply:?}"),
                    }
                }
            }
            Intent::None => {}
        }
        let mut reply = self.host_in();
        if reply == Reply::Stall {
            // BOT 6.5, figure 2: retry once.
            assert!(!seen.halts.bulk_in, "two halts in one command");
            seen.halts.bulk_in = true;
            assert!(self.clear(Direction::In));
            reply = self.host_in();
        }
        let Reply::Data(csw) = reply else { panic!("no CSW but {reply:?}") };
        assert_eq!(csw.len(), Csw::LENGTH);
        assert_eq!(csw[..4], *b"USBS");
        seen.tag = u32::from_le_bytes(csw[4..8].try_into().unwrap());
        seen.residue = u32::from_le_bytes(csw[8..12].try_into().unwrap());
        seen.status = csw[12];
        assert!(self.set.running.is_none(), "the command was not ended");
        assert_eq!(self.host_in(), Reply::Nak, "something follows the CSW");
        assert!(self.transport.is_idle());
        seen
    }

    /// Asserts that a command works as on a new device.
    fn assert_works(&mut self) {
        self.set.intent = Some(Intent::In(100));
        self.set.fails = false;
        let seen = self.run(Intent::In(100));
        assert_eq!((seen.data, seen.residue, seen.status), (patterned(100), 0, 0));
    }
}

fn cbw(tag: u32, host: Intent) -> Vec<u8> {
    let (flags, length) = match host {
        Intent::None => (0x80, 0),
        Intent::In(length) => (0x80, length),
        Intent::Out(length) => (0x00, length),
    };
    let mut bytes = b"USBC".to_vec();
    bytes.extend_from_slice(&tag.to_le_bytes());
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
    bytes.extend_from_slice(&[flags, 0, 6]);
    bytes.extend_from_slice(&[0; 16]);
    bytes
}

const IN: fn(u64) -> Intent = Intent::In;
const OUT: fn(u64) -> Intent = Intent::Out;

#[test]
fn cases_are_those_of_the_standard() {
    let table = [
        (Intent::None, Intent::None, 1),
        (Intent::None, IN(512), 2),
        (Intent::None, OUT(512), 3),
        (IN(512), Intent::None, 4),
        (IN(512), IN(36), 5),
        (IN(512), IN(512), 6),
        (IN(36), IN(512), 7),
        (IN(512), OUT(512), 8),
        (OUT(512), Intent::None, 9),
        (OUT(512), IN(512), 10),
        (OUT(512), OUT(36), 11),
        (OUT(512), OUT(512), 12),
        (OUT(36), OUT(512), 13),
        // A length of 0 means no data.
        (IN(0), OUT(0), 1),
        (IN(512), IN(0), 4),
        (OUT(512), IN(0), 9),
        (OUT(0), IN(1), 2),
        // Device lengths beyond the 32 bits of the CBW.
        (IN(0xFFFF_FFFF), IN(0x1_0000_0000), 7),
    ];
    for (host, device, expected) in table {
        assert_eq!(case(host, device), expected, "{host:?} {device:?}");
    }
}

/// bCSWStatus and the number of bytes transferred, by BOT 6.7 and the choices that `conduct` documents.
fn expected(host: Intent, device: Intent) -> (u8, u64) {
    match (host, device) {
        (_, Intent::None) => (0, 0),
        (Intent::In(host), Intent::In(device)) if host < device => (2, host),
        (Intent::In(_), Intent::In(device)) => (0, device),
        (Intent::Out(host), Intent::Out(device)) if host >= device => (0, device),
        _ => (2, 0),
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn thirteen_cases_on_the_wire() {
    const LENGTHS: [u64; 12] = [1, 13, 31, 63, 64, 65, 100, 127, 128, 129, 512, 1000];
    let mut intents = std::vec![Intent::None];
    intents.extend(LENGTHS.map(Intent::In));
    intents.extend(LENGTHS.map(Intent::Out));
    let mut seen_cases = [0; 14];

    for &host in &intents {
        for &device in &intents {
            for fails in [false, true] {
                let mut bench = Bench::new(device);
                bench.set.fails = fails;
                let seen = bench.run(host);
                let what = std::format!("case {}: {host:?} {device:?}", case(host, device));

                let (status, moved) = expected(host, device);
                let status = if status == 0 && fails { 1 } else { status };
                let (length, is_in) = match host {
                    Intent::None => (0, false),
                    Intent::In(length) => (length, true),
                    Intent::Out(length) => (length, false),
                };
                assert_eq!(seen.tag, 0x1234_5678, "{what}");
                assert_eq!(seen.status, status, "{what}");
                assert_eq!(u64::from(seen.residue), length - moved, "{what}");
                assert_eq!(seen.data, patterned(if is_in { moved } else { 0 }), "{what}");
                assert_eq!(bench.set.taken, patterned(if is_in { 0 } else { moved }), "{what}");
                // If the host expects more than that, a halt follows; a last OUT packet is accepted.
                let left = length.saturating_sub(moved.div_ceil(64) * 64);
                let halts = Halts { bulk_in: is_in && moved < length, bulk_out: !is_in && left > 64 };
                assert_eq!(seen.halts, halts, "{what}");
                seen_cases[usize::from(case(host, device))] += 1;
                bench.assert_works();
            }
        }
    }
    assert!(seen_cases[1..].iter().all(|&count| count > 0), "{seen_cases:?}");
}

#[test]
fn intents_are_cut_to_the_hosts_length() {
    let mut bench = Bench::new(IN(u64::MAX));
    let seen = bench.run(IN(130));
    assert_eq!((seen.data, seen.residue, seen.status), (patterned(130), 0, 2));
    // A length of 0 in the direction the host expects means no data.
    let mut bench = Bench::new(IN(0));
    let seen = bench.run(IN(64));
    assert_eq!((seen.residue, seen.status, seen.halts.bulk_in), (64, 0, true));
}

#[test]
fn invalid_wrappers_halt_until_reset_recovery() {
    let good = cbw(1, IN(100));
    let mut invalid: Vec<Vec<u8>> = [0, 1, 13, 30].iter().map(|&length| good[..length].to_vec()).collect();
    invalid.push([&good[..], &[0]].concat());
    invalid.push(std::vec![0x55; 64]);
    for at in 0..4 {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        invalid.push(bad);
    }
    for packet in invalid {
        for bus in [false, true] {
            let mut bench = Bench::new(IN(100));
            assert_eq!(bench.host_out(&packet), Reply::Ack);
            for _ in 0..3 {
                assert_eq!(bench.host_in(), Reply::Stall);
                assert_eq!(bench.host_out(&good), Reply::Stall);
                assert!(!bench.clear(Direction::In), "clearing the halt does not help");
                assert!(!bench.clear(Direction::Out), "clearing the halt does not help");
            }
            assert!(bench.set.begun.is_empty());
            if bus {
                bench.bus_reset();
            } else {
                bench.bulk_only_reset();
                // BOT 3.1: the reset itself clears no halt.
                assert_eq!(bench.host_in(), Reply::Stall);
                assert_eq!(bench.host_out(&good), Reply::Stall);
                bench.reset_recovery();
            }
            bench.assert_works();
        }
    }
}

#[test]
fn an_invalid_wrapper_after_a_status_does_not_cut_it_off() {
    let mut bench = Bench::new(Intent::None);
    assert_eq!(bench.host_out(&cbw(9, Intent::None)), Reply::Ack);
    assert_eq!(bench.host_out(&[1, 2, 3]), Reply::Ack);
    assert!(matches!(bench.host_in(), Reply::Data(csw) if csw.len() == 13));
    assert_eq!(bench.host_in(), Reply::Stall);
}

#[test]
fn wrappers_that_are_not_meaningful_get_a_phase_error() {
    for host in [Intent::None, IN(512), OUT(512), OUT(10)] {
        for (at, value) in [(12, 0x40), (12, 0x81), (13, 0x10), (13, 0x80), (14, 0), (14, 17), (14, 0x26), (14, 0xFF)] {
            let mut packet = cbw(0x1234_5678, host);
            packet[at] = if at == 12 { packet[at] | value } else { value };
            assert!(!Cbw::parse(&packet).unwrap().is_meaningful(15));
            let host = if at == 12 && value & 0x80 != 0 && host != Intent::None { IN(0) } else { host };
            let mut bench = Bench::new(Intent::None);
            bench.set.intent = None;
            assert_eq!(bench.host_out(&packet), Reply::Ack);
            let seen = bench.finish(host);
            assert_eq!(seen.status, 2);
            assert_eq!(seen.residue, u32::from_le_bytes(packet[8..12].try_into().unwrap()));
            bench.assert_works();
        }
    }
}

#[test]
fn any_unit_number_reaches_the_command_set() {
    for lun in 0..16 {
        let mut packet = cbw(1, IN(5));
        packet[13] = lun;
        packet[14] = lun + 1;
        packet[15..31].copy_from_slice(&patterned(16));
        let wrapper = Cbw::parse(&packet).unwrap();
        assert_eq!((wrapper.lun(), wrapper.is_meaningful(3)), (lun, lun < 4));
        let mut bench = Bench::new(IN(5));
        assert_eq!(bench.host_out(&packet), Reply::Ack);
        assert_eq!(bench.finish(IN(5)).status, 0);
        assert_eq!(bench.set.begun, [(lun, patterned(u64::from(lun) + 1))]);
        assert_eq!(bench.transport.max_lun(&bench.set), 3);
    }
}

#[test]
fn data_sent_before_the_host_could_see_the_halt_is_no_command() {
    // A refused write: the first data packet is in the endpoint before the driver has seen the CBW. It must not matter what
    // the driver checks first, or when the host clears the halt.
    for (length, order) in [1, 64, 65, 128, 512].into_iter().flat_map(|length| [(length, 0), (length, 1), (length, 2)])
    {
        let mut bench = Bench::new(Intent::None);
        bench.set.fails = true;
        let data = patterned(length);
        let mut packets = data.chunks(64);
        bench.transport.receive(&cbw(1, OUT(length)), &mut bench.set);
        bench.bulk_out = packets.next().map(<[u8]>::to_vec);
        bench.halted = bench.transport.halts();
        match order {
            0 => bench.poll(),
            // The status is put into the IN endpoint before the OUT endpoint is checked.
            1 => drop(bench.poll_in()),
            // The IN endpoint is not empty yet.
            _ => {
                assert!(bench.transport.wants_packet());
                let packet = bench.bulk_out.take().unwrap();
                bench.transport.receive(&packet, &mut bench.set);
            }
        }
        let mut refused = false;
        for packet in packets {
            refused |= bench.host_out(packet) == Reply::Stall;
        }
        assert_eq!(refused, length > 64);
        if refused {
            if order == 1 {
                bench.poll();
            }
            assert!(bench.clear(Direction::Out));
        }
        bench.poll();
        let seen = bench.finish(Intent::None);
        assert_eq!((u64::from(seen.residue), seen.status), (length, 1));
        bench.assert_works();
    }
}

#[test]
fn the_status_does_not_wait_for_a_cleared_out_halt() {
    let mut bench = Bench::new(Intent::None);
    assert_eq!(bench.host_out(&cbw(1, OUT(4096))), Reply::Ack);
    assert!(matches!(bench.host_in(), Reply::Data(csw) if csw.len() == 13 && csw[12] == 0));
    assert_eq!(bench.host_out(&cbw(2, IN(100))), Reply::Stall);
    assert!(bench.clear(Direction::Out));
    bench.assert_works();
}

#[test]
fn the_status_waits_for_a_cleared_in_halt() {
    let mut bench = Bench::new(IN(64));
    assert_eq!(bench.host_out(&cbw(1, IN(192))), Reply::Ack);
    assert_eq!(bench.host_in(), Reply::Data(patterned(64)));
    for _ in 0..3 {
        assert_eq!(bench.host_in(), Reply::Stall);
    }
    assert!(bench.clear(Direction::Out), "the other endpoint's halt does not matter");
    assert_eq!(bench.host_in(), Reply::Stall);
    assert!(bench.clear(Direction::In));
    assert!(matches!(bench.host_in(), Reply::Data(csw) if csw[8] == 128 && csw[12] == 0));
}

#[test]
fn data_that_ends_early_is_a_phase_error() {
    for (sent, status) in [(std::vec![64, 10], 2), (std::vec![64, 64, 0], 2), (std::vec![64, 64, 64, 64], 0)] {
        let mut bench = Bench::new(OUT(256));
        assert_eq!(bench.host_out(&cbw(1, OUT(256))), Reply::Ack);
        let data = patterned(256);
        let mut at = 0;
        for length in sent {
            assert_eq!(bench.host_out(&data[at..at + length]), Reply::Ack);
            at += length;
        }
        let seen = bench.finish(Intent::None);
        assert_eq!((seen.residue as usize, seen.status), (256 - at, status));
        assert_eq!(bench.set.taken, data[..at]);
        bench.assert_works();
    }
}

#[test]
fn more_data_than_announced_is_a_phase_error() {
    let mut bench = Bench::new(OUT(10));
    assert_eq!(bench.host_out(&cbw(1, OUT(10))), Reply::Ack);
    assert_eq!(bench.host_out(&patterned(11)), Reply::Ack);
    let seen = bench.finish(Intent::None);
    assert_eq!((seen.residue, seen.status), (0, 2));
    assert_eq!(bench.set.taken, patterned(10));
}

#[test]
fn resets_in_the_middle_of_anything() {
    for host in [IN(1000), OUT(1000), IN(2000), OUT(2000), Intent::None] {
        for device in [IN(1000), OUT(1000), Intent::None] {
            for packets in 0..5 {
                for bus in [false, true] {
                    let mut bench = Bench::new(device);
                    assert_eq!(bench.host_out(&cbw(1, host)), Reply::Ack);
                    for _ in 0..packets {
                        if matches!(host, Intent::Out(_)) {
                            bench.host_out(&[7; 64]);
                        } else {
                            bench.host_in();
                        }
                    }
                    if bus {
                        bench.bus_reset();
                        assert_eq!(bench.halted, Halts::default());
                    } else {
                        bench.reset_recovery();
                    }
                    assert_eq!(bench.set.resets, [bus]);
                    assert_eq!(bench.host_in(), Reply::Nak, "a reply outlived the reset");
                    bench.assert_works();
                }
            }
        }
    }
}

#[test]
fn halts_that_the_host_set_are_kept() {
    let mut bench = Bench::new(IN(100));
    bench.transport.halted_by_host(Direction::In);
    bench.halted = bench.transport.halts();
    assert_eq!(bench.host_out(&cbw(1, IN(100))), Reply::Ack);
    assert_eq!(bench.host_in(), Reply::Stall);
    assert!(bench.clear(Direction::In));
    assert_eq!(bench.finish(IN(100)).data, patterned(100));
}
