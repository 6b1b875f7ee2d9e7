//! Structures and numbers of the ABI, and what they are in the crate.

use core::net::{IpAddr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use segue::congestion::{Algorithm, Bbr, Cubic, Prague, Reno};
use segue::host::{self, Backlog, EndpointConfig, Id};
use segue::{Arc, Config, IcmpKind};

use crate::code::{Code, Reason};

/// An IP address.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// 4 or 6.
    pub version: u8,
    /// The address as it stands in the IP header; of IPv4 the first four octets.
    pub octets: [u8; 16],
}

impl TryFrom<Address> for IpAddr {
    type Error = Code;

    fn try_from(address: Address) -> Result<Self, Code> {
        let [a, b, c, d, ..] = address.octets;
        match address.version {
            4 => Ok(Self::from([a, b, c, d])),
            6 => Ok(Self::from(address.octets)),
            _ => Err(Code::Invalid),
        }
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        let mut octets = [0; 16];
        match ip {
            IpAddr::V4(ip) => octets[..4].copy_from_slice(&ip.octets()),
            IpAddr::V6(ip) => octets = ip.octets(),
        }
        Self { version: if ip.is_ipv4() { 4 } else { 6 }, octets }
    }
}

/// The two ends of a connection, seen from us.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flow {
    /// Our address.
    pub local: Address,
    /// The address of the peer.
    pub remote: Address,
    /// Our port.
    pub local_port: u16,
    /// The port of the peer.
    pub remote_port: u16,
}

impl Flow {
    pub(crate) fn remote(&self) -> Result<SocketAddr, Code> {
        Ok(SocketAddr::new(self.remote.try_into()?, self.remote_port))
    }

    pub(crate) fn local(&self) -> Result<SocketAddr, Code> {
        Ok(SocketAddr::new(self.local.try_into()?, self.local_port))
    }
}

impl From<host::Flow> for Flow {
    fn from(flow: host::Flow) -> Self {
        let (local, remote) = (flow.local(), flow.remote());
        Self {
            local: local.ip().into(),
            remote: remote.ip().into(),
            local_port: local.port(),
            remote_port: remote.port(),
        }
    }
}

/// A packet that arrived, or that is to be sent.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// The source address.
    pub src: Address,
    /// The destination address.
    pub dst: Address,
    /// The payload of the IP packet: the TCP header with its checksum, and the text.
    pub octets: *const u8,
    /// The number of these octets.
    pub len: usize,
    /// The ECN codepoint in the IP header: its two low bits count.
    pub ecn: u8,
}

/// The limits and choices of an endpoint; segue_options_default has the usual ones.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// The most connections, those in TIME-WAIT not counted.
    pub connections: usize,
    /// The most connections in TIME-WAIT.
    pub time_wait: usize,
    /// The most octets for all connections together; SIZE_MAX: no limit.
    pub memory: usize,
    /// The most resets, challenge ACKs and SYN,ACKs that wait for a flush.
    pub answers: usize,
    /// Octets that the receive buffer of a connection may grow to, 1 or more.
    pub receive_buffer: u32,
    /// Octets that the send buffer of a connection holds, 1 or more.
    pub send_buffer: u32,
    /// The MTU in octets, IP header included.
    pub mtu: u16,
    /// The first local port of active opens, 1 or more.
    pub first_port: u16,
    /// The last local port of active opens.
    pub last_port: u16,
    /// Whether Nagle's algorithm holds back small segments; 0: it does not.
    pub nagle: u8,
    /// Whether idle connections send keep-alives; 0: they do not.
    pub keep_alive: u8,
    /// The congestion controller: a value of segue_congestion.
    pub congestion: i32,
}

/// A congestion controller.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Congestion {
    /// CUBIC (RFC 9438): the usual one.
    Cubic = 0,
    /// NewReno (RFC 5681).
    Reno = 1,
    /// BBRv3 (draft-ietf-ccwg-bbr): it paces, so segue_next_deadline comes in fractions of a millisecond.
    Bbr = 2,
    /// A scalable one for L4S (RFC 9331); it paces, too.
    Prague = 3,
    /// One that this header does not know.
    Other = 4,
}

impl Congestion {
    /// The number of this one.
    pub(crate) fn of(algorithm: &Algorithm) -> i32 {
        let congestion = match algorithm {
            Algorithm::Cubic(_) => Self::Cubic,
            Algorithm::Reno(_) => Self::Reno,
            Algorithm::Bbr(_) => Self::Bbr,
            Algorithm::Prague(_) => Self::Prague,
            _ => Self::Other,
        };
        congestion as i32
    }
}

/// A new controller with this number.
pub(crate) fn algorithm(number: i32) -> Result<Algorithm, Code> {
    let all = [
        Algorithm::Cubic(Cubic::default()),
        Algorithm::Reno(Reno::default()),
        Algorithm::Bbr(Bbr::default()),
        Algorithm::Prague(Prague::default()),
    ];
    all.into_iter().find(|known| Congestion::of(known) == number).ok_or(Code::Invalid)
}

