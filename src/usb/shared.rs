//! A USB class of the application that an interrupt handler polls.

use core::cell::{OnceCell, RefCell};
use critical_section::Mutex;
use heapless::String;
use usb_device::Result;
use usb_device::bus::{InterfaceNumber, StringIndex, UsbBus};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::descriptor::lang_id::LangID;
use usb_device::descriptor::{BosWriter, DescriptorWriter};
use usb_device::endpoint::EndpointAddress;

/// A class that the application and the handler that serves the stick share: a static, which is filled once. Each access is a
/// critical section. A handler that polls by itself, without `serve!`, takes `HID.serving()` as the class.
///
/// ```ignore
/// static HID: Shared<HIDClass<'static, UsbBus>> = Shared::new();
/// picovd::serve!(STICK, with HID);
///
/// HID.with(|hid| hid.push_raw_input(&report));
/// ```
pub struct Shared<C> {
    class: Mutex<RefCell<Option<C>>>,
}

impl<C> Default for Shared<C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<C> core::fmt::Debug for Shared<C> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<C> Shared<C> {
    /// No class yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { class: Mutex::new(RefCell::new(None)) }
    }

    /// Stores the class. Does nothing inside of [`with`](Self::with).
    pub fn set(&self, class: C) {
        self.access(|place| *place = Some(class));
    }

    /// Does something with the class. Returns `None` if there is none yet, or inside of another `with` of the same class.
    pub fn with<R>(&self, work: impl FnOnce(&mut C) -> R) -> Option<R> {
        self.access(|place| place.as_mut().map(work)).flatten()
    }

    /// The class for one handler: what `serve!` polls.
    #[must_use]
    pub const fn serving(&self) -> Serving<'_, C> {
        Serving { shared: self, text: OnceCell::new() }
    }

    fn access<R>(&self, work: impl FnOnce(&mut Option<C>) -> R) -> Option<R> {
        critical_section::with(|token| self.class.borrow(token).try_borrow_mut().ok().map(|mut place| work(&mut place)))
    }
}

/// Maximum length of a string in bytes of UTF-8: usb-device's control buffer takes 127 characters.
const TEXT: usize = 128;

/// A [`Shared`] class while a handler polls it.
pub struct Serving<'s, C> {
    shared: &'s Shared<C>,
    /// The string that the host asks for: the class's own would be borrowed beyond the critical section.
    text: OnceCell<String<TEXT>>,
}

impl<C> core::fmt::Debug for Serving<'_, C> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Serving").finish_non_exhaustive()
    }
}

impl<B: UsbBus, C: UsbClass<B>> UsbClass<B> for Serving<'_, C> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        self.shared.with(|class| class.get_configuration_descriptors(writer)).unwrap_or(Ok(()))
    }

    fn get_bos_descriptors(&self, writer: &mut BosWriter<'_, '_>) -> Result<()> {
        self.shared.with(|class| class.get_bos_descriptors(writer)).unwrap_or(Ok(()))
    }

    /// A copy. One of more than 128 bytes is not sent.
    fn get_string(&self, index: StringIndex, language: LangID) -> Option<&str> {
        self.shared.with(|class| {
            let text = String::try_from(class.get_string(index, language)?).ok()?;
            self.text.set(text).ok()
        })??;
        self.text.get().map(String::as_str)
    }

    fn reset(&mut self) {
        self.shared.with(C::reset);
    }

    fn poll(&mut self) {
        self.shared.with(C::poll);
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        // The request before it may have been for another string.
        self.text.take();
        self.shared.with(|class| class.control_in(xfer));
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        self.shared.with(|class| class.control_out(xfer));
    }

    fn endpoint_setup(&mut self, address: EndpointAddress) {
        self.shared.with(|class| class.endpoint_setup(address));
    }

    fn endpoint_out(&mut self, address: EndpointAddress) {
        self.shared.with(|class| class.endpoint_out(address));
    }

    fn endpoint_in_complete(&mut self, address: EndpointAddress) {
        self.shared.with(|class| class.endpoint_in_complete(address));
    }

    fn get_alt_setting(&mut self, interface: InterfaceNumber) -> Option<u8> {
        self.shared.with(|class| class.get_alt_setting(interface)).flatten()
    }

    fn set_alt_setting(&mut self, interface: InterfaceNumber, alternative: u8) -> bool {
        self.shared.with(|class| class.set_alt_setting(interface, alternative)).unwrap_or(false)
    }
}
