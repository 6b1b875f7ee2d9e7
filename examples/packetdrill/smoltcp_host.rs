//! smoltcp's TCP sockets under test: what it takes to put another stack in.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpCidr};

use crate::call::Errno;
use crate::setup::Setup;
use crate::stack::{Handle, Send, SocketOption, Stack, Status};

/// Queues in the place of a device.
struct Link {
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
    mtu: usize,
}

struct Arrived(Vec<u8>);

struct Room<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Arrived {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Room<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut datagram = vec![0; len];
        let result = f(&mut datagram);
        self.0.push(datagram);
        result
    }
}

impl Device for Link {
    type RxToken<'a> = Arrived;
    type TxToken<'a> = Room<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Arrived, Room<'_>)> {
        Some((Arrived(self.arrived.pop_front()?), Room(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Room<'_>> {
        Some(Room(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut facts = DeviceCapabilities::default();
        (facts.medium, facts.max_transmission_unit) = (Medium::Ip, self.mtu);
        facts
    }
}

/// One socket and what became of it.
struct Entry {
    socket: SocketHandle,
    /// The handshake was seen complete.
    connected: bool,
    /// The user closed: an end is no error.
    finished: bool,
    error: Option<Errno>,
}

/// A host of smoltcp. A listener is a socket that listens; when it is taken, another one listens.
pub struct Smoltcp {
    link: Link,
    interface: Interface,
    sockets: SocketSet<'static>,
    entries: Vec<Entry>,
    /// For each listener its end, its options and the places of its sockets.
    listeners: Vec<(SocketAddr, Vec<SocketOption>, Vec<usize>)>,
    now: Instant,
}

/// Handles of listeners follow those that connections can have.
const LISTENERS: usize = 1 << 32;

/// The largest buffer of a socket: it is allocated at once.
const MOST_BUFFERED: usize = 64 << 20;

/// The longest time of an option, in microseconds: some 30 years.
const LONGEST: u64 = 1_000_000_000_000_000;

fn instant(now: Duration) -> Instant {
    Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

impl Smoltcp {
    pub fn new(setup: &Setup) -> Self {
        let mut link = Link { arrived: VecDeque::new(), sent: Vec::new(), mtu: usize::from(setup.mtu) };
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut link, Instant::ZERO);
        if setup.local.is_multicast() || setup.local == IpAddr::from(Ipv4Addr::BROADCAST) {
            return Self::with(link, interface); // an interface has no such address
        }
        interface.update_ip_addrs(|all| all.push(IpCidr::new(setup.local.into(), 24)).expect("room for one"));
        match setup.remote {
            IpAddr::V4(remote) => drop(interface.routes_mut().add_default_ipv4_route(remote)),
            IpAddr::V6(remote) => drop(interface.routes_mut().add_default_ipv6_route(remote)),
        }
        Self::with(link, interface)
    }

    fn with(link: Link, interface: Interface) -> Self {
        let sockets = SocketSet::new(Vec::new());
        Self { link, interface, sockets, entries: Vec::new(), listeners: Vec::new(), now: Instant::ZERO }
    }

    fn poll(&mut self) {
        while self.interface.poll(self.now, &mut self.link, &mut self.sockets) != smoltcp::iface::PollResult::None {}
        for entry in &mut self.entries {
            let state = self.sockets.get::<Socket<'_>>(entry.socket).state();
            let synchronized = !matches!(state, State::Closed | State::Listen | State::SynSent | State::SynReceived);
            if state == State::Closed && entry.error.is_none() && !entry.finished {
                // smoltcp does not tell why.
                entry.error = Some(if entry.connected { Errno::ECONNRESET } else { Errno::ECONNREFUSED });
            }
            entry.connected |= synchronized;
            entry.finished |= matches!(state, State::LastAck | State::TimeWait | State::Closing);
        }
    }

    fn add(&mut self, options: &[SocketOption]) -> Result<usize, Errno> {
        let size = |wanted: fn(&SocketOption) -> Option<u32>| {
            usize::try_from(options.iter().rev().find_map(wanted).unwrap_or(65_535)).unwrap_or(65_535)
        };
        let receive = size(|option| if let SocketOption::ReceiveBuffer(size) = option { Some(*size) } else { None });
        let send = size(|option| if let SocketOption::SendBuffer(size) = option { Some(*size) } else { None });
        if receive > MOST_BUFFERED || send > MOST_BUFFERED {
            return Err(Errno::EINVAL);
        }
        let mut socket = Socket::new(SocketBuffer::new(vec![0; receive]), SocketBuffer::new(vec![0; send]));
        options.iter().try_for_each(|option| set(&mut socket, *option))?;
        let socket = self.sockets.add(socket);
        self.entries.push(Entry { socket, connected: false, finished: false, error: None });
        Ok(self.entries.len() - 1)
    }

    fn socket(&mut self, handle: Handle) -> &mut Socket<'static> {
        self.sockets.get_mut(self.entries[handle.0].socket)
    }

    /// A socket that listens for this listener.
    fn listen_again(&mut self, listener: usize) -> Result<(), Errno> {
        let (local, options, _) = self.listeners[listener].clone();
        let place = self.add(&options)?;
        self.socket(Handle(place)).listen(local).map_err(|_| Errno::EADDRINUSE)?;
        self.listeners[listener].2.push(place);
        Ok(())
    }
}

fn set(socket: &mut Socket<'_>, option: SocketOption) -> Result<(), Errno> {
    // With no time at all between probes smoltcp sends them for ever, and its clock has no room for centuries.
    let time = |time: Duration| match u64::try_from(time.as_micros()) {
        Ok(micros @ 1..=LONGEST) => Ok(smoltcp::time::Duration::from_micros(micros)),
        _ => Err(Errno::EINVAL),
    };
    match option {
        SocketOption::NoDelay(off) => socket.set_nagle_enabled(!off),
        SocketOption::KeepAlive(false) => socket.set_keep_alive(None),
        SocketOption::KeepIdle(idle) => socket.set_keep_alive(Some(time(idle)?)),
        SocketOption::UserTimeout(Duration::ZERO) => socket.set_timeout(None),
        SocketOption::UserTimeout(timeout) => socket.set_timeout(Some(time(timeout)?)),
        SocketOption::ReceiveBuffer(_) | SocketOption::SendBuffer(_) | SocketOption::KeepAlive(true) => {}
        _ => return Err(Errno::ENOPROTOOPT),
    }
    Ok(())
}

impl Stack for Smoltcp {
    fn name(&self) -> &'static str {
        "smoltcp"
    }

    fn sysctl(&mut self, name: &str, _: &str) -> Result<(), String> {
        Err(format!("smoltcp has no variable {name}: run this script with --stack segue"))
    }

    fn receive_datagram(&mut self, datagram: &[u8], now: Duration) {
        self.now = instant(now);
        self.link.arrived.push_back(datagram.to_vec());
        self.poll();
    }

    fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.link.sent)
    }

    fn next_deadline(&mut self) -> Option<Duration> {
        let at = self.interface.poll_at(self.now, &self.sockets)?;
        // Work that is due at once was done at once: the interface has no more to do before the next microsecond.
        let at = if at > self.now { at } else { self.now + smoltcp::time::Duration::from_micros(1) };
        Some(Duration::from_micros(u64::try_from(at.total_micros()).unwrap_or(0)))
    }

    fn run_timers(&mut self, now: Duration) {
        self.now = instant(now);
        self.poll();
    }

    fn listen(&mut self, local: SocketAddr, _: usize, options: &[SocketOption]) -> Result<Handle, Errno> {
        self.listeners.push((local, options.to_vec(), Vec::new()));
        let listener = self.listeners.len() - 1;
        self.listen_again(listener).map(|()| Handle(LISTENERS + listener))
    }

    fn accept(&mut self, listener: Handle) -> Option<(Handle, SocketAddr)> {
        let listener = listener.0 - LISTENERS;
        let places = &self.listeners[listener].2;
        let place = *places.iter().find(|place| self.entries[**place].connected)?;
        self.listeners[listener].2.retain(|own| *own != place);
        let _ = self.listen_again(listener); // without room nobody else connects
        let remote = self.socket(Handle(place)).remote_endpoint()?;
        Some((Handle(place), SocketAddr::new(remote.addr.into(), remote.port)))
    }

    fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        options: &[SocketOption],
        now: Duration,
    ) -> Result<Handle, Errno> {
        self.now = instant(now);
        let place = self.add(options)?;
        let socket = self.sockets.get_mut::<Socket<'_>>(self.entries[place].socket);
        socket.connect(self.interface.context(), remote, local).map_err(|_| Errno::ENETUNREACH)?;
        self.poll();
        Ok(Handle(place))
    }

    fn send(&mut self, connection: Handle, text: &[u8], how: Send, now: Duration) -> Result<usize, Errno> {
        if how.urgent {
            return Err(Errno::EOPNOTSUPP);
        }
        self.now = instant(now);
        let socket = self.socket(connection);
        if matches!(socket.state(), State::SynSent | State::SynReceived) {
            return Ok(0);
        }
        let taken = socket.send_slice(text).map_err(|_| Errno::EPIPE);
        self.poll();
        taken
    }

    fn receive(&mut self, connection: Handle, most: usize, now: Duration) -> Vec<u8> {
        self.now = instant(now);
        let mut text = vec![0; most.min(self.socket(connection).recv_queue())];
        let taken = self.socket(connection).recv_slice(&mut text).unwrap_or(0);
        text.truncate(taken);
        self.poll();
        text
    }

    fn shutdown(&mut self, connection: Handle, now: Duration) -> Result<(), Errno> {
        self.now = instant(now);
        if !self.socket(connection).is_open() {
            return Err(Errno::ENOTCONN);
        }
        self.socket(connection).close();
        self.poll();
        Ok(())
    }

    fn close(&mut self, handle: Handle, abort: bool, now: Duration) {
        self.now = instant(now);
        let places = match handle.0.checked_sub(LISTENERS) {
            Some(listener) => std::mem::take(&mut self.listeners[listener].2),
            None => vec![handle.0],
        };
        for place in places {
            self.entries[place].finished = true;
            match abort {
                true => self.socket(Handle(place)).abort(),
                false => self.socket(Handle(place)).close(),
            }
        }
        self.poll();
    }

    fn set(&mut self, connection: Handle, option: SocketOption, now: Duration) -> Result<(), Errno> {
        self.now = instant(now);
        set(self.socket(connection), option)?;
        self.poll();
        Ok(())
    }

    fn status(&mut self, connection: Handle) -> Status {
        let entry = &self.entries[connection.0];
        let socket = self.sockets.get::<Socket<'_>>(entry.socket);
        Status {
            opening: !entry.connected && entry.error.is_none(),
            error: entry.error,
            readable: socket.recv_queue(),
            at_end: entry.connected && !socket.may_recv(),
            writable: if socket.may_send() { socket.send_capacity() - socket.send_queue() } else { 0 },
            urgent: false,
        }
    }

    fn info(&mut self, connection: Handle) -> Vec<(&'static str, i64)> {
        let socket = self.sockets.get::<Socket<'_>>(self.entries[connection.0].socket);
        let state = match socket.state() {
            State::Established => 1,
            State::SynSent => 2,
            State::SynReceived => 3,
            State::FinWait1 => 4,
            State::FinWait2 => 5,
            State::TimeWait => 6,
            State::Closed => 7,
            State::CloseWait => 8,
            State::LastAck => 9,
            State::Listen => 10,
            State::Closing => 11,
        };
        let queue = i64::try_from(socket.send_queue()).unwrap_or(i64::MAX);
        vec![("tcpi_state", state), ("send_queue", queue)]
    }
}
