//! The USB device controller (section 12.7) as a usb-device bus.
//!
//! Differences from the HAL's: clearing a halt resets the data toggle and drops a queued packet (USB 2.0 9.4.5); an unread
//! OUT packet does not keep its interrupt pending, so that the core can sleep; every status bit is cleared exactly when it
//! is reported, so that no event between reading and clearing is lost; `force_reset` removes the pull-up and returns, and a
//! later poll sets it again; the device attaches at its first poll, when it can answer the host.
//!
//! A program may poll late: after a long start-up, or after an erase of flash. The controller acknowledges a SETUP packet
//! by itself, once, so one that is newer than the last bus reset is never dropped.
//!
//! `control` explains when endpoint 0 is armed.
//!
//! Bulk IN endpoints have two packet buffers: while one packet is on the wire, the next one is already queued. So the
//! host's next token finds it even if the processor takes up to the time of a whole packet.
//!
//! Calls may come from the main loop or from interrupt handlers of the core that created the bus; they run with interrupts
//! masked. On the other core they do nothing. Errata: E12 requires clk_sys to be at least 10 % above clk_usb, which the
//! clock set-up ensures; the RP2040's E2 (no abort) and E15 are fixed in the RP2350.

mod control;
mod queue;

use super::usb_endpoint::{
    Buffer, BufferControl, DPRAM_LENGTH, EP0_BUFFER, Endpoint, EndpointTable, PACKET_LENGTH, SETUP_PACKET, available,
    bit_of, copy_from_dpram, copy_words_from_dpram,
};
use super::{current_core, processor};
use crate::usb::{ClassWatch, Packets};
use control::hold;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use queue::{Queues, pid};
use rp235x_hal::clocks::UsbClock;
use rp235x_hal::pac;
use rp235x_hal::pac::timer0::RegisterBlock;
use usb_device::bus::{PollResult, UsbBus as Bus};
use usb_device::endpoint::{EndpointAddress, EndpointType};
use usb_device::{Result, UsbDirection, UsbError};

/// Bits of BUFF_STATUS, EP_ABORT and EP_ABORT_DONE for IN endpoints (table 1402 and following): the even ones.
const IN_BITS: u32 = 0x5555_5555;

/// How long a detached device stays away, in microseconds. Hosts debounce for 100 ms on attach only.
const AWAY: u32 = 20_000;

/// Maximum number of polls until the controller has released a buffer. A packet takes 8,000 cycles at most.
const ABORT_POLLS: u32 = 10_000;

/// Whether the next poll has something to report without an interrupt. Relaxed: only the bus's core stores it, with
/// interrupts masked; elsewhere it is a hint, and a poll checks by itself.
static WAITS: AtomicBool = AtomicBool::new(false);

/// Whether the next poll of the bus has something to report without an interrupt, so that the core must not sleep.
pub(super) fn waits() -> bool {
    WAITS.load(Ordering::Relaxed)
}

/// The USB device controller.
pub struct UsbBus {
    controller: UnsafeCell<Controller>,
    /// CPUID of the core that created it.
    core: u32,
}

// SAFETY: the controller is accessed only through `UsbBus::with`, which admits one core, with interrupts masked. The
// peripherals that it owns are the same in every context.
unsafe impl Sync for UsbBus {}

/// The pull-up of D+: without it, the device is unplugged for the host (USB 2.0 7.1.7.3).
#[derive(Clone, Copy)]
enum PullUp {
    /// Set.
    On,
    /// The next poll sets it.
    Due,
    /// Removed at this time of the timer, in microseconds.
    OffSince(u32),
}

struct Controller {
    registers: pac::USB,
    /// Its registers and buffers are written by address: see `usb_endpoint`.
    _dpram: pac::USB_DPRAM,
    table: EndpointTable,
    /// A SETUP packet was reported but not read yet.
    setup_waits: bool,
    /// OUT endpoints with a packet that was reported but not read yet.
    out_waits: u16,
    /// Endpoint 0 expects no OUT packet except repetitions of the last one.
    repeats: bool,
    /// The first data packet of a control write came before its SETUP packet was read; the next poll reports it.
    early: bool,
    /// IN endpoints whose halt was cleared since the last bus reset, which SET_CONFIGURATION does to all: bit n for number n.
    in_use: u16,
    /// Next data toggle per endpoint: bit set for DATA1.
    in_toggles: u16,
    out_toggles: u16,
    queues: Queues,
    /// The address that the device takes at the end of the status stage of SET_ADDRESS (USB 2.0 9.4.6).
    new_address: Option<u8>,
    pull_up: PullUp,
    /// The timer that counts how long the device is away.
    timer: &'static RegisterBlock,
    /// For a device with classes of the application.
    watch: Option<&'static mut Watch>,
}

