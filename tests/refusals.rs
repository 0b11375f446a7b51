//! A refused call leaves everything as it was. Two registries get the same calls, and one of them also those that are refused:
//! every generation of both is the same, byte for byte, from the first to the last.

use picovd::dynamic::{FromRegistry, Registered};
use std::collections::BTreeMap;
use std::time::Duration;

use picovd::block::Lba;
use picovd::bot::CommandSet;
use picovd::clock::Instant;
use picovd::device::Device;
use picovd::files::{Snapshot, Text};
use picovd::scsi::UnitIdentity;
use picovd::vd::{
    AddError, Announcing, Content, File, Files, FilesOf, NotAdded, Refresh, Timing, UpdateError, vd_add_file,
    vd_add_file_with, vd_remove_file, vd_remove_file_with, vd_rename_file, vd_rename_file_with, vd_set_clock,
    vd_update_file, vd_update_file_with,
};
use picovd::volume::layout::Layout;
use picovd::volume::{BoardIdentity, Volume};
use picovd_property::Cases;
use picovd_sim::host::exfat::check::check;
use picovd_sim::host::exfat::volume::Volume as ExfatVolume;
use picovd_sim::host::source::{BlockSource, ReadError};
use picovd_sim::memory::{Contents, SharedMemory};
use picovd_sim::tables::Tables;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Blocks straight from a volume, without USB.
struct Direct<'v, 'a>(&'v mut Volume<'a, SharedMemory, Registered<'a>>);

impl BlockSource for Direct<'_, '_> {
    fn block_count(&self) -> u64 {
        u64::from(self.0.block_count().0)
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let mut data = vec![0; count as usize * 512];
        self.0.read(Lba(lba as u32), 0, &mut data);
        Ok(data)
    }
}

const MANIFEST: &str = "
[[file]]
path = 'docs/STATIC.TXT'
text = 'It never changes.'

[dynamic]
files = 7
max-name = 15
window = '64 KiB'
";

fn layout() -> &'static Layout<'static> {
    let folder = std::path::Path::new(".");
    let manifest = picovd_manifest::read_text("refusals.toml", MANIFEST, folder).expect("the manifest is right");
    let plan = picovd_manifest::check(&manifest, None).and_then(|checked| picovd_manifest::plan(&checked));
    Tables::new(plan.expect("the manifest is right")).leak()
}

fn leak<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Contents of both kinds that keep versions.
enum Kept {
    Text(Text<'static>),
    Number(Snapshot<Padded>),
}

/// A number in so many digits.
#[derive(Clone, Copy)]
struct Padded(usize, u32);

impl std::fmt::Display for Padded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:0width$}", self.1, width = self.0)
    }
}

impl Kept {
    fn set(&self, value: u32, length: usize) {
        match self {
            Self::Text(text) => text.set(Padded(length, value).to_string().leak()),
            Self::Number(number) => number.set(Padded(length, value)),
        }
    }
}

const PATHS: [&str; 19] = [
    "A",
    "B",
    "a",
    "own/A",
    "OWN/B",
    "own/deep/C",
    "own",
    "own/deep",
    "docs/D",
    "docs/new/E",
    "docs",
    "docs/static.txt",
    "F/G",
    "F",
    "sixteen-units.ab",
    "x?",
    "NUL",
    "1/2/3/4/5/6/7/8/9",
    "p/q/r/s/t",
];

const CAPACITIES: [u32; 5] = [50, 4096, 9000, 30_000, 70_000];

/// One registry, its contents and its volume.
struct Twin {
    files: &'static Files<'static>,
    volume: Volume<'static, SharedMemory, Registered<'static>>,
    contents: Vec<&'static Kept>,
    entries: Vec<&'static File<'static>>,
}

