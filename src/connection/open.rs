//! The OPEN calls (RFC 9293 §3.10.1).

use alloc::vec::Vec;

use super::Connection;
use super::listen::Listen;
use super::phase::Phase;
use super::state::{Origin, Stop};
use super::syn_sent::SynSent;
use super::tcb::{Cx, Tcb};
use crate::send::Sender;
use crate::{Action, Algorithm, Arc, CloseReason, Config, Controller, Instant, Path, Secrets, Segment, Sink};

impl Connection {
    /// Passive OPEN as hosts do it, a value of its own for each SYN (MUST-41): the SYN has arrived, so the host chooses
    /// the secrets by the addresses and ports (RFC 6528).
    ///
    /// Returns the SYN,ACK. To a segment that opens nothing it answers as LISTEN does, and the value is closed with
    /// [`CloseReason::NotSyn`].
    ///
    /// ```
    /// use segue::{Action, Arc, Config, Connection, Flags, Instant, Path, Secrets, Segment, SeqNum, State};
    /// // It arrived:
    /// let syn = Segment { seq: SeqNum::new(100), flags: Flags::SYN, window: 65535, ..Segment::default() };
    /// let (config, secrets) = (Arc::new(Config::default()), Secrets { iss: SeqNum::new(300), ts_offset: 0 });
    /// let (server, actions) = Connection::accept(config, Path::ipv4(1500), secrets, syn, Instant::ZERO);
    /// let Action::Transmit(syn_ack) = &actions[0] else { panic!("a SYN,ACK") };
    /// assert_eq!((syn_ack.flags, syn_ack.ack), (Flags::SYN | Flags::ACK, SeqNum::new(101)));
    /// assert_eq!(server.state(), State::SynReceived);
    /// ```
    pub fn accept(
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        Self::accept_with(Algorithm::default(), config, path, secrets, syn, now)
    }

    /// [`accept`](Self::accept) with the actions into `sink`, as [`connect_into`](Self::connect_into).
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// use segue::{Action, CloseReason, Flags, Segment};
    /// let stray = Segment { flags: Flags::ACK, ..Segment::default() }; // no SYN
    /// let mut actions = Vec::new();
    /// let server = Connection::accept_into(config, path, secrets(300), stray, now, &mut actions);
    /// assert_eq!(sent(&actions).flags, Flags::RST);
    /// assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::NotSyn)));
    /// ```
    pub fn accept_into(
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Self {
        Self::accept_with_into(Algorithm::default(), config, path, secrets, syn, now, sink)
    }

    /// The LISTEN state of the RFC as a value, for one peer. The first SYN uses the secrets up. When a reset brings the
    /// value back to LISTEN, it reports [`Action::ReturnedToListen`] and discards SYNs until
    /// [`Event::Rearm`](crate::Event::Rearm): no ISS serves twice.
    ///
    /// ```
    /// # use segue::{Action, Arc, Config, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # let of = |a: &Action| if let Action::Transmit(segment) = a { Some(segment.clone()) } else { None };
    /// # let sent = |actions: &[Action]| actions.iter().find_map(of).expect("a segment");
    /// use segue::{Connection, State};
    /// # let (_, syn) = Connection::connect(config.clone(), path, secrets(100), now);
    /// # let syn = sent(&syn);
    /// let mut server = Connection::listen(config, path, secrets(300));
    /// assert_eq!(server.state(), State::Listen);
    /// server.handle_segment(syn, now);
    /// assert_eq!(server.state(), State::SynReceived);
    /// ```
    pub fn listen(config: Arc<Config>, path: Path, secrets: Secrets) -> Self {
        Self::listen_with(Algorithm::default(), config, path, secrets)
    }

    /// Active OPEN: returns the SYN. The host chooses the addresses and ports, and by them the secrets (RFC 6528).
    ///
    /// ```
    /// use segue::{Action, Arc, Config, Connection, Flags, Instant, Path, Secrets, SeqNum, State};
    /// let (config, secrets) = (Arc::new(Config::default()), Secrets { iss: SeqNum::new(100), ts_offset: 0 });
    /// let (client, actions) = Connection::connect(config, Path::ipv4(1500), secrets, Instant::ZERO);
    /// let Action::Transmit(syn) = &actions[0] else { panic!("a SYN") };
    /// assert!(syn.flags.contains(Flags::SYN) && syn.seq == SeqNum::new(100));
    /// assert_eq!(client.state(), State::SynSent);
    /// ```
    pub fn connect(config: Arc<Config>, path: Path, secrets: Secrets, now: Instant) -> (Self, Vec<Action>) {
        Self::connect_with(Algorithm::default(), config, path, secrets, now)
    }

    /// [`connect`](Self::connect) with the actions into `sink`, without allocating for them.
    ///
    /// ```
    /// use segue::{Action, Arc, Config, Connection, Instant, Path, Secrets, Segment, SeqNum, State};
    /// let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// let mut device: Vec<Segment> = Vec::new(); // the queue of the host, which stays
    /// let mut send = |action: Action| {
    ///     if let Action::Transmit(segment) = action {
    ///         device.push(segment);
    ///     }
    /// };
    /// let client = Connection::connect_into(config.clone(), path, secrets(100), now, &mut send);
    /// let syn = device.remove(0);
    /// let mut send = |action: Action| if let Action::Transmit(segment) = action { device.push(segment) };
    /// let server = Connection::accept_into(config, path, secrets(300), syn, now, &mut send);
    /// assert_eq!((client.state(), server.state()), (State::SynSent, State::SynReceived));
    /// assert_eq!(device.len(), 1); // the SYN,ACK
    /// ```
    pub fn connect_into(config: Arc<Config>, path: Path, secrets: Secrets, now: Instant, sink: &mut impl Sink) -> Self {
        Self::connect_with_into(Algorithm::default(), config, path, secrets, now, sink)
    }
}

impl<C: Controller> Connection<C> {
    /// [`accept`](Connection::accept) with this congestion controller.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # use segue::{Flags, Segment};
    /// # let syn = Segment { flags: Flags::SYN, window: 65535, ..Segment::default() };
    /// use segue::congestion::Reno;
    /// let (server, actions) = Connection::accept_with(Reno::default(), config, path, secrets(300), syn, now);
    /// let server: Connection<Reno> = server; // the controller is part of the type
    /// ```
    pub fn accept_with(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        (Self::accept_with_into(controller, config, path, secrets, syn, now, &mut actions), actions)
    }

