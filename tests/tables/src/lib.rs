//! The stock manifest's tables, as a program has them.

/// The tables.
#[allow(dead_code, reason = "the firmware uses all of it, the test the layout")]
pub mod stock {
    include!(concat!(env!("OUT_DIR"), "/volume.rs"));
}
