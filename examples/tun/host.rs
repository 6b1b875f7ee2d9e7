//! A small TCP host over segue: the loop that every embedder writes, in one piece.
//!
//! The machine decides what TCP does; the host brings it what happens (segments, the passing of time, what users want,
//! ICMP errors) and carries out what it asks for. Addresses, ports, clocks and secrets are the host's.
#![cfg(target_os = "linux")]

pub mod apps;
pub mod device;
pub mod isn;
pub mod link;

use segue::Arc;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{self, Duration};

use bytes::{Bytes, BytesMut};
use segue::codec::{self, Flow, Packet, PseudoHeader};
use segue::ip::{self, Datagram, Format, IcmpError};
use segue::{
    Action, Algorithm, CloseReason, Config, Connection, Error, Event, Flags, Info, Instant, Path, Segment, SeqNum,
    Timer,
};

use apps::{App, News};
use isn::Isn;
use link::Link;

/// How many connections may exist at once; a SYN beyond is dropped, and the peer will repeat it.
const MAX_CONNECTIONS: usize = 1024;

/// How many packets are handled before the timers are looked at.
const PACKETS_PER_TURN: usize = 64;

/// The ports for active opens (RFC 6335 §6).
const FIRST_EPHEMERAL: u16 = 49_152;
const EPHEMERAL_COUNT: u16 = 16_384;

/// Makes the user of a connection that somebody opens to us.
pub type Server = Box<dyn FnMut(&Flow) -> Box<dyn App> + Send>;

/// A TCP host on a link.
pub struct Host {
    link: Link,
    addresses: Vec<IpAddr>,
    config: Arc<Config>,
    algorithm: Algorithm,
    epoch: time::Instant,
    isn: Isn,
    servers: HashMap<u16, Server>,
    connections: HashMap<Flow, Entry>,
    opened: u16,
    ignored: BTreeMap<String, u64>,
}

/// One connection and what the host keeps beside it.
struct Entry {
    connection: Connection,
    inbox: Inbox,
    app: Box<dyn App>,
}

/// What came in and waits for the user.
#[derive(Default)]
struct Inbox {
    text: VecDeque<Bytes>,
    peer_closed: bool,
}

/// A connection as its user sees it.
pub struct Socket<'a> {
    flow: Flow,
    connection: &'a mut Connection,
    inbox: &'a mut Inbox,
    now: Instant,
    actions: &'a mut Vec<Action>,
}

