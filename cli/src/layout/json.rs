//! The map for programs.

use picovd_manifest::{BYTES_PER_CLUSTER, DiskPlan, LayoutRow, layout_rows};

/// One JSON object with the volume's numbers and its regions.
pub fn text(plan: &DiskPlan) -> String {
    let regions: Vec<String> = layout_rows(plan).map(region).collect();
    format!(
        "{{\n  \"bytes-per-block\": 512,\n  \"bytes-per-cluster\": {BYTES_PER_CLUSTER},\n  \"blocks\": {},\n  \
         \"volume\": {},\n  \"cluster-heap\": {},\n  \"clusters\": {},\n  \"allocated-clusters\": {},\n  \"regions\": [\n{}\n  ]\n}}\n",
        plan.block_count(),
        plan.partition_offset,
        plan.partition_offset + plan.cluster_heap_offset,
        plan.cluster_count,
        plan.allocated_clusters,
        regions.join(",\n")
    )
}

fn region(row: LayoutRow<'_>) -> String {
    let LayoutRow { first, length, holds, clause, name } = row;
    let (holds, clause, name) = (quoted(holds), quoted(clause), quoted(name));
    format!(
        "    {{ \"lba\": {first}, \"blocks\": {length}, \"holds\": {holds}, \"clause\": {clause}, \"name\": {name} }}"
    )
}

/// A JSON string (RFC 8259, 7). Names contain neither quotation marks nor control characters, but this does not rely on it.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn strings_are_escaped() {
        assert_eq!(quoted("a\"b\\c\n\u{1F600}"), "\"a\\\"b\\\\c\\u000a\u{1F600}\"");
    }
}
