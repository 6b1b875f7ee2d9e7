//! The window, and what each fact does with it.

use super::alpha::{Alpha, ONE, REFERENCE, Round};
use super::classic::ClassicQueue;
use crate::Instant;
use crate::congestion::Delivery;
use crate::send::congestion::{MAX_CWND, sane_initial, sane_mss};
use crate::time::Micros;

/// Binary places of the window: below a reference round trip it grows by far less than an octet for each acknowledgment.
const PLACES: u32 = 24;
/// A burst takes no longer than this (RFC 9331 §4.3 item 7).
const BURST: Micros = Micros::new(250);
const MAX_QUANTUM: u32 = 64 * 1024;
/// The least rate, in octets a second.
const LEAST_RATE: u64 = 12_500;
/// Marks take the window down to this part of a segment: below a segment the pacing holds the text back, and no timeout
/// does (RFC 9331 §4.3 item 5).
const LEAST_PART: u64 = 16;

/// Octets of a window, of a part of one as well.
pub(super) fn octets_of(window: u64) -> u32 {
    u32::try_from(window.div_ceil(1 << PLACES)).unwrap_or(MAX_CWND)
}

fn window_of(octets: u32) -> u64 {
    u64::from(octets) << PLACES
}

/// While no more than this waits, marks are those of the coupling, and not of the L queue's own marker, which begins above it
/// (RFC 9332 App. A.1: minTh).
const NO_QUEUE: Micros = Micros::new(500);
/// SRTT is no more than this many times the last sample.
const STALE: u32 = 2;
/// Rounds in a row that are without marks by chance. Where two marks come in a round on average, more are less likely than 1 in 2000.
const MOST_OWED: u8 = 3;

/// The last reduction for marks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Cut {
    /// What was in flight then is delivered when so much is.
    until: u64,
    octets: u32,
}

/// How far the flow is with its first mark.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Stage {
    /// None came since the start: it will halve the window.
    Unmarked,
    /// It came, and what was in flight then is being delivered: the window before it, and the highest rate since in octets a
    /// second.
    Draining { before: u64, rate: u64 },
    /// The marks of the window that came of it are measured.
    Measuring,
    /// Marks count by their fraction.
    Steady,
}

/// What a spurious loss restores (RFC 4015 §3.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Saved {
    cwnd: u64,
    floor: u32,
    ssthresh: u32,
}

/// The variables of a Prague flow.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Controller, Prague};
/// let mut prague = Prague::default();
/// prague.start(1460, 14_600, Instant::ZERO);
/// let info = prague.info();
/// assert_eq!((info.cwnd, info.ssthresh, info.pacing_rate), (14_600, u32::MAX, None));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct PragueInfo {
    /// The moving average of the marked fraction, in units of 2⁻²⁴ (RFC 8257 §3.3).
    pub alpha: u32,
    /// The congestion window in octets; it may be less than a segment.
    pub cwnd: u32,
    /// The slow-start threshold in octets; `u32::MAX` before the first sign of congestion.
    pub ssthresh: u32,
    /// Round trips show a classic queue at the bottleneck: marks halve the window (RFC 9331 §4.3 item 3).
    pub classic_queue: bool,
    /// Octets a second, once a round trip is measured.
    pub pacing_rate: Option<u64>,
    /// Octets that may leave at once.
    pub send_quantum: u32,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Flow {
    mss: u32,
    /// In units of 2^-24 octets.
    pub(super) cwnd: u64,
    /// The machine's window is no less: two segments, so that no delayed acknowledgment holds the flow up; one after a timeout.
    pub(super) floor: u32,
    pub(super) ssthresh: u32,
    pub(super) stage: Stage,
    pub(super) alpha: Alpha,
    round: Round,
    queue: ClassicQueue,
    /// Smoothed, times 8.
    srtt8: Option<Micros>,
    /// Octets delivered so far.
    delivered: u64,
    /// The window was full within the last round trip: until this much is delivered.
    pub(super) limited_until: u64,
    /// It does not grow until this much is delivered: the round trip after a loss.
    suspended_until: u64,
    cut: Option<Cut>,
    /// Rounds for which the next mark stands, too.
    owed: u8,
    pub(super) saved: Option<Saved>,
}

