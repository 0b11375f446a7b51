//! The private peripheral bus of a core (Armv8-M B3.29 to B3.32): NVIC, SysTick, system control block, MPU and FPU
//! registers, and the DWT cycle counter.

use super::interrupts::{
    BUS_FAULT, HARD_FAULT, IRQ_BASE, IRQ_COUNT, Interrupts, MEM_MANAGE, PENDSV, SVCALL, SYSTICK, USAGE_FAULT,
};
use super::registers::{Alias, Storage, register};

/// Cortex-M33 r1p0.
const CPUID: u32 = 0x411F_D210;
const AIRCR_KEY: u32 = 0x05FA;
/// SysTick's external reference is the 1 MHz tick.
const CYCLES_PER_REFERENCE: u64 = 150;

/// SecureFault, which nothing causes here.
const SECURE_FAULT: u16 = 7;
/// SHCSR (D1.2.241): exceptions, their active bits and, if they can be disabled, their enable bits.
const HANDLERS: [(u16, u32, Option<u32>); 8] = [
    (MEM_MANAGE, 0, Some(16)),
    (BUS_FAULT, 1, Some(17)),
    (HARD_FAULT, 2, None),
    (USAGE_FAULT, 3, Some(18)),
    (SECURE_FAULT, 4, Some(19)),
    (SVCALL, 7, None),
    (PENDSV, 10, None),
    (SYSTICK, 11, None),
];

/// What a write requires of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing beyond the register.
    None,
    /// AIRCR.SYSRESETREQ.
    Reset,
}

/// Registers of the private peripheral bus that have state of their own.
#[derive(Clone, Debug)]
pub struct Ppb {
    storage: Storage,
    systick: SysTick,
    cycle_offset: u64,
    cycle_counter: u32,
}

#[derive(Clone, Debug, Default)]
struct SysTick {
    control: u32,
    reload: u32,
    /// Cycle at which the counter was, or will be, equal to the reload value.
    since: u64,
    counted: bool,
    next: Option<u64>,
}

impl SysTick {
    fn scale(&self) -> u64 {
        if self.control & 4 != 0 { 1 } else { CYCLES_PER_REFERENCE }
    }

    fn period(&self) -> u64 {
        (u64::from(self.reload) + 1) * self.scale()
    }

    fn start(&mut self, now: u64) {
        self.since = now;
        let runs = self.control & 1 != 0 && self.reload != 0;
        self.next = runs.then(|| now + self.period());
    }

    fn current(&self, now: u64) -> u32 {
        if self.next.is_none() {
            return 0;
        }
        let gone = now.saturating_sub(self.since) % self.period() / self.scale();
        (u64::from(self.reload) - gone) as u32
    }
}

impl Default for Ppb {
    fn default() -> Self {
        Self {
            storage: Storage::new([
                // ACTLR, SCR, CCR.
                register(0xE008, 0, 0x3FFF_FFFF),
                register(0xED10, 0, 0x1E),
                register(0xED14, 0x201, 0x7_0B1B),
                // DFSR.
                register(0xED30, 0, 0),
                // MPU: stored, never enforced.
                register(0xED90, 0x800, 0),
                register(0xED94, 0, 7),
                register(0xED98, 0, 7),
                register(0xED9C, 0, u32::MAX),
                register(0xEDA0, 0, u32::MAX),
                register(0xEDC0, 0, u32::MAX),
                register(0xEDC4, 0, u32::MAX),
                // NSACR.
                register(0xED8C, 0, 0xCFF),
                // DHCSR reads as "no debugger"; DEMCR.
                register(0xEDF0, 0, 0),
                register(0xEDFC, 0, 0x0100_0000),
                // FPCAR and MVFR0 to 2.
                register(0xEF38, 0, u32::MAX),
                register(0xEF40, 0x1011_0021, 0),
                register(0xEF44, 0x1100_0011, 0),
                register(0xEF48, 0x0000_0040, 0),
                // FPCCR keeps its other bits here.
                register(0xEF34, 0xC000_0004, 0xC000_0000),
            ]),
            systick: SysTick::default(),
            cycle_offset: 0,
            cycle_counter: 0x4000_0000,
        }
    }
}

impl Ppb {
    /// ACTLR.EXTEXCLALL: exclusive accesses take the other core's writes into account.
    #[must_use]
    pub fn watches_exclusives(&self) -> bool {
        self.storage.value(0xE008) >> 29 & 1 != 0
    }

