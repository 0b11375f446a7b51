//! Firmware that shows the compiled manifest in flash or, if there is none or it is refused, picovd.toml.

mod manifest_command;
mod sensor;

use core::time::Duration;
#[cfg(page)]
use picovd::files::Bytes;
use picovd::files::{LogRingOf, Program};
use picovd::rp2350::rp235x_hal::block::ImageDef;
use picovd::rp2350::rp235x_hal::timer::CopyableTimer0;
use picovd::rp2350::{ConstStaticCell, StaticCell, Thermometer, flash_length, flash_manifest, restart};
use picovd::settings;
use picovd::stick::{Everything, ManifestOrigin, Parts, Room};
use picovd::vd::Content;
use picovd::volume::layout::stock::{FILES, LOG};
use picovd::volume::layout::{Compiled, Refusal};
use sensor::{READINGS, Sensor};

picovd::tables!(disk);
picovd::stick_of!(Everything, CopyableTimer0);
picovd::program_info!(disk);
picovd::panic_handler!(disk);

#[unsafe(link_section = ".start_block")]
#[used]
static IMAGE_DEF: ImageDef = ImageDef::secure_exe();

/// The log that `println!` writes to.
static LOG_RING: LogRingOf<LOG> = LogRingOf::new();

/// Everything that may hold a secret, in the section that is hidden from all files.
#[unsafe(link_section = ".settings")]
static SECRETS: settings::Room = settings::Room::new();

/// What CONFIGURE.HTM shows.
#[cfg(page)]
const PAGE: Option<&'static dyn Content> = {
    static PAGE: Bytes<'static> = Bytes::new(include_bytes!(env!("PICOVD_PAGE")));
    Some(&PAGE)
};
/// This firmware was built without the page.
#[cfg(not(page))]
const PAGE: Option<&'static dyn Content> = None;

static ROOM: ConstStaticCell<Room<'static, FILES>> = ConstStaticCell::new(Room::new());
static ORIGIN: StaticCell<ManifestOrigin> = StaticCell::new();

#[picovd::rp2350::rp235x_hal::entry]
fn main() -> ! {
    let program = Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), build: disk::BUILD };
    let parts = Parts {
        program,
        log: Some(&LOG_RING),
        defmt: None,
        settings: Some(&SECRETS),
        flash: None,
        page: PAGE,
        sensor: Some(&READINGS),
        origin: None,
    };
    let (compiled, origin) = choose(&parts);
    // Both are there: this runs once.
    let (Some(origin_kept), Some(room)) = (ORIGIN.try_init(origin), ROOM.try_take()) else { restart() };
    let flash = flash_length(compiled.chip().flash_size);
    let description = room.describe(compiled, &Parts { origin: Some(origin_kept), flash, ..parts });
    let interval = Duration::from_millis(u64::from(compiled.sensor_interval()));
    let (mut stick, mut board) = Stick::start(&description);
    picovd::println!("{} {}, build {}", program.name, program.version, program.build);
    match origin {
        ManifestOrigin::Flash => picovd::println!("the manifest in flash is shown"),
        ManifestOrigin::BuiltIn => picovd::println!("the built-in manifest is shown: there is none in flash"),
        // Numbers in the reason would cost a kilobyte of formatting.
        ManifestOrigin::Refused(refusal) => refused(refusal.words()),
        ManifestOrigin::Lacking(missing) => refused(missing.words()),
    }
    if let Some(settings) = description.settings {
        manifest_command::register(settings);
    }
    let mut sensor = description.built_in.sensor.map(|file| {
        let thermometer = Thermometer::new(board.ADC, &board.adc_clock, &mut board.RESETS);
        Sensor::new(file, thermometer, interval)
    });
    loop {
        stick.poll();
        if let Some(sensor) = &mut sensor {
            let next = sensor.turn(description.files, stick.now());
            stick.wake_at(next);
        }
        stick.sleep();
        if manifest_command::is_wanted() {
            stick.poll_until(stick.now() + manifest_command::DELAY);
            manifest_command::clear(flash.unwrap_or(description.flash_size));
        }
    }
}

/// Says that the manifest in flash is refused, and why.
fn refused(why: &str) {
    picovd::println!("the built-in manifest is shown, because the one in flash is refused: {why}");
}

/// The manifest in flash, if it can be used, otherwise the program's own.
#[inline(never)]
fn choose(parts: &Parts<'static>) -> (Compiled<'static>, ManifestOrigin) {
    let built_in = |origin| (disk::COMPILED, origin);
    match flash_manifest() {
        Err(Refusal::Absent) => built_in(ManifestOrigin::BuiltIn),
        Err(refusal) => built_in(ManifestOrigin::Refused(refusal)),
        Ok(compiled) => match parts.check(&compiled, FILES) {
            Ok(()) => (compiled, ManifestOrigin::Flash),
            Err(missing) => built_in(ManifestOrigin::Lacking(missing)),
        },
    }
}
