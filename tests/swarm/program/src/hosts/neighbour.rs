//! A host with smoltcp's sockets, one for each flow.

use std::cell::Cell;
use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use segue::codec::Packet;
use segue::ip::{self, Datagram, Format};
use segue::{CloseReason, Flags, Instant, Segment, SeqNum};
use segue_kit::net::Side;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{self, RecvError, SocketBuffer, State};
use smoltcp::time;
use smoltcp::wire::{HardwareAddress, IpCidr};

use super::plan::{Plan, Smoltcp};
use super::shared::{Parcels, World};
use super::task::{Leave, Over, Socket};

thread_local! {
    /// What the sockets put into timestamps: their generator is told nothing.
    static CLOCK: Cell<u32> = const { Cell::new(0) };
}

/// Signs of faults of smoltcp 0.14.
///
/// Its socket in TIME-WAIT (after 10 s) or LAST-ACK (at once) becomes new when the connection is over, and text that its
/// user has not taken is gone.
pub(super) const THROWN_AWAY: &str = "smoltcp threw away text that waited for its user";

/// An ACK closed the window while a FIN or text was in flight, and no timer runs any more to send it again, or to probe.
///
/// A window update after that stops the timer for probes and starts none, though the text stays in flight. If that text went out
/// beyond the window (its fast retransmission sends a whole segment into any window), the ACKs of its socket have numbers that the
/// peer must discard (RFC 9293 §3.10.7.4), so the FIN of the peer is never acknowledged, either.
pub(super) const NO_TIMER: &str = "smoltcp has no timer for what is not acknowledged";

/// With text still queued, its socket in LAST-ACK takes no window from an ACK of nothing new, such as a window update: it answers,
/// and goes on with the window of 0 that it heard before.
pub(super) const DEAF: &str = "smoltcp takes no window update in LAST-ACK";

/// An ACK of the last octet and the FIN said a window of 0. The timer for probes stays, and in FIN-WAIT-2 each poll sends an
/// empty ACK for it and does not set it anew.
pub(super) const ENDLESS: &str = "smoltcp sends without end in FIN-WAIT-2";

/// Whether smoltcp's end of a flow shows a fault after which it tells its peer nothing more, or which ends it here.
pub(super) fn has_left(world: &World<'_>, flow: usize) -> bool {
    world.signs.get(&flow).is_some_and(|sign| [NO_TIMER, DEAF, ENDLESS].contains(sign))
}

/// More packets in one poll than any window here lets through.
const AT_ONCE: usize = 20_000;

/// Fruitless segments in a row for a socket to be called deaf, the first a window update that it threw away, or to be called
/// without a timer.
const FRUITLESS: u32 = 8;

/// A device without a link layer: the packets that came and those that leave.
#[derive(Debug)]
struct Wire {
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    mtu: usize,
}

#[derive(Debug)]
struct Arrived(Vec<u8>);

#[derive(Debug)]
struct Room<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut octets = vec![0; len];
        let result = f(&mut octets);
        self.0.push(octets);
        result
    }
}

impl Device for Wire {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: time::Instant) -> Option<(Arrived, Room<'_>)> {
        Some((Arrived(self.arrived.pop_front()?), Room(&mut self.sent)))
    }

    fn transmit(&mut self, _: time::Instant) -> Option<Room<'_>> {
        (self.sent.len() < AT_ONCE).then_some(Room(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut facts = DeviceCapabilities::default();
        facts.medium = Medium::Ip;
        facts.max_transmission_unit = self.mtu;
        facts
    }
}

/// A socket and whose it is.
#[derive(Debug)]
struct Place {
    socket: SocketHandle,
    flow: usize,
    side: Side,
    task: Option<usize>,
    /// Text that waited for its user after the last turn.
    unread: usize,
    heard: Heard,
}

/// The last ACK of which a socket took the window, and what came to nothing since: updates that it should have taken, and after
/// the first of them also its own segments without text.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    ack: SeqNum,
    window: u16,
    fruitless: u32,
    /// ACKs in a row of nothing new that arrived while the socket waited for an ACK without a timer.
    idle: u32,
}

