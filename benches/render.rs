//! How long the library takes for a block, on the machine that runs this: `cargo bench`.
//!
//! Each kind of block, over the number of files on the volume and over the volume's length. The firmware's cycles are another
//! matter: `cargo xtask bench`.

use divan::Bencher;
use picovd::block::Lba;
use picovd::volume::{BoardIdentity, Volume};
use picovd_manifest::{DiskPlan, RegionKind, check, plan, read_text};
use picovd_sim::memory::{Contents, SharedMemory};
use picovd_sim::tables::Tables;
use std::path::Path;

fn main() {
    divan::main();
}

/// A manifest of that many small files in one folder, on a volume of at least as many mebibytes.
fn planned(files: u32, mebibytes: u32) -> DiskPlan {
    let mut text =
        format!("[volume]\nminimum-size = \"{mebibytes} MiB\"\n[[memory]]\npath = \"SRAM.BIN\"\nwindow = \"sram\"\n");
    for file in 0..files {
        text += &format!("[[file]]\npath = \"files/FILE-{file:04}.TXT\"\ntext = \"File {file}.\"\n");
    }
    let manifest = read_text("bench.toml", &text, Path::new(".")).expect("the text is TOML");
    plan(&check(&manifest, None).expect("the manifest is right")).expect("the volume fits")
}

/// Fills one packet after the other of the blocks of the kind that `is` knows.
fn render(bencher: Bencher, plan: DiskPlan, is: impl Fn(&RegionKind) -> bool) {
    // The last one of its kind: a search from the beginning goes furthest for it.
    let region = plan.regions.iter().rfind(|region| is(&region.kind)).expect("the volume has one");
    let blocks = match &region.kind {
        RegionKind::Bytes(bytes) => (bytes.len() as u32).div_ceil(512),
        RegionKind::Directory { entries, .. } => (entries.len() as u32).div_ceil(512),
        RegionKind::Bitmap => plan.cluster_count.div_ceil(8 * 512),
        _ => region.length,
    };
    let (first, blocks) = (region.first, blocks.clamp(1, region.length));
    let tables = Tables::new(plan);
    let layout = tables.layout();
    let mut volume = Volume::new(&layout, Some(BoardIdentity(7)), SharedMemory::new(Contents::noise(1 << 20)));
    let mut round = 0;
    bencher.counter(divan::counter::BytesCount::new(512u32)).bench_local(|| {
        let mut packet = [0; 64];
        for offset in (0..512).step_by(64) {
            volume.read(Lba(first + round % blocks), offset, &mut packet);
            divan::black_box(&packet);
        }
        round += 1;
    });
}

/// Over the number of files.
mod files {
    use super::{Bencher, RegionKind, planned, render};

    const FILES: [u32; 3] = [10, 100, 1000];

    #[divan::bench(args = FILES)]
    fn directory(bencher: Bencher, files: u32) {
        render(bencher, planned(files, 1), |kind| matches!(kind, RegionKind::Directory { root: false, .. }));
    }

    #[divan::bench(args = FILES)]
    fn root_directory(bencher: Bencher, files: u32) {
        render(bencher, planned(files, 1), |kind| matches!(kind, RegionKind::Directory { root: true, .. }));
    }

    #[divan::bench(args = FILES)]
    fn last_file(bencher: Bencher, files: u32) {
        render(bencher, planned(files, 1), |kind| matches!(kind, RegionKind::Bytes(_)));
    }

    #[divan::bench(args = FILES)]
    fn memory_window(bencher: Bencher, files: u32) {
        render(bencher, planned(files, 1), |kind| matches!(kind, RegionKind::Memory { .. }));
    }
}

/// Over the volume's length in mebibytes.
mod length {
    use super::{Bencher, RegionKind, planned, render};

    const MEBIBYTES: [u32; 3] = [1, 16, 256];

    #[divan::bench(args = MEBIBYTES)]
    fn boot_region(bencher: Bencher, mebibytes: u32) {
        render(bencher, planned(10, mebibytes), |kind| matches!(kind, RegionKind::Boot));
    }

    #[divan::bench(args = MEBIBYTES)]
    fn fat(bencher: Bencher, mebibytes: u32) {
        render(bencher, planned(10, mebibytes), |kind| matches!(kind, RegionKind::Fat));
    }

    #[divan::bench(args = MEBIBYTES)]
    fn allocation_bitmap(bencher: Bencher, mebibytes: u32) {
        render(bencher, planned(10, mebibytes), |kind| matches!(kind, RegionKind::Bitmap));
    }

    #[divan::bench(args = MEBIBYTES)]
    fn up_case_table(bencher: Bencher, mebibytes: u32) {
        render(bencher, planned(10, mebibytes), |kind| matches!(kind, RegionKind::Upcase));
    }
}
