//! Logs from a main loop and an interrupt handler that comes in the middle of its lines: text and defmt frames, on the board.

mod board_elf;

mod ring5 {
    use super::board_elf;
    use defmt_decoder::{DecodeError, Table};
    use picovd_sim::board::ElfDevice;
    use picovd_sim::chatter::{LINES, interrupt_lines, main_lines};
    use picovd_sim::host::system::{LINUX_DESKTOP, System};
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
                Err(DecodeError::Malformed) => panic!("a broken frame behind {:?}", frames.last()),
            }
        }
    }

    /// What the main loop logs as its frame of that number, and the handler.
    fn written(line: u32) -> [(String, String); 2] {
        let level = ["trace", "debug", "info", "warn", "error"][line as usize % 5];
        [
            (level.to_owned(), format!("main {line} of {LINES}")),
            ("info".to_owned(), format!("interrupt {line} of {LINES}, a text, -7, [0, 1, ff]")),
        ]
    }

    /// Number of a frame, and whether it is the handler's.
    fn number((_, text): &(String, String)) -> (u32, bool) {
        let mut words = text.split([' ', ',']);
        let interrupt = words.next() == Some("interrupt");
        (words.next().and_then(|word| word.parse().ok()).expect("a number"), interrupt)
    }

    /// Holds frames against what was written: each of them right, and those of each writer in order, without a gap.
    fn assert_right(frames: &[(String, String)]) {
        let mut last = [None; 2];
        for frame in frames {
            let (line, interrupt) = number(frame);
            let last = &mut last[usize::from(interrupt)];
            assert!(last.is_none_or(|last| line == last + 1), "{frame:?} behind {last:?}");
            *last = Some(line);
            assert_eq!(*frame, written(line)[usize::from(interrupt)]);
        }
    }

    #[test]
    #[ignore = "needs tests/chatter: cargo xtask test --ring 5"]
    fn lines_and_frames_stay_whole_while_an_interrupt_logs() {
        let elf = board_elf::bytes();
        let table = Table::parse(&elf).expect("the ELF has what defmt left").expect("it uses defmt");
        let device = ElfDevice::new(&elf).expect("the board boots it");
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it");

        // Nothing has fallen out of the rings yet.
        system.elapse(Duration::from_secs(4));
        let early = decode(&table, &system.read("DEFMT.BIN").expect("it can be read"));
        assert!(early.len() >= 10, "{} frames", early.len());
        assert_eq!(number(&early[0]), (1, false));
        assert_eq!(number(&early[1]), (1, true));
        assert_right(&early);

        // All is said, and the last change was announced.
        system.elapse(Duration::from_secs(30));
        let text = String::from_utf8(system.read("STDOUT.TXT").expect("it can be read")).expect("text");
        let text = text.replace("\r\n", "\n");
        assert!(!text.contains(['\r', '\0']), "a line end is broken, or text was lost");
        let of = |name: &str| -> String {
            text.lines().filter(|line| line.starts_with(name)).map(|line| format!("{line}\n")).collect()
        };
        assert!(of("main ") == main_lines(), "{text}");
        assert!(of("interrupt ") == interrupt_lines(), "{text}");
        assert_eq!(text.lines().count(), 2 * LINES as usize, "{text}");

        // The first frames have fallen out: the file begins with a whole one, and has all from there on.
        let late = decode(&table, &system.read("DEFMT.BIN").expect("it can be read"));
        assert_right(&late);
        assert!(late.len() > 300 && number(&late[0]).0 > 1, "{} frames, the first {:?}", late.len(), late[0]);
        let last: Vec<(u32, bool)> = late.iter().rev().take(2).map(number).collect();
        assert!(last.contains(&(LINES, false)) && last.contains(&(LINES, true)), "{last:?}");
    }
}
