//! `image`: the whole volume as a file.

use super::progress::Progress;
use super::{Failure, Options, measured, mount, plug};
use crate::host::BlockSource;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// Blocks per read: 120 KiB.
const STEP: u64 = 240;
const BLOCK_LENGTH: u64 = 512;

/// `cargo sim image OUT.img`.
pub fn run(options: &Options, out: &mut dyn Write) -> Result<(), Failure> {
    let Some(path) = options.arguments.first().map(Path::new) else { return Ok(()) };
    let mut disk = mount(plug(options)?.link)?;
    let blocks = disk.block_count();
    let fail = |error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    let mut file = File::create(path).map_err(fail)?;
    let mut progress = Progress::new("reading", blocks * BLOCK_LENGTH);
    let mut lba = 0;
    while lba < blocks {
        let count = STEP.min(blocks - lba);
        let data = disk.read(lba, count as u32).map_err(Failure::of)?;
        for (index, block) in data.chunks(BLOCK_LENGTH as usize).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                file.seek(SeekFrom::Start((lba + index as u64) * BLOCK_LENGTH)).map_err(fail)?;
                file.write_all(block).map_err(fail)?;
            }
        }
        lba += count;
        progress.at(lba * BLOCK_LENGTH);
    }
    file.set_len(blocks * BLOCK_LENGTH).map_err(fail)?;
    drop(progress);
    writeln!(out, "{}: {blocks} blocks, {} KiB", path.display(), blocks * BLOCK_LENGTH / 1024)?;
    measured(&mut disk, out)
}