/// Functions that only a device with classes of the application has: the linker leaves them out of the others.
struct Watch {
    /// Says why the controller does not have an endpoint that a class asks for.
    refuse: fn(UsbError) -> !,
    /// Shows a packet of endpoint 0 to `classes`.
    follow: fn(&mut Watch, &[u8], bool),
    /// Once the device is complete.
    classes: Option<ClassWatch>,
}

impl Watch {
    fn follow(&mut self, packet: &[u8], is_setup: bool) {
        if let Some(classes) = &mut self.classes {
            classes.follow(packet, is_setup);
        }
    }
}

/// Ends the program: a mistake in the firmware that shows at its first boot. The text is short, since INFO.TXT has 120 bytes for it
/// and its place.
fn no_endpoint_for_class(error: UsbError) -> ! {
    match error {
        UsbError::EndpointOverflow => panic!("no USB endpoint is left of 15 IN and 15 OUT: leave out a class"),
        UsbError::InvalidEndpoint => {
            panic!("a USB class wants an endpoint number that is taken: allocate that class first")
        }
        // The buffers suffice for as many endpoints as there are.
        _ => panic!("a USB class wants isochronous or over 64-byte packets: only bulk and interrupt, up to 64, exist"),
    }
}

impl UsbBus {
    /// Takes the controller out of reset (section 12.7.4.1) with everything disabled and the device detached: it attaches at
    /// the first poll. `clock` proves that clk_usb runs; `timer` must run by the first poll.
    ///
    /// VBUS is assumed to be present, because supported boards are powered by it.
    pub(super) fn new(
        registers: pac::USB,
        dpram: pac::USB_DPRAM,
        _clock: &UsbClock,
        timer: &'static RegisterBlock,
        resets: &mut pac::RESETS,
    ) -> Self {
        resets.reset().modify(|_, w| w.usbctrl().set_bit());
        resets.reset().modify(|_, w| w.usbctrl().clear_bit());
        while resets.reset_done().read().usbctrl().bit_is_clear() {}
        for word in 0..DPRAM_LENGTH / 4 {
            // SAFETY: `Buffer::word` stays within the DPRAM, which this function owns by `dpram`; the controller is disabled.
            unsafe { Buffer(0).word(word).write_volatile(0) };
        }
        registers.usb_muxing().write(|w| w.to_phy().set_bit().softcon().set_bit());
        registers.usb_pwr().write(|w| w.vbus_detect().set_bit().vbus_detect_override_en().set_bit());
        // PHY_ISO (new in the RP2350) has to be cleared as well, so the whole register is written.
        registers.main_ctrl().write(|w| w.controller_en().set_bit().phy_iso().clear_bit());
        registers.sie_ctrl().write(|w| w.ep0_int_1buf().set_bit());
        let controller = Controller {
            registers,
            _dpram: dpram,
            table: EndpointTable::new(),
            setup_waits: false,
            out_waits: 0,
            repeats: false,
            early: false,
            in_use: 0,
            in_toggles: 0,
            out_toggles: 0,
            queues: Queues::new(),
            new_address: None,
            pull_up: PullUp::Due,
            timer,
            watch: None,
        };
        Self { controller: UnsafeCell::new(controller), core: current_core() }
    }

    /// From now on, classes of the application allocate endpoints: if there is none, the panic says why, as usb-device's does not.
    pub(super) fn explain_shortage(&self) {
        let watch = processor::singleton!(: Watch = Watch { refuse: no_endpoint_for_class, follow: Watch::follow, classes: None });
        self.with((), |controller| controller.watch = watch);
    }

