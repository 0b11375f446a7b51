//! The usbredir protocol, version 0.7, at the end that has the device ("usb-host" in usb-redir-protocol.txt).
//!
//! A virtual machine at the other end sees the device on its own controller; QEMU's `usb-redir` implements it. Bus resets,
//! stalls and short packets are passed on unchanged. Numbers are little-endian; a message is a header of type, length and
//! id, then the type's own header, then data.

use std::collections::BTreeMap;

use super::bus::{Bus, Completion, Request, Status, TransferId};
use super::descriptor::{IN, TransferType};
use super::front::{Front, Verdict};

/// Message types (usbredirproto.h).
mod kind {
    pub const HELLO: u32 = 0;
    pub const DEVICE_CONNECT: u32 = 1;
    pub const DEVICE_DISCONNECT: u32 = 2;
    pub const RESET: u32 = 3;
    pub const INTERFACE_INFO: u32 = 4;
    pub const EP_INFO: u32 = 5;
    pub const SET_CONFIGURATION: u32 = 6;
    pub const GET_CONFIGURATION: u32 = 7;
    pub const CONFIGURATION_STATUS: u32 = 8;
    pub const SET_ALT_SETTING: u32 = 9;
    pub const GET_ALT_SETTING: u32 = 10;
    pub const ALT_SETTING_STATUS: u32 = 11;
    pub const START_ISO_STREAM: u32 = 12;
    pub const ISO_STREAM_STATUS: u32 = 14;
    pub const START_INTERRUPT_RECEIVING: u32 = 15;
    pub const STOP_INTERRUPT_RECEIVING: u32 = 16;
    pub const INTERRUPT_RECEIVING_STATUS: u32 = 17;
    pub const ALLOC_BULK_STREAMS: u32 = 18;
    pub const BULK_STREAMS_STATUS: u32 = 20;
    pub const CANCEL_DATA_PACKET: u32 = 21;
    pub const FILTER_REJECT: u32 = 22;
    pub const DEVICE_DISCONNECT_ACK: u32 = 24;
    pub const CONTROL_PACKET: u32 = 100;
    pub const BULK_PACKET: u32 = 101;
    pub const INTERRUPT_PACKET: u32 = 103;
}

/// Capability bits (usbredirproto.h) that this end has.
mod capability {
    pub const CONNECT_DEVICE_VERSION: u32 = 1 << 1;
    pub const DEVICE_DISCONNECT_ACK: u32 = 1 << 3;
    pub const EP_INFO_MAX_PACKET_SIZE: u32 = 1 << 4;
    pub const IDS_64_BITS: u32 = 1 << 5;
    pub const BULK_LENGTH_32_BITS: u32 = 1 << 6;
    pub const OURS: u32 =
        CONNECT_DEVICE_VERSION | DEVICE_DISCONNECT_ACK | EP_INFO_MAX_PACKET_SIZE | IDS_64_BITS | BULK_LENGTH_32_BITS;
}

/// Result codes (usbredirproto.h).
mod result {
    pub const SUCCESS: u8 = 0;
    pub const CANCELLED: u8 = 1;
    pub const INVALID: u8 = 2;
    pub const IO_ERROR: u8 = 3;
    pub const STALL: u8 = 4;
    pub const BABBLE: u8 = 6;
}

/// Speed code of a full-speed device.
const FULL_SPEED: u8 = 1;
/// Bytes of the version text in a hello.
const VERSION_LENGTH: usize = 64;
/// Slots in the tables of interfaces and endpoints.
const SLOTS: usize = 32;
/// "No such endpoint" in the endpoint table.
const NO_TYPE: u8 = 255;
/// Maximum length of a message in bytes: bulk transfers are much smaller.
const MESSAGE_LIMIT: usize = 16 << 20;
/// Set in the numbers of our own transfers, for interrupt endpoints.
const OWN: TransferId = 1 << 63;

/// A message from the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    kind: u32,
    id: u64,
    body: Vec<u8>,
}

/// A message to the other end.
fn message(wide: bool, kind: u32, id: u64, parts: &[&[u8]], out: &mut Vec<u8>) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    out.extend(kind.to_le_bytes());
    out.extend(u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    if wide {
        out.extend(id.to_le_bytes());
    } else {
        out.extend((id as u32).to_le_bytes());
    }
    for part in parts {
        out.extend_from_slice(part);
    }
}

