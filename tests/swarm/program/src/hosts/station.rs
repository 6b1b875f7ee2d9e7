//! A host with an endpoint: one turn after the other, users that act on signals.

use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;
use std::panic::{self, AssertUnwindSafe};

use allocation_counter::{measure, opt_out};
use bytes::Bytes;
use segue::codec::Packet;
use segue::host::{self, Endpoint, EndpointConfig, Flow, Id, Keys, Listen, ListenerId, OpenError, Signal};
use segue::{Arc, Config, Error, Instant, State};
use segue_kit::bounds;
use segue_kit::net::Side;

use super::neighbour::has_left;
use super::plan::{Limits, Plan};
use super::shared::{Parcels, World};
use super::task::{Leave, Over, Socket};

/// An endpoint, its listeners, and whose its connections are.
#[derive(Debug)]
pub(super) struct Station {
    number: u8,
    tcp: Endpoint,
    listeners: Vec<ListenerId>,
    pub(super) users: BTreeMap<Id, usize>,
    /// Octets of heap that the endpoint holds.
    heap: i64,
    room: usize,
    /// The most segments that a connection had in flight.
    records: usize,
}

fn endpoint_config(plan: &Plan, number: u8, limits: &Limits) -> EndpointConfig {
    let host = plan.host(number);
    let plain = EndpointConfig::default();
    let or = |n: u16, plain: usize| if n == 0 { plain } else { usize::from(n) };
    EndpointConfig {
        connection: Arc::new(host.config),
        addresses: vec![plan.address(number)],
        mtu: host.mtu,
        connections: or(limits.connections, plain.connections),
        time_wait: or(limits.time_wait, plain.time_wait),
        memory: if limits.memory == 0 { plain.memory } else { limits.memory as usize },
        ports: if limits.ports == 0 { plain.ports } else { 30_000..=29_999 + limits.ports },
        answers: or(limits.answers, plain.answers),
    }
}

impl Station {
    pub(super) fn new(plan: &Plan, number: u8, life: u8) -> Self {
        let host = plan.host(number);
        let limits = host.limits().cloned().unwrap_or_default();
        let config = endpoint_config(plan, number, &limits);
        let mut key = plan.seed.to_le_bytes().repeat(2);
        (key[0], key[1]) = (key[0] ^ number, key[1] ^ life);
        let _ = segue_kit::net::text(Side::Client, 0, 1); // the table of all text belongs to no host
        let mut heap = 0;
        let (tcp, listeners) = metered(&mut heap, || {
            let keys = Keys::new(key.try_into().expect("16 octets"));
            let mut tcp = Endpoint::new(keys, config);
            let mut ports: Vec<u16> =
                plan.flows.iter().filter(|flow| flow.server == number).map(|flow| flow.port).collect();
            ports.sort_unstable();
            ports.dedup();
            let own = (!limits.hasty).then(|| Arc::new(host.config));
            let gate = limits.gate.map(|(time, _)| time);
            let listen = |port| Listen { backlog: limits.backlog(), gate, config: own.clone(), ..Listen::port(port) };
            let listeners: Vec<ListenerId> =
                ports.into_iter().map(|port| tcp.listen(listen(port)).expect("each port once")).collect();
            (tcp, listeners)
        });
        Self { number, tcp, listeners, users: BTreeMap::new(), heap, room: usize::from(host.room), records: 0 }
    }

    /// The user of a flow opens it.
    pub(super) fn open(&mut self, world: &mut World<'_>, flow: usize) -> Result<(), OpenError> {
        let (plan, now) = (world.plan, world.now);
        let what = &plan.flows[flow];
        let local = plan.address(self.number);
        let remote = SocketAddr::new(plan.address(what.server), what.port);
        let named = what.from.and_then(|port| Flow::new(SocketAddr::new(local, port), remote));
        let tcp = &mut self.tcp;
        let id = metered(&mut self.heap, || match named {
            Some(named) => tcp.connect_from(named, now),
            None => tcp.connect(local, remote, now),
        })?;
        let iss = self.tcp.socket(id, now).ok().and_then(|socket| socket.info()).expect("it was opened").iss;
        let task = world.begin(flow, Side::Client);
        world.names.insert((self.number, iss.value()), flow);
        assert!(self.users.insert(id, task).is_none(), "an id used again");
        self.act(world, id);
        Ok(())
    }

