//! Settings as files: CONFIG.JSON and CONFIG.SCHEMA.JSON.

use super::info::Named;
use crate::dynamic::{Content, Frozen};
use crate::settings::{Contents, Settings, View};
use crate::text::Writer;
use crate::volume::{Generation, LabelText};
use core::fmt;

/// A file that shows the settings. Each packet renders it from its start, so no buffer for the whole is needed.
#[derive(Debug)]
pub struct ConfigFile<'a> {
    settings: &'a Settings<'a>,
    view: View,
}

impl<'a> ConfigFile<'a> {
    /// The current values, without secrets.
    #[must_use]
    pub const fn values(settings: &'a Settings<'a>) -> Self {
        Self { settings, view: View::Values }
    }

    /// What may be set: a JSON Schema (draft 7).
    #[must_use]
    pub const fn schema(settings: &'a Settings<'a>) -> Self {
        Self { settings, view: View::Schema }
    }
}

/// What INFO.TXT and INFO.JSON report about settings.
const TEXT: &str = "Settings       not saved: the flash for them is occupied ($o). `save claim` takes it, and what is there is lost\r\n";
const JSON: &str = "\n  \"settings\": { \"occupied\": $o },";

impl Named for Settings<'_> {
    fn label(&self) -> Option<LabelText> {
        Settings::label(self).map(|text| LabelText::new(text.as_str()))
    }

    fn occupied(&self) -> Option<Contents> {
        Settings::occupied(self)
    }

    fn write_settings(&self, occupied: Option<Contents>, json: bool, out: &mut Writer<'_>) -> fmt::Result {
        match (occupied, json) {
            (None, false) => Ok(()),
            (None, true) => out.template(JSON, &mut |_, out| out.text("null")),
            (Some(contents), true) => out.template(JSON, &mut |_, out| out.quoted(contents.words())),
            (Some(contents), false) => out.template(TEXT, &mut |_, out| out.text(contents.words())),
        }
    }
}

impl Content for ConfigFile<'_> {
    fn length(&self) -> u32 {
        // The length in the current generation; that in the next one is only known after the freeze.
        self.settings.length(self.view) as u32
    }

    fn freeze(&self, _: Generation) -> Frozen {
        // The volume has frozen the settings before.
        Frozen { length: self.length(), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.settings.render(self.view, offset as usize, out);
    }
}
