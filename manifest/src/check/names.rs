//! Rules of `[[file]]` and of paths: names, folders, contents.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::Range;
use std::sync::Arc;

use picovd_exfat::name::{Name, NameError};
use picovd_exfat::portable::{self, Unportable};
use picovd_exfat::time::Timestamp;
use picovd_exfat::upcase::upcase;
use unicode_normalization::UnicodeNormalization;

use super::{Chip, Content, Entry, File, Folder, Reserved, Rules};
use crate::contents::Contents;
use crate::diagnostic::Code;
use crate::document::Manifest;
use crate::schema::{Expose, Field, FileTable, Key};

/// Maximum depth of folders.
const DEPTH: usize = 64;

/// Maximum number of files that are left to settings: `picovd::settings::MAX_EXPOSABLE`.
const MAX_EXPOSABLE: usize = 16;

/// Empty files that ask hosts not to index the volume: Spotlight's (widely used; Apple does not document it), that of
/// macOS's log of changes (File System Events Programming Guide), and Android's (MediaStore.MEDIA_IGNORE_FILENAME).
const QUIET: [&str; 3] = [".metadata_never_index", ".fseventsd/no_log", ".nomedia"];

/// The folders found so far, and their entries by up-cased name.
struct Tree {
    folders: Vec<Folder>,
    by_name: HashMap<(usize, Vec<u16>), Entry>,
    files: Vec<File>,
}

impl Tree {
    fn name(&self, entry: Entry) -> Option<&str> {
        match entry {
            Entry::File(index) => self.files.get(index).map(|file| file.name.as_str()),
            Entry::Folder(index) => self.folders.get(index).map(|folder| folder.name.as_str()),
        }
    }

    /// The entry of a folder with that name, or with one that is equal after up-casing.
    fn find(&self, folder: usize, name: &str) -> Option<Entry> {
        self.by_name.get(&(folder, upcased(name))).copied()
    }

    /// Where the manifest names an entry; for a folder, that is the first file in it.
    fn span(&self, entry: Entry) -> Option<Range<usize>> {
        match entry {
            Entry::File(index) => self.files.get(index).map(|file| file.span.clone()),
            Entry::Folder(index) => self.folders.get(index)?.entries.first().and_then(|first| self.span(*first)),
        }
    }
}

/// The name as exFAT compares it (7.2).
fn upcased(name: &str) -> Vec<u16> {
    name.encode_utf16().map(upcase).collect()
}

/// The name as macOS compares it: after canonical decomposition (Unicode Standard Annex 15).
fn decomposed(name: &str) -> Vec<u16> {
    upcased(&name.nfd().collect::<String>())
}

/// A file that was not assigned to a folder yet.
struct Placement {
    path: String,
    span: Range<usize>,
}

impl Rules {
    /// The tree of all files that are on the volume. The files in `reserved` keep their names.
    pub(super) fn entries(
        &mut self,
        manifest: &Manifest,
        moment: Timestamp,
        chip: Chip,
        reserved: Reserved<'_>,
    ) -> (Vec<Folder>, Vec<File>) {
        let root = Folder { name: String::new(), path: String::new(), hidden: false, entries: Vec::new() };
        let mut tree = Tree { folders: vec![root], by_name: HashMap::new(), files: Vec::new() };
        for table in &manifest.tables.file {
            let file = table.get_ref();
            let path = self.path(&file.path, table.span(), "[[file]]");
            let content = self.content(file, table.span(), &manifest.contents);
            let hidden = self.value(&file.hidden, false);
            let timestamp = self.moment(&file.timestamp).unwrap_or(moment);
            let exposure = self.exposure(&file.expose, &manifest.tables.settings);
            if let (Some(path), Some(content), Some(exposure)) = (path, content, exposure) {
                self.place(&mut tree, path, (hidden, exposure), timestamp, Content::Bytes(content));
            }
        }
        for table in &manifest.tables.memory {
            let memory = table.get_ref();
            let path = self.path(&memory.path, table.span(), "[[memory]]");
            let window = self.window(memory, table.span(), chip);
            let hidden = self.value(&memory.hidden, false);
            let exposure = self.exposure(&memory.expose, &manifest.tables.settings);
            if let (Some(path), Some(window), Some(exposure)) = (path, window, exposure) {
                self.place(&mut tree, path, (hidden, exposure), moment, Content::Memory(window));
            }
        }
        self.quiet_hosts(&mut tree, &manifest.tables.volume.quiet_hosts, moment);
        self.normalization(&tree, &manifest.tables.partitions.folder);
        self.exposable(&tree);
        self.reserved(&tree, reserved, manifest.tables.partitions.folder.as_ref().map(|folder| &folder.span));
        (tree.folders, tree.files)
    }

