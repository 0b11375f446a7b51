//! Classes of the application beside the stick's, natively: descriptors that have room, and descriptors that have not.

use picovd::bot::{CommandSet, Intent};
use picovd::usb::{AllFunctions, Composite, Identity, Reset};
use picovd_sim::bus::SimBus;
use picovd_sim::link::InReply;
use usb_device::bus::UsbBusAllocator;
use usb_device::class::UsbClass;
use usb_device::descriptor::DescriptorWriter;

/// A disk that receives no commands.
struct NoDisk;

impl CommandSet for NoDisk {
    fn max_lun(&self) -> u8 {
        0
    }
    fn begin(&mut self, _lun: u8, _cdb: &[u8]) -> Intent {
        Intent::None
    }
    fn data_in(&mut self, _packet: &mut [u8]) {}
    fn data_out(&mut self, _packet: &[u8]) {}
    fn end(&mut self) -> bool {
        false
    }
    fn reset(&mut self) {}
    fn bus_reset(&mut self) {}
}

/// A class whose descriptor has this many bytes after its header.
struct Long(usize);

impl UsbClass<SimBus> for Long {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> usb_device::Result<()> {
        writer.write(0xFF, &vec![0; self.0])
    }
}

/// What the host gets that asks for the configuration of a disk beside such a class, with the stick's other functions or
/// without.
fn configuration_with(length: usize, more: bool) -> InReply {
    let identity = Identity {
        vid: 0x2E8A,
        pid: 0x0009,
        manufacturer: "PicoVD",
        product: "Classes",
        console: more,
        picotool_reset: more,
        max_power: 100,
    };
    let bus = SimBus::new();
    let wire = bus.wire();
    let alloc = UsbBusAllocator::new(bus);
    let restart = (|_| {}) as fn(Reset);
    let (mut stick, mut class) =
        Composite::<_, _, _, AllFunctions>::with_classes(&alloc, identity, "0123456789ABCDEF", NoDisk, restart, |_| {
            Long(length)
        });
    let mut poll = || {
        for _ in 0..8 {
            stick.poll_with(&mut [&mut class]);
        }
    };
    poll();
    wire.bus_reset();
    poll();
    // GET_DESCRIPTOR of the configuration.
    let _ = wire.setup(0, [0x80, 6, 0, 2, 0, 0, 0xFF, 0]);
    poll();
    wire.r#in(0, 0, true)
}

#[test]
fn descriptors_that_have_room_are_sent() {
    // 9 bytes of the configuration, 23 of the disk, 2 of the class's header.
    let InReply::Data(_, first) = configuration_with(256 - 9 - 23 - 2, false) else { panic!("no data") };
    assert_eq!(first.get(..5), Some(&[9, 2, 0, 1, 1][..]), "wTotalLength 256, one interface");
}

#[test]
#[should_panic(expected = "the descriptors of all classes are longer than usb-device's control buffer")]
fn descriptors_that_have_no_room_are_a_mistake_that_is_named() {
    configuration_with(256 - 9 - 23 - 1, false);
}

/// What the documentation of `with_classes` says.
#[test]
fn all_functions_of_the_stick_take_107_bytes() {
    let InReply::Data(_, first) = configuration_with(256 - 107 - 2, true) else { panic!("no data") };
    assert_eq!(first.get(..5), Some(&[9, 2, 0, 1, 4][..]), "wTotalLength 256, four interfaces");
}
