//! Oscillators, PLLs, clock generators and tick generators (RP2350 datasheet chapter 8).
//!
//! The processor is assumed to run at 150 MHz from the start; [`Clocks::check_usb`] checks the configuration against that
//! before the USB controller may be attached.

use super::registers::{Alias, Storage, register};

/// Processor clock in MHz.
pub const CPU_MHZ: u64 = 150;
/// Crystal frequency in MHz.
const CRYSTAL_MHZ: u64 = 12;

const REF_CTRL: u32 = 0x30;
const SYS_CTRL: u32 = 0x3C;
const SYS_DIV: u32 = 0x40;
const USB_CTRL: u32 = 0x60;
const USB_DIV: u32 = 0x64;
const ENABLE: u32 = 1 << 11;
const ENABLED: u32 = 1 << 28;
const DIVIDE_BY_ONE: u32 = 0x1_0000;

/// XOSC CTRL.ENABLE as written to enable.
const XOSC_ENABLE: u32 = 0xFAB;

/// Tick generators in the order of the TICKS block.
pub const TICK_TIMER0: usize = 2;
/// TIMER1's.
pub const TICK_TIMER1: usize = 3;
/// The watchdog's.
pub const TICK_WATCHDOG: usize = 4;
const TICK_GENERATORS: u32 = 6;

/// All clock blocks.
#[derive(Clone, Debug)]
pub struct Clocks {
    generators: Storage,
    crystal: Storage,
    crystal_since: Option<u64>,
    ring: Storage,
    plls: [Storage; 2],
    ticks: Storage,
}

impl Default for Clocks {
    fn default() -> Self {
        let pll = || {
            Storage::new([
                register(0x00, 1, 0x13F),
                register(0x04, 0x2D, 0x2D),
                register(0x08, 0, 0xFFF),
                register(0x0C, 0x7_7000, 0x7_7000),
            ])
        };
        let generators = [
            // CLK_GPOUT0 to 3.
            (0x00, 0x0013_1DE0, u32::MAX),
            (0x0C, 0x0013_1DE0, u32::MAX),
            (0x18, 0x0013_1DE0, u32::MAX),
            (0x24, 0x0013_1DE0, u32::MAX),
            (REF_CTRL, 0x63, 0x00FF_0000),
            (SYS_CTRL, 0xE1, u32::MAX),
            // CLK_PERI, CLK_HSTX, CLK_USB, CLK_ADC.
            (0x48, 0x0CE0, 0x0003_0000),
            (0x54, 0x0013_0CE0, 0x0003_0000),
            (USB_CTRL, 0x0013_0CE0, 0x000F_0000),
            (0x6C, 0x0013_0CE0, 0x000F_0000),
        ];
        let mut table: Vec<_> = generators
            .iter()
            .flat_map(|&(at, ctrl, div)| [register(at, 0, ctrl), register(at + 4, DIVIDE_BY_ONE, div)])
            .collect();
        table.extend([
            register(0x84, 0xFF, 0x1_11FF),
            register(0x88, 0, 0),
            register(0xAC, u32::MAX, u32::MAX),
            register(0xB0, 0x7FFF_FFFF, 0x7FFF_FFFF),
            register(0xB4, u32::MAX, u32::MAX),
            register(0xB8, 0x7FFF_FFFF, 0x7FFF_FFFF),
        ]);
        Self {
            generators: Storage::new(table),
            crystal: Storage::new([register(0, 0, 0xFF_FFFF), register(0x0C, 0, 0x10_3FFF)]),
            crystal_since: None,
            ring: Storage::new([
                register(0x00, 0xAA0, 0xFF_FFFF),
                register(0x04, 0, 0xFFFF_77FF),
                register(0x08, 0, 0xFFFF_7777),
                register(0x0C, 0x3F04_B16D, u32::MAX),
                register(0x14, 0, 0xFFFF),
                register(0x18, 8, 0xFFF),
            ]),
            plls: [pll(), pll()],
            ticks: Storage::new(
                (0..TICK_GENERATORS).flat_map(|n| [register(n * 12, 0, 1), register(n * 12 + 4, 0, 0x1FF)]),
            ),
        }
    }
}

impl Clocks {
    /// CLOCKS block.
    #[must_use]
    pub fn read_generators(&self, offset: u32) -> Option<u32> {
        // CTRL, DIV, SELECTED for each generator.
        if offset < 0x78 && offset % 12 == 8 {
            let ctrl = self.generators.value(offset - 8);
            return Some(match offset - 8 {
                REF_CTRL => 1 << (ctrl & 3),
                SYS_CTRL => 1 << (ctrl & 1),
                _ => 1,
            });
        }
        let value = self.generators.read(offset)?;
        let stoppable = offset < 0x78 && offset.is_multiple_of(12) && offset != REF_CTRL && offset != SYS_CTRL;
        Some(if stoppable && value & ENABLE != 0 { value | ENABLED } else { value })
    }

