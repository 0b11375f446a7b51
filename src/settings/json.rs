//! JSON (RFC 8259): escapes, and locating an object's members.

use super::reason::Reason;
use core::ops::Range;

/// Copies JSON, replacing escapes (RFC 8259 section 7) of characters that need none. Then a member's name equals its plain
/// form (section 8.3), and so does the name of a choice, which serde-json-core does not resolve. It resolves the remaining
/// escapes, except surrogate pairs. Returns the copy; `None` if there is no room.
pub(super) fn resolve<'o>(json: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
    let (mut from, mut to) = (0, 0);
    while let Some(rest) = json.get(from..).filter(|rest| !rest.is_empty()) {
        let mut utf8 = [0; 4];
        let (piece, taken) = match escaped(rest) {
            Some((character, taken)) => (character.encode_utf8(&mut utf8).as_bytes(), taken),
            // An escaped backslash does not start another escape.
            None if rest.starts_with(b"\\\\") => (&b"\\\\"[..], 2),
            None => (rest.get(..1)?, 1),
        };
        out.get_mut(to..to + piece.len())?.copy_from_slice(piece);
        from += taken;
        to += piece.len();
    }
    out.get(..to)
}

/// The character that is escaped at the start but needs no escape, and the length of the escape.
fn escaped(text: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digit = |value: u32, digit: &u8| Some(value << 4 | char::from(*digit).to_digit(16)?);
        digits.iter().try_fold(0, digit)
    };
    if text.starts_with(b"\\/") {
        return Some(('/', 2));
    }
    let first = unit(0)?;
    if let Some(character) = char::from_u32(first) {
        return (first >= 0x20 && !matches!(character, '"' | '\\')).then_some((character, 6));
    }
    let (high, low) = (first.checked_sub(0xD800)?, unit(6)?.checked_sub(0xDC00)?);
    let is_pair = high < 0x400 && low < 0x400;
    char::from_u32(0x1_0000 + (high << 10 | low)).filter(|_| is_pair).map(|character| (character, 12))
}

/// Whether a string, without its quotation marks, is this text: escaped characters equal their plain form (RFC 8259 section
/// 8.3).
pub(super) fn is_same_name(within: &[u8], text: &str) -> bool {
    Characters::within(within).is_ok_and(|characters| characters.eq(text.chars().map(Ok)))
}

/// The characters of a JSON string with escapes resolved (RFC 8259 section 7), or why it is invalid.
pub(super) struct Characters<'j>(core::str::Chars<'j>);

impl<'j> Characters<'j> {
    pub fn of(json: &'j [u8]) -> Result<Self, Reason> {
        Self::within(within(json)?)
    }

    /// The same for a string without its quotation marks.
    fn within(text: &'j [u8]) -> Result<Self, Reason> {
        Ok(Self(core::str::from_utf8(text).map_err(|_| Reason::WrongType)?.chars()))
    }

    /// The character of an escape, after the backslash.
    fn escape(&mut self) -> Option<char> {
        Some(match self.0.next()? {
            'u' => return self.unit_or_pair(),
            'b' => '\x08',
            'f' => '\x0C',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            same @ ('"' | '\\' | '/') => same,
            _ => return None,
        })
    }

    fn unit_or_pair(&mut self) -> Option<char> {
        let unit = self.unit()?;
        let Some(high) = unit.checked_sub(0xD800).filter(|high| *high < 0x400) else { return char::from_u32(unit) };
        let escaped = self.0.next()? == '\\' && self.0.next()? == 'u';
        let low = self.unit()?.checked_sub(0xDC00).filter(|low| escaped && *low < 0x400)?;
        char::from_u32(0x1_0000 + (high << 10 | low))
    }

    /// Four hexadecimal digits.
    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | self.0.next()?.to_digit(16)?;
        }
        Some(unit)
    }
}

