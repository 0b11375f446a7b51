//! INFO.TXT and INFO.JSON, which report on the board.
//!
//! Both are frozen with each generation, so they show the state when the generation began.

use super::log::LogRing;
use crate::settings::Contents;
use crate::text::Writer;
use crate::volume::layout::Layout;
use crate::volume::{BoardIdentity, Generation, LabelText};
use core::cell::Cell;
use core::fmt;
use critical_section::Mutex;

/// The program. Generated with the manifest's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Distinguishes builds: a hash of everything that was generated from the manifest.
    pub build: &'a str,
}

/// Why the chip was last reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetReason {
    /// Unknown.
    #[default]
    Unknown,
    /// Power-on.
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
    /// The watchdog: it timed out, or the bootrom used it to restart the chip on request of the program or of picotool.
    Watchdog,
    /// The program triggered the watchdog.
    Requested,
    /// The program panicked.
    Panic,
}

impl ResetReason {
    /// The reason in words.
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
    /// Version of its bootrom: 2 for the stepping A2, and so on. `None` if unknown.
    pub bootrom: Option<u8>,
    /// Length in bytes of its flash if that is less than the manifest reserves; `None` if it is not, or unknown.
    pub flash: Option<u32>,
    /// Its unique identity.
    pub identity: Option<BoardIdentity>,
    /// Why it was last reset.
    pub reset: ResetReason,
    /// Location and message of the panic that ended the previous boot.
    pub panic: Option<&'a str>,
}

impl BoardFacts<'_> {
    /// No facts known.
    pub const NONE: Self =
        Self { chip: "", bootrom: None, flash: None, identity: None, reset: ResetReason::Unknown, panic: None };
}

/// What settings contribute to the report, if there are any.
pub trait Named {
    /// The label that replaces the layout's, if one is set, as the current generation shows it.
    fn label(&self) -> Option<LabelText>;

    /// What the settings' sectors contain if it is not settings.
    fn occupied(&self) -> Option<Contents>;

    /// Writes what INFO.TXT or, with `json`, INFO.JSON reports about settings.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_settings(&self, occupied: Option<Contents>, json: bool, out: &mut Writer<'_>) -> fmt::Result;
}

/// Where the manifest comes from, in a program that may obey another one than its own.
pub trait Origin {
    /// Writes what INFO.TXT or, with `json`, INFO.JSON reports about it.
    ///
    /// # Errors
    /// Those of `out`.
    fn write_origin(&self, json: bool, out: &mut Writer<'_>) -> fmt::Result;
}

/// What INFO.TXT and INFO.JSON report.
pub struct Info<'a> {
    pub(super) program: Program<'a>,
    pub(super) layout: &'a Layout<'a>,
    pub(super) flash_size: u32,
    pub(super) log: Option<&'a LogRing>,
    pub(super) defmt: Option<&'a LogRing>,
    named: Option<&'a (dyn Named + Sync)>,
    origin: Option<&'a (dyn Origin + Sync)>,
    board: Mutex<Cell<BoardFacts<'a>>>,
}

impl<'a> Info<'a> {
    /// A report on `program`, the volume of `layout`, the `flash_size` bytes of flash that are reserved, and the rings of
    /// text and of defmt frames.
    #[must_use]
    pub const fn new(
        program: Program<'a>,
        layout: &'a Layout<'a>,
        flash_size: u32,
        log: Option<&'a LogRing>,
        defmt: Option<&'a LogRing>,
    ) -> Self {
        let nothing = BoardFacts::NONE;
        Self {
            program,
            layout,
            flash_size,
            log,
            defmt,
            named: None,
            origin: None,
            board: Mutex::new(Cell::new(nothing)),
        }
    }

    /// The same with settings that may set another label.
    #[must_use]
    pub const fn named_by(self, named: &'a (dyn Named + Sync)) -> Self {
        Self { named: Some(named), ..self }
    }

    /// The same with a manifest that may come from elsewhere.
    #[must_use]
    pub const fn with_origin(self, origin: &'a (dyn Origin + Sync)) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// Writes where the manifest comes from, if the program does not know it by itself.
    pub(super) fn write_origin(&self, form: Form, out: &mut Writer<'_>) -> fmt::Result {
        self.origin.map_or(Ok(()), |origin| origin.write_origin(form == Form::Json, out))
    }

    /// The label in the current generation, on a board of that identity.
    pub(super) fn label(&self, identity: Option<BoardIdentity>) -> LabelText {
        LabelText::of(self.layout.label, self.named.and_then(Named::label), identity)
    }

    /// Writes what is reported about settings, if there are any.
    pub(super) fn write_settings(&self, occupied: Option<Contents>, form: Form, out: &mut Writer<'_>) -> fmt::Result {
        self.named.map_or(Ok(()), |named| named.write_settings(occupied, form == Form::Json, out))
    }

    /// Sets the board's facts for later generations.
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
    /// Number of bytes written to the rings.
    pub log: u64,
    pub defmt: u64,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Json,
}
