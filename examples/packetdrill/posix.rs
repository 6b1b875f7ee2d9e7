//! The socket calls of a script as calls of the stack: descriptors, blocking, errors.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::call::{Call, Errno, Value, constant};
use crate::flow::octet;
use crate::flows::Flows;
use crate::setup::Setup;
use crate::socket_options::{option, size, socket_address};
use crate::stack::{Handle, Send, SocketOption, Stack, Status};

/// What a socket is.
#[derive(Debug)]
enum Kind {
    Fresh,
    Listener(Handle, VecDeque<(Handle, SocketAddr)>),
    Stream(Handle),
}

#[derive(Debug)]
struct Socket {
    kind: Kind,
    options: Vec<SocketOption>,
    local: Option<SocketAddr>,
    remote: Option<SocketAddr>,
    nonblocking: bool,
    /// `close` resets: SO_LINGER of zero.
    abort: bool,
    /// Its error was told.
    told: bool,
    /// Octets read and written: they decide which follow.
    read: u32,
    written: u32,
}

impl Socket {
    fn new(kind: Kind, nonblocking: bool) -> Self {
        let (options, local, remote) = (Vec::new(), None, None);
        Self { kind, options, local, remote, nonblocking, abort: false, told: false, read: 0, written: 0 }
    }
}

/// What a call gave.
#[derive(Clone, PartialEq, Debug)]
pub struct Returned {
    pub result: Result<i64, Errno>,
    /// The arguments that it wrote to, by their place.
    pub outs: Vec<(usize, Value)>,
}

/// Whether a call is over.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    Done(Returned),
    Blocks,
}

impl From<Result<i64, Errno>> for Outcome {
    fn from(result: Result<i64, Errno>) -> Self {
        Self::Done(Returned { result, outs: Vec::new() })
    }
}

/// How far a call has come that blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Progress {
    begun: bool,
    octets: usize,
}

/// What a call works with.
pub struct Context<'a> {
    pub stack: &'a mut dyn Stack,
    pub setup: &'a Setup,
    pub flows: &'a mut Flows,
    pub now: Duration,
}

/// The descriptors of a script.
#[derive(Debug, Default)]
pub struct Sockets {
    open: BTreeMap<i64, Socket>,
    /// The stream that a call named last: assertions are about it.
    last: Option<Handle>,
    ports: u16,
}

/// Octets that a call may write: the runner makes them all.
const MOST_WRITTEN: usize = 64 << 20;

/// The calls that the runner knows.
pub const CALLS: &str = "socket bind listen accept connect read recv recvfrom write send sendto shutdown close fcntl \
                         setsockopt getsockopt poll ioctl";

type Step = Result<Outcome, String>;

fn done(result: Result<i64, Errno>) -> Step {
    Ok(result.into())
}

impl Sockets {
    /// The connection that assertions are about.
    pub const fn last(&self) -> Option<Handle> {
        self.last
    }

    /// Begins a call or takes it up again.
    ///
    /// # Errors
    /// What the runner does not understand in the call, or what broke in it: octets that are not those sent.
    pub fn step(&mut self, call: &Call, progress: &mut Progress, cx: &mut Context<'_>) -> Step {
        match call.name.as_str() {
            "socket" => return self.socket(call),
            "poll" => return self.poll(call, cx),
            _ => {}
        }
        let fd = self.descriptor(call)?;
        if !self.open.contains_key(&fd) {
            return done(Err(Errno::EBADF));
        }
        if let Kind::Stream(handle) = self.open[&fd].kind {
            self.last = Some(handle);
        }
        match call.name.as_str() {
            "bind" => self.bind(fd, call, cx.setup),
            "listen" => self.listen(fd, call, cx),
            "accept" | "accept4" => self.accept(fd, call, cx),
            "connect" => self.connect(fd, call, progress, cx),
            "read" | "recv" | "recvfrom" => self.read(fd, call, cx),
            "write" | "send" | "sendto" => self.write(fd, call, progress, cx),
            "shutdown" => self.shutdown(fd, call, cx),
            "close" => self.close(fd, cx),
            "fcntl" => self.fcntl(fd, call),
            "setsockopt" => self.set(fd, call, cx),
            "getsockopt" => self.get(fd, call, cx),
            "ioctl" => self.ioctl(fd, call, cx),
            other => Err(format!("the call {other} is not supported; these are: {CALLS}")),
        }
    }

