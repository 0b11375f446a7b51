//! The USB device controller's model against the rules that a driver relies on (RP2350 datasheet 12.7, USB 2.0 8.5,
//! 8.6).

use picovd_sim::board::registers::Alias;
use picovd_sim::board::statistics::Statistics;
use picovd_sim::board::usb::{InDecision, OutDecision, Usb};
use picovd_sim::link::{OutReply, Pid};

const ADDRESS: u32 = 0x00;
const MAIN_CTRL: u32 = 0x40;
const SIE_CTRL: u32 = 0x4C;
const SIE_STATUS: u32 = 0x50;
const BUFF_STATUS: u32 = 0x58;
const SHOULD_HANDLE: u32 = 0x5C;
const EP_ABORT: u32 = 0x60;
const EP_ABORT_DONE: u32 = 0x64;
const EP_STALL_ARM: u32 = 0x68;
const INTE: u32 = 0x90;
const INTS: u32 = 0x98;

const AVAILABLE: u32 = 1 << 10;
const STALL: u32 = 1 << 11;
const RESET: u32 = 1 << 12;
const DATA1: u32 = 1 << 13;
const FULL: u32 = 1 << 15;

const ENABLE: u32 = 1 << 31;
const DOUBLE: u32 = 1 << 30;
const PER_BUFFER: u32 = 1 << 29;
const PER_DOUBLE: u32 = 1 << 28;

/// Endpoint 1 IN is bit 2, endpoint 1 OUT bit 3.
const EP1_IN: u32 = 1 << 2;
const EP1_OUT: u32 = 1 << 3;

struct Bench {
    usb: Usb,
    statistics: Statistics,
}

impl Bench {
    /// Attached, address 5, endpoint 1 in both directions with the given control bits.
    fn new(control: u32) -> Self {
        let mut bench = Self { usb: Usb::default(), statistics: Statistics::default() };
        bench.write(0x74, 9);
        bench.write(0x78, 0xC);
        bench.write(MAIN_CTRL, 1);
        bench.write(SIE_CTRL, 1 << 16 | PER_BUFFER);
        bench.write(ADDRESS, 5);
        bench.write(INTE, 0xFF_FFFF & !(1 << 11 | 1 << 13));
        assert!(bench.usb.attached());
        for word in (0..0x100).step_by(4) {
            bench.dpram(word, 0);
        }
        bench.dpram(0x08, ENABLE | control | 2 << 26 | 0x180);
        bench.dpram(0x0C, ENABLE | control | 2 << 26 | 0x280);
        bench
    }

    fn write(&mut self, offset: u32, word: u32) {
        self.usb.write(offset, Alias::Write, word).expect("a register");
    }

    fn read(&mut self, offset: u32) -> u32 {
        self.usb.read(offset, 0).expect("a register")
    }

    fn dpram(&mut self, offset: usize, word: u32) {
        self.usb.write_dpram(offset, 4, word, 0, &mut self.statistics);
    }

    fn half(&mut self, offset: usize, word: u32) {
        self.usb.write_dpram(offset, 2, word, 0, &mut self.statistics);
    }

    fn control(&mut self, i: usize) -> u32 {
        self.usb.read_dpram(0x80 + 4 * i, 4)
    }

    fn token(&mut self) -> InDecision {
        self.usb.token_in(5, 1)
    }

    fn finish(&mut self) {
        self.usb.finish_in(1, true, 0, &mut self.statistics);
    }

    fn out(&mut self, pid: Pid, data: &[u8]) -> OutReply {
        match self.usb.token_out(5, 1) {
            OutDecision::Reply(reply) => reply,
            OutDecision::Accept => self.usb.finish_out(1, pid, data, 0, &mut self.statistics),
        }
    }
}

#[test]
fn only_its_own_address_is_answered() {
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x88, 4 | FULL | AVAILABLE);
    assert_eq!(bench.usb.token_in(0, 1), InDecision::Silent);
    assert_eq!(bench.usb.token_in(5, 2), InDecision::Silent);
    assert!(matches!(bench.token(), InDecision::Data(Pid::Data0, data) if data.len() == 4));
}

