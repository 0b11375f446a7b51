//! Reads a TMP102 on I2C0 once a second, and writes what it says to a serial port.
#![no_std]
#![no_main]

use core::fmt::Write;
use core::panic::PanicInfo;
use embassy_executor::Spawner;
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::i2c::{self, Blocking, I2c};
use embassy_rp::peripherals::{I2C0, USB};
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_time::Timer;
use embassy_usb::class::cdc_acm::{CdcAcmClass, State};
use embassy_usb::{Builder, Config, UsbDevice};
use static_cell::StaticCell;

/// Address of the TMP102 with ADD0 at ground.
const TMP102: u8 = 0x48;

bind_interrupts!(struct Irqs {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {
        cortex_m::asm::wfi();
    }
}

picovd_embassy::disk!(disk, Driver<'static, USB>);
picovd_embassy::task!(run_disk);
static READING: picovd::files::Snapshot<i32> = picovd::files::Snapshot::new(0);
static READING_TXT: picovd::vd::File = picovd::vd::File::new("READING.TXT", &READING, 16);

/// The device on the bus.
#[embassy_executor::task]
async fn run_usb(mut device: UsbDevice<'static, Driver<'static, USB>>) -> ! {
    device.run().await
}

/// Reads the sensor, and prints what it says to the serial port.
#[embassy_executor::task]
async fn run_sensor(mut i2c: I2c<'static, I2C0, Blocking>, mut port: CdcAcmClass<'static, Driver<'static, USB>>) {
    loop {
        let mut reading = [0; 2];
        if i2c.blocking_write_read(TMP102, &[0], &mut reading).is_ok() {
            let sixteenths = i32::from(i16::from_be_bytes(reading) >> 4);
            READING.set(sixteenths);
            let _ = disk::FILES.update(&READING_TXT);
            let mut line = heapless::String::<16>::new();
            if port.dtr() && write!(line, "{sixteenths}\r\n").is_ok() {
                let _ = port.write_packet(line.as_bytes()).await;
            }
        }
        Timer::after_secs(1).await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    static DESCRIPTORS: StaticCell<([u8; 256], [u8; 256], [u8; 256], [u8; 64])> = StaticCell::new();
    static PORT: StaticCell<State<'_>> = StaticCell::new();

    let p = embassy_rp::init(embassy_rp::config::Config::default());
    let i2c = I2c::new_blocking(p.I2C0, p.PIN_5, p.PIN_4, i2c::Config::default());
    let mut led = Output::new(p.PIN_25, Level::Low);

    let mut config = Config::new(0x2E8A, 0x000A);
    config.manufacturer = Some("Example");
    config.product = Some("Thermometer");
    config.serial_number = Some(picovd_embassy::serial_number(&disk::DESCRIPTION));
    let (configuration, bos, ms_os, control) = DESCRIPTORS.init(([0; 256], [0; 256], [0; 256], [0; 64]));
    let mut builder = Builder::new(Driver::new(p.USB, Irqs), config, configuration, bos, ms_os, control);
    let port = CdcAcmClass::new(&mut builder, PORT.init(State::new()), 64);
    static DISK: StaticCell<picovd_embassy::State<'_>> = StaticCell::new();
    let disk = Disk::new(&mut builder, DISK.init(picovd_embassy::State::new()), &disk::DESCRIPTION);
    spawner.spawn(run_disk(disk).unwrap());
    disk::FILES.add(&READING_TXT).unwrap();
    spawner.spawn(run_usb(builder.build()).unwrap());
    spawner.spawn(run_sensor(i2c, port).unwrap());
    loop {
        led.toggle();
        Timer::after_millis(500).await;
    }
}
