//! The last lines that a firmware has printed, from the ring in its memory.
//!
//! The ring is the static `LOG` of the manifest's tables: a counter of 64 bits, then a power of two of bytes.

use super::debug_info::DebugInfo;

/// Number of lines that are shown.
const LINES: usize = 5;

/// The last lines.
pub fn lines(debug: &DebugInfo<'_>, sram: &[u8]) -> Vec<String> {
    let Some((address, size)) = debug.object(|name| name.ends_with("::LOG")) else { return Vec::new() };
    let ring = || sram.get(address.checked_sub(0x2000_0000)? as usize..)?.get(..size as usize);
    ring().map_or_else(Vec::new, lines_of)
}

fn lines_of(ring: &[u8]) -> Vec<String> {
    let Some((written, bytes)) = ring.split_first_chunk::<8>() else { return Vec::new() };
    let written = u64::from_le_bytes(*written);
    if !bytes.len().is_power_of_two() {
        return Vec::new();
    }
    let length = written.min(bytes.len() as u64) as usize;
    let end = written as usize % bytes.len();
    let start = (end + bytes.len() - length) % bytes.len();
    let text: Vec<u8> = bytes.iter().cycle().skip(start).take(length).copied().collect();
    let text = String::from_utf8_lossy(&text);
    // The start of the first line may have been overwritten.
    let whole = if written > bytes.len() as u64 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
    let lines: Vec<&str> = whole.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(LINES)).map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::lines_of;

    #[test]
    fn a_ring_has_its_last_whole_lines() {
        let ring = |written: u64, bytes: &[u8]| lines_of(&[&written.to_le_bytes(), bytes].concat());
        assert_eq!(ring(0, &[0; 8]), Vec::<String>::new());
        assert_eq!(ring(5, b"ab\ncd\0\0\0"), ["ab", "cd"]);
        // Bytes 8 to 11 have overwritten the first ones.
        assert_eq!(ring(12, b"gh\nixx\ne"), ["egh", "i"]);
        assert_eq!(ring(8, b"a\r\nb\r\nc\n"), ["a", "b", "c"]);
        assert!(lines_of(&[0; 11]).is_empty());
    }
}
