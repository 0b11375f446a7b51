//! INFO.TXT and INFO.JSON.

use super::info::{BoardFacts, Form, Info, Snapshot};
use super::info_report::Report;
use crate::dynamic::{Content, Frozen};
use crate::text::Writer;
use crate::volume::Generation;
use core::cell::Cell;
use critical_section::Mutex;

/// An [`Info`] as a file. To be registered as [`renewed`](crate::dynamic::File::renewed).
pub struct InfoFile<'a> {
    info: &'a Info<'a>,
    form: Form,
    frozen: Mutex<Cell<Snapshot<'a>>>,
}

impl<'a> InfoFile<'a> {
    /// For users.
    #[must_use]
    pub const fn text(info: &'a Info<'a>) -> Self {
        Self::new(info, Form::Text)
    }

    /// For programs.
    #[must_use]
    pub const fn json(info: &'a Info<'a>) -> Self {
        Self::new(info, Form::Json)
    }

    const fn new(info: &'a Info<'a>, form: Form) -> Self {
        let board = BoardFacts::NONE;
        let generation = Generation::FIRST;
        Self {
            info,
            form,
            frozen: Mutex::new(Cell::new(Snapshot { generation, board, occupied: None, log: 0, defmt: 0 })),
        }
    }

    fn report(&self, snapshot: Snapshot<'a>) -> Report<'a> {
        Report { info: self.info, form: self.form, snapshot }
    }
}

/// Length in bytes of a report.
fn length(report: &Report<'_>) -> u32 {
    Writer::length(|out| report.write(out)) as u32
}

impl Content for InfoFile<'_> {
    fn length(&self) -> u32 {
        length(&self.report(self.info.now(Generation::FIRST)))
    }

    fn freeze(&self, generation: Generation) -> Frozen {
        let snapshot = self.info.now(generation);
        critical_section::with(|section| self.frozen.borrow(section).set(snapshot));
        Frozen { length: length(&self.report(snapshot)), kept: false }
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        let frozen = critical_section::with(|section| self.frozen.borrow(section).get());
        // The reader fetches what does not fit with its next read.
        let _ = self.report(frozen).write(&mut Writer::new(offset as usize, out));
    }
}
