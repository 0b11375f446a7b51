//! Bulk-Only Transport (USB Mass Storage Class, Bulk-Only Transport 1.0): a state machine between packets and commands.
//!
//! Nothing here depends on USB hardware or on SCSI. The caller hands in packets, fetches packets and sets halts as
//! requested; commands go to a [`CommandSet`].
//!
//! - [`Cbw`] is a *valid* command block wrapper. Whether it is *meaningful* is checked separately and has other
//!   consequences. [`Csw`] is the answer.
//! - [`case`] finds out which of the thirteen cases (BOT 6.7) a command is, [`conduct`] how this device handles it.
//! - [`Transport`] carries it out, for a driver that owns two bulk endpoints of one 64-byte packet each. [`PaddingTransport`]
//!   does the same for a driver that cannot halt them.
//!
//! IN and OUT are always from the host's point of view. Lengths are in bytes.

mod cases;
#[cfg(test)]
mod tests;
mod transport;
mod wrapper;

pub use cases::{Conduct, case, conduct};
pub use transport::{Direction, Halts, PACKET_LENGTH, PaddingTransport, Transport};
pub use wrapper::{Cbw, Csw, CswStatus};

/// What the device intends to transfer for a command: Dn, Di or Do of the thirteen cases (BOT 6.7).
///
/// A length of 0 means the same as [`Intent::None`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Dn: no data.
    None,
    /// Di: this number of bytes to the host.
    In(u64),
    /// Do: this number of bytes from the host.
    Out(u64),
}

/// A command set on top of the transport.
///
/// The transport calls [`begin`](Self::begin), then [`data_in`](Self::data_in) or [`data_out`](Self::data_out) for
/// consecutive pieces until the intended length or the host's length is reached, then [`end`](Self::end). A reset
/// ([`reset`](Self::reset), [`bus_reset`](Self::bus_reset)) may replace any of these calls.
///
/// If host and device disagree (BOT 6.7), less data than intended is transferred, or none; `end` is called nevertheless.
pub trait CommandSet {
    /// Highest logical unit number, for Get Max LUN (BOT 3.2), 0 to 15.
    fn max_lun(&self) -> u8;

    /// Begins a command for `lun` with a command block of 1 to 16 bytes, and returns what it intends to transfer. `lun` is
    /// 0 to 15 and may exceed `max_lun`: the command set itself answers for units that do not exist. A command that fails
    /// immediately returns [`Intent::None`], and reports the failure in `end`.
    fn begin(&mut self, lun: u8, cdb: &[u8]) -> Intent;

    /// Fills `out` (at least 1 byte, at most what the driver buffers at a time) with the next bytes of the reply.
    ///
    /// In total, the calls for one command never request more than the intended length.
    fn data_in(&mut self, out: &mut [u8]);

    /// Takes the next bytes from the host, 1 to 64. In total, the calls for one command never exceed the intended length.
    fn data_out(&mut self, packet: &[u8]);

    /// Ends the command: true for Command Passed, false for Command Failed (BOT 5.2).
    fn end(&mut self) -> bool;

    /// Bulk-Only Mass Storage Reset. Aborts the current command.
    fn reset(&mut self);

    /// USB bus reset. Also discards everything the host has set up before.
    fn bus_reset(&mut self);
}
