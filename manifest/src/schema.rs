//! What picovd.toml may say: the tables and keys, nothing of their rules.
//!
//! Every key is a [`Key`]: absent, or a [`Field`] that knows where it stands and whether its value has the right type.
//! A wrong type is kept as such instead of failing the whole read, so that all problems are reported in one run.

use std::fmt;
use std::ops::Range;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_spanned::Spanned;

/// An optional key.
pub type Key<T> = Option<Field<T>>;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub struct Field<T> {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The value, or what is wrong with its type.
    pub value: Result<T, String>,
}

impl<'de, T: de::DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<toml::Value>::deserialize(deserializer)?;
        let span = spanned.span();
        let value = T::deserialize(spanned.into_inner()).map_err(|error| error.message().trim().to_owned());
        Ok(Self { span, value })
    }
}

/// `[volume]`: the disk that a host sees.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct VolumeTable {
    /// The volume's name, at most 11 UTF-16 units with the board's digits.
    pub label: Key<String>,
    /// Whether the last four hexadecimal digits of the board's identity follow the label.
    pub label_board_digits: Key<bool>,
    /// VolumeSerialNumber for a board that has no identity of its own.
    pub serial_number: Key<u32>,
    /// The moment that all files show.
    pub timestamp: Key<Moment>,
    /// The volume is at least that long.
    pub minimum_size: Key<Size>,
}

/// `[usb]`: what the device says of itself.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct UsbTable {
    /// Vendor id.
    pub vid: Key<u16>,
    /// Product id.
    pub pid: Key<u16>,
    /// Manufacturer string.
    pub manufacturer: Key<String>,
    /// Product string.
    pub product: Key<String>,
    /// Serial number string instead of the board's identity.
    pub serial: Key<String>,
    /// T10 vendor identification of the disk, at most 8 ASCII characters.
    pub scsi_vendor: Key<String>,
    /// Product identification of the disk, at most 16 ASCII characters.
    pub scsi_product: Key<String>,
    /// Product revision of the disk, at most 4 ASCII characters.
    pub scsi_revision: Key<String>,
    /// A serial port beside the disk.
    pub console: Key<bool>,
    /// The interface through which picotool resets the board.
    pub picotool_reset: Key<bool>,
}

/// `[chip]`: the hardware.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ChipTable {
    /// Length of the flash memory.
    pub flash_size: Key<Size>,
}

/// `[[file]]`: a file whose bytes are known at build time.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct FileTable {
    /// Its path on the volume, folders separated by `/`.
    pub path: Key<String>,
    /// The file with its bytes, relative to the manifest.
    pub content: Key<String>,
    /// Its bytes as text.
    pub text: Key<String>,
    /// Whether hosts hide it.
    pub hidden: Key<bool>,
    /// Its own moment instead of the volume's.
    pub timestamp: Key<Moment>,
    /// Who sees it.
    pub expose: Key<Expose>,
}

/// `[[memory]]`: a file that shows a range of the chip's memory.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct MemoryTable {
    /// Its path on the volume.
    pub path: Key<String>,
    /// A window by name: `sram`, `bootrom`, `flash`.
    pub window: Key<String>,
    /// First address.
    pub base: Key<u32>,
    /// Length.
    pub length: Key<Size>,
    /// Whether hosts hide it.
    pub hidden: Key<bool>,
    /// Who sees it.
    pub expose: Key<Expose>,
}

/// `[partitions]`: the flash partitions as files.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PartitionsTable {
    /// Whether they are shown.
    pub enabled: Key<bool>,
    /// The folder they stand in; empty for the root directory.
    pub folder: Key<String>,
}

/// `[log]`: logs as files.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LogTable {
    /// STDOUT.TXT, the whole log.
    pub stdout: Key<bool>,
    /// STDOUT-TAIL.TXT, what came since the last look.
    pub tail: Key<bool>,
    /// DEFMT.BIN, defmt frames.
    pub defmt: Key<bool>,
    /// RAM that keeps the text.
    pub ring_size: Key<Size>,
    /// RAM that keeps defmt frames.
    pub defmt_ring_size: Key<Size>,
    /// Length at which STDOUT.TXT starts anew.
    pub max_file: Key<Size>,
}

/// `[dynamic]`: files that the application registers at run time, and how hosts hear of changes.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct DynamicTable {
    /// Number of files at most.
    pub files: Key<u16>,
    /// Length of their names at most, in UTF-16 units.
    pub max_name: Key<u8>,
    /// Room for their contents.
    pub window: Key<Size>,
    /// How a host is told.
    pub refresh: Key<Refresh>,
    /// The application has to be quiet for that long before a change is announced.
    pub quiet: Key<Interval>,
    /// A change is announced when it is that old, quiet or not.
    pub max_age: Key<Interval>,
    /// Least time between two announcements.
    pub hold: Key<Interval>,
}

