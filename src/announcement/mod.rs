//! When and how hosts are notified of changes. Many changes share one announcement.

mod announcer;
mod pending;

pub(crate) use announcer::{Announcer, Step, View};
pub use pending::Pending;

use crate::clock::Milliseconds;
use core::time::Duration;

/// How a host is notified of a change: `[dynamic] refresh` of the manifest. In ascending order of how hard it is to miss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refresh {
    /// Unit attention NOT READY TO READY CHANGE (06h/28h/00h) once. Hosts that keep the volume mounted may continue to show
    /// what is in their caches.
    Attention,
    /// MEDIUM NOT PRESENT (02h/3Ah/00h) until 2.5 s after the host has seen it, then the unit attention.
    Reinsert,
    /// [`Reinsert`](Self::Reinsert), and [`Reconnect`](Self::Reconnect) when the host has not looked for 5 s.
    Auto,
    /// The device leaves the bus for a moment.
    Reconnect,
}

/// The times of `[dynamic]` in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A change is announced when no other has followed for this long ...
    pub(crate) quiet: Milliseconds,
    /// ... or when the oldest one is that old ...
    pub(crate) max_age: Milliseconds,
    /// ... but never sooner than this after the last announcement.
    pub(crate) hold: Milliseconds,
    /// While changes keep coming, `hold` doubles from announcement to announcement, up to this; not above `hold`, if this is
    /// less.
    pub(crate) max_hold: Milliseconds,
}

impl Timing {
    /// From durations, which are rounded up to whole milliseconds, here and below. `hold` stays as it is.
    #[must_use]
    pub const fn new(quiet: Duration, max_age: Duration, hold: Duration) -> Self {
        let [quiet, max_age, hold] = [
            Milliseconds::from_duration(quiet),
            Milliseconds::from_duration(max_age),
            Milliseconds::from_duration(hold),
        ];
        Self { quiet, max_age, hold, max_hold: hold }
    }

    /// The same, with a `hold` that doubles up to `max_hold` while changes keep coming.
    #[must_use]
    pub const fn with_max_hold(self, max_hold: Duration) -> Self {
        Self { max_hold: Milliseconds::from_duration(max_hold), ..self }
    }

    /// A change is announced when no other has followed for this long.
    #[must_use]
    pub const fn quiet(self) -> Duration {
        self.quiet.duration()
    }

    /// A change is announced at the latest when the oldest one is that old.
    #[must_use]
    pub const fn max_age(self) -> Duration {
        self.max_age.duration()
    }

    /// There is no announcement sooner than this after the last one.
    #[must_use]
    pub const fn hold(self) -> Duration {
        self.hold.duration()
    }

    /// What `hold` becomes at most while changes keep coming.
    #[must_use]
    pub const fn max_hold(self) -> Duration {
        self.max_hold.duration()
    }
}

/// How changes are announced: by the manifest's `[dynamic]`, or as the application requests for one of them.
///
/// Pending changes are announced together. So that none waits longer or is announced more weakly than it asks for, the
/// shortest of each time applies, and the [`Refresh`] that is hardest to miss.
///
/// ```
/// # extern crate picovd_sim;
/// use core::time::Duration;
/// use picovd::vd::{Announcing, Refresh};
///
/// # mod disk {
/// #     use core::time::Duration;
/// #     use picovd::vd::{Announcing, Refresh, Timing};
/// #     const TIMING: Timing = Timing::new(Duration::from_millis(500), Duration::from_secs(5), Duration::from_secs(10));
/// #     pub const ANNOUNCING: Announcing = Announcing { refresh: Refresh::Auto, timing: TIMING };
/// # }
/// // Immediately, but not sooner than 2 s after the last announcement, by leaving the bus.
/// const ALARM: Announcing = disk::ANNOUNCING
///     .with_quiet(Duration::ZERO)
///     .with_hold(Duration::from_secs(2))
///     .with_refresh(Refresh::Reconnect);
/// # assert_eq!(ALARM.timing, picovd::vd::Timing::new(Duration::ZERO, Duration::from_secs(5), Duration::from_secs(2)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcing {
    /// The way.
    pub refresh: Refresh,
    /// The times.
    pub timing: Timing,
}

impl Announcing {
    /// The same with another way.
    #[must_use]
    pub const fn with_refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same, announced when no other change has followed for `quiet`.
    #[must_use]
    pub const fn with_quiet(mut self, quiet: Duration) -> Self {
        self.timing.quiet = Milliseconds::from_duration(quiet);
        self
    }

    /// The same, announced when the oldest change is `max_age` old.
    #[must_use]
    pub const fn with_max_age(mut self, max_age: Duration) -> Self {
        self.timing.max_age = Milliseconds::from_duration(max_age);
        self
    }

    /// The same, but not sooner than `hold` after the last announcement, however often things change.
    #[must_use]
    pub const fn with_hold(mut self, hold: Duration) -> Self {
        self.timing.hold = Milliseconds::from_duration(hold);
        self.timing.max_hold = self.timing.hold;
        self
    }

    /// The same, with a `hold` that doubles up to `max_hold` while changes keep coming.
    #[must_use]
    pub const fn with_max_hold(mut self, max_hold: Duration) -> Self {
        self.timing = self.timing.with_max_hold(max_hold);
        self
    }

    /// A combination that satisfies both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let (a, b) = (self.timing, other.timing);
        Self {
            refresh: self.refresh.max(other.refresh),
            timing: Timing {
                quiet: a.quiet.min(b.quiet),
                max_age: a.max_age.min(b.max_age),
                hold: a.hold.min(b.hold),
                max_hold: a.max_hold.min(b.max_hold),
            },
        }
    }
}
