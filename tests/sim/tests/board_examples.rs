//! The examples' programs on the emulated board: what their files say, and that it changes as it should.

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::system::{Event, LINUX_DESKTOP, System};
    use std::path::PathBuf;
    use std::time::Duration;

    /// A desktop that finds the board with the program of that name, which stands among this test's arguments.
    fn boot(name: &str) -> System<'static> {
        let file = format!("{name}.elf");
        let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with(&file));
        let path = path.expect("no argument names the example's ELF; `cargo xtask test --ring 5` builds and names it");
        let elf = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let device = ElfDevice::new(&elf).expect("the board boots it");
        System::boot(LINUX_DESKTOP, Box::new(device)).expect("a desktop mounts it")
    }

    fn text(system: &mut System<'_>, path: &str) -> String {
        String::from_utf8(system.read(path).expect("it can be read")).expect("text")
    }

    /// Lets time pass until the desktop has mounted what changed.
    fn until_mounted(system: &mut System<'_>) {
        system.take_events();
        for _ in 0..60 {
            system.elapse(Duration::from_secs(1));
            if system.take_events().iter().any(|event| matches!(event, Event::Mounted(_))) {
                return;
            }
        }
        panic!("nothing was announced within a minute");
    }

    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn expose_memory() {
        let mut system = boot("expose-memory");
        let flash = system.read("FLASH.BIN").expect("it can be read");
        assert_eq!(flash.len(), 4 << 20);
        // The program itself: a vector table whose stack pointer lies in SRAM and whose reset vector in flash, Thumb bit set.
        assert_eq!(&flash[2..4], [0x08, 0x20]);
        assert_eq!((flash[4] & 1, flash[7]), (1, 0x10));
        assert!(system.read("parts/PROGRAM-START.BIN").expect("it can be read") == flash[..4096]);
        let sram = system.read("SRAM.BIN").expect("it can be read");
        assert_eq!(sram.len(), 520 << 10);
        assert!(sram[..4096].iter().any(|byte| *byte != 0), "variables");
        assert!(sram[(520 << 10) - 4096..].iter().all(|byte| *byte == 0), "what is redacted");
        assert_eq!(system.read("BOOTROM.BIN").expect("it can be read").len(), 32 << 10);
    }

    /// The numbers of the lines `Line N at M ms.`, each at its moment.
    fn lines(text: &str) -> Vec<u32> {
        let numbers = text.lines().filter(|line| line.starts_with("Line ")).map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            let number: u32 = words[1].parse().expect("a number");
            assert_eq!(line, format!("Line {number} at {} ms.", number * 250));
            number
        });
        numbers.collect()
    }

    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn log_to_file() {
        let mut system = boot("log-to-file");
        until_mounted(&mut system);
        let first = text(&mut system, "STDOUT.TXT");
        assert!(first.starts_with("The program begins.\r\nLine 1 at 250 ms.\r\n"), "{first:?}");
        until_mounted(&mut system);
        let second = text(&mut system, "STDOUT.TXT");
        assert!(second.starts_with(&first) && second.len() > first.len());
        let all = lines(&second);
        assert!(all.iter().copied().eq(1..=all.len() as u32), "{all:?}");
        let tail = text(&mut system, "STDOUT-TAIL.TXT");
        assert!(second.ends_with(&tail) && lines(&tail).last() == all.last(), "{tail:?}");
    }

    /// Seconds and hundredths of a degree of SENSOR.CSV.
    fn readings(text: &str) -> Vec<(u32, i32)> {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("second,celsius"));
        lines
            .map(|line| {
                let (second, celsius) = line.split_once(',').expect("two columns");
                let (whole, part) = celsius.split_once('.').expect("two places");
                let value = whole.parse::<i32>().expect("a number") * 100 + part.parse::<i32>().expect("a number");
                (second.parse().expect("a number"), value)
            })
            .collect()
    }

    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn sensor() {
        let mut system = boot("sensor");
        let mut last = 0;
        let mut seen = 0;
        // Long enough for the ring to turn.
        while last < 25 {
            until_mounted(&mut system);
            let now = system.now();
            let readings = readings(&text(&mut system, "SENSOR.CSV"));
            assert!((1..=20).contains(&readings.len()));
            let first = readings[0].0;
            for (index, (second, value)) in (0..).zip(&readings) {
                let into = second % 60;
                assert_eq!((*second, *value), (first + index, 2000 + 10 * into.min(60 - into) as i32));
            }
            let newest = readings.last().expect("one at least").0;
            assert!(newest > last, "{newest} after {last}");
            let age = now.as_secs() - u64::from(newest);
            assert!(age <= 6, "the newest reading is {age} s old");
            last = newest;
            seen += 1;
        }
        // `hold` is 10 s, and the way of telling takes 2.5 s and a look of the host.
        assert!((2..=4).contains(&seen), "{seen} announcements in {last} s");
    }

    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn own_firmware() {
        let mut system = boot("own-firmware");
        assert_eq!(text(&mut system, "BLINKS.TXT"), "The LED blinked 0 times.\r\n");
        until_mounted(&mut system);
        // What was true when the generation began, some seconds after the change.
        let told = text(&mut system, "BLINKS.TXT");
        let count = told.strip_prefix("The LED blinked ").and_then(|rest| rest.strip_suffix(" times.\r\n"));
        let count: u64 = count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{told:?}"));
        let now = system.now().as_secs();
        assert!((10..=now).contains(&count) && now <= 20, "{count} blinks in {now} s, one a second");
        assert_eq!(system.read("SCRATCH.BIN").expect("it can be read").len(), 128 << 10);
    }
}
