//! The stick: everything that the manifest's tables describe, running on a bus.
//!
//! [`Description`] is what `picovd-manifest` generates; [`Stick`] plugs it into a bus and a memory, and follows the
//! application's files. Firmware for the chip takes `rp2350::Stick`, which knows the hardware.

use crate::clock::Instant;
use crate::device::{Announcing, Device};
use crate::files::{BuiltIn, LogRing};
use crate::scsi::UnitIdentity;
use crate::usb::{Composite, Console, Identity, Reset};
use crate::vd::Files;
use crate::volume::layout::Layout;
use crate::volume::{BoardIdentity, Memory, Volume};
use usb_device::bus::{UsbBus, UsbBusAllocator};

/// What the manifest decides, as generated tables.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    /// The volume.
    pub layout: &'a Layout<'a>,
    /// The files of run time.
    pub files: &'a Files<'a>,
    /// Those of them that come with the firmware.
    pub built_in: &'a BuiltIn<'a>,
    /// How hosts hear of changes.
    pub announcing: Announcing,
    /// The USB device.
    pub usb: Identity<'a>,
    /// A serial number in place of the board's.
    pub usb_serial: Option<&'a str>,
    /// The SCSI unit; its serial number is the USB device's.
    pub unit: UnitIdentity<'a>,
}

/// A stick on a bus. Console and reset interface are left out of the program where the last two parameters are false.
pub struct Stick<'b, B: UsbBus, M: Memory, R, const CONSOLE: bool = true, const RESET: bool = true> {
    usb: Composite<'b, B, Device<'b, M>, R, CONSOLE, RESET>,
    files: &'b Files<'b>,
    built_in: &'b BuiltIn<'b>,
    /// Up to where the console shows the log, in bytes since power-on.
    logged: u64,
}

/// Turns of the USB stack in one call, at most: several times what any event takes. A packet that nobody reads asks for
/// another turn for ever.
const TURNS: usize = 8;

/// Bytes of the log that go to the console at once.
const PIECE: usize = 64;

impl<'b, B: UsbBus, M: Memory, R: FnMut(Reset), const CONSOLE: bool, const RESET: bool>
    Stick<'b, B, M, R, CONSOLE, RESET>
{
    /// The stick on the bus of `alloc`, attached. `digits` are those of the board's identity, which stay its serial number
    /// for as long as the stick lives.
    ///
    /// # Panics
    ///
    /// As [`Composite::new`].
    #[inline]
    pub fn new(
        alloc: &'b UsbBusAllocator<B>,
        description: &Description<'b>,
        board: Option<BoardIdentity>,
        digits: &'b [u8; 16],
        memory: M,
        reset: R,
    ) -> Self {
        let Description { layout, files, built_in, announcing, usb, usb_serial, unit } = *description;
        // The digits are ASCII, and the checks of the manifest see to it that there is room for what it asks for.
        let serial = usb_serial.or(core::str::from_utf8(digits).ok()).unwrap_or_default();
        let _ = built_in.register(files);
        let mut volume = Volume::new(layout, board, memory).with_files(files);
        // Files whose changes are not announced are there from the beginning, too.
        volume.begin_unseen_generation(Instant(0));
        let device = Device::new(volume, UnitIdentity { serial, ..unit }, announcing);
        Self { usb: Composite::new(alloc, usb, serial, device, reset), files, built_in, logged: 0 }
    }

    /// Does what there is to do at `now`, which never goes back: after an event of the bus, after a change of the
    /// application's files, and at the moment that it returns, if any.
    pub fn poll(&mut self, now: Instant) -> Option<Instant> {
        let mut more = true;
        for _ in 0..TURNS {
            more = self.usb.poll();
            // Nothing takes commands yet; a host must not wait for it.
            if let Some(console) = self.usb.console() {
                while console.read(&mut [0; PIECE]) != 0 {}
            }
            if !more {
                break;
            }
        }
        if self.usb.device().is_busy() {
            // Its next packet is an event of the bus.
            return more.then_some(now);
        }
        self.show_log();
        self.built_in.follow(self.files);
        let poll = self.usb.device_mut().poll(now);
        if poll.reconnect {
            // A bus that cannot leaves the change to the host's own look.
            let _ = self.usb.reconnect();
        }
        if more { Some(now) } else { poll.again }
    }

    /// Gives the console what it does not show of the log yet, from the oldest text that the ring holds.
    fn show_log(&mut self) {
        let Some((console, log)) = self.usb.console().zip(self.built_in.log) else { return };
        let written = log.written();
        let mut logged = self.logged.max(written.saturating_sub(log.capacity() as u64));
        while console.is_open() && logged < written {
            let mut piece = [0; PIECE];
            let length = (written - logged).min(PIECE as u64) as usize;
            let piece = piece.get_mut(..length).unwrap_or_default();
            log.read(logged, piece);
            let taken = console.write(piece);
            logged += taken as u64;
            if taken < length {
                break;
            }
        }
        self.logged = logged;
    }

    /// Counts what the next [`poll`](Self::poll) follows: changes to be announced, and bytes of the log. They may come from
    /// interrupt handlers and the other core at any moment.
    #[must_use]
    pub fn news(&self) -> (u32, u64) {
        (self.files.announced(), self.built_in.log.map_or(0, LogRing::written))
    }

    /// The files of run time.
    pub fn files(&self) -> &'b Files<'b> {
        self.files
    }

    /// The console, where there is one.
    pub fn console(&mut self) -> Option<&mut Console<'b, B>> {
        self.usb.console()
    }
}
