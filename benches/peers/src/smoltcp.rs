//! smoltcp: two interfaces with one socket each, and a device without a link layer between them.

use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Checksum, ChecksumCapabilities, Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use segue_benches::counted;

use crate::{Row, TEXT, THEM, US, Work, row};

const WHO: &str = "smoltcp";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for checksum in [false, true] {
        rows.push(row(Work::Path, checksum, WHO, move || path(checksum)));
        rows.push(row(Work::RoundTrip, checksum, WHO, move || round_trip(checksum)));
        rows.push(row(Work::Life, checksum, WHO, move || life(checksum)));
    }
    rows
}

pub(super) fn capabilities(checksum: bool) -> ChecksumCapabilities {
    let mut capabilities = ChecksumCapabilities::default();
    if !checksum {
        capabilities.ipv4 = Checksum::None;
        capabilities.tcp = Checksum::None;
    }
    capabilities
}

/// One packet in, buffers that are used again out: no allocation is counted.
struct Card {
    checksum: bool,
    arrived: bool,
    packet: Vec<u8>,
    sent: Vec<Vec<u8>>,
    used: usize,
}

impl Card {
    fn put(&mut self, packet: Vec<u8>) {
        (self.arrived, self.packet) = (true, packet);
    }
}

struct Read<'a>(&'a [u8]);

impl RxToken for Read<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

struct Write<'a>(&'a mut Vec<Vec<u8>>, &'a mut usize);

impl TxToken for Write<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let buffer = &mut self.0[*self.1];
        *self.1 += 1;
        buffer.resize(len, 0);
        f(buffer)
    }
}

impl Device for Card {
    type RxToken<'a> = Read<'a>;
    type TxToken<'a> = Write<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Read<'_>, Write<'_>)> {
        let arrived = std::mem::take(&mut self.arrived);
        arrived.then_some((Read(&self.packet), Write(&mut self.sent, &mut self.used)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Write<'_>> {
        Some(Write(&mut self.sent, &mut self.used))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities.checksum = self::capabilities(self.checksum);
        capabilities
    }
}

struct Host {
    card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
}

impl Host {
    /// The interface and its card, with no socket yet: those live longer than a connection.
    fn new(side: usize, checksum: bool) -> Self {
        let buffers = (0..64).map(|_| Vec::with_capacity(1500)).collect();
        let mut card = Card { checksum, arrived: false, packet: Vec::new(), sent: buffers, used: 0 };
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut card, Instant::from_millis(1));
        interface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(IpAddress::Ipv4([US, THEM][side]), 0)).expect("room for one");
        });
        let mut sockets = SocketSet::new(Vec::with_capacity(1));
        let socket = sockets.add(Self::socket());
        Self { card, interface, sockets, socket }
    }

    fn socket() -> Socket<'static> {
        let buffer = || SocketBuffer::new(vec![0; 65_535]);
        let mut socket = Socket::new(buffer(), buffer());
        socket.set_tsval_generator(Some(|| 7));
        socket
    }

    fn tcp(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.socket)
    }

    fn connect(&mut self) {
        let socket = self.sockets.get_mut::<Socket<'_>>(self.socket);
        socket.connect(self.interface.context(), (THEM, 443), 49_152).expect("a closed socket");
    }

    fn poll(&mut self, now: Instant) {
        self.interface.poll(now, &mut self.card, &mut self.sockets);
    }

    /// A packet is there: it is handled, and the user takes what it brings.
    fn arrives(&mut self, now: Instant) -> usize {
        self.poll(now);
        let mut delivered = 0;
        let tcp = self.tcp();
        while tcp.can_recv() {
            delivered += tcp.recv(|text| (text.len(), text.len())).expect("there is text");
        }
        delivered
    }
}

struct Pair {
    hosts: [Host; 2],
    flying: [std::collections::VecDeque<Vec<u8>>; 2],
    now: Instant,
    count: bool,
}

impl Pair {
    fn new(checksum: bool) -> Self {
        let hosts = [Host::new(0, checksum), Host::new(1, checksum)];
        Self { hosts, flying: Default::default(), now: Instant::from_millis(1), count: false }
    }

    fn run<T>(&mut self, side: usize, work: impl FnOnce(&mut Host, Instant) -> T) -> T {
        let (host, now) = (&mut self.hosts[side], self.now);
        let result = if self.count { counted(|| work(host, now)) } else { work(host, now) };
        let card = &mut host.card;
        self.flying[side].extend(card.sent[..card.used].iter().cloned());
        card.used = 0;
        result
    }

    /// Until nothing is on its way.
    fn settle(&mut self) -> usize {
        let mut delivered = 0;
        while self.flying.iter().any(|packets| !packets.is_empty()) {
            self.now += Duration::from_micros(50);
            for side in 0..2 {
                if let Some(packet) = self.flying[1 - side].pop_front() {
                    self.hosts[side].card.put(packet);
                    delivered += self.run(side, Host::arrives);
                }
            }
        }
        delivered
    }

    fn open(&mut self) {
        self.run(1, |host, _| host.tcp().listen(443).expect("a closed socket"));
        self.run(0, |host, now| {
            host.connect();
            host.poll(now);
        });
        self.settle();
        assert_eq!(self.hosts.each_mut().map(|host| host.tcp().state()), [State::Established; 2]);
    }

    fn send(&mut self, side: usize, text: &[u8]) {
        let sent = self.run(side, |host, now| {
            let sent = host.tcp().send_slice(text).expect("an open connection");
            host.poll(now);
            sent
        });
        assert_eq!(sent, text.len(), "it fits the buffer");
    }
}

fn path(checksum: bool) -> u32 {
    let mut pair = Pair::new(checksum);
    pair.open();
    for round in 0..40 {
        pair.count = round >= 8;
        pair.send(0, &TEXT);
        let delivered = pair.settle();
        assert_eq!(delivered, TEXT.len());
    }
    32 * 32
}

fn round_trip(checksum: bool) -> u32 {
    let mut pair = Pair::new(checksum);
    pair.open();
    for round in 0..510 {
        pair.count = round >= 10;
        for side in 0..2 {
            pair.send(side, &TEXT[..64]);
            pair.now += Duration::from_micros(50);
            let packet = pair.flying[side].pop_front().expect("the text");
            pair.hosts[1 - side].card.put(packet);
            assert_eq!(pair.run(1 - side, Host::arrives), 64);
        }
        // An acknowledgment that does not ride on text, if there is one, belongs to the work.
        assert_eq!(pair.settle(), 0);
    }
    500
}

/// With the sockets and their buffers made before.
fn life(checksum: bool) -> u32 {
    for _ in 0..50 {
        let mut pair = Pair::new(checksum);
        pair.count = true;
        pair.open();
        for side in 0..2 {
            pair.send(side, &TEXT[..1]);
            assert_eq!(pair.settle(), 1);
        }
        for side in 0..2 {
            pair.run(side, |host, now| {
                host.tcp().close();
                host.poll(now);
            });
            pair.settle();
        }
        assert_eq!(pair.hosts.each_mut().map(|host| host.tcp().state()), [State::TimeWait, State::Closed]);
    }
    50
}
