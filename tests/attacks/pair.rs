//! Two ends and the segments between them, for attacks that make two TCPs talk for ever.

use segue::{Action, Connection, Instant, Segment};

use crate::support::{secs, segments};

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
