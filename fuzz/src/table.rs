//! Real connections against the reference transition table, with numbers and cells that the input chooses.
//!
//! The first twelve octets are the initial numbers, the timestamps of the peer and what does not matter to any cell; each
//! four octets after them name a cell of the table. Octets that are missing count as zero.

use std::sync::OnceLock;

use segue::Flags;
use segue_kit::table::calls::CallCell;
use segue_kit::table::cell::Cell;
use segue_kit::table::drive::{Driver, Seen, judge, judge_call};
use segue_kit::table::drive_calls;
use segue_kit::table::fixture::World;
use segue_kit::table::parse::{TEXT, parse};
use segue_kit::table::rows::Table;

use super::{behaviour, triples};

/// More cells than this in one input show nothing new.
const MAX_CELLS: usize = 64;

struct Cells {
    table: Table,
    segments: Vec<Cell>,
    calls: Vec<CallCell>,
}

fn cells() -> &'static Cells {
    static CELLS: OnceLock<Cells> = OnceLock::new();
    CELLS.get_or_init(|| {
        let table = parse(TEXT).unwrap_or_else(|error| panic!("{error}"));
        let segments = Cell::all().filter(|cell| table.impossible(cell).is_none()).collect();
        let calls = CallCell::all().filter(|cell| table.impossible_call(cell).is_none()).collect();
        Cells { table, segments, calls }
    })
}

/// Compares the cells that the input names; panics at the first that is not as the table says.
pub fn run(data: &[u8]) {
    let mut words = data.chunks(4).map(|chunk| {
        let mut octets = [0; 4];
        octets[..chunk.len()].copy_from_slice(chunk);
        u32::from_le_bytes(octets)
    });
    let mut word = || words.next().unwrap_or(0);
    let (iss, irs, choice) = (word(), word(), word());
    let world = World { iss, irs, ts_base: irs.rotate_left(choice), ts_offset: iss.rotate_right(choice), choice };
    let Cells { table, segments, calls } = cells();
    let mut driver = Driver::new(world);
    let named = data.len().saturating_sub(12).div_ceil(4).clamp(1, MAX_CELLS);
    for number in (0..named).map(|_| word() as usize % (segments.len() + calls.len())) {
        let (cell, verdict, seen): (&dyn std::fmt::Display, _, Option<Seen>) = match calls.get(number) {
            Some(cell) => {
                let seen = drive_calls::observe(cell, world);
                let input = || format!("{:?}", cell.call);
                seen.iter().for_each(|seen| triples::note_cell(cell.state.rfc(), input, &seen.outcome));
                (cell, judge_call(table, cell, seen.as_ref()), seen)
            }
            None => {
                let cell = &segments[number - calls.len()];
                let seen = driver.observe(cell);
                let input = || triples::segment(Flags::from_bits_truncate(cell.flags.into()), cell.text);
                seen.iter().for_each(|seen| triples::note_cell(cell.state.rfc(), input, &seen.outcome));
                (cell, judge(table, cell, seen.as_ref()), seen)
            }
        };
        behaviour::note(|| format!("{seen:?}"));
        if let Err(complaint) = verdict {
            panic!("{cell} in {world:?}\n  line {}: {}\n  {seen:?}", complaint.line, complaint.what);
        }
    }
}
