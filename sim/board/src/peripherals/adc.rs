//! The ADC (RP2350 datasheet 12.4): the temperature sensor, at 27 degrees unless another temperature is set, and inputs that
//! nothing drives.

use crate::registers::Alias;
use std::collections::VecDeque;

const CS: u32 = 0x00;
const RESULT: u32 = 0x04;
const FCS: u32 = 0x08;
const FIFO: u32 = 0x0C;
const INTR: u32 = 0x14;
const INTE: u32 = 0x18;
const INTF: u32 = 0x1C;
const INTS: u32 = 0x20;

/// CS.
const EN: u32 = 1 << 0;
const TS_EN: u32 = 1 << 1;
const START_ONCE: u32 = 1 << 2;
const START_MANY: u32 = 1 << 3;
const READY: u32 = 1 << 8;

/// FCS.
const FIFO_EN: u32 = 1 << 0;
const SHIFT: u32 = 1 << 1;
const UNDER: u32 = 1 << 10;
const OVER: u32 = 1 << 11;
const DEPTH: usize = 8;

/// The channel of the temperature sensor in a QFN-60 package.
const TEMPERATURE: u32 = 4;

/// What the converter reads of the sensor at a temperature: 0.706 V at 27 degrees, and 1.721 mV less for each degree more, of
/// 3.3 V in 4096 steps (12.4.6).
fn reading(celsius: f64) -> u16 {
    let volts = 0.706 - (celsius - 27.0) * 0.001_721;
    (volts / 3.3 * 4096.0).round().clamp(0.0, 4095.0) as u16
}

/// The block.
#[derive(Clone, Debug)]
pub struct Adc {
    celsius: f64,
    control: u32,
    fifo_control: u32,
    result: u16,
    fifo: VecDeque<u16>,
    enabled: u32,
    forced: u32,
}

impl Default for Adc {
    fn default() -> Self {
        Self { celsius: 27.0, control: 0, fifo_control: 0, result: 0, fifo: VecDeque::new(), enabled: 0, forced: 0 }
    }
}

impl Adc {
    /// What a reset leaves: the temperature.
    pub(super) fn reset(&mut self) {
        *self = Self { celsius: self.celsius, ..Self::default() };
    }

    /// Sets the chip's temperature in degrees Celsius.
    pub fn set_temperature(&mut self, celsius: f64) {
        self.celsius = celsius;
    }

    fn convert(&mut self) {
        let channel = self.control >> 12 & 15;
        let warm = channel == TEMPERATURE && self.control & TS_EN != 0;
        self.result = if warm { reading(self.celsius) } else { 0 };
        if self.fifo_control & FIFO_EN != 0 {
            if self.fifo.len() < DEPTH {
                let shift = if self.fifo_control & SHIFT != 0 { 4 } else { 0 };
                self.fifo.push_back(self.result >> shift);
            } else {
                self.fifo_control |= OVER;
            }
        }
        // Round robin: the next channel that is selected.
        let wanted = self.control >> 16 & 0x1FF;
        if let Some(next) = (1..=16).map(|n| (channel + n) % 16).find(|next| wanted >> next & 1 != 0) {
            self.control = self.control & !0xF000 | next << 12;
        }
    }

    /// A free-running converter always has a result.
    fn run(&mut self) {
        if self.control & (EN | START_MANY) == EN | START_MANY {
            if self.fifo_control & FIFO_EN == 0 {
                self.convert();
            }
            while self.fifo_control & FIFO_EN != 0 && self.fifo.len() < DEPTH {
                self.convert();
            }
        }
    }

    fn raised(&self) -> u32 {
        let threshold = (self.fifo_control >> 24 & 15) as usize;
        u32::from(self.fifo_control & FIFO_EN != 0 && self.fifo.len() >= threshold)
    }

    pub(super) fn interrupt(&self) -> bool {
        (self.raised() | self.forced) & self.enabled != 0
    }

