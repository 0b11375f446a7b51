//! Who does a piece of work that several contexts ask for: one of them at a time, and none of them waits for another.
//!
//! Contexts are interrupt handlers of any priority, the main loop and the other core. Who asks while another one is at work leaves a
//! note and goes on; the one at work does it once more before it leaves. So whatever a context wrote before it asked is seen by
//! work that begins after it asked, and no request is lost.
//!
//! All of it is in one word, which is only ever changed by read-modify-write operations: these are in one order that all contexts
//! agree on, so acquire and release are enough. Two flags, one for the request and one for the work, would need every one of
//! their accesses sequentially consistent: one context stores "not at work" and then loads "asked", the other one stores "asked" and then
//! loads "at work", and either load may pass the store before it.

use core::sync::atomic::{AtomicU8, Ordering};

/// Nobody is at work.
const IDLE: u8 = 0;
/// Somebody is, and has seen every request.
const BUSY: u8 = 1;
/// Somebody is, and has to do it once more.
const ASKED: u8 = 2;

/// The word that [`Turns`] are kept in: `AtomicU8`, or a model of it in a test.
pub trait Word {
    /// Stores `value`; returns what was there.
    fn swap(&self, value: u8, order: Ordering) -> u8;

    /// Stores `new` where the word is `current`; returns whether it was.
    fn replace(&self, current: u8, new: u8, success: Ordering, failure: Ordering) -> bool;
}

impl Word for AtomicU8 {
    #[inline]
    fn swap(&self, value: u8, order: Ordering) -> u8 {
        AtomicU8::swap(self, value, order)
    }

    #[inline]
    fn replace(&self, current: u8, new: u8, success: Ordering, failure: Ordering) -> bool {
        self.compare_exchange(current, new, success, failure).is_ok()
    }
}

/// Turns at a piece of work.
#[derive(Debug, Default)]
pub struct Turns<W = AtomicU8> {
    state: W,
}

impl Turns {
    /// Nobody is at work.
    #[must_use]
    pub const fn new() -> Self {
        Self { state: AtomicU8::new(IDLE) }
    }
}

impl<W: Word> Turns<W> {
    /// The same on a word that is 0.
    pub const fn on(state: W) -> Self {
        Self { state }
    }

    /// Asks for the work. Does it here, until nobody asks any more, unless another context is at it: then `busy` is called, and
    /// that context does it once more afterwards.
    ///
    /// `work` runs in one context at a time, and sees what each context wrote that ran it, or asked for it, before. `done` is called
    /// after each `work`, still alone: the last thing before another context may begin. `busy` runs beside the work.
    #[inline]
    pub fn ask(&self, mut work: impl FnMut(), mut done: impl FnMut(), busy: impl FnOnce()) {
        if self.state.swap(ASKED, Ordering::AcqRel) != IDLE {
            return busy();
        }
        loop {
            // Requests up to here are met by the work that follows; acquire lets it see what they are about.
            self.state.swap(BUSY, Ordering::AcqRel);
            work();
            done();
            if self.state.replace(BUSY, IDLE, Ordering::AcqRel, Ordering::Relaxed) {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turns;
    use core::cell::Cell;

    #[test]
    fn a_request_from_within_the_work_is_met_after_it() {
        let turns = Turns::new();
        let (works, dones, refused) = (Cell::new(0), Cell::new(0), Cell::new(0));
        let work = || {
            works.set(works.get() + 1);
            if works.get() == 1 {
                // As handlers do that come amid the work.
                for _ in 0..3 {
                    turns.ask(|| unreachable!(), || unreachable!(), || refused.set(refused.get() + 1));
                }
            }
        };
        turns.ask(work, || dones.set(dones.get() + 1), || unreachable!());
        assert_eq!((works.get(), dones.get(), refused.get()), (2, 2, 3), "three requests, met by one more turn");
        turns.ask(|| works.set(works.get() + 1), || (), || unreachable!());
        assert_eq!(works.get(), 3);
    }
}
