//! The regions, appended one after the other, and the directories' entries.

use picovd_exfat::boot::{BACKUP_BOOT_REGION, BOOT_REGION_SECTORS, MAIN_BOOT_REGION};
use picovd_exfat::entry::{
    Allocation, AllocationBitmapEntry, EntrySet, FileAttributes, UpcaseTableEntry, VolumeLabelEntry,
};
use picovd_exfat::name::Name;
use picovd_exfat::time::Timestamp;
use picovd_exfat::{ClusterIndex, bitmap, upcase};
use picovd_layout::block::Lba;

use super::geometry::{DirectoryClusters, Geometry, clusters};
use super::partition_table;
use super::runtime;
use super::{
    BYTES_PER_CLUSTER, DiskPlan, DynamicWindow, Exposable, FAT_OFFSET, FileSource, FlashFile, Gap, Growing, Label,
    PlannedDirectory, PlannedFile, Region, RegionKind, SECTOR, SECTORS_PER_CLUSTER,
};
use crate::check::{Checked, Content, Entry, File, SHORTEST_FLASH, Window};

const SECTORS_PER_CLUSTER_SHIFT: u8 = SECTORS_PER_CLUSTER.trailing_zeros() as u8;

/// Appends regions. The next block and the next cluster follow the last region.
pub(super) struct Builder<'a> {
    manifest: &'a Checked,
    geometry: Geometry,
    regions: Vec<Region>,
    next_block: u32,
}

impl<'a> Builder<'a> {
    pub fn new(manifest: &'a Checked, geometry: Geometry) -> Self {
        Self { manifest, geometry, regions: Vec::new(), next_block: 0 }
    }

    pub fn build(mut self, directory_clusters: &[DirectoryClusters]) -> DiskPlan {
        let Geometry { cluster_count, bitmap_clusters, fat_length, cluster_heap_offset } = self.geometry;
        let manifest = self.manifest;
        let volume_length = cluster_heap_offset + cluster_count * SECTORS_PER_CLUSTER;
        if manifest.volume.partition_table {
            let record = partition_table::record(manifest.volume.serial_number, volume_length);
            self.append(1, RegionKind::PartitionTable(record), "");
        }
        for first in [MAIN_BOOT_REGION, BACKUP_BOOT_REGION] {
            self.align(first);
            self.append(BOOT_REGION_SECTORS, RegionKind::Boot, "");
        }
        self.align(FAT_OFFSET);
        self.append(fat_length, RegionKind::Fat, "");
        self.align(cluster_heap_offset);

        let mut chain_ends = Vec::new();
        let bitmap_first = self.next_cluster();
        self.append_clusters(bitmap_clusters, RegionKind::Bitmap, "");
        chain_ends.push(self.next_cluster() - 1);
        let upcase_first = self.next_cluster();
        self.append_clusters(clusters(upcase::TABLE_LENGTH as u64) as u32, RegionKind::Upcase, "");
        chain_ends.push(self.next_cluster() - 1);

        // All locations have to be known before the first directory is encoded.
        let mut next = self.next_cluster();
        let mut place = |clusters: u32| {
            let first = next;
            next += clusters;
            first
        };
        let directories: Vec<PlannedDirectory> = manifest
            .folders
            .iter()
            .zip(directory_clusters)
            .map(|(folder, count)| PlannedDirectory {
                path: folder.path.clone(),
                first_cluster: place(count.kept),
                cluster_count: count.kept,
                own_clusters: count.own,
            })
            .collect();
        let file_firsts: Vec<u32> = manifest
            .files
            .iter()
            .map(|file| match file.content.length() {
                0 => 0,
                length => place(clusters(length) as u32),
            })
            .collect();

        let mut flash_files = Vec::new();
        let mut exposable = Vec::new();
        let mut growing: Vec<Growing> = directories.iter().map(growing_of).collect();
        for (index, directory) in directories.iter().enumerate() {
            let mut entries = Vec::new();
            if index == 0 {
                entries.extend(VolumeLabelEntry::new(manifest.volume.label.encode_utf16()).encode());
                let data_length = u64::from(bitmap::length(cluster_count));
                let first_cluster = ClusterIndex(bitmap_first);
                entries.extend(AllocationBitmapEntry { first_cluster, data_length }.encode());
                let upcase_entry = UpcaseTableEntry {
                    table_checksum: upcase::TABLE_CHECKSUM,
                    first_cluster: ClusterIndex(upcase_first),
                    data_length: upcase::TABLE_LENGTH as u64,
                };
                entries.extend(upcase_entry.encode());
            }
            let listed = manifest.folders.get(index).map_or(&[][..], |folder| &folder.entries);
            for entry in listed {
                flash_files.extend(self.flash_file(*entry, &file_firsts, entries.len()));
                let place = entries.len();
                if let Entry::Folder(index) = *entry
                    && let Some(folder) = growing.get_mut(index)
                {
                    (folder.parent, folder.entry) = (Lba(self.next_block), place as u32);
                }
                self.encode(*entry, &directories, &file_firsts, &mut entries);
                exposable.extend(self.exposable(*entry, &file_firsts, place..entries.len()));
            }
            if let Some(folder) = growing.get_mut(index) {
                folder.entries = entries.len() as u32;
            }
            let kind = RegionKind::Directory { entries, root: index == 0 };
            self.append_clusters(directory.cluster_count, kind, &directory.path);
            chain_ends.push(self.next_cluster() - 1);
        }
        let grows = |folder: &Growing| {
            directories
                .iter()
                .any(|at| at.first_cluster == folder.first_cluster.0 && at.own_clusters < at.cluster_count)
        };
        growing.retain(grows);
        flash_files.sort_by_key(|file| file.first_cluster);
        let files = manifest.files.iter().zip(file_firsts).map(|(file, first)| self.append_file(file, first)).collect();

        let flash = self.redacted(&Window::flash(manifest.chip));
        let redacted_flash = flash.into_iter().map(|range| range.start as u32..range.end as u32).collect();
        let allocated_clusters = self.next_cluster() - ClusterIndex::FIRST.0;
        let dynamic = self.append_dynamic();
        let partition_offset = self.partition_offset();
        let end = partition_offset + volume_length;
        if self.next_block < end {
            self.append(end - self.next_block, RegionKind::Unused(Gap::Free), "");
        }
        DiskPlan {
            partition_offset,
            volume_length,
            fat_offset: FAT_OFFSET,
            fat_length,
            cluster_heap_offset,
            cluster_count,
            first_cluster_of_root_directory: directories.first().map_or(0, |root| root.first_cluster),
            volume_serial_number: manifest.volume.serial_number,
            timestamp: manifest.volume.timestamp.value(),
            label: Label {
                units: manifest.volume.label.encode_utf16().collect(),
                board_digits: manifest.volume.board_digits,
            },
            sectors_per_cluster_shift: SECTORS_PER_CLUSTER_SHIFT,
            chain_ends,
            allocated_clusters,
            regions: self.regions,
            flash_files,
            exposable,
            growing,
            dynamic,
            built_in: runtime::built_in(manifest),
            redacted_flash,
            directories,
            files,
            usb: manifest.usb.clone(),
            chip: manifest.chip,
            settings: manifest.settings,
            partitions: manifest.partitions.clone(),
            log: manifest.log,
            crash: manifest.crash,
            changes: manifest.dynamic,
            stock: manifest.stock,
            text: manifest.source.text().to_owned(),
            stock_only: manifest.stock_only.clone(),
            warnings: manifest.warnings.clone(),
        }
    }

