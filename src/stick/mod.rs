//! The stick: everything that the manifest's tables describe, running on a bus.
//!
//! [`Description`] is what `picovd-manifest` generates. [`boot`] finds out about the board and sets up everything that the
//! tables describe; [`Stick`] connects it to a bus and a memory, and follows the application's files. Firmware for the chip
//! uses `rp2350::Stick`, which knows the hardware.

mod boot;
pub mod compiled;
mod console;
mod disk;
mod following;
mod room;

pub use boot::{Found, Hardware, Platform, boot};
pub use console::{Dialogue, Port};
pub use disk::Disk;
pub use following::{DeviceOf, Following, device};
pub use room::{ManifestOrigin, Missing, Parts, Room};

use crate::announcement::Announcing;
use crate::clock::{Instant, Milliseconds};
use crate::dynamic::{Files, FromRegistry, Registered};
use crate::files::crash::CrashFiles;
use crate::files::{BuiltIn, LogRing};
use crate::scsi::UnitIdentity;
use crate::settings::{Configured, Settings};
use crate::usb::{Classes, Composite, Console, Functions, Identity};
use crate::volume::layout::{Layout, Redactions};
use crate::volume::{DynamicFiles, NoOverrides};
use usb_device::bus::UsbBusAllocator;

/// The manifest's decisions, as generated tables.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a, S = NoOverrides> {
    /// The volume.
    pub layout: &'a Layout<'a>,
    /// The dynamic files.
    pub files: &'a Files<'a>,
    /// Those of them that are built into the firmware.
    pub built_in: &'a BuiltIn<'a>,
    /// How hosts are notified of changes.
    pub announcing: Announcing,
    /// The USB device.
    pub usb: Identity<'a>,
    /// Length in bytes of the flash for which the manifest reserves room.
    pub flash_size: u32,
    /// Ranges of flash that read as zeros, by storage address: offsets in bytes.
    pub redacted: Redactions<'a>,
    /// Whether the program is linked for SRAM, into which the boot ROM has loaded it.
    pub program_in_sram: bool,
    /// A serial number that replaces the board's.
    pub usb_serial: Option<&'a str>,
    /// The SCSI unit; its serial number is the USB device's.
    pub unit: UnitIdentity<'a>,
    /// The settings, if the manifest has sectors for them.
    pub settings: S,
}

/// Which parts a program's stick has. The manifest decides, and the generated tables express it as a type, so that the
/// linker removes the parts that are not there.
pub trait Firmware<'b>: Functions + 'b {
    /// The dynamic files: a [`Registered`], or [`NoFiles`](crate::volume::NoFiles).
    type Files: FromRegistry<'b>;
    /// The settings: references to them, or [`NoOverrides`].
    type Settings: Configured<'b>;

    /// The last crash and its files, if the manifest has `[crash]`.
    #[inline]
    #[must_use]
    fn crash() -> Option<CrashFiles<'b>> {
        None
    }
}

/// What keeps a panic and restarts the program, if the manifest has `[crash]`: for panic handlers.
#[inline]
#[must_use]
pub fn panicked<F: Firmware<'static>>() -> Option<fn(&core::panic::PanicInfo<'_>) -> !> {
    F::crash()?.panicked
}

/// All parts. What a manifest does not ask for is not shown.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Functions for Everything {
    const CONSOLE: bool = true;
    const RESET: bool = true;
}

impl<'b> Firmware<'b> for Everything {
    type Files = Registered<'b>;
    type Settings = Option<&'b Settings<'b>>;
}

/// A stick on a bus.
pub struct Stick<'b, H: Hardware<'b>, F: Firmware<'b>> {
    usb: Usb<'b, H, F>,
    settings: F::Settings,
    files: &'b Files<'b>,
    built_in: &'b BuiltIn<'b>,
    /// What is said at the console.
    dialogue: Dialogue,
    /// Since when a line waits for the end of the host's command in progress.
    waiting: Option<Instant>,
}

