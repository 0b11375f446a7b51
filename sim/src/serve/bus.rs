//! The host controller of `serve`: one queue of transfers per endpoint, run over [`Link`] packet by packet.
//!
//! A transfer that the device does not answer yet (NAK) waits at the head of its own queue and does not block other queues.
//! Data toggles are kept here as in a host controller (USB 2.0 8.6): a packet with the wrong toggle is acknowledged and
//! dropped. They are reset where the standard resets those of the device: after a bus reset, SET_CONFIGURATION,
//! SET_INTERFACE and CLEAR_FEATURE(ENDPOINT_HALT), recognised when they succeed (USB 2.0 9.1.1.5, 9.4.5). The programs at
//! the other end do not deal with toggles.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::descriptor::{Configuration, Device, IN};
use crate::link::{InReply, Link, OutReply, Pid};

/// Number of transactions of one endpoint before the next endpoint has its turn.
const TURN: usize = 64;
/// Number of unanswered tries after which a host controller reports a transaction error (USB 2.0 8.6.4 recommends three).
const TRIES: u8 = 3;
/// The address that the device gets; it is the only one on its bus.
const ADDRESS: u8 = 1;
/// Maximum device time of our own requests (USB 2.0 9.2.6.4: 5 s).
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Step of time on an idle bus while waiting for an answer.
const STEP: Duration = Duration::from_micros(200);

/// Number by which the program at the other end knows a transfer.
pub type TransferId = u64;

/// What to transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A control transfer on endpoint 0. For OUT, `data` holds wLength bytes.
    Control {
        /// The SETUP packet (USB 2.0 9.3).
        setup: [u8; 8],
        /// Data stage of a control write; empty otherwise.
        data: Vec<u8>,
    },
    /// Bulk or interrupt IN of at most `length` bytes; a short packet ends it.
    In {
        /// Number of bytes requested.
        length: usize,
    },
    /// Bulk or interrupt OUT.
    Out {
        /// Bytes to send.
        data: Vec<u8>,
        /// Whether to end a transfer of whole packets with an empty one.
        zero_packet: bool,
    },
}

/// How a transfer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Done; IN may have returned less than requested.
    Complete,
    /// The endpoint is halted, or the request is refused.
    Stall,
    /// The device sent more than requested.
    Babble,
    /// There was no answer.
    NoAnswer,
    /// A reset or a cancellation ended it.
    Cancelled,
}

/// A transfer that has ended. There is exactly one for each that was submitted and not cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The transfer.
    pub id: TransferId,
    /// Endpoint address; 0 for control.
    pub endpoint: u8,
    /// How it ended.
    pub status: Status,
    /// The bytes transferred in the data stage, in either direction.
    pub data: Vec<u8>,
    /// SETUP packet of a control transfer.
    pub setup: Option<[u8; 8]>,
}

/// Stages of a control transfer (USB 2.0 8.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Setup,
    Data,
    Status,
}

#[derive(Debug)]
struct Transfer {
    id: TransferId,
    request: Request,
    stage: Stage,
    /// Toggle of a control transfer's data stage.
    pid: Pid,
    /// Bytes received, or those of an OUT that were acknowledged.
    moved: Vec<u8>,
    unanswered: u8,
}

/// Outcome of one transaction.
enum Step {
    /// Data was transferred.
    Moved,
    /// NAK.
    Wait,
    /// The transfer is over.
    Ended(Status),
}

/// A host controller with one device.
pub struct Bus {
    link: Box<dyn Link>,
    address: u8,
    device: Device,
    configuration: Configuration,
    /// Next toggle per endpoint address.
    toggles: BTreeMap<u8, Pid>,
    queues: BTreeMap<u8, VecDeque<Transfer>>,
    ended: Vec<Completion>,
}

