//! `layout`: the disk's map.

use super::{Failure, Options};
use crate::plug;
use std::io::Write;

/// `cargo sim layout`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let plan = plug::plan(options.manifest.as_deref()).map_err(Failure::Manifest)?;
    write!(out, "{}", picovd_manifest::emit(&plan).layout)?;
    Ok(())
}
