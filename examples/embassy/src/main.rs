//! An embassy program: a task measures the chip's temperature once a second, and its readings are a file; what it logs is
//! another one.
#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_rp::adc::{self, Adc, Async, Channel};
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_time::{Duration, Instant, Ticker};
use embassy_usb::{Builder, Config, UsbDevice};
use picovd::files::CsvRing;
use picovd::vd::File;
use static_cell::StaticCell;

picovd_embassy::disk!(disk, Driver<'static, USB>);
picovd_embassy::task!(run_disk);
picovd::panic_handler!(disk);

/// The readings of the last minute: seconds since the start, and degrees Celsius.
static CLIMATE: CsvRing<(u32, f32), 60> = CsvRing::new("second,celsius");
static CLIMATE_CSV: File = File::new("CLIMATE.CSV", &CLIMATE, 2048);

bind_interrupts!(struct Irqs {
    ADC_IRQ_FIFO => adc::InterruptHandler;
    USBCTRL_IRQ => InterruptHandler<USB>;
});

#[embassy_executor::task]
async fn run_usb(mut device: UsbDevice<'static, Driver<'static, USB>>) -> ! {
    device.run().await
}

#[embassy_executor::task]
async fn measure(mut adc: Adc<'static, Async>, mut sensor: Channel<'static>) {
    let mut ticker = Ticker::every(Duration::from_secs(1));
    loop {
        match adc.read(&mut sensor).await {
            Ok(reading) => {
                // RP2350 datasheet 12.4.6: 0.706 V at 27 degrees, 1.721 mV less for each more; the reference is 3.3 V.
                let celsius = 27.0 - (f32::from(reading) * 3.3 / 4096.0 - 0.706) / 0.001_721;
                let _ = CLIMATE.push((Instant::now().as_secs() as u32, celsius));
                // The file is registered, and its text is never longer than promised.
                let _ = disk::FILES.update(&CLIMATE_CSV);
                if celsius > 60.0 {
                    log::warn!("the chip is hot: {celsius} degrees");
                }
            }
            Err(error) => log::error!("no reading: {error:?}"),
        }
        ticker.next().await;
    }
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    /// Room for the descriptors of configuration and BOS, and for control requests.
    static ROOM: StaticCell<([u8; 64], [u8; 16], [u8; 64])> = StaticCell::new();
    static STATE: StaticCell<picovd_embassy::State<'_>> = StaticCell::new();

    let p = embassy_rp::init(embassy_rp::config::Config::default());
    picovd_embassy::start_log(log::LevelFilter::Info).expect("the first logger");

    let mut config = Config::new(0x1209, 0x0001);
    // One function: the interface says what it is (USB 2.0 9.6.1).
    config.composite_with_iads = false;
    (config.device_class, config.device_sub_class, config.device_protocol) = (0, 0, 0);
    config.manufacturer = Some("PicoVD");
    config.product = Some("embassy example");
    config.serial_number = Some(picovd_embassy::serial_number(&disk::DESCRIPTION));
    let (configuration, bos, control) = ROOM.init(([0; 64], [0; 16], [0; 64]));
    let mut builder = Builder::new(Driver::new(p.USB, Irqs), config, configuration, bos, &mut [], control);
    let disk = Disk::new(&mut builder, STATE.init(picovd_embassy::State::new()), &disk::DESCRIPTION);
    disk::FILES.add(&CLIMATE_CSV).expect("picovd.toml has room for it");
    log::info!("the disk of board {} begins", picovd_embassy::serial_number(&disk::DESCRIPTION));

    spawner.spawn(run_disk(disk).unwrap());
    spawner.spawn(run_usb(builder.build()).unwrap());
    // In this order: `new` resets the ADC, which switches the sensor off.
    let adc = Adc::new(p.ADC, Irqs, adc::Config::default());
    spawner.spawn(measure(adc, Channel::new_temp_sensor(p.ADC_TEMP_SENSOR)).unwrap());
}
