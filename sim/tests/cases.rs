//! Cases from public bug reports, H1 to H14 of `cases.py`: each right value natively, and on the board with the ELF of the same
//! manifest (tests/cases/).
//!
//! | case | what is right | here | also |
//! |---|---|---|---|
//! | H1 | SET_INTERFACE begins with DATA0 | `set_interface` | story `chapter-9` on every image |
//! | H2 | at most 100 mA | `power` | `composite.rs`, `board_composite.rs` |
//! | H3 | at least 256 clusters | `small_volume` | story `enumerate` on every image |
//! | H4 | text and losses are all that was written | `ring5::tail` | `log_tail.rs`, tests/log_tail.rs |
//! | H5, H5b | half a line goes with its session | `half_lines` | `console_session.rs` |
//! | H6 | no command in silence | `silence` | `console_session.rs` |
//! | H7 | bcdDevice distinguishes compositions | `compositions`, `ring5::releases` | `composite.rs` |
//! | H8 | STALL for what does not exist | `what_does_not_exist`, `odd_requests` | story `chapter-9` on every image |
//! | H9 | bcdUSB and BOS agree | `versions` | `composite.rs` |
//! | H10 | names that Windows cannot open are refused | `ring5::names` | tests/refusals.rs, `serve --live`: `serve/mirror.rs` |
//! | H11 | an echo is no command | `ring5::echo` | `console_session.rs` |
//! | H12 | a warning where `serial` defeats picotool | of the program alone: tests/bad-manifests/M041 | `command_line.rs` |
//! | H13 | backspace takes a whole character | `backspace` | `console_session.rs` |
//! | H14 | `reboot` leaves the bus and comes back | `reboot` | `console_session.rs` |

use std::path::{Path, PathBuf};
use std::time::Duration;

use picovd_sim::host::bot::{CswStatus, Data};
use picovd_sim::host::controller::{Request, TransferError};
use picovd_sim::host::scsi::Sense;
use picovd_sim::host::terminal::Terminal;
use picovd_sim::host::{Host, Initiator, enumerate};
use picovd_sim::{patch, plug};

const BUGS: &str = r#"{"label":"BUGS"}"#;

/// Where a case's device comes from: natively from the manifest, or the firmware that was built from it.
type Plugged = fn(&str) -> Initiator<'static>;

fn manifest(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if name == "picovd" { root.join("picovd.toml") } else { root.join("tests/cases").join(name).with_extension("toml") }
}

fn plugged(name: &str, elf: Option<&Path>) -> Initiator<'static> {
    let plug = plug::open(Some(&manifest(name)), elf).unwrap_or_else(|error| panic!("{error}"));
    Initiator::attach(Host::new(plug.link)).expect("it enumerates")
}

fn native(name: &str) -> Initiator<'static> {
    plugged(name, None)
}

/// A host with the port of tests/cases/console.toml, closed.
struct Port {
    initiator: Initiator<'static>,
    terminal: Option<Terminal>,
}

impl Port {
    fn new(plugged: Plugged) -> Self {
        Self { initiator: plugged("console"), terminal: None }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.initiator.host.elapse(Duration::from_millis(milliseconds));
    }

    fn open(&mut self) {
        self.terminal = Some(Terminal::open(&mut self.initiator).expect("it has a port"));
        self.heard();
    }

    fn close(&mut self) {
        if let Some(terminal) = self.terminal.take() {
            terminal.close(&mut self.initiator).expect("closed");
        }
        self.pass(400);
    }

    fn say(&mut self, bytes: &[u8]) {
        let terminal = self.terminal.as_mut().expect("open");
        terminal.send(&mut self.initiator, bytes).unwrap_or_else(|error| panic!("{bytes:02x?}: {error}"));
    }

    fn heard(&mut self) -> Vec<u8> {
        self.pass(800);
        let terminal = self.terminal.as_mut().expect("open");
        terminal.take(&mut self.initiator).expect("it lives");
        terminal.text()
    }

    fn answer(&mut self, bytes: &[u8]) -> String {
        self.say(bytes);
        String::from_utf8(self.heard()).expect("text")
    }
}

/// H1.
fn set_interface(plugged: Plugged) {
    for commands in 1..=3 {
        let mut initiator = plugged("picovd");
        initiator.wait_ready().expect("ready");
        for _ in 0..commands {
            initiator.test_unit_ready().expect("ready");
        }
        let interface = initiator.device.interface;
        let request = Request { request_type: 1, request: 11, value: 0, index: interface.into(), length: 0 };
        initiator.host.control_in(request).expect("accepted");
        let (bulk_in, bulk_out) = (initiator.device.bulk_in, initiator.device.bulk_out);
        initiator.host.reset_toggle(bulk_in);
        initiator.host.reset_toggle(bulk_out);
        let statistics = initiator.host.statistics();
        initiator.test_unit_ready().unwrap_or_else(|error| panic!("after {commands} commands: {error}"));
        assert_eq!(initiator.host.statistics().duplicates, statistics.duplicates, "a toggle was another one");
    }
}

