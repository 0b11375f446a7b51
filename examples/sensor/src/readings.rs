//! The last twenty readings, and how they look as CSV.

use core::fmt::{self, Display, Formatter};

/// How many readings are kept.
const KEPT: usize = 20;

/// A ring of readings, in hundredths of a degree Celsius, one a second.
#[derive(Clone, Copy)]
pub struct Readings {
    taken: u32,
    ring: [i16; KEPT],
}

impl Readings {
    /// None yet.
    pub const NONE: Self = Self { taken: 0, ring: [0; KEPT] };
    /// Longest text of all readings, in bytes: the heading, and lines such as `4294967295,-327.68`.
    pub const LONGEST: u32 = 17 + 20 * KEPT as u32;

    /// How many there were, since power-on.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Adds a reading, in place of the oldest where the ring is full.
    pub fn push(&mut self, reading: i16) {
        let place = self.taken as usize % KEPT;
        if let Some(slot) = self.ring.get_mut(place) {
            *slot = reading;
        }
        self.taken = self.taken.wrapping_add(1);
    }
}

/// The formatter: the file is never anywhere as a whole; each packet renders its part.
impl Display for Readings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("second,celsius\r\n")?;
        for second in self.taken.saturating_sub(KEPT as u32)..self.taken {
            let reading = self.ring.get(second as usize % KEPT).copied().unwrap_or(0);
            let sign = if reading < 0 { "-" } else { "" };
            let (whole, part) = (reading.unsigned_abs() / 100, reading.unsigned_abs() % 100);
            write!(f, "{second},{sign}{whole}.{part:02}\r\n")?;
        }
        Ok(())
    }
}
