//! A firmware for tests: the main loop and an interrupt handler log, 600 lines each, as text and by defmt, while the stick is in
//! use. The handler's interrupt comes in the middle of each line of the main loop. So does the second core, which a test lets
//! log, too: see `MODE`. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::fmt;
    use core::mem::MaybeUninit;
    use core::ptr::addr_of;
    use core::sync::atomic::{AtomicU32, Ordering};
    use core::time::Duration;
    use cortex_m::asm;
    use cortex_m::peripheral::NVIC;
    use picovd::clock::Instant;
    use picovd::rp2350::rp235x_hal::multicore::{Multicore, Stack};
    use picovd::rp2350::rp235x_hal::pac::{self, interrupt};
    use picovd::rp2350::rp235x_hal::{self, Sio};
    use picovd::{print, println};

    picovd::firmware!(disk);

    /// Lines of each of the two.
    const LINES: u32 = 600;

    /// From line to line of the main loop.
    const PAUSE: Duration = Duration::from_millis(20);

    /// An interrupt of a device that is not in use.
    const INTERRUPT: pac::Interrupt = pac::Interrupt::PWM_IRQ_WRAP_0;

    /// How many lines the handler has written.
    static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

    /// What a test has written here before the program began; anything else after a power-on.
    #[unsafe(link_section = ".uninit.CHATTER_MODE")]
    #[unsafe(export_name = "CHATTER_MODE")]
    static mut MODE: MaybeUninit<u32> = MaybeUninit::uninit();

    /// The second core logs, too.
    const THREE: u32 = 0xC4A7_0003;
    /// The same, and the main loop prints its lines piece by piece: what the tests have to notice.
    const TORN: u32 = 0xC4A7_0004;

    /// Only the second core logs, one line after a second, when everything else is idle.
    const LATE: u32 = 0xC4A7_0005;

    /// How many lines the second core is asked for.
    static ASKED: AtomicU32 = AtomicU32::new(0);

    static STACK: Stack<1024> = Stack::new();

    fn mode() -> u32 {
        // SAFETY: nothing of the program writes there, and any bits are a number; volatile, since the compiler takes it for
        // unreadable.
        unsafe { addr_of!(MODE).cast::<u32>().read_volatile() }
    }

    /// Asks handler and second core for a line, now.
    fn interrupt() {
        NVIC::pend(INTERRUPT);
        ASKED.fetch_add(1, Ordering::Release);
        asm::sev();
    }

    /// What the second core does: a line for each of the main loop's, asked for in the middle of it.
    fn second() {
        if mode() == LATE {
            asm::delay(75_000_000);
            println!("late");
            return;
        }
        for line in 1..=LINES {
            while ASKED.load(Ordering::Acquire) < line {
                asm::wfe();
            }
            // Now sooner than the handler, now later, and in the middle of its line: up to 2047 turns of some cycles.
            asm::delay(line.wrapping_mul(0x9E37_79B1) >> 21);
            println!("second {line:05} of {LINES} 0123456789");
            defmt::info!("second {=u32} of {=u32}", line, LINES);
        }
    }

    /// A value in whose formatting the others are asked for theirs.
    struct Interrupted(u32);

    impl fmt::Display for Interrupted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            interrupt();
            write!(f, "{}", self.0)
        }
    }

    impl defmt::Format for Interrupted {
        fn format(&self, f: defmt::Formatter<'_>) {
            interrupt();
            defmt::write!(f, "{=u32}", self.0);
        }
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
        if matches!(mode(), THREE | TORN | LATE) {
            let mut sio = Sio::new(board.SIO);
            let mut cores = Multicore::new(&mut board.PSM, &mut board.PPB, &mut sio.fifo);
            let (Some(core), Some(stack)) = (cores.cores().get_mut(1), STACK.take()) else { panic!("one core") };
            assert!(core.spawn(stack, second).is_ok());
        }
        // SAFETY: no critical section is open, and the handler shares nothing with this loop but the logs and an atomic.
        unsafe { NVIC::unmask(INTERRUPT) };
        let mut next = Instant::default() + PAUSE;
        let lines = if mode() == LATE { 0 } else { LINES };
        for line in 1..=lines {
            while stick.now() < next {
                stick.poll();
                stick.wake_at(next);
                stick.sleep();
            }
            // By turns: the interrupt comes within a line of text, or within a frame.
            if mode() == TORN {
                print!("main {line:05} ");
                print!("of {} ", Interrupted(LINES));
                // Until both others have printed theirs.
                asm::delay(20_000);
                println!("abcdefghijklmnopqrstuvwxyz");
                frame(line, LINES);
            } else if line % 2 == 0 {
                println!("main {line:05} of {} abcdefghijklmnopqrstuvwxyz", Interrupted(LINES));
                frame(line, LINES);
            } else {
                println!("main {line:05} of {LINES} abcdefghijklmnopqrstuvwxyz");
                frame(line, Interrupted(LINES));
            }
            next += PAUSE;
        }
        loop {
            stick.poll();
            stick.sleep();
        }
    }

    /// A frame of each level, one after the other.
    fn frame(line: u32, of: impl defmt::Format) {
        match line % 5 {
            0 => defmt::trace!("main {=u32} of {}", line, of),
            1 => defmt::debug!("main {=u32} of {}", line, of),
            2 => defmt::info!("main {=u32} of {}", line, of),
            3 => defmt::warn!("main {=u32} of {}", line, of),
            _ => defmt::error!("main {=u32} of {}", line, of),
        }
    }

    #[interrupt]
    fn PWM_IRQ_WRAP_0() {
        let line = INTERRUPTS.load(Ordering::Relaxed) + 1;
        INTERRUPTS.store(line, Ordering::Relaxed);
        println!("interrupt {line:05} of {LINES} ABCDEFGHIJKLMNOPQRSTUVWXYZ");
        defmt::info!("interrupt {=u32} of {=u32}, {=str}, {=i16}, {=[u8]:x}", line, LINES, "a text", -7, [0, 1, 255]);
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
