//! Firmware that shows the compiled manifest in flash or, if there is none or it is refused, picovd.toml.

use picovd::files::{LogRingOf, Program};
use picovd::rp2350::rp235x_hal::block::ImageDef;
use picovd::rp2350::rp235x_hal::timer::CopyableTimer0;
use picovd::rp2350::{ConstStaticCell, StaticCell, flash_manifest, restart};
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

static ROOM: ConstStaticCell<Room<'static, FILES>> = ConstStaticCell::new(Room::new());
static ORIGIN: StaticCell<ManifestOrigin> = StaticCell::new();

#[picovd::rp2350::rp235x_hal::entry]
fn main() -> ! {
    let program = Program { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), build: disk::BUILD };
    let parts = Parts { program, log: Some(&LOG_RING), defmt: None, settings: Some(&SECRETS), origin: None };
    let (compiled, origin) = choose(&parts);
    // Both are there: this runs once.
    let (Some(origin_kept), Some(room)) = (ORIGIN.try_init(origin), ROOM.try_take()) else { restart() };
    let description = room.describe(compiled, &Parts { origin: Some(origin_kept), ..parts });
    let (mut stick, _) = Stick::start(&description);
    if let ManifestOrigin::Refused(_) | ManifestOrigin::Lacking(_) = origin {
        picovd::println!("the manifest in flash is refused, see INFO.TXT");
    }
    loop {
        stick.poll();
        stick.sleep();
    }
}

/// The manifest in flash, if it can be used, otherwise the program's own.
#[inline(never)]
fn choose(parts: &Parts<'static>) -> (Compiled<'static>, ManifestOrigin) {
    let refused = |origin| (disk::COMPILED, origin);
    match flash_manifest() {
        Err(Refusal::Absent) => refused(ManifestOrigin::BuiltIn),
        Err(refusal) => refused(ManifestOrigin::Refused(refusal)),
        Ok(compiled) => match parts.check(&compiled, FILES) {
            Ok(()) => (compiled, ManifestOrigin::Flash),
            Err(missing) => refused(ManifestOrigin::Lacking(missing)),
        },
    }
}
