//! Connections that go on in another endpoint.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use segue::host::{
    Backlog, DetachError, Detached, Endpoint, EndpointConfig, Flow, Id, Keys, Listen, ListenerId, OpenError, Signal,
};
use segue::{Arc, CloseReason, Config, Connection, Instant, Knob, State};
use segue_kit::{Rng, ms, secs};

use super::transfer::User;
use super::world::{CLIENT, Faults, SERVER, World};

const WEB: SocketAddr = SocketAddr::new(SERVER, 80);

/// Users that act on signals alone, at endpoints that come and go.
struct Moves {
    world: World,
    rng: Rng,
    listener: Option<ListenerId>,
    users: [BTreeMap<Id, User>; 2],
    /// Users whose connection is over.
    done: [Vec<User>; 2],
    answers: usize,
    /// New endpoints, connections that were taken back, and pauses.
    counts: [usize; 3],
}

fn endpoint(end: usize, rng: &mut Rng) -> Endpoint {
    let key = [*b"a client's key..", *b"a server's key.."][end];
    let memory = rng.pick(&[usize::MAX, 4_000_000, 50_000_000]);
    let connection = Config::builder().receive_buffer_initial(16_384).pacing(rng.chance(300));
    let connection = connection.send_buffer(rng.pick(&[20_000, 200_000])).max_burst(rng.pick(&[0, 3]));
    let connection = Arc::new(connection.build().unwrap());
    Endpoint::new(Keys::new(key), EndpointConfig { memory, connection, ..EndpointConfig::default() })
}

impl Moves {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut world = World::new([EndpointConfig::default(), EndpointConfig::default()], seed);
        world.ends = [endpoint(0, &mut rng), endpoint(1, &mut rng)];
        world.faults = Faults { lost: rng.pick(&[0, 20, 100]), twice: 20, late: 50 };
        let listener = world.ends[1].listen(Listen::port(80)).ok();
        let mut users: [BTreeMap<Id, User>; 2] = Default::default();
        for _ in 0..1 + rng.below(5) {
            let id = world.ends[0].connect(CLIENT, WEB, world.now).unwrap();
            users[0].insert(id, User { to_write: rng.pick(&[1, 3000, 250_000]), ..User::default() });
        }
        world.flush(0);
        let answers = rng.pick(&[0, 9000, 300_000]);
        Self { world, rng, listener, users, done: Default::default(), answers, counts: [0; 3] }
    }

    fn run(&mut self) {
        for _ in 0..200_000 {
            let Some(at) = self.world.next() else { return };
            self.world.now = self.world.now.max(at);
            for end in [0, 1] {
                if self.turn(end) && self.rng.chance(30) {
                    self.leave(end);
                }
                self.world.flush(end);
            }
        }
        panic!("it does not end");
    }

    /// Whether there was anything to do.
    fn turn(&mut self, end: usize) -> bool {
        let Self { world, users, answers, .. } = self;
        let due = world.ends[end].next_deadline().is_some_and(|at| at <= world.now);
        let active = world.arrive(end) || due;
        let (now, tcp) = (world.now, &mut world.ends[end]);
        tcp.timers(now);
        while let Some(id) = self.listener.filter(|_| end == 1).and_then(|listener| tcp.accept(listener)) {
            let user = users[end].entry(id).or_insert(User { to_write: *answers, ..User::default() });
            user.on(tcp, (id, Signal::Connected), now);
        }
        while self.rng.chance(900) {
            let Some((id, signal)) = tcp.poll_signal() else { break };
            users[end].get_mut(&id).expect("a user's").on(tcp, (id, signal), now);
        }
        active
    }

    /// All connections of an end leave, in the middle of a turn. If they were all that it had, the endpoint ends, and
    /// another one with other settings goes on, at once or later.
    fn leave(&mut self, end: usize) {
        let now = self.world.now;
        let mut moving = vec![];
        for id in self.users[end].keys().copied().collect::<Vec<_>>() {
            let user = match self.world.ends[end].detach(id, now) {
                Ok(detached) => {
                    moving.push((detached, self.users[end][&id]));
                    self.users[end].remove(&id)
                }
                Err(DetachError::Gone) => self.users[end].remove(&id),
                Err(_) => None,
            };
            self.done[end].extend(user.filter(|user| user.ended));
        }
        self.world.flush(end); // what the turn owed
        if self.world.ends[end].is_empty() && !moving.is_empty() {
            assert_eq!(self.world.ends[end].memory(), 0);
            self.world.ends[end] = endpoint(end, &mut self.rng);
            self.counts[0] += 1;
            self.pause(end);
            if end == 1 {
                self.listener = self.world.ends[1].listen(Listen::port(80)).ok();
            }
        } else {
            self.counts[1] += moving.len();
        }
        for (detached, user) in moving {
            let id = self.world.ends[end].attach(detached, self.world.now).expect("there is room");
            assert!(self.users[end].insert(id, user).is_none());
        }
    }

    /// While nobody is there, all packets are lost, and the peer goes on.
    fn pause(&mut self, end: usize) {
        let until = self.world.now + self.rng.pick(&[ms(0), ms(20), ms(3000)]);
        self.counts[2] += usize::from(until > self.world.now);
        while let Some(at) = self.world.next().filter(|at| *at < until) {
            self.world.now = self.world.now.max(at);
            self.world.lose(end);
            self.turn(1 - end);
            self.world.flush(1 - end);
        }
        self.world.now = until;
        self.world.lose(end);
    }
}

