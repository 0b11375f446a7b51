//! Our own interpreter for the Thumb instruction set of Armv8-M Mainline with the DSP extension and the
//! single-precision floating-point extension: what a Cortex-M33 of the RP2350 executes.
//!
//! Terms and clauses are those of the Armv8-M Architecture Reference Manual (DDI 0553). The core is Secure and privileged
//! in thread mode, as when the boot ROM enters an image. Not supported, because neither rustc nor this project emits them:
//! the security extension's instructions, unprivileged thread mode, coprocessors other than FP.
//!
//! Costs resemble a Cortex-M33, but not its documented timing (there is none): one cycle for most instructions, two for a
//! load, one for each register of a multiple transfer, two more for a taken branch, and what the bus adds for slow
//! registers.

mod alu;
mod cache;
mod decode16;
mod decode32;
mod dsp;
mod exception;
mod execute;
mod fp;
mod insn;
mod memory;
mod special;

pub use insn::Insn;

use super::engine::{Bus, CodeChange, Engine, Entry, Halt};
use super::fault::Fault;
use cache::Cache;
use std::ops::Range;

/// The condition flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// Negative.
    pub n: bool,
    /// Zero.
    pub z: bool,
    /// Carry.
    pub c: bool,
    /// Overflow.
    pub v: bool,
    /// Saturation, sticky.
    pub q: bool,
    /// Greater-or-equal bits of the parallel additions.
    pub ge: u8,
}

/// Floating-point registers.
#[derive(Clone, Debug)]
pub struct FpState {
    /// S0 to S31.
    pub s: [u32; 32],
    /// Status and control.
    pub fpscr: u32,
}

/// One Cortex-M33-like core.
pub struct Core {
    /// R0 to R14; the last entry is not used.
    r: [u32; 16],
    /// Address of the instruction that executes, then of the next one.
    pc: u32,
    flags: Flags,
    /// ITSTATE.
    it: u8,
    /// EPSR.T, which is clear only after a branch to an address without the Thumb bit.
    thumb: bool,
    fp: FpState,
    /// IPSR.
    exception: u16,
    primask: bool,
    faultmask: bool,
    basepri: u8,
    /// CONTROL.SPSEL: thread mode uses the process stack.
    process_stack: bool,
    /// CONTROL.FPCA: there is a floating-point context.
    fp_active: bool,
    /// The other stack pointer: PSP while MSP is in use, and vice versa.
    other_sp: u32,
    main_limit: u32,
    process_limit: u32,
    /// The main stack's limits, from the image.
    guard: Range<u32>,
    /// The exclusive monitor: address, and what the bus said.
    exclusive: Option<(u32, u32)>,
    sleep: Sleep,
    executed: u64,
}

/// A core with the instructions that it has decoded: the engine.
#[derive(Default)]
pub struct Interpreter {
    core: Core,
    cache: Cache,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    Awake,
    ForInterrupt,
    ForEvent,
}

impl Default for Core {
    fn default() -> Self {
        Self {
            r: [0; 16],
            pc: 0,
            flags: Flags::default(),
            it: 0,
            thumb: true,
            fp: FpState { s: [0; 32], fpscr: 0 },
            exception: 0,
            primask: false,
            faultmask: false,
            basepri: 0,
            process_stack: false,
            fp_active: false,
            other_sp: 0,
            main_limit: 0,
            process_limit: 0,
            guard: 0..0,
            exclusive: None,
            sleep: Sleep::Awake,
            executed: 0,
        }
    }
}

impl Core {
    #[inline]
    fn reg(&self, n: u8) -> u32 {
        self.r[usize::from(n & 15)]
    }

    #[inline]
    fn set(&mut self, n: u8, value: u32) {
        self.r[usize::from(n & 15)] = value;
    }

    /// The flags, for tests and comparisons.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// The floating-point registers.
    #[must_use]
    pub fn fp(&self) -> &FpState {
        &self.fp
    }

    /// Presets the state for a comparison with another core: R0 to R14, PC, and the flags.
    pub fn preset(&mut self, registers: &[u32; 16], flags: Flags, fp: &[u32; 32]) {
        self.r = *registers;
        self.pc = registers[15] & !1;
        self.flags = flags;
        self.fp.s = *fp;
        self.it = 0;
    }

    /// R0 to R14 and the address of the next instruction.
    #[must_use]
    pub fn registers(&self) -> [u32; 16] {
        let mut all = self.r;
        all[15] = self.pc;
        all
    }

    /// Whether the next instruction is in an IT block.
    #[must_use]
    pub fn in_it_block(&self) -> bool {
        self.it != 0
    }

