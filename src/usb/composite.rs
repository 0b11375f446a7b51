//! The USB device with all its functions.
//!
//! Mass storage is always present. Console and reset interface are present if the [`Identity`] says so and the type allows
//! it: if a firmware's manifest disables one of them, its type leaves it out, and the linker removes its code.

use super::Identity;
use super::chapter9::{Chapter9, Effect, Endpoints, Interfaces};
use super::class_watch::ClassWatch;
use super::console::Console;
use super::descriptor_room::{DescriptorRoom, First, Last};
use super::fast_path::FastPath;
use super::mass_storage::MassStorage;
use super::packets::Packets;
use super::picotool_reset::{PicotoolReset, Reset};
use crate::bot::CommandSet;
use crate::clock::Instant;
use core::marker::PhantomData;
use usb_device::Result;
use usb_device::bus::{UsbBus, UsbBusAllocator};
use usb_device::class::UsbClass;
use usb_device::device::{UsbDevice, UsbDeviceState};
use usb_device::endpoint::EndpointAddress;

/// The disk's interface.
const DISK_INTERFACE: u8 = 0;
/// The first of the console's two interfaces.
const CONSOLE_INTERFACE: u8 = 1;
/// The second one, with the bulk endpoints.
const CONSOLE_DATA_INTERFACE: u8 = 2;

/// Maximum number of the application's classes.
const OTHERS: usize = 8;

/// Which functions a device may have besides mass storage. The linker removes the code of the others.
pub trait Functions {
    /// Whether there may be a console.
    const CONSOLE: bool;
    /// Whether there may be the interface for picotool.
    const RESET: bool;
}

/// All of them.
#[derive(Clone, Copy, Debug)]
pub struct AllFunctions;

impl Functions for AllFunctions {
    const CONSOLE: bool = true;
    const RESET: bool = true;
}

/// The application's classes for one poll, in the order in which they were allocated: `&mut [&mut hid]`.
pub type Classes<'c, B, const N: usize> = [&'c mut dyn UsbClass<B>; N];

/// A USB device with mass storage around `S`, and with the other functions that `F` allows.
pub struct Composite<'b, B: UsbBus, S, R, F = AllFunctions> {
    /// Sees each request before the others.
    chapter9: Chapter9,
    // Constructed and polled in this order: usb-device requires both orders to be the same.
    mass_storage: MassStorage<'b, B, S>,
    console: Option<Console<'b, B>>,
    reset: Option<PicotoolReset<R>>,
    usb: UsbDevice<'b, B>,
    serial: &'b str,
    functions: PhantomData<F>,
}

impl<'b, B: UsbBus + Packets, S: CommandSet, R: FnMut(Reset), F: Functions> Composite<'b, B, S, R, F> {
    /// The device on the bus of `alloc`, attached. See [`device`](super::device) for `serial` and [`PicotoolReset::new`]
    /// for `reset`.
    ///
    /// # Panics
    ///
    /// As in usb-device, if the bus has too few endpoints: a mistake in the firmware that shows at its first boot.
    #[inline]
    pub fn new(alloc: &'b UsbBusAllocator<B>, identity: Identity<'b>, serial: &'b str, device: S, reset: R) -> Self {
        Self::compose(alloc, identity, serial, device, reset, |_| 0)
    }

