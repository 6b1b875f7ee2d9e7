//! A record of a connection: what it was opened with, and each event, or exchange of the congestion controller, with its
//! time and what it gave. The machine is deterministic, so a replay gives the same actions, or the [`Difference`] says where
//! it first does not.
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

mod recorder;
mod step;

use alloc::vec::Vec;
use core::fmt;

use crate::{Action, Algorithm, Connection, Controller, Instant};
pub use recorder::{Answer, Entry, Line, Opening, Recorder, Start};
pub use step::{Exchange, Step};

/// A whole record.
///
/// ```
/// # use segue::Instant;
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// # use segue::journal::Recorder;
/// # use segue::{Event, Timer};
/// # let (mut recorder, first) = Recorder::begin(start);
/// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
/// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
/// use segue::journal::Journal;
/// let journal = Journal::read([first, second, third])?;
/// let aborted = journal.steps.iter().position(|step| step.event() == Some(&Event::Abort));
/// assert_eq!(aborted, Some(1));
/// assert_eq!(journal.replay()?, *recorder.connection());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Journal<C = Algorithm> {
    /// What the connection was opened with.
    pub start: Start,
    /// What the opening gave.
    pub opened: Vec<Action>,
    /// What happened then.
    pub steps: Vec<Step<C>>,
}

/// From lines, to lines, and the replay.
///
/// ```
/// # use segue::Instant;
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// # use segue::journal::Recorder;
/// # use segue::{Event, Timer};
/// # let (mut recorder, first) = Recorder::begin(start);
/// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
/// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
/// use segue::journal::Journal;
/// let journal = Journal::read([first, second, third])?;
/// assert_eq!(Journal::read(journal.lines())?, journal);
/// # Ok::<(), segue::journal::Unreadable>(())
/// ```
impl<C: Controller> Journal<C> {
    /// The journal of these lines.
    ///
    /// # Errors
    /// [`Unreadable`] when they are no journal of one connection in this version of the form.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// # use segue::journal::Recorder;
    /// # use segue::{Event, Timer};
    /// # let (mut recorder, first) = Recorder::begin(start);
    /// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
    /// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
    /// use segue::journal::{Journal, Unreadable};
    /// assert_eq!(Journal::read([second.clone()]), Err(Unreadable::NoStart));
    /// let journal = Journal::read([first, second, third])?;
    /// assert_eq!(journal.steps.len(), 2);
    /// # Ok::<(), Unreadable>(())
    /// ```
    pub fn read(lines: impl IntoIterator<Item = Line<C>>) -> Result<Self, Unreadable> {
        let mut lines = lines.into_iter();
        let Some(Line::Start { version, start, actions: opened }) = lines.next() else {
            return Err(Unreadable::NoStart);
        };
        if version != Journal::VERSION {
            return Err(Unreadable::Version(version));
        }
        let steps = lines.map(|line| match line {
            Line::Start { .. } => Err(Unreadable::SecondStart),
            Line::Entry(entry) => Ok(Step::Entry(entry)),
            Line::Exchange(exchange) => Ok(Step::Exchange(exchange)),
        });
        Ok(Self { start, opened, steps: steps.collect::<Result<_, _>>()? })
    }

    /// The lines again.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// # use segue::journal::Recorder;
    /// # use segue::{Event, Timer};
    /// # let (mut recorder, first) = Recorder::begin(start);
    /// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
    /// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
    /// use segue::journal::Journal;
    /// let mut journal = Journal::read([first, second.clone(), third])?;
    /// journal.steps.truncate(1); // what led to it
    /// assert_eq!(journal.lines().last(), Some(second));
    /// # Ok::<(), segue::journal::Unreadable>(())
    /// ```
    pub fn lines(&self) -> impl Iterator<Item = Line<C>> + '_ {
        let (start, actions) = (self.start.clone(), self.opened.clone());
        let first = Line::Start { version: Journal::VERSION, start, actions };
        core::iter::once(first).chain(self.steps.iter().cloned().map(Line::from))
    }

    /// [`replay`](Self::replay) of a connection that was opened with this congestion controller.
    ///
    /// # Errors
    /// The first [`Difference`].
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::congestion::{Algorithm, Reno};
    /// use segue::journal::{Journal, Recorder};
    /// let reno = Algorithm::Reno(Reno::default());
    /// let (recorder, first) = Recorder::begin_with(reno.clone(), start);
    /// let journal = Journal::read([first])?;
    /// assert_eq!(journal.replay_with(reno)?, *recorder.connection());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay_with(&self, controller: C) -> Result<Connection<C>, Difference> {
        self.state_after_with(controller, self.steps.len())
    }

    /// [`state_after`](Self::state_after) of a connection that was opened with this congestion controller.
    ///
    /// # Errors
    /// The first [`Difference`] up to there.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::congestion::Reno;
    /// use segue::journal::{Journal, Recorder};
    /// use segue::{Event, State};
    /// let (mut recorder, first) = Recorder::begin_with(Reno::default(), start);
    /// let second = recorder.handle(Event::Abort, Instant::from_secs(2));
    /// let journal = Journal::read([first, second])?;
    /// assert_eq!(journal.state_after_with(Reno::default(), 0)?.state(), State::SynSent);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_after_with(&self, controller: C, steps: usize) -> Result<Connection<C>, Difference> {
        let (mut connection, opened) = self.start.open_with(controller);
        compare(0, self.start.at, Answer::Actions(self.opened.clone()), Answer::Actions(opened))?;
        for (step, number) in self.steps.iter().take(steps).zip(1..) {
            let replayed = step.apply(&mut connection);
            compare(number, step.at(), step.answer(), replayed)?;
        }
        Ok(connection)
    }
}

