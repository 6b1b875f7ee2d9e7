//! The reference transition table (`tests/table/transitions.txt`) and real connections beside it.
//!
//! The table is written from RFC 9293 §3.10 and knows nothing of the machine but its public types. Here it is shown to be
//! complete, free of dead rows, and what real connections do; and `docs/` is what it says.

use std::collections::HashSet;
use std::fmt::Display;
use std::sync::OnceLock;
use std::{env, fs};

use quickcheck::{Arbitrary, Gen, QuickCheck};
use segue_kit::table::calls::{CallCell, CallPattern};
use segue_kit::table::cell::Cell;
use segue_kit::table::drive::{Complaints, Driver, expect_call, judge, judge_call};
use segue_kit::table::fixture::World;
use segue_kit::table::mutate::{Spoil, altered};
use segue_kit::table::outcome::Outcome;
use segue_kit::table::parse::{TEXT, parse};
use segue_kit::table::rows::{Pattern, Row, Table, expect};
use segue_kit::table::{diagram, document, drive_calls};

/// ISS and IRS at the points where 32-bit arithmetic goes wrong, with every window across them.
const WRAPS: [(u32, u32); 9] = [
    (0, 0),
    (1, u32::MAX),
    (0x7FFF_FFFF, 0x8000_0000),
    (0x8000_0000, 0x7FFF_FFFF),
    (u32::MAX, 1),
    (u32::MAX - 3, u32::MAX - 20),
    (0x7FFF_FFFC, 0x7FFF_FFF0),
    (0xFFFF_FC80, 0xFFFF_FF80),
    (0x7FFF_FC80, 0x7FFF_FF80),
];

fn the_table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| parse(TEXT).unwrap_or_else(|error| panic!("{error}")))
}

fn world(number: usize) -> World {
    let (iss, irs) = WRAPS[number % WRAPS.len()];
    let choice = u32::try_from(number).unwrap().wrapping_mul(0x9E37_79B9) >> 7;
    World { iss, irs, ts_base: irs ^ 0x8000_0000, ts_offset: iss.rotate_left(9), choice }
}

/// What real connections did in all cells of both tables, in the world of number 0.
#[derive(Default)]
struct Recording {
    cells: Vec<(Cell, usize, Outcome)>,
    calls: Vec<(CallCell, usize, Outcome)>,
    impossible: Vec<Cell>,
    impossible_calls: Vec<CallCell>,
    complaints: Complaints,
}

fn recording() -> &'static Recording {
    static RECORDING: OnceLock<Recording> = OnceLock::new();
    RECORDING.get_or_init(|| {
        let (table, world) = (the_table(), world(0));
        let mut driver = Driver::new(world);
        let mut recording = Recording::default();
        for cell in Cell::all() {
            let seen = driver.observe(&cell);
            let verdict = judge(table, &cell, seen.as_ref());
            verdict.unwrap_or_else(|complaint| recording.complaints.add(complaint, &cell));
            match (seen, table.row(&cell)) {
                (None, _) => recording.impossible.push(cell),
                (Some(seen), Some(row)) => recording.cells.push((cell, row, seen.outcome)),
                (Some(_), None) => (),
            }
        }
        for cell in CallCell::all() {
            let seen = drive_calls::observe(&cell, world);
            let verdict = judge_call(table, &cell, seen.as_ref());
            verdict.unwrap_or_else(|complaint| recording.complaints.add(complaint, &cell));
            match (seen, table.call_row(&cell)) {
                (None, _) => recording.impossible_calls.push(cell),
                (Some(seen), Some(row)) => recording.calls.push((cell, row, seen.outcome)),
                (Some(_), None) => (),
            }
        }
        recording
    })
}

#[test]
fn every_cell_has_a_row_and_every_row_decides_a_cell() {
    let table = the_table();
    let mut missing = Vec::new();
    let (mut used, mut used_reasons) = (HashSet::new(), HashSet::new());
    for cell in Cell::all() {
        match (table.impossible(&cell), table.row(&cell)) {
            (Some(reason), _) => drop(used_reasons.insert(table.impossible[reason].line)),
            (None, Some(row)) => drop(used.insert(table.segments[row].line)),
            (None, None) => missing.push(cell.to_string()),
        }
    }
    for cell in CallCell::all() {
        match (table.impossible_call(&cell), table.call_row(&cell)) {
            (Some(reason), _) => drop(used_reasons.insert(table.impossible_calls[reason].line)),
            (None, Some(row)) => drop(used.insert(table.calls[row].line)),
            (None, None) => missing.push(cell.to_string()),
        }
    }
    assert!(
        missing.is_empty(),
        "{} cells without a row, such as\n{}",
        missing.len(),
        missing[..10.min(missing.len())].join("\n")
    );
    let lines = table.segments.iter().map(|row| row.line).chain(table.calls.iter().map(|row| row.line));
    let dead: Vec<usize> = lines.filter(|line| !used.contains(line)).collect();
    let reasons = table.impossible.iter().map(|r| r.line).chain(table.impossible_calls.iter().map(|r| r.line));
    let idle: Vec<usize> = reasons.filter(|line| !used_reasons.contains(line)).collect();
    assert!(dead.is_empty() && idle.is_empty(), "rows that decide no cell, by line: {dead:?}, reasons: {idle:?}");
}

