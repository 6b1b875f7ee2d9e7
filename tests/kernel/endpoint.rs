//! A scene whose host is `host::Endpoint`, on the thread of the test: it is between two packets whenever the test looks.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen, ListenerId, Signal};
use segue::ip::{Datagram, Format, decode};
use segue::{Arc, Clock, CloseReason, Config, Flags, Report, State};
use segue_tun::apps::pattern;
use segue_tun::device;
use segue_tun::link::{Faults, Link};
use socket2::{Domain, Socket, Type};

use super::sockets;
use super::world::{LIMIT, until};

const MTU: u16 = 1500;

/// What the host waits for a packet, at most, before the test looks again.
const TURN: Duration = Duration::from_millis(2);

/// The scene.
pub(crate) struct Scene {
    pub(crate) ipv6: bool,
    pub(crate) capture: PathBuf,
    pub(crate) endpoint: Endpoint,
    /// SYNs to lose, whoever sends them.
    pub(crate) syns_to_lose: u32,
    pub(crate) tail_probes: u64,
    pub(crate) ignored: BTreeMap<String, u64>,
    link: Link,
    clock: Clock,
    signals: Vec<(Id, Signal)>,
}

impl Scene {
    /// A device, the kernel's TCP on one side and segue's endpoint on the other.
    pub(crate) fn new(test: &str, ipv6: bool) -> Self {
        // A busy machine's pause is no loss: see `world::tune_kernel`.
        assert!(sockets::sysctl("ipv4.tcp_early_retrans", "0"), "the kernel has net.ipv4.tcp_early_retrans");
        sockets::sysctl("ipv4.tcp_rto_min_us", "1000000"); // Linux 6.11 and later
        let capture = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pcap", test.replace("::", "-")));
        let device = device::open("segue0", MTU, device::KERNEL_V4, device::KERNEL_V6);
        let mut link =
            Link::new(device.unwrap_or_else(|error| panic!("{error}")), MTU, Faults::default()).expect("pipe");
        link.capture_to(&capture).unwrap_or_else(|error| panic!("{}: {error}", capture.display()));
        let scene = Self {
            ipv6,
            capture,
            endpoint: endpoint(b"drawn at startup"),
            syns_to_lose: 0,
            tail_probes: 0,
            ignored: BTreeMap::new(),
            link,
            clock: Clock::new(),
            signals: Vec::new(),
        };
        // An address of IPv6 can be used a moment after it was given.
        until("the kernel can use its address", || TcpListener::bind(scene.kernel(0)).ok());
        scene
    }

    /// Segue's address.
    pub(crate) fn segue(&self, port: u16) -> SocketAddr {
        SocketAddr::new(device::HOST[usize::from(self.ipv6)], port)
    }

    /// The kernel's address.
    pub(crate) fn kernel(&self, port: u16) -> SocketAddr {
        let address: IpAddr = if self.ipv6 { device::KERNEL_V6.into() } else { device::KERNEL_V4.into() };
        SocketAddr::new(address, port)
    }

    /// Segue's host restarts: its keys are new.
    pub(crate) fn restart(&mut self) {
        self.endpoint = endpoint(b"drawn once again");
    }

    /// Segue listens; 0: without Fast Open.
    pub(crate) fn listen(&mut self, port: u16, fast_open: usize) -> ListenerId {
        self.endpoint.listen(Listen { fast_open, ..Listen::port(port) }).expect("a free port")
    }

    /// The kernel listens.
    pub(crate) fn kernel_listens(&self) -> TcpListener {
        let listener = TcpListener::bind(self.kernel(0)).expect("a port of the kernel");
        listener.set_nonblocking(true).expect("a socket");
        listener
    }

