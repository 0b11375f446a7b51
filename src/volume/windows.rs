//! Memory by its address, as the files of the manifest show it.

use super::Memory;
use super::flash::length_of;
use super::layout::{Gap, Layout, MemoryWindow, Region, RegionKind};
use crate::block::{BLOCK_LENGTH, Lba};

/// What the memory windows of a layout show.
#[derive(Clone, Copy)]
pub struct Windows<'a> {
    layout: &'a Layout<'a>,
    memory: &'a (dyn Memory + Sync),
    flash: u32,
}

/// Whether the file whose blocks begin at one is not on the volume.
type Hides<'h> = &'h dyn Fn(Lba) -> bool;

impl<'a> Windows<'a> {
    /// Those of `layout`, on a chip with `flash` bytes of flash that files may show.
    #[must_use]
    pub const fn new(layout: &'a Layout<'a>, memory: &'a (dyn Memory + Sync), flash: u32) -> Self {
        Self { layout, memory, flash }
    }

    /// Whether files show all of the `length` bytes from `address` on. What `hides` says is not shown.
    pub(crate) fn show(&self, address: u32, length: u32, hides: Hides<'_>) -> bool {
        let (mut at, mut rest) = (address, length);
        while rest != 0 {
            let Some((run, _)) = self.run(at, hides) else { return false };
            let run = run.min(rest);
            rest -= run;
            match at.checked_add(run) {
                Some(next) => at = next,
                None => return rest == 0,
            }
        }
        true
    }

    /// Copies what the files show from `address` on. Redacted ranges are zeros, as is what no file shows.
    pub(crate) fn read(&self, address: u32, hides: Hides<'_>, out: &mut [u8]) {
        let mut at = address;
        let mut rest = out;
        while !rest.is_empty() {
            let (run, is_shown) = self.run(at, hides).unwrap_or((u32::MAX, false));
            let length = rest.len().min(run as usize);
            let (piece, later) = rest.split_at_mut_checked(length).unwrap_or_default();
            if is_shown {
                self.memory.read(at, piece);
            } else {
                piece.fill(0);
            }
            at = at.wrapping_add(length as u32);
            rest = later;
        }
    }

    /// How many bytes from `address` on one window shows, and whether it shows memory there: a redaction shows zeros.
    // Not inlined, here and below: it is shorter, and time does not matter.
    #[inline(never)]
    fn run(&self, address: u32, hides: Hides<'_>) -> Option<(u32, bool)> {
        let mut redacted = None;
        for (place, region) in self.layout.all_regions().enumerate() {
            let within = |base: u32, length: u32| {
                let length = length_of(self.memory, MemoryWindow { base, length }, self.flash);
                let offset = address.wrapping_sub(base);
                (offset < length).then(|| length - offset)
            };
            match region.kind {
                RegionKind::Memory(window) if !hides(region.first) => {
                    if let Some(run) = within(window.base, window.length) {
                        return Some((run, true));
                    }
                }
                // Between the parts of a window, or before the first one, or after the last one: a redaction.
                RegionKind::Unused(Gap::Reserved) => {
                    let beside = |place: Option<usize>| window_of(&self.layout.region(place?)?, hides);
                    let length = bytes(&region);
                    let after = beside(place.checked_sub(1)).and_then(|(base, length)| base.checked_add(length));
                    let before = beside(place.checked_add(1)).and_then(|(base, _)| base.checked_sub(length));
                    redacted = redacted.or_else(|| after.and_then(|base| within(base, length)));
                    redacted = redacted.or_else(|| before.and_then(|base| within(base, length)));
                }
                _ => {}
            }
        }
        redacted.map(|run| (run, false))
    }
}

/// First address of a region that shows memory, and the length of its blocks.
#[inline(never)]
fn window_of(region: &Region<'_>, hides: Hides<'_>) -> Option<(u32, u32)> {
    match region.kind {
        RegionKind::Memory(window) if !hides(region.first) => Some((window.base, bytes(region))),
        _ => None,
    }
}

