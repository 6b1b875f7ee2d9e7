//! How far it is, on standard error.

use std::io::{IsTerminal, Write, stderr};

const WIDTH: usize = 40;

/// A bar when somebody watches; else a line each time another tenth is done.
pub(crate) fn show(done: usize, all: usize, what: &str) {
    let mut out = stderr().lock();
    // Nothing depends on these being seen.
    if out.is_terminal() {
        let full = WIDTH * done / all.max(1);
        let (bar, rest) = ("#".repeat(full), "-".repeat(WIDTH - full));
        let _ = write!(out, "\r\x1b[K[{bar}{rest}] {done}/{all} {what}{}", if done == all { "\n" } else { "" });
    } else if done * 10 / all.max(1) > (done - 1) * 10 / all.max(1) {
        let _ = writeln!(out, "{done} of {all} runs done");
    }
}
