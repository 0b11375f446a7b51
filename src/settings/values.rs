//! The values: a set that is in effect, one that the current generation shows, and what flash stores.

use super::console::{Console, PACKET_LENGTH};
use super::dump::Reach;
use super::field::Field;
use super::foreign::Contents;
use super::own::{Own, Plan, Values};
use super::payload::Payload;
use super::printed::Sum;
use super::reason::Reason;
use super::section::{LINE_LENGTH, Section};
use super::stacks::STACKS;
use super::store::{SaveError, Storage};
use super::wear::Erases;
use crate::announcement::Announcing;
use crate::clock::Instant;
use crate::text::Writer;
use crate::volume::layout::Exposable;
use core::cell::{Cell, RefCell};
use core::fmt;
use critical_section::{CriticalSection, Mutex};
use picovd_exfat::window;

/// Maximum number of groups of an application.
pub const MAX_GROUPS: usize = 4;

/// Why a group was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupError {
    /// There are [`MAX_GROUPS`] of them.
    Full,
    /// Another group, or the stick itself, has a field of the same name, or the group's own name: fields are set without
    /// naming their group. Rename it.
    NameTaken,
}

impl fmt::Display for GroupError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(out, "there are {MAX_GROUPS} groups of settings already"),
            Self::NameTaken => out.write_str("another group has that name, or a field of the same name"),
        }
    }
}

impl core::error::Error for GroupError {}

/// Whether two groups, or two of their fields, cannot be told apart.
fn is_alike(one: &dyn Section, other: &dyn Section) -> bool {
    let has = |field: &Field| other.fields().iter().any(|other| other.name == field.name);
    one.id() == other.id() || one.fields().iter().any(has)
}

/// Everything that may hold a secret: the values, and the line that a console receives. A `static` in the linker section
/// `.settings`, which starts as zeros and is hidden from all files that show memory.
pub struct Room {
    buffers: Mutex<RefCell<Buffers>>,
}

/// The buffers in a [`Room`].
pub(super) struct Buffers {
    /// The values in effect.
    now: Payload,
    /// The values that the current generation shows.
    shown: Payload,
    /// The values that the answer being sent contains.
    pub answered: Payload,
    pub line: [u8; LINE_LENGTH],
    /// Checksum of the line as it was received.
    pub sum: Sum,
    /// The received packet, whose bytes have not all been added to a line yet.
    pub input: [u8; PACKET_LENGTH],
}

impl Buffers {
    fn of(&self, which: Which) -> &Payload {
        match which {
            Which::Now => &self.now,
            Which::Shown => &self.shown,
            Which::Answered => &self.answered,
        }
    }
}

impl Room {
    /// Zeros: no values, no line.
    #[must_use]
    pub const fn new() -> Self {
        let buffers = Buffers {
            now: Payload::EMPTY,
            shown: Payload::EMPTY,
            answered: Payload::EMPTY,
            line: [0; LINE_LENGTH],
            sum: Sum::EMPTY,
            input: [0; PACKET_LENGTH],
        };
        Self { buffers: Mutex::new(RefCell::new(buffers)) }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

/// What is not secret.
#[derive(Clone, Copy)]
struct Flags {
    /// Counts changes of the values in effect.
    changes: u32,
    /// The value of that counter when they were applied to the stick.
    applied: u32,
    /// The value of that counter when they were saved or loaded.
    saved: u32,
    /// The saved values lock the console.
    locked: bool,
    /// The groups, and the exposed files, that the current generation shows.
    shown_groups: u8,
    shown_files: u32,
    /// A restart of the program was requested.
    restart: bool,
    /// The foreign contents of the settings' sectors.
    occupied: Option<Contents>,
    /// Number of erases that saves may still cause.
    erases: Erases,
}

impl Flags {
    const START: Self = Self {
        changes: 0,
        applied: 0,
        saved: 0,
        locked: false,
        shown_groups: 0,
        shown_files: 0,
        restart: false,
        occupied: None,
        erases: Erases::START,
    };
}

/// The settings of a stick: its own, and the groups that its application adds.
///
/// A change takes effect immediately, is announced to hosts like a change of a file, and is lost at power-off unless it is
/// saved.
pub struct Settings<'a> {
    /// The group that every stick has, including the manifest's plan.
    own: Own<'a>,
    room: &'a Room,
    flags: Mutex<Cell<Flags>>,
    groups: Mutex<Cell<[Option<&'a dyn Section>; MAX_GROUPS]>>,
    storage: Mutex<Cell<Option<&'a mut (dyn Storage + Send)>>>,
    pub(super) console: Console,
    reach: Mutex<Cell<Option<Reach<'a>>>>,
}

/// The values at which time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    Now,
    Shown,
    Answered,
}

/// What a file shows of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The current values.
    Values,
    /// What may be set.
    Schema,
}

