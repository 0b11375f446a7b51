//! Endpoints of a USB driver that is not PicoVD's: what such a driver leaves undone for Bulk-Only Transport.

use super::hardware::Chip;
use super::{pac, processor};

/// Buffer control registers in DPRAM (section 12.7.3): IN and OUT for each endpoint number.
const BUFFER_CONTROL: usize = 0x80;
/// The first buffer's fields (section 12.7.4.1).
const LENGTH: u32 = 64;
const AVAILABLE: u32 = 1 << 10;
const PID: u32 = 1 << 13;
const FULL: u32 = 1 << 15;

/// Polls of EP_ABORT_DONE: a transaction takes at most 50 us.
const ABORT_POLLS: u32 = 10_000;
/// Cycles from the fields of a buffer to its AVAILABLE bit (section 12.7.3.7.1): the controller's clock is slower.
const SETTLE: u32 = 12;

impl Chip {
    /// Drops the packets that two single-buffered bulk endpoints of 64 bytes hold, and resets their data toggles to DATA0: what a
    /// host expects of its reset recovery (BOT 5.3.4, USB 2.0 9.4.5). `bulk_in` and `bulk_out` are endpoint numbers, 1 to 15;
    /// with others, nothing happens.
    ///
    /// For drivers that keep the toggle in the PID bit of the buffer control register, and flip it for each packet. The driver must
    /// not be in the middle of a packet: call it in a handler of control requests.
    pub fn restart_endpoints(self, bulk_in: u8, bulk_out: u8) {
        if !(1..16).contains(&bulk_in) || !(1..16).contains(&bulk_out) {
            return;
        }
        let bits = 1 << (2 * u32::from(bulk_in)) | 2 << (2 * u32::from(bulk_out));
        processor::free(|| {
            // SAFETY: the registers exist. An abort takes the buffers back from the controller (section 12.7.3.7.2); only then
            // they are written. Interrupts are masked, so the driver's handler does not run meanwhile.
            unsafe {
                let registers = &*pac::USB::ptr();
                begin_abort(registers, bits);
                // The driver flips the bit for the next packet.
                control(bulk_in, 0).write_volatile(PID);
                control(bulk_out, 1).write_volatile(LENGTH);
                processor::delay(SETTLE);
                control(bulk_out, 1).write_volatile(LENGTH | AVAILABLE);
                end_abort(registers, bits);
            }
        });
    }

    /// Removes the packet that a single-buffered IN endpoint holds, if the host has not fetched it: the data toggle continues as if it
    /// had never been there. `number` is the endpoint's, 1 to 15; with others, nothing happens.
    ///
    /// For drivers as in [`restart_endpoints`](Self::restart_endpoints), and under the same condition.
    pub fn withdraw(self, number: u8) {
        if !(1..16).contains(&number) {
            return;
        }
        let bits = 1 << (2 * u32::from(number));
        processor::free(|| {
            // SAFETY: as above.
            unsafe {
                let registers = &*pac::USB::ptr();
                if control(number, 0).read_volatile() & AVAILABLE == 0 {
                    return;
                }
                begin_abort(registers, bits);
                let word = control(number, 0).read_volatile();
                // Without the bit, the packet was sent before the controller gave it back.
                if word & AVAILABLE != 0 {
                    control(number, 0).write_volatile((word ^ PID) & !(FULL | AVAILABLE));
                }
                end_abort(registers, bits);
            }
        });
    }
}

/// The buffer control register of an endpoint: IN, or OUT if `out` is 1.
fn control(number: u8, out: usize) -> *mut u32 {
    let base = pac::USB_DPRAM::ptr().cast::<u32>().cast_mut();
    base.wrapping_byte_add(BUFFER_CONTROL + 8 * usize::from(number) + 4 * out)
}

/// Takes the buffers of these endpoints back from the controller.
///
/// # Safety
///
/// Their driver must not be in the middle of a packet.
unsafe fn begin_abort(registers: &pac::usb::RegisterBlock, bits: u32) {
    // SAFETY: each bit is for one endpoint.
    registers.ep_abort().write(|w| unsafe { w.bits(bits) });
    for _ in 0..ABORT_POLLS {
        if registers.ep_abort_done().read().bits() & bits == bits {
            break;
        }
    }
}

fn end_abort(registers: &pac::usb::RegisterBlock, bits: u32) {
    // SAFETY: write 1 to clear; each bit is for one endpoint.
    registers.ep_abort_done().write(|w| unsafe { w.bits(bits) });
    registers.ep_abort().reset();
}
