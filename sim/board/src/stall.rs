//! Notices that a firmware hangs, as a host would, and samples its location before a host gives up.

use super::incident::Hang;

/// Maximum number of frames (milliseconds) until a firmware attaches: a host waits for three seconds.
const ATTACH: u32 = 2_500;
/// Maximum number of frames that an event of the USB controller may wait: an erase of flash takes 400 ms, and a host gives
/// up after two seconds.
const SERVE: u32 = 1_000;
/// Microseconds without a look from which on they are worth mentioning: while a host gives out an address, those that it waits
/// before it uses it (USB 2.0 9.2.6.3); later, what a host may notice.
const LATE_ADDRESS: u64 = 2_000;
const LATE: u64 = 99_000;
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
}

/// What is known of a firmware when a frame begins. Times are in microseconds since power-on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frame {
    pub now: u64,
    /// It has not attached.
    pub detached: bool,
    /// An event of the controller waits for it.
    pub waits: bool,
    /// When it has last looked at the controller, if that was after the last frame began.
    pub looked: Option<u64>,
    /// A host has used the address that it has given out.
    pub addressed: bool,
}

/// Watches a firmware that does not do what a host waits for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stall {
    frames: u32,
    detached: bool,
    /// Since when the program has not looked at the controller, while an event waits.
    since: u64,
    waits: bool,
    addressed: bool,
}

impl Stall {
    /// The bus has been quiet, and an event comes now.
    pub fn event(&mut self, now: u64) {
        self.since = self.since.max(now);
    }

    /// A frame begins.
    pub fn frame(&mut self, frame: Frame) -> Step {
        let Frame { now, detached, waits, looked, addressed } = frame;
        let quiet = detached || !waits;
        self.since = if quiet { now } else { looked.unwrap_or(self.since) };
        (self.waits, self.addressed) = (!quiet, addressed);
        // While a host transfers a lot, an event waits in each frame that begins. A firmware that has looked in between goes on.
        if detached != self.detached || !detached && (quiet || looked.is_some()) {
            (self.frames, self.detached) = (0, detached);
            return Step::None;
        }
        self.frames = self.frames.saturating_add(1);
        let (limit, how) = if detached { (ATTACH, Hang::NotAttached) } else { (SERVE, Hang::NotServed) };
        match self.frames {
            frames if frames == limit => Step::Report(how),
            frames if (limit - LOOKS..limit).contains(&frames) && frames.is_multiple_of(APART) => Step::Look,
            _ => Step::None,
        }
    }

    /// For how many milliseconds the program has not looked at the controller, while an event waits, if that is worth mentioning.
    /// `looked` as in [`Frame`].
    pub fn late(&self, now: u64, looked: Option<u64>) -> Option<u32> {
        let late = now.saturating_sub(looked.unwrap_or(self.since));
        let least = if self.addressed { LATE } else { LATE_ADDRESS };
        (self.waits && late >= least).then(|| late.div_ceil(1000) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Frame = Frame { now: 0, detached: false, waits: true, looked: None, addressed: true };

    #[test]
    fn a_firmware_that_serves_late_is_no_stall_and_one_that_never_does_is_told_once() {
        let mut stall = Stall::default();
        for _ in 0..4 {
            assert!((0..SERVE - 1).all(|_| !matches!(stall.frame(WAITS), Step::Report(_))));
            assert_eq!(stall.frame(Frame { waits: false, ..WAITS }), Step::None);
        }
        let steps: Vec<Step> = (0..10 * SERVE).map(|_| stall.frame(WAITS)).collect();
        assert_eq!(steps.iter().filter(|step| **step == Step::Report(Hang::NotServed)).count(), 1);
        assert_eq!(steps.iter().filter(|step| **step == Step::Look).count(), (LOOKS / APART) as usize);
        let detached = Frame { detached: true, ..Frame::default() };
        let steps: Vec<Step> = (0..10 * ATTACH).map(|_| stall.frame(detached)).collect();
        assert_eq!(steps.iter().position(|step| *step == Step::Report(Hang::NotAttached)), Some(ATTACH as usize));
    }

    /// For ten seconds, frames of a program that looks each `period` milliseconds, half a millisecond after a frame.
    fn frames(period: u64, waiting: Frame) -> impl Iterator<Item = Frame> {
        (1..10_000u64).map(move |frame| {
            let last = frame - 1;
            let looked = last.is_multiple_of(period).then_some(1000 * last + 500);
            Frame { now: 1000 * frame, looked, ..waiting }
        })
    }

    /// While a host reads a lot, the next event waits whenever a frame begins.
    #[test]
    fn a_firmware_that_polls_rarely_under_load_is_no_stall() {
        for period in [1, 2, 10, u64::from(SERVE) - 1] {
            let mut stall = Stall::default();
            let mut steps = frames(period, WAITS).map(|frame| stall.frame(frame));
            assert!(!steps.any(|step| matches!(step, Step::Report(_))), "each {period} ms");
        }
    }

    /// The longest wait that is mentioned.
    fn latest(period: u64, waiting: Frame) -> Option<u32> {
        let mut stall = Stall::default();
        let late = |frame| {
            stall.frame(frame);
            stall.late(frame.now, None)
        };
        frames(period, waiting).filter_map(late).max()
    }

    #[test]
    fn how_long_a_program_does_not_look_is_told_while_something_waits() {
        for period in [100, 480, 600, 950, 1500] {
            assert_eq!(latest(period, WAITS), Some(period as u32));
        }
        assert_eq!(latest(99, WAITS), None);
        // Until it has an address, much less is too much.
        for period in [3, 10, 99, 700] {
            assert_eq!(latest(period, Frame { addressed: false, ..WAITS }), Some(period as u32));
        }
        assert_eq!(latest(2, Frame { addressed: false, ..WAITS }), None);
        // Nothing waits.
        assert_eq!(latest(480, Frame { waits: false, ..WAITS }), None);
        // Nothing has waited until now.
        let mut stall = Stall::default();
        stall.event(5_000_000);
        stall.frame(Frame { now: 5_010_000, ..WAITS });
        assert_eq!(stall.late(5_010_000, None), None);
    }
}
