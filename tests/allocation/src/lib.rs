//! In the sink form, steady traffic allocates nothing per segment; held memory keeps within the bounds of
//! `docs/architecture.md`, and idle connections keep nothing. The allocator of this test binary counts, per thread.
#![cfg(test)]

mod budget;

use core::time::Duration;
use std::collections::VecDeque;

use allocation_counter::measure;
use bytes::{Bytes, BytesMut};
use segue::host::{Endpoint, EndpointConfig, Keys, Listen};
use segue::{
    Action, Arc, Config, ConfigBuilder, Connection, Counters, Discard, Event, Flags, Instant, Options, Path, Secrets,
    Segment, SeqNum, State, Timestamps, codec,
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

    /// The same, but one segment in `lose_every` is lost; timers repair that.
    fn settle_with_losses(&mut self, lose_every: usize) {
        let mut carried = 0;
        loop {
            while self.wires.iter().any(|wire| !wire.is_empty()) {
                self.now += TICK;
                for from in 0..2 {
                    let Some(segment) = self.wires[from].pop_front() else { continue };
                    carried += 1;
                    let to = 1 - from;
                    if lose_every == 0 || carried % lose_every != 0 {
                        self.sides[to].handle(Event::Segment(segment), self.now, &mut self.wires[to]);
                    }
                    self.run_timers();
                }
            }
            if self.sides.iter().all(|side| side.connection.info().send_queue == 0) {
                return;
            }
            self.now = self.sides.iter().filter_map(|side| Some(side.connection.next_deadline()?.1)).min().unwrap();
            self.run_timers();
        }
    }

    fn run_timers(&mut self) {
        let timed = self.sides.iter_mut().zip(&mut self.wires);
        timed.for_each(|(side, wire)| side.run_timers(self.now, wire));
    }

    /// Time goes on until no timer is left.
    fn rest(&mut self) {
        while let Some(at) = self.sides.iter().filter_map(|side| Some(side.connection.next_deadline()?.1)).min() {
            self.now = at;
            self.run_timers();
            self.settle();
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
        options: Options { timestamps: Some(Timestamps { value: 1, echo: 0 }), ..Options::default() }.into(),
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
            let segment =
                Segment { seq, ack, flags, window: 65_535, options: options.into(), payload, ..Segment::default() };
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

/// A sender whose queue never runs dry: SEND of `octets` octets whenever they fit, and ACKs that each take off one
/// segment and let others go. Returns what 1000 of them allocate, and how many SENDs there were meanwhile.
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
            let segment =
                Segment { seq, ack, flags: Flags::ACK, window: 65_535, options: options.into(), ..Segment::default() };
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
fn a_header_with_timestamps_or_without_options_allocates_nothing() {
    let (src, dst) = (core::net::Ipv4Addr::LOCALHOST, core::net::Ipv4Addr::LOCALHOST);
    let pseudo = codec::PseudoHeader::V4 { src, dst };
    for timestamps in [None, Some(Timestamps { value: 1, echo: 2 })] {
        let segment = Segment { flags: Flags::ACK, options: timestamps.into(), payload: text(9), ..Segment::default() };
        let packet = codec::Packet { segment, ..codec::Packet::default() };
        let mut octets = BytesMut::with_capacity(100);
        let info = measure(|| {
            codec::encode(&packet, codec::Fill::Now(pseudo), &mut octets).unwrap();
        });
        assert_eq!(info.count_total, 0, "encode with {timestamps:?}");
        let octets = octets.freeze();
        let info = measure(|| {
            assert_eq!(codec::decode(octets, codec::Verify::Now(pseudo)).as_ref(), Ok(&packet));
        });
        assert_eq!(info.count_total, 0, "decode with {timestamps:?}");
    }
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

/// Text held out of order, received from a frame of 64 KiB each: the memory kept alive stays in proportion to the text,
/// and drained queues keep a small constant.
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
        Segment { seq, ack, flags, window: 500, options: options.into(), payload, ..Segment::default() }
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
            let ack = Segment { seq, ack: nxt, flags, window: 500, options: options.into(), ..Segment::default() };
            client.handle(Event::Segment(ack), at, &mut wire);
            assert!(at < now + TICK * 1000, "{} of {total} are acknowledged", nxt - una);
        }
    });
    assert!(sent.bytes_current < 4096, "the drained send queue keeps {} octets", sent.bytes_current);
}

