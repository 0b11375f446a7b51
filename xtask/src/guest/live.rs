//! What happens to a mounted volume when its files change: the guest is notified, mounts again, and hashes the new
//! contents.
//!
//! The changes are made in a folder on this side, which `cargo sim serve --live` mirrors; the expected hashes come from the
//! files there, by this side's `sha256sum`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::machine::Machine;
use super::stick::{self, STEP, Sums};

/// Maximum time from a change in the folder to the new hash, however the guest is notified.
///
/// With polling: 50 ms until the folder is checked, `max-age` 1 s, the gap after the mount 4 s, a poll 2 s, the medium is
/// away for 2.5 s, which ends at the latest with the next poll but one, 4 s. With `auto` and no polls: the same up to the
/// gap, 5 s of waiting for a poll, 0.5 s to attach. That is 11 s; mounting and hashing on a busy machine may take as long.
pub const BOUND: Duration = Duration::from_secs(20);

/// Manifest of the device: `refresh`, and a hold short enough for a test.
pub fn manifest(refresh: &str) -> String {
    format!(
        "[[file]]\npath = \"STATIC.TXT\"\ntext = \"It never changes.\"\n\n\
         [dynamic]\nfiles = 8\nwindow = \"2 MiB\"\nrefresh = \"{refresh}\"\n\
         quiet = \"100 ms\"\nmax-age = \"1 s\"\nhold = \"1 s\"\n"
    )
}

/// The folder whose files are on the disk, and their expected hashes.
pub struct Folder {
    path: PathBuf,
    sums: Sums,
}

impl Folder {
    /// An empty folder; `sums` are the hashes of the disk's other files.
    pub fn new(path: PathBuf, sums: Sums) -> Result<Self, String> {
        fs::create_dir_all(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Self { path, sums })
    }

    /// Writes version `version` of a file with that many lines. A version with more lines begins with one that has fewer.
    pub fn write(&mut self, name: &str, version: u32, lines: u32) -> Result<(), String> {
        let text: String = (1..=lines).map(|line| format!("{name}, version {version}, line {line}\n")).collect();
        // Names that start with a dot are ignored: the file changes as a whole.
        let (spare, file) = (self.path.join(".next"), self.path.join(name));
        fs::write(&spare, text).and_then(|()| fs::rename(&spare, &file)).map_err(|e| format!("{name}: {e}"))?;
        self.sums.set(name, &file)
    }

    /// The expected hashes of all files of the disk.
    pub fn sums(&self) -> &Sums {
        &self.sums
    }

    /// Removes a file.
    pub fn remove(&mut self, name: &str) -> Result<(), String> {
        fs::remove_file(self.path.join(name)).map_err(|e| format!("{name}: {e}"))?;
        self.sums.forget(name);
        Ok(())
    }
}

/// The kernel's polling interval for every disk in milliseconds; 0 means never, which is its default. udev's rules set
/// 2000.
pub fn poll(machine: &mut Machine, period: u32) -> Result<(), String> {
    machine.must(&format!("echo {period} >/sys/module/block/parameters/events_dfl_poll_msecs"), STEP).map(|_| ())
}

/// Mounts the disk and compares it with the folder.
pub fn mount(machine: &mut Machine, folder: &Folder, disk: &str) -> Result<(), String> {
    machine.must(&format!("mount -t exfat -o ro /dev/{disk} /mnt"), STEP)?;
    stick::hashes(machine, &folder.sums)
}

/// How often the kernel has found another medium (Documentation/ABI/stable/sysfs-block, diskseq).
fn media(machine: &mut Machine) -> Result<u64, String> {
    let said = machine.must("cat /sys/block/sda/diskseq", STEP)?;
    said.parse().map_err(|_| format!("diskseq is `{said}`"))
}

/// Waits until the kernel itself has found another medium than the one with this number.
fn other_medium(machine: &mut Machine, than: u64) -> Result<(), String> {
    machine.until(&format!("[ $(cat /sys/block/sda/diskseq) -gt {than} ]"), STEP)
}

