//! What goes through the console: commands and their answers, and the log. Neither begins within a line of the other.

use super::{Firmware, Hardware, Stick};
use crate::clock::{Instant, Milliseconds};
use crate::settings::Settings;

/// How long what the console has said may come back from a terminal.
const ECHO: Milliseconds = Milliseconds(5_000);

/// Bytes of the log that go to the console at once.
const PIECE: usize = 64;

impl<'b, H: Hardware<'b>, F: Firmware<'b>> Stick<'b, H, F> {
    /// Takes what comes from the console.
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
        // Nothing takes commands, or nobody would see their answers; a host must not wait for it.
        while console.read(&mut [0; PIECE]) != 0 {}
    }

    /// Gives the console answers, and what it does not show of the log yet. Neither begins within a line of the other.
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

    /// Gives the console what it does not show of the log yet, from the oldest text that the ring holds.
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
