//! Firmware that shows the compiled manifest in flash or, if there is none or it is refused, picovd.toml.

use core::time::Duration;
use picovd::clock::Instant;
use picovd::files::{CsvRing, LogRingOf, Program};
use picovd::rp2350::rp235x_hal::block::ImageDef;
use picovd::rp2350::rp235x_hal::timer::CopyableTimer0;
use picovd::rp2350::{ConstStaticCell, StaticCell, Thermometer, flash_manifest, restart};
use picovd::settings;
use picovd::stick::{Everything, ManifestOrigin, Parts, Room};
use picovd::volume::layout::stock::{FILES, LOG};
use picovd::volume::layout::{Compiled, Refusal};

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

/// The last readings of the chip's temperature: seconds since the start, and degrees Celsius.
static READINGS: CsvRing<(u32, f32), 60> = CsvRing::new("second,celsius");

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
        page: None,
        sensor: Some(&READINGS),
        origin: None,
    };
    let (compiled, origin) = choose(&parts);
    // Both are there: this runs once.
    let (Some(origin_kept), Some(room)) = (ORIGIN.try_init(origin), ROOM.try_take()) else { restart() };
    let description = room.describe(compiled, &Parts { origin: Some(origin_kept), ..parts });
    let sensor = description.built_in.sensor;
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
    let Some(file) = sensor else {
        loop {
            stick.poll();
            stick.sleep();
        }
    };
    let mut thermometer = Thermometer::new(board.ADC, &board.adc_clock, &mut board.RESETS);
    let mut now = Duration::ZERO;
    loop {
        // A line of two numbers always fits, and so do sixty of them. The file is not there if a person has removed it.
        let _ = READINGS.push((now.as_secs() as u32, thermometer.centidegrees() as f32 / 100.0));
        let _ = description.files.update(file);
        now += interval;
        stick.poll_until(Instant::default() + now);
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
