//! What picovd.toml may contain: the tables and keys, without their rules.
//!
//! Every key is a [`Key`]: absent, or a [`Field`] that knows its location and whether its value has the right type. A wrong
//! type is stored instead of failing the whole read, so that all problems are reported in one run.
//!
//! Editors show the comments here for the keys: `picovd.schema.json` is generated from these types and their comments, and
//! a test compares both. Limits let an editor mark a wrong value; the actual rules are those of [`check`](crate::check()),
//! and the schema is never stricter.

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
    /// The volume's name on a host: at most 11 UTF-16 units, or 7 with label-board-digits. Default: "PICOVD" and the
    /// board's digits.
    #[cfg_attr(test, schemars(length(max = 11)))]
    pub label: Key<String>,
    /// Whether the last four hexadecimal digits of the board's unique id follow the label. Default: only after the default
    /// label.
    pub label_board_digits: Key<bool>,
    /// The volume's serial number on a board whose unique id cannot be read. Default: derived from the timestamp.
    #[cfg_attr(test, schemars(range(max = u32::MAX)))]
    pub serial_number: Key<u32>,
    /// The time of files and folders, such as 2026-01-01T00:00:00Z, from 1980 to 2107; without an offset it is UTC. The
    /// environment variable SOURCE_DATE_EPOCH replaces it. Default: 2026-01-01T00:00:00Z.
    pub timestamp: Key<Moment>,
    /// Minimum length of the volume, from "1 MiB" to "32 GiB"; what no file uses is free. Default: "1 MiB".
    pub minimum_size: Key<Size>,
    /// Whether empty hidden files ask hosts not to index the volume: .metadata_never_index, .fseventsd/no_log and .nomedia,
    /// for macOS and Android. Default: false.
    pub quiet_hosts: Key<bool>,
    /// Whether block 0 is a partition table (MBR) with one partition, and the volume begins 1 MiB after it, for players
    /// that require that. Default: false, and the volume begins at block 0.
    pub partition_table: Key<bool>,
}

/// How the device describes itself.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct UsbTable {
    /// Vendor id of the USB device, not 0. Default: 0x2e8a, Raspberry Pi's, by which picotool finds the board.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub vid: Key<u16>,
    /// Product id of the USB device. Default: 0x0009.
    pub pid: Key<u16>,
    /// The device's manufacturer: 1 to 126 UTF-16 units. Default: "PicoVD".
    #[cfg_attr(test, schemars(length(min = 1, max = 126)))]
    pub manufacturer: Key<String>,
    /// The device's name: 1 to 126 UTF-16 units. Default: "PicoVD".
    #[cfg_attr(test, schemars(length(min = 1, max = 126)))]
    pub product: Key<String>,
    /// A serial number that replaces the board's unique id: 12 to 32 of the characters 0-9 A-F. All boards would share it.
    #[cfg_attr(test, schemars(regex(pattern = "^[0-9A-F]{12,32}$")))]
    pub serial: Key<String>,
    /// The disk's vendor for SCSI: 1 to 8 printable ASCII characters. Default: "PicoVD".
    #[cfg_attr(test, schemars(regex(pattern = "^[ -~]{1,8}$")))]
    pub scsi_vendor: Key<String>,
    /// The disk's product name for SCSI: 1 to 16 printable ASCII characters. Default: "Memory disk".
    #[cfg_attr(test, schemars(regex(pattern = "^[ -~]{1,16}$")))]
    pub scsi_product: Key<String>,
    /// The disk's revision for SCSI: 1 to 4 printable ASCII characters. Default: "0.1".
    #[cfg_attr(test, schemars(regex(pattern = "^[ -~]{1,4}$")))]
    pub scsi_revision: Key<String>,
    /// Whether there is a serial port in addition to the disk. Default: false.
    pub console: Key<bool>,
    /// Whether there is the interface through which picotool resets the board. With it, every host can restart the board in
    /// BOOTSEL mode and read all of flash there, including saved secrets. Default: false.
    pub picotool_reset: Key<bool>,
    /// Maximum current from the bus in milliamperes: 2 to 500, in steps of 2. A hub without a power supply provides 100,
    /// and refuses a device that requests more. Default: 100.
    #[cfg_attr(test, schemars(range(min = 2, max = 500)))]
    pub max_power: Key<u16>,
}

