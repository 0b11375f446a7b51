//! Endpoints and packet buffers of the USB controller's DPRAM (section 12.7.3.2).
//!
//! The DPRAM is Device memory: unaligned access faults, so packets are copied word by word.

use rp235x_hal::pac;
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// Longest packet of a control, bulk or interrupt endpoint at full speed.
pub(super) const PACKET_LENGTH: usize = 64;
/// Length of the DPRAM in bytes.
pub(super) const DPRAM_LENGTH: usize = 4096;
/// Where the controller puts SETUP packets.
pub(super) const SETUP_PACKET: Buffer = Buffer(0);
/// Endpoint 0's buffer, shared by both directions.
pub(super) const EP0_BUFFER: Buffer = Buffer(0x100);
/// Where buffers of other endpoints may stand.
pub(super) const FIRST_FREE_BUFFER: Buffer = Buffer(0x180);

/// A packet buffer: its offset in the DPRAM, a multiple of 64 (or 0, the SETUP packet).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Buffer(pub u16);

impl Buffer {
    /// The address of the buffer's word `index`; within the DPRAM for all indexes of a packet.
    pub(super) fn word(self, index: usize) -> *mut u32 {
        let offset = (usize::from(self.0) + index * 4) % DPRAM_LENGTH;
        (pac::USB_DPRAM::ptr() as usize + offset) as *mut u32
    }
}

/// One allocated endpoint.
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) buffer: Buffer,
    /// ENDPOINT_TYPE of EP_CONTROL.
    pub(super) kind: u8,
}

/// The endpoints that classes asked for, endpoint 0 excepted.
pub(super) struct EndpointTable {
    endpoints: [[Option<Endpoint>; 15]; 2],
    next: Buffer,
}

impl EndpointTable {
    pub(super) const fn new() -> Self {
        Self { endpoints: [[None; 15]; 2], next: FIRST_FREE_BUFFER }
    }

    pub(super) fn get(&self, address: EndpointAddress) -> Option<Endpoint> {
        *self.endpoints[usize::from(address.is_out())].get(address.index().checked_sub(1)?)?
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (EndpointAddress, Endpoint)> {
        [UsbDirection::In, UsbDirection::Out].into_iter().zip(&self.endpoints).flat_map(|(direction, endpoints)| {
            endpoints.iter().enumerate().filter_map(move |(index, endpoint)| {
                endpoint.map(|endpoint| (EndpointAddress::from_parts(index + 1, direction), endpoint))
            })
        })
    }

    /// Finds a place for an endpoint: at `address` if given, else at the first free number.
    pub(super) fn allocate(
        &mut self,
        direction: UsbDirection,
        address: Option<EndpointAddress>,
        kind: EndpointType,
        max_packet_size: u16,
    ) -> Result<EndpointAddress> {
        let kind = match kind {
            EndpointType::Control => {
                return address.filter(|address| address.index() == 0).ok_or(UsbError::Unsupported);
            }
            EndpointType::Bulk => 2,
            EndpointType::Interrupt => 3,
            // Isochronous packets may be longer than the buffers here are.
            EndpointType::Isochronous { .. } => return Err(UsbError::Unsupported),
        };
        if usize::from(max_packet_size) > PACKET_LENGTH {
            return Err(UsbError::Unsupported);
        }
        let endpoints = &mut self.endpoints[usize::from(direction == UsbDirection::Out)];
        let position = match address {
            Some(address) => address.index().checked_sub(1).ok_or(UsbError::InvalidEndpoint)?,
            None => endpoints.iter().position(Option::is_none).ok_or(UsbError::EndpointOverflow)?,
        };
        let place = endpoints.get_mut(position).ok_or(UsbError::EndpointOverflow)?;
        if place.is_some() {
            return Err(UsbError::InvalidEndpoint);
        }
        if usize::from(self.next.0) + PACKET_LENGTH > DPRAM_LENGTH {
            return Err(UsbError::EndpointMemoryOverflow);
        }
        *place = Some(Endpoint { buffer: self.next, kind });
        self.next.0 += PACKET_LENGTH as u16;
        Ok(EndpointAddress::from_parts(position + 1, direction))
    }
}

/// Copies a packet of at most 64 bytes into `buffer`, padded to whole words.
pub(super) fn copy_to_dpram(packet: &[u8], buffer: Buffer) {
    let mut words = packet.chunks_exact(4);
    let mut index = 0;
    for word in &mut words {
        let value = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        // SAFETY: `word` stays within the DPRAM, aligned; the controller does not own this buffer now.
        unsafe { buffer.word(index).write_volatile(value) };
        index += 1;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        let mut bytes = [0; 4];
        bytes[..tail.len()].copy_from_slice(tail);
        // SAFETY: as above.
        unsafe { buffer.word(index).write_volatile(u32::from_le_bytes(bytes)) };
    }
}

/// Copies the first bytes of `buffer`, at most 64, out.
pub(super) fn copy_from_dpram(buffer: Buffer, packet: &mut [u8]) {
    for (index, bytes) in packet.chunks_mut(4).enumerate() {
        // SAFETY: `word` stays within the DPRAM, aligned; the controller does not own this buffer now.
        let value = unsafe { buffer.word(index).read_volatile() }.to_le_bytes();
        let length = bytes.len();
        bytes.copy_from_slice(&value[..length]);
    }
}
