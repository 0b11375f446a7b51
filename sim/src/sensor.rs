//! The sensor of the stock firmware, for a board that runs the library natively: it is always as warm as the emulated chip.

use picovd::chip::temperature::centidegrees;
use picovd::clock::Instant;
use picovd::files::CsvRing;
use picovd::vd::{File, Files};
use std::time::Duration;

/// The last readings: seconds since the start, and degrees Celsius.
pub type Readings = CsvRing<(u32, f32), 60>;

/// No readings.
#[must_use]
pub const fn readings() -> Readings {
    CsvRing::new("second,celsius")
}

/// What the chip's ADC reads at 27 degrees Celsius.
const READING: u16 = 876;

/// The part of the stock program that reads the temperature.
pub struct Sensor {
    readings: &'static Readings,
    file: &'static File<'static>,
    interval: Duration,
    next: Duration,
}

impl Sensor {
    /// Reads the temperature at the start, and then once in each `interval`.
    #[must_use]
    pub const fn new(readings: &'static Readings, file: &'static File<'static>, interval: Duration) -> Self {
        Self { readings, file, interval, next: Duration::ZERO }
    }

    /// One turn of the main loop.
    pub fn turn(&mut self, files: &Files<'static>, now: Instant) {
        if Duration::from_micros(now.0) < self.next {
            return;
        }
        let row = (self.next.as_secs() as u32, f32::from(centidegrees(READING) as i16) / 100.0);
        // Two numbers always fit into a line. An application may have removed the file.
        let _ = self.readings.push(row);
        let _ = files.update(self.file);
        self.next += self.interval;
    }
}
