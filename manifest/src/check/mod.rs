//! All rules of the manifest. All problems are collected in one run. The result is a [`Checked`] value, in which no text is
//! left to be parsed and no key is missing.

mod device;
mod memory;
mod names;
mod volume;

use std::ops::Range;
use std::sync::Arc;

use picovd_exfat::time::Timestamp;

use crate::diagnostic::{Code, Collector, Diagnostic, Diagnostics};
use crate::document::Manifest;
use crate::schema::{Expose, Field, Key, Program, Refresh, SettingsTable, Size};
use crate::source::Source;

pub use memory::Window;
pub(crate) use volume::MAXIMUM_SIZE;

/// Length of a flash sector in bytes, which is the unit of erasing, and the length of a cluster.
pub const FLASH_SECTOR: u32 = 4096;
/// Length of the shortest flash chip that a manifest supports.
pub const SHORTEST_FLASH: u32 = 512 << 10;

/// A manifest that obeys every rule, which a value of this type proves; only [`check`] creates it. One thing is left for
/// [`plan`](crate::plan()) to find: that everything together is too large.
#[derive(Clone, Debug)]
pub struct Checked {
    pub(crate) source: Source,
    pub(crate) volume: Volume,
    pub(crate) usb: Usb,
    pub(crate) chip: Chip,
    pub(crate) folders: Vec<Folder>,
    pub(crate) files: Vec<File>,
    pub(crate) redactions: Vec<Window>,
    pub(crate) partitions: Partitions,
    pub(crate) log: Log,
    pub(crate) info: Info,
    pub(crate) stock: Stock,
    /// What is an error in firmware that is built from the manifest.
    pub(crate) stock_only: Diagnostics,
    pub(crate) crash: Crash,
    pub(crate) dynamic: Dynamic,
    pub(crate) settings: Settings,
    /// Where the dynamic window's length is set in the text.
    pub(crate) window_span: Option<Range<usize>>,
    /// Warnings.
    pub(crate) warnings: Diagnostics,
}

/// `[volume]`, checked.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub label: String,
    pub board_digits: bool,
    pub serial_number: u32,
    pub timestamp: Timestamp,
    pub minimum_size: u64,
    pub partition_table: bool,
}

/// `[usb]`: how the device describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usb {
    /// idVendor.
    pub vid: u16,
    /// idProduct.
    pub pid: u16,
    /// iManufacturer's string: 1 to 126 UTF-16 units.
    pub manufacturer: String,
    /// iProduct's string: 1 to 126 UTF-16 units.
    pub product: String,
    /// iSerialNumber's string if it replaces the board's identity: 12 to 32 hexadecimal digits.
    pub serial: Option<String>,
    /// T10 VENDOR IDENTIFICATION: at most 8 ASCII characters.
    pub scsi_vendor: String,
    /// PRODUCT IDENTIFICATION: at most 16 ASCII characters.
    pub scsi_product: String,
    /// PRODUCT REVISION LEVEL: at most 4 ASCII characters.
    pub scsi_revision: String,
    /// Whether there is a serial port in addition to the disk.
    pub console: bool,
    /// Whether there is the picotool reset interface in addition to the disk.
    pub picotool_reset: bool,
    /// Maximum current from the bus in milliamperes: 2 to 500, even.
    pub max_power: u16,
}

/// `[chip]`: the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chip {
    /// Length of flash in bytes, a multiple of 64 KiB.
    pub flash_size: u32,
    /// Where the program is.
    pub program: Program,
}

/// A folder. The first one is the root directory.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub name: String,
    pub path: String,
    pub hidden: bool,
    pub entries: Vec<Entry>,
}

/// An entry of a folder, as an index in [`Checked::folders`] or [`Checked::files`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder(usize),
    File(usize),
}

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub name: String,
    pub path: String,
    pub hidden: bool,
    /// Whether a setting decides if the file is on the volume.
    pub by_setting: bool,
    pub timestamp: Timestamp,
    pub content: Content,
    /// Where its path is in the text.
    pub span: Range<usize>,
}

/// What a file shows.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Bytes(Arc<[u8]>),
    Memory(Window),
}

/// `[partitions]`: the flash partitions as files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Whether they are shown.
    pub enabled: bool,
    /// The folder they are in; empty for the root directory.
    pub folder: String,
}

/// `[log]`: logs as files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// The whole log.
    pub stdout: bool,
    /// What was written since the last look.
    pub tail: bool,
    /// defmt frames.
    pub defmt: bool,
    /// RAM for text, in bytes.
    pub ring_size: u32,
    /// RAM for defmt frames, in bytes.
    pub defmt_ring_size: u32,
    /// Length in bytes at which the file of the whole log starts over.
    pub max_file: u32,
}

