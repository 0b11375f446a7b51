//! Endpoints and packet buffers of the USB controller's DPRAM (section 12.7.3.2).
//!
//! The DPRAM is Device memory, where unaligned access faults, so packets are copied word by word.

use super::processor::copy_sixteen_words;
use rp235x_hal::pac;
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// Maximum packet length of a control, bulk or interrupt endpoint at full speed.
pub(super) const PACKET_LENGTH: usize = 64;
/// Length of the DPRAM in bytes.
pub(super) const DPRAM_LENGTH: usize = 4096;
/// Where the controller stores SETUP packets.
pub(super) const SETUP_PACKET: Buffer = Buffer(0);
/// Endpoint 0's buffer, shared by both directions.
pub(super) const EP0_BUFFER: Buffer = Buffer(0x100);
/// First buffer that may be used by other endpoints.
pub(super) const FIRST_FREE_BUFFER: Buffer = Buffer(0x180);

/// ENDPOINT_TYPE of bulk endpoints.
const BULK: u8 = 2;

/// A packet buffer: its offset in the DPRAM, a multiple of 64 (or 0, the SETUP packet).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Buffer(pub u16);

impl Buffer {
    /// The address of the buffer's word `index`; within the DPRAM for all words of a packet.
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
    /// Whether it has two packet buffers, the second right after the first: bulk IN.
    pub(super) double: bool,
}

impl Endpoint {
    const ENABLE: u32 = 1 << 31;
    const DOUBLE_BUFFERED: u32 = 1 << 30;
    const INTERRUPT_PER_BUFF: u32 = 1 << 29;
    const TYPE_SHIFT: u32 = 26;

    /// Writes the endpoint control register of `address` (section 12.7.3.2), a word of the DPRAM; endpoint 0 does not have
    /// one.
    pub(super) fn enable(self, address: EndpointAddress) {
        let double = if self.double { Self::DOUBLE_BUFFERED } else { 0 };
        let kind = u32::from(self.kind) << Self::TYPE_SHIFT;
        let value = Self::ENABLE | double | Self::INTERRUPT_PER_BUFF | kind | u32::from(self.buffer.0);
        if address.index() != 0 {
            let register = (pac::USB_DPRAM::ptr() as usize + bit_of(address) as usize * 4) as *mut u32;
            // SAFETY: an aligned word within the DPRAM, after the SETUP packet's 8 bytes and before the buffer controls;
            // any value is safe for the controller.
            unsafe { register.write_volatile(value) };
        }
    }
}

/// The buffer control register of one endpoint and direction (section 12.7.3.7), a word of the DPRAM: the lower half is for
/// the first packet buffer, the upper half, with the same bits 16 higher, for the second one.
///
/// The halves are written separately, because the controller changes one while the processor changes the other.
#[derive(Clone, Copy)]
pub(super) struct BufferControl(EndpointAddress);

impl BufferControl {
    /// Length of the packet, in bytes.
    pub(super) const LENGTH: u32 = 0x3FF;
    /// The buffer belongs to the controller.
    pub(super) const AVAILABLE: u32 = 1 << 10;
    /// Answer STALL. In the lower half only.
    pub(super) const STALL: u32 = 1 << 11;
    /// The controller continues with the first buffer. In the lower half only.
    pub(super) const RESET: u32 = 1 << 12;
    /// Set for DATA1, clear for DATA0.
    pub(super) const DATA1: u32 = 1 << 13;
    /// The buffer contains a packet: for IN one to send, for OUT a received one.
    pub(super) const FULL: u32 = 1 << 15;

    const FIRST: usize = 0x80;

    pub(super) fn of(address: EndpointAddress) -> Self {
        Self(address)
    }

    fn pointer(self) -> *mut u32 {
        let offset = Self::FIRST + bit_of(self.0) as usize % 32 * 4;
        (pac::USB_DPRAM::ptr() as usize + offset) as *mut u32
    }

    /// Both halves.
    pub(super) fn read(self) -> u32 {
        // SAFETY: `pointer` is an aligned word within the DPRAM, whose registers may be read at any time.
        unsafe { self.pointer().read_volatile() }
    }

    /// Writes both halves, so that no buffer belongs to the controller.
    pub(super) fn write(self, value: u32) {
        // SAFETY: as in `read`; any value is safe for the controller.
        unsafe { self.pointer().write_volatile(value) };
    }

    /// Writes one half, 0 or 1, of a buffer that does not belong to the controller.
    pub(super) fn write_half(self, half: usize, value: u32) {
        // SAFETY: as in `write`.
        unsafe { self.half(half).write_volatile(value as u16) };
    }

    /// The address of one half, 0 or 1.
    pub(super) fn half(self, half: usize) -> *mut u16 {
        // Both are within the word.
        self.pointer().cast::<u16>().wrapping_add(half & 1)
    }
}

/// How many packet buffers of a buffer control word belong to the controller: 0 to 2.
pub(super) fn available(word: u32) -> u8 {
    u8::from(word & BufferControl::AVAILABLE != 0) + u8::from(word >> 16 & BufferControl::AVAILABLE != 0)
}

