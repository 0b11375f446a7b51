//! Bytes from storage: in flash, in a file, on a disk.

use super::Bytes;
use crate::host::exfat::check::check;
use crate::host::exfat::{Node, Volume};
use crate::host::source::{BlockSource, ReadError};
use crate::memory::{Contents, SharedMemory};
use crate::native::Board;
use crate::plug;
use picovd::chip::PartitionTableSource;
use picovd::clock::Instant;
use picovd::dynamic::{Files, FilesOf, FromRegistry, Registered};
use picovd::files::{PartitionFiles, PartitionPlan};
use picovd::settings::nor_flash::{ErrorType, MultiwriteNorFlash, NorFlash, ReadNorFlash};
use picovd::settings::{FlashError, MAX_PAYLOAD, PAGE_LENGTH, SECTOR_LENGTH, Store};
use picovd::volume::{self, DynamicFiles};
use std::cell::OnceCell;
use std::path::Path;

/// The settings' sectors with given contents.
struct Sectors(Vec<u8>);

impl ErrorType for Sectors {
    type Error = FlashError;
}

impl ReadNorFlash for Sectors {
    const READ_SIZE: usize = 1;

    fn read(&mut self, address: u32, out: &mut [u8]) -> Result<(), FlashError> {
        out.copy_from_slice(&self.0[address as usize..][..out.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Sectors {
    const WRITE_SIZE: usize = PAGE_LENGTH;
    const ERASE_SIZE: usize = SECTOR_LENGTH as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.0[from as usize..to as usize].fill(0xFF);
        Ok(())
    }

    fn write(&mut self, address: u32, page: &[u8]) -> Result<(), FlashError> {
        // Bits are cleared, never set.
        self.0[address as usize..][..page.len()].iter_mut().zip(page).for_each(|(to, from)| *to &= from);
        Ok(())
    }
}

impl MultiwriteNorFlash for Sectors {}

/// Settings' sectors with arbitrary contents: what is loaded once is loaded again, and what is saved is loaded next.
pub fn settings_flash(data: &[u8]) {
    const COUNT: u8 = 2;
    let mut sectors = vec![0xFF; usize::from(COUNT) * SECTOR_LENGTH as usize];
    let mut bytes = Bytes(data);
    // Pieces at pages: position, length, contents.
    while !bytes.is_empty() {
        let page = usize::from(bytes.byte()) % (sectors.len() / PAGE_LENGTH);
        let length = usize::from(bytes.byte()) + 1;
        for (to, from) in sectors[page * PAGE_LENGTH..].iter_mut().zip(bytes.take(length)) {
            *to = *from;
        }
    }
    let mut store = Store::open(Sectors(sectors), 0, COUNT);
    let mut room = [0; MAX_PAYLOAD];
    let first = store.load(&mut room).map(|length| room[..length].to_vec());
    let mut again = Store::open(store.into_flash(), 0, COUNT);
    let second = again.load(&mut room).map(|length| room[..length].to_vec());
    assert_eq!(first, second, "loaded twice");
    if again.save(b"new values").is_ok() {
        let mut next = Store::open(again.into_flash(), 0, COUNT);
        let length = next.load(&mut room).expect("what was saved is there");
        assert_eq!(&room[..length], b"new values");
    }
}

thread_local! {
    static BOARD: OnceCell<(Board, PartitionPlan<'static>)> = const { OnceCell::new() };
}

/// The boot ROM's answers about an unchecked table.
struct Words<'d>(&'d [u8]);

impl PartitionTableSource for Words<'_> {
    fn load(&mut self, _: &mut [u8]) -> Result<(), i32> {
        if self.0.first() == Some(&0xFF) { Err(-14) } else { Ok(()) }
    }

    fn info(&mut self, flags_and_partition: u32, out: &mut [u32]) -> Result<usize, i32> {
        let mut bytes = Bytes(self.0.get(1..).unwrap_or(&[]));
        let length = if flags_and_partition == 1 {
            4
        } else {
            // 40 words for each partition, so that one byte more or less does not shift all others.
            let partition = (flags_and_partition >> 24) as usize;
            bytes.take(16 + 160 * partition);
            bytes.0 = &bytes.0[..bytes.0.len().min(160)];
            bytes.0.len() / 4
        };
        let length = length.min(out.len());
        out.iter_mut().take(length).for_each(|word| *word = bytes.word());
        Ok(length)
    }
}

/// An arbitrary partition table: the volume that shows it must be valid.
pub fn partition_table(data: &[u8]) {
    BOARD.with(|board| {
        let (board, plan) = board.get_or_init(|| {
            let plan = plug::plan(None).unwrap_or_else(|problems| panic!("{problems}"));
            let contents = Contents::noise(plan.chip.flash_size as usize);
            let board = plug::board(plan, contents);
            // Like the stock manifest.
            let plan = PartitionPlan {
                folder: "partitions",
                description: "partitions/PARTITIONS.JSON",
                capacity: 32 << 10,
                flash_size: board.layout.compiled.chip().flash_size,
                redacted: volume::layout::Redactions::default(),
            };
            (board, plan)
        });
        let files = FilesOf::<64>::new(board.layout);
        let files: &Files<'_> = &files;
        let mut partitions = PartitionFiles::new();
        partitions.register(*plan, &mut Words(data), board.memory.clone(), files).expect("it has its room");
        let mut volume = volume::Volume::new(board.layout, Some(board.identity), board.memory.clone())
            .with_files(Registered::of(files));
        volume.begin_unseen_generation(Instant(0));
        let findings = check(&mut Rendered(volume)).expect("every block can be read");
        assert!(findings.is_empty(), "{findings:?}");
    });
}

/// A volume of the library, without USB.
struct Rendered<'a, D>(volume::Volume<'a, SharedMemory, D>);

impl<D: DynamicFiles> BlockSource for Rendered<'_, D> {
    fn block_count(&self) -> u64 {
        self.0.block_count().0.into()
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let mut out = vec![0; count as usize * 512];
        self.0.read(picovd::block::Lba(lba as u32), 0, &mut out);
        Ok(out)
    }
}

