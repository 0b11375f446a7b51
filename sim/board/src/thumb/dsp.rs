//! The DSP extension (Armv8-M C2.3.7 PKH, C2.3.15 parallel additions, C2.3.16 and C2.3.17 multiplications of halves).

use super::Core;
use super::alu::{signed_saturate, unsigned_saturate};
use crate::engine::{Bus, Halt};

fn low(value: u32) -> i32 {
    i32::from(value as i16)
}

fn high(value: u32) -> i32 {
    i32::from((value >> 16) as i16)
}

fn half(value: u32, top: bool) -> i32 {
    if top { high(value) } else { low(value) }
}

/// How a parallel addition ends each lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    Signed,
    SignedSaturating,
    SignedHalving,
    Unsigned,
    UnsignedSaturating,
    UnsignedHalving,
}

impl Core {
    /// Executes an instruction of the DSP extension.
    pub(super) fn execute_dsp<B: Bus>(&mut self, bus: &mut B, hw1: u16, hw2: u16, pc: u32) -> Result<u32, Halt> {
        let group = hw1 >> 7;
        let rn = (hw1 & 15) as u8;
        let rd = (hw2 >> 8 & 15) as u8;
        let rm = (hw2 & 15) as u8;
        let ra = (hw2 >> 12 & 15) as u8;
        let op2 = hw2 >> 4 & 15;
        let done = match group {
            // PKHBT and PKHTB.
            _ if hw1 >> 4 == 0xEAC => self.pack(rd, rn, rm, hw2),
            // SSAT16 and USAT16.
            _ if hw1 >> 11 == 0b11110 => self.saturate16(rd, rn, hw1 & 0x80 == 0, (hw2 & 15) as u8),
            0b1_1111_0100 => self.extend16(rd, rn, rm, hw1 >> 4 & 7, op2),
            0b1_1111_0101 if op2 < 8 => self.parallel(rd, rn, rm, hw1 >> 4 & 7, op2),
            0b1_1111_0101 => self.saturating_sum(rd, rn, rm, hw1 >> 4 & 7, op2),
            0b1_1111_0110 => self.multiply_halves(rd, rn, rm, ra, hw1 >> 4 & 7, op2),
            0b1_1111_0111 => self.multiply_long_halves(ra, rd, rn, rm, hw1 >> 4 & 7, op2),
            _ => None,
        };
        match done {
            Some(()) => Ok(1),
            None => Err(self.refuse(bus, pc, &format!("instruction {hw1:04x} {hw2:04x} is undefined"))),
        }
    }

    fn pack(&mut self, rd: u8, rn: u8, rm: u8, hw2: u16) -> Option<()> {
        let amount = u32::from(hw2 >> 10 & 0x1C | hw2 >> 6 & 3);
        let n = self.reg(rn);
        let m = self.reg(rm);
        let value = match hw2 >> 4 & 3 {
            0 => n & 0xFFFF | (m << amount) & 0xFFFF_0000,
            2 => {
                let shifted = (m as i32 >> if amount == 0 { 31 } else { amount }) as u32;
                n & 0xFFFF_0000 | shifted & 0xFFFF
            }
            _ => return None,
        };
        if rn == 15 || rd == 15 || hw2 & 0x10 != 0 {
            return None;
        }
        self.set(rd, value);
        Some(())
    }

    #[allow(clippy::unnecessary_wraps, reason = "as its like")]
    fn saturate16(&mut self, rd: u8, rn: u8, signed: bool, field: u8) -> Option<()> {
        let n = self.reg(rn);
        let mut value = 0;
        for (lane, shift) in [(low(n), 0), (high(n), 16)] {
            let (result, changed) = if signed {
                signed_saturate(i64::from(lane), field + 1)
            } else {
                unsigned_saturate(i64::from(lane), field)
            };
            value |= (result & 0xFFFF) << shift;
            self.flags.q |= changed;
        }
        self.set(rd, value);
        Some(())
    }

