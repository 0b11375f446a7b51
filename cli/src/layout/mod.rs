//! `layout`: the disk's map, as a table, as JSON and as a drawing.

mod json;
mod svg;

use crate::Failure;
use crate::device::Manifest;
use clap::Args;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Print the disk's map, or draw it (--json, --svg FILE)
///
/// Shows what the manifest determines, without plugging the device in: LBA and length of each region in blocks of 512
/// bytes, its contents, the clause of the exFAT specification, and the file's or directory's path.
#[derive(Args)]
pub struct Layout {
    #[command(flatten)]
    manifest: Manifest,
    /// The same for programs
    #[arg(long)]
    json: bool,
    /// Draw the map into FILE, or to standard output for -
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// A package's `cargo sim` also passes its program; the map is that of its manifest.
    #[arg(long, hide = true)]
    elf: Option<PathBuf>,
}

impl Layout {
    /// Runs the command.
    pub fn run(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let plan = self.manifest.plan()?;
        let drawing = |path: &std::path::Path| {
            fs::write(path, svg::drawing(&plan))
                .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
        };
        match &self.svg {
            Some(path) if path.as_os_str() == "-" => write!(out, "{}", svg::drawing(&plan))?,
            Some(path) => drawing(path)?,
            None if self.json => write!(out, "{}", json::text(&plan))?,
            None => write!(out, "{}", picovd_manifest::emit(&plan).layout)?,
        }
        Ok(())
    }
}
