//! Changes words in a firmware's ELF file: test programs have a static that selects the case.

use object::{Object, ObjectSection, ObjectSymbol};

/// The ELF file with these words at a symbol.
///
/// # Errors
/// It is not an ELF file, or it does not contain the symbol or has no room for the words.
pub fn with_words(mut elf: Vec<u8>, symbol: &str, words: &[u32]) -> Result<Vec<u8>, String> {
    let place = place(&elf, symbol).ok_or_else(|| format!("`{symbol}` is not in the ELF file"))?;
    for (number, word) in words.iter().enumerate() {
        let at = place + 4 * number;
        let room = elf.get_mut(at..at + 4).ok_or_else(|| format!("`{symbol}` is beyond the end of the ELF file"))?;
        room.copy_from_slice(&word.to_le_bytes());
    }
    Ok(elf)
}

/// Offset of the symbol's bytes in the file.
fn place(elf: &[u8], symbol: &str) -> Option<usize> {
    let file = object::File::parse(elf).ok()?;
    let symbol = file.symbols().find(|found| found.name() == Ok(symbol))?;
    let section = file.section_by_index(symbol.section_index()?).ok()?;
    let (offset, _) = section.file_range()?;
    Some((offset + symbol.address().checked_sub(section.address())?) as usize)
}
