//! A defmt logger that writes frames to a ring in RAM, which DEFMT.BIN shows. With feature `defmt`.

use crate::files::LogRing;
use core::cell::{Cell, UnsafeCell};
use critical_section::{Mutex, RestoreState};
use defmt::Encoder;

/// The ring. Frames written before it is set are lost.
static RING: Mutex<Cell<Option<&'static LogRing>>> = Mutex::new(Cell::new(None));

/// Makes defmt's macros write to `ring`.
pub(super) fn set_ring(ring: &'static LogRing) {
    critical_section::with(|section| RING.borrow(section).set(Some(ring)));
}

/// The critical section and the encoder of the frame that is being written.
struct SharedEncoder(UnsafeCell<(RestoreState, Encoder)>);

// SAFETY: only accessed between `acquire` and `release`, which form one critical section: by one context of one core.
unsafe impl Sync for SharedEncoder {}

static ENCODER: SharedEncoder = SharedEncoder(UnsafeCell::new((RestoreState::invalid(), Encoder::new())));

#[defmt::global_logger]
struct Logger;

fn put(bytes: &[u8]) {
    if let Some(ring) = critical_section::with(|section| RING.borrow(section).get()) {
        ring.write(bytes);
    }
}

// SAFETY: a frame is one critical section, so every context, including interrupt handlers and the other core, writes whole
// frames. Frames do not nest: defmt's macros evaluate their arguments before they acquire the logger. A `Format` that logs
// misuses defmt, and would corrupt a frame but not memory: the safety of memory does not depend on the encoder or the
// restore state.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: released by `release`, which defmt calls once for each `acquire`, in the same context.
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: inside the critical section, see `SharedEncoder`.
        let (state, encoder) = unsafe { &mut *ENCODER.0.get() };
        *state = restore;
        encoder.start_frame(put);
    }

    unsafe fn flush() {
        // Nothing to do: the ring is in RAM.
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: between `acquire` and `release`, as the trait demands: see `SharedEncoder`.
        let (_, encoder) = unsafe { &mut *ENCODER.0.get() };
        encoder.write(bytes, put);
    }

    unsafe fn release() {
        // SAFETY: as in `write`; the critical section of `acquire` ends here, and the reference is no longer used by then.
        let restore = unsafe {
            let (state, encoder) = &mut *ENCODER.0.get();
            encoder.end_frame(put);
            core::mem::replace(state, RestoreState::invalid())
        };
        // SAFETY: `restore` is what `acquire` returned.
        unsafe { critical_section::release(restore) };
    }
}
