//! The console's `manifest clear`: takes the manifest in flash away, so that the built-in one is shown again.

use core::cell::Cell;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use critical_section::Mutex;
use picovd::console::{Command, Commands};
use picovd::rp2350::{SettingsFlash, restart};
use picovd::settings::Settings;
use picovd::settings::nor_flash::NorFlash;
use picovd::volume::layout::stock::{MANIFEST, SECTOR};

/// How long the answer and the log have to arrive.
pub const DELAY: Duration = Duration::from_millis(100);

static COMMANDS: Commands<64> = Commands::new(&[Command { name: "manifest", usage: "manifest clear", run: obey }]);

static SETTINGS: Mutex<Cell<Option<&'static Settings<'static>>>> = Mutex::new(Cell::new(None));

/// Whether it was asked for.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Adds the command to the console of these settings.
pub fn register(settings: &'static Settings<'static>) {
    critical_section::with(|section| SETTINGS.borrow(section).set(Some(settings)));
    settings.set_commands(&COMMANDS);
}

fn obey(arguments: &str, answer: &mut dyn Write) -> Result<(), &'static str> {
    if arguments != "clear" {
        return Err("no such command");
    }
    if critical_section::with(|section| SETTINGS.borrow(section).get()).is_some_and(Settings::is_locked) {
        return Err("the settings are locked");
    }
    WANTED.store(true, Ordering::Relaxed);
    answer.write_str("the board restarts with the built-in manifest").map_err(|_| "there is room for it")
}

/// Whether the manifest is to be taken away, after [`DELAY`].
pub fn is_wanted() -> bool {
    WANTED.load(Ordering::Relaxed)
}

/// Erases the start of the manifest in flash of this length, and restarts: what is shown was there.
pub fn clear(flash: u32) -> ! {
    if let Some(mut flash) = SettingsFlash::new(flash) {
        // If the chip or its partition table refuses, the manifest is still there after the restart.
        let _ = flash.erase(MANIFEST, MANIFEST + SECTOR);
    }
    restart()
}
