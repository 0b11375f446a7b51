//! One slot of the registry: what the application wants there, and what hosts see there.

use super::allocator::Run;
use super::file::{Components, File};
use crate::volume::layout::Layout;
use core::cell::Cell;
use critical_section::{CriticalSection, Mutex};
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::{Allocation, EntrySet, FileAttributes};
use picovd_exfat::name::Name;
use picovd_exfat::time::Timestamp;

/// The parent of entries in the root directory.
pub(super) const ROOT: u8 = 0xFF;

/// Maximum number of components of a path: levels are stored in three bits.
pub(super) const LEVELS: usize = 8;

/// Minimum number of entries of a set (exFAT 6.3).
const FEWEST_ENTRIES: u8 = 3;

/// Mask for the level; the number of entries is in the bits above it.
const LEVEL: u8 = 0x07;

/// Marks a wanted slot whose contents differ from what is shown.
const CHANGED: u8 = 0x01;

/// Marks a wanted folder of the manifest.
const GIVEN: u8 = 0x02;

/// Marks a wanted slot whose name is not all ASCII.
const FOREIGN: u8 = 0x04;

/// The flags that the application changes. The others belong to the generation that begins.
const WANTED: u8 = CHANGED | GIVEN | FOREIGN;

/// Taken: contents have to be frozen.
const FRESH: u8 = 0x10;

/// Taken: hosts see something else here from now on. Until it has clusters of its own, the slot keeps those that hosts
/// know.
const MOVED: u8 = 0x20;

/// Taken: hosts see nothing here from now on.
const GONE: u8 = 0x40;

/// Taken or shown: a folder of the manifest.
const TAKEN_GIVEN: u8 = 0x80;

/// A slot: storage for one dynamic file, or for one folder that contains dynamic files, whether it is a dynamic one or one
/// of the manifest. 36 bytes on the chip.
pub struct FileSlot<'a>(Mutex<Slot<'a>>);

impl<'a> FileSlot<'a> {
    /// A slot without a file.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Slot::new()))
    }

    pub(super) fn borrow<'s>(&'s self, section: CriticalSection<'s>) -> &'s Slot<'a> {
        self.0.borrow(section)
    }

    /// What hosts see now. Not inlined, like other critical sections that are used in many places: each is 90 bytes.
    #[inline(never)]
    pub(super) fn shown(&self) -> Option<Shown<'a>> {
        critical_section::with(|section| self.borrow(section).shown())
    }

    /// What [`Slot::take`] has left to be done; `None` for a slot that shows nothing to hosts, now and in this generation.
    #[inline(never)]
    pub(super) fn taken(&self) -> Option<Taken<'a>> {
        critical_section::with(|section| self.borrow(section).taken())
    }

    /// Changes what hosts see; the application may change what it wants at the same time.
    #[inline(never)]
    pub(super) fn show(&self, shown: Option<Shown<'a>>) {
        critical_section::with(|section| self.borrow(section).set_shown(shown));
    }
}

impl Default for FileSlot<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What a slot is wanted for: a file, or the folder at that level of the file's path.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub file: &'a File<'a>,
    pub level: u8,
    pub parent: u8,
    /// Whether this is a folder of the manifest.
    pub given: bool,
    /// Number of entries of its entry set.
    pub entries: u8,
    /// NameHash (exFAT 7.6.4) of its name.
    pub hash: u16,
    /// Whether its name is all ASCII.
    pub ascii: bool,
}

/// What hosts see in a slot.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    pub file: &'a File<'a>,
    pub level: u8,
    pub parent: u8,
    /// Whether location and length are still those of what hosts saw here before.
    pub moved: bool,
    /// First cluster, counted from the window's first; the cluster itself for a folder of the manifest.
    pub first: u32,
    /// Length in bytes; 0 for a folder of the manifest, which does not use the window.
    pub length: u32,
    /// The generation in which it was frozen. For a folder of the manifest: length in bytes of its dynamic entries.
    pub generation: u32,
    /// Time of the change, as [`Timestamp::value`].
    pub modified: u32,
    /// Number of entries of its entry set.
    pub entries: u8,
    /// NameHash (exFAT 7.6.4). For a folder of the manifest: number of unused entries before its dynamic entries.
    pub name_hash: u16,
    pub set_checksum: u16,
}

/// A slot while a generation begins.
pub(super) struct Taken<'a> {
    pub shown: Shown<'a>,
    /// Whether it is no longer to be shown.
    pub gone: bool,
    /// Whether contents have to be frozen.
    pub fresh: bool,
    /// Whether this is a folder of the manifest.
    pub given: bool,
}