    /// Segue opens with these octets of the pattern: its SYN is sent, and nothing was received since.
    pub(crate) fn segue_opens(&mut self, listener: &TcpListener, octets: u64) -> Id {
        let (remote, now) = (listener.local_addr().expect("an address"), self.clock.now());
        let (from, mut text) = (self.segue(0).ip(), Bytes::from_iter(pattern(0..octets)));
        let id = self.endpoint.connect_fast_open(from, remote, &mut text, now).expect("an active open");
        assert!(text.is_empty(), "the send buffer has room for all");
        self.flush();
        id
    }

    /// The kernel opens with these octets of the pattern (`MSG_FASTOPEN`). How many of them it took: none while it knows
    /// no cookie.
    pub(crate) fn kernel_opens(&self, port: u16, octets: u64) -> (TcpStream, u64) {
        let text: Vec<u8> = pattern(0..octets).collect();
        let socket = Socket::new(Domain::for_address(self.segue(port)), Type::STREAM, None).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let took = match socket.send_to_with_flags(&text, &self.segue(port).into(), libc::MSG_FASTOPEN) {
            Ok(octets) => octets as u64,
            Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => 0,
            Err(error) => panic!("the kernel opens no connection with MSG_FASTOPEN: {error}"),
        };
        (socket.into(), took)
    }

    /// Receives what waits, without an answer; waits for the first of it a moment. Whether there was a TCP segment.
    pub(crate) fn receive(&mut self) -> bool {
        let (mut limit, mut any) = (Instant::now() + TURN, false);
        while let Some(datagram) = self.link.receive(Some(limit)).expect("the device works") {
            limit = Instant::now(); // and what else is there
            if self.loses(&datagram) {
                continue;
            }
            match self.endpoint.receive_ip(datagram, Format::default(), self.clock.now()) {
                Ok(_) => any = true,
                Err(why) => *self.ignored.entry(why.to_string()).or_default() += 1,
            }
        }
        any
    }

    /// Sends what segue has to send.
    pub(crate) fn flush(&mut self) {
        let mut leaving = Vec::new();
        self.endpoint.flush_ip(self.clock.now(), Format::default(), |datagram| {
            leaving.push(Bytes::copy_from_slice(datagram));
        });
        for datagram in leaving {
            if !self.loses(&datagram) {
                self.link.send(datagram).expect("the device works");
            }
        }
    }

    fn loses(&mut self, datagram: &Bytes) -> bool {
        let syn = |datagram| match decode(datagram, Format::default()) {
            Ok(Datagram::Tcp(_, packet)) => packet.segment.flags.contains(Flags::SYN),
            _ => false,
        };
        let lost = self.syns_to_lose > 0 && syn(datagram.clone());
        self.syns_to_lose -= u32::from(lost);
        lost
    }

    fn turn(&mut self) {
        self.receive();
        self.endpoint.timers(self.clock.now());
        self.signals.extend(std::iter::from_fn(|| self.endpoint.poll_signal()));
        self.flush();
    }

