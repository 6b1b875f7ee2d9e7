//! What a failure shows: the line, expected against seen, the conversation up to there, and what to do.

use std::fmt;
use std::time::Duration;

/// Which kind of thing went wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The script cannot be read, or asks for what the runner does not have.
    Script,
    /// A packet left, with other fields.
    Packet,
    /// The right packet left too early or too late.
    Timing,
    /// No packet left.
    Nothing,
    /// A packet left that no line expects.
    Unexpected,
    /// A call returned something else.
    Result,
    /// A call waits that should return, or the reverse.
    Blocking,
    /// An assertion is false.
    Assertion,
    /// Payload or header is wrong whatever the script says: octets, checksums.
    Octets,
}

impl Kind {
    /// What to do next.
    const fn help(self) -> &'static str {
        match self {
            Self::Script => "correct this line; docs/packetdrill.md has the language, and what is not supported",
            Self::Packet => {
                "if the stack is right by the clause in the script's comment, put the packet that was seen into the line; \
                 otherwise the ladder shows what led to it"
            }
            Self::Timing => {
                "compare the time with the timer's rule; +0~+.05 accepts a range, * any time, and \
                 --tolerance_usecs=N at the top of the script another tolerance"
            }
            Self::Nothing => "the stack had nothing to send: look at the last arrows of the ladder, and at the timers",
            Self::Unexpected => "add a > line for it if the stack is right to send it",
            Self::Result => "compare with the call's result in the last lines of the ladder",
            Self::Blocking => {
                "write TIME...TIME before a call that waits, or make the socket nonblocking: \
                 fcntl(4, F_SETFL, O_RDWR|O_NONBLOCK) = 0"
            }
            Self::Assertion => "the values stand above; names without tcpi_ are the stack's own",
            Self::Octets => "the stack broke what no script may excuse: this is a fault of the stack",
        }
    }
}

/// A script that does not hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub kind: Kind,
    /// The line in the script.
    pub line: usize,
    /// One sentence.
    pub problem: String,
    /// The packet or result that the line expects, and the one that came; empty where there is no such pair.
    pub expected: String,
    pub seen: String,
    pub ladder: Ladder,
}

impl Failure {
    /// The report, with the name and text of the script.
    pub fn report(&self, file: &str, text: &str) -> String {
        let source = text.lines().nth(self.line.saturating_sub(1)).unwrap_or("").trim();
        let mut report = format!("{file}:{}: {}\n", self.line, self.problem);
        let mut row = |name: &str, value: &str| {
            if !value.is_empty() {
                report += &format!("  {name:<9} {value}\n");
            }
        };
        row("line", source);
        row("expected", &self.expected);
        row("seen", &self.seen);
        if !self.ladder.rows.is_empty() {
            report += &format!("\n{}\n", self.ladder);
        }
        report += &format!("  what to do: {}.\n", self.kind.help());
        report
    }
}

/// What happened so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ladder {
    pub rows: Vec<Row>,
}

/// One thing that happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    pub at: Duration,
    pub what: What,
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// From the stack to the peer.
    Left,
    /// From the peer to the stack.
    Arrived,
    /// By the user of the stack.
    User,
}

impl Ladder {
    pub fn push(&mut self, at: Duration, what: What, text: String) {
        self.rows.push(Row { at, what, text });
    }
}

/// Seconds with all six digits that count.
pub fn seconds(at: Duration) -> String {
    format!("{}.{:06}", at.as_secs(), at.subsec_micros())
}

impl fmt::Display for Ladder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LAST: usize = 40;
        writeln!(f, "  {:>11}  {:<34} {:^5} the script's peer", "seconds", "the stack and its user", "")?;
        let skipped = self.rows.len().saturating_sub(LAST);
        if skipped > 0 {
            writeln!(f, "  {:>11}  {skipped} rows before are left out", "...")?;
        }
        for row in &self.rows[skipped..] {
            let at = seconds(row.at);
            match row.what {
                What::User => writeln!(f, "  {at:>11}  {}", row.text)?,
                What::Left => writeln!(f, "  {at:>11}  {:<34} ----> {}", "", row.text)?,
                What::Arrived => writeln!(f, "  {at:>11}  {:<34} <---- {}", "", row.text)?,
            }
        }
        Ok(())
    }
}
