//! What a firmware with `[crash]` has stored of its crashes.

use super::debug_info::DebugInfo;

/// The first word of a record, and where in it the number of crashes in a row is (`picovd::files::crash::record`).
const MARK: u32 = 0x5644_4352;
const ROW: usize = 4;
/// How many of them end in a start without the application.
const MOST: u32 = 3;

/// Whether the firmware, which restarts, will start without its application.
pub fn starts_safe(debug: &DebugInfo<'_>, sram: &[u8]) -> bool {
    let Some((address, length)) = debug.object(|name| name.ends_with("::CRASH_MEMORY")) else { return false };
    let memory = address.checked_sub(0x2000_0000).and_then(|at| sram.get(at as usize..)).unwrap_or_default();
    let words: Vec<u32> = memory
        .get(..length as usize)
        .unwrap_or(memory)
        .chunks_exact(4)
        .map(|word| u32::from_le_bytes(word.try_into().unwrap_or_default()))
        .collect();
    let counted = |start: usize| match words.get(start + ROW..start + ROW + 2) {
        Some([row, complement]) => *row >= MOST && *complement == !row,
        _ => false,
    };
    (0..words.len()).any(|start| words[start] == MARK && counted(start))
}
