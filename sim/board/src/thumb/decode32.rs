//! Decoding of the 32-bit encodings (Armv8-M C2.3).

use super::insn::{CARRY_KEPT, Extend, Indexing, Insn, Long, NONE, Op, Shift, Unary, Width};

const SP: u8 = 13;
const PC: u8 = 15;

/// Decodes two halfwords at address `at`. `in_it`: the instruction is in an IT block.
#[must_use]
pub fn decode(hw1: u16, hw2: u16, at: u32, in_it: bool) -> Insn {
    match hw1 >> 11 {
        0b11101 => match hw1 >> 9 & 3 {
            0 if hw1 & 0x40 == 0 => multiple(hw1, hw2),
            0 => dual_or_exclusive(hw1, hw2, at),
            1 => shifted_register(hw1, hw2),
            _ => coprocessor(hw1, hw2, at),
        },
        0b11110 if hw2 & 0x8000 == 0 => {
            if hw1 & 0x0200 == 0 {
                modified_immediate(hw1, hw2)
            } else {
                plain_immediate(hw1, hw2, at)
            }
        }
        0b11110 => branch_or_control(hw1, hw2, at, in_it),
        0b11111 => match hw1 >> 9 & 3 {
            0 => single_memory(hw1, hw2, at),
            1 => match hw1 >> 7 & 3 {
                0 | 1 => register_processing(hw1, hw2),
                2 => multiply(hw1, hw2),
                _ => long_multiply(hw1, hw2),
            },
            _ => coprocessor(hw1, hw2, at),
        },
        _ => Insn::Unknown,
    }
}

fn rn(hw1: u16) -> u8 {
    (hw1 & 15) as u8
}

fn field(hw2: u16, bit: u16) -> u8 {
    (hw2 >> bit & 15) as u8
}

/// SP and PC are not allowed as an operand of most instructions.
fn bad(register: u8) -> bool {
    register == SP || register == PC
}

/// C2.3.5: LDM, STM, LDMDB, STMDB.
fn multiple(hw1: u16, hw2: u16) -> Insn {
    let rn = rn(hw1);
    let writeback = hw1 & 0x20 != 0;
    let load = hw1 & 0x10 != 0;
    let decrement = match hw1 >> 7 & 3 {
        1 => false,
        2 => true,
        _ => return Insn::Unknown,
    };
    let list = hw2;
    let base_listed = list >> rn & 1 != 0;
    if rn == PC || list.count_ones() < 2 || list & 0x2000 != 0 || (writeback && base_listed) {
        return Insn::Unknown;
    }
    if load {
        if list & 0xC000 == 0xC000 {
            return Insn::Unknown;
        }
        Insn::LoadMultiple { rn, list, writeback, decrement }
    } else {
        if list & 0x8000 != 0 {
            return Insn::Unknown;
        }
        Insn::StoreMultiple { rn, list, writeback, decrement }
    }
}

