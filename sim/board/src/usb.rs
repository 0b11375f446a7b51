//! The USB device controller and its dual-port RAM (RP2350 datasheet 12.7).
//!
//! Transactions come from the board's bus half in two steps, as on the wire: the token decides ([`Usb::token_in`],
//! [`Usb::token_out`]), the end of the transaction completes. If a driver does something that a correct one never does,
//! which is undefined in silicon, the controller reports a [`Usb::misuse`].

use super::registers::{Alias, Storage, register};
use super::statistics::Statistics;
use picovd_wire::link::{OutReply, Pid};

/// Bytes of DPRAM.
pub const DPRAM_SIZE: usize = 4096;
/// Largest packet of bulk, interrupt and control endpoints.
pub const PACKET: usize = 64;

const MAIN_CTRL: u32 = 0x40;
const SOF_RD: u32 = 0x48;
const SIE_CTRL: u32 = 0x4C;
const SIE_STATUS: u32 = 0x50;
const BUFF_STATUS: u32 = 0x58;
const CPU_SHOULD_HANDLE: u32 = 0x5C;
const EP_ABORT: u32 = 0x60;
const EP_ABORT_DONE: u32 = 0x64;
const EP_STALL_ARM: u32 = 0x68;
const STALL_NAK: u32 = 0x70;
const USB_MUXING: u32 = 0x74;
const USB_PWR: u32 = 0x78;
const INTR: u32 = 0x8C;
const INTE: u32 = 0x90;
const INTF: u32 = 0x94;
const INTS: u32 = 0x98;

const PULLUP_EN: u32 = 1 << 16;
const EP0_DOUBLE_BUF: u32 = 1 << 30;

/// Bits of SIE_STATUS.
mod status {
    pub const SUSPENDED: u32 = 1 << 4;
    pub const RESUME: u32 = 1 << 11;
    pub const ENDPOINT_ERROR: u32 = 1 << 12;
    pub const SETUP_REC: u32 = 1 << 17;
    pub const TRANS_COMPLETE: u32 = 1 << 18;
    pub const BUS_RESET: u32 = 1 << 19;
    pub const RX_SHORT_PACKET: u32 = 1 << 23;
    pub const RX_TIMEOUT: u32 = 1 << 27;
    pub const ACK_REC: u32 = 1 << 30;
    pub const DATA_SEQ_ERROR: u32 = 1 << 31;
    /// Cleared by writing 1.
    pub const CLEARABLE: u32 = 0xFF8E_1810;
}

/// Buffer control, lower half; the upper half repeats it 16 bits higher, without STALL and RESET.
mod buffer {
    pub const LENGTH: u32 = 0x3FF;
    pub const AVAILABLE: u32 = 1 << 10;
    pub const STALL: u32 = 1 << 11;
    pub const RESET: u32 = 1 << 12;
    pub const PID: u32 = 1 << 13;
    pub const LAST: u32 = 1 << 14;
    pub const FULL: u32 = 1 << 15;
}

/// Endpoint control.
mod endpoint {
    pub const ENABLE: u32 = 1 << 31;
    pub const DOUBLE: u32 = 1 << 30;
    pub const INTERRUPT: u32 = 1 << 29;
    pub const INTERRUPT_DOUBLE: u32 = 1 << 28;
    pub const INTERRUPT_STALL: u32 = 1 << 17;
    pub const INTERRUPT_NAK: u32 = 1 << 16;
}

/// What an IN token finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InDecision {
    /// A packet goes out; its end has to be reported by [`Usb::finish_in`].
    Data(Pid, Vec<u8>),
    /// Not armed.
    Nak,
    /// Halted.
    Stall,
    /// Not addressed, or no such endpoint.
    Silent,
}

/// What an OUT token finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutDecision {
    /// The packet is accepted when it ends: [`Usb::finish_out`].
    Accept,
    /// The reply is final.
    Reply(OutReply),
}

