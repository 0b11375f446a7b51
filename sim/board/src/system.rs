//! Everything on the board except the processor cores: memories, the bus between them, peripherals, time.
//!
//! Both cores access it alternately through the same [`Bus`]: memory by address is in `bus`, registers are in
//! `register_bus`, flash by address is in `xip`, and the effects of the boot ROM's functions in `gate`.

mod bus;
mod gate;
mod xip;

use super::bootrom::{BootRom, ChipIdentity, ROM_SIZE};
use super::clocks::Clocks;
use super::engine::{Bus, Clock, CodeChange};
use super::flash::Flash;
use super::interrupts::Interrupts;
use super::memory_map::RELEASED_BY_ROM;
use super::peripherals::Peripherals;
use super::powman::Powman;
use super::ppb::Ppb;
use super::registers::{Storage, register};
use super::remembered::Remembered;
use super::sio::{SecondCore, Sio};
use super::statistics::Statistics;
use super::timer::{Timer, Watchdog};
use super::usb::Usb;
pub(super) use xip::{M0_RCMD, XIP_SETUP};

/// First byte of SRAM.
pub const SRAM_BASE: u32 = 0x2000_0000;
/// Bytes of SRAM: 520 KiB.
pub const SRAM_SIZE: usize = 0x8_2000;

pub(super) const SIO_BASE: u32 = 0xD000_0000;
pub(super) const PPB_BASE: u32 = 0xE000_0000;

const IRQ_TIMER0: u16 = 0;
const IRQ_TIMER1: u16 = 4;
const IRQ_USB: u16 = 14;
const IRQ_SIO_FIFO: u16 = 25;
const IRQ_SIO_BELL: u16 = 26;

/// Extra cycles of an access through the APB bridge, and to an AHB peripheral.
pub(super) const APB_WAIT: u64 = 3;
pub(super) const AHB_WAIT: u64 = 1;

pub(super) const RESETS_MASK: u32 = 0x1FFF_FFFF;

/// A reset that software requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetRequest {
    /// AIRCR.SYSRESETREQ.
    System,
    /// The ROM's reboot call: flags, parameters, and the cycle at which it happens.
    Reboot {
        /// As passed.
        flags: u32,
        /// As passed.
        parameters: [u32; 2],
        /// As passed, in milliseconds.
        delay: u32,
        /// Cycle.
        at: u64,
    },
    /// Power failed during a flash operation.
    PowerCut,
}

/// The board without its cores.
pub struct System {
    pub(super) clock: Clock,
    /// The current core, 0 or 1.
    pub(super) core: usize,
    /// How often the other one had its turn.
    turn: u32,
    /// Of either core.
    pub(super) interrupts: [Interrupts; 2],
    pub(super) usb: Usb,
    pub(super) statistics: Statistics,
    pub(super) flash: Flash,
    pub(super) sio: Sio,
    pub(super) watchdog: Watchdog,
    pub(super) request: Option<ResetRequest>,
    pub(super) failure: Option<String>,
    /// A fault that the program handles, and the registers then.
    pub(super) fault_note: Option<(String, [u32; 16])>,
    /// Where functions begin that never return: those of a panic.
    pub(super) panics: Vec<u32>,
    /// One of them has begun.
    pub(super) panicking: bool,
    pub(super) rom: Option<Box<BootRom>>,
    pub(super) rom_bytes: Box<[u8; ROM_SIZE]>,
    pub(super) sram: Vec<u8>,
    pub(super) watched: Vec<bool>,
    /// For either core.
    pub(super) change: [CodeChange; 2],
    pub(super) xip_connected: bool,
    /// The cycle until which the flash chip erases or programs.
    flash_busy: u64,
    /// The flash chip is read with serial commands, not in the fast mode that the boot ROM had set up.
    pub(super) serial: bool,
    /// The first address where flash has changed since the XIP cache was flushed.
    stale: Option<usize>,
    pub(super) translated: bool,
    pub(super) qmi: Storage,
    pub(super) xip_control: Storage,
    pub(super) held: u32,
    pub(super) resets: Storage,
    pub(super) psm: Storage,
    pub(super) clocks: Clocks,
    pub(super) timers: [Timer; 2],
    /// Of either core.
    pub(super) ppb: [Ppb; 2],
    pub(super) powman: Powman,
    pub(super) io_bank0: Storage,
    pub(super) pads_bank0: Storage,
    pub(super) qspi: [Storage; 2],
    pub(super) syscfg: Storage,
    pub(super) usb_line: bool,
    pub(super) peripherals: Peripherals,
    /// Registers that are not modelled.
    pub(super) remembered: Remembered,
}

