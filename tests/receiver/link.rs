//! Two connections and a link of a rate and a delay between them, in virtual time: the client sends, the server's user reads
//! when it likes. It counts what the server's user got and which acknowledgments left for it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use segue::{Action, ConfigBuilder, Event, Flags, Info, Instant, Path, Segment, SeqNum, codec};
use segue_kit::pair::{Next, Pair};
use segue_kit::rig::At;

const CLIENT: usize = 0;
const SERVER: usize = 1;
const ISS: [u32; 2] = [u32::MAX - 5000, (1 << 31) - 7];
/// A host coalesces no more than one IP packet's text.
const COALESCED: usize = 65_000;

/// How the server's host hands over what arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Host {
    /// Each segment by itself.
    Single,
    /// All that arrived in this time together, as segments.
    Batches(Duration),
    /// All that arrived in this time coalesced (GRO).
    Coalesces(Duration),
}

/// The path, the hosts and the user of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) client: ConfigBuilder,
    pub(crate) server: ConfigBuilder,
    /// Bits in a second.
    pub(crate) rate: u64,
    pub(crate) rtt: Duration,
    pub(crate) mtu: u16,
    pub(crate) host: Host,
    /// The server's user takes all that waits once in this time; zero: at once.
    pub(crate) reader: Duration,
}

enum Item {
    Segment(Segment),
    Batch,
    Read,
}

pub(crate) struct World {
    setup: Setup,
    pair: Pair<Item>,
    /// In nanoseconds: when each direction of the link is free.
    free: [u64; 2],
    /// What the client is still to write.
    todo: usize,
    unread: usize,
    batch: Vec<Segment>,
    /// Octets that the server's user has taken, segments of text that arrived for it, pure ACKs that left.
    pub(crate) read: usize,
    pub(crate) texts: usize,
    pub(crate) acks: usize,
    /// RCV.NXT + RCV.WND as the server last told it.
    edge: SeqNum,
}

const START: Instant = Instant::from_millis(1000);

impl World {
    pub(crate) fn new(setup: Setup) -> Self {
        // Always a window more than is in flight. No more than that: the twin of debug builds compares all of it.
        let waiting = 2 * setup.server.build().unwrap().receive_buffer();
        let client = setup.client.send_buffer(waiting);
        let [client, server] = [(CLIENT, client), (SERVER, setup.server)].map(|(end, config)| {
            let (config, path) = (config.build().unwrap(), Path::ipv4(setup.mtu));
            At { iss: ISS[end], ts_offset: 9, start: START, config, path, ..At::default() }
        });
        let (client, server) = (client.connect(), server.listen());
        let actions = client.last.clone();
        let mut world = Self {
            setup,
            pair: Pair::new([client, server]),
            free: [0; 2],
            todo: 0,
            unread: 0,
            batch: Vec::new(),
            read: 0,
            texts: 0,
            acks: 0,
            edge: SeqNum::new(ISS[CLIENT]),
        };
        world.carry_out(CLIENT, actions);
        world.run(2 * world.setup.rtt + Duration::from_millis(4));
        world.acks = 0;
        world
    }

    pub(crate) fn info(&self, end: usize) -> Info {
        self.pair.ends[end].info()
    }

    fn carry_out(&mut self, end: usize, actions: Vec<Action>) {
        let mut delivered = 0;
        for action in actions {
            match action {
                Action::Transmit(segment) => codec::split(segment).for_each(|piece| self.transmit(end, piece)),
                Action::Deliver(text) => delivered += text.len(),
                _ => {}
            }
        }
        if delivered == 0 {
            return;
        }
        if end == CLIENT {
            let taken = self.pair.call(CLIENT, Event::Consume(delivered));
            return self.carry_out(CLIENT, taken);
        }
        self.unread += delivered;
        if self.setup.reader.is_zero() {
            self.take();
        } else if self.unread == delivered {
            let step = self.setup.reader.as_micros() as u64;
            let next = (self.pair.now.as_micros() / step + 1) * step;
            self.pair.plan(Instant::from_micros(next), SERVER, Item::Read);
        }
    }

    fn take(&mut self) {
        let octets = std::mem::take(&mut self.unread);
        self.read += octets;
        let actions = self.pair.call(SERVER, Event::Consume(octets));
        self.carry_out(SERVER, actions);
    }

    fn transmit(&mut self, from: usize, segment: Segment) {
        if from == SERVER && !segment.flags.contains(Flags::SYN) {
            self.acks += usize::from(segment.is_empty());
            self.check_edge();
        }
        let octets = 40 + segment.options.wire_len() as u64 + segment.payload.len() as u64;
        let now = self.pair.now.as_micros() * 1000;
        self.free[from] = self.free[from].max(now) + octets * 8_000_000_000 / self.setup.rate;
        let at = self.free[from].div_ceil(1000) + self.setup.rtt.as_micros() as u64 / 2;
        self.pair.plan(Instant::from_micros(at), 1 - from, Item::Segment(segment));
    }

