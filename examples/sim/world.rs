//! The loop of events: flows that share one path.

use std::sync::Arc;

use segue::{Action, Config, Connection, Event, Secrets, Segment, SeqNum, codec};

use super::link::{Fate, Link, Nanos, Packet};
use super::rng::Rng;
use super::source::{PATH, Source, Text, instant, nanos};

/// The receiving end of a flow: a connection of segue's whose user takes everything at once.
struct Receiver {
    tcp: Option<Connection>,
    config: Arc<Config>,
    secrets: Secrets,
    text: Text,
    wake: Option<Nanos>,
    delivered: u64,
    last_delivery: Nanos,
}

impl Receiver {
    fn arrives(&mut self, segment: Segment, now: Nanos, out: &mut Vec<Segment>) {
        if self.tcp.is_none() {
            let (tcp, actions) = Connection::accept(self.config.clone(), PATH, self.secrets, segment, instant(now));
            self.tcp = Some(tcp);
            out.extend(actions.into_iter().filter_map(|a| if let Action::Transmit(s) = a { Some(s) } else { None }));
        } else {
            self.event(Event::Segment(segment), now, out);
        }
        self.wake = self.next_deadline(now);
    }

    fn timer(&mut self, now: Nanos, out: &mut Vec<Segment>) {
        if let Some((timer, _)) = self.tcp.as_ref().and_then(Connection::next_deadline) {
            self.event(Event::Timer(timer), now, out);
        }
        self.wake = self.next_deadline(now);
    }

    fn next_deadline(&self, now: Nanos) -> Option<Nanos> {
        self.tcp.as_ref().and_then(Connection::next_deadline).map(|(_, at)| nanos(at).max(now))
    }

    /// The event, and then the user takes what it delivered.
    fn event(&mut self, event: Event, now: Nanos, out: &mut Vec<Segment>) {
        let mut event = Some(event);
        while let (Some(next), Some(tcp)) = (event.take(), &mut self.tcp) {
            let before = self.delivered;
            let done = tcp.handle(next, instant(now), &mut |action| match action {
                Action::Transmit(segment) => out.push(segment),
                Action::Deliver(piece) => {
                    assert!(self.text.is_at(self.delivered, &piece), "at {} other text is delivered", self.delivered);
                    self.delivered += piece.len() as u64;
                }
                _ => {}
            });
            done.expect("the user asks for what can be done only");
            let taken = usize::try_from(self.delivered - before).expect("no more than a buffer");
            if taken > 0 {
                self.last_delivery = now;
                event = Some(Event::Consume(taken));
            }
        }
    }
}

/// What a flow's sender put on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    /// Octets of text.
    pub(crate) octets: u64,
    /// Of these, octets that had been sent before.
    pub(crate) repeated: u64,
    /// A packet was lost before the first text was sent.
    pub(crate) handshake_lost: bool,
    /// The number after the last octet sent.
    high: Option<SeqNum>,
}

impl Sent {
    fn count(&mut self, segment: &Segment) {
        self.packets += 1;
        self.octets += segment.payload.len() as u64;
        let high = self.high.unwrap_or(segment.seq);
        let (len, end) = (segment.payload.len() as u32, segment.end());
        self.repeated += u64::from(len.min(high.saturating_since(segment.seq)));
        self.high = Some(high.max(end));
    }
}

/// A sender, a receiver and what passed between them.
pub(crate) struct Flow {
    source: Box<dyn Source>,
    receiver: Receiver,
    starts: Option<Nanos>,
    pub(crate) sent: Sent,
}

impl Flow {
    /// A flow that opens its connection at `starts`.
    pub(crate) fn new(source: Box<dyn Source>, config: Arc<Config>, text: Text, rng: &mut Rng, starts: Nanos) -> Self {
        let secrets = Secrets { iss: SeqNum::new(rng.next() as u32), ts_offset: rng.next() as u32 };
        let receiver = Receiver { tcp: None, config, secrets, text, wake: None, delivered: 0, last_delivery: 0 };
        Self { source, receiver, starts: Some(starts), sent: Sent::default() }
    }

    pub(crate) fn source(&self) -> &dyn Source {
        &*self.source
    }

    /// Octets of text delivered in order.
    pub(crate) const fn delivered(&self) -> u64 {
        self.receiver.delivered
    }

    /// When the last of them was delivered.
    pub(crate) const fn last_delivery(&self) -> Nanos {
        self.receiver.last_delivery
    }
}

/// What happens next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    Data,
    Ack,
    Start(usize),
    Sender(usize),
    Receiver(usize),
}

/// Flows over one path: `data` leads from the senders to the receivers, `acks` back.
pub(crate) struct World {
    pub(crate) data: Link,
    pub(crate) acks: Link,
    pub(crate) flows: Vec<Flow>,
    out: Vec<Segment>,
}

/// More events at one instant than any run has: it does not get on.
const STUCK: u32 = 1_000_000;

impl World {
    pub(crate) fn new(data: Link, acks: Link, flows: Vec<Flow>) -> Self {
        Self { data, acks, flows, out: Vec::new() }
    }

    fn next(&self) -> Option<(Nanos, Next)> {
        let mut best = None;
        let mut offer = |at: Option<Nanos>, next: Next| {
            if let Some(at) = at.filter(|at| best.is_none_or(|(first, _)| *at < first)) {
                best = Some((at, next));
            }
        };
        offer(self.data.next_arrival(), Next::Data);
        offer(self.acks.next_arrival(), Next::Ack);
        for (i, flow) in self.flows.iter().enumerate() {
            offer(flow.starts, Next::Start(i));
            offer(flow.source.wake(), Next::Sender(i));
            offer(flow.receiver.wake, Next::Receiver(i));
        }
        best
    }

    /// Runs until `end`, or until `enough`.
    pub(crate) fn run(&mut self, end: Nanos, mut enough: impl FnMut(&[Flow]) -> bool) {
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
        let (flow, forward) = match next {
            Next::Data => {
                let Some(packet) = self.data.take() else { return };
                self.flows[packet.flow].receiver.arrives(packet.segment, now, &mut self.out);
                (packet.flow, false)
            }
            Next::Ack => {
                let Some(packet) = self.acks.take() else { return };
                self.flows[packet.flow].source.arrives(packet.segment, now, &mut self.out);
                (packet.flow, true)
            }
            Next::Start(flow) => {
                self.flows[flow].starts = None;
                self.flows[flow].source.start(now, &mut self.out);
                (flow, true)
            }
            Next::Sender(flow) => {
                self.flows[flow].source.timer(now, &mut self.out);
                (flow, true)
            }
            Next::Receiver(flow) => {
                self.flows[flow].receiver.timer(now, &mut self.out);
                (flow, false)
            }
        };
        for segment in self.out.drain(..).flat_map(codec::split) {
            if !forward {
                self.acks.offer(Packet { flow, segment }, now);
                continue;
            }
            let sent = &mut self.flows[flow].sent;
            sent.count(&segment);
            let lost = self.data.offer(Packet { flow, segment }, now) != Fate::Arrives;
            sent.handshake_lost |= lost && sent.octets == 0;
        }
    }
}
