//! The console's commands `dump` and `bootsel`: natively, and on the board (ring 5).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use picovd_sim::board::{ElfDevice, RomReboot, RunState};
use picovd_sim::host::exfat::Volume;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::terminal::Terminal;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::native::NativeDevice;
use picovd_sim::plug;

const NOT_SHOWN: &str = r#"{"error":"no file shows all of that memory","allowed":"dump ADDRESS LENGTH"}"#;
const LOCKED: &str = r#"{"error":"the settings are locked","allowed":"get, files, reboot, bootsel, help"}"#;
const END: &str = r#"{"ok":"dump"}"#;

/// A host with the port open.
struct Desk<'d> {
    initiator: Initiator<'d>,
    terminal: Terminal,
}

impl<'d> Desk<'d> {
    fn new(link: Box<dyn Link + 'd>) -> Self {
        let mut initiator = Initiator::attach(Host::new(link)).expect("it enumerates");
        let terminal = Terminal::open(&mut initiator).expect("it has a port");
        Self { initiator, terminal }
    }

    /// Everything up to the line of JSON that answers, and that line.
    fn ask(&mut self, line: &str) -> (String, String) {
        self.terminal.send(&mut self.initiator, format!("{line}\r\n").as_bytes()).expect("taken");
        let mut lines = String::new();
        for _ in 0..20_000 {
            self.terminal.take(&mut self.initiator).expect("it lives");
            while let Some(line) = self.terminal.line() {
                if line.starts_with('{') {
                    return (lines, line);
                }
                if !line.starts_with("PicoVD ") && !line.is_empty() {
                    lines += &format!("{line}\n");
                }
            }
        }
        panic!("no answer to {line}; so far {lines}")
    }

    fn refused(&mut self, line: &str) -> String {
        let (lines, answer) = self.ask(line);
        assert_eq!(lines, "", "{line}");
        answer
    }

    fn dump(&mut self, address: u32, length: usize) -> String {
        let (lines, answer) = self.ask(&format!("dump {address:#x} {length}"));
        assert_eq!(answer, END, "{address:#x} {length}");
        lines
    }

    /// The bytes of a file, past any cache.
    fn read(self, path: &str) -> (Self, Vec<u8>) {
        let Self { initiator, terminal } = self;
        let mut disk = Disk::open(initiator).expect("it is ready");
        let mut volume = Volume::open(&mut disk).expect("it mounts");
        let node = volume.find(path).expect("it is there");
        let bytes = volume.read_file(&node).expect("readable");
        (Self { initiator: disk.initiator, terminal }, bytes)
    }
}

/// What the real hexdump prints of bytes that are at an address.
fn hexdump(address: u32, bytes: &[u8]) -> String {
    let mut hexdump = Command::new("hexdump");
    hexdump.args(["-C", "-v"]).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = hexdump.spawn().expect("hexdump (Debian's bsdextrautils) runs");
    let mut input = child.stdin.take().expect("a pipe");
    std::thread::scope(|scope| {
        scope.spawn(move || std::io::Write::write_all(&mut input, bytes).expect("it reads"));
        let printed = String::from_utf8(child.wait_with_output().expect("it ends").stdout).expect("ASCII");
        let moved = printed.lines().map(|line| {
            let (offset, rest) = line.split_at(8);
            let offset = u32::from_str_radix(offset, 16).expect("an offset");
            format!("{:08x}{rest}\n", address + offset)
        });
        moved.collect()
    })
}

