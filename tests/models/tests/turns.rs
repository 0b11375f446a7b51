//! [`Turns`], which interrupt handlers and two cores share: the work is done by one at a time, and no request is lost.

use std::sync::Arc;

use core::sync::atomic::Ordering;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize};
use loom::thread;
use picovd::turns::{Turns, Word};

/// The word, as the chip has it.
struct Modelled(AtomicU8);

impl Word for Modelled {
    fn swap(&self, value: u8, order: Ordering) -> u8 {
        self.0.swap(value, order)
    }

    fn replace(&self, current: u8, new: u8, success: Ordering, failure: Ordering) -> bool {
        self.0.compare_exchange(current, new, success, failure).is_ok()
    }
}

/// The same with less than is asked for.
struct Weak(AtomicU8);

impl Word for Weak {
    fn swap(&self, value: u8, _: Ordering) -> u8 {
        self.0.swap(value, Ordering::Relaxed)
    }

    fn replace(&self, current: u8, new: u8, _: Ordering, _: Ordering) -> bool {
        self.0.compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// What can be asked for work.
trait Asked: Send + Sync + 'static {
    fn ask(&self, work: impl FnMut());
}

impl<W: Word + Send + Sync + 'static> Asked for Turns<W> {
    fn ask(&self, work: impl FnMut()) {
        Turns::ask(self, work, || (), || ());
    }
}

/// Two flags, one for the request and one for the work, with acquire and release: what [`Turns`] took the place of.
struct TwoFlags {
    taken: AtomicBool,
    asked: AtomicBool,
}

impl Asked for TwoFlags {
    fn ask(&self, mut work: impl FnMut()) {
        self.asked.store(true, Ordering::Release);
        while self.asked.load(Ordering::Acquire) && !self.taken.swap(true, Ordering::Acquire) {
            self.asked.store(false, Ordering::Release);
            work();
            self.taken.store(false, Ordering::Release);
        }
    }
}

/// Several contexts post something and ask once each, interrupted so often at most. In the end the work has seen everything that was posted.
fn everything_is_seen<A: Asked>(
    contexts: usize,
    preemptions: Option<usize>,
    make: impl Fn() -> A + Send + Sync + 'static,
) {
    struct Shared<A> {
        turns: A,
        posted: AtomicUsize,
        /// What the last work saw. loom fails where two contexts are at it at once.
        seen: UnsafeCell<usize>,
    }
    // SAFETY: loom watches over the cell.
    unsafe impl<A: Sync> Sync for Shared<A> {}
    unsafe impl<A: Send> Send for Shared<A> {}

    impl<A: Asked> Shared<A> {
        fn post(&self) {
            // The weakest write that there is: the turns have to bring it to the work.
            self.posted.fetch_add(1, Ordering::Relaxed);
            self.turns.ask(|| {
                let posted = self.posted.load(Ordering::Relaxed);
                // SAFETY: the work is done by one at a time, or loom fails.
                self.seen.with_mut(|seen| unsafe { *seen = posted });
            });
        }
    }

    let mut model = loom::model::Builder::new();
    model.preemption_bound = preemptions;
    model.check(move || {
        let shared = Arc::new(Shared { turns: make(), posted: AtomicUsize::new(0), seen: UnsafeCell::new(0) });
        let others: Vec<_> = (1..contexts)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || shared.post())
            })
            .collect();
        shared.post();
        for other in others {
            other.join().expect("it ends");
        }
        // SAFETY: all others have ended.
        let seen = shared.seen.with(|seen| unsafe { *seen });
        assert_eq!(seen, contexts, "a request was lost");
    });
}

#[test]
fn two_contexts_lose_nothing() {
    everything_is_seen(2, None, || Turns::on(Modelled(AtomicU8::new(0))));
}

/// A context is interrupted twice at most: seconds.
#[test]
fn three_contexts_lose_nothing() {
    everything_is_seen(3, Some(2), || Turns::on(Modelled(AtomicU8::new(0))));
}

#[test]
#[ignore = "takes two minutes: cargo xtask test --long"]
fn three_contexts_lose_nothing_however_often_they_are_interrupted() {
    everything_is_seen(3, None, || Turns::on(Modelled(AtomicU8::new(0))));
}

#[test]
#[should_panic]
fn the_model_sees_that_relaxed_turns_are_too_weak() {
    everything_is_seen(2, None, || Turns::on(Weak(AtomicU8::new(0))));
}

#[test]
#[should_panic(expected = "a request was lost")]
fn the_model_sees_that_two_flags_lose_a_request() {
    everything_is_seen(2, None, || TwoFlags { taken: AtomicBool::new(false), asked: AtomicBool::new(false) });
}