/// 40 worlds; more with `SEGUE_CASES`.
#[test]
fn connections_that_move_lose_no_octet() {
    let cases = std::env::var("SEGUE_CASES").map_or(40, |cases| cases.parse().expect("a number"));
    let from = std::env::var("SEGUE_FROM").map_or(0, |from| from.parse().expect("a number"));
    let mut counts = [0; 3];
    for seed in from..from + cases {
        let mut moves = Moves::new(seed);
        moves.run();
        let all = [0, 1].map(|end| [moves.users[end].values().copied().collect(), moves.done[end].clone()].concat());
        let sum = |end: usize, of: fn(&User) -> usize| all[end].iter().map(of).sum::<usize>();
        let ended = |user: &User| user.ended && user.written == user.to_write;
        assert!(all.iter().flatten().all(ended), "seed {seed}: {all:?}");
        assert_eq!(sum(0, |u| u.to_write), sum(1, |u| u.read), "seed {seed}");
        assert_eq!(sum(1, |u| u.to_write), sum(0, |u| u.read), "seed {seed}");
        for end in &moves.world.ends {
            assert_eq!((end.len(), end.memory()), ((0, 0), 0), "seed {seed}");
        }
        (0..3).for_each(|at| counts[at] += moves.counts[at]);
    }
    assert!(counts.iter().all(|count| *count as u64 > cases), "{counts:?}");
}

/// An open connection, by its two ids.
fn opened(world: &mut World) -> [Id; 2] {
    let listener = world.ends[1].listen(Listen::port(80)).unwrap();
    let client = world.ends[0].connect(CLIENT, WEB, world.now).unwrap();
    world.flush(0);
    world.go(100, |_, _, _| {});
    [client, world.ends[1].accept(listener).unwrap()]
}

/// Without a budget, the connection is the same value before and behind a move, and nothing is sent for it.
#[test]
fn a_move_changes_nothing_of_the_connection_and_sends_nothing() {
    let mut world = World::plain();
    let [_, id] = opened(&mut world);
    let before = world.ends[1].clone().detach(id, world.now).unwrap();
    let mut other = Endpoint::new(Keys::new([5; 16]), EndpointConfig::default());
    let detached = world.ends[1].detach(id, world.now).unwrap();
    assert!(world.ends[1].is_empty() && !world.ends[1].wants_flush() && world.ends[1].next_deadline().is_none());
    let id = other.attach(detached, world.now).unwrap();
    assert!(!other.wants_flush());
    assert_eq!(other.detach(id, world.now).unwrap(), before);
}

#[test]
fn what_the_turn_owes_leaves_with_the_flush() {
    let mut world = World::plain();
    let [_, id] = opened(&mut world);
    world.ends[1].socket(id, world.now).unwrap().write(b"hello").unwrap();
    let detached = world.ends[1].detach(id, world.now).unwrap();
    assert_eq!(detached.connection().info().flight, 5);
    let mut sent = vec![];
    world.ends[1].flush(world.now, |_, packet| sent.push(packet.segment.payload));
    assert_eq!(sent, [&b"hello"[..]]);
}

#[test]
fn what_is_half_open_or_over_or_gone_is_refused_and_stays() {
    let mut world = World::plain();
    let client = world.ends[0].connect(CLIENT, WEB, world.now).unwrap();
    assert_eq!(world.ends[0].detach(client, world.now), Err(DetachError::HalfOpen));
    let gate = world.ends[1].listen(Listen { gate: Some(secs(9)), ..Listen::port(80) }).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    let held = world.ends[1].incoming().unwrap();
    assert_eq!(world.ends[1].detach(held.id, world.now), Err(DetachError::HalfOpen));
    world.ends[1].admit(held.id, world.now).unwrap();
    assert_eq!(world.ends[1].detach(held.id, world.now), Err(DetachError::HalfOpen));
    world.flush(1);
    world.go(50, |_, _, _| {});
    let id = world.ends[1].accept(gate).unwrap();
    world.ends[0].socket(client, world.now).unwrap().write(b"last words").unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    world.ends[0].socket(client, world.now).unwrap().abort();
    assert_eq!(world.ends[0].detach(client, world.now), Err(DetachError::Gone));
    world.flush(0);
    world.go(50, |_, _, _| {});
    assert_eq!(world.ends[1].detach(id, world.now), Err(DetachError::Over));
    assert_eq!(world.ends[1].socket(id, world.now).unwrap().readable(), 10);
}

