//! A stick that is served by its interrupts, so that the main loop is free for the application.

use super::clock::interrupt;
use super::stick::{Home, Running, Stick};
use super::{UsbBus, current_core, processor};
use crate::stick::Firmware;
use crate::turns::Turns;
use crate::usb::Classes;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU8, Ordering};
use rp235x_hal::pac;
use rp235x_hal::timer::TimerDevice;

/// Storage for a stick that the handlers of USBCTRL_IRQ and of its timer's first alarm serve, declared with
/// [`serve!`](crate::serve).
///
/// The application sets the handlers' priorities, which may differ. No handler waits for the other one: if it finds the
/// stick being served, it leaves a request, and the other one continues.
pub struct Served<T> {
    /// The stick, which only the context whose turn it is may access.
    stick: UnsafeCell<Option<T>>,
    turns: Turns,
    /// Where it is served: [`NOBODY`], [`COMING`], or the core's number plus [`FIRST`]. Stored with release after the
    /// stick, and loaded with acquire before a turn, so that a context that sees the number also sees the stick.
    core: AtomicU8,
}

/// There is no stick yet.
const NOBODY: u8 = 0;
/// A stick is being stored.
const COMING: u8 = 1;
/// Core 0 serves it; the next number is for core 1.
const FIRST: u8 = 2;

/// The current core, as [`Served`] stores it.
fn here() -> u8 {
    FIRST + current_core() as u8
}

// SAFETY: the stick is only accessed in a turn, so by one context at a time; that may be any context, since the stick is
// `Send`. Before the first turn, only the context that stores it accesses it.
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

    /// Stores the stick, once. If there is one already, drops `stick` and returns false.
    fn bring(&self, stick: T) -> bool {
        // Of several contexts that get here at the same time, one wins the exchange. The others access nothing, so failure
        // may be relaxed.
        if self.core.compare_exchange(NOBODY, COMING, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return false;
        }
        // SAFETY: only this context has found `NOBODY`, and turns are taken only after the next line.
        unsafe { *self.stick.get() = Some(stick) };
        self.core.store(here(), Ordering::Release);
        true
    }
}

/// Unmasks the interrupts of the USB controller and of the timer's first alarm on this core.
fn unmask<D: TimerDevice>() {
    // SAFETY: the stick owns the USB controller and the alarm and therefore their interrupts, and nothing else relies on their
    // masks. The handlers share data with the code here only through turns and critical sections.
    unsafe {
        processor::unmask(pac::Interrupt::USBCTRL_IRQ);
        processor::unmask(interrupt::<D>());
    }
}

/// Masks both until the active handler is done.
fn mask<D: TimerDevice>() {
    processor::mask(pac::Interrupt::USBCTRL_IRQ);
    processor::mask(interrupt::<D>());
}

/// Aliases of the timer's registers that set and clear bits (section 2.1.3): two cores may write at the same time.
const SET: usize = 0x2000;
const CLEAR: usize = 0x3000;

/// Forces the first alarm's interrupt on both cores (section 12.8.5, INTF), or stops forcing it.
fn force<D: TimerDevice>(alias: usize) {
    let register = D::get_perif().intf().as_ptr();
    // SAFETY: an alias of a register of the timer whose first alarm belongs to the stick; other alarms are not changed.
    unsafe { register.byte_add(alias).write_volatile(1) };
}

