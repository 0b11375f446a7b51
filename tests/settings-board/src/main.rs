//! A firmware for tests: it looks for what was saved, and then saves again and again, one number after the other. Built by
//! `cargo xtask test`; empty elsewhere than on the chip.
//!
//! The tests read what it knows from RAM: `LOADED`, `SAVED`, `FAILED`.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::sync::atomic::{AtomicU32, Ordering};
    use picovd::rp2350::flash::SettingsFlash;
    use picovd::rp2350::rp235x_hal;
    use picovd::settings::{SaveError, Store};

    picovd::firmware!(disk);

    /// Where `[settings]` of picovd.toml stand in a flash of 4 MiB: in front of its last sector.
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

    /// What the second core would begin with. Here nobody launches it: the tests play its part.
    #[used]
    static SECOND_CORE: fn() -> ! = || {
        picovd::park!();
        loop {
            cortex_m::asm::wfi();
        }
    };

    #[rp235x_hal::entry]
    fn main() -> ! {
        let Some(flash) = SettingsFlash::new(START) else { panic!("runs from SRAM") };
        let mut store = Store::open(flash, 2);
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
