//! What the console receives and sends: commands and their answers, and the log. Neither starts in the middle of a line of
//! the other.

use super::{Firmware, Hardware, Stick};
use crate::clock::{Instant, Milliseconds};
use crate::console;
use crate::settings::Settings;

/// How long after its output the console expects an echo from the terminal.
const ECHO: Milliseconds = Milliseconds(5_000);

/// Number of bytes of the log that are sent at once.
const PIECE: usize = 64;

impl<'b, H: Hardware<'b>, F: Firmware<'b>> Stick<'b, H, F> {
    /// Reads what the console has received.
    pub(super) fn listen(&mut self) {
        let settings = self.settings();
        let Some(console) = self.usb.console_mut() else { return };
        let ended = console.take_ended();
        if let Some(settings) = settings {
            if ended {
                settings.disconnect();
            }
            if console.is_open() {
                return settings.listen(|packet| console.read_packet(packet));
            }
        }
        // There are no commands, or their answers could not be seen. The input is read, so that the host does not wait.
        let mut packet = [0; PIECE];
        loop {
            let length = console.read(&mut packet);
            if length == 0 {
                return;
            }
            if settings.is_none() {
                console::pass(packet.get(..length).unwrap_or_default());
            }
        }
    }

    /// Sends answers to the console, and what it has not shown of the log yet. Neither starts in the middle of a line of
    /// the other.
    pub(super) fn talk(&mut self, settings: &Settings<'_>, now: Instant) {
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
                    // Ends a partial line of the log, which continues after the answer.
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
            // If an answer waits, only to the end of the line.
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

    /// Sends what the console has not shown of the log yet, starting with the oldest text in the ring.
    pub(super) fn show_log(&mut self) {
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
}
