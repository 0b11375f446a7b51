//! How hosts are notified of a change: a state machine beside the logical unit.
//!
//! What hosts do in each case was measured (Linux) or read in their documentation. `auto` suits all of them: a host that
//! polls sees the medium go and come back, one that does not poll sees the device go and come back.

use super::{Announcing, Pending, Refresh};
use crate::clock::{Instant, Milliseconds};

/// How long the medium stays away after the host has noticed: hosts poll every two seconds, and one that has looked twice
/// has unmounted the old volume.
const SEEN_FOR: Milliseconds = Milliseconds(2_500);

/// The same, after an announcement that no host has followed. A program may have kept a file open: Linux then continues with the
/// previous volume, from its caches. `tail -F` looks for its file every 5 s, and closes the old one if the file is missing.
const SEEN_FOR_LONGER: Milliseconds = Milliseconds(7_500);

/// How long after an announcement a host that had mounted the previous volume may take to use the new one. If it does not, and it
/// did so after an earlier announcement, as desktops do, the medium is removed once more.
const TAKE_UP: Milliseconds = Milliseconds(8_000);

/// How long [`Refresh::Auto`] waits for the host to look.
const PATIENCE: Milliseconds = Milliseconds(5_000);

/// A file counts as being read for this long after its last bytes were read, so that no announcement falls between two
/// READs of a copy.
const READ_GAP: Milliseconds = Milliseconds(500);

/// A volume counts as being read for this long after a file system driver has mounted it: programs open their files a
/// moment after the mount, and if the medium went before that, it would look broken to them.
const MOUNT_GAP: Milliseconds = Milliseconds(4_000);

/// Maximum time that a due announcement waits for a reader, or for a host that does not fetch the end of a command: one
/// that never stops must not hide changes.
const READER_PATIENCE: Milliseconds = Milliseconds(60_000);

/// What the device has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing before that time, if any.
    Wait(Option<Instant>),
    /// Show the next generation.
    Turn {
        /// Hosts must take it for another volume: its serial number differs.
        other_volume: bool,
        /// The device leaves the bus and comes back.
        reconnect: bool,
    },
}

/// The state of the world that the machine acts on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// What the changes since the last step ask for, if there are any to be announced.
    pub changes: Option<Announcing>,
    /// Whether a host has sent a command since power-on.
    pub touched: bool,
    /// Whether a command is in progress.
    pub busy: bool,
    /// Whether a host ejected the medium.
    pub ejected: bool,
    /// Whether the host knows that there is no medium.
    pub absence_known: bool,
    /// Whether bytes of a file were read since the last step.
    pub read: bool,
    /// Whether a file system driver has mounted the volume since the last step.
    pub mounted: bool,
    /// Whether the volume is used: a driver has mounted it, or bytes of a dynamic file were read.
    pub used: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    Present,
    /// Away since `since`. The host has seen that since `seen`.
    Away {
        since: Instant,
        seen: Option<Instant>,
    },
}

/// The state machine.
#[derive(Debug)]
pub(crate) struct Announcer {
    usual: Announcing,
    pending: Pending,
    medium: Medium,
    /// Until when the volume counts as being read.
    read_until: Option<Instant>,
    /// Until when a host is expected to use the announced volume, if it used the previous one.
    take_up: Option<Instant>,
    /// Whether a host has ever done so in time: it mounts what it finds.
    follows: bool,
}

impl Announcer {
    /// `usual` applies to changes that ask for nothing else.
    pub const fn new(usual: Announcing) -> Self {
        Self {
            usual,
            pending: Pending::new(),
            medium: Medium::Present,
            read_until: None,
            take_up: None,
            follows: false,
        }
    }

    /// What applies to changes that ask for nothing else.
    pub fn usual(&self) -> Announcing {
        self.usual
    }

    /// Sets what applies to changes that ask for nothing else.
    pub fn set_usual(&mut self, usual: Announcing) {
        self.usual = usual;
    }

    /// Whether the medium is away because of a change.
    pub fn is_away(&self) -> bool {
        self.medium != Medium::Present
    }

