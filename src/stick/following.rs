//! What a manifest's tables describe as a device, and how it follows the application: for USB stacks other than ours.

use super::{Description, Firmware, Found};
use crate::clock::Instant;
use crate::device::{Device, Poll};
use crate::dynamic::{Files, FromRegistry};
use crate::files::BuiltIn;
use crate::scsi::UnitIdentity;
use crate::settings::Configured;
use crate::volume::{DynamicFiles, Memory, Volume};
use core::time::Duration;

/// How often the log is looked at if its tail is a file, and the settings: neither wakes anybody. 131 ms, as in `rp2350::Stick`.
const LOOK: Duration = Duration::from_millis(131);

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
}

impl<'b, F: Firmware<'b>> Following<'b, F> {
    /// What the description asks for.
    pub fn new(description: &Description<'b, F::Settings>) -> Self {
        Self { files: description.files, built_in: description.built_in, settings: description.settings }
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
    pub fn follow<M: Memory>(&self, device: &mut DeviceOf<'b, F, M>, now: Instant) -> Poll {
        if device.is_busy() {
            let until = device.patience(now);
            if until.is_none_or(|until| now < until) {
                return Poll { reconnect: false, again: until };
            }
            // The medium changes during the READ, which fails if the host continues it.
            device.give_up();
        }
        if let Some(settings) = self.settings.settings() {
            // No READ is in progress here: flash is inaccessible while it is being written.
            settings.execute(now);
            if settings.take_changed() {
                device.set_announcing(settings.announcing());
                self.files.announce();
            }
        }
        if F::Files::PRESENT {
            self.built_in.follow(self.files);
        }
        let mut poll = device.poll(now);
        if F::Files::PRESENT && self.built_in.tail.is_some() || self.settings.settings().is_some() {
            let look = now + LOOK;
            poll.again = Some(poll.again.map_or(look, |again| again.min(look)));
        }
        poll
    }

    /// Whether a setting requires a restart of the program, once.
    pub fn take_restart(&self) -> bool {
        self.settings.settings().is_some_and(crate::settings::Settings::take_restart)
    }
}