    /// Time in microseconds until the device attaches, if it has left the bus: a poll is due then.
    pub(super) fn attaches_in(&self) -> Option<u32> {
        self.with(None, |controller| match controller.pull_up {
            PullUp::On => None,
            PullUp::Due => Some(0),
            PullUp::OffSince(moment) => Some(AWAY.saturating_sub(controller.now().wrapping_sub(moment))),
        })
    }

    /// Runs `work` on the controller, with interrupts masked. On the other core, returns `elsewhere`.
    #[inline]
    fn with<R>(&self, elsewhere: R, work: impl FnOnce(&mut Controller) -> R) -> R {
        if current_core() != self.core {
            return elsewhere;
        }
        // SAFETY: only one core gets here, interrupt handlers are masked, and no `work` calls this again.
        processor::free(|| work(unsafe { &mut *self.controller.get() }))
    }
}

impl Controller {
    /// The low word of the timer's time, in microseconds.
    fn now(&self) -> u32 {
        self.timer.timerawl().read().bits()
    }

    /// Sets the pull-up of D+ when it is due: the host finds a device and resets it.
    fn attach_if_due(&mut self) {
        match self.pull_up {
            PullUp::On => return,
            PullUp::OffSince(moment) if self.now().wrapping_sub(moment) < AWAY => return,
            PullUp::Due | PullUp::OffSince(_) => {}
        }
        self.pull_up = PullUp::On;
        self.registers.sie_ctrl().modify(|_, w| w.pullup_en().set_bit());
    }

    /// Removes the pull-up. If the device is detached already, that time is not extended: repeated requests do not keep it
    /// detached.
    fn detach(&mut self) {
        if matches!(self.pull_up, PullUp::On) {
            self.pull_up = PullUp::OffSince(self.now());
            self.registers.sie_ctrl().modify(|_, w| w.pullup_en().clear_bit());
        }
    }

    /// Hands a buffer to the controller. AVAILABLE is written last and separately, so that the controller, in another clock
    /// domain, sees the other fields stable (section 12.7.3.7.1: 12 cycles suffice for clk_sys up to 12 times clk_usb).
    fn give(&self, address: EndpointAddress, fields: u32) {
        let control = BufferControl::of(address);
        control.write_half(0, fields);
        processor::delay(12);
        control.write_half(0, fields | BufferControl::AVAILABLE);
    }

    /// Prepares an OUT endpoint for its next packet.
    fn receive(&mut self, address: EndpointAddress) {
        let data1 = self.out_toggles & 1 << address.index() != 0;
        self.out_waits &= !(1 << address.index());
        let fields = PACKET_LENGTH as u32 | pid(data1);
        if address.index() == 0 && !data1 {
            // An endpoint armed for DATA0 would acknowledge and drop the first packet of the next transfer, which is DATA1.
            // One armed for DATA1 receives it.
            hold(address, fields as u16);
        } else {
            self.give(address, fields);
        }
    }

    /// Takes the packet buffers back from the controller: with EP_ABORT if the controller has one (section 12.7.3.7.2).
    /// Returns the buffer control word after the controller has released them.
    fn abort(&mut self, address: EndpointAddress) -> u32 {
        let control = BufferControl::of(address);
        let word = control.read();
        if available(word) == 0 {
            control.write(0);
            return word;
        }
        let bit = 1 << bit_of(address);
        self.begin_abort(bit);
        let word = control.read();
        control.write(0);
        self.end_abort(bit);
        word
    }

    /// From now on, the controller does not use the buffers of these endpoints, and answers NAK.
    fn begin_abort(&self, bits: u32) {
        // SAFETY: each bit of EP_ABORT is for one endpoint; no other abort is in progress.
        self.registers.ep_abort().write(|w| unsafe { w.bits(bits) });
        for _ in 0..ABORT_POLLS {
            if self.registers.ep_abort_done().read().bits() & bits == bits {
                break;
            }
        }
    }

    fn end_abort(&self, bits: u32) {
        // SAFETY: write 1 to clear; each bit is for one endpoint.
        self.registers.ep_abort_done().write(|w| unsafe { w.bits(bits) });
        self.registers.ep_abort().reset();
    }

    /// Takes the packet buffers back and drops their contents. Packets that were sent before are no longer reported.
    /// Returns the same as [`abort`](Self::abort).
    fn take_back(&mut self, address: EndpointAddress) -> u32 {
        let word = self.abort(address);
        self.forget_completions(1 << bit_of(address));
        if address.is_in() {
            self.queues.forget(address.index());
        }
        if address.index() == 0 {
            hold(address, 0);
        }
        word
    }

