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

/// The parent of what is in the root directory.
pub(super) const ROOT: u8 = 0xFF;

/// Most components of a path: levels are counted in three bits.
pub(super) const LEVELS: usize = 8;

/// Fewest entries of a set (exFAT 6.3).
const FEWEST_ENTRIES: u8 = 3;

/// The level, where the number of entries is above it.
const LEVEL: u8 = 0x07;

/// Marks a wanted slot whose contents differ from what is shown.
const CHANGED: u8 = 0x01;

/// Marks a wanted folder that the manifest gives.
const GIVEN: u8 = 0x02;

/// Marks a wanted slot whose name is not all ASCII.
const FOREIGN: u8 = 0x04;

/// What the application changes of the flags. The others are the generation's that begins.
const WANTED: u8 = CHANGED | GIVEN | FOREIGN;

/// Taken: contents have to be frozen.
const FRESH: u8 = 0x10;

/// Taken: hosts see something else here from now on. Until it has its place, the slot keeps the clusters that hosts know.
const MOVED: u8 = 0x20;

/// Taken: hosts see nothing here from now on.
const GONE: u8 = 0x40;

/// Taken or shown: a folder that the manifest gives.
const TAKEN_GIVEN: u8 = 0x80;

/// A slot: room for one dynamic file, or for one folder that dynamic files are in, be it a dynamic one or one of the
/// manifest. 36 bytes on the chip.
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

    /// What hosts see at this moment. Out of line, as what else takes a critical section in many places: it is 90 bytes each time.
    #[inline(never)]
    pub(super) fn shown(&self) -> Option<Shown<'a>> {
        critical_section::with(|section| self.borrow(section).shown())
    }

    /// What [`Slot::take`] left to be done; `None` for a slot where hosts see nothing and will see nothing.
    #[inline(never)]
    pub(super) fn taken(&self) -> Option<Taken<'a>> {
        critical_section::with(|section| self.borrow(section).taken())
    }

    /// Changes what hosts see; what the application wants may change meanwhile.
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

/// What a slot is wanted for: a file, or the folder that is so many components into the file's path.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub file: &'a File<'a>,
    pub level: u8,
    pub parent: u8,
    /// Whether this is a folder that the manifest gives.
    pub given: bool,
    /// Number of entries of its set.
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
    /// Whether place and length are still those of what hosts saw here before.
    pub moved: bool,
    /// First cluster, counted from the window's first; the cluster itself for a folder of the manifest.
    pub first: u32,
    /// Length in bytes; 0 for a folder of the manifest: it takes none of the window.
    pub length: u32,
    /// Generation in which it was frozen. A folder of the manifest is not: length in bytes of the entries of what is in it.
    pub generation: u32,
    /// Moment of the change, as [`Timestamp::value`] has it.
    pub modified: u32,
    /// Number of entries of its set.
    pub entries: u8,
    /// NameHash (exFAT 7.6.4). Of a folder of the manifest: number of unused entries in front of those of what is in it.
    pub name_hash: u16,
    pub set_checksum: u16,
}

/// A slot in a generation that begins.
pub(super) struct Taken<'a> {
    pub shown: Shown<'a>,
    /// Whether it is to be shown no more.
    pub gone: bool,
    /// Whether contents have to be frozen.
    pub fresh: bool,
    /// Whether this is a folder that the manifest gives.
    pub given: bool,
}

/// Both, packed.
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

    /// Whether something is wanted here in that folder, under a name that some host may take for one of that hash: two names in
    /// ASCII are the same, or nobody takes one for the other.
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

    /// Wants something there from the next generation on.
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

    /// Wants nothing there from the next generation on.
    pub fn leave(&self) {
        self.wanted.set(None);
        self.flags.set(self.flags.get() & !WANTED);
    }

    /// The contents have changed.
    pub fn change(&self) {
        self.flags.set(self.flags.get() | CHANGED);
    }

    /// One more entry is in this folder.
    pub fn add_child(&self) {
        self.children.set(self.children.get().saturating_add(1));
    }

    /// One entry fewer is in this folder. Returns how many are left.
    pub fn remove_child(&self) -> u8 {
        self.children.set(self.children.get().saturating_sub(1));
        self.children.get()
    }

    pub fn children(&self) -> u8 {
        self.children.get()
    }

    /// What is wanted at this moment is what the generation shows that begins. What is missing yet takes its time: see
    /// [`taken`](Self::taken). Until then it may be called again: what was fresh stays so.
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

    /// First cluster and length of what hosts see; nothing has no length.
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

    /// The clusters of the window that are kept for it.
    pub fn run(&self, layout: &Layout<'_>) -> Run {
        let capacity = if self.moved || self.is_folder() { self.length } else { self.file.capacity };
        Run { first: self.first, count: layout.clusters(capacity) }
    }

    /// Its entry set. `window` is the cluster that the window begins with.
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
        // What is registered has passed `Name::new`.
        let name = Name::again(name(self.file, self.level));
        let attributes = if self.is_folder() { FileAttributes::DIRECTORY } else { self.file.attributes() };
        // An empty file has no clusters: `contiguous` sees to it.
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
