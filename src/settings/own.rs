//! The stick's own settings: the first group.

use super::field::Field;
use super::hash::hash;
use super::reason::Reason;
use super::section::{LINE_LENGTH, Section};
use super::value::{DEFAULT, MAX_VALUE, Out, encode, hashes, number, split};
use crate::announcement::{Announcing, Refresh, Timing};
use crate::clock::Milliseconds;
use crate::text::Writer;
use crate::volume::layout::Exposables;
use core::fmt;
use picovd_exfat::name::{LABEL_UNITS, is_forbidden};
use picovd_exfat::portable::is_unseen;

/// The manifest's decisions about settings.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Number of flash sectors.
    pub sectors: u8,
    /// Offset of the first one in flash, in bytes.
    pub start: u32,
    /// Whether settings are read-only.
    pub lock: bool,
    /// Whether files that show memory show stacks, including secrets that are left there.
    pub show_stacks: bool,
    /// The files that the manifest leaves to settings.
    pub exposable: Exposables<'a>,
    /// Whether the board's digits follow the label.
    pub board_digits: bool,
    /// The values that apply if nothing is set.
    pub defaults: Defaults<'a>,
}

/// The values that apply if nothing is set.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// The volume's label.
    pub label: &'a str,
    /// How hosts are notified of changes.
    pub announcing: Announcing,
    /// The USB device's iManufacturer.
    pub manufacturer: &'a str,
    /// Its iProduct.
    pub product: &'a str,
}

/// The ways in which hosts are notified of changes, ordered by the numbers that are stored for them, and their names.
const WAYS: [Refresh; 4] = [Refresh::Auto, Refresh::Attention, Refresh::Reinsert, Refresh::Reconnect];
const WAY_NAMES: [&str; 4] = ["auto", "attention", "reinsert", "reconnect"];

/// Maximum number of files that the manifest may leave to settings.
pub const MAX_EXPOSABLE: usize = 16;

/// Maximum number of characters of the USB device's strings.
const USB_CHARACTERS: u16 = 32;

/// Maximum of the times in milliseconds, as in the manifest.
const LONGEST: i64 = 3_600_000;

const LABEL: usize = 0;
const EXPOSED: usize = 1;
const REFRESH: usize = 2;
const QUIET: usize = 3;
const MAX_AGE: usize = 4;
const HOLD: usize = 5;
const MANUFACTURER: usize = 6;
const PRODUCT: usize = 7;
const LOCK: usize = 8;

static FIELDS: [Field; 9] = [
    Field::text("label", 0, LABEL_UNITS as u16, "The volume's name as a host shows it.").or_null(),
    Field::texts(
        "exposed",
        MAX_EXPOSABLE as u16,
        "Which of the files that the manifest leaves to settings are on the volume: their paths.",
    ),
    Field::choice("refresh", &WAY_NAMES, "How hosts are notified of changes.").or_null(),
    Field::integer("quiet", 0, LONGEST, "A change is announced when no other has come for so many milliseconds.")
        .or_null(),
    Field::integer("max-age", 0, LONGEST, "A change is announced when it is so many milliseconds old, quiet or not.")
        .or_null(),
    Field::integer("hold", 0, LONGEST, "Least time between two announcements, in milliseconds.").or_null(),
    Field::text("manufacturer", 1, USB_CHARACTERS, "The USB device's manufacturer, from the next start on.").or_null(),
    Field::text("product", 1, USB_CHARACTERS, "The USB device's name, from the next start on.").or_null(),
    Field::boolean("lock", "Once it is saved, nothing can be set any more."),
];

/// The stored values: one field after the other, in the order of [`FIELDS`]. For a field without a value, the manifest's
/// applies. New fields are only appended.
#[derive(Clone, Copy)]
pub(super) struct Values<'p>(pub &'p [u8]);

impl<'p> Values<'p> {
    /// The stored value of a field.
    fn kept(self, index: usize) -> (Option<&'static Field>, &'p [u8]) {
        let mut rest = self.0;
        for (place, field) in FIELDS.iter().enumerate() {
            let value;
            (value, rest) = split(field, rest);
            if place == index {
                return (Some(field), value);
            }
        }
        (None, DEFAULT)
    }

