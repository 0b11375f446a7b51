//! Structures as postcard bytes, field by field.
//!
//! postcard writes a structure as its fields, one after the other. Therefore a structure can grow: fields that an older
//! record lacks are at the end, and those that a newer one has in addition come after the known ones. It also allows one
//! field to be read from JSON while all others come from the bytes of the present values, whatever the structure is.

use crate::text::Writer;
use core::fmt::{self, Display};
use serde::de::{self, DeserializeOwned, DeserializeSeed, Visitor};
use serde::ser::{self, Impossible, Serialize, SerializeStruct};
use zeroize::Zeroize;

/// Maximum number of fields of a structure.
pub(super) const MAX_FIELDS: usize = 32;

/// Maximum length of a structure in bytes.
pub(super) const MAX_LENGTH: usize = 512;

/// A value could not be converted. The caller knows what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken;

impl Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("broken")
    }
}

impl core::error::Error for Broken {}

impl de::Error for Broken {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl ser::Error for Broken {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl From<fmt::Error> for Broken {
    fn from(_: fmt::Error) -> Self {
        Self
    }
}

/// A structure's fields as bytes, with the end of each. Zeroized when dropped.
pub(super) struct Encoded {
    bytes: [u8; MAX_LENGTH],
    ends: [u16; MAX_FIELDS],
    fields: usize,
}

impl Encoded {
    /// The fields of `value`, which must be a structure.
    pub fn of(value: &impl Serialize) -> Result<Self, Broken> {
        let mut encoded = Self { bytes: [0; MAX_LENGTH], ends: [0; MAX_FIELDS], fields: 0 };
        value.serialize(Top(&mut encoded))?;
        Ok(encoded)
    }

    /// All bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.end(self.fields)).unwrap_or_default()
    }

    /// One field.
    pub fn field(&self, index: usize) -> Option<&[u8]> {
        if index >= self.fields {
            return None;
        }
        self.bytes.get(self.end(index)..self.end(index + 1))
    }

    /// The end of the first `fields` fields.
    fn end(&self, fields: usize) -> usize {
        fields.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0).into()
    }
}

impl Drop for Encoded {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl FieldSink for Encoded {
    fn field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Broken> {
        let begin = self.end(self.fields);
        let room = self.bytes.get_mut(begin..).unwrap_or_default();
        let written = postcard::to_slice(value, room).map_err(|_| Broken)?.len();
        *self.ends.get_mut(self.fields).ok_or(Broken)? = (begin + written) as u16;
        self.fields += 1;
        Ok(())
    }
}

/// Reads a structure from bytes that an older or a newer firmware may have written. Returns it with the number of bytes
/// that it knows.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), Broken> {
    let mut rest = bytes;
    let value = T::deserialize(Structure(Source::Stream(&mut rest)))?;
    Ok((value, bytes.len() - rest.len()))
}

/// Reads a structure from bytes that may be partly nonsense: a field that cannot be read gets its default, the others what
/// is there. Returns it with the number of bytes that it knows, and whether all fields could be read.
pub(super) fn decode_nonsense<T: DeserializeOwned>(
    bytes: &[u8],
    defaults: &Encoded,
) -> Result<(T, usize, bool), Broken> {
    let mut doubts = Doubts { wrong: [None; MAX_FIELDS], found: None };
    // Each round finds one more such field.
    for round in 0..=MAX_FIELDS {
        let mut rest = bytes;
        let value = T::deserialize(Structure(Source::Nonsense { rest: &mut rest, defaults, doubts: &mut doubts }));
        if let Ok(value) = value {
            return Ok((value, bytes.len() - rest.len(), round == 0));
        }
        let (index, length) = doubts.found.take().ok_or(Broken)?;
        *doubts.wrong.get_mut(index).ok_or(Broken)? = Some(length);
    }
    Err(Broken)
}

/// Which of a structure's fields cannot be read.
struct Doubts {
    /// Length in bytes of each such field.
    wrong: [Option<u16>; MAX_FIELDS],
    /// One more, and its bytes.
    found: Option<(usize, u16)>,
}

/// The structure `present` with its field at `index` read from another source.
pub(super) fn with<T: DeserializeOwned>(present: &Encoded, index: usize, other: Other<'_>) -> Result<T, Broken> {
    T::deserialize(Structure(Source::Fields { present, index, other: Some(other) }))
}

/// The source of one field.
pub(super) enum Other<'o> {
    /// JSON text. Strings with escapes are resolved in the buffer.
    Json(&'o [u8], &'o mut [u8]),
    /// Bytes of postcard.
    Bytes(&'o [u8]),
}

/// Writes the field at `index` of a structure as JSON.
pub(super) fn write_field(value: &impl Serialize, index: usize, out: &mut Writer<'_>) -> fmt::Result {
    struct OneField<'w, 'o> {
        left: usize,
        out: Option<&'w mut Writer<'o>>,
    }

    impl FieldSink for OneField<'_, '_> {
        fn field<T: Serialize + ?Sized>(&mut self, _: &'static str, value: &T) -> Result<(), Broken> {
            if self.left == 0
                && let Some(out) = self.out.take()
            {
                crate::json::write(value, out)?;
            }
            self.left = self.left.wrapping_sub(1);
            Ok(())
        }
    }

    let mut field = OneField { left: index, out: Some(out) };
    value.serialize(Top(&mut field)).map_err(|_| fmt::Error)
}

/// Bytes or the fields of a value, to be read as a structure.
enum Source<'a, 'de> {
    Stream(&'a mut &'de [u8]),
    Nonsense { rest: &'a mut &'de [u8], defaults: &'de Encoded, doubts: &'a mut Doubts },
    Fields { present: &'de Encoded, index: usize, other: Option<Other<'de>> },
}

