//! A sample application for `cargo sim serve --live`: the files of a folder on this PC as dynamic files.
//!
//! For trying out how a host reacts to changes: a file that is written into the folder appears on the disk, one that is
//! written again changes, one that is deleted disappears. Names that start with a dot, folders, and names that are not
//! Unicode are ignored. A file that is renamed into the folder changes as a whole; one that is written in pieces may be
//! announced in pieces.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use picovd::clock::Instant;
use picovd::vd::{Content, File, Files, Frozen, Generation, UpdateError, vd_add_file, vd_remove_file, vd_update_file};

use crate::host::printed::Printed;
use crate::native::Application;

/// Maximum length of a file in bytes.
pub const CAPACITY: u32 = 64 * 1024;

/// Time between two scans of the folder in microseconds.
const LOOK: u64 = 50_000;

/// The folder. A global, because an application is started by a plain function.
static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Sets the folder, once for the whole process.
///
/// # Errors
/// A message if it is not a folder, or if one was set before.
pub fn follow(folder: &Path) -> Result<(), String> {
    fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    FOLDER.set(folder.to_path_buf()).map_err(|_| "a folder is followed already".to_owned())
}

/// Starts it: [`crate::native::Start`].
///
/// Without a folder it shows nothing.
#[must_use]
pub fn start(files: &'static Files<'static>) -> Box<dyn Application> {
    Box::new(Mirror { files, known: BTreeMap::new(), next: 0 })
}

/// A file's bytes: what is in the folder, and what hosts see.
#[derive(Default)]
struct Copies(Mutex<[Vec<u8>; 2]>);

