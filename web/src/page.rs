//! What the page knows, and the answers to what it asks.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use picovd_configure::{Configuration, Firmware, Opened, Refused, Written, none, open};
use picovd_manifest::{
    BYTES_PER_CLUSTER, Contents, Diagnostics, DiskPlan, FileSource, LayoutRow, Source, layout_rows, read_with,
};

use crate::json::{list, member, plain_member, text, text_member};

/// How many rows the map has at most before adjacent regions of the same kind share one.
const MOST_ROWS: usize = 400;

/// The files that were picked, the firmware, and the manifest that was examined last.
#[derive(Debug, Default)]
pub struct Page {
    files: BTreeMap<String, Arc<[u8]>>,
    firmware: Option<Firmware>,
    configuration: Option<Configuration>,
}

impl Page {
    /// Checks a manifest: the report as JSON.
    ///
    /// # Errors
    /// It is not UTF-8.
    pub fn examine(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        self.configuration = None;
        let text = utf8(bytes)?;
        let contents = Contents::Given(self.files.clone());
        let mut names = None;
        let refused = match read_with("picovd.toml", text, contents) {
            Ok(manifest) => {
                names = Some(manifest.content_names().map(str::to_owned).collect::<Vec<_>>());
                match Configuration::new(manifest, None) {
                    Ok(configuration) => {
                        self.configuration = Some(configuration);
                        None
                    }
                    Err(refused) => Some(refused),
                }
            }
            Err(problems) => Some(Refused::Manifest(problems)),
        };
        let mut out = String::from("{");
        member(&mut out, "problems");
        let warnings = self.configuration.as_ref().map(|configuration| &configuration.plan.warnings);
        // Not `Refused::to_string`: its excerpts for a terminal would make the page longer.
        let (problems, unsupported) = match &refused {
            Some(Refused::Manifest(problems)) => (Some(problems), None),
            Some(Refused::Unsupported(what)) => (warnings, Some(what.to_string())),
            None => (warnings, None),
        };
        report(&mut out, text, problems, unsupported.as_deref());
        if let Some(names) = names {
            member(&mut out, "contents");
            self.contents(&mut out, &names);
        }
        if let Some(configuration) = &self.configuration {
            member(&mut out, "disk");
            disk(&mut out, &configuration.plan);
            member(&mut out, "config");
            written(&mut out, &configuration.uf2().map_err(of)?);
            if let Some(firmware) = &self.firmware {
                member(&mut out, "picovd");
                written(&mut out, &configuration.uf2_with(&firmware.image).map_err(of)?);
            }
        }
        out.push('}');
        Ok(out.into_bytes())
    }

    /// Adds a file: its name is the first `name_length` bytes of `input`, and the rest are its bytes.
    ///
    /// # Errors
    /// The name is not UTF-8.
    pub fn add_file(&mut self, input: &[u8], name_length: usize) -> Result<Vec<u8>, String> {
        let (name, bytes) = input.split_at_checked(name_length).ok_or("the name is cut short")?;
        self.files.insert(utf8(name)?.to_owned(), bytes.into());
        Ok(Vec::new())
    }

    /// Removes the file with that name.
    ///
    /// # Errors
    /// The name is not UTF-8.
    pub fn remove_file(&mut self, name: &[u8]) -> Result<Vec<u8>, String> {
        self.files.remove(utf8(name)?);
        Ok(Vec::new())
    }

    /// Takes the stock firmware: its version.
    ///
    /// # Errors
    /// It is something else.
    pub fn set_firmware(&mut self, uf2: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.take(Firmware::from_uf2(uf2).map_err(of)?))
    }

    /// Takes the firmware that is inside the page: its family, and the program as it is in flash. Its version.
    ///
    /// # Errors
    /// It is something else.
    pub fn set_image(&mut self, image: &[u8], family: u32) -> Result<Vec<u8>, String> {
        Ok(self.take(Firmware::from_image(family, image.to_vec()).map_err(of)?))
    }

    fn take(&mut self, firmware: Firmware) -> Vec<u8> {
        let version = firmware.version.clone();
        self.firmware = Some(firmware);
        version.into_bytes()
    }

    /// The manifest's text in any file that has one. The content files that are in it as well are added.
    ///
    /// # Errors
    /// It has none.
    pub fn open(&mut self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let Opened { text, files } = open(bytes).map_err(of)?;
        self.files.extend(files);
        Ok(text.into_bytes())
    }

    /// The file for a board that has the stock firmware.
    ///
    /// # Errors
    /// The manifest that was examined last is wrong.
    pub fn config_uf2(&self) -> Result<Vec<u8>, String> {
        Ok(self.configuration()?.uf2().map_err(of)?.uf2)
    }

    /// Firmware and manifest in one file.
    ///
    /// # Errors
    /// The manifest that was examined last is wrong, or there is no firmware.
    pub fn picovd_uf2(&self) -> Result<Vec<u8>, String> {
        let firmware = self.firmware.as_ref().ok_or("there is no firmware yet: choose picovd.uf2")?;
        Ok(self.configuration()?.uf2_with(&firmware.image).map_err(of)?.uf2)
    }

    /// The file that takes the manifest in flash away.
    ///
    /// # Errors
    /// None.
    pub fn none_uf2() -> Result<Vec<u8>, String> {
        Ok(none().map_err(of)?.uf2)
    }

    fn configuration(&self) -> Result<&Configuration, String> {
        self.configuration.as_ref().ok_or_else(|| "mend the manifest first".to_owned())
    }

    /// The content files that a manifest names, each once.
    fn contents(&self, out: &mut String, all: &[String]) {
        let mut names: Vec<&str> = Vec::new();
        for name in all {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        list(out, names, |out, name| {
            out.push('{');
            text_member(out, "name", name);
            if let Some(bytes) = self.files.get(name) {
                plain_member(out, "length", bytes.len());
            }
            out.push('}');
        });
    }
}

