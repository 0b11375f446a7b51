//! Where a firmware hangs: what several looks at it have in common.

use super::debug_info::Frame;
use super::source;

/// The function that all looks have in common, the innermost of those, and what it was doing at the last look.
///
/// Each look is a backtrace, the innermost function first. Frames in which all looks agree to the line, from the outermost
/// on, only wait for what they have called; the first one in which they do not, or the last one, is where it goes round.
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
    // A wait for something in Rust's library is its caller's.
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
        // It calls two others by turns.
        let looks = [look(&[("a", 1), ("wait", 5), ("main", 9)]), look(&[("b", 1), ("wait", 6), ("main", 9)])];
        assert_eq!(found(&looks), "wait");
        // It is at one line, and calls a function at different places of that.
        let looks = [look(&[("read", 1), ("wait", 5), ("main", 9)]), look(&[("read", 2), ("wait", 5), ("main", 9)])];
        assert_eq!(found(&looks), "read");
        // It never moves.
        assert_eq!(found(&[look(&[("spin", 1), ("main", 9)])]), "spin");
        // Rust's library is nobody's place.
        assert_eq!(found(&[look(&[("core::hint::spin_loop", 1), ("spin", 1), ("main", 9)])]), "spin");
        assert!(place(&[]).is_none());
    }
}
