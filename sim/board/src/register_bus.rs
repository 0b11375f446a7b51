//! Registers by address: which block answers, and what a write causes outside of the block.

use super::clocks::{TICK_TIMER0, TICK_TIMER1, TICK_WATCHDOG};
use super::engine::{Bus, Halt};
use super::fault::Fault;
use super::memory_map::{Block, RESET_USB, block};
use super::ppb::Effect;
use super::registers::Alias;
use super::sio::SecondCore;
use super::svd;
use super::system::{AHB_WAIT, APB_WAIT, M0_RCMD, PPB_BASE, RESETS_MASK, ResetRequest, SIO_BASE, System, XIP_SETUP};
use super::timer::Timer;

/// PSM's register that forces parts off, and the second core's bit in it.
const FRCE_OFF: u32 = 4;
const PROC1: u32 = 1 << 24;

impl System {
    /// A read of a register that belongs to no block.
    fn read_unknown(&mut self, address: u32) -> Result<u32, Halt> {
        self.read_remembered(address)?.ok_or(()).map_err(|()| self.unknown(address, false))
    }

    /// A write to one.
    fn write_unknown(&mut self, address: u32, word: u32) -> Result<(), Halt> {
        self.write_remembered(address, word)?.ok_or(()).map_err(|()| self.unknown(address, true))
    }

    pub(super) fn fail_held(&mut self, address: u32, name: &str) -> Halt {
        self.fail(format!("access to {address:#010x} while {name} is in reset"))
    }

    pub(super) fn unknown(&mut self, address: u32, write: bool) -> Halt {
        let verb = if write { "write to" } else { "read of" };
        let block = block(address).map(|(_, name, _)| name).or(match address >> 28 {
            0xD => Some("SIO"),
            0xE => Some("PPB"),
            _ => None,
        });
        let register = svd::find(address).map(|(block, register)| format!("{}.{}", block.name, register.name));
        let what = match (register, block) {
            (Some(register), _) => register,
            (None, Some(block)) => format!("{block} +{:#05x}", address & 0xFFF),
            (None, None) => "not a known register".to_owned(),
        };
        let text = format!("{verb} {address:#010x} ({what}), which is not modelled");
        if self.answers(address) { self.fail(text) } else { self.fault(Fault::Bus(address), text) }
    }

    /// Whether anything on the bus answers at an address: what the datasheet describes, modelled or not (section 2.2).
    pub(super) fn answers(&self, address: u32) -> bool {
        matches!(address >> 28, 1 | 0xD | 0xE) || block(address).is_some() || svd::find(address).is_some()
    }

