//! What an operating system does with a removable disk: it polls, mounts, caches, unmounts, and mounts again.
//!
//! A [`Profile`] says how a system differs from others. If a behaviour is unknown, the cache that keeps most and the rarest
//! poll are assumed: what works with them works with the real system.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::bot::Initiator;
use super::controller::Host;
use super::exfat::volume::{ExfatError, Node, Volume};
use super::scsi::{CommandError, Disk, Sense};
use super::source::{BlockSource, ReadError};
use picovd_wire::link::Link;

/// How a system handles a removable disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// How often it sends TEST UNIT READY while nothing else happens; `None`: never.
    pub poll: Option<Duration>,
    /// Whether it unmounts the volume when the medium goes, and mounts a new one.
    pub automounts: bool,
}

/// Linux without udev: no polling and no unmounting (observed with 6.1, 6.12, 6.18: `block.events_dfl_poll_msecs` is 0).
pub const LINUX_KERNEL: Profile = Profile { name: "Linux, kernel alone", poll: None, automounts: false };
/// Linux with udev, whose rules set polling to two seconds; the file system stays mounted (observed).
pub const LINUX_UDEV: Profile =
    Profile { name: "Linux with udev", poll: Some(Duration::from_secs(2)), automounts: false };
/// Linux with a desktop: udisks unmounts when the capacity becomes 0, and mounts a new medium (observed).
pub const LINUX_DESKTOP: Profile =
    Profile { name: "Linux with udisks", poll: Some(Duration::from_secs(2)), automounts: true };
/// Windows: its class driver polls every second and reports removal and arrival for 02/3A (from its published sources).
pub const WINDOWS: Profile = Profile { name: "Windows", poll: Some(Duration::from_secs(1)), automounts: true };
/// macOS: polls every second as long as PREVENT is refused, and mounts a new medium (from its published sources and
/// reports).
pub const MACOS: Profile = Profile { name: "macOS", poll: Some(Duration::from_secs(1)), automounts: true };

/// All of them.
pub const PROFILES: [Profile; 5] = [LINUX_KERNEL, LINUX_UDEV, LINUX_DESKTOP, WINDOWS, MACOS];

/// What the system noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The device left the bus.
    DeviceGone,
    /// MEDIUM NOT PRESENT.
    MediumGone,
    /// NOT READY TO READY CHANGE.
    MediumChanged,
    /// A volume with that serial number was mounted.
    Mounted(u32),
    /// A volume was unmounted.
    Unmounted,
}

/// Why a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemError {
    /// Nothing is mounted.
    NotMounted,
    /// The disk failed.
    Io(String),
}

impl fmt::Display for SystemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotMounted => f.write_str("nothing is mounted"),
            Self::Io(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for SystemError {}

impl From<ExfatError> for SystemError {
    fn from(error: ExfatError) -> Self {
        Self::Io(error.to_string())
    }
}

/// A mounted volume: its length, and every block that was read.
#[derive(Debug, Default)]
struct Mount {
    block_count: u64,
    cache: HashMap<u64, Vec<u8>>,
}

/// A running system with the stick plugged in.
pub struct System<'a> {
    profile: Profile,
    initiator: Initiator<'a>,
    mount: Option<Mount>,
    next_poll: Option<Duration>,
    events: Vec<Event>,
    /// Whether the device is on the bus and enumerated.
    present: bool,
}

/// Interval at which the system checks the port.
const LOOK: Duration = Duration::from_millis(10);

impl<'a> System<'a> {
    /// A system that finds the stick on `link`, and mounts its volume.
    ///
    /// # Errors
    /// What went wrong.
    pub fn boot(profile: Profile, link: Box<dyn Link + 'a>) -> Result<Self, SystemError> {
        let io = |text: String| SystemError::Io(text);
        let initiator = Initiator::attach(Host::new(link)).map_err(|error| io(error.to_string()))?;
        let disk = Disk::open(initiator).map_err(|error| io(error.to_string()))?;
        let mut system = Self {
            profile,
            initiator: disk.initiator,
            mount: None,
            next_poll: None,
            events: Vec::new(),
            present: true,
        };
        system.mount()?;
        Ok(system)
    }

