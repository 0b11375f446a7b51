//! Special registers: MRS, MSR (Armv8-M C2.4.104, C2.4.105).

use super::Core;
use crate::engine::{Bus, Halt};
use crate::fault::Fault;

impl Core {
    /// N, Z, C, V, Q and GE.
    pub(super) fn apsr(&self) -> u32 {
        let f = &self.flags;
        u32::from(f.n) << 31
            | u32::from(f.z) << 30
            | u32::from(f.c) << 29
            | u32::from(f.v) << 28
            | u32::from(f.q) << 27
            | u32::from(f.ge) << 16
    }

    /// Writes the flags; bit 1 of `mask` is nzcvq, bit 0 is g.
    pub(super) fn set_apsr(&mut self, value: u32, mask: u8) {
        if mask & 2 != 0 {
            self.flags.n = value >> 31 & 1 != 0;
            self.flags.z = value >> 30 & 1 != 0;
            self.flags.c = value >> 29 & 1 != 0;
            self.flags.v = value >> 28 & 1 != 0;
            self.flags.q = value >> 27 & 1 != 0;
        }
        if mask & 1 != 0 {
            self.flags.ge = (value >> 16 & 15) as u8;
        }
    }

    fn on_process_stack(&self) -> bool {
        self.exception == 0 && self.process_stack
    }

    pub(super) fn read_special<B: Bus>(&mut self, bus: &mut B, pc: u32, special: u8) -> Result<u32, Halt> {
        let main = if self.on_process_stack() { self.other_sp } else { self.r[13] };
        let process = if self.on_process_stack() { self.r[13] } else { self.other_sp };
        Ok(match special {
            // APSR, IPSR and EPSR in their combinations; EPSR reads as zero.
            0..=7 => {
                let flags = if special & 4 == 0 { self.apsr() } else { 0 };
                let number = if special & 1 != 0 { u32::from(self.exception) } else { 0 };
                flags | number
            }
            8 => main,
            9 => process,
            10 => self.main_limit,
            11 => self.process_limit,
            16 => u32::from(self.primask),
            17 | 18 => u32::from(self.basepri),
            19 => u32::from(self.faultmask),
            20 => u32::from(self.process_stack) << 1 | u32::from(self.fp_active) << 2,
            _ => return Err(self.refuse(bus, pc, &format!("special register {special:#04x}"))),
        })
    }

    pub(super) fn write_special<B: Bus>(
        &mut self,
        bus: &mut B,
        pc: u32,
        special: u8,
        mask: u8,
        value: u32,
    ) -> Result<(), Halt> {
        match special {
            0..=3 => self.set_apsr(value, mask),
            5..=7 => {}
            8 | 9 => {
                let process = special == 9;
                let limit = if process { self.process_limit } else { self.main_limit };
                if value < limit {
                    let what = "stack overflow: stack pointer below its limit";
                    return Err(self.fault(bus, pc, Fault::StackOverflow, what));
                }
                if process == self.on_process_stack() {
                    self.r[13] = value & !3;
                } else {
                    self.other_sp = value & !3;
                }
            }
            10 => self.main_limit = value & !7,
            11 => self.process_limit = value & !7,
            16 => self.primask = value & 1 != 0,
            17 => self.basepri = value as u8 & 0xF0,
            18 => {
                let wanted = value as u8 & 0xF0;
                if wanted != 0 && (self.basepri == 0 || wanted < self.basepri) {
                    self.basepri = wanted;
                }
            }
            19 => self.faultmask = value & 1 != 0,
            20 => {
                if value & 1 != 0 {
                    return Err(self.refuse(bus, pc, "unprivileged thread mode"));
                }
                let process = value & 2 != 0;
                if self.exception == 0 && process != self.process_stack {
                    std::mem::swap(&mut self.r[13], &mut self.other_sp);
                    self.process_stack = process;
                }
                self.fp_active = value & 4 != 0;
            }
            _ => return Err(self.refuse(bus, pc, &format!("special register {special:#04x}"))),
        }
        bus.clock().limit = 0;
        Ok(())
    }
}
