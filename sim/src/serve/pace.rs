//! Real time for the simulated device: its clock keeps up with the wall clock if possible; what it cannot catch up with (an
//! emulated chip may be slower than a real one) is dropped.

use std::time::{Duration, Instant};

use super::bus::Bus;

/// Maximum time to catch up with at once: otherwise the other end would wait too long for its answer.
const LIMIT: Duration = Duration::from_millis(5);

/// Compares the two clocks.
#[derive(Debug)]
pub struct Pace {
    wall: Instant,
    device: Duration,
}

impl Pace {
    /// Starts both clocks.
    #[must_use]
    pub fn new(bus: &Bus) -> Self {
        Self { wall: Instant::now(), device: bus.now() }
    }

    /// Advances the device's time by the real time since the last call.
    pub fn keep(&mut self, bus: &mut Bus) {
        let wall = self.wall.elapsed();
        let device = bus.now().saturating_sub(self.device);
        if let Some(behind) = wall.checked_sub(device) {
            bus.elapse(behind.min(LIMIT));
        }
        *self = Self::new(bus);
    }
}
