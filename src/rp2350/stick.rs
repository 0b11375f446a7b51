//! The stick on the chip: USB controller, timer, unique identity, sleep.

use super::clock::{Clock, interrupt};
use super::hardware::Chip;
use super::memory::AddressSpace;
use super::usb::{self, UsbBus};
use super::{processor, reboot};
use crate::clock::Instant;
use crate::stick::{self, Description, Firmware, Found, Hardware};
use crate::usb::{Classes, Console, Reset};
use crate::vd::Files;
use crate::volume::{BoardIdentity, DynamicFiles};
use core::marker::PhantomData;
use rp235x_hal::clocks::UsbClock;
use rp235x_hal::pac;
use rp235x_hal::timer::{Alarm0, CopyableTimer0, TimerDevice};
use static_cell::StaticCell;
use usb_device::bus::UsbBusAllocator;

/// Maximum time in microseconds until a change by the other core is noticed, if nothing else wakes this core: 131 ms. A
/// power of two, so no division is needed.
const LOOK: u64 = 1 << 17;

/// What runs on the chip's USB port.
pub type Running<F> = stick::Stick<'static, Chip, F>;

/// What [`Stick::boot`] has found out, the digits of the serial number, and the bus.
type Booted = (Found<'static>, &'static [u8; 16], &'static UsbBusAllocator<UsbBus>);

/// Where a program's stick is stored so that it takes no stack: a `static`, which [`firmware!`](crate::firmware) declares.
pub trait Home<T: 'static> {
    /// The storage, which is filled once.
    fn place() -> &'static StaticCell<T>;
}

/// The stick that the manifest's tables describe, on the chip's USB port, usually by the name that
/// [`firmware!`](crate::firmware) or [`stick!`](macro@crate::stick) gives it. Its parameters are the tables' `Manifest`, where it is
/// stored, and the system timer whose first alarm it owns.
///
/// ```ignore
/// picovd::stick!(disk);
/// let alarm = timer.alarm_0().unwrap();
/// let mut stick = Stick::new(pac.USB, pac.USB_DPRAM, alarm, &clocks.usb_clock, &mut pac.RESETS, &disk::DESCRIPTION);
/// loop {
///     stick.poll();
///     stick.sleep();
/// }
/// ```
pub struct Stick<F: Firmware<'static>, H: Home<Running<F>>, D: TimerDevice = CopyableTimer0> {
    stick: &'static mut Running<F>,
    clock: Clock<D>,
    again: Option<Instant>,
    /// The value of `again` when the alarm was last set.
    alarmed: Option<Instant>,
    /// A command is in progress, and only the bus can cause the next event.
    busy: bool,
    /// What there was to show before the last poll; interrupt handlers may have added to it since.
    seen: Option<(u32, u64)>,
    /// The core has slept in [`sleep`](Self::sleep) since the last poll: endpoint 0 sends its data there.
    slept: bool,
    home: PhantomData<H>,
}