impl Twin {
    fn new(layout: &'static Layout<'static>) -> Self {
        let files: &'static Files<'static> = leak(FilesOf::<7>::new(layout));
        vd_set_clock(files, || std::time::Duration::from_secs(1_795_256_430));
        let memory = SharedMemory::new(Contents::noise(1 << 12));
        let volume = Volume::new(layout, Some(BoardIdentity(7)), memory).with_files(Registered::of(files));
        let contents: Vec<&'static Kept> = (0..4)
            .map(|id| match id % 2 {
                0 => leak(Kept::Text(Text::new("begun"))),
                _ => leak(Kept::Number(Snapshot::new(Padded(5, id)))),
            })
            .collect();
        let mut entries: Vec<&'static File<'static>> = Vec::new();
        for (index, content) in contents.iter().enumerate() {
            let content: &'static dyn Content = match content {
                Kept::Text(text) => text,
                Kept::Number(number) => number,
            };
            for (place, path) in PATHS.iter().enumerate() {
                let capacity = CAPACITIES[(index + place) % CAPACITIES.len()];
                entries.push(leak(File::new(path, content, capacity)));
            }
        }
        Self { files, volume, contents, entries }
    }

    /// Makes a call; the error's name where it is refused.
    fn call(&self, call: Call) -> Result<(), String> {
        let entry = |index: usize| self.entries[index];
        match call {
            Call::Add(index) => vd_add_file(self.files, entry(index)).map_err(|error| format!("{error:?}, add")),
            Call::Remove(index) => {
                vd_remove_file(self.files, entry(index)).map_err(|NotAdded { .. }| "remove".to_owned())
            }
            Call::Rename(old, new) => {
                vd_rename_file(self.files, entry(old), entry(new)).map_err(|error| format!("{error:?}, rename"))
            }
            Call::Update(index, ..) => {
                vd_update_file(self.files, entry(index)).map_err(|error| format!("{error:?}, update"))
            }
        }
    }

    /// Gives contents a value, before they are updated.
    fn set(&self, call: Call) {
        if let Call::Update(index, value, length) = call {
            self.contents[index / PATHS.len()].set(value, length);
        }
    }

    fn update(&self, index: usize, value: u32, length: usize) -> Result<(), String> {
        let call = Call::Update(index, value, length);
        self.set(call);
        self.call(call)
    }

    fn generation(&mut self, number: u64) -> Vec<u8> {
        self.volume.begin_generation(Instant(number));
        let mut image = vec![0; self.volume.block_count().bytes() as usize];
        self.volume.read(Lba(0), 0, &mut image);
        image
    }
}

#[derive(Clone, Copy, Debug)]
enum Call {
    Add(usize),
    Remove(usize),
    Rename(usize, usize),
    /// With the value and the length that the contents get before.
    Update(usize, u32, usize),
}

/// Something to do with files of which it is not known yet which ones are registered.
#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    Remove(Which),
    Rename(Which, usize),
    Update(Which, usize),
    /// A generation begins.
    Begin,
}

/// A file: one of those that are registered, if there are any, or any.
#[derive(Clone, Copy, Debug)]
enum Which {
    Registered(Index),
    Any(usize),
}

impl Which {
    fn of(self, registered: &[usize]) -> usize {
        match self {
            Self::Registered(index) if registered.is_empty() => index.index(ENTRIES),
            Self::Registered(index) => *index.get(registered),
            Self::Any(entry) => entry,
        }
    }
}

/// Contents, each with every path.
const ENTRIES: usize = 4 * PATHS.len();

fn step() -> impl Strategy<Value = Step> {
    let which = || prop_oneof![3 => any::<Index>().prop_map(Which::Registered), 1 => (0..ENTRIES).prop_map(Which::Any)];
    let lengths = select(&[5, 50, 51, 4096, 4097, 9001][..]);
    prop_oneof![
        8 => (0..ENTRIES).prop_map(Step::Add),
        4 => which().prop_map(Step::Remove),
        4 => (which(), 0..ENTRIES).prop_map(|(old, new)| Step::Rename(old, new)),
        4 => (which(), lengths).prop_map(|(which, length)| Step::Update(which, length)),
        5 => Just(Step::Begin),
    ]
}

