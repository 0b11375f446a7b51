//! Sessions of the serial port with programs and systems that were not made for this stick: they begin and end in the middle of a
//! line, echo what they receive, or stop reading. Natively, on the board, and on the board with a program that has the USB device
//! (ring 5).

use std::path::{Path, PathBuf};
use std::time::Duration;

use picovd_property::Cases;
use picovd_sim::board::ElfDevice;
use picovd_sim::host::bot::{Cbw, Data};
use picovd_sim::host::scsi::read_cdb;
use picovd_sim::host::system::{LINUX_DESKTOP, System};
use picovd_sim::host::terminal::Terminal;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const LABEL: &str = r#"{"label":"SETTINGS"}"#;
const OK: &str = r#"{"ok":"set","saved":false}"#;

fn device() -> NativeDevice {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/settings.toml");
    let plan = plug::plan(Some(&manifest)).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    NativeDevice::new(plug::board(plan, contents))
}

/// A host with the port open.
struct Desk {
    initiator: Initiator<'static>,
    terminal: Terminal,
}

impl Desk {
    fn new(link: Box<dyn Link>) -> Self {
        let mut initiator = Initiator::attach(Host::new(link)).expect("it enumerates");
        let terminal = Terminal::open(&mut initiator).expect("it has a port");
        Self { initiator, terminal }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.initiator.host.elapse(Duration::from_millis(milliseconds));
    }

    fn say(&mut self, text: &[u8]) {
        self.terminal.send(&mut self.initiator, text).unwrap_or_else(|error| panic!("{text:02x?}: {error}"));
    }