    /// One turn: what arrived, timers, users, the flush.
    pub(super) fn turn(&mut self, world: &mut World<'_>, arrived: Parcels) -> Parcels {
        let now = world.now;
        let (tcp, heap) = (&mut self.tcp, &mut self.heap);
        for (addresses, mut packet) in arrived {
            let text = mem::take(&mut packet.segment.payload);
            metered(heap, || {
                packet.segment.payload = Bytes::copy_from_slice(&text);
                tcp.receive(addresses, packet, now);
            });
        }
        metered(heap, || tcp.timers(now));
        self.gate(world);
        self.accept(world);
        self.signals(world);
        let due: Vec<Id> = self.users.iter().filter(|(_, task)| world.is_due(**task)).map(|(id, _)| *id).collect();
        due.into_iter().for_each(|id| self.act(world, id));
        self.signals(world);
        let sent = self.flush(now);
        self.laws(now);
        sent
    }

    fn gate(&mut self, world: &mut World<'_>) {
        let Some((_, refuses)) = world.plan.host(self.number).limits().and_then(|limits| limits.gate) else { return };
        while let Some(incoming) = self.tcp.incoming() {
            let (now, refuse) = (world.now, world.rng.chance(refuses));
            let tcp = &mut self.tcp;
            let _ = metered(&mut self.heap, || match refuse {
                true => tcp.refuse(incoming.id),
                false => tcp.admit(incoming.id, now),
            });
        }
    }

    fn accept(&mut self, world: &mut World<'_>) {
        for listener in self.listeners.clone() {
            while let Some(id) = self.tcp.accept(listener) {
                let socket = self.tcp.socket(id, world.now).expect("it was accepted");
                let (irs, remote) = (socket.info().map(|info| info.irs), socket.flow().map(|flow| flow.remote().ip()));
                let flow = irs.zip(remote).and_then(|(irs, remote)| world.who(remote, irs));
                let is_new = |flow: &usize| world.task(*flow, Side::Server).is_none_or(|task| task.over.is_some());
                let Some(flow) = flow.filter(is_new) else {
                    world.counts.add("connections of nobody", 1); // a cookie that came again
                    metered(&mut self.heap, || socket.abort());
                    continue;
                };
                drop(socket);
                let task = world.begin(flow, Side::Server);
                assert!(self.users.insert(id, task).is_none(), "an id used again");
                self.act(world, id);
            }
        }
    }

    fn signals(&mut self, world: &mut World<'_>) {
        while let Some((id, signal)) = {
            let tcp = &mut self.tcp;
            metered(&mut self.heap, || tcp.poll_signal())
        } {
            let Some(task) = self.users.get(&id) else { panic!("a signal for nobody: {id} {signal}") };
            let readable = self.tcp.socket(id, world.now).map(|socket| socket.readable());
            assert!(signal != Signal::Readable || readable != Ok(0), "told of text, and there is none");
            world.note(|| format!("h{} {id}: {signal}", self.number));
            world.tasks[*task].told(signal);
            self.act(world, id);
        }
    }

    fn act(&mut self, world: &mut World<'_>, id: Id) {
        let Some(&number) = self.users.get(&id) else { return };
        let now = world.now;
        let Ok(socket) = self.tcp.socket(id, now) else {
            self.users.remove(&id);
            return;
        };
        let task = &mut world.tasks[number];
        let program = world.plan.flows[task.flow].program(task.side);
        let copies = task.flow.is_multiple_of(2);
        let left = metered(&mut self.heap, || {
            let mut ours = Ours { socket, copies };
            let left = if task.over.is_none() {
                task.act(program, &mut ours, now)
            } else {
                task.rest(program, &mut ours, now).map(|()| None)
            };
            match left {
                Ok(Some(Leave::Abort)) => ours.socket.abort(),
                Ok(Some(Leave::Release)) => ours.socket.release(),
                Ok(None) | Err(_) => {}
            }
            left
        });
        match left {
            Err(problem) => panic!("flow {}: {problem}", task.flow),
            Ok(Some(leave)) => {
                task.over = Some(Over::Left);
                let (number, side) = (self.number, task.side.name());
                self.users.remove(&id);
                world.note(|| format!("h{number} {id}: the {side} leaves, {leave:?}"));
            }
            Ok(None) => {
                if self.tcp.socket(id, now).is_err() {
                    self.users.remove(&id);
                }
            }
        }
    }

