//! How far it is, on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;

const WIDTH: usize = 40;

/// The work, and how much of it is done.
pub struct Progress {
    all: f64,
    done: Mutex<f64>,
}

impl Progress {
    pub const fn new(all: f64) -> Self {
        Self { all, done: Mutex::new(0.0) }
    }

    /// So much more is done: a bar when somebody watches; else a line each time another tenth is.
    pub fn add(&self, part: f64, what: &str) {
        let mut done = self.done.lock().expect("no thread panics with it");
        let before = *done / self.all;
        *done += part;
        let now = *done / self.all;
        let mut out = stderr().lock();
        // Nothing depends on these being seen.
        if out.is_terminal() {
            let full = ((WIDTH as f64 * now).round() as usize).min(WIDTH);
            let (bar, rest) = ("#".repeat(full), "-".repeat(WIDTH - full));
            let _ = write!(
                out,
                "\r\x1b[K[{bar}{rest}] {:.0} % {what}{}",
                now * 100.0,
                if now > 0.999_999 { "\n" } else { "" }
            );
        } else if (now * 10.0 + 1e-6).floor() > (before * 10.0 + 1e-6).floor() {
            let _ = writeln!(out, "{:.0} % done", now * 100.0);
        }
    }
}
