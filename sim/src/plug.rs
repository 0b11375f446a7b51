//! What to plug in: the library natively, or a firmware's ELF file on the emulated board.

use crate::board::{ChipIdentity, ElfDevice};
use crate::diagnosis::{Outcome, Reporter};
use crate::i2c_device::I2cDevice;
use crate::link::Link;
use crate::memory::{Contents, SharedMemory};
use crate::native::{Board, NativeDevice, Start};
use crate::partitions::{self, Partition};
use crate::tables::Tables;
use crate::truth::{self, TrueFile};
use picovd::stick::compiled;
use picovd::volume::BoardIdentity;
use picovd_manifest::{Diagnostics, DiskPlan, Program};
use std::path::{Path, PathBuf};
use std::{env, fmt, fs, io};

/// The unique identity of the simulated board: 64 bits, as on RP2350 boards.
pub const IDENTITY: BoardIdentity = BoardIdentity(0xE461_4C31_1F2A_9D0B);

/// Why nothing can be plugged in.
#[derive(Debug)]
#[non_exhaustive]
pub enum PlugError {
    /// The manifest is wrong: a report with excerpts.
    Manifest(Diagnostics),
    /// The firmware cannot run: one line.
    Firmware(String),
}

impl fmt::Display for PlugError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(problems) => problems.fmt(formatter),
            Self::Firmware(text) => text.fmt(formatter),
        }
    }
}

impl std::error::Error for PlugError {}

/// A device on a cable, and what it should show.
pub struct Plug {
    /// The device.
    pub link: Box<dyn Link>,
    /// Its manifest's plan.
    pub plan: DiskPlan,
    /// Every file with its bytes.
    pub files: Vec<TrueFile>,
    /// Whether a firmware has failed so far; the library never does.
    pub outcome: Outcome,
}

/// How to run a firmware on the emulated board.
#[derive(Clone, Copy)]
pub struct Treatment<'a> {
    /// Whether lines that a UART sends are passed to the sink, too.
    pub uart: bool,
    /// The devices on the I2C buses.
    pub i2c: &'a [I2cDevice],
    /// Whether the board stops, instead of adding a note, when the firmware uses a register that is not modelled.
    pub strict: bool,
    /// Whether mistakes in descriptors that a driver would tolerate are only reported.
    pub tolerates: bool,
    /// Receives the reports of what the firmware does wrong.
    pub sink: fn(&str),
}

/// The folder of this crate in the clone that it was built in. A released program has none: it runs on other machines, and its
/// bytes do not depend on a folder.
pub const CLONE: Option<&str> = match option_env!("PICOVD_RELEASE") {
    Some(_) => None,
    None => Some(env!("CARGO_MANIFEST_DIR")),
};

/// The stock manifest of this repository; without a clone, a path that leads nowhere.
#[must_use]
pub fn stock_manifest() -> PathBuf {
    let Some(clone) = CLONE else { return PathBuf::new() };
    let below = Path::new(clone).join("..");
    // Messages call it as the user would: by its relative path, if it exists there.
    match (env::current_dir().and_then(fs::canonicalize), fs::canonicalize(&below)) {
        (Ok(here), Ok(root)) if here == root => PathBuf::from("picovd.toml"),
        (_, Ok(root)) => root.join("picovd.toml"),
        _ => below.join("picovd.toml"),
    }
}

/// A manifest of this repository for tests: the disk alone, which does not change by itself.
#[must_use]
pub fn plain_manifest() -> PathBuf {
    CLONE.map_or_else(PathBuf::new, |clone| Path::new(clone).join("../tests/manifests/plain.toml"))
}

/// The plan of the manifest at `path`, for a program that is built from it; or of the stock manifest.
///
/// # Errors
/// Everything that is wrong with the manifest.
pub fn plan(path: Option<&Path>) -> Result<DiskPlan, Diagnostics> {
    match path {
        Some(path) if !is_stock_manifest(path) => picovd_manifest::load(path, epoch().as_deref()),
        _ => plan_for_stock_firmware(path.unwrap_or(&stock_manifest())),
    }
}

/// Whether the path leads to the stock manifest of this repository.
fn is_stock_manifest(path: &Path) -> bool {
    matches!((fs::canonicalize(path), fs::canonicalize(stock_manifest())), (Ok(path), Ok(stock)) if path == stock)
}

/// The plan of the manifest at `path` for the stock firmware.
///
/// # Errors
/// Everything that is wrong with the manifest.
pub fn plan_for_stock_firmware(path: &Path) -> Result<DiskPlan, Diagnostics> {
    picovd_manifest::load_for_stock_firmware(path, epoch().as_deref())
}

fn epoch() -> Option<String> {
    env::var("SOURCE_DATE_EPOCH").ok()
}

/// Plugs in the device of `manifest`: natively, or with `elf` the firmware that was built from it.
///
/// # Errors
/// An invalid manifest, or an ELF file that cannot be read or that the board would not boot.
pub fn open(manifest: Option<&Path>, elf: Option<&Path>) -> Result<Plug, PlugError> {
    open_on(manifest, elf, FlashChip::default())
}

/// A board's flash chip.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlashChip<'a> {
    /// Its length in bytes; by default what the manifest reserves.
    pub length: Option<usize>,
    /// The partitions in its table; without any, there is no table.
    pub partitions: &'a [Partition],
    /// What else was written to an emulated board's chip before it starts, in this order: offsets and bytes.
    pub written: &'a [(usize, Vec<u8>)],
}

