//! The single-precision floating-point extension, FPv5-SP (Armv8-M C2.4, instructions whose names begin with V).
//!
//! Arithmetic is the host's IEEE 754 binary32 with round to nearest. FPSCR's rounding, flush-to-zero and default-NaN
//! controls other than their reset values are refused by name; the cumulative exception flags are not kept.

use super::Core;
use crate::engine::{Bus, Halt};
use crate::fault::Fault;

/// FPSCR bits that software may write here: N, Z, C, V and the cumulative flags.
const FPSCR_KNOWN: u32 = 0xF000_009F;
/// CPACR field of coprocessors 10 and 11.
const CPACR_FP: u32 = 0x00F0_0000;

fn single(hw1: u16, hw2: u16) -> (usize, usize, usize) {
    let d = (hw2 >> 11 & 0x1E | hw1 >> 6 & 1) as usize;
    let n = (hw1 << 1 & 0x1E | hw2 >> 7 & 1) as usize;
    let m = (hw2 << 1 & 0x1E | hw2 >> 5 & 1) as usize;
    (d, n, m)
}

/// Number of the first single register of a double register.
fn double(high: u16, low: u16) -> Option<usize> {
    (high == 0).then_some(usize::from(low) * 2)
}

/// E2.1.408 VFPExpandImm for binary32.
fn expand(imm8: u32) -> u32 {
    let sign = imm8 >> 7 << 31;
    let exponent = if imm8 & 0x40 != 0 { 0x7C } else { 0x80 } | imm8 >> 4 & 3;
    sign | exponent << 23 | (imm8 & 15) << 19
}

/// A NaN operand is returned as a quiet NaN, the first one first; any other result is that of the operation (E2.1.94
/// FPProcessNaNs).
fn with_nans(a: u32, b: u32, result: f32) -> u32 {
    let nan = |x: u32| f32::from_bits(x).is_nan();
    let signalling = |x: u32| nan(x) && x & 0x0040_0000 == 0;
    for x in [a, b] {
        if signalling(x) {
            return x | 0x0040_0000;
        }
    }
    for x in [a, b] {
        if nan(x) {
            return x;
        }
    }
    if result.is_nan() { 0x7FC0_0000 } else { result.to_bits() }
}

impl Core {
    /// Executes an instruction of coprocessors 10 and 11. `base` is PC for literals.
    pub(super) fn execute_fp<B: Bus>(
        &mut self,
        bus: &mut B,
        hw1: u16,
        hw2: u16,
        pc: u32,
        base: u32,
    ) -> Result<u32, Halt> {
        if bus.interrupts().coprocessor_access & CPACR_FP != CPACR_FP {
            return Err(self.fault(bus, pc, Fault::NoCoprocessor, "floating-point instruction while CPACR forbids it"));
        }
        if !self.fp_active && bus.interrupts().automatic_fp_state {
            self.fp_active = true;
            self.fp.fpscr = bus.interrupts().default_fpscr;
        }
        let done = match (hw1 >> 8, hw2 >> 4 & 1) {
            (0xEC | 0xED, _) if hw1 & 0xFE0 == 0xC40 => self.move_two(hw1, hw2),
            (0xEC | 0xED, _) => self.fp_memory(bus, hw1, hw2, pc, base)?,
            (0xEE, 0) => self.fp_data(hw1, hw2),
            (0xEE, _) => self.fp_transfer(hw1, hw2),
            (0xFE, 0) => self.fp_extra(hw1, hw2),
            _ => None,
        };
        match done {
            Some(cycles) => Ok(cycles),
            None => {
                Err(self.refuse(bus, pc, &format!("floating-point instruction {hw1:04x} {hw2:04x} is not modelled")))
            }
        }
    }

