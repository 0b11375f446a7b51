//! A bug, and how to find it without a probe: the program crashes before a computer has seen the stick, restarts by itself, and
//! the stick has CORE.ELF and CRASH.TXT. docs/CRASH.md is about this program.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::ptr;
use picovd::println;
use rp235x_hal as hal;

picovd::firmware!(disk);

/// A sensor's registers, at an address that somebody got wrong.
struct Sensor {
    base: usize,
}

impl Sensor {
    #[inline(never)]
    fn set_gain(&self, gain: u32) {
        let register = ptr::with_exposed_provenance_mut::<u32>(self.base + 4);
        // SAFETY: this is the bug: there is no sensor.
        unsafe { register.write_volatile(black_box(gain)) };
    }
}

/// Brings all samples to the same scale, and tells the sensor which.
#[inline(never)]
fn calibrate(sensor: &Sensor, samples: &[u32; 8]) -> u32 {
    let largest = samples.iter().fold(0, |largest, sample| largest.max(*sample));
    println!("calibrating for {largest}");
    let gain = 4096 / largest.max(1);
    sensor.set_gain(gain);
    black_box(gain) * black_box(samples)[0]
}

#[inline(never)]
fn measure() -> u32 {
    let samples = black_box([310, 305, 512, 299, 301, 300, 298, 307]);
    calibrate(&Sensor { base: 0xF000_0000 }, &samples) + 1
}

#[hal::entry]
fn main() -> ! {
    let (mut stick, _board) = Stick::start(&disk::DESCRIPTION);
    // After the restart it leaves that out, so that the stick stays.
    if !disk::CRASH.is_there() {
        println!("measured {}", measure());
    }
    loop {
        stick.poll();
        stick.sleep();
    }
}
