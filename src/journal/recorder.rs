//! What a journal consists of, and the connection that writes it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Exchange, Journal};
use crate::{Action, Algorithm, Arc, Config, Connection, Controller, Error, Event, Instant, Path, Secrets, Segment};

/// How a connection was opened.
///
/// ```
/// use segue::journal::{Opening, Start};
/// use segue::{Config, Flags, Instant, Path, Secrets, Segment, SeqNum, State};
/// let state_of = |opening| {
///     let (config, path, secrets) = (Config::default(), Path::ipv4(1500), Secrets { iss: SeqNum::new(7), ts_offset: 0 });
///     Start { opening, config, path, secrets, at: Instant::ZERO }.open().0.state()
/// };
/// assert_eq!(state_of(Opening::Connect), State::SynSent);
/// assert_eq!(state_of(Opening::Listen), State::Listen);
/// let syn = Segment { seq: SeqNum::new(300), flags: Flags::SYN, ..Segment::default() };
/// assert_eq!(state_of(Opening::Accept(syn)), State::SynReceived);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Opening {
    /// By [`Connection::connect`].
    Connect,
    /// By [`Connection::listen`].
    Listen,
    /// By [`Connection::accept`] of this SYN.
    Accept(Segment),
    /// By [`Connection::connect_fast_open`], with no more text than the send buffer holds.
    #[cfg(feature = "fast-open")]
    ConnectFastOpen(crate::FastOpen),
    /// By [`Connection::accept_fast_open`] of this SYN, with this answer.
    #[cfg(feature = "fast-open")]
    AcceptFastOpen(Segment, crate::FastOpenAnswer),
}

/// All that a connection is opened with. It holds the secrets: keep a journal as you keep the octets of the connection.
///
/// ```
/// use segue::journal::{Opening, Start};
/// use segue::{Config, Instant, Path, Secrets, SeqNum};
/// let start = Start {
///     opening: Opening::Connect,
///     config: Config::builder().sack(false).build()?,
///     path: Path::ipv6(1500),
///     secrets: Secrets { iss: SeqNum::new(7), ts_offset: 9 },
///     at: Instant::from_secs(3),
/// };
/// let (connection, _) = start.open();
/// assert_eq!(connection.info().iss, SeqNum::new(7));
/// # Ok::<(), segue::ConfigError>(())
/// ```
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
    /// Opens the connection, and returns its first actions.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::{Action, State};
    /// let (connection, actions) = start.open();
    /// assert_eq!(connection.state(), State::SynSent);
    /// assert!(matches!(&actions[..], [Action::Transmit(_), Action::SetTimer(..)])); // the SYN
    /// ```
    pub fn open(&self) -> (Connection, Vec<Action>) {
        self.open_with(Algorithm::default())
    }

    /// [`open`](Self::open) with this congestion controller.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::Connection;
    /// use segue::congestion::Reno;
    /// let (connection, _): (Connection<Reno>, _) = start.open_with(Reno::default());
    /// assert_eq!(connection.info().flight, 1); // the SYN
    /// ```
    pub fn open_with<C: Controller>(&self, controller: C) -> (Connection<C>, Vec<Action>) {
        let (config, path, secrets) = (Arc::new(self.config), self.path, self.secrets);
        match &self.opening {
            Opening::Connect => Connection::connect_with(controller, config, path, secrets, self.at),
            Opening::Listen => (Connection::listen_with(controller, config, path, secrets), Vec::new()),
            Opening::Accept(syn) => Connection::accept_with(controller, config, path, secrets, syn.clone(), self.at),
            #[cfg(feature = "fast-open")]
            Opening::ConnectFastOpen(open) => {
                let (mut actions, mut open) = (Vec::new(), open.clone());
                open.text.truncate(usize::try_from(self.config.send_buffer()).unwrap_or(usize::MAX));
                (Connection::ask(controller, (config, path, secrets), open, self.at, &mut actions), actions)
            }
            #[cfg(feature = "fast-open")]
            Opening::AcceptFastOpen(syn, answer) => {
                let (mut actions, opening) = (Vec::new(), (config, path, secrets));
                let syn = syn.clone();
                let sink = &mut actions;
                (Connection::accept_fast_open_with_into(controller, opening, syn, *answer, self.at, sink), actions)
            }
        }
    }
}

/// An event, its time and what came of it.
///
/// ```
/// use segue::journal::{Answer, Entry};
/// use segue::{Error, Event, Instant};
/// let (at, event) = (Instant::from_millis(5), Event::Close);
/// let entry = Entry { at, event, answer: Answer::Refused(Error::NotConnected) };
/// assert!(entry.answer.actions().is_empty());
/// ```
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
///
/// ```
/// use segue::journal::{Answer, Line, Recorder};
/// use segue::{Error, Event, Instant};
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// let (mut recorder, _) = Recorder::begin(start);
/// recorder.handle(Event::Abort, Instant::ZERO);
/// let Line::Entry(entry) = recorder.handle(Event::Close, Instant::ZERO) else { unreachable!("a later line") };
/// assert_eq!(entry.answer, Answer::Refused(Error::NotConnected));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// These actions, in order.
    Actions(Vec<Action>),
    /// The call could not proceed, and changed nothing.
    Refused(Error),
}

impl Answer {
    /// The actions; none of a call that could not proceed.
    ///
    /// ```
    /// use segue::{Action, Error};
    /// use segue::journal::Answer;
    /// assert_eq!(Answer::Actions(vec![Action::Connected]).actions(), [Action::Connected]);
    /// assert_eq!(Answer::Refused(Error::Closing).actions(), []);
    /// ```
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::Actions(actions) => actions,
            Self::Refused(_) => &[],
        }
    }
}