    /// Halts one direction of endpoint 0, which requires both bits (section 12.7.3.5); the next SETUP packet clears the arm
    /// bit. A SETUP packet that came in the meantime is not answered with STALL in place of the previous one.
    fn set_control_stalled(&mut self, address: EndpointAddress, stalled: bool) {
        let control = BufferControl::of(address);
        if stalled && !self.setup_received() {
            // No buffer may stay armed after the stall: it would be used for the next SETUP packet's transfer.
            self.take_back(address);
            control.write(BufferControl::STALL);
            self.arm_stall(address, true);
            if !self.setup_received() {
                return;
            }
        }
        self.arm_stall(address, false);
        if control.read() & BufferControl::STALL != 0 {
            control.write(0);
        }
    }

    fn arm_stall(&mut self, address: EndpointAddress, armed: bool) {
        self.registers.ep_stall_arm().modify(|_, w| match address.direction() {
            UsbDirection::In => w.ep0_in().bit(armed),
            UsbDirection::Out => w.ep0_out().bit(armed),
        });
    }

    /// Clears bits of BUFF_STATUS: twice, since the completion of a second packet buffer shows only after the first one's
    /// was cleared.
    fn forget_completions(&mut self, bits: u32) {
        for _ in 0..2 {
            // SAFETY: write 1 to clear; each bit is for one endpoint.
            self.registers.buff_status().write(|w| unsafe { w.bits(bits) });
        }
    }

    /// Sets every endpoint to its state after a bus reset (USB 2.0 9.1.1.3).
    ///
    /// What was queued or received before the bus reset is dropped. If the reset is noticed late, the host's first SETUP
    /// packet may already be there, together with the packet that follows: hosts send it to address 0, which the device
    /// still has during enumeration. A SETUP packet for another address is older than the reset. One for address 0 may be
    /// older, too: then the host's next one, which must follow, replaces it.
    fn reset(&mut self) {
        let was_addressed = self.registers.addr_endp().read().address().bits() != 0;
        if was_addressed {
            self.registers.sie_status().write(|w| w.setup_rec().clear_bit_by_one());
            self.registers.addr_endp().reset();
        }
        let control = EndpointAddress::from(0x00);
        let follows = !was_addressed && self.setup_received();
        self.forget_completions(if follows { !(1 << bit_of(control)) } else { u32::MAX });
        self.registers.ep_stall_arm().reset();
        self.setup_waits = false;
        self.out_waits = 0;
        self.repeats = false;
        self.early = false;
        self.in_use = 0;
        self.in_toggles = 0;
        self.out_toggles = 0;
        self.queues = Queues::new();
        control::forget();
        self.new_address = None;
        BufferControl::of(EndpointAddress::from(0x80)).write(0);
        if !follows {
            BufferControl::of(control).write(0);
        }
        // They answer NAK until a configuration is set, which ends their halts: no packet is accepted before (USB 2.0
        // 9.1.1.5).
        for (address, endpoint) in self.table.iter() {
            BufferControl::of(address).write(0);
            endpoint.enable(address);
        }
    }

    /// Whether a SETUP packet waits to be reported.
    fn setup_received(&self) -> bool {
        self.registers.sie_status().read().setup_rec().bit_is_set()
    }

    fn endpoint(&self, address: EndpointAddress) -> Result<Endpoint> {
        if address.index() == 0 {
            return Ok(Endpoint { buffer: EP0_BUFFER, kind: 0, double: false });
        }
        self.table.get(address).ok_or(UsbError::InvalidEndpoint)
    }

    /// As [`Packets::take_received`].
    fn take_received(&mut self, address: EndpointAddress, packet: &mut [u8; PACKET_LENGTH]) -> Option<usize> {
        let endpoint = self.table.get(address).filter(|_| self.has_only(address))?;
        self.take_report(address);
        let control = BufferControl::of(address);
        let length = (control.read() & BufferControl::LENGTH) as usize;
        self.out_toggles ^= 1 << address.index();
        // Like `receive`; copying a packet takes longer than the wait in `give`.
        let fields = PACKET_LENGTH as u32 | pid(self.out_toggles & 1 << address.index() != 0);
        control.write_half(0, fields);
        copy_words_from_dpram(endpoint.buffer, packet, length);
        control.write_half(0, fields | BufferControl::AVAILABLE);
        Some(length)
    }

