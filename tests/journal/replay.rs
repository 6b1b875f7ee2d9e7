//! Journals.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use quickcheck::quickcheck;
use segue::journal::{Answer, Entry, Journal, Line, Step, Unreadable};
use segue::{Action, Event, State};

use crate::pair::{Plan, Run};

/// The lines, written as JSON and read again.
pub(crate) fn read_again(lines: &[Line]) -> Journal {
    let read = |line| {
        let json = serde_json::to_string(line).expect("it is written");
        serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"))
    };
    Journal::read(lines.iter().map(read)).expect("a journal")
}

quickcheck! {
    /// Whatever happens between any two ends, a replay of either ends in the same value.
    fn a_journal_replays(seed: u64, gentle: bool) -> bool {
        let plan = Plan::of(seed);
        let run = Run::play(&if gentle { plan.gentle() } else { plan }, |_| ());
        for end in 0..2 {
            let journal = read_again(&run.lines[end]);
            match journal.replay() {
                Ok(replayed) => assert_eq!(replayed, *run.connection(end)),
                Err(difference) => panic!("{difference}"),
            }
            assert!(journal.lines().eq(run.lines[end].iter().cloned()));
        }
        true
    }

    /// The connection after n events is the one that was there after n events.
    fn a_journal_knows_each_state_on_the_way(seed: u64) -> bool {
        let plan = Plan::of(seed);
        let mut seen = vec![];
        let run = Run::play(&plan, |run| seen.push((run.lines[1].len() - 1, run.connection(1).clone())));
        let journal = run.journal(1);
        seen.iter().all(|(n, then)| journal.state_after(*n).as_ref() == Ok(then))
    }
}

/// The plans get everywhere: else the properties would show little.
#[test]
fn the_drawn_runs_reach_every_state() {
    let (mut states, mut octets) = (HashSet::new(), 0);
    for seed in 0..400 {
        let plan = Plan::of(seed);
        let run = Run::play(&if seed % 4 < 2 { plan.gentle() } else { plan }, |run| {
            states.extend((0..2).map(|end| run.connection(end).state()));
        });
        let actions = run.lines[1].iter().flat_map(Line::actions);
        octets += actions.map(|action| if let Action::Deliver(text) = action { text.len() } else { 0 }).sum::<usize>();
    }
    assert_eq!(State::ALL.iter().filter(|state| !states.contains(state)).count(), 0, "{states:?}");
    assert!(octets > 100_000, "{octets} octets arrived");
}

/// Each change of the state has a cause: here of drawn runs, the states on the way from the journals.
#[test]
fn every_transition_has_its_cause() {
    let mut seen = BTreeMap::new();
    for seed in 0..300 {
        let plan = Plan::of(seed);
        let run = Run::play(&if seed % 4 < 2 { plan.gentle() } else { plan }, |_| ());
        for end in 0..2 {
            let journal = run.journal(end);
            let (mut connection, _) = journal.start.open();
            for step in journal.steps {
                let Step::Entry(entry) = step else { panic!("no controller was exchanged") };
                let from = connection.state();
                let _ = connection.handle(entry.event.clone(), entry.at, &mut |_| ());
                let to = connection.state();
                let cause = entry.event.cause(from, to);
                assert_eq!(cause.is_some(), from != to, "seed {seed}: {from} to {to} by {:?}", entry.event);
                seen.extend(cause.map(|cause| ((from.name(), to.name()), cause)));
            }
        }
    }
    assert!(seen.len() > 14, "{} transitions: {seen:#?}", seen.len());
}

/// A journal of a handshake, an octet and a close.
fn short() -> Journal {
    let mut run = Run::play(&Plan::plain(), |_| ());
    assert_eq!(run.connection(0).state(), State::Established);
    run.event(0, Event::Send(Bytes::from_static(b"x")));
    run.event(0, Event::Close);
    run.event(0, Event::Close);
    run.journal(0)
}

/// The event of this number, from 0, to change it.
fn entry(journal: &mut Journal, number: usize) -> &mut Entry {
    let Step::Entry(entry) = &mut journal.steps[number] else { panic!("no controller was exchanged") };
    entry
}

#[test]
fn the_first_difference_is_named() {
    let journal = short();
    let send = Event::Send(Bytes::from_static(b"x"));
    let sent = journal.steps.iter().position(|step| step.event() == Some(&send)).unwrap();
    // another event than the one that was recorded
    let mut other = journal.clone();
    entry(&mut other, sent).event = Event::Send(Bytes::from_static(b"y"));
    let difference = other.replay().unwrap_err();
    assert_eq!((difference.event, difference.action), (sent + 1, 0));
    let words = difference.to_string();
    assert!(words.starts_with(&format!("event {} at ", sent + 1)) && words.ends_with(" replayed"), "{words}");
    assert!(other.state_after(sent).is_ok() && other.state_after(sent + 1).is_err());
    // an answer that is not there
    let mut other = journal.clone();
    let Answer::Actions(actions) = &mut entry(&mut other, sent).answer else { panic!("SEND can proceed") };
    actions.push(Action::Writable);
    let count = actions.len();
    let difference = other.replay().unwrap_err();
    assert_eq!((difference.event, difference.action), (sent + 1, count - 1));
    assert!(difference.to_string().contains("Writable recorded, nothing replayed"), "{difference}");
    // a call that could not proceed
    let mut other = journal.clone();
    let last = other.steps.len() - 1;
    assert!(matches!(other.steps[last].answer(), Answer::Refused(_)), "the second CLOSE");
    entry(&mut other, last).answer = Answer::Actions(vec![]);
    assert!(other.replay().unwrap_err().to_string().ends_with("nothing recorded, Err(Closing) replayed"));
    // other secrets
    let mut other = journal;
    other.start.secrets.iss += 1;
    assert!(other.replay().unwrap_err().to_string().starts_with("the opening at "));
}

#[test]
fn lines_that_are_no_journal_are_refused() {
    let lines: Vec<Line> = short().lines().collect();
    assert_eq!(Journal::read(lines[1..].to_vec()), Err(Unreadable::NoStart));
    assert_eq!(<Journal>::read([]), Err(Unreadable::NoStart));
    assert_eq!(Journal::read([&lines[..], &lines[..]].concat()), Err(Unreadable::SecondStart));
    let mut later = lines;
    let Line::Start { version, .. } = &mut later[0] else { panic!("the start comes first") };
    *version += 1;
    let refused = Journal::read(later).unwrap_err();
    assert_eq!(refused, Unreadable::Version(Journal::VERSION + 1));
    assert_eq!(refused.to_string(), "the journal has version 2, this crate reads version 1");
}