/// What is wanted and what is shown, packed.
pub(super) struct Slot<'a> {
    wanted: Cell<Option<&'a File<'a>>>,
    shown: Cell<Option<&'a File<'a>>>,
    first: Cell<u32>,
    length: Cell<u32>,
    generation: Cell<u32>,
    modified: Cell<u32>,
    wanted_hash: Cell<u16>,
    name_hash: Cell<u16>,
    set_checksum: Cell<u16>,
    /// The level in the low three bits, above them the number of entries.
    wanted_level: Cell<u8>,
    wanted_parent: Cell<u8>,
    /// Number of wanted slots in this folder.
    children: Cell<u8>,
    /// As `wanted_level`.
    shown_level: Cell<u8>,
    shown_parent: Cell<u8>,
    flags: Cell<u8>,
}

#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<FileSlot<'_>>() == 36);

/// Level and number of entries, packed.
const fn packed(level: u8, entries: u8) -> u8 {
    level & LEVEL | entries.saturating_sub(FEWEST_ENTRIES) << 3
}

const fn level(packed: u8) -> u8 {
    packed & LEVEL
}

const fn entries(packed: u8) -> u8 {
    FEWEST_ENTRIES + (packed >> 3)
}

impl<'a> Slot<'a> {
    const fn new() -> Self {
        Self {
            wanted: Cell::new(None),
            shown: Cell::new(None),
            first: Cell::new(0),
            length: Cell::new(0),
            generation: Cell::new(0),
            modified: Cell::new(0),
            wanted_hash: Cell::new(0),
            name_hash: Cell::new(0),
            set_checksum: Cell::new(0),
            wanted_level: Cell::new(0),
            wanted_parent: Cell::new(ROOT),
            children: Cell::new(0),
            shown_level: Cell::new(0),
            shown_parent: Cell::new(ROOT),
            flags: Cell::new(0),
        }
    }

    pub fn is_free(&self) -> bool {
        self.wanted.get().is_none()
    }

    /// Whether this is the slot of that file.
    pub fn holds(&self, file: &File<'a>) -> bool {
        self.wanted.get().is_some_and(|wanted| core::ptr::eq(wanted, file)) && level(self.wanted_level.get()) == 0
    }

    /// Whether an entry is wanted here in that folder whose name some host may take for one of that hash: two ASCII names
    /// are either equal, or no host confuses them.
    pub fn may_be(&self, parent: u8, hash: u16, ascii: bool) -> bool {
        self.wanted_parent.get() == parent
            && (!ascii || self.wanted_hash.get() == hash || self.flags.get() & FOREIGN != 0)
            && !self.is_free()
    }

