//! Memory by address: the target of a load, a store or a fetch, with fast paths first.

use super::super::engine::{Bus, Clock, CodeChange, Halt};
use super::super::fault::Fault;
use super::super::interrupts::Interrupts;
use super::super::memory_map::RESET_USB;
use super::super::sio::SecondCore;
use super::super::usb::DPRAM_SIZE;
use super::gate::Gate;
use super::xip::is_flash;
use super::{AHB_WAIT, PPB_BASE, ResetRequest, SRAM_BASE, SRAM_SIZE, System};

const DPRAM_BASE: u32 = 0x5010_0000;

impl System {
    fn dpram(&mut self, address: u32, size: u32) -> Result<Option<usize>, Halt> {
        let offset = address.wrapping_sub(DPRAM_BASE);
        if offset as usize >= DPRAM_SIZE {
            return Ok(None);
        }
        // Device memory: FACTS 2.
        if offset & (size - 1) != 0 {
            return Err(self.fault(Fault::Unaligned, format!("unaligned access to USB DPRAM at {address:#010x}")));
        }
        if self.held & RESET_USB != 0 {
            return Err(self.fail(format!("access to {address:#010x} while USBCTRL is in reset")));
        }
        Ok(Some(offset as usize))
    }

    /// Device memory refuses unaligned accesses (B7.5).
    fn check_device(&mut self, address: u32, size: u32) -> Result<(), Halt> {
        let device = matches!(address >> 28, 4 | 5 | 13 | 14);
        if device && address & (size - 1) != 0 {
            let what = format!("unaligned access to Device memory at {address:#010x}");
            return Err(self.fault(Fault::Unaligned, what));
        }
        Ok(())
    }

    #[cold]
    #[inline(never)]
    fn load_slow(&mut self, address: u32, size: u32) -> Result<u32, Halt> {
        if let Some(offset) = self.dpram(address, size)? {
            self.clock.now += AHB_WAIT;
            return Ok(self.usb.read_dpram(offset, size as usize));
        }
        self.check_device(address, size)?;
        let word = self.read_register(address & !3)?;
        let shifted = word >> (8 * (address & 3));
        Ok(if size == 4 { word } else { shifted & ((1 << (8 * size)) - 1) })
    }

    #[cold]
    #[inline(never)]
    fn store_slow(&mut self, address: u32, size: u32, value: u32) -> Result<(), Halt> {
        if let Some(offset) = self.dpram(address, size)? {
            let now = self.clock.now;
            self.usb.write_dpram(offset, size as usize, value, now, &mut self.statistics);
            self.look_at_control();
            self.update_usb();
            return Ok(());
        }
        self.check_device(address, size)?;
        if size == 4 {
            return self.write_register(address, value);
        }
        // Priorities of NVIC and system handlers may be written as bytes.
        let offset = address.wrapping_sub(PPB_BASE);
        if (0xE400..0xE440).contains(&offset) || (0xED18..0xED24).contains(&offset) {
            let shift = 8 * (address & 3);
            let mask = ((1u32 << (8 * size)) - 1) << shift;
            let old = self.read_register(address & !3)?;
            return self.write_register(address & !3, old & !mask | value << shift & mask);
        }
        if (0x1800_0000..0x1C00_0000).contains(&address) {
            return self.maintain_cache(address);
        }
        if !self.answers(address) {
            return Err(self.unknown(address, true));
        }
        Err(self.fail(format!("write of {size} bytes to {address:#010x}, not a word")))
    }

    #[cold]
    #[inline(never)]
    fn code_written(&mut self, address: u32, size: u32) {
        let words = (address & !3..address + size).step_by(4);
        for change in &mut self.change {
            match change {
                CodeChange::Everything => {}
                CodeChange::Words(all) => all.extend(words.clone()),
                CodeChange::None => *change = CodeChange::Words(words.clone().collect()),
            }
        }
        if self.sio.second_core != SecondCore::Executes {
            // Not needed: the core starts with nothing decoded.
            self.change[1] = CodeChange::Everything;
        }
        self.clock.limit = 0;
    }

    #[inline]
    fn load<const N: usize>(&mut self, address: u32) -> Result<[u8; N], Halt> {
        let offset = address.wrapping_sub(SRAM_BASE) as usize;
        if let Some(bytes) = self.sram.get(offset..offset.wrapping_add(N)) {
            return Ok(bytes.try_into().unwrap_or([0; N]));
        }
        self.load_elsewhere(address)
    }

