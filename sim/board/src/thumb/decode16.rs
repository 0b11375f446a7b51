//! Decoding of the 16-bit encodings (Armv8-M C2.2.1 to C2.2.8).

use super::insn::{CARRY_KEPT, Extend, Insn, NONE, Op, Shift, Unary, Width};

const SP: u8 = 13;
const PC: u8 = 15;

/// Decodes one halfword at address `at`. `in_it`: the instruction is in an IT block and does not set the flags.
#[must_use]
pub fn decode(hw: u16, at: u32, in_it: bool) -> Insn {
    let s = !in_it;
    let pc = at.wrapping_add(4);
    let low = |bit: u16| (hw >> bit & 7) as u8;
    let imm5 = (hw >> 6 & 31) as u8;
    let imm8 = u32::from(hw & 0xFF);
    match hw >> 11 {
        0b00000 if imm5 == 0 => Insn::MovReg { rd: low(0), rm: low(3), s },
        0b00000 => Insn::ShiftImm { shift: Shift::Lsl, s, rd: low(0), rm: low(3), amount: imm5 },
        0b00001 => {
            Insn::ShiftImm { shift: Shift::Lsr, s, rd: low(0), rm: low(3), amount: if imm5 == 0 { 32 } else { imm5 } }
        }
        0b00010 => {
            Insn::ShiftImm { shift: Shift::Asr, s, rd: low(0), rm: low(3), amount: if imm5 == 0 { 32 } else { imm5 } }
        }
        0b00011 => {
            let (rd, rn, rm) = (low(0), low(3), low(6));
            match (hw >> 9 & 3, s) {
                (0, true) => Insn::AddsReg { rd, rn, rm },
                (0, false) => Insn::AddReg { rd, rn, rm },
                (1, true) => Insn::SubsReg { rd, rn, rm },
                (1, false) => Insn::AluReg { op: Op::Sub, s, rd, rn, rm, shift: Shift::Lsl, amount: 0 },
                (2, _) => add(s, rd, rn, u32::from(rm)),
                _ => sub(s, rd, rn, u32::from(rm)),
            }
        }
        0b00100 => Insn::MovImm { rd: low(8), s, carry: CARRY_KEPT, imm: imm8 },
        0b00101 => Insn::CmpImm { rn: low(8), imm: imm8 },
        0b00110 => add(s, low(8), low(8), imm8),
        0b00111 => sub(s, low(8), low(8), imm8),
        0b01000 if hw & 0x0400 == 0 => data_processing(hw, s),
        0b01000 => special(hw, pc),
        0b01001 => Insn::LoadLiteral { width: Width::Word, rt: low(8), address: (pc & !3).wrapping_add(imm8 << 2) },
        0b01010 | 0b01011 => {
            let (rt, rn, rm) = (low(0), low(3), low(6));
            let load = |width| Insn::LoadReg { width, rt, rn, rm, shift: 0 };
            let store = |width| Insn::StoreReg { width, rt, rn, rm, shift: 0 };
            match hw >> 9 & 7 {
                0 => store(Width::Word),
                1 => store(Width::Half),
                2 => store(Width::Byte),
                3 => load(Width::SignedByte),
                4 => load(Width::Word),
                5 => load(Width::Half),
                6 => load(Width::Byte),
                _ => load(Width::SignedHalf),
            }
        }
        0b01100 => Insn::StrImm { rt: low(0), rn: low(3), offset: u32::from(imm5) << 2 },
        0b01101 => Insn::LdrImm { rt: low(0), rn: low(3), offset: u32::from(imm5) << 2 },
        0b01110 => Insn::StrbImm { rt: low(0), rn: low(3), offset: u32::from(imm5) },
        0b01111 => Insn::LdrbImm { rt: low(0), rn: low(3), offset: u32::from(imm5) },
        0b10000 => Insn::StrhImm { rt: low(0), rn: low(3), offset: u32::from(imm5) << 1 },
        0b10001 => Insn::LdrhImm { rt: low(0), rn: low(3), offset: u32::from(imm5) << 1 },
        0b10010 => Insn::StrImm { rt: low(8), rn: SP, offset: imm8 << 2 },
        0b10011 => Insn::LdrImm { rt: low(8), rn: SP, offset: imm8 << 2 },
        // ADR: PC is aligned down before the addition (C2.4.9).
        0b10100 => Insn::MovImm { rd: low(8), s: false, carry: CARRY_KEPT, imm: (pc & !3).wrapping_add(imm8 << 2) },
        0b10101 => Insn::AddImm { rd: low(8), rn: SP, imm: imm8 << 2 },
        0b10110 | 0b10111 => miscellaneous(hw, at),
        // STM with the base in the list: the value stored is unpredictable unless it is the lowest register.
        0b11000 => Insn::StoreMultiple { rn: low(8), list: hw & 0xFF, writeback: true, decrement: false },
        0b11001 => {
            let rn = low(8);
            let list = hw & 0xFF;
            // The base is written back only if it is not loaded (C2.4.60).
            Insn::LoadMultiple { rn, list, writeback: list >> rn & 1 == 0, decrement: false }
        }
        0b11010 | 0b11011 => {
            let cond = (hw >> 8 & 15) as u8;
            let offset = i32::from(imm8 as u8 as i8) << 1;
            match cond {
                14 => Insn::Udf { number: imm8 as u8 },
                15 => Insn::Svc,
                _ if in_it => Insn::Unknown,
                _ => Insn::BCond { cond, target: pc.wrapping_add_signed(offset) },
            }
        }
        0b11100 => Insn::B { target: pc.wrapping_add_signed(i32::from((hw << 5) as i16) >> 4) },
        _ => Insn::Unknown,
    }
}

