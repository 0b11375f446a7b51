//! The host controller: transfers as sequences of transactions (USB 2.0 8.5), with toggles, retries and time-outs.
//!
//! Time is the link's: a transfer that times out takes no real time.

use std::fmt;
use std::time::Duration;

use super::trace::{Token, Trace};
use picovd_wire::link::{InReply, Link, OutReply, Pid};

/// Consecutive errors after which a host gives up on a transfer (USB 2.0 4.10.4 says "three").
const ERROR_LIMIT: u32 = 3;
/// Number of NAKs after which the host no longer retries immediately, but once per [`NAK_INTERVAL`].
const EAGER_NAKS: u32 = 64;
/// Time between polls of an endpoint that has often answered NAK.
const NAK_INTERVAL: Duration = Duration::from_micros(125);
/// How long a transfer may be NAKed. An erase of flash takes up to 400 ms, during which the device answers NAK.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(2);

/// Why a transfer ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferError {
    /// The endpoint is halted, or refused the control request.
    Stall,
    /// NAK for longer than the time-out.
    Timeout,
    /// The device sent more than the host requested.
    Babble,
    /// A packet of a control transfer had a toggle that no lost handshake explains.
    Toggle,
    /// There was no answer.
    Silent,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stall => "the endpoint answered STALL",
            Self::Timeout => "the endpoint answered NAK until the time-out",
            Self::Babble => "the device sent more than requested",
            Self::Toggle => "a packet came with the wrong data toggle",
            Self::Silent => "the device does not answer",
        })
    }
}

impl std::error::Error for TransferError {}

/// The eight bytes of a control request (USB 2.0 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// bmRequestType.
    pub request_type: u8,
    /// bRequest.
    pub request: u8,
    /// wValue.
    pub value: u16,
    /// wIndex.
    pub index: u16,
    /// wLength.
    pub length: u16,
}

impl Request {
    /// As on the wire.
    #[must_use]
    pub fn bytes(&self) -> [u8; 8] {
        let [value_low, value_high] = self.value.to_le_bytes();
        let [index_low, index_high] = self.index.to_le_bytes();
        let [length_low, length_high] = self.length.to_le_bytes();
        [self.request_type, self.request, value_low, value_high, index_low, index_high, length_low, length_high]
    }
}

/// Counters since the host was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Data packets, in either direction.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// NAKs received.
    pub naks: u64,
    /// Repeated packets that the host has recognized by their toggle and dropped.
    pub duplicates: u64,
}

/// One host controller with one device.
pub struct Host<'a> {
    link: Box<dyn Link + 'a>,
    /// The address that tokens go to.
    pub address: u8,
    /// Maximum time of NAKs within one stage or bulk packet.
    pub timeout: Duration,
    /// Number of attempts at enumeration. One, unless the host should be as patient as a real one.
    pub attempts: u32,
    /// Maximum packet lengths per endpoint number, for IN endpoints and for OUT endpoints.
    packet_limits: [[usize; 16]; 2],
    toggles_in: [Pid; 16],
    toggles_out: [Pid; 16],
    statistics: Statistics,
    trace: Trace,
}

/// The data of a bulk IN transfer, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkIn {
    /// The bytes that arrived.
    pub data: Vec<u8>,
    /// Whether it ended by a short packet or the full length, or by an error.
    pub end: Result<(), TransferError>,
}

impl<'a> Host<'a> {
    /// A host at the end of `link`.
    #[must_use]
    pub fn new(link: Box<dyn Link + 'a>) -> Self {
        Self {
            link,
            address: 0,
            timeout: DEFAULT_TIMEOUT,
            attempts: 1,
            packet_limits: [[64; 16]; 2],
            toggles_in: [Pid::Data0; 16],
            toggles_out: [Pid::Data0; 16],
            statistics: Statistics::default(),
            trace: Trace::default(),
        }
    }

    /// The link, for anything that is not a transfer.
    pub fn link(&mut self) -> &mut (dyn Link + 'a) {
        &mut *self.link
    }

