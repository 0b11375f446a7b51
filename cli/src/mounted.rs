//! Files of a stick that this system has mounted, read past its cache: a memory window is read from the device each time.
//!
//! The system still knows the file's length from when it mounted the volume. On macOS and Windows, this has not been run.

use crate::{Failure, to_stderr};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Component, Path};

/// Bytes in a read: a multiple of any logical block.
const PIECE: usize = 64 << 10;
/// Alignment in memory, for the same reason.
const ALIGNMENT: usize = 4096;

/// Whether a path means a file of this system, not one on a manifest's disk: it is absolute, or begins with `.` or `..`, and
/// exists.
pub fn is_meant(path: &str) -> bool {
    let path = Path::new(path);
    let relative = matches!(path.components().next(), Some(Component::CurDir | Component::ParentDir));
    (path.is_absolute() || relative) && path.exists()
}

/// Reads a file to its end.
pub fn read(path: &Path, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        let what = if metadata.is_dir() { "a directory" } else { "not a file, which could have no end" };
        return Err(Failure::Failed(format!("{} is {what}; specify a file of the stick", path.display())));
    }
    let mut file = open(path).map_err(failed)?;
    let mut buffer = vec![0; PIECE + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let piece = &mut buffer[start..start + PIECE];
    loop {
        match file.read(piece) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                take(&piece[..count])?;
                // Reads without the cache begin at whole blocks, so one that ends elsewhere was the last.
                if count % PIECE != 0 {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
}

/// The file, without the cache if its file system offers that.
fn open(path: &Path) -> io::Result<File> {
    match uncached(path) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            to_stderr(&format!("note: {}: its file system reads through the system's cache only", path.display()));
            File::open(path)
        }
        result => result,
    }
}

#[cfg(target_os = "linux")]
fn uncached(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path)
}

#[cfg(target_os = "macos")]
#[allow(unsafe_code)]
fn uncached(path: &Path) -> io::Result<File> {
    use std::os::fd::AsRawFd;
    let file = OpenOptions::new().read(true).open(path)?;
    // SAFETY: an open file; F_NOCACHE takes an integer.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_NOCACHE, 1) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(file),
    }
}

#[cfg(windows)]
fn uncached(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const FILE_FLAG_NO_BUFFERING: u32 = 0x2000_0000;
    OpenOptions::new().read(true).custom_flags(FILE_FLAG_NO_BUFFERING).open(path)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn uncached(_: &Path) -> io::Result<File> {
    Err(ErrorKind::InvalidInput.into())
}
