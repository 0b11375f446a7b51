//! Recognizes a panic in a backtrace, and finds its message.
//!
//! If a firmware's panic handler does not use the message, the linker has removed it. So the message comes from where the
//! library stores it (firmware with INFO.TXT), else from the source, else from the name of the function that panics.

use super::debug_info::{DebugInfo, Frame};
use super::source;
use crate::board::incident::Incident;
use std::path::Path;

/// A panic.
pub struct Panic {
    /// The location as `file:line:column`; `None` if the compiler has merged several locations into one.
    pub place: Option<String>,
    /// Its message, as far as it can be found.
    pub message: Option<String>,
    /// Whether it was `unwrap` or `expect` of an error, whose value no firmware stores.
    pub is_error: bool,
    /// The functions from the one that panicked outwards, the innermost first.
    pub frames: Vec<Frame>,
}

/// Where `Result::unwrap` and `expect` panic.
const ERROR: &str = "result::unwrap_failed";

/// Functions of Rust's library that end in a panic, by parts of their names, with their messages.
const REASONS: [(&str, &str); 12] = [
    ("option::unwrap_failed", "called `Option::unwrap()` on a `None` value"),
    ("option::expect_failed", "`expect` on a `None` value"),
    (ERROR, "`unwrap` or `expect` on an `Err` value"),
    ("panic_bounds_check", "index out of bounds"),
    ("slice_start_index_len_fail", "a slice begins after the end"),
    ("slice_end_index_len_fail", "a slice ends after the end"),
    ("slice_index_order_fail", "a slice ends before it begins"),
    ("slice_index_fail", "a slice is out of range"),
    ("copy_from_slice", "source and destination slices have different lengths"),
    ("panic_already_borrowed", "a RefCell is already borrowed"),
    ("panic_already_mutably_borrowed", "a RefCell is already mutably borrowed"),
    ("const_div_by_zero", "attempt to divide by zero"),
];

/// Where arithmetic panics: the rest of the name is the operation.
const ARITHMETIC: &str = "panic_const_";

/// Whether a function is part of panicking.
fn panics(frame: &Frame) -> bool {
    let name = frame.function.as_str();
    name.contains("panicking::")
        || name.contains("rust_begin_unwind")
        || name.ends_with("::on_panic")
        || name.ends_with("__rustc::rust_panic")
        || REASONS.iter().any(|(part, _)| name.contains(part) && source::is_library(frame))
}

/// The panic that a backtrace shows.
pub fn find(debug: &DebugInfo<'_>, incident: &Incident<'_>, backtrace: &[Frame]) -> Option<Panic> {
    let last = backtrace.iter().rposition(panics)?;
    let after = backtrace.get(last + 1..).unwrap_or_default();
    let culprit = last + 1 + after.iter().position(|frame| !source::is_library(frame))?;
    let mut frames = backtrace.get(culprit..)?.to_vec();
    let frame = frames.first_mut()?;
    let kept = kept(debug, incident.sram);
    let (kept_file, kept_line, kept_message) = kept.as_deref().map_or((None, None, None), split);
    // The stored text is right even if the compiler has merged several calls into one, for which the debug information has
    // no line.
    if let (Some(file), Some(line)) = (kept_file, kept_line)
        && frame.line != Some(line)
    {
        frame.line = Some(line);
        frame.column = None;
        if !frame.file.as_deref().is_some_and(|known| Path::new(known).ends_with(file)) {
            frame.file = Some(file.to_owned());
        }
    }
    frame.column = frame.column.or_else(|| source::column(frame));
    let message = kept_message
        .map(str::to_owned)
        .or_else(|| source::literal(frame))
        .or_else(|| backtrace[..culprit].iter().rev().find_map(|frame| reason(&frame.function)));
    let place = frame.line.and_then(|_| source::place(frame));
    let is_error = backtrace[..culprit].iter().any(|frame| frame.function.contains(ERROR));
    Some(Panic { place, message, is_error, frames })
}

fn reason(function: &str) -> Option<String> {
    if let Some((_, text)) = REASONS.iter().find(|(part, _)| function.contains(part)) {
        return Some((*text).to_owned());
    }
    let (_, operation) = function.split_once(ARITHMETIC)?;
    let operation = operation.split("::").next().unwrap_or(operation);
    Some(match operation.strip_suffix("_overflow") {
        Some(operation) => format!("attempt to {operation} with overflow"),
        None => operation.replace('_', " "),
    })
}

/// What the library's panic handler has stored for INFO.TXT (`rp2350::panic`): a magic number, a length, and the text.
fn kept(debug: &DebugInfo<'_>, sram: &[u8]) -> Option<String> {
    const MARK: [u8; 4] = 0x5644_5041u32.to_le_bytes();
    let (address, _) = debug.object(|name| name.ends_with("rp2350::panic::RECORD"))?;
    let record = sram.get(address.checked_sub(0x2000_0000)? as usize..)?;
    // The compiler orders the fields: the text is the longest and may be first or last.
    let (mark, length, text) = match record.get(..4)? == MARK {
        true => (record.get(..4)?, record.get(4..8)?, record.get(8..)?),
        false => (record.get(120..124)?, record.get(124..128)?, record),
    };
    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
    (mark == MARK && length <= 120)
        .then(|| String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned())
}

/// File, line and message of a stored text: `file:line message`.
fn split(kept: &str) -> (Option<&str>, Option<u32>, Option<&str>) {
    let (place, message) = kept.split_once(' ').unwrap_or((kept, ""));
    let (file, line) = place.rsplit_once(':').map_or((None, None), |(file, line)| (Some(file), line.parse().ok()));
    (file, line, Some(message).filter(|message| !message.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_has_three_parts() {
        assert_eq!(split("src/main.rs:7 the end"), (Some("src/main.rs"), Some(7), Some("the end")));
        assert_eq!(split("src/main.rs:7 "), (Some("src/main.rs"), Some(7), None));
        assert_eq!(split(""), (None, None, None));
    }

    #[test]
    fn functions_that_panic_say_why() {
        assert_eq!(reason("core::panicking::panic_bounds_check").as_deref(), Some("index out of bounds"));
        let add = "core::panicking::panic_const::panic_const_add_overflow";
        assert_eq!(reason(add).as_deref(), Some("attempt to add with overflow"));
        let divide = "core::panicking::panic_const::panic_const_div_by_zero";
        assert_eq!(reason(divide).as_deref(), Some("attempt to divide by zero"));
        assert_eq!(reason("core::panicking::panic_fmt"), None);
    }
}
