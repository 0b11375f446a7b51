//! What a serial port receives and sends: commands and their answers, and the log. Neither starts in the middle of a line of
//! the other.

use super::{Firmware, Hardware, Stick};
use crate::clock::{Instant, Milliseconds};
use crate::console;
use crate::files::{LogFollower, LogRing};
use crate::settings::Settings;
use crate::usb::Console;
use usb_device::bus::UsbBus;

/// How long after its output the console expects an echo from the terminal.
const ECHO: Milliseconds = Milliseconds(5_000);

/// Number of bytes of the log that are sent at once.
const PIECE: usize = 64;

/// A serial port, whatever carries its bytes. No call waits.
pub trait Port {
    /// Whether a program on the host has the port open, and may be answered.
    fn is_open(&self) -> bool;

    /// Whether a session has ended since the last call: what its host has begun must be dropped.
    fn take_ended(&mut self) -> bool;

    /// Stores a packet from the host, and returns its length, 0 if there is none.
    fn read_packet(&mut self, out: &mut [u8; PIECE]) -> usize;

    /// Sends text to the host. Returns how many bytes of it were taken, 0 while nothing can be sent.
    fn write(&mut self, text: &[u8]) -> usize;
}

impl<B: UsbBus> Port for Console<'_, B> {
    #[inline]
    fn is_open(&self) -> bool {
        Console::is_open(self)
    }

    #[inline]
    fn take_ended(&mut self) -> bool {
        Console::take_ended(self)
    }

    #[inline]
    fn read_packet(&mut self, out: &mut [u8; PIECE]) -> usize {
        Console::read_packet(self, out)
    }

    #[inline]
    fn write(&mut self, text: &[u8]) -> usize {
        Console::write(self, text)
    }
}

/// What is said at a [`Port`]: it shows the log, and takes and answers the settings' lines, with the application's commands. Without
/// settings, [`console::on_input`] says who gets the bytes.
#[derive(Debug, Default)]
pub struct Dialogue {
    /// What the port has shown of the log.
    shown: LogFollower,
    /// Until when it expects an echo of its output.
    echo: Option<Instant>,
}

impl Dialogue {
    /// Nothing was said yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { shown: LogFollower::new(), echo: None }
    }

    /// Reads what the port of a program with the stick `F` has received.
    #[inline]
    pub fn listen<'b, F: Firmware<'b>>(port: &mut impl Port, settings: Option<&Settings<'_>>) {
        let ended = port.take_ended();
        if let Some(settings) = settings {
            if ended {
                settings.disconnect();
            }
            if port.is_open() {
                return settings.listen(|packet| port.read_packet(packet));
            }
        }
        // There are no commands, or their answers could not be seen. The input is read, so that the host does not wait.
        let mut packet = [0; PIECE];
        loop {
            let length = port.read_packet(&mut packet);
            if length == 0 {
                return;
            }
            if settings.is_none() {
                let received = packet.get(..length).unwrap_or_default();
                if let Some(crash) = F::crash() {
                    crash.crash.hear(received);
                }
                console::pass(received);
            }
        }
    }

    /// Passes the time, before lines are carried out: echoes are not expected for ever.
    #[inline]
    pub fn tick(&mut self, settings: Option<&Settings<'_>>, now: Instant) {
        self.echo = self.echo.filter(|until| now < *until);
        if self.echo.is_none()
            && let Some(settings) = settings
        {
            settings.forget_printed();
        }
    }

    /// Sends answers, and what the port has not shown of `log` yet, starting with the oldest text in the ring.
    #[inline]
    pub fn speak(
        &mut self,
        port: &mut impl Port,
        settings: Option<&Settings<'_>>,
        log: Option<&LogRing>,
        now: Instant,
    ) {
        match settings {
            Some(settings) => self.talk(port, settings, log, now),
            None => self.show_log(port, log),
        }
    }

    /// Sends answers and the log. Neither starts in the middle of a line of the other.
    fn talk(&mut self, port: &mut impl Port, settings: &Settings<'_>, log: Option<&LogRing>, now: Instant) {
        let echo = &mut self.echo;
        let mut said = |bytes: &[u8]| {
            if !bytes.is_empty() {
                settings.printed(bytes);
                *echo = Some(now.after(ECHO));
            }
        };
        while port.is_open() {
            let mut piece = [0; PIECE];
            let begun = settings.answer_begun();
            let amid = settings.is_amid_line();
            if begun.is_some_and(|begun| begun || !amid || log.is_none_or(|log| self.shown.is_done(log))) {
                if amid && begun == Some(false) {
                    // Ends a partial line of the log, which continues after the answer.
                    if port.write(b"\r\n") < 2 {
                        break;
                    }
                    said(b"\r\n");
                    settings.set_amid_line(false);
                }
                let length = settings.answer(&mut piece);
                let taken = port.write(piece.get(..length).unwrap_or_default());
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
            // If an answer waits, only to the end of the line.
            let end = text.iter().position(|byte| *byte == b'\n').filter(|_| begun.is_some());
            let text = text.get(..end.map_or(length, |end| end + 1)).unwrap_or_default();
            let taken = port.write(text);
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

    fn show_log(&mut self, port: &mut impl Port, log: Option<&LogRing>) {
        let Some(log) = log else { return };
        while port.is_open() {
            let mut piece = [0; PIECE];
            let length = self.shown.peek(log, &mut piece);
            if length == 0 {
                break;
            }
            let taken = port.write(piece.get(..length).unwrap_or_default());
            self.shown.take(taken);
            if taken < length {
                break;
            }
        }
    }
}

impl<'b, H: Hardware<'b>, F: Firmware<'b>> Stick<'b, H, F> {
    /// Reads what the console has received.
    pub(super) fn listen(&mut self) {
        let settings = self.settings();
        if let Some(console) = self.usb.console_mut() {
            Dialogue::listen::<F>(console, settings);
        }
    }

    /// Sends answers to the console, and what it has not shown of the log yet.
    pub(super) fn speak(&mut self, now: Instant) {
        let settings = self.settings();
        if let Some(console) = self.usb.console_mut() {
            self.dialogue.speak(console, settings, self.built_in.log, now);
        }
    }
}