/// The USB device of a stick.
pub type Usb<'b, H, F> = Composite<'b, <H as Hardware<'b>>::Bus, Served<'b, H, F>, <H as Hardware<'b>>::Restart, F>;

/// The device that the mass storage class serves.
type Served<'b, H, F> = DeviceOf<'b, F, <H as Platform<'b>>::Memory>;

/// How long a line waits for a READ whose end the host does not fetch: as long as an announcement waits.
const PATIENCE: Milliseconds = Milliseconds(60_000);

/// Maximum number of turns of the USB stack in one call: several times what any event takes. Without a limit, an unread
/// packet would request another turn forever.
const TURNS: usize = 8;

impl<'b, H: Hardware<'b>, F: Firmware<'b>> Stick<'b, H, F> {
    /// The stick on the bus of `alloc`, attached. `digits` are those of the board's identity, used as the serial number.
    ///
    /// # Panics
    ///
    /// As [`Composite::new`].
    #[inline]
    pub fn new(
        alloc: &'b UsbBusAllocator<H::Bus>,
        description: &Description<'b, F::Settings>,
        found: Found<'b>,
        digits: &'b [u8; 16],
        memory: H::Memory,
        restart: H::Restart,
    ) -> Self {
        Self::compose(description, found, digits, memory, |usb, serial, device| {
            (Composite::new(alloc, usb, serial, device, restart), ())
        })
        .0
    }

    /// The same with the application's own USB classes, which `make` allocates: see [`Composite::with_classes`]. They are
    /// polled with [`turn_with`](Self::turn_with) and [`poll_with`](Self::poll_with).
    ///
    /// # Panics
    ///
    /// As [`Composite::new`].
    #[inline]
    pub fn with_classes<C>(
        alloc: &'b UsbBusAllocator<H::Bus>,
        description: &Description<'b, F::Settings>,
        found: Found<'b>,
        digits: &'b [u8; 16],
        memory: H::Memory,
        restart: H::Restart,
        make: impl FnOnce(&'b UsbBusAllocator<H::Bus>) -> C,
    ) -> (Self, C) {
        Self::compose(description, found, digits, memory, |usb, serial, device| {
            Composite::with_classes(alloc, usb, serial, device, restart, make)
        })
    }

    /// Makes the device that the description asks for, which `usb` puts on the bus.
    #[inline]
    fn compose<C>(
        description: &Description<'b, F::Settings>,
        found: Found<'b>,
        digits: &'b [u8; 16],
        memory: H::Memory,
        usb: impl FnOnce(Identity<'b>, &'b str, Served<'b, H, F>) -> (Usb<'b, H, F>, C),
    ) -> (Self, C) {
        let Description { files, built_in, usb_serial, settings, .. } = *description;
        // The digits are ASCII, and the manifest's checks ensure that there is room for the serial number that it asks for.
        let serial = usb_serial.or(core::str::from_utf8(digits).ok()).unwrap_or_default();
        let (usb, classes) = usb(found.usb, serial, device::<F, H::Memory>(description, found, serial, memory));
        (Self { usb, settings, files, built_in, dialogue: Dialogue::new(), waiting: None }, classes)
    }

    /// One turn of the USB stack, after an event of the bus. Returns true while a command is in progress: then there is
    /// nothing else to do before the bus's next event, and [`poll`](Self::poll) can wait.
    #[inline]
    pub fn turn(&mut self) -> bool {
        self.turn_with(&mut [])
    }

    /// The same for a stick [`with_classes`](Self::with_classes), with all of them.
    #[inline]
    pub fn turn_with<const N: usize>(&mut self, classes: &mut Classes<'_, H::Bus, N>) -> bool {
        self.usb.poll_with(classes);
        self.listen();
        self.is_under_way()
    }

    /// Whether a command is in progress: then there is nothing else to do before the bus's next event.
    #[inline]
    pub fn is_under_way(&self) -> bool {
        self.usb.device().is_busy() || self.usb.is_sending()
    }

    /// The USB device with its functions.
    #[inline]
    pub fn usb_mut(&mut self) -> &mut Usb<'b, H, F> {
        &mut self.usb
    }