/// C2.3.6: LDRD, STRD, exclusives, load-acquire, store-release, table branches.
fn dual_or_exclusive(hw1: u16, hw2: u16, at: u32) -> Insn {
    let rn = rn(hw1);
    let rt = field(hw2, 12);
    let rt2 = field(hw2, 8);
    let imm8 = hw2 & 0xFF;
    let load = hw1 & 0x10 != 0;
    let writeback = hw1 & 0x20 != 0;
    let up = hw1 & 0x80 != 0;
    let before = hw1 & 0x100 != 0;
    let pc = at.wrapping_add(4);
    if before || writeback {
        let offset = if up { i32::from(imm8) << 2 } else { -(i32::from(imm8) << 2) };
        let mode = match (before, writeback) {
            (true, false) => Indexing::Offset,
            (true, true) => Indexing::Before,
            _ => Indexing::After,
        };
        if bad(rt) || bad(rt2) || (writeback && (rn == rt || rn == rt2 || rn == PC)) {
            return Insn::Unknown;
        }
        return match (load, rn) {
            (true, _) if rt == rt2 => Insn::Unknown,
            (true, PC) => {
                let address = (pc & !3).wrapping_add_signed(offset);
                Insn::LoadDual { rt, rt2, rn: NONE, mode: Indexing::Offset, offset: address }
            }
            (true, _) => Insn::LoadDual { rt, rt2, rn, mode, offset: offset as u32 },
            (false, PC) => Insn::Unknown,
            (false, _) => Insn::StoreDual { rt, rt2, rn, mode, offset },
        };
    }
    if !up {
        if bad(rt) || rn == PC {
            return Insn::Unknown;
        }
        let offset = imm8 << 2;
        return if load && rt2 != 15 {
            Insn::Unknown
        } else if load {
            Insn::LoadExclusive { width: Width::Word, rt, rn, offset }
        } else if bad(rt2) || rt2 == rn || rt2 == rt {
            Insn::Unknown
        } else {
            Insn::StoreExclusive { width: Width::Word, rd: rt2, rt, rn, offset }
        };
    }
    let rm = field(hw2, 0);
    let width = match hw2 >> 4 & 3 {
        0 => Width::Byte,
        1 => Width::Half,
        2 => Width::Word,
        _ => return Insn::Unknown,
    };
    match (hw2 >> 6 & 3, load) {
        (0, true) if rt == 15 && rt2 == 0 && width != Width::Word => {
            if rn == SP || bad(rm) {
                return Insn::Unknown;
            }
            Insn::TableBranch { rn, rm, half: width == Width::Half, pc }
        }
        _ if rn == PC || bad(rt) => Insn::Unknown,
        (1, true) if width != Width::Word => Insn::LoadExclusive { width, rt, rn, offset: 0 },
        (1, false) if width != Width::Word && rm != rn && rm != rt => {
            Insn::StoreExclusive { width, rd: rm, rt, rn, offset: 0 }
        }
        (2, true) => Insn::LoadAcquire { width, rt, rn },
        (2, false) => Insn::StoreRelease { width, rt, rn },
        (3, true) => Insn::LoadExclusive { width, rt, rn, offset: 0 },
        (3, false) if rm != rn && rm != rt => Insn::StoreExclusive { width, rd: rm, rt, rn, offset: 0 },
        _ => Insn::Unknown,
    }
}

/// Type and amount of an immediate shift (E2.1.107 DecodeImmShift).
fn immediate_shift(kind: u16, amount: u8) -> (Shift, u8) {
    match (kind & 3, amount) {
        (0, n) => (Shift::Lsl, n),
        (1, 0) => (Shift::Lsr, 32),
        (1, n) => (Shift::Lsr, n),
        (2, 0) => (Shift::Asr, 32),
        (2, n) => (Shift::Asr, n),
        (_, 0) => (Shift::Rrx, 1),
        (_, n) => (Shift::Ror, n),
    }
}

/// C2.3.7.
fn shifted_register(hw1: u16, hw2: u16) -> Insn {
    let s = hw1 & 0x10 != 0;
    let rn = rn(hw1);
    let rd = field(hw2, 8);
    let rm = field(hw2, 0);
    let (shift, amount) = immediate_shift(hw2 >> 4, (hw2 >> 10 & 0x1C | hw2 >> 6 & 3) as u8);
    if rm == PC || hw2 & 0x8000 != 0 {
        return Insn::Unknown;
    }
    let op = match hw1 >> 5 & 15 {
        0 => Op::And,
        1 => Op::Bic,
        2 => Op::Orr,
        3 => Op::Orn,
        4 => Op::Eor,
        6 => return Insn::Dsp { hw1, hw2 },
        8 => Op::Add,
        10 => Op::Adc,
        11 => Op::Sbc,
        13 => Op::Sub,
        14 => Op::Rsb,
        _ => return Insn::Unknown,
    };
    if rd == PC {
        return match op {
            Op::And | Op::Eor | Op::Add | Op::Sub if s && rn != PC => {
                if op == Op::Sub && shift == Shift::Lsl && amount == 0 {
                    Insn::CmpReg { rn, rm }
                } else {
                    Insn::TestReg { op, rn, rm, shift, amount }
                }
            }
            _ => Insn::Unknown,
        };
    }
    if rn == PC {
        return match op {
            Op::Orr if amount == 0 => Insn::MovReg { rd, rm, s },
            Op::Orr => Insn::ShiftImm { shift, s, rd, rm, amount },
            Op::Orn => Insn::MvnReg { s, rd, rm, shift, amount },
            _ => Insn::Unknown,
        };
    }
    // SP as a result is allowed for sums of SP only.
    if rd == SP && !(rn == SP && matches!(op, Op::Add | Op::Sub)) {
        return Insn::Unknown;
    }
    match op {
        Op::Add if amount == 0 && s => Insn::AddsReg { rd, rn, rm },
        Op::Add if amount == 0 => Insn::AddReg { rd, rn, rm },
        Op::Sub if amount == 0 && s => Insn::SubsReg { rd, rn, rm },
        _ => Insn::AluReg { op, s, rd, rn, rm, shift, amount },
    }
}

