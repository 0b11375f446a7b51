//! The names, reset values and writable bits of the chip's registers, from Raspberry Pi's SVD file.
//!
//! `registers.txt` was generated from the SVD file in the crate rp235x-pac by `reference/registers.py`. A block is a line
//! `NAME BASE BIT`, with its bit in RESETS or `-`, and `=OTHER` if it has another one's registers; a register is a line `
//! OFFSET NAME RESET MASK`.

use std::sync::OnceLock;

const TABLE: &str = include_str!("registers.txt");

/// A block of registers.
#[derive(Clone, Debug)]
pub struct Block {
    /// As in the datasheet.
    pub name: &'static str,
    /// Its first address.
    pub base: u32,
    /// Its bit in RESETS.
    pub reset_bit: Option<u32>,
    /// By offset.
    registers: Vec<Register>,
    /// The block whose registers it has, if they are not its own.
    like: Option<&'static str>,
}

/// A register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// From the block's base, in bytes.
    pub offset: u32,
    /// As in the datasheet.
    pub name: &'static str,
    /// Value after reset.
    pub reset: u32,
    /// Bits that store what is written to them.
    pub writable: u32,
}

fn parse() -> Vec<Block> {
    let hex = |word: &str| u32::from_str_radix(word, 16).unwrap_or(0);
    let mut blocks: Vec<Block> = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&'static str> = line.split_ascii_whitespace().collect();
        match (line.starts_with(' '), &words[..], blocks.last_mut()) {
            (true, &[offset, name, reset, mask], Some(block)) => {
                let register = Register { offset: hex(offset), name, reset: hex(reset), writable: hex(mask) };
                block.registers.push(register);
            }
            (false, &[name, base, bit, ref like @ ..], _) => {
                let like = like.first().and_then(|word| word.strip_prefix('='));
                blocks.push(Block { name, base: hex(base), reset_bit: bit.parse().ok(), registers: Vec::new(), like });
            }
            _ => {}
        }
    }
    blocks
}

/// All blocks, by address.
pub fn blocks() -> &'static [Block] {
    static BLOCKS: OnceLock<Vec<Block>> = OnceLock::new();
    BLOCKS.get_or_init(parse)
}

/// The block and register at an address or at one of its aliases (RP2350 datasheet 2.1.3).
#[must_use]
pub fn find(address: u32) -> Option<(&'static Block, Register)> {
    // Blocks that are longer than the distance between aliases have none.
    let has_aliases = matches!(address >> 28, 4 | 5);
    let plain = if has_aliases { address & !0x3003 } else { address & !3 };
    [address & !3, plain].into_iter().find_map(|wanted| {
        let end = blocks().partition_point(|block| block.base <= wanted);
        let block = blocks().get(end.checked_sub(1)?)?;
        let owner = block.like.map_or(Some(block), |name| blocks().iter().find(|other| other.name == name))?;
        let register = owner.registers.iter().find(|register| register.offset == wanted - block.base)?;
        Some((block, *register))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_found_by_address_and_alias() {
        let name = |address: u32| find(address).map(|(block, register)| format!("{}.{}", block.name, register.name));
        assert_eq!(name(0x4009_0000).as_deref(), Some("I2C0.IC_CON"));
        assert_eq!(name(0x4009_A06C).as_deref(), Some("I2C1.IC_ENABLE"));
        assert_eq!(name(0x400C_0000).as_deref(), Some("HSTX_CTRL.CSR"));
        assert_eq!(name(0x5040_3000).as_deref(), Some("PIO2.CTRL"));
        assert_eq!(name(0xE000_ED08).as_deref(), Some("PPB.VTOR"));
        assert_eq!(name(0x4070_0000), None);
        assert_eq!(find(0x4009_0000).map(|(block, register)| (block.reset_bit, register.reset)), Some((Some(4), 0x65)));
    }

    #[test]
    fn every_block_has_registers_in_order() {
        assert!(blocks().len() > 45 && blocks().is_sorted_by_key(|block| block.base));
        for block in blocks() {
            assert_eq!(block.registers.is_empty(), block.like.is_some(), "{}", block.name);
            assert!(block.registers.is_sorted_by_key(|register| register.offset), "{}", block.name);
        }
    }
}