/// The most pieces that text out of order is held in: `docs/architecture.md`, "Memory".
fn most_pieces(config: &Config) -> u64 {
    let ranges = match config.max_ranges() {
        0 => (config.receive_buffer() / 1024).max(64),
        ranges => u32::from(ranges),
    };
    u64::from(ranges) + 1 + u64::from(2 * config.receive_buffer() / u32::from(config.copy_below()))
}

/// The most memory that text out of order costs, frames that it keeps alive included: the same table.
fn most_memory(config: &Config) -> u64 {
    2 * u64::from(config.receive_buffer()) + 192 * most_pieces(config) + 2048
}

/// A receiver whose next expected octet is withheld.
struct Withheld {
    connection: Connection,
    now: Instant,
    /// The number of the octet that is missing, and how many octets behind it the window takes.
    missing: SeqNum,
    window: u32,
    frame: usize,
    delivers: u64,
    refused: u64,
}

impl Withheld {
    fn new(config: ConfigBuilder) -> Self {
        let config = config.timestamps(false).build().unwrap();
        let config = config.to_builder().receive_buffer_initial(config.receive_buffer().max(14_600)).build().unwrap();
        let now = Instant::from_millis(1);
        let options = Options { mss: Some(1460), window_scale: Some(0), sack_permitted: true, ..Options::default() };
        let (seq, flags) = (SeqNum::new(u32::MAX - 7000), Flags::SYN);
        let syn = Segment { seq, flags, window: 65_535, options: options.into(), ..Segment::default() };
        let secrets = Secrets { iss: SeqNum::new(99), ts_offset: 0 };
        let frame = usize::try_from(config.frame_size()).unwrap().min(1 << 16);
        let (connection, _) = Connection::accept(Arc::new(config), Path::ipv4(1500), secrets, syn, now);
        let mut all = Self { connection, now, missing: seq + 1, window: 0, frame, delivers: 0, refused: 0 };
        all.arrives(0, 1); // in order, so that all of the buffer is announced
        all.event(Event::Consume(1));
        let info = all.connection.info();
        (all.missing, all.window) = (info.rcv_nxt, info.rcv_wnd - 1);
        (all.delivers, all.refused) = (0, 0);
        all
    }

    fn event(&mut self, event: Event) {
        let (mut delivers, mut refused) = (0, 0);
        let mut sink = |action: Action| match action {
            Action::Deliver(_) => delivers += 1,
            Action::Discarded(reason) => refused += u64::from(reason == Discard::ReassemblyFull),
            _ => {}
        };
        self.connection.handle(event, self.now, &mut sink).unwrap();
        (self.delivers, self.refused) = (self.delivers + delivers, self.refused + refused);
    }

    /// Text at this distance from the missing octet, in a frame of its own.
    fn arrives(&mut self, from: u32, len: u32) {
        let len = usize::try_from(len).unwrap();
        let payload = Bytes::from(vec![7; len.max(self.frame)]).slice(..len);
        let (seq, ack) = (self.missing + from, SeqNum::new(100));
        self.event(Event::Segment(Segment {
            seq,
            ack,
            flags: Flags::ACK,
            window: 65_535,
            payload,
            ..Segment::default()
        }));
    }

