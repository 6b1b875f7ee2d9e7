//! The ladder diagram of a run: client at the left, server at the right, a line for every segment.
//!
//! A line stands for departure and arrival together, with the time of each at its own side, as long as each side's own
//! order of events allows it. Where segments cross, one of them is drawn in two lines with `···` between, as RFC 9293 does.

use std::collections::HashMap;
use std::fmt::{self, Write};

use segue::{Action, Cause, Flags, Instant, Segment, State};

use super::{Bases, Plan, Record, Side, Trace, What};

/// Columns between the two lifelines. All else of a line takes 48: it fits in 120.
const MIDDLE: usize = 72;

/// What happened at one side at one time, with the state it led to.
struct Node {
    at: Instant,
    /// Its place among all events of both sides.
    order: usize,
    side: Side,
    state: Option<State>,
    kind: Kind,
}

enum Kind {
    Note(String),
    Depart { id: u32, text: String, lost: Option<&'static str> },
    Arrive { id: u32, text: String },
}

/// The diagram; `Display` prints it.
pub struct Ladder {
    start: Instant,
    /// What happened at either side, in its own order.
    sides: [Vec<Node>; 2],
    /// Where a segment arrives: its place in the list of the other side.
    arrivals: HashMap<u32, usize>,
    /// Segments whose departure has a line of its own or is not in the diagram.
    departed: HashMap<u32, bool>,
    events: usize,
}

/// How much of a segment's way a line shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Departure,
    Arrival,
    Lost(&'static str),
    /// No segment at all.
    Note,
}

impl Ladder {
    /// The diagram of everything in the trace.
    pub fn new(plan: &Plan, trace: &Trace) -> Self {
        Self::build(plan, trace.records.iter())
    }

    /// The diagram of the last `count` records.
    pub fn of_last(count: usize, plan: &Plan, trace: &Trace) -> Self {
        Self::build(plan, trace.records.iter().skip(trace.records.len().saturating_sub(count)))
    }

    fn build<'a>(plan: &Plan, records: impl Iterator<Item = &'a Record>) -> Self {
        let bases = Bases::of(plan);
        let mut ladder = Self {
            start: Instant::from_micros(plan.start),
            sides: [Vec::new(), Vec::new()],
            arrivals: HashMap::new(),
            departed: HashMap::new(),
            events: 0,
        };
        for record in records {
            ladder.add(&bases, record);
        }
        ladder
    }

    fn add(&mut self, bases: &Bases, record: &Record) {
        let Record { at, side, what } = record;
        self.events += 1;
        let order = self.events;
        let nodes = &mut self.sides[side.index()];
        let kind = match what {
            What::State(state, cause) => return self.state(record, *state, cause.as_ref()),
            What::Call(text) => Kind::Note(text.clone()),
            What::Timer(timer) => Kind::Note(format!("timer: {timer:?}")),
            What::Told(action) => return self.notes(record, &told(action)),
            What::Depart { id, segment, lost, again } => {
                self.departed.insert(*id, false);
                let text = describe(&bases.segment(*side, segment), if *again { " (again)" } else { "" });
                Kind::Depart { id: *id, text, lost: *lost }
            }
            What::Arrive { id, segment, copy } => {
                let text = describe(&bases.segment(side.other(), segment), if *copy { " (copy)" } else { "" });
                if !*copy {
                    self.arrivals.insert(*id, nodes.len());
                }
                Kind::Arrive { id: if *copy { 0 } else { *id }, text }
            }
        };
        nodes.push(Node { at: *at, order, side: *side, state: None, kind });
    }

    /// The new state stands beside what led to it, the cause in lines of its own.
    fn state(&mut self, record: &Record, state: State, cause: Option<&Cause>) {
        let Record { at, side, .. } = record;
        match self.sides[side.index()].last_mut() {
            Some(node) if node.at == *at && node.state.is_none() && !matches!(node.kind, Kind::Depart { .. }) => {
                node.state = Some(state);
            }
            _ => self.note(record, Some(state), String::new()),
        }
        if let Some(cause) = cause {
            self.notes(record, &cause.to_string());
        }
    }

    /// As many lines as the words need.
    fn notes(&mut self, record: &Record, words: &str) {
        let mut line = String::new();
        for word in words.split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > MIDDLE - 2 {
                self.note(record, None, std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.note(record, None, line);
    }

    fn note(&mut self, record: &Record, state: Option<State>, words: String) {
        let Record { at, side, .. } = record;
        let node = Node { at: *at, order: self.events, side: *side, state, kind: Kind::Note(words) };
        self.sides[side.index()].push(node);
    }
}

/// What the machine told its user, with the clause.
fn told(action: &Action) -> String {
    match action {
        Action::Discarded(reason) => format!("discards: {reason} ({})", reason.clause()),
        Action::Closed(reason) => format!("closed: {reason} ({})", reason.clause()),
        Action::Report(report) => format!("reports: {report}"),
        Action::PeerClosed => "told: the peer closed".into(),
        other => format!("told: {other:?}"),
    }
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9} {:>12} │{:MIDDLE$}│ {:<12} {:>9}", "ms", "CLIENT", "", "SERVER", "ms")?;
        let mut heads = [0; 2];
        let mut split: HashMap<u32, bool> = self.departed.clone();
        while let Some((side, part)) = self.next_line(heads, &split) {
            let node = &self.sides[side.index()][heads[side.index()]];
            heads[side.index()] += 1;
            let mut ends = [None; 2];
            ends[side.index()] = Some(node);
            if part == Part::Whole {
                ends[side.other().index()] = self.sides[side.other().index()].get(heads[side.other().index()]);
                heads[side.other().index()] += 1;
            }
            if let (Kind::Depart { id, .. }, Part::Departure) = (&node.kind, part) {
                split.insert(*id, true);
            }
            self.line(f, ends, &middle(node, part))?;
        }
        Ok(())
    }
}

