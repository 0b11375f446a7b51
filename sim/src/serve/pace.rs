//! Real time for the simulated device: its clock never falls behind the wall clock while it keeps up, and debts that it
//! cannot pay (an emulated chip may be slower than a real one) are forgiven.

use std::time::{Duration, Instant};

use super::bus::Bus;

/// Time that may be made up for in one go: longer, and the other end would wait for its answer.
const LIMIT: Duration = Duration::from_millis(5);

/// Compares the two clocks.
#[derive(Debug)]
pub struct Pace {
    wall: Instant,
    device: Duration,
}

impl Pace {
    /// Both clocks, now.
    #[must_use]
    pub fn new(bus: &Bus) -> Self {
        Self { wall: Instant::now(), device: bus.now() }
    }

    /// Lets the device have the time that passed for everybody else since the last call.
    pub fn keep(&mut self, bus: &mut Bus) {
        let wall = self.wall.elapsed();
        let device = bus.now().saturating_sub(self.device);
        if let Some(behind) = wall.checked_sub(device) {
            bus.elapse(behind.min(LIMIT));
        }
        *self = Self::new(bus);
    }
}
