//! Each kind of crash on the emulated board, and what GDB sees in the CORE.ELF that a host then reads from the stick.

#[path = "board_elf/mod.rs"]
mod board_elf;

mod ring5 {
    use picovd_sim::board::ElfDevice;
    use picovd_sim::diagnosis::Reporter;
    use picovd_sim::host::system::{LINUX_DESKTOP, System};
    use picovd_sim::host::terminal::Terminal;
    use picovd_sim::patch;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::sync::{Arc, Mutex};

    /// The program with another crash in it, as a file.
    fn with_crash(number: u32) -> (PathBuf, Vec<u8>) {
        let elf = patch::with_words(super::board_elf::bytes(), "CRASH", &[number]).expect("the program has it");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crash-{number}.elf"));
        fs::write(&path, &elf).expect("the target folder is ours");
        (path, elf)
    }

    /// What a host finds on the stick after the crash: CORE.ELF as a file, and CRASH.TXT.
    struct Found {
        elf: PathBuf,
        core: PathBuf,
        text: String,
    }

    fn crash(number: u32) -> Found {
        let (elf, bytes) = with_crash(number);
        let device = ElfDevice::new(&bytes).expect("the board boots it");
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the system mounts it");
        let bytes = system.read("CORE.ELF").expect("it can be read");
        let core = elf.with_extension("core");
        fs::write(&core, bytes).expect("the target folder is ours");
        let text = String::from_utf8(system.read("CRASH.TXT").expect("it can be read")).expect("text");
        let json = String::from_utf8(system.read("CRASH.JSON").expect("it can be read")).expect("text");
        assert!(json.starts_with("{\n  \"kind\": \"") && json.ends_with("\"\n}\n"), "{json}");
        Found { elf, core, text }
    }

    /// A line at the serial port, and the answer to it.
    fn ask(system: &mut System<'_>, line: &str) -> String {
        let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
        let answer = terminal.ask(system.initiator(), line).expect("an answer");
        terminal.close(system.initiator()).expect("the port closes");
        answer
    }

    /// The program with a handler of HardFault of its own.
    mod with_handler {
        use super::*;

        #[test]
        #[ignore = "needs a firmware: cargo xtask test --ring 5"]
        fn its_one_call_keeps_the_fault() {
            for other_core in [0, 100] {
                // Those that are a HardFault; the others need handlers of their own names.
                for (number, source, begins) in KINDS.into_iter().filter(|(number, ..)| (2..7).contains(number)) {
                    let found = crash(number + other_core);
                    assert!(found.text.starts_with(begins), "{number}: {}", found.text);
                    assert!(found.text.contains(&format!("Core           {}\r\n", other_core / 100)), "{}", found.text);
                    assert!(found.text.ends_with(&format!("crash {number} follows\r\n")), "{}", found.text);
                    in_order(&gdb(&found, &["bt"]), &frames(source));
                }
            }
        }

        #[test]
        #[ignore = "needs a firmware: cargo xtask test --ring 5"]
        fn panics_are_kept_as_before() {
            let found = crash(1);
            assert!(found.text.starts_with("Crash          panic"), "{}", found.text);
        }
    }

    mod with_settings {
        use super::*;

