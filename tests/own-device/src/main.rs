//! A firmware for tests: the disk and the serial port in a USB device of the program's own, on the HAL's bus. The device is a MIDI
//! instrument that plays each note an octave higher. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[allow(unsafe_code)]
mod program {
    use core::sync::atomic::{AtomicU32, Ordering};
    use cortex_m::peripheral::syst::SystClkSource;
    use cortex_m::peripheral::{NVIC, SCB};
    use picovd::console::{Command, Commands};
    use picovd::rp2350::rp235x_hal::clocks::init_clocks_and_plls;
    use picovd::rp2350::rp235x_hal::pac::Interrupt;
    use picovd::rp2350::rp235x_hal::usb::UsbBus;
    use picovd::rp2350::rp235x_hal::{self, Timer, Watchdog, pac};
    use picovd::rp2350::{CRYSTAL, Chip, Disk};
    use usb_device::bus::UsbBusAllocator;
    use usb_device::device::{StringDescriptors, UsbDeviceBuilder, UsbVidPid};
    use usbd_midi::UsbMidiClass;

    picovd::tables!(disk);
    picovd::program_info!(disk);
    picovd::panic_handler!(disk);

    #[unsafe(link_section = ".start_block")]
    #[used]
    static IMAGE_DEF: rp235x_hal::block::ImageDef = rp235x_hal::block::ImageDef::secure_exe();

    /// Length of a USB-MIDI event packet (USB Device Class Definition for MIDI Devices 1.0, 4).
    const EVENT: usize = 4;

    /// How often `knock` was carried out.
    static KNOCKS: AtomicU32 = AtomicU32::new(0);

    static COMMANDS: Commands<16> = Commands::new(&[Command {
        name: "knock",
        usage: "knock",
        run: |arguments, answer| {
            if !arguments.is_empty() {
                return Err("who is there?");
            }
            let knocks = KNOCKS.fetch_add(1, Ordering::Relaxed) + 1;
            picovd::println!("knock {knocks}");
            write!(answer, "{knocks}").map_err(|_| "there is room for it")
        },
    }]);

    #[rp235x_hal::entry]
    fn main() -> ! {
        let Some(mut pac) = pac::Peripherals::take() else { panic!("they are taken once") };
        let mut watchdog = Watchdog::new(pac.WATCHDOG);
        let Ok(clocks) = init_clocks_and_plls(
            CRYSTAL,
            pac.XOSC,
            pac.CLOCKS,
            pac.PLL_SYS,
            pac.PLL_USB,
            &mut pac.RESETS,
            &mut watchdog,
        ) else {
            panic!("the crystal's frequency is right")
        };
        let timer = Timer::new_timer1(pac.TIMER1, &mut pac.RESETS, &clocks);
        let bus = UsbBus::new(pac.USB, pac.USB_DPRAM, clocks.usb_clock, true, &mut pac.RESETS);
        let bus = UsbBusAllocator::new(bus);
        // The first one: usbd-midi 0.5 takes for granted that its interfaces are 0 and 1.
        let Ok(mut midi) = UsbMidiClass::new(&bus, 1, 1) else { panic!("there is one jack in each direction") };
        let mut stick = Disk::<disk::Manifest, _>::new(&bus, &disk::DESCRIPTION);
        disk::SETTINGS.set_commands(&COMMANDS);
        let strings = StringDescriptors::default()
            .manufacturer("Example")
            .product("Octave")
            .serial_number(Chip.serial_number(&disk::DESCRIPTION));
        let Ok(builder) = UsbDeviceBuilder::new(&bus, UsbVidPid(0x2E8A, 0x000A))
            .composite_with_iads()
            .strings(&[strings])
            .and_then(|builder| builder.max_packet_size_0(64))
        else {
            panic!("one set of strings, 64 bytes")
        };
        let mut usb = builder.build();
        // The core sleeps until the bus has an event, or for a millisecond. Both wake it although interrupts are masked, and no
        // handler runs.
        cortex_m::interrupt::disable();
        let Some(core) = cortex_m::Peripherals::take() else { panic!("they are taken once") };
        let mut tick = core.SYST;
        tick.set_clock_source(SystClkSource::Core);
        tick.set_reload(150_000);
        tick.clear_current();
        tick.enable_counter();
        tick.enable_interrupt();
        let (mut events, mut unsent) = ([0; 64], 0..0);
        loop {
            NVIC::unpend(Interrupt::USBCTRL_IRQ);
            SCB::clear_pendst();
            usb.poll(&mut [&mut midi, &mut stick]);
            stick.follow(&mut usb, timer.get_counter());
            if unsent.is_empty() {
                unsent = 0..midi.read(&mut events).unwrap_or(0) / EVENT * EVENT;
            }
            let event = events.get(unsent.clone()).and_then(|rest| rest.first_chunk::<EVENT>());
            if let Some([cable, status, note, velocity]) = event
                && midi.send_bytes([*cable, *status, note.wrapping_add(12) & 0x7F, *velocity]).is_ok()
            {
                unsent.start += EVENT;
            }
            // SAFETY: interrupts are masked.
            unsafe { NVIC::unmask(Interrupt::USBCTRL_IRQ) };
            cortex_m::asm::wfi();
            NVIC::mask(Interrupt::USBCTRL_IRQ);
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
