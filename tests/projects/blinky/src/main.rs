//! Blinks the LED of a Pico 2, and reads a TMP102 on I2C0 once a second.
#![no_std]
#![no_main]

use core::panic::PanicInfo;
use core::sync::atomic::{AtomicI32, Ordering};
use embedded_hal::delay::DelayNs;
use embedded_hal::digital::OutputPin;
use embedded_hal::i2c::I2c;
use hal::fugit::RateExtU32;
use hal::gpio::{FunctionI2C, Pin, PullUp};
use rp235x_hal as hal;

/// Address of the TMP102 with ADD0 at ground.
const TMP102: u8 = 0x48;

picovd::stick!(disk);
picovd::serve!(STICK);
static READING: picovd::files::Snapshot<i32> = picovd::files::Snapshot::new(0);
static READING_TXT: picovd::vd::File = picovd::vd::File::new("READING.TXT", &READING, 16);

/// The last reading, in sixteenths of a degree Celsius.
static LAST: AtomicI32 = AtomicI32::new(0);

#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEF: hal::block::ImageDef = hal::block::ImageDef::secure_exe();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        hal::arch::wfi();
    }
}

#[hal::entry]
fn main() -> ! {
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
    let mut timer = hal::Timer::new_timer0(pac.TIMER0, &mut pac.RESETS, &clocks);
    let sio = hal::Sio::new(pac.SIO);
    let pins = hal::gpio::Pins::new(pac.IO_BANK0, pac.PADS_BANK0, sio.gpio_bank0, &mut pac.RESETS);
    let mut led = pins.gpio25.into_push_pull_output();
    let sda: Pin<_, FunctionI2C, PullUp> = pins.gpio4.reconfigure();
    let scl: Pin<_, FunctionI2C, PullUp> = pins.gpio5.reconfigure();
    let mut i2c = hal::I2C::i2c0(pac.I2C0, sda, scl, 400.kHz(), &mut pac.RESETS, &clocks.system_clock);

    let alarm = timer.alarm_0().unwrap();
    let (usb, dpram) = (pac.USB, pac.USB_DPRAM);
    STICK.begin(Stick::new(usb, dpram, alarm, &clocks.usb_clock, &mut pac.RESETS, &disk::DESCRIPTION));
    disk::FILES.add(&READING_TXT).unwrap();
    loop {
        led.set_high().unwrap();
        timer.delay_ms(500);
        let mut reading = [0; 2];
        if i2c.write_read(TMP102, &[0], &mut reading).is_ok() {
            LAST.store(i32::from(i16::from_be_bytes(reading) >> 4), Ordering::Relaxed);
            READING.set(LAST.load(Ordering::Relaxed));
            disk::FILES.update(&READING_TXT).unwrap();
        }
        led.set_low().unwrap();
        timer.delay_ms(500);
    }
}