    /// The block that the volume begins at.
    fn partition_offset(&self) -> u32 {
        if self.manifest.volume.partition_table { partition_table::FIRST } else { 0 }
    }

    /// The block that the cluster heap begins at.
    fn heap(&self) -> u32 {
        self.partition_offset() + self.geometry.cluster_heap_offset
    }

    /// The cluster that begins at the next block.
    fn next_cluster(&self) -> u32 {
        (self.next_block - self.heap()) / SECTORS_PER_CLUSTER + ClusterIndex::FIRST.0
    }

    fn append(&mut self, length: u32, kind: RegionKind, path: &str) {
        if length > 0 {
            self.regions.push(Region { first: self.next_block, length, kind, path: path.to_owned() });
            self.next_block += length;
        }
    }

    fn append_clusters(&mut self, count: u32, kind: RegionKind, path: &str) {
        self.append(count * SECTORS_PER_CLUSTER, kind, path);
    }

    /// Fills up to `sector` of the volume, which must not be before the current end.
    fn align(&mut self, sector: u32) {
        self.append(self.partition_offset() + sector - self.next_block, RegionKind::Unused(Gap::Alignment), "");
    }

    fn encode(&self, entry: Entry, directories: &[PlannedDirectory], file_firsts: &[u32], out: &mut Vec<u8>) {
        let manifest = self.manifest;
        let described = match entry {
            Entry::Folder(index) => manifest.folders.get(index).zip(directories.get(index)).map(|(folder, at)| {
                let length = u64::from(at.own_clusters) * u64::from(BYTES_PER_CLUSTER);
                let allocation = Allocation::chained(ClusterIndex(at.first_cluster), length);
                let mut attributes = FileAttributes::DIRECTORY;
                if folder.hidden {
                    attributes = attributes | FileAttributes::HIDDEN;
                }
                (&folder.name, attributes, manifest.volume.timestamp, allocation)
            }),
            Entry::File(index) => manifest.files.get(index).zip(file_firsts.get(index)).map(|(file, first)| {
                let mut attributes = FileAttributes::READ_ONLY | FileAttributes::ARCHIVE;
                if file.hidden {
                    attributes = attributes | FileAttributes::HIDDEN;
                }
                let allocation = Allocation::contiguous(ClusterIndex(*first), file.content.length());
                (&file.name, attributes, file.timestamp, allocation)
            }),
        };
        if let Some((name, attributes, timestamp, allocation)) = described {
            encode_set(name, attributes, timestamp, allocation, out);
        }
    }

