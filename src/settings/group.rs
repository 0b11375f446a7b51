//! Groups of settings: one structure each.

use super::codec::{self, Broken, Encoded, Other};
use super::field::Field;
use super::hash::hash;
use super::reason::Reason;
use super::section::{LINE_LENGTH, Section};
use super::values::Settings;
use crate::text::Writer;
use core::fmt;
use core::marker::PhantomData;
use picovd_exfat::window;
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// An application's rule: returns the field that violates it, and why, in words.
pub type Rule<T> = fn(&T) -> Result<(), (&'static str, &'static str)>;

/// A structure with `#[derive(picovd::Settings)]` (feature `derive`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no group of settings",
    note = "write `#[derive(picovd::Settings)]` and `#[settings(name = \"...\")]` above it"
)]
pub trait Declared: Sized {
    /// Its group.
    const GROUP: Group<Self>;
}

/// A group of settings: the fields of the structure `T`, which `#[derive(picovd::Settings)]` or [`group!`](crate::group)
/// declares.
pub struct Group<T> {
    id: u32,
    fields: &'static [Field],
    rule: Rule<T>,
    structure: PhantomData<fn() -> T>,
}

impl<T: Declared> Group<T> {
    /// The group of a structure with `#[derive(picovd::Settings)]`: `static LAMP: Group<Lamp> = Group::new();`.
    #[must_use]
    pub const fn new() -> Self {
        T::GROUP
    }
}

impl<T: Declared> Default for Group<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Group<T> {
    /// The group of that name, by which saved values are identified. `fields` must be those of the structure, in its order,
    /// which `group!` ensures.
    #[doc(hidden)]
    #[must_use]
    pub const fn declared(name: &str, fields: &'static [Field]) -> Self {
        assert!(fields.len() <= codec::MAX_FIELDS, "more than 32 fields");
        Self { id: hash(name), fields, rule: |_| Ok(()), structure: PhantomData }
    }

    /// The same with a rule for all values together.
    #[must_use]
    pub const fn with_rule(self, rule: Rule<T>) -> Self {
        Self { rule, ..self }
    }
}

impl<T: Serialize + DeserializeOwned + Default> Group<T> {
    /// The values in effect, without secrets: those fields have their defaults. See [`lend`](Self::lend) for secrets.
    pub fn get(&self, settings: &Settings<'_>) -> T {
        self.lend(settings, |values| {
            let concealed = || {
                let defaults = Encoded::of(&T::default())?;
                codec::decode(exchange::<T>(Encoded::of(values)?, &defaults, self.secrets())?.bytes())
            };
            concealed().map_or_else(|_: Broken| T::default(), |(values, _)| values)
        })
    }

    /// Lends the values in effect, including secrets, for the duration of `work`.
    ///
    /// They are on the caller's stack, which is hidden from all files, and [`Secret`](super::Secret)s are overwritten
    /// afterwards. If `work` copies them elsewhere, they may be shown there. A stack that is a variable, such as the second
    /// core's, must be in the section `.settings.stack` (`core1_stack!`): secrets on any other stack hide all of RAM until
    /// the next reset.
    pub fn lend<R>(&self, settings: &Settings<'_>, work: impl FnOnce(&T) -> R) -> R {
        work(&self.present(settings))
    }

    /// The values in effect. They are decoded from a copy, with interrupts enabled.
    #[inline(never)]
    fn present(&self, settings: &Settings<'_>) -> T {
        let mut bytes = Zeroizing::new([0; codec::MAX_LENGTH]);
        let length = settings.copy(self.id, &mut *bytes);
        read::<T>(bytes.get(..length).unwrap_or_default()).0
    }

    /// Sets all values. They take effect immediately, and are saved with the next `save`. A secret that has its default
    /// here is not changed, since [`get`](Self::get) returns none; [`forget`](Self::forget) removes it.
    ///
    /// # Errors
    /// [`Reason::NoRoom`] if all groups together have too many bytes: then nothing changes.
    pub fn set(&self, settings: &Settings<'_>, values: &T) -> Result<(), Reason> {
        self.change(settings, |old, defaults| {
            let new = Encoded::of(values)?;
            let unset: u32 = self.secrets().filter(|index| new.field(*index) == defaults.field(*index)).map(bit).sum();
            exchange::<T>(new, &old, self.secrets().filter(|index| unset & bit(*index) != 0))
        })
    }

