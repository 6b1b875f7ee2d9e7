//! `docs/figures.md`: the recorded figures for people, a table for each theme.

use std::fmt::Write;

use super::measure::median;
use super::record::{COMMAND, Recorded, SETS, is_in_targets, is_recorded, set_name};
use super::rows::{ACKS, Control, Row, Sender, Theme};
use super::table;

/// A theme's headline and what its rows are.
const fn heading(theme: Theme) -> (&'static str, &'static str) {
    match theme {
        Theme::Paths => (
            "Paths",
            "Rates, losses, reordering, marks: 10 seconds. Short flows: the median of their times. Shares: 60 seconds.",
        ),
        Theme::Queues => (
            "Beside CUBIC, and deep queues",
            "With CUBIC and BBR. Two flows: the goodput of both in 60 seconds. A standing queue: the goodput of one in 30.",
        ),
        Theme::Rates => (
            "Data centres and long paths",
            "No loss but that of a full queue of one bandwidth-delay product. 40 round trips or 100,000 packets, at most \
             12 seconds.",
        ),
        Theme::Segments => {
            ("Segment sizes", "From an MSS of 100 to the largest. 2 seconds; half a second at 1 Gbit/s.")
        }
        Theme::Windows => (
            "Receive windows",
            "Windows of few segments, and first windows from which the receive buffer must grow. 2 seconds; 5 with a \
             first window.",
        ),
        Theme::Readers => (
            "Readers and batches",
            "Users that read late; hosts that pass on in batches. 2 seconds; half a second at 1 Gbit/s.",
        ),
        Theme::Acknowledgments => (
            "Initial windows and delayed ACKs",
            "The time of one transfer over 100 Mbit/s, 20 ms, where nothing else is said. What is possible knows no delayed \
             ACK: each one in slow start costs growth (RFC 5681 (2)).",
        ),
        Theme::Turns => (
            "Requests and responses, both ways at once, small writes",
            "The mean time of 20 exchanges on one connection; of text sent both ways for 4 seconds; of 2 MB after 150 small \
             writes. What is possible begins each response with the initial window: more than 1 is a window that was kept.",
        ),
        Theme::Peers => ("Peers that lack something", "2 seconds without loss, 5 with 1 %."),
        Theme::L4s => ("L4S", "With Prague, at a bottleneck with two queues."),
        Theme::Switches => ("Switches", "One setting differs, at both ends. 2 seconds without loss, 5 with 1 %."),
    }
}

/// A row with all senders: the ratios to the ideal, and the pure ACKs where they are counted.
struct Line {
    name: String,
    label: String,
    possible: String,
    ratios: Vec<f64>,
    acks: Option<f64>,
}

