//! Stories: end-to-end scripts of what a host does, good or bad. They use only a [`Link`], so they run unchanged on the
//! library and on the firmware.

mod abandoned;
mod attach;
mod chapter9;
mod commands;
mod console;
mod control;
mod medium;
mod reading;
mod requests;
mod reset;
mod transport;

use std::fmt;
use std::time::Duration;

use crate::faults::{BadCable, Quality};
use crate::host::bot::{Data, Outcome};
use crate::host::controller::{self, Host, TransferError};
use crate::host::scsi::{CommandError, Sense};
use crate::host::{Initiator, bot, enumerate, source};
use crate::link::Link;
use crate::random::Random;
use picovd_manifest::Usb;

/// Why a story failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoryError(pub String);

impl fmt::Display for StoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StoryError {}

macro_rules! from {
    ($($error:ty),*) => {
        $(impl From<$error> for StoryError {
            fn from(error: $error) -> Self {
                Self(error.to_string())
            }
        })*
    };
}
from!(TransferError, CommandError, bot::BotError, enumerate::EnumerationError, source::ReadError);

/// Fails the story unless the condition is true.
macro_rules! ensure {
    ($condition:expr, $($text:tt)*) => {
        if !$condition {
            return Err($crate::story::StoryError(format!($($text)*)));
        }
    };
}
pub(crate) use ensure;

/// How much a story does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Number of random wrappers.
    pub random_wrappers: u32,
    /// Seed of all random choices.
    pub seed: u64,
    /// How late the device's program polls ([`Link::stall`]). With a stall, the host is as patient as Linux.
    pub stall: Duration,
    /// Whether the device's program changes files and prints lines by itself: then a reported medium change is not a fault,
    /// and lines may follow the greeting.
    pub changing: bool,
    /// Whether the device halts its bulk endpoints where BOT 6.7 lets it choose. If not, it pads, and is silent after an invalid
    /// wrapper.
    pub halts: bool,
}

/// How often a story starts over on a device that reported a medium change in the middle of it.
const BEGINNINGS: u32 = 8;
/// How long to wait for a device that may change, and how often to poll it.
const RARE: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(200);

impl Effort {
    /// For the library, which runs at the speed of the PC.
    pub const NATIVE: Self =
        Self { random_wrappers: 100_000, seed: 1, stall: Duration::ZERO, changing: false, halts: true };
    /// For the firmware on an emulated board.
    pub const EMULATED: Self = Self { random_wrappers: 1_000, ..Self::NATIVE };
}

/// What a story works with: a stick that is enumerated and ready.
pub struct Context<'a> {
    /// The host.
    pub initiator: Initiator<'a>,
    /// How much to do.
    pub effort: Effort,
    /// The cable's quality; perfect unless a story changes it.
    pub cable: Quality,
    /// Random choices. Stories are part of the simulator and run against any device, so that they have a small generator and no
    /// library of tests: a failure names the seed, and the run is repeated with it.
    pub random: Random,
    /// Number of blocks.
    pub block_count: u64,
}

