//! Notices that the classes' descriptors do not fit into usb-device's control buffer, which then refuses to send any of them: no host
//! would find the device, and nobody would know why.

use core::cell::Cell;
use usb_device::Result;
use usb_device::bus::UsbBus;
use usb_device::class::UsbClass;
use usb_device::descriptor::DescriptorWriter;

/// What has been written of the configuration's descriptors during a poll.
#[derive(Default)]
pub struct DescriptorRoom {
    begun: Cell<bool>,
    whole: Cell<bool>,
}

impl DescriptorRoom {
    /// Whether descriptors were asked for, and did not fit.
    pub fn is_exceeded(&self) -> bool {
        self.begun.get() && !self.whole.get()
    }
}

/// The first class in a poll.
pub struct First<'c>(pub &'c DescriptorRoom);

/// The last class in a poll: usb-device asks it only if all descriptors before had room.
pub struct Last<'c>(pub &'c DescriptorRoom);

impl<B: UsbBus> UsbClass<B> for First<'_> {
    fn get_configuration_descriptors(&self, _: &mut DescriptorWriter<'_>) -> Result<()> {
        self.0.begun.set(true);
        self.0.whole.set(false);
        Ok(())
    }
}

impl<B: UsbBus> UsbClass<B> for Last<'_> {
    fn get_configuration_descriptors(&self, _: &mut DescriptorWriter<'_>) -> Result<()> {
        self.0.whole.set(true);
        Ok(())
    }
}
