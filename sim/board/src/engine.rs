//! The interface between an instruction set engine and the board.
//!
//! An [`Engine`] executes instructions against a [`Bus`] until the bus clock reaches its limit. It adds cycles to the
//! clock, takes exceptions that [`Interrupts`] offers, and stops *exactly*: an instruction that faults has not changed a
//! register. Nothing is guessed: whatever an engine or a bus does not support is a [`Halt`] with a message.

use super::fault::Fault;
use super::interrupts::Interrupts;
use std::ops::Range;

/// Emulated time in processor cycles, and the time until which the engine may run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// Cycles since the first power-on.
    pub now: u64,
    /// The engine returns to the board as soon as `now` reaches it. A peripheral that changes an interrupt sets it to 0, so
    /// that the engine checks its interrupts before the next instruction.
    pub limit: u64,
}

/// Proof that execution cannot continue. The bus has the message: see [`Bus::fail`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt;

/// Everything around the processor core: memory, registers, time and interrupts.
///
/// Addresses may be unaligned where memory is Normal memory (Armv8-M B7.5); a bus refuses them elsewhere.
#[allow(clippy::missing_errors_doc, reason = "an error is a halt, whose reason was passed to `fail`")]
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
    /// A number for the exclusive monitor: it changes if something else may have written to memory meanwhile.
    fn monitor(&mut self) -> u32 {
        0
    }
    /// Stores why execution stops. The first message counts.
    fn fail(&mut self, what: String) -> Halt;
    /// A fault, which the program may handle. The message is for the case that it does not.
    fn fault(&mut self, fault: Fault, what: String) -> Halt {
        self.interrupts().fault.get_or_insert(fault);
        self.fail(what)
    }
    /// The program handles the fault: execution continues. `registers` are those when it happened.
    fn faulted(&mut self, registers: [u32; 16]) {
        let _ = registers;
    }
    /// A call of the ROM model: a trap instruction inside the ROM. `registers` are R0 to R15, with the trap's address in
    /// R15. The callee changes them as the ROM function would, including the return to LR.
    fn rom_call(&mut self, number: u8, registers: &mut [u32; 16], masked: bool) -> Result<(), Halt>;
    /// Halfword addresses of code that changed since the last call; [`CodeChange::None`] most of the time.
    fn code_change(&mut self) -> CodeChange;
    /// Code was decoded from the 4 KiB page at this address: from now on, writes to it must be reported.
    fn watch_code(&mut self, page: u32);
    /// An instruction is about to be executed for the first time since the core's start, or since it changed.
    fn executes_first(&mut self, address: u32) {
        let _ = address;
    }
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

/// How a core starts: its state when the boot ROM enters an image.
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

    /// Limits of the main stack. A stack pointer that leaves them, other than by being set, is a stack overflow.
    fn guard_stack(&mut self, room: Range<u32>) {
        let _ = room;
    }

    /// Executes until the clock reaches its limit, including sleep in WFI.
    ///
    /// # Errors
    /// The core has encountered something that is not modelled; the bus has the message.
    fn run<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt>;

    /// R0 to R12, SP, LR, and the address of the next instruction.
    fn registers(&self) -> [u32; 16];

    /// The number of the exception that executes, 0 in thread mode.
    fn exception(&self) -> u16;

    /// Whether the core sleeps in WFI or WFE.
    fn sleeping(&self) -> bool;

    /// Instructions executed since the core was made.
    fn executed(&self) -> u64;
}