    /// The bytes of a field's value, if it has one.
    fn field(self, index: usize) -> Option<&'p [u8]> {
        match self.kept(index) {
            (Some(Field { nullable: false, .. }), value) => Some(value),
            (_, [0, ..]) => None,
            (_, value) => value.get(1..),
        }
    }

    /// Whether a field has a stored value.
    fn is_set(self, index: usize) -> bool {
        self.kept(index).1 != DEFAULT
    }

    fn number(self, index: usize) -> Option<u32> {
        number(&mut self.field(index)?)
    }

    /// The value of a text field.
    fn text(self, index: usize) -> Option<&'p str> {
        let mut bytes = self.field(index)?;
        number(&mut bytes)?;
        core::str::from_utf8(bytes).ok()
    }

    /// The volume's label, if it is set.
    pub fn label(self) -> Option<&'p str> {
        self.text(LABEL)
    }

    /// The USB device's manufacturer and product, if they are set.
    pub fn usb_strings(self) -> [Option<&'p str>; 2] {
        [self.text(MANUFACTURER), self.text(PRODUCT)]
    }

    /// Whether nothing may be set any more.
    pub fn lock(self) -> bool {
        self.field(LOCK) == Some(&[1])
    }

    /// How hosts are notified of changes.
    pub fn announcing(self, plan: &Plan<'_>) -> Announcing {
        let Announcing { refresh, timing } = plan.defaults.announcing;
        let way = self.number(REFRESH).and_then(|way| WAYS.get(way as usize));
        let time = |index, default| self.number(index).map_or(default, Milliseconds);
        let quiet = time(QUIET, timing.quiet);
        let max_age = time(MAX_AGE, timing.max_age);
        // A hold that somebody has set stays as it is.
        let (hold, max_hold) = self.number(HOLD).map_or((timing.hold, timing.max_hold), |hold| {
            let hold = Milliseconds(hold);
            (hold, hold)
        });
        Announcing { refresh: way.copied().unwrap_or(refresh), timing: Timing { quiet, max_age, hold, max_hold } }
    }

    /// The hashes of the exposed files.
    fn exposed(self) -> impl Iterator<Item = u32> {
        let mut bytes = self.field(EXPOSED).unwrap_or_default();
        number(&mut bytes);
        hashes(bytes)
    }

    /// Whether that file is exposed.
    pub fn exposes(self, path: &str) -> bool {
        let hash = hash(path);
        self.exposed().any(|other| other == hash)
    }
}

/// The stick's own group, with its manifest's plan.
pub(super) struct Own<'a>(pub Plan<'a>);

