//! What a board's loader takes from an ELF file.

use object::LittleEndian;
use object::elf::{EM_RISCV, FileHeader32, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::{Error, RP2350_ARM_S, RP2350_RISCV};

/// Bytes that the board's loader stores at a physical address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Physical address (p_paddr): where the bytes are before the start-up code copies any.
    pub address: u32,
    /// The bytes in the file; additional bytes of p_memsz are not loaded.
    pub bytes: Vec<u8>,
}

/// A program for the RP2350.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its UF2 family, which depends on the cores.
    pub family: u32,
    /// Load segments with bytes in the file, by physical address.
    pub segments: Vec<Segment>,
}

impl Image {
    /// Reads the bytes of a 32-bit little-endian ELF file.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let bad = |what: &'static str| move |error: object::read::Error| Error::Elf(format!("{what}: {error}"));
        let header = FileHeader32::<LittleEndian>::parse(bytes).map_err(bad("not a 32-bit ELF file"))?;
        let endian = header.endian().map_err(bad("not a little-endian ELF file"))?;
        let mut segments = Vec::new();
        for program in header.program_headers(endian, bytes).map_err(bad("program headers"))? {
            if program.p_type(endian) == PT_LOAD && program.p_filesz(endian) > 0 {
                let data = program
                    .data(endian, bytes)
                    .map_err(|()| Error::Elf("a segment lies outside the file".to_owned()))?;
                segments.push(Segment { address: program.p_paddr(endian), bytes: data.to_vec() });
            }
        }
        segments.sort_by_key(|segment| segment.address);
        let riscv = header.e_machine(endian) == EM_RISCV;
        Ok(Self { family: if riscv { RP2350_RISCV } else { RP2350_ARM_S }, segments })
    }
}