    /// CLOCKS block.
    pub fn write_generators(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        self.generators.write(offset, alias, word)
    }

    /// XOSC block.
    #[must_use]
    pub fn read_crystal(&self, offset: u32, now: u64) -> Option<u32> {
        if offset != 4 {
            return self.crystal.read(offset);
        }
        let Some(since) = self.crystal_since else {
            return Some(0);
        };
        let delay = u64::from(self.crystal.value(0x0C) & 0x3FFF) * 256 * CPU_MHZ / CRYSTAL_MHZ;
        let stable = u32::from(now >= since + delay) << 31;
        Some(stable | 1 << 12)
    }

    /// XOSC block.
    pub fn write_crystal(&mut self, offset: u32, alias: Alias, word: u32, now: u64) -> Option<()> {
        self.crystal.write(offset, alias, word)?;
        let enabled = self.crystal.value(0) >> 12 == XOSC_ENABLE;
        self.crystal_since = enabled.then(|| self.crystal_since.unwrap_or(now));
        Some(())
    }

    /// ROSC block: always running and stable.
    #[must_use]
    pub fn read_ring(&self, offset: u32, now: u64) -> Option<u32> {
        match offset {
            0x1C => Some(0x8000_1000),
            // Not random, so that runs are repeatable.
            0x20 => Some((now.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63) as u32),
            _ => self.ring.read(offset),
        }
    }

    /// ROSC block.
    pub fn write_ring(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        self.ring.write(offset, alias, word)
    }

    /// PLL block: 0 is PLL_SYS, 1 is PLL_USB.
    #[must_use]
    pub fn read_pll(&self, pll: usize, offset: u32) -> Option<u32> {
        let block = self.plls.get(pll)?;
        let value = block.read(offset)?;
        let locked = block.value(4) & 0x21 == 0 && block.value(8) >= 16;
        Some(if offset == 0 && locked { value | 1 << 31 } else { value })
    }

    /// PLL block.
    pub fn write_pll(&mut self, pll: usize, offset: u32, alias: Alias, word: u32) -> Option<()> {
        self.plls.get_mut(pll)?.write(offset, alias, word)
    }

    /// Back to reset: RESETS is holding a PLL.
    pub fn reset_pll(&mut self, pll: usize) {
        if let Some(block) = self.plls.get_mut(pll) {
            block.reset();
        }
    }

    /// TICKS block.
    #[must_use]
    pub fn read_ticks(&self, offset: u32) -> Option<u32> {
        let value = self.ticks.read(offset)?;
        Some(if offset.is_multiple_of(12) && value & 1 != 0 { value | 2 } else { value })
    }

    /// TICKS block.
    pub fn write_ticks(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        self.ticks.write(offset, alias, word)
    }

    /// Processor cycles between two ticks of a generator, or `None` while it is stopped. clk_ref is the crystal's.
    #[must_use]
    pub fn cycles_per_tick(&self, generator: usize) -> Option<u64> {
        let at = generator as u32 * 12;
        let divider = u64::from(self.ticks.value(at + 4));
        (self.ticks.value(at) & 1 != 0 && divider != 0).then_some(divider * CPU_MHZ / CRYSTAL_MHZ)
    }

    fn pll_mhz(&self, pll: usize) -> Option<u64> {
        let block = &self.plls[pll];
        let prim = u64::from(block.value(0x0C));
        let running = block.value(4) & 0x29 == 0;
        let divisor = u64::from(block.value(0) & 0x3F) * (prim >> 16 & 7) * (prim >> 12 & 7);
        let vco = CRYSTAL_MHZ * u64::from(block.value(8));
        (running && divisor != 0 && vco.is_multiple_of(divisor)).then(|| vco / divisor)
    }

    /// Whether clk_sys is 150 MHz and clk_usb 48 MHz, both from the crystal by their PLLs.
    ///
    /// # Errors
    ///
    /// A text that names the clock.
    pub fn check_usb(&self) -> Result<(), String> {
        if self.crystal_since.is_none() {
            return Err("the crystal oscillator does not run".into());
        }
        let sys = (self.generators.value(SYS_CTRL) & 0xE1, self.generators.value(SYS_DIV), self.pll_mhz(0));
        if sys != (1, DIVIDE_BY_ONE, Some(CPU_MHZ)) {
            return Err(format!("clk_sys is not 150 MHz from PLL_SYS: CTRL, DIV, MHz are {sys:x?}"));
        }
        let usb = (self.generators.value(USB_CTRL) & (ENABLE | 0xE0), self.generators.value(USB_DIV), self.pll_mhz(1));
        if usb != (ENABLE, DIVIDE_BY_ONE, Some(48)) {
            return Err(format!("clk_usb is not 48 MHz from PLL_USB: CTRL, DIV, MHz are {usb:x?}"));
        }
        Ok(())
    }
}
