//! Endpoint 0: when it is armed, and with what.
//!
//! A SETUP packet ends the previous control transfer (USB 2.0 5.5.5, 8.5.3), but the controller keeps what endpoint 0 was
//! armed with for that one, and would send it on the host's next IN token. That token is decided at least 59 bit times
//! after the SETUP packet was received: the device's handshake takes 19, the token with the gap before it 40, together 4.9
//! µs or 737 cycles at 150 MHz. So endpoint 0 is armed only while the processor does nothing else: in
//! [`UsbBus::wait`](super::UsbBus::wait), which disarms it from RAM as the first thing after the interrupt that wakes the
//! core. For a program that never sleeps there, or whose interrupts serve the stick,
//! [`UsbBus::release`](super::UsbBus::release) arms it after each poll, and the next poll disarms it before anything else.
//! Such a program has to poll again within that time, or an old answer may be sent.

use super::super::processor;
use super::super::usb_endpoint::{BufferControl, EP0_BUFFER, available, bit_of, copy_to_dpram};
use super::queue::pid;
use super::{Controller, UsbBus};
use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};
use usb_device::endpoint::EndpointAddress;
use usb_device::{Result, UsbError};

/// What to arm endpoint 0 with: buffer control's fields, 0 for nothing; for IN in the low half, for OUT in the high half.
/// Stored outside of the controller and in one word, since each sleep checks it. Relaxed, here and below: only the bus's core
/// stores it, with interrupts masked, and a core sees its own stores in order.
static HELD: AtomicU32 = AtomicU32::new(0);

/// The directions in which endpoint 0 is armed: bits of EP_ABORT. The packets may have been sent or received since.
static ARMED: AtomicU32 = AtomicU32::new(0);

/// Bit position of a direction's fields in [`HELD`].
fn shift(address: EndpointAddress) -> u32 {
    if address.is_in() { 0 } else { 16 }
}

/// What to arm a direction of endpoint 0 with.
fn held(address: EndpointAddress) -> u16 {
    (HELD.load(Ordering::Relaxed) >> shift(address)) as u16
}

/// Sets what to arm a direction of endpoint 0 with.
pub(super) fn hold(address: EndpointAddress, fields: u16) {
    let other = HELD.load(Ordering::Relaxed) & !(0xFFFF << shift(address));
    HELD.store(other | u32::from(fields) << shift(address), Ordering::Relaxed);
}

/// Whether there is anything to arm endpoint 0 with.
fn holds() -> bool {
    HELD.load(Ordering::Relaxed) != 0
}

/// After a bus reset: there is nothing to arm endpoint 0 with, and it is not armed.
pub(super) fn forget() {
    HELD.store(0, Ordering::Relaxed);
    ARMED.store(0, Ordering::Relaxed);
}

impl UsbBus {
    /// Disarms endpoint 0, before anything that takes longer than the few microseconds from a SETUP packet to the next
    /// token: the host gets NAK meanwhile.
    #[inline]
    pub(in super::super) fn withhold(&self) {
        if ARMED.load(Ordering::Relaxed) != 0 {
            self.with((), Controller::withhold);
        }
    }

    /// Arms endpoint 0 until the next poll, if there is anything to arm it with: after everything else of a poll, unless
    /// [`wait`](Self::wait) follows.
    #[inline]
    pub(in super::super) fn release(&self) {
        if holds() {
            self.with((), Controller::release);
        }
    }

    /// Sleeps until an interrupt arrives, with endpoint 0 armed meanwhile. To be called with interrupts masked by PRIMASK,
    /// and the controller's interrupt enabled to wake the core.
    #[inline]
    pub(in super::super) fn wait(&self) {
        if holds() || ARMED.load(Ordering::Relaxed) != 0 {
            self.with((), Controller::wait);
        } else {
            processor::wfi();
        }
    }
}

impl Controller {
    pub(super) fn withhold(&mut self) {
        let armed = ARMED.swap(0, Ordering::Relaxed);
        if armed == 0 {
            return;
        }
        // Requested already, if the core has slept.
        self.begin_abort(armed);
        for address in [0x80, 0x00].map(EndpointAddress::from) {
            let control = BufferControl::of(address);
            let word = control.read();
            // The packet may have been sent or received meanwhile: then the word contains its length.
            if armed & 1 << bit_of(address) != 0 && available(word) != 0 {
                control.write(0);
                let fields = word & (BufferControl::LENGTH | BufferControl::DATA1 | BufferControl::FULL);
                hold(address, fields as u16);
            }
        }
        self.end_abort(armed);
    }

