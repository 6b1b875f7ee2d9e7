//! Two interfaces on an Ethernet link in memory: beside one are segue's connections, in the other is smoltcp's own socket.
//! They find each other by ARP or NDISC, and the text of both directions arrives as it was sent.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use segue::Instant;
use segue::host::{EndpointConfig, Id, Keys, Listen, Signal};
use segue_kit::{Rng, ms};
use segue_smoltcp_device::beside::Beside;
use segue_smoltcp_device::ring::{Arrived, Port, Room, link};
use segue_smoltcp_device::{small, time};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::wire::{
    EthernetAddress, EthernetFrame, EthernetProtocol, HardwareAddress, IpCidr, IpProtocol, Ipv4Packet, Ipv6Packet,
    TcpPacket,
};

const V4: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))];
const V6: [IpAddr; 2] = [
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 2)),
];
const OCTETS: usize = 100_000;

/// A device with a link layer: frames of 1514 octets.
struct Card(Port<32, 1514>);

impl Device for Card {
    type RxToken<'a> = Arrived<'a, 32, 1514>;
    type TxToken<'a> = Room<'a, 32, 1514>;

    fn receive(&mut self, at: smoltcp::time::Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        self.0.receive(at)
    }

    fn transmit(&mut self, at: smoltcp::time::Instant) -> Option<Self::TxToken<'_>> {
        self.0.transmit(at)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut facts = self.0.capabilities();
        facts.medium = Medium::Ethernet;
        facts
    }
}

/// An interface with its device and its sockets.
struct Station {
    card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
}

impl Station {
    fn new(port: Port<32, 1514>, address: IpAddr, last: u8) -> Self {
        let mut card = Card(port);
        let hardware = HardwareAddress::Ethernet(EthernetAddress([2, 0, 0, 0, 0, last]));
        let config = smoltcp::iface::Config::new(hardware);
        let mut interface = Interface::new(config, &mut card, smoltcp::time::Instant::ZERO);
        interface.update_ip_addrs(|all| all.push(IpCidr::new(address.into(), 24)).expect("room for one"));
        Self { card, interface, sockets: SocketSet::new(Vec::new()) }
    }
}

/// What was seen on the link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Seen {
    tcp: u32,
    resets: u32,
    icmp_errors: u32,
    lost: u32,
}

impl Seen {
    fn look(&mut self, octets: &[u8]) {
        let frame = EthernetFrame::new_checked(octets).expect("a frame");
        let (protocol, text) = match frame.ethertype() {
            EthernetProtocol::Ipv4 => {
                let packet = Ipv4Packet::new_checked(frame.payload()).expect("IPv4");
                (packet.next_header(), packet.payload())
            }
            EthernetProtocol::Ipv6 => {
                let packet = Ipv6Packet::new_checked(frame.payload()).expect("IPv6");
                (packet.next_header(), packet.payload())
            }
            _ => return,
        };
        match protocol {
            IpProtocol::Tcp => {
                self.tcp += 1;
                self.resets += u32::from(TcpPacket::new_checked(text).expect("TCP").rst());
            }
            IpProtocol::Icmp => self.icmp_errors += u32::from(text[0] == 3),
            IpProtocol::Icmpv6 => self.icmp_errors += u32::from(text[0] < 128),
            _ => {}
        }
    }
}

/// segue's station, smoltcp's, and the link between them.
struct Lan {
    now: Instant,
    ours: Station,
    beside: Beside,
    theirs: Station,
    socket: SocketHandle,
    ports: [Port<32, 1514>; 2],
    rng: Rng,
    per_mille: u32,
    seen: Seen,
}

impl Lan {
    fn new(addresses: [IpAddr; 2], config: EndpointConfig, per_mille: u32, seed: u64) -> Self {
        let ([a, b], [c, d]) = (link(), link());
        let (mut ours, mut theirs) = (Station::new(a, addresses[0], 1), Station::new(d, addresses[1], 2));
        let beside = Beside::new(&ours.card, &mut ours.sockets, Keys::new(*b"drawn at startup"), config);
        let buffer = || SocketBuffer::new(vec![0; 20_000]);
        let socket = theirs.sockets.add(Socket::new(buffer(), buffer()));
        let (ports, rng, seen) = ([b, c], Rng::new(seed), Seen::default());
        Self { now: Instant::from_secs(1), ours, beside, theirs, socket, ports, rng, per_mille, seen }
    }

    fn theirs(&mut self) -> &mut Socket<'static> {
        self.theirs.sockets.get_mut(self.socket)
    }

    /// One turn of both, and the frames between; then time goes on.
    fn turn(&mut self, user: impl FnOnce(&mut segue::host::Endpoint)) {
        let Self { now, ours, beside, theirs, ports, .. } = self;
        beside.poll(&mut ours.interface, &mut ours.card, &mut ours.sockets, *now, user);
        theirs.interface.poll(time(*now), &mut theirs.card, &mut theirs.sockets);
        for end in [0, 1] {
            while let Some((frame, _)) = ports[end].receive(time(*now)) {
                let octets = frame.consume(<[u8]>::to_vec);
                self.seen.look(&octets);
                let room = ports[1 - end].transmit(time(*now)).filter(|_| !self.rng.chance(self.per_mille));
                match room {
                    Some(token) => token.consume(octets.len(), |frame| frame.copy_from_slice(&octets)),
                    None => self.seen.lost += 1,
                }
            }
        }
        *now += ms(2);
    }
}

fn octet(end: usize, at: usize) -> u8 {
    (at.wrapping_mul(0x9E37_79B9).wrapping_add(end * 77) >> 11) as u8
}

