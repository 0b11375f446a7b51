//! Ring 2: whole images of volumes, judged by independent readers.

mod generated;
mod runtime;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::{Context, Lane, Ring, harness, simulator};
use crate::command::{self, LONG, SHORT};
use crate::fatfs;
use crate::readers;
use crate::report::Report;
use crate::setup::{Package, Policy};
use crate::truth::{Expected, Truth, compare, difference};
use crate::workspace::Workspace;

/// This ring.
pub const RING: Ring = Ring {
    number: 2,
    title: "whole images against fsck.exfat, exfat-fuse, The Sleuth Kit, GRUB and FatFs",
    packages: &[
        EXFATPROGS,
        Package { name: "exfat-fuse", program: "mount.exfat-fuse", purpose: "ring 2: mounts volumes" },
        Package { name: "fuse3", program: "fusermount3", purpose: "ring 2: what exfat-fuse mounts by" },
        Package { name: "sleuthkit", program: "fls", purpose: "ring 2: reads volumes" },
        Package { name: "grub-common", program: "grub-fstest", purpose: "ring 2: reads volumes" },
        Package { name: "python3-venv", program: "python3", purpose: "ring 2: fetches the sources of FatFs" },
        Package { name: "mount", program: "losetup", purpose: "ring 2: block devices of images" },
    ],
    chip: false,
    lane: Lane::Host,
    run,
};

/// fsck.exfat, mkfs.exfat and dump.exfat.
pub const EXFATPROGS: Package =
    Package { name: "exfatprogs", program: "fsck.exfat", purpose: "strict check of volumes" };

/// TableChecksum (exFAT 7.2.2) of the recommended up-case table.
const UPCASE_CHECKSUM: u32 = 0xE619_D30D;

/// The manifest on which The Sleuth Kit aborts, and why it is skipped.
const SLEUTH_KIT_ABORTS: (&str, &str) =
    ("sleuth-kit-aborts", "The Sleuth Kit 4.11 aborts on every name of exactly 128 UTF-16 units");

/// Number of a manifest's static files that are also read one by one, each by a separate process.
const READ_ALONE: usize = 8;

fn run(context: &Context, report: &mut Report) {
    let workspace = &context.workspace;
    let Some(program) = report.check("the simulator builds", || simulator::build(workspace)) else { return };
    let Some(scratch) = report.check("a scratch folder is there", || workspace.scratch("ring2")) else { return };
    let Some(cases) = report.check("the test manifests are there", || cases(&workspace.root, &scratch)) else { return };

    let built =
        report.check("FatFs builds", || fatfs::build(workspace, &fatfs::get(workspace, Policy::Refuse)?, &scratch));
    let Some(fatfs) = built else { return };
    let bench = Bench { workspace, program: &program, scratch: &scratch, fatfs: &fatfs };
    let mut stock = None;
    judge_all(&bench, &cases, |examined| {
        for Step { name, time, result } in examined.steps {
            report.timed(&name, time, result);
        }
        if examined.name == SLEUTH_KIT_ABORTS.0 {
            report.note(&format!("skipped there: The Sleuth Kit. {}", SLEUTH_KIT_ABORTS.1));
        }
        if examined.name == "stock" {
            stock = examined.volume;
        }
    });
    runtime::run(context, report, &scratch, &fatfs);
    let mut cargo = command::cargo(&workspace.root);
    cargo.args(["test", "--package", "picovd-sim", "--test", "settings", "--", "--ignored", "ring2::"]);
    harness(report, "fsck.exfat finds a volume clean whose settings hide files, show them and change its label", cargo);
    let Some(Volume { truth, image, board }) = stock else { return };
    report.check("the up-case table is the one that mkfs.exfat writes, byte for byte", || {
        let (ours, checksum) = readers::upcase_table(&image)?;
        let (theirs, their_checksum) = readers::upcase_table(&readers::reference_volume(&scratch)?)?;
        difference(&ours, &theirs).map_or(Ok(()), Err)?;
        if (checksum, their_checksum) == (UPCASE_CHECKSUM, UPCASE_CHECKSUM) {
            Ok(())
        } else {
            Err(format!("checksums {checksum:08X} and {their_checksum:08X}"))
        }
    });
    planted(report, &bench, &truth, &image, &board);
}

/// A manifest to be judged.
struct Case {
    name: String,
    manifest: PathBuf,
}

