//! Pages of flash, and what is read of them.

use super::super::nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Extents, HEADER_LENGTH, Header};
use super::Store;

/// Pages in a sector.
pub(super) const PAGES: u8 = (SECTOR_LENGTH / PAGE_LENGTH as u32) as u8;
/// Bytes that are read at once.
pub(super) const PIECE: usize = 32;

/// A page of a sector; the number of pages means its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Offset of the sector, in bytes.
    pub sector: u32,
    pub page: u8,
}

impl Place {
    pub fn offset(self) -> u32 {
        self.sector.wrapping_add(u32::from(self.page) * PAGE_LENGTH as u32)
    }

    pub fn after(self, pages: u8) -> Self {
        Self { page: self.page.saturating_add(pages).min(PAGES), ..self }
    }
}

/// Reads flash. Where it cannot be read there are zeros: neither a record nor a blank page.
pub(super) fn read(flash: &mut impl Flash, address: u32, out: &mut [u8]) {
    if flash.read(address, out).is_err() {
        out.fill(0);
    }
}

impl<F: Flash> Store<F> {
    /// Reads bytes.
    pub(super) fn read(&mut self, offset: u32, out: &mut [u8]) {
        read(&mut self.flash, self.start.wrapping_add(offset), out);
    }

    /// Programs the page at an offset.
    pub(super) fn program(&mut self, offset: u32, page: &[u8; PAGE_LENGTH]) -> Result<(), FlashError> {
        self.flash.write(self.start.wrapping_add(offset), page).map_err(Into::into)
    }

    /// Length of the flash chip in bytes.
    pub(super) fn chip_length(&self) -> u32 {
        self.flash.capacity() as u32
    }

    /// The header at a place, if there is one.
    pub(super) fn header(&mut self, place: Place) -> Option<Header> {
        let mut bytes = [0; HEADER_LENGTH];
        self.read(place.offset(), &mut bytes);
        Header::parse(&bytes)
    }

    /// What a record says of sectors, if it is whole and of a version that is understood.
    pub(super) fn whole(&mut self, place: Place, header: &Header) -> Option<Extents> {
        let (before, _) = header.split()?;
        // None is longer than what is left of its sector.
        if place.page.saturating_add(header.pages()) > PAGES {
            return None;
        }
        let mut digest = header.digest();
        let mut extents = None;
        self.body(place, header, |piece| {
            extents = extents.or_else(|| piece.first_chunk().copied());
            digest.update(piece);
        });
        let extents = extents.filter(|_| before != 0).unwrap_or_default();
        header.is(digest).then(|| Extents::decode(extents))
    }

    /// Reads the body of a record piece by piece.
    pub(super) fn body(&mut self, place: Place, header: &Header, mut seen: impl FnMut(&[u8])) {
        self.pieces(place.offset().wrapping_add(HEADER_LENGTH as u32), header.length(), |piece| {
            seen(piece);
            true
        });
    }

    pub(super) fn is_blank(&mut self, place: Place, pages: u8) -> bool {
        let length = usize::from(pages) * PAGE_LENGTH;
        self.pieces(place.offset(), length, |piece| piece.iter().all(|byte| *byte == 0xFF))
    }

    /// Reads piece by piece, as long as `seen` says so. Returns whether it always did.
    pub(super) fn pieces(&mut self, offset: u32, length: usize, mut seen: impl FnMut(&[u8]) -> bool) -> bool {
        let mut piece = [0; PIECE];
        let mut at = 0;
        let mut always = true;
        while always && at < length {
            let part = piece.get_mut(..PIECE.min(length - at)).unwrap_or_default();
            self.read(offset.wrapping_add(at as u32), part);
            always = seen(part);
            at += part.len();
        }
        wipe(&mut piece);
        always
    }
}

/// Leaves nothing of a payload on the stack: it may hold secrets.
pub(super) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Anyone who looks at them sees zeros.
    core::hint::black_box(bytes);
}