impl System {
    /// A board with a blank flash chip of `flash_size` bytes.
    #[must_use]
    pub fn new(flash_size: usize, identity: ChipIdentity) -> Self {
        let rom = BootRom::new(identity);
        let mut system = Self {
            clock: Clock::default(),
            core: 0,
            turn: 0,
            interrupts: Default::default(),
            usb: Usb::default(),
            statistics: Statistics::default(),
            flash: Flash::new(flash_size),
            sio: Sio::default(),
            watchdog: Watchdog::default(),
            request: None,
            failure: None,
            fault_note: None,
            panics: Vec::new(),
            panicking: false,
            rom_bytes: Box::new(*rom.bytes()),
            rom: Some(Box::new(rom)),
            sram: vec![0; SRAM_SIZE],
            watched: vec![false; SRAM_SIZE >> 12],
            change: [CodeChange::None, CodeChange::None],
            xip_connected: true,
            flash_busy: 0,
            serial: false,
            stale: None,
            translated: false,
            qmi: xip::qmi(),
            xip_control: Storage::new([register(0, 0x83, 0xFFB)]),
            held: 0,
            resets: Storage::new([register(0, 0, RESETS_MASK), register(4, 0, RESETS_MASK)]),
            psm: Storage::new([0, 4, 8].map(|at| register(at, 0, 0x01FF_FFFF))),
            clocks: Clocks::default(),
            timers: Default::default(),
            ppb: Default::default(),
            powman: Powman::default(),
            io_bank0: Storage::new((0..48).map(|n| register(8 * n + 4, 0x1F, 0x3003_F01F))),
            pads_bank0: Storage::new(
                std::iter::once(register(0, 0, 1)).chain((0..50).map(|n| register(4 + 4 * n, 0x116, 0x1FF))),
            ),
            qspi: [
                Storage::new((0..8).map(|n| register(8 * n + 4, 0x1F, 0x3003_F01F))),
                Storage::new((0..7).map(|n| register(4 * n, 0x56, 0x1FF))),
            ],
            syscfg: Storage::new([register(0, 0, 3), register(4, 0, 0xFF)]),
            usb_line: false,
            peripherals: Peripherals::default(),
            remembered: Remembered::default(),
        };
        system.power_on();
        system
    }

