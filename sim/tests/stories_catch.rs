//! Each story fails on a device that has a defect of its subject: a wire that spoils one thing is between host and library.

use std::time::Duration;

use picovd_sim::link::{InReply, Link, OutReply, Pid};
use picovd_sim::plug;
use picovd_sim::story::{Effort, SETUP_SWEEP, STORIES};

/// What a spoiling wire changes; everything else passes.
#[derive(Clone, Copy)]
struct Spoil {
    /// Control requests, on their way to the device.
    setup: fn(&mut [u8; 8]),
    /// Endpoint 0's data for the request that went before.
    control: fn(&[u8; 8], &mut Vec<u8>),
    /// Command wrappers, on their way to the device.
    wrapper: fn(&mut [u8]),
    /// Bulk data to the host, by the operation code of the wrapper that went before and the packet's number since then.
    data: fn(u8, u32, &mut Vec<u8>),
    /// A resume comes with a bus reset.
    resume_resets: bool,
    /// The first command after a bus reset that follows a resume is refused with 06/29/00.
    resume_tells_a_reset: bool,
    /// Endpoint 0's OUT is armed by a SETUP alone: a repeated status stage is answered with NAK.
    arms_status_once: bool,
    /// A packet counts as taken whether or not the host's handshake arrives.
    forgets_handshakes: bool,
    /// Bulk-Only Reset and CLEAR_FEATURE are answered, and done nothing for.
    ignores_recovery: bool,
    /// Vendor requests with data to the device get neither an answer nor a refusal.
    leaves_vendor_writes: bool,
}

const NOTHING: Spoil = Spoil {
    setup: |_| {},
    control: |_, _| {},
    wrapper: |_| {},
    data: |_, _, _| {},
    resume_resets: false,
    resume_tells_a_reset: false,
    arms_status_once: false,
    forgets_handshakes: false,
    ignores_recovery: false,
    leaves_vendor_writes: false,
};

struct Wire {
    inner: Box<dyn Link>,
    spoil: Spoil,
    request: [u8; 8],
    code: u8,
    packets: u32,
    /// How far the device is with its unit attention.
    attention: Attention,
    /// Endpoint 0's OUT has taken a packet since the last SETUP.
    status_taken: bool,
}

impl Wire {
    fn new(inner: Box<dyn Link>, spoil: Spoil) -> Self {
        let attention = Attention::None;
        Self { inner, spoil, request: [0; 8], code: 0, packets: 0, attention, status_taken: false }
    }
}

/// A unit attention that a resume brings up.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attention {
    /// There is none.
    None,
    /// There was a resume.
    Resumed,
    /// There was a bus reset since: the next command is refused.
    Pending,
    /// A command was refused: the next sense data say why.
    Told,
}

impl Link for Wire {
    fn attached(&mut self) -> bool {
        self.inner.attached()
    }
    fn bus_reset(&mut self) {
        if self.attention == Attention::Resumed {
            self.attention = Attention::Pending;
        }
        self.inner.bus_reset();
    }
    fn setup(&mut self, address: u8, mut packet: [u8; 8]) -> OutReply {
        self.request = packet;
        self.status_taken = false;
        (self.spoil.setup)(&mut packet);
        if self.spoil.ignores_recovery && (packet[..2] == [0x21, 0xFF] || packet[..2] == [0x02, 0x01]) {
            // GET_STATUS of no bytes instead: it, too, has nothing but an empty packet to the host.
            packet = [0x80, 0, 0, 0, 0, 0, 0, 0];
        }
        self.inner.setup(address, packet)
    }
    fn out(&mut self, address: u8, endpoint: u8, pid: Pid, data: &[u8]) -> OutReply {
        let mut data = data.to_vec();
        if endpoint != 0 && data.starts_with(b"USBC") && data.len() == 31 {
            (self.code, self.packets) = (data[15], 0);
            (self.spoil.wrapper)(&mut data);
            if self.attention == Attention::Pending {
                // An unknown operation code: the device refuses the command.
                data[15] = 0xD7;
                self.attention = Attention::Told;
            }
        } else if endpoint != 0 && data.len() == 31 {
            (self.spoil.wrapper)(&mut data);
        }
        if endpoint == 0 && self.spoil.arms_status_once && self.status_taken {
            return OutReply::Nak;
        }
        if endpoint == 0 && self.spoil.leaves_vendor_writes && self.request[0] & 0xE0 == 0x40 && !data.is_empty() {
            return OutReply::Nak;
        }
        let reply = self.inner.out(address, endpoint, pid, &data);
        self.status_taken |= endpoint == 0 && reply == OutReply::Ack;
        reply
    }
    fn r#in(&mut self, address: u8, endpoint: u8, acknowledge: bool) -> InReply {
        match self.inner.r#in(address, endpoint, acknowledge || self.spoil.forgets_handshakes) {
            InReply::Data(pid, mut data) => {
                if endpoint == 0 {
                    (self.spoil.control)(&self.request, &mut data);
                } else {
                    (self.spoil.data)(self.code, self.packets, &mut data);
                    if self.attention == Attention::Told && self.code == 0x03 && data.len() == 18 {
                        (data[2], data[12], data[13]) = (6, 0x29, 0);
                        self.attention = Attention::None;
                    }
                    self.packets += 1;
                }
                InReply::Data(pid, data)
            }
            reply => reply,
        }
    }
    fn suspend(&mut self) {
        self.inner.suspend();
    }
    fn resume(&mut self) {
        self.inner.resume();
        if self.spoil.resume_tells_a_reset {
            self.attention = Attention::Resumed;
        }
        if self.spoil.resume_resets {
            self.inner.bus_reset();
        }
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
    fn take_faults(&mut self) -> Vec<String> {
        self.inner.take_faults()
    }
}

