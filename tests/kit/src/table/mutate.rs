//! All the ways to spoil one row: to drop it, to alter one column of what it says, to match more or less.

use segue::{CloseReason, Discard, Error, State};

use super::calls::CallPattern;
use super::cell::{Dimension, Set, St};
use super::outcome::{Delivered, Outcome, Reply, Signal};
use super::rows::{Pattern, Row};

/// A left-hand side, spoiled.
pub trait Spoil: Clone {
    /// Each value of each list taken away. (A pattern may well say more than the order of the rows makes necessary, so to
    /// match more proves nothing.)
    fn narrowed(&self) -> Vec<(String, Self)>;
    /// Whether the state is one that the row speaks of.
    fn speaks_of(&self, state: State) -> bool;
}

fn set<D: Dimension>(set: Set<D>) -> Vec<(String, Set<D>)> {
    // A list of one less one would match nothing: that is to drop the row.
    if set.is_all() || set.values().count() == 1 {
        return Vec::new();
    }
    set.values().map(|v| (format!("{}: without {}", D::NAME, v.name()), set.without(v))).collect()
}

fn speaks_of(states: Set<St>, state: State) -> bool {
    states.values().any(|s| s.rfc() == state)
}

/// Spoils one field of a pattern that is a struct of columns.
macro_rules! columns {
    ($pattern:expr; $($field:ident: $spoil:expr),*) => {{
        let pattern = $pattern;
        let mut out = Vec::new();
        $(out.extend($spoil.into_iter().map(|(what, $field)| (what, Self { $field, ..pattern.clone() })));)*
        out
    }};
}

impl Spoil for Pattern {
    fn narrowed(&self) -> Vec<(String, Self)> {
        columns!(self;
            state: set(self.state), seq: set(self.seq), ack: set(self.ack),
            len: set(self.len), close: set(self.close), held: set(self.held), ts: set(self.ts))
    }

    fn speaks_of(&self, state: State) -> bool {
        speaks_of(self.state, state)
    }
}

impl Spoil for CallPattern {
    fn narrowed(&self) -> Vec<(String, Self)> {
        columns!(self;
            call: set(self.call), state: set(self.state), close: set(self.close), unread: set(self.unread))
    }

    fn speaks_of(&self, state: State) -> bool {
        speaks_of(self.state, state)
    }
}

/// What the row says with one column altered.
pub fn altered<P: Spoil>(row: &Row<P>, is_call: bool) -> Vec<(String, Outcome)> {
    let o = row.outcome;
    let other = if o.reply == Reply::Nothing { Reply::Ack } else { Reply::Nothing };
    let elsewhere = State::ALL.into_iter().find(|&s| Some(s) != o.next && !row.pattern.speaks_of(s));
    let mut out = vec![
        ("reply".to_owned(), Outcome { reply: other, ..o }),
        ("discarded".to_owned(), Outcome { discarded: toggle(o.discarded, Discard::SynFin), ..o }),
        ("closed".to_owned(), Outcome { closed: toggle(o.closed, CloseReason::Unread), ..o }),
    ];
    if elsewhere.is_some() {
        out.push(("next: elsewhere".to_owned(), Outcome { next: elsewhere, ..o }));
    }
    if o.reply == Reply::Challenge || o.reply == Reply::Ack {
        let reply = if o.reply == Reply::Ack { Reply::Challenge } else { Reply::Ack };
        out.push(("reply: the throttle".to_owned(), Outcome { reply, ..o }));
    }
    if o.next.is_some() {
        out.push(("next: stays".to_owned(), Outcome { next: None, ..o }));
    }
    for &signal in Signal::ALL {
        let derived = match signal {
            Signal::Acked | Signal::Flushed => true,
            Signal::Confirmed => o.signals.has(Signal::Connected),
            _ => false,
        };
        if !derived || is_call {
            let has = o.signals.has(signal);
            let signals = if has { o.signals.without(signal) } else { o.signals.with(signal) };
            out.push((format!("signal {}", signal.name()), Outcome { signals, ..o }));
        }
    }
    if is_call {
        out.push(("result".to_owned(), Outcome { error: toggle(o.error, Error::NotWaiting), ..o }));
    } else {
        let delivered = if o.delivered == Delivered::Nothing { Delivered::Text } else { Delivered::Nothing };
        out.push(("delivered".to_owned(), Outcome { delivered, ..o }));
        out.push(("takes the ACK".to_owned(), Outcome { takes_ack: !o.takes_ack, ..o }));
    }
    out
}

fn toggle<T: PartialEq>(value: Option<T>, other: T) -> Option<T> {
    if value.is_some() { None } else { Some(other) }
}