impl Iterator for Characters<'_> {
    type Item = Result<char, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        let character = match self.0.next()? {
            '\\' => self.escape(),
            // The string must end before this.
            '"' => None,
            plain => Some(plain),
        };
        Some(character.ok_or(Reason::WrongType))
    }
}

/// The members of the JSON object `text`, one after the other: name, without quotation marks and with escapes, and value.
/// The values of a list have no names.
///
/// A value is examined only to find its end: reading it is up to the caller.
pub(super) struct Object<'t> {
    text: &'t [u8],
    at: usize,
    position: Position,
    list: bool,
}

/// How far the object has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Start,
    BeforeFirst,
    AfterMember,
    End,
}

/// A member's name, without its quotation marks, and its value.
pub(super) type Member<'t> = (&'t [u8], &'t [u8]);

/// The text is not a JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoObject;

impl<'t> Object<'t> {
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0, position: Position::Start, list: false }
    }

    /// The same for a list.
    pub fn list(text: &'t [u8]) -> Self {
        Self { list: true, ..Self::new(text) }
    }

    /// The next member; `None` after the last one, if nothing follows the object.
    pub fn next(&mut self) -> Result<Option<Member<'t>>, NoObject> {
        let (begin, end) = if self.list { (b'[', b']') } else { (b'{', b'}') };
        if self.position == Position::Start {
            self.expect(begin)?;
            self.position = Position::BeforeFirst;
        }
        let sign = self.peek();
        if self.position == Position::End {
            return Ok(None);
        }
        if sign == Some(end) {
            self.at += 1;
            self.position = Position::End;
            return if self.peek().is_none() { Ok(None) } else { Err(NoObject) };
        }
        if self.position == Position::AfterMember {
            self.expect(b',')?;
        }
        self.position = Position::AfterMember;
        self.peek();
        let mut name = 0..0;
        if !self.list {
            name = self.string()?;
            self.expect(b':')?;
            self.peek();
        }
        let value = self.value(end)?;
        let within = self.text.get(name).ok_or(NoObject)?;
        Ok(Some((within, self.text.get(value).ok_or(NoObject)?)))
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, sign: u8) -> Result<(), NoObject> {
        if self.peek() != Some(sign) {
            return Err(NoObject);
        }
        self.at += 1;
        Ok(())
    }

    /// The contents of a string between its quotation marks.
    fn string(&mut self) -> Result<Range<usize>, NoObject> {
        if self.text.get(self.at) != Some(&b'"') {
            return Err(NoObject);
        }
        let begin = self.at + 1;
        let mut escaped = false;
        for (index, byte) in self.text.iter().enumerate().skip(begin) {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => {
                    self.at = index + 1;
                    return Ok(begin..index);
                }
                _ => {}
            }
        }
        Err(NoObject)
    }

    /// A value of any kind: up to the comma or bracket that ends it.
    fn value(&mut self, end: u8) -> Result<Range<usize>, NoObject> {
        let begin = self.at;
        let mut depth = 0_usize;
        loop {
            match self.text.get(self.at).ok_or(NoObject)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => depth -= 1,
                sign if depth == 0 && (*sign == b',' || *sign == end) => break,
                b']' | b'}' => return Err(NoObject),
                _ => {}
            }
            self.at += 1;
        }
        let text = self.text.get(begin..self.at).unwrap_or_default();
        let trimmed = text.trim_ascii_end().len();
        if trimmed == 0 { Err(NoObject) } else { Ok(begin..begin + trimmed) }
    }
}

/// The contents of a string between its quotation marks.
pub(super) fn within(json: &[u8]) -> Result<&[u8], Reason> {
    json.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(Reason::WrongType)
}

#[cfg(test)]
mod tests {
    use super::*;
    extern crate std;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn members(text: &str) -> Result<Vec<(String, String)>, NoObject> {
        let mut object = Object::new(text.as_bytes());
        let mut all = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        while let Some((name, value)) = object.next()? {
            all.push((text(name), text(value)));
        }
        Ok(all)
    }

