//! The board on a cable: [`Link`] over the emulated USB controller, in emulated time.
//!
//! The bus model is FACTS 7: full speed is 12.5 processor cycles a bit; a 64-byte IN transaction with token and
//! handshake takes 616 bits, a refused one 66; payloads are stuffed with a 0 after six 1s (USB 2.0 7.1.9). A
//! transaction never crosses a start of frame. The processor runs while bits pass.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::bootrom::ChipIdentity;
use super::clocks::CPU_MHZ;
use super::elf::{ElfError, Image};
use super::engine::Engine;
use super::machine::{Machine, RunState};
use super::stall::{Frame, Stall, Step};
use super::thumb::Interpreter;
use super::usb::{InDecision, OutDecision};
use picovd_wire::link::{InReply, Link, OutReply, Pid};

/// Half cycles in a bit time: 12.5 cycles.
const HALF_CYCLES_PER_BIT: u64 = 25;
/// Cycles in a frame of 1 ms.
const FRAME: u64 = 1000 * CPU_MHZ;
/// Bits from the start of a token until the device decides.
const TOKEN_BITS: u64 = 40;
/// Bits of a transaction that is refused by a handshake, or not answered.
const REFUSED_BITS: u64 = 66;
/// Bits of a transaction in addition to its payload: token, PIDs, CRC, handshake, gaps.
const OVERHEAD_BITS: u64 = 104;
/// Bits of the handshake at the end.
const HANDSHAKE_BITS: u64 = 19;
/// Minimum number of cycles from the receipt of a SETUP packet until the next token is decided: the handshake, and a token.
/// A real host needs no less: the token alone has 35 bits, and the gap before it 2 (USB 2.0 7.1.18.1, 8.4).
pub const SETUP_WINDOW: u64 = (HANDSHAKE_BITS + TOKEN_BITS) * HALF_CYCLES_PER_BIT / 2;
/// Bits of a start-of-frame packet with its gap.
const SOF_BITS: u64 = 40;

const MILLISECOND: u64 = FRAME;
const BUS_RESET: u64 = 10 * MILLISECOND;
const RESET_RECOVERY: u64 = 10 * MILLISECOND;
const IDLE_UNTIL_SUSPEND: u64 = 3 * MILLISECOND;
const RESUME: u64 = 20 * MILLISECOND;
const UNPLUGGED: u64 = 100 * MILLISECOND;

/// Flash chip of the Pico 2.
pub const DEFAULT_FLASH_SIZE: usize = 4 << 20;

/// A firmware ELF on the emulated board, on a cable.
pub struct ElfDevice<E = Interpreter> {
    machine: Machine<E>,
    /// Bus time in cycles; the processor is never behind it.
    time: u64,
    next_frame: u64,
    frame_number: u32,
    suspended: bool,
    fault_told: bool,
    /// How long the cores are stopped after each bus reset, in cycles.
    stall: u64,
    hang: Stall,
    /// Whether a host has used the address that it has given out since the last bus reset.
    addressed: bool,
}

/// Bits that stuffing adds to a payload.
fn stuffing(data: &[u8]) -> u64 {
    let mut ones = 0;
    let mut added = 0;
    for byte in data {
        for bit in 0..8 {
            ones = if byte >> bit & 1 != 0 { ones + 1 } else { 0 };
            if ones == 6 {
                added += 1;
                ones = 0;
            }
        }
    }
    added
}

fn cycles(bits: u64) -> u64 {
    bits * HALF_CYCLES_PER_BIT / 2
}

impl ElfDevice {
    /// Flashes an ELF to a board and plugs it in.
    ///
    /// # Errors
    ///
    /// The file is not an image that this board would boot.
    pub fn new(elf: &[u8]) -> Result<Self, ElfError> {
        Self::with_board(elf, DEFAULT_FLASH_SIZE, ChipIdentity::default())
    }

    /// The same with another flash chip and identity.
    ///
    /// # Errors
    ///
    /// As [`ElfDevice::new`].
    pub fn with_board(elf: &[u8], flash_size: usize, identity: ChipIdentity) -> Result<Self, ElfError> {
        Self::with_engine(elf, flash_size, identity)
    }

    /// The same with the image in a partition, a range of flash in whole sectors, from which the boot ROM starts it.
    ///
    /// # Errors
    ///
    /// As [`ElfDevice::new`].
    pub fn in_partition(elf: &[u8], partition: std::ops::Range<u32>) -> Result<Self, ElfError> {
        let image = Image::parse(elf)?;
        Ok(Self::of(Machine::in_partition(image, DEFAULT_FLASH_SIZE, ChipIdentity::default(), partition)?))
    }
}

