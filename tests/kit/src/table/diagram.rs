//! `docs/state-diagram.svg`: what leads from one state to another, from the file; where it stands is laid out by hand.

use core::fmt::Write as _;
use std::collections::{BTreeMap, BTreeSet};

use segue::{Flags, State};

use super::calls::CallCell;
use super::cell::{Ack, Cell, Close, Dimension, St};
use super::outcome::{Outcome, Reply, Signal};
use super::rows::{Pattern, Table};

const LEFT: i32 = -20;
const WIDTH: i32 = 1200;
const HEIGHT: i32 = 1150;
const BOX: (i32, i32) = (150, 44);
const LINE: i32 = 15;

/// Centres of the boxes; CLOSED stands twice.
const PLACES: [(State, i32, i32); 12] = [
    (State::Closed, 590, 60),
    (State::Listen, 200, 210),
    (State::SynSent, 980, 210),
    (State::SynReceived, 200, 400),
    (State::Established, 590, 480),
    (State::FinWait1, 200, 680),
    (State::CloseWait, 980, 680),
    (State::FinWait2, 200, 860),
    (State::Closing, 590, 760),
    (State::LastAck, 980, 860),
    (State::TimeWait, 590, 960),
    (State::Closed, 980, 960),
];

/// How an edge runs, and where its label begins or ends.
struct Edge {
    from: State,
    to: State,
    path: &'static str,
    label: (i32, i32),
    anchor: &'static str,
}

const fn edge(from: State, to: State, path: &'static str, label: (i32, i32), anchor: &'static str) -> Edge {
    Edge { from, to, path, label, anchor }
}

const EDGES: [Edge; 22] = [
    edge(State::Closed, State::Listen, "M515 60 L270 60 Q240 60 240 90 L240 188", (250, 100), "start"),
    edge(State::Listen, State::Closed, "M160 188 L160 60 Q160 36 190 36 L515 50", (150, 110), "end"),
    edge(State::Closed, State::SynSent, "M665 60 L910 60 Q940 60 940 90 L940 188", (930, 100), "end"),
    edge(State::SynSent, State::Closed, "M1020 188 L1020 60 Q1020 36 990 36 L665 50", (1030, 110), "start"),
    edge(State::Closed, State::SynReceived, "M560 82 L260 378", (455, 200), "start"),
    edge(State::Listen, State::SynReceived, "M170 232 L170 378", (160, 300), "end"),
    edge(State::SynReceived, State::Listen, "M230 378 L230 232", (240, 290), "start"),
    edge(State::SynSent, State::SynReceived, "M905 225 L275 380", (600, 275), "end"),
    edge(State::SynSent, State::Established, "M940 232 L640 458", (800, 360), "start"),
    edge(State::SynSent, State::CloseWait, "M1000 232 L1000 658", (1010, 440), "start"),
    edge(State::SynReceived, State::Established, "M275 412 L515 470", (370, 465), "end"),
    edge(State::SynReceived, State::FinWait1, "M180 422 L180 658", (170, 525), "end"),
    edge(State::SynReceived, State::CloseWait, "M275 392 C560 395 780 420 945 658", (835, 488), "start"),
    edge(State::SynReceived, State::Closing, "M230 422 C250 560 400 640 540 738", (455, 622), "start"),
    edge(State::Established, State::FinWait1, "M540 502 L270 658", (455, 530), "end"),
    edge(State::Established, State::CloseWait, "M665 490 L915 658", (750, 590), "end"),
    edge(State::FinWait1, State::FinWait2, "M200 702 L200 838", (190, 770), "end"),
    edge(State::FinWait1, State::Closing, "M275 695 L515 750", (440, 755), "end"),
    edge(State::FinWait1, State::TimeWait, "M250 702 L540 938", (420, 830), "start"),
    edge(State::FinWait2, State::TimeWait, "M240 882 L515 955", (350, 940), "end"),
    edge(State::Closing, State::TimeWait, "M590 782 L590 938", (600, 870), "start"),
    edge(State::CloseWait, State::LastAck, "M980 702 L980 838", (990, 770), "start"),
];

/// All that leads from one state to another, edge by edge, in the order of the file.
type Labels = BTreeMap<(usize, usize), Vec<String>>;

fn number(state: State) -> usize {
    State::ALL.iter().position(|&s| s == state).unwrap()
}

fn labels(table: &Table) -> Labels {
    let mut labels = Labels::new();
    let mut add = |from: State, outcome: &Outcome, label: String| {
        if let Some(to) = outcome.next.filter(|&to| to != from) {
            let list = labels.entry((number(from), number(to))).or_default();
            if !list.contains(&label) {
                list.push(label);
            }
        }
    };
    let possible = Cell::all().filter(|cell| table.impossible(cell).is_none());
    let decided: BTreeSet<(usize, St)> = possible.filter_map(|c| table.row(&c).map(|row| (row, c.state))).collect();
    for (row, state) in decided {
        let row = &table.segments[row];
        add(state.rfc(), &row.outcome, segment_label(&row.pattern, &row.outcome));
    }
    for cell in CallCell::all().filter(|cell| table.impossible_call(cell).is_none()) {
        if let Some(row) = table.call_row(&cell) {
            let outcome = &table.calls[row].outcome;
            add(cell.state.rfc(), outcome, with_reply(cell.call.name(), outcome.reply));
        }
    }
    labels.values_mut().for_each(tidy);
    labels
}

