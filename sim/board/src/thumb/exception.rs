//! Exception entry and return (Armv8-M B3.18 to B3.22), branches that may be returns, and waking up.

use super::{Core, Sleep};
use crate::engine::{Bus, Halt};
use crate::fault::Fault;
use crate::interrupts::THREAD_PRIORITY;

/// Values from here on are exception returns when they are branched to in handler mode.
const EXC_RETURN: u32 = 0xFF00_0000;
/// Prefix, Secure stack, default callee registers, Secure exception.
const EXC_RETURN_SECURE: u32 = 0xFFFF_FFE1;
const FTYPE: u32 = 1 << 4;
const MODE: u32 = 1 << 3;
const SPSEL: u32 = 1 << 2;

/// Whether a handler does anything: whether it is not an endless loop, with or without a frame.
fn handles<B: Bus>(bus: &mut B, exception: u16) -> bool {
    /// `push {r7, lr}`, `mov r7, sp` or `add r7, sp, #0`, and `b .`.
    const PUSH: u32 = 0xB580;
    const FRAMES: [u32; 2] = [0x466F, 0xAF00];
    const LOOP: u32 = 0xE7FE;

    let vector = bus.interrupts().vector_table.wrapping_add(4 * u32::from(exception));
    // Whoever reads where nothing can be read has no handler.
    let Ok(handler) = bus.load32(vector) else { return false };
    let mut at = handler & !1;
    let mut next = || {
        at += 2;
        bus.load16(at - 2).unwrap_or(LOOP)
    };
    if handler & 1 == 0 {
        return false;
    }
    match next() {
        LOOP => false,
        PUSH if FRAMES.contains(&next()) => next() != LOOP,
        _ => true,
    }
}

impl Core {
    /// B3.13: the priority at which the core executes.
    pub(super) fn priority<B: Bus>(&self, bus: &mut B) -> i16 {
        let mut priority = bus.interrupts().active_priority();
        if self.basepri != 0 {
            priority = priority.min(i16::from(self.basepri));
        }
        if self.primask {
            priority = priority.min(0);
        }
        if self.faultmask {
            priority = priority.min(-1);
        }
        priority
    }

    /// Whether the core wakes from WFI or WFE. PRIMASK does not keep it asleep (B3.25).
    pub(super) fn wake<B: Bus>(&mut self, bus: &mut B) -> bool {
        let mut priority = bus.interrupts().active_priority();
        if self.basepri != 0 {
            priority = priority.min(i16::from(self.basepri));
        }
        let awake = match self.sleep {
            Sleep::Awake => true,
            Sleep::ForInterrupt => bus.interrupts().next(priority).is_some(),
            Sleep::ForEvent => {
                let actual = self.priority(bus);
                bus.interrupts().next(actual).is_some() || std::mem::take(&mut bus.interrupts().event)
            }
        };
        if awake {
            self.sleep = Sleep::Awake;
        }
        awake
    }

    fn xpsr(&self) -> u32 {
        self.apsr()
            | u32::from(self.exception)
            | u32::from(self.thumb) << 24
            | u32::from(self.it & 3) << 25
            | u32::from(self.it >> 2) << 10
    }

