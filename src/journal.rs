//! A record of a connection: what it was opened with, and each event with its time and what it gave. The machine is
//! deterministic, so a replay gives the same actions, or the [`Difference`] says where it first does not.
//!
//! The types are plain values that any `serde` format writes; a [`Line`] is what a log takes at a time.
//!
//! ```
//! use segue::journal::{Journal, Opening, Recorder, Start};
//! use segue::{Config, Event, Instant, Path, Secrets, SeqNum};
//!
//! let start = Start {
//!     opening: Opening::Connect,
//!     config: Config::default(),
//!     path: Path::ipv4(1500),
//!     secrets: Secrets { iss: SeqNum::new(7), ts_offset: 9 },
//!     at: Instant::ZERO,
//! };
//! let (mut recorder, first) = Recorder::begin(start);
//! let second = recorder.handle(Event::Close, Instant::from_millis(5));
//!
//! // A log takes each line as JSON or in any other format of serde, and gives it back.
//! let journal = Journal::read([first, second])?;
//! assert_eq!(journal.replay()?, *recorder.connection());
//! assert_eq!(journal.state_after(0)?.state().name(), "SYN-SENT");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::{Action, Algorithm, Arc, Config, Connection, Controller, Error, Event, Instant, Path, Secrets, Segment};

/// How a connection was opened.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Opening {
    /// By [`Connection::connect`].
    Connect,
    /// By [`Connection::listen`].
    Listen,
    /// By [`Connection::accept`] of this SYN.
    Accept(Segment),
}

/// All that a connection is opened with. It holds the secrets: keep a journal as you keep the octets of the connection.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Start {
    /// The call.
    pub opening: Opening,
    /// The configuration.
    pub config: Config,
    /// The path.
    pub path: Path,
    /// The secrets.
    pub secrets: Secrets,
    /// When. [`Connection::listen`] takes no time: there it is only for the reader.
    pub at: Instant,
}

impl Start {
    /// Opens the connection.
    pub fn open(&self) -> (Connection, Vec<Action>) {
        self.open_with(Algorithm::default())
    }

    /// [`open`](Self::open) with this congestion controller.
    pub fn open_with<C: Controller>(&self, controller: C) -> (Connection<C>, Vec<Action>) {
        let (config, path, secrets) = (Arc::new(self.config), self.path, self.secrets);
        match &self.opening {
            Opening::Connect => Connection::connect_with(controller, config, path, secrets, self.at),
            Opening::Listen => (Connection::listen_with(controller, config, path, secrets), Vec::new()),
            Opening::Accept(syn) => Connection::accept_with(controller, config, path, secrets, syn.clone(), self.at),
        }
    }
}

/// An event, its time and what came of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// The event.
    pub event: Event,
    /// What the connection answered.
    pub answer: Answer,
}

/// What came of an event.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// These actions, in order.
    Actions(Vec<Action>),
    /// The call could not proceed, and changed nothing.
    Refused(Error),
}

impl Answer {
    /// The actions; none of a call that could not proceed.
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::Actions(actions) => actions,
            Self::Refused(_) => &[],
        }
    }
}

/// A line of a journal.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // a line lives until it is written
pub enum Line {
    /// The first one.
    Start {
        /// The version of the form: [`Journal::VERSION`].
        version: u32,
        /// What the connection was opened with.
        start: Start,
        /// What the opening gave.
        actions: Vec<Action>,
    },
    /// Each other one.
    Entry(Entry),
}

impl Line {
    /// The actions that the host carries out.
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::Start { actions, .. } => actions,
            Self::Entry(entry) => entry.answer.actions(),
        }
    }
}

/// A connection that says what it was told and what it answered: a line for the log, whose actions the host carries
/// out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Recorder<C: Controller = Algorithm> {
    connection: Connection<C>,
}

impl Recorder {
    /// Opens the connection.
    pub fn begin(start: Start) -> (Self, Line) {
        Self::begin_with(Algorithm::default(), start)
    }
}

impl<C: Controller> Recorder<C> {
    /// [`begin`](Recorder::begin) with this congestion controller. A journal does not hold it: replay with the same.
    pub fn begin_with(controller: C, start: Start) -> (Self, Line) {
        let (connection, actions) = start.open_with(controller);
        (Self { connection }, Line::Start { version: Journal::VERSION, start, actions })
    }

    /// Handles an event; the line holds its actions, or why the call could not proceed.
    #[must_use = "the line holds the actions, which the host carries out"]
    pub fn handle(&mut self, event: Event, now: Instant) -> Line {
        Line::Entry(Entry { at: now, answer: answer(&mut self.connection, event.clone(), now), event })
    }

    /// The connection.
    pub const fn connection(&self) -> &Connection<C> {
        &self.connection
    }
}

fn answer<C: Controller>(connection: &mut Connection<C>, event: Event, now: Instant) -> Answer {
    let mut actions = Vec::new();
    match connection.handle(event, now, &mut actions) {
        Ok(()) => Answer::Actions(actions),
        Err(error) => Answer::Refused(error),
    }
}

