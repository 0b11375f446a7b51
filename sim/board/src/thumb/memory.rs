//! Loads and stores other than the most frequent forms, and the stack pointer's limit.

use super::Core;
use super::insn::{Indexing, Insn, NONE, Width};
use crate::engine::{Bus, Halt};
use crate::fault::Fault;

fn load<B: Bus>(bus: &mut B, width: Width, address: u32) -> Result<u32, Halt> {
    Ok(match width {
        Width::Word => bus.load32(address)?,
        Width::Half => bus.load16(address)?,
        Width::Byte => bus.load8(address)?,
        Width::SignedHalf => bus.load16(address)? as u16 as i16 as u32,
        Width::SignedByte => bus.load8(address)? as u8 as i8 as u32,
    })
}

fn store<B: Bus>(bus: &mut B, width: Width, address: u32, value: u32) -> Result<(), Halt> {
    match width {
        Width::Word => bus.store32(address, value),
        Width::Half | Width::SignedHalf => bus.store16(address, value),
        Width::Byte | Width::SignedByte => bus.store8(address, value),
    }
}

fn size(width: Width) -> u32 {
    match width {
        Width::Word => 4,
        Width::Half | Width::SignedHalf => 2,
        Width::Byte | Width::SignedByte => 1,
    }
}

impl Core {
    /// LDRD, LDM, exclusives and LDA fault on unaligned addresses whatever CCR.UNALIGN_TRP says (B7.5).
    fn aligned<B: Bus>(&self, bus: &mut B, pc: u32, address: u32, to: u32) -> Result<(), Halt> {
        if address & (to - 1) == 0 {
            return Ok(());
        }
        Err(self.fault(bus, pc, Fault::Unaligned, &format!("unaligned access to {address:#010x}")))
    }

    /// Writes SP; it must not fall below the stack limit (B3.21).
    pub(super) fn set_stack_pointer<B: Bus>(&mut self, bus: &mut B, pc: u32, value: u32) -> Result<(), Halt> {
        let limit = if self.exception == 0 && self.process_stack { self.process_limit } else { self.main_limit };
        if value < limit {
            let what = format!("stack overflow: SP {value:#010x} below limit {limit:#010x}");
            return Err(self.fault(bus, pc, Fault::StackOverflow, &what));
        }
        if self.leaves_stack(value) {
            return Err(self.overflow(bus, pc, value));
        }
        self.r[13] = value & !3;
        Ok(())
    }

    /// Whether a stack pointer within its limits is about to fall below them. If a program moves its stack elsewhere, the
    /// limits are unknown.
    pub(super) fn leaves_stack(&self, value: u32) -> bool {
        value < self.guard.start && (self.guard.start..=self.guard.end).contains(&self.r[13])
    }

    #[cold]
    pub(super) fn overflow<B: Bus>(&self, bus: &mut B, pc: u32, value: u32) -> Halt {
        let (room, below) = (self.guard.len(), self.guard.start - value);
        self.refuse(bus, pc, &format!("stack overflow: {below} bytes more than the stack's {room}"))
    }

    /// A store that moves SP checks the limit before anything is stored below it.
    fn check_base<B: Bus>(&mut self, bus: &mut B, pc: u32, rn: u8, moved: u32, writes: bool) -> Result<(), Halt> {
        if rn == 13 && writes {
            let sp = self.r[13];
            self.set_stack_pointer(bus, pc, moved)?;
            self.r[13] = sp;
        }
        Ok(())
    }

    fn write_base<B: Bus>(&mut self, bus: &mut B, pc: u32, rn: u8, value: u32) -> Result<(), Halt> {
        if rn == 13 {
            self.set_stack_pointer(bus, pc, value)
        } else {
            self.set(rn, value);
            Ok(())
        }
    }

    fn finish_load<B: Bus>(&mut self, bus: &mut B, pc: u32, rt: u8, value: u32) -> Result<u32, Halt> {
        match rt {
            15 => {
                self.branch_interworking(bus, pc, value)?;
                return Ok(5);
            }
            13 => self.r[13] = value & !3,
            _ => self.set(rt, value),
        }
        Ok(2)
    }

