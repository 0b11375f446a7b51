//! The console's lines, with which users and programs set settings.
//!
//! A line ends with CR or LF and is answered by exactly one line of JSON; before the answer to `dump` come its lines. Empty lines are not
//! answered. If a line is longer
//! than the buffer, the rest is dropped, and the answer is an error. While an answer waits to be fetched, no input is
//! taken.
//!
//! A terminal that is not in raw mode echoes everything, as Linux does until the program that opens a port has set raw
//! mode. Therefore a line that was just printed is dropped, and so is one that starts like an answer with an error or like
//! the greeting: otherwise both ends would answer each other forever, and text of the log would be executed. After such a
//! line, lines that do not start with a command are dropped as well for the rest of the session: they are remains of
//! others.

use super::console::{Answer, PACKET_LENGTH, Session};
use super::dump;
use super::json::{Object, is_same_name};
use super::printed::{Printed, Sum};
use super::reason::Reason;
use super::section::LINE_LENGTH;
use super::stacks::STACKS;
use super::store::SaveError;
use super::values::{Settings, Style, Which};
use crate::clock::Instant;
use crate::console::{Command, CommandSet};
use crate::text::Writer;
use core::fmt;
use zeroize::{Zeroize, Zeroizing};

const COMMANDS: &str = "get, get FIELD, set {\"FIELD\":VALUE}, save, save claim, revert, defaults, files, dump ADDRESS LENGTH, reboot, bootsel, help";

const DUMP: &str = "dump ADDRESS LENGTH";

/// The first words of commands.
const WORDS: [&[u8]; 10] = [
    b"get",
    b"set",
    b"save",
    b"revert",
    b"defaults",
    b"files",
    b"dump",
    REBOOT.as_bytes(),
    BOOTSEL.as_bytes(),
    b"help",
];

const REBOOT: &str = "reboot";
const BOOTSEL: &str = "bootsel";

/// The start of answers with an error.
const ERROR: &str = "{\"error\":";

/// The start of the greeting that is sent when the port is opened.
const GREETING: &str = "PicoVD ";

/// Why a set is refused.
enum Refused {
    NoObject,
    Unknown,
    Value((u8, u8), Reason),
}

