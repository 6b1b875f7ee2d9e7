//! Alpha: the fraction of octets that the network marks, a moving average over virtual round trips (RFC 8257 §3.3).

use crate::Instant;
use crate::send::congestion::ago;
use crate::time::Micros;

/// 1, in fixed point.
pub(super) const ONE: u32 = 1 << 24;
/// g = 1/16: the estimation gain.
const GAIN_SHIFT: u32 = 4;
/// The reference round trip: shorter ones count as one of this length (RFC 9331 §4.3 item 4).
pub(super) const REFERENCE: Micros = Micros::from_millis(25);

/// DCTCP.Alpha. It is 1 until a round was measured, so that the first mark halves the window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Alpha {
    value: u32,
    measured: bool,
}

impl Alpha {
    pub(super) const START: Self = Self { value: ONE, measured: false };

    pub(super) const fn value(self) -> u32 {
        self.value
    }

    /// Slow start is over: the fraction is measured anew.
    pub(super) fn begin_anew(&mut self) {
        self.measured = false;
    }

    /// A round of `acked` octets is over, of which `marked` were marked. The first one gives the value itself, but no less
    /// than the gain: what comes of a pipe that has just been drained says little.
    pub(super) fn update(&mut self, acked: u64, marked: u64) {
        let Some(fraction) = (marked.min(acked) << 24).checked_div(acked) else { return };
        let fraction = u32::try_from(fraction).unwrap_or(ONE);
        self.value = if core::mem::replace(&mut self.measured, true) {
            self.value - (self.value >> GAIN_SHIFT) + (fraction >> GAIN_SHIFT)
        } else {
            fraction.max(ONE >> GAIN_SHIFT)
        };
    }
}

/// A virtual round trip: until what was in flight at its beginning is delivered, and for the reference time at the least.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Round {
    began: Instant,
    /// It is over when so much is delivered on the connection.
    end: u64,
    pub(super) acked: u64,
    pub(super) marked: u64,
    /// The window was reduced for marks in it.
    pub(super) reduced: bool,
    /// It was lowered for another reason.
    pub(super) lowered: bool,
    /// The smallest round trip measured in it.
    pub(super) least_rtt: Option<Micros>,
}

impl Round {
    /// With `delivered` octets delivered so far and `inflight` in flight.
    pub(super) fn begin(delivered: u64, inflight: u32, now: Instant) -> Self {
        Self {
            began: now,
            end: delivered.saturating_add(inflight.into()),
            acked: 0,
            marked: 0,
            reduced: false,
            lowered: false,
            least_rtt: None,
        }
    }

    pub(super) fn count(&mut self, octets: u32, marked: u32, rtt: Option<Micros>) {
        self.acked = self.acked.saturating_add(octets.into());
        self.marked = self.marked.saturating_add(marked.into());
        self.least_rtt = match (self.least_rtt, rtt) {
            (Some(least), Some(rtt)) => Some(least.min(rtt)),
            (least, rtt) => least.or(rtt),
        };
    }

    pub(super) fn is_over(&self, delivered: u64, now: Instant) -> bool {
        delivered >= self.end && now.since(self.began) >= REFERENCE
    }

    pub(super) fn rebase(&mut self, delivered: u64, now: Instant) {
        let Self { began, end, acked: _, marked: _, reduced: _, lowered: _, least_rtt: _ } = self; // look at a new field here
        let long_ago = Instant::from_micros(now.as_micros().wrapping_sub(REFERENCE.get())); // the same as any time before it
        *began = ago(if now.since(*began) >= REFERENCE { long_ago } else { *began }, now);
        *end = end.saturating_sub(delivered);
    }
}