impl Context<'_> {
    /// The stick after a bus reset and enumeration, with its unit attention consumed.
    fn reset(&mut self) -> Result<(), StoryError> {
        self.initiator.enumerate_again()?;
        self.initiator.wait_ready()?;
        Ok(())
    }

    /// Whether the device has reported a medium change since the last call, or has one to report now. Only reports count:
    /// changed data without a report is a fault.
    fn medium_changed(&mut self) -> bool {
        self.cable.lose(0);
        let _ = self.cable.take_next();
        self.initiator.host.timeout = controller::DEFAULT_TIMEOUT;
        // The story may have stopped anywhere; the sense data of its last command comes first.
        let asked = self.initiator.reset_recovery().is_ok()
            && self.initiator.request_sense().is_ok()
            && !matches!(self.initiator.test_unit_ready(), Err(CommandError::Transport(_)));
        asked && std::mem::take(&mut self.initiator.medium_changes) > 0
    }

    /// As for a story that just begins, right after a change: the next one is some time away.
    fn begin_again(&mut self) -> Result<(), StoryError> {
        self.initiator.host.replug();
        self.initiator.enumerate_again()?;
        self.initiator.wait_ready()?;
        let start = self.initiator.host.now();
        self.initiator.medium_changes = 0;
        while self.initiator.medium_changes == 0 && self.initiator.host.now().saturating_sub(start) < RARE {
            self.initiator.host.elapse(POLL);
            // Every answer is counted.
            let _ = self.initiator.test_unit_ready();
        }
        self.initiator.wait_ready()?;
        self.initiator.medium_changes = 0;
        Ok(())
    }

    /// Checks that the stick answers correctly: INQUIRY, and a block with the boot signature.
    fn works(&mut self) -> Result<(), StoryError> {
        self.initiator.inquiry()?;
        self.initiator.wait_ready()?;
        let block = self.read(10, 0, 1)?;
        ensure!(block[510..] == [0x55, 0xAA], "block 0 ends with {:02x?}", &block[510..]);
        Ok(())
    }

    /// Reads blocks with READ(`size`).
    fn read(&mut self, size: u8, lba: u64, count: u32) -> Result<Vec<u8>, StoryError> {
        let cdb = crate::host::scsi::read_cdb(size, lba, count);
        let outcome = self.initiator.scsi(&cdb, Data::In(count * 512))?;
        ensure!(
            outcome.data.len() == count as usize * 512 && outcome.csw.residue == 0,
            "READ({size}) of {count} blocks at {lba}: {} bytes, residue {}",
            outcome.data.len(),
            outcome.csw.residue
        );
        Ok(outcome.data)
    }

    /// A command that must fail with this sense.
    fn refused(&mut self, cdb: &[u8], data: Data<'_>, sense: Sense) -> Result<Outcome, StoryError> {
        let outcome = self.initiator.command(0, cdb, data)?;
        ensure!(
            outcome.csw.status == bot::CswStatus::CommandFailed,
            "command {cdb:02x?} ended with {:?}, not refused",
            outcome.csw.status
        );
        let found = self.initiator.request_sense()?;
        ensure!(found == sense, "command {cdb:02x?}: sense {found}, not {sense}");
        let again = self.initiator.request_sense()?;
        ensure!(again == Sense::NONE, "command {cdb:02x?}: its sense {again} came twice");
        Ok(outcome)
    }

    /// A command that must fail without data, with this sense and the whole length as residue.
    fn refused_without_data(&mut self, cdb: &[u8], data: Data<'_>, sense: Sense) -> Result<(), StoryError> {
        let outcome = self.refused(cdb, data, sense)?;
        ensure!(
            outcome.csw.residue == data.length(),
            "command {cdb:02x?} of length {}: residue {}",
            data.length(),
            outcome.csw.residue
        );
        Ok(())
    }
}

