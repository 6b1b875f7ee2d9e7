//! The host by itself: a device with little room, frames that are not for it, and many frames at once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use segue::Instant;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen, OpenError, Signal};
use segue::ip::{self, Datagram, Format};
use segue_smoltcp_device::ring::{Port, link};
use segue_smoltcp_device::{CONNECTION, Host, send, small, time};
use smoltcp::phy::{Device, RxToken, TxToken};

const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const NOW: Instant = Instant::from_millis(1);

fn host<const N: usize>(port: Port<N, 1500>, address: IpAddr, config: EndpointConfig) -> Host<Port<N, 1500>> {
    Host::new(port, vec![address], Keys::new(*b"drawn at startup"), config)
}

fn retransmitted(tcp: &mut Endpoint, id: Id) -> u64 {
    tcp.socket(id, NOW).expect("it is open").info().expect("it is open").counters.retransmissions
}

/// A packet as octets.
fn octets_of(ends: PseudoHeader, packet: &Packet) -> Vec<u8> {
    let [mut there, mut here] = link::<1, 1500>();
    send(&mut there, ends, packet, NOW).expect("there is room");
    here.receive(time(NOW)).expect("a frame").0.consume(<[u8]>::to_vec)
}

/// The device has room for two frames, the first window for ten. Nothing gets lost, and no time passes.
#[test]
fn what_the_device_has_no_room_for_waits() {
    let [a, b] = link::<2, 1500>();
    let mut client = host(a, CLIENT, EndpointConfig::default());
    let mut server = host(b, SERVER, EndpointConfig::default());
    let listener = server.tcp.listen(Listen::port(7)).expect("nobody listens yet");
    let id = client.tcp.connect(CLIENT, SocketAddr::new(SERVER, 7), NOW).expect("there is room");
    let (mut waited, mut read, mut accepted) = (false, 0, None);
    for _ in 0..50 {
        client.poll(NOW, |tcp| {
            if tcp.poll_signal() == Some((id, Signal::Connected)) {
                assert_eq!(tcp.socket(id, NOW).expect("it is open").write(&[7; 14_000]), Ok(14_000));
            }
        });
        waited |= client.is_sending();
        server.poll(NOW, |tcp| {
            accepted = accepted.or_else(|| tcp.accept(listener));
            if let Some(Ok(mut socket)) = accepted.map(|id| tcp.socket(id, NOW)) {
                read += socket.chunks().map(|text| text.len()).sum::<usize>();
            }
        });
    }
    assert_eq!((waited, read), (true, 14_000));
    assert_eq!(retransmitted(&mut client.tcp, id), 0);
}

/// A SYN for another host draws no reset, a damaged one neither; one for this host does: nobody listens.
#[test]
fn frames_for_others_and_damaged_ones_are_dropped() {
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
    for (to, damage, answers) in [(SERVER, false, true), (other, false, false), (SERVER, true, false)] {
        let [mut a, b] = link::<2, 1500>();
        let mut server = host(b, SERVER, small(1));
        let ends = PseudoHeader::new(CLIENT, to).expect("one version");
        let mut packet = Packet { src_port: 49_152, dst_port: 7, ..Packet::default() };
        packet.segment.flags = segue::Flags::SYN;
        let mut octets = octets_of(ends, &packet);
        octets[35] ^= u8::from(damage); // one bit of the window
        let token = a.transmit(time(NOW)).expect("there is room");
        token.consume(octets.len(), |frame| frame.copy_from_slice(&octets));
        server.poll(NOW, |_| ());
        let answer = a.receive(time(NOW)).map(|(frame, _)| frame.consume(Bytes::copy_from_slice));
        let reset = answer.map(|answer| match ip::decode(answer, Format::default()) {
            Ok(Datagram::Tcp(_, packet)) => packet.segment.flags,
            other => panic!("it is whole: {other:?}"),
        });
        assert_eq!(reset, answers.then_some(segue::Flags::RST | segue::Flags::ACK), "{to} {damage}");
    }
}

/// A host with much to receive lets its user act between, and asks to be called again at once.
#[test]
fn a_burst_of_frames_is_taken_in_parts() {
    let [mut a, b] = link::<40, 1500>();
    let mut server = host(b, SERVER, small(1));
    let ends = PseudoHeader::new(CLIENT, SERVER).expect("one version");
    for n in 1..=40 {
        let packet = Packet { src_port: n, dst_port: 7, ..Packet::default() };
        send(&mut a, ends, &packet, NOW).expect("there is room");
    }
    server.poll(NOW, |_| ());
    assert_eq!((server.next_deadline(), server.device.has_arrived()), (Some(Instant::ZERO), true));
    server.poll(NOW, |_| ());
    assert_eq!((server.next_deadline(), server.device.has_arrived()), (None, false));
}

/// The limits of `small` are those that it tells: the connections come about, and no further one.
#[test]
fn small_has_memory_for_its_connections_and_no_more() {
    let [a, _] = link::<40, 1500>();
    let mut client = host(a, CLIENT, small(3));
    let mut connect = || client.tcp.connect(CLIENT, SocketAddr::new(SERVER, 7), NOW);
    assert!((0..3).all(|_| connect().is_ok()));
    assert_eq!(connect(), Err(OpenError::Full));
    assert!(client.tcp.memory() <= 3 * CONNECTION, "{}", client.tcp.memory());
    println!("{} octets for each connection", client.tcp.memory() / 3);
}