/// `[settings]`: flash for persistent settings.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct SettingsTable {
    /// Number of 4 KiB flash sectors: 0, or 2 and more.
    pub sectors: Key<u16>,
    /// Where they begin in flash.
    pub start: Key<Size>,
    /// Whether they can only be read.
    pub lock: Key<bool>,
}

/// `[[redact]]`: memory that reads as zeros in every file.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RedactTable {
    /// First address.
    pub base: Key<u32>,
    /// Length.
    pub length: Key<Size>,
    /// A range by name: `settings`.
    pub name: Key<String>,
}

/// The whole manifest.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Tables {
    /// `[volume]`
    pub volume: VolumeTable,
    /// `[usb]`
    pub usb: UsbTable,
    /// `[chip]`
    pub chip: ChipTable,
    /// `[[file]]`
    pub file: Vec<Spanned<FileTable>>,
    /// `[[memory]]`
    pub memory: Vec<Spanned<MemoryTable>>,
    /// `[partitions]`
    pub partitions: PartitionsTable,
    /// `[log]`
    pub log: LogTable,
    /// `[dynamic]`
    pub dynamic: DynamicTable,
    /// `[settings]`
    pub settings: SettingsTable,
    /// `[[redact]]`
    pub redact: Vec<Spanned<RedactTable>>,
}

/// Who sees a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expose {
    /// Nobody: the file is not on the volume.
    Never,
    /// Whoever a setting allows; nobody as long as there are no settings.
    Setting,
    /// Everybody.
    Always,
}

/// How a host is told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refresh {
    /// By reinsertion, and by reconnection when the host does not look.
    Auto,
    /// By a unit attention.
    Attention,
    /// By taking the medium out and putting it back.
    Reinsert,
    /// By leaving the bus and coming back.
    Reconnect,
}

/// A number of bytes: an integer, or a text such as `"4 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A time span in milliseconds: an integer, or a text such as `"10 s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(pub u64);

/// A moment: a TOML date and time. Without offset it is UTC, without time it is midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub toml::value::Datetime);

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const UNITS: &[(&str, u64)] = &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        let visitor = Quantity { units: UNITS, expecting: "a number of bytes such as 4096 or \"4 KiB\"" };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const UNITS: &[(&str, u64)] = &[("ms", 1), ("s", 1000), ("min", 60_000)];
        let visitor = Quantity { units: UNITS, expecting: "a number of milliseconds such as 250 or \"10 s\"" };
        deserializer.deserialize_any(visitor).map(Self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        toml::value::Datetime::deserialize(deserializer).map(Self).map_err(|_| {
            de::Error::custom("expected a date and time such as 2026-01-01T00:00:00Z, without quotation marks")
        })
    }
}

/// A number with a unit.
struct Quantity {
    units: &'static [(&'static str, u64)],
    expecting: &'static str,
}

impl Visitor<'_> for Quantity {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u64, E> {
        u64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Signed(value), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u64, E> {
        Ok(value)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number = number.replace('_', "").parse::<u64>().ok();
        let factor = self.units.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
        number
            .zip(factor)
            .and_then(|(number, factor)| number.checked_mul(factor))
            .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

/// The keys of a table, as its type declares them.
pub fn keys<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // It always ends in an error; what counts is what it was asked for.
    let _ = T::deserialize(KeyReader(&mut keys));
    keys
}

struct KeyReader<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only structures have keys"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = fields;
        Err(de::Error::custom("the keys are known"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize)]
    struct Sizes {
        a: Field<Size>,
        b: Field<Interval>,
    }

    fn sizes(a: &str, b: &str) -> (Result<Size, String>, Result<Interval, String>) {
        let sizes: Sizes = toml::from_str(&format!("a = {a}\nb = {b}\n")).unwrap();
        (sizes.a.value, sizes.b.value)
    }

    #[test]
    fn quantities() {
        assert_eq!(sizes("0x1000", "250"), (Ok(Size(4096)), Ok(Interval(250))));
        assert_eq!(sizes("'4 KiB'", "'10 s'"), (Ok(Size(4096)), Ok(Interval(10_000))));
        assert_eq!(sizes("'1_0MiB'", "'2min'"), (Ok(Size(10 << 20)), Ok(Interval(120_000))));
        for bad in
            ["-1", "'KiB'", "'4 kB'", "''", "'99999999999999999999 B'", "'18446744073709551615 GiB'", "1.5", "true"]
        {
            let (size, interval) = sizes(bad, bad);
            assert!(size.unwrap_err().contains("4 KiB"), "{bad}");
            assert!(interval.unwrap_err().contains("10 s"), "{bad}");
        }
    }

    #[test]
    fn keys_are_those_of_the_types() {
        assert_eq!(keys::<ChipTable>(), ["flash-size"]);
        assert!(keys::<Tables>().contains(&"redact"));
        assert!(keys::<VolumeTable>().contains(&"label-board-digits"));
    }
}
