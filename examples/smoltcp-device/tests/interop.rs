//! The host beside smoltcp's own TCP, in virtual time over a link that loses packets: both directions of opening, text in
//! both directions at once, each order of closing.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use segue::host::{EndpointConfig, Id, Keys, Listen, ListenerId, Signal};
use segue::{CloseReason, Instant};
use segue_kit::{Rng, ms};
use segue_smoltcp_device::ring::{Port, link};
use segue_smoltcp_device::{Host, send, small, time};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::wire::{HardwareAddress, IpCidr};

const DELAY: Duration = ms(10);
const PORT: u16 = 7;

type End = Port<16, 1500>;

/// The octet at a place of the text of an end.
fn octet(end: usize, at: usize) -> u8 {
    (at.wrapping_mul(0x9E37_79B9).wrapping_add(end * 77) >> 11) as u8
}

/// What the user of an end has done.
#[derive(Clone, Copy, Debug, Default)]
struct User {
    end: usize,
    to_write: usize,
    written: usize,
    read: usize,
    /// Closes as soon as all is written, and not only after the end of the peer's text.
    closes_first: bool,
    connected: bool,
    closed: bool,
    over: bool,
}

impl User {
    /// Writes as much as `write` takes.
    fn write(&mut self, mut write: impl FnMut(&[u8]) -> usize) {
        while self.written < self.to_write {
            let piece = self.written..self.to_write.min(self.written + 1000);
            let text: Vec<u8> = piece.map(|at| octet(self.end, at)).collect();
            let took = write(&text);
            self.written += took;
            if took < text.len() {
                break;
            }
        }
    }

    fn read(&mut self, text: &[u8]) {
        for &got in text {
            assert_eq!(got, octet(1 - self.end, self.read), "at {}", self.read);
            self.read += 1;
        }
    }

    /// Whether it is time to close.
    fn closes(&mut self, peer_is_done: bool) -> bool {
        let now = !self.closed && self.written == self.to_write && (self.closes_first || peer_is_done);
        self.closed |= now;
        now
    }
}

/// segue's end.
struct Segue {
    host: Host<End>,
    listener: ListenerId,
    id: Option<Id>,
    user: User,
}

impl Segue {
    fn turn(&mut self, now: Instant) {
        let Self { host, listener, id, user } = self;
        host.poll(now, |tcp| {
            if id.is_none() {
                *id = tcp.accept(*listener);
                user.connected = id.is_some();
            }
            while let Some((whose, signal)) = tcp.poll_signal() {
                assert_eq!(Some(whose), *id);
                user.connected |= signal == Signal::Connected;
                if let Signal::Closed(reason) = signal {
                    assert_eq!(reason, CloseReason::Finished, "at {now}: {user:?}");
                    user.over = true;
                }
            }
            let whose = id.filter(|_| user.connected); // a close before cancels
            let Some(mut socket) = whose.and_then(|id| tcp.socket(id, now).ok()) else { return };
            for text in socket.chunks() {
                user.read(&text);
            }
            if !user.closed {
                user.write(|text| socket.write(text).expect("it is open"));
            }
            if user.closes(socket.eof()) {
                socket.close().expect("once");
            }
        });
    }
}

/// smoltcp's end.
struct Smoltcp {
    device: End,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    user: User,
}

impl Smoltcp {
    fn new(mut device: End, address: IpAddr, user: User) -> Self {
        let config = smoltcp::iface::Config::new(HardwareAddress::Ip);
        let mut interface = Interface::new(config, &mut device, smoltcp::time::Instant::ZERO);
        interface.update_ip_addrs(|all| all.push(IpCidr::new(address.into(), 24)).expect("room for one"));
        let mut sockets = SocketSet::new(Vec::new());
        let buffer = || SocketBuffer::new(vec![0; 20_000]);
        let socket = sockets.add(Socket::new(buffer(), buffer()));
        Self { device, interface, sockets, socket, user }
    }

    fn turn(&mut self, now: Instant) {
        let Self { device, interface, sockets, socket, user } = self;
        interface.poll(time(now), device, sockets);
        let tcp = sockets.get_mut::<Socket<'_>>(*socket);
        while tcp.can_recv() {
            tcp.recv(|text| (text.len(), user.read(text))).expect("there is text");
        }
        if tcp.may_send() {
            user.write(|text| tcp.send_slice(text).expect("it is open"));
            let peer_is_done = !tcp.may_recv() && tcp.state() == State::CloseWait;
            if user.closes(peer_is_done) {
                tcp.close();
            }
        }
        interface.poll(time(now), device, sockets);
        let state = sockets.get_mut::<Socket<'_>>(*socket).state();
        user.over = user.closed && matches!(state, State::Closed | State::TimeWait);
    }

    fn next_deadline(&mut self, now: Instant) -> Option<Instant> {
        let at = self.interface.poll_at(time(now), &self.sockets)?;
        Some(Instant::from_micros(at.total_micros().try_into().expect("a time from 0 on")))
    }
}

/// Which end connects, how much is lost, and who closes first.
#[derive(Clone, Copy, Debug)]
struct Case {
    addresses: [IpAddr; 2],
    segue_connects: bool,
    per_mille: u32,
    /// segue, smoltcp.
    closes_first: [bool; 2],
    octets: [usize; 2],
    seed: u64,
}

const V4: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))];
const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
];

/// What a run came to.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    /// Until both ends are over.
    took: Duration,
    packets: u32,
    lost: u32,
}

/// Moves packets between two links.
struct Network {
    /// The ends beyond the hosts' own.
    ports: [End; 2],
    under_way: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    rng: Rng,
}