    fn flush(&mut self, now: Instant) -> Parcels {
        let (tcp, room) = (&mut self.tcp, self.room);
        let mut sent = Vec::new();
        metered(&mut self.heap, || {
            if room == 0 {
                tcp.flush(now, |addresses, packet| opt_out(|| sent.push((addresses, own(packet.clone())))));
            } else {
                tcp.flush_while(now, |addresses, packet| {
                    let takes = sent.len() < room;
                    if takes {
                        opt_out(|| sent.push((addresses, own(packet.clone()))));
                    }
                    takes
                });
            }
        });
        sent
    }

    /// Memory stays within its bounds.
    fn laws(&mut self, now: Instant) {
        let (live, waiting) = self.tcp.len();
        let memory = self.tcp.memory();
        let EndpointConfig { connections, time_wait, memory: budget, answers, .. } = *self.tcp.config();
        assert!(live <= connections, "{live} connections");
        assert!(waiting <= time_wait, "{waiting} in TIME-WAIT");
        assert!(memory <= budget, "{memory} octets of the budget");
        let (own, pieces) = self.held(now);
        // The budget knows the blocks and pieces of copied text by the default of `copy_below` only.
        let held = if budget == usize::MAX { own } else { memory + pieces };
        let beside = self.tcp.table_octets() + 300 * waiting + ANSWER * answers.min(64 + 8 * live);
        let most = (held + beside) as i64 + LEAST;
        assert!(self.heap <= most, "{} octets of heap, {most} are allowed: {live} connections hold {held}", self.heap);
    }

    /// Octets that the connections may hold by their own bounds, and those of the pieces that they have to send.
    fn held(&mut self, now: Instant) -> (usize, usize) {
        let config = self.tcp.config().connection.clone();
        let copy = usize::from(config.copy_below());
        let ids: Vec<Id> = self.users.keys().copied().collect();
        let mut others = self.tcp.len().0;
        let (mut own, mut pieces, mut flight) = (0, 0, 0);
        let is_default = config.copy_below() == Config::default().copy_below();
        for id in ids {
            let Ok(socket) = self.tcp.socket(id, now) else { continue };
            let unread = socket.readable();
            own += 2 * unread + unread / 512 * PIECE; // text that no window is for any more
            let Some(info) = socket.info() else { continue };
            others = others.saturating_sub(1);
            own += bounds::heap(&config, &info) as usize;
            flight = flight.max(info.flight as usize + info.flight_segments * ANSWER);
            self.records = self.records.max(info.flight_segments);
            if !is_default {
                pieces += info.send_queue + 2 * copy + (2 * info.send_queue / copy + 2) * PIECE;
            }
        }
        let new = NEW + 2 * config.send_buffer() as usize;
        // of each copied block some may be acknowledged
        let blocks = self.tcp.len().0 * 4096;
        // a device that takes few packets leaves copies of what one connection has in flight
        let waiting = if self.room > 0 { flight } else { 0 };
        // until all is acknowledged, lists have the room of their longest
        let lists = self.tcp.len().0 * self.records.next_power_of_two() * RECORD;
        (
            own + waiting + others * new,
            blocks + waiting + lists + if is_default { 0 } else { pieces + 2 * others * copy },
        )
    }

    /// Whether it has no room for another connection, by its limits.
    pub(super) fn is_full(&self) -> bool {
        let EndpointConfig { connections, memory, .. } = *self.tcp.config();
        let (live, held) = (self.tcp.len().0, self.tcp.memory());
        let config = &self.tcp.config().connection;
        let window = config.receive_buffer().min(config.receive_buffer_initial()) as usize;
        let needs = 2 * window.max(10 * usize::from(self.tcp.config().mtu)).max(2 << 14) + 12_000;
        live == connections || held.saturating_add(needs) > memory
    }