/// The place in the accept backlog is free again.
#[test]
fn a_connection_that_nobody_accepted_moves() {
    let mut world = World::plain();
    let backlog = Backlog { ready: 1, ..Backlog::default() };
    let listener = world.ends[1].listen(Listen { backlog, ..Listen::port(80) }).unwrap();
    let client = world.ends[0].connect(CLIENT, WEB, world.now).unwrap();
    let mut out = vec![];
    world.ends[0].flush(world.now, |addresses, packet| out.push((addresses, packet)));
    let (addresses, syn) = out.remove(0);
    let segue::host::Received::Opened(id) = world.receive(1, addresses, syn) else { panic!("it opens") };
    world.flush(1);
    world.go(50, |_, _, _| {});
    let detached = world.ends[1].detach(id, world.now).unwrap();
    assert!(world.ends[1].is_empty());
    world.ends[0].connect(CLIENT, WEB, world.now).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    assert!(world.ends[1].accept(listener).is_some());
    world.ends[1] = Endpoint::new(Keys::new([5; 16]), EndpointConfig::default());
    let id = world.ends[1].attach(detached, world.now).unwrap();
    world.ends[1].socket(id, world.now).unwrap().write(b"hello").unwrap();
    world.flush(1);
    world.go(50, |_, _, _| {});
    assert_eq!(world.ends[0].socket(client, world.now).unwrap().readable(), 5);
}

/// The client closed first, and has the last 8 octets of the server to read.
fn in_time_wait() -> (World, Id) {
    let mut world = World::plain();
    let [client, server] = opened(&mut world);
    world.ends[0].socket(client, world.now).unwrap().close().unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    let mut socket = world.ends[1].socket(server, world.now).unwrap();
    socket.write(b"the rest").unwrap();
    socket.close().unwrap();
    drop(socket);
    world.flush(1);
    world.go(50, |_, _, _| {});
    (world, client)
}

/// In TIME-WAIT with text that waits: it moves, and once the text is read it is one of the 64 octets there.
#[test]
fn time_wait_moves_while_its_text_waits() {
    let (mut world, client) = in_time_wait();
    assert_eq!(world.ends[0].socket(client, world.now).unwrap().state(), State::TimeWait);
    let detached = world.ends[0].detach(client, world.now).unwrap();
    world.ends[0] = Endpoint::new(Keys::new([5; 16]), EndpointConfig::default());
    let id = world.ends[0].attach(detached, world.now).unwrap();
    let signals: Vec<_> = std::iter::from_fn(|| world.ends[0].poll_signal()).collect();
    assert_eq!(signals, [(id, Signal::Readable), (id, Signal::PeerClosed)]);
    let mut socket = world.ends[0].socket(id, world.now).unwrap();
    assert_eq!((socket.read(&mut [0; 20]), socket.eof()), (8, true));
    drop(socket);
    world.flush(0);
    assert_eq!(world.ends[0].poll_signal(), Some((id, Signal::Closed(CloseReason::Finished))));
    assert_eq!(world.ends[0].len(), (0, 1));
    world.go(250_000, |_, _, _| {});
    assert!(world.ends[0].is_empty());
}

/// The parts of a connection in TIME-WAIT without text: its user is told, and 64 octets stay.
#[test]
fn a_connection_in_time_wait_is_over_for_its_user() {
    let (mut world, client) = in_time_wait();
    let (flow, mut connection, unread) = world.ends[0].detach(client, world.now).unwrap().into_parts();
    assert_eq!((connection.state(), unread.count()), (State::TimeWait, 1));
    connection.consume(8, world.now);
    let id = world.ends[0].attach(Detached::new(flow, connection, []).unwrap(), world.now).unwrap();
    let signals: Vec<_> = std::iter::from_fn(|| world.ends[0].poll_signal()).collect();
    assert_eq!(signals, [(id, Signal::PeerClosed), (id, Signal::Closed(CloseReason::Finished))]);
    assert_eq!(world.ends[0].len(), (0, 1));
}

