//! Endpoints of a USB driver that is not PicoVD's: what such a driver leaves undone for Bulk-Only Transport.

use super::hardware::Chip;
use super::{pac, processor};

/// Buffer control registers in DPRAM (section 12.7.3): IN and OUT for each endpoint number.
const BUFFER_CONTROL: usize = 0x80;
/// The first buffer's fields (section 12.7.4.1).
const LENGTH: u32 = 64;
const AVAILABLE: u32 = 1 << 10;
const PID: u32 = 1 << 13;

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
        let control = |number: u8, out: usize| {
            let base = pac::USB_DPRAM::ptr().cast::<u32>().cast_mut();
            base.wrapping_byte_add(BUFFER_CONTROL + 8 * usize::from(number) + 4 * out)
        };
        let bits = 1 << (2 * u32::from(bulk_in)) | 2 << (2 * u32::from(bulk_out));
        processor::free(|| {
            // SAFETY: the registers exist. An abort takes the buffers back from the controller (section 12.7.3.7.2); only then
            // they are written. Interrupts are masked, so the driver's handler does not run meanwhile.
            unsafe {
                let registers = &*pac::USB::ptr();
                registers.ep_abort().write(|w| w.bits(bits));
                for _ in 0..ABORT_POLLS {
                    if registers.ep_abort_done().read().bits() & bits == bits {
                        break;
                    }
                }
                // The driver flips the bit for the next packet.
                control(bulk_in, 0).write_volatile(PID);
                control(bulk_out, 1).write_volatile(LENGTH);
                processor::delay(SETTLE);
                control(bulk_out, 1).write_volatile(LENGTH | AVAILABLE);
                registers.ep_abort_done().write(|w| w.bits(bits));
                registers.ep_abort().reset();
            }
        });
    }
}