impl Flow {
    pub(super) fn new(mss: u32, initial: u32, now: Instant) -> Self {
        let (mss, initial) = (sane_mss(mss), sane_initial(initial, mss));
        Self {
            mss,
            cwnd: window_of(initial),
            floor: initial.min(mss * 2),
            ssthresh: u32::MAX,
            stage: Stage::Unmarked,
            alpha: Alpha::START,
            round: Round::begin(0, 0, now),
            queue: ClassicQueue::default(),
            srtt8: None,
            delivered: 0,
            limited_until: 0,
            suspended_until: 0,
            cut: None,
            owed: 0,
            saved: None,
        }
    }

    /// The same with a segment size and windows that a flow can have.
    #[cfg(feature = "serde")]
    pub(super) fn within_bounds(mut self) -> Self {
        self.mss = sane_mss(self.mss);
        self.floor = self.floor.clamp(1, self.mss * 2);
        self.owed = self.owed.min(MOST_OWED);
        self.ssthresh = self.ssthresh.max(self.least_ssthresh());
        self.cwnd = self.cwnd.clamp(window_of(self.mss) / LEAST_PART, window_of(MAX_CWND));
        if let Some(saved) = &mut self.saved {
            saved.cwnd = saved.cwnd.min(window_of(MAX_CWND));
            saved.floor = saved.floor.clamp(1, self.mss * 2);
        }
        self
    }

    pub(super) fn info(&self) -> PragueInfo {
        PragueInfo {
            alpha: self.alpha.value(),
            cwnd: octets_of(self.cwnd),
            ssthresh: self.ssthresh,
            classic_queue: self.queue.is_classic(),
            pacing_rate: self.pacing_rate(),
            send_quantum: self.send_quantum(),
        }
    }

    pub(super) fn srtt(&self) -> Option<Micros> {
        self.srtt8.map(|srtt8| Micros::new((srtt8.get() / 8).max(1)))
    }

    /// Marks may take the window below the threshold, which is two segments at the least: that is no slow start.
    fn in_slow_start(&self) -> bool {
        (window_of(self.floor)..window_of(self.ssthresh)).contains(&self.cwnd)
    }

    const fn least_ssthresh(&self) -> u32 {
        self.mss * 2
    }

    fn set_cwnd(&mut self, cwnd: u64) {
        self.cwnd = cwnd.clamp(window_of(self.mss) / LEAST_PART, window_of(MAX_CWND));
        if self.cwnd >= window_of(self.least_ssthresh()) {
            self.floor = self.least_ssthresh();
        }
    }

    pub(super) fn on_delivery(&mut self, delivery: &Delivery) {
        self.delivered = delivery.delivered;
        let rtt = delivery.rtt.map(Micros::from);
        self.sample_rtt(rtt);
        let marked = if delivery.l4s { delivery.ce_octets.min(delivery.octets) } else { 0 };
        self.round.count(delivery.octets, marked, rtt);
        if delivery.window_limited {
            self.limited_until = delivery.delivered.saturating_add(delivery.inflight.into());
        }
        self.sample_rate(delivery);
        if self.round.is_over(self.delivered, delivery.now) {
            self.end_round(delivery);
        }
        if delivery.recovering {
            self.suspended_until = delivery.delivered.saturating_add(delivery.inflight.into());
            return;
        }
        self.additive_increase(delivery.octets - marked, delivery);
        if marked > 0 {
            self.heed_marks(delivery.inflight, delivery.now);
        }
    }

    /// SRTT is at most `STALE` times the last sample: after an outage, or the sleep of a host, the round trip that had
    /// it within would decide the pacing rate, and so how soon the next sample comes, for a long time.
    fn sample_rtt(&mut self, rtt: Option<Micros>) {
        let Some(rtt) = rtt else { return };
        self.srtt8 = Some(match self.srtt8 {
            None => rtt.times(8),
            Some(srtt8) => (Micros::new(srtt8.get() - srtt8.get() / 8) + rtt).min(rtt.times(8 * STALE)),
        });
    }