    #[test]
    fn members_are_found() {
        let pairs = |list: &[(&str, &str)]| {
            Ok(list.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect::<Vec<_>>())
        };
        assert_eq!(members("{}"), pairs(&[]));
        assert_eq!(members(" { \"a\" : 1 } "), pairs(&[("a", "1")]));
        let nested = r#"{"a":[1,{"b":"]}\""}],"c\"":"x , }","d":null}"#;
        assert_eq!(members(nested), pairs(&[("a", r#"[1,{"b":"]}\""}]"#), ("c\\\"", "\"x , }\""), ("d", "null")]));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "1",
            "[]",
            "{",
            "}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{,}",
            "{a:1}",
            "{\"a\":1}x",
            "{\"a:1}",
            "{\"a\":1 \"b\":2}",
            "{\"a\":]}",
            "{\"a\":[}",
            "{\"a\" 1}",
            "{\"a\":\"b}",
            "{\"a\":,\"b\":1}",
        ] {
            // An invalid value is only noticed when it is read.
            let lenient = ["{\"a\":1 \"b\":2}"];
            assert_eq!(members(text).is_err(), !lenient.contains(&text), "{text}");
        }
    }

    #[test]
    fn values_of_a_list_are_found() {
        let values = |text: &str| {
            let mut list = Object::list(text.as_bytes());
            let mut all = Vec::new();
            while let Some((name, value)) = list.next()? {
                assert!(name.is_empty());
                all.push(String::from_utf8(value.to_vec()).unwrap());
            }
            Ok::<_, NoObject>(all.join("|"))
        };
        assert_eq!(values("[]").unwrap(), "");
        assert_eq!(values(r#" [ "a,]" , {"b":[1]},3 ] "#).unwrap(), r#""a,]"|{"b":[1]}|3"#);
        for text in ["", "[", "{}", "[1", "[1,]", "[,]", "[1}", "[1]]", "[1]x", "[}]"] {
            assert!(values(text).is_err(), "{text}");
        }
    }

    #[test]
    fn escapes_are_resolved() {
        let text = |json: &str| Characters::of(json.as_bytes()).and_then(Iterator::collect::<Result<String, _>>);
        assert_eq!(text(r#""a\"\\\/\b\f\n\r\t\u00e4\ud83e\uDD80ß""#).unwrap(), "a\"\\/\x08\x0C\n\r\tä🦀ß");
        for bad in [
            r#""\""#,
            r#""\u12""#,
            r#""\u12g4""#,
            r#""\ud83e\n""#,
            r#""\ud83e\ud83e""#,
            r#""\uDD80""#,
            r#""a"b""#,
            "a",
            "\"",
        ] {
            assert!(text(bad).is_err(), "{bad}");
        }
        assert!(Characters::of(b"\"\xFF\"").is_err());
    }

    #[test]
    fn escapes_are_resolved_that_nobody_needs() {
        let resolved = |text: &str| {
            let mut out = [0; 64];
            String::from_utf8(resolve(text.as_bytes(), &mut out).unwrap().to_vec()).unwrap()
        };
        assert_eq!(resolved(r#""a\ud83e\uDD80\u00e4\n\/\u0041\u007f""#), "\"a🦀ä\\n/A\u{7f}\"");
        for same in [
            r#""\u0022\u005C\u000a\u001f\"\\""#,
            r#""\\u0041""#,
            r#""\u00""#,
            r#""\\ud83e\\udd80""#,
            r#""\\\ud83e""#,
            r#""\ud83e\ud83e""#,
            r#""\udd80\ud83e""#,
            r#""\ud83e\udd8""#,
            "",
        ] {
            assert_eq!(resolved(same), same);
        }
        assert_eq!(resolve(b"abc", &mut [0; 2]), None);
    }
}
