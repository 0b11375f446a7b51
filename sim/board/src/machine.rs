//! The whole board: the cores, what surrounds them, power, resets and boot.
//!
//! The second core executes nothing, and costs nothing, until the program launches it. Then the cores alternate in turns of
//! some cycles each: the first one goes ahead, the other one follows. The turns' lengths are random but depend on a seed,
//! so that every run is the same; with another seed, the cores meet at other points ([`Machine::interleave`]).

mod second;

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::bootrom::ChipIdentity;
use super::elf::{ElfError, Image};
use super::engine::{Engine, Entry, Halt};
use super::flash::Flash;
use super::incident::{Cause, Hang, Incident, Witness};
use super::peripherals::Peripherals;
use super::sio::SecondCore;
use super::stack::Stack;
use super::statistics::Statistics;
use super::system::{ResetRequest, SRAM_BASE, SRAM_SIZE, System};
use super::thumb::Interpreter;
use super::timer::Bite;
use super::usb::Usb;
use picovd_wire::random::Random;
use second::Second;

/// Where the ROM looks for an image definition.
const SEARCH: usize = 4096;
const BLOCK_START: u32 = 0xFFFF_DED3;
/// Item IMAGE_DEF with type "executable, secure, Arm, RP2350".
const IMAGE_TYPE_ITEM: u32 = 0x42;
const FLASH_BASE: u32 = 0x1000_0000;

/// reboot flags (datasheet 5.4.8.25): type in the low bits.
const REBOOT_TYPE: u32 = 0x0F;
const REBOOT_NORMAL: u32 = 0;
const REBOOT_BOOTSEL: u32 = 2;
const REBOOT_FLASH_UPDATE: u32 = 4;

/// Whether the board runs, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunState {
    /// The image executes.
    Running,
    /// The image has rebooted into BOOTSEL mode: the boot ROM waits for UF2 files.
    BootSel,
    /// No power: a planned power cut, or unplugged.
    Off,
    /// Stopped by an error.
    Failed,
}

/// Parts of the mangled names of the functions that never return because they panic: the program's handler, and those of Rust's
/// library, which the compiler may have merged with it.
const PANICS: [&str; 11] = [
    "rust_begin_unwind",
    "4core9panicking",
    "4core6option13unwrap_failed",
    "4core6option13expect_failed",
    "4core6result13unwrap_failed",
    "4core4cell22panic_already",
    "slice_start_index_len_fail",
    "slice_end_index_len_fail",
    "slice_index_order_fail",
    "16slice_index_fail",
    "17len_mismatch_fail",
];

/// Cycles until a panic is reported that has not restarted the board: 100 ms. A handler that restarts it stores its reason first.
const PANIC_PATIENCE: u64 = 100_000 * super::clocks::CPU_MHZ;

/// The board.
pub struct Machine<E = Interpreter> {
    core: E,
    second: Option<Second<E>>,
    /// Drawn from at each turn, of which a program of any length has as many as it needs.
    turns: Random,
    system: System,
    image: Image,
    /// Its range in flash.
    partition: Range<u32>,
    in_sram: bool,
    state: RunState,
    fault: Arc<OnceLock<String>>,
    counted: (u64, u64),
    reboots: u64,
    rom_reboot: Option<RomReboot>,
    stack: Option<Stack>,
    /// The cores execute nothing before this cycle.
    stalled_until: u64,
    witness: Option<Witness>,
    panicked: Option<Panicked>,
    /// Whether mistakes in the descriptors are only reported.
    tolerant: bool,
}

/// A panic that the program's handler has not ended yet.
#[derive(Clone, Copy)]
struct Panicked {
    /// The core's registers when it began.
    registers: [u32; 16],
    /// The cycle in which it is reported.
    reported: u64,
}

/// A restart through the ROM's reboot function, with the program's arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RomReboot {
    /// Type and flags.
    pub flags: u32,
    /// p0 and p1.
    pub parameters: [u32; 2],
}

impl<E: Engine + Default> Machine<E> {
    /// A board with the image in its flash (or, linked for SRAM, to be loaded into SRAM), powered and booted.
    ///
    /// # Errors
    ///
    /// The image does not fit, or the boot ROM would not accept it.
    pub fn new(image: Image, flash_size: usize, identity: ChipIdentity) -> Result<Self, ElfError> {
        Self::in_partition(image, flash_size, identity, 0..0x0100_0000)
    }

