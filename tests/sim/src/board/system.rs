//! Everything on the board but the processor cores: memories, the bus between them, peripherals, time.
//!
//! Both cores reach it by the same [`Bus`], by turns.

mod gate;

use super::bootrom::{BootRom, ChipIdentity, ROM_SIZE};
use super::clocks::Clocks;
use super::engine::{Bus, Clock, CodeChange, Halt};
use super::flash::{Flash, SECTOR};
use super::interrupts::Interrupts;
use super::memory_map::{RELEASED_BY_ROM, RESET_USB};
use super::ppb::Ppb;
use super::registers::{Storage, register};
use super::sio::{SecondCore, Sio};
use super::statistics::Statistics;
use super::timer::{Timer, Watchdog};
use super::usb::{DPRAM_SIZE, Usb};
use gate::Gate;

/// First byte of SRAM.
pub const SRAM_BASE: u32 = 0x2000_0000;
/// Bytes of SRAM: 520 KiB.
pub const SRAM_SIZE: usize = 0x8_2000;

const XIP_BASE: u32 = 0x1000_0000;
/// One chip select's window.
const XIP_WINDOW: u32 = 0x0100_0000;
const DPRAM_BASE: u32 = 0x5010_0000;
pub(super) const SIO_BASE: u32 = 0xD000_0000;
pub(super) const PPB_BASE: u32 = 0xE000_0000;

/// QMI's registers for reading from the first chip select.
const M0_TIMING: u32 = 0x0C;
const M0_RFMT: u32 = 0x10;
pub(super) const M0_RCMD: u32 = 0x14;
/// The same for the second.
const M1: [u32; 3] = [0x20, 0x24, 0x28];
/// How the boot ROM has set up reading: timing, format and command of a quad read.
const FAST: [u32; 3] = [0x6000_7203, 0x0002_82A8 & 0x1007_D3FF, 0x00EB];
/// How flash_exit_xip does: the command 03h, slowly.
const SLOW: [u32; 3] = [0x6000_700C, 0x1000, 0xA003];

/// The function that the boot ROM leaves in boot RAM, for setting up [`FAST`] again: `ldr r0, [pc, #16]`, `ldr` and `str` of
/// three words, `bx lr`, and the words.
pub(super) const XIP_SETUP: [u32; 8] = [
    0x4904_4803, // ldr r0, [pc, #12]; ldr r1, [pc, #16]
    0x4904_60C1, // str r1, [r0, #12]; ldr r1, [pc, #16]
    0x4904_6101, // str r1, [r0, #16]; ldr r1, [pc, #16]
    0x4770_6141, // str r1, [r0, #20]; bx lr
    0x400D_0000,
    FAST[0],
    FAST[1],
    FAST[2],
];

const IRQ_TIMER0: u16 = 0;
const IRQ_TIMER1: u16 = 4;
const IRQ_USB: u16 = 14;
const IRQ_SIO_FIFO: u16 = 25;
const IRQ_SIO_BELL: u16 = 26;

/// Extra cycles of an access through the APB bridge, and to an AHB peripheral.
pub(super) const APB_WAIT: u64 = 3;
pub(super) const AHB_WAIT: u64 = 1;

pub(super) const RESETS_MASK: u32 = 0x1FFF_FFFF;

/// A reset that software asked for.
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
        /// Cycle.
        at: u64,
    },
    /// Power failed during a flash operation.
    PowerCut,
}

/// The board without its cores.
pub struct System {
    pub(super) clock: Clock,
    /// The core that executes now, 0 or 1.
    pub(super) core: usize,
    /// How often it was the other one's turn.
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
    pub(super) rom: Option<Box<BootRom>>,
    pub(super) rom_bytes: Box<[u8; ROM_SIZE]>,
    pub(super) sram: Vec<u8>,
    pub(super) watched: Vec<bool>,
    /// For either core.
    pub(super) change: [CodeChange; 2],
    pub(super) xip_connected: bool,
    /// The cycle until which the flash chip erases or programs.
    flash_busy: u64,
    /// The flash chip takes serial commands, and does not know the way of reading that the boot ROM had set up.
    pub(super) serial: bool,
    /// Sectors that changed since the cache was flushed.
    pub(super) stale: Vec<usize>,
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
    pub(super) io_bank0: Storage,
    pub(super) pads_bank0: Storage,
    pub(super) qspi: [Storage; 2],
    pub(super) syscfg: Storage,
    pub(super) usb_line: bool,
}

