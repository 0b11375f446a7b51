//! Time since power-on, and waking up in time (section 12.8, the system timer).

use super::processor;
use crate::clock::Instant;
use rp235x_hal::clocks::ClocksManager;
use rp235x_hal::pac;
use rp235x_hal::pac::timer0::RegisterBlock;
use rp235x_hal::timer::{CopyableTimer0, Timer};

/// Longest sleep, in microseconds: the alarm compares the low 32 bits of the time.
const LONGEST: u64 = 3_600_000_000;

/// Shortest sleep, in microseconds.
const SHORTEST: u64 = 100;

/// TIMER0 and its first alarm.
pub(super) struct Clock {
    timer: Timer<CopyableTimer0>,
    armed: Option<Instant>,
}

impl Clock {
    /// Starts the timer. Its first alarm's interrupt stays masked: `Stick::sleep` waits for it.
    #[must_use]
    pub fn new(timer: pac::TIMER0, resets: &mut pac::RESETS, clocks: &ClocksManager) -> Self {
        let clock = Self { timer: Timer::new_timer0(timer, resets, clocks), armed: None };
        clock.registers().inte().write(|w| w.alarm_0().set_bit());
        clock
    }

    /// TIMER0's registers.
    fn registers(&self) -> &RegisterBlock {
        // SAFETY: the timer was handed to `new`, whose clock exists once. Its `timer` reads the time alone.
        unsafe { &*pac::TIMER0::ptr() }
    }

    /// The time since power-on.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(self.timer.get_counter().ticks())
    }

    /// Whether the alarm's interrupt has come, and was not taken back.
    #[must_use]
    pub fn has_come(&self) -> bool {
        self.registers().intr().read().alarm_0().bit_is_set()
    }

    /// Takes the alarm's interrupt back, if it came.
    pub fn acknowledge(&mut self) {
        // It may be that of an alarm which went off while it was set again, so it is cleared whichever is armed now.
        self.registers().intr().write(|w| w.alarm_0().clear_bit_by_one());
        // An alarm that has gone off is no longer armed.
        if self.registers().armed().read().bits() & 1 == 0 {
            self.armed = None;
        }
        processor::unpend(pac::Interrupt::TIMER0_IRQ_0);
    }

    /// Wakes the core at that moment, or not at all.
    pub fn wake_at(&mut self, moment: Option<Instant>) {
        if moment == self.armed {
            return;
        }
        self.armed = moment;
        // An alarm that was for an earlier moment only wakes the core for nothing.
        let Some(moment) = moment else { return };
        let wait = moment.0.saturating_sub(self.now().0).clamp(SHORTEST, LONGEST) as u32;
        let passed = |since: u32| self.timer.get_counter_low().wrapping_sub(since);
        processor::free(|| {
            loop {
                let start = passed(0);
                // SAFETY: any moment may be there.
                self.registers().alarm0().write(|w| unsafe { w.bits(start.wrapping_add(wait)) });
                // A moment that has gone by meanwhile would come again in more than an hour.
                if passed(start) < wait {
                    break;
                }
            }
        });
    }
}
