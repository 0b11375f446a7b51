//! Pages of flash, and reading records from them.

use super::super::nor::{Flash, FlashError, PAGE_LENGTH, SECTOR_LENGTH};
use super::super::record::{Extents, HEADER_LENGTH, Header};
use super::Store;

/// Pages in a sector.
pub(super) const PAGES: u8 = (SECTOR_LENGTH / PAGE_LENGTH as u32) as u8;
/// Number of bytes that are read at once.
pub(super) const PIECE: usize = 32;

/// A page of a sector. `page` may be [`PAGES`], which means the sector's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PageAddress {
    /// Offset of the sector, in bytes.
    pub sector: u32,
    pub page: u8,
}

impl PageAddress {
    pub fn offset(self) -> u32 {
        self.sector.wrapping_add(u32::from(self.page) * PAGE_LENGTH as u32)
    }

    pub fn after(self, pages: u8) -> Self {
        Self { page: self.page.saturating_add(pages).min(PAGES), ..self }
    }
}

/// Reads flash. If that fails, the result is zeros, which are neither a record nor a blank page.
pub(super) fn read(flash: &mut impl Flash, address: u32, out: &mut [u8]) {
    if flash.read(address, out).is_err() {
        out.fill(0);
    }
}

impl<F: Flash> Store<F> {
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

    /// The header at this page, if there is one.
    pub(super) fn header(&mut self, address: PageAddress) -> Option<Header> {
        let mut bytes = [0; HEADER_LENGTH];
        self.read(address.offset(), &mut bytes);
        Header::parse(&bytes)
    }

    /// The sectors that a record names, if the record is complete and its version is supported.
    pub(super) fn whole(&mut self, address: PageAddress, header: &Header) -> Option<Extents> {
        let (before, _) = header.split()?;
        // A record never crosses the end of its sector.
        if address.page.saturating_add(header.pages()) > PAGES {
            return None;
        }
        let mut digest = header.digest();
        let mut extents = None;
        self.body(address, header, |piece| {
            extents = extents.or_else(|| piece.first_chunk().copied());
            digest.update(piece);
        });
        let extents = extents.filter(|_| before != 0).unwrap_or_default();
        header.is(digest).then(|| Extents::decode(extents))
    }

    /// Reads the body of a record piece by piece.
    pub(super) fn body(&mut self, address: PageAddress, header: &Header, mut seen: impl FnMut(&[u8])) {
        self.pieces(address.offset().wrapping_add(HEADER_LENGTH as u32), header.length(), |piece| {
            seen(piece);
            true
        });
    }

    pub(super) fn is_blank(&mut self, address: PageAddress, pages: u8) -> bool {
        let length = usize::from(pages) * PAGE_LENGTH;
        self.pieces(address.offset(), length, |piece| piece.iter().all(|byte| *byte == 0xFF))
    }

    /// Reads piece by piece until `seen` returns `false`. Returns whether it never did.
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

/// Clears bytes of a payload from the stack: they may be secret.
pub(super) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // Keeps the compiler from removing the writes.
    core::hint::black_box(bytes);
}
