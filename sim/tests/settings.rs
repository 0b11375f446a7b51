//! Settings as a desktop sees them that has both the disk and the serial port: natively, and on the board (ring 5).

use std::path::{Path, PathBuf};
use std::time::Duration;

use picovd_sim::host::exfat::check::check;
use picovd_sim::host::source::BlockSource;
use picovd_sim::host::system::{Event, LINUX_DESKTOP, System};
use picovd_sim::host::terminal::Terminal;
use picovd_sim::link::Link;
use picovd_sim::memory::Contents;
use picovd_sim::native::{Board, NativeDevice};
use picovd_sim::plug;

const OK: &str = r#"{"ok":"set","saved":false}"#;
const SAVED: &str = r#"{"ok":"save","saved":true}"#;

fn manifest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/settings.toml")
}

fn board() -> Board {
    let plan = plug::plan(Some(&manifest())).unwrap_or_else(|problems| panic!("{problems}"));
    let contents = Contents::noise(plan.chip.flash_size as usize);
    plug::board(plan, contents)
}

/// A desktop with the stick plugged in, its port open.
struct Desk {
    system: System<'static>,
    terminal: Terminal,
}

impl Desk {
    fn new(link: Box<dyn Link>) -> Self {
        let mut system = System::boot(LINUX_DESKTOP, link).expect("a desktop mounts it");
        let terminal = Terminal::open(system.initiator()).expect("it has a port");
        Self { system, terminal }
    }

    fn ask(&mut self, line: &str) -> String {
        self.terminal.ask(self.system.initiator(), line).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Lets time pass until the desktop has mounted what changed.
    fn until_mounted(&mut self) {
        self.system.take_events();
        for _ in 0..60 {
            self.system.elapse(Duration::from_secs(1));
            if self.system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
                return;
            }
        }
        panic!("nothing was announced within a minute");
    }

    fn names(&mut self, path: &str) -> Vec<String> {
        let nodes = self.system.list(path).expect("it can be listed");
        nodes.into_iter().map(|node| node.name).collect()
    }

    /// What INFO.JSON and INFO.TXT call the volume.
    fn told_label(&mut self) -> String {
        let mut read = |name: &str| String::from_utf8(self.system.read(name).expect("a file")).expect("text");
        let (json, text) = (read("INFO.JSON"), read("INFO.TXT"));
        let json: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
        let label = json["volume"]["label"].as_str().expect("a label").to_owned();
        assert!(text.contains(&format!("\r\nVolume         {label}, serial number ")), "{text}");
        label
    }

    /// Power off, power on, port open.
    fn replug(mut self) -> Self {
        self.system.initiator().host.replug();
        self.system.initiator().enumerate_again().expect("it is there again");
        self.system.remount().expect("it is mounted again");
        let terminal = Terminal::open(self.system.initiator()).expect("it has a port");
        Self { terminal, ..self }
    }

    /// The strict checker finds nothing wrong with the volume.
    fn check(&mut self) {
        let mut blocks = Blocks(&mut self.system);
        let findings = check(&mut blocks).expect("every block can be read");
        assert!(findings.is_empty(), "{findings:?}");
    }

    /// Every block of the volume, as the disk has it now.
    fn image(&mut self) -> Vec<u8> {
        let mut blocks = Blocks(&mut self.system);
        let count = blocks.block_count();
        let mut image = Vec::new();
        for lba in (0..count).step_by(64) {
            image.extend(blocks.read(lba, 64.min((count - lba) as u32)).expect("it can be read"));
        }
        image
    }
}

/// The disk, past the desktop's cache.
struct Blocks<'d>(&'d mut System<'static>);

impl BlockSource for Blocks<'_> {
    fn block_count(&self) -> u64 {
        // The same for every volume of this manifest.
        let plan = plug::plan(Some(&manifest())).expect("a right manifest");
        plan.volume_length.into()
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, picovd_sim::host::source::ReadError> {
        let cdb = picovd_sim::host::scsi::read_cdb(10, lba, count);
        let data = picovd_sim::host::bot::Data::In(count * 512);
        let outcome = self.0.initiator().scsi(&cdb, data).unwrap_or_else(|error| panic!("block {lba}: {error}"));
        Ok(outcome.data)
    }
}

