//! Endpoint 0: when it is armed, and with what.
//!
//! A SETUP packet ends the control transfer before it (USB 2.0 5.5.5, 8.5.3), but the controller keeps what endpoint 0 was armed with
//! for that one, and gives it to the host's next IN token. That token is decided on 59 bit times after the SETUP packet was taken, at
//! the soonest: the device's handshake has 19, the token with the gap before it 40, together 4.9 µs or 737 cycles at 150 MHz. So
//! endpoint 0 is armed while the processor does nothing else: in [`UsbBus::wait`](super::UsbBus::wait), which revokes it as the first thing after the
//! interrupt that wakes the core, from RAM. A program that never sleeps there, and one whose interrupts serve the stick, arms it by
//! [`UsbBus::release`](super::UsbBus::release) after each poll, and revokes it before anything else in the next one: there it is the program that has to come
//! back within that time, or an old answer may go out.

use super::super::processor;
use super::super::usb_endpoint::{BufferControl, EP0_BUFFER, available, bit_of, copy_to_dpram};
use super::queue::pid;
use super::{Controller, UsbBus};
use core::arch::asm;
use core::sync::atomic::{AtomicU32, Ordering};
use usb_device::endpoint::EndpointAddress;
use usb_device::{Result, UsbError};

/// What endpoint 0 is armed with when its time comes: buffer control's fields, 0 for nothing; those of the IN direction in the low
/// half, those of OUT in the high half. Beside the controller and in one word, since each sleep looks here. Relaxed, here and below:
/// only the bus's core stores it, with interrupts masked, and one core sees its own stores in order.
static HELD: AtomicU32 = AtomicU32::new(0);

/// The directions in which endpoint 0 was armed with that: bits of EP_ABORT. The packets may have gone, or come, since.
static ARMED: AtomicU32 = AtomicU32::new(0);

/// Where a direction's fields are in [`HELD`].
fn shift(address: EndpointAddress) -> u32 {
    if address.is_in() { 0 } else { 16 }
}

/// What is held of a direction of endpoint 0.
fn held(address: EndpointAddress) -> u16 {
    (HELD.load(Ordering::Relaxed) >> shift(address)) as u16
}

/// Holds that for a direction of endpoint 0.
pub(super) fn hold(address: EndpointAddress, fields: u16) {
    let other = HELD.load(Ordering::Relaxed) & !(0xFFFF << shift(address));
    HELD.store(other | u32::from(fields) << shift(address), Ordering::Relaxed);
}

/// Whether endpoint 0 has something to be armed with.
fn holds() -> bool {
    HELD.load(Ordering::Relaxed) != 0
}

/// The bus was reset: nothing is held any more, and nothing armed.
pub(super) fn forget() {
    HELD.store(0, Ordering::Relaxed);
    ARMED.store(0, Ordering::Relaxed);
}

impl UsbBus {
    /// Takes back what endpoint 0 is armed with, before anything that takes longer than the few microseconds from a SETUP packet to the
    /// next token: the host gets NAK meanwhile.
    #[inline]
    pub(in super::super) fn withhold(&self) {
        if ARMED.load(Ordering::Relaxed) != 0 {
            self.with((), Controller::withhold);
        }
    }

    /// Arms endpoint 0 with what waits for it, until the next poll: after everything else of a poll, where [`wait`](Self::wait) does
    /// not follow.
    #[inline]
    pub(in super::super) fn release(&self) {
        if holds() {
            self.with((), Controller::release);
        }
    }

    /// Sleeps until an interrupt comes, and has endpoint 0 armed for as long: to be called with interrupts masked, and the
    /// controller's let through to wake the core.
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
        // Set already, where the core has slept.
        self.begin_abort(armed);
        for address in [0x80, 0x00].map(EndpointAddress::from) {
            let control = BufferControl::of(address);
            let word = control.read();
            // It may have gone, or come, meanwhile: then the word tells how long it is.
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
            // SAFETY: the addresses are registers'; interrupts are masked.
            unsafe { wait_armed(control, fields, abort, armed) };
            self.withhold();
        } else {
            processor::wfi();
        }
    }

    /// Writes buffer control's fields where endpoint 0 has something to be armed with, and returns them: AVAILABLE is what is left to do,
    /// as in [`give`](Self::give). `None` where there is nothing, or where a SETUP packet voids it.
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

    /// Puts endpoint 0's next packet into its buffer. A SETUP packet that came meanwhile voids it.
    pub(super) fn write_control(&mut self, packet: &[u8]) -> Result<usize> {
        let address = EndpointAddress::from(0x80);
        if held(address) != 0 || available(BufferControl::of(address).read()) != 0 {
            return Err(UsbError::WouldBlock);
        }
        // Both directions share the buffer: what comes after the SETUP packet may be in it.
        if !self.setup_received() {
            copy_to_dpram(packet, EP0_BUFFER);
            let fields = packet.len() as u32 | BufferControl::FULL | pid(self.in_toggles & 1 != 0);
            hold(address, fields as u16);
            self.in_toggles ^= 1;
        }
        Ok(packet.len())
    }
}

/// Makes endpoint 0's buffers available whose fields are not 0: for IN, and for OUT.
///
/// # Safety
///
/// `control` is endpoint 0's buffer control for IN; the one for OUT comes after it.
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

/// Arms endpoint 0, sleeps until an interrupt comes, and has the controller answer NAK there from then on.
///
/// In RAM: fetching it from flash could take longer than the host's next token.
///
/// # Safety
///
/// As for [`arm`]; `abort` is EP_ABORT, `bits` those of the directions that are armed. Interrupts are masked.
#[inline(never)]
#[unsafe(link_section = ".data.picovd_usb_wait")]
unsafe fn wait_armed(control: *mut u16, fields: [u16; 2], abort: *mut u32, bits: u32) {
    // SAFETY: as the caller promises.
    unsafe {
        arm(control, fields);
        // Not by a call, which would be to flash. The two processors name it the same.
        asm!("wfi", options(nostack, preserves_flags));
        abort.write_volatile(bits);
    }
}
