//! The volume: which bytes are at which LBA.
//!
//! A [`Volume`] renders any byte range of an exFAT volume (Microsoft's exFAT file system specification, revision 1.00) from a
//! [`Layout`], without storing a sector of it. What the layout leaves to the board (serial number, label
//! digits) and to the world (memory) is handed in. Reading is total: every block below
//! [`block_count`](Volume::block_count) has bytes, blocks past it read as zeros.
//!
//! Within a generation every byte stays as it is, memory windows excepted, which show the memory as it is at that moment.

mod change;
mod content;
mod directory;
mod enter;
mod error;
mod file;
mod flash;
mod grow;
pub mod layout;
mod look;
mod place;
mod region;
mod registry;
mod shown;
mod slot;
mod tables;
#[cfg(test)]
mod tests;

pub use change::{Announcing, Pending, Refresh, Timing};
pub use content::{Content, Frozen, Generation};
pub use error::{AddError, NotAdded, UpdateError};
pub use file::File;
pub use look::{Hidden, LabelText, Look, Plain};
pub use registry::{Files, FilesOf};
pub use slot::FileSlot;

use crate::block::{BLOCK_LENGTH, BlockCount, Lba};
use crate::clock::Instant;
use directory::Bookmark;
use layout::{Layout, Region, RegionKind};
use picovd_exfat::boot::BootRegion;
use picovd_exfat::entry::ENTRY_LENGTH;
use region::RegionFinder;

/// The chip's address space, as far as memory windows show it.
pub trait Memory {
    /// Copies `out.len()` bytes from `address` on. The addresses lie in a window that the manifest allows.
    fn read(&self, address: u32, out: &mut [u8]);
}

/// Who the board is: what its volume shows of its unique identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardIdentity(pub u64);

impl BoardIdentity {
    /// VolumeSerialNumber of the first generation (exFAT 3.1.11): the identity's halves folded together, so that boards
    /// whose identities differ in one half only still differ.
    #[must_use]
    pub const fn volume_serial_number(self) -> u32 {
        let serial = (self.0 >> 32) as u32 ^ self.0 as u32;
        if serial == 0 { 1 } else { serial }
    }

    /// All sixteen hexadecimal digits, as the USB serial number shows them.
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

/// The digit of the lowest four bits.
const fn hexadecimal(value: u64) -> u8 {
    let nibble = value as u8 & 0xF;
    if nibble < 10 { b'0' + nibble } else { b'A' - 10 + nibble }
}

/// A synthesized exFAT volume. Where `FILES` is false it has no dynamic files, and the linker leaves their code out. `L`
/// decides what settings do.
#[derive(Debug)]
pub struct Volume<'a, M, const FILES: bool = true, L = Plain> {
    layout: &'a Layout<'a>,
    memory: M,
    look: L,
    identity: Option<BoardIdentity>,
    /// Bytes of flash that files show at most.
    flash: u32,
    boot: BootRegion,
    finder: RegionFinder,
    files: Option<&'a Files<'a>>,
    /// The slot that a read of the window found last.
    slot: usize,
    bookmark: Bookmark,
    generation: Generation,
    /// Whether bytes of a file were read, or of clusters that dynamic files may be in.
    read: bool,
    /// Whether a file system's driver was told from the rest since the last call of [`take_mounted`](Self::take_mounted).
    mounted: bool,
    reader: Reader,
}

/// Who reads, by what was read of the volume since hosts were to take it for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// Nothing tells yet: what is read of files counts for now.
    Unknown,
    /// Something that looks what kind of disk this is: it read where no file system has anything.
    Probe,
    /// A file system's driver: it read the up-case table, as those of Linux, Windows and macOS do when they mount it.
    Driver,
}

impl<'a, M: Memory> Volume<'a, M> {
    /// The volume of `layout`. Without an identity it carries the layout's own serial number and no label digits.
    #[must_use]
    pub fn new(layout: &'a Layout<'a>, identity: Option<BoardIdentity>, memory: M) -> Self {
        Self::of(layout, identity, memory, Plain)
    }
}

