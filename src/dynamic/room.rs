//! Room for files: what they take, and what there is.

/// The part of the manifest's reserves that files and folders take.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub slots: u16,
    /// Directory entries.
    pub entries: u16,
    /// Clusters of the window.
    pub clusters: u32,
}

impl Room {
    pub const NONE: Self = Self { slots: 0, entries: 0, clusters: 0 };

    pub const fn plus(self, other: Self) -> Self {
        Self {
            slots: self.slots.saturating_add(other.slots),
            entries: self.entries.saturating_add(other.entries),
            clusters: self.clusters.saturating_add(other.clusters),
        }
    }

    pub const fn minus(self, other: Self) -> Self {
        Self {
            slots: self.slots.saturating_sub(other.slots),
            entries: self.entries.saturating_sub(other.entries),
            clusters: self.clusters.saturating_sub(other.clusters),
        }
    }
}