    /// The same with an image in a partition, a range of flash in whole sectors: the ROM translates addresses so that it is
    /// where it was linked (datasheet 5.1.19).
    ///
    /// # Errors
    ///
    /// As [`Machine::new`].
    pub fn in_partition(
        image: Image,
        flash_size: usize,
        identity: ChipIdentity,
        partition: Range<u32>,
    ) -> Result<Self, ElfError> {
        let mut system = System::new(flash_size, identity);
        let in_sram = image.base() >= SRAM_BASE;
        if !in_sram {
            for segment in &image.segments {
                let offset = segment.address.wrapping_sub(FLASH_BASE).wrapping_add(partition.start) as usize;
                if !system.flash.preload(offset, &segment.bytes) {
                    return Err(ElfError(format!("a segment at {:#010x} is outside flash", segment.address)));
                }
            }
        }
        let mut machine = Self {
            core: E::default(),
            second: None,
            turns: Random::new(0),
            system,
            image,
            partition,
            in_sram,
            state: RunState::Running,
            fault: Arc::default(),
            counted: (0, 0),
            reboots: 0,
            rom_reboot: None,
            stack: None,
            stalled_until: 0,
            witness: None,
            panicked: None,
            tolerant: false,
        };
        machine.power_on().map_err(ElfError)?;
        Ok(machine)
    }

    fn power_on(&mut self) -> Result<(), String> {
        if let Some(stack) = &mut self.stack {
            stack.look(&self.system.sram);
        }
        self.system.flash.power_on();
        self.system.power_on();
        self.system.watchdog.restart(None);
        self.boot()
    }

