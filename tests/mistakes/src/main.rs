//! A firmware for tests: what people do wrong, one at a time, so that the simulator names it. Which one, a test writes into the
//! ELF: see `MISTAKE`. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod blocks;

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::ptr::addr_of;
    use core::sync::atomic::{AtomicBool, Ordering};
    use core::time::Duration;
    use cortex_m::peripheral::NVIC;
    use picovd::clock::Instant;
    use picovd::files::Snapshot;
    use picovd::println;
    use picovd::rp2350::rp235x_hal;
    use picovd::rp2350::rp235x_hal::fugit::ExtU32;
    use picovd::rp2350::rp235x_hal::pac::{self, interrupt};
    use picovd::vd::{File, vd_add_file};

    #[cfg(not(feature = "halt"))]
    picovd::firmware!(disk);
    #[cfg(feature = "halt")]
    picovd::stick!(disk);
    #[cfg(feature = "halt")]
    #[unsafe(link_section = ".start_block")]
    #[used]
    static IMAGE_DEF: rp235x_hal::block::ImageDef = rp235x_hal::block::ImageDef::secure_exe();

    #[cfg(feature = "halt")]
    #[panic_handler]
    fn halt(_: &core::panic::PanicInfo<'_>) -> ! {
        loop {
            core::sync::atomic::compiler_fence(Ordering::SeqCst);
        }
    }

    /// Which mistake this is, by its number below; a test changes it in the file before it runs it.
    #[unsafe(export_name = "MISTAKE")]
    #[used]
    static MISTAKE: u32 = 0;

    /// How many milliseconds mistake 15 waits from one poll to the next; changed in the same way.
    #[unsafe(export_name = "PERIOD")]
    #[used]
    static PERIOD: u32 = 480;

    static COUNT: Snapshot<u32> = Snapshot::new(0);
    static COUNT_TXT: File = File::new("COUNT.TXT", &COUNT, 16);

    /// How many lines of each kind a program that prints a lot prints, and the time from one to the next.
    const LINES: u32 = 600;
    const PAUSE: Duration = Duration::from_millis(20);

    static NAMES: [File; 9] = [
        File::new("CON", &COUNT, 16),
        File::new("aux.log", &COUNT, 16),
        File::new("trail.", &COUNT, 16),
        File::new("trail ", &COUNT, 16),
        File::new("COM\u{b9}.txt", &COUNT, 16),
        File::new("lpt1/inside.txt", &COUNT, 16),
        File::new("a\u{202e}b", &COUNT, 16),
        File::new("count.txt", &COUNT, 16),
        File::new("COUNT.TXT/inside.txt", &COUNT, 16),
    ];

    /// A flag that is never set.
    static READY: AtomicBool = AtomicBool::new(false);

    fn mistake() -> u32 {
        // SAFETY: a static of this program, of that type; volatile, since its value may be another one than the compiler knows.
        unsafe { addr_of!(MISTAKE).read_volatile() }
    }

    fn period() -> Duration {
        // SAFETY: as above.
        Duration::from_millis(u64::from(unsafe { addr_of!(PERIOD).read_volatile() }))
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
        println!("the program begins");
        println!("mistake {}", mistake());
        vd_add_file(&disk::FILES, &COUNT_TXT).expect("there is room for it");
        match mistake() {
            1 => panic!("boom"),
            2 => vd_add_file(&disk::FILES, &COUNT_TXT).expect("there is room for another one"),
            4 => wait_for_sensor(),
            5 => println!("depth {}", deeper(1)),
            6 => {
                let slices = rp235x_hal::pwm::Slices::new(board.PWM, &mut board.RESETS);
                let mut pwm = slices.pwm0;
                pwm.set_top(1234);
                println!("PWM counts to {}", pwm.get_top());
            }
            7 => println!("{}", read_nothing()),
            8 => println!("{}", [1, 2, 3][mistake() as usize]),
            9 => {
                // SAFETY: the handler shares nothing.
                unsafe { NVIC::unmask(pac::Interrupt::PWM_IRQ_WRAP_0) };
                NVIC::pend(pac::Interrupt::PWM_IRQ_WRAP_0);
            }
            12 => {
                board.watchdog.start(50u32.millis());
                wait_for_sensor();
            }
            13 => bad_names(),
            16 => {
                // SAFETY: there is no handler: this is the mistake.
                unsafe { NVIC::unmask(pac::Interrupt::PWM_IRQ_WRAP_1) };
                NVIC::pend(pac::Interrupt::PWM_IRQ_WRAP_1);
            }
            15 => loop {
                stick.poll();
                // A main loop that waits, as blinking programs do.
                let end = stick.now() + period();
                while stick.now() < end {}
            },
            // No mistake: a program with a sensor.
            11 => crate::blocks::use_all(board),
            _ => {}
        }
        let later = Instant::default() + Duration::from_millis(300);
        let (mut line, mut next) = (0, Instant::default() + PAUSE);
        loop {
            stick.poll();
            stick.wake_at(later);
            // No mistake either: a program that prints a lot, the lines of tests/chatter.
            if mistake() == 14 && line < LINES {
                if next <= stick.now() {
                    next += PAUSE;
                    line += 1;
                    println!("main {line:05} of {LINES} abcdefghijklmnopqrstuvwxyz");
                    println!("interrupt {line:05} of {LINES} ABCDEFGHIJKLMNOPQRSTUVWXYZ");
                    continue;
                }
                stick.wake_at(next);
            }
            stick.sleep();
            if mistake() == 3 && stick.now() >= later {
                panic!("boom after {} ms", 300);
            }
            if mistake() == 10 && stick.now() >= later {
                wait_for_sensor();
            }
        }
    }

    /// Registers files under names that Windows cannot open, or that hosts take for that of a file which is there: each is refused.
    fn bad_names() {
        for name in &NAMES {
            match vd_add_file(&disk::FILES, name) {
                Ok(()) => panic!("{} was taken", name.path()),
                Err(error) => println!("{}: {error}", name.path()),
            }
        }
    }

    /// Waits for something that nothing else in the program does.
    #[inline(never)]
    fn wait_for_sensor() {
        while !READY.load(Ordering::Relaxed) {
            core::hint::spin_loop();
        }
    }

    #[inline(never)]
    #[allow(unconditional_recursion)]
    fn deeper(depth: u32) -> u32 {
        let mut room = [depth; 32];
        // The array has to be there: the compiler would make a loop of it.
        core::hint::black_box(&mut room);
        deeper(depth + 1) + room[(depth & 31) as usize]
    }

    /// Reads where nothing is.
    #[inline(never)]
    fn read_nothing() -> u32 {
        // SAFETY: none: this is the mistake.
        unsafe { (0x7000_0000 as *const u32).read_volatile() }
    }

    #[interrupt]
    fn PWM_IRQ_WRAP_0() {
        panic!("in a handler");
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
