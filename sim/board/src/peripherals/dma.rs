//! The DMA controller (RP2350 datasheet 12.6): a transfer is complete as soon as it is triggered, whatever its pacing.

use crate::engine::{Bus, Halt};
use crate::registers::Alias;
use crate::system::System;
use std::collections::VecDeque;

const CHANNELS: usize = 16;
/// Length of a channel's registers in bytes.
const CHANNEL: u32 = 0x40;
/// Four groups of INTR, INTE, INTF, INTS.
const INTERRUPTS: u32 = 0x400;
const MULTI_CHAN_TRIGGER: u32 = 0x450;
const CHAN_ABORT: u32 = 0x464;
const N_CHANNELS: u32 = 0x468;

/// CTRL: enabled; address steps; no interrupt at the end; bytes swapped; and bits that a program can write.
const EN: u32 = 1 << 0;
const INCR_READ: u32 = 1 << 4;
const INCR_READ_REV: u32 = 1 << 5;
const INCR_WRITE: u32 = 1 << 6;
const INCR_WRITE_REV: u32 = 1 << 7;
const IRQ_QUIET: u32 = 1 << 23;
const BSWAP: u32 = 1 << 24;
const CTRL_WRITABLE: u32 = 0x03FF_FFFF;

/// TRANS_COUNT: transfers, and the mode above them.
const COUNT: u32 = 0x0FFF_FFFF;

/// Channels that trigger each other would never end: maximum number of transfers after one write.
const CHAIN: usize = 64;

/// Each group of four registers repeats a channel's registers in a different order, so that a different one is the last,
/// which triggers.
const ORDER: [[Field; 4]; 4] = [
    [Field::Read, Field::Write, Field::Count, Field::Control],
    [Field::Control, Field::Read, Field::Write, Field::Count],
    [Field::Control, Field::Count, Field::Read, Field::Write],
    [Field::Control, Field::Write, Field::Count, Field::Read],
];

#[derive(Clone, Copy, Debug)]
enum Field {
    Read,
    Write,
    Count,
    Control,
}

#[derive(Clone, Copy, Debug)]
struct Channel {
    read: u32,
    write: u32,
    /// What TRANS_COUNT is set to at each trigger.
    count: u32,
    control: u32,
}

/// The block.
#[derive(Clone, Debug)]
pub struct Dma {
    channels: [Channel; CHANNELS],
    raised: u32,
    enabled: [u32; 4],
    forced: [u32; 4],
    /// Channels that were triggered but have not run yet.
    triggered: VecDeque<usize>,
    /// A transfer is writing into this block: what it triggers runs afterwards.
    running: bool,
}

impl Default for Dma {
    fn default() -> Self {
        // CHAIN_TO is the channel itself: none.
        let channel = |n: usize| Channel { read: 0, write: 0, count: 0, control: (n as u32) << 13 };
        Self {
            channels: std::array::from_fn(channel),
            raised: 0,
            enabled: [0; 4],
            forced: [0; 4],
            triggered: VecDeque::new(),
            running: false,
        }
    }
}

impl Dma {
    pub(super) fn interrupt(&self, group: usize) -> bool {
        (self.raised | self.forced[group]) & self.enabled[group] != 0
    }

