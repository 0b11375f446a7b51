//! What a field of a group may be set to, in words for users and as JSON Schema for programs.

use super::integer::IntegerField;
use super::json::{Characters, is_same_name, within};
use super::reason::Reason;
use crate::text::Writer;
use core::fmt;

/// A field: its name in the structure, its purpose, and what it may be set to.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
    pub(super) secret: bool,
}

/// The kind of a field's values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Boolean,
    /// Whole numbers, both ends included.
    Integer(i64, i64),
    Number,
    /// Text whose number of characters lies in this range, both ends included.
    Text(u16, u16),
    Choice(&'static [&'static str]),
    /// A list of texts with that maximum length.
    Texts(u16),
}

/// What users call a field: without the `r#` of a name that is a keyword.
const fn plain(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', plain @ ..] => match core::str::from_utf8(plain) {
            Ok(plain) => plain,
            Err(_) => name,
        },
        _ => name,
    }
}

impl Field {
    const fn new(name: &'static str, about: &'static str, kind: Kind) -> Self {
        Self { name: plain(name), about, kind, nullable: false, secret: false }
    }

    /// A field that is true or false.
    #[must_use]
    pub const fn boolean(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, Kind::Boolean)
    }

    /// A whole number from `least` to `most`, both included.
    #[must_use]
    pub const fn integer(name: &'static str, least: i64, most: i64, about: &'static str) -> Self {
        Self::new(name, about, Kind::Integer(least, most))
    }

    /// A number with a fraction.
    #[must_use]
    pub const fn number(name: &'static str, about: &'static str) -> Self {
        Self::new(name, about, Kind::Number)
    }

    /// Text of `least` to `most` characters, both included.
    #[must_use]
    pub const fn text(name: &'static str, least: u16, most: u16, about: &'static str) -> Self {
        Self::new(name, about, Kind::Text(least, most))
    }

    /// One of the names of an enumeration's variants.
    #[must_use]
    pub const fn choice(name: &'static str, choices: &'static [&'static str], about: &'static str) -> Self {
        Self::new(name, about, Kind::Choice(choices))
    }

    /// At most `most` texts.
    #[must_use]
    pub(super) const fn texts(name: &'static str, most: u16, about: &'static str) -> Self {
        Self::new(name, about, Kind::Texts(most))
    }

    /// The field may also be null: an `Option`.
    #[must_use]
    pub const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Its value is never shown: it reads "set", or "not set" as long as it is the default.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Whether a default is allowed, given its value, its number of characters, or whether it is finite.
    #[doc(hidden)]
    #[must_use]
    pub const fn takes(&self, measure: i64) -> bool {
        match self.kind {
            Kind::Integer(least, most) => least <= measure && measure <= most,
            Kind::Text(least, most) => least as i64 <= measure && measure <= most as i64,
            Kind::Number => measure != 0,
            _ => true,
        }
    }

    /// Whether any value is allowed: a range's smaller end comes first.
    #[doc(hidden)]
    #[must_use]
    pub const fn has_values(&self) -> bool {
        match self.kind {
            Kind::Integer(least, most) => least <= most,
            Kind::Text(least, most) => least <= most,
            _ => true,
        }
    }

    /// Whether the type `T` can hold every value of a field of integers.
    #[doc(hidden)]
    #[must_use]
    pub const fn is_within<T: IntegerField>(&self) -> bool {
        match self.kind {
            Kind::Integer(least, most) => T::LEAST <= least as i128 && most as i128 <= T::MOST,
            _ => true,
        }
    }

    /// Whether `capacity` bytes are enough for every value of a text field that consists of one-byte characters.
    #[doc(hidden)]
    #[must_use]
    pub const fn fits(&self, capacity: usize) -> bool {
        match self.kind {
            Kind::Text(_, most) => most as usize <= capacity,
            _ => true,
        }
    }

    /// Checks whether the field may have this value, given as JSON.
    pub(super) fn check(&self, json: &[u8]) -> Result<(), Reason> {
        let first = json.first().copied();
        let is = |right: bool| if right { Ok(()) } else { Err(Reason::WrongType) };
        if json == b"null" && self.nullable {
            return Ok(());
        }
        match self.kind {
            Kind::Boolean => is(json == b"true" || json == b"false"),
            Kind::Number => is(matches!(first, Some(b'-' | b'0'..=b'9'))),
            Kind::Integer(least, most) => {
                let number = whole(json)?;
                if (least..=most).contains(&number) { Ok(()) } else { Err(Reason::OutOfRange) }
            }
            Kind::Text(least, most) => {
                let mut count = 0;
                for character in Characters::of(json)? {
                    character?;
                    count += 1;
                }
                if (least.into()..=most.into()).contains(&count) { Ok(()) } else { Err(Reason::Length) }
            }
            Kind::Choice(choices) => {
                let text = within(json)?;
                let known = choices.iter().any(|choice| is_same_name(text, choice));
                if known { Ok(()) } else { Err(Reason::NoChoice) }
            }
            Kind::Texts(_) => is(first == Some(b'[')),
        }
    }

    /// What is wrong with a value of the right kind that the structure does not accept.
    pub(super) fn misfit(&self) -> Reason {
        match self.kind {
            Kind::Integer(..) => Reason::OutOfRange,
            Kind::Text(..) => Reason::Length,
            Kind::Choice(_) => Reason::NoChoice,
            _ => Reason::WrongType,
        }
    }

    /// Writes what the field may be set to, for users.
    pub(super) fn allowed(&self, out: &mut Writer<'_>) -> fmt::Result {
        let template = match self.kind {
            Kind::Boolean => "true or false",
            Kind::Number => "a number",
            Kind::Integer(..) => "$l to $m",
            Kind::Text(..) => "text of $l to $m characters",
            Kind::Texts(_) => "a list of at most $m texts",
            Kind::Choice(choices) => {
                let mut between = "";
                for choice in choices {
                    out.text(core::mem::replace(&mut between, ", "))?;
                    out.text(choice)?;
                }
                ""
            }
        };
        self.fill(template, out)?;
        if self.nullable { out.text(", or null") } else { Ok(()) }
    }

    /// Writes the field as a property of a JSON Schema (draft 7).
    pub(super) fn schema(&self, out: &mut Writer<'_>) -> fmt::Result {
        let template = if self.nullable {
            r#"$n:{"description":$a,"type":["$t","null"]$k"#
        } else {
            r#"$n:{"description":$a,"type":"$t"$k"#
        };
        self.fill(template, out)?;
        out.text(if self.secret { ",\"writeOnly\":true}" } else { "}" })
    }

    /// Fills in one of the templates above.
    fn fill(&self, template: &str, out: &mut Writer<'_>) -> fmt::Result {
        let (kind, limits, least, most) = match self.kind {
            Kind::Boolean => ("boolean", "", 0, 0),
            Kind::Integer(least, most) => ("integer", r#","minimum":$l,"maximum":$m"#, least, most),
            Kind::Number => ("number", "", 0, 0),
            Kind::Text(least, most) => {
                ("string", r#","minLength":$l,"maxLength":$m"#, i64::from(least), i64::from(most))
            }
            Kind::Choice(_) => ("string", r#","enum":[$c]"#, 0, 0),
            Kind::Texts(most) => ("array", r#","items":{"type":"string"},"maxItems":$m"#, 0, i64::from(most)),
        };
        out.template(template, &mut |letter, out| match letter {
            b'n' => out.quoted(self.name),
            b'a' => out.quoted(self.about),
            b't' => out.text(kind),
            b'k' => self.fill(limits, out),
            b'l' => out.signed(least),
            b'm' => out.signed(most),
            _ => self.choices(out),
        })
    }

    /// Writes the choices in JSON.
    fn choices(&self, out: &mut Writer<'_>) -> fmt::Result {
        let Kind::Choice(choices) = self.kind else { return Ok(()) };
        let mut between = "";
        for choice in choices {
            out.text(core::mem::replace(&mut between, ","))?;
            out.quoted(choice)?;
        }
        if self.nullable { out.text(",null") } else { Ok(()) }
    }
}

/// A whole number in JSON.
pub(super) fn whole(json: &[u8]) -> Result<i64, Reason> {
    let (negative, digits) = match json.split_first() {
        Some((b'-', digits)) => (true, digits),
        _ => (false, json),
    };
    let leading_zero = digits.len() > 1 && digits.first() == Some(&b'0');
    if digits.is_empty() || leading_zero || !digits.iter().all(u8::is_ascii_digit) {
        return Err(Reason::WrongType);
    }
    let number = digits.iter().try_fold(0_i64, |number, digit| {
        let digit = i64::from(digit - b'0');
        number.checked_mul(10)?.checked_add(if negative { -digit } else { digit })
    });
    number.ok_or(Reason::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::String;

    #[test]
    fn values_are_checked() {
        let number = Field::integer("n", -5, 300, "");
        let text = Field::text("t", 1, 3, "");
        let choice = Field::choice("c", &["on", "off"], "").or_null();
        for (field, json, expected) in [
            (&number, "-5", Ok(())),
            (&number, "300", Ok(())),
            (&number, "301", Err(Reason::OutOfRange)),
            (&number, "99999999999999999999", Err(Reason::OutOfRange)),
            (&number, "-99999999999999999999", Err(Reason::OutOfRange)),
            (&number, "1.0", Err(Reason::WrongType)),
            (&number, "01", Err(Reason::WrongType)),
            (&number, "-", Err(Reason::WrongType)),
            (&number, "\"1\"", Err(Reason::WrongType)),
            (&number, "null", Err(Reason::WrongType)),
            (&text, "\"\"", Err(Reason::Length)),
            (&text, "\"aä🦀\"", Ok(())),
            (&text, r#""\n\u00e4\"""#, Ok(())),
            (&text, r#""\ud83e\udd80ab""#, Ok(())),
            (&text, "\"abcd\"", Err(Reason::Length)),
            (&text, "true", Err(Reason::WrongType)),
            (&text, r#""\x""#, Err(Reason::WrongType)),
            (&text, r#""\ud83e""#, Err(Reason::WrongType)),
            (&text, r#""\ud83ea""#, Err(Reason::WrongType)),
            (&text, r#""\udd80""#, Err(Reason::WrongType)),
            (&text, r#""a"b""#, Err(Reason::WrongType)),
            (&choice, "\"on\"", Ok(())),
            (&choice, "null", Ok(())),
            (&choice, "\"On\"", Err(Reason::NoChoice)),
            (&Field::boolean("b", ""), "true", Ok(())),
            (&Field::boolean("b", ""), "1", Err(Reason::WrongType)),
            (&Field::number("f", ""), "-1.5e3", Ok(())),
        ] {
            assert_eq!(field.check(json.as_bytes()), expected, "{json}");
        }
    }

    #[test]
    fn schemas_and_words() {
        let written = |write: &dyn Fn(&mut Writer<'_>) -> fmt::Result| {
            let mut out = [0; 256];
            let mut writer = Writer::new(0, &mut out);
            write(&mut writer).unwrap();
            let length = writer.filled();
            String::from_utf8(out[..length].to_vec()).unwrap()
        };
        let schema = |field: Field| written(&|out| field.schema(out));
        let field = Field::choice("unit", &["on", "off"], "A \"unit\".").or_null().secret();
        assert_eq!(
            schema(field),
            r#""unit":{"description":"A \"unit\".","type":["string","null"],"enum":["on","off",null],"writeOnly":true}"#
        );
        let integer = Field::integer("n", -1, 3600, "");
        assert_eq!(schema(integer), r#""n":{"description":"","type":"integer","minimum":-1,"maximum":3600}"#);
        let text = Field::text("n", 0, 32, "");
        assert_eq!(schema(text), r#""n":{"description":"","type":"string","minLength":0,"maxLength":32}"#);
        let list = r#""n":{"description":"","type":"array","items":{"type":"string"},"maxItems":3}"#;
        assert_eq!(schema(Field::texts("n", 3, "")), list);
        assert_eq!(schema(Field::boolean("n", "")), r#""n":{"description":"","type":"boolean"}"#);
        assert_eq!(schema(Field::number("n", "").or_null()), r#""n":{"description":"","type":["number","null"]}"#);
        let words = |field: Field| written(&|out| field.allowed(out));
        assert_eq!(words(field), "on, off, or null");
        assert_eq!(words(integer), "-1 to 3600");
        assert_eq!(words(text), "text of 0 to 32 characters");
        assert_eq!(words(Field::texts("n", 3, "")), "a list of at most 3 texts");
        assert_eq!(words(Field::boolean("n", "").or_null()), "true or false, or null");
        assert_eq!(words(Field::number("n", "")), "a number");
    }
}
