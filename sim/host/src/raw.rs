//! A real disk or an image file that may be damaged: a block that cannot be read is reported, and the others are read
//! nevertheless.
//!
//! The medium is read in whole, aligned pieces of 64 KiB, because raw disks (macOS's `/dev/rdisk`, Linux's without the page
//! cache) accept only whole blocks, and because small reads would measure the host's overhead. Only if a piece cannot be
//! read, blocks are read one by one. A piece is read once and kept, so that the measured time is the medium's.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use super::source::{BLOCK_LENGTH, BlockSource, ReadError};

/// Number of blocks in one read: 64 KiB.
const PIECE_BLOCKS: u64 = 128;
const PIECE_LENGTH: usize = PIECE_BLOCKS as usize * BLOCK_LENGTH;
/// Alignment in memory of the buffer for reads without the page cache: a multiple of any page and logical block.
const ALIGNMENT: usize = 4096;
/// Maximum number of pieces kept: 256 MiB.
const PIECES_KEPT: usize = 4096;
/// Number of failed blocks after which no more are tried: a dying disk takes half a minute for each.
const FAILURES: usize = 64;
/// Maximum number of blocks of a disk: 32 bits of LBA, 2 TiB.
const MOST_BLOCKS: u64 = 1 << 32;

/// What was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    Image,
    /// A block device, read through the host's cache.
    CachedDevice,
    /// A device, read without the host's cache.
    Device,
}

/// A piece of the medium.
enum Piece {
    Whole(Vec<u8>),
    /// The read of the whole piece failed: those of its blocks that could be read individually.
    Blocks(BTreeMap<u64, Vec<u8>>),
}

/// A source of bytes at offsets.
pub trait Bytes: Read + Seek {}

impl<T: Read + Seek> Bytes for T {}

/// The medium.
pub struct RawDisk {
    file: Box<dyn Bytes>,
    kind: Kind,
    block_count: u64,
    /// Bytes after the last whole block.
    odd_bytes: u64,
    buffer: Vec<u8>,
    pieces: HashMap<u64, Piece>,
    failures: BTreeMap<u64, String>,
    bytes_read: u64,
    time: Duration,
}

impl RawDisk {
    /// Opens a disk or an image.
    ///
    /// # Errors
    /// Those of the operating system, and [`ErrorKind::InvalidInput`] for anything without blocks: a directory, a pipe.
    pub fn open(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::metadata(path)?;
        if metadata.is_file() {
            return Self::new(Box::new(File::open(path)?), Kind::Image);
        }
        if metadata.is_dir() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is a directory"));
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileTypeExt;
            let kind = metadata.file_type();
            if !kind.is_block_device() && !kind.is_char_device() {
                return Err(io::Error::new(ErrorKind::InvalidInput, "it is neither a disk nor a file"));
            }
        }
        let (file, kind) = open_device(path)?;
        Self::new(Box::new(file), kind)
    }
}

/// Without the page cache, if the system offers that.
#[cfg(target_os = "linux")]
fn open_device(path: &Path) -> io::Result<(File, Kind)> {
    use std::os::unix::fs::OpenOptionsExt;
    match OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok((File::open(path)?, Kind::CachedDevice)),
        result => Ok((result?, Kind::Device)),
    }
}

/// macOS offers each disk twice: `/dev/rdisk4` without the cache, `/dev/disk4` with it.
#[cfg(not(target_os = "linux"))]
fn open_device(path: &Path) -> io::Result<(File, Kind)> {
    let file = OpenOptions::new().read(true).open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file.metadata()?.file_type().is_block_device() {
            return Ok((file, Kind::CachedDevice));
        }
    }
    Ok((file, Kind::Device))
}

impl RawDisk {
    /// Takes an open source, and determines its length.
    ///
    /// # Errors
    /// If the length of an image is unknown, or the first block of a device of unknown length cannot be read.
    pub fn new(file: Box<dyn Bytes>, kind: Kind) -> io::Result<Self> {
        let mut disk = Self {
            file,
            kind,
            block_count: 0,
            odd_bytes: 0,
            buffer: vec![0; PIECE_LENGTH + ALIGNMENT],
            pieces: HashMap::new(),
            failures: BTreeMap::new(),
            bytes_read: 0,
            time: Duration::ZERO,
        };
        let length = match disk.file.seek(SeekFrom::End(0)) {
            Err(_) if kind != Kind::Image => 0,
            length => length?,
        };
        if length == 0 && kind != Kind::Image {
            // macOS's raw disks do not report their end to a seek.
            disk.block_count = disk.probe()?;
            (disk.bytes_read, disk.time) = (0, Duration::ZERO);
        } else {
            (disk.block_count, disk.odd_bytes) = (length / BLOCK_LENGTH as u64, length % BLOCK_LENGTH as u64);
        }
        Ok(disk)
    }

