//! The congestion controller of an end.

use segue::congestion::{Algorithm, Bbr, Prague, Reno};

/// By its name, so that a plan shows it and a capsule of before there was a choice is read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Control {
    /// CUBIC.
    #[default]
    Default,
    Reno,
    Bbr,
    Prague,
}

impl Control {
    pub const ALL: [Self; 4] = [Self::Default, Self::Reno, Self::Bbr, Self::Prague];

    /// A new controller.
    pub fn algorithm(self) -> Algorithm {
        match self {
            Self::Default => Algorithm::default(),
            Self::Reno => Algorithm::Reno(Reno::default()),
            Self::Bbr => Algorithm::Bbr(Bbr::default()),
            Self::Prague => Algorithm::Prague(Prague::default()),
        }
    }
}
