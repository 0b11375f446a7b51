//! The serial port next to the disk.

use std::time::Duration;

use super::{Context, Story, StoryError, ensure};
use crate::host::bot::{Cbw, Data};
use crate::host::cdc::{CdcAcm, GET_LINE_CODING, LineCoding, SET_CONTROL_LINE_STATE, SET_LINE_CODING};
use crate::host::controller::{Request, TransferError};
use crate::host::enumerate::clear_halt;
use crate::host::scsi::read_cdb;

/// The stories of a device with a console.
pub const STORIES: &[Story] = &[
    Story { name: "console-requests", about: "line coding and control line state (PSTN120 6.3)", run: requests },
    Story {
        name: "console-greeting",
        about: "the port greets when it is opened, and is silent otherwise",
        run: greeting,
    },
    Story { name: "console-input", about: "input is accepted, whether the port is open or closed", run: input },
    Story { name: "console-halts", about: "halts and toggles of the console's endpoints", run: halts },
    Story { name: "console-suspend", about: "text that was pending during a suspend arrives", run: suspend },
    Story { name: "console-and-disk", about: "both at once do not disturb each other", run: while_reading },
];

/// From the opening of the port to the greeting, and some more.
const GREETED: Duration = Duration::from_millis(150);
/// How long the port must be silent before it is considered silent.
const SILENCE: Duration = Duration::from_millis(40);
/// How long a packet waits before the other direction is checked.
const TURN: Duration = Duration::from_millis(2);
/// More packets than the answer to a packet of lines has.
const MOST_ANSWERS: u32 = 1000;
/// Longer than any unsolicited line.
const LONGEST_LINE: usize = 1024;
/// More than a program prints before the port is opened.
const MOST_PRINTED: usize = 16 * 1024;

impl Context<'_> {
    fn console(&self) -> Result<CdcAcm, StoryError> {
        self.initiator.device.console.ok_or_else(|| StoryError("the device has no console".to_owned()))
    }

    fn open_console(&mut self, open: bool) -> Result<(), StoryError> {
        let console = self.console()?;
        Ok(console.set_open(&mut self.initiator.host, open)?)
    }

    /// A line from the console, including its end.
    fn line(&mut self) -> Result<String, StoryError> {
        let endpoint = self.console()?.bulk_in;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            let packet = self.initiator.host.in_packet(endpoint);
            let read = || String::from_utf8_lossy(&line).into_owned();
            line.extend(packet.map_err(|error| StoryError(format!("console, after {:?}: {error}", read())))?);
            ensure!(line.len() <= LONGEST_LINE, "a line of {} bytes and no end", line.len());
        }
        String::from_utf8(line).map_err(|error| StoryError(format!("the console says {error}")))
    }

    /// Checks that nothing comes from this endpoint for a while.
    fn silence(&mut self, endpoint: u8, when: &str) -> Result<(), StoryError> {
        let host = &mut self.initiator.host;
        let usual = std::mem::replace(&mut host.timeout, SILENCE);
        let reply = host.in_packet(endpoint);
        host.timeout = usual;
        ensure!(reply == Err(TransferError::Timeout), "endpoint {endpoint:02x}h {when}: {reply:02x?}");
        Ok(())
    }

    /// Sends text. A console that has to answer takes no more input until its answers are fetched: they are fetched and
    /// dropped.
    fn send(&mut self, text: &[u8]) -> Result<(), StoryError> {
        let console = self.console()?;
        let empty = text.is_empty().then_some(text);
        for packet in text.chunks(64).chain(empty) {
            let mut left = MOST_ANSWERS;
            loop {
                let usual = std::mem::replace(&mut self.initiator.host.timeout, TURN);
                let mut reply = self.initiator.host.out_packet(console.bulk_out, packet);
                let full = reply == Err(TransferError::Timeout);
                if full {
                    let fetched = self.initiator.host.in_packet(console.bulk_in);
                    reply = fetched.map(|_| ()).or_else(|e| if e == TransferError::Timeout { Ok(()) } else { Err(e) });
                }
                self.initiator.host.timeout = usual;
                reply?;
                if !full {
                    break;
                }
                left -= 1;
                ensure!(left > 0, "the console takes nothing, though its answers are fetched");
            }
        }
        Ok(())
    }

    /// Takes whole lines that the program prints by itself, starting with `text`, until it is silent.
    fn printed(&mut self, mut text: Vec<u8>) -> Result<(), StoryError> {
        let endpoint = self.console()?.bulk_in;
        loop {
            let usual = std::mem::replace(&mut self.initiator.host.timeout, SILENCE);
            let packet = self.initiator.host.in_packet(endpoint);
            self.initiator.host.timeout = usual;
            match packet {
                Ok(packet) => text.extend(packet),
                Err(TransferError::Timeout) => break,
                Err(error) => return Err(error.into()),
            }
            ensure!(text.len() <= MOST_PRINTED, "{} bytes after the greeting and no end", text.len());
        }
        ensure!(text.is_empty() || text.ends_with(b"\r\n"), "after the greeting: {:?}", String::from_utf8_lossy(&text));
        Ok(())
    }

    /// The line `PicoVD <version>, board <serial>`, with the serial number of the string descriptor.
    fn greeted(&mut self) -> Result<(), StoryError> {
        let mut line = self.line()?;
        if self.effort.changing {
            // The program's own output may be in the same packet, and continue after it.
            let own = line.split_off(line.find("\r\n").map_or(line.len(), |end| end + 2));
            self.printed(own.into_bytes())?;
        }
        let serial = self.initiator.device.serial_number().unwrap_or_default();
        let end = format!(", board {serial}\r\n");
        let version = line.strip_prefix("PicoVD ").and_then(|rest| rest.strip_suffix(&end));
        let is_version = |text: &str| text.split('.').filter(|part| part.parse::<u32>().is_ok()).count() == 3;
        ensure!(version.is_some_and(is_version), "the greeting is {line:?}");
        Ok(())
    }
}