    /// Round trips that were measured before this flow took over: pacing begins with them.
    pub(super) fn set_rtt(&mut self, srtt: Micros) {
        self.srtt8 = Some(srtt.times(8));
    }

    /// A virtual round trip is over.
    fn end_round(&mut self, delivery: &Delivery) {
        match self.stage {
            Stage::Unmarked => {}
            Stage::Draining { before, rate } => {
                self.restore_what_the_path_took(before, rate, delivery);
                self.stage = Stage::Measuring;
            }
            Stage::Measuring | Stage::Steady => {
                self.owe_a_reduction(delivery);
                self.alpha.update(self.round.acked, self.round.marked);
                self.stage = Stage::Steady;
                if let (Some(least), Some(base), true) = (self.round.least_rtt, delivery.min_rtt, self.round.marked > 0)
                {
                    self.queue.on_marked_round(least, base.into(), self.time_of(self.mss * 2));
                }
            }
        }
        self.round = Round::begin(self.delivered, delivery.inflight, delivery.now);
    }

    /// A steady round is over. The coupling counts on a rate of 2 / (R p), that of a flow which every round takes half of alpha from
    /// (RFC 9332 App. C.2, equation 6). Marks of the coupling are spaced out, so that rounds that ought to have one by alpha are
    /// without by chance: then the next mark stands for them, too. From an L queue's own marker such a round tells of room.
    fn owe_a_reduction(&mut self, delivery: &Delivery) {
        let expected = u64::from(self.alpha.value()).saturating_mul(self.round.acked) / u64::from(ONE);
        let by_chance = expected >= u64::from(self.mss) && self.delivered <= self.limited_until;
        let coupled = match (self.srtt(), delivery.min_rtt) {
            (Some(srtt), Some(least)) => srtt <= Micros::from(least) + NO_QUEUE,
            (None, _) | (_, None) => false,
        };
        let steady = self.stage == Stage::Steady && !delivery.recovering;
        if !steady || !coupled || self.round.reduced || self.round.lowered {
            self.owed = 0;
        } else if by_chance {
            self.owed = (self.owed + 1).min(MOST_OWED);
        }
    }

    /// The window is lower now for another reason than marks of an L4S queue.
    fn owe_nothing(&mut self) {
        (self.owed, self.round.lowered) = (0, true);
    }

    /// The first mark has halved the window. Slow start had filled a queue before, so that what was in flight then came at the rate
    /// of the path: a window of this rate is too large by nothing.
    fn restore_what_the_path_took(&mut self, before: u64, rate: u64, delivery: &Delivery) {
        let Some(min_rtt) = delivery.min_rtt.map(Micros::from).filter(|_| !delivery.recovering) else { return };
        let taken = u128::from(rate) * u128::from(min_rtt.get()) / 1_000_000;
        let taken = window_of(u32::try_from(taken).unwrap_or(MAX_CWND).min(MAX_CWND));
        if taken > self.cwnd {
            self.set_cwnd(taken.min(before));
            self.end_slow_start();
        }
    }

    /// The rate of a delivery while the flight of the first mark arrives.
    fn sample_rate(&mut self, delivery: &Delivery) {
        let (Stage::Draining { rate, .. }, Some(sample)) = (&mut self.stage, delivery.rate) else { return };
        let micros = Micros::from(sample.interval).get();
        *rate = (*rate).max(sample.delivered.saturating_mul(1_000_000).checked_div(micros).unwrap_or(0));
    }

    fn end_slow_start(&mut self) {
        self.ssthresh = u32::try_from(self.cwnd >> PLACES).unwrap_or(MAX_CWND).max(self.least_ssthresh());
    }

    /// How long so many octets take at a window in each round trip.
    fn time_of(&self, octets: u32) -> Micros {
        let srtt = self.srtt().unwrap_or_default();
        let cwnd = u64::from(octets_of(self.cwnd)).max(1);
        Micros::new(srtt.get().saturating_mul(octets.into()) / cwnd)
    }