/// E2.1.341 T32ExpandImm_C: the value and the carry, or `None` where it is unpredictable.
fn expand(imm12: u16) -> Option<(u32, u8)> {
    let byte = u32::from(imm12 & 0xFF);
    if imm12 >> 10 == 0 {
        let kind = imm12 >> 8 & 3;
        if kind != 0 && byte == 0 {
            return None;
        }
        let value = match kind {
            0 => byte,
            1 => byte << 16 | byte,
            2 => byte << 24 | byte << 8,
            _ => byte * 0x0101_0101,
        };
        return Some((value, CARRY_KEPT));
    }
    let value = (0x80 | byte & 0x7F).rotate_right(u32::from(imm12 >> 7));
    Some((value, (value >> 31) as u8))
}

fn imm12(hw1: u16, hw2: u16) -> u16 {
    (hw1 & 0x400) << 1 | (hw2 & 0x7000) >> 4 | hw2 & 0xFF
}

/// C2.3.1.
fn modified_immediate(hw1: u16, hw2: u16) -> Insn {
    let s = hw1 & 0x10 != 0;
    let rn = rn(hw1);
    let rd = field(hw2, 8);
    let Some((imm, carry)) = expand(imm12(hw1, hw2)) else {
        return Insn::Unknown;
    };
    let op = match hw1 >> 5 & 15 {
        0 => Op::And,
        1 => Op::Bic,
        2 => Op::Orr,
        3 => Op::Orn,
        4 => Op::Eor,
        8 => Op::Add,
        10 => Op::Adc,
        11 => Op::Sbc,
        13 => Op::Sub,
        14 => Op::Rsb,
        _ => return Insn::Unknown,
    };
    if rd == PC {
        return match op {
            Op::Sub if s && rn != PC => Insn::CmpImm { rn, imm },
            Op::And | Op::Eor | Op::Add if s && rn != PC => Insn::TestImm { op, rn, carry, imm },
            _ => Insn::Unknown,
        };
    }
    if rn == PC {
        return match op {
            Op::Orr => Insn::MovImm { rd, s, carry, imm },
            Op::Orn => Insn::MvnImm { rd, s, carry, imm },
            _ => Insn::Unknown,
        };
    }
    if rd == SP && !(rn == SP && matches!(op, Op::Add | Op::Sub)) {
        return Insn::Unknown;
    }
    match (op, s) {
        (Op::Add, false) => Insn::AddImm { rd, rn, imm },
        (Op::Add, true) => Insn::AddsImm { rd, rn, imm },
        (Op::Sub, false) => Insn::SubImm { rd, rn, imm },
        (Op::Sub, true) => Insn::SubsImm { rd, rn, imm },
        _ => Insn::AluImm { op, s, rd, rn, carry, imm },
    }
}

