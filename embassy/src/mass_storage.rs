//! The class: an interface with two bulk endpoints, and the task that serves them.

use crate::contents::Contents;
use crate::control::{Control, State};
use crate::signal::{Event, Signal};
use core::future::{Future, pending, poll_fn};
use core::pin::pin;
use core::task::Poll;
use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant as Time, Timer};
use embassy_usb::Builder;
use embassy_usb::driver::{Driver, Endpoint, EndpointError, EndpointIn, EndpointOut};
use picovd::bot::{PACKET_LENGTH, PaddingTransport};
use picovd::clock::Instant;
use picovd::dynamic::Files;
use picovd::stick::{Description, Firmware, Found};
use picovd::usb::bulk_only::PROTOCOL_BULK_ONLY;
use picovd::volume::{DynamicFiles, Memory};

/// bInterfaceClass: mass storage.
const CLASS_MASS_STORAGE: u8 = 0x08;
/// bInterfaceSubClass: SCSI transparent command set (USB Mass Storage Class Overview, 2).
const SUBCLASS_SCSI: u8 = 0x06;

/// Number of packets that are rendered at a time: they share the work of locating the data.
const PACKETS: usize = 4;

/// How long the device is away from the bus when a change requires that: hosts notice a disconnect after 2.5 us (USB 2.0
/// 7.1.7.3), hubs debounce for 100 ms.
const AWAY: Duration = Duration::from_millis(150);

/// The disk as a class of embassy-usb, on driver `D`, with the tables' `Manifest` as `F`.
pub struct MassStorage<'d, D: Driver<'d>, F: Firmware<'static>, M: Memory> {
    bulk_in: D::EndpointIn,
    bulk_out: D::EndpointOut,
    signal: &'d Signal,
    machine: PaddingTransport,
    contents: Contents<F, M>,
    pull_up: Option<fn(bool)>,
}

/// What the class needs to know of the board, and what it does in place of a driver that does not do it.
#[derive(Clone, Copy, Debug)]
pub struct Board<M> {
    /// What was found out about it ([`picovd::stick::boot`]).
    pub found: Found<'static>,
    /// The serial number, the same as in the `Config` of embassy-usb.
    pub serial: &'static str,
    /// The memory that files show.
    pub memory: M,
    /// Restarts the program, if a setting requires it.
    pub restart: fn(),
    /// Connects the bus's pull-up resistor (true) or disconnects it. Without that, hosts that do not poll do not notice changes.
    pub pull_up: Option<fn(bool)>,
    /// Drops what two bulk endpoints hold, and resets their data toggles to DATA0. The arguments are the endpoints' numbers, IN
    /// and OUT. Called for a Bulk-Only Mass Storage Reset: embassy-usb neither tells a class of the CLEAR_FEATURE requests that
    /// follow (BOT 5.3.4), nor lets it drop packets.
    pub restart_endpoints: Option<fn(u8, u8)>,
}

impl<'d, D: Driver<'d>, F: Firmware<'static>, M: Memory> MassStorage<'d, D, F, M> {
    /// Adds the class to a builder, for any board.
    ///
    /// Files that are registered before the host mounts the disk are present from the start.
    ///
    /// # Panics
    ///
    /// As in embassy-usb, if the driver or the builder has no room left: a mistake in the firmware that shows at its first
    /// boot.
    pub fn on_board(
        builder: &mut Builder<'d, D>,
        state: &'d mut State<'d>,
        description: &Description<'static, F::Settings>,
        board: Board<M>,
    ) -> Self {
        let Board { found, serial, memory, restart, pull_up, restart_endpoints } = board;
        let State { signal, control } = state;
        let signal: &'d Signal = signal;
        let mut function = builder.function(CLASS_MASS_STORAGE, SUBCLASS_SCSI, PROTOCOL_BULK_ONLY);
        let mut interface = function.interface();
        let number = interface.interface_number();
        let mut setting = interface.alt_setting(CLASS_MASS_STORAGE, SUBCLASS_SCSI, PROTOCOL_BULK_ONLY, None);
        let bulk_in = setting.endpoint_bulk_in(None, PACKET_LENGTH as u16);
        let bulk_out = setting.endpoint_bulk_out(None, PACKET_LENGTH as u16);
        drop(function);
        let endpoints = (bulk_in.info().addr.index() as u8, bulk_out.info().addr.index() as u8);
        builder.handler(control.insert(Control { signal, interface: number, endpoints, restart_endpoints }));
        let contents = Contents::new(description, found, serial, memory, restart);
        Self { bulk_in, bulk_out, signal, machine: PaddingTransport::padding(), contents, pull_up }
    }

    /// Serves the host, forever. In a task of its own, or joined with others; it never blocks, except for saving settings. The
    /// task of the `UsbDevice` must not have a lower priority.
    pub async fn run(&mut self) -> ! {
        loop {
            while !self.signal.is_configured() {
                self.happened().await;
            }
            self.serve().await;
        }
    }

    /// Waits until something has happened on the bus, and handles it.
    async fn happened(&mut self) {
        poll_fn(|context| self.signal.poll(context)).await;
        self.handle();
    }