    /// Adds the files of `quiet-hosts` after those that the manifest lists. A folder that only they need is hidden as well.
    fn quiet_hosts(&mut self, tree: &mut Tree, key: &Key<bool>, moment: Timestamp) {
        let Some((true, span)) = self.placed(key) else { return };
        for path in QUIET {
            let named = match path.split_once('/') {
                None => tree.find(0, path),
                Some((folder, name)) => match tree.find(0, folder) {
                    Some(Entry::Folder(index)) => tree.find(index, name),
                    other => other,
                },
            };
            if let Some(named) = named.and_then(|entry| tree.span(entry)) {
                self.problems.report(
                    Code::DuplicateName,
                    named,
                    format!("quiet-hosts adds {} to the volume", shown(path)),
                    "remove this file, or set quiet-hosts = false in [volume]",
                );
                continue;
            }
            let folders = tree.folders.len();
            let at = Placement { path: path.to_owned(), span: span.clone() };
            self.place(tree, at, (true, Expose::Always), moment, Content::Bytes(Arc::default()));
            tree.folders.iter_mut().skip(folders).for_each(|folder| folder.hidden = true);
        }
    }

    /// Reports names in one folder that are the same name for some hosts. exFAT tells them apart, so this is not an error.
    fn normalization(&mut self, tree: &Tree, partitions: &Key<String>) {
        for folder in &tree.folders {
            let mut seen: HashMap<Vec<u16>, &str> = HashMap::new();
            for entry in &folder.entries {
                let Some(name) = tree.name(*entry).filter(|name| !name.is_ascii()) else { continue };
                seen.entry(decomposed(name)).or_insert(name);
            }
            if seen.is_empty() {
                continue;
            }
            // ASCII characters may be the result of a decomposition, too: the kelvin sign becomes a letter.
            let mut first: HashMap<Vec<u16>, &str> = HashMap::new();
            for entry in &folder.entries {
                let Some(name) = tree.name(*entry) else { continue };
                let other = *first.entry(decomposed(name)).or_insert(name);
                if other != name {
                    self.twins(name, other, tree.span(*entry));
                }
            }
        }
        let Some(Field { value: Ok(path), span }) = partitions else { return };
        let mut folder = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match tree.find(folder, part) {
                Some(Entry::Folder(next)) => {
                    folder = next;
                    continue;
                }
                // Equal names are an error, which is reported elsewhere.
                Some(Entry::File(_)) => return,
                None => {}
            }
            let names = tree.folders.get(folder).into_iter().flat_map(|folder| &folder.entries);
            let other = names.filter_map(|entry| tree.name(*entry)).find(|name| decomposed(name) == decomposed(part));
            if let Some(other) = other {
                self.twins(part, other, Some(span.clone()));
            }
            return;
        }
    }

    fn twins(&mut self, name: &str, other: &str, span: Option<Range<usize>>) {
        self.problems.report(
            Code::Normalization,
            span,
            format!("the names {} and {} differ only by Unicode normalization", spelled(name), spelled(other)),
            "spell both the same, or use another name: macOS shows only one of the two",
        );
    }

    /// Settings have room for this many files.
    fn exposable(&mut self, tree: &Tree) {
        if let Some(file) = tree.files.iter().filter(|file| file.by_setting).nth(MAX_EXPOSABLE) {
            self.problems.report(
                Code::Settings,
                file.span.clone(),
                format!("more than {MAX_EXPOSABLE} files are left to settings"),
                "set expose to \"always\" or \"never\" for some of them",
            );
        }
    }

    /// Names that PicoVD itself uses: in the root directory those of logs and of the board's reports, and the partitions'
    /// folder.
    fn reserved(&mut self, tree: &Tree, reserved: Reserved<'_>, folder: Option<&Range<usize>>) {
        let Reserved { settings, log, info, stock, crash, partitions } = reserved;
        let described = partitions.enabled && partitions.folder.is_empty();
        let names = [
            (log.stdout, "the log STDOUT.TXT", "stdout = false in [log]"),
            (log.tail, "the log STDOUT-TAIL.TXT", "tail = false in [log]"),
            (log.defmt, "the log DEFMT.BIN", "defmt = false in [log]"),
            (info.text, "the firmware's INFO.TXT", "text = false in [info]"),
            (info.json, "the firmware's INFO.JSON", "json = false in [info]"),
            (info.manifest, "the firmware's MANIFEST.TOML", "manifest = false in [info]"),
            (stock.page, "the firmware's CONFIGURE.HTM", "configure = false in [page]"),
            (stock.temperature, "the firmware's SENSOR.CSV", "temperature = false in [sensor]"),
            (crash.enabled, "the firmware's CORE.ELF", "enabled = false in [crash]"),
            (crash.enabled, "the firmware's CRASH.TXT", "enabled = false in [crash]"),
            (crash.enabled, "the firmware's CRASH.JSON", "enabled = false in [crash]"),
            (settings.sectors > 0, "the firmware's CONFIG.JSON", "sectors = 0 in [settings]"),
            (settings.sectors > 0, "the firmware's CONFIG.SCHEMA.JSON", "sectors = 0 in [settings]"),
            (described, "the firmware's PARTITIONS.JSON", "another folder in [partitions]"),
        ];
        let folder = folder.filter(|_| partitions.enabled);
        let first = partitions.folder.split('/').next().unwrap_or_default();
        for (_, what, remedy) in names.into_iter().filter(|(wanted, ..)| *wanted) {
            let name = what.rsplit(' ').next().unwrap_or_default();
            if let Some(span) = tree.find(0, name).and_then(|entry| tree.span(entry)) {
                self.problems.report(
                    Code::DuplicateName,
                    span,
                    format!("{what} has the same name"),
                    format!("use another name, or set {remedy}"),
                );
            }
            if let Some(span) = folder.filter(|_| upcased(first) == upcased(name)) {
                self.problems.report(
                    Code::FileAsFolder,
                    span.clone(),
                    format!("{what} is a file, but the partitions need a folder there"),
                    format!("use another folder, or set {remedy}"),
                );
            }
        }
        // The folder exists only at run time, so it must differ from the manifest's, and cannot be inside one of them.
        let (what, path) = match tree.find(0, first) {
            Some(Entry::Folder(index)) => ("contains files", tree.folders.get(index).map(|folder| &folder.path)),
            Some(Entry::File(index)) => ("is a file", tree.files.get(index).map(|file| &file.path)),
            None => return,
        };
        if let (Some(span), Some(path)) = (folder, path) {
            self.problems.report(
                Code::FileAsFolder,
                span.clone(),
                format!("{} {what}, but the partitions need a folder for themselves there", shown(path)),
                "rename the partitions' folder",
            );
        }
    }

    /// A path of which every part is a valid name.
    fn path(&mut self, key: &Key<String>, table: Range<usize>, title: &str) -> Option<Placement> {
        if key.is_none() {
            self.problems.report(
                Code::MissingKey,
                table,
                format!("this {title} has no path"),
                "add a line such as path = \"FOLDER/NAME.TXT\"",
            );
        }
        let (path, span) = self.placed(key)?;
        self.path_parts(&path, &span).then_some(Placement { path, span })
    }

    /// Whether every part of the path is a valid name; reports those that are not.
    pub(super) fn path_parts(&mut self, path: &str, span: &Range<usize>) -> bool {
        if path.split('/').any(str::is_empty) {
            self.problems.report(
                Code::Path,
                span.clone(),
                format!("the path {} has an empty part", shown(path)),
                "separate names by one `/`, with none at the start or end",
            );
            return false;
        }
        if path.split('/').count() > DEPTH {
            self.problems.report(
                Code::Depth,
                span.clone(),
                format!("the path has {} parts", path.split('/').count()),
                format!("use at most {DEPTH}"),
            );
            return false;
        }
        // Every part is checked, even after an invalid one.
        path.split('/').filter(|part| !self.name(part, span)).count() == 0
    }

    fn name(&mut self, name: &str, span: &Range<usize>) -> bool {
        let name_shown = shown(name);
        // Rules that have no message here yet.
        let other = |error: &dyn Display| (Code::Name, format!("{name_shown}: {error}"), "use another name".to_owned());
        let (code, message, remedy) = match Name::new(name) {
            Ok(_) => match portable::check(name) {
                Ok(()) => return true,
                Err(Unportable::Ending) => (
                    Code::Name,
                    format!("the name {name_shown} ends in a space or a dot"),
                    "remove it: Windows cannot open such a file".to_owned(),
                ),
                Err(Unportable::Device) => (
                    Code::Name,
                    format!("Windows reserves the name {name_shown} for a device"),
                    "use another name: Windows cannot open such a file".to_owned(),
                ),
                Err(Unportable::Unseen(unseen)) => (
                    Code::Name,
                    format!("the name {name_shown} contains U+{:04X}, which is invisible", u32::from(unseen)),
                    "remove control characters, direction marks and characters without width".to_owned(),
                ),
                Err(error) => other(&error),
            },
            // An empty part was reported with its path.
            Err(NameError::Empty) => return false,
            Err(NameError::TooLong(units)) => (
                Code::NameLength,
                format!("the name {name_shown} has {units} UTF-16 units"),
                "use at most 255".to_owned(),
            ),
            Err(NameError::Forbidden(bad)) => (
                Code::Name,
                format!("the name {name_shown} contains {bad:?}"),
                "remove control characters and \" * : < > ? \\ |; folders are separated by `/`".to_owned(),
            ),
            Err(NameError::Dots) => (
                Code::Name,
                format!("the name {name_shown} is reserved"),
                "a path may not contain `.` or `..`: it starts at the volume's root".to_owned(),
            ),
            Err(error) => other(&error),
        };
        self.problems.report(code, span.clone(), message, remedy);
        false
    }

    /// Puts a file into its folder, and creates the folders on the way.
    fn place(
        &mut self,
        tree: &mut Tree,
        at: Placement,
        (hidden, exposure): (bool, Expose),
        timestamp: Timestamp,
        content: Content,
    ) {
        let Placement { path, span } = at;
        let mut parts = path.split('/').peekable();
        let mut folder = 0;
        while let Some(part) = parts.next() {
            let last = parts.peek().is_none();
            let key = (folder, upcased(part));
            match tree.by_name.get(&key).copied() {
                None if last => {
                    let entry = Entry::File(tree.files.len());
                    tree.folders[folder].entries.push(entry);
                    tree.by_name.insert(key, entry);
                    let name = part.to_owned();
                    let (path, by_setting) = (path.clone(), exposure == Expose::Setting);
                    tree.files.push(File { name, path, hidden, by_setting, timestamp, content, span });
                    return;
                }
                None => {
                    let new = tree.folders.len();
                    let parent = &tree.folders[folder].path;
                    let path = if parent.is_empty() { part.to_owned() } else { format!("{parent}/{part}") };
                    tree.folders[folder].entries.push(Entry::Folder(new));
                    tree.folders.push(Folder { name: part.to_owned(), path, hidden: false, entries: Vec::new() });
                    tree.by_name.insert(key, Entry::Folder(new));
                    folder = new;
                }
                Some(entry) if last => {
                    let (what, other) = match entry {
                        Entry::Folder(index) => ("folder", &tree.folders[index].path),
                        Entry::File(index) => ("file", &tree.files[index].path),
                    };
                    self.problems.report(
                        Code::DuplicateName,
                        span,
                        format!("the {what} {} has the same name", shown(other)),
                        "use another name: exFAT ignores case",
                    );
                    return;
                }
                Some(Entry::File(index)) => {
                    self.problems.report(
                        Code::FileAsFolder,
                        span,
                        format!("{} is a file, but this path needs a folder there", shown(&tree.files[index].path)),
                        "rename the file or the folder",
                    );
                    return;
                }
                Some(Entry::Folder(index)) => {
                    if tree.folders[index].name != part {
                        self.problems.report(
                            Code::FolderSpelling,
                            span.clone(),
                            format!("the folder {} is the same as {}", shown(part), shown(&tree.folders[index].path)),
                            "use the same spelling everywhere",
                        );
                    }
                    folder = index;
                }
            }
        }
    }

    /// The bytes of a static file.
    fn content(&mut self, file: &FileTable, table: Range<usize>, contents: &Contents) -> Option<Arc<[u8]>> {
        match (&file.content, &file.text) {
            (Some(_), Some(text)) => {
                self.problems.report(
                    Code::ExclusiveKeys,
                    text.span.clone(),
                    "the file has both content and text",
                    "remove one of them",
                );
                None
            }
            (None, None) => {
                self.problems.report(
                    Code::MissingKey,
                    table,
                    "the file has neither content nor text",
                    "add content = \"FILE\" or text = \"its bytes\"",
                );
                None
            }
            (None, text) => self.placed(text).map(|(text, _)| text.into_bytes().into()),
            (content, None) => {
                let (name, span) = self.placed(content)?;
                match contents.read(&name) {
                    Ok(bytes) => Some(bytes),
                    Err((reason, remedy)) => {
                        let message = format!("the content {} cannot be read: {reason}", shown(&name));
                        self.problems.report(Code::Content, span, message, remedy);
                        None
                    }
                }
            }
        }
    }
}

/// The text in quotation marks, with every non-ASCII character as an escape.
fn spelled(text: &str) -> String {
    format!("\"{}\"", text.chars().take(60).flat_map(char::escape_default).collect::<String>())
}

/// The text in quotation marks, cut to fit in a line.
pub(super) fn shown(text: &str) -> String {
    if text.chars().count() <= 60 {
        return format!("{text:?}");
    }
    let start: String = text.chars().take(40).collect();
    format!("{:?}", start + "…")
}
