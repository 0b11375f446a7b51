//! What users do with the stick in the guest: wait for it, mount it, read, try to write, unplug it. Each step reports what
//! went wrong.
//!
//! Nothing here relies on a fast machine: the guest waits until the kernel is done, and limits are only for what would
//! never end.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::machine::Machine;
use crate::command::{self, SHORT};
use crate::traffic::Record;
use crate::truth::{Expected, Truth};
use picovd_host::printed::Printed;

/// Limit for a command in the guest.
pub const STEP: Duration = Duration::from_secs(120);
/// Limit for commands that read the whole stick.
pub const READ: Duration = Duration::from_secs(300);

/// The expected hashes of the files.
#[derive(Debug, Default)]
pub struct Sums {
    /// By path; `None` for files of memory that changes while it is read.
    files: BTreeMap<String, Option<String>>,
}

impl Sums {
    /// Hashes of a manifest's files. Contents that are in the manifest are hashed from there; the contents of a board's
    /// memory are hashed from `board`, the folder that `cargo sim serve --truth` has filled.
    pub fn new(manifest: &Path, board: &Path) -> Result<Self, String> {
        let truth = Truth::read(manifest)?;
        let spare = board.join(".static");
        let mut files = BTreeMap::new();
        for (path, expected) in truth.files {
            let file = board.join(&path);
            let sum = match expected {
                Expected::Bytes(bytes) => {
                    fs::write(&spare, bytes).map_err(|e| format!("{}: {e}", spare.display()))?;
                    Some(sha256(&spare)?)
                }
                Expected::Board if file.exists() => Some(sha256(&file)?),
                Expected::Board => None,
            };
            files.insert(path, sum);
        }
        if files.values().all(Option::is_none) {
            return Err(format!("{} has no file that can be hashed", manifest.display()));
        }
        Ok(Self { files })
    }

    /// From now on, `path` must have the hash that `file` has now.
    pub fn set(&mut self, path: &str, file: &Path) -> Result<(), String> {
        self.files.insert(path.to_owned(), Some(sha256(file)?));
        Ok(())
    }

    /// From now on, `path` must not exist.
    pub fn forget(&mut self, path: &str) {
        self.files.remove(path);
    }

    /// The hash of one file.
    pub fn of(&self, path: &str) -> Result<&str, String> {
        self.files.get(path).and_then(Option::as_deref).ok_or_else(|| format!("no hash is known for {path}"))
    }
}

/// The hash of a file on this side, from this side's `sha256sum`.
pub fn sha256(path: &Path) -> Result<String, String> {
    let said = command::run(Command::new("sha256sum").arg(path), SHORT)?.text();
    said.split_whitespace()
        .next()
        .map(str::to_owned)
        .ok_or_else(|| format!("sha256sum of {}: `{said}`", path.display()))
}

/// Waits for the disk, and until the kernel has examined it completely.
pub fn appears(machine: &mut Machine) -> Result<(), String> {
    // The node exists before the kernel reads a partition table; this line comes after that (drivers/scsi/sd.c, sd_probe).
    let found = "dmesg | grep -q 'sda. Attached SCSI'";
    match machine.until(&format!("[ -b /dev/sda ] && {found}"), STEP) {
        Ok(()) => Ok(()),
        Err(e) => Err(format!("{e}\n{}", command::tail(&machine.must("dmesg", STEP)?, 40))),
    }
}

/// Waits until the unplugged disk is gone, and clears the kernel's log.
pub fn disappears(machine: &mut Machine) -> Result<(), String> {
    machine.until("[ ! -b /dev/sda ]", STEP)?;
    machine.must("dmesg -c >/dev/null", STEP).map(|_| ())
}

/// Waits until the kernel has no requests pending for the disk, and returns its requests since the last call.
pub fn settle(machine: &mut Machine, record: &mut Record) -> Result<Vec<String>, String> {
    // Read-ahead continues after the command that caused it.
    machine.until("read -r r w </sys/block/sda/inflight && [ $((r + w)) = 0 ]", STEP)?;
    record.settle()
}