/// The controller.
pub struct Usb {
    storage: Storage,
    /// Copies of what is checked for every transaction and every interrupt.
    hot: Hot,
    dpram: Box<[u8; DPRAM_SIZE]>,
    sie_status: u32,
    /// The cycle in which the program has last read a register, since [`Usb::take_looked`] was called.
    looked: Option<u64>,
    /// Completed buffers per endpoint and direction, oldest first: the half that completed. BUFF_STATUS shows the
    /// first.
    done: [Vec<u8>; 32],
    should_handle: u32,
    abort_done: u32,
    stall_nak: u32,
    errors: [u32; 2],
    frame: u32,
    sof_seen: bool,
    connection_changed: bool,
    /// Which half of a double buffer is next.
    half: [u8; 32],
    /// Endpoint and direction of the packet on the wire.
    on_wire: Option<usize>,
    /// The first thing that a correct driver never does.
    misuse: Option<String>,
}

/// Registers that decide about transactions and interrupts.
#[derive(Clone, Copy, Debug, Default)]
struct Hot {
    enabled: u32,
    forced: u32,
    sie_control: u32,
    abort: u32,
    address: u32,
    attached: bool,
    vbus: bool,
    buff_status: u32,
}

/// Index of an endpoint and direction in BUFF_STATUS and among the buffer control registers.
fn index(endpoint: u8, out: bool) -> usize {
    usize::from(endpoint & 15) * 2 + usize::from(out)
}

impl Default for Usb {
    fn default() -> Self {
        let addresses = (1..16).map(|n| register(n * 4, 0, 0x060F_007F));
        let rest = [
            register(0x00, 0, 0x000F_007F),
            register(MAIN_CTRL, 4, 0x8000_0007),
            register(0x44, 0, 0x7FF),
            register(SIE_CTRL, 0x8000, 0xFF0F_BF5F),
            register(0x54, 0, 0xFFFE),
            register(EP_ABORT, 0, u32::MAX),
            register(EP_STALL_ARM, 0, 3),
            register(0x6C, 0x0010_0010, 0x07FF_03FF),
            register(USB_MUXING, 1, 0x8000_001F),
            register(USB_PWR, 0, 0x3F),
            register(0x7C, 0, 0x0380_FF77),
            register(0x80, 0, 0x0007_9FFF),
            register(0x84, 0x1F1F, 0x1F1F),
            register(0x88, 0xF8, 0xFFF),
            register(INTE, 0, 0xFF_FFFF),
            register(INTF, 0, 0xFF_FFFF),
        ];
        Self {
            storage: Storage::new(addresses.chain(rest)),
            hot: Hot { sie_control: 0x8000, ..Hot::default() },
            dpram: Box::new([0; DPRAM_SIZE]),
            sie_status: 0,
            looked: None,
            done: Default::default(),
            should_handle: 0,
            abort_done: 0,
            stall_nak: 0,
            errors: [0; 2],
            frame: 0,
            sof_seen: false,
            connection_changed: false,
            half: [0; 32],
            on_wire: None,
            misuse: None,
        }
    }
}

impl Usb {
    /// RESETS is holding the controller. DPRAM keeps its contents.
    pub fn reset(&mut self) {
        let dpram = std::mem::replace(&mut self.dpram, Box::new([0; DPRAM_SIZE]));
        let misuse = self.misuse.take();
        *self = Self { dpram, misuse, ..Self::default() };
    }

    /// Power-on: DPRAM contains random data.
    pub fn power_on(&mut self) {
        self.reset();
        for (n, byte) in self.dpram.iter_mut().enumerate() {
            *byte = (n as u8).wrapping_mul(0x6B) ^ 0xA5;
        }
    }

    /// The first misuse of the controller, if any.
    pub fn misuse(&mut self) -> Option<String> {
        self.misuse.take()
    }

    fn complain(&mut self, what: String) {
        self.misuse.get_or_insert(what);
    }

