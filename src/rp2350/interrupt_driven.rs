//! A stick that its own interrupts serve: the main loop is the application's.

use super::clock::interrupt;
use super::stick::{Home, Running, Stick};
use super::{current_core, processor};
use crate::stick::Firmware;
use crate::turns::Turns;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};
use rp235x_hal::pac;
use rp235x_hal::timer::TimerDevice;

/// A place for a stick that the handlers of USBCTRL_IRQ and of its timer's first alarm serve: made by [`serve!`](crate::serve).
///
/// The handlers have the priority that the application gives them, one for both or one each. None of them waits for the other
/// one: who comes while the stick is served leaves a note, and the one that serves it goes on.
pub struct Served<T> {
    /// The stick, for the one whose turn it is.
    stick: UnsafeCell<Option<T>>,
    turns: Turns,
    /// Where it is served: [`NOBODY`], [`COMING`], or the core's number and [`FIRST`]. That is stored with release after the stick,
    /// and loaded with acquire before a turn: who finds the number finds the stick.
    core: AtomicU8,
}

/// There is no stick yet.
const NOBODY: u8 = 0;
/// A stick is on its way to its place.
const COMING: u8 = 1;
/// The interrupts of core 0 serve it.
const FIRST: u8 = 2;

/// The core that this runs on, as [`Served`] keeps it.
fn here() -> u8 {
    FIRST + current_core() as u8
}

// SAFETY: the stick is reached in a turn alone, so by one context at a time; it may be any one, since it is `Send`. Before the
// first turn it is reached by the context alone that brings it.
unsafe impl<T: Send> Sync for Served<T> {}

impl<T> core::fmt::Debug for Served<T> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Served").field("core", &self.core).field("turns", &self.turns).finish_non_exhaustive()
    }
}

impl<T> Default for Served<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Served<T> {
    /// No stick yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { stick: UnsafeCell::new(None), turns: Turns::new(), core: AtomicU8::new(NOBODY) }
    }

    /// Brings the stick, once. False, and it is dropped, where there is one.
    fn bring(&self, stick: T) -> bool {
        // One of several that come at the same time exchanges it. Who does not touches nothing, so a failure may be relaxed.
        if self.core.compare_exchange(NOBODY, COMING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        // SAFETY: this context alone has found nobody here, and turns are taken after the next line.
        unsafe { *self.stick.get() = Some(stick) };
        self.core.store(here(), Ordering::Release);
        true
    }
}

/// Lets the interrupts of the USB controller and of the timer's first alarm come, on this core.
fn unmask<D: TimerDevice>() {
    // SAFETY: the stick has taken the USB controller and the alarm, so their interrupts are its own, and nobody else relies on their
    // masks. The handlers share nothing with what runs here but what is reached in turns and critical sections.
    unsafe {
        processor::unmask(pac::Interrupt::USBCTRL_IRQ);
        processor::unmask(interrupt::<D>());
    }
}

/// Keeps both back, until the one at work is done.
fn mask<D: TimerDevice>() {
    processor::mask(pac::Interrupt::USBCTRL_IRQ);
    processor::mask(interrupt::<D>());
}

/// Aliases of the timer's registers that set and clear bits (section 2.1.3): two cores may write at the same time.
const SET: usize = 0x2000;
const CLEAR: usize = 0x3000;

/// Forces the first alarm's interrupt, which both cores see (section 12.8.5, INTF), or no longer does.
fn force<D: TimerDevice>(alias: usize) {
    let register = D::get_perif().intf().as_ptr();
    // SAFETY: the alias of a register of the timer whose first alarm is the stick's; this changes no other alarm.
    unsafe { register.byte_add(alias).write_volatile(1) };
}

impl<F: Firmware<'static>, H: Home<Running<F>>, D: TimerDevice> Served<Stick<F, H, D>> {
    /// From now on interrupts of this core serve the stick, and it appears on the bus. To be called on the core that started the
    /// stick: its USB controller does nothing on the other one. There is one stick, so a second call has nothing to do.
    pub fn begin(&self, stick: Stick<F, H, D>) {
        if self.bring(stick) {
            unmask::<D>();
            self.wake();
        }
    }

    /// Asks for the handler: to be called after dynamic files have changed, from any context on either core. Without it, the change is
    /// noticed when the host next asks for something, or after 131 ms. Before [`begin`](Served::begin) it does nothing: that looks
    /// at everything.
    pub fn wake(&self) {
        // Where a stick is, its timer is out of reset.
        if self.core.load(Ordering::Acquire) != NOBODY {
            force::<D>(SET);
        }
    }

    /// Does what there is to do: what the handlers call. On the other core it asks for the handler, as [`wake`](Served::wake)
    /// does: that core's interrupts are left alone. Before [`begin`](Served::begin) it does nothing.
    pub fn serve(&self) {
        if self.core.load(Ordering::Acquire) != here() {
            return self.wake();
        }
        // Before the work: who asks during it is heard again.
        force::<D>(CLEAR);
        let turn = || {
            // SAFETY: it is this context's turn, and nobody else's on either core until the closure returns.
            let stick = unsafe { &mut *self.stick.get() };
            stick.iter_mut().for_each(Stick::serve);
        };
        // A handler that is more urgent than the one at work would be called again and again: what called it is still there.
        self.turns.ask(turn, unmask::<D>, mask::<D>);
    }
}

/// Declares a [`Served`](crate::rp2350::Served) stick of that name, and the handlers of its interrupts. To be said after
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
///
/// A second argument names the interrupt of the alarm where the stick's timer is not TIMER0: `picovd::serve!(STICK, TIMER1_IRQ_0);`.
#[macro_export]
macro_rules! serve {
    ($stick:ident) => {
        $crate::serve!($stick, TIMER0_IRQ_0);
    };
    ($stick:ident, $alarm:ident) => {
        /// The stick, which its interrupts serve.
        static $stick: $crate::rp2350::Served<Stick> = $crate::rp2350::Served::new();

        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn USBCTRL_IRQ() {
            $stick.serve();
        }

        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn $alarm() {
            $stick.serve();
        }
    };
}
