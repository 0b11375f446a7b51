//! A firmware for the bench: it registers 250 dynamic files in a row, of which it times the first 64 and the first 99, and goes on to
//! update, rename and remove them, or to leave them as they are. Or it shows one value of 1 KiB, and sets it all the time. Which of
//! these, the bench writes into the ELF: see `CASE`. Built by `cargo xtask bench`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::fmt;
    use core::ptr::addr_of;
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use core::time::Duration;
    use picovd::clock::Instant;
    use picovd::files::{RingLog, Snapshot, Text, TextBuffer};
    use picovd::rp2350::rp235x_hal;
    use picovd::vd::{File, Files, vd_add_file, vd_remove_file, vd_rename_file, vd_update_file};

    picovd::firmware!(disk);

    /// What this does: 0 for 250 files that change, 1 for 250 that stay, 2 for one value.
    #[unsafe(export_name = "CASE")]
    #[used]
    static CASE: u32 = 0;

    fn case() -> u32 {
        // SAFETY: a static of this program, of that type; volatile, since its value may be another one than the compiler knows.
        unsafe { addr_of!(CASE).read_volatile() }
    }

    /// How many files there are.
    const COUNT: usize = 250;

    /// `text` with three digits in place of its first three `#`.
    const fn numbered<const N: usize>(text: &[u8; N], number: usize) -> [u8; N] {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let (mut name, mut place, mut next) = (*text, 0, 0);
        while place < N {
            if name[place] == b'#' && next < digits.len() {
                name[place] = b'0' + digits[next] as u8;
                next += 1;
            }
            place += 1;
        }
        name
    }

    /// Half of them in the root directory, under short names ...
    static SHORT: [[u8; 15]; COUNT] = {
        let mut names = [*b"READING-###.CSV"; COUNT];
        let mut number = 0;
        while number < COUNT {
            names[number] = numbered(&names[number], number);
            number += 1;
        }
        names
    };
    /// ... and half under longer ones, in a folder of the program's and in one of the manifest.
    static LONG: [[u8; 35]; COUNT] = {
        let mut names = [*b"log/A-LONGER-NAME-OF-A-FILE-###.TXT"; COUNT];
        let mut given = 3;
        while given < COUNT {
            names[given] = *b"docs/A-LONGER-NAME-OF-FILES-###.TXT";
            given += 4;
        }
        let mut number = 0;
        while number < COUNT {
            names[number] = numbered(&names[number], number);
            number += 1;
        }
        names
    };

    const fn path(number: usize) -> &'static str {
        let name: &'static [u8] = if number % 2 == 0 { &SHORT[number] } else { &LONG[number] };
        match core::str::from_utf8(name) {
            Ok(name) => name,
            Err(_) => panic!("names are ASCII"),
        }
    }

    static TEXT: Text = Text::new("Some text.\r\n");
    static FILES: [File<'static>; COUNT] = {
        let mut files = [const { File::new("", &TEXT, 4096) }; COUNT];
        let mut number = 0;
        while number < files.len() {
            files[number] = File::new(path(number), &TEXT, 4096);
            number += 1;
        }
        files
    };
    /// The other name of a file that is renamed.
    static OTHER: File = File::new("log/ANOTHER-NAME-OF-A-FILE.TXT", &TEXT, 4096);

    /// A value of 1 KiB.
    #[derive(Clone, Copy)]
    struct Wide([u32; 256]);

    impl fmt::Display for Wide {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let Self([first, .., last]) = self;
            write!(f, "{first} to {last}\r\n")
        }
    }

    static WIDE: Snapshot<Wide> = Snapshot::new(Wide([0; 256]));
    static WIDE_TXT: File = File::new("WIDE.TXT", &WIDE, 64);

    static LINES: TextBuffer<4096> = TextBuffer::new();
    static LINES_TXT: File = File::new("LINES.TXT", &LINES, 4096);
    static EVENTS: RingLog<4096> = RingLog::new();
    static EVENTS_TXT: File = File::new("EVENTS.TXT", &EVENTS, RingLog::<4096>::CAPACITY);

    /// Microseconds that the first 64 adds took, for the bench; 0 before.
    #[unsafe(no_mangle)]
    static TOOK: AtomicU32 = AtomicU32::new(0);
    /// The same for the first 99.
    #[unsafe(no_mangle)]
    static ALL_TOOK: AtomicU32 = AtomicU32::new(0);
    /// Calls since then, refused ones included.
    #[unsafe(no_mangle)]
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[picovd::rp2350::rp235x_hal::entry]
    fn main() -> ! {
        let (stick, _board) = Stick::start(&disk::DESCRIPTION);
        match case() {
            2 => one_value(stick),
            3 => texts(stick),
            case => many_files(stick, case == 0),
        }
    }

    /// Sets the value and says so, all the time.
    fn one_value(mut stick: Stick) -> ! {
        let files: &Files<'static> = &disk::FILES;
        assert!(vd_add_file(files, &WIDE_TXT).is_ok());
        loop {
            stick.poll();
            let number = CALLS.fetch_add(1, Relaxed);
            WIDE.set(Wide([number; 256]));
            assert!(vd_update_file(files, &WIDE_TXT).is_ok());
        }
    }

    /// Appends to two texts, as much at a time as stays together, and says so, all the time.
    fn texts(mut stick: Stick) -> ! {
        let files: &Files<'static> = &disk::FILES;
        assert!(vd_add_file(files, &LINES_TXT).is_ok() && vd_add_file(files, &EVENTS_TXT).is_ok());
        loop {
            stick.poll();
            let number = CALLS.fetch_add(1, Relaxed);
            writeln!(LINES, "{number:0127}");
            writeln!(EVENTS, "{number:0127}");
            assert!(vd_update_file(files, &LINES_TXT).is_ok() && vd_update_file(files, &EVENTS_TXT).is_ok());
        }
    }

    fn many_files(mut stick: Stick, change: bool) -> ! {
        let files: &Files<'static> = &disk::FILES;
        let began = stick.now();
        let took = || (stick.now().0 - began.0) as u32;
        for (number, file) in FILES.iter().enumerate() {
            assert!(vd_add_file(files, file).is_ok());
            match number + 1 {
                64 => TOOK.store(took(), Relaxed),
                99 => ALL_TOOK.store(took(), Relaxed),
                _ => {}
            }
        }
        let mut next = Instant::default();
        let mut number = 0;
        loop {
            stick.poll();
            if change && stick.now() >= next {
                next = stick.now() + Duration::from_millis(10);
                let file = &FILES[number];
                number = (number + 1) % FILES.len();
                let fine = vd_update_file(files, file).is_ok()
                    && vd_add_file(files, file).is_err()
                    && vd_rename_file(files, file, &OTHER).is_ok()
                    && vd_rename_file(files, &OTHER, file).is_ok()
                    && vd_remove_file(files, file).is_ok()
                    && vd_update_file(files, file).is_err()
                    && files.is_free(file.path())
                    && vd_add_file(files, file).is_ok();
                assert!(fine);
                CALLS.fetch_add(8, Relaxed);
                continue;
            }
            if change {
                stick.wake_at(next);
            }
            stick.sleep();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
