//! Congestion window validation: how much of the window the application has used of late (RFC 7661).

use crate::Instant;
use crate::features::WINDOW_VALIDATION;
use crate::stream::Position;
use crate::time::Micros;

/// The shortest sampling period (§4.2).
const LEAST_PERIOD: Micros = Micros::from_secs(1);
/// The sampling period has this many parts (§4.5.1).
const PARTS: usize = 4;
/// Periods of disuse that count at once; the window is the initial one long before.
const MOST_PERIODS: u32 = 32;

/// pipeACK, the phase, and what a loss found.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Validation {
    /// The non-validated period.
    period: Micros,
    /// The sample that is being taken: since when, and the octets acknowledged.
    sample: Option<(Instant, u32)>,
    /// The largest samples of the parts of the sampling period, the part that is going on first, and since when it is.
    largest: [u32; PARTS],
    part: Instant,
    /// Whether there was a sample since the start or the last loss: else pipeACK is undefined.
    defined: bool,
    /// Since when the window has not been validated.
    unused: Option<Instant>,
    /// max (pipeACK, LossFlightSize) of a loss in that phase, and the octets sent again since.
    loss: Option<(u32, u32)>,
}

impl Validation {
    /// `period` is the non-validated period.
    pub(crate) fn new(period: Micros) -> Self {
        Self {
            period,
            sample: None,
            largest: [0; PARTS],
            part: Instant::ZERO,
            defined: false,
            unused: None,
            loss: None,
        }
    }

    /// Another non-validated period counts from now on.
    pub(crate) fn set_period(&mut self, period: Micros) {
        self.period = period;
    }

    /// `octets` were acknowledged outside of loss recovery.
    pub(crate) fn on_ack(&mut self, octets: u32, cwnd: u32, srtt: Micros, now: Instant) {
        if !WINDOW_VALIDATION {
            return;
        }
        self.forget_old(srtt, now);
        let acked = match self.sample {
            Some((since, acked)) if now.since(since) < srtt => {
                self.sample = Some((since, acked.saturating_add(octets)));
                acked.saturating_add(octets)
            }
            Some(_) => {
                self.defined = true; // a round trip is over, and what it came to is in the part in which it ended
                self.sample = Some((now, octets));
                octets
            }
            None => {
                self.sample = Some((now, octets));
                octets
            }
        };
        let [current, ..] = &mut self.largest;
        *current = acked.max(*current);
        self.note_phase(cwnd, now);
    }

    /// The parts of the sampling period, max (3 * RTT, 1 s), move on.
    fn forget_old(&mut self, srtt: Micros, now: Instant) {
        if self.largest == [0; PARTS] {
            self.part = now; // there is nothing to forget: the period begins with the first sample
            return;
        }
        let part = srtt.times(3).max(LEAST_PERIOD) / 4;
        for _ in 0..PARTS {
            if now.since(self.part) < part {
                return;
            }
            self.part += part;
            self.largest.rotate_right(1);
            let [current, ..] = &mut self.largest;
            *current = 0;
        }
        if now.since(self.part) >= part {
            self.part = now; // all is forgotten
        }
    }

    /// pipeACK (§4.2).
    fn pipe_ack(&self) -> Option<u32> {
        self.largest.iter().copied().max().filter(|_| self.defined)
    }

    /// Validated: pipeACK >= cwnd / 2, or undefined (§4.3).
    fn note_phase(&mut self, cwnd: u32, now: Instant) {
        let validated = self.pipe_ack().is_none_or(|used| used >= cwnd / 2);
        let last = self.sample.map_or(now, |(since, _)| since); // no call notes the moment when the last sample is too old
        self.unused = if validated { None } else { Some(self.unused.unwrap_or(last)) };
    }

    /// Something is about to be sent. Returns how many whole non-validated periods have passed since the window was
    /// last validated or reduced for it (§4.4.3, §4.5.2).
    pub(crate) fn unused_periods(&mut self, cwnd: u32, srtt: Micros, now: Instant) -> u32 {
        let period = self.period;
        if !WINDOW_VALIDATION || period == Micros::ZERO {
            return 0;
        }
        self.forget_old(srtt, now);
        self.note_phase(cwnd, now);
        let Some(since) = &mut self.unused else { return 0 };
        let mut periods = 0;
        while periods < MOST_PERIODS && now.since(*since) >= period {
            *since += period;
            periods += 1;
        }
        if periods == MOST_PERIODS {
            *since = now;
        }
        periods
    }

