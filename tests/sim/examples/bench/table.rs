//! The table, for people and for machines.

use super::measure::{Cost, Row, SIZES};
use super::pace::Pace;
use std::fmt::Write;

/// For people.
pub fn text(tables: &[(Pace, Vec<Row>)]) -> String {
    let mut out = String::new();
    for (index, (pace, rows)) in tables.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let [long, middle, short] = SIZES;
        let _ = writeln!(out, "{}", pace.name);
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
    }
    let _ = write!(
        out,
        "\nThe three columns are READs of {} blocks, or of as many as there are. Cycles are awake ones from CBW to CSW, the \
         command's\nshare included. The wire's share is the time that the same transactions take without a NAK. From bytes a \
         frame on, the longest\nREADs; margin is how long before the host's token the next packet was there, in cycles. NAKs a \
         command are those before the\nfirst packet and before the CSW.\n",
        SIZES.map(|size| size.to_string()).join(", ")
    );
    out
}

/// For machines: an array of paces, each with its rows.
pub fn json(tables: &[(Pace, Vec<Row>)]) -> String {
    let tables: Vec<String> = tables
        .iter()
        .map(|(pace, rows)| {
            let rows: Vec<String> = rows
                .iter()
                .map(|row| {
                    let costs: Vec<String> = row.costs.iter().map(cost).collect();
                    format!(
                        "    {{\"kind\": \"{}\", \"reads\": [\n      {}\n    ]}}",
                        row.name,
                        costs.join(",\n      ")
                    )
                })
                .collect();
            format!("  {{\"pace\": \"{}\", \"rows\": [\n{}\n  ]}}", pace.name, rows.join(",\n"))
        })
        .collect();
    format!("[\n{}\n]\n", tables.join(",\n"))
}

fn cost(cost: &Cost) -> String {
    let (mean, least) = match cost.margin {
        Some((mean, least)) => (format!("{mean:.1}"), least.to_string()),
        None => ("null".to_owned(), "null".to_owned()),
    };
    format!(
        "{{\"blocks\": {}, \"cycles_per_sector\": {:.1}, \"bytes_per_frame\": {:.1}, \"share\": {:.4}, \
         \"margin_mean\": {mean}, \"margin_least\": {least}, \"naks_per_packet\": {:.3}, \"naks_before_data\": {:.2}, \
         \"naks_before_status\": {:.2}}}",
        cost.blocks,
        cost.cycles,
        cost.bytes_per_frame,
        cost.share,
        cost.naks,
        cost.command_naks[0],
        cost.command_naks[1]
    )
}
