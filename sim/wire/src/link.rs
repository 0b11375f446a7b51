//! The wire between a host controller and one device, at the level of USB 2.0 transactions (USB 2.0 8.5).
//!
//! Everything that can be plugged into the simulated host implements [`Link`]: the library on an in-memory bus, and the
//! firmware ELF on the emulated board. The host half knows nothing else of a device.

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
    /// The other one.
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
    /// Accepted. Data with the wrong toggle is acknowledged, too, and dropped by the device.
    Ack,
    /// No room now: try again.
    Nak,
    /// The endpoint is halted.
    Stall,
    /// Nobody answers: wrong address, no such endpoint, not attached.
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
    /// Nobody answers.
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

    /// IN transaction. With `acknowledge` false the host's handshake gets lost: the device has to send the same again.
    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply;

    /// Stops all traffic (no SOF), so that the device sees suspend after 3 ms (USB 2.0 7.1.7.6).
    fn suspend(&mut self);

    /// Drives resume signalling (USB 2.0 7.1.7.7) and starts SOF again.
    fn resume(&mut self);

    /// Unplugs the device (VBUS gone; a board that the bus powers loses its RAM) and plugs it in again.
    fn replug(&mut self);

    /// Lets time pass with SOF only.
    fn elapse(&mut self, time: Duration);

    /// From now on the device's program comes late: after power-on, where that is the link's affair, and after each bus reset it
    /// does nothing for so long, as in a start-up that computes, an erase of flash, a long critical section. False where the link
    /// cannot do that.
    fn stall(&mut self, time: Duration) -> bool {
        let _ = time;
        false
    }

    /// Time since the board was powered for the first time.
    fn now(&self) -> Duration;

    /// What the device's driver did since the last call that no careful driver does, where the link can see it.
    fn take_faults(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// The host has found something in the device's descriptors that is wrong, and that drivers put up with. True if this is to
    /// be said and no more, since the device is other people's; false if the device has failed.
    fn tolerates(&mut self, what: &str) -> bool {
        let _ = what;
        false
    }

    /// What the link measured since the board was powered for the first time, as text of several lines, where it can.
    fn measured(&mut self) -> Option<String> {
        None
    }
}
