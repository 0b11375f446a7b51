//! Finds where a firmware hangs: what several samples have in common.

use super::debug_info::Frame;
use super::source;

/// The innermost function that all samples have in common, and what it was doing in the last sample.
///
/// Each sample is a backtrace, the innermost function first. Frames that agree to the line in all samples, from the
/// outermost on, only wait for what they have called. The first frame that does not agree, or the last one, is the loop.
pub fn place(looks: &[Vec<Frame>]) -> Option<(Frame, usize)> {
    let last = looks.last()?;
    let from_outside =
        |look: &[Frame], depth: usize| look.len().checked_sub(depth + 1).and_then(|at| look.get(at).cloned());
    let mut common = 0;
    for depth in 0..last.len() {
        let Some(here) = from_outside(last, depth) else { break };
        let same_function =
            |look: &Vec<Frame>| from_outside(look, depth).is_some_and(|frame| frame.function == here.function);
        if !looks.iter().all(same_function) {
            break;
        }
        common = depth + 1;
        let same_line = |look: &Vec<Frame>| from_outside(look, depth).is_some_and(|frame| frame.line == here.line);
        if !looks.iter().all(same_line) {
            break;
        }
    }
    let innermost = last.len().checked_sub(common)?;
    // A wait in Rust's library is attributed to its caller.
    let at = (innermost..last.len()).find(|at| !source::is_library(&last[*at])).unwrap_or(innermost);
    Some((last.get(at)?.clone(), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(frames: &[(&str, u32)]) -> Vec<Frame> {
        let frame = |&(function, line): &(&str, u32)| Frame {
            function: function.to_owned(),
            line: Some(line),
            ..Frame::default()
        };
        frames.iter().map(frame).collect()
    }

    fn found(looks: &[Vec<Frame>]) -> String {
        place(looks).map(|(frame, _)| frame.function).unwrap()
    }

    #[test]
    fn the_function_that_goes_round_is_the_one_in_common() {
        // It calls two others alternately.
        let looks = [look(&[("a", 1), ("wait", 5), ("main", 9)]), look(&[("b", 1), ("wait", 6), ("main", 9)])];
        assert_eq!(found(&looks), "wait");
        // It stays at one line, from which it calls a function that is at different lines.
        let looks = [look(&[("read", 1), ("wait", 5), ("main", 9)]), look(&[("read", 2), ("wait", 5), ("main", 9)])];
        assert_eq!(found(&looks), "read");
        // It never moves.
        assert_eq!(found(&[look(&[("spin", 1), ("main", 9)])]), "spin");
        // Rust's library is never reported.
        assert_eq!(found(&[look(&[("core::hint::spin_loop", 1), ("spin", 1), ("main", 9)])]), "spin");
        assert!(place(&[]).is_none());
    }
}
