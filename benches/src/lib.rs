//! What segue costs in instructions: the rows that `counts` prints, and the hosts that they drive.
//!
//! A row does its work a number of times and returns that number. Only what runs inside [`counted`] is collected, so
//! setup, the peer and the wire between the two cost nothing. A row uses the public interface alone.

pub mod harness;
pub mod host;
mod rows;

use std::hint::black_box;

pub use rows::{Form, Row, Run, rows};

/// The part of a row that callgrind collects: it starts on entry and stops on return.
#[inline(never)]
pub fn counted<T>(work: impl FnOnce() -> T) -> T {
    // Without the black box a call at the end could become a jump, and callgrind would not see the return.
    black_box(work())
}