/// The form, and the replay of a connection that was opened with the default congestion controller.
///
/// ```
/// # use segue::Instant;
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// use segue::journal::{Journal, Line, Recorder};
/// let (recorder, first) = Recorder::begin(start);
/// assert!(matches!(first, Line::Start { version: Journal::VERSION, .. }));
/// assert_eq!(Journal::read([first])?.replay()?, *recorder.connection());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Journal {
    /// The version of the form that this crate writes and reads. It grows with each change of an event, an action or a
    /// setting that an older reader would take wrongly.
    pub const VERSION: u32 = 1;

    /// Runs it all again, and compares each answer with the recorded one. Returns the connection as it was at the end.
    ///
    /// # Errors
    /// The first [`Difference`]. A replay by the version of the crate that recorded gives none.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// # use segue::journal::Recorder;
    /// # use segue::{Event, Timer};
    /// # let (mut recorder, first) = Recorder::begin(start);
    /// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
    /// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
    /// use segue::State;
    /// use segue::journal::Journal;
    /// let journal = Journal::read([first, second, third])?;
    /// assert_eq!(journal.replay()?.state(), State::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replay(&self) -> Result<Connection, Difference> {
        self.state_after(self.steps.len())
    }

    /// The connection after this number of steps, 0: opened; more than there are: after all.
    ///
    /// # Errors
    /// The first [`Difference`] up to there.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// # use segue::journal::Recorder;
    /// # use segue::{Event, Timer};
    /// # let (mut recorder, first) = Recorder::begin(start);
    /// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
    /// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
    /// use segue::journal::Journal;
    /// let journal = Journal::read([first, second, third])?;
    /// let sent = |events| Ok::<_, Box<dyn std::error::Error>>(journal.state_after(events)?.info().counters.segments_out);
    /// assert_eq!((sent(0)?, sent(1)?), (1, 2)); // the SYN, and the SYN again
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn state_after(&self, steps: usize) -> Result<Connection, Difference> {
        self.state_after_with(Algorithm::default(), steps)
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
///
/// ```
/// use segue::journal::{Journal, Unreadable};
/// let error = <Journal>::read([]).unwrap_err();
/// assert_eq!(error, Unreadable::NoStart);
/// assert_eq!(error.to_string(), "the first line does not say how the connection was opened");
/// ```
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
///
/// ```
/// # use segue::Instant;
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// # use segue::journal::Recorder;
/// # use segue::{Event, Timer};
/// # let (mut recorder, first) = Recorder::begin(start);
/// # let second = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
/// # let third = recorder.handle(Event::Abort, Instant::from_secs(2));
/// use segue::Action;
/// use segue::journal::{Answer, Journal, Step};
/// let mut journal = Journal::read([first, second, third])?;
/// let Step::Entry(entry) = &mut journal.steps[0] else { unreachable!("the event was recorded") };
/// entry.answer = Answer::Actions(vec![Action::Flushed]); // as if another version had recorded it
/// let difference = journal.replay().unwrap_err();
/// assert_eq!((difference.event, difference.action), (1, 0));
/// assert!(difference.to_string().contains("Flushed recorded, Transmit"));
/// # Ok::<(), segue::journal::Unreadable>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Difference {
    /// The number of the event or of the exchange, from 1; 0: the opening.
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
