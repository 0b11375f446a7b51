//! The words of the command line.

use super::Failure;
use lexopt::{Arg, Parser, ValueExt};
use picovd_sim::diagnosis::Outcome;
use picovd_sim::i2c_device::I2cDevice;
use picovd_sim::partitions::Partition;
use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// An option as a command takes it.
pub struct Described {
    /// Its name, without hyphens.
    name: &'static str,
    /// What the list of options says of it; empty where the command's own text does.
    help: &'static str,
}

const MANIFEST: Described = Described {
    name: "manifest",
    help: "  --manifest FILE  the manifest to build the device from (default: the stock picovd.toml)\n",
};

/// Which device is plugged in.
pub const DEVICE: [Described; 8] = [
    MANIFEST,
    Described {
        name: "elf",
        help: "  --elf FILE       run this firmware on an emulated RP2350 instead of the library on the PC;
                   --manifest then names the manifest that it was built from\n",
    },
    Described {
        name: "i2c0",
        help: "  --i2c0 ADDRESS=FILE.toml
                   a device on the board's first I2C bus has these registers; --i2c1 for the second; once for each\n",
    },
    Described { name: "i2c1", help: "" },
    Described { name: "uart", help: "  --uart           print what the board's UARTs send, on standard error\n" },
    Described {
        name: "strict",
        help: "  --strict         stop the board where the firmware uses a register that is not modelled, and refuse descriptors that
                   a driver would put up with; without it, both are told on standard error\n",
    },
    Described {
        name: "flash-size",
        help: "  --flash-size N   the board's flash chip has N bytes, or KiB or MiB by `512K` or `2M`: a power of two from 512K to 16M
                   (default: as much as the manifest reserves)\n",
    },
    Described {
        name: "partition",
        help: "  --partition NAME=START,LENGTH
                   the board's partition table has this partition, for example `Calibration=2M,64K`; once for each\n",
    },
];

/// Those of `cat` and `log` beside the device.
pub const AFTER: [Described; 2] = [
    Described {
        name: "after",
        help: "  --after TIME     the file as a desktop reads it that long after power-on, for example 10s, 500ms or 2min; where
                   the device has just told of a change, as soon as the volume is mounted again\n",
    },
    Described { name: "follow", help: "  --follow         then print what is added, in real time until Ctrl-C\n" },
];

/// Those of `new`.
pub const NEW: [Described; 2] = [Described { name: "git", help: "" }, Described { name: "registry", help: "" }];

/// Those of `story` beside the device.
pub const STORY: [Described; 2] = [
    Described { name: "list", help: "  --list           print the stories' names and what each is about\n" },
    Described {
        name: "changing",
        help: "  --changing       the program changes files and prints lines by itself: a story begins again where the device told of
                   a medium change meanwhile\n",
    },
];

/// That of `show` beside the device.
pub const WATCH: [Described; 1] =
    [Described { name: "watch", help: "  --watch          go on in real time until Ctrl-C\n" }];

/// Those of `layout`. A package's `cargo sim` names its program, too, whose map is its manifest's.
pub const LAYOUT: [Described; 4] = [
    MANIFEST,
    Described { name: "elf", help: "" },
    Described { name: "json", help: "" },
    Described { name: "svg", help: "" },
];

/// That of `uf2`. A package's `cargo uf2` names its manifest, too, which is not needed.
pub const UF2: [Described; 2] = [
    Described { name: "elf", help: "  --elf FILE       the program; `cargo uf2` in a package names it\n" },
    Described { name: "manifest", help: "" },
];

/// That of `verify`, which tells by itself what to do about `--elf`.
pub const VERIFY: [Described; 2] = [
    Described { name: "manifest", help: "  --manifest FILE  the manifest to hold the files against (default: none)\n" },
    Described { name: "elf", help: "" },
];

