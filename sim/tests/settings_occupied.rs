//! A board whose flash ends with a foreign file system, where the manifest has its settings: the stick starts, reports that, and
//! erases nothing until it is commanded to. Natively, and on the board (ring 5).

mod board_elf;

use picovd_sim::host::exfat::Volume;
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::terminal::Terminal;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::random::Random;
use serde_json::Value;

/// Where tests/manifests/settings.toml puts the settings: two sectors in front of flash's last.
const SETTINGS: std::ops::Range<usize> = 0x3F_D000..0x3F_F000;
/// Where the file system begins, and its blocks.
const START: usize = 0x3F_0000;
const BLOCKS: u32 = 16;

const OCCUPIED: &str =
    r#"{"error":"occupied by a littlefs, the files of MicroPython or Arduino-Pico","allowed":"save claim"}"#;
const SAVED: &str = r#"{"ok":"save","saved":true}"#;

/// A littlefs of 64 KiB: its superblocks (SPEC.md of littlefs), and blocks of files without a mark.
fn littlefs() -> Vec<u8> {
    let mut image = vec![0; BLOCKS as usize * 4096];
    Random::new(14).fill(&mut image);
    let mut superblock = [1, 0, 0, 0, 0xF0, 0x0F, 0xFF, 0xF7].to_vec();
    superblock.extend(b"littlefs\x2F\xE0\x00\x10");
    superblock.extend(0x0002_0001_u32.to_le_bytes());
    superblock.extend(4096_u32.to_le_bytes());
    superblock.extend(BLOCKS.to_le_bytes());
    for block in 0..2 {
        image[block * 4096..block * 4096 + superblock.len()].copy_from_slice(&superblock);
    }
    image
}

fn infos(link: &mut dyn Link) -> (String, Value) {
    let initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut disk = Disk::open(initiator).expect("the unit is ready");
    let mut volume = Volume::open(&mut disk).expect("a volume");
    let mut file = |name: &str| {
        let node = volume.find(name).expect("the file is there");
        String::from_utf8(volume.read_file(&node).expect("it can be read")).expect("UTF-8")
    };
    let (text, json) = (file("INFO.TXT"), file("INFO.JSON"));
    let json = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}:\n{json}"));
    (text, json)
}

fn ask(link: &mut dyn Link, lines: &[&str]) -> Vec<String> {
    let mut initiator = Initiator::attach(Host::new(Box::new(link))).expect("it enumerates");
    let mut terminal = Terminal::open(&mut initiator).expect("it has a port");
    let mut ask = |line: &&str| terminal.ask(&mut initiator, line).unwrap_or_else(|error| panic!("{line}: {error}"));
    lines.iter().map(&mut ask).collect()
}

/// All of it. `flash` reads the chip.
fn what_is_somebodys_stays<L: Link>(mut link: L, flash: impl Fn(&mut L) -> Vec<u8>) {
    let before = flash(&mut link);
    assert_eq!(before[START..], littlefs(), "the board has it");
    let (text, json) = infos(&mut link);
    let line = "\r\nSettings       not saved: the flash for them is occupied (littlefs). `save claim` takes it";
    assert!(text.contains(line), "{text}");
    assert_eq!(json["settings"]["occupied"], "littlefs");
    let set = r#"set {"label":"MINE"}"#;
    let answers = ask(&mut link, &[set, "save", "save", "get label", "help"]);
    assert_eq!(answers[..4], [r#"{"ok":"set","saved":false}"#, OCCUPIED, OCCUPIED, r#"{"label":"MINE"}"#]);
    assert!(answers[4].contains(", save claim, "), "{}", answers[4]);
    link.replug();
    assert_eq!(ask(&mut link, &["get label", "save"]), [r#"{"label":"SETTINGS"}"#, OCCUPIED]);
    assert!(flash(&mut link) == before, "the flash is as it was");
    assert_eq!(ask(&mut link, &[set, "save claim", "save"])[1..], [SAVED, SAVED]);
    link.replug();
    assert_eq!(ask(&mut link, &["get label", "save"]), [r#"{"label":"MINE"}"#, SAVED]);
    let (text, json) = infos(&mut link);
    assert!(!text.contains("Settings "), "{text}");
    assert_eq!(json["settings"]["occupied"], Value::Null);
    let after = flash(&mut link);
    assert!(after[..SETTINGS.start] == before[..SETTINGS.start], "what is before its sectors");
    assert!(after[SETTINGS.end..] == before[SETTINGS.end..], "what is after them");
    assert!(after[SETTINGS] != before[SETTINGS], "they are taken");
}

mod native {
    use super::{START, littlefs, what_is_somebodys_stays};
    use picovd_sim::memory::Contents;
    use picovd_sim::native::NativeDevice;
    use picovd_sim::plug;
    use std::path::Path;

    #[test]
    fn what_is_somebodys_is_kept() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/settings.toml");
        let plan = plug::plan(Some(&manifest)).unwrap_or_else(|problems| panic!("{problems}"));
        let contents = Contents::noise(plan.chip.flash_size as usize);
        let board = plug::board(plan, contents);
        let memory = board.memory.clone();
        memory.with(|contents| contents.flash[START..].copy_from_slice(&littlefs()));
        what_is_somebodys_stays(NativeDevice::new(board), |_| memory.with(|contents| contents.flash.clone()));
    }
}

mod ring5 {
    use super::{START, board_elf, littlefs, what_is_somebodys_stays};
    use picovd_sim::board::ElfDevice;
    use picovd_sim::link::Link;

    #[test]
    #[ignore = "needs the firmware of tests/manifests/settings.toml: cargo xtask test --ring 5"]
    fn what_is_somebodys_is_kept() {
        let mut device = ElfDevice::new(&board_elf::bytes()).expect("the board boots it");
        assert!(device.machine().flash().preload(START, &littlefs()));
        device.replug();
        what_is_somebodys_stays(&mut device, |device| device.machine().flash().bytes().to_vec());
        assert_eq!(device.fault(), None);
    }
}
