//! Starts a Pico 2 or a similar board for custom firmware: [`Stick::start`], and the parts of the board that it does not
//! use.

use super::Stick;
use super::clock::Clock;
use super::stick::{Home, Running};
use super::usb::UsbBus;
use crate::stick::{Description, Firmware};
use rp235x_hal::clocks::{AdcClock, PeripheralClock, SystemClock, init_clocks_and_plls};
use rp235x_hal::pac;
use rp235x_hal::timer::{Alarm0, CopyableTimer0, CopyableTimer1, TimerDevice};
use rp235x_hal::{Timer, Watchdog};
use usb_device::bus::UsbBusAllocator;

/// Frequency of the crystal on the Pico 2 and similar boards, in hertz.
pub const CRYSTAL: u32 = 12_000_000;

/// The parts of the board that the stick does not use: running clocks, the second timer, and the peripherals with the names
/// that [`pac::Peripherals`] gives them.
#[allow(missing_docs, non_snake_case, reason = "the datasheet names and describes the peripherals")]
pub struct Board {
    /// The system clock, 150 MHz.
    pub system_clock: SystemClock,
    /// The clock of UART and SPI, 150 MHz.
    pub peripheral_clock: PeripheralClock,
    /// The ADC's clock, 48 MHz.
    pub adc_clock: AdcClock,
    /// TIMER1, in microseconds. TIMER0 is used by the stick.
    pub timer: Timer<CopyableTimer1>,
    /// The watchdog, with its tick running.
    pub watchdog: Watchdog,
    pub RESETS: pac::RESETS,
    pub ADC: pac::ADC,
    pub DMA: pac::DMA,
    pub I2C0: pac::I2C0,
    pub I2C1: pac::I2C1,
    pub IO_BANK0: pac::IO_BANK0,
    pub OTP_DATA: pac::OTP_DATA,
    pub PADS_BANK0: pac::PADS_BANK0,
    pub PIO0: pac::PIO0,
    pub PIO1: pac::PIO1,
    pub PIO2: pac::PIO2,
    pub POWMAN: pac::POWMAN,
    pub PPB: pac::PPB,
    pub PSM: pac::PSM,
    pub PWM: pac::PWM,
    pub ROSC: pac::ROSC,
    pub SHA256: pac::SHA256,
    pub SIO: pac::SIO,
    pub SPI0: pac::SPI0,
    pub SPI1: pac::SPI1,
    pub SYSCFG: pac::SYSCFG,
    pub TRNG: pac::TRNG,
    pub UART0: pac::UART0,
    pub UART1: pac::UART1,
}

impl<F: Firmware<'static>, H: Home<Running<F>>> Stick<F, H, CopyableTimer0> {
    /// Starts the crystal, the clocks and the stick, once: 150 MHz from a crystal of 12 MHz, as on the Pico 2 and similar
    /// boards. On other boards, start the clocks yourself and call [`new`](Self::new).
    ///
    /// Files that are registered before the first [`poll`](Self::poll) are present from the start.
    ///
    /// # Panics
    ///
    /// If the peripherals were taken before, or if the crystal does not run.
    #[must_use]
    pub fn start(description: &Description<'static, F::Settings>) -> (Self, Board) {
        let (alarm, bus, board) = start();
        (Self::on(Clock::new(alarm), bus, description), board)
    }

    /// The same beside USB classes of the application: see [`with_classes`](Self::with_classes).
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start), and as in usb-device if the controller does not have an endpoint that a class asks for.
    #[must_use]
    pub fn start_with_classes<C>(
        description: &Description<'static, F::Settings>,
        make: impl FnOnce(&'static UsbBusAllocator<UsbBus>) -> C,
    ) -> (Self, Board, C) {
        let (alarm, bus, board) = start();
        let (stick, classes) = Self::beside(Clock::new(alarm), bus, description, make);
        (stick, board, classes)
    }
}

/// Starts the crystal, the clocks, the stick's timer and the USB controller.
#[inline]
fn start() -> (Alarm0<CopyableTimer0>, UsbBus, Board) {
    let Some(mut all) = pac::Peripherals::take() else { panic!("the peripherals are taken") };
    let mut watchdog = Watchdog::new(all.WATCHDOG);
    // The boot ROM reboots with the watchdog, and leaves it armed. It would start counting when the clocks supply its
    // tick, and would restart a program whose start takes longer than the reboot's delay, again and again.
    watchdog.disable();
    let (xosc, clocks) = (all.XOSC, all.CLOCKS);
    let resets = &mut all.RESETS;
    let clocks = init_clocks_and_plls(CRYSTAL, xosc, clocks, all.PLL_SYS, all.PLL_USB, resets, &mut watchdog);
    let Ok(clocks) = clocks else { panic!("the crystal does not run at 12 MHz") };
    let Some(alarm) = Timer::new_timer0(all.TIMER0, resets, &clocks).alarm_0() else { panic!("the alarm is taken") };
    let timer = Timer::new_timer1(all.TIMER1, resets, &clocks);
    let bus = UsbBus::new(all.USB, all.USB_DPRAM, &clocks.usb_clock, CopyableTimer0::get_perif(), resets);
    let board = Board {
        system_clock: clocks.system_clock,
        peripheral_clock: clocks.peripheral_clock,
        adc_clock: clocks.adc_clock,
        timer,
        watchdog,
        RESETS: all.RESETS,
        ADC: all.ADC,
        DMA: all.DMA,
        I2C0: all.I2C0,
        I2C1: all.I2C1,
        IO_BANK0: all.IO_BANK0,
        OTP_DATA: all.OTP_DATA,
        PADS_BANK0: all.PADS_BANK0,
        PIO0: all.PIO0,
        PIO1: all.PIO1,
        PIO2: all.PIO2,
        POWMAN: all.POWMAN,
        PPB: all.PPB,
        PSM: all.PSM,
        PWM: all.PWM,
        ROSC: all.ROSC,
        SHA256: all.SHA256,
        SIO: all.SIO,
        SPI0: all.SPI0,
        SPI1: all.SPI1,
        SYSCFG: all.SYSCFG,
        TRNG: all.TRNG,
        UART0: all.UART0,
        UART1: all.UART1,
    };
    (alarm, bus, board)
}