    /// What the ROM does before it enters the image.
    fn boot(&mut self) -> Result<(), String> {
        self.panicked = None;
        self.system.restart(!self.in_sram);
        self.second = None;
        if self.partition.start != 0 && !self.in_sram {
            self.system.translate(&self.partition);
        }
        if self.in_sram {
            for segment in &self.image.segments {
                let offset = segment.address.wrapping_sub(SRAM_BASE) as usize;
                if !self.system.preload_sram(offset, &segment.bytes) {
                    return Err(format!("a segment at {:#010x} is outside SRAM", segment.address));
                }
            }
        }
        let base = if self.in_sram { self.image.base() } else { FLASH_BASE };
        let memory = if self.in_sram {
            self.system.sram().get((base - SRAM_BASE) as usize..)
        } else {
            self.system.flash.bytes().get(self.partition.start as usize..)
        };
        let head = memory.and_then(|m| m.get(..SEARCH)).ok_or("image base is outside memory")?;
        let word = |at: usize| head.get(at..at + 4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let definition = (0..SEARCH)
            .step_by(4)
            .find(|at| word(*at) == Some(BLOCK_START) && word(at + 4).is_some_and(|w| w & 0xFF == IMAGE_TYPE_ITEM));
        if definition.is_none() {
            return Err("no IMAGE_DEF in the first 4 KiB: the boot ROM would not start this image".into());
        }
        let entry = Entry { stack_pointer: word(0).unwrap_or(0), reset_vector: word(4).unwrap_or(0) };
        if entry.reset_vector & 1 == 0 {
            return Err(format!("reset vector {:#010x} has no Thumb bit", entry.reset_vector));
        }
        self.system.interrupts[0].vector_table = base;
        if let Some(stack) = &mut self.stack {
            stack.start(&mut self.system.sram);
        }
        self.core.enter(entry);
        if let Some(stack) = Stack::of(&self.image) {
            self.core.guard_stack(stack.range());
        }
        self.state = RunState::Running;
        Ok(())
    }

    fn fail(&mut self, what: &str) {
        self.state = RunState::Failed;
        let core = match &self.second {
            Some(second) if self.system.core == 1 => &second.core,
            _ => &self.core,
        };
        let r = core.registers();
        let place = |address: u32| match self.image.nearest(address) {
            Some((name, distance)) => format!("{:#}+{distance:#x}", rustc_demangle::demangle(name)),
            None => "no symbol".into(),
        };
        let mut text =
            format!("{what}\n  pc {:#010x} ({}), lr {:#010x} ({})", r[15], place(r[15]), r[14], place(r[14] & !1));
        for row in 0..4 {
            let words: Vec<_> = (0..4).map(|n| format!("{:08x}", r[row * 4 + n])).collect();
            text.push_str(&format!("\n  r{:<2} {}", row * 4, words.join(" ")));
        }
        let time = self.system.clock.now / super::clocks::CPU_MHZ;
        text.push_str(&format!("\n  after {time} us, {} instructions", core.executed()));
        self.report(Cause::Stops(&text));
        // The first message is the cause.
        let _ = self.fault.set(text);
    }

    /// Reports to the witness what happened to the current core.
    fn report(&mut self, cause: Cause<'_>) {
        let core = match &self.second {
            Some(second) if self.system.core == 1 => &second.core,
            _ => &self.core,
        };
        self.report_at(cause, core.registers(), core.exception());
    }

    fn report_at(&mut self, cause: Cause<'_>, registers: [u32; 16], exception: u16) {
        let Some(witness) = &mut self.witness else { return };
        witness(&Incident {
            cause,
            registers,
            exception,
            micros: self.system.clock.now / super::clocks::CPU_MHZ,
            sram: &self.system.sram,
            flash: self.system.flash.bytes(),
        });
    }

    /// Sets the receiver of incidents.
    pub fn set_witness(&mut self, witness: Witness) {
        self.witness = Some(witness);
        let places = |part| self.image.places(part).map(|(_, place)| place.start);
        self.system.panics = PANICS.iter().copied().flat_map(places).collect();
    }

    /// Sets whether the board continues when the program uses a register that is not modelled.
    pub fn set_lenient(&mut self, lenient: bool) {
        self.system.remembered.lenient = lenient;
    }

    /// Sets whether mistakes in the descriptors are only reported, if drivers tolerate them.
    pub fn set_tolerant(&mut self, tolerant: bool) {
        self.tolerant = tolerant;
    }

    /// What is connected to the chip's pins.
    pub fn peripherals(&mut self) -> &mut Peripherals {
        &mut self.system.peripherals
    }

    /// A host has found a mistake in the descriptors; returns true if the firmware is other people's.
    pub(super) fn tolerates(&mut self, what: &str) -> bool {
        if self.tolerant {
            self.report(Cause::Descriptors(what));
        }
        self.tolerant
    }

    /// The program seems to hang: reports a sample of its location.
    pub(super) fn sample(&mut self) {
        self.report(Cause::Sample);
    }

    /// The program has not looked at the USB controller for that many milliseconds, while an event waits.
    pub(super) fn is_late(&mut self, milliseconds: u32) {
        self.report(Cause::Late(milliseconds));
    }

    /// A host has used the address that it has given out.
    pub(super) fn is_addressed(&mut self) {
        self.report(Cause::Addressed);
    }

    /// The program hangs.
    pub(super) fn hangs(&mut self, how: Hang) {
        self.report(Cause::Hangs(how));
    }

    /// Whether there is a receiver of incidents.
    pub(super) fn is_watched(&self) -> bool {
        self.witness.is_some()
    }

    /// A panic has begun in the current core: if the program's handler does not end it, it is reported.
    fn follow_panic(&mut self) {
        let now = self.system.clock.now;
        if self.panicked.is_none() {
            let core = match &self.second {
                Some(second) if self.system.core == 1 => &second.core,
                _ => &self.core,
            };
            self.panicked = Some(Panicked { registers: core.registers(), reported: now + PANIC_PATIENCE });
        }
        if let Some(Panicked { registers, reported }) = self.panicked
            && now >= reported
        {
            // Never again, until the next start.
            self.panicked = Some(Panicked { registers, reported: u64::MAX });
            self.report_at(Cause::Panics, registers, 0);
        }
    }

    /// Reports uses of registers that are not modelled, lines from UARTs, and panics.
    fn report_notes(&mut self) {
        if self.system.panicking {
            self.follow_panic();
        }
        for number in 0..2 {
            for line in self.system.peripherals.uart[number].take_lines() {
                self.report(Cause::Uart { number, line: &line });
            }
        }
        if let Some((what, registers)) = self.system.fault_note.take() {
            self.report_at(Cause::Faults(&what), registers, 0);
        }
        if let Some((address, write)) = self.system.remembered.note.take() {
            self.report(Cause::NotModelled { address, write });
        }
    }

    /// Why the board stopped, if it did: the cause, the address with its symbol, and the registers.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.get().map(String::as_str)
    }

    /// The same as a handle that stays valid when the board is given away: filled when it stops.
    #[must_use]
    pub fn fault_watch(&self) -> Arc<OnceLock<String>> {
        Arc::clone(&self.fault)
    }

    /// Whether the board runs, and if not, why.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Number of resets caused by software, including the watchdog.
    #[must_use]
    pub fn reboots(&self) -> u64 {
        self.reboots
    }

