//! What the disk shows, and how it follows the application: the part that knows neither USB nor executors.

use picovd::clock::Instant;
use picovd::device::Poll;
use picovd::dynamic::Files;
use picovd::stick::{Description, DeviceOf, Firmware, Following, Found};
use picovd::volume::Memory;

pub(crate) struct Contents<F: Firmware<'static>, M: Memory> {
    pub device: DeviceOf<'static, F, M>,
    following: Following<'static, F>,
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
        let device = picovd::stick::device::<F, M>(description, found, serial, memory);
        Self { device, following: Following::new(description), restart }
    }

    pub fn files(&self) -> &'static Files<'static> {
        self.following.files()
    }

    /// A number that is different after each change that hosts are notified of.
    pub fn changes(&self) -> u32 {
        self.following.changes()
    }

    /// Does what there is to do at `now`, which must never decrease.
    pub fn follow(&mut self, now: Instant) -> Poll {
        let poll = self.following.follow(&mut self.device, now);
        if self.following.take_restart() {
            (self.restart)();
        }
        poll
    }
}
