//! How hosts hear of a change: a state machine beside the logical unit.
//!
//! What hosts do with each way was measured (Linux) or read; `auto` suits all of them: a host that polls sees the medium go and
//! come back, one that does not sees the device go and come back.

use crate::clock::Instant;
use crate::volume::{Pending, Timing};

/// How a host hears of a change: `[dynamic] refresh` of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// Unit attention NOT READY TO READY CHANGE (06h/28h/00h) once. Hosts that keep the volume mounted may go on showing
    /// what they have in their caches.
    Attention,
    /// MEDIUM NOT PRESENT (02h/3Ah/00h) until the host has seen it and 2.5 s more, then the unit attention.
    Reinsert,
    /// The device leaves the bus for a moment.
    Reconnect,
    /// [`Reinsert`](Self::Reinsert), and [`Reconnect`](Self::Reconnect) when the host has not looked for 5 s.
    Auto,
}

/// How changes reach the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcing {
    /// The way.
    pub refresh: Refresh,
    /// The times.
    pub timing: Timing,
}

/// How long the medium stays away after the host has seen that it is, in milliseconds: hosts poll every two seconds, and one
/// that looked twice has taken the old volume down.
const SEEN_FOR: u32 = 2_500;

/// How long [`Refresh::Auto`] waits for the host to look, in milliseconds.
const PATIENCE: u32 = 5_000;

/// A file counts as being read for that long after its last bytes, in milliseconds: no announcement falls between two READs
/// of a copy.
const READ_GAP: u32 = 500;

/// A due announcement waits for a reader at most that long, in milliseconds: one that never ends must not hide changes.
const READER_PATIENCE: u32 = 60_000;

/// What the device has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing before that moment, if any.
    Wait(Option<Instant>),
    /// Show the next generation.
    Turn {
        /// Hosts take it for another volume: its serial number differs.
        other_volume: bool,
        /// The device leaves the bus and comes back.
        reconnect: bool,
    },
}

/// What the machine looks at.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    /// Count of changes to be announced.
    pub changes: u32,
    /// Whether a host has sent a command since power-on.
    pub touched: bool,
    /// Whether a command is under way.
    pub busy: bool,
    /// Whether a host ejected the medium.
    pub ejected: bool,
    /// Whether the host knows that there is no medium.
    pub absence_known: bool,
    /// Whether bytes of a file were read since the last look.
    pub read: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Steady,
    /// The medium is away since then; since when the host knows.
    Away {
        since: Instant,
        seen: Option<Instant>,
        patient: bool,
    },
}

/// The machine.
#[derive(Debug)]
pub(super) struct Announcer {
    announcing: Announcing,
    pending: Pending,
    state: State,
    last_read: Option<Instant>,
}

impl Announcer {
    pub const fn new(announcing: Announcing) -> Self {
        Self { announcing, pending: Pending::new(), state: State::Steady, last_read: None }
    }

    /// Whether the medium is away for a change.
    pub fn is_away(&self) -> bool {
        self.state != State::Steady
    }

    /// Looks at the world at `now`.
    pub fn step(&mut self, view: View, now: Instant) -> Step {
        self.pending.note(view.changes, now);
        if view.read {
            self.last_read = Some(now);
        }
        match self.state {
            State::Steady => self.steady(view, now),
            State::Away { since, seen, patient } => self.away(view, now, since, seen, patient),
        }
    }

    fn steady(&mut self, view: View, now: Instant) -> Step {
        let Some(due) = self.pending.due(&self.announcing.timing) else { return Step::Wait(None) };
        if !view.touched {
            // Nobody has seen what would be replaced.
            self.pending.forget();
            return Step::Turn { other_volume: false, reconnect: false };
        }
        if view.busy {
            return Step::Wait(None);
        }
        if view.ejected {
            self.pending.announce(now);
            return Step::Turn { other_volume: true, reconnect: false };
        }
        let due = self.last_read.map_or(due, |read| due.max(read.after(READ_GAP)).min(due.after(READER_PATIENCE)));
        if now < due {
            return Step::Wait(Some(due));
        }
        match self.announcing.refresh {
            Refresh::Attention => {
                self.pending.announce(now);
                Step::Turn { other_volume: false, reconnect: false }
            }
            Refresh::Reconnect => {
                self.pending.announce(now);
                Step::Turn { other_volume: true, reconnect: true }
            }
            refresh @ (Refresh::Reinsert | Refresh::Auto) => {
                let patient = refresh == Refresh::Reinsert;
                self.state = State::Away { since: now, seen: None, patient };
                Step::Wait((!patient).then(|| now.after(PATIENCE)))
            }
        }
    }

    fn away(&mut self, view: View, now: Instant, since: Instant, seen: Option<Instant>, patient: bool) -> Step {
        let seen = seen.or(view.absence_known.then_some(now));
        self.state = State::Away { since, seen, patient };
        let (until, reconnect) = match seen {
            Some(seen) => (seen.after(SEEN_FOR), false),
            None if patient => return Step::Wait(None),
            None => (since.after(PATIENCE), true),
        };
        if now < until {
            return Step::Wait(Some(until));
        }
        if view.busy {
            return Step::Wait(None);
        }
        self.state = State::Steady;
        self.pending.announce(now);
        Step::Turn { other_volume: true, reconnect }
    }
}
