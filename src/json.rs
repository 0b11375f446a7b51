//! Values as JSON (RFC 8259), written without a buffer for the whole.
//!
//! serde-json-core reads values, but it only writes to a buffer for the whole, and panics at characters and at variants with
//! several values.

use crate::text::Writer;
use core::fmt::{self, Display, Write};
use serde::ser::{self, Serialize};

/// Writes a value of any type.
pub(crate) fn write(value: &(impl Serialize + ?Sized), out: &mut Writer<'_>) -> fmt::Result {
    value.serialize(JsonSerializer(out)).map_err(|_| fmt::Error)
}

/// The buffer is full, or a value refused to be serialized.
#[derive(Debug)]
struct Misfit;

impl Display for Misfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("not all of it fits")
    }
}

impl core::error::Error for Misfit {}

impl ser::Error for Misfit {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

impl From<fmt::Error> for Misfit {
    fn from(_: fmt::Error) -> Self {
        Self
    }
}

struct JsonSerializer<'w, 'o>(&'w mut Writer<'o>);

/// Escapes the contents of a string.
struct Escaped<'w, 'o>(&'w mut Writer<'o>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text.as_bytes())
    }
}

/// A list, a map or a structure that is being written.
struct Members<'w, 'o> {
    out: &'w mut Writer<'o>,
    first: bool,
    end: &'static str,
}

impl<'w, 'o> JsonSerializer<'w, 'o> {
    fn open(self, begin: &str, end: &'static str) -> Result<Members<'w, 'o>, Misfit> {
        self.0.text(begin)?;
        Ok(Members { out: self.0, first: true, end })
    }

    /// Opens the object that names a variant of an enumeration.
    fn variant(self, name: &str, begin: &str, end: &'static str) -> Result<Members<'w, 'o>, Misfit> {
        self.0.text("{")?;
        self.0.quoted(name)?;
        self.0.text(":")?;
        self.open(begin, end)
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty => $write:ident,)*) => {
        $(fn $method(self, value: $type) -> Result<(), Misfit> {
            Ok(self.0.$write(value.into())?)
        })*
    };
}

impl<'w, 'o> ser::Serializer for JsonSerializer<'w, 'o> {
    type Ok = ();
    type Error = Misfit;
    type SerializeSeq = Members<'w, 'o>;
    type SerializeTuple = Members<'w, 'o>;
    type SerializeTupleStruct = Members<'w, 'o>;
    type SerializeTupleVariant = Members<'w, 'o>;
    type SerializeMap = Members<'w, 'o>;
    type SerializeStruct = Members<'w, 'o>;
    type SerializeStructVariant = Members<'w, 'o>;

    numbers! {
        serialize_i8: i8 => signed, serialize_i16: i16 => signed, serialize_i32: i32 => signed, serialize_i64: i64 => signed,
        serialize_u8: u8 => decimal, serialize_u16: u16 => decimal, serialize_u32: u32 => decimal, serialize_u64: u64 => decimal,
    }

    fn serialize_bool(self, value: bool) -> Result<(), Misfit> {
        Ok(self.0.text(if value { "true" } else { "false" })?)
    }

    fn serialize_f32(self, value: f32) -> Result<(), Misfit> {
        // Not as `f64`, which writes 0.1 as 0.10000000149011612.
        if value.is_finite() { Ok(write!(self.0, "{value}")?) } else { self.serialize_unit() }
    }

    fn serialize_f64(self, value: f64) -> Result<(), Misfit> {
        // JSON has no infinities and no NaN (RFC 8259 section 6).
        if value.is_finite() { Ok(write!(self.0, "{value}")?) } else { self.serialize_unit() }
    }

    fn serialize_char(self, value: char) -> Result<(), Misfit> {
        Ok(self.0.quoted(value.encode_utf8(&mut [0; 4]))?)
    }

