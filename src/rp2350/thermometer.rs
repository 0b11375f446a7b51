//! The chip's own temperature, read by its ADC (sections 12.4.3 and 12.4.6).

use super::pac;
use crate::chip::temperature::centidegrees;
use rp235x_hal::clocks::AdcClock;

/// CS (section 12.4.7): the ADC and its sensor are on; a conversion begins; it has ended; the channel.
const EN: u32 = 1 << 0;
const TS_EN: u32 = 1 << 1;
const START_ONCE: u32 = 1 << 2;
const READY: u32 = 1 << 8;
const AINSEL: u32 = 12;

/// The sensor's channel in a QFN-60 package, which has four pins for the ADC, and in a QFN-80 package, which has eight.
const QFN_60: u32 = 4;
const QFN_80: u32 = 8;

/// The ADC's bit in RESETS (section 7.5.3).
const ADC: u32 = 1 << 0;

/// The ADC as a thermometer, with nothing else on it.
///
/// ```ignore
/// let (mut stick, mut board) = Stick::start(&disk::DESCRIPTION);
/// let mut thermometer = Thermometer::new(board.ADC, &board.adc_clock, &mut board.RESETS);
/// let celsius = thermometer.centidegrees() as f32 / 100.0;
/// ```
pub struct Thermometer {
    adc: pac::ADC,
}

impl Thermometer {
    /// Starts the ADC. `clock` proves that its clock runs.
    #[must_use]
    pub fn new(adc: pac::ADC, clock: &AdcClock, resets: &mut pac::RESETS) -> Self {
        let _ = clock;
        let reset = resets.reset().as_ptr();
        // SAFETY: registers of RESETS, which nobody else changes meanwhile, because it is borrowed; the ADC is owned.
        unsafe {
            reset.write_volatile(reset.read_volatile() | ADC);
            reset.write_volatile(reset.read_volatile() & !ADC);
            while resets.reset_done().as_ptr().read_volatile() & ADC == 0 {}
        }
        // SAFETY: PACKAGE_SEL of SYSINFO (section 12.15), which is read-only; reading it has no side effect.
        let package = unsafe { (*pac::SYSINFO::ptr()).package_sel().as_ptr().read_volatile() };
        let channel = if package & 1 != 0 { QFN_60 } else { QFN_80 };
        // SAFETY: a register of the ADC, which is owned.
        unsafe { adc.cs().as_ptr().write_volatile(EN | TS_EN | channel << AINSEL) };
        Self { adc }
    }

    /// The temperature now, in hundredths of a degree Celsius; it takes some microseconds. Steps of the ADC are half a degree.
    pub fn centidegrees(&mut self) -> i32 {
        let control = self.adc.cs().as_ptr();
        // SAFETY: registers of the ADC, which is owned.
        let reading = unsafe {
            // The converter is ready a moment after it was switched on, and after each conversion.
            while control.read_volatile() & READY == 0 {}
            control.write_volatile(control.read_volatile() | START_ONCE);
            while control.read_volatile() & READY == 0 {}
            self.adc.result().as_ptr().read_volatile()
        };
        centidegrees((reading & 0xFFF) as u16)
    }
}