    /// Whether the next poll would report a packet of `address` and nothing else.
    #[inline]
    fn has_only(&self, address: EndpointAddress) -> bool {
        /// INTS.BUFF_STATUS (table 1420).
        const PACKETS_ONLY: u32 = 1 << 4;

        self.registers.buff_status().read().bits() == 1 << bit_of(address)
            && self.registers.ints().read().bits() == PACKETS_ONLY
            && !WAITS.load(Ordering::Relaxed)
    }

    /// Makes the next poll not report a packet of `address`.
    #[inline]
    fn take_report(&self, address: EndpointAddress) {
        // SAFETY: write 1 to clear; each bit is for one endpoint.
        self.registers.buff_status().write(|w| unsafe { w.bits(1 << bit_of(address)) });
    }

    fn read(&mut self, address: EndpointAddress, out: &mut [u8]) -> Result<usize> {
        let buffer = self.endpoint(address)?.buffer;
        if address.index() == 0 && self.setup_waits {
            return self.read_setup(out);
        }
        let bit = 1 << address.index();
        if self.out_waits & bit == 0 {
            return Err(UsbError::WouldBlock);
        }
        let length = (BufferControl::of(address).read() & BufferControl::LENGTH) as usize;
        let packet = out.get_mut(..length).ok_or(UsbError::BufferOverflow)?;
        copy_from_dpram(buffer, packet);
        self.out_waits &= !bit;
        self.out_toggles ^= bit;
        if address.index() == 0 && length == 0 {
            // A status stage: an empty packet after the data is no longer expected.
            self.take_back(EndpointAddress::from(0x80));
        }
        if address.index() == 0 && length < PACKET_LENGTH {
            // It ends the data stage, or is the status stage. A host that missed the handshake sends it again and expects
            // it to be acknowledged (USB 2.0 8.5.3.3), or continues with the next transfer, whose first packet is DATA1 as
            // well.
            self.out_toggles |= 1;
            self.repeats = true;
        }
        self.receive(address);
        Ok(length)
    }

    fn classes(&mut self) -> Option<&mut ClassWatch> {
        self.watch.as_mut()?.classes.as_mut()
    }

    /// Shows a packet of endpoint 0 to the application's watch, if there is one.
    fn follow(&mut self, packet: &[u8], is_setup: bool) {
        if let Some(watch) = &mut self.watch {
            (watch.follow)(watch, packet, is_setup);
        }
    }

    fn read_setup(&mut self, out: &mut [u8]) -> Result<usize> {
        let packet = out.get_mut(..8).ok_or(UsbError::BufferOverflow)?;
        copy_from_dpram(SETUP_PACKET, packet);
        self.setup_waits = false;
        if self.setup_received() {
            // The next SETUP packet came during the copy, which may be a mixture of both. The next poll reports it.
            return Err(UsbError::WouldBlock);
        }
        // Data and status stages begin with DATA1 (USB 2.0 8.5.3).
        self.in_toggles |= 1;
        self.out_toggles |= 1;
        self.follow(packet, true);
        let is_in = packet.first().is_some_and(|request_type| request_type & 0x80 != 0);
        let has_data = packet.get(6..8).is_some_and(|length| length != [0, 0]);
        let out = EndpointAddress::from(0x00);
        if has_data && !is_in && self.early {
            self.out_waits |= 1;
        } else if self.early || ((is_in || has_data) && available(BufferControl::of(out).read()) == 0) {
            // The buffer is empty, or contains a packet that is no longer expected, unless the next packet has come since
            // the SETUP packet was reported; the next poll reports that one.
            let came = self.registers.buff_status().read().bits() & 1 << bit_of(out) != 0;
            if self.early || !came {
                self.early = false;
                self.receive(out);
            }
        }
        self.repeats = !is_in && !has_data;
        Ok(8)
    }

