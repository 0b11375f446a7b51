//! Independent programs that read a volume's image for ring 2: exfatprogs, exfat-fuse, The Sleuth Kit, GRUB, FatFs. Also a
//! minimal reader for the one thing that none of them outputs: the up-case table as stored on the disk.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::command::{self, SHORT};
use crate::truth::{Seen, Truth};
use picovd_host::printed::Printed;

/// The output of fsck.exfat for a clean volume: exactly this line, since it can print errors and still exit with 0.
///
/// The root directory counts as a directory.
pub fn clean_line(truth: &Truth, image: &Path) -> String {
    format!("{}: clean. directories {}, files {}", image.display(), truth.directories.len() + 1, truth.files.len())
}

/// Where the volume of an image begins, in blocks: at the first entry of a master boot record, if block 0 is one.
fn first_block(image: &Path) -> Result<u64, String> {
    let bad = |e: std::io::Error| format!("{}: {e}", image.display());
    let mut block = [0; 512];
    fs::File::open(image).map_err(bad)?.read_exact(&mut block).map_err(bad)?;
    let is_volume = block[3..11] == *b"EXFAT   ";
    let first = block[454..458].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    match (is_volume, block[450]) {
        (true, _) => Ok(0),
        (false, 0x07) => Ok(first),
        (false, kind) => {
            Err(format!("{}: neither an exFAT volume nor a partition for one, but {kind:02X}h", image.display()))
        }
    }
}

/// Checks an image with fsck.exfat's strict mode.
pub fn fsck(truth: &Truth, image: &Path) -> Result<(), String> {
    match first_block(image)? {
        0 => fsck_volume(truth, image),
        // It only accepts volumes.
        first => {
            let mut device = Loop::new(image, first)?;
            let result = fsck_volume(truth, Path::new(&device.device));
            result.and(device.release())
        }
    }
}

fn fsck_volume(truth: &Truth, image: &Path) -> Result<(), String> {
    let finished = command::finish(command::program("fsck.exfat").arg("-n").arg(image), SHORT)?;
    let wanted = clean_line(truth, image);
    let said = finished.both();
    // Its first line is its version; a third one would be an error.
    let mut lines = said.lines().filter(|line| !line.trim().is_empty());
    let version = lines.next().is_some_and(|line| line.starts_with("exfatprogs version"));
    let clean = lines.next() == Some(wanted.as_str()) && lines.next().is_none();
    if finished.status.success() && version && clean {
        Ok(())
    } else {
        Err(format!("wanted `{wanted}`, and it said ({}):\n{said}", finished.status))
    }
}

/// Mounts an image with exfat-fuse, read-only, and reads everything.
pub fn fuse(image: &Path, scratch: &Path) -> Result<Seen, String> {
    if !Path::new("/dev/fuse").exists() {
        return Err("/dev/fuse is missing: this machine cannot mount FUSE file systems; try `modprobe fuse`".to_owned());
    }
    let mounted = Mount::new(image, &scratch.join("mnt"))?;
    let mut seen = Seen::default();
    walk(&mounted.folder, "", &mut seen)?;
    mounted.end()?;
    Ok(seen)
}

fn walk(top: &Path, below: &str, seen: &mut Seen) -> Result<(), String> {
    let folder = top.join(below);
    let bad = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in fs::read_dir(&folder).map_err(bad)? {
        let entry = entry.map_err(bad)?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| format!("{name:?} is no UTF-8"))?;
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if entry.file_type().map_err(bad)?.is_dir() {
            walk(top, &path, seen)?;
            seen.directories.insert(path);
        } else {
            let bytes = fs::read(entry.path()).map_err(|e| format!("{}: {e}", Printed(&path)))?;
            seen.files.insert(path, bytes);
        }
    }
    Ok(())
}

/// A loop device that shows an image from its volume's first block on. It is removed with the value.
struct Loop {
    device: String,
}

impl Loop {
    fn new(image: &Path, first: u64) -> Result<Self, String> {
        let mut losetup = command::as_root("losetup");
        losetup.args(["--find", "--show", "--read-only", "--offset", &(first * 512).to_string()]);
        let found =
            command::run(losetup.arg(image), SHORT).map_err(|e| format!("no loop device for the image: {e}"))?;
        Ok(Self { device: found.text().trim().to_owned() })
    }

