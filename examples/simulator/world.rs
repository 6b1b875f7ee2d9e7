//! The loop of events: the earliest of arrivals, deadlines and new connections decides the time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use segue::host::{Backlog, Deadlines, Endpoint, EndpointConfig, Full, Id, Keys, Listen, ListenerId, Signal, Socket};
use segue::{Arc, CloseReason, Config, Error, Instant};
use segue_kit::{Rng, secs, us};

use crate::args::Options;
use crate::network::{Network, Path};
use crate::task::{BULK, TIGHT, Task, Text, WEB};
use crate::trace::Trace;
use crate::user::{Client, Server};

pub const CLIENTS: usize = 8;
pub const SERVERS: usize = 2;
/// All connections begin within this time, whatever their number.
const BEGIN_WITHIN: Duration = secs(60);

/// What became of all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Summary {
    /// The reasons why the connections of clients ended, and the number of connections.
    pub ends: BTreeMap<String, u32>,
    /// Clients that got all that they wanted.
    pub served: u32,
    /// Octets that users received.
    pub octets: u64,
    pub packets: u64,
    pub lost: u64,
    /// When the last timer was over, TIME-WAIT included.
    pub until: Instant,
    /// Of all packets, losses and signals.
    pub hash: u64,
}

enum User {
    Client(Client),
    Server(Server),
}

/// An endpoint and its users.
struct Host {
    address: IpAddr,
    endpoint: Endpoint,
    listeners: Vec<ListenerId>,
    users: BTreeMap<Id, User>,
}

impl Host {
    fn new(address: Ipv4Addr, key: u64, config: EndpointConfig) -> Self {
        let keys = Keys::new((u128::from(key) << 64 | u128::from(!key)).to_be_bytes());
        let endpoint = Endpoint::new(keys, config);
        Self { address: address.into(), endpoint, listeners: Vec::new(), users: BTreeMap::new() }
    }

    /// The host listens to three ports on different terms.
    fn serve(&mut self) {
        // A client that gave up may be lost together with its reset.
        let config = Config::builder().keep_alive(true).keep_alive_idle(secs(60));
        let bulk = config.receive_buffer(1 << 20).send_buffer(1 << 20).build().expect("in range");
        let bulk = Listen { config: Some(Arc::new(bulk)), ..Listen::port(BULK) };
        let config = Some(Arc::new(config.build().expect("in range")));
        let web = Listen { config: config.clone(), ..Listen::port(WEB) };
        let backlog = Backlog { half_open: 2, ready: 2, full: Full::EvictOldest };
        let tight = Listen { config, backlog, ..Listen::port(TIGHT) };
        let listen = |listen| self.endpoint.listen(listen).expect("nobody listens yet");
        self.listeners = [web, bulk, tight].map(listen).into();
    }

    /// What the users do. Returns those whose connection is over, and why.
    fn act(&mut self, now: Instant, text: &Text, mut tell: impl FnMut(Id, Signal)) -> Vec<(User, String)> {
        for listener in &self.listeners {
            while let Some(id) = self.endpoint.accept(*listener) {
                self.users.insert(id, User::Server(Server::default()));
            }
        }
        let mut over = Vec::new();
        while let Some((id, signal)) = self.endpoint.poll_signal() {
            tell(id, signal);
            let Some(user) = self.users.get_mut(&id) else { continue };
            let gives_up = match self.endpoint.socket(id, now) {
                Ok(mut socket) => match user.act(&mut socket, text) {
                    Ok(true) => {
                        socket.abort();
                        Some("the user gave up".into())
                    }
                    Ok(false) | Err(_) => None, // an error: the last signal tells why
                },
                Err(_) => None,
            };
            let closed = if let Signal::Closed(reason) = signal { Some(reason.to_string()) } else { None };
            if let Some(end) = gives_up.or(closed) {
                over.extend(self.users.remove(&id).map(|user| (user, end)));
            }
        }
        over
    }
}

impl User {
    /// Goes as far as it can. Returns whether it wants to give up.
    fn act(&mut self, socket: &mut Socket<'_>, text: &Text) -> Result<bool, Error> {
        match self {
            Self::Client(client) => client.act(socket, text),
            Self::Server(server) => server.act(socket, text).map(|()| false),
        }
    }
}

/// All endpoints and what is between them.
struct World {
    now: Instant,
    hosts: Vec<Host>,
    /// Of each endpoint, by its number.
    deadlines: Deadlines<usize>,
    /// By client and server.
    paths: Vec<Path>,
    network: Network,
    /// The connections to come: when, and from which client to which server.
    to_come: BTreeMap<(Instant, u32), (usize, usize, Task)>,
    text: Text,
    trace: Trace,
    summary: Summary,
}

fn client(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, u8::try_from(n + 1).expect("few"))
}

fn server(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, u8::try_from(n + 1).expect("few"))
}