fn requests(context: &mut Context<'_>) -> Result<(), StoryError> {
    let console = context.console()?;
    let codings = [(9600, 0, 0, 8), (115_200, 0, 0, 8), (1200, 2, 1, 7), (u32::MAX, 1, 4, 5), (0, 0, 0, 16)];
    for (rate, stop, parity, bits) in codings {
        let coding = LineCoding { rate, stop, parity, bits };
        console.set_line_coding(&mut context.initiator.host, coding)?;
        let found = console.line_coding(&mut context.initiator.host)?;
        ensure!(found == Some(coding), "line coding {coding:?} reads back as {found:?}");
    }
    // Invalid values may be changed to others, but must not do more harm.
    console.set_line_coding(&mut context.initiator.host, LineCoding { rate: 1, stop: 255, parity: 255, bits: 255 })?;
    let host = &mut context.initiator.host;
    for open in [true, false, true, true, false, false] {
        console.set_open(host, open)?;
    }
    let state = console.request(0, SET_CONTROL_LINE_STATE, 3, 0);
    let wrong: &[(Request, &[u8])] = &[
        (console.request(0, SET_LINE_CODING, 0, 6), &[0; 6]),
        (console.request(0, SET_LINE_CODING, 0, 0), &[]),
        (console.request(0, 0x77, 0, 0), &[]),
        (console.request(0, 0x77, 0, 64), &[0xFF; 64]),
        (Request { index: u16::from(console.data), ..state }, &[]),
        (Request { index: 0x00FF, ..state }, &[]),
        (Request { index: state.index | 0x100, ..state }, &[]),
    ];
    for (request, data) in wrong {
        let reply = host.control_out(*request, data);
        ensure!(reply == Err(TransferError::Stall), "{request:02x?}: {reply:02x?}, not STALL");
    }
    for (request, length) in [(GET_LINE_CODING, 6), (GET_LINE_CODING, 8), (0x01, 64), (0x77, 7)] {
        let request = console.request(0x80, request, 0, length);
        let reply = host.control_in(request);
        ensure!(reply == Err(TransferError::Stall), "{request:02x?}: {reply:02x?}, not STALL");
    }
    context.works()
}

fn greeting(context: &mut Context<'_>) -> Result<(), StoryError> {
    let console = context.console()?;
    context.silence(console.bulk_in, "before the port is open")?;
    for _ in 0..3 {
        context.open_console(true)?;
        context.silence(console.bulk_in, "while a terminal may not be raw yet")?;
        context.greeted()?;
        context.silence(console.bulk_in, "after the greeting")?;
        context.silence(console.notification, "without a change to announce")?;
        // Setting DTR again changes nothing.
        context.open_console(true)?;
        context.silence(console.bulk_in, "after DTR was set again")?;
        context.open_console(false)?;
        context.silence(console.bulk_in, "with the port closed")?;
        // Text in the endpoint is dropped at the end of the session.
        context.open_console(true)?;
        context.initiator.host.elapse(GREETED);
        context.open_console(false)?;
        context.silence(console.bulk_in, "of a session that has ended")?;
    }
    context.open_console(true)?;
    context.greeted()?;
    // A bus reset closes the port.
    context.reset()?;
    context.silence(console.bulk_in, "after a bus reset")?;
    context.open_console(true)?;
    context.greeted()?;
    context.works()
}

