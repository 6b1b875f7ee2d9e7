//! Random interleavings of calls on two endpoints, with packets lost, repeated, delayed, mangled and made up: no panic, no
//! octet lost or changed, nothing stuck, memory within the budget.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{
    Backlog, DetachError, Endpoint, EndpointConfig, Flow, Full, Gone, Id, Listen, ListenerId, OpenError, Received,
    Signal,
};
use segue::{Arc, Config, Error, Flags, IcmpKind, Instant, Knob, Segment, SeqNum, State};
use segue_kit::net::Control;
use segue_kit::{Rng, ms, secs};

use super::world::{CLIENT, Faults, SERVER, World, cost_of_one, owed};

/// The budget of each end.
const MEMORY: usize = 1_500_000;
const CONNECTIONS: usize = 40;

/// What one user knows of its connection.
#[derive(Clone, Debug, Default)]
struct User {
    /// The number of the client's SYN, which names the connection at both ends.
    name: Option<u32>,
    written: usize,
    read: usize,
    closed: bool,
    /// All that the peer wrote has been read.
    eof: bool,
}

/// The octet at a place of the stream that an end writes.
fn octet(end: usize, at: usize) -> u8 {
    (at.wrapping_mul(0x9E37_79B9) >> 9) as u8 ^ if end == 0 { 0 } else { 0xFF }
}

struct Chaos {
    world: World,
    rng: Rng,
    listeners: Vec<ListenerId>,
    users: [BTreeMap<Id, User>; 2],
    old: [Vec<(Id, User)>; 2],
    calls: usize,
    /// What the budget holds for each connection, beside its window.
    cost: usize,
}