    /// Congestion, with `flight` octets outstanding. In the non-validated phase: max (pipeACK, LossFlightSize), which
    /// the reduction starts from (§4.4.1). pipeACK becomes undefined.
    pub(crate) fn on_congestion(&mut self, flight: u32) -> Option<u32> {
        if !WINDOW_VALIDATION {
            return None;
        }
        let pipe_ack = self.pipe_ack().unwrap_or(0);
        let used = self.unused.map(|_| pipe_ack.max(flight));
        self.reset();
        self.loss = used.map(|used| (used, 0));
        used
    }

    /// Octets were sent again.
    pub(crate) fn on_again(&mut self, octets: u32) {
        if let Some((_, again)) = &mut self.loss {
            *again = again.saturating_add(octets);
        }
    }

    /// Recovery is over. After a loss in the non-validated phase: what the window may be at most, less in proportion by
    /// what was sent again, R (§4.4.1). What was sent again twice counts twice, on the safe side.
    pub(crate) fn on_recovered(&mut self, cwnd: u32) -> Option<u32> {
        let (used, again) = self.loss.take().filter(|_| WINDOW_VALIDATION)?;
        let left = u64::from(cwnd) * u64::from(used.saturating_sub(again)) / u64::from(used.max(1));
        u32::try_from(left).ok()
    }

    /// The retransmission timer expired: RFC 5681's response and nothing else (§4.4).
    pub(crate) fn on_timeout(&mut self) {
        self.reset();
    }

    /// pipeACK is undefined, and the phase the validated one.
    fn reset(&mut self) {
        *self = Self { part: self.part, ..Self::new(self.period) };
    }

    pub(crate) fn rebase(&mut self, ago: impl Fn(Instant) -> Instant) {
        let Self { period: _, sample: _, largest: _, part: _, defined: _, unused: _, loss: _ } = self; // a field that is added has to be looked at here
        let counts = self.largest != [0; PARTS]; // before a sample the time of the part does not matter
        self.sample = self.sample.map(|(since, acked)| (ago(since), acked));
        self.part = if counts { ago(self.part) } else { Instant::ZERO };
        self.unused = self.unused.map(ago);
    }
}

/// How much of the window was used since the last round began: the most that was in flight. In slow start half of the
/// window is enough, since it doubles from one round trip to the next (RFC 7661 §4.3). The flight when an
/// acknowledgment comes would not do: a sender that used all of its window has less and less in flight while that is
/// acknowledged.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Used {
    /// The position that ends the round.
    until: Position,
    most: u32,
}

impl Used {
    /// What was in flight from position `una` to `nxt`, `inflight` octets of it in the network, is acknowledged in
    /// part. Returns the most.
    pub(crate) fn on_ack(&mut self, una: Position, nxt: Position, inflight: u32) -> u32 {
        if una >= self.until {
            *self = Self { until: nxt, most: 0 };
        }
        self.most = self.most.max(inflight);
        self.most
    }

    /// A round that is over does not matter.
    pub(crate) fn rebase(&mut self, una: Position) {
        let Self { until: _, most: _ } = self; // a field that is added has to be looked at here
        if una >= self.until {
            *self = Self::default();
        }
    }
}

