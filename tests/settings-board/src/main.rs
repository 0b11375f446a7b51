//! A firmware for tests: it looks for what was saved, and then saves again and again, one number after the other. Built by
//! `cargo xtask test`; empty elsewhere than on the chip.
//!
//! The tests read what it knows from RAM: `LOADED`, `SAVED`, `FAILED`, `COUNTED`. What the second core does, they write there:
//! `MODE`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::mem::MaybeUninit;
    use core::ptr::addr_of;
    use core::sync::atomic::{AtomicU32, Ordering};
    use cortex_m::peripheral::{NVIC, SYST};
    use picovd::rp2350::SettingsFlash;
    use picovd::rp2350::rp235x_hal::multicore::{Multicore, Stack};
    use picovd::rp2350::rp235x_hal::{self, Sio, pac};
    use picovd::settings::{SaveError, Store};

    picovd::firmware!(disk);

    /// Where `[settings]` of picovd.toml are in a flash of 4 MiB: before its last sector.
    const START: u32 = 0x3F_D000;

    /// Saves until the program has done enough: both sectors were erased by then, three times each.
    const SAVES: u32 = 60;

    /// Before and after the first look.
    const NOTHING_YET: u32 = 0xFFFF_FFFF;
    const DAMAGED: u32 = 0xFFFF_FFFE;

    /// The number that was found, 0 for none.
    #[unsafe(export_name = "LOADED")]
    static LOADED: AtomicU32 = AtomicU32::new(NOTHING_YET);
    /// The number that was saved last.
    #[unsafe(export_name = "SAVED")]
    static SAVED: AtomicU32 = AtomicU32::new(0);
    /// Why it was not saved: 0 for no reason, else 1 and more.
    #[unsafe(export_name = "FAILED")]
    static FAILED: AtomicU32 = AtomicU32::new(0);
    /// The payload for a number: from 4 to 600 bytes.
    fn payload(number: u32, out: &mut [u8; 600]) -> &[u8] {
        let [n0, n1, ..] = number.to_le_bytes();
        for (byte, at) in out.iter_mut().zip(0u8..=255).skip(4) {
            *byte = at ^ n0;
        }
        for (byte, value) in out.iter_mut().zip(number.to_le_bytes()) {
            *byte = value;
        }
        let length = match number % 4 {
            0 => 600,
            1 => 4,
            2 => 100 + usize::from(n1),
            _ => 300,
        };
        out.get(..length).unwrap_or_default()
    }

    /// Which number a payload is for.
    fn number(found: &[u8]) -> u32 {
        let Some(number) = found.first_chunk().copied().map(u32::from_le_bytes) else { return DAMAGED };
        if payload(number, &mut [0; 600]) == found { number } else { DAMAGED }
    }

    /// What a test has written here before the program began; anything else after a power-on.
    #[unsafe(link_section = ".uninit.SETTINGS_MODE")]
    #[unsafe(export_name = "SETTINGS_MODE")]
    static mut MODE: MaybeUninit<u32> = MaybeUninit::uninit();

    /// The second core counts, with code in flash, and parks on request.
    const PARKS: u32 = 0x5E77_0001;
    /// It counts, and has never registered as one that parks.
    const COUNTS: u32 = 0x5E77_0002;
    /// It has said so, and then masks interrupts.
    const DEAF: u32 = 0x5E77_0003;
    /// It has said so, and then masks the one by which it would be asked, and sleeps.
    const DOZES: u32 = 0x5E77_0004;

    /// How far the second core has counted.
    #[unsafe(export_name = "COUNTED")]
    static COUNTED: AtomicU32 = AtomicU32::new(0);

    static STACK: Stack<256> = Stack::new();

    fn mode() -> u32 {
        // SAFETY: nothing of the program writes there, and any bits are a number; volatile, since the compiler takes it for
        // unreadable.
        unsafe { addr_of!(MODE).cast::<u32>().read_volatile() }
    }

    fn second() {
        if mode() != COUNTS {
            picovd::park!();
        }
        if mode() == DEAF {
            cortex_m::interrupt::disable();
        }
        if mode() == DOZES {
            NVIC::mask(pac::Interrupt::SIO_IRQ_BELL);
            // SAFETY: each core has its own timer, and this one's is not used elsewhere; the values are valid: an interrupt every 10 ms.
            unsafe {
                (*SYST::PTR).rvr.write(1_500_000);
                (*SYST::PTR).cvr.write(0);
                (*SYST::PTR).csr.write(7);
            }
        }
        loop {
            if mode() == DOZES {
                cortex_m::asm::wfi();
            }
            COUNTED.fetch_add(1, Ordering::Relaxed);
            cortex_m::asm::delay(1000);
        }
    }

    /// The interrupt of the second core's timer, which it wakes up by.
    #[unsafe(export_name = "SysTick")]
    extern "C" fn tick() {}

    /// Launches the second core. Returns when it has begun to count.
    fn launch(mut all: pac::Peripherals) {
        let mut sio = Sio::new(all.SIO);
        let mut cores = Multicore::new(&mut all.PSM, &mut all.PPB, &mut sio.fifo);
        let (Some(core), Some(stack)) = (cores.cores().get_mut(1), STACK.take()) else { panic!("one core") };
        assert!(core.spawn(stack, second).is_ok());
        while COUNTED.load(Ordering::Relaxed) == 0 {}
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        if let (PARKS | COUNTS | DEAF | DOZES, Some(all)) = (mode(), pac::Peripherals::take()) {
            launch(all);
        }
        let Some(flash) = SettingsFlash::new(4 << 20) else { panic!("runs from SRAM") };
        let mut store = Store::open(flash, START, 2);
        let mut found = [0; 1008];
        let length = store.load(&mut found);
        let mut last = length.map_or(0, |length| number(found.get(..length).unwrap_or_default()));
        LOADED.store(last, Ordering::Release);
        for _ in 0..SAVES {
            last += 1;
            let failed = match store.save(payload(last, &mut [0; 600])) {
                Ok(()) => {
                    SAVED.store(last, Ordering::Release);
                    0
                }
                Err(SaveError::OtherCore) => 1,
                Err(SaveError::Refused) => 2,
                Err(SaveError::WornOut) => 3,
                Err(_) => 4,
            };
            FAILED.store(failed, Ordering::Release);
        }
        loop {
            cortex_m::asm::wfi();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