/// Those of `serve` beside the device.
pub const SERVE: [Described; 9] = [
    Described { name: "usbredir", help: "" },
    Described { name: "usbip", help: "" },
    Described { name: "listen-anywhere", help: "" },
    Described { name: "record", help: "" },
    Described { name: "truth", help: "" },
    Described { name: "live", help: "" },
    Described { name: "print", help: "" },
    Described { name: "print-lines", help: "" },
    Described { name: "quiet", help: "" },
];

/// The list of options, as the help shows it.
pub fn help(taken: &[&[Described]]) -> String {
    let listed: String = taken.iter().copied().flatten().map(|option| option.help).collect();
    format!("Options:\n{listed}  --help           this text\n  --version        the simulator's version\n")
}

/// Whether the option is one of those.
pub fn takes(taken: &[&[Described]], name: &str) -> bool {
    taken.iter().copied().flatten().any(|option| option.name == name)
}

/// The words, sorted.
#[derive(Debug, Default)]
pub struct Options {
    /// The command's name as given.
    pub command: Option<String>,
    /// The words after it.
    pub arguments: Vec<OsString>,
    /// `--manifest`.
    pub manifest: Option<PathBuf>,
    /// `--elf`.
    pub elf: Option<PathBuf>,
    /// `--uart`.
    pub uart: bool,
    /// `--i2c0` and `--i2c1`.
    pub i2c: Vec<I2cDevice>,
    /// `--strict`.
    pub strict: bool,
    /// Of each firmware that was plugged in, whether it has failed.
    pub outcomes: RefCell<Vec<Outcome>>,
    /// `--flash-size`, in bytes.
    pub flash_size: Option<usize>,
    /// `--partition`.
    pub partitions: Vec<Partition>,
    /// `--after`.
    pub after: Option<Duration>,
    /// `--follow`.
    pub follow: bool,
    /// `--git`.
    pub git: Option<String>,
    /// `--registry`.
    pub registry: bool,
    /// `--list`.
    pub list: bool,
    /// `--changing`.
    pub changing: bool,
    /// `--version`.
    pub version: bool,
    /// `--watch`.
    pub watch: bool,
    /// `--json`.
    pub json: bool,
    /// `--svg`.
    pub svg: Option<PathBuf>,
    /// The options of `serve`.
    pub serve: picovd_sim::serve::Options,
    /// `--help`.
    pub help: bool,
    /// Names of all options but `--help`, in the order in which they are there.
    pub given: Vec<String>,
}

