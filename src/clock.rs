//! Basic types: time since power-on, which the caller supplies, and durations.

/// A point in time, in microseconds since power-on. It never wraps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// The point in time this much later.
    #[must_use]
    pub const fn after(self, time: Milliseconds) -> Self {
        Self(self.0.saturating_add(time.0 as u64 * 1000))
    }
}

/// A duration of 0 to 49 days. It is one word, where a [`Duration`](core::time::Duration) takes four, and code for dividing
/// them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Milliseconds(pub u32);
