//! Arithmetic without state: additions with carry, shifts, extensions, saturation (Armv8-M E2.1).

use super::insn::{Extend, Shift, Unary};

/// E2.1.4 AddWithCarry: sum, carry out, overflow.
#[inline]
#[must_use]
pub fn add_with_carry(x: u32, y: u32, carry: bool) -> (u32, bool, bool) {
    let wide = u64::from(x) + u64::from(y) + u64::from(carry);
    let sum = wide as u32;
    (sum, wide >> 32 != 0, (x ^ sum) & (y ^ sum) & 0x8000_0000 != 0)
}

/// E2.1.337 Shift_C: the amount may be anything from 0 to 255.
#[inline]
#[must_use]
pub fn shift(value: u32, kind: Shift, amount: u32, carry: bool) -> (u32, bool) {
    if kind == Shift::Rrx {
        return (u32::from(carry) << 31 | value >> 1, value & 1 != 0);
    }
    if amount == 0 {
        return (value, carry);
    }
    match kind {
        Shift::Lsl => match amount {
            1..=31 => (value << amount, value >> (32 - amount) & 1 != 0),
            32 => (0, value & 1 != 0),
            _ => (0, false),
        },
        Shift::Lsr => match amount {
            1..=31 => (value >> amount, value >> (amount - 1) & 1 != 0),
            32 => (0, value >> 31 != 0),
            _ => (0, false),
        },
        Shift::Asr => {
            let signed = value as i32;
            if amount >= 32 {
                ((signed >> 31) as u32, signed < 0)
            } else {
                ((signed >> amount) as u32, signed >> (amount - 1) & 1 != 0)
            }
        }
        Shift::Ror | Shift::Rrx => {
            let result = value.rotate_right(amount & 31);
            (result, result >> 31 != 0)
        }
    }
}

/// Sign and zero extensions.
#[inline]
#[must_use]
pub fn extend(kind: Extend, value: u32) -> u32 {
    match kind {
        Extend::Sxtb => value as u8 as i8 as u32,
        Extend::Sxth => value as u16 as i16 as u32,
        Extend::Uxtb => value & 0xFF,
        Extend::Uxth => value & 0xFFFF,
    }
}

/// Functions of one operand.
#[inline]
#[must_use]
pub fn unary(kind: Unary, value: u32) -> u32 {
    match kind {
        Unary::Clz => value.leading_zeros(),
        Unary::Rbit => value.reverse_bits(),
        Unary::Rev => value.swap_bytes(),
        Unary::Rev16 => value.swap_bytes().rotate_left(16),
        Unary::Revsh => (value as u16).swap_bytes() as i16 as u32,
    }
}

/// The `width` lowest bits set.
#[inline]
#[must_use]
pub fn mask(width: u8) -> u32 {
    if width >= 32 { u32::MAX } else { (1 << width) - 1 }
}

/// E2.1.328 SignedSatQ: the value within `bits` bits, and whether it had to be changed.
#[must_use]
pub fn signed_saturate(value: i64, bits: u8) -> (u32, bool) {
    let high = (1i64 << (bits - 1)) - 1;
    let clamped = value.clamp(-high - 1, high);
    (clamped as u32, clamped != value)
}

/// E2.1.399 UnsignedSatQ.
#[must_use]
pub fn unsigned_saturate(value: i64, bits: u8) -> (u32, bool) {
    let clamped = value.clamp(0, (1i64 << bits) - 1);
    (clamped as u32, clamped != value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_at_their_edges() {
        assert_eq!(shift(0x8000_0001, Shift::Lsl, 1, false), (2, true));
        assert_eq!(shift(0x8000_0001, Shift::Lsl, 32, false), (0, true));
        assert_eq!(shift(0x8000_0001, Shift::Lsl, 33, true), (0, false));
        assert_eq!(shift(0x8000_0001, Shift::Lsr, 32, false), (0, true));
        assert_eq!(shift(0x8000_0000, Shift::Asr, 255, false), (0xFFFF_FFFF, true));
        assert_eq!(shift(0x0000_0001, Shift::Ror, 32, false), (1, false));
        assert_eq!(shift(0x0000_0001, Shift::Rrx, 1, true), (0x8000_0000, true));
        assert_eq!(shift(7, Shift::Lsr, 0, true), (7, true));
    }

    #[test]
    fn sums_carry_and_overflow() {
        assert_eq!(add_with_carry(0x7FFF_FFFF, 0, true), (0x8000_0000, false, true));
        assert_eq!(add_with_carry(5, !5, true), (0, true, false));
        assert_eq!(add_with_carry(0x8000_0000, 0x8000_0000, false), (0, true, true));
    }

    #[test]
    fn saturation_reports() {
        assert_eq!(signed_saturate(200, 8), (127, true));
        assert_eq!(signed_saturate(-129, 8), (0xFFFF_FF80, true));
        assert_eq!(unsigned_saturate(-1, 8), (0, true));
        assert_eq!(unsigned_saturate(255, 8), (255, false));
    }
}
