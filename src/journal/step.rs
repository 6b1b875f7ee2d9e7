//! What happens to a connection after its opening, and what comes of it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::recorder::{Answer, Entry, Line, answer};
use crate::{Action, Algorithm, Connection, Controller, Event, Instant};

/// Another congestion controller that took over, when, and what came of it.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::{Algorithm, Reno};
/// use segue::journal::{Exchange, Step};
/// let controller = Algorithm::Reno(Reno::default());
/// let exchange = Exchange { at: Instant::from_millis(5), controller, actions: vec![] };
/// assert_eq!(Step::Exchange(exchange).at(), Instant::from_millis(5));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Exchange<C = Algorithm> {
    /// When.
    pub at: Instant,
    /// The controller, as [`Connection::replace_controller`] was given it.
    pub controller: C,
    /// The actions, in order.
    pub actions: Vec<Action>,
}

/// What changed a connection: an event, or another congestion controller.
///
/// ```
/// use segue::journal::{Answer, Entry, Step};
/// use segue::{Error, Event, Instant};
/// let (at, event) = (Instant::from_millis(5), Event::Close);
/// let step: Step = Step::Entry(Entry { at, event, answer: Answer::Refused(Error::NotConnected) });
/// assert_eq!((step.at(), step.event()), (at, Some(&Event::Close)));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[allow(clippy::large_enum_variant)] // a few of many are the large one, and a box would be part of the interface
pub enum Step<C = Algorithm> {
    /// By [`Connection::handle`].
    Entry(Entry),
    /// By [`Connection::replace_controller`].
    Exchange(Exchange<C>),
}

/// What it consists of.
///
/// ```
/// use segue::Instant;
/// use segue::congestion::Algorithm;
/// use segue::journal::{Answer, Exchange, Step};
/// let step = Step::Exchange(Exchange { at: Instant::ZERO, controller: Algorithm::default(), actions: vec![] });
/// assert_eq!((step.event(), step.answer()), (None, Answer::Actions(vec![])));
/// ```
impl<C> Step<C> {
    /// When it happened.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::congestion::Algorithm;
    /// # use segue::journal::{Exchange, Step};
    /// let at = Instant::from_millis(5);
    /// let step = Step::Exchange(Exchange { at, controller: Algorithm::default(), actions: vec![] });
    /// assert_eq!(step.at(), at);
    /// ```
    pub const fn at(&self) -> Instant {
        match self {
            Self::Entry(entry) => entry.at,
            Self::Exchange(exchange) => exchange.at,
        }
    }

    /// The event; none where a congestion controller took over.
    ///
    /// ```
    /// # use segue::Instant;
    /// # use segue::congestion::Algorithm;
    /// # use segue::journal::{Exchange, Step};
    /// let (at, controller) = (Instant::ZERO, Algorithm::default());
    /// assert_eq!(Step::Exchange(Exchange { at, controller, actions: vec![] }).event(), None);
    /// ```
    pub const fn event(&self) -> Option<&Event> {
        match self {
            Self::Entry(entry) => Some(&entry.event),
            Self::Exchange(_) => None,
        }
    }

    /// What the connection answered. A controller that takes over cannot be refused.
    ///
    /// ```
    /// # use segue::Instant;
    /// use segue::journal::{Answer, Entry, Step};
    /// use segue::{Error, Event};
    /// let answer = Answer::Refused(Error::NotConnected);
    /// let step: Step = Step::Entry(Entry { at: Instant::ZERO, event: Event::Close, answer: answer.clone() });
    /// assert_eq!(step.answer(), answer);
    /// ```
    pub fn answer(&self) -> Answer {
        match self {
            Self::Entry(entry) => entry.answer.clone(),
            Self::Exchange(exchange) => Answer::Actions(exchange.actions.clone()),
        }
    }
}

impl<C: Controller> Step<C> {
    /// Does the same to `connection`, as it was done to the recorded one, and returns what came of it now.
    ///
    /// ```
    /// # use segue::journal::{Opening, Start};
    /// # use segue::{Config, Path, Secrets, SeqNum};
    /// # let secrets = Secrets { iss: SeqNum::new(7), ts_offset: 9 };
    /// # let (opening, config, path, at) = (Opening::Connect, Config::default(), Path::ipv4(1500), Instant::ZERO);
    /// # let start = Start { opening, config, path, secrets, at };
    /// use segue::congestion::{Algorithm, Reno};
    /// use segue::journal::{Exchange, Step};
    /// use segue::{Connection, Instant};
    /// let (mut connection, _) = start.open();
    /// let controller = Algorithm::Reno(Reno::default());
    /// let step = Step::Exchange(Exchange { at: Instant::from_millis(5), controller, actions: vec![] });
    /// assert_eq!(step.apply(&mut connection), step.answer());
    /// assert!(matches!(connection.controller(), Some(Algorithm::Reno(_))));
    /// ```
    pub fn apply(&self, connection: &mut Connection<C>) -> Answer {
        match self {
            Self::Entry(entry) => answer(connection, entry.event.clone(), entry.at),
            Self::Exchange(exchange) => {
                let mut actions = Vec::new();
                connection.replace_controller(exchange.controller.clone(), exchange.at, &mut actions);
                Answer::Actions(actions)
            }
        }
    }
}

impl<C> From<Step<C>> for Line<C> {
    fn from(step: Step<C>) -> Self {
        match step {
            Step::Entry(entry) => Self::Entry(entry),
            Step::Exchange(exchange) => Self::Exchange(exchange),
        }
    }
}
