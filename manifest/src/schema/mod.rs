//! What picovd.toml may say: the tables and keys, nothing of their rules.
//!
//! Every key is a [`Key`]: absent, or a [`Field`] that knows where it is and whether its value has the right type.
//! A wrong type is kept as such instead of failing the whole read, so that all problems are reported in one run.
//!
//! The comments here are what an editor shows for the keys: `picovd.schema.json` is made from these types and their
//! comments, and a test holds the two against each other. Limits are there so that an editor can underline a
//! wrong value; the rules proper are those of [`check`](crate::check()), and the schema is never stricter than they are.

#[cfg(test)]
mod json;
mod keys;
mod value;

use serde_spanned::Spanned;

pub use keys::{keys, tables};
pub use value::{Field, Interval, Key, Mismatch, Moment, Size};

/// The disk that a host sees.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct VolumeTable {
    /// The volume's name as a host shows it: at most 11 UTF-16 units, 7 with label-board-digits. Without the key: "PICOVD"
    /// and the board's digits.
    #[cfg_attr(test, schemars(length(max = 11)))]
    pub label: Key<String>,
    /// Whether the last four hexadecimal digits of the board's unique id follow the label. Without the key: only after the
    /// default label.
    pub label_board_digits: Key<bool>,
    /// The volume's serial number on a board whose unique id cannot be read. Without the key: made from the timestamp.
    #[cfg_attr(test, schemars(range(max = u32::MAX)))]
    pub serial_number: Key<u32>,
    /// The moment that files and folders show, such as 2026-01-01T00:00:00Z, from 1980 to 2107; without offset it is UTC.
    /// The environment's SOURCE_DATE_EPOCH takes its place. Without the key: 2026-01-01T00:00:00Z.
    pub timestamp: Key<Moment>,
    /// The volume is at least that long, from "1 MiB" to "32 GiB"; what no file uses is free. Without the key: "1 MiB".
    pub minimum_size: Key<Size>,
    /// Whether empty hidden files ask hosts not to index: .metadata_never_index, .fseventsd/no_log and .nomedia, for macOS and
    /// Android. Without the key: false.
    pub quiet_hosts: Key<bool>,
    /// Whether a partition table (MBR) with one partition is in block 0, and the volume 1 MiB after it, for players that want one.
    /// Without the key: false, and the volume begins at block 0.
    pub partition_table: Key<bool>,
}

/// What the device says of itself.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct UsbTable {
    /// Vendor id of the USB device, not 0. Without the key: 0x2e8a, Raspberry Pi's, by which picotool finds the board.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub vid: Key<u16>,
    /// Product id of the USB device. Without the key: 0x0009.
    pub pid: Key<u16>,
    /// Who made the device: 1 to 126 UTF-16 units. Without the key: "PicoVD".
    #[cfg_attr(test, schemars(length(min = 1, max = 126)))]
    pub manufacturer: Key<String>,
    /// What the device is called: 1 to 126 UTF-16 units. Without the key: "PicoVD".
    #[cfg_attr(test, schemars(length(min = 1, max = 126)))]
    pub product: Key<String>,
    /// A serial number in place of the board's unique id: 12 to 32 of the characters 0-9 A-F. All boards would share it.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9A-F]{12,32}$")))]
    pub serial: Key<String>,
    /// Who made the disk, as SCSI says it: 1 to 8 printable ASCII characters. Without the key: "PicoVD".
    #[cfg_attr(test, schemars(regex(pattern = "^[ -~]{1,8}$")))]
    pub scsi_vendor: Key<String>,
    /// What the disk is called, as SCSI says it: 1 to 16 printable ASCII characters. Without the key: "Memory disk".
    #[cfg_attr(test, schemars(regex(pattern = "^[ -~]{1,16}$")))]
    pub scsi_product: Key<String>,
    /// The disk's revision, as SCSI says it: 1 to 4 printable ASCII characters. Without the key: "0.1".
    #[cfg_attr(test, schemars(regex(pattern = "^[ -~]{1,4}$")))]
    pub scsi_revision: Key<String>,
    /// Whether a serial port is beside the disk. Without the key: false.
    pub console: Key<bool>,
    /// Whether the interface through which picotool resets the board is beside the disk. Every host can bring the board into
    /// BOOTSEL mode by it, and read all of flash there, saved secrets too. Without the key: false.
    pub picotool_reset: Key<bool>,
    /// What the device draws from the bus at most, in milliamperes: 2 to 500, in steps of 2. A hub without a power supply gives
    /// 100, and refuses a device that asks for more. Without the key: 100.
    #[cfg_attr(test, schemars(range(min = 2, max = 500)))]
    pub max_power: Key<u16>,
}