impl<F: Firmware<'static>, H: Home<Running<F>>, D: TimerDevice> Stick<F, H, D> {
    /// Starts the USB controller, in a program that has started clocks and a timer itself: `clock` proves the former, `alarm`
    /// the latter. The stick appears on the bus at the first [`poll`](Self::poll), however late that is; from then on it has to
    /// be polled again and again.
    ///
    /// The boot ROM reboots with the watchdog and leaves it enabled: a program that takes longer to start than that reboot's
    /// delay must disable it first, as [`start`](Self::start) does.
    #[must_use]
    pub fn new(
        controller: pac::USB,
        dpram: pac::USB_DPRAM,
        alarm: Alarm0<D>,
        clock: &UsbClock,
        resets: &mut pac::RESETS,
        description: &Description<'static, F::Settings>,
    ) -> Self {
        let bus = UsbBus::new(controller, dpram, clock, D::get_perif(), resets);
        Self::on(Clock::new(alarm), bus, description)
    }

    /// The same beside USB classes of the application, which `make` allocates and returns. From then on, call
    /// [`poll_with`](Self::poll_with) with all of them in place of [`poll`](Self::poll).
    ///
    /// The stick's interfaces come first, so that the disk's is the same as without other classes. If the manifest has no
    /// `usb.serial`, boards are told apart as without them. Classes may have bulk and interrupt endpoints of up to 64 bytes:
    /// there are 15 numbers for each direction, of which the stick takes 3 IN and 2 OUT at most. All descriptors together have room for 256
    /// bytes; of these the stick takes 107 at most.
    ///
    /// ```ignore
    /// let (mut stick, mut hid) = Stick::with_classes(
    ///     pac.USB, pac.USB_DPRAM, alarm, &clocks.usb_clock, &mut pac.RESETS, &disk::DESCRIPTION,
    ///     |bus| HIDClass::new(bus, MouseReport::desc(), 10),
    /// );
    /// loop {
    ///     stick.poll_with(&mut [&mut hid]);
    ///     stick.sleep();
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// If the controller does not have an endpoint that a class asks for, also where the class would do without: the numbers are
    /// used up, or it is an isochronous one or one of more than 64 bytes.
    #[must_use]
    pub fn with_classes<C>(
        controller: pac::USB,
        dpram: pac::USB_DPRAM,
        alarm: Alarm0<D>,
        clock: &UsbClock,
        resets: &mut pac::RESETS,
        description: &Description<'static, F::Settings>,
        make: impl FnOnce(&'static UsbBusAllocator<UsbBus>) -> C,
    ) -> (Self, C) {
        let bus = UsbBus::new(controller, dpram, clock, D::get_perif(), resets);
        Self::beside(Clock::new(alarm), bus, description, make)
    }

    /// The stick on a bus, beside the classes that `make` allocates.
    #[inline(never)]
    pub(super) fn beside<C>(
        clock: Clock<D>,
        bus: UsbBus,
        description: &Description<'static, F::Settings>,
        make: impl FnOnce(&'static UsbBusAllocator<UsbBus>) -> C,
    ) -> (Self, C) {
        bus.explain_shortage();
        let (found, digits, alloc) = Self::boot(bus, description);
        let mut classes = None;
        let stick = Self::store(|| {
            let restart = restart as fn(Reset);
            let (stick, made) =
                stick::Stick::with_classes(alloc, description, found, digits, AddressSpace, restart, make);
            classes = Some(made);
            stick
        });
        let Some(classes) = classes else { processor::reset() };
        (Self::with(stick, clock), classes)
    }

    /// The stick on a bus. A separate function, so that its stack frame exists only during the start.
    #[inline(never)]
    pub(super) fn on(clock: Clock<D>, bus: UsbBus, description: &Description<'static, F::Settings>) -> Self {
        // Before the first generation, which shows it.
        let safe = F::crash().is_some_and(|crash| crash.crash.take_safe_start());
        if safe && let Some(log) = description.built_in.log {
            log.write(b"[started safe, without the application: it crashed three times within 10 s of its start]\r\n");
        }
        let (found, digits, alloc) = Self::boot(bus, description);
        let stick = Self::with(Self::make(alloc, description, found, digits), clock);
        if safe { stick.stay() } else { stick }
    }

    /// The stick alone, until the next start: the application crashes again and again.
    #[cold]
    fn stay(mut self) -> ! {
        loop {
            self.poll();
            self.sleep();
        }
    }

    /// Finds out about the board, and sets up what the description asks for.
    #[inline]
    fn boot(bus: UsbBus, description: &Description<'static, F::Settings>) -> Booted {
        processor::start();
        let found = Chip.begin::<F>(description);
        let digits = processor::singleton!(: [u8; 16] = [0; 16]);
        // The peripherals exist once, so this runs once.
        let (Some(digits), Some(alloc)) = (digits, allocator(bus)) else { processor::reset() };
        *digits = found.board.unwrap_or(BoardIdentity(0)).digits();
        (found, digits, alloc)
    }

    fn with(stick: &'static mut Running<F>, clock: Clock<D>) -> Self {
        Self { stick, clock, again: None, alarmed: None, busy: false, seen: None, slept: false, home: PhantomData }
    }

    /// Stores the stick.
    #[inline(never)]
    fn make(
        alloc: &'static UsbBusAllocator<UsbBus>,
        description: &Description<'static, F::Settings>,
        found: Found<'static>,
        digits: &'static [u8; 16],
    ) -> &'static mut Running<F> {
        Self::store(|| stick::Stick::new(alloc, description, found, digits, AddressSpace, restart as fn(Reset)))
    }

    #[inline]
    fn store(make: impl FnOnce() -> Running<F>) -> &'static mut Running<F> {
        // The peripherals exist once, so this runs once.
        let Some(stick) = H::place().try_init_with(make) else { processor::reset() };
        stick
    }

    /// Does what there is to do. Call it after every interrupt, and after each change of the application's files.
    pub fn poll(&mut self) {
        self.poll_with(&mut []);
    }

    /// The same for a stick [`with_classes`](Self::with_classes): with all of them, in the order in which they were
    /// allocated. There may be eight.
    ///
    /// # Panics
    ///
    /// If a host reads the descriptors and finds those of other classes, or in another order; or if they are too long.
    pub fn poll_with<const N: usize>(&mut self, classes: &mut Classes<'_, UsbBus, N>) {
        self.stick.usb_mut().bus().withhold();
        self.look_around(classes);
        // Otherwise `sleep` does it, where no code of the program runs in between.
        if !core::mem::take(&mut self.slept) {
            self.stick.usb_mut().bus().release();
        }
    }

    /// What [`poll`](Self::poll) does while endpoint 0 sends nothing.
    #[inline]
    fn look_around<const N: usize>(&mut self, classes: &mut Classes<'_, UsbBus, N>) {
        // The shortcuts, which bypass the work that usb-device does for each event.
        let mut fast = self.stick.usb_mut().fast_path();
        if self.busy && fast.send_next() {
            return;
        }
        let short = self.busy && fast.send_last() || fast.receive();
        self.busy = if short { self.stick.is_under_way() } else { self.stick.turn_with(classes) };
        let waits =
            if short { self.busy.then(|| self.stick.silent_until()) } else { self.stick.wait(self.clock.now()) };
        if let Some(again) = waits {
            // An event that is not a packet of the command may be the alarm, which `sleep` then sets again.
            self.again = if short || !Self::LOOKS {
                again
            } else {
                Some(again.map_or(self.look(), |again| again.min(self.look())))
            };
        } else {
            self.seen = processor::interrupts_enabled().then(|| self.stick.news());
            self.again = self.stick.poll_with(self.clock.now(), classes);
            if let Some(wait) = self.stick.usb_mut().bus().attaches_in() {
                self.wake_at(Instant(self.clock.now().0.saturating_add(u64::from(wait))));
            }
            if self.stick.take_restart() {
                reboot::to_flash();
            }
        }
    }

    /// Sleeps until an interrupt arrives, or the next [`poll`](Self::poll) is due. Returns immediately if there is
    /// something to do: a packet, or a change that an interrupt handler has made since the last poll.
    ///
    /// Interrupts wake the core even while PRIMASK masks them, and their handlers run when it is cleared. So a program that
    /// checks what its handlers have left and then sleeps has to mask interrupts before the check. The stick's own
    /// interrupts have no handlers; they are enabled only inside this function.
    ///
    /// Endpoint 0 answers while the core sleeps here: then no code of the program runs between a SETUP packet and the end
    /// of the previous transfer. In a program that never sleeps, it answers between two polls, which should be a few
    /// microseconds apart.
    pub fn sleep(&mut self) {
        // An alarm that went off keeps the core awake until it is cleared, and endpoint 0 answers NAK meanwhile.
        if self.busy && (self.again.is_none() || self.again == self.alarmed) && !self.clock.has_come() {
            // The fast path, for each packet of a READ. The alarm that was set before wakes the core once, because the host
            // may never continue. The poll after that sets another time.
            return processor::free(|| {
                if !usb::waits() {
                    processor::unpend(pac::Interrupt::USBCTRL_IRQ);
                    // SAFETY: as below.
                    unsafe {
                        processor::unmask(pac::Interrupt::USBCTRL_IRQ);
                        processor::unmask(interrupt::<D>());
                    }
                    self.slept = true;
                    self.stick.usb_mut().bus().wait();
                    processor::mask(pac::Interrupt::USBCTRL_IRQ);
                    processor::mask(interrupt::<D>());
                }
            });
        }
        self.alarmed = self.again;
        processor::free(|| {
            self.clock.acknowledge();
            self.clock.wake_at(self.next_look());
            if usb::waits() || self.seen.is_some_and(|seen| seen != self.stick.news()) {
                return;
            }
            // Events since the last poll keep the controller's line active, which makes the interrupt pending again, and a
            // pending interrupt keeps the core awake.
            processor::unpend(pac::Interrupt::USBCTRL_IRQ);
            // SAFETY: PRIMASK is set, so they only wake the core; they are disabled again before it is cleared.
            unsafe {
                processor::unmask(pac::Interrupt::USBCTRL_IRQ);
                processor::unmask(interrupt::<D>());
            }
            self.slept = true;
            self.stick.usb_mut().bus().wait();
            processor::mask(pac::Interrupt::USBCTRL_IRQ);
            processor::mask(interrupt::<D>());
        });
    }

    /// What an interrupt handler does in place of [`poll`](Self::poll) and [`sleep`](Self::sleep). Prepares the next
    /// interrupt.
    pub(super) fn serve<const N: usize>(&mut self, classes: &mut Classes<'_, UsbBus, N>) {
        self.clock.acknowledge();
        self.poll_with(classes);
        self.clock.wake_at(self.next_look());
        if usb::waits() {
            processor::pend(pac::Interrupt::USBCTRL_IRQ);
        }
    }

    /// When to wake up: when the stick needs it, and regularly if the other core may have changed or printed something,
    /// since that causes no interrupt here.
    fn next_look(&self) -> Option<Instant> {
        if !Self::LOOKS {
            return self.again;
        }
        let look = self.look();
        Some(self.again.map_or(look, |again| again.min(look)))
    }

    /// Whether the other core may change something that hosts have to see, without causing an interrupt here.
    const LOOKS: bool = F::Files::PRESENT || F::CONSOLE;

    /// The next regular check. The same time until it has passed: the alarm is set once.
    fn look(&self) -> Instant {
        Instant((self.clock.now().0 | (LOOK - 1)).saturating_add(1))
    }

    /// Wakes the core at `moment` even if the stick does not need it.
    pub fn wake_at(&mut self, moment: Instant) {
        self.again = Some(self.again.map_or(moment, |again| again.min(moment)));
    }

    /// The time since power-on.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The dynamic files.
    #[must_use]
    pub fn files(&self) -> &'static Files<'static> {
        self.stick.files()
    }

    /// The console, if there is one.
    pub fn console_mut(&mut self) -> Option<&mut Console<'static, UsbBus>> {
        self.stick.console_mut()
    }
}

/// Stores the bus's allocator, once.
#[inline(never)]
fn allocator(bus: UsbBus) -> Option<&'static UsbBusAllocator<UsbBus>> {
    processor::singleton!(: UsbBusAllocator<UsbBus> = UsbBusAllocator::new(bus)).map(|alloc| &*alloc)
}

impl Hardware<'static> for Chip {
    type Bus = UsbBus;
    type Restart = fn(Reset);
}

/// Carries out picotool's request.
fn restart(reset: Reset) {
    match reset {
        Reset::Bootsel { no_mass_storage, no_picoboot, activity_led } => {
            reboot::to_bootsel(no_mass_storage, no_picoboot, activity_led);
        }
        Reset::Flash => reboot::to_flash(),
    }
}