impl Bus {
    /// A controller with this device on its port. Nothing is sent yet.
    #[must_use]
    pub fn new(link: Box<dyn Link>) -> Self {
        Self {
            link,
            address: 0,
            device: Device::default(),
            configuration: Configuration::default(),
            toggles: BTreeMap::new(),
            queues: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// The device descriptor as of the last [`enumerate`](Self::enumerate).
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The first configuration as of the last [`enumerate`](Self::enumerate).
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Whether the device pulls up its data line.
    pub fn attached(&mut self) -> bool {
        self.link.attached()
    }

    /// The device's clock.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.link.now()
    }

    /// Lets time pass with the bus idle.
    pub fn elapse(&mut self, time: Duration) {
        self.link.elapse(time);
    }

    /// Unplugs the device and plugs it in again; what was queued is lost.
    pub fn replug(&mut self) {
        self.forget();
        self.link.replug();
    }

    /// Drops what is queued and what has ended, because its owner is gone.
    pub fn abandon(&mut self) {
        self.forget();
        self.ended.clear();
    }

    /// What the device's driver did wrong since the last call, see [`Link::take_faults`].
    pub fn take_faults(&mut self) -> Vec<String> {
        self.link.take_faults()
    }

    /// Resets the bus and gives the device its address. Queued transfers end as cancelled.
    ///
    /// # Errors
    ///
    /// A message if the device does not answer.
    pub fn reset(&mut self) -> Result<(), String> {
        self.forget();
        self.link.bus_reset();
        let mut setup = [0x00, 5, 0, 0, 0, 0, 0, 0];
        setup[2] = ADDRESS;
        self.request(setup, "SET_ADDRESS")?;
        // USB 2.0 9.2.6.3: recovery interval after SET_ADDRESS.
        self.link.elapse(Duration::from_millis(2));
        Ok(())
    }

    /// Resets the device and reads its descriptors.
    ///
    /// # Errors
    ///
    /// A message if the device does not answer or answers nonsense.
    pub fn enumerate(&mut self) -> Result<(), String> {
        self.forget();
        self.device.max_packet_size_0 = 8;
        self.link.bus_reset();
        // USB 2.0 5.5.3: the size of endpoint 0 is in the first 8 bytes, which fit into every packet.
        let head = self.request([0x80, 6, 0, 1, 0, 0, 8, 0], "device descriptor")?;
        self.device.max_packet_size_0 = match head.get(7) {
            Some(&size @ (8 | 16 | 32 | 64)) => size,
            _ => return Err(format!("bMaxPacketSize0 is none of 8, 16, 32, 64 in {head:02x?}")),
        };
        self.reset()?;
        let bytes = self.request([0x80, 6, 0, 1, 0, 0, 18, 0], "device descriptor")?;
        self.device = Device::parse(&bytes).ok_or_else(|| format!("invalid device descriptor: {bytes:02x?}"))?;
        let head = self.request([0x80, 6, 0, 2, 0, 0, 9, 0], "configuration descriptor")?;
        let (Some(&low), Some(&high)) = (head.get(2), head.get(3)) else {
            return Err(format!("invalid configuration descriptor: {head:02x?}"));
        };
        let bytes = self.request([0x80, 6, 0, 2, 0, 0, low, high], "configuration descriptor")?;
        self.configuration =
            Configuration::parse(&bytes).ok_or_else(|| format!("invalid configuration descriptor: {bytes:02x?}"))?;
        Ok(())
    }

    /// Queues a transfer.
    ///
    /// `endpoint` is an endpoint address; 0 for control.
    pub fn submit(&mut self, id: TransferId, endpoint: u8, request: Request) {
        let transfer = Transfer { id, request, stage: Stage::Setup, pid: Pid::Data1, moved: Vec::new(), unanswered: 0 };
        self.queues.entry(endpoint).or_default().push_back(transfer);
    }

    /// How many transfers are queued, and how many bytes they have to send.
    #[must_use]
    pub fn queued(&self) -> (usize, usize) {
        let bytes = |transfer: &Transfer| match &transfer.request {
            Request::Control { data, .. } | Request::Out { data, .. } => data.len(),
            Request::In { .. } => 0,
        };
        let all = self.queues.values().flatten();
        all.fold((0, 0), |(count, sum), transfer| (count + 1, sum + bytes(transfer)))
    }

    /// Removes a transfer from its queue. Returns false if it is not there (any more).
    pub fn cancel(&mut self, id: TransferId) -> bool {
        for queue in self.queues.values_mut() {
            if let Some(place) = queue.iter().position(|transfer| transfer.id == id) {
                queue.remove(place);
                return true;
            }
        }
        false
    }

    /// Runs what is queued, one turn per endpoint. Returns whether anything was transferred.
    pub fn run(&mut self) -> bool {
        let endpoints: Vec<u8> =
            self.queues.iter().filter(|(_, queue)| !queue.is_empty()).map(|(&endpoint, _)| endpoint).collect();
        let mut moved = false;
        for endpoint in endpoints {
            for _ in 0..TURN {
                let Some(mut transfer) = self.queues.get_mut(&endpoint).and_then(VecDeque::pop_front) else { break };
                match self.step(endpoint, &mut transfer) {
                    Step::Ended(status) => {
                        moved = true;
                        self.end(endpoint, transfer, status);
                    }
                    Step::Moved => {
                        moved = true;
                        self.put_back(endpoint, transfer);
                    }
                    Step::Wait => {
                        self.put_back(endpoint, transfer);
                        break;
                    }
                }
            }
        }
        moved
    }

    /// Takes the transfers that have ended since the last call, in the order in which they ended.
    pub fn take_ended(&mut self) -> Vec<Completion> {
        std::mem::take(&mut self.ended)
    }

    /// Cancels everything that is queued, and resets address and toggles, as a bus reset does in the device.
    fn forget(&mut self) {
        for (endpoint, queue) in std::mem::take(&mut self.queues) {
            for transfer in queue {
                self.end(endpoint, transfer, Status::Cancelled);
            }
        }
        self.address = 0;
        self.toggles.clear();
    }

    /// Runs a control transfer of our own to its end.
    fn request(&mut self, setup: [u8; 8], what: &str) -> Result<Vec<u8>, String> {
        let own = TransferId::MAX;
        self.submit(own, 0, Request::Control { setup, data: Vec::new() });
        let start = self.link.now();
        loop {
            if !self.run() {
                self.link.elapse(STEP);
            }
            if let Some(place) = self.ended.iter().position(|completion| completion.id == own) {
                let completion = self.ended.remove(place);
                return match completion.status {
                    Status::Complete => Ok(completion.data),
                    status => Err(format!("the request for {what} ended with {status:?}")),
                };
            }
            if self.link.now().saturating_sub(start) > REQUEST_TIMEOUT {
                self.cancel(own);
                return Err(format!("the device did not answer {what} within {} s", REQUEST_TIMEOUT.as_secs()));
            }
        }
    }

    fn put_back(&mut self, endpoint: u8, transfer: Transfer) {
        self.queues.entry(endpoint).or_default().push_front(transfer);
    }

    fn end(&mut self, endpoint: u8, transfer: Transfer, status: Status) {
        let setup = match transfer.request {
            Request::Control { setup, .. } => Some(setup),
            _ => None,
        };
        if let (Some(setup), Status::Complete) = (setup, status) {
            self.learn(setup);
        }
        self.ended.push(Completion { id: transfer.id, endpoint, status, data: transfer.moved, setup });
    }

    /// Applies what a successful standard request changes at the host's end.
    fn learn(&mut self, setup: [u8; 8]) {
        match setup {
            [0x00, 5, address, ..] => self.address = address & 0x7F,
            [0x00, 9, ..] => self.toggles.clear(),
            // USB 2.0 9.1.1.5: SET_INTERFACE resets the toggles of the interface's endpoints.
            [0x01, 11, _, _, interface, ..] => {
                for endpoint in self.configuration.endpoints.iter().filter(|e| e.interface == interface) {
                    self.toggles.remove(&endpoint.address);
                }
            }
            [0x02, 1, 0, 0, endpoint, ..] => {
                self.toggles.remove(&endpoint);
            }
            _ => {}
        }
    }

    fn packet_size(&self, endpoint: u8) -> usize {
        self.configuration.endpoint(endpoint).map_or(64, |endpoint| usize::from(endpoint.max_packet_size.max(1)))
    }

    fn step(&mut self, endpoint: u8, transfer: &mut Transfer) -> Step {
        if !self.link.attached() {
            return Step::Ended(Status::NoAnswer);
        }
        let step = match &transfer.request {
            Request::Control { .. } => self.control_step(transfer),
            Request::In { length } => {
                let (length, size) = (*length, self.packet_size(endpoint));
                self.in_step(endpoint, length, size, transfer)
            }
            Request::Out { data, zero_packet } => {
                let size = self.packet_size(endpoint);
                let chunk = next_chunk(data, transfer.moved.len(), size);
                let whole = *zero_packet && !data.is_empty() && data.len() % size == 0;
                let pid = self.toggles.get(&endpoint).copied().unwrap_or(Pid::Data0);
                let reply = self.link.out(self.address, endpoint & 0x0F, pid, &chunk);
                if reply == OutReply::Ack {
                    self.toggles.insert(endpoint, pid.toggled());
                    transfer.moved.extend_from_slice(&chunk);
                    let all = transfer.moved.len() >= data.len();
                    // `whole`: the empty packet has yet to be sent, unless this was it.
                    if all && (!whole || chunk.is_empty()) {
                        return Step::Ended(Status::Complete);
                    }
                }
                Outcome::from(reply).step()
            }
        };
        match step {
            None => {
                transfer.unanswered += 1;
                if transfer.unanswered >= TRIES { Step::Ended(Status::NoAnswer) } else { Step::Moved }
            }
            Some(step) => {
                transfer.unanswered = 0;
                step
            }
        }
    }

    fn in_step(&mut self, endpoint: u8, length: usize, size: usize, transfer: &mut Transfer) -> Option<Step> {
        let (pid, data) = match self.link.r#in(self.address, endpoint & 0x0F, true) {
            InReply::Data(pid, data) => (pid, data),
            InReply::Nak => return Some(Step::Wait),
            InReply::Stall => return Some(Step::Ended(Status::Stall)),
            InReply::Silent => return None,
        };
        let expected = self.toggles.get(&endpoint).copied().unwrap_or(Pid::Data0);
        if pid != expected {
            // USB 2.0 8.6.4: taken for a repetition, and dropped.
            return Some(Step::Moved);
        }
        self.toggles.insert(endpoint, pid.toggled());
        if transfer.moved.len() + data.len() > length {
            return Some(Step::Ended(Status::Babble));
        }
        transfer.moved.extend_from_slice(&data);
        let short = data.len() < size;
        Some(if short || transfer.moved.len() == length { Step::Ended(Status::Complete) } else { Step::Moved })
    }

