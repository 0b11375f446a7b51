//! TIMER0, TIMER1 and the watchdog's counter (RP2350 datasheet 12.8, 12.9): time in ticks, derived from the clock.

use super::registers::Alias;

/// One 64-bit timer with four alarms.
#[derive(Clone, Debug, Default)]
pub struct Timer {
    /// Ticks counted up to `since`.
    base: u64,
    since: u64,
    cycles_per_tick: Option<u64>,
    alarms: [u32; 4],
    /// Cycle at which an armed alarm fires.
    due: [Option<u64>; 4],
    latched_high: u32,
    low_written: u32,
    raised: u32,
    enabled: u32,
    forced: u32,
    debug_pause: u32,
    paused: bool,
    /// Alarms armed while the tick is stopped.
    waiting: [bool; 4],
}

impl Timer {
    /// Ticks counted.
    #[must_use]
    pub fn ticks(&self, now: u64) -> u64 {
        match self.cycles_per_tick {
            Some(cycles) if !self.paused => self.base.wrapping_add(now.saturating_sub(self.since) / cycles),
            _ => self.base,
        }
    }

    /// The tick generator changed.
    pub fn set_tick(&mut self, cycles_per_tick: Option<u64>, now: u64) {
        if cycles_per_tick == self.cycles_per_tick {
            return;
        }
        self.base = self.ticks(now);
        self.since = now;
        self.cycles_per_tick = cycles_per_tick;
        self.reschedule(now);
    }

    fn reschedule(&mut self, now: u64) {
        for n in 0..4 {
            if self.due[n].is_some() || self.waiting[n] {
                self.arm(n, now);
            }
        }
    }

    fn arm(&mut self, n: usize, now: u64) {
        let ahead = u64::from(self.alarms[n].wrapping_sub(self.ticks(now) as u32));
        // The comparison is for equality: a target equal to the current time matches immediately.
        self.due[n] = match self.cycles_per_tick {
            Some(cycles) if !self.paused => {
                // The cores' times differ by a few cycles.
                let into = now.saturating_sub(self.since) % cycles;
                Some(if ahead == 0 { now } else { now - into + ahead * cycles })
            }
            _ => None,
        };
        self.waiting[n] = self.due[n].is_none();
    }

    /// Fires what is due. True if the interrupt outputs may have changed.
    pub fn advance(&mut self, now: u64) -> bool {
        let mut changed = false;
        for n in 0..4 {
            if self.due[n].is_some_and(|due| due <= now) {
                self.due[n] = None;
                self.raised |= 1 << n;
                changed = true;
            }
        }
        changed
    }

    /// The cycle of the next event.
    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        self.due.iter().flatten().min().copied()
    }

    /// The four interrupt outputs.
    #[must_use]
    pub fn interrupts(&self) -> u32 {
        self.raised & self.enabled | self.forced
    }

    fn armed(&self) -> u32 {
        (0..4).filter(|&n| self.due[n].is_some() || self.waiting[n]).fold(0, |bits, n| bits | 1 << n)
    }

    /// Reads a register.
    pub fn read(&mut self, offset: u32, now: u64) -> Option<u32> {
        let ticks = self.ticks(now);
        Some(match offset {
            0x08 => self.latched_high,
            0x0C => {
                self.latched_high = (ticks >> 32) as u32;
                ticks as u32
            }
            0x10..=0x1C => *self.alarms.get((offset as usize - 0x10) / 4)?,
            0x20 => self.armed(),
            0x24 => (ticks >> 32) as u32,
            0x28 => ticks as u32,
            0x2C => self.debug_pause,
            0x30 => u32::from(self.paused),
            0x3C => self.raised,
            0x40 => self.enabled,
            0x44 => self.forced,
            0x48 => self.interrupts(),
            _ => return None,
        })
    }

    /// Writes a register.
    pub fn write(&mut self, offset: u32, alias: Alias, word: u32, now: u64) -> Option<()> {
        match offset {
            // The new time is taken when the high half is written.
            0x00 => {
                self.base = u64::from(word) << 32 | u64::from(self.low_written);
                self.since = now;
                self.reschedule(now);
            }
            0x04 => self.low_written = word,
            0x10..=0x1C => {
                let n = (offset as usize - 0x10) / 4;
                self.alarms[n] = alias.apply(self.alarms[n], word);
                self.arm(n, now);
            }
            0x20 => {
                for n in 0..4 {
                    if word >> n & 1 != 0 {
                        self.due[n] = None;
                        self.waiting[n] = false;
                    }
                }
            }
            0x2C => self.debug_pause = alias.apply_masked(self.debug_pause, word, 6),
            0x30 => {
                self.base = self.ticks(now);
                self.since = now;
                self.paused = alias.apply(u32::from(self.paused), word) & 1 != 0;
                self.reschedule(now);
            }
            0x3C => self.raised &= !word,
            0x40 => self.enabled = alias.apply_masked(self.enabled, word, 15),
            0x44 => self.forced = alias.apply_masked(self.forced, word, 15),
            _ => return None,
        }
        Some(())
    }
}