/// Ranges of flash and of the boot ROM, which do not change: as the files show them, however they begin and end.
fn memory_is_dumped_as_files_show_it(link: Box<dyn Link>, flash_length: usize, rom: &str) {
    let (desk, flash) = Desk::new(link).read("FLASH.BIN");
    assert_eq!(flash.len(), flash_length);
    // The sectors of the settings are zeros there: the same code hides them.
    let sectors = flash_length - 0x3000;
    assert!(flash[sectors..sectors + 0x2000].iter().all(|byte| *byte == 0));
    let mut desk = desk;
    for (offset, length) in [(0, 1), (0, 16), (5, 100), (0x1000, 4096), (sectors - 40, 100), (flash_length - 3, 3)] {
        let address = 0x1C00_0000 + offset as u32;
        assert_eq!(
            desk.dump(address, length),
            hexdump(address, &flash[offset..offset + length]),
            "{offset:#x} {length}"
        );
    }
    if !rom.is_empty() {
        let (again, bytes) = desk.read(rom);
        desk = again;
        assert_eq!(desk.dump(0, 64), hexdump(0, &bytes[..64]));
    }
    // In RAM as well; it changes, so only the shape is compared.
    let lines = desk.dump(0x2000_0000, 4096);
    assert_eq!(lines.lines().count(), 257, "{lines}");
    assert!(lines.lines().take(256).all(|line| line.len() == 78 && line.ends_with('|')), "{lines}");
    // Decimal numbers, too.
    assert_eq!(desk.ask("dump 469762048 32").0, hexdump(0x1C00_0000, &flash[..32]));
    for (words, answer) in [
        ("0x1bffffff 2", NOT_SHOWN),
        ("0x40000000 4", NOT_SHOWN),
        ("0xffffffff 1", NOT_SHOWN),
        ("0xffffffff 2", NOT_SHOWN),
        ("0x20000000 0x400000", NOT_SHOWN),
        ("0x50100000 64", NOT_SHOWN),
    ] {
        assert_eq!(desk.refused(&format!("dump {words}")), answer, "{words}");
    }
    let beyond = format!("dump {:#x} 2", 0x1C00_0000 + flash_length - 1);
    assert_eq!(desk.refused(&beyond), NOT_SHOWN);
    for words in ["", "0x20000000", "x 1", "1 x", "0x 1", "0x20000000 0", "1 2 3", "0x120000000 1", "-1 1"] {
        let wrong = r#"{"error":"not an address and a length","allowed":"dump ADDRESS LENGTH"}"#;
        assert_eq!(desk.refused(&format!("dump {words}")), wrong, "{words}");
    }
    assert!(desk.refused("help").contains("dump ADDRESS LENGTH, reboot, bootsel, help"));
}

