//! Two endpoints and the packets under way between them.

use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use segue::Instant;
use segue::codec::{self, Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Flow, Id, Keys, Listen, ListenerId, Received, Signal};
use segue::ip::Format;
use segue::{IcmpKind, State};

use super::super::behaviour;
use super::super::features::Features;
use super::users::User;

/// The addresses of the client and of the server.
pub(super) const ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))];

/// A channel that holds as many packets loses the next.
const ROOM: usize = 256;

/// The client, the server, and the network between them.
pub(super) struct Net {
    pub(super) now: Instant,
    pub(super) ends: [Endpoint; 2],
    /// Laws of text are off.
    pub(super) hostile: bool,
    pub(super) features: Features,
    flying: [VecDeque<(PseudoHeader, Packet)>; 2],
    pub(super) listeners: Vec<(ListenerId, Listen)>,
    pub(super) users: [BTreeMap<Id, User>; 2],
    /// Whose ids are void.
    pub(super) old: [Vec<(Id, User)>; 2],
}

impl Net {
    pub(super) fn new([client, server]: [EndpointConfig; 2], hostile: bool, features: Features) -> Self {
        let [first, second] = [Keys::new(*b"a client's key.."), Keys::new(*b"a server's key..")];
        let ends = [
            Endpoint::with_controller(first, client, features.controller(0)),
            Endpoint::with_controller(second, server, features.controller(1)),
        ];
        Self {
            now: Instant::from_millis(1000),
            ends,
            hostile,
            features,
            flying: Default::default(),
            listeners: Vec::new(),
            users: Default::default(),
            old: Default::default(),
        }
    }

    pub(super) fn listen(&mut self, listens: Vec<Listen>) {
        for listen in listens {
            let id = self.ends[1].listen(listen.clone()).expect("nobody listens there");
            self.listeners.push((id, listen));
        }
    }

    /// The listener goes with all that waits in it, and a new one comes.
    pub(super) fn unlisten(&mut self, which: usize) {
        let which = which % self.listeners.len();
        let (id, listen) = self.listeners[which].clone();
        assert!(self.ends[1].unlisten(id, self.now), "it listened");
        assert!(!self.ends[1].unlisten(id, self.now), "it listens no more");
        assert_eq!(self.ends[1].accept(id), None, "nobody listens");
        let id = self.ends[1].listen(listen.clone()).expect("its place is free");
        self.listeners[which] = (id, listen);
    }

    pub(super) fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    pub(super) fn timers(&mut self, end: usize) {
        self.ends[end].timers(self.now);
        let next = self.ends[end].next_deadline();
        let over = next.is_some_and(|at| at > Instant::ZERO && at <= self.now); // zero: signals wait
        assert!(!over || self.ends[end].wants_flush(), "a deadline that stays: {next:?}");
    }

    /// A turn ends: what fits the device leaves, signals are taken.
    pub(super) fn flush(&mut self, end: usize, room: usize) {
        let mut out = Vec::new();
        self.ends[end].flush_while(self.now, |addresses, packet| {
            let takes = out.len() < room;
            if takes {
                out.push((addresses, packet.clone()));
            }
            takes
        });
        assert!(out.len() == room || !self.ends[end].wants_flush(), "the device had room");
        behaviour::note_packets(&out);
        for (addresses, packet) in out {
            // What answers made-up packets may be for anybody.
            if addresses.dst() == ADDRESSES[1 - end] && self.flying[1 - end].len() < ROOM {
                self.flying[1 - end].push_back((addresses, packet));
            }
        }
        while let Some((id, signal)) = self.ends[end].poll_signal() {
            behaviour::note(|| (id, signal));
            assert!(self.users[end].contains_key(&id), "a signal for nobody: {id} {signal}");
            if let Ok(socket) = self.ends[end].socket(id, self.now) {
                assert!(signal != Signal::Readable || socket.readable() > 0, "nothing to read: {id}");
            } else {
                assert!(matches!(signal, Signal::Closed(_)), "{signal} of a void id");
                self.retire(end, id);
            }
        }
    }

    pub(super) fn receive(&mut self, end: usize, addresses: Option<PseudoHeader>, packet: Packet) {
        let Some(addresses) = addresses else { return };
        let before = self.ends[end].len();
        let received = self.ends[end].receive(addresses, packet, self.now);
        behaviour::note(|| received);
        if matches!(received, Received::Stray | Received::Unusable | Received::Foreign | Received::Cookie) {
            assert_eq!(self.ends[end].len(), before, "{received:?} costs nothing lasting");
        }
    }

    pub(super) fn receive_ip(&mut self, end: usize, octets: Vec<u8>, format: Format) {
        let before = self.ends[end].len();
        let received = self.ends[end].receive_ip(octets.into(), format, self.now);
        behaviour::note(|| received);
        if received.is_err() {
            assert_eq!(self.ends[end].len(), before, "{received:?} costs nothing lasting");
        }
    }

