//! The bus with a device that is never late, and a cable that counts late packets of either side.
//!
//! The model is the emulated board's (12 Mbit/s, 12.5 processor cycles a bit): a transaction takes 104 bits and its payload
//! with stuffing (USB 2.0 7.1.9), a start of frame 40; none crosses a start of frame, and an IN token is sent only where the
//! longest packet would fit.

use super::pace::Paced;
use picovd_sim::board::ElfDevice;
use picovd_sim::link::{InReply, Link, OutReply, Pid};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

const FRAME_BITS: u64 = 12_000;
const START_OF_FRAME_BITS: u64 = 40;
const OVERHEAD_BITS: u64 = 104;
const PACKET_BITS: u64 = 64 * 8;

/// Length of the longest IN transaction: every sixth bit of a payload of ones is followed by a stuffed one.
const LONGEST_IN_BITS: u64 = OVERHEAD_BITS + PACKET_BITS + PACKET_BITS / 6;

/// Bus time that transactions need without waiting.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ideal {
    bits: u64,
    in_frame: u64,
}

impl Ideal {
    fn room(&mut self, bits: u64) {
        if self.in_frame + bits > FRAME_BITS {
            self.bits += FRAME_BITS - self.in_frame + START_OF_FRAME_BITS;
            self.in_frame = START_OF_FRAME_BITS;
        }
    }

    fn pass(&mut self, payload: &[u8]) {
        let bits = OVERHEAD_BITS + 8 * payload.len() as u64 + stuffing(payload);
        self.bits += bits;
        self.in_frame += bits;
    }

    fn out(&mut self, payload: &[u8]) {
        self.room(OVERHEAD_BITS + 8 * payload.len() as u64 + stuffing(payload));
        self.pass(payload);
    }

    fn r#in(&mut self, payload: &[u8]) {
        self.room(LONGEST_IN_BITS);
        self.pass(payload);
    }

    /// As time.
    pub fn duration(self) -> Duration {
        Duration::from_nanos(self.bits * 1000 / 12)
    }
}

fn stuffing(data: &[u8]) -> u64 {
    let (mut ones, mut added) = (0, 0);
    for bit in data.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1)) {
        ones = if bit == 1 { ones + 1 } else { 0 };
        if ones == 6 {
            added += 1;
            ones = 0;
        }
    }
    added
}

/// What a host waited for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waits {
    /// NAKs between the CBW and the first packet of data.
    pub command: u64,
    /// NAKs between two packets of data.
    pub data: u64,
    /// NAKs between the data and the CSW.
    pub status: u64,
    /// Packets of data.
    pub packets: u64,
}

/// What the cable saw of bulk traffic.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// NAKs by stage.
    pub waits: Waits,
    /// How long it would have taken without waiting.
    pub ideal: Ideal,
    naks: u64,
    in_data: bool,
}

/// The board, and a cable that counts.
pub struct Cable {
    /// The board.
    pub board: ElfDevice<Paced>,
    /// What was seen since this was last set to nothing.
    pub seen: Seen,
}

/// Both ends of a cable: one for the host, one for the measurement.
#[derive(Clone)]
pub struct Port(pub Rc<RefCell<Cable>>);

const CSW_LENGTH: usize = 13;

impl Link for Port {
    fn attached(&mut self) -> bool {
        self.0.borrow_mut().board.attached()
    }
    fn bus_reset(&mut self) {
        self.0.borrow_mut().board.bus_reset();
    }
    fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
        self.0.borrow_mut().board.setup(address, packet)
    }
    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        let cable = &mut *self.0.borrow_mut();
        let reply = cable.board.out(address, endpoint, pid, data);
        if reply == OutReply::Ack && endpoint != 0 {
            cable.seen.ideal.out(data);
            cable.seen.in_data = false;
        }
        reply
    }
    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        let cable = &mut *self.0.borrow_mut();
        let reply = cable.board.r#in(address, endpoint, acknowledge);
        let seen = &mut cable.seen;
        match &reply {
            InReply::Nak if endpoint != 0 => seen.naks += 1,
            InReply::Data(_, data) if endpoint != 0 => {
                seen.ideal.r#in(data);
                let naks = std::mem::take(&mut seen.naks);
                if data.len() == CSW_LENGTH {
                    seen.waits.status += naks;
                } else {
                    seen.waits.packets += 1;
                    let counter = if seen.in_data { &mut seen.waits.data } else { &mut seen.waits.command };
                    *counter += naks;
                    seen.in_data = true;
                }
            }
            _ => {}
        }
        reply
    }
    fn suspend(&mut self) {
        self.0.borrow_mut().board.suspend();
    }
    fn resume(&mut self) {
        self.0.borrow_mut().board.resume();
    }
    fn replug(&mut self) {
        self.0.borrow_mut().board.replug();
    }
    fn elapse(&mut self, time: Duration) {
        self.0.borrow_mut().board.elapse(time);
    }
    fn now(&self) -> Duration {
        self.0.borrow().board.now()
    }
    fn take_faults(&mut self) -> Vec<String> {
        self.0.borrow_mut().board.take_faults()
    }
}
