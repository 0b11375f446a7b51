//! Values of options. An error is a message with an example.

use picovd_sim::i2c_device::I2cDevice;
use picovd_sim::partitions::Partition;
use std::time::Duration;

/// A number of bytes, or of KiB or MiB.
fn size(word: &str) -> Option<usize> {
    let (number, factor) = match word.split_at_checked(word.len().saturating_sub(1)) {
        Some((number, "K")) => (number, 1 << 10),
        Some((number, "M")) => (number, 1 << 20),
        _ => (word, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

/// A number: decimal, with K or M as in `4K`, or hexadecimal as in `0x1000`.
pub fn number(word: &str) -> Result<u64, String> {
    let parsed = match word.strip_prefix("0x") {
        // `from_str_radix` would take a sign.
        Some(digits) if !digits.starts_with('+') => u64::from_str_radix(digits, 16).ok(),
        Some(_) => None,
        None => size(word).map(|size| size as u64),
    };
    parsed.ok_or_else(|| format!("`{word}` is not a number; try 512, 4K or 0x20000000"))
}

/// The length of a flash chip in bytes.
pub fn flash_size(word: &str) -> Result<usize, String> {
    let chip = |size: &usize| size.is_power_of_two() && (512 << 10..=16 << 20).contains(size);
    size(word).filter(chip).ok_or_else(|| format!("`{word}` is not the length of a flash chip; try 2M"))
}

/// NAME=START,LENGTH.
pub fn partition(word: &str) -> Result<Partition, String> {
    let parsed = || {
        let (name, place) = word.rsplit_once('=')?;
        let (start, length) = place.split_once(',')?;
        Partition::new(name, size(start)?.try_into().ok()?, size(length)?.try_into().ok()?)
    };
    parsed().ok_or_else(|| format!("`{word}` is not a partition; try Calibration=2M,64K, both multiples of 4K"))
}

/// A device on the first I2C bus.
pub fn on_i2c0(word: &str) -> Result<I2cDevice, String> {
    I2cDevice::read(0, word)
}

/// A device on the second I2C bus.
pub fn on_i2c1(word: &str) -> Result<I2cDevice, String> {
    I2cDevice::read(1, word)
}

/// A time with its unit.
pub fn duration(word: &str) -> Result<Duration, String> {
    let digits = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    let milliseconds = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "min" => Some(60_000),
        _ => None,
    };
    let time = number.parse::<u64>().ok().zip(milliseconds).and_then(|(number, unit)| number.checked_mul(unit));
    // The board counts its cycles in 64 bits; a day is longer than anyone waits.
    let time = time.filter(|time| *time <= 86_400_000).map(Duration::from_millis);
    time.ok_or_else(|| format!("`{word}` is not a time of up to a day; try 10s, 500ms or 2min"))
}

/// How many numbered lines to print, and how many per second: COUNT/RATE.
pub fn lines(word: &str) -> Result<(u32, u32), String> {
    let parsed = || {
        let (lines, rate) = word.split_once('/')?;
        Some((lines.parse().ok()?, rate.parse().ok().filter(|rate| (1..=1_000_000).contains(rate))?))
    };
    parsed().ok_or_else(|| format!("`{word}` is not a number of lines; try 1000/20"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_have_units() {
        assert_eq!(flash_size("2M"), Ok(2 << 20));
        assert_eq!(flash_size("524288"), Ok(512 << 10));
        for wrong in ["", "M", "3M", "32M", "256K", "2G", "99999999999999999999M"] {
            assert!(flash_size(wrong).is_err(), "{wrong}");
        }
        for (word, milliseconds) in [("10s", 10_000), ("500ms", 500), ("2 min", 120_000), ("1440min", 86_400_000)] {
            assert_eq!(duration(word), Ok(Duration::from_millis(milliseconds)), "{word}");
        }
        for wrong in ["", "10", "s", "1h", "-1s", "1441min", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        for (word, number) in [("0", 0), ("512", 512), ("4K", 4096), ("0x20000000", 0x2000_0000), ("0xff", 255)] {
            assert_eq!(super::number(word), Ok(number), "{word}");
        }
        for wrong in ["", "x", "-1", "+0x1", "0x", "0x+1", "1G", "0x1_0", "99999999999999999999"] {
            assert!(number(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_have_a_rate() {
        assert_eq!(lines("1000/20"), Ok((1000, 20)));
        for wrong in ["", "1000", "1000/0", "x/1", "1/x"] {
            assert!(lines(wrong).is_err(), "{wrong}");
        }
    }
}