/// A deserializer for structures only.
struct Structure<'a, 'de>(Source<'a, 'de>);

impl<'de> de::Deserializer<'de> for Structure<'_, 'de> {
    type Error = Broken;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Broken> {
        Err(Broken)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Broken> {
        visitor.visit_seq(Elements { source: self.0, next: 0 })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Elements<'a, 'de> {
    source: Source<'a, 'de>,
    next: usize,
}

impl<'de> de::SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Broken;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Broken> {
        let at = self.next;
        self.next += 1;
        match &mut self.source {
            // A field that an older firmware did not write has its default.
            Source::Stream([]) => Ok(None),
            Source::Stream(rest) => {
                let mut bytes = postcard::Deserializer::from_bytes(rest);
                let value = seed.deserialize(&mut bytes).map_err(|_| Broken)?;
                **rest = bytes.finalize().map_err(|_| Broken)?;
                Ok(Some(value))
            }
            Source::Nonsense { rest, defaults, doubts } => {
                if let Some(length) = doubts.wrong.get(at).copied().flatten() {
                    **rest = rest.get(usize::from(length)..).unwrap_or_default();
                    return defaults.field(at).map_or(Ok(None), |bytes| read(seed, bytes));
                }
                if rest.is_empty() {
                    return Ok(None);
                }
                let mut bytes = postcard::Deserializer::from_bytes(rest);
                let value = seed.deserialize(&mut bytes);
                let left = match value {
                    // It is cut off, so what follows is unusable, too.
                    Err(postcard::Error::DeserializeUnexpectedEnd) => &[],
                    _ => bytes.finalize().unwrap_or_default(),
                };
                let length = rest.len().saturating_sub(left.len()) as u16;
                if value.is_ok() {
                    **rest = left;
                } else {
                    doubts.found = Some((at, length));
                }
                value.map(Some).map_err(|_| Broken)
            }
            Source::Fields { index, other, .. } if *index == at => match other.take() {
                Some(Other::Json(text, buffer)) => {
                    let mut text = serde_json_core::de::Deserializer::new(text, Some(buffer));
                    let value = seed.deserialize(&mut text).map_err(|_| Broken)?;
                    text.end().map_err(|_| Broken)?;
                    Ok(Some(value))
                }
                Some(Other::Bytes(bytes)) => read(seed, bytes),
                None => Err(Broken),
            },
            Source::Fields { present, .. } => present.field(at).map_or(Ok(None), |bytes| read(seed, bytes)),
        }
    }
}

fn read<'de, S: DeserializeSeed<'de>>(seed: S, bytes: &'de [u8]) -> Result<Option<S::Value>, Broken> {
    let mut bytes = postcard::Deserializer::from_bytes(bytes);
    seed.deserialize(&mut bytes).map(Some).map_err(|_| Broken)
}

/// Processes each field of a structure.
trait FieldSink {
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Broken>;
}

/// A serializer for structures only.
struct Top<'f, F>(&'f mut F);

impl<F: FieldSink> SerializeStruct for Top<'_, F> {
    type Ok = ();
    type Error = Broken;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Broken> {
        self.0.field(name, value)
    }

    fn end(self) -> Result<(), Broken> {
        Ok(())
    }
}

macro_rules! no {
    ($($method:ident: ($($type:ty),*) -> $ok:ty,)*) => {
        $(fn $method(self, $(_: $type),*) -> Result<$ok, Broken> {
            Err(Broken)
        })*
    };
}

impl<F: FieldSink> ser::Serializer for Top<'_, F> {
    type Ok = ();
    type Error = Broken;
    type SerializeSeq = Impossible<(), Broken>;
    type SerializeTuple = Impossible<(), Broken>;
    type SerializeTupleStruct = Impossible<(), Broken>;
    type SerializeTupleVariant = Impossible<(), Broken>;
    type SerializeMap = Impossible<(), Broken>;
    type SerializeStruct = Self;
    type SerializeStructVariant = Impossible<(), Broken>;

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, Broken> {
        Ok(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Broken> {
        Err(Broken)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), Broken> {
        Err(Broken)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Broken> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Broken> {
        Err(Broken)
    }

    no! {
        serialize_bool: (bool) -> (), serialize_i8: (i8) -> (), serialize_i16: (i16) -> (), serialize_i32: (i32) -> (),
        serialize_i64: (i64) -> (), serialize_u8: (u8) -> (), serialize_u16: (u16) -> (), serialize_u32: (u32) -> (),
        serialize_u64: (u64) -> (), serialize_f32: (f32) -> (), serialize_f64: (f64) -> (), serialize_char: (char) -> (),
        serialize_str: (&str) -> (), serialize_bytes: (&[u8]) -> (), serialize_none: () -> (), serialize_unit: () -> (),
        serialize_unit_struct: (&'static str) -> (),
        serialize_unit_variant: (&'static str, u32, &'static str) -> (),
        serialize_seq: (Option<usize>) -> Self::SerializeSeq,
        serialize_tuple: (usize) -> Self::SerializeTuple,
        serialize_tuple_struct: (&'static str, usize) -> Self::SerializeTupleStruct,
        serialize_tuple_variant: (&'static str, u32, &'static str, usize) -> Self::SerializeTupleVariant,
        serialize_map: (Option<usize>) -> Self::SerializeMap,
        serialize_struct_variant: (&'static str, u32, &'static str, usize) -> Self::SerializeStructVariant,
    }
}
