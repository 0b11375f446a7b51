//! A stick whose manifest is chosen at run time.
//!
//! Custom firmware knows its manifest when it is built, and has a `static` for each thing that the manifest asks for. Here
//! the same things are made at the start, each in its place in a [`Room`].

use super::{Description, compiled};
use crate::dynamic::{Content, File, Files, FilesOf};
use crate::files::{
    BuiltIn, ConfigFile, Info, InfoFile, LogFile, LogFrames, LogRing, LogTail, Origin, PartitionPlan, Program, Text,
};
use crate::settings::{self, Defaults, Settings};
use crate::text::Writer;
use crate::volume::layout::{self, BuiltInSource, Compiled, Exposables, Layout, Refusal, stock};
use core::fmt;
use heapless::Vec;

/// Maximum number of files that a manifest asks the firmware for; the partitions' description is not made here.
const FILES: usize = 10;

/// The layout of a room that is not used yet.
const NOTHING: &Layout<'static> = &Layout::of(Compiled::new(&[], &[]));

/// The parts of a program that a manifest may ask for.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// The program that INFO.TXT names.
    pub program: Program<'a>,
    /// The ring of the log.
    pub log: Option<&'a LogRing>,
    /// The ring of defmt's frames.
    pub defmt: Option<&'a LogRing>,
    /// Where settings keep secrets.
    pub settings: Option<&'a settings::Room>,
    /// Length of the flash chip in bytes, if that is less than the manifest reserves: settings that are to be at the end of
    /// flash are at the chip's.
    pub flash: Option<u32>,
    /// The page CONFIGURE.HTM. Without it, the file is not there.
    pub page: Option<&'a dyn Content>,
    /// The readings of the chip's temperature, which the program makes.
    pub sensor: Option<&'a dyn Content>,
    /// Where the manifest comes from, if INFO.TXT is to say so.
    pub origin: Option<&'a ManifestOrigin>,
}

/// Where a stick's manifest comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestOrigin {
    /// It is the program's own.
    BuiltIn,
    /// It is in flash.
    Flash,
    /// It is the program's own, because the one in flash is refused.
    Refused(Refusal),
    /// The same, because the program lacks what that one needs.
    Lacking(Missing),
}

impl Origin for ManifestOrigin {
    fn write_origin(&self, json: bool, out: &mut Writer<'_>) -> fmt::Result {
        let refused = match self {
            Self::BuiltIn | Self::Flash => None,
            Self::Refused(refusal) => Some(refusal.words()),
            Self::Lacking(missing) => Some(missing.words()),
        };
        let flash = matches!(self, Self::Flash);
        if json {
            out.text("\n  \"manifest\": { \"source\": ")?;
            out.text(if flash { "\"flash\"" } else { "\"built-in\"" })?;
            out.text(", \"refused\": ")?;
            match refused {
                Some(words) => out.quoted(words)?,
                None => out.text("null")?,
            }
            return out.text(" },");
        }
        out.text("Manifest       ")?;
        out.text(if flash { "in flash" } else { "built in" })?;
        if let Some(words) = refused {
            out.text("; the one in flash is refused: ")?;
            out.text(words)?;
        }
        out.text("\r\n")
    }
}

/// What a manifest needs that the program does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// As many dynamic files: the manifest's number, and the maximum.
    Files(u16, usize),
    /// A log of that length in bytes.
    Log(u32),
    /// defmt's frames.
    Defmt,
    /// The files of a crash.
    Crash,
    /// Settings.
    Settings,
    /// A sensor.
    Sensor,
}

impl Missing {
    /// What is missing, without numbers.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Files(..) => "it needs more dynamic files",
            Self::Log(_) => "it needs a longer log",
            Self::Defmt => "it needs defmt",
            Self::Crash => "it needs the files of a crash",
            Self::Settings => "it needs settings",
            Self::Sensor => "it needs a sensor",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Files(wanted, most) => write!(formatter, "it needs {wanted} dynamic files of {most}"),
            Self::Log(wanted) => write!(formatter, "it needs a log of {wanted} bytes"),
            _ => formatter.write_str(self.words()),
        }
    }
}

impl core::error::Error for Missing {}

