//! The same HTTP server on smoltcp's sockets: a socket for each client, and some that listen meanwhile.
//!
//! As a careful user of smoltcp writes it: the device reads and writes buffers that are used again; a turn takes all packets
//! that wait, serves the sockets, and lets them send once; nothing waits busily; a socket whose connection is over listens
//! again at once, without TIME-WAIT. smoltcp looks at each of its sockets for a packet, so there are no more than needed.

use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::time::Instant as Clock;

use bytes::Bytes;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use segue_tun::device::{HOST, KERNEL_V4, KERNEL_V6};
use segue_tun_http::http::octet;
use segue_tun_http::message::{self, Body};
use smoltcp::iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{Socket, SocketBuffer, State};
use smoltcp::time::{Duration, Instant};
use smoltcp::wire::{HardwareAddress, IpCidr};
use tun_rs::SyncDevice;

use crate::say;

const MTU: u16 = 1500;
const PORT: u16 = 80;
/// As in `examples/tun-http`.
const BATCH: usize = 256;
const QUEUE: u32 = 10_000;
const RECEIVE: usize = 16_384;
const SEND: usize = 65_536;
const IDLE: Duration = Duration::from_secs(60);
const BLOCK: u64 = 65_536;

/// The device: what arrived last, and what leaves.
struct Tun {
    device: SyncDevice,
    arrived: Vec<u8>,
    leaving: Vec<u8>,
}

struct Read<'a>(&'a [u8]);

impl RxToken for Read<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

struct Write<'a>(&'a SyncDevice, &'a mut Vec<u8>);

impl TxToken for Write<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        // smoltcp writes each octet of the packet.
        if self.1.len() < len {
            self.1.resize(len, 0);
        }
        let packet = &mut self.1[..len];
        let result = f(packet);
        let _ = self.0.send(packet); // without room it is lost, as packets may be
        result
    }
}

impl Device for Tun {
    type RxToken<'a> = Read<'a>;
    type TxToken<'a> = Write<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Read<'_>, Write<'_>)> {
        let length = self.device.recv(&mut self.arrived).ok()?;
        Some((Read(&self.arrived[..length]), Write(&self.device, &mut self.leaving)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Write<'_>> {
        Some(Write(&self.device, &mut self.leaving))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = usize::from(MTU);
        capabilities
    }
}

/// One socket and what its connection still has to say.
struct Peer {
    socket: SocketHandle,
    /// What was read and not understood, where a request came in parts.
    input: Vec<u8>,
    head: Vec<u8>,
    written: usize,
    body: std::ops::Range<u64>,
    last: bool,
}

/// Serves until it is killed.
pub(crate) fn serve(device: &str, sockets: usize) -> io::Result<()> {
    let device = segue_tun::device::open(device, MTU, KERNEL_V4, KERNEL_V6)?;
    device.set_nonblocking(true)?;
    device.set_tx_queue_len(QUEUE)?;
    let mut tun = Tun { device, arrived: vec![0; usize::from(MTU)], leaving: Vec::new() };
    let begin = Clock::now();
    let clock = || Instant::from_micros(i64::try_from(begin.elapsed().as_micros()).unwrap_or(i64::MAX));
    let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut tun, clock());
    interface.update_ip_addrs(|addresses| {
        let [v4, v6] = HOST;
        for cidr in [IpCidr::new(v4.into(), 24), IpCidr::new(v6.into(), 64)] {
            addresses.push(cidr).expect("room for two");
        }
    });
    let _ = interface.routes_mut().add_default_ipv4_route(KERNEL_V4);
    let mut set = SocketSet::new(Vec::with_capacity(sockets));
    let mut peers: Vec<_> = (0..sockets).map(|_| Peer::new(&mut set)).collect();
    let block: Bytes = (0..BLOCK).map(octet).collect();
    let (mut poll, mut events, mut drained) = (Poll::new()?, Events::with_capacity(16), true);
    poll.registry().register(&mut SourceFd(&tun.device.as_raw_fd()), Token(0), Interest::READABLE)?;
    say("smoltcp: http://192.0.2.2:80/; end with Ctrl-C")?;
    loop {
        let wait = if drained { interface.poll_delay(clock(), &set) } else { Some(Duration::ZERO) };
        match poll.poll(&mut events, wait.map(Into::into)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let now = clock();
        drained = false;
        let mut news = false;
        // The last acknowledgment of these left in the turn before.
        peers.iter_mut().for_each(|peer| peer.listen_again(set.get_mut(peer.socket)));
        for _ in 0..BATCH {
            match interface.poll_ingress_single(now, &mut tun, &mut set) {
                PollIngressSingleResult::None => {
                    drained = true;
                    break;
                }
                PollIngressSingleResult::PacketProcessed => {}
                PollIngressSingleResult::SocketStateChanged => news = true,
            }
        }
        if news {
            peers.iter_mut().for_each(|peer| peer.serve(set.get_mut(peer.socket), &block));
        }
        // A call sends one packet of each socket.
        while interface.poll_egress(now, &mut tun, &mut set) == PollResult::SocketStateChanged {
            peers.iter_mut().for_each(|peer| peer.serve(set.get_mut(peer.socket), &block));
        }
    }
}

impl Peer {
    fn new(set: &mut SocketSet<'_>) -> Self {
        let buffer = |octets| SocketBuffer::new(vec![0; octets]);
        let mut socket = Socket::new(buffer(RECEIVE), buffer(SEND));
        socket.set_timeout(Some(IDLE));
        socket.set_nagle_enabled(false);
        socket.listen(PORT).expect("a new socket");
        let (input, head, written) = (Vec::new(), Vec::new(), 0);
        Self { socket: set.add(socket), input, head, written, body: 0..0, last: false }
    }

