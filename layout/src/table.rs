//! Tables of records of the same length, read in place.

use core::marker::PhantomData;

/// A record of `W` words.
pub trait Record<const W: usize>: Sized {
    /// The record in these words.
    fn decode(words: [u32; W]) -> Self;

    /// Its words.
    fn encode(&self) -> [u32; W];
}

/// Records, one after the other.
#[derive(Debug, PartialEq, Eq)]
pub struct Table<'a, R, const W: usize> {
    records: &'a [[u32; W]],
    of: PhantomData<R>,
}

impl<R, const W: usize> Clone for Table<'_, R, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R, const W: usize> Copy for Table<'_, R, W> {}

impl<R, const W: usize> Default for Table<'_, R, W> {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl<'a, R, const W: usize> Table<'a, R, W> {
    /// The records in these words, of which an incomplete last one is left out.
    #[must_use]
    pub const fn new(words: &'a [u32]) -> Self {
        Self { records: words.as_chunks().0, of: PhantomData }
    }

    /// Number of records.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records from that one on.
    #[must_use]
    pub fn from(&self, index: usize) -> Self {
        Self { records: self.records.get(index..).unwrap_or(&[]), of: PhantomData }
    }
}

impl<'a, R: Record<W>, const W: usize> Table<'a, R, W> {
    /// The record with that index.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<R> {
        self.records.get(index).map(decode)
    }

    /// The first record.
    #[inline]
    #[must_use]
    pub fn first(&self) -> Option<R> {
        self.records.first().map(decode)
    }

    /// The last record.
    #[inline]
    #[must_use]
    pub fn last(&self) -> Option<R> {
        self.records.last().map(decode)
    }

    /// The records, in their order.
    #[inline]
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = R> + ExactSizeIterator + Clone + use<'a, R, W> {
        self.records.iter().map(decode)
    }

    /// The index of the first record that `before` is false for, in a table where it is true for all records before.
    #[inline]
    #[must_use]
    pub fn partition_point(&self, mut before: impl FnMut(R) -> bool) -> usize {
        self.records.partition_point(|record| before(decode(record)))
    }
}

#[inline]
fn decode<R: Record<W>, const W: usize>(record: &[u32; W]) -> R {
    R::decode(record.map(u32::from_le))
}

/// A word by itself.
impl Record<1> for u32 {
    fn decode([word]: [u32; 1]) -> Self {
        word
    }

    fn encode(&self) -> [u32; 1] {
        [*self]
    }
}
