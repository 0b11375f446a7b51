//! `serve`: offers the simulated device to other programs, to virtual machines by usbredir and to Linux by USB/IP.
//!
//! One thread owns the device: it takes bytes from sockets, runs transfers, and answers. One more thread per connection
//! only reads. Only one connection at a time has the device; for each it is plugged in again, so a bus-powered board starts
//! from reset. Real time passes for the device as long as its simulation keeps up.
//!
//! The resources that the other ends can use are limited: connections, bytes that wait to be handled, transfers that wait
//! for the device, and the time for which a connection may be silent. The one that has the device may be silent until
//! another one requests it.

pub mod bus;
pub mod descriptor;
pub mod front;
pub mod mirror;
mod options;
mod pace;
mod socket;
#[cfg(test)]
mod tests;
pub mod usbip;
pub mod usbredir;
pub mod watch;

pub use options::{ListenAddress, Options};

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use crate::link::Link;
use bus::Bus;
use front::{Front, Verdict};
use pace::Pace;
use socket::{Listener, Socket};
use watch::Watch;

/// Maximum sleep of the loop while nothing happens: the device's clock advances in such steps.
const NAP: Duration = Duration::from_millis(1);
/// Device time within which a powered board has to pull up its data line.
const ATTACH_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum number of connections at a time; more are closed.
const CONNECTIONS: usize = 8;
/// How long a connection may take to request the device.
const HELLO: Duration = Duration::from_secs(10);
/// How long the one that has the device may be silent when another one requests it.
const SILENCE: Duration = Duration::from_secs(600);
/// Maximum number of received pieces that wait to be handled; after that, the senders have to wait.
const PIECES: usize = 16;
/// Maximum length of such a piece in bytes.
const PIECE: usize = 64 * 1024;
/// Maximum number of transfers of a connection that wait for the device, and of the bytes that these send.
const TRANSFERS: (usize, usize) = (1024, 64 << 20);

/// What a reading thread reports.
enum Event {
    Bytes(u64, Vec<u8>),
    End(u64),
}

struct Connection {
    socket: Box<dyn Socket>,
    front: Box<dyn Front>,
    out: Vec<u8>,
    /// When something was last received, or the connection was made.
    heard: Instant,
}

/// Which protocol a listener speaks.
#[derive(Clone, Copy)]
enum Protocol {
    Usbredir,
    Usbip,
}

/// Offers the device until `stop` is set. Logs what hosts do with it to `log`, one line for each command.
///
/// # Errors
///
/// A message: an address that cannot be listened on, a device that does not come up, a log that cannot be written. A
/// connection that misbehaves is only closed.
pub fn run(link: Box<dyn Link>, options: &Options, stop: &AtomicBool, log: &mut dyn Write) -> Result<(), String> {
    let mut bus = Bus::new(link);
    come_up(&mut bus)?;
    let mut listeners = Vec::new();
    if let Some(address) = &options.usbredir {
        listeners.push((Listener::bind(address)?, Protocol::Usbredir));
    }
    if let Some(address) = &options.usbip {
        listeners.push((Listener::bind(address)?, Protocol::Usbip));
    }
    let record = match &options.record {
        None => None,
        Some(path) => Some(std::fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?),
    };
    write!(log, "{}", options.how_to_attach()).and_then(|()| log.flush()).map_err(|error| error.to_string())?;
    let (sender, events) = sync_channel(PIECES);
    let mut server = Server {
        pace: Pace::new(&bus),
        bus,
        listeners,
        connections: BTreeMap::new(),
        owner: None,
        plugged_before: false,
        present: true,
        watch: Watch::default(),
        last: 0,
        sender,
        log,
        record,
        quiet: options.quiet,
    };
    while !stop.load(Ordering::Relaxed) {
        server.turn(&events)?;
    }
    server.say("stopped")
}

/// Waits for the device to attach, and reads its descriptors.
pub(crate) fn come_up(bus: &mut Bus) -> Result<(), String> {
    let start = bus.now();
    while !bus.attached() {
        if bus.now().saturating_sub(start) > ATTACH_TIMEOUT {
            return Err(format!("the device did not attach within {} s", ATTACH_TIMEOUT.as_secs()));
        }
        bus.elapse(Duration::from_millis(1));
    }
    // USB 2.0 7.1.7.3: 100 ms of debouncing before the first reset.
    bus.elapse(Duration::from_millis(100));
    bus.enumerate()
}

