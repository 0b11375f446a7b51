//! Volumes are arguments: one process holds many of them, and each is right.

use picovd::block::Lba;
use picovd::volume::{BoardIdentity, Volume};
use picovd_manifest::{check, plan, read_text};
use picovd_sim::memory::{Contents, SharedMemory};
use picovd_sim::tables::Tables;
use std::path::Path;

fn tables(text: &str) -> Tables {
    let manifest = read_text("test.toml", text, Path::new(".")).expect("the text is TOML");
    Tables::new(plan(&check(&manifest, None).expect("the manifest is right")).expect("the volume is small"))
}

#[test]
fn two_volumes_of_two_manifests_live_side_by_side() {
    let first = tables("[volume]\nlabel = \"FIRST\"\n[[file]]\npath = \"A.TXT\"\ntext = \"first\"\n");
    let second = tables("[volume]\nlabel = \"SECOND\"\n[[file]]\npath = \"A.TXT\"\ntext = \"second\"\n");
    let memory = SharedMemory::new(Contents::noise(1 << 20));
    let (first_regions, second_regions) = (first.regions(), second.regions());
    let (first, second) = (first.layout(&first_regions), second.layout(&second_regions));
    let mut volumes = [&first, &second].map(|layout| Volume::new(layout, Some(BoardIdentity(7)), memory.clone()));

    // Interleaved, so that neither can lean on what it read last.
    for (volume, text) in volumes.iter_mut().zip([&b"first"[..], b"second"]) {
        let mut image = vec![0; volume.block_count().bytes() as usize];
        for (lba, block) in image.chunks_mut(512).enumerate() {
            volume.read(Lba(lba as u32), 0, block);
        }
        assert_eq!(image.windows(text.len()).filter(|window| *window == text).count(), 1);
    }
}
