//! Peripheral registers that only store values, and the atomic aliases (RP2350 datasheet 2.1.3).

/// How a write changes a register: which of the four aliases was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// Plain write.
    Write,
    /// +0x1000: flips the bits that are 1.
    Xor,
    /// +0x2000: sets them.
    Set,
    /// +0x3000: clears them.
    Clear,
}

impl Alias {
    /// The alias that an address belongs to.
    #[must_use]
    pub fn of(address: u32) -> Self {
        match address >> 12 & 3 {
            0 => Self::Write,
            1 => Self::Xor,
            2 => Self::Set,
            _ => Self::Clear,
        }
    }

    /// The register's new value.
    #[must_use]
    pub fn apply(self, old: u32, word: u32) -> u32 {
        match self {
            Self::Write => word,
            Self::Xor => old ^ word,
            Self::Set => old | word,
            Self::Clear => old & !word,
        }
    }

    /// The new value of a register whose writable bits are `mask`.
    #[must_use]
    pub fn apply_masked(self, old: u32, word: u32, mask: u32) -> u32 {
        old & !mask | self.apply(old, word) & mask
    }
}

/// One register that only stores a value.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Offset in its block, in bytes.
    pub offset: u32,
    /// Value after reset.
    pub reset: u32,
    /// Bits that software can change.
    pub writable: u32,
}

/// Shorthand for tables.
#[must_use]
pub const fn register(offset: u32, reset: u32, writable: u32) -> Register {
    Register { offset, reset, writable }
}

/// A block of registers that only store values. Registers that are not in its table are not modelled.
#[derive(Clone, Debug)]
pub struct Storage {
    table: Vec<Register>,
    values: Vec<u32>,
}

impl Storage {
    /// A block in its reset state.
    #[must_use]
    pub fn new(table: impl IntoIterator<Item = Register>) -> Self {
        let table: Vec<_> = table.into_iter().collect();
        let values = table.iter().map(|r| r.reset).collect();
        Self { table, values }
    }

    /// Back to the reset state.
    pub fn reset(&mut self) {
        for (value, register) in self.values.iter_mut().zip(&self.table) {
            *value = register.reset;
        }
    }

    fn find(&self, offset: u32) -> Option<usize> {
        self.table.iter().position(|r| r.offset == offset)
    }

    /// The value at an offset, or `None` if there is no such register.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        self.values.get(self.find(offset)?).copied()
    }

    /// The value at an offset that is known to be in the table.
    #[must_use]
    pub fn value(&self, offset: u32) -> u32 {
        self.read(offset).unwrap_or_default()
    }

    /// Writes through an alias; `None` if there is no such register.
    pub fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        let index = self.find(offset)?;
        let mask = self.table[index].writable;
        self.values[index] = alias.apply_masked(self.values[index], word, mask);
        Some(())
    }

    /// Presets a value, including read-only bits.
    pub fn preset(&mut self, offset: u32, value: u32) {
        if let Some(index) = self.find(offset) {
            self.values[index] = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_touch_writable_bits_only() {
        let mut block = Storage::new([register(4, 0xF0, 0x0F)]);
        block.write(4, Alias::Set, 0xFF).unwrap();
        assert_eq!(block.read(4), Some(0xFF));
        block.write(4, Alias::Clear, 0xF1).unwrap();
        assert_eq!(block.read(4), Some(0xFE));
        block.write(4, Alias::Xor, 3).unwrap();
        assert_eq!(block.read(4), Some(0xFD));
        block.write(4, Alias::Write, 0).unwrap();
        assert_eq!(block.read(4), Some(0xF0));
        assert_eq!(block.read(8), None);
    }
}
