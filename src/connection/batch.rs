//! A batch: several events of one time with one flush at their end.

use core::fmt;
use core::ops::Deref;

use alloc::vec::Vec;
use bytes::Bytes;

use super::Connection;
use super::parts::Open;
use crate::features::SHORTCUTS;
use crate::{Action, Algorithm, Controller, Error, Event, Instant, Segment, Sink, Timer};

/// Several events with one flush, when the value is dropped. [`Connection::batch`] makes it.
///
/// Each part acts at once, and its answers to the user (`Connected`, `Deliver`, `Acked`, `Writable` …) go into the sink at
/// once; so the user can act on them in the same batch.
/// What the stream owes leaves at the end, together: a reply carries the acknowledgment of its request, `send` and
/// [`close`](Self::close) put the FIN on the last text, the window update of `consume` rides on either.
///
/// The value reads as the connection: `batch.state()`, `batch.writable()`. A leaked batch (`core::mem::forget`) sends
/// nothing; the next event of the connection does. So does one whose sink panicked in a part.
///
/// ```
/// use segue::{Action, Arc, Config, Connection, Event, Flags, Instant, Path, Secrets, SeqNum};
/// # fn sent(actions: &[Action]) -> Vec<segue::Segment> {
/// #     actions.iter().filter_map(|a| if let Action::Transmit(s) = a { Some(s.clone()) } else { None }).collect()
/// # }
/// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
/// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
/// # let (mut client, actions) = Connection::connect(config.clone(), path, secrets(100), now);
/// # let (mut server, actions) = Connection::accept(config, path, secrets(300), sent(&actions).remove(0), now);
/// # let actions = client.handle_segment(sent(&actions).remove(0), now);
/// # server.handle_segment(sent(&actions).remove(0), now);
/// let request = sent(&client.send(&mut "GET /".into(), now)?).remove(0);
///
/// let mut actions = Vec::new();
/// let mut batch = server.batch(now, &mut actions);
/// batch.segment(request);
/// batch.consume(5);
/// batch.send(&mut "200 OK".into())?;
/// batch.close()?;
/// drop(batch); // here the segment leaves
/// let [reply] = &sent(&actions)[..] else { panic!("one segment") };
/// assert_eq!((reply.flags, &reply.payload[..]), (Flags::ACK | Flags::PSH | Flags::FIN, &b"200 OK"[..]));
/// # Ok::<(), segue::Error>(())
/// ```
#[must_use = "a batch sends when it is dropped"]
pub struct Batch<'a, S: Sink, C: Controller = Algorithm> {
    connection: &'a mut Connection<C>,
    sink: Watched<'a, S>,
    now: Instant,
    open: Open,
    /// Whether every part was done.
    is_whole: bool,
    record: Option<(Connection<C>, Vec<Event>)>,
}

/// The sink, and in debug builds what went into it.
struct Watched<'a, S> {
    sink: &'a mut S,
    actions: Vec<Action>,
}

/// Whether each batch proves that its record replays it.
const PROVES: bool = cfg!(any(debug_assertions, fuzzing));

impl<S: Sink> Sink for Watched<'_, S> {
    fn push(&mut self, action: Action) {
        if PROVES {
            self.actions.push(action.clone());
        }
        self.sink.push(action);
    }
}

impl<C: Controller> Connection<C> {
    /// Begins a batch: several events at `now`, their actions into `sink`, one flush when the value is dropped. It is
    /// the same as [`Event::Batch`] with its parts, which is what a record keeps.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::Flags;
    /// let mut actions = Vec::new();
    /// let mut batch = client.batch(now, &mut actions);
    /// batch.send(&mut "GET /".into())?;
    /// batch.close()?;
    /// drop(batch); // the flush: text and FIN leave in one segment
    /// assert!(sent(&actions).flags.contains(Flags::FIN) && sent(&actions).len() == 6);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn batch<'a, S: Sink>(&'a mut self, now: Instant, sink: &'a mut S) -> Batch<'a, S, C> {
        let record = PROVES.then(|| (self.clone(), Vec::new()));
        self.pass_to(now);
        let (sink, open) = (Watched { sink, actions: Vec::new() }, self.open_batch(SHORTCUTS));
        Batch { connection: self, sink, now, open, is_whole: true, record }
    }
}