    /// VMOV between two core registers and two singles or one double.
    fn move_two(&mut self, hw1: u16, hw2: u16) -> Option<u32> {
        let (rt, rt2) = ((hw2 >> 12 & 15) as u8, (hw1 & 15) as u8);
        let is_double = hw2 & 0x100 != 0;
        let m = if is_double { double(hw2 >> 5 & 1, hw2 & 15)? } else { (hw2 << 1 & 0x1E | hw2 >> 5 & 1) as usize };
        if hw2 & 0xD0 != 0x10 || m > 30 || rt == 15 || rt2 == 15 {
            return None;
        }
        if hw1 & 0x10 != 0 {
            let (a, b) = (self.fp.s[m], self.fp.s[m + 1]);
            self.set(rt, a);
            self.set(rt2, b);
        } else {
            self.fp.s[m] = self.reg(rt);
            self.fp.s[m + 1] = self.reg(rt2);
        }
        Some(2)
    }

    /// VLDR, VSTR, VLDM, VSTM, VPUSH, VPOP.
    fn fp_memory<B: Bus>(&mut self, bus: &mut B, hw1: u16, hw2: u16, pc: u32, base: u32) -> Result<Option<u32>, Halt> {
        let is_double = hw2 & 0x100 != 0;
        let load = hw1 & 0x10 != 0;
        let writeback = hw1 & 0x20 != 0;
        let up = hw1 & 0x80 != 0;
        let before = hw1 & 0x100 != 0;
        let rn = (hw1 & 15) as u8;
        let imm = u32::from(hw2 & 0xFF);
        let first = if is_double {
            match double(hw1 >> 6 & 1, hw2 >> 12 & 15) {
                Some(first) => first,
                None => return Ok(None),
            }
        } else {
            (hw2 >> 11 & 0x1E | hw1 >> 6 & 1) as usize
        };
        let start = if rn == 15 { base & !3 } else { self.reg(rn) };
        let (address, count, end) = if before && !writeback {
            let offset = imm << 2;
            let address = if up { start.wrapping_add(offset) } else { start.wrapping_sub(offset) };
            (address, if is_double { 2 } else { 1 }, None)
        } else {
            // Increment after, or decrement before with write-back.
            if (before == up) || (before && !writeback) || rn == 15 || imm == 0 || (is_double && imm & 1 != 0) {
                return Ok(None);
            }
            let bytes = imm << 2;
            let address = if up { start } else { start.wrapping_sub(bytes) };
            let end = if up { start.wrapping_add(bytes) } else { address };
            (address, imm as usize, writeback.then_some(end))
        };
        if first + count > 32 {
            return Ok(None);
        }
        if address & 3 != 0 {
            let what = format!("unaligned floating-point access to {address:#010x}");
            return Err(self.fault(bus, pc, Fault::Unaligned, &what));
        }
        if let Some(end) = end
            && rn == 13
        {
            self.set_stack_pointer(bus, pc, end)?;
        }
        for n in 0..count {
            let at = address.wrapping_add(4 * n as u32);
            if load {
                self.fp.s[first + n] = bus.load32(at)?;
            } else {
                bus.store32(at, self.fp.s[first + n])?;
            }
        }
        if let Some(end) = end
            && rn != 13
        {
            self.set(rn, end);
        }
        Ok(Some(1 + count as u32))
    }

    /// VMOV of one register, VMRS, VMSR.
    fn fp_transfer(&mut self, hw1: u16, hw2: u16) -> Option<u32> {
        let rt = (hw2 >> 12 & 15) as u8;
        let n = (hw1 << 1 & 0x1E | hw2 >> 7 & 1) as usize;
        if hw2 & 0x100 != 0 {
            // VMOV of one word of a double register.
            if hw2 & 0xEF != 0x10 & 0xEF || hw1 & 0xFFC0 != 0xEE00 || hw2 & 0x80 != 0 {
                return None;
            }
            let index = usize::from(hw1 & 15) * 2 + usize::from(hw1 >> 5 & 1);
            if hw1 & 0x10 != 0 {
                self.set(rt, self.fp.s[index]);
            } else {
                self.fp.s[index] = self.reg(rt);
            }
            return Some(1);
        }
        // Should-be-zero bits.
        if hw2 & 0x6F != 0 {
            return None;
        }
        match hw1 >> 4 & 15 {
            0 if rt != 15 => self.fp.s[n] = self.reg(rt),
            1 if rt != 15 => self.set(rt, self.fp.s[n]),
            14 if hw1 & 15 == 1 => {
                let value = self.reg(rt);
                if value & !FPSCR_KNOWN != 0 {
                    return None;
                }
                self.fp.fpscr = value;
            }
            15 if hw1 & 15 == 1 && rt == 15 => self.set_apsr_flags(self.fp.fpscr),
            15 if hw1 & 15 == 1 => self.set(rt, self.fp.fpscr),
            _ => return None,
        }
        Some(1)
    }

