//! The single-cycle IO block (RP2350 datasheet 3.1) as either core sees it: spinlocks and GPIO outputs, which they share,
//! and inter-core FIFOs and doorbells, of which each core has its own end. Also the boot ROM's side of the protocol that
//! launches the second core (5.3).
//!
//! Terms: a core's FIFO and doorbells are those that it reads; the other core writes to them.

use std::collections::VecDeque;

/// The state of the second core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecondCore {
    /// It waits in the boot ROM to be launched (5.3), as after every reset.
    #[default]
    Waits,
    /// It is kept in reset by PSM.
    Held,
    /// It executes the program that it was launched with.
    Executes,
    /// A double that executes nothing: like a program in flash that reacts to nothing.
    Runs,
    /// Another double: a program in flash that parks when the doorbell rings. It copies the word at one address to another.
    Parks {
        /// The address of the request number.
        asked: u32,
        /// The address where it writes its answer.
        answered: u32,
    },
}

/// The launch parameters of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// What VTOR becomes.
    pub vector_table: u32,
    /// What MSP becomes.
    pub stack_pointer: u32,
    /// The entry point.
    pub entry: u32,
}

/// Number of words in a FIFO.
const FIFO_LENGTH: usize = 4;

/// FIFO_ST: there is something to read; there is room to write; a word was written to a full FIFO; an empty one was read.
const VLD: u32 = 1;
const RDY: u32 = 2;
const WOF: u32 = 4;
const ROE: u32 = 8;

/// The block.
#[derive(Clone, Debug)]
pub struct Sio {
    locks: u32,
    out: [u32; 2],
    enable: [u32; 2],
    /// Levels of inputs that nothing drives: those that a pad pulls up.
    pub(super) pulled: [u32; 2],
    pub(super) second_core: SecondCore,
    /// How many words of the launch protocol the boot ROM has accepted, and those after 0 and 1: vector table, stack
    /// pointer.
    taken: usize,
    words: [u32; 2],
    pub(super) launch: Option<Launch>,
    /// By the core that reads it.
    fifo: [VecDeque<u32>; 2],
    errors: [u32; 2],
    bells: [u32; 2],
}

impl Default for Sio {
    fn default() -> Self {
        let mut sio = Self {
            locks: 0,
            out: [0; 2],
            enable: [0; 2],
            pulled: [0; 2],
            second_core: SecondCore::Waits,
            taken: 0,
            words: [0; 2],
            launch: None,
            fifo: Default::default(),
            errors: [0; 2],
            bells: [0; 2],
        };
        sio.reset_second_core(false);
        sio
    }
}

impl Sio {
    /// Output levels of GPIO 0 to 47 that are driven.
    #[must_use]
    pub fn driven(&self) -> u64 {
        u64::from(self.out[0] & self.enable[0]) | u64::from(self.out[1] & self.enable[1]) << 32
    }

    /// Whether a doorbell of the second core was rung since the last call, for its doubles.
    pub(super) fn take_bell(&mut self) -> bool {
        std::mem::take(&mut self.bells[1]) != 0
    }

    /// The second core is reset, and kept in reset or not. Words in its FIFO are lost; the boot ROM sends 0 as soon as it
    /// waits.
    pub(super) fn reset_second_core(&mut self, held: bool) {
        self.second_core = if held { SecondCore::Held } else { SecondCore::Waits };
        self.taken = 0;
        self.launch = None;
        self.fifo[1].clear();
        if !held {
            self.push(0, 0);
        }
    }

    /// The levels of a core's SIO_IRQ_FIFO and SIO_IRQ_BELL.
    pub(super) fn interrupts(&self, core: usize) -> [bool; 2] {
        [!self.fifo[core].is_empty() || self.errors[core] != 0, self.bells[core] != 0]
    }

    /// A word for a core. False if there is no room.
    fn push(&mut self, reader: usize, word: u32) -> bool {
        let room = self.fifo[reader].len() < FIFO_LENGTH;
        if room {
            self.fifo[reader].push_back(word);
        }
        room
    }

