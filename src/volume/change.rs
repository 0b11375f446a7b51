//! When changes are announced: many become one announcement.

use crate::clock::Instant;

/// The times of `[dynamic]` in the manifest, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A change is announced when no other has come for that long ...
    pub quiet: u32,
    /// ... or when the oldest one is that old ...
    pub max_age: u32,
    /// ... but never sooner than that after the last announcement.
    pub hold: u32,
}

/// Changes that no announcement has told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// The count of changes when last looked at.
    count: u32,
    /// When the oldest and the newest of them were noticed; `None` without any.
    span: Option<(Instant, Instant)>,
    /// When the last announcement was made.
    announced: Option<Instant>,
}

impl Pending {
    /// No change so far.
    #[must_use]
    pub const fn new() -> Self {
        Self { count: 0, span: None, announced: None }
    }

    /// Looks at the count of changes.
    pub fn note(&mut self, count: u32, now: Instant) {
        if count != self.count {
            self.count = count;
            let oldest = self.span.map_or(now, |(oldest, _)| oldest);
            self.span = Some((oldest, now));
        }
    }

    /// Whether there is a change that was not announced.
    #[must_use]
    pub fn any(&self) -> bool {
        self.span.is_some()
    }

    /// When what is pending is to be announced.
    #[must_use]
    pub fn due(&self, timing: &Timing) -> Option<Instant> {
        let (oldest, newest) = self.span?;
        let due = newest.after(timing.quiet).min(oldest.after(timing.max_age));
        Some(self.announced.map_or(due, |last| due.max(last.after(timing.hold))))
    }

    /// Everything up to now shows, and nobody has to be told.
    pub fn forget(&mut self) {
        self.span = None;
    }

    /// Everything up to now is announced.
    pub fn announce(&mut self, now: Instant) {
        self.span = None;
        self.announced = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { quiet: 500, max_age: 5_000, hold: 10_000 };

    fn at(milliseconds: u64) -> Instant {
        Instant(milliseconds * 1000)
    }

    #[test]
    fn a_single_change_waits_for_quiet() {
        let mut pending = Pending::default();
        assert_eq!(pending.due(&TIMING), None);
        pending.note(1, at(100));
        assert_eq!(pending.due(&TIMING), Some(at(600)));
        pending.note(1, at(400));
        assert_eq!(pending.due(&TIMING), Some(at(600)), "the same change is no new one");
    }

    #[test]
    fn changes_without_end_are_announced_at_max_age() {
        let mut pending = Pending::default();
        for count in 1..=100 {
            pending.note(count, at(u64::from(count) * 100));
        }
        assert_eq!(pending.due(&TIMING), Some(at(5_100)));
    }

    #[test]
    fn the_next_announcement_waits_for_hold() {
        let mut pending = Pending::default();
        pending.note(1, at(0));
        pending.announce(at(500));
        assert_eq!(pending.due(&TIMING), None);
        pending.note(2, at(1_000));
        assert_eq!(pending.due(&TIMING), Some(at(10_500)));
        pending.announce(at(10_500));
        pending.note(3, at(50_000));
        assert_eq!(pending.due(&TIMING), Some(at(50_500)));
    }
}