    /// Restarts immediately through the ROM's reboot function, with a delay in milliseconds, as if another program had
    /// called it.
    pub fn reboot_through_rom(&mut self, delay: u32) {
        let at = self.system.clock.now;
        self.system.request = Some(ResetRequest::Reboot { flags: REBOOT_NORMAL, parameters: [0; 2], delay, at });
        self.resets();
    }

    /// The last restart through the ROM's reboot function.
    #[must_use]
    pub fn rom_reboot(&self) -> Option<RomReboot> {
        self.rom_reboot
    }

    /// Cycles since the first power-on.
    #[must_use]
    pub fn cycles(&self) -> u64 {
        self.system.clock.now
    }

    /// Counters.
    pub fn statistics(&mut self) -> &mut Statistics {
        &mut self.system.statistics
    }

    /// The flash chip.
    pub fn flash(&mut self) -> &mut Flash {
        &mut self.system.flash
    }

    /// Contents of SRAM.
    #[must_use]
    pub fn sram(&self) -> &[u8] {
        self.system.sram()
    }

    /// Stores bytes in SRAM from an address on, like a debugger. False if they do not fit.
    pub fn preload_sram(&mut self, address: u32, bytes: &[u8]) -> bool {
        address.checked_sub(SRAM_BASE).is_some_and(|offset| self.system.preload_sram(offset as usize, bytes))
    }

    /// Paints the image's stack, now and whenever the image starts again. To be called before anything is executed. False
    /// if the image has no stack in SRAM.
    pub fn watch_stack(&mut self) -> bool {
        self.stack = Stack::of(&self.image);
        if let Some(stack) = &mut self.stack {
            stack.start(&mut self.system.sram);
        }
        self.stack.is_some()
    }

    /// How deep the stack was used since [`Machine::watch_stack`].
    pub fn stack(&mut self) -> Option<&Stack> {
        let stack = self.stack.as_mut()?;
        stack.look(&self.system.sram);
        Some(stack)
    }

    /// Contents of the ROM model.
    #[must_use]
    pub fn rom(&self) -> &[u8] {
        self.system.rom()
    }

    /// Address of a symbol of the image.
    #[must_use]
    pub fn symbol(&self, name: &str) -> Option<u32> {
        self.image.symbol(name)
    }

    /// What the second core does, until the next reset.
    #[must_use]
    pub fn second_core(&self) -> SecondCore {
        self.system.sio.second_core
    }

    /// Replaces the second core by a test double, or removes it, until the next reset.
    pub fn set_second_core(&mut self, second_core: SecondCore) {
        self.second = None;
        self.system.sio.second_core = second_core;
    }

    /// Takes the lengths of turns from another seed, so that the cores meet at other points in their programs.
    pub fn interleave(&mut self, seed: u64) {
        self.turns = Random::new(seed);
    }

    /// The second core, once launched.
    #[must_use]
    pub fn second(&self) -> Option<&E> {
        self.second.as_ref().map(|second| &second.core)
    }

    /// Whether flash is read in the fast mode that the boot ROM has set up, not with serial commands.
    #[must_use]
    pub fn reads_fast(&self) -> bool {
        self.system.reads_fast()
    }