/// A whole record.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Journal {
    /// What the connection was opened with.
    pub start: Start,
    /// What the opening gave.
    pub opened: Vec<Action>,
    /// What happened then.
    pub entries: Vec<Entry>,
}

impl Journal {
    /// The version of the form that this crate writes and reads. It grows with each change of an event, an action or a
    /// setting that an older reader would take wrongly.
    pub const VERSION: u32 = 1;

    /// The journal of these lines.
    ///
    /// # Errors
    /// [`Unreadable`] when they are no journal of one connection in this version of the form.
    pub fn read(lines: impl IntoIterator<Item = Line>) -> Result<Self, Unreadable> {
        let mut lines = lines.into_iter();
        let Some(Line::Start { version, start, actions: opened }) = lines.next() else {
            return Err(Unreadable::NoStart);
        };
        if version != Self::VERSION {
            return Err(Unreadable::Version(version));
        }
        let entries = lines.map(|line| match line {
            Line::Start { .. } => Err(Unreadable::SecondStart),
            Line::Entry(entry) => Ok(entry),
        });
        Ok(Self { start, opened, entries: entries.collect::<Result<_, _>>()? })
    }

    /// The lines again.
    pub fn lines(&self) -> impl Iterator<Item = Line> + '_ {
        let (start, actions) = (self.start.clone(), self.opened.clone());
        let first = Line::Start { version: Self::VERSION, start, actions };
        core::iter::once(first).chain(self.entries.iter().cloned().map(Line::Entry))
    }

    /// Runs it all again, and compares each answer with the recorded one. Returns the connection as it was at the end.
    ///
    /// # Errors
    /// The first [`Difference`]. A replay by the version of the crate that recorded gives none.
    pub fn replay(&self) -> Result<Connection, Difference> {
        self.state_after(self.entries.len())
    }

    /// [`replay`](Self::replay) of a connection that was opened with this congestion controller.
    ///
    /// # Errors
    /// The first [`Difference`].
    pub fn replay_with<C: Controller>(&self, controller: C) -> Result<Connection<C>, Difference> {
        self.state_after_with(controller, self.entries.len())
    }

    /// The connection after this number of events, 0: opened; more than there are: after all.
    ///
    /// # Errors
    /// The first [`Difference`] up to there.
    pub fn state_after(&self, events: usize) -> Result<Connection, Difference> {
        self.state_after_with(Algorithm::default(), events)
    }

    /// [`state_after`](Self::state_after) of a connection that was opened with this congestion controller.
    ///
    /// # Errors
    /// The first [`Difference`] up to there.
    pub fn state_after_with<C: Controller>(&self, controller: C, events: usize) -> Result<Connection<C>, Difference> {
        let (mut connection, opened) = self.start.open_with(controller);
        compare(0, self.start.at, Answer::Actions(self.opened.clone()), Answer::Actions(opened))?;
        for (entry, number) in self.entries.iter().take(events).zip(1..) {
            let now = answer(&mut connection, entry.event.clone(), entry.at);
            compare(number, entry.at, entry.answer.clone(), now)?;
        }
        Ok(connection)
    }
}

fn compare(event: usize, at: Instant, recorded: Answer, replayed: Answer) -> Result<(), Difference> {
    if recorded == replayed {
        return Ok(());
    }
    let same = recorded.actions().iter().zip(replayed.actions()).take_while(|(a, b)| a == b);
    Err(Difference { event, at, action: same.count(), recorded, replayed })
}

/// Lines that are no journal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Unreadable {
    /// The first line is no [`Line::Start`].
    NoStart,
    /// A later line is one: two journals stand in one log.
    SecondStart,
    /// Another version of the form.
    Version(u32),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStart => f.write_str("the first line does not say how the connection was opened"),
            Self::SecondStart => f.write_str("a second connection begins: give the lines of one"),
            Self::Version(other) => {
                write!(f, "the journal has version {other}, this crate reads version {}", Journal::VERSION)
            }
        }
    }
}

impl core::error::Error for Unreadable {}

/// Where a replay first gave something else.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Difference {
    /// The number of the event, from 1; 0: the opening.
    pub event: usize,
    /// When.
    pub at: Instant,
    /// The position of the first action that differs, from 0.
    pub action: usize,
    /// What the journal says.
    pub recorded: Answer,
    /// What the replay gave.
    pub replayed: Answer,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, at, action, recorded, replayed } = self;
        match event {
            0 => write!(f, "the opening at {at:?} differs in action {action}: ")?,
            event => write!(f, "event {event} at {at:?} differs in action {action}: ")?,
        }
        shown(f, recorded, *action)?;
        f.write_str(" recorded, ")?;
        shown(f, replayed, *action)?;
        f.write_str(" replayed")
    }
}

fn shown(f: &mut fmt::Formatter<'_>, answer: &Answer, action: usize) -> fmt::Result {
    match answer {
        Answer::Actions(actions) => match actions.get(action) {
            Some(action) => write!(f, "{action:?}"),
            None => f.write_str("nothing"),
        },
        Answer::Refused(error) => write!(f, "Err({error:?})"),
    }
}

impl core::error::Error for Difference {}