/// The same on a board with this flash chip. Mistakes of the firmware are not reported, and the board is strict.
///
/// # Errors
/// As [`open`], and a partition table that does not fit.
pub fn open_on(manifest: Option<&Path>, elf: Option<&Path>, flash: FlashChip<'_>) -> Result<Plug, PlugError> {
    open_with(manifest, elf, flash, Treatment { uart: false, i2c: &[], strict: true, tolerates: false, sink: |_| {} })
}

/// The same, with options for the firmware.
///
/// # Errors
/// As [`open_on`].
pub fn open_with(
    manifest: Option<&Path>,
    elf: Option<&Path>,
    flash: FlashChip<'_>,
    treatment: Treatment<'_>,
) -> Result<Plug, PlugError> {
    // What is in flash beside the program is a manifest for the stock firmware.
    let plan = match manifest {
        Some(path) if !flash.written.is_empty() => plan_for_stock_firmware(path),
        _ => plan(manifest),
    };
    let plan = plan.map_err(PlugError::Manifest)?;
    match elf {
        None => on_bus(plan, flash, None),
        Some(path) => emulated(plan, flash, path, treatment),
    }
    .map_err(PlugError::Firmware)
}

/// The library on the simulated bus.
#[must_use]
pub fn native(plan: DiskPlan) -> Plug {
    native_with(plan, None)
}

/// The same with an application next to it.
#[must_use]
pub fn native_with(plan: DiskPlan, application: Option<Start>) -> Plug {
    with_contents(Contents::noise(plan.chip.flash_size as usize), plan, application)
}

/// The library on a board with this flash chip, with an application next to it.
///
/// # Errors
/// A partition table that does not fit.
pub fn native_on(plan: DiskPlan, flash: FlashChip<'_>, application: Start) -> Result<Plug, PlugError> {
    on_bus(plan, flash, Some(application)).map_err(PlugError::Firmware)
}

fn on_bus(plan: DiskPlan, flash: FlashChip<'_>, application: Option<Start>) -> Result<Plug, String> {
    let mut contents = Contents::noise(flash.length.unwrap_or(plan.chip.flash_size as usize));
    if !flash.partitions.is_empty() {
        for (at, bytes) in partitions::table(&contents.flash, flash.partitions)? {
            let room = contents.flash.get_mut(at..at + bytes.len()).ok_or("flash has no room for the table")?;
            room.copy_from_slice(&bytes);
        }
    }
    Ok(with_contents(contents, plan, application))
}

fn with_contents(contents: Contents, plan: DiskPlan, application: Option<Start>) -> Plug {
    let files = truth::files(&plan, &contents);
    let link = NativeDevice::link(Board { application, ..board(plan.clone(), contents) });
    Plug { link, plan, files, outcome: Outcome::default() }
}

/// The board that runs the library natively.
#[must_use]
pub fn board(plan: DiskPlan, contents: Contents) -> Board {
    let layout = Tables::new(plan).leak();
    Board {
        layout,
        announcing: compiled::announcing(&layout.compiled),
        application: None,
        identity: IDENTITY,
        memory: SharedMemory::new(contents),
    }
}

/// Maximum length of an ELF file in bytes: flash has 16 MiB, and the rest is debug information.
const LONGEST_PROGRAM: u64 = 256 << 20;

/// The bytes of a program in a regular file.
fn read_program(path: &Path) -> io::Result<Vec<u8>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    if metadata.len() > LONGEST_PROGRAM {
        return Err(io::Error::other("it is longer than 256 MiB"));
    }
    fs::read(path)
}

fn emulated(plan: DiskPlan, flash: FlashChip<'_>, path: &Path, treatment: Treatment<'_>) -> Result<Plug, String> {
    let elf = read_program(path).map_err(|error| {
        format!("{}: {error}; `cargo xtask firmware` builds target/firmware/picovd.elf", path.display())
    })?;
    let identity =
        ChipIdentity { device: IDENTITY.0 as u32, wafer: (IDENTITY.0 >> 32) as u32, ..ChipIdentity::default() };
    let length = flash.length.unwrap_or(plan.chip.flash_size as usize);
    let mut device =
        ElfDevice::with_board(&elf, length, identity).map_err(|error| format!("{}: {error}", path.display()))?;
    let reporter = Reporter::new(elf, treatment.uart, treatment.sink);
    let outcome = reporter.outcome();
    device.machine().set_witness(reporter.witness());
    device.machine().set_lenient(!treatment.strict);
    device.machine().set_tolerant(treatment.tolerates);
    for I2cDevice { bus, address, target } in treatment.i2c {
        if let Some(i2c) = device.machine().peripherals().i2c.get_mut(*bus) {
            i2c.connect(*address, target.clone());
        }
    }
    let chip = device.machine().flash();
    // A program in SRAM sees what another one has left in flash.
    let mut left = match plan.chip.program {
        Program::Sram => vec![(0, Contents::noise(length).flash)],
        Program::Flash => Vec::new(),
    };
    if !flash.partitions.is_empty() {
        left.extend(partitions::table(chip.bytes(), flash.partitions)?);
    }
    left.extend_from_slice(flash.written);
    if !left.is_empty() {
        if !left.iter().all(|(at, bytes)| chip.preload(*at, bytes)) {
            return Err("flash has no room for its contents".to_owned());
        }
        // What the core has decoded and cached is outdated.
        device.machine().unplug();
        device.machine().plug();
    }
    let contents = Contents {
        rom: device.machine().rom().to_vec(),
        flash: device.machine().flash().bytes().to_vec(),
        sram: device.machine().sram().to_vec(),
    };
    let files = truth::files(&plan, &contents);
    Ok(Plug { link: Box::new(device), plan, files, outcome })
}