    /// All of these arrive, then the missing octet. No order costs more memory than the bound, no event more work.
    fn hold(mut self, order: &[(u32, u32)], config: &Config, what: &str) {
        let frame = u64::try_from(self.frame).unwrap();
        let (copy_below, before) = (u64::from(config.copy_below()), self.connection.info().held);
        assert_eq!(before, 0);
        let mut now = 0;
        for (n, &(from, len)) in order.iter().enumerate() {
            let most = 2 * frame + 6 * u64::from(len) + 8 * copy_below + 4096;
            let event = measure(|| self.arrives(from, len));
            assert!(event.bytes_total <= most, "{what}: segment {n} allocates {} of {most}", event.bytes_total);
            now += event.bytes_current;
            let held = u64::try_from(now).unwrap();
            assert!(held <= most_memory(config), "{what}: {held} octets of {} after {n}", most_memory(config));
        }
        let last = measure(|| self.arrives(0, 1));
        assert!(self.delivers <= most_pieces(config), "{what}: {} `Deliver`s in one event", self.delivers);
        let (end, all) = (self.window + 1, (1..=self.window).step_by(1000)); // what was refused comes again
        let rest = measure(|| all.for_each(|from| self.arrives(from, 1000.min(end - from))));
        assert_eq!(self.connection.info().held, 0);
        let left = now + last.bytes_current + rest.bytes_current;
        assert_eq!(left, of_counters(&self.connection), "{what}: octets that stay");
    }
}

/// Single octets in the order in which a piece never has room on both sides: every other one of a block, then those between.
#[test]
fn single_octets_between_others_do_not_multiply_pieces() {
    let config = Config::builder();
    let all = Withheld::new(config);
    let (mut order, mut at) = (Vec::new(), 1);
    while at + 512 <= all.window {
        order.extend((0..256).map(|n| (at + 2 * n + 1, 1)));
        order.extend((0..256).map(|n| (at + 2 * n, 1)));
        at += 512;
    }
    assert!(order.len() > 261_000);
    assert_eq!(most_pieces(&config.build().unwrap()), 769);
    all.hold(&order, &config.build().unwrap(), "every other octet");
}

/// The orders of arrival: up, down, every other one and then the rest, from both ends, shuffled, in blocks from the top.
fn orders(window: u32, size: u32) -> Vec<(&'static str, Vec<(u32, u32)>)> {
    let pieces: Vec<(u32, u32)> = (0..window / size).map(|n| (1 + n * size, size)).collect();
    let every_other = |first: usize| pieces.iter().copied().skip(first).step_by(2);
    let mut shuffled = pieces.clone();
    let mut seed = u64::from(window ^ size);
    for n in (1..shuffled.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        shuffled.swap(n, usize::try_from(seed >> 33).unwrap() % (n + 1));
    }
    let both: Vec<_> = pieces.iter().zip(pieces.iter().rev()).flat_map(|(low, high)| [*low, *high]).collect();
    let blocks = pieces.chunks(64).rev().flat_map(|block| {
        let (even, odd) = (block.iter().step_by(2), block.iter().skip(1).step_by(2));
        odd.chain(even).copied().collect::<Vec<_>>()
    });
    // a large segment over all that lies between
    let over =
        every_other(1).chain((0..window / 60_000).map(|n| (1 + n * 60_000, 60_000))).chain([(1, window.min(60_000))]);
    vec![
        ("up", pieces.clone()),
        ("down", pieces.iter().rev().copied().collect()),
        ("every other", every_other(0).chain(every_other(1)).collect()),
        (
            "every other, odd ones first, down",
            every_other(1).collect::<Vec<_>>().into_iter().rev().chain(every_other(0)).collect(),
        ),
        ("both ends", both),
        ("shuffled", shuffled.clone()),
        ("blocks", blocks.collect()),
        ("filled at once", over.collect()),
        ("overlapping", shuffled.iter().map(|&(at, len)| (at.saturating_sub(len / 2).max(1), len)).collect()),
    ]
}

