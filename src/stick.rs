//! The stick: everything that the manifest's tables describe, running on a bus.
//!
//! [`Description`] is what `picovd-manifest` generates; [`Stick`] plugs it into a bus and a memory, and follows the
//! application's files. Firmware for the chip takes `rp2350::Stick`, which knows the hardware.

use crate::block::{BlockCount, Lba};
use crate::clock::{Instant, Milliseconds};
use crate::device::{Announcing, Device};
use crate::files::{BuiltIn, LogFollower, LogRing, Named};
use crate::scsi::UnitIdentity;
use crate::settings::{self, Configured, NoSettings, Settings};
use crate::usb::{Composite, Console, Identity, Packets, Reset};
use crate::vd::Files;
use crate::volume::layout::Layout;
use crate::volume::{BoardIdentity, Hidden, LabelText, Look, Memory, Refresh, Timing, Volume};
use usb_device::bus::{UsbBus, UsbBusAllocator};

/// What the manifest decides, as generated tables.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a, S = NoSettings> {
    /// The volume.
    pub layout: &'a Layout<'a>,
    /// The dynamic files.
    pub files: &'a Files<'a>,
    /// Those of them that come with the firmware.
    pub built_in: &'a BuiltIn<'a>,
    /// How hosts are notified of changes.
    pub announcing: Announcing,
    /// The USB device.
    pub usb: Identity<'a>,
    /// Length in bytes of the flash that the manifest reserves room for.
    pub flash_size: u32,
    /// Ranges of flash that read as zeros, by storage address: offsets in bytes.
    pub redacted: &'static [core::ops::Range<u32>],
    /// Whether the program is linked for SRAM, where the boot ROM has loaded it.
    pub program_in_sram: bool,
    /// A serial number in place of the board's.
    pub usb_serial: Option<&'a str>,
    /// The SCSI unit; its serial number is the USB device's.
    pub unit: UnitIdentity<'a>,
    /// The settings, where the manifest has sectors for them.
    pub settings: S,
}

/// A stick on a bus. Console, reset interface and dynamic files are left out of the program where the three parameters
/// are false, settings where the last one is [`NoSettings`].
pub struct Stick<
    'b,
    B: UsbBus,
    M: Memory,
    R,
    const CONSOLE: bool = true,
    const RESET: bool = true,
    const FILES: bool = true,
    S = NoSettings,
> {
    usb: Composite<'b, B, Device<'b, M, FILES, S>, R, CONSOLE, RESET>,
    settings: S,
    files: &'b Files<'b>,
    built_in: &'b BuiltIn<'b>,
    /// Up to where the console shows the log.
    shown: LogFollower,
    /// Until when what the console has said may come back.
    echo: Option<Instant>,
    /// Since when a line waits for a command of the host that is under way.
    waiting: Option<Instant>,
}

/// How long what the console has said may come back from a terminal.
const ECHO: Milliseconds = Milliseconds(5_000);

/// How long a line waits for a READ whose end the host does not fetch: as long as an announcement does.
const PATIENCE: Milliseconds = Milliseconds(60_000);

/// Turns of the USB stack in one call, at most: several times what any event takes. A packet that nobody reads asks for
/// another turn for ever.
const TURNS: usize = 8;

/// Bytes of the log that go to the console at once.
const PIECE: usize = 64;

impl<'b, B, M, R, const CONSOLE: bool, const RESET: bool, const FILES: bool, S>
    Stick<'b, B, M, R, CONSOLE, RESET, FILES, S>
