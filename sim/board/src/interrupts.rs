//! Pending, enabled and active exceptions: the part of the nested vectored interrupt controller that decides what runs next
//! (Armv8-M B3.9 and B3.10). Its registers are in `ppb`.

use super::fault::{Fault, FaultStatus};

/// External interrupts of the RP2350 (datasheet 3.2).
pub const IRQ_COUNT: u16 = 52;
/// Exception number of external interrupt 0.
pub const IRQ_BASE: u16 = 16;
/// Exception numbers of the system exceptions that are delivered.
pub const NMI: u16 = 2;
/// The fault that cannot be disabled.
pub const HARD_FAULT: u16 = 3;
/// Memory protection.
pub const MEM_MANAGE: u16 = 4;
/// Bus errors.
pub const BUS_FAULT: u16 = 5;
/// Mistakes of the program.
pub const USAGE_FAULT: u16 = 6;
/// Supervisor call.
pub const SVCALL: u16 = 11;
/// Pendable service call.
pub const PENDSV: u16 = 14;
/// System timer.
pub const SYSTICK: u16 = 15;

const EXCEPTIONS: usize = (IRQ_BASE + IRQ_COUNT) as usize;

/// Priority of thread mode: lower than any exception's.
pub const THREAD_PRIORITY: i16 = 256;

/// Exception state of one core.
#[derive(Clone, Debug)]
pub struct Interrupts {
    pending: u128,
    enabled: u128,
    active: u128,
    lines: u64,
    priority: [u8; EXCEPTIONS],
    /// The event register that WFE consumes.
    pub event: bool,
    /// SCR.SEVONPEND: an interrupt that becomes pending is an event, enabled or not.
    pub event_on_pend: bool,
    /// Vector table offset.
    pub vector_table: u32,
    /// CPACR: which coprocessors may be used.
    pub coprocessor_access: u32,
    /// FPCCR.ASPEN: FP context is tracked and stacked.
    pub automatic_fp_state: bool,
    /// FPDSCR: what FPSCR becomes for a new FP context.
    pub default_fpscr: u32,
    /// The fault status registers.
    pub fault_status: FaultStatus,
    /// The fault that the current instruction has caused, until it is taken.
    pub fault: Option<Fault>,
}

impl Default for Interrupts {
    fn default() -> Self {
        // NMI, HardFault, SVCall, PendSV and SysTick have no enable bit.
        let enabled = 1 << NMI | 1 << HARD_FAULT | 1 << SVCALL | 1 << PENDSV | 1 << SYSTICK;
        Self {
            pending: 0,
            enabled,
            active: 0,
            lines: 0,
            priority: [0; EXCEPTIONS],
            event: false,
            event_on_pend: false,
            vector_table: 0,
            coprocessor_access: 0,
            automatic_fp_state: true,
            default_fpscr: 0,
            fault_status: FaultStatus::default(),
            fault: None,
        }
    }
}

impl Interrupts {
    /// Sets the level of external interrupt line `irq`. A high level makes the interrupt pending; it stays pending when the
    /// level falls. Returns true if a core has to check its interrupts.
    pub fn set_line(&mut self, irq: u16, high: bool) -> bool {
        let bit = 1u64 << irq;
        let was = self.lines & bit != 0;
        if high == was {
            return false;
        }
        self.lines ^= bit;
        if high && !self.is_active(irq + IRQ_BASE) {
            self.pend(irq + IRQ_BASE);
            return true;
        }
        false
    }

    /// Makes an exception pending.
    pub fn pend(&mut self, exception: u16) {
        self.pending |= 1 << exception;
        self.event |= self.event_on_pend;
    }

    /// Makes an exception not pending; a line that is still high makes it pending again.
    pub fn unpend(&mut self, exception: u16) {
        self.pending &= !(1u128 << exception);
        self.sample(exception);
    }

    fn sample(&mut self, exception: u16) {
        if exception >= IRQ_BASE && self.lines >> (exception - IRQ_BASE) & 1 != 0 && !self.is_active(exception) {
            self.pending |= 1 << exception;
        }
    }

    /// Enables or disables an external interrupt.
    pub fn enable(&mut self, exception: u16, enabled: bool) {
        if enabled {
            self.enabled |= 1 << exception;
        } else {
            self.enabled &= !(1u128 << exception);
        }
    }

    /// Whether an exception is enabled.
    #[must_use]
    pub fn is_enabled(&self, exception: u16) -> bool {
        self.enabled >> exception & 1 != 0
    }

    /// Whether an exception is pending.
    #[must_use]
    pub fn is_pending(&self, exception: u16) -> bool {
        self.pending >> exception & 1 != 0
    }

    /// Whether an exception is active.
    #[must_use]
    pub fn is_active(&self, exception: u16) -> bool {
        self.active >> exception & 1 != 0
    }

    /// Sets a priority; the RP2350 implements the upper four bits.
    pub fn set_priority(&mut self, exception: u16, priority: u8) {
        if let Some(entry) = self.priority.get_mut(exception as usize) {
            *entry = priority & 0xF0;
        }
    }

    /// The priority of an exception; lower is more urgent.
    #[must_use]
    pub fn priority(&self, exception: u16) -> i16 {
        match exception {
            NMI => -2,
            HARD_FAULT => -1,
            _ => self.priority.get(exception as usize).map_or(THREAD_PRIORITY, |p| i16::from(*p)),
        }
    }

    /// The priority of what is running, without the mask registers.
    #[must_use]
    pub fn active_priority(&self) -> i16 {
        let mut bits = self.active;
        let mut lowest = THREAD_PRIORITY;
        while bits != 0 {
            lowest = lowest.min(self.priority(bits.trailing_zeros() as u16));
            bits &= bits - 1;
        }
        lowest
    }

    /// The most urgent pending exception that preempts code of this priority (B3.13).
    #[must_use]
    pub fn next(&self, current: i16) -> Option<u16> {
        let mut bits = self.pending & self.enabled;
        let mut best = None;
        let mut urgent = current;
        while bits != 0 {
            let exception = bits.trailing_zeros() as u16;
            bits &= bits - 1;
            let priority = self.priority(exception);
            if priority < urgent {
                urgent = priority;
                best = Some(exception);
            }
        }
        best
    }

    /// An exception is entered.
    pub fn activate(&mut self, exception: u16) {
        self.pending &= !(1u128 << exception);
        self.active |= 1 << exception;
    }

    /// An exception is left; its line is checked again.
    pub fn deactivate(&mut self, exception: u16) {
        self.active &= !(1u128 << exception);
        self.sample(exception);
    }
}
