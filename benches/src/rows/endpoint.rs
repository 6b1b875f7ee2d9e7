//! The host layer, beside rows of the machine that do the same work: each packet is a turn of an endpoint with a look-up, the
//! user's signals and a flush.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use segue::Instant;
use segue::codec::{Packet, PseudoHeader};
use segue::host::{Endpoint, EndpointConfig, Id, Keys, Listen, ListenerId, Signal};

use super::machine::BURST;
use super::{Form, Row, row};
use crate::counted;
use crate::host::config;

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("Endpoint: whole path of a segment (send, receive, half an ACK)", Form::Value, whole_path),
        row("Endpoint: 64 octets there and back", Form::Value, ping_pong),
        row("Endpoint: life of a pair (open, 1 octet each way, close)", Form::Value, life),
    ]
}

/// Client (0) and server (1), and the packets on their way from each.
struct Pair {
    ends: [Endpoint; 2],
    ids: [Option<Id>; 2],
    listener: ListenerId,
    flying: [VecDeque<(PseudoHeader, Packet)>; 2],
    now: Instant,
    count: bool,
}

impl Pair {
    fn new() -> Self {
        let new =
            |key| Endpoint::new(Keys::new(key), EndpointConfig { connection: config(), ..EndpointConfig::default() });
        let mut ends = [new([1; 16]), new([2; 16])];
        let listener = ends[1].listen(Listen::port(443)).expect("nobody listens yet");
        let flying = [1024, 1024].map(VecDeque::with_capacity);
        Self { ends, ids: [None; 2], listener, flying, now: Instant::from_millis(1), count: false }
    }

    fn open(&mut self) {
        self.turn(0, |tcp, id, now| {
            *id = tcp.connect([198, 51, 100, 7].into(), ([192, 0, 2, 1], 443).into(), now).ok();
        });
        self.settle();
    }

    /// A turn of one side: `work`, what its user does, and the flush.
    fn turn(&mut self, side: usize, work: impl FnOnce(&mut Endpoint, &mut Option<Id>, Instant)) {
        let Self { ends, ids, listener, flying, now, count } = self;
        let (tcp, id, out, now) = (&mut ends[side], &mut ids[side], &mut flying[side], *now);
        let turn = || {
            work(tcp, id, now);
            tcp.timers(now);
            if side == 1 {
                *id = tcp.accept(*listener).or(*id);
            }
            while let Some((id, signal)) = tcp.poll_signal() {
                if let (Signal::Readable, Ok(mut socket)) = (signal, tcp.socket(id, now)) {
                    socket.chunks().for_each(drop);
                }
            }
            tcp.flush(now, |ends, packet| out.push_back((ends, packet)));
        };
        if *count { counted(turn) } else { turn() }
    }

    fn send(&mut self, side: usize, text: Bytes) {
        self.turn(side, move |tcp, id, now| {
            let mut text = text;
            let mut socket = tcp.socket(id.expect("it is open"), now).expect("it is open");
            socket.write_bytes(&mut text).expect("it is open");
        });
    }

    fn carry(&mut self, to: usize) {
        if let Some((ends, packet)) = self.flying[1 - to].pop_front() {
            self.turn(to, |tcp, _, now| {
                tcp.receive(ends, packet, now);
            });
        }
    }

    /// Until nothing is on its way and no acknowledgment is owed.
    fn settle(&mut self) {
        loop {
            while self.flying.iter().any(|packets| !packets.is_empty()) {
                self.now += Duration::from_micros(50);
                (0..2).for_each(|side| self.carry(side));
            }
            let soon = self.now + Duration::from_millis(50);
            let owed = |tcp: &Endpoint| tcp.next_deadline().filter(|at| *at <= soon);
            let Some(at) = self.ends.iter().filter_map(owed).min() else { return };
            self.now = self.now.max(at);
            (0..2).for_each(|side| self.turn(side, |_, _, _| ()));
        }
    }

    /// Open, and the congestion window of the client has room for a burst. Nothing of that is counted.
    fn established() -> Self {
        let mut pair = Self::new();
        pair.open();
        for _ in 0..100 {
            pair.send(0, BURST);
            pair.settle();
        }
        pair
    }
}

fn whole_path() -> u32 {
    let mut pair = Pair::established();
    pair.count = true;
    for _ in 0..32 {
        pair.send(0, BURST);
        assert_eq!(pair.flying[0].len(), 32, "all of it leaves");
        pair.settle();
    }
    32 * 32
}

fn ping_pong() -> u32 {
    let mut pair = Pair::established();
    pair.count = true;
    for _ in 0..500 {
        for side in 0..2 {
            pair.send(side, BURST.slice(..64));
            pair.now += Duration::from_micros(50);
            pair.carry(1 - side);
        }
    }
    500
}

fn life() -> u32 {
    let mut pair = Pair::new();
    pair.open();
    pair.count = true;
    for _ in 0..50 {
        pair.open();
        for side in 0..2 {
            pair.send(side, BURST.slice(..1));
            pair.now += Duration::from_micros(50);
            pair.carry(1 - side);
        }
        for side in 0..2 {
            pair.turn(side, |tcp, id, now| {
                tcp.socket(id.expect("it is open"), now).expect("it is open").close().expect("once");
            });
            pair.settle();
        }
    }
    assert_eq!(pair.ends.each_ref().map(Endpoint::len), [(1, 50), (1, 0)]);
    50
}
