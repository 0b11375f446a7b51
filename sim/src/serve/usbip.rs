//! The USB/IP protocol, version 1.1.1, at the end that has the device ("server" in the kernel's
//! Documentation/usb/usbip_protocol.rst).
//!
//! Any Linux desktop can attach the device with `usbip attach`. Numbers are big-endian. The protocol has no bus reset, and
//! the client never sees the device's address.

use std::collections::BTreeMap;

use super::bus::{Bus, Completion, Request, Status, TransferId};
use super::descriptor::IN;
use super::front::{Front, Verdict};

/// Version in the messages before the import.
const VERSION: u16 = 0x0111;
/// The name by which a client requests the device.
pub const BUS_ID: &str = "1-1";
const PATH: &str = "/sys/devices/picovd/usb1/1-1";
const BUS_NUMBER: u32 = 1;
const DEVICE_NUMBER: u32 = 2;
/// USB_SPEED_FULL of linux/usb/ch9.h.
const FULL_SPEED: u32 = 2;

const PATH_LENGTH: usize = 256;
const BUS_ID_LENGTH: usize = 32;

const OP_REQ_DEVLIST: u16 = 0x8005;
const OP_REP_DEVLIST: u16 = 0x0005;
const OP_REQ_IMPORT: u16 = 0x8003;
const OP_REP_IMPORT: u16 = 0x0003;
const OP_LENGTH: usize = 8;
const OP_ERROR: u32 = 1;

const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;
const HEADER_LENGTH: usize = 48;
/// number_of_packets of a transfer that is not isochronous.
const NOT_ISOCHRONOUS: u32 = 0xFFFF_FFFF;

/// Transfer flags (include/uapi/linux/usbip.h).
const SHORT_NOT_OK: u32 = 0x0001;
const ZERO_PACKET: u32 = 0x0040;

/// Linux error numbers, negative as in a URB's status (Documentation/driver-api/usb/error-codes.rst).
mod errno {
    pub const PIPE: i32 = -32;
    pub const OVERFLOW: i32 = -75;
    pub const PROTOCOL: i32 = -71;
    pub const CONNECTION_RESET: i32 = -104;
    pub const REMOTE_IO: i32 = -121;
}

/// Maximum length of a transfer in bytes.
const TRANSFER_LIMIT: usize = 16 << 20;

fn be16(bytes: &[u8], at: usize) -> u16 {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    u16::from_be_bytes([byte(at), byte(at + 1)])
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from(be16(bytes, at)) << 16 | u32::from(be16(bytes, at + 2))
}

/// What has to be known about a transfer when it ends.
#[derive(Clone, Copy, Debug)]
struct Submitted {
    reading: bool,
    wanted: usize,
    short_is_error: bool,
}

/// How far a connection has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Waiting for a request to list or import devices.
    #[default]
    Request,
    /// A device was requested, but not attached yet.
    Importing,
    /// The device is attached; transfers follow.
    Imported,
}

/// One connection.
#[derive(Debug, Default)]
pub struct Usbip {
    buffer: Vec<u8>,
    stage: Stage,
    submitted: BTreeMap<TransferId, Submitted>,
}

/// The header of a reply: the basic header with zeros except for command and number, then the reply's own fields.
fn reply(command: u32, number: u32, status: i32, length: usize, out: &mut Vec<u8>) {
    let mut header = [0u8; HEADER_LENGTH];
    let mut put = |at: usize, value: u32| header[at..at + 4].copy_from_slice(&value.to_be_bytes());
    put(0, command);
    put(4, number);
    put(0x14, status.cast_unsigned());
    if command == RET_SUBMIT {
        put(0x18, u32::try_from(length).unwrap_or(u32::MAX));
        put(0x20, NOT_ISOCHRONOUS);
    }
    out.extend(header);
}

fn op(code: u16, status: u32, out: &mut Vec<u8>) {
    out.extend(VERSION.to_be_bytes());
    out.extend(code.to_be_bytes());
    out.extend(status.to_be_bytes());
}

fn text(text: &str, length: usize, out: &mut Vec<u8>) {
    out.extend(text.bytes().chain(std::iter::repeat(0)).take(length));
}

