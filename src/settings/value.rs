//! Values of the stick's own fields: their stored form, and the conversion from JSON.
//!
//! The stored form is what postcard would write for a structure of them: a byte that says whether there is a value, if it
//! is optional; numbers, lengths and choices in groups of seven bits, least significant first. A table of fields is
//! interpreted, so no code is generated for each of them.

use super::field::{Field, Kind};
use super::hash::{HASH_OF_NOTHING, hash_on};
use super::json::{Characters, Object, is_same_name};
use super::reason::Reason;

/// Maximum length of a value in bytes: a text of 96.
pub(super) const MAX_VALUE: usize = 128;

/// Maximum length of a text in bytes.
const MAX_TEXT: usize = 96;

/// The stored form of a field with its default: no value, no paths, false.
pub(super) const DEFAULT: &[u8] = &[0];

/// Takes a byte from the start.
fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

/// Takes a number from the start.
pub(super) fn number(bytes: &mut &[u8]) -> Option<u32> {
    let (number, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(number)
}

/// Length of a field's value at the start of `bytes`; `None` if there is none.
fn length(field: &Field, bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    if !field.nullable || byte(&mut rest)? != 0 {
        match field.kind {
            Kind::Boolean => {
                byte(&mut rest)?;
            }
            Kind::Integer(..) | Kind::Choice(_) => {
                number(&mut rest)?;
            }
            Kind::Text(..) => {
                let length = number(&mut rest)?;
                rest = rest.get(length as usize..)?;
            }
            Kind::Texts(_) => {
                for _ in 0..number(&mut rest)? {
                    number(&mut rest)?;
                }
            }
            // The stick has no such fields.
            Kind::Number => return None,
        }
    }
    Some(bytes.len() - rest.len())
}

/// The value of `field` at the start of `bytes`, and what follows it. If it cannot be read, nothing that follows can be,
/// either: all of them have their defaults.
pub(super) fn split<'b>(field: &Field, bytes: &'b [u8]) -> (&'b [u8], &'b [u8]) {
    length(field, bytes).and_then(|length| bytes.split_at_checked(length)).unwrap_or((DEFAULT, &[]))
}

/// Writes bytes one after the other.
pub(super) struct Out<'o> {
    bytes: &'o mut [u8],
    length: usize,
}

impl<'o> Out<'o> {
    pub fn new(bytes: &'o mut [u8]) -> Self {
        Self { bytes, length: 0 }
    }

    /// Number of bytes written.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Number of bytes that still fit.
    pub fn room(&self) -> usize {
        self.bytes.len().saturating_sub(self.length)
    }

    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Reason> {
        for byte in bytes {
            *self.bytes.get_mut(self.length).ok_or(Reason::NoRoom)? = *byte;
            self.length += 1;
        }
        Ok(())
    }

    fn number(&mut self, number: u32) -> Result<(), Reason> {
        let mut bytes = [0; 5];
        let used = postcard::to_slice(&number, &mut bytes).map_err(|_| Reason::NoRoom)?;
        self.put(used)
    }
}

/// Writes the stored form of a JSON value, which the field's own check has accepted.
pub(super) fn encode(field: &Field, json: &[u8], out: &mut Out<'_>) -> Result<(), Reason> {
    if field.nullable {
        let there = json != b"null";
        out.put(&[there.into()])?;
        if !there {
            return Ok(());
        }
    }
    match field.kind {
        Kind::Boolean => out.put(&[(json == b"true").into()]),
        Kind::Integer(..) => out.number(super::field::whole(json)? as u32),
        Kind::Choice(choices) => {
            let text = super::json::within(json)?;
            let place = choices.iter().position(|choice| is_same_name(text, choice));
            out.number(place.ok_or(Reason::NoChoice)? as u32)
        }
        Kind::Text(..) => {
            let length = out.length;
            // Its length, which fits in one byte.
            out.put(&[0])?;
            for character in Characters::of(json)? {
                out.put(character?.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
            let written = out.length - length - 1;
            if written > MAX_TEXT {
                return Err(Reason::Length);
            }
            out.bytes.get_mut(length).into_iter().for_each(|byte| *byte = written as u8);
            Ok(())
        }
        Kind::Texts(most) => paths(json, most, out),
        Kind::Number => Err(Reason::WrongType),
    }
}

/// A list of paths, stored as their hashes, so that it does not depend on the order of a firmware's files. At most 127, so
/// that their number fits in one byte.
fn paths(json: &[u8], most: u16, out: &mut Out<'_>) -> Result<(), Reason> {
    let begin = out.length;
    out.put(&[0])?;
    let mut count = 0;
    let mut members = Object::list(json);
    while let Some((_, path)) = members.next().map_err(|_| Reason::WrongType)? {
        let mut hash = HASH_OF_NOTHING;
        for character in Characters::of(path)? {
            hash = hash_on(hash, character?.encode_utf8(&mut [0; 4]).as_bytes());
        }
        let known = out.bytes.get(begin + 1..out.length).unwrap_or_default();
        if hashes(known).any(|other| other == hash) {
            continue;
        }
        count += 1;
        if count > most {
            return Err(Reason::WrongType);
        }
        out.number(hash)?;
    }
    out.bytes.get_mut(begin).into_iter().for_each(|byte| *byte = count as u8);
    Ok(())
}

/// The hashes of paths, without their number.
pub(super) fn hashes(mut bytes: &[u8]) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || number(&mut bytes))
}
