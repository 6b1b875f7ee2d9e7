//! What the machine costs: one segment in, one acknowledgment in, a bulk transfer, a connection from SYN to the last ACK.

use core::hint::black_box;
use core::time::Duration;
use std::collections::VecDeque;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use segue::{
    Action, Arc, Config, Connection, Event, Flags, Instant, Options, Path, Secrets, Segment, SeqNum, State, Timer,
    Timestamps,
};

static TEXT: [u8; 1 << 16] = [0x5A; 1 << 16];
const MSS: u32 = 1448;

fn secrets(iss: u32) -> Secrets {
    Secrets { iss: SeqNum::new(iss), ts_offset: 0 }
}

fn start() -> Instant {
    Instant::from_millis(1)
}

fn transmitted(actions: Vec<Action>) -> impl Iterator<Item = Segment> {
    actions.into_iter().filter_map(|action| if let Action::Transmit(segment) = action { Some(segment) } else { None })
}

/// Client and server, and the segments on their way from each.
struct Pair {
    sides: [Connection; 2],
    wires: [VecDeque<Segment>; 2],
    now: Instant,
}

impl Pair {
    fn opening(config: &Arc<Config>) -> Self {
        let (path, now) = (Path::ipv4(1500), start());
        let (client, actions) = Connection::connect(config.clone(), path, secrets(100), now);
        let syn = transmitted(actions).next().expect("a SYN");
        let (server, actions) = Connection::accept(config.clone(), path, secrets(300), syn, now);
        Self { sides: [client, server], wires: [VecDeque::new(), transmitted(actions).collect()], now }
    }

    fn established(config: &Arc<Config>) -> Self {
        let mut pair = Self::opening(config);
        pair.settle();
        pair
    }

    fn handle(&mut self, side: usize, event: Event) {
        let wire = &mut self.wires[side];
        let mut delivered = 0;
        let result = self.sides[side].handle(event, self.now, &mut |action| match action {
            Action::Transmit(segment) => wire.push_back(segment),
            Action::Deliver(text) => delivered += text.len(),
            _ => {}
        });
        result.expect("a call that can proceed");
        if delivered > 0 {
            self.handle(side, Event::Consume(delivered));
        }
    }

    /// Carries segments until nothing is on its way and no acknowledgment is owed.
    fn settle(&mut self) {
        loop {
            self.now += Duration::from_micros(50);
            for from in 0..2 {
                if let Some(segment) = self.wires[from].pop_front() {
                    self.handle(1 - from, Event::Segment(segment));
                }
            }
            if self.wires.iter().all(VecDeque::is_empty) && !self.wait_for_delayed_ack() {
                return;
            }
        }
    }

    fn wait_for_delayed_ack(&mut self) -> bool {
        let owes = |side: &Connection| side.deadline(Timer::DelayedAck);
        let Some((side, at)) = self.sides.iter().map(owes).enumerate().find_map(|(i, at)| Some((i, at?))) else {
            return false;
        };
        self.now = self.now.max(at);
        self.handle(side, Event::Timer(Timer::DelayedAck));
        true
    }
}

/// A peer that sends full segments in order for ever.
struct Source {
    seq: SeqNum,
    ack: SeqNum,
    now: Instant,
}

impl Source {
    fn towards(connection: &Connection, now: Instant) -> Self {
        let info = connection.info();
        Self { seq: info.rcv_nxt, ack: info.snd_nxt, now }
    }

    fn next(&mut self) -> (Segment, Instant) {
        self.now += Duration::from_micros(10);
        let value = u32::try_from(self.now.as_micros() / 1000 % (1 << 32)).expect("reduced");
        let segment = Segment {
            seq: self.seq,
            ack: self.ack,
            flags: Flags::ACK,
            window: 65_535,
            options: Options { timestamps: Some(Timestamps { value, echo: 1 }), ..Options::default() }.into(),
            payload: Bytes::from_static(&TEXT).slice(..MSS as usize),
            ..Segment::default()
        };
        self.seq += MSS;
        (segment, self.now)
    }
}