    fn ask(&mut self, line: &str) -> String {
        self.terminal.ask(&mut self.initiator, line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// What has come, after everything has had its time.
    fn heard(&mut self) -> Vec<u8> {
        self.pass(200);
        self.terminal.take(&mut self.initiator).expect("it lives");
        self.terminal.text()
    }

    /// Closes the port and opens it; what was said up to the greeting is gone.
    fn again(self) -> Self {
        let Self { mut initiator, terminal } = self;
        terminal.close(&mut initiator).expect("closed");
        initiator.host.elapse(Duration::from_millis(50));
        let terminal = Terminal::open(&mut initiator).expect("it has a port");
        let mut desk = Self { initiator, terminal };
        let greeting = String::from_utf8(desk.heard()).expect("text");
        assert!(greeting.starts_with("PicoVD ") && greeting.lines().count() == 1, "{greeting:?}");
        desk
    }

    fn well(&mut self) {
        assert_eq!(self.initiator.host.link().take_faults(), Vec::<String>::new());
    }
}

/// A half line, and what ModemManager tries on every new port: AT commands and 7E 00 78 F0 7E, without an end, then it closes.
fn what_was_begun_goes_with_its_session(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    for half in [&br#"set {"label":"OOPS"}"#[..], b"AT", b"AT+GCAP", b"\x7E\x00\x78\xF0\x7E", &[b'x'; 700]] {
        desk.say(half);
        desk = desk.again();
        desk.say(b"\r\n");
        assert_eq!(desk.heard(), b"", "after {half:02x?}");
        assert_eq!(desk.ask("get label"), LABEL, "after {half:02x?}");
        // The same with a bus reset.
        desk.say(half);
        desk.initiator.enumerate_again().expect("it comes back");
        desk = desk.again();
        assert_eq!(desk.ask("get label"), LABEL, "after {half:02x?} and a bus reset");
    }
    desk.well();
}

/// An answer that was not fetched does not reach the next session.
fn an_answer_goes_with_its_session(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    desk.heard();
    for _ in 0..3 {
        let port = desk.initiator.device.console.expect("a port");
        // More than the endpoint holds.
        desk.initiator.host.bulk_out(port.bulk_out, b"get\r\nhelp\r\nget hold\r\n").expect("taken");
        desk.pass(20);
        desk = desk.again();
        assert_eq!(desk.ask("get label"), LABEL);
        assert_eq!(desk.heard(), b"");
    }
    desk.well();
}

/// Hosts that leave DTR low, as .NET's SerialPort does by default: nothing is obeyed, and nothing is held up.
fn nothing_is_obeyed_in_silence(link: Box<dyn Link>) {
    let Desk { mut initiator, terminal } = Desk::new(link);
    terminal.close(&mut initiator).expect("closed");
    let port = initiator.device.console.expect("a port");
    for _ in 0..4 {
        let lines = b"\r\nset {\"label\":\"QUIET\"}\r\nsave\r\n";
        initiator.host.bulk_out(port.bulk_out, lines).expect("taken");
    }
    let terminal = Terminal::open(&mut initiator).expect("it has a port");
    let mut desk = Desk { initiator, terminal };
    assert_eq!(desk.ask("get label"), LABEL);
    desk.well();
}

fn people_and_programs_are_understood(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.ask("set {\"label\":\"A\u{e9}\x7fB\u{1f980}\x08\"}"), OK);
    assert_eq!(desk.ask("get label"), r#"{"label":"AB"}"#);
    assert_eq!(desk.ask(r#"set {"\u006cabel":"C","refresh":"\u0061uto"}"#), OK);
    assert_eq!(desk.ask("get label"), r#"{"label":"C"}"#);
    desk.well();
}

/// What Linux's terminal driver sends back of text that it gets, in its usual state (ICRNL, OPOST, ONLCR, ECHO, ECHOCTL).
fn echo(text: &[u8]) -> Vec<u8> {
    let mut back = Vec::new();
    for byte in text {
        match byte {
            b'\r' | b'\n' => back.extend(b"\r\n"),
            b'\t' | b' '..=0x7E | 0x80.. => back.push(*byte),
            _ => back.extend([b'^', *byte ^ 0x40]),
        }
    }
    back
}

/// Greeting and answers come back; the port may be raw later.
fn an_echo_is_not_answered(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    let greeting = desk.heard();
    let error = desk.ask("what");
    desk.say(&echo(&greeting));
    desk.say(&echo(format!("{error}\r\n").as_bytes()));
    for command in ["get", "files", "get label", r#"set {"label":7}"#, r#"set {"hold":2000}"#] {
        assert_eq!(desk.heard(), b"", "before {command}");
        let answer = desk.ask(command);
        desk.say(&echo(format!("{answer}\r\n").as_bytes()));
    }
    assert_eq!(desk.heard(), b"");
    assert_eq!(desk.ask("get label"), LABEL, "a command is one all the same");
    desk.say(b"rest of a line\r\n");
    assert_eq!(desk.heard(), b"");
    let mut desk = desk.again();
    assert!(desk.ask("what").starts_with(r#"{"error":"#), "the next session may be another terminal's");
    desk.well();
}

/// `reboot` is a real one: the host sees the device leave, and finds it again.
fn reboot_leaves_the_bus_and_comes_back(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.ask(r#"set {"label":"GONE"}"#), OK);
    assert_eq!(desk.ask("reboot"), r#"{"ok":"reboot","saved":false}"#);
    let mut away = 0;
    for _ in 0..2_000 {
        desk.pass(1);
        away += u32::from(!desk.initiator.host.link().attached());
        if away != 0 && desk.initiator.host.link().attached() {
            break;
        }
    }
    // A hub needs 2.5 us (USB 2.0 7.1.7.3), a host looks less often.
    assert!(away >= 2 && desk.initiator.host.link().attached(), "away for {away} ms");
    desk.pass(100);
    desk.initiator.enumerate_again().expect("it enumerates");
    let mut desk = desk.again();
    assert_eq!(desk.ask("get label"), LABEL);
}

/// A host that begins a READ, takes one packet and stops: for a minute it has the stick for itself. Then lines are carried out
/// and the change is announced; the READ fails when the host goes on with it.
fn a_reader_that_stops_holds_nothing_up_for_more_than_a_minute(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.ask(r#"set {"quiet":2000,"hold":0,"label":"LAB7"}"#), OK);
    // The announcement that the first change asked for.
    desk.pass(10_000);
    desk.initiator.enumerate_again().expect("it came back");
    desk = desk.again();
    let _ = desk.initiator.scsi(&[0; 6], Data::None);
    assert_eq!(desk.ask(r#"set {"label":"LAB8"}"#), OK);
    let tag = desk.initiator.next_tag();
    let wrapper = Cbw::new(tag, 0, &read_cdb(10, 0, 16), Data::In(16 * 512));
    desk.initiator.send_wrapper(&wrapper.bytes()).expect("taken");
    let bulk_in = desk.initiator.device.bulk_in;
    desk.initiator.host.in_packet(bulk_in).expect("the first packet");
    desk.say(b"get label\r\n");
    for _ in 0..50 {
        desk.pass(1_000);
        assert!(desk.initiator.host.link().attached(), "the host has a minute");
    }
    desk.terminal.take(&mut desk.initiator).expect("it lives");
    assert_eq!(desk.terminal.line(), None, "in a READ nothing is carried out");
    let (mut answer, mut gone) = (None, false);
    for _ in 0..2_500 {
        desk.pass(10);
        gone |= !desk.initiator.host.link().attached();
        if answer.is_none() && !gone && desk.terminal.take(&mut desk.initiator).is_ok() {
            answer = desk.terminal.line();
        }
    }
    assert_eq!(answer.as_deref(), Some(r#"{"label":"LAB8"}"#));
    assert!(gone, "the change is announced, by leaving the bus if the host does not poll");
}

fn native() -> Box<dyn Link> {
    Box::new(device())
}

/// The board with the program of that name, which is among this test's arguments.
fn board(name: &str) -> ElfDevice {
    let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with(name));
    let path =
        path.unwrap_or_else(|| panic!("no argument names {name}; `cargo xtask test --ring 5` builds and names it"));
    let elf = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    ElfDevice::new(&elf).expect("the board boots it")
}

/// Each of them natively, and on the board with the firmware of tests/manifests/settings.toml.
macro_rules! both {
    ($($name:ident: $test:ident,)*) => {
        $(#[test]
        fn $name() {
            $test(native());
        })*

        mod ring5 {
            use super::*;

            $(#[test]
            #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
            fn $name() {
                $test(Box::new(board("settings.elf")));
            })*
        }
    };
}

both! {
    beginnings: what_was_begun_goes_with_its_session,
    answers: an_answer_goes_with_its_session,
    silence: nothing_is_obeyed_in_silence,
    typing: people_and_programs_are_understood,
    echoes: an_echo_is_not_answered,
    reboot: reboot_leaves_the_bus_and_comes_back,
    patience: a_reader_that_stops_holds_nothing_up_for_more_than_a_minute,
}

/// A program that has the USB device (tests/own-device), and our disk and serial port in it.
mod own_device {
    use super::*;

    fn elf() -> Box<dyn Link> {
        let mut device = board("picovd-own-device.elf");
        // usb-device and the HAL's bus answer, not ours.
        device.machine().set_tolerant(true);
        Box::new(device)
    }

    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn beginnings() {
        what_was_begun_goes_with_its_session(elf());
    }

    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn answers() {
        an_answer_goes_with_its_session(elf());
    }

    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn silence() {
        nothing_is_obeyed_in_silence(elf());
    }

    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn typing() {
        people_and_programs_are_understood(elf());
    }

    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn echoes() {
        an_echo_is_not_answered(elf());
    }

    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn reboot() {
        reboot_leaves_the_bus_and_comes_back(elf());
    }

    /// The program's command is listed and carried out; what it prints does not split its answer.
    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn commands_and_log() {
        let mut desk = Desk::new(elf());
        let help = desk.ask("help");
        assert!(help.ends_with(r#","application":["knock"]}"#), "{help}");
        for knock in 1..=20 {
            assert_eq!(desk.ask("knock"), format!(r#"{{"knock":"{knock}"}}"#));
            let log = String::from_utf8(desk.heard()).expect("text");
            assert!(log.trim().is_empty() || log.trim() == format!("knock {knock}"), "{log:?}");
        }
        assert_eq!(desk.ask("knock knock"), r#"{"error":"who is there?","allowed":"knock"}"#);
        // What is printed while nobody has the port open waits, in the order in which it was printed.
        desk.say(b"knock\r\nknock\r\n");
        let text = String::from_utf8(desk.heard()).expect("text");
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
        let mut log = lines.clone();
        log.retain(|line| !line.starts_with('{'));
        assert_eq!(log, ["knock 21", "knock 22"], "{lines:?}");
        desk.well();
    }

    /// A change by `set` is on the disk afterwards, for a host that polls: the HAL's bus cannot leave. It is kept.
    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn a_setting_changes_the_disk() {
        let mut system = System::boot(LINUX_DESKTOP, elf()).expect("the system mounts it");
        let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
        let mut ask = |system: &mut System<'_>, line: &str| terminal.ask(system.initiator(), line).expect("an answer");
        assert_eq!(ask(&mut system, r#"set {"label":"OTHER"}"#), OK);
        let mut seconds = 0;
        // While the medium is away there is no volume.
        while system.label().ok().as_deref() != Some("OTHER") && seconds < 30 {
            system.elapse(Duration::from_secs(1));
            seconds += 1;
        }
        assert_eq!(system.label().expect("a volume"), "OTHER");
        assert_eq!(ask(&mut system, "save"), r#"{"ok":"save","saved":true}"#);
        assert_eq!(ask(&mut system, "get label"), r#"{"label":"OTHER"}"#);
    }

    /// The program's own class (usbd-midi), the disk and the port, each while the others are in use.
    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn notes_beside_disk_and_port() {
        let mut desk = Desk::new(elf());
        desk.initiator.wait_ready().expect("a disk");
        let configuration = &desk.initiator.device.configuration;
        let classes: Vec<[u8; 3]> = configuration.interfaces.iter().map(|interface| interface.class).collect();
        assert_eq!(classes, [[1, 1, 0], [1, 3, 0], [8, 6, 0x50], [2, 2, 0], [10, 0, 0]]);
        let midi = configuration.interface(1).expect("it exists");
        let address =
            |bit| midi.endpoints.iter().map(|endpoint| endpoint.address).find(|address| address & 0x80 == bit);
        let (Some(from_host), Some(to_host)) = (address(0), address(0x80)) else { panic!("MIDI has two endpoints") };
        for round in 0..12_u8 {
            // Note on, note off.
            desk.initiator.host.out_packet(from_host, &[9, 0x90, round, 64, 8, 0x80, round, 0]).expect("it is taken");
            let reply = desk.initiator.command(0, &read_cdb(10, 0, 8), Data::In(8 * 512)).expect("the disk is read");
            assert_eq!(reply.data.get(3..11), Some(&b"EXFAT   "[..]), "round {round}");
            assert_eq!(desk.initiator.host.in_packet(to_host), Ok(vec![9, 0x90, round + 12, 64]));
            assert_eq!(desk.ask("get label"), LABEL, "round {round}");
            assert_eq!(desk.initiator.host.in_packet(to_host), Ok(vec![8, 0x80, round + 12, 0]));
        }
    }

    /// A READ that its host leaves there holds up a line for a minute at most.
    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn patience() {
        let mut desk = Desk::new(elf());
        let tag = desk.initiator.next_tag();
        let wrapper = Cbw::new(tag, 0, &read_cdb(10, 0, 16), Data::In(16 * 512));
        desk.initiator.send_wrapper(&wrapper.bytes()).expect("taken");
        let bulk_in = desk.initiator.device.bulk_in;
        desk.initiator.host.in_packet(bulk_in).expect("the first packet");
        desk.say(b"get label\r\n");
        desk.pass(50_000);
        desk.terminal.take(&mut desk.initiator).expect("it lives");
        assert!(desk.terminal.line().is_none_or(|line| line.starts_with("PicoVD")), "in a READ nothing is carried out");
        desk.pass(11_000);
        let text = String::from_utf8(desk.heard()).expect("text");
        assert!(text.ends_with(&format!("{LABEL}\r\n")), "{text:?}");
    }

    /// A host that opens the port and never reads: the disk answers meanwhile, and no text of that session
    /// comes in the next one.
    #[test]
    #[ignore = "needs tests/own-device: cargo xtask test --ring 5"]
    fn a_port_that_nobody_reads() {
        let mut desk = Desk::new(elf());
        desk.initiator.wait_ready().expect("a disk");
        for _ in 0..3 {
            desk.pass(50);
            let port = desk.initiator.device.console.expect("a port");
            let _ = desk.initiator.host.out_packet(port.bulk_out, b"knock\r\nhelp\r\nget\r\n");
        }
        let reply = desk.initiator.command(0, &read_cdb(10, 0, 8), Data::In(8 * 512)).expect("the disk is read");
        assert_eq!(reply.data.get(3..11), Some(&b"EXFAT   "[..]));
        let Desk { mut initiator, terminal } = desk;
        terminal.close(&mut initiator).expect("closed");
        initiator.host.elapse(Duration::from_millis(50));
        let terminal = Terminal::open(&mut initiator).expect("it has a port");
        let mut desk = Desk { initiator, terminal };
        let text = String::from_utf8(desk.heard()).expect("text");
        assert!(text.starts_with("PicoVD ") && !text.contains('{'), "{text:?}");
        assert_eq!(desk.ask("get label"), LABEL);
    }
}

/// A log, and the terminal that it goes to.
#[derive(Debug)]
struct Session {
    /// How long it takes until something comes back, in milliseconds and on average.
    delay: u64,
    rounds: Vec<Round>,
}

#[derive(Debug)]
struct Round {
    printed: Vec<String>,
    /// Something is sent back where this is less than the delay: some of what has not been sent, and not always whole lines.
    echoed: u64,
    part: Index,
}

fn session() -> impl Strategy<Value = Session> {
    let line = prop_oneof![
        Just("line, \u{e4}\u{1f980}\tand more\r\n".to_owned()),
        Just("set {\"label\":\"ECHO\"}\r\n".to_owned()),
        Just("save\r\n".to_owned()),
        Just("\x1b[31mred\x1b[0m\r\n".to_owned()),
        Just("reboot\r\n".to_owned()),
        (0..40_usize).prop_map(|words| format!("{}\r\n", "long ".repeat(words))),
    ];
    (1..=4_usize, 1..=400_u64).prop_flat_map(move |(speed, delay)| {
        let round = (vec(line.clone(), 0..speed), 0..400_u64, any::<Index>());
        let round = round.prop_map(|(printed, echoed, part)| Round { printed, echoed, part });
        vec(round, 1..=300).prop_map(move |rounds| Session { delay, rounds })
    })
}

/// A log that prints commands, colours, and lines at any speed, on a terminal that sends everything back, sooner or later.
#[test]
fn a_log_that_comes_back_is_not_obeyed() {
    Cases { count: 12, seed: 1 }.check(session(), |Session { delay, rounds }| {
        let device = device();
        let ring = device.log().expect("the manifest asks for one");
        let mut desk = Desk::new(Box::new(device));
        let mut waiting = Vec::new();
        let mut all = String::new();
        for Round { printed, echoed, part } in rounds {
            for line in printed {
                ring.write(line.as_bytes());
            }
            desk.pass(delay.min(20));
            desk.terminal.take(&mut desk.initiator).expect("it lives");
            let text = desk.terminal.text();
            all += &String::from_utf8_lossy(&text);
            waiting.extend(echo(&text));
            if echoed < delay && !waiting.is_empty() {
                let count = 1 + part.index(waiting.len());
                let piece: Vec<u8> = waiting.drain(..count).collect();
                desk.say(&piece);
            }
        }
        desk.say(&waiting);
        assert!(!all.contains('{') || !all.lines().any(|line| line.starts_with("{\"")), "{all}");
        assert_eq!(desk.ask("get label"), LABEL, "{all}");
        desk.well();
    });
}
