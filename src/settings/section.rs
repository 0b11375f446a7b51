//! What a group of settings is to those that do not know its structure.

use super::field::Field;
use super::reason::Reason;
use crate::text::Writer;
use core::fmt;

/// Longest line that a console takes, and so the longest text in JSON.
pub(super) const LINE_LENGTH: usize = 512;

/// What [`Group`](super::Group) is to those that do not know its structure. `present` are the bytes of its values, as kept; without any,
/// all of them are defaults.
pub trait Section: Sync {
    /// Tells groups apart in what is saved.
    fn id(&self) -> u32;

    /// The fields, in the structure's order.
    fn fields(&self) -> &[Field];

    /// Reads one field again from JSON. Returns how many bytes of `out` the group has then.
    ///
    /// # Errors
    /// Why the value is refused.
    fn set(&self, present: &[u8], index: usize, json: &[u8], out: &mut [u8]) -> Result<usize, Reason>;

    /// Holds the values against the structure's own rule, after the fields of `changed` (a bit each) were set.
    ///
    /// # Errors
    /// The field's place, and why.
    fn check(&self, present: &[u8], changed: u32) -> Result<(), (usize, Reason)>;

    /// Writes the value of one field as JSON.
    ///
    /// # Errors
    /// Those of `out`.
    fn write(&self, present: &[u8], index: usize, out: &mut Writer<'_>) -> fmt::Result;

    /// Whether a field has its default.
    fn is_default(&self, present: &[u8], index: usize) -> bool;

    /// How many of its bytes the group knows: what follows is a newer firmware's.
    fn known(&self, present: &[u8]) -> usize;

    /// Gives defaults to fields that have values which they may not have: another firmware allowed them. Returns the bytes
    /// then, `None` when nothing is wrong.
    fn repair(&self, present: &[u8], out: &mut [u8]) -> Option<usize>;
}
