//! A firmware for the bench: it registers 250 dynamic files in a row, of which it times the first 64 and the first 99, and goes on to
//! update, rename and remove them. Built by `cargo xtask bench`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use picovd::clock::Instant;
    use picovd::files::Text;
    use picovd::rp2350::rp235x_hal;
    use picovd::vd::{File, Files, vd_add_file, vd_remove_file, vd_rename_file, vd_update_file};

    picovd::firmware!(disk);

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
    /// ... and half in a folder, under longer ones.
    static LONG: [[u8; 35]; COUNT] = {
        let mut names = [*b"log/A-LONGER-NAME-OF-A-FILE-###.TXT"; COUNT];
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
        let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
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
            if stick.now() >= next {
                next = stick.now().after(10);
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
            stick.wake_at(next);
            stick.sleep();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
