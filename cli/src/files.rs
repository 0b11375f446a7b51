//! `ls` and `cat`.

use crate::device::{Device, Moment};
use crate::{Failure, follow, mount, mounted};
use clap::Args;
use picovd_sim::host::exfat::volume::{Node, Volume};
use picovd_sim::host::printed::Printed;
use std::io::Write;
use std::path::Path;

/// List a directory
///
/// One line for each entry: size in bytes, then name; folders end in /.
#[derive(Args)]
pub struct Ls {
    /// The directory, with / between folders (default: the root directory)
    #[arg(value_name = "DIR")]
    folder: Option<String>,
    #[command(flatten)]
    pub device: Device,
}

impl Ls {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let mut disk = mount(self.device.plug()?.link)?;
        let mut volume = Volume::open(&mut disk).map_err(Failure::of)?;
        let node = volume.find(self.folder.as_deref().unwrap_or("/")).map_err(Failure::of)?;
        let nodes = if node.is_directory() { volume.list(&node).map_err(Failure::of)? } else { vec![node] };
        for node in nodes {
            writeln!(out, "{}", line(&node))?;
        }
        self.device.settle(&mut disk);
        Ok(())
    }
}

/// Write a file's bytes to standard output
///
/// FILE is a file on the manifest's disk; or one of a stick that this system has mounted, such as /media/me/PICOVD/SRAM.BIN: a
/// path that is absolute or begins with ./ or ../, and exists, without --manifest and --elf. Such a file is read past the
/// system's cache: memory is what it is now. Its length is that of the last mount.
#[derive(Args)]
pub struct Cat {
    /// The file, with / between folders. As on any exFAT volume, case is ignored
    #[arg(value_name = "FILE")]
    path: String,
    #[command(flatten)]
    moment: Moment,
    #[command(flatten)]
    pub device: Device,
}

impl Cat {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let path = &self.path;
        if !self.device.is_specified() && mounted::is_meant(path) {
            if self.moment.after.is_some() || self.moment.follow {
                return Err(Failure::Usage(format!("{path} is on this system: `tail` follows it")));
            }
            return mounted::read(Path::new(path), &mut |piece| out.write_all(piece));
        }
        if self.moment.after.is_some() || self.moment.follow {
            return follow::show(&self.device, path, self.moment.after, self.moment.follow, out);
        }
        let mut disk = mount(self.device.plug()?.link)?;
        let mut volume = Volume::open(&mut disk).map_err(Failure::of)?;
        let node = volume.find(path).map_err(Failure::of)?;
        if node.is_directory() {
            return Err(Failure::Failed(format!("{path} is a directory; `ls {path}` lists it")));
        }
        let mut written = Ok(());
        let read = volume.stream_file(&node, &mut |piece| {
            if written.is_ok() {
                written = out.write_all(piece);
            }
        });
        written?;
        read.map_err(Failure::of)?;
        self.device.settle(&mut disk);
        Ok(())
    }
}

/// Size and name; folders end in a slash.
pub fn line(node: &Node) -> String {
    if node.is_directory() {
        format!("{:>12}  {}/", "", Printed(&node.name))
    } else {
        format!("{:>12}  {}", node.data_length, Printed(&node.name))
    }
}
