//! A thermometer as a USB HID device: reads a TMP102 on I2C0, and reports sixteenths of a degree Celsius.
#![no_std]
#![no_main]

extern crate alloc;

use core::sync::atomic::{AtomicUsize, Ordering};
use embedded_alloc::LlffHeap;
use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use hal::fugit::RateExtU32;
use hal::gpio::{FunctionI2C, Pin, PullUp};
use hal::usb::UsbBus;
use panic_halt as _;
use rp235x_hal as hal;
use usb_device::bus::UsbBusAllocator;
use usb_device::device::{StringDescriptors, UsbDeviceBuilder, UsbVidPid};
use usbd_hid::hid_class::HIDClass;

/// Address of the TMP102 with ADD0 at ground.
const TMP102: u8 = 0x48;

/// Microseconds from reading to reading.
const PERIOD: u64 = 100_000;

/// The report: one signed number of 16 bits, on a vendor-defined page.
const REPORT: [u8; 21] = [
    0x06, 0x00, 0xFF, 0x09, 0x01, 0xA1, 0x01, 0x09, 0x02, 0x16, 0x00, 0x80, 0x26, 0xFF, 0x7F, 0x75, 0x10, 0x95, 0x01,
    0x81, 0x02,
];
/// With the end of its collection.
const DESCRIPTOR: [u8; 22] = {
    let mut bytes = [0xC0; 22];
    let mut index = 0;
    while index < REPORT.len() {
        bytes[index] = REPORT[index];
        index += 1;
    }
    bytes
};

picovd::tables!(disk);
static READING: picovd::files::Snapshot<i16> = picovd::files::Snapshot::new(0);
static READING_TXT: picovd::vd::File = picovd::vd::File::new("READING.TXT", &READING, 16);

/// The program's own heap, logger and fault handler.
#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

struct Logger;

/// What the logger was given, in bytes.
static LOGGED: AtomicUsize = AtomicUsize::new(0);

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        LOGGED.fetch_add(alloc::format!("{}", record.args()).len(), Ordering::Relaxed);
    }

    fn flush(&self) {}
}

#[cortex_m_rt::exception]
unsafe fn HardFault(_: &cortex_m_rt::ExceptionFrame) -> ! {
    loop {
        hal::arch::nop();
    }
}

#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEF: hal::block::ImageDef = hal::block::ImageDef::secure_exe();

#[hal::entry]
fn main() -> ! {
    static mut ROOM: [u8; 1024] = [0; 1024];

    // SAFETY: called once, with memory that nothing else uses.
    unsafe { HEAP.init((&raw mut *ROOM).addr(), ROOM.len()) };
    log::set_logger(&Logger).unwrap();
    log::set_max_level(log::LevelFilter::Info);
    let mut pac = hal::pac::Peripherals::take().unwrap();
    let mut watchdog = hal::Watchdog::new(pac.WATCHDOG);
    let clocks = hal::clocks::init_clocks_and_plls(
        12_000_000,
        pac.XOSC,
        pac.CLOCKS,
        pac.PLL_SYS,
        pac.PLL_USB,
        &mut pac.RESETS,
        &mut watchdog,
    )
    .ok()
    .unwrap();
    let timer = hal::Timer::new_timer0(pac.TIMER0, &mut pac.RESETS, &clocks);
    let sio = hal::Sio::new(pac.SIO);
    let pins = hal::gpio::Pins::new(pac.IO_BANK0, pac.PADS_BANK0, sio.gpio_bank0, &mut pac.RESETS);
    let mut led = pins.gpio25.into_push_pull_output();
    let sda: Pin<_, FunctionI2C, PullUp> = pins.gpio4.reconfigure();
    let scl: Pin<_, FunctionI2C, PullUp> = pins.gpio5.reconfigure();
    let mut i2c = hal::I2C::i2c0(pac.I2C0, sda, scl, 400.kHz(), &mut pac.RESETS, &clocks.system_clock);

    let bus = UsbBus::new(pac.USB, pac.USB_DPRAM, clocks.usb_clock, true, &mut pac.RESETS);
    let bus = UsbBusAllocator::new(bus);
    let mut hid = HIDClass::new_ep_in(&bus, &DESCRIPTOR, 10);
    let mut stick = picovd::rp2350::Disk::<disk::Manifest, _>::new(&bus, &disk::DESCRIPTION);
    disk::FILES.add(&READING_TXT).unwrap();
    let mut usb = UsbDeviceBuilder::new(&bus, UsbVidPid(0x2E8A, 0x000A))
        .strings(&[StringDescriptors::default()
            .manufacturer("Example")
            .product("Thermometer")
            .serial_number("000000000001")])
        .unwrap()
        .max_packet_size_0(64)
        .unwrap()
        .composite_with_iads()
        .build();

    let mut next = PERIOD;
    loop {
        let now = timer.get_counter().ticks();
        if now >= next {
            next += PERIOD;
            let mut reading = [0; 2];
            if i2c.write_read(TMP102, &[0], &mut reading).is_ok() {
                let sixteenths = i16::from_be_bytes(reading) >> 4;
                log::info!("{sixteenths}");
                led.set_state((sixteenths > 480).into()).unwrap();
                picovd::println!("{sixteenths}");
                READING.set(sixteenths);
                disk::FILES.update(&READING_TXT).unwrap();
                hid.push_raw_input(&sixteenths.to_le_bytes()).ok();
            }
        }
        usb.poll(&mut [&mut hid, &mut stick]);
        stick.follow(&mut usb, timer.get_counter());
    }
}