fn receive(c: &mut Criterion) {
    let mut group = c.benchmark_group("receive an in-order segment and consume it");
    group.throughput(Throughput::Bytes(u64::from(MSS)));
    group.bench_function("sink", |b| {
        let [_, mut server] = Pair::established(&Arc::default()).sides;
        let mut source = Source::towards(&server, start() + Duration::from_secs(1));
        b.iter(|| {
            let (segment, now) = source.next();
            server.handle(Event::Segment(segment), now, &mut |action| drop(black_box(action))).expect("a segment");
            server.handle(Event::Consume(MSS as usize), now, &mut |action| drop(black_box(action))).expect("consume");
        });
    });
    group.bench_function("vec", |b| {
        let [_, mut server] = Pair::established(&Arc::default()).sides;
        let mut source = Source::towards(&server, start() + Duration::from_secs(1));
        b.iter(|| {
            let (segment, now) = source.next();
            drop(black_box(server.handle_segment(segment, now)));
            drop(black_box(server.consume(MSS as usize, now)));
        });
    });
    group.finish();
}

fn acknowledge(c: &mut Criterion) {
    // The queue never runs dry: each ACK takes one segment off and lets another go.
    c.bench_function("handle an ACK that releases a segment", |b| {
        let mut pair = Pair::established(&Arc::default());
        let peer = pair.sides[1].info();
        let client = &mut pair.sides[0];
        let mut now = pair.now;
        b.iter(|| {
            now += Duration::from_micros(10);
            let info_una = client.info().snd_una;
            if client.send_room() >= TEXT.len() {
                let sent = client.handle(Event::Send(Bytes::from_static(&TEXT)), now, &mut |a| drop(black_box(a)));
                sent.expect("there is room");
            }
            let value = u32::try_from(now.as_micros() / 1000 % (1 << 32)).expect("reduced");
            let ack = Segment {
                seq: peer.snd_nxt,
                ack: info_una + MSS,
                flags: Flags::ACK,
                window: 512,
                options: Options { timestamps: Some(Timestamps { value, echo: value }), ..Options::default() }.into(),
                ..Segment::default()
            };
            client.handle(Event::Segment(ack), now, &mut |action| drop(black_box(action))).expect("a segment");
        });
    });
}

fn transfer(c: &mut Criterion) {
    const OCTETS: usize = 1 << 20;
    let mut group = c.benchmark_group("bulk transfer between two connections");
    group.throughput(Throughput::Bytes(OCTETS as u64));
    let plain = Arc::new(Config::default());
    let offloaded = Arc::new(Config::builder().max_transmit(65_000).build().expect("within the ranges"));
    for (name, config) in [("segments", plain), ("segmentation below (GSO)", offloaded)] {
        group.bench_function(name, |b| {
            let mut pair = Pair::established(&config);
            b.iter(|| {
                for _ in 0..OCTETS / TEXT.len() {
                    pair.handle(0, Event::Send(Bytes::from_static(&TEXT)));
                    pair.settle();
                }
            });
            assert_eq!(pair.sides[0].info().send_queue, 0, "all is acknowledged");
        });
    }
    group.finish();
}

fn open_and_close(c: &mut Criterion) {
    let config = Arc::new(Config::default());
    c.bench_function("three-way handshake", |b| {
        b.iter(|| black_box(Pair::established(&config)));
    });
    c.bench_function("four-way close", |b| {
        b.iter_batched(
            || Pair::established(&config),
            |mut pair| {
                for side in 0..2 {
                    pair.handle(side, Event::Close);
                    pair.settle();
                }
                assert_eq!(pair.sides.each_ref().map(Connection::state), [State::TimeWait, State::Closed]);
                pair
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, receive, acknowledge, transfer, open_and_close);
criterion_main!(benches);