impl World {
    fn new(options: &Options) -> Self {
        let mut rng = Rng::new(options.seed);
        let (clients, servers) = ((0..CLIENTS).map(client), (0..SERVERS).map(server));
        let mut hosts: Vec<_> =
            clients.chain(servers).map(|ip| Host::new(ip, rng.next(), EndpointConfig::default())).collect();
        hosts[CLIENTS..].iter_mut().for_each(Host::serve);
        let paths = (0..CLIENTS * SERVERS).map(|_| Path::draw(&mut rng)).collect();
        let network = Network::new(rng.next());
        let span = u32::try_from(BEGIN_WITHIN.as_micros()).expect("it is short");
        let to_come = (0..options.connections).map(|n| {
            let at = Instant::ZERO + us(rng.below(span).into());
            let pair = (rng.below(CLIENTS as u32) as usize, CLIENTS + rng.below(SERVERS as u32) as usize);
            ((at, n), (pair.0, pair.1, Task::draw(&mut rng)))
        });
        let to_come = to_come.collect();
        Self {
            now: Instant::ZERO,
            hosts,
            deadlines: Deadlines::new(),
            paths,
            network,
            to_come,
            text: Text::default(),
            trace: Trace::default(),
            summary: Summary::default(),
        }
    }

    /// When the next thing happens.
    fn next(&self) -> Option<Instant> {
        let opens = self.to_come.first_key_value().map(|((at, _), _)| *at);
        [opens, self.network.next(), self.deadlines.next()].into_iter().flatten().min()
    }

    /// All that happens now. Returns the connections of clients that are over.
    fn turn(&mut self) -> u32 {
        let mut busy = BTreeSet::new();
        while let Some((to, ends, packet)) = self.network.arrived(self.now) {
            self.hosts[to].endpoint.receive(ends, packet, self.now);
            busy.insert(to);
        }
        while let Some(host) = self.deadlines.due(self.now) {
            busy.insert(host);
        }
        let mut over = 0;
        while let Some(first) = self.to_come.first_entry().filter(|first| first.key().0 <= self.now) {
            let (from, to, task) = first.remove();
            busy.insert(from);
            over += u32::from(!self.open(from, to, task));
        }
        over + busy.into_iter().map(|host| self.turn_of(host)).sum::<u32>()
    }

    /// A client wants a connection. Returns whether it comes about.
    fn open(&mut self, from: usize, to: usize, task: Task) -> bool {
        let remote = SocketAddr::new(self.hosts[to].address, task.port);
        let host = &mut self.hosts[from];
        match host.endpoint.connect(host.address, remote, self.now) {
            Ok(id) => {
                host.users.insert(id, User::Client(Client::new(task)));
                true
            }
            Err(error) => {
                *self.summary.ends.entry(error.to_string()).or_default() += 1;
                false
            }
        }
    }

    /// One endpoint: its timers, its users, and what they send.
    fn turn_of(&mut self, number: usize) -> u32 {
        let Self { now, hosts, deadlines, paths, network, text, trace, summary, .. } = self;
        let (now, host) = (*now, &mut hosts[number]);
        host.endpoint.timers(now);
        let mut over = 0;
        for (user, end) in host.act(now, text, |id, signal| trace.signal(now, number, id, signal)) {
            match user {
                User::Client(client) => {
                    over += 1;
                    let finished = end == CloseReason::Finished.to_string();
                    summary.served += u32::from(finished && client.is_served());
                    summary.octets += u64::from(client.read());
                    *summary.ends.entry(end).or_default() += 1;
                }
                User::Server(server) => summary.octets += server.read(),
            }
        }
        host.endpoint.flush(now, |ends, packet| {
            let to = number_of(ends.dst());
            let (client, server) = (number.min(to), number.max(to) - CLIENTS);
            let lost = network.send(now, &paths[client * SERVERS + server], (to, ends, &packet));
            trace.packet(now, ends, &packet, lost);
        });
        deadlines.set(number, host.endpoint.next_deadline());
        over
    }
}

/// The endpoint with this address.
fn number_of(ip: IpAddr) -> usize {
    let hosts = (0..CLIENTS).map(client).chain((0..SERVERS).map(server));
    hosts.zip(0..).find(|(address, _)| ip == *address).expect("packets go to hosts").1
}

/// Runs until all is silent. `tell` hears how many connections of clients are over, each time that some are.
///
/// # Panics
/// When an endpoint holds anything after that, or text was not what was sent.
pub fn run(options: &Options, mut tell: impl FnMut(u32)) -> Summary {
    let mut world = World::new(options);
    while let Some(at) = world.next() {
        world.now = world.now.max(at);
        let over = world.turn();
        if over > 0 {
            tell(over);
        }
    }
    for host in &world.hosts {
        assert!(
            host.endpoint.is_empty() && host.users.is_empty(),
            "{} is not silent: {:?}",
            host.address,
            host.endpoint
        );
    }
    let World { trace, summary, now, .. } = world;
    Summary { packets: trace.packets, lost: trace.lost, until: now, hash: trace.hash(), ..summary }
}
