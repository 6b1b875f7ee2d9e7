//! segue's host layer under test: the same scripts by way of [`Endpoint`], its listeners, its table and its turns.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use segue::host::{Backlog, Endpoint, EndpointConfig, Flow, Id, Keys, Listen, ListenerId, OpenError, Signal};
use segue::ip::Format;
use segue::{Info, Knob, Path, Report};

use super::{LISTENERS, Settings, errno, info, instant, knob};
use crate::call::Errno;
use crate::setup::Setup;
use crate::stack::{Handle, Send, SocketOption, Stack, Status};

/// One connection as its user knows it.
struct Entry {
    id: Id,
    connected: bool,
    peer_closed: bool,
    closed: bool,
    error: Option<Errno>,
    icmp_errors: i64,
    unresponsive: i64,
    /// As it was last.
    info: Option<Info>,
}

/// segue over [`Endpoint`]. Its sockets have no urgent text and no `MSG_MORE`.
pub struct OverEndpoint {
    settings: Settings,
    setup: Setup,
    /// Made with the first call that opens: the controller is known then.
    endpoint: Option<Endpoint>,
    entries: Vec<Entry>,
    listeners: Vec<ListenerId>,
    sent: Vec<Vec<u8>>,
}

impl OverEndpoint {
    pub fn new(setup: &Setup) -> Self {
        let (settings, setup) = (Settings::default(), setup.clone());
        Self { settings, setup, endpoint: None, entries: Vec::new(), listeners: Vec::new(), sent: Vec::new() }
    }

    fn endpoint(&mut self) -> &mut Endpoint {
        let (settings, setup) = (&self.settings, &self.setup);
        self.endpoint.get_or_insert_with(|| {
            let config = EndpointConfig {
                connection: settings.config(),
                addresses: vec![setup.local],
                mtu: setup.mtu,
                ..EndpointConfig::default()
            };
            Endpoint::with_controller(Keys::new(*b"virtual entropy!"), config, settings.controller())
        })
    }

    /// The end of a turn: what it has to tell, and to send.
    fn end_turn(&mut self, now: Duration) {
        let mut sent = std::mem::take(&mut self.sent);
        let endpoint = self.endpoint();
        endpoint.flush_ip(instant(now), Format::default(), |datagram| sent.push(datagram.to_vec()));
        let mut signals = Vec::new();
        while let Some(signal) = endpoint.poll_signal() {
            signals.push(signal);
        }
        self.sent = sent;
        for (id, signal) in signals {
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.id == id && !entry.closed) else { continue };
            match signal {
                Signal::Connected => entry.connected = true,
                Signal::PeerClosed => entry.peer_closed = true,
                Signal::Report(Report::Icmp(_)) => entry.icmp_errors += 1,
                Signal::Report(Report::Unresponsive { .. }) => entry.unresponsive += 1,
                Signal::Closed(reason) => (entry.closed, entry.error) = (true, errno(reason)),
                _ => {} // the runner asks what it can do
            }
        }
    }

    fn add(&mut self, id: Id, connected: bool) -> Handle {
        let (peer_closed, closed, error) = (false, false, None);
        let (icmp_errors, unresponsive, info) = (0, 0, None);
        self.entries.push(Entry { id, connected, peer_closed, closed, error, icmp_errors, unresponsive, info });
        Handle(self.entries.len() - 1)
    }

    fn set(&mut self, id: Id, knob: Knob, now: Duration) -> Result<(), Errno> {
        match self.endpoint().socket(id, instant(now)) {
            Ok(mut socket) => socket.set(knob).map_err(|_| Errno::EINVAL),
            Err(_) => Ok(()), // it is over
        }
    }
}

const fn refused(error: OpenError) -> Errno {
    match error {
        OpenError::InUse => Errno::EADDRINUSE,
        OpenError::Unusable => Errno::ENETUNREACH,
        _ => Errno::EADDRNOTAVAIL,
    }
}

