//! From power-on until a host can see the stick; the same on the chip and in the simulator.

use super::{Description, Firmware};
use crate::dynamic::Files;
use crate::files::{BoardFacts, PartitionPlan};
use crate::settings::{Configured, Plan, Reach, SECTOR_LENGTH, Settings, Storage};
use crate::usb::{Identity, Packets, Reset};
use crate::volume::layout::Redactions;
use crate::volume::{BoardIdentity, DynamicFiles, Memory, Overrides, Windows};
use usb_device::bus::UsbBus;

/// The hardware of a stick on a usb-device bus.
pub trait Hardware<'b>: Platform<'b> {
    /// The USB bus.
    type Bus: UsbBus + Packets;
    /// Restarts the board when picotool asks for it.
    type Restart: FnMut(Reset);
}

/// The board of a stick, whatever carries its packets.
pub trait Platform<'b> {
    /// The memory that files show.
    type Memory: Memory;

    /// The board's identity.
    fn identity(&mut self) -> Option<BoardIdentity>;

    /// Length in bytes of the flash chip, if that is less than `reserved`.
    fn flash(&mut self, reserved: u32) -> Option<u32>;

    /// Hides memory from all files: buffers of the settings, and `redacted` ranges of flash, which has `flash` bytes.
    fn hide<S: Configured<'b>>(&mut self, settings: S, redacted: Redactions<'b>, flash: u32);

    /// What INFO.TXT and INFO.JSON report about the board.
    fn facts(&mut self, identity: Option<BoardIdentity>, flash: Option<u32>) -> BoardFacts<'b>;

    /// Registers the files of the flash partitions.
    fn show_partitions(&mut self, plan: PartitionPlan<'b>, files: &'b Files<'b>);

    /// Opens the settings' sectors in flash of this length; without flash, a storage that does not keep anything.
    fn storage(&mut self, plan: &Plan<'b>, flash: Option<u32>) -> Option<&'b mut (dyn Storage + Send)>;

    /// What the console's commands reach: the memory that files show, and what restarts in BOOTSEL mode a moment after it has
    /// returned. Without it, these commands are refused.
    fn reach(&mut self) -> Option<(&'b (dyn Memory + Sync), &'b (dyn Fn() + Sync))> {
        None
    }

    /// Buffers for the USB device's manufacturer and product, if there are settings for them.
    fn strings(&mut self) -> Option<&'b mut [[u8; 96]; 2]>;
}

/// What [`boot`] has found out.
#[derive(Clone, Copy, Debug)]
pub struct Found<'b> {
    /// The board's identity.
    pub board: Option<BoardIdentity>,
    /// Length in bytes of the flash chip, if that is less than the manifest reserves.
    pub flash: Option<u32>,
    /// The USB device, with the strings from the settings.
    pub usb: Identity<'b>,
}

/// Finds out about the board, and sets up what `description` describes: the log, the board's facts, files, settings.
pub fn boot<'b, H: Platform<'b>, F: Firmware<'b>>(
    hardware: &mut H,
    description: &Description<'b, F::Settings>,
) -> Found<'b> {
    let Description { layout, files, built_in, settings, flash_size, redacted, .. } = *description;
    let board = hardware.identity();
    let shows_flash = !layout.flash_files.is_empty() || built_in.info.is_some() || built_in.partitions.is_some();
    // On a shorter chip, the settings' sectors would overlap the program.
    let flash = if shows_flash || F::Settings::PRESENT { hardware.flash(flash_size) } else { None };
    // Before anything can be read, and before a secret is loaded.
    hardware.hide(settings, redacted, flash.unwrap_or(flash_size));
    if let Some(info) = built_in.info {
        info.set(hardware.facts(board, flash));
    }
    // Before a host can see the stick, and after the files whose names are fixed.
    if F::Files::PRESENT {
        let _ = built_in.register(files);
        if let Some(crash) = F::crash() {
            let _ = crash.register(files);
            if let Some(settings) = settings.settings() {
                settings.set_commands(crash.commands);
            }
        }
    }
    if let Some(plan) = built_in.partitions {
        hardware.show_partitions(PartitionPlan { flash_size: flash.unwrap_or(plan.flash_size), ..plan }, files);
    }
    let usb =
        settings.settings().map_or(description.usb, |settings| start::<F>(hardware, settings, flash, description));
    Found { board, flash, usb }
}

/// Starts the settings with the saved values. Returns the USB identity with the strings from the settings.
fn start<'b, F: Firmware<'b>>(
    hardware: &mut impl Platform<'b>,
    settings: &'b Settings<'b>,
    flash: Option<u32>,
    description: &Description<'b, F::Settings>,
) -> Identity<'b> {
    let usb = description.usb;
    // A chip that is shorter than the manifest reserves may have no sectors for settings.
    let length = flash.unwrap_or(description.flash_size);
    let end = settings.plan().start.saturating_add(u32::from(settings.plan().sectors) * SECTOR_LENGTH);
    let sectors = (end <= length).then_some(length);
    if let Some(storage) = hardware.storage(settings.plan(), sectors) {
        settings.start(storage);
    }
    if F::CONSOLE
        && let Some((memory, bootsel)) = hardware.reach()
    {
        let windows = Windows::new(description.layout, memory, flash.unwrap_or(u32::MAX));
        settings.set_reach(Reach { windows, bootsel: (F::RESET && usb.picotool_reset).then_some(bootsel) });
    }
    let Some(strings) = hardware.strings() else { return usb };
    let [manufacturer, product] = settings.usb_strings(strings);
    Identity { manufacturer: manufacturer.unwrap_or(usb.manufacturer), product: product.unwrap_or(usb.product), ..usb }
}
