//! A firmware for tests: a mouse, a second serial port and a vendor-specific interface beside everything that a stick can have.
//! The port and the interface send back what they receive. Built by `cargo xtask test`; empty elsewhere than on the chip.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod program {
    use core::sync::atomic::{AtomicU8, Ordering};
    use core::time::Duration;
    use picovd::rp2350::rp235x_hal;
    use usb_device::Result;
    use usb_device::bus::{InterfaceNumber, UsbBus, UsbBusAllocator};
    use usb_device::class::UsbClass;
    use usb_device::descriptor::DescriptorWriter;
    use usb_device::endpoint::{
        EndpointAddress, EndpointIn, EndpointOut, In, IsochronousSynchronizationType, IsochronousUsageType,
    };
    use usbd_hid::descriptor::{MouseReport, SerializedDescriptor};
    use usbd_hid::hid_class::HIDClass;
    use usbd_serial::SerialPort;

    picovd::firmware!(disk);

    /// What is wrong with the classes, by its number in `main`; a test changes it in the file before it runs it.
    #[allow(unsafe_code)]
    #[unsafe(export_name = "MISTAKE")]
    #[used]
    static MISTAKE: u32 = 0;

    #[allow(unsafe_code)]
    fn mistake() -> u32 {
        // SAFETY: a static of this program, of that type; volatile, since its value may be another one than the compiler knows.
        unsafe { core::ptr::addr_of!(MISTAKE).read_volatile() }
    }

    /// Endpoints that the controller does not have.
    fn too_many<B: UsbBus>(bus: &UsbBusAllocator<B>) {
        match mistake() {
            1 => (0..16).for_each(|_| drop(bus.interrupt::<In>(8, 10))),
            2 => drop(bus.isochronous::<In>(
                IsochronousSynchronizationType::NoSynchronization,
                IsochronousUsageType::Data,
                64,
                1,
            )),
            _ => {}
        }
    }

    /// From report to report of the mouse.
    const PAUSE: Duration = Duration::from_millis(50);

    /// bInterfaceClass of a vendor-specific interface.
    const VENDOR_SPECIFIC: u8 = 0xFF;

    /// A vendor-specific interface that sends back each packet.
    struct Loopback<'b, B: UsbBus> {
        interface: InterfaceNumber,
        from_host: EndpointOut<'b, B>,
        to_host: EndpointIn<'b, B>,
        packet: [u8; 64],
        /// Length of the packet that waits for the host.
        waits: Option<usize>,
    }

    impl<'b, B: UsbBus> Loopback<'b, B> {
        fn new(bus: &'b UsbBusAllocator<B>) -> Self {
            let (from_host, to_host) = (bus.bulk(64), bus.bulk(64));
            Self { interface: bus.interface(), from_host, to_host, packet: [0; 64], waits: None }
        }
    }

    impl<B: UsbBus> UsbClass<B> for Loopback<'_, B> {
        fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> Result<()> {
            writer.interface(self.interface, VENDOR_SPECIFIC, 0, 0)?;
            writer.endpoint(&self.from_host)?;
            writer.endpoint(&self.to_host)
        }

        fn reset(&mut self) {
            self.waits = None;
        }

        fn endpoint_out(&mut self, address: EndpointAddress) {
            if address == self.from_host.address() && self.waits.is_none() {
                self.waits = self.from_host.read(&mut self.packet).ok();
            }
        }

        fn poll(&mut self) {
            if let Some(packet) = self.waits.and_then(|length| self.packet.get(..length))
                && self.to_host.write(packet).is_ok()
            {
                self.waits = self.from_host.read(&mut self.packet).ok();
            }
        }
    }

    /// Sum of the bytes that the stick's port has received, which the reports' wheel says.
    static RECEIVED: AtomicU8 = AtomicU8::new(0);

    #[rp235x_hal::entry]
    fn main() -> ! {
        picovd::console::on_input(|bytes| {
            let sum = bytes.iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte));
            RECEIVED.fetch_add(sum, Ordering::Relaxed);
        });
        let (mut stick, _board, (mut mouse, mut port, mut loopback)) =
            Stick::start_with_classes(&disk::DESCRIPTION, |bus| {
                let classes = (HIDClass::new(bus, MouseReport::desc(), 10), SerialPort::new(bus), Loopback::new(bus));
                too_many(bus);
                classes
            });
        let mut next = stick.now();
        let mut x = 0;
        loop {
            match mistake() {
                3 => stick.poll_with(&mut [&mut port, &mut mouse, &mut loopback]),
                4 => stick.poll_with(&mut [&mut mouse, &mut loopback]),
                5 => stick.poll(),
                _ => stick.poll_with(&mut [&mut mouse, &mut port, &mut loopback]),
            }
            let mut bytes = [0; 64];
            if let Ok(length) = port.read(&mut bytes) {
                let _ = port.write(bytes.get(..length).unwrap_or_default());
            }
            if stick.now() >= next {
                next = stick.now() + PAUSE;
                if mouse
                    .push_input(&MouseReport {
                        buttons: 0,
                        x,
                        y: 0,
                        wheel: RECEIVED.load(Ordering::Relaxed) as i8,
                        pan: 0,
                    })
                    .is_ok()
                {
                    x = if x == 9 { 0 } else { x + 1 };
                }
            }
            stick.wake_at(next);
            stick.sleep();
        }
    }
}

#[cfg(not(target_os = "none"))]
fn main() {}
