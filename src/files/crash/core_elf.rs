//! CORE.ELF: a core file for GDB, an ELF file (System V gABI, Arm's ELF for AAELF32) of one thread and the kept stack.
//!
//! Its words are computed one by one, so that no part of it is ever in a buffer.

use super::record::{STACK, View};

/// Length in bytes of everything before the stack: a sector.
pub const HEADER: usize = 512;

/// The ELF header's words: magic number, 32 bits, little-endian, version 1; type ET_CORE, EM_ARM; program headers follow.
const ELF: [u32; 13] = [
    0x464C_457F,
    0x0001_0101,
    0,
    0,
    0x0028_0004,
    1,
    0,
    ELF_LENGTH,
    0,
    0x0500_0000,
    0x0020_0000 | ELF_LENGTH,
    0x0028_0002,
    0,
];
const ELF_LENGTH: u32 = 52;
/// Program headers: eight words each.
const NOTE_HEADER: usize = 13;
const LOAD_HEADER: usize = NOTE_HEADER + 8;
/// The note: its header of three words, its name of two, and NT_PRSTATUS.
const NOTE: usize = LOAD_HEADER + 8;
const STATUS: usize = NOTE + 5;
const STATUS_LENGTH: u32 = 148;
/// Within NT_PRSTATUS: the signal twice, the thread's number, the registers.
const SIGNAL: usize = STATUS;
const CURRENT_SIGNAL: usize = STATUS + 3;
const THREAD: usize = STATUS + 6;
const REGISTERS: usize = STATUS + 18;

/// SIGSEGV, SIGABRT, SIGTRAP.
const SEGV: u32 = 11;
const ABRT: u32 = 6;
const TRAP: u32 = 5;

/// A word of the file before its stack.
fn word(view: &View<'_>, index: usize) -> u32 {
    let signal = match view.word(super::record::word::KIND) {
        1 => ABRT,
        3 => TRAP,
        _ => SEGV,
    };
    let length = view.stack_length() as u32;
    let address = view.word(super::record::word::STACK);
    match index {
        0..NOTE_HEADER => ELF.get(index).copied().unwrap_or(0),
        // PT_NOTE: type, offset, addresses, lengths in file and memory, flags, alignment.
        NOTE_HEADER..LOAD_HEADER => {
            [4, NOTE as u32 * 4, 0, 0, 20 + STATUS_LENGTH, 0, 0, 4].get(index - NOTE_HEADER).copied().unwrap_or(0)
        }
        // PT_LOAD: readable and writable.
        LOAD_HEADER..NOTE => {
            [1, HEADER as u32, address, address, length, length, 6, 4].get(index - LOAD_HEADER).copied().unwrap_or(0)
        }
        // Name and length, NT_PRSTATUS, "CORE".
        NOTE..STATUS => [5, STATUS_LENGTH, 1, 0x4552_4F43, 0].get(index - NOTE).copied().unwrap_or(0),
        SIGNAL | CURRENT_SIGNAL => signal,
        THREAD => view.word(super::record::word::CORE).wrapping_add(1),
        _ if (REGISTERS..REGISTERS + 17).contains(&index) => view.register(index - REGISTERS),
        _ => 0,
    }
}

/// Length in bytes.
pub fn length(view: &View<'_>) -> usize {
    HEADER + view.stack_length()
}

/// Reads from an offset on.
pub fn read(view: &View<'_>, offset: usize, out: &mut [u8]) {
    let head = HEADER.saturating_sub(offset).min(out.len());
    let (header, stack) = out.split_at_mut_checked(head).unwrap_or_default();
    for (place, byte) in (offset..).zip(header) {
        *byte = word(view, place / 4).to_le_bytes().get(place % 4).copied().unwrap_or(0);
    }
    if !stack.is_empty() {
        view.0.read(STACK + offset.saturating_sub(HEADER), stack);
    }
}
