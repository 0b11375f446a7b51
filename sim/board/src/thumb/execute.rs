//! Execution of a decoded instruction.

use super::alu::{add_with_carry, extend, mask, shift, signed_saturate, unary, unsigned_saturate};
use super::insn::{CARRY_KEPT, Insn, Long, NONE, Op};
use super::{Core, Sleep};
use crate::engine::{Bus, Halt};
use crate::fault::Fault;
use crate::interrupts::SVCALL;

/// Cost of a taken branch.
const BRANCH: u32 = 3;

impl Core {
    #[inline]
    fn nz(&mut self, value: u32) {
        self.flags.n = value >> 31 != 0;
        self.flags.z = value == 0;
    }

    #[inline]
    fn sum(&mut self, x: u32, y: u32, carry: bool) -> u32 {
        let (value, c, v) = add_with_carry(x, y, carry);
        self.nz(value);
        self.flags.c = c;
        self.flags.v = v;
        value
    }

    #[inline]
    fn take_carry(&mut self, carry: u8) {
        if carry != CARRY_KEPT {
            self.flags.c = carry != 0;
        }
    }

    /// A two-operand function; flags are set if `s`. The carry of a logical function is the shifter's, set by the
    /// caller.
    #[inline]
    fn alu(&mut self, op: Op, s: bool, x: u32, y: u32) -> u32 {
        let carry = self.flags.c;
        let (a, b, c) = match op {
            Op::And | Op::Bic | Op::Orr | Op::Orn | Op::Eor => {
                let value = match op {
                    Op::And => x & y,
                    Op::Bic => x & !y,
                    Op::Orr => x | y,
                    Op::Orn => x | !y,
                    _ => x ^ y,
                };
                if s {
                    self.nz(value);
                }
                return value;
            }
            Op::Add => (x, y, false),
            Op::Adc => (x, y, carry),
            Op::Sub => (x, !y, true),
            Op::Sbc => (x, !y, carry),
            Op::Rsb => (!x, y, true),
        };
        if s { self.sum(a, b, c) } else { a.wrapping_add(b).wrapping_add(u32::from(c)) }
    }

    /// Logical functions take the shifter's carry, sums make their own (and ADC, SBC use the old one).
    #[inline]
    fn is_logical(op: Op) -> bool {
        matches!(op, Op::And | Op::Bic | Op::Orr | Op::Orn | Op::Eor)
    }