    fn poll(&mut self) -> PollResult {
        WAITS.store(false, Ordering::Relaxed);
        self.attach_if_due();
        // Read before checking for a SETUP packet: then no data packet is seen without the SETUP packet before it.
        let done = self.registers.buff_status().read().bits();
        let status = self.registers.ints().read();
        if status.bus_reset().bit_is_set() {
            self.registers.sie_status().write(|w| w.bus_reset().clear_bit_by_one());
            return PollResult::Reset;
        }
        let setup = status.setup_req().bit_is_set();
        if done == 0 && !setup && !self.early && !self.queues.owe() {
            if status.dev_suspend().bit_is_set() {
                self.registers.sie_status().write(|w| w.suspended().clear_bit_by_one());
                return PollResult::Suspend;
            }
            if status.dev_resume_from_host().bit_is_set() {
                self.registers.sie_status().write(|w| w.resume().clear_bit_by_one());
                return PollResult::Resume;
            }
            return PollResult::None;
        }
        // The following takes some time.
        self.withhold();
        // SAFETY: write 1 to clear; exactly what is reported below.
        unsafe { self.registers.buff_status().write(|w| w.bits(done)) };
        let ep_in_complete = self.ended(every_second_bit(done));
        // The status stage before a SETUP packet may have ended since `done` was read.
        if (done | self.registers.buff_status().read().bits()) & 1 != 0
            && let Some(address) = self.new_address.take()
        {
            // SAFETY: ADDRESS takes 7 bits.
            self.registers.addr_endp().write(|w| unsafe { w.address().bits(address & 0x7F) });
        }
        let mut ep_out = every_second_bit(done >> 1);
        if setup {
            // A SETUP packet cancels what endpoint 0 was about to do (USB 2.0 8.5.3.4).
            self.registers.sie_status().write(|w| w.setup_rec().clear_bit_by_one());
            self.take_back(EndpointAddress::from(0x80));
            self.new_address = None;
            self.begin_control(ep_out & 1 != 0);
            ep_out &= !1;
        } else if core::mem::take(&mut self.early) {
            ep_out |= 1;
        } else if self.repeats && ep_out & 1 != 0 {
            // A repetition: it is acknowledged, which is all that the host needs.
            self.receive(EndpointAddress::from(0x00));
            ep_out &= !1;
        }
        self.out_waits |= ep_out;
        WAITS.store(self.early || self.queues.owe(), Ordering::Relaxed);
        PollResult::Data { ep_out, ep_in_complete, ep_setup: u16::from(setup) }
    }

    /// A SETUP packet came. An OUT buffer armed for DATA1 is kept: the packet after SETUP may be on its way into it, or be
    /// in it already (`filled`); anything else in it belongs to the previous transfer.
    fn begin_control(&mut self, filled: bool) {
        let out = EndpointAddress::from(0x00);
        let word = BufferControl::of(out).read();
        // It may have come since the poll checked.
        let bit = 1 << bit_of(out);
        let came = self.registers.buff_status().read().bits() & bit != 0;
        if came {
            self.forget_completions(bit);
        }
        let filled = filled || came;
        let is_data1 = word & BufferControl::DATA1 != 0;
        // The previous transfer's status stage has no bytes.
        self.early = filled && is_data1 && word & BufferControl::LENGTH != 0;
        if !(self.early || is_data1 && available(word) != 0) {
            self.take_back(out);
        }
        self.out_waits &= !1;
        self.setup_waits = true;
    }

    fn set_stalled(&mut self, address: EndpointAddress, stalled: bool) {
        let control = BufferControl::of(address);
        if address.index() == 0 {
            return self.set_control_stalled(address, stalled);
        }
        let Some(endpoint) = self.table.get(address) else { return };
        if stalled {
            self.take_back(address);
            if address.is_out() {
                self.out_waits &= !(1 << address.index());
            }
            control.write(BufferControl::STALL);
        } else if address.is_in() {
            self.in_use |= 1 << address.index();
            self.clear_in_halt(address, endpoint);
        } else {
            self.clear_out_halt(address);
        }
    }

    fn clear_out_halt(&mut self, address: EndpointAddress) {
        let bit = 1 << address.index();
        if self.out_waits & bit != 0 {
            // `read` flips the toggle: DATA0 comes after the packet that waits.
            self.out_toggles |= bit;
        } else {
            self.take_back(address);
            self.out_toggles &= !bit;
            self.receive(address);
        }
    }
}

