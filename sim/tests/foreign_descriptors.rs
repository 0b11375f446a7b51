//! Descriptors that drivers put up with: an error for firmware of ours, a warning for that of others.

use picovd_sim::host::audio;
use picovd_sim::host::descriptor::{Configuration, kind};
use picovd_sim::host::enumerate::EnumerationError;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::{InReply, Link, OutReply, Pid};
use picovd_sim::plug;
use std::path::Path;
use std::time::Duration;

/// GET_DESCRIPTOR (USB 2.0 table 9-4).
const GET_DESCRIPTOR: u8 = 6;

/// A mistake: what it changes in a request, and in each packet that answers.
type Mistake = (fn(&mut [u8; 8]), fn(&mut [u8]));

/// A device with a mistake in its descriptors.
struct Foreign {
    inner: Box<dyn Link>,
    mistake: Mistake,
    tolerant: bool,
    told: std::sync::mpsc::Sender<String>,
}

impl Link for Foreign {
    fn attached(&mut self) -> bool {
        self.inner.attached()
    }
    fn bus_reset(&mut self) {
        self.inner.bus_reset();
    }
    fn setup(&mut self, address: u8, mut packet: [u8; 8]) -> OutReply {
        self.mistake.0(&mut packet);
        self.inner.setup(address, packet)
    }
    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        self.inner.out(address, endpoint, pid, data)
    }
    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        let mut reply = self.inner.r#in(address, endpoint, acknowledge);
        if let InReply::Data(_, data) = &mut reply {
            self.mistake.1(data);
        }
        reply
    }
    fn suspend(&mut self) {
        self.inner.suspend();
    }
    fn resume(&mut self) {
        self.inner.resume();
    }
    fn replug(&mut self) {
        self.inner.replug();
    }
    fn elapse(&mut self, time: Duration) {
        self.inner.elapse(time);
    }
    fn now(&self) -> Duration {
        self.inner.now()
    }
    fn tolerates(&mut self, what: &str) -> bool {
        self.told.send(what.to_owned()).unwrap();
        self.tolerant
    }
}

#[test]
fn what_drivers_put_up_with_is_an_error_of_ours_and_a_warning_for_others() {
    let class: Mistake = (
        |_| {},
        |packet| {
            if let [18, kind::DEVICE, _, _, class, ..] = packet {
                *class = 0xFF;
            }
        },
    );
    // The device descriptor, where there should be none.
    let qualifier: Mistake = (
        |setup| {
            if let [0x80, GET_DESCRIPTOR, 0, descriptor @ kind::DEVICE_QUALIFIER, ..] = setup {
                *descriptor = kind::DEVICE;
            }
        },
        |_| {},
    );
    // Union becomes Telephone Ringer (USB CDC 1.2 table 13).
    let functional: Mistake = (
        |_| {},
        |packet| {
            if let Some(at) = packet.windows(3).position(|bytes| bytes == [5, 0x24, 6]) {
                packet[at + 2] = 4;
            }
        },
    );
    let composite = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/full.toml");
    let plain = plug::plain_manifest();
    let cases = [
        (Some(&*plain), class, "the device class of 1 interfaces is [ff, 00, 00], not [00, 00, 00]"),
        (Some(&*composite), class, "the device class of 4 interfaces is [ff, 02, 01], not [ef, 02, 01]"),
        (Some(&*plain), qualifier, "a full-speed-only device has a device qualifier (USB 2.0 9.6.2 requires STALL)"),
        (
            Some(&*composite),
            functional,
            "the serial port is ignored: no functional descriptor of subtype 6 (USB CDC 1.2 5.2.3)",
        ),
    ];
    for (manifest, mistake, wanted) in cases {
        for tolerant in [false, true] {
            let (told, heard) = std::sync::mpsc::channel();
            let inner = plug::open(manifest, None).unwrap().link;
            let foreign = Foreign { inner, mistake, tolerant, told };
            let result = Initiator::attach(Host::new(Box::new(foreign)));
            assert_eq!(heard.try_iter().collect::<Vec<_>>(), [wanted]);
            let error = EnumerationError::Descriptor(wanted.to_owned());
            assert_eq!(result.map(|_| ()), if tolerant { Ok(()) } else { Err(error) });
        }
    }
}

/// Endpoint descriptors have 9 bytes in audio interfaces (USB Audio 1.0 4.6.1.1), MIDI among them, and 7 everywhere else.
#[test]
fn audio_has_longer_endpoint_descriptors() {
    let configuration = |class: u8, endpoint: &[u8]| {
        let mut bytes = vec![9, 2, 0, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 1, class, 3, 0, 0];
        bytes.extend(endpoint);
        bytes[2] = bytes.len() as u8;
        Configuration::parse(&bytes)
    };
    for endpoint in [&[9, 5, 1, 2, 64, 0, 0, 0, 0][..], &[7, 5, 1, 2, 64, 0, 0]] {
        let read = configuration(1, endpoint).expect("as the standards say");
        assert_eq!(read.interfaces[0].endpoints[0].max_packet_size, 64);
    }
    assert!(configuration(3, &[9, 5, 1, 2, 64, 0, 0, 0, 0]).is_err());
    assert!(configuration(1, &[8, 5, 1, 2, 64, 0, 0, 0]).is_err());
}

/// What usbd-midi 0.5 says of itself, wherever its interfaces are: that the streaming one is 1.
#[test]
fn an_audio_control_interface_lists_streaming_interfaces() {
    let configuration = |first: u8, listed: u8| {
        let mut bytes = vec![9, 2, 0, 0, first + 2, 1, 0, 0x80, 50];
        for number in 0..first {
            bytes.extend([9, 4, number, 0, 0, 0xFF, 0, 0, 0]);
        }
        bytes.extend([9, 4, first, 0, 0, 1, 1, 0, 0, 9, 0x24, 1, 0, 1, 9, 0, 1, listed]);
        bytes.extend([9, 4, first + 1, 0, 0, 1, 3, 0, 0]);
        bytes[2] = bytes.len() as u8;
        Configuration::parse(&bytes).expect("it is well-formed")
    };
    for first in 0..4 {
        assert_eq!(audio::check(&configuration(first, first + 1)), Ok(()));
    }
    let error = audio::check(&configuration(3, 1)).expect_err("interface 1 streams nothing");
    assert!(error.contains("interface 3 lists interface 1, the streaming ones are [4]"), "{error}");
}
