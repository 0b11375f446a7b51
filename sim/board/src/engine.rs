//! What an instruction set engine owes the board, and what the board owes an engine.
//!
//! An [`Engine`] executes instructions against a [`Bus`] until the bus clock reaches its limit. It charges cycles to
//! the clock, takes exceptions that [`Interrupts`] offers, and stops *exactly*: an
//! instruction that faults has not changed a register. Nothing is guessed: whatever an engine or a bus does not know
//! is a [`Halt`] whose text names it.

use super::interrupts::Interrupts;
use std::ops::Range;

/// Emulated time in processor cycles, and the moment up to which the engine may run on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Cycles since power was applied for the first time.
    pub now: u64,
    /// The engine returns to the board as soon as `now` reaches it. A peripheral that changes an interrupt sets it to
    /// 0, so that the engine looks at its interrupts before the next instruction.
    pub limit: u64,
}

/// Proof that execution cannot go on. The bus keeps the text: see [`Bus::fail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt;

/// Everything around the processor core: memory, registers, time and interrupts.
///
/// Addresses may be unaligned where memory is Normal memory (Armv8-M B7.5); a bus refuses them elsewhere.
#[allow(clippy::missing_errors_doc, reason = "an error is a halt: what it was, `fail` has been told")]
pub trait Bus {
    /// Reads one byte.
    fn load8(&mut self, address: u32) -> Result<u32, Halt>;
    /// Reads a halfword, little-endian.
    fn load16(&mut self, address: u32) -> Result<u32, Halt>;
    /// Reads a word, little-endian.
    fn load32(&mut self, address: u32) -> Result<u32, Halt>;
    /// Writes one byte.
    fn store8(&mut self, address: u32, value: u32) -> Result<(), Halt>;
    /// Writes a halfword.
    fn store16(&mut self, address: u32, value: u32) -> Result<(), Halt>;
    /// Writes a word.
    fn store32(&mut self, address: u32, value: u32) -> Result<(), Halt>;
    /// Reads an instruction halfword at an even address.
    fn fetch(&mut self, address: u32) -> Result<u16, Halt>;
    /// The clock.
    fn clock(&mut self) -> &mut Clock;
    /// Interrupt controller state.
    fn interrupts(&mut self) -> &mut Interrupts;
    /// SEV: an event for every core.
    fn send_event(&mut self) {
        self.interrupts().event = true;
    }
    /// A number for the exclusive monitor: another one than before if somebody else may have written to memory meanwhile.
    fn monitor(&mut self) -> u32 {
        0
    }
    /// Remembers why execution stops. The first text wins.
    fn fail(&mut self, what: String) -> Halt;
    /// A call into the ROM double: a trap instruction inside the ROM. `registers` are R0 to R15, R15 the trap's
    /// address. The callee changes them as the ROM function would, the return to LR included.
    fn rom_call(&mut self, number: u8, registers: &mut [u32; 16], masked: bool) -> Result<(), Halt>;
    /// Halfword addresses of code that changed since the last call; [`CodeChange::None`] most of the time.
    fn code_change(&mut self) -> CodeChange;
    /// Code was decoded from the 4 KiB page at this address: from now on writes into it must be reported.
    fn watch_code(&mut self, page: u32);
}

/// Which decoded instructions are stale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeChange {
    /// None.
    None,
    /// Those that overlap these word addresses.
    Words(Vec<u32>),
    /// All.
    Everything,
}

/// How a core starts: what the boot ROM has left in it when it enters an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Main stack pointer, the vector table's first word.
    pub stack_pointer: u32,
    /// Address of the first instruction with bit 0 set, the vector table's second word.
    pub reset_vector: u32,
}

/// A core.
pub trait Engine {
    /// Puts the core into its state at the entry of an image (FACTS: MSPLIM is 0).
    fn enter(&mut self, entry: Entry);

    /// The main stack's room. A stack pointer that falls out of it, other than by being set, is a stack that overflows.
    fn guard_stack(&mut self, room: Range<u32>) {
        let _ = room;
    }

    /// Executes until the clock reaches its limit, the sleep of WFI included.
    ///
    /// # Errors
    /// The core came upon something that nobody models; the bus has been told what.
    fn run<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt>;

    /// R0 to R12, SP, LR, and the address of the next instruction.
    fn registers(&self) -> [u32; 16];

    /// Whether the core sleeps in WFI or WFE.
    fn sleeping(&self) -> bool;

    /// Instructions executed since the core was made.
    fn executed(&self) -> u64;
}
