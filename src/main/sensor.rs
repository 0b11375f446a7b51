//! SENSOR.CSV: the chip's temperature.

use core::time::Duration;
use picovd::clock::Instant;
use picovd::files::Temperatures;
use picovd::rp2350::Thermometer;
use picovd::vd::{File, Files};

/// The newest readings.
pub static READINGS: Temperatures = Temperatures::new();

/// What reads the temperature.
pub struct Sensor {
    file: &'static File<'static>,
    thermometer: Thermometer,
    interval: Duration,
    /// Time of the next reading since the start.
    next: Duration,
}

impl Sensor {
    /// Reads it at the start, and then once in each `interval`.
    pub const fn new(file: &'static File<'static>, thermometer: Thermometer, interval: Duration) -> Self {
        Self { file, thermometer, interval, next: Duration::ZERO }
    }

    /// Reads it if it is time, and returns when to read it again.
    pub fn turn(&mut self, files: &Files<'static>, now: Instant) -> Instant {
        if Instant::default() + self.next <= now {
            READINGS.push(self.next.as_secs() as u32, self.thermometer.centidegrees());
            // Nobody takes the file away.
            let _ = files.update(self.file);
            self.next = self.next.saturating_add(self.interval);
        }
        Instant::default() + self.next
    }
}