/// C2.3.3.
fn plain_immediate(hw1: u16, hw2: u16, at: u32) -> Insn {
    let rn = rn(hw1);
    let rd = field(hw2, 8);
    let imm12 = u32::from(imm12(hw1, hw2));
    let imm16 = (hw1 & 15) << 12 | imm12 as u16;
    let lsb = (hw2 >> 10 & 0x1C | hw2 >> 6 & 3) as u8;
    let low5 = (hw2 & 31) as u8;
    let base = at.wrapping_add(4) & !3;
    if rd == PC {
        return Insn::Unknown;
    }
    let saturate = |signed: bool, kind: u16| {
        if kind == 2 && lsb == 0 {
            return if hw2 & 0x30 == 0 { Insn::Dsp { hw1, hw2 } } else { Insn::Unknown };
        }
        let shift = if kind == 2 { Shift::Asr } else { Shift::Lsl };
        Insn::Saturate { signed, rd, rn, to: low5 + u8::from(signed), shift, amount: lsb }
    };
    let op = hw1 >> 4 & 31;
    let plain_operands = matches!(op, 0 | 4 | 10 | 12) || op == 22 || !bad(rn);
    if !plain_operands {
        return Insn::Unknown;
    }
    match op {
        0 if rn == PC => Insn::MovImm { rd, s: false, carry: CARRY_KEPT, imm: base.wrapping_add(imm12) },
        0 => Insn::AddImm { rd, rn, imm: imm12 },
        4 => Insn::MovImm { rd, s: false, carry: CARRY_KEPT, imm: u32::from(imm16) },
        10 if rn == PC => Insn::MovImm { rd, s: false, carry: CARRY_KEPT, imm: base.wrapping_sub(imm12) },
        10 => Insn::SubImm { rd, rn, imm: imm12 },
        12 => Insn::MovTop { rd, imm: imm16 },
        16 => saturate(true, 0),
        18 => saturate(true, 2),
        24 => saturate(false, 0),
        26 => saturate(false, 2),
        20 | 28 => {
            let width = low5 + 1;
            if lsb + width > 32 {
                Insn::Unknown
            } else if op == 20 {
                Insn::Sbfx { rd, rn, lsb, width }
            } else {
                Insn::Ubfx { rd, rn, lsb, width }
            }
        }
        // BFI, and BFC with Rn = 15.
        22 if low5 >= lsb && rn != SP => Insn::Bfi { rd, rn, lsb, width: low5 - lsb + 1 },
        _ => Insn::Unknown,
    }
}

/// C2.3.4.
fn branch_or_control(hw1: u16, hw2: u16, at: u32, in_it: bool) -> Insn {
    let pc = at.wrapping_add(4);
    let s = u32::from(hw1 >> 10 & 1);
    let j1 = u32::from(hw2 >> 13 & 1);
    let j2 = u32::from(hw2 >> 11 & 1);
    let far = || {
        let i1 = !(j1 ^ s) & 1;
        let i2 = !(j2 ^ s) & 1;
        let raw = s << 24 | i1 << 23 | i2 << 22 | u32::from(hw1 & 0x3FF) << 12 | u32::from(hw2 & 0x7FF) << 1;
        pc.wrapping_add(((raw << 7) as i32 >> 7) as u32)
    };
    match (hw2 >> 14 & 1, hw2 >> 12 & 1) {
        (1, 1) => Insn::Bl { target: far() },
        (1, 0) => Insn::Unknown,
        (_, 1) => Insn::B { target: far() },
        _ if hw1 >> 7 & 7 != 7 => {
            if in_it {
                return Insn::Unknown;
            }
            let raw = s << 20 | j2 << 19 | j1 << 18 | u32::from(hw1 & 0x3F) << 12 | u32::from(hw2 & 0x7FF) << 1;
            Insn::BCond { cond: (hw1 >> 6 & 15) as u8, target: pc.wrapping_add(((raw << 11) as i32 >> 11) as u32) }
        }
        _ => control(hw1, hw2),
    }
}

fn control(hw1: u16, hw2: u16) -> Insn {
    match hw1 >> 4 & 0x7F {
        0b011_1000 | 0b011_1001 if !bad(rn(hw1)) => {
            Insn::Msr { rn: rn(hw1), special: (hw2 & 0xFF) as u8, mask: (hw2 >> 10 & 3) as u8 }
        }
        0b011_1010 if hw2 & 0x0700 == 0 => match hw2 & 0xFF {
            2 => Insn::Wfe,
            3 => Insn::Wfi,
            4 => Insn::Sev,
            _ => Insn::Nop,
        },
        0b011_1011 => match hw2 >> 4 & 15 {
            2 => Insn::Clrex,
            4 | 5 => Insn::Nop,
            6 => Insn::Isb,
            _ => Insn::Unknown,
        },
        0b011_1110 | 0b011_1111 if !bad(field(hw2, 8)) => Insn::Mrs { rd: field(hw2, 8), special: (hw2 & 0xFF) as u8 },
        0b111_1111 if hw2 & 0x7000 == 0x2000 => Insn::Udf { number: (hw2 & 0xFF) as u8 },
        _ => Insn::Unknown,
    }
}

