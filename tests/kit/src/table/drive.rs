//! Drives real connections through cells and compares them with the table.

use core::fmt::Write as _;
use std::collections::{BTreeMap, HashMap};

use super::calls::CallCell;
use super::cell::Cell;
use super::fixture::{Fixture, Setup, World};
use super::observe::{self, combine};
use super::outcome::{Outcome, Reply};
use super::probe;
use super::rows::{Table, expect};

/// Fixtures of one world, built once.
pub struct Driver {
    world: World,
    fixtures: HashMap<Setup, Option<Fixture>>,
}

/// What a real connection did in a cell.
#[derive(Clone, Debug)]
pub struct Seen {
    pub outcome: Outcome,
    pub faults: Vec<&'static str>,
}

impl Driver {
    pub fn new(world: World) -> Self {
        Self { world, fixtures: HashMap::new() }
    }

    fn fixture(&mut self, cell: &Cell, throttled: bool) -> Option<&Fixture> {
        let (setup, world) = (Setup::of(cell, throttled, self.world), self.world);
        self.fixtures.entry(setup).or_insert_with(|| Fixture::build(setup, world)).as_ref()
    }

    /// What happens in the cell; `None` if no connection and no segment make it.
    pub fn observe(&mut self, cell: &Cell) -> Option<Seen> {
        let Seen { outcome: first, mut faults } = self.probe(cell, false)?;
        let second = self.probe(cell, true)?.outcome;
        let outcome = combine(first, second);
        if outcome.reply == Reply::Odd && first.reply != Reply::Odd {
            faults.push("the allowance of challenges changes more than whether one is sent");
        }
        Some(Seen { outcome, faults })
    }

    fn probe(&mut self, cell: &Cell, throttled: bool) -> Option<Seen> {
        let fixture = self.fixture(cell, throttled)?;
        let segment = probe::segment(cell, fixture)?;
        Some(observe::probe(cell, fixture, &segment))
    }
}

/// Compares what was seen in a cell with the table.
pub fn judge(table: &Table, cell: &Cell, seen: Option<&Seen>) -> Result<(), Complaint> {
    let reason = table.impossible(cell).map(|row| table.impossible[row].line);
    let row = table.row(cell).map(|row| &table.segments[row]);
    let wanted = row.map(|row| (row.line, expect(&row.outcome, cell)));
    compare(reason, wanted, seen)
}

/// The same for a cell of the second table.
pub fn judge_call(table: &Table, cell: &CallCell, seen: Option<&Seen>) -> Result<(), Complaint> {
    let reason = table.impossible_call(cell).map(|row| table.impossible_calls[row].line);
    let row = table.call_row(cell).map(|row| &table.calls[row]);
    let wanted = row.map(|row| (row.line, expect_call(&row.outcome, cell)));
    compare(reason, wanted, seen)
}

/// What a row of the second table means for a cell.
pub fn expect_call(row: &Outcome, cell: &CallCell) -> Outcome {
    Outcome { next: row.next.filter(|&next| next != cell.state.rfc()), ..*row }
}

fn compare(reason: Option<usize>, wanted: Option<(usize, Outcome)>, seen: Option<&Seen>) -> Result<(), Complaint> {
    let complain = |line, what: &str| Err(Complaint { line, what: what.to_owned() });
    match (reason, wanted, seen) {
        (Some(_), _, None) => Ok(()),
        (None, _, None) => complain(0, "no connection gets there"),
        (Some(line), _, Some(_)) => complain(line, "impossible, says the table, yet a connection gets there"),
        (None, None, Some(_)) => complain(0, "no row"),
        (None, Some((_, wanted)), Some(seen)) if wanted == seen.outcome && seen.faults.is_empty() => Ok(()),
        (None, Some((line, wanted)), Some(seen)) => {
            let mut what = format!("wanted {wanted}\n     seen   {}", seen.outcome);
            seen.faults.iter().for_each(|fault| write!(what, "\n     fault: {fault}").unwrap());
            complain(line, &what)
        }
    }
}

/// A cell that is not as the table says.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Complaint {
    /// The line of the row, 0 without one.
    pub line: usize,
    pub what: String,
}

/// Complaints, gathered by row: a fault of the machine shows in thousands of cells.
#[derive(Default)]
pub struct Complaints(BTreeMap<Complaint, (usize, String)>);

impl Complaints {
    pub fn add(&mut self, complaint: Complaint, cell: &impl ToString) {
        self.0.entry(complaint).or_insert_with(|| (0, cell.to_string())).0 += 1;
    }

    /// Panics with the first classes, if there are any.
    pub fn settle(&self, world: World) {
        let mut text = String::new();
        for (Complaint { line, what }, (count, cell)) in self.0.iter().take(30) {
            write!(text, "\n{count} cells against line {line}, such as\n  {cell}\n     {what}").unwrap();
        }
        assert!(self.0.is_empty(), "{} classes of mismatches in {world:?}:{text}", self.0.len());
    }
}
