//! What happened, in order.

use std::collections::VecDeque;

use segue::{Action, Cause, Flags, Instant, Segment, SeqNum, State, Timer};

use super::{Plan, Side};

/// One thing that happened at one side.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    pub at: Instant,
    pub side: Side,
    pub what: What,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// The user called.
    Call(String),
    /// A timer that was due fired.
    Timer(Timer),
    /// The state changed, for this cause.
    State(State, Option<Cause>),
    /// A segment left; `lost` says why it will not arrive, `again` that its octets were sent before.
    Depart { id: u32, segment: Segment, lost: Option<&'static str>, again: bool },
    /// A segment arrived; `copy` when it is a duplicate that the network made.
    Arrive { id: u32, segment: Segment, copy: bool },
    /// The machine told its user something that is neither text nor acknowledgment.
    Told(Action),
}

/// The records of one run, the latest when there were very many.
#[derive(Clone, Debug)]
pub struct Trace {
    limit: usize,
    pub records: VecDeque<Record>,
    /// How many were thrown away.
    pub forgotten: u64,
}

impl Trace {
    /// A trace that keeps the latest `limit` records.
    pub const fn new(limit: usize) -> Self {
        Self { limit, records: VecDeque::new(), forgotten: 0 }
    }

    pub fn push(&mut self, at: Instant, side: Side, what: What) {
        if self.records.len() == self.limit {
            self.records.pop_front();
            self.forgotten += 1;
        }
        self.records.push_back(Record { at, side, what });
    }

    /// The segments that left `side`, in order.
    pub fn departures(&self, side: Side) -> impl Iterator<Item = &Segment> {
        self.records.iter().filter(move |record| record.side == side).filter_map(|record| match &record.what {
            What::Depart { segment, .. } => Some(segment),
            _ => None,
        })
    }
}

/// What must be subtracted from the numbers of a run so that runs with other secrets or another start can be compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bases {
    iss: [u32; 2],
    ts: [u32; 2],
    start: u64,
}

impl Bases {
    pub fn of(plan: &Plan) -> Self {
        let started = (plan.start / 1000) as u32;
        Self {
            iss: [plan.ends[0].iss, plan.ends[1].iss],
            ts: plan.ends.each_ref().map(|end| end.ts_offset.wrapping_add(started)),
            start: plan.start,
        }
    }

    pub const fn time(&self, at: Instant) -> Instant {
        Instant::from_micros(at.as_micros() - self.start)
    }

    /// A number of `side`'s stream, relative to its ISS.
    pub fn seq(&self, side: Side, seq: SeqNum) -> SeqNum {
        seq - self.iss[side.index()]
    }

    /// The segment with numbers relative to the ISS of either side and timestamps relative to the start of their clocks.
    pub fn segment(&self, from: Side, segment: &Segment) -> Segment {
        let (own, peer) = (from.index(), from.other().index());
        let mut relative = segment.clone();
        let acks = segment.flags.contains(Flags::ACK);
        let reset = segment.flags.contains(Flags::RST);
        // the reset for a segment without ACK has the number 0, whoever sent it (§3.10.7.1)
        if !(acks && reset) {
            relative.seq = segment.seq - self.iss[own];
        }
        if acks {
            relative.ack = segment.ack - self.iss[peer];
        }
        let mut options = segment.options.get();
        if let Some(ts) = &mut options.timestamps {
            if !(reset && ts.value == 0) {
                ts.value = ts.value.wrapping_sub(self.ts[own]); // a TCP without a connection has no clock
            }
            if acks || reset {
                ts.echo = ts.echo.wrapping_sub(self.ts[peer]);
            }
        }
        options.sack.truncate(0);
        for block in segment.options.sack() {
            let (left, right) = (block.left - self.iss[peer], block.right - self.iss[peer]);
            options.sack.push(segue::SackBlock { left, right });
        }
        relative.options = options.into();
        relative
    }

    /// The action of `side` in relative numbers and times.
    pub fn action(&self, side: Side, action: &Action) -> Action {
        match action {
            Action::Transmit(segment) => Action::Transmit(self.segment(side, segment)),
            Action::SetTimer(timer, at) => Action::SetTimer(*timer, self.time(*at)),
            Action::Successor { syn, iss_after } => Action::Successor {
                syn: self.segment(side.other(), syn).into(),
                iss_after: *iss_after - self.iss[side.index()],
            },
            other => other.clone(),
        }
    }
}