impl Ladder {
    /// Which side's next event comes now, and as what.
    fn next_line(&self, heads: [usize; 2], split: &HashMap<u32, bool>) -> Option<(Side, Part)> {
        let mut blocked: Option<(usize, Side)> = None;
        let mut ready: Option<(usize, Side, Part)> = None;
        for side in Side::BOTH {
            let Some(node) = self.sides[side.index()].get(heads[side.index()]) else { continue };
            let part = match &node.kind {
                Kind::Note(_) => Part::Note,
                Kind::Arrive { id, .. } if *split.get(id).unwrap_or(&true) => Part::Arrival,
                Kind::Arrive { .. } => continue, // its departure comes first
                Kind::Depart { lost: Some(why), .. } => Part::Lost(why),
                Kind::Depart { id, .. } => match self.arrivals.get(id) {
                    Some(place) if *place == heads[side.other().index()] => Part::Whole,
                    Some(place) => {
                        let distance = place - heads[side.other().index()];
                        if blocked.is_none_or(|(far, _)| distance > far) {
                            blocked = Some((distance, side));
                        }
                        continue;
                    }
                    None => Part::Departure, // the diagram ends before it arrives
                },
            };
            if ready.is_none_or(|(order, ..)| node.order < order) {
                ready = Some((node.order, side, part));
            }
        }
        // nothing can go on: what has the longest way to go is drawn in two lines
        let crossing = blocked.map(|(_, side)| (side, Part::Departure));
        ready.map(|(_, side, part)| (side, part)).or(crossing)
    }

    fn line(&self, f: &mut fmt::Formatter<'_>, ends: [Option<&Node>; 2], middle: &str) -> fmt::Result {
        let time = |node: Option<&Node>| {
            node.map_or(String::new(), |node| {
                let micros = node.at.saturating_since(self.start).as_micros();
                format!("{}.{}", micros / 1000, micros % 1000 / 100)
            })
        };
        let state = |node: Option<&Node>| node.and_then(|node| node.state).map_or("", State::name);
        let [left, right] = ends;
        let line = format!("{:>9} {:>12} │{middle}│ {:<12} {:>9}", time(left), state(left), state(right), time(right));
        writeln!(f, "{}", line.trim_end())
    }
}

/// What stands between the lifelines: drawn from the sender to the other side.
fn middle(node: &Node, part: Part) -> String {
    let (text, from) = match &node.kind {
        Kind::Note(text) => (text, node.side),
        Kind::Depart { text, .. } => (text, node.side),
        Kind::Arrive { text, .. } => (text, node.side.other()),
    };
    let mark = if let Part::Lost(why) = part { why.len() + 3 } else { 4 };
    let mut text = text.clone();
    let most = if part == Part::Note { MIDDLE - 2 } else { MIDDLE - mark - 6 };
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.replace_range(end.., "…");
    }
    let room = MIDDLE.saturating_sub(text.chars().count() + mark);
    let rightwards = from == Side::Client;
    let drawn = match part {
        Part::Note => format!(" {text} "),
        Part::Whole if rightwards => format!("─ {text} {}▶", "─".repeat(room)),
        Part::Whole => format!("◀{} {text} ─", "─".repeat(room)),
        Part::Departure if rightwards => format!("─ {text} ── ···"),
        Part::Departure => format!("··· ── {text} ─"),
        Part::Arrival if rightwards => format!("··· {text} ─▶"),
        Part::Arrival => format!("◀─ {text} ···"),
        Part::Lost(why) if rightwards => format!("─ {text} {} ✗ {why}", "─".repeat(room / 2)),
        Part::Lost(why) => format!("{why} ✗ {} {text} ─", "─".repeat(room / 2)),
    };
    if rightwards == (part != Part::Arrival) { format!("{drawn:<MIDDLE$}") } else { format!("{drawn:>MIDDLE$}") }
}

/// A segment nearly as tcpdump prints it: the options come last, and timestamps only in SYNs, as `TS`.
fn describe(segment: &Segment, mark: &str) -> String {
    let whole = segment.to_string();
    let flags = whole.split_inclusive(']').next().unwrap_or_default().trim_start_matches("Flags ");
    let mut text = format!("{flags} seq {}", segment.seq);
    let mut add = |piece: fmt::Arguments<'_>| text.write_fmt(piece).expect("a String takes all");
    if !segment.payload.is_empty() {
        add(format_args!(":{}", segment.seq + segment.payload.len() as u32));
    }
    if segment.flags.contains(Flags::ACK) {
        add(format_args!(", ack {}", segment.ack));
    }
    if !segment.flags.contains(Flags::RST) {
        add(format_args!(", win {}", segment.window));
    }
    if segment.flags.contains(Flags::URG) {
        add(format_args!(", urg {}", segment.urgent));
    }
    if !segment.payload.is_empty() {
        add(format_args!(", length {}", segment.payload.len()));
    }
    add(format_args!("{mark}"));
    let mut options = segment.options.get();
    let stamped = options.timestamps.take().is_some() && segment.flags.contains(Flags::SYN);
    let mut list = options.to_string();
    if stamped {
        list.push_str(if list.is_empty() { "TS" } else { ",TS" });
    }
    if !list.is_empty() {
        add(format_args!(" <{list}>"));
    }
    text
}
