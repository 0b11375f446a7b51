//! The recommended up-case table (7.2.5.1), computed from rules instead of stored in 5836 bytes.
//!
//! The table maps each UTF-16 unit to its upper case. Nearly all of its 65536 entries are identities, which the standard
//! allows a table to skip: the unit FFFFh and a count replace that many entries (7.2.5). The rules below list the units that
//! differ; five runs list which entries the recommended table does not skip. Together they take about 740 bytes.

/// Length of the compressed table in bytes, DataLength (7.2.4).
pub const TABLE_LENGTH: usize = 5836;

/// TableChecksum (7.2.2) of the recommended table.
pub const TABLE_CHECKSUM: u32 = 0xE619_D30D;

/// The upper case of a UTF-16 unit, which is the unit itself except for 874 of them. Surrogates map to themselves.
#[must_use]
pub fn upcase(unit: u16) -> u16 {
    // Most names are ASCII, for which this rule is enough.
    if unit < 0x80 {
        let lower = unit.wrapping_sub(0x61) < 26;
        return unit - if lower { 0x20 } else { 0 };
    }
    let after = RULES.partition_point(|rule| rule.first <= unit);
    after.checked_sub(1).and_then(|index| RULES.get(index)).map_or(unit, |rule| rule.apply(unit))
}

/// Renders the compressed table's bytes from `offset` on. Bytes past its end are zeros.
///
/// Any offset costs two look-ups, and each unit after that a few instructions.
pub fn render(offset: usize, out: &mut [u8]) {
    let (head, rest) = out.split_at_mut((offset % 2).min(out.len()));
    for high in head {
        *high = unit_at(offset / 2)[1];
    }
    let index = offset.div_ceil(2);
    let (units, tail) = rest.as_chunks_mut();
    let end = index.saturating_add(units.len());
    render_units(index, units);
    for low in tail {
        *low = unit_at(end)[0];
    }
}

fn unit_at(index: usize) -> [u8; 2] {
    let mut unit = [[0; 2]];
    render_units(index, &mut unit);
    unit[0]
}

/// Renders the compressed table's units from `index` on.
fn render_units(index: usize, out: &mut [[u8; 2]]) {
    let after = RUNS.partition_point(|run| run.index <= index).max(1);
    let (mut index, mut rest) = (index, out);
    let mut later = RUNS.get(after - 1..).unwrap_or(&[]);
    while let [run, after @ ..] = later
        && !rest.is_empty()
    {
        let end = run_end(after);
        let first = index - run.index;
        let (spelled, more) = rest.split_at_mut(end.saturating_sub(index).min(rest.len()));
        spell(run.unit.wrapping_add(first as u16), spelled);
        index += spelled.len();
        // The two units of the skip: FFFFh, then the number of units from this run's end to the next run.
        let Some(next) = after.first() else { return more.fill([0; 2]) };
        let count = next.unit.wrapping_sub(run.unit.wrapping_add((end - run.index) as u16));
        let skip = [SKIP.to_le_bytes(), count.to_le_bytes()];
        let (skipped, more) = more.split_at_mut((next.index - index.min(next.index)).min(more.len()));
        for (place, unit) in skipped.iter_mut().zip(skip.iter().skip(index - end.min(index))) {
            *place = *unit;
        }
        index += skipped.len();
        rest = more;
        later = after;
    }
}

/// The upper case of `unit` and of those that follow.
fn spell(unit: u16, out: &mut [[u8; 2]]) {
    let mut unit = unit;
    let mut rest = out;
    let mut rules = RULES.get(RULES.partition_point(|rule| rule.last() < unit)..).unwrap_or(&[]);
    while !rest.is_empty() {
        let [rule, later @ ..] = rules else { return identities(unit, rest) };
        let (same, other) = rest.split_at_mut(usize::from(rule.first.saturating_sub(unit)).min(rest.len()));
        identities(unit, same);
        unit = unit.wrapping_add(same.len() as u16);
        let reach = usize::from(rule.last().wrapping_sub(unit)) + 1;
        let (ruled, behind) = other.split_at_mut(reach.min(other.len()));
        by_two(rule.upper(unit), rule.upper(unit.wrapping_add(1)), ruled);
        unit = unit.wrapping_add(ruled.len() as u16);
        rest = behind;
        rules = later;
    }
}

/// Units that are their own upper case.
fn identities(unit: u16, out: &mut [[u8; 2]]) {
    by_two(unit, unit.wrapping_add(1), out);
}