/// Locked, nothing is dumped any more.
fn a_lock_refuses_a_dump(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.dump(0x1C00_0000, 16).lines().count(), 2);
    assert_eq!(desk.refused(r#"set {"lock":true}"#), r#"{"ok":"set","saved":false}"#);
    assert_eq!(desk.refused("save"), r#"{"ok":"save","saved":true}"#);
    assert_eq!(desk.refused("dump 0x1c000000 16"), LOCKED);
    assert_eq!(desk.refused("dump nonsense"), LOCKED);
}

/// Without picotool-reset nothing opens BOOTSEL mode.
fn bootsel_is_refused_without_the_reset_interface(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.refused("bootsel"), r#"{"error":"the manifest has no picotool-reset"}"#);
    desk.initiator.host.elapse(Duration::from_secs(1));
    assert!(desk.initiator.host.link().attached());
    assert!(desk.refused("bootsel now").starts_with(r#"{"error":"no such command""#));
}

/// With it, the board restarts, whether the settings are locked or not, and answers before.
fn bootsel_restarts(device: &mut dyn Link) {
    let mut desk = Desk::new(Box::new(device));
    assert_eq!(desk.refused(r#"set {"lock":true}"#), r#"{"ok":"set","saved":false}"#);
    assert_eq!(desk.refused("save"), r#"{"ok":"save","saved":true}"#);
    assert_eq!(desk.refused("bootsel"), r#"{"ok":"bootsel","saved":true}"#);
    desk.initiator.host.elapse(Duration::from_millis(300));
    assert!(!desk.initiator.host.link().attached(), "another device is on the cable");
}

fn native(manifest: &Path) -> NativeDevice {
    let plan = plug::plan(Some(manifest)).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    NativeDevice::new(plug::board(plan, contents))
}

fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests").join(name)
}

#[test]
fn memory() {
    memory_is_dumped_as_files_show_it(Box::new(native(&manifest("settings.toml"))), 4 << 20, "");
    memory_is_dumped_as_files_show_it(Box::new(native(&manifest("full.toml"))), 1 << 20, "BOOTROM.BIN");
}

#[test]
fn lock() {
    a_lock_refuses_a_dump(Box::new(native(&manifest("settings.toml"))));
}

#[test]
fn bootsel() {
    bootsel_is_refused_without_the_reset_interface(Box::new(native(&manifest("settings.toml"))));
    let mut device = native(&manifest("full.toml"));
    bootsel_restarts(&mut device);
    assert_eq!(
        format!("{:?}", device.restarts()),
        "[Bootsel { no_mass_storage: false, no_picoboot: false, activity_led: None }]"
    );
}

/// A redaction in RAM, and a file that a setting puts on the volume.
#[test]
fn what_is_redacted_or_not_on_the_volume() {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("console-dump.toml");
    let text = "[usb]\nconsole = true\n\n[settings]\nsectors = 2\n\n\
                [[memory]]\npath = \"SRAM.BIN\"\nbase = 0x20000000\nlength = 8192\n\n\
                [[memory]]\npath = \"ROM.BIN\"\nwindow = \"bootrom\"\nexpose = \"setting\"\n\n\
                [[redact]]\nbase = 0x20000400\nlength = 1024\n";
    fs::write(&path, text).expect("writable");
    let mut desk = Desk::new(Box::new(native(&path)));
    let lines = desk.dump(0x2000_0000, 8192);
    let zeros = |line: &str| line.contains(&"00 ".repeat(8)) && line.ends_with("|................|");
    let hidden: Vec<&str> = lines.lines().filter(|line| zeros(line)).map(|line| &line[..8]).collect();
    assert_eq!((hidden.len(), hidden.first(), hidden.last()), (64, Some(&"20000400"), Some(&"200007f0")), "{hidden:?}");
    assert_eq!(desk.refused("dump 0x20000000 8193"), NOT_SHOWN);
    assert_eq!(desk.refused("dump 0 16"), NOT_SHOWN, "the file is not on the volume");
    assert_eq!(desk.refused(r#"set {"exposed":["ROM.BIN"]}"#), r#"{"ok":"set","saved":false}"#);
    // Until hosts have been notified.
    for _ in 0..60 {
        desk.initiator.host.elapse(Duration::from_secs(1));
        if !desk.initiator.host.link().attached() {
            break;
        }
    }
    desk.initiator.host.elapse(Duration::from_secs(2));
    desk.initiator.enumerate_again().expect("it comes back");
    let mut desk = Desk { terminal: Terminal::open(&mut desk.initiator).expect("a port"), ..desk };
    assert_eq!(desk.dump(0, 16).lines().count(), 2);
}

/// A terminal that echoes everything: nothing of a long dump is taken for a command.
#[test]
fn an_echoed_dump_is_not_answered() {
    let mut desk = Desk::new(Box::new(native(&manifest("settings.toml"))));
    let lines = desk.dump(0x1C00_0000, 4096);
    for line in lines.lines().take(200) {
        desk.terminal.send(&mut desk.initiator, format!("{line}\r\n").as_bytes()).expect("taken");
    }
    desk.initiator.host.elapse(Duration::from_millis(200));
    desk.terminal.take(&mut desk.initiator).expect("it lives");
    assert_eq!(desk.terminal.text(), b"");
    assert_eq!(desk.refused("get label"), r#"{"label":"SETTINGS"}"#);
}

mod ring5 {
    use super::*;

    fn elf(name: &str) -> ElfDevice {
        let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with(name));
        let path =
            path.unwrap_or_else(|| panic!("no argument names {name}; `cargo xtask test --ring 5` builds and names it"));
        let elf = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        ElfDevice::new(&elf).expect("the board boots it")
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml and full.toml: cargo xtask test --ring 5"]
    fn memory() {
        memory_is_dumped_as_files_show_it(Box::new(elf("settings.elf")), 4 << 20, "");
        memory_is_dumped_as_files_show_it(Box::new(elf("full.elf")), 1 << 20, "BOOTROM.BIN");
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn lock() {
        a_lock_refuses_a_dump(Box::new(elf("settings.elf")));
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml and full.toml: cargo xtask test --ring 5"]
    fn bootsel() {
        bootsel_is_refused_without_the_reset_interface(Box::new(elf("settings.elf")));
        let mut device = elf("full.elf");
        bootsel_restarts(&mut device);
        assert_eq!(*device.machine().state(), RunState::BootSel);
        assert_eq!(device.machine().rom_reboot(), Some(RomReboot { flags: 2, parameters: [0, 0] }));
        assert_eq!(device.fault(), None);
    }
}