/// Hashes every file in the guest, and compares them with the expected ones: none may be missing or unexpected. Files of
/// changing memory only have to be readable.
pub fn hashes(machine: &mut Machine, sums: &Sums) -> Result<(), String> {
    let said = machine.must("cd /mnt && find . -type f -exec sha256sum {} +; cd /", READ)?;
    let mut seen = BTreeMap::new();
    for line in said.lines() {
        let (hash, path) = line.split_once("  ./").ok_or_else(|| format!("not a hash: {}", Printed(line)))?;
        seen.insert(path.to_owned(), hash.to_owned());
    }
    let mut wrong = Vec::new();
    for (path, expected) in &sums.files {
        match (seen.remove(path), expected) {
            (None, _) => wrong.push(format!("{} is missing", Printed(path))),
            (Some(hash), Some(expected)) if hash != *expected => {
                wrong.push(format!("{} has hash {}, should have {expected}", Printed(path), Printed(&hash)));
            }
            (Some(_), _) => {}
        }
    }
    wrong.extend(seen.into_keys().map(|path| format!("{} is not in the manifest", Printed(&path))));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

/// Looks for lines in the kernel's log that a healthy stick never causes.
pub fn quiet(machine: &mut Machine) -> Result<(), String> {
    let complaints = complaints(&machine.must("dmesg", STEP)?);
    if complaints.is_empty() { Ok(()) } else { Err(complaints) }
}

fn complaints(log: &str) -> String {
    const WORDS: [&str; 14] = [
        "error",
        "fail",
        "warn",
        "invalid",
        "corrupt",
        "exfat-fs",
        "reset",
        "unaligned",
        "assum",
        "timeout",
        "timed out",
        "bug",
        "offline",
        "stall",
    ];
    // Every unit reports its power-on once. The others come from a guest that gets too little of the machine.
    const ALLOWED: [&str; 5] = ["power-on or device reset occurred", "clocksource:", "hrtimer:", "rcu:", "sched: rt"];
    let found = |words: &[&str], line: &str| words.iter().any(|word| line.contains(word));
    let lines = log.lines().filter(|line| {
        let line = line.to_lowercase();
        found(&WORDS, &line) && !found(&ALLOWED, &line)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Tries to write to files and to blocks.
pub fn read_only(machine: &mut Machine) -> Result<(), String> {
    let flag = machine.must("cat /sys/block/sda/ro", STEP)?;
    if flag != "1" {
        return Err(format!("/sys/block/sda/ro is {flag}"));
    }
    for line in ["echo x >/mnt/NEW.TXT", "mount -o remount,rw /mnt", "echo x >/mnt/README.TXT", "rm -f /mnt/README.TXT"]
    {
        let said = machine.run(line, STEP)?;
        let words = said.text.to_lowercase();
        // The kernel refuses to remount a write-protected device with EACCES.
        let reasons = ["read-only", "write-protected", "permission denied"];
        if said.status == 0 || !reasons.iter().any(|reason| words.contains(reason)) {
            return Err(format!("`{line}` ended {}: {}", said.status, said.text));
        }
    }
    let said = machine.run("dd if=/dev/zero of=/dev/sda bs=512 count=1 conv=fsync", STEP)?;
    if said.status == 0 { Err("the disk could be written".to_owned()) } else { Ok(()) }
}

/// Sends commands that are refused although they expect data, which ends with a halted pipe: after CLEAR_FEATURE, both
/// sides start with DATA0 (USB 2.0 9.4.5). Several in a row, with a read of an odd number of packets in between, cover both
/// states of the toggle.
pub fn halts(machine: &mut Machine, record: &mut Record) -> Result<(), String> {
    settle(machine, record)?;
    for _ in 0..3 {
        let said = machine.run("sg_inq --force --page=0xb0 /dev/sg0", STEP)?;
        if said.status == 0 {
            return Err(format!("a page that does not exist was delivered: {}", said.text));
        }
    }
    machine.must("echo 3 >/proc/sys/vm/drop_caches; cat /mnt/README.TXT >/dev/null", STEP)?;
    let during = settle(machine, record)?;
    if during.iter().any(|line| line == "bus reset") {
        return Err(format!("the kernel had to reset the device\n{}", during.join("\n")));
    }
    let refused = during.iter().filter(|line| line.starts_with("INQUIRY VPD B0h") && line.ends_with("\t1")).count();
    if refused == 3 { Ok(()) } else { Err(format!("{refused} refusals instead of 3\n{}", during.join("\n"))) }
}

/// Resets the bus while a file is being read, as soon as part of it has arrived. The reader must not notice.
pub fn reset_during_read(machine: &mut Machine, record: &mut Record, sums: &Sums) -> Result<(), String> {
    let mut seen = String::new();
    // Sectors, the third number of `stat`. If the reader is done before the reset, try again.
    for sectors in [200, 50, 500, 1000, 200, 50] {
        machine.must("echo 3 >/proc/sys/vm/drop_caches; dmesg -c >/dev/null", STEP)?;
        settle(machine, record)?;
        let line = format!(
            "read -r a b start d </sys/block/sda/stat; sha256sum /mnt/FLASH.BIN >/tmp/sum & \
             while read -r a b now d </sys/block/sda/stat; [ $((now - start)) -lt {sectors} ]; do :; done; \
             sg_reset --bus /dev/sg0; wait"
        );
        machine.must(&line, READ)?;
        let during = settle(machine, record)?;
        let sum = machine.must("cat /tmp/sum", STEP)?;
        if sum.split_whitespace().next() != Some(sums.of("FLASH.BIN")?) {
            let log = command::tail(&machine.must("dmesg", STEP)?, 40);
            return Err(format!("`{sum}` should be {}\n{log}", sums.of("FLASH.BIN")?));
        }
        let reset = during.iter().position(|line| line == "bus reset").unwrap_or(during.len());
        let (before, after) = during.split_at(reset);
        let reads = |lines: &[String]| lines.iter().filter(|line| line.starts_with("READ(10)")).count();
        if reads(before) > 0 && reads(after) > 0 {
            return Ok(());
        }
        seen += &format!("after {sectors} sectors: {} reads, then the reset, then {}\n", reads(before), reads(after));
    }
    Err(format!("no reset fell into a read:\n{seen}"))
}

/// Suspends and resumes the guest's devices.
pub fn suspend(machine: &mut Machine, sums: &Sums) -> Result<(), String> {
    machine.must("echo devices >/sys/power/pm_test && echo freeze >/sys/power/state", READ)?;
    machine.must("echo 3 >/proc/sys/vm/drop_caches", STEP)?;
    let log = machine.must("dmesg", STEP)?;
    if !log.contains("suspend debug") || !log.contains("PM: suspend exit") {
        return Err(format!("the kernel did not suspend\n{}", command::tail(&log, 20)));
    }
    hashes(machine, sums)
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn complaints_are_told_from_news() {
        assert_eq!(complaints("sd 2:0:0:0: [sda] Write Protect is on\nsda: sda1\n"), "");
        assert_eq!(complaints("sd 2:0:0:0: Power-on or device reset occurred\n"), "");
        assert_eq!(complaints("clocksource: timekeeping watchdog: marked unstable, failed\n"), "");
        let bad = "exFAT-fs (sda): failed to load upcase table (err : -22)";
        assert_eq!(complaints(&format!("fine\n{bad}\n")), bad);
        assert_ne!(complaints("usb 1-1: reset full-speed USB device number 2 using xhci_hcd"), "");
        assert_ne!(complaints("blk_update_request: I/O error, dev sda, sector 0"), "");
    }
}
