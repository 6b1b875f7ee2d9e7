//! The Linux kernel as a subject: sockets on one side of a TUN device, the tester on the other. Real time, but no wait: the
//! kernel answers a packet while it is written.

use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use segue::{Flags, Segment, SeqNum, State};
use socket2::{Domain, SockAddr, Socket, Type};
use tun_rs::{DeviceBuilder, SyncDevice};

use crate::datagram::{SUBJECT, TESTER, from_subject, to_subject};
use crate::subject::{Out, Subject};
use crate::tester::SENT;
use crate::word::{Call, Due};

const NAME: &str = "learn0";

/// What the namespace needs: neither options nor allowances that count, and acknowledgments at once.
const SETTINGS: [(&str, &str); 7] = [
    ("tcp_timestamps", "0"),
    ("tcp_sack", "0"),
    ("tcp_window_scaling", "0"),
    ("tcp_ecn", "0"),
    ("tcp_early_retrans", "0"),
    ("tcp_invalid_ratelimit", "0"),
    ("tcp_challenge_ack_limit", "2147483647"),
];

/// Makes the device in a network namespace of its own.
pub fn device() -> Result<Rc<SyncDevice>, String> {
    let interfaces = fs::read_dir("/sys/class/net").map_or(0, Iterator::count);
    if interfaces > 8 {
        return Err("run it in a network namespace of its own: tests/learn/kernel does".to_owned());
    }
    for (name, value) in SETTINGS {
        let file = format!("/proc/sys/net/ipv4/{name}");
        fs::write(&file, value).map_err(|error| format!("{file}: {error}; it takes root"))?;
    }
    let device = DeviceBuilder::new()
        .name(NAME)
        .ipv4(SUBJECT.0, 24, None)
        .mtu(1500)
        .build_sync()
        .map_err(|error| format!("no TUN device: {error}"))?;
    device.set_nonblocking(true).map_err(|error| error.to_string())?;
    // No acknowledgment is delayed, nothing is sent again while a sequence of words lasts.
    let route = ["route", "change", "192.0.2.0/24", "dev", NAME, "quickack", "1", "rto_min", "5s"];
    let changed = Command::new("ip").args(route).status().map_err(|error| format!("ip: {error}"))?;
    if !changed.success() {
        return Err(format!("ip {} failed", route.join(" ")));
    }
    Ok(Rc::new(device))
}

/// The kernel's version.
pub fn version() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| "?".to_owned(), |text| text.trim().to_owned())
}

pub struct Kernel {
    device: Rc<SyncDevice>,
    port: u16,
    listener: Option<Socket>,
    socket: Option<Socket>,
    state: State,
    peer_closed: bool,
    /// Text of ours is not acknowledged.
    unacked: bool,
    /// The kernel's RCV.NXT, as last seen.
    next: Option<SeqNum>,
}

impl Kernel {
    pub fn new(device: Rc<SyncDevice>, port: u16) -> Self {
        let state = State::Closed;
        Self { device, port, listener: None, socket: None, state, peer_closed: false, unacked: false, next: None }
    }

    fn socket() -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    fn try_open(&mut self, call: Call) -> io::Result<()> {
        let socket = Self::socket()?;
        let address = |(ip, port): (_, u16)| SockAddr::from(SocketAddr::new(IpAddr::V4(ip), port));
        socket.bind(&address((SUBJECT.0, self.port)))?;
        if call == Call::Listen {
            socket.listen(1)?;
            self.listener = Some(socket);
            return Ok(());
        }
        match socket.connect(&address(TESTER)) {
            Err(error) if error.raw_os_error() != Some(115) => return Err(error), // EINPROGRESS
            _ => self.socket = Some(socket),
        }
        Ok(())
    }

