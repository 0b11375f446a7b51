//! PicoVD on the STM32F411 with stm32f4xx-hal. CI builds this program and does not run it: nobody has seen it work.
//! RM0383 is the reference manual of the STM32F411.
#![no_std]
#![no_main]

use hal::otg_fs::{USB, UsbBus};
use hal::prelude::*;
use panic_halt as _;
use picovd::stick::{Disk, Found};
use picovd::{files::Snapshot, vd::File, volume::BoardIdentity, volume::Memory};
use stm32f4xx_hal as hal;
use usb_device::device::{StringDescriptors, UsbDeviceBuilder, UsbVidPid};

picovd::tables!(disk);
static UPTIME: Snapshot<u32> = Snapshot::new(0);
static UPTIME_TXT: File = File::new("UPTIME.TXT", &UPTIME, 16);

/// The RAM, which is all that the manifest shows.
struct Ram;

impl Memory for Ram {
    fn read(&self, address: u32, out: &mut [u8]) {
        for (address, byte) in (address..).zip(out) {
            let inside = (0x2000_0000..0x2002_0000).contains(&address);
            // SAFETY: SRAM (RM0383, 2.3) can be read without side effects; volatile, because it changes.
            *byte = if inside { unsafe { (address as *const u8).read_volatile() } } else { 0 };
        }
    }
}

#[cortex_m_rt::entry]
fn main() -> ! {
    let pac = hal::pac::Peripherals::take().unwrap();
    let clocks = hal::rcc::Config::hse(25.MHz()).sysclk(48.MHz()).require_pll48clk();
    let mut rcc = pac.RCC.freeze(clocks);
    let pins = pac.GPIOA.split(&mut rcc);
    let mut timer = pac.TIM5.counter_us(&mut rcc);
    timer.start(u32::MAX.micros()).unwrap();

    // SAFETY: the unique device ID, 96 bits that can be read at any time (RM0383, 24.1).
    let [x, y, z] = unsafe { (0x1FFF_7A10 as *const [u32; 3]).read_volatile() };
    let board = BoardIdentity(u64::from(x) << 32 | u64::from(y ^ z));
    let serial = cortex_m::singleton!(: [u8; 16] = board.digits()).unwrap();
    let serial = core::str::from_utf8(serial).unwrap();

    let registers = (pac.OTG_FS_GLOBAL, pac.OTG_FS_DEVICE, pac.OTG_FS_PWRCLK);
    let usb = USB::new(registers, (pins.pa11, pins.pa12), &rcc.clocks);
    let bus = UsbBus::new(usb, cortex_m::singleton!(: [u32; 320] = [0; 320]).unwrap());
    disk::FILES.add(&UPTIME_TXT).unwrap();
    let found = Found { board: Some(board), flash: None, usb: disk::DESCRIPTION.usb };
    let restart = || cortex_m::peripheral::SCB::sys_reset();
    // No halts: after one, synopsys-usb-otg 0.4 does not go back to DATA0.
    let mut stick =
        Disk::<_, disk::Manifest, _, false>::on_board(&bus, &disk::DESCRIPTION, found, serial, Ram, restart);
    let strings = StringDescriptors::default().manufacturer("Example").product("Disk").serial_number(serial);
    let mut usb = UsbDeviceBuilder::new(&bus, UsbVidPid(0x1209, 0x0001)).strings(&[strings]).unwrap().build();

    let (mut last, mut now, mut next) = (0u32, 0u64, 0);
    loop {
        // The timer's 32 bits wrap after 71 minutes.
        let ticks = timer.now().ticks();
        now += u64::from(ticks.wrapping_sub(last));
        last = ticks;
        if now >= next {
            UPTIME.set((next / 1_000_000) as u32);
            disk::FILES.update(&UPTIME_TXT).unwrap();
            next += 10_000_000;
        }
        usb.poll(&mut [&mut stick]);
        stick.follow(&mut usb, picovd::clock::Instant::from_micros(now));
    }
}
