//! The report for machines.

use super::measure::{Cost, Row};
use super::report::Report;
use serde_json::{Value, json};

/// All of it, as one object.
pub fn json(report: &Report) -> String {
    let groups: Vec<Value> = report
        .groups
        .iter()
        .map(|group| json!({ "bus": group.bus, "pace": group.pace.key, "kinds": rows(&group.rows) }))
        .collect();
    let many: Vec<Value> =
        report.many.iter().map(|many| json!({ "files": many.files, "kinds": rows(&many.rows) })).collect();
    let shares: Vec<Value> = report
        .shares
        .iter()
        .map(|share| json!({ "firmware": share.firmware, "host": share.host, "used": rounded(share.used, 5) }))
        .collect();
    let goals: Vec<Value> = report
        .goals()
        .into_iter()
        .map(|goal| json!({ "goal": goal.name, "wanted": goal.wanted, "measured": goal.measured, "met": goal.met }))
        .collect();
    let report = json!({
        "sectors": groups,
        "many_files": many,
        "linux": report.mount.map(|mount| json!({ "attach": mount.attach, "mount": mount.mount })),
        "processor": shares,
        "image": report.image.map(|image| json!({ "bytes": image.bytes, "seconds": rounded(image.time.as_secs_f64(), 3) })),
        "emulator": report.emulated.map(|emulated| {
            json!({ "instructions": emulated.instructions, "seconds": rounded(emulated.time.as_secs_f64(), 3) })
        }),
        "goals": goals,
    });
    format!("{report:#}\n")
}

fn rows(rows: &[Row]) -> Vec<Value> {
    rows.iter()
        .map(|row| json!({ "kind": row.name, "reads": row.costs.iter().map(cost).collect::<Vec<_>>() }))
        .collect()
}

fn cost(cost: &Cost) -> Value {
    let [before_data, before_status] = cost.command_naks;
    json!({
        "blocks": cost.blocks,
        "cycles_per_sector": rounded(cost.cycles, 1),
        "bytes_per_frame": rounded(cost.bytes_per_frame, 1),
        "share": rounded(cost.share, 4),
        "margin_mean": cost.margin.map(|(mean, _)| rounded(mean, 1)),
        "margin_least": cost.margin.map(|(_, least)| least),
        "naks_per_packet": rounded(cost.naks, 3),
        "naks_before_data": rounded(before_data, 2),
        "naks_before_status": rounded(before_status, 2),
    })
}

fn rounded(value: f64, places: i32) -> f64 {
    let scale = 10f64.powi(places);
    (value * scale).round() / scale
}
