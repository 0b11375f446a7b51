//! `tail`: the end of a file, and what is added to it.

use crate::device::Device;
use crate::{Failure, follow, mounted, to_stderr};
use clap::Args;
use std::fs::{self, Metadata};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often the file is looked at. A stick whose files change is away for at least half a second.
const STEP: Duration = Duration::from_millis(200);

/// Print the end of a file, and what is added to it, until Ctrl-C
///
/// FILE is a file of a stick that this system has mounted, such as /media/me/PICOVD/STDOUT-TAIL.TXT; any other path is one on
/// the manifest's disk, as for `cat --follow`.
///
/// A system sees a file grow when it mounts the volume again, as desktops do when the stick reports a change. The file is
/// opened only while it is read, so that the old volume can go, and may be missing for a while. What was added is printed; if
/// the file does not begin with what was there before, it is printed whole.
#[derive(Args)]
pub struct Tail {
    /// The file
    #[arg(value_name = "FILE")]
    path: String,
    /// Print at most the last N lines of what is there at the start
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: usize,
    #[command(flatten)]
    pub device: Device,
}

impl Tail {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.device.is_specified() || !mounted::is_meant(&self.path) {
            return follow::show(&self.device, &self.path, None, true, out);
        }
        let path = Path::new(&self.path);
        // Before the read, here and below: what changes after it then differs from what was seen.
        let mut seen = look(path);
        let mut known = read(path)?;
        out.write_all(last_lines(&known, self.lines))?;
        out.flush()?;
        loop {
            thread::sleep(STEP);
            let now = look(path);
            if now == seen {
                // Even if nothing is written: a closed pipe ends the command.
                out.flush()?;
                continue;
            }
            seen = now;
            if seen.is_none() {
                continue;
            }
            match read(path) {
                Ok(bytes) => {
                    match bytes.strip_prefix(&known[..]) {
                        Some(added) => out.write_all(added)?,
                        None => {
                            to_stderr(&format!("{} has started over", self.path));
                            out.write_all(&bytes)?;
                        }
                    }
                    out.flush()?;
                    known = bytes;
                }
                // It went while it was read. The next look finds it again.
                Err(_) => seen = None,
            }
        }
    }
}

/// What tells one state of a file from another. That it was missing in between does so, too.
#[derive(PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: Option<std::time::SystemTime>,
    /// Device and number of the file.
    place: (u64, u64),
}

fn look(path: &Path) -> Option<Seen> {
    fs::metadata(path).ok().map(|metadata| Seen::of(&metadata))
}

impl Seen {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let place = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let place = (0, 0);
        Self { length: metadata.len(), modified: metadata.modified().ok(), place }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    mounted::read(path, &mut |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(bytes)
}

/// The last lines of a text, with the unfinished one if there is one.
fn last_lines(text: &[u8], lines: usize) -> &[u8] {
    let whole = text.strip_suffix(b"\n").unwrap_or(text);
    let mut ends = whole.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(place, _)| place + 1);
    let begin = match lines {
        0 => text.len(),
        lines => ends.nth(lines - 1).unwrap_or(0),
    };
    &text[begin..]
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_last_lines() {
        for (text, lines, last) in [
            ("", 1, ""),
            ("a\nb\nc\n", 2, "b\nc\n"),
            ("a\nb\nc", 2, "b\nc"),
            ("a\nb\n", 2, "a\nb\n"),
            ("a\nb\n", 9, "a\nb\n"),
            ("a\n\n", 1, "\n"),
            ("a\n", 0, ""),
        ] {
            assert_eq!(last_lines(text.as_bytes(), lines), last.as_bytes(), "{text:?} {lines}");
        }
    }
}
