//! Two hosts and the wire between them. A host is what a user of the crate writes around a [`Connection`]: it takes
//! frames, hands them to the machine and sends what the machine wants sent.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use segue::codec::{self, Fill, Packet, PseudoHeader, Sum, Verify};
use segue::{Action, Arc, Config, Connection, Ecn, Event, Instant, Path, Secrets, Segment, SeqNum, Timer};

use crate::counted;

/// The default configuration without quick acknowledgments: every second segment is acknowledged from the start.
pub fn config() -> Arc<Config> {
    Arc::new(Config::builder().quick_acks(0).build().expect("within the ranges"))
}

/// How segments travel, and what that costs the host.
pub trait Wire {
    type Frame: Clone;

    /// The wire of the client (0) or the server (1).
    fn new(side: usize) -> Self;

    /// The segment in a frame for this side.
    fn open(&mut self, frame: Self::Frame) -> Segment;

    /// Sends a segment.
    fn emit(&mut self, segment: Segment);

    /// What was sent, as the other side gets it. Not counted.
    fn sent(&mut self) -> Vec<Self::Frame>;

    /// A frame as it comes from a peer. Not counted.
    fn frame_for(&mut self, segment: Segment) -> Self::Frame;
}

/// Segments travel as values.
pub struct Values(Vec<Segment>);

impl Wire for Values {
    type Frame = Segment;

    fn new(_: usize) -> Self {
        Self(Vec::with_capacity(1024))
    }

    fn open(&mut self, frame: Segment) -> Segment {
        frame
    }

    fn emit(&mut self, segment: Segment) {
        self.0.push(segment);
    }

    fn sent(&mut self) -> Vec<Segment> {
        self.0.drain(..).collect()
    }

    fn frame_for(&mut self, segment: Segment) -> Segment {
        segment
    }
}

/// Octets of the IPv4 header without options, which is all that these hosts send.
const IPV4: usize = 20;

/// Segments travel in IPv4 packets with a header of 20 octets, written and checked here by hand. With `SOFTWARE` both
/// checksums, of IP and of TCP, are computed and verified; else the hardware does that.
///
/// Frames come from a pool and go back to it, as with a network driver: no allocation is counted. A packet is encoded
/// into a buffer that is used again.
pub struct Octets<const SOFTWARE: bool> {
    /// Ours, the peer's.
    addresses: (Ipv4Addr, Ipv4Addr),
    ports: (u16, u16),
    buffers: Vec<Vec<u8>>,
    used: usize,
    /// Keeps received frames, so that giving them back frees no memory.
    pool: Vec<Bytes>,
}

pub type Hardware = Octets<false>;
pub type Software = Octets<true>;