    /// Resets a field to its default, even a secret.
    ///
    /// # Errors
    /// As [`set`](Self::set), and [`Reason::NoField`] if no field has that name.
    pub fn forget(&self, settings: &Settings<'_>, field: &str) -> Result<(), Reason> {
        let place = self.fields.iter().position(|other| other.name == field).ok_or(Reason::NoField)?;
        self.change(settings, |old, defaults| exchange::<T>(old, defaults, core::iter::once(place)))
    }

    /// Changes all values, given the present ones and the defaults.
    fn change(
        &self,
        settings: &Settings<'_>,
        change: impl Fn(Encoded, &Encoded) -> Result<Encoded, Broken>,
    ) -> Result<(), Reason> {
        let defaults = Encoded::of(&T::default()).map_err(|_| Reason::NoRoom)?;
        settings.edit(|payload| {
            let mut out = Zeroizing::new([0; codec::MAX_LENGTH]);
            let present = payload.get(self.id);
            let (old, known) = read::<T>(present);
            let new = Encoded::of(&old).and_then(|old| change(old, &defaults)).map_err(|_| Reason::NoRoom)?;
            let length = join(&new, present.get(known..), &mut *out)?;
            settings.put(payload, self.id, out.get(..length).unwrap_or_default())
        })
    }

    /// Which field violates the structure's rule, and why. If the rule names an unknown field, no other field is blamed.
    fn broken(&self, values: &T) -> Option<(usize, &'static str)> {
        let (field, words) = (self.rule)(values).err()?;
        let index = self.fields.iter().position(|other| other.name == field);
        Some((index.unwrap_or(usize::MAX), words))
    }

    /// The indexes of secret fields.
    fn secrets(&self) -> impl Iterator<Item = usize> {
        self.fields.iter().enumerate().filter(|(_, field)| field.secret).map(|(index, _)| index)
    }
}

fn bit(index: usize) -> u32 {
    1_u32.checked_shl(index as u32).unwrap_or(0)
}

/// Replaces some fields of a structure by the values of another one.
fn exchange<T: Serialize + DeserializeOwned>(
    mut values: Encoded,
    other: &Encoded,
    fields: impl Iterator<Item = usize>,
) -> Result<Encoded, Broken> {
    for index in fields {
        let bytes = other.field(index).ok_or(Broken)?;
        values = Encoded::of(&codec::with::<T>(&values, index, Other::Bytes(bytes))?)?;
    }
    Ok(values)
}

impl<T: Serialize + DeserializeOwned + Default> Section for Group<T> {
    fn id(&self) -> u32 {
        self.id
    }

    fn fields(&self) -> &[Field] {
        self.fields
    }

    fn set(&self, present: &[u8], index: usize, json: &[u8], out: &mut [u8]) -> Result<usize, Reason> {
        let misfit = self.fields.get(index).map_or(Reason::WrongType, Field::misfit);
        set::<T>(present, index, json, misfit, out)
    }

    fn check(&self, present: &[u8], _: u32) -> Result<(), (usize, Reason)> {
        self.broken(&read::<T>(present).0).map_or(Ok(()), |(index, words)| Err((index, Reason::Rule(words))))
    }

    fn write(&self, present: &[u8], index: usize, out: &mut Writer<'_>) -> fmt::Result {
        codec::write_field(&read::<T>(present).0, index, out)
    }

    fn is_default(&self, present: &[u8], index: usize) -> bool {
        is_default::<T>(present, index)
    }

    fn known(&self, present: &[u8]) -> usize {
        read::<T>(present).1
    }

