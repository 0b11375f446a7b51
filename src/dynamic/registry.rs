//! The dynamic files: what the application registers, and what of it the present generation shows.
//!
//! Calls may come from the main loop, an interrupt handler or another core: every access is a short critical section, and
//! contents are never called inside one, nor names compared. What a critical section does at most is to look at one word or two
//! of each slot. Whatever takes longer is found out before, and holds when nothing was registered meanwhile.

use super::error::{AddError, NotAdded, UpdateError};
use super::file::File;
use super::path::Parts;
use super::room::Room;
use super::slot::FileSlot;
use super::unused::Listed;
use crate::announcement::Announcing;
use crate::volume::layout::Layout;
use core::cell::Cell;
use critical_section::{CriticalSection, Mutex};
use picovd_exfat::entry::ENTRY_LENGTH;

/// The dynamic files of one volume, in a fixed number of slots. Usually a `static`, made by the manifest's tables:
/// `Files::new(&LAYOUT)`.
///
/// A slot holds a file, or a folder that dynamic files are in. What is registered shows from the next generation on.
pub struct Files<'a, S: ?Sized = [FileSlot<'a>]> {
    pub(super) layout: &'a Layout<'a>,
    pub(super) state: Mutex<Cell<RegistryState>>,
    slots: S,
}

