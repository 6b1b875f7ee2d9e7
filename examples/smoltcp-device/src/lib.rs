//! A TCP host on a [`smoltcp::phy::Device`]: `no_std`, IPv4 and IPv6, no link layer ([`Medium::Ip`]).
//!
//! smoltcp has drivers for many network cards and a good `wire` module; segue has the connections. [`Host`] joins them: it
//! is what a program needs beside [`Endpoint`]. Copy it and change what your device needs.
//!
//! A program calls [`Host::poll`] when a frame arrived, when [`Host::next_deadline`] passed, when a user wants something,
//! and while [`Host::is_sending`] when the device has sent. The user acts within the call: so its reply carries the
//! acknowledgment, and the FIN goes on the last text.
//!
//! [`small`] are limits for a device with some tens of kilobytes; `firmware` beside this package is such a device.
//!
//! ICMP is left out: who wants errors to end a connection early hands them to [`Endpoint::icmp`]. Without them, the
//! connection finds the MTU of its path by itself (feature `path-mtu`).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod beside;
pub mod ip;
pub mod ring;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Keys};
use segue::{Arc, Config, Instant};
use smoltcp::phy::{Device, Medium, RxToken};

/// Frames that one call of [`Host::poll`] takes: then it is the user's turn.
const FRAMES: usize = 32;
/// Packets that wait at most until the device has room. They share their text with the send buffers.
const OUTBOX: usize = 64;

/// The connections of one device. All that is between the device and [`Endpoint`] is here and in [`ip`].
#[derive(Debug)]
pub struct Host<D> {
    pub device: D,
    pub tcp: Endpoint,
    addresses: Vec<IpAddr>,
    /// Packets that the device had no room for.
    outbox: VecDeque<(PseudoHeader, Packet)>,
    /// More frames may wait than the last call took.
    busy: bool,
}

impl<D: Device> Host<D> {
    /// A host with these addresses. The device tells the MTU.
    ///
    /// # Panics
    /// On a device with a link layer: resolve the addresses between such a device and this host.
    pub fn new(device: D, addresses: Vec<IpAddr>, keys: Keys, config: EndpointConfig) -> Self {
        assert_eq!(device.capabilities().medium, Medium::Ip, "the host speaks IP, and no protocol below");
        let mtu = device.capabilities().ip_mtu().try_into().unwrap_or(u16::MAX);
        let tcp = Endpoint::new(keys, EndpointConfig { mtu, ..config });
        Self { device, tcp, addresses, outbox: VecDeque::new(), busy: false }
    }

    /// One turn: what arrived, the timers, the user, and what they all have to send.
    pub fn poll(&mut self, now: Instant, user: impl FnOnce(&mut Endpoint)) {
        let Self { device, tcp, addresses, outbox, busy } = self;
        let (at, checks) = (ip::time(now), device.capabilities().checksum);
        *busy = (0..FRAMES).all(|_| {
            let Some((frame, _)) = device.receive(at) else { return false };
            let arrived = frame.consume(|octets| ip::decode(octets, &checks));
            if let Some((ends, packet)) = arrived.filter(|(ends, _)| addresses.contains(&ends.dst())) {
                tcp.receive(ends, packet, now);
            }
            true
        });
        tcp.timers(now);
        user(tcp);
        let mut send = |ends, packet: &_| device.transmit(at).map(|token| ip::encode(ends, packet, &checks, token));
        while outbox.front().is_some_and(|(ends, packet)| send(*ends, packet).is_some()) {
            outbox.pop_front();
        }
        tcp.flush(now, |ends, packet| {
            if (!outbox.is_empty() || send(ends, &packet).is_none()) && outbox.len() < OUTBOX {
                outbox.push_back((ends, packet)); // beyond, it is lost, as packets may be
            }
        });
    }

    /// When the next call is due although nothing arrives; [`Instant::ZERO`]: at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.busy { Some(Instant::ZERO) } else { self.tcp.next_deadline() }
    }

    /// Whether packets wait until the device has room: call again when it has sent one.
    pub fn is_sending(&self) -> bool {
        !self.outbox.is_empty()
    }
}

/// Octets that [`small`] allows a connection, its buffers included.
pub const CONNECTION: usize = 16 * 1024;

/// Limits for a small device: so many connections of [`CONNECTION`] octets at most, and 64 octets for each that is in
/// TIME-WAIT, of which there are as many.
///
/// Send and receive buffer hold 4 KB each. A receive window counts twice, since text out of order may pin its frames.
/// TIME-WAIT lasts 10 s, which is enough on a link without detours; RFC 9293 says 4 minutes.
pub fn small(connections: usize) -> EndpointConfig {
    let config = Config::builder().receive_buffer(4096).send_buffer(4096).msl(Duration::from_secs(5)).build();
    EndpointConfig {
        connection: Arc::new(config.unwrap_or_default()),
        connections,
        time_wait: connections,
        memory: connections * CONNECTION,
        answers: 16,
        ..EndpointConfig::default()
    }
}
