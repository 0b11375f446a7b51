//! Rules of `[usb]`, `[chip]`, `[partitions]`, `[log]`, `[info]`, `[page]`, `[sensor]`, `[crash]`, `[dynamic]` and `[settings]`.

use picovd_exfat::entry::{ENTRY_LENGTH, entries_for};

use super::{
    Chip, Content, Crash, Dynamic, FLASH_SECTOR, File, Folder, Info, Log, MAXIMUM_SIZE, Partitions, Rules,
    SHORTEST_FLASH, Settings, Stock, Usb,
};
use crate::diagnostic::{Code, Collector};
use crate::document::Manifest;
use crate::schema::{
    ChipTable, CrashTable, DynamicTable, InfoTable, Interval, Key, LogTable, PageTable, PartitionsTable, Program,
    Refresh, SensorTable, SettingsTable, Size, UsbTable,
};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Raspberry Pi's vendor id, and the product id that its SDK uses for the RP2350: picotool looks for them.
const DEFAULT_IDS: (u16, u16) = (0x2E8A, 0x0009);

/// The current in milliamperes that a port supplies before a device is configured, and the maximum of a hub without a power
/// supply (USB 2.0 7.2.1), where hosts refuse devices that request more.
const DEFAULT_POWER: u16 = 100;

/// The length of a string descriptor is one byte, and two bytes are its header (USB 2.0 9.6.7).
const USB_STRING_UNITS: usize = 126;

/// Maximum number of settings sectors: `picovd::settings::MAX_SECTORS`.
const MAX_SECTORS: u16 = 32;

/// Length in bytes of the flash that must be left for the program.
const PROGRAM: u32 = 64 << 10;

/// Maximum length in bytes and number of parts of the partitions' folder: the firmware reserves room for their paths.
const FOLDER_LENGTH: usize = 64;
const FOLDER_LEVELS: usize = 7;

/// Minimum number of clusters in the dynamic window per file: one for the old version and one for the new one.
const VERSIONS: u64 = 2;

impl Rules {
    pub(super) fn usb(&mut self, table: &UsbTable) -> Usb {
        let vid = self.number(&table.vid, "a whole number from 1 to 0xffff");
        if let Some((0, span)) = vid.clone() {
            self.problems.report(Code::OutOfRange, span, "the vendor id is 0", "use 0x2e8a, or your own");
        }
        let (serial, picotool_reset) = (self.serial(&table.serial), self.value(&table.picotool_reset, false));
        if serial.is_some() && picotool_reset {
            self.problems.report(
                Code::SerialNumber,
                table.serial.as_ref().map(|field| field.span.clone()),
                "with a serial number from the manifest, picotool does not find the board after restarting it",
                "remove serial, or set picotool-reset = false: in BOOTSEL mode, a board has the serial number of its chip, but \
                 picotool looks for the one it had before",
            );
        }
        let power = self.number(&table.max_power, "a whole number from 2 to 500");
        let power = self.ranged("max-power in milliamperes", power, 2..501, DEFAULT_POWER.into());
        Usb {
            vid: vid.map_or(DEFAULT_IDS.0, |(vid, _)| vid as u16),
            pid: self.value(&table.pid, DEFAULT_IDS.1),
            manufacturer: self.usb_string("manufacturer", &table.manufacturer, "PicoVD"),
            product: self.usb_string("product", &table.product, "PicoVD"),
            serial,
            scsi_vendor: self.scsi_text("scsi-vendor", &table.scsi_vendor, 8, "PicoVD"),
            scsi_product: self.scsi_text("scsi-product", &table.scsi_product, 16, "Memory disk"),
            scsi_revision: self.scsi_text("scsi-revision", &table.scsi_revision, 4, "0.1"),
            console: self.value(&table.console, false),
            picotool_reset,
            // bMaxPower counts in units of 2 mA (USB 2.0 9.6.3): odd values are rounded up.
            max_power: power.next_multiple_of(2) as u16,
        }
    }

    /// The manifest does not know whether an application's fields are secret, so it always warns.
    pub(super) fn reset_beside_settings(&mut self, table: &UsbTable, usb: &Usb, settings: Settings) {
        if usb.picotool_reset && settings.sectors != 0 {
            self.problems.report(
                Code::ResetBesideSettings,
                table.picotool_reset.as_ref().map(|field| field.span.clone()),
                "with picotool-reset, every host can restart the board in BOOTSEL mode and read all of flash there: saved \
                 settings including secrets",
                "set picotool-reset = false, unless no setting is secret",
            );
        }
    }