    /// When it wants its next turn.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.tcp.next_deadline()
    }

    pub(super) fn wants_flush(&self) -> bool {
        self.tcp.wants_flush()
    }

    /// The remains when all is silent: an error tells those that should not be.
    /// `full`: the hosts that have no room for another connection.
    pub(super) fn remains(&mut self, world: &World<'_>, full: &[bool]) -> Result<(), String> {
        let ((live, _), memory) = (self.tcp.len(), self.tcp.memory());
        if live == 0 && self.users.is_empty() && memory > 0 {
            return Err(format!("no connection is left, and {memory} octets of the budget are taken"));
        }
        let users: Vec<(Id, usize)> = self.users.iter().map(|(id, task)| (*id, *task)).collect();
        for (id, number) in users {
            let Ok(socket) = self.tcp.socket(id, world.now) else { continue };
            let task = &world.tasks[number];
            let Some(info) = socket.info() else { continue };
            let (flow, side, state) = (task.flow, task.side.name(), info.state);
            let idle = info.snd_una == info.snd_nxt && info.send_queue == 0;
            let alone = world.task(flow, task.side.other()).is_none_or(|peer| peer.over.is_some());
            let refused = state == State::SynSent && full[usize::from(world.plan.flows[flow].server)];
            let abandoned = has_left(world, flow) && idle;
            if !refused && !abandoned && (!idle || !alone) {
                let (flight, queue) = (info.snd_nxt - info.snd_una, info.send_queue);
                return Err(format!(
                    "all is silent, and flow {flow} is stuck at the {side} in {state}: {flight} in flight, {queue} \
                     queued"
                ));
            }
        }
        Ok(())
    }
}

/// Octets of an answer that waits, the segment with its options and a little text at the most.
const ANSWER: usize = 256;
/// What an endpoint holds beside all that is counted: its own value, collections, the configuration.
const LEAST: i64 = 16_384;

/// A piece of text that is held, beside its octets.
const PIECE: usize = 192;
/// Octets of a record of a segment in flight, with what a piece of its text has in another list.
const RECORD: usize = 128;
/// What a connection holds that no user has, early text of its peer included.
const NEW: usize = 100_000;

/// Runs something and counts the octets of heap that it took and did not give back.
fn metered<T>(heap: &mut i64, run: impl FnOnce() -> T) -> T {
    let mut result = None;
    let info = measure(|| {
        // caught in here: an unwinding would leave the meter running
        result = Some(panic::catch_unwind(AssertUnwindSafe(run)));
    });
    *heap += info.bytes_current;
    match result.expect("it ran") {
        Ok(value) => value,
        Err(panic) => panic::resume_unwind(panic),
    }
}

/// The packet with a buffer of its own.
fn own(mut packet: Packet) -> Packet {
    packet.segment.payload = Bytes::copy_from_slice(&packet.segment.payload);
    packet
}

struct Ours<'a> {
    socket: host::Socket<'a>,
    /// Reads and writes by copying.
    copies: bool,
}

impl Socket for Ours<'_> {
    fn readable(&self) -> usize {
        self.socket.readable()
    }

    fn read(&mut self, most: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        if self.copies || most < self.socket.readable() {
            let len = most.min(self.socket.readable()).min(1 << 16);
            let mut text = vec![0; len];
            assert_eq!(self.socket.read(&mut text), len, "fewer octets than are readable");
            sink(&text);
            return len;
        }
        let Some(text) = self.socket.chunk() else { return 0 };
        sink(&text);
        text.len()
    }

    fn eof(&self) -> bool {
        self.socket.eof()
    }

    fn write(&mut self, mut text: Bytes) -> Result<usize, String> {
        let took = if self.copies { self.socket.write(&text) } else { self.socket.write_bytes(&mut text) };
        match took {
            Err(Error::NotConnected) => Ok(0), // it is over, and the signal comes
            took => took.map_err(|error| format!("a write was refused: {error}")),
        }
    }

    fn close(&mut self) -> Result<(), String> {
        match self.socket.close() {
            Ok(()) | Err(Error::NotConnected) => Ok(()),
            Err(error) => Err(format!("a close was refused: {error}")),
        }
    }

    fn notify_flushed(&mut self) {
        self.socket.notify_flushed();
    }

    fn set_low_water(&mut self, octets: usize) -> usize {
        self.socket.set_receive_low_water(octets)
    }
}