/// Position of an endpoint in BUFF_STATUS, EP_ABORT and the buffer control registers, 0 to 31.
pub(super) fn bit_of(address: EndpointAddress) -> u32 {
    (address.index() as u32 & 15) * 2 + u32::from(address.is_out())
}

/// The endpoints that classes have allocated, without endpoint 0.
pub(super) struct EndpointTable {
    endpoints: [[Option<Endpoint>; 15]; 2],
    next: Buffer,
    /// IN endpoints with two packet buffers, by number.
    double: u16,
}

impl EndpointTable {
    pub(super) const fn new() -> Self {
        Self { endpoints: [[None; 15]; 2], next: FIRST_FREE_BUFFER, double: 0 }
    }

    pub(super) fn get(&self, address: EndpointAddress) -> Option<Endpoint> {
        *self.endpoints[usize::from(address.is_out())].get(address.index().checked_sub(1)?)?
    }

    /// The IN endpoints with two packet buffers: bit n for number n.
    pub(super) fn double(&self) -> u16 {
        self.double
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (EndpointAddress, Endpoint)> {
        [UsbDirection::In, UsbDirection::Out].into_iter().zip(&self.endpoints).flat_map(|(direction, endpoints)| {
            endpoints.iter().enumerate().filter_map(move |(index, endpoint)| {
                endpoint.map(|endpoint| (EndpointAddress::from_parts(index + 1, direction), endpoint))
            })
        })
    }

    /// Allocates an endpoint: at `address` if given, else at the first free number.
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
            EndpointType::Bulk => BULK,
            EndpointType::Interrupt => 3,
            // Isochronous packets may be longer than the buffers.
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
        let double = kind == BULK && direction == UsbDirection::In;
        let length = if double { 2 * PACKET_LENGTH } else { PACKET_LENGTH };
        if usize::from(self.next.0) + length > DPRAM_LENGTH {
            return Err(UsbError::EndpointMemoryOverflow);
        }
        *place = Some(Endpoint { buffer: self.next, kind, double });
        self.next.0 += length as u16;
        self.double |= u16::from(double) << (position + 1);
        Ok(EndpointAddress::from_parts(position + 1, direction))
    }
}

/// Copies a packet of at most 64 bytes into `buffer`, padded to whole words.
#[inline]
pub(super) fn copy_to_dpram(packet: &[u8], buffer: Buffer) {
    if packet.len() == PACKET_LENGTH && packet.as_ptr().addr().is_multiple_of(4) {
        // SAFETY: `packet` has that many bytes and is word-aligned; so is the buffer, which has room for 64 bytes within
        // the DPRAM and does not belong to the controller now. Loads and stores of several words are not unaligned access,
        // so Device memory allows them.
        unsafe { copy_sixteen_words(packet.as_ptr().cast(), buffer.word(0)) };
    } else {
        copy_words_to_dpram(packet, buffer);
    }
}

/// Copies bytes into `buffer`, padded to whole words.
#[inline(never)]
fn copy_words_to_dpram(packet: &[u8], buffer: Buffer) {
    let (words, tail) = packet.as_chunks();
    let mut last = [0; 4];
    for (to, from) in last.iter_mut().zip(tail) {
        *to = *from;
    }
    for (index, word) in words.iter().chain([&last]).take(PACKET_LENGTH / 4).enumerate() {
        // SAFETY: `word` stays within the DPRAM, aligned; the buffer does not belong to the controller now.
        unsafe { buffer.word(index).write_volatile(u32::from_le_bytes(*word)) };
    }
}

/// Copies the first bytes of `buffer`, at most 64, into `packet`.
pub(super) fn copy_from_dpram(buffer: Buffer, packet: &mut [u8]) {
    let (words, tail) = packet.as_chunks_mut();
    let end = words.len();
    // SAFETY: `word` stays within the DPRAM, aligned; the buffer does not belong to the controller now.
    let read = |index| unsafe { buffer.word(index).read_volatile() }.to_le_bytes();
    for (index, word) in words.iter_mut().enumerate() {
        *word = read(index);
    }
    for (to, from) in tail.iter_mut().zip(read(end)) {
        *to = from;
    }
}

/// Copies the first bytes of `buffer`, at least `length` of them, in whole words.
#[inline]
pub(super) fn copy_words_from_dpram(buffer: Buffer, packet: &mut [u8; PACKET_LENGTH], length: usize) {
    for (index, word) in packet.as_chunks_mut().0.iter_mut().enumerate().take(length.div_ceil(4)) {
        // SAFETY: `word` stays within the DPRAM, aligned; the buffer does not belong to the controller now.
        *word = unsafe { buffer.word(index).read_volatile() }.to_le_bytes();
    }
}

/// Exchanges the packets of two buffers.
pub(super) fn swap_in_dpram(one: Buffer, other: Buffer) {
    for index in 0..PACKET_LENGTH / 4 {
        let (one, other) = (one.word(index), other.word(index));
        // SAFETY: `word` stays within the DPRAM, aligned; neither buffer belongs to the controller now.
        unsafe {
            let word = one.read_volatile();
            one.write_volatile(other.read_volatile());
            other.write_volatile(word);
        }
    }
}
