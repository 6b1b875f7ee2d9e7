//! segue under test: a small host around its connections.

mod config;
mod endpoint;
mod info;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use segue::codec::{self, Flow, Packet};
use segue::host::Keys;
use segue::ip::{self, Datagram, Format};
use segue::{
    Action, Algorithm, CloseReason, Connection, Event, IcmpKind, Instant, Knob, Path, Report, Secrets, Segment, SeqNum,
};

use crate::call::Errno;
use crate::setup::Setup;
use crate::stack::{Handle, Send, SocketOption, Stack, Status};
pub use config::Settings;
pub use endpoint::OverEndpoint;

/// One connection, and what its user has not taken yet.
struct Entry {
    flow: Flow,
    tcp: Connection,
    /// The place of the listener that it came from.
    listener: Option<usize>,
    inbox: VecDeque<Bytes>,
    connected: bool,
    peer_closed: bool,
    urgent: bool,
    error: Option<Errno>,
    closed: bool,
    /// Reports of R1 and of ICMP errors.
    unresponsive: i64,
    icmp_errors: i64,
}

struct Listener {
    local: SocketAddr,
    settings: Settings,
    open: bool,
    backlog: usize,
    /// The connections whose handshake is complete.
    complete: VecDeque<usize>,
}

/// segue, over [`Connection`]: the calls reach all that a connection offers, urgent text among it.
pub struct Segue {
    settings: Settings,
    setup: Setup,
    keys: Keys,
    connections: Vec<Entry>,
    listeners: Vec<Listener>,
    sent: Vec<Vec<u8>>,
}

/// Handles of listeners follow those that connections can have.
const LISTENERS: usize = 1 << 32;

fn instant(now: Duration) -> Instant {
    Instant::ZERO + now
}

impl Segue {
    /// A host with this address and device.
    pub fn new(setup: &Setup) -> Self {
        Self {
            settings: Settings::default(),
            setup: setup.clone(),
            keys: Keys::new(*b"virtual entropy!"),
            connections: Vec::new(),
            listeners: Vec::new(),
            sent: Vec::new(),
        }
    }

    fn secrets(&self, flow: &Flow, now: Instant, after: Option<SeqNum>) -> Secrets {
        let secrets = self.keys.secrets(flow, now, after);
        match (self.setup.iss, after) {
            (Some(iss), None) => Secrets { iss: SeqNum::new(iss), ..secrets },
            _ => secrets,
        }
    }

    const fn path(&self) -> Path {
        Path::new(self.setup.remote, self.setup.mtu)
    }

    fn transmit(&mut self, flow: &Flow, segment: Segment) {
        let mut datagram = Vec::new();
        if ip::encode(flow.pseudo(), &flow.packet(segment), Format::default(), &mut datagram).is_ok() {
            self.sent.push(datagram);
        }
    }

    /// Carries out what the connection at this place asks for.
    fn carry_out(&mut self, place: usize, actions: Vec<Action>, now: Instant) {
        for action in actions {
            let entry = &mut self.connections[place];
            match action {
                Action::Transmit(segment) => {
                    let flow = entry.flow;
                    self.transmit(&flow, segment);
                }
                Action::Deliver(text) => entry.inbox.push_back(text),
                Action::Urgent { .. } => entry.urgent = true,
                Action::PeerClosed => entry.peer_closed = true,
                Action::Connected => {
                    entry.connected = true;
                    if let Some(listener) = entry.listener {
                        self.listeners[listener].complete.push_back(place);
                    }
                }
                Action::Report(Report::Unresponsive { .. }) => entry.unresponsive += 1,
                Action::Report(Report::Icmp(_)) => entry.icmp_errors += 1,
                Action::Closed(reason) => {
                    entry.closed = true;
                    entry.error = errno(reason);
                }
                Action::Successor { syn, iss_after } => self.succeed(place, *syn, iss_after, now),
                _ => {} // the runner asks for deadlines and room
            }
        }
    }

