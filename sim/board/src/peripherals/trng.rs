//! The random number generator (RP2350 datasheet 12.12): numbers that are the same in every run.

use crate::registers::Alias;

const ISR: u32 = 0x104;
const ICR: u32 = 0x108;
const VALID: u32 = 0x110;
const EHR_DATA: u32 = 0x114;
const EHR_DATA_LAST: u32 = 0x128;
const SOURCE_ENABLE: u32 = 0x12C;

/// The block.
#[derive(Clone, Debug, Default)]
pub struct Trng {
    enabled: bool,
    numbers: u32,
}

impl Trng {
    pub(super) fn read(&mut self, offset: u32, now: u64) -> Option<u32> {
        Some(match offset {
            ISR | VALID => u32::from(self.enabled),
            EHR_DATA..=EHR_DATA_LAST if self.enabled => {
                self.numbers = self.numbers.wrapping_add(1);
                let seed = now.wrapping_add(u64::from(self.numbers) << 32);
                (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24) as u32
            }
            EHR_DATA..=EHR_DATA_LAST => 0,
            SOURCE_ENABLE => u32::from(self.enabled),
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        match offset {
            SOURCE_ENABLE => self.enabled = alias.apply(u32::from(self.enabled), word) & 1 != 0,
            // The interrupt is not modelled.
            ICR => {}
            _ => return None,
        }
        Some(())
    }
}
