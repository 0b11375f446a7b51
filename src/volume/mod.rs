//! The volume: which bytes are at which LBA.
//!
//! A [`Volume`] renders any byte range of an exFAT volume (Microsoft's exFAT file system specification, revision 1.00) from
//! a [`Layout`], without storing a sector of it. What depends on the board (serial number, label digits) and on memory is a
//! parameter. Reading always succeeds: every block below [`block_count`](Volume::block_count) has contents, and blocks
//! beyond it read as zeros.
//!
//! Within a generation no byte changes, except in memory windows, which show memory at the time of the read.

mod directory;
mod dynamic_files;
mod entry_set;
mod flash;
mod generation;
mod grow;
pub(crate) mod lookup;
mod overrides;
pub(crate) mod probes;
mod region;
mod tables;
#[cfg(test)]
mod tests;
mod windows;

/// The layout that a volume is synthesized from: a part of the compiled manifest.
pub use picovd_layout as layout;

pub use dynamic_files::{DynamicFiles, NoFiles};
pub use generation::Generation;
pub use overrides::{Hidden, LabelText, NoOverrides, Overrides};
pub use windows::Windows;

use crate::block::{BLOCK_LENGTH, BlockCount, Lba};
use crate::clock::Instant;
use layout::{Layout, RegionKind, RegionRecord};
use picovd_exfat::boot::BootRegion;
use picovd_exfat::entry::ENTRY_LENGTH;
use region::RegionFinder;

/// The parts of the chip's address space that memory windows show.
pub trait Memory {
    /// Copies `out.len()` bytes from `address` on. The addresses are in a window that the manifest allows.
    fn read(&self, address: u32, out: &mut [u8]);

    /// Offset in flash of an address, in bytes, if it is in flash: a window there ends at the end of the chip.
    fn flash_offset(&self, address: u32) -> Option<u32> {
        let _ = address;
        None
    }
}

/// The board's unique identity, of which the volume shows parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardIdentity(pub u64);

impl BoardIdentity {
    /// VolumeSerialNumber of the first generation (exFAT 3.1.11): both halves of the identity combined, so that boards
    /// whose identities differ only in one half still differ.
    #[must_use]
    pub const fn volume_serial_number(self) -> u32 {
        let serial = (self.0 >> 32) as u32 ^ self.0 as u32;
        if serial == 0 { 1 } else { serial }
    }

    /// All sixteen hexadecimal digits, as in the USB serial number.
    #[must_use]
    pub fn digits(self) -> [u8; 16] {
        core::array::from_fn(|place| hexadecimal(self.0 >> (60 - 4 * place)))
    }

    /// The last four hexadecimal digits, as UTF-16 units.
    #[must_use]
    pub fn last_digits(self) -> [u16; 4] {
        core::array::from_fn(|place| u16::from(hexadecimal(self.0 >> (12 - 4 * place))))
    }
}

/// VolumeSerialNumber (exFAT 3.1.11) of a layout on that board. `volumes` counts how often hosts had to see another volume: a
/// number repeats only after 2^32 of them, 136 years at one per second, when no host still has data cached for it.
#[must_use]
pub fn serial_number(layout: &Layout<'_>, board: Option<BoardIdentity>, volumes: u32) -> u32 {
    let serial = board.map_or(layout.volume_serial_number, BoardIdentity::volume_serial_number);
    serial.wrapping_add(volumes)
}

/// The digit of the lowest four bits.
const fn hexadecimal(value: u64) -> u8 {
    let nibble = value as u8 & 0xF;
    if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble }
}

/// A synthesized exFAT volume: the manifest's `layout`, memory, dynamic files, and overrides by settings.
#[derive(Debug)]
pub struct Volume<'a, M, D = NoFiles, O = NoOverrides> {
    layout: &'a Layout<'a>,
    memory: M,
    files: D,
    overrides: O,
    identity: Option<BoardIdentity>,
    /// Length in bytes of the flash that files may show.
    flash: u32,
    boot: BootRegion,
    finder: RegionFinder,
    generation: Generation,
    /// Whether bytes were read of a file or of clusters that dynamic files may use.
    read: bool,
    /// Whether a file system driver was recognized since the last call of [`take_mounted`](Self::take_mounted).
    mounted: bool,
    /// Whether one was recognized since hosts had to take the volume for another one.
    has_driver: bool,
    /// Whether bytes of a dynamic file were read since then.
    has_reader: bool,
}

impl<'a, M: Memory> Volume<'a, M> {
    /// The volume of `layout` without dynamic files. Without an identity, it has the layout's serial number and no label
    /// digits.
    #[must_use]
    pub fn new(layout: &'a Layout<'a>, identity: Option<BoardIdentity>, memory: M) -> Self {
        Self::of(layout, identity, memory, NoFiles, NoOverrides)
    }
}

