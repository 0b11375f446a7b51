//! Notices that a firmware hangs, as a host would, and samples its location before a host gives up.

use super::incident::Hang;

/// Maximum number of frames (milliseconds) until a firmware attaches: a host waits for three seconds.
const ATTACH: u32 = 2_500;
/// Maximum number of frames that an event of the USB controller may wait: an erase of flash takes 400 ms, and a host gives
/// up after two seconds.
const SERVE: u32 = 1_000;
/// Number of frames from which on a wait is worth mentioning.
const LATE: u32 = 100;
/// Number of frames before the end in which samples are taken, and between two samples.
const LOOKS: u32 = 500;
const APART: u32 = 10;

/// What has to be done in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    None,
    /// Take a sample of the firmware's location.
    Look,
    /// Report that it hangs.
    Report(Hang),
    /// It has not looked at the controller for that many milliseconds, while an event waits.
    Late(u32),
}

/// Counts frames in which the firmware does not do what a host waits for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stall {
    frames: u32,
    detached: bool,
    /// Frames since the program has looked at the controller, while an event waits.
    unseen: u32,
}

impl Stall {
    /// A frame begins. `detached`: the firmware has not attached; `waits`: an event of the controller waits for it; `polled`: it has
    /// looked at the controller since the last frame.
    pub fn frame(&mut self, detached: bool, waits: bool, polled: bool) -> Step {
        self.unseen = if polled || detached || !waits { 0 } else { self.unseen.saturating_add(1) };
        if detached != self.detached || !(detached || waits) {
            (self.frames, self.detached) = (0, detached);
            return Step::None;
        }
        self.frames = self.frames.saturating_add(1);
        let (limit, how) = if detached { (ATTACH, Hang::NotAttached) } else { (SERVE, Hang::NotServed) };
        match self.frames {
            frames if frames == limit => Step::Report(how),
            frames if (limit - LOOKS..limit).contains(&frames) && frames.is_multiple_of(APART) => Step::Look,
            _ if self.unseen >= LATE && self.unseen.is_multiple_of(APART) => Step::Late(self.unseen),
            _ => Step::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firmware_that_serves_late_is_no_stall_and_one_that_never_does_is_told_once() {
        let mut stall = Stall::default();
        for _ in 0..4 {
            assert!((0..SERVE - 1).all(|_| !matches!(stall.frame(false, true, false), Step::Report(_))));
            assert_eq!(stall.frame(false, false, true), Step::None);
        }
        let steps: Vec<Step> = (0..10 * SERVE).map(|_| stall.frame(false, true, false)).collect();
        assert_eq!(steps.iter().filter(|step| **step == Step::Report(Hang::NotServed)).count(), 1);
        assert_eq!(steps.iter().filter(|step| **step == Step::Look).count(), (LOOKS / APART) as usize);
        let steps: Vec<Step> = (0..10 * ATTACH).map(|_| stall.frame(true, false, false)).collect();
        assert_eq!(steps.iter().position(|step| *step == Step::Report(Hang::NotAttached)), Some(ATTACH as usize));
    }

    #[test]
    fn how_long_a_program_does_not_look_is_told_while_something_waits() {
        let mut stall = Stall::default();
        // It looks each 480 ms, and an event waits for twice as long.
        let steps: Vec<Step> = (0..960).map(|frame| stall.frame(false, true, frame % 480 == 0)).collect();
        let late = |step: &Step| if let Step::Late(milliseconds) = step { Some(*milliseconds) } else { None };
        assert_eq!(steps.iter().filter_map(late).min(), Some(LATE));
        assert_eq!(steps.iter().filter_map(late).max(), Some(470));
        // Nothing waits.
        let mut stall = Stall::default();
        assert!((0..960).all(|_| stall.frame(false, false, false) == Step::None));
    }
}