/// A line of a journal.
///
/// ```
/// use segue::journal::{Line, Recorder};
/// use segue::{Event, Instant};
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// let (mut recorder, first) = Recorder::begin(start);
/// assert!(matches!(first, Line::Start { version: 1, .. }));
/// let second = recorder.handle(Event::Close, Instant::from_millis(5));
/// let Line::Entry(entry) = second else { unreachable!("a later line") };
/// assert_eq!((entry.at, entry.event), (Instant::from_millis(5), Event::Close));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant)] // a line lives until it is written
pub enum Line<C = Algorithm> {
    /// The first one.
    Start {
        /// The version of the form: [`Journal::VERSION`].
        version: u32,
        /// What the connection was opened with.
        start: Start,
        /// What the opening gave.
        actions: Vec<Action>,
    },
    /// An event.
    Entry(Entry),
    /// Another congestion controller.
    Exchange(Exchange<C>),
}

impl<C> Line<C> {
    /// The actions that the host carries out.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::journal::Recorder;
    /// use segue::{CloseReason, Event, Action};
    /// let (mut recorder, _) = Recorder::begin(start);
    /// let line = recorder.handle(Event::Abort, Instant::ZERO);
    /// assert_eq!(line.actions().last(), Some(&Action::Closed(CloseReason::Aborted)));
    /// ```
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::Start { actions, .. } => actions,
            Self::Entry(entry) => entry.answer.actions(),
            Self::Exchange(exchange) => &exchange.actions,
        }
    }
}

/// A connection that says what it was told and what it answered: a line for the log, whose actions the host carries
/// out.
///
/// ```
/// # use segue::Instant;
/// # use segue::journal::{Opening, Start};
/// # use segue::{Config, Path, Secrets, SeqNum};
/// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
/// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
/// # let start = Start { opening, config, path, secrets, at };
/// use segue::Event;
/// use segue::journal::{Journal, Recorder};
/// let (mut recorder, first) = Recorder::begin(start);
/// let mut log = vec![first]; // or a file
/// log.push(recorder.handle(Event::Send("GET /".into()), Instant::from_millis(1)));
/// log.push(recorder.handle(Event::Close, Instant::from_millis(2)));
/// assert_eq!(Journal::read(log)?.steps.len(), 2);
/// # Ok::<(), segue::journal::Unreadable>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Recorder<C: Controller = Algorithm> {
    connection: Connection<C>,
}

impl Recorder {
    /// Opens the connection.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::State;
    /// use segue::journal::Recorder;
    /// let (recorder, first) = Recorder::begin(start);
    /// assert_eq!(recorder.connection().state(), State::SynSent);
    /// assert_eq!(first.actions().len(), 2); // the SYN, and its timer
    /// ```
    pub fn begin(start: Start) -> (Self, Line) {
        Self::begin_with(Algorithm::default(), start)
    }
}

impl<C: Controller> Recorder<C> {
    /// [`begin`](Recorder::begin) with this congestion controller. A journal does not hold it: replay with the same. It holds those
    /// that take over later; to write it, `C` is data, too.
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
    /// let (recorder, first) = Recorder::begin_with(Reno::default(), start);
    /// let again = Journal::read([first])?.replay_with(Reno::default())?;
    /// assert_eq!(again, *recorder.connection());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn begin_with(controller: C, start: Start) -> (Self, Line<C>) {
        let (connection, actions) = start.open_with(controller);
        (Self { connection }, Line::Start { version: <Journal>::VERSION, start, actions })
    }

    /// Handles an event; the line holds its actions, or why the call could not proceed.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::journal::Recorder;
    /// use segue::{Event, Timer};
    /// let (mut recorder, _) = Recorder::begin(start);
    /// let line = recorder.handle(Event::Timer(Timer::Retransmit), Instant::from_secs(1));
    /// assert_eq!(line.actions().len(), 2); // the SYN again, and its timer
    /// ```
    #[must_use = "the line holds the actions, which the host carries out"]
    pub fn handle(&mut self, event: Event, now: Instant) -> Line<C> {
        Line::Entry(Entry { at: now, answer: answer(&mut self.connection, event.clone(), now), event })
    }

    /// Another congestion controller takes over ([`Connection::replace_controller`]). Returns the one before, and the line,
    /// which holds the new one as it was given.
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
    /// let (mut recorder, first) = Recorder::begin(start);
    /// let reno = Algorithm::Reno(Reno::default());
    /// let (before, second) = recorder.replace_controller(reno, Instant::from_millis(5));
    /// assert_eq!(before, Algorithm::default());
    /// assert_eq!(Journal::read([first, second])?.replay()?, *recorder.connection());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "the line holds the actions, which the host carries out"]
    pub fn replace_controller(&mut self, controller: C, now: Instant) -> (C, Line<C>) {
        let mut actions = Vec::new();
        let before = self.connection.replace_controller(controller.clone(), now, &mut actions);
        (before, Line::Exchange(Exchange { at: now, controller, actions }))
    }

    /// The connection: to ask for its state and its deadline.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::Timer;
    /// use segue::journal::Recorder;
    /// let (recorder, _) = Recorder::begin(start);
    /// assert_eq!(recorder.connection().next_deadline(), Some((Timer::Retransmit, Instant::from_secs(1))));
    /// ```
    pub const fn connection(&self) -> &Connection<C> {
        &self.connection
    }
}

pub(super) fn answer<C: Controller>(connection: &mut Connection<C>, event: Event, now: Instant) -> Answer {
    let mut actions = Vec::new();
    match connection.handle(event, now, &mut actions) {
        Ok(()) => Answer::Actions(actions),
        Err(error) => Answer::Refused(error),
    }
}
