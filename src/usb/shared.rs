//! A USB class of the application that an interrupt handler polls.

use core::cell::RefCell;
use critical_section::Mutex;
use usb_device::Result;
use usb_device::bus::{InterfaceNumber, StringIndex, UsbBus};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::descriptor::lang_id::LangID;
use usb_device::descriptor::{BosWriter, DescriptorWriter};
use usb_device::endpoint::EndpointAddress;

/// A class that the application and the handler that serves the stick share: a static, which is filled once. Each access is a
/// critical section.
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

    fn access<R>(&self, work: impl FnOnce(&mut Option<C>) -> R) -> Option<R> {
        critical_section::with(|token| self.class.borrow(token).try_borrow_mut().ok().map(|mut place| work(&mut place)))
    }
}

impl<B: UsbBus, C: UsbClass<B>> UsbClass<B> for &Shared<C> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        self.with(|class| class.get_configuration_descriptors(writer)).unwrap_or(Ok(()))
    }

    fn get_bos_descriptors(&self, writer: &mut BosWriter<'_, '_>) -> Result<()> {
        self.with(|class| class.get_bos_descriptors(writer)).unwrap_or(Ok(()))
    }

    /// A class that is shared has no strings: they would be borrowed beyond the critical section.
    fn get_string(&self, _index: StringIndex, _language: LangID) -> Option<&str> {
        None
    }

    fn reset(&mut self) {
        self.with(C::reset);
    }

    fn poll(&mut self) {
        self.with(C::poll);
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        self.with(|class| class.control_in(xfer));
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        self.with(|class| class.control_out(xfer));
    }

    fn endpoint_setup(&mut self, address: EndpointAddress) {
        self.with(|class| class.endpoint_setup(address));
    }

    fn endpoint_out(&mut self, address: EndpointAddress) {
        self.with(|class| class.endpoint_out(address));
    }

    fn endpoint_in_complete(&mut self, address: EndpointAddress) {
        self.with(|class| class.endpoint_in_complete(address));
    }

    fn get_alt_setting(&mut self, interface: InterfaceNumber) -> Option<u8> {
        self.with(|class| class.get_alt_setting(interface)).flatten()
    }

    fn set_alt_setting(&mut self, interface: InterfaceNumber, alternative: u8) -> bool {
        self.with(|class| class.set_alt_setting(interface, alternative)).unwrap_or(false)
    }
}