    fn handle(&mut self) {
        match self.signal.take() {
            Some(Event::BusReset) => self.machine.bus_reset(&mut self.contents.device),
            Some(Event::Restart) => self.machine.bulk_only_reset(&mut self.contents.device),
            None => {}
        }
    }

    /// Moves packets until the end of the configuration.
    async fn serve(&mut self) {
        let mut buffer = [0; PACKETS * PACKET_LENGTH];
        while self.signal.is_configured() {
            let step = if let Some(length) = self.machine.transmit(&mut buffer, &mut self.contents.device) {
                self.send(buffer.get(..length).unwrap_or(&buffer)).await
            } else {
                self.receive(&mut buffer).await
            };
            match step {
                Ok(()) => {}
                Err(Stopped::Bus) => self.handle(),
                // The endpoint is disabled: the reason follows.
                Err(Stopped::Endpoint) => self.happened().await,
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let Self { bulk_in, signal, contents, pull_up, .. } = self;
        for packet in bytes.chunks(PACKET_LENGTH) {
            until_done(bulk_in.write(packet), signal, contents, *pull_up).await?;
        }
        Ok(())
    }

    async fn receive(&mut self, buffer: &mut [u8]) -> Result<(), Stopped> {
        let Self { bulk_out, signal, contents, pull_up, machine, .. } = self;
        if !machine.wants_packet() {
            // After an invalid CBW that came while nothing could be received; cannot happen, and is no reason to spin.
            return Err(Stopped::Endpoint);
        }
        let Some(packet) = buffer.get_mut(..PACKET_LENGTH) else { return Err(Stopped::Endpoint) };
        let length = until_done(bulk_out.read(packet), signal, contents, *pull_up).await?;
        machine.receive(packet.get(..length).unwrap_or(packet), &mut contents.device);
        Ok(())
    }
}

#[cfg(all(target_os = "none", target_arch = "arm"))]
impl<'d, D: Driver<'d>, F: Firmware<'static>> MassStorage<'d, D, F, picovd::rp2350::AddressSpace> {
    /// Adds the class to a builder, once: finds out about the board, starts the log and the settings, and registers the files
    /// that the manifest asks for. [`serial_number`](crate::serial_number) is for the builder's `Config`.
    ///
    /// Files that are registered before the host mounts the disk are present from the start.
    ///
    /// # Panics
    ///
    /// If it is called a second time; and as in embassy-usb, if the driver or the builder has no room left: mistakes in the
    /// firmware that show at its first boot.
    pub fn new(
        builder: &mut Builder<'d, D>,
        state: &'d mut State<'d>,
        description: &Description<'static, F::Settings>,
    ) -> Self {
        use picovd::rp2350::{AddressSpace, Chip};

        let Some(found) = Chip.boot::<F>(description) else { panic!("there is one disk") };
        let board = Board {
            found,
            serial: Chip.serial_number(description),
            memory: AddressSpace,
            restart: || Chip.restart_soon(),
            pull_up: Some(|on| Chip.pull_up(on)),
            restart_endpoints: Some(|bulk_in, bulk_out| Chip.restart_endpoints(bulk_in, bulk_out)),
        };
        Self::on_board(builder, state, description, board)
    }
}

/// Why a packet was not moved.
enum Stopped {
    /// Something happened on the bus.
    Bus,
    /// The endpoint is disabled.
    Endpoint,
}

/// Follows the application's changes until a packet was moved, or until something happens on the bus.
///
/// The future of a packet is dropped in the latter case only: then the endpoint starts over.
async fn until_done<T, F: Firmware<'static>, M: Memory>(
    packet: impl Future<Output = Result<T, EndpointError>>,
    signal: &Signal,
    contents: &mut Contents<F, M>,
    pull_up: Option<fn(bool)>,
) -> Result<T, Stopped> {
    let mut packet = pin!(packet);
    loop {
        let seen = contents.changes();
        let poll = contents.follow(Instant(Time::now().as_micros()));
        if let Some(pull_up) = pull_up.filter(|_| poll.reconnect) {
            pull_up(false);
            Timer::after(AWAY).await;
            pull_up(true);
        }
        let news = poll_fn(|context| {
            // First: a packet must not be sent after a reset.
            if signal.poll(context).is_ready() {
                return Poll::Ready(Err(Stopped::Bus));
            }
            if let Poll::Ready(result) = packet.as_mut().poll(context) {
                return Poll::Ready(result.map(Some).map_err(|_| Stopped::Endpoint));
            }
            if F::Files::PRESENT {
                Files::wake_at_change(contents.files(), context.waker());
                if contents.changes() != seen {
                    return Poll::Ready(Ok(None));
                }
            }
            Poll::Pending
        });
        let due = async {
            match poll.again {
                Some(again) => Timer::at(Time::from_micros(again.0)).await,
                None => pending().await,
            }
        };
        match select(news, due).await {
            Either::First(Ok(Some(value))) => return Ok(value),
            Either::First(Err(stopped)) => return Err(stopped),
            Either::First(Ok(None)) | Either::Second(()) => {}
        }
    }
}
