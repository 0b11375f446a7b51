//! The device with dynamic files, as a host sees it command by command.

mod asked;

use super::*;
use crate::announcement::{Announcing, Refresh, Timing};
use crate::block::BLOCK_LENGTH;
use crate::clock::Milliseconds;
use crate::dynamic::{AddError, File, Files, FilesOf, FromRegistry, Registered};
use crate::files::Text;
use crate::vd::{vd_add_file, vd_remove_file, vd_rename_file, vd_update_file};
use crate::volume::layout::{ClusterIndex, Directory, Draft, DynamicWindow, Gap, Layout, Region, RegionKind};
extern crate std;
use std::boxed::Box;
use std::sync::LazyLock;
use std::vec;
use std::vec::Vec;

/// No memory windows.
struct NoMemory;

impl Memory for NoMemory {
    fn read(&self, _: u32, out: &mut [u8]) {
        out.fill(0xEE);
    }
}

const ROOT_FIRST: u32 = 4;
const WINDOW_FIRST: u32 = 5;
/// Between the places where disks are probed, as the window is.
const HEAP: u32 = 1200;
const END: u32 = HEAP + 24 + 8 * 16;
const EXCESS: u32 = 1200;

static REGIONS: [Region<'static>; 5] = [
    Region { first: Lba(0), length: BlockCount(HEAP + 8), kind: RegionKind::Unused(Gap::Alignment) },
    Region { first: Lba(HEAP + 8), length: BlockCount(8), kind: RegionKind::Upcase },
    Region {
        first: Lba(HEAP + 16),
        length: BlockCount(8),
        kind: RegionKind::Directory(Directory { entries: &[0x83; 32], root: true }),
    },
    Region { first: Lba(HEAP + 24), length: BlockCount(8 * 16), kind: RegionKind::Dynamic },
    Region { first: Lba(END), length: BlockCount(EXCESS), kind: RegionKind::Unused(Gap::Excess) },
];

static LAYOUT: LazyLock<Layout<'static>> = LazyLock::new(|| Layout::of(draft().leak()));

fn draft() -> Draft<'static> {
    Draft {
        volume_length: END + EXCESS,
        fat_length: 1,
        cluster_heap_offset: HEAP,
        cluster_count: 19,
        first_cluster_of_root_directory: ROOT_FIRST,
        volume_serial_number: 0x1234_5600,
        timestamp: 0x5C21_0000,
        chain_ends: &[2, 3, 4],
        regions: REGIONS.to_vec(),
        dynamic: DynamicWindow {
            first_cluster: ClusterIndex(WINDOW_FIRST),
            cluster_count: 16,
            slots: 4,
            entries: 12,
            slot_entries: 3,
        },
        ..Draft::default()
    }
}

const UNIT: UnitIdentity<'static> = UnitIdentity { vendor: "V", product: "P", revision: "1", serial: "0123456789AB" };

fn announcing(refresh: Refresh) -> Announcing {
    Announcing {
        refresh,
        timing: Timing {
            quiet: Milliseconds(500),
            max_age: Milliseconds(5_000),
            hold: Milliseconds(10_000),
            max_hold: Milliseconds(10_000),
        },
    }
}

struct Bench {
    device: Device<'static, NoMemory, Registered<'static>>,
    files: &'static Files<'static>,
    now: u64,
    reconnects: u32,
}

impl Bench {
    fn new(refresh: Refresh) -> Self {
        let files: &'static Files<'static> = Box::leak(Box::new(FilesOf::<4>::new(&LAYOUT)));
        let device = Device::new(
            Volume::new(&LAYOUT, None, NoMemory).with_files(Registered::of(files)),
            UNIT,
            announcing(refresh),
        );
        Self { device, files, now: 0, reconnects: 0 }
    }

