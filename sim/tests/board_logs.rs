//! Logs from a main loop, and from an interrupt handler and a second core that come in the middle of its lines: text and defmt
//! frames, on the board.

mod board_elf;

mod ring5 {
    use super::board_elf;
    use defmt_decoder::{DecodeError, Table};
    use picovd_sim::board::ElfDevice;
    use picovd_sim::chatter::{LINES, interrupt_lines, main_lines, second_lines};
    use picovd_sim::host::system::{Event, LINUX_DESKTOP, LINUX_KERNEL, System};
    use std::time::Duration;

    /// Level and text of each frame, as defmt's own decoder has them.
    fn decode(table: &Table, bytes: &[u8]) -> Vec<(String, String)> {
        let mut decoder = table.new_stream_decoder();
        decoder.received(bytes);
        let mut frames = Vec::new();
        loop {
            match decoder.decode() {
                Ok(frame) => {
                    let level = frame.level().map_or("none", |level| level.as_str());
                    frames.push((level.to_owned(), frame.display_message().to_string()));
                }
                Err(DecodeError::UnexpectedEof) => return frames,
                Err(DecodeError::Malformed) => panic!("a broken frame after {:?}", frames.last()),
            }
        }
    }

    /// The contexts that log.
    const NAMES: [&str; 3] = ["main", "interrupt", "second"];

    /// What tests/chatter finds in RAM when its second core is to log, too; and when its main loop prints lines piece by piece.
    const THREE: u32 = 0xC4A7_0003;
    const TORN: u32 = 0xC4A7_0004;
    /// The second core alone logs, while the first one sleeps.
    const LATE: u32 = 0xC4A7_0005;

    /// What the main loop logs as its frame of that number, the handler, and the second core.
    fn written(line: u32) -> [(String, String); 3] {
        let level = ["trace", "debug", "info", "warn", "error"][line as usize % 5];
        [
            (level.to_owned(), format!("main {line} of {LINES}")),
            ("info".to_owned(), format!("interrupt {line} of {LINES}, a text, -7, [0, 1, ff]")),
            ("info".to_owned(), format!("second {line} of {LINES}")),
        ]
    }

    /// Number of a frame, and whose it is.
    fn number((_, text): &(String, String)) -> (u32, usize) {
        let mut words = text.split([' ', ',']);
        let writer = NAMES.iter().position(|name| words.clone().next() == Some(*name)).expect("a writer");
        (words.nth(1).and_then(|word| word.parse().ok()).expect("a number"), writer)
    }

    /// Holds frames against what was written: each of them right, and those of each writer in order, without a gap.
    fn assert_right(frames: &[(String, String)]) {
        let mut last = [None; 3];
        for frame in frames {
            let (line, writer) = number(frame);
            let last = &mut last[writer];
            assert!(last.is_none_or(|last| line == last + 1), "{frame:?} after {last:?}");
            *last = Some(line);
            assert_eq!(*frame, written(line)[writer]);
        }
    }

    /// Holds a text against what these writers say: each line whole, none lost or twice, each writer's in order.
    fn judge(text: &str, said: &[String]) -> Result<(), String> {
        let text = text.replace("\r\n", "\n");
        if text.contains(['\r', '\0']) {
            return Err("a line end is broken, or text was lost".to_owned());
        }
        for (name, said) in NAMES.iter().zip(said) {
            let lines: String =
                text.lines().filter(|line| line.starts_with(name)).map(|line| format!("{line}\n")).collect();
            if lines != *said {
                return Err(format!("the lines of {name}"));
            }
        }
        let lines = text.lines().count();
        if lines == said.len() * LINES as usize { Ok(()) } else { Err(format!("{lines} lines")) }
    }