#[test]
fn the_mark_for_reading_moves() {
    let mut world = World::plain();
    let [client, id] = opened(&mut world);
    world.ends[1].socket(id, world.now).unwrap().set_receive_low_water(512);
    world.ends[0].socket(client, world.now).unwrap().write(&[7; 100]).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    let detached = world.ends[1].detach(id, world.now).unwrap();
    let id = world.ends[1].attach(detached, world.now).unwrap();
    assert_eq!(world.ends[1].poll_signal(), None);
    world.ends[0].socket(client, world.now).unwrap().write(&[7; 412]).unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    assert_eq!(world.signals[1], [(id, Signal::Readable)]);
}

#[test]
fn no_room_or_a_flow_that_is_there_gives_the_connection_back() {
    let mut world = World::plain();
    let [_, id] = opened(&mut world);
    let detached = world.ends[1].detach(id, world.now).unwrap();
    let refused = |config, reason| {
        let mut other = Endpoint::new(Keys::new([5; 16]), config);
        let error = other.attach(detached.clone(), world.now).unwrap_err();
        assert_eq!((error.reason, &*error.detached), (reason, &detached));
        assert_eq!((other.len(), other.memory()), ((0, 0), 0));
    };
    refused(EndpointConfig { connections: 0, ..EndpointConfig::default() }, OpenError::Full);
    refused(EndpointConfig { memory: 100_000, ..EndpointConfig::default() }, OpenError::Full);
    world.ends[1].attach(detached.clone(), world.now).unwrap();
    assert_eq!(world.ends[1].attach(detached, world.now).unwrap_err().reason, OpenError::InUse);
}

/// A budget limits a window only as long as the connection is within it; the limit of the user holds everywhere.
#[test]
fn the_window_grows_by_the_budget_of_its_endpoint() {
    let first = Config::default().receive_buffer_initial();
    let limited = |memory| EndpointConfig { memory, ..EndpointConfig::default() };
    let grown = |user: Option<u32>, memory: [usize; 2]| {
        let mut world = World::new([EndpointConfig::default(), limited(memory[0])], 1);
        let [_, mut id] = opened(&mut world);
        if let Some(octets) = user {
            world.ends[1].socket(id, world.now).unwrap().set(Knob::ReceiveBuffer(octets)).unwrap();
        }
        if memory[0] != memory[1] {
            let detached = world.ends[1].detach(id, world.now).unwrap();
            world.ends[1] = Endpoint::new(Keys::new([5; 16]), limited(memory[1]));
            id = world.ends[1].attach(detached, world.now).unwrap();
        }
        let client = world.signals[0][0].0;
        for _ in 0..200 {
            let _ = world.ends[0].socket(client, world.now).unwrap().write(&[0; 500_000]);
            world.flush(0);
            world.go(20, |tcp, end, now| {
                if end == 1 {
                    tcp.socket(id, now).unwrap().chunks().for_each(drop);
                }
            });
        }
        world.ends[1].socket(id, world.now).unwrap().info().unwrap().rcv_buff
    };
    assert_eq!(grown(None, [272_000, 272_000]), first);
    assert!(grown(None, [272_000, usize::MAX]) >= 2 * first);
    assert_eq!(grown(None, [usize::MAX, 272_000]), first);
    for memory in [[10_000_000, 10_000_000], [10_000_000, usize::MAX], [usize::MAX, 10_000_000]] {
        assert!(grown(None, memory) > first, "{memory:?}");
        assert_eq!(grown(Some(first), memory), first, "{memory:?}");
    }
}

/// A host with a table of its own hands its connections over, and takes them back.
#[test]
fn parts_make_a_detached_connection() {
    let mut world = World::plain();
    let [client, id] = opened(&mut world);
    world.ends[0].socket(client, world.now).unwrap().write(b"hello").unwrap();
    world.flush(0);
    world.go(50, |_, _, _| {});
    let detached = world.ends[1].detach(id, world.now).unwrap();
    assert_eq!((detached.flow().remote().ip(), detached.unread()), (CLIENT, 5));
    let (flow, connection, unread) = detached.into_parts();
    let unread: Vec<_> = unread.collect();
    assert_eq!(unread, [&b"hello"[..]]);
    let detached = Detached::new(flow, connection, unread).unwrap();
    let id = world.ends[1].attach(detached, world.now).unwrap();
    assert_eq!(world.ends[1].poll_signal(), Some((id, Signal::Readable)));

    let secrets = segue::Secrets { iss: segue::SeqNum::new(1), ts_offset: 0 };
    let path = segue::Path::ipv4(1500);
    let (opening, _) = Connection::connect(Arc::new(Config::default()), path, secrets, Instant::ZERO);
    assert_eq!(Detached::new(Flow::new(WEB, SocketAddr::new(CLIENT, 9)).unwrap(), opening, []), None);
}
