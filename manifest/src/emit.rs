//! From the plan to text: Rust for the library around the compiled manifest, a linker script for the chip, a table for users.
//!
//! The same plan gives the same text on every machine and in every folder: it contains no paths of the build machine and no
//! build time.

use std::fmt::Write;

use crate::compile::{Block, compile};
use crate::layout;
use crate::linker;
use crate::plan::{BuiltIn, BuiltInSource, DiskPlan};

/// What a build writes.
#[derive(Clone, Debug)]
pub struct Output {
    /// Rust text to `include!`: `LAYOUT`, `USB`, `USB_SERIAL`, `UNIT`.
    pub volume_rs: String,
    /// Linker script with the chip's memories, for cortex-m-rt's `link.x`.
    pub memory_x: String,
    /// The same for riscv-rt.
    pub memory_x_riscv: String,
    /// Linker script for programs with their own memory.x.
    pub picovd_x: String,
    /// The compiled manifest: files next to `volume.rs`, by name.
    pub contents: Vec<(String, Vec<u8>)>,
    /// The regions as a table for users.
    pub layout: String,
}

/// Writes the plan out.
#[must_use]
pub fn emit(plan: &DiskPlan) -> Output {
    emit_for(plan, false)
}

/// The same for a program that is `configurable`: it obeys another manifest if there is one in flash.
pub(crate) fn emit_for(plan: &DiskPlan, configurable: bool) -> Output {
    let block = compile(plan);
    Output {
        volume_rs: volume_rs(plan, &block),
        memory_x: linker::memory_x(plan, configurable),
        memory_x_riscv: linker::memory_x_riscv(plan, configurable),
        picovd_x: linker::picovd_x(plan),
        contents: vec![(TABLES.to_owned(), block.tables), (CONTENTS.to_owned(), block.contents)],
        layout: layout::table(plan),
    }
}

/// `fmt::Write` into a `String` never fails.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

/// The compiled manifest's files.
const TABLES: &str = "manifest.bin";
const CONTENTS: &str = "contents.bin";

fn volume_rs(plan: &DiskPlan, block: &Block) -> String {
    let mut out = String::new();
    line!(out, "// Generated from picovd.toml. Change that file instead.");
    line!(out, "use ::picovd::volume::layout;");
    line!(out, "use ::picovd::stick::compiled;");
    line!(out, "static TABLES: [u32; {}] = layout::words(include_bytes!({TABLES:?}));", block.tables.len() / 4);
    line!(out, "/// The compiled manifest.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const COMPILED: layout::Compiled<'static> =");
    line!(out, "    layout::Compiled::new(&TABLES, include_bytes!({CONTENTS:?}));");
    line!(out, "/// The volume.");
    line!(out, "pub static LAYOUT: layout::Layout<'static> = layout::Layout::of(COMPILED);");
    files(plan, &mut out);
    built_in(plan, &mut out);
    identity(&mut out);
    // For the other kind of core, the same manifest makes another program.
    let build = |processor: &'static str| {
        hash([out.as_bytes(), &block.tables, &block.contents, processor.as_bytes()].into_iter())
    };
    let (arm, riscv) = (build(""), build("riscv32"));
    line!(out, "/// Identifies this build: a hash of everything that was generated from the manifest.");
    line!(out, "#[allow(dead_code)]");
    line!(
        out,
        "pub const BUILD: &str = if cfg!(target_arch = \"riscv32\") {{ \"{riscv:016x}\" }} else {{ \"{arm:016x}\" }};"
    );
    features(plan, &mut out);
    settings(plan, &mut out);
    let crash = crash(plan, log_is_kept(plan), &mut out);
    let configured = if plan.settings.sectors == 0 { "::picovd::volume::NoOverrides" } else { "&SETTINGS" };
    out.push_str(&DESCRIPTION.replace("CONFIGURED", configured).replace("CRASH", crash));
    out
}

fn files(plan: &DiskPlan, out: &mut String) {
    line!(out, "/// The dynamic files, which vd_add_file and similar functions take.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub static FILES: &::picovd::vd::Files<'static> = &SLOTS;");
    line!(out, "static SLOTS: ::picovd::vd::FilesOf<'static, {}> =", plan.dynamic.slots);
    line!(out, "    ::picovd::vd::FilesOf::new(&LAYOUT);");
    let shown = if plan.dynamic.slots == 0 { "volume::NoFiles" } else { "dynamic::Registered<'static>" };
    line!(out, "/// The type of the dynamic files in `Stick`.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub type DynamicFiles = ::picovd::{shown};");
    line!(out, "/// How hosts are notified of changes.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const ANNOUNCING: ::picovd::vd::Announcing = compiled::announcing(&COMPILED);");
}