    /// What has to be known at boot about a file that shows flash beyond what every chip has. Its entry set is the next one
    /// to be encoded into the directory that begins at the next block.
    fn flash_file(&self, entry: Entry, file_firsts: &[u32], place: usize) -> Option<FlashFile> {
        let Entry::File(index) = entry else { return None };
        let (file, first) = self.manifest.files.get(index).zip(file_firsts.get(index))?;
        let Content::Memory(window) = &file.content else { return None };
        let offset = window.flash_offset()?;
        (offset + window.length() > u64::from(SHORTEST_FLASH)).then_some(FlashFile {
            directory: Lba(self.next_block),
            entry: place as u32,
            first_cluster: ClusterIndex(*first),
            offset: offset as u32,
            length: window.length() as u32,
        })
    }

    /// What settings have to know about a file that they may hide. Its entry set was encoded into the directory that begins
    /// at the next block.
    fn exposable(&self, entry: Entry, file_firsts: &[u32], entries: std::ops::Range<usize>) -> Option<Exposable> {
        let Entry::File(index) = entry else { return None };
        let (file, first) = self.manifest.files.get(index).zip(file_firsts.get(index))?;
        let heap = self.heap();
        let first = first.checked_sub(ClusterIndex::FIRST.0).map_or(0, |cluster| heap + cluster * SECTORS_PER_CLUSTER);
        file.by_setting.then(|| Exposable {
            path: file.path.clone(),
            directory: self.next_block,
            entries: entries.start as u32..entries.end as u32,
            blocks: (first, clusters(file.content.length()) as u32 * SECTORS_PER_CLUSTER),
        })
    }

    fn append_file(&mut self, file: &File, first_cluster: u32) -> PlannedFile {
        let length = file.content.length();
        let region = (length > 0).then_some(self.regions.len());
        let source = match &file.content {
            Content::Bytes(bytes) => {
                self.append_clusters(clusters(length) as u32, RegionKind::Bytes(bytes.clone()), &file.path);
                FileSource::Bytes(bytes.clone())
            }
            Content::Memory(window) => {
                let redacted = self.redacted(window);
                self.append_memory(window, &redacted, &file.path);
                FileSource::Memory { base: window.base(), length, redacted }
            }
        };
        PlannedFile { path: file.path.clone(), first_cluster, length, by_setting: file.by_setting, region, source }
    }

    /// The parts of a window that read as zeros: widened to whole sectors, ascending, not adjacent.
    fn redacted(&self, window: &Window) -> Vec<std::ops::Range<u64>> {
        let mut hidden: Vec<_> = self
            .manifest
            .redactions
            .iter()
            .filter_map(|redaction| window.overlap(redaction))
            .map(|range| range.start / SECTOR * SECTOR..range.end.next_multiple_of(SECTOR))
            .collect();
        hidden.sort_by_key(|range| range.start);
        let mut merged: Vec<std::ops::Range<u64>> = Vec::new();
        for range in hidden {
            match merged.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }

    fn append_memory(&mut self, window: &Window, redacted: &[std::ops::Range<u64>], path: &str) {
        let end = clusters(window.length()) * u64::from(BYTES_PER_CLUSTER);
        let mut at = 0;
        for range in redacted {
            self.append_shown(window, at..range.start, path);
            let length = range.end.min(end) - range.start;
            self.append((length / SECTOR) as u32, RegionKind::Unused(Gap::Reserved), path);
            at = range.end.min(end);
        }
        self.append_shown(window, at..end, path);
    }

    /// A part of a window that is shown: the bytes up to the window's end, then zeros.
    fn append_shown(&mut self, window: &Window, part: std::ops::Range<u64>, path: &str) {
        let blocks = ((part.end - part.start) / SECTOR) as u32;
        let length = part.end.min(window.length()).saturating_sub(part.start);
        let kind = if length == 0 {
            RegionKind::Unused(Gap::Reserved)
        } else {
            RegionKind::Memory { base: window.base() + part.start as u32, length }
        };
        self.append(blocks, kind, path);
    }

    fn append_dynamic(&mut self) -> DynamicWindow {
        let window = runtime::window(self.manifest);
        if window.slots == 0 {
            return DynamicWindow { cluster_count: 0, ..window };
        }
        let first_cluster = ClusterIndex(self.next_cluster());
        self.append_clusters(window.cluster_count, RegionKind::Dynamic, "");
        DynamicWindow { first_cluster, ..window }
    }
}

/// A directory whose entry set in its parent is not known yet.
fn growing_of(directory: &PlannedDirectory) -> Growing {
    let PlannedDirectory { first_cluster, cluster_count: clusters, .. } = *directory;
    Growing { parent: Lba(0), entry: 0, entries: 0, first_cluster: ClusterIndex(first_cluster), clusters }
}

fn encode_set(name: &str, attributes: FileAttributes, timestamp: Timestamp, allocation: Allocation, out: &mut Vec<u8>) {
    // Checked names are valid; an invalid one would be counted as no entries above, and is none here.
    if let Ok(name) = Name::new(name) {
        let set = EntrySet::new(name, attributes, timestamp, allocation);
        let start = out.len();
        out.resize(start + set.length(), 0);
        set.render(0, &mut out[start..]);
    }
}
