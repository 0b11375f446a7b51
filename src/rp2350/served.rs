//! A stick that its own interrupts serve: the main loop is the application's.

use super::processor;
use super::stick::{Home, Running, Stick};
use crate::settings::Configured;
use crate::volume::Look;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};
use rp235x_hal::pac;

/// A place for a stick that the handlers of USBCTRL_IRQ and TIMER0_IRQ_0 serve: made by [`serve!`](crate::serve).
///
/// The handlers have the priority that the application gives them. None of them waits for the other one: who comes while the
/// stick is served leaves a note, and whoever serves it goes on.
#[derive(Debug)]
pub struct Served<T> {
    stick: UnsafeCell<Option<T>>,
    taken: AtomicBool,
    asked: AtomicBool,
}

// SAFETY: the stick is reached where `taken` was false, so by one context at a time; it may be any one, since it is `Send`.
unsafe impl<T: Send> Sync for Served<T> {}

impl<T> Default for Served<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Served<T> {
    /// No stick yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { stick: UnsafeCell::new(None), taken: AtomicBool::new(false), asked: AtomicBool::new(false) }
    }

    /// Asks for the handler: to be called after files of run time have changed. Without it, the change is noticed when the host
    /// next asks for something.
    pub fn wake(&self) {
        processor::pend(pac::Interrupt::USBCTRL_IRQ);
    }

    fn with(&self, work: impl Fn(&mut Option<T>)) {
        self.asked.store(true, Ordering::Release);
        // Who asks when it is taken has it done by the one who took it, who looks again afterwards.
        while self.asked.load(Ordering::Acquire) && !self.taken.swap(true, Ordering::Acquire) {
            self.asked.store(false, Ordering::Release);
            // SAFETY: `taken` was false: nobody else is here, on either core, until it is false again.
            work(unsafe { &mut *self.stick.get() });
            self.taken.store(false, Ordering::Release);
        }
    }
}

impl<const CONSOLE: bool, const RESET: bool, const FILES: bool, S, H> Served<Stick<CONSOLE, RESET, FILES, S, H>>
where
    S: Configured<'static> + Look + 'static,
    H: Home<Running<CONSOLE, RESET, FILES, S>>,
{
    /// From now on interrupts of this core serve the stick. It appears on the bus at once.
    pub fn begin(&self, stick: Stick<CONSOLE, RESET, FILES, S, H>) {
        if !self.taken.swap(true, Ordering::Acquire) {
            // SAFETY: `taken` was false: nobody else is here until it is false again.
            unsafe { *self.stick.get() = Some(stick) };
            self.taken.store(false, Ordering::Release);
        }
        // SAFETY: the handlers share nothing with what runs here but what is behind `taken` and critical sections.
        unsafe {
            processor::unmask(pac::Interrupt::USBCTRL_IRQ);
            processor::unmask(pac::Interrupt::TIMER0_IRQ_0);
        }
        self.wake();
    }

    /// Does what there is to do: what the handlers call.
    pub fn serve(&self) {
        self.with(|stick| stick.iter_mut().for_each(Stick::serve));
    }
}

/// Declares a [`Served`](crate::rp2350::Served) stick of that name, and the handlers of its interrupts. To be said behind
/// [`firmware!`](crate::firmware):
///
/// ```ignore
/// picovd::firmware!(disk);
/// picovd::serve!(STICK);
///
/// #[picovd::rp2350::rp235x_hal::entry]
/// fn main() -> ! {
///     let (stick, _board) = Stick::start(&disk::DESCRIPTION);
///     STICK.begin(stick);
///     loop {
///         // The application's.
///     }
/// }
/// ```
#[macro_export]
macro_rules! serve {
    ($stick:ident) => {
        /// The stick, which its interrupts serve.
        static $stick: $crate::rp2350::Served<Stick> = $crate::rp2350::Served::new();

        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn USBCTRL_IRQ() {
            $stick.serve();
        }

        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn TIMER0_IRQ_0() {
            $stick.serve();
        }
    };
}