    pub(super) fn icmp(&mut self, end: usize, addresses: PseudoHeader, packet: &Packet, error: (IcmpKind, u16)) {
        let Some(flow) = Flow::of_received(addresses, packet).map(|flow| flow.reversed()) else { return };
        let _ = self.ends[end].icmp(&flow, error, packet.segment.seq, self.now);
    }

    /// The first segment of the `n`th packet under way to an end, as a header can hold it.
    pub(super) fn segment_under_way(&self, end: usize, n: usize) -> Option<(PseudoHeader, Packet)> {
        let (addresses, packet) = self.under_way(end, n)?;
        let segment = codec::split(packet.segment).next()?;
        Some((addresses, Packet { segment, ..packet }))
    }

    /// The `n`th packet under way to an end.
    pub(super) fn under_way(&self, end: usize, n: usize) -> Option<(PseudoHeader, Packet)> {
        let last = self.flying[end].len().checked_sub(1)?;
        self.flying[end].get(n.min(last)).cloned()
    }

    pub(super) fn arrive(&mut self, end: usize, n: usize, again: bool) {
        let Some((addresses, packet)) = self.under_way(end, n) else { return };
        if !again {
            self.lose(end, n);
        }
        self.receive(end, Some(addresses), packet);
    }

    pub(super) fn lose(&mut self, end: usize, n: usize) {
        let n = n.min(self.flying[end].len().saturating_sub(1));
        self.flying[end].remove(n);
    }

    /// Everything leaves, and arrives 5 ms later.
    pub(super) fn round(&mut self) {
        (0..2).for_each(|end| self.flush(end, usize::MAX));
        self.pass(5);
        for end in [0, 1] {
            (0..self.flying[end].len()).for_each(|_| self.arrive(end, 0, false));
            self.timers(end);
        }
    }

    /// The limits.
    pub(super) fn check(&mut self) {
        for end in [0, 1] {
            let endpoint = &self.ends[end];
            let config = endpoint.config();
            assert!(endpoint.memory() <= config.memory, "{} octets of {}", endpoint.memory(), config.memory);
            let (connections, waiting) = endpoint.len();
            assert!(connections <= config.connections, "{connections} connections of {}", config.connections);
            assert!(waiting <= config.time_wait, "{waiting} in TIME-WAIT of {}", config.time_wait);
        }
    }

    fn next(&self) -> Option<Instant> {
        let flying = self.flying.iter().any(|flying| !flying.is_empty());
        let wants = flying || self.ends.iter().any(Endpoint::wants_flush);
        if wants { Some(self.now) } else { self.ends.iter().filter_map(Endpoint::next_deadline).min() }
    }

    /// The network loses nothing any more, users read and close: nothing is left.
    pub(super) fn calm(&mut self) {
        for _ in 0..20_000 {
            self.gate(3);
            (0..self.listeners.len()).for_each(|listener| self.accept(listener));
            for end in [0, 1] {
                let ids: Vec<Id> = self.users[end].keys().copied().collect();
                ids.into_iter().for_each(|id| self.finish(end, id));
            }
            let Some(at) = self.next() else { break };
            self.now = self.now.max(at);
            self.round();
            self.check();
        }
        self.orphans();
        self.checked_out();
    }

    /// Whose peer ended with a reset that got lost waits in FIN-WAIT-2 for ever (RFC 9293 §3.6).
    fn orphans(&mut self) {
        for end in [0, 1] {
            for (id, user) in self.users[end].clone() {
                let socket = self.ends[end].socket(id, self.now).expect("it waits");
                assert_eq!(socket.state(), State::FinWait2, "stuck: {id}");
                assert!(!self.users[1 - end].values().any(|peer| peer.name == user.name), "it has a peer: {id}");
                socket.abort();
                self.retire(end, id);
                self.ends[end].flush(self.now, |_, _| ());
            }
        }
    }

    /// All is given back, and who has seen the end of a stream has read all of it.
    fn checked_out(&self) {
        for end in [0, 1] {
            let endpoint = &self.ends[end];
            assert_eq!((endpoint.len(), endpoint.memory(), endpoint.is_empty()), ((0, 0), 0, true), "left at {end}");
            let ended = self.old[end].iter().filter(|(_, user)| user.eof && user.name.is_some());
            for (id, user) in ended.filter(|_| !self.hostile) {
                let mut peers = self.old[1 - end].iter().filter(|(_, peer)| peer.name == user.name);
                let (_, peer) = peers.next_back().unwrap_or_else(|| panic!("{id} has no peer"));
                assert_eq!(user.read, peer.written, "octets of {id} are missing");
            }
        }
    }
}
