//! The bottom vocabulary: time since power-on, as it is handed in, and lengths of time.

/// A moment, in microseconds since power-on. It never wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment that much later.
    #[must_use]
    pub const fn after(self, time: Milliseconds) -> Self {
        Self(self.0.saturating_add(time.0 as u64 * 1000))
    }
}

/// A length of time: 0 to 49 days. A word, where a [`Duration`](core::time::Duration) takes four, and code to divide them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milliseconds(pub u32);
