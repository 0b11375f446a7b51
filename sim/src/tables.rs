//! A manifest's plan as the library takes it: compiled.

use crate::arena::Arena;
use picovd::files::{LogRing, LogRingOf};
use picovd::volume::layout::{Compiled, Layout};
use picovd_manifest::{self as manifest, DiskPlan};

/// A plan, and its compiled manifest.
#[derive(Debug)]
pub struct Tables {
    plan: DiskPlan,
    /// Tables and contents.
    words: Vec<u32>,
}

impl Tables {
    /// Compiles `plan`.
    #[must_use]
    pub fn new(plan: DiskPlan) -> Self {
        Self { words: manifest::compile(&plan).to_words(), plan }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &DiskPlan {
        &self.plan
    }

    /// The compiled manifest.
    ///
    /// # Panics
    /// The plan is not from a manifest that passed its checks.
    #[must_use]
    pub fn compiled(&self) -> Compiled<'_> {
        Compiled::read(&self.words).unwrap_or_else(|refusal| panic!("the compiled manifest: {refusal}"))
    }

    /// The layout of the plan.
    #[must_use]
    pub fn layout(&self) -> Layout<'_> {
        Layout::of(self.compiled())
    }

    /// A layout for the rest of the process, for a device that owns its tables.
    #[must_use]
    pub fn leak(self) -> &'static Layout<'static> {
        let tables: &'static Self = Box::leak(Box::new(self));
        Box::leak(Box::new(tables.layout()))
    }
}

/// A ring of that length in bytes: rings have their lengths in their types, and these are the ones that a manifest allows.
#[must_use]
pub fn ring(size: u32, arena: &mut Arena) -> &'static LogRing {
    match size.trailing_zeros() {
        8 => arena.keep(LogRingOf::<{ 1 << 8 }>::new()),
        9 => arena.keep(LogRingOf::<{ 1 << 9 }>::new()),
        10 => arena.keep(LogRingOf::<{ 1 << 10 }>::new()),
        11 => arena.keep(LogRingOf::<{ 1 << 11 }>::new()),
        12 => arena.keep(LogRingOf::<{ 1 << 12 }>::new()),
        13 => arena.keep(LogRingOf::<{ 1 << 13 }>::new()),
        14 => arena.keep(LogRingOf::<{ 1 << 14 }>::new()),
        15 => arena.keep(LogRingOf::<{ 1 << 15 }>::new()),
        16 => arena.keep(LogRingOf::<{ 1 << 16 }>::new()),
        17 => arena.keep(LogRingOf::<{ 1 << 17 }>::new()),
        _ => arena.keep(LogRingOf::<{ 1 << 18 }>::new()),
    }
}
