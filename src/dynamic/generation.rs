//! What hosts see of the dynamic files in one generation, and how the next one begins.

use super::allocator::{self, Run};
use super::file::Components;
use super::registry::Files;
use super::slot::{FileSlot, ROOT, Shown, Taken};
use super::unused::{self, Listed};
use crate::volume::{Generation, lookup, probes};
use picovd_exfat::ClusterIndex;
use picovd_exfat::entry::ENTRY_LENGTH;
use picovd_exfat::time::Timestamp;

/// Number of slots that are read in one critical section.
const AT_ONCE: usize = 8;

/// Number of slots that are taken in one critical section ...
const TAKEN_AT_ONCE: usize = 4;

/// ... and how often a generation tries to begin that way.
const ATTEMPTS: u8 = 4;

impl<'a> Files<'a> {
    /// Calls `found` with the first cluster, counted from the window's first, and the length in bytes of everything that
    /// takes clusters of the window.
    pub(super) fn allocated(&self, mut found: impl FnMut(u32, u32)) {
        for slots in self.showing().chunks(AT_ONCE) {
            let mut some = [(0, 0); AT_ONCE];
            critical_section::with(|section| {
                for (place, slot) in some.iter_mut().zip(slots) {
                    *place = slot.borrow(section).place();
                }
            });
            for (first, length) in some {
                if length != 0 {
                    found(first, length);
                }
            }
        }
    }

    /// The slots that may show something to hosts.
    fn showing(&self) -> &[FileSlot<'a>] {
        self.slots().get(..self.state().end.into()).unwrap_or_default()
    }

    /// The first slot from `from` on for which `test` returns something.
    fn search<R>(&self, from: usize, test: impl Fn(usize, Shown<'a>) -> Option<R>) -> Option<R> {
        let slots = self.showing().get(from..)?;
        slots.chunks(AT_ONCE).zip((from..).step_by(AT_ONCE)).find_map(|(slots, first)| {
            critical_section::with(|section| {
                slots.iter().zip(first..).find_map(|(slot, index)| test(index, slot.borrow(section).shown()?))
            })
        })
    }

    /// The first slot from `from` on that shows something to hosts, and what it shows.
    pub(super) fn next_shown(&self, from: usize) -> Option<(usize, Shown<'a>)> {
        self.search(from, |index, shown| Some((index, shown)))
    }

    /// The dynamic entries that hosts see in the root directory, or in the folder of the manifest, that begins at `cluster`;
    /// `None` if there are none.
    #[inline(never)]
    pub(super) fn listed_at(&self, cluster: ClusterIndex) -> Option<Listed> {
        let state = self.state();
        if cluster == self.layout.first_cluster_of_root_directory {
            return Some(state.listed);
        }
        if !state.in_given {
            return None;
        }
        let here = |shown: &Shown<'a>| shown.is_given() && shown.first == cluster.0;
        self.search(0, |index, shown| {
            let unused = u32::from(shown.name_hash) * ENTRY_LENGTH as u32;
            here(&shown).then_some(Listed { folder: index as u8, unused, length: shown.generation })
        })
    }

    /// Length in bytes of all dynamic entries in a dynamic folder, in a folder of the manifest by its slot, or in the root
    /// directory. While a generation begins, that of what it will show.
    #[inline(never)]
    pub(super) fn entries_in(&self, folder: u8) -> u32 {
        let here = |slot: &FileSlot<'a>| {
            let Taken { shown, gone, given, .. } = slot.taken()?;
            // A folder of the manifest is among its parent's static entries.
            (shown.parent == folder && !gone && !given).then_some(u32::from(shown.entries))
        };
        self.slots().iter().filter_map(here).sum::<u32>() * ENTRY_LENGTH as u32
    }