    fn find_block(&mut self, address: u32) -> Result<Option<Block>, Halt> {
        let Some((found, name, reset)) = block(address) else { return Ok(None) };
        if reset.is_some_and(|bit| self.held >> bit & 1 != 0) {
            return Err(self.fail_held(address, name));
        }
        Ok(Some(found))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn read_register(&mut self, address: u32) -> Result<u32, Halt> {
        let now = self.clock.now;
        let offset = address & 0xFFF;
        if address & !0xFFF == SIO_BASE {
            let value = self.sio.read(self.core, offset);
            self.update_sio();
            return value.map_or_else(|| self.read_unknown(address), Ok);
        }
        if address & !0xF_FFFF == PPB_BASE {
            let core = self.core;
            let value = self.ppb[core].read(address & 0xF_FFFF, now, &self.interrupts[core]);
            return value.map_or_else(|| self.read_unknown(address), Ok);
        }
        let Some(found) = self.find_block(address)? else { return self.read_unknown(address) };
        self.clock.now += if address >> 28 == 4 { APB_WAIT } else { AHB_WAIT };
        let value = match found {
            Block::SysInfo => match offset {
                // RP2350 A2 by Raspberry Pi; QFN-60; ASIC.
                0x00 => Some(0x2000_4927),
                0x04 => Some(1),
                0x08 => Some(2),
                0x14 => Some(0x1234_5678),
                _ => None,
            },
            Block::Uart0
            | Block::Uart1
            | Block::Spi0
            | Block::Spi1
            | Block::I2c0
            | Block::I2c1
            | Block::Adc
            | Block::Trng
            | Block::Dma => return self.read_peripheral(found, address, now),
            Block::TbMan => (offset == 0).then_some(1),
            Block::Powman => self.powman.read(offset),
            Block::SysCfg => self.syscfg.read(offset),
            Block::Clocks => self.clocks.read_generators(offset),
            Block::Psm if offset == 0x0C => Some(0x01FF_FFFF),
            Block::Psm => self.psm.read(offset),
            Block::Resets if offset == 8 => Some(!self.held & RESETS_MASK),
            Block::Resets => self.resets.read(offset),
            Block::IoBank0 => self.io_bank0.read(offset),
            Block::PadsBank0 => self.pads_bank0.read(offset),
            Block::IoQspi => self.qspi[0].read(offset),
            Block::PadsQspi => self.qspi[1].read(offset),
            Block::Xosc => self.clocks.read_crystal(offset, now),
            Block::Rosc => self.clocks.read_ring(offset, now),
            Block::PllSys => self.clocks.read_pll(0, offset),
            Block::PllUsb => self.clocks.read_pll(1, offset),
            Block::Ticks => self.clocks.read_ticks(offset),
            Block::Timer0 => self.timers[0].read(offset, now),
            Block::Timer1 => self.timers[1].read(offset, now),
            Block::Watchdog => self.watchdog.read(offset, now),
            // Words only, as for every register; what the ROM does not use is empty.
            Block::BootRam if offset < 0x400 => Some(XIP_SETUP.get(offset as usize / 4).copied().unwrap_or(0)),
            Block::BootRam => None,
            Block::Qmi => self.qmi.read(offset),
            // STAT: FIFO empty, ready.
            Block::XipCtrl if offset == 8 => Some(2),
            Block::XipCtrl => self.xip_control.read(offset),
            Block::Usb => {
                let value = self.usb.read(offset, self.clock.now);
                self.update_usb();
                value
            }
        };
        value.map_or_else(|| self.read_unknown(address), Ok)
    }

    #[cold]
    #[inline(never)]
    pub(super) fn write_register(&mut self, address: u32, word: u32) -> Result<(), Halt> {
        let now = self.clock.now;
        let offset = address & 0xFFF;
        if address & !0xFFF == SIO_BASE {
            let done = self.sio.write(self.core, offset, word);
            self.second_core_answers();
            self.update_sio();
            if self.sio.launch.is_some() {
                self.clock.limit = 0;
            }
            return done.map_or_else(|| self.write_unknown(address, word), Ok);
        }
        if address & !0xF_FFFF == PPB_BASE {
            // Priorities, enable bits and SysTick may all change what runs next.
            self.clock.limit = 0;
            let core = self.core;
            return match self.ppb[core].write(address & 0xF_FFFF, word, now, &mut self.interrupts[core]) {
                Some(Effect::None) => Ok(()),
                Some(Effect::Reset) => {
                    self.request = Some(ResetRequest::System);
                    Ok(())
                }
                None => self.write_unknown(address, word),
            };
        }
        let Some(found) = self.find_block(address)? else { return self.write_unknown(address, word) };
        self.clock.now += if address >> 28 == 4 { APB_WAIT } else { AHB_WAIT };
        let alias = Alias::of(address);
        let done = match found {
            Block::Uart0
            | Block::Uart1
            | Block::Spi0
            | Block::Spi1
            | Block::I2c0
            | Block::I2c1
            | Block::Adc
            | Block::Trng
            | Block::Dma => return self.write_peripheral(found, address, word),
            Block::SysInfo | Block::TbMan | Block::BootRam => None,
            Block::Powman => self.powman.write(offset, alias, word),
            Block::SysCfg => self.syscfg.write(offset, alias, word),
            Block::Clocks => self.clocks.write_generators(offset, alias, word),
            Block::Psm => {
                let done = self.psm.write(offset, alias, word);
                self.change_second_core();
                done
            }
            Block::Resets => {
                let done = self.resets.write(offset, alias, word);
                self.change_resets();
                done
            }
            Block::IoBank0 => self.io_bank0.write(offset, alias, word),
            Block::PadsBank0 => {
                let done = self.pads_bank0.write(offset, alias, word);
                self.pull_inputs();
                done
            }
            Block::IoQspi => self.qspi[0].write(offset, alias, word),
            Block::PadsQspi => self.qspi[1].write(offset, alias, word),
            Block::Xosc => self.clocks.write_crystal(offset, alias, word, now),
            Block::Rosc => self.clocks.write_ring(offset, alias, word),
            Block::PllSys => self.clocks.write_pll(0, offset, alias, word),
            Block::PllUsb => self.clocks.write_pll(1, offset, alias, word),
            Block::Ticks => {
                let done = self.clocks.write_ticks(offset, alias, word);
                self.timers[0].set_tick(self.clocks.cycles_per_tick(TICK_TIMER0), now);
                self.timers[1].set_tick(self.clocks.cycles_per_tick(TICK_TIMER1), now);
                self.watchdog.set_tick(self.clocks.cycles_per_tick(TICK_WATCHDOG), now);
                self.clock.limit = 0;
                done
            }
            Block::Timer0 | Block::Timer1 => {
                let timer = usize::from(found == Block::Timer1);
                let done = self.timers[timer].write(offset, alias, word, now);
                self.update_timer(timer);
                self.clock.limit = 0;
                done
            }
            Block::Watchdog => {
                let done = self.watchdog.write(offset, alias, word, now);
                self.clock.limit = 0;
                done
            }
            Block::Qmi => {
                let done = self.qmi.write(offset, alias, word);
                // A read mode other than the serial command 03h.
                if offset == M0_RCMD && self.qmi.value(M0_RCMD) & 0xFF != 3 {
                    self.serial = false;
                }
                self.translated = (0..8).any(|n| self.qmi.value(0x34 + 4 * n) != 0x0400_0000 | (n & 3) << 10);
                self.code_changed();
                self.clock.limit = 0;
                done
            }
            Block::XipCtrl => self.xip_control.write(offset, alias, word),
            Block::Usb => {
                let was = self.usb.attached();
                let done = self.usb.write(offset, alias, word);
                if !was
                    && self.usb.attached()
                    && let Err(what) = self.clocks.check_usb()
                {
                    return Err(self.fail(format!("USB attached, but {what}")));
                }
                self.look_at_control();
                self.update_usb();
                done
            }
        };
        done.map_or_else(|| self.write_unknown(address, word), Ok)
    }

    /// Pads with an input buffer and a pull-up (datasheet 9.11.3: IE, PUE) read as 1.
    fn pull_inputs(&mut self) {
        const PUE_IE: u32 = 1 << 3 | 1 << 6;
        let mut pulled = 0u64;
        for gpio in 0..48 {
            pulled |= u64::from(self.pads_bank0.value(4 + 4 * gpio) & PUE_IE == PUE_IE) << gpio;
        }
        self.sio.pulled = [pulled as u32, (pulled >> 32) as u32];
    }

    /// FRCE_OFF.PROC1 keeps the second core in reset (section 7.4.4).
    fn change_second_core(&mut self) {
        let held = self.psm.value(FRCE_OFF) & PROC1 != 0;
        if held != (self.sio.second_core == SecondCore::Held) {
            self.sio.reset_second_core(held);
            self.reset_core(1);
            self.update_sio();
            self.clock.limit = 0;
        }
    }

    fn change_resets(&mut self) {
        let held = self.resets.value(0);
        let taken = held & !self.held;
        self.held = held;
        self.remembered.hold(taken);
        self.peripherals.hold(taken);
        if taken & RESET_USB != 0 {
            self.usb.reset();
            self.update_usb();
        }
        for (bit, pll) in [(14, 0), (15, 1)] {
            if taken >> bit & 1 != 0 {
                self.clocks.reset_pll(pll);
            }
        }
        for (bit, timer, tick) in [(23, 0, TICK_TIMER0), (24, 1, TICK_TIMER1)] {
            if taken >> bit & 1 != 0 {
                self.timers[timer] = Timer::default();
                self.timers[timer].set_tick(self.clocks.cycles_per_tick(tick), self.clock.now);
                self.update_timer(timer);
            }
        }
        for (bit, storage) in [(6, &mut self.io_bank0), (9, &mut self.pads_bank0)] {
            if taken >> bit & 1 != 0 {
                storage.reset();
            }
        }
        self.pull_inputs();
    }
}