/// One story.
#[derive(Clone, Copy)]
pub struct Story {
    /// A short name, words joined by `-`.
    pub name: &'static str,
    /// What it tests.
    pub about: &'static str,
    /// The script.
    pub run: fn(&mut Context<'_>) -> Result<(), StoryError>,
}

/// Those of every stick.
pub const STORIES: &[Story] = &[
    Story { name: "enumerate", about: "descriptors, strings, endpoints", run: attach::enumerate },
    Story {
        name: "class-requests",
        about: "Bulk-Only Reset and Get Max LUN check their fields",
        run: attach::class_requests,
    },
    Story { name: "halts", about: "SET_FEATURE, GET_STATUS and CLEAR_FEATURE of ENDPOINT_HALT", run: attach::halts },
    Story {
        name: "chapter-9",
        about: "every standard request in each state, for recipients that exist or not",
        run: chapter9::every_request,
    },
    Story { name: "random-requests", about: "control requests that no driver sends", run: requests::random_requests },
    Story { name: "suspend", about: "suspend and resume leave everything intact", run: attach::suspend },
    Story {
        name: "reset-resume",
        about: "no unit attention after a resume, with a bus reset or without",
        run: attach::reset_resume,
    },
    Story { name: "replug", about: "unplugged and plugged in again, ten times", run: attach::replug },
    Story {
        name: "thirteen-cases",
        about: "host and device disagree about the data (BOT 6.7)",
        run: transport::thirteen_cases,
    },
    Story {
        name: "invalid-wrapper",
        about: "only reset recovery ends the halts (BOT 6.6.1)",
        run: transport::invalid_wrapper,
    },
    Story {
        name: "not-meaningful",
        about: "a valid wrapper that is not meaningful (BOT 6.2.2)",
        run: transport::not_meaningful,
    },
    Story { name: "wrapper-pieces", about: "a wrapper that is cut by a cleared halt", run: transport::early_status },
    Story {
        name: "reset-in-read",
        about: "bus reset and Bulk-Only Reset in the middle of a READ",
        run: transport::reset_in_read,
    },
    Story { name: "random-wrappers", about: "random bytes as wrappers", run: transport::random_wrappers },
    Story { name: "bad-cable", about: "lost packets and handshakes do not corrupt data", run: transport::bad_cable },
    Story {
        name: "lost-handshakes",
        about: "each packet of a control transfer is lost once",
        run: control::lost_handshakes,
    },
    Story {
        name: "abandoned",
        about: "a SETUP packet ends the previous control transfer at any time",
        run: abandoned::abandoned_transfers,
    },
    Story {
        name: "every-opcode",
        about: "256 operation codes, each with command blocks of 0 to 16",
        run: commands::every_opcode,
    },
    Story { name: "inquiry", about: "standard data and vital product data pages", run: commands::inquiry },
    Story { name: "mode-sense", about: "the write-protect bit, pages, lengths", run: commands::mode_sense },
    Story {
        name: "capacity",
        about: "READ CAPACITY(10), (16) and READ FORMAT CAPACITIES agree",
        run: commands::capacity,
    },
    Story {
        name: "request-sense",
        about: "sense data of any length, and none without a failure",
        run: commands::request_sense,
    },
    Story {
        name: "small-commands",
        about: "REPORT LUNS, PREVENT, VERIFY, SYNCHRONIZE CACHE",
        run: commands::small_commands,
    },
    Story { name: "logical-units", about: "units that do not exist", run: commands::logical_units },
    Story { name: "reads-agree", about: "READ(6), (10), (12) and (16) give the same", run: reading::reads_agree },
    Story { name: "odd-reads", about: "reads of any length at any address", run: reading::odd_reads },
    Story { name: "out-of-range", about: "blocks beyond the end are 05/21/00", run: reading::out_of_range },
    Story { name: "writes", about: "writes are 07/27/00 with the whole length as residue", run: reading::writes },
    Story {
        name: "unit-attention",
        about: "06/29/00 once after power-on, nothing after a bus reset",
        run: medium::unit_attention,
    },
    Story { name: "eject", about: "START STOP UNIT with LOEJ ejects and loads the medium", run: medium::eject },
];

/// The full version of `abandoned`, in order. It takes minutes on an emulated board, so it is not one of the stories that
/// always run.
pub const SETUP_SWEEP: Story = Story {
    name: "setup-sweep",
    about: "a SETUP packet 0 to 200 us after each kind of abandoned control transfer",
    run: abandoned::every_delay,
};

/// The stories for a device with these functions: those for every stick, and those for its other functions.
pub fn stories(usb: &Usb) -> impl Iterator<Item = &'static Story> {
    let console = if usb.console { console::STORIES } else { &[] };
    let reset = if usb.picotool_reset { reset::STORIES } else { &[] };
    STORIES.iter().chain(console).chain(reset)
}

/// Every story, whatever it requires.
pub fn all() -> impl Iterator<Item = &'static Story> {
    STORIES.iter().chain(console::STORIES).chain(reset::STORIES)
}

impl Story {
    /// Runs the story on a device; the report of a failure includes the last transactions.
    ///
    /// # Errors
    /// What went wrong, including rules that the device's driver broke.
    pub fn play(&self, link: impl Link, effort: Effort) -> Result<(), StoryError> {
        let cable = BadCable::new(link, effort.seed);
        let quality = cable.quality();
        let mut host = Host::new(Box::new(cable));
        if !effort.stall.is_zero() {
            ensure!(host.link().stall(effort.stall), "the link cannot stall its device");
            host.attempts = enumerate::LINUX_ATTEMPTS;
        }
        let mut initiator = Initiator::attach(host)?;
        initiator.pads = !effort.halts;
        initiator.wait_ready()?;
        let (block_count, block_length) = initiator.read_capacity()?;
        ensure!(block_length == 512, "blocks of {block_length} bytes");
        let random = Random::new(effort.seed);
        let mut context = Context { initiator, effort, cable: quality, random, block_count };
        let mut result = (self.run)(&mut context);
        for _ in 1..BEGINNINGS {
            if result.is_ok() || !effort.changing || !context.medium_changed() {
                break;
            }
            context.begin_again()?;
            result = (self.run)(&mut context);
        }
        let faults = context.initiator.host.link().take_faults();
        let failure = match result {
            Err(error) => error.0,
            Ok(()) if faults.is_empty() => return Ok(()),
            Ok(()) => "the device's driver broke a rule".to_owned(),
        };
        let faults: String = faults.iter().map(|fault| format!("  fault: {fault}\n")).collect();
        Err(StoryError(format!("{failure}\n{faults}{}", context.initiator.host.trace().render())))
    }
}