    /// RFC 9293 §3.8.6.2.2: the right edge moves by a segment or half of the buffer, or it stays; as the window field tells it,
    /// so that up to a unit is missing.
    fn check_edge(&mut self) {
        let info = self.info(SERVER);
        let edge = info.rcv_nxt + info.rcv_wnd;
        let moved = edge.saturating_since(self.edge);
        let least = u32::from(info.eff_snd_mss).min(info.rcv_buff / 2);
        let unit = self.setup.server.build().unwrap().receive_buffer().div_ceil(0xFFFF).next_power_of_two();
        assert!(moved == 0 || moved + unit > least, "the edge moved by {moved} of {least} at least");
        self.edge = edge;
    }

    fn arrives(&mut self, end: usize, segment: Segment) {
        if end == SERVER {
            self.texts += usize::from(!segment.payload.is_empty());
            if let Host::Batches(time) | Host::Coalesces(time) = self.setup.host {
                if self.batch.is_empty() {
                    self.pair.plan(self.pair.now + time, SERVER, Item::Batch);
                }
                return self.batch.push(segment);
            }
        }
        let actions = self.pair.call(end, Event::Segment(segment));
        self.carry_out(end, actions);
    }

    fn hand_over(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        if matches!(self.setup.host, Host::Coalesces(_)) {
            batch = coalesced(batch);
        }
        let actions = self.pair.batch(SERVER, batch);
        self.carry_out(SERVER, actions);
    }

    fn write(&mut self) {
        static TEXT: [u8; 1 << 16] = [7; 1 << 16];
        while self.todo > 0 && self.pair.ends[CLIENT].connection.send_room() > 0 {
            let len = self.todo.min(self.pair.ends[CLIENT].connection.send_room()).min(TEXT.len());
            self.todo -= len;
            let text = Bytes::from_static(&TEXT[..len]);
            let event = if self.todo > 0 { Event::SendMore(text) } else { Event::Send(text) };
            let actions = self.pair.call(CLIENT, event);
            self.carry_out(CLIENT, actions);
        }
    }

    fn step(&mut self, end: Instant) -> bool {
        self.write();
        match self.pair.next(end) {
            None => return false,
            Some(Next::Arrives(side, Item::Segment(segment))) => self.arrives(side, segment),
            Some(Next::Arrives(_, Item::Batch)) => self.hand_over(),
            Some(Next::Arrives(_, Item::Read)) => self.take(),
            Some(Next::Due(side, timer)) => {
                let actions = self.pair.call(side, Event::Timer(timer));
                self.carry_out(side, actions);
            }
        }
        true
    }

    /// So much time passes.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.step(end) {}
        self.pair.now = end;
    }

    /// The client writes `octets` octets more.
    pub(crate) fn writes(&mut self, octets: usize) {
        self.todo += octets;
    }

    /// The server's user answers.
    pub(crate) fn answers(&mut self, octets: usize) {
        let actions = self.pair.call(SERVER, Event::Send(Bytes::from(vec![9; octets])));
        self.carry_out(SERVER, actions);
    }

    /// So many octets more are written and read. How long that takes, until the last is read.
    pub(crate) fn transfer(&mut self, octets: usize, limit: Duration) -> Duration {
        let (start, goal, end) = (self.pair.now, self.read + self.todo + octets, self.pair.now + limit);
        self.todo += octets;
        while self.read < goal {
            assert!(self.step(end), "{} of {goal} octets in {limit:?}", self.read);
        }
        self.pair.now.saturating_since(start)
    }
}

/// Segments that follow each other, as a host hands them over that coalesces.
fn coalesced(batch: Vec<Segment>) -> Vec<Segment> {
    let mut all: Vec<Segment> = Vec::new();
    for segment in batch {
        let joins = all.last().is_some_and(|last| {
            let size = usize::from(last.segment_size).max(segment.payload.len());
            last.end() == segment.seq
                && last.payload.len() % size == 0
                && last.payload.len() + segment.payload.len() <= COALESCED
        });
        match all.last_mut().filter(|_| joins) {
            Some(last) => {
                let size = usize::from(last.segment_size).max(last.payload.len().min(segment.payload.len()));
                let size = if last.segment_size == 0 { last.payload.len() } else { size };
                let mut text = BytesMut::from(&last.payload[..]);
                text.extend_from_slice(&segment.payload);
                let flags = last.flags | segment.flags;
                let seq = last.seq;
                *last = Segment { seq, flags, payload: text.freeze(), segment_size: size as u16, ..segment };
            }
            None => all.push(segment),
        }
    }
    all
}
