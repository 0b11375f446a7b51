//! The dynamic files: what the application registers, and what the current generation shows of it.
//!
//! Calls may come from the main loop, an interrupt handler or another core: every access is a short critical section, which
//! never calls contents or compares names, but reads at most one or two words of each slot. Whatever takes longer is done
//! before, and is valid if nothing was registered meanwhile.

use super::error::{AddError, NotAdded, UpdateError};
use super::file::File;
use super::path::Parts;
use super::room::Room;
use super::slot::FileSlot;
use super::unused::Listed;
use crate::announcement::Announcing;
use crate::volume::layout::Layout;
use core::cell::Cell;
#[cfg(feature = "async")]
use core::task::Waker;
use core::time::Duration;
use critical_section::{CriticalSection, Mutex};
use picovd_exfat::entry::ENTRY_LENGTH;

/// The dynamic files of one volume, in a fixed number of slots. Usually a `static`, made by the manifest's tables:
/// `Files::new(&LAYOUT)`.
///
/// A slot holds a file, or a folder that dynamic files are in. What is registered shows from the next generation on.
pub struct Files<'a, S: ?Sized = [FileSlot<'a>]> {
    pub(super) layout: &'a Layout<'a>,
    pub(super) state: Mutex<Cell<RegistryState>>,
    /// The task that follows the changes.
    #[cfg(feature = "async")]
    follower: Mutex<Cell<Option<Waker>>>,
    slots: S,
}

/// [`Files`] with `N` slots.
pub type FilesOf<'a, const N: usize> = Files<'a, [FileSlot<'a>; N]>;

/// What belongs to the registry as a whole, not to one slot.
#[derive(Clone, Copy)]
pub(super) struct RegistryState {
    /// Count of changes to be announced.
    announced: u32,
    /// Whether some of those since the last call of `take_changes` are to be announced as usual ...
    usual: bool,
    /// ... and what the others request together.
    asked: Option<Announcing>,
    /// Cluster of the window where the next search for free ones starts.
    pub(super) cursor: u32,
    /// Slots from this one on show nothing to hosts.
    pub(super) end: u8,
    /// Slots from this one on are not wanted.
    pub(super) used: u8,
    /// Whether dynamic files are in folders of the manifest.
    pub(super) in_given: bool,
    /// The dynamic entries that hosts see in the root directory.
    pub(super) listed: Listed,
    /// Counts registrations and removals.
    pub(super) version: u32,
    /// The room that everything wanted takes.
    pub(super) room: Room,
    /// Whether the application has requested to insert the ejected medium again.
    insert: bool,
    pub(super) clock: Option<fn() -> Duration>,
}

impl<'a, const N: usize> FilesOf<'a, N> {
    /// No files yet. `layout` reserves clusters and directory entries for them, which also limits their number.
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
        Self {
            layout,
            state: Mutex::new(Cell::new(state)),
            #[cfg(feature = "async")]
            follower: Mutex::new(Cell::new(None)),
            slots: [const { FileSlot::new() }; N],
        }
    }

    /// The same for another layout, in place.
    pub(crate) fn set_layout(&mut self, layout: &'a Layout<'a>) {
        self.layout = layout;
    }
}

impl<'a> Files<'a> {
    /// Sets the clock for the times of changes: the time since 1970-01-01T00:00:00Z. Without one, files have the manifest's
    /// timestamp.
    pub fn set_clock(&self, clock: fn() -> Duration) {
        critical_section::with(|section| self.change_state(section, |state| state.clock = Some(clock)));
    }

    /// Requests to insert a medium again that a host has ejected.
    pub fn insert(&self) {
        critical_section::with(|section| {
            self.change_state(section, |state| state.insert = true);
            self.wake_follower(section);
        });
    }

    /// Whether a file could have that path: every component is a name that the manifest has room for, and no other file has
    /// the last one. `false` if files come and go too fast to find out ([`AddError::Busy`]).
    #[must_use]
    pub fn is_free(&self, path: &str) -> bool {
        Parts::of(self.layout, path).is_ok_and(|parts| self.is_name_free(path, &parts))
    }

