//! How much of the receive buffer is promised: as much as the sender needs (dynamic right-sizing).
//!
//! The user takes as fast as the sender sends, or slower. What it takes in one round trip is what a window has to
//! cover; while the sender's window doubles in each round trip, what the promise has to cover at the end of the next
//! one is four times that.

use core::cmp::Ordering;

use crate::invariant::{Broken, holds};
use crate::rare::{AtRest, Rare};
use crate::time::Micros;
use crate::{Config, Instant, SeqNum};

/// The capacity is this many times what the user took in a round trip.
const TIMES: u32 = 4;
/// RFC 6928 §2: a sender may begin with ten segments, and a receiver should let it.
const INITIAL_SEGMENTS: u32 = 10;
/// The largest receive buffer: no window may be larger (RFC 7323 §2.3).
pub(crate) const MOST: u32 = (1 << 30) - 1;
/// Octets of a zero-window probe.
const PROBE: u32 = 1;

/// What tells that a round trip is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Round {
    /// Timestamps: whether this text was sent after the sender had seen an acknowledgment of this round.
    Echoed(bool),
    /// No timestamps: RCV.NXT and the right edge. Text beyond an edge was sent after the sender had heard of a later
    /// one.
    Window { nxt: SeqNum, edge: SeqNum },
}

/// RCV.BUFF as far as it is in use. It grows; it shrinks only where the user wants a smaller one, and then no faster than
/// the user takes what was promised room.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tuning {
    capacity: u32,
    limit: u32,
    /// The largest window ever announced, the peer's estimate of our buffer (RFC 9293 §3.8.6.2.1), as far as the buffer
    /// is so large still.
    max_wnd: u32,
    /// When this round trip began, and what the user has taken since.
    since: Instant,
    taken: u32,
    timing: Rare<Timing>,
}

/// Without timestamps: the right edge of the window being timed, when that began, and the shortest time until text came
/// from beyond one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Timing {
    mark: Option<SeqNum>,
    marked: Instant,
    shortest: Option<Micros>,
}

impl AtRest for Timing {
    const AT_REST: &'static Self = &Self { mark: None, marked: Instant::ZERO, shortest: None };
}

/// What the first window promises, at the most.
pub(crate) fn initial(config: &Config) -> u32 {
    config.receive_buffer_initial().min(config.receive_buffer())
}

/// RCV.BUFF as far as it is in use at the start, with our MSS `rmss` and windows in units of 2^`shift`.
pub(crate) fn first(config: &Config, rmss: u16, shift: u8) -> u32 {
    let unit = 1 << shift;
    // Two units at least: with one, the first octet that waits for the user would close the window.
    let octets = initial(config).max(INITIAL_SEGMENTS * u32::from(rmss)).max(2 * unit);
    octets.next_multiple_of(unit).min(config.receive_buffer())
}

impl Tuning {
    /// At the start, with our MSS `rmss` and windows in units of 2^`shift`.
    pub(crate) fn new(config: &Config, rmss: u16, shift: u8, now: Instant) -> Self {
        Self {
            capacity: first(config, rmss, shift),
            limit: config.receive_buffer(),
            max_wnd: 0,
            since: now,
            taken: 0,
            timing: Rare::default(),
        }
    }

    /// All of a buffer of `capacity` octets is in use.
    pub(crate) fn full(capacity: u32) -> Self {
        Self { capacity, limit: capacity, max_wnd: 0, since: Instant::ZERO, taken: 0, timing: Rare::default() }
    }

    /// The peer was told of a window of `wnd` octets, and of no other.
    pub(crate) fn announced(self, wnd: u32) -> Self {
        Self { max_wnd: wnd, ..self }
    }

    /// The peer is told of a window of `wnd` octets.
    #[inline]
    pub(crate) fn on_announced(&mut self, wnd: u32) {
        self.max_wnd = self.max_wnd.max(wnd);
    }

    /// The largest window ever announced.
    pub(crate) const fn max_wnd(&self) -> u32 {
        self.max_wnd
    }

    /// The capacity grows, or shrinks, up to this from now on; but `in_use` octets of it are promised or wait for the
    /// user, and stay.
    pub(crate) fn set_limit(&mut self, octets: u32, in_use: u32, now: Instant) {
        if self.capacity >= self.limit {
            (self.since, self.taken) = (now, 0); // nobody counted
        }
        self.limit = octets;
        self.shrink_to(octets.max(in_use));
        if self.capacity >= self.limit {
            self.timing.end();
        }
    }

    /// Smaller than what was promised: room that comes back is not promised again.
    #[cold]
    fn shrink_to(&mut self, octets: u32) {
        self.capacity = self.capacity.min(octets);
        self.max_wnd = self.max_wnd.min(self.capacity);
    }