/// Room for a stick with up to `N` dynamic files.
pub struct Room<'a, const N: usize> {
    layout: Option<Layout<'a>>,
    /// Made in place: on the stack, it would be the largest thing of the start.
    files: FilesOf<'a, N>,
    settings: Option<Settings<'a>>,
    info: Option<Info<'a>>,
    stdout: Option<LogFile<'a>>,
    tail: Option<LogTail<'a>>,
    frames: Option<LogFrames<'a>>,
    texts: [Option<InfoFile<'a>>; 2],
    configs: [Option<ConfigFile<'a>>; 2],
    text: Option<Text<'a>>,
    made: Vec<File<'a>, FILES>,
    list: Vec<&'a File<'a>, FILES>,
    built_in: Option<BuiltIn<'a>>,
}

impl<'a, const N: usize> Room<'a, N> {
    /// An empty room.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            layout: None,
            files: FilesOf::new(NOTHING),
            settings: None,
            info: None,
            stdout: None,
            tail: None,
            frames: None,
            texts: [None, None],
            configs: [None, None],
            text: None,
            made: Vec::new(),
            list: Vec::new(),
            built_in: None,
        }
    }

    /// Makes everything that a manifest asks for, and describes the stick. A caller checks first that the program
    /// [has](Parts::check) what the manifest needs: without it, the files in question are not there.
    pub fn describe(
        &'a mut self,
        compiled: Compiled<'a>,
        parts: &Parts<'a>,
    ) -> Description<'a, Option<&'a Settings<'a>>> {
        let Self { layout, files, settings, info, stdout, tail, frames, texts, configs, text, made, list, built_in } =
            self;
        let manifest: &'a Text<'a> = text.insert(Text::new(compiled.text().unwrap_or_default()));
        let layout: &'a Layout<'a> = layout.insert(Layout::of(compiled));
        files.set_layout(layout);
        let files: &'a Files<'a> = files;
        let plan = settings_of(&compiled, layout, parts.flash).zip(parts.settings);
        let settings: Option<&'a Settings<'a>> = match plan {
            Some((plan, room)) => Some(settings.insert(Settings::new(plan, room))),
            None => None,
        };
        let has = |source| compiled.built_in().iter().any(|file| file.source == Some(source));
        let log = parts.log.filter(|_| has(BuiltInSource::Stdout) || has(BuiltInSource::Tail));
        let defmt = parts.defmt.filter(|_| has(BuiltInSource::Defmt));
        let flash_size = compiled.chip().flash_size;
        let mut about = Info::new(parts.program, layout, flash_size, log, defmt);
        if let Some(origin) = parts.origin {
            about = about.with_origin(origin);
        }
        let info: &'a Info<'a> = info.insert(match settings {
            Some(settings) => about.named_by(settings),
            None => about,
        });
        let tail: Option<&'a LogTail<'a>> = match log.filter(|_| has(BuiltInSource::Tail)) {
            Some(log) => Some(tail.insert(LogTail::new(log))),
            None => None,
        };
        let [text, json] = texts.each_mut();
        let (text, json): (&'a InfoFile<'a>, &'a InfoFile<'a>) =
            (text.insert(InfoFile::text(info)), json.insert(InfoFile::json(info)));
        let stdout: Option<&'a LogFile<'a>> = match log {
            Some(log) => Some(stdout.insert(LogFile::new(log, capacity(&compiled, BuiltInSource::Stdout)))),
            None => None,
        };
        let frames: Option<&'a LogFrames<'a>> = match defmt {
            Some(ring) => Some(frames.insert(LogFrames::new(ring, capacity(&compiled, BuiltInSource::Defmt)))),
            None => None,
        };
        let configs: Option<[&'a ConfigFile<'a>; 2]> = settings.map(|settings| {
            let [values, schema] = configs.each_mut();
            [&*values.insert(ConfigFile::values(settings)), &*schema.insert(ConfigFile::schema(settings))]
        });
        let mut partitions = None;
        let (mut tail_at, mut sensor_at) = (None, None);
        for file in compiled.built_in().iter() {
            let path = compiled.built_in_path(&file);
            let content: Option<&'a dyn Content> = match file.source {
                Some(BuiltInSource::Stdout) => stdout.map(|content| content as _),
                Some(BuiltInSource::Tail) => {
                    tail_at = Some(made.len());
                    tail.map(|content| content as _)
                }
                Some(BuiltInSource::Defmt) => frames.map(|content| content as _),
                Some(BuiltInSource::InfoText) => Some(text),
                Some(BuiltInSource::InfoJson) => Some(json),
                Some(BuiltInSource::Config) => configs.map(|[values, _]| values as _),
                Some(BuiltInSource::ConfigSchema) => configs.map(|[_, schema]| schema as _),
                // The firmware creates the files when it has read the table.
                Some(BuiltInSource::Partitions) => {
                    let (folder, redacted) = (compiled.partitions().folder, compiled.redacted());
                    let (description, capacity) = (path, file.capacity);
                    partitions = Some(PartitionPlan { folder, description, capacity, flash_size, redacted });
                    None
                }
                Some(BuiltInSource::Manifest) => Some(manifest),
                Some(BuiltInSource::Page) => parts.page,
                Some(BuiltInSource::Temperature) => {
                    sensor_at = Some(made.len());
                    parts.sensor
                }
                // Parts of custom firmware.
                Some(BuiltInSource::CrashCore | BuiltInSource::CrashText | BuiltInSource::CrashJson) | None => None,
            };
            if let Some(content) = content {
                let made_file = File::new(path, content, file.capacity);
                // The others change with each generation.
                let keeps = matches!(
                    file.source,
                    Some(
                        BuiltInSource::Tail
                            | BuiltInSource::Manifest
                            | BuiltInSource::Page
                            | BuiltInSource::Temperature
                    )
                );
                // There is one of each kind.
                let _ = made.push(if keeps { made_file } else { made_file.renewed() });
            }
        }
        let made: &'a Vec<File<'a>, FILES> = made;
        for file in made {
            // There is a place for each.
            let _ = list.push(file);
        }
        let built_in: &'a BuiltIn<'a> = built_in.insert(BuiltIn {
            files: list,
            log,
            defmt,
            sensor: sensor_at.and_then(|place| made.get(place)),
            tail: tail.zip(tail_at.and_then(|place| made.get(place))),
            info: (has(BuiltInSource::InfoText) || has(BuiltInSource::InfoJson)).then_some(info),
            partitions,
        });
        Description {
            layout,
            files,
            built_in,
            announcing: compiled::announcing(&compiled),
            usb: compiled::usb(&compiled),
            flash_size,
            redacted: compiled.redacted(),
            program_in_sram: compiled.chip().program_in_sram,
            usb_serial: compiled.usb().serial,
            unit: compiled::unit(&compiled),
            settings,
        }
    }
}

