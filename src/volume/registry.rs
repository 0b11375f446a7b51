//! The files of run time: what the application registers, and what of it the present generation shows.
//!
//! Calls may come from the main loop, an interrupt handler or another core: every access is a short critical section, and
//! contents are never called inside one.

use super::change::Announcing;
use super::content::Content;
use super::directory::{self, Given};
use super::file::{Components, File};
use super::layout::Layout;
use super::slot::{FileSlot, LEVELS, ROOT, Wanted};
use core::cell::Cell;
use critical_section::{CriticalSection, Mutex};
use picovd_exfat::entry::{ENTRY_LENGTH, entries_for};
use picovd_exfat::name::Name;
use picovd_exfat::portable;

/// The files of run time of one volume, in a fixed number of slots. Usually a `static`, made by the manifest's tables:
/// `Files::new(&LAYOUT)`.
///
/// A slot holds a file, or a folder that files of run time stand in. What is registered shows from the next generation on.
pub struct Files<'a, S: ?Sized = [FileSlot<'a>]> {
    pub(super) layout: &'a Layout<'a>,
    state: Mutex<Cell<State>>,
    slots: S,
}

/// [`Files`] with `N` slots.
pub type FilesOf<'a, const N: usize> = Files<'a, [FileSlot<'a>; N]>;

/// What concerns all slots.
#[derive(Clone, Copy)]
pub(super) struct State {
    /// Count of changes that are to be announced.
    announced: u32,
    /// Whether some of those since the last look are to be announced as usual ...
    usual: bool,
    /// ... and what the others ask for, all together.
    asked: Option<Announcing>,
    /// Cluster of the window where the next search for free ones begins.
    pub(super) cursor: u32,
    /// Hosts see nothing in the slots from this one on.
    pub(super) end: usize,
    /// Whether files of run time stand in folders of the manifest.
    pub(super) in_given: bool,
    /// Whether the application wants the medium back that a host ejected.
    insert: bool,
    pub(super) clock: Option<fn() -> u64>,
}

/// Why a file was not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddError {
    /// The path is no path: a component is empty, `.` or `..`, has a character that exFAT forbids (7.7.3), or there are more
    /// than 7 folders. Correct the path.
    InvalidPath,
    /// Not every host can open a file of such a path: a name in it is one that Windows keeps for a device, ends in a space or a dot,
    /// or holds a character that does not show ([`picovd_exfat::portable`]). Choose another name.
    Unportable,
    /// A name in the path has more UTF-16 units than the manifest's `[dynamic] max-name`. Shorten it or raise that.
    NameTooLong,
    /// Another file or folder has the name there, upper and lower case being the same: one of run time or of the manifest, also one
    /// that a setting hides. So has one that Unicode normalization may make the same, for a host that normalizes names; where one
    /// of the two is composed and the other one is not, the chip cannot tell which letters they are, and takes them for the same
    /// ([`is_alike`]). Choose another name.
    ///
    /// [`is_alike`]: picovd_exfat::portable::is_alike
    NameTaken,
    /// The file is registered already.
    AlreadyAdded,
    /// All slots are taken, of which each folder that files stand in needs one, or directories have no room for so long a name.
    /// Raise `[dynamic] files`, or remove a file.
    TooManyFiles,
    /// The window has no room for the file's capacity. Raise `[dynamic] window`, or promise less.
    NoRoom,
    /// The contents are longer than the file's capacity. Raise the capacity or shorten the contents.
    TooLong,
}

/// Why a change was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateError {
    /// The file is not registered.
    NotAdded,
    /// The contents are longer than the file's capacity. Hosts go on to see what they see.
    TooLong,
}

/// The file is not registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAdded;

impl<'a, const N: usize> FilesOf<'a, N> {
    /// No files yet. `layout` keeps clusters and directory slots for them; what it keeps limits the number, too.
    #[must_use]
    pub const fn new(layout: &'a Layout<'a>) -> Self {
        let state = State {
            announced: 0,
            usual: false,
            asked: None,
            cursor: 0,
            end: 0,
            in_given: false,
            insert: false,
            clock: None,
        };
        Self { layout, state: Mutex::new(Cell::new(state)), slots: [const { FileSlot::new() }; N] }
    }
}