impl<'a, M: Memory, D: DynamicFiles, O: Overrides> Volume<'a, M, D, O> {
    /// As [`new`](Volume::new), with dynamic files and `overrides`.
    #[must_use]
    pub fn of(layout: &'a Layout<'a>, identity: Option<BoardIdentity>, memory: M, files: D, overrides: O) -> Self {
        let spare: u32 = if D::PRESENT { grow::spare(layout, &NoFiles).map(|run| run.1).sum() } else { 0 };
        let boot = tables::boot_region(layout, identity, layout.allocated_clusters.saturating_sub(spare), 0);
        Self {
            layout,
            memory,
            files,
            overrides,
            identity,
            flash: u32::MAX,
            boot,
            finder: RegionFinder::new(),
            generation: Generation::default(),
            read: false,
            mounted: false,
            has_driver: false,
            has_reader: false,
        }
    }

    /// The same with other dynamic files.
    #[must_use]
    pub fn with_files<F: DynamicFiles>(self, files: F) -> Volume<'a, M, F, O> {
        let Self { layout, memory, overrides, identity, flash, .. } = self;
        Volume::of(layout, identity, memory, files, overrides).with_flash(flash)
    }

    /// The same on a chip with `length` bytes of flash: files that would show more are shorter.
    #[must_use]
    pub fn with_flash(self, length: u32) -> Self {
        let new = Self { flash: length, ..self };
        let boot = tables::boot_region(new.layout, new.identity, new.allocated(), 0);
        Self { boot, ..new }
    }

    /// Number of clusters that the manifest's files take.
    fn allocated(&self) -> u32 {
        let runs = flash::allocated(self.layout, self.flash);
        let allocated: u32 =
            runs.map(|run| run.1 - overrides::freed(&self.overrides, self.layout, run).min(run.1)).sum();
        let spare = if D::PRESENT { grow::spare(self.layout, &self.files).map(|run| run.1).sum() } else { 0 };
        allocated.saturating_sub(spare)
    }

    /// Whether the next generation will have another label or other files of the manifest.
    #[must_use]
    pub fn has_changed(&self) -> bool {
        self.overrides.has_changed()
    }

    /// The dynamic files.
    #[must_use]
    pub fn files(&self) -> &D {
        &self.files
    }

    /// The generation that hosts see.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Begins a generation at `now`: what the application wants becomes what hosts see.
    ///
    /// It invalidates everything that hosts have read before, so they have to be notified.
    pub fn begin_generation(&mut self, now: Instant) {
        self.begin(now, false, true);
    }

    /// The same, with another VolumeSerialNumber (exFAT 3.1.11): one more than the last one, starting with the board's.
    pub fn begin_other_volume(&mut self, now: Instant) {
        self.begin(now, true, true);
    }

    /// The same as long as no host has read anything: no host has to be notified, and any file may move.
    pub fn begin_unseen_generation(&mut self, now: Instant) {
        self.begin(now, false, false);
    }

    fn begin(&mut self, now: Instant, other_volume: bool, seen: bool) {
        let Generation { number, volumes, .. } = self.generation;
        let volumes = volumes.wrapping_add(other_volume.into());
        self.generation = Generation { number: number.wrapping_add(1), since: now, volumes };
        if other_volume {
            (self.has_driver, self.has_reader) = (false, false);
        }
        self.overrides.freeze();
        self.files.begin(self.generation, seen);
        let mut allocated = self.allocated();
        self.files.allocated(|_, length| allocated = allocated.saturating_add(self.layout.clusters(length)));
        self.boot = tables::boot_region(self.layout, self.identity, allocated, volumes);
    }

    /// Whether bytes were read since the last call, of a file or of clusters that dynamic files may use.
    pub fn take_read(&mut self) -> bool {
        core::mem::take(&mut self.read)
    }

    /// Whether a file system driver has mounted the volume since the last call: it has read the up-case table, for the
    /// first time since hosts had to take the volume for another one.
    pub fn take_mounted(&mut self) -> bool {
        core::mem::take(&mut self.mounted)
    }

    /// Whether the volume was used since hosts had to take it for another one: a file system driver has mounted it, or bytes
    /// of a dynamic file were read. A driver that continues to use the previous volume does neither.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.has_driver || self.has_reader
    }

    /// The medium's number of logical blocks: VolumeLength (exFAT 3.1.5), plus the blocks before the volume.
    #[must_use]
    pub fn block_count(&self) -> BlockCount {
        BlockCount(self.layout.partition_offset.saturating_add(self.layout.volume_length.0))
    }

    /// The layout that the volume is synthesized from.
    #[must_use]
    pub fn layout(&self) -> &'a Layout<'a> {
        self.layout
    }

    /// Fills `out` with the bytes of the volume from byte `offset` of block `lba` on, across blocks if necessary.
    ///
    /// An `offset` beyond the block's end leads to later blocks. Beyond the last block there are zeros.
    pub fn read(&mut self, lba: Lba, offset: usize, out: &mut [u8]) {
        let mut lba = lba.0.saturating_add((offset / BLOCK_LENGTH) as u32);
        let mut offset = offset % BLOCK_LENGTH;
        let mut rest = out;
        while !rest.is_empty() {
            let Some(region) = self.finder.find(self.layout, Lba(lba)) else {
                rest.fill(0);
                return;
            };
            let block = lba - region.first.0;
            let start = block.wrapping_mul(BLOCK_LENGTH as u32).wrapping_add(offset as u32);
            let available = ((region.length.0 - block) as usize).saturating_mul(BLOCK_LENGTH) - offset;
            let (now, later) = rest.split_at_mut(available.min(rest.len()));
            self.render(region, start, now);
            let end = offset + now.len();
            lba = lba.saturating_add((end / BLOCK_LENGTH) as u32);
            offset = end % BLOCK_LENGTH;
            rest = later;
        }
    }

    /// Renders bytes of one region, from byte `start` of it on. `out` ends within the region.
    fn render(&mut self, region: RegionRecord, start: u32, out: &mut [u8]) {
        match region.resolve(&self.layout.compiled).kind {
            RegionKind::Bytes(_) | RegionKind::Memory(_)
                if O::PRESENT && overrides::hides(&self.overrides, region.first) =>
            {
                out.fill(0);
            }
            RegionKind::Bytes(bytes) => {
                self.read = true;
                copy_padded(bytes, start, out);
            }
            RegionKind::Memory(window) => {
                self.read = true;
                let length = flash::length_of(&self.memory, window, self.flash);
                let inside = (length.saturating_sub(start) as usize).min(out.len());
                let (shown, padding) = out.split_at_mut(inside);
                if !shown.is_empty() {
                    self.memory.read(window.base.wrapping_add(start), shown);
                }
                if !padding.is_empty() {
                    padding.fill(0);
                }
            }
            RegionKind::Boot => tables::boot(&self.boot, start, out),
            RegionKind::Fat => {
                tables::fat(self.layout, start, out);
                if D::PRESENT {
                    grow::end_chains(self.layout, &self.files, start, out);
                }
            }
            RegionKind::Bitmap => {
                tables::bitmap(self.layout, self.flash, &self.files, start, out);
                overrides::free(&self.overrides, self.layout, start, out);
            }
            RegionKind::Upcase => {
                // As the drivers of Linux, Windows and macOS do when they mount a volume.
                self.mounted |= !self.has_driver;
                self.has_driver = true;
                tables::upcase(start, out);
            }
            RegionKind::Directory(directory) => {
                let label = (directory.root && start < ENTRY_LENGTH as u32).then(|| self.label_entry());
                let cluster = self.layout.cluster_of(region.first);
                directory::render(&directory, cluster, &mut self.files, label.as_ref(), start, out);
                flash::shorten(self.layout, self.flash, region.first, directory.entries, start, out);
                if D::PRESENT {
                    grow::lengths(self.layout, &self.files, region.first, directory.entries, start, out);
                }
                overrides::blank(&self.overrides, region.first, start, out);
            }
            RegionKind::Dynamic => self.render_window(start, out),
            RegionKind::Unused(_) => out.fill(0),
        }
    }

    /// The root directory's first entry. Not inlined: few reads of a directory need it.
    #[inline(never)]
    fn label_entry(&self) -> [u8; ENTRY_LENGTH] {
        tables::label_entry(&LabelText::of(self.layout.label, self.overrides.label(), self.identity))
    }

    /// Renders bytes of the dynamic window, from byte `start` of it on.
    fn render_window(&mut self, start: u32, out: &mut [u8]) {
        out.fill(0);
        // A read of the whole disk comes here, too, whether there are files or not.
        self.read = true;
        if !D::PRESENT {
            return;
        }
        let (shift, length) = (self.layout.cluster_shift(), self.layout.cluster_length());
        let (mut cluster, mut offset) = (start >> shift, start & (length - 1));
        let mut rest = out;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at_mut(((length - offset) as usize).min(rest.len()));
            self.has_reader |= self.files.read(cluster, offset, piece);
            (cluster, offset) = (cluster + 1, 0);
            rest = later;
        }
    }
}

/// Copies from `bytes` at `start`, padded with zeros after their end.
fn copy_padded(bytes: &[u8], start: u32, out: &mut [u8]) {
    let tail = bytes.get(start as usize..).unwrap_or(&[]);
    let length = tail.len().min(out.len());
    let (shown, padding) = out.split_at_mut(length);
    shown.copy_from_slice(&tail[..length]);
    padding.fill(0);
}