    /// Acts on the state of the world at `now`.
    pub fn step(&mut self, view: View, now: Instant) -> Step {
        if let Some(announcing) = view.changes {
            self.pending.note(announcing, now);
        }
        for (read, gap) in [(view.read, READ_GAP), (view.mounted, MOUNT_GAP)] {
            if read {
                self.read_until = self.read_until.max(Some(now.after(gap)));
            }
        }
        // Of a host whose users mount by themselves, nothing is expected.
        self.take_up = self.take_up.filter(|until| self.follows || now < *until);
        if view.used && self.medium == Medium::Present {
            self.follows |= self.take_up.take().is_some();
        }
        match self.medium {
            Medium::Present => self.steady(view, now),
            Medium::Away { since, seen } => self.away(view, now, since, seen),
        }
    }

    /// Notes changes while a command is in progress. Returns until when they wait for its end, if there are any.
    pub fn patience(&mut self, changes: Option<Announcing>, now: Instant) -> Option<Instant> {
        if let Some(announcing) = changes {
            self.pending.note(announcing, now);
        }
        let due = match self.medium {
            Medium::Present => self.pending.due()?.0,
            Medium::Away { since, seen } => seen.map_or(since.after(PATIENCE), |seen| seen.after(self.seen_for())),
        };
        Some(due.after(READER_PATIENCE))
    }

    fn steady(&mut self, view: View, now: Instant) -> Step {
        let (due, refresh) = match (self.pending.due(), self.repeats_at()) {
            (None, None) => return Step::Wait(None),
            (Some(due), None) => due,
            (pending, Some(again)) => pending.filter(|(due, _)| *due <= again).unwrap_or((again, Refresh::Reinsert)),
        };
        if !view.touched {
            // No host has seen the generation that would be replaced.
            self.take_up = None;
            self.pending.forget();
            return Step::Turn { other_volume: false, reconnect: false };
        }
        if view.busy {
            return Step::Wait(None);
        }
        if view.ejected {
            self.take_up = None;
            self.pending.announce(now);
            return Step::Turn { other_volume: true, reconnect: false };
        }
        let due = self.read_until.map_or(due, |until| due.max(until).min(due.after(READER_PATIENCE)));
        if now < due {
            return Step::Wait(Some(due));
        }
        match refresh {
            Refresh::Attention => {
                self.pending.announce(now);
                Step::Turn { other_volume: false, reconnect: false }
            }
            Refresh::Reconnect => {
                self.pending.announce(now);
                Step::Turn { other_volume: true, reconnect: true }
            }
            Refresh::Reinsert | Refresh::Auto => {
                self.medium = Medium::Away { since: now, seen: None };
                Step::Wait((refresh == Refresh::Auto).then(|| now.after(PATIENCE)))
            }
        }
    }

    fn away(&mut self, view: View, now: Instant, since: Instant, seen: Option<Instant>) -> Step {
        let seen = seen.or(view.absence_known.then_some(now));
        self.medium = Medium::Away { since, seen };
        // A change that came in the meantime may ask for a stronger way.
        let refresh = self.pending.due().map_or(Refresh::Reinsert, |(_, refresh)| refresh);
        let (until, reconnect) = match (refresh, seen) {
            (Refresh::Reconnect, _) => (now, true),
            (_, Some(seen)) => (seen.after(self.seen_for()), false),
            (Refresh::Auto, None) => (since.after(PATIENCE), true),
            // Hosts that do not look any more are spared the repetition.
            (_, None) if self.repeats_at().is_some() => (since.after(PATIENCE), false),
            (_, None) => return Step::Wait(None),
        };
        if now < until {
            return Step::Wait(Some(until));
        }
        if view.busy {
            return Step::Wait(None);
        }
        self.medium = Medium::Present;
        self.pending.announce(now);
        let hold = self.usual.timing.hold;
        self.take_up = (view.used && !reconnect).then(|| now.after(TAKE_UP.max(hold)));
        Step::Turn { other_volume: true, reconnect }
    }

    /// When the last announcement is repeated, unless a host uses the volume before.
    fn repeats_at(&self) -> Option<Instant> {
        self.take_up.filter(|_| self.follows)
    }

    /// How long the medium stays absent after the host has noticed.
    fn seen_for(&self) -> Milliseconds {
        if self.repeats_at().is_some() { SEEN_FOR_LONGER } else { SEEN_FOR }
    }
}