    /// Power-on: RAM contains random data, which is the same in every run.
    pub fn power_on(&mut self) {
        let mut state = 0x1234_5678u32;
        for byte in &mut self.sram {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        self.usb.power_on();
        self.watchdog = Watchdog::default();
        self.powman = Powman::default();
        self.restart(true);
    }

    /// What every reset does; RAM and the watchdog's scratch registers are unchanged. `from_flash`: the ROM boots the image
    /// in flash.
    pub fn restart(&mut self, from_flash: bool) {
        self.core = 0;
        self.reset_core(0);
        self.reset_core(1);
        self.usb.reset();
        self.sio = Sio::default();
        self.request = None;
        self.panicking = false;
        self.code_changed();
        self.watched.fill(false);
        self.xip_connected = from_flash;
        self.flash_busy = 0;
        self.serial = !from_flash;
        self.stale = None;
        self.translated = false;
        self.qmi = xip::qmi();
        if from_flash {
            self.read_fast();
        }
        for pads in &mut self.qspi {
            pads.reset();
        }
        self.held = RESETS_MASK & !RELEASED_BY_ROM;
        self.resets.reset();
        self.resets.preset(0, self.held);
        self.psm.reset();
        self.clocks = Clocks::default();
        self.timers = Default::default();
        self.io_bank0.reset();
        self.pads_bank0.reset();
        self.usb_line = false;
        self.remembered.restart();
        self.peripherals.restart();
        if let Some(rom) = &mut self.rom {
            rom.restart();
        }
    }

    /// Contents of SRAM.
    #[must_use]
    pub fn sram(&self) -> &[u8] {
        &self.sram
    }

    /// Stores bytes in SRAM like a loader. False if they do not fit.
    pub fn preload_sram(&mut self, offset: usize, bytes: &[u8]) -> bool {
        self.code_changed();
        let end = offset.checked_add(bytes.len());
        match end.and_then(|end| self.sram.get_mut(offset..end)) {
            Some(room) => {
                room.copy_from_slice(bytes);
                true
            }
            None => false,
        }
    }

    /// Contents of the ROM.
    #[must_use]
    pub fn rom(&self) -> &[u8; ROM_SIZE] {
        &self.rom_bytes
    }

    /// The cycle of a peripheral's next event.
    pub(super) fn next_event(&self) -> u64 {
        let timers = self.timers.iter().filter_map(Timer::next_event);
        let reboot = match self.request {
            Some(ResetRequest::Reboot { at, .. }) => Some(at),
            Some(_) => Some(0),
            None => None,
        };
        // The second core's SysTick is included even while it waits in the boot ROM, where SysTick does not run.
        let systicks = self.ppb.iter().filter_map(Ppb::next_event);
        timers.chain(self.watchdog.next_event()).chain(systicks).chain(reboot).min().unwrap_or(u64::MAX)
    }

    /// The next event that [`advance`](System::advance) handles during this core's turn.
    pub(super) fn next_event_of_turn(&self) -> u64 {
        let timers = self.timers.iter().filter_map(Timer::next_event);
        timers.chain(self.ppb[self.core].next_event()).min().unwrap_or(u64::MAX)
    }

    /// Makes this core the current one, at its time `now`.
    pub(super) fn switch(&mut self, core: usize, now: u64) {
        self.core = core;
        self.clock.now = now;
        self.turn = self.turn.wrapping_add(1);
    }

    /// A core's own registers, as after a reset.
    pub(super) fn reset_core(&mut self, core: usize) {
        self.interrupts[core] = Interrupts::default();
        // FACTS 7: the ROM leaves its own coprocessor enabled.
        self.interrupts[core].coprocessor_access = 0xC000;
        self.ppb[core] = Ppb::default();
        self.change[core] = CodeChange::Everything;
    }

    /// The decoded code of both cores may be stale.
    pub(super) fn code_changed(&mut self) {
        self.change = [CodeChange::Everything, CodeChange::Everything];
    }

    /// Lets peripherals do what is due, and the SysTick of the current core.
    pub(super) fn advance(&mut self) {
        let now = self.clock.now;
        for timer in 0..2 {
            if self.timers[timer].advance(now) {
                self.update_timer(timer);
            }
        }
        self.ppb[self.core].advance(now, &mut self.interrupts[self.core]);
    }

    pub(super) fn update_timer(&mut self, timer: usize) {
        let outputs = self.timers[timer].interrupts();
        let base = if timer == 0 { IRQ_TIMER0 } else { IRQ_TIMER1 };
        for n in 0..4 {
            self.set_line(base + n, outputs >> n & 1 != 0);
        }
    }

    /// Notes when the program has disarmed what a SETUP packet has cancelled.
    pub(super) fn look_at_control(&mut self) {
        if self.statistics.is_void() && !self.usb.is_control_armed() {
            self.statistics.void_ends(self.clock.now);
        }
    }

    /// Updates the USB controller's interrupt from its registers.
    pub(super) fn update_usb(&mut self) {
        let level = self.usb.interrupt();
        if level != self.usb_line {
            self.usb_line = level;
            self.set_line(IRQ_USB, level);
        }
        if let Some(what) = self.usb.misuse() {
            self.fail(what);
            self.clock.limit = 0;
        }
    }

    /// Every interrupt but SIO's goes to both cores (section 3.2).
    pub(super) fn set_line(&mut self, irq: u16, level: bool) {
        for core in 0..2 {
            if self.interrupts[core].set_line(irq, level) {
                self.clock.limit = 0;
            }
        }
    }

    /// Updates the interrupts of FIFOs and doorbells from the block's state, for each core.
    pub(super) fn update_sio(&mut self) {
        for core in 0..2 {
            let [fifo, bell] = self.sio.interrupts(core);
            for (irq, level) in [(IRQ_SIO_FIFO, fifo), (IRQ_SIO_BELL, bell)] {
                if self.interrupts[core].set_line(irq, level) {
                    self.clock.limit = 0;
                }
            }
        }
    }

    fn sram_word(&self, address: u32) -> u32 {
        let at = address.wrapping_sub(SRAM_BASE) as usize;
        self.sram.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    /// A second core that parks answers its doorbell.
    pub(super) fn second_core_answers(&mut self) {
        let SecondCore::Parks { asked, answered } = self.sio.second_core else { return };
        if self.sio.take_bell() {
            let number = self.sram_word(asked).to_le_bytes();
            let at = answered.wrapping_sub(SRAM_BASE) as usize;
            if let Some(room) = self.sram.get_mut(at..at + 4) {
                room.copy_from_slice(&number);
            }
        }
    }

    /// Whether the second core does not read flash now.
    fn second_core_is_out_of_flash(&self) -> bool {
        match self.sio.second_core {
            // If it runs, each of its reads and fetches is checked.
            SecondCore::Waits | SecondCore::Held | SecondCore::Executes => true,
            SecondCore::Runs => false,
            SecondCore::Parks { asked, answered } => {
                self.sram_word(asked) != 0 && self.sram_word(asked) == self.sram_word(answered)
            }
        }
    }
}