/// The hardware.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct ChipTable {
    /// Length of the board's flash memory: a multiple of 64 KiB from "512 KiB" to "16 MiB". Default: "4 MiB", the Pico 2's.
    pub flash_size: Key<Size>,
    /// Where the program is: in flash, or in SRAM, into which the boot ROM loads it from a UF2 file without changing flash.
    /// Default: "flash".
    pub program: Key<Program>,
}

/// A static file: its bytes are linked into the firmware, from `text` or from the file that `content` names.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct FileTable {
    /// Its path on the volume. `/` separates folders; names have 1 to 255 UTF-16 units in any script, and case is ignored.
    #[cfg_attr(test, schemars(required, length(min = 1)))]
    pub path: Key<String>,
    /// The file with its bytes, relative to the manifest. Either this or `text`.
    pub content: Key<String>,
    /// Its contents as UTF-8 text. Either this or `content`.
    pub text: Key<String>,
    /// Whether hosts hide it. Default: false.
    pub hidden: Key<bool>,
    /// A time that replaces the volume's, such as 2026-01-01T00:00:00Z.
    pub timestamp: Key<Moment>,
    /// When hosts see it. Default: "always".
    pub expose: Key<Expose>,
}

/// A file that shows a range of the chip's memory: `window`, or `base` and `length`.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct MemoryTable {
    /// Its path on the volume. `/` separates folders; names have 1 to 255 UTF-16 units in any script, and case is ignored.
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
    /// Whether hosts hide it. Default: false.
    pub hidden: Key<bool>,
    /// When hosts see it. Default: "always".
    pub expose: Key<Expose>,
}

/// The flash partitions as files.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct PartitionsTable {
    /// Whether they are shown. Default: false.
    pub enabled: Key<bool>,
    /// The folder they are in, at most 64 bytes of UTF-8; no other file may be in it. Default: "", the root directory.
    pub folder: Key<String>,
}

/// Logs as files.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct LogTable {
    /// Whether STDOUT.TXT shows the whole log. Default: false.
    pub stdout: Key<bool>,
    /// Whether STDOUT-TAIL.TXT shows what was written since the last look. Default: false.
    pub tail: Key<bool>,
    /// Whether DEFMT.BIN shows defmt frames. Default: false.
    pub defmt: Key<bool>,
    /// RAM for the text, from 256 bytes to "256 KiB". Default: "4 KiB".
    pub ring_size: Key<Size>,
    /// RAM for defmt frames, from 256 bytes to "256 KiB". Default: "4 KiB".
    pub defmt_ring_size: Key<Size>,
    /// Length at which STDOUT.TXT starts over, from "4 KiB" to "1 GiB". Default: "16 MiB".
    pub max_file: Key<Size>,
}

/// What the board reports about itself: firmware, chip, volume, uptime, the last reset and panic.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct InfoTable {
    /// Whether there is INFO.TXT, for users. Default: false.
    pub text: Key<bool>,
    /// Whether there is INFO.JSON, for programs. Default: false.
    pub json: Key<bool>,
    /// Whether there is MANIFEST.TOML, this manifest's text. Default: true for the stock firmware, false in a program's own
    /// manifest.
    pub manifest: Key<bool>,
}

/// The page that the stock firmware has: it makes the UF2 file that configures the stick.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct PageTable {
    /// Whether there is CONFIGURE.HTM. Default: true for the stock firmware, false in a program's own manifest.
    pub configure: Key<bool>,
}

/// The chip's own temperature, for the stock firmware; a program registers files of its own.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct SensorTable {
    /// Whether there is SENSOR.CSV: seconds since the start, and degrees Celsius; the newest readings. Default: false.
    pub temperature: Key<bool>,
    /// Time between two readings, from "100 ms" to "60 min". Default: "10 s".
    pub interval: Key<Interval>,
}

/// What is kept of a crash: after a panic or a fault the program restarts, and CORE.ELF, CRASH.TXT and CRASH.JSON are on the stick.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct CrashTable {
    /// Whether crashes are kept. Default: false.
    pub enabled: Key<bool>,
    /// RAM for the live part of the stack, a multiple of 4, "256 B" to "64 KiB". With settings, whose secrets stacks may hold, it is
    /// kept only if `show-stacks` is true. Default: "4 KiB".
    pub stack: Key<Size>,
    /// Whether PicoVD has the handlers of faults. With `false`, the program's own ones call `disk::faulted`. Default: true.
    pub handlers: Key<bool>,
}

