//! Allocation of clusters for dynamic files: in the dynamic window, never where a file was in the last generation.

/// A run of clusters, counted from the window's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub first: u32,
    pub count: u32,
}

impl Run {
    const fn end(self) -> u32 {
        self.first.saturating_add(self.count)
    }

    /// The first cluster after this one, where the two have clusters in common.
    pub fn collides(self, other: Self) -> Option<u32> {
        (self.first < other.end() && other.first < self.end()).then(|| self.end())
    }
}

/// The first `count` consecutive clusters that nothing else uses, searching from `cursor` and wrapping around at the window's end.
/// `collision` tells of a run where the clusters end that others use of it.
///
/// In the worst case, the cost grows with the square of the number of others.
pub(super) fn find(window: u32, cursor: u32, count: u32, collision: &dyn Fn(Run) -> Option<u32>) -> Option<u32> {
    let mut first = cursor;
    let mut wrapped = false;
    loop {
        if first.checked_add(count).is_none_or(|end| end > window) {
            if wrapped || count > window {
                return None;
            }
            wrapped = true;
            first = 0;
        }
        match collision(Run { first, count }) {
            None => return Some(first),
            Some(end) => first = end,
        }
        if wrapped && first > cursor {
            // Everything after the cursor was searched before.
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use picovd_property::Cases;
    use proptest::collection::vec;
    use std::vec::Vec;

    /// Where the furthest of `taken` ends that collides.
    fn collision(taken: &[Run], candidate: Run) -> Option<u32> {
        taken.iter().filter_map(|run| run.collides(candidate)).max()
    }

    #[test]
    fn goes_on_from_the_cursor_and_around() {
        let taken = [Run { first: 4, count: 2 }];
        let find = |cursor, count| find(10, cursor, count, &|candidate| collision(&taken, candidate));
        assert_eq!(find(0, 4), Some(0));
        assert_eq!(find(1, 4), Some(6));
        assert_eq!(find(7, 4), Some(0));
        assert_eq!(find(0, 5), None);
        assert_eq!(find(9, 1), Some(9));
        assert_eq!(find(10, 1), Some(0));
        assert_eq!(find(0, 11), None);
    }

    #[test]
    fn finds_whatever_a_search_of_every_place_finds() {
        const SEARCHES: u32 = if cfg!(miri) { 200 } else { 20_000 };
        let runs = vec((0..24_u32, 1..=4_u32), 0..5);
        let search = (1..=24_u32, runs, 0..=24_u32, 1..=8_u32);
        Cases { count: SEARCHES, seed: 0 }.check(search, |(window, runs, cursor, count)| {
            let mut taken: Vec<Run> = Vec::new();
            for (first, count) in runs {
                let run = Run { first: first % window, count };
                if run.end() <= window && taken.iter().all(|t| t.end() <= run.first || run.end() <= t.first) {
                    taken.push(run);
                }
            }
            let cursor = cursor % (window + 1);
            let free = |first: u32| {
                first + count <= window && taken.iter().all(|t| t.end() <= first || first + count <= t.first)
            };
            let places: Vec<u32> = (cursor..window).chain(0..cursor).filter(|first| free(*first)).collect();
            let found = find(window, cursor, count, &|candidate| collision(&taken, candidate));
            assert_eq!(found.is_some(), !places.is_empty(), "{window} {cursor} {count} {taken:?}");
            if let Some(first) = found {
                assert!(free(first), "{window} {cursor} {count} {taken:?} {first}");
            }
        });
    }
}
