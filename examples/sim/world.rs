//! The loop of events: flows that share one path.

use std::fmt::Write;

use segue::{Flags, Segment, SeqNum, codec};

use super::host::End;
use super::link::{Fate, Link, Nanos, Packet};

/// What an end put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    pub packets: u64,
    /// Packets with text.
    pub texts: u64,
    /// Packets that acknowledge and do nothing else.
    pub acks: u64,
    /// Octets of text.
    pub octets: u64,
    /// Of these, octets that had been sent before.
    pub repeated: u64,
    /// A packet was lost before the first text was sent.
    pub handshake_lost: bool,
    /// The number after the last octet sent.
    high: Option<SeqNum>,
}

impl Sent {
    fn count(&mut self, segment: &Segment) {
        self.packets += 1;
        self.texts += u64::from(!segment.payload.is_empty());
        self.acks += u64::from(segment.payload.is_empty() && segment.flags == Flags::ACK);
        self.octets += segment.payload.len() as u64;
        let high = self.high.unwrap_or(segment.seq);
        let (len, end) = (segment.payload.len() as u32, segment.end());
        self.repeated += u64::from(len.min(high.saturating_since(segment.seq)));
        self.high = Some(high.max(end));
    }
}

/// An end of a flow and what it sent.
pub struct Side {
    pub end: Box<dyn End>,
    pub sent: Sent,
}

/// Two ends and what passed between them: the first connects.
pub struct Flow {
    starts: Option<Nanos>,
    pub sides: [Side; 2],
}

impl Flow {
    /// A flow that opens its connection at `starts`.
    pub fn new(ends: [Box<dyn End>; 2], starts: Nanos) -> Self {
        Self { starts: Some(starts), sides: ends.map(|end| Side { end, sent: Sent::default() }) }
    }

    /// Octets of the first end's text that were delivered in order, and when the last of them were.
    pub fn delivered(&self) -> (u64, Nanos) {
        self.sides[1].end.delivered()
    }
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// A packet arrives at the ends on this side.
    Packet(usize),
    Start(usize),
    /// The alarm of a flow's end.
    Timer(usize, usize),
}

/// Flows over one path: the first link leads from the ends that connect to those that accept, the second back.
pub struct World {
    pub links: [Link; 2],
    pub flows: Vec<Flow>,
    out: Vec<Segment>,
    /// A line for each packet, if somebody reads them.
    pub log: Option<String>,
}

/// More events at one instant than any run has: it does not get on.
const STUCK: u32 = 1_000_000;

impl World {
    pub fn new(links: [Link; 2], flows: Vec<Flow>) -> Self {
        Self { links, flows, out: Vec::new(), log: None }
    }

    fn next(&self) -> Option<(Nanos, Next)> {
        let mut best = None;
        let mut offer = |at: Option<Nanos>, next: Next| {
            if let Some(at) = at.filter(|at| best.is_none_or(|(first, _)| *at < first)) {
                best = Some((at, next));
            }
        };
        let [data, acks] = &self.links;
        offer(data.next_arrival(), Next::Packet(1));
        offer(acks.next_arrival(), Next::Packet(0));
        for (i, flow) in self.flows.iter().enumerate() {
            offer(flow.starts, Next::Start(i));
            for (side, Side { end, .. }) in flow.sides.iter().enumerate() {
                offer(end.wake(), Next::Timer(i, side));
            }
        }
        best
    }

    /// Runs until `end`, or until `enough`.
    pub fn run(&mut self, end: Nanos, mut enough: impl FnMut(&[Flow]) -> bool) {
        let (mut last, mut same) = (0, 0);
        while let Some((now, next)) = self.next().filter(|(at, _)| *at <= end) {
            same = if now == last { same + 1 } else { 0 };
            assert!(same < STUCK, "at {} ns nothing gets on: {next:?}", now);
            last = now;
            self.step(now, next);
            if enough(&self.flows) {
                return;
            }
        }
    }

    fn step(&mut self, now: Nanos, next: Next) {
        let (flow, side) = match next {
            Next::Packet(side) => {
                let Some(packet) = self.links[1 - side].take() else { return };
                self.flows[packet.flow].sides[side].end.arrives(packet.segment, now, &mut self.out);
                (packet.flow, side)
            }
            Next::Start(flow) => {
                self.flows[flow].starts = None;
                self.flows[flow].sides[0].end.start(now, &mut self.out);
                (flow, 0)
            }
            Next::Timer(flow, side) => {
                self.flows[flow].sides[side].end.timer(now, &mut self.out);
                (flow, side)
            }
        };
        let (link, sent) = (&mut self.links[side], &mut self.flows[flow].sides[side].sent);
        for segment in self.out.drain(..).flat_map(codec::split) {
            sent.count(&segment);
            let line = self.log.as_ref().map(|_| segment.to_string());
            let lost = link.offer(Packet { flow, segment }, now) != Fate::Arrives;
            sent.handshake_lost |= lost && sent.octets == 0;
            if let (Some(log), Some(line)) = (&mut self.log, line) {
                let (micros, from, fate) = (now / 1000, ["-->", "<--"][side], if lost { " LOST" } else { "" });
                let _ = writeln!(log, "{micros:>10} us  {flow} {from} {line}{fate}");
            }
        }
    }
}
