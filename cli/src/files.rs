//! `ls` and `cat`.

use super::{Failure, Options, follow, mount, plug, settle};
use picovd_sim::host::exfat::volume::{Node, Volume};
use picovd_sim::host::printed::Printed;
use std::io::Write;

/// `cargo sim ls [DIR]`.
pub fn ls(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let mut disk = mount(plug(options)?.link)?;
    let mut volume = Volume::open(&mut disk).map_err(Failure::of)?;
    let node = volume.find(options.text(0)?.unwrap_or("/")).map_err(Failure::of)?;
    let nodes = if node.is_directory() { volume.list(&node).map_err(Failure::of)? } else { vec![node] };
    for node in nodes {
        writeln!(out, "{}", line(&node))?;
    }
    settle(options, &mut disk);
    Ok(())
}

/// `cargo sim cat PATH`.
pub fn cat(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let path = options.text(0)?.unwrap_or_default();
    if options.after.is_some() || options.follow {
        return follow::show(options, path, options.follow, out);
    }
    let mut disk = mount(plug(options)?.link)?;
    let mut volume = Volume::open(&mut disk).map_err(Failure::of)?;
    let node = volume.find(path).map_err(Failure::of)?;
    if node.is_directory() {
        return Err(Failure::Failed(format!("{path} is a directory; `cargo sim ls {path}` lists it")));
    }
    let mut written = Ok(());
    let read = volume.stream_file(&node, &mut |piece| {
        if written.is_ok() {
            written = out.write_all(piece);
        }
    });
    written?;
    read.map_err(Failure::of)?;
    settle(options, &mut disk);
    Ok(())
}

/// Size and name; folders end in a slash.
pub fn line(node: &Node) -> String {
    if node.is_directory() {
        format!("{:>12}  {}/", "", Printed(&node.name))
    } else {
        format!("{:>12}  {}", node.data_length, Printed(&node.name))
    }
}