    /// SXTAB16, SXTB16, UXTAB16, UXTB16.
    fn extend16(&mut self, rd: u8, rn: u8, rm: u8, op1: u16, op2: u16) -> Option<()> {
        let rotated = self.reg(rm).rotate_right(u32::from(op2 & 3) * 8);
        let (a, b) = match op1 {
            2 => (rotated as u8 as i8 as u32, (rotated >> 16) as u8 as i8 as u32),
            3 => (rotated & 0xFF, rotated >> 16 & 0xFF),
            _ => return None,
        };
        let n = if rn == 15 { 0 } else { self.reg(rn) };
        let bottom = n.wrapping_add(a) & 0xFFFF;
        let top = (n >> 16).wrapping_add(b) << 16;
        self.set(rd, top | bottom);
        Some(())
    }

    fn parallel(&mut self, rd: u8, rn: u8, rm: u8, op1: u16, op2: u16) -> Option<()> {
        let lane = match op2 {
            0 => Lane::Signed,
            1 => Lane::SignedSaturating,
            2 => Lane::SignedHalving,
            4 => Lane::Unsigned,
            5 => Lane::UnsignedSaturating,
            6 => Lane::UnsignedHalving,
            _ => return None,
        };
        let (n, m) = (self.reg(rn), self.reg(rm));
        let bytes = matches!(op1, 0 | 4);
        let (width, count) = if bytes { (8u32, 4u32) } else { (16, 2) };
        let mut value = 0u32;
        let mut ge = 0u8;
        for index in 0..count {
            let at = index * width;
            let get = |word: u32, at: u32| -> i32 {
                let field = word >> at & ((1u32 << width) - 1);
                match lane {
                    Lane::Signed | Lane::SignedSaturating | Lane::SignedHalving => {
                        (field << (32 - width)) as i32 >> (32 - width)
                    }
                    _ => field as i32,
                }
            };
            let x = get(n, at);
            // ASX and SAX cross the halves of the second operand.
            let crossed = matches!(op1, 2 | 6);
            let y = get(m, if crossed { 16 - at } else { at });
            let adding = match op1 {
                0 | 1 => true,
                4 | 5 => false,
                2 => index == 1,
                6 => index == 0,
                _ => return None,
            };
            let result = if adding { x + y } else { x - y };
            let (lane_value, carry) = match lane {
                Lane::Signed => (result as u32, result >= 0),
                Lane::Unsigned => (result as u32, if adding { result >> width != 0 } else { result >= 0 }),
                Lane::SignedHalving | Lane::UnsignedHalving => ((result >> 1) as u32, false),
                Lane::SignedSaturating => (signed_saturate(i64::from(result), width as u8).0, false),
                Lane::UnsignedSaturating => (unsigned_saturate(i64::from(result), width as u8).0, false),
            };
            value |= (lane_value & ((1u32 << width) - 1)) << at;
            if carry {
                ge |= if bytes { 1 << index } else { 3 << (2 * index) };
            }
        }
        self.set(rd, value);
        if matches!(lane, Lane::Signed | Lane::Unsigned) {
            self.flags.ge = ge;
        }
        Some(())
    }

    /// QADD, QDADD, QSUB, QDSUB, SEL.
    fn saturating_sum(&mut self, rd: u8, rn: u8, rm: u8, op1: u16, op2: u16) -> Option<()> {
        let (n, m) = (self.reg(rn), self.reg(rm));
        match (op1, op2) {
            (0, 8..=11) => {
                let mut y = i64::from(n as i32);
                if op2 & 1 != 0 {
                    let (doubled, changed) = signed_saturate(y * 2, 32);
                    self.flags.q |= changed;
                    y = i64::from(doubled as i32);
                }
                let x = i64::from(m as i32);
                let (value, changed) = signed_saturate(if op2 & 2 == 0 { x + y } else { x - y }, 32);
                self.flags.q |= changed;
                self.set(rd, value);
            }
            (2, 8) => {
                let mut select = 0u32;
                for lane in 0..4 {
                    if self.flags.ge >> lane & 1 != 0 {
                        select |= 0xFF << (8 * lane);
                    }
                }
                self.set(rd, n & select | m & !select);
            }
            _ => return None,
        }
        Some(())
    }

