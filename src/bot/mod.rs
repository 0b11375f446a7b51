//! Bulk-Only Transport (USB Mass Storage Class, Bulk-Only Transport 1.0): a packet-in, packet-out machine.
//!
//! Nothing here knows USB hardware or SCSI: packets come in, packets go out, halts are asked for, and the commands go
//! to a [`CommandSet`].
//!
//! - [`Cbw`] is a command block wrapper that is *valid*; whether it is *meaningful* is a second question with another
//!   consequence. [`Csw`] is its answer.
//! - [`case`] tells which of the thirteen cases (BOT 6.7) a command is, [`conduct`] what this device does in it.
//! - [`Transport`] does it, for a driver that owns two bulk endpoints of one 64-byte packet each.
//!
//! IN and OUT are always the host's view. Lengths are in bytes.

mod cases;
#[cfg(test)]
mod tests;
mod transport;
mod wrapper;

pub use cases::{Conduct, case, conduct};
pub use transport::{Direction, Halts, PACKET_LENGTH, Transport};
pub use wrapper::{Cbw, Csw, CswStatus};

/// What the device means to do with a command: Dn, Di or Do of the thirteen cases (BOT 6.7).
///
/// A length of 0 means the same as [`Intent::None`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Dn: no data.
    None,
    /// Di: that many bytes to the host.
    In(u64),
    /// Do: that many bytes from the host.
    Out(u64),
}

/// A command set that the transport carries.
///
/// The transport calls [`begin`](Self::begin), then [`data_in`](Self::data_in) or [`data_out`](Self::data_out) for
/// consecutive pieces until the intent or the host's length is reached, then [`end`](Self::end). A reset may come
/// instead of any of them: [`reset`](Self::reset), [`bus_reset`](Self::bus_reset).
///
/// Where host and device disagree (BOT 6.7) there may be less data than the intent named, or none; `end` comes all the
/// same.
pub trait CommandSet {
    /// Highest logical unit number, for Get Max LUN (BOT 3.2), 0 to 15.
    fn max_lun(&self) -> u8;

    /// Takes a command addressed to `lun` (0 to 15, not always below `max_lun`: the transport does not check that,
    /// since a command set has its own answers for units that do not exist) with a command block of 1 to 16 bytes, and
    /// says what it needs. A command that fails at once has [`Intent::None`] and says so at `end`.
    fn begin(&mut self, lun: u8, cdb: &[u8]) -> Intent;

    /// Fills `out` (1 byte or more, up to what the driver stages at a time) with the next bytes of the reply.
    ///
    /// All calls of one command together never ask for more than the intent's length.
    fn data_in(&mut self, out: &mut [u8]);

    /// Takes the next bytes that the host sends, 1 to 64. All calls of one command together never exceed the intent's
    /// length.
    fn data_out(&mut self, packet: &[u8]);

    /// Ends the command: true for Command Passed, false for Command Failed (BOT 5.2).
    fn end(&mut self) -> bool;

    /// Bulk-Only Mass Storage Reset. A command that ran is void.
    fn reset(&mut self);

    /// USB bus reset: that, and whatever the host has said before is void.
    fn bus_reset(&mut self);
}
