//! The sensor of the stock firmware, for a board that runs the library natively: it is always as warm as the emulated chip.

use picovd::chip::temperature::centidegrees;
use picovd::clock::Instant;
use picovd::files::Temperatures;
use picovd::vd::{File, Files};
use std::time::Duration;

/// What the chip's ADC reads at 27 degrees Celsius.
const READING: u16 = 876;

/// The part of the stock program that reads the temperature.
pub struct Sensor {
    readings: &'static Temperatures,
    file: &'static File<'static>,
    interval: Duration,
    next: Duration,
}

impl Sensor {
    /// Reads the temperature at the start, and then once in each `interval`.
    #[must_use]
    pub const fn new(readings: &'static Temperatures, file: &'static File<'static>, interval: Duration) -> Self {
        Self { readings, file, interval, next: Duration::ZERO }
    }

    /// One turn of the main loop.
    pub fn turn(&mut self, files: &Files<'static>, now: Instant) {
        if Duration::from_micros(now.0) < self.next {
            return;
        }
        self.readings.push(self.next.as_secs() as u32, centidegrees(READING));
        // An application may have removed the file.
        let _ = files.update(self.file);
        self.next += self.interval;
    }
}
