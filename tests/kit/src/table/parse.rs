//! Reads `transitions.txt`.

use segue::{Flags, State};

use super::calls::{Call, CallPattern, Unread};
use super::cell::{Ack, Close, Dimension, Held, Len, Seq, Set, St, Ts};
use super::outcome::{Delivered, Outcome, Reply, Signal, Signals, close_named, discard_named, error_named};
use super::rows::{FlagPattern, Impossible, Kind, Pattern, Row, Section, Table};

/// The committed file.
pub const TEXT: &str = include_str!("../../../table/transitions.txt");

/// Reads a table; the error names the line.
pub fn parse(text: &str) -> Result<Table, String> {
    let mut table = Table::default();
    for (line, raw) in (1..).zip(text.lines()) {
        Reader { table: &mut table, line }
            .read(raw.trim())
            .map_err(|why| format!("transitions.txt line {line}: {why}\n    {raw}"))?;
    }
    table.index();
    Ok(table)
}

struct Reader<'a> {
    table: &'a mut Table,
    line: usize,
}

impl Reader<'_> {
    fn read(&mut self, raw: &str) -> Result<(), String> {
        if raw.is_empty() {
            return Ok(());
        }
        if let Some(note) = raw.strip_prefix('#') {
            let notes = match self.table.sections.last_mut() {
                None => &mut self.table.preamble,
                Some(section) if section.rows.is_empty() => &mut section.notes,
                Some(_) => return Ok(()), // a remark between rows
            };
            notes.push_str(note.strip_prefix(' ').unwrap_or(note));
            notes.push('\n');
            return Ok(());
        }
        if let Some(rest) = raw.strip_prefix("set ") {
            let (name, values) = rest.split_once('=').ok_or("a set needs `=`")?;
            self.table.sets.push((name.trim().to_owned(), values.trim().to_owned()));
            return Ok(());
        }
        if let Some(rest) = raw.strip_prefix('[') {
            return self.section(rest);
        }
        self.row(raw)
    }

    fn section(&mut self, rest: &str) -> Result<(), String> {
        let (kind, title) = rest.split_once(']').ok_or("a section needs `]`")?;
        let (kind, start) = match kind {
            "segment" => (Kind::Segment, self.table.segments.len()),
            "call" => (Kind::Call, self.table.calls.len()),
            "impossible segment" => (Kind::ImpossibleSegment, self.table.impossible.len()),
            "impossible call" => (Kind::ImpossibleCall, self.table.impossible_calls.len()),
            _ => return Err(format!("unknown kind of section `{kind}`")),
        };
        let title = title.trim().to_owned();
        self.table.sections.push(Section { kind, title, notes: String::new(), rows: start..start });
        Ok(())
    }

    fn row(&mut self, raw: &str) -> Result<(), String> {
        let kind = self.table.sections.last().ok_or("a row before any section")?.kind;
        let (left, right) = raw.split_once("=>").ok_or("a row needs `=>`")?;
        let left: Vec<&str> = left.split('|').map(str::trim).collect();
        let right: Vec<&str> = right.split('|').map(str::trim).collect();
        let columns: Vec<String> = left.iter().chain(&right).map(|&s| s.to_owned()).collect();
        if right.last().is_none_or(|clause| clause.is_empty()) {
            return Err("a row needs a clause or a reason".to_owned());
        }
        let line = self.line;
        match kind {
            Kind::Segment => {
                let (pattern, outcome) = (self.pattern(&left)?, segment_outcome(&right)?);
                self.table.segments.push(Row { line, pattern, outcome, columns });
            }
            Kind::Call => {
                let (pattern, outcome) = (self.call_pattern(&left)?, call_outcome(&right)?);
                self.table.calls.push(Row { line, pattern, outcome, columns });
            }
            Kind::ImpossibleSegment => {
                let pattern = self.pattern(&left)?;
                self.table.impossible.push(Impossible { line, pattern, columns });
            }
            Kind::ImpossibleCall => {
                let pattern = self.call_pattern(&left)?;
                self.table.impossible_calls.push(Impossible { line, pattern, columns });
            }
        }
        if let Some(section) = self.table.sections.last_mut() {
            section.rows.end += 1;
        }
        Ok(())
    }

    fn pattern(&self, left: &[&str]) -> Result<Pattern, String> {
        let &[state, flags, seq, ack, len, when] = left else {
            return Err("six columns are wanted: state | flags | seq | ack | len | when".to_owned());
        };
        let mut pattern = Pattern {
            state: self.set::<St>(state)?,
            flags: flag_pattern(flags)?,
            seq: self.set::<Seq>(seq)?,
            ack: self.set::<Ack>(ack)?,
            len: self.set::<Len>(len)?,
            close: Set::all(),
            held: Set::all(),
            ts: Set::all(),
        };
        for (key, values) in conditions(when)? {
            match key {
                "close" => pattern.close = self.set::<Close>(values)?,
                "held" => pattern.held = self.set::<Held>(values)?,
                "ts" => pattern.ts = self.set::<Ts>(values)?,
                _ => return Err(format!("unknown condition `{key}`")),
            }
        }
        Ok(pattern)
    }

    fn call_pattern(&self, left: &[&str]) -> Result<CallPattern, String> {
        let &[call, state, when] = left else {
            return Err("three columns are wanted: event | state | when".to_owned());
        };
        let mut pattern = CallPattern {
            call: self.set::<Call>(call)?,
            state: self.set::<St>(state)?,
            close: Set::all(),
            unread: Set::all(),
        };
        for (key, values) in conditions(when)? {
            match key {
                "close" => pattern.close = self.set::<Close>(values)?,
                "unread" => pattern.unread = self.set::<Unread>(values)?,
                _ => return Err(format!("unknown condition `{key}`")),
            }
        }
        Ok(pattern)
    }

    /// `*`, or values and names of sets with commas between them; `!` in front turns the whole list round.
    fn set<D: Dimension>(&self, text: &str) -> Result<Set<D>, String> {
        if text == "*" {
            return Ok(Set::all());
        }
        if let Some(rest) = text.strip_prefix('!') {
            return Ok(self.set::<D>(rest)?.complement());
        }
        let mut set = Set::NONE;
        for word in text.split(',').map(str::trim) {
            if let Some(&value) = D::ALL.iter().find(|v| v.name() == word) {
                set = set.with(value);
            } else if let Some((_, values)) = self.table.sets.iter().find(|(name, _)| name == word) {
                set = set.union(self.set::<D>(values)?);
            } else {
                return Err(format!("`{word}` is no {}", D::NAME));
            }
        }
        Ok(set)
    }
}

