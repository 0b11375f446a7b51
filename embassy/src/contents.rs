//! What the disk shows, and how it follows the application: the part that knows neither USB nor executors.

use core::time::Duration;
use picovd::clock::Instant;
use picovd::device::{Device, Poll};
use picovd::dynamic::{Files, FromRegistry};
use picovd::files::BuiltIn;
use picovd::scsi::UnitIdentity;
use picovd::settings::Configured;
use picovd::stick::{Description, Firmware, Found};
use picovd::volume::{DynamicFiles, Memory, Volume};

/// How often the log is looked at if its tail is a file: printing wakes no task. 131 ms, as in `picovd::rp2350::Stick`.
const LOOK: Duration = Duration::from_millis(131);

/// The device of a firmware's manifest.
pub(crate) type DeviceOf<F, M> =
    Device<'static, M, <F as Firmware<'static>>::Files, <F as Firmware<'static>>::Settings>;

pub(crate) struct Contents<F: Firmware<'static>, M: Memory> {
    pub device: DeviceOf<F, M>,
    pub files: &'static Files<'static>,
    built_in: &'static BuiltIn<'static>,
    settings: F::Settings,
    /// Restarts the program, if a setting requires it.
    restart: fn(),
}

impl<F: Firmware<'static>, M: Memory> Contents<F, M> {
    pub fn new(
        description: &Description<'static, F::Settings>,
        found: Found<'static>,
        serial: &'static str,
        memory: M,
        restart: fn(),
    ) -> Self {
        let Description { layout, files, built_in, announcing, unit, settings, .. } = *description;
        let Found { board, flash, .. } = found;
        let mut volume =
            Volume::of(layout, board, memory, F::Files::of(files), settings).with_flash(flash.unwrap_or(u32::MAX));
        // Files whose changes are not announced are present from the start, too.
        volume.begin_unseen_generation(Instant(0));
        let device = Device::new(volume, UnitIdentity { serial, ..unit }, announcing);
        Self { device, files, built_in, settings, restart }
    }

    /// A number that is different after each change that hosts are notified of.
    pub fn changes(&self) -> u32 {
        if F::Files::PRESENT { self.files.changes() } else { 0 }
    }

    /// Does what there is to do at `now`, which must never decrease.
    pub fn follow(&mut self, now: Instant) -> Poll {
        if self.device.is_busy() {
            let until = self.device.patience(now);
            if until.is_none_or(|until| now < until) {
                return Poll { reconnect: false, again: until };
            }
            // The medium changes during the READ, which fails if the host continues it.
            self.device.give_up();
        }
        if let Some(settings) = self.settings.settings() {
            // No READ is in progress here: flash is inaccessible while it is being written.
            settings.execute(now);
            if settings.take_changed() {
                self.device.set_announcing(settings.announcing());
                self.files.announce();
            }
            if settings.take_restart() {
                (self.restart)();
            }
        }
        if F::Files::PRESENT {
            self.built_in.follow(self.files);
        }
        let mut poll = self.device.poll(now);
        if F::Files::PRESENT && self.built_in.tail.is_some() || self.settings.settings().is_some() {
            let look = now + LOOK;
            poll.again = Some(poll.again.map_or(look, |again| again.min(look)));
        }
        poll
    }
}