/// The hardware.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct ChipTable {
    /// Length of the board's flash memory: a multiple of 64 KiB from "512 KiB" to "16 MiB". Without the key: "4 MiB", the
    /// Pico 2's.
    pub flash_size: Key<Size>,
    /// Where the program is: in flash, or in SRAM, where the boot ROM puts it from a UF2 file, and flash stays as it is.
    /// Without the key: "flash".
    pub program: Key<Program>,
}

/// A static file: its bytes are linked into the firmware, from `text` or from the file that `content` names.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct FileTable {
    /// Its path on the volume. Each `/` makes a folder; names have 1 to 255 UTF-16 units in any script, and upper and lower
    /// case are the same.
    #[cfg_attr(test, schemars(required, length(min = 1)))]
    pub path: Key<String>,
    /// The file that holds its bytes, relative to the manifest. Either this or `text`.
    pub content: Key<String>,
    /// Its bytes, as text in UTF-8. Either this or `content`.
    pub text: Key<String>,
    /// Whether hosts hide it. Without the key: false.
    pub hidden: Key<bool>,
    /// Its own moment instead of the volume's, such as 2026-01-01T00:00:00Z.
    pub timestamp: Key<Moment>,
    /// Who sees it. Without the key: "always".
    pub expose: Key<Expose>,
}

/// A file that shows a range of the chip's memory: `window`, or `base` and `length`.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct MemoryTable {
    /// Its path on the volume. Each `/` makes a folder; names have 1 to 255 UTF-16 units in any script, and upper and lower
    /// case are the same.
    #[cfg_attr(test, schemars(required, length(min = 1)))]
    pub path: Key<String>,
    /// A range by name: "sram" (520 KiB), "bootrom" (32 KiB), or "flash" (all of it, without address translation).
    #[cfg_attr(test, schemars(extend("enum" = ["sram", "bootrom", "flash"])))]
    pub window: Key<String>,
    /// First address of the range: ROM from 0, flash from 0x10000000, 0x14000000 or 0x1c000000, SRAM from 0x20000000.
    #[cfg_attr(test, schemars(range(max = u32::MAX)))]
    pub base: Key<u32>,
    /// Length of the range, such as "16 KiB".
    pub length: Key<Size>,
    /// Whether hosts hide it. Without the key: false.
    pub hidden: Key<bool>,
    /// Who sees it. Without the key: "always".
    pub expose: Key<Expose>,
}

/// The flash partitions as files.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct PartitionsTable {
    /// Whether they are shown. Without the key: false.
    pub enabled: Key<bool>,
    /// The folder they are in, at most 64 bytes of UTF-8; no other file is there. Without the key: "", the root
    /// directory.
    pub folder: Key<String>,
}

/// Logs as files.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct LogTable {
    /// Whether STDOUT.TXT shows the whole log. Without the key: false.
    pub stdout: Key<bool>,
    /// Whether STDOUT-TAIL.TXT shows what came since the last look. Without the key: false.
    pub tail: Key<bool>,
    /// Whether DEFMT.BIN shows defmt frames. Without the key: false.
    pub defmt: Key<bool>,
    /// RAM that keeps the text, from 256 bytes to "256 KiB". Without the key: "4 KiB".
    pub ring_size: Key<Size>,
    /// RAM that keeps defmt frames, from 256 bytes to "256 KiB". Without the key: "4 KiB".
    pub defmt_ring_size: Key<Size>,
    /// Length at which STDOUT.TXT starts again, from "4 KiB" to "1 GiB". Without the key: "16 MiB".
    pub max_file: Key<Size>,
}

/// What the board tells about itself: firmware, chip, volume, uptime, the last reset and panic.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct InfoTable {
    /// Whether INFO.TXT tells people. Without the key: false.
    pub text: Key<bool>,
    /// Whether INFO.JSON tells programs. Without the key: false.
    pub json: Key<bool>,
}