    fn serialize_str(self, value: &str) -> Result<(), Misfit> {
        Ok(self.0.quoted(value)?)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), Misfit> {
        self.0.text("\"")?;
        write!(Escaped(&mut *self.0), "{value}")?;
        Ok(self.0.text("\"")?)
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Misfit> {
        use ser::SerializeSeq;
        let mut list = self.serialize_seq(None)?;
        value.iter().try_for_each(|byte| list.serialize_element(byte))?;
        SerializeSeq::end(list)
    }

    fn serialize_none(self) -> Result<(), Misfit> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Misfit> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Misfit> {
        Ok(self.0.text("null")?)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Misfit> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Misfit> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Misfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Misfit> {
        let members = self.variant(variant, "", "}")?;
        value.serialize(JsonSerializer(&mut *members.out))?;
        members.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Members<'w, 'o>, Misfit> {
        self.open("[", "]")
    }

    fn serialize_tuple(self, _: usize) -> Result<Members<'w, 'o>, Misfit> {
        self.open("[", "]")
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Members<'w, 'o>, Misfit> {
        self.open("[", "]")
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'w, 'o>, Misfit> {
        self.variant(variant, "[", "]}")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Members<'w, 'o>, Misfit> {
        self.open("{", "}")
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Members<'w, 'o>, Misfit> {
        self.open("{", "}")
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Members<'w, 'o>, Misfit> {
        self.variant(variant, "{", "}}")
    }
}

impl Members<'_, '_> {
    fn separate(&mut self) -> fmt::Result {
        if core::mem::take(&mut self.first) { Ok(()) } else { self.out.text(",") }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Misfit> {
        self.separate()?;
        value.serialize(JsonSerializer(&mut *self.out))
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Misfit> {
        self.separate()?;
        self.out.quoted(name)?;
        self.out.text(":")?;
        value.serialize(JsonSerializer(&mut *self.out))
    }

    fn close(self) -> Result<(), Misfit> {
        Ok(self.out.text(self.end)?)
    }
}

macro_rules! list {
    ($($trait:ident: $method:ident,)*) => {
        $(impl ser::$trait for Members<'_, '_> {
            type Ok = ();
            type Error = Misfit;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Misfit> {
                self.element(value)
            }

            fn end(self) -> Result<(), Misfit> {
                self.close()
            }
        })*
    };
}

list! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! object {
    ($($trait:ident,)*) => {
        $(impl ser::$trait for Members<'_, '_> {
            type Ok = ();
            type Error = Misfit;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Misfit> {
                self.member(name, value)
            }

            fn end(self) -> Result<(), Misfit> {
                self.close()
            }
        })*
    };
}

object! { SerializeStruct, SerializeStructVariant, }

impl ser::SerializeMap for Members<'_, '_> {
    type Ok = ();
    type Error = Misfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Misfit> {
        self.element(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Misfit> {
        self.out.text(":")?;
        value.serialize(JsonSerializer(&mut *self.out))
    }

    fn end(self) -> Result<(), Misfit> {
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::{String, ToString};
    use std::vec::Vec;

    #[test]
    fn values_of_all_kinds_are_written() {
        #[derive(serde::Serialize)]
        enum Way {
            On,
            For(u8),
            Between(i16, i64),
            Of { a: bool },
        }
        #[derive(serde::Serialize)]
        struct All {
            list: Vec<Option<u32>>,
            pair: (char, f32),
            none: (),
            ways: [Way; 4],
            map: std::collections::BTreeMap<String, String>,
        }
        let all = All {
            list: std::vec![Some(1), None],
            pair: ('"', 0.1),
            none: (),
            ways: [Way::On, Way::For(7), Way::Between(-1, i64::MIN), Way::Of { a: true }],
            map: [("k".to_string(), "v".to_string()), ("l".to_string(), String::new())].into(),
        };
        let mut bytes = [0; 256];
        let mut out = Writer::new(0, &mut bytes);
        write(&all, &mut out).unwrap();
        let length = out.filled();
        let expected = r#"{"list":[1,null],"pair":["\"",0.1],"none":null,"ways":["On",{"For":7},"#.to_string()
            + r#"{"Between":[-1,-9223372036854775808]},{"Of":{"a":true}}],"map":{"k":"v","l":""}}"#;
        assert_eq!(core::str::from_utf8(&bytes[..length]).unwrap(), expected);
    }
}