/// [`Files`] with `N` slots.
pub type FilesOf<'a, const N: usize> = Files<'a, [FileSlot<'a>; N]>;

/// What belongs to the registry as a whole, not to one slot.
#[derive(Clone, Copy)]
pub(super) struct RegistryState {
    /// Count of changes that are to be announced.
    announced: u32,
    /// Whether some of those since the last look are to be announced as usual ...
    usual: bool,
    /// ... and what the others ask for, all together.
    asked: Option<Announcing>,
    /// Cluster of the window where the next search for free ones begins.
    pub(super) cursor: u32,
    /// Hosts see nothing in the slots from this one on.
    pub(super) end: u8,
    /// Nothing is wanted in the slots from this one on.
    pub(super) used: u8,
    /// Whether dynamic files are in folders of the manifest.
    pub(super) in_given: bool,
    /// What hosts see of dynamic files and folders in the root directory.
    pub(super) listed: Listed,
    /// Counts what is registered and taken away.
    pub(super) version: u32,
    /// What everything takes that is wanted.
    pub(super) room: Room,
    /// Whether the application wants the medium back that a host ejected.
    insert: bool,
    pub(super) clock: Option<fn() -> u64>,
}

impl<'a, const N: usize> FilesOf<'a, N> {
    /// No files yet. `layout` keeps clusters and directory slots for them; what it keeps limits the number, too.
    #[must_use]
    pub const fn new(layout: &'a Layout<'a>) -> Self {
        let state = RegistryState {
            announced: 0,
            usual: false,
            asked: None,
            cursor: 0,
            end: 0,
            used: 0,
            in_given: false,
            listed: Listed::NOTHING,
            version: 0,
            room: Room::NONE,
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
    /// the last one. Where files come and go so fast that no look at them gets to its end ([`AddError::Busy`]), `false`.
    #[must_use]
    pub fn is_free(&self, path: &str) -> bool {
        Parts::of(self.layout, path).is_ok_and(|parts| self.is_name_free(path, &parts))
    }

    /// Registers a file: it shows from the next generation on.
    ///
    /// # Errors
    /// Nothing is registered then; each variant says who must act.
    pub fn add(&self, file: &'a File<'a>) -> Result<(), AddError> {
        self.put(file, None, file.announced, None)
    }

    /// The same, and hosts are notified as `announcing` says instead of the manifest; also of a file that is
    /// [`unannounced`](File::unannounced).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with(&self, file: &'a File<'a>, announcing: Announcing) -> Result<(), AddError> {
        self.put(file, None, file.announced, Some(announcing))
    }

    /// The contents have changed: the next generation shows what they are then.
    ///
    /// # Errors
    /// Nothing changes then; each variant says who must act.
    pub fn update(&self, file: &'a File<'a>) -> Result<(), UpdateError> {
        self.change(file, None)
    }

    /// The same, and hosts are notified as `announcing` says instead of the manifest.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub fn update_with(&self, file: &'a File<'a>, announcing: Announcing) -> Result<(), UpdateError> {
        self.change(file, Some(announcing))
    }

    fn change(&self, file: &'a File<'a>, announcing: Option<Announcing>) -> Result<(), UpdateError> {
        if critical_section::with(|section| self.find(section, file).is_none()) {
            return Err(UpdateError::NotAdded);
        }
        if !file.content.accept(file.capacity) {
            return Err(UpdateError::TooLong);
        }
        critical_section::with(|section| {
            let slot = self.find(section, file).ok_or(UpdateError::NotAdded)?;
            slot.change();
            self.note(section, file.announced, announcing);
            Ok(())
        })
    }

    /// Takes a file away: the next generation shows it no more, nor dynamic folders that it leaves empty. Until then its
    /// contents are still read.
    ///
    /// # Errors
    /// The file is not registered.
    pub fn remove(&self, file: &'a File<'a>) -> Result<(), NotAdded> {
        self.take_away(file, None)
    }

    /// The same, and hosts are notified as `announcing` says instead of the manifest.
    ///
    /// # Errors
    /// As [`remove`](Self::remove).
    pub fn remove_with(&self, file: &'a File<'a>, announcing: Announcing) -> Result<(), NotAdded> {
        self.take_away(file, Some(announcing))
    }

    fn take_away(&self, file: &'a File<'a>, announcing: Option<Announcing>) -> Result<(), NotAdded> {
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
    /// Everything stays as it was then; each variant says who must act.
    pub fn rename(&self, old: &'a File<'a>, new: &'a File<'a>) -> Result<(), AddError> {
        self.put(new, Some(old), true, None)
    }

    /// The same, and hosts are notified as `announcing` says instead of the manifest.
    ///
    /// # Errors
    /// As [`rename`](Self::rename).
    pub fn rename_with(&self, old: &'a File<'a>, new: &'a File<'a>, announcing: Announcing) -> Result<(), AddError> {
        self.put(new, Some(old), true, Some(announcing))
    }

    /// Number of slots that may be used.
    pub(super) fn usable(&self) -> usize {
        self.slots.len().min(self.layout.dynamic.slots.into())
    }

    pub(super) fn slots(&self) -> &[FileSlot<'a>] {
        self.slots.get(..self.usable()).unwrap_or(&[])
    }

    /// Notes a change that is to be announced, as usual where the application asks for nothing else.
    pub(super) fn note(&self, section: CriticalSection<'_>, announced: bool, announcing: Option<Announcing>) {
        self.change_state(section, |state| {
            match announcing {
                Some(announcing) => {
                    state.asked = Some(state.asked.map_or(announcing, |asked| asked.merge(announcing)));
                }
                None if announced => state.usual = true,
                None => return,
            }
            state.announced = state.announced.wrapping_add(1);
        });
    }

    pub(super) fn change_state(&self, section: CriticalSection<'_>, change: impl FnOnce(&mut RegistryState)) {
        let state = self.state.borrow(section);
        let mut value = state.get();
        change(&mut value);
        state.set(value);
    }

    #[inline(never)]
    pub(super) fn state(&self) -> RegistryState {
        critical_section::with(|section| self.state.borrow(section).get())
    }

    /// Length of a dynamic folder at most: room for all entries and an end-of-directory entry, in whole clusters.
    pub(super) fn folder_length(&self) -> u32 {
        let entries = (u32::from(self.layout.dynamic.entries) + 1) * ENTRY_LENGTH as u32;
        self.layout.clusters(entries) << self.layout.cluster_shift()
    }

    // What follows is the device's side; the volume's is in `generation`.

    /// Count of changes that are to be announced.
    pub(crate) fn announced(&self) -> u32 {
        self.state().announced
    }

    /// What the changes since the last call ask for, all together; `None` when there are none to be announced.
    pub(crate) fn take_changes(&self, usual: Announcing) -> Option<Announcing> {
        critical_section::with(|section| {
            let RegistryState { asked, usual: any, .. } = self.state.borrow(section).get();
            self.change_state(section, |state| (state.usual, state.asked) = (false, None));
            if any { Some(asked.map_or(usual, |asked| asked.merge(usual))) } else { asked }
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

impl<S: ?Sized> core::fmt::Debug for Files<'_, S> {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.debug_struct("Files").finish_non_exhaustive()
    }
}