    pub(crate) const fn capacity(&self) -> u32 {
        self.capacity
    }

    /// What the capacity may grow to.
    #[cfg(feature = "host")]
    pub(crate) const fn limit(&self) -> u32 {
        self.limit
    }

    /// When this round trip began.
    pub(crate) const fn since(&self) -> Instant {
        self.since
    }

    /// Text arrived.
    pub(crate) fn on_text(&mut self, round: Round, now: Instant) {
        if self.capacity >= self.limit {
            return;
        }
        let over = match round {
            Round::Echoed(over) => over,
            Round::Window { nxt, edge } => {
                self.time_window(nxt, edge, now);
                self.timing.shortest.is_some_and(|rtt| now.since(self.since) >= rtt)
            }
        };
        if over {
            self.since = now;
            self.taken = 0;
        }
    }

    /// All text up to the mark may have left before the sender heard of anything promised since. One octet beyond it
    /// may be a zero-window probe (RFC 9293 §3.8.6.1), which needs no promise.
    fn time_window(&mut self, nxt: SeqNum, edge: SeqNum, now: Instant) {
        if self.timing.mark.is_some_and(|mark| nxt.at_or_before(mark + PROBE)) {
            return;
        }
        let timing = self.timing.begin();
        if timing.mark.is_some() {
            let time = now.since(timing.marked);
            timing.shortest = Some(timing.shortest.map_or(time, |shortest| shortest.min(time)));
        }
        timing.mark = Some(edge);
        timing.marked = now;
    }

    /// The user took text.
    pub(crate) fn on_taken(&mut self, octets: u32) {
        match self.capacity.cmp(&self.limit) {
            Ordering::Less => self.grow(octets),
            Ordering::Equal => {}
            Ordering::Greater => self.shrink_to(self.capacity.saturating_sub(octets).max(self.limit)),
        }
    }

    /// The capacity covers what the user takes in a round trip, four times.
    #[inline]
    fn grow(&mut self, octets: u32) {
        self.taken = self.taken.saturating_add(octets);
        self.capacity = self.capacity.max(self.taken.saturating_mul(TIMES)).min(self.limit);
        if self.capacity == self.limit {
            self.timing.end(); // no round is timed any more
        }
    }

    pub(crate) fn check_invariants(&self) -> Result<(), Broken> {
        holds(self.capacity.max(self.limit) <= MOST, "RCV.BUFF is larger than any window")?;
        holds(self.max_wnd <= self.capacity, "more than RCV.BUFF was announced")
    }

