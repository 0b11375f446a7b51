//! A core file from a stick: which functions had called each other when the program crashed.

use super::debug_info::DebugInfo;
use super::report::listed;
use super::unwind::backtrace;
use crate::board::incident::{Cause, Incident};
use object::read::elf::{ElfFile32, FileHeader, ProgramHeader};
use object::{Endianness, elf};

const SRAM: u32 = 0x2000_0000;
const SRAM_LENGTH: usize = 0x8_2000;
const FLASH: u32 = 0x1000_0000;
const FLASH_LENGTH: usize = 16 << 20;

/// Registers in NT_PRSTATUS of a 32-bit Arm system: after the header's 72 bytes.
const PRSTATUS_REGISTERS: usize = 72;

/// The backtrace of each core in CORE.ELF, as lines of text. `program` is the program's ELF file.
///
/// # Errors
/// What is wrong with one of the files.
pub fn backtraces(program: &[u8], core: &[u8]) -> Result<Vec<Vec<String>>, String> {
    let core_file = ElfFile32::<Endianness>::parse(core).map_err(|reason| format!("CORE.ELF: {reason}"))?;
    let program_file = ElfFile32::<Endianness>::parse(program).map_err(|reason| format!("the program: {reason}"))?;
    if core_file.elf_header().e_type(core_file.endian()) != elf::ET_CORE {
        return Err("it is an ELF file, but no core file".to_owned());
    }
    let debug = DebugInfo::new(program).ok_or("the program has no symbols")?;
    let (mut sram, mut flash) = (vec![0; SRAM_LENGTH], vec![0; FLASH_LENGTH]);
    for file in [&program_file, &core_file] {
        for header in file.elf_program_headers() {
            let endian = file.endian();
            if header.p_type(endian) != elf::PT_LOAD {
                continue;
            }
            let bytes = header.data(endian, file.data()).map_err(|()| "a segment is not in its file".to_owned())?;
            let address = header.p_vaddr(endian);
            for (memory, base) in [(&mut sram, SRAM), (&mut flash, FLASH)] {
                let at = address.wrapping_sub(base) as usize;
                if let Some(room) = memory.get_mut(at..at.saturating_add(bytes.len())) {
                    room.copy_from_slice(bytes);
                }
            }
        }
    }
    let threads = threads(&core_file)?;
    Ok(threads
        .into_iter()
        .map(|registers| {
            // Registers are those at the crash: the instruction at PC was not finished, or is the next one.
            let (cause, exception, micros) = (Cause::Sample, 0, 0);
            let incident = Incident { cause, registers, exception, micros, sram: &sram, flash: &flash };
            listed(&backtrace(&debug, &incident))
        })
        .collect())
}

/// R0 to R15 of each thread, which is a core of the chip.
fn threads(core: &ElfFile32<'_, Endianness>) -> Result<Vec<[u32; 16]>, String> {
    let endian = core.endian();
    let mut threads = Vec::new();
    for header in core.elf_program_headers() {
        let Some(mut notes) = header.notes(endian, core.data()).map_err(|reason| format!("its notes: {reason}"))?
        else {
            continue;
        };
        while let Some(note) = notes.next().map_err(|reason| format!("its notes: {reason}"))? {
            if note.n_type(endian) != elf::NT_PRSTATUS {
                continue;
            }
            let mut registers = [0; 16];
            let words = note.desc().get(PRSTATUS_REGISTERS..).unwrap_or_default().as_chunks::<4>().0;
            if words.len() < registers.len() {
                return Err("its registers are cut off".to_owned());
            }
            for (register, word) in registers.iter_mut().zip(words) {
                *register = u32::from_le_bytes(*word);
            }
            threads.push(registers);
        }
    }
    if threads.is_empty() { Err("it has no registers".to_owned()) } else { Ok(threads) }
}
