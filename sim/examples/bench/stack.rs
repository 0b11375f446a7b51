//! How deep the firmware's stack gets: every story, and a host that mounts the volume and reads every file, on a board whose
//! stack is painted before the firmware starts.
//!
//! What nothing here does is not measured: above all a panic, after which nothing has to work any more.

use super::partitioned::program;
use picovd_manifest::DiskPlan;
use picovd_sim::board::{ChipIdentity, ElfDevice};
use picovd_sim::host::exfat::{Node, Volume};
use picovd_sim::host::scsi::Disk;
use picovd_sim::host::{Host, Initiator};
use picovd_sim::link::Link;
use picovd_sim::story::{Effort, stories};
use std::error::Error;
use std::time::Duration;

/// What a host did, and what it took.
pub struct Depth {
    /// Bytes of stack until the processor sleeps for the first time.
    pub to_start: u32,
    /// Bytes of stack from then on.
    pub to_run: u32,
    /// Bytes that there are.
    pub room: u32,
    /// What was done.
    pub what: String,
}

/// Plays everything. Fails when the firmware does: what a broken one takes says nothing.
pub fn depths(elf: &[u8], plan: &DiskPlan) -> Result<Vec<Depth>, Box<dyn Error>> {
    let flash_size = plan.chip.flash_size as usize;
    let mut depths = Vec::new();
    for story in stories(&plan.usb) {
        let mut device = board(elf, flash_size)?;
        // The program may change files by itself.
        story
            .play(&mut device, Effort { changing: true, ..Effort::EMULATED })
            .map_err(|error| format!("story {}: {error}", story.name))?;
        depths.push(depth(&mut device, format!("story {}", story.name))?);
    }
    let mut device = board(elf, flash_size)?;
    program(&mut device, flash_size)?;
    read_everything(&mut device)?;
    // What is announced later, and a second look at it.
    device.elapse(Duration::from_secs(15));
    read_everything(&mut device)?;
    depths.push(depth(&mut device, "every file, beside a partition table".to_owned())?);
    Ok(depths)
}

fn board(elf: &[u8], flash_size: usize) -> Result<ElfDevice, Box<dyn Error>> {
    let mut device = ElfDevice::with_board(elf, flash_size, ChipIdentity::default())?;
    if device.machine().watch_stack() { Ok(device) } else { Err("the firmware's stack is not in SRAM".into()) }
}

fn depth(device: &mut ElfDevice, what: String) -> Result<Depth, Box<dyn Error>> {
    if let Some(fault) = device.fault() {
        return Err(format!("{what}: {fault}").into());
    }
    let stack = device.machine().stack().ok_or("the stack is not watched")?;
    Ok(Depth { to_start: stack.to_start(), to_run: stack.to_run(), room: stack.room(), what })
}

/// Mounts the volume, and reads each file in each folder.
fn read_everything(device: &mut ElfDevice) -> Result<(), Box<dyn Error>> {
    let mut disk = Disk::open(Initiator::attach(Host::new(Box::new(device)))?)?;
    let mut volume = Volume::open(&mut disk)?;
    let mut folders: Vec<Node> = vec![volume.root()];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for node in volume.list(&folder)? {
            if node.is_directory() {
                folders.push(node);
            } else {
                volume.read_file(&node)?;
                files += 1;
            }
        }
    }
    if files == 0 { Err("there is no file to read".into()) } else { Ok(()) }
}