    fn set_apsr_flags(&mut self, value: u32) {
        let q = self.flags.q;
        self.set_apsr(value, 2);
        self.flags.q = q;
    }

    fn f(&self, n: usize) -> f32 {
        f32::from_bits(self.fp.s[n])
    }

    fn fp_compare(&mut self, a: f32, b: f32) {
        let nzcv = match a.partial_cmp(&b) {
            Some(std::cmp::Ordering::Less) => 8,
            Some(std::cmp::Ordering::Equal) => 6,
            Some(std::cmp::Ordering::Greater) => 2,
            None => 3,
        };
        self.fp.fpscr = self.fp.fpscr & 0x0FFF_FFFF | nzcv << 28;
    }

    fn fp_data(&mut self, hw1: u16, hw2: u16) -> Option<u32> {
        if hw2 & 0x100 != 0 {
            return None;
        }
        let (d, n, m) = single(hw1, hw2);
        let (an, am) = (self.fp.s[n], self.fp.s[m]);
        let (fnv, fmv, fdv) = (self.f(n), self.f(m), self.f(d));
        let op = hw2 & 0x40 != 0;
        let negated = |x: u32| x ^ 0x8000_0000;
        let product = |flip: bool| {
            let value = with_nans(an, am, fnv * fmv);
            if flip { negated(value) } else { value }
        };
        match hw1 >> 4 & 0xB {
            // VMLA, VMLS: two roundings.
            0 => {
                let value = product(op);
                self.fp.s[d] = with_nans(self.fp.s[d], value, fdv + f32::from_bits(value));
                Some(3)
            }
            // VNMLS, VNMLA.
            1 => {
                let value = product(op);
                let minus = negated(self.fp.s[d]);
                self.fp.s[d] = with_nans(minus, value, f32::from_bits(minus) + f32::from_bits(value));
                Some(3)
            }
            // VMUL, VNMUL.
            2 => {
                self.fp.s[d] = product(op);
                Some(1)
            }
            // VADD, VSUB.
            3 => {
                self.fp.s[d] = with_nans(an, am, if op { fnv - fmv } else { fnv + fmv });
                Some(1)
            }
            // VDIV.
            8 if !op => {
                self.fp.s[d] = with_nans(an, am, fnv / fmv);
                Some(14)
            }
            // VFNMS, VFNMA, VFMS, VFMA: one rounding.
            9 | 10 => {
                let minus_addend = hw1 >> 4 & 0xB == 9;
                let x = if op { f32::from_bits(negated(an)) } else { fnv };
                let addend = if minus_addend { f32::from_bits(negated(self.fp.s[d])) } else { fdv };
                let value = x.mul_add(fmv, addend);
                let nan = with_nans(addend.to_bits(), x.to_bits(), with_nans_f(fmv, value));
                self.fp.s[d] = nan;
                Some(3)
            }
            11 => self.fp_other(hw1, hw2, d, m),
            _ => None,
        }
    }

