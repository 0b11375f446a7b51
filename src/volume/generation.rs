//! Generations.

use crate::clock::Instant;

/// One state of the volume as hosts see it: nothing that it shows changes until the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// Counts up from 0, which is the generation at power-on.
    pub number: u32,
    /// When it began.
    pub since: Instant,
    /// How many generations up to this one hosts had to take for another volume: their VolumeSerialNumbers differ.
    pub volumes: u32,
}

impl Generation {
    /// The generation at power-on.
    pub const FIRST: Self = Self { number: 0, since: Instant(0), volumes: 0 };
}