    /// Lets milliseconds pass, with a poll in each of them; in Miri, which is slow, in every fiftieth.
    fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            self.now += if cfg!(miri) { (end - self.now).min(50) } else { 1 };
            self.reconnects += u32::from(self.device.poll(Instant(self.now * 1000)).reconnect);
        }
    }

    /// Runs a command to its end. Returns its data, or its sense key and additional sense code.
    fn command(&mut self, cdb: &[u8]) -> Result<Vec<u8>, (u8, u8)> {
        let Intent::In(length) = self.device.begin(0, cdb) else { panic!("a device that only sends") };
        let mut data = vec![0; length as usize];
        for packet in data.chunks_mut(64) {
            self.device.data_in(packet);
        }
        if self.device.end() {
            return Ok(data);
        }
        let sense = self.command(&[0x03, 0, 0, 0, 18, 0]).expect("REQUEST SENSE always passes");
        Err((sense[2] & 0xF, sense[12]))
    }

    fn ready(&mut self) -> Result<(), (u8, u8)> {
        self.command(&[0; 6]).map(drop)
    }

    fn read(&mut self, lba: u32) -> Result<Vec<u8>, (u8, u8)> {
        let [a, b, c, d] = lba.to_be_bytes();
        self.command(&[0x28, 0, a, b, c, d, 0, 0, 1, 0])
    }

    /// Consumes power-on's unit attention.
    fn attach(&mut self) {
        assert_eq!(self.ready(), Err((6, 0x29)));
        assert_eq!(self.ready(), Ok(()));
    }

    /// The in-use entry sets of the root directory: name, first cluster, length.
    fn listing(&mut self) -> Vec<(std::string::String, u32, u64)> {
        let block = self.read(HEAP + 16).expect("the directory can be read");
        let mut found = Vec::new();
        for set in block[32..].windows(96).step_by(32).filter(|set| set[0] == 0x85) {
            let units: Vec<u16> = set[66..96].chunks(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
            let name = std::string::String::from_utf16(&units[..usize::from(set[35])]).expect("UTF-16");
            let first = u32::from_le_bytes(set[52..56].try_into().expect("four bytes"));
            let length = u64::from_le_bytes(set[56..64].try_into().expect("eight bytes"));
            found.push((name, first, length));
        }
        found
    }

    /// The bytes of a file of less than a block.
    fn contents(&mut self, name: &str) -> Vec<u8> {
        let (_, first, length) = self.listing().into_iter().find(|file| file.0 == name).expect("the file is there");
        let mut block = self.read(HEAP + (first - 2) * 8).expect("the file can be read");
        assert!(block[length as usize..].iter().all(|byte| *byte == 0));
        block.truncate(length as usize);
        block
    }
}

/// A file for the rest of the test, and its text.
fn file(path: &'static str, text: &'static str) -> (&'static File<'static>, &'static Text<'static>) {
    let content: &'static Text<'static> = Box::leak(Box::new(Text::new(text)));
    (Box::leak(Box::new(File::new(path, content, 4096))), content)
}

#[test]
fn what_is_registered_before_the_host_looks_is_there_immediately() {
    let mut bench = Bench::new(Refresh::Auto);
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(2);
    bench.attach();
    assert_eq!(bench.listing(), [("NOTE.TXT".into(), WINDOW_FIRST, 5)]);
    assert_eq!(bench.contents("NOTE.TXT"), b"hello");
    assert_eq!(bench.read(0).map(|block| block.len()), Ok(BLOCK_LENGTH));
}

#[test]
fn attention_shows_a_change_once_after_quiet() {
    let mut bench = Bench::new(Refresh::Attention);
    let (note, text) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(2);
    bench.attach();
    text.set("good-bye");
    vd_update_file(bench.files, note).expect("it is registered");
    bench.pass(400);
    assert_eq!(bench.contents("NOTE.TXT"), b"hello", "not yet");
    // A file that was just read delays the change by another half second.
    bench.pass(450);
    assert_eq!(bench.ready(), Ok(()));
    bench.pass(200);
    assert_eq!(bench.ready(), Err((6, 0x28)));
    assert_eq!(bench.ready(), Ok(()));
    let first = bench.listing()[0].1;
    assert_ne!(first, WINDOW_FIRST, "a changed file is in another cluster");
    assert_eq!(bench.contents("NOTE.TXT"), b"good-bye");
    bench.pass(30_000);
    assert_eq!(bench.ready(), Ok(()), "reported once");
}

#[test]
fn reinsert_waits_until_the_host_has_looked_and_a_while_longer() {
    let mut bench = Bench::new(Refresh::Reinsert);
    bench.attach();
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(600);
    bench.pass(60_000);
    assert_eq!(bench.ready(), Err((2, 0x3A)));
    bench.pass(2_400);
    assert_eq!(bench.ready(), Err((2, 0x3A)));
    assert_eq!(bench.command(&[0x12, 0, 0, 0, 36, 0]).map(|data| data.len()), Ok(36), "INQUIRY always passes");
    bench.pass(200);
    assert_eq!(bench.ready(), Err((6, 0x28)));
    assert_eq!(bench.ready(), Ok(()));
    assert_eq!(bench.contents("NOTE.TXT"), b"hello");
    assert_eq!(bench.reconnects, 0);
}

