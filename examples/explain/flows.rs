//! Sorts the segments of a capture into connections.

use std::collections::HashMap;
use std::net::SocketAddr;

use segue::{Flags, Instant, Segment, SeqNum};

use crate::capture::{Capture, Captured};

/// The segments of one connection: the client sent the first SYN.
#[derive(Clone, Debug)]
pub struct Flow {
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub segments: Vec<Captured>,
    /// The end of the capture: what has not come until then may have come later.
    pub until: Instant,
}

impl Flow {
    /// Whether its beginning was captured.
    pub fn has_syn(&self) -> bool {
        self.segments.first().is_some_and(|first| first.segment.flags.contains(Flags::SYN))
    }
}

/// The connections of a capture, in the order of their first segments. A SYN with another number than the last one
/// between the same two ends begins another connection when that one is over, or when a SYN,ACK acknowledges the SYN: anybody
/// can send one into an open connection.
pub fn flows(capture: &Capture) -> Vec<Flow> {
    let mut open: Vec<Open> = Vec::new();
    let mut latest: HashMap<(SocketAddr, SocketAddr), usize> = HashMap::new();
    for (number, captured) in capture.segments.iter().enumerate() {
        let ends = (captured.from.min(captured.to), captured.from.max(captured.to));
        let begun = match latest.get(&ends).and_then(|place| open.get_mut(*place)) {
            Some(flow) => flow.take(number, captured),
            None => Some(Open::new(number, captured)),
        };
        if let Some(begun) = begun {
            latest.insert(ends, open.len());
            open.push(begun);
        }
    }
    open.sort_by_key(|flow| flow.first);
    let until = capture.segments.last().map_or(Instant::ZERO, |last| last.at);
    open.into_iter().map(|flow| Flow { until, ..flow.flow }).collect()
}

/// A connection to which segments still come.
struct Open {
    flow: Flow,
    /// The place of its first segment in the capture, and of each in it.
    first: usize,
    numbers: Vec<usize>,
    /// The numbers of SYNs that may begin another connection, and where they are among the segments.
    doubtful: HashMap<(SocketAddr, SeqNum), usize>,
    answered: bool,
    /// For the client and the server: the number after the last that it sent, whether that was a FIN.
    ends: [(SeqNum, bool); 2],
    reset: bool,
}

impl Open {
    fn new(number: usize, first: &Captured) -> Self {
        let answers = first.segment.flags.contains(Flags::SYN | Flags::ACK);
        let (client, server) = if answers { (first.to, first.from) } else { (first.from, first.to) };
        let flow = Flow { client, server, segments: Vec::new(), until: first.at };
        let other = first.segment.ack;
        let mut open = Self {
            flow,
            first: number,
            numbers: Vec::new(),
            doubtful: HashMap::new(),
            answered: false,
            ends: [(other, false); 2],
            reset: false,
        };
        open.ends[open.end_of(first)].0 = first.segment.seq;
        open.push(number, first);
        open
    }

    fn end_of(&self, captured: &Captured) -> usize {
        usize::from(captured.from != self.flow.client)
    }

    /// Takes a segment, or begins another connection with it.
    fn take(&mut self, number: usize, captured: &Captured) -> Option<Self> {
        let segment = &captured.segment;
        match segment.flags & (Flags::SYN | Flags::ACK) {
            Flags::SYN if self.is_another(captured) => {
                if self.is_over() {
                    return Some(Self::new(number, captured));
                }
                self.doubtful.entry((captured.from, segment.seq)).or_insert(self.flow.segments.len());
                self.keep(number, captured);
                return None;
            }
            both if both == Flags::SYN | Flags::ACK => {
                if let Some(place) = self.doubtful.remove(&(captured.to, segment.ack + u32::MAX)) {
                    return Some(self.cut(place, number, captured));
                }
            }
            _ => {}
        }
        self.push(number, captured);
        None
    }

    /// Whether a SYN is not that of this connection. Two that cross are both of it.
    fn is_another(&self, syn: &Captured) -> bool {
        let first = &self.flow.segments[0];
        let same = first.from == syn.from && first.segment.seq == syn.segment.seq;
        let crosses = !self.answered && self.end_of(syn) == 1;
        !(same || crosses)
    }

    fn is_over(&self) -> bool {
        self.reset || self.ends.iter().all(|(_, fin)| *fin)
    }

    /// What came from a SYN on that was answered now is another connection.
    fn cut(&mut self, place: usize, number: usize, answer: &Captured) -> Self {
        let segments = self.flow.segments.split_off(place);
        let numbers = self.numbers.split_off(place);
        self.doubtful.clear();
        let mut begun = Self::new(numbers[0], &segments[0]);
        for (number, captured) in numbers.iter().zip(&segments).skip(1) {
            begun.push(*number, captured);
        }
        begun.push(number, answer);
        begun
    }

    fn push(&mut self, number: usize, captured: &Captured) {
        let (from, segment) = (self.end_of(captured), &captured.segment);
        self.note(from, segment);
        self.keep(number, captured);
    }

    fn note(&mut self, from: usize, segment: &Segment) {
        let (sent, _) = self.ends[from];
        if segment.flags.contains(Flags::RST) {
            // one that refuses has the number 0; any other is exact, or it may be forged (RFC 5961 §3.2)
            let refuses = !self.answered && segment.flags.contains(Flags::ACK) && from == 1;
            self.reset |= refuses || segment.seq == sent;
            return;
        }
        if segment.flags.contains(Flags::SYN | Flags::ACK) && from == 1 {
            self.answered = true;
            self.ends[1].0 = segment.seq;
        }
        let (sent, _) = self.ends[from];
        let end = segment.seq + segment.len();
        if end.at_or_after(sent) {
            let fin = self.ends[from].1 || segment.flags.contains(Flags::FIN);
            self.ends[from] = (end, fin);
        }
    }

    fn keep(&mut self, number: usize, captured: &Captured) {
        self.numbers.push(number);
        self.flow.segments.push(captured.clone());
    }
}
