//! A firmware for tests: an application that uses its secrets all the time, in the main loop and, with feature `second`, on the
//! second core. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::sync::atomic::{AtomicU32, Ordering};
    use picovd::heapless::String;
    use picovd::println;
    use picovd::rp2350::rp235x_hal;
    #[cfg(any(feature = "second", feature = "unmarked"))]
    use picovd::rp2350::rp235x_hal::{Sio, multicore::Multicore, pac};
    use picovd::settings::Secret;

    picovd::firmware!(disk);

    #[cfg(feature = "serve")]
    picovd::serve!(STICK);

    picovd::group! {
        static LAMP = "lamp";

        struct Lamp {
            name: String<24> = "" => text(0, 24, "What it is called."),
            password: Secret<32> = "" => text(0, 32, "What it logs in with.").secret(),
        }
    }

    /// What the secret was good for, so that it is used: tests find these by name.
    #[unsafe(export_name = "LOGINS")]
    static LOGINS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];
    static SUM: AtomicU32 = AtomicU32::new(0);

    /// Logs in: each byte of the secret goes through registers and over the stack.
    fn log_in(core: usize) {
        let sum = LAMP.lend(&disk::SETTINGS, |lamp| {
            let mut text = [0; 32];
            for (byte, value) in text.iter_mut().zip(lamp.password.as_str().bytes()) {
                *byte = value;
            }
            core::hint::black_box(&mut text);
            text.iter().fold(0_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte))
        });
        SUM.store(sum, Ordering::Relaxed);
        if let Some(logins) = LOGINS.get(core) {
            logins.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Uses the settings. Its frame is deeper than those of interrupt handlers.
    #[inline(never)]
    fn work(turn: u32) {
        log_in(0);
        let lamp = LAMP.get(&disk::SETTINGS);
        if turn.is_multiple_of(4096) {
            println!("This is {}.", lamp.name.as_str());
            defmt::info!("{=str} has logged in {=u32} times", lamp.name.as_str(), LOGINS[0].load(Ordering::Relaxed));
        }
    }

    #[cfg(feature = "second")]
    picovd::core1_stack!(STACK, 1024);
    #[cfg(all(feature = "unmarked", not(feature = "second")))]
    static STACK: rp235x_hal::multicore::Stack<1024> = rp235x_hal::multicore::Stack::new();

    #[cfg(any(feature = "second", feature = "unmarked"))]
    fn second() {
        picovd::park!();
        loop {
            log_in(1);
            cortex_m::asm::delay(2000);
        }
    }

    /// Launches the second core.
    #[cfg(any(feature = "second", feature = "unmarked"))]
    fn launch() {
        // SAFETY: these are not used elsewhere: the stick takes USB, clocks and timers.
        let mut all = unsafe { pac::Peripherals::steal() };
        let mut sio = Sio::new(all.SIO);
        let mut cores = Multicore::new(&mut all.PSM, &mut all.PPB, &mut sio.fifo);
        let (Some(core), Some(stack)) = (cores.cores().get_mut(1), STACK.take()) else { panic!("one core") };
        assert!(core.spawn(stack, second).is_ok());
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        #[cfg_attr(feature = "serve", allow(unused_mut))]
        let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
        assert!(disk::SETTINGS.add(&LAMP).is_ok());
        #[cfg(any(feature = "second", feature = "unmarked"))]
        launch();
        #[cfg(feature = "serve")]
        STICK.begin(stick);
        for turn in 0_u32.. {
            work(turn);
            #[cfg(not(feature = "serve"))]
            stick.poll();
        }
        loop {
            cortex_m::asm::wfi();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