/// H2.
fn power(plugged: Plugged) {
    let power = u16::from(plugged("picovd").device.configuration.max_power) * 2;
    assert!(power <= 100, "{power} mA");
}

/// H3.
fn small_volume(plugged: Plugged) {
    let mut initiator = plugged("small");
    initiator.wait_ready().expect("ready");
    let block = initiator.scsi(&picovd_sim::host::scsi::read_cdb(10, 0, 1), Data::In(512));
    let block = block.expect("it reads").data;
    let clusters = u32::from_le_bytes([block[92], block[93], block[94], block[95]]);
    assert!(clusters >= 256, "{clusters} clusters");
}

/// H5 and H5b.
fn half_lines(plugged: Plugged) {
    let mut port = Port::new(plugged);
    for half in [&br#"set {"label":"OOPS"}"#[..], b"~\0x\xF0~"] {
        port.open();
        port.say(half);
        port.close();
        port.open();
        assert_eq!(port.answer(b"\r\n"), "", "after {half:02x?}");
        assert_eq!(port.answer(b"get label\r\n"), format!("{BUGS}\r\n"), "after {half:02x?}");
        port.close();
    }
}

/// H6.
fn silence(plugged: Plugged) {
    let mut port = Port::new(plugged);
    let bulk_out = port.initiator.device.console.expect("a port").bulk_out;
    port.initiator.host.bulk_out(bulk_out, b"\r\nset {\"label\":\"QUIET\"}\r\n").expect("taken");
    port.pass(800);
    port.open();
    assert_eq!(port.answer(b"get label\r\n"), format!("{BUGS}\r\n"));
}

/// H7.
fn compositions(plugged: Plugged) {
    let releases = ["00", "01", "10", "11"]
        .map(|name| plugged(&format!("composition-{name}")).device.descriptor)
        .map(|descriptor| (descriptor.vendor, descriptor.product, descriptor.release));
    let different: std::collections::BTreeSet<_> = releases.into_iter().collect();
    assert_eq!(different.len(), 4, "{releases:04x?}");
}

/// H8.
fn what_does_not_exist(plugged: Plugged) {
    let requests = [
        (1, 11, 0, 9, 0),
        (0x81, 10, 0, 9, 1),
        (0x81, 0, 0, 9, 2),
        (0x82, 0, 0, 0x8F, 2),
        (2, 1, 0, 0x8F, 0),
        (2, 3, 0, 0x8F, 0),
        (0x80, 6, 0x201, 0, 9),
        (0, 3, 1, 0, 0),
    ];
    refuses(&mut plugged("console"), &requests);
}

/// More requests of that kind: each field wrong by itself (USB 2.0 9.4), to every recipient.
fn odd_requests(plugged: Plugged) {
    let mut initiator = plugged("console");
    let bulk_in = u16::from(initiator.device.bulk_in) | 0x80;
    let requests = [
        // Features that do not exist, and features of other recipients.
        (0, 3, 0, 0, 0),
        (0, 1, 7, 0, 0),
        (1, 3, 0, 0, 0),
        (2, 3, 1, bulk_in, 0),
        (2, 1, 2, bulk_in, 0),
        // A status of another recipient's kind, and of a value.
        (0x83, 0, 0, 0, 2),
        (0x82, 0, 1, bulk_in, 2),
        // Configurations and alternate settings that are none.
        (0, 9, 2, 0, 0),
        (0, 9, 0x101, 0, 0),
        (1, 11, 1, 0, 0),
        // Descriptors that are none, and SET_DESCRIPTOR, SYNCH_FRAME.
        (0x80, 6, 0x0600, 0, 10),
        (0x80, 6, 0x03EE, 0, 18),
        (0, 7, 0x0100, 0, 0),
        (0x82, 12, 0, bulk_in, 2),
        // Class requests for recipients that have none, and Get Max LUN of another interface.
        (0x21, 0x7F, 0, 0, 0),
        (0xA1, 0xFE, 0, 1, 1),
    ];
    refuses(&mut initiator, &requests);
}