#[test]
fn a_refused_call_leaves_everything_as_it_was() {
    let layout = layout();
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    Cases { count: 40, seed: 0 }.check(prop::collection::vec(step(), 1..=300), |steps| {
        let (mut bothered, mut spared) = (Twin::new(layout), Twin::new(layout));
        assert_eq!(bothered.entries.len(), ENTRIES);
        let mut registered: Vec<usize> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let call = match step {
                Step::Add(index) => Call::Add(index),
                Step::Remove(which) => Call::Remove(which.of(&registered)),
                Step::Rename(old, new) => Call::Rename(old.of(&registered), new),
                Step::Update(which, length) => Call::Update(which.of(&registered), number as u32, length),
                Step::Begin => {
                    let number = number as u64;
                    assert!(bothered.generation(number) == spared.generation(number), "images differ at step {number}");
                    continue;
                }
            };
            // What is not registered does not change: its contents may be another file's, too.
            let changes = matches!(call, Call::Update(index, ..) if registered.contains(&index));
            if changes {
                bothered.set(call);
            }
            match bothered.call(call) {
                Ok(()) => {
                    spared.set(call);
                    assert_eq!(spared.call(call), Ok(()), "{call:?} at step {number}");
                    match call {
                        Call::Add(index) => registered.push(index),
                        Call::Remove(index) => registered.retain(|other| *other != index),
                        Call::Rename(old, new) => {
                            registered.retain(|other| *other != old);
                            registered.push(new);
                        }
                        Call::Update(..) => {}
                    }
                }
                Err(error) => *refused.entry(error).or_default() += 1,
            }
        }
        let findings = check(&mut Direct(&mut bothered.volume)).expect("every block can be read");
        assert!(findings.is_empty(), "{findings:?}");
    });
    let all = [
        "InvalidPath, add",
        "Unportable, add",
        "NameTooLong, add",
        "NameTaken, add",
        "AlreadyAdded, add",
        "TooManyFiles, add",
        "NoRoom, add",
        "TooLong, add",
        "InvalidPath, rename",
        "Unportable, rename",
        "NameTooLong, rename",
        "NameTaken, rename",
        "AlreadyAdded, rename",
        "NotAdded, rename",
        "TooManyFiles, rename",
        "NoRoom, rename",
        "TooLong, rename",
        "NotAdded, update",
        "TooLong, update",
        "remove",
    ];
    let unseen: Vec<&str> = all.into_iter().filter(|error| !refused.contains_key(*error)).collect();
    assert!(unseen.is_empty(), "{unseen:?} never came: {refused:?}");
}

/// What a volume shows of a file in its root directory.
fn read(twin: &mut Twin, path: &str) -> Vec<u8> {
    let mut source = Direct(&mut twin.volume);
    let mut reader = ExfatVolume::open(&mut source).expect("it is an exFAT volume");
    let node = reader.find(path).expect("it is there");
    reader.read_file(&node).expect("it can be read")
}

#[test]
fn an_update_that_is_too_long_leaves_what_was_accepted_last() {
    let layout = layout();
    for content in 0..2 {
        // "A" has a capacity of 50 or of 4096 bytes.
        let index = content * PATHS.len();
        let long = CAPACITIES[content] as usize + 1;
        let begun = ["begun", "00001"][content].as_bytes();
        // Before any generation, and with the next change of something else.
        let mut twin = Twin::new(layout);
        assert_eq!(twin.call(Call::Add(index)), Ok(()));
        assert_eq!(twin.update(index, 7, long), Err("TooLong, update".to_owned()));
        twin.generation(1);
        assert_eq!(read(&mut twin, "A"), begun);
        // What is accepted and not yet shown stays, too.
        assert_eq!(twin.update(index, 8, 5), Ok(()));
        assert_eq!(twin.update(index, 9, long), Err("TooLong, update".to_owned()));
        twin.generation(2);
        assert_eq!(read(&mut twin, "A"), b"00008");
        assert_eq!(twin.update(index, 9, long), Err("TooLong, update".to_owned()));
        twin.generation(3);
        assert_eq!(read(&mut twin, "A"), b"00008");
        // It can still be renamed: what was refused is gone.
        assert_eq!(twin.call(Call::Rename(index, index + 1)), Ok(()));
        twin.generation(4);
        assert_eq!(read(&mut twin, "B"), b"00008");
    }
}

