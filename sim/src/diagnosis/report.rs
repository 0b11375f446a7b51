//! Turns incidents into text: at most one of each kind and location, so that a firmware that restarts forever does not fill
//! the screen.

use super::debug_info::{DebugInfo, Frame};
use super::unwind::backtrace;
use super::{crashes, handlers, log_tail, panics, source, stall};
use crate::board::incident::{Cause, Hang, Incident, Witness};
use crate::board::svd;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of functions of a backtrace that are shown.
const SHOWN: usize = 16;

/// Maximum time in microseconds between two samples that belong together.
const TOGETHER: u64 = 50_000;

/// From that many milliseconds on, a host with a device that has its address may notice that it is late.
const NOTICED: u32 = 100;

/// A note for a panic whose location is unknown.
const MERGED: &str =
    "the compiler has merged its panics into one; with `text = true` in [info] of the manifest, each keeps its place";

/// The same, where the program has its own panic handler.
const MERGED_OWN: &str = "the compiler has merged its panics into one, since its own panic handler does not use the `PanicInfo`; with \
                          `picovd::rp2350::keep_reason(info)` in it, each keeps its place";

/// A note for `unwrap` or `expect` of an error.
const VALUE: &str = "the error's value is not kept: print it before the panic to see it";

/// A note for a panic that does not restart the board.
const STAYS: &str = "its own panic handler does not restart the board";

/// A note for a fault that does not stop the firmware.
const HANDLED: &str = "its own handler of the fault goes on";

/// A note for an interrupt without a handler.
const UNHANDLED: &str = "it is enabled, and `DefaultHandler` runs forever in place of a function of that name: `#[interrupt]`, or \
                         `picovd::serve!` for the stick's own";

/// What is said when the library gives up restarting the application.
const SAFE: &str =
    "started safe: the stick without the application, which crashed three times within 10 s of its start";

/// A note if the firmware continues after its failure.
const RESTARTS: &str = "the board restarts";

/// Whether the firmware has failed so far, for the caller that hands over the reporter.
#[derive(Clone, Debug, Default)]
pub struct Outcome(Arc<Mutex<SoFar>>);

#[derive(Debug, Default)]
struct SoFar {
    failure: Option<String>,
    /// The longest time in milliseconds for which the firmware did not look at a USB controller with an event, as far as a host
    /// may have noticed it.
    latest: Option<u32>,
}

impl Outcome {
    /// The first line of the first report of a failure.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.so_far().failure.clone()
    }

    /// The longest time in milliseconds for which the firmware did not look at a USB controller with an event: from 100 on,
    /// and from 3 on if the host did not get as far as the device's address.
    #[must_use]
    pub fn latest(&self) -> Option<u32> {
        self.so_far().latest
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, headline: &str) {
        self.so_far().failure.get_or_insert_with(|| headline.to_owned());
    }
}

/// Reports incidents.
pub struct Reporter<S> {
    elf: Vec<u8>,
    /// Whether lines that a UART sends are reported, too.
    uart: bool,
    sink: S,
    outcome: Outcome,
    /// Headlines that were reported.
    told: BTreeSet<String>,
    looks: Vec<Vec<Frame>>,
    looked: u64,
}

