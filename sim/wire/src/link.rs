//! The wire between a host controller and one device, at the level of USB 2.0 transactions (USB 2.0 8.5).
//!
//! Everything that can be plugged into the simulated host implements [`Link`]: the library on an in-memory bus, and the
//! firmware's ELF file on the emulated board. The host knows nothing else about a device.

use std::time::Duration;

/// Data packet identifier: the data toggle (USB 2.0 8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pid {
    /// DATA0.
    Data0,
    /// DATA1.
    Data1,
}

impl Pid {
    /// The other toggle.
    #[must_use]
    pub fn toggled(self) -> Self {
        match self {
            Self::Data0 => Self::Data1,
            Self::Data1 => Self::Data0,
        }
    }
}

/// Answer to a SETUP or OUT transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutReply {
    /// Accepted. Data with the wrong toggle is also acknowledged, but dropped by the device.
    Ack,
    /// No room now: try again.
    Nak,
    /// The endpoint is halted.
    Stall,
    /// No answer: wrong address, no such endpoint, not attached.
    Silent,
}

/// Answer to an IN transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InReply {
    /// A data packet of 0 to 64 bytes.
    Data(Pid, Vec<u8>),
    /// Nothing to send now: try again.
    Nak,
    /// The endpoint is halted.
    Stall,
    /// No answer.
    Silent,
}

/// One full-speed device on a cable.
///
/// Each transaction takes bus time, during which the device runs; [`elapse`](Self::elapse) lets it run with the bus idle.
pub trait Link {
    /// Whether the device pulls up D+ (USB 2.0 7.1.5).
    fn attached(&mut self) -> bool;

    /// Drives a bus reset (USB 2.0 7.1.7.5) of 10 ms and recovery.
    fn bus_reset(&mut self);

    /// SETUP transaction to endpoint 0.
    fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply;

    /// OUT transaction with a data packet of at most 64 bytes.
    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply;

    /// An IN transaction. With `acknowledge` false, the host's handshake is lost: the device has to send the same packet
    /// again.
    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply;

    /// Stops all traffic (no SOF), so that the device sees suspend after 3 ms (USB 2.0 7.1.7.6).
    fn suspend(&mut self);

    /// Drives resume signalling (USB 2.0 7.1.7.7) and starts SOF again.
    fn resume(&mut self);

    /// Unplugs the device (VBUS off; a bus-powered board loses its RAM) and plugs it in again.
    fn replug(&mut self);

    /// Lets time pass with SOF only.
    fn elapse(&mut self, time: Duration);

    /// From now on, the device's program polls late: after power-on, if the link controls that, and after each bus reset,
    /// it does nothing for this long, as in a long start-up, an erase of flash, or a long critical section. Returns false
    /// if the link does not support that.
    fn stall(&mut self, time: Duration) -> bool {
        let _ = time;
        false
    }

    /// Time since the first power-on of the board.
    fn now(&self) -> Duration;

    /// What the device's driver has done wrong since the last call, as far as the link can see it.
    fn take_faults(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The host has found a mistake in the device's descriptors that drivers tolerate. Returns true if it should only be
    /// reported, because the device is other people's; false if the device has failed.
    fn tolerates(&mut self, what: &str) -> bool {
        let _ = what;
        false
    }

    /// What the link has measured since the first power-on, as text of several lines, if it can.
    fn measured(&mut self) -> Option<String> {
        None
    }
}