    /// The boot ROM's side of the launch protocol: it echoes every word, and starts over after a 0 or an unexpected word.
    fn take_word(&mut self, word: u32) {
        self.taken = match (self.taken, word) {
            (_, 0) => 0,
            (0, 1) => 1,
            (0, _) => {
                self.push(0, 0);
                return;
            }
            (1 | 2, word) => {
                self.words[self.taken - 1] = word;
                self.taken + 1
            }
            (_, entry) => {
                let [vector_table, stack_pointer] = self.words;
                self.launch = Some(Launch { vector_table, stack_pointer, entry });
                self.second_core = SecondCore::Executes;
                0
            }
        };
        self.push(0, word);
    }

    /// Reads a register. Reads of an empty FIFO are recorded, and a free spinlock is claimed.
    pub fn read(&mut self, core: usize, offset: u32) -> Option<u32> {
        let other = core ^ 1;
        Some(match offset {
            // CPUID.
            0x00 => core as u32,
            // Inputs show driven outputs, or what their pads pull up; nothing else is connected.
            0x04 | 0x08 => {
                let bank = (offset / 4 - 1) as usize;
                self.out[bank] & self.enable[bank] | self.pulled[bank] & !self.enable[bank]
            }
            0x10 => self.out[0],
            0x14 => self.out[1],
            0x30 => self.enable[0],
            0x34 => self.enable[1],
            0x50 => {
                let valid = if self.fifo[core].is_empty() { 0 } else { VLD };
                let ready = if self.fifo[other].len() < FIFO_LENGTH { RDY } else { 0 };
                self.errors[core] | valid | ready
            }
            0x58 => self.fifo[core].pop_front().unwrap_or_else(|| {
                self.errors[core] |= ROE;
                0
            }),
            0x5C => self.locks,
            // Reading a free spinlock claims it.
            0x100..=0x17C => {
                let bit = 1 << ((offset - 0x100) / 4);
                let free = self.locks & bit == 0;
                self.locks |= bit;
                if free { bit } else { 0 }
            }
            // DOORBELL_OUT_SET, DOORBELL_OUT_CLR, DOORBELL_IN_SET, DOORBELL_IN_CLR.
            0x180 | 0x184 => self.bells[other],
            0x188 | 0x18C => self.bells[core],
            _ => return None,
        })
    }

