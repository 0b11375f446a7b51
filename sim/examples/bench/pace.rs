//! The board's core at another pace: dearer instructions, dearer reads of flash, and a count of cycles by address.

use picovd_sim::board::engine::{Bus, Clock, CodeChange, Engine, Entry, Halt};
use picovd_sim::board::interrupts::Interrupts;
use picovd_sim::board::thumb::Interpreter;
use std::collections::BTreeMap;

/// XIP through both aliases, cached and not.
const FLASH: std::ops::Range<u32> = 0x1000_0000..0x2000_0000;

/// What makes the core slower than the emulator's own costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// What a table calls it.
    pub name: &'static str,
    /// The same for machines.
    pub key: &'static str,
    /// Cycles for each one that the emulator charges, in tenths.
    tenths: u64,
    /// Cycles that each read of data in flash costs in addition.
    flash_read: u64,
}

impl Pace {
    /// The emulator's own costs, which are those of a Cortex-M33 from its cache.
    pub const USUAL: Self =
        Self { name: "as the emulator has it, one instruction a cycle", key: "usual", tenths: 10, flash_read: 0 };
    /// Every instruction takes two and a half times as long.
    pub const SLOW_CORE: Self = Self { name: "2.5 cycles an instruction", key: "slow-core", tenths: 25, flash_read: 0 };
    /// Every read of data in flash misses the XIP cache.
    pub const SLOW_FLASH: Self =
        Self { name: "every read of flash misses the XIP cache", key: "slow-flash", tenths: 10, flash_read: 60 };
}

impl Default for Pace {
    fn default() -> Self {
        Self::USUAL
    }
}

/// The interpreter at a pace.
#[derive(Default)]
pub struct Paced {
    inner: Interpreter,
    /// How fast it goes.
    pub pace: Pace,
    /// Tenths of a cycle that were not charged yet.
    rest: u64,
    /// Awake cycles by address of the instruction, where they are wanted.
    pub profile: Option<BTreeMap<u32, u64>>,
    /// Cycles in interrupt handlers, where they are wanted.
    pub in_handlers: Option<u64>,
    /// Stretches with interrupts masked, where they are wanted.
    pub masked: Option<Masked>,
}

/// Stretches with interrupts masked by PRIMASK. Sleep is none, since an interrupt ends it; nor are the boot ROM's functions, which
/// erase and program flash.
#[derive(Clone, Copy, Debug, Default)]
pub struct Masked {
    since: Option<u64>,
    /// The longest, in cycles.
    pub longest: u64,
}

impl Masked {
    /// An instruction at `at` has ended `now`.
    fn step(&mut self, masked: bool, interrupted: bool, now: u64, at: u32) {
        const ROM: std::ops::Range<u32> = 0..0x8000;

        match self.since {
            _ if interrupted || ROM.contains(&at) => self.since = masked.then_some(now),
            None => self.since = masked.then_some(now),
            Some(since) => {
                self.longest = self.longest.max(now - since);
                self.since = self.since.filter(|_| masked);
            }
        }
    }
}

impl Paced {
    fn counts(&self) -> bool {
        self.profile.is_some() || self.in_handlers.is_some() || self.masked.is_some()
    }
}

impl Engine for Paced {
    fn enter(&mut self, entry: Entry) {
        self.inner.enter(entry);
    }

    fn run<B: Bus>(&mut self, bus: &mut B) -> Result<(), Halt> {
        if self.pace == Pace::USUAL && !self.counts() {
            return self.inner.run(bus);
        }
        // One instruction at a time: what the core does to the board happens at its moment. A core that sleeps gets no time
        // first: it wakes, and takes its exception, or it does not.
        let mut wakes = self.inner.sleeping();
        loop {
            let Clock { now, limit } = *bus.clock();
            if now >= limit || self.inner.sleeping() && !wakes {
                return Ok(());
            }
            bus.clock().limit = if wakes { now } else { now + 1 };
            wakes = false;
            let at = self.inner.registers()[15];
            let executed = self.inner.executed();
            let handles = self.inner.core().exception() != 0;
            let slept = self.inner.sleeping();
            let result = self.inner.run(&mut Slow { bus, flash_read: self.pace.flash_read });
            let clock = bus.clock();
            let wanted = clock.limit == 0;
            let tenths = (clock.now - now) * self.pace.tenths + self.rest;
            clock.now = now + tenths / 10;
            self.rest = tenths % 10;
            clock.limit = if wanted { 0 } else { limit };
            let now = clock.now;
            if let Some(masked) = &mut self.masked {
                let sleeps = slept || self.inner.sleeping();
                masked.step(self.inner.core().masks_interrupts(), sleeps, now, at);
            }
            if self.inner.sleeping() && self.inner.executed() == executed {
                // It did not wake.
                let clock = bus.clock();
                clock.now = clock.now.max(limit);
                return result;
            }
            if let Some(profile) = &mut self.profile {
                *profile.entry(at).or_default() += tenths / 10;
            }
            if let Some(cycles) = self.in_handlers.as_mut().filter(|_| handles || self.inner.core().exception() != 0) {
                *cycles += tenths / 10;
            }
            result?;
        }
    }

    fn registers(&self) -> [u32; 16] {
        self.inner.registers()
    }

    fn exception(&self) -> u16 {
        self.inner.exception()
    }

    fn sleeping(&self) -> bool {
        self.inner.sleeping()
    }

    fn executed(&self) -> u64 {
        self.inner.executed()
    }
}

/// A bus on which data in flash is far away.
struct Slow<'b, B> {
    bus: &'b mut B,
    flash_read: u64,
}

impl<B: Bus> Slow<'_, B> {
    fn charge(&mut self, address: u32) {
        if FLASH.contains(&address) {
            self.bus.clock().now += self.flash_read;
        }
    }
}

impl<B: Bus> Bus for Slow<'_, B> {
    fn load8(&mut self, address: u32) -> Result<u32, Halt> {
        self.charge(address);
        self.bus.load8(address)
    }
    fn load16(&mut self, address: u32) -> Result<u32, Halt> {
        self.charge(address);
        self.bus.load16(address)
    }
    fn load32(&mut self, address: u32) -> Result<u32, Halt> {
        self.charge(address);
        self.bus.load32(address)
    }
    fn store8(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.bus.store8(address, value)
    }
    fn store16(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.bus.store16(address, value)
    }
    fn store32(&mut self, address: u32, value: u32) -> Result<(), Halt> {
        self.bus.store32(address, value)
    }
    fn fetch(&mut self, address: u32) -> Result<u16, Halt> {
        self.bus.fetch(address)
    }
    fn clock(&mut self) -> &mut Clock {
        self.bus.clock()
    }
    fn interrupts(&mut self) -> &mut Interrupts {
        self.bus.interrupts()
    }
    fn send_event(&mut self) {
        self.bus.send_event();
    }
    fn monitor(&mut self) -> u32 {
        self.bus.monitor()
    }
    fn fail(&mut self, what: String) -> Halt {
        self.bus.fail(what)
    }
    fn rom_call(&mut self, number: u8, registers: &mut [u32; 16], masked: bool) -> Result<(), Halt> {
        self.bus.rom_call(number, registers, masked)
    }
    fn code_change(&mut self) -> CodeChange {
        self.bus.code_change()
    }
    fn watch_code(&mut self, page: u32) {
        self.bus.watch_code(page);
    }
}
