//! The recorded figures: what the last release of the sender reached, and whether this one does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::measure::Measured;
use super::rows::{self, Control, Figure, Load, Row, Sender, Theme, Unit, Want};
use super::table;

/// The sets of seeds that are recorded with all rows.
pub const SETS: [(u64, u64); 2] = [(1, 20), (1001, 1020)];

/// The seeds of the set that `cargo test` measures, with the rows of [`quick`].
pub const QUICK: (u64, u64) = (1, 2);
pub const QUICK_NAME: &str = "quick";

/// The seeds of the set that the short check measures, with the rows of [`brief`]: a minute of two flows takes long.
pub const BRIEF: (u64, u64) = (1, 2);
pub const BRIEF_NAME: &str = "brief";

/// How to record anew.
pub const COMMAND: &str = "cargo run --release --example sim -- --record";

/// A figure may be worse by so much of itself, and by a unit of the figure shown, before it counts as worse.
const TOLERANCE: f64 = 0.01;

pub fn set_name((first, last): (u64, u64)) -> String {
    format!("{first}..{last}")
}

/// All rows as they are recorded: with every sender of [`Sender::ALL`], but those beside CUBIC and with deep queues with
/// CUBIC and BBR alone, and those of L4S with Prague alone.
pub fn rows() -> Vec<Row> {
    rows::matrix(&rows::all(), &Sender::recorded()).into_iter().filter(is_of_the_record).collect()
}

/// Whether the row is recorded with its sender.
pub fn is_of_the_record(row: &Row) -> bool {
    if row.theme == Theme::L4s || row.sender == Sender::PRAGUE {
        return row.theme == Theme::L4s && row.sender == Sender::PRAGUE;
    }
    Sender::ALL.contains(&row.sender)
        && (row.theme != Theme::Queues || [Sender::default(), Sender::BBR].contains(&row.sender))
}

/// Whether the row stands in a table of targets.
pub fn is_in_targets(row: &Row) -> bool {
    match row.sender.control {
        Control::Prague => row.theme == Theme::L4s,
        Control::Bbr => row.sender == Sender::BBR && (!row.bbr.is_empty() || row.theme == Theme::Queues),
        _ => row.sender == Sender::default() && matches!(row.theme, Theme::Paths | Theme::Queues),
    }
}

/// Whether a row is recorded with this set of seeds: what no seed changes, with the first set only, but for the tables of
/// targets.
pub fn is_recorded(row: &Row, seeds: (u64, u64)) -> bool {
    seeds == SETS[0] || row.is_random() || is_in_targets(row)
}

/// The rows that a test can afford without optimization.
pub fn quick(rows: &[Row]) -> Vec<Row> {
    let cheap = |row: &&Row| match row.theme {
        Theme::Paths => row.path.rate < 1_000_000_000 && !matches!(row.load, Load::Flows { count: 200.., .. }),
        _ => row.packets() < 4000.0,
    };
    let bbr = |row: &Row| row.sender == Sender::BBR && is_in_targets(row) && row.packets() < 10_000.0;
    let chosen = |row: &&Row| row.sender == Sender::default() || bbr(row);
    rows.iter().filter(chosen).filter(cheap).cloned().collect()
}

/// Packets of text that a run without chance may take to be a part of the short check.
const SHORT: f64 = 170_000.0;

/// The rows of the short check: all with the default sender, and with the others those that run once and not for long. Those of L4S
/// run with the seeds of [`BRIEF`] instead.
pub fn part(rows: &[Row]) -> Vec<Row> {
    let short = |row: &&Row| row.sender == Sender::default() || (!row.is_random() && row.packets() < SHORT);
    rows.iter().filter(short).filter(|row| row.theme != Theme::L4s).cloned().collect()
}