/// Two alternating sequences, from `first` and `second` on, both ascending in steps of two. Writes a word at a time.
fn by_two(first: u16, second: u16, out: &mut [[u8; 2]]) {
    let mut word = u32::from(second) << 16 | u32::from(first);
    let (pairs, rest) = out.as_chunks_mut();
    for pair in pairs {
        let [a, b, c, d] = word.to_le_bytes();
        *pair = [[a, b], [c, d]];
        // Neither half overflows: the upper case of unit FFFFh is FFFFh.
        word = word.wrapping_add(0x0002_0002);
    }
    for place in rest {
        *place = (word as u16).to_le_bytes();
    }
}

/// Some of the units `first..=first + reach` differ from their upper case, all by the same distance.
#[derive(Clone, Copy)]
struct Rule {
    first: u16,
    distance: u16,
    reach: u8,
    /// 0: all units of the range. 1: every second one, starting with the first.
    step_mask: u8,
}

impl Rule {
    const fn last(&self) -> u16 {
        self.first + self.reach as u16
    }

    fn apply(&self, unit: u16) -> u16 {
        if unit.wrapping_sub(self.first) <= u16::from(self.reach) { self.upper(unit) } else { unit }
    }

    /// The upper case of a unit of the range. Units that the step skips are unchanged.
    fn upper(&self, unit: u16) -> u16 {
        let left_out = unit.wrapping_sub(self.first) & u16::from(self.step_mask) != 0;
        if left_out { unit } else { unit.wrapping_add(self.distance) }
    }
}

/// A run of entries that the compressed table does not skip.
struct Run {
    /// Position of its first entry in the compressed table, in units.
    index: usize,
    /// The unit that this entry maps.
    unit: u16,
}

const TABLE_UNITS: usize = TABLE_LENGTH / 2;

/// Between two runs there are two units, FFFFh and a count.
const SKIP_UNITS: usize = 2;
const SKIP: u16 = 0xFFFF;

static RUNS: [Run; 5] = [
    Run { index: 0, unit: 0 },
    Run { index: 1417, unit: 0x1D7D },
    Run { index: 2451, unit: 0x24D0 },
    Run { index: 2479, unit: 0x2C30 },
    Run { index: 2727, unit: 0xFF41 },
];

fn run_end(after: &[Run]) -> usize {
    after.first().map_or(TABLE_UNITS, |run| run.index - SKIP_UNITS)
}

/// `count` consecutive units, each `distance` away from its upper case.
const fn run(first: u16, count: u8, distance: i16) -> Rule {
    Rule { first, distance: distance as u16, reach: count - 1, step_mask: 0 }
}

/// `count` units with a gap of one between them.
const fn pairs(first: u16, count: u8, distance: i16) -> Rule {
    Rule { first, distance: distance as u16, reach: (count - 1) * 2, step_mask: 1 }
}