/// What the watchdog decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bite {
    /// The counter ran out.
    Timeout,
    /// CTRL.TRIGGER was written.
    Forced,
}

/// The watchdog.
#[derive(Clone, Debug, Default)]
pub struct Watchdog {
    ctrl: u32,
    expires: Option<u64>,
    left: u32,
    cycles_per_tick: Option<u64>,
    reason: u32,
    scratch: [u32; 8],
}

const ENABLE: u32 = 1 << 30;
const TRIGGER: u32 = 1 << 31;

impl Watchdog {
    /// The state after a reset that the watchdog survives: scratch registers are unchanged.
    pub fn restart(&mut self, reason: Option<Bite>) {
        let scratch = self.scratch;
        *self = Self { ctrl: 0x0700_0000, scratch, ..Self::default() };
        self.reason = match reason {
            None => 0,
            Some(Bite::Timeout) => 1,
            Some(Bite::Forced) => 2,
        };
    }

    /// The ROM's reboot function uses the watchdog for its delay, and leaves it armed with that delay, in milliseconds: it
    /// counts again when it gets a tick.
    pub fn left_armed(&mut self, delay: u32) {
        self.ctrl |= ENABLE;
        self.left = delay.saturating_mul(1000);
    }

    fn remaining(&self, now: u64) -> u32 {
        match (self.expires, self.cycles_per_tick) {
            (Some(expires), Some(cycles)) => (expires.saturating_sub(now) / cycles) as u32,
            _ => self.left,
        }
    }

    fn reload(&mut self, left: u32, now: u64) {
        self.left = left;
        let runs = self.ctrl & ENABLE != 0;
        self.expires = self.cycles_per_tick.filter(|_| runs).map(|cycles| now + u64::from(left) * cycles);
    }

    /// The tick generator changed.
    pub fn set_tick(&mut self, cycles_per_tick: Option<u64>, now: u64) {
        let left = self.remaining(now);
        self.cycles_per_tick = cycles_per_tick;
        self.reload(left, now);
    }

    /// The cycle of the next event.
    #[must_use]
    pub fn next_event(&self) -> Option<u64> {
        self.expires
    }

    /// Whether the board has to be reset.
    #[must_use]
    pub fn bites(&self, now: u64) -> Option<Bite> {
        if self.ctrl & TRIGGER != 0 {
            return Some(Bite::Forced);
        }
        self.expires.filter(|expires| *expires <= now).map(|_| Bite::Timeout)
    }

    /// Reads a register.
    #[must_use]
    pub fn read(&self, offset: u32, now: u64) -> Option<u32> {
        Some(match offset {
            0x00 => self.ctrl | self.remaining(now) & 0xFF_FFFF,
            0x08 => self.reason,
            0x0C..=0x28 => *self.scratch.get((offset as usize - 0x0C) / 4)?,
            _ => return None,
        })
    }

    /// Writes a register.
    pub fn write(&mut self, offset: u32, alias: Alias, word: u32, now: u64) -> Option<()> {
        match offset {
            0x00 => {
                let left = self.remaining(now);
                self.ctrl = alias.apply_masked(self.ctrl, word, 0xC700_0000);
                self.reload(left, now);
            }
            0x04 => self.reload(word & 0xFF_FFFF, now),
            0x0C..=0x28 => {
                let scratch = self.scratch.get_mut((offset as usize - 0x0C) / 4)?;
                *scratch = alias.apply(*scratch, word);
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_fires_on_its_tick() {
        let mut timer = Timer::default();
        timer.set_tick(Some(150), 0);
        timer.write(0x40, Alias::Write, 2, 0);
        timer.write(0x14, Alias::Write, 10, 70);
        assert_eq!(timer.next_event(), Some(1500));
        assert_eq!(timer.read(0x20, 80), Some(2));
        assert!(!timer.advance(1499));
        assert!(timer.advance(1500));
        assert_eq!((timer.interrupts(), timer.ticks(1500)), (2, 10));
        timer.write(0x3C, Alias::Write, 2, 1600);
        assert_eq!(timer.interrupts(), 0);
    }

    #[test]
    fn the_watchdog_bites_unless_fed() {
        let mut dog = Watchdog::default();
        dog.set_tick(Some(150), 0);
        dog.write(0, Alias::Set, ENABLE, 0);
        dog.write(4, Alias::Write, 1000, 0);
        dog.write(4, Alias::Write, 1000, 100_000);
        assert_eq!(dog.bites(249_999), None);
        assert_eq!(dog.bites(250_000), Some(Bite::Timeout));
    }
}