fn is_status(data: &[u8]) -> bool {
    data.len() == 13 && data.starts_with(b"USBS")
}

/// Makes another command of it.
fn turn(wrapper: &mut [u8], from: u8, to: u8) {
    if wrapper[15] == from {
        wrapper[15] = to;
    }
}

/// Sense data of one additional sense code get another.
fn resense(data: &mut [u8], from: u8, to: u8) {
    if data.len() == 18 && data[0] == 0x70 && data[12] == from {
        data[12] = to;
    }
}

/// A story, and what makes it fail.
const DEFECTS: &[(&str, Spoil)] = &[
    // The serial number's last digit becomes a letter that BOT does not allow.
    (
        "enumerate",
        Spoil {
            control: |request, data| {
                if request[1] == 6 && request[3] == 3 && request[2] == 3 && data.len() >= 26 {
                    data[24] = b'g';
                }
            },
            ..NOTHING
        },
    ),
    // wIndex is not looked at.
    (
        "class-requests",
        Spoil {
            setup: |packet| {
                if packet[0] & 0x60 == 0x20 {
                    packet[4] = 0;
                }
            },
            ..NOTHING
        },
    ),
    (
        "halts",
        Spoil {
            setup: |packet| {
                // CLEAR_FEATURE goes to another endpoint.
                if packet[..2] == [2, 1] {
                    packet[4] ^= 0x80;
                }
            },
            ..NOTHING
        },
    ),
    // An interface that does not exist is taken for the first one.
    (
        "chapter-9",
        Spoil {
            setup: |packet| {
                if packet[..2] == [1, 11] && packet[4] == 9 {
                    packet[4] = 0;
                }
            },
            ..NOTHING
        },
    ),
    // A refusal that comes once in a while for what is asked twice in a row.
    (
        "abandoned",
        Spoil {
            setup: |packet| {
                use std::sync::atomic::{AtomicU32, Ordering};
                static COUNT: AtomicU32 = AtomicU32::new(0);
                if packet[..2] == [0x80, 6] && COUNT.fetch_add(1, Ordering::Relaxed) % 64 == 63 {
                    packet[3] = 0x66;
                }
            },
            ..NOTHING
        },
    ),
    ("suspend", Spoil { resume_resets: true, ..NOTHING }),
    ("reset-resume", Spoil { resume_tells_a_reset: true, ..NOTHING }),
    // The boot regions differ from one power-up to the next.
    (
        "replug",
        Spoil {
            data: |code, packet, data| {
                if code == 0x28 && packet == 16 && data.len() == 64 {
                    use std::sync::atomic::{AtomicU8, Ordering};
                    static NEXT: AtomicU8 = AtomicU8::new(0);
                    data[0] = NEXT.fetch_add(1, Ordering::Relaxed);
                }
            },
            ..NOTHING
        },
    ),
    (
        "thirteen-cases",
        Spoil {
            data: |_, _, data| {
                if is_status(data) {
                    data[8..12].fill(0);
                }
            },
            ..NOTHING
        },
    ),
    // A wrong signature is healed.
    ("invalid-wrapper", Spoil { wrapper: |wrapper| wrapper[..4].copy_from_slice(b"USBC"), ..NOTHING }),
    (
        "not-meaningful",
        Spoil {
            wrapper: |wrapper| {
                wrapper[13] = 0;
                wrapper[14] = 6;
            },
            ..NOTHING
        },
    ),
    ("wrapper-pieces", Spoil { ignores_recovery: true, ..NOTHING }),
    ("reset-in-read", Spoil { ignores_recovery: true, ..NOTHING }),
    ("random-wrappers", Spoil { ignores_recovery: true, ..NOTHING }),
    ("bad-cable", Spoil { forgets_handshakes: true, ..NOTHING }),
    ("random-requests", Spoil { leaves_vendor_writes: true, ..NOTHING }),
    ("lost-handshakes", Spoil { arms_status_once: true, ..NOTHING }),
    ("every-opcode", Spoil { wrapper: |wrapper| turn(wrapper, 0xD7, 0), ..NOTHING }),
    (
        "inquiry",
        Spoil {
            data: |code, packet, data| {
                if code == 0x12 && packet == 0 && data.len() >= 36 {
                    data[1] &= 0x7F;
                }
            },
            ..NOTHING
        },
    ),
    // WP is 0.
    (
        "mode-sense",
        Spoil {
            data: |code, packet, data| {
                if code == 0x1A && packet == 0 && data.len() > 2 && !is_status(data) {
                    data[2] &= 0x7F;
                }
            },
            ..NOTHING
        },
    ),
    (
        "capacity",
        Spoil {
            data: |code, packet, data| {
                if code == 0x9E && packet == 0 && data.len() == 32 {
                    data[7] ^= 1;
                }
            },
            ..NOTHING
        },
    ),
    ("request-sense", Spoil { data: |_, _, data| resense(data, 0x20, 0x24), ..NOTHING }),
    // PREVENT succeeds.
    ("small-commands", Spoil { wrapper: |wrapper| turn(wrapper, 0x1E, 0), ..NOTHING }),
    ("logical-units", Spoil { wrapper: |wrapper| wrapper[13] = 0, ..NOTHING }),
    (
        "reads-agree",
        Spoil {
            data: |code, packet, data| {
                if code == 0x88 && packet == 5 && data.len() == 64 {
                    data[63] ^= 1;
                }
            },
            ..NOTHING
        },
    ),
    // The first packet of a second block is off by one bit.
    (
        "odd-reads",
        Spoil {
            data: |code, packet, data| {
                if code == 0x28 && packet == 8 && data.len() == 64 {
                    data[0] ^= 1;
                }
            },
            ..NOTHING
        },
    ),
    ("out-of-range", Spoil { data: |_, _, data| resense(data, 0x21, 0x24), ..NOTHING }),
    ("writes", Spoil { data: |_, _, data| resense(data, 0x27, 0x20), ..NOTHING }),
    ("unit-attention", Spoil { data: |_, _, data| resense(data, 0x29, 0x28), ..NOTHING }),
    ("eject", Spoil { wrapper: |wrapper| turn(wrapper, 0x1B, 0), ..NOTHING }),
];

