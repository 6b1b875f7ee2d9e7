//! What an input may ask of its ends beside configurations: controllers, accurate feedback, room for signatures, Fast Open.
//!
//! The choice came when there were corpora. So it stands in front, behind a mark with which none of their inputs begins: they mean
//! what they meant. No harness loses a first octet to the mark, since others have the same meaning.

use segue::congestion::{Algorithm, Bbr, Prague, Reno};
use segue::{ConfigBuilder, EcnMode};

use super::reader::Reader;

/// The octet before the choice.
const MARK: u8 = 0xCC;

/// Octets of each option area that TCP-AO takes with a MAC of 96 bits.
const SIGNATURE: u8 = 16;

/// The choice: two bits for the controller of each end, and four features of both.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Features(u8);

impl Features {
    pub(crate) fn read(input: &mut Reader<'_>) -> Self {
        if input.skip(MARK) { Self(input.u8()) } else { Self::default() }
    }

    /// The congestion controller of this end.
    pub(crate) fn controller(self, end: usize) -> Algorithm {
        match self.0 >> (2 * end) & 3 {
            0 => Algorithm::default(),
            1 => Algorithm::Reno(Reno::default()),
            2 => Algorithm::Bbr(Bbr::default()),
            _ => Algorithm::Prague(Prague::default()),
        }
    }

    /// Whether both ends ask for accurate feedback (RFC 9768), which Prague needs.
    pub(crate) fn is_accurate(self) -> bool {
        self.0 & 0x10 != 0
    }

    fn is_signed(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Whether connections open with Fast Open where they would with a plain SYN.
    pub(crate) fn is_fast_open(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// What it asks of a configuration.
    pub(crate) fn configure(self, config: ConfigBuilder) -> ConfigBuilder {
        let config = if self.is_accurate() { config.ecn(EcnMode::Accurate) } else { config };
        if self.is_signed() { config.option_space(SIGNATURE) } else { config }
    }
}