/// All that a person does: look, change, see it change, save, pull the plug.
fn a_label_is_set_seen_saved_and_there_again(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.system.label().expect("a volume"), "SETTINGS");
    assert_eq!(desk.ask("get label"), r#"{"label":"SETTINGS"}"#);
    assert_eq!(desk.ask(r#"set {"label":"LAB7","hold":1000}"#), OK);
    desk.until_mounted();
    assert_eq!(desk.system.label().expect("a volume"), "LAB7");
    let shown = String::from_utf8(desk.system.read("CONFIG.JSON").expect("a file")).expect("text");
    assert!(shown.starts_with("{\r\n  \"label\":\"LAB7\",\r\n") && shown.contains("\"hold\":1000,"), "{shown}");
    assert_eq!(desk.told_label(), "LAB7");
    desk.check();
    // What is not saved goes with the power.
    let mut desk = desk.replug();
    assert_eq!(desk.system.label().expect("a volume"), "SETTINGS");
    assert_eq!(desk.told_label(), "SETTINGS");
    assert_eq!(desk.ask(r#"set {"label":"LAB8","manufacturer":"Laboratory","product":"Seven"}"#), OK);
    assert_eq!(desk.ask("save"), SAVED);
    assert_eq!(desk.ask(r#"set {"label":"LAB9"}"#), OK);
    let mut desk = desk.replug();
    assert_eq!(desk.system.label().expect("a volume"), "LAB8");
    assert_eq!(desk.ask("get label"), r#"{"label":"LAB8"}"#);
    assert_eq!(desk.told_label(), "LAB8");
    let strings = &desk.system.initiator().device.strings;
    assert_eq!((strings[0].as_deref(), strings[1].as_deref()), (Some("Laboratory"), Some("Seven")));
    desk.check();
}

/// Files come and go as settings say, and nothing of them remains.
fn files_are_exposed_and_hidden(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    let plan = plug::plan(Some(&manifest())).expect("a right manifest");
    let plans = b"They are on the volume when a setting says so.\n";
    assert_eq!(desk.names("folder"), ["LAST.TXT"]);
    assert!(!desk.names("").contains(&"SECRET-PLANS.TXT".to_owned()));
    let files = r#"{"files":{"SECRET-PLANS.TXT":false,"folder/EMPTY.TXT":false,"folder/ROM.BIN":false}}"#;
    assert_eq!(desk.ask("files"), files);
    desk.check();
    let holds = |image: &[u8], bytes: &[u8]| image.windows(bytes.len()).any(|window| window == bytes);
    // All of the volume but the memory, which holds the program and with it the text.
    let small = |desk: &mut Desk| {
        let mut image = desk.image();
        for file in &plan.files {
            if file.path == "SRAM.BIN" || file.path == "FLASH.BIN" || file.path == "CACHED.BIN" {
                let first = (plan.cluster_heap_offset as usize + (file.first_cluster as usize - 2) * 8) * 512;
                image[first..first + file.length as usize].fill(0);
            }
        }
        image
    };
    assert!(!holds(&small(&mut desk), plans), "a hidden file's blocks are zeros");

    let all = r#"set {"exposed":["folder/ROM.BIN","SECRET-PLANS.TXT","folder/EMPTY.TXT"],"hold":0}"#;
    assert_eq!(desk.ask(all), OK);
    desk.until_mounted();
    assert_eq!(desk.names("folder"), ["EMPTY.TXT", "LAST.TXT", "ROM.BIN"]);
    assert_eq!(desk.system.read("SECRET-PLANS.TXT").expect("a file"), plans);
    assert_eq!(desk.system.read("folder/ROM.BIN").expect("a file").len(), 32 << 10);
    assert_eq!(desk.system.read("folder/EMPTY.TXT").expect("a file"), b"");
    assert!(holds(&small(&mut desk), plans));
    desk.check();

    assert_eq!(desk.ask(r#"set {"exposed":["folder/EMPTY.TXT"]}"#), OK);
    desk.until_mounted();
    assert_eq!(desk.names("folder"), ["EMPTY.TXT", "LAST.TXT"]);
    let image = small(&mut desk);
    assert!(!holds(&image, plans), "nothing is left of it");
    let name: Vec<u8> = "SECRET-PLANS".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(!holds(&image, &name), "not even its name");
    desk.check();
}

/// Wherever flash is shown, the settings' sectors are not.
fn flash_shows_no_settings(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    let product = "Find-me-in-flash-0123456789";
    assert_eq!(desk.ask(&format!(r#"set {{"product":"{product}"}}"#)), OK);
    assert_eq!(desk.ask("save"), SAVED);
    let flash = desk.system.read("FLASH.BIN").expect("a file");
    assert_eq!(flash.len(), 4 << 20);
    assert!(flash[0x3F_D000..0x3F_F000].iter().all(|byte| *byte == 0), "the settings' sectors read as zeros");
    assert!(!flash.windows(product.len()).any(|window| window == product.as_bytes()));
    // A custom window, through another alias: it begins one sector before them.
    let window = desk.system.read("CACHED.BIN").expect("a file");
    assert!(window[..0x1000] == flash[0x3F_C000..0x3F_D000] && window[0x1000..0x3000].iter().all(|byte| *byte == 0));
}

/// A lock that is saved holds.
fn a_lock_holds(link: Box<dyn Link>) {
    let mut desk = Desk::new(link);
    assert_eq!(desk.ask(r#"set {"lock":true}"#), OK);
    assert_eq!(desk.ask("save"), SAVED);
    let mut desk = desk.replug();
    for line in [r#"set {"label":"X"}"#, "save", "revert", "defaults"] {
        let answer = r#"{"error":"the settings are locked","allowed":"get, files, reboot, bootsel, help"}"#;
        assert_eq!(desk.ask(line), answer);
    }
    assert_eq!(desk.ask("get lock"), r#"{"lock":true}"#);
    assert_eq!(desk.ask("reboot"), r#"{"ok":"reboot","saved":true}"#);
}

/// Lines that come while the port is closed are accepted, so that no host waits, but not carried out: the answers would not be seen.
fn a_closed_port_obeys_nothing(link: Box<dyn Link>) {
    let Desk { mut system, terminal } = Desk::new(link);
    terminal.close(system.initiator()).expect("closed");
    let port = system.initiator().device.console.expect("a port");
    for _ in 0..8 {
        let lines = b"get\r\nset {\"label\":\"QUIET\"}\r\nhelp\r\n";
        system.initiator().host.out_packet(port.bulk_out, lines).expect("taken");
    }
    let terminal = Terminal::open(system.initiator()).expect("it has a port");
    let mut desk = Desk { system, terminal };
    assert_eq!(desk.ask("get label"), r#"{"label":"SETTINGS"}"#, "the first answer is that of the first command");
}

fn native() -> Box<dyn Link> {
    Box::new(NativeDevice::new(board()))
}

#[test]
fn label() {
    a_label_is_set_seen_saved_and_there_again(native());
}

#[test]
fn exposure() {
    files_are_exposed_and_hidden(native());
}

#[test]
fn redaction() {
    flash_shows_no_settings(native());
}

#[test]
fn lock() {
    a_lock_holds(native());
}

#[test]
fn closed_port() {
    a_closed_port_obeys_nothing(native());
}

#[test]
fn a_port_that_is_closed_drops_its_answers() {
    let mut desk = Desk::new(native());
    desk.terminal.send(desk.system.initiator(), b"get\r\n").expect("taken");
    desk.terminal.close(desk.system.initiator()).expect("closed");
    desk.system.elapse(Duration::from_millis(50));
    desk.terminal = Terminal::open(desk.system.initiator()).expect("open");
    desk.system.elapse(Duration::from_millis(150));
    desk.terminal.take(desk.system.initiator()).expect("it works");
    let first = desk.terminal.line().unwrap_or_default();
    assert!(first.starts_with("PicoVD "), "{first}");
    assert_eq!(desk.ask("get label"), r#"{"label":"SETTINGS"}"#);
}

mod ring2 {
    use super::*;
    use std::process::Command;

    /// Holds the volume, as the disk has it now, against fsck.exfat: its line about a clean volume counts what the host lists.
    fn fsck(desk: &mut Desk, moment: &str) {
        let path = std::env::temp_dir().join(format!("picovd-{}-{moment}.img", std::process::id()));
        std::fs::write(&path, desk.image()).expect("a scratch file");
        let said =
            Command::new("fsck.exfat").arg("-n").arg(&path).output().expect("fsck.exfat, of Debian's exfatprogs");
        std::fs::remove_file(&path).expect("the scratch file");
        // The root directory and `folder`, which the root lists.
        let files = desk.names("").len() - 1 + desk.names("folder").len();
        let clean = format!("clean. directories 2, files {files}");
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        assert!(said.status.success() && lines.len() == 2 && lines[1].ends_with(&clean), "{moment}, {clean}: {said:?}");
    }

    #[test]
    #[ignore = "needs fsck.exfat: cargo xtask test --ring 2"]
    fn fsck_finds_every_state_clean() {
        let mut desk = Desk::new(native());
        fsck(&mut desk, "hidden");
        assert_eq!(desk.ask(r#"set {"label":"L\u00e4b 7","hold":0}"#), OK);
        desk.until_mounted();
        assert_eq!(desk.system.label().expect("a volume"), "Läb 7");
        fsck(&mut desk, "labelled");
        let all = r#"set {"exposed":["folder/ROM.BIN","SECRET-PLANS.TXT","folder/EMPTY.TXT"]}"#;
        assert_eq!(desk.ask(all), OK);
        desk.until_mounted();
        assert_eq!(desk.names("folder").len(), 3);
        fsck(&mut desk, "shown");
        assert_eq!(desk.ask(r#"set {"exposed":["SECRET-PLANS.TXT"],"label":""}"#), OK);
        desk.until_mounted();
        assert_eq!(desk.names("folder"), ["LAST.TXT"]);
        fsck(&mut desk, "some");
        desk.check();
    }
}

mod ring5 {
    use super::*;
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::{Host, Initiator};

    fn device() -> ElfDevice {
        let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with("settings.elf"));
        let path = path.expect("no argument names settings.elf; `cargo xtask test --ring 5` builds and names it");
        let elf = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        ElfDevice::new(&elf).expect("the board boots it")
    }

    fn elf() -> Box<dyn Link> {
        Box::new(device())
    }

    /// A script at the port sets and saves as fast as it can. What counts is what the flash chip has seen.
    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn a_script_at_the_port_cannot_wear_the_flash_out() {
        const TOO_OFTEN: &str =
            r#"{"error":"not saved: too many saves wear the flash out","allowed":"again in a minute"}"#;
        let mut device = device();
        let mut number = 0;
        // Two erases at the start, and one more each minute.
        for (minute, granted) in (0..3).zip(2..) {
            let (mut saved, mut refused) = (0, 0);
            let mut initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it enumerates");
            let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
            let mut ask =
                |line: &str| terminal.ask(&mut initiator, line).unwrap_or_else(|error| panic!("{line}: {error}"));
            while refused < 60 {
                number += 1;
                assert_eq!(ask(&format!(r#"set {{"hold":{number}}}"#)), OK);
                match ask("save").as_str() {
                    SAVED => {
                        saved += 1;
                        assert_eq!(ask("save"), SAVED, "what is saved is not written again");
                    }
                    TOO_OFTEN => refused += 1,
                    other => panic!("{other}"),
                }
                assert!(saved < 100, "it is never refused");
            }
            assert_eq!(ask("get hold"), format!(r#"{{"hold":{number}}}"#), "what was refused holds");
            initiator.host.elapse(Duration::from_secs(61));
            drop(initiator);
            let (erases, programs) = device.machine().flash().operations();
            println!("minute {minute}: {saved} saved, {refused} refused; {erases} erases, {programs} programs so far");
            assert_eq!(erases, granted, "minute {minute}: {saved} saved, {refused} refused");
            assert!(saved >= if minute == 0 { 17 } else { 1 }, "minute {minute}: {saved} saved");
        }
        assert_eq!(device.fault(), None);
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn label() {
        a_label_is_set_seen_saved_and_there_again(elf());
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn exposure() {
        files_are_exposed_and_hidden(elf());
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn redaction() {
        flash_shows_no_settings(elf());
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn lock() {
        a_lock_holds(elf());
    }

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn closed_port() {
        a_closed_port_obeys_nothing(elf());
    }
}