/// Files that the application registers while it runs, and how hosts are notified of changes.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct DynamicTable {
    /// How many files at most, 0 to 256. Without the key: 0.
    #[cfg_attr(test, schemars(range(max = 256)))]
    pub files: Key<u16>,
    /// How long their names may be, in UTF-16 units, 1 to 255. Without the key: 30.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub max_name: Key<u8>,
    /// Room for their contents, at least 8 KiB for each file: a file that changes moves to fresh clusters. Without the key:
    /// "1 MiB" if there are files.
    pub window: Key<Size>,
    /// How a host is notified of a change. Without the key: "auto".
    pub refresh: Key<Refresh>,
    /// A change is announced when the application has been quiet for that long, at most "60 min". Without the key: "500 ms".
    pub quiet: Key<Interval>,
    /// A change is announced when it is that old, quiet or not, at most "60 min". Without the key: "5 s".
    pub max_age: Key<Interval>,
    /// Least time between two announcements, at most "60 min". Without the key: "10 s".
    pub hold: Key<Interval>,
}

/// Settings that survive a power cut: the stick's own, and an application's.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct SettingsTable {
    /// How many flash sectors of 4 KiB: 0 for no settings, or 2 to 32. Without the key: 0.
    #[cfg_attr(test, schemars(range(max = 32)))]
    pub sectors: Key<u16>,
    /// Where they begin in flash, a multiple of 4 KiB. Without the key: right in front of flash's last sector, which UF2 tools
    /// may overwrite (RP2350-E10) and which therefore stays free.
    pub start: Key<Size>,
    /// Whether settings can only be read, for good. Without the key: false, and the setting `lock` decides.
    pub lock: Key<bool>,
    /// Whether files that show SRAM show all of it but the settings themselves: stacks too, where programs leave copies of
    /// secrets. Without the key: false, and they show the variables alone.
    pub show_stacks: Key<bool>,
}

/// Memory that reads as zeros in every file that would show it: `name`, or `base` and `length`.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct RedactTable {
    /// First address of the range, through any alias. In flash the range is hidden by its place in the chip, from windows with
    /// address translation too.
    #[cfg_attr(test, schemars(range(max = u32::MAX)))]
    pub base: Key<u32>,
    /// Length of the range; it is widened to whole sectors of 512 bytes.
    pub length: Key<Size>,
    /// A range by name: "settings", the settings' sectors.
    #[cfg_attr(test, schemars(extend("enum" = ["settings"])))]
    pub name: Key<String>,
}

/// What is on the stick, and what the device says of itself. Nothing has to be there.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields, title = "PicoVD manifest"))]
#[serde(rename_all = "kebab-case", default)]
pub struct Tables {
    /// The disk that a host sees.
    pub volume: VolumeTable,
    /// What the device says of itself.
    pub usb: UsbTable,
    /// The hardware.
    pub chip: ChipTable,
    /// Static files: their bytes are linked into the firmware.
    #[cfg_attr(test, schemars(with = "Vec<FileTable>"))]
    pub file: Vec<Spanned<FileTable>>,
    /// Files that show ranges of the chip's memory, read at the moment when the host reads them.
    #[cfg_attr(test, schemars(with = "Vec<MemoryTable>"))]
    pub memory: Vec<Spanned<MemoryTable>>,
    /// The flash partitions as files.
    pub partitions: PartitionsTable,
    /// Logs as files.
    pub log: LogTable,
    /// What the board tells about itself.
    pub info: InfoTable,
    /// Files that the application registers while it runs, and how hosts are notified of changes.
    pub dynamic: DynamicTable,
    /// Settings that survive a power cut: the stick's own, and an application's.
    pub settings: SettingsTable,
    /// Ranges of memory that read as zeros in every file that would show them.
    #[cfg_attr(test, schemars(with = "Vec<RedactTable>"))]
    pub redact: Vec<Spanned<RedactTable>>,
}

/// Where the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// In flash, from which it starts.
    Flash,
    /// In SRAM, until the power goes.
    Sram,
}

/// Who sees a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Expose {
    /// Nobody: the file is not on the volume.
    Never,
    /// Everybody while the setting `exposed` names the file; it takes sectors for settings.
    Setting,
    /// Everybody.
    Always,
}

/// How a host is told of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