where
    B: UsbBus + Packets,
    M: Memory,
    R: FnMut(Reset),
    S: Configured<'b> + Look,
{
    /// The stick on the bus of `alloc`, attached. `flash` is the length in bytes of a chip that has less than the manifest
    /// reserves ([`flash_length`](crate::files::flash_length)). `digits` are those of the board's identity, which stay its
    /// serial number for as long as the stick lives.
    ///
    /// # Panics
    ///
    /// As [`Composite::new`].
    #[inline]
    pub fn new(
        alloc: &'b UsbBusAllocator<B>,
        description: &Description<'b, S>,
        board: Option<BoardIdentity>,
        flash: Option<u32>,
        digits: &'b [u8; 16],
        memory: M,
        reset: R,
    ) -> Self {
        let Description { layout, files, built_in, announcing, usb, usb_serial, unit, settings, .. } = *description;
        // The digits are ASCII, and the checks of the manifest see to it that there is room for what it asks for.
        let serial = usb_serial.or(core::str::from_utf8(digits).ok()).unwrap_or_default();
        if FILES {
            let _ = built_in.register(files);
        }
        let mut volume =
            Volume::of(layout, board, memory, settings).with_flash(flash.unwrap_or(u32::MAX)).with_files(files);
        // Files whose changes are not announced are there from the beginning, too.
        volume.begin_unseen_generation(Instant(0));
        let device = Device::new(volume, UnitIdentity { serial, ..unit }, announcing);
        Self {
            usb: Composite::new(alloc, usb, serial, device, reset),
            settings,
            files,
            built_in,
            shown: LogFollower::new(),
            echo: None,
            waiting: None,
        }
    }

    /// One turn of the USB stack, after an event of the bus. True while a command is under way: then nothing else is to do
    /// before the bus's next event, and [`poll`](Self::poll) is for later.
    #[inline]
    pub fn turn(&mut self) -> bool {
        self.usb.poll();
        self.listen();
        self.is_under_way()
    }

    /// Whether a command is under way: then nothing else is to do before the bus's next event.
    #[inline]
    pub fn is_under_way(&self) -> bool {
        self.usb.device().is_busy() || self.usb.is_sending()
    }

    /// The USB device with its functions.
    #[inline]
    pub fn usb_mut(&mut self) -> &mut Composite<'b, B, Device<'b, M, FILES, S>, R, CONSOLE, RESET> {
        &mut self.usb
    }

    /// Does what there is to do at `now`, which never goes back: after an event of the bus, after a change of the
    /// application's files, and at the moment that it returns, if any.
    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        let mut more = true;
        for _ in 0..TURNS {
            more = self.usb.poll();
            self.listen();
            if !more {
                break;
            }
        }
        if let Some(again) = self.wait(now) {
            // The command's next packet is an event of the bus.
            return if more { Some(now) } else { again };
        }
        let silent = self.usb.tick(now);
        self.echo = self.echo.filter(|until| now < *until);
        if let Some(settings) = self.settings() {
            if self.echo.is_none() {
                settings.forget_printed();
            }
            // Here no READ is running: what is saved takes flash away for a while.
            // What came after the line is no event of the bus any more, and may be next.
            more |= settings.carry_out(now);
            if settings.take_news() {
                self.usb.device_mut().set_announcing(announcing(settings));
                self.files.announce();
            }
            self.talk(settings, now);
        } else {
            self.show_log();
        }
        if FILES {
            self.built_in.follow(self.files);
        }
        let poll = self.usb.device_mut().poll(now);
        if poll.reconnect {
            // A bus that cannot leaves the change to the host's own look.
            let _ = self.usb.reconnect();
        }
        if more { Some(now) } else { earlier(poll.again, silent) }
    }

    /// What there is to do at `now` while a command is under way. Returns when to call again, if at all; `None` where no command is,
    /// or one that has waited for the host for too long while other things wait for its end.
    pub fn wait(&mut self, now: Instant) -> Option<Option<Instant>> {
        if !self.usb.device().is_busy() {
            self.waiting = None;
            return None;
        }
        let silent = self.usb.tick(now);
        if FILES {
            self.built_in.follow(self.files);
        }
        let line = self.settings().is_some_and(Settings::is_line_complete);
        self.waiting = if line { self.waiting.or(Some(now)) } else { None };
        let until = earlier(self.usb.device_mut().patience(now), self.waiting.map(|since| since.after(PATIENCE)));
        if until.is_some_and(|until| until <= now) {
            // The medium changes under it, and the READ fails when the host goes on with it.
            self.usb.device_mut().give_up();
            return None;
        }
        Some(earlier(silent, until))
    }

    /// When a console that was opened may speak, if it waits for that.
    #[inline]
    pub fn silent_until(&self) -> Option<Instant> {
        self.usb.silent_until()
    }

    fn settings(&self) -> Option<&'b Settings<'b>> {
        Configured::settings(self.settings)
    }

    /// Takes what comes from the console.
    fn listen(&mut self) {
        let settings = self.settings();
        let Some(console) = self.usb.console_mut() else { return };
        let ended = console.take_ended();
        if let Some(settings) = settings {
            if ended {
                settings.hang_up();
            }
            if console.is_open() {
                return settings.listen(|packet| console.read_packet(packet));
            }
        }
        // Nothing takes commands, or nobody would see their answers; a host must not wait for it.
        while console.read(&mut [0; PIECE]) != 0 {}
    }

    /// Gives the console answers, and what it does not show of the log yet. Neither begins within a line of the other.
    fn talk(&mut self, settings: &Settings<'_>, now: Instant) {
        let log = self.built_in.log;
        let echo = &mut self.echo;
        let mut said = |bytes: &[u8]| {
            if !bytes.is_empty() {
                settings.printed(bytes);
                *echo = Some(now.after(ECHO));
            }
        };
        let Some(console) = self.usb.console_mut() else { return };
        while console.is_open() {
            let mut piece = [0; PIECE];
            let begun = settings.answer_begun();
            let amid = settings.is_amid_line();
            if begun.is_some_and(|begun| begun || !amid || log.is_none_or(|log| self.shown.is_done(log))) {
                if amid && begun == Some(false) {
                    // A line of the log that has not ended yet: it goes on after the answer.
                    if console.write(b"\r\n") < 2 {
                        break;
                    }
                    said(b"\r\n");
                    settings.set_amid_line(false);
                }
                let length = settings.answer(&mut piece);
                let taken = console.write(piece.get(..length).unwrap_or_default());
                said(piece.get(..taken).unwrap_or_default());
                settings.answered(taken);
                if taken < length {
                    break;
                }
                continue;
            }
            let length = log.map_or(0, |log| self.shown.peek(log, &mut piece));
            if length == 0 {
                break;
            }
            let text = piece.get(..length).unwrap_or_default();
            // Up to the line's end, where an answer waits.
            let end = text.iter().position(|byte| *byte == b'\n').filter(|_| begun.is_some());
            let text = text.get(..end.map_or(length, |end| end + 1)).unwrap_or_default();
            let taken = console.write(text);
            self.shown.take(taken);
            said(text.get(..taken).unwrap_or_default());
            if let Some(last) = text.get(..taken).and_then(<[u8]>::last) {
                settings.set_amid_line(*last != b'\n');
            }
            if taken < text.len() {
                break;
            }
        }
    }

    /// Whether somebody wants the program to start again, since the last call.
    pub fn take_restart(&self) -> bool {
        self.settings().is_some_and(Settings::take_restart)
    }

    /// Gives the console what it does not show of the log yet, from the oldest text that the ring holds.
    fn show_log(&mut self) {
        let Some((console, log)) = self.usb.console_mut().zip(self.built_in.log) else { return };
        while console.is_open() {
            let mut piece = [0; PIECE];
            let length = self.shown.peek(log, &mut piece);
            if length == 0 {
                break;
            }
            let taken = console.write(piece.get(..length).unwrap_or_default());
            self.shown.take(taken);
            if taken < length {
                break;
            }
        }
    }

    /// Counts what the next [`poll`](Self::poll) follows: changes to be announced, and bytes of the log. They may come from
    /// interrupt handlers and the other core at any moment.
    #[must_use]
    pub fn news(&self) -> (u32, u64) {
        (if FILES { self.files.announced() } else { 0 }, self.built_in.log.map_or(0, LogRing::written))
    }

    /// The dynamic files.
    pub fn files(&self) -> &'b Files<'b> {
        self.files
    }

    /// The console, where there is one.
    pub fn console_mut(&mut self) -> Option<&mut Console<'b, B>> {
        self.usb.console_mut()
    }
}