    #[inline]
    fn load_elsewhere<const N: usize>(&mut self, address: u32) -> Result<[u8; N], Halt> {
        if is_flash(address) {
            let place = self.xip(address, N)?;
            if address >> 26 & 3 != 0 {
                // Uncached: a QSPI transfer of a word takes about that long.
                self.clock.now += 20;
            }
            return Ok(self.flash.read(place));
        }
        if let Some(bytes) = self.rom_bytes.get(address as usize..(address as usize).wrapping_add(N)) {
            return Ok(bytes.try_into().unwrap_or([0; N]));
        }
        let word = self.load_slow(address, N as u32)?.to_le_bytes();
        Ok(word[..N].try_into().unwrap_or([0; N]))
    }

    #[inline]
    fn store<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), Halt> {
        let offset = address.wrapping_sub(SRAM_BASE) as usize;
        if let Some(room) = self.sram.get_mut(offset..offset.wrapping_add(N)) {
            room.copy_from_slice(&bytes);
            if self.watched[offset >> 12] {
                self.code_written(address, N as u32);
            }
            return Ok(());
        }
        let mut word = [0; 4];
        word[..N].copy_from_slice(&bytes);
        self.store_slow(address, N as u32, u32::from_le_bytes(word))
    }
}

impl Bus for System {
    #[inline]
    fn load8(&mut self, address: u32) -> Result<u32, Halt> {
        self.load::<1>(address).map(|b| u32::from(b[0]))
    }

    #[inline]
    fn load16(&mut self, address: u32) -> Result<u32, Halt> {
        self.load::<2>(address).map(|b| u32::from(u16::from_le_bytes(b)))
    }

    #[inline]
    fn load32(&mut self, address: u32) -> Result<u32, Halt> {
        self.load::<4>(address).map(u32::from_le_bytes)
    }

    #[inline]
    fn store8(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, [value as u8])
    }

    #[inline]
    fn store16(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, (value as u16).to_le_bytes())
    }

    #[inline]
    fn store32(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.store(address, value.to_le_bytes())
    }

    fn fetch(&mut self, address: u32) -> Result<u16, Halt> {
        let memory = address < 0x8000 || (0x1000_0000..SRAM_BASE + SRAM_SIZE as u32).contains(&address);
        if !memory {
            // B6.1: peripherals, devices and what follows them are never executable.
            let fault = if matches!(address >> 29, 2 | 5..) { Fault::NeverExecute } else { Fault::Fetch };
            return Err(self.fault(fault, format!("instruction fetch from {address:#010x}")));
        }
        if is_flash(address) {
            self.check_readable("instruction fetch", address)?;
        }
        self.load::<2>(address).map(u16::from_le_bytes)
    }

    #[inline]
    fn clock(&mut self) -> &mut Clock {
        &mut self.clock
    }

    #[inline]
    fn interrupts(&mut self) -> &mut Interrupts {
        &mut self.interrupts[self.core]
    }

    fn send_event(&mut self) {
        for interrupts in &mut self.interrupts {
            interrupts.event = true;
        }
        self.clock.limit = 0;
    }

    fn monitor(&mut self) -> u32 {
        // Without ACTLR.EXTEXCLALL, exclusive accesses concern only the core itself (section 2.1.6).
        if self.ppb[self.core].watches_exclusives() { self.turn } else { 0 }
    }

    #[cold]
    fn fail(&mut self, what: String) -> Halt {
        self.failure.get_or_insert(what);
        Halt
    }

    fn faulted(&mut self, registers: [u32; 16]) {
        let what = self.failure.take();
        self.fault_note = what.map(|what| (what, registers));
        self.clock.limit = 0;
    }

    fn rom_call(&mut self, number: u8, registers: &mut [u32; 16], masked: bool) -> Result<(), Halt> {
        let Some(mut rom) = self.rom.take() else {
            return Err(self.fail("ROM call within a ROM call".into()));
        };
        let mut services = Gate { system: self, masked };
        let result = rom.call(number, registers, &mut services);
        self.rom = Some(rom);
        registers[15] = registers[14];
        match result {
            Ok(()) => Ok(()),
            Err(_) if self.request == Some(ResetRequest::PowerCut) => Ok(()),
            Err(what) => Err(self.fail(format!("ROM call from {:#010x}: {what}", registers[14] & !1))),
        }
    }

    fn code_change(&mut self) -> CodeChange {
        std::mem::replace(&mut self.change[self.core], CodeChange::None)
    }

    fn watch_code(&mut self, page: u32) {
        if let Some(watched) = self.watched.get_mut((page.wrapping_sub(SRAM_BASE) >> 12) as usize) {
            *watched = true;
        }
    }

    fn executes_first(&mut self, address: u32) {
        if self.panics.contains(&address) && !self.panicking {
            self.panicking = true;
            // The machine looks before the next instruction.
            self.clock.limit = 0;
        }
    }
}
