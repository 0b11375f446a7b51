//! A firmware for tests of what a chip's stick does beside its files: it leaves the bus and comes back, is woken from the other
//! core, which may call what this core's handlers call, or begins in a handler that comes while the main loop calls that. Which one, a test writes into the ELF: see `CASE`.
//! Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![allow(unexpected_cfgs)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::cell::RefCell;
    use core::ptr::addr_of;
    use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
    use cortex_m::peripheral::{NVIC, SYST};
    use critical_section::Mutex;
    use picovd::rp2350::rp235x_hal::multicore::{Multicore, Stack};
    use picovd::rp2350::rp235x_hal::{self, Sio};
    use picovd::vd::{Content, File, Frozen, Generation, Refresh, vd_add_file, vd_update_file_with};
    use rp235x_hal::pac::{self, interrupt};

    picovd::firmware!(disk);
    // Mistakes, which the compiler refuses: xtask/src/rings/ring5.rs.
    #[cfg(mistake = "other-timer")]
    picovd::serve!(STICK, TIMER1_IRQ_0);
    #[cfg(mistake = "misspelt")]
    picovd::serve!(STICK, TIMER0_IRQ0);
    #[cfg(not(any(mistake = "other-timer", mistake = "misspelt")))]
    picovd::serve!(STICK);

    /// The stick on the other timer, with the first one's interrupt.
    #[cfg(mistake = "default-timer")]
    mod second {
        picovd::stick!(disk, picovd::rp2350::rp235x_hal::timer::CopyableTimer1);
        picovd::serve!(STICK);
    }

    /// Which case this is, by its number below, and a number that it takes; a test changes them in the file before it runs it.
    #[unsafe(export_name = "CASE")]
    #[used]
    static CASE: [u32; 2] = [0, 0];

    /// Changes of the other core.
    const CHANGES: u32 = 1_000;

    /// The longest time for which the main loop did not run, since it was last set to 0, in microseconds.
    #[unsafe(export_name = "LONGEST")]
    static LONGEST: AtomicU32 = AtomicU32::new(0);

    /// A test sets it to have the stick leave the bus: to 1, or to 2 for twice.
    #[unsafe(export_name = "LEAVE")]
    static LEAVE: AtomicU32 = AtomicU32::new(0);

    /// Changes that the other core has seen answered; the longest time that one took, in microseconds, and the sum of them.
    #[unsafe(export_name = "ANSWERED")]
    static ANSWERED: AtomicU32 = AtomicU32::new(0);
    #[unsafe(export_name = "LATEST")]
    static LATEST: AtomicU32 = AtomicU32::new(0);

    /// Which of the stick's two interrupts were enabled on the other core at the end: a bit each.
    #[unsafe(export_name = "ENABLED")]
    static ENABLED: AtomicU32 = AtomicU32::new(0);

    /// The one file: which version is wanted, and which one is shown.
    struct Version {
        wanted: AtomicU32,
        shown: AtomicU32,
    }

    static VERSION: Version = Version { wanted: AtomicU32::new(0), shown: AtomicU32::new(0) };
    static VERSION_BIN: File = File::new("VERSION.BIN", &VERSION, 4);

    impl Content for Version {
        fn length(&self) -> u32 {
            4
        }

        fn freeze(&self, _: Generation) -> Frozen {
            self.shown.store(self.wanted.load(SeqCst), SeqCst);
            Frozen { length: 4, kept: false }
        }

        fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
            let version = self.shown.load(SeqCst).to_le_bytes();
            for (byte, value) in out.iter_mut().zip(version.iter().skip(offset as usize)) {
                *byte = *value;
            }
        }
    }

    fn case() -> [u32; 2] {
        // SAFETY: a static of this program, of that type; volatile, since its value may be another one than the compiler knows.
        unsafe { addr_of!(CASE).read_volatile() }
    }

    /// TIMER1's time, in microseconds.
    fn now() -> u32 {
        // SAFETY: the register is read-only and reading it has no side effect.
        unsafe { (*pac::TIMER1::ptr()).timerawl().read().bits() }
    }

    /// A new version of the file, for which the stick leaves the bus if `refresh` says so.
    fn change(refresh: Refresh) -> u32 {
        let version = VERSION.wanted.load(SeqCst) + 1;
        VERSION.wanted.store(version, SeqCst);
        let asked = disk::ANNOUNCING.with_refresh(refresh);
        assert!(vd_update_file_with(&disk::FILES, &VERSION_BIN, asked).is_ok());
        version
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        let (stick, mut board) = Stick::start(&disk::DESCRIPTION);
        assert!(vd_add_file(&disk::FILES, &VERSION_BIN).is_ok());
        let [case, number] = case();
        match case {
            // The stick leaves the bus: interrupts serve it, and the main loop asks for it, or a handler.
            0 | 1 => {
                STICK.begin(stick);
                if case == 1 {
                    // SAFETY: the handler shares nothing but atomics and the registry.
                    unsafe { NVIC::unmask(pac::Interrupt::PWM_IRQ_WRAP_0) };
                }
                watch(|| {
                    if LEAVE.load(SeqCst) == 0 {
                    } else if case == 1 {
                        NVIC::pend(pac::Interrupt::PWM_IRQ_WRAP_0);
                    } else {
                        leave();
                    }
                })
            }
            // The same with a stick that the main loop polls.
            2 => {
                let mut stick = stick;
                watch(|| {
                    while LEAVE.load(SeqCst) != 0 {
                        LEAVE.fetch_sub(1, SeqCst);
                        change(Refresh::Reconnect);
                    }
                    stick.poll();
                })
            }
            // The other core changes the file, again and again, and wakes the stick, or would serve it.
            3 | 5 => {
                STICK.begin(stick);
                let mut sio = Sio::new(board.SIO);
                let mut cores = Multicore::new(&mut board.PSM, &mut board.PPB, &mut sio.fifo);
                static STACK: Stack<1024> = Stack::new();
                let (Some(core), Some(stack)) = (cores.cores().get_mut(1), STACK.take()) else { panic!("one core") };
                assert!(core.spawn(stack, second).is_ok());
                loop {
                    cortex_m::asm::wfi();
                }
            }
            // The main loop serves a stick that is not there yet; a handler brings it after that many cycles.
            _ => {
                critical_section::with(|section| LATE.borrow_ref_mut(section).replace(stick));
                // SAFETY: this core's own timer, which is not used elsewhere; every value of 24 bits is valid.
                unsafe {
                    let timer = &*SYST::PTR;
                    timer.rvr.write(number);
                    timer.cvr.write(0);
                    timer.csr.write(7);
                }
                while !CAME.load(SeqCst) {
                    STICK.serve();
                }
                loop {
                    cortex_m::asm::wfi();
                }
            }
        }
    }

    /// Does `work` again and again, and keeps how long it did not get to it.
    fn watch(mut work: impl FnMut()) -> ! {
        let mut last = now();
        loop {
            work();
            let present = now();
            LONGEST.fetch_max(present.wrapping_sub(last), SeqCst);
            last = present;
        }
    }

    /// Has the stick leave the bus, as often as the test wants.
    fn leave() {
        while LEAVE.load(SeqCst) != 0 {
            LEAVE.fetch_sub(1, SeqCst);
            change(Refresh::Reconnect);
            STICK.wake();
        }
    }

    #[interrupt]
    fn PWM_IRQ_WRAP_0() {
        leave();
    }

    /// What the other core does: two changes each time, the second one at every distance from the first, so that it comes at each
    /// place of what the first one has caused.
    fn second() {
        let wakes = case()[0] == 3;
        let told = || if wakes { STICK.wake() } else { STICK.serve() };
        for round in 0..CHANGES {
            // Until the stick has nothing to do: what the last change has caused is not to find this one.
            cortex_m::asm::delay(45_000);
            change(Refresh::Attention);
            told();
            cortex_m::asm::delay(1 + round * 15);
            let asked = now();
            let version = change(Refresh::Attention);
            told();
            while VERSION.shown.load(SeqCst) != version {}
            LATEST.fetch_max(now().wrapping_sub(asked), SeqCst);
            let enabled = [pac::Interrupt::USBCTRL_IRQ, pac::Interrupt::TIMER0_IRQ_0].map(NVIC::is_enabled);
            ENABLED.fetch_or(u32::from(enabled[0]) | u32::from(enabled[1]) << 1, SeqCst);
            ANSWERED.fetch_add(1, SeqCst);
        }
        loop {
            cortex_m::asm::wfi();
        }
    }

    static LATE: Mutex<RefCell<Option<Stick>>> = Mutex::new(RefCell::new(None));
    static CAME: AtomicBool = AtomicBool::new(false);

    #[unsafe(export_name = "SysTick")]
    extern "C" fn brings_the_stick() {
        let Some(stick) = critical_section::with(|section| LATE.borrow_ref_mut(section).take()) else { return };
        STICK.begin(stick);
        CAME.store(true, SeqCst);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