    /// The same with the application's classes, which `make` allocates. From then on, [`poll_with`](Self::poll_with) polls
    /// all of them, in the same order.
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[inline]
    pub fn with_classes<C>(
        alloc: &'b UsbBusAllocator<B>,
        identity: Identity<'b>,
        serial: &'b str,
        device: S,
        reset: R,
        make: impl FnOnce(&'b UsbBusAllocator<B>) -> C,
    ) -> (Self, C) {
        let mut classes = None;
        let composite = Self::compose(alloc, identity, serial, device, reset, |own| {
            classes = Some(make(alloc));
            // Interfaces are numbered in order. A number that no descriptor uses has no effect.
            u8::from(alloc.interface()).saturating_sub(own)
        });
        composite.bus().watch(ClassWatch::new(composite.chapter9.interfaces().all()));
        let Some(classes) = classes else { unreachable!("`compose` calls it once") };
        (composite, classes)
    }

    /// Puts everything together. `others` gets the number of the interfaces so far, and returns the number of interfaces that
    /// it has allocated.
    #[inline]
    fn compose(
        alloc: &'b UsbBusAllocator<B>,
        identity: Identity<'b>,
        serial: &'b str,
        device: S,
        reset: R,
        others: impl FnOnce(u8) -> u8,
    ) -> Self {
        let identity = Identity {
            console: identity.console && F::CONSOLE,
            picotool_reset: identity.picotool_reset && F::RESET,
            ..identity
        };
        // In this order: interfaces are numbered as they are allocated, and the device attaches last.
        let mass_storage = MassStorage::new(alloc, device);
        let console = identity.console.then(|| Console::new(alloc));
        let mut endpoints = Endpoints::default().with(mass_storage.in_address()).with(mass_storage.out_address());
        if let Some(console) = &console {
            endpoints =
                endpoints.with(console.notification_address()).with(console.in_address()).with(console.out_address());
        }
        let reset = identity.picotool_reset.then(|| PicotoolReset::new(alloc, reset));
        let own = 1 + 2 * u8::from(identity.console) + u8::from(identity.picotool_reset);
        let interfaces = Interfaces { own, others: others(own) };
        let usb = super::composed(alloc, identity, serial, interfaces.others);
        if interfaces.others != 0 {
            let bus: &B = usb.bus();
            endpoints = (1..=15)
                .flat_map(|number| [number, number | 0x80])
                .map(EndpointAddress::from)
                .filter(|address| bus.has_endpoint(*address))
                .fold(endpoints, Endpoints::with);
        }
        Self {
            chapter9: Chapter9::new(interfaces, endpoints, identity.picotool_reset),
            mass_storage,
            console,
            reset,
            usb,
            serial,
            functions: PhantomData,
        }
    }

    /// Handles the bus's events. Returns whether there may be more: call it again before the core sleeps.
    pub fn poll(&mut self) -> bool {
        self.poll_with(&mut [])
    }

    /// The same for a device with the application's classes: those of [`with_classes`](Self::with_classes), in the order in
    /// which it allocated them. There may be eight.
    ///
    /// # Panics
    ///
    /// If their descriptors are too long, or not those of all classes in their order, when a host asks for them first.
    pub fn poll_with<const N: usize>(&mut self, others: &mut Classes<'_, B, N>) -> bool {
        const { assert!(N <= OTHERS, "at most eight classes of the application") };
        let Self { chapter9, mass_storage, usb, .. } = self;
        let console = self.console.as_mut().filter(|_| F::CONSOLE);
        let reset = self.reset.as_mut().filter(|_| F::RESET);
        let more = if N == 0 {
            match (console, reset) {
                (None, None) => usb.poll(&mut [chapter9, mass_storage]),
                (None, Some(reset)) => usb.poll(&mut [chapter9, mass_storage, reset]),
                (Some(console), None) => usb.poll(&mut [chapter9, mass_storage, console]),
                (Some(console), Some(reset)) => usb.poll(&mut [chapter9, mass_storage, console, reset]),
            }
        } else {
            let room = DescriptorRoom::default();
            let (mut first, mut last) = (First(&room), Last(&room));
            let mut classes: heapless::Vec<&mut dyn UsbClass<B>, { 6 + OTHERS }> = heapless::Vec::new();
            let own = [
                Some(&mut first as &mut dyn UsbClass<B>),
                Some(chapter9),
                Some(mass_storage),
                console.map(|class| class as _),
            ];
            let reset = reset.map(|class| class as &mut dyn UsbClass<B>);
            let others = others.iter_mut().map(|class| &mut **class as &mut dyn UsbClass<B>);
            // There is room for all.
            classes.extend(own.into_iter().flatten().chain(reset).chain(others).chain([&mut last as _]));
            let more = usb.poll(&mut classes);
            assert!(!room.is_exceeded(), "the descriptors of all classes are longer than usb-device's control buffer");
            more
        };
        if let Some(effect) = self.chapter9.take_effect() {
            self.reset_endpoints(effect);
        }
        if N != 0
            && let Some(interface) = self.usb.bus().take_interface_set()
        {
            self.reset_interface(interface);
        }
        self.serve_console();
        more
    }

    /// Resets endpoints after a request, beyond what the classes have done for SET_CONFIGURATION.
    #[inline(never)]
    fn reset_endpoints(&mut self, effect: Effect) {
        let Self { chapter9, mass_storage, console, usb, .. } = self;
        let bus = usb.bus();
        match effect {
            Effect::Interface(DISK_INTERFACE) => mass_storage.configured(),
            Effect::Interface(interface) => match (console, interface) {
                (Some(console), CONSOLE_INTERFACE) => bus.set_stalled(console.notification_address(), false),
                (Some(console), CONSOLE_DATA_INTERFACE) => {
                    console.configured();
                    bus.set_stalled(console.in_address(), false);
                    bus.set_stalled(console.out_address(), false);
                }
                _ => {}
            },
            Effect::Configured => set_stalled(bus, chapter9.endpoints(), false),
            Effect::Unconfigured => set_stalled(bus, chapter9.endpoints(), true),
            Effect::Unaddressed => bus.set_device_address(0),
        }
    }

    /// The same for SET_INTERFACE of an interface of the application, unless its class has refused the request.
    fn reset_interface(&mut self, interface: u8) {
        let bus = self.usb.bus();
        if interface < self.chapter9.interfaces().own || bus.is_stalled(EndpointAddress::from(0x80)) {
            return;
        }
        let addresses = self.chapter9.endpoints().addresses();
        addresses
            .filter(|address| bus.is_endpoint_of(*address, interface))
            .for_each(|address| bus.set_stalled(address, false));
    }

    /// Tells the console what it cannot see itself.
    fn serve_console(&mut self) {
        let Some(console) = self.console.as_mut().filter(|_| F::CONSOLE) else { return };
        if console.take_stale() {
            self.usb.bus().withdraw(console.in_address());
        }
        console.set_online(self.usb.state() == UsbDeviceState::Configured);
    }

    /// Passes the time `now`, which must never decrease: a console that was opened stays silent for a moment, and then
    /// greets. Call it after [`poll`](Self::poll), and at the time that it returns, if any.
    pub fn tick(&mut self, now: Instant) -> Option<Instant> {
        let console = self.console.as_mut().filter(|_| F::CONSOLE)?;
        console.tick(now, self.serial)
    }

    /// When [`tick`](Self::tick) has to be called at the latest, if at all.
    #[inline]
    pub fn silent_until(&self) -> Option<Instant> {
        self.console.as_ref().filter(|_| F::CONSOLE)?.silent_until()
    }

    /// The console, if there is one.
    pub fn console_mut(&mut self) -> Option<&mut Console<'b, B>> {
        self.console.as_mut().filter(|_| F::CONSOLE)
    }