    fn release(&mut self) -> Result<(), String> {
        let device = std::mem::take(&mut self.device);
        if device.is_empty() {
            return Ok(());
        }
        // The FUSE process releases the device a moment after umount has returned.
        let mut last = Err("never tried".to_owned());
        for _ in 0..50 {
            last = command::run(command::as_root("losetup").arg("--detach").arg(&device), SHORT).map(|_| ());
            if last.is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        last
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // After an error, a second one can be ignored.
        let _ = self.release();
    }
}

/// An image on a loop device, mounted. Both are removed with the value.
struct Mount {
    device: Loop,
    folder: PathBuf,
    mounted: bool,
}

impl Mount {
    fn new(image: &Path, folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        // exfat-fuse opens only block devices without complaint.
        let device = Loop::new(image, first_block(image)?)?;
        let mut mount = Self { device, folder: folder.to_path_buf(), mounted: false };
        let mut fuse = command::as_root("mount.exfat-fuse");
        // If we are not root, we read what root has mounted.
        fuse.args(["-o", "ro,allow_other"]).arg(&mount.device.device).arg(folder);
        command::run(&mut fuse, SHORT).map_err(|e| format!("exfat-fuse does not mount the image: {e}"))?;
        mount.mounted = true;
        Ok(mount)
    }

    /// Unmounts, and reports failures.
    fn end(mut self) -> Result<(), String> {
        self.release()
    }

    fn release(&mut self) -> Result<(), String> {
        let mut result = Ok(());
        if std::mem::take(&mut self.mounted) {
            result = command::run(command::as_root("umount").arg(&self.folder), SHORT).map(|_| ());
        }
        // The device is removed after what is mounted from it.
        result = result.and(self.device.release());
        result
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // After an error, a second one can be ignored.
        let _ = self.release();
    }
}

/// From this number of files on, The Sleuth Kit copies all of them at once: one program for each would take minutes.
const RECOVERED_TOGETHER: usize = 50;

/// Reads everything with The Sleuth Kit: fls for the tree, and icat for each file, or, if there are many, tsk_recover for
/// all of them and icat for what it skips.
pub fn sleuth_kit(image: &Path, scratch: &Path) -> Result<Seen, String> {
    let first = first_block(image)?.to_string();
    let volume = ["-f", "exfat", "-o", first.as_str()];
    let mut fls = command::program("fls");
    let listed = command::run(fls.args(volume).args(["-r", "-p", "-u"]).arg(image), SHORT)?;
    let text = String::from_utf8(listed.stdout).map_err(|e| format!("fls prints no UTF-8: {e}"))?;
    let mut seen = Seen::default();
    let mut files = Vec::new();
    for line in text.lines() {
        // "r/r 1234:\tPATH"; what the kit adds itself has type v or a name that starts with a dollar sign.
        let (head, path) = line.split_once(":\t").ok_or_else(|| format!("fls says `{}`", Printed(line)))?;
        let (kind, inode) = head.split_once(' ').ok_or_else(|| format!("fls says `{}`", Printed(line)))?;
        let made_up = path.starts_with('$')
            || path.ends_with("(Volume Label Entry)")
            || kind.starts_with('v')
            || kind.starts_with('V');
        match kind {
            _ if made_up => {}
            "d/d" => drop(seen.directories.insert(path.to_owned())),
            "r/r" => files.push((path, inode)),
            _ => return Err(format!("fls says `{}`", Printed(line))),
        }
    }
    let copies = scratch.join("recovered");
    if files.len() >= RECOVERED_TOGETHER {
        fs::create_dir_all(&copies).map_err(|e| format!("cannot make {}: {e}", copies.display()))?;
        command::run(command::program("tsk_recover").arg("-a").args(volume).arg(image).arg(&copies), SHORT)?;
    }
    for (path, inode) in files {
        let bytes = match fs::read(copies.join(path)) {
            Ok(bytes) => bytes,
            Err(_) => {
                let mut icat = command::program("icat");
                command::run(icat.args(volume).arg(image).arg(inode), SHORT)?.stdout
            }
        };
        seen.files.insert(path.to_owned(), bytes);
    }
    Ok(seen)
}

/// Reads the files of the truth with GRUB's exFAT driver. Its directory listings are not machine-readable, so each
/// directory is checked for its names, and each file is read.
pub fn grub(truth: &Truth, image: &Path) -> Result<Seen, String> {
    let mut seen = Seen::default();
    let volume = if first_block(image)? == 0 { "(loop0)" } else { "(loop0,msdos1)" };
    let fstest = |words: &[OsString]| {
        let mut command = command::program("grub-fstest");
        command::run(command.arg(image).args(words), SHORT)
    };
    let listing = |directory: &str| -> Result<BTreeSet<String>, String> {
        let text = fstest(&["ls".into(), format!("{volume}/{directory}").into()])?;
        let text = String::from_utf8(text.stdout).map_err(|e| format!("grub-fstest prints no UTF-8: {e}"))?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    };
    for directory in &truth.directories {
        // A missing directory is an error of ls.
        listing(&format!("{directory}/"))?;
        seen.directories.insert(directory.clone());
    }
    for path in truth.files.keys() {
        let bytes = fstest(&["cat".into(), format!("{volume}/{path}").into()])?.stdout;
        seen.files.insert(path.clone(), bytes);
    }
    Ok(seen)
}

/// Reads everything with FatFs: `reader` is tests/fatfs, which walks through the volume and prints it.
pub fn fatfs(reader: &Path, image: &Path) -> Result<Seen, String> {
    let printed = command::run(Command::new(reader).arg(image), SHORT)?.stdout;
    let mut seen = Seen::default();
    let mut rest = printed.as_slice();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = std::str::from_utf8(&rest[..end]).map_err(|e| format!("FatFs has a name that is no UTF-8: {e}"))?;
        rest = &rest[end + 1..];
        let unknown = || format!("FatFs's reader says `{}`", Printed(line));
        if let Some(path) = line.strip_prefix("D /") {
            seen.directories.insert(path.to_owned());
        } else {
            let (length, path) = line.strip_prefix("F ").and_then(|line| line.split_once(" /")).ok_or_else(unknown)?;
            let length = length.parse().map_err(|_| unknown())?;
            let (bytes, after) =
                rest.split_at_checked(length).ok_or_else(|| format!("FatFs ends within {}", Printed(path)))?;
            seen.files.insert(path.to_owned(), bytes.to_vec());
            rest = after;
        }
    }
    Ok(seen)
}