/// The stock manifest, those of tests/manifests, and generated ones, by name.
fn cases(root: &Path, scratch: &Path) -> Result<Vec<Case>, String> {
    let folder = root.join("tests/manifests");
    let bad = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut stored = Vec::new();
    for entry in fs::read_dir(&folder).map_err(bad)? {
        let manifest = entry.map_err(bad)?.path();
        if manifest.extension().is_some_and(|end| end == "toml") {
            let name = manifest.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            stored.push(Case { name, manifest });
        }
    }
    stored.sort_by(|a, b| a.name.cmp(&b.name));
    for name in ["deep", "unicode", "long-names", "empty-files", "no-files", SLEUTH_KIT_ABORTS.0] {
        if !stored.iter().any(|case| case.name == name) {
            return Err(format!("{} has no {name}.toml", folder.display()));
        }
    }
    let mut cases = vec![Case { name: "stock".to_owned(), manifest: root.join("picovd.toml") }];
    cases.extend(stored);
    let generated = generated::write(&scratch.join("manifests"))?;
    cases.extend(generated.into_iter().map(|(name, manifest)| Case { name, manifest }));
    Ok(cases)
}

/// The means to judge a case.
#[derive(Clone, Copy)]
struct Bench<'a> {
    workspace: &'a Workspace,
    program: &'a Path,
    scratch: &'a Path,
    /// The program that reads with FatFs.
    fatfs: &'a Path,
}

/// The result of a check.
struct Step {
    name: String,
    time: Duration,
    result: Result<(), String>,
}

/// A volume as a host reads it.
struct Volume {
    truth: Truth,
    image: PathBuf,
    /// Files by path, including all that the manifest cannot predict.
    board: BTreeMap<String, Vec<u8>>,
}

/// A case with all its checks.
struct Examined {
    name: String,
    steps: Vec<Step>,
    volume: Option<Volume>,
}

/// Judges every case, several at a time, and passes them on in order.
fn judge_all(bench: &Bench<'_>, cases: &[Case], mut done: impl FnMut(Examined)) {
    let next = AtomicUsize::new(0);
    let (send, receive) = mpsc::channel();
    let workers = thread::available_parallelism().map_or(2, usize::from).min(8);
    thread::scope(|scope| {
        for _ in 0..workers {
            let (next, send) = (&next, send.clone());
            scope.spawn(move || {
                while let Some((index, case)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(index).map(|case| (index, case))
                } {
                    // After a panic there, the channel has no receiver; that ends this, too.
                    let _ = send.send((index, Examined::of(bench, case)));
                }
            });
        }
        drop(send);
        let mut waiting = BTreeMap::new();
        let mut wanted = 0;
        for (index, examined) in receive {
            waiting.insert(index, examined);
            while let Some(examined) = waiting.remove(&wanted) {
                done(examined);
                wanted += 1;
            }
        }
    });
}

impl Examined {
    fn of(bench: &Bench<'_>, case: &Case) -> Self {
        let mut examined = Self { name: case.name.clone(), steps: Vec::new(), volume: None };
        examined.volume = examined.made(bench, case);
        if let Some(volume) = examined.volume.take() {
            examined.judge(bench, &volume);
            // Images are as long as the volumes; only the stock one's is needed again.
            if examined.name == "stock" {
                examined.volume = Some(volume);
            } else if examined.steps.iter().all(|step| step.result.is_ok()) {
                // Leftovers do no harm.
                let _ = fs::remove_file(&volume.image);
            }
        }
        examined
    }

    fn check<T>(&mut self, what: &str, check: impl FnOnce() -> Result<T, String>) -> Option<T> {
        let start = Instant::now();
        let (result, value) = match check() {
            Ok(value) => (Ok(()), Some(value)),
            Err(reason) => (Err(reason), None),
        };
        self.steps.push(Step { name: format!("{}: {what}", self.name), time: start.elapsed(), result });
        value
    }

    /// Reads the volume through the simulated bus.
    fn made(&mut self, bench: &Bench<'_>, Case { name, manifest }: &Case) -> Option<Volume> {
        let Bench { workspace, program, scratch, .. } = *bench;
        let image = scratch.join(format!("{name}.img"));
        let truth = self.check("the manifest says what to expect", || Truth::read(manifest))?;
        self.check("the volume is read through USB", || simulator::image(workspace, program, manifest, &image))?;
        self.check("the host holds it against the specification and finds nothing", || {
            let mut check = simulator::command(workspace, program);
            command::run(check.arg("check").arg("--manifest").arg(manifest), LONG).map(|_| ())
        })?;
        let mut alone = Truth::default();
        let mut left = READ_ALONE;
        for (path, expected) in &truth.files {
            if matches!(expected, Expected::Board) || left > 0 {
                left = left.saturating_sub(usize::from(*expected != Expected::Board));
                alone.files.insert(path.clone(), expected.clone());
            }
        }
        let what = format!("the host reads {} of {} files alone right", alone.files.len(), truth.files.len());
        let board = self.check(&what, || {
            let files = simulator::files(workspace, program, manifest, &alone)?;
            for (path, expected) in &alone.files {
                if let (Expected::Bytes(expected), Some(seen)) = (expected, files.get(path)) {
                    difference(seen, expected).map_or(Ok(()), |what| Err(format!("{path}: {what}")))?;
                }
            }
            Ok(files)
        })?;
        Some(Volume { truth, image, board })
    }

