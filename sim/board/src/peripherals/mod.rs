//! The blocks that programs use in addition to USB, as far as a program can tell without anything connected to the pins:
//! transfers take no time, inputs are not driven, and an I2C bus has the devices that were added to it.
//!
//! Each block models the registers that have an effect; those that only store values are in `remembered.rs`.

pub mod adc;
mod dma;
pub mod i2c;
mod spi;
mod trng;
mod uart;

use super::engine::Halt;
use super::memory_map::Block;
use super::registers::Alias;
use super::system::System;
pub use i2c::Target;

/// External interrupts (RP2350 datasheet 3.2).
const IRQ_DMA: u16 = 10;
const IRQ_SPI: u16 = 31;
const IRQ_UART: u16 = 33;
const IRQ_ADC: u16 = 35;
const IRQ_I2C: u16 = 36;

/// The blocks.
#[derive(Default)]
pub struct Peripherals {
    /// I2C0 and I2C1.
    pub i2c: [i2c::I2c; 2],
    /// The ADC with its temperature sensor.
    pub adc: adc::Adc,
    pub(super) uart: [uart::Uart; 2],
    pub(super) spi: [spi::Spi; 2],
    pub(super) dma: dma::Dma,
    pub(super) trng: trng::Trng,
}

impl Peripherals {
    /// On every reset: what is connected stays connected, and what a UART has sent stays sent.
    pub(super) fn restart(&mut self) {
        self.hold(u32::MAX);
    }

    /// RESETS resets blocks.
    pub(super) fn hold(&mut self, taken: u32) {
        let is = |bit: u32| taken >> bit & 1 != 0;
        for n in 0..2 {
            if is(4 + n) {
                self.i2c[n as usize].reset();
            }
            if is(18 + n) {
                self.spi[n as usize] = spi::Spi::default();
            }
            if is(26 + n) {
                self.uart[n as usize].reset();
            }
        }
        if is(0) {
            self.adc.reset();
        }
        if is(2) {
            self.dma = dma::Dma::default();
        }
        if is(25) {
            self.trng = trng::Trng::default();
        }
    }
}

impl System {
    /// Reads a register of such a block.
    pub(super) fn read_peripheral(&mut self, found: Block, address: u32, now: u64) -> Result<u32, Halt> {
        let offset = address & 0xFFF;
        let blocks = &mut self.peripherals;
        let value = match found {
            Block::I2c0 => blocks.i2c[0].read(offset),
            Block::I2c1 => blocks.i2c[1].read(offset),
            Block::Adc => blocks.adc.read(offset),
            Block::Uart0 => blocks.uart[0].read(offset),
            Block::Uart1 => blocks.uart[1].read(offset),
            Block::Spi0 => blocks.spi[0].read(offset),
            Block::Spi1 => blocks.spi[1].read(offset),
            Block::Dma => blocks.dma.read(offset),
            Block::Trng => blocks.trng.read(offset, now),
            _ => None,
        };
        self.update_peripherals();
        match value {
            Some(value) => Ok(value),
            None => self.read_plain(address),
        }
    }

    /// Writes a register of such a block.
    pub(super) fn write_peripheral(&mut self, found: Block, address: u32, word: u32) -> Result<(), Halt> {
        let (offset, alias) = (address & 0xFFF, Alias::of(address));
        let blocks = &mut self.peripherals;
        let done = match found {
            Block::I2c0 => blocks.i2c[0].write(offset, alias, word),
            Block::I2c1 => blocks.i2c[1].write(offset, alias, word),
            Block::Adc => blocks.adc.write(offset, alias, word),
            Block::Uart0 => blocks.uart[0].write(offset, alias, word),
            Block::Uart1 => blocks.uart[1].write(offset, alias, word),
            Block::Spi0 => blocks.spi[0].write(offset, alias, word),
            Block::Spi1 => blocks.spi[1].write(offset, alias, word),
            Block::Dma => {
                let done = blocks.dma.write(offset, alias, word);
                self.run_dma()?;
                done
            }
            Block::Trng => blocks.trng.write(offset, alias, word),
            _ => None,
        };
        self.update_peripherals();
        match done {
            Some(()) => Ok(()),
            None => self.write_plain(address, word),
        }
    }

    /// Updates their interrupts from their registers.
    fn update_peripherals(&mut self) {
        for n in 0..2u16 {
            let at = usize::from(n);
            self.set_line(IRQ_I2C + n, self.peripherals.i2c[at].interrupt());
            self.set_line(IRQ_UART + n, self.peripherals.uart[at].interrupt());
            self.set_line(IRQ_SPI + n, self.peripherals.spi[at].interrupt());
        }
        self.set_line(IRQ_ADC, self.peripherals.adc.interrupt());
        for n in 0..4u16 {
            self.set_line(IRQ_DMA + n, self.peripherals.dma.interrupt(usize::from(n)));
        }
    }
}