    /// Growth by what was not marked: in slow start by as much, and then by a segment in each window, as far as the window is in
    /// use. Round trips below the reference count as a part of it: the rate then grows as fast as at the reference (RFC 9331
    /// §4.3 item 4), and somewhat more slowly where a queue stands, since one of the two is that of the path alone.
    fn additive_increase(&mut self, octets: u32, delivery: &Delivery) {
        if self.delivered < self.suspended_until || !self.is_window_limited(delivery) {
            return;
        }
        if self.in_slow_start() {
            let most = window_of(self.ssthresh).max(self.cwnd);
            return self.set_cwnd(self.cwnd.saturating_add(window_of(octets)).min(most));
        }
        let window = octets_of(self.cwnd).max(1);
        let acked = octets.min(window); // what is more came from an older and larger window
        let mut grown = ((u128::from(self.mss) * u128::from(acked)) << PLACES) / u128::from(window);
        if delivery.l4s && !self.queue.is_classic() {
            let least = |rtt: Option<Micros>| rtt.map_or(REFERENCE, |rtt| rtt.min(REFERENCE)).get();
            let parts = u128::from(least(delivery.min_rtt.map(Micros::from))) * u128::from(least(self.srtt()));
            grown = grown * parts / (u128::from(REFERENCE.get()) * u128::from(REFERENCE.get()));
        }
        self.set_cwnd(self.cwnd.saturating_add(u64::try_from(grown).unwrap_or(u64::MAX)));
    }

    /// Whether the window held the sender back in the last round trip; in slow start, whether half of it is in use (RFC 7661
    /// §4.1 has the same reasons); and pacing alone, where the window is less than what it lets be in flight.
    fn is_window_limited(&self, delivery: &Delivery) -> bool {
        let paced = self.cwnd < window_of(self.floor) && delivery.rate.is_some_and(|rate| !rate.application_limited);
        let used = delivery.inflight.saturating_add(delivery.octets);
        let half = self.in_slow_start() && used.saturating_mul(2) >= octets_of(self.cwnd);
        self.delivered <= self.limited_until || paced || half
    }

    /// Marks of an L4S queue: by half of alpha, and as much for each round that is owed, once in a virtual round trip (RFC 8257
    /// §3.3 step 9). Those of a classic queue: by half, once in a round trip. The first, which ends slow start, halves, too.
    fn heed_marks(&mut self, inflight: u32, now: Instant) {
        let first = self.in_slow_start() || self.stage == Stage::Unmarked;
        let classic = self.queue.is_classic();
        let covered = self.cut.is_some_and(|cut| self.delivered < cut.until);
        let again = if first || classic { covered } else { self.round.reduced || self.stage != Stage::Steady };
        if again || self.delivered < self.suspended_until {
            return;
        }
        let alpha = if first || classic { ONE } else { self.alpha.value() };
        let alpha = alpha.saturating_mul(1 + u32::from(core::mem::take(&mut self.owed))).min(ONE);
        let part = |window: u64| ((window >> 16) * u64::from(alpha)) >> 9; // alpha / 2
        let before = self.cwnd;
        self.set_cwnd(before - part(before));
        self.end_slow_start();
        if let Some(saved) = &mut self.saved {
            saved.cwnd -= part(saved.cwnd); // a mark is no mistake
        }
        self.round.reduced = true;
        let octets = octets_of(before.saturating_sub(self.cwnd));
        self.cut = Some(Cut { until: self.delivered.saturating_add(inflight.into()), octets });
        if first {
            self.stage = Stage::Draining { before, rate: 0 };
            self.alpha.begin_anew();
            self.round = Round::begin(self.delivered, inflight, now);
        }
    }

    /// A reduction to half of what was in flight (RFC 5681 (4), RFC 9331 §4.3 item 2). Where marks of the same round trip have reduced the
    /// window, that reduction does not count twice.
    fn halve(&mut self, flight: u32) {
        let cut = self.cut.take().filter(|cut| self.delivered < cut.until).map_or(0, |cut| cut.octets);
        let half = flight.saturating_add(cut).min(MAX_CWND) / 2;
        self.ssthresh = half.max(self.least_ssthresh());
        self.owe_nothing();
    }

    fn save(&mut self) {
        self.saved = Some(Saved { cwnd: self.cwnd, floor: self.floor, ssthresh: self.ssthresh });
    }

