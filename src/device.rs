//! The device: the only place where the volume and the logical unit are plugged together.
//!
//! No USB types: it is a command set, and `usb` carries its packets over a bus.

use crate::block::{BlockCount, Lba};
use crate::bot::{CommandSet, Intent};
use crate::scsi::{LogicalUnit, Medium, Status, UnitIdentity};
use crate::volume::{Memory, Volume};

/// A volume as a removable medium.
#[derive(Debug)]
struct VolumeMedium<'a, M> {
    volume: Volume<'a, M>,
    loaded: bool,
    change_count: u32,
}

impl<M: Memory> Medium for VolumeMedium<'_, M> {
    fn is_present(&self) -> bool {
        self.loaded
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

    fn load(&mut self, loaded: bool) {
        // Coming back is a change, which the host is told by NOT READY TO READY CHANGE; going away shows by itself.
        if loaded && !self.loaded {
            self.change_count = self.change_count.wrapping_add(1);
        }
        self.loaded = loaded;
    }
}

/// The stick: a volume behind a SCSI logical unit, as a command set for Bulk-Only Transport.
#[derive(Debug)]
pub struct Device<'a, M> {
    unit: LogicalUnit<'a, VolumeMedium<'a, M>>,
}

impl<'a, M: Memory> Device<'a, M> {
    /// A device that has just been powered on, its medium present.
    #[must_use]
    pub fn new(volume: Volume<'a, M>, identity: UnitIdentity<'a>) -> Self {
        let medium = VolumeMedium { volume, loaded: true, change_count: 0 };
        Self { unit: LogicalUnit::new(medium, identity) }
    }

    /// The volume.
    #[must_use]
    pub fn volume(&self) -> &Volume<'a, M> {
        &self.unit.medium().volume
    }
}

impl<M: Memory> CommandSet for Device<'_, M> {
    fn max_lun(&self) -> u8 {
        self.unit.max_lun()
    }

    fn begin(&mut self, lun: u8, cdb: &[u8]) -> Intent {
        Intent::In(self.unit.begin(lun, cdb))
    }

    #[inline]
    fn data_in(&mut self, packet: &mut [u8]) {
        self.unit.data_in(packet);
    }

    fn data_out(&mut self, _packet: &[u8]) {
        // No command takes data: those that would are refused at `begin`.
    }

    fn end(&mut self) -> bool {
        self.unit.status() == Status::Good
    }

    fn reset(&mut self, bus: bool) {
        self.unit.reset(bus);
    }
}
