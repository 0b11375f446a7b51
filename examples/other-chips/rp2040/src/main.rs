//! PicoVD on the RP2040 with rp2040-hal. CI builds this program and does not run it: nobody has seen it work.
#![no_std]
#![no_main]

use panic_halt as _;
use picovd::stick::{Disk, Found};
use picovd::{files::Snapshot, vd::File, volume::Memory};
use rp2040_hal as hal;
use usb_device::bus::UsbBusAllocator;
use usb_device::device::{StringDescriptors, UsbDeviceBuilder, UsbVidPid};

picovd::tables!(disk);
static UPTIME: Snapshot<u32> = Snapshot::new(0);
static UPTIME_TXT: File = File::new("UPTIME.TXT", &UPTIME, 16);

/// Different for each board: a program reads the number of its flash chip before it starts (hexadecimal digits, BOT 4.1.1).
const SERIAL: &str = "000000000001";

#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2: [u8; 256] = rp2040_boot2::BOOT_LOADER_GENERIC_03H;

/// The RAM, which is all that the manifest shows.
struct Ram;

impl Memory for Ram {
    fn read(&self, address: u32, out: &mut [u8]) {
        for (address, byte) in (address..).zip(out) {
            let inside = (0x2000_0000..0x2004_2000).contains(&address);
            // SAFETY: SRAM (RP2040 datasheet 2.6.2) can be read without side effects; volatile, because it changes.
            *byte = if inside { unsafe { (address as *const u8).read_volatile() } } else { 0 };
        }
    }
}

#[hal::entry]
fn main() -> ! {
    let mut pac = hal::pac::Peripherals::take().unwrap();
    let (resets, mut watchdog) = (&mut pac.RESETS, hal::Watchdog::new(pac.WATCHDOG));
    let (xosc, system, usb) = (pac.XOSC, pac.PLL_SYS, pac.PLL_USB);
    let clocks = hal::clocks::init_clocks_and_plls(12_000_000, xosc, pac.CLOCKS, system, usb, resets, &mut watchdog);
    let clocks = clocks.ok().unwrap();
    let timer = hal::Timer::new(pac.TIMER, resets, &clocks);

    let bus = hal::usb::UsbBus::new(pac.USBCTRL_REGS, pac.USBCTRL_DPRAM, clocks.usb_clock, true, resets);
    let bus = UsbBusAllocator::new(bus);
    disk::FILES.add(&UPTIME_TXT).unwrap();
    let found = Found { board: None, flash: None, usb: disk::DESCRIPTION.usb };
    let restart = || hal::pac::SCB::sys_reset();
    // No halts: after one, the bus of rp2040-hal does not go back to DATA0.
    let mut stick =
        Disk::<_, disk::Manifest, _, false>::on_board(&bus, &disk::DESCRIPTION, found, SERIAL, Ram, restart);
    let strings = StringDescriptors::default().manufacturer("Example").product("Disk").serial_number(SERIAL);
    let mut usb = UsbDeviceBuilder::new(&bus, UsbVidPid(0x2E8A, 0x000A)).strings(&[strings]).unwrap().build();

    let mut next = 0;
    loop {
        let now = timer.get_counter().ticks();
        if now >= next {
            UPTIME.set((next / 1_000_000) as u32);
            disk::FILES.update(&UPTIME_TXT).unwrap();
            next += 10_000_000;
        }
        usb.poll(&mut [&mut stick]);
        stick.follow(&mut usb, picovd::clock::Instant::from_micros(now));
    }
}