struct Server<'a> {
    bus: Bus,
    pace: Pace,
    listeners: Vec<(Listener, Protocol)>,
    connections: BTreeMap<u64, Connection>,
    /// The connection that has the device.
    owner: Option<u64>,
    plugged_before: bool,
    /// Whether the device was on the bus at the last check.
    present: bool,
    watch: Watch,
    last: u64,
    sender: SyncSender<Event>,
    log: &'a mut dyn Write,
    record: Option<std::fs::File>,
    quiet: bool,
}

impl Server<'_> {
    /// One round: new connections, messages, transfers, time.
    fn turn(&mut self, events: &Receiver<Event>) -> Result<(), String> {
        self.accept()?;
        let moved = self.bus.run();
        self.deliver()?;
        let mut event = if moved { events.try_recv().ok() } else { events.recv_timeout(NAP).ok() };
        while let Some(next) = event {
            match next {
                Event::Bytes(number, bytes) => self.receive(number, &bytes)?,
                Event::End(number) => self.close(number, "closed")?,
            }
            event = events.try_recv().ok();
        }
        self.hurry()?;
        self.look()?;
        self.flush()?;
        self.pace.keep(&mut self.bus);
        for fault in self.bus.take_faults() {
            self.note(&format!("fault\t{fault}"))?;
            self.say(&format!("fault: {fault}"))?;
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<(), String> {
        for index in 0..self.listeners.len() {
            let Some((listener, protocol)) = self.listeners.get(index) else { continue };
            let Some(socket) = listener.accept()? else { continue };
            if self.connections.len() >= CONNECTIONS {
                socket.close();
                self.say("connection refused: there are too many")?;
                continue;
            }
            let front: Box<dyn Front> = match protocol {
                Protocol::Usbredir => Box::new(usbredir::Usbredir::default()),
                Protocol::Usbip => Box::new(usbip::Usbip::default()),
            };
            self.last += 1;
            let number = self.last;
            let mut reader = socket.twin().map_err(|error| error.to_string())?;
            let sender = self.sender.clone();
            std::thread::spawn(move || {
                let mut buffer = vec![0; PIECE];
                loop {
                    // An error ends the connection, like its end. If the channel is closed, the server is gone.
                    let event = match std::io::Read::read(&mut reader, &mut buffer) {
                        Ok(0) | Err(_) => Event::End(number),
                        Ok(length) => Event::Bytes(number, buffer.iter().take(length).copied().collect()),
                    };
                    let end = matches!(event, Event::End(_));
                    if sender.send(event).is_err() || end {
                        return;
                    }
                }
            });
            let mut connection = Connection { socket, front, out: Vec::new(), heard: Instant::now() };
            connection.front.greet(&mut connection.out);
            self.connections.insert(number, connection);
        }
        Ok(())
    }

    fn receive(&mut self, number: u64, bytes: &[u8]) -> Result<(), String> {
        let mut bytes = bytes;
        loop {
            let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
            connection.heard = Instant::now();
            let verdict = connection.front.receive(bytes, &mut self.bus, &mut connection.out);
            bytes = &[];
            let (transfers, waiting) = self.bus.queued();
            if transfers > TRANSFERS.0 || waiting > TRANSFERS.1 {
                return self.close(number, "too many transfers at once");
            }
            match verdict {
                Ok(Verdict::Stay) => return Ok(()),
                Ok(Verdict::More) => {}
                Ok(Verdict::Say(text)) => {
                    self.note(&text)?;
                    self.say(&text)?;
                }
                Ok(Verdict::Claim) => self.claim(number)?,
                Ok(Verdict::Close) => {
                    self.flush()?;
                    return self.close(number, "answered");
                }
                Err(reason) => return self.close(number, &reason),
            }
        }
    }

    /// Closes connections that have not requested the device in time.
    fn hurry(&mut self) -> Result<(), String> {
        let late = |(number, connection): (&u64, &Connection)| {
            (Some(*number) != self.owner && connection.heard.elapsed() > HELLO).then_some(*number)
        };
        let late: Vec<u64> = self.connections.iter().filter_map(late).collect();
        late.into_iter().try_for_each(|number| self.close(number, "it has not requested the device"))
    }

    /// Plugs the device into a connection.
    fn claim(&mut self, number: u64) -> Result<(), String> {
        let silent = |owner| self.connections.get(&owner).is_some_and(|owner| owner.heard.elapsed() > SILENCE);
        if let Some(owner) = self.owner.filter(|owner| silent(*owner)) {
            self.close(owner, "it was silent, and another connection requests the device")?;
        }
        let ready = if self.owner.is_some() {
            Err("another connection has the device".to_owned())
        } else {
            if self.plugged_before {
                self.bus.replug();
            }
            let up = come_up(&mut self.bus);
            self.watch = Watch::new(self.bus.configuration());
            up
        };
        let Some(connection) = self.connections.get_mut(&number) else { return Ok(()) };
        if let Err(reason) = ready {
            connection.front.refuse(&mut connection.out);
            self.flush()?;
            return self.close(number, &reason);
        }
        connection.front.plug(&self.bus, &mut connection.out);
        self.owner = Some(number);
        self.plugged_before = true;
        self.present = true;
        self.note("plugged in")?;
        self.say("plugged in")
    }

    /// Passes ended transfers to their owner.
    fn deliver(&mut self) -> Result<(), String> {
        for completion in self.bus.take_ended() {
            if let Some(command) = self.watch.see(&completion, self.bus.now()) {
                let (lba, count) = command.blocks.unzip();
                let cell = |value: Option<u64>| value.map_or(String::from("-"), |value| value.to_string());
                let (lba, count) = (cell(lba), cell(count.map(u64::from)));
                let sense =
                    command.sense.map_or(String::new(), |[key, asc, ascq]| format!(" {key:02X}/{asc:02X}/{ascq:02X}"));
                let (name, bytes, status) = (&command.name, command.bytes, command.status);
                self.note(&format!("{name}{sense}\t{lba}\t{count}\t{bytes}\t{status}"))?;
                if !self.quiet {
                    writeln!(self.log, "{command}").map_err(|error| error.to_string())?;
                }
            }
            if let Some(connection) = self.owner.and_then(|owner| self.connections.get_mut(&owner)) {
                connection.front.complete(&completion, &mut self.bus, &mut connection.out);
            }
        }
        Ok(())
    }

    /// Checks whether the device has left the bus, or come back.
    fn look(&mut self) -> Result<(), String> {
        let present = self.bus.attached();
        if present == self.present {
            return Ok(());
        }
        self.present = present;
        let Some(owner) = self.owner else { return Ok(()) };
        let Some(connection) = self.connections.get_mut(&owner) else { return Ok(()) };
        if present {
            let up = come_up(&mut self.bus);
            if up.is_ok() {
                // If the other end still has to acknowledge the disconnect, it is asked again in the next round.
                self.present = connection.front.plug(&self.bus, &mut connection.out);
            }
            match up {
                Ok(()) if self.present => self.say("the device is back"),
                Ok(()) => Ok(()),
                Err(reason) => self.close(owner, &reason),
            }
        } else {
            let stays = connection.front.unplug(&mut connection.out);
            self.bus.abandon();
            self.say("the device has left the bus")?;
            if stays { Ok(()) } else { self.close(owner, "the protocol cannot reattach the device: attach it again") }
        }
    }

    /// Writes what is queued. A connection that accepts nothing for seconds is closed.
    fn flush(&mut self) -> Result<(), String> {
        let mut broken = Vec::new();
        for (&number, connection) in &mut self.connections {
            if !connection.out.is_empty() {
                let out = std::mem::take(&mut connection.out);
                if let Err(error) = connection.socket.write_all(&out) {
                    broken.push((number, error.to_string()));
                }
            }
        }
        for (number, reason) in broken {
            self.close(number, &reason)?;
        }
        self.log.flush().map_err(|error| error.to_string())
    }

    fn close(&mut self, number: u64, reason: &str) -> Result<(), String> {
        let Some(connection) = self.connections.remove(&number) else { return Ok(()) };
        connection.socket.close();
        if self.owner == Some(number) {
            self.owner = None;
            self.bus.abandon();
            self.note("unplugged")?;
        } else if reason == "answered" || reason == "closed" {
            return Ok(());
        }
        self.say(&format!("unplugged: {reason}"))
    }

    fn say(&mut self, text: &str) -> Result<(), String> {
        let at = self.bus.now().as_secs_f64();
        writeln!(self.log, "{at:10.3} s  {text}").and_then(|()| self.log.flush()).map_err(|error| error.to_string())
    }

    fn note(&mut self, line: &str) -> Result<(), String> {
        let Some(record) = &mut self.record else { return Ok(()) };
        writeln!(record, "{line}").map_err(|error| format!("the record: {error}"))
    }
}
