//! Events of the corpora of the fuzzers, each with the connection that meets it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::{fs, io};

use segue::{Action, Connection, Event, Instant};

use super::Outcome;
use super::end::{count, facts};
use super::fuzz::{self, cases};

/// The names of what comes from there begin with it.
pub(crate) const FUZZED: &str = "fuzzed: ";

/// An event of a run.
pub(crate) type Case = (String, Connection, Event, Instant);

/// Plays the corpora and writes a case of each kind: the same state, class of event and orders of magnitude. Returns how
/// many, out of how many events.
pub(crate) fn write(path: &Path) -> Outcome<(usize, u64)> {
    let found = Rc::new(RefCell::new((Vec::<Case>::new(), BTreeSet::new(), 0)));
    for target in fuzz::WITH_TRIPLES {
        let (_, harness) = fuzz::TARGETS.into_iter().find(|(name, _)| *name == target).ok_or("no such target")?;
        let found = Rc::clone(&found);
        cases::watch(corpus(target)?, harness, move |tcp, event, now| {
            let (cases, seen, events) = &mut *found.borrow_mut();
            *events += 1;
            let kind = kind(tcp, event, now);
            if !is_nested(event) && seen.insert(kind.clone()) {
                let (state, class, _) = kind;
                let name = format!("{FUZZED}{state} {}", class.replace(',', "+"));
                cases.push((name, tcp.clone(), event.clone(), now));
            }
        });
    }
    let (cases, _, events) = &*found.borrow();
    fs::write(path, postcard::to_allocvec(cases)?)?;
    Ok((cases.len(), *events))
}

/// Counts the events that [`write`] chose.
pub(crate) fn run(path: &Path) -> Outcome<()> {
    let cases: Vec<Case> = postcard::from_bytes(&fs::read(path)?)?;
    for (name, mut tcp, event, now) in cases {
        count(&name, &mut tcp, event, now, &mut Vec::with_capacity(1 << 12));
    }
    Ok(())
}

fn corpus(target: &str) -> io::Result<Vec<Vec<u8>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    files.into_iter().map(fs::read).collect()
}

/// A batch inside a batch, which nobody reads again.
fn is_nested(event: &Event) -> bool {
    matches!(event, Event::Batch(parts) if parts.iter().any(|part| matches!(part, Event::Batch(_))))
}

/// State, class of event, and the orders of magnitude of what the formula looks at.
fn kind(tcp: &Connection, event: &Event, now: Instant) -> (&'static str, String, [u32; 5]) {
    let mut after = tcp.clone();
    let mut actions: Vec<Action> = Vec::new();
    let _refused = after.handle(event.clone(), now, &mut actions);
    let facts = facts("", event, &tcp.info(), &actions, &after.info());
    let sizes = [facts.segments, facts.actions, facts.records, facts.ranges, facts.octets / 4096];
    (tcp.state().name(), cases::class(event), sizes.map(|size| u64::BITS - size.leading_zeros()))
}