/// C2.3.10 to C2.3.14: loads and stores of one register.
fn single_memory(hw1: u16, hw2: u16, at: u32) -> Insn {
    let rn = rn(hw1);
    let rt = field(hw2, 12);
    let load = hw1 & 0x10 != 0;
    let signed = hw1 & 0x100 != 0;
    let width = match (hw1 >> 5 & 3, signed) {
        (0, false) => Width::Byte,
        (0, true) => Width::SignedByte,
        (1, false) => Width::Half,
        (1, true) => Width::SignedHalf,
        (2, false) => Width::Word,
        _ => return Insn::Unknown,
    };
    if signed && !load {
        return Insn::Unknown;
    }
    // Loads of less than a word into PC are preload hints.
    if load && rt == PC && width != Width::Word {
        let hint = rn == PC || hw1 & 0x80 != 0 || hw2 & 0x0FC0 == 0 || hw2 & 0x0F00 == 0x0C00;
        return if hint { Insn::Nop } else { Insn::Unknown };
    }
    // SP can be loaded by a word load only; PC is never stored.
    if (rt == SP && width != Width::Word) || (!load && rt == PC) {
        return Insn::Unknown;
    }
    let imm12 = u32::from(hw2 & 0xFFF);
    if rn == PC {
        let base = at.wrapping_add(4) & !3;
        let address = if hw1 & 0x80 != 0 { base.wrapping_add(imm12) } else { base.wrapping_sub(imm12) };
        return if load { Insn::LoadLiteral { width, rt, address } } else { Insn::Unknown };
    }
    if hw1 & 0x80 != 0 {
        return immediate_offset(load, width, rt, rn, imm12);
    }
    if hw2 & 0x0FC0 == 0 {
        let rm = field(hw2, 0);
        let shift = (hw2 >> 4 & 3) as u8;
        return match (bad(rm), load) {
            (true, _) => Insn::Unknown,
            (_, true) => Insn::LoadReg { width, rt, rn, rm, shift },
            (_, false) => Insn::StoreReg { width, rt, rn, rm, shift },
        };
    }
    if hw2 & 0x0800 == 0 {
        return Insn::Unknown;
    }
    let up = hw2 & 0x200 != 0;
    let imm8 = i16::from((hw2 & 0xFF) as u8);
    let offset = if up { imm8 } else { -imm8 };
    match (hw2 & 0x400 != 0, hw2 & 0x100 != 0) {
        // Offset without write-back; with U set it is the unprivileged form, which is the same in privileged code.
        (true, false) => immediate_offset(load, width, rt, rn, i32::from(offset) as u32),
        (false, false) => Insn::Unknown,
        (_, true) if rn == rt => Insn::Unknown,
        (before, true) if load => Insn::LoadIndexed { width, rt, rn, before, offset },
        (before, true) => Insn::StoreIndexed { width, rt, rn, before, offset },
    }
}

fn immediate_offset(load: bool, width: Width, rt: u8, rn: u8, offset: u32) -> Insn {
    match (load, width) {
        (true, Width::Word) => Insn::LdrImm { rt, rn, offset },
        (true, Width::Byte) => Insn::LdrbImm { rt, rn, offset },
        (true, Width::Half) => Insn::LdrhImm { rt, rn, offset },
        (true, _) => Insn::LoadImm { width, rt, rn, offset },
        (false, Width::Word) => Insn::StrImm { rt, rn, offset },
        (false, Width::Byte) => Insn::StrbImm { rt, rn, offset },
        (false, _) => Insn::StrhImm { rt, rn, offset },
    }
}

