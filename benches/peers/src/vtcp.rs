//! pktkit's vtcp: a machine whose segments are octets without a checksum. IP and the checksums are written here, with
//! pktkit's own functions. It reads the system's clock.

use std::collections::VecDeque;
use std::net::IpAddr;

use pktkit::vtcp::{Conn, ConnConfig, Segment, State};
use pktkit::{Protocol, checksum, transport_checksum};

use segue_benches::counted;

use crate::{Row, TEXT, THEM, US, Work, row};

const WHO: &str = "vtcp";
const IPV4: usize = 20;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for checksum in [false, true] {
        rows.push(row(Work::Path, checksum, WHO, move || path(checksum)));
        rows.push(row(Work::RoundTrip, checksum, WHO, move || round_trip(checksum)));
        rows.push(row(Work::Life, checksum, WHO, move || life(checksum)));
    }
    rows
}

struct Host {
    tcp: Conn,
    checksum: bool,
    /// Ours, the peer's.
    addresses: (IpAddr, IpAddr),
    buffers: Vec<Vec<u8>>,
    used: usize,
}

impl Host {
    /// Only making the connection is counted.
    fn new(side: usize, checksum: bool, count: bool) -> Self {
        let (addresses, ports) = ([US, THEM], [49_152, 443]);
        // As segue's default: no pacing.
        let config = ConnConfig::default().local_port(ports[side]).remote_port(ports[1 - side]).pacing(false);
        let tcp = if count { counted(|| Conn::new(config)) } else { Conn::new(config) };
        let buffers = (0..64).map(|_| Vec::with_capacity(1500)).collect();
        let addresses = (IpAddr::V4(addresses[side]), IpAddr::V4(addresses[1 - side]));
        Self { tcp, checksum, addresses, buffers, used: 0 }
    }

    /// What the machine gave back goes out.
    fn emit(&mut self, segments: Vec<Vec<u8>>) {
        for mut segment in segments {
            let ((IpAddr::V4(src), IpAddr::V4(dst)), to) = (self.addresses, &mut self.buffers[self.used]) else {
                return;
            };
            self.used += 1;
            if self.checksum {
                let sum = transport_checksum(Protocol::TCP, self.addresses.0, self.addresses.1, &segment);
                segment[16..18].copy_from_slice(&sum.to_be_bytes());
            }
            let len = u16::try_from(IPV4 + segment.len()).expect("a packet").to_be_bytes();
            let mut header = [0x45, 0, len[0], len[1], 0, 0, 0x40, 0, 64, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            header[12..16].copy_from_slice(&src.octets());
            header[16..].copy_from_slice(&dst.octets());
            if self.checksum {
                let sum = checksum(&header);
                header[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            to.clear();
            to.extend_from_slice(&header);
            to.extend_from_slice(&segment);
        }
    }

    fn read(&self, packet: &[u8]) -> Segment {
        let (header, segment) = packet.split_at(IPV4);
        assert!(header[0] == 0x45 && header[9] == 6, "TCP");
        if self.checksum {
            assert_eq!(checksum(header), 0);
            assert_eq!(transport_checksum(Protocol::TCP, self.addresses.1, self.addresses.0, segment), 0);
        }
        Segment::parse(segment).expect("a segment")
    }

    fn arrives(&mut self, packet: &[u8]) -> usize {
        let segment = self.read(packet);
        let answers = if self.tcp.state() == State::Closed {
            self.tcp.accept_syn(&segment)
        } else {
            self.tcp.handle_segment(&segment)
        };
        self.emit(answers);
        let (mut text, mut delivered) = ([0; 2048], 0);
        loop {
            let taken = self.tcp.read(&mut text);
            if taken == 0 {
                break;
            }
            delivered += taken;
        }
        let more = self.tcp.take_outgoing();
        self.emit(more);
        delivered
    }
}

struct Pair {
    hosts: [Host; 2],
    flying: [VecDeque<Vec<u8>>; 2],
    count: bool,
}

impl Pair {
    fn run<T>(&mut self, side: usize, work: impl FnOnce(&mut Host) -> T) -> T {
        let host = &mut self.hosts[side];
        let result = if self.count { counted(|| work(host)) } else { work(host) };
        self.flying[side].extend(host.buffers[..host.used].iter().cloned());
        host.used = 0;
        result
    }

    fn carry(&mut self, to: usize) -> usize {
        let Some(packet) = self.flying[1 - to].pop_front() else { return 0 };
        self.run(to, |host| host.arrives(&packet))
    }

    fn settle(&mut self) -> usize {
        let mut delivered = 0;
        while self.flying.iter().any(|packets| !packets.is_empty()) {
            delivered += self.carry(0) + self.carry(1);
        }
        delivered
    }

    fn open(checksum: bool, count: bool) -> Self {
        let hosts = [0, 1].map(|side| Host::new(side, checksum, count));
        let mut pair = Self { hosts, flying: Default::default(), count };
        pair.run(0, |host| {
            let syn = host.tcp.connect();
            host.emit(syn);
        });
        pair.settle();
        assert!(pair.hosts.iter().all(|host| host.tcp.is_established()));
        pair
    }

    fn send(&mut self, side: usize, text: &[u8]) {
        let sent = self.run(side, |host| {
            let (sent, segments) = host.tcp.write(text);
            host.emit(segments);
            sent
        });
        assert_eq!(sent, text.len(), "it fits the buffer");
    }
}

fn path(checksum: bool) -> u32 {
    let mut pair = Pair::open(checksum, false);
    for round in 0..48 {
        pair.count = round >= 16;
        pair.send(0, &TEXT);
        if pair.count {
            assert_eq!(pair.flying[0].len(), 32, "all of it leaves");
        }
        assert_eq!(pair.settle(), TEXT.len());
    }
    32 * 32
}

fn round_trip(checksum: bool) -> u32 {
    let mut pair = Pair::open(checksum, false);
    for round in 0..550 {
        pair.count = round >= 50;
        for side in 0..2 {
            pair.send(side, &TEXT[..64]);
            let mut delivered = 0;
            while !pair.flying[side].is_empty() {
                delivered += pair.carry(1 - side);
            }
            assert_eq!(delivered, 64);
        }
        assert_eq!(pair.settle(), 0);
    }
    500
}

fn life(checksum: bool) -> u32 {
    for _ in 0..50 {
        let mut pair = Pair::open(checksum, true);
        for side in 0..2 {
            pair.send(side, &TEXT[..1]);
            assert_eq!(pair.settle(), 1);
        }
        for side in 0..2 {
            pair.run(side, |host| {
                let fin = host.tcp.close();
                host.emit(fin);
            });
            pair.settle();
        }
        assert_eq!(pair.hosts.each_ref().map(|host| host.tcp.state()), [State::TimeWait, State::Closed]);
        counted(move || drop(pair.hosts.map(|host| host.tcp)));
    }
    50
}