    /// One transaction of a control transfer (USB 2.0 8.5.3).
    fn control_step(&mut self, transfer: &mut Transfer) -> Option<Step> {
        let Request::Control { setup, ref data } = transfer.request else { return None };
        let reading = setup[0] & IN != 0;
        let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
        let size = usize::from(self.device.max_packet_size_0.max(8));
        match transfer.stage {
            Stage::Setup => {
                let reply = self.link.setup(self.address, setup);
                if reply == OutReply::Ack {
                    transfer.stage = if length == 0 { Stage::Status } else { Stage::Data };
                }
                Outcome::from(reply).step()
            }
            Stage::Data if reading => {
                let (pid, bytes) = match self.link.r#in(self.address, 0, true) {
                    InReply::Data(pid, bytes) => (pid, bytes),
                    InReply::Nak => return Some(Step::Wait),
                    InReply::Stall => return Some(Step::Ended(Status::Stall)),
                    InReply::Silent => return None,
                };
                if pid != transfer.pid {
                    return Some(Step::Moved);
                }
                transfer.pid = pid.toggled();
                if transfer.moved.len() + bytes.len() > length {
                    return Some(Step::Ended(Status::Babble));
                }
                transfer.moved.extend_from_slice(&bytes);
                if bytes.len() < size || transfer.moved.len() == length {
                    transfer.stage = Stage::Status;
                }
                Some(Step::Moved)
            }
            Stage::Data => {
                let chunk = next_chunk(data, transfer.moved.len(), size);
                let reply = self.link.out(self.address, 0, transfer.pid, &chunk);
                if reply == OutReply::Ack {
                    transfer.pid = transfer.pid.toggled();
                    transfer.moved.extend_from_slice(&chunk);
                    if transfer.moved.len() >= data.len() {
                        transfer.stage = Stage::Status;
                    }
                }
                Outcome::from(reply).step()
            }
            // The status stage goes the other way and is always DATA1.
            Stage::Status if reading && length > 0 => match self.link.out(self.address, 0, Pid::Data1, &[]) {
                OutReply::Ack => Some(Step::Ended(Status::Complete)),
                reply => Outcome::from(reply).step(),
            },
            Stage::Status => match self.link.r#in(self.address, 0, true) {
                InReply::Data(Pid::Data1, bytes) if bytes.is_empty() => Some(Step::Ended(Status::Complete)),
                InReply::Data(Pid::Data1, _) => Some(Step::Ended(Status::Babble)),
                InReply::Data(Pid::Data0, _) => Some(Step::Moved),
                InReply::Nak => Some(Step::Wait),
                InReply::Stall => Some(Step::Ended(Status::Stall)),
                InReply::Silent => None,
            },
        }
    }
}

/// A handshake that did not end the transfer successfully.
struct Outcome(OutReply);

impl From<OutReply> for Outcome {
    fn from(reply: OutReply) -> Self {
        Self(reply)
    }
}

impl Outcome {
    /// `None`: there was no answer.
    fn step(self) -> Option<Step> {
        match self.0 {
            OutReply::Ack => Some(Step::Moved),
            OutReply::Nak => Some(Step::Wait),
            OutReply::Stall => Some(Step::Ended(Status::Stall)),
            OutReply::Silent => None,
        }
    }
}

/// The packet that follows `sent` bytes of `data`.
fn next_chunk(data: &[u8], sent: usize, size: usize) -> Vec<u8> {
    data.iter().skip(sent).take(size).copied().collect()
}
