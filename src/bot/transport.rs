//! The state machine between two bulk endpoints and a command set.
//!
//! # What the driver has to do
//!
//! The driver owns a bulk OUT and a bulk IN endpoint of [`PACKET_LENGTH`] bytes, and does the following in a loop or on
//! events:
//!
//! 1. If [`wants_packet`](Transport::wants_packet) and an OUT packet is there, hand it to
//!    [`receive`](Transport::receive). Otherwise leave it in the endpoint, which answers NAK.
//! 2. If the IN endpoint has room (its last packet was acknowledged), call [`transmit`](Transport::transmit) and queue
//!    what it gives, packet by packet.
//! 3. Make the endpoints' halts equal to [`halts`](Transport::halts). The machine requests a halt of IN only inside
//!    `transmit`, so that the halt cuts off no packet.
//!
//! A driver may call `transmit` in advance and keep the packets until the endpoint has room. It then has to delay a halt of
//! IN until all of them have been sent.
//!
//! On a CLEAR_FEATURE(ENDPOINT_HALT), the driver calls [`halt_cleared`](Transport::halt_cleared) and obeys its result. On
//! class requests and bus resets, it calls [`bulk_only_reset`](Transport::bulk_only_reset) and
//! [`bus_reset`](Transport::bus_reset), and drops the packets queued in both endpoints: an OUT packet from before the reset
//! must not be taken for a CBW after it.
//!
//! # Without halts
//!
//! Some USB stacks give a class no means to halt an endpoint. [`PaddingTransport`] needs none: [`halts`](Transport::halts)
//! and [`halt_cleared`](Transport::halt_cleared) have no meaning there. Data that ends early is padded with zeros (BOT 6.7.2),
//! data that nobody wants is accepted and dropped (BOT 6.7.3). BOT 6.6.1 demands a halt of IN after an invalid CBW, which is
//! impossible: IN answers NAK instead, and everything from OUT is dropped, until the reset. Linux's mass storage gadget
//! treats OUT in the same way.

use super::cases::{case, conduct};
use super::{Cbw, CommandSet, Csw, CswStatus, Intent};

/// wMaxPacketSize of the bulk endpoints: the maximum at full speed (USB 2.0 5.8.3).
pub const PACKET_LENGTH: usize = 64;

/// One of the two bulk endpoints, from the host's point of view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the host.
    In,
    /// From the host.
    Out,
}

/// Which bulk endpoints must be halted (answer STALL) now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Halts {
    /// The bulk IN endpoint.
    pub bulk_in: bool,
    /// The bulk OUT endpoint.
    pub bulk_out: bool,
}

/// The stage of a command (BOT 5.3, figure 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// A CBW is due.
    Command,
    /// Data to the host, then a halt of IN if the host expects more, or zeros.
    DataIn,
    /// Data from the host.
    DataOut,
    /// The CSW is due.
    Status,
    /// An invalid CBW was received: both endpoints stay halted, or useless, until the reset recovery (BOT 5.3.4, 6.6.1).
    Invalid,
}

/// The device side of Bulk-Only Transport.
///
/// Keeps the state between packets, but no data. It cannot fail: whatever a host sends leads to a defined state, and
/// [`bulk_only_reset`](Self::bulk_only_reset) or [`bus_reset`](Self::bus_reset) leads out of every state.
///
/// `HALTS` says whether the driver can halt the endpoints.
#[derive(Clone, Debug)]
pub struct Transport<const HALTS: bool = true> {
    phase: Phase,
    halts: Halts,
    tag: u32,
    /// dCBWDataTransferLength minus the bytes that the command set has supplied or taken.
    residue: u32,
    /// Bytes that the command set still has to supply or to take. Never more than `residue`.
    device_left: u32,
    /// Bytes that the host still has to send, whether the command set takes them or not. Without halts also: bytes that the
    /// host still has to get.
    host_left: u32,
    phase_error: bool,
    /// Whether `end` of the command set has yet to be called.
    begun: bool,
}

/// A [`Transport`] for drivers that cannot halt endpoints.
pub type PaddingTransport = Transport<false>;

impl Transport {
    /// A machine that waits for its first CBW, with nothing halted.
    #[must_use]
    pub const fn new() -> Self {
        Self::initial()
    }
}

impl PaddingTransport {
    /// A machine that waits for its first CBW and never asks for a halt.
    #[must_use]
    pub const fn padding() -> Self {
        Self::initial()
    }
}