#[cfg(feature = "window-validation")]
#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const RTT: Micros = Micros::from_millis(100);
    const CWND: u32 = 100_000;

    fn at(millis: u64) -> Instant {
        Instant::from_millis(1_000_000 + millis)
    }

    fn on() -> Validation {
        Validation::new(Micros::from_secs(300))
    }

    /// `octets` acknowledged every 10 ms from one instant to before another.
    fn run(validation: &mut Validation, from: u64, to: u64, octets: u32) {
        (from..to).step_by(10).for_each(|millis| validation.on_ack(octets, CWND, RTT, at(millis)));
    }

    #[test]
    fn pipe_ack_is_what_is_acknowledged_in_a_round_trip() {
        let mut validation = on();
        run(&mut validation, 0, 100, 6000);
        assert_eq!(validation.pipe_ack(), None, "undefined before the first round trip is over");
        run(&mut validation, 100, 110, 6000);
        assert_eq!(validation.pipe_ack(), Some(60_000));
        run(&mut validation, 110, 900, 1000);
        assert_eq!(validation.pipe_ack(), Some(60_000), "the largest within the sampling period");
        run(&mut validation, 900, 1500, 1000);
        assert_eq!(validation.pipe_ack(), Some(10_000), "which is a second here");
    }

    #[test]
    fn the_sampling_period_is_three_round_trips_at_least() {
        let rtt = Micros::from_secs(2);
        let mut validation = on();
        for (millis, octets) in [(0, 50_000), (2000, 5000), (4000, 5000)] {
            validation.on_ack(octets, CWND, rtt, at(millis));
        }
        assert_eq!(validation.pipe_ack(), Some(50_000));
        for millis in [6000, 8000] {
            validation.on_ack(5000, CWND, rtt, at(millis));
        }
        assert_eq!(validation.pipe_ack(), Some(5000));
    }

    #[test]
    fn a_pause_is_in_no_sample() {
        let mut validation = on();
        validation.on_ack(5000, CWND, RTT, at(0));
        validation.on_ack(5000, CWND, RTT, at(500));
        assert_eq!(validation.pipe_ack(), Some(5000));
    }

    /// Half of the window is enough (§4.3).
    #[test]
    fn the_phase_depends_on_half_of_the_window() {
        for (octets, validated) in [(5000, true), (4999, false)] {
            let mut validation = on();
            run(&mut validation, 0, 200, octets);
            assert_eq!(validation.unused.is_none(), validated, "{octets}");
            assert_eq!(validation.on_congestion(20_000).is_none(), validated);
        }
    }

    #[test]
    fn a_loss_in_the_validated_phase_is_nothing_special() {
        let mut validation = on();
        assert_eq!(validation.on_congestion(CWND), None); // undefined counts as validated
        run(&mut validation, 0, 200, 9000);
        assert_eq!(validation.on_congestion(CWND), None);
        validation.on_again(1000);
        assert_eq!(validation.on_recovered(CWND), None);
    }

    /// §4.4.1: max (pipeACK, LossFlightSize) / 2, then less R; a controller that halves has 20 000 of 40 000 here.
    #[test]
    fn a_loss_in_the_other_phase_counts_what_was_used_and_then_what_was_lost() {
        for (flight, used) in [(15_000, 40_000), (60_000, 60_000)] {
            let mut validation = on();
            run(&mut validation, 0, 200, 4000);
            assert_eq!(validation.on_congestion(flight), Some(used));
            assert_eq!(validation.pipe_ack(), None);
            validation.on_again(6000);
            validation.on_again(4000);
            assert_eq!(validation.on_recovered(used / 2), Some((used - 10_000) / 2));
            assert_eq!(validation.on_recovered(used / 2), None, "once");
        }
    }

    #[test]
    fn more_sent_again_than_was_used_leaves_nothing() {
        let mut validation = on();
        run(&mut validation, 0, 200, 100);
        assert_eq!(validation.on_congestion(1000), Some(1000));
        validation.on_again(u32::MAX);
        validation.on_again(u32::MAX);
        assert_eq!(validation.on_recovered(CWND), Some(0));
    }

    #[test]
    fn a_timeout_ends_the_phase() {
        let mut validation = on();
        run(&mut validation, 0, 200, 100);
        validation.on_timeout();
        assert_eq!((validation.pipe_ack(), validation.unused), (None, None));
        assert_eq!(validation.on_congestion(1000), None);
    }

    /// §4.4.3: one reduction for each period, counted from when the window ceased to be validated.
    #[test]
    fn each_period_of_disuse_is_counted_once() {
        let mut validation = on();
        run(&mut validation, 0, 200, 9000);
        let mut periods = |seconds: u64| validation.unused_periods(CWND, RTT, at(seconds * 1000));
        assert_eq!([periods(0), periods(2), periods(300)], [0, 0, 0]); // the last sample began at 0.1 s
        assert_eq!([periods(301), periods(301), periods(900), periods(901)], [1, 0, 1, 1]);
        assert_eq!([periods(100_000_000), periods(100_000_299), periods(100_000_300)], [MOST_PERIODS, 0, 1]);
        run(&mut validation, 100_001_000_000, 100_001_000_200, 9000);
        assert_eq!(validation.unused_periods(CWND, RTT, at(100_001_000_200)), 0);
        assert_eq!(validation.unused, None, "in use again");
    }

    fn position(octets: u32) -> Position {
        Position::ISS + octets
    }

    /// Ten segments leave at once and are acknowledged in pairs: to the last of them ten were in use.
    #[test]
    fn what_was_in_flight_counts_until_it_is_acknowledged() {
        let mut used = Used::default();
        let most: Vec<_> = (0..5).map(|n: u32| used.on_ack(position(2 * n), position(10), 10 - 2 * n)).collect();
        assert_eq!(most, [10; 5]);
        assert_eq!(used.on_ack(position(10), position(13), 3), 3); // the next round: three
        assert_eq!(used.on_ack(position(11), position(15), 4), 4);
        assert_eq!(used.on_ack(position(13), position(15), 2), 2);
    }

    /// A round that is over leaves nothing.
    #[test]
    fn what_is_acknowledged_does_not_matter() {
        let mut used = Used::default();
        used.on_ack(position(0), position(10), 10);
        used.rebase(position(9));
        assert_ne!(used, Used::default());
        used.rebase(position(10));
        assert_eq!(used, Used::default());
    }
}