#[test]
fn real_connections_do_what_the_table_says() {
    let recording = recording();
    recording.complaints.settle(world(0));
    println!(
        "reference table: {} rows over {} cells, all exercised by real connections ({} combinations are impossible, for {} \
         reasons); {} rows over {} cells of calls and timeouts, all exercised ({} impossible, {} reasons)",
        the_table().segments.len(),
        recording.cells.len(),
        recording.impossible.len(),
        the_table().impossible.len(),
        the_table().calls.len(),
        recording.calls.len(),
        recording.impossible_calls.len(),
        the_table().impossible_calls.len(),
    );
}

#[test]
fn the_numbers_do_not_matter() {
    let table = the_table();
    for number in 1..WRAPS.len() {
        let world = world(number);
        let mut driver = Driver::new(world);
        let mut complaints = Complaints::default();
        for cell in Cell::all().filter(|cell| table.impossible(cell).is_none()) {
            let verdict = judge(table, &cell, driver.observe(&cell).as_ref());
            verdict.unwrap_or_else(|complaint| complaints.add(complaint, &cell));
        }
        for cell in CallCell::all() {
            let verdict = judge_call(table, &cell, drive_calls::observe(&cell, world).as_ref());
            verdict.unwrap_or_else(|complaint| complaints.add(complaint, &cell));
        }
        complaints.settle(world);
    }
}

/// A cell and the numbers it is tried with.
#[derive(Clone, Debug)]
struct Case {
    cell: usize,
    world: World,
}

impl Arbitrary for Case {
    fn arbitrary(g: &mut Gen) -> Self {
        let near = |g: &mut Gen| {
            let edges = [0, 0x7FFF_FFFF, 0x8000_0000, u32::MAX, u32::arbitrary(g)];
            let edge = *g.choose(&edges).unwrap();
            edge.wrapping_sub(u32::arbitrary(g) % 1100)
        };
        let world =
            World { iss: near(g), irs: near(g), ts_base: near(g), ts_offset: near(g), choice: u32::arbitrary(g) };
        Self { cell: usize::arbitrary(g), world }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let (World { iss, irs, ts_base, ts_offset, choice }, cell) = (self.world, self.cell);
        let numbers = (iss, irs, ts_base, ts_offset, choice).shrink();
        Box::new(numbers.map(move |(iss, irs, ts_base, ts_offset, choice)| Self {
            cell,
            world: World { iss, irs, ts_base, ts_offset, choice },
        }))
    }
}

#[test]
fn any_numbers_do() {
    const SEED: u64 = 0x5E60E;
    fn holds(case: Case) -> Result<bool, String> {
        let Recording { cells, calls, .. } = recording();
        let number = case.cell % (cells.len() + 64 * calls.len());
        let (cell, verdict): (&dyn Display, _) = match cells.get(number) {
            Some((cell, ..)) => (cell, judge(the_table(), cell, Driver::new(case.world).observe(cell).as_ref())),
            None => {
                let (cell, ..) = &calls[number % calls.len()];
                (cell, judge_call(the_table(), cell, drive_calls::observe(cell, case.world).as_ref()))
            }
        };
        verdict.map(|()| true).map_err(|c| format!("seed {SEED:#x}, {cell}, line {}: {}", c.line, c.what))
    }
    let mut check = QuickCheck::new().rng(Gen::from_size_and_seed(100, SEED)).tests(20_000).max_tests(20_000);
    check.quickcheck(holds as fn(Case) -> Result<bool, String>);
}

/// `taken` stands only where an ACK can be taken and it shows.
fn says_taken_in_vain<'a>(outcome: &Outcome, mut cells: impl Iterator<Item = &'a Cell>) -> bool {
    let without = Outcome { takes_ack: false, ..*outcome };
    outcome.takes_ack && cells.all(|cell| expect(outcome, cell) == expect(&without, cell))
}