    /// What is over listens again.
    fn listen_again(&mut self, socket: &mut Socket<'_>) {
        if matches!(socket.state(), State::Closed | State::TimeWait) {
            socket.abort(); // from TIME-WAIT without a word, as it listens again at once
            let _ = socket.listen(PORT);
            self.input.clear();
            self.head.clear();
            (self.written, self.body, self.last) = (0, 0..0, false);
        }
    }

    /// Writes, understands and reads by turns, until the peer has to do something.
    fn serve(&mut self, socket: &mut Socket<'_>, block: &Bytes) {
        match socket.state() {
            State::Closed
            | State::Listen
            | State::SynSent
            | State::SynReceived
            | State::LastAck
            | State::Closing
            | State::TimeWait => return,
            State::FinWait1 | State::FinWait2 => {
                if socket.can_recv() {
                    let _ = socket.recv(|text| (text.len(), ()));
                }
                return;
            }
            State::Established | State::CloseWait => {}
        }
        while self.write(socket, block) {
            if self.last {
                return socket.close();
            }
            if !self.understand(socket) {
                if !socket.may_recv() {
                    socket.close();
                }
                return;
            }
        }
    }

    /// Writes what is to be written; whether all of it was.
    fn write(&mut self, socket: &mut Socket<'_>, block: &Bytes) -> bool {
        if self.written < self.head.len() {
            self.written += socket.send_slice(&self.head[self.written..]).unwrap_or(0);
            if self.written < self.head.len() {
                return false;
            }
        }
        while !self.body.is_empty() {
            let from = usize::try_from(self.body.start % BLOCK).unwrap_or(0);
            let left = usize::try_from(self.body.end - self.body.start).unwrap_or(usize::MAX);
            let taken = socket.send_slice(&block[from..block.len().min(from.saturating_add(left))]).unwrap_or(0);
            if taken == 0 {
                return false;
            }
            self.body.start += u64::try_from(taken).unwrap_or(0);
        }
        true
    }

    /// Takes a request; whether there was one. A whole one is not copied.
    fn understand(&mut self, socket: &mut Socket<'_>) -> bool {
        if !socket.can_recv() && self.input.is_empty() {
            return false;
        }
        let asked = if self.input.is_empty() {
            let whole = socket.recv(|text| match message::understand(text) {
                Some((asked, octets)) => (octets, Some(asked)),
                None => {
                    self.input.extend_from_slice(text);
                    (text.len(), None)
                }
            });
            whole.ok().flatten()
        } else {
            let _ = socket.recv(|text| {
                self.input.extend_from_slice(text);
                (text.len(), ())
            });
            message::understand(&self.input).map(|(asked, octets)| {
                self.input.drain(..octets);
                asked
            })
        };
        let Some(asked) = asked else { return false };
        self.head.clear();
        self.written = 0;
        message::answer(&asked, &mut self.head);
        if let Body::Octets(octets) = asked.body {
            self.body = if asked.head_only { 0..0 } else { 0..octets };
        }
        self.last = !asked.keep;
        true
    }
}