/// A change while the volume is mounted and the kernel polls: it finds that the medium is gone; the volume is unmounted,
/// and later there is a new medium.
pub fn replaced(machine: &mut Machine, change: impl FnOnce(&mut Machine) -> Result<(), String>) -> Result<(), String> {
    let before = media(machine)?;
    change(machine)?;
    other_medium(machine, before)?;
    // Opening the disk now, as udev does at each change of the medium, makes the kernel set its capacity to 0.
    let opened = machine.run("dd if=/dev/sda of=/dev/null count=1", STEP)?;
    let size = machine.must("cat /sys/block/sda/size", STEP)?;
    if opened.status == 0 || size != "0" {
        return Err(format!("the medium is not away: {size} sectors; {}", opened.text));
    }
    let away = media(machine)?;
    machine.must("umount /mnt", STEP)?;
    other_medium(machine, away)
}

/// A change while the volume is mounted and the kernel polls: it finds that the medium is gone, and later a new one; then
/// the volume is mounted again.
pub fn reinserted(
    machine: &mut Machine,
    folder: &mut Folder,
    change: impl FnOnce(&mut Folder) -> Result<(), String>,
) -> Result<Duration, String> {
    let start = Instant::now();
    replaced(machine, |_| change(folder))?;
    mount(machine, folder, "sda")?;
    within(start)
}

/// A change while the volume is mounted and not polled: the device leaves the bus and comes back.
pub fn reconnected(
    machine: &mut Machine,
    folder: &mut Folder,
    change: impl FnOnce(&mut Folder) -> Result<(), String>,
) -> Result<Duration, String> {
    machine.must("dmesg -c >/dev/null", STEP)?;
    let start = Instant::now();
    change(folder)?;
    machine.until("dmesg | grep -q 'USB disconnect'", STEP)?;
    machine.must("umount /mnt", STEP)?;
    machine.until("dmesg | grep -q 'Attached SCSI'", STEP)?;
    // The name differs if the kernel has attached it before the old volume was unmounted.
    let disk = machine.must("dmesg | sed -n 's/.*\\[\\(sd[a-z]*\\)\\] Attached SCSI.*/\\1/p' | tail -n 1", STEP)?;
    mount(machine, folder, &disk)?;
    machine.must("umount /mnt", STEP)?;
    within(start)
}

/// A change that is announced only by the unit attention: although the kernel polls and finds another medium, it shows the
/// mounted volume from its cache; mounted again, the disk is the new one. Returns what it shows after its caches were
/// dropped, which depends on the kernel.
pub fn attention_alone(machine: &mut Machine, folder: &mut Folder) -> Result<&'static str, String> {
    const HASH: &str = "sha256sum </mnt/CHANGES.TXT";
    folder.write("CHANGES.TXT", 1, 20)?;
    poll(machine, 2_000)?;
    // The file appeared before or during the mount: only a mount after its announcement shows it.
    machine.until("mount -t exfat -o ro /dev/sda /mnt && { [ -e /mnt/CHANGES.TXT ] || ! umount /mnt; }", STEP)?;
    stick::hashes(machine, &folder.sums)?;
    let old = machine.must(HASH, STEP)?;
    let before = media(machine)?;
    folder.write("CHANGES.TXT", 2, 30)?;
    other_medium(machine, before)?;
    let mounted = machine.must(HASH, STEP)?;
    if mounted != old {
        return Err(format!("the mounted volume shows {mounted} though {old} was in its cache"));
    }
    if stick::hashes(machine, &folder.sums).is_ok() {
        return Err("the mounted volume has the new truth".to_owned());
    }
    machine.must("echo 3 >/proc/sys/vm/drop_caches", STEP)?;
    let emptied = match machine.run(HASH, STEP)? {
        said if said.status != 0 => "an error",
        said if said.text == old => "the old bytes",
        _ if stick::hashes(machine, &folder.sums).is_ok() => "the new bytes",
        _ => "neither the old bytes nor the new ones",
    };
    machine.must("umount /mnt", STEP)?;
    mount(machine, folder, "sda")?;
    machine.must("umount /mnt", STEP)?;
    Ok(emptied)
}

fn within(start: Instant) -> Result<Duration, String> {
    let took = start.elapsed();
    if took <= BOUND { Ok(took) } else { Err(format!("it took {:.1} s", took.as_secs_f64())) }
}