#[test]
fn contents_that_grow_past_their_capacity_after_they_were_accepted_are_cut() {
    let mut twin = Twin::new(layout());
    assert_eq!(twin.call(Call::Add(0)), Ok(()));
    twin.contents[0].set(3, 60);
    twin.generation(1);
    assert_eq!(read(&mut twin, "A"), [b'0'; 50]);
    assert_eq!(vd_update_file(twin.files, twin.entries[0]), Err(UpdateError::TooLong));
    assert_eq!(vd_add_file(twin.files, twin.entries[0]), Err(AddError::AlreadyAdded));
}

/// Hosts are notified of what was done, and of no call that was refused, whatever way of announcing it asked for.
#[test]
fn a_refused_call_is_not_announced() {
    let Twin { files, volume, contents, entries } = Twin::new(layout());
    let at_once =
        Announcing { refresh: Refresh::Attention, timing: Timing::new(Duration::ZERO, Duration::ZERO, Duration::ZERO) };
    let unit = UnitIdentity { vendor: "V", product: "P", revision: "1", serial: "0123456789AB" };
    let mut device = Device::new(volume, unit, at_once);
    // A host has looked.
    device.begin(0, &[0; 6]);
    device.end();
    let mut now = 0;
    let mut generation = || {
        now += 10_000_000;
        let again = device.poll(Instant(now)).again;
        (device.volume().generation().number, again.is_some())
    };
    assert_eq!(vd_add_file(files, entries[0]), Ok(()));
    let turned = generation();
    assert!(turned.1, "a change begins a generation");
    let before = generation();
    assert_eq!(before, (turned.0, false));
    let mut refused = 0;
    let mut expect = |refusal: bool, what: &str| {
        assert!(refusal, "{what} was not refused");
        assert_eq!(generation(), before, "{what} was refused, and announced");
        refused += 1;
    };
    // "A" is registered. The others are in its place, need other names, or are not registered.
    let at = |path: &str| entries[PATHS.iter().position(|other| *other == path).expect("it is one of them")];
    for path in ["A", "a", "x?", "NUL", "sixteen-units.ab", "docs/static.txt", "1/2/3/4/5/6/7/8/9"] {
        let file = at(path);
        expect(vd_add_file(files, file).is_err(), path);
        expect(vd_add_file_with(files, file, at_once).is_err(), path);
        // Another way to write its own name is a new name for it.
        if path != "a" {
            expect(vd_rename_file(files, at("A"), file).is_err(), path);
            expect(vd_rename_file_with(files, at("A"), file, at_once).is_err(), path);
        }
    }
    for other in [at("B"), at("own/A")] {
        expect(vd_rename_file(files, other, at("F")).is_err(), "a rename of what is not there");
        expect(vd_rename_file_with(files, other, at("F"), at_once).is_err(), "a rename of what is not there");
        expect(vd_update_file(files, other).is_err(), "an update of what is not there");
        expect(vd_update_file_with(files, other, at_once).is_err(), "an update of what is not there");
        expect(vd_remove_file(files, other).is_err(), "a removal of what is not there");
        expect(vd_remove_file_with(files, other, at_once).is_err(), "a removal of what is not there");
    }
    for with in [false, true] {
        // The capacity of "A" is 50 bytes.
        contents[0].set(7, 51);
        let update = if with { vd_update_file_with(files, at("A"), at_once) } else { vd_update_file(files, at("A")) };
        expect(update == Err(UpdateError::TooLong), "an update that is too long");
    }
    assert!(refused > 30, "{refused} calls");
    contents[0].set(7, 5);
    assert_eq!(vd_update_file(files, at("A")), Ok(()));
    assert_eq!(generation(), (before.0 + 1, true), "what was done is announced");
}