        #[test]
        #[ignore = "needs a firmware: cargo xtask test --ring 5"]
        fn no_stack_is_kept_and_the_port_has_a_command() {
            for number in [1, 3, 103] {
                let (_, bytes) = with_crash(number);
                let device = ElfDevice::new(&bytes).expect("the board boots it");
                let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the system mounts it");
                assert_eq!(system.read("CORE.ELF").expect("it can be read").len(), 512, "headers and registers only");
                let text = String::from_utf8(system.read("CRASH.TXT").expect("it can be read")).expect("text");
                assert!(text.contains("The stack is not in it: this program has settings"), "{text}");
                assert_eq!(ask(&mut system, "crash"), r#"{"error":"crash clear","allowed":"crash clear"}"#);
                assert_eq!(ask(&mut system, "crash clear"), r#"{"crash":"cleared"}"#);
                // Another file than before, since a system keeps what it has read.
                let json = system.read("CRASH.JSON").expect("it can be read");
                assert!(json.iter().all(|byte| *byte == 0), "nothing is left");
            }
        }
    }

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_line_at_the_port_removes_the_record() {
        let (_, bytes) = with_crash(3);
        let device = ElfDevice::new(&bytes).expect("the board boots it");
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the system mounts it");
        assert!(system.read("CRASH.TXT").expect("it can be read").starts_with(b"Crash"));
        let mut terminal = Terminal::open(system.initiator()).expect("it has a port");
        terminal.send(system.initiator(), b"crash clear\r\n").expect("it takes a line");
        terminal.take(system.initiator()).expect("it is there");
        // Another file than before, since a system keeps what it has read.
        let json = system.read("CRASH.JSON").expect("it can be read");
        assert!(json.iter().all(|byte| *byte == 0), "nothing is left");
    }

    /// What GDB prints.
    fn gdb(found: &Found, commands: &[&str]) -> String {
        let mut gdb = Command::new("gdb-multiarch");
        gdb.args(["-q", "-nx", "-batch"]);
        for command in commands {
            gdb.args(["-ex", command]);
        }
        let output = gdb.arg(&found.elf).arg(&found.core).output().expect("`cargo xtask test` installs gdb-multiarch");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// The number of a function's frame in a backtrace.
    fn place(backtrace: &str, function: &str) -> usize {
        let name = format!("picovd_crashes::program::{function} (");
        let line = backtrace.lines().find(|line| line.starts_with('#') && line.contains(&name));
        let number = line.and_then(|line| line[1..].split(' ').next()).and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in\n{backtrace}"))
    }

    /// The line of the program's source that holds this text, from 1 on.
    fn line_of(part: &str) -> usize {
        let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/crashes/src/main.rs"));
        let source = source.expect("the source is there");
        source.lines().position(|line| line.contains(part)).expect("the line is there") + 1
    }

    /// Whether these are in the text, in this order.
    fn in_order(text: &str, parts: &[String]) {
        let mut rest = text;
        for part in parts {
            let Some((_, after)) = rest.split_once(part.as_str()) else {
                panic!("{part:?} is not in, or not in order:\n{text}")
            };
            rest = after;
        }
    }

    /// The functions of a crash with their lines, the innermost first.
    fn frames(source: &str) -> Vec<String> {
        [
            ("crash", source),
            ("middle", "else { crash(number, &marks) }"),
            ("outer", "black_box(middle(black_box(number)))"),
        ]
        .iter()
        .flat_map(|(function, part)| {
            [format!("picovd_crashes::program::{function} ("), format!("main.rs:{}", line_of(part))]
        })
        .collect()
    }

    /// The kinds: number, source of the crashing line, and how CRASH.TXT begins.
    const KINDS: [(u32, &str, &str); 10] = [
        (1, "1 => panic!", "Crash          panic: the program panicked\r\nMessage        "),
        (2, "asm!(\"udf #1\")", "Crash          UsageFault: executed an undefined instruction"),
        (3, "0xF000_0004 as *mut", "Crash          BusFault: wrote 4 bytes to 0xf0000004, which is no memory\r\n"),
        (4, "asm!(\"blx", "Crash          MemManage: executed code at an address that is never executable\r\n"),
        (5, "asm!(\"ldrd", "Crash          UsageFault: accessed an unaligned address"),
        (6, "asm!(\"bkpt", "Crash          HardFault: executed a breakpoint without a debugger\r\n"),
        (12, "asm!(\"udf #1\")", "Crash          UsageFault: executed an undefined instruction"),
        (13, "0xF000_0004 as *mut", "Crash          BusFault: wrote 4 bytes to 0xf0000004, which is no memory\r\n"),
        (14, "asm!(\"blx", "Crash          MemManage: executed code at an address that is never executable\r\n"),
        (15, "asm!(\"ldrd", "Crash          UsageFault: accessed an unaligned address"),
    ];

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn gdb_shows_functions_lines_and_locals() {
        for other_core in [0, 100] {
            for (number, source, begins) in KINDS {
                let found = crash(number + other_core);
                assert!(found.text.starts_with(begins), "{number}: {}", found.text);
                assert!(found.text.contains(&format!("Core           {}\r\n", other_core / 100)), "{}", found.text);
                assert!(found.text.ends_with(&format!("crash {number} follows\r\n")), "{}", found.text);
                let shown = gdb(&found, &["bt"]);
                in_order(&shown, &frames(source));
                let local = |function: &str, name: &str| {
                    gdb(&found, &[&format!("frame {}", place(&shown, function)), &format!("p/x {name}")])
                };
                let marks = local("middle", "marks");
                assert!(marks.contains(&format!("= [0x1111, 0x2222, 0x3333, {number:#x}]")), "{number}: {marks}");
                let twice = local("crash", "twice");
                let last = 2 * number;
                assert!(twice.contains(&format!("= [0x2222, 0x4444, 0x6666, {last:#x}]")), "{number}: {twice}");
            }
        }
    }

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_snapshot_shows_a_program_that_went_on() {
        let found = crash(8);
        assert!(
            found.text.starts_with("Crash          snapshot: the program asked for it, and went on\r\n"),
            "{}",
            found.text
        );
        let shown = gdb(&found, &["bt"]);
        in_order(&shown, &frames("8 => disk::capture()"));
        let twice = gdb(&found, &[&format!("frame {}", place(&shown, "crash")), "p/x twice"]);
        assert!(twice.contains("= [0x2222, 0x4444, 0x6666, 0x10]"), "{twice}");
    }

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_stack_overflow_is_kept_on_a_stack_of_its_own() {
        let found = crash(7);
        assert!(found.text.starts_with("Crash          UsageFault: the stack overflowed"), "{}", found.text);
        let shown = gdb(&found, &["bt 3"]);
        if found.text.contains("At             unknown") {
            assert!(found.text.contains("so far that the processor could not store where"), "{}", found.text);
        } else {
            in_order(&shown, &[0, 1].map(|_| "picovd_crashes::program::deeper (".to_owned()));
        }
    }

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_second_crash_is_counted_and_not_stored() {
        let found = crash(1003);
        assert!(found.text.starts_with("Crash          BusFault: wrote 4 bytes"), "{}", found.text);
        assert!(found.text.contains("Later crashes  1, which are not stored\r\n"), "{}", found.text);
    }

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn a_program_that_always_crashes_is_started_without_the_application() {
        let (_, bytes) = with_crash(2003);
        let said = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&said);
        let reporter =
            Reporter::new(bytes.clone(), false, move |text: &str| sink.lock().unwrap().push(text.to_owned()));
        let mut device = ElfDevice::new(&bytes).expect("the board boots it");
        device.machine().set_witness(reporter.witness());
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the system mounts it");
        let text = String::from_utf8(system.read("CRASH.TXT").expect("it can be read")).expect("text");
        assert!(text.starts_with("Crash          BusFault: wrote 4 bytes"), "{text}");
        assert!(
            text.contains("Later crashes  2, ") && text.contains("Started safe   without the application"),
            "{text}"
        );
        let log = String::from_utf8(system.read("STDOUT.TXT").expect("it can be read")).expect("text");
        assert!(log.starts_with("[started safe, without the application"), "{log}");
        let said = said.lock().unwrap();
        assert_eq!(said.iter().filter(|text| text.starts_with("started safe: ")).count(), 1, "{said:?}");
    }

    #[test]
    #[ignore = "needs a firmware: cargo xtask test --ring 5"]
    fn without_a_crash_there_is_no_file() {
        let device = ElfDevice::new(&super::board_elf::bytes()).expect("the board boots it");
        let mut system = System::boot(LINUX_DESKTOP, Box::new(device)).expect("the system mounts it");
        for name in ["CORE.ELF", "CRASH.TXT", "CRASH.JSON"] {
            assert!(system.read(name).is_err(), "{name}");
        }
        assert!(system.read("INFO.TXT").is_ok());
    }
}