impl Options {
    /// Sorts the words. The first that is no option is the command.
    pub fn parse(words: impl Iterator<Item = OsString>, is_command: impl Fn(&str) -> bool) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut parser = Parser::from_args(words);
        while let Some(word) = parser.next().map_err(usage)? {
            match word {
                Arg::Long("help" | "version") => {}
                Arg::Long(name) => options.given.push(name.to_owned()),
                _ => {}
            }
            match word {
                Arg::Long("manifest") => options.manifest = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("elf") => options.elf = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("flash-size") => options.flash_size = Some(flash_size(&text(&mut parser)?)?),
                Arg::Long("partition") => options.partitions.push(partition(&text(&mut parser)?)?),
                Arg::Long("after") => options.after = Some(duration(&text(&mut parser)?)?),
                Arg::Long("follow") => options.follow = true,
                Arg::Long("git") => options.git = Some(text(&mut parser)?),
                Arg::Long("registry") => options.registry = true,
                Arg::Long("list") => options.list = true,
                Arg::Long("changing") => options.changing = true,
                Arg::Long("version") | Arg::Short('V') => options.version = true,
                Arg::Long("uart") => options.uart = true,
                Arg::Long("i2c0") => options.i2c.push(device(0, &text(&mut parser)?)?),
                Arg::Long("i2c1") => options.i2c.push(device(1, &text(&mut parser)?)?),
                Arg::Long("strict") => options.strict = true,
                Arg::Long("watch") => options.watch = true,
                Arg::Long("json") => options.json = true,
                Arg::Long("svg") => options.svg = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("usbredir") => options.serve.set_usbredir(&text(&mut parser)?),
                Arg::Long("usbip") => options.serve.set_usbip(&text(&mut parser)?).map_err(Failure::Usage)?,
                Arg::Long("listen-anywhere") => options.serve.listen_anywhere = true,
                Arg::Long("record") => options.serve.record = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("truth") => options.serve.truth = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("live") => options.serve.live = Some(parser.value().map_err(usage)?.into()),
                Arg::Long("print") => options.serve.print = true,
                Arg::Long("print-lines") => options.serve.set_lines(&text(&mut parser)?).map_err(Failure::Usage)?,
                Arg::Long("quiet") => options.serve.quiet = true,
                Arg::Long("help") | Arg::Short('h') => options.help = true,
                Arg::Value(value) if options.command.is_none() => {
                    options.command = Some(value.string().map_err(usage)?);
                }
                Arg::Value(value) => options.arguments.push(value),
                other => return Err(usage(other.unexpected())),
            }
        }
        // `cargo sim help ls` is what people type, too.
        if options.command.as_deref() == Some("help") {
            options.help = true;
            let about = options.arguments.first().and_then(|word| word.to_str()).map(str::to_owned);
            options.command = about.filter(|name| is_command(name));
        }
        Ok(options)
    }

    /// The command's word at `index`, as text.
    pub fn text(&self, index: usize) -> Result<Option<&str>, Failure> {
        let Some(word) = self.arguments.get(index) else { return Ok(None) };
        word.to_str().map(Some).ok_or_else(|| Failure::Usage(format!("{} is not UTF-8", word.display())))
    }
}

fn text(parser: &mut Parser) -> Result<String, Failure> {
    parser.value().and_then(lexopt::ValueExt::string).map_err(usage)
}

/// A number of bytes, or of KiB or MiB.
fn size(word: &str) -> Option<usize> {
    let (number, factor) = match word.split_at_checked(word.len().saturating_sub(1)) {
        Some((number, "K")) => (number, 1 << 10),
        Some((number, "M")) => (number, 1 << 20),
        _ => (word, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(factor)
}

fn partition(word: &str) -> Result<Partition, Failure> {
    let parsed = || {
        let (name, place) = word.rsplit_once('=')?;
        let (start, length) = place.split_once(',')?;
        Partition::new(name, size(start)?.try_into().ok()?, size(length)?.try_into().ok()?)
    };
    let why = || format!("`{word}` is no partition; for example Calibration=2M,64K, both multiples of 4K");
    parsed().ok_or_else(|| Failure::Usage(why()))
}

fn device(bus: usize, word: &str) -> Result<I2cDevice, Failure> {
    I2cDevice::read(bus, word).map_err(|text| Failure::Usage(format!("--i2c{bus}: {text}")))
}

/// A time with its unit.
fn duration(word: &str) -> Result<Duration, Failure> {
    let digits = word.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    let milliseconds = match unit.trim() {
        "ms" => Some(1),
        "s" => Some(1_000),
        "min" => Some(60_000),
        _ => None,
    };
    let time = number.parse::<u64>().ok().zip(milliseconds).and_then(|(number, unit)| number.checked_mul(unit));
    // The board counts its cycles in 64 bits; a day is more than anybody waits for.
    let time = time.filter(|time| *time <= 86_400_000).map(Duration::from_millis);
    time.ok_or_else(|| Failure::Usage(format!("`{word}` is no time up to a day; for example 10s, 500ms or 2min")))
}

fn flash_size(word: &str) -> Result<usize, Failure> {
    let chip = |size: &usize| size.is_power_of_two() && (512 << 10..=16 << 20).contains(size);
    size(word)
        .filter(chip)
        .ok_or_else(|| Failure::Usage(format!("`{word}` is no length of a flash chip; for example 2M")))
}

fn usage(error: lexopt::Error) -> Failure {
    Failure::Usage(error.to_string())
}