    /// The word of SRAM at an address, or at a symbol of the image; `None` elsewhere.
    #[must_use]
    pub fn word(&self, address: u32) -> Option<u32> {
        let at = address.checked_sub(SRAM_BASE)? as usize;
        let bytes = self.sram().get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    /// Output levels of driven GPIOs.
    #[must_use]
    pub fn gpio(&self) -> u64 {
        self.system.sio.driven()
    }

    /// The core.
    #[must_use]
    pub fn core(&self) -> &E {
        &self.core
    }

    /// The same, for engines that keep more than a core's state.
    pub fn core_mut(&mut self) -> &mut E {
        &mut self.core
    }

    /// Removes power.
    pub fn unplug(&mut self) {
        if self.state != RunState::Failed {
            self.state = RunState::Off;
        }
    }

    /// Applies power: a cold boot. Flash keeps its contents. A board that failed stays failed.
    pub fn plug(&mut self) {
        if self.state == RunState::Failed {
            return;
        }
        if let Err(what) = self.power_on() {
            self.fail(&what);
        }
    }

    /// The USB controller, for the bus half; [`Machine::usb_done`] must follow.
    pub(super) fn usb(&mut self) -> (&mut Usb, &mut Statistics, u64) {
        (&mut self.system.usb, &mut self.system.statistics, self.system.clock.now)
    }

    /// The bus did something: interrupts follow.
    pub(super) fn usb_done(&mut self) {
        self.system.update_usb();
        if let Some(what) = self.system.failure.take() {
            self.fail(&what);
        }
    }

    /// The cores execute nothing for this many cycles, as if they were busy elsewhere and did not poll USB; the peripherals
    /// continue. A second call meanwhile does not extend it.
    pub fn stall(&mut self, cycles: u64) {
        if self.stalled_until <= self.system.clock.now {
            self.stalled_until = self.system.clock.now + cycles;
        }
    }

    /// Advances time for the peripherals, up to the end of a stall or to the next event of one of them.
    fn pass_stalled(&mut self, cycle: u64) {
        let now = self.system.clock.now;
        let next = self.system.next_event().max(now + 1);
        self.system.clock.now = cycle.min(self.stalled_until).min(next);
        if let Some(second) = &mut self.second {
            second.now = second.now.max(self.system.clock.now);
        }
        self.system.advance();
        self.resets();
    }

    /// Executes until the clock reaches this cycle. The last instruction, or a flash operation, may take longer.
    pub fn run_until(&mut self, cycle: u64) {
        while self.system.clock.now < cycle {
            if self.state != RunState::Running {
                self.system.clock.now = cycle;
                return;
            }
            let started = self.system.clock.now;
            if started < self.stalled_until {
                self.pass_stalled(cycle);
                continue;
            }
            let slept = self.core.sleeping();
            if let (true, Some(stack)) = (slept, &mut self.stack) {
                stack.sleeps(&mut self.system.sram, self.core.registers()[13]);
            }
            let limit = cycle.min(self.system.next_event());
            let limit = if self.second.is_some() { self.limit_turn(limit) } else { limit };
            self.system.clock.limit = limit;
            let result = self.core.run(&mut self.system);
            if let Some(what) = self.system.failure.take() {
                self.fail(&what);
                return;
            }
            if result == Err(Halt) {
                self.fail("stopped without a reason");
                return;
            }
            self.report_notes();
            let passed = self.system.clock.now - started;
            let executed = self.core.executed() - self.counted.0;
            self.system.statistics.cycles += passed;
            // A turn in which a sleeping core wakes spends no cycle asleep: an engine checks for a reason to wake before
            // time passes. That it sleeps again at the turn's end does not change that.
            let slept_through = slept && self.core.sleeping() && executed == 0;
            if !slept_through {
                self.system.statistics.awake_cycles += passed;
            }
            self.system.statistics.instructions += executed;
            self.counted.0 = self.core.executed();
            self.system.advance();
            if self.system.sio.second_core == SecondCore::Executes || self.second.is_some() {
                self.follow(limit);
            }
            self.resets();
        }
    }

    fn resets(&mut self) {
        let now = self.system.clock.now;
        let bite = self.system.watchdog.bites(now);
        if let Some(bite) = bite {
            if bite == Bite::Timeout {
                self.report(Cause::WatchdogBites);
            }
            self.reset(Some(bite));
            return;
        }
        match self.system.request {
            None => {}
            Some(ResetRequest::System) => {
                self.report(Cause::Restarts);
                self.reset(None);
            }
            Some(ResetRequest::PowerCut) => self.state = RunState::Off,
            Some(ResetRequest::Reboot { at, .. }) if at > now => {}
            Some(ResetRequest::Reboot { flags, parameters, delay, .. }) => {
                self.rom_reboot = Some(RomReboot { flags, parameters });
                self.rom_restart(flags, delay);
            }
        }
    }

    fn rom_restart(&mut self, flags: u32, delay: u32) {
        match flags & REBOOT_TYPE {
            REBOOT_NORMAL | REBOOT_FLASH_UPDATE => {
                self.reset(Some(Bite::Forced));
                self.system.watchdog.left_armed(delay);
            }
            REBOOT_BOOTSEL => {
                self.reboots += 1;
                self.system.restart(true);
                self.state = RunState::BootSel;
            }
            other => self.fail(&format!("ROM reboot of type {other} is not modelled")),
        }
    }

    fn reset(&mut self, reason: Option<Bite>) {
        self.reboots += 1;
        if let Some(stack) = &mut self.stack {
            stack.look(&self.system.sram);
        }
        self.system.watchdog.restart(reason);
        if let Err(what) = self.boot() {
            self.fail(&what);
        }
    }
}

/// Bytes of SRAM, for tests that read it by address.
#[must_use]
pub fn sram_range() -> std::ops::Range<u32> {
    SRAM_BASE..SRAM_BASE + SRAM_SIZE as u32
}
