//! Unit attention conditions (SAM-4 5.14), which are reported to the host before anything else.

use super::{Medium, Sense};

/// The two unit attention conditions of this unit in their order of precedence: power-on, then a change of the medium.
///
/// SAM-4 5.14 also asks for POWER ON OR RESET after a bus reset. This unit deviates: Linux resets the bus at each resume,
/// and takes a unit attention of a removable unit for a change of the medium unless it repeats the command, which it does
/// not do for blocks that it reads ahead. A mounted volume would then be lost (seen with 6.1). A bus reset does not discard
/// anything that a host could have set, so there is nothing to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitAttentions {
    power_on: bool,
    /// The change count of the medium that the host knows; `None` after the host has seen that there is no medium, or has
    /// ejected it.
    known: Option<u32>,
}

impl UnitAttentions {
    /// After power-on: the reset has to be reported, and the medium is new to the host together with the unit.
    ///
    /// If there is no medium at power-on, a later one is reported as a change.
    pub fn power_on(medium: &impl Medium) -> Self {
        let count = medium.change_count();
        let known = if medium.is_present() { count } else { count.wrapping_sub(1) };
        Self { power_on: true, known: Some(known) }
    }

    /// The host now knows that there is no medium, so that the next one is a change whatever its count.
    pub fn absence_known(&mut self) {
        self.known = None;
    }

    /// Whether the host knows that there is no medium.
    pub fn is_absence_known(&self) -> bool {
        self.known.is_none()
    }

    /// Returns the next condition, if any, and marks it as reported.
    ///
    /// NOT READY TO READY CHANGE is postponed until there is a medium, and reported once for any number of changes.
    pub fn take(&mut self, medium: &impl Medium) -> Option<Sense> {
        if self.power_on {
            self.power_on = false;
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