impl Line {
    fn least(&self) -> f64 {
        self.ratios.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// The lesser ratio of the recorded sets; no number if one is not recorded.
fn ratio(recorded: &Recorded, row: &Row) -> f64 {
    let of_set = |seeds| row.ratio(|figure| recorded.get(&set_name(seeds), row, figure).unwrap_or(f64::NAN));
    let lesser = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.min(b) };
    SETS.into_iter().filter(|seeds| is_recorded(row, *seeds)).map(of_set).reduce(lesser).unwrap_or(f64::NAN)
}

/// A ratio for people: nothing, if it is not recorded.
fn shown(ratio: f64) -> String {
    if ratio.is_nan() { String::new() } else { format!("{ratio:.3}") }
}

fn line(recorded: &Recorded, row: &Row) -> Line {
    let (name, possible, _) = row.possible();
    let unit = row.figures.iter().find(|figure| figure.name == name).map(|figure| figure.unit);
    let acks = row.figures.iter().find(|figure| figure.name == ACKS);
    Line {
        name: row.name.clone(),
        label: row.label.clone(),
        possible: unit.map_or(String::new(), |unit| table::value(unit, possible)),
        ratios: Sender::ALL.map(|sender| ratio(recorded, &row.by(sender))).into(),
        acks: acks.and_then(|figure| recorded.get(&set_name(SETS[0]), row, figure)),
    }
}

fn head(first: &[&str], last: &[&str]) -> Vec<String> {
    let senders = Sender::ALL.map(Sender::name);
    first.iter().map(|s| s.to_string()).chain(senders).chain(last.iter().map(|s| s.to_string())).collect()
}

fn theme_table(lines: &[Line]) -> String {
    let counted = lines.iter().any(|line| line.acks.is_some());
    let mut cells = vec![head(&["row", "path", "possible"], if counted { &["ACKs"] } else { &[] })];
    for line in lines {
        let ratios = line.ratios.iter().map(|ratio| shown(*ratio));
        let acks = counted.then(|| line.acks.map_or(String::new(), |acks| format!("{acks:.3}")));
        let first = [line.name.clone(), line.label.clone(), line.possible.clone()];
        cells.push(first.into_iter().chain(ratios).chain(acks).collect());
    }
    table::aligned(&cells)
}

fn overview(themes: &[(Theme, Vec<Line>)]) -> String {
    let mut cells = vec![head(&["theme", "rows", "figure"], &[])];
    for (theme, lines) in themes {
        let (mut least, mut middle) = (Vec::new(), Vec::new());
        for i in 0..Sender::ALL.len() {
            let known = lines.iter().map(|line| line.ratios[i]).filter(|ratio| !ratio.is_nan()).collect::<Vec<_>>();
            least.push(shown(known.iter().copied().fold(f64::NAN, f64::min)));
            middle.push(shown(median(known)));
        }
        let name = heading(*theme).0.to_string();
        cells.push([name, lines.len().to_string(), "median".into()].into_iter().chain(middle).collect());
        cells.push([String::new(), String::new(), "least".into()].into_iter().chain(least).collect());
    }
    table::aligned(&cells)
}

/// What is required of these rows, and what is recorded.
fn targets(recorded: &Recorded, rows: &[Row]) -> String {
    let of_row =
        |set: &str, row: &Row| row.figures.iter().map(|f| recorded.get(set, row, f).unwrap_or(f64::NAN)).collect();
    let set = |seeds| {
        let set = set_name(seeds);
        (set.clone(), rows.iter().map(|row| of_row(&set, row)).collect::<Vec<Vec<f64>>>())
    };
    table::table(rows, &SETS.map(set))
}

/// The rows of a table of targets: of CUBIC, BBR or Prague. Rows in which CUBIC is only shown stand beside those of BBR.
fn required(rows: &[Row], of: Control) -> Vec<Row> {
    let whose = |row: &Row| if row.theme == Theme::Queues { Control::Bbr } else { row.sender.control };
    rows.iter().filter(|row| is_in_targets(row) && whose(row) == of).cloned().collect()
}

/// The document, for these recorded figures of all rows.
pub fn markdown(recorded: &Recorded, rows: &[Row]) -> String {
    let plain = rows.iter().filter(|row| row.sender == Sender::default()).collect::<Vec<_>>();
    let [of_cubic, of_bbr, of_prague] =
        [Control::Cubic, Control::Bbr, Control::Prague].map(|of| targets(recorded, &required(rows, of)));
    let themes = Theme::ALL.map(|theme| {
        let rows = plain.iter().filter(|row| row.theme == theme);
        let mut lines = rows.map(|row| line(recorded, row)).collect::<Vec<_>>();
        lines.sort_by(|a, b| a.least().total_cmp(&b.least()));
        (theme, lines)
    });
    let mut text = format!(
        "\
# Figures

What segue reaches over an emulated bottleneck, with ten senders: CUBIC and NewReno, with and without pacing, with and
without timestamps (`-bare`), BBR, which always paces, and Prague in the rows of L4S. Medians over 20 seeds where
chance decides anything, for two sets of seeds. Within 1 % of what is required counts as reached.
[simulation.md](simulation.md) tells what is emulated, and how to read it.

This file is made from `tests/data/figures.csv`; `{COMMAND}` measures and writes both anew.

## What is required

With CUBIC and one default `Config`. Goodput is the share of the link's rate, in IP octets, that is text delivered in order
within 10 seconds from `connect`: 0.965 is all that is possible with timestamps on every segment.

{of_cubic}
## What is required of BBR

With BBR and one default `Config`. Lines without the name of a sender show CUBIC, of which nothing is required here.
Repeated is at most the path's rate of loss and half a percentage point. The queue is what waits at the bottleneck, in
bandwidth-delay products: the median over the seconds 10 to 30.

{of_bbr}
## What is required of Prague

With Prague, and accurate ECN feedback at both ends, at a bottleneck with two queues (RFC 9332; [simulation.md](simulation.md)): the
time that 99 % of the packets of the L queue wait at the most, slow start included, in 10 seconds; and what CUBIC, or another
Prague flow with a longer round trip, keeps beside it in 60.

{of_prague}
## Overview

From here on: ratios to what is possible, 1 being all of it; where chance decides, the lesser of the two sets of seeds. The
column \"possible\" is for the sender `cubic`, and so are the ACKs: pure ACKs for each segment of text. What is not
recorded is left empty.

{}",
        overview(&themes)
    );
    for (theme, lines) in &themes {
        let (name, what) = heading(*theme);
        let _ = write!(text, "\n## {name}\n\n{what} Worst rows first.\n\n{}", theme_table(lines));
    }
    text
}