impl Heard {
    /// An ACK arrives at a socket in this state.
    fn hear(&mut self, state: State, segment: &Segment, is_idle: bool) {
        let idle = if is_idle && segment.ack == self.ack { self.idle + 1 } else { 0 };
        self.idle = idle;
        if state != State::LastAck || segment.ack != self.ack {
            *self = Self { ack: segment.ack, window: segment.window, fruitless: 0, idle };
        } else if self.window == 0 && segment.window > 0 {
            self.fruitless += 1;
        }
    }

    /// The socket sends.
    fn say(&mut self, segment: &Segment) {
        self.fruitless += u32::from(self.fruitless > 0 && segment.payload.is_empty());
    }
}

impl Place {
    /// The port of this end.
    fn port(&self, plan: &Plan) -> u16 {
        match self.side {
            Side::Client => client_port(self.flow),
            Side::Server => plan.flows[self.flow].port,
        }
    }
}

/// The port from which this host opens a flow.
fn client_port(flow: usize) -> u16 {
    40_000 + flow as u16
}

/// An interface with its sockets.
pub(super) struct Neighbour {
    number: u8,
    wire: Wire,
    interface: Interface,
    sockets: SocketSet<'static>,
    places: Vec<Place>,
    deadline: Option<Instant>,
}

impl std::fmt::Debug for Neighbour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Neighbour").field("places", &self.places).finish_non_exhaustive()
    }
}

/// Whether a FIN or text of a socket is not acknowledged, so that a timer has to run.
fn waits(socket: &tcp::Socket<'_>) -> bool {
    match socket.state() {
        State::FinWait1 | State::Closing | State::LastAck => true,
        State::Established | State::CloseWait => socket.send_queue() > 0,
        _ => false,
    }
}

fn at(now: Instant) -> time::Instant {
    time::Instant::from_micros(now.as_micros() as i64)
}

fn socket(settings: &Smoltcp) -> tcp::Socket<'static> {
    let buffer = |octets: u32| SocketBuffer::new(vec![0; octets as usize]);
    let mut socket = tcp::Socket::new(buffer(settings.receive), buffer(settings.send));
    socket.set_nagle_enabled(settings.nagle);
    socket.set_ack_delay(settings.ack_delay.map(|millis| time::Duration::from_millis(millis.into())));
    if settings.timestamps {
        socket.set_tsval_generator(Some(|| CLOCK.get()));
    }
    socket
}

impl Neighbour {
    pub(super) fn new(plan: &Plan, number: u8, settings: &Smoltcp, now: Instant) -> Self {
        let mut wire = Wire { arrived: VecDeque::new(), sent: Vec::new(), mtu: usize::from(plan.host(number).mtu) };
        let mut config = Config::new(HardwareAddress::Ip);
        config.random_seed = plan.seed;
        let mut interface = Interface::new(config, &mut wire, at(now));
        let prefix = if plan.v6 { 64 } else { 24 };
        let address = IpCidr::new(plan.address(number).into(), prefix);
        interface.update_ip_addrs(|all| all.push(address).expect("room for one"));
        let mut sockets = SocketSet::new(Vec::new());
        let mut places = Vec::new();
        for (flow, what) in plan.flows.iter().enumerate() {
            let side = if what.server == number { Side::Server } else { Side::Client };
            let mut one = socket(settings);
            if side == Side::Server {
                one.listen(what.port).expect("a closed socket");
            }
            places.push(Place { socket: sockets.add(one), flow, side, task: None, unread: 0, heard: Heard::default() });
        }
        Self { number, wire, interface, sockets, places, deadline: None }
    }

    pub(super) fn open(&mut self, world: &mut World<'_>, flow: usize) {
        let task = world.begin(flow, Side::Client);
        let place = self.places.iter_mut().find(|place| place.flow == flow).expect("a socket for each flow");
        place.task = Some(task);
        let what = &world.plan.flows[flow];
        let remote = (world.plan.address(what.server), what.port);
        let local = client_port(flow);
        let socket = self.sockets.get_mut::<tcp::Socket<'_>>(place.socket);
        socket.connect(self.interface.context(), remote, local).expect("a closed socket");
        self.deadline = Some(world.now);
    }

    pub(super) fn users(&self) -> Vec<usize> {
        self.places.iter().filter_map(|place| place.task).collect()
    }