    /// Without the key, a serial port was forgotten; with `console = false`, it was not.
    pub(super) fn settings_without_console(&mut self, usb: &UsbTable, table: &SettingsTable, settings: Settings) {
        if usb.console.is_none() && settings.sectors != 0 {
            self.problems.report(
                Code::SettingsWithoutConsole,
                table.sectors.as_ref().map(|field| field.span.clone()),
                "settings without a serial port: nobody but the program itself can change or save them",
                "set console = true in [usb], or console = false if only the program is to change them",
            );
        }
    }

    fn usb_string(&mut self, what: &str, key: &Key<String>, default: &str) -> String {
        let Some((text, span)) = self.placed(key) else { return default.to_owned() };
        let units = text.encode_utf16().count();
        let message = if units == 0 || units > USB_STRING_UNITS {
            format!("the {what} has {units} UTF-16 units")
        } else if let Some(bad) = text.chars().find(|c| c.is_control()) {
            format!("the {what} contains the control character {bad:?}")
        } else {
            return text;
        };
        self.problems.report(Code::Text, span, message, format!("use 1 to {USB_STRING_UNITS} printable UTF-16 units"));
        text
    }

    fn scsi_text(&mut self, what: &str, key: &Key<String>, most: usize, default: &str) -> String {
        let Some((text, span)) = self.placed(key) else { return default.to_owned() };
        if text.is_empty() || text.len() > most || !text.bytes().all(|byte| (0x20..0x7F).contains(&byte)) {
            self.problems.report(
                Code::Text,
                span,
                format!("{what} is {}", super::names::shown(&text)),
                format!("use 1 to {most} printable ASCII characters"),
            );
        }
        text
    }

    /// Bulk-Only Transport 4.1.1: at least twelve hexadecimal digits; more than 32 do not fit the SCSI serial number.
    fn serial(&mut self, key: &Key<String>) -> Option<String> {
        let (text, span) = self.placed(key)?;
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
        if !digits || !(12..=32).contains(&text.len()) {
            self.problems.report(
                Code::Text,
                span,
                format!("the serial number is {}", super::names::shown(&text)),
                "use 12 to 32 of the characters 0 to 9 and A to F, or remove the key to use the board's own",
            );
        }
        Some(text)
    }

    pub(super) fn chip(&mut self, table: &ChipTable) -> Chip {
        const DEFAULT: u32 = 4 << 20;
        let program = self.value(&table.program, Program::Flash);
        let Some((size, span)) = self.placed(&table.flash_size) else { return Chip { flash_size: DEFAULT, program } };
        match u32::try_from(size.0) {
            Ok(flash_size) if (SHORTEST_FLASH..=16 << 20).contains(&flash_size) && flash_size % (64 << 10) == 0 => {
                Chip { flash_size, program }
            }
            _ => {
                self.problems.report(
                    Code::FlashSize,
                    span,
                    format!("flash has {} bytes", size.0),
                    "use a multiple of 64 KiB from 512 KiB to 16 MiB, such as \"4 MiB\"",
                );
                Chip { flash_size: DEFAULT, program }
            }
        }
    }

    pub(super) fn settings(&mut self, table: &SettingsTable, chip: Chip) -> Settings {
        let sectors = self.number(&table.sectors, "0, or a whole number from 2 to 32");
        let start = self.placed(&table.start);
        let from_end = table.start.is_none();
        let lock = self.value(&table.lock, false);
        let show_stacks = self.value(&table.show_stacks, false);
        let span = sectors.as_ref().map(|(_, span)| span.clone());
        let count = sectors.map_or(0, |(count, _)| count as u16);
        // UF2 tools may overwrite the last sector (erratum RP2350-E10).
        let last = chip.flash_size - FLASH_SECTOR;
        let mut bad = |span, message: String, remedy: &str| {
            self.problems.report(Code::Settings, span, message, remedy);
            Settings { sectors: 0, start: last, lock, show_stacks, from_end }
        };
        if count == 0 {
            return match start {
                Some((_, span)) => bad(Some(span), "start without sectors".to_owned(), "set sectors to 2 or more"),
                None => Settings { sectors: 0, start: last, lock, show_stacks, from_end },
            };
        }
        if count == 1 {
            let remedy = "use 0, or at least 2: a power cut during an erase takes one";
            return bad(span, "one sector cannot store settings safely".to_owned(), remedy);
        }
        if count > MAX_SECTORS {
            let message = format!("settings cannot use {count} sectors");
            return bad(span, message, "use 2 to 32");
        }
        let length = u64::from(count) * u64::from(FLASH_SECTOR);
        let place = match &start {
            Some((size, _)) => Some(size.0),
            None => u64::from(last).checked_sub(length),
        };
        let span = start.map(|(_, span)| span).or(span);
        match place.and_then(|place| u32::try_from(place).ok()) {
            Some(place) if place % FLASH_SECTOR != 0 => {
                bad(span, format!("the settings start at {place:#x}"), "start at a multiple of 4 KiB")
            }
            Some(place) if place < PROGRAM => bad(
                span,
                format!("the settings start at {place:#x}, inside the program"),
                "leave at least the first 64 KiB for the program",
            ),
            Some(place) if u64::from(place) + length <= u64::from(last) => {
                Settings { sectors: count, start: place, lock, show_stacks, from_end }
            }
            Some(place) if u64::from(place) + length <= u64::from(chip.flash_size) => bad(
                span,
                "the settings extend into the last sector of flash".to_owned(),
                "keep the last 4 KiB free: UF2 tools may overwrite them (RP2350-E10)",
            ),
            _ => bad(
                span,
                format!("{count} settings sectors do not fit there: flash has {} bytes", chip.flash_size),
                "leave the first 64 KiB for the program, and the last 4 KiB of flash free (RP2350-E10)",
            ),
        }
    }

