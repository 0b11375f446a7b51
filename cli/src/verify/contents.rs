//! The manifest that a board has in flash: whether its files' contents are as they were written.

use super::problem::{Problem, Problems};
use picovd_sim::host::exfat::volume::Volume;
use picovd_sim::layout::{Compiled, stock};

/// The file that shows flash from its start on.
const FLASH: &str = "FLASH.BIN";

/// Checks each content's checksum, if the disk shows flash and there is a compiled manifest: the firmware itself checks only
/// the tables.
pub fn check(volume: &mut Volume<'_>, problems: &mut Problems) {
    let Ok(node) = volume.find(FLASH) else { return };
    // What cannot be read is reported where every file is read.
    let Ok(flash) = volume.read_file(&node) else { return };
    let Some(block) = flash.get(stock::MANIFEST as usize..) else { return };
    let words: Vec<u32> = block.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word)).collect();
    let Ok(compiled) = Compiled::read(&words) else { return };
    let end = stock::MANIFEST + compiled.tables().len() as u32 * 4 + compiled.contents().len() as u32;
    if compiled.redacted().iter().any(|range| range.start < end && range.end > stock::MANIFEST) {
        problems.remark(format!("{FLASH} hides a part of the manifest: its contents are not checked"));
        return;
    }
    for file in compiled.static_files().filter(|file| !file.is_whole) {
        let lba = file.first.0;
        let text = format!("the file at LBA {lba} does not have the checksum that the manifest in {FLASH} says");
        problems.add(Problem::medium("flash-contents", text).remedy("write the manifest's UF2 file again"));
    }
}