fn qmi() -> Storage {
    let windows = [0x0C, 0x20].into_iter().flat_map(|at| {
        [
            register(at, 0x4000_0004, 0xF3FF_F7FF),
            register(at + 4, 0x1000, 0x1007_D3FF),
            register(at + 8, 0xA003, 0xFFFF),
            register(at + 12, 0x1000, 0x1007_D3FF),
            register(at + 16, 0xA002, 0xFFFF),
        ]
    });
    let translations = (0..8).map(|n| register(0x34 + 4 * n, 0x0400_0000 | (n & 3) << 10, 0x07FF_0FFF));
    Storage::new(windows.chain(translations))
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
            rom_bytes: Box::new(*rom.bytes()),
            rom: Some(Box::new(rom)),
            sram: vec![0; SRAM_SIZE],
            watched: vec![false; SRAM_SIZE >> 12],
            change: [CodeChange::None, CodeChange::None],
            xip_connected: true,
            flash_busy: 0,
            serial: false,
            stale: Vec::new(),
            translated: false,
            qmi: qmi(),
            xip_control: Storage::new([register(0, 0x83, 0xFFB)]),
            held: 0,
            resets: Storage::new([register(0, 0, RESETS_MASK), register(4, 0, RESETS_MASK)]),
            psm: Storage::new([0, 4, 8].map(|at| register(at, 0, 0x01FF_FFFF))),
            clocks: Clocks::default(),
            timers: Default::default(),
            ppb: Default::default(),
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
        };
        system.power_on();
        system
    }

    /// Power-on: RAM holds rubbish, which is the same in every run.
    pub fn power_on(&mut self) {
        let mut state = 0x1234_5678u32;
        for byte in &mut self.sram {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        self.usb.power_on();
        self.watchdog = Watchdog::default();
        self.restart(true);
    }

    /// What every reset does, RAM and the watchdog's scratch registers left alone. `from_flash`: the ROM boots the
    /// image in flash.
    pub fn restart(&mut self, from_flash: bool) {
        self.core = 0;
        self.reset_core(0);
        self.reset_core(1);
        self.usb.reset();
        self.sio = Sio::default();
        self.request = None;
        self.code_changed();
        self.watched.fill(false);
        self.xip_connected = from_flash;
        self.flash_busy = 0;
        self.serial = !from_flash;
        self.stale.clear();
        self.translated = false;
        self.qmi = qmi();
        if from_flash {
            self.qmi.preset(M0_TIMING, FAST[0]);
            self.qmi.preset(M0_RFMT, FAST[1]);
            self.qmi.preset(M0_RCMD, FAST[2]);
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
        if let Some(rom) = &mut self.rom {
            rom.restart();
        }
    }

    /// Contents of SRAM.
    #[must_use]
    pub fn sram(&self) -> &[u8] {
        &self.sram
    }

    /// Puts bytes into SRAM as a loader would. False if they do not fit.
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

    /// The next cycle at which a peripheral does something by itself.
    pub(super) fn next_event(&self) -> u64 {
        let timers = self.timers.iter().filter_map(Timer::next_event);
        let reboot = match self.request {
            Some(ResetRequest::Reboot { at, .. }) => Some(at),
            Some(_) => Some(0),
            None => None,
        };
        // The second core's is asked for even where it waits in the boot ROM: its SysTick does not run then.
        let systicks = self.ppb.iter().filter_map(Ppb::next_event);
        timers.chain(self.watchdog.next_event()).chain(systicks).chain(reboot).min().unwrap_or(u64::MAX)
    }

    /// The next of those that [`advance`](System::advance) lets happen while it is this core's turn.
    pub(super) fn next_event_of_turn(&self) -> u64 {
        let timers = self.timers.iter().filter_map(Timer::next_event);
        timers.chain(self.ppb[self.core].next_event()).min().unwrap_or(u64::MAX)
    }

    /// From now on this core executes, and its time is `now`.
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

    /// What either core has decoded may have changed.
    pub(super) fn code_changed(&mut self) {
        self.change = [CodeChange::Everything, CodeChange::Everything];
    }

    /// Lets peripherals do what is due, and the SysTick of the core whose turn it is.
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

    /// The USB controller's interrupt follows its registers.
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
    fn set_line(&mut self, irq: u16, level: bool) {
        for core in 0..2 {
            if self.interrupts[core].set_line(irq, level) {
                self.clock.limit = 0;
            }
        }
    }

    /// The interrupts of FIFOs and doorbells follow the block's state, for each core by itself.
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

    // ---- flash by address ----

    fn translated_offset(&self, offset: u32) -> Option<u32> {
        if !self.translated {
            return Some(offset);
        }
        let window = self.qmi.value(0x34 + 4 * (offset >> 22 & 7));
        let (base, size) = (window & 0xFFF, window >> 16 & 0x7FF);
        let within = offset & 0x3F_FFFF;
        (within >> 12 < size).then(|| (base << 12).wrapping_add(within))
    }

    #[inline]
    fn xip(&mut self, address: u32, size: usize) -> Result<usize, Halt> {
        let alias = address >> 26 & 3;
        let offset = address & 0x03FF_FFFF;
        if !self.reachable() {
            return Err(self.no_flash("read", address));
        }
        if alias == 2 || offset >= XIP_WINDOW {
            return Err(self.no_xip(address));
        }
        // A short chip ignores the upper bits of its address; only who looks for its length may count on that, without translation.
        let length = self.flash.bytes().len() as u32;
        let place = if alias == 3 { offset.checked_rem(length) } else { self.translated_offset(offset) };
        let Some(place) = place.map(|p| p as usize).filter(|p| p + size <= self.flash.bytes().len()) else {
            return Err(self.no_xip(address));
        };
        if alias == 0 && !self.stale.is_empty() && self.stale.contains(&(place / SECTOR)) {
            return Err(
                self.fail(format!("cached read at {address:#010x} after a flash change without flash_flush_cache"))
            );
        }
        Ok(place)
    }

    /// Whether flash can be read now. The core that erases or programs is busy for as long as the chip is: its time is later.
    #[inline]
    fn reachable(&self) -> bool {
        self.xip_connected && self.clock.now >= self.flash_busy
    }

    #[cold]
    fn no_flash(&mut self, what: &str, address: u32) -> Halt {
        let why = if self.clock.now < self.flash_busy {
            "while the flash chip erases or programs"
        } else {
            "while flash is not connected for XIP"
        };
        let core = self.core;
        self.fail(format!("core {core}: {what} at {address:#010x} {why}"))
    }

    #[cold]
    fn no_xip(&mut self, address: u32) -> Halt {
        self.fail(format!("read at {address:#010x}, outside the flash chip"))
    }

    fn dpram(&mut self, address: u32, size: u32) -> Result<Option<usize>, Halt> {
        let offset = address.wrapping_sub(DPRAM_BASE);
        if offset as usize >= DPRAM_SIZE {
            return Ok(None);
        }
        // Device memory: FACTS 2.
        if offset & (size - 1) != 0 {
            return Err(self.fail(format!("unaligned access to USB DPRAM at {address:#010x}")));
        }
        if self.held & RESET_USB != 0 {
            return Err(self.fail(format!("access to {address:#010x} while RESETS holds USBCTRL")));
        }
        Ok(Some(offset as usize))
    }

    #[cold]
    #[inline(never)]
    fn load_slow(&mut self, address: u32, size: u32) -> Result<u32, Halt> {
        if let Some(offset) = self.dpram(address, size)? {
            self.clock.now += AHB_WAIT;
            return Ok(self.usb.read_dpram(offset, size as usize));
        }
        if address & (size - 1) != 0 {
            return Err(self.fail(format!("unaligned access to Device memory at {address:#010x}")));
        }
        let word = self.read_register(address & !3)?;
        let shifted = word >> (8 * (address & 3));
        Ok(if size == 4 { word } else { shifted & ((1 << (8 * size)) - 1) })
    }

    #[cold]
    #[inline(never)]
    fn store_slow(&mut self, address: u32, size: u32, value: u32) -> Result<(), Halt> {
        if let Some(offset) = self.dpram(address, size)? {
            let now = self.clock.now;
            self.usb.write_dpram(offset, size as usize, value, now, &mut self.statistics);
            self.update_usb();
            return Ok(());
        }
        if address & (size - 1) != 0 {
            return Err(self.fail(format!("unaligned access to Device memory at {address:#010x}")));
        }
        if size == 4 {
            return self.write_register(address, value);
        }
        // NVIC and system handler priorities may be written by bytes.
        let offset = address.wrapping_sub(PPB_BASE);
        if (0xE400..0xE440).contains(&offset) || (0xED18..0xED24).contains(&offset) {
            let shift = 8 * (address & 3);
            let mask = ((1u32 << (8 * size)) - 1) << shift;
            let old = self.read_register(address & !3)?;
            return self.write_register(address & !3, old & !mask | value << shift & mask);
        }
        if (0x1800_0000..0x1C00_0000).contains(&address) {
            // XIP cache maintenance: by set and way, or by address; the model flushes all.
            self.stale.clear();
            return Ok(());
        }
        Err(self.fail(format!("write of {size} bytes to {address:#010x}, not a word")))
    }

    #[cold]
    #[inline(never)]
    fn code_written(&mut self, address: u32, size: u32) {
        let words = (address & !3..address + size).step_by(4);
        for change in &mut self.change {
            match change {
                CodeChange::Everything => {}
                CodeChange::Words(all) => all.extend(words.clone()),
                CodeChange::None => *change = CodeChange::Words(words.clone().collect()),
            }
        }
        if self.sio.second_core != SecondCore::Executes {
            // Nobody asks: it begins with nothing decoded.
            self.change[1] = CodeChange::Everything;
        }
        self.clock.limit = 0;
    }

    #[inline]
    fn load<const N: usize>(&mut self, address: u32) -> Result<[u8; N], Halt> {
        let offset = address.wrapping_sub(SRAM_BASE) as usize;
        if let Some(bytes) = self.sram.get(offset..offset.wrapping_add(N)) {
            return Ok(bytes.try_into().unwrap_or([0; N]));
        }
        self.load_elsewhere(address)
    }

    #[inline]
    fn load_elsewhere<const N: usize>(&mut self, address: u32) -> Result<[u8; N], Halt> {
        if address.wrapping_sub(XIP_BASE) < 0x1000_0000 {
            let place = self.xip(address, N)?;
            if address >> 26 & 3 != 0 {
                // Uncached: a QSPI transfer of a word takes about that long.
                self.clock.now += 20;
            }
            return Ok(self.flash.bytes()[place..place + N].try_into().unwrap_or([0; N]));
        }
        if let Some(bytes) = self.rom_bytes.get(address as usize..(address as usize).wrapping_add(N)) {
            return Ok(bytes.try_into().unwrap_or([0; N]));
        }
        let word = self.load_slow(address, N as u32)?.to_le_bytes();
        Ok(word[..N].try_into().unwrap_or([0; N]))
    }

    #[inline]
    fn store<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), Halt> {
        let offset = address.wrapping_sub(SRAM_BASE) as usize;
        if let Some(room) = self.sram.get_mut(offset..offset.wrapping_add(N)) {
            room.copy_from_slice(&bytes);
            if self.watched[offset >> 12] {
                self.code_written(address, N as u32);
            }
            return Ok(());
        }
        let mut word = [0; 4];
        word[..N].copy_from_slice(&bytes);
        self.store_slow(address, N as u32, u32::from_le_bytes(word))
    }
}