impl<const HALTS: bool> Transport<HALTS> {
    pub(crate) const fn initial() -> Self {
        Self {
            phase: Phase::Command,
            halts: Halts { bulk_in: false, bulk_out: false },
            tag: 0,
            residue: 0,
            device_left: 0,
            host_left: 0,
            phase_error: false,
            begun: false,
        }
    }

    /// Whether an OUT packet may be handed to [`receive`](Self::receive) now. If not, the endpoint must answer NAK.
    ///
    /// Also true while OUT is halted: a packet that is there nevertheless was sent before the host could see the halt.
    /// Receiving it now keeps it from being taken for a CBW later.
    #[must_use]
    pub fn wants_packet(&self) -> bool {
        self.halts.bulk_out
            || matches!(self.phase, Phase::Command | Phase::DataOut)
            || !HALTS && self.phase == Phase::Invalid
    }

    /// Takes an OUT packet of 0 to 64 bytes. A packet that is not wanted is dropped.
    pub fn receive(&mut self, packet: &[u8], set: &mut impl CommandSet) {
        if self.halts.bulk_out {
            return;
        }
        match self.phase {
            Phase::Command => self.receive_command(packet, set),
            Phase::DataOut => self.receive_data(packet, set),
            Phase::DataIn | Phase::Status | Phase::Invalid => {}
        }
    }

    /// Puts the next bytes for the host into `buffer`, which has room for one or more packets of [`PACKET_LENGTH`], and
    /// returns their number, or `None` if there is nothing to send. They are sent in packets of that length; only the last
    /// one may be shorter.
    ///
    /// Never returns 0: data that ends early ends with a halt or is padded (BOT 6.7.2), and data that ends as expected needs
    /// no end mark.
    #[inline]
    pub fn transmit(&mut self, buffer: &mut [u8], set: &mut impl CommandSet) -> Option<usize> {
        if self.halts.bulk_in {
            // The CSW waits until the host has cleared the halt (BOT 6.7.2).
            return None;
        }
        match self.phase {
            Phase::DataIn if !HALTS => self.transmit_padded(buffer, set),
            Phase::DataIn if self.device_left > 0 => {
                let room = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
                let length = self.device_left.min(room);
                set.data_in(buffer.get_mut(..length as usize)?);
                self.device_left -= length;
                self.residue -= length;
                if self.residue == 0 {
                    self.phase = Phase::Status;
                }
                Some(length as usize)
            }
            Phase::DataIn => {
                // Cases 4, 5 and 8: the host expects more than the device has.
                self.halts.bulk_in = true;
                self.phase = Phase::Status;
                None
            }
            Phase::Status => Some(self.transmit_status(buffer, set)),
            Phase::Invalid => {
                self.halts.bulk_in = HALTS;
                None
            }
            Phase::Command | Phase::DataOut => None,
        }
    }

    /// Which endpoints must be halted now.
    #[must_use]
    pub fn halts(&self) -> Halts {
        self.halts
    }

    /// The host has cleared a halt (CLEAR_FEATURE(ENDPOINT_HALT), USB 2.0 9.4.1). Returns false if the endpoint must stay
    /// halted nevertheless: after an invalid CBW, until [`bulk_only_reset`](Self::bulk_only_reset) (BOT 5.3.4).
    ///
    /// Returns true for an endpoint that is not halted: then the request only resets the data toggle (USB 2.0 9.4.5).
    pub fn halt_cleared(&mut self, direction: Direction) -> bool {
        if self.phase == Phase::Invalid {
            return false;
        }
        *self.halt_mut(direction) = false;
        true
    }

    /// The host itself has halted an endpoint (SET_FEATURE(ENDPOINT_HALT), USB 2.0 9.4.9), which stays halted until the
    /// host clears it.
    pub fn halted_by_host(&mut self, direction: Direction) {
        *self.halt_mut(direction) = true;
    }

    /// Bulk-Only Mass Storage Reset (BOT 3.1): ready for the next CBW.
    ///
    /// Halts stay, as the standard demands. From now on the host can clear them, which completes its reset recovery (BOT
    /// 5.3.4).
    pub fn bulk_only_reset(&mut self, set: &mut impl CommandSet) {
        *self = Self { halts: self.halts, ..Self::initial() };
        set.reset();
    }

    /// USB bus reset: the initial state, with nothing halted.
    pub fn bus_reset(&mut self, set: &mut impl CommandSet) {
        *self = Self::initial();
        set.bus_reset();
    }

    /// The answer to Get Max LUN (BOT 3.2): 0 to 15.
    #[must_use]
    pub fn max_lun(&self, set: &impl CommandSet) -> u8 {
        set.max_lun().min(Self::LUN_LIMIT)
    }

