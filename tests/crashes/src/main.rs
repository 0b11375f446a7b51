//! A firmware for tests: each kind of crash, one at a time, before a host has seen the stick. Which one, a test writes into the ELF:
//! see `CRASH`. After the restart it shows what was kept. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::arch::asm;
    use core::hint::black_box;
    use core::ptr::addr_of;
    use cortex_m::peripheral::SCB;
    use picovd::println;
    use picovd::rp2350::rp235x_hal::multicore::Multicore;
    use picovd::rp2350::rp235x_hal::{self, Sio};

    picovd::firmware!(disk);

    /// Which crash this is, by its number in `crash`, and 100 more on the second core; a test changes it in the file before it runs
    /// it.
    #[unsafe(export_name = "CRASH")]
    #[used]
    static CRASH: u32 = 0;

    /// Set by the program's own handler.
    #[cfg(feature = "handler")]
    #[unsafe(export_name = "HANDLED")]
    static HANDLED: core::sync::atomic::AtomicU32 = core::sync::atomic::AtomicU32::new(0);

    /// A handler of the program's own, as cortex-m-rt declares it.
    #[cfg(feature = "handler")]
    #[cortex_m_rt::exception]
    unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
        HANDLED.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
        // SAFETY: this is a handler of a fault, and that is its frame.
        unsafe { disk::faulted(core::ptr::from_ref(frame).cast()) }
    }

    picovd::core1_stack!(STACK, 1024);

    fn selected() -> u32 {
        // SAFETY: a static of this program, of that type; volatile, since its value may be another one than the compiler knows.
        unsafe { addr_of!(CRASH).read_volatile() }
    }

    /// Enables the exception of a fault, which is otherwise a HardFault: SHCSR's MEMFAULTENA, BUSFAULTENA, USGFAULTENA.
    fn enable(bit: u32) {
        // SAFETY: the program has handlers for them.
        unsafe { (*SCB::PTR).shcsr.modify(|enabled| enabled | 1 << bit) };
    }

    /// Executes something that nobody should.
    #[inline(never)]
    fn crash(number: u32, marks: &[u32; 4]) -> u32 {
        let twice = black_box(marks.map(|mark| mark * 2));
        // SAFETY: these are the crashes.
        unsafe {
            match number {
                1 => panic!("the sensor is gone"),
                2 | 12 => asm!("udf #1"),
                3 | 13 => (0xF000_0004 as *mut u32).write_volatile(twice[0]),
                4 | 14 => asm!("blx {}", in(reg) 0x4000_0001, out("lr") _),
                5 | 15 => asm!("ldrd {}, {}, [{}]", out(reg) _, out(reg) _, in(reg) 0x2000_0001),
                6 => asm!("bkpt #2"),
                8 => disk::capture(),
                _ => {}
            }
        }
        black_box(&twice)[3]
    }

    /// Uses more and more of the stack.
    #[inline(never)]
    fn deeper(depth: u32) -> u32 {
        let room = black_box([depth; 64]);
        let sum = if depth == u32::MAX { 0 } else { deeper(depth + 1) };
        sum.wrapping_add(black_box(&room)[7])
    }

    #[inline(never)]
    fn middle(number: u32) -> u32 {
        let marks = black_box([0x1111, 0x2222, 0x3333, number]);
        let sum = if number == 7 { deeper(0) } else { crash(number, &marks) };
        sum.wrapping_add(black_box(&marks)[1])
    }

    #[inline(never)]
    fn outer(number: u32) -> u32 {
        if (12..16).contains(&number) {
            // 16 MemManage, 17 BusFault, 18 UsageFault.
            enable([18, 17, 16, 18][number as usize - 12]);
        }
        println!("crash {number} follows");
        black_box(middle(black_box(number)))
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
        let number = selected();
        // From 1000 on, once more after the restart, which is only counted; from 2000 on, always.
        let wanted = match number / 1000 {
            0 => !disk::CRASH.is_there(),
            1 => disk::CRASH.later() == 0,
            _ => true,
        };
        if wanted && number % 1000 >= 100 {
            let mut sio = Sio::new(board.SIO);
            let mut cores = Multicore::new(&mut board.PSM, &mut board.PPB, &mut sio.fifo);
            let (Some(core), Some(stack)) = (cores.cores().get_mut(1), STACK.take()) else { panic!("one core") };
            assert!(core.spawn(stack, || assert!(outer(selected() % 100) != 0)).is_ok());
            loop {
                cortex_m::asm::nop();
            }
        }
        if wanted {
            outer(number % 100);
            // The snapshot is shown after a restart.
            if number == 8 {
                picovd::rp2350::restart();
            }
        }
        loop {
            stick.poll();
            stick.sleep();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
