//! INFO.TXT and INFO.JSON: what the board is, and how it fares.
//!
//! Both are frozen with each generation, so that they tell of the moment at which the volume that shows them began.

use super::log::LogRing;
use crate::settings::Contents;
use crate::text::Writer;
use crate::volume::layout::Layout;
use crate::volume::{BoardIdentity, Generation, LabelText};
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;

/// The program that runs. Made by the manifest's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// What tells two builds apart: a hash of everything that was made from the manifest.
    pub build: &'a str,
}

/// Why the chip was reset last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetReason {
    /// Nobody knows.
    #[default]
    Unknown,
    /// The power came on.
    PowerOn,
    /// The voltage dropped.
    BrownOut,
    /// The RUN pin was low.
    RunPin,
    /// A debugger.
    Debugger,
    /// A debugger's rescue reset.
    Rescue,
    /// The glitch detector.
    Glitch,
    /// The processors' power domain was off.
    PowerDown,
    /// The watchdog: it was not fed, or the bootrom used it to restart the chip when the program or picotool asked for that.
    Watchdog,
    /// A program forced the watchdog.
    Requested,
    /// The program panicked.
    Panic,
}

impl ResetReason {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::PowerOn => "power-on",
            Self::BrownOut => "brown-out",
            Self::RunPin => "RUN pin",
            Self::Debugger => "debugger",
            Self::Rescue => "rescue",
            Self::Glitch => "glitch",
            Self::PowerDown => "power-down",
            Self::Watchdog => "watchdog",
            Self::Requested => "requested",
            Self::Panic => "panic",
        }
    }
}

/// What the firmware finds out about the board at boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoardFacts<'a> {
    /// The chip's name.
    pub chip: &'a str,
    /// Version of its bootrom: 2 for the stepping A2, and so on. `None` when unknown.
    pub bootrom: Option<u8>,
    /// Length in bytes of its flash where that is less than the manifest reserves; `None` when it is not, or unknown.
    pub flash: Option<u32>,
    /// Its unique identity.
    pub identity: Option<BoardIdentity>,
    /// Why it was reset last.
    pub reset: ResetReason,
    /// Place and message of the panic that ended the boot before this one.
    pub panic: Option<&'a str>,
}

impl BoardFacts<'_> {
    /// Nothing is known.
    pub const NONE: Self =
        Self { chip: "", bootrom: None, flash: None, identity: None, reset: ResetReason::Unknown, panic: None };
}

/// What settings have to do with what is told: those of the stick, where there are some.
pub trait Named {
    /// The volume's name in place of the layout's, if one is set, as the present generation shows it.
    fn label(&self) -> Option<LabelText>;

    /// What the settings' sectors hold that is not settings.
    fn occupied(&self) -> Option<Contents>;

    /// Writes what INFO.TXT, or with `json` INFO.JSON, says of that.
    ///
    /// # Errors
    /// Those of `out`.
    fn tell(&self, occupied: Option<Contents>, json: bool, out: &mut Writer<'_>) -> fmt::Result;
}

/// What INFO.TXT and INFO.JSON tell.
pub struct Info<'a> {
    pub(super) program: Program<'a>,
    pub(super) layout: &'a Layout<'a>,
    pub(super) flash_size: u32,
    pub(super) log: Option<&'a LogRing>,
    pub(super) defmt: Option<&'a LogRing>,
    named: Option<&'a (dyn Named + Sync)>,
    board: Mutex<Cell<BoardFacts<'a>>>,
}

impl<'a> Info<'a> {
    /// Tells of `program`, the volume of `layout`, the `flash_size` bytes of flash that it has room for, and the rings of text and of defmt frames.
    #[must_use]
    pub const fn new(
        program: Program<'a>,
        layout: &'a Layout<'a>,
        flash_size: u32,
        log: Option<&'a LogRing>,
        defmt: Option<&'a LogRing>,
    ) -> Self {
        let nothing = BoardFacts::NONE;
        Self { program, layout, flash_size, log, defmt, named: None, board: Mutex::new(Cell::new(nothing)) }
    }

    /// The same where settings may give the volume another name than the layout's.
    #[must_use]
    pub const fn named_by(self, named: &'a (dyn Named + Sync)) -> Self {
        Self { named: Some(named), ..self }
    }

    /// What the volume is called in the present generation, on a board of that identity.
    pub(super) fn label(&self, identity: Option<BoardIdentity>) -> LabelText {
        LabelText::of(self.layout.label, self.named.and_then(Named::label), identity)
    }

    /// Writes what is told of settings, where there are some.
    pub(super) fn tell_settings(&self, occupied: Option<Contents>, form: Form, out: &mut Writer<'_>) -> fmt::Result {
        self.named.map_or(Ok(()), |named| named.tell(occupied, form == Form::Json, out))
    }

    /// Takes what is known of the board, for the generations to come.
    pub fn set(&self, board: BoardFacts<'a>) {
        critical_section::with(|section| self.board.borrow(section).set(board));
    }

    pub(super) fn now(&self, generation: Generation) -> Snapshot<'a> {
        Snapshot {
            generation,
            board: critical_section::with(|section| self.board.borrow(section).get()),
            occupied: self.named.and_then(Named::occupied),
            log: self.log.map_or(0, LogRing::written),
            defmt: self.defmt.map_or(0, LogRing::written),
        }
    }
}

/// What a generation shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot<'a> {
    pub generation: Generation,
    pub board: BoardFacts<'a>,
    pub occupied: Option<Contents>,
    /// Bytes written to the rings.
    pub log: u64,
    pub defmt: u64,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}