    /// Executes `insn`, which is at `pc`; `self.pc` is already the next address. The result is the cost in cycles.
    #[inline]
    #[allow(clippy::too_many_lines)]
    pub(super) fn execute<B: Bus>(&mut self, bus: &mut B, insn: &Insn, pc: u32) -> Result<u32, Halt> {
        match *insn {
            Insn::MovImm { rd, s, carry, imm } => {
                self.set(rd, imm);
                if s {
                    self.nz(imm);
                    self.take_carry(carry);
                }
            }
            Insn::MovReg { rd, rm, s } => {
                let value = self.reg(rm);
                if rd == 13 {
                    self.set_stack_pointer(bus, pc, value & !3)?;
                } else {
                    self.set(rd, value);
                }
                if s {
                    self.nz(value);
                }
            }
            Insn::MovTop { rd, imm } => {
                let value = u32::from(imm) << 16 | self.reg(rd) & 0xFFFF;
                self.set(rd, value);
            }
            Insn::AddImm { rd, rn, imm } => {
                let value = self.reg(rn).wrapping_add(imm);
                self.set(rd, value);
            }
            Insn::AddsImm { rd, rn, imm } => {
                let value = self.sum(self.reg(rn), imm, false);
                self.set(rd, value);
            }
            Insn::SubImm { rd, rn, imm } => {
                let value = self.reg(rn).wrapping_sub(imm);
                if rd == 13 {
                    self.set_stack_pointer(bus, pc, value)?;
                } else {
                    self.set(rd, value);
                }
            }
            Insn::SubsImm { rd, rn, imm } => {
                let value = self.sum(self.reg(rn), !imm, true);
                self.set(rd, value);
            }
            Insn::CmpImm { rn, imm } => {
                self.sum(self.reg(rn), !imm, true);
            }
            Insn::AddReg { rd, rn, rm } => {
                let value = self.reg(rn).wrapping_add(self.reg(rm));
                if rd == 13 {
                    self.set_stack_pointer(bus, pc, value & !3)?;
                } else {
                    self.set(rd, value);
                }
            }
            Insn::AddsReg { rd, rn, rm } => {
                let value = self.sum(self.reg(rn), self.reg(rm), false);
                self.set(rd, value);
            }
            Insn::SubsReg { rd, rn, rm } => {
                let value = self.sum(self.reg(rn), !self.reg(rm), true);
                self.set(rd, value);
            }
            Insn::CmpReg { rn, rm } => {
                self.sum(self.reg(rn), !self.reg(rm), true);
            }
            Insn::LdrImm { rt, rn, offset } => {
                let address = self.reg(rn).wrapping_add(offset);
                let value = bus.load32(address)?;
                if rt == 15 {
                    self.branch_interworking(bus, pc, value)?;
                    return Ok(2 + BRANCH);
                }
                self.set(rt, value);
                return Ok(2);
            }
            Insn::LdrbImm { rt, rn, offset } => {
                let value = bus.load8(self.reg(rn).wrapping_add(offset))?;
                self.set(rt, value);
                return Ok(2);
            }
            Insn::LdrhImm { rt, rn, offset } => {
                let value = bus.load16(self.reg(rn).wrapping_add(offset))?;
                self.set(rt, value);
                return Ok(2);
            }
            Insn::StrImm { rt, rn, offset } => bus.store32(self.reg(rn).wrapping_add(offset), self.reg(rt))?,
            Insn::StrbImm { rt, rn, offset } => bus.store8(self.reg(rn).wrapping_add(offset), self.reg(rt))?,
            Insn::StrhImm { rt, rn, offset } => bus.store16(self.reg(rn).wrapping_add(offset), self.reg(rt))?,
            Insn::BCond { cond, target } => {
                if self.condition(cond) {
                    self.pc = target;
                    return Ok(BRANCH);
                }
            }
            Insn::B { target } => {
                self.pc = target;
                return Ok(BRANCH);
            }
            Insn::Bl { target } => {
                self.r[14] = self.pc | 1;
                self.pc = target;
                return Ok(BRANCH);
            }
            Insn::Bx { rm } => {
                self.branch_interworking(bus, pc, self.reg(rm))?;
                return Ok(BRANCH);
            }
            Insn::Blx { rm } => {
                let target = self.reg(rm);
                let link = self.pc | 1;
                if target & 1 == 0 {
                    return Err(self.no_thumb(bus, pc, target, Some(link)));
                }
                self.branch_plain(bus, pc, target)?;
                self.r[14] = link;
                return Ok(BRANCH);
            }
            Insn::Cbz { rn, nonzero, target } => {
                if (self.reg(rn) != 0) == nonzero {
                    self.pc = target;
                    return Ok(BRANCH);
                }
            }
            Insn::It { state } => self.it = state,
            Insn::AluImm { op, s, rd, rn, carry, imm } => {
                let value = self.alu(op, s, self.reg(rn), imm);
                self.set(rd, value);
                if s && Self::is_logical(op) {
                    self.take_carry(carry);
                }
            }
            Insn::AluReg { op, s, rd, rn, rm, shift: kind, amount } => {
                let (operand, carry) = shift(self.reg(rm), kind, u32::from(amount), self.flags.c);
                let value = self.alu(op, s, self.reg(rn), operand);
                if rd == 13 {
                    self.set_stack_pointer(bus, pc, value & !3)?;
                } else {
                    self.set(rd, value);
                }
                if s && Self::is_logical(op) {
                    self.flags.c = carry;
                }
            }
            Insn::TestImm { op, rn, carry, imm } => {
                self.alu(op, true, self.reg(rn), imm);
                if Self::is_logical(op) {
                    self.take_carry(carry);
                }
            }
            Insn::TestReg { op, rn, rm, shift: kind, amount } => {
                let (operand, carry) = shift(self.reg(rm), kind, u32::from(amount), self.flags.c);
                self.alu(op, true, self.reg(rn), operand);
                if Self::is_logical(op) {
                    self.flags.c = carry;
                }
            }
            Insn::MvnImm { rd, s, carry, imm } => {
                self.set(rd, !imm);
                if s {
                    self.nz(!imm);
                    self.take_carry(carry);
                }
            }
            Insn::MvnReg { s, rd, rm, shift: kind, amount } => {
                let (operand, carry) = shift(self.reg(rm), kind, u32::from(amount), self.flags.c);
                self.set(rd, !operand);
                if s {
                    self.nz(!operand);
                    self.flags.c = carry;
                }
            }
            Insn::ShiftImm { shift: kind, s, rd, rm, amount } => {
                let (value, carry) = shift(self.reg(rm), kind, u32::from(amount), self.flags.c);
                self.set(rd, value);
                if s {
                    self.nz(value);
                    self.flags.c = carry;
                }
            }
            Insn::ShiftReg { shift: kind, s, rd, rn, rm } => {
                let (value, carry) = shift(self.reg(rn), kind, self.reg(rm) & 0xFF, self.flags.c);
                self.set(rd, value);
                if s {
                    self.nz(value);
                    self.flags.c = carry;
                }
            }
            Insn::Mul { rd, rn, rm, s } => {
                let value = self.reg(rn).wrapping_mul(self.reg(rm));
                self.set(rd, value);
                if s {
                    self.nz(value);
                }
            }
            Insn::Mla { rd, rn, rm, ra } => {
                let value = self.reg(ra).wrapping_add(self.reg(rn).wrapping_mul(self.reg(rm)));
                self.set(rd, value);
            }
            Insn::Mls { rd, rn, rm, ra } => {
                let value = self.reg(ra).wrapping_sub(self.reg(rn).wrapping_mul(self.reg(rm)));
                self.set(rd, value);
            }
            Insn::LongMul { kind, lo, hi, rn, rm } => {
                self.long_multiply(kind, lo, hi, rn, rm);
                return Ok(2);
            }
            Insn::Udiv { rd, rn, rm } => {
                // CCR.DIV_0_TRP is 0: a division by zero gives zero.
                let value = self.reg(rn).checked_div(self.reg(rm)).unwrap_or(0);
                self.set(rd, value);
                return Ok(6);
            }
            Insn::Sdiv { rd, rn, rm } => {
                let divisor = self.reg(rm) as i32;
                let value = if divisor == 0 { 0 } else { (self.reg(rn) as i32).wrapping_div(divisor) };
                self.set(rd, value as u32);
                return Ok(6);
            }
            Insn::Extend { kind, rd, rn, rm, rotate } => {
                let mut value = extend(kind, self.reg(rm).rotate_right(u32::from(rotate)));
                if rn != NONE {
                    value = value.wrapping_add(self.reg(rn));
                }
                self.set(rd, value);
            }
            Insn::Unary { kind, rd, rm } => self.set(rd, unary(kind, self.reg(rm))),
            Insn::Bfi { rd, rn, lsb, width } => {
                let field = mask(width) << lsb;
                let source = if rn == NONE { 0 } else { self.reg(rn) };
                let value = self.reg(rd) & !field | source << lsb & field;
                self.set(rd, value);
            }
            Insn::Ubfx { rd, rn, lsb, width } => self.set(rd, self.reg(rn) >> lsb & mask(width)),
            Insn::Sbfx { rd, rn, lsb, width } => {
                let value = (self.reg(rn) << (32 - lsb - width)) as i32 >> (32 - width);
                self.set(rd, value as u32);
            }
            Insn::Saturate { signed, rd, rn, to, shift: kind, amount } => {
                let (operand, _) = shift(self.reg(rn), kind, u32::from(amount), false);
                let operand = i64::from(operand as i32);
                let (value, saturated) =
                    if signed { signed_saturate(operand, to) } else { unsigned_saturate(operand, to) };
                self.set(rd, value);
                self.flags.q |= saturated;
            }
            Insn::AddPc { rm, base } => {
                self.pc = base.wrapping_add(self.reg(rm)) & !1;
                return Ok(BRANCH);
            }
            Insn::MovPc { rm } => {
                self.pc = self.reg(rm) & !1;
                return Ok(BRANCH);
            }
            Insn::TableBranch { rn, rm, half, pc: base } => {
                let table = if rn == NONE { base } else { self.reg(rn) };
                let index = self.reg(rm);
                let halfwords = if half {
                    bus.load16(table.wrapping_add(index << 1))?
                } else {
                    bus.load8(table.wrapping_add(index))?
                };
                self.pc = base.wrapping_add(halfwords << 1);
                return Ok(2 + BRANCH);
            }
            Insn::LoadImm { .. }
            | Insn::LoadReg { .. }
            | Insn::StoreReg { .. }
            | Insn::LoadLiteral { .. }
            | Insn::LoadIndexed { .. }
            | Insn::StoreIndexed { .. }
            | Insn::LoadDual { .. }
            | Insn::StoreDual { .. }
            | Insn::LoadMultiple { .. }
            | Insn::StoreMultiple { .. }
            | Insn::LoadExclusive { .. }
            | Insn::StoreExclusive { .. }
            | Insn::LoadAcquire { .. }
            | Insn::StoreRelease { .. } => return self.execute_memory(bus, insn, pc),
            Insn::Clrex => self.exclusive = None,
            Insn::Mrs { rd, special } => {
                let value = self.read_special(bus, pc, special)?;
                self.set(rd, value);
                return Ok(2);
            }
            Insn::Msr { rn, special, mask } => {
                self.write_special(bus, pc, special, mask, self.reg(rn))?;
                return Ok(2);
            }
            Insn::Cps { disable, primask, faultmask } => {
                if primask {
                    self.primask = disable;
                }
                if faultmask {
                    self.faultmask = disable;
                }
                bus.clock().limit = 0;
            }
            Insn::Nop => {}
            Insn::Isb => return Ok(4),
            Insn::Wfi => {
                self.sleep = Sleep::ForInterrupt;
                bus.clock().limit = 0;
            }
            Insn::Wfe => {
                if std::mem::take(&mut bus.interrupts().event) {
                    return Ok(1);
                }
                self.sleep = Sleep::ForEvent;
                bus.clock().limit = 0;
            }
            Insn::Sev => bus.send_event(),
            Insn::Svc => {
                bus.interrupts().pend(SVCALL);
                bus.clock().limit = 0;
            }
            Insn::Udf { number } => return self.trap(bus, pc, number),
            Insn::Bkpt { number } => {
                let what = format!("breakpoint instruction BKPT #{number:#x}");
                return Err(self.fault(bus, pc, Fault::Breakpoint, &what));
            }
            Insn::Dsp { hw1, hw2 } => return self.execute_dsp(bus, hw1, hw2, pc),
            Insn::Fp { hw1, hw2, pc: base } => return self.execute_fp(bus, hw1, hw2, pc, base),
            Insn::Undecoded | Insn::Unknown => return Err(self.unknown(bus, pc)),
        }
        Ok(1)
    }