/// The up-case table of a volume, found through its root directory's entry (exFAT 7.2): its bytes and its checksum field.
pub fn upcase_table(image: &Path) -> Result<(Vec<u8>, u32), String> {
    let disk = fs::read(image).map_err(|e| format!("{}: {e}", image.display()))?;
    let bytes = |at: u64, length: u64| -> Result<&[u8], String> {
        let range = usize::try_from(at).ok().zip(usize::try_from(at + length).ok());
        range.and_then(|(from, to)| disk.get(from..to)).ok_or_else(|| format!("{at:#x} is past the end of the image"))
    };
    let number = |at: u64, length: u64| -> Result<u64, String> {
        Ok(bytes(at, length)?.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    // Boot sector fields: exFAT 3.1.
    let sector = 1_u64 << number(108, 1)?;
    let cluster = sector << number(109, 1)?;
    let heap = number(88, 4)? * sector;
    let place = |index: u64| heap + index.saturating_sub(2) * cluster;
    let root = place(number(96, 4)?);
    for entry in (root..root + cluster).step_by(32) {
        // EntryType 82h: TableChecksum at 4, FirstCluster at 20, DataLength at 24.
        if number(entry, 1)? == 0x82 {
            let checksum = number(entry + 4, 4)? as u32;
            let table = bytes(place(number(entry + 20, 4)?), number(entry + 24, 8)?)?;
            return Ok((table.to_vec(), checksum));
        }
    }
    Err("the root directory's first cluster has no up-case table entry".to_owned())
}

/// A volume created by mkfs.exfat, for comparison.
pub fn reference_volume(scratch: &Path) -> Result<PathBuf, String> {
    let image = scratch.join("mkfs.img");
    let file = fs::File::create(&image).map_err(|e| format!("{}: {e}", image.display()))?;
    file.set_len(8 << 20).map_err(|e| format!("{}: {e}", image.display()))?;
    command::run(command::program("mkfs.exfat").arg(&image), SHORT)?;
    Ok(image)
}