/// `[info]`: what the board reports about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Info {
    /// As text.
    pub text: bool,
    /// As JSON.
    pub json: bool,
    /// The manifest's text.
    pub manifest: bool,
}

/// `[page]` and `[sensor]`: what only the stock firmware has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Whether the stock firmware is to show the manifest.
    pub firmware: bool,
    /// The page CONFIGURE.HTM.
    pub page: bool,
    /// The chip's temperature in SENSOR.CSV.
    pub temperature: bool,
    /// Milliseconds between two readings.
    pub interval: u32,
}

/// `[crash]`: what is kept of a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Whether crashes are kept.
    pub enabled: bool,
    /// RAM for the live part of the stack, in bytes.
    pub stack: u32,
    /// Whether the handlers of faults are PicoVD's.
    pub handlers: bool,
}

/// What else takes names, in addition to the files that the manifest lists.
#[derive(Clone, Copy)]
struct Reserved<'c> {
    settings: Settings,
    log: Log,
    info: Info,
    stock: Stock,
    crash: Crash,
    partitions: &'c Partitions,
}

/// `[dynamic]`: files that exist only at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dynamic {
    /// Maximum number of files.
    pub files: u16,
    /// Maximum length of their names in UTF-16 units, at least 1.
    pub max_name: u8,
    /// Room for their contents in bytes; 0 without files.
    pub window: u64,
    /// How hosts are notified of a change.
    pub refresh: Refresh,
    /// Quiet period in milliseconds.
    pub quiet: u32,
    /// Age in milliseconds at which a change is announced anyway.
    pub max_age: u32,
    /// Minimum time between announcements in milliseconds.
    pub hold: u32,
    /// The same while changes keep coming.
    pub max_hold: u32,
}

/// `[settings]`: flash sectors for persistent settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Number of flash sectors: 0, or 2 and more.
    pub sectors: u16,
    /// Offset of the first one in flash, in bytes.
    pub start: u32,
    /// Whether they are permanently read-only.
    pub lock: bool,
    /// Whether files that show SRAM show stacks.
    pub show_stacks: bool,
    /// Whether the manifest leaves it to the chip where they are: at its end.
    pub from_end: bool,
}

/// Checks a manifest and reads the files that it names.
///
/// `source_date_epoch` is the value of the environment variable SOURCE_DATE_EPOCH. It replaces the volume's timestamp, but
/// not a file's own one.
///
/// # Errors
/// All problems, including those that [`read`](crate::read()) found, together with the warnings. Warnings alone are not an
/// error: [`DiskPlan::warnings`](crate::DiskPlan) has them.
pub fn check(manifest: &Manifest, source_date_epoch: Option<&str>) -> Result<Checked, Diagnostics> {
    let mut rules = Rules { problems: Collector::default() };
    rules.problems.extend(&manifest.problems);
    let checked = rules.apply(manifest, source_date_epoch);
    let harmless = rules.problems.is_harmless();
    let warnings = rules.problems.into_diagnostics(&manifest.source);
    if harmless { Ok(Checked { warnings, ..checked }) } else { Err(warnings) }
}

/// What else is wrong with a text that is not valid TOML: `syntax` has its syntax errors, `manifest` what could be read
/// nevertheless, at least up to byte `unclear`.
///
/// A broken line hides keys, so missing keys are not reported, nor anything on the broken lines themselves.
pub(crate) fn recovered(manifest: &Manifest, mut syntax: Collector, unclear: usize) -> Diagnostics {
    let source = &manifest.source;
    let mut rules = Rules { problems: Collector::default() };
    rules.problems.extend(&manifest.problems);
    rules.apply(manifest, None);
    let line = |at: usize| source.position(at).line;
    let broken: Vec<usize> = syntax.spans().map(|span| line(span.start)).collect();
    let kept = |item: &Diagnostic| {
        let Some(span) = &item.span else { return false };
        let lines = line(span.start)..line(span.end) + 1;
        let of_what_is_missing = matches!(
            item.code,
            Code::MissingKey | Code::Redaction | Code::Settings | Code::Exposure | Code::DynamicWindow
        );
        !of_what_is_missing && span.end < unclear && !broken.iter().any(|line| lines.contains(line))
    };
    syntax.extend_if(&rules.problems, kept);
    syntax.into_diagnostics(source)
}

/// The state of a check.
struct Rules {
    problems: Collector,
}

/// A value and its bytes in the text.
type Placed<T> = (T, Range<usize>);

