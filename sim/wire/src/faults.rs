//! A bad cable: a [`Link`] that randomly loses handshakes and data packets.
//!
//! USB 2.0 8.6 guarantees that this never corrupts data: after a lost acknowledgement, the packet is repeated, and the
//! receiver recognizes it by its toggle and drops it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::link::{InReply, Link, OutReply, Pid};
use crate::random::Random;

/// A host gives up after three errors in a row (USB 2.0 4.10.4 allows that); this cable is never that bad.
const LONGEST_BURST: u32 = 2;

/// One packet of a control transfer that gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The device's handshake to the next SETUP.
    SetupHandshake,
    /// The device's handshake to the next OUT packet of endpoint 0.
    OutHandshake,
    /// The host's handshake for the next IN packet of endpoint 0, which the host receives.
    InHandshake,
    /// The next IN packet of endpoint 0 on its way to the host.
    InPacket,
}

/// How bad a cable is, changeable while it is in use.
#[derive(Clone, Debug, Default)]
pub struct Quality(Rc<Knobs>);

#[derive(Debug, Default)]
struct Knobs {
    one_in: Cell<u32>,
    next: Cell<Option<Loss>>,
}

impl Quality {
    /// Loses one transaction in `one_in` on average; 0 for none.
    pub fn lose(&self, one_in: u32) {
        self.0.one_in.set(one_in);
    }

    /// Loses this one packet, and then no more.
    pub fn lose_next(&self, loss: Loss) {
        self.0.next.set(Some(loss));
    }

    /// Takes back a packet that was to be lost and has not occurred.
    #[must_use]
    pub fn take_next(&self) -> Option<Loss> {
        self.0.next.take()
    }
}

/// A link that loses transactions as its [`Quality`] says.
pub struct BadCable<L> {
    inner: L,
    /// Drawn from at each transaction: how many there are is up to both ends, so a test cannot draw the losses in advance.
    random: Random,
    quality: Quality,
    burst: u32,
}

impl<L: Link> BadCable<L> {
    /// Wraps `inner`, initially as a good cable; the same `seed` loses the same transactions.
    pub fn new(inner: L, seed: u64) -> Self {
        Self { inner, random: Random::new(seed), quality: Quality::default(), burst: 0 }
    }

    /// The quality setting.
    #[must_use]
    pub fn quality(&self) -> Quality {
        self.quality.clone()
    }

    fn loses(&mut self) -> bool {
        let one_in = self.quality.0.one_in.get();
        if one_in != 0 && self.burst < LONGEST_BURST && self.random.below(one_in) == 0 {
            self.burst += 1;
            true
        } else {
            self.burst = 0;
            false
        }
    }

    /// Whether this packet is the one to get lost.
    fn loses_next(&self, loss: Loss) -> bool {
        let next = &self.quality.0.next;
        let lost = next.get() == Some(loss);
        if lost {
            next.set(None);
        }
        lost
    }
}

impl<L: Link> Link for BadCable<L> {
    fn attached(&mut self) -> bool {
        self.inner.attached()
    }

    fn bus_reset(&mut self) {
        self.inner.bus_reset();
    }

    fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
        let reply = self.inner.setup(address, packet);
        if reply == OutReply::Ack && self.loses_next(Loss::SetupHandshake) {
            return OutReply::Silent;
        }
        if reply == OutReply::Ack && self.loses() { OutReply::Silent } else { reply }
    }

    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        // Half of the losses hit the packet, the others the device's acknowledgement.
        if self.loses() {
            if self.random.below(2) == 0 {
                return OutReply::Silent;
            }
            return match self.inner.out(address, endpoint, pid, data) {
                OutReply::Ack => OutReply::Silent,
                reply => reply,
            };
        }
        let reply = self.inner.out(address, endpoint, pid, data);
        if endpoint == 0 && reply == OutReply::Ack && self.loses_next(Loss::OutHandshake) {
            return OutReply::Silent;
        }
        reply
    }

    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        if self.loses() {
            let reply = self.inner.r#in(address, endpoint, false);
            // Either the host received the data and its acknowledgement was lost, or the data never arrived.
            return match reply {
                InReply::Data(..) if self.random.below(2) == 0 => InReply::Silent,
                reply => reply,
            };
        }
        let next = self.quality.0.next.get().filter(|next| matches!(next, Loss::InHandshake | Loss::InPacket));
        if let (0, Some(loss)) = (endpoint, next) {
            let reply = self.inner.r#in(address, endpoint, false);
            // A NAK does not change the endpoint, with or without a handshake.
            return match reply {
                InReply::Data(..) if self.loses_next(loss) && loss == Loss::InPacket => InReply::Silent,
                reply => reply,
            };
        }
        self.inner.r#in(address, endpoint, acknowledge)
    }

    fn suspend(&mut self) {
        self.inner.suspend();
    }

    fn resume(&mut self) {
        self.inner.resume();
    }

    fn replug(&mut self) {
        self.inner.replug();
    }

    fn elapse(&mut self, time: Duration) {
        self.inner.elapse(time);
    }

    fn stall(&mut self, time: Duration) -> bool {
        self.inner.stall(time)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn take_faults(&mut self) -> Vec<String> {
        self.inner.take_faults()
    }

    fn tolerates(&mut self, what: &str) -> bool {
        self.inner.tolerates(what)
    }
}