impl Parts<'_> {
    /// Checks that the program has what a manifest needs, with room for `files` dynamic files.
    ///
    /// # Errors
    /// The first thing that is missing.
    pub fn check(&self, compiled: &Compiled<'_>, files: usize) -> Result<(), Missing> {
        let slots = Layout::of(*compiled).dynamic.slots;
        if usize::from(slots) > files {
            return Err(Missing::Files(slots, files));
        }
        for file in compiled.built_in().iter() {
            match file.source {
                Some(BuiltInSource::Stdout | BuiltInSource::Tail) => {
                    let wanted = compiled.log().ring_size;
                    if self.log.is_none_or(|ring| ring.capacity() < wanted as usize) {
                        return Err(Missing::Log(wanted));
                    }
                }
                Some(BuiltInSource::Defmt) if self.defmt.is_none() => return Err(Missing::Defmt),
                Some(BuiltInSource::Temperature) if self.sensor.is_none() => return Err(Missing::Sensor),
                Some(BuiltInSource::CrashCore | BuiltInSource::CrashText | BuiltInSource::CrashJson) => {
                    return Err(Missing::Crash);
                }
                _ => {}
            }
        }
        if compiled.settings().sectors != 0 && self.settings.is_none() { Err(Missing::Settings) } else { Ok(()) }
    }
}

/// Maximum length of a built-in file.
fn capacity(compiled: &Compiled<'_>, source: BuiltInSource) -> u32 {
    compiled.built_in().iter().find(|file| file.source == Some(source)).map_or(0, |file| file.capacity)
}

/// The manifest's decisions about settings, if it has sectors for them.
fn settings_of<'a>(compiled: &Compiled<'a>, layout: &Layout<'a>, flash: Option<u32>) -> Option<settings::Plan<'a>> {
    let layout::Settings { sectors, start, lock, show_stacks, label, .. } = compiled.settings();
    // Before that offset is the program. Beyond the chip, settings are not kept.
    let moved = compiled.settings().start_on(compiled.chip().flash_size, flash);
    let start = if moved >= stock::MANIFEST { moved } else { start };
    let usb = compiled.usb();
    let announcing = compiled::announcing(compiled);
    (sectors != 0).then(|| settings::Plan {
        sectors: sectors as u8,
        start,
        lock,
        show_stacks,
        exposable: Exposables::of(*compiled),
        board_digits: layout.label.board_digits,
        defaults: Defaults { label, announcing, manufacturer: usb.manufacturer, product: usb.product },
    })
}

impl<const N: usize> Default for Room<'_, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for Room<'_, N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Room").field("layout", &self.layout).finish_non_exhaustive()
    }
}

impl fmt::Debug for Parts<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Parts").field("program", &self.program).finish_non_exhaustive()
    }
}
