//! smoltcp's socket and interface as a subject, in virtual time.

use std::collections::VecDeque;
use std::time::Duration;

use segue::Segment;
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken};
use smoltcp::socket::tcp::{RecvError, Socket, SocketBuffer, State};
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

use crate::datagram::{SUBJECT, TESTER, from_subject, to_subject};
use crate::subject::{Out, RECEIVE_BUFFER, Subject};
use crate::tester::SENT;
use crate::word::{Call, Due};

/// No deadline of smoltcp lies further away.
const LONG: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Card {
    arrived: VecDeque<Vec<u8>>,
    sent: Vec<Vec<u8>>,
}

struct Read(Vec<u8>);
struct Write<'a>(&'a mut Vec<Vec<u8>>);

impl RxToken for Read {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl TxToken for Write<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, f: F) -> R {
        let mut octets = vec![0; len];
        let result = f(&mut octets);
        self.0.push(octets);
        result
    }
}

impl Device for Card {
    type RxToken<'a> = Read;
    type TxToken<'a> = Write<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Read, Write<'_>)> {
        let octets = self.arrived.pop_front()?;
        Some((Read(octets), Write(&mut self.sent)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Write<'_>> {
        Some(Write(&mut self.sent))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ip;
        capabilities.max_transmission_unit = 1500;
        capabilities
    }
}

pub struct Smoltcp {
    card: Card,
    interface: Interface,
    sockets: SocketSet<'static>,
    socket: SocketHandle,
    now: Instant,
    /// What the user was told.
    peer_closed: bool,
}

impl Default for Smoltcp {
    fn default() -> Self {
        let now = Instant::from_secs(1);
        let mut card = Card::default();
        let mut interface = Interface::new(Config::new(HardwareAddress::Ip), &mut card, now);
        interface.update_ip_addrs(|all| all.push(IpCidr::new(IpAddress::Ipv4(SUBJECT.0), 24)).expect("room for one"));
        let mut sockets = SocketSet::new(Vec::new());
        let socket = sockets.add(socket());
        Self { card, interface, sockets, socket, now, peer_closed: false }
    }
}

fn socket() -> Socket<'static> {
    let buffer = || SocketBuffer::new(vec![0; RECEIVE_BUFFER as usize]);
    let mut socket = Socket::new(buffer(), buffer());
    socket.set_ack_delay(None); // as segue here: at once
    socket
}

impl Smoltcp {
    fn tcp(&mut self) -> &mut Socket<'static> {
        self.sockets.get_mut(self.socket)
    }

    /// Lets the interface work; the user takes what there is.
    fn work(&mut self, state: State, queued: usize) -> Vec<Out> {
        self.work_after(state, queued, false)
    }

    fn work_after(&mut self, state: State, queued: usize, called: bool) -> Vec<Out> {
        let mut seen = Vec::new();
        self.interface.poll(self.now, &mut self.card, &mut self.sockets);
        let mut delivered = 0;
        let tcp = self.sockets.get_mut::<Socket<'_>>(self.socket);
        while tcp.can_recv() {
            delivered += tcp.recv(|text| (text.len(), text.len())).expect("there is text");
        }
        let ended = tcp.recv_slice(&mut [0]) == Err(RecvError::Finished);
        let after = tcp.state();
        let left = tcp.send_queue();
        self.interface.poll(self.now, &mut self.card, &mut self.sockets);
        // CLOSE leads from SYN-RECEIVED to FIN-WAIT-1: that is not news of the peer.
        let opened = !synchronized(state) && synchronized(after) && !called;
        seen.extend(opened.then_some(Out::Connected));
        seen.extend((delivered > 0).then_some(Out::Delivered(delivered)));
        seen.extend((ended && !self.peer_closed && after != State::Closed).then_some(Out::PeerClosed));
        self.peer_closed = ended;
        seen.extend((left < queued && after != State::Closed).then(|| Out::Acked(queued - left)));
        let sent = self.card.sent.drain(..).filter_map(from_subject);
        seen.extend(sent.map(|(_, segment)| Out::Sent(segment)));
        seen.extend((state == State::SynReceived && after == State::Listen).then_some(Out::BackToListen));
        seen.extend((state != State::Closed && after == State::Closed).then(|| Out::Closed(String::new())));
        seen
    }

    fn facts(&mut self) -> (State, usize) {
        let tcp = self.tcp();
        (tcp.state(), tcp.send_queue())
    }

    /// Time goes on, from one of smoltcp's deadlines to the next, until `enough`.
    fn until(&mut self, limit: Duration, enough: impl Fn(&[Out]) -> bool) -> Vec<Out> {
        let end = self.now + limit.into();
        let mut seen = Vec::new();
        while let Some(at) = self.interface.poll_at(self.now, &self.sockets).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            let (state, queued) = self.facts();
            seen.extend(self.work(state, queued));
            if enough(&seen) {
                return seen;
            }
        }
        self.now = end;
        seen
    }
}