fn of(reason: impl Display) -> String {
    reason.to_string()
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(of)
}

/// The list of problems. Positions are in UTF-16 units, as JavaScript counts.
fn report(out: &mut String, source: &str, problems: Option<&Diagnostics>, unsupported: Option<&str>) {
    let mut units = Units { text: source, at: 0, units: 0 };
    let lines = Source::new("", source);
    let mut first = true;
    out.push('[');
    for problem in problems.into_iter().flat_map(Diagnostics::shown) {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push('{');
        text_member(out, "code", &problem.code.to_string());
        plain_member(out, "warning", problem.code.is_warning());
        text_member(out, "message", &problem.message);
        text_member(out, "remedy", &problem.remedy);
        if let Some(span) = &problem.span {
            let at = lines.position(span.start);
            plain_member(out, "line", at.line);
            plain_member(out, "column", at.column);
            let from = units.before(lines.boundary(span.start));
            // A span may be a whole table: its first line is marked.
            let line = line_start(source, lines.boundary(span.start)) + lines.line(span.start).len();
            let end = span.end.min(line).max(span.start);
            plain_member(out, "from", from);
            let marked = source.get(lines.boundary(span.start)..lines.boundary(end)).unwrap_or_default();
            plain_member(out, "to", from + marked.encode_utf16().count());
        }
        out.push('}');
    }
    let rest = problems.map(Diagnostics::left_out).unwrap_or_default();
    for message in rest.iter().map(String::as_str).chain(unsupported) {
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        out.push('{');
        plain_member(out, "warning", false);
        text_member(out, "message", message);
        out.push('}');
    }
    out.push(']');
}

/// Where the line with that byte begins.
fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Counts UTF-16 units. Problems are in the order of their locations, so the text is read once.
struct Units<'t> {
    text: &'t str,
    at: usize,
    units: usize,
}

impl Units<'_> {
    fn before(&mut self, offset: usize) -> usize {
        if offset < self.at {
            (self.at, self.units) = (0, 0);
        }
        self.units += self.text.get(self.at..offset).unwrap_or_default().encode_utf16().count();
        self.at = offset;
        self.units
    }
}

/// The disk's map.
fn disk(out: &mut String, plan: &DiskPlan) {
    out.push('{');
    text_member(out, "label", &String::from_utf16_lossy(&plan.label.units));
    plain_member(out, "digits", plan.label.board_digits);
    plain_member(out, "blocks", plan.block_count());
    plain_member(out, "clusters", plan.cluster_count);
    plain_member(out, "allocated", plan.allocated_clusters);
    plain_member(out, "cluster", BYTES_PER_CLUSTER);
    plain_member(out, "count", plan.files.len());
    member(out, "files");
    list(out, plan.files.iter().take(MOST_ROWS), |out, file| {
        out.push('{');
        text_member(out, "path", &file.path);
        plain_member(out, "length", file.length);
        plain_member(out, "memory", matches!(file.source, FileSource::Memory { .. }));
        out.push('}');
    });
    plain_member(out, "flash", plan.chip.flash_size);
    plain_member(out, "settings", plan.settings.start);
    plain_member(out, "settings_sectors", plan.settings.sectors);
    plain_member(out, "dynamic", plan.changes.files);
    plain_member(out, "partitions", plan.partitions.enabled);
    member(out, "built_in");
    list(out, &plan.built_in, |out, file| text(out, &file.path));
    member(out, "rows");
    let rows: Vec<LayoutRow<'_>> = layout_rows(plan).collect();
    let groups: Vec<&[LayoutRow<'_>]> = match rows.len() {
        0..=MOST_ROWS => rows.chunks(1).collect(),
        _ => rows.chunk_by(|a, b| a.holds == b.holds).collect(),
    };
    list(out, groups, |out, group| {
        out.push('{');
        if let [first, others @ ..] = group {
            plain_member(out, "first", first.first);
            plain_member(out, "length", group.iter().map(|row| row.length).sum::<u32>());
            text_member(out, "holds", first.holds);
            text_member(out, "clause", first.clause);
            text_member(out, "name", if others.is_empty() { first.name } else { "" });
            plain_member(out, "count", group.len());
        }
        out.push('}');
    });
    out.push('}');
}