    /// The slot whose file is at a cluster of the window. `hint` is checked first.
    pub(super) fn at_cluster(&self, cluster: u32, hint: usize) -> Option<(usize, Shown<'a>)> {
        let here = |index: usize, shown: Shown<'a>| {
            let run = shown.run(self.layout);
            (cluster.checked_sub(run.first)? < run.count).then_some((index, shown))
        };
        let hinted = self.slots().get(hint).and_then(|slot| here(hint, slot.shown()?));
        hinted.or_else(|| self.search(0, here))
    }

    /// Begins a generation: what is wanted becomes what is shown. If no host has `seen` the previous one, files are placed
    /// one after the other from the window's start, however many generations there were.
    ///
    /// First takes what is wanted: the generation is of that moment, whatever interrupt handlers and the other core change
    /// while contents are being frozen.
    pub(super) fn begin(&self, generation: Generation, seen: bool) {
        let clock = self.state().clock.map(|clock| Timestamp::from_unix(clock().as_secs()).value());
        let modified = clock.unwrap_or(self.layout.timestamp);
        self.take();
        let mut crowded = !seen;
        let (mut end, mut in_given) = (0, false);
        for (index, slot) in self.slots().iter().enumerate() {
            let Some(Taken { mut shown, gone, fresh, given }) = slot.taken() else { continue };
            if gone {
                slot.show(None);
                continue;
            }
            (end, in_given) = (index as u8 + 1, in_given || given);
            if given {
                let names = Components::of(shown.file.path).take(shown.level.into());
                shown.first = lookup::follow(self.layout, names).unwrap_or(ClusterIndex::NONE).0;
                shown.length = 0;
                let Listed { unused, length, .. } =
                    self.list(index as u8, ClusterIndex(shown.first), generation.number);
                (shown.name_hash, shown.generation) = ((unused / ENTRY_LENGTH as u32) as u16, length);
                slot.show(Some(shown));
                continue;
            }
            // A folder contains the locations of other files, so it is rendered again with every change.
            if !fresh && !shown.file.renewed && !shown.is_folder() {
                continue;
            }
            let (length, kept) = if shown.is_folder() {
                let entries = self.entries_in(index as u8) + ENTRY_LENGTH as u32;
                (self.layout.clusters(entries) << self.layout.cluster_shift(), false)
            } else {
                let frozen = shown.file.content.freeze(generation);
                (frozen.length.min(shown.file.capacity), frozen.kept && !shown.moved)
            };
            let known = shown.first;
            shown = Shown { length, generation: generation.number, modified, moved: false, ..shown };
            // If all files have to move anyway, each gets its clusters then.
            if !crowded {
                let place = if kept { Some(known) } else { self.place(slot, &shown) };
                crowded = place.is_none();
                shown.first = place.unwrap_or(0);
                shown.seal(self.layout.dynamic.first_cluster);
            }
            slot.show(Some(shown));
        }
        if crowded {
            self.move_together();
        }
        let listed = self.list(ROOT, self.layout.first_cluster_of_root_directory, generation.number);
        critical_section::with(|section| {
            self.change_state(section, |state| {
                (state.end, state.in_given, state.listed) = (end, in_given, listed);
            });
        });
    }

    /// What the generation that begins will list in the root directory, or in a folder of the manifest, that begins at
    /// `cluster`.
    fn list(&self, folder: u8, cluster: ClusterIndex, number: u32) -> Listed {
        let entries = self.entries_in(folder);
        let unused = unused::length(self.layout, cluster, entries, number);
        Listed { folder, unused, length: unused + entries }
    }

    /// Takes what is wanted at one moment: a few slots in each critical section, starting over if something was registered
    /// or removed meanwhile; in the end all slots in one, so that constant changes cannot prevent a generation from
    /// beginning.
    fn take(&self) {
        let (mut from, mut extent, mut begun, mut version) = (0, 0, 0, 0);
        while from <= extent {
            critical_section::with(|section| {
                let state = self.state.borrow(section).get();
                if begun == 0 || version != state.version {
                    (from, begun, version) = (0, begun + 1, state.version);
                }
                // What was taken before counts, too, since it may no longer be wanted.
                extent = usize::from(state.end.max(state.used)).max(extent);
                let most = if begun <= ATTEMPTS { TAKEN_AT_ONCE } else { extent + 1 };
                self.slots().iter().take(extent).skip(from).take(most).for_each(|slot| slot.borrow(section).take());
                from += most;
            });
        }
    }

    /// Free clusters for a slot, or if there are none, those that it has.
    fn place(&self, slot: &FileSlot<'a>, shown: &Shown<'a>) -> Option<u32> {
        let count = shown.run(self.layout).count;
        let (window, cursor) = (self.layout.dynamic.cluster_count, self.state().cursor);
        let find = |own: bool, around: bool| {
            allocator::find(window, cursor, count, &|candidate| {
                let others = self.slots().iter().filter(|other| own || !core::ptr::eq(*other, slot));
                // What takes no clusters has no location: `first` of a folder of the manifest is not in the window.
                let runs =
                    others.filter_map(|other| Some(other.shown()?.run(self.layout))).filter(|run| run.count != 0);
                let taken = runs.filter_map(|run| run.collides(candidate)).max();
                if around { taken.max(self.probed(candidate)) } else { taken }
            })
        };
        let first = find(true, true).or_else(|| find(true, false)).or_else(|| find(false, false))?;
        critical_section::with(|section| self.change_state(section, |state| state.cursor = first + count));
        Some(first)
    }

    /// Moves all files together: their capacities fit into the window, but not into the gaps.
    fn move_together(&self) {
        let window = self.layout.dynamic.cluster_count;
        let all =
            || self.slots().iter().filter_map(|slot| Some((slot, slot.shown().filter(|shown| !shown.is_given())?)));
        // Around the locations where disks are probed, if there is room for that.
        let after = |next, count, around: bool| {
            let mut candidate = Run { first: next, count };
            while around && let Some(end) = self.probed(candidate) {
                candidate.first = end;
            }
            candidate.first
        };
        let count = |shown: &Shown<'a>| shown.run(self.layout).count;
        let end = all().fold(0, |next, (_, shown)| after(next, count(&shown), true) + count(&shown));
        let around = end <= window;
        let mut next = 0;
        for (slot, mut shown) in all() {
            let first = after(next, count(&shown), around);
            next = first + count(&shown);
            // What was registered has room. Nothing is ever placed beyond the window.
            if next > window {
                slot.show(None);
                next = first;
                continue;
            }
            shown.first = first;
            shown.seal(self.layout.dynamic.first_cluster);
            slot.show(Some(shown));
        }
        critical_section::with(|section| self.change_state(section, |state| state.cursor = next));
    }

    /// Where the clusters end that a probe of the disk may read of those of `candidate`.
    fn probed(&self, candidate: Run) -> Option<u32> {
        probes::collision(self.layout, candidate.first, candidate.count)
    }
}