/// Each request gets a STALL, and a command after it passes: type, request, value, index, length.
fn refuses(initiator: &mut Initiator<'_>, requests: &[(u8, u8, u16, u16, u16)]) {
    initiator.wait_ready().expect("ready");
    for &(request_type, request, value, index, length) in requests {
        let request = Request { request_type, request, value, index, length };
        assert_eq!(initiator.host.control_in(request), Err(TransferError::Stall), "{request:02x?}");
        initiator.test_unit_ready().unwrap_or_else(|error| panic!("after {request:02x?}: {error}"));
    }
}

/// A WRITE whose wrapper announces no data (BOT 6.7.1, case 1): refused, as any WRITE is, and nothing is waited for.
fn write_without_data(plugged: Plugged) {
    let mut initiator = plugged("picovd");
    initiator.wait_ready().expect("ready");
    for cdb in [[0x2A, 0, 0, 0, 0, 0, 0, 0, 1, 0], [0x2A, 0, 0, 0, 0, 0, 0, 0, 0, 0]] {
        let outcome = initiator.command(0, &cdb, Data::None).expect("it is answered");
        assert_eq!((outcome.csw.status, outcome.csw.residue), (CswStatus::CommandFailed, 0), "{cdb:02x?}");
        let sense = initiator.request_sense().expect("there is a reason");
        assert_eq!(sense, Sense(7, 0x27, 0), "{cdb:02x?}");
    }
    initiator.test_unit_ready().expect("ready");
}

/// H9.
fn versions(plugged: Plugged) {
    for name in ["picovd", "composition-00", "composition-01", "composition-10", "composition-11"] {
        let mut initiator = plugged(name);
        let version = initiator.device.descriptor.usb_version;
        let bos = enumerate::get_descriptor(&mut initiator.host, 15, 0, 0, 255).unwrap_or_default();
        // The USB 2.0 extension: LPM is bit 1 of its attributes.
        let lpm = bos.windows(4).any(|bytes| bytes[..3] == [7, 0x10, 2] && bytes[3] & 2 != 0);
        assert!(version <= 0x200 || lpm, "{name}: bcdUSB {version:04x}, BOS {bos:02x?}");
    }
}

/// H13.
fn backspace(plugged: Plugged) {
    let mut port = Port::new(plugged);
    port.open();
    assert_eq!(port.answer("set {\"label\":\"A\u{e9}\x7fB\"}\r\n".as_bytes()), "{\"ok\":\"set\",\"saved\":false}\r\n");
    assert_eq!(port.answer(b"get label\r\n"), "{\"label\":\"AB\"}\r\n");
}

/// H14.
fn reboot(plugged: Plugged) {
    let mut port = Port::new(plugged);
    port.open();
    port.say(b"reboot\r\n");
    let mut seen = vec![true];
    for _ in 0..3_000 {
        port.pass(1);
        let attached = port.initiator.host.link().attached();
        if seen.last() != Some(&attached) {
            seen.push(attached);
        }
    }
    assert_eq!(seen, [true, false, true], "there, away, and back");
    port.initiator.enumerate_again().expect("it enumerates");
}