    /// Turn after turn, until the answer is there.
    pub(crate) fn until<T>(&mut self, what: &str, mut ask: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(Instant::now() < deadline, "waited {LIMIT:?} until {what}; look at {}", self.capture.display());
            self.turn();
        }
    }

    /// Octets that wait for segue's user.
    pub(crate) fn readable(&mut self, id: Id) -> u64 {
        self.endpoint.socket(id, self.clock.now()).map_or(0, |socket| socket.readable() as u64)
    }

    pub(crate) fn state(&mut self, id: Id) -> State {
        self.endpoint.socket(id, self.clock.now()).expect("it is alive").state()
    }

    /// Segue's user reads these octets of the pattern, and no others come before them.
    pub(crate) fn segue_reads(&mut self, id: Id, octets: u64) {
        let mut all = Vec::new();
        self.until("segue's user has the text", |scene| {
            let mut socket = scene.endpoint.socket(id, scene.clock.now()).expect("it is alive");
            all.extend(socket.chunks().flatten());
            (all.len() as u64 >= octets).then_some(())
        });
        assert!(all.iter().copied().eq(pattern(0..octets)), "{} octets, of {octets}", all.len());
    }

    /// Segue's user writes these octets of the pattern; they are not sent yet.
    pub(crate) fn segue_writes(&mut self, id: Id, octets: u64) {
        let (mut text, now) = (Bytes::from_iter(pattern(0..octets)), self.clock.now());
        self.endpoint.socket(id, now).expect("it is alive").write_bytes(&mut text).expect("it is open");
        assert!(text.is_empty(), "the send buffer has room for all");
    }

    /// The kernel's user reads these octets of the pattern.
    pub(crate) fn kernel_reads(&mut self, stream: &TcpStream, octets: u64) {
        let mut all = Vec::new();
        self.until("the kernel's user has the text", |_| {
            all.extend(read(stream));
            (all.len() as u64 >= octets).then_some(())
        });
        assert!(all.iter().copied().eq(pattern(0..octets)), "{} octets, of {octets}", all.len());
    }

    /// The kernel's user writes the octets of the pattern at these places.
    pub(crate) fn kernel_writes(&mut self, mut stream: &TcpStream, places: std::ops::Range<u64>) {
        let (text, mut at): (Vec<u8>, _) = (pattern(places).collect(), 0);
        self.until("the kernel takes the text", |_| {
            match stream.write(&text[at..]) {
                Ok(octets) => at += octets,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("the kernel takes no text: {error}"),
            }
            (at == text.len()).then_some(())
        });
    }

    /// Ends the connection, segue first. What was reported of it since it began.
    pub(crate) fn end(&mut self, id: Id, stream: &TcpStream) -> Vec<Report> {
        let now = self.clock.now();
        let mut socket = self.endpoint.socket(id, now).expect("it is alive");
        self.tail_probes += socket.info().expect("it is alive").counters.tail_probes;
        socket.close().expect("once");
        drop(socket);
        self.until("the kernel has the end", |_| (stream.peek(&mut [0]).ok() == Some(0)).then_some(()));
        stream.shutdown(Shutdown::Both).expect("it is open");
        let reason = self.until("segue's connection is over", |scene| {
            let reason = |(of, signal): &(Id, Signal)| match signal {
                Signal::Closed(reason) if *of == id => Some(*reason),
                _ => None,
            };
            scene.signals.iter().find_map(reason)
        });
        assert_eq!(reason, CloseReason::Finished, "look at {}", self.capture.display());
        let report = |(of, signal): &(Id, Signal)| match signal {
            Signal::Report(report) if *of == id => Some(*report),
            _ => None,
        };
        self.signals.iter().filter_map(report).collect()
    }

    /// Takes a connection of the kernel's listener.
    pub(crate) fn kernel_accepts(&mut self, listener: &TcpListener) -> TcpStream {
        self.until("the kernel has a connection", |_| accepted(listener))
    }

    /// The capture, whole.
    pub(crate) fn flush_capture(&mut self) {
        self.link.flush_capture().expect("the capture");
    }
}

fn endpoint(key: &[u8; 16]) -> Endpoint {
    let connection = Config::builder().msl(Duration::from_millis(100)).min_rto(Duration::from_secs(1));
    let connection = Arc::new(connection.build().expect("a valid configuration"));
    let config = EndpointConfig { connection, addresses: device::HOST.to_vec(), mtu: MTU, ..EndpointConfig::default() };
    Endpoint::new(Keys::new(*key), config)
}

/// A connection that waits at the kernel's listener.
pub(crate) fn accepted(listener: &TcpListener) -> Option<TcpStream> {
    let (stream, _) = listener.accept().ok()?;
    stream.set_nonblocking(true).expect("a socket");
    Some(stream)
}

/// What the kernel has for its user now.
fn read(mut stream: &TcpStream) -> Vec<u8> {
    let (mut all, mut some) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut some) {
            Ok(0) => return all,
            Ok(octets) => all.extend_from_slice(&some[..octets]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return all,
            Err(error) => panic!("the kernel has no text: {error}"),
        }
    }
}