/// The rows that the short check runs with the seeds of [`BRIEF`].
pub fn brief(rows: &[Row]) -> Vec<Row> {
    rows.iter().filter(|row| row.theme == Theme::L4s).cloned().collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn file() -> PathBuf {
    root().join("tests/data/figures.csv")
}

pub fn document() -> PathBuf {
    root().join("docs/figures.md")
}

/// Values by set, row and figure.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Recorded(BTreeMap<(String, String, String), f64>);

impl Recorded {
    /// The figures of a file, or its fault if it cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut values = BTreeMap::new();
        for line in text.lines().skip(1) {
            let [set, row, figure, value] = line.split(',').collect::<Vec<_>>()[..] else {
                return Err(format!("not four fields: {line}"));
            };
            let value = value.parse().map_err(|_| format!("not a number: {line}"))?;
            values.insert((set.to_string(), row.to_string(), figure.to_string()), value);
        }
        Ok(Self(values))
    }

    pub fn read() -> Result<Self, String> {
        let file = file();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("{}: {error}; to record: {COMMAND}", file.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
    }

    pub fn get(&self, set: &str, row: &Row, figure: &Figure) -> Option<f64> {
        self.0.get(&(set.to_string(), row.id(), name(figure))).copied()
    }

    /// Which set, row and figure are recorded.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0.keys().map(|(set, row, figure)| (&set[..], &row[..], &figure[..]))
    }

    /// Those of the rows with a sender of which anything is recorded: of a new one, nothing is compared.
    pub fn known(&self, rows: &[Row]) -> Vec<Row> {
        let of = |id: &str| id.split_once('@').map_or(Sender::default().name(), |(_, name)| name.to_string());
        let senders = self.0.keys().map(|(_, id, _)| of(id)).collect::<BTreeSet<_>>();
        rows.iter().filter(|row| senders.contains(&row.sender.name())).cloned().collect()
    }

    pub fn put(&mut self, set: &str, rows: &[Row], measured: &[Measured]) {
        for (row, measured) in rows.iter().zip(measured) {
            for (figure, value) in row.figures.iter().zip(&measured.medians) {
                self.0.insert((set.to_string(), row.id(), name(figure)), *value);
            }
        }
    }

    /// The file, in the order of the rows.
    pub fn text(&self, rows: &[Row]) -> String {
        let mut text = "seeds,row,figure,value\n".to_string();
        let sets = SETS.map(set_name).into_iter().chain([QUICK_NAME, BRIEF_NAME].map(str::to_string));
        for (set, row) in sets.flat_map(|set| rows.iter().map(move |row| (set.clone(), row))) {
            for figure in &row.figures {
                if let Some(value) = self.get(&set, row, figure) {
                    let _ = writeln!(text, "{set},{},{},{value:.6}", row.id(), name(figure));
                }
            }
        }
        text
    }
}

/// A figure's name without what a CSV file gives a meaning.
fn name(figure: &Figure) -> String {
    figure.name.replace(',', "")
}

/// How a value stands to the recorded one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Change {
    Same,
    Better,
    /// Worse, but not by more than the tolerance.
    Slight,
    Worse,
    /// Nothing is recorded.
    Unknown,
}

pub fn change(figure: &Figure, recorded: Option<f64>, value: f64) -> Change {
    let Some(recorded) = recorded else { return Change::Unknown };
    let gain = match figure.want {
        Want::More | Want::AtLeast(_) => value - recorded,
        Want::Less | Want::AtMost(_) => recorded - value,
        // As good as any other, inside.
        Want::Between(low, high) => {
            let outside = |v: f64| (low - v).max(v - high).max(0.0);
            outside(recorded) - outside(value)
        }
    };
    let step = match figure.unit {
        Unit::Share | Unit::Percent => 0.0001,
        Unit::Milliseconds => 0.1,
        Unit::Count => 0.0,
    };
    let rounding = 0.000_001;
    if gain.abs() <= rounding {
        Change::Same
    } else if gain > 0.0 {
        Change::Better
    } else if -gain <= (recorded.abs() * TOLERANCE).max(step) + rounding {
        Change::Slight
    } else {
        Change::Worse
    }
}

/// Every figure that is not as recorded, as a line, and whether any is worse or unknown.
pub fn compare(set: &str, rows: &[Row], measured: &[Measured], recorded: &Recorded) -> (Vec<String>, bool) {
    let (mut lines, mut bad) = (Vec::new(), false);
    for (row, measured) in rows.iter().zip(measured) {
        for (figure, value) in row.figures.iter().zip(&measured.medians) {
            let before = recorded.get(set, row, figure);
            let change = change(figure, before, *value);
            if change == Change::Same {
                continue;
            }
            bad |= matches!(change, Change::Worse | Change::Unknown);
            let word = match change {
                Change::Worse => "WORSE",
                Change::Unknown => "NOT RECORDED",
                Change::Slight => "slightly worse",
                Change::Better | Change::Same => "better",
            };
            let before = before.map_or("nothing".to_string(), |v| table::value(figure.unit, v));
            let now = table::value(figure.unit, *value);
            lines.push(format!("{word}: {} ({}), {}: {before} was recorded, now {now}", row.id(), set, figure.name));
        }
    }
    (lines, bad)
}

/// What broke a law in these runs.
pub fn violations(rows: &[Row], measured: &[Measured]) -> Vec<String> {
    let mut lines = Vec::new();
    for (row, measured) in rows.iter().zip(measured) {
        for (seed, outcome) in &measured.runs {
            if let Some(first) = outcome.violations.first() {
                let count = outcome.violations.len();
                lines.push(format!("{} seed {seed}: {count} violations, the first at {first}", row.id()));
            }
        }
    }
    lines
}