    /// Has every reader judge the image.
    fn judge(&mut self, bench: &Bench<'_>, Volume { truth, image, board }: &Volume) {
        // Two cases at a time need two mount points.
        let scratch = bench.scratch.join(&self.name);
        self.check("fsck.exfat finds it clean", || readers::fsck(truth, image));
        self.check("exfat-fuse mounts it, every file is right", || {
            compare(truth, &readers::fuse(image, &scratch)?, board)
        });
        if self.name != SLEUTH_KIT_ABORTS.0 {
            self.check("The Sleuth Kit reads every file right", || {
                compare(truth, &readers::sleuth_kit(image, &scratch)?, board)
            });
        }
        self.check("GRUB reads every file right", || compare(truth, &readers::grub(truth, image)?, board));
        self.check("FatFs reads every file right", || compare(truth, &readers::fatfs(bench.fatfs, image)?, board));
    }
}

/// Checks the judges: one changed byte of a file, and one free cluster marked as used, must be noticed.
fn planted(report: &mut Report, bench: &Bench<'_>, truth: &Truth, image: &Path, board: &BTreeMap<String, Vec<u8>>) {
    let Bench { scratch, fatfs, .. } = *bench;
    let copy = scratch.join("planted.img");
    let spoilt = report.check("a planted wrong byte is put into a copy of the image", || {
        let mut disk = fs::read(image).map_err(|e| format!("{}: {e}", image.display()))?;
        let (path, bytes) = truth
            .files
            .iter()
            .filter_map(|(path, expected)| match expected {
                Expected::Bytes(bytes) if bytes.len() >= 64 => Some((path, bytes)),
                _ => None,
            })
            .max_by_key(|(_, bytes)| bytes.len())
            .ok_or("the stock manifest has no static file of 64 bytes")?;
        let at = disk.windows(bytes.len()).step_by(512).position(|window| window == bytes.as_slice());
        let at = at.ok_or_else(|| format!("{path} is nowhere in the image"))? * 512 + bytes.len() - 1;
        disk[at] ^= 1;
        fs::write(&copy, disk).map_err(|e| format!("{}: {e}", copy.display()))
    });
    if spoilt.is_some() {
        let noticed = |result: Result<(), String>| match result {
            Ok(()) => Err("it was not noticed".to_owned()),
            Err(_) => Ok(()),
        };
        report.check("exfat-fuse: the planted byte is noticed", || {
            noticed(compare(truth, &readers::fuse(&copy, scratch)?, board))
        });
        report.check("The Sleuth Kit: the planted byte is noticed", || {
            noticed(compare(truth, &readers::sleuth_kit(&copy, scratch)?, board))
        });
        report.check("GRUB: the planted byte is noticed", || {
            noticed(compare(truth, &readers::grub(truth, &copy)?, board))
        });
        report.check("FatFs: the planted byte is noticed", || {
            noticed(compare(truth, &readers::fatfs(fatfs, &copy)?, board))
        });
    }
    report.check("fsck.exfat: a name hash changed by one bit is noticed", || {
        let mut disk = fs::read(image).map_err(|e| format!("{}: {e}", image.display()))?;
        // The first Stream Extension entry (C0h after a File entry 85h): the set's checksum covers its NameHash (exFAT
        // 7.6.4) as well.
        let at = (0..disk.len().saturating_sub(64)).step_by(32).find(|at| disk[*at] == 0x85 && disk[at + 32] == 0xC0);
        let at = at.ok_or("the image has no file entry")?;
        disk[at + 32 + 4] ^= 1;
        fs::write(&copy, disk).map_err(|e| format!("{}: {e}", copy.display()))?;
        // The error must be about the volume, not about a wrong call.
        match readers::fsck(truth, &copy) {
            Err(said) if said.contains("exfatprogs version") => Ok(()),
            other => Err(format!("it was not noticed: {other:?}")),
        }
    });
    report.check("dump.exfat reads the boot sector", || {
        let text = command::run(command::program("dump.exfat").arg(image), SHORT)?.text();
        if text.contains("Volume Length") { Ok(()) } else { Err(text) }
    });
}
