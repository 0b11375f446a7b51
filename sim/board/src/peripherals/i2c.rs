//! I2C0 and I2C1 as a controller (RP2350 datasheet 12.2; Synopsys DW_apb_i2c). A transfer is complete as soon as it is
//! requested.

use crate::registers::Alias;
use std::collections::{BTreeMap, VecDeque};

const TAR: u32 = 0x04;
const DATA_CMD: u32 = 0x10;
const INTR_STAT: u32 = 0x2C;
const INTR_MASK: u32 = 0x30;
const RAW_INTR_STAT: u32 = 0x34;
const RX_TL: u32 = 0x38;
const CLR_INTR: u32 = 0x40;
const ENABLE: u32 = 0x6C;
const STATUS: u32 = 0x70;
const TXFLR: u32 = 0x74;
const RXFLR: u32 = 0x78;
const TX_ABRT_SOURCE: u32 = 0x80;
const ENABLE_STATUS: u32 = 0x9C;

/// DATA_CMD.
const CMD_READ: u32 = 1 << 8;
const CMD_STOP: u32 = 1 << 9;
const CMD_RESTART: u32 = 1 << 10;

/// IC_RAW_INTR_STAT.
const RX_UNDER: u32 = 1 << 0;
const RX_OVER: u32 = 1 << 1;
const RX_FULL: u32 = 1 << 2;
const TX_EMPTY: u32 = 1 << 4;
const TX_ABRT: u32 = 1 << 6;
const ACTIVITY: u32 = 1 << 8;
const STOP_DET: u32 = 1 << 9;
const START_DET: u32 = 1 << 10;

/// What reading a register clears: IC_CLR_*.
const CLEARS: [(u32, u32); 11] = [
    (CLR_INTR, 0x1FEB),
    (0x44, RX_UNDER),
    (0x48, RX_OVER),
    (0x4C, 1 << 3),
    (0x50, 1 << 5),
    (0x54, TX_ABRT),
    (0x58, 1 << 7),
    (0x5C, ACTIVITY),
    (0x60, STOP_DET),
    (0x64, START_DET),
    (0xA8, 1 << 12),
];

/// IC_TX_ABRT_SOURCE: a 7-bit address, or the second byte of a 10-bit address, was not acknowledged; the program aborted.
const ADDRESS_NOT_ACKNOWLEDGED: u32 = 1 << 0;
const USER_ABORT: u32 = 1 << 16;

/// Length of the receive FIFO in bytes.
const FIFO: usize = 16;

/// A device on the bus with registers of one byte. The first byte written is the register's number, which is incremented
/// with each byte that follows, in either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// By number.
    pub registers: Vec<u8>,
    /// Registers that ignore writes.
    pub read_only: Vec<u8>,
    pointer: u8,
    /// The next byte written is a register's number.
    addressed: bool,
}

impl Target {
    /// A device with these registers.
    #[must_use]
    pub fn new(registers: [u8; 256], read_only: Vec<u8>) -> Self {
        Self { registers: registers.to_vec(), read_only, pointer: 0, addressed: false }
    }

    fn start(&mut self) {
        self.addressed = true;
    }

    fn write(&mut self, byte: u8) {
        if std::mem::take(&mut self.addressed) {
            self.pointer = byte;
            return;
        }
        if !self.read_only.contains(&self.pointer)
            && let Some(register) = self.registers.get_mut(usize::from(self.pointer))
        {
            *register = byte;
        }
        self.pointer = self.pointer.wrapping_add(1);
    }

    fn read(&mut self) -> u8 {
        let byte = self.registers.get(usize::from(self.pointer)).copied().unwrap_or(0xFF);
        self.pointer = self.pointer.wrapping_add(1);
        byte
    }
}

/// One controller and its bus.
#[derive(Clone, Debug)]
pub struct I2c {
    targets: BTreeMap<u16, Target>,
    target_address: u32,
    enabled: bool,
    mask: u32,
    raw: u32,
    receive_level: u32,
    received: VecDeque<u8>,
    abort_source: u32,
    /// A transfer has begun and was not stopped yet: whether it reads.
    transfer: Option<bool>,
}

impl Default for I2c {
    fn default() -> Self {
        Self {
            targets: BTreeMap::new(),
            target_address: 0x55,
            enabled: false,
            mask: 0x8FF,
            raw: 0,
            receive_level: 0,
            received: VecDeque::new(),
            abort_source: 0,
            transfer: None,
        }
    }
}

impl I2c {
    /// Adds a device to the bus.
    pub fn connect(&mut self, address: u16, target: Target) {
        self.targets.insert(address, target);
    }

    /// A device's registers.
    #[must_use]
    pub fn target(&self, address: u16) -> Option<&Target> {
        self.targets.get(&address)
    }

    pub(super) fn reset(&mut self) {
        *self = Self { targets: std::mem::take(&mut self.targets), ..Self::default() };
    }

    fn raw(&self) -> u32 {
        let full = if self.received.len() > self.receive_level as usize { RX_FULL } else { 0 };
        let empty = if self.enabled { TX_EMPTY } else { 0 };
        self.raw | full | empty
    }

    pub(super) fn interrupt(&self) -> bool {
        self.raw() & self.mask != 0
    }

