//! Critical sections as loom sees them: a lock that it switches threads around.

use loom::sync::{Mutex, MutexGuard};
use std::cell::RefCell;

loom::lazy_static! {
    static ref LOCK: Mutex<()> = Mutex::new(());
}

thread_local! {
    /// The lock, while some thread of the model has it: they all run on one thread of the system.
    static HELD: RefCell<Option<MutexGuard<'static, ()>>> = const { RefCell::new(None) };
}

struct Model;

critical_section::set_impl!(Model);

// SAFETY: the lock is held from `acquire` to `release`. Nested sections deadlock, which the model reports.
unsafe impl critical_section::Impl for Model {
    unsafe fn acquire() -> critical_section::RawRestoreState {
        let guard = LOCK.lock().expect("not poisoned");
        HELD.set(Some(guard));
    }

    unsafe fn release((): critical_section::RawRestoreState) {
        drop(HELD.take());
    }
}