    /// Whether the next instruction is in an IT block and its condition is false.
    #[must_use]
    pub fn skips_next(&self) -> bool {
        self.it != 0 && !self.condition(self.it >> 4)
    }

    /// The number of the exception that executes, 0 in thread mode.
    #[must_use]
    pub fn exception(&self) -> u16 {
        self.exception
    }

    /// C1.3.1: whether a condition is true.
    #[inline]
    /// Whether all interrupts are masked: PRIMASK.
    #[must_use]
    pub fn masks_interrupts(&self) -> bool {
        self.primask
    }

    fn condition(&self, condition: u8) -> bool {
        let f = &self.flags;
        let base = match condition >> 1 & 7 {
            0 => f.z,
            1 => f.c,
            2 => f.n,
            3 => f.v,
            4 => f.c && !f.z,
            5 => f.n == f.v,
            6 => f.n == f.v && !f.z,
            _ => return true,
        };
        base != (condition & 1 != 0)
    }

    fn fault<B: Bus>(&self, bus: &mut B, pc: u32, fault: Fault, what: &str) -> Halt {
        bus.fault(fault, format!("{what} at {pc:#010x}"))
    }

    fn refuse<B: Bus>(&self, bus: &mut B, pc: u32, what: &str) -> Halt {
        bus.fail(format!("{what} at {pc:#010x}"))
    }
}

impl Interpreter {
    /// The core's registers and flags.
    #[must_use]
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The same, to preset them.
    #[must_use]
    pub fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    /// Executes one instruction, whatever the clock's limit, and without checking interrupts.
    ///
    /// # Errors
    ///
    /// The bus has the reason.
    pub fn single_step<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        let change = bus.code_change();
        if change != CodeChange::None {
            self.cache.invalidate(change);
        }
        self.step(bus)
    }

    #[inline]
    fn step<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        let pc = self.core.pc;
        if self.core.it != 0 {
            return self.step_conditional(bus);
        }
        // A reference, not a copy: the fields are then read from where they are.
        let slot = self.cache.get(bus, pc)?;
        self.core.pc = pc.wrapping_add(u32::from(slot.length));
        match self.core.execute(bus, &slot.insn, pc) {
            Ok(cycles) => {
                self.core.executed += 1;
                bus.clock().now += u64::from(cycles);
                Ok(())
            }
            Err(halt) => {
                self.core.pc = pc;
                Err(halt)
            }
        }
    }

    #[inline(never)]
    fn step_conditional<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        let core = &mut self.core;
        let pc = core.pc;
        let slot = self.cache.get_conditional(bus, pc)?;
        let state = core.it;
        core.pc = pc.wrapping_add(u32::from(slot.length));
        // E2.1.185 ITAdvance.
        core.it = if state & 7 == 0 { 0 } else { state & 0xE0 | state << 1 & 0x1F };
        let cycles = if core.condition(state >> 4) {
            match core.execute(bus, &slot.insn, pc) {
                Ok(cycles) => cycles,
                Err(halt) => {
                    core.pc = pc;
                    core.it = state;
                    return Err(halt);
                }
            }
        } else {
            1
        };
        core.executed += 1;
        bus.clock().now += u64::from(cycles);
        Ok(())
    }
}

impl Engine for Interpreter {
    fn enter(&mut self, entry: Entry) {
        let executed = self.core.executed;
        self.core = Core::default();
        self.cache = Cache::default();
        self.core.executed = executed;
        self.core.r[13] = entry.stack_pointer & !3;
        self.core.r[14] = 0xFFFF_FFFF;
        self.core.pc = entry.reset_vector & !1;
    }

    fn guard_stack(&mut self, room: Range<u32>) {
        self.core.guard = room;
    }

    fn run<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        let change = bus.code_change();
        if change != CodeChange::None {
            self.cache.invalidate(change);
        }
        if self.core.sleep != Sleep::Awake && !self.core.wake(bus) {
            let clock = bus.clock();
            clock.now = clock.now.max(clock.limit);
            return Ok(());
        }
        let priority = self.core.priority(bus);
        if let Some(exception) = bus.interrupts().next(priority) {
            self.core.enter_exception(bus, exception)?;
        }
        loop {
            let clock = bus.clock();
            if clock.now >= clock.limit {
                return Ok(());
            }
            if self.step(bus).is_err() {
                self.core.take_fault(bus)?;
            }
        }
    }

    fn registers(&self) -> [u32; 16] {
        self.core.registers()
    }

    fn exception(&self) -> u16 {
        self.core.exception()
    }

    fn sleeping(&self) -> bool {
        self.core.sleep != Sleep::Awake
    }

    fn executed(&self) -> u64 {
        self.core.executed
    }
}