    pub(super) fn read(&mut self, offset: u32) -> Option<u32> {
        if let Some((_, bits)) = CLEARS.iter().find(|(at, _)| *at == offset) {
            let was = self.raw & bits != 0;
            self.raw &= !bits;
            if bits & TX_ABRT != 0 {
                self.abort_source = 0;
            }
            return Some(u32::from(was));
        }
        Some(match offset {
            TAR => self.target_address,
            DATA_CMD => match self.received.pop_front() {
                Some(byte) => u32::from(byte),
                None => {
                    self.raw |= RX_UNDER;
                    0
                }
            },
            INTR_STAT => self.raw() & self.mask,
            INTR_MASK => self.mask,
            RAW_INTR_STAT => self.raw(),
            RX_TL => self.receive_level,
            ENABLE | ENABLE_STATUS => u32::from(self.enabled),
            STATUS => {
                let (any, full) = (!self.received.is_empty(), self.received.len() == FIFO);
                let busy = u32::from(self.transfer.is_some());
                // The transmit FIFO is always empty.
                busy | 1 << 1 | 1 << 2 | u32::from(any) << 3 | u32::from(full) << 4 | busy << 5
            }
            TXFLR => 0,
            RXFLR => self.received.len() as u32,
            TX_ABRT_SOURCE => self.abort_source,
            _ => return None,
        })
    }

    pub(super) fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        match offset {
            TAR => self.target_address = alias.apply_masked(self.target_address, word, 0xFFF),
            DATA_CMD => self.command(word),
            INTR_MASK => self.mask = alias.apply_masked(self.mask, word, 0x1FFF),
            RX_TL => self.receive_level = alias.apply_masked(self.receive_level, word, 0xFF).min(15),
            ENABLE => {
                let value = alias.apply_masked(u32::from(self.enabled), word, 7);
                self.enabled = value & 1 != 0;
                if value & 2 != 0 {
                    self.abort(USER_ABORT);
                }
                if !self.enabled {
                    self.received.clear();
                    self.transfer = None;
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn abort(&mut self, source: u32) {
        self.abort_source |= source;
        self.transfer = None;
        self.received.clear();
        // The hardware stops the transfer by itself.
        self.raw |= TX_ABRT | STOP_DET;
    }

    fn command(&mut self, word: u32) {
        // After an abort, the FIFO stays flushed until the program has acknowledged it.
        if !self.enabled || self.raw & TX_ABRT != 0 {
            return;
        }
        let reads = word & CMD_READ != 0;
        let address = (self.target_address & 0x3FF) as u16;
        let begins = self.transfer != Some(reads) || word & CMD_RESTART != 0;
        if begins {
            self.raw |= START_DET | ACTIVITY;
            match self.targets.get_mut(&address) {
                Some(target) => target.start(),
                None => return self.abort(ADDRESS_NOT_ACKNOWLEDGED),
            }
        }
        self.transfer = Some(reads);
        if let Some(target) = self.targets.get_mut(&address) {
            if !reads {
                target.write(word as u8);
            } else if self.received.len() < FIFO {
                self.received.push_back(target.read());
            } else {
                self.raw |= RX_OVER;
            }
        }
        if word & CMD_STOP != 0 {
            self.transfer = None;
            self.raw |= STOP_DET;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus() -> I2c {
        let mut i2c = I2c::default();
        let mut registers = [0; 256];
        registers[0xD0] = 0x60;
        registers[0xD1] = 0x61;
        i2c.connect(0x76, Target::new(registers, vec![0xD0]));
        i2c.write(TAR, Alias::Write, 0x76);
        i2c.write(ENABLE, Alias::Write, 1);
        i2c
    }

    #[test]
    fn a_device_is_written_and_read() {
        let mut i2c = bus();
        i2c.write(DATA_CMD, Alias::Write, 0xD0);
        i2c.write(DATA_CMD, Alias::Write, CMD_READ | CMD_RESTART);
        i2c.write(DATA_CMD, Alias::Write, CMD_READ | CMD_STOP);
        assert_eq!((i2c.read(RXFLR), i2c.read(DATA_CMD), i2c.read(DATA_CMD)), (Some(2), Some(0x60), Some(0x61)));
        assert_eq!(i2c.read(RAW_INTR_STAT).unwrap() & (STOP_DET | TX_ABRT), STOP_DET);
        assert_eq!((i2c.read(0x60), i2c.read(0x60)), (Some(1), Some(0)));
        // A read-only register keeps its value, the next one does not.
        for word in [0xD0, 0xAA, 0xBB | CMD_STOP] {
            i2c.write(DATA_CMD, Alias::Write, word);
        }
        let registers = &i2c.target(0x76).unwrap().registers;
        assert_eq!(registers[0xD0..0xD3], [0x60, 0xBB, 0]);
    }

    #[test]
    fn nobody_acknowledges_where_nobody_is() {
        let mut i2c = bus();
        i2c.write(TAR, Alias::Write, 0x77);
        i2c.write(DATA_CMD, Alias::Write, 0xD0);
        i2c.write(DATA_CMD, Alias::Write, CMD_READ | CMD_STOP);
        assert_eq!((i2c.read(RXFLR), i2c.read(TX_ABRT_SOURCE)), (Some(0), Some(ADDRESS_NOT_ACKNOWLEDGED)));
        assert!(i2c.interrupt());
        assert_eq!(i2c.read(0x54), Some(1));
        assert_eq!((i2c.read(TX_ABRT_SOURCE), i2c.read(RAW_INTR_STAT).unwrap() & TX_ABRT), (Some(0), 0));
        // A program that aborts gets a report about it.
        i2c.write(ENABLE, Alias::Set, 2);
        assert_eq!((i2c.read(ENABLE), i2c.read(TX_ABRT_SOURCE)), (Some(1), Some(USER_ABORT)));
    }
}
