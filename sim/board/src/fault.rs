//! Faults: errors that a program's own handler can take (Armv8-M B3.11), and their status registers (D1.2.39, D1.2.114).
//!
//! What the board does not model is not a fault: it stops the board, whatever handlers the program has. Modelled are the
//! causes below. Faults while an exception is entered or left, other than the stack limit's, stop the board too, and so does
//! lockup. Every bus fault is precise: a write that fails is reported with its address.

use super::interrupts::{BUS_FAULT, HARD_FAULT, Interrupts, MEM_MANAGE, USAGE_FAULT};

/// A cause of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A permanently undefined instruction.
    Undefined,
    /// A branch to an address without the Thumb bit; it sets LR if it is a call.
    State {
        /// Where it branches.
        target: u32,
        /// What a call stores in LR.
        link: Option<u32>,
    },
    /// A coprocessor's instruction that CPACR forbids.
    NoCoprocessor,
    /// The stack pointer would fall below its limit.
    StackOverflow,
    /// An unaligned access where only aligned ones are allowed.
    Unaligned,
    /// A load or store at an address where nothing answers.
    Bus(u32),
    /// A fetch from an address where nothing answers.
    Fetch,
    /// A fetch from a region that is never executable (B6.1: peripherals and devices).
    NeverExecute,
    /// A breakpoint instruction, without a debugger.
    Breakpoint,
}

/// Fields of CFSR.
const IACCVIOL: u32 = 1;
const IBUSERR: u32 = 1 << 8;
const PRECISERR: u32 = 1 << 9;
const BFARVALID: u32 = 1 << 15;
const UNDEFINSTR: u32 = 1 << 16;
const INVSTATE: u32 = 1 << 17;
const NOCP: u32 = 1 << 19;
const STKOF: u32 = 1 << 20;
const UNALIGNED: u32 = 1 << 24;
/// Fields of HFSR.
const FORCED: u32 = 1 << 30;
const DEBUGEVT: u32 = 1 << 31;

impl Fault {
    /// The exception that it causes, and what it sets in CFSR.
    fn status(self) -> (u16, u32) {
        match self {
            Self::Undefined => (USAGE_FAULT, UNDEFINSTR),
            Self::State { .. } => (USAGE_FAULT, INVSTATE),
            Self::NoCoprocessor => (USAGE_FAULT, NOCP),
            Self::StackOverflow => (USAGE_FAULT, STKOF),
            Self::Unaligned => (USAGE_FAULT, UNALIGNED),
            Self::Bus(_) => (BUS_FAULT, PRECISERR | BFARVALID),
            Self::Fetch => (BUS_FAULT, IBUSERR),
            Self::NeverExecute => (MEM_MANAGE, IACCVIOL),
            Self::Breakpoint => (HARD_FAULT, 0),
        }
    }

    /// Sets the status registers. Returns the exception to be taken by code of this priority: HardFault where the fault's own
    /// exception is disabled or not urgent enough (B3.12); `None` is lockup (B3.32).
    pub(crate) fn escalate(self, interrupts: &mut Interrupts, priority: i16) -> Option<u16> {
        let (exception, status) = self.status();
        let registers = &mut interrupts.fault_status;
        registers.configurable |= status;
        if let Self::Bus(address) = self {
            registers.bus_address = address;
        }
        if interrupts.is_enabled(exception) && interrupts.priority(exception) < priority {
            if self == Self::Breakpoint {
                interrupts.fault_status.hard |= DEBUGEVT;
            }
            return Some(exception);
        }
        interrupts.fault_status.hard |= FORCED;
        (interrupts.priority(HARD_FAULT) < priority).then_some(HARD_FAULT)
    }
}

/// The fault status and address registers of a core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultStatus {
    /// CFSR.
    pub configurable: u32,
    /// HFSR.
    pub hard: u32,
    /// MMFAR, which no modelled fault sets.
    pub memory_address: u32,
    /// BFAR.
    pub bus_address: u32,
}
