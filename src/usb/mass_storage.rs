//! The mass storage class: interface descriptor and class requests around [`BulkOnly`].

use super::bulk_only::{BulkOnly, HaltFeature, REQUEST_RESET};
use super::is_set_configuration;
use crate::bot::CommandSet;
use usb_device::Result;
use usb_device::bus::{InterfaceNumber, UsbBus, UsbBusAllocator};
use usb_device::class::{ControlIn, ControlOut, UsbClass};
use usb_device::control::{Recipient, Request, RequestType};
use usb_device::descriptor::DescriptorWriter;
use usb_device::endpoint::EndpointAddress;
use usbd_storage::CLASS_MASS_STORAGE;
use usbd_storage::transport::Transport;

/// bInterfaceSubClass: SCSI transparent command set (USB Mass Storage Class Overview, 2).
const SUBCLASS_SCSI: u8 = 0x06;

/// The mass storage class around a command set, usually a [`Device`](crate::device::Device), on any usb-device bus.
///
/// Where the bus does not halt endpoints as it should, `HALTS` is false: the class pads data that ends early (BOT 6.7.2).
pub struct MassStorage<'b, B: UsbBus, S, const HALTS: bool = true> {
    interface: InterfaceNumber,
    transport: BulkOnly<'b, B, S, HALTS>,
}

impl<'b, B: UsbBus, S: CommandSet, const HALTS: bool> MassStorage<'b, B, S, HALTS> {
    /// Allocates one interface and two bulk endpoints of `alloc`.
    ///
    /// # Panics
    ///
    /// As in usb-device, if the bus does not have two endpoints left: a mistake in the firmware that shows at its first
    /// boot.
    pub fn new(alloc: &'b UsbBusAllocator<B>, device: S) -> Self {
        Self { interface: alloc.interface(), transport: BulkOnly::new(alloc, device) }
    }

    /// The device that the class serves.
    pub fn device(&self) -> &S {
        self.transport.set()
    }

    /// The device that the class serves.
    pub fn device_mut(&mut self) -> &mut S {
        self.transport.set_mut()
    }

    /// The endpoint for packets to the host.
    pub fn in_address(&self) -> EndpointAddress {
        self.transport.in_address()
    }

    /// The endpoint for packets from the host.
    pub fn out_address(&self) -> EndpointAddress {
        self.transport.out_address()
    }

    /// The transport of the command set.
    #[inline]
    pub(super) fn transport_mut(&mut self) -> &mut BulkOnly<'b, B, S, HALTS> {
        &mut self.transport
    }

    /// As [`BulkOnly::configured`].
    pub(crate) fn configured(&mut self) {
        self.transport.configured();
    }

    /// Whether packets for the host are waiting or being sent.
    #[inline]
    pub fn is_sending(&self) -> bool {
        self.transport.is_sending()
    }

    /// Whether a request is for this class alone: a class request to its interface, or a halt of one of its endpoints.
    pub(crate) fn is_addressed(&self, request: &Request) -> bool {
        let ours = |feature: HaltFeature| [self.in_address(), self.out_address()].contains(&feature.endpoint);
        self.is_ours(request) || HaltFeature::of(request).is_some_and(ours)
    }

    /// Whether `request` is a class request to our interface: wIndex names it (BOT 3.1, 3.2).
    fn is_ours(&self, request: &Request) -> bool {
        request.request_type == RequestType::Class
            && request.recipient == Recipient::Interface
            && request.index == u16::from(u8::from(self.interface))
    }
}

impl<B: UsbBus, S: CommandSet, const HALTS: bool> UsbClass<B> for MassStorage<'_, B, S, HALTS> {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
        writer.interface(
            self.interface,
            CLASS_MASS_STORAGE,
            SUBCLASS_SCSI,
            <BulkOnly<'_, B, S, HALTS> as Transport>::PROTO,
        )?;
        self.transport.get_endpoint_descriptors(writer)
    }

    fn reset(&mut self) {
        self.transport.reset();
    }

    fn control_in(&mut self, xfer: ControlIn<'_, '_, '_, B>) {
        if self.is_ours(xfer.request()) {
            self.transport.control_in(xfer);
        }
    }

    fn control_out(&mut self, xfer: ControlOut<'_, '_, '_, B>) {
        let request = *xfer.request();
        if let Some(feature) = HaltFeature::of(&request) {
            if self.transport.feature_halt(feature) {
                let _ = xfer.accept();
            }
        } else if is_set_configuration(&request) {
            // Halts and data toggles are reset (USB 2.0 9.1.1.5); the device itself answers the request.
            self.transport.configured();
        } else if self.is_ours(&request) {
            // wValue and wLength are 0 (BOT 3.1).
            let _ = if request.request == REQUEST_RESET && request.value == 0 && request.length == 0 {
                self.transport.bulk_only_reset();
                xfer.accept()
            } else {
                xfer.reject()
            };
        }
    }

    fn endpoint_in_complete(&mut self, address: EndpointAddress) {
        self.transport.in_complete(address);
    }

    fn poll(&mut self) {
        // The only possible error is a bus without our endpoints, with which `new` would have failed.
        let _ = self.transport.poll();
    }
}