#[test]
fn auto_reconnects_if_the_host_does_not_look() {
    let mut bench = Bench::new(Refresh::Auto);
    bench.attach();
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(5_400);
    assert_eq!(bench.reconnects, 0);
    bench.pass(200);
    assert_eq!(bench.reconnects, 1);
    bench.device.bus_reset();
    assert_eq!(bench.ready(), Err((6, 0x28)));
    assert_eq!(bench.contents("NOTE.TXT"), b"hello");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn hold_keeps_announcements_apart() {
    let mut bench = Bench::new(Refresh::Attention);
    let (note, text) = file("NOTE.TXT", "0");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(1);
    bench.attach();
    let mut notified = Vec::new();
    for turn in 0..40_000u64 {
        if turn % 100 == 0 {
            text.set(if turn % 200 == 0 { "a" } else { "b" });
            vd_update_file(bench.files, note).expect("it is registered");
        }
        bench.pass(1);
        if bench.ready() == Err((6, 0x28)) {
            notified.push(turn);
        }
    }
    assert!(notified.windows(2).all(|pair| pair[1] - pair[0] >= 10_000), "{notified:?}");
    assert!(notified.len() >= 3, "{notified:?}");
    assert!(notified[0] <= 5_001, "max-age: {notified:?}");
}

#[test]
fn reads_of_free_clusters_delay_an_announcement_as_well() {
    let mut bench = Bench::new(Refresh::Attention);
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(1);
    bench.attach();
    bench.pass(20_000);
    let (other, _) = file("OTHER.TXT", "");
    vd_add_file(bench.files, other).expect("there is room");
    for _ in 0..30 {
        assert!(bench.read(HEAP + 24 + 8 * 15).is_ok(), "the window's last cluster is free");
        bench.pass(300);
    }
    bench.pass(501);
    assert_eq!(bench.ready(), Err((6, 0x28)));
}

#[test]
fn a_mount_counts_as_reading_once() {
    let mut bench = Bench::new(Refresh::Attention);
    bench.attach();
    let mut notified_after = |mounts: usize| {
        bench.pass(20_000);
        let (note, _) = file(if mounts == 1 { "NOTE.TXT" } else { "OTHER.TXT" }, "hello");
        vd_add_file(bench.files, note).expect("there is room");
        bench.pass(400);
        assert!(bench.read(HEAP + 8).is_ok(), "the up-case table can be read");
        let mut passed = 400;
        while bench.ready().is_ok() && passed < 60_000 {
            bench.pass(50);
            passed += 50;
        }
        passed
    };
    assert!((4_400..4_600).contains(&notified_after(1)), "programs have time to open what they look for");
    assert!((500..700).contains(&notified_after(2)), "the driver has it already");
}

/// Linux goes on with the volume before while a program has one of its files open: the medium goes once more, and for longer.
#[test]
fn an_announcement_that_nobody_follows_is_made_again() {
    for follows in [true, false] {
        let mut bench = Bench::new(Refresh::Auto);
        let (note, _) = file("NOTE.TXT", "hello");
        vd_add_file(bench.files, note).expect("there is room");
        bench.pass(1);
        bench.attach();
        // The driver.
        bench.read(HEAP + 8).expect("the up-case table can be read");
        vd_update_file(bench.files, note).expect("it is registered");
        // Whether the medium is there, looked at each half second: the lengths of its absences in half seconds.
        let mut absences = vec![0];
        for step in 0..240 {
            if step == 60 {
                vd_update_file(bench.files, note).expect("it is registered");
            }
            bench.pass(500);
            match bench.ready() {
                Err((2, 0x3A)) => *absences.last_mut().expect("one") += 1,
                Err((6, 0x28)) => {
                    absences.push(0);
                    if follows || step < 60 {
                        bench.read(HEAP + 8).expect("the up-case table can be read");
                    }
                }
                other => assert_eq!(other, Ok(())),
            }
        }
        let expected: &[std::ops::Range<u32>] = if follows { &[4..8, 4..8, 0..1] } else { &[4..8, 4..8, 14..18, 0..1] };
        assert_eq!(absences.len(), expected.len(), "{absences:?}");
        assert!(absences.iter().zip(expected).all(|(length, expected)| expected.contains(length)), "{absences:?}");
    }
}

/// Linux's driver would take the file for the one that was there, which a program may have open.
#[test]
fn an_entry_set_moves_in_each_generation() {
    let mut bench = Bench::new(Refresh::Attention);
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(1);
    bench.attach();
    let mut places = std::collections::BTreeSet::new();
    let mut before = None;
    for _ in 0..10 {
        let block = bench.read(HEAP + 16).expect("the directory can be read");
        let place = block.chunks(32).position(|entry| entry[0] == 0x85);
        assert!(block.chunks(32).take(place.expect("the file is there")).skip(1).all(|entry| entry[0] == 0x05));
        assert_ne!(place, before);
        places.insert(place);
        before = place;
        vd_update_file(bench.files, note).expect("it is registered");
        bench.pass(100_000);
        assert_eq!(bench.ready(), Err((6, 0x28)));
        bench.ready().expect("it is reported once");
    }
    assert!(places.len() > 4, "a file that stays open for some generations");
}

#[test]
fn a_running_read_ends_on_its_generation() {
    let mut bench = Bench::new(Refresh::Attention);
    let (note, text) =
        file("NOTE.TXT", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(1);
    bench.attach();
    let lba = HEAP + (WINDOW_FIRST - 2) * 8;
    let [a, b, c, d] = lba.to_be_bytes();
    assert_eq!(bench.device.begin(0, &[0x28, 0, a, b, c, d, 0, 0, 1, 0]), Intent::In(512));
    let mut packet = [0; 64];
    bench.device.data_in(&mut packet);
    text.set("b");
    vd_update_file(bench.files, note).expect("it is registered");
    bench.pass(100_000);
    for expected in [&b"aaaaaaaaaaaaaaaa"[..], &[0; 16]] {
        bench.device.data_in(&mut packet);
        assert_eq!(&packet[..16], expected);
    }
    assert!(bench.device.end());
    bench.pass(60_501);
    assert_eq!(bench.ready(), Err((6, 0x28)));
}

#[test]
fn an_ejected_medium_comes_back_when_the_application_or_the_host_wants_it() {
    let mut bench = Bench::new(Refresh::Auto);
    bench.attach();
    let eject = [0x1B, 0, 0, 0, 2, 0];
    assert!(bench.command(&eject).is_ok());
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(20_000);
    assert_eq!(bench.ready(), Err((2, 0x3A)), "a change does not bring it back");
    bench.files.insert();
    bench.pass(1);
    assert_eq!(bench.ready(), Err((6, 0x28)));
    assert_eq!(bench.contents("NOTE.TXT"), b"hello");
    assert_eq!(bench.reconnects, 0);
}

#[test]
fn folders_come_with_their_files_and_go_with_the_last() {
    let mut bench = Bench::new(Refresh::Attention);
    let (inner, _) = file("sensors/ONE.TXT", "1");
    let (other, _) = file("Sensors/TWO.TXT", "2");
    vd_add_file(bench.files, inner).expect("there is room");
    vd_add_file(bench.files, other).expect("the folder's case does not matter");
    bench.pass(1);
    bench.attach();
    let listing = bench.listing();
    assert_eq!(listing.len(), 1);
    assert_eq!((listing[0].0.as_str(), listing[0].2), ("sensors", 4096));
    let folder = bench.read(HEAP + (listing[0].1 - 2) * 8).expect("a folder can be read");
    assert_eq!(folder.chunks(96).filter(|set| set[0] == 0x85).count(), 2);
    vd_remove_file(bench.files, inner).expect("it is registered");
    vd_remove_file(bench.files, other).expect("it is registered");
    bench.pass(20_000);
    assert_eq!(bench.ready(), Err((6, 0x28)));
    assert_eq!(bench.listing(), []);
}

#[test]
fn names_of_other_letters_are_taken_for_their_twins_through_all_generations() {
    let files: &'static Files<'static> = Box::leak(Box::new(FilesOf::<4>::new(&LAYOUT)));
    let mut volume = Volume::new(&LAYOUT, None, NoMemory).with_files(Registered::of(files));
    // The kelvin sign and K; one letter in two cases; a letter and its decomposition.
    for (one, other) in [("\u{212A}", "K"), ("\u{E4}.x", "\u{C4}.X"), ("e\u{301}", "\u{E9}")] {
        for (one, other) in [(one, other), (other, one)] {
            let ((first, _), (second, _)) = (file(one, "1"), file(other, "2"));
            assert_eq!(vd_add_file(files, first), Ok(()));
            for moment in 0..4 {
                assert_eq!(vd_add_file(files, second), Err(AddError::NameTaken), "{one:?} {other:?} {moment}");
                if moment == 2 {
                    assert_eq!(vd_update_file(files, first), Ok(()));
                }
                volume.begin_generation(Instant(moment));
            }
            assert_eq!(vd_rename_file(files, first, second), Ok(()), "it leaves the name");
            assert_eq!(vd_remove_file(files, second), Ok(()));
        }
    }
}

#[test]
fn every_wrong_registration_is_refused_and_changes_nothing() {
    use crate::dynamic::{NotAdded, UpdateError};
    let bench = Bench::new(Refresh::Auto);
    let files = bench.files;
    let add = |path, capacity| {
        let text: &'static Text<'static> = Box::leak(Box::new(Text::new("12345")));
        vd_add_file(files, Box::leak(Box::new(File::new(path, text, capacity))))
    };
    for path in ["", "a//b", "a/", "x?", "..", "a/./b", "1/2/3/4/5/6/7/8/9"] {
        assert_eq!(add(path, 5), Err(AddError::InvalidPath), "{path:?}");
    }
    for path in ["CON", "aux.log", "COM\u{B9}.txt", "conin$", "a.", "a ", "NUL/x", "a/b\u{202E}", "\u{7F}"] {
        assert_eq!(add(path, 5), Err(AddError::Unportable), "{path:?}");
    }
    assert_eq!(add("sixteen-units.ab", 5), Err(AddError::NameTooLong));
    assert_eq!(files.announced(), 0, "what is refused is not announced");
    assert_eq!(add("A", 4), Err(AddError::TooLong));
    assert_eq!(add("A", 4096 * 16 + 1), Err(AddError::NoRoom));
    assert_eq!(add("a/b/c/d/e", 5), Err(AddError::TooManyFiles));
    assert_eq!(add("A", 4096 * 14), Ok(()));
    assert_eq!(add("a", 5), Err(AddError::NameTaken));
    assert_eq!(add("a/b", 5), Err(AddError::NameTaken));
    assert_eq!(add("B", 4096 * 2 + 1), Err(AddError::NoRoom));
    let (known, text) = file("K", "k");
    assert_eq!(vd_update_file(files, known), Err(UpdateError::NotAdded));
    assert_eq!(vd_remove_file(files, known), Err(NotAdded));
    assert_eq!(vd_add_file(files, known), Ok(()));
    assert_eq!(vd_add_file(files, known), Err(AddError::AlreadyAdded));
    text.set(std::string::String::leak("x".repeat(4097)));
    assert_eq!(vd_update_file(files, known), Err(UpdateError::TooLong));
    let (renamed, _) = file("A", "k");
    assert_eq!(vd_rename_file(files, known, renamed), Err(AddError::NameTaken));
    assert_eq!(vd_update_file(files, known), Ok(()), "it is still registered, with what was accepted last");
    let (unknown, _) = file("U", "u");
    let (renamed, _) = file("NUL", "k");
    assert_eq!(vd_rename_file(files, known, renamed), Err(AddError::Unportable));
    // The kelvin sign: macOS takes it for a K.
    assert_eq!(add("\u{212A}", 5), Err(AddError::NameTaken));
    assert_eq!(add("\u{E9}", 0), Err(AddError::TooLong));
    let (renamed, _) = file("R", "k");
    assert_eq!(vd_rename_file(files, unknown, renamed), Err(AddError::NotAdded));
    assert_eq!(vd_rename_file(files, known, known), Err(AddError::AlreadyAdded));
    assert_eq!(files.announced(), 3, "A, K and its update");
    assert_eq!(vd_rename_file(files, known, renamed), Ok(()));
    assert_eq!(vd_remove_file(files, renamed), Ok(()));
    assert_eq!(files.announced(), 5);
}