#[test]
fn a_detached_device_is_silent() {
    let mut bench = Bench::new(PER_BUFFER);
    bench.write(SIE_CTRL, 0);
    assert!(!bench.usb.attached());
    assert_eq!(bench.token(), InDecision::Silent);
    assert_eq!(bench.usb.setup(5, [0; 8]), OutReply::Silent);
    // The PHY is isolated until software says otherwise.
    bench.write(SIE_CTRL, 1 << 16);
    bench.write(MAIN_CTRL, 5);
    assert!(!bench.usb.attached());
}

#[test]
fn an_in_packet_keeps_pid_and_length_and_reports_once() {
    let mut bench = Bench::new(PER_BUFFER);
    bench.usb.write_dpram(0x180, 4, 0x0403_0201, 0, &mut bench.statistics);
    bench.dpram(0x88, 3 | FULL | DATA1);
    assert_eq!(bench.token(), InDecision::Nak);
    bench.dpram(0x88, 3 | FULL | DATA1 | AVAILABLE);
    assert_eq!(bench.token(), InDecision::Data(Pid::Data1, vec![1, 2, 3]));
    // A lost handshake: the same again.
    bench.usb.finish_in(1, false, 0, &mut bench.statistics);
    assert_eq!((bench.read(BUFF_STATUS), bench.control(2) & AVAILABLE), (0, AVAILABLE));
    assert_eq!(bench.token(), InDecision::Data(Pid::Data1, vec![1, 2, 3]));
    bench.finish();
    assert_eq!(bench.control(2), 3 | DATA1);
    assert_eq!(bench.read(BUFF_STATUS), EP1_IN);
    assert!(bench.usb.interrupt());
    assert_eq!(bench.token(), InDecision::Nak);
    // Write 1 to clear, through an alias as well.
    bench.usb.write(BUFF_STATUS, Alias::Set, EP1_IN).unwrap();
    assert_eq!(bench.read(BUFF_STATUS), 0);
}

#[test]
fn a_wrong_toggle_is_acknowledged_and_dropped() {
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x8C, 64);
    assert_eq!(bench.out(Pid::Data0, b"early"), OutReply::Nak);
    bench.dpram(0x8C, 64 | AVAILABLE);
    assert_eq!(bench.out(Pid::Data1, b"wrong"), OutReply::Ack);
    assert_eq!((bench.read(BUFF_STATUS), bench.control(3)), (0, 64 | AVAILABLE));
    assert_eq!(bench.read(SIE_STATUS) >> 31, 1);
    bench.write(SIE_STATUS, 1 << 31);
    assert_eq!(bench.out(Pid::Data0, b"right"), OutReply::Ack);
    assert_eq!((bench.read(BUFF_STATUS), bench.control(3)), (EP1_OUT, 5 | FULL));
    assert_eq!(bench.usb.read_dpram(0x280, 4), u32::from_le_bytes(*b"righ"));
    assert_eq!(bench.read(SIE_STATUS) >> 31, 0);
}

#[test]
fn double_buffers_alternate_and_both_wait_in_buff_status() {
    let mut bench = Bench::new(DOUBLE | PER_BUFFER);
    bench.usb.write_dpram(0x180, 1, 0xAA, 0, &mut bench.statistics);
    bench.usb.write_dpram(0x1C0, 1, 0xBB, 0, &mut bench.statistics);
    bench.half(0x88, 1 | FULL | RESET | AVAILABLE);
    bench.half(0x8A, 1 | FULL | DATA1 | AVAILABLE);
    assert_eq!(bench.token(), InDecision::Data(Pid::Data0, vec![0xAA]));
    bench.finish();
    assert_eq!(bench.token(), InDecision::Data(Pid::Data1, vec![0xBB]));
    bench.finish();
    assert_eq!(bench.token(), InDecision::Nak);
    // Two completions: clearing the first shows the second at once, in the other half.
    assert_eq!((bench.read(BUFF_STATUS), bench.read(SHOULD_HANDLE) & EP1_IN), (EP1_IN, 0));
    bench.write(BUFF_STATUS, EP1_IN);
    assert_eq!((bench.read(BUFF_STATUS), bench.read(SHOULD_HANDLE) & EP1_IN), (EP1_IN, EP1_IN));
    bench.write(BUFF_STATUS, EP1_IN);
    assert_eq!(bench.read(BUFF_STATUS), 0);
    // RESET selects the first half, wherever the controller was.
    bench.half(0x88, 1 | FULL | AVAILABLE);
    assert!(matches!(bench.token(), InDecision::Data(Pid::Data0, _)));
    bench.finish();
    bench.half(0x88, 1 | FULL | RESET | DATA1 | AVAILABLE);
    assert_eq!(bench.token(), InDecision::Data(Pid::Data1, vec![0xAA]));
    assert_eq!(bench.usb.misuse(), None);
}