impl Own<'_> {
    /// Identifies the group in what is saved.
    pub const ID: u32 = hash("picovd");

    fn check_label(&self, label: &str) -> Result<(), Reason> {
        // exFAT itself allows everything in a label; Windows refuses the same characters as in names.
        if label.encode_utf16().any(is_forbidden) || label.chars().any(is_unseen) {
            return Err(Reason::Rule("no control characters and none of \" * / : < > ? \\ |"));
        }
        let (most, words) = if self.0.board_digits {
            (LABEL_UNITS - 4, "more than 7 UTF-16 units, and the board's digits follow")
        } else {
            (LABEL_UNITS, "more than 11 UTF-16 units")
        };
        if label.encode_utf16().count() > most { Err(Reason::Rule(words)) } else { Ok(()) }
    }

    /// What a field must obey in addition to its kind, given the other values.
    fn check_field(&self, values: Values<'_>, index: usize) -> Result<(), Reason> {
        match index {
            LABEL => values.label().map_or(Ok(()), |label| self.check_label(label)),
            EXPOSED => {
                let known = |known| self.0.exposable.iter().any(|file| hash(file.path) == known);
                if values.exposed().all(known) { Ok(()) } else { Err(Reason::Rule("not a file that `files` lists")) }
            }
            QUIET | MAX_AGE => {
                let Timing { quiet, max_age, .. } = values.announcing(&self.0).timing;
                if quiet <= max_age { Ok(()) } else { Err(Reason::Rule("quiet is longer than max-age")) }
            }
            MANUFACTURER | PRODUCT => {
                let control = values.text(index).is_some_and(|text| text.chars().any(char::is_control));
                if control { Err(Reason::Rule("no control characters")) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }

    /// Whether a stored value is valid for its field. A name of a file that this manifest does not leave to settings is ignored:
    /// it is no reason to drop the other fields.
    fn is_right(&self, present: &[u8], index: usize, field: &Field) -> bool {
        let mut text = [0; LINE_LENGTH];
        let mut json = Writer::new(0, &mut text);
        let written = self.write(present, index, &mut json).is_ok();
        let length = json.filled();
        let fits = written && field.check(text.get(..length).unwrap_or_default()).is_ok();
        fits && (index == EXPOSED || self.check_field(Values(present), index).is_ok())
    }
}

/// Copies the record, replacing the fields in `changed` (one bit each) with `value`. Data that a newer firmware appended is
/// kept at the end if there is room for it.
fn replace(present: &[u8], changed: u32, value: &[u8], out: &mut [u8]) -> Result<usize, Reason> {
    let mut out = Out::new(out);
    let mut rest = present;
    for (index, field) in FIELDS.iter().enumerate() {
        let old;
        (old, rest) = split(field, rest);
        out.put(if changed >> index & 1 != 0 { value } else { old })?;
    }
    if rest.len() <= out.room() {
        out.put(rest)?;
    }
    Ok(out.length())
}

impl Section for Own<'_> {
    fn id(&self) -> u32 {
        Self::ID
    }

    fn fields(&self) -> &[Field] {
        &FIELDS
    }

    fn set(&self, present: &[u8], index: usize, json: &[u8], out: &mut [u8]) -> Result<usize, Reason> {
        let field = FIELDS.get(index).ok_or(Reason::WrongType)?;
        let mut bytes = [0; MAX_VALUE];
        let mut value = Out::new(&mut bytes);
        encode(field, json, &mut value).map_err(|_| field.misfit())?;
        let length = value.length();
        replace(present, 1 << index, bytes.get(..length).unwrap_or_default(), out)
    }

    fn check(&self, present: &[u8], changed: u32) -> Result<(), (usize, Reason)> {
        let mut places = (0..FIELDS.len()).filter(|index| changed >> index & 1 != 0);
        places.try_for_each(|index| self.check_field(Values(present), index).map_err(|reason| (index, reason)))
    }

    fn write(&self, present: &[u8], index: usize, out: &mut Writer<'_>) -> fmt::Result {
        let values = Values(present);
        let defaults = &self.0.defaults;
        match index {
            LABEL => out.quoted(values.label().unwrap_or(defaults.label)),
            EXPOSED => {
                let shown = self.0.exposable.iter().filter(|file| values.exposes(file.path));
                let mut between = "[";
                for file in shown {
                    out.text(core::mem::replace(&mut between, ","))?;
                    out.quoted(file.path)?;
                }
                out.text(if between == "[" { "[]" } else { "]" })
            }
            REFRESH => {
                let way = values.announcing(&self.0).refresh;
                out.quoted(WAYS.iter().zip(WAY_NAMES).find(|(other, _)| **other == way).map_or("", |(_, name)| name))
            }
            QUIET..=HOLD => {
                let Timing { quiet, max_age, hold, .. } = values.announcing(&self.0).timing;
                let time = match index {
                    QUIET => quiet,
                    MAX_AGE => max_age,
                    _ => hold,
                };
                out.decimal(time.0.into())
            }
            MANUFACTURER => out.quoted(values.text(index).unwrap_or(defaults.manufacturer)),
            PRODUCT => out.quoted(values.text(index).unwrap_or(defaults.product)),
            _ => out.text(if values.lock() { "true" } else { "false" }),
        }
    }

    fn is_default(&self, present: &[u8], index: usize) -> bool {
        !Values(present).is_set(index)
    }

    fn known(&self, present: &[u8]) -> usize {
        present.len() - FIELDS.iter().fold(present, |rest, field| split(field, rest).1).len()
    }

    fn repair(&self, present: &[u8], out: &mut [u8]) -> Option<usize> {
        let mut wrong = 0;
        for (index, field) in FIELDS.iter().enumerate() {
            if Values(present).is_set(index) && !self.is_right(present, index, field) {
                wrong |= 1 << index;
            }
        }
        if wrong == 0 { None } else { replace(present, wrong, DEFAULT, out).ok() }
    }
}
