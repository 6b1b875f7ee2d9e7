//! `docs/transition-table.md`, from the file.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use super::calls::{Call, CallCell, Unread};
use super::cell::{Ack, Cell, Close, Dimension, Held, Len, Seq, St, Ts};
use super::outcome::{Delivered, Reply, Signal};
use super::rows::{Kind, Section, Table};

/// How many cells each row decides, each reason excludes.
pub struct Counts {
    segments: BTreeMap<usize, usize>,
    calls: BTreeMap<usize, usize>,
    impossible: BTreeMap<usize, usize>,
    impossible_calls: BTreeMap<usize, usize>,
}

impl Counts {
    pub fn of(table: &Table) -> Self {
        let mut counts = Self {
            segments: BTreeMap::new(),
            calls: BTreeMap::new(),
            impossible: BTreeMap::new(),
            impossible_calls: BTreeMap::new(),
        };
        for cell in Cell::all() {
            match (table.impossible(&cell), table.row(&cell)) {
                (Some(reason), _) => *counts.impossible.entry(reason).or_default() += 1,
                (None, Some(row)) => *counts.segments.entry(row).or_default() += 1,
                (None, None) => (),
            }
        }
        for cell in CallCell::all() {
            match (table.impossible_call(&cell), table.call_row(&cell)) {
                (Some(reason), _) => *counts.impossible_calls.entry(reason).or_default() += 1,
                (None, Some(row)) => *counts.calls.entry(row).or_default() += 1,
                (None, None) => (),
            }
        }
        counts
    }

    fn of_row(&self, kind: Kind, row: usize) -> usize {
        let list = match kind {
            Kind::Segment => &self.segments,
            Kind::Call => &self.calls,
            Kind::ImpossibleSegment => &self.impossible,
            Kind::ImpossibleCall => &self.impossible_calls,
        };
        list.get(&row).copied().unwrap_or(0)
    }
}

/// The document.
pub fn render(table: &Table) -> String {
    let counts = Counts::of(table);
    let mut out = String::from(
        "<!-- Generated from tests/table/transitions.txt: SEGUE_BLESS=1 cargo test --test machine table -->\n\n\
         # The transition table\n\n",
    );
    introduction(&mut out, table, &counts);
    dimensions(&mut out);
    choices(&mut out, table);
    let of = |kinds: [Kind; 2]| table.sections.iter().filter(move |s| kinds.contains(&s.kind));
    out.push_str("## SEGMENT ARRIVES\n");
    of([Kind::Segment, Kind::Segment]).for_each(|s| section(&mut out, table, &counts, s));
    out.push_str("\n## User calls and timeouts\n");
    of([Kind::Call, Kind::Call]).for_each(|s| section(&mut out, table, &counts, s));
    out.push_str(
        "\n## Impossible combinations\n\nThe first reason that fits; these combinations are no cells of the table.\n",
    );
    of([Kind::ImpossibleSegment, Kind::ImpossibleCall]).for_each(|s| section(&mut out, table, &counts, s));
    out
}

fn introduction(out: &mut String, table: &Table, counts: &Counts) {
    let total = |list: &BTreeMap<usize, usize>| list.values().sum::<usize>();
    writeln!(
        out,
        "{}\n| | rows | cells | impossible combinations |\n|---|---:|---:|---:|\n\
         | SEGMENT ARRIVES | {} | {} | {} |\n| user calls and timeouts | {} | {} | {} |\n\n\
         `tests/table.rs` drives real connections into every cell, with initial numbers at all the points where 32-bit\n\
         arithmetic wraps, and compares; it also shows that each row decides some cell and that to drop a row, to alter a\n\
         column of what it says, or to take a value out of one of its lists does not pass unnoticed.\n\n\
         ![The states and what leads from one to another](state-diagram.svg)\n",
        table.preamble,
        table.segments.len(),
        total(&counts.segments),
        total(&counts.impossible),
        table.calls.len(),
        total(&counts.calls),
        total(&counts.impossible_calls),
    )
    .unwrap();
    out.push_str("Names of lists:\n\n");
    table.sets.iter().for_each(|(name, values)| writeln!(out, "* `{name}`: {values}").unwrap());
}

