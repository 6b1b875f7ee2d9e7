//! Two connections and a link between them, in virtual time: the client sends, the server reads. The link takes packets
//! up to a size that may change, and may lose them; routers may tell what was too big.

use std::time::Duration;

use bytes::Bytes;
use segue::{Action, ConfigBuilder, Connection, Event, IcmpKind, Instant, Knob, Path, Report, Segment, SeqNum, codec};
use segue_kit::pair::{Next, Pair};
use segue_kit::rig::At;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// One packet that left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    pub(crate) at: Duration,
    pub(crate) from: usize,
    pub(crate) size: usize,
    pub(crate) arrives: bool,
}

/// What the link does to a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Arrives,
    Lost,
    /// A router says how large the next link is.
    TooBig(u16),
}

enum Item {
    Segment(Segment),
    TooBig(SeqNum, u16),
}

/// The link: the fate of a packet, by the time when it leaves, the end that sends it, and its octets.
pub(crate) type Link<'a> = Box<dyn FnMut(Duration, usize, usize) -> Fate + 'a>;

pub(crate) struct World<'a> {
    pair: Pair<Item>,
    pub(crate) link: Link<'a>,
    delay: Duration,
    busy: [Instant; 2],
    path: Path,
    /// Octets the client is still to write, and the server has read.
    pub(crate) todo: usize,
    pub(crate) read: usize,
    /// Octets each end has read.
    pub(crate) reads: [usize; 2],
    pub(crate) sent: Vec<Departure>,
    /// The path MTUs that the client was told of, and when.
    pub(crate) mtus: Vec<(Duration, u16)>,
    pub(crate) closed: bool,
}

const ISS: [u32; 2] = [u32::MAX - 5000, 77];

/// Octets of the packet.
pub(crate) fn packet(path: Path, segment: &Segment) -> usize {
    usize::from(path.ip.header() + 20 + path.ip_options) + segment.options.wire_len() + segment.payload.len()
}

impl<'a> World<'a> {
    /// Both ends with these settings, ESTABLISHED over a link that takes everything; a round trip takes 100 ms.
    pub(crate) fn new(configs: [ConfigBuilder; 2], path: Path) -> Self {
        let now = Instant::from_millis(1000);
        let [client, server] = [CLIENT, SERVER].map(|end| {
            let config = configs[end].build().expect("a valid configuration");
            At { iss: ISS[end], ts_offset: 9, start: now, config, path, ..At::default() }
        });
        let (client, server) = (client.connect(), server.listen());
        let actions = client.last.clone();
        let mut world = Self {
            pair: Pair::new([client, server]),
            link: Box::new(|_, _, _| Fate::Arrives),
            delay: Duration::from_millis(50),
            busy: [now; 2],
            path,
            todo: 0,
            read: 0,
            reads: [0; 2],
            sent: Vec::new(),
            mtus: Vec::new(),
            closed: false,
        };
        world.carry_out(CLIENT, actions);
        world.run(Duration::from_millis(500));
        world
    }

    pub(crate) fn over(mut self, link: impl FnMut(Duration, usize, usize) -> Fate + 'a) -> Self {
        self.link = Box::new(link);
        self
    }

    /// Time since the handshake began.
    pub(crate) fn time(&self) -> Duration {
        self.pair.now.saturating_since(Instant::from_millis(1000))
    }

    pub(crate) fn now(&self) -> Instant {
        self.pair.now
    }

    pub(crate) fn end(&self, side: usize) -> &Connection {
        &self.pair.ends[side].connection
    }

    pub(crate) fn mtu(&self) -> u16 {
        self.end(CLIENT).info().path_mtu
    }

