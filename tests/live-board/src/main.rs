//! A firmware for tests: the main loop changes three dynamic files at random, an interrupt handler three others, and the
//! second core three more, in the root directory, in a folder of the manifest and in a separate folder. LEDGER.BIN says at
//! each read what there should be. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::cell::RefCell;
    use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
    use core::time::Duration;
    use cortex_m::peripheral::SYST;
    use critical_section::Mutex;
    use picovd::clock::Instant;
    use picovd::rp2350::rp235x_hal::multicore::{Multicore, Stack};
    use picovd::rp2350::rp235x_hal::{self, Sio};
    use picovd::vd::{
        Content, File, Frozen, Generation, Refresh, vd_add_file, vd_remove_file, vd_rename_file, vd_set_clock,
        vd_update_file, vd_update_file_with,
    };
    use rp235x_hal::fugit::ExtU32;
    use rp235x_hal::pac::{self, interrupt};
    use rp235x_hal::timer::{Alarm, Alarm0, CopyableTimer1};

    picovd::firmware!(disk);

    /// Changes of each of the three.
    const CHANGES: u32 = 250;

    /// Between two changes of the main loop, of the handler and of the second core, in milliseconds: they drift against each
    /// other.
    const PAUSE: Duration = Duration::from_millis(83);
    const PERIOD: u32 = 67;
    const INTERVAL: u32 = 71;

    /// Cycles in a millisecond.
    const MILLISECOND: u32 = 150_000;

    /// Most bytes of a file.
    const CAPACITY: u32 = 3 * 4096;

    /// The name that is no name: the file is not registered.
    const GONE: u32 = 2;

    /// A random number that is unrelated to its neighbours (the finalizer of MurmurHash3).
    const fn mix(value: u32) -> u32 {
        let value = (value ^ value >> 16).wrapping_mul(0x85EB_CA6B);
        let value = (value ^ value >> 13).wrapping_mul(0xC2B2_AE35);
        value ^ value >> 16
    }

    /// Contents whose every word encodes file, version and offset.
    struct Versioned {
        id: u32,
        /// The version that comes next, and the one that hosts see.
        next: AtomicU32,
        shown: AtomicU32,
        /// The name that the application wants: 0, 1 or [`GONE`].
        name: AtomicU32,
    }

    impl Versioned {
        const fn new(id: u32) -> Self {
            Self { id, next: AtomicU32::new(0), shown: AtomicU32::new(0), name: AtomicU32::new(GONE) }
        }

        const fn seed(&self, version: u32) -> u32 {
            mix(self.id << 24 ^ version)
        }

        const fn length_of(&self, version: u32) -> u32 {
            8 + self.seed(version) % (CAPACITY - 8)
        }
    }

    impl Content for Versioned {
        fn length(&self) -> u32 {
            self.length_of(self.next.load(Relaxed))
        }

        fn freeze(&self, _: Generation) -> Frozen {
            let version = self.next.load(Relaxed);
            self.shown.store(version, Relaxed);
            Frozen { length: self.length_of(version), kept: false }
        }

        fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
            let version = self.shown.load(Relaxed);
            for (place, byte) in (offset..).zip(out) {
                let word = match place / 4 {
                    0 => self.id,
                    1 => version,
                    word => mix(self.seed(version).wrapping_add(word)),
                };
                *byte = (word >> (8 * (place % 4))) as u8;
            }
        }
    }

    static CONTENTS: [Versioned; 9] = [
        Versioned::new(0),
        Versioned::new(1),
        Versioned::new(2),
        Versioned::new(3),
        Versioned::new(4),
        Versioned::new(5),
        Versioned::new(6),
        Versioned::new(7),
        Versioned::new(8),
    ];

    const fn named(path: &'static str, id: usize) -> File<'static> {
        File::new(path, &CONTENTS[id], CAPACITY)
    }

    /// Two names for each.
    static NAMES: [[File<'static>; 2]; 9] = [
        [named("A.BIN", 0), named("A-RENAMED.BIN", 0)],
        [named("docs/B.BIN", 1), named("docs/B-RENAMED.BIN", 1)],
        [named("folder/C.BIN", 2), named("folder/C-RENAMED.BIN", 2)],
        [named("D.BIN", 3), named("D-RENAMED.BIN", 3)],
        [named("docs/E.BIN", 4), named("docs/E-RENAMED.BIN", 4)],
        [named("folder/F.BIN", 5), named("folder/F-RENAMED.BIN", 5)],
        [named("G.BIN", 6), named("G-RENAMED.BIN", 6)],
        [named("docs/H.BIN", 7), named("docs/H-RENAMED.BIN", 7)],
        [named("folder/I.BIN", 8), named("folder/I-RENAMED.BIN", 8)],
    ];

    /// What there should be, as it is at each read: for each file the version that is wanted, the one that is shown, and the name
    /// that is wanted; then how many changes there were, by each of the three.
    struct Ledger;

    const LEDGER_LENGTH: u32 = 9 * 12 + 12;

    static LEDGER_BIN: File<'static> = File::new("LEDGER.BIN", &Ledger, LEDGER_LENGTH);

    impl Content for Ledger {
        fn length(&self) -> u32 {
            LEDGER_LENGTH
        }

        fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
            for (place, byte) in (offset..).zip(out) {
                let (row, column) = ((place / 12) as usize, place / 4 % 3);
                let word = match CONTENTS.get(row) {
                    Some(content) => [&content.next, &content.shown, &content.name][column as usize].load(Relaxed),
                    None => DONE[column as usize].load(Relaxed),
                };
                *byte = (word >> (8 * (place % 4))) as u8;
            }
        }
    }

    /// How many changes main loop, handler and second core have made.
    static DONE: [AtomicU32; 3] = [AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0)];

    /// The next random change of one of the three contexts, each of which has files of its own.
    fn change(context: usize) {
        let count = DONE[context].load(Relaxed);
        if count == CHANGES {
            return;
        }
        let random = mix(count << 2 | context as u32);
        let id = context * 3 + random as usize % 3;
        let (content, names) = (&CONTENTS[id], &NAMES[id]);
        let name = content.name.load(Relaxed);
        let renew = || content.next.store(count + 1, Relaxed);
        let worked = match (names.get(name as usize), random >> 8 & 7) {
            (None, kind) => {
                renew();
                content.name.store(kind & 1, Relaxed);
                vd_add_file(&disk::FILES, &names[kind as usize & 1]).is_ok()
            }
            (Some(file), 0) => {
                content.name.store(GONE, Relaxed);
                vd_remove_file(&disk::FILES, file).is_ok()
            }
            (Some(file), 1) => {
                content.name.store(1 - name, Relaxed);
                vd_rename_file(&disk::FILES, file, &names[1 - name as usize]).is_ok()
            }
            (Some(file), 2) => {
                renew();
                let asked = disk::ANNOUNCING
                    .with_quiet(Duration::ZERO)
                    .with_hold(Duration::from_secs(1))
                    .with_refresh(Refresh::Reconnect);
                vd_update_file_with(&disk::FILES, file, asked).is_ok()
            }
            (Some(file), _) => {
                renew();
                vd_update_file(&disk::FILES, file).is_ok()
            }
        };
        // There is room for all of them, and none is registered twice.
        assert!(worked);
        DONE[context].store(count + 1, Relaxed);
    }

    static ALARM: Mutex<RefCell<Option<Alarm0<CopyableTimer1>>>> = Mutex::new(RefCell::new(None));

    /// Seconds since the program began, for time stamps: it takes 2027-01-15T08:00:00Z for that moment.
    static SECONDS: AtomicU32 = AtomicU32::new(0);

    const BEGAN: u64 = 1_800_000_000;

    static STACK: Stack<1024> = Stack::new();

    /// What the second core does: a change whenever its own timer comes round.
    fn second() {
        // SAFETY: each core has its own timer, and this one's is not used elsewhere.
        let timer = unsafe { &*SYST::PTR };
        // SAFETY: every value of 24 bits is valid.
        unsafe {
            timer.rvr.write(INTERVAL * MILLISECOND - 1);
            timer.cvr.write(0);
            timer.csr.write(7);
        }
        loop {
            // Nothing else wakes this core.
            cortex_m::asm::wfi();
            change(2);
        }
    }

    /// The interrupt of the second core's timer, which it wakes up by.
    #[unsafe(export_name = "SysTick")]
    extern "C" fn tick() {}

    #[rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
        vd_set_clock(&disk::FILES, || Duration::from_secs(BEGAN + u64::from(SECONDS.load(Relaxed))));
        assert!(vd_add_file(&disk::FILES, &LEDGER_BIN).is_ok());
        if let Some(mut alarm) = board.timer.alarm_0() {
            let _ = alarm.schedule(PERIOD.millis());
            alarm.enable_interrupt();
            critical_section::with(|section| ALARM.borrow_ref_mut(section).replace(alarm));
        }
        // SAFETY: the handler shares nothing with this loop but atomics, the registry and data protected by a mutex.
        unsafe { cortex_m::peripheral::NVIC::unmask(pac::Interrupt::TIMER1_IRQ_0) };
        let mut sio = Sio::new(board.SIO);
        let mut cores = Multicore::new(&mut board.PSM, &mut board.PPB, &mut sio.fifo);
        let (Some(core), Some(stack)) = (cores.cores().get_mut(1), STACK.take()) else { panic!("one core") };
        assert!(core.spawn(stack, second).is_ok());
        let mut next = Instant::default() + PAUSE;
        loop {
            stick.poll();
            SECONDS.store((stick.now().0 / 1_000_000) as u32, Relaxed);
            if stick.now() >= next {
                change(0);
                next += PAUSE;
                continue;
            }
            stick.wake_at(next);
            stick.sleep();
        }
    }

    #[interrupt]
    fn TIMER1_IRQ_0() {
        critical_section::with(|section| {
            if let Some(alarm) = ALARM.borrow_ref_mut(section).as_mut() {
                alarm.clear_interrupt();
                let _ = alarm.schedule(PERIOD.millis());
            }
        });
        change(1);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
