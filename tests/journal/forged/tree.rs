//! The nodes of a snapshot, and what a forger writes in their places.

use std::collections::{BTreeMap, HashSet};

use segue_kit::Rng;
use serde_json::Value;

/// A step from a node to one below it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Step {
    Field(String),
    Item(usize),
}

/// Where a node is in a snapshot.
pub(super) type Place = Vec<Step>;

/// The places of one kind: items of an array that are further behind are alike.
pub(super) fn shape(place: &Place) -> String {
    let step = |step: &Step| match step {
        Step::Field(name) => format!(".{name}"),
        Step::Item(at) => format!("[{}]", at.min(&3)),
    };
    place.iter().map(step).collect()
}

/// Every node below this one, but for the digits of text, which are no numbers of the machine.
pub(super) fn places(value: &Value) -> Vec<Place> {
    fn walk(value: &Value, at: &mut Place, found: &mut Vec<Place>) {
        if !at.is_empty() {
            found.push(at.clone());
        }
        let below: Vec<(Step, &Value)> = match value {
            Value::Object(fields) => fields.iter().map(|(name, value)| (Step::Field(name.clone()), value)).collect(),
            Value::Array(items) => items.iter().enumerate().map(|(at, value)| (Step::Item(at), value)).collect(),
            _ => vec![],
        };
        for (step, value) in below {
            at.push(step);
            walk(value, at, found);
            at.pop();
        }
    }
    let mut found = vec![];
    walk(value, &mut vec![], &mut found);
    found
}

pub(super) fn node<'a>(value: &'a Value, place: &Place) -> &'a Value {
    place.iter().fold(value, |value, step| match step {
        Step::Field(name) => &value[name],
        Step::Item(at) => &value[at],
    })
}

/// The snapshot with another node in this place.
pub(super) fn with(value: &Value, place: &Place, other: Value) -> Value {
    let mut forged = value.clone();
    let node = place.iter().fold(&mut forged, |value, step| match step {
        Step::Field(name) => &mut value[name],
        Step::Item(at) => &mut value[at],
    });
    *node = other;
    forged
}

/// What nodes of each kind have been in any snapshot: a forger that knows the form takes these.
#[derive(Default)]
pub(super) struct Seen(BTreeMap<String, Vec<Value>>);

/// Values that are kept of each kind of node.
const KEPT: usize = 12;

impl Seen {
    pub(super) fn note(&mut self, snapshot: &Value) {
        for place in places(snapshot) {
            let (value, kept) = (node(snapshot, &place), self.0.entry(shape(&place)).or_default());
            let variant = |value: &Value| match value {
                Value::Object(fields) => fields.keys().cloned().collect::<Vec<_>>().join(","),
                Value::String(name) => name.clone(),
                Value::Null => "null".into(),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) => String::new(),
            };
            let new = kept.iter().all(|other| variant(other) != variant(value));
            if !matches!(value, Value::Number(_) | Value::Bool(_)) && kept.len() < KEPT && new {
                kept.push(value.clone());
            }
        }
    }

    /// What is written in the place of this node.
    pub(super) fn forgeries(&self, rng: &mut Rng, place: &Place, value: &Value) -> Vec<Value> {
        let mut forgeries = match value {
            Value::Number(number) => numbers(rng, number.as_u64().unwrap_or(0)),
            Value::Bool(on) => vec![Value::Bool(!on)],
            Value::Array(items) => arrays(items),
            Value::Null | Value::String(_) | Value::Object(_) => vec![],
        };
        let others = self.0.get(&shape(place)).into_iter().flatten();
        forgeries.extend(others.filter(|other| *other != value).cloned());
        forgeries
    }
}

/// Extremes, what is next to this number, and any.
fn numbers(rng: &mut Rng, old: u64) -> Vec<Value> {
    let far =
        [0, 1, 2, 255, 65_535, 1 << 30, (1 << 31) - 1, 1 << 31, u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 32];
    let further = [1 << 58, 1 << 59, u64::MAX / 16, 1 << 62, i64::MAX as u64, u64::MAX - 1, u64::MAX];
    let near = [old.wrapping_add(1), old.wrapping_sub(1), old / 2, old.wrapping_mul(2), old.wrapping_add(4096)];
    let random =
        [rng.next() >> rng.below(64), old.wrapping_add(u64::from(rng.below(200_000))), old ^ (1 << rng.below(64))];
    let mut once = HashSet::from([old]);
    far.into_iter()
        .chain(further)
        .chain(near)
        .chain(random)
        .filter(|new| once.insert(*new))
        .map(Value::from)
        .chain([-1, i64::MIN].map(Value::from))
        .collect()
}

/// One item fewer, one more, none, the other way round, and very many.
fn arrays(items: &[Value]) -> Vec<Value> {
    let Some((last, others)) = items.split_last() else { return vec![] };
    let more = |times: usize| Value::Array(items.iter().chain(std::iter::repeat_n(last, times)).cloned().collect());
    let back = items.iter().rev().cloned().collect();
    vec![Value::Array(others.to_vec()), more(1), Value::Array(vec![]), Value::Array(back), more(5000)]
}