    /// Whether no command is in progress, so that the next packet is a CBW.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Command
    }

    /// The highest LUN that a CBW can name.
    const LUN_LIMIT: u8 = 15;

    fn halt_mut(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::In => &mut self.halts.bulk_in,
            Direction::Out => &mut self.halts.bulk_out,
        }
    }

    fn receive_command(&mut self, packet: &[u8], set: &mut impl CommandSet) {
        let Some(cbw) = Cbw::parse(packet) else {
            // BOT 6.6.1. The halt of IN follows in `transmit`, after a CSW that the host has not fetched yet.
            self.halts.bulk_out = HALTS;
            self.phase = Phase::Invalid;
            return;
        };
        self.tag = cbw.tag();
        self.residue = cbw.data_transfer_length();
        self.host_left = self.residue;

        // BOT 6.4 does not specify what follows a CBW that is valid but not meaningful: no command, Phase Error. A LUN that
        // does not exist is left to the command set.
        self.begun = cbw.is_meaningful(Self::LUN_LIMIT);
        let intent = if self.begun { set.begin(cbw.lun(), cbw.command_block()) } else { Intent::None };
        let expectation = cbw.expectation();
        let conduct = conduct(case(expectation, intent));
        self.phase_error = conduct.phase_error || !self.begun;
        self.device_left = match intent {
            Intent::In(length) | Intent::Out(length) if conduct.moves_data => {
                u32::try_from(length).unwrap_or(u32::MAX).min(self.residue)
            }
            _ => 0,
        };

        match expectation {
            Intent::None => self.phase = Phase::Status,
            Intent::In(_) => self.phase = Phase::DataIn,
            Intent::Out(_) => {
                self.phase = Phase::DataOut;
                self.settle_data_out();
            }
        }
    }

    fn receive_data(&mut self, packet: &[u8], set: &mut impl CommandSet) {
        let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
        let taken = length.min(self.device_left);
        if let Some(part) = packet.get(..taken as usize)
            && !part.is_empty()
        {
            set.data_out(part);
        }
        self.device_left -= taken;
        self.residue -= taken;

        let more_than_announced = length > self.host_left;
        self.host_left = self.host_left.saturating_sub(length);
        if packet.len() < PACKET_LENGTH {
            // A short packet ends the data (USB 2.0 5.8.3), even if the host announced more.
            self.host_left = 0;
        }
        if more_than_announced || (self.host_left == 0 && self.device_left > 0) {
            self.phase_error = true;
            self.device_left = 0;
        }
        self.settle_data_out();
    }

    /// Decides what to do with data that the host still has to send (BOT 6.7.3: accept or halt).
    ///
    /// More than one packet is refused by a halt, if the driver can do that. A last packet is accepted and dropped: the endpoint may have acknowledged
    /// it already. A host that never sees the halt would not clear it, and its next CBW would be stalled.
    fn settle_data_out(&mut self) {
        if self.device_left > 0 {
            return;
        }
        if HALTS && self.host_left > PACKET_LENGTH as u32 {
            self.halts.bulk_out = true;
            self.phase = Phase::Status;
        } else if self.host_left == 0 {
            self.phase = Phase::Status;
        }
    }

    /// As [`transmit`](Self::transmit) in the data stage, with zeros after the command set's data (BOT 6.7.2).
    fn transmit_padded(&mut self, buffer: &mut [u8], set: &mut impl CommandSet) -> Option<usize> {
        let room = u32::try_from(buffer.len()).unwrap_or(u32::MAX);
        let length = self.host_left.min(room);
        let data = self.device_left.min(length);
        let (supplied, padding) = buffer.get_mut(..length as usize)?.split_at_mut_checked(data as usize)?;
        if !supplied.is_empty() {
            set.data_in(supplied);
        }
        padding.fill(0);
        self.device_left -= data;
        self.residue -= data;
        self.host_left -= length;
        if self.host_left == 0 {
            self.phase = Phase::Status;
        }
        Some(length as usize)
    }

    fn transmit_status(&mut self, buffer: &mut [u8], set: &mut impl CommandSet) -> usize {
        let passed = self.begun && set.end();
        let status = match (self.phase_error, passed) {
            (true, _) => CswStatus::PhaseError,
            (false, true) => CswStatus::CommandPassed,
            (false, false) => CswStatus::CommandFailed,
        };
        let csw = Csw { tag: self.tag, data_residue: self.residue, status };
        if let Some(start) = buffer.first_chunk_mut() {
            *start = csw.to_bytes();
        }
        self.phase = Phase::Command;
        Csw::LENGTH
    }
}

impl Default for Transport {
    fn default() -> Self {
        Self::new()
    }
}