    fn repair(&self, present: &[u8], out: &mut [u8]) -> Option<usize> {
        repair::<T>(present, self.fields, |values| self.broken(values).map(|(index, _)| index), out)
    }
}

/// The values in a group's bytes, and how many of the bytes are known. Bytes that are not such a structure count as known:
/// they have no other owner, and the values are defaults.
pub(super) fn read<T: DeserializeOwned + Default>(present: &[u8]) -> (T, usize) {
    codec::decode(present).unwrap_or_else(|_| (T::default(), present.len()))
}

/// [`Section::set`]. `misfit` is the reason for a value that the structure does not accept.
pub(super) fn set<T: Serialize + DeserializeOwned + Default>(
    present: &[u8],
    index: usize,
    json: &[u8],
    misfit: Reason,
    out: &mut [u8],
) -> Result<usize, Reason> {
    let (old, known) = read::<T>(present);
    let old = Encoded::of(&old).map_err(|_| Reason::NoRoom)?;
    let (mut text, mut buffer) = (Zeroizing::new([0; LINE_LENGTH]), Zeroizing::new([0; LINE_LENGTH]));
    let json = super::json::resolve(json, &mut *text).ok_or(misfit)?;
    let new: T = codec::with(&old, index, Other::Json(json, &mut *buffer)).map_err(|_| misfit)?;
    join(&Encoded::of(&new).map_err(|_| Reason::NoRoom)?, present.get(known..), out)
}

/// [`Section::is_default`].
pub(super) fn is_default<T: Serialize + DeserializeOwned + Default>(present: &[u8], index: usize) -> bool {
    let values = Encoded::of(&read::<T>(present).0);
    let defaults = Encoded::of(&T::default());
    values.is_ok_and(|values| defaults.is_ok_and(|defaults| values.field(index) == defaults.field(index)))
}

/// [`Section::repair`], where `broken` is the field that violates the structure's own rule.
pub(super) fn repair<T: Serialize + DeserializeOwned + Default>(
    present: &[u8],
    fields: &[Field],
    broken: impl Fn(&T) -> Option<usize>,
    out: &mut [u8],
) -> Option<usize> {
    let defaults = Encoded::of(&T::default()).ok()?;
    let read = codec::decode_nonsense::<T>(present, &defaults);
    let (mut values, known, all) = read.unwrap_or_else(|_| (T::default(), present.len(), false));
    let mut wrong = !all;
    for (index, field) in fields.iter().enumerate() {
        let mut text = Zeroizing::new([0; LINE_LENGTH]);
        let mut json = Writer::new(0, &mut *text);
        let fits = codec::write_field(&values, index, &mut json).is_ok();
        let length = json.filled();
        if !fits || field.check(text.get(..length).unwrap_or_default()).is_err() {
            values = without(&values, index, &defaults).unwrap_or_default();
            wrong = true;
        }
    }
    // Resets one field after the other, and all of them if that does not help.
    for round in 0..=fields.len() {
        let Some(index) = broken(&values) else { break };
        let less = if round < fields.len() { without(&values, index, &defaults) } else { None };
        values = less.unwrap_or_default();
        wrong = true;
    }
    if wrong { join(&Encoded::of(&values).ok()?, present.get(known..), out).ok() } else { None }
}

/// A structure with one field reset to its default.
fn without<T: Serialize + DeserializeOwned>(values: &T, index: usize, defaults: &Encoded) -> Option<T> {
    let present = Encoded::of(values).ok()?;
    codec::with(&present, index, Other::Bytes(defaults.field(index)?)).ok()
}

/// A structure's bytes, followed by what a newer firmware has in addition, if there is room.
pub(super) fn join(values: &Encoded, unknown: Option<&[u8]>, out: &mut [u8]) -> Result<usize, Reason> {
    let values = values.bytes();
    let unknown = unknown.filter(|unknown| values.len() + unknown.len() <= out.len()).unwrap_or_default();
    let length = values.len() + unknown.len();
    let room = out.get_mut(..length).ok_or(Reason::NoRoom)?;
    Ok(window::put(room, values.iter().chain(unknown).copied()))
}
