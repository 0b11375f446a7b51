//! Adds files to the registry and removes them: looks up paths, and checks that there is room.
//!
//! Names are compared with interrupts enabled. The result is valid as long as nothing else was registered or removed;
//! otherwise the comparison is repeated. The critical section that then enters everything reads each slot's words at most
//! twice, and no names.

use super::error::AddError;
use super::file::{Components, File};
use super::path::{Part, Parts};
use super::registry::Files;
use super::room::Room;
use super::slot::{FileSlot, LEVELS, ROOT, Slot, Wanted};
use crate::announcement::Announcing;
use critical_section::CriticalSection;
use picovd_exfat::name::Name;

/// How often a call starts over because other contexts were faster. Then it gives up: names are never compared with
/// interrupts masked.
const ATTEMPTS: usize = 16;

/// The slots that a rename empties: those of the file and of the folders that it leaves empty, from the file upwards.
#[derive(Clone, Copy, Default)]
struct Leaving {
    slots: [u8; LEVELS],
    count: u8,
}

impl Leaving {
    /// How many of them are below that slot: 0 for the file itself.
    fn place(&self, slot: u8) -> Option<u8> {
        (0..self.count).zip(self.slots).find_map(|(place, leaving)| (leaving == slot).then_some(place))
    }
}

/// The result of looking up a path.
#[derive(Clone, Copy)]
struct Way {
    /// How many of its components have slots, from the first on ...
    known: u8,
    /// ... and the slot of the last one of those.
    parent: u8,
    /// How many of the slots that a rename would empty are really emptied: the others are on the new path.
    left: u8,
}

impl<'a> Files<'a> {
    /// Whether no file or folder has the name of the path.
    pub(super) fn is_name_free(&self, path: &str, parts: &Parts) -> bool {
        let look = || {
            let version = self.state().version;
            let way = self.way(path, parts, &Leaving::default());
            (self.state().version == version).then_some(way.is_ok())
        };
        (0..ATTEMPTS).find_map(|_| look()).unwrap_or(false)
    }

    /// Registers a file, in place of another one if there is one.
    pub(super) fn put(
        &self,
        file: &'a File<'a>,
        old: Option<&'a File<'a>>,
        announced: bool,
        announcing: Option<Announcing>,
    ) -> Result<(), AddError> {
        let parts = Parts::of(self.layout, file.path)?;
        if file.content.length() > file.capacity {
            return Err(AddError::TooLong);
        }
        let mut attempts = (0..ATTEMPTS).filter_map(|_| self.attempt(file, old, &parts, announced, announcing));
        attempts.next().unwrap_or(Err(AddError::Busy))?;
        // It fits, unless it has changed just now; then the next generation cuts it.
        let _ = file.content.accept(file.capacity);
        Ok(())
    }

    /// One attempt; `None` if something else was registered or removed in the meantime.
    fn attempt(
        &self,
        file: &'a File<'a>,
        old: Option<&'a File<'a>>,
        parts: &Parts,
        announced: bool,
        announcing: Option<Announcing>,
    ) -> Option<Result<(), AddError>> {
        let begun = critical_section::with(|section| {
            let mut leaving = Leaving::default();
            if let Some(old) = old {
                leaving = self.leaving(section, self.find(section, old).ok_or(AddError::NotAdded)?);
            }
            if self.find(section, file).is_some() {
                Err(AddError::AlreadyAdded)
            } else {
                Ok((leaving, self.version(section)))
            }
        });
        let (leaving, version) = match begun {
            Ok(begun) => begun,
            Err(error) => return Some(Err(error)),
        };
        let way = self.way(file.path, parts, &leaving);
        critical_section::with(|section| {
            (self.version(section) == version).then(|| {
                self.enter(section, file, parts, way?, &leaving)?;
                self.note(section, announced, announcing);
                Ok(())
            })
        })
    }

    fn version(&self, section: CriticalSection<'_>) -> u32 {
        self.state.borrow(section).get().version
    }