impl<'a> Files<'a> {
    /// Takes `clock` for the moments of changes: seconds since 1970-01-01T00:00:00Z. Without one, files carry the
    /// manifest's timestamp.
    pub fn set_clock(&self, clock: fn() -> u64) {
        critical_section::with(|section| self.change_state(section, |state| state.clock = Some(clock)));
    }

    /// Wants the medium back that a host ejected.
    pub fn insert(&self) {
        critical_section::with(|section| self.change_state(section, |state| state.insert = true));
    }

    /// Whether a file could have that path: every component is a name that the manifest has room for, and no other file has
    /// the last one.
    #[must_use]
    pub fn is_free(&self, path: &str) -> bool {
        let file = File::new(path, &Nothing, 0);
        self.check_path(&file).is_ok() && critical_section::with(|section| self.needs(section, &file).is_ok())
    }

    /// Registers a file: it shows from the next generation on. `announcing` says how hosts hear of it, where it is to differ
    /// from what is usual.
    ///
    /// # Errors
    /// Nothing is registered then; each variant says who must act.
    pub fn add(&self, file: &'a File<'a>, announcing: Option<Announcing>) -> Result<(), AddError> {
        self.check_path(file)?;
        if file.content.length() > file.capacity {
            return Err(AddError::TooLong);
        }
        critical_section::with(|section| {
            if self.find(section, file).is_some() {
                return Err(AddError::AlreadyAdded);
            }
            self.check_room(section, file, self.needs(section, file)?)?;
            self.enter(section, file);
            self.note(section, file.announced, announcing);
            Ok(())
        })
    }

    /// The contents have changed: the next generation shows what they are then.
    ///
    /// # Errors
    /// Nothing changes then; each variant says who must act.
    pub fn update(&self, file: &'a File<'a>, announcing: Option<Announcing>) -> Result<(), UpdateError> {
        let length = file.content.length();
        critical_section::with(|section| {
            let slot = self.find(section, file).ok_or(UpdateError::NotAdded)?;
            if length > file.capacity {
                return Err(UpdateError::TooLong);
            }
            let mut data = slot.get(section);
            data.set_changed(true);
            slot.set(section, data);
            self.note(section, file.announced, announcing);
            Ok(())
        })
    }

    /// Takes a file away: the next generation shows it no more, nor folders of run time that it leaves empty. Until then its
    /// contents are still read.
    ///
    /// # Errors
    /// The file is not registered.
    pub fn remove(&self, file: &'a File<'a>, announcing: Option<Announcing>) -> Result<(), NotAdded> {
        critical_section::with(|section| {
            let slot = self.find(section, file).ok_or(NotAdded)?;
            self.take_out(section, slot);
            self.note(section, true, announcing);
            Ok(())
        })
    }

    /// Puts `new` in the place of `old`: a rename, when both have the same contents.
    ///
    /// # Errors
    /// Everything stays as it was then. [`AddError::AlreadyAdded`] when `new` is registered or `old` is not.
    pub fn rename(&self, old: &'a File<'a>, new: &'a File<'a>, announcing: Option<Announcing>) -> Result<(), AddError> {
        self.check_path(new)?;
        if new.content.length() > new.capacity {
            return Err(AddError::TooLong);
        }
        critical_section::with(|section| {
            let slot = self.find(section, old).ok_or(AddError::AlreadyAdded)?;
            if self.find(section, new).is_some() {
                return Err(AddError::AlreadyAdded);
            }
            self.take_out(section, slot);
            let entered = self.needs(section, new).and_then(|needs| self.check_room(section, new, needs));
            self.enter(section, if entered.is_ok() { new } else { old });
            self.note(section, entered.is_ok(), announcing.filter(|_| entered.is_ok()));
            entered
        })
    }

    /// Number of slots that may be used.
    pub(super) fn usable(&self) -> usize {
        self.slots.len().min(self.layout.dynamic.slots.into())
    }

    pub(super) fn slots(&self) -> &[FileSlot<'a>] {
        self.slots.get(..self.usable()).unwrap_or(&[])
    }

    fn check_path(&self, file: &File<'_>) -> Result<(), AddError> {
        let mut levels = 0;
        for component in Components::of(file.path) {
            levels += 1;
            let name = Name::new(component).map_err(|_| AddError::InvalidPath)?;
            portable::check(component).map_err(|_| AddError::Unportable)?;
            if entries_for(name.length()) > self.layout.dynamic.slot_entries.into() {
                return Err(AddError::NameTooLong);
            }
        }
        if levels > LEVELS { Err(AddError::InvalidPath) } else { Ok(()) }
    }