/// Ascending, and no two ranges overlap.
#[rustfmt::skip]
static RULES: [Rule; 119] = [
    run(0x0061, 26, -32), run(0x00E0, 23, -32), run(0x00F8, 7, -32), run(0x00FF, 1, 121), pairs(0x0101, 24, -1),
    pairs(0x0133, 3, -1), pairs(0x013A, 8, -1), pairs(0x014B, 23, -1), pairs(0x017A, 3, -1), run(0x0180, 1, 195),
    pairs(0x0183, 2, -1), run(0x0188, 1, -1), run(0x018C, 1, -1), run(0x0192, 1, -1), run(0x0195, 1, 97),
    run(0x0199, 1, -1), run(0x019A, 1, 163), run(0x019E, 1, 130), pairs(0x01A1, 3, -1), run(0x01A8, 1, -1),
    run(0x01AD, 1, -1), run(0x01B0, 1, -1), pairs(0x01B4, 2, -1), run(0x01B9, 1, -1), run(0x01BD, 1, -1),
    run(0x01BF, 1, 56), run(0x01C6, 1, -2), run(0x01C9, 1, -2), run(0x01CC, 1, -2), pairs(0x01CE, 8, -1),
    run(0x01DD, 1, -79), pairs(0x01DF, 9, -1), run(0x01F3, 1, -2), run(0x01F5, 1, -1), pairs(0x01F9, 20, -1),
    pairs(0x0223, 9, -1), run(0x023A, 1, 10795), run(0x023C, 1, -1), run(0x023E, 1, 10792), run(0x0242, 1, -1),
    pairs(0x0247, 5, -1), run(0x0253, 1, -210), run(0x0254, 1, -206), run(0x0256, 2, -205), run(0x0259, 1, -202),
    run(0x025B, 1, -203), run(0x0260, 1, -205), run(0x0263, 1, -207), run(0x0268, 1, -209), run(0x0269, 1, -211),
    run(0x026B, 1, 10743), run(0x026F, 1, -211), run(0x0272, 1, -213), run(0x0275, 1, -214), run(0x027D, 1, 10727),
    run(0x0280, 1, -218), run(0x0283, 1, -218), run(0x0288, 1, -218), run(0x0289, 1, -69), run(0x028A, 2, -217),
    run(0x028C, 1, -71), run(0x0292, 1, -219), run(0x037B, 3, 130), run(0x03AC, 1, -38), run(0x03AD, 3, -37),
    run(0x03B1, 17, -32), run(0x03C2, 1, -31), run(0x03C3, 9, -32), run(0x03CC, 1, -64), run(0x03CD, 2, -63),
    pairs(0x03D9, 12, -1), run(0x03F2, 1, 7), run(0x03F8, 1, -1), run(0x03FB, 1, -1), run(0x0430, 32, -32),
    run(0x0450, 16, -80), pairs(0x0461, 17, -1), pairs(0x048B, 27, -1), pairs(0x04C2, 7, -1), run(0x04CF, 1, -15),
    pairs(0x04D1, 34, -1), run(0x0561, 38, -48), run(0x1D7D, 1, 3814), pairs(0x1E01, 75, -1), pairs(0x1EA1, 45, -1),
    run(0x1F00, 8, 8), run(0x1F10, 6, 8), run(0x1F20, 8, 8), run(0x1F30, 8, 8), run(0x1F40, 6, 8),
    pairs(0x1F51, 4, 8), run(0x1F60, 8, 8), run(0x1F70, 2, 74), run(0x1F72, 4, 86), run(0x1F76, 2, 100),
    run(0x1F78, 2, 128), run(0x1F7A, 2, 112), run(0x1F7C, 2, 126), run(0x1F80, 8, 8), run(0x1F90, 8, 8),
    run(0x1FA0, 8, 8), run(0x1FB0, 2, 8), run(0x1FB3, 1, 9), run(0x1FCC, 1, -9), run(0x1FD0, 2, 8), run(0x1FE0, 2, 8),
    run(0x1FE5, 1, 7), run(0x1FFC, 1, -9), run(0x214E, 1, -28), run(0x2170, 16, -16), run(0x2184, 1, -1),
    run(0x24D0, 26, -26), run(0x2C30, 47, -48), run(0x2C61, 1, -1), pairs(0x2C68, 3, -1), run(0x2C76, 1, -1),
    pairs(0x2C81, 50, -1), run(0x2D00, 38, -7264), run(0xFF41, 26, -32),
];

const _: () = {
    let mut index = 1;
    while index < RULES.len() {
        assert!(RULES[index - 1].last() < RULES[index].first, "look-up needs ascending, disjoint ranges");
        index += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::table_checksum;

    fn whole() -> [u8; TABLE_LENGTH] {
        let mut bytes = [0; TABLE_LENGTH];
        render(0, &mut bytes);
        bytes
    }

    #[test]
    fn the_checksum_is_the_published_one() {
        assert_eq!(table_checksum(0, &whole()), TABLE_CHECKSUM);
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn expanded_it_maps_as_upcase_does() {
        let bytes = whole();
        let mut units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).peekable();
        let mut unit = 0u32;
        while let Some(entry) = units.next() {
            // The last entry is FFFFh itself, mapped to itself: no count follows.
            if entry == 0xFFFF && units.peek().is_some() {
                for _ in 0..units.next().unwrap() {
                    assert_eq!(u32::from(upcase(unit as u16)), unit);
                    unit += 1;
                }
            } else {
                assert_eq!(upcase(unit as u16), entry, "{unit:04X}");
                unit += 1;
            }
        }
        assert_eq!(unit, 0x1_0000);
    }

    #[test]
    fn the_first_128_entries_are_those_of_the_standard() {
        for unit in 0..128u16 {
            let byte = unit as u8;
            assert_eq!(upcase(unit), u16::from(byte.to_ascii_uppercase()));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes minutes in Miri")]
    fn windows_agree_with_the_whole() {
        let bytes = whole();
        for offset in 0..TABLE_LENGTH + 70 {
            for length in [0, 1, 2, 7, 64] {
                let mut out = [0xEE; 64];
                render(offset, &mut out[..length]);
                for (i, byte) in out[..length].iter().enumerate() {
                    assert_eq!(*byte, bytes.get(offset + i).copied().unwrap_or(0), "offset {offset} at {i}");
                }
            }
        }
        let mut out = [1; 3];
        render(usize::MAX - 8, &mut out);
        assert_eq!(out, [0; 3]);
    }
}