fn synchronized(state: State) -> bool {
    !matches!(state, State::Closed | State::Listen | State::SynSent | State::SynReceived)
}

impl Subject for Smoltcp {
    fn open(&mut self, call: Call, _: Option<&Segment>) -> Vec<Out> {
        let (fresh, interface) = (socket(), &mut self.interface);
        let tcp = self.sockets.get_mut::<Socket<'_>>(self.socket);
        *tcp = fresh;
        self.peer_closed = false;
        match call {
            Call::Connect => {
                tcp.connect(interface.context(), (TESTER.0, TESTER.1), SUBJECT.1).expect("a closed socket");
            }
            _ => tcp.listen(SUBJECT.1).expect("a closed socket"),
        }
        let state = tcp.state();
        self.work(state, 0)
    }

    fn call(&mut self, call: Call) -> Vec<Out> {
        let (state, queued) = self.facts();
        let tcp = self.tcp();
        match call {
            Call::Send => {
                let sent = tcp.send_slice(&[b'o'; SENT]).unwrap_or(0);
                return self.work(state, queued + sent);
            }
            Call::Close | Call::Release => tcp.close(),
            Call::Abort => tcp.abort(),
            Call::Connect | Call::Listen | Call::Accept | Call::Rearm => {}
        }
        self.work_after(state, queued, true)
    }

    fn segment(&mut self, segment: &Segment) -> Vec<Out> {
        let (state, queued) = self.facts();
        self.card.arrived.push_back(to_subject(segment, SUBJECT.1));
        self.work(state, queued)
    }

    fn due(&mut self, due: Due) -> Vec<Out> {
        let state = self.facts().0;
        match due {
            Due::Retransmission if state == State::TimeWait => Vec::new(),
            Due::Retransmission => self.until(LONG, |seen| seen.iter().any(|out| matches!(out, Out::Sent(_)))),
            Due::TimeWait if state == State::TimeWait => self.until(LONG, |_| false),
            Due::TimeWait | Due::KeepAlive | Due::FinWait2 | Due::UserTimeout => Vec::new(),
        }
    }

    fn state(&self) -> Option<segue::State> {
        Some(match self.sockets.get::<Socket<'_>>(self.socket).state() {
            State::Closed => segue::State::Closed,
            State::Listen => segue::State::Listen,
            State::SynSent => segue::State::SynSent,
            State::SynReceived => segue::State::SynReceived,
            State::Established => segue::State::Established,
            State::FinWait1 => segue::State::FinWait1,
            State::FinWait2 => segue::State::FinWait2,
            State::CloseWait => segue::State::CloseWait,
            State::Closing => segue::State::Closing,
            State::LastAck => segue::State::LastAck,
            State::TimeWait => segue::State::TimeWait,
        })
    }

    fn pass(&mut self, time: Duration) -> Vec<Out> {
        self.until(time, |_| false)
    }
}