    /// All that the kernel has sent.
    fn sent(&mut self) -> Vec<Out> {
        let mut seen = Vec::new();
        let mut octets = vec![0; 1500];
        let mut patience = 3;
        loop {
            match self.device.recv(&mut octets) {
                Ok(len) => {
                    if let Some((port, segment)) = from_subject(octets[..len].to_vec())
                        && port == self.port
                    {
                        if segment.flags.contains(Flags::ACK) && !segment.flags.contains(Flags::RST) {
                            self.next = Some(segment.ack);
                        }
                        seen.push(Out::Sent(segment));
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock && patience > 0 && seen.is_empty() => {
                    patience -= 1;
                    sleep(Duration::from_micros(200));
                }
                Err(_) => return seen,
            }
        }
    }

    /// What the user sees: text, the end of the stream.
    fn read(&mut self) -> Vec<Out> {
        if self.socket.is_none()
            && let Some((socket, _)) = self.listener.as_ref().and_then(|listener| listener.accept().ok())
        {
            socket.set_nonblocking(true).expect("a socket");
            (self.socket, self.listener) = (Some(socket), None);
        }
        let (mut octets, mut delivered, mut ended) = ([0; 2048], 0, false);
        while let Some(socket) = &mut self.socket {
            match socket.read(&mut octets) {
                Ok(0) => {
                    ended = true;
                    break;
                }
                Ok(len) => delivered += len,
                Err(_) => break,
            }
        }
        let mut seen = Vec::new();
        seen.extend((delivered > 0).then_some(Out::Delivered(delivered)));
        let news = ended && !self.peer_closed && row(self.port).is_some();
        seen.extend(news.then_some(Out::PeerClosed));
        self.peer_closed |= news;
        seen
    }

    fn work(&mut self) -> Vec<Out> {
        let before = self.state;
        let mut seen = self.sent();
        let mut told = self.read();
        if !told.is_empty() {
            seen.extend(self.sent());
        }
        let row = row(self.port);
        self.state = match row {
            Some((state, _)) => state,
            None if self.listener.is_some() => State::Listen,
            None => State::Closed,
        };
        let synchronized = State::is_synchronized;
        told.extend((!synchronized(before) && synchronized(self.state)).then_some(Out::Connected));
        let left = row.map_or(0, |(_, left)| left);
        if self.unacked && left < SENT {
            self.unacked = false;
            told.extend((self.state != State::Closed).then_some(Out::Acked(SENT)));
        }
        told.extend(seen);
        told.extend((before == State::SynReceived && self.state == State::Listen).then_some(Out::BackToListen));
        if before != State::Closed && self.state == State::Closed {
            told.push(Out::Closed(String::new()));
            (self.socket, self.listener, self.peer_closed, self.unacked) = (None, None, false, false);
        }
        told
    }
}

/// The state of the connection on this port, and what of ours is not acknowledged.
fn row(port: u16) -> Option<(State, usize)> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let local = columns.get(1)?.ends_with(&format!(":{port:04X}"));
        let connected = !columns.get(2)?.ends_with(":0000");
        let queued = usize::from_str_radix(columns.get(4)?.split(':').next()?, 16).ok()?;
        let state = match *columns.get(3)? {
            "01" => State::Established,
            "02" => State::SynSent,
            "03" | "0C" => State::SynReceived,
            "04" => State::FinWait1,
            "05" => State::FinWait2,
            "06" => State::TimeWait,
            "08" => State::CloseWait,
            "09" => State::LastAck,
            "0B" => State::Closing,
            _ => return None,
        };
        (local && connected).then_some((state, queued))
    })
}

impl Drop for Kernel {
    /// Nothing stays: an abortive close, and a reset for sockets in TIME-WAIT.
    fn drop(&mut self) {
        if let Some(socket) = self.socket.take() {
            drop(socket.set_linger(Some(Duration::ZERO)));
        }
        self.listener = None;
        let after = self.sent();
        drop(after);
        if let Some(next) = self.next {
            let reset = Segment { seq: next, flags: Flags::RST, ..Segment::default() };
            drop(self.device.send(&to_subject(&reset, self.port)));
            drop(self.sent());
        }
    }
}

impl Subject for Kernel {
    fn open(&mut self, call: Call, _: Option<&Segment>) -> Vec<Out> {
        if let Err(error) = self.try_open(call) {
            panic!("port {}: {error}", self.port);
        }
        self.work()
    }

    fn call(&mut self, call: Call) -> Vec<Out> {
        match (call, &mut self.socket) {
            (Call::Send, Some(socket)) => self.unacked |= socket.write(&[b'o'; SENT]).is_ok(),
            (Call::Close, Some(socket)) => drop(socket.shutdown(std::net::Shutdown::Write)),
            (Call::Release | Call::Abort, _) => {
                if let (Call::Abort, Some(socket)) = (call, &self.socket) {
                    drop(socket.set_linger(Some(Duration::ZERO)));
                }
                (self.socket, self.listener) = (None, None);
            }
            (Call::Close, None) => self.listener = None,
            _ => {}
        }
        self.work()
    }

    fn segment(&mut self, segment: &Segment) -> Vec<Out> {
        self.device.send(&to_subject(segment, self.port)).expect("the device takes a packet");
        let mut seen = self.work();
        if self.state == State::SynSent {
            // After a bad acknowledgment it sends the SYN again within two ticks.
            sleep(Duration::from_millis(25));
            seen.extend(self.work());
        }
        seen
    }

    /// Deadlines take too long here.
    fn due(&mut self, _: Due) -> Vec<Out> {
        Vec::new()
    }

    fn pass(&mut self, _: Duration) -> Vec<Out> {
        Vec::new()
    }

    fn state(&self) -> Option<State> {
        Some(self.state)
    }
}
