//! From a core's registers to the functions that have called each other, by .debug_frame (DWARF 5, 6.4).

use super::debug_info::{DebugInfo, Frame};
use crate::board::incident::{Cause, Incident};
use gimli::{BaseAddresses, CfaRule, DebugFrame, RegisterRule, UnwindContext, UnwindSection};

const SP: usize = 13;
const LR: usize = 14;
const PC: usize = 15;

/// Maximum number of calls that are followed: the smallest frame has 8 bytes, SRAM 520 KiB.
const DEEPEST: usize = 66_560;

/// Values of LR from here on are exception returns (Armv8-M B3.21); bit 4: without a floating-point context.
const EXC_RETURN: u32 = 0xFF00_0000;
const NO_FP_CONTEXT: u32 = 1 << 4;
const CORE_FRAME: u32 = 0x20;
const FP_FRAME: u32 = 0x68;

/// The functions at the time of an incident, the innermost first.
pub fn backtrace(debug: &DebugInfo<'_>, incident: &Incident<'_>) -> Vec<Frame> {
    let mut registers = incident.registers;
    let mut found = Vec::new();
    // The first address is the next instruction to be executed, the others follow a call, so the instruction before them
    // counts. An incident is noticed after its instruction, unless that instruction could not be executed.
    let mut looked = match incident.cause {
        Cause::Stops(_) | Cause::Sample => registers[PC],
        _ => registers[PC].wrapping_sub(1),
    };
    for depth in 0..DEEPEST {
        found.extend(debug.frames_at(looked));
        let Some((next, interrupted)) = caller(debug, incident, &registers, looked, depth == 0) else { break };
        // Must not loop, and the stack must not grow upwards.
        if next[SP] < registers[SP] || (next[SP] == registers[SP] && next[PC] == registers[PC]) {
            break;
        }
        registers = next;
        looked = if interrupted { registers[PC] } else { (registers[PC] & !1).wrapping_sub(1) };
    }
    found
}

fn load(incident: &Incident<'_>, address: u32) -> Option<u32> {
    let from = |memory: &[u8], base: u32| {
        let at = address.checked_sub(base)? as usize;
        Some(u32::from_le_bytes(memory.get(at..at.checked_add(4)?)?.try_into().ok()?))
    };
    from(incident.sram, 0x2000_0000).or_else(|| from(incident.flash, 0x1000_0000))
}

/// The registers of the function's caller, or of the function that it has interrupted.
fn caller(
    debug: &DebugInfo<'_>,
    incident: &Incident<'_>,
    registers: &[u32; 16],
    address: u32,
    first: bool,
) -> Option<([u32; 16], bool)> {
    let mut next = unwound(debug, incident, registers, address).or_else(|| {
        // A function without a table: assembly, which has its return address in LR until it calls another function.
        first.then_some(*registers)
    })?;
    let interrupted = next[LR] >= EXC_RETURN;
    if interrupted {
        // A handler: the hardware has saved what it has interrupted on the stack (Armv8-M B3.19).
        let (frame, link) = (next[SP], next[LR]);
        for (register, at) in [(0, 0), (1, 4), (2, 8), (3, 12), (12, 16), (LR, 20), (PC, 24)] {
            next[register] = load(incident, frame.wrapping_add(at))?;
        }
        let padding = load(incident, frame.wrapping_add(28))? >> 9 & 1;
        let size = if link & NO_FP_CONTEXT != 0 { CORE_FRAME } else { FP_FRAME };
        next[SP] = frame.wrapping_add(size + 4 * padding);
    } else {
        next[PC] = next[LR];
    }
    let inside = |pc: u32| (0x1000_0000..0x1400_0000).contains(&pc) || (0x2000_0000..0x2008_2000).contains(&pc);
    inside(next[PC] & !1).then_some((next, interrupted))
}

/// What the table says about the function.
fn unwound(debug: &DebugInfo<'_>, incident: &Incident<'_>, registers: &[u32; 16], address: u32) -> Option<[u32; 16]> {
    let mut context = UnwindContext::new();
    let bases = BaseAddresses::default();
    let row = debug
        .frames
        .unwind_info_for_address(&bases, &mut context, u64::from(address), DebugFrame::cie_from_offset)
        .ok()?;
    let cfa = match row.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => {
            registers.get(usize::from(register.0))?.wrapping_add_signed(*offset as i32)
        }
        CfaRule::Expression(_) => return None,
    };
    let mut next = *registers;
    next[SP] = cfa;
    for (register, rule) in row.registers() {
        let Some(slot) = next.get_mut(usize::from(register.0)) else { continue };
        match rule {
            RegisterRule::Offset(offset) => *slot = load(incident, cfa.wrapping_add_signed(*offset as i32))?,
            RegisterRule::ValOffset(offset) => *slot = cfa.wrapping_add_signed(*offset as i32),
            RegisterRule::Register(other) => *slot = *registers.get(usize::from(other.0))?,
            _ => {}
        }
    }
    Some(next)
}
