//! The ladder: a row for each segment and each thing to tell, with the states of both ends.

use std::fmt;
use std::net::SocketAddr;

use segue::{Flags, Instant, Segment, SeqNum, State};

use crate::capture::Captured;
use crate::compare::{Comparison, Difference};
use crate::flows::Flow;
use crate::replica::{Note, Replica};

/// Columns between the two lifelines.
pub const MIDDLE: usize = 84;

/// One of the two ends: 0, the client, stands at the left.
pub const NAMES: [&str; 2] = ["CLIENT", "SERVER"];

/// A row of the ladder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub at: Instant,
    /// The end that sends the segment or that the note is of.
    pub end: usize,
    pub is_segment: bool,
    pub words: String,
    /// The states after it.
    pub states: [State; 2],
}

/// What was found out about a connection.
#[derive(Debug, Default)]
pub struct Explained {
    pub rows: Vec<Row>,
    /// The end at which the capture was taken.
    pub near: usize,
    /// Where segue in the place of this end would have answered otherwise.
    pub differences: Vec<Difference>,
    pub replicas: [Replica; 2],
}

/// Tells a segue at each end what happened. `progress` hears with each segment how many there were.
pub fn explain(flow: &Flow, near: Option<usize>, mut progress: impl FnMut(usize)) -> Explained {
    let near = near.unwrap_or_else(|| nearer(flow));
    let mut explained = Explained { near, ..Explained::default() };
    explained.replicas[near].near = true;
    let mut comparisons = [Comparison::default(), Comparison::default()];
    let mut bases: [Option<SeqNum>; 2] = [None, None];
    for (captured, number) in flow.segments.iter().zip(1..) {
        progress(number);
        let from = usize::from(captured.from != flow.client);
        let to = 1 - from;
        if captured.segment.flags.contains(Flags::SYN) {
            bases[from].get_or_insert(captured.segment.seq);
        }
        explained.replicas.iter_mut().for_each(|replica| replica.pass_to(captured.at));
        explained.notes();
        comparisons.iter_mut().for_each(|comparison| comparison.pass_to(captured.at));
        comparisons[from].sent(captured, &explained.replicas[from]);
        explained.replicas[from].did(captured);
        explained.notes_of(from);
        explained.segment(captured, from, bases);
        let heard = explained.replicas[to].hears(captured);
        explained.notes_of(to);
        comparisons[to].heard(captured, &heard, &explained.replicas[to]);
    }
    let [client, server] = comparisons;
    let comparison = if near == 0 { client } else { server };
    explained.differences = comparison.end(flow.until, &explained.replicas[near], bases[near].unwrap_or_default());
    explained
}

/// At which end the capture was taken: that answers faster in the handshake.
pub fn nearer(flow: &Flow) -> usize {
    let after = |from: usize, sent: SocketAddr, flags: Flags| {
        let rest = flow.segments.iter().enumerate().skip(from);
        rest.clone().find(|(_, one)| one.from == sent && one.segment.flags.contains(flags)).map(|(n, one)| (n, one.at))
    };
    let times = || {
        let (first, syn) = after(0, flow.client, Flags::SYN)?;
        let (second, answer) = after(first, flow.server, Flags::SYN | Flags::ACK)?;
        let (_, ack) = after(second, flow.client, Flags::ACK)?;
        Some((answer.saturating_since(syn), ack.saturating_since(answer)))
    };
    times().map_or(0, |(server, client)| usize::from(server < client))
}

impl Explained {
    fn states(&self) -> [State; 2] {
        [self.replicas[0].state(), self.replicas[1].state()]
    }

    fn notes(&mut self) {
        self.notes_of(0);
        self.notes_of(1);
    }

    fn notes_of(&mut self, end: usize) {
        let states = self.states();
        for Note { at, words } in self.replicas[end].take_notes() {
            self.rows.push(Row { at, end, is_segment: false, words, states });
        }
    }

    fn segment(&mut self, captured: &Captured, end: usize, bases: [Option<SeqNum>; 2]) {
        let words = describe(&captured.segment, bases[end], bases[1 - end]);
        let row = Row { at: captured.at, end, is_segment: true, words, states: self.states() };
        self.rows.push(row);
    }
}

/// A segment nearly as tcpdump prints it, its numbers counted from the ISNs.
fn describe(segment: &Segment, own: Option<SeqNum>, other: Option<SeqNum>) -> String {
    let relative = |seq: SeqNum, base: Option<SeqNum>| base.map_or(seq.value(), |base| seq - base);
    let whole = segment.to_string();
    let flags = whole.split_inclusive(']').next().unwrap_or_default().trim_start_matches("Flags ");
    let seq = relative(segment.seq, own);
    let mut words = format!("{flags} seq {seq}");
    if !segment.payload.is_empty() {
        words.push_str(&format!(":{}", u64::from(seq) + segment.payload.len() as u64));
    }
    if segment.flags.contains(Flags::ACK) {
        words.push_str(&format!(", ack {}", relative(segment.ack, other)));
    }
    words.push_str(&format!(", win {}", segment.window));
    let mut options = segment.options.get();
    if segment.flags.contains(Flags::SYN) {
        return words + &format!(" <{options}>");
    }
    options.timestamps = None;
    for block in std::mem::take(&mut options.sack).as_slice() {
        words.push_str(&format!(" sack {}:{}", relative(block.left, other), relative(block.right, other)));
    }
    words
}

/// A time since the first segment, in ms.
pub fn millis(at: Instant) -> String {
    let micros = at.saturating_since(Instant::from_millis(1000)).as_micros();
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [left, right] = self.states.map(State::name);
        let middle = match (self.is_segment, self.end) {
            (true, 0) => format!("─ {} {}▶", self.words, "─".repeat(room(&self.words))),
            (true, _) => format!("◀{} {} ─", "─".repeat(room(&self.words)), self.words),
            (false, 0) => format!("  {}", self.words),
            (false, _) => format!("{:>MIDDLE$}", format!("{}  ", self.words)),
        };
        let line = format!("{:>12} {left:>12} │{middle:<MIDDLE$}│ {right}", millis(self.at));
        write!(f, "{}", line.trim_end())
    }
}

fn room(words: &str) -> usize {
    MIDDLE.saturating_sub(words.chars().count() + 4)
}