    /// Finds the number of blocks by reading: searches for the last one that can be read, by doubling and then halving.
    fn probe(&mut self) -> io::Result<u64> {
        match self.transfer(0, 1) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
            result => drop(result?),
        }
        let (mut good, mut bad) = (0, 1);
        while bad < MOST_BLOCKS && self.transfer(bad, 1).is_ok() {
            (good, bad) = (bad, bad * 2);
        }
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            if self.transfer(middle, 1).is_ok() { good = middle } else { bad = middle }
        }
        Ok(bad)
    }

    /// What was opened.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Number of bytes after the last whole block: not 0 for an image that was cut off.
    #[must_use]
    pub fn odd_bytes(&self) -> u64 {
        self.odd_bytes
    }

    /// Number of bytes read from the medium so far, and the time it took.
    #[must_use]
    pub fn measured(&self) -> (u64, Duration) {
        (self.bytes_read, self.time)
    }

    /// Blocks that could not be read, with the reasons.
    #[must_use]
    pub fn failures(&self) -> &BTreeMap<u64, String> {
        &self.failures
    }

    /// One read of the medium into the buffer, of at most one piece.
    fn transfer(&mut self, lba: u64, blocks: u64) -> io::Result<Vec<u8>> {
        let length = blocks as usize * BLOCK_LENGTH;
        let start = self.buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let Some(buffer) = self.buffer.get_mut(start..start + length) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        let begin = Instant::now();
        self.file.seek(SeekFrom::Start(lba * BLOCK_LENGTH as u64))?;
        let mut done = 0;
        while done < length {
            let result = self.file.read(&mut buffer[done..]);
            match result {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.time += begin.elapsed();
                    return Err(error);
                }
            }
        }
        self.time += begin.elapsed();
        self.bytes_read += done as u64;
        if done < length {
            let text = format!("a read of {length} bytes gave {done}: the medium is shorter than it claims");
            return Err(io::Error::new(ErrorKind::UnexpectedEof, text));
        }
        Ok(buffer.to_vec())
    }

    /// One block of the medium.
    fn block(&mut self, lba: u64) -> Result<&[u8], ReadError> {
        let index = lba / PIECE_BLOCKS;
        if !self.pieces.contains_key(&index) {
            if self.pieces.len() >= PIECES_KEPT {
                self.pieces.clear();
            }
            let first = index * PIECE_BLOCKS;
            let piece = match self.transfer(first, PIECE_BLOCKS.min(self.block_count - first)) {
                Ok(bytes) => Piece::Whole(bytes),
                Err(_) => Piece::Blocks(BTreeMap::new()),
            };
            self.pieces.insert(index, piece);
        }
        if let Some(Piece::Blocks(blocks)) = self.pieces.get(&index)
            && !blocks.contains_key(&lba)
        {
            let bytes = self.single(lba)?;
            if let Some(Piece::Blocks(blocks)) = self.pieces.get_mut(&index) {
                blocks.insert(lba, bytes);
            }
        }
        let bytes = match self.pieces.get(&index) {
            Some(Piece::Whole(bytes)) => {
                let at = (lba % PIECE_BLOCKS) as usize * BLOCK_LENGTH;
                bytes.get(at..at + BLOCK_LENGTH)
            }
            Some(Piece::Blocks(blocks)) => blocks.get(&lba).map(Vec::as_slice),
            None => None,
        };
        bytes.ok_or_else(|| ReadError(format!("LBA {lba}: not on the medium")))
    }

    /// One block of a piece that cannot be read as a whole.
    fn single(&mut self, lba: u64) -> Result<Vec<u8>, ReadError> {
        if let Some(reason) = self.failures.get(&lba) {
            return Err(ReadError(format!("LBA {lba}: {reason}")));
        }
        if self.failures.len() >= FAILURES {
            return Err(ReadError(format!("LBA {lba}: not tried, {FAILURES} blocks have failed before")));
        }
        self.transfer(lba, 1).map_err(|error| {
            let error = error.to_string();
            let text = ReadError(format!("LBA {lba}: {error}"));
            self.failures.insert(lba, error);
            text
        })
    }
}

