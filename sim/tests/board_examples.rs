//! The examples' programs on the emulated board: what their files say, and that it changes as it should.

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::host::bot::Data;
    use picovd_sim::host::scsi::read_cdb;
    use picovd_sim::host::system::{Event, LINUX_DESKTOP, LINUX_KERNEL, Profile, System};
    use picovd_sim::host::terminal::Terminal;
    use picovd_sim::random::Random;
    use std::path::PathBuf;
    use std::time::Duration;

    /// A desktop that finds the board with the program of that name, which is among this test's arguments.
    fn boot(name: &str) -> System<'static> {
        boot_on(name, LINUX_DESKTOP)
    }

    fn boot_on(name: &str, profile: Profile) -> System<'static> {
        let file = format!("{name}.elf");
        let path = std::env::args_os().map(PathBuf::from).find(|word| word.ends_with(&file));
        let path = path.expect("no argument names the example's ELF; `cargo xtask test --ring 5` builds and names it");
        let elf = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mut device = ElfDevice::new(&elf).expect("the board boots it");
        // The USB stack of embassy is not PicoVD's: see docs/EMBASSY.md.
        device.machine().set_tolerant(name == "embassy");
        System::boot(profile, Box::new(device)).expect("the system mounts it")
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

    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn partitions() {
        let mut system = boot("partitions");
        for (path, length) in [("partitions/Presets.BIN", 16 << 10), ("partitions/Samples.BIN", 1 << 20)] {
            let bytes = system.read(path).expect("it can be read");
            assert!(bytes.len() == length && bytes.iter().all(|byte| *byte == 0xFF), "{path}: {} bytes", bytes.len());
        }
        let shown = text(&mut system, "partitions/PARTITIONS.JSON");
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["table"], "present");
        assert_eq!(shown["partitions"].as_array().map(Vec::len), Some(2), "{shown}");
        assert_eq!(
            (&shown["partitions"][1]["offset"], &shown["partitions"][1]["families"][0]),
            (&(516 * 4096).into(), &"data".into())
        );
        assert_eq!(shown["unpartitioned"]["families"], serde_json::json!(["absolute", "rp2350-arm-s"]));
    }

    /// The main loop computes on while the host mounts the volume and reads it, and its result is right.
    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn interrupts() {
        let primes =
            |below: u32| (2..below).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count();
        let mut system = boot("interrupts");
        let mut last = 0;
        while last < 500_000 {
            let flash = system.read("FLASH.BIN").expect("it can be read");
            assert_eq!((flash[4] & 1, flash[7]), (1, 0x10), "a reset vector in flash, Thumb bit set");
            until_mounted(&mut system);
            let shown = text(&mut system, "PRIMES.TXT");
            let (found, below) = shown.trim_end().split_once(" prime numbers below ").expect("its one sentence");
            let found: usize = found.parse().expect("a number");
            let below: u32 = below.strip_suffix('.').and_then(|number| number.parse().ok()).expect("a number");
            assert_eq!(found, primes(below), "below {below}");
            assert!(below > last && below.is_multiple_of(50_000), "{below} after {last}");
            last = below;
        }
    }

    /// Seconds and hundredths of a degree of SENSOR.CSV.
    fn readings(text: &str) -> Vec<(u32, i32)> {
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("second,celsius"));
        lines
            .map(|line| {
                let (second, celsius) = line.split_once(',').expect("two columns");
                let celsius: f64 = celsius.parse().expect("a number");
                (second.parse().expect("a number"), (celsius * 100.0).round() as i32)
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
                // The emulated sensor: 876 of 4096.
                assert_eq!((*second, *value), (first + index, 2713));
            }
            let newest = readings.last().expect("one at least").0;
            assert!(newest > last, "{newest} after {last}");
            let age = now.as_secs() - u64::from(newest);
            assert!(age <= 6, "the newest reading is {age} s old");
            last = newest;
            seen += 1;
        }
        // `hold` is 10 s, and the announcement takes 2.5 s plus a poll of the host.
        assert!((2..=4).contains(&seen), "{seen} announcements in {last} s");
    }

    /// On embassy: the same by a task, beside a log; and changes reach a host that does not poll.
    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn embassy() {
        let mut system = boot("embassy");
        let first = text(&mut system, "STDOUT.TXT");
        assert!(first.starts_with("INFO  embassy: the disk of board "), "{first:?}");
        let mut last = 0;
        while last < 25 {
            until_mounted(&mut system);
            let now = system.now();
            let readings = readings(&text(&mut system, "CLIMATE.CSV"));
            // The emulated sensor: 876 of 4096.
            assert!((0..).zip(&readings).all(|(second, reading)| *reading == (second, 2714)), "{readings:?}");
            let newest = readings.last().expect("one at least").0;
            let age = now.as_secs() - u64::from(newest);
            assert!(newest > last && age <= 6, "{newest} after {last}, {age} s old");
            last = newest;
        }
        assert_eq!(text(&mut system, "STDOUT.TXT"), first, "nothing else was logged");
        let flash = system.read("memory/FLASH.BIN").expect("it can be read");
        assert_eq!((flash.len(), flash[4] & 1, flash[7]), (4 << 20, 1, 0x10), "a reset vector in flash, Thumb bit set");
        let sram = system.read("memory/SRAM.BIN").expect("it can be read");
        assert!(sram[..4096].iter().any(|byte| *byte != 0), "variables");
        assert!(sram[(520 << 10) - 4096..].iter().all(|byte| *byte == 0), "what is redacted");

        let mut silent = boot_on("embassy", LINUX_KERNEL);
        silent.elapse(Duration::from_secs(30));
        let left = silent.take_events().iter().filter(|event| **event == Event::DeviceGone).count();
        assert!((2..4).contains(&left), "the board left the bus {left} times, for changes that are held for 10 s");
        silent.remount().expect("it is back");
        let newest = readings(&text(&mut silent, "CLIMATE.CSV")).last().expect("one at least").0;
        assert!(newest >= 15, "{newest} s after 30 s");
    }

    /// Every block of the disk.
    fn image(system: &mut System<'_>) -> Vec<u8> {
        let (blocks, _) = system.initiator().read_capacity().expect("a disk");
        let mut image = Vec::new();
        for lba in (0..blocks).step_by(128) {
            let count = 128.min(blocks - lba) as u32;
            let outcome = system.initiator().scsi(&read_cdb(10, lba, count), Data::In(count * 512));
            image.extend(outcome.expect("it can be read").data);
        }
        image
    }

    /// A secret that is set is nowhere on the disk, memory and flash and log included; what is no secret is found there.
    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn settings() {
        let mut system = boot("settings");
        let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
        let mut ask = |system: &mut System<'_>, line: &str| terminal.ask(system.initiator(), line).expect("an answer");
        let mut random = Random::new(0x5EC2_E75E);
        let word =
            |random: &mut Random| -> String { (0..24).map(|_| (b'a' + random.below(26) as u8) as char).collect() };
        let (name, secret) = (word(&mut random), word(&mut random));
        assert_eq!(ask(&mut system, "get password"), r#"{"password":"not set"}"#);
        // The application's own command.
        assert_eq!(ask(&mut system, "blink"), r#"{"blink":"at once"}"#);
        assert_eq!(ask(&mut system, "blink twice"), r#"{"error":"it blinks once","allowed":"blink"}"#);
        assert!(ask(&mut system, "help").ends_with(r#","application":["blink"]}"#));
        let set =
            format!(r#"set {{"name":"{name}","password":"{secret}","interval":1,"exposed":["FLASH.BIN"],"hold":0}}"#);
        assert_eq!(ask(&mut system, &set), r#"{"ok":"set","saved":false}"#);
        until_mounted(&mut system);
        // Some blinks: the program itself reads all of its settings.
        system.elapse(Duration::from_secs(2));
        let holds = |image: &[u8], text: &str| {
            // Any eight letters of it: a copy need not be whole.
            text.as_bytes().windows(8).any(|part| image.windows(8).any(|window| window == part))
        };
        for saved in [false, true] {
            if saved {
                assert_eq!(ask(&mut system, "save"), r#"{"ok":"save","saved":true}"#);
                until_quiet(&mut system);
            }
            assert_eq!(ask(&mut system, "get password"), r#"{"password":"set"}"#);
            let image = image(&mut system);
            assert!(holds(&image, &name), "what is no secret shows, saved: {saved}");
            assert!(!holds(&image, &secret), "the secret shows, saved: {saved}");
        }
        let shown = text(&mut system, "CONFIG.JSON");
        assert!(shown.contains("\"password\":\"set\""), "{shown}");
    }

    /// Lets what waits be announced.
    fn until_quiet(system: &mut System<'_>) {
        system.elapse(Duration::from_secs(12));
        system.take_events();
    }

    #[test]
    #[ignore = "needs the examples: cargo xtask test --ring 5"]
    fn own_firmware() {
        let mut system = boot("own-firmware");
        assert_eq!(text(&mut system, "BLINKS.TXT"), "The LED blinked 0 times.\r\n");
        until_mounted(&mut system);
        // What was true when the generation began, some seconds after the change.
        let shown = text(&mut system, "BLINKS.TXT");
        let count = shown.strip_prefix("The LED blinked ").and_then(|rest| rest.strip_suffix(" times.\r\n"));
        let count: u64 = count.and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{shown:?}"));
        let now = system.now().as_secs();
        assert!((10..=now).contains(&count) && now <= 20, "{count} blinks in {now} s, one a second");
        assert_eq!(system.read("SCRATCH.BIN").expect("it can be read").len(), 128 << 10);
    }
}
