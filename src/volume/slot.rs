//! One slot of the registry: what the application wants there, and what hosts see there.

use super::file::{Components, File};
use super::layout::Layout;
use super::place::Run;
use core::cell::Cell;
use critical_section::{CriticalSection, Mutex};
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::{Allocation, EntrySet, FileAttributes};
use picovd_exfat::name::Name;
use picovd_exfat::time::Timestamp;

/// The parent of what stands in the root directory.
pub(super) const ROOT: u8 = 0xFF;

/// Most components of a path: levels are counted in three bits.
pub(super) const LEVELS: usize = 8;

/// Fewest entries of a set (exFAT 6.3).
const FEWEST_ENTRIES: u8 = 3;

/// Marks a wanted slot whose contents differ from what is shown.
const CHANGED: u8 = 0x80;

/// Marks a wanted folder that the manifest gives.
const GIVEN: u8 = 0x40;

/// The level itself.
const LEVEL: u8 = 0x07;

/// A slot: room for one file of run time, or for one folder that files of run time stand in, be it one of run time or one of the
/// manifest. 32 bytes on the chip.
pub struct FileSlot<'a>(Mutex<Cell<Slot<'a>>>);

impl<'a> FileSlot<'a> {
    /// A slot without a file.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Cell::new(Slot::EMPTY)))
    }

    pub(super) fn get(&self, section: CriticalSection<'_>) -> Slot<'a> {
        self.0.borrow(section).get()
    }

    pub(super) fn set(&self, section: CriticalSection<'_>, slot: Slot<'a>) {
        self.0.borrow(section).set(slot);
    }

    /// What is there at this moment. Out of line, as what else takes a critical section in many places: it is 90 bytes each time.
    #[inline(never)]
    pub(super) fn now(&self) -> Slot<'a> {
        critical_section::with(|section| self.get(section))
    }

    /// Changes what hosts see; what the application wants may change meanwhile.
    #[inline(never)]
    pub(super) fn show(&self, shown: Option<Shown<'a>>) {
        critical_section::with(|section| {
            let mut slot = self.get(section);
            slot.set_shown(shown);
            self.set(section, slot);
        });
    }
}

impl Default for FileSlot<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a slot is wanted for: a file, or the folder that is so many components into the file's path.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub file: &'a File<'a>,
    pub level: u8,
    pub parent: u8,
    /// Whether this is a folder that the manifest gives.
    pub given: bool,
}

/// What hosts see in a slot.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub file: &'a File<'a>,
    pub level: u8,
    pub parent: u8,
    /// First cluster, counted from the window's first; the cluster itself for a folder of the manifest.
    pub first: u32,
    /// Length in bytes; 0 for a folder of the manifest: it takes none of the window.
    pub length: u32,
    /// Generation in which it was frozen.
    pub generation: u32,
    /// Moment of the change, as [`Timestamp::value`] has it.
    pub modified: u32,
    /// Number of entries of its set.
    pub entries: u8,
    pub name_hash: u16,
    pub set_checksum: u16,
}

/// Both, packed.
#[derive(Clone, Copy)]
pub(super) struct Slot<'a> {
    wanted: Option<&'a File<'a>>,
    shown: Option<&'a File<'a>>,
    first: u32,
    length: u32,
    generation: u32,
    modified: u32,
    name_hash: u16,
    set_checksum: u16,
    wanted_level: u8,
    wanted_parent: u8,
    /// The level in the low three bits, above them the number of entries.
    shown_level: u8,
    shown_parent: u8,
}

#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<FileSlot<'_>>() == 32);

impl<'a> Slot<'a> {
    const EMPTY: Self = Self {
        wanted: None,
        shown: None,
        first: 0,
        length: 0,
        generation: 0,
        modified: 0,
        name_hash: 0,
        set_checksum: 0,
        wanted_level: 0,
        wanted_parent: ROOT,
        shown_level: 0,
        shown_parent: ROOT,
    };