/// Files that the application registers at run time, and how hosts are notified of changes.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct DynamicTable {
    /// Maximum number of files, 0 to 256. Default: 0.
    #[cfg_attr(test, schemars(range(max = 256)))]
    pub files: Key<u16>,
    /// Maximum length of their names in UTF-16 units, 1 to 255. Default: 30.
    #[cfg_attr(test, schemars(range(min = 1)))]
    pub max_name: Key<u8>,
    /// Room for their contents, at least 8 KiB per file: a file that changes moves to other clusters. Default: "1 MiB" if
    /// there are files.
    pub window: Key<Size>,
    /// How hosts are notified of a change. Default: "auto".
    pub refresh: Key<Refresh>,
    /// A change is announced when no other has followed for this long, at most "60 min". Default: "500 ms".
    pub quiet: Key<Interval>,
    /// A change is announced when it is this old, even if others follow, at most "60 min". Default: "5 s".
    pub max_age: Key<Interval>,
    /// Minimum time between two announcements, at most "60 min". Default: "10 s".
    pub hold: Key<Interval>,
    /// While changes keep coming, the minimum time doubles from announcement to announcement, up to this, at most "60 min".
    /// Default: `hold`, or "60 s" without one.
    pub max_hold: Key<Interval>,
}

/// Settings that survive a power cut: the stick's own, and an application's.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct SettingsTable {
    /// Number of flash sectors of 4 KiB: 0 for no settings, or 2 to 32. Default: 0.
    #[cfg_attr(test, schemars(range(max = 32)))]
    pub sectors: Key<u16>,
    /// Where they begin in flash, a multiple of 4 KiB. Default: directly before the last sector of flash, which stays free
    /// because UF2 tools may overwrite it (RP2350-E10).
    pub start: Key<Size>,
    /// Whether settings are permanently read-only. Default: false, and the setting `lock` decides.
    pub lock: Key<bool>,
    /// Whether files that show SRAM show everything except the settings themselves, including stacks, where programs leave
    /// copies of secrets. Default: false, and they show only variables.
    pub show_stacks: Key<bool>,
}

/// Memory that reads as zeros in every file that would show it: `name`, or `base` and `length`.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "kebab-case", default)]
pub struct RedactTable {
    /// First address of the range, through any alias. In flash, the range is hidden by its location in the chip, even in
    /// windows with address translation.
    #[cfg_attr(test, schemars(range(max = u32::MAX)))]
    pub base: Key<u32>,
    /// Length of the range; it is widened to whole sectors of 512 bytes.
    pub length: Key<Size>,
    /// A range by name: "settings", the settings' sectors.
    #[cfg_attr(test, schemars(extend("enum" = ["settings"])))]
    pub name: Key<String>,
}

/// What is on the stick, and how the device describes itself. Everything is optional.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(deny_unknown_fields, title = "PicoVD manifest"))]
#[serde(rename_all = "kebab-case", default)]
pub struct Tables {
    /// The disk that a host sees.
    pub volume: VolumeTable,
    /// How the device describes itself.
    pub usb: UsbTable,
    /// The hardware.
    pub chip: ChipTable,
    /// Static files: their bytes are linked into the firmware.
    #[cfg_attr(test, schemars(with = "Vec<FileTable>"))]
    pub file: Vec<Spanned<FileTable>>,
    /// Files that show ranges of the chip's memory, with their contents at the time of the read.
    #[cfg_attr(test, schemars(with = "Vec<MemoryTable>"))]
    pub memory: Vec<Spanned<MemoryTable>>,
    /// The flash partitions as files.
    pub partitions: PartitionsTable,
    /// Logs as files.
    pub log: LogTable,
    /// What the board reports about itself.
    pub info: InfoTable,
    /// The page that the stock firmware has.
    pub page: PageTable,
    /// The chip's own temperature, for the stock firmware.
    pub sensor: SensorTable,
    /// What is kept of a crash.
    pub crash: CrashTable,
    /// Files that the application registers at run time, and how hosts are notified of changes.
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
    /// In SRAM, until power-off.
    Sram,
}

/// When hosts see a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Expose {
    /// Never: the file is not on the volume.
    Never,
    /// While the setting `exposed` names the file, which requires sectors for settings.
    Setting,
    /// Always: the file is on the volume.
    Always,
}

/// How hosts are notified of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Refresh {
    /// By reinsertion, and by reconnection if the host does not look.
    Auto,
    /// By a unit attention.
    Attention,
    /// By removing the medium and inserting it again.
    Reinsert,
    /// By leaving the bus and coming back.
    Reconnect,
}