    pub(super) fn read(&mut self, offset: u32) -> Option<u32> {
        self.run();
        Some(match offset {
            CS => self.control | if self.control & EN != 0 { READY } else { 0 },
            RESULT => u32::from(self.result),
            FCS => {
                let (empty, full) = (self.fifo.is_empty(), self.fifo.len() == DEPTH);
                self.fifo_control | u32::from(empty) << 8 | u32::from(full) << 9 | (self.fifo.len() as u32) << 16
            }
            FIFO => match self.fifo.pop_front() {
                Some(value) => u32::from(value),
                None => {
                    self.fifo_control |= UNDER;
                    0
                }
            },
            INTR => self.raised(),
            INTE => self.enabled,
            INTF => self.forced,
            INTS => (self.raised() | self.forced) & self.enabled,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        match offset {
            CS => {
                self.control = alias.apply_masked(self.control, word, 0x01FF_F00F);
                let once = self.control & START_ONCE != 0;
                self.control &= !START_ONCE;
                if once && self.control & EN != 0 {
                    self.convert();
                }
                self.run();
            }
            FCS => {
                // UNDER and OVER are cleared by writing 1.
                self.fifo_control &= !(alias.apply(0, word) & (UNDER | OVER));
                self.fifo_control = alias.apply_masked(self.fifo_control, word, 0x0F00_000F);
                if self.fifo_control & FIFO_EN == 0 {
                    self.fifo.clear();
                }
                self.run();
            }
            FIFO | INTR | INTS | RESULT => {}
            INTE => self.enabled = alias.apply_masked(self.enabled, word, 1),
            INTF => self.forced = alias.apply_masked(self.forced, word, 1),
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_measures_its_own_temperature_and_nothing_else() {
        let mut adc = Adc::default();
        assert_eq!(adc.read(CS), Some(0));
        adc.write(CS, Alias::Write, EN | TS_EN | TEMPERATURE << 12);
        adc.write(CS, Alias::Set, START_ONCE);
        assert_eq!((adc.read(CS), adc.read(RESULT)), (Some(EN | TS_EN | READY | 4 << 12), Some(876)));
        adc.write(CS, Alias::Write, EN | START_ONCE);
        assert_eq!(adc.read(RESULT), Some(0));
    }

    #[test]
    fn the_sensor_follows_the_temperature() {
        let mut adc = Adc::default();
        adc.write(CS, Alias::Write, EN | TS_EN | TEMPERATURE << 12);
        let mut measure = |celsius| {
            adc.set_temperature(celsius);
            adc.reset();
            adc.write(CS, Alias::Write, EN | TS_EN | TEMPERATURE << 12 | START_ONCE);
            let volts = f64::from(adc.read(RESULT).expect("a register")) * 3.3 / 4096.0;
            27.0 - (volts - 0.706) / 0.001_721
        };
        for celsius in [-40.0, -3.5, 0.0, 20.0, 27.0, 36.6, 85.0] {
            let measured = measure(celsius);
            assert!((measured - celsius).abs() < 0.25, "{measured} at {celsius}: a step is 0.47 degrees");
        }
    }

    #[test]
    fn a_free_running_converter_fills_its_fifo_in_turns() {
        let mut adc = Adc::default();
        adc.write(FCS, Alias::Write, FIFO_EN | 4 << 24);
        adc.write(INTE, Alias::Write, 1);
        assert!(!adc.interrupt());
        adc.write(CS, Alias::Write, EN | TS_EN | START_MANY | 0b1_0001 << 16);
        assert!(adc.interrupt());
        let values: Vec<_> = (0..4).map(|_| adc.read(FIFO)).collect();
        assert_eq!(values, [Some(0), Some(876), Some(0), Some(876)]);
        // Stopped, it drains.
        adc.write(CS, Alias::Clear, START_MANY);
        assert!((0..8).all(|_| adc.read(FCS).unwrap() & UNDER == 0 && adc.read(FIFO).is_some()));
        assert_eq!((adc.read(FIFO), adc.read(FCS).map(|word| word & UNDER)), (Some(0), Some(UNDER)));
    }
}
