//! A mouse beside the disk: it moves the pointer by one each second, to and fro, so that the screen does not lock. MOVES.TXT
//! counts.
#![no_std]
#![no_main]

use embedded_hal::delay::DelayNs;
use picovd::files::Snapshot;
use picovd::rp2350::UsbBus;
use picovd::usb::Shared;
use picovd::vd::File;
use rp235x_hal as hal;
use usbd_hid::descriptor::{MouseReport, SerializedDescriptor};
use usbd_hid::hid_class::HIDClass;

picovd::firmware!(disk);
picovd::serve!(STICK, with MOUSE);

/// The application's own USB class.
static MOUSE: Shared<HIDClass<'static, UsbBus>> = Shared::new();

static MOVES: Snapshot<u32> = Snapshot::new(0);
static MOVES_TXT: File = File::new("MOVES.TXT", &MOVES, 16);

#[hal::entry]
fn main() -> ! {
    let make = |bus| MOUSE.set(HIDClass::new(bus, MouseReport::desc(), 10));
    let (stick, mut board, ()) = Stick::start_with_classes(&disk::DESCRIPTION, make);
    disk::FILES.add(&MOVES_TXT).expect("picovd.toml has room for it");
    STICK.begin(stick);
    for moves in 1.. {
        board.timer.delay_ms(1_000);
        let x = if moves % 2 == 0 { 1 } else { -1 };
        let report = MouseReport { buttons: 0, x, y: 0, wheel: 0, pan: 0 };
        // While no host is there, nobody fetches the last report, and there is no room for another one.
        if let Some(Ok(_)) = MOUSE.with(|mouse| mouse.push_input(&report)) {
            MOVES.set(moves);
            // The file is registered, and a number is never longer than promised.
            let _ = disk::FILES.update(&MOVES_TXT);
        }
    }
    unreachable!("there are more numbers than seconds")
}