/// The dynamic files that the firmware creates by itself.
fn built_in(plan: &DiskPlan, out: &mut String) {
    let has = |source| plan.built_in.iter().any(|file| file.source == source);
    let log = has(BuiltInSource::Stdout) || has(BuiltInSource::Tail);
    if log {
        line!(out, "/// The log that `println!` writes to.");
        line!(out, "pub static LOG: ::picovd::files::LogRingOf<{}> =", plan.log.ring_size);
        line!(out, "    ::picovd::files::LogRingOf::new();");
    }
    if has(BuiltInSource::Defmt) {
        line!(out, "#[cfg(target_os = \"none\")]");
        line!(out, "const _: () = assert!(::picovd::DEFMT, \"[log] defmt = true needs picovd's feature `defmt`\");");
        line!(out, "/// The ring that the defmt logger writes to.");
        line!(out, "pub static DEFMT: ::picovd::files::LogRingOf<{}> =", plan.log.defmt_ring_size);
        line!(out, "    ::picovd::files::LogRingOf::new();");
    }
    let has_info = has(BuiltInSource::InfoText) || has(BuiltInSource::InfoJson);
    if has_info {
        info(plan, log, &has, out);
    }
    let mut names = Vec::new();
    for (index, BuiltIn { source, capacity, .. }) in plan.built_in.iter().enumerate() {
        let (name, kind, content, how) = match source {
            BuiltInSource::Stdout => ("STDOUT", "LogFile", format!("new(&LOG, {capacity})"), ".renewed()"),
            BuiltInSource::Tail => ("TAIL", "LogTail", "new(&LOG)".to_owned(), ""),
            BuiltInSource::Defmt => ("DEFMT_LOG", "LogFrames", format!("new(&DEFMT, {capacity})"), ".renewed()"),
            BuiltInSource::InfoText => ("INFO_TXT", "InfoFile", "text(&INFO)".to_owned(), ".renewed()"),
            BuiltInSource::InfoJson => ("INFO_JSON", "InfoFile", "json(&INFO)".to_owned(), ".renewed()"),
            BuiltInSource::Config => ("CONFIG", "ConfigFile", "values(&SETTINGS)".to_owned(), ".renewed()"),
            BuiltInSource::ConfigSchema => {
                ("CONFIG_SCHEMA", "ConfigFile", "schema(&SETTINGS)".to_owned(), ".renewed()")
            }
            BuiltInSource::Manifest => {
                let text = "new(match COMPILED.text() { Some(text) => text, None => \"\" })";
                ("MANIFEST_TOML", "Text", text.to_owned(), "")
            }
            // The firmware creates it after reading the table.
            BuiltInSource::Partitions => continue,
            // Parts of the stock firmware, which describes its stick at run time.
            BuiltInSource::Page | BuiltInSource::Temperature => continue,
            // See `crash`.
            BuiltInSource::CrashCore | BuiltInSource::CrashText | BuiltInSource::CrashJson => continue,
        };
        line!(out, "static {name}: ::picovd::files::{kind}<'static> = ::picovd::files::{kind}::{content};");
        line!(out, "static {name}_FILE: ::picovd::vd::File<'static> =");
        line!(out, "    ::picovd::vd::File::new(COMPILED.built_in_path_at({index}), &{name}, {capacity}){how};");
        names.push(format!("&{name}_FILE"));
    }
    line!(out, "/// The files that the firmware registers at start.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub static BUILT_IN: ::picovd::files::BuiltIn<'static> = ::picovd::files::BuiltIn {{");
    line!(out, "    files: &[{}],", names.join(", "));
    line!(out, "    log: {},", if log { "Some(&LOG)" } else { "None" });
    line!(out, "    defmt: {},", if has(BuiltInSource::Defmt) { "Some(&DEFMT)" } else { "None" });
    let tail = if has(BuiltInSource::Tail) { "Some((&TAIL, &TAIL_FILE))" } else { "None" };
    line!(out, "    tail: {tail},");
    line!(out, "    sensor: None,");
    line!(out, "    info: {},", if has_info { "Some(&INFO)" } else { "None" });
    partitions(plan, out);
    line!(out, "}};");
}

/// The program's features, as picotool lists them.
fn features(plan: &DiskPlan, out: &mut String) {
    let all = [
        (true, "USB disk"),
        (plan.usb.console, "serial port"),
        (plan.usb.picotool_reset, "picotool reset"),
        (plan.settings.sectors > 0, "settings in flash"),
    ];
    let words: Vec<&str> = all.iter().filter(|(there, _)| *there).map(|(_, words)| *words).collect();
    line!(out, "/// The program's features, for picotool.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const FEATURES: &::core::ffi::CStr = c\"{}\";", words.join(", "));
}

