//! A listening port under a flood: the queues against a model, cookies against those that were given out.
//!
//! The first octet of an input says which. Bit 0 clear: calls of [`host::Listener`](segue::host::Listener), each compared with a
//! model that keeps lists. Set: an endpoint that listens, and peers who know nothing but what they were told. They open
//! with SYNs, and bring back cookies that are right, changed, of other flows, of other keys, repeated, or too old.

mod flood;
mod queues;

use super::reader::Reader;

/// More steps than any interesting input has.
const MAX_STEPS: usize = 400;

/// Plays the input; panics when a law does not hold.
pub fn run(data: &[u8]) {
    let mut input = Reader::new(data);
    let first = input.u8();
    if first & 1 == 0 {
        queues::play(first >> 1, &mut input);
    } else {
        flood::play(first >> 1, &mut input);
    }
}