    pub fn wanted(&self) -> Option<Wanted<'a>> {
        let file = self.wanted?;
        let (level, given) = (self.wanted_level & LEVEL, self.wanted_level & GIVEN != 0);
        Some(Wanted { file, level, parent: self.wanted_parent, given })
    }

    /// Wants something, or nothing, there from the next generation on.
    pub fn set_wanted(&mut self, wanted: Option<Wanted<'a>>) {
        self.wanted = wanted.map(|wanted| wanted.file);
        self.wanted_level = wanted.map_or(0, |wanted| wanted.level | CHANGED | if wanted.given { GIVEN } else { 0 });
        self.wanted_parent = wanted.map_or(ROOT, |wanted| wanted.parent);
    }

    pub fn is_changed(&self) -> bool {
        self.wanted_level & CHANGED != 0
    }

    pub fn set_changed(&mut self, changed: bool) {
        self.wanted_level = self.wanted_level & !CHANGED | if changed { CHANGED } else { 0 };
    }

    pub fn shown(&self) -> Option<Shown<'a>> {
        Some(Shown {
            file: self.shown?,
            level: self.shown_level & LEVEL,
            entries: FEWEST_ENTRIES + (self.shown_level >> 3),
            parent: self.shown_parent,
            first: self.first,
            length: self.length,
            generation: self.generation,
            modified: self.modified,
            name_hash: self.name_hash,
            set_checksum: self.set_checksum,
        })
    }

    /// First cluster and length of what hosts see; nothing has no length.
    pub fn place(&self) -> (u32, u32) {
        if self.shown.is_some() { (self.first, self.length) } else { (0, 0) }
    }

    fn set_shown(&mut self, shown: Option<Shown<'a>>) {
        self.shown = shown.map(|shown| shown.file);
        if let Some(shown) = shown {
            self.shown_level = shown.level & LEVEL | shown.entries.saturating_sub(FEWEST_ENTRIES) << 3;
            self.shown_parent = shown.parent;
            self.first = shown.first;
            self.length = shown.length;
            self.generation = shown.generation;
            self.modified = shown.modified;
            self.name_hash = shown.name_hash;
            self.set_checksum = shown.set_checksum;
        }
    }
}

impl<'a> Wanted<'a> {
    /// Whether this is a folder.
    pub fn is_folder(&self) -> bool {
        self.level != 0
    }

    pub fn name(&self) -> &'a str {
        name(self.file, self.level)
    }
}

impl<'a> Shown<'a> {
    /// What is wanted, before it has a place.
    pub fn empty(wanted: Wanted<'a>) -> Self {
        let Wanted { file, level, parent, .. } = wanted;
        Self {
            file,
            level,
            parent,
            first: 0,
            length: 0,
            generation: 0,
            modified: 0,
            entries: 0,
            name_hash: 0,
            set_checksum: 0,
        }
    }

    /// Whether this is a folder.
    pub fn is_folder(&self) -> bool {
        self.level != 0
    }

    /// Whether this is a folder of the manifest.
    pub fn is_given(&self) -> bool {
        self.is_folder() && self.length == 0
    }

    /// The clusters of the window that are kept for it: folders of run time have `folder` bytes.
    pub fn run(&self, layout: &Layout<'_>, folder: u32) -> Run {
        let capacity = match self.is_folder() {
            true if self.length == 0 => 0,
            true => folder,
            false => self.file.capacity,
        };
        Run { first: self.first, count: layout.clusters(capacity) }
    }

    /// Its entry set. `window` is the cluster that the window begins with.
    pub fn entry_set(&self, window: u32) -> EntrySet<'a> {
        let (name, attributes, modified, allocation) = self.described(window);
        EntrySet::with_sums(name, attributes, modified, allocation, self.name_hash, self.set_checksum)
    }

    /// Computes both sums again.
    pub fn seal(&mut self, window: u32) {
        let (name, attributes, modified, allocation) = self.described(window);
        let set = EntrySet::new(name, attributes, modified, allocation);
        self.entries = set.entries() as u8;
        self.name_hash = set.name_hash();
        self.set_checksum = set.set_checksum();
    }

    fn described(&self, window: u32) -> (Name<'a>, FileAttributes, Timestamp, Allocation) {
        // What is registered has passed `Name::new`.
        let name = Name::again(name(self.file, self.level));
        let attributes = if self.is_folder() { FileAttributes::DIRECTORY } else { self.file.attributes() };
        // An empty file has no clusters: `contiguous` sees to it.
        let allocation = Allocation::contiguous(ClusterIndex(window.saturating_add(self.first)), self.length.into());
        (name, attributes, Timestamp::from_value(self.modified).unwrap_or(Timestamp::FIRST), allocation)
    }
}

/// The last component of the file's path, or the one of the folder at `level`.
fn name<'a>(file: &File<'a>, level: u8) -> &'a str {
    let mut components = Components::of(file.path);
    let component = if level == 0 { components.last() } else { components.nth(usize::from(level) - 1) };
    component.unwrap_or("")
}
