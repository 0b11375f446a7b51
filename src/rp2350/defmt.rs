//! A defmt logger whose frames go into a ring in RAM, which DEFMT.BIN shows. With feature `defmt`.

use crate::files::LogRing;
use core::cell::{Cell, UnsafeCell};
use critical_section::{Mutex, RestoreState};
use defmt::Encoder;

/// The ring. Frames that are written before there is one are lost.
static RING: Mutex<Cell<Option<&'static LogRing>>> = Mutex::new(Cell::new(None));

/// Lets defmt's macros write into `ring`.
pub(super) fn set_ring(ring: &'static LogRing) {
    critical_section::with(|section| RING.borrow(section).set(Some(ring)));
}

/// The critical section and the encoder of the frame that is being written.
struct SharedEncoder(UnsafeCell<(RestoreState, Encoder)>);

// SAFETY: it is touched between `acquire` and `release` alone, which are one critical section: by one context of one core.
unsafe impl Sync for SharedEncoder {}

static ENCODER: SharedEncoder = SharedEncoder(UnsafeCell::new((RestoreState::invalid(), Encoder::new())));

#[defmt::global_logger]
struct Logger;

fn put(bytes: &[u8]) {
    if let Some(ring) = critical_section::with(|section| RING.borrow(section).get()) {
        ring.write(bytes);
    }
}

// SAFETY: a frame is one critical section, so that anyone who logs, interrupt handlers and the other core included, writes whole frames.
// Frames do not nest: defmt's macros evaluate their arguments before they acquire the logger; a `Format` that logs is defmt's own
// misuse, and would spoil a frame, not memory: the encoder and the restore state have no invariants of memory safety.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released by `release`, which defmt calls once for each `acquire`, in the same context.
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: the critical section has begun, see `SharedEncoder`.
        let (state, encoder) = unsafe { &mut *ENCODER.0.get() };
        *state = restore;
        encoder.start_frame(put);
    }

    unsafe fn flush() {
        // RAM has everything at once.
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: as the trait demands, between `acquire` and `release`: see `SharedEncoder`.
        let (_, encoder) = unsafe { &mut *ENCODER.0.get() };
        encoder.write(bytes, put);
    }

    unsafe fn release() {
        // SAFETY: as in `write`; the critical section that `acquire` began ends here, and the reference is gone by then.
        let restore = unsafe {
            let (state, encoder) = &mut *ENCODER.0.get();
            encoder.end_frame(put);
            core::mem::replace(state, RestoreState::invalid())
        };
        // SAFETY: this is what `acquire` was given.
        unsafe { critical_section::release(restore) };
    }
}