/// Pieces, memory and work are bounded by `Config` for any order of arrival and any sizes.
#[test]
fn what_is_held_keeps_within_the_bounds_of_the_configuration() {
    for (buffer, max_ranges) in [(1000, 1), (8192, 0), (8192, 65_535), (40_000, 7), (100_000, 0), (262_144, 3)] {
        for copy_below in [64, 1024, 65_535] {
            for frame_size in [0, 2049, 1 << 24] {
                let config = Config::builder().receive_buffer(buffer).max_ranges(max_ranges);
                let config = config.copy_below(copy_below).frame_size(frame_size);
                for size in [1, 2, 63, 64, 700, 1024, 1460, 4096] {
                    let window = Withheld::new(config).window;
                    if !(size..=1000 * size).contains(&window) && (size, frame_size) != (1, 0) || window > 8192 * size {
                        continue;
                    }
                    for (order, segments) in orders(window, size) {
                        let what = format!("{buffer} {max_ranges} {copy_below} {frame_size}, {size} octets {order}");
                        Withheld::new(config).hold(&segments, &config.build().unwrap(), &what);
                    }
                }
            }
        }
    }
}

/// Octets of the rare counters: they stay once one of them has counted.
fn of_counters(connection: &Connection) -> i64 {
    let counters = connection.info().counters;
    let mut usual = Counters::default();
    (usual.segments_in, usual.segments_predicted) = (counters.segments_in, counters.segments_predicted);
    (usual.segments_out, usual.octets_in) = (counters.segments_out, counters.octets_in);
    usual.octets_acked = counters.octets_acked;
    // the five usual ones are part of the connection
    let rare = size_of::<Counters>() - 5 * size_of::<u64>();
    if counters == usual { 0 } else { i64::try_from(rare).unwrap() }
}

/// Two ends talk, with and without losses: afterwards each holds nothing but itself, and the rare counters, an RTO
/// later, and at once in TIME-WAIT.
#[test]
fn idle_connections_keep_no_memory() {
    for lose_every in [0, 3, 7, 40] {
        let (mut pair, mut heap) = (None, 0);
        let opened = measure(|| pair = Some(Pair::new()));
        let pair = pair.as_mut().unwrap();
        let wires: usize = pair.wires.iter().map(|wire| wire.capacity() * size_of::<Segment>()).sum();
        heap += opened.bytes_current - i64::try_from(wires + size_of::<Config>() + 16).unwrap();
        assert_eq!(heap, 0, "after the handshake");
        let talk = measure(|| {
            for turn in 0..20 {
                for side in 0..2 {
                    pair.send(side, text(if turn % 5 == 4 { 60_000 } else { 100 }));
                    pair.settle_with_losses(lose_every);
                }
            }
        });
        assert!(pair.sides.iter().all(|side| side.received == 4 * 60_000 + 16 * 100));
        assert!(talk.bytes_max > 1000, "nothing was held meanwhile");
        heap += talk.bytes_current;
        assert!(heap > 0, "steady traffic finds its memory");
        heap += measure(|| pair.rest()).bytes_current;
        assert_eq!(heap, pair.sides.iter().map(|side| of_counters(&side.connection)).sum::<i64>(), "an RTO later");

        let [client, server] = &mut pair.sides;
        let [out, back] = &mut pair.wires;
        let now = pair.now;
        let closing = measure(|| {
            client.handle(Event::Send(text(100)), now, out);
            client.handle(Event::Close, now, out);
            out.drain(..).for_each(|segment| server.handle(Event::Segment(segment), now, back));
            server.handle(Event::Close, now, back);
            back.drain(..).for_each(|segment| client.handle(Event::Segment(segment), now, out));
        });
        assert_eq!((client.connection.state(), server.connection.state()), (State::TimeWait, State::LastAck));
        let end = measure(|| {
            let segment = out.pop_front().unwrap();
            server.connection.handle(Event::Segment(segment), now, &mut |_: Action| {}).unwrap();
        });
        assert_eq!((server.connection.state(), closing.bytes_current + end.bytes_current), (State::Closed, 0));
    }
}

