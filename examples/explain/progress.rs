//! How far it is, on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// How often it tells, and what is soon done it does not tell of.
const EVERY: Duration = Duration::from_secs(1);

/// To look at the clock for each packet would cost more than the packet.
const STRIDE: usize = 1024;

/// Tells once a second how much is done.
pub struct Progress {
    what: &'static str,
    told: Instant,
    shown: bool,
}

impl Progress {
    pub fn new(what: &'static str) -> Self {
        Self { what, told: Instant::now(), shown: false }
    }

    /// Tells, from time to time, that `number` are done.
    pub fn at(&mut self, number: usize) {
        if number % STRIDE != 0 || self.told.elapsed() < EVERY {
            return;
        }
        (self.told, self.shown) = (Instant::now(), true);
        let mut out = stderr().lock();
        // Nothing depends on these being seen.
        let _ = if out.is_terminal() {
            write!(out, "\r\x1b[K{number} {}", self.what)
        } else {
            writeln!(out, "{number} {}", self.what)
        };
    }

    /// All is done: the line is free for others.
    pub fn over(self) {
        let mut out = stderr().lock();
        if self.shown && out.is_terminal() {
            let _ = write!(out, "\r\x1b[K");
        }
    }
}
