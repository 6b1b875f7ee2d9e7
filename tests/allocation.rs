//! In the sink form, steady traffic allocates nothing per segment. The allocator of this test binary counts, per thread.

use core::time::Duration;
use std::collections::VecDeque;

use allocation_counter::measure;
use bytes::Bytes;
use segue::{
    Action, Arc, Config, Connection, Event, Flags, Instant, Options, Path, Secrets, Segment, SeqNum, Timestamps,
};

/// Large enough that slices of it serve every SEND; a static `Bytes` is cloned and sliced without allocation.
static TEXT: [u8; 1 << 16] = [0x5A; 1 << 16];
const MSS: u32 = 1448;
const TICK: Duration = Duration::from_micros(100);

fn text(octets: u32) -> Bytes {
    Bytes::from_static(&TEXT).slice(..usize::try_from(octets).unwrap())
}

/// A connection and what a thrifty host keeps: queues with room, no `Vec` per call.
struct Side {
    connection: Connection,
    received: usize,
}

impl Side {
    /// One event; what it transmits goes to `wire`. The text is consumed at once.
    fn handle(&mut self, event: Event, now: Instant, wire: &mut VecDeque<Segment>) {
        let mut delivered = 0;
        self.connection
            .handle(event, now, &mut |action| match action {
                Action::Transmit(segment) => wire.push_back(segment),
                Action::Deliver(text) => delivered += text.len(),
                Action::Closed(reason) => panic!("{reason}"),
                _ => {}
            })
            .unwrap();
        if delivered > 0 {
            self.received += delivered;
            self.handle(Event::Consume(delivered), now, wire);
        }
    }

    fn run_timers(&mut self, now: Instant, wire: &mut VecDeque<Segment>) {
        while let Some((timer, _)) = self.connection.next_deadline().filter(|&(_, at)| at <= now) {
            self.handle(Event::Timer(timer), now, wire);
        }
    }
}

/// Two connections, and the segments on their way, each way.
struct Pair {
    sides: [Side; 2],
    wires: [VecDeque<Segment>; 2],
    now: Instant,
}

impl Pair {
    fn new() -> Self {
        let config = Arc::new(Config::default());
        let path = Path::ipv4(1500);
        let now = Instant::from_millis(1);
        let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
        let (client, actions) = Connection::connect(config.clone(), path, secrets(100), now);
        let syn = actions.into_iter().find_map(|a| if let Action::Transmit(s) = a { Some(s) } else { None }).unwrap();
        let (server, actions) = Connection::accept(config, path, secrets(300), syn, now);
        let mut pair = Self {
            sides: [client, server].map(|connection| Side { connection, received: 0 }),
            wires: [VecDeque::with_capacity(4096), VecDeque::with_capacity(4096)],
            now,
        };
        let transmitted = actions.into_iter().filter_map(|a| if let Action::Transmit(s) = a { Some(s) } else { None });
        pair.wires[1].extend(transmitted);
        pair.settle();
        pair
    }

    /// Carries segments until both wires are empty.
    fn settle(&mut self) {
        while self.wires.iter().any(|wire| !wire.is_empty()) {
            self.now += TICK;
            for from in 0..2 {
                if let Some(segment) = self.wires[from].pop_front() {
                    let to = 1 - from;
                    self.sides[to].handle(Event::Segment(segment), self.now, &mut self.wires[to]);
                    self.sides[to].run_timers(self.now, &mut self.wires[to]);
                }
            }
        }
    }

    fn send(&mut self, side: usize, text: Bytes) {
        let (sides, wires) = (&mut self.sides, &mut self.wires);
        sides[side].handle(Event::Send(text), self.now, &mut wires[side]);
    }
}

#[test]
fn the_counter_counts() {
    let mut pair = Pair::new();
    let info = pair.sides[1].connection.info();
    let segment = Segment {
        seq: info.rcv_nxt,
        ack: info.snd_nxt,
        flags: Flags::ACK,
        window: 65_535,
        options: Options { timestamps: Some(Timestamps { value: 1, echo: 0 }), ..Options::default() },
        payload: text(MSS),
        ..Segment::default()
    };
    let now = pair.now;
    let counted = measure(|| drop(pair.sides[1].connection.handle_segment(segment, now)));
    assert!(counted.count_total >= 1, "the form that returns a Vec allocates one");
}

#[test]
fn bulk_receive_allocates_nothing() {
    let mut pair = Pair::new();
    let info = pair.sides[1].connection.info();
    let (mut seq, ack) = (info.rcv_nxt, info.snd_nxt);
    let [_, server] = &mut pair.sides;
    let [_, wire] = &mut pair.wires;
    let mut now = pair.now;
    let mut receive = |segments: u32| {
        for _ in 0..segments {
            now += TICK;
            let value = u32::try_from(now.as_micros() / 1000).unwrap();
            let options = Options { timestamps: Some(Timestamps { value, echo: 1 }), ..Options::default() };
            let (flags, payload) = (Flags::ACK, text(MSS));
            let segment = Segment { seq, ack, flags, window: 65_535, options, payload, ..Segment::default() };
            seq += MSS;
            server.handle(Event::Segment(segment), now, wire);
            server.run_timers(now, wire);
            wire.clear();
        }
    };
    receive(100);
    let counted = measure(|| receive(1000));
    assert_eq!(counted.count_total, 0);
    assert_eq!(server.received, 1100 * usize::try_from(MSS).unwrap());
}