impl Socket<'_> {
    /// Its two sockets.
    pub fn flow(&self) -> Flow {
        self.flow
    }

    /// The next text, in order. What the user takes from here opens the window for more: a user that does not read
    /// slows its peer down.
    pub fn read(&mut self) -> Option<Bytes> {
        let text = self.inbox.text.pop_front()?;
        self.event(Event::Consume(text.len())).ok();
        Some(text)
    }

    /// Sends as much of the text as there is room for and leaves the rest; the user is woken when there is room again.
    ///
    /// # Errors
    /// When the connection cannot send any more.
    pub fn send(&mut self, text: &mut Bytes) -> Result<(), Error> {
        match self.connection.send(text, self.now) {
            Ok(actions) => self.actions.extend(actions),
            Err(Error::NoRoom { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Nothing more to send. Reading goes on.
    ///
    /// # Errors
    /// When it was closed before.
    pub fn close(&mut self) -> Result<(), Error> {
        self.event(Event::Close)
    }

    /// Resets the connection.
    pub fn abort(&mut self) {
        self.event(Event::Abort).ok();
    }

    /// Whether the peer closed and everything it sent was read.
    pub fn at_end(&self) -> bool {
        self.inbox.peer_closed && self.inbox.text.is_empty()
    }

    /// The variables of the connection.
    pub fn info(&self) -> Info {
        self.connection.info()
    }

    fn event(&mut self, event: Event) -> Result<(), Error> {
        self.connection.handle(event, self.now, self.actions)
    }
}

impl Host {
    /// A host with these addresses.
    pub fn new(link: Link, addresses: &[IpAddr], config: Config) -> Self {
        Self {
            link,
            addresses: addresses.to_vec(),
            config: Arc::new(config),
            algorithm: Algorithm::default(),
            epoch: time::Instant::now(),
            isn: Isn::new(),
            servers: HashMap::new(),
            connections: HashMap::new(),
            opened: 0,
            ignored: BTreeMap::new(),
        }
    }

    /// What controls the congestion window of connections that are opened from now on.
    pub fn set_algorithm(&mut self, algorithm: Algorithm) {
        self.algorithm = algorithm;
    }

    /// Accepts connections to a port; the server makes a user for each.
    pub fn listen(&mut self, port: u16, server: Server) {
        self.servers.insert(port, server);
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When this host has no address of the peer's family or no port left, or the device fails.
    pub fn connect(&mut self, remote: SocketAddr, app: Box<dyn App>) -> io::Result<Flow> {
        let no_address = || io::Error::other(format!("this host has no address to reach {remote} from"));
        let local = *self.addresses.iter().find(|a| a.is_ipv4() == remote.is_ipv4()).ok_or_else(no_address)?;
        // Where the search starts is different for each pair of hosts and moves on (RFC 6056 §3.3.3, Algorithm 3).
        let start = self.isn.port_offset(local, &remote).wrapping_add(self.opened) % EPHEMERAL_COUNT;
        self.opened = self.opened.wrapping_add(1);
        let flow = (0..EPHEMERAL_COUNT)
            .map(|n| FIRST_EPHEMERAL + (start + n) % EPHEMERAL_COUNT)
            .filter_map(|port| Flow::new(SocketAddr::new(local, port), remote))
            .find(|flow| !self.connections.contains_key(flow))
            .ok_or_else(|| io::Error::other("no host has this address, or all ephemeral ports are in use"))?;
        self.open(flow, app)?;
        Ok(flow)
    }

    /// Active open between these two sockets, the second half of [`connect`](Self::connect).
    ///
    /// # Errors
    /// When the device fails.
    pub fn open(&mut self, flow: Flow, app: Box<dyn App>) -> io::Result<()> {
        let now = self.now();
        let secrets = self.isn.secrets(&flow, now);
        let (algorithm, config, path) = (self.algorithm.clone(), Arc::clone(&self.config), self.path(&flow));
        let (connection, actions) = Connection::connect_with(algorithm, config, path, secrets, now);
        self.connections.insert(flow, Entry { connection, inbox: Inbox::default(), app });
        self.carry_out(flow, now, actions)
    }

    /// One round: waits for a packet, until the next timer at most or until somebody uses the link's waker, then handles
    /// what came and the timers that are due.
    ///
    /// # Errors
    /// When the device fails.
    pub fn turn(&mut self) -> io::Result<()> {
        let next = self.connections.values().filter_map(|entry| entry.connection.next_deadline()).map(|d| d.1).min();
        let mut limit = next.map(|at| self.epoch + Duration::from_micros(at.as_micros()));
        for _ in 0..PACKETS_PER_TURN {
            let Some(packet) = self.link.receive(limit)? else { break };
            self.packet_arrives(&packet)?;
            limit = Some(self.epoch); // take the packets there, do not wait for more
        }
        self.run_timers()
    }

    /// Lets the user of a connection, or somebody in its place, act on it. `None` when it does not exist (any more).
    ///
    /// # Errors
    /// When the device fails.
    pub fn with_socket<T>(&mut self, flow: &Flow, act: impl FnOnce(&mut Socket<'_>) -> T) -> io::Result<Option<T>> {
        let now = self.now();
        let Some(entry) = self.connections.get_mut(flow) else { return Ok(None) };
        let mut actions = Vec::new();
        let result = act(&mut entry.socket(*flow, now, &mut actions).0);
        self.carry_out(*flow, now, actions)?;
        Ok(Some(result))
    }

    /// Gives later connections another configuration.
    pub fn configure(&mut self, config: Config) {
        self.config = Arc::new(config);
    }

    /// The connections that exist.
    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.connections.keys()
    }

    /// Why packets brought nothing, and how many.
    pub fn ignored(&self) -> &BTreeMap<String, u64> {
        &self.ignored
    }

    /// The link, to see to its capture.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Handles one packet.
    ///
    /// # Errors
    /// When the device fails.
    pub fn packet_arrives(&mut self, packet: &Bytes) -> io::Result<()> {
        let ignored = match ip::decode(packet.clone(), Format::default()) {
            Ok(Datagram::Tcp(addresses, packet)) => match flow_of(addresses, &packet) {
                Some(flow) => return self.segment_arrives(flow, packet.segment),
                None => "not between two hosts".to_owned(),
            },
            Ok(Datagram::Icmp(IcmpError { flow, kind, mtu, quoted_seq })) => {
                return self.event(flow, Event::Icmp { kind, quoted_seq, mtu });
            }
            Err(why) => why.to_string(),
        };
        *self.ignored.entry(ignored).or_default() += 1;
        Ok(())
    }

    fn segment_arrives(&mut self, flow: Flow, segment: Segment) -> io::Result<()> {
        if !self.addresses.contains(&flow.local().ip()) {
            return Ok(()); // not for us, and we are no router
        }
        if self.connections.contains_key(&flow) {
            return self.event(flow, Event::Segment(segment));
        }
        let opens = segment.flags & (Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN;
        if opens && self.servers.contains_key(&flow.local().port()) {
            return self.accept(flow, segment, None);
        }
        match codec::reset_for(&segment) {
            Some(reset) => send(&mut self.link, &flow, reset),
            None => Ok(()),
        }
    }

    /// Passive open: a SYN for one of our servers.
    fn accept(&mut self, flow: Flow, syn: Segment, iss_after: Option<SeqNum>) -> io::Result<()> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return Ok(());
        }
        let Some(server) = self.servers.get_mut(&flow.local().port()) else { return Ok(()) };
        let app = server(&flow);
        let now = self.now();
        let secrets = match iss_after {
            None => self.isn.secrets(&flow, now),
            Some(iss_after) => self.isn.successor(&flow, now, iss_after),
        };
        let (algorithm, config, path) = (self.algorithm.clone(), Arc::clone(&self.config), self.path(&flow));
        let (connection, actions) = Connection::accept_with(algorithm, config, path, secrets, syn, now);
        self.connections.insert(flow, Entry { connection, inbox: Inbox::default(), app });
        self.carry_out(flow, now, actions)
    }

    /// Every timer that is due. This host asks each connection for its next deadline instead of obeying `SetTimer`;
    /// one with many connections would keep a heap.
    fn run_timers(&mut self) -> io::Result<()> {
        let now = self.now();
        let due = |(flow, entry): (&Flow, &Entry)| {
            entry.connection.next_deadline().filter(|(_, at)| *at <= now).map(|(timer, _)| (*flow, timer))
        };
        let due: Vec<(Flow, Timer)> = self.connections.iter().filter_map(due).collect();
        due.into_iter().try_for_each(|(flow, timer)| self.event(flow, Event::Timer(timer)))
    }

    /// Brings a connection an event; one without a connection is lost.
    fn event(&mut self, flow: Flow, event: Event) -> io::Result<()> {
        let now = self.now();
        let mut actions = Vec::new();
        match self.connections.get_mut(&flow).map(|entry| entry.connection.handle(event, now, &mut actions)) {
            Some(Ok(())) => self.carry_out(flow, now, actions),
            // Segments, timers and ICMP errors are never refused, and there is nobody to ask about the others.
            Some(Err(_)) | None => Ok(()),
        }
    }

    /// Carries out what a connection asks for, and what it asks for when its user answers, until it asks no more.
    fn carry_out(&mut self, flow: Flow, now: Instant, mut actions: Vec<Action>) -> io::Result<()> {
        let Some(entry) = self.connections.get_mut(&flow) else { return Ok(()) };
        let (mut ended, mut successor) = (None, None);
        while !actions.is_empty() {
            let (mut news, mut more_pending) = (false, false);
            for action in actions.drain(..) {
                match action {
                    Action::Transmit(segment) => send(&mut self.link, &flow, segment)?,
                    Action::Deliver(text) => {
                        entry.inbox.text.push_back(text);
                        news = true;
                    }
                    Action::PeerClosed => {
                        entry.inbox.peer_closed = true;
                        news = true;
                    }
                    Action::Connected | Action::Writable | Action::Flushed => news = true,
                    Action::MorePending => more_pending = true,
                    Action::Successor { syn, iss_after } => successor = Some((*syn, iss_after)),
                    Action::Report(report) => entry.app.told(&flow, News::Report(report)),
                    Action::Closed(reason) => ended = Some(reason),
                    // Timers: see `run_timers`. The rest is statistics to this host.
                    _ => {}
                }
            }
            if more_pending {
                entry.connection.handle(Event::Continue, now, &mut actions).ok();
            }
            if news {
                let (mut socket, app) = entry.socket(flow, now, &mut actions);
                app.wake(&mut socket);
            }
        }
        self.finish(flow, ended, successor)
    }

    /// Forgets a connection that is over, or that makes way for the next one between the same sockets.
    fn finish(
        &mut self,
        flow: Flow,
        ended: Option<CloseReason>,
        successor: Option<(Segment, SeqNum)>,
    ) -> io::Result<()> {
        if ended.is_none() && successor.is_none() {
            return Ok(());
        }
        if let Some(mut entry) = self.connections.remove(&flow) {
            // A connection in TIME-WAIT that is succeeded had finished.
            let reason = ended.unwrap_or(CloseReason::Finished);
            entry.app.told(&flow, News::Closed(reason, Box::new(entry.connection.info())));
        }
        match successor {
            Some((syn, iss_after)) => self.accept(flow, syn, Some(iss_after)),
            None => Ok(()),
        }
    }

    fn path(&self, flow: &Flow) -> Path {
        Path::new(flow.remote().ip(), self.link.mtu())
    }

    fn now(&self) -> Instant {
        Instant::from_micros(u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX))
    }
}

/// The flow of a packet, unless one end is not a single host with a port, or both are the same host (MUST-57, MUST-63).
pub fn flow_of(addresses: PseudoHeader, packet: &Packet) -> Option<Flow> {
    Flow::of_received(addresses, packet).filter(|_| addresses.src() != addresses.dst())
}

fn send(link: &mut Link, flow: &Flow, segment: Segment) -> io::Result<()> {
    let mut datagram = BytesMut::new();
    ip::encode(flow.pseudo(), &flow.packet(segment), Format::default(), &mut datagram).map_err(io::Error::other)?;
    link.send(datagram.freeze())
}

impl Entry {
    fn socket<'a>(
        &'a mut self,
        flow: Flow,
        now: Instant,
        actions: &'a mut Vec<Action>,
    ) -> (Socket<'a>, &'a mut dyn App) {
        (Socket { flow, connection: &mut self.connection, inbox: &mut self.inbox, now, actions }, self.app.as_mut())
    }
}
