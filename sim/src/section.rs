//! Critical sections of a program that runs on this machine: one lock for all threads, which represent the chip's cores. At
//! each release an interrupt handler can run, as on the chip where interrupts are enabled again.

use std::cell::{Cell, RefCell};
use std::sync::{Mutex, MutexGuard, PoisonError};

static LOCK: Mutex<()> = Mutex::new(());

thread_local! {
    static HELD: Cell<Option<MutexGuard<'static, ()>>> = const { Cell::new(None) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static HANDLER: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

struct Sections;

critical_section::set_impl!(Sections);

// SAFETY: one lock excludes all other threads, and a thread that has it may take it again. The value that `acquire` returns
// tells whether `release` is the outermost one.
unsafe impl critical_section::Impl for Sections {
    unsafe fn acquire() -> bool {
        let inner = INSIDE.replace(true);
        if !inner {
            HELD.set(Some(LOCK.lock().unwrap_or_else(PoisonError::into_inner)));
        }
        inner
    }

    unsafe fn release(inner: bool) {
        if !inner {
            INSIDE.set(false);
            HELD.set(None);
            interrupt();
        }
    }
}

/// Runs the handler, which is not interrupted by another one.
fn interrupt() {
    let Ok(Some(mut handler)) = HANDLER.try_with(RefCell::take) else { return };
    handler();
    HANDLER.with_borrow_mut(|waiting| *waiting = Some(handler));
}

/// Runs `program`, and `handler` whenever it leaves a critical section: the worst time, every time.
///
/// # Panics
/// It is called by a handler, or by a program that it runs.
pub fn with_interrupts<R>(handler: impl FnMut() + 'static, program: impl FnOnce() -> R) -> R {
    let before = HANDLER.replace(Some(Box::new(handler)));
    assert!(before.is_none(), "one handler is enough");
    let result = program();
    HANDLER.take();
    result
}