impl<'a, M: Memory, const FILES: bool, L: Look> Volume<'a, M, FILES, L> {
    /// As [`new`](Volume::new), with dynamic files or without, and with what `look` decides.
    #[must_use]
    pub fn of(layout: &'a Layout<'a>, identity: Option<BoardIdentity>, memory: M, look: L) -> Self {
        let spare: u32 = if FILES { grow::spare(layout, None).map(|run| run.1).sum() } else { 0 };
        let boot = tables::boot_region(layout, identity, layout.allocated_clusters.saturating_sub(spare), 0);
        Self {
            layout,
            memory,
            look,
            identity,
            flash: u32::MAX,
            boot,
            finder: RegionFinder::new(),
            files: None,
            slot: 0,
            bookmark: Bookmark::START,
            generation: Generation::default(),
            read: false,
            mounted: false,
            reader: Reader::Unknown,
        }
    }

    /// The same with dynamic files.
    #[must_use]
    pub fn with_files(self, files: &'a Files<'a>) -> Self {
        Self { files: Some(files), ..self }
    }

    /// The same on a chip that has `length` bytes of flash: files that would show more are shorter.
    #[must_use]
    pub fn with_flash(self, length: u32) -> Self {
        let new = Self { flash: length, ..self };
        let boot = tables::boot_region(new.layout, new.identity, new.allocated(), 0);
        Self { boot, ..new }
    }

    /// Clusters that the manifest's files take.
    fn allocated(&self) -> u32 {
        let runs = flash::allocated(self.layout, self.flash);
        let allocated: u32 = runs.map(|run| run.1 - look::freed(&self.look, self.layout, run).min(run.1)).sum();
        let spare = if FILES { grow::spare(self.layout, self.files).map(|run| run.1).sum() } else { 0 };
        allocated.saturating_sub(spare)
    }

    /// Whether the next generation has another label or other files of the manifest.
    #[must_use]
    pub fn differs(&self) -> bool {
        self.look.differs()
    }

    /// The dynamic files.
    #[must_use]
    pub fn files(&self) -> Option<&'a Files<'a>> {
        self.files.filter(|_| FILES)
    }

    /// The generation that hosts see.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Begins a generation at `now`: what the application wants becomes what hosts see.
    ///
    /// Whatever a host has read before is void then; it has to be told.
    pub fn begin_generation(&mut self, now: Instant) {
        self.begin(now, false, true);
    }

    /// The same, and hosts see another VolumeSerialNumber (exFAT 3.1.11): the board's and one more each time.
    pub fn begin_other_volume(&mut self, now: Instant) {
        self.begin(now, true, true);
    }

    /// The same while no host has looked yet: nobody has to be told, and no place has to be kept.
    pub fn begin_unseen_generation(&mut self, now: Instant) {
        self.begin(now, false, false);
    }

    fn begin(&mut self, now: Instant, other_volume: bool, seen: bool) {
        let Some(files) = self.files() else { return };
        let Generation { number, volumes, .. } = self.generation;
        let volumes = volumes.wrapping_add(other_volume.into());
        self.generation = Generation { number: number.wrapping_add(1), since: now, volumes };
        if other_volume || self.reader != Reader::Driver {
            self.reader = Reader::Unknown;
        }
        self.look.freeze();
        files.begin(self.generation, seen);
        self.bookmark = Bookmark::START;
        let mut allocated = self.allocated();
        files.standing(|_, length| allocated = allocated.saturating_add(self.layout.clusters(length)));
        self.boot = tables::boot_region(self.layout, self.identity, allocated, volumes);
    }

    /// Whether bytes of a file were read since the last call, or of clusters that dynamic files may be in.
    pub fn take_read(&mut self) -> bool {
        core::mem::take(&mut self.read)
    }

    /// Whether a file system's driver has taken up the volume since the last call: it read the up-case table, the first time
    /// since hosts were to take the volume for another one.
    pub fn take_mounted(&mut self) -> bool {
        core::mem::take(&mut self.mounted)
    }

    /// The medium's number of logical blocks: VolumeLength (exFAT 3.1.5), and what is before the volume.
    #[must_use]
    pub fn block_count(&self) -> BlockCount {
        BlockCount(self.layout.partition_offset.saturating_add(self.layout.volume_length.0))
    }

    /// The layout that the volume is synthesized from.
    #[must_use]
    pub fn layout(&self) -> &'a Layout<'a> {
        self.layout
    }