    /// Stacks the context and starts the handler (B3.19).
    pub(super) fn enter_exception<B: Bus>(&mut self, bus: &mut B, exception: u16) -> Result<(), Halt> {
        let extended = self.fp_active;
        let on_process = self.exception == 0 && self.process_stack;
        let size = if extended { 0x68 } else { 0x20 };
        let sp = self.r[13];
        let padding = u32::from(sp & 4 != 0);
        let mut frame = sp.wrapping_sub(size) & !7;
        let limit = if on_process { self.process_limit } else { self.main_limit };
        let mut exception = exception;
        if frame < limit || sp < size {
            // B3.19 and B3.21: nothing is stacked, SP becomes the limit, and the handler of the derived fault is entered if
            // it is the more urgent one.
            let priority = self.priority(bus);
            let Some(derived) = Fault::StackOverflow.escalate(bus.interrupts(), priority) else {
                return Err(self.refuse(bus, self.pc, "lockup: stack overflow at exception entry"));
            };
            let interrupts = bus.interrupts();
            if interrupts.priority(derived) < interrupts.priority(exception) {
                exception = derived;
            }
            frame = limit;
        } else {
            let psr = self.xpsr() | padding << 9;
            let basic = [self.r[0], self.r[1], self.r[2], self.r[3], self.r[12], self.r[14], self.pc, psr];
            if self.leaves_stack(frame) {
                return Err(self.overflow(bus, self.pc, frame));
            }
            for (n, word) in basic.iter().enumerate() {
                bus.store32(frame + 4 * n as u32, *word)?;
            }
            if extended {
                // Stacked immediately: lazy preservation differs only in timing.
                for n in 0..16 {
                    bus.store32(frame + 0x20 + 4 * n as u32, self.fp.s[n])?;
                }
                bus.store32(frame + 0x60, self.fp.fpscr)?;
            }
        }
        let mut link = EXC_RETURN_SECURE;
        if !extended {
            link |= FTYPE;
        }
        if self.exception == 0 {
            link |= MODE;
        }
        // The SPSEL bit tells the stack of the interrupted thread.
        if on_process {
            link |= SPSEL;
        }
        self.r[13] = frame;
        if on_process {
            std::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        self.r[14] = link;
        self.exception = exception;
        self.fp_active = false;
        self.thumb = true;
        self.it = 0;
        self.exclusive = None;
        let vector_table = bus.interrupts().vector_table;
        bus.interrupts().activate(exception);
        bus.interrupts().event = true;
        let vector = bus.load32(vector_table.wrapping_add(4 * u32::from(exception)))?;
        if vector & 1 == 0 {
            return Err(self.refuse(bus, vector, &format!("vector {exception} has no Thumb bit")));
        }
        self.pc = vector & !1;
        bus.clock().now += 12;
        Ok(())
    }

    /// BXWritePC: a branch that may be an exception return.
    #[inline]
    pub(super) fn branch_interworking<B: Bus>(&mut self, bus: &mut B, pc: u32, target: u32) -> Result<(), Halt> {
        if self.exception != 0 && target >= EXC_RETURN {
            return self.leave_exception(bus, pc, target);
        }
        self.branch_plain(bus, pc, target)
    }

    /// A branch whose bit 0 must be set: there is no other instruction set.
    #[inline]
    pub(super) fn branch_plain<B: Bus>(&mut self, bus: &mut B, pc: u32, target: u32) -> Result<(), Halt> {
        if target & 1 == 0 {
            return Err(self.no_thumb(bus, pc, target, None));
        }
        self.pc = target & !1;
        Ok(())
    }

    #[cold]
    pub(super) fn no_thumb<B: Bus>(&self, bus: &mut B, pc: u32, target: u32, link: Option<u32>) -> Halt {
        let what = format!("branch to {target:#010x}, which has no Thumb bit,");
        self.fault(bus, pc, Fault::State { target, link }, &what)
    }

    /// After an instruction that could not be executed: enters the handler of its fault (B3.18).
    ///
    /// What is no fault stops the board, and so does a fault that the program does not handle: one whose handler does
    /// nothing forever, as the default handlers of start-up code. The message of the fault then says more.
    #[cold]
    pub(super) fn take_fault<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        let Some(fault) = bus.interrupts().fault.take() else { return Err(Halt) };
        let priority = self.priority(bus);
        let before = (bus.interrupts().fault_status, self.registers());
        let Some(exception) = fault.escalate(bus.interrupts(), priority) else { return Err(Halt) };
        if !handles(bus, exception) {
            bus.interrupts().fault_status = before.0;
            return Err(Halt);
        }
        bus.faulted(before.1);
        if let Fault::State { target, link } = fault {
            // The branch itself is done: the fault belongs to the instruction at its target.
            self.pc = target & !1;
            self.thumb = false;
            self.r[14] = link.unwrap_or(self.r[14]);
        }
        self.enter_exception(bus, exception)
    }

    /// B3.22.
    fn leave_exception<B: Bus>(&mut self, bus: &mut B, pc: u32, link: u32) -> Result<(), Halt> {
        let known = link | FTYPE | MODE | SPSEL == EXC_RETURN_SECURE | FTYPE | MODE | SPSEL;
        if !known || (link & MODE == 0 && link & SPSEL != 0) {
            return Err(self.refuse(bus, pc, &format!("exception return value {link:#010x}")));
        }
        let returning = self.exception;
        if !bus.interrupts().is_active(returning) {
            return Err(self.refuse(bus, pc, "return from an exception that is not active"));
        }
        bus.interrupts().deactivate(returning);
        self.faultmask = false;
        let nested = bus.interrupts().active_priority() != THREAD_PRIORITY;
        if nested == (link & MODE != 0) {
            return Err(self.refuse(bus, pc, "exception return to the wrong mode"));
        }
        let on_process = link & SPSEL != 0;
        if on_process {
            std::mem::swap(&mut self.r[13], &mut self.other_sp);
        }
        if link & MODE != 0 {
            self.process_stack = on_process;
        }
        let frame = self.r[13];
        let mut words = [0u32; 8];
        for (n, word) in words.iter_mut().enumerate() {
            *word = bus.load32(frame + 4 * n as u32)?;
        }
        let mut size = 0x20;
        self.fp_active = false;
        if link & FTYPE == 0 {
            for n in 0..16 {
                self.fp.s[n] = bus.load32(frame + 0x20 + 4 * n as u32)?;
            }
            self.fp.fpscr = bus.load32(frame + 0x60)?;
            self.fp_active = true;
            size = 0x68;
        }
        let xpsr = words[7];
        let sp = frame + size + if xpsr >> 9 & 1 != 0 { 4 } else { 0 };
        self.r[13] = sp;
        self.r[..4].copy_from_slice(&words[..4]);
        self.r[12] = words[4];
        self.r[14] = words[5];
        self.pc = words[6] & !1;
        self.set_apsr(xpsr, 3);
        self.it = (xpsr >> 25 & 3 | xpsr >> 8 & 0xFC) as u8;
        self.exception = (xpsr & 0x1FF) as u16;
        if (self.exception == 0) != (link & MODE != 0) {
            return Err(self.refuse(bus, pc, "stacked exception number does not fit the return"));
        }
        self.exclusive = None;
        bus.interrupts().event = true;
        let clock = bus.clock();
        clock.now += 10;
        clock.limit = 0;
        Ok(())
    }
}
