//! Values as data: what is written is read again as it was, what is no value is refused with words, a journal replays to
//! the same connection or names the first difference, and a live connection goes on from a snapshot as if nothing had
//! happened.

mod exchange;
mod forged;
mod migrate;
mod pair;
mod replay;
mod snapshot;
mod values;
