//! A header that grows from the left.

use crate::Options;

/// Octets of the longest header.
const LONGEST: usize = 20 + Options::MAX_WIRE_LEN;

/// The octets of a header; beyond `len` there are only zeros.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Writer {
    octets: [u8; LONGEST],
    len: usize,
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { octets: [0; LONGEST], len: 0 }
    }

    #[inline]
    pub(super) fn put<const N: usize>(&mut self, octets: [u8; N]) {
        if let Some(place) = self.octets.get_mut(self.len..).and_then(|room| room.first_chunk_mut::<N>()) {
            *place = octets;
            self.len += N;
        }
    }

    #[inline]
    pub(super) fn put_slice(&mut self, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(self.len..).and_then(|room| room.get_mut(..octets.len())) {
            place.copy_from_slice(octets);
            self.len += octets.len();
        }
    }

    /// Takes zeros up to `len` octets.
    pub(super) fn fill_up(&mut self, len: usize) {
        self.len = len;
    }

    /// Fills the field of the checksum.
    pub(super) fn put_checksum(&mut self, checksum: u16) {
        if let Some(place) = self.octets.get_mut(16..18) {
            place.copy_from_slice(&checksum.to_be_bytes());
        }
    }

    /// Fills octets that were zeros.
    pub(super) fn put_at(&mut self, at: usize, octets: &[u8]) {
        if let Some(place) = self.octets.get_mut(at..).and_then(|room| room.get_mut(..octets.len())) {
            place.copy_from_slice(octets);
        }
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&[])
    }
}