/// Declares a module with the manifest's tables (as [`tables!`](crate::tables)), and the type `Stick` for them. For programs
/// that have their own image definition and panic handler; [`firmware!`](crate::firmware) declares these, too.
///
/// An optional second argument is the HAL's type of the system timer whose first alarm the stick uses:
/// `picovd::stick!(disk, hal::timer::CopyableTimer1);`. The default is TIMER0.
#[macro_export]
macro_rules! stick {
    ($module:ident) => {
        $crate::stick!($module, $crate::rp2350::rp235x_hal::timer::CopyableTimer0);
    };
    ($module:ident, $timer:ty) => {
        $crate::tables!($module);
        $crate::stick_of!($module::Manifest, $timer);
    };
}

/// Declares the type `Stick` for a [`Firmware`](crate::stick::Firmware): see [`stick!`](macro@crate::stick).
#[macro_export]
#[doc(hidden)]
macro_rules! stick_of {
    ($firmware:ty, $timer:ty) => {
        /// The stick that the tables describe.
        type Stick = $crate::rp2350::Stick<$firmware, StickHome, $timer>;

        /// The type of the stick in [`StickHome`].
        type RunningStick = $crate::rp2350::Running<$firmware>;

        /// The memory that the stick is stored in.
        struct StickHome;

        impl $crate::rp2350::Home<RunningStick> for StickHome {
            fn place() -> &'static $crate::rp2350::StaticCell<RunningStick> {
                // If there are settings, this is hidden from files that show memory: input from the console passes through
                // its buffers.
                #[unsafe(link_section = ".settings.stick")]
                static PLACE: $crate::rp2350::StaticCell<RunningStick> = $crate::rp2350::StaticCell::new();
                &PLACE
            }
        }
    };
}

/// Declares what picotool reports about the program: its name, its version, and the features of the stick that the tables in
/// `$module` describe.
#[macro_export]
macro_rules! program_info {
    ($module:ident) => {
        #[allow(non_upper_case_globals)]
        const _: () = {
            use $crate::rp2350::picotool::{EntryAddr, Header, StringEntry, consts, header, text};

            const NAME: &::core::ffi::CStr = text(::core::concat!(::core::env!("CARGO_PKG_NAME"), "\0"));
            const VERSION: &::core::ffi::CStr = text(::core::concat!(::core::env!("CARGO_PKG_VERSION"), "\0"));
            const TAG: u16 = consts::TAG_RASPBERRY_PI;
            static name: StringEntry = StringEntry::new(TAG, consts::ID_RP_PROGRAM_NAME, NAME);
            static version: StringEntry = StringEntry::new(TAG, consts::ID_RP_PROGRAM_VERSION_STRING, VERSION);
            static features: StringEntry = StringEntry::new(TAG, consts::ID_RP_PROGRAM_FEATURE, $module::FEATURES);

            #[unsafe(link_section = ".bi_entries")]
            #[used]
            static ENTRIES: [EntryAddr; 3] = [name.addr(), version.addr(), features.addr()];

            #[unsafe(link_section = ".boot_info")]
            #[used]
            static HEADER: Header = header();
        };
    };
}

/// Declares what custom firmware starts with: a module with the manifest's tables and the type `Stick` for them
/// ([`stick!`](macro@crate::stick)), the image definition that the boot ROM looks for (RP2350 datasheet 5.9.5), what picotool reports
/// about the program ([`program_info!`](crate::program_info)), and a panic handler that restarts it
/// ([`panic_handler!`](crate::panic_handler)).
///
/// ```ignore
/// #![no_std]
/// #![no_main]
///
/// picovd::firmware!(disk);
///
/// #[picovd::rp2350::rp235x_hal::entry]
/// fn main() -> ! {
///     let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
///     loop {
///         stick.poll();
///         stick.sleep();
///     }
/// }
/// ```
///
/// An optional second argument replaces the image definition, if it is not the only block (examples/partitions).
#[macro_export]
macro_rules! firmware {
    ($module:ident) => {
        $crate::firmware!($module, $crate::rp2350::rp235x_hal::block::ImageDef::secure_exe());
    };
    ($module:ident, $image_definition:expr) => {
        $crate::stick!($module);
        $crate::program_info!($module);
        $crate::panic_handler!($module);

        #[unsafe(link_section = ".start_block")]
        #[used]
        static IMAGE_DEF: $crate::rp2350::rp235x_hal::block::ImageDef = $image_definition;
    };
}
