//! Generations.

use crate::clock::Instant;

/// One state of the volume as hosts see it: everything that it shows stays as it is until the next one begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Generation {
    /// Counts up from 0, the generation that power-on begins.
    pub number: u32,
    /// When it began.
    pub since: Instant,
    /// How many generations up to this one hosts were to take for another volume: their VolumeSerialNumbers differ.
    pub volumes: u32,
}

impl Generation {
    /// What power-on begins.
    pub const FIRST: Self = Self { number: 0, since: Instant(0), volumes: 0 };
}
