//! The bottom vocabulary: time since power-on, as it is handed in.

/// A moment, in microseconds since power-on. It never wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment that many milliseconds later.
    #[must_use]
    pub const fn after(self, milliseconds: u32) -> Self {
        Self(self.0.saturating_add(milliseconds as u64 * 1000))
    }
}