    pub(crate) fn rebase(&mut self, irs: SeqNum, now: Instant) {
        let Self { capacity: _, limit: _, max_wnd: _, since: _, taken: _, timing: _ } = self; // a field that is added has to be looked at here
        let ago = |at: Instant| Instant::from_micros(at.as_micros().wrapping_sub(now.as_micros()));
        self.since = ago(self.since);
        if let Some(timing) = self.timing.active() {
            timing.marked = ago(timing.marked);
            timing.mark = timing.mark.map(|mark| SeqNum::new(mark - irs));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: u64 = 100_000;
    const MSS: u32 = 1448;

    fn config(limit: u32) -> Config {
        Config::builder().receive_buffer(limit).build().unwrap()
    }

    fn tuning(limit: u32) -> Tuning {
        Tuning::new(&config(limit), 1460, 9, Instant::ZERO)
    }

    /// A sender in slow start that the window never holds back: each round trip it sends twice as much, spread over the
    /// round trip. `at` is how far the round of the receiver lags behind the sender's, in permille.
    fn slow_start(at: u64, stamps: bool) {
        let limit = 64 << 20;
        let mut tuning = tuning(limit);
        let (mut window, mut nxt, mut began) = (10 * MSS, SeqNum::new(u32::MAX - 7), Instant::ZERO);
        for round in 0..14u64 {
            let segments = window / MSS;
            for n in 0..segments {
                let now = Instant::from_micros(round * RTT + RTT * u64::from(n) / u64::from(segments));
                nxt += MSS;
                let over = now.since(began).get() >= RTT && (now.as_micros() % RTT) * 1000 >= at * RTT;
                let edge = nxt + tuning.capacity();
                tuning.on_text(if stamps { Round::Echoed(over) } else { Round::Window { nxt, edge } }, now);
                if tuning.since() == now {
                    began = now;
                }
                tuning.on_taken(MSS);
                let flight = window + (n + 1) * MSS; // once the ACK of this segment is there
                assert!(tuning.capacity() >= flight.min(limit), "{at} {round} {n}: {} < {flight}", tuning.capacity());
            }
            window *= 2;
        }
        assert_eq!(tuning.capacity(), limit);
    }

    #[test]
    fn slow_start_is_not_held_back() {
        for at in [0, 100, 250, 500, 750, 900, 999] {
            slow_start(at, true);
        }
        slow_start(0, false);
    }

    /// 100 segments in each round trip: the capacity settles at four times that, and without need it stays.
    #[test]
    fn the_capacity_follows_what_is_taken_and_no_more() {
        for stamps in [true, false] {
            let mut tuning = tuning(64 << 20);
            let (mut nxt, mut taken) = (SeqNum::new(7), 0);
            for n in 0..5000u64 {
                let now = Instant::from_micros(n * RTT / 100);
                nxt += MSS;
                let edge = nxt + 100 * MSS; // so large is the window that is in use
                let round = if stamps { Round::Echoed(n % 100 == 0) } else { Round::Window { nxt, edge } };
                tuning.on_text(round, now);
                if n % 2 == 1 {
                    tuning.on_taken(2 * MSS);
                    taken += 2 * MSS;
                }
            }
            assert!(taken > 100 * 100);
            let expected = 4 * 100 * MSS;
            assert!((expected..=expected + 8 * MSS).contains(&tuning.capacity()), "{stamps} {}", tuning.capacity());
        }
    }

    /// Ten segments fill a first window of 14,600 octets exactly, 12 us apart; they left before the sender heard of
    /// more. With any other window, and around the wrap, likewise: a round trip is over when text comes from beyond it.
    #[test]
    fn a_burst_that_fills_the_window_is_no_round_trip() {
        for (window, start) in (14_590..14_620).flat_map(|window| [(window, 7), (window, u32::MAX - 14_600)]) {
            let config = Config::builder().receive_buffer(1 << 20).receive_buffer_initial(14_600).build().unwrap();
            let mut tuning = Tuning::new(&config, 1460, 5, Instant::ZERO);
            let (first, mut nxt) = (SeqNum::new(start) + window, SeqNum::new(start));
            for n in 0..10 {
                nxt += 1460.min(first - nxt);
                tuning.on_text(
                    Round::Window { nxt, edge: first + 2920 * (n / 2) },
                    Instant::from_micros(12 * u64::from(n)),
                );
                assert_eq!(tuning.timing.shortest, None, "{window}");
            }
            nxt += 1460;
            tuning.on_text(Round::Window { nxt, edge: nxt + 29_200 }, Instant::from_micros(RTT));
            assert_eq!(tuning.timing.shortest, Some(Micros::new(RTT)), "{window}");
        }
    }

    /// A zero-window probe comes from beyond the edge, unasked (RFC 9293 §3.8.6.1); what follows it was asked for.
    #[test]
    fn a_zero_window_probe_is_no_round_trip() {
        let config = Config::builder().receive_buffer(1 << 20).receive_buffer_initial(14_600).build().unwrap();
        let mut tuning = Tuning::new(&config, 1460, 5, Instant::ZERO);
        let edge = SeqNum::new(3);
        tuning.on_text(Round::Window { nxt: edge - 1460, edge }, Instant::from_micros(0));
        for (nxt, at, shortest) in [(edge, 10, None), (edge + 1, 20, None), (edge + 2, 30, Some(Micros::new(30)))] {
            tuning.on_text(Round::Window { nxt, edge: edge + 14_600 }, Instant::from_micros(at));
            assert_eq!(tuning.timing.shortest, shortest);
        }
    }

    /// A user that takes nothing needs no larger window, however much arrives.
    #[test]
    fn without_a_user_nothing_grows() {
        let mut tuning = tuning(1 << 20);
        for n in 0..1000 {
            tuning.on_text(Round::Echoed(n % 7 == 0), Instant::from_micros(n * 10));
        }
        assert_eq!(tuning.capacity(), 131_072);
    }

    #[test]
    fn the_start_is_ten_segments_at_least_and_the_buffer_at_most() {
        let first = |builder: crate::ConfigBuilder, rmss, shift| {
            Tuning::new(&builder.build().unwrap(), rmss, shift, Instant::ZERO).capacity()
        };
        let config = || Config::builder().receive_buffer((1 << 30) - 1).receive_buffer_initial(14_600);
        assert_eq!(first(config(), 1460, 0), 14_600);
        assert_eq!(first(config(), 1460, 10), 15_360); // what the window field can say
        assert_eq!(first(config(), 1460, 14), 32_768); // two units of it
        assert_eq!(first(config(), 8960, 14), 98_304);
        assert_eq!(first(config().receive_buffer(9000), 1460, 0), 9000);
        assert_eq!(first(config().receive_buffer_initial(1 << 20), 1460, 0), 1 << 20);
    }
}
