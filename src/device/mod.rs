//! The device: the only place where the volume and the logical unit are combined.
//!
//! It has no USB types: it is a command set, and `usb` carries its packets over a bus. [`Device::poll`] makes it follow the
//! application's changes.

#[cfg(test)]
mod tests;

use crate::announcement::{Announcer, Announcing, Step, View};
use crate::block::{BlockCount, Lba};
use crate::bot::{CommandSet, Intent};
use crate::clock::Instant;
use crate::dynamic::FromRegistry;
use crate::scsi::{LogicalUnit, Medium, Status, UnitIdentity};
use crate::volume::{DynamicFiles, Memory, NoFiles, NoOverrides, Overrides, Volume};

/// A volume as a removable medium.
#[derive(Debug)]
struct VolumeMedium<'a, M, D, O> {
    volume: Volume<'a, M, D, O>,
    /// Whether hosts want the medium (they have not ejected it).
    loaded: bool,
    /// Whether it is absent because of a change.
    away: bool,
    change_count: u32,
}

impl<M: Memory, D: DynamicFiles, O: Overrides> Medium for VolumeMedium<'_, M, D, O> {
    fn is_present(&self) -> bool {
        self.loaded && !self.away
    }

    fn change_count(&self) -> u32 {
        self.change_count
    }

    fn block_count(&self) -> BlockCount {
        self.volume.block_count()
    }

    fn read(&mut self, lba: Lba, offset: usize, out: &mut [u8]) {
        self.volume.read(lba, offset, out);
    }

    fn load(&mut self) {
        // A medium that comes back is a change, which hosts learn by NOT READY TO READY CHANGE; one that goes away is
        // noticed anyway.
        if !self.loaded {
            self.change_count = self.change_count.wrapping_add(1);
        }
        self.loaded = true;
    }

    fn eject(&mut self) {
        self.loaded = false;
    }
}

/// What [`Device::poll`] requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Poll {
    /// The device must leave the bus and come back: a host that does not poll has to see a change.
    pub reconnect: bool,
    /// When to poll again at the latest; `None`: after the next command or the application's next change.
    pub again: Option<Instant>,
}

/// The stick: a volume in a SCSI logical unit, as a command set for Bulk-Only Transport.
#[derive(Debug)]
pub struct Device<'a, M, D = NoFiles, O = NoOverrides> {
    unit: LogicalUnit<'a, VolumeMedium<'a, M, D, O>>,
    announcer: Announcer,
    /// Whether a host has sent a command since power-on.
    touched: bool,
    /// Whether a command is in progress.
    busy: bool,
    /// Whether its end is no longer waited for.
    given_up: bool,
}

impl<'a, M: Memory, D: FromRegistry<'a>, O: Overrides> Device<'a, M, D, O> {
    /// A device that has just been powered on, with its medium present. `announcing` says how changes of its dynamic files
    /// are announced.
    #[must_use]
    pub fn new(volume: Volume<'a, M, D, O>, identity: UnitIdentity<'a>, announcing: Announcing) -> Self {
        let medium = VolumeMedium { volume, loaded: true, away: false, change_count: 0 };
        let unit = LogicalUnit::new(medium, identity);
        Self { unit, announcer: Announcer::new(announcing), touched: false, busy: false, given_up: false }
    }

    /// The volume.
    #[must_use]
    pub fn volume(&self) -> &Volume<'a, M, D, O> {
        &self.unit.medium().volume
    }

    /// Whether a command is in progress: [`poll`](Self::poll) has nothing to do until it ends.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.busy && !self.given_up
    }

    /// While a command is in progress: until when a pending change waits for its end, which is at most one minute after the
    /// change is due.
    pub fn patience(&mut self, now: Instant) -> Option<Instant> {
        let usual = self.announcer.usual();
        let changes = self.volume().files().registry()?.take_changes(usual);
        self.announcer.patience(changes, now)
    }

    /// Stops waiting for the end of the command in progress, if any: the host has had its time. If the medium changes and
    /// the host then continues a READ, the READ fails.
    pub fn give_up(&mut self) {
        self.given_up = self.busy;
    }

    /// From now on, announces changes as `announcing` says.
    pub fn set_announcing(&mut self, announcing: Announcing) {
        self.announcer.set_usual(announcing);
    }

    /// Follows the application's changes. Call it after every event, and at the time that the last call returned.
    ///
    /// `now` must never decrease.
    pub fn poll(&mut self, now: Instant) -> Poll {
        let Some(files) = self.volume().files().registry() else { return Poll::default() };
        if files.take_insert() {
            self.unit.medium_mut().load();
        }
        let volume = &mut self.unit.medium_mut().volume;
        let (read, mounted, used) = (volume.take_read(), volume.take_mounted(), volume.is_used());
        let view = View {
            changes: files.take_changes(self.announcer.usual()),
            touched: self.touched,
            busy: self.is_busy(),
            ejected: !self.unit.medium().loaded,
            absence_known: self.unit.is_absence_known(),
            read,
            mounted,
            used,
        };
        let step = self.announcer.step(view, now);
        let away = self.announcer.is_away();
        let touched = self.touched;
        let medium = self.unit.medium_mut();
        medium.away = away;
        match step {
            Step::Wait(again) => Poll { reconnect: false, again },
            Step::Turn { other_volume, reconnect } => {
                if touched {
                    // The root directory is different: hosts that continue with the same volume would not look at it.
                    let other_volume = other_volume || O::PRESENT && medium.volume.has_changed();
                    if other_volume {
                        medium.volume.begin_other_volume(now);
                    } else {
                        medium.volume.begin_generation(now);
                    }
                    medium.change_count = medium.change_count.wrapping_add(1);
                } else {
                    medium.volume.begin_unseen_generation(now);
                }
                Poll { reconnect, again: Some(now) }
            }
        }
    }
}

impl<'a, M: Memory, D: FromRegistry<'a>, O: Overrides> CommandSet for Device<'a, M, D, O> {
    fn max_lun(&self) -> u8 {
        self.unit.max_lun()
    }

    fn begin(&mut self, lun: u8, cdb: &[u8]) -> Intent {
        self.touched = true;
        (self.busy, self.given_up) = (true, false);
        Intent::In(self.unit.begin(lun, cdb))
    }

    #[inline]
    fn data_in(&mut self, packet: &mut [u8]) {
        self.unit.data_in(packet);
    }

    fn data_out(&mut self, _packet: &[u8]) {
        // No command takes data: those that would are refused by `begin`.
    }

    fn end(&mut self) -> bool {
        self.busy = false;
        self.unit.status() == Status::Good
    }

    fn reset(&mut self) {
        self.busy = false;
        self.unit.reset();
    }

    fn bus_reset(&mut self) {
        self.busy = false;
        self.unit.bus_reset();
    }
}
