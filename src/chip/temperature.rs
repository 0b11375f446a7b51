//! The chip's own temperature, from what its ADC reads of the sensor (RP2350 datasheet 12.4.6).

/// Hundredths of a degree Celsius for a reading of 12 bits, with a reference of 3.3 V: T = 27 - (V - 0.706 V) / 1.721 mV. One
/// step of the ADC is half a degree, and the sensor itself is less exact than that: what it shows is how the temperature changes.
#[must_use]
pub const fn centidegrees(reading: u16) -> i32 {
    /// Microvolts at 27 degrees, and for each degree less.
    const AT_27_DEGREES: i32 = 706_000;
    const PER_DEGREE: i32 = 1721;
    // 3.3 V / 4096 = 825 uV * 1000 / 1024 for each step. It fits: 4095 * 825,000 is less than 2^32.
    let reading = if reading > 4095 { 4095 } else { reading as u32 };
    let microvolts = (reading * 825_000 / 1024) as i32;
    2700 - (microvolts - AT_27_DEGREES) * 100 / PER_DEGREE
}

#[cfg(test)]
mod tests {
    use super::centidegrees;

    #[test]
    fn it_is_the_datasheets_formula() {
        for reading in 0..=4095_u16 {
            let volts = f64::from(reading) * 3.3 / 4096.0;
            let celsius = 27.0 - (volts - 0.706) / 0.001_721;
            let shown = f64::from(centidegrees(reading)) / 100.0;
            assert!((shown - celsius).abs() < 0.02, "{reading}: {shown} for {celsius}");
        }
        assert_eq!(centidegrees(876), 2713);
        assert_eq!(centidegrees(u16::MAX), centidegrees(4095));
    }
}