/// TIME-WAIT as a value has no heap, and an answer of it costs none.
#[test]
fn time_wait_as_a_value_allocates_nothing() {
    let mut pair = Pair::new();
    let (now, config) = (pair.now, Arc::new(Config::default()));
    let [client, server] = &mut pair.sides;
    let mut wire = VecDeque::new();
    client.handle(Event::Close, now, &mut wire);
    server.handle(Event::Segment(wire.pop_front().unwrap()), now, &mut wire);
    client.handle(Event::Segment(wire.pop_front().unwrap()), now, &mut VecDeque::new());
    server.handle(Event::Close, now, &mut wire);
    let fin = wire.pop_front().unwrap();
    client.handle(Event::Segment(fin.clone()), now, &mut wire);
    let mut value = client.connection.clone().time_wait().unwrap();
    let mut answers = 0;
    let cost = measure(|| {
        value.handle_segment_into(fin, now, &config, &mut |_: Action| answers += 1);
    });
    assert_eq!((answers, cost.count_total, cost.bytes_current), (1, 0, 0));
    let (timer, at) = value.next_deadline().unwrap();
    let mut closed = 0;
    let cost = measure(|| {
        value.handle_timer_into(timer, at, &config, &mut |action| closed += usize::from(is_end(&action)));
    });
    assert_eq!((closed, value.state(), cost.count_total), (1, State::Closed, 0));
}

fn is_end(action: &Action) -> bool {
    matches!(action, Action::Closed(_))
}

/// In the sink form an open allocates the options of its SYN and the record of the flight; the form that returns a `Vec`
/// allocates that, too.
#[test]
fn opens_allocate_nothing_for_their_actions() {
    let (config, path, now) = (Arc::new(Config::default()), Path::ipv4(1500), Instant::from_millis(1));
    let secrets = |iss| Secrets { iss: SeqNum::new(iss), ts_offset: 0 };
    let (mut device, mut ends) = (VecDeque::with_capacity(4), Vec::with_capacity(4));
    let mut send = |action: Action| {
        if let Action::Transmit(segment) = action {
            device.push_back(segment);
        }
    };
    let active = measure(|| ends.push(Connection::connect_into(config.clone(), path, secrets(100), now, &mut send)));
    let with_vec = measure(|| drop(Connection::connect(config.clone(), path, secrets(100), now)));
    assert_eq!((active.count_total, with_vec.count_total), (2, 3));

    let (syn, same) = (device[0].clone(), device[0].clone());
    let mut send = |action: Action| {
        if let Action::Transmit(segment) = action {
            device.push_back(segment);
        }
    };
    let passive =
        measure(|| ends.push(Connection::accept_into(config.clone(), path, secrets(300), syn, now, &mut send)));
    let with_vec = measure(|| drop(Connection::accept(config.clone(), path, secrets(300), same, now)));
    assert_eq!((passive.count_total, with_vec.count_total), (2, 3));
    let states = ends.iter().map(Connection::state);
    assert!(states.eq([State::SynSent, State::SynReceived]) && device.len() == 2);
}

/// Once the queues and tables have grown, an open of an endpoint allocates its entry beside what the connection does.
#[test]
fn opens_of_an_endpoint_allocate_their_entry() {
    let config = || EndpointConfig { connections: 4096, ..EndpointConfig::default() };
    let mut client = Endpoint::new(Keys::new(*b"drawn at startup"), config());
    let mut server = Endpoint::new(Keys::new(*b"drawn by another"), config());
    let http = server.listen(Listen::port(80)).unwrap();
    let (us, peer) = ("192.0.2.1".parse().unwrap(), "198.51.100.7:80".parse().unwrap());
    let (now, mut wire) = (Instant::from_millis(1), Vec::with_capacity(2048));
    let mut open = |count: u64| {
        let active = measure(|| {
            (0..count).for_each(|_| {
                client.connect(us, peer, now).unwrap();
            });
            client.flush(now, |ends, packet| wire.push((ends, packet)));
        });
        let passive = measure(|| {
            wire.drain(..).for_each(|(ends, packet)| {
                server.receive(ends, packet, now);
            })
        });
        (active.count_total, passive.count_total)
    };
    open(700); // the tables have room for more
    let (active, passive) = open(100);
    assert_eq!((active / 100, passive / 100), (3, 3), "{active} and {passive}: the entry, and two of the connection");
    assert!(server.accept(http).is_none(), "no handshake is complete");
}
