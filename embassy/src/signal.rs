//! What the USB device's task tells the disk's task.

use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::task::{Context, Poll};
use embassy_sync::waitqueue::AtomicWaker;

/// What happened on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A bus reset, or the end of the configuration.
    BusReset,
    /// A Bulk-Only Mass Storage Reset, or a configuration was set: ready for the next CBW.
    Restart,
}

const BUS_RESET: u8 = 1;
const RESTART: u8 = 2;

/// Both tasks may run at different priorities. What is set is stored with release before the waker is woken, and loaded with
/// acquire after the waker was registered, so no event is lost.
pub(crate) struct Signal {
    events: AtomicU8,
    configured: AtomicBool,
    waker: AtomicWaker,
}

impl core::fmt::Debug for Signal {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { events, configured, waker: _ } = self;
        let mut shown = formatter.debug_struct("Signal");
        shown.field("events", events).field("configured", configured).finish_non_exhaustive()
    }
}

impl Signal {
    pub const fn new() -> Self {
        Self { events: AtomicU8::new(0), configured: AtomicBool::new(false), waker: AtomicWaker::new() }
    }

    pub fn set(&self, event: Event) {
        let bit = match event {
            Event::BusReset => BUS_RESET,
            Event::Restart => RESTART,
        };
        self.events.fetch_or(bit, Ordering::Release);
        self.waker.wake();
    }

    pub fn set_configured(&self, configured: bool) {
        self.configured.store(configured, Ordering::Release);
        self.set(if configured { Event::Restart } else { Event::BusReset });
    }

    pub fn is_configured(&self) -> bool {
        self.configured.load(Ordering::Acquire)
    }

    /// Takes what has happened since the last call. A bus reset includes the restart.
    pub fn take(&self) -> Option<Event> {
        match self.events.swap(0, Ordering::AcqRel) {
            0 => None,
            RESTART => Some(Event::Restart),
            _ => Some(Event::BusReset),
        }
    }

    /// Ready if there is something to take. If not, wakes the task when there is.
    pub fn poll(&self, context: &Context<'_>) -> Poll<()> {
        self.waker.register(context.waker());
        if self.events.load(Ordering::Acquire) == 0 { Poll::Pending } else { Poll::Ready(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Signal};

    #[test]
    fn events_are_taken_once() {
        let signal = Signal::new();
        assert_eq!(signal.take(), None);
        signal.set_configured(true);
        assert!(signal.is_configured());
        assert_eq!((signal.take(), signal.take()), (Some(Event::Restart), None));
        signal.set_configured(false);
        signal.set(Event::Restart);
        assert_eq!(signal.take(), Some(Event::BusReset), "the stronger one");
        assert!(!signal.is_configured());
    }
}
