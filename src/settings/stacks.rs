//! Stacks that secrets have gone over.
//!
//! Views of memory leave out the stacks that they know: everything outside of the variables. A stack among the variables, such
//! as a `static` that a second core runs on, looks like any other variable. So whatever handles settings first notes where it
//! runs; once that was among what is shown, nothing of RAM is shown any more until the next reset.

use core::hint::black_box;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

/// Where RAM is shown, and whether settings were handled on a stack in there.
///
/// All relaxed: what is shown is said before the first secret is read, and later contexts find it. That a stack was noted before a secret
/// got there, and memory read before that is looked at, takes more than acquire and release: two stores and two loads in one order for
/// both cores, by a fence each.
#[derive(Debug)]
pub struct Stacks {
    shown: [AtomicUsize; 2],
    exposed: AtomicBool,
}

/// Those of this program. Where nobody shows RAM, nothing is noted.
pub static STACKS: Stacks = Stacks::new();

impl Stacks {
    const fn new() -> Self {
        Self { shown: [const { AtomicUsize::new(0) }; 2], exposed: AtomicBool::new(false) }
    }

    /// Says which addresses views of memory show: to be called before the first secret is read.
    pub fn watch(&self, shown: Range<usize>) {
        for (place, end) in self.shown.iter().zip([shown.start, shown.end]) {
            place.store(end, Ordering::Relaxed);
        }
    }

    /// Settings are about to be handled on the stack of the caller.
    // A frame of its own is below those that will hold secrets, and in the same stack.
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

    /// Whether secrets may be on a stack among what is shown. To be asked after memory was read: what was read before a
    /// `true` may hold one, what was read before a `false` does not.
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