    fn descriptor(&self, call: &Call) -> Result<i64, String> {
        let fd = call.arguments.first().and_then(Value::number);
        fd.ok_or_else(|| format!("the first argument of {} is a descriptor", call.name))
    }

    fn at(&mut self, fd: i64) -> &mut Socket {
        self.open.get_mut(&fd).expect("`step` looked it up")
    }

    /// A descriptor gets the number that the script gives it.
    fn insert(&mut self, call: &Call, socket: Socket) -> Step {
        let lowest = (3..).find(|fd| !self.open.contains_key(fd)).unwrap_or(3);
        let fd = call.result.number().filter(|fd| *fd >= 0).unwrap_or(lowest);
        if self.open.contains_key(&fd) {
            return Err(format!("the descriptor {fd} is in use: close it first, or name another"));
        }
        self.open.insert(fd, socket);
        done(Ok(fd))
    }

    fn socket(&mut self, call: &Call) -> Step {
        let kind = call.arguments.get(1).ok_or("socket has three arguments")?;
        if !kind.has("SOCK_STREAM") {
            return Err(format!("socket has SOCK_STREAM, not {kind}: only TCP is under test"));
        }
        self.insert(call, Socket::new(Kind::Fresh, kind.has("SOCK_NONBLOCK")))
    }

    fn bind(&mut self, fd: i64, call: &Call, setup: &Setup) -> Step {
        let local = match call.arguments.get(1) {
            Some(Value::Any) | None => setup.local(setup.bind_port),
            Some(address) => socket_address(address)?,
        };
        self.at(fd).local = Some(local);
        done(Ok(0))
    }

    fn listen(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        let backlog = call.arguments.get(1).and_then(Value::number).unwrap_or(1);
        let socket = self.at(fd);
        if !matches!(socket.kind, Kind::Fresh) {
            return done(Err(Errno::EINVAL));
        }
        let local = socket.local.unwrap_or_else(|| cx.setup.local(cx.setup.bind_port));
        let backlog = usize::try_from(backlog).unwrap_or(0).max(1);
        match cx.stack.listen(local, backlog, &socket.options) {
            Ok(handle) => {
                (socket.local, socket.kind) = (Some(local), Kind::Listener(handle, VecDeque::new()));
                done(Ok(0))
            }
            Err(errno) => done(Err(errno)),
        }
    }

    fn accept(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        let socket = self.at(fd);
        let (local, nonblocking) = (socket.local, socket.nonblocking);
        let Kind::Listener(listener, waiting) = &mut socket.kind else { return done(Err(Errno::EINVAL)) };
        let Some((handle, remote)) = waiting.pop_front().or_else(|| cx.stack.accept(*listener)) else {
            return if nonblocking { done(Err(Errno::EAGAIN)) } else { Ok(Outcome::Blocks) };
        };
        let flags = call.arguments.get(3).is_some_and(|flags| flags.has("SOCK_NONBLOCK"));
        let mut accepted = Socket::new(Kind::Stream(handle), flags);
        (accepted.local, accepted.remote) = (local, Some(remote));
        self.last = Some(handle);
        self.insert(call, accepted)
    }

    fn connect(&mut self, fd: i64, call: &Call, progress: &mut Progress, cx: &mut Context<'_>) -> Step {
        if !std::mem::replace(&mut progress.begun, true)
            && let Some(answer) = self.begin_connect(fd, call, cx)?
        {
            return Ok(answer);
        }
        let socket = self.at(fd);
        let Kind::Stream(handle) = socket.kind else { return done(Err(Errno::EINVAL)) };
        match cx.stack.status(handle) {
            Status { error: Some(errno), .. } => {
                socket.told = true;
                done(Err(errno))
            }
            Status { opening: false, .. } => done(Ok(0)),
            _ => Ok(Outcome::Blocks),
        }
    }