    /// Does what there is to do at `now`, which must never decrease: call it after an event of the bus, after a change of
    /// the application's files, and at the time that it returns, if any.
    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        self.poll_with(now, &mut [])
    }

    /// The same for a stick [`with_classes`](Self::with_classes), with all of them.
    pub fn poll_with<const N: usize>(&mut self, now: Instant, classes: &mut Classes<'_, H::Bus, N>) -> Option<Instant> {
        let mut more = true;
        for _ in 0..TURNS {
            more = self.usb.poll_with(classes);
            self.listen();
            if !more {
                break;
            }
        }
        if let Some(again) = self.wait(now) {
            // The command's next packet causes an event of the bus.
            return if more { Some(now) } else { again };
        }
        let silent = self.usb.tick(now);
        self.dialogue.tick(self.settings(), now);
        if let Some(settings) = self.settings() {
            // No READ is in progress here: flash is inaccessible while it is being written.
            // Input after this line has already been received, so no event of the bus will follow for it.
            more |= settings.execute(now);
            if settings.take_changed() {
                self.usb.device_mut().set_announcing(settings.announcing());
                self.files.announce();
            }
        }
        self.speak(now);
        if F::Files::PRESENT {
            self.built_in.follow(self.files);
        }
        let poll = self.usb.device_mut().poll(now);
        if poll.reconnect {
            // On a bus that cannot do that, the host notices the change only when it polls.
            let _ = self.usb.reconnect();
        }
        if more { Some(now) } else { earlier(poll.again, silent) }
    }

    /// What there is to do at `now` while a command is in progress. Returns when to call again, if at all. Returns `None`
    /// if no command is in progress, or if it has waited for the host for too long while other things wait for its end.
    pub fn wait(&mut self, now: Instant) -> Option<Option<Instant>> {
        if !self.usb.device().is_busy() {
            self.waiting = None;
            return None;
        }
        let silent = self.usb.tick(now);
        if F::Files::PRESENT {
            self.built_in.follow(self.files);
        }
        let line = self.settings().is_some_and(Settings::is_line_complete);
        self.waiting = if line { self.waiting.or(Some(now)) } else { None };
        let until = earlier(self.usb.device_mut().patience(now), self.waiting.map(|since| since.after(PATIENCE)));
        if until.is_some_and(|until| until <= now) {
            // The medium changes during the READ, which fails if the host continues it.
            self.usb.device_mut().give_up();
            return None;
        }
        Some(earlier(silent, until))
    }

    /// When a console that was just opened may send, if it waits for that.
    #[inline]
    pub fn silent_until(&self) -> Option<Instant> {
        self.usb.silent_until()
    }

    fn settings(&self) -> Option<&'b Settings<'b>> {
        self.settings.settings()
    }

    /// Whether a restart of the program was requested since the last call.
    pub fn take_restart(&self) -> bool {
        self.settings().is_some_and(Settings::take_restart)
    }

    /// Counts what the next [`poll`](Self::poll) has to handle: changes to be announced, and bytes of the log. Both may
    /// come from interrupt handlers and the other core at any time.
    #[must_use]
    pub fn news(&self) -> (u32, u64) {
        (if F::Files::PRESENT { self.files.announced() } else { 0 }, self.built_in.log.map_or(0, LogRing::written))
    }

    /// The dynamic files.
    pub fn files(&self) -> &'b Files<'b> {
        self.files
    }

    /// The console, if there is one.
    pub fn console_mut(&mut self) -> Option<&mut Console<'b, H::Bus>> {
        self.usb.console_mut()
    }
}

/// The earlier of two optional times.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}
