//! Two ends and the segments under way between them, in virtual time.

use core::time::Duration;
use std::collections::VecDeque;

use segue::{CloseReason, Config, Connection, Event, Instant, Segment, State, Timer};

use super::end::End;

/// A segment under way.
#[derive(Clone, Debug)]
struct Flight {
    segment: Segment,
    sent: Instant,
}

/// Two ends, and a channel each way.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: Instant,
    pub(crate) ends: [End; 2],
    /// The segments under way to each end, the oldest first.
    flying: [VecDeque<Flight>; 2],
    /// Nobody loses patience by configuration.
    pub(super) patient: bool,
}

/// A segment that is under way for longer is lost: well below the MSL of patient ends.
const AGE: Duration = Duration::from_secs(100);
/// A channel that holds as many segments loses the next.
const ROOM: usize = 128;
/// More events than a calm network needs until silence, and more for each octet: text may go octet by octet.
const EVENTS: u32 = 20_000;
const EVENTS_PER_OCTET: u32 = 16;

/// A configuration with which nobody gives up, and with TIME-WAIT longer than anything is under way.
pub(super) fn patient(config: &Config) -> Config {
    let builder = config.to_builder().user_timeout(None).connect_timeout(None).data_retries(0).syn_retries(0);
    let builder = builder.keep_alive(false).msl(Duration::from_secs(600)).user_timeout_option(false);
    builder.build().expect("as valid as before")
}

impl World {
    pub(super) fn new(mut ends: [End; 2], now: Instant, patient: bool) -> Self {
        let buffers = ends.each_ref().map(|end| end.config.receive_buffer());
        ends.iter_mut().zip([buffers[1], buffers[0]]).for_each(|(end, peer)| end.limit(peer));
        Self { now, ends, flying: Default::default(), patient }
    }

    /// An end has sent these.
    pub(crate) fn sent(&mut self, from: usize, segments: Vec<Segment>) {
        for segment in segments {
            if self.flying[1 - from].len() < ROOM {
                self.flying[1 - from].push_back(Flight { segment, sent: self.now });
            }
        }
        if self.ends[from].disarmed {
            self.ends[from].rearm(self.now);
        }
    }

    /// An event at an end; what it sends is under way.
    pub(crate) fn call(&mut self, end: usize, event: Event) {
        let sent = self.ends[end].call(event, self.now).1;
        self.sent(end, sent);
    }

    /// The `n`th segment under way to an end arrives, and stays under way if it is to come again.
    pub(crate) fn arrive(&mut self, end: usize, n: usize, again: bool) {
        let Some(flight) = self.nth(end, n) else { return };
        let flight = if again { self.flying[end].get(flight).cloned() } else { self.flying[end].remove(flight) };
        let Some(Flight { segment, sent }) = flight else { return };
        if self.now.saturating_since(sent) <= AGE {
            let sent = self.ends[end].arrives(segment, self.now);
            self.sent(end, sent);
        }
    }

    /// The oldest segments arrive in one call.
    pub(crate) fn arrive_together(&mut self, end: usize, count: usize) {
        let count = count.min(self.flying[end].len());
        let now = self.now;
        let fresh = self.flying[end].drain(..count).filter(|flight| now.saturating_since(flight.sent) <= AGE);
        let segments = fresh.map(|flight| flight.segment).collect();
        let sent = self.ends[end].arrive_together(segments, self.now);
        self.sent(end, sent);
    }

    fn nth(&self, end: usize, n: usize) -> Option<usize> {
        let last = self.flying[end].len().checked_sub(1)?;
        Some(n.min(last))
    }

    /// The `n`th segment under way to an end is lost.
    pub(crate) fn lose(&mut self, end: usize, n: usize) {
        if let Some(n) = self.nth(end, n) {
            self.flying[end].remove(n);
        }
    }

    /// All that is under way to an end is lost.
    pub(crate) fn lose_all(&mut self, end: usize) {
        self.flying[end].clear();
    }

