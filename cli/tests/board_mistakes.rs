//! What people do wrong in a firmware, and what `cargo sim` says about it: a program of the tests makes one mistake at a time.

#[path = "../../sim/tests/board_elf/mod.rs"]
mod board_elf;

/// The same program with a panic handler that never ends.
mod own_panic_handler {
    use super::ring5::{sim, written};

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_panic_is_reported_although_the_stick_goes_on_or_nothing_restarts() {
        let main = "program::__cortex_m_rt_main";
        let cases: [(u32, &str, &str); 4] = [
            (2, "the firmware panicked at src/main.rs:", "does not restart the board"),
            // After the host has seen everything.
            (3, "the firmware panicked in `picovd_mistakes::program::__cortex_m_rt_main`", "keep_reason(info)"),
            (8, "the firmware panicked at src/main.rs:", "index out of bounds"),
            (9, "the firmware panicked at src/main.rs:", "in a handler"),
        ];
        for (number, headline, part) in cases {
            let output = sim(&written(&format!("halt-{number}.elf"), &[("MISTAKE", number)]), &["ls"]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{number}: {error}");
            assert!(error.starts_with(headline), "{number}: {error}");
            for part in [part, "  backtrace, ", main] {
                assert!(error.contains(part), "{number}: {part:?} is missing in\n{error}");
            }
            assert_eq!(error.matches("  backtrace, ").count(), 1, "{number}: one mistake, one report\n{error}");
        }
    }
}

mod ring5 {
    use picovd_sim::patch;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output};

    /// The program with another mistake in it.
    fn with_mistake(number: u32) -> PathBuf {
        written(&format!("mistake-{number}.elf"), &[("MISTAKE", number)])
    }

    /// The program that polls once in so many milliseconds.
    fn with_period(milliseconds: u32) -> PathBuf {
        written(&format!("period-{milliseconds}.elf"), &[("MISTAKE", 15), ("PERIOD", milliseconds)])
    }