    /// The link, for another host: this one is dropped.
    #[must_use]
    pub fn into_link(self) -> Box<dyn Link + 'a> {
        self.link
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The last transactions.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The link's time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.link.now()
    }

    /// Lets time pass.
    pub fn elapse(&mut self, time: Duration) {
        self.link.elapse(time);
    }

    fn signal(&mut self, name: &'static str) {
        self.trace.note(self.link.now(), Token::Signal(name), 0, "", &[]);
    }

    /// Bus reset: the device is at address 0 again, all toggles are DATA0.
    pub fn bus_reset(&mut self) {
        self.signal("RESET");
        self.link.bus_reset();
        self.forget();
    }

    /// Unplugs the device and plugs it in again.
    pub fn replug(&mut self) {
        self.signal("REPLUG");
        self.link.replug();
        self.forget();
    }

    /// Suspends the bus.
    pub fn suspend(&mut self) {
        self.signal("SUSPEND");
        self.link.suspend();
    }

    /// Resumes the bus.
    pub fn resume(&mut self) {
        self.signal("RESUME");
        self.link.resume();
    }

    fn forget(&mut self) {
        self.address = 0;
        self.packet_limits = [[64; 16]; 2];
        self.reset_toggles();
    }

    /// Stores wMaxPacketSize of an endpoint; `endpoint` has bit 7 set for IN. Endpoint 0 has one for both directions.
    pub fn set_max_packet_size(&mut self, endpoint: u8, size: u16) {
        let index = usize::from(endpoint & 15);
        for (direction, limits) in self.packet_limits.iter_mut().enumerate() {
            if index == 0 || (endpoint & 0x80 == 0) == (direction == 1) {
                limits[index] = usize::from(size);
            }
        }
    }

    /// Resets all toggles except endpoint 0's to DATA0, as after SET_CONFIGURATION (USB 2.0 9.1.1.5).
    pub fn reset_toggles(&mut self) {
        self.toggles_in = [Pid::Data0; 16];
        self.toggles_out = [Pid::Data0; 16];
    }

    /// The toggle of an endpoint's next packet. `endpoint` has bit 7 set for IN.
    #[must_use]
    pub fn next_toggle(&self, endpoint: u8) -> Pid {
        let table = if endpoint & 0x80 == 0 { &self.toggles_out } else { &self.toggles_in };
        table[usize::from(endpoint & 15)]
    }

    /// Resets one endpoint's toggle to DATA0, as after CLEAR_FEATURE(ENDPOINT_HALT). `endpoint` has bit 7 set for IN.
    pub fn reset_toggle(&mut self, endpoint: u8) {
        let table = if endpoint & 0x80 == 0 { &mut self.toggles_out } else { &mut self.toggles_in };
        table[usize::from(endpoint & 15)] = Pid::Data0;
    }

    /// Sends a SETUP packet, and retries if there is no answer.
    fn setup_stage(&mut self, request: &Request) -> Result<(), TransferError> {
        let packet = request.bytes();
        for _ in 0..ERROR_LIMIT {
            let reply = self.link.setup(self.address, packet);
            self.trace.note(self.link.now(), Token::Setup, 0, out_name(reply), &packet);
            match reply {
                OutReply::Ack => {
                    self.toggles_in[0] = Pid::Data1;
                    self.toggles_out[0] = Pid::Data1;
                    return Ok(());
                }
                // USB 2.0 8.5.3.4: a SETUP must not be answered with NAK or STALL.
                OutReply::Stall | OutReply::Nak => return Err(TransferError::Stall),
                OutReply::Silent => {}
            }
        }
        Err(TransferError::Silent)
    }

    /// Control transfer with data to the host, or without data when the length is 0 (USB 2.0 8.5.3).
    ///
    /// # Errors
    /// [`TransferError::Stall`] if the device refuses; the others if it misbehaves.
    pub fn control_in(&mut self, request: Request) -> Result<Vec<u8>, TransferError> {
        self.setup_stage(&request)?;
        let wanted = usize::from(request.length);
        let mut data = Vec::with_capacity(wanted);
        if wanted == 0 {
            self.status_in()?;
            return Ok(data);
        }
        loop {
            let packet = self.in_packet(0)?;
            let short = packet.len() < self.packet_limits[0][0];
            data.extend_from_slice(&packet);
            if data.len() > wanted {
                return Err(TransferError::Babble);
            }
            if short || data.len() == wanted {
                break;
            }
        }
        // Status stage: a zero-length DATA1 packet (USB 2.0 8.5.3.1).
        self.toggles_out[0] = Pid::Data1;
        self.out_packet(0, &[])?;
        Ok(data)
    }

    /// Control transfer with data to the device, or without data.
    ///
    /// # Errors
    /// As [`control_in`](Self::control_in).
    pub fn control_out(&mut self, request: Request, data: &[u8]) -> Result<(), TransferError> {
        self.setup_stage(&request)?;
        for packet in data.chunks(self.packet_limits[0][0]) {
            self.out_packet(0, packet)?;
        }
        self.status_in()
    }

    fn status_in(&mut self) -> Result<(), TransferError> {
        self.toggles_in[0] = Pid::Data1;
        if self.in_packet(0)?.is_empty() { Ok(()) } else { Err(TransferError::Babble) }
    }

    /// One IN packet of an endpoint: waits while it answers NAK, and drops repeated packets.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub fn in_packet(&mut self, endpoint: u8) -> Result<Vec<u8>, TransferError> {
        let index = usize::from(endpoint & 15);
        let start = self.link.now();
        let (mut naks, mut errors, mut duplicates) = (0, 0, 0);
        loop {
            let reply = self.link.r#in(self.address, endpoint & 15, true);
            let (name, payload): (_, &[u8]) = match &reply {
                InReply::Data(Pid::Data0, data) => ("DATA0", data),
                InReply::Data(Pid::Data1, data) => ("DATA1", data),
                InReply::Nak => ("NAK", &[]),
                InReply::Stall => ("STALL", &[]),
                InReply::Silent => ("silence", &[]),
            };
            self.trace.note(self.link.now(), Token::In, endpoint & 15, name, payload);
            match reply {
                InReply::Data(pid, data) => {
                    if pid != self.toggles_in[index] {
                        // The device missed our handshake and repeats the packet (USB 2.0 8.6.4): acknowledge and drop it.
                        self.statistics.duplicates += 1;
                        duplicates += 1;
                        if duplicates > ERROR_LIMIT {
                            return Err(TransferError::Toggle);
                        }
                        continue;
                    }
                    if data.len() > self.packet_limits[0][index] {
                        return Err(TransferError::Babble);
                    }
                    self.toggles_in[index] = pid.toggled();
                    self.statistics.packets += 1;
                    self.statistics.bytes += data.len() as u64;
                    return Ok(data);
                }
                InReply::Nak => {
                    errors = 0;
                    self.nak(start, &mut naks)?;
                }
                InReply::Stall => return Err(TransferError::Stall),
                InReply::Silent => {
                    errors += 1;
                    if errors == ERROR_LIMIT {
                        return Err(TransferError::Silent);
                    }
                }
            }
        }
    }

    /// One OUT packet to an endpoint: waits while it answers NAK, and sends it again if the handshake is lost.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub fn out_packet(&mut self, endpoint: u8, data: &[u8]) -> Result<(), TransferError> {
        let index = usize::from(endpoint & 15);
        let start = self.link.now();
        let (mut naks, mut errors) = (0, 0);
        loop {
            let pid = self.toggles_out[index];
            let reply = self.link.out(self.address, endpoint & 15, pid, data);
            self.trace.note(self.link.now(), Token::Out(pid), endpoint & 15, out_name(reply), data);
            match reply {
                OutReply::Ack => {
                    self.toggles_out[index] = pid.toggled();
                    self.statistics.packets += 1;
                    self.statistics.bytes += data.len() as u64;
                    return Ok(());
                }
                OutReply::Nak => {
                    errors = 0;
                    self.nak(start, &mut naks)?;
                }
                OutReply::Stall => return Err(TransferError::Stall),
                OutReply::Silent => {
                    errors += 1;
                    if errors == ERROR_LIMIT {
                        return Err(TransferError::Silent);
                    }
                }
            }
        }
    }

    fn nak(&mut self, start: Duration, naks: &mut u32) -> Result<(), TransferError> {
        self.statistics.naks += 1;
        *naks += 1;
        if self.link.now().saturating_sub(start) >= self.timeout {
            return Err(TransferError::Timeout);
        }
        if *naks > EAGER_NAKS {
            self.link.elapse(NAK_INTERVAL);
        }
        Ok(())
    }

    /// Bulk IN transfer of at most `length` bytes: ends with a short packet or when `length` is reached.
    pub fn bulk_in(&mut self, endpoint: u8, length: usize) -> BulkIn {
        let size = self.packet_limits[0][usize::from(endpoint & 15)];
        let mut data = Vec::with_capacity(length);
        let end = loop {
            match self.in_packet(endpoint) {
                Err(error) => break Err(error),
                Ok(packet) => {
                    data.extend_from_slice(&packet);
                    if data.len() > length {
                        break Err(TransferError::Babble);
                    }
                    if packet.len() < size || data.len() == length {
                        break Ok(());
                    }
                }
            }
        };
        BulkIn { data, end }
    }

    /// Bulk OUT transfer; returns the number of acknowledged bytes. Empty data is one zero-length packet.
    ///
    /// # Errors
    /// The number of acknowledged bytes and the reason.
    pub fn bulk_out(&mut self, endpoint: u8, data: &[u8]) -> Result<(), (usize, TransferError)> {
        if data.is_empty() {
            return self.out_packet(endpoint, &[]).map_err(|error| (0, error));
        }
        let size = self.packet_limits[1][usize::from(endpoint & 15)];
        let mut sent = 0;
        for packet in data.chunks(size) {
            self.out_packet(endpoint, packet).map_err(|error| (sent, error))?;
            sent += packet.len();
        }
        Ok(())
    }
}

fn out_name(reply: OutReply) -> &'static str {
    match reply {
        OutReply::Ack => "ACK",
        OutReply::Nak => "NAK",
        OutReply::Stall => "STALL",
        OutReply::Silent => "silence",
    }
}
