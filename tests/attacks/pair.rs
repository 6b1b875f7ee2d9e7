//! Two ends and the segments between them, for attacks that make two TCPs talk for ever.

use std::collections::VecDeque;
use std::time::Duration;

use segue::{Action, Connection, Instant, Segment};
use segue_kit::audit::segments;
use segue_kit::secs;

/// What each end has sent that the other has not got.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    pub(crate) flying: [Vec<Segment>; 2],
    /// Segments exchanged so far.
    pub(crate) exchanged: usize,
}

impl Pair {
    /// `from` did these.
    pub(crate) fn take(&mut self, from: usize, actions: &[Action]) {
        self.flying[from].extend(segments(actions).into_iter().cloned());
    }

    /// Exchanges segments and nothing else until both ends are silent.
    pub(crate) fn settle(&mut self, ends: &mut [Connection; 2], now: Instant) {
        while self.flying.iter().any(|segments| !segments.is_empty()) {
            for from in 0..2 {
                for segment in std::mem::take(&mut self.flying[from]) {
                    self.exchanged += 1;
                    assert!(self.exchanged < 500, "they talk for ever: {segment}");
                    let actions = ends[1 - from].handle_segment(segment, now);
                    ends[1 - from].check_invariants();
                    self.take(1 - from, &actions);
                }
            }
        }
    }

    /// The same, and time goes on from timer to timer for an hour.
    pub(crate) fn live(&mut self, ends: &mut [Connection; 2], mut now: Instant) {
        let end = now + secs(3600);
        loop {
            self.settle(ends, now);
            let next = |end: &Connection| end.next_deadline().map(|(_, at)| at);
            let Some(at) = ends.iter().filter_map(next).min().filter(|at| *at < end) else { return };
            now = now.max(at);
            for (from, end) in ends.iter_mut().enumerate() {
                if let Some((timer, _)) = end.next_deadline().filter(|(_, due)| *due <= now) {
                    let actions = end.handle_timer(timer, now);
                    self.take(from, &actions);
                }
            }
        }
    }
}

/// Two ends with a delay between them, and their timers.
#[derive(Debug)]
pub(crate) struct Distant {
    pub(crate) ends: [Connection; 2],
    pub(crate) now: Instant,
    pub(crate) delay: Duration,
    flying: VecDeque<(Instant, usize, Segment)>,
    /// Segments that arrived so far.
    pub(crate) exchanged: usize,
    /// Octets delivered to each end.
    pub(crate) delivered: [usize; 2],
}

impl Distant {
    pub(crate) fn new(ends: [Connection; 2], delay: Duration, now: Instant) -> Self {
        Self { ends, now, delay, flying: VecDeque::new(), exchanged: 0, delivered: [0; 2] }
    }

    /// A call to one end.
    pub(crate) fn call(&mut self, end: usize, call: impl FnOnce(&mut Connection, Instant) -> Vec<Action>) {
        let actions = call(&mut self.ends[end], self.now);
        self.ends[end].check_invariants();
        let text = |action: &Action| if let Action::Deliver(text) = action { text.len() } else { 0 };
        self.delivered[end] += actions.iter().map(text).sum::<usize>();
        let arrival = self.now + self.delay;
        self.flying.extend(segments(&actions).into_iter().cloned().map(|segment| (arrival, 1 - end, segment)));
    }

    /// So much time passes.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.flying.front().map(|(at, ..)| *at);
            let timer = self.ends.iter().filter_map(|end| end.next_deadline()).map(|(_, at)| at).min();
            let Some(at) = arrival.into_iter().chain(timer).min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            if arrival == Some(at) {
                let Some((_, to, segment)) = self.flying.pop_front() else { break };
                self.exchanged += 1;
                self.call(to, |connection, now| connection.handle_segment(segment, now));
                continue;
            }
            for end in 0..2 {
                if let Some((timer, _)) = self.ends[end].next_deadline().filter(|(_, due)| *due <= self.now) {
                    self.call(end, |connection, now| connection.handle_timer(timer, now));
                }
            }
        }
        self.now = end;
    }
}