    pub(super) fn read(&self, offset: u32) -> Option<u32> {
        if let Some((channel, field, _)) = field(offset) {
            let channel = &self.channels[channel];
            return Some(match field {
                Field::Read => channel.read,
                Field::Write => channel.write,
                // Everything requested is done; the mode is unchanged.
                Field::Count => channel.count & !COUNT,
                Field::Control => channel.control,
            });
        }
        let group = (offset.wrapping_sub(INTERRUPTS) / 16) as usize;
        Some(match offset {
            INTERRUPTS..MULTI_CHAN_TRIGGER if group < 4 => match offset & 15 {
                0 => self.raised,
                4 => self.enabled[group],
                8 => self.forced[group],
                _ => (self.raised | self.forced[group]) & self.enabled[group],
            },
            MULTI_CHAN_TRIGGER | CHAN_ABORT => 0,
            N_CHANNELS => CHANNELS as u32,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        if let Some((number, field, triggers)) = field(offset) {
            let channel = &mut self.channels[number];
            let register = match field {
                Field::Read => &mut channel.read,
                Field::Write => &mut channel.write,
                Field::Count => &mut channel.count,
                Field::Control => &mut channel.control,
            };
            let mask = if matches!(field, Field::Control) { CTRL_WRITABLE } else { u32::MAX };
            *register = alias.apply_masked(*register, word, mask);
            // Zero written to a trigger is a null trigger: it starts nothing (12.6.3.2).
            if triggers && *register != 0 {
                self.triggered.push_back(number);
            } else if triggers && channel.control & IRQ_QUIET != 0 {
                self.raised |= 1 << number;
            }
            return Some(());
        }
        let group = (offset.wrapping_sub(INTERRUPTS) / 16) as usize;
        match offset {
            INTERRUPTS..MULTI_CHAN_TRIGGER if group < 4 => match offset & 15 {
                4 => self.enabled[group] = alias.apply_masked(self.enabled[group], word, 0xFFFF),
                8 => self.forced[group] = alias.apply_masked(self.forced[group], word, 0xFFFF),
                // INTR and INTS are cleared by writing 1.
                _ => self.raised &= !alias.apply(0, word),
            },
            MULTI_CHAN_TRIGGER => self.triggered.extend((0..CHANNELS).filter(|n| word >> n & 1 != 0)),
            CHAN_ABORT => {}
            _ => return None,
        }
        Some(())
    }
}

/// A channel's register: whose, which, and whether it triggers.
fn field(offset: u32) -> Option<(usize, Field, bool)> {
    let channel = (offset / CHANNEL) as usize;
    let at = (offset % CHANNEL / 4) as usize;
    (channel < CHANNELS).then(|| (channel, ORDER[at / 4][at % 4], at % 4 == 3))
}

impl System {
    /// Runs what was triggered, and what that triggers.
    pub(super) fn run_dma(&mut self) -> Result<(), Halt> {
        if std::mem::replace(&mut self.peripherals.dma.running, true) {
            return Ok(());
        }
        let result = self.run_triggered();
        self.peripherals.dma.running = false;
        result
    }

    fn run_triggered(&mut self) -> Result<(), Halt> {
        for _ in 0..CHAIN {
            let Some(number) = self.peripherals.dma.triggered.pop_front() else { return Ok(()) };
            let channel = self.peripherals.dma.channels[number];
            if channel.control & EN == 0 {
                continue;
            }
            self.transfer(number, channel)?;
            let dma = &mut self.peripherals.dma;
            if channel.control & IRQ_QUIET == 0 {
                dma.raised |= 1 << number;
            }
            let next = (channel.control >> 13 & 15) as usize;
            if next != number {
                dma.triggered.push_back(next);
            }
        }
        self.peripherals.dma.triggered.clear();
        Ok(())
    }

    fn transfer(&mut self, number: usize, mut channel: Channel) -> Result<(), Halt> {
        let control = channel.control;
        let size = 1u32 << (control >> 2 & 3).min(2);
        let step = |forward: u32, backward: u32| match (control & forward != 0, control & backward != 0) {
            (false, _) => 0,
            (true, false) => size,
            (true, true) => size.wrapping_neg(),
        };
        let (read_step, write_step) = (step(INCR_READ, INCR_READ_REV), step(INCR_WRITE, INCR_WRITE_REV));
        // A ring preserves the upper bits of one of the addresses.
        let (ring, of_write) = (control >> 8 & 15, control >> 12 & 1 != 0);
        let mask = if ring == 0 { u32::MAX } else { (1u32 << ring) - 1 };
        let advance = |address: u32, step: u32, wraps: bool| {
            let mask = if wraps { mask } else { u32::MAX };
            address & !mask | address.wrapping_add(step) & mask
        };
        for _ in 0..channel.count & COUNT {
            let value = match size {
                1 => self.load8(channel.read)?,
                2 => self.load16(channel.read)?,
                _ => self.load32(channel.read)?,
            };
            let swapped = match (control & BSWAP != 0, size) {
                (true, 2) => u32::from((value as u16).swap_bytes()),
                (true, 4) => value.swap_bytes(),
                _ => value,
            };
            match size {
                1 => self.store8(channel.write, swapped)?,
                2 => self.store16(channel.write, swapped)?,
                _ => self.store32(channel.write, swapped)?,
            }
            channel.read = advance(channel.read, read_step, !of_write);
            channel.write = advance(channel.write, write_step, of_write);
        }
        let kept = &mut self.peripherals.dma.channels[number];
        (kept.read, kept.write) = (channel.read, channel.write);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_of_registers_triggers_by_its_last() {
        let mut dma = Dma::default();
        for offset in [0x00, 0x44, 0x88] {
            dma.write(offset, Alias::Write, 0x2000_0000).unwrap();
            assert!(dma.triggered.is_empty(), "{offset:#x}");
        }
        for (offset, number) in [(0x0C, 0), (0x5C, 1), (0xAC, 2), (0xFC, 3)] {
            dma.write(offset, Alias::Write, EN).unwrap();
            assert_eq!(dma.triggered.pop_front(), Some(number), "{offset:#x}");
            dma.write(offset, Alias::Write, 0).unwrap();
            assert_eq!(dma.triggered.pop_front(), None, "a null trigger at {offset:#x}");
        }
        assert_eq!((dma.read(0x40), dma.read(N_CHANNELS)), (Some(0), Some(16)));
    }
}
