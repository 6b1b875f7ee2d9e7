//! Two hosts with signed connections, and the datagrams between them, in virtual time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use segue::host::{Associations, Endpoint, EndpointConfig, Flow, Id, Listen, ListenerId, Received, Signal, Unsent};
use segue::ip::{Format, Ignored};
use segue::{Arc, CloseReason, Config, ConfigBuilder, Instant};
use segue_kit::Rng;

use super::Peers;

/// Client and server.
pub const ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];

/// BGP's, as in RFC 9235.
pub const PORT: u16 = 179;

/// Octet `at` of any stream.
pub const fn octet(at: u64) -> u8 {
    (at.wrapping_mul(167) >> 3) as u8
}

/// One connection as its user sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct User {
    /// Octets to write, then to close, if it closes first.
    pub octets: u64,
    pub closes: bool,
    pub written: u64,
    pub read: u64,
    pub eof: bool,
    pub closed: Option<CloseReason>,
    pub shut: bool,
}

/// A host: its connections, their signatures, their users.
#[derive(Clone, Debug)]
pub struct Host {
    pub endpoint: Endpoint,
    pub associations: Associations<Peers>,
    pub users: BTreeMap<Id, User>,
    /// What the user of an accepted connection does.
    pub accepted: User,
    listener: Option<ListenerId>,
    /// Datagrams that were ignored, and those that left.
    pub ignored: u64,
    pub sent: u64,
    /// SYNs that were answered with a cookie.
    pub cookies: u64,
    /// What could not leave.
    pub unsent: Vec<Unsent>,
}

impl Host {
    pub fn new(seed: u8, config: EndpointConfig, peers: Peers) -> Self {
        Self {
            endpoint: Endpoint::new(segue::host::Keys::new([seed; 16]), config),
            associations: Associations::new(peers),
            users: BTreeMap::new(),
            accepted: User::default(),
            listener: None,
            ignored: 0,
            sent: 0,
            cookies: 0,
            unsent: Vec::new(),
        }
    }

    pub fn listen(&mut self, listen: Listen) {
        self.listener = Some(self.endpoint.listen(listen).expect("the port is free"));
    }

    pub fn receive(&mut self, datagram: Bytes, now: Instant) -> Result<Received, Ignored> {
        let Self { endpoint, associations, .. } = self;
        let received = endpoint.receive_ip_signed(datagram, Format::default(), associations, now);
        self.ignored += u64::from(received.is_err());
        self.cookies += u64::from(received == Ok(Received::Cookie));
        received
    }

    /// Users take what there is and write what fits.
    fn serve(&mut self, now: Instant) {
        while let Some(id) = self.listener.and_then(|listener| self.endpoint.accept(listener)) {
            self.users.insert(id, self.accepted.clone());
        }
        while let Some((id, signal)) = self.endpoint.poll_signal() {
            let user = self.users.entry(id).or_default();
            match signal {
                Signal::PeerClosed => user.eof = true,
                Signal::Closed(reason) => user.closed = Some(reason),
                _ => {}
            }
        }
        for (&id, user) in &mut self.users {
            let Ok(mut socket) = self.endpoint.socket(id, now) else { continue };
            while let Some(text) = socket.chunk() {
                for &found in &text {
                    assert_eq!(found, octet(user.read), "octet {} of {id:?}", user.read);
                    user.read += 1;
                }
            }
            while user.written < user.octets {
                let next = user.octets.min(user.written + 4096);
                let text: Vec<u8> = (user.written..next).map(octet).collect();
                match socket.write(&text) {
                    Ok(octets @ 1..) => user.written += octets as u64,
                    Ok(0) | Err(_) => break,
                }
            }
            let done = socket.state().is_synchronized() && user.written == user.octets && (user.closes || user.eof);
            if done && !user.shut && socket.close().is_ok() {
                user.shut = true;
            }
        }
    }

    /// What leaves now.
    pub fn turn(&mut self, now: Instant) -> Vec<Bytes> {
        self.endpoint.timers(now);
        self.serve(now);
        let Self { endpoint, associations, .. } = self;
        let mut leaving = Vec::new();
        let unsent = endpoint.flush_ip_signed(now, Format::default(), associations, |datagram| {
            leaving.push(Bytes::copy_from_slice(datagram));
        });
        self.unsent.extend(unsent);
        self.sent += leaving.len() as u64;
        leaving
    }
}

/// What the network does, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub lost: u32,
    pub twice: u32,
    pub late: u32,
}

