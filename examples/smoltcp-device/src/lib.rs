//! A TCP host on a [`smoltcp::phy::Device`]: `no_std`, IPv4 and IPv6, no link layer ([`Medium::Ip`]).
//!
//! smoltcp has drivers for many network cards; segue has the connections. [`Host`] joins them: it is what a program needs
//! beside [`Endpoint`]. Copy it and change what your device needs.
//!
//! A program calls [`Host::poll`] when a frame arrived, when [`Host::next_deadline`] passed, when a user wants something,
//! and while [`Host::is_sending`] when the device has sent. The user acts within the call: so its reply carries the
//! acknowledgment, and the FIN goes on the last text.
//!
//! [`small`] are limits for a device with some tens of kilobytes; `firmware` beside this package is such a device.
//!
//! ICMP errors reach their connections, so one that nobody can reach fails early. Nothing answers a ping.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod beside;
pub mod ring;

use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use bytes::Bytes;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Keys};
use segue::ip::{self, Format, Offload};
use segue::{Arc, Config, Instant};
use smoltcp::phy::{Device, Medium, RxToken, TxToken};

/// Frames that one call of [`Host::poll`] takes: then it is the user's turn.
const FRAMES: usize = 32;

/// The connections of one device. All that is between the device and [`Endpoint`] is here.
#[derive(Debug)]
pub struct Host<D> {
    pub device: D,
    pub tcp: Endpoint,
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
        let tcp = Endpoint::new(keys, EndpointConfig { mtu, addresses, ..config });
        Self { device, tcp, busy: false }
    }

    /// One turn: what arrived, the timers, the user, and what they all have to send.
    pub fn poll(&mut self, now: Instant, user: impl FnOnce(&mut Endpoint)) {
        let Self { device, tcp, busy } = self;
        let format = format(device.capabilities().checksum.tcp.rx());
        *busy = (0..FRAMES).all(|_| {
            let Some((frame, _)) = device.receive(time(now)) else { return false };
            let _ = tcp.receive_ip(frame.consume(Bytes::copy_from_slice), format, now); // what is ignored is dropped
            true
        });
        tcp.timers(now);
        user(tcp);
        tcp.flush_while(now, |ends, packet| send(device, ends, packet, now).is_some());
    }

    /// When the next call is due although nothing arrives; [`Instant::ZERO`]: at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.busy { Some(Instant::ZERO) } else { self.tcp.next_deadline() }
    }

    /// Whether packets wait until the device has room: call again when it has sent one.
    pub fn is_sending(&self) -> bool {
        self.tcp.wants_flush()
    }
}

/// Sends a packet; `None`: the device has no room.
pub fn send(device: &mut impl Device, ends: PseudoHeader, packet: &Packet, now: Instant) -> Option<()> {
    let format = format(device.capabilities().checksum.tcp.tx());
    device.transmit(time(now))?.consume(ip::encoded_len(ends, packet, format), |mut octets| {
        let _ = ip::encode(ends, packet, format, &mut octets); // no segment of a connection is too long
    });
    Some(())
}

/// How datagrams look where somebody computes TCP's checksum: we, or the device.
fn format(we_do: bool) -> Format {
    Format { offload: if we_do { Offload::None } else { Offload::Checksum }, ..Format::default() }
}

/// The clock of the device.
pub fn time(now: Instant) -> smoltcp::time::Instant {
    smoltcp::time::Instant::from_micros(i64::try_from(now.as_micros()).unwrap_or(i64::MAX))
}

/// Octets that [`small`] allows a connection, its buffers included.
pub const CONNECTION: usize = 16 * 1024;

/// Limits for a small device: at most `connections` of [`CONNECTION`] octets each, and as many in TIME-WAIT, which take about
/// 190 octets each.
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
        answers: 64,
        ..EndpointConfig::default()
    }
}