    pub fn wanted(&self) -> Option<Wanted<'a>> {
        let packed = self.wanted_level.get();
        Some(Wanted {
            file: self.wanted.get()?,
            level: level(packed),
            parent: self.wanted_parent.get(),
            given: self.flags.get() & GIVEN != 0,
            entries: entries(packed),
            hash: self.wanted_hash.get(),
            ascii: self.flags.get() & FOREIGN == 0,
        })
    }

    /// Makes the slot wanted from the next generation on.
    pub fn want(&self, wanted: Wanted<'a>) {
        self.wanted.set(Some(wanted.file));
        self.wanted_hash.set(wanted.hash);
        self.wanted_level.set(packed(wanted.level, wanted.entries));
        self.wanted_parent.set(wanted.parent);
        self.children.set(0);
        let given = if wanted.given { GIVEN } else { 0 };
        let foreign = if wanted.ascii { 0 } else { FOREIGN };
        self.flags.set(self.flags.get() & !WANTED | CHANGED | given | foreign);
    }

    /// Makes the slot unwanted from the next generation on.
    pub fn leave(&self) {
        self.wanted.set(None);
        self.flags.set(self.flags.get() & !WANTED);
    }

    /// The contents have changed.
    pub fn change(&self) {
        self.flags.set(self.flags.get() | CHANGED);
    }

    /// Adds an entry to this folder.
    pub fn add_child(&self) {
        self.children.set(self.children.get().saturating_add(1));
    }

    /// Removes an entry from this folder. Returns how many are left.
    pub fn remove_child(&self) -> u8 {
        self.children.set(self.children.get().saturating_sub(1));
        self.children.get()
    }

    pub fn children(&self) -> u8 {
        self.children.get()
    }

    /// Fixes what is wanted now as what the beginning generation shows. The rest takes longer: see [`taken`](Self::taken).
    /// Until that is done, this may be called again: contents that had to be frozen still have to be.
    pub fn take(&self) {
        let flags = self.flags.get();
        let Some(wanted) = self.wanted.get() else {
            self.flags.set(if self.shown.get().is_some() { GONE } else { 0 });
            return;
        };
        let (packed, parent) = (self.wanted_level.get(), self.wanted_parent.get());
        let same = self.shown.get().is_some_and(|shown| core::ptr::eq(shown, wanted))
            && (packed ^ self.shown_level.get()) & LEVEL == 0
            && self.shown_parent.get() == parent;
        let mut taken = (flags & (GIVEN | FOREIGN | FRESH | MOVED)) | ((flags & GIVEN) * (TAKEN_GIVEN / GIVEN));
        if same {
            taken |= (flags & CHANGED) * (FRESH / CHANGED);
        } else {
            taken |= FRESH | MOVED;
            if self.shown.get().is_none() {
                self.length.set(0);
            }
            self.shown.set(Some(wanted));
            self.shown_level.set(packed);
            self.shown_parent.set(parent);
        }
        self.flags.set(taken);
    }

    fn taken(&self) -> Option<Taken<'a>> {
        let flags = self.flags.get();
        let set = |flag| flags & flag != 0;
        Some(Taken { shown: self.shown()?, gone: set(GONE), fresh: set(FRESH), given: set(TAKEN_GIVEN) })
    }

    pub fn shown(&self) -> Option<Shown<'a>> {
        Some(Shown {
            file: self.shown.get()?,
            level: level(self.shown_level.get()),
            entries: entries(self.shown_level.get()),
            parent: self.shown_parent.get(),
            moved: self.flags.get() & MOVED != 0,
            first: self.first.get(),
            length: self.length.get(),
            generation: self.generation.get(),
            modified: self.modified.get(),
            name_hash: self.name_hash.get(),
            set_checksum: self.set_checksum.get(),
        })
    }

    /// First cluster and length of what hosts see; if that is nothing, the length is 0.
    pub fn place(&self) -> (u32, u32) {
        if self.shown.get().is_some() { (self.first.get(), self.length.get()) } else { (0, 0) }
    }

    fn set_shown(&self, shown: Option<Shown<'a>>) {
        self.flags.set(self.flags.get() & (WANTED | TAKEN_GIVEN));
        self.shown.set(shown.map(|shown| shown.file));
        if let Some(shown) = shown {
            self.shown_level.set(packed(shown.level, shown.entries));
            self.shown_parent.set(shown.parent);
            self.first.set(shown.first);
            self.length.set(shown.length);
            self.generation.set(shown.generation);
            self.modified.set(shown.modified);
            self.name_hash.set(shown.name_hash);
            self.set_checksum.set(shown.set_checksum);
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
    /// Whether this is a folder.
    pub fn is_folder(&self) -> bool {
        self.level != 0
    }

    /// Whether this is a folder of the manifest.
    pub fn is_given(&self) -> bool {
        self.is_folder() && self.length == 0
    }

    /// The clusters of the window reserved for it.
    pub fn run(&self, layout: &Layout<'_>) -> Run {
        let capacity = if self.moved || self.is_folder() { self.length } else { self.file.capacity };
        Run { first: self.first, count: layout.clusters(capacity) }
    }

    /// Its entry set. `window` is the window's first cluster.
    pub fn entry_set(&self, window: ClusterIndex) -> EntrySet<'a> {
        let (name, attributes, modified, allocation) = self.described(window);
        EntrySet::with_sums(name, attributes, modified, allocation, self.name_hash, self.set_checksum)
    }

    /// Computes both sums again.
    pub fn seal(&mut self, window: ClusterIndex) {
        let (name, attributes, modified, allocation) = self.described(window);
        let set = EntrySet::new(name, attributes, modified, allocation);
        self.entries = set.entries() as u8;
        self.name_hash = set.name_hash();
        self.set_checksum = set.set_checksum();
    }

    fn described(&self, window: ClusterIndex) -> (Name<'a>, FileAttributes, Timestamp, Allocation) {
        // What is registered was accepted by `Name::new`.
        let name = Name::again(name(self.file, self.level));
        let attributes = if self.is_folder() { FileAttributes::DIRECTORY } else { self.file.attributes() };
        // `contiguous` makes sure that an empty file has no clusters.
        let allocation = Allocation::contiguous(window.after(self.first), self.length.into());
        (name, attributes, Timestamp::from_value(self.modified).unwrap_or(Timestamp::FIRST), allocation)
    }
}

/// The last component of the file's path, or the one of the folder at `level`.
fn name<'a>(file: &File<'a>, level: u8) -> &'a str {
    let mut components = Components::of(file.path);
    let component = if level == 0 { components.last() } else { components.nth(usize::from(level) - 1) };
    component.unwrap_or("")
}
