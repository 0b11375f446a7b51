//! What a program does with the chip's other blocks: it reads a sensor on I2C, the temperature and a button, sends a line, talks to
//! itself, and copies memory. Each leaves a line in the log.

use cortex_m::singleton;
use embedded_hal::digital::InputPin;
use embedded_hal::i2c::I2c;
use embedded_hal::spi::{MODE_0, SpiBus};
use picovd::println;
use picovd::rp2350::Board;
use picovd::rp2350::rp235x_hal::adc::Adc;
use picovd::rp2350::rp235x_hal::clocks::Clock;
use picovd::rp2350::rp235x_hal::dma::{DMAExt, single_buffer};
use picovd::rp2350::rp235x_hal::fugit::RateExtU32;
use picovd::rp2350::rp235x_hal::gpio::{FunctionI2C, FunctionSpi, FunctionUart, Pins, PullNone, PullUp};
use picovd::rp2350::rp235x_hal::uart::{DataBits, StopBits, UartConfig, UartPeripheral};
use picovd::rp2350::rp235x_hal::{I2C, Sio, Spi};

/// Where a BME280 is, and its registers: identity, control, temperature.
const SENSOR: u8 = 0x76;
const IDENTITY: u8 = 0xD0;
const CONTROL: u8 = 0xF4;
const TEMPERATURE: u8 = 0xFA;

pub fn use_all(board: Board) {
    let mut resets = board.RESETS;
    let sio = Sio::new(board.SIO);
    let pins = Pins::new(board.IO_BANK0, board.PADS_BANK0, sio.gpio_bank0, &mut resets);

    let sda = pins.gpio4.reconfigure::<FunctionI2C, PullUp>();
    let scl = pins.gpio5.reconfigure::<FunctionI2C, PullUp>();
    let mut i2c = I2C::i2c0(board.I2C0, sda, scl, 400.kHz(), &mut resets, board.system_clock.freq());
    let mut identity = [0; 1];
    match i2c.write_read(SENSOR, &[IDENTITY], &mut identity) {
        Ok(()) => println!("sensor {:02x}", identity[0]),
        Err(error) => println!("no sensor: {error:?}"),
    }
    let mut raw = [0; 3];
    let taken = i2c.write(SENSOR, &[CONTROL, 0x27]);
    if taken.and(i2c.write_read(SENSOR, &[TEMPERATURE], &mut raw)).is_ok() {
        let mut control = [0; 1];
        let _ = i2c.write_read(SENSOR, &[CONTROL], &mut control);
        println!("sensor's temperature {raw:02x?}, control {:02x}", control[0]);
    }

    let mut adc = Adc::new(board.ADC, &mut resets);
    if let Ok(sensor) = adc.take_temp_sensor().ok_or(()) {
        adc.free_running(&sensor);
        println!("chip's temperature {:?}", adc.read_single().ok());
    }

    let mut button = pins.gpio14.into_pull_up_input();
    println!("button {:?}", button.is_high());

    let tx = pins.gpio0.reconfigure::<FunctionUart, PullNone>();
    let rx = pins.gpio1.reconfigure::<FunctionUart, PullNone>();
    let config = UartConfig::new(115_200.Hz(), DataBits::Eight, None, StopBits::One);
    let uart = UartPeripheral::new(board.UART0, (tx, rx), &mut resets);
    if let Ok(uart) = uart.enable(config, board.peripheral_clock.freq()) {
        uart.write_full_blocking(b"hello over the wire\r\n");
    }

    let mosi = pins.gpio19.reconfigure::<FunctionSpi, PullNone>();
    let miso = pins.gpio16.reconfigure::<FunctionSpi, PullNone>();
    let clock = pins.gpio18.reconfigure::<FunctionSpi, PullNone>();
    let spi = Spi::<_, _, _, 8>::new(board.SPI0, (mosi, miso, clock));
    let mut spi = spi.init(&mut resets, board.peripheral_clock.freq(), 16.MHz(), MODE_0);
    let mut bytes = [1, 2, 3];
    println!("spi {:?} {bytes:?}", spi.transfer_in_place(&mut bytes).is_ok());

    let dma = board.DMA.split(&mut resets);
    let from = singleton!(: [u32; 4] = [1, 2, 3, 4]);
    let to = singleton!(: [u32; 4] = [0; 4]);
    if let (Some(from), Some(to)) = (from, to) {
        let (_, _, to) = single_buffer::Config::new(dma.ch0, from, to).start().wait();
        println!("copied {to:?}");
    }
}