impl BlockSource for RawDisk {
    fn block_count(&self) -> u64 {
        self.block_count
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let end = lba.checked_add(u64::from(count)).filter(|end| *end <= self.block_count);
        let Some(end) = end else {
            return Err(ReadError(format!("LBA {}: beyond the medium's end", lba.max(self.block_count))));
        };
        let mut data = Vec::with_capacity(count as usize * BLOCK_LENGTH);
        for lba in lba..end {
            data.extend_from_slice(self.block(lba)?);
        }
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::io::Cursor;
    use std::rc::Rc;

    /// A disk that refuses what raw disks refuse, and has bad blocks.
    struct Strict {
        bytes: Cursor<Vec<u8>>,
        bad: Vec<u64>,
        tells_its_end: bool,
        reads: Rc<Cell<usize>>,
    }

    impl Read for Strict {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            self.reads.set(self.reads.get() + 1);
            let (at, length) = (self.bytes.position(), out.len() as u64);
            if !at.is_multiple_of(512) || !length.is_multiple_of(512) || !(out.as_ptr() as usize).is_multiple_of(512) {
                return Err(ErrorKind::InvalidInput.into());
            }
            let blocks = at / 512..(at + length) / 512;
            if self.bad.iter().any(|lba| blocks.contains(lba)) {
                return Err(io::Error::other("bad block"));
            }
            self.bytes.read(out)
        }
    }

    impl Seek for Strict {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            match to {
                SeekFrom::End(0) if !self.tells_its_end => Ok(0),
                to => self.bytes.seek(to),
            }
        }
    }

    /// Each byte is derived from its block. The counter counts reads.
    fn open(blocks: u64, bad: &[u64], tells_its_end: bool) -> (RawDisk, Rc<Cell<usize>>) {
        let bytes = (0..blocks * 512).map(|at| (at / 512) as u8).collect();
        let reads = Rc::new(Cell::new(0));
        let strict = Strict { bytes: Cursor::new(bytes), bad: bad.to_vec(), tells_its_end, reads: Rc::clone(&reads) };
        (RawDisk::new(Box::new(strict), Kind::Device).expect("it has a length"), reads)
    }

    fn disk(blocks: u64, bad: &[u64]) -> RawDisk {
        open(blocks, bad, true).0
    }

    #[test]
    fn reads_are_aligned_pieces_each_read_once() {
        let (mut disk, reads) = open(300, &[], true);
        for (lba, count) in [(0, 1), (127, 2), (299, 1), (5, 290)] {
            let data = disk.read(lba, count).expect("good blocks");
            assert!(data.iter().enumerate().all(|(at, byte)| *byte == (lba + at as u64 / 512) as u8));
        }
        assert_eq!(reads.get(), 3);
        assert_eq!(disk.measured().0, 300 * 512);
    }

    #[test]
    fn a_bad_block_is_named_and_its_neighbours_are_read() {
        let (mut disk, reads) = open(300, &[70], true);
        assert_eq!(disk.read(60, 20), Err(ReadError("LBA 70: bad block".to_owned())));
        assert_eq!(disk.read(71, 2).expect("good")[0], 71);
        assert_eq!(disk.read(69, 1).expect("good")[0], 69);
        let before = reads.get();
        assert!(disk.read(70, 1).is_err());
        assert_eq!(reads.get(), before, "a bad block is tried once");
        assert_eq!(disk.failures().keys().copied().collect::<Vec<_>>(), [70]);
    }

    #[test]
    fn a_dying_disk_is_given_up() {
        let bad: Vec<u64> = (0..1000).collect();
        let mut disk = disk(1000, &bad);
        for lba in 0..1000 {
            assert!(disk.read(lba, 1).is_err());
        }
        assert_eq!(disk.failures().len(), FAILURES);
        assert!(disk.read(999, 1).expect_err("bad").0.contains("not tried"));
    }

    #[test]
    fn a_disk_that_does_not_tell_its_end_is_probed() {
        for blocks in [0, 1, 2, 3, 127, 128, 129, 2048, 5001] {
            assert_eq!(open(blocks, &[], false).0.block_count(), blocks);
        }
    }

    /// A file is not a disk, but the system's rules for reads without its cache are the same.
    #[test]
    fn the_system_takes_these_reads() {
        let path = std::env::temp_dir().join(format!("picovd-raw-{}.img", std::process::id()));
        let bytes: Vec<u8> = (0..300 * 512).map(|at| (at / 512) as u8).collect();
        std::fs::write(&path, &bytes).expect("the temporary folder is writable");
        let (file, kind) = open_device(&path).expect("it can be read");
        let mut disk = RawDisk::new(Box::new(file), kind).expect("it has a length");
        let read = disk.read(0, 300);
        std::fs::remove_file(&path).expect("it is ours");
        assert!(read.as_ref() == Ok(&bytes), "{:?}", read.map(|data| data.len()));
    }

    #[test]
    fn a_medium_shorter_than_it_states_and_reads_beyond_the_end() {
        let mut disk = disk(300, &[]);
        disk.block_count = 310;
        assert!(disk.read(290, 20).expect_err("short").0.starts_with("LBA 300: a read of 512 bytes gave 0"));
        assert_eq!(disk.read(299, 1).expect("good")[0], (299 % 256) as u8);
        assert!(disk.read(309, 2).is_err() && disk.read(u64::MAX, 2).is_err());
    }
}
