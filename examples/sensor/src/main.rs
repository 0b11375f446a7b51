//! A sensor: an interrupt handler takes a reading once a second, and SENSOR.CSV shows the last twenty.
#![no_std]
#![no_main]

use core::cell::RefCell;
use critical_section::Mutex;
use picovd::files::CsvRing;
use picovd::rp2350::rp235x_hal;
use picovd::vd::File;
use rp235x_hal::fugit::ExtU32;
use rp235x_hal::pac::{self, interrupt};
use rp235x_hal::timer::{Alarm, Alarm0, CopyableTimer1};

picovd::firmware!(disk);

/// The last twenty readings: seconds since the start, and degrees Celsius.
static READINGS: CsvRing<(u32, f32), 20> = CsvRing::new("second,celsius");
static SENSOR_CSV: File = File::new("SENSOR.CSV", &READINGS, 1024);

/// The alarm that rings once a second.
static ALARM: Mutex<RefCell<Option<Alarm0<CopyableTimer1>>>> = Mutex::new(RefCell::new(None));

#[rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
    disk::FILES.add(&SENSOR_CSV).expect("picovd.toml has room for it");
    let mut alarm = board.timer.alarm_0().expect("not taken yet");
    alarm.schedule(1.secs()).expect("that is not too short");
    alarm.enable_interrupt();
    critical_section::with(|section| ALARM.borrow_ref_mut(section).replace(alarm));
    // SAFETY: the handler only shares data that is protected by a mutex.
    unsafe { cortex_m::peripheral::NVIC::unmask(pac::Interrupt::TIMER1_IRQ_0) };
    loop {
        stick.poll();
        stick.sleep();
    }
}

#[interrupt]
fn TIMER1_IRQ_0() {
    static mut SECOND: u32 = 0;
    critical_section::with(|section| {
        if let Some(alarm) = ALARM.borrow_ref_mut(section).as_mut() {
            alarm.clear_interrupt();
            let _ = alarm.schedule(1.secs());
        }
    });
    let _ = READINGS.push((*SECOND, read_sensor(*SECOND)));
    *SECOND += 1;
    // The file is registered, and its text is never longer than promised.
    let _ = disk::FILES.update(&SENSOR_CSV);
}

/// Put your own sensor here. This one's room warms up from 20 to 23 degrees and cools down again, in a minute.
fn read_sensor(second: u32) -> f32 {
    let second = second % 60;
    20.0 + 0.1 * second.min(60 - second) as f32
}