impl Options {
    pub(crate) fn usual() -> Self {
        let EndpointConfig { connection, addresses: _, mtu, connections, time_wait, memory, ports, answers } =
            EndpointConfig::default();
        Self {
            connections,
            time_wait,
            memory,
            answers,
            receive_buffer: connection.receive_buffer(),
            send_buffer: connection.send_buffer(),
            mtu,
            first_port: *ports.start(),
            last_port: *ports.end(),
            nagle: connection.nagle().into(),
            keep_alive: connection.keep_alive().into(),
            congestion: Congestion::of(&Algorithm::default()),
        }
    }
}

impl TryFrom<Options> for EndpointConfig {
    type Error = Code;

    fn try_from(options: Options) -> Result<Self, Code> {
        let ports: RangeInclusive<u16> = options.first_port..=options.last_port;
        if options.first_port == 0 || ports.is_empty() {
            return Err(Code::Invalid);
        }
        let connection = Config::builder()
            .receive_buffer(options.receive_buffer)
            .send_buffer(options.send_buffer)
            .nagle(options.nagle != 0)
            .keep_alive(options.keep_alive != 0)
            .build()?;
        Ok(Self {
            connection: Arc::new(connection),
            addresses: Vec::new(),
            mtu: options.mtu,
            connections: options.connections,
            time_wait: options.time_wait,
            memory: options.memory,
            ports,
            answers: options.answers,
        })
    }
}

/// What happens to a SYN when the SYN queue is full.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Full {
    /// It is answered with a SYN cookie.
    Cookies = 0,
    /// The connection that is half-open for longest makes room.
    EvictOldest = 1,
    /// It is dropped.
    Drop = 2,
    /// It is refused with a reset.
    Reset = 3,
}

/// What to listen to; segue_listen_default has the usual limits for a port on all addresses.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listen {
    /// The most connections whose handshake is not complete.
    pub half_open: usize,
    /// The most connections that wait for segue_accept.
    pub ready: usize,
    /// The most connections that deliver the text of their SYN before the handshake is complete (TCP Fast Open, RFC 7413);
    /// 0: off. Such text may come twice. SEGUE_REPORT_FAST_OPEN_CONFIRMED tells that the handshake is complete.
    pub fast_open: usize,
    /// Not 0: a SYN waits this long at most for segue_admit or segue_refuse, in microseconds.
    pub gate: u64,
    /// What happens to a SYN when half_open are half-open: a value of segue_full.
    pub full: i32,
    /// The address; version 0: all.
    pub address: Address,
    /// The port; 0: all.
    pub port: u16,
}

impl Listen {
    pub(crate) fn usual(port: u16) -> Self {
        let Backlog { half_open, ready, .. } = Backlog::default();
        let address = Address { version: 0, octets: [0; 16] };
        Self { half_open, ready, fast_open: 0, gate: 0, full: Full::Cookies as i32, address, port }
    }
}

impl TryFrom<Listen> for host::Listen {
    type Error = Code;

    fn try_from(listen: Listen) -> Result<Self, Code> {
        let choices = [
            (Full::Cookies, host::Full::Cookies),
            (Full::EvictOldest, host::Full::EvictOldest),
            (Full::Drop, host::Full::Drop),
            (Full::Reset, host::Full::Reset),
        ];
        let full = choices.into_iter().find(|(number, _)| *number as i32 == listen.full);
        let full = full.ok_or(Code::Invalid)?.1;
        Ok(Self {
            address: if listen.address.version == 0 { None } else { Some(listen.address.try_into()?) },
            port: Some(listen.port).filter(|port| *port != 0),
            backlog: Backlog { half_open: listen.half_open, ready: listen.ready, full },
            gate: Some(listen.gate).filter(|gate| *gate != 0).map(Duration::from_micros),
            fast_open: listen.fast_open,
            ..Self::anywhere()
        })
    }
}

/// What became of a packet.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received {
    /// It went to the connection with the id, or to a SYN that a gate holds.
    Connection = 0,
    /// It opened the connection with the id.
    Opened = 1,
    /// A SYN for a gate: segue_incoming tells of it.
    Held = 2,
    /// It went to a connection in TIME-WAIT.
    TimeWait = 3,
    /// A SYN, answered with a cookie.
    Cookie = 4,
    /// A SYN for which there is no room.
    Full = 5,
    /// No connection and no listener: answered with a reset unless it is one.
    Stray = 6,
    /// Not between two ends that can have a connection: dropped.
    Unusable = 7,
    /// Something that this header does not know.
    Other = 8,
}

impl Received {
    /// With the id, 0 where there is none.
    pub(crate) fn of(received: host::Received) -> (Self, u64) {
        match received {
            host::Received::Connection(id) => (Self::Connection, id.to_bits()),
            host::Received::Opened(id) => (Self::Opened, id.to_bits()),
            host::Received::Held(id) => (Self::Held, id.to_bits()),
            host::Received::TimeWait => (Self::TimeWait, 0),
            host::Received::Cookie => (Self::Cookie, 0),
            host::Received::Full => (Self::Full, 0),
            host::Received::Stray => (Self::Stray, 0),
            host::Received::Unusable => (Self::Unusable, 0),
            _ => (Self::Other, 0),
        }
    }
}