#[test]
fn bulk_transfer_allocates_nothing() {
    let mut pair = Pair::new();
    let mut transfer = |blocks: u32| {
        for _ in 0..blocks {
            pair.send(0, Bytes::from_static(&TEXT));
            pair.settle();
        }
        pair.sides[1].received
    };
    transfer(16);
    let mut received = 0;
    let counted = measure(|| received = transfer(64));
    assert_eq!(counted.count_total, 0);
    assert_eq!(received, 80 * TEXT.len());
}

/// A sender whose queue never runs dry: SEND of so many octets whenever they fit, and ACKs that each take off one segment and let
/// others go. Returns what 1000 of them allocate, and how many SENDs there were meanwhile.
fn allocations_of_acknowledgments(octets: u32) -> (u64, u64) {
    let mut pair = Pair::new();
    let [client, _] = &mut pair.sides;
    let [wire, _] = &mut pair.wires;
    let mut now = pair.now;
    let mut send_and_acknowledge = |segments: u32| {
        let mut sends = 0;
        for _ in 0..segments {
            now += TICK;
            if client.connection.send_room() >= TEXT.len() {
                client.handle(Event::Send(text(octets)), now, wire);
                sends += 1;
            }
            wire.clear();
            // Our timestamp clock is the host's, without offset.
            let millis = u32::try_from(now.as_micros() / 1000).unwrap();
            let options =
                Options { timestamps: Some(Timestamps { value: millis, echo: millis }), ..Options::default() };
            let info = client.connection.info();
            let (seq, ack) = (info.rcv_nxt, info.snd_una + MSS);
            let segment = Segment { seq, ack, flags: Flags::ACK, window: 65_535, options, ..Segment::default() };
            client.handle(Event::Segment(segment), now, wire);
        }
        sends
    };
    send_and_acknowledge(200);
    let mut sends = 0;
    let counted = measure(|| sends = send_and_acknowledge(1000));
    assert!(client.connection.info().counters.octets_acked >= u64::from(1000 * MSS));
    (counted.count_total, sends)
}

#[test]
fn acknowledgments_allocate_nothing() {
    assert_eq!(allocations_of_acknowledgments(45 * MSS).0, 0);
}

#[test]
fn a_segment_across_two_sends_is_copied_once() {
    let (allocations, sends) = allocations_of_acknowledgments(45 * MSS + 1);
    assert!(allocations <= sends && sends > 10, "{allocations} allocations for {sends} sends");
}

#[test]
fn ping_pong_allocates_nothing() {
    let mut pair = Pair::new();
    let mut rally = |rounds: u32| {
        for _ in 0..rounds {
            for side in 0..2 {
                pair.send(side, text(100));
                pair.settle();
            }
        }
        [pair.sides[0].received, pair.sides[1].received]
    };
    rally(20);
    let mut received = [0; 2];
    let counted = measure(|| received = rally(200));
    assert_eq!(counted.count_total, 0);
    assert_eq!(received, [22_000; 2]);
}

/// Text held out of order, received from a frame of 64 KiB each: what is kept alive stays in proportion to the text, and
/// drained queues keep a small constant.
#[test]
fn drained_queues_keep_little() {
    let mut pair = Pair::new();
    let [client, server] = &mut pair.sides;
    let info = server.connection.info();
    let mut wire = VecDeque::with_capacity(64);
    let now = pair.now + TICK;
    let segment = |offset: u32, payload: Bytes| {
        let options = Options { timestamps: Some(Timestamps { value: 2, echo: 1 }), ..Options::default() };
        let (seq, ack, flags) = (info.rcv_nxt + offset, info.snd_nxt, Flags::ACK);
        Segment { seq, ack, flags, window: 500, options, payload, ..Segment::default() }
    };
    let held = measure(|| {
        for gap in 0..60u32 {
            // 100 octets that came in a frame of their own, every other hundred missing
            let frame = Bytes::from(vec![7u8; 1 << 16]);
            server.handle(Event::Segment(segment(100 + 200 * gap, frame.slice(..100))), now, &mut wire);
            wire.clear();
        }
    });
    assert_eq!(server.connection.info().held, 6000);
    assert!(held.bytes_current < 4 * 6000, "{} octets of memory for 6000 held", held.bytes_current);
    let drained = measure(|| {
        for gap in 0..60u32 {
            server.handle(Event::Segment(segment(200 * gap, text(100))), now, &mut wire);
            wire.clear();
        }
    });
    assert_eq!((server.connection.info().held, server.received), (0, 12_000));
    let kept = held.bytes_current + drained.bytes_current;
    assert!(kept < 1024, "the drained receive queue keeps {kept} octets");

    let sent = measure(|| {
        for piece in 0..100u32 {
            client.handle(Event::Send(text(1100 + piece % 2)), now, &mut wire);
        }
        let una = client.connection.info().snd_una;
        let total = u32::try_from(client.connection.info().send_queue).unwrap();
        let mut at = now;
        while client.connection.info().send_queue > 0 {
            at += TICK;
            wire.clear();
            let nxt = client.connection.info().snd_nxt;
            let (seq, flags) = (client.connection.info().rcv_nxt, Flags::ACK);
            let options = Options { timestamps: Some(Timestamps { value: 2, echo: 1 }), ..Options::default() };
            let ack = Segment { seq, ack: nxt, flags, window: 500, options, ..Segment::default() };
            client.handle(Event::Segment(ack), at, &mut wire);
            assert!(at < now + TICK * 1000, "{} of {total} are acknowledged", nxt - una);
        }
    });
    assert!(sent.bytes_current < 4096, "the drained send queue keeps {} octets", sent.bytes_current);
}