    pub(super) fn execute_memory<B: Bus>(&mut self, bus: &mut B, insn: &Insn, pc: u32) -> Result<u32, Halt> {
        match *insn {
            Insn::LoadImm { width, rt, rn, offset } => {
                let value = load(bus, width, self.reg(rn).wrapping_add(offset))?;
                self.finish_load(bus, pc, rt, value)
            }
            Insn::LoadReg { width, rt, rn, rm, shift } => {
                let value = load(bus, width, self.reg(rn).wrapping_add(self.reg(rm) << shift))?;
                self.finish_load(bus, pc, rt, value)
            }
            Insn::StoreReg { width, rt, rn, rm, shift } => {
                store(bus, width, self.reg(rn).wrapping_add(self.reg(rm) << shift), self.reg(rt))?;
                Ok(1)
            }
            Insn::LoadLiteral { width, rt, address } => {
                let value = load(bus, width, address)?;
                self.finish_load(bus, pc, rt, value)
            }
            Insn::LoadIndexed { width, rt, rn, before, offset } => {
                let base = self.reg(rn);
                let moved = base.wrapping_add_signed(i32::from(offset));
                let value = load(bus, width, if before { moved } else { base })?;
                self.write_base(bus, pc, rn, moved)?;
                self.finish_load(bus, pc, rt, value)
            }
            Insn::StoreIndexed { width, rt, rn, before, offset } => {
                let base = self.reg(rn);
                let moved = base.wrapping_add_signed(i32::from(offset));
                self.check_base(bus, pc, rn, moved, true)?;
                store(bus, width, if before { moved } else { base }, self.reg(rt))?;
                self.write_base(bus, pc, rn, moved)?;
                Ok(1)
            }
            Insn::LoadDual { rt, rt2, rn, mode, offset } => {
                let base = if rn == NONE { 0 } else { self.reg(rn) };
                let moved = base.wrapping_add(offset);
                let address = if mode == Indexing::After { base } else { moved };
                self.aligned(bus, pc, address, 4)?;
                let first = bus.load32(address)?;
                let second = bus.load32(address.wrapping_add(4))?;
                if mode != Indexing::Offset {
                    self.write_base(bus, pc, rn, moved)?;
                }
                self.set(rt, first);
                self.set(rt2, second);
                Ok(3)
            }
            Insn::StoreDual { rt, rt2, rn, mode, offset } => {
                let base = self.reg(rn);
                let moved = base.wrapping_add_signed(offset);
                let address = if mode == Indexing::After { base } else { moved };
                self.aligned(bus, pc, address, 4)?;
                self.check_base(bus, pc, rn, moved, mode != Indexing::Offset)?;
                bus.store32(address, self.reg(rt))?;
                bus.store32(address.wrapping_add(4), self.reg(rt2))?;
                if mode != Indexing::Offset {
                    self.write_base(bus, pc, rn, moved)?;
                }
                Ok(2)
            }
            Insn::LoadMultiple { rn, list, writeback, decrement } => {
                self.load_multiple(bus, pc, rn, list, writeback, decrement)
            }
            Insn::StoreMultiple { rn, list, writeback, decrement } => {
                self.store_multiple(bus, pc, rn, list, writeback, decrement)
            }
            Insn::LoadExclusive { width, rt, rn, offset } => {
                let address = self.reg(rn).wrapping_add(u32::from(offset));
                self.aligned(bus, pc, address, size(width))?;
                let value = load(bus, width, address)?;
                self.exclusive = Some((address, bus.monitor()));
                self.set(rt, value);
                Ok(2)
            }
            Insn::StoreExclusive { width, rd, rt, rn, offset } => {
                let address = self.reg(rn).wrapping_add(u32::from(offset));
                self.aligned(bus, pc, address, size(width))?;
                let held = self.exclusive.take() == Some((address, bus.monitor()));
                if held {
                    store(bus, width, address, self.reg(rt))?;
                }
                self.set(rd, u32::from(!held));
                Ok(2)
            }
            Insn::LoadAcquire { width, rt, rn } => {
                let address = self.reg(rn);
                self.aligned(bus, pc, address, size(width))?;
                let value = load(bus, width, address)?;
                self.set(rt, value);
                Ok(2)
            }
            Insn::StoreRelease { width, rt, rn } => {
                let address = self.reg(rn);
                self.aligned(bus, pc, address, size(width))?;
                store(bus, width, address, self.reg(rt))?;
                Ok(1)
            }
            _ => Err(self.refuse(bus, pc, "not a memory instruction")),
        }
    }

    /// How many registers a list names, and the lowest address that they take.
    fn block<B: Bus>(&mut self, bus: &mut B, pc: u32, rn: u8, list: u16, decrement: bool) -> Result<(u32, u32), Halt> {
        let count = list.count_ones();
        if count == 0 {
            return Err(self.refuse(bus, pc, "empty register list"));
        }
        let base = self.reg(rn);
        let low = if decrement { base.wrapping_sub(count * 4) } else { base };
        self.aligned(bus, pc, low, 4)?;
        Ok((count, low))
    }

    fn load_multiple<B: Bus>(
        &mut self,
        bus: &mut B,
        pc: u32,
        rn: u8,
        list: u16,
        writeback: bool,
        decrement: bool,
    ) -> Result<u32, Halt> {
        let (count, low) = self.block(bus, pc, rn, list, decrement)?;
        let mut values = [0u32; 16];
        let mut address = low;
        for (n, value) in values.iter_mut().enumerate() {
            if list >> n & 1 != 0 {
                *value = bus.load32(address)?;
                address = address.wrapping_add(4);
            }
        }
        if writeback {
            self.write_base(bus, pc, rn, if decrement { low } else { address })?;
        }
        for (n, value) in values.iter().enumerate().take(15) {
            if list >> n & 1 != 0 {
                self.r[n] = *value;
            }
        }
        if list & 0x8000 != 0 {
            self.branch_interworking(bus, pc, values[15])?;
            return Ok(1 + count + 3);
        }
        Ok(1 + count)
    }

    fn store_multiple<B: Bus>(
        &mut self,
        bus: &mut B,
        pc: u32,
        rn: u8,
        list: u16,
        writeback: bool,
        decrement: bool,
    ) -> Result<u32, Halt> {
        let (count, low) = self.block(bus, pc, rn, list, decrement)?;
        self.check_base(bus, pc, rn, low, decrement)?;
        let mut address = low;
        for n in 0..15 {
            if list >> n & 1 != 0 {
                bus.store32(address, self.r[n])?;
                address = address.wrapping_add(4);
            }
        }
        if writeback {
            self.write_base(bus, pc, rn, if decrement { low } else { address })?;
        }
        Ok(1 + count)
    }
}