/// What a file does on a board.
fn written(out: &mut String, file: &Written) {
    out.push('{');
    plain_member(out, "length", file.uf2.len());
    text_member(out, "places", &file.places());
    text_member(out, "details", &file.details());
    text_member(out, "caution", file.caution);
    member(out, "ranges");
    list(out, &file.ranges, |out, range| list(out, [range.start, range.end], |out, at| *out += &at.to_string()));
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::Page;
    use picovd_configure::{Configuration, Refused};
    use picovd_manifest::{Diagnostics, read};
    use std::fs;
    use std::path::{Path, PathBuf};

    /// The manifests in a folder of tests/.
    fn corpus(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests").join(folder);
        let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        all.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect()
    }

    /// What the program does with the file, the page does with its bytes and those that it names.
    #[test]
    fn the_page_makes_the_bytes_of_the_program() {
        let mut made = 0;
        for path in corpus("manifests") {
            let mut page = Page::default();
            let manifest = read(&path).unwrap();
            for (name, file) in manifest.content_names().zip(manifest.contents()) {
                let input = [name.as_bytes(), &fs::read(file).unwrap()].concat();
                page.add_file(&input, name.len()).unwrap();
            }
            let report = String::from_utf8(page.examine(&fs::read(&path).unwrap()).unwrap()).unwrap();
            match Configuration::new(manifest, None) {
                Ok(configuration) => {
                    made += 1;
                    assert!(page.config_uf2().unwrap() == configuration.uf2().unwrap().uf2, "{}", path.display());
                }
                Err(reason) => {
                    let mut said = String::new();
                    super::text(&mut said, &reason.to_string());
                    assert!(report.contains(&said), "{}: {said} is not in {report}", path.display());
                    assert!(page.config_uf2().is_err(), "{}", path.display());
                }
            }
        }
        assert!(made >= 15, "{made}");
    }

    #[test]
    fn what_the_stock_firmware_lacks_is_refused_with_its_limit() {
        for (text, says) in [
            ("[dynamic]\nfiles = 65\n", "and the stock firmware has room for 64"),
            ("[log]\ndefmt = true\n", "needs firmware with a defmt logger of its own"),
            ("[chip]\nprogram = \"sram\"\n", "the stock firmware runs from flash"),
            ("[log]\nstdout = true\nring-size = \"32 KiB\"\n", "and the stock firmware has 16384"),
        ] {
            let mut page = Page::default();
            let report = String::from_utf8(page.examine(text.as_bytes()).unwrap()).unwrap();
            assert!(report.contains(says), "{says} is not in {report}");
            assert_eq!(page.config_uf2().unwrap_err(), "mend the manifest first");
        }
    }

    /// Every problem of the program is one of the page, with the same words.
    #[test]
    fn the_page_finds_the_problems_of_the_program() {
        let mut found = 0;
        for path in corpus("bad-manifests") {
            let bytes = fs::read(&path).unwrap();
            let Ok(report) = Page::default().examine(&bytes) else { continue };
            let report = String::from_utf8(report).unwrap();
            let manifest = read(&path).map(|manifest| Configuration::new(manifest, None));
            let (Err(problems) | Ok(Err(Refused::Manifest(problems)))) = manifest else { continue };
            for problem in Diagnostics::shown(&problems).filter(|problem| !problem.message.contains("the content")) {
                let mut said = String::new();
                super::text(&mut said, &problem.message);
                assert!(report.contains(&said), "{}: {said} is not in {report}", path.display());
                found += 1;
            }
        }
        assert!(found > 50, "{found}");
    }

    fn examined(text: &str) -> String {
        String::from_utf8(Page::default().examine(text.as_bytes()).unwrap()).unwrap()
    }

    #[test]
    fn positions_are_in_utf16_units_and_within_a_line() {
        let report = examined("# \u{1F600}\u{fc}\n[volume]\nlable = \"X\"\n");
        assert!(report.contains("\"line\":3,\"column\":1,\"from\":15,\"to\":20}"), "{report}");
        // A table without its keys is marked up to the end of its first line.
        let report = examined("[[file]]\npath = \"A\"\n\n[[file]]\ntext = \"\"\n");
        assert!(report.contains("\"line\":1,\"column\":1,\"from\":0,\"to\":8}"), "{report}");
        assert!(report.contains("\"line\":4,\"column\":1,\"from\":21,\"to\":29}"), "{report}");
    }

    #[test]
    fn any_text_gives_a_report() {
        for text in ["", "\0", "\u{feff}[volume]\n", "a = [\n[", "[volume]\nlabel = \"", "\r\n\r", "</script>"] {
            assert!(examined(text).starts_with("{\"problems\":["), "{text:?}");
        }
        assert!(Page::default().examine(b"\xFF").is_err());
    }
}
