//! What a field of a group may be set to, in words for people and in JSON Schema for programs.

use super::json::{Characters, quoted};
use core::fmt::{self, Write};

/// A field: its name in the structure, what it is good for, and what it may be set to.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    pub(super) nullable: bool,
    pub(super) secret: bool,
}

/// What values a field has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Boolean,
    /// Whole numbers, both ends included.
    Integer(i64, i64),
    Number,
    /// Text of so many characters, both ends included.
    Text(u16, u16),
    Choice(&'static [&'static str]),
    /// A list of texts, at most so many.
    Texts(u16),
}

/// Why a value is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The value is of another type.
    WrongType,
    /// The number lies outside the field's range.
    OutOfRange,
    /// The text has too few or too many characters, or more bytes than the field has room for.
    Length,
    /// The text is none of those to choose from.
    NoChoice,
    /// A rule of the structure's own: why, in words.
    Rule(&'static str),
    /// All values together have more bytes than can be kept.
    NoRoom,
}

impl Reason {
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::WrongType => "wrong type",
            Self::OutOfRange => "out of range",
            Self::Length => "wrong length",
            Self::NoChoice => "not to choose from",
            Self::Rule(words) => words,
            Self::NoRoom => "no room for all settings together",
        }
    }
}

impl Field {
    const fn new(name: &'static str, about: &'static str, kind: Kind) -> Self {
        Self { name, about, kind, nullable: false, secret: false }
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

    /// The field may be null, too: an `Option`.
    #[must_use]
    pub const fn or_null(self) -> Self {
        Self { nullable: true, ..self }
    }

    /// Nobody is shown its value: it reads "set", or "not set" as long as it is the default.
    #[must_use]
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// Whether a value, as JSON, is one that the field may have.
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
                let known = choices.iter().any(|choice| choice.as_bytes() == text);
                if known { Ok(()) } else { Err(Reason::NoChoice) }
            }
            Kind::Texts(_) => is(first == Some(b'[')),
        }
    }

    /// What is wrong with a value of the right kind that the structure does not take.
    pub(super) fn misfit(&self) -> Reason {
        match self.kind {
            Kind::Integer(..) => Reason::OutOfRange,
            Kind::Text(..) => Reason::Length,
            Kind::Choice(_) => Reason::NoChoice,
            _ => Reason::WrongType,
        }
    }

    /// Writes what the field may be set to, for people.
    pub(super) fn allowed(&self, out: &mut dyn Write) -> fmt::Result {
        match self.kind {
            Kind::Boolean => out.write_str("true or false")?,
            Kind::Number => out.write_str("a number")?,
            Kind::Integer(least, most) => between("", least, " to ", most, out)?,
            Kind::Text(least, most) => {
                between("text of ", least.into(), " to ", most.into(), out)?;
                out.write_str(" characters")?;
            }
            Kind::Texts(most) => {
                out.write_str("a list of at most ")?;
                decimal(most.into(), out)?;
                out.write_str(" texts")?;
            }
            Kind::Choice(choices) => {
                let mut between = "";
                for choice in choices {
                    out.write_str(core::mem::replace(&mut between, ", "))?;
                    out.write_str(choice)?;
                }
            }
        }
        if self.nullable { out.write_str(", or null") } else { Ok(()) }
    }

    /// Writes the field as a property of a JSON Schema (draft 7).
    pub(super) fn schema(&self, out: &mut dyn Write) -> fmt::Result {
        quoted(self.name, out)?;
        out.write_str(":{\"description\":")?;
        quoted(self.about, out)?;
        let kind = match self.kind {
            Kind::Boolean => "boolean",
            Kind::Integer(..) => "integer",
            Kind::Number => "number",
            Kind::Text(..) | Kind::Choice(_) => "string",
            Kind::Texts(_) => "array",
        };
        let (begin, end) = if self.nullable { ("[", ",\"null\"]") } else { ("", "") };
        out.write_str(",\"type\":")?;
        out.write_str(begin)?;
        quoted(kind, out)?;
        out.write_str(end)?;
        match self.kind {
            Kind::Integer(least, most) => between(",\"minimum\":", least, ",\"maximum\":", most, out)?,
            Kind::Text(least, most) => {
                between(",\"minLength\":", least.into(), ",\"maxLength\":", most.into(), out)?;
            }
            Kind::Texts(most) => {
                out.write_str(",\"items\":{\"type\":\"string\"},\"maxItems\":")?;
                decimal(most.into(), out)?;
            }
            Kind::Choice(choices) => {
                let mut between = ",\"enum\":[";
                for choice in choices {
                    out.write_str(core::mem::replace(&mut between, ","))?;
                    quoted(choice, out)?;
                }
                out.write_str(if self.nullable { ",null]" } else { "]" })?;
            }
            Kind::Boolean | Kind::Number => {}
        }
        out.write_str(if self.secret { ",\"writeOnly\":true}" } else { "}" })
    }
}

/// Writes two numbers, words in front of each.
fn between(before: &str, least: i64, and: &str, most: i64, out: &mut dyn Write) -> fmt::Result {
    out.write_str(before)?;
    decimal(least, out)?;
    out.write_str(and)?;
    decimal(most, out)
}

/// Writes a number, without what core's formatting brings along.
pub(super) fn decimal(number: i64, out: &mut dyn Write) -> fmt::Result {
    let mut digits = [0; 19];
    let mut rest = number.unsigned_abs();
    let mut begin = digits.len();
    while let Some(place) = digits.get_mut(begin.wrapping_sub(1)) {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
        begin -= 1;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.write_char('-')?;
    }
    out.write_str(digits.get(begin..).and_then(|digits| core::str::from_utf8(digits).ok()).unwrap_or_default())
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

/// What stands between the quotation marks of a string.
pub(super) fn within(json: &[u8]) -> Result<&[u8], Reason> {
    json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(Reason::WrongType)
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
    fn numbers_are_written() {
        for number in [0, 7, -1, 10, -3600, i64::MAX, i64::MIN] {
            let mut out = String::new();
            decimal(number, &mut out).unwrap();
            assert_eq!(out, std::format!("{number}"));
        }
    }

    #[test]
    fn schemas_and_words() {
        let mut out = String::new();
        let field = Field::choice("unit", &["on", "off"], "A \"unit\".").or_null().secret();
        field.schema(&mut out).unwrap();
        let expected = r#""unit":{"description":"A \"unit\".","type":["string","null"],"enum":["on","off",null],"writeOnly":true}"#;
        assert_eq!(out, expected);
        let words = |field: Field| {
            let mut out = String::new();
            field.allowed(&mut out).unwrap();
            out
        };
        assert_eq!(words(field), "on, off, or null");
        assert_eq!(words(Field::integer("n", 1, 3600, "")), "1 to 3600");
        assert_eq!(words(Field::text("n", 0, 32, "")), "text of 0 to 32 characters");
    }
}