impl<const SOFTWARE: bool> Octets<SOFTWARE> {
    const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 7)];
    const PORTS: [u16; 2] = [49_152, 443];

    fn write(segment: Segment, (src, dst): (Ipv4Addr, Ipv4Addr), (src_port, dst_port): (u16, u16), to: &mut Vec<u8>) {
        let there = PseudoHeader::V4 { src, dst };
        let fill = if SOFTWARE { Fill::Now(there) } else { Fill::ByHardware(there) };
        let ecn = segment.ecn.bits();
        to.clear();
        to.put_slice(&[0; IPV4]);
        codec::encode(&Packet { src_port, dst_port, segment }, fill, to).expect("what the machine sends fits");
        let len = u16::try_from(to.len()).expect("a packet").to_be_bytes();
        let mut header = [0x45, ecn, len[0], len[1], 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        header[12..16].copy_from_slice(&src.octets());
        header[16..].copy_from_slice(&dst.octets());
        if SOFTWARE {
            let mut sum = Sum::new();
            sum.add(&header);
            header[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
        }
        to[..IPV4].copy_from_slice(&header);
    }

    /// The checks of an IPv4 host, and the segment.
    fn read(&self, mut packet: Bytes) -> Option<Segment> {
        let header: &[u8; IPV4] = packet.first_chunk()?;
        let ecn = Ecn::from_bits(header[1]);
        let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        let [_, _, _, _, _, _, f0, f1, _, protocol, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
        let (src, dst) = (Ipv4Addr::new(s0, s1, s2, s3), Ipv4Addr::new(d0, d1, d2, d3));
        if header[0] != 0x45 || len > packet.len() || len < IPV4 || protocol != 6 || [f0 & 0x3F, f1] != [0, 0] {
            return None;
        }
        if SOFTWARE {
            let mut sum = Sum::new();
            sum.add(header);
            if sum.checksum() != 0 {
                return None;
            }
        }
        packet.truncate(len);
        packet.advance(IPV4);
        let verify = if SOFTWARE { Verify::Now(PseudoHeader::V4 { src, dst }) } else { Verify::ByHardware };
        let Packet { src_port, dst_port, mut segment } = codec::decode(packet, verify).ok()?;
        segment.ecn = ecn;
        // The look-up of the connection.
        ((dst, src) == self.addresses && (dst_port, src_port) == self.ports).then_some(segment)
    }
}

impl<const SOFTWARE: bool> Wire for Octets<SOFTWARE> {
    type Frame = Bytes;

    fn new(side: usize) -> Self {
        Self {
            addresses: (Self::ADDRESSES[side], Self::ADDRESSES[1 - side]),
            ports: (Self::PORTS[side], Self::PORTS[1 - side]),
            buffers: (0..256).map(|_| Vec::with_capacity(1500)).collect(),
            used: 0,
            pool: Vec::new(),
        }
    }

    fn open(&mut self, frame: Bytes) -> Segment {
        self.read(frame).expect("a packet of our peer's")
    }

    fn emit(&mut self, segment: Segment) {
        Self::write(segment, self.addresses, self.ports, &mut self.buffers[self.used]);
        self.used += 1;
    }

    fn sent(&mut self) -> Vec<Bytes> {
        let frames: Vec<Bytes> =
            self.buffers[..self.used].iter().map(|octets| Bytes::copy_from_slice(octets)).collect();
        self.used = 0;
        self.pool.clear();
        self.pool.extend(frames.iter().cloned());
        frames
    }

    fn frame_for(&mut self, segment: Segment) -> Bytes {
        let mut octets = Vec::new();
        let ((we, they), (our_port, their_port)) = (self.addresses, self.ports);
        Self::write(segment, (they, we), (their_port, our_port), &mut octets);
        let frame = Bytes::from(octets);
        self.pool.push(frame.clone());
        frame
    }
}

/// A host with one connection, whose user takes all text at once.
pub struct Host<W: Wire> {
    pub tcp: Connection,
    pub wire: W,
    /// Octets delivered and not consumed.
    pub delivered: usize,
    /// Segments that the last events made it send.
    pub transmitted: usize,
}

impl<W: Wire> Host<W> {
    pub fn new(tcp: Connection, wire: W) -> Self {
        Self { tcp, wire, delivered: 0, transmitted: 0 }
    }

    fn connect(wire: W, config: Arc<Config>, now: Instant) -> Self {
        let (tcp, actions) = Connection::connect(config, Path::ipv4(1500), secrets(100), now);
        Self::opened(tcp, wire, actions)
    }

    fn accept(mut wire: W, config: Arc<Config>, syn: W::Frame, now: Instant) -> Self {
        let syn = wire.open(syn);
        let (tcp, actions) = Connection::accept(config, Path::ipv4(1500), secrets(300), syn, now);
        Self::opened(tcp, wire, actions)
    }

    fn opened(tcp: Connection, wire: W, actions: Vec<Action>) -> Self {
        let mut host = Self::new(tcp, wire);
        for action in actions {
            if let Action::Transmit(segment) = action {
                host.wire.emit(segment);
            }
        }
        host
    }

    /// A call of the user's, a timer or a segment. One function, counted or not: a host has one place that calls the
    /// machine, and with more of them the compiler would inline less of it.
    #[inline(never)]
    pub fn call(&mut self, event: Event, now: Instant) {
        let Self { tcp, wire, delivered, transmitted } = self;
        let result = tcp.handle(event, now, &mut |action| match action {
            Action::Transmit(segment) => {
                *transmitted += 1;
                wire.emit(segment);
            }
            Action::Deliver(text) => *delivered += text.len(),
            _ => {}
        });
        result.expect("a call that can proceed");
    }

    /// A frame came.
    pub fn arrives(&mut self, frame: W::Frame, now: Instant) {
        let segment = self.wire.open(frame);
        self.call(Event::Segment(segment), now);
    }
}

fn secrets(iss: u32) -> Secrets {
    Secrets { iss: SeqNum::new(iss), ts_offset: 0 }
}

/// Which events of a side are counted.
#[derive(Clone, Copy, Default)]
pub struct Counting {
    pub segments: bool,
    /// User calls other than Consume, and timers.
    pub calls: bool,
    pub consume: bool,
}

impl Counting {
    pub const ALL: Self = Self { segments: true, calls: true, consume: true };
}

/// Client (0) and server (1), and the packets on their way from each.
pub struct Pair<W: Wire> {
    pub hosts: [Host<W>; 2],
    pub flying: [VecDeque<W::Frame>; 2],
    pub now: Instant,
    pub counting: [Counting; 2],
    /// Counted events so far.
    pub events: u32,
}

impl<W: Wire> Pair<W> {
    /// Both SYNs are sent. With `count` that is counted.
    pub fn opening(config: &Arc<Config>, count: bool) -> Self {
        let now = Instant::from_millis(1);
        let (wire, config_0) = (W::new(0), config.clone());
        let connect = || Host::connect(wire, config_0, now);
        let mut client = if count { counted(connect) } else { connect() };
        let (syn, wire, config_1) = (client.wire.sent().remove(0), W::new(1), config.clone());
        let accept = || Host::accept(wire, config_1, syn, now);
        let mut server = if count { counted(accept) } else { accept() };
        let flying = [VecDeque::new(), server.wire.sent().into()];
        let counting = if count { [Counting::ALL; 2] } else { [Counting::default(); 2] };
        Self { hosts: [client, server], flying, now, counting, events: 0 }
    }

    pub fn call(&mut self, side: usize, event: Event) {
        let counting = self.counting[side];
        let count = if matches!(event, Event::Consume(_)) { counting.consume } else { counting.calls };
        let (host, now) = (&mut self.hosts[side], self.now);
        self.events += u32::from(count);
        if count {
            counted(|| host.call(event, now));
        } else {
            host.call(event, now);
        }
        self.flying[side].extend(self.hosts[side].wire.sent());
    }

    /// The oldest frame of the other side arrives; the user takes what it brings.
    pub fn carry(&mut self, to: usize) {
        let Some(frame) = self.flying[1 - to].pop_front() else { return };
        let (host, now) = (&mut self.hosts[to], self.now);
        self.events += u32::from(self.counting[to].segments);
        if self.counting[to].segments {
            counted(|| host.arrives(frame, now));
        } else {
            host.arrives(frame, now);
        }
        self.flying[to].extend(self.hosts[to].wire.sent());
        let delivered = std::mem::take(&mut self.hosts[to].delivered);
        if delivered > 0 {
            self.call(to, Event::Consume(delivered));
        }
    }

    /// Time passes, timers fire, and each side gets a frame.
    pub fn step(&mut self) {
        self.now += Duration::from_micros(50);
        for side in 0..2 {
            while let Some((timer, _)) = self.hosts[side].tcp.next_deadline().filter(|&(_, at)| at <= self.now) {
                self.call(side, Event::Timer(timer));
            }
            self.carry(side);
        }
    }

    /// Until nothing is on its way and no acknowledgment is owed.
    pub fn settle(&mut self) {
        loop {
            while self.flying.iter().any(|frames| !frames.is_empty()) {
                self.step();
            }
            let owes = |host: &Host<W>| host.tcp.deadline(Timer::DelayedAck);
            let Some(at) = self.hosts.iter().filter_map(owes).min() else { return };
            self.now = self.now.max(at);
            self.step();
        }
    }

    /// The client's bulk, until its congestion window has `cwnd` octets.
    fn warm_up(&mut self, cwnd: u32, text: &Bytes) {
        while self.hosts[0].tcp.info().cwnd < cwnd {
            let enough = usize::try_from(cwnd).expect("32 bits");
            while self.hosts[0].tcp.info().send_queue < enough {
                self.call(0, Event::Send(text.clone()));
            }
            self.step();
        }
        self.settle();
    }
}

/// ESTABLISHED on both sides; the client has sent, and its congestion window has at least `cwnd` octets. Nothing of
/// that is counted.
pub fn established<W: Wire>(config: &Arc<Config>, cwnd: u32, text: &Bytes) -> Pair<W> {
    let mut pair = Pair::<Values>::opening(config, false);
    pair.settle();
    pair.warm_up(cwnd, text);
    let mut side = 0;
    let hosts = pair.hosts.map(|host| {
        side += 1;
        Host::new(host.tcp, W::new(side - 1))
    });
    Pair { hosts, flying: [VecDeque::new(), VecDeque::new()], now: pair.now, counting: Default::default(), events: 0 }
}
