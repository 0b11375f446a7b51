//! Waiting while the stick runs.

use super::stick::{Home, Running, Stick};
use crate::clock::Instant;
use crate::stick::Firmware;
use rp235x_hal::timer::TimerDevice;

impl<F: Firmware<'static>, H: Home<Running<F>>, D: TimerDevice> Stick<F, H, D> {
    /// Runs the stick until `moment`, and sleeps in between: for a program that has nothing else to do until then. Polls once if
    /// `moment` has passed.
    ///
    /// ```ignore
    /// let mut next = stick.now();
    /// loop {
    ///     blink();
    ///     next += Duration::from_millis(500);
    ///     stick.poll_until(next);
    /// }
    /// ```
    pub fn poll_until(&mut self, moment: Instant) {
        self.poll();
        while self.now() < moment {
            self.wake_at(moment);
            self.sleep();
            self.poll();
        }
    }
}