    /// [`accept_into`](Connection::accept_into) with this congestion controller.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// # use segue::{Flags, Segment, State};
    /// # let syn = Segment { flags: Flags::SYN, window: 65535, ..Segment::default() };
    /// use segue::congestion::Reno;
    /// let mut actions = Vec::new();
    /// let server = Connection::accept_with_into(Reno::default(), config, path, secrets(300), syn, now, &mut actions);
    /// assert_eq!(server.state(), State::SynReceived);
    /// ```
    pub fn accept_with_into(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        syn: Segment,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Self {
        Self::open_passive(controller, (config, path, secrets), syn, now, sink, |_, _, _| {})
    }

    /// Passive OPEN by a SYN, which `answer` may look at once more.
    pub(super) fn open_passive(
        controller: C,
        (config, path, secrets): (Arc<Config>, Path, Secrets),
        mut syn: Segment,
        now: Instant,
        sink: &mut impl Sink,
        answer: impl FnOnce(&mut Tcb<C>, &Segment, &mut Cx<'_, '_>),
    ) -> Self {
        let listen = Listen { controller, secrets: Some(secrets) };
        let mut connection = Self::new(Phase::Listen(listen), config, path);
        connection.event(now, sink, false, |phase, cx| {
            phase.segment_arrives(&mut syn, cx);
            match phase {
                Phase::Live(tcb) => {
                    tcb.origin = Origin::Accept;
                    answer(tcb, &syn, cx);
                }
                Phase::Closed | Phase::Listen(_) | Phase::SynSent(_) => {
                    phase.stop(Stop::Delete(CloseReason::NotSyn), cx);
                }
            }
        });
        connection
    }

    /// [`listen`](Connection::listen) with this congestion controller.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::{State, congestion::Reno};
    /// let server = Connection::listen_with(Reno::default(), config, path, secrets(300));
    /// assert_eq!(server.state(), State::Listen);
    /// ```
    pub fn listen_with(controller: C, config: Arc<Config>, path: Path, secrets: Secrets) -> Self {
        Self::new(Phase::Listen(Listen { controller, secrets: Some(secrets) }), config, path)
    }

    /// [`connect`](Connection::connect) with this congestion controller.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::congestion::{Algorithm, Reno};
    /// let (client, actions) = Connection::connect_with(Reno::default(), config.clone(), path, secrets(100), now);
    /// let client: Connection<Reno> = client; // the controller is part of the type
    /// // `Algorithm` holds one of the built-in controllers: the type of the connection stays the same.
    /// let controller = Algorithm::Reno(Reno::default());
    /// let (client, actions): (Connection, _) = Connection::connect_with(controller, config, path, secrets(200), now);
    /// ```
    pub fn connect_with(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        now: Instant,
    ) -> (Self, Vec<Action>) {
        let mut actions = Vec::new();
        (Self::connect_with_into(controller, config, path, secrets, now, &mut actions), actions)
    }

    /// [`connect_into`](Connection::connect_into) with this congestion controller.
    ///
    /// ```
    /// # use segue::{Arc, Config, Connection, Instant, Path, Secrets, SeqNum};
    /// # let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::ZERO);
    /// # let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    /// use segue::congestion::Reno;
    /// let mut actions = Vec::new();
    /// let client = Connection::connect_with_into(Reno::default(), config, path, secrets(100), now, &mut actions);
    /// assert!(client.next_deadline().is_some() && !actions.is_empty());
    /// ```
    pub fn connect_with_into(
        controller: C,
        config: Arc<Config>,
        path: Path,
        secrets: Secrets,
        now: Instant,
        sink: &mut impl Sink,
    ) -> Self {
        let mut connection = Self::new(Phase::Closed, config, path);
        connection.event(now, sink, false, |phase, cx| {
            let snd = Sender::new(secrets.iss, controller, cx.config, cx.now);
            *phase = Phase::SynSent(SynSent::new(snd, secrets.ts_offset, cx.now));
        });
        connection
    }
}
