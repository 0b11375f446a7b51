//! When and how changes are announced: many become one announcement.

use crate::clock::{Instant, Milliseconds};

/// How a host is notified of a change: `[dynamic] refresh` of the manifest. In ascending order of what a host cannot miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refresh {
    /// Unit attention NOT READY TO READY CHANGE (06h/28h/00h) once. Hosts that keep the volume mounted may go on showing
    /// what they have in their caches.
    Attention,
    /// MEDIUM NOT PRESENT (02h/3Ah/00h) until the host has seen it and 2.5 s more, then the unit attention.
    Reinsert,
    /// [`Reinsert`](Self::Reinsert), and [`Reconnect`](Self::Reconnect) when the host has not looked for 5 s.
    Auto,
    /// The device leaves the bus for a moment.
    Reconnect,
}

/// The times of `[dynamic]` in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A change is announced when no other has come for that long ...
    pub quiet: Milliseconds,
    /// ... or when the oldest one is that old ...
    pub max_age: Milliseconds,
    /// ... but never sooner than that after the last announcement.
    pub hold: Milliseconds,
}

/// How changes reach the host: by the manifest's `[dynamic]`, or as the application says for one of them.
///
/// What waits together is announced together, so that no change waits longer and is told more weakly than it asks for: of
/// several changes the shortest of each time counts, and the [`Refresh`] that a host can miss least.
///
/// ```
/// # extern crate picovd_sim;
/// use picovd::vd::{Announcing, Milliseconds, Refresh, Timing};
///
/// const MANIFEST: Announcing = Announcing {
///     refresh: Refresh::Auto,
///     timing: Timing { quiet: Milliseconds(500), max_age: Milliseconds(5_000), hold: Milliseconds(10_000) },
/// };
/// // At once, but not sooner than 2 s after the last announcement, by leaving the bus.
/// const ALARM: Announcing =
///     MANIFEST.with_quiet(Milliseconds(0)).with_hold(Milliseconds(2_000)).with_refresh(Refresh::Reconnect);
/// # assert_eq!(ALARM.timing, Timing { hold: Milliseconds(2_000), quiet: Milliseconds(0), ..MANIFEST.timing });
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcing {
    /// The way.
    pub refresh: Refresh,
    /// The times.
    pub timing: Timing,
}

impl Announcing {
    /// The same in another way.
    #[must_use]
    pub const fn with_refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same, when no other change has come for so long.
    #[must_use]
    pub const fn with_quiet(mut self, quiet: Milliseconds) -> Self {
        self.timing.quiet = quiet;
        self
    }

    /// The same, when the oldest change is so old.
    #[must_use]
    pub const fn with_max_age(mut self, max_age: Milliseconds) -> Self {
        self.timing.max_age = max_age;
        self
    }

    /// The same, but not sooner than `hold` after the last announcement.
    #[must_use]
    pub const fn with_hold(mut self, hold: Milliseconds) -> Self {
        self.timing.hold = hold;
        self
    }

    /// What suits both.
    #[must_use]
    pub fn together(self, other: Self) -> Self {
        let (a, b) = (self.timing, other.timing);
        Self {
            refresh: self.refresh.max(other.refresh),
            timing: Timing { quiet: a.quiet.min(b.quiet), max_age: a.max_age.min(b.max_age), hold: a.hold.min(b.hold) },
        }
    }
}

/// Changes that no announcement has told yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    waiting: Option<Waiting>,
    /// When the last announcement was made.
    announced: Option<Instant>,
}

/// What all pending changes together ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    announcing: Announcing,
    /// When the newest of them was noticed.
    newest: Instant,
    /// When the first of them reaches its `max_age`.
    latest: Instant,
}

impl Pending {
    /// No change so far.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiting: None, announced: None }
    }

    /// A change, or several, noticed at `now`.
    pub fn note(&mut self, announcing: Announcing, now: Instant) {
        let latest = now.after(announcing.timing.max_age);
        self.waiting = Some(match self.waiting {
            None => Waiting { announcing, newest: now, latest },
            Some(before) => Waiting {
                announcing: before.announcing.together(announcing),
                newest: now,
                latest: before.latest.min(latest),
            },
        });
    }

    /// When what is pending is to be announced, and how; `None` when there is nothing.
    #[must_use]
    pub fn due(&self) -> Option<(Instant, Refresh)> {
        let Waiting { announcing, newest, latest } = self.waiting?;
        let due = newest.after(announcing.timing.quiet).min(latest);
        let due = self.announced.map_or(due, |last| due.max(last.after(announcing.timing.hold)));
        Some((due, announcing.refresh))
    }

    /// Everything up to now shows, and nobody has to be told.
    pub fn forget(&mut self) {
        self.waiting = None;
    }

    /// Everything up to now is announced.
    pub fn announce(&mut self, now: Instant) {
        self.waiting = None;
        self.announced = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: Announcing = Announcing {
        refresh: Refresh::Reinsert,
        timing: Timing { quiet: Milliseconds(500), max_age: Milliseconds(5_000), hold: Milliseconds(10_000) },
    };

    fn at(milliseconds: u64) -> Instant {
        Instant(milliseconds * 1000)
    }

    fn due(pending: &Pending) -> Option<Instant> {
        pending.due().map(|(due, _)| due)
    }

    #[test]
    fn a_single_change_waits_for_quiet() {
        let mut pending = Pending::default();
        assert_eq!(pending.due(), None);
        pending.note(USUAL, at(100));
        assert_eq!(pending.due(), Some((at(600), Refresh::Reinsert)));
    }

    #[test]
    fn changes_without_end_are_announced_at_max_age() {
        let mut pending = Pending::default();
        for count in 1..=100 {
            pending.note(USUAL, at(count * 100));
        }
        assert_eq!(due(&pending), Some(at(5_100)));
    }

    #[test]
    fn the_next_announcement_waits_for_hold() {
        let mut pending = Pending::default();
        pending.note(USUAL, at(0));
        pending.announce(at(500));
        assert_eq!(pending.due(), None);
        pending.note(USUAL, at(1_000));
        assert_eq!(due(&pending), Some(at(10_500)));
        pending.announce(at(10_500));
        pending.note(USUAL, at(50_000));
        assert_eq!(due(&pending), Some(at(50_500)));
    }

    #[test]
    fn of_several_changes_the_shortest_times_and_the_strongest_way_count() {
        let mut pending = Pending::default();
        pending.announce(at(0));
        pending.note(USUAL.with_max_age(Milliseconds(3_000)), at(1_000));
        pending.note(USUAL.with_refresh(Refresh::Attention).with_hold(Milliseconds(2_000)), at(3_900));
        // The first one's age, not the second one's, and the second one's hold.
        assert_eq!(pending.due(), Some((at(4_000), Refresh::Reinsert)));
        pending.note(USUAL.with_refresh(Refresh::Reconnect).with_quiet(Milliseconds(20)), at(3_950));
        assert_eq!(pending.due(), Some((at(3_970), Refresh::Reconnect)));
        // What was asked for once is over with its announcement.
        pending.announce(at(3_970));
        pending.note(USUAL, at(4_000));
        assert_eq!(pending.due(), Some((at(13_970), Refresh::Reinsert)));
    }

    #[test]
    fn ways_ascend_by_what_a_host_can_miss() {
        use Refresh::{Attention, Auto, Reconnect, Reinsert};
        let mut ways = [Reconnect, Attention, Auto, Reinsert];
        ways.sort();
        assert_eq!(ways, [Attention, Reinsert, Auto, Reconnect]);
    }
}