fn input(context: &mut Context<'_>) -> Result<(), StoryError> {
    let count = context.effort.random_wrappers / 10;
    for open in [false, true, false] {
        context.open_console(open)?;
        for _ in 0..count {
            // Packets of any length, including empty ones, and transfers of several packets.
            let length = context.random.below(200) as usize;
            let text: Vec<u8> = (0..length).map(|_| context.random.below(256) as u8).collect();
            context.send(&text).map_err(|StoryError(why)| {
                StoryError(format!("{length} bytes to the console (open: {open}): {why}"))
            })?;
            if context.effort.changing {
                // A host that does not poll the disk would be reconnected.
                let _ = context.initiator.test_unit_ready();
            }
        }
    }
    context.open_console(true)?;
    context.line()?;
    context.works()
}

fn halts(context: &mut Context<'_>) -> Result<(), StoryError> {
    let console = context.console()?;
    for endpoint in [console.bulk_in, console.bulk_out, console.notification] {
        let index = u16::from(endpoint);
        let status = Request { request_type: 0x82, request: 0, value: 0, index, length: 2 };
        let host = &mut context.initiator.host;
        ensure!(host.control_in(status)? == [0, 0], "endpoint {endpoint:02x}h says it is halted");
        host.control_out(Request { request_type: 0x02, request: 3, value: 0, index, length: 0 }, &[])?;
        ensure!(host.control_in(status)? == [1, 0], "endpoint {endpoint:02x}h does not say that it is halted");
        // Text that is due now must wait: a packet would end the halt.
        context.open_console(true)?;
        context.initiator.host.elapse(GREETED);
        let host = &mut context.initiator.host;
        let reply =
            if endpoint & 0x80 == 0 { host.out_packet(endpoint, b"x") } else { host.in_packet(endpoint).map(drop) };
        ensure!(reply == Err(TransferError::Stall), "endpoint {endpoint:02x}h is halted and answers {reply:?}");
        context.works()?;
        clear_halt(&mut context.initiator.host, endpoint)?;
        context.greeted()?;
        context.initiator.host.bulk_out(console.bulk_out, b"some text").map_err(|(_, error)| error)?;
        context.open_console(false)?;
    }
    // SET_CONFIGURATION resets toggles to DATA0 (USB 2.0 9.1.1.5), whatever they are.
    for packets in 1..=2 {
        for _ in 0..packets {
            context.open_console(true)?;
            context.greeted()?;
            context.initiator.host.out_packet(console.bulk_out, b"x")?;
            context.open_console(false)?;
        }
        let value = u16::from(context.initiator.device.configuration.value);
        let host = &mut context.initiator.host;
        host.control_out(Request { request_type: 0, request: 9, value, index: 0, length: 0 }, &[])?;
        host.reset_toggles();
        let before = host.statistics().duplicates;
        context.open_console(true)?;
        context.greeted()?;
        context.initiator.host.out_packet(console.bulk_out, b"x")?;
        let duplicates = context.initiator.host.statistics().duplicates - before;
        ensure!(duplicates == 0, "the console's toggle outlived SET_CONFIGURATION");
        context.open_console(false)?;
    }
    context.works()
}

fn suspend(context: &mut Context<'_>) -> Result<(), StoryError> {
    for pause in [4, 100] {
        // A session that ended before, and one whose greeting is in the endpoint now.
        context.open_console(true)?;
        context.open_console(false)?;
        context.open_console(true)?;
        context.initiator.host.elapse(GREETED);
        context.initiator.host.suspend();
        context.initiator.host.elapse(Duration::from_millis(pause));
        context.initiator.host.resume();
        context.initiator.host.elapse(Duration::from_millis(20));
        context.greeted()?;
        context.open_console(false)?;
    }
    context.works()
}

fn while_reading(context: &mut Context<'_>) -> Result<(), StoryError> {
    const BLOCKS: u32 = 16;
    let console = context.console()?;
    let expected = context.read(10, 0, BLOCKS)?;
    for round in 0..20 {
        let tag = context.initiator.next_tag();
        let wrapper = Cbw::new(tag, 0, &read_cdb(10, 0, BLOCKS), Data::In(BLOCKS * 512));
        context.initiator.send_wrapper(&wrapper.bytes())?;
        let bulk_in = context.initiator.device.bulk_in;
        let mut data = Vec::new();
        while data.len() < expected.len() {
            // The console is used between the packets of one READ, at a different position in each round.
            match data.len() / 64 {
                n if n == round => context.open_console(true)?,
                n if n == round + 20 => context.greeted()?,
                n if n == round + 40 => context.open_console(false)?,
                // No line ends here, because no answer would be fetched.
                n if n % 3 == 0 => context.initiator.host.out_packet(console.bulk_out, b"some text")?,
                _ => {}
            }
            data.extend(context.initiator.host.in_packet(bulk_in)?);
        }
        let status = context.initiator.status(tag)?;
        ensure!(data == expected && status.residue == 0, "round {round}: other data beside a busy console");
    }
    context.works()
}
