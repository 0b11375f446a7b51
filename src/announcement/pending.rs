//! Changes that wait for their announcement.

use super::{Announcing, Refresh, Timing};
use crate::clock::{Instant, Milliseconds};

/// A hold of a second becomes an hour, the longest one of a manifest.
const MAX_DOUBLINGS: u8 = 12;

/// Changes that were not announced yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    waiting: Option<Waiting>,
    /// When the last announcement was made.
    announced: Option<Instant>,
    /// How often the hold has doubled: each time that an announcement came within twice the hold of the one before.
    doublings: u8,
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
        Self { waiting: None, announced: None, doublings: 0 }
    }

    /// Adds a change, or several, noticed at `now`.
    pub fn note(&mut self, announcing: Announcing, now: Instant) {
        let latest = now.after(announcing.timing.max_age);
        self.waiting = Some(match self.waiting {
            None => Waiting { announcing, newest: now, latest },
            Some(before) => Waiting {
                announcing: before.announcing.merge(announcing),
                newest: now,
                latest: before.latest.min(latest),
            },
        });
    }

    /// When the pending changes are to be announced, and how; `None` if there are none.
    #[must_use]
    pub fn due(&self) -> Option<(Instant, Refresh)> {
        let Waiting { announcing, newest, latest } = self.waiting?;
        let due = newest.after(announcing.timing.quiet).min(latest);
        let due = self.announced.map_or(due, |last| due.max(last.after(self.hold(announcing.timing))));
        Some((due, announcing.refresh))
    }

    /// The time between two announcements, as often as it has doubled.
    fn hold(&self, timing: Timing) -> Milliseconds {
        let Timing { hold: Milliseconds(hold), max_hold: Milliseconds(most), .. } = timing;
        Milliseconds(hold.saturating_mul(1 << self.doublings).min(most).max(hold))
    }

    /// Drops all pending changes: they are visible, and no host needs to be notified.
    pub fn forget(&mut self) {
        self.waiting = None;
    }

    /// Notes that all pending changes are being announced at `now`.
    pub fn announce(&mut self, now: Instant) {
        // An announcement that is repeated announces nothing new.
        if let Some(waiting) = self.waiting.take() {
            let hold = self.hold(waiting.announcing.timing);
            let goes_on = self.announced.is_some_and(|last| now < last.after(hold).after(hold));
            self.doublings = if goes_on { (self.doublings + 1).min(MAX_DOUBLINGS) } else { 0 };
        }
        self.announced = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const USUAL: Announcing = Announcing {
        refresh: Refresh::Reinsert,
        timing: Timing::new(Duration::from_millis(500), Duration::from_secs(5), Duration::from_secs(10)),
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
    fn while_changes_keep_coming_the_hold_doubles() {
        let usual = USUAL.with_max_hold(Duration::from_secs(60));
        let mut pending = Pending::default();
        let mut moments = heapless::Vec::<u64, 16>::new();
        // One a second, for six minutes.
        for second in 0..360_u64 {
            pending.note(usual, at(second * 1000));
            if due(&pending).is_some_and(|due| due <= at(second * 1000)) {
                pending.announce(at(second * 1000));
                moments.push(second).expect("there is room");
            }
        }
        assert_eq!(moments, [5, 15, 35, 75, 135, 195, 255, 315]);
        // A repetition does not start it over.
        pending.note(usual, at(360_000));
        pending.announce(at(375_000));
        pending.announce(at(383_000));
        pending.note(usual, at(384_000));
        assert_eq!(due(&pending), Some(at(443_000)));
        // A single change later waits as the first one did, and so does the next one.
        pending = Pending { waiting: None, ..pending };
        pending.note(usual, at(600_000));
        assert_eq!(due(&pending), Some(at(600_500)));
        pending.announce(at(600_500));
        pending.note(usual, at(601_000));
        assert_eq!(due(&pending), Some(at(610_500)));
        // `with_hold` asks for no more than it says.
        let mut pending = Pending::default();
        for round in 0..10 {
            pending.note(usual.with_hold(Duration::from_secs(2)), at(round * 2_000));
            pending.announce(at(round * 2_000));
        }
        pending.note(usual.with_hold(Duration::from_secs(2)), at(18_100));
        assert_eq!(due(&pending), Some(at(20_000)));
    }

    #[test]
    fn of_several_changes_the_shortest_times_and_the_strongest_way_count() {
        let mut pending = Pending::default();
        pending.announce(at(0));
        pending.note(USUAL.with_max_age(Duration::from_millis(3_000)), at(1_000));
        pending.note(USUAL.with_refresh(Refresh::Attention).with_hold(Duration::from_millis(2_000)), at(3_900));
        // The first one's age and the second one's hold apply.
        assert_eq!(pending.due(), Some((at(4_000), Refresh::Reinsert)));
        pending.note(USUAL.with_refresh(Refresh::Reconnect).with_quiet(Duration::from_millis(20)), at(3_950));
        assert_eq!(pending.due(), Some((at(3_970), Refresh::Reconnect)));
        // A request ends with its announcement.
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