impl<S: FnMut(&str) + Send + 'static> Reporter<S> {
    /// A reporter for the firmware `elf`. It passes each report, of one or more lines, to `sink`; with `uart`, also each
    /// line that a UART sends.
    #[must_use]
    pub fn new(elf: Vec<u8>, uart: bool, sink: S) -> Self {
        let (outcome, told) = (Outcome::default(), BTreeSet::new());
        Self { elf, uart, sink, outcome, told, looks: Vec::new(), looked: 0 }
    }

    /// A handle that tells later whether the firmware has failed.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome.clone()
    }

    /// The callback that the board requires.
    #[must_use]
    pub fn witness(mut self) -> Witness {
        Box::new(move |incident| self.report(incident))
    }

    fn report(&mut self, incident: &Incident<'_>) {
        if let Cause::Uart { number, line } = incident.cause {
            if self.uart {
                (self.sink)(&format!("uart{number}: {line}"));
            }
            return;
        }
        if let Cause::Descriptors(what) = incident.cause {
            let text = format!("warning: {what}");
            if self.told.insert(text.clone()) {
                (self.sink)(&text);
            }
            return;
        }
        if let Cause::Late(milliseconds) = incident.cause {
            let mut so_far = self.outcome.so_far();
            so_far.latest = so_far.latest.max(Some(milliseconds));
            return;
        }
        if incident.cause == Cause::Addressed {
            // What was too long for an address was not too long after all.
            let mut so_far = self.outcome.so_far();
            so_far.latest = so_far.latest.filter(|milliseconds| *milliseconds >= NOTICED);
            return;
        }
        let elf = std::mem::take(&mut self.elf);
        if let Some(debug) = DebugInfo::new(&elf) {
            self.report_with(&debug, incident);
        }
        self.elf = elf;
    }

    fn report_with(&mut self, debug: &DebugInfo<'_>, incident: &Incident<'_>) {
        let frames = backtrace(debug, incident);
        match incident.cause {
            Cause::Sample => {
                if incident.micros.saturating_sub(self.looked) > TOGETHER {
                    self.looks.clear();
                }
                self.looked = incident.micros;
                self.looks.push(frames);
            }
            Cause::Uart { .. } | Cause::Descriptors(_) | Cause::Late(_) | Cause::Addressed => {}
            Cause::NotModelled { address, write } => {
                let text = not_modelled(address, write, &frames);
                if self.told.insert(block_of(address)) {
                    (self.sink)(&text);
                }
            }
            // It hangs because it fails again and again, which was reported.
            Cause::Hangs(_) if self.outcome.failure().is_some() => {}
            Cause::Restarts if crashes::starts_safe(debug, incident.sram) => {
                self.outcome.set(SAFE);
                if self.told.insert(SAFE.to_owned()) {
                    (self.sink)(SAFE);
                }
            }
            Cause::Restarts
            | Cause::WatchdogBites
            | Cause::Stops(_)
            | Cause::Faults(_)
            | Cause::Panics
            | Cause::Hangs(_) => {
                if let Some(report) = self.failure(debug, incident, &frames) {
                    self.outcome.set(&report.headline);
                    let again = !self.told.insert(report.headline.clone());
                    if !again {
                        (self.sink)(&report.whole(debug, incident));
                    }
                }
            }
        }
    }

    fn failure(&mut self, debug: &DebugInfo<'_>, incident: &Incident<'_>, frames: &[Frame]) -> Option<Report> {
        let looks = std::mem::take(&mut self.looks);
        if let Some(panic) = panics::find(debug, incident, frames) {
            let message = panic.message.map_or(String::new(), |message| format!(": {message}"));
            let Some(place) = panic.place else {
                let function = panic.frames.first().map_or("an unknown function", |frame| frame.function.as_str());
                let headline = format!("the firmware panicked in `{function}`{message}");
                let details = match incident.cause {
                    Cause::Panics => vec![MERGED_OWN.to_owned(), STAYS.to_owned()],
                    _ => vec![MERGED.to_owned()],
                };
                return Some(Report { headline, details, frames: panic.frames });
            };
            let headline = format!("the firmware panicked at {place}{message}");
            let mut details = if panic.is_error { vec![VALUE.to_owned()] } else { Vec::new() };
            if incident.cause == Cause::Panics {
                details.push(STAYS.to_owned());
            }
            return Some(Report { headline, details, frames: panic.frames });
        }
        let at = |frame: &Frame| {
            let place = source::place(frame).map_or(String::new(), |place| format!(" at {place}"));
            format!("`{}`{place}", frame.function)
        };
        let here = source::own(frames).map_or_else(|| "an unknown place".to_owned(), at);
        let report =
            |headline: String, details: Vec<String>| Some(Report { headline, details, frames: frames.to_vec() });
        match incident.cause {
            Cause::Stops(what) => {
                let (cause, details) = what.split_once('\n').unwrap_or((what, ""));
                let details = details.lines().map(|line| line.trim().to_owned()).collect();
                report(format!("the firmware stopped in {here}: {cause}"), details)
            }
            Cause::Faults(what) => report(format!("the firmware faulted in {here}: {what}"), vec![HANDLED.to_owned()]),
            Cause::Panics => report(format!("the firmware panicked in {here}"), vec![STAYS.to_owned()]),
            Cause::WatchdogBites => {
                report(format!("the watchdog restarts the firmware, which is running {here}"), Vec::new())
            }
            Cause::Hangs(how) => {
                let (frame, innermost) =
                    stall::place(&looks).or_else(|| frames.first().cloned().map(|frame| (frame, 0)))?;
                let what = match how {
                    Hang::NotAttached => "the firmware does not attach to USB",
                    Hang::NotServed => "the firmware does not answer USB",
                };
                let last = looks.last().map_or(frames, Vec::as_slice);
                if let Some(interrupt) = handlers::missing(debug, incident, frames) {
                    let headline = format!("{what}: interrupt {interrupt} has no handler");
                    return Some(Report { headline, details: vec![UNHANDLED.to_owned()], frames: last.to_vec() });
                }
                let headline = format!("{what}: it stays in {}", at(&frame));
                Some(Report { headline, details: Vec::new(), frames: last.get(innermost..)?.to_vec() })
            }
            Cause::Restarts
            | Cause::NotModelled { .. }
            | Cause::Uart { .. }
            | Cause::Descriptors(_)
            | Cause::Late(_)
            | Cause::Addressed
            | Cause::Sample => None,
        }
    }
}