    /// Writes a register. There are no aliases here, except an unintended one: a write from 0x180 on releases the spinlock
    /// 0x80 below it (erratum RP2350-E2).
    pub fn write(&mut self, core: usize, offset: u32, word: u32) -> Option<()> {
        let bank = (offset >> 2 & 1) as usize;
        let other = core ^ 1;
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
            0x50 => self.errors[core] = 0,
            0x54 => match self.second_core {
                SecondCore::Waits if core == 0 => self.take_word(word),
                SecondCore::Waits | SecondCore::Executes | SecondCore::Held => {
                    if !self.push(other, word) {
                        self.errors[core] |= WOF;
                    }
                }
                // Doubles read nothing.
                SecondCore::Runs | SecondCore::Parks { .. } => {}
            },
            0x180 => self.bells[other] |= word & 0xFF,
            0x184 => self.bells[other] &= !word,
            0x188 => self.bells[core] |= word & 0xFF,
            0x18C => self.bells[core] &= !word,
            0x100..=0x17C => {}
            _ => return None,
        }
        if let Some(lock) = offset.checked_sub(0x100) {
            self.locks &= !(1 << ((lock / 4) & 31));
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spinlock_is_claimed_once_by_either_core() {
        let mut sio = Sio::default();
        assert_eq!(sio.read(0, 0x17C), Some(1 << 31));
        assert_eq!((sio.read(1, 0x17C), sio.read(0, 0x17C)), (Some(0), Some(0)));
        sio.write(0, 0x17C, 1);
        assert_eq!(sio.read(1, 0x17C), Some(1 << 31));
    }

    #[test]
    fn a_doorbell_releases_a_spinlock_that_has_nothing_to_do_with_it() {
        let mut sio = Sio::default();
        assert_eq!((sio.read(0, 0x100), sio.read(0, 0x17C)), (Some(1), Some(1 << 31)));
        sio.write(1, 0x180, 1);
        assert_eq!((sio.read(0, 0x100), sio.read(0, 0x17C)), (Some(1), Some(0)));
    }

    #[test]
    fn the_second_core_takes_part_in_the_launch_protocol() {
        let mut sio = Sio::default();
        assert_eq!((sio.read(0, 0x50), sio.read(0, 0x58), sio.read(0, 0x50)), (Some(3), Some(0), Some(2)));
        for (word, answer) in [(0, 0), (1, 1), (0, 0), (5, 0), (1, 1), (7, 7), (0, 0)] {
            sio.write(0, 0x54, word).unwrap();
            assert_eq!(sio.read(0, 0x58), Some(answer));
        }
        for word in [1, 0x1000_0000, 0x2008_0000, 0x1000_0101] {
            assert_eq!(sio.launch, None);
            sio.write(0, 0x54, word).unwrap();
            assert_eq!(sio.read(0, 0x58), Some(word));
        }
        let launch = Launch { vector_table: 0x1000_0000, stack_pointer: 0x2008_0000, entry: 0x1000_0101 };
        assert_eq!((sio.launch, sio.second_core), (Some(launch), SecondCore::Executes));
        // A double answers nothing.
        sio.second_core = SecondCore::Runs;
        sio.write(0, 0x54, 0).unwrap();
        assert_eq!(sio.read(0, 0x50), Some(2));
        // In reset it does not answer either, and then it waits again.
        sio.reset_second_core(true);
        assert_eq!(sio.read(0, 0x50), Some(2));
        sio.reset_second_core(false);
        assert_eq!((sio.read(0, 0x50), sio.read(0, 0x58)), (Some(3), Some(0)));
    }

    #[test]
    fn a_fifo_holds_four_words_for_the_other_core() {
        let mut sio = Sio { second_core: SecondCore::Executes, ..Sio::default() };
        sio.read(0, 0x58);
        assert_eq!(sio.interrupts(1), [false, false]);
        for word in 1..=5 {
            sio.write(0, 0x54, word).unwrap();
        }
        assert_eq!((sio.read(0, 0x50), sio.read(1, 0x50)), (Some(WOF), Some(VLD | RDY)));
        assert_eq!((sio.interrupts(0), sio.interrupts(1)), ([true, false], [true, false]));
        let words: Vec<_> = (0..5).map(|_| sio.read(1, 0x58)).collect();
        assert_eq!(words, [Some(1), Some(2), Some(3), Some(4), Some(0)]);
        assert_eq!(sio.read(1, 0x50), Some(ROE | RDY));
        for core in 0..2 {
            sio.write(core, 0x50, 0).unwrap();
            assert_eq!((sio.read(core, 0x50), sio.interrupts(core)), (Some(RDY), [false, false]));
        }
    }

    #[test]
    fn doorbells_ring_at_the_other_core() {
        let mut sio = Sio::default();
        sio.write(0, 0x180, 0x1FF).unwrap();
        assert_eq!((sio.read(1, 0x18C), sio.read(0, 0x18C)), (Some(0xFF), Some(0)));
        assert!(sio.interrupts(1)[1] && !sio.interrupts(0)[1]);
        sio.write(1, 0x18C, 0x7F).unwrap();
        assert_eq!((sio.read(1, 0x188), sio.read(0, 0x180)), (Some(0x80), Some(0x80)));
        sio.write(0, 0x184, 0x80).unwrap();
        assert!(!sio.interrupts(1)[1]);
    }

    #[test]
    fn outputs_are_set_and_cleared_by_bits() {
        let mut sio = Sio::default();
        sio.write(0, 0x38, 1 << 25);
        sio.write(0, 0x18, 1 << 25);
        sio.write(0, 0x1C, 1);
        assert_eq!(sio.driven(), 1 << 25);
        sio.write(1, 0x20, 1 << 25);
        assert_eq!(sio.driven(), 0);
    }
}
