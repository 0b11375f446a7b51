//! From the plan to text: Rust tables for the library, a linker script for the chip, a table for users.
//!
//! The same plan gives the same text on every machine and in every folder: it contains no paths of the build machine and no
//! build time.

use std::fmt::Write;

use crate::check::Dynamic;
use crate::layout;
use crate::linker;
use crate::plan::{BuiltIn, BuiltInSource, DiskPlan, Exposable, FlashFile, Growing, Region, RegionKind};
use crate::schema::Program;

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
    /// Files next to `volume.rs`, by name.
    pub contents: Vec<(String, Vec<u8>)>,
    /// The regions as a table for users.
    pub layout: String,
}

/// Writes the plan out.
#[must_use]
pub fn emit(plan: &DiskPlan) -> Output {
    let mut contents = Vec::new();
    let volume_rs = volume_rs(plan, &mut contents);
    let (memory_x, memory_x_riscv) = (linker::memory_x(plan), linker::memory_x_riscv(plan));
    Output {
        volume_rs,
        memory_x,
        memory_x_riscv,
        picovd_x: linker::picovd_x(plan),
        contents,
        layout: layout::table(plan),
    }
}

/// `fmt::Write` into a `String` never fails.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

fn volume_rs(plan: &DiskPlan, contents: &mut Vec<(String, Vec<u8>)>) -> String {
    let mut out = String::new();
    line!(out, "// Generated from picovd.toml. Change that file instead.");
    line!(out, "/// The volume.");
    line!(out, "pub static LAYOUT: ::picovd::volume::layout::Layout<'static> = ::picovd::volume::layout::Layout {{");
    line!(out, "    partition_offset: {},", plan.partition_offset);
    line!(out, "    volume_length: ::picovd::block::BlockCount({}),", plan.volume_length);
    line!(out, "    fat_offset: {},", plan.fat_offset);
    line!(out, "    fat_length: {},", plan.fat_length);
    line!(out, "    cluster_heap_offset: {},", plan.cluster_heap_offset);
    line!(out, "    cluster_count: {},", plan.cluster_count);
    let root = plan.first_cluster_of_root_directory;
    line!(out, "    first_cluster_of_root_directory: ::picovd::volume::layout::ClusterIndex({root}),");
    line!(out, "    volume_serial_number: {:#010x},", plan.volume_serial_number);
    line!(out, "    timestamp: {:#010x},", plan.timestamp);
    let (units, digits) = (&plan.label.units, plan.label.board_digits);
    line!(out, "    label: ::picovd::volume::layout::Label {{ units: &{units:?}, board_digits: {digits} }},");
    line!(out, "    sectors_per_cluster_shift: {},", plan.sectors_per_cluster_shift);
    line!(out, "    chain_ends: &{:?},", plan.chain_ends);
    line!(out, "    allocated_clusters: {},", plan.allocated_clusters);
    line!(out, "    regions: REGIONS,");
    line!(out, "    flash_files: FLASH_FILES,");
    line!(out, "    growing: GROWING,");
    let dynamic = plan.dynamic;
    line!(out, "    dynamic: ::picovd::volume::layout::DynamicWindow {{");
    line!(out, "        first_cluster: ::picovd::volume::layout::ClusterIndex({}),", dynamic.first_cluster);
    line!(out, "        cluster_count: {},", dynamic.cluster_count);
    line!(out, "        slots: {},", dynamic.slots);
    line!(out, "        entries: {},", dynamic.entries);
    line!(out, "        slot_entries: {},", dynamic.slot_entries);
    line!(out, "    }},");
    line!(out, "}};");
    line!(out, "static REGIONS: &[::picovd::volume::layout::Region<'static>] = &[");
    for region in &plan.regions {
        let kind = kind(region, contents);
        line!(out, "    ::picovd::volume::layout::Region {{");
        line!(out, "        first: ::picovd::block::Lba({}),", region.first);
        line!(out, "        length: ::picovd::block::BlockCount({}),", region.length);
        line!(out, "        kind: ::picovd::volume::layout::RegionKind::{kind},");
        line!(out, "    }},");
    }
    line!(out, "];");
    line!(out, "static FLASH_FILES: &[::picovd::volume::layout::FlashFile] = &[");
    for FlashFile { directory, entry, first_cluster, offset, length } in &plan.flash_files {
        line!(out, "    ::picovd::volume::layout::FlashFile {{");
        line!(out, "        directory: ::picovd::block::Lba({directory}),");
        line!(out, "        entry: {entry}, offset: {offset}, length: {length},");
        line!(out, "        first_cluster: ::picovd::volume::layout::ClusterIndex({first_cluster}),");
        line!(out, "    }},");
    }
    line!(out, "];");
    line!(out, "static GROWING: &[::picovd::volume::layout::Growing] = &[");
    for Growing { parent, entry, entries, first_cluster, clusters } in &plan.growing {
        line!(out, "    ::picovd::volume::layout::Growing {{");
        line!(out, "        parent: ::picovd::block::Lba({parent}),");
        line!(out, "        entry: {entry}, entries: {entries}, clusters: {clusters},");
        line!(out, "        first_cluster: ::picovd::volume::layout::ClusterIndex({first_cluster}),");
        line!(out, "    }},");
    }
    line!(out, "];");
    files(plan, &mut out);
    built_in(plan, &mut out);
    identity(plan, &mut out);
    let parts = contents.iter().map(|(_, bytes)| bytes.as_slice());
    // For the other kind of core, the same manifest makes another program.
    let build = |processor: &'static str| {
        hash(std::iter::once(out.as_bytes()).chain(parts.clone()).chain([processor.as_bytes()]))
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
    out.push_str(ASSERTIONS);
    out
}

