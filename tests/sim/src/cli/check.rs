//! `check`: the volume against the standard.

use super::{Failure, Options, measured, mount, plug};
use crate::host::BlockSource;
use crate::host::exfat::check::check;
use crate::host::source::ImageFile;
use std::io::Write;
use std::path::Path;

/// `cargo sim check [IMAGE]`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    match options.arguments.first() {
        Some(path) => report(&mut ImageFile::open(Path::new(path)).map_err(Failure::of)?, out),
        None => {
            let mut disk = mount(plug(options)?.link)?;
            report(&mut disk, out)?;
            measured(&mut disk, out)
        }
    }
}

/// Prints what the checker finds.
pub fn report(source: &mut dyn BlockSource, out: &mut dyn Write) -> Result<(), Failure> {
    let findings = check(source).map_err(Failure::of)?;
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    match findings.len() {
        0 => Ok(writeln!(out, "the volume follows the exFAT specification")?),
        count => Err(Failure::Failed(format!("{count} finding{}", if count == 1 { "" } else { "s" }))),
    }
}