impl<E: Engine + Default> ElfDevice<E> {
    /// The same with another engine, flash chip and identity.
    ///
    /// # Errors
    ///
    /// As [`ElfDevice::new`].
    pub fn with_engine(elf: &[u8], flash_size: usize, identity: ChipIdentity) -> Result<Self, ElfError> {
        Ok(Self::of(Machine::new(Image::parse(elf)?, flash_size, identity)?))
    }

    fn of(machine: Machine<E>) -> Self {
        Self {
            machine,
            time: 0,
            next_frame: FRAME,
            frame_number: 0,
            suspended: false,
            fault_told: false,
            stall: 0,
            hang: Stall::default(),
            addressed: false,
        }
    }

    /// Why the board stopped, if it did. After that, it does not answer any more.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.machine.fault()
    }

    /// The same as a handle that stays valid when the device is passed to a host: filled when the board stops.
    #[must_use]
    pub fn fault_watch(&self) -> Arc<OnceLock<String>> {
        self.machine.fault_watch()
    }

    /// The board.
    #[must_use]
    pub fn machine(&mut self) -> &mut Machine<E> {
        &mut self.machine
    }

    fn alive(&self) -> bool {
        *self.machine.state() == RunState::Running && !self.suspended
    }

    fn pass(&mut self, cycles: u64) {
        self.time += cycles;
        self.machine.run_until(self.time);
    }

    fn pass_bits(&mut self, bits: u64) {
        self.pass(cycles(bits));
    }

    /// Starts frames until the current one has room for a transaction of this many bits.
    fn make_room(&mut self, bits: u64) {
        while self.time + cycles(bits) > self.next_frame {
            self.start_frame();
        }
    }

    fn start_frame(&mut self) {
        let until = self.next_frame.saturating_sub(self.time);
        self.pass(until);
        self.next_frame += FRAME;
        self.frame_number = self.frame_number.wrapping_add(1) & 0x7FF;
        let number = self.frame_number;
        self.machine.statistics().frame();
        if *self.machine.state() == RunState::Running {
            self.machine.usb().0.start_of_frame(number);
            self.machine.usb_done();
        }
        self.pass_bits(SOF_BITS);
        if self.machine.is_watched() {
            self.look_for_stall();
        }
    }

    fn look_for_stall(&mut self) {
        if *self.machine.state() != RunState::Running {
            return;
        }
        let (usb, _, now) = self.machine.usb();
        let frame = Frame {
            now: now / CPU_MHZ,
            detached: !usb.attached(),
            waits: usb.waits(),
            looked: usb.take_looked().map(|cycle| cycle / CPU_MHZ),
            addressed: self.addressed,
        };
        match self.hang.frame(frame) {
            Step::None => {}
            Step::Look => self.machine.sample(),
            Step::Report(how) => self.machine.hangs(how),
        }
        self.look_for_delay();
    }

    fn look_for_delay(&mut self) {
        let (usb, _, now) = self.machine.usb();
        let looked = usb.looked().map(|cycle| cycle / CPU_MHZ);
        if let Some(milliseconds) = self.hang.late(now / CPU_MHZ, looked) {
            self.machine.is_late(milliseconds);
        }
    }

    /// Lets cycles pass, with frames unless the bus is suspended.
    fn idle(&mut self, cycles: u64) {
        let end = self.time + cycles;
        while !self.suspended && self.next_frame <= end {
            self.start_frame();
        }
        self.pass(end.saturating_sub(self.time));
        if self.suspended {
            self.next_frame = self.time + FRAME;
        }
    }

    /// Lets cycles pass without traffic and without frames.
    fn silence(&mut self, cycles: u64) {
        self.pass(cycles);
        self.next_frame = self.time + FRAME;
    }

    fn nak(&mut self, endpoint: u8, out: bool) {
        self.machine.statistics().nak(usize::from(endpoint & 15) * 2 + usize::from(out));
    }
}

impl<E: Engine + Default> Link for ElfDevice<E> {
    fn attached(&mut self) -> bool {
        *self.machine.state() == RunState::Running && self.machine.usb().0.attached()
    }

    fn bus_reset(&mut self) {
        self.suspended = false;
        self.addressed = false;
        self.hang.event(self.machine.usb().2 / CPU_MHZ);
        if self.attached() {
            self.machine.usb().0.bus_reset();
            self.machine.usb_done();
            self.machine.stall(self.stall);
        }
        self.silence(BUS_RESET);
        self.idle(RESET_RECOVERY);
    }

    fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
        let bits = OVERHEAD_BITS + 64 + stuffing(&packet);
        self.make_room(bits);
        self.pass_bits(bits - HANDSHAKE_BITS);
        let reply = if self.alive() {
            let (usb, statistics, now) = self.machine.usb();
            let reply = usb.setup(address, packet);
            if reply == OutReply::Ack && usb.is_control_armed() {
                statistics.void_begins(now);
            }
            self.machine.usb_done();
            if reply == OutReply::Ack && address != 0 && !self.addressed {
                self.addressed = true;
                self.machine.is_addressed();
            }
            // A host may give up on it before the next frame.
            if reply == OutReply::Silent {
                self.look_for_delay();
            }
            reply
        } else {
            OutReply::Silent
        };
        self.pass_bits(HANDSHAKE_BITS);
        reply
    }

    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        let bits = OVERHEAD_BITS + 8 * data.len() as u64 + stuffing(data);
        self.make_room(bits);
        self.pass_bits(TOKEN_BITS);
        let decision = if self.alive() {
            let decision = self.machine.usb().0.token_out(address, endpoint);
            self.machine.usb_done();
            decision
        } else {
            OutDecision::Reply(OutReply::Silent)
        };
        self.pass_bits(bits - TOKEN_BITS);
        match decision {
            OutDecision::Reply(reply) => {
                if reply == OutReply::Nak {
                    self.nak(endpoint, true);
                }
                reply
            }
            OutDecision::Accept if self.alive() => {
                let (usb, statistics, now) = self.machine.usb();
                let reply = usb.finish_out(endpoint, pid, data, now, statistics);
                self.machine.usb_done();
                reply
            }
            OutDecision::Accept => OutReply::Silent,
        }
    }

    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        // Room for the largest packet: the host controller does not know better.
        self.make_room(OVERHEAD_BITS + 8 * 64 + 8 * 64 / 6);
        self.pass_bits(TOKEN_BITS);
        let decision = if self.alive() {
            let decision = self.machine.usb().0.token_in(address, endpoint);
            self.machine.usb_done();
            decision
        } else {
            InDecision::Silent
        };
        match decision {
            InDecision::Data(pid, data) => {
                let bits = OVERHEAD_BITS + 8 * data.len() as u64 + stuffing(&data);
                self.pass_bits(bits - TOKEN_BITS);
                if !self.alive() {
                    return InReply::Silent;
                }
                let (usb, statistics, now) = self.machine.usb();
                usb.finish_in(endpoint, acknowledge, now, statistics);
                if endpoint == 0 {
                    statistics.void_ends(now);
                }
                self.machine.usb_done();
                InReply::Data(pid, data)
            }
            refused => {
                self.pass_bits(REFUSED_BITS - TOKEN_BITS);
                match refused {
                    InDecision::Nak => {
                        self.nak(endpoint, false);
                        InReply::Nak
                    }
                    InDecision::Stall => InReply::Stall,
                    _ => InReply::Silent,
                }
            }
        }
    }

    fn suspend(&mut self) {
        self.suspended = true;
        self.silence(IDLE_UNTIL_SUSPEND);
        if self.attached() {
            self.machine.usb().0.suspended();
            self.machine.usb_done();
        }
        self.silence(MILLISECOND);
    }

    fn resume(&mut self) {
        if self.attached() {
            self.machine.usb().0.resumed();
            self.machine.usb_done();
        }
        self.silence(RESUME);
        self.suspended = false;
    }

    fn replug(&mut self) {
        self.suspended = false;
        self.machine.unplug();
        self.silence(UNPLUGGED);
        self.machine.plug();
    }

    fn elapse(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / CPU_MHZ);
        // A cycle is 6.7 ns: a shorter time is rounded up to one cycle.
        self.idle((nanoseconds * CPU_MHZ).div_ceil(1000));
    }

    fn stall(&mut self, time: Duration) -> bool {
        self.stall = time.as_micros() as u64 * CPU_MHZ;
        true
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.time * 1000 / CPU_MHZ)
    }

    fn take_faults(&mut self) -> Vec<String> {
        let failed = self.fault().is_some();
        let told = std::mem::replace(&mut self.fault_told, failed);
        self.fault().filter(|_| !told).map(str::to_owned).into_iter().collect()
    }

    fn tolerates(&mut self, what: &str) -> bool {
        self.machine.tolerates(what)
    }

    fn measured(&mut self) -> Option<String> {
        Some(self.machine.statistics().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bus_model_is_that_of_the_facts() {
        assert_eq!(OVERHEAD_BITS + 8 * 64, 616);
        assert_eq!(cycles(TOKEN_BITS), 500);
        assert_eq!(stuffing(&[0x55; 64]), 0);
        // All ones: 16.98 packets a frame.
        let packets = 12_000.0 / (616 + stuffing(&[0xFF; 64])) as f64;
        assert!((16.9..17.2).contains(&packets), "{packets}");
    }
}
