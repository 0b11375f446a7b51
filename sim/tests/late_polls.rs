//! A program that looks after USB late: every story holds where it computes before its first poll, and where it does nothing
//! for a while after each bus reset, as in an erase of flash or a long critical section.

use picovd_sim::link::Link;
use picovd_sim::story::{Effort, Story};
use std::time::Duration;

/// How late, in milliseconds: less than a host's reset and recovery (USB 2.0 7.1.7.5), more than them, more than the debounce
/// interval (7.1.7.3) on top, and more than a host's patience with one transaction.
const LATE: [u64; 6] = [1, 15, 60, 130, 400, 1000];

/// Plays each of the stories with each delay. What goes wrong, one line each.
fn play<'s>(
    stories: impl Iterator<Item = &'s Story> + Clone,
    effort: Effort,
    delays: &[u64],
    mut plug: impl FnMut() -> Box<dyn Link>,
) -> Vec<String> {
    let mut failures = Vec::new();
    for late in delays {
        for story in stories.clone() {
            let effort = Effort { stall: Duration::from_millis(*late), ..effort };
            if let Err(error) = story.play(plug(), effort) {
                failures.push(format!("{} ms late, {}: {error}", late, story.name));
            }
        }
    }
    failures
}

mod library {
    use super::*;
    use picovd_sim::plug;
    use picovd_sim::story::STORIES;

    #[test]
    fn every_story_holds_where_the_library_is_polled_late() {
        let effort = Effort { random_wrappers: 500, ..Effort::NATIVE };
        let failures = play(STORIES.iter(), effort, &LATE, || {
            plug::open(Some(&plug::plain_manifest()), None).expect("a good manifest").link
        });
        assert!(failures.is_empty(), "{}\n{}", failures.len(), failures.join("\n"));
    }
}

mod ring5 {
    use super::*;
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::{Host, Initiator};
    use picovd_sim::story::STORIES;
    use std::path::PathBuf;

    fn elf(name: &str) -> Vec<u8> {
        let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with(name));
        let path = path.unwrap_or_else(|| panic!("no argument names {name}; `cargo xtask test --ring 5` builds it"));
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    fn board(elf: &[u8]) -> Box<dyn Link> {
        Box::new(ElfDevice::new(elf).expect("the board boots it"))
    }

    /// Every delay with `--long`; else the stories take turns.
    fn delays(turn: usize) -> Vec<u64> {
        if std::env::var_os("PICOVD_LONG").is_some() { LATE.to_vec() } else { vec![LATE[turn % LATE.len()]] }
    }

    #[test]
    #[ignore = "needs the firmware: cargo xtask test --ring 5"]
    fn every_story_holds_where_the_board_does_nothing_after_each_bus_reset() {
        let elf = elf("plain.elf");
        let effort = Effort { random_wrappers: 100, ..Effort::EMULATED };
        let mut failures = Vec::new();
        for (turn, story) in STORIES.iter().enumerate() {
            failures.extend(play([story].into_iter(), effort, &delays(turn), || board(&elf)));
        }
        assert!(failures.is_empty(), "{}\n{}", failures.len(), failures.join("\n"));
    }

    /// The program that `cargo sim new` writes, with a start-up that takes long.
    mod template {
        use super::*;

        /// What is before the two words: how long the start-up takes, in milliseconds, and whether interrupts serve the stick.
        const MARK: [u32; 2] = [0x4C41_5445, 0x504F_4C4C];

        fn program(late: u64, served: bool) -> Vec<u8> {
            let mut elf = elf("my-stick.elf");
            let mark = MARK.map(u32::to_le_bytes).concat();
            let places: Vec<usize> = (0..elf.len() - 16).filter(|at| elf[*at..].starts_with(&mark)).collect();
            let [at] = places[..] else { panic!("{} marks in the ELF file", places.len()) };
            elf[at + 8..at + 12].copy_from_slice(&(late as u32).to_le_bytes());
            elf[at + 12..at + 16].copy_from_slice(&u32::from(served).to_le_bytes());
            elf
        }

        fn plays(served: bool) {
            let mut failures = Vec::new();
            for (turn, story) in STORIES.iter().enumerate() {
                for late in delays(turn) {
                    // No retries: a device that is not polled yet is not attached yet.
                    let effort = Effort { random_wrappers: 100, ..Effort::EMULATED };
                    if let Err(error) = story.play(board(&program(late, served)), effort) {
                        failures.push(format!("{late} ms late, {}: {error}", story.name));
                    }
                }
            }
            assert!(failures.is_empty(), "{}\n{}", failures.len(), failures.join("\n"));
        }

        /// The watchdog that a reboot through the boot ROM left armed with 100 ms does not restart a program that starts for 200.
        #[test]
        #[ignore = "needs the program: cargo xtask test --ring 5"]
        fn a_slow_start_after_a_reboot_through_the_rom_is_not_cut_short() {
            for served in [false, true] {
                let mut device = ElfDevice::new(&program(200, served)).expect("the board boots it");
                device.elapse(Duration::from_millis(500));
                assert!(device.attached());
                device.machine().reboot_through_rom(100);
                assert!(!device.attached());
                let mut initiator = Initiator::attach(Host::new(Box::new(&mut device))).expect("it comes back");
                initiator.wait_ready().expect("a disk");
                initiator.host.elapse(Duration::from_secs(20));
                initiator.test_unit_ready().expect("it stays");
                drop(initiator);
                assert_eq!(device.machine().reboots(), 1, "served: {served}");
            }
        }

        #[test]
        #[ignore = "needs the program: cargo xtask test --ring 5"]
        fn every_story_holds_where_the_first_poll_is_late() {
            plays(false);
        }

        #[test]
        #[ignore = "needs the program: cargo xtask test --ring 5"]
        fn every_story_holds_where_interrupts_serve_the_stick_late() {
            plays(true);
        }
    }
}