fn add(s: bool, rd: u8, rn: u8, imm: u32) -> Insn {
    if s { Insn::AddsImm { rd, rn, imm } } else { Insn::AddImm { rd, rn, imm } }
}

fn sub(s: bool, rd: u8, rn: u8, imm: u32) -> Insn {
    if s { Insn::SubsImm { rd, rn, imm } } else { Insn::SubImm { rd, rn, imm } }
}

/// C2.2.2: two low registers, the first both operand and result.
fn data_processing(hw: u16, s: bool) -> Insn {
    let rd = (hw & 7) as u8;
    let rm = (hw >> 3 & 7) as u8;
    let alu = |op| Insn::AluReg { op, s, rd, rn: rd, rm, shift: Shift::Lsl, amount: 0 };
    let test = |op| Insn::TestReg { op, rn: rd, rm, shift: Shift::Lsl, amount: 0 };
    let shift = |shift| Insn::ShiftReg { shift, s, rd, rn: rd, rm };
    match hw >> 6 & 15 {
        0 => alu(Op::And),
        1 => alu(Op::Eor),
        2 => shift(Shift::Lsl),
        3 => shift(Shift::Lsr),
        4 => shift(Shift::Asr),
        5 => alu(Op::Adc),
        6 => alu(Op::Sbc),
        7 => shift(Shift::Ror),
        8 => test(Op::And),
        9 => Insn::AluImm { op: Op::Rsb, s, rd, rn: rm, carry: CARRY_KEPT, imm: 0 },
        10 => Insn::CmpReg { rn: rd, rm },
        11 => test(Op::Add),
        12 => alu(Op::Orr),
        13 => Insn::Mul { rd, rn: rd, rm, s },
        14 => alu(Op::Bic),
        _ => Insn::MvnReg { s, rd, rm, shift: Shift::Lsl, amount: 0 },
    }
}

/// C2.2.3: any register, no flags.
fn special(hw: u16, pc: u32) -> Insn {
    let rd = (hw & 7 | hw >> 4 & 8) as u8;
    let rm = (hw >> 3 & 15) as u8;
    match hw >> 8 & 3 {
        0 => match (rd, rm) {
            (PC, PC) => Insn::Unknown,
            (PC, _) => Insn::AddPc { rm, base: pc },
            (_, PC) => Insn::AddImm { rd, rn: rd, imm: pc },
            _ => Insn::AddReg { rd, rn: rd, rm },
        },
        1 if rd == PC || rm == PC => Insn::Unknown,
        1 => Insn::CmpReg { rn: rd, rm },
        2 => match (rd, rm) {
            (PC, PC) => Insn::Unknown,
            (PC, _) => Insn::MovPc { rm },
            (_, PC) => Insn::MovImm { rd, s: false, carry: CARRY_KEPT, imm: pc },
            _ => Insn::MovReg { rd, rm, s: false },
        },
        // Bits 2..0 other than 0 are BXNS and BLXNS or should-be-zero.
        _ if hw & 7 != 0 || rm == PC => Insn::Unknown,
        _ if hw & 0x80 != 0 => Insn::Blx { rm },
        _ => Insn::Bx { rm },
    }
}

/// C2.2.8.
fn miscellaneous(hw: u16, at: u32) -> Insn {
    let pc = at.wrapping_add(4);
    let rd = (hw & 7) as u8;
    let rm = (hw >> 3 & 7) as u8;
    let list = hw & 0xFF;
    let extra = hw >> 8 & 1;
    match hw >> 8 & 15 {
        0 => {
            let imm = u32::from(hw & 0x7F) << 2;
            if hw & 0x80 == 0 { Insn::AddImm { rd: SP, rn: SP, imm } } else { Insn::SubImm { rd: SP, rn: SP, imm } }
        }
        1 | 3 | 9 | 11 => {
            let offset = u32::from(hw >> 3 & 31) << 1 | u32::from(hw >> 9 & 1) << 6;
            Insn::Cbz { rn: rd, nonzero: hw & 0x0800 != 0, target: pc.wrapping_add(offset) }
        }
        2 => {
            let kind = match hw >> 6 & 3 {
                0 => Extend::Sxth,
                1 => Extend::Sxtb,
                2 => Extend::Uxth,
                _ => Extend::Uxtb,
            };
            Insn::Extend { kind, rd, rn: NONE, rm, rotate: 0 }
        }
        4 | 5 => Insn::StoreMultiple { rn: SP, list: list | extra << 14, writeback: true, decrement: true },
        12 | 13 => Insn::LoadMultiple { rn: SP, list: list | extra << 15, writeback: true, decrement: false },
        6 if hw & 0xFFEC == 0xB660 => {
            Insn::Cps { disable: hw & 0x10 != 0, primask: hw & 2 != 0, faultmask: hw & 1 != 0 }
        }
        10 => {
            let kind = match hw >> 6 & 3 {
                0 => Unary::Rev,
                1 => Unary::Rev16,
                2 => return Insn::Unknown,
                _ => Unary::Revsh,
            };
            Insn::Unary { kind, rd, rm }
        }
        14 => Insn::Bkpt { number: list as u8 },
        15 if hw & 15 != 0 => Insn::It { state: list as u8 },
        15 => match hw >> 4 & 15 {
            0 | 1 => Insn::Nop,
            2 => Insn::Wfe,
            3 => Insn::Wfi,
            4 => Insn::Sev,
            _ => Insn::Nop,
        },
        _ => Insn::Unknown,
    }
}
