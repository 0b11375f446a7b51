//! Where the stock firmware keeps settings: at the end of the chip that is there, whatever the manifest reserves.

#[path = "board_elf/mod.rs"]
mod board_elf;

use picovd_sim::host::system::{LINUX_DESKTOP, System};
use picovd_sim::host::terminal::Terminal;
use picovd_sim::link::Link;

const SECTOR: usize = 4096;

/// Saves a label, and returns what is left of it after the power was off.
fn save_and_replug(link: Box<dyn Link + '_>) -> (String, String) {
    let mut system = System::boot(LINUX_DESKTOP, link).expect("a desktop mounts it");
    let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
    let mut ask = |line: &str| terminal.ask(system.initiator(), line).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(ask(r#"set {"label":"KEPT"}"#), r#"{"ok":"set","saved":false}"#);
    let saved = ask("save");
    system.initiator().host.replug();
    system.initiator().enumerate_again().expect("it is there again");
    let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
    (saved, terminal.ask(system.initiator(), "get label").expect("an answer"))
}

/// The sectors of flash that differ.
fn changed(before: &[u8], after: &[u8]) -> Vec<usize> {
    let sectors = before.chunks(SECTOR).zip(after.chunks(SECTOR)).enumerate();
    sectors.filter(|(_, (before, after))| before != after).map(|(index, _)| index * SECTOR).collect()
}

/// Where the stock manifest's settings are on a chip of that length: four sectors before the last one.
fn expected(length: usize) -> std::ops::Range<usize> {
    length - 5 * SECTOR..length - SECTOR
}

mod native {
    use super::*;
    use picovd_sim::memory::Contents;
    use picovd_sim::native::NativeDevice;
    use picovd_sim::plug;

    /// As from the factory, except for the program, by which the chip's length is found out.
    fn flash(length: usize) -> Contents {
        let mut contents = Contents::noise(length);
        contents.flash[512 << 10..].fill(0xFF);
        contents
    }

    #[test]
    fn settings_are_at_the_end_of_the_chip() {
        let plan = plug::plan(None).unwrap_or_else(|error| panic!("{error}"));
        for length in [1 << 20, 2 << 20, 4 << 20] {
            let board = plug::board(plan.clone(), flash(length));
            let memory = board.memory.clone();
            let read = || memory.with(|contents| contents.flash.clone());
            let before = read();
            let (saved, label) = save_and_replug(Box::new(NativeDevice::new(board)));
            assert_eq!(saved, r#"{"ok":"save","saved":true}"#, "{length}");
            assert_eq!(label, r#"{"label":"KEPT"}"#, "{length}");
            let changed = changed(&before, &read());
            assert!(
                !changed.is_empty() && changed.iter().all(|at| expected(length).contains(at)),
                "{length}: {changed:x?}"
            );
        }
    }
}

mod ring5 {
    use super::*;
    use picovd_sim::board::{ChipIdentity, ElfDevice};

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn settings_are_at_the_end_of_the_chip() {
        let elf = board_elf::bytes();
        for length in [1 << 20, 2 << 20, 4 << 20] {
            let mut device = ElfDevice::with_board(&elf, length, ChipIdentity::default()).expect("the board boots it");
            let before = device.machine().flash().bytes().to_vec();
            let (saved, label) = save_and_replug(Box::new(&mut device));
            assert_eq!(saved, r#"{"ok":"save","saved":true}"#, "{length}");
            assert_eq!(label, r#"{"label":"KEPT"}"#, "{length}");
            let after = device.machine().flash().bytes().to_vec();
            let changed = changed(&before, &after);
            shows_no_settings(&mut device, length);
            assert!(
                !changed.is_empty() && changed.iter().all(|at| expected(length).contains(at)),
                "{length}: {changed:x?}"
            );
        }
    }

    /// FLASH.BIN has zeros there, even if what begins a record has gone.
    fn shows_no_settings(device: &mut ElfDevice, length: usize) {
        for at in expected(length).step_by(SECTOR) {
            assert!(device.machine().flash().preload(at, &[0x55; SECTOR]), "it is in flash");
        }
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it");
        let flash = system.read("FLASH.BIN").expect("it can be read");
        assert_eq!(flash.len(), length);
        assert!(flash[expected(length)].iter().all(|byte| *byte == 0), "{length}");
        assert!(flash[..4096].iter().any(|byte| *byte != 0), "{length}");
    }

    /// On a chip without room for them, nothing is kept, and the program is left alone.
    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn the_shortest_chip_keeps_none() {
        let elf = board_elf::bytes();
        let mut device = ElfDevice::with_board(&elf, 512 << 10, ChipIdentity::default()).expect("the board boots it");
        let before = device.machine().flash().bytes().to_vec();
        let (saved, label) = save_and_replug(Box::new(&mut device));
        assert!(saved.starts_with(r#"{"error":"#), "{saved}");
        assert_ne!(label, r#"{"label":"KEPT"}"#);
        assert_eq!(changed(&before, device.machine().flash().bytes()), [0; 0]);
    }
}