/// Each end writes `OCTETS` octets, then closes, and reads what the other wrote.
fn transfer(addresses: [IpAddr; 2], segue_connects: bool, per_mille: u32, seed: u64) -> Seen {
    let mut lan = Lan::new(addresses, EndpointConfig::default(), per_mille, seed);
    let listener = lan.beside.tcp.listen(Listen::port(7)).expect("nobody listens yet");
    let mut id: Option<Id> = None;
    if segue_connects {
        lan.theirs().listen(7).expect("a closed socket");
        let now = lan.now;
        id = Some(lan.beside.tcp.connect(addresses[0], SocketAddr::new(addresses[1], 7), now).expect("there is room"));
    } else {
        let Station { interface, sockets, .. } = &mut lan.theirs;
        let socket = sockets.get_mut::<Socket<'_>>(lan.socket);
        socket.connect(interface.context(), (addresses[0], 7), 49_152).expect("a closed socket");
    }
    let (mut written, mut read, mut over) = ([0; 2], [0; 2], [false; 2]);
    for _ in 0..100_000 {
        let now = lan.now;
        lan.turn(|tcp| {
            id = id.or_else(|| tcp.accept(listener));
            while let Some((_, signal)) = tcp.poll_signal() {
                over[0] |= matches!(signal, Signal::Closed(_));
            }
            let Some(Ok(mut socket)) = id.map(|id| tcp.socket(id, now)) else { return };
            for got in socket.chunks().flatten() {
                assert_eq!(got, octet(1, read[0]));
                read[0] += 1;
            }
            let text: Vec<u8> = (written[0]..OCTETS.min(written[0] + 5000)).map(|at| octet(0, at)).collect();
            written[0] += socket.write(&text).unwrap_or(0);
            if written[0] == OCTETS {
                let _ = socket.close();
            }
        });
        let socket = lan.theirs();
        while socket.can_recv() {
            socket
                .recv(|text| {
                    for got in &*text {
                        assert_eq!(*got, octet(0, read[1]));
                        read[1] += 1;
                    }
                    (text.len(), ())
                })
                .expect("there is text");
        }
        if socket.can_send() && written[1] < OCTETS {
            let text: Vec<u8> = (written[1]..OCTETS.min(written[1] + 5000)).map(|at| octet(1, at)).collect();
            written[1] += socket.send_slice(&text).expect("it is open");
            if written[1] == OCTETS {
                socket.close();
            }
        }
        over[1] = written[1] == OCTETS && matches!(socket.state(), State::Closed | State::TimeWait);
        if over == [true; 2] {
            break;
        }
    }
    assert_eq!((over, written, read), ([true; 2], [OCTETS; 2], [OCTETS; 2]), "{addresses:?} {segue_connects}");
    lan.seen
}

/// The interface answers no packet of a connection itself.
#[test]
fn both_directions_arrive_as_they_were_sent() {
    for addresses in [V4, V6] {
        for segue_connects in [true, false] {
            let seen = transfer(addresses, segue_connects, 0, 1);
            assert_eq!((seen.resets, seen.icmp_errors, seen.lost), (0, 0, 0));
            for seed in 1..=3 {
                let seen = transfer(addresses, segue_connects, 30, seed);
                assert!(seen.lost > 0 && (seen.resets, seen.icmp_errors) == (0, 0), "{seen:?}");
            }
        }
    }
}

/// A SYN that nobody waits for draws one reset, which is segue's, and no ICMP error.
#[test]
fn a_port_without_listener_is_refused_once() {
    let mut lan = Lan::new(V4, small(2), 0, 1);
    let Station { interface, sockets, .. } = &mut lan.theirs;
    let socket = sockets.get_mut::<Socket<'_>>(lan.socket);
    socket.connect(interface.context(), (V4[0], 7), 49_152).expect("a closed socket");
    (0..50).for_each(|_| lan.turn(|_| ()));
    assert_eq!(lan.seen, Seen { tcp: 2, resets: 1, icmp_errors: 0, lost: 0 });
    assert_eq!(lan.theirs().state(), State::Closed);
}

/// Packets to an address that nobody has wait for it, and the others go on: those to an address that has to be asked for,
/// and those of a connection that is open.
#[test]
fn an_address_that_nobody_has_does_not_stop_the_others() {
    let mut lan = Lan::new(V4, EndpointConfig::default(), 0, 1);
    lan.theirs().listen(7).expect("a closed socket");
    let now = lan.now;
    let connect = |lan: &mut Lan, last| {
        lan.beside.tcp.connect(V4[0], SocketAddr::new([192, 0, 2, last].into(), 7), now).expect("there is room")
    };
    let (_, id) = (connect(&mut lan, 9), connect(&mut lan, 2));
    let mut connected = None;
    for _ in 0..5000 {
        let at = lan.now;
        lan.turn(|tcp| {
            while let Some(signal) = tcp.poll_signal() {
                connected = connected.or((signal == (id, Signal::Connected)).then_some(at));
            }
        });
    }
    let after = connected.expect("it connects").saturating_since(now);
    assert!(after < ms(2100), "{after:?}");
    let _ = connect(&mut lan, 10);
    let before = lan.seen.tcp;
    lan.turn(|_| ()); // both SYNs wait
    lan.beside.tcp.socket(id, lan.now).expect("it is open").write(b"hello").expect("it is open");
    lan.turn(|_| ());
    lan.turn(|_| ());
    assert_eq!((lan.theirs().recv_queue(), lan.seen.tcp > before), (5, true));
}
