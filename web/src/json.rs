//! JSON (RFC 8259), as far as a report needs it: written, never read.

use std::fmt::Write;

/// A text in quotation marks (RFC 8259, 7).
pub fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // `fmt::Write` into a `String` never fails.
            c if c < ' ' => _ = write!(out, "\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A list.
pub fn list<T>(out: &mut String, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut String, T)) {
    out.push('[');
    for (index, value) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        item(out, value);
    }
    out.push(']');
}

/// A member of an object, after its first one: its name and the colon.
pub fn member(out: &mut String, name: &str) {
    if !out.ends_with('{') {
        out.push(',');
    }
    text(out, name);
    out.push(':');
}

/// A member that is a text.
pub fn text_member(out: &mut String, name: &str, value: &str) {
    member(out, name);
    text(out, value);
}

/// A member that is a number, or true or false.
pub fn plain_member(out: &mut String, name: &str, value: impl std::fmt::Display) {
    member(out, name);
    _ = write!(out, "{value}");
}

#[cfg(test)]
mod tests {
    use super::{list, member, plain_member, text, text_member};

    #[test]
    fn an_object() {
        let mut out = String::from("{");
        text_member(&mut out, "a", "\"\\\n</script>\u{0}");
        plain_member(&mut out, "b", true);
        member(&mut out, "c");
        list(&mut out, ["x", "y"], text);
        out.push('}');
        assert_eq!(out, "{\"a\":\"\\\"\\\\\\u000a</script>\\u0000\",\"b\":true,\"c\":[\"x\",\"y\"]}");
    }
}