    /// Whether SysTick runs and may raise its exception.
    #[must_use]
    pub fn systick_interrupts(&self) -> bool {
        self.systick.control & 3 == 3
    }

    /// The cycle of the next event.
    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        self.systick.next
    }

    /// Lets SysTick expire. Returns true if its exception became pending.
    pub fn advance(&mut self, now: u64, interrupts: &mut Interrupts) -> bool {
        let Some(next) = self.systick.next else { return false };
        if next > now {
            return false;
        }
        let period = self.systick.period();
        let missed = (now - next) / period + 1;
        self.systick.since += missed * period;
        self.systick.next = Some(self.systick.since + period);
        self.systick.counted = true;
        if self.systick.control & 2 != 0 {
            interrupts.pend(SYSTICK);
            return true;
        }
        false
    }

    /// Reads the word at an offset from 0xE000_0000.
    pub fn read(&mut self, offset: u32, now: u64, interrupts: &Interrupts) -> Option<u32> {
        Some(match offset {
            0x1000 => self.cycle_counter,
            0x1004 if self.cycle_counter & 1 != 0 => now.wrapping_sub(self.cycle_offset) as u32,
            0x1004 => 0,
            0xE004 => 1,
            0xE010 => {
                let counted = u32::from(std::mem::take(&mut self.systick.counted)) << 16;
                self.systick.control | counted
            }
            0xE014 => self.systick.reload,
            0xE018 => self.systick.current(now),
            // CALIB: no reference value is known.
            0xE01C => 0x8000_0000,
            0xE100 | 0xE104 | 0xE180 | 0xE184 => bits(offset, |n| interrupts.is_enabled(n)),
            0xE200 | 0xE204 | 0xE280 | 0xE284 => bits(offset, |n| interrupts.is_pending(n)),
            0xE300 | 0xE304 => bits(offset, |n| interrupts.is_active(n)),
            // ITNS: every interrupt is Secure.
            0xE380 | 0xE384 => 0,
            0xE400..=0xE430 => {
                let first = IRQ_BASE + (offset - 0xE400) as u16;
                priorities(interrupts, [first, first + 1, first + 2, first + 3])
            }
            0xED00 => CPUID,
            0xED04 => {
                let pending = interrupts.next(i16::MAX).unwrap_or(0);
                u32::from(interrupts.is_pending(PENDSV)) << 28
                    | u32::from(interrupts.is_pending(SYSTICK)) << 26
                    | u32::from(pending) << 12
            }
            0xED08 => interrupts.vector_table,
            0xED0C => 0xFA05_0000,
            0xED18 => priorities(interrupts, [MEM_MANAGE, BUS_FAULT, USAGE_FAULT, SECURE_FAULT]),
            0xED1C => u32::from(interrupts.priority(SVCALL) as u8) << 24,
            0xED20 => {
                u32::from(interrupts.priority(SYSTICK) as u8) << 24 | u32::from(interrupts.priority(PENDSV) as u8) << 16
            }
            0xED24 => HANDLERS
                .iter()
                .map(|(exception, active, enable)| {
                    let enabled = enable.is_some_and(|_| interrupts.is_enabled(*exception));
                    u32::from(interrupts.is_active(*exception)) << active | u32::from(enabled) << enable.unwrap_or(0)
                })
                .fold(0, |all, bits| all | bits),
            0xED28 => interrupts.fault_status.configurable,
            0xED2C => interrupts.fault_status.hard,
            0xED34 => interrupts.fault_status.memory_address,
            0xED38 => interrupts.fault_status.bus_address,
            0xED88 => interrupts.coprocessor_access,
            0xEF3C => interrupts.default_fpscr,
            _ => return self.storage.read(offset),
        })
    }

    /// Writes the word at an offset from 0xE000_0000.
    pub fn write(&mut self, offset: u32, word: u32, now: u64, interrupts: &mut Interrupts) -> Option<Effect> {
        match offset {
            0x1000 => {
                self.cycle_counter = self.cycle_counter & !1 | word & 1;
            }
            0x1004 => self.cycle_offset = now.wrapping_sub(u64::from(word)),
            0xE010 => {
                let ran = self.systick.control & 1 != 0;
                self.systick.control = word & 7;
                if !ran || word & 1 == 0 {
                    self.systick.start(now);
                }
            }
            0xE014 => {
                self.systick.reload = word & 0xFF_FFFF;
                if self.systick.next.is_none() {
                    self.systick.start(now);
                }
            }
            0xE018 => {
                self.systick.counted = false;
                self.systick.start(now);
            }
            0xE100 | 0xE104 => each(offset, word, |n| interrupts.enable(n, true)),
            0xE180 | 0xE184 => each(offset, word, |n| interrupts.enable(n, false)),
            0xE200 | 0xE204 => each(offset, word, |n| interrupts.pend(n)),
            0xE280 | 0xE284 => each(offset, word, |n| interrupts.unpend(n)),
            0xE400..=0xE430 => {
                let first = IRQ_BASE + (offset - 0xE400) as u16;
                for (n, priority) in word.to_le_bytes().into_iter().enumerate() {
                    interrupts.set_priority(first + n as u16, priority);
                }
            }
            0xED04 => {
                for (bit, exception) in [(28, PENDSV), (26, SYSTICK)] {
                    if word >> bit & 1 != 0 {
                        interrupts.pend(exception);
                    }
                    if word >> (bit - 1) & 1 != 0 {
                        interrupts.unpend(exception);
                    }
                }
            }
            0xED08 => interrupts.vector_table = word & !0x7F,
            0xED0C => {
                // Sub-priorities (PRIGROUP) are not modelled.
                if word >> 16 != AIRCR_KEY || word & 0x700 != 0 {
                    return None;
                }
                if word & 4 != 0 {
                    return Some(Effect::Reset);
                }
            }
            0xED10 => {
                // SLEEPONEXIT is not modelled.
                if word & 2 != 0 {
                    return None;
                }
                interrupts.event_on_pend = word & 0x10 != 0;
                self.storage.write(offset, Alias::Write, word)?;
            }
            0xED18 => {
                for (exception, priority) in [MEM_MANAGE, BUS_FAULT, USAGE_FAULT].into_iter().zip(word.to_le_bytes()) {
                    interrupts.set_priority(exception, priority);
                }
            }
            0xED1C => interrupts.set_priority(SVCALL, (word >> 24) as u8),
            0xED20 => {
                interrupts.set_priority(SYSTICK, (word >> 24) as u8);
                interrupts.set_priority(PENDSV, (word >> 16) as u8);
            }
            // Pending and active bits are not for programs.
            0xED24 => {
                for (exception, _, enable) in HANDLERS {
                    if let Some(bit) = enable {
                        interrupts.enable(exception, word >> bit & 1 != 0);
                    }
                }
            }
            0xED28 => interrupts.fault_status.configurable &= !word,
            0xED2C => interrupts.fault_status.hard &= !word,
            0xED34 => interrupts.fault_status.memory_address = word,
            0xED38 => interrupts.fault_status.bus_address = word,
            0xED88 => interrupts.coprocessor_access = word & 0x00F0_FFFF,
            0xEF00 => interrupts.pend(IRQ_BASE + (word & 0x1FF) as u16 % IRQ_COUNT),
            0xEF34 => {
                self.storage.write(offset, Alias::Write, word)?;
                interrupts.automatic_fp_state = word >> 31 != 0;
            }
            0xEF3C => interrupts.default_fpscr = word & 0x07C0_0000,
            _ => self.storage.write(offset, Alias::Write, word)?,
        }
        Some(Effect::None)
    }
}

fn first_exception(offset: u32) -> u16 {
    IRQ_BASE + if offset & 4 != 0 { 32 } else { 0 }
}

fn bits(offset: u32, test: impl Fn(u16) -> bool) -> u32 {
    let first = first_exception(offset);
    (0..32).filter(|n| first + n < IRQ_BASE + IRQ_COUNT && test(first + n)).fold(0, |all, n| all | 1 << n)
}

fn each(offset: u32, word: u32, mut act: impl FnMut(u16)) {
    let first = first_exception(offset);
    for n in (0..32).filter(|n| word >> n & 1 != 0 && first + n < IRQ_BASE + IRQ_COUNT) {
        act(first + n);
    }
}

fn priorities(interrupts: &Interrupts, exceptions: [u16; 4]) -> u32 {
    u32::from_le_bytes(exceptions.map(|n| if n < IRQ_BASE + IRQ_COUNT { interrupts.priority(n) as u8 } else { 0 }))
}