/// Each of them natively and on the board.
macro_rules! both {
    ($($name:ident,)*) => {
        mod natively {
            $(#[test]
            fn $name() {
                super::$name(super::native);
            })*
        }

        mod ring5 {
            use super::*;
            use picovd_sim::board::ElfDevice;
            use picovd_sim::chatter::{LINES, interrupt_lines, main_lines};
            use picovd_sim::host::system::{Event, LINUX_DESKTOP, System};

            /// The firmware of that name among the arguments.
            fn elf(name: &str) -> PathBuf {
                let file = format!("{name}.elf");
                let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with(&file));
                path.unwrap_or_else(|| panic!("no argument names {file}; `cargo xtask test --ring 5` builds and names it"))
            }

            fn board(name: &str) -> Initiator<'static> {
                plugged(name, Some(&elf(name)))
            }

            /// The program of tests/mistakes, with the case to run: `PRINTS`, or `NAMES`.
            fn told(name: &str, what: u32) -> ElfDevice {
                let path = elf(name);
                let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let elf = patch::with_words(bytes, "MISTAKE", &[what]).expect("the program has it");
                ElfDevice::new(&elf).expect("the board boots it")
            }

            const NAMES: u32 = 13;
            const PRINTS: u32 = 14;

            $(#[test]
            #[ignore = "needs the firmware: cargo xtask test --ring 5"]
            fn $name() {
                super::$name(board);
            })*

            /// H4: the lines that `serve --print` prints, 4.8 KB/s for 12 s, and a desktop that looks when it has mounted.
            #[test]
            #[ignore = "needs the firmware: cargo xtask test --ring 5"]
            fn tail() {
                let mut system = System::boot(LINUX_DESKTOP, Box::new(told("tail", PRINTS))).expect("a desktop mounts it");
                let (mut text, mut lost) = (0, 0);
                let mut look = |system: &mut System<'_>| {
                    // The volume may have gone again before it looked.
                    let Ok(file) = system.read("STDOUT-TAIL.TXT") else { return };
                    let told = file.get(..32).filter(|line| line.ends_with(b" bytes lost]  \r\n"));
                    lost += told.map_or(0, |line| String::from_utf8_lossy(&line[1..16]).parse().expect("a number"));
                    text += file[told.map_or(0, <[u8]>::len)..].iter().filter(|byte| **byte != 0).count() as u64;
                };
                look(&mut system);
                system.take_events();
                for _ in 0..50 {
                    system.elapse(Duration::from_millis(700));
                    if system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
                        look(&mut system);
                    }
                }
                let lines = main_lines() + &interrupt_lines();
                let written = "the program begins\r\nmistake 14\r\n".len() + lines.replace('\n', "\r\n").len();
                assert_eq!(lines.lines().count() as u32, 2 * LINES);
                assert_eq!(text + lost, written as u64, "{text} bytes of text, {lost} said to be lost");
                assert!(lost > 4_096, "{lost} bytes lost: the host is too fast");
            }

            /// H10: the program of tests/mistakes registers names that Windows cannot open, and one that it can.
            #[test]
            #[ignore = "needs the firmware: cargo xtask test --ring 5"]
            fn names() {
                let mut device = told("names", NAMES);
                let mut system = System::boot(LINUX_DESKTOP, Box::new(&mut device)).expect("a desktop mounts it");
                system.elapse(Duration::from_secs(10));
                let names: Vec<String> = system.list("").expect("mounted").into_iter().map(|node| node.name).collect();
                drop(system);
                assert_eq!(names, ["COUNT.TXT"], "{:?}", device.fault());
                assert_eq!(device.fault(), None);
            }

            /// H11: everything that the program prints comes back.
            #[test]
            #[ignore = "needs the firmware: cargo xtask test --ring 5"]
            fn echo() {
                let mut initiator = Initiator::attach(Host::new(Box::new(told("log", PRINTS)))).expect("it enumerates");
                let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
                let mut all = Vec::new();
                for _ in 0..150 {
                    initiator.host.elapse(Duration::from_millis(100));
                    terminal.take(&mut initiator).expect("it lives");
                    let text = terminal.text();
                    if !text.is_empty() {
                        terminal.send(&mut initiator, &text).expect("taken");
                    }
                    all.extend(text);
                }
                let all = String::from_utf8_lossy(&all);
                assert!(all.contains("main 00600 of 600"), "{all}");
                assert!(!all.contains("{\"error\""), "{all}");
                assert_eq!(terminal.ask(&mut initiator, "get label").as_deref(), Ok(BUGS));
            }

            /// H7 for all images: those with different interfaces have a different bcdDevice, or different ids.
            #[test]
            #[ignore = "needs the firmware: cargo xtask test --ring 5"]
            fn releases() {
                let elves: Vec<PathBuf> =
                    std::env::args_os().map(PathBuf::from).filter(|word| word.extension().is_some_and(|e| e == "elf")).collect();
                let mut known = std::collections::BTreeMap::new();
                for path in elves {
                    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                    let mut device = ElfDevice::new(&bytes).expect("the board boots it");
                    // Its USB stack is not ours.
                    device.machine().set_tolerant(path.file_stem().is_some_and(|name| name == "embassy"));
                    let mut initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
                    let descriptor = initiator.device.descriptor;
                    let identity = (descriptor.vendor, descriptor.product, descriptor.release);
                    let configuration = enumerate::get_descriptor(&mut initiator.host, 2, 0, 0, 255).expect("it has one");
                    // bMaxPower is no matter of interfaces.
                    let interfaces = [&configuration[..8], &configuration[9..]].concat();
                    let (other, whose) = known.entry(identity).or_insert((interfaces.clone(), path.clone()));
                    let (path, whose) = (path.display(), whose.display());
                    assert_eq!(*other, interfaces, "{path} and {whose} have the same ids {identity:04x?}");
                }
                // The stick's four, a mouse beside the disk, and embassy's.
                assert_eq!(known.len(), 6, "one for each composition: {known:02x?}");
            }
        }
    };
}

both! {
    set_interface,
    power,
    small_volume,
    half_lines,
    silence,
    compositions,
    what_does_not_exist,
    odd_requests,
    write_without_data,
    versions,
    backspace,
    reboot,
}
