//! A firmware for the bench: it registers 64 dynamic files in a row, which it times, then all that there is room for, and goes on to
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

    const PATHS: [&str; 99] = [
        "READING-00.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-01.TXT",
        "READING-02.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-03.TXT",
        "READING-04.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-05.TXT",
        "READING-06.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-07.TXT",
        "READING-08.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-09.TXT",
        "READING-10.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-11.TXT",
        "READING-12.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-13.TXT",
        "READING-14.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-15.TXT",
        "READING-16.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-17.TXT",
        "READING-18.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-19.TXT",
        "READING-20.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-21.TXT",
        "READING-22.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-23.TXT",
        "READING-24.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-25.TXT",
        "READING-26.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-27.TXT",
        "READING-28.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-29.TXT",
        "READING-30.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-31.TXT",
        "READING-32.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-33.TXT",
        "READING-34.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-35.TXT",
        "READING-36.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-37.TXT",
        "READING-38.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-39.TXT",
        "READING-40.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-41.TXT",
        "READING-42.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-43.TXT",
        "READING-44.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-45.TXT",
        "READING-46.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-47.TXT",
        "READING-48.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-49.TXT",
        "READING-50.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-51.TXT",
        "READING-52.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-53.TXT",
        "READING-54.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-55.TXT",
        "READING-56.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-57.TXT",
        "READING-58.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-59.TXT",
        "READING-60.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-61.TXT",
        "READING-62.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-63.TXT",
        "READING-64.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-65.TXT",
        "READING-66.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-67.TXT",
        "READING-68.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-69.TXT",
        "READING-70.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-71.TXT",
        "READING-72.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-73.TXT",
        "READING-74.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-75.TXT",
        "READING-76.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-77.TXT",
        "READING-78.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-79.TXT",
        "READING-80.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-81.TXT",
        "READING-82.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-83.TXT",
        "READING-84.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-85.TXT",
        "READING-86.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-87.TXT",
        "READING-88.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-89.TXT",
        "READING-90.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-91.TXT",
        "READING-92.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-93.TXT",
        "READING-94.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-95.TXT",
        "READING-96.CSV",
        "log/A-LONGER-NAME-OF-A-FILE-97.TXT",
        "READING-98.CSV",
    ];

    /// Those that are timed.
    const TIMED: usize = 64;

    static TEXT: Text = Text::new("Some text.\r\n");
    static FILES: [File<'static>; PATHS.len()] = {
        let mut files = [const { File::new("", &TEXT, 4096) }; PATHS.len()];
        let mut number = 0;
        while number < files.len() {
            files[number] = File::new(PATHS[number], &TEXT, 4096);
            number += 1;
        }
        files
    };
    /// The other name of a file that is renamed.
    static OTHER: File = File::new("log/ANOTHER-NAME-OF-A-FILE.TXT", &TEXT, 4096);

    /// Microseconds that the first adds took, for the bench; 0 before.
    #[unsafe(no_mangle)]
    static TOOK: AtomicU32 = AtomicU32::new(0);
    /// Calls since then, refused ones included.
    #[unsafe(no_mangle)]
    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[picovd::rp2350::rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
        let files: &Files<'static> = &disk::FILES;
        let (first, rest) = FILES.split_at(TIMED);
        let began = stick.now();
        assert!(first.iter().all(|file| vd_add_file(files, file).is_ok()));
        TOOK.store((stick.now().0 - began.0) as u32, Relaxed);
        assert!(rest.iter().all(|file| vd_add_file(files, file).is_ok()));
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