/// The earlier one of two moments that may not be.
fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        _ => one.or(other),
    }
}

/// How changes are announced, by the settings.
fn announcing(settings: &Settings<'_>) -> Announcing {
    let (refresh, [quiet, max_age, hold]) = settings.announcing();
    let refresh = match refresh {
        settings::Refresh::Auto => Refresh::Auto,
        settings::Refresh::Attention => Refresh::Attention,
        settings::Refresh::Reinsert => Refresh::Reinsert,
        settings::Refresh::Reconnect => Refresh::Reconnect,
    };
    Announcing { refresh, timing: Timing { quiet, max_age, hold } }
}

impl Look for NoSettings {
    const PRESENT: bool = false;

    fn freeze(&self) {}

    fn differs(&self) -> bool {
        false
    }

    fn label(&self) -> Option<LabelText> {
        None
    }

    fn hidden(&self) -> impl Iterator<Item = Hidden> {
        core::iter::empty()
    }
}

impl<'a> Look for &'a Settings<'a> {
    const PRESENT: bool = true;

    fn freeze(&self) {
        Settings::freeze(self);
    }

    fn differs(&self) -> bool {
        Settings::differs(self)
    }

    fn label(&self) -> Option<LabelText> {
        Named::label(*self)
    }

    fn hidden(&self) -> impl Iterator<Item = Hidden> {
        Settings::hidden(self).map(|file| Hidden {
            directory: Lba(file.directory),
            entries: file.entries.0..file.entries.0.saturating_add(file.entries.1),
            first: Lba(file.blocks.0),
            length: BlockCount(file.blocks.1),
        })
    }
}

impl<'a> Look for Option<&'a Settings<'a>> {
    const PRESENT: bool = true;

    fn freeze(&self) {
        self.iter().for_each(Look::freeze);
    }

    fn differs(&self) -> bool {
        self.as_ref().is_some_and(Look::differs)
    }

    fn label(&self) -> Option<LabelText> {
        self.as_ref().and_then(Look::label)
    }

    fn hidden(&self) -> impl Iterator<Item = Hidden> {
        self.iter().flat_map(Look::hidden)
    }
}
