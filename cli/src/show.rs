//! `show`, also without any command: the stick in operation.

use crate::device::Device;
use crate::progress::Progress;
use crate::watch::{self, Until};
use crate::{Failure, check, files, measured, mount};
use clap::Args;
use picovd_manifest::{BuiltInSource, DiskPlan, Partitions};
use picovd_sim::demo;
use picovd_sim::host::exfat::volume::{ExfatError, Node, Volume};
use picovd_sim::host::printed::Printed;
use picovd_sim::truth::TrueFile;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

/// Maximum time to wait for the sample sensor, in simulated time.
const LONGEST: Duration = Duration::from_secs(180);

/// Plug the device in, print its disk, read and check every file, see one change (the default)
///
/// Prints the disk's map and the directory tree with sizes, reads every file through USB packets, compares it with the
/// manifest, and checks the volume against the exFAT specification. With --elf, prints what the board has measured at the
/// end: bytes per frame, NAKs per packet, processor cycles per sector, and the margin that the driver has to arm an
/// endpoint again before the next token (so do image and check).
///
/// Without --elf, it ends with a sample sensor, whose file appears and changes while a host has the volume mounted, if the
/// manifest has room for one; with --watch, this continues in real time until Ctrl-C, also with --elf. Changes in all
/// folders are listed, with the new lines.
#[derive(Args)]
pub struct Show {
    /// Continue in real time until Ctrl-C
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    pub device: Device,
}

impl Show {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let plug = match self.device.elf {
            None => self.device.plug_with(demo::start)?,
            Some(_) => self.device.plug()?,
        };
        write!(out, "The disk, from the manifest:\n\n{}\n", picovd_manifest::emit(&plug.plan).layout)?;

        let mut disk = mount(plug.link)?;
        let device = &disk.initiator.device;
        let (id, serial) = (&device.descriptor, device.serial_number().unwrap_or("none"));
        writeln!(
            out,
            "Plugged in: USB device {:04x}:{:04x}, serial number {}",
            id.vendor,
            id.product,
            Printed(serial)
        )?;
        let mut volume = Volume::open(&mut disk).map_err(Failure::of)?;
        writeln!(out, "Mounted: exFAT volume {:?}\n", volume.label())?;
        let root = volume.root();
        let mut found = BTreeMap::new();
        tree(&mut volume, &root, "", 0, &mut found, out)?;

        let (mut made, count) = (0, plug.files.len());
        let total = plug.files.iter().map(|file| file.bytes.len() as u64).sum();
        compare(&mut volume, &mut found, &plug.files, total)?;
        // The contents of the firmware's own files are unknown to the manifest: they only have to be readable.
        for (path, node) in &found {
            if !is_made(&plug.plan, path) {
                return Err(Failure::Failed(format!("{} is on the disk but not in the manifest", Printed(path))));
            }
            volume.stream_file(node, &mut |_| {}).map_err(Failure::of)?;
            made += 1;
        }
        writeln!(out, "\nRead {count} files, {total} bytes, through USB packets: all match the manifest")?;
        if made > 0 {
            writeln!(out, "Read {made} files that the board generates by itself")?;
        }
        check::report_disk(&mut disk, out)?;
        measured(&mut disk, out)?;
        self.device.settle(&mut disk);
        let link = disk.initiator.host.into_link();
        match self.ending(&plug.plan) {
            Ending::None => Ok(()),
            Ending::LeftOut(reason) => Ok(writeln!(out, "\nThe sample sensor is not shown: {reason}")?),
            Ending::Watch { sensor } => {
                writeln!(out, "\nWatching as a Linux desktop does, until Ctrl-C:")?;
                if sensor {
                    demo::plug_in();
                }
                watch::run(link, &plug.plan, &Until::Stopped, out)
            }
            Ending::Temperature => {
                let path = demo::PATH;
                writeln!(
                    out,
                    "\nNow the board reads its temperature into {path}; a Linux desktop, which polls every two seconds, sees:"
                )?;
                watch::run(link, &plug.plan, &Until::Changes(path, LONGEST), out)
            }
            Ending::Sensor(longest) => {
                let path = demo::PATH;
                writeln!(
                    out,
                    "\nNow an application registers {path}; a Linux desktop, which polls every two seconds, sees:"
                )?;
                demo::plug_in();
                watch::run(link, &plug.plan, &Until::Changes(path, longest), out)
            }
        }
    }

    /// The sensor is expected to show if the manifest has room for it and allows hosts to be notified.
    fn ending(&self, plan: &DiskPlan) -> Ending {
        let obstacle = demo::obstacle(plan);
        if self.watch {
            return Ending::Watch { sensor: self.device.elf.is_none() && obstacle.is_none() };
        }
        if self.device.elf.is_some() {
            return Ending::None;
        }
        if plan.built_in.iter().any(|file| file.source == BuiltInSource::Temperature) {
            return Ending::Temperature;
        }
        match (obstacle, demo::patience(plan)) {
            (Some(reason), _) => Ending::LeftOut(reason),
            (None, None) => {
                Ending::LeftOut("with [dynamic] refresh = \"attention\" a mounted volume does not change".to_owned())
            }
            (None, Some(longest)) if longest > LONGEST => Ending::LeftOut(format!(
                "by [dynamic] max-age and hold, a desktop sees two readings within {} s; --watch waits for them",
                longest.as_secs()
            )),
            (None, Some(longest)) => Ending::Sensor(longest),
        }
    }
}