    pub(super) fn partitions(&mut self, table: &PartitionsTable) -> Partitions {
        let folder = match self.placed(&table.folder) {
            Some((folder, _)) if folder.is_empty() => folder,
            Some((folder, span)) => {
                let levels = folder.split('/').count();
                if self.path_parts(&folder, &span) && (folder.len() > FOLDER_LENGTH || levels > FOLDER_LEVELS) {
                    self.problems.report(
                        Code::Path,
                        span,
                        format!("the partitions' folder has {} bytes and {levels} parts", folder.len()),
                        format!("use at most {FOLDER_LENGTH} bytes of UTF-8 and {FOLDER_LEVELS} parts"),
                    );
                }
                folder
            }
            None => String::new(),
        };
        Partitions { enabled: self.value(&table.enabled, false), folder }
    }

    pub(super) fn log(&mut self, table: &LogTable) -> Log {
        Log {
            stdout: self.value(&table.stdout, false),
            tail: self.value(&table.tail, false),
            defmt: self.value(&table.defmt, false),
            ring_size: self.ring("the ring", &table.ring_size),
            defmt_ring_size: self.ring("the defmt ring", &table.defmt_ring_size),
            max_file: self.size("the log's length", &table.max_file, 4 * KIB..1024 * MIB + 1, 16 * MIB) as u32,
        }
    }

    /// Length of a ring: a power of two, so that indexes are computed without a division.
    fn ring(&mut self, what: &str, key: &Key<Size>) -> u32 {
        const DEFAULT: u64 = 4 * KIB;
        let length = self.size(what, key, 256..256 * KIB + 1, DEFAULT);
        if length.is_power_of_two() {
            return length as u32;
        }
        let (below, above) = (length.next_power_of_two() / 2, length.next_power_of_two());
        self.problems.report(
            Code::OutOfRange,
            key.as_ref().map(|field| field.span.clone()),
            format!("{what} has {length} bytes, which is not a power of two"),
            format!("use {below} or {above}"),
        );
        DEFAULT as u32
    }

    pub(super) fn info(&mut self, table: &InfoTable) -> Info {
        Info {
            text: self.value(&table.text, false),
            json: self.value(&table.json, false),
            manifest: self.value(&table.manifest, false),
        }
    }

    pub(super) fn stock(&mut self, page: &PageTable, sensor: &SensorTable, firmware: bool) -> Stock {
        Stock {
            firmware,
            page: self.value(&page.configure, false),
            temperature: self.value(&sensor.temperature, false),
            interval: self.interval_from("the interval", &sensor.interval, 100, 10_000),
        }
    }

    pub(super) fn crash(&mut self, table: &CrashTable) -> Crash {
        let enabled = self.value(&table.enabled, false);
        let stack = self.size("the stack that is kept", &table.stack, 256..64 * KIB + 1, 4 * KIB);
        if !stack.is_multiple_of(4) {
            self.problems.report(
                Code::OutOfRange,
                table.stack.as_ref().map(|field| field.span.clone()),
                format!("the stack that is kept has {stack} bytes, which is not a multiple of 4"),
                format!("use {}", stack.next_multiple_of(4)),
            );
        }
        Crash { enabled, stack: stack as u32, handlers: self.value(&table.handlers, true) }
    }

