//! Classes of the application beside the stick's, natively: descriptors that have room, and descriptors that have not.

use picovd::bot::{CommandSet, Intent};
use picovd::usb::{AllFunctions, Composite, Functions, Identity, Reset, Shared};
use picovd_sim::bus::{SimBus, WireSide};
use picovd_sim::link::InReply;
use usb_device::bus::{InterfaceNumber, StringIndex, UsbBusAllocator};
use usb_device::class::UsbClass;
use usb_device::descriptor::DescriptorWriter;
use usb_device::descriptor::lang_id::LangID;

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

/// A class with an interface that has a name.
struct Named {
    interface: InterfaceNumber,
    index: StringIndex,
    name: &'static str,
}

impl Named {
    fn new(alloc: &UsbBusAllocator<SimBus>, name: &'static str) -> Self {
        Self { interface: alloc.interface(), index: alloc.string(), name }
    }
}

impl UsbClass<SimBus> for Named {
    fn get_configuration_descriptors(&self, writer: &mut DescriptorWriter<'_>) -> usb_device::Result<()> {
        writer.interface_alt(self.interface, 0, 0xFF, 0, 0, Some(self.index))
    }

    fn get_string(&self, index: StringIndex, _: LangID) -> Option<&str> {
        (index == self.index).then_some(self.name)
    }
}

/// The disk alone.
struct Alone;

impl Functions for Alone {
    const CONSOLE: bool = false;
    const RESET: bool = false;
}

const IDENTITY: Identity<'_> = Identity {
    vid: 0x2E8A,
    pid: 0x0009,
    manufacturer: "PicoVD",
    product: "Classes",
    console: false,
    picotool_reset: false,
    max_power: 100,
};

/// A host asks for a descriptor, and gets its first packet.
fn descriptor(wire: &WireSide, value: [u8; 2], language: [u8; 2], mut poll: impl FnMut()) -> InReply {
    let _ = wire.setup(0, [0x80, 6, value[0], value[1], language[0], language[1], 0xFF, 0]);
    poll();
    wire.r#in(0, 0, true)
}

/// The configuration of a disk beside two classes, which are polled as `polled` says.
fn configuration_of(polled: &[usize]) -> InReply {
    let bus = SimBus::new();
    let wire = bus.wire();
    let alloc = UsbBusAllocator::new(bus);
    let make = |alloc| [Named::new(alloc, "one"), Named::new(alloc, "two")];
    let restart = (|_| {}) as fn(Reset);
    let (mut stick, [mut one, mut two]) =
        Composite::<_, _, _, Alone>::with_classes(&alloc, IDENTITY, "0123456789ABCDEF", NoDisk, restart, make);
    let mut poll = || {
        for _ in 0..8 {
            match polled {
                [0, 1] => stick.poll_with(&mut [&mut one, &mut two]),
                [1, 0] => stick.poll_with(&mut [&mut two, &mut one]),
                [1] => stick.poll_with(&mut [&mut two]),
                _ => stick.poll(),
            };
        }
    };
    poll();
    wire.bus_reset();
    poll();
    descriptor(&wire, [0, 2], [0, 0], poll)
}

#[test]
fn classes_in_their_order_are_described() {
    let InReply::Data(_, first) = configuration_of(&[0, 1]) else { panic!("no data") };
    assert_eq!(first.get(..5), Some(&[9, 2, 9 + 23 + 2 * 9, 0, 3][..]), "three interfaces");
}

#[test]
#[should_panic(expected = "USB classes: give poll_with or serve! all that were allocated, in the same order")]
fn classes_in_another_order_are_a_mistake_that_is_named() {
    configuration_of(&[1, 0]);
}

#[test]
#[should_panic(expected = "USB classes: give poll_with or serve! all that were allocated, in the same order")]
fn a_class_that_is_left_out_is_a_mistake_that_is_named() {
    configuration_of(&[1]);
}

#[test]
#[should_panic(expected = "USB classes: give poll_with or serve! all that were allocated, in the same order")]
fn classes_that_are_all_left_out_are_a_mistake_that_is_named() {
    configuration_of(&[]);
}

#[test]
fn shared_classes_have_their_strings() {
    let bus = SimBus::new();
    let wire = bus.wire();
    let alloc = UsbBusAllocator::new(bus);
    let shared: [Shared<Named>; 2] = [Shared::new(), Shared::new()];
    let long = "a name that is longer than the room for it: 128 bytes are all that there is, for usb-device's control buffer takes no more than that";
    let make = |alloc| {
        shared[0].set(Named::new(alloc, "Buttons \u{e9}"));
        shared[1].set(Named::new(alloc, long));
    };
    let restart = (|_| {}) as fn(Reset);
    let (mut stick, ()) =
        Composite::<_, _, _, Alone>::with_classes(&alloc, IDENTITY, "0123456789ABCDEF", NoDisk, restart, make);
    // As in a handler, in which the host may ask twice.
    let (mut one, mut two) = (shared[0].serving(), shared[1].serving());
    let mut poll = || {
        for _ in 0..8 {
            stick.poll_with(&mut [&mut one, &mut two]);
        }
    };
    poll();
    wire.bus_reset();
    poll();
    // Manufacturer, product and serial number come first.
    let mut string = |index| descriptor(&wire, [index, 3], [0x09, 0x04], &mut poll);
    for _ in 0..2 {
        let InReply::Data(_, text) = string(4) else { panic!("no string") };
        let expected: Vec<u8> = "Buttons \u{e9}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(text, [&[2 + 18, 3], &expected[..]].concat());
        assert_eq!(string(5), InReply::Stall, "it is too long");
    }
}
