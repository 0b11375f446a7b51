//! When and how hosts are notified of changes. Many changes share one announcement.

mod announcer;
mod pending;

pub(crate) use announcer::{Announcer, Step, View};
pub use pending::Pending;

use crate::clock::Milliseconds;

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
    pub quiet: Milliseconds,
    /// ... or when the oldest one is that old ...
    pub max_age: Milliseconds,
    /// ... but never sooner than this after the last announcement.
    pub hold: Milliseconds,
}

/// How changes are announced: by the manifest's `[dynamic]`, or as the application requests for one of them.
///
/// Pending changes are announced together. So that none waits longer or is announced more weakly than it asks for, the
/// shortest of each time applies, and the [`Refresh`] that is hardest to miss.
///
/// ```
/// # extern crate picovd_sim;
/// use picovd::vd::{Announcing, Milliseconds, Refresh, Timing};
///
/// const MANIFEST: Announcing = Announcing {
///     refresh: Refresh::Auto,
///     timing: Timing { quiet: Milliseconds(500), max_age: Milliseconds(5_000), hold: Milliseconds(10_000) },
/// };
/// // Immediately, but not sooner than 2 s after the last announcement, by leaving the bus.
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
    /// The same with another way.
    #[must_use]
    pub const fn with_refresh(mut self, refresh: Refresh) -> Self {
        self.refresh = refresh;
        self
    }

    /// The same, announced when no other change has followed for `quiet`.
    #[must_use]
    pub const fn with_quiet(mut self, quiet: Milliseconds) -> Self {
        self.timing.quiet = quiet;
        self
    }

    /// The same, announced when the oldest change is `max_age` old.
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

    /// A combination that satisfies both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let (a, b) = (self.timing, other.timing);
        Self {
            refresh: self.refresh.max(other.refresh),
            timing: Timing { quiet: a.quiet.min(b.quiet), max_age: a.max_age.min(b.max_age), hold: a.hold.min(b.hold) },
        }
    }
}