/// What follows after everything was read.
enum Ending {
    None,
    /// The stock firmware's own sensor.
    Temperature,
    /// The sensor cannot be shown, for this reason.
    LeftOut(String),
    /// The volume is watched forever, with or without the sensor.
    Watch {
        sensor: bool,
    },
    /// Two readings of the sensor are seen within that time.
    Sensor(Duration),
}

/// Prints a directory and everything below it, and collects the files by path.
fn tree(
    volume: &mut Volume<'_>,
    directory: &Node,
    path: &str,
    depth: usize,
    found: &mut BTreeMap<String, Node>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    for node in volume.list(directory).map_err(Failure::of)? {
        writeln!(out, "{}{}", "    ".repeat(depth), files::line(&node))?;
        let below = format!("{path}{}", node.name);
        if node.is_directory() {
            tree(volume, &node, &format!("{below}/"), depth + 1, found, out)?;
        } else {
            found.insert(below, node);
        }
    }
    Ok(())
}

/// Reads every file and compares it with the manifest. Of a live file only the length is compared, since its bytes change.
fn compare(
    volume: &mut Volume<'_>,
    found: &mut BTreeMap<String, Node>,
    files: &[TrueFile],
    total: u64,
) -> Result<(), Failure> {
    let mut progress = Progress::new("reading", total);
    let mut done = 0;
    for file in files {
        let path = &file.path;
        let node = found.remove(path).ok_or_else(|| Failure::Failed(format!("{path} is not on the disk")))?;
        let bytes = read(volume, &node, &mut progress, &mut done).map_err(Failure::of)?;
        if bytes.len() != file.bytes.len() {
            return Err(Failure::Failed(format!("{path} has {} bytes, not {}", bytes.len(), file.bytes.len())));
        }
        if let Some(at) = bytes.iter().zip(&file.bytes).position(|(a, b)| a != b).filter(|_| !file.live) {
            return Err(Failure::Failed(format!("{path} differs from the manifest at byte {at}")));
        }
    }
    Ok(())
}

/// Whether it is a file of the firmware (logs, descriptions, partitions), or may be one of the application.
fn is_made(plan: &DiskPlan, path: &str) -> bool {
    let Partitions { enabled, folder } = &plan.partitions;
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let built_in = plan.built_in.iter().any(|file| file.path == path);
    plan.changes.files > 0 || built_in || (*enabled && parent == folder && path.ends_with(".BIN"))
}

fn read(volume: &mut Volume<'_>, node: &Node, progress: &mut Progress, done: &mut u64) -> Result<Vec<u8>, ExfatError> {
    let mut bytes = Vec::new();
    volume.stream_file(node, &mut |piece| {
        bytes.extend_from_slice(piece);
        *done += piece.len() as u64;
        progress.at(*done);
    })?;
    Ok(bytes)
}