/// What the segments of a row have in common that leads to another state.
fn segment_label(pattern: &Pattern, outcome: &Outcome) -> String {
    let says = |signal| outcome.signals.has(signal);
    let needs = |flag: Flags| u16::from(pattern.flags.on) & flag.bits() != 0;
    let mut parts: Vec<&str> = Vec::new();
    if needs(Flags::RST) {
        parts.push("RST");
    }
    if needs(Flags::SYN) && !needs(Flags::RST) {
        parts.push(if says(Signal::Connected) { "SYN,ACK" } else { "SYN" });
    } else if says(Signal::Connected) {
        parts.push("ACK of SYN");
    }
    if says(Signal::PeerClosed) {
        parts.push("FIN");
    }
    if pattern.ack.has(Ack::Fin) && !pattern.ack.has(Ack::Dup) {
        parts.push("ACK of FIN");
    }
    if parts.is_empty() {
        parts.push("ACK opens window");
    }
    let mut label = parts.join(" + ");
    if says(Signal::Connected) && !pattern.close.has(Close::No) {
        label.push_str(", after CLOSE");
    }
    with_reply(&label, outcome.reply)
}

fn with_reply(stimulus: &str, reply: Reply) -> String {
    let sent = match reply {
        Reply::Ack | Reply::Challenge | Reply::Again => "ACK",
        Reply::SynAck => "SYN,ACK",
        Reply::Fin => "FIN",
        Reply::Syn => "SYN",
        Reply::Reset | Reply::Rst => "RST",
        _ => return stimulus.to_owned(),
    };
    format!("{stimulus} / {sent}")
}

/// Where the same leads there with and without an ACK, the ACK answers something else in the segment.
fn tidy(list: &mut Vec<String>) {
    let all = list.clone();
    list.retain(|label| label.strip_suffix(" / ACK").is_none_or(|plain| !all.iter().any(|l| l == plain)));
}

/// What ends a connection from nearly anywhere is told in a list, not drawn.
fn is_listed(to: State, label: &str) -> bool {
    let everywhere = ["RST", "ABORT", "RELEASE", "USER TIMEOUT", "FIN-WAIT-2 timeout"];
    to == State::Closed && everywhere.iter().any(|start| label.starts_with(start))
}

/// The picture; the error names an edge that has no place in it, or a place without an edge.
pub fn render(table: &Table) -> Result<String, String> {
    let labels = labels(table);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"{LEFT} 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\">\n\
         <title>The states of a connection and what leads from one to another</title>\n\
         <desc>Generated from tests/table/transitions.txt: SEGUE_BLESS=1 cargo test --test machine table</desc>\n\
         <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" \
         orient=\"auto\"><path d=\"M0 0 L10 5 L0 10 z\" fill=\"#345\"/></marker></defs>\n\
         <rect x=\"{LEFT}\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    let drawn = |from: State, to: State| {
        let list = labels.get(&(number(from), number(to))).map_or(&[] as &[String], Vec::as_slice);
        list.iter().filter(|l| !is_listed(to, l)).map(String::as_str).collect::<Vec<_>>()
    };
    for &(from, to) in labels.keys() {
        let (from, to) = (State::ALL[from], State::ALL[to]);
        let placed = EDGES.iter().chain(&LAST_EDGES).any(|e| e.from == from && e.to == to);
        if placed == drawn(from, to).is_empty() {
            return Err(format!("the edge {from} -> {to}: one of the table and EDGES in diagram.rs lacks it"));
        }
    }
    for e in EDGES.iter().chain(&LAST_EDGES) {
        let lines = drawn(e.from, e.to);
        if lines.is_empty() {
            return Err(format!("the edge {} -> {} is not in the table", e.from, e.to));
        }
        writeln!(out, "<path d=\"{}\" fill=\"none\" stroke=\"#345\" marker-end=\"url(#tip)\"/>", e.path).unwrap();
        text(&mut out, e.label, e.anchor, &lines);
    }
    for (state, x, y) in PLACES {
        let (w, h) = BOX;
        writeln!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"{w}\" height=\"{h}\" rx=\"8\" fill=\"#e8f0f8\" stroke=\"#345\"/>\n\
             <text x=\"{x}\" y=\"{}\" text-anchor=\"middle\" font-size=\"15\" font-weight=\"bold\">{state}</text>",
            x - w / 2,
            y - h / 2,
            y + 5
        )
        .unwrap();
    }
    endings(&mut out, &labels);
    out.push_str("</svg>\n");
    Ok(out)
}

const LAST_EDGES: [Edge; 2] = [
    edge(State::LastAck, State::Closed, "M980 882 L980 938", (990, 915), "start"),
    edge(State::TimeWait, State::Closed, "M665 960 L905 960", (700, 950), "start"),
];

/// Lines of text with a white rim, so that they stay readable where an edge passes behind.
fn text(out: &mut String, (x, y): (i32, i32), anchor: &str, lines: &[&str]) {
    for (line, row) in lines.iter().zip(0..) {
        writeln!(
            out,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\" stroke=\"#fff\" stroke-width=\"4\" \
             paint-order=\"stroke\">{line}</text>",
            y + row * LINE
        )
        .unwrap();
    }
}

/// The list of what ends a connection at once.
fn endings(out: &mut String, labels: &Labels) {
    let top = HEIGHT - 130;
    writeln!(out, "<text x=\"40\" y=\"{top}\" font-weight=\"bold\">To CLOSED from anywhere:</text>").unwrap();
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (&(from, to), list) in labels {
        let (from, to) = (State::ALL[from], State::ALL[to]);
        for label in list.iter().filter(|l| is_listed(to, l)) {
            match groups.iter_mut().find(|(l, _)| l == label) {
                Some((_, states)) => states.push(from.to_string()),
                None => groups.push((label.clone(), vec![from.to_string()])),
            }
        }
    }
    for ((label, states), row) in groups.iter().zip(1..) {
        let y = top + row * LINE;
        writeln!(out, "<text x=\"40\" y=\"{y}\">{label}: {}</text>", states.join(", ")).unwrap();
    }
}
