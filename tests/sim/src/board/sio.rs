//! The single-cycle IO block as core 0 sees it (RP2350 datasheet 3.1): spinlocks, GPIO outputs, and what the second core does
//! with inter-core FIFO and doorbells. It executes nothing.

use std::collections::VecDeque;

/// What the second core does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondCore {
    /// It waits in the boot ROM to be launched (5.3), as after every reset.
    #[default]
    Waits,
    /// It runs a program from flash that pays attention to nothing.
    Runs,
    /// It runs a program from flash, and steps aside when the doorbell rings: it copies the word at one address to another.
    Parks {
        /// Where the number stands that it is asked with.
        asked: u32,
        /// Where it writes the number that it answers.
        answered: u32,
    },
}

/// The block.
#[derive(Clone, Debug)]
pub struct Sio {
    locks: u32,
    out: [u32; 2],
    enable: [u32; 2],
    pub(super) second_core: SecondCore,
    /// Words of the launch protocol that the boot ROM has taken: 0, 1, vector table, stack pointer.
    launched: u32,
    fifo: VecDeque<u32>,
    bell: bool,
}

impl Default for Sio {
    fn default() -> Self {
        // The boot ROM says 0 as soon as it waits.
        let fifo = VecDeque::from([0]);
        let second_core = SecondCore::Waits;
        Self { locks: 0, out: [0; 2], enable: [0; 2], second_core, launched: 0, fifo, bell: false }
    }
}

impl Sio {
    /// Output levels of GPIO 0 to 47 that are driven.
    #[must_use]
    pub fn driven(&self) -> u64 {
        u64::from(self.out[0] & self.enable[0]) | u64::from(self.out[1] & self.enable[1]) << 32
    }

    /// Whether a doorbell of the second core was rung since the last time.
    pub(super) fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.bell)
    }

    /// The boot ROM's side of the launch protocol: it says every word again, and begins anew at a 0 or at what does not fit.
    /// `None` where a program would be launched.
    fn launch(&mut self, word: u32) -> Option<()> {
        self.launched = match (self.launched, word) {
            (_, 0) => 0,
            (0, 1) => 1,
            (0, _) => {
                self.fifo.push_back(0);
                return Some(());
            }
            (3.., _) => return None,
            (n, _) => n + 1,
        };
        self.fifo.push_back(word);
        Some(())
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
            // FIFO_ST: ready for writing, and whether there is something to read.
            0x50 => 2 | u32::from(!self.fifo.is_empty()),
            0x58 => self.fifo.pop_front().unwrap_or(0),
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
            // FIFO_WR: nobody reads it but the boot ROM.
            0x54 if self.second_core == SecondCore::Waits => return self.launch(word),
            0x54 => {}
            // DOORBELL_OUT_SET, DOORBELL_OUT_CLR, DOORBELL_IN_CLR.
            0x180 => self.bell |= word & 0xFF != 0,
            0x184 | 0x18C => {}
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
    fn the_second_core_takes_part_in_the_launch_protocol() {
        let mut sio = Sio::default();
        assert_eq!((sio.read(0x50), sio.read(0x58), sio.read(0x50)), (Some(3), Some(0), Some(2)));
        for (word, answer) in [(0, 0), (1, 1), (0, 0), (5, 0), (1, 1), (7, 7), (0, 0)] {
            sio.write(0x54, word).unwrap();
            assert_eq!(sio.read(0x58), Some(answer));
        }
        for word in [1, 0x1000_0000, 0x2008_0000] {
            sio.write(0x54, word).unwrap();
        }
        assert_eq!(sio.write(0x54, 0x1000_0101), None, "nobody can run there");
        sio.second_core = SecondCore::Runs;
        sio.fifo.clear();
        sio.write(0x54, 0).unwrap();
        assert_eq!(sio.read(0x50), Some(2));
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
