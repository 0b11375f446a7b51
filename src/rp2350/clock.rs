//! Time since power-on, and the alarm that wakes the core (section 12.8, the system timer).

use super::processor;
use crate::clock::Instant;
use rp235x_hal::pac;
use rp235x_hal::pac::timer0::RegisterBlock;
use rp235x_hal::timer::{Alarm, Alarm0, TimerDevice};

/// Longest sleep, in microseconds: the alarm compares the low 32 bits of the time.
const LONGEST: u64 = 3_600_000_000;

/// Shortest sleep, in microseconds.
const SHORTEST: u64 = 100;

/// The first alarm of a system timer, TIMER0 or TIMER1.
pub(super) struct Clock<D: TimerDevice> {
    /// Proof that the timer runs, and that the alarm is not used elsewhere.
    _alarm: Alarm0<D>,
    armed: Option<Instant>,
}

/// The interrupt of a timer's first alarm.
pub(super) const fn interrupt<D: TimerDevice>() -> pac::Interrupt {
    if D::ID == 0 { pac::Interrupt::TIMER0_IRQ_0 } else { pac::Interrupt::TIMER1_IRQ_0 }
}

impl<D: TimerDevice> Clock<D> {
    /// The clock of a running timer. The alarm's interrupt stays masked: `Stick::sleep` waits for it.
    #[must_use]
    pub fn new(mut alarm: Alarm0<D>) -> Self {
        alarm.enable_interrupt();
        Self { _alarm: alarm, armed: None }
    }

    /// The timer's registers. Only bits and registers of the first alarm are written.
    fn registers(&self) -> &'static RegisterBlock {
        D::get_perif()
    }

    /// The time since power-on.
    #[must_use]
    pub fn now(&self) -> Instant {
        let timer = self.registers();
        let mut high = timer.timerawh().read().bits();
        loop {
            let low = timer.timerawl().read().bits();
            let again = timer.timerawh().read().bits();
            if high == again {
                return Instant(u64::from(high) << 32 | u64::from(low));
            }
            high = again;
        }
    }

    /// Whether the alarm's interrupt is pending.
    #[must_use]
    pub fn has_come(&self) -> bool {
        self.registers().intr().read().alarm_0().bit_is_set()
    }

    /// Clears the alarm's interrupt, if it is pending.
    pub fn acknowledge(&mut self) {
        // It may be from an alarm that went off while it was being set again, so it is cleared whichever alarm is armed
        // now.
        self.registers().intr().write(|w| w.alarm_0().clear_bit_by_one());
        // An alarm that has gone off is no longer armed.
        if self.registers().armed().read().bits() & 1 == 0 {
            self.armed = None;
        }
        processor::unpend(interrupt::<D>());
    }

    /// Wakes the core at `moment`, or not at all.
    pub fn wake_at(&mut self, moment: Option<Instant>) {
        if moment == self.armed {
            return;
        }
        self.armed = moment;
        // An alarm that was set for an earlier time wakes the core once too often, which does no harm.
        let Some(moment) = moment else { return };
        let wait = moment.0.saturating_sub(self.now().0).clamp(SHORTEST, LONGEST) as u32;
        let passed = |since: u32| self.registers().timerawl().read().bits().wrapping_sub(since);
        processor::free(|| {
            loop {
                let start = passed(0);
                // SAFETY: every value is a valid time.
                self.registers().alarm0().write(|w| unsafe { w.bits(start.wrapping_add(wait)) });
                // A time that has passed in the meantime would only match again in more than an hour.
                if passed(start) < wait {
                    break;
                }
            }
        });
    }
}