    /// An answer, if there is one at once.
    fn begin_connect(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Result<Option<Outcome>, String> {
        let remote = match call.arguments.get(1) {
            Some(Value::Any) | None => cx.setup.remote(cx.setup.connect_port),
            Some(address) => socket_address(address)?,
        };
        let port = 33_000 + self.ports % 32_000;
        let socket = self.at(fd);
        match socket.kind {
            Kind::Listener(..) => return Ok(Some(Err(Errno::EISCONN).into())),
            Kind::Stream(handle) => {
                let opening = cx.stack.status(handle).opening;
                return Ok(Some(Err(if opening { Errno::EALREADY } else { Errno::EISCONN }).into()));
            }
            Kind::Fresh => {}
        }
        let local = socket.local.unwrap_or_else(|| cx.setup.local(port));
        cx.flows.open(cx.setup, local.port(), remote.port());
        let handle = match cx.stack.connect(local, remote, &socket.options, cx.now) {
            Ok(handle) => handle,
            Err(errno) => return Ok(Some(Err(errno).into())),
        };
        socket.kind = Kind::Stream(handle);
        (socket.local, socket.remote) = (Some(local), Some(remote));
        let nonblocking = socket.nonblocking;
        self.ports = self.ports.wrapping_add(1);
        self.last = Some(handle);
        Ok(nonblocking.then(|| Err(Errno::EINPROGRESS).into()))
    }

    /// The stream, or the error that a call of it has without one.
    fn stream(&mut self, fd: i64) -> Result<Handle, Errno> {
        match self.at(fd).kind {
            Kind::Stream(handle) => Ok(handle),
            Kind::Fresh | Kind::Listener(..) => Err(Errno::ENOTCONN),
        }
    }

    /// The error of the connection, once.
    fn news(&mut self, fd: i64, status: &Status) -> Option<Errno> {
        let socket = self.at(fd);
        let news = status.error.filter(|_| !socket.told);
        socket.told |= news.is_some();
        news
    }

    fn waits(&mut self, fd: i64, flags: Option<&Value>) -> Outcome {
        match self.at(fd).nonblocking || flags.is_some_and(|flags| flags.has("MSG_DONTWAIT")) {
            true => Err(Errno::EAGAIN).into(),
            false => Outcome::Blocks,
        }
    }

    fn read(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        let most = call.arguments.get(2).and_then(Value::number).and_then(|most| usize::try_from(most).ok());
        let most = most.ok_or_else(|| format!("the third argument of {} is a number of octets", call.name))?;
        let flags = call.arguments.get(3);
        let handle = match self.stream(fd) {
            Ok(handle) => handle,
            Err(errno) => return done(Err(errno)),
        };
        let status = cx.stack.status(handle);
        if status.readable == 0 {
            return match self.news(fd, &status) {
                Some(errno) => done(Err(errno)),
                None if status.at_end || status.error.is_some() => done(Ok(0)),
                None => Ok(self.waits(fd, flags)),
            };
        }
        let text = cx.stack.receive(handle, most, cx.now);
        let socket = self.at(fd);
        let ports = (socket.local.map_or(0, |end| end.port()), socket.remote.map_or(0, |end| end.port()));
        let first = cx.flows.first_received(ports.0, ports.1).wrapping_add(socket.read);
        if let Some((place, own)) = (0u32..).zip(&text).find(|&(place, &own)| own != octet(first.wrapping_add(place))) {
            return Err(format!(
                "the stack gave its user a wrong octet: {own:#04x} at sequence number {}, where the peer sent {:#04x}",
                first.wrapping_add(place),
                octet(first.wrapping_add(place))
            ));
        }
        socket.read = socket.read.wrapping_add(u32::try_from(text.len()).unwrap_or(0));
        done(Ok(i64::try_from(text.len()).unwrap_or(i64::MAX)))
    }

    fn write(&mut self, fd: i64, call: &Call, progress: &mut Progress, cx: &mut Context<'_>) -> Step {
        let octets = call.arguments.get(2).and_then(Value::number).and_then(|octets| usize::try_from(octets).ok());
        let octets = octets.ok_or_else(|| format!("the third argument of {} is a number of octets", call.name))?;
        if octets > MOST_WRITTEN {
            return Err(format!(
                "{} has {octets} octets: a call takes {MOST_WRITTEN} at most, so call again",
                call.name
            ));
        }
        let flags = call.arguments.get(3).cloned();
        let has = |name: &str| {
            let number = flags.as_ref().and_then(Value::number).unwrap_or(0);
            constant(name).is_some_and(|bit| number & bit != 0)
        };
        let handle = match self.stream(fd) {
            Ok(handle) => handle,
            Err(errno) => return done(Err(errno)),
        };
        let status = cx.stack.status(handle);
        if let Some(errno) = self.news(fd, &status) {
            return done(Err(errno));
        }
        let socket = self.at(fd);
        let first = socket.written.wrapping_add(1);
        let left = octets.saturating_sub(progress.octets);
        let text: Vec<u8> = (0u32..).take(left).map(|place| octet(first.wrapping_add(place))).collect();
        let how = Send { urgent: has("MSG_OOB"), more: has("MSG_MORE") };
        let taken = match cx.stack.send(handle, &text, how, cx.now) {
            Ok(taken) => taken,
            Err(errno) => return done(Err(errno)),
        };
        socket.written = socket.written.wrapping_add(u32::try_from(taken).unwrap_or(0));
        progress.octets += taken;
        let written = i64::try_from(progress.octets).unwrap_or(i64::MAX);
        if progress.octets == octets {
            return done(Ok(written));
        }
        match self.waits(fd, flags.as_ref()) {
            Outcome::Done(_) if written > 0 => done(Ok(written)),
            outcome => Ok(outcome),
        }
    }

    fn shutdown(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        let how = call.arguments.get(1).and_then(Value::number).ok_or("shutdown has SHUT_RD, SHUT_WR or SHUT_RDWR")?;
        if !(0..=2).contains(&how) {
            return done(Err(Errno::EINVAL)); // before the kind of the socket matters, as in Linux
        }
        let handle = match self.stream(fd) {
            Ok(handle) => handle,
            Err(errno) => return done(Err(errno)),
        };
        match how {
            0 => done(Ok(0)), // what arrives stays readable, as in Linux
            _ => done(cx.stack.shutdown(handle, cx.now).map(|()| 0)),
        }
    }

    fn close(&mut self, fd: i64, cx: &mut Context<'_>) -> Step {
        let socket = self.open.remove(&fd).expect("`step` looked it up");
        match socket.kind {
            Kind::Fresh => {}
            Kind::Listener(handle, waiting) => {
                waiting.iter().for_each(|(handle, _)| cx.stack.close(*handle, true, cx.now));
                cx.stack.close(handle, false, cx.now);
            }
            Kind::Stream(handle) => cx.stack.close(handle, socket.abort, cx.now),
        }
        done(Ok(0))
    }

    fn fcntl(&mut self, fd: i64, call: &Call) -> Step {
        let (get, set) = (constant("F_GETFL"), constant("F_SETFL"));
        let nonblocking = constant("O_NONBLOCK").unwrap_or(0);
        let socket = self.at(fd);
        match call.arguments.get(1).and_then(Value::number) {
            command if command == get => done(Ok(2 | if socket.nonblocking { nonblocking } else { 0 })),
            command if command == set => {
                let flags = call.arguments.get(2).and_then(Value::number).unwrap_or(0);
                socket.nonblocking = flags & nonblocking != 0;
                done(Ok(0))
            }
            _ => Err("fcntl has F_GETFL and F_SETFL".into()),
        }
    }

    fn set(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        let socket = self.at(fd);
        if call.arguments.get(2).is_some_and(|name| name.has("SO_LINGER")) {
            let field = |name: &str| call.arguments.get(3).and_then(|linger| linger.field(name)?.number());
            socket.abort = field("onoff").is_some_and(|on| on != 0) && field("linger") == Some(0);
            return done(Ok(0));
        }
        let Some(option) = option(call)? else { return done(Ok(0)) };
        match socket.kind {
            Kind::Fresh => {
                socket.options.push(option);
                done(Ok(0))
            }
            Kind::Listener(..) => done(Err(Errno::ENOPROTOOPT)),
            Kind::Stream(handle) => done(cx.stack.set(handle, option, cx.now).map(|()| 0)),
        }
    }

    fn get(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        if !call.arguments.get(2).is_some_and(|name| name.has("SO_ERROR")) {
            return Err("getsockopt has SO_ERROR; %{ assert tcpi_... }% tells the rest".into());
        }
        let error = match self.stream(fd) {
            Ok(handle) => {
                let status = cx.stack.status(handle);
                self.news(fd, &status)
            }
            Err(_) => None,
        };
        let number = Value::Number(error.map_or(0, Errno::number));
        Ok(Outcome::Done(Returned { result: Ok(0), outs: vec![(3, Value::List(vec![number]))] }))
    }

    fn ioctl(&mut self, fd: i64, call: &Call, cx: &mut Context<'_>) -> Step {
        let name = call.arguments.get(1).ok_or("ioctl has a request")?;
        let handle = match self.stream(fd) {
            Ok(handle) => handle,
            Err(errno) => return done(Err(errno)),
        };
        let number = match name {
            name if name.has("SIOCINQ") || name.has("FIONREAD") => size(cx.stack.status(handle).readable),
            name if name.has("SIOCOUTQ") => {
                let info = cx.stack.info(handle);
                info.iter().find(|(name, _)| *name == "send_queue").map_or(0, |(_, number)| *number)
            }
            other => return Err(format!("ioctl has SIOCINQ, FIONREAD and SIOCOUTQ, not {other}")),
        };
        Ok(Outcome::Done(Returned { result: Ok(0), outs: vec![(2, Value::List(vec![Value::Number(number)]))] }))
    }

    fn poll(&mut self, call: &Call, cx: &mut Context<'_>) -> Step {
        let Some(Value::List(polled)) = call.arguments.first() else {
            return Err("poll has a list [{fd=4, events=POLLIN, revents=POLLIN}, ...]".into());
        };
        let (mut outs, mut ready) = (Vec::new(), 0);
        for one in polled {
            let number = |name: &str| one.field(name).and_then(Value::number);
            let (Some(fd), Some(events)) = (number("fd"), number("events")) else {
                return Err(format!("{one} has no fd and events that are numbers"));
            };
            let always = constant("POLLERR").unwrap_or(0) | constant("POLLHUP").unwrap_or(0);
            let revents = self.events(fd, cx) & (events | always);
            ready += i64::from(revents != 0);
            outs.push(Value::Number(revents));
        }
        let waits = call.arguments.get(2).and_then(Value::number).unwrap_or(0) != 0;
        match ready == 0 && waits {
            true => Ok(Outcome::Blocks),
            false => Ok(Outcome::Done(Returned { result: Ok(ready), outs: vec![(0, Value::List(outs))] })),
        }
    }

    /// What `poll` sees of a descriptor.
    fn events(&mut self, fd: i64, cx: &mut Context<'_>) -> i64 {
        let bits = |names: &[(&str, bool)]| {
            let set = names.iter().filter(|(_, set)| *set);
            set.filter_map(|(name, _)| constant(name)).fold(0, |all, bit| all | bit)
        };
        let Some(socket) = self.open.get_mut(&fd) else { return 0x20 }; // POLLNVAL
        match &mut socket.kind {
            Kind::Fresh => bits(&[("POLLOUT", true), ("POLLHUP", true)]),
            Kind::Listener(handle, waiting) => {
                waiting.extend(cx.stack.accept(*handle));
                bits(&[("POLLIN", !waiting.is_empty())])
            }
            Kind::Stream(handle) => {
                self.last = Some(*handle);
                let status = cx.stack.status(*handle);
                let over = status.error.is_some();
                bits(&[
                    ("POLLIN", status.readable > 0 || status.at_end || over),
                    ("POLLOUT", !status.opening && (status.writable > 0 || over)),
                    ("POLLRDHUP", status.at_end || over),
                    ("POLLPRI", status.urgent),
                    ("POLLERR", over && !socket.told),
                    ("POLLHUP", over),
                ])
            }
        }
    }
}