    /// What was noticed since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The driver below, for the device's functions other than the disk.
    pub fn initiator(&mut self) -> &mut Initiator<'a> {
        &mut self.initiator
    }

    /// Whether the device is on the bus.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.present
    }

    /// The mounted volume's label.
    ///
    /// # Errors
    /// Nothing is mounted, or the disk fails.
    pub fn label(&mut self) -> Result<String, SystemError> {
        self.with_volume(|volume| Ok(volume.label().to_owned()))
    }

    /// The link's time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.initiator.host.now()
    }

    /// Whether a volume is mounted.
    #[must_use]
    pub fn is_mounted(&self) -> bool {
        self.mount.is_some()
    }

    /// Lets time pass, with everything that the system does by itself.
    pub fn elapse(&mut self, time: Duration) {
        let end = self.now() + time;
        while self.now() < end {
            self.look_at_port();
            if self.present
                && let Some(interval) = self.profile.poll
            {
                let due = *self.next_poll.get_or_insert(self.initiator.host.now() + interval);
                if self.now() >= due {
                    self.poll();
                    self.next_poll = Some(self.now() + interval);
                }
            }
            let left = end.saturating_sub(self.now());
            self.initiator.host.elapse(left.min(LOOK));
        }
        self.look_at_port();
    }

    /// Memory is low: of the blocks from `lba` on, the cache keeps only those that `keeps` selects.
    pub fn evict(&mut self, lba: u64, mut keeps: impl FnMut() -> bool) {
        if let Some(mount) = &mut self.mount {
            // In a fixed order, so that a run is repeatable.
            let mut blocks: Vec<u64> = mount.cache.keys().copied().filter(|block| *block >= lba).collect();
            blocks.sort_unstable();
            for block in blocks {
                if !keeps() {
                    mount.cache.remove(&block);
                }
            }
        }
    }

    /// The user ejects the medium: the volume is unmounted, then START STOP UNIT with LOEJ (SBC-3 5.24).
    ///
    /// # Errors
    /// The device refuses.
    pub fn eject(&mut self) -> Result<(), SystemError> {
        self.unmount();
        let cdb = [super::scsi::opcode::START_STOP_UNIT, 0, 0, 0, 0x02, 0];
        let outcome = self.initiator.scsi(&cdb, super::bot::Data::None);
        outcome.map(drop).map_err(|error| SystemError::Io(error.to_string()))
    }

    /// The user, or a service, unmounts the volume and mounts what is there.
    ///
    /// # Errors
    /// There is nothing to mount.
    pub fn remount(&mut self) -> Result<(), SystemError> {
        self.unmount();
        self.look_at_port();
        // The kernel revalidates a removable disk when it is opened, which consumes unit attentions.
        self.initiator.wait_ready().map_err(|error| SystemError::Io(error.to_string()))?;
        self.mount()
    }

    /// Names of the files in a folder; the root directory's path is empty.
    ///
    /// # Errors
    /// Nothing is mounted, or the disk fails.
    pub fn list(&mut self, path: &str) -> Result<Vec<Node>, SystemError> {
        self.with_volume(|volume| {
            let node = if path.is_empty() { volume.root() } else { volume.find(path)? };
            volume.list(&node)
        })
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// Nothing is mounted, there is no such file, or the disk fails.
    pub fn read(&mut self, path: &str) -> Result<Vec<u8>, SystemError> {
        self.with_volume(|volume| {
            let node = volume.find(path)?;
            volume.read_file(&node)
        })
    }

    fn with_volume<T>(
        &mut self,
        work: impl FnOnce(&mut Volume<'_>) -> Result<T, ExfatError>,
    ) -> Result<T, SystemError> {
        let mount = self.mount.as_mut().ok_or(SystemError::NotMounted)?;
        let mut cached = Cached { initiator: &mut self.initiator, mount, changed: false };
        let result = Volume::open(&mut cached).and_then(|mut volume| work(&mut volume));
        if cached.changed {
            // A READ that got NOT READY TO READY CHANGE: the driver gives up on the medium.
            self.events.push(Event::MediumChanged);
            self.unmount();
        }
        Ok(result?)
    }

    fn look_at_port(&mut self) {
        let attached = self.initiator.host.link().attached();
        if !attached && self.present {
            self.present = false;
            self.events.push(Event::DeviceGone);
            self.unmount();
        } else if attached && !self.present && self.initiator.enumerate_again().is_ok() {
            self.present = true;
            self.next_poll = None;
            if self.initiator.wait_ready().is_ok() && self.profile.automounts {
                // A medium that is not there yet is mounted when a poll finds it.
                let _ = self.mount();
            }
        }
    }

    fn poll(&mut self) {
        match self.initiator.test_unit_ready() {
            Ok(()) => self.mount_if_wanted(),
            Err(CommandError::Check(sense)) if sense == Sense::MEDIUM_NOT_PRESENT => {
                if self.events.last() != Some(&Event::MediumGone) {
                    self.events.push(Event::MediumGone);
                }
                if self.profile.automounts {
                    self.unmount();
                }
            }
            Err(CommandError::Check(sense)) if sense == Sense::NOT_READY_TO_READY_CHANGE => {
                self.events.push(Event::MediumChanged);
                self.mount_if_wanted();
            }
            // The port shows that a device has gone.
            Err(_) => {}
        }
    }

    fn mount_if_wanted(&mut self) {
        if self.profile.automounts && self.mount.is_none() {
            // If mounting fails, it is tried again at the next poll.
            let _ = self.mount();
        }
    }

    fn mount(&mut self) -> Result<(), SystemError> {
        let (block_count, _) = self.initiator.read_capacity().map_err(|error| SystemError::Io(error.to_string()))?;
        self.mount = Some(Mount { block_count, cache: HashMap::new() });
        let serial = self.with_volume(|volume| Ok(volume.boot().volume_serial_number));
        match serial {
            Ok(serial) => {
                self.events.push(Event::Mounted(serial));
                Ok(())
            }
            Err(error) => {
                self.mount = None;
                Err(error)
            }
        }
    }

    fn unmount(&mut self) {
        if self.mount.take().is_some() {
            self.events.push(Event::Unmounted);
        }
    }
}

/// A disk behind a cache that keeps everything while the volume is mounted.
struct Cached<'m, 'a> {
    initiator: &'m mut Initiator<'a>,
    mount: &'m mut Mount,
    changed: bool,
}

impl BlockSource for Cached<'_, '_> {
    fn block_count(&self) -> u64 {
        self.mount.block_count
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let mut data = Vec::with_capacity(count as usize * 512);
        for lba in lba..lba + u64::from(count) {
            if let Some(block) = self.mount.cache.get(&lba) {
                data.extend_from_slice(block);
                continue;
            }
            // Like a page of a page cache: eight blocks at once.
            let first = lba & !7;
            let length = (self.mount.block_count - first).min(8) as u32;
            let cdb = super::scsi::read_cdb(10, first, length);
            let outcome = self.initiator.scsi(&cdb, super::bot::Data::In(length * 512)).map_err(|error| {
                self.changed |= error == CommandError::Check(Sense::NOT_READY_TO_READY_CHANGE);
                ReadError(format!("READ(10) of block {first}: {error}"))
            })?;
            for (index, block) in outcome.data.chunks_exact(512).enumerate() {
                // What is in the cache stays.
                self.mount.cache.entry(first + index as u64).or_insert_with(|| block.to_vec());
            }
            let block = self.mount.cache.get(&lba);
            data.extend_from_slice(block.ok_or_else(|| ReadError(format!("READ(10) of block {first} was short")))?);
        }
        Ok(data)
    }
}