/// A manifest with arbitrary text: it is either refused with reasons, or has a plan and tables.
pub fn manifest(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    // Files that it names are looked up in an empty folder.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("no-such-folder");
    let plan = picovd_manifest::read_text("picovd.toml", &text, &folder)
        .and_then(|manifest| picovd_manifest::plan(&picovd_manifest::check(&manifest, None)?));
    match plan {
        Ok(plan) => {
            assert!(!picovd_manifest::emit(&plan).volume_rs.is_empty());
            assert!(plan.regions.windows(2).all(|pair| pair[0].first + pair[0].length == pair[1].first), "no gaps");
        }
        Err(problems) => {
            assert_ne!(problems.lines().count(), 0, "a refusal has a reason");
            assert!(!problems.to_string().is_empty());
        }
    }
}

/// A volume, parts of which are overwritten.
struct Patched(Vec<u8>);

impl BlockSource for Patched {
    fn block_count(&self) -> u64 {
        (self.0.len() / 512) as u64
    }

    fn read(&mut self, lba: u64, count: u32) -> Result<Vec<u8>, ReadError> {
        let from = usize::try_from(lba).unwrap_or(usize::MAX).saturating_mul(512);
        let out = self.0.get(from..from.saturating_add(count as usize * 512));
        out.map(<[u8]>::to_vec).ok_or_else(|| ReadError(format!("no block {lba}")))
    }
}

/// A disk with arbitrary contents: the checker and the reader must terminate.
pub fn image(data: &[u8]) {
    thread_local! {
        static CLEAN: OnceCell<Vec<u8>> = const { OnceCell::new() };
    }
    let mut image = CLEAN.with(|clean| {
        clean
            .get_or_init(|| {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/minimal.toml");
                let plan = plug::plan(Some(&path)).unwrap_or_else(|problems| panic!("{problems}"));
                let contents = Contents::noise(plan.chip.flash_size as usize);
                let board = plug::board(plan, contents);
                let volume = volume::Volume::new(board.layout, Some(board.identity), board.memory);
                let mut rendered = Rendered(volume);
                let count = rendered.block_count() as u32;
                rendered.read(0, count).expect("it can be read")
            })
            .clone()
    });
    let mut bytes = Bytes(data);
    while !bytes.is_empty() {
        let at = bytes.word() as usize % image.len();
        let length = usize::from(bytes.byte() & 63) + 1;
        image[at..].iter_mut().zip(bytes.take(length)).for_each(|(to, from)| *to = *from);
    }
    let mut disk = Patched(image);
    let _ = check(&mut disk);
    let Ok(mut volume) = Volume::open_damaged(&mut disk) else { return };
    let mut folders: Vec<Node> = vec![volume.root()];
    for _ in 0..8 {
        let Some(folder) = folders.pop() else { break };
        for node in volume.list_damaged(&folder).unwrap_or_default().into_iter().flatten().take(32) {
            if node.is_directory() {
                folders.push(node);
            } else {
                let _ = volume.stream_file(&node, &mut |_| ());
            }
        }
    }
}
