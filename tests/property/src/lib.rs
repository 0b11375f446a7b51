//! Property tests: cases that proptest draws and shrinks, the same in every run.
//!
//! A test has a strategy for its cases, and a closure that panics on a case that breaks the property. The closure takes a whole
//! case and begins with a fresh object each time: what it kept from an earlier case could not be shrunk away. It may count what it
//! has seen, so that the test can check at the end whether its cases were meaningful.
//!
//! proptest alone would read its settings from the environment and draw other cases in each run. Here the seed is part of the
//! test, and a case that failed in CI fails on every PC.

use std::cell::RefCell;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestError, TestRunner};

/// Maximum number of attempts to shrink a failing case, and the time in milliseconds after which no other one begins.
const SHRINKS: u32 = 100_000;
const SHRINK_TIME: u32 = 60_000;

/// Cases that are drawn from a seed.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    /// How many.
    pub count: u32,
    /// Equal seeds and strategies draw equal cases, with the same version of proptest.
    pub seed: u64,
}

impl Cases {
    /// Holds each case against `property`, which panics where a case breaks it.
    ///
    /// # Panics
    ///
    /// At the first case that breaks the property: it is shrunk for up to a minute and shown, and the panic is the one that the
    /// smallest case ends in. Also when the strategy draws nothing.
    pub fn check<S: Strategy>(self, strategy: S, property: impl FnMut(S::Value)) {
        let Self { count, seed } = self;
        let config = Config {
            cases: count,
            rng_algorithm: RngAlgorithm::ChaCha,
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            max_shrink_iters: SHRINKS,
            max_shrink_time: SHRINK_TIME,
            verbose: 0,
            ..Config::default()
        };
        let property = RefCell::new(property);
        let run = |case: S::Value| property.borrow_mut()(case);
        let result = TestRunner::new(config).run(&strategy, |case| {
            run(case);
            Ok(())
        });
        match result {
            Ok(()) => {}
            Err(TestError::Abort(reason)) => panic!("seed {seed}: no case: {reason}"),
            Err(TestError::Fail(reason, case)) => {
                eprintln!("seed {seed}, a case that breaks the property: {case:?}");
                // Once more outside of proptest, which keeps where a panic came from to itself.
                run(case);
                panic!(
                    "the case passes when it is run again, so that it is not all that the test depends on: {reason}"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cases;
    use proptest::prelude::*;
    use std::panic::catch_unwind;

    fn drawn(seed: u64) -> Vec<u32> {
        let mut drawn = Vec::new();
        Cases { count: 20, seed }.check(any::<u32>(), |case| drawn.push(case));
        drawn
    }

    #[test]
    fn equal_seeds_draw_equal_cases() {
        assert_eq!((drawn(1).len(), drawn(1)), (20, drawn(1)));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn the_panic_is_that_of_the_smallest_case() {
        let failed = catch_unwind(|| {
            Cases { count: 100, seed: 1 }.check(prop::collection::vec(0..1000_u32, 0..50), |numbers| {
                assert!(numbers.iter().all(|number| *number < 700), "{numbers:?}");
            });
        });
        assert_eq!(*failed.expect_err("some are").downcast::<String>().expect("a text"), "[700]");
    }

    #[test]
    #[should_panic(expected = "passes when it is run again")]
    fn a_case_that_passes_the_second_time_fails_all_the_same() {
        let mut count = 0;
        Cases { count: 10, seed: 1 }.check(Just(()), |()| {
            count += 1;
            assert_ne!(count, 5);
        });
    }
}