    fn desktop(device: ElfDevice) -> System<'static> {
        System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it")
    }

    fn text(system: &mut System<'_>) -> String {
        String::from_utf8(system.read("STDOUT.TXT").expect("it can be read")).expect("text")
    }

    /// The firmware, with a case to run.
    fn told(elf: &[u8], mode: u32, seed: u64) -> ElfDevice {
        let mut device = ElfDevice::new(elf).expect("the board boots it");
        let place = device.machine().symbol("CHATTER_MODE").expect("tests/chatter has it");
        assert!(device.machine().preload_sram(place, &mode.to_le_bytes()));
        device.machine().interleave(seed);
        device
    }

    #[test]
    #[ignore = "needs tests/chatter: cargo xtask test --ring 5"]
    fn lines_and_frames_stay_whole_while_an_interrupt_logs() {
        let elf = board_elf::bytes();
        let table = Table::parse(&elf).expect("the ELF has what defmt left").expect("it uses defmt");
        let mut system = desktop(ElfDevice::new(&elf).expect("the board boots it"));

        // Nothing has fallen out of the rings yet.
        system.elapse(Duration::from_secs(4));
        let early = decode(&table, &system.read("DEFMT.BIN").expect("it can be read"));
        assert!(early.len() >= 10, "{} frames", early.len());
        assert_eq!((number(&early[0]), number(&early[1])), ((1, 0), (1, 1)));
        assert_right(&early);

        // All is said, and the last change was announced.
        system.elapse(Duration::from_secs(30));
        let text = text(&mut system);
        assert_eq!(judge(&text, &[main_lines(), interrupt_lines()]), Ok(()), "{text}");

        // The first frames have fallen out: the file begins with a whole one, and has all from there on.
        let late = decode(&table, &system.read("DEFMT.BIN").expect("it can be read"));
        assert_right(&late);
        assert!(late.len() > 300 && number(&late[0]).0 > 1, "{} frames, the first {:?}", late.len(), late[0]);
        let last: Vec<_> = late.iter().rev().take(2).map(number).collect();
        assert!(last.contains(&(LINES, 0)) && last.contains(&(LINES, 1)), "{last:?}");
    }

    /// Each volume that the desktop mounts shows what the last one did not.
    #[test]
    #[ignore = "needs tests/chatter: cargo xtask test --ring 5"]
    fn the_tail_shows_each_line_once() {
        let mut system = desktop(ElfDevice::new(&board_elf::bytes()).expect("the board boots it"));
        let mut all = Vec::new();
        let mut look = |system: &mut System<'_>| {
            all.extend(system.read("STDOUT-TAIL.TXT").expect("it can be read"));
        };
        look(&mut system);
        // That was the volume of the boot.
        system.take_events();
        for _ in 0..340 {
            system.elapse(Duration::from_millis(100));
            if system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
                look(&mut system);
            }
        }
        let text = String::from_utf8(all).expect("text");
        assert_eq!(judge(&text, &[main_lines(), interrupt_lines()]), Ok(()), "{text}");
    }

    /// The second core's line is asked for in the middle of one of the main loop's, together with the interrupt handler's.
    #[test]
    #[ignore = "needs tests/chatter: cargo xtask test --ring 5"]
    fn lines_and_frames_stay_whole_while_the_second_core_logs_too() {
        let elf = board_elf::bytes();
        let table = Table::parse(&elf).expect("the ELF has what defmt left").expect("it uses defmt");
        for seed in [1, 2] {
            let mut system = desktop(told(&elf, THREE, seed));
            system.elapse(Duration::from_secs(34));
            let text = text(&mut system);
            assert_eq!(judge(&text, &[main_lines(), interrupt_lines(), second_lines()]), Ok(()), "seed {seed}: {text}");
            let frames = decode(&table, &system.read("DEFMT.BIN").expect("it can be read"));
            assert_right(&frames);
            assert!(frames.len() > 300, "{} frames", frames.len());
            let last: Vec<_> = frames.iter().rev().take(4).map(number).collect();
            assert!((0..3).all(|writer| last.contains(&(LINES, writer))), "{last:?}");
            // The two that are asked at the same moment come now in this order, now in that.
            let order: Vec<_> = text.lines().filter(|line| !line.starts_with("main")).map(|line| &line[..6]).collect();
            let first = order.chunks(2).filter(|pair| pair[0] == "second").count();
            assert!((20..LINES as usize - 20).contains(&first), "the second core was the first {first} times");
        }
    }

    /// The host never polls, so that only the change itself wakes the first core, which announces it by a reconnect.
    #[test]
    #[ignore = "needs tests/chatter: cargo xtask test --ring 5"]
    fn what_the_second_core_logs_is_told_while_the_first_one_sleeps() {
        let device = told(&board_elf::bytes(), LATE, 1);
        let mut system = System::boot(LINUX_KERNEL, Box::new(device)).expect("it is mounted");
        system.elapse(Duration::from_secs(30));
        let events = system.take_events();
        assert!(events.contains(&Event::DeviceGone), "the second core's line does not wake the first core: {events:?}");
        system.remount().expect("it came back");
        assert_eq!(text(&mut system), "late\r\n");
    }

    /// A program that prints its lines piece by piece: the judge above has to notice.
    #[test]
    #[ignore = "needs tests/chatter: cargo xtask test --ring 5"]
    fn lines_that_others_come_into_are_noticed() {
        let mut system = desktop(told(&board_elf::bytes(), TORN, 1));
        system.elapse(Duration::from_secs(34));
        let text = text(&mut system);
        let verdict = judge(&text, &[main_lines(), interrupt_lines(), second_lines()]);
        assert_eq!(verdict, Err("the lines of main".to_owned()), "{text}");
        // A line of each of the others is within one of the main loop's.
        for name in ["interrupt", "second"] {
            assert!(text.lines().any(|line| !line.starts_with(name) && line.contains(name)), "{name}: {text}");
        }
    }
}
