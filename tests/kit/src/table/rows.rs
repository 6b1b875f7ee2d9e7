//! The rows: patterns over the dimensions, and what the table says about a cell.

use segue::{Flags, State};

use super::calls::{CallCell, CallPattern};
use super::cell::{Ack, Cell, Close, Dimension, Held, Len, Seq, Set, St, Ts};
use super::outcome::{Delivered, Outcome, Signal};

/// Control bits that must be on, and others that must be off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlagPattern {
    pub on: u8,
    pub off: u8,
}

/// The left-hand side of a row of the segment table.
#[derive(Clone, Debug)]
pub struct Pattern {
    pub state: Set<St>,
    pub flags: FlagPattern,
    pub seq: Set<Seq>,
    pub ack: Set<Ack>,
    pub len: Set<Len>,
    pub close: Set<Close>,
    pub held: Set<Held>,
    pub ts: Set<Ts>,
}

impl Pattern {
    pub fn matches(&self, cell: &Cell) -> bool {
        self.state.has(cell.state)
            && cell.flags & self.flags.on == self.flags.on
            && cell.flags & self.flags.off == 0
            && self.seq.has(cell.seq)
            && self.ack.has(cell.ack)
            && self.len.has(cell.len())
            && self.close.has(cell.close)
            && self.held.has(cell.held)
            && self.ts.has(cell.ts)
    }
}

/// A row of either table. `Pattern` and [`CallPattern`] are its left-hand sides.
#[derive(Clone, Debug)]
pub struct Row<P> {
    /// The line of the file.
    pub line: usize,
    pub pattern: P,
    pub outcome: Outcome,
    /// The columns as written, for the document.
    pub columns: Vec<String>,
}

/// A combination that cannot occur, and why.
#[derive(Clone, Debug)]
pub struct Impossible<P> {
    pub line: usize,
    pub pattern: P,
    pub columns: Vec<String>,
}

/// What a section of the file holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Segment,
    Call,
    ImpossibleSegment,
    ImpossibleCall,
}

/// A section: its rows are those from `rows.start` on, of the list that its kind names.
#[derive(Clone, Debug)]
pub struct Section {
    pub kind: Kind,
    pub title: String,
    pub notes: String,
    pub rows: core::ops::Range<usize>,
}

/// The whole file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub preamble: String,
    pub sets: Vec<(String, String)>,
    pub sections: Vec<Section>,
    pub impossible: Vec<Impossible<Pattern>>,
    pub segments: Vec<Row<Pattern>>,
    pub impossible_calls: Vec<Impossible<CallPattern>>,
    pub calls: Vec<Row<CallPattern>>,
    /// The rows of each state, in order.
    by_state: Vec<Vec<usize>>,
}

impl Table {
    /// To be called when `segments` is complete or has changed.
    pub fn index(&mut self) {
        self.by_state = St::ALL
            .iter()
            .map(|&state| (0..self.segments.len()).filter(|&i| self.segments[i].pattern.state.has(state)).collect())
            .collect();
    }

    /// The first reason why the cell cannot occur.
    pub fn impossible(&self, cell: &Cell) -> Option<usize> {
        self.impossible.iter().position(|row| row.pattern.matches(cell))
    }

    /// The first row that matches.
    pub fn row(&self, cell: &Cell) -> Option<usize> {
        self.by_state[cell.state.index()].iter().copied().find(|&i| self.segments[i].pattern.matches(cell))
    }

    /// The rows that match, in order.
    pub fn rows_matching<'a>(&'a self, cell: &'a Cell) -> impl Iterator<Item = usize> + 'a {
        self.by_state[cell.state.index()].iter().copied().filter(|&i| self.segments[i].pattern.matches(cell))
    }

    pub fn impossible_call(&self, cell: &CallCell) -> Option<usize> {
        self.impossible_calls.iter().position(|row| row.pattern.matches(cell))
    }

    pub fn call_row(&self, cell: &CallCell) -> Option<usize> {
        self.calls.iter().position(|row| row.pattern.matches(cell))
    }
}

/// What a row's outcome means for one cell: `urgent` needs URG; a taken ACK that advances says so; after Fast Open the user
/// is connected already, and the text of the SYN is delivered.
pub fn expect(row: &Outcome, cell: &Cell) -> Outcome {
    let mut outcome = *row;
    if !cell.has(Flags::URG) {
        outcome.signals = outcome.signals.without(Signal::Urgent);
    }
    if cell.state.is_early() && row.signals.has(Signal::Connected) {
        outcome.signals = outcome.signals.without(Signal::Connected).with(Signal::Confirmed);
    }
    if cell.state.is_early() && cell.held == Held::Fin {
        outcome.delivered = Delivered::Nothing;
    }
    let stays = State::is_synchronized(cell.state.rfc());
    if row.takes_ack && (stays || cell.state.has_early_text()) {
        if matches!(cell.ack, Ack::Part | Ack::New | Ack::Fin) {
            outcome.signals = outcome.signals.with(Signal::Acked);
        }
        let nothing_left = match cell.state {
            St::Established | St::CloseWait | St::SynSentText | St::EarlyText => {
                cell.close == Close::No && cell.ack == Ack::New
            }
            _ => cell.ack == Ack::Fin,
        };
        if nothing_left {
            outcome.signals = outcome.signals.with(Signal::Flushed);
        }
    }
    // An old ACK has nothing to take, and a closed connection has no variables to see it by.
    let visible = !matches!(cell.ack, Ack::None | Ack::Unknown | Ack::TooOld | Ack::Old | Ack::Beyond)
        && outcome.next != Some(State::Closed);
    outcome.takes_ack = row.takes_ack && visible;
    if outcome.next == Some(cell.state.rfc()) {
        outcome.next = None;
    }
    outcome
}
