//! The stick on the chip: USB controller, timer, unique identity, sleep.

use super::clock::Clock;
use super::memory::AddressSpace;
use super::partitions::Bootrom;
use super::{FirmwareUsbBus, board_id, facts, reboot, usb_bus};
use crate::clock::Instant;
use crate::files::PartitionFiles;
use crate::stick::{self, Description};
use crate::usb::{Console, Reset};
use crate::vd::Files;
use crate::volume::BoardIdentity;
use cortex_m::peripheral::{NVIC, SCB};
use cortex_m::register::primask;
use rp235x_hal::clocks::ClocksManager;
use rp235x_hal::pac;
use usb_device::bus::UsbBusAllocator;

/// The stick that the manifest's tables describe, on the chip's USB port. The parameters are the tables' `CONSOLE` and
/// `RESET`.
///
/// ```ignore
/// picovd::tables!(disk);
/// let mut stick = Stick::<{ disk::CONSOLE }, { disk::RESET }>::new(
///     board.USB, board.USB_DPRAM, board.TIMER0, clocks, &mut board.RESETS, &disk::DESCRIPTION,
/// );
/// loop {
///     stick.poll();
///     stick.sleep();
/// }
/// ```
pub struct Stick<const CONSOLE: bool, const RESET: bool> {
    stick: stick::Stick<'static, FirmwareUsbBus, AddressSpace, fn(Reset), CONSOLE, RESET>,
    clock: Clock,
    again: Option<Instant>,
    /// What there was to show before the last poll, where interrupt handlers may have added to it since.
    seen: Option<(u32, u64)>,
}

impl<const CONSOLE: bool, const RESET: bool> Stick<CONSOLE, RESET> {
    /// Starts the USB controller and the timer. The stick appears on the bus when [`poll`](Self::poll) is called again and
    /// again.
    #[must_use]
    pub fn new(
        usb: pac::USB,
        dpram: pac::USB_DPRAM,
        timer: pac::TIMER0,
        clocks: ClocksManager,
        resets: &mut pac::RESETS,
        description: &Description<'static>,
    ) -> Self {
        let clock = Clock::new(timer, resets, &clocks);
        Self::on(clock, usb_bus(usb, dpram, clocks.usb_clock, resets), description)
    }

    /// The stick on a bus.
    pub(super) fn on(clock: Clock, bus: FirmwareUsbBus, description: &Description<'static>) -> Self {
        if let Some(log) = description.built_in.log {
            crate::files::set_log(log);
        }
        let board = board_id::read();
        let digits = cortex_m::singleton!(: [u8; 16] = [0; 16]);
        let alloc = cortex_m::singleton!(: UsbBusAllocator<FirmwareUsbBus> = UsbBusAllocator::new(bus));
        // The peripherals exist once, so this runs once.
        let (Some(digits), Some(alloc)) = (digits, alloc) else { SCB::sys_reset() };
        *digits = board.unwrap_or(BoardIdentity(0)).digits();
        if let Some(info) = description.built_in.info {
            info.set(facts::read(board));
        }
        // Before a host can see the stick, and after the files that have their names for good: `Stick::new` finds these added.
        let _ = description.built_in.register(description.files);
        if let Some(plan) = description.built_in.partitions
            && let Some(files) = cortex_m::singleton!(: PartitionFiles<'static, AddressSpace> = PartitionFiles::new())
        {
            // PARTITIONS.JSON has its room by the manifest's checks, and there is nobody to tell.
            let _ = files.register(plan, &mut Bootrom, AddressSpace, description.files);
        }
        let stick = stick::Stick::new(alloc, description, board, digits, AddressSpace, restart as fn(Reset));
        Self { stick, clock, again: None, seen: None }
    }

    /// Does what there is to do: to be called after every interrupt, and after each change of the application's files.
    pub fn poll(&mut self) {
        self.seen = primask::read().is_active().then(|| self.stick.news());
        self.again = self.stick.poll(self.clock.now());
    }

    /// Sleeps until an interrupt comes, or the next [`poll`](Self::poll) is due. Returns at once where something waits: a
    /// packet, or a change that an interrupt handler has made since the last poll.
    ///
    /// Interrupts wake the core even while they are masked by PRIMASK, and then run when it is cleared: so a program that looks
    /// at what its handlers left, and then sleeps, masks them before it looks. The stick's own interrupts have no handlers;
    /// they are enabled in here only.
    pub fn sleep(&mut self) {
        cortex_m::interrupt::free(|_| {
            self.clock.acknowledge();
            self.clock.wake_at(self.again);
            if self.seen.is_some_and(|seen| seen != self.stick.news()) {
                return;
            }
            // What came since the last poll keeps the controller's line up, which pends the interrupt again, and a pending
            // interrupt keeps the core awake.
            NVIC::unpend(pac::Interrupt::USBCTRL_IRQ);
            // SAFETY: PRIMASK is set, so they only wake the core; they are disabled again before it is cleared.
            unsafe {
                NVIC::unmask(pac::Interrupt::USBCTRL_IRQ);
                NVIC::unmask(pac::Interrupt::TIMER0_IRQ_0);
            }
            cortex_m::asm::wfi();
            NVIC::mask(pac::Interrupt::USBCTRL_IRQ);
            NVIC::mask(pac::Interrupt::TIMER0_IRQ_0);
        });
    }

    /// Wakes the core at `moment` even where the stick does not need it.
    pub fn wake_at(&mut self, moment: Instant) {
        self.again = Some(self.again.map_or(moment, |again| again.min(moment)));
    }

    /// The time since power-on.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// The files of run time.
    #[must_use]
    pub fn files(&self) -> &'static Files<'static> {
        self.stick.files()
    }

    /// The console, where there is one.
    pub fn console(&mut self) -> Option<&mut Console<'static, FirmwareUsbBus>> {
        self.stick.console()
    }
}

/// What picotool asked for.
fn restart(reset: Reset) {
    match reset {
        Reset::Bootsel { no_mass_storage, no_picoboot, activity_led } => {
            reboot::to_bootsel(no_mass_storage, no_picoboot, activity_led);
        }
        Reset::Flash => reboot::to_flash(),
    }
}
