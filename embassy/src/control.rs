//! The class's requests and what happens on the bus, in the USB device's task.

use crate::signal::{Event, Signal};
use embassy_usb::Handler;
use embassy_usb::control::{InResponse, OutResponse, Recipient, Request, RequestType};
use embassy_usb::types::InterfaceNumber;
use picovd::usb::bulk_only::{REQUEST_GET_MAX_LUN, REQUEST_RESET};

/// What the USB device and the disk share. Lives as long as both, usually in a `StaticCell`.
#[derive(Debug)]
pub struct State<'d> {
    pub(crate) signal: Signal,
    pub(crate) control: Option<Control<'d>>,
}

impl State<'_> {
    /// For one [`MassStorage`](crate::MassStorage).
    #[must_use]
    pub const fn new() -> Self {
        Self { signal: Signal::new(), control: None }
    }
}

impl Default for State<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// The handler that embassy-usb calls.
#[derive(Debug)]
pub(crate) struct Control<'d> {
    pub signal: &'d Signal,
    pub interface: InterfaceNumber,
    /// The numbers of the bulk endpoints, IN and OUT.
    pub endpoints: (u8, u8),
    /// See [`Board`](crate::Board).
    pub restart_endpoints: Option<fn(u8, u8)>,
}

impl Control<'_> {
    /// Whether it is a class request to our interface: wIndex names it (BOT 3.1, 3.2).
    fn is_ours(&self, request: &Request) -> bool {
        request.request_type == RequestType::Class
            && request.recipient == Recipient::Interface
            && request.index == u16::from(u8::from(self.interface))
    }
}

impl Handler for Control<'_> {
    fn enabled(&mut self, enabled: bool) {
        if !enabled {
            self.signal.set_configured(false);
        }
    }

    fn reset(&mut self) {
        self.signal.set_configured(false);
    }

    fn configured(&mut self, configured: bool) {
        self.signal.set_configured(configured);
    }

    fn set_alternate_setting(&mut self, interface: InterfaceNumber, _: u8) {
        // Endpoints and toggles are reset (USB 2.0 9.4.10). embassy-usb also calls this for each bus reset.
        if interface == self.interface && self.signal.is_configured() {
            self.signal.set(Event::Restart);
        }
    }

    fn control_in<'a>(&'a mut self, request: Request, buffer: &'a mut [u8]) -> Option<InResponse<'a>> {
        if !self.is_ours(&request) {
            return None;
        }
        match (request.request, request.value, request.length, buffer.first_chunk_mut()) {
            // wValue 0 and wLength 1 (BOT 3.2). There is one unit.
            (REQUEST_GET_MAX_LUN, 0, 1, Some(max_lun)) => {
                *max_lun = [0];
                Some(InResponse::Accepted(max_lun))
            }
            _ => Some(InResponse::Rejected),
        }
    }

    fn control_out(&mut self, request: Request, _: &[u8]) -> Option<OutResponse> {
        if !self.is_ours(&request) {
            return None;
        }
        // wValue and wLength are 0 (BOT 3.1).
        if (request.request, request.value, request.length) != (REQUEST_RESET, 0, 0) {
            return Some(OutResponse::Rejected);
        }
        self.signal.set(Event::Restart);
        if let Some(restart_endpoints) = self.restart_endpoints {
            let (bulk_in, bulk_out) = self.endpoints;
            restart_endpoints(bulk_in, bulk_out);
        }
        Some(OutResponse::Accepted)
    }
}
