//! Time since power-on, and waking up in time (section 12.8, the system timer).

use crate::clock::Instant;
use rp235x_hal::clocks::ClocksManager;
use rp235x_hal::fugit::MicrosDurationU32;
use rp235x_hal::pac;
use rp235x_hal::timer::{Alarm, Alarm0, CopyableTimer0, Timer};

/// Longest sleep, in microseconds: the alarm compares the low 32 bits of the time.
const LONGEST: u64 = 3_600_000_000;

/// Shortest sleep, in microseconds.
const SHORTEST: u64 = 100;

/// TIMER0 and its first alarm.
pub struct Clock {
    timer: Timer<CopyableTimer0>,
    alarm: Option<Alarm0<CopyableTimer0>>,
    armed: Option<Instant>,
}

impl Clock {
    /// Starts the timer. Its first alarm's interrupt stays masked: `Stick::sleep` waits for it.
    #[must_use]
    pub fn new(timer: pac::TIMER0, resets: &mut pac::RESETS, clocks: &ClocksManager) -> Self {
        let mut timer = Timer::new_timer0(timer, resets, clocks);
        let mut alarm = timer.alarm_0();
        if let Some(alarm) = &mut alarm {
            alarm.enable_interrupt();
        }
        Self { timer, alarm, armed: None }
    }

    /// The time since power-on.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(self.timer.get_counter().ticks())
    }

    /// Takes the alarm's interrupt back, if it came.
    pub fn acknowledge(&mut self) {
        if let Some(alarm) = self.alarm.as_mut().filter(|alarm| alarm.finished()) {
            alarm.clear_interrupt();
            self.armed = None;
        }
        super::processor::unpend(pac::Interrupt::TIMER0_IRQ_0);
    }

    /// Wakes the core at that moment, or not at all.
    pub fn wake_at(&mut self, moment: Option<Instant>) {
        if moment == self.armed {
            return;
        }
        self.armed = moment;
        let Some(alarm) = &mut self.alarm else { return };
        // An alarm that was for an earlier moment only wakes the core for nothing.
        if let Some(moment) = moment {
            let wait = moment.0.saturating_sub(self.timer.get_counter().ticks()).clamp(SHORTEST, LONGEST);
            // The alarm refuses only what is shorter.
            let _ = alarm.schedule(MicrosDurationU32::micros(wait as u32));
        }
    }
}
