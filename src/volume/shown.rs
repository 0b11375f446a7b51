//! What hosts see of the files of run time: the volume's side of [`Files`].

use super::content::Generation;
use super::directory;
use super::place::{self, Run};
use super::registry::Files;
use super::slot::{FileSlot, Shown};
use picovd_exfat::time::Timestamp;

/// Slots that are looked at in one critical section.
const AT_ONCE: usize = 8;

impl<'a> Files<'a> {
    /// Tells `found` the first cluster, counted from the window's first, and the length in bytes of everything that takes clusters
    /// of the window.
    pub(super) fn standing(&self, mut found: impl FnMut(u32, u32)) {
        for slots in self.showing().chunks(AT_ONCE) {
            let mut some = [(0, 0); AT_ONCE];
            critical_section::with(|section| {
                for (place, slot) in some.iter_mut().zip(slots) {
                    *place = slot.get(section).place();
                }
            });
            for (first, length) in some {
                if length != 0 {
                    found(first, length);
                }
            }
        }
    }

    /// The slots that hosts see something in are among these.
    fn showing(&self) -> &[FileSlot<'a>] {
        self.slots().get(..self.state().end).unwrap_or_default()
    }

    /// The first slot from `from` on of which `test` tells something.
    fn search<R>(&self, from: usize, test: impl Fn(usize, Shown<'a>) -> Option<R>) -> Option<R> {
        let slots = self.showing().get(from..)?;
        slots.chunks(AT_ONCE).zip((from..).step_by(AT_ONCE)).find_map(|(slots, first)| {
            critical_section::with(|section| {
                slots.iter().zip(first..).find_map(|(slot, index)| test(index, slot.get(section).shown()?))
            })
        })
    }

    /// The first slot from `from` on that hosts see something in, and what.
    pub(super) fn next_shown(&self, from: usize) -> Option<(usize, Shown<'a>)> {
        self.search(from, |index, shown| Some((index, shown)))
    }

    /// The number of the folder of the manifest that begins at a cluster, when files of run time stand in it.
    pub(super) fn folder_of(&self, cluster: u32) -> Option<u8> {
        if !self.state().in_given {
            return None;
        }
        self.search(0, |index, shown| (shown.is_given() && shown.first == cluster).then_some(index as u8))
    }

    /// The slot whose file stands at a cluster of the window. `hint` is looked at first.
    pub(super) fn standing_at(&self, cluster: u32, hint: usize) -> Option<(usize, Shown<'a>)> {
        let folder = self.folder_length();
        let here = |index: usize, shown: Shown<'a>| {
            let run = shown.run(self.layout, folder);
            (cluster.checked_sub(run.first)? < run.count).then_some((index, shown))
        };
        let hinted = self.slots().get(hint).and_then(|slot| here(hint, slot.now().shown()?));
        hinted.or_else(|| self.search(0, here))
    }

    /// Begins a generation: what is wanted becomes what is shown. Where nobody has `seen` the one before, files stand in a
    /// row from the window's beginning, however many generations there were.
    pub(super) fn begin(&self, generation: Generation, seen: bool) {
        // Whichever slots it will be.
        critical_section::with(|section| {
            self.change_state(section, |state| (state.end, state.in_given) = (self.usable(), true));
        });
        let clock = self.state().clock.map(|clock| Timestamp::from_unix(clock()).value());
        let modified = clock.unwrap_or(self.layout.timestamp);
        let mut crowded = !seen;
        for slot in self.slots() {
            let (data, changed) = critical_section::with(|section| {
                let mut data = slot.get(section);
                let changed = data.is_changed();
                data.set_changed(false);
                slot.set(section, data);
                (data, changed)
            });
            let before = data.shown();
            let Some(wanted) = data.wanted() else {
                slot.show(None);
                continue;
            };
            let same = before.filter(|shown| {
                core::ptr::eq(shown.file, wanted.file) && (shown.level, shown.parent) == (wanted.level, wanted.parent)
            });
            if wanted.given {
                let first = directory::follow(self.layout, wanted.file.path, wanted.level).unwrap_or(0);
                slot.show(Some(Shown { first, ..Shown::empty(wanted) }));
                continue;
            }
            // A folder lists other files' places, so it goes along with every change.
            if same.is_some() && !changed && !wanted.file.renewed && !wanted.is_folder() {
                continue;
            }
            let (length, kept) = if wanted.is_folder() {
                (self.folder_length(), false)
            } else {
                let frozen = wanted.file.content.freeze(generation);
                (frozen.length.min(wanted.file.capacity), frozen.kept)
            };
            let mut shown = Shown { length, generation: generation.number, modified, ..Shown::empty(wanted) };
            let place = match same {
                Some(before) if kept => Some(before.first),
                _ => self.place(slot, &shown),
            };
            crowded |= place.is_none();
            shown.first = place.unwrap_or(0);
            shown.seal(self.layout.dynamic.first_cluster);
            slot.show(Some(shown));
        }
        if crowded {
            self.move_together();
        }
        let (mut end, mut in_given) = (0, false);
        for (index, slot) in self.slots().iter().enumerate() {
            if let Some(shown) = slot.now().shown() {
                end = index + 1;
                in_given |= shown.is_given();
            }
        }
        critical_section::with(|section| {
            self.change_state(section, |state| (state.end, state.in_given) = (end, in_given));
        });
    }

    /// Fresh clusters for a slot, and in need those that it has.
    fn place(&self, slot: &FileSlot<'a>, shown: &Shown<'a>) -> Option<u32> {
        let folder = self.folder_length();
        let count = shown.run(self.layout, folder).count;
        let (window, cursor) = (self.layout.dynamic.cluster_count, self.state().cursor);
        let taken = |own: bool| {
            let others = self.slots().iter().filter(move |other| own || !core::ptr::eq(*other, slot));
            others.filter_map(move |other| Some(other.now().shown()?.run(self.layout, folder)))
        };
        let first = place::find(window, cursor, count, taken(true))
            .or_else(|| place::find(window, cursor, count, taken(false)))?;
        critical_section::with(|section| self.change_state(section, |state| state.cursor = first + count));
        Some(first)
    }

    /// Puts all files in a row: their capacities fit into the window, but not where the gaps are.
    fn move_together(&self) {
        let mut next = 0;
        for slot in self.slots() {
            if let Some(mut shown) = slot.now().shown().filter(|shown| !shown.is_given()) {
                let Run { count, .. } = shown.run(self.layout, self.folder_length());
                shown.first = next;
                shown.seal(self.layout.dynamic.first_cluster);
                slot.show(Some(shown));
                next += count;
            }
        }
        critical_section::with(|section| self.change_state(section, |state| state.cursor = next));
    }
}
