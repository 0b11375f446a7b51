//! Detects stacks with secrets that files would show.
//!
//! Files hide the known stacks, which are outside of the variables. A stack among the variables, such as a `static` that a
//! second core uses, looks like any other variable. So all code that handles settings first notes where its stack is; once
//! that is in the shown range, nothing of RAM is shown any more until the next reset.

use core::hint::black_box;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

/// The shown range of RAM, and whether settings were handled on a stack inside it.
///
/// All relaxed: the range is set before the first secret is read, and later contexts see it. That a stack was noted before
/// a secret got there, and that memory was read before checking that, takes more than acquire and release: two stores and
/// two loads in an order that both cores agree on, with a fence for each.
#[derive(Debug)]
pub struct Stacks {
    shown: [AtomicUsize; 2],
    exposed: AtomicBool,
}

/// Those of this program. If RAM is not shown, nothing is noted.
pub static STACKS: Stacks = Stacks::new();

impl Stacks {
    const fn new() -> Self {
        Self { shown: [const { AtomicUsize::new(0) }; 2], exposed: AtomicBool::new(false) }
    }

    /// Sets the addresses that files show: to be called before the first secret is read.
    pub fn watch(&self, shown: Range<usize>) {
        for (place, end) in self.shown.iter().zip([shown.start, shown.end]) {
            place.store(end, Ordering::Relaxed);
        }
    }

    /// Records that settings are about to be handled on the caller's stack.
    // Not inlined: its own stack frame then lies in the same stack as the frames that will contain secrets.
    #[inline(never)]
    pub(super) fn note(&self) {
        let here = 0_u8;
        let address = black_box(&raw const here).addr();
        let [start, end] = &self.shown;
        if (start.load(Ordering::Relaxed)..end.load(Ordering::Relaxed)).contains(&address) {
            self.exposed.store(true, Ordering::Relaxed);
            // Before a secret gets there.
            fence(Ordering::SeqCst);
        }
    }

    /// Whether secrets may be on a stack in the shown range. To be called after memory was read: if it returns `true`, what
    /// was read may contain a secret; if `false`, it does not.
    #[must_use]
    pub fn are_exposed(&self) -> bool {
        fence(Ordering::SeqCst);
        self.exposed.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "variables of one call are anywhere in Miri, not in a row")]
    fn only_a_stack_that_is_shown_is_exposed() {
        let stacks = Stacks::new();
        stacks.note();
        assert!(!stacks.are_exposed(), "nothing is shown");
        let here = 0_u8;
        let address = black_box(&raw const here).addr();
        stacks.watch(address + 0x10_0000..address + 0x20_0000);
        stacks.note();
        assert!(!stacks.are_exposed(), "this stack is not shown");
        stacks.watch(address.saturating_sub(0x10_0000)..address + 1);
        stacks.note();
        assert!(stacks.are_exposed());
        stacks.watch(0..0);
        assert!(stacks.are_exposed(), "it stays");
    }
}