impl Copies {
    fn with<T>(&self, act: impl FnOnce(&mut [Vec<u8>; 2]) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Content for Copies {
    fn length(&self) -> u32 {
        self.with(|[next, _]| next.len() as u32)
    }

    fn freeze(&self, _: Generation) -> Frozen {
        self.with(|[next, shown]| {
            // An empty file has no cluster that could be kept.
            let kept = !shown.is_empty() && next.starts_with(shown);
            shown.clone_from(next);
            Frozen { length: shown.len() as u32, kept }
        })
    }

    fn read(&self, _: u32, offset: u32, out: &mut [u8]) {
        self.with(|[_, shown]| {
            for (to, from) in out.iter_mut().zip(shown.iter().skip(offset as usize)) {
                *to = *from;
            }
        });
    }
}

/// Detects a change without reading: time and length.
type Stamp = (Option<SystemTime>, u64);

struct Known {
    file: &'static File<'static>,
    copies: &'static Copies,
    /// `None` while it is not in the folder.
    stamp: Option<Stamp>,
}

/// An empty file of that name. Each is created once and then reused, even after the board's next power-on.
fn known(name: &str) -> Known {
    static FILES: Mutex<BTreeMap<String, (&'static File<'static>, &'static Copies)>> = Mutex::new(BTreeMap::new());
    let mut files = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let (file, copies) = *files.entry(name.to_owned()).or_insert_with(|| {
        let copies: &'static Copies = Box::leak(Box::default());
        let path: &'static str = name.to_owned().leak();
        (Box::leak(Box::new(File::new(path, copies, CAPACITY))), copies)
    });
    copies.with(|copies| *copies = Default::default());
    Known { file, copies, stamp: None }
}

/// The application.
struct Mirror {
    files: &'static Files<'static>,
    /// By name. A file stays here after it was deleted, because it may come back.
    known: BTreeMap<String, Known>,
    next: u64,
}

impl Mirror {
    fn take(&mut self, path: &Path, name: &str, stamp: Stamp) -> Result<(), String> {
        let known = self.known.entry(name.to_owned()).or_insert_with(|| known(name));
        if known.stamp == Some(stamp) {
            return Ok(());
        }
        // A file that cannot be shown is tried again when it has changed.
        known.stamp = Some(stamp);
        if stamp.1 > u64::from(CAPACITY) {
            return Err(format!("{} bytes exceed the maximum of {CAPACITY}", stamp.1));
        }
        // It may have grown since.
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(|error| error.to_string())?;
        file.take(u64::from(CAPACITY) + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        known.copies.with(|[next, _]| *next = bytes);
        match vd_update_file(self.files, known.file) {
            Err(UpdateError::NotAdded) => vd_add_file(self.files, known.file).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
            Ok(()) => Ok(()),
        }
    }
}

/// The files of the folder.
fn look(folder: &Path) -> std::io::Result<BTreeMap<String, (PathBuf, Stamp)>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        // A file may be deleted during the scan: then it is not there.
        let (Ok(data), Ok(name)) = (entry.metadata(), entry.file_name().into_string()) else { continue };
        if data.is_file() && !name.starts_with('.') {
            found.insert(name, (entry.path(), (data.modified().ok(), data.len())));
        }
    }
    Ok(found)
}

impl Application for Mirror {
    fn turn(&mut self, now: Instant) {
        if now.0 < self.next {
            return;
        }
        self.next = now.0 + LOOK;
        let Some(folder) = FOLDER.get() else { return };
        // A folder that was deleted has no files.
        let found = look(folder).unwrap_or_default();
        for (name, known) in &mut self.known {
            if !found.contains_key(name) && known.stamp.take().is_some() {
                // What could not be shown is not registered.
                let _ = vd_remove_file(self.files, known.file);
            }
        }
        for (name, (path, stamp)) in found {
            if let Err(problem) = self.take(&path, &name, stamp) {
                // Ignores errors: standard error may be closed.
                let _ = writeln!(std::io::stderr(), "{} is not up to date on the disk: {problem}", Printed(&name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{follow, start};
    use crate::host::system::{LINUX_DESKTOP, System};
    use crate::plug;
    use std::fs;
    use std::time::Duration;

    #[test]
    fn the_disk_follows_the_folder() {
        let folder = std::env::temp_dir().join(format!("picovd-mirror-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("FIRST.TXT"), "first").unwrap();
        fs::write(folder.join("EMPTY.TXT"), "").unwrap();
        follow(&folder).unwrap();
        assert!(follow(&folder).is_err(), "one folder for a process");
        let plug = plug::native_with(plug::plan(Some(&plug::plain_manifest())).unwrap(), Some(start));
        let mut system = System::boot(LINUX_DESKTOP, plug.link).unwrap();
        // The manifest's max-age and hold, and the time that the host needs.
        let bound = Duration::from_secs(30);
        system.elapse(bound);
        assert_eq!(system.read("FIRST.TXT").unwrap(), b"first");
        assert_eq!(system.read("EMPTY.TXT").unwrap(), b"");

        fs::write(folder.join("FIRST.TXT"), "first, and more").unwrap();
        fs::write(folder.join("EMPTY.TXT"), "no more").unwrap();
        fs::write(folder.join("SECOND.TXT"), "second").unwrap();
        fs::write(folder.join(".HIDDEN.TXT"), "no").unwrap();
        fs::write(folder.join("LONG.BIN"), vec![0; super::CAPACITY as usize + 1]).unwrap();
        system.elapse(bound);
        assert_eq!(system.read("FIRST.TXT").unwrap(), b"first, and more");
        assert_eq!(system.read("EMPTY.TXT").unwrap(), b"no more");
        assert_eq!(system.read("SECOND.TXT").unwrap(), b"second");
        assert!(system.read(".HIDDEN.TXT").is_err());
        assert!(system.read("LONG.BIN").is_err());

        fs::remove_file(folder.join("SECOND.TXT")).unwrap();
        fs::write(folder.join("FIRST.TXT"), "other").unwrap();
        system.elapse(bound);
        assert_eq!(system.read("FIRST.TXT").unwrap(), b"other");
        assert!(system.read("SECOND.TXT").is_err());
        for name in ["FIRST.TXT", "EMPTY.TXT", ".HIDDEN.TXT", "LONG.BIN"] {
            fs::remove_file(folder.join(name)).unwrap();
        }
        fs::remove_dir(folder).unwrap();
    }
}