struct Report {
    headline: String,
    details: Vec<String>,
    /// The innermost first.
    frames: Vec<Frame>,
}

impl Report {
    fn whole(&self, debug: &DebugInfo<'_>, incident: &Incident<'_>) -> String {
        let mut text = format!("{}\n", self.headline);
        if let Some(line) = source::own(&self.frames).and_then(source::excerpt) {
            text += &format!("{line}\n");
        }
        for line in &self.details {
            text += &format!("  {line}\n");
        }
        let lines = log_tail::lines(debug, incident.sram);
        if !lines.is_empty() {
            text += "  its log ends with:\n";
            for line in lines {
                text += &format!("    {line}\n");
            }
        }
        text += &format!("  backtrace, {:.3} s after power-on:\n", incident.micros as f64 / 1e6);
        for line in listed(&self.frames) {
            text += &format!("  {line}\n");
        }
        if matches!(incident.cause, Cause::Restarts | Cause::WatchdogBites) {
            text += &format!("  {RESTARTS}\n");
        }
        text.trim_end().to_owned()
    }
}

/// A backtrace as lines.
pub(super) fn listed(frames: &[Frame]) -> Vec<String> {
    let (mut lines, mut number) = (Vec::new(), 0);
    // A recursion's calls are all the same: one line for all of them.
    for calls in frames.chunk_by(|one, next| one == next).take(SHOWN) {
        let place = source::place(&calls[0]).map_or(String::new(), |place| format!(" at {place}"));
        lines.push(format!("{number:>4}: {}{place}", calls[0].function));
        number += calls.len();
        if let more @ 1.. = calls.len() - 1 {
            lines.push(format!("      the same {more} times more"));
        }
    }
    if number < frames.len() {
        lines.push("      and more".to_owned());
    }
    lines
}

fn block_of(address: u32) -> String {
    svd::find(address).map_or_else(|| format!("{:#010x}", address & !0xFFF), |(block, _)| block.name.to_owned())
}

fn not_modelled(address: u32, write: bool, frames: &[Frame]) -> String {
    let verb = if write { "a write of" } else { "a read of" };
    let here = source::own(frames).map_or(String::new(), |frame| {
        let place = source::place(frame).map_or(String::new(), |place| format!(" at {place}"));
        format!(" in `{}`{place}", frame.function)
    });
    let found = svd::find(address);
    let what = found.map_or_else(
        || format!("the register at {address:#010x}"),
        |(block, register)| format!("{}.{} ({address:#010x})", block.name, register.name),
    );
    let block = found.map_or("it", |(block, _)| block.name);
    format!(
        "note: {verb} {what}{here}: the simulator does not model {block}; it remembers what is written, and else shows reset values"
    )
}
