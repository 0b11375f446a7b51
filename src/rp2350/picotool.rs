//! What picotool reports about a program: "binary info" of the Pico SDK, which it finds by a header in the first 4 KiB of
//! the image. [`firmware!`](crate::firmware) puts it there.

use core::ffi::CStr;
pub use rp235x_hal::binary_info::{EntryAddr, Header, MappingTableEntry, StringEntry, consts};

unsafe extern "C" {
    /// Start and end of the section `.bi_entries` (memory.x).
    static __bi_entries_start: EntryAddr;
    static __bi_entries_end: EntryAddr;
}

/// Nothing that the entries point to is copied to RAM: no address has to be translated.
static NO_MAPPING: [MappingTableEntry; 1] = [MappingTableEntry::null()];

/// The header of the entries.
#[must_use]
pub const fn header() -> Header {
    Header::new(&raw const __bi_entries_start, &raw const __bi_entries_end, &NO_MAPPING)
}

/// A text that ends with its only NUL; empty if it does not.
#[must_use]
pub const fn text(text: &str) -> &CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    }
}
