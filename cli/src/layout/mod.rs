//! `layout`: the disk's map, as a table, as JSON and as a drawing.

mod json;
mod svg;

use super::{Failure, Options};
use std::fs;
use std::io::Write;

/// What `cargo sim layout --help` adds.
pub const DETAILS: &str = "What the manifest decides, without plugging the device in: LBA and length of each region in blocks of 512\n\
                           bytes, what it holds, the exFAT specification's clause, and the file's or directory's path.\n\n\
                           --json      the same for programs\n\
                           --svg FILE  draw the map into FILE, or to standard output for -";

/// `cargo sim layout`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let plan = super::plan(options)?;
    let drawing = |path: &std::path::Path| {
        fs::write(path, svg::drawing(&plan)).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
    };
    match &options.svg {
        Some(path) if path.as_os_str() == "-" => write!(out, "{}", svg::drawing(&plan))?,
        Some(path) => drawing(path)?,
        None if options.json => write!(out, "{}", json::text(&plan))?,
        None => write!(out, "{}", picovd_manifest::emit(&plan).layout)?,
    }
    Ok(())
}