/// Takes the first complete message from `buffer`.
fn next_message(wide: bool, buffer: &mut Vec<u8>) -> Result<Option<Message>, String> {
    let head = if wide { 16 } else { 12 };
    if buffer.len() < head {
        return Ok(None);
    }
    let field = |at: usize| le32(buffer, at);
    let (kind, length) = (field(0), field(4) as usize);
    let id = if wide { u64::from(field(8)) | u64::from(field(12)) << 32 } else { u64::from(field(8)) };
    if length > MESSAGE_LIMIT {
        return Err(format!("a message of type {kind} claims {length} bytes"));
    }
    if buffer.len() < head + length {
        return Ok(None);
    }
    let body = buffer.drain(..head + length).skip(head).collect();
    Ok(Some(Message { kind, id, body }))
}

fn byte(bytes: &[u8], at: usize) -> u8 {
    bytes.get(at).copied().unwrap_or(0)
}

fn le16(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([byte(bytes, at), byte(bytes, at + 1)])
}

fn le32(bytes: &[u8], at: usize) -> u32 {
    u32::from(le16(bytes, at)) | u32::from(le16(bytes, at + 2)) << 16
}

/// The request that a transfer belongs to.
#[derive(Clone, Debug)]
enum Purpose {
    Control { header: [u8; 10] },
    Bulk { stream: u32 },
    InterruptOut,
    InterruptIn,
    SetConfiguration { value: u8 },
    GetConfiguration,
    SetAlternate { interface: u8, setting: u8 },
    GetAlternate { interface: u8 },
}

/// One connection.
#[derive(Debug, Default)]
pub struct Usbredir {
    buffer: Vec<u8>,
    /// Capabilities that both ends have; `None` before the other end's hello.
    common: Option<u32>,
    plugged: bool,
    /// A disconnect was sent and not acknowledged yet: until then, messages are about the old device.
    parting: bool,
    purposes: BTreeMap<TransferId, Purpose>,
    receiving: BTreeMap<u8, TransferId>,
    last_own: TransferId,
}

impl Usbredir {
    fn has(&self, bit: u32) -> bool {
        self.common.is_some_and(|common| common & bit != 0)
    }

    fn send(&self, kind: u32, id: u64, parts: &[&[u8]], out: &mut Vec<u8>) {
        message(self.has(capability::IDS_64_BITS), kind, id, parts, out);
    }

    /// The tables of interfaces and endpoints, which are sent before a connect and after every change of configuration.
    fn describe(&self, bus: &Bus, out: &mut Vec<u8>) {
        let mut types = [NO_TYPE; SLOTS];
        let mut intervals = [0; SLOTS];
        let mut owners = [0; SLOTS];
        let mut sizes = [0u16; SLOTS];
        // The slot is the endpoint's number, plus 16 for IN; both directions of endpoint 0 are control.
        types[0] = TransferType::Control.number();
        types[16] = TransferType::Control.number();
        sizes[0] = u16::from(bus.device().max_packet_size_0);
        sizes[16] = sizes[0];
        for endpoint in &bus.configuration().endpoints {
            let slot = usize::from(endpoint.address & 0x0F) + if endpoint.address & IN != 0 { 16 } else { 0 };
            types[slot] = endpoint.transfer_type.number();
            intervals[slot] = endpoint.interval;
            owners[slot] = endpoint.interface;
            sizes[slot] = endpoint.max_packet_size;
        }
        let sizes: Vec<u8> = sizes.iter().flat_map(|size| size.to_le_bytes()).collect();
        let sizes = if self.has(capability::EP_INFO_MAX_PACKET_SIZE) { sizes.as_slice() } else { &[] };
        self.send(kind::EP_INFO, 0, &[&types, &intervals, &owners, sizes], out);

        let interfaces = &bus.configuration().interfaces;
        let mut table = [[0u8; SLOTS]; 4];
        for (slot, interface) in interfaces.iter().take(SLOTS).enumerate() {
            let [class, subclass, protocol] = interface.class;
            for (row, value) in table.iter_mut().zip([interface.number, class, subclass, protocol]) {
                row[slot] = value;
            }
        }
        let count = u32::try_from(interfaces.len().min(SLOTS)).unwrap_or(0).to_le_bytes();
        self.send(kind::INTERFACE_INFO, 0, &[&count, &table.concat()], out);
    }

    fn submit(&mut self, bus: &mut Bus, id: TransferId, endpoint: u8, request: Request, purpose: Purpose) {
        self.purposes.insert(id, purpose);
        bus.submit(id, endpoint, request);
    }