/// Both hosts and what is under way.
#[derive(Clone, Debug)]
pub struct World {
    pub now: Instant,
    pub hosts: [Host; 2],
    pub faults: Faults,
    pub rng: Rng,
    wire: BTreeMap<(Instant, u64), (usize, Bytes)>,
    count: u64,
    /// All that was put on the wire, with its sender, if it is to be kept.
    pub captured: Option<Vec<(usize, Bytes)>>,
}

/// A policy that leaves room for a signature.
pub fn policy(space: u8, change: impl FnOnce(ConfigBuilder) -> ConfigBuilder) -> EndpointConfig {
    let builder = Config::builder().option_space(space).msl(Duration::from_secs(1)).user_timeout(None);
    let connection = Arc::new(change(builder).build().expect("a valid policy"));
    EndpointConfig { connection, ..EndpointConfig::default() }
}

impl World {
    /// A client and a server, each with the keys of the other.
    pub fn new(seed: u64, config: &EndpointConfig, peers: [Peers; 2]) -> Self {
        let [client, server] = peers;
        let hosts = [Host::new(1, config.clone(), client), Host::new(2, config.clone(), server)];
        let (now, rng) = (Instant::from_millis(1000), Rng::new(seed));
        let (faults, wire) = (Faults::default(), BTreeMap::new());
        Self { now, hosts, faults, rng, wire, count: 0, captured: None }
    }

    /// The client opens a connection.
    pub fn connect(&mut self, user: User) -> Id {
        let remote = SocketAddr::new(ADDRESSES[1], PORT);
        let client = &mut self.hosts[0];
        let id = client.endpoint.connect(ADDRESSES[0], remote, self.now).expect("there is a port");
        client.users.insert(id, user);
        self.turn(0);
        id
    }

    /// The flow of the client's connection as it sees it.
    pub fn flow(&mut self, id: Id) -> Option<Flow> {
        self.hosts[0].endpoint.socket(id, self.now).ok()?.flow()
    }

    /// A host has a turn, and what it sends is under way.
    pub fn turn(&mut self, host: usize) {
        for datagram in self.hosts[host].turn(self.now) {
            self.put(host, datagram);
        }
    }

    /// A datagram of this host is under way, or gets lost.
    pub fn put(&mut self, from: usize, datagram: Bytes) {
        if let Some(captured) = &mut self.captured {
            captured.push((from, datagram.clone()));
        }
        if self.rng.chance(self.faults.lost) {
            return;
        }
        let copies = 1 + u64::from(self.rng.chance(self.faults.twice));
        for _ in 0..copies {
            let extra = if self.rng.chance(self.faults.late) { self.rng.below(30) } else { 0 };
            let at = self.now + Duration::from_millis(10 + u64::from(extra));
            self.count += 1;
            self.wire.insert((at, self.count), (1 - from, datagram.clone()));
        }
    }

    /// The next thing that happens; false when nothing does.
    pub fn step(&mut self) -> bool {
        let timers = [0, 1].map(|host| self.hosts[host].endpoint.next_deadline());
        let arrival = self.wire.keys().next().map(|(at, _)| *at);
        let Some(next) = timers.into_iter().chain([arrival]).flatten().min() else { return false };
        self.now = self.now.max(next);
        if arrival.is_some_and(|at| at <= self.now) {
            let Some((_, (to, datagram))) = self.wire.pop_first() else { return false };
            let _ = self.hosts[to].receive(datagram, self.now);
            self.turn(to);
        } else {
            self.turn(0);
            self.turn(1);
        }
        true
    }

    /// Goes on until this holds; false when it does not within this time, or nothing happens any more.
    pub fn until(&mut self, time: Duration, holds: impl Fn(&Self) -> bool) -> bool {
        let limit = self.now + time;
        while !holds(self) {
            if !self.step() || self.now > limit {
                return holds(self);
            }
        }
        true
    }

    /// Goes on for this time.
    pub fn pass(&mut self, time: Duration) {
        let limit = self.now + time;
        self.until(time, |world| world.now >= limit);
        self.now = self.now.max(limit);
    }

    /// Whether each user has read and written all.
    pub fn is_done(&self, octets: [u64; 2]) -> bool {
        let read = |host: usize, octets| {
            let users = &self.hosts[host].users;
            !users.is_empty() && users.values().all(|user| user.read == octets && user.closed.is_some())
        };
        read(0, octets[1]) && read(1, octets[0])
    }
}