fn config(rng: &mut Rng) -> EndpointConfig {
    let connection = Config::builder().receive_buffer_initial(rng.pick(&[14_600, 16_384])).msl(secs(1));
    let connection = connection.window_shift(rng.pick(&[None, None, Some(14)]));
    EndpointConfig {
        connection: Arc::new(connection.max_burst(rng.pick(&[0, 0, 3])).build().unwrap()),
        mtu: rng.pick(&[1500, 1500, 9000]),
        memory: MEMORY,
        connections: CONNECTIONS,
        time_wait: 10,
        answers: 64,
        ports: 50_000..=50_100,
        ..EndpointConfig::default()
    }
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let rng = &mut Rng::new(seed);
        let chosen = &mut Rng::new(!seed); // what else is drawn stays as it is
        let controllers = [(); 2].map(|()| chosen.pick(&Control::ALL).algorithm());
        let mut world = World::controlled_by(controllers, [config(rng), config(rng)], seed);
        world.faults = Faults { lost: rng.pick(&[0, 10, 100]), twice: 30, late: 100 };
        let full = rng.pick(&[Full::Cookies, Full::EvictOldest, Full::Drop, Full::Reset]);
        let backlog = Backlog { half_open: rng.pick(&[0, 2, 10]), ready: rng.pick(&[1, 5]), full };
        let listen = [
            Listen { backlog, fast_open: rng.pick(&[0, 1, 5]), ..Listen::port(80) },
            Listen { gate: Some(ms(300)), backlog, fast_open: 5, ..Listen::port(81) },
            Listen::anywhere(),
        ];
        let listeners = listen.map(|listen| world.ends[1].listen(listen).unwrap());
        Self {
            world,
            rng: rng.clone(),
            listeners: listeners.into(),
            users: Default::default(),
            old: Default::default(),
            calls: 0,
            cost: cost_of_one(),
        }
    }

    fn any_user(&mut self, end: usize) -> Option<Id> {
        let n = self.users[end].len();
        let at = self.rng.below(n.max(1) as u32) as usize;
        self.users[end].keys().nth(at).copied()
    }

    /// The user has gone, or was told of the end.
    fn retire(&mut self, end: usize, id: Id) {
        if let Some(user) = self.users[end].remove(&id) {
            self.old[end].push((id, user));
        }
    }

    fn call(&mut self) {
        self.calls += 1;
        let end = self.rng.below(2) as usize;
        let now = self.world.now;
        match self.rng.below(24) {
            0 => self.connect(),
            1 => self.accept(),
            2..=4 => self.read(end),
            5..=7 => self.write(end),
            8 if self.rng.chance(300) => self.close(end),
            9 if self.rng.chance(100) => self.leave(end),
            10 => self.made_up(end),
            11 => self.stale(end),
            12 => self.gate(),
            13 => self.set(end),
            14 => self.world.ends[end].timers(now),
            15..=16 => self.flush(end),
            17 => {
                let room = 1 + self.rng.below(5) as usize;
                self.world.flush_into(end, room);
            }
            18 => self.detach(end),
            _ => self.pass(),
        }
        for (end, users) in self.world.ends.iter_mut().zip(&self.users) {
            let owed = owed(end, users.keys().copied(), self.cost, now);
            assert!(owed <= end.memory(), "{owed} of {}", end.memory());
            assert!(end.memory() <= MEMORY, "{}", end.memory());
            assert!(end.len().0 <= CONNECTIONS && end.len().1 <= 10);
        }
    }

    fn connect(&mut self) {
        let to = SocketAddr::new(SERVER, self.rng.pick(&[80, 80, 81, 82]));
        let (now, early) = (self.world.now, self.rng.chance(400));
        let octets = if early { self.rng.pick(&[0, 1, 1000, 5000, 100_000]) } else { 0 };
        let mut text = (0..octets).map(|at| octet(0, at)).collect::<bytes::Bytes>();
        let opened = if early {
            self.world.ends[0].connect_fast_open(CLIENT, to, &mut text, now)
        } else {
            self.world.ends[0].connect(CLIENT, to, now)
        };
        match opened {
            Ok(id) => {
                let name = self.world.ends[0].socket(id, now).unwrap().info().map(|i| i.iss.value());
                self.users[0].insert(id, User { name, written: octets - text.len(), ..User::default() });
            }
            Err(error) => assert!(matches!(error, OpenError::Full | OpenError::NoPort)),
        }
    }

    fn accept(&mut self) {
        let listener = self.rng.pick(&[0, 1, 2]);
        if let Some(id) = self.world.ends[1].accept(self.listeners[listener]) {
            let name = self.world.ends[1].socket(id, self.world.now).unwrap().info().map(|i| i.irs.value());
            assert!(self.users[1].insert(id, User { name, ..User::default() }).is_none(), "an id used again");
        }
    }

    fn read(&mut self, end: usize) {
        let Some(id) = self.any_user(end) else { return };
        let most = self.rng.pick(&[1, 100, 100_000]);
        self.read_some(end, id, most);
    }

    fn read_if_open(&mut self, end: usize, id: Id) {
        if self.users[end].contains_key(&id) {
            self.read_some(end, id, usize::MAX);
        }
    }

    fn read_some(&mut self, end: usize, id: Id, most: usize) {
        let user = self.users[end].get_mut(&id).expect("a user");
        let Ok(mut socket) = self.world.ends[end].socket(id, self.world.now) else { return };
        let mut text = vec![0; most.min(socket.readable())];
        if self.rng.chance(500) {
            assert_eq!(socket.read(&mut text), text.len());
        } else {
            text = socket.chunk().map(Vec::from).unwrap_or_default();
        }
        for got in text {
            assert_eq!(got, octet(1 - end, user.read), "octet {} at end {end}", user.read);
            user.read += 1;
        }
        user.eof |= socket.eof();
        drop(socket);
        if self.world.ends[end].socket(id, self.world.now).is_err() {
            self.retire(end, id); // it was over, and this was the last of it
        }
    }

    fn write(&mut self, end: usize) {
        let Some(id) = self.any_user(end) else { return };
        let octets = self.rng.pick(&[0, 1, 700, 5000, 70_000]);
        let user = self.users[end].get_mut(&id).expect("a user");
        let Ok(mut socket) = self.world.ends[end].socket(id, self.world.now) else { return };
        let text: Vec<u8> = (user.written..user.written + octets).map(|at| octet(end, at)).collect();
        let took = if self.rng.chance(500) {
            socket.write(&text)
        } else {
            let mut rest = text.clone().into();
            let took = socket.write_bytes(&mut rest);
            assert_eq!(took.unwrap_or(0), octets - rest.len());
            took
        };
        match took {
            Ok(took) => user.written += took,
            Err(error) => assert!(user.closed && error == Error::Closing || error == Error::NotConnected),
        }
    }

    fn close(&mut self, end: usize) {
        let Some(id) = self.any_user(end) else { return };
        let user = self.users[end].get_mut(&id).expect("a user");
        let Ok(mut socket) = self.world.ends[end].socket(id, self.world.now) else { return };
        match socket.close() {
            Ok(()) => user.closed = true,
            Err(error) => assert!(user.closed || error == Error::NotConnected),
        }
    }

    fn leave(&mut self, end: usize) {
        let Some(id) = self.any_user(end) else { return };
        let Ok(socket) = self.world.ends[end].socket(id, self.world.now) else { return };
        if self.rng.chance(500) {
            socket.release()
        } else {
            socket.abort()
        }
        assert!(self.world.ends[end].socket(id, self.world.now).is_err());
        self.retire(end, id);
    }

    /// A packet that nobody sent: of a flow that exists or not.
    fn made_up(&mut self, end: usize) {
        let (addresses, local) = if end == 0 {
            (PseudoHeader::new(SERVER, CLIENT).unwrap(), 50_000 + self.rng.below(100) as u16)
        } else {
            (PseudoHeader::new(CLIENT, SERVER).unwrap(), self.rng.pick(&[80, 81, 82]))
        };
        let remote = if end == 0 { 80 } else { 50_000 + self.rng.below(120) as u16 };
        // Blind: a guess of the numbers hits only seldom, and a reset or text with a good guess would be an attack.
        let flags = Flags::from_bits_truncate(self.rng.below(512) as u16);
        let segment = Segment {
            seq: SeqNum::new(self.rng.next() as u32),
            ack: SeqNum::new(self.rng.next() as u32),
            flags,
            window: self.rng.next() as u16,
            payload: vec![0x55; self.rng.below(9) as usize].into(),
            ..Segment::default()
        };
        let known = self.world.ends[end].len();
        let quoted = segment.seq;
        let packet = Packet { src_port: remote, dst_port: local, segment };
        let received = self.world.receive(end, addresses, packet.clone());
        if matches!(received, Received::Stray | Received::Unusable | Received::Cookie) {
            assert_eq!(self.world.ends[end].len(), known, "it costs nothing lasting");
        }
        let flow = Flow::of_received(addresses, &packet).expect("unicast");
        let kind = self.rng.pick(&[IcmpKind::PortUnreachable, IcmpKind::PacketTooBig, IcmpKind::Unreachable]);
        let _ = self.world.ends[end].icmp(&flow, (kind, 576), quoted, self.world.now);
    }

    fn stale(&mut self, end: usize) {
        let n = self.old[end].len().max(1) as u32;
        let at = self.rng.below(n) as usize;
        let Some((id, _)) = self.old[end].get(at) else { return };
        assert_eq!(self.world.ends[end].socket(*id, self.world.now).map(drop), Err(Gone));
    }

    fn gate(&mut self) {
        while let Some(incoming) = self.world.ends[1].incoming() {
            let answer = match self.rng.below(4) {
                0 => self.world.ends[1].refuse(incoming.id),
                1 => self.world.ends[1].ignore(incoming.id),
                _ => self.world.ends[1].admit(incoming.id, self.world.now),
            };
            assert!(answer == Ok(()) || self.world.ends[1].admit(incoming.id, self.world.now) == Err(Gone));
        }
    }

    fn set(&mut self, end: usize) {
        let Some(id) = self.any_user(end) else { return };
        let knob = self.rng.pick(&[Knob::Nagle(false), Knob::Cork(false), Knob::KeepAlive(false)]);
        let Ok(mut socket) = self.world.ends[end].socket(id, self.world.now) else { return };
        let _ = socket.set(knob); // it may be over
        socket.set_mtu(self.rng.pick(&[576, 1500]));
        socket.notify_flushed();
    }

    /// A connection leaves and comes back: there is room for it, and its user goes on with another id.
    fn detach(&mut self, end: usize) {
        let Some(id) = self.any_user(end) else { return };
        let (ends, now) = (&mut self.world.ends[end], self.world.now);
        match ends.detach(id, now) {
            Ok(detached) => {
                assert_eq!(ends.socket(id, now).map(drop), Err(Gone));
                let new = ends.attach(detached, now).expect("its place is free");
                let user = self.users[end].remove(&id).expect("a user");
                self.users[end].insert(new, user);
                self.old[end].push((id, User::default()));
            }
            Err(DetachError::Gone) => assert!(ends.socket(id, now).is_err()),
            Err(_) => {}
        }
    }

    /// The end of a turn: signals, and what leaves.
    fn flush(&mut self, end: usize) {
        self.world.flush(end);
        while let Some((id, signal)) = self.world.ends[end].poll_signal() {
            assert!(self.users[end].contains_key(&id), "a signal for nobody: {id} {signal}");
            let over = matches!(signal, Signal::Closed(_));
            let fits = self.world.ends[end].memory() < MEMORY / 2; // else another user may have taken the room
            if let Ok(socket) = self.world.ends[end].socket(id, self.world.now) {
                assert!(signal != Signal::Readable || socket.readable() > 0, "nothing to read: {id}");
                assert!(signal != Signal::Writable || !fits || socket.writable() != Ok(0), "no room: {id}");
            }
            if over && self.world.ends[end].socket(id, self.world.now).is_err() {
                self.retire(end, id);
            }
        }
    }

    fn pass(&mut self) {
        self.world.now += self.rng.pick(&[ms(0), ms(1), ms(1), ms(7), ms(200)]);
        self.world.arrive(0);
        self.world.arrive(1);
    }

    /// Everybody reads all, writes no more, and closes: then everything ends.
    fn calm(&mut self) {
        self.world.faults = Faults::default();
        let mut idle = false;
        for _ in 0..20_000 {
            self.gate();
            for listener in 0..3 {
                while let Some(id) = self.world.ends[1].accept(self.listeners[listener]) {
                    let name = self.world.ends[1].socket(id, self.world.now).unwrap().info().map(|i| i.irs.value());
                    self.users[1].insert(id, User { name, ..User::default() });
                }
            }
            for end in [0, 1] {
                self.world.ends[end].timers(self.world.now);
                let ids: Vec<Id> = self.users[end].keys().copied().collect();
                for id in ids {
                    let Ok(mut socket) = self.world.ends[end].socket(id, self.world.now) else {
                        self.retire(end, id); // what was left was read, and the end was told
                        continue;
                    };
                    let _ = socket.close();
                    let pieces = socket.readable();
                    drop(socket);
                    (0..=pieces.min(200)).for_each(|_| self.read_if_open(end, id));
                }
                self.flush(end);
            }
            match self.world.next() {
                Some(at) => self.world.now = self.world.now.max(at),
                None if idle => break,
                None => {}
            }
            idle = self.world.next().is_none();
            self.pass_nothing();
        }
    }

    /// Whose peer has ended with a reset that got lost waits in FIN-WAIT-2 for ever, without keep-alives (RFC 9293 §3.6).
    fn give_up(&mut self) {
        for end in [0, 1] {
            for (id, user) in self.users[end].clone() {
                let socket = self.world.ends[end].socket(id, self.world.now).expect("it waits");
                assert_eq!(socket.state(), State::FinWait2);
                assert!(!self.users[1 - end].values().any(|peer| peer.name == user.name), "it has a peer");
                socket.abort();
                self.retire(end, id);
                self.world.flush(end);
            }
        }
    }

    fn pass_nothing(&mut self) {
        self.world.arrive(0);
        self.world.arrive(1);
    }

    /// Who has seen the end of a stream has read all that was written to it.
    fn check(&self, seed: u64) {
        for end in [0, 1] {
            let ends = &self.world.ends[end];
            assert_eq!(
                (ends.len(), ends.memory(), self.users[end].len()),
                ((0, 0), 0, 0),
                "seed {seed}: stuck at {end}"
            );
            for (id, user) in self.old[end].iter().filter(|(_, user)| user.eof) {
                let peer = self.old[1 - end].iter().find(|(_, peer)| peer.name == user.name);
                let (_, peer) = peer.expect("it has a peer");
                assert_eq!(user.read, peer.written, "seed {seed}: {id} at end {end}");
            }
        }
    }
}

fn chaos(seed: u64, calls: usize) -> usize {
    let mut chaos = Chaos::new(seed);
    for _ in 0..calls {
        chaos.call();
    }
    chaos.calm();
    chaos.give_up();
    chaos.check(seed);
    chaos.old.iter().flatten().filter(|(_, user)| user.eof && user.read > 0).count()
}

/// 60,000 calls; a million with `SEGUE_CASES=1000`.
#[test]
fn random_calls_lose_no_octet_and_leave_nothing_behind() {
    let cases = std::env::var("SEGUE_CASES").map_or(60, |cases| cases.parse().expect("a number"));
    let from = std::env::var("SEGUE_FROM").map_or(0, |from| from.parse().expect("a number"));
    let ended: usize = (from..from + cases).map(|seed| chaos(seed, 1000)).sum();
    assert!(ended as u64 > cases, "{ended} streams were read to their end");
}

/// The type says what a host may do with it.
#[test]
fn an_endpoint_can_be_cloned_and_sent() {
    fn is<T: Clone + Send + std::fmt::Debug>(_: &T) {}
    is(&Endpoint::new(segue::host::Keys::new([7; 16]), EndpointConfig::default()));
    let _ = Instant::ZERO;
}
