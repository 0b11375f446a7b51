//! Where blocks come from: the stick through USB, an image file, a vector.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Length of a block in bytes.
pub const BLOCK_LENGTH: usize = 512;

/// A block could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError(pub String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}

/// Blocks of 512 bytes.
pub trait BlockSource {
    /// Number of blocks.
    fn block_count(&self) -> u64;

    /// Reads `count` blocks from `lba` on.
    ///
    /// # Errors
    /// If the medium refuses, or is too short.
    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError>;
}

/// An image file or a raw disk.
#[derive(Debug)]
pub struct ImageFile {
    file: File,
    block_count: u64,
}

impl ImageFile {
    /// Opens an image.
    ///
    /// # Errors
    /// If it cannot be opened, or its length is not a multiple of 512.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let fail = |error: std::io::Error| ReadError(format!("{}: {error}", path.display()));
        let metadata = path.metadata().map_err(fail)?;
        // Opening a pipe would block.
        #[cfg(unix)]
        if std::os::unix::fs::FileTypeExt::is_fifo(&metadata.file_type()) {
            return Err(ReadError(format!("{}: it is a pipe; specify an image or a disk", path.display())));
        }
        if metadata.is_dir() {
            return Err(ReadError(format!("{}: it is a folder; specify an image or a disk", path.display())));
        }
        let mut file = File::open(path).map_err(fail)?;
        // The length of a raw disk is only known by seeking to its end.
        let length = file.seek(SeekFrom::End(0)).map_err(fail)?;
        if length % BLOCK_LENGTH as u64 != 0 {
            return Err(ReadError(format!("{}: {length} bytes are not a multiple of 512", path.display())));
        }
        Ok(Self { file, block_count: length / BLOCK_LENGTH as u64 })
    }
}

impl BlockSource for ImageFile {
    fn block_count(&self) -> u64 {
        self.block_count
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        if lba.checked_add(u64::from(count)).is_none_or(|end| end > self.block_count) {
            return Err(ReadError(format!("blocks {lba} and {count} on: the image has {}", self.block_count)));
        }
        let mut data = vec![0; count as usize * BLOCK_LENGTH];
        self.file
            .seek(SeekFrom::Start(lba * BLOCK_LENGTH as u64))
            .and_then(|_| self.file.read_exact(&mut data))
            .map_err(|error| ReadError(error.to_string()))?;
        Ok(data)
    }
}

/// An image in memory.
impl BlockSource for Vec<u8> {
    fn block_count(&self) -> u64 {
        (self.len() / BLOCK_LENGTH) as u64
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let start = usize::try_from(lba).ok().and_then(|lba| lba.checked_mul(BLOCK_LENGTH));
        start
            .and_then(|start| self.get(start..start.checked_add(count as usize * BLOCK_LENGTH)?))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| ReadError(format!("blocks {lba} and {count} on are outside of the image")))
    }
}