    fn carry_out(&mut self, from: usize, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Transmit(segment) => codec::split(segment).for_each(|piece| self.transmit(from, piece)),
                Action::Deliver(text) => {
                    self.reads[from] += text.len();
                    self.read = self.reads[SERVER];
                    let taken = self.pair.call(from, Event::Consume(text.len()));
                    self.carry_out(from, taken);
                }
                Action::Report(Report::PathMtu(mtu)) if from == CLIENT => self.mtus.push((self.time(), mtu)),
                Action::Closed(_) => self.closed = true,
                _ => {}
            }
        }
    }

    fn transmit(&mut self, from: usize, segment: Segment) {
        let (at, size) = (self.time(), packet(self.path, &segment));
        let fate = (self.link)(at, from, size);
        // A gigabit in a second: no two packets arrive at one time.
        self.busy[from] = self.busy[from].max(self.pair.now) + Duration::from_micros(1 + size as u64 / 125);
        self.sent.push(Departure { at, from, size, arrives: fate == Fate::Arrives });
        match fate {
            Fate::Arrives => self.plan(1 - from, Item::Segment(segment)),
            Fate::Lost => {}
            Fate::TooBig(mtu) => self.plan(from, Item::TooBig(segment.seq, mtu)),
        }
    }

    fn plan(&mut self, end: usize, item: Item) {
        self.pair.plan(self.busy[1 - end] + self.delay, end, item);
    }

    /// The client writes what its buffer takes.
    pub(crate) fn write(&mut self) {
        while self.todo > 0 && self.end(CLIENT).send_room() > 0 {
            let len = self.todo.min(self.end(CLIENT).send_room());
            self.todo -= len;
            let actions = self.pair.call(CLIENT, Event::Send(Bytes::from(vec![7; len])));
            self.carry_out(CLIENT, actions);
        }
    }

    /// An end writes.
    pub(crate) fn send(&mut self, from: usize, len: usize) {
        let actions = self.pair.call(from, Event::Send(Bytes::from(vec![7; len])));
        self.carry_out(from, actions);
    }

    /// The client turns a knob.
    pub(crate) fn set(&mut self, knob: Knob) {
        let actions = self.pair.call(CLIENT, Event::Set(knob));
        self.carry_out(CLIENT, actions);
    }

    /// The host of the client says what the MTU of the path is.
    pub(crate) fn tell(&mut self, mtu: u16) {
        let actions = self.pair.call(CLIENT, Event::Mtu(mtu));
        self.carry_out(CLIENT, actions);
    }

    /// The next thing happens, if it does before `end`.
    fn step(&mut self, end: Instant) -> bool {
        self.write();
        let Some(next) = self.pair.next(end) else { return false };
        let (side, event) = match next {
            Next::Arrives(side, Item::Segment(segment)) => (side, Event::Segment(segment)),
            Next::Arrives(side, Item::TooBig(quoted_seq, mtu)) => {
                (side, Event::Icmp { kind: IcmpKind::PacketTooBig, quoted_seq, mtu })
            }
            Next::Due(side, timer) => (side, Event::Timer(timer)),
        };
        let actions = self.pair.call(side, event);
        self.carry_out(side, actions);
        true
    }

    /// So much time passes.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.pair.now + time;
        while self.step(end) {}
        self.pair.now = end;
    }

    /// Until the server has read `octets`, or the time is over. Returns how long it took.
    pub(crate) fn until_read(&mut self, octets: usize, limit: Duration) -> Duration {
        let (start, end) = (self.pair.now, self.pair.now + limit);
        while self.read < octets && self.step(end) {}
        self.pair.now.saturating_since(start)
    }

    /// So many octets more are written and read.
    #[track_caller]
    pub(crate) fn transfer(&mut self, octets: usize, limit: Duration) -> Duration {
        let goal = self.read + self.todo + octets;
        self.todo += octets;
        let took = self.until_read(goal, limit);
        assert!(self.read >= goal, "{} of {goal} octets in {took:?}, path MTU {}", self.read, self.mtu());
        took
    }

    /// Until the path MTU is this one. Returns how long it took.
    #[track_caller]
    pub(crate) fn until_mtu(&mut self, mtu: u16, limit: Duration) -> Duration {
        let (start, end) = (self.pair.now, self.pair.now + limit);
        while self.mtu() != mtu {
            self.todo = self.todo.max(1_000_000);
            assert!(self.step(end), "after {limit:?} the path MTU is {}, not {mtu}; {:?}", self.mtu(), self.mtus);
        }
        self.pair.now.saturating_since(start)
    }
}

/// A path that takes packets of `mtu` octets; routers say so, or not.
pub(crate) fn carries(mtu: u16, tells: bool) -> impl Fn(Duration, usize, usize) -> Fate {
    move |_, _, size| match () {
        () if size <= usize::from(mtu) => Fate::Arrives,
        () if tells => Fate::TooBig(mtu),
        () => Fate::Lost,
    }
}
