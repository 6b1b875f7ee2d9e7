//! How much of the machine inputs reach, as TCP-Fuzz counts it: distinct triples of a state, a class of what happens in it,
//! and a class of what comes of it.
//!
//! The harnesses that drive a `Connection` note each event here. Nobody listens during a campaign, so that it costs nothing.

use std::cell::RefCell;
use std::collections::BTreeSet;

use segue::{Action, Event, Flags, Segment, State};
use segue_kit::table::outcome::Outcome;

/// A state, a class of events, a class of actions.
pub type Triple = (&'static str, String, String);

thread_local! {
    static SEEN: RefCell<Option<BTreeSet<Triple>>> = const { RefCell::new(None) };
}

/// What these inputs show together.
pub fn seen_in(inputs: impl IntoIterator<Item = Vec<u8>>, harness: fn(&[u8])) -> BTreeSet<Triple> {
    SEEN.set(Some(BTreeSet::new()));
    inputs.into_iter().for_each(|input| harness(&input));
    SEEN.take().unwrap_or_default()
}

/// An event in this state gave these actions.
pub(crate) fn note(state: State, event: &Event, actions: &[Action]) {
    note_as(state, || input(event), actions);
}

/// Several segments at once.
pub(crate) fn note_batch(state: State, actions: &[Action]) {
    note_as(state, || "segments".into(), actions);
}

/// What a cell of the transition table does: its reply, and each thing that its user is told, for itself.
pub(crate) fn note_cell(state: State, input: impl Fn() -> String, outcome: &Outcome) {
    let outputs = || {
        let told = [
            outcome.next.map(|next| format!("to {next}")),
            outcome.discarded.map(|reason| format!("Discarded {reason:?}")),
            outcome.closed.map(|reason| format!("Closed {reason:?}")),
            outcome.error.map(|error| format!("Error {error:?}")),
        ];
        told.into_iter().flatten().chain([format!("reply {:?}", outcome.reply)])
    };
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return };
        seen.extend(outputs().map(|output| (state.name(), input(), output)));
    });
}

fn note_as(state: State, input: impl Fn() -> String, actions: &[Action]) {
    SEEN.with_borrow_mut(|seen| {
        let Some(seen) = seen else { return };
        let outputs = actions.iter().map(output).chain(actions.is_empty().then(|| "nothing".into()));
        seen.extend(outputs.map(|output| (state.name(), input(), output)));
    });
}

pub(super) fn input(event: &Event) -> String {
    match event {
        Event::Segment(segment) => kind(segment).into(),
        Event::Timer(timer) => format!("timer {timer:?}"),
        Event::Icmp { kind, .. } => format!("ICMP {kind}"),
        // The name of the variant, without what it holds.
        other => {
            let name = format!("{other:?}");
            name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
        }
    }
}

/// The class of a segment with these control bits.
pub(crate) fn segment(flags: Flags, has_text: bool) -> String {
    let payload = if has_text { "x".into() } else { bytes::Bytes::new() };
    kind(&Segment { flags, payload, ..Segment::default() }).into()
}

/// The class of a segment: by its control bits, in the order in which SEGMENT ARRIVES asks for them.
fn kind(segment: &Segment) -> &'static str {
    let has = |flag| segment.flags.contains(flag);
    match () {
        () if has(Flags::RST | Flags::ACK) => "RST,ACK",
        () if has(Flags::RST) => "RST",
        () if has(Flags::SYN | Flags::ACK) => "SYN,ACK",
        () if has(Flags::SYN) => "SYN",
        () if !has(Flags::ACK) => "without ACK",
        () if has(Flags::FIN) => "FIN",
        () if has(Flags::URG) => "URG",
        () if segment.payload.is_empty() => "ACK",
        () => "text",
    }
}

fn output(action: &Action) -> String {
    match action {
        Action::Transmit(segment) => format!("Transmit {}", kind(segment)),
        Action::SetTimer(timer, _) => format!("SetTimer {timer:?}"),
        Action::Discarded(reason) => format!("Discarded {reason:?}"),
        Action::Closed(reason) => format!("Closed {reason:?}"),
        other => {
            let name = format!("{other:?}");
            name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().into()
        }
    }
}

/// What no run showed though it is likely to exist: each two parts of the triple were seen together, the three were not.
pub fn never_seen(seen: &BTreeSet<Triple>) -> BTreeSet<Triple> {
    let with_input: BTreeSet<_> = seen.iter().map(|(state, input, _)| (*state, input)).collect();
    let with_output: BTreeSet<_> = seen.iter().map(|(state, _, output)| (*state, output)).collect();
    let both: BTreeSet<_> = seen.iter().map(|(_, input, output)| (input, output)).collect();
    let states = State::ALL.map(State::name);
    let candidates =
        states.into_iter().flat_map(|state| both.iter().map(move |(input, output)| (state, *input, *output)));
    candidates
        .filter(|(state, input, output)| {
            with_input.contains(&(*state, *input)) && with_output.contains(&(*state, *output))
        })
        .map(|(state, input, output)| (state, input.clone(), output.clone()))
        .filter(|triple| !seen.contains(triple))
        .collect()
}

/// The classes of events that no input played in a state, by state.
pub fn never_played(seen: &BTreeSet<Triple>) -> Vec<(&'static str, Vec<&str>)> {
    let inputs: BTreeSet<&str> = seen.iter().map(|(_, input, _)| input.as_str()).collect();
    let states = State::ALL.map(State::name).into_iter();
    let missing = states.map(|state| {
        let played = |input: &str| seen.iter().any(|(at, played, _)| *at == state && played == input);
        (state, inputs.iter().copied().filter(|input| !played(input)).collect::<Vec<_>>())
    });
    missing.filter(|(_, missing)| !missing.is_empty()).collect()
}
