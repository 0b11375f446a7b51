//! The types that an integer setting may have.

/// Types of integer settings: Rust's integers, or an `Option` of one.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "an integer setting cannot be a `{Self}`",
    label = "is no integer",
    note = "use one of the types from `i8` to `u64`, or an `Option` of one"
)]
pub trait IntegerField {
    /// Its smallest value.
    const LEAST: i128;
    /// Its greatest value.
    const MOST: i128;
}

macro_rules! integers {
    ($($integer:ty)*) => {
        $(impl IntegerField for $integer {
            const LEAST: i128 = <$integer>::MIN as i128;
            const MOST: i128 = <$integer>::MAX as i128;
        })*
    };
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

impl<T: IntegerField> IntegerField for Option<T> {
    const LEAST: i128 = T::LEAST;
    const MOST: i128 = T::MOST;
}