/// The device as both replies describe it, without the interfaces.
fn describe(bus: &Bus, out: &mut Vec<u8>) {
    let device = bus.device();
    text(PATH, PATH_LENGTH, out);
    text(BUS_ID, BUS_ID_LENGTH, out);
    for number in [BUS_NUMBER, DEVICE_NUMBER, FULL_SPEED] {
        out.extend(number.to_be_bytes());
    }
    for number in [device.vendor, device.product, device.version] {
        out.extend(number.to_be_bytes());
    }
    out.extend(device.class);
    let interfaces = u8::try_from(bus.configuration().interfaces.len()).unwrap_or(u8::MAX);
    out.extend([bus.configuration().value, device.configurations, interfaces]);
}

impl Usbip {
    /// Takes `length` bytes from the buffer if there are as many.
    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        (self.buffer.len() >= length).then(|| self.buffer.drain(..length).collect())
    }

    fn operation(&mut self, bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String> {
        if self.buffer.len() < OP_LENGTH {
            return Ok(Verdict::Stay);
        }
        match be16(&self.buffer, 2) {
            code @ (OP_REQ_DEVLIST | OP_REQ_IMPORT) if be16(&self.buffer, 0) != VERSION => {
                let answer = if code == OP_REQ_IMPORT { OP_REP_IMPORT } else { OP_REP_DEVLIST };
                op(answer, OP_ERROR, out);
                Ok(Verdict::Close)
            }
            OP_REQ_DEVLIST => {
                self.buffer.clear();
                op(OP_REP_DEVLIST, 0, out);
                let interfaces = &bus.configuration().interfaces;
                out.extend(u32::from(!interfaces.is_empty()).to_be_bytes());
                if !interfaces.is_empty() {
                    describe(bus, out);
                    for interface in interfaces.iter().take(usize::from(u8::MAX)) {
                        out.extend(interface.class);
                        out.push(0);
                    }
                }
                Ok(Verdict::Close)
            }
            OP_REQ_IMPORT => {
                let Some(request) = self.take(OP_LENGTH + BUS_ID_LENGTH) else { return Ok(Verdict::Stay) };
                let mut expected = Vec::new();
                text(BUS_ID, BUS_ID_LENGTH, &mut expected);
                // The name ends at the first zero byte.
                let name = request.iter().skip(OP_LENGTH).take_while(|&&byte| byte != 0);
                if name.copied().eq(BUS_ID.bytes()) {
                    self.stage = Stage::Importing;
                    Ok(Verdict::Claim)
                } else {
                    op(OP_REP_IMPORT, OP_ERROR, out);
                    Ok(Verdict::Close)
                }
            }
            code => Err(format!("operation {code:04X}h is unknown")),
        }
    }

    fn transfer(&mut self, bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String> {
        if self.buffer.len() < HEADER_LENGTH {
            return Ok(Verdict::Stay);
        }
        let header = &self.buffer;
        let (command, number) = (be32(header, 0), be32(header, 4));
        match command {
            CMD_SUBMIT => {
                let reading = be32(header, 0x0C) == 1;
                let length = be32(header, 0x18) as usize;
                if length > TRANSFER_LIMIT {
                    return Err(format!("a transfer of {length} bytes"));
                }
                let packets = be32(header, 0x20);
                if packets != NOT_ISOCHRONOUS && packets != 0 {
                    return Err("an isochronous transfer, which this device does not support".to_owned());
                }
                let total = HEADER_LENGTH + if reading { 0 } else { length };
                let Some(mut message) = self.take(total) else { return Ok(Verdict::Stay) };
                let data = message.split_off(HEADER_LENGTH);
                self.submit(&message, number, reading, length, data, bus, out);
                Ok(Verdict::More)
            }
            CMD_UNLINK => {
                let unlinked = u64::from(be32(header, 0x14));
                self.take(HEADER_LENGTH);
                // An unlinked transfer gets no RET_SUBMIT; one that was answered before gets status 0.
                let found = bus.cancel(unlinked);
                self.submitted.remove(&unlinked);
                reply(RET_UNLINK, number, if found { errno::CONNECTION_RESET } else { 0 }, 0, out);
                Ok(Verdict::More)
            }
            other => Err(format!("command {other} is unknown")),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of one message")]
    fn submit(
        &mut self,
        header: &[u8],
        number: u32,
        reading: bool,
        length: usize,
        data: Vec<u8>,
        bus: &mut Bus,
        out: &mut Vec<u8>,
    ) {
        let flags = be32(header, 0x14);
        let endpoint = (be32(header, 0x10) & 0x0F) as u8;
        let short_is_error = reading && flags & SHORT_NOT_OK != 0;
        let (endpoint, request, reading) = if endpoint == 0 {
            let mut setup = [0; 8];
            setup.copy_from_slice(&header[0x28..HEADER_LENGTH]);
            let reading = setup[0] & IN != 0;
            if !reading && data.len() != usize::from(u16::from_le_bytes([setup[6], setup[7]])) {
                reply(RET_SUBMIT, number, errno::PROTOCOL, 0, out);
                return;
            }
            (0, Request::Control { setup, data }, reading)
        } else {
            let address = endpoint | if reading { IN } else { 0 };
            if bus.configuration().endpoint(address).is_none() {
                reply(RET_SUBMIT, number, errno::PIPE, 0, out);
                return;
            }
            let zero_packet = flags & ZERO_PACKET != 0;
            (address, if reading { Request::In { length } } else { Request::Out { data, zero_packet } }, reading)
        };
        self.submitted.insert(number.into(), Submitted { reading, wanted: length, short_is_error });
        bus.submit(number.into(), endpoint, request);
    }
}

impl Front for Usbip {
    fn greet(&mut self, _out: &mut Vec<u8>) {}

    fn receive(&mut self, bytes: &[u8], bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String> {
        self.buffer.extend_from_slice(bytes);
        match self.stage {
            Stage::Request => self.operation(bus, out),
            Stage::Importing => Ok(Verdict::Stay),
            Stage::Imported => self.transfer(bus, out),
        }
    }

    fn plug(&mut self, bus: &Bus, out: &mut Vec<u8>) -> bool {
        if self.stage == Stage::Importing {
            op(OP_REP_IMPORT, 0, out);
            describe(bus, out);
            self.stage = Stage::Imported;
        }
        self.stage == Stage::Imported
    }

    fn unplug(&mut self, _out: &mut Vec<u8>) -> bool {
        // A client notices that the device is gone when the connection ends.
        false
    }

    fn refuse(&mut self, out: &mut Vec<u8>) {
        op(OP_REP_IMPORT, OP_ERROR, out);
    }

    fn complete(&mut self, completion: &Completion, _bus: &mut Bus, out: &mut Vec<u8>) {
        let Some(submitted) = self.submitted.remove(&completion.id) else { return };
        let status = match completion.status {
            Status::Complete if submitted.short_is_error && completion.data.len() < submitted.wanted => {
                errno::REMOTE_IO
            }
            Status::Complete => 0,
            Status::Stall => errno::PIPE,
            Status::Babble => errno::OVERFLOW,
            Status::NoAnswer => errno::PROTOCOL,
            Status::Cancelled => errno::CONNECTION_RESET,
        };
        let number = u32::try_from(completion.id).unwrap_or(0);
        reply(RET_SUBMIT, number, status, completion.data.len(), out);
        if submitted.reading {
            out.extend_from_slice(&completion.data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_LENGTH, RET_SUBMIT, op, reply};

    #[test]
    fn a_reply_has_the_layout_of_the_documents_example() {
        // RetIntrOut of the example in usbip_protocol.rst, whose start_frame and number_of_packets are as here.
        let mut out = Vec::new();
        reply(RET_SUBMIT, 0xd06, 0, 0x40, &mut out);
        let words: Vec<u32> = out.chunks(4).map(|word| u32::from_be_bytes(word.try_into().unwrap())).collect();
        assert_eq!(words, [3, 0xd06, 0, 0, 0, 0, 0x40, 0, 0xffff_ffff, 0, 0, 0]);
        assert_eq!(out.len(), HEADER_LENGTH);
    }

    #[test]
    fn an_operation_starts_with_the_version() {
        let mut out = Vec::new();
        op(5, 0, &mut out);
        assert_eq!(out, [1, 0x11, 0, 5, 0, 0, 0, 0]);
    }
}