/// What happened to a connection.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// An active open succeeded.
    Connected = 1,
    /// Text arrived where none waited.
    Readable = 2,
    /// A write took less than it was given, and there is room again.
    Writable = 3,
    /// The peer acknowledged all that was written, once for each segue_notify_flushed.
    Flushed = 4,
    /// The peer sent its FIN: no more text will come after what waits.
    PeerClosed = 5,
    /// Something that the user may want to know: the detail is a segue_report.
    Report = 6,
    /// The connection is over: the detail is a segue_reason. Where text waits, the id stays valid until that is read or
    /// the connection released; otherwise it is void.
    Closed = 7,
    /// A signal that this header does not know.
    Other = 8,
}

/// News of a connection while it goes on: the detail of SEGUE_SIGNAL_REPORT.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Report {
    /// The peer did not answer; the value is the number of retransmissions.
    Unresponsive = 1,
    /// An ICMP error that does not end the connection; the value is a segue_icmp_kind.
    Icmp = 2,
    /// The path MTU is the value, in octets.
    PathMtu = 3,
    /// The peer suggests a user timeout; the value is its microseconds.
    UserTimeout = 4,
    /// A report that this header does not know.
    Other = 5,
    /// The handshake of a connection that was accepted by Fast Open is complete: no forged address began it.
    FastOpenConfirmed = 6,
}

/// A signal and whose it is.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News {
    /// The connection.
    pub id: u64,
    /// The number of a report, else 0.
    pub value: u64,
    /// What happened.
    pub signal: Signal,
    /// Of SEGUE_SIGNAL_CLOSED the segue_reason, of SEGUE_SIGNAL_REPORT the segue_report, else 0.
    pub detail: i32,
}

impl News {
    pub(crate) fn of(id: Id, signal: host::Signal) -> Self {
        let (signal, detail, value) = match signal {
            host::Signal::Connected => (Signal::Connected, 0, 0),
            host::Signal::Readable => (Signal::Readable, 0, 0),
            host::Signal::Writable => (Signal::Writable, 0, 0),
            host::Signal::Flushed => (Signal::Flushed, 0, 0),
            host::Signal::PeerClosed => (Signal::PeerClosed, 0, 0),
            host::Signal::Report(report) => {
                let (report, value) = Report::of(report);
                (Signal::Report, report as i32, value)
            }
            host::Signal::Closed(reason) => (Signal::Closed, Reason::from(reason) as i32, 0),
            _ => (Signal::Other, 0, 0),
        };
        Self { id: id.to_bits(), value, signal, detail }
    }
}

impl Report {
    fn of(report: segue::Report) -> (Self, u64) {
        match report {
            segue::Report::Unresponsive { retransmissions } => (Self::Unresponsive, retransmissions.into()),
            segue::Report::Icmp(kind) => {
                (Self::Icmp, ICMP.iter().find(|(_, known)| *known == kind).map_or(0, |(number, _)| *number as u64))
            }
            segue::Report::PathMtu(mtu) => (Self::PathMtu, mtu.into()),
            segue::Report::UserTimeout(time) => {
                (Self::UserTimeout, u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
            }
            segue::Report::FastOpenConfirmed => (Self::FastOpenConfirmed, 0),
            _ => (Self::Other, 0),
        }
    }
}

/// What an ICMP error says.
#[repr(i32)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Icmp {
    /// Network or host unreachable, source route failed, no route, beyond scope.
    Unreachable = 1,
    /// Time or hop limit exceeded.
    TimeExceeded = 2,
    /// Parameter problem.
    ParameterProblem = 3,
    /// The peer does not speak TCP.
    ProtocolUnreachable = 4,
    /// Nobody listens there, or a policy forbids it.
    PortUnreachable = 5,
    /// Fragmentation needed, or packet too big.
    PacketTooBig = 6,
    /// Source Quench.
    SourceQuench = 7,
}

const ICMP: [(Icmp, IcmpKind); 7] = [
    (Icmp::Unreachable, IcmpKind::Unreachable),
    (Icmp::TimeExceeded, IcmpKind::TimeExceeded),
    (Icmp::ParameterProblem, IcmpKind::ParameterProblem),
    (Icmp::ProtocolUnreachable, IcmpKind::ProtocolUnreachable),
    (Icmp::PortUnreachable, IcmpKind::PortUnreachable),
    (Icmp::PacketTooBig, IcmpKind::PacketTooBig),
    (Icmp::SourceQuench, IcmpKind::SourceQuench),
];

/// The kind with this number.
pub(crate) fn icmp_kind(number: i32) -> Result<IcmpKind, Code> {
    let known = ICMP.into_iter().find(|(known, _)| *known as i32 == number);
    Ok(known.ok_or(Code::Invalid)?.1)
}
