//! What settings override of the volume, and which sticks have any.

use super::values::Settings;
use crate::volume::{Hidden, LabelText, NoOverrides, Overrides};

/// The settings of a stick, as a type: all of them, or [`NoOverrides`], which costs nothing.
pub trait Configured<'a>: Overrides + Copy {
    /// The settings.
    fn settings(self) -> Option<&'a Settings<'a>>;
}

impl<'a> Configured<'a> for NoOverrides {
    fn settings(self) -> Option<&'a Settings<'a>> {
        None
    }
}

impl<'a> Configured<'a> for &'a Settings<'a> {
    fn settings(self) -> Option<&'a Settings<'a>> {
        Some(self)
    }
}

impl<'a> Configured<'a> for Option<&'a Settings<'a>> {
    fn settings(self) -> Option<&'a Settings<'a>> {
        self
    }
}

impl<'a> Overrides for &'a Settings<'a> {
    const PRESENT: bool = true;

    fn freeze(&self) {
        Settings::freeze(self);
    }

    fn has_changed(&self) -> bool {
        Settings::has_changed(self)
    }

    fn label(&self) -> Option<LabelText> {
        Settings::label(self).map(|text| LabelText::new(text.as_str()))
    }

    fn hidden(&self) -> impl Iterator<Item = Hidden> {
        Settings::hidden(self).map(|file| Hidden {
            directory: file.directory,
            entries: file.entries.0..file.entries.0.saturating_add(file.entries.1),
            first: file.blocks.0,
            length: file.blocks.1,
        })
    }
}

impl<'a> Overrides for Option<&'a Settings<'a>> {
    const PRESENT: bool = true;

    fn freeze(&self) {
        self.iter().for_each(Overrides::freeze);
    }

    fn has_changed(&self) -> bool {
        self.as_ref().is_some_and(Overrides::has_changed)
    }

    fn label(&self) -> Option<LabelText> {
        self.as_ref().and_then(Overrides::label)
    }

    fn hidden(&self) -> impl Iterator<Item = Hidden> {
        self.iter().flat_map(Overrides::hidden)
    }
}
