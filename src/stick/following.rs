//! What a manifest's tables describe as a device, and how it follows the application: for USB stacks other than ours.

use super::{Description, Firmware, Found, PATIENCE, earlier};
use crate::clock::Instant;
use crate::device::{Device, Poll};
use crate::dynamic::{Files, FromRegistry};
use crate::files::{BuiltIn, LogRing};
use crate::scsi::UnitIdentity;
use crate::settings::{Configured, Settings};
use crate::volume::{DynamicFiles, Memory, Volume};
use core::time::Duration;

/// How often the log is looked at if its tail is a file, and the settings: neither wakes anybody. 131 ms, as in `rp2350::Stick`.
pub(super) const LOOK: Duration = Duration::from_millis(131);

/// The device of a firmware's manifest.
pub type DeviceOf<'b, F, M> = Device<'b, M, <F as Firmware<'b>>::Files, <F as Firmware<'b>>::Settings>;

/// Makes the device that the description asks for. Files whose changes are not announced are present from the start, too.
/// `serial` is the USB device's serial number.
#[inline]
pub fn device<'b, F: Firmware<'b>, M: Memory>(
    description: &Description<'b, F::Settings>,
    found: Found<'b>,
    serial: &'b str,
    memory: M,
) -> DeviceOf<'b, F, M> {
    let Description { layout, files, announcing, unit, settings, .. } = *description;
    let Found { board, flash, .. } = found;
    let mut volume =
        Volume::of(layout, board, memory, F::Files::of(files), settings).with_flash(flash.unwrap_or(u32::MAX));
    volume.begin_unseen_generation(Instant(0));
    Device::new(volume, UnitIdentity { serial, ..unit }, announcing)
}

/// What the device of a program's own USB stack follows: dynamic files, log and settings.
pub struct Following<'b, F: Firmware<'b>> {
    files: &'b Files<'b>,
    built_in: &'b BuiltIn<'b>,
    settings: F::Settings,
    /// Since when a line waits for the end of the host's command in progress.
    waiting: Option<Instant>,
}

impl<'b, F: Firmware<'b>> Following<'b, F> {
    /// What the description asks for.
    pub fn new(description: &Description<'b, F::Settings>) -> Self {
        Self { files: description.files, built_in: description.built_in, settings: description.settings, waiting: None }
    }

    /// The settings, if there are any.
    #[must_use]
    pub fn settings(&self) -> Option<&'b Settings<'b>> {
        self.settings.settings()
    }

    /// What is printed, if the manifest has a log.
    #[must_use]
    pub fn log(&self) -> Option<&'b LogRing> {
        self.built_in.log
    }

    /// The dynamic files.
    #[must_use]
    pub fn files(&self) -> &'b Files<'b> {
        self.files
    }

    /// A number that is different after each change that hosts are notified of.
    #[must_use]
    pub fn changes(&self) -> u32 {
        if F::Files::PRESENT { self.files.announced() } else { 0 }
    }

    /// Does what there is to do at `now`, which must never decrease. Call it between packets: after a change, and at the time
    /// that it returns.
    pub fn follow<M: Memory>(&mut self, device: &mut DeviceOf<'b, F, M>, now: Instant) -> Poll {
        let settings = self.settings();
        if device.is_busy() {
            let line = settings.is_some_and(Settings::is_line_complete);
            self.waiting = if line { self.waiting.or(Some(now)) } else { None };
            let line_until = self.waiting.map(|since| since.after(PATIENCE));
            let until = earlier(device.patience(now), line_until);
            if until.is_none_or(|until| now < until) {
                return Poll { reconnect: false, again: until };
            }
            // The medium changes during the READ, which fails if the host continues it.
            device.give_up();
        }
        self.waiting = None;
        let mut more = false;
        if let Some(settings) = settings {
            // No READ is in progress here: flash is inaccessible while it is being written. Input after this line has already
            // been received, so no event of the bus will follow for it.
            more = settings.execute(now);
            if settings.take_changed() {
                device.set_announcing(settings.announcing());
                self.files.announce();
            }
        }
        if F::Files::PRESENT {
            self.built_in.follow(self.files);
        }
        let mut poll = device.poll(now);
        if more {
            poll.again = Some(now);
        } else if F::Files::PRESENT && self.built_in.tail.is_some() || settings.is_some() {
            poll.again = earlier(poll.again, Some(now + LOOK));
        }
        poll
    }

    /// Whether a setting requires a restart of the program, once.
    pub fn take_restart(&self) -> bool {
        self.settings().is_some_and(Settings::take_restart)
    }
}
