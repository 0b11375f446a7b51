//! A firmware for the bench: the stock manifest's stick on the HAL's driver of the USB controller, to compare ours with. Built by
//! `cargo xtask bench`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::ptr;
    use cortex_m::peripheral::NVIC;
    use cortex_m::singleton;
    use picovd::clock::Instant;
    use picovd::files::{BoardFacts, PartitionPlan, ResetReason};
    use picovd::rp2350::CRYSTAL;
    use picovd::rp2350::rp235x_hal::clocks::init_clocks_and_plls;
    use picovd::rp2350::rp235x_hal::fugit::MicrosDurationU32;
    use picovd::rp2350::rp235x_hal::pac::{self, Interrupt};
    use picovd::rp2350::rp235x_hal::timer::{Alarm, Alarm0, CopyableTimer0};
    use picovd::rp2350::rp235x_hal::usb::UsbBus;
    use picovd::rp2350::rp235x_hal::{self, Timer, Watchdog};
    use picovd::settings::{Configured, Plan, Storage};
    use picovd::stick::{Hardware, Platform, Stick, boot};
    use picovd::usb::{Packets, Reset};
    use picovd::vd::Files;
    use picovd::volume::layout::Redactions;
    use picovd::volume::{BoardIdentity, Memory};
    use usb_device::bus::{PollResult, UsbBus as Bus, UsbBusAllocator};
    use usb_device::endpoint::{EndpointAddress, EndpointType};
    use usb_device::{Result, UsbDirection};

    /// Tables, image definition and panic handler; its stick is ours, and not used.
    #[allow(dead_code)]
    mod firmware {
        picovd::firmware!(tables);

        pub use tables::{DESCRIPTION, Manifest};
    }
    use firmware::{DESCRIPTION, Manifest};

    /// The HAL's bus. It cannot report single packets.
    struct HalBus(UsbBus);

    impl Packets for HalBus {}

    impl Bus for HalBus {
        const QUIRK_SET_ADDRESS_BEFORE_STATUS: bool = <UsbBus as Bus>::QUIRK_SET_ADDRESS_BEFORE_STATUS;

        fn alloc_ep(
            &mut self,
            direction: UsbDirection,
            address: Option<EndpointAddress>,
            kind: EndpointType,
            max_packet_size: u16,
            interval: u8,
        ) -> Result<EndpointAddress> {
            self.0.alloc_ep(direction, address, kind, max_packet_size, interval)
        }

        fn enable(&mut self) {
            self.0.enable();
        }

        fn reset(&self) {
            self.0.reset();
        }

        fn set_device_address(&self, address: u8) {
            self.0.set_device_address(address);
        }

        fn write(&self, address: EndpointAddress, packet: &[u8]) -> Result<usize> {
            self.0.write(address, packet)
        }

        fn read(&self, address: EndpointAddress, out: &mut [u8]) -> Result<usize> {
            self.0.read(address, out)
        }

        fn set_stalled(&self, address: EndpointAddress, stalled: bool) {
            self.0.set_stalled(address, stalled);
        }

        fn is_stalled(&self, address: EndpointAddress) -> bool {
            self.0.is_stalled(address)
        }

        fn suspend(&self) {
            self.0.suspend();
        }

        fn resume(&self) {
            self.0.resume();
        }

        fn poll(&self) -> PollResult {
            self.0.poll()
        }
    }

    /// The chip's memory. The library's own view of it belongs to the library's own stick.
    struct Chip;

    impl Memory for Chip {
        fn read(&self, address: u32, out: &mut [u8]) {
            // The ROM begins at address 0, which Rust cannot read.
            let (unread, out) = out.split_at_mut(if address == 0 { out.len().min(1) } else { 0 });
            unread.fill(0);
            let from = (address as usize + unread.len()) as *const u8;
            // SAFETY: the stock manifest's windows are ROM, flash and SRAM, which reading changes nothing of. `out` may be some of
            // what is read.
            unsafe { ptr::copy(from, out.as_mut_ptr(), out.len()) };
        }
    }

    /// The chip with the HAL's bus. What else a start asks for, the stock manifest shows nothing of that is measured.
    struct Hal;

    impl Hardware<'static> for Hal {
        type Bus = HalBus;
        type Restart = fn(Reset);
    }

    impl Platform<'static> for Hal {
        type Memory = Chip;

        fn identity(&mut self) -> Option<BoardIdentity> {
            None
        }

        fn flash(&mut self, _: u32) -> Option<u32> {
            None
        }

        fn hide<S: Configured<'static>>(&mut self, _: S, _: Redactions<'static>, _: u32) {}

        fn facts(&mut self, identity: Option<BoardIdentity>, flash: Option<u32>) -> BoardFacts<'static> {
            let reset = ResetReason::default();
            BoardFacts { chip: "RP2350", bootrom: None, flash, identity, reset, panic: None }
        }

        fn show_partitions(&mut self, _: PartitionPlan<'static>, _: &'static Files<'static>) {}

        fn storage(&mut self, _: &Plan<'static>, _: Option<u32>) -> Option<&'static mut (dyn Storage + Send)> {
            None
        }

        fn strings(&mut self) -> Option<&'static mut [[u8; 96]; 2]> {
            None
        }
    }

    /// Sleeps until the bus has something to report, or `moment`.
    fn sleep(timer: &Timer<CopyableTimer0>, alarm: &mut Alarm0<CopyableTimer0>, moment: Option<Instant>) {
        alarm.clear_interrupt();
        if let Some(moment) = moment {
            let wait = moment.0.saturating_sub(timer.get_counter().ticks()).clamp(100, 3_600_000_000);
            // It is less than what an alarm can wait for.
            let _ = alarm.schedule(MicrosDurationU32::micros(wait as u32));
            alarm.enable_interrupt();
        }
        cortex_m::interrupt::free(|_| {
            NVIC::unpend(Interrupt::USBCTRL_IRQ);
            NVIC::unpend(Interrupt::TIMER0_IRQ_0);
            // SAFETY: PRIMASK is set, so they only wake the core; they are masked again before it is cleared.
            unsafe {
                NVIC::unmask(Interrupt::USBCTRL_IRQ);
                NVIC::unmask(Interrupt::TIMER0_IRQ_0);
            }
            cortex_m::asm::wfi();
            NVIC::mask(Interrupt::USBCTRL_IRQ);
            NVIC::mask(Interrupt::TIMER0_IRQ_0);
        });
    }

    #[rp235x_hal::entry]
    fn main() -> ! {
        let Some(all) = pac::Peripherals::take() else { panic!("the peripherals are taken") };
        let (mut resets, mut watchdog) = (all.RESETS, Watchdog::new(all.WATCHDOG));
        watchdog.disable();
        let (plls, clocks) = ((all.PLL_SYS, all.PLL_USB), all.CLOCKS);
        let clocks = init_clocks_and_plls(CRYSTAL, all.XOSC, clocks, plls.0, plls.1, &mut resets, &mut watchdog);
        let Ok(clocks) = clocks else { panic!("the crystal does not run at 12 MHz") };
        let mut timer = Timer::new_timer0(all.TIMER0, &mut resets, &clocks);
        let Some(mut alarm) = timer.alarm_0() else { panic!("the alarm is taken") };
        let bus = UsbBus::new(all.USB, all.USB_DPRAM, clocks.usb_clock, true, &mut resets);
        let Some(alloc) = singleton!(: UsbBusAllocator<HalBus> = UsbBusAllocator::new(HalBus(bus))) else {
            panic!("the bus is taken")
        };
        let found = boot::<_, Manifest>(&mut Hal, &DESCRIPTION);
        let mut stick = Stick::<Hal, Manifest>::new(alloc, &DESCRIPTION, found, &[b'0'; 16], Chip, |_| {});
        loop {
            // While a command is under way, only the bus has news.
            let waits = if stick.turn() { stick.wait(Instant(timer.get_counter().ticks())) } else { None };
            let again = waits.unwrap_or_else(|| stick.poll(Instant(timer.get_counter().ticks())));
            sleep(&timer, &mut alarm, again);
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
