//! TCP beside smoltcp's [`Interface`], for devices with Ethernet and for programs that also use its other sockets.
//!
//! The interface resolves addresses (ARP, NDISC), answers pings and has the routes. A raw socket takes all TCP packets out of
//! it, another one puts them into it. What a raw socket takes, the interface answers neither with an ICMP error nor with a
//! reset. Its set of sockets must have no `tcp::Socket`, which would get the same packets.
//!
//! For Ethernet, smoltcp needs its feature `medium-ethernet`. Its raw sockets write IP headers anew, without ECN marks: so
//! ECN is off.

use alloc::collections::VecDeque;
use alloc::vec;
use core::time::Duration;

use bytes::Bytes;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Keys};
use segue::ip::{self, Datagram};
use segue::{Arc, EcnMode, Instant};
use smoltcp::iface::{Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, TxToken};
use smoltcp::socket::raw::{PacketBuffer, PacketMetadata, Socket};
use smoltcp::wire::{IpProtocol, IpVersion, Ipv4Packet};

use crate::{format, time};

/// Packets that one call takes from the interface; more are lost, as packets may be.
const INBOX: usize = 32;
/// Packets that wait at most for room in the device, or for an address. They share their text with the send buffers.
const OUTBOX: usize = 256;
/// A packet waits no longer for the address of its next hop.
const PATIENCE: Duration = Duration::from_secs(3);
/// smoltcp asks for one address in this time, whoever else waits.
const ASKS_EACH: Duration = Duration::from_secs(1);

/// The connections beside an interface.
#[derive(Debug)]
pub struct Beside {
    pub tcp: Endpoint,
    inbox: SocketHandle,
    /// Has a packet only on its way to the device.
    exit: SocketHandle,
    mtu: usize,
    outbox: VecDeque<(Instant, PseudoHeader, Packet)>,
    /// When another packet was last put first, to have its address asked for.
    turned: Instant,
}

impl Beside {
    /// No connections yet. The device tells the MTU.
    pub fn new(device: &impl Device, sockets: &mut SocketSet<'_>, keys: Keys, config: EndpointConfig) -> Self {
        let mtu = device.capabilities().ip_mtu();
        let connection = config.connection.to_builder().ecn(EcnMode::Off).build().map_or(config.connection, Arc::new);
        let config = EndpointConfig { connection, mtu: mtu.try_into().unwrap_or(u16::MAX), ..config };
        let (inbox, exit) = (sockets.add(raw(INBOX, 0, mtu)), sockets.add(raw(0, 1, mtu)));
        Self { tcp: Endpoint::new(keys, config), inbox, exit, mtu, outbox: VecDeque::new(), turned: Instant::ZERO }
    }

    /// [`Interface::poll`] with TCP in it: what arrived, the timers, the user, and what they all have to send.
    pub fn poll(
        &mut self,
        interface: &mut Interface,
        device: &mut impl Device,
        sockets: &mut SocketSet<'_>,
        now: Instant,
        user: impl FnOnce(&mut Endpoint),
    ) {
        let Self { tcp, inbox, outbox, .. } = self;
        interface.poll(time(now), device, sockets);
        let inbox = sockets.get_mut::<Socket<'_>>(*inbox);
        let format = format(device.capabilities().checksum.tcp.rx());
        while let Ok(octets) = inbox.recv() {
            // Packets to other hosts are among them.
            let arrived = ip::decode(with_checksum(octets), format);
            if let Ok(Datagram::Tcp(ends, packet)) = arrived
                && interface.has_ip_addr(ends.dst())
            {
                tcp.receive(ends, packet, now);
            }
        }
        tcp.timers(now);
        user(tcp);
        tcp.flush(now, |ends, packet| {
            if outbox.len() < OUTBOX {
                outbox.push_back((now + PATIENCE, ends, packet)); // beyond, it is lost, as packets may be
            }
        });
        self.send(interface, device, sockets, now);
    }

    fn send(&mut self, interface: &mut Interface, device: &mut impl Device, sockets: &mut SocketSet<'_>, now: Instant) {
        let (at, format) = (time(now), format(device.capabilities().checksum.tcp.tx()));
        self.outbox.retain(|(until, ..)| *until > now);
        if now.saturating_since(self.turned) >= ASKS_EACH {
            self.turned = now;
            self.outbox.rotate_left(self.outbox.len().min(1));
        }
        for _ in 0..self.outbox.len() {
            if device.transmit(at).is_none() {
                return; // until it has room
            }
            let Some((until, ends, packet)) = self.outbox.pop_front() else { return };
            Room(sockets.get_mut(self.exit)).consume(ip::encoded_len(ends, &packet, format), |mut octets| {
                let _ = ip::encode(ends, &packet, format, &mut octets); // no segment of a connection is too long
            });
            interface.poll_egress(at, device, sockets);
            if sockets.get::<Socket<'_>>(self.exit).send_queue() > 0 {
                // The address is not known yet. A raw socket sends in order, and where nobody answers for the address, the
                // packet would stay its first for ever: so the others leave by a new one.
                sockets.remove(self.exit);
                self.exit = sockets.add(raw(0, 1, self.mtu));
                self.outbox.push_back((until, ends, packet));
            }
        }
    }

    /// When the next call is due although nothing arrives; [`Instant::ZERO`]: at once.
    pub fn next_deadline(&self, interface: &mut Interface, sockets: &SocketSet<'_>, now: Instant) -> Option<Instant> {
        let at = interface.poll_at(time(now), sockets);
        let at = at.map(|at| Instant::from_micros(at.total_micros().try_into().unwrap_or(0)));
        [self.tcp.next_deadline(), at].into_iter().flatten().min()
    }

    /// Whether packets wait: call again when the device has sent one.
    pub fn is_sending(&self) -> bool {
        !self.outbox.is_empty()
    }
}

fn raw(arriving: usize, leaving: usize, mtu: usize) -> Socket<'static> {
    let buffer = |packets| PacketBuffer::new(vec![PacketMetadata::EMPTY; packets], vec![0; packets * mtu]);
    Socket::new(None, Some(IpProtocol::Tcp), buffer(arriving), buffer(leaving))
}

/// The interface has checked the IP header; what it gives may have no checksum, if the device makes those.
fn with_checksum(octets: &[u8]) -> Bytes {
    let mut octets = octets.to_vec();
    if IpVersion::of_packet(&octets) == Ok(IpVersion::Ipv4) {
        Ipv4Packet::new_unchecked(&mut octets).fill_checksum();
    }
    octets.into()
}

/// Room for a packet in a raw socket.
struct Room<'a, 'b>(&'a mut Socket<'b>);

impl TxToken for Room<'_, '_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        match self.0.send(len) {
            Ok(octets) => f(octets),
            Err(_) => f(&mut vec![0; len]), // larger than the MTU: it is lost
        }
    }
}
