//! A sensor: a reading once a second, and SENSOR.CSV shows the last twenty. It is the chip's own temperature; put your sensor
//! in its place.
#![no_std]
#![no_main]

use core::time::Duration;
use picovd::clock::Instant;
use picovd::files::CsvRing;
use picovd::rp2350::Thermometer;
use picovd::vd::File;
use rp235x_hal as hal;

picovd::firmware!(disk);

/// The last twenty readings: seconds since the start, and degrees Celsius.
static READINGS: CsvRing<(u32, f32), 20> = CsvRing::new("second,celsius");
static SENSOR_CSV: File = File::new("SENSOR.CSV", &READINGS, 1024);

#[hal::entry]
fn main() -> ! {
    let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
    let mut thermometer = Thermometer::new(board.ADC, &board.adc_clock, &mut board.RESETS);
    disk::FILES.add(&SENSOR_CSV).expect("picovd.toml has room for it");
    let mut second = 0;
    loop {
        READINGS.push((second, thermometer.centidegrees() as f32 / 100.0)).expect("a short line");
        disk::FILES.update(&SENSOR_CSV).expect("it is registered, and has room");
        second += 1;
        stick.poll_until(Instant::default() + Duration::from_secs(second.into()));
    }
}