    /// Registers a file, which shows from the next generation on.
    ///
    /// # Errors
    /// If it fails, nothing is registered; each variant says who must act.
    pub fn add(&self, file: &'a File<'a>) -> Result<(), AddError> {
        self.put(file, None, file.announced, None)
    }

    /// The same, but hosts are notified as `announcing` says instead of the manifest, even if the file is
    /// [`unannounced`](File::unannounced).
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub fn add_with(&self, file: &'a File<'a>, announcing: Announcing) -> Result<(), AddError> {
        self.put(file, None, file.announced, Some(announcing))
    }

    /// Notes that the contents have changed: the next generation shows what they are then.
    ///
    /// # Errors
    /// If it fails, nothing changes; each variant says who must act.
    pub fn update(&self, file: &'a File<'a>) -> Result<(), UpdateError> {
        self.change(file, None)
    }

    /// The same, but hosts are notified as `announcing` says instead of the manifest.
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

    /// Removes a file: the next generation shows neither it nor dynamic folders that it leaves empty. Until then, its
    /// contents can be read.
    ///
    /// # Errors
    /// The file is not registered.
    pub fn remove(&self, file: &'a File<'a>) -> Result<(), NotAdded> {
        self.take_away(file, None)
    }

    /// The same, but hosts are notified as `announcing` says instead of the manifest.
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

    /// Replaces `old` by `new`: a rename if both have the same contents.
    ///
    /// # Errors
    /// If it fails, nothing changes; each variant says who must act.
    pub fn rename(&self, old: &'a File<'a>, new: &'a File<'a>) -> Result<(), AddError> {
        self.put(new, Some(old), true, None)
    }

    /// The same, but hosts are notified as `announcing` says instead of the manifest.
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

    /// Notes a change to be announced, as usual unless the application requests something else.
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
            self.wake_follower(section);
        });
    }

    /// Without a task that follows, nothing: the stick looks by itself.
    #[cfg(not(feature = "async"))]
    fn wake_follower(&self, _: CriticalSection<'_>) {}

    #[cfg(feature = "async")]
    fn wake_follower(&self, section: CriticalSection<'_>) {
        if let Some(waker) = self.follower.borrow(section).take() {
            waker.wake();
        }
    }

    /// Wakes the task of `waker` once, at the next change that hosts are notified of. One task at a time: a call replaces the
    /// waker of the last one. A change between two calls is not lost if the task looks for changes after each call. The waker is
    /// called in a critical section.
    #[cfg(feature = "async")]
    pub fn wake_at_change(&self, waker: &Waker) {
        critical_section::with(|section| {
            let follower = self.follower.borrow(section);
            let last = follower.take();
            let same = last.as_ref().is_some_and(|last| last.will_wake(waker));
            follower.set(if same { last } else { Some(waker.clone()) });
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

    /// Maximum length of a dynamic folder: room for all entries and an end-of-directory entry, in whole clusters.
    pub(super) fn folder_length(&self) -> u32 {
        let entries = (u32::from(self.layout.dynamic.entries) + 1) * ENTRY_LENGTH as u32;
        self.layout.clusters(entries) << self.layout.cluster_shift()
    }

    // The methods that follow are for the device; those for the volume are in `generation`.

    /// Count of changes to be announced.
    pub(crate) fn announced(&self) -> u32 {
        self.state().announced
    }

    /// What the changes since the last call request together; `None` if there are none to be announced.
    pub(crate) fn take_changes(&self, usual: Announcing) -> Option<Announcing> {
        critical_section::with(|section| {
            let RegistryState { asked, usual: any, .. } = self.state.borrow(section).get();
            self.change_state(section, |state| (state.usual, state.asked) = (false, None));
            if any { Some(asked.map_or(usual, |asked| asked.merge(usual))) } else { asked }
        })
    }

    /// Notes another kind of change that has to be announced: the next generation shows it.
    pub fn announce(&self) {
        critical_section::with(|section| self.note(section, true, None));
    }

    /// Whether the application has requested to insert the ejected medium again since the last call.
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