    fn long_multiply(&mut self, kind: Long, lo: u8, hi: u8, rn: u8, rm: u8) {
        let (n, m) = (self.reg(rn), self.reg(rm));
        let accumulator = u64::from(self.reg(hi)) << 32 | u64::from(self.reg(lo));
        let unsigned = u64::from(n) * u64::from(m);
        let signed = (i64::from(n as i32) * i64::from(m as i32)) as u64;
        let value = match kind {
            Long::Umull => unsigned,
            Long::Smull => signed,
            Long::Umlal => unsigned.wrapping_add(accumulator),
            Long::Smlal => signed.wrapping_add(accumulator),
            Long::Umaal => unsigned + u64::from(self.reg(hi)) + u64::from(self.reg(lo)),
        };
        self.set(lo, value as u32);
        self.set(hi, (value >> 32) as u32);
    }

    #[cold]
    fn unknown<B: Bus>(&mut self, bus: &mut B, pc: u32) -> Halt {
        let words = (bus.fetch(pc), bus.fetch(pc.wrapping_add(2)));
        let (Ok(hw1), Ok(hw2)) = words else {
            return self.refuse(bus, pc, "unreadable instruction");
        };
        self.refuse(bus, pc, &format!("instruction {hw1:04x} {hw2:04x} is undefined or not modelled"))
    }

    /// UDF: in the ROM the gate to the ROM double, elsewhere where rustc's `abort` ends.
    #[cold]
    fn trap<B: Bus>(&mut self, bus: &mut B, pc: u32, number: u8) -> Result<u32, Halt> {
        if pc >= 0x8000 {
            let what = format!("undefined instruction UDF #{number:#x} (an abort)");
            return Err(self.fault(bus, pc, Fault::Undefined, &what));
        }
        let mut registers = self.registers();
        registers[15] = pc;
        let masked = self.primask || self.faultmask;
        bus.rom_call(number, &mut registers, masked)?;
        self.r[..15].copy_from_slice(&registers[..15]);
        self.pc = registers[15] & !1;
        // The call may have taken time or changed interrupts.
        bus.clock().limit = 0;
        Ok(10)
    }
}
