//! SPI0 and SPI1 as a controller (RP2350 datasheet 12.3; Arm PL022): nothing answers, so zeros are received, or what was
//! sent if the program has enabled loop back.

use crate::registers::Alias;
use std::collections::VecDeque;

const CR1: u32 = 0x04;
const DR: u32 = 0x08;
const SR: u32 = 0x0C;
const IMSC: u32 = 0x14;
const RIS: u32 = 0x18;
const MIS: u32 = 0x1C;
const ICR: u32 = 0x20;

/// CR1: loop back; enabled.
const LBM: u32 = 1 << 0;
const SSE: u32 = 1 << 1;

/// SR: the transmit FIFO is empty and not full; the receive FIFO is not empty; it is full.
const TFE: u32 = 1 << 0;
const TNF: u32 = 1 << 1;
const RNE: u32 = 1 << 2;
const RFF: u32 = 1 << 3;

/// RIS: the receive FIFO has overflown; it has waited; it is half full; the transmit FIFO is half empty.
const ROR: u32 = 1 << 0;
const RT: u32 = 1 << 1;
const RX: u32 = 1 << 2;
const TX: u32 = 1 << 3;

const DEPTH: usize = 8;

/// One of them.
#[derive(Clone, Debug, Default)]
pub struct Spi {
    control: u32,
    received: VecDeque<u16>,
    mask: u32,
    overflown: bool,
}

impl Spi {
    fn raised(&self) -> u32 {
        let waits = if self.received.is_empty() { 0 } else { RT };
        let half = if self.received.len() >= DEPTH / 2 { RX } else { 0 };
        let overflown = if self.overflown { ROR } else { 0 };
        overflown | waits | half | TX
    }

    pub(super) fn interrupt(&self) -> bool {
        self.raised() & self.mask != 0
    }

    pub(super) fn read(&mut self, offset: u32) -> Option<u32> {
        Some(match offset {
            CR1 => self.control,
            DR => u32::from(self.received.pop_front().unwrap_or(0)),
            SR => {
                let any = if self.received.is_empty() { 0 } else { RNE };
                let full = if self.received.len() == DEPTH { RFF } else { 0 };
                TFE | TNF | any | full
            }
            IMSC => self.mask,
            RIS => self.raised(),
            MIS => self.raised() & self.mask,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        match offset {
            CR1 => self.control = alias.apply_masked(self.control, word, 0xF),
            DR if self.control & SSE != 0 => {
                if self.received.len() < DEPTH {
                    self.received.push_back(if self.control & LBM != 0 { word as u16 } else { 0 });
                } else {
                    self.overflown = true;
                }
            }
            DR => {}
            IMSC => self.mask = alias.apply_masked(self.mask, word, 0xF),
            ICR => self.overflown &= alias.apply(0, word) & ROR == 0,
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_comes_back_for_each_that_was_sent() {
        let mut spi = Spi::default();
        spi.write(DR, Alias::Write, 7).unwrap();
        assert_eq!(spi.read(SR), Some(TFE | TNF));
        spi.write(CR1, Alias::Write, SSE).unwrap();
        spi.write(DR, Alias::Write, 7).unwrap();
        assert_eq!((spi.read(SR), spi.read(DR), spi.read(SR)), (Some(TFE | TNF | RNE), Some(0), Some(TFE | TNF)));
        spi.write(CR1, Alias::Set, LBM).unwrap();
        for word in 0..9 {
            spi.write(DR, Alias::Write, word).unwrap();
        }
        assert_eq!(spi.read(RIS), Some(ROR | RT | RX | TX));
        assert!((0..8).all(|word| spi.read(DR) == Some(word)));
        spi.write(ICR, Alias::Write, ROR).unwrap();
        assert_eq!(spi.read(RIS), Some(TX));
    }
}
