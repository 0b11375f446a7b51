//! A sensor: a reading once a second, and SENSOR.CSV shows the last twenty.
#![no_std]
#![no_main]

use core::time::Duration;
use picovd::clock::Instant;
use picovd::files::CsvRing;
use picovd::vd::File;
use rp235x_hal as hal;

picovd::firmware!(disk);

/// The last twenty readings: seconds since the start, and degrees Celsius.
static READINGS: CsvRing<(u32, f32), 20> = CsvRing::new("second,celsius");
static SENSOR_CSV: File = File::new("SENSOR.CSV", &READINGS, 1024);

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    disk::FILES.add(&SENSOR_CSV).expect("picovd.toml has room for it");
    let mut second = 0;
    loop {
        READINGS.push((second, read_sensor(second))).expect("a short line");
        disk::FILES.update(&SENSOR_CSV).expect("it is registered, and has room");
        second += 1;
        stick.poll_until(Instant::default() + Duration::from_secs(second.into()));
    }
}

/// Put your own sensor here. This one's room warms up from 20 to 23 degrees and cools down again, in a minute.
fn read_sensor(second: u32) -> f32 {
    20.0 + 0.1 * (second % 60).min(60 - second % 60) as f32
}