    pub(super) const fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// One turn: what arrived, the users, what leaves.
    pub(super) fn turn(&mut self, world: &mut World<'_>, arrived: Parcels) -> Parcels {
        let now = world.now;
        CLOCK.set((now.as_micros() / 1000) as u32);
        for (addresses, packet) in arrived {
            self.hears(world, &packet);
            let mut octets = Vec::new();
            ip::encode(addresses, &packet, Format::default(), &mut octets).expect("what is sent can be encoded");
            self.wire.arrived.push_back(octets);
        }
        self.interface.poll(at(now), &mut self.wire, &mut self.sockets);
        self.act(world);
        self.interface.poll(at(now), &mut self.wire, &mut self.sockets);
        if self.end_faulty(world) {
            self.interface.poll(at(now), &mut self.wire, &mut self.sockets);
        }
        let next = self.interface.poll_at(at(now), &self.sockets);
        self.deadline = next.map(|at| Instant::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)));
        self.sent(world)
    }

    /// Notes the window that a packet brings, before its socket sees it.
    fn hears(&mut self, world: &World<'_>, packet: &Packet) {
        let Some(place) = self.places.iter_mut().find(|place| place.port(world.plan) == packet.dst_port) else {
            return;
        };
        if packet.segment.flags.contains(Flags::ACK) {
            let socket = self.sockets.get::<tcp::Socket<'_>>(place.socket);
            let is_idle = waits(socket) && self.deadline.is_none();
            place.heard.hear(socket.state(), &packet.segment, is_idle);
        }
    }

    /// Aborts sockets that show a fault which has no end, under its sign; whether there was one.
    fn end_faulty(&mut self, world: &mut World<'_>) -> bool {
        let flood = self.flood();
        let (mut explained, mut any) = (flood.is_none(), false);
        for place in &mut self.places {
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(place.socket);
            let floods = flood
                .as_ref()
                .is_some_and(|packet| packet.src_port == place.port(world.plan) && packet.segment.payload.is_empty());
            let sign = match socket.state() {
                State::FinWait2 if floods && place.heard.window == 0 && socket.send_queue() == 0 => ENDLESS,
                State::LastAck if socket.send_queue() > 0 && place.heard.fruitless >= FRUITLESS => DEAF,
                _ if waits(socket) && place.heard.idle >= FRUITLESS => NO_TIMER,
                _ => continue,
            };
            world.signs.insert(place.flow, sign);
            socket.abort();
            place.heard = Heard::default();
            explained |= floods;
            any = true;
        }
        assert!(explained, "smoltcp sends without end: {flood:?}");
        any
    }

    /// The last packet, if this turn had more than any window lets through. Of those, one of each kind stays.
    fn flood(&mut self) -> Option<Packet> {
        if self.wire.sent.len() < AT_ONCE {
            return None;
        }
        let last = self.wire.sent.last()?.clone();
        let mut seen = BTreeSet::new();
        self.wire.sent.retain(|octets| seen.insert(octets.clone()));
        match ip::decode(Bytes::from(last), Format::default()) {
            Ok(Datagram::Tcp(_, packet)) => Some(packet),
            other => panic!("smoltcp sends without end, and no TCP: {other:?}"),
        }
    }

    fn act(&mut self, world: &mut World<'_>) {
        for place in &mut self.places {
            let socket = self.sockets.get_mut::<tcp::Socket<'_>>(place.socket);
            let state = socket.state();
            // Its TIME-WAIT and its last acknowledgment end a socket with all that it holds.
            if state == State::Closed && place.unread > 0 && socket.recv_queue() == 0 {
                world.signs.insert(place.flow, THROWN_AWAY);
            }
            place.unread = socket.recv_queue();
            let is_up = !matches!(state, State::Closed | State::Listen | State::SynSent | State::SynReceived);
            if place.side == Side::Server && place.task.is_none() && is_up {
                place.task = Some(world.begin(place.flow, Side::Server));
            }
            let Some(number) = place.task else { continue };
            let task = &mut world.tasks[number];
            if task.over.is_some() {
                continue;
            }
            if is_up || state == State::Closed && task.connected {
                task.connected = true;
                task.polls();
                let program = world.plan.flows[place.flow].program(place.side);
                match task.act(program, &mut Theirs { socket, finished: false }, world.now) {
                    Err(problem) => panic!("flow {}: {problem}", place.flow),
                    Ok(Some(Leave::Abort | Leave::Release)) => {
                        socket.abort();
                        task.over = Some(Over::Left);
                    }
                    Ok(None) => {}
                }
            }
            let is_over = matches!(socket.state(), State::Closed | State::TimeWait) && socket.recv_queue() == 0;
            place.unread = socket.recv_queue();
            if task.over.is_none() && is_over {
                task.heard |= socket.recv(|_| (0, ())) == Err(RecvError::Finished);
                let finished = task.closed && task.heard;
                task.over = Some(Over::Closed(if finished { CloseReason::Finished } else { CloseReason::Reset }));
            }
        }
    }

    /// What leaves, as packets; the SYNs of flows are noted.
    fn sent(&mut self, world: &mut World<'_>) -> Parcels {
        let mut parcels = Vec::new();
        for octets in self.wire.sent.drain(..) {
            let Ok(Datagram::Tcp(addresses, packet)) = ip::decode(Bytes::from(octets), Format::default()) else {
                continue; // no TCP
            };
            if packet.segment.flags & (Flags::SYN | Flags::ACK) == Flags::SYN {
                world.names.insert((self.number, packet.segment.seq.value()), usize::from(packet.src_port - 40_000));
            }
            let from = |place: &&mut Place| place.port(world.plan) == packet.src_port;
            if let Some(place) = self.places.iter_mut().find(from) {
                place.heard.say(&packet.segment);
            }
            parcels.push((addresses, packet));
        }
        parcels
    }

    /// Signs that show when all is silent.
    pub(super) fn signs(&self, world: &mut World<'_>) {
        for place in &self.places {
            let socket = self.sockets.get::<tcp::Socket<'_>>(place.socket);
            if waits(socket) && self.deadline.is_none() {
                world.signs.insert(place.flow, NO_TIMER);
            }
        }
    }

    /// The remains when all is silent: an error tells those that should not be.
    pub(super) fn remains(&self, world: &World<'_>) -> Result<(), String> {
        for place in &self.places {
            let socket = self.sockets.get::<tcp::Socket<'_>>(place.socket);
            let (state, queue) = (socket.state(), socket.send_queue());
            let abandoned = has_left(world, place.flow);
            if abandoned || matches!(state, State::Closed | State::TimeWait | State::Listen) {
                continue;
            }
            let alone = world.task(place.flow, place.side.other()).is_none_or(|peer| peer.over.is_some());
            let waits = matches!(state, State::FinWait2 | State::Established | State::CloseWait);
            if !alone || queue > 0 || !waits {
                let (flow, side) = (place.flow, place.side.name());
                return Err(format!(
                    "all is silent, and flow {flow} is stuck at smoltcp's {side} in {state}, {queue} queued"
                ));
            }
        }
        Ok(())
    }
}

struct Theirs<'a> {
    socket: &'a mut tcp::Socket<'static>,
    finished: bool,
}

impl Socket for Theirs<'_> {
    fn readable(&self) -> usize {
        self.socket.recv_queue()
    }

    fn read(&mut self, most: usize, sink: &mut dyn FnMut(&[u8])) -> usize {
        let read = self.socket.recv(|text| {
            let len = text.len().min(most);
            sink(&text[..len]);
            (len, len)
        });
        self.finished |= read == Err(RecvError::Finished);
        read.unwrap_or(0)
    }

    fn eof(&self) -> bool {
        let heard = matches!(self.socket.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
        self.finished || heard && self.socket.recv_queue() == 0
    }

    fn write(&mut self, text: Bytes) -> Result<usize, String> {
        if !self.socket.may_send() {
            return Ok(0); // it was reset: its state tells
        }
        self.socket.send_slice(&text).map_err(|error| format!("a write was refused: {error}"))
    }

    fn close(&mut self) -> Result<(), String> {
        self.socket.close();
        Ok(())
    }

    fn notify_flushed(&mut self) {}

    fn set_low_water(&mut self, _: usize) -> usize {
        1
    }
}