impl<'a> Settings<'a> {
    /// All values are defaults. Generated with the manifest's tables.
    #[must_use]
    pub const fn new(plan: Plan<'a>, room: &'a Room) -> Self {
        Self {
            own: Own(plan),
            room,
            flags: Mutex::new(Cell::new(Flags::START)),
            groups: Mutex::new(Cell::new([None; MAX_GROUPS])),
            storage: Mutex::new(Cell::new(None)),
            console: Console::new(),
            reach: Mutex::new(Cell::new(None)),
        }
    }

    /// The manifest's decisions about settings.
    #[must_use]
    pub fn plan(&self) -> &Plan<'a> {
        &self.own.0
    }

    /// Adds an application's group. Its saved values take effect immediately.
    ///
    /// # Errors
    /// [`GroupError`]: nothing is added.
    // Not inlined, so that its frame is not part of a frame that lives on.
    #[inline(never)]
    pub fn add(&self, group: &'a dyn Section) -> Result<(), GroupError> {
        let own: &dyn Section = &self.own;
        // Names are compared with interrupts enabled; groups are only ever added, at the first free index.
        loop {
            let known = critical_section::with(|section| self.groups.borrow(section).get());
            if known.iter().flatten().copied().chain([own]).any(|other| is_alike(other, group)) {
                return Err(GroupError::NameTaken);
            }
            let place = known.iter().position(Option::is_none).ok_or(GroupError::Full)?;
            let added = critical_section::with(|section| {
                let mut groups = self.groups.borrow(section).get();
                let free = groups.get_mut(place).filter(|place| place.is_none()).map(|place| *place = Some(group));
                self.groups.borrow(section).set(groups);
                free.is_some()
            });
            if added {
                break;
            }
        }
        let unsaved = self.is_unsaved();
        // There is room: defaults are short.
        let _ = self.edit(|payload| self.repair(payload, group));
        if !unsaved {
            // The user has not set anything.
            critical_section::with(|section| self.change_flags(section, |flags| flags.saved = flags.changes));
        }
        Ok(())
    }

    /// Counts the changes of the values in effect, so that they can be followed.
    #[must_use]
    pub fn changes(&self) -> u32 {
        self.flags().changes
    }

    /// Whether the console is locked.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.plan().lock || self.flags().locked
    }

    // The methods that follow are for the stick.

    /// Sets the storage, and loads the values that were saved in it.
    pub fn start(&self, storage: &'a mut (dyn Storage + Send)) {
        self.with_storage(|place| place.set(Some(storage)));
        self.load();
    }

    fn with_storage<R>(&self, work: impl FnOnce(&Cell<Option<&'a mut (dyn Storage + Send)>>) -> R) -> R {
        critical_section::with(|section| work(self.storage.borrow(section)))
    }

    /// Loads what was saved, or defaults if nothing was.
    pub(super) fn load(&self) {
        STACKS.note();
        let mut storage = self.with_storage(Cell::take);
        let mut payload = Payload::EMPTY;
        if let Some(storage) = &mut storage {
            payload.fill(|out| storage.load(out));
        }
        let occupied = storage.as_ref().and_then(|storage| storage.health().occupied);
        self.with_storage(|place| place.set(storage));
        let locked = Values(payload.get(Own::ID)).lock();
        // Only the values in effect are repaired; what is saved is unchanged.
        for (_, group) in self.sections() {
            let _ = self.repair(&mut payload, group);
        }
        critical_section::with(|section| {
            self.with_buffers(section, |buffers| buffers.now.copy(&payload));
            self.change_flags(section, |flags| {
                flags.changes = flags.changes.wrapping_add(1);
                flags.saved = flags.changes;
                flags.locked |= locked;
                flags.occupied = occupied;
            });
        });
    }

    /// The foreign contents of the settings' sectors: then nothing can be saved.
    #[must_use]
    pub fn occupied(&self) -> Option<Contents> {
        self.flags().occupied
    }

    /// Saves the values in effect. With `claim`, even in sectors with foreign contents, which are lost.
    ///
    /// # Errors
    /// Why not; what was saved before is unchanged.
    pub(super) fn save(&self, claim: bool, now: Instant) -> Result<(), SaveError> {
        let (payload, changes) = self.present();
        let flags = self.flags();
        let granted = flags.erases.at(now);
        // What is saved already is not written again.
        if !granted.is_any() && flags.saved != changes {
            return Err(SaveError::TooOften);
        }
        let Some(storage) = self.with_storage(Cell::take) else { return Err(SaveError::Volatile) };
        if claim {
            storage.claim();
        }
        let before = storage.health().erases;
        let result = storage.save(payload.bytes());
        let health = storage.health();
        self.with_storage(|place| place.set(Some(storage)));
        critical_section::with(|section| {
            self.change_flags(section, |flags| {
                flags.occupied = health.occupied;
                flags.erases = granted.without(health.erases.wrapping_sub(before));
            });
        });
        result?;
        let lock = Values(payload.get(Own::ID)).lock();
        critical_section::with(|section| {
            self.change_flags(section, |flags| {
                flags.saved = changes;
                flags.locked |= lock;
            });
        });
        Ok(())
    }

    /// Resets every known value to its default.
    pub(super) fn forget(&self) {
        let _: Result<(), Reason> = self.edit(|payload| {
            payload.forget(|id| self.knows(id));
            Ok(())
        });
    }

    /// Whether the values in effect differ from what was saved.
    pub(super) fn is_unsaved(&self) -> bool {
        let flags = self.flags();
        flags.saved != flags.changes
    }

    /// Lets the console's commands reach memory, and BOOTSEL mode. Without it, they are refused.
    pub fn set_reach(&self, reach: Reach<'a>) {
        critical_section::with(|section| self.reach.borrow(section).set(Some(reach)));
    }

    // Not inlined, because a call is shorter than a critical section.
    #[inline(never)]
    pub(super) fn reach(&self) -> Option<Reach<'a>> {
        critical_section::with(|section| self.reach.borrow(section).get())
    }

    pub(super) fn want_restart(&self) {
        critical_section::with(|section| self.change_flags(section, |flags| flags.restart = true));
    }

    /// Whether a restart of the program was requested since the last call.
    pub fn take_restart(&self) -> bool {
        critical_section::with(|section| {
            let wanted = self.flags.borrow(section).get().restart;
            self.change_flags(section, |flags| flags.restart = false);
            wanted
        })
    }

    /// Whether values changed since the last call, so that the stick has to follow.
    pub fn take_changed(&self) -> bool {
        critical_section::with(|section| {
            let flags = self.flags.borrow(section).get();
            self.change_flags(section, |flags| flags.applied = flags.changes);
            flags.applied != flags.changes
        })
    }

    /// A generation begins: it shows the values in effect now.
    pub fn freeze(&self) {
        critical_section::with(|section| {
            self.with_buffers(section, |buffers| buffers.shown.copy(&buffers.now));
            let groups = self.groups.borrow(section).get().iter().flatten().count() as u8;
            self.change_flags(section, |flags| flags.shown_groups = groups);
        });
        let files = self.exposed_in(Which::Shown);
        critical_section::with(|section| self.change_flags(section, |flags| flags.shown_files = files));
    }

    /// Renders a view from byte `offset` on, as the current generation shows it. Returns the number of bytes stored in
    /// `out`.
    pub fn render(&self, view: View, offset: usize, out: &mut [u8]) -> usize {
        let mut writer = Writer::new(offset, out);
        // The reader fetches what does not fit with its next read.
        let _ = self.write_view(view, &mut writer);
        writer.filled()
    }

    /// Length of a view in bytes, as the current generation shows it.
    #[must_use]
    pub fn length(&self, view: View) -> usize {
        Writer::length(|out| self.write_view(view, out))
    }

    fn write_view(&self, view: View, out: &mut Writer<'_>) -> fmt::Result {
        match view {
            View::Values => self.write_values(Which::Shown, Style::Lines, out),
            View::Schema => self.write_schema(out),
        }
    }

    /// The volume's label, if one is set, as the current generation shows it.
    #[must_use]
    pub fn label(&self) -> Option<heapless::String<33>> {
        self.label_in(Which::Shown)
    }

    /// The files that the manifest leaves to settings and that the current generation hides.
    pub fn hidden(&self) -> impl Iterator<Item = Exposable<'a>> {
        let shown = if self.plan().exposable.is_empty() { 0 } else { self.flags().shown_files };
        let files = self.plan().exposable.iter().enumerate();
        files.filter(move |(number, _)| shown >> number & 1 == 0).map(|(_, file)| file)
    }

    /// Whether the next generation will have another label or other files.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.label_in(Which::Now) != self.label() || self.exposed_in(Which::Now) != self.flags().shown_files
    }

    fn label_in(&self, which: Which) -> Option<heapless::String<33>> {
        self.own(which, |own| own.label().and_then(|label| label.try_into().ok())).flatten()
    }

    /// The exposed files among those that the manifest leaves to settings: a bit each.
    pub(super) fn exposed_in(&self, which: Which) -> u32 {
        let files = self.plan().exposable.iter().enumerate();
        // One critical section for each file, so that interrupts do not wait for long.
        let is_exposed = |file: Exposable<'_>| self.own(which, |own| own.exposes(file.path)) == Some(true);
        files.fold(0, |bits, (number, file)| bits | u32::from(is_exposed(file)) << number)
    }

    /// How hosts are notified of changes.
    #[must_use]
    pub fn announcing(&self) -> Announcing {
        self.own(Which::Now, |own| own.announcing(self.plan())).unwrap_or(self.plan().defaults.announcing)
    }

    /// Copies the USB device's manufacturer and product into `out`, if they are set. Returns them.
    pub fn usb_strings<'o>(&self, out: &'o mut [[u8; 96]; 2]) -> [Option<&'o str>; 2] {
        let lengths = self.own(Which::Now, |own| {
            let mut places = out.iter_mut();
            own.usb_strings().map(|text| {
                let (text, place) = text.zip(places.next())?;
                // The compiler cannot prove that `copy_from_slice` does not panic.
                Some(window::put(place.get_mut(..text.len())?, text.bytes()))
            })
        });
        let mut places = out.iter();
        lengths.unwrap_or_default().map(|length| {
            let place = places.next()?;
            core::str::from_utf8(place.get(..length?)?).ok()
        })
    }

    /// Reads the stick's own values. None of them is a secret, so their traces do not matter.
    fn own<R>(&self, which: Which, work: impl FnOnce(Values<'_>) -> R) -> Option<R> {
        critical_section::with(|section| {
            self.with_buffers(section, |buffers| work(Values(buffers.of(which).get(Own::ID))))
        })
    }

    /// Copies a group's bytes, as many as fit. Returns their number, 0 if the group has none.
    #[inline(never)]
    pub(super) fn copy(&self, id: u32, out: &mut [u8]) -> usize {
        let copy = |buffers: &mut Buffers| {
            let bytes = buffers.now.get(id);
            let length = bytes.len().min(out.len());
            if let (Some(out), Some(bytes)) = (out.get_mut(..length), bytes.get(..length)) {
                out.copy_from_slice(bytes);
            }
            length
        };
        critical_section::with(|section| self.with_buffers(section, copy)).unwrap_or(0)
    }

    /// The values in effect, and the count of changes that led to them.
    #[inline(never)]
    pub(super) fn present(&self) -> (Payload, u32) {
        let mut payload = Payload::EMPTY;
        let changes = critical_section::with(|section| {
            self.with_buffers(section, |buffers| payload.copy(&buffers.now));
            self.flags.borrow(section).get().changes
        });
        (payload, changes)
    }

    /// The values at that time.
    #[inline(never)]
    pub(super) fn of(&self, which: Which) -> Payload {
        let mut payload = Payload::EMPTY;
        critical_section::with(|section| {
            self.with_buffers(section, |buffers| payload.copy(buffers.of(which)));
        });
        payload
    }

    /// Changes the values in effect: completely or, if `change` fails, not at all.
    pub(super) fn edit<E>(&self, change: impl Fn(&mut Payload) -> Result<(), E>) -> Result<(), E> {
        loop {
            let (mut payload, changes) = self.present();
            change(&mut payload)?;
            if self.replace(&payload, changes) {
                return Ok(());
            }
        }
    }

    /// Puts values into effect if those at change count `changes` still are: an interrupt handler or the other core may
    /// have been faster. Returns whether it did.
    #[inline(never)]
    fn replace(&self, payload: &Payload, changes: u32) -> bool {
        critical_section::with(|section| {
            let same = self.flags.borrow(section).get().changes == changes;
            if same {
                self.with_buffers(section, |buffers| buffers.now.copy(payload));
                self.change_flags(section, |flags| flags.changes = flags.changes.wrapping_add(1));
            }
            same
        })
    }

    pub(super) fn put(&self, payload: &mut Payload, id: u32, bytes: &[u8]) -> Result<(), Reason> {
        if payload.put(id, bytes, |id| self.knows(id)) {
            return Ok(());
        }
        // Known values have priority over what a newer firmware has added.
        let known = |id: u32, bytes: &[u8]| {
            self.sections().find(|(_, group)| group.id() == id).map_or(0, |(_, group)| group.known(bytes))
        };
        payload.shorten(known);
        let bytes = bytes.get(..known(id, bytes)).unwrap_or(bytes);
        if payload.put(id, bytes, |_| true) { Ok(()) } else { Err(Reason::NoRoom) }
    }

    fn repair(&self, payload: &mut Payload, group: &dyn Section) -> Result<(), Reason> {
        let mut out = zeroize::Zeroizing::new([0; super::codec::MAX_LENGTH]);
        match group.repair(payload.get(group.id()), &mut *out) {
            Some(length) => {
                let repaired = self.put(payload, group.id(), out.get(..length).unwrap_or_default());
                // If other groups take its room, all of its values are defaults.
                repaired.or_else(|_| self.put(payload, group.id(), &[]))
            }
            None => Ok(()),
        }
    }

    fn knows(&self, id: u32) -> bool {
        self.sections().any(|(_, group)| group.id() == id)
    }

    /// All groups with their numbers, the stick's own first.
    pub(super) fn sections(&self) -> impl Iterator<Item = (usize, &dyn Section)> {
        (0..=MAX_GROUPS).filter_map(|number| Some((number, self.section(number)?)))
    }

    /// One group, by its number.
    // Not inlined, because a call is shorter than a critical section.
    #[inline(never)]
    pub(super) fn section(&self, number: usize) -> Option<&dyn Section> {
        let Some(place) = number.checked_sub(1) else { return Some(&self.own) };
        let groups = critical_section::with(|section| self.groups.borrow(section).get());
        groups.get(place).copied().flatten().map(|group| group as &dyn Section)
    }

    /// Indexes of the group and of the field with that name.
    pub(super) fn find(&self, is_it: impl Fn(&str) -> bool) -> Option<(usize, usize)> {
        self.sections().find_map(|(number, group)| {
            let place = group.fields().iter().position(|field| is_it(field.name));
            place.map(|place| (number, place))
        })
    }

    /// Writes all values as one JSON object, in the given style.
    pub(super) fn write_values(&self, which: Which, style: Style, out: &mut Writer<'_>) -> fmt::Result {
        let payload = self.of(which);
        out.text("{")?;
        let mut first = true;
        let groups = if which == Which::Shown { self.flags().shown_groups } else { MAX_GROUPS as u8 };
        self.each_field(groups, &mut |group, index, field| {
            style.separate(&mut first, out)?;
            self.write_member(&payload, group, index, field, out)
        })?;
        style.end(first, out)
    }

    /// Writes one member of that object.
    pub(super) fn write_member(
        &self,
        payload: &Payload,
        group: &dyn Section,
        index: usize,
        field: &Field,
        out: &mut Writer<'_>,
    ) -> fmt::Result {
        out.quoted(field.name)?;
        out.text(":")?;
        let present = payload.get(group.id());
        match field.secret {
            true if group.is_default(present, index) => out.text("\"not set\""),
            true => out.text("\"set\""),
            false => group.write(present, index, out),
        }
    }

    /// Writes what may be set as a JSON Schema (draft 7).
    pub(super) fn write_schema(&self, out: &mut Writer<'_>) -> fmt::Result {
        out.text("{\"$schema\":\"http://json-schema.org/draft-07/schema#\",\"title\":\"Settings\",")?;
        out.text("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{")?;
        let mut first = true;
        self.each_field(self.flags().shown_groups, &mut |_, _, field| {
            Style::Lines.separate(&mut first, out)?;
            field.schema(out)
        })?;
        out.text(if first { "}" } else { "\r\n}" })?;
        out.text("}\r\n")
    }

    fn each_field(&self, groups: u8, each: &mut dyn FnMut(&dyn Section, usize, &Field) -> fmt::Result) -> fmt::Result {
        for (_, group) in self.sections().take_while(|(number, _)| *number <= usize::from(groups)) {
            for (index, field) in group.fields().iter().enumerate() {
                each(group, index, field)?;
            }
        }
        Ok(())
    }

    // Not inlined, because a call is shorter than a critical section; the same below.
    #[inline(never)]
    fn flags(&self) -> Flags {
        critical_section::with(|section| self.flags.borrow(section).get())
    }

    fn change_flags(&self, section: CriticalSection<'_>, change: impl FnOnce(&mut Flags)) {
        let cell = self.flags.borrow(section);
        let mut flags = cell.get();
        change(&mut flags);
        cell.set(flags);
    }

    pub(super) fn with_buffers<R>(
        &self,
        section: CriticalSection<'_>,
        work: impl FnOnce(&mut Buffers) -> R,
    ) -> Option<R> {
        STACKS.note();
        // Never borrowed already: `work` is always short and does not call this again.
        let mut buffers = self.room.buffers.borrow(section).try_borrow_mut().ok()?;
        Some(work(&mut buffers))
    }
}

/// How members of an object are set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// All in one line.
    Line,
    /// One in a line.
    Lines,
}

impl Style {
    fn separate(self, first: &mut bool, out: &mut Writer<'_>) -> fmt::Result {
        let comma = if core::mem::take(first) { "" } else { "," };
        out.text(comma)?;
        if self == Self::Lines { out.text("\r\n  ") } else { Ok(()) }
    }

    fn end(self, empty: bool, out: &mut Writer<'_>) -> fmt::Result {
        match self {
            Self::Line => out.text("}"),
            Self::Lines => out.text(if empty { "}\r\n" } else { "\r\n}\r\n" }),
        }
    }
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Settings").field("plan", self.plan()).finish_non_exhaustive()
    }
}