impl<S: Sink, C: Controller> Batch<'_, S, C> {
    /// Any event. The methods below are short forms.
    ///
    /// # Errors
    /// Those of [`Connection::handle`]; the connection and the batch are unchanged then.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::Event;
    /// let mut actions = Vec::new();
    /// let mut batch = client.batch(now, &mut actions);
    /// batch.event(Event::SendMore("GET ".into()))?;
    /// batch.event(Event::Send("/".into()))?;
    /// drop(batch);
    /// assert_eq!(&sent(&actions).payload[..], b"GET /");
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn event(&mut self, event: Event) -> Result<(), Error> {
        self.connection.check_call(&event)?;
        if let Some((_, parts)) = &mut self.record {
            parts.push(event.clone());
        }
        self.is_whole = false; // until the part is done: the sink of a host may panic
        self.connection.part(event, self.now, &mut self.open, &mut self.sink);
        self.is_whole = true;
        Ok(())
    }

    /// An event that `check_call` lets pass in every state.
    fn infallible(&mut self, event: Event) {
        let done = self.event(event);
        debug_assert!(done.is_ok(), "it cannot fail");
    }

    /// SEGMENT ARRIVES (§3.10.7).
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// let request = sent(&client.send(&mut "GET /".into(), now)?);
    /// let mut actions = Vec::new();
    /// let mut batch = server.batch(now, &mut actions);
    /// batch.segment(request);
    /// assert_eq!(batch.info().unconsumed, 5); // already delivered
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn segment(&mut self, segment: Segment) {
        self.infallible(Event::Segment(segment));
    }

    /// All due timers run: at once as the first part, else after the flush.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::Action;
    /// let (mut client, _) = Connection::connect(config, path, secrets(100), now);
    /// let (timer, at) = client.next_deadline().expect("the retransmission timer");
    /// let mut actions = Vec::new();
    /// client.batch(at, &mut actions).timer(timer);
    /// assert!(matches!(actions[0], Action::Transmit(_))); // the SYN again
    /// ```
    pub fn timer(&mut self, timer: Timer) {
        self.infallible(Event::Timer(timer));
    }

    /// SEND: takes the octets from the front of `data` that fit the send buffer, leaves the rest there, and returns how
    /// many it took.
    ///
    /// # Errors
    /// Those of [`Connection::send`]; `data` is unchanged then.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// let mut actions = Vec::new();
    /// let mut batch = client.batch(now, &mut actions);
    /// assert_eq!(batch.send(&mut "GET ".into())?, 4);
    /// assert_eq!(batch.send(&mut "/".into())?, 1);
    /// drop(batch);
    /// assert_eq!(&sent(&actions).payload[..], b"GET /"); // one segment
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn send(&mut self, data: &mut Bytes) -> Result<usize, Error> {
        let room = self.connection.writable()?;
        let fits = data.len().min(room);
        if fits == 0 && !data.is_empty() {
            return Err(Error::NoRoom { room });
        }
        self.event(Event::Send(data.split_to(fits)))?;
        Ok(fits)
    }

    /// RECEIVE's effect on the receive window, as [`Connection::consume`].
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// let request = sent(&client.send(&mut "GET /".into(), now)?);
    /// let mut actions = Vec::new();
    /// let mut batch = server.batch(now, &mut actions);
    /// batch.segment(request);
    /// batch.consume(5);
    /// assert_eq!(batch.info().unconsumed, 0);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn consume(&mut self, octets: usize) {
        self.infallible(Event::Consume(octets));
    }

    /// CLOSE: the FIN leaves on the last text of the batch.
    ///
    /// # Errors
    /// Those of [`Connection::close`].
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Error, State};
    /// let mut actions = Vec::new();
    /// let mut batch = client.batch(now, &mut actions);
    /// batch.close()?;
    /// assert_eq!(batch.close(), Err(Error::Closing));
    /// drop(batch); // here the FIN leaves
    /// assert_eq!(client.state(), State::FinWait1);
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn close(&mut self) -> Result<(), Error> {
        self.event(Event::Close)
    }

    /// The user is gone, as [`Connection::release`].
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Action, CloseReason};
    /// let request = sent(&client.send(&mut "GET /".into(), now)?);
    /// let mut actions = Vec::new();
    /// let mut batch = server.batch(now, &mut actions);
    /// batch.segment(request);
    /// batch.release(); // the request is unread
    /// drop(batch);
    /// assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::Unread)));
    /// # Ok::<(), segue::Error>(())
    /// ```
    pub fn release(&mut self) {
        self.infallible(Event::Release);
    }

    /// ABORT.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// # let (mut client, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let (mut server, syn_ack) = Connection::accept(config.clone(), path, secrets(300), sent(&syn), now);
    /// # let ack = client.handle_segment(sent(&syn_ack), now);
    /// # server.handle_segment(sent(&ack), now);
    /// use segue::{Action, CloseReason};
    /// let mut actions = Vec::new();
    /// client.batch(now, &mut actions).abort();
    /// assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::Aborted)));
    /// ```
    pub fn abort(&mut self) {
        self.infallible(Event::Abort);
    }
}

impl<S: Sink, C: Controller> Deref for Batch<'_, S, C> {
    type Target = Connection<C>;

    fn deref(&self) -> &Connection<C> {
        self.connection
    }
}

impl<S: Sink, C: Controller> fmt::Debug for Batch<'_, S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl<S: Sink, C: Controller> Drop for Batch<'_, S, C> {
    fn drop(&mut self) {
        if !self.is_whole {
            return; // a panic unwinds: another one would abort the program
        }
        self.connection.end_batch(self.now, self.open, &mut self.sink);
        let Some((mut twin, parts)) = self.record.take().filter(|_| PROVES) else { return };
        let mut actions = Vec::new();
        twin.arrive(Event::Batch(parts), self.now, &mut actions);
        assert_eq!(actions, self.sink.actions, "the actions of the record, and those of the batch");
        assert_eq!(twin, *self.connection, "the connection after the record, and after the batch");
    }
}
