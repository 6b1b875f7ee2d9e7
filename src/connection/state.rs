//! The states of a TCB, and what a step of §3.10.7 can end with.

use core::ops::ControlFlow;

use crate::{CloseReason, State};

/// The eight states that §3.10.7.4 covers together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum LiveState {
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

impl LiveState {
    /// Whether text may still come: the peer's FIN was not processed and the handshake is over.
    pub(super) const fn receives(self) -> bool {
        match self {
            Self::Established | Self::FinWait1 | Self::FinWait2 => true,
            Self::SynReceived | Self::CloseWait | Self::Closing | Self::LastAck | Self::TimeWait => false,
        }
    }

    /// Whether the user may still send: the handshake is over, and it has not closed.
    pub(super) const fn sends(self) -> bool {
        match self {
            Self::Established | Self::CloseWait => true,
            Self::SynReceived | Self::FinWait1 | Self::FinWait2 | Self::Closing | Self::LastAck | Self::TimeWait => {
                false
            }
        }
    }

    /// Whether a reset may be numbered as the peer's FIN: it was processed, and was the last that the peer sent. Not in
    /// TIME-WAIT (RFC 1337).
    pub(super) const fn takes_reset_at_fin(self) -> bool {
        match self {
            Self::CloseWait | Self::Closing | Self::LastAck => true,
            Self::SynReceived | Self::Established | Self::FinWait1 | Self::FinWait2 | Self::TimeWait => false,
        }
    }
}

impl From<LiveState> for State {
    fn from(state: LiveState) -> Self {
        match state {
            LiveState::SynReceived => Self::SynReceived,
            LiveState::Established => Self::Established,
            LiveState::FinWait1 => Self::FinWait1,
            LiveState::FinWait2 => Self::FinWait2,
            LiveState::CloseWait => Self::CloseWait,
            LiveState::Closing => Self::Closing,
            LiveState::LastAck => Self::LastAck,
            LiveState::TimeWait => Self::TimeWait,
        }
    }
}

/// Where a connection in SYN-RECEIVED came from (MUST-11).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Origin {
    /// LISTEN as a value: a reset returns to it.
    Listen,
    /// A SYN given to `accept`: the host's own LISTEN stays, the value ends.
    Accept,
    /// SYN-SENT: simultaneous open.
    Active,
}

/// The RFC's ways to say "return".
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stop {
    /// "drop the segment and return"
    Drop,
    /// "delete the TCB, enter the CLOSED state, and return"
    Delete(CloseReason),
    /// "return this connection to the LISTEN state"
    ReturnToListen,
}

/// The result of a step: go on to the next, or return.
pub(super) type Step<T = ()> = ControlFlow<Stop, T>;