/// Also where the host knows that the program changes files by itself: no defect passes for a medium change.
#[test]
fn each_story_fails_on_a_spoiled_device() {
    let mut missed = Vec::new();
    for (story, changing) in STORIES.iter().flat_map(|story| [(story, false), (story, true)]) {
        let spoil = DEFECTS.iter().find(|(name, _)| *name == story.name);
        let Some((_, spoil)) = spoil else {
            missed.push(format!("{}: no defect is planted for it", story.name));
            continue;
        };
        let inner = plug::open(Some(&plug::plain_manifest()), None).unwrap_or_else(|error| panic!("{error}")).link;
        let wire = Wire::new(inner, *spoil);
        let effort = Effort { random_wrappers: 500, changing, ..Effort::NATIVE };
        if story.play(wire, effort).is_ok() {
            missed.push(format!("{} (changing: {changing}): it passes", story.name));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// The wire itself spoils nothing.
#[test]
fn the_wire_is_transparent() {
    for story in STORIES {
        let inner = plug::open(Some(&plug::plain_manifest()), None).unwrap_or_else(|error| panic!("{error}")).link;
        let wire = Wire::new(inner, NOTHING);
        let effort = Effort { random_wrappers: 500, ..Effort::NATIVE };
        if let Err(error) = story.play(wire, effort) {
            panic!("{}: {error}", story.name);
        }
    }
}

/// The sweep holds on the library, and finds what the story `abandoned` finds.
#[test]
fn the_sweep_of_setup_packets_fails_on_a_spoiled_device() {
    let spoil = DEFECTS.iter().find(|(name, _)| *name == "abandoned").map(|(_, spoil)| *spoil);
    for (spoil, holds) in [(NOTHING, true), (spoil.expect("a defect is planted for it"), false)] {
        let inner = plug::open(Some(&plug::plain_manifest()), None).unwrap_or_else(|error| panic!("{error}")).link;
        let effort = Effort { random_wrappers: 2_000, ..Effort::NATIVE };
        let result = SETUP_SWEEP.play(Wire::new(inner, spoil), effort);
        assert_eq!(result.is_ok(), holds, "{result:?}");
    }
}
