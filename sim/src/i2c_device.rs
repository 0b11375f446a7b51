//! A device on the board's I2C bus, described by a file with its registers' contents.
//!
//! ```toml
//! # The chip's identity and its calibration, as in a BME280.
//! read-only = [0xD0]
//!
//! [registers]
//! 0xD0 = 0x60
//! 0x88 = [0x70, 0x6B, 0x43, 0x67]
//! ```

use crate::board::peripherals::Target;
use std::fs;
use std::path::Path;
use toml::{Table, Value};

/// A device on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct I2cDevice {
    /// 0 or 1.
    pub bus: usize,
    /// Seven bits.
    pub address: u16,
    /// Its behaviour.
    pub target: Target,
}

impl I2cDevice {
    /// The device that `ADDRESS=FILE.toml` describes.
    ///
    /// # Errors
    /// What is wrong with the argument or the file.
    pub fn read(bus: usize, word: &str) -> Result<Self, String> {
        let wanted = || format!("`{word}` is not a device; try 0x76=bme280.toml");
        let (address, file) = word.split_once('=').ok_or_else(wanted)?;
        let address = number(address)
            .filter(|address| (0x08..0x78).contains(address))
            .ok_or_else(|| format!("`{address}` is not the address of an I2C device: seven bits, from 0x08 to 0x77"))?;
        let text = fs::read_to_string(Path::new(file)).map_err(|error| format!("{file}: {error}"))?;
        let target = target(&text).map_err(|error| format!("{file}: {error}"))?;
        Ok(Self { bus, address, target })
    }
}

/// A number in one of the notations of TOML and datasheets.
fn number(word: &str) -> Option<u16> {
    let parsed = match word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => word.parse(),
    };
    parsed.ok()
}

fn target(text: &str) -> Result<Target, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    if let Some(key) = table.keys().find(|key| !["registers", "read-only"].contains(&key.as_str())) {
        return Err(format!("unknown key `{key}`: a device has `registers` and `read-only`"));
    }
    let byte = |value: &Value, what: &str| {
        let byte = value.as_integer().and_then(|value| u8::try_from(value).ok());
        byte.ok_or_else(|| format!("{what} is {value}, which is not a byte"))
    };
    let mut registers = [0; 256];
    let Some(Value::Table(given)) = table.get("registers") else {
        return Err("there is no table [registers]".to_owned());
    };
    for (key, value) in given {
        let first =
            number(key).filter(|first| *first < 256).ok_or_else(|| format!("`{key}` is not a register number"))?;
        let values = match value {
            Value::Array(values) => values.as_slice(),
            single => std::slice::from_ref(single),
        };
        let room = registers.get_mut(usize::from(first)..).unwrap_or_default();
        if values.len() > room.len() {
            return Err(format!("register {key} has {} values, which extend beyond 0xFF", values.len()));
        }
        for (register, value) in room.iter_mut().zip(values) {
            *register = byte(value, &format!("register {key}"))?;
        }
    }
    let read_only = match table.get("read-only") {
        None => Vec::new(),
        Some(Value::Array(values)) => values.iter().map(|value| byte(value, "read-only")).collect::<Result<_, _>>()?,
        Some(other) => return Err(format!("read-only is {other}, not a list of registers")),
    };
    Ok(Target::new(registers, read_only))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_are_single_or_in_a_row() {
        let target = target("read-only = [0xD0]\n[registers]\n0xD0 = 0x60\n136 = [1, 2]\n").unwrap();
        assert_eq!((target.registers[0xD0], &target.registers[0x88..0x8B]), (0x60, &[1, 2, 0][..]));
        assert_eq!(target.read_only, [0xD0]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("", "no table [registers]"),
            ("[registers]\n0x100 = 1\n", "`0x100` is not a register number"),
            ("[registers]\n1 = 256\n", "register 1 is 256"),
            ("[registers]\n0xFF = [1, 2]\n", "extend beyond 0xFF"),
            ("[register]\n", "unknown key `register`"),
            ("read-only = 1\n[registers]\n", "read-only is 1"),
            ("[registers\n", "TOML"),
        ] {
            let error = target(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
        for word in ["0x76", "x=y", "0x80=a.toml", "0x03=a.toml"] {
            assert!(I2cDevice::read(0, word).is_err(), "{word}");
        }
        assert!(I2cDevice::read(0, "0x76=no/such.toml").unwrap_err().contains("no/such.toml"));
    }
}
