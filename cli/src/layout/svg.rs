//! The map as a drawing: the whole volume to scale on the left, each region as a row on the right. It uses the page's
//! fonts, light and dark colours, and its own background so that it is legible on any page.

use picovd_manifest::{DiskPlan, layout_rows};
use std::fmt::Write;

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 24.0;
/// Where the rows begin, below the title.
const TOP: f64 = 84.0;
/// The volume to scale.
const SCALE: std::ops::Range<f64> = 24.0..84.0;
/// The rows.
const ROWS: std::ops::Range<f64> = 168.0..836.0;
const ROW_HEIGHT: f64 = 26.0;
const ROW_GAP: f64 = 3.0;
/// A map with more rows is unreadable: adjacent regions of the same kind then share one.
const MOST_ROWS: usize = 40;

/// Colours by class: light, dark.
const STYLE: &str = "\
    .page { fill: #fbfaf7; stroke: #dcd8cf; }
    .title { fill: #1f2328; font: 600 17px ui-sans-serif, system-ui, sans-serif; }
    .head { fill: #6b6f76; font: 12px ui-sans-serif, system-ui, sans-serif; }
    .what { fill: #1f2328; font: 13px ui-sans-serif, system-ui, sans-serif; }
    .path { fill: #1f2328; font: 600 13px ui-monospace, monospace; }
    .number { fill: #4b5057; font: 12px ui-monospace, monospace; }
    .fan { opacity: 0.16; }
    .structure { fill: #4f7cac; }
    .directory { fill: #8a63b4; }
    .file { fill: #4d9a6a; }
    .memory { fill: #d08435; }
    .dynamic { fill: #2a9aa5; }
    .unused { fill: #b4b0a7; }
    .row { fill-opacity: 0.2; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #16191d; stroke: #343a41; }
      .title, .what, .path { fill: #e8eaed; }
      .head, .number { fill: #a3a9b1; }
      .structure { fill: #6b9fd6; }
      .directory { fill: #ae8ad6; }
      .file { fill: #6cc08b; }
      .memory { fill: #e8a35b; }
      .dynamic { fill: #4cc2cd; }
      .unused { fill: #5d646c; }
    }
";

/// One row of the drawing: a region, or several of the same kind.
struct Row {
    first: u32,
    length: u32,
    class: &'static str,
    what: String,
    path: String,
}

/// The drawing, a whole SVG document.
pub fn drawing(plan: &DiskPlan) -> String {
    let rows = rows(plan);
    let height = TOP + rows.len() as f64 * (ROW_HEIGHT + ROW_GAP) + MARGIN + 18.0;
    let (top, bottom) = (TOP, height - MARGIN - 18.0 - ROW_GAP);
    let label = String::from_utf16_lossy(&plan.label.units);
    let digits = if plan.label.board_digits { "\u{2026}" } else { "" };
    let size = bytes(u64::from(plan.block_count()) * 512);
    let mut out = String::new();
    // `fmt::Write` into a `String` never fails.
    let _ = writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\">\n  \
         <title>The disk {0}{digits}: {size}, {1} regions</title>\n  <style>\n{STYLE}  </style>\n  \
         <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{2}\" height=\"{3}\" rx=\"10\"/>\n  \
         <text class=\"title\" x=\"{MARGIN}\" y=\"38\">{0}{digits} \u{b7} exFAT, {size}</text>",
        escaped(&label),
        plan.regions.len(),
        WIDTH - 1.0,
        height - 1.0,
    );
    for (x, text, end) in [
        (SCALE.start, "to scale", false),
        (ROWS.start + 66.0, "LBA", true),
        (ROWS.start + 132.0, "blocks", true),
        (ROWS.start + 150.0, "holds (clause of the exFAT specification)", false),
        (ROWS.end - 12.0, "name", true),
    ] {
        let _ = writeln!(out, "  {}", line("head", x, TOP - 12.0, text, end));
    }
    let scale = (bottom - top) / f64::from(plan.block_count().max(1));
    for (index, row) in rows.iter().enumerate() {
        let (from, to) = (top + f64::from(row.first) * scale, top + f64::from(row.first + row.length) * scale);
        let y = TOP + index as f64 * (ROW_HEIGHT + ROW_GAP);
        draw(&mut out, row, from, to, y);
    }
    let begins = match plan.partition_offset {
        0 => "the boot sector is block 0, there is no partition table".to_owned(),
        first => format!("the boot sector is block {first}, the first one of the partition"),
    };
    let (allocated, clusters) = (plan.allocated_clusters, plan.cluster_count);
    let allocated = format!("{allocated} of {clusters} clusters of 4 KiB allocated; {begins}");
    let _ = writeln!(out, "  {}", line("head", MARGIN, height - MARGIN, &allocated, false));
    out + "</svg>\n"
}

fn draw(out: &mut String, row: &Row, from: f64, to: f64, y: f64) {
    let Row { first, length, class, what, path } = row;
    let end = y + ROW_HEIGHT;
    let (left, right) = (SCALE.end + 2.0, ROWS.start - 2.0);
    let width = SCALE.end - SCALE.start;
    // Very thin regions get a minimum thickness.
    let thick = (to - from).max(0.35);
    let baseline = y + 17.5;
    let _ = writeln!(
        out,
        "  <g>\n    <rect class=\"{class}\" x=\"{:.1}\" y=\"{from:.2}\" width=\"{width:.1}\" height=\"{thick:.2}\"/>\n    \
         <polygon class=\"{class} fan\" points=\"{left},{from:.2} {right},{y} {right},{end} {left},{to:.2}\"/>\n    \
         <rect class=\"{class} row\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"{ROW_HEIGHT}\" rx=\"4\"/>\n    \
         <rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"5\" height=\"{ROW_HEIGHT}\" rx=\"2\"/>\n    {}\n    {}\n    {}\n    {}\n  </g>",
        SCALE.start,
        ROWS.start,
        ROWS.end - ROWS.start,
        ROWS.start,
        line("number", ROWS.start + 66.0, baseline, &first.to_string(), true),
        line("number", ROWS.start + 132.0, baseline, &length.to_string(), true),
        line("what", ROWS.start + 150.0, baseline, what, false),
        line("path", ROWS.end - 12.0, baseline, path, true),
    );
}

fn line(class: &str, x: f64, y: f64, text: &str, end: bool) -> String {
    let anchor = if end { " text-anchor=\"end\"" } else { "" };
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{}</text>", escaped(text))
}

/// The regions as rows; if there are many, one row for adjacent regions with the same kind of contents.
fn rows(plan: &DiskPlan) -> Vec<Row> {
    let all: Vec<_> = layout_rows(plan).collect();
    let groups: Vec<_> = match all.len() {
        0..=MOST_ROWS => all.chunks(1).collect(),
        _ => all.chunk_by(|a, b| a.holds == b.holds).collect(),
    };
    let row = |group: &[picovd_manifest::LayoutRow<'_>]| {
        let first = group.first()?;
        let length = group.iter().map(|row| row.length).sum();
        let (what, path) = match group.len() {
            1 => (format!("{} ({})", first.holds, first.clause), shortened(first.name)),
            n => (format!("{} ({}), {n} times", first.holds, first.clause), String::new()),
        };
        Some(Row { first: first.first, length, class: class(first.holds), what, path })
    };
    groups.into_iter().filter_map(row).collect()
}

fn class(holds: &str) -> &'static str {
    match holds {
        "directory" => "directory",
        "file" => "file",
        "memory window" => "memory",
        "dynamic window" => "dynamic",
        "partition table" | "boot region" | "FAT" | "allocation bitmap" | "up-case table" => "structure",
        _ => "unused",
    }
}

/// The end of a long path, which distinguishes it from others.
fn shortened(path: &str) -> String {
    const MOST: usize = 36;
    let count = path.chars().count();
    if count <= MOST {
        path.to_owned()
    } else {
        format!("\u{2026}{}", path.chars().skip(count - MOST + 1).collect::<String>())
    }
}

fn bytes(number: u64) -> String {
    match number {
        0..=0xF_FFFF => format!("{} KiB", number >> 10),
        0x10_0000..=0x3FFF_FFFF => format!("{:.2} MiB", number as f64 / (1_u64 << 20) as f64),
        _ => format!("{:.2} GiB", number as f64 / (1_u64 << 30) as f64),
    }
}

/// A text between tags (XML 1.0, 2.4); names contain no characters that XML cannot represent.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::{bytes, drawing, escaped, shortened};
    use picovd_manifest::{check, plan, read_text};
    use std::path::Path;

    fn drawn(text: &str) -> String {
        let manifest = read_text("m", text, Path::new("")).expect("TOML");
        drawing(&plan(&check(&manifest, None).expect("a right manifest")).expect("a small volume"))
    }

    #[test]
    fn every_region_is_a_row_until_there_are_too_many() {
        let file = |index: usize| format!("[[file]]\npath = \"{index}&.txt\"\ntext = \"x\"\n");
        let few: String = (0..3).map(file).collect();
        let many: String = (0..300).map(file).collect();
        assert_eq!(drawn(&few).matches("file (5.1)</text>").count(), 3);
        assert!(drawn(&few).contains(">2&amp;.txt</text>"));
        let many = drawn(&many);
        assert!(many.contains("file (5.1), 300 times") && many.matches("<g>").count() < 20, "{many}");
    }

    #[test]
    fn texts_fit() {
        assert_eq!(shortened("a/b"), "a/b");
        assert_eq!(shortened(&"\u{e4}/".repeat(99)).chars().count(), 36);
        assert_eq!(escaped("a<b>&"), "a&lt;b&gt;&amp;");
        assert_eq!([bytes(4096), bytes(3 << 19), bytes(32 << 30)], ["4 KiB", "1.50 MiB", "32.00 GiB"]);
    }
}
