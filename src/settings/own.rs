//! The stick's own settings: the first group.

use super::field::{Field, Reason};
use super::group::{self, Section, hash};
use super::json::quoted;
use super::text::Text;
use core::fmt::{self, Write};
use picovd_exfat::name::{LABEL_UNITS, is_forbidden};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What the manifest decides of settings.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Number of flash sectors.
    pub sectors: u8,
    /// Offset of the first one in flash, in bytes.
    pub start: u32,
    /// Whether nobody may set anything.
    pub lock: bool,
    /// The files that the manifest leaves to settings.
    pub exposable: &'a [Exposable<'a>],
    /// Whether the board's digits follow the label.
    pub board_digits: bool,
    /// What holds where nothing is set.
    pub defaults: Defaults<'a>,
}

/// A file that the manifest leaves to settings: it is on the volume when they say so.
#[derive(Clone, Copy, Debug)]
pub struct Exposable<'a> {
    /// Its path.
    pub path: &'a str,
    /// First block of its directory.
    pub directory: u32,
    /// Where its entry set stands among the directory's entries, and how long it is, in bytes.
    pub entries: (u32, u32),
    /// First block of its contents, and number of blocks.
    pub blocks: (u32, u32),
}

/// What holds where nothing is set.
#[derive(Clone, Copy, Debug)]
pub struct Defaults<'a> {
    /// The volume's label.
    pub label: &'a str,
    /// How hosts hear of changes.
    pub refresh: Refresh,
    /// When changes are announced, in milliseconds: `quiet`, `max-age` and `hold` of the manifest.
    pub times: [u32; 3],
    /// The USB device's iManufacturer.
    pub manufacturer: &'a str,
    /// Its iProduct.
    pub product: &'a str,
}

/// How hosts hear of changes: `[dynamic] refresh` of the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "as device::Refresh")]
pub enum Refresh {
    Auto,
    Attention,
    Reinsert,
    Reconnect,
}

const REFRESHES: [&str; 4] = ["auto", "attention", "reinsert", "reconnect"];

/// Most files that the manifest may leave to settings.
pub const MAX_EXPOSABLE: usize = 16;

/// Most characters of the USB device's strings.
const USB_CHARACTERS: u16 = 32;

/// Longest of the times, in milliseconds: that of the manifest.
const LONGEST: i64 = 3_600_000;

/// The values, as kept. A field that is `None` is as the manifest has it. Fields are appended only.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Values {
    pub label: Option<Text<33>>,
    pub exposed: Exposed,
    pub refresh: Option<Refresh>,
    pub quiet: Option<u32>,
    pub max_age: Option<u32>,
    pub hold: Option<u32>,
    pub manufacturer: Option<Text<96>>,
    pub product: Option<Text<96>>,
    pub lock: bool,
}

const LABEL: usize = 0;
const EXPOSED: usize = 1;
const REFRESH: usize = 2;
const QUIET: usize = 3;
const MAX_AGE: usize = 4;
const HOLD: usize = 5;
const MANUFACTURER: usize = 6;
const PRODUCT: usize = 7;

static FIELDS: [Field; 9] = [
    Field::text("label", 0, LABEL_UNITS as u16, "The volume's name as a host shows it.").or_null(),
    Field::texts(
        "exposed",
        MAX_EXPOSABLE as u16,
        "Which of the files that the manifest leaves to settings are on the volume: their paths.",
    ),
    Field::choice("refresh", &REFRESHES, "How hosts hear of changes.").or_null(),
    Field::integer("quiet", 0, LONGEST, "A change is announced when no other has come for so many milliseconds.")
        .or_null(),
    Field::integer("max-age", 0, LONGEST, "A change is announced when it is so many milliseconds old, quiet or not.")
        .or_null(),
    Field::integer("hold", 0, LONGEST, "Least time between two announcements, in milliseconds.").or_null(),
    Field::text("manufacturer", 1, USB_CHARACTERS, "The USB device's manufacturer, from the next start on.").or_null(),
    Field::text("product", 1, USB_CHARACTERS, "The USB device's name, from the next start on.").or_null(),
    Field::boolean("lock", "Once it is saved, nothing can be set any more."),
];

impl Values {
    /// How hosts hear of changes.
    pub fn refresh(&self, plan: &Plan<'_>) -> Refresh {
        self.refresh.unwrap_or(plan.defaults.refresh)
    }

    /// Quiet period, greatest age and hold, in milliseconds.
    pub fn times(&self, plan: &Plan<'_>) -> [u32; 3] {
        let [quiet, max_age, hold] = plan.defaults.times;
        [self.quiet.unwrap_or(quiet), self.max_age.unwrap_or(max_age), self.hold.unwrap_or(hold)]
    }
}

/// The group of a stick that its manifest made so.
pub(super) struct Own<'a>(pub &'a Plan<'a>);