    /// The slot of a registered file.
    fn find(&self, section: CriticalSection<'_>, file: &File<'a>) -> Option<&FileSlot<'a>> {
        self.slots().iter().find(|slot| {
            let wanted = slot.get(section).wanted();
            wanted.is_some_and(|wanted| !wanted.is_folder() && core::ptr::eq(wanted.file, file))
        })
    }

    /// The wanted entry of that name in a folder.
    fn named(&self, section: CriticalSection<'_>, parent: u8, name: Name<'_>) -> Option<(u8, Wanted<'a>)> {
        self.slots().iter().enumerate().find_map(|(index, slot)| {
            let wanted = slot.get(section).wanted().filter(|wanted| wanted.parent == parent)?;
            let same = Name::new(wanted.name()).is_ok_and(|other| name.is_same(other));
            same.then_some((index as u8, wanted))
        })
    }

    /// Whether a wanted entry in a folder has another name that some host may take for this one.
    fn has_twin(&self, section: CriticalSection<'_>, parent: u8, name: Name<'_>) -> bool {
        let mut wanted = self.slots().iter().filter_map(|slot| slot.get(section).wanted());
        wanted.any(|wanted| wanted.parent == parent && name.is_twin(wanted.name().encode_utf16()))
    }

    /// What a file needs beside what there is.
    fn needs(&self, section: CriticalSection<'_>, file: &File<'_>) -> Result<Needs, AddError> {
        let mut needs = Needs::default();
        let mut components = Components::of(file.path);
        let mut parent = ROOT;
        let mut given = Some(self.layout.first_cluster_of_root_directory);
        while let Some(component) = components.next() {
            let name = Name::new(component).map_err(|_| AddError::InvalidPath)?;
            let last = components.is_done();
            let beside = given.is_some_and(|cluster| directory::has_twin(self.layout, cluster, name));
            if beside || needs.slots == 0 && self.has_twin(section, parent, name) {
                return Err(AddError::NameTaken);
            }
            given = match given.and_then(|cluster| directory::find(self.layout, cluster, name)) {
                Some(Given::Folder(cluster)) if !last => Some(cluster),
                Some(_) => return Err(AddError::NameTaken),
                None => None,
            };
            // In a folder that has no slot yet stands no file of run time.
            let known = if needs.slots == 0 { self.named(section, parent, name) } else { None };
            match known {
                Some((index, wanted)) if wanted.is_folder() && !last => parent = index,
                Some(_) => return Err(AddError::NameTaken),
                None => {
                    needs.slots += 1;
                    if given.is_none() {
                        needs.entries += entries_for(name.length());
                        needs.folders += u32::from(!last);
                    }
                }
            }
        }
        Ok(needs)
    }

    /// Whether slots, directories and window have room for that.
    fn check_room(&self, section: CriticalSection<'_>, file: &File<'_>, needs: Needs) -> Result<(), AddError> {
        let wanted = || self.slots().iter().filter_map(|slot| slot.get(section).wanted());
        // A folder's number has to differ from the root's.
        if wanted().count() + needs.slots > self.usable().min(ROOT.into()) {
            return Err(AddError::TooManyFiles);
        }
        // Each directory has room for all of them.
        let made = || wanted().filter(|wanted| !wanted.given);
        let listed: usize = made().map(|wanted| entries(wanted.name())).sum();
        if listed + needs.entries > self.layout.dynamic.entries.into() {
            return Err(AddError::TooManyFiles);
        }
        let clusters = |length| u64::from(self.layout.clusters(length));
        let folder = clusters(self.folder_length());
        let taken: u64 =
            made().map(|wanted| if wanted.is_folder() { folder } else { clusters(wanted.file.capacity) }).sum();
        let needed = taken + clusters(file.capacity) + u64::from(needs.folders) * folder;
        if needed > self.layout.dynamic.cluster_count.into() { Err(AddError::NoRoom) } else { Ok(()) }
    }

    /// Enters a file and the folders that it needs, after all checks.
    fn enter(&self, section: CriticalSection<'_>, file: &'a File<'a>) {
        let mut components = Components::of(file.path);
        let mut parent = ROOT;
        let mut depth = 0;
        while let Some(component) = components.next() {
            depth += 1;
            let level = if components.is_done() { 0 } else { depth };
            let known = Name::new(component).ok().and_then(|name| self.named(section, parent, name));
            if let Some((index, _)) = known {
                parent = index;
                continue;
            }
            let free = self.slots().iter().enumerate().find(|(_, slot)| slot.get(section).wanted().is_none());
            let Some((index, slot)) = free else { return };
            let given = level != 0 && directory::follow(self.layout, file.path, level).is_some();
            let mut data = slot.get(section);
            data.set_wanted(Some(Wanted { file, level, parent, given }));
            slot.set(section, data);
            parent = index as u8;
        }
    }

    /// Empties a slot, and the folders that have become empty.
    fn take_out(&self, section: CriticalSection<'_>, slot: &FileSlot<'a>) {
        let mut slot = slot;
        loop {
            let mut data = slot.get(section);
            let parent = data.wanted().map_or(ROOT, |wanted| wanted.parent);
            data.set_wanted(None);
            slot.set(section, data);
            let mut all = self.slots().iter().filter_map(|slot| slot.get(section).wanted());
            if parent == ROOT || all.any(|wanted| wanted.parent == parent) {
                return;
            }
            let Some(folder) = self.slots().get(usize::from(parent)) else { return };
            slot = folder;
        }
    }

    /// Notes a change that is to be announced, as usual where the application asks for nothing else.
    fn note(&self, section: CriticalSection<'_>, announced: bool, announcing: Option<Announcing>) {
        self.change_state(section, |state| {
            match announcing {
                Some(announcing) => {
                    state.asked = Some(state.asked.map_or(announcing, |asked| asked.together(announcing)));
                }
                None if announced => state.usual = true,
                None => return,
            }
            state.announced = state.announced.wrapping_add(1);
        });
    }

    pub(super) fn change_state(&self, section: CriticalSection<'_>, change: impl FnOnce(&mut State)) {
        let state = self.state.borrow(section);
        let mut value = state.get();
        change(&mut value);
        state.set(value);
    }

    #[inline(never)]
    pub(super) fn state(&self) -> State {
        critical_section::with(|section| self.state.borrow(section).get())
    }

    /// Length of each folder of run time: room for all entries and an end-of-directory entry, in whole clusters.
    pub(super) fn folder_length(&self) -> u32 {
        let entries = (u32::from(self.layout.dynamic.entries) + 1) * ENTRY_LENGTH as u32;
        self.layout.clusters(entries) << self.layout.cluster_shift()
    }

    // What follows is the device's side; the volume's is in `shown`.

    /// Count of changes that are to be announced.
    pub(crate) fn announced(&self) -> u32 {
        self.state().announced
    }

    /// What the changes since the last call ask for, all together; `None` when there are none to be announced.
    pub(crate) fn take_changes(&self, usual: Announcing) -> Option<Announcing> {
        critical_section::with(|section| {
            let State { asked, usual: any, .. } = self.state.borrow(section).get();
            self.change_state(section, |state| (state.usual, state.asked) = (false, None));
            if any { Some(asked.map_or(usual, |asked| asked.together(usual))) } else { asked }
        })
    }

    /// Something else has changed that is to be announced.
    pub(crate) fn announce(&self) {
        critical_section::with(|section| self.note(section, true, None));
    }

    /// Whether the application has asked to have the medium back since the last call.
    pub(crate) fn take_insert(&self) -> bool {
        critical_section::with(|section| {
            let insert = self.state.borrow(section).get().insert;
            self.change_state(section, |state| state.insert = false);
            insert
        })
    }
}

/// What a file needs beside what there is.
#[derive(Clone, Copy, Default)]
struct Needs {
    /// Slots, its own and one for each folder that has none.
    slots: usize,
    /// Directory entries, its own and those of folders that have to be made.
    entries: usize,
    /// Folders that have to be made.
    folders: u32,
}

/// The contents of a file that is asked about and never read.
struct Nothing;

impl Content for Nothing {
    fn length(&self) -> u32 {
        0
    }

    fn read(&self, _: u32, _: u32, _: &mut [u8]) {}
}

/// Number of directory entries of a name; none for one that is no name.
fn entries(name: &str) -> usize {
    Name::new(name).map_or(0, |name| entries_for(name.length()))
}

impl<S: ?Sized> core::fmt::Debug for Files<'_, S> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Files").finish_non_exhaustive()
    }
}