    /// The program with these words in its statics, as a file.
    pub fn written(name: &str, words: &[(&str, u32)]) -> PathBuf {
        let elf = words.iter().fold(super::board_elf::bytes(), |elf, (symbol, word)| {
            patch::with_words(elf, symbol, &[*word]).expect("the program has it")
        });
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, elf).expect("the target folder is ours");
        path
    }

    /// `cargo sim` in the package's folder, where its source files are.
    pub fn sim(elf: &Path, words: &[&str]) -> Output {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mistakes");
        let mut command = Command::new(env!("CARGO_BIN_EXE_picovd"));
        command.current_dir(package).args(words).args(["--manifest", "picovd.toml", "--elf"]).arg(elf);
        command.output().expect("the program starts")
    }

    /// The line of the program's source that holds this text, from 1 on.
    fn line_of(part: &str) -> usize {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/mistakes/src/main.rs"));
        let source = source.expect("the source is there");
        source.lines().position(|line| line.contains(part)).expect("the line is there") + 1
    }

    /// Each mistake, a part of the source line at which it shows, what the report begins with, and what else is in it.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn each_mistake_is_named_with_its_place() {
        let log = ["its log ends with:", "the program begins"];
        let main = "program::__cortex_m_rt_main";
        let cases: [(u32, &str, &str, &str, &[&str]); 11] = [
            (
                1,
                "1 => panic!",
                "the firmware panicked at {}:18: boom",
                "show",
                &[main, log[0], log[1], "panic!(\"boom\")", "\n  the board restarts\n"],
            ),
            (
                2,
                "2 => vd_add",
                "the firmware panicked at {}:56: there is room for another one",
                "ls",
                &[main, log[0], "value is not kept"],
            ),
            (3, "panic!(\"boom after", "the firmware panicked at {}:17: boom after 300 ms", "ls", &[main, log[0]]),
            (
                4,
                "while !READY",
                "the firmware does not attach to USB: it stays in `",
                "cat",
                &["wait_for_sensor` at ", log[0]],
            ),
            (
                5,
                "fn deeper",
                "the firmware stopped in `",
                "image",
                &["deeper` at ", "stack overflow", "times more\n", main],
            ),
            (
                7,
                "0x7000_0000",
                "the firmware stopped in `",
                "check",
                &["read_nothing` at {}", "read of 0x70000000", main],
            ),
            (8, "8 => println", "the firmware panicked at {}", "ls", &["index out of bounds", main, log[0]]),
            (9, "in a handler", "the firmware panicked at {}:9: in a handler", "ls", &["PWM_IRQ_WRAP_0", main, log[0]]),
            (
                10,
                "while !READY",
                "the firmware does not answer USB: it stays in `",
                "story",
                &["wait_for_sensor` at ", main],
            ),
            (
                12,
                "while !READY",
                "the watchdog restarts the firmware, which is running `",
                "ls",
                &["wait_for_sensor` at ", main, log[0]],
            ),
            (
                16,
                "NVIC::pend(pac::Interrupt::PWM_IRQ_WRAP_1)",
                "the firmware does not attach to USB: interrupt PWM_IRQ_WRAP_1 has no handler",
                "ls",
                &["`DefaultHandler` runs forever", "#[interrupt]", main, log[0]],
            ),
        ];
        for (number, part, headline, command, parts) in cases {
            let place = format!("src/main.rs:{}", line_of(part));
            let elf = with_mistake(number);
            let image = elf.with_extension("img");
            let words = match command {
                "cat" => vec!["cat", "README.TXT"],
                "image" => vec!["image", image.to_str().expect("UTF-8")],
                "story" => vec!["story", "reads-agree"],
                other => vec![other],
            };
            let output = sim(&elf, &words);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{number}: {error}");
            let headline = headline.replacen("{}", &place, 1);
            assert!(error.starts_with(&headline), "{number}: {headline:?} is not the beginning of\n{error}");
            for part in parts {
                let part = part.replacen("{}", &place, 1);
                assert!(error.contains(&part), "{number}: {part:?} is missing in\n{error}");
            }
            assert_eq!(error.matches(&headline).count(), 1, "{number}: reported once\n{error}");
            assert_eq!(error.matches("  backtrace, ").count(), 1, "{number}: one mistake, one report\n{error}");
        }
    }

    /// A program that polls too rarely for a host is told for how long it did not.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_program_that_polls_rarely_is_told_how_rarely() {
        for period in [3, 5, 20, 80, 100, 300, 480, 600, 800] {
            let output = sim(&with_period(period), &["ls"]);
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{period}: {error}");
            let told =
                error.lines().find(|line| line.starts_with("note: the program did not poll USB for ")).expect(&error);
            let waited = told.split(' ').find_map(|word| word.parse::<u32>().ok()).expect("a number");
            // The host may give up before the program polls.
            assert!(((2 * period).div_ceil(3)..=period).contains(&waited), "{period}: {told}");
            assert!(!error.contains("does not answer USB"), "{period}: {error}");
        }
    }

    /// A program that polls each 2 ms works, also where a host reads so fast that something waits for it all the time; and what
    /// goes wrong for another reason is not blamed on its polls.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_program_that_polls_just_in_time_works() {
        let elf = with_period(2);
        let output = sim(&elf, &["story", "reads-agree"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && error.is_empty(), "{error}");
        let output = sim(&elf, &["cat", "NONE.TXT"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(!error.contains("did not poll"), "{error}");
    }

    /// A block that is not modelled is named once, and the program goes on; --strict stops it there.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_block_that_is_not_modelled_is_named_once() {
        let elf = with_mistake(6);
        let output = sim(&elf, &["cat", "STDOUT.TXT"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        let parts = ["note: a ", " of PWM.", "(0x400a", " at src/main.rs:", "the simulator does not model PWM"];
        for part in parts {
            assert!(error.contains(part), "{part:?} is missing in\n{error}");
        }
        // What was written is read.
        assert!(String::from_utf8_lossy(&output.stdout).contains("PWM counts to 1234"), "{output:?}");
        let output = sim(&elf, &["ls", "--strict"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.starts_with("the firmware stopped in `") && error.contains("(PWM.C"), "{error}");
    }

    /// A program with a sensor on I2C runs, with the sensor and without it; the other blocks answer, too.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_program_with_a_sensor_runs_with_it_and_without_it() {
        let elf = with_mistake(11);
        let log = |words: &[&str]| {
            let output = sim(&elf, &[&["cat", "STDOUT.TXT", "--strict"], words].concat());
            let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(output.status.success(), "{text}{error}");
            (text.into_owned(), error.into_owned())
        };
        let others = ["chip's temperature Some(876)", "button Ok(true)", "spi true [0, 0, 0]", "copied [1, 2, 3, 4]"];
        // Nobody acknowledges the address.
        let (text, error) = log(&[]);
        for part in others.iter().chain(&["no sensor: NoAcknowledge(Address)"]) {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        assert_eq!(error, "");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bme280.toml");
        fs::write(&file, "read-only = [0xD0]\n[registers]\n0xD0 = 0x60\n0xFA = [0x7E, 0xED, 0x00]\n")
            .expect("writable");
        let device = format!("0x76={}", file.display());
        let (text, error) = log(&["--i2c0", &device, "--uart"]);
        for part in others.iter().chain(&["sensor 60", "sensor's temperature [7e, ed, 00], control 27"]) {
            assert!(text.contains(part), "{part:?} is missing in\n{text}");
        }
        assert_eq!(error, "uart0: hello over the wire\n");
        // On the other bus it is not found.
        assert!(log(&["--i2c1", &device]).0.contains("no sensor: NoAcknowledge(Address)"));
    }

    /// The log and a file after a while, and the whole volume on standard output.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn files_are_shown_as_they_are_later() {
        let elf = with_mistake(0);
        for words in [&["log", "--after", "2s"][..], &["cat", "stdout.txt", "--after", "2000ms"]] {
            let output = sim(&elf, words);
            assert_eq!(String::from_utf8_lossy(&output.stdout), "the program begins\r\nmistake 0\r\n", "{words:?}");
            assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        }
        let output = sim(&elf, &["image", "-"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout.get(3..11), Some(&b"EXFAT   "[..]));
        assert!(output.stdout.len().is_multiple_of(4096));
    }

    /// Without a mistake nothing is said.
    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_firmware_without_a_mistake_gets_no_word() {
        let output = sim(&with_mistake(0), &["ls"]);
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
