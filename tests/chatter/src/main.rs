//! A firmware for tests: the main loop and an interrupt handler log, 600 lines each, as text and by defmt, while the stick is in
//! use. The handler's interrupt comes in the middle of each line of the main loop. Built by `cargo xtask test`; empty elsewhere
//! than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::fmt;
    use core::sync::atomic::{AtomicU32, Ordering};
    use cortex_m::peripheral::NVIC;
    use picovd::clock::Instant;
    use picovd::println;
    use picovd::rp2350::rp235x_hal;
    use picovd::rp2350::rp235x_hal::pac::{self, interrupt};

    picovd::firmware!(disk);

    /// Lines of each of the two.
    const LINES: u32 = 600;

    /// From line to line of the main loop, in milliseconds.
    const PAUSE: u32 = 20;

    /// An interrupt of a device that is not in use.
    const INTERRUPT: pac::Interrupt = pac::Interrupt::PWM_IRQ_WRAP_0;

    /// How many lines the handler has written.
    static INTERRUPTS: AtomicU32 = AtomicU32::new(0);

    /// A value in whose formatting the interrupt comes.
    struct Interrupted(u32);

    impl fmt::Display for Interrupted {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            NVIC::pend(INTERRUPT);
            write!(f, "{}", self.0)
        }
    }

    impl defmt::Format for Interrupted {
        fn format(&self, f: defmt::Formatter<'_>) {
            NVIC::pend(INTERRUPT);
            defmt::write!(f, "{=u32}", self.0);
        }
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
        // SAFETY: no critical section is open, and the handler shares nothing with this loop but the logs and an atomic.
        unsafe { NVIC::unmask(INTERRUPT) };
        let mut next = Instant::default().after(PAUSE);
        for line in 1..=LINES {
            while stick.now() < next {
                stick.poll();
                stick.wake_at(next);
                stick.sleep();
            }
            // By turns: the interrupt comes within a line of text, or within a frame.
            if line % 2 == 0 {
                println!("main {line:05} of {} abcdefghijklmnopqrstuvwxyz", Interrupted(LINES));
                frame(line, LINES);
            } else {
                println!("main {line:05} of {LINES} abcdefghijklmnopqrstuvwxyz");
                frame(line, Interrupted(LINES));
            }
            next = next.after(PAUSE);
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