    pub(super) fn dynamic(&mut self, table: &DynamicTable) -> Dynamic {
        const CLUSTER: u64 = FLASH_SECTOR as u64;
        let placed = self.number(&table.files, "a whole number from 0 to 256");
        let files = self.ranged("the number of files", placed, 0..257, 0);
        let placed = self.number(&table.max_name, "a whole number from 1 to 255");
        let max_name = self.ranged("max-name", placed, 1..256, 30);
        let span = table.window.as_ref().map(|field| field.span.clone());
        let window = self.size("the dynamic window", &table.window, 0..MAXIMUM_SIZE + 1, files.min(1) * MIB);
        let window = window.next_multiple_of(CLUSTER);
        if files == 0 && window > 0 {
            self.problems.report(
                Code::DynamicWindow,
                span,
                "a dynamic window without files",
                "set files, or remove window",
            );
        } else if window < files * VERSIONS * CLUSTER {
            self.problems.report(
                Code::DynamicWindow,
                span,
                format!("the dynamic window has {window} bytes for {files} files"),
                format!("use at least {}: two clusters per file", files * VERSIONS * CLUSTER),
            );
        }
        let quiet = self.interval("quiet", &table.quiet, 500);
        let max_age = self.interval("max-age", &table.max_age, 5_000);
        if quiet > max_age
            && let Some(field) =
                table.max_age.as_ref().map(|field| &field.span).or(table.quiet.as_ref().map(|q| &q.span))
        {
            self.problems.report(
                Code::OutOfRange,
                field.clone(),
                format!("max-age ({max_age} ms) is below quiet ({quiet} ms)"),
                "use a max-age of at least quiet",
            );
        }
        let hold = self.interval("hold", &table.hold, 10_000);
        let usual = if table.hold.is_some() { hold } else { 60_000 };
        let max_hold = self.interval("max-hold", &table.max_hold, usual.into());
        if max_hold < hold
            && let Some(field) = table.max_hold.as_ref().map(|field| &field.span)
        {
            self.problems.report(
                Code::OutOfRange,
                field.clone(),
                format!("max-hold ({max_hold} ms) is below hold ({hold} ms)"),
                "use a max-hold of at least hold",
            );
        }
        Dynamic {
            files: files as u16,
            max_name: max_name as u8,
            window,
            refresh: self.value(&table.refresh, Refresh::Auto),
            quiet,
            max_age,
            hold,
            max_hold,
        }
    }

    fn interval(&mut self, what: &str, key: &Key<Interval>, default: u64) -> u32 {
        self.interval_from(what, key, 0, default)
    }

    fn interval_from(&mut self, what: &str, key: &Key<Interval>, least: u64, default: u64) -> u32 {
        let placed = self.placed(key).map(|(interval, span)| (interval.0, span));
        self.ranged(&format!("{what} in milliseconds"), placed, least..3_600_001, default) as u32
    }

    /// Static contents and directories are linked into flash, between the minimum space for the program and the settings.
    pub(super) fn content_size(&mut self, manifest: &Manifest, folders: &[Folder], files: &[File], settings: Settings) {
        let bytes = |file: &File| if let Content::Bytes(bytes) = &file.content { bytes.len() as u64 } else { 0 };
        let contents: u64 = files.iter().map(bytes).sum();
        // The root directory has no entry.
        let names = files.iter().map(|file| &file.name).chain(folders.iter().skip(1).map(|folder| &folder.name));
        let units = |name: &String| u8::try_from(name.encode_utf16().count()).unwrap_or(u8::MAX);
        let entries: usize = names.map(|name| entries_for(units(name))).sum();
        let directories = (entries * ENTRY_LENGTH) as u64;
        let most = u64::from(settings.start - PROGRAM);
        if contents + directories <= most {
            return;
        }
        let longest = files.iter().max_by_key(|file| bytes(file)).map(|file| file.span.clone());
        let reason = if settings.sectors == 0 { "" } else { ", or move the settings' sectors" };
        self.problems.report(
            Code::ContentSize,
            longest.or_else(|| manifest.tables.file.first().map(serde_spanned::Spanned::span)),
            format!(
                "contents and directory entries have {} bytes in total, but there is only room for {most}",
                contents + directories
            ),
            format!("make them shorter, or set [chip] flash-size to the length of the board's flash{reason}"),
        );
    }
}

/// What is an error in firmware that is built from the manifest.
pub(super) fn stock_only(page: &PageTable, sensor: &SensorTable, stock: Stock) -> Collector {
    let mut problems = Collector::default();
    let parts = [
        (stock.page, &page.configure, "the page CONFIGURE.HTM", "set configure = false in [page]"),
        (
            stock.temperature,
            &sensor.temperature,
            "SENSOR.CSV",
            "set temperature = false in [sensor], and register a file of the program as examples/sensor does",
        ),
    ];
    for (_, key, what, remedy) in parts.into_iter().filter(|(there, ..)| *there) {
        let span = key.as_ref().map(|field| field.span.clone());
        problems.report(Code::StockOnly, span, format!("only the stock firmware has {what}"), remedy);
    }
    problems
}