impl Settings<'_> {
    /// Adds the application's commands to those of the console, in place of any that were set before.
    pub fn set_commands(&self, commands: &'static dyn CommandSet) {
        self.console.set_commands(commands);
    }

    /// The application's command of that name.
    fn command(&self, name: &[u8]) -> Option<(&'static dyn CommandSet, &'static Command)> {
        let commands = self.console.commands()?;
        let found = commands.list().iter().find(|command| command.name.as_bytes() == name)?;
        Some((commands, found))
    }

    /// Takes input, as far as `read` fetches it: it returns a packet and its length. Nothing is fetched while a line waits
    /// to be executed, or its answer to be fetched: the sender has to wait.
    pub fn listen(&self, mut read: impl FnMut(&mut [u8; PACKET_LENGTH]) -> usize) {
        STACKS.note();
        loop {
            self.take_input();
            let mut session = self.console.session();
            if session.input.0 < session.input.1 || !self.takes_bytes() {
                return;
            }
            let mut packet = Zeroizing::new([0; PACKET_LENGTH]);
            let length = read(&mut packet).min(PACKET_LENGTH);
            if length == 0 {
                return;
            }
            session.input = (0, length as u8);
            critical_section::with(|section| self.with_buffers(section, |buffers| buffers.input = *packet));
            self.console.set(session);
        }
    }

    fn take_input(&self) {
        while self.takes_bytes() {
            let mut session = self.console.session();
            let (from, to) = session.input;
            let mut byte = None;
            critical_section::with(|section| {
                self.with_buffers(section, |buffers| {
                    let next = buffers.input.get_mut(usize::from(from)).filter(|_| from < to);
                    byte = next.map(core::mem::take);
                });
            });
            let Some(byte) = byte else { return };
            session.input = (from + 1, to);
            self.console.set(session);
            self.take_byte(byte);
        }
    }

    /// Whether the console takes input: not while a line waits to be executed, or its answer to be fetched.
    pub(super) fn takes_bytes(&self) -> bool {
        let session = self.console.session();
        !session.complete && session.answer.is_none()
    }

    /// Whether a complete line waits to be executed.
    #[must_use]
    pub fn is_line_complete(&self) -> bool {
        self.console.session().complete
    }

    /// Whether an answer waits to be fetched; if so, whether part of it was sent.
    #[must_use]
    pub fn answer_begun(&self) -> Option<bool> {
        self.console.session().answer.map(|(_, out)| out != 0)
    }

    /// Whether other output (the log) is in the middle of a line on the console.
    #[must_use]
    pub fn is_amid_line(&self) -> bool {
        self.console.session().amid
    }

    /// Sets that state.
    pub(crate) fn set_amid_line(&self, amid: bool) {
        self.console.set(Session { amid, ..self.console.session() });
    }

    /// These bytes were sent over the console. They may be echoed.
    pub fn printed(&self, bytes: &[u8]) {
        // Piece by piece, so that interrupts do not wait for long.
        self.console.with_printed(|printed| printed.print(bytes));
    }

    /// Echoes of what was printed are no longer expected.
    pub fn forget_printed(&self) {
        self.console.with_printed(Printed::forget);
    }

    /// Ends the session: the line that was started will not be completed, and the answer will not be fetched. A line that
    /// was not executed yet is dropped.
    pub fn disconnect(&self) {
        self.drop_answer();
        self.console.set(Session::NEW);
        self.console.with_printed(|printed| *printed = Printed::NOTHING);
        critical_section::with(|section| {
            self.with_buffers(section, |buffers| {
                buffers.sum = Sum::EMPTY;
                buffers.line.zeroize();
                buffers.input.zeroize();
            });
        });
    }

    /// Adds a byte to the line.
    pub(super) fn take_byte(&self, byte: u8) {
        let mut session = self.console.session();
        match byte {
            b'\r' | b'\n' => {
                session.complete = session.length != 0 || session.longer;
                if !session.complete {
                    critical_section::with(|section| self.with_buffers(section, |buffers| buffers.sum = Sum::EMPTY));
                }
            }
            // Backspace and delete, for users.
            0x08 | 0x7F => {
                let mut left = 0;
                critical_section::with(|section| {
                    self.with_buffers(section, |buffers| {
                        buffers.sum.add(byte);
                        left = without_last(buffers.line.get(..session.length.into()).unwrap_or_default());
                        buffers.line.get_mut(left..).unwrap_or_default().zeroize();
                    });
                });
                session.length = left as u16;
            }
            _ => {
                let mut stored = false;
                critical_section::with(|section| {
                    self.with_buffers(section, |buffers| {
                        buffers.sum.add(byte);
                        if let Some(room) = buffers.line.get_mut(usize::from(session.length)) {
                            *room = byte;
                            stored = true;
                        }
                    });
                });
                session.length += u16::from(stored);
                session.longer |= !stored;
            }
        }
        self.console.set(session);
    }

    /// Executes the complete line at `now`, if there is one: then its answer waits to be fetched. Returns whether there was
    /// one.
    pub fn execute(&self, now: Instant) -> bool {
        let mut session = self.console.session();
        if !session.complete {
            return false;
        }
        let mut line = Zeroizing::new([0; LINE_LENGTH]);
        let mut sum = Sum::EMPTY;
        critical_section::with(|section| {
            self.with_buffers(section, |buffers| {
                sum = core::mem::replace(&mut buffers.sum, Sum::EMPTY);
                *line = buffers.line;
                buffers.line.zeroize();
            });
        });
        let text = line.get(..session.length.into()).unwrap_or_default().trim_ascii();
        let came_back = self.console.with_printed(|printed| printed.came_back(sum)) == Some(true)
            || [ERROR, GREETING].iter().any(|sent| text.starts_with(sent.as_bytes()))
            || dump::is_line(text);
        session.echoes |= came_back;
        let word = text.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let answer = match text {
            _ if came_back => None,
            _ if session.echoes && !WORDS.contains(&word) && self.command(word).is_none() => None,
            _ if session.longer => Some(Answer::wrong("the line is too long", "at most 512 bytes")),
            b"" => None,
            _ => Some(self.obey(text, now)),
        };
        let answer = answer.map(|answer| (answer, 0));
        session = Session { length: 0, longer: false, complete: false, answer, ..session };
        self.console.set(session);
        true
    }

    /// Renders the next bytes of the answer into `out`. Returns their number, 0 without an answer.
    pub fn answer(&self, out: &mut [u8]) -> usize {
        let Some((answer, begin)) = self.console.session().answer else { return 0 };
        if let Answer::Dump(address, length) = answer {
            return self.write_dump((address, length), begin, out, |out| self.write_answer(&answer, out));
        }
        let mut writer = Writer::new(begin as usize, out);
        // The reader fetches what does not fit with its next read.
        let _ = self.write_answer(&answer, &mut writer);
        writer.filled()
    }

    /// Notes that this many bytes of the answer were sent.
    pub fn answered(&self, bytes: usize) {
        let mut session = self.console.session();
        if let Some((_, begin)) = &mut session.answer {
            *begin = begin.saturating_add(bytes as u32);
        }
        self.console.set(session);
        if self.answer(&mut [0]) == 0 {
            self.drop_answer();
        }
    }

    /// Drops the answer: it will not be fetched any more.
    pub(super) fn drop_answer(&self) {
        let mut session = self.console.session();
        if let Some((answer, _)) = session.answer.take() {
            self.console.set(session);
            match answer {
                Answer::Done(REBOOT, _) => self.want_restart(),
                Answer::Done(BOOTSEL, _) => {
                    if let Some(restart) = self.reach().and_then(|reach| reach.bootsel) {
                        restart();
                    }
                }
                _ => {}
            }
            critical_section::with(|section| self.with_buffers(section, |buffers| buffers.answered.clear()));
        }
    }

    fn obey(&self, text: &[u8], now: Instant) -> Answer {
        let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
        let (command, rest) = text.split_at_checked(end).unwrap_or_default();
        let rest = rest.trim_ascii();
        if self.is_locked() && matches!(command, b"set" | b"save" | b"revert" | b"defaults" | b"dump") {
            return Answer::wrong("the settings are locked", "get, files, reboot, bootsel, help");
        }
        match (command, rest) {
            (b"get", b"") => {
                self.keep_for_answer();
                Answer::Values
            }
            (b"get", name) => match self.find(|field| field.as_bytes() == name) {
                Some((group, field)) => {
                    self.keep_for_answer();
                    Answer::Value(group as u8, field as u8)
                }
                None => UNKNOWN,
            },
            (b"set", object) => match self.edit(|payload| self.set_members(payload, object)) {
                Ok(()) => self.done("set"),
                Err(Refused::NoObject) => Answer::wrong("not a JSON object", "set {\"FIELD\":VALUE}"),
                Err(Refused::Unknown) => UNKNOWN,
                Err(Refused::Value(field, reason)) => {
                    let right = if let Reason::Rule(_) | Reason::NoRoom = reason { "" } else { FIELD };
                    Answer::Wrong { why: reason.words(), field: Some(field), right }
                }
            },
            (b"save", b"" | b"claim") => match self.save(!rest.is_empty(), now) {
                Ok(()) => self.done("save"),
                Err(error @ SaveError::TooOften) => Answer::wrong(error.words(), "again in a minute"),
                Err(error @ SaveError::Occupied(_)) => Answer::wrong(error.words(), "save claim"),
                Err(error) => Answer::wrong(error.words(), ""),
            },
            (b"revert", b"") => {
                self.load();
                self.done("revert")
            }
            (b"defaults", b"") => {
                self.forget();
                self.done("defaults")
            }
            (b"files", b"") => {
                self.keep_for_answer();
                Answer::Files
            }
            (b"dump", range) => match dump::range(range) {
                Some((address, length)) if self.shows(address, length) => Answer::Dump(address, length),
                Some(_) => Answer::wrong("no file shows all of that memory", DUMP),
                None => Answer::wrong("not an address and a length", DUMP),
            },
            (b"reboot", b"") => self.done(REBOOT),
            // It opens what the interface for picotool opens, whether the settings are locked or not.
            (b"bootsel", b"") if self.reach().is_some_and(|reach| reach.bootsel.is_some()) => self.done(BOOTSEL),
            (b"bootsel", b"") => Answer::wrong("the manifest has no picotool-reset", ""),
            (b"help", b"") => Answer::Help,
            _ => self.obey_application(command, rest),
        }
    }

    fn obey_application(&self, name: &[u8], arguments: &[u8]) -> Answer {
        let Some((commands, command)) = self.command(name) else { return Answer::wrong("no such command", COMMANDS) };
        let Ok(arguments) = str::from_utf8(arguments) else { return Answer::wrong("not UTF-8", command.usage) };
        match commands.run(command, arguments) {
            Ok(()) => Answer::Application(command.name),
            Err(why) => Answer::wrong(why, command.usage),
        }
    }

    fn done(&self, what: &'static str) -> Answer {
        Answer::Done(what, !self.is_unsaved())
    }

    /// Sets every member of a JSON object, or none.
    fn set_members(&self, payload: &mut super::payload::Payload, object: &[u8]) -> Result<(), Refused> {
        // Each group's rule is checked after all of its fields are set.
        let mut changed = [0_u32; super::values::MAX_GROUPS + 1];
        let mut members = Object::new(object);
        let mut out = Zeroizing::new([0; super::codec::MAX_LENGTH]);
        while let Some((name, value)) = members.next().map_err(|_| Refused::NoObject)? {
            let found = self.find(|field| is_same_name(name, field));
            let (number, index) = found.ok_or(Refused::Unknown)?;
            let refused = |reason| Refused::Value((number as u8, index as u8), reason);
            let Some(group) = self.section(number) else { continue };
            if let Some(field) = group.fields().get(index) {
                field.check(value).map_err(refused)?;
            }
            let length = group.set(payload.get(group.id()), index, value, &mut *out).map_err(refused)?;
            self.put(payload, group.id(), out.get(..length).unwrap_or_default()).map_err(refused)?;
            if let Some(changed) = changed.get_mut(number) {
                *changed |= 1_u32.checked_shl(index as u32).unwrap_or(0);
            }
        }
        for (number, changed) in changed.into_iter().enumerate().filter(|(_, changed)| *changed != 0) {
            let check = self.section(number).map(|group| group.check(payload.get(group.id()), changed));
            check.unwrap_or(Ok(())).map_err(|(index, reason)| Refused::Value((number as u8, index as u8), reason))?;
        }
        Ok(())
    }

    /// Keeps the values for the answer: they may change before it is fetched.
    fn keep_for_answer(&self) {
        let payload = self.of(Which::Now);
        critical_section::with(|section| self.with_buffers(section, |buffers| buffers.answered.copy(&payload)));
    }

    fn write_answer(&self, answer: &Answer, out: &mut Writer<'_>) -> fmt::Result {
        match answer {
            Answer::Values => self.write_values(Which::Answered, Style::Line, out)?,
            Answer::Value(group, index) => {
                let (group, index) = (usize::from(*group), usize::from(*index));
                let payload = self.of(Which::Answered);
                out.text("{")?;
                if let Some(group) = self.section(group)
                    && let Some(field) = group.fields().get(index)
                {
                    self.write_member(&payload, group, index, field, out)?;
                }
                out.text("}")?;
            }
            Answer::Files => self.write_files(out)?,
            Answer::Help => {
                out.template("{\"help\":$c", &mut |_, out| out.quoted(COMMANDS))?;
                let commands = self.console.commands().map_or(&[][..], CommandSet::list);
                for (index, command) in commands.iter().enumerate() {
                    out.text(if index == 0 { ",\"application\":[" } else { "," })?;
                    out.quoted(command.usage)?;
                }
                out.text(if commands.is_empty() { "}" } else { "]}" })?;
            }
            Answer::Application(name) => {
                out.text("{")?;
                out.quoted(name)?;
                out.text(":")?;
                if let Some(commands) = self.console.commands() {
                    commands.answer(&mut |text| out.quoted(text))?;
                }
                out.text("}")?;
            }
            Answer::Dump(..) => out.text("{\"ok\":\"dump\"}")?,
            Answer::Done(what, saved) => out.template(r#"{"ok":$o,"saved":$s}"#, &mut |letter, out| match letter {
                b'o' => out.quoted(what),
                _ => out.text(if *saved { "true" } else { "false" }),
            })?,
            Answer::Wrong { why, field, right } => {
                out.text(ERROR)?;
                out.quoted(why)?;
                if let Some((group, index)) = field {
                    let group = self.section((*group).into());
                    if let Some(field) = group.and_then(|group| group.fields().get(usize::from(*index))) {
                        out.template(",\"field\":$n", &mut |_, out| out.quoted(field.name))?;
                        if *right == FIELD {
                            out.template(",\"allowed\":\"$w\"", &mut |_, out| field.allowed(out))?;
                        }
                    }
                } else if !right.is_empty() {
                    out.template(",\"allowed\":$w", &mut |_, out| out.quoted(right))?;
                }
                out.text("}")?;
            }
        }
        out.text("\r\n")
    }

    fn write_files(&self, out: &mut Writer<'_>) -> fmt::Result {
        let exposed = self.exposed_in(Which::Answered);
        out.text("{\"files\":{")?;
        for (number, file) in self.plan().exposable.iter().enumerate() {
            if number != 0 {
                out.text(",")?;
            }
            out.quoted(file.path)?;
            out.text(if exposed >> number & 1 != 0 { ":true" } else { ":false" })?;
        }
        out.text("}}")
    }
}

/// Length of a line without its last character: without all bytes of it if it is valid UTF-8 (RFC 3629 section 3), else
/// without the last byte.
fn without_last(line: &[u8]) -> usize {
    let continuations = line.iter().rev().take(3).take_while(|byte| **byte & 0xC0 == 0x80).count();
    let begin = line.len().saturating_sub(continuations + 1);
    // The number of leading ones is the number of the character's bytes.
    let whole = line.get(begin).is_some_and(|byte| byte.leading_ones() as usize == continuations + 1);
    if continuations != 0 && whole { begin } else { line.len().saturating_sub(1) }
}

/// Replaced by what the field itself allows.
const FIELD: &str = "field";

const UNKNOWN: Answer = Answer::wrong("no such setting", "what `get` lists");