    fn accumulate(&mut self, product: i64, ra: u8) -> u32 {
        let addend = if ra == 15 { 0 } else { i64::from(self.reg(ra) as i32) };
        let sum = product + addend;
        // The Q flag reports signed overflow of the accumulation; the result wraps.
        self.flags.q |= sum != i64::from(sum as i32);
        sum as u32
    }

    fn multiply_halves(&mut self, rd: u8, rn: u8, rm: u8, ra: u8, op1: u16, op2: u16) -> Option<()> {
        let (n, m) = (self.reg(rn), self.reg(rm));
        if op2 > 3 {
            return None;
        }
        let value = match op1 {
            // SMULxy, SMLAxy.
            1 => {
                let product = i64::from(half(n, op2 & 2 != 0)) * i64::from(half(m, op2 & 1 != 0));
                self.accumulate(product, ra)
            }
            // SMUAD, SMLAD, and with X the halves crossed; SMUSD, SMLSD.
            2 | 4 if op2 < 2 => {
                let m = if op2 & 1 != 0 { m.rotate_right(16) } else { m };
                let first = i64::from(low(n)) * i64::from(low(m));
                let second = i64::from(high(n)) * i64::from(high(m));
                self.accumulate(if op1 == 2 { first + second } else { first - second }, ra)
            }
            // SMULWy, SMLAWy.
            3 if op2 < 2 => {
                let product = (i64::from(n as i32) * i64::from(half(m, op2 & 1 != 0))) >> 16;
                self.accumulate(product, ra)
            }
            // SMMUL, SMMLA, SMMLS, with or without rounding.
            5 | 6 if op2 < 2 => {
                let product = i64::from(n as i32) * i64::from(m as i32);
                let addend = if ra == 15 { 0 } else { i64::from(self.reg(ra)) << 32 };
                if op1 == 6 && ra == 15 {
                    return None;
                }
                let sum = if op1 == 5 { addend.wrapping_add(product) } else { addend.wrapping_sub(product) };
                (sum.wrapping_add(if op2 & 1 != 0 { 0x8000_0000 } else { 0 }) >> 32) as u32
            }
            // USAD8, USADA8.
            7 if op2 == 0 => {
                let mut sum = if ra == 15 { 0 } else { self.reg(ra) };
                for (x, y) in n.to_le_bytes().into_iter().zip(m.to_le_bytes()) {
                    sum = sum.wrapping_add(u32::from(x.abs_diff(y)));
                }
                sum
            }
            _ => return None,
        };
        self.set(rd, value);
        Some(())
    }

    /// SMLALxy, SMLALD, SMLSLD.
    fn multiply_long_halves(&mut self, lo: u8, hi: u8, rn: u8, rm: u8, op1: u16, op2: u16) -> Option<()> {
        let (n, m) = (self.reg(rn), self.reg(rm));
        let crossed = if op2 & 1 != 0 { m.rotate_right(16) } else { m };
        let first = i64::from(low(n)) * i64::from(low(crossed));
        let second = i64::from(high(n)) * i64::from(high(crossed));
        let product = match (op1, op2) {
            (4, 8..=11) => i64::from(half(n, op2 & 2 != 0)) * i64::from(half(m, op2 & 1 != 0)),
            (4, 12 | 13) => first + second,
            (5, 12 | 13) => first - second,
            _ => return None,
        };
        let accumulator = (u64::from(self.reg(hi)) << 32 | u64::from(self.reg(lo))) as i64;
        let value = accumulator.wrapping_add(product) as u64;
        self.set(lo, value as u32);
        self.set(hi, (value >> 32) as u32);
        Some(())
    }
}
