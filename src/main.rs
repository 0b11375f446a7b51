//! The firmware: clocks, USB, and a loop that sleeps when there is nothing to do. Empty except on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

/// What `build.rs` made of picovd.toml.
#[cfg(target_os = "none")]
mod manifest {
    include!(concat!(env!("OUT_DIR"), "/volume.rs"));
}

#[cfg(target_os = "none")]
mod firmware {
    use super::manifest;
    use picovd::device::Device;
    use picovd::rp2350::memory::AddressSpace;
    use picovd::rp2350::{board_id, panic, usb_bus};
    use picovd::scsi::UnitIdentity;
    use picovd::usb::{self, MassStorage};
    use picovd::volume::{BoardIdentity, Volume};
    use rp235x_hal as hal;
    use usb_device::bus::UsbBusAllocator;

    /// Frequency of the crystal on the Pico 2 and its relatives, in hertz.
    const CRYSTAL: u32 = 12_000_000;

    /// What the bootrom looks for in the first 4 KiB of an image (section 5.9.5).
    #[unsafe(link_section = ".start_block")]
    #[used]
    static IMAGE_DEF: hal::block::ImageDef = hal::block::ImageDef::secure_exe();

    #[hal::entry]
    fn main() -> ! {
        // Interrupts wake the core, and the loop below does the work.
        cortex_m::interrupt::disable();
        let mut board = hal::pac::Peripherals::take().expect("nobody took them before");
        let mut watchdog = hal::Watchdog::new(board.WATCHDOG);
        let clocks = hal::clocks::init_clocks_and_plls(
            CRYSTAL,
            board.XOSC,
            board.CLOCKS,
            board.PLL_SYS,
            board.PLL_USB,
            &mut board.RESETS,
            &mut watchdog,
        )
        .unwrap_or_else(|_| panic!("the crystal does not run at 12 MHz"));

        let identity = board_id::read();
        let digits = identity.unwrap_or(BoardIdentity(0)).digits();
        let serial = manifest::USB_SERIAL.unwrap_or(core::str::from_utf8(&digits).expect("digits are ASCII"));
        let volume = Volume::new(&manifest::LAYOUT, identity, AddressSpace);
        let device = Device::new(volume, UnitIdentity { serial, ..manifest::UNIT });

        let bus = usb_bus(board.USB, board.USB_DPRAM, clocks.usb_clock, &mut board.RESETS);
        let alloc = UsbBusAllocator::new(bus);
        let mut mass_storage = MassStorage::new(&alloc, device);
        let mut usb = usb::device(&alloc, manifest::USB, serial);
        loop {
            cortex_m::peripheral::NVIC::unpend(hal::pac::Interrupt::USBCTRL_IRQ);
            while usb.poll(&mut [&mut mass_storage]) {}
            // An event since `unpend` keeps the interrupt pending, and a pending interrupt keeps the core awake.
            cortex_m::asm::wfi();
        }
    }

    #[panic_handler]
    fn on_panic(info: &core::panic::PanicInfo<'_>) -> ! {
        cortex_m::interrupt::disable();
        panic::keep(info);
        cortex_m::peripheral::SCB::sys_reset()
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
