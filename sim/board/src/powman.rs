//! The power manager (RP2350 datasheet 6.4): the core's voltage regulator, brown-out detection, and the reason of the last
//! reset. Voltages have no effect here.

use super::registers::{Alias, Storage, register};

/// BADPASSWD: whether a write lacked the password.
const BAD_PASSWORD: u32 = 0x00;
/// What bits 16 to 31 of a write must be.
const PASSWORD: u32 = 0x5AFE;
/// CHIP_RESET: the last reset of the whole chip was a power-on.
const CHIP_RESET: u32 = 0x2C;
const HAD_POR: u32 = 1 << 16;

/// The block.
#[derive(Clone, Debug)]
pub struct Powman {
    registers: Storage,
}

impl Default for Powman {
    fn default() -> Self {
        Self {
            registers: Storage::new([
                register(BAD_PASSWORD, 0, 1),
                // VREG_CTRL, VREG_STS; VREG, BOD_CTRL, BOD.
                register(0x04, 0x8050, 0xB170),
                register(0x08, 0, 0),
                register(0x0C, 0xB0, 0x1F2),
                register(0x18, 0, 0x1000),
                register(0x1C, 0xB1, 0x1F1),
                register(CHIP_RESET, HAD_POR, 0),
            ]),
        }
    }
}

impl Powman {
    /// A register.
    #[must_use]
    pub fn read(&self, offset: u32) -> Option<u32> {
        self.registers.read(offset)
    }

    /// Writes a register; without the password, only BADPASSWD changes (section 6.4).
    pub fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        if offset == BAD_PASSWORD {
            // Write 1 to clear.
            return self.registers.write(offset, Alias::Clear, word);
        }
        self.registers.read(offset)?;
        if word >> 16 != PASSWORD {
            return self.registers.write(BAD_PASSWORD, Alias::Set, 1);
        }
        self.registers.write(offset, alias, word & 0xFFFF)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voltage_is_set_with_the_password_only() {
        let mut powman = Powman::default();
        assert_eq!((powman.read(0x0C), powman.read(0x1C)), (Some(0xB0), Some(0xB1)));
        powman.write(0x0C, Alias::Write, 0xD0).unwrap();
        assert_eq!((powman.read(0x0C), powman.read(0)), (Some(0xB0), Some(1)));
        powman.write(0, Alias::Write, 1).unwrap();
        powman.write(0x0C, Alias::Write, 0x5AFE_00D0).unwrap();
        assert_eq!((powman.read(0x0C), powman.read(0)), (Some(0xD0), Some(0)));
        powman.write(0x2C, Alias::Write, 0x5AFE_0000).unwrap();
        assert_eq!(powman.read(0x2C), Some(HAD_POR), "read-only");
        assert_eq!((powman.read(0x30), powman.write(0x30, Alias::Write, 0)), (None, None));
    }
}
