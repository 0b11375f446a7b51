//! The report for people.

use super::measure::SIZES;
use super::report::{Group, Report};
use std::fmt::Write;

/// Everything.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    for Group { bus, pace, rows } in &report.groups {
        let [long, middle, short] = SIZES;
        let _ = writeln!(out, "{bus}'s driver, {}", pace.name);
        let _ = writeln!(
            out,
            "{:<18} {:>22}  {:>20}  {:>7} {:>8} {:>8} {:>7} {:>8}",
            "kind of sector",
            "cycles a sector",
            "share of the wire, %",
            "bytes a",
            "margin,",
            "margin,",
            "NAKs a",
            "NAKs a"
        );
        let _ = writeln!(
            out,
            "{:<18} {:>8}{:>7}{:>7}  {:>7}{:>7}{:>6}  {:>7} {:>8} {:>8} {:>7} {:>8}",
            "", long, middle, short, long, middle, short, "frame", "mean", "least", "packet", "command"
        );
        for row in rows {
            let _ = write!(out, "{:<18} ", row.name);
            for (cost, width) in row.costs.iter().zip([8, 7, 7]) {
                let _ = write!(out, "{:>width$.0}", cost.cycles);
            }
            out.push_str("  ");
            for (cost, width) in row.costs.iter().zip([7, 7, 6]) {
                let _ = write!(out, "{:>width$.1}", cost.share * 100.0);
            }
            let Some(cost) = row.costs.first() else { continue };
            let (mean, least) = match cost.margin {
                Some((mean, least)) => (format!("{mean:.0}"), least.to_string()),
                None => ("-".to_owned(), "-".to_owned()),
            };
            let _ = writeln!(
                out,
                "  {:>7.0} {mean:>8} {least:>8} {:>7.2} {:>8.1}",
                cost.bytes_per_frame,
                cost.naks,
                cost.command_naks.iter().sum::<f64>()
            );
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "The three columns are READs of {} blocks, or of as many as there are. Cycles are awake ones from CBW to CSW, the \
         command's\nshare included. The wire's share is the time that the same transactions take without a NAK. From bytes a \
         frame on, the longest\nREADs; margin is how long before the host's token the next packet was there, in cycles. NAKs a \
         command are those before the\nfirst packet and before the CSW.\n",
        SIZES.map(|size| size.to_string()).join(", ")
    );
    beside(report, &mut out);
    out
}

/// What is not about one kind of sector.
fn beside(report: &Report, out: &mut String) {
    if !report.many.is_empty() {
        *out += "\ncycles a sector, over the number of files in one folder\n";
        for many in &report.many {
            let _ = write!(out, "{:>6} files", many.files);
            for row in &many.rows {
                let _ = write!(out, "  {} {:.0}", row.name, row.costs.first().map_or(0.0, |cost| cost.cycles));
            }
            out.push('\n');
        }
    }
    if !report.shares.is_empty() {
        *out += "\nthe stick's share of the processor, the rest is the application's\n";
        for share in &report.shares {
            let _ = writeln!(out, "{:>7.3} %  {}: the host {}", share.used * 100.0, share.firmware, share.host);
        }
    }
    let goals = report.goals();
    if !goals.is_empty() {
        *out += "\ngoals\n";
        for goal in goals {
            let met = if goal.met { "met " } else { "NOT " };
            let _ = writeln!(out, "{met} {}: {}, wanted: {}", goal.name, goal.measured, goal.wanted);
        }
    }
}