/// `key=values` with spaces between them, or `*`.
fn conditions(when: &str) -> Result<Vec<(&str, &str)>, String> {
    if when == "*" {
        return Ok(Vec::new());
    }
    when.split_whitespace().map(|c| c.split_once('=').ok_or(format!("`{c}` is no condition"))).collect()
}

/// Flags that must be on, `!` those that must be off, or `*`.
fn flag_pattern(text: &str) -> Result<FlagPattern, String> {
    let mut pattern = FlagPattern::default();
    for word in text.split_whitespace().filter(|&w| w != "*") {
        let (list, name) = match word.strip_prefix('!') {
            Some(name) => (&mut pattern.off, name),
            None => (&mut pattern.on, word),
        };
        let flag = Flags::from_name(name).and_then(|f| u8::try_from(f.bits()).ok());
        *list |= flag.ok_or(format!("`{name}` is no flag"))?;
    }
    Ok(pattern)
}

fn segment_outcome(right: &[&str]) -> Result<Outcome, String> {
    let &[reply, next, takes, delivered, signalled, _clause] = right else {
        return Err("six columns are wanted: reply | next | ack field | delivered | signalled | clause".to_owned());
    };
    let takes_ack = match takes {
        "taken" => true,
        "-" => false,
        _ => return Err(format!("`{takes}` is neither `taken` nor `-`")),
    };
    signals(
        Outcome {
            reply: named::<Reply>(reply)?,
            next: state(next)?,
            takes_ack,
            delivered: named::<Delivered>(delivered)?,
            ..Outcome::NOTHING
        },
        signalled,
    )
}

fn call_outcome(right: &[&str]) -> Result<Outcome, String> {
    let &[result, reply, next, signalled, _clause] = right else {
        return Err("five columns are wanted: result | reply | next | signalled | clause".to_owned());
    };
    let error = match result {
        "ok" => None,
        name => Some(error_named(name).ok_or(format!("`{name}` is no error"))?),
    };
    let outcome = Outcome { error, reply: named::<Reply>(reply)?, next: state(next)?, ..Outcome::NOTHING };
    signals(outcome, signalled)
}

fn signals(mut outcome: Outcome, text: &str) -> Result<Outcome, String> {
    let mut set = Signals::default();
    for word in text.split(',').map(str::trim).filter(|&w| w != "-") {
        let argument = |name| word.strip_prefix(name).and_then(|w: &str| w.strip_suffix(')'));
        if let Some(reason) = argument("discarded(") {
            outcome.discarded = Some(discard_named(reason).ok_or(format!("`{reason}` is no Discard"))?);
        } else if let Some(reason) = argument("closed(") {
            outcome.closed = Some(close_named(reason).ok_or(format!("`{reason}` is no CloseReason"))?);
        } else {
            set = set.with(named::<Signal>(word)?);
        }
    }
    outcome.signals = set;
    Ok(outcome)
}

fn state(text: &str) -> Result<Option<State>, String> {
    if text == "=" {
        return Ok(None);
    }
    State::ALL.into_iter().find(|s| s.name() == text).map(Some).ok_or(format!("`{text}` is no state"))
}

fn named<D: Dimension>(text: &str) -> Result<D, String> {
    let wanted = |value: &D| value.name() == text && text != "odd";
    D::ALL.iter().copied().find(wanted).ok_or(format!("`{text}` is no {}", D::NAME))
}