fn bytes(region: &Region<'_>) -> u32 {
    region.length.0.saturating_mul(BLOCK_LENGTH as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block::BlockCount;
    use crate::volume::layout::Draft;
    use crate::volume::tests::draft;

    /// Each byte is the lowest one of its address.
    struct Low;

    impl Memory for Low {
        fn read(&self, address: u32, out: &mut [u8]) {
            for (place, byte) in out.iter_mut().enumerate() {
                *byte = (address + place as u32) as u8 | 1;
            }
        }

        fn flash_offset(&self, address: u32) -> Option<u32> {
            (address >> 28 == 1).then_some(address & 0xFFF_FFFF)
        }
    }

    const fn window(first: u32, blocks: u32, base: u32, length: u32) -> Region<'static> {
        let kind = RegionKind::Memory(MemoryWindow { base, length });
        Region { first: Lba(first), length: BlockCount(blocks), kind }
    }

    const fn gap(first: u32, blocks: u32, gap: Gap) -> Region<'static> {
        Region { first: Lba(first), length: BlockCount(blocks), kind: RegionKind::Unused(gap) }
    }

    /// RAM with a redaction of 1 KiB in the middle, flash with one at its end, a window of 1000 bytes, and one that ends
    /// with the address space.
    const REGIONS: [Region<'static>; 8] = [
        window(0, 2, 0x2000_0000, 1024),
        gap(2, 2, Gap::Reserved),
        window(4, 4, 0x2000_0800, 2048),
        window(8, 8, 0x1000_0000, 4096),
        gap(16, 2, Gap::Reserved),
        gap(18, 6, Gap::Free),
        window(24, 8, 0x3000_0000, 1000),
        window(32, 8, 0xFFFF_F000, 4096),
    ];

    fn with<R>(flash: u32, work: impl FnOnce(&Windows<'_>) -> R) -> R {
        let layout = Layout::of(Draft { regions: REGIONS.to_vec(), ..draft() }.leak());
        work(&Windows::new(&layout, &Low, flash))
    }

    #[test]
    fn a_range_is_shown_if_every_byte_is() {
        for (address, length, shown) in [
            (0x2000_0000, 4096, true),
            (0x2000_0000, 4097, false),
            (0x1FFF_FFFF, 2, false),
            (0x2000_03FF, 1026, true),
            (0x2000_0FFF, 1, true),
            (0x2000_1000, 1, false),
            (0x1000_0000, 4096 + 1024, true),
            (0x1000_1400, 1, false),
            (0x3000_0000, 1000, true),
            (0x3000_0000, 1001, false),
            (0xFFFF_F000, 4096, true),
            (0xFFFF_FFFF, 2, false),
            (0, 1, false),
        ] {
            with(u32::MAX, |windows| {
                assert_eq!(windows.show(address, length, &|_| false), shown, "{address:#x} {length}");
            });
        }
        with(2048, |windows| {
            assert!(windows.show(0x1000_0000, 2048, &|_| false));
            assert!(!windows.show(0x1000_0000, 2049, &|_| false), "beyond the end of the chip");
            assert!(!windows.show(0x1000_1000, 1, &|_| false), "the redaction is beyond it, too");
        });
    }

    #[test]
    fn redactions_are_zeros_and_hidden_files_show_nothing() {
        with(u32::MAX, |windows| {
            let mut out = [0xEE; 1040];
            windows.read(0x2000_03F8, &|_| false, &mut out);
            assert!(out[..8].iter().all(|byte| *byte != 0) && out[1032..].iter().all(|byte| *byte != 0));
            assert!(out[8..1032].iter().all(|byte| *byte == 0));
            let hides = |first: Lba| first.0 < 8;
            assert!(!windows.show(0x2000_0000, 1, &hides) && !windows.show(0x2000_0400, 1, &hides));
            windows.read(0x2000_0000, &hides, &mut out);
            assert_eq!(out, [0; 1040]);
        });
    }
}