    fn release(&mut self) {
        if let Some(fields) = self.prepare() {
            // SAFETY: the address is that of buffer control.
            unsafe { arm(BufferControl::of(EndpointAddress::from(0x80)).half(0), fields) };
            if self.setup_received() {
                self.withhold();
            }
        }
    }

    fn wait(&mut self) {
        self.withhold();
        if let Some(fields) = self.prepare() {
            let control = BufferControl::of(EndpointAddress::from(0x80)).half(0);
            let (abort, armed) = (self.registers.ep_abort().as_ptr(), ARMED.load(Ordering::Relaxed));
            // A SETUP packet that comes before the core sleeps keeps it awake.
            // SAFETY: the addresses are those of registers; interrupts are masked.
            unsafe { wait_armed(control, fields, abort, armed) };
            self.withhold();
        } else {
            processor::wfi();
        }
    }

    /// Writes buffer control's fields if there is anything to arm endpoint 0 with, and returns them: only AVAILABLE is
    /// missing, as in [`give`](Self::give). `None` if there is nothing, or if a SETUP packet cancels it.
    fn prepare(&mut self) -> Option<[u16; 2]> {
        if !holds() || self.setup_received() {
            return None;
        }
        let mut armed = 0;
        let fields = [0x80, 0x00].map(EndpointAddress::from).map(|address| {
            let fields = held(address);
            if fields != 0 {
                BufferControl::of(address).write_half(0, fields.into());
                armed |= 1 << bit_of(address);
            }
            fields
        });
        HELD.store(0, Ordering::Relaxed);
        processor::delay(12);
        ARMED.store(armed, Ordering::Relaxed);
        Some(fields)
    }

    /// Puts endpoint 0's next packet into its buffer, unless a SETUP packet cancels it.
    pub(super) fn write_control(&mut self, packet: &[u8]) -> Result<usize> {
        let address = EndpointAddress::from(0x80);
        if held(address) != 0 || available(BufferControl::of(address).read()) != 0 {
            return Err(UsbError::WouldBlock);
        }
        // Both directions share the buffer: it may contain the packet after that SETUP packet.
        if !self.setup_received() {
            copy_to_dpram(packet, EP0_BUFFER);
            let fields = packet.len() as u32 | BufferControl::FULL | pid(self.in_toggles & 1 != 0);
            hold(address, fields as u16);
            self.in_toggles ^= 1;
        }
        Ok(packet.len())
    }
}

/// Makes endpoint 0's buffers with nonzero fields available: for IN, and for OUT.
///
/// # Safety
///
/// `control` is endpoint 0's buffer control for IN; the one for OUT follows it.
#[allow(clippy::inline_always, reason = "a call from RAM would be to flash")]
#[inline(always)]
unsafe fn arm(control: *mut u16, [inward, outward]: [u16; 2]) {
    // SAFETY: as the caller promises; a word is two halves.
    unsafe {
        if inward != 0 {
            control.write_volatile(inward | BufferControl::AVAILABLE as u16);
        }
        if outward != 0 {
            control.add(2).write_volatile(outward | BufferControl::AVAILABLE as u16);
        }
    }
}

/// Arms endpoint 0, sleeps until an interrupt arrives, and then makes the controller answer NAK again.
///
/// In RAM: fetching it from flash could take longer than the host's next token.
///
/// # Safety
///
/// As for [`arm`]; `abort` is EP_ABORT, `bits` those of the armed directions. Interrupts are masked.
#[inline(never)]
#[unsafe(link_section = ".data.picovd_usb_wait")]
unsafe fn wait_armed(control: *mut u16, fields: [u16; 2], abort: *mut u32, bits: u32) {
    // SAFETY: as the caller promises.
    unsafe {
        arm(control, fields);
        // Not a call, since the function would be in flash. The instruction has the same name on both processors.
        asm!("wfi", options(nostack, preserves_flags));
        abort.write_volatile(bits);
    }
}