    /// The slot of a registered file.
    pub(super) fn find<'s>(&'s self, section: CriticalSection<'s>, file: &File<'a>) -> Option<&'s Slot<'a>> {
        self.used(section).iter().map(|slot| slot.borrow(section)).find(|slot| slot.holds(file))
    }

    /// The slots that may be wanted.
    fn used(&self, section: CriticalSection<'_>) -> &[FileSlot<'a>] {
        self.slots().get(..self.state.borrow(section).get().used.into()).unwrap_or_default()
    }

    fn slot<'s>(&'s self, section: CriticalSection<'s>, index: u8) -> Option<&'s Slot<'a>> {
        Some(self.slots().get(usize::from(index))?.borrow(section))
    }

    /// The wanted entry with that name in a folder.
    ///
    /// # Errors
    /// Another entry, which stays there, has a name that some host may take for this one.
    fn named(
        &self,
        parent: u8,
        part: Part,
        component: &str,
        leaving: &Leaving,
    ) -> Result<Option<(u8, Wanted<'a>)>, AddError> {
        let name = Name::again(component);
        let (mut from, mut found) = (0, None);
        while let Some((index, wanted)) = self.next_wanted(from, parent, part) {
            let other = Name::again(wanted.name());
            if wanted.hash == part.hash && name.is_same(other) {
                found = Some((index, wanted));
            } else if !(part.ascii && wanted.ascii) && leaving.place(index).is_none() && name.is_twin(other.units()) {
                return Err(AddError::NameTaken);
            }
            from = usize::from(index) + 1;
        }
        Ok(found)
    }

    /// The first slot from `from` on that is wanted in a folder, under a name that some host may take for `part`.
    #[inline(never)]
    fn next_wanted(&self, from: usize, parent: u8, part: Part) -> Option<(u8, Wanted<'a>)> {
        critical_section::with(|section| {
            let mut slots = self.used(section).iter().enumerate().skip(from);
            slots.find_map(|(index, slot)| {
                let slot = slot.borrow(section);
                if slot.may_be(parent, part.hash, part.ascii) { Some((index as u8, slot.wanted()?)) } else { None }
            })
        })
    }

    /// Looks up a path, given what will be removed.
    fn way(&self, path: &str, parts: &Parts, leaving: &Leaving) -> Result<Way, AddError> {
        if parts.taken {
            return Err(AddError::NameTaken);
        }
        let mut way = Way { known: 0, parent: ROOT, left: leaving.count };
        for (component, (level, part)) in Components::of(path).zip(parts.from(0)) {
            let Some((index, wanted)) = self.named(way.parent, part, component, leaving)? else { break };
            match leaving.place(index) {
                // A folder that stays because it is on the new path.
                Some(place) if place != 0 && level != 0 && wanted.name() == component => way.left = place,
                Some(_) => break,
                None if wanted.is_folder() && level != 0 => {}
                None => return Err(AddError::NameTaken),
            }
            way.parent = index;
            way.known += 1;
        }
        Ok(way)
    }

    /// What is removed together with the file of a slot.
    fn leaving(&self, section: CriticalSection<'_>, slot: &Slot<'a>) -> Leaving {
        let mut leaving = Leaving::default();
        let file = self.slots().iter().position(|other| core::ptr::eq(other.borrow(section), slot));
        let mut next = file.map(|index| index as u8);
        for place in &mut leaving.slots {
            let Some(index) = next else { break };
            *place = index;
            leaving.count += 1;
            let parent = self.slot(section, index).and_then(Slot::wanted).map_or(ROOT, |wanted| wanted.parent);
            next = (self.slot(section, parent).is_some_and(|folder| folder.children() == 1)).then_some(parent);
        }
        leaving
    }

    /// The room that a wanted file or folder takes.
    fn room_of(&self, file: &File<'_>, level: u8, given: bool, entries: u8) -> Room {
        let length = if level == 0 { file.capacity } else { self.folder_length() };
        match given {
            true => Room { slots: 1, ..Room::NONE },
            false => Room { slots: 1, entries: entries.into(), clusters: self.layout.clusters(length) },
        }
    }

    /// The room that a slot takes.
    fn room_in(&self, slot: &Slot<'a>) -> Room {
        slot.wanted()
            .map_or(Room::NONE, |Wanted { file, level, given, entries, .. }| self.room_of(file, level, given, entries))
    }

    /// Enters a file and the folders that it needs, and removes what leaves; changes nothing if there is no room.
    fn enter(
        &self,
        section: CriticalSection<'_>,
        file: &'a File<'a>,
        parts: &Parts,
        way: Way,
        leaving: &Leaving,
    ) -> Result<(), AddError> {
        let mut room = self.state.borrow(section).get().room;
        for index in leaving.slots.iter().take(way.left.into()) {
            room = room.minus(self.slot(section, *index).map_or(Room::NONE, |slot| self.room_in(slot)));
        }
        for (level, part) in parts.from(way.known) {
            room = room.plus(self.room_of(file, level, part.given, part.entries));
        }
        // A folder's number must differ from the root's, and each directory must have room for all entries.
        if usize::from(room.slots) > self.usable().min(ROOT.into()) || room.entries > self.layout.dynamic.entries {
            return Err(AddError::TooManyFiles);
        }
        if room.clusters > self.layout.dynamic.cluster_count {
            return Err(AddError::NoRoom);
        }
        // Nothing is refused from here on. The new child keeps its folder.
        if let Some(folder) = self.slot(section, way.parent) {
            folder.add_child();
        }
        if let Some(slot) = leaving.slots.first().filter(|_| leaving.count != 0) {
            self.slot(section, *slot).into_iter().for_each(|slot| self.take_out(section, slot));
        }
        let mut parent = way.parent;
        let mut free = self.slots().iter().enumerate().filter(|(_, slot)| slot.borrow(section).is_free());
        for ((level, Part { hash, entries, given, ascii }), (index, slot)) in parts.from(way.known).zip(&mut free) {
            let slot = slot.borrow(section);
            slot.want(Wanted { file, level, parent, given, entries, hash, ascii });
            if level != 0 {
                slot.add_child();
            }
            parent = index as u8;
        }
        self.change_state(section, |state| {
            state.version = state.version.wrapping_add(1);
            state.room = room;
            // The last entered slot was the free one with the highest number.
            state.used = state.used.max(parent.saturating_add(1));
        });
        Ok(())
    }

    /// Empties a slot, and the folders that become empty.
    pub(super) fn take_out(&self, section: CriticalSection<'_>, slot: &Slot<'a>) {
        let mut room = self.state.borrow(section).get().room;
        let mut next = Some(slot);
        while let Some(slot) = next {
            let parent = slot.wanted().map_or(ROOT, |wanted| wanted.parent);
            room = room.minus(self.room_in(slot));
            slot.leave();
            next = self.slot(section, parent).filter(|folder| folder.remove_child() == 0);
        }
        let left = self.used(section).iter().rposition(|slot| !slot.borrow(section).is_free());
        self.change_state(section, |state| {
            state.version = state.version.wrapping_add(1);
            state.room = room;
            state.used = left.map_or(0, |last| last as u8 + 1);
        });
    }
}