impl<F: Firmware<'static>, H: Home<Running<F>>, D: TimerDevice> Served<Stick<F, H, D>> {
    /// For [`serve!`](crate::serve): the handler that it declares is the one of the stick's alarm. With any other name the alarm's
    /// interrupt would have no handler, and the program would stay in the start-up code's default one.
    #[doc(hidden)]
    pub const fn check_alarm(name: &str) {
        match D::ID {
            0 => assert!(
                matches!(name.as_bytes(), b"TIMER0_IRQ_0"),
                "the stick's timer is TIMER0, the first alarm of which has the interrupt TIMER0_IRQ_0: write `picovd::serve!(STICK)`, \
                 or give the stick another timer with `picovd::stick!(disk, hal::timer::CopyableTimer1)`"
            ),
            _ => assert!(
                matches!(name.as_bytes(), b"TIMER1_IRQ_0"),
                "the stick's timer is TIMER1, the first alarm of which has the interrupt TIMER1_IRQ_0: write \
                 `picovd::serve!(STICK, TIMER1_IRQ_0)`"
            ),
        }
    }

    /// From now on, this core's interrupts serve the stick, and it appears on the bus. Call it on the core that started the
    /// stick: its USB controller does nothing on the other one. There is only one stick, so a second call does nothing.
    pub fn begin(&self, stick: Stick<F, H, D>) {
        if self.bring(stick) {
            unmask::<D>();
            self.wake();
        }
    }

    /// Requests the handler. Call it after dynamic files have changed, from any context on either core. Otherwise the change
    /// is noticed when the host next sends something, or after 131 ms. Before [`begin`](Served::begin) it does nothing: `begin`
    /// itself checks for changes.
    pub fn wake(&self) {
        // Once there is a stick, its timer is out of reset.
        if self.core.load(Ordering::Acquire) != NOBODY {
            force::<D>(SET);
        }
    }

    /// Does what there is to do; called by the handlers. On the other core it requests the handler like [`wake`](Served::wake),
    /// so that core's interrupts are not changed. Before [`begin`](Served::begin) it does nothing.
    pub fn serve(&self) {
        self.serve_with(&mut []);
    }

    /// The same for a stick with the application's classes, usually [`Shared`](crate::usb::Shared) ones:
    /// [`serve!`](crate::serve) does it.
    pub fn serve_with<const N: usize>(&self, classes: &mut Classes<'_, UsbBus, N>) {
        if self.core.load(Ordering::Acquire) != here() {
            return self.wake();
        }
        // Before the work, so that a request during the work is not lost.
        force::<D>(CLEAR);
        let turn = || {
            // SAFETY: it is this context's turn, and no other's on either core until the closure returns.
            let stick = unsafe { &mut *self.stick.get() };
            if let Some(stick) = stick {
                stick.serve(classes);
            }
        };
        // A handler of higher priority than the active one would be called again and again, because its cause persists, so
        // it is masked.
        self.turns.ask(turn, unmask::<D>, mask::<D>);
    }
}

/// Declares a [`Served`](crate::rp2350::Served) stick of that name, and the handlers of its interrupts. Use it after
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
///         // The application's own work.
///     }
/// }
/// ```
///
/// A second argument names the interrupt of the alarm where the stick's timer is not TIMER0: `picovd::serve!(STICK, TIMER1_IRQ_0);`.
/// Any other name than that of the stick's timer is refused by the compiler.
///
/// `with` names the application's classes, in the order in which they were allocated. Each is a static
/// [`Shared`](crate::usb::Shared): `picovd::serve!(STICK, with MOUSE, KEYBOARD);`.
#[macro_export]
macro_rules! serve {
    ($stick:ident $(, with $($class:path),+)?) => {
        $crate::serve!($stick, TIMER0_IRQ_0 $(, with $($class),+)?);
    };
    ($stick:ident, $alarm:ident $(, with $($class:path),+)?) => {
        /// The stick, which is served by its interrupts.
        static $stick: $crate::rp2350::Served<Stick> = $crate::rp2350::Served::new();

        const _: () = $crate::rp2350::Served::<Stick>::check_alarm(::core::stringify!($alarm));

        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn USBCTRL_IRQ() {
            $stick.serve_with(&mut [$($(&mut $class.serving()),+)?]);
        }

        #[allow(non_snake_case)]
        #[unsafe(no_mangle)]
        extern "C" fn $alarm() {
            $stick.serve_with(&mut [$($(&mut $class.serving()),+)?]);
        }
    };
}
