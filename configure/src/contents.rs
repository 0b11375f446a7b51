//! The content files in a compiled manifest: whoever opens one need not choose them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use crc::{CRC_32_ISO_HDLC, Crc};
use picovd_layout::{Compiled, Layout, Record, RegionKind};
use picovd_manifest::{Contents, FileSource, check, plan, read_with};

/// The number of a region that shows a static file (docs/COMPILED-MANIFEST.md, section 2).
const STATIC_FILE: u32 = 5;

/// Files by the names that the manifest has for them.
pub type Files = BTreeMap<String, Arc<[u8]>>;

/// The files that the text names as `content`. A compiled manifest does not have these names, but the files' order is that of the plan. None
/// if that does not add up: a file may have been empty, or the copy of flash is incomplete.
pub(crate) fn of(compiled: Compiled<'_>, text: &str) -> Files {
    matched(compiled, text).unwrap_or_default()
}

fn matched(compiled: Compiled<'_>, text: &str) -> Option<Files> {
    let names: Vec<(String, String)> = {
        let manifest = read_with("", text, Contents::Given(Files::new())).ok()?;
        manifest.content_paths().map(|(path, name)| (path.to_owned(), name.to_owned())).collect()
    };
    // One byte each: their lengths do not change the order.
    let ones: Files = names.iter().map(|(_, name)| (name.clone(), Arc::from([0]))).collect();
    let manifest = read_with("", text, Contents::Given(ones)).ok()?.for_stock_firmware();
    let plan = plan(&check(&manifest, None).ok()?).ok()?;
    let planned = plan.files.iter().filter_map(|file| match &file.source {
        FileSource::Bytes(bytes) if !bytes.is_empty() => Some((&file.path, bytes)),
        _ => None,
    });
    let planned: Vec<_> = planned.collect();
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let layout = Layout::of(compiled);
    let mut stored = Vec::new();
    for record in layout.regions.iter() {
        let [_, _, kind, _, _, sum] = record.encode();
        if let (STATIC_FILE, RegionKind::Bytes(bytes)) = (kind, record.resolve(&compiled).kind) {
            if crc.checksum(bytes) != sum {
                return None;
            }
            stored.push(bytes);
        }
    }
    if planned.len() != stored.len() {
        return None;
    }
    let mut files = Files::new();
    for ((path, known), bytes) in planned.into_iter().zip(stored) {
        match names.iter().find(|(of, _)| of == path) {
            Some((_, name)) => {
                files.insert(name.clone(), bytes.into());
            }
            // A text in the manifest is the same in both.
            None if **known == *bytes => {}
            None => return None,
        }
    }
    Some(files)
}