    /// The bus, for what usb-device does not offer.
    pub fn bus(&self) -> &B {
        self.usb.bus()
    }

    /// Whether packets of mass storage for the host are waiting or being sent: their end is an event of the bus.
    #[inline]
    pub fn is_sending(&self) -> bool {
        self.mass_storage.is_sending()
    }

    /// The device that the mass storage class serves.
    pub fn device(&self) -> &S {
        self.mass_storage.device()
    }

    /// The device that the mass storage class serves.
    pub fn device_mut(&mut self) -> &mut S {
        self.mass_storage.device_mut()
    }

    /// Detaches from the bus and attaches again, if the bus can do that.
    ///
    /// # Errors
    ///
    /// The bus cannot.
    pub fn reconnect(&mut self) -> Result<()> {
        self.usb.force_reset()
    }
}

fn set_stalled<B: UsbBus>(bus: &B, endpoints: Endpoints, stalled: bool) {
    endpoints.addresses().for_each(|address| bus.set_stalled(address, stalled));
}

impl<'b, B: UsbBus + Packets, S: CommandSet, R: FnMut(Reset), F: Functions> Composite<'b, B, S, R, F> {
    /// Shortcuts for single packets of mass storage, which bypass the work that [`poll`](Self::poll) does for each event.
    #[inline]
    pub fn fast_path(&mut self) -> FastPath<'_, 'b, B, S> {
        FastPath { transport: self.mass_storage.transport_mut(), bus: self.usb.bus() }
    }
}