/// C2.3.15: register shifts, extensions, parallel additions, and the rest.
fn register_processing(hw1: u16, hw2: u16) -> Insn {
    let rn = rn(hw1);
    let rd = field(hw2, 8);
    let rm = field(hw2, 0);
    if hw2 >> 12 != 15 || bad(rd) || bad(rm) || rn == SP {
        return Insn::Unknown;
    }
    let op1 = hw1 >> 4 & 15;
    let op2 = hw2 >> 4 & 15;
    if op1 & 8 == 0 {
        if op2 == 0 && rn != PC {
            let shift = match op1 >> 1 {
                0 => Shift::Lsl,
                1 => Shift::Lsr,
                2 => Shift::Asr,
                _ => Shift::Ror,
            };
            return Insn::ShiftReg { shift, s: op1 & 1 != 0, rd, rn, rm };
        }
        if op2 & 0b1100 == 0b1000 {
            let kind = match op1 {
                0 => Extend::Sxth,
                1 => Extend::Uxth,
                2 | 3 => return Insn::Dsp { hw1, hw2 },
                4 => Extend::Sxtb,
                5 => Extend::Uxtb,
                _ => return Insn::Unknown,
            };
            return Insn::Extend { kind, rd, rn, rm, rotate: ((op2 & 3) * 8) as u8 };
        }
        return Insn::Unknown;
    }
    if rn == PC {
        return Insn::Unknown;
    }
    match (op1, op2) {
        (9, 8..=11) | (11, 8) if rn != rm => Insn::Unknown,
        (9, 8) => Insn::Unary { kind: Unary::Rev, rd, rm },
        (9, 9) => Insn::Unary { kind: Unary::Rev16, rd, rm },
        (9, 10) => Insn::Unary { kind: Unary::Rbit, rd, rm },
        (9, 11) => Insn::Unary { kind: Unary::Revsh, rd, rm },
        (11, 8) => Insn::Unary { kind: Unary::Clz, rd, rm },
        _ => Insn::Dsp { hw1, hw2 },
    }
}

/// C2.3.16.
fn multiply(hw1: u16, hw2: u16) -> Insn {
    let rn = rn(hw1);
    let ra = field(hw2, 12);
    let rd = field(hw2, 8);
    let rm = field(hw2, 0);
    if bad(rn) || bad(rd) || bad(rm) || ra == SP {
        return Insn::Unknown;
    }
    match (hw1 >> 4 & 7, hw2 >> 4 & 15) {
        (0, 0) if ra == PC => Insn::Mul { rd, rn, rm, s: false },
        (0, 0) => Insn::Mla { rd, rn, rm, ra },
        (0, 1) if ra != PC => Insn::Mls { rd, rn, rm, ra },
        _ => Insn::Dsp { hw1, hw2 },
    }
}

/// C2.3.17.
fn long_multiply(hw1: u16, hw2: u16) -> Insn {
    let rn = rn(hw1);
    let lo = field(hw2, 12);
    let hi = field(hw2, 8);
    let rm = field(hw2, 0);
    if bad(rn) || bad(hi) || bad(rm) {
        return Insn::Unknown;
    }
    let (op1, op2) = (hw1 >> 4 & 7, hw2 >> 4 & 15);
    match (op1, op2) {
        (1, 15) if lo == 15 => return Insn::Sdiv { rd: hi, rn, rm },
        (3, 15) if lo == 15 => return Insn::Udiv { rd: hi, rn, rm },
        _ => {}
    }
    if bad(lo) || lo == hi {
        return Insn::Unknown;
    }
    let kind = match (op1, op2) {
        (0, 0) => Long::Smull,
        (2, 0) => Long::Umull,
        (4, 0) => Long::Smlal,
        (6, 0) => Long::Umlal,
        (6, 6) => Long::Umaal,
        (4 | 5, _) => return Insn::Dsp { hw1, hw2 },
        _ => return Insn::Unknown,
    };
    Insn::LongMul { kind, lo, hi, rn, rm }
}

/// C2.3.18: coprocessors 10 and 11 are the floating-point extension.
fn coprocessor(hw1: u16, hw2: u16, at: u32) -> Insn {
    match hw2 >> 8 & 15 {
        10 | 11 => Insn::Fp { hw1, hw2, pc: at.wrapping_add(4) },
        _ => Insn::Unknown,
    }
}