    /// VMOV immediate, VABS, VNEG, VSQRT, VCMP, VCVT, VRINT.
    fn fp_other(&mut self, hw1: u16, hw2: u16, d: usize, m: usize) -> Option<u32> {
        if hw2 & 0x40 == 0 {
            if hw2 & 0xA0 != 0 {
                return None;
            }
            self.fp.s[d] = expand(u32::from(hw1 << 4 & 0xF0 | hw2 & 15));
            return Some(1);
        }
        let top = hw2 & 0x80 != 0;
        let bits = self.fp.s[m];
        let value = self.f(m);
        match (hw1 & 15, top) {
            (0, false) => self.fp.s[d] = bits,
            (0, true) => self.fp.s[d] = bits & 0x7FFF_FFFF,
            (1, false) => self.fp.s[d] = bits ^ 0x8000_0000,
            (1, true) => {
                self.fp.s[d] = with_nans(bits, 0, value.sqrt());
                return Some(14);
            }
            (4, _) => {
                let left = self.f(d);
                self.fp_compare(left, value);
            }
            (5, _) if hw2 & 0x2F == 0 => {
                let left = self.f(d);
                self.fp_compare(left, 0.0);
            }
            // VRINTR (round to nearest, the FPSCR's mode here) and VRINTZ.
            (6 | 7, false) => self.fp.s[d] = with_nans(bits, 0, value.round_ties_even()),
            (6, true) => self.fp.s[d] = with_nans(bits, 0, value.trunc()),
            // VCVT from an integer.
            (8, false) => self.fp.s[d] = (bits as f32).to_bits(),
            (8, true) => self.fp.s[d] = (bits as i32 as f32).to_bits(),
            // VCVT (top, towards zero) and VCVTR to an integer; the casts saturate as the architecture does.
            (12, true) => self.fp.s[d] = value as u32,
            (12, false) => self.fp.s[d] = value.round_ties_even() as u32,
            (13, true) => self.fp.s[d] = value as i32 as u32,
            (13, false) => self.fp.s[d] = value.round_ties_even() as i32 as u32,
            _ => return None,
        }
        Some(1)
    }

    /// VSEL, VMAXNM, VMINNM, VCVTA/N/P/M, VRINTA/N/P/M.
    fn fp_extra(&mut self, hw1: u16, hw2: u16) -> Option<u32> {
        if hw2 & 0x100 != 0 {
            return None;
        }
        let (d, n, m) = single(hw1, hw2);
        let value = self.f(m);
        if hw1 & 0x80 == 0 {
            if hw2 & 0x40 != 0 {
                return None;
            }
            let condition = match hw1 >> 4 & 3 {
                0 => 0,
                1 => 6,
                2 => 10,
                _ => 12,
            };
            self.fp.s[d] = if self.condition(condition) { self.fp.s[n] } else { self.fp.s[m] };
            return Some(1);
        }
        let rounded = |mode: u16| match mode & 3 {
            0 => value.round(),
            1 => value.round_ties_even(),
            2 => value.ceil(),
            _ => value.floor(),
        };
        match (hw1 >> 4 & 0xB, hw1 & 15, hw2 & 0x40 != 0) {
            (8, _, minimum) => {
                let (a, b) = (self.f(n), value);
                let (ai, bi) = (self.fp.s[n], self.fp.s[m]);
                // A number takes precedence over a quiet NaN; zeros are ordered by sign.
                self.fp.s[d] = if a.is_nan() != b.is_nan() && (ai | bi) & 0x0040_0000 != 0 {
                    if a.is_nan() { bi } else { ai }
                } else if a.is_nan() {
                    with_nans(ai, bi, a)
                } else if a == 0.0 && b == 0.0 {
                    if minimum { ai | bi } else { ai & bi }
                } else if (a < b) == minimum {
                    ai
                } else {
                    bi
                };
            }
            (11, op @ 8..=11, true) if hw2 & 0x80 == 0 => {
                self.fp.s[d] = with_nans(self.fp.s[m], 0, rounded(op));
            }
            (11, op @ 12..=15, true) => {
                let whole = rounded(op);
                self.fp.s[d] = if hw2 & 0x80 != 0 { whole as i32 as u32 } else { whole as u32 };
            }
            _ => return None,
        }
        Some(1)
    }
}

fn with_nans_f(operand: f32, result: f32) -> f32 {
    if operand.is_nan() { f32::from_bits(operand.to_bits() | 0x0040_0000) } else { result }
}
