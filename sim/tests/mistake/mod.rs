//! The program of tests/mistakes, which makes one mistake at a time.

use object::{Object, ObjectSection, ObjectSymbol};

/// The ELF file with another mistake in it.
///
/// # Panics
///
/// When it is another program's.
pub fn with_mistake(mut elf: Vec<u8>, number: u32) -> Vec<u8> {
    let at = {
        let file = object::File::parse(&elf[..]).expect("an ELF");
        let symbol = file.symbols().find(|symbol| symbol.name() == Ok("MISTAKE")).expect("the program has it");
        let section = symbol.section_index().and_then(|index| file.section_by_index(index).ok()).expect("a section");
        let (offset, _) = section.file_range().expect("it is in the file");
        (offset + symbol.address() - section.address()) as usize
    };
    elf[at..at + 4].copy_from_slice(&number.to_le_bytes());
    elf
}