fn dimension<D: Dimension>(out: &mut String, title: &str) {
    writeln!(out, "\n### {}: {title}\n\n| value | meaning |\n|---|---|", D::NAME).unwrap();
    for value in D::ALL.iter().filter(|v| v.name() != "odd") {
        writeln!(out, "| {} | {} |", value.name(), value.meaning()).unwrap();
    }
}

fn dimensions(out: &mut String) {
    out.push_str(
        "\n## The dimensions\n\nA cell is a state, one of the 64 sets of the flags SYN, ACK, RST, FIN, PSH and URG, with text or \
         without,\nand one value of each of the following.\n",
    );
    dimension::<St>(out, "the state");
    dimension::<Seq>(out, "SEG.SEQ and SEG.LEN against RCV.NXT and RCV.WND");
    dimension::<Ack>(out, "SEG.ACK against SND.UNA and SND.NXT");
    dimension::<Len>(out, "the parts that take sequence numbers");
    dimension::<Close>(out, "CLOSE was called and our FIN is not sent");
    dimension::<Held>(out, "text held out of order, or from the SYN");
    dimension::<Ts>(out, "timestamps");
    dimension::<Call>(out, "the event of the second table");
    dimension::<Unread>(out, "so much delivered text is not consumed that the window is zero");
    out.push_str("\n## The words of the outcomes\n");
    dimension::<Reply>(out, "the segment sent in answer");
    dimension::<Delivered>(out, "the text delivered to the user");
    dimension::<Signal>(out, "the notice to the user or the host");
    out.push_str(
        "\n`discarded(..)` and `closed(..)` carry the reasons `Discard` and `CloseReason` of the crate's documentation.\n\n",
    );
}

/// Rows whose clause says that the RFCs leave a choice, or that segue departs from them.
fn choices(out: &mut String, table: &Table) {
    out.push_str("## Where the RFCs leave a choice\n\n");
    let mut found: Vec<(&str, Vec<&str>)> = Vec::new();
    for section in &table.sections {
        for row in section.rows.clone() {
            let columns = match section.kind {
                Kind::Segment => &table.segments[row].columns,
                Kind::Call => &table.calls[row].columns,
                Kind::ImpossibleSegment | Kind::ImpossibleCall => continue,
            };
            let clauses = columns.last().map_or("", String::as_str).split(';').map(str::trim);
            for clause in clauses.filter(|c| c.contains("choice") || c.contains("exception")) {
                match found.iter_mut().find(|(known, _)| *known == clause) {
                    None => found.push((clause, vec![&section.title])),
                    Some((_, sections)) if sections.contains(&section.title.as_str()) => (),
                    Some((_, sections)) => sections.push(&section.title),
                }
            }
        }
    }
    for (clause, sections) in found {
        writeln!(out, "* {clause} ({})", sections.join("; ")).unwrap();
    }
    out.push('\n');
}

fn section(out: &mut String, table: &Table, counts: &Counts, section: &Section) {
    let headings: &[&str] = match section.kind {
        Kind::Segment => &[
            "state",
            "flags",
            "seq",
            "ack",
            "len",
            "when",
            "reply",
            "next",
            "ack field",
            "delivered",
            "signalled",
            "clause",
            "cells",
        ],
        Kind::Call => &["event", "state", "when", "result", "reply", "next", "signalled", "clause", "cells"],
        Kind::ImpossibleSegment => &["state", "flags", "seq", "ack", "len", "when", "reason", "combinations"],
        Kind::ImpossibleCall => &["event", "state", "when", "reason", "combinations"],
    };
    writeln!(out, "\n### {}\n", section.title).unwrap();
    if !section.notes.is_empty() {
        writeln!(out, "{}", section.notes).unwrap();
    }
    writeln!(out, "| {} |\n|{}", headings.join(" | "), "---|".repeat(headings.len())).unwrap();
    for row in section.rows.clone() {
        let columns = match section.kind {
            Kind::Segment => &table.segments[row].columns,
            Kind::Call => &table.calls[row].columns,
            Kind::ImpossibleSegment => &table.impossible[row].columns,
            Kind::ImpossibleCall => &table.impossible_calls[row].columns,
        };
        let cells: Vec<String> = columns.iter().map(|c| c.replace('*', "\\*")).collect();
        writeln!(out, "| {} | {} |", cells.join(" | "), counts.of_row(section.kind, row)).unwrap();
    }
}