/// To drop or to spoil any row of the segment table leads to a cell that is not as recorded, or to one without a row.
#[test]
fn no_row_can_be_spoiled_unnoticed() {
    let (table, recording) = (the_table(), recording());
    let mut survivors = Vec::new();
    for (number, row) in table.segments.iter().enumerate() {
        let own: Vec<&(Cell, usize, Outcome)> =
            recording.cells.iter().filter(|(_, first, _)| *first == number).collect();
        let falls_through_wrong = |pattern: Option<&Pattern>| {
            own.iter().any(|(cell, _, seen)| {
                let next = || table.rows_matching(cell).find(|&r| r > number);
                pattern.is_none_or(|p| !p.matches(cell))
                    && next().is_none_or(|r| expect(&table.segments[r].outcome, cell) != *seen)
            })
        };
        if says_taken_in_vain(&row.outcome, own.iter().map(|(cell, ..)| cell)) {
            survivors.push(format!("line {}: `taken` never shows", row.line));
        }
        if !falls_through_wrong(None) {
            survivors.push(format!("line {}: dropped", row.line));
        }
        for (what, pattern) in row.pattern.narrowed() {
            let matters = own.iter().any(|(cell, ..)| !pattern.matches(cell));
            if matters && !falls_through_wrong(Some(&pattern)) {
                survivors.push(format!("line {}: {what}", row.line));
            }
        }
        for (what, outcome) in altered(row, false) {
            let shows = own.iter().any(|(cell, _, seen)| expect(&outcome, cell) != *seen);
            if !shows && !says_taken_in_vain(&outcome, own.iter().map(|(cell, ..)| cell)) {
                survivors.push(format!("line {}: {what}", row.line));
            }
        }
    }
    assert!(survivors.is_empty(), "{} spoiled rows pass:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn no_row_of_calls_can_be_spoiled_unnoticed() {
    let (table, recording) = (the_table(), recording());
    let mut survivors = Vec::new();
    let wrong = |row: Option<&Row<CallPattern>>, cell: &CallCell, seen: &Outcome| {
        row.is_none_or(|row| expect_call(&row.outcome, cell) != *seen)
    };
    for (number, row) in table.calls.iter().enumerate() {
        let mut passes = |what: &str, spoiled: Option<Row<CallPattern>>| {
            let decides = |cell: &CallCell| {
                let before = table.calls[..number].iter();
                before
                    .chain(spoiled.iter())
                    .chain(&table.calls[number + 1..])
                    .find(|r| r.pattern.matches(cell))
                    .cloned()
            };
            if !recording.calls.iter().any(|(cell, _, seen)| wrong(decides(cell).as_ref(), cell, seen)) {
                survivors.push(format!("line {}: {what}", row.line));
            }
        };
        passes("dropped", None);
        for (what, pattern) in row.pattern.narrowed() {
            passes(&what, Some(Row { pattern, ..row.clone() }));
        }
        for (what, outcome) in altered(row, true) {
            passes(&what, Some(Row { outcome, ..row.clone() }));
        }
    }
    assert!(survivors.is_empty(), "{} spoiled rows pass:\n{}", survivors.len(), survivors.join("\n"));
}

/// The same for the cells declared impossible: less, and a cell turns up that no connection reaches; more, and one is
/// gone.
#[test]
fn no_reason_can_be_spoiled_unnoticed() {
    let (table, recording) = (the_table(), recording());
    let mut survivors = Vec::new();
    for (number, row) in table.impossible.iter().enumerate() {
        let alone = |cell: &&Cell| {
            let others = table.impossible.iter().enumerate().filter(|(i, _)| *i != number);
            row.pattern.matches(cell) && !others.clone().any(|(_, other)| other.pattern.matches(cell))
        };
        let own: Vec<&Cell> = recording.impossible.iter().filter(alone).collect();
        if own.is_empty() {
            survivors.push(format!("line {}: dropped", row.line));
        }
        for (what, pattern) in row.pattern.narrowed() {
            if own.iter().all(|cell| pattern.matches(cell)) {
                survivors.push(format!("line {}: {what}", row.line));
            }
        }
    }
    for (number, row) in table.impossible_calls.iter().enumerate() {
        let alone = |cell: &&CallCell| {
            let others = table.impossible_calls.iter().enumerate().filter(|(i, _)| *i != number);
            row.pattern.matches(cell) && !others.clone().any(|(_, other)| other.pattern.matches(cell))
        };
        let own: Vec<&CallCell> = recording.impossible_calls.iter().filter(alone).collect();
        if own.is_empty() {
            survivors.push(format!("line {}: dropped", row.line));
        }
        for (what, pattern) in row.pattern.narrowed() {
            if own.iter().all(|cell| pattern.matches(cell)) {
                survivors.push(format!("line {}: {what}", row.line));
            }
        }
    }
    assert!(survivors.is_empty(), "{} spoiled reasons pass:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn the_documents_are_what_the_table_says() {
    let table = the_table();
    let diagram = diagram::render(table).unwrap_or_else(|error| panic!("{error}"));
    let directory = crate::root().join("docs");
    let mut stale = Vec::new();
    for (name, wanted) in [("transition-table.md", document::render(table)), ("state-diagram.svg", diagram)] {
        let path = directory.join(name);
        if env::var_os("SEGUE_BLESS").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        if fs::read_to_string(&path).ok().as_ref() != Some(&wanted) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "docs/{} and tests/table/transitions.txt do not agree: SEGUE_BLESS=1 cargo test --test machine table",
        stale.join(", docs/")
    );
}