impl System {
    /// Whether flash is read in the way that the boot ROM has set up.
    #[must_use]
    pub fn reads_fast(&self) -> bool {
        !self.serial && [M0_TIMING, M0_RFMT, M0_RCMD].map(|at| self.qmi.value(at)) == FAST
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
            // Where it executes, each of its reads and fetches is looked at.
            SecondCore::Waits | SecondCore::Held | SecondCore::Executes => true,
            SecondCore::Runs => false,
            SecondCore::Parks { asked, answered } => {
                self.sram_word(asked) != 0 && self.sram_word(asked) == self.sram_word(answered)
            }
        }
    }
}

impl Bus for System {
    #[inline]
    fn load8(&mut self, address: u32) -> Result<u32, Halt> {
        self.load::<1>(address).map(|b| u32::from(b[0]))
    }

    #[inline]
    fn load16(&mut self, address: u32) -> Result<u32, Halt> {
        self.load::<2>(address).map(|b| u32::from(u16::from_le_bytes(b)))
    }

    #[inline]
    fn load32(&mut self, address: u32) -> Result<u32, Halt> {
        self.load::<4>(address).map(u32::from_le_bytes)
    }

    #[inline]
    fn store8(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, [value as u8])
    }

    #[inline]
    fn store16(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, (value as u16).to_le_bytes())
    }

    #[inline]
    fn store32(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, value.to_le_bytes())
    }

    fn fetch(&mut self, address: u32) -> Result<u16, Halt> {
        let memory = address < 0x8000 || (0x1000_0000..SRAM_BASE + SRAM_SIZE as u32).contains(&address);
        if !memory {
            return Err(self.fail(format!("instruction fetch from {address:#010x}")));
        }
        if !self.reachable() && (XIP_BASE..SRAM_BASE).contains(&address) {
            return Err(self.no_flash("instruction fetch", address));
        }
        self.load::<2>(address).map(u16::from_le_bytes)
    }

    #[inline]
    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    #[inline]
    fn interrupts(&mut self) -> &mut Interrupts {
        &mut self.interrupts[self.core]
    }

    fn send_event(&mut self) {
        for interrupts in &mut self.interrupts {
            interrupts.event = true;
        }
        self.clock.limit = 0;
    }

    fn monitor(&mut self) -> u32 {
        // Without ACTLR.EXTEXCLALL exclusive accesses are a matter of the core alone (section 2.1.6).
        if self.ppb[self.core].watches_exclusives() { self.turn } else { 0 }
    }

    #[cold]
    fn fail(&mut self, what: String) -> Halt {
        self.failure.get_or_insert(what);
        Halt
    }

    fn rom_call(&mut self, number: u8, registers: &mut [u32; 16], masked: bool) -> Result<(), Halt> {
        let Some(mut rom) = self.rom.take() else {
            return Err(self.fail("ROM call within a ROM call".into()));
        };
        let mut services = Gate { system: self, masked };
        let result = rom.call(number, registers, &mut services);
        self.rom = Some(rom);
        registers[15] = registers[14];
        match result {
            Ok(()) => Ok(()),
            Err(_) if self.request == Some(ResetRequest::PowerCut) => Ok(()),
            Err(what) => Err(self.fail(format!("ROM call from {:#010x}: {what}", registers[14] & !1))),
        }
    }

    fn code_change(&mut self) -> CodeChange {
        std::mem::replace(&mut self.change[self.core], CodeChange::None)
    }

    fn watch_code(&mut self, page: u32) {
        if let Some(watched) = self.watched.get_mut((page.wrapping_sub(SRAM_BASE) >> 12) as usize) {
            *watched = true;
        }
    }
}
