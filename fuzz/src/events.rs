//! The machine under arbitrary events, from each of the eleven states.
//!
//! One input is a [`Setup`] (which state, which numbers, which configuration) and then steps: a gap of time and an event,
//! most often a segment whose numbers lie at the places where the rules turn (see [`steps`]). After every step
//! [`Watched`] checks the machine's own invariants and the contract of `handle`: the order of actions, what may be
//! delivered and transmitted, what the timers owe, that both forms of each call agree, that a refused call and a
//! discarded segment change nothing. A second value gets the same events under a counting allocator: what it holds and what one
//! event costs keep to the bounds that `docs/architecture.md` states.
//!
//! Every choice is one octet, octets that are missing count as zero, and zeros mean the ordinary: an input reads like a
//! script and [`Script`] writes one.

mod campaign;
pub(crate) mod checks;
mod metered;
pub(crate) mod script;
pub(crate) mod setup;
pub(crate) mod show;
mod steps;
mod watched;

use super::reader::Reader;
use super::{behaviour, cases, triples};
pub use script::{Ack, Gap, Script, Seq, Shape, Ts, With, op};
pub use setup::{Setup, Start};
pub use watched::Outcome;
use watched::Watched;

/// More steps than any interesting input has; a bound on the time of one run.
const MAX_STEPS: usize = 400;

/// Plays the input; panics when the machine breaks its contract.
pub fn run(data: &[u8]) {
    play(data);
}

/// Plays the input and tells what it led to.
pub fn play(data: &[u8]) -> Outcome {
    let mut input = Reader::new(data);
    let watched = Setup::read(&mut input).reach(false);
    go_on(input, watched)
}

/// The connection that the input leads to, for those who take it elsewhere.
pub(crate) fn reach(input: &mut Reader<'_>) -> segue::Connection {
    let mut watched = Setup::read(input).reach(false);
    for _ in 0..MAX_STEPS / 10 {
        if input.is_empty() {
            break;
        }
        steps::perform(input, &mut watched);
    }
    watched.connection
}

/// Plays the input and prints each event with its effect, to read when an input fails.
pub fn explain(data: &[u8]) {
    let mut input = Reader::new(data);
    let setup = Setup::read(&mut input);
    println!("{setup:#?}");
    let outcome = go_on(input, setup.reach(true));
    println!("ends in {}, {:?}", outcome.state, outcome.closed);
}

fn go_on(mut input: Reader<'_>, mut watched: Watched) -> Outcome {
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        steps::perform(&mut input, &mut watched);
    }
    watched.into_outcome()
}
