//! A sensor: an interrupt handler takes a reading once a second, and SENSOR.CSV shows the last twenty.
#![no_std]
#![no_main]

mod readings;

use core::cell::RefCell;
use critical_section::Mutex;
use picovd::files::Rendered;
use picovd::rp2350::rp235x_hal;
use picovd::vd::{File, vd_add_file, vd_update_file};
use readings::Readings;
use rp235x_hal::fugit::ExtU32;
use rp235x_hal::pac::{self, interrupt};
use rp235x_hal::timer::{Alarm, Alarm0, CopyableTimer1};

picovd::firmware!(disk);

/// What the file shows: a value that is `Display`.
static CSV: Rendered<Readings> = Rendered::new(Readings::NONE);
static SENSOR_CSV: File = File::new("SENSOR.CSV", &CSV, Readings::LONGEST);

/// The alarm that rings once a second.
static ALARM: Mutex<RefCell<Option<Alarm0<CopyableTimer1>>>> = Mutex::new(RefCell::new(None));

#[rp235x_hal::entry]
fn main() -> ! {
    let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
    vd_add_file(&disk::FILES, &SENSOR_CSV).expect("picovd.toml has room for it");
    let mut alarm = board.timer.alarm_0().expect("nobody took it");
    alarm.schedule(1.secs()).expect("that is not too short");
    alarm.enable_interrupt();
    critical_section::with(|section| ALARM.borrow_ref_mut(section).replace(alarm));
    // SAFETY: the handler shares nothing but what is behind a mutex.
    unsafe { cortex_m::peripheral::NVIC::unmask(pac::Interrupt::TIMER1_IRQ_0) };
    loop {
        stick.poll();
        stick.sleep();
    }
}

#[interrupt]
fn TIMER1_IRQ_0() {
    static mut READINGS: Readings = Readings::NONE;
    critical_section::with(|section| {
        if let Some(alarm) = ALARM.borrow_ref_mut(section).as_mut() {
            alarm.clear_interrupt();
            let _ = alarm.schedule(1.secs());
        }
    });
    READINGS.push(read_sensor(READINGS.taken()));
    CSV.set(*READINGS);
    // The file is registered, and its text is never longer than promised.
    let _ = vd_update_file(&disk::FILES, &SENSOR_CSV);
}

/// Put your own sensor here. This one's room warms up from 20 to 23 degrees and cools down again, in a minute.
fn read_sensor(second: u32) -> i16 {
    let second = second % 60;
    2000 + 10 * second.min(60 - second) as i16
}