    /// A change of the oldest segment under way to an end.
    pub(crate) fn oldest(&mut self, end: usize) -> Option<&mut Segment> {
        self.flying[end].front_mut().map(|flight| &mut flight.segment)
    }

    fn next_deadline(&self) -> Option<(Instant, usize, Timer)> {
        let due = |end: usize| {
            let connection = self.ends[end].connection.as_ref();
            connection.and_then(Connection::next_deadline).map(|(timer, at)| (at, end, timer))
        };
        (0..2).filter_map(due).min()
    }

    /// Time goes on to the next deadline, and its timer fires.
    pub(crate) fn fire_next(&mut self) {
        if let Some((at, end, timer)) = self.next_deadline() {
            self.now = self.now.max(at);
            self.call(end, Event::Timer(timer));
        }
    }

    /// Everything under way arrives in order 10 ms later, and timers that are due by then fire.
    pub(crate) fn round(&mut self) {
        let until = self.now + Duration::from_millis(10);
        while let Some((at, end, timer)) = self.next_deadline().filter(|(at, ..)| *at <= until) {
            self.now = self.now.max(at);
            self.call(end, Event::Timer(timer));
        }
        self.now = self.now.max(until);
        let counts = [0, 1].map(|end| self.flying[end].len());
        for end in [0, 1] {
            (0..counts[end]).for_each(|_| self.arrive(end, 0, false));
        }
    }

    /// The network is calm, users read all and close: everything arrives, and then all is silent.
    pub(crate) fn calm(&mut self) {
        let alive = self.ends.each_ref().map(|end| end.closed.is_none());
        for end in [0, 1] {
            let sent = self.ends[end].calm(self.now);
            self.sent(end, sent);
        }
        let octets = self.ends[0].written + self.ends[1].written;
        let mut events = EVENTS + EVENTS_PER_OCTET * octets;
        loop {
            for end in [0, 1] {
                let read = self.ends[end].take(usize::MAX, self.now);
                self.sent(end, read);
                if self.ends[end].state().is_synchronized() {
                    let closed = self.ends[end].close(self.now);
                    self.sent(end, closed);
                }
            }
            events =
                events.checked_sub(1).unwrap_or_else(|| panic!("no silence: {} and {}", self.ends[0], self.ends[1]));
            if self.flying.iter().any(|flying| !flying.is_empty()) {
                self.round();
            } else if self.next_deadline().is_some() {
                self.fire_next();
            } else {
                break;
            }
        }
        if alive == [true; 2] && self.patient {
            self.check();
        }
        (0..2).for_each(|end| self.check_silence(end));
    }

    /// Nobody loses patience, so only a user ends anything early.
    fn check(&self) {
        let own = |reason| {
            matches!(
                reason,
                CloseReason::Aborted | CloseReason::Cancelled | CloseReason::Unread | CloseReason::Unreachable(_)
            )
        };
        if self.ends.iter().any(|end| end.left || end.closed.is_some_and(own)) {
            return;
        }
        for (end, peer) in [(&self.ends[0], &self.ends[1]), (&self.ends[1], &self.ends[0])] {
            // RFC 1337: without its rule, a reset that answers a late segment ends TIME-WAIT early
            let assassinated = !end.config.rfc1337() && end.closed == Some(CloseReason::Reset);
            let finished = |end: &End| end.closed == Some(CloseReason::Finished);
            assert!(finished(end) || assassinated && finished(peer), "{end}, {peer}");
            assert_eq!(end.delivered, peer.written, "octets are missing: {end}, {peer}");
        }
    }

    /// Whoever is silent has ended, or waits for a peer that ended with a reset that got lost (RFC 9293 §3.6).
    fn check_silence(&self, end: usize) {
        let (state, peer) = (self.ends[end].state(), &self.ends[1 - end]);
        let orphan = state == State::FinWait2 && peer.closed.is_some();
        assert!(orphan || matches!(state, State::Closed | State::Listen), "silent: {}, {peer}", self.ends[end]);
    }
}
