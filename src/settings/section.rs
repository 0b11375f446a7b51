//! The interface of a group of settings for code that does not know its structure.

use super::field::Field;
use super::reason::Reason;
use crate::text::Writer;
use core::fmt;

/// Maximum length of a console line, and therefore of a text in JSON.
pub(super) const LINE_LENGTH: usize = 512;

/// [`Group`](super::Group) for code that does not know its structure. `present` are the stored bytes of its values; if
/// there are none, all values are defaults.
pub trait Section: Sync {
    /// Identifies the group in what is saved.
    fn id(&self) -> u32;

    /// The fields, in the structure's order.
    fn fields(&self) -> &[Field];

    /// Sets one field from JSON. Returns the new number of the group's bytes in `out`.
    ///
    /// # Errors
    /// Why the value is refused.
    fn set(&self, present: &[u8], index: usize, json: &[u8], out: &mut [u8]) -> Result<usize, Reason>;

    /// Checks the values against the structure's own rule, after the fields of `changed` (a bit each) were set.
    ///
    /// # Errors
    /// The field's index, and why.
    fn check(&self, present: &[u8], changed: u32) -> Result<(), (usize, Reason)>;

    /// Writes the value of one field as JSON.
    ///
    /// # Errors
    /// Those of `out`.
    fn write(&self, present: &[u8], index: usize, out: &mut Writer<'_>) -> fmt::Result;

    /// Whether a field has its default.
    fn is_default(&self, present: &[u8], index: usize) -> bool;

    /// How many of its bytes the group knows: those that follow are a newer firmware's.
    fn known(&self, present: &[u8]) -> usize;

    /// Resets fields with values that are not allowed, which another firmware has set. Returns the new number of bytes, or
    /// `None` if nothing is wrong.
    fn repair(&self, present: &[u8], out: &mut [u8]) -> Option<usize>;
}
