//! Unit attention conditions (SAM-4 5.14): what the host has to be told before anything else.

use super::{Medium, Sense};

/// The two unit attention conditions of this unit, in their order of precedence: a reset, then a change of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitAttentions {
    reset: bool,
    /// The medium's change count that the host knows; `None` once it was told, or arranged itself, that there is no
    /// medium.
    known: Option<u32>,
}

impl UnitAttentions {
    /// After power-on: the reset is to be reported, and the medium is new to the host together with the unit.
    ///
    /// A unit that is powered on without a medium reports the later one as a change.
    pub fn power_on(medium: &impl Medium) -> Self {
        let count = medium.change_count();
        let known = if medium.is_present() { count } else { count.wrapping_sub(1) };
        Self { reset: true, known: Some(known) }
    }

    /// A bus reset happened. A change of the medium that was not yet reported stays so.
    pub fn reset(&mut self) {
        self.reset = true;
    }

    /// The host knows that there is no medium: the next one is a change, whatever its count.
    pub fn absence_known(&mut self) {
        self.known = None;
    }

    /// Whether the host knows that there is no medium.
    pub fn is_absence_known(&self) -> bool {
        self.known.is_none()
    }

    /// Takes the condition that comes next, if any, as reported.
    ///
    /// NOT READY TO READY CHANGE waits until there is a medium, and comes once for any number of changes.
    pub fn take(&mut self, medium: &impl Medium) -> Option<Sense> {
        if self.reset {
            self.reset = false;
            return Some(Sense::POWER_ON_OR_RESET);
        }
        let count = Some(medium.change_count());
        if medium.is_present() && self.known != count {
            self.known = count;
            return Some(Sense::NOT_READY_TO_READY_CHANGE);
        }
        None
    }
}