impl Network {
    fn take(&mut self, now: Instant, per_mille: u32, outcome: &mut Outcome) {
        for end in [0, 1] {
            while let Some((frame, _)) = self.ports[end].receive(time(now)) {
                let octets = frame.consume(<[u8]>::to_vec);
                outcome.packets += 1;
                if self.rng.chance(per_mille) {
                    outcome.lost += 1;
                } else {
                    let order = (now + DELAY, outcome.packets.into());
                    self.under_way.insert(order, (1 - end, octets));
                }
            }
        }
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(first) = self.under_way.first_entry().filter(|first| first.key().0 <= now) {
            let (to, octets) = first.get();
            let Some(token) = self.ports[*to].transmit(time(now)) else { return };
            token.consume(octets.len(), |frame| frame.copy_from_slice(octets));
            first.remove();
        }
    }
}

fn run(case: Case, config: EndpointConfig) -> Outcome {
    let user =
        |end: usize| User { end, to_write: case.octets[end], closes_first: case.closes_first[end], ..User::default() };
    let ([ours, a], [theirs, b]) = (link(), link());
    let mut host = Host::new(ours, vec![case.addresses[0]], Keys::new(*b"drawn at startup"), config);
    let listener = host.tcp.listen(Listen::port(PORT)).expect("nobody listens yet");
    let mut smoltcp = Smoltcp::new(theirs, case.addresses[1], user(1));
    let mut now = Instant::from_millis(1);
    let mut id = None;
    let tcp = smoltcp.sockets.get_mut::<Socket<'_>>(smoltcp.socket);
    if case.segue_connects {
        tcp.listen(PORT).expect("a closed socket");
        let to = SocketAddr::new(case.addresses[1], PORT);
        id = Some(host.tcp.connect(case.addresses[0], to, now).expect("there is room"));
    } else {
        tcp.connect(smoltcp.interface.context(), (case.addresses[0], PORT), 49_152).expect("a closed socket");
    }
    let mut segue = Segue { host, listener, id, user: user(0) };
    let mut network = Network { ports: [a, b], under_way: BTreeMap::new(), rng: Rng::new(case.seed) };
    let mut outcome = Outcome::default();
    loop {
        assert!(now < Instant::from_millis(900_000), "{case:?} hangs: {:?} {:?}", segue.user, smoltcp.user);
        network.deliver(now);
        segue.turn(now);
        smoltcp.turn(now);
        network.take(now, case.per_mille, &mut outcome);
        if segue.user.over && smoltcp.user.over {
            break;
        }
        let more = segue.host.is_sending().then_some(now); // the network has made room
        let arrival = network.under_way.first_key_value().map(|((at, _), _)| *at);
        let next = [segue.host.next_deadline(), smoltcp.next_deadline(now), arrival, more];
        now = next.into_iter().flatten().min().expect("something is to come").max(now + Duration::from_micros(100));
    }
    assert_eq!([segue.user.read, smoltcp.user.read], [case.octets[1], case.octets[0]], "{case:?}");
    assert_eq!(segue.host.tcp.len().0, 0, "{case:?}");
    outcome.took = now.saturating_since(Instant::from_millis(1));
    outcome
}

/// Each loss, each order of closing, some seeds.
fn all(addresses: [IpAddr; 2], segue_connects: bool, config: &EndpointConfig) {
    for per_mille in [0, 10, 50] {
        for closes_first in [[true, false], [false, true], [true, true]] {
            for seed in 1..=5 {
                let octets = [100_000, 150_000];
                let case = Case { addresses, segue_connects, per_mille, closes_first, octets, seed };
                let outcome = run(case, config.clone());
                println!("{segue_connects} {per_mille} {closes_first:?} {seed}: {outcome:?}");
                assert_eq!(per_mille > 0, outcome.lost > 0);
            }
        }
    }
}

#[test]
fn segue_connects_to_smoltcp_over_ipv4() {
    all(V4, true, &EndpointConfig::default());
}

#[test]
fn smoltcp_connects_to_segue_over_ipv4() {
    all(V4, false, &EndpointConfig::default());
}

#[test]
fn both_connect_over_ipv6() {
    all(V6, true, &EndpointConfig::default());
    all(V6, false, &EndpointConfig::default());
}

#[test]
fn small_buffers_are_enough() {
    all(V4, true, &small(1));
    all(V4, false, &small(1));
}

#[test]
fn an_empty_conversation_ends() {
    for (segue_connects, closes_first) in [(true, [true, false]), (true, [false, true]), (false, [true, true])] {
        let case = Case { addresses: V4, segue_connects, per_mille: 50, closes_first, octets: [0, 0], seed: 3 };
        run(case, small(1));
    }
}

#[test]
fn marks_are_carried_by_the_ip_header() {
    for addresses in [V4, V6] {
        let ends = segue::codec::PseudoHeader::new(addresses[0], addresses[1]).expect("one version");
        let (mut there, mut here) = link::<2, 1500>().into();
        let mut packet = segue::codec::Packet { src_port: 1, dst_port: 2, ..Default::default() };
        packet.segment.ecn = segue::Ecn::Ect0;
        packet.segment.payload = "text".into();
        send(&mut there, ends, &packet, Instant::ZERO).expect("room");
        let (frame, _) = here.receive(smoltcp::time::Instant::ZERO).expect("a frame");
        let got = segue::ip::decode(frame.consume(bytes::Bytes::copy_from_slice), Default::default());
        assert_eq!(got, Ok(segue::ip::Datagram::Tcp(ends, packet)));
    }
}