    /// A SYN in TIME-WAIT opens the next incarnation where somebody listens (RFC 6191).
    fn succeed(&mut self, place: usize, syn: Segment, iss_after: SeqNum, now: Instant) {
        let flow = self.connections[place].flow;
        if let Some(listener) = self.listener(&flow) {
            self.connections[place].closed = true;
            self.open_passive(listener, flow, syn, Some(iss_after), now);
        }
    }

    fn listener(&self, flow: &Flow) -> Option<usize> {
        self.listeners.iter().position(|listener| {
            let (own, local) = (listener.local, flow.local());
            listener.open && own.port() == local.port() && (own.ip().is_unspecified() || own.ip() == local.ip())
        })
    }

    fn open_passive(&mut self, listener: usize, flow: Flow, segment: Segment, after: Option<SeqNum>, now: Instant) {
        let waiting = |entry: &&Entry| entry.listener == Some(listener) && !entry.closed && !entry.connected;
        if self.connections.iter().filter(waiting).count() >= self.listeners[listener].backlog {
            return; // the peer repeats its SYN
        }
        let secrets = self.secrets(&flow, now, after);
        let settings = &self.listeners[listener].settings;
        let controller = settings.controller();
        let config = settings.config();
        let (tcp, actions) = Connection::accept_with(controller, config, self.path(), secrets, segment, now);
        let place = self.add(flow, tcp, Some(listener));
        self.carry_out(place, actions, now);
    }

    fn add(&mut self, flow: Flow, tcp: Connection, listener: Option<usize>) -> usize {
        self.connections.push(Entry {
            flow,
            tcp,
            listener,
            inbox: VecDeque::new(),
            connected: false,
            peer_closed: false,
            urgent: false,
            error: None,
            closed: false,
            unresponsive: 0,
            icmp_errors: 0,
        });
        self.connections.len() - 1
    }

    fn connection(&self, flow: &Flow) -> Option<usize> {
        self.connections.iter().position(|entry| entry.flow == *flow && !entry.closed)
    }

    fn handle(&mut self, place: usize, event: Event, now: Instant) -> Result<(), segue::Error> {
        let mut actions = Vec::new();
        let handled = self.connections[place].tcp.handle(event, now, &mut actions);
        self.carry_out(place, actions, now);
        handled
    }

    /// An event that a connection never refuses.
    fn tell(&mut self, place: usize, event: Event, now: Instant) {
        let told = self.handle(place, event, now);
        debug_assert_eq!(told, Ok(()));
    }

    fn arrives(&mut self, flow: Flow, packet: Packet, now: Instant) {
        if flow.local().ip() != self.setup.local {
            return; // for another host
        }
        match (self.connection(&flow), self.listener(&flow)) {
            (Some(place), _) => self.tell(place, Event::Segment(packet.segment), now),
            (None, Some(listener)) => self.open_passive(listener, flow, packet.segment, None, now),
            (None, None) => {
                if let Some(reset) = codec::reset_to(&packet) {
                    self.transmit(&flow, reset.segment);
                }
            }
        }
    }
}

/// The option as a setting of a live connection, if it is one.
const fn knob(option: SocketOption) -> Option<Knob> {
    Some(match option {
        SocketOption::NoDelay(off) => Knob::Nagle(!off),
        SocketOption::Cork(cork) => Knob::Cork(cork),
        SocketOption::KeepAlive(on) => Knob::KeepAlive(on),
        SocketOption::KeepIdle(idle) => Knob::KeepAliveIdle(idle),
        SocketOption::UserTimeout(timeout) => Knob::UserTimeout(Some(timeout)),
        SocketOption::ReceiveBuffer(octets) => Knob::ReceiveBuffer(octets),
        SocketOption::KeepInterval(interval) => Knob::KeepAliveInterval(interval),
        SocketOption::KeepCount(count) => Knob::KeepAliveProbes(count),
        SocketOption::MaxSegment(octets) => Knob::MaxSentMss(octets),
        SocketOption::SynCount(count) => Knob::SynRetries(count),
        SocketOption::SendBuffer(octets) => Knob::SendBuffer(octets),
        SocketOption::Linger2(time) => Knob::FinWait2(time),
        SocketOption::Reno(_) => return None,
    })
}

