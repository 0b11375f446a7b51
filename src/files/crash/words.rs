//! A crash in words.

use super::instruction::access;
use super::record::{View, word};
use crate::text::Writer;
use core::fmt;

/// CFSR's bits (Armv8-M D1.2.39) with what they mean.
const CAUSES: [(u32, &str); 17] = [
    (20, "the stack overflowed: it would have grown below its limit"),
    (0, "executed code at an address that is never executable"),
    (1, "accessed memory that the MPU forbids"),
    (3, "the MPU forbids the stack at an exception's return"),
    (4, "the MPU forbids the stack at an exception's entry"),
    (5, "the MPU forbids the floating-point state's memory"),
    (8, "fetched code from an address that is no memory"),
    (9, "accessed an address that is no memory"),
    (10, "accessed an address that is no memory, some instructions before PC"),
    (11, "the stack is no memory at an exception's return"),
    (12, "the stack is no memory at an exception's entry"),
    (13, "the floating-point state's address is no memory"),
    (16, "executed an undefined instruction, as an abort does"),
    (17, "branched to an address without the Thumb bit"),
    (18, "returned from an exception with an invalid value"),
    (19, "used a coprocessor or the FPU while it is off"),
    (24, "accessed an unaligned address where only aligned ones are allowed"),
];
const DIVIDED: (u32, &str) = (25, "divided by zero");

/// CFSR.MMARVALID and BFARVALID.
const MEMORY_ADDRESS_VALID: u32 = 1 << 7;
const BUS_ADDRESS_VALID: u32 = 1 << 15;
/// CFSR.PRECISERR, DACCVIOL.
const PRECISE: u32 = 1 << 9;
/// HFSR.DEBUGEVT, VECTTBL.
const DEBUG_EVENT: u32 = 1 << 31;
const VECTOR: u32 = 1 << 1;

/// Writes what happened, without a period at its end.
pub fn what(view: &View<'_>, out: &mut Writer<'_>) -> fmt::Result {
    match view.word(word::KIND) {
        1 => return out.text("the program panicked"),
        3 => return out.text("the program asked for it, and went on"),
        _ => {}
    }
    let [status, hard, memory, bus] = [0, 1, 2, 3].map(|index| view.word(word::STATUS + index));
    // The address that was accessed, and what was done there.
    let precise = status & PRECISE != 0 && status & BUS_ADDRESS_VALID != 0;
    if precise && let Some(access) = access(view.word(word::INSTRUCTION)) {
        out.text(if access.store { "wrote " } else { "read " })?;
        if access.bytes == 0 {
            out.text("several words")?;
        } else {
            out.decimal(access.bytes.into())?;
            out.text(if access.bytes == 1 { " byte" } else { " bytes" })?;
        }
        out.text(if access.store { " to 0x" } else { " from 0x" })?;
        out.hexadecimal(bus.into(), 8, b'a')?;
        return out.text(", which is no memory");
    }
    let mut causes = CAUSES.iter().chain([&DIVIDED]).filter(|(bit, _)| status >> bit & 1 != 0);
    match causes.next() {
        Some((_, cause)) => out.text(cause)?,
        None if hard & DEBUG_EVENT != 0 => out.text("executed a breakpoint without a debugger")?,
        None if hard & VECTOR != 0 => out.text("could not read the vector table")?,
        None => out.text("a fault without a cause in CFSR")?,
    }
    for (valid, address) in [(MEMORY_ADDRESS_VALID, memory), (BUS_ADDRESS_VALID, bus)] {
        if status & valid != 0 {
            out.text(": 0x")?;
            out.hexadecimal(address.into(), 8, b'a')?;
        }
    }
    Ok(())
}

/// The exception that stopped the program.
pub fn kind(view: &View<'_>) -> &'static str {
    match view.word(word::KIND) {
        1 => return "panic",
        3 => return "snapshot",
        _ => {}
    }
    let status = view.word(word::STATUS);
    match (status & 0xFF, status >> 8 & 0xFF, status >> 16) {
        (1.., ..) => "MemManage",
        (_, 1.., _) => "BusFault",
        (.., 1..) => "UsageFault",
        _ => "HardFault",
    }
}
