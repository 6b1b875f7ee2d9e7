//! Explains the TCP connections of a capture: a ladder of the segments with the states of both ends, why each state led to
//! another and why a segment was discarded, and where segue would have answered otherwise.

pub mod args;
pub mod capture;
pub mod compare;
pub mod flows;
pub mod ladder;
pub mod owed;
pub mod progress;
pub mod replica;
pub mod svg;