    pub(super) fn on_loss(&mut self, flight: u32) {
        self.save();
        self.halve(flight);
        self.set_cwnd(window_of(self.ssthresh).min(self.cwnd)); // marks may have made it less
        self.suspended_until = self.delivered.saturating_add(flight.into());
    }

    /// A mark that is no L4S one (RFC 3168 §6.1.2): as RFC 8311 §2.3 has it where feedback is classic.
    pub(super) fn on_classic_mark(&mut self, flight: u32) {
        self.saved = None;
        self.cut = None;
        self.owe_nothing();
        let half = (flight.min(MAX_CWND) / 2).max(self.mss);
        self.ssthresh = half.max(self.least_ssthresh());
        self.set_cwnd(window_of(half).min(self.cwnd.max(window_of(self.mss))));
        self.floor = self.floor.min(octets_of(self.cwnd).max(self.mss));
    }

    pub(super) fn on_timeout(&mut self, flight: u32) {
        self.save();
        self.halve(flight);
        self.enter_loss_window();
    }

    /// The loss window (RFC 5681 §3.1).
    pub(super) fn enter_loss_window(&mut self) {
        (self.cwnd, self.floor) = (window_of(self.mss).min(self.cwnd), self.mss);
    }

    pub(super) fn on_spurious(&mut self) {
        let Some(saved) = self.saved.take() else { return };
        self.suspended_until = 0;
        if self.cwnd <= saved.cwnd {
            Saved { cwnd: self.cwnd, floor: self.floor, ssthresh: self.ssthresh } = saved;
        } else {
            self.ssthresh = self.ssthresh.max(saved.ssthresh); // RFC 4015 §3 (9)
        }
    }

    pub(super) fn set_mss(&mut self, mss: u32) {
        self.mss = sane_mss(mss);
        self.floor = self.floor.clamp(self.mss, self.least_ssthresh());
        self.ssthresh = self.ssthresh.max(self.least_ssthresh());
        self.set_cwnd(self.cwnd);
        self.saved = None;
    }

    /// The window is no more than this.
    pub(super) fn lower_to(&mut self, window: u32) {
        self.cwnd = self.cwnd.min(window_of(sane_initial(window, self.mss)));
        self.floor = self.floor.min(sane_initial(window, self.mss));
        self.saved = None;
    }

    pub(super) fn limit(&mut self, window: u32) {
        let window = window.max(self.mss);
        self.cwnd = self.cwnd.min(window_of(window));
        self.floor = self.floor.min(window);
        self.owe_nothing();
        self.cut = None; // what it took away is not known to fit
        self.ssthresh = self.ssthresh.min(window.max(self.least_ssthresh()));
    }

    /// A window in a round trip, and twice as much in slow start; somewhat more than the window, which else would never be full.
    pub(super) fn pacing_rate(&self) -> Option<u64> {
        let srtt = self.srtt()?;
        let percent: u128 = if self.in_slow_start() { 200 } else { 105 };
        let micros = u128::from(srtt.get().max(1)) << PLACES;
        let rate = u128::from(self.cwnd) * (percent * 10_000) / micros;
        Some(u64::try_from(rate).unwrap_or(u64::MAX).max(LEAST_RATE))
    }

    pub(super) fn send_quantum(&self) -> u32 {
        let octets = self.pacing_rate().map_or(0, |rate| rate.saturating_mul(BURST.get()) / 1_000_000);
        u32::try_from(octets).unwrap_or(MAX_QUANTUM).min(MAX_QUANTUM).max(self.mss)
    }

    pub(super) fn rebase(&mut self, now: Instant) {
        let Self {
            mss: _,
            cwnd: _,
            floor: _,
            ssthresh: _,
            stage: _,
            alpha: _,
            round,
            queue: _,
            srtt8: _,
            delivered,
            limited_until,
            suspended_until,
            cut,
            owed: _,
            saved: _,
        } = self; // a field that is added has to be looked at here
        let before = core::mem::take(delivered);
        round.rebase(before, now);
        for total in [limited_until, suspended_until] {
            *total = total.saturating_sub(before);
        }
        *cut = cut.filter(|cut| before < cut.until).map(|cut| Cut { until: cut.until - before, ..cut });
    }
}