fn kind(region: &Region, contents: &mut Vec<(String, Vec<u8>)>) -> String {
    match &region.kind {
        RegionKind::PartitionTable(bytes) => format!("Bytes(&{bytes:?})"),
        RegionKind::Boot => "Boot".to_owned(),
        RegionKind::Fat => "Fat".to_owned(),
        RegionKind::Bitmap => "Bitmap".to_owned(),
        RegionKind::Upcase => "Upcase".to_owned(),
        RegionKind::Dynamic => "Dynamic".to_owned(),
        RegionKind::Unused(gap) => format!("Unused(::picovd::volume::layout::Gap::{gap:?})"),
        RegionKind::Directory { entries, root } => {
            format!("Directory(::picovd::volume::layout::Directory {{ entries: &{entries:?}, root: {root} }})")
        }
        RegionKind::Memory { base, length } => {
            format!("Memory(::picovd::volume::layout::MemoryWindow {{ base: {base:#010x}, length: {length} }})")
        }
        RegionKind::Bytes(bytes) => {
            let name = format!("file-{}.bin", contents.len());
            let text = format!("Bytes(include_bytes!({name:?}))");
            contents.push((name, bytes.to_vec()));
            text
        }
    }
}

fn files(plan: &DiskPlan, out: &mut String) {
    let Dynamic { refresh, quiet, max_age, hold, max_hold, .. } = plan.changes;
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
    line!(out, "pub const ANNOUNCING: ::picovd::vd::Announcing = ::picovd::vd::Announcing {{");
    line!(out, "    refresh: ::picovd::vd::Refresh::{refresh:?},");
    line!(out, "    timing: ::picovd::vd::Timing::new(");
    for time in [quiet, max_age, hold] {
        line!(out, "        ::core::time::Duration::from_millis({time}),");
    }
    line!(out, "    )");
    line!(out, "    .with_max_hold(::core::time::Duration::from_millis({max_hold})),");
    line!(out, "}};");
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
    for BuiltIn { path, source, capacity } in &plan.built_in {
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
            // The firmware creates it after reading the table.
            BuiltInSource::Partitions => continue,
            // See `crash`.
            BuiltInSource::CrashCore | BuiltInSource::CrashText | BuiltInSource::CrashJson => continue,
        };
        line!(out, "static {name}: ::picovd::files::{kind}<'static> = ::picovd::files::{kind}::{content};");
        line!(out, "static {name}_FILE: ::picovd::vd::File<'static> =");
        line!(out, "    ::picovd::vd::File::new({}, &{name}, {capacity}){how};", literal(path));
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
    let Some(file) = plan.built_in.iter().find(|file| file.source == BuiltInSource::Partitions) else {
        line!(out, "    partitions: None,");
        return;
    };
    line!(out, "    partitions: Some(::picovd::files::PartitionPlan {{");
    line!(out, "        folder: {},", literal(&plan.partitions.folder));
    line!(out, "        description: {},", literal(&file.path));
    line!(out, "        capacity: {},", file.capacity);
    line!(out, "        flash_size: {},", plan.chip.flash_size);
    line!(out, "        redacted: &{:?},", plan.redacted_flash);
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
    line!(out, "::picovd::crash_memory!({}, BUILD, {ring}, {stack});", plan.crash.stack / 4);
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
    for BuiltIn { path, source, capacity } in &plan.built_in {
        let (name, content) = match source {
            BuiltInSource::CrashCore => ("CORE_ELF", "core"),
            BuiltInSource::CrashText => ("CRASH_TXT", "text"),
            BuiltInSource::CrashJson => ("CRASH_JSON", "json"),
            _ => continue,
        };
        line!(out, "static {name}: ::picovd::files::crash::CrashFile<'static> =");
        line!(out, "    ::picovd::files::crash::CrashFile::{content}(&CRASH);");
        line!(out, "static {name}_FILE: ::picovd::vd::File<'static> =");
        line!(out, "    ::picovd::vd::File::new({}, &{name}, {capacity}).renewed();", literal(path));
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

fn identity(plan: &DiskPlan, out: &mut String) {
    let usb = &plan.usb;
    line!(out, "/// Length in bytes of the flash that is reserved.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const FLASH_SIZE: u32 = {};", plan.chip.flash_size);
    line!(out, "/// Whether the program is linked for SRAM.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const PROGRAM_IN_SRAM: bool = {};", plan.chip.program == Program::Sram);
    line!(out, "/// Ranges of flash that are hidden, by storage address.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const REDACTED: &[::core::ops::Range<u32>] = &{:?};", plan.redacted_flash);
    line!(out, "/// How the USB device describes itself.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const USB: ::picovd::usb::Identity<'static> = ::picovd::usb::Identity {{");
    line!(out, "    vid: {:#06x},", usb.vid);
    line!(out, "    pid: {:#06x},", usb.pid);
    line!(out, "    manufacturer: {},", literal(&usb.manufacturer));
    line!(out, "    product: {},", literal(&usb.product));
    line!(out, "    console: {},", usb.console);
    line!(out, "    picotool_reset: {},", usb.picotool_reset);
    line!(out, "    max_power: {},", usb.max_power);
    line!(out, "}};");
    line!(out, "/// A serial number that replaces the board's identity.");
    line!(out, "#[allow(dead_code)]");
    let serial = usb.serial.as_ref().map_or("None".to_owned(), |serial| format!("Some({})", literal(serial)));
    line!(out, "pub const USB_SERIAL: Option<&str> = {serial};");
    line!(out, "/// How the SCSI unit describes itself; its serial number is the board's.");
    line!(out, "#[allow(dead_code)]");
    line!(out, "pub const UNIT: ::picovd::scsi::UnitIdentity<'static> = ::picovd::scsi::UnitIdentity {{");
    line!(out, "    vendor: {},", literal(&usb.scsi_vendor));
    line!(out, "    product: {},", literal(&usb.scsi_product));
    line!(out, "    revision: {},", literal(&usb.scsi_revision));
    line!(out, "    serial: \"\",");
    line!(out, "}};");
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
    line!(out, "        exposable: &[");
    for Exposable { path, directory, entries, blocks } in &plan.exposable {
        let (place, length) = (entries.start, entries.end - entries.start);
        line!(out, "            ::picovd::settings::Exposable {{");
        line!(out, "                path: {}, directory: {directory},", literal(path));
        line!(out, "                entries: ({place}, {length}), blocks: {blocks:?},");
        line!(out, "            }},");
    }
    line!(out, "        ],");
    line!(out, "        board_digits: {},", plan.label.board_digits);
    line!(out, "        defaults: ::picovd::settings::Defaults {{");
    line!(out, "            label: {},", literal(&String::from_utf16_lossy(&plan.label.units)));
    line!(out, "            announcing: ANNOUNCING,");
    line!(out, "            manufacturer: {},", literal(&plan.usb.manufacturer));
    line!(out, "            product: {},", literal(&plan.usb.product));
    line!(out, "        }},");
    line!(out, "    }},");
    line!(out, "    &SETTINGS_ROOM,");
    line!(out, ");");
    line!(out, "/// Everything that may hold a secret, in the section that is hidden from all files.");
    line!(out, "#[cfg_attr(target_os = \"none\", unsafe(link_section = \".settings\"))]");
    line!(out, "static SETTINGS_ROOM: ::picovd::settings::Room = ::picovd::settings::Room::new();");
}

/// A Rust string literal in ASCII.
fn literal(text: &str) -> String {
    format!("\"{}\"", text.chars().flat_map(char::escape_default).collect::<String>())
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

/// What the standard requires of the tables, checked whenever they are compiled.
const ASSERTIONS: &str = r#"const _: () = {
    let layout = &LAYOUT;
    let sectors_per_cluster = 1u64 << layout.sectors_per_cluster_shift;
    let volume_length = layout.volume_length.0 as u64;
    let heap = layout.cluster_heap_offset as u64;
    let count = layout.cluster_count as u64;
    assert!(volume_length * 512 >= 1 << 20, "VolumeLength (exFAT 3.1.5): at least 1 MiB");
    assert!(layout.fat_offset >= 24, "FatOffset (3.1.6): after both boot regions");
    assert!(layout.fat_length as u64 * 512 >= (count + 2) * 4, "FatLength (3.1.7): an entry for each cluster");
    assert!(heap >= layout.fat_offset as u64 + layout.fat_length as u64, "ClusterHeapOffset (3.1.8): after the FAT");
    assert!(heap.is_multiple_of(sectors_per_cluster), "the heap is aligned to a flash sector");
    assert!(count == (volume_length - heap) / sectors_per_cluster, "ClusterCount (3.1.9): the quotient");
    let root = layout.first_cluster_of_root_directory.0 as u64;
    assert!(root >= 2 && root <= count + 1, "FirstClusterOfRootDirectory (3.1.10): within the heap");
    assert!(layout.allocated_clusters as u64 <= count, "the allocations fit");
    assert!(layout.label.units.len() + if layout.label.board_digits { 4 } else { 0 } <= 11, "CharacterCount (7.3.2)");
    let dynamic = layout.dynamic;
    assert!(
        dynamic.slots == 0 || dynamic.first_cluster.0 as u64 + dynamic.cluster_count as u64 <= count + 2,
        "the dynamic window fits"
    );
    let mut next = 0;
    let mut index = 0;
    while index < layout.regions.len() {
        assert!(layout.regions[index].first.0 as u64 == next, "regions neither overlap nor leave gaps");
        assert!(layout.regions[index].length.0 > 0, "no region is empty");
        next += layout.regions[index].length.0 as u64;
        index += 1;
    }
    assert!(next == layout.partition_offset as u64 + volume_length, "the regions cover the medium");
    let mut index = 0;
    let mut end = 1;
    while index < layout.chain_ends.len() {
        assert!(layout.chain_ends[index] > end, "FAT chains ascend from cluster 2 on");
        end = layout.chain_ends[index];
        index += 1;
    }
    assert!(end as u64 <= layout.allocated_clusters as u64 + 1, "FAT chains run through allocated clusters");
};
"#;
