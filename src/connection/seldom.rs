//! State of a connection that most have no use for.

use alloc::boxed::Box;

use super::challenge::Throttles;
use crate::ecn::accurate::Accurate;
use crate::rare::AtRest;

/// The throttles of answers, and what AccECN mode needs: a connection with neither has nothing but a pointer.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Seldom {
    pub(super) throttles: Throttles,
    /// In AccECN mode (RFC 9768), and only there.
    pub(super) accurate: Option<Box<Accurate>>,
    /// The answer to a Fast Open option, until the handshake is complete (RFC 7413).
    #[cfg(feature = "fast-open")]
    pub(super) fast_open: Option<crate::FastOpenAnswer>,
}

impl AtRest for Seldom {
    const AT_REST: &'static Self = &Self {
        throttles: Throttles::UNUSED,
        accurate: None,
        #[cfg(feature = "fast-open")]
        fast_open: None,
    };
}