/// The contents of INFO.TXT and INFO.JSON. The program is the one that these tables are compiled into.
fn info(plan: &DiskPlan, log: bool, has: &impl Fn(BuiltInSource) -> bool, out: &mut String) {
    let ring = |there: bool, ring: &'static str| if there { ring } else { "None" };
    line!(out, "/// What the firmware reports about the board.");
    line!(out, "pub static INFO: ::picovd::files::Info<'static> = ::picovd::files::Info::new(");
    line!(out, "    ::picovd::files::Program {{");
    line!(out, "        name: env!(\"CARGO_PKG_NAME\"),");
    line!(out, "        version: env!(\"CARGO_PKG_VERSION\"),");
    line!(out, "        build: BUILD,");
    line!(out, "    }},");
    line!(out, "    &LAYOUT,");
    line!(out, "    {},", plan.chip.flash_size);
    line!(out, "    {},", ring(log, "Some(&LOG)"));
    line!(out, "    {},", ring(has(BuiltInSource::Defmt), "Some(&DEFMT)"));
    line!(out, "){};", if has(BuiltInSource::Config) { ".named_by(&SETTINGS)" } else { "" });
}

/// The settings for partitions as files: the end of `BUILT_IN`.
fn partitions(plan: &DiskPlan, out: &mut String) {
    let Some(place) = plan.built_in.iter().position(|file| file.source == BuiltInSource::Partitions) else {
        line!(out, "    partitions: None,");
        return;
    };
    line!(out, "    partitions: Some(::picovd::files::PartitionPlan {{");
    line!(out, "        folder: COMPILED.partitions().folder,");
    line!(out, "        description: COMPILED.built_in_path_at({place}),");
    line!(out, "        capacity: {},", plan.built_in.get(place).map_or(0, |file| file.capacity));
    line!(out, "        flash_size: FLASH_SIZE,");
    line!(out, "        redacted: COMPILED.redacted(),");
    line!(out, "    }}),");
}

/// Whether there is a log.
fn log_is_kept(plan: &DiskPlan) -> bool {
    plan.built_in.iter().any(|file| matches!(file.source, BuiltInSource::Stdout | BuiltInSource::Tail))
}

/// What is kept of a crash, and its files. Returns the function of `Firmware` that says so; nothing without `[crash]`.
fn crash(plan: &DiskPlan, log: bool, out: &mut String) -> &'static str {
    if !plan.crash.enabled {
        return "";
    }
    let stack = match (plan.settings.sectors, plan.settings.show_stacks) {
        (0, _) => "Whole",
        (_, true) => "WithoutSettings",
        (_, false) => "Nothing",
    };
    let ring = if log { "Some(&LOG)" } else { "None" };
    let handlers = if plan.crash.handlers { "" } else { ", without handlers" };
    line!(out, "::picovd::crash_memory!({}, BUILD, {ring}, {stack}{handlers});", plan.crash.stack / 4);
    line!(out, "/// The last crash.");
    line!(out, "pub static CRASH: ::picovd::files::crash::Crash<'static> = ::picovd::files::crash::Crash::new(");
    line!(out, "    &CRASH_MEMORY,");
    line!(out, "    ::picovd::files::Program {{");
    line!(out, "        name: env!(\"CARGO_PKG_NAME\"),");
    line!(out, "        version: env!(\"CARGO_PKG_VERSION\"),");
    line!(out, "        build: BUILD,");
    line!(out, "    }},");
    line!(out, ");");
    line!(out, "/// `crash clear`, for an application that sets commands of its own.");
    line!(out, "pub const CRASH_COMMAND: ::picovd::console::Command = ::picovd::console::Command {{");
    line!(
        out,
        "    name: \"crash\", usage: \"crash clear\", run: |arguments, answer| CRASH.command(arguments, answer),"
    );
    line!(out, "}};");
    line!(out, "static CRASH_COMMANDS: ::picovd::console::Commands<16> =");
    line!(out, "    ::picovd::console::Commands::new(&[CRASH_COMMAND]);");
    let mut names = Vec::new();
    for (index, BuiltIn { source, capacity, .. }) in plan.built_in.iter().enumerate() {
        let (name, content) = match source {
            BuiltInSource::CrashCore => ("CORE_ELF", "core"),
            BuiltInSource::CrashText => ("CRASH_TXT", "text"),
            BuiltInSource::CrashJson => ("CRASH_JSON", "json"),
            _ => continue,
        };
        line!(out, "static {name}: ::picovd::files::crash::CrashFile<'static> =");
        line!(out, "    ::picovd::files::crash::CrashFile::{content}(&CRASH);");
        line!(out, "static {name}_FILE: ::picovd::vd::File<'static> =");
        line!(out, "    ::picovd::vd::File::new(COMPILED.built_in_path_at({index}), &{name}, {capacity}).renewed();");
        names.push(format!("&{name}_FILE"));
    }
    line!(
        out,
        "static CRASH_FILES: ::picovd::files::crash::CrashFiles<'static> = ::picovd::files::crash::CrashFiles {{"
    );
    line!(out, "    crash: &CRASH,");
    line!(out, "    files: &[{}],", names.join(", "));
    line!(out, "    panicked: PANICKED,");
    line!(out, "    commands: &CRASH_COMMANDS,");
    line!(out, "}};");
    "    fn crash() -> Option<::picovd::files::crash::CrashFiles<'static>> {\n        Some(CRASH_FILES)\n    }\n"
}