impl Stack for OverEndpoint {
    fn name(&self) -> &'static str {
        "segue"
    }

    fn sysctl(&mut self, name: &str, value: &str) -> Result<(), String> {
        self.settings.sysctl(name, value)
    }

    fn receive_datagram(&mut self, datagram: &[u8], now: Duration) {
        let datagram = Bytes::copy_from_slice(datagram);
        let _ = self.endpoint().receive_ip(datagram, Format::default(), instant(now)); // what brings nothing is dropped
        self.end_turn(now);
    }

    fn take_sent(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.sent)
    }

    fn next_deadline(&mut self) -> Option<Duration> {
        let at = self.endpoint.as_ref()?.next_deadline()?;
        Some(at.saturating_since(segue::Instant::ZERO))
    }

    fn run_timers(&mut self, now: Duration) {
        self.endpoint().timers(instant(now));
        self.end_turn(now);
    }

    fn listen(&mut self, local: SocketAddr, backlog: usize, options: &[SocketOption]) -> Result<Handle, Errno> {
        let config = Some(self.settings.with(options)?.config());
        let backlog = Backlog { half_open: backlog, ..Backlog::default() };
        let listener = self.endpoint().listen(Listen { config, backlog, ..Listen::on(local) }).map_err(refused)?;
        self.listeners.push(listener);
        Ok(Handle(LISTENERS + self.listeners.len() - 1))
    }

    fn accept(&mut self, listener: Handle) -> Option<(Handle, SocketAddr)> {
        let listener = self.listeners[listener.0 - LISTENERS];
        let id = self.endpoint().accept(listener)?;
        let socket = self.endpoint().socket(id, segue::Instant::ZERO).ok()?;
        let remote = socket.flow()?.remote();
        drop(socket);
        Some((self.add(id, true), remote))
    }

    fn connect(
        &mut self,
        local: SocketAddr,
        remote: SocketAddr,
        options: &[SocketOption],
        now: Duration,
    ) -> Result<Handle, Errno> {
        let flow = Flow::new(local, remote).ok_or(Errno::ENETUNREACH)?;
        let (config, path) = (self.settings.with(options)?.config(), Path::new(self.setup.remote, self.setup.mtu));
        let id = self.endpoint().connect_with(flow, config, path, instant(now)).map_err(refused)?;
        let handle = self.add(id, false);
        options.iter().filter_map(|option| knob(*option)).try_for_each(|knob| self.set(id, knob, now))?;
        self.end_turn(now);
        Ok(handle)
    }

    fn send(&mut self, connection: Handle, text: &[u8], how: Send, now: Duration) -> Result<usize, Errno> {
        if how != Send::default() {
            return Err(Errno::EOPNOTSUPP);
        }
        let id = self.entries[connection.0].id;
        let mut socket = self.endpoint().socket(id, instant(now)).map_err(|_| Errno::EPIPE)?;
        let taken = socket.write(text).map_err(|_| Errno::EPIPE);
        drop(socket);
        self.end_turn(now);
        taken
    }

    fn receive(&mut self, connection: Handle, most: usize, now: Duration) -> Vec<u8> {
        let id = self.entries[connection.0].id;
        let mut text = Vec::new();
        if let Ok(mut socket) = self.endpoint().socket(id, instant(now)) {
            text = vec![0; most.min(socket.readable())];
            let taken = socket.read(&mut text);
            text.truncate(taken);
        }
        self.end_turn(now);
        text
    }

    fn shutdown(&mut self, connection: Handle, now: Duration) -> Result<(), Errno> {
        let id = self.entries[connection.0].id;
        let mut socket = self.endpoint().socket(id, instant(now)).map_err(|_| Errno::ENOTCONN)?;
        let closed = socket.close().map_err(|_| Errno::ENOTCONN);
        drop(socket);
        self.end_turn(now);
        closed
    }

    fn close(&mut self, handle: Handle, abort: bool, now: Duration) {
        if let Some(listener) = handle.0.checked_sub(LISTENERS) {
            let listener = self.listeners[listener];
            self.endpoint().unlisten(listener, instant(now));
        } else {
            let id = self.entries[handle.0].id;
            match (self.endpoint().socket(id, instant(now)), abort) {
                (Ok(socket), true) => socket.abort(),
                (Ok(socket), false) => socket.release(),
                (Err(_), _) => {} // it is over
            }
        }
        self.end_turn(now);
    }

    fn set(&mut self, connection: Handle, option: SocketOption, now: Duration) -> Result<(), Errno> {
        let knob = knob(option).ok_or(Errno::ENOPROTOOPT)?;
        let set = self.set(self.entries[connection.0].id, knob, now);
        self.end_turn(now);
        set
    }

    fn status(&mut self, connection: Handle) -> Status {
        let Entry { id, connected, peer_closed, closed, error, .. } = self.entries[connection.0];
        let mut status =
            Status { opening: !connected && !closed, error, at_end: peer_closed || closed, ..Status::default() };
        // Nothing changes by it, so the time does not matter.
        if let Ok(socket) = self.endpoint().socket(id, segue::Instant::ZERO) {
            status.readable = socket.readable();
            status.writable = socket.writable().unwrap_or(0);
        }
        status
    }

    fn info(&mut self, connection: Handle) -> Vec<(&'static str, i64)> {
        let id = self.entries[connection.0].id;
        let now = self.endpoint().socket(id, segue::Instant::ZERO).ok().and_then(|socket| socket.info());
        let entry = &mut self.entries[connection.0];
        let over = now.is_none();
        entry.info = now.or(entry.info.take());
        let mut all = entry.info.as_ref().map(info::of).unwrap_or_default();
        if over {
            all.retain(|(name, _)| *name != "tcpi_state"); // TIME-WAIT is the endpoint's own, and closed beyond it
        }
        all.extend([("unresponsive", entry.unresponsive), ("icmp_errors", entry.icmp_errors)]);
        all
    }
}