    /// Fills `out` with the bytes of the volume from byte `offset` of block `lba` on, over as many blocks as it takes.
    ///
    /// An `offset` past the block's end means the blocks after it. Nothing is past the last block: zeros.
    pub fn read(&mut self, lba: Lba, offset: usize, out: &mut [u8]) {
        let mut lba = lba.0.saturating_add((offset / BLOCK_LENGTH) as u32);
        let mut offset = offset % BLOCK_LENGTH;
        let mut rest = out;
        while !rest.is_empty() {
            let Some(region) = self.finder.find(self.layout.regions, Lba(lba)) else {
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

    /// Renders bytes of one region, from byte `start` of it on; the piece ends within it.
    fn render(&mut self, region: &Region<'a>, start: u32, out: &mut [u8]) {
        match region.kind {
            RegionKind::Bytes(_) | RegionKind::Memory(_) if L::PRESENT && look::hides(&self.look, region.first) => {
                out.fill(0);
            }
            RegionKind::Bytes(bytes) => {
                self.read = true;
                copy_padded(bytes, start, out);
            }
            RegionKind::Memory(window) => {
                self.read = true;
                let length = flash::length_of(window, self.flash);
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
                if FILES {
                    grow::end_chains(self.layout, self.files, start, out);
                }
            }
            RegionKind::Bitmap => {
                tables::bitmap::<FILES>(self.layout, self.flash, self.files, start, out);
                look::free(&self.look, self.layout, start, out);
            }
            RegionKind::Upcase => {
                self.read_by(Reader::Driver);
                tables::upcase(start, out);
            }
            RegionKind::Directory(directory) => {
                let label = (directory.root && start < ENTRY_LENGTH as u32).then(|| self.label_entry());
                let files = self.files().map(|files| (files, &mut self.bookmark));
                let cluster = self.layout.cluster_of(region.first);
                directory::render(&directory, cluster, self.layout, files, label.as_ref(), start, out);
                flash::shorten(self.layout, self.flash, region.first, directory.entries, start, out);
                if FILES {
                    grow::lengths(self.layout, self.files, region.first, directory.entries, start, out);
                }
                look::blank(&self.look, region.first, start, out);
            }
            RegionKind::Dynamic => self.render_window(start, out),
            RegionKind::Unused(_) => {
                self.read_by(Reader::Probe);
                out.fill(0);
            }
        }
    }

    /// What is read tells who reads. What was read before somebody could be told from a probe was a probe's.
    fn read_by(&mut self, reader: Reader) {
        let was = self.reader;
        if was == Reader::Driver || was == reader {
            return;
        }
        self.reader = reader;
        self.mounted |= reader == Reader::Driver;
        if was == Reader::Unknown
            && let Some(files) = self.files()
        {
            files.unread();
        }
    }

    /// The root directory's first entry. Out of line: few of the reads of a directory take it.
    #[inline(never)]
    fn label_entry(&self) -> [u8; ENTRY_LENGTH] {
        tables::label_entry(&LabelText::of(self.layout.label, self.look.label(), self.identity))
    }

    /// Renders bytes of the dynamic window, from byte `start` of it on.
    fn render_window(&mut self, start: u32, out: &mut [u8]) {
        out.fill(0);
        // Anyone who reads the whole disk reads on here, files or not.
        self.read = true;
        let Some(files) = self.files() else { return };
        let (shift, length) = (self.layout.cluster_shift(), self.layout.cluster_length());
        let (mut cluster, mut offset) = (start >> shift, start & (length - 1));
        let mut rest = out;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at_mut(((length - offset) as usize).min(rest.len()));
            if let Some((slot, shown)) = files.standing_at(cluster, self.slot) {
                self.slot = slot;
                let position = ((cluster - shown.first) << shift).saturating_add(offset);
                let inside = (shown.length.saturating_sub(position) as usize).min(piece.len());
                let piece = piece.split_at_mut(inside).0;
                if shown.is_folder() {
                    directory::list(self.layout, files, &mut self.bookmark, slot as u8, position, piece);
                } else if !piece.is_empty() {
                    shown.file.content.read(shown.generation, position, piece);
                    if self.reader == Reader::Probe {
                        shown.file.content.unread();
                    }
                }
            } else {
                self.read_by(Reader::Probe);
            }
            (cluster, offset) = (cluster + 1, 0);
            rest = later;
        }
    }
}

/// Copies from `bytes` at `start`; what lies past their end is zero.
fn copy_padded(bytes: &[u8], start: u32, out: &mut [u8]) {
    let tail = bytes.get(start as usize..).unwrap_or(&[]);
    let length = tail.len().min(out.len());
    let (shown, padding) = out.split_at_mut(length);
    shown.copy_from_slice(&tail[..length]);
    padding.fill(0);
}