impl Packets for UsbBus {
    #[inline]
    fn replace_sent(&self, address: EndpointAddress, packet: &[u8; PACKET_LENGTH]) -> bool {
        self.with(false, |controller| controller.replace_sent(address, packet))
    }

    #[inline]
    fn take_sent(&self, address: EndpointAddress, packet: &[u8]) -> bool {
        self.with(false, |controller| controller.take_sent(address, packet))
    }

    #[inline]
    fn take_received(&self, address: EndpointAddress, packet: &mut [u8; PACKET_LENGTH]) -> Option<usize> {
        self.with(None, |controller| controller.take_received(address, packet))
    }

    fn withdraw(&self, address: EndpointAddress) {
        self.with((), |controller| controller.withdraw(address));
    }

    fn watch(&self, watch: ClassWatch) {
        self.with((), |controller| {
            if let Some(place) = &mut controller.watch {
                place.classes = Some(watch);
            }
        });
    }

    fn take_interface_set(&self) -> Option<u8> {
        self.with(None, |controller| controller.classes()?.take_set())
    }

    fn is_endpoint_of(&self, address: EndpointAddress, interface: u8) -> bool {
        self.with(false, |controller| controller.classes().is_some_and(|classes| classes.is_of(address, interface)))
    }

    fn has_endpoint(&self, address: EndpointAddress) -> bool {
        self.with(false, |controller| controller.table.get(address).is_some())
    }
}

impl Bus for UsbBus {
    /// With this, usb-device lets the bus decide when to take the address, and forgets a SET_ADDRESS without its status
    /// stage.
    const QUIRK_SET_ADDRESS_BEFORE_STATUS: bool = true;

    fn alloc_ep(
        &mut self,
        direction: UsbDirection,
        address: Option<EndpointAddress>,
        kind: EndpointType,
        max_packet_size: u16,
        _interval: u8,
    ) -> Result<EndpointAddress> {
        self.with(Err(UsbError::InvalidState), |controller| {
            controller.table.allocate(direction, address, kind, max_packet_size).inspect_err(|error| {
                if let Some(watch) = &controller.watch {
                    (watch.refuse)(*error);
                }
            })
        })
    }

    fn enable(&mut self) {
        self.with((), |controller| {
            controller.registers.inte().write(|w| {
                w.buff_status().set_bit();
                w.bus_reset().set_bit();
                w.setup_req().set_bit();
                w.dev_suspend().set_bit();
                w.dev_resume_from_host().set_bit()
            });
        });
    }

    fn reset(&self) {
        self.with((), Controller::reset);
    }

    fn set_device_address(&self, address: u8) {
        self.with((), |controller| controller.new_address = Some(address));
    }

    fn write(&self, address: EndpointAddress, packet: &[u8]) -> Result<usize> {
        self.with(Err(UsbError::WouldBlock), |controller| {
            let written = controller.write(address, packet)?;
            if address.index() == 0 {
                controller.follow(packet, false);
            }
            Ok(written)
        })
    }

    fn read(&self, address: EndpointAddress, out: &mut [u8]) -> Result<usize> {
        self.with(Err(UsbError::WouldBlock), |controller| controller.read(address, out))
    }

    fn set_stalled(&self, address: EndpointAddress, stalled: bool) {
        self.with((), |controller| controller.set_stalled(address, stalled));
    }

    fn is_stalled(&self, address: EndpointAddress) -> bool {
        self.with(false, |_| BufferControl::of(address).read() & BufferControl::STALL != 0)
    }

    fn suspend(&self) {}

    fn resume(&self) {}

    fn poll(&self) -> PollResult {
        self.with(PollResult::None, Controller::poll)
    }

    /// Detaches. A poll at least 20 ms later attaches again.
    fn force_reset(&self) -> Result<()> {
        self.with((), Controller::detach);
        Ok(())
    }
}

/// Gathers the even bits: bit 2n becomes bit n. Few are set at a time.
fn every_second_bit(bits: u32) -> u16 {
    let mut rest = bits & IN_BITS;
    let mut gathered = 0;
    while rest != 0 {
        gathered |= 1 << (rest.trailing_zeros() / 2);
        rest &= rest - 1;
    }
    gathered
}