impl Rules {
    /// Checks a manifest against every rule. The value is only valid if no problem was found.
    fn apply(&mut self, manifest: &Manifest, source_date_epoch: Option<&str>) -> Checked {
        let tables = &manifest.tables;
        let chip = self.chip(&tables.chip);
        let volume = self.volume(&tables.volume, source_date_epoch);
        let usb = self.usb(&tables.usb);
        let settings = self.settings(&tables.settings, chip);
        if !manifest.is_for_stock_firmware {
            self.reset_beside_settings(&tables.usb, &usb, settings);
        }
        self.settings_without_console(&tables.usb, &tables.settings, settings);
        let log = self.log(&tables.log);
        let partitions = self.partitions(&tables.partitions);
        let info = self.info(&tables.info);
        let stock = self.stock(&tables.page, &tables.sensor, manifest.is_for_stock_firmware);
        let crash = self.crash(&tables.crash);
        let reserved = Reserved { settings, log, info, stock, crash, partitions: &partitions };
        let (folders, files) = self.entries(manifest, volume.timestamp, chip, reserved);
        let redactions = self.redactions(&tables.redact, &files, &partitions, chip, settings);
        let dynamic = self.dynamic(&tables.dynamic);
        self.content_size(manifest, &folders, &files, settings);
        Checked {
            source: manifest.source.clone(),
            volume,
            usb,
            chip,
            folders,
            files,
            redactions,
            partitions,
            log,
            info,
            stock,
            stock_only: device::stock_only(&tables.page, &tables.sensor, stock).into_diagnostics(&manifest.source),
            crash,
            dynamic,
            settings,
            window_span: tables.dynamic.window.as_ref().map(|window| window.span.clone()),
            warnings: Collector::default().into_diagnostics(&manifest.source),
        }
    }

    /// The key's value, if it is there and of the right type. A wrong type is reported here.
    fn placed<T: Clone>(&mut self, key: &Key<T>) -> Option<Placed<T>> {
        let Field { span, value } = key.as_ref()?;
        match value {
            Ok(value) => Some((value.clone(), span.clone())),
            Err(mismatch) => {
                self.problems.report(Code::WrongType, span.clone(), &*mismatch.found, &*mismatch.remedy);
                None
            }
        }
    }

    /// A whole number. `allowed` describes the valid ones for the message about a wrong type.
    fn number<T: Clone + Into<u64>>(&mut self, key: &Key<T>, allowed: &str) -> Option<Placed<u64>> {
        let Field { span, value } = key.as_ref()?;
        match value {
            Ok(value) => Some((value.clone().into(), span.clone())),
            Err(mismatch) => {
                let remedy = format!("use {allowed}");
                self.problems.report(Code::WrongType, span.clone(), &*mismatch.found, remedy);
                None
            }
        }
    }

    /// The key's value, or `default` if it is absent or wrong.
    fn value<T: Clone>(&mut self, key: &Key<T>, default: T) -> T {
        self.placed(key).map_or(default, |(value, _)| value)
    }

    /// A number within `range`, or `default`.
    fn ranged(&mut self, what: &str, value: Option<Placed<u64>>, range: Range<u64>, default: u64) -> u64 {
        self.within(what, value, range, default, |number| number.to_string())
    }

    /// A size within `range`, or `default`.
    fn size(&mut self, what: &str, key: &Key<Size>, range: Range<u64>, default: u64) -> u64 {
        let placed = self.placed(key).map(|(size, span)| (size.0, span));
        self.within(what, placed, range, default, bytes)
    }

    fn within(
        &mut self,
        what: &str,
        value: Option<Placed<u64>>,
        range: Range<u64>,
        default: u64,
        shown: fn(u64) -> String,
    ) -> u64 {
        let Some((value, span)) = value else { return default };
        if range.contains(&value) {
            return value;
        }
        let (first, last) = (shown(range.start), shown(range.end - 1));
        let message = format!("{what} is {}", shown(value));
        self.problems.report(Code::OutOfRange, span, message, format!("use a value from {first} to {last}"));
        default
    }

    /// When hosts see a file; `None` if never. Without settings, it cannot be left to a setting.
    fn exposure(&mut self, expose: &Key<Expose>, settings: &SettingsTable) -> Option<Expose> {
        let (exposure, span) = self.placed(expose).map_or((Expose::Always, None), |(value, span)| (value, Some(span)));
        // Invalid sectors were reported already.
        let none = matches!(settings.sectors.as_ref().map(|sectors| &sectors.value), None | Some(Ok(0)));
        if exposure == Expose::Setting && none {
            self.problems.report(
                Code::Exposure,
                span,
                "the file is left to a setting, but there are no settings",
                "set [settings] sectors to 2 or more, or expose to \"always\" or \"never\"",
            );
        }
        (exposure != Expose::Never).then_some(exposure)
    }
}

/// A number of bytes, in the largest unit that needs no fraction.
fn bytes(number: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(factor, _)| number > 0 && number.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{number} bytes"), |(factor, name)| format!("{} {name}", number / factor))
}
