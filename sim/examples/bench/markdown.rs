//! The report as the README has it.

use super::measure::{Row, SIZES};
use super::report::{Group, Report};
use std::fmt::Write;

/// A number with commas between thousands.
fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if number < -0.5 { format!("-{out}") } else { out }
}

fn shares(row: &Row) -> String {
    row.costs.iter().map(|cost| format!("{:.1}", cost.share * 100.0)).collect::<Vec<_>>().join(", ")
}

/// All tables, in the order in which the README shows them.
pub fn markdown(report: &Report) -> String {
    let mut out = String::new();
    if let Some(first) = report.groups.first() {
        sectors(first, &mut out);
    }
    paces(report, &mut out);
    if !report.many.is_empty() {
        many(report, &mut out);
    }
    if !report.shares.is_empty() {
        out += "\n| the stick's share of the processor | firmware | used | left |\n|---|---|---:|---:|\n";
        for share in &report.shares {
            let used = share.used * 100.0;
            let _ = writeln!(out, "| {} | {} | {used:.3} % | {:.3} % |", share.host, share.firmware, 100.0 - used);
        }
    }
    let goals = report.goals();
    if !goals.is_empty() {
        out += "\n| goal | wanted | measured | met |\n|---|---|---|---|\n";
        for goal in goals {
            let met = if goal.met { "yes" } else { "**no**" };
            let _ = writeln!(out, "| {} | {} | {} | {met} |", goal.name, goal.wanted, goal.measured);
        }
    }
    out
}

fn sectors(group: &Group, out: &mut String) {
    let [long, middle, short] = SIZES;
    let _ = writeln!(
        out,
        "| sectors | {long} | {middle} | {short} | share of the wire, % | bytes a frame | margin | NAKs |"
    );
    *out += "|---|---:|---:|---:|---|---:|---:|---:|\n";
    for row in &group.rows {
        let cycles: Vec<String> = row.costs.iter().map(|cost| thousands(cost.cycles)).collect();
        let Some(cost) = row.costs.first() else { continue };
        let margin = cost.margin.map_or_else(|| "-".to_owned(), |(_, least)| thousands(least as f64));
        let naks = if cost.naks == 0.0 { "0".to_owned() } else { format!("{:.2}", cost.naks) };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {margin} | {naks} |",
            row.name,
            cycles.join(" | "),
            shares(row),
            thousands(cost.bytes_per_frame),
        );
    }
}

/// Each bus at each pace in one line: the worst kind of sector.
fn paces(report: &Report, out: &mut String) {
    if report.groups.len() < 2 {
        return;
    }
    *out += "\n| driver of the USB controller | pace | bytes a frame | share of the wire, % | margin | NAKs a packet |\n\
             |---|---|---:|---:|---:|---:|\n";
    for group in &report.groups {
        let long = || group.rows.iter().filter_map(|row| row.costs.first().filter(|cost| cost.blocks == SIZES[0]));
        let least = |pick: &dyn Fn(&super::measure::Cost) -> f64| long().map(pick).fold(f64::INFINITY, f64::min);
        let most = long().map(|cost| cost.naks).fold(0.0, f64::max);
        let margin = least(&|cost| cost.margin.map_or(f64::INFINITY, |(_, least)| least as f64));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {:.1} | {} | {most:.2} |",
            group.bus,
            group.pace.name,
            thousands(least(&|cost| cost.bytes_per_frame)),
            least(&|cost| cost.share) * 100.0,
            thousands(margin),
        );
    }
}

/// Cycles a sector over the number of files.
fn many(report: &Report, out: &mut String) {
    let names: Vec<&str> =
        report.many.first().map(|many| many.rows.iter().map(|row| row.name).collect()).unwrap_or_default();
    let _ = writeln!(out, "\n| files | {} |", names.join(" | "));
    let _ = writeln!(out, "|---:|{}", "---:|".repeat(names.len()));
    for many in &report.many {
        let cycles = names.iter().map(|name| {
            let row = many.rows.iter().find(|row| row.name == *name);
            row.and_then(|row| row.costs.first()).map_or_else(|| "-".to_owned(), |cost| thousands(cost.cycles))
        });
        let _ = writeln!(out, "| {} | {} |", thousands(f64::from(many.files)), cycles.collect::<Vec<_>>().join(" | "));
    }
}