/// A number that distinguishes builds, 64 bits of FNV-1a: the same for the same text and contents, on every machine.
fn hash<'b>(parts: impl Iterator<Item = &'b [u8]>) -> u64 {
    parts.flatten().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

fn identity(out: &mut String) {
    out.push_str(
        "\
/// Length in bytes of the flash that is reserved.
#[allow(dead_code)]
pub const FLASH_SIZE: u32 = COMPILED.chip().flash_size;
/// Whether the program is linked for SRAM.
#[allow(dead_code)]
pub const PROGRAM_IN_SRAM: bool = COMPILED.chip().program_in_sram;
/// Ranges of flash that are hidden, by storage address.
#[allow(dead_code)]
pub const REDACTED: layout::Redactions<'static> = COMPILED.redacted();
/// How the USB device describes itself.
#[allow(dead_code)]
pub const USB: ::picovd::usb::Identity<'static> = compiled::usb(&COMPILED);
/// A serial number that replaces the board's identity.
#[allow(dead_code)]
pub const USB_SERIAL: Option<&str> = COMPILED.usb().serial;
/// How the SCSI unit describes itself; its serial number is the board's.
#[allow(dead_code)]
pub const UNIT: ::picovd::scsi::UnitIdentity<'static> = compiled::unit(&COMPILED);
",
    );
}

/// The settings; nothing without sectors for them.
fn settings(plan: &DiskPlan, out: &mut String) {
    let settings = plan.settings;
    line!(out, "/// The type of the settings in `Stick`.");
    line!(out, "#[allow(dead_code)]");
    if settings.sectors == 0 {
        line!(out, "pub type Configured = ::picovd::volume::NoOverrides;");
        return;
    }
    line!(out, "pub type Configured = &'static ::picovd::settings::Settings<'static>;");
    line!(out, "/// The settings, to which an application adds its groups.");
    line!(out, "pub static SETTINGS: ::picovd::settings::Settings<'static> = ::picovd::settings::Settings::new(");
    line!(out, "    ::picovd::settings::Plan {{");
    line!(out, "        sectors: {},", settings.sectors);
    line!(out, "        start: {:#x},", settings.start);
    line!(out, "        lock: {},", settings.lock);
    line!(out, "        show_stacks: {},", settings.show_stacks);
    line!(out, "        exposable: ::picovd::settings::Exposables::of(COMPILED),");
    line!(out, "        board_digits: {},", plan.label.board_digits);
    line!(out, "        defaults: ::picovd::settings::Defaults {{");
    line!(out, "            label: COMPILED.settings().label,");
    line!(out, "            announcing: ANNOUNCING,");
    line!(out, "            manufacturer: USB.manufacturer,");
    line!(out, "            product: USB.product,");
    line!(out, "        }},");
    line!(out, "    }},");
    line!(out, "    &SETTINGS_ROOM,");
    line!(out, ");");
    line!(out, "/// Everything that may hold a secret, in the section that is hidden from all files.");
    line!(out, "#[cfg_attr(target_os = \"none\", unsafe(link_section = \".settings\"))]");
    line!(out, "static SETTINGS_ROOM: ::picovd::settings::Room = ::picovd::settings::Room::new();");
}

/// Everything, as `Stick` takes it.
const DESCRIPTION: &str = "\
/// What `Stick` consists of, as a type.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code)]
pub struct Manifest;
/// Everything.
#[allow(dead_code)]
pub static DESCRIPTION: ::picovd::stick::Description<'static, Configured> = ::picovd::stick::Description {
    layout: &LAYOUT,
    files: &SLOTS,
    built_in: &BUILT_IN,
    announcing: ANNOUNCING,
    usb: USB,
    flash_size: FLASH_SIZE,
    redacted: REDACTED,
    program_in_sram: PROGRAM_IN_SRAM,
    usb_serial: USB_SERIAL,
    unit: UNIT,
    settings: CONFIGURED,
};
impl ::picovd::usb::Functions for Manifest {
    const CONSOLE: bool = USB.console;
    const RESET: bool = USB.picotool_reset;
}
impl ::picovd::stick::Firmware<'static> for Manifest {
    type Files = DynamicFiles;
    type Settings = Configured;
CRASH}
";
