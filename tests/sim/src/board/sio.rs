//! The single-cycle IO block as core 0 sees it (RP2350 datasheet 3.1): spinlocks, GPIO outputs, the empty inter-core
//! FIFO.

/// The block.
#[derive(Clone, Debug, Default)]
pub struct Sio {
    locks: u32,
    out: [u32; 2],
    enable: [u32; 2],
}

impl Sio {
    /// Output levels of GPIO 0 to 47 that are driven.
    #[must_use]
    pub fn driven(&self) -> u64 {
        u64::from(self.out[0] & self.enable[0]) | u64::from(self.out[1] & self.enable[1]) << 32
    }

    /// Reads a register.
    pub fn read(&mut self, offset: u32) -> Option<u32> {
        Some(match offset {
            // CPUID: core 0.
            0x00 => 0,
            // Inputs see what is driven; nothing else is connected.
            0x04 => self.out[0] & self.enable[0],
            0x08 => self.out[1] & self.enable[1],
            0x10 => self.out[0],
            0x14 => self.out[1],
            0x30 => self.enable[0],
            0x34 => self.enable[1],
            // FIFO_ST: empty, ready for writing.
            0x50 => 2,
            // FIFO_RD of an empty FIFO.
            0x58 => 0,
            0x5C => self.locks,
            // Reading a free spinlock claims it.
            0x100..=0x17C => {
                let bit = 1 << ((offset - 0x100) / 4);
                let free = self.locks & bit == 0;
                self.locks |= bit;
                if free { bit } else { 0 }
            }
            // DOORBELL_IN: nobody rings.
            0x188 | 0x18C => 0,
            _ => return None,
        })
    }

    /// Writes a register. There are no aliases here.
    pub fn write(&mut self, offset: u32, word: u32) -> Option<()> {
        let bank = (offset >> 2 & 1) as usize;
        match offset {
            0x10 | 0x14 => self.out[bank] = word,
            0x18 | 0x1C => self.out[bank] |= word,
            0x20 | 0x24 => self.out[bank] &= !word,
            0x28 | 0x2C => self.out[bank] ^= word,
            0x30 | 0x34 => self.enable[bank] = word,
            0x38 | 0x3C => self.enable[bank] |= word,
            0x40 | 0x44 => self.enable[bank] &= !word,
            0x48 | 0x4C => self.enable[bank] ^= word,
            // FIFO_ST: clears the sticky error bits.
            0x50 => {}
            0x100..=0x17C => self.locks &= !(1 << ((offset - 0x100) / 4)),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinlock_is_claimed_once() {
        let mut sio = Sio::default();
        assert_eq!(sio.read(0x17C), Some(1 << 31));
        assert_eq!(sio.read(0x17C), Some(0));
        sio.write(0x17C, 1);
        assert_eq!(sio.read(0x17C), Some(1 << 31));
    }

    #[test]
    fn outputs_are_set_and_cleared_by_bits() {
        let mut sio = Sio::default();
        sio.write(0x38, 1 << 25);
        sio.write(0x18, 1 << 25);
        sio.write(0x1C, 1);
        assert_eq!(sio.driven(), 1 << 25);
        sio.write(0x20, 1 << 25);
        assert_eq!(sio.driven(), 0);
    }
}