impl Own<'_> {
    /// Tells it apart in what is saved.
    pub const ID: u32 = hash("picovd");

    fn check_label(&self, label: &str) -> Result<(), Reason> {
        // exFAT itself forbids nothing in a label; Windows refuses what it refuses in names.
        if label.encode_utf16().any(is_forbidden) {
            return Err(Reason::Rule("no control characters and none of \" * / : < > ? \\ |"));
        }
        let (most, words) = if self.0.board_digits {
            (LABEL_UNITS - 4, "more than 7 UTF-16 units, and the board's digits follow")
        } else {
            (LABEL_UNITS, "more than 11 UTF-16 units")
        };
        if label.encode_utf16().count() > most { Err(Reason::Rule(words)) } else { Ok(()) }
    }

    /// What a field has to obey beside its kind and what else is set.
    fn check_field(&self, values: &Values, index: usize) -> Result<(), Reason> {
        let printable = |text: &Option<Text<96>>| {
            let control = text.is_some_and(|text| text.as_str().chars().any(char::is_control));
            if control { Err(Reason::Rule("no control characters")) } else { Ok(()) }
        };
        match index {
            LABEL => values.label.map_or(Ok(()), |label| self.check_label(label.as_str())),
            EXPOSED => {
                let known = |hash| self.0.exposable.iter().any(|file| group::hash(file.path) == hash);
                let all = values.exposed.hashes().iter().all(|hash| known(*hash));
                if all { Ok(()) } else { Err(Reason::Rule("not a file that `files` lists")) }
            }
            QUIET | MAX_AGE => {
                let [quiet, max_age, _] = values.times(self.0);
                if quiet <= max_age { Ok(()) } else { Err(Reason::Rule("quiet is longer than max-age")) }
            }
            MANUFACTURER => printable(&values.manufacturer),
            PRODUCT => printable(&values.product),
            _ => Ok(()),
        }
    }
}

impl Section for Own<'_> {
    fn id(&self) -> u32 {
        Self::ID
    }

    fn fields(&self) -> &[Field] {
        &FIELDS
    }

    fn set(&self, present: &[u8], index: usize, json: &[u8], out: &mut [u8]) -> Result<usize, Reason> {
        let misfit = FIELDS.get(index).map_or(Reason::WrongType, Field::misfit);
        group::set::<Values>(present, index, json, misfit, out)
    }

    fn check(&self, present: &[u8], changed: u32) -> Result<(), (usize, Reason)> {
        let values = group::read::<Values>(present).0;
        let mut places = (0..FIELDS.len()).filter(|index| changed >> index & 1 != 0);
        places.try_for_each(|index| self.check_field(&values, index).map_err(|reason| (index, reason)))
    }

    fn write(&self, present: &[u8], index: usize, out: &mut dyn Write) -> fmt::Result {
        let values = group::read::<Values>(present).0;
        let defaults = &self.0.defaults;
        let [quiet, max_age, hold] = values.times(self.0);
        match index {
            LABEL => quoted(values.label.as_ref().map_or(defaults.label, Text::as_str), out),
            EXPOSED => {
                out.write_char('[')?;
                let shown = self.0.exposable.iter().filter(|file| values.exposed.holds(file.path));
                for (number, file) in shown.enumerate() {
                    if number != 0 {
                        out.write_char(',')?;
                    }
                    quoted(file.path, out)?;
                }
                out.write_char(']')
            }
            REFRESH => quoted(REFRESHES.get(values.refresh(self.0) as usize).unwrap_or(&""), out),
            QUIET => write!(out, "{quiet}"),
            MAX_AGE => write!(out, "{max_age}"),
            HOLD => write!(out, "{hold}"),
            MANUFACTURER => quoted(values.manufacturer.as_ref().map_or(defaults.manufacturer, Text::as_str), out),
            PRODUCT => quoted(values.product.as_ref().map_or(defaults.product, Text::as_str), out),
            _ => write!(out, "{}", values.lock),
        }
    }

    fn is_default(&self, present: &[u8], index: usize) -> bool {
        group::is_default::<Values>(present, index)
    }

    fn repair(&self, present: &[u8], out: &mut [u8]) -> Option<usize> {
        // Files that this manifest does not leave to settings are none that it could show: no reason to forget the others.
        let obeys = |values: &Values| {
            [LABEL, QUIET, MANUFACTURER, PRODUCT].iter().all(|i| self.check_field(values, *i).is_ok())
        };
        group::repair::<Values>(present, &FIELDS, obeys, out)
    }
}

/// Files, by the hashes of their paths: what a firmware with other files makes of it does not depend on their order.
#[derive(Clone, Copy, Default)]
pub(super) struct Exposed {
    count: u8,
    hashes: [u32; MAX_EXPOSABLE],
}

impl Exposed {
    fn hashes(&self) -> &[u32] {
        self.hashes.get(..self.count.into()).unwrap_or_default()
    }

    /// Whether that file is one of them.
    pub fn holds(&self, path: &str) -> bool {
        self.hashes().contains(&hash(path))
    }

    fn add(&mut self, hash: u32) -> bool {
        if self.hashes().contains(&hash) {
            return true;
        }
        let Some(place) = self.hashes.get_mut(usize::from(self.count)) else { return false };
        *place = hash;
        self.count += 1;
        true
    }
}

impl Serialize for Exposed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // As JSON it stands for itself only where a value's kind is checked: `Own` writes paths.
        self.hashes().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Exposed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = Exposed;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("paths")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut paths: A) -> Result<Exposed, A::Error> {
                let mut exposed = Exposed::default();
                while let Some(Path(hash)) = paths.next_element()? {
                    if !exposed.add(hash) {
                        return Err(A::Error::custom("too many"));
                    }
                }
                Ok(exposed)
            }
        }

        deserializer.deserialize_seq(Reader)
    }
}

/// A path in JSON, its hash in what is kept.
struct Path(u32);

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Path;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a path")
            }

            fn visit_str<E: Error>(self, path: &str) -> Result<Path, E> {
                Ok(Path(hash(path)))
            }
        }

        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Reader)
        } else {
            u32::deserialize(deserializer).map(Path)
        }
    }
}