#[test]
fn an_interrupt_per_double_buffer_comes_after_the_second() {
    let mut bench = Bench::new(DOUBLE | PER_DOUBLE);
    bench.half(0x88, 1 | FULL | RESET | AVAILABLE);
    bench.half(0x8A, 1 | FULL | DATA1 | AVAILABLE);
    bench.token();
    bench.finish();
    assert_eq!(bench.read(BUFF_STATUS), 0);
    bench.token();
    bench.finish();
    assert_eq!(bench.read(BUFF_STATUS), EP1_IN);
}

#[test]
fn endpoint_0_stalls_with_both_bits_until_a_setup() {
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x80, STALL);
    assert_eq!(bench.usb.token_in(5, 0), InDecision::Nak);
    bench.write(EP_STALL_ARM, 1);
    assert_eq!(bench.usb.token_in(5, 0), InDecision::Stall);
    assert_eq!(bench.usb.setup(5, [0x80, 6, 0, 1, 0, 0, 18, 0]), OutReply::Ack);
    assert_eq!((bench.read(EP_STALL_ARM), bench.usb.token_in(5, 0)), (0, InDecision::Nak));
    assert_eq!(bench.usb.read_dpram(0, 4), 0x0100_0680);
    assert_eq!(bench.read(INTS) >> 16 & 1, 1);
    bench.write(SIE_STATUS, 1 << 17);
    assert_eq!(bench.read(INTS) >> 16 & 1, 0);
    // Other endpoints need no arm bit.
    bench.dpram(0x88, STALL);
    assert_eq!(bench.token(), InDecision::Stall);
}

#[test]
fn an_abort_waits_for_the_packet_on_the_wire() {
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x88, 1 | FULL | AVAILABLE);
    bench.token();
    bench.write(EP_ABORT, EP1_IN);
    assert_eq!(bench.read(EP_ABORT_DONE), 0);
    bench.finish();
    assert_eq!(bench.read(EP_ABORT_DONE), EP1_IN);
    bench.dpram(0x88, 1 | FULL | AVAILABLE);
    assert_eq!(bench.token(), InDecision::Nak);
    bench.write(EP_ABORT, 0);
    bench.write(EP_ABORT_DONE, EP1_IN);
    assert!(matches!(bench.token(), InDecision::Data(..)));
}

#[test]
fn reset_suspend_and_resume_are_told() {
    let mut bench = Bench::new(PER_BUFFER);
    for (bit, act) in [(19, Usb::bus_reset as fn(&mut Usb)), (4, Usb::suspended), (11, Usb::resumed)] {
        act(&mut bench.usb);
        assert_eq!(bench.read(SIE_STATUS) >> bit & 1, 1);
        assert!(bench.usb.interrupt());
        bench.write(SIE_STATUS, 1 << bit);
        assert_eq!(bench.read(SIE_STATUS) >> bit & 1, 0);
        assert!(!bench.usb.interrupt());
    }
    bench.usb.start_of_frame(0x123);
    assert!(bench.usb.interrupt());
    assert_eq!(bench.read(0x48), 0x123);
    assert!(!bench.usb.interrupt());
}

#[test]
fn what_no_driver_may_do_is_misuse() {
    // An IN buffer without FULL.
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x88, 1 | AVAILABLE);
    assert!(bench.usb.misuse().is_some_and(|what| what.contains("FULL clear on an IN endpoint")));
    // An OUT buffer with it.
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x8C, 64 | FULL | AVAILABLE);
    assert!(bench.usb.misuse().is_some_and(|what| what.contains("FULL set on an OUT endpoint")));
    // A buffer that belongs to the controller.
    let mut bench = Bench::new(PER_BUFFER);
    bench.dpram(0x88, 1 | FULL | AVAILABLE);
    bench.dpram(0x88, 2 | FULL | AVAILABLE);
    assert!(bench.usb.misuse().is_some_and(|what| what.contains("changed while AVAILABLE")));
    // Host mode.
    let mut bench = Bench::new(PER_BUFFER);
    bench.write(MAIN_CTRL, 3);
    assert!(bench.usb.misuse().is_some_and(|what| what.contains("host mode")));
}