/// What a user reads of the end of a connection.
const fn errno(reason: CloseReason) -> Option<Errno> {
    match reason {
        CloseReason::Refused | CloseReason::Unreachable(IcmpKind::PortUnreachable) => Some(Errno::ECONNREFUSED),
        CloseReason::Unreachable(IcmpKind::ProtocolUnreachable) => Some(Errno::ENOPROTOOPT),
        CloseReason::Unreachable(_) => Some(Errno::EHOSTUNREACH),
        CloseReason::Reset => Some(Errno::ECONNRESET),
        CloseReason::ConnectTimeout | CloseReason::UserTimeout | CloseReason::KeepAliveTimeout => {
            Some(Errno::ETIMEDOUT)
        }
        _ => None, // the user's own doing
    }
}

impl Stack for Segue {
    fn name(&self) -> &'static str {
        "segue"
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.settings.sysctl(name, value)
    }

    fn receive_datagram(&mut self, datagram: &[u8], now: Duration) {
        let now = instant(now);
        match ip::decode(Bytes::copy_from_slice(datagram), Format::default()) {
            Ok(Datagram::Tcp(addresses, packet)) => {
                if let Some(flow) = Flow::of_received(addresses, &packet) {
                    self.arrives(flow, packet, now);
                }
            }
            Ok(Datagram::Icmp(error)) => {
                if let Some(place) = self.connection(&error.flow) {
                    let (kind, quoted_seq, mtu) = (error.kind, error.quoted_seq, error.mtu);
                    self.tell(place, Event::Icmp { kind, quoted_seq, mtu }, now);
                }
            }
            Err(_) => {} // nothing answers it
        }
    }

    fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    fn next_deadline(&mut self) -> Option<Duration> {
        let live = self.connections.iter().filter(|entry| !entry.closed);
        let next = live.filter_map(|entry| entry.tcp.next_deadline()).map(|(_, at)| at).min();
        next.map(|at| at.saturating_since(Instant::ZERO))
    }

    fn run_timers(&mut self, now: Duration) {
        let now = instant(now);
        for place in 0..self.connections.len() {
            let entry = &mut self.connections[place];
            match entry.tcp.next_deadline() {
                Some((timer, at)) if at <= now && !entry.closed => {
                    let actions = entry.tcp.handle_timer(timer, now);
                    self.carry_out(place, actions, now);
                }
                _ => {}
            }
        }
    }

    fn listen(&mut self, local: SocketAddr, backlog: usize, options: &[SocketOption]) -> Result<Handle, Errno> {
        if self.listeners.iter().any(|listener| listener.open && listener.local == local) {
            return Err(Errno::EADDRINUSE);
        }
        let settings = self.settings.with(options)?;
        self.listeners.push(Listener { local, settings, open: true, backlog, complete: VecDeque::new() });
        Ok(Handle(LISTENERS + self.listeners.len() - 1))
    }

    fn accept(&mut self, listener: Handle) -> Option<(Handle, SocketAddr)> {
        let place = self.listeners[listener.0 - LISTENERS].complete.pop_front()?;
        Some((Handle(place), self.connections[place].flow.remote()))
    }

    fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        options: &[SocketOption],
        now: Duration,
    ) -> Result<Handle, Errno> {
        let now = instant(now);
        // An address that is not unicast (RFC 9293 MUST-46).
        let flow = Flow::new(local, remote).ok_or(Errno::ENETUNREACH)?;
        if self.connection(&flow).is_some() {
            return Err(Errno::EADDRINUSE);
        }
        let settings = self.settings.with(options)?;
        let secrets = self.secrets(&flow, now, None);
        let (tcp, actions) =
            Connection::connect_with(settings.controller(), settings.config(), self.path(), secrets, now);
        let place = self.add(flow, tcp, None);
        self.carry_out(place, actions, now);
        options.iter().filter_map(|option| knob(*option)).for_each(|knob| self.tell(place, Event::Set(knob), now));
        Ok(Handle(place))
    }

    fn send(&mut self, connection: Handle, text: &[u8], how: Send, now: Duration) -> Result<usize, Errno> {
        let now = instant(now);
        let entry = &mut self.connections[connection.0];
        let room = entry.tcp.writable().map_err(|_| Errno::EPIPE)?;
        let taken = room.min(text.len());
        let text = Bytes::copy_from_slice(&text[..taken]);
        if taken == 0 {
            return Ok(0);
        }
        let event = match how {
            Send { urgent: true, .. } => Event::SendUrgent(text),
            Send { more: true, .. } => Event::SendMore(text),
            Send { .. } => Event::Send(text),
        };
        self.handle(connection.0, event, now).map(|()| taken).map_err(|_| Errno::EPIPE)
    }

    fn receive(&mut self, connection: Handle, most: usize, now: Duration) -> Vec<u8> {
        let entry = &mut self.connections[connection.0];
        let mut text = Vec::new();
        while let Some(mut front) = entry.inbox.pop_front() {
            let rest = front.split_off(front.len().min(most - text.len()));
            text.extend_from_slice(&front);
            if !rest.is_empty() {
                entry.inbox.push_front(rest);
                break;
            }
        }
        if !entry.closed {
            self.tell(connection.0, Event::Consume(text.len()), instant(now));
        }
        text
    }

    fn shutdown(&mut self, connection: Handle, now: Duration) -> Result<(), Errno> {
        self.handle(connection.0, Event::Close, instant(now)).map_err(|_| Errno::ENOTCONN)
    }

    fn close(&mut self, handle: Handle, abort: bool, now: Duration) {
        let event = if abort { Event::Abort } else { Event::Release };
        if handle.0 < LISTENERS {
            self.tell(handle.0, event, instant(now));
            return;
        }
        let listener = handle.0 - LISTENERS;
        self.listeners[listener].open = false;
        // Nobody will accept the others (RFC 9293 §3.10.4, LISTEN).
        let complete = &self.listeners[listener].complete;
        let orphan = |(place, entry): &(usize, &Entry)| {
            entry.listener == Some(listener) && !entry.closed && (!entry.connected || complete.contains(place))
        };
        let orphans: Vec<usize> = self.connections.iter().enumerate().filter(orphan).map(|(place, _)| place).collect();
        orphans.into_iter().for_each(|place| self.tell(place, Event::Abort, instant(now)));
    }

    fn set(&mut self, connection: Handle, option: SocketOption, now: Duration) -> Result<(), Errno> {
        let knob = knob(option).ok_or(Errno::ENOPROTOOPT)?;
        self.handle(connection.0, Event::Set(knob), instant(now)).map_err(|_| Errno::EINVAL)
    }

    fn status(&mut self, connection: Handle) -> Status {
        let entry = &self.connections[connection.0];
        Status {
            opening: !entry.connected && !entry.closed,
            error: entry.error,
            readable: entry.inbox.iter().map(Bytes::len).sum(),
            at_end: entry.peer_closed || entry.closed,
            writable: entry.tcp.writable().unwrap_or(0),
            urgent: entry.urgent && entry.tcp.info().urgent_remaining > 0,
        }
    }

    fn info(&mut self, connection: Handle) -> Vec<(&'static str, i64)> {
        let entry = &self.connections[connection.0];
        let mut info = info::of(&entry.tcp.info());
        info.extend([("unresponsive", entry.unresponsive), ("icmp_errors", entry.icmp_errors)]);
        info
    }
}

/// The controller of a connection, from its name.
fn controller(reno: bool) -> Algorithm {
    match reno {
        true => Algorithm::Reno(segue::congestion::Reno::default()),
        false => Algorithm::default(),
    }
}
