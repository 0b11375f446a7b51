//! Limits how often flash may be erased, so that commands at the port cannot wear it out.

use crate::clock::{Instant, Milliseconds};

/// Number of erases that are allowed immediately after a start.
const AT_START: u8 = 2;
/// Maximum number of erases that accumulate.
const MOST: u8 = 8;
/// Time until another one is allowed.
const EACH: Milliseconds = Milliseconds(60_000);

/// The allowed erases: one more each minute. Manufacturers specify 100,000 for a sector, and there are at least two, which are
/// erased in turn: 200,000 minutes are 139 days. With a restart of the board every second, it takes 27 hours.
#[derive(Clone, Copy)]
pub(super) struct Erases {
    left: u8,
    /// When the last one was allowed.
    since: Instant,
}

impl Erases {
    pub const START: Self = Self { left: AT_START, since: Instant(0) };

    /// Those granted at that time.
    #[must_use]
    pub fn at(mut self, now: Instant) -> Self {
        while self.left < MOST && self.since.after(EACH) <= now {
            self.left += 1;
            self.since = self.since.after(EACH);
        }
        if self.left == MOST {
            // No more accumulate.
            self.since = now;
        }
        self
    }

    /// Whether an erase is allowed.
    pub fn is_any(self) -> bool {
        self.left != 0
    }

    /// What is left after `count` erases.
    #[must_use]
    pub fn without(self, count: u32) -> Self {
        Self { left: self.left.saturating_sub(count.min(u32::from(MOST)) as u8), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erase_is_granted_each_minute() {
        let minute = |number: u64| Instant(number * 60_000_000);
        let mut erases = Erases::START.without(2);
        assert!(!erases.at(Instant(minute(1).0 - 1)).is_any() && erases.at(minute(1)).is_any());
        let mut granted = 0;
        for second in 0..=7200 {
            erases = erases.at(Instant(second * 1_000_000));
            while erases.is_any() {
                erases = erases.without(1);
                granted += 1;
            }
        }
        assert_eq!(granted, 120);
        // Saved up, but not for ever.
        let mut saved = erases.at(Instant(u64::MAX));
        for _ in 0..8 {
            assert!(saved.is_any());
            saved = saved.without(1);
        }
        assert!(!saved.is_any() && !Erases::START.without(u32::MAX).is_any());
    }
}
