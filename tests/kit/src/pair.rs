//! Two connections joined in virtual time: the segments under way between them, and which of these, or which timer,
//! comes next.

use std::collections::BTreeMap;
use std::time::Duration;

use segue::{Action, Event, Instant, Segment, Timer};

use crate::audit::segments;
use crate::rig::Rig;

/// Two ends, and the things under way: a segment, or whatever else the world between them makes of an event.
#[derive(Debug)]
pub struct Pair<X = Segment> {
    pub now: Instant,
    pub ends: [Rig; 2],
    ahead: BTreeMap<(Instant, u64), (usize, X)>,
    planned: u64,
    /// Events at one time.
    steps: u32,
}

/// What happens next, and at which end.
#[derive(Debug)]
pub enum Next<X> {
    Arrives(usize, X),
    Due(usize, Timer),
}

impl<X> Pair<X> {
    /// More events than this at one time are a war.
    const MOST: u32 = 10_000;

    pub fn new(ends: [Rig; 2]) -> Self {
        let now = ends[0].now.max(ends[1].now);
        Self { now, ends, ahead: BTreeMap::new(), planned: 0, steps: 0 }
    }

    /// At this time this reaches an end; of what comes at one time, the first planned is the first.
    pub fn plan(&mut self, at: Instant, end: usize, item: X) {
        self.planned += 1;
        self.ahead.insert((at, self.planned), (end, item));
    }

    /// An event that cannot fail, at one end: its actions.
    #[track_caller]
    pub fn call(&mut self, end: usize, event: Event) -> Vec<Action> {
        self.ends[end].now = self.now;
        self.ends[end].perform(event).expect("it is possible").to_vec()
    }

    /// Segments that one end gets together: the actions.
    pub fn batch(&mut self, end: usize, segments: Vec<Segment>) -> Vec<Action> {
        self.ends[end].now = self.now;
        self.ends[end].perform_batch(segments).to_vec()
    }

    /// Time goes on to what happens next, if it does by then; what arrives goes before the timers of the same time.
    pub fn next(&mut self, until: Instant) -> Option<Next<X>> {
        let arrival = self.ahead.first_key_value().map(|((at, _), _)| *at);
        let due = |end: usize| self.ends[end].connection.next_deadline().map(|(timer, at)| (at, end, timer));
        let timer = (0..2).filter_map(due).min();
        let next = arrival.into_iter().chain(timer.map(|(at, ..)| at)).min().filter(|at| *at <= until)?;
        self.steps = if self.now >= next { self.steps + 1 } else { 0 };
        assert!(self.steps < Self::MOST, "without end at {}: {timer:?}", self.now);
        self.now = self.now.max(next);
        if arrival == Some(next) {
            let (_, (end, item)) = self.ahead.pop_first()?;
            return Some(Next::Arrives(end, item));
        }
        timer.map(|(_, end, timer)| Next::Due(end, timer))
    }
}

/// A pair whose segments take the same time in both directions, and whose users read nothing.
#[derive(Debug)]
pub struct Wire {
    pub pair: Pair,
    delay: Duration,
    /// Segments that arrived so far.
    pub exchanged: usize,
}

impl Wire {
    /// Nothing is under way: what the ends have sent is lost.
    pub fn new(ends: [Rig; 2], delay: Duration) -> Self {
        Self { pair: Pair::new(ends), delay, exchanged: 0 }
    }

    /// This reaches an end after the delay.
    pub fn put(&mut self, to: usize, segment: Segment) {
        self.pair.plan(self.pair.now + self.delay, to, segment);
    }

    /// An event at one end; what it sends is under way.
    #[track_caller]
    pub fn call(&mut self, end: usize, event: Event) {
        let actions = self.pair.call(end, event);
        segments(&actions).into_iter().for_each(|segment| self.put(1 - end, segment.clone()));
    }

    /// So much time passes.
    pub fn pass(&mut self, time: Duration) {
        let until = self.pair.now + time;
        while let Some(next) = self.pair.next(until) {
            match next {
                Next::Arrives(end, segment) => {
                    self.exchanged += 1;
                    self.call(end, Event::Segment(segment));
                }
                Next::Due(end, timer) => self.call(end, Event::Timer(timer)),
            }
        }
        self.pair.now = until;
    }
}