    fn control(&mut self, bus: &mut Bus, id: TransferId, setup: [u8; 8], purpose: Purpose) {
        self.submit(bus, id, 0, Request::Control { setup, data: Vec::new() }, purpose);
    }

    fn receive_interrupt(&mut self, bus: &mut Bus, endpoint: u8) {
        self.last_own += 1;
        let id = OWN | self.last_own;
        let length = bus.configuration().endpoint(endpoint).map_or(64, |e| usize::from(e.max_packet_size));
        self.receiving.insert(endpoint, id);
        self.submit(bus, id, endpoint, Request::In { length }, Purpose::InterruptIn);
    }

    fn stop_receiving(&mut self, bus: &mut Bus, endpoint: u8) {
        if let Some(id) = self.receiving.remove(&endpoint) {
            bus.cancel(id);
            self.purposes.remove(&id);
        }
    }

    fn handle(&mut self, message: &Message, bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String> {
        let Message { kind, id, ref body } = *message;
        let first = byte(body, 0);
        if kind == kind::HELLO {
            self.common = Some(le32(body, VERSION_LENGTH) & capability::OURS);
            return Ok(Verdict::Claim);
        }
        if kind == kind::FILTER_REJECT {
            return Err("the other end's filter refuses the device".to_owned());
        }
        if kind == kind::DEVICE_DISCONNECT_ACK {
            self.parting = false;
        }
        // A message that crossed a disconnect is about a device that is gone.
        if !self.plugged {
            return Ok(Verdict::Stay);
        }
        match kind {
            kind::RESET => {
                self.purposes.clear();
                self.receiving.clear();
                if let Err(reason) = bus.reset() {
                    self.unplug(out);
                    return Ok(Verdict::Say(format!("after a bus reset {reason}")));
                }
                return Ok(Verdict::Say("bus reset".to_owned()));
            }
            kind::SET_CONFIGURATION => {
                let receiving: Vec<u8> = self.receiving.keys().copied().collect();
                for endpoint in receiving {
                    self.stop_receiving(bus, endpoint);
                }
                let purpose = Purpose::SetConfiguration { value: first };
                self.control(bus, id, [0x00, 9, first, 0, 0, 0, 0, 0], purpose);
            }
            kind::GET_CONFIGURATION => {
                self.control(bus, id, [0x80, 8, 0, 0, 0, 0, 1, 0], Purpose::GetConfiguration);
            }
            kind::SET_ALT_SETTING => {
                let setting = byte(body, 1);
                let purpose = Purpose::SetAlternate { interface: first, setting };
                self.control(bus, id, [0x01, 11, setting, 0, first, 0, 0, 0], purpose);
            }
            kind::GET_ALT_SETTING => {
                let purpose = Purpose::GetAlternate { interface: first };
                self.control(bus, id, [0x81, 10, 0, 0, first, 0, 1, 0], purpose);
            }
            kind::START_ISO_STREAM => self.send(kind::ISO_STREAM_STATUS, id, &[&[result::INVALID, first]], out),
            kind::ALLOC_BULK_STREAMS => {
                self.send(kind::BULK_STREAMS_STATUS, id, &[body.get(..8).unwrap_or(&[0; 8]), &[result::INVALID]], out);
            }
            kind::START_INTERRUPT_RECEIVING => {
                let known = bus.configuration().endpoint(first).is_some_and(|endpoint| {
                    endpoint.transfer_type == TransferType::Interrupt && endpoint.address & IN != 0
                });
                if known && !self.receiving.contains_key(&first) {
                    self.receive_interrupt(bus, first);
                }
                let status = if known { result::SUCCESS } else { result::INVALID };
                self.send(kind::INTERRUPT_RECEIVING_STATUS, id, &[&[status, first]], out);
            }
            kind::STOP_INTERRUPT_RECEIVING => {
                self.stop_receiving(bus, first);
                self.send(kind::INTERRUPT_RECEIVING_STATUS, id, &[&[result::SUCCESS, first]], out);
            }
            kind::CANCEL_DATA_PACKET => {
                // A transfer that has ended was answered already; the other end accepts either answer.
                if bus.cancel(id)
                    && let Some(purpose) = self.purposes.remove(&id)
                {
                    let endpoint = first;
                    self.answer(id, endpoint, &purpose, result::CANCELLED, &[], bus, out);
                }
            }
            kind::CONTROL_PACKET => {
                let Some(&header) = body.first_chunk::<10>() else {
                    return Err("a control packet without its header".to_owned());
                };
                let [_, request, request_type, _, v0, v1, i0, i1, l0, l1] = header;
                let setup = [request_type, request, v0, v1, i0, i1, l0, l1];
                let data = if request_type & IN == 0 { body[header.len()..].to_vec() } else { Vec::new() };
                if request_type & IN == 0 && data.len() != usize::from(u16::from_le_bytes([l0, l1])) {
                    self.answer(id, 0, &Purpose::Control { header }, result::INVALID, &[], bus, out);
                } else {
                    self.submit(bus, id, 0, Request::Control { setup, data }, Purpose::Control { header });
                }
            }
            kind::BULK_PACKET => {
                let wide = self.has(capability::BULK_LENGTH_32_BITS);
                let head = if wide { 10 } else { 8 };
                let Some(data) = body.get(head..) else { return Err("a bulk packet without its header".to_owned()) };
                let high = if wide { usize::from(le16(body, 8)) << 16 } else { 0 };
                let length = high | usize::from(le16(body, 2));
                let purpose = Purpose::Bulk { stream: le32(body, 4) };
                self.data_packet(id, first, length, data, TransferType::Bulk, purpose, bus, out);
            }
            kind::INTERRUPT_PACKET => {
                let Some(data) = body.get(4..) else { return Err("an interrupt packet without its header".to_owned()) };
                let length = usize::from(le16(body, 2));
                self.data_packet(id, first, length, data, TransferType::Interrupt, Purpose::InterruptOut, bus, out);
            }
            // Filters, isochronous packets and what later versions may add: this device has nothing of that.
            _ => {}
        }
        Ok(Verdict::Stay)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    fn data_packet(
        &mut self,
        id: u64,
        endpoint: u8,
        length: usize,
        data: &[u8],
        transfer_type: TransferType,
        purpose: Purpose,
        bus: &mut Bus,
        out: &mut Vec<u8>,
    ) {
        let known = bus.configuration().endpoint(endpoint).is_some_and(|e| e.transfer_type == transfer_type);
        let reading = endpoint & IN != 0;
        if !known || length > MESSAGE_LIMIT || (!reading && data.len() != length) {
            self.answer(id, endpoint, &purpose, result::INVALID, &[], bus, out);
            return;
        }
        let request =
            if reading { Request::In { length } } else { Request::Out { data: data.to_vec(), zero_packet: false } };
        self.submit(bus, id, endpoint, request, purpose);
    }

    /// The one answer to a transfer.
    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    fn answer(
        &mut self,
        id: u64,
        endpoint: u8,
        purpose: &Purpose,
        status: u8,
        data: &[u8],
        bus: &mut Bus,
        out: &mut Vec<u8>,
    ) {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes();
        match *purpose {
            Purpose::Control { mut header } => {
                header[3] = status;
                header[8] = length[0];
                header[9] = length[1];
                let data = if header[2] & IN != 0 { data } else { &[] };
                self.send(kind::CONTROL_PACKET, id, &[&header, data], out);
            }
            Purpose::Bulk { stream } => {
                let wide = self.has(capability::BULK_LENGTH_32_BITS);
                let high = if wide { &length[2..4] } else { &[] };
                let data = if endpoint & IN != 0 { data } else { &[] };
                let head = [endpoint, status, length[0], length[1]];
                self.send(kind::BULK_PACKET, id, &[&head, &stream.to_le_bytes(), high, data], out);
            }
            Purpose::InterruptOut => {
                self.send(kind::INTERRUPT_PACKET, id, &[&[endpoint, status, length[0], length[1]]], out);
            }
            Purpose::InterruptIn => match status {
                result::SUCCESS => {
                    let head = [endpoint, status, length[0], length[1]];
                    self.send(kind::INTERRUPT_PACKET, 0, &[&head, data], out);
                    self.receive_interrupt(bus, endpoint);
                }
                // Receiving has ended by itself: the protocol requires a message about that.
                _ => {
                    self.receiving.remove(&endpoint);
                    self.send(kind::INTERRUPT_RECEIVING_STATUS, 0, &[&[status, endpoint]], out);
                }
            },
            Purpose::SetConfiguration { value } => {
                if status == result::SUCCESS {
                    self.describe(bus, out);
                }
                self.send(kind::CONFIGURATION_STATUS, id, &[&[status, value]], out);
            }
            Purpose::GetConfiguration => {
                self.send(kind::CONFIGURATION_STATUS, id, &[&[status, byte(data, 0)]], out);
            }
            Purpose::SetAlternate { interface, setting } => {
                self.send(kind::ALT_SETTING_STATUS, id, &[&[status, interface, setting]], out);
            }
            Purpose::GetAlternate { interface } => {
                self.send(kind::ALT_SETTING_STATUS, id, &[&[status, interface, byte(data, 0)]], out);
            }
        }
    }
}

impl Front for Usbredir {
    fn greet(&mut self, out: &mut Vec<u8>) {
        let mut version = [0; VERSION_LENGTH];
        for (place, letter) in version.iter_mut().zip(concat!("picovd-sim ", env!("CARGO_PKG_VERSION")).bytes()) {
            *place = letter;
        }
        // A hello always has the short header: no capabilities are agreed upon yet.
        message(false, kind::HELLO, 0, &[&version, &capability::OURS.to_le_bytes()], out);
    }

    fn receive(&mut self, bytes: &[u8], bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String> {
        self.buffer.extend_from_slice(bytes);
        if let Some(message) = next_message(self.has(capability::IDS_64_BITS), &mut self.buffer)? {
            if self.common.is_none() && message.kind != kind::HELLO {
                return Err(format!("message {} before a hello", message.kind));
            }
            return match self.handle(&message, bus, out)? {
                Verdict::Stay => Ok(Verdict::More),
                verdict => Ok(verdict),
            };
        }
        Ok(Verdict::Stay)
    }

    fn plug(&mut self, bus: &Bus, out: &mut Vec<u8>) -> bool {
        if self.plugged || self.parting || self.common.is_none() {
            return self.plugged;
        }
        self.describe(bus, out);
        let device = bus.device();
        let [class, subclass, protocol] = device.class;
        let head = [FULL_SPEED, class, subclass, protocol];
        let version = device.version.to_le_bytes();
        let version = if self.has(capability::CONNECT_DEVICE_VERSION) { version.as_slice() } else { &[] };
        let (vendor, product) = (device.vendor.to_le_bytes(), device.product.to_le_bytes());
        self.send(kind::DEVICE_CONNECT, 0, &[&head, &vendor, &product, version], out);
        self.plugged = true;
        true
    }

    fn unplug(&mut self, out: &mut Vec<u8>) -> bool {
        if self.plugged {
            self.plugged = false;
            self.parting = self.has(capability::DEVICE_DISCONNECT_ACK);
            self.purposes.clear();
            self.receiving.clear();
            self.send(kind::DEVICE_DISCONNECT, 0, &[], out);
        }
        true
    }

    fn refuse(&mut self, _out: &mut Vec<u8>) {
        // The protocol has no such message: a port without a device is an empty port.
    }

    fn complete(&mut self, completion: &Completion, bus: &mut Bus, out: &mut Vec<u8>) {
        let Some(purpose) = self.purposes.remove(&completion.id) else { return };
        let status = match completion.status {
            Status::Complete => result::SUCCESS,
            Status::Stall => result::STALL,
            Status::Babble => result::BABBLE,
            Status::NoAnswer => result::IO_ERROR,
            Status::Cancelled => result::CANCELLED,
        };
        self.answer(completion.id, completion.endpoint, &purpose, status, &completion.data, bus, out);
    }
}

#[cfg(test)]
mod tests {
    use super::{kind, message, next_message};

    #[test]
    fn messages_come_apart_where_they_were_joined() {
        for wide in [false, true] {
            let mut bytes = Vec::new();
            message(wide, kind::RESET, 7, &[], &mut bytes);
            message(wide, kind::BULK_PACKET, 8, &[&[1, 2], &[3]], &mut bytes);
            assert_eq!(bytes.len(), if wide { 35 } else { 27 });
            let mut buffer = Vec::new();
            let mut found = Vec::new();
            for byte in bytes {
                buffer.push(byte);
                found.extend(next_message(wide, &mut buffer).unwrap());
            }
            assert_eq!((found[0].kind, found[0].id, found[0].body.len()), (kind::RESET, 7, 0));
            assert_eq!(
                (found[1].kind, found[1].id, found[1].body.as_slice()),
                (kind::BULK_PACKET, 8, [1, 2, 3].as_slice())
            );
        }
    }

    #[test]
    fn a_message_of_absurd_length_is_refused() {
        let mut bytes = vec![101, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0];
        assert!(next_message(false, &mut bytes).is_err());
    }
}
