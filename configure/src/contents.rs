//! The content files in a compiled manifest, so that a person who opens one does not have to choose them again.

use std::collections::BTreeMap;
use std::sync::Arc;

use picovd_layout::Compiled;
use picovd_manifest::{Contents, FileSource, check, plan, read_with};

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
    let stored: Option<Vec<&[u8]>> = compiled.static_files().map(|file| file.is_whole.then_some(file.bytes)).collect();
    let stored = stored?;
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