    /// Whether there was an event that the firmware has not handled yet.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.sie_status & (status::SETUP_REC | status::BUS_RESET) != 0 || self.hot.buff_status != 0
    }

    /// The cycle in which the program has last read a register of the controller, if it has since the last call of `take_looked`.
    #[must_use]
    pub fn looked(&self) -> Option<u64> {
        self.looked
    }

    /// The same, and from now on only later ones.
    pub fn take_looked(&mut self) -> Option<u64> {
        self.looked.take()
    }

    /// Whether the device pulls D+ up and its transceiver is connected.
    #[must_use]
    pub fn attached(&self) -> bool {
        self.hot.attached
    }

    fn refresh(&mut self) {
        let vbus = self.storage.value(USB_PWR) & 0xC == 0xC;
        let sie_control = self.storage.value(SIE_CTRL);
        self.hot = Hot {
            enabled: self.storage.value(INTE),
            forced: self.storage.value(INTF),
            sie_control,
            abort: self.storage.value(EP_ABORT),
            address: self.storage.value(0) & 0x7F,
            // CONTROLLER_EN and neither HOST_NDEVICE nor PHY_ISO; TO_PHY; pull-up; VBUS by override.
            attached: self.storage.value(MAIN_CTRL) & 7 == 1
                && self.storage.value(USB_MUXING) & 1 != 0
                && sie_control & PULLUP_EN != 0
                && vbus,
            vbus,
            buff_status: self.hot.buff_status,
        };
    }

    fn word(&self, at: usize) -> u32 {
        self.dpram.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }

    fn set_word(&mut self, at: usize, value: u32) {
        if let Some(bytes) = self.dpram.get_mut(at..at + 4) {
            bytes.copy_from_slice(&value.to_le_bytes());
        }
    }

    fn buffer_control(&self, i: usize) -> u32 {
        self.word(0x80 + 4 * i)
    }

    fn endpoint_control(&self, i: usize) -> u32 {
        if i >= 2 {
            return self.word(4 * i);
        }
        // Endpoint 0 is configured in SIE_CTRL; its buffers are at fixed places.
        let sie = self.hot.sie_control;
        let double = if sie & EP0_DOUBLE_BUF != 0 { endpoint::DOUBLE } else { 0 };
        let stall = if sie >> 31 != 0 { endpoint::INTERRUPT_STALL } else { 0 };
        let nak = if sie >> 27 & 1 != 0 { endpoint::INTERRUPT_NAK } else { 0 };
        endpoint::ENABLE | double | sie & (endpoint::INTERRUPT | endpoint::INTERRUPT_DOUBLE) | stall | nak | 0x100
    }

    // ---- the processor's side ----

    /// Reads DPRAM; `size` is 1, 2 or 4 and the offset aligned to it.
    #[must_use]
    pub fn read_dpram(&self, offset: usize, size: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes[..size].copy_from_slice(&self.dpram[offset..offset + size]);
        u32::from_le_bytes(bytes)
    }

    /// Writes DPRAM.
    pub fn write_dpram(&mut self, offset: usize, size: usize, value: u32, now: u64, statistics: &mut Statistics) {
        if (0x80..0x100).contains(&offset) {
            let i = (offset - 0x80) / 4;
            let old = self.buffer_control(i);
            self.dpram[offset..offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
            self.buffer_control_written(i, old, now, statistics);
            return;
        }
        self.dpram[offset..offset + size].copy_from_slice(&value.to_le_bytes()[..size]);
    }

    fn buffer_control_written(&mut self, i: usize, old: u32, now: u64, statistics: &mut Statistics) {
        let new = self.buffer_control(i);
        if new & buffer::RESET != 0 {
            self.half[i] = 0;
            self.set_word(0x80 + 4 * i, new & !buffer::RESET);
        }
        for half in 0..2 {
            let was = old >> (16 * half);
            let is = new >> (16 * half);
            if is & !was & buffer::AVAILABLE != 0 {
                statistics.armed(i, now);
                let out = i & 1 != 0;
                if out == (is & buffer::FULL != 0) {
                    self.complain(format!(
                        "USB: buffer control {i} made AVAILABLE with FULL {}: {new:#010x}",
                        if out { "set on an OUT endpoint" } else { "clear on an IN endpoint" }
                    ));
                }
            }
            if was & !is & buffer::AVAILABLE != 0 {
                statistics.disarmed(i);
            }
            // A buffer that the controller owns must not be rewritten, but AVAILABLE may be cleared. On endpoint 0, a SETUP
            // packet ends the previous transfer, whatever is still armed.
            let owned = i >= 2 && was & is & buffer::AVAILABLE != 0;
            if owned && (was ^ is) & (buffer::LENGTH | buffer::PID | buffer::FULL | buffer::LAST) != 0 {
                self.complain(format!("USB: buffer control {i} changed while AVAILABLE: {old:#010x} to {new:#010x}"));
            }
        }
    }

    fn buff_status(&self) -> u32 {
        self.hot.buff_status
    }

    fn sie_status(&self) -> u32 {
        let vbus = u32::from(self.hot.vbus);
        let connected = u32::from(self.attached()) << 16;
        // SPEED: full; LINE_STATE: J while attached.
        let line = if self.attached() { 1 << 2 | 1 << 8 } else { 0 };
        self.sie_status | vbus | connected | line
    }

    fn raw_interrupts(&self) -> u32 {
        let s = self.sie_status();
        let bit = |from: u32, to: u32| (s >> from & 1) << to;
        bit(18, 3)
            | u32::from(self.buff_status() != 0) << 4
            | bit(31, 5)
            | bit(27, 6)
            | bit(26, 7)
            | bit(25, 8)
            | bit(24, 9)
            | bit(29, 10)
            | bit(0, 11)
            | bit(19, 12)
            | u32::from(self.connection_changed) << 13
            | bit(4, 14)
            | bit(11, 15)
            | bit(17, 16)
            | u32::from(self.sof_seen) << 17
            | u32::from(self.abort_done != 0) << 18
            | u32::from(self.stall_nak != 0) << 19
            | bit(23, 20)
            | bit(12, 21)
    }

    /// Level of the controller's interrupt output.
    #[must_use]
    pub fn interrupt(&self) -> bool {
        self.raw_interrupts() & self.hot.enabled | self.hot.forced != 0
    }

    /// Reads a register in cycle `now`.
    pub fn read(&mut self, offset: u32, now: u64) -> Option<u32> {
        self.looked = Some(now);
        Some(match offset {
            SOF_RD => {
                self.sof_seen = false;
                self.frame
            }
            SIE_STATUS => self.sie_status(),
            BUFF_STATUS => self.buff_status(),
            CPU_SHOULD_HANDLE => self.should_handle,
            EP_ABORT_DONE => self.abort_done,
            STALL_NAK => self.stall_nak,
            INTR => self.raw_interrupts(),
            INTS => self.raw_interrupts() & self.hot.enabled | self.hot.forced,
            0x10C => self.errors[0],
            0x110 => self.errors[1],
            _ => return self.storage.read(offset),
        })
    }

    /// Writes a register. Write-1-to-clear registers take the processor's word whatever the alias.
    pub fn write(&mut self, offset: u32, alias: Alias, word: u32) -> Option<()> {
        match offset {
            SIE_STATUS => {
                self.sie_status &= !(word & status::CLEARABLE);
                if word & 1 << 16 != 0 {
                    self.connection_changed = false;
                }
            }
            BUFF_STATUS => {
                for i in (0..32).filter(|i| word >> i & 1 != 0) {
                    if !self.done[i].is_empty() {
                        self.done[i].remove(0);
                    }
                    self.show_handled(i);
                }
            }
            EP_ABORT => {
                self.storage.write(offset, alias, word)?;
                self.refresh();
                let aborting = self.hot.abort;
                let busy = self.on_wire.map_or(0, |i| 1 << i);
                self.abort_done |= aborting & !busy;
            }
            EP_ABORT_DONE => self.abort_done &= !word,
            STALL_NAK => self.stall_nak &= !word,
            0x10C => self.errors[0] &= !word,
            0x110 => self.errors[1] &= !word,
            // Read-only registers: the HAL clears the block by writing zeros over it.
            SOF_RD | CPU_SHOULD_HANDLE | INTR | INTS if word == 0 => {}
            _ => {
                let was = self.attached();
                self.storage.write(offset, alias, word)?;
                self.refresh();
                if self.storage.value(MAIN_CTRL) & 2 != 0 {
                    self.complain("USB: host mode is not modelled".into());
                }
                self.connection_changed |= self.attached() != was;
            }
        }
        Some(())
    }

    fn show_handled(&mut self, i: usize) {
        let half = self.done[i].first().copied().unwrap_or(0);
        self.should_handle = self.should_handle & !(1 << i) | u32::from(half) << i;
        self.hot.buff_status = self.hot.buff_status & !(1 << i) | u32::from(!self.done[i].is_empty()) << i;
    }

    // ---- the bus's side ----

    /// A bus reset occurred.
    pub fn bus_reset(&mut self) {
        self.sie_status |= status::BUS_RESET;
        self.sie_status &= !status::SUSPENDED;
        self.on_wire = None;
    }

    /// The bus was idle for 3 ms.
    pub fn suspended(&mut self) {
        self.sie_status |= status::SUSPENDED;
    }

    /// Resume signalling occurred.
    pub fn resumed(&mut self) {
        self.sie_status |= status::RESUME;
    }

    /// A start-of-frame packet arrived.
    pub fn start_of_frame(&mut self, number: u32) {
        self.frame = number & 0x7FF;
        self.sof_seen = true;
    }

    fn answers(&self, address: u8) -> bool {
        self.attached() && self.hot.address == u32::from(address)
    }

    /// Halted, stalled and aborted endpoints; otherwise, whether the buffer is available.
    fn gate(&mut self, i: usize) -> Option<u32> {
        let control = self.endpoint_control(i);
        (control & endpoint::ENABLE != 0).then_some(control)
    }

    fn stalls(&self, i: usize) -> bool {
        let armed = i >= 2 || self.storage.value(EP_STALL_ARM) >> i & 1 != 0;
        armed && self.buffer_control(i) & buffer::STALL != 0
    }

    fn refuse(&mut self, i: usize, control: u32, stall: bool) {
        let wanted = if stall { endpoint::INTERRUPT_STALL } else { endpoint::INTERRUPT_NAK };
        if control & wanted != 0 {
            self.stall_nak |= 1 << i;
        }
    }

    /// The half of buffer control that the next packet uses, shifted down, and the offset of its buffer.
    fn next_half(&self, i: usize, control: u32) -> (u32, usize) {
        let half = if control & endpoint::DOUBLE != 0 { self.half[i] } else { 0 };
        let word = self.buffer_control(i) >> (16 * half);
        let address = (control & 0xFFC0) as usize;
        (word, address + usize::from(half) * PACKET)
    }

    /// An IN token.
    pub fn token_in(&mut self, address: u8, number: u8) -> InDecision {
        let i = index(number, false);
        if !self.answers(address) {
            return InDecision::Silent;
        }
        let Some(control) = self.gate(i) else {
            return InDecision::Silent;
        };
        if self.stalls(i) {
            self.refuse(i, control, true);
            return InDecision::Stall;
        }
        let (word, at) = self.next_half(i, control);
        if word & buffer::AVAILABLE == 0 || self.hot.abort >> i & 1 != 0 {
            self.refuse(i, control, false);
            return InDecision::Nak;
        }
        let length = (word & buffer::LENGTH) as usize;
        let Some(data) = self.dpram.get(at..at + length).filter(|_| length <= PACKET) else {
            self.complain(format!("USB: IN endpoint {number} has a packet of {length} bytes at {at:#x}"));
            return InDecision::Silent;
        };
        let pid = if word & buffer::PID != 0 { Pid::Data1 } else { Pid::Data0 };
        let data = data.to_vec();
        self.on_wire = Some(i);
        InDecision::Data(pid, data)
    }

    /// The end of an IN packet; without acknowledgement it stays queued.
    pub fn finish_in(&mut self, number: u8, acknowledged: bool, now: u64, statistics: &mut Statistics) {
        let i = index(number, false);
        self.on_wire = None;
        if acknowledged {
            self.sie_status |= status::ACK_REC;
            self.complete(i, None, now, statistics);
        } else {
            self.sie_status |= status::RX_TIMEOUT | status::ENDPOINT_ERROR;
            let shift = 2 * u32::from(number);
            self.errors[0] |= 1 << shift;
        }
        self.finish_abort(i);
    }

    /// A SETUP packet: always accepted.
    pub fn setup(&mut self, address: u8, packet: [u8; 8]) -> OutReply {
        if !self.answers(address) {
            return OutReply::Silent;
        }
        self.dpram[..8].copy_from_slice(&packet);
        self.sie_status |= status::SETUP_REC;
        self.storage.preset(EP_STALL_ARM, 0);
        OutReply::Ack
    }

    /// Whether endpoint 0 would send or accept something that does not belong to a new transfer: it has a packet for IN, or
    /// expects DATA0, with which a transfer never begins (USB 2.0 8.5.3). A SETUP packet does not disarm a buffer: the
    /// datasheet mentions only EP_STALL_ARM, and others found armed buffers unchanged (raspberrypi/pico-feedback issue 385,
    /// hathach/tinyusb pull request 2492).
    #[must_use]
    pub fn is_control_armed(&self) -> bool {
        let armed = |i: usize| self.buffer_control(i) & buffer::AVAILABLE != 0 && self.hot.abort >> i & 1 == 0;
        armed(0) || armed(1) && self.buffer_control(1) & buffer::PID == 0
    }

    /// An OUT token.
    pub fn token_out(&mut self, address: u8, number: u8) -> OutDecision {
        let i = index(number, true);
        if !self.answers(address) {
            return OutDecision::Reply(OutReply::Silent);
        }
        let Some(control) = self.gate(i) else {
            return OutDecision::Reply(OutReply::Silent);
        };
        if self.stalls(i) {
            self.refuse(i, control, true);
            return OutDecision::Reply(OutReply::Stall);
        }
        let (word, _) = self.next_half(i, control);
        if word & buffer::AVAILABLE == 0 || self.hot.abort >> i & 1 != 0 {
            self.refuse(i, control, false);
            return OutDecision::Reply(OutReply::Nak);
        }
        self.on_wire = Some(i);
        OutDecision::Accept
    }

    /// The end of an OUT packet that was accepted. A packet with the wrong toggle is acknowledged and dropped.
    pub fn finish_out(&mut self, number: u8, pid: Pid, data: &[u8], now: u64, statistics: &mut Statistics) -> OutReply {
        let i = index(number, true);
        self.on_wire = None;
        self.finish_abort(i);
        let control = self.endpoint_control(i);
        let (word, at) = self.next_half(i, control);
        let expected = if word & buffer::PID != 0 { Pid::Data1 } else { Pid::Data0 };
        if pid != expected {
            self.sie_status |= status::DATA_SEQ_ERROR;
            let shift = 2 * u32::from(number);
            self.errors[1] |= 2 << shift;
            return OutReply::Ack;
        }
        let Some(room) = self.dpram.get_mut(at..at + data.len()) else {
            self.complain(format!("USB: OUT endpoint {number} has its buffer at {at:#x}"));
            return OutReply::Silent;
        };
        room.copy_from_slice(data);
        if data.len() < PACKET {
            self.sie_status |= status::RX_SHORT_PACKET;
        }
        self.complete(i, Some(data.len() as u32), now, statistics);
        OutReply::Ack
    }

    fn finish_abort(&mut self, i: usize) {
        self.abort_done |= self.hot.abort & 1 << i;
    }

    /// A buffer is done: PID and an IN packet's LENGTH survive.
    fn complete(&mut self, i: usize, received: Option<u32>, now: u64, statistics: &mut Statistics) {
        let control = self.endpoint_control(i);
        let double = control & endpoint::DOUBLE != 0;
        let half = if double { self.half[i] } else { 0 };
        let shift = 16 * half;
        let old = self.buffer_control(i);
        let mut word = old >> shift & 0xFFFF;
        if word & buffer::LAST != 0 {
            self.sie_status |= status::TRANS_COMPLETE;
        }
        word &= !buffer::AVAILABLE;
        match received {
            Some(length) => word = word & !buffer::LENGTH | length | buffer::FULL,
            None => word &= !buffer::FULL,
        }
        self.set_word(0x80 + 4 * i, old & !(0xFFFF << shift) | word << shift);
        if double {
            self.half[i] ^= 1;
        }
        let report = control & endpoint::INTERRUPT != 0
            || (control & endpoint::INTERRUPT_DOUBLE != 0 && (!double || self.half[i] == 0));
        if report {
            self.done[i].push(half);
            // Single-buffered, the bit just stays set.
            let most = if double { 2 } else { 1 };
            let extra = self.done[i].len().saturating_sub(most);
            self.done[i].drain(..extra);
            self.show_handled(i);
        }
        statistics.completed(i, now, word & buffer::LENGTH);
    }
}
